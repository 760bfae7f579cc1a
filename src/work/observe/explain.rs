//! How the state of one agent is known: `gt status --explain`. It looks as [`states`] does, and keeps what each source says.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;

use crate::config::Runtime;
use crate::model::address::Address;
use crate::mux::screen::{Patterns, Reading};
use crate::mux::{Mux, Session, Snapshot};
use crate::town::report::AgentReport;
use crate::town::{Town, occupancy};
use crate::work::observe::states;

/// What says the state of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StateSource {
    /// An event of a hook of its program.
    Hook,
    /// A pattern that fits the bottom of its screen.
    Screen,
    /// The mark of its session, which gt writes.
    Mark,
    /// What runs in its pane, or that it has no session.
    Tmux,
}

/// How the state of an agent is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StateExplanation {
    /// Whose.
    pub address: String,
    /// The state, as `gt status` has it.
    pub state: String,
    /// Since when: RFC 3339, UTC; empty when that is not known.
    pub since: String,
    /// What it asks, or what keeps it.
    pub why: String,
    /// What says so.
    pub source: StateSource,
    /// The event of the hook, the pattern of the screen, the session.
    pub said_by: String,
    /// All that was looked at.
    pub looked_at: Vec<StateEvidence>,
}

/// One source, and what it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StateEvidence {
    /// What was looked at.
    pub what: &'static str,
    /// What it says.
    pub says: String,
}

/// Explains the state of an agent. `snapshot` is a look at the town.
///
/// # Errors
/// As [`states::tell`].
pub fn explain(
    town: &Town,
    mux: &dyn Mux,
    agents: BTreeMap<String, Runtime>,
    mut snapshot: Snapshot,
    address: &Address,
) -> Result<StateExplanation> {
    let (mark, own) = (town.mark(), address.to_string());
    let Some(before) = snapshot.of(&mark, &own).cloned() else {
        let unseen = snapshot.unknown.or(snapshot.minimal);
        let state = if unseen.is_some() { "unknown" } else { "no session" };
        let says = unseen.clone().unwrap_or_else(|| format!("no session of {own}"));
        return Ok(StateExplanation {
            address: own,
            state: state.into(),
            since: String::new(),
            why: unseen.unwrap_or_default(),
            source: StateSource::Tmux,
            said_by: String::new(),
            looked_at: vec![StateEvidence { what: "session", says }],
        });
    };
    // No screen of another agent is needed.
    snapshot.sessions.retain(|session| session.id == before.id);
    let runtimes = agents.clone();
    states::tell(town, mux, || Ok(runtimes), &mut snapshot)?;
    let after = snapshot.sessions.first().unwrap_or(&before);
    let report = AgentReport::read(&occupancy::lock_of(town, address));
    let runtime = report.as_ref().and_then(|report| agents.get(&report.agent));
    let here = before.panes.first().filter(|_| before.alive() && before.remote.is_none());
    let reading = match (here, runtime.filter(|runtime| runtime.has_patterns())) {
        (Some(pane), Some(runtime)) => {
            let screen = mux.screens(&[&pane.id])?.into_iter().next().flatten();
            screen.map(|screen| Ok::<_, anyhow::Error>(Patterns::of(runtime)?.read(&screen))).transpose()?
        }
        _ => None,
    };
    let (source, said_by) = source(&before, after, report.as_ref(), reading);
    Ok(StateExplanation {
        state: after.words(),
        since: after.marks.since.clone(),
        why: after.why.clone(),
        source,
        said_by,
        looked_at: evidence(&before, report.as_ref(), reading, runtime.is_some()),
        address: own,
    })
}

/// What says the state, by what was seen before and after the states were told.
fn source(
    before: &Session,
    after: &Session,
    report: Option<&AgentReport>,
    reading: Option<Reading>,
) -> (StateSource, String) {
    if !before.alive() {
        return (StateSource::Tmux, before.name.clone());
    }
    let report = report.filter(|report| report.instance == before.marks.instance);
    let says = |report: &&AgentReport| !report.source.is_empty() && after.marks.state == report.state;
    if let Some(report) = report.filter(says).filter(|_| before.remote.is_none()) {
        return (StateSource::Hook, report.source.clone());
    }
    // The screen counts where the mark does not say it already.
    match reading.filter(|_| before.marks.state != after.marks.state) {
        Some(reading) if reading.state().is_some_and(|state| after.marks.state == state) => {
            (StateSource::Screen, reading.pattern().into())
        }
        _ => (StateSource::Mark, "@gt_state".into()),
    }
}

