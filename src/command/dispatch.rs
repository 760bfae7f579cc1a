//! `gt dispatch`: the first half of the queue, once.

use anyhow::Result;
use clap::Parser;

use super::{Ctx, polecats, sling};
use crate::base::failure::{Exit, Failures};
use crate::cli::work::{Dispatch, SlingHow};
use crate::cli::{Cli, Command};
use crate::town::{Rig, Town};
use crate::work::observe::view::ToStart;
use crate::work::polecat::sling::Outcome;

/// Starts what waits for a place, in each rig as far as there are places.
///
/// # Errors
/// What could not be started; the rest is started all the same.
pub fn run(ctx: &Ctx, args: &Dispatch) -> Result<Exit> {
    let town = ctx.town()?;
    let mut failures = Failures::default();
    let rigs = ctx.rigs(&town, args.rig.as_deref(), &mut failures)?;
    let (mut outcome, mut names) = (Outcome::default(), Vec::new());
    for rig in rigs {
        names.push(rig.name.clone());
        if let Err(error) = dispatch(ctx, &town, &rig, args.dry.dry_run, &mut outcome) {
            failures.keep::<()>(Err(error.context(rig.name)));
        }
    }
    if outcome.slung.is_empty() && outcome.waiting.is_empty() && outcome.failed.is_empty() {
        ctx.note("nothing waits to be started");
    }
    let rig = if names.len() == 1 { names.remove(0) } else { String::new() };
    let exit = if args.dry.dry_run {
        sling::would_start(ctx, outcome)
    } else {
        // That some wait on is what they did before.
        sling::report(ctx, rig.trim(), outcome)
            .map(|exit| if exit == Exit::Queued { Exit::Done } else { exit })
    };
    failures.keep(exit.map(drop));
    super::of_rigs(failures)
}

/// Starts what waits in one rig: the first in line first, those that were ordered alike together.
fn dispatch(ctx: &Ctx, town: &Town, rig: &Rig, dry_run: bool, outcome: &mut Outcome) -> Result<()> {
    let view = polecats::survey(ctx, Some(&rig.name))?.0;
    if let Some(why) = &view.store.unreadable {
        crate::fail!("the store cannot be read: {why}"; "look with: gt doctor {}", rig.name);
    }
    let startable: Vec<&ToStart> = view.to_start.iter().filter(|one| one.startable()).collect();
    for alike in startable.chunk_by(|one, next| one.flags == next.flags) {
        let mut how = how(&alike[0].flags)?;
        how.dry.dry_run = dry_run;
        let beads = alike.iter().map(|one| one.bead.clone().into()).collect();
        let one = sling::start_waiting(ctx, town, rig, beads, &how)?;
        let full = !one.waiting.is_empty();
        outcome.slung.extend(one.slung);
        outcome.failed.extend(one.failed);
        outcome.waiting.extend(one.waiting);
        if full {
            break;
        }
    }
    Ok(())
}

/// The flags of an entry, read as they were typed.
fn how(flags: &[String]) -> Result<SlingHow> {
    let words = ["gt", "sling", "BEAD", "RIG"].into_iter().chain(flags.iter().map(String::as_str));
    match Cli::try_parse_from(words).map(|cli| cli.command) {
        Ok(Some(Command::Sling(args))) => Ok(args.how),
        // An earlier version may have had others.
        _ => {
            crate::fail!("gt sling does not take: {}", flags.join(" "); "take it out with: gt unsling BEAD, and sling it again")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read_as_they_were_written() {
        for line in [
            "",
            "--resume --force --local --agent=shell --permissions=all --preset=a --preset=b",
            "--remote=box --fallback=local",
            "--fugue-addr=tcp://h:1 --fallback=wait",
            "--tag=gpu --tag=big --fallback=fail",
        ] {
            let flags: Vec<String> = line.split_whitespace().map(Into::into).collect();
            assert_eq!(how(&flags).unwrap().flags(), flags);
        }
        assert!(how(&["--none".into()]).is_err());
    }
}
