//! `gt status`: the whole town on one screen.

use std::time::Duration;

use anyhow::Result;

use super::Ctx;
use super::roles::Sight;
use crate::base::failure::Exit;
use crate::base::{terminal, time};
use crate::cli::town::StatusArgs;
use crate::config::Runtime;
use crate::plan::first_start;
use crate::town::report::AgentReport;
use crate::town::{Town, occupancy};
use crate::work::observe::changes::{changes, look_alike};
use crate::work::observe::explain::{self, StateEvidence};
use crate::work::observe::look::Beside;
use crate::work::observe::view::TownView;
use crate::work::setup::doctor::agents;

/// How long `--watch` waits between two looks.
const TICK: Duration = Duration::from_secs(1);

/// Runs it.
///
/// # Errors
/// What the command could not do.
pub fn run(ctx: &Ctx, args: StatusArgs) -> Result<Exit> {
    if let Some(address) = &args.explain {
        return explain(ctx, address);
    }
    let town = ctx.town()?;
    let rig = args.rig.as_deref().map(|rig| ctx.rig(&town, Some(rig))).transpose()?.map(|rig| rig.name);
    if args.watch {
        return watch(ctx, &town, rig.as_deref());
    }
    let report = look(ctx, &town, rig.as_deref())?;
    if ctx.global.json {
        super::print_json("town", &report)?;
    } else {
        terminal::print(report.text(&ctx.screen(), &time::now()))?;
    }
    Ok(Exit::Done)
}

/// The town as it is now.
///
/// # Errors
/// Broken configuration.
pub fn look(ctx: &Ctx, town: &Town, rig: Option<&str>) -> Result<TownView> {
    // Settings, presets and stores are read while the look is under way.
    let mux = ctx.mux(town)?;
    ctx.look(town, mux.as_ref())?.town(Beside::Mail, rig)
}

/// How the state of one agent is known.
fn explain(ctx: &Ctx, address: &str) -> Result<Exit> {
    let Sight { town, mux, snapshot } = Sight::take(ctx)?;
    let address = ctx.agent(&town, address)?;
    let agents = ctx.settings(&town, None)?.agents;
    let version = AgentReport::read(&occupancy::lock_of(&town, &address))
        .and_then(|report| other_version(agents.get(&report.agent)?));
    let mut told = explain::explain(&town, mux.as_ref(), agents, snapshot, &address)?;
    told.looked_at.extend(version.map(|says| StateEvidence { what: "program", says }));
    if ctx.global.json {
        super::print_json("explanation", &told)?;
    } else {
        super::print(&crate::report::agent::explanation(&told))?;
    }
    Ok(Exit::Done)
}

/// What is said of a program whose version gt was not checked with.
fn other_version(runtime: &Runtime) -> Option<String> {
    let program = runtime.command.first().filter(|_| !runtime.checked.is_empty())?;
    let own = agents::version(agents::ask_version(&which::which(program).ok()?)?)?;
    first_start::version_note(program, &own, &runtime.checked)
}

/// Shows it again whenever it changes, until Ctrl-C or `q`, or until nothing reads it any more.
fn watch(ctx: &Ctx, town: &Town, rig: Option<&str>) -> Result<Exit> {
    let terminal = terminal::can_ask() && !ctx.global.json;
    let screen = if terminal { Some(crate::report::live::LiveScreen::open()?) } else { None };
    let (mut shown, mut last): (Option<TownView>, _) = (None, Vec::new());
    loop {
        let report = look(&ctx.again(), town, rig)?;
        let new = shown.as_ref().map(|shown| changes(shown, &report)).unwrap_or_default();
        if !new.is_empty() {
            last = new;
        }
        let text = || report.watched(&last, &ctx.screen(), &time::now());
        match &screen {
            Some(live) => live.show(&text())?,
            None if shown.as_ref().is_some_and(|shown| look_alike(shown, &report)) => {}
            None if ctx.global.json => super::print_json("town", &report)?,
            None => terminal::print(text().then("\n"))?,
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
