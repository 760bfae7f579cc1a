//! `gt status`: the whole town on one screen.

use std::time::Duration;

use anyhow::Result;

use super::Ctx;
use crate::base::failure::Exit;
use crate::base::{terminal, time};
use crate::cli::town::StatusArgs;
use crate::config::Sources;
use crate::mux::{Depth, Looking, Mux};
use crate::town::Town;
use crate::work::observe::view::TownReport;

/// How long `--watch` waits between two looks.
const TICK: Duration = Duration::from_secs(1);

/// Runs it.
///
/// # Errors
/// What the command could not do.
pub fn run(ctx: &Ctx, args: StatusArgs) -> Result<Exit> {
    let town = ctx.town()?;
    let rig = args.rig.as_deref().map(|rig| ctx.rig(&town, Some(rig))).transpose()?.map(|rig| rig.name);
    if args.watch {
        return watch(ctx, &town, rig.as_deref());
    }
    let report = survey(ctx, &town, rig.as_deref())?;
    if ctx.global.json {
        super::print_json("town", &report)?;
    } else {
        terminal::print(report.text(&ctx.screen(), &time::now()))?;
    }
    Ok(Exit::Done)
}

fn survey(ctx: &Ctx, town: &Town, rig: Option<&str>) -> Result<TownReport> {
    let (sources, mux, looking) = begin_look(ctx, town)?;
    crate::work::observe::survey::town(town, &sources, &ctx.me()?.address, mux.as_ref(), looking, rig)
}

/// Starts the look at tmux first: settings, presets and stores are read while it is under way. Gives where settings
/// come from, what keeps sessions, and the look.
///
/// # Errors
/// Broken configuration, or tmux that cannot be started.
pub fn begin_look(ctx: &Ctx, town: &Town) -> Result<(Sources, Box<dyn Mux>, Looking)> {
    let (sources, mux) = ctx.sessions(town)?;
    let looking = mux.begin_look(Depth::Marks)?;
    Ok((sources, mux, looking))
}

/// Shows it again whenever it changes, until Ctrl-C or `q`, or until nothing reads it any more.
fn watch(ctx: &Ctx, town: &Town, rig: Option<&str>) -> Result<Exit> {
    let terminal = terminal::can_ask() && !ctx.global.json;
    let screen = if terminal { Some(crate::report::live::LiveScreen::open()?) } else { None };
    let mut shown = None;
    loop {
        let report = survey(ctx, town, rig)?;
        match &screen {
            Some(live) => live.show(&report.text(&ctx.screen(), &time::now()))?,
            None if shown.as_ref() == Some(&report) => {}
            None if ctx.global.json => super::print_json("town", &report)?,
            None => terminal::print(report.text(&ctx.screen(), &time::now()).then("\n"))?,
        }
        shown = Some(report);
        match &screen {
            Some(live) if live.asked_to_end(TICK)? => return Ok(Exit::Done),
            Some(_) => {}
            None => std::thread::sleep(TICK),
        }
        if terminal::is_abandoned() {
            return Ok(Exit::Done);
        }
    }
}
