//! `gt done`.

use anyhow::Result;

use super::{Ctx, print, print_json};
use crate::base::failure::Exit;
use crate::base::grammar::count;
use crate::base::grammar::short;
use crate::cli::work::DoneArgs;
use crate::config;
use crate::work::merge::done::{DoneReport, FinishedWork, done, plan};
use crate::work::observe::own;
use crate::work::remote::over_there::RemotePolecat;

/// Hands finished work to the merge queue.
///
/// # Errors
/// What stands in the way, and nothing is changed.
pub fn run(ctx: &Ctx, args: DoneArgs) -> Result<Exit> {
    let away = RemotePolecat::of(|name| ctx.var(name));
    let answer = match &away {
        Some(away) if args.dry.dry_run => away.plan(&ctx.dir, args.no_changes.is_some())?,
        Some(away) => away.hand_in(&ctx.dir, args.no_changes.as_deref())?,
        None => hand_over(ctx, args.no_changes.as_deref(), args.exit, args.dry.dry_run)?,
    };
    if ctx.global.json {
        print_json("done", &answer)?;
        return Ok(Exit::Done);
    }
    let would = if args.dry.dry_run { "would be " } else { "" };
    let commit = short(&answer.commit);
    if away.is_some() {
        print(&format!("{}  {would}handed in: {} at {commit}\n", answer.bead, answer.branch))?;
        ctx.note("the town takes it from origin, and ends this session then");
        return Ok(Exit::Done);
    }
    match answer.state {
        "submitted" => print(&format!(
            "{}  {would}submitted: {} of {} at {commit}{}\n",
            answer.bead,
            count(answer.commits, "commit"),
            answer.branch,
            if answer.request.is_empty() { String::new() } else { format!(", request {}", answer.request) }
        ))?,
        "closed" => print(&format!("{}  {would}closed without changes\n", answer.bead))?,
        _ => print(&format!("{}  is merged already\n", answer.bead))?,
    }
    if let Some(why) = &answer.kept_here {
        ctx.note(&format!("not pushed ({why}): the refinery takes the branch from the rig's own clone"));
    }
    Ok(Exit::Done)
}

/// Does it: also for the `shell` runtime, which ends with this.
///
/// # Errors
/// As [`run`].
pub fn hand_over(ctx: &Ctx, no_changes: Option<&str>, exit: bool, dry: bool) -> Result<DoneReport> {
    let town = ctx.town()?;
    let me = ctx.me()?;
    let home = own::home(&town, &ctx.dir, &me)?;
    let settings = ctx.settings(&town, Some(&home.rig))?;
    let mux = ctx.mux(&town)?;
    let secret = town.secret()?;
    let work = FinishedWork {
        town: &town,
        home: &home,
        target: &config::target(&settings),
        push_submodules: settings.worktree.push_submodules,
        mux: mux.as_ref(),
        store: home.rig.store(&home.address)?,
        secret,
    };
    if dry {
        return plan(&work, no_changes);
    }
    let answer = done(&work, no_changes)?;
    if exit {
        crate::work::agent::end_later(&town, &home.address, &home.instance)?;
        crate::work::step("done.6");
    }
    Ok(answer)
}
