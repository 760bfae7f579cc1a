//! `gt feed`: what happened in the town.

use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::{Ctx, print_json};
use crate::base::failure::{Exit, Failure};
use crate::base::{files, terminal, time};
use crate::cli::daemon::Feed;
use crate::report;
use crate::town::events::{self, TownEvent};

/// How often it is looked for more.
const TICK: Duration = Duration::from_millis(300);

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
        follow(&town.root, |event| if wanted(event) { say(event) } else { Ok(()) })?;
    }
    Ok(Exit::Done)
}

/// Says what comes, until nobody hears it.
fn follow(root: &Path, mut say: impl FnMut(&TownEvent) -> Result<()>) -> Result<()> {
    let path = || events::files_of(root).pop();
    let length = |path: &Path| std::fs::metadata(path).map(|file| file.len()).unwrap_or(0);
    let mut at = path().map_or(0, |path| length(&path));
    while !terminal::is_abandoned() {
        std::thread::sleep(TICK);
        let Some(path) = path() else { continue };
        // A file that was put aside begins anew.
        at = if length(&path) < at { 0 } else { at };
        let mut file = files::open(&path)?;
        file.seek(SeekFrom::Start(at))?;
        let (mut reader, mut line) = (BufReader::new(file), String::new());
        while reader.read_line(&mut line)? > 0 && line.ends_with('\n') {
            at += u64::try_from(line.len())?;
            events::parse(&line).iter().try_for_each(&mut say)?;
            line.clear();
        }
    }
    Ok(())
}