fn evidence(
    before: &Session,
    report: Option<&AgentReport>,
    reading: Option<Reading>,
    known: bool,
) -> Vec<StateEvidence> {
    let alive = if before.alive() { "its program runs".to_string() } else { before.words() };
    let place = before.remote.as_ref().map(|remote| format!(" on {remote}")).unwrap_or_default();
    let hooks = match report {
        None => "no report of its hooks".into(),
        Some(report) if report.instance != before.marks.instance => {
            "the report is of an earlier session".into()
        }
        Some(report) if report.source.is_empty() => "no event yet".into(),
        Some(report) => format!("{}: {} since {}", report.source, report.state.as_str(), report.since),
    };
    let screen = match reading {
        Some(Reading::Other) => "no pattern fits".into(),
        Some(reading) => format!("the pattern '{}' fits", reading.pattern()),
        None if !known => "not looked at: its runtime is not known".into(),
        None => "not looked at: it does not run here, or its runtime has no patterns".into(),
    };
    let marks = &before.marks;
    let mark = if marks.state.is_empty() {
        "nothing".into()
    } else {
        format!("{} since {}", marks.state, marks.since)
    };
    vec![
        StateEvidence { what: "session", says: format!("{}{place}: {alive}", before.name) },
        StateEvidence { what: "mark", says: mark },
        StateEvidence { what: "hooks", says: hooks },
        StateEvidence { what: "screen", says: screen },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::state::State;
    use crate::work::fixture::Fixture;

    #[test]
    fn the_source_that_counts_is_named() {
        let fixture = Fixture::new();
        let (_, session) = fixture.polecat("Nux");
        let address = Address::parse(&fixture.address("Nux")).unwrap();
        let runtime: Runtime = toml::from_str(
            "command = ['x']\nquestion = { pattern = 'Proceed' }\nbusy = { pattern = 'Busy' }",
        )
        .unwrap();
        let lock = occupancy::lock_of(&fixture.town, &address);
        let told = || {
            let agents = BTreeMap::from([("x".to_string(), runtime.clone())]);
            let look = fixture.mux.look().unwrap();
            explain(&fixture.town, &fixture.mux, agents, look, &address).unwrap()
        };
        let marked = |state: &str| {
            fixture.mux.change_seen(|seen| seen.sessions[0].marks.state = state.into());
        };
        let said = |told: StateExplanation| (told.state, told.source, told.said_by);
        let is = |state: &str, source, by: &str| (state.to_string(), source, by.to_string());

        // No hook: the mark of the start, then what the screen shows.
        assert_eq!(said(told()), is("working", StateSource::Mark, "@gt_state"));
        let instance = fixture.mux.look().unwrap().sessions[0].marks.instance.clone();
        std::fs::create_dir_all(lock.parent().unwrap()).unwrap();
        AgentReport::begin(&lock, &instance, "x").unwrap();
        marked("starting");
        assert_eq!(said(told()), is("starting", StateSource::Mark, "@gt_state"));
        fixture.mux.show("Busy");
        assert_eq!(said(told()), is("working", StateSource::Screen, "busy"));
        let screen = told().looked_at.pop().unwrap();
        assert_eq!((screen.what, screen.says.as_str()), ("screen", "the pattern 'busy' fits"));

        // A hook counts, but for a question that a person has answered since.
        let report = AgentReport::read(&lock).unwrap();
        let asks = AgentReport {
            state: State::Question,
            source: "PermissionRequest".into(),
            why: "Bash: make".into(),
            ..report.clone()
        };
        asks.write(&lock).unwrap();
        marked("question");
        assert_eq!(said(told()), is("working", StateSource::Screen, "busy"));
        fixture.mux.show("Proceed?");
        assert_eq!(said(told()), is("question", StateSource::Hook, "PermissionRequest"));
        assert_eq!(told().why, "Bash: make");

        fixture.mux.end(&session);
        assert_eq!(told().source, StateSource::Tmux);
        fixture.mux.hide("no answer");
        assert_eq!((told().state.as_str(), told().why.as_str()), ("unknown", "no answer"));
    }
}
