//! `gt rig`.

use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use super::{Ctx, print, print_json, rig_trust};
use crate::base::failure::{Exit, Failure, Failures};
use crate::base::files;
use crate::base::quote::quote;
use crate::base::terminal;
use crate::cli::town::{RigArgs, RigCommand};
use crate::programs::versions;
use crate::report::text::columns;
use crate::town::{FolderLayout, Rig, Town};
use crate::work::polecat::loss::{counted, cut, hints, texts};
use crate::work::polecat::survivors;
use crate::work::setup::rig::{self, NewRig, remove as removal};

/// Runs it.
///
/// # Errors
/// What the command could not do.
pub fn run(ctx: &Ctx, args: RigArgs) -> Result<Exit> {
    match args.command {
        RigCommand::Add { name, url, prefix, branch, test, trust, no_trust, dry } => {
            let trust = (trust || no_trust).then_some(trust);
            add(ctx, name, &url, New { prefix, branch, test, trust }, dry.dry_run)
        }
        RigCommand::List => list(ctx),
        RigCommand::Trust { name, dry } => rig_trust::run(ctx, name.as_deref(), dry.dry_run),
        RigCommand::Remove { name, force, dry } => remove(ctx, &name, force, dry.dry_run),
    }
}

/// What is said of a new rig beside its name and URL.
struct New {
    prefix: Option<String>,
    branch: Option<String>,
    test: Option<String>,
    /// Whether its agent settings are trusted; asked when absent.
    trust: Option<bool>,
}

fn add(ctx: &Ctx, name: String, url: &str, new: New, dry_run: bool) -> Result<Exit> {
    crate::model::rules::rig_name(&name)?;
    let town = ctx.town()?;
    town.needs_present_layout()?;
    versions::need_git()?;
    let source = rig::source(&ctx.dir, url)?;
    let settings = ctx.settings(&town, None)?;
    let wanted = NewRig {
        name,
        source,
        prefix: new.prefix,
        branch: new.branch,
        store: settings.beads.store,
        town_prefix: settings.beads.prefix,
        test: new.test,
        names: crate::plan::trust::listed(&settings.agents),
    };
    rig::check(&town, &wanted)?;
    if dry_run {
        return show_plan(ctx, &town, &wanted);
    }
    let mut added = rig::add(&town, &wanted)?;
    ctx.remember(&town.root);
    if !ctx.global.json {
        print(&format!("rig {}: {} beads, work lands on {}\n", added.name, added.prefix, added.target))?;
    }
    let root = town.root.join(&added.name);
    rig_trust::ask(ctx, &root, &mut added, new.trust)?;
    if added.test_command.is_none() && settings.merge.test_command.is_none() {
        propose_test(ctx, &root, &mut added)?;
    }
    if ctx.global.json {
        print_json("rig", &added)?;
    }
    wanted.source.notes.iter().for_each(|note| ctx.note(note));
    let shared = rig::of_one_repository(&town.rigs(&mut Failures::default())?);
    shared
        .iter()
        .filter(|note| note.split(' ').any(|word| word == added.name))
        .for_each(|note| ctx.note(note));
    for want in &added.wants {
        ctx.note(&format!("warning: {}\nhint: {}", want.message, want.hint));
    }
    ctx.note(&format!(
        "next: cd {}/{} && gt bd create \"the first piece of work\"",
        town.root.display(),
        added.name
    ));
    Ok(Exit::Done)
}

/// Proposes a test command, and writes it down when the person takes it.
fn propose_test(ctx: &Ctx, root: &Path, added: &mut rig::Added) -> Result<()> {
    let Some(command) = rig::proposed_test(root) else { return Ok(()) };
    let name = &added.name;
    if ctx.ask(&format!("test the work of {name} with: {command}?"))? == Some(true) {
        rig::set_test(root, command)?;
        added.test_command = Some(command.into());
        return Ok(());
    }
    let command = quote(command);
    ctx.note(&format!(
        "no test command: what agents would merge in {name} waits for gt mq approve; to test it: gt config set merge.test_command {command} --rig {name}"
    ));
    Ok(())
}

fn show_plan(ctx: &Ctx, town: &Town, wanted: &NewRig) -> Result<Exit> {
    let target = rig::ask(town, wanted)?;
    let taken = rig::prefixes(town, &wanted.town_prefix, wanted.prefix.is_some())?;
    let made = crate::model::rules::prefix_for(&wanted.name, &taken);
    let prefix = wanted.prefix.as_ref().unwrap_or(&made);
    if ctx.global.json {
        let plan = serde_json::json!({ "name": wanted.name, "git_url": wanted.source.url, "prefix": prefix, "target": target });
        print_json("plan", &plan)?;
        return Ok(Exit::Done);
    }
    let root = town.root.join(&wanted.name);
    let (url, root) = (&wanted.source.url, root.display());
    print(&format!("would clone {url} into {root}, with beads {prefix}-…; work lands on {target}\n"))?;
    Ok(Exit::Done)
}

/// A rig as it is listed.
#[derive(Serialize)]
struct RigLine {
    name: String,
    git_url: String,
    prefix: String,
    target: Option<String>,
    path: std::path::PathBuf,
    polecats: usize,
    crew: usize,
    /// Agent settings that were seen in its repository and are not trusted.
    untrusted: Vec<String>,
}

