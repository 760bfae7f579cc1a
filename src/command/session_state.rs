//! `gt session-state`: what an agent's own hooks say of it.

use anyhow::Result;

use super::Ctx;
use crate::base::failure::Exit;
use crate::base::time;
use crate::cli::sessions::{AgentState, SessionState};
use crate::config;

/// Marks the session this runs in, when it is one of this town's agents and says something new. Outside of one there
/// is nothing to say it of, and no reason to disturb who works there.
///
/// # Errors
/// Outside a town, or when the sessions cannot be asked.
pub fn run(ctx: &Ctx, args: SessionState) -> Result<Exit> {
    let Some(instance) = ctx.me()?.instance else { return Ok(Exit::Done) };
    let town = ctx.town()?;
    let mux = ctx.mux(&config::settings(&ctx.sources(&town, None))?)?;
    let snapshot = mux.look_here()?;
    let state = match args.state {
        AgentState::Working => "working",
        AgentState::Waiting => "waiting",
    };
    let own = snapshot.ours(&town.mark()).find(|session| session.marks.instance == instance);
    // An agent that asked for its end goes on waiting for that, whatever else it says.
    if let Some(session) = own
        && ["starting", "working", "waiting"].contains(&session.marks.state.as_str())
        && session.marks.state != state
    {
        mux.mark(&session.id, state, &time::now())?;
    }
    Ok(Exit::Done)
}
