//! `gt crew`.

use anyhow::Result;

use super::{Ctx, print, print_json};
use crate::base::failure::{Exit, Failure, Failures};
use crate::base::terminal;
use crate::cli::town::{CrewArgs, CrewCommand};
use crate::config;
use crate::model::address::Address;
use crate::mux::Session;
use crate::programs::git::Git;
use crate::report::text::columns;
use crate::town::{Rig, Town};
use crate::work::polecat::loss::{Loss, LossLine, counted, cut, hints, texts};
use crate::work::polecat::survivors;
use crate::work::setup::crew::{self, Member};

/// Runs it.
///
/// # Errors
/// What the command could not do.
pub fn run(ctx: &Ctx, args: CrewArgs) -> Result<Exit> {
    let town = ctx.town()?;
    match args.command {
        CrewCommand::Add { name, rig, dry } => {
            let rig = ctx.rig(&town, rig.as_deref())?;
            add(ctx, &town, &rig, &name, dry.dry_run)
        }
        CrewCommand::List { rig } => list(ctx, &town, rig.as_deref()),
        CrewCommand::Remove { name, rig, force, dry } => {
            let rig = ctx.rig(&town, rig.as_deref())?;
            remove(ctx, &town, &rig, &name, force, dry.dry_run)
        }
    }
}

fn add(ctx: &Ctx, town: &Town, rig: &Rig, name: &str, dry_run: bool) -> Result<Exit> {
    crew::check(rig, name)?;
    crate::programs::versions::need_git()?;
    let target = config::target(&ctx.settings(town, Some(rig))?);
    if dry_run {
        Git::at(rig.clone_dir()).check_branch(&target, &[])?;
        let path = rig.crew_dir(name);
        let url = &rig.config.git_url;
        let plan = serde_json::json!({ "clone": url, "into": path });
        return super::would(ctx, &plan, &format!("clone {url} into {}", path.display()));
    }
    let member = crew::add(rig, name, &target)?;
    if ctx.global.json {
        print_json("member", &member)?;
    } else {
        print(&format!("{}/crew/{name} in {}\n", rig.name, member.path.display()))?;
    }
    Ok(Exit::Done)
}

fn list(ctx: &Ctx, town: &Town, named: Option<&str>) -> Result<Exit> {
    let mut failures = Failures::default();
    let rigs = ctx.rigs(town, named, &mut failures)?;
    let members: Vec<Member> =
        rigs.iter().filter_map(|rig| failures.keep(crew::members(rig))).flatten().collect();
    if ctx.global.json {
        print_json("crew", &members)?;
        return super::of_rigs(failures);
    }
    if members.is_empty() && failures.is_empty() {
        ctx.note("no crew: make a clone of your own with: gt crew add NAME --rig RIG");
    }
    let rows: Vec<[String; 3]> = members
        .iter()
        .map(|member| {
            let branch = member.branch.clone().unwrap_or_else(|| "-".into());
            [format!("{}/crew/{}", member.rig, member.name), branch, member.path.display().to_string()]
        })
        .collect();
    terminal::print(columns(&rows))?;
    super::of_rigs(failures)
}

fn remove(ctx: &Ctx, town: &Town, rig: &Rig, name: &str, force: bool, dry_run: bool) -> Result<Exit> {
    let member = crew::find(rig, name)?;
    let mut losses = crew::losses(rig, &member);
    let keep = !losses.is_empty();
    let mux = ctx.mux(town)?;
    let sessions = mux.look()?;
    let address = Address::Crew(rig.name.clone(), name.into()).to_string();
    let open = sessions.of(&town.mark(), &address);
    let is_open = |session: &Session| format!("session {} is open", session.name);
    losses.extend(open.map(|session| LossLine { kind: Loss::Session, text: is_open(session) }));
    let unseen = |why: &String| LossLine::unknown(format!("its session cannot be seen: {why}"));
    losses.extend(sessions.unknown.as_ref().map(unseen));
    for line in cut(&texts(&losses)) {
        ctx.note(&line);
    }
    if !losses.is_empty() && !force {
        return Err(Failure::new(format!("cannot remove {address}: {}", counted(&losses)))
            .hint(format!(
                "{}; or move the clone to crew/.kept: gt crew remove {name} --rig {} --force",
                hints(&losses, &rig.name),
                rig.name
            ))
            .into());
    }
    if dry_run {
        let plan = serde_json::json!({ "remove": member.path, "lost": texts(&losses) });
        return super::would(ctx, &plan, &format!("remove {}", member.path.display()));
    }
    let open: Vec<_> = open.into_iter().collect();
    survivors::stop(town, mux.as_ref(), &open)?.iter().for_each(|note| ctx.note(note));
    let kept = crew::remove(rig, &member, keep)?;
    if ctx.global.json {
        let mut value = serde_json::to_value(&member)?;
        if let Some(folder) = kept {
            value["kept_files"] = folder.display().to_string().into();
        }
        print_json("removed", &value)?;
        return Ok(Exit::Done);
    }
    print(&format!("removed {address}\n"))?;
    if let Some(folder) = kept {
        ctx.note(&format!("its clone is kept as {}", folder.join("files").display()));
    }
    Ok(Exit::Done)
}
