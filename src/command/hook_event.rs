//! `gt hook-event`: what an agent's own hooks say of it.

use std::io::Read;

use anyhow::Result;

use super::Ctx;
use crate::base::failure::Exit;
use crate::base::time;
use crate::model::address::Address;
use crate::mux::Mux;
use crate::mux::tmux::TmuxMux;
use crate::town::Town;
use crate::town::occupancy;
use crate::town::report::AgentReport;
use crate::work::agent::event::Event;

/// The most that is read of an event: tools may have said anything.
const LONGEST: u64 = 8 << 20;

/// What a hook gives on standard input, read to its end: a program may wait until its event is taken.
///
/// # Errors
/// When it is not text, or cannot be read.
pub fn payload() -> std::io::Result<String> {
    let mut payload = String::new();
    std::io::stdin().take(LONGEST).read_to_string(&mut payload)?;
    Ok(payload)
}

/// Takes the event on standard input, when it comes from the session that runs here for one of a town's agents. Everywhere else
/// there is nothing to say it of, and nothing is said: hooks of a person's own sessions call this too.
///
/// # Errors
/// When it cannot be written down.
pub fn run(ctx: &Ctx) -> Result<Exit> {
    let payload = payload();
    let (Some(root), Some(address), Some(instance)) =
        (ctx.var("GT_TOWN_ROOT"), ctx.var("GT_ADDRESS"), ctx.var("GT_INSTANCE"))
    else {
        return Ok(Exit::Done);
    };
    let (Ok(payload), Ok(address)) = (payload, Address::parse(address)) else { return Ok(Exit::Done) };
    let Ok(town) = Town::find(&ctx.dir, Some(root.as_ref())) else { return Ok(Exit::Done) };
    let lock = occupancy::lock_of(&town, &address);
    let own = AgentReport::read(&lock).filter(|report| report.instance == instance);
    let (Some(before), Some(event)) = (own, Event::read(&payload)) else { return Ok(Exit::Done) };
    let mut after = before.clone();
    if !event.conversation.is_empty() {
        after.conversation = event.conversation;
    }
    if let Some(state) = event.state {
        let since = if state == before.state { before.since.clone() } else { time::now() };
        (after.state, after.why, after.source, after.since) = (state, event.why, event.name, since);
        after.command = event.command;
    }
    // The mark first: a look believes it where it says that the agent works or waits.
    if after.state != before.state
        && let Some((tmux, session)) = ctx.var("TMUX").and_then(TmuxMux::of_pane)
    {
        // A session that asked for its end, or is gone, keeps what it says.
        let _ = tmux.mark(&session, after.state.as_str(), &after.since);
    }
    if after != before {
        after.write(&lock)?;
    }
    Ok(Exit::Done)
}
