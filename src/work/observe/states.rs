//! What the agents of a town do: as their own hooks said, and where those say nothing, as their screens show.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::config::Runtime;
use crate::model::address::Address;
use crate::model::state::State;
use crate::mux::screen::{Patterns, Question, Reading};
use crate::mux::{Mux, Snapshot};
use crate::town::report::AgentReport;
use crate::town::{Town, occupancy};
use crate::work::talk::answer;

/// Puts into a look what each agent that runs here does, and why. Who works or waits for its next prompt is known by its mark: what
/// its hooks wrote down is read of the others. All screens that are needed are read in one call: of agents whose hooks said
/// nothing yet, and of those that ask something, which a person may have answered. `agents` gives the runtimes, when they are needed.
///
/// # Errors
/// As `agents`; a pattern that is no regular expression; screens that cannot be read.
pub fn tell(
    town: &Town,
    mux: &dyn Mux,
    agents: impl FnOnce() -> Result<BTreeMap<String, Runtime>>,
    snapshot: &mut Snapshot,
) -> Result<()> {
    let mark = town.mark();
    let mut unclear: Vec<(usize, String, String, bool)> = Vec::new();
    for (number, session) in snapshot.sessions.iter_mut().enumerate() {
        let known =
            [State::Working, State::Idle, State::Ends].iter().any(|state| session.marks.state == *state);
        // What kept an agent that ended since keeps its runtime.
        let tells = session.alive() || session.marks.state == State::Limited;
        if known || !tells || session.marks.town != mark || session.remote.is_some() {
            continue;
        }
        let Ok(address) = Address::parse(&session.marks.address) else { continue };
        let own = AgentReport::read(&occupancy::lock_of(town, &address));
        let Some(report) = own.filter(|report| report.instance == session.marks.instance) else { continue };
        let hookless = report.source.is_empty();
        if !hookless {
            session.marks.state = report.state.as_str().into();
            session.marks.since = report.since;
            session.why = report.why;
            session.runtime.clone_from(&report.agent);
        }
        let pane = session.panes.first().filter(|pane| !pane.dead).map(|pane| pane.id.clone());
        if hookless || report.state == State::Question {
            unclear.extend(pane.map(|pane| (number, pane, report.agent, hookless)));
        }
    }
    let agents = if unclear.is_empty() { BTreeMap::new() } else { agents()? };
    unclear.retain(|(_, _, name, _)| agents.get(name).is_some_and(Runtime::has_patterns));
    let panes: Vec<&str> = unclear.iter().map(|(_, pane, ..)| pane.as_str()).collect();
    let mut patterns: BTreeMap<&str, Patterns> = BTreeMap::new();
    for ((number, _, name, hookless), screen) in unclear.iter().zip(mux.screens(&panes)?) {
        let session = &mut snapshot.sessions[*number];
        let Some(screen) = screen else { continue };
        if !patterns.contains_key(name.as_str()) {
            patterns.insert(name, Patterns::of(&agents[name])?);
        }
        let reading = patterns[name.as_str()].read(&screen);
        // Its prompt is there before its hooks are: it has not begun.
        if reading == Reading::Ready && *hookless && agents[name].has_hooks() {
            continue;
        }
        let Some(state) = reading.state() else { continue };
        let asked = (state == State::Question).then(|| Question::read(&screen));
        session.answer = asked.as_ref().map(|asked| answer::how(&session.marks, asked)).unwrap_or_default();
        if session.marks.state != state || session.why.is_empty() {
            session.why = asked.map(|asked| asked.text).unwrap_or_default();
        }
        session.marks.state = state.as_str().into();
    }
    Ok(())
}
