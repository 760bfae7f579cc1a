//! What the agents of a town do: as their own hooks said, and where those say nothing, as their screens show.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::config::Runtime;
use crate::model::address::Address;
use crate::model::state::State;
use crate::mux::screen::{Patterns, Reading, question};
use crate::mux::{Mux, Snapshot};
use crate::town::report::AgentReport;
use crate::town::{Town, occupancy};

/// Puts into a look what each agent that runs here does, with why and who says so. All screens that are needed are read in one
/// call: of agents whose hooks said nothing yet, and of those that ask something, which a person may have answered.
///
/// # Errors
/// A pattern that is no regular expression; screens that cannot be read.
pub fn tell(
    town: &Town,
    mux: &dyn Mux,
    agents: &BTreeMap<String, Runtime>,
    snapshot: &mut Snapshot,
) -> Result<()> {
    let mark = town.mark();
    let mut unclear: Vec<(usize, String, &Runtime)> = Vec::new();
    for (number, session) in snapshot.sessions.iter_mut().enumerate() {
        let lock = Address::parse(&session.marks.address).map(|address| occupancy::lock_of(town, &address));
        let (true, Ok(lock), None) = (session.alive() && session.marks.town == mark, lock, &session.remote)
        else {
            continue;
        };
        let own = AgentReport::read(&lock).filter(|report| report.instance == session.marks.instance);
        let Some(report) = own.filter(|_| session.marks.state != "pending_shutdown") else { continue };
        let hookless = report.source.is_empty();
        if !hookless {
            session.marks.state = report.state.as_str().into();
            session.marks.since = report.since;
            session.why = report.why;
            session.source = format!("hook {}", report.source);
        }
        let pane = session.panes.first().map(|pane| pane.id.clone());
        if let (Some(runtime), Some(pane)) = (agents.get(&report.agent), pane)
            && runtime.has_patterns()
            && (hookless || report.state == State::Question)
        {
            unclear.push((number, pane, runtime));
        }
    }
    let panes: Vec<&str> = unclear.iter().map(|(_, pane, _)| pane.as_str()).collect();
    for ((number, _, runtime), screen) in unclear.iter().zip(mux.screens(&panes)?) {
        let session = &mut snapshot.sessions[*number];
        let Some(screen) = screen else { continue };
        let state = match Patterns::of(runtime)?.read(&screen) {
            Reading::Question => State::Question,
            Reading::Offline => State::Offline,
            Reading::Busy => State::Working,
            // Its prompt is there before its hooks are: it has not begun.
            Reading::Ready if session.source.is_empty() && runtime.has_hooks() => continue,
            Reading::Ready => State::Idle,
            Reading::Other => continue,
        };
        if session.marks.state != state.as_str() || session.source.is_empty() {
            session.source = "screen".into();
            session.why = if state == State::Question { question(&screen) } else { String::new() };
        }
        session.marks.state = state.as_str().into();
    }
    Ok(())
}
