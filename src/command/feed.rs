//! `gt feed`: what happened in the town.

use std::path::PathBuf;

use anyhow::Result;

use super::{Ctx, print_json};
use crate::base::failure::{Exit, Failure};
use crate::base::{follow, terminal, time};
use crate::cli::daemon::Feed;
use crate::report;
use crate::town::events::{self, TownEvent};

/// How many are shown when no time is given.
const LAST: usize = 50;

/// Shows it.
///
/// # Errors
/// A time that is none, an unknown rig.
pub fn run(ctx: &Ctx, args: &Feed) -> Result<Exit> {
    let town = ctx.town()?;
    let rig = args.rig.as_deref().map(|rig| ctx.rig(&town, Some(rig))).transpose()?.map(|rig| rig.name);
    let wanted = |event: &TownEvent| rig.as_ref().is_none_or(|rig| event.rig == *rig);
    let mut found: Vec<TownEvent> = events::read(&town.root).into_iter().filter(wanted).collect();
    match &args.since {
        Some(text) => {
            let since = time::before(text, &time::now()).ok_or_else(|| {
                Failure::usage(format!("'{text}' is no time that is over"))
                    .hint("say how long ago, as 30m or 8h, or a time as 2026-01-31T08:00Z")
            })?;
            found.retain(|event| time::seconds_between(&since, &event.time).is_some_and(|after| after >= 0));
        }
        None => drop(found.drain(..found.len().saturating_sub(LAST))),
    }
    if ctx.global.json && !args.follow {
        print_json("events", &found)?;
        return Ok(Exit::Done);
    }
    if found.is_empty() && !args.follow {
        ctx.note("nothing happened yet, or not since then");
    }
    let say = |event: &TownEvent| match ctx.global.json {
        true => print_json("events", &[event]),
        false => terminal::print(report::events::line(event)),
    };
    found.iter().try_for_each(say)?;
    if args.follow {
        let path = || events::files_of(&town.root).pop();
        let length = |path: PathBuf| std::fs::metadata(path).map(|file| file.len()).ok();
        follow::lines(path, path().and_then(length).unwrap_or(0), |line| {
            events::parse(line).iter().filter(|event| wanted(event)).try_for_each(say)
        })?;
    }
    Ok(Exit::Done)
}