/// Runs it.
///
/// # Errors
/// What the command could not do.
pub fn list(ctx: &Ctx) -> Result<Exit> {
    let town = ctx.town()?;
    let (mut lines, mut failures) = (Vec::new(), Failures::default());
    for name in town.rig_names()? {
        // One that cannot be read does not hide the others; the error comes after them.
        lines.extend(failures.keep(town.read_rig(&name).and_then(|rig| line(&town, rig))));
    }
    show(ctx, &lines, !failures.is_empty())?;
    super::of_rigs(failures)
}

fn show(ctx: &Ctx, lines: &[RigLine], more: bool) -> Result<()> {
    if ctx.global.json {
        return print_json("rigs", &lines);
    }
    if lines.is_empty() && !more {
        ctx.note("no rigs yet: add one with: gt rig add NAME URL");
    }
    let rows: Vec<[String; 4]> = lines
        .iter()
        .map(|line| {
            let trust = if line.untrusted.is_empty() { "" } else { ", agent settings not trusted" };
            let people = format!("{} polecats, {} crew{trust}", line.polecats, line.crew);
            [line.name.clone(), line.prefix.clone(), people, line.git_url.clone()]
        })
        .collect();
    terminal::print(columns(&rows))
}

fn line(town: &Town, rig: Rig) -> Result<RigLine> {
    let crew = match town.layout {
        FolderLayout::Present => {
            let names = files::names_in(&rig.root.join("crew"))?;
            names.iter().filter(|name| crate::model::address::is_member_name(name)).count()
        }
        FolderLayout::Workspace => 0,
    };
    let target = rig.config.merge.as_ref().and_then(|merge| merge.get("target"));
    let trust = crate::town::trust::read(&rig.root)?.unwrap_or_default();
    Ok(RigLine {
        untrusted: trust.open().into_iter().map(|setting| setting.path.clone()).collect(),
        target: target.and_then(|target| target.as_str()).map(str::to_string),
        polecats: crate::work::polecat::names::taken(&rig)?.len(),
        crew,
        git_url: rig.config.git_url.clone(),
        prefix: rig.config.beads.prefix.clone(),
        path: rig.root,
        name: rig.name,
    })
}

fn remove(ctx: &Ctx, name: &str, force: bool, dry_run: bool) -> Result<Exit> {
    let town = ctx.town()?;
    if town.rig_names()?.iter().any(|own| own == name) && !town.root.join(name).exists() {
        return forget(ctx, &town, name, force, dry_run);
    }
    let rig = town.rig(name)?;
    // Without git nobody can say what would be lost.
    versions::need_git()?;
    // Where sessions are is said by settings: broken ones are mended before anything goes.
    ctx.settings(&town, None)?;
    let mux = ctx.mux(&town)?;
    let sessions = mux.look()?;
    let losses = removal::losses(&town, &rig, &sessions)?;
    let lines = losses.lines();
    for line in cut(&texts(&lines)) {
        ctx.note(&line);
    }
    if !lines.is_empty() && !force {
        return Err(Failure::new(format!("cannot remove rig {name}: {}", counted(&lines)))
            .hint(format!(
                "{}; or move its folder to mayor/removed: gt rig remove {name} --force",
                hints(&lines, name)
            ))
            .into());
    }
    if dry_run {
        let plan = serde_json::json!({ "remove": rig.root, "lost": texts(&lines) });
        return super::would(ctx, &plan, &format!("remove {}", rig.root.display()));
    }
    let open: Vec<_> = removal::sessions_of(&town, &rig, &sessions).collect();
    survivors::stop(&town, mux.as_ref(), &open)?.iter().for_each(|note| ctx.note(note));
    let left = removal::remove(&town, &rig, force, !losses.files.is_empty())?;
    if ctx.global.json {
        let mut value = serde_json::to_value(&left)?;
        value["name"] = name.into();
        print_json("removed", &value)?;
        return Ok(Exit::Done);
    }
    print(&format!("removed the rig {name}\n"))?;
    if let Some(path) = left.beads {
        ctx.note(&format!("its beads are kept in {}", path.display()));
    }
    if let Some(path) = left.folder {
        ctx.note(&format!("its folder is kept as {}", path.display()));
    }
    Ok(Exit::Done)
}

/// A rig whose folder is gone: a disk that is not mounted looks the same, so it takes `--force`.
fn forget(ctx: &Ctx, town: &Town, name: &str, force: bool, dry_run: bool) -> Result<Exit> {
    if !force {
        return Err(Failure::new(format!(
            "the folder of rig {name} is gone: {}",
            town.root.join(name).display()
        ))
        .hint(format!("bring it back, or take it off the list with: gt rig remove {name} --force"))
        .into());
    }
    if dry_run {
        let plan = serde_json::json!({ "forget": name });
        return super::would(ctx, &plan, &format!("take the rig {name} off the list"));
    }
    removal::forget(town, name)?;
    if ctx.global.json {
        print_json("removed", &serde_json::json!({ "name": name, "beads": null }))?;
    } else {
        print(&format!("took the rig {name} off the list\n"))?;
    }
    Ok(Exit::Done)
}
