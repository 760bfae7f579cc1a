//! `gt apply` and `gt up`: what runs becomes what is asked for.

use anyhow::Result;
use serde_json::json;

use super::plan::{self, PlanView};
use super::{Ctx, daemon, doctor_agents, print, print_json};
use crate::base::failure::Exit;
use crate::cli::roles::Apply;
use crate::config::{self, inert};
use crate::model::address::Address;
use crate::mux::deliver::Delivery;
use crate::plan::diff::PlanLine;
use crate::report;
use crate::report::plan::who;
use crate::town::wish;
use crate::work::agent::roles::{self, Begun};
use crate::work::agent::up::{self, Applied};
use crate::work::step;

/// Runs it; `up` takes back a `gt down` of the whole town first.
///
/// # Errors
/// What keeps it from knowing what should run, or what does. What one session could not be brought to is said, and the
/// others go on: exit 1 then.
pub fn run(ctx: &Ctx, args: &Apply, up: bool) -> Result<Exit> {
    let town = ctx.town()?;
    let named = plan::named(ctx, &town, &args.addresses)?;
    if args.dry.dry_run {
        let mut view = PlanView::take(ctx, town, &named, &args.preset)?;
        let mut down = wish::read(&view.town)?;
        plan::lift(&mut down, &named, up);
        let plan = view.plan(&down, args.restart)?;
        return plan::show(ctx, &view, &down, &plan);
    }
    // Of two that run at once, the second finds what the first has done.
    let lock = town.lock()?;
    let mut view = PlanView::take(ctx, town, &named, &args.preset)?;
    let down = wish::update(&view.town, |down| plan::lift(down, &named, up))?;
    step("apply.1");
    let plan = view.plan(&down, args.restart)?;
    let mut failed = plan::failures(ctx, &view);
    let mut done = Vec::new();
    let note = |line: &str| ctx.note(line);
    let outcomes =
        up::carry_out(&view.town, view.mux.as_ref(), &view.snapshot, &view.wishes, &plan.lines, &note);
    for (line, outcome) in plan.lines.iter().zip(outcomes) {
        match outcome {
            Ok(outcome) => done.push((line, outcome)),
            Err(error) => {
                failed = true;
                plan::complain(ctx, &line.address, &error);
            }
        }
    }
    drop(lock);
    let sources = ctx.sources(&view.town, None);
    if up
        && args.addresses.is_empty()
        && let Err(error) = daemon::also_start(ctx, &view.town, &config::settings(&sources)?.up)
    {
        failed = true;
        plan::complain(ctx, "deacon/", &error);
    }
    let inert = inert::of(&sources).unwrap_or_default();
    inert.iter().for_each(|one| ctx.note(&format!("warning: {}", one.said)));
    say(ctx, &done)?;
    for (_, outcome) in &done {
        if let Applied::Started(Begun::Started(started)) | Applied::Restarted(Begun::Started(started)) =
            outcome
        {
            started.notes.iter().for_each(|note| ctx.note(note));
        }
    }
    for line in plan.lines.iter().filter(|_| !ctx.global.json) {
        if let Some(held) = report::plan::held(line) {
            ctx.note(&format!("{}: {held}", line.address));
        }
    }
    plan::around(ctx, &view, &down, &plan, failed);
    failed |= !prompt(ctx, &view, &done);
    if up && done.iter().any(|(_, done)| matches!(done, Applied::Started(_))) {
        let started: Vec<_> =
            done.iter().filter_map(|(line, _)| Address::parse(&line.address).ok()).collect();
        doctor_agents::point_for(ctx, &view.town, &started);
    }
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

/// Tells what was done.
fn say(ctx: &Ctx, done: &[(&PlanLine, Applied)]) -> Result<()> {
    if ctx.global.json {
        let records: Vec<_> =
            done.iter().map(|(line, done)| json!({ "line": line, "done": word(done) })).collect();
        return print_json("applied", &records);
    }
    for (line, outcome) in done {
        print(&said(line, outcome))?;
    }
    Ok(())
}

fn word(done: &Applied) -> &'static str {
    match done {
        Applied::Started(Begun::Ran(_)) => "ran",
        Applied::Started(begun) | Applied::Restarted(begun) if begun.minimal().is_some() => "by_hand",
        Applied::Started(_) => "started",
        Applied::Restarted(_) => "restarted",
        Applied::Changed => "changed",
        Applied::Stopped => "stopped",
        Applied::Nothing => "nothing",
    }
}

fn said(line: &PlanLine, done: &Applied) -> String {
    let address = who(line);
    match done {
        Applied::Started(Begun::Started(started)) | Applied::Restarted(Begun::Started(started)) => {
            match &started.by_hand {
                Some(by_hand) => format!("{}\n", by_hand.command),
                None => {
                    let verb = if matches!(done, Applied::Started(_)) { "started" } else { "restarted" };
                    format!("{verb} {address} in session {}\n", started.name)
                }
            }
        }
        Applied::Started(Begun::Ran(name)) | Applied::Restarted(Begun::Ran(name)) => {
            format!("{address} runs already in session {name}\n")
        }
        Applied::Changed => format!("changed {address} (session {})\n", line.session),
        Applied::Stopped => format!("stopped {address} (session {})\n", line.session),
        Applied::Nothing => String::new(),
    }
}

/// Tells those that were started to begin, when their runtime takes its first prompt by paste; whether that failed for none.
fn prompt(ctx: &Ctx, view: &PlanView, done: &[(&PlanLine, Applied)]) -> bool {
    let mut all = true;
    for (line, outcome) in done {
        let (Applied::Started(Begun::Started(started)) | Applied::Restarted(Begun::Started(started))) =
            outcome
        else {
            continue;
        };
        let Some(prepared) = view.wishes.prepared(&line.address) else { continue };
        match roles::prompt(view.mux.as_ref(), started, prepared) {
            Ok(Delivery::Delivered) => continue,
            Ok(_) => {}
            Err(error) => {
                plan::complain(ctx, &line.address, &error);
                all = false;
            }
        }
        ctx.note(&format!("{} was not told to begin; tell it: run `gt prime`", line.address));
    }
    all
}
