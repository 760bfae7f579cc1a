//! A multiplexer in memory, for tests: it answers from the sessions that a test puts into it, records every call, and
//! fails where the test says so.
//!
//! A call is one line: its name, then what it is about (`stop $1 $2`, `start wyvern/Nux`, `mark $1 state=ended`).

use std::cell::RefCell;
use std::ops::Deref;

use anyhow::Result;

use super::{Depth, LiveChange, Looking, Marks, Mux, Pane, Session, Snapshot, Spec, Started};
use crate::base::recorder::Recorder;
use crate::base::time;

/// The multiplexer of a test.
#[derive(Debug, Default)]
pub struct FakeMux {
    recorder: Recorder,
    state: RefCell<FakeState>,
}

#[derive(Debug, Default)]
struct FakeState {
    seen: Snapshot,
    made: usize,
    screen: String,
}

impl Deref for FakeMux {
    type Target = Recorder;

    fn deref(&self) -> &Recorder {
        &self.recorder
    }
}

impl FakeMux {
    /// Adds a session whose agent runs; gives its id.
    pub fn add(&self, marks: Marks) -> String {
        let name = marks.address.replace('/', "-");
        self.put(name, marks).id
    }

    fn put(&self, name: String, marks: Marks) -> Session {
        let mut state = self.state.borrow_mut();
        state.made += 1;
        let number = state.made;
        let now = time::seconds_since_epoch(&time::now()).unwrap_or_default();
        let pane =
            Pane { id: format!("%{number}"), pid: i32::MAX - number as i32, agent: true, ..Pane::default() };
        let session = Session {
            id: format!("${number}"),
            name,
            marks,
            created: now,
            activity: now,
            panes: vec![pane],
            ..Session::default()
        };
        state.seen.sessions.push(session.clone());
        session
    }

    /// Changes what is seen from now on: a session's agent ends, tmux cannot be asked.
    pub fn change_seen(&self, change: impl FnOnce(&mut Snapshot)) {
        change(&mut self.state.borrow_mut().seen);
    }

    /// The agent of a session ends; its pane stays.
    pub fn end(&self, session: &str) {
        self.change_seen(|seen| {
            let own = seen.sessions.iter_mut().filter(|own| own.id == session);
            own.flat_map(|own| &mut own.panes).for_each(|pane| pane.dead = true);
        });
    }

    /// From now on it cannot be known what runs.
    pub fn hide(&self, why: &str) {
        self.change_seen(|seen| *seen = Snapshot { unknown: Some(why.into()), ..Snapshot::default() });
    }

    /// What every pane shows.
    pub fn show(&self, screen: &str) {
        self.state.borrow_mut().screen = screen.into();
    }

    /// The addresses of the agents that run.
    pub fn running(&self) -> Vec<String> {
        let state = self.state.borrow();
        let running = state.seen.sessions.iter().filter(|session| session.alive());
        running.map(|session| session.marks.address.clone()).collect()
    }

    fn there(&self, session: &str) -> Result<()> {
        if self.state.borrow().seen.sessions.iter().any(|own| own.id == session) {
            return Ok(());
        }
        crate::fail!("no session {session}")
    }
}

impl Mux for FakeMux {
    fn begin_look(&self, _depth: Depth) -> Result<Looking> {
        self.call("look")?;
        Ok(Looking::Known(self.state.borrow().seen.clone()))
    }

    fn start(&self, spec: &Spec, taken: &Snapshot) -> Result<Started> {
        self.call(format!("start {}", spec.marks.address))?;
        let used = |name: &str| taken.sessions.iter().any(|session| session.name == name);
        let names = std::iter::once(spec.name.clone()).chain((2..).map(|n| format!("{}-{n}", spec.name)));
        let name = names.into_iter().find(|name| !used(name)).unwrap_or_default();
        let session = self.put(name.clone(), spec.marks.clone());
        let (pane, pid) = session.panes.first().map(|pane| (pane.id.clone(), pane.pid)).unwrap_or_default();
        Ok(Started { session: session.id, pane, pid, name, ..Started::default() })
    }

    fn mark(&self, session: &str, state: &str, since: &str) -> Result<()> {
        self.call(format!("mark {session} state={state} since={since}"))?;
        self.there(session)?;
        self.change_seen(|seen| {
            let Some(own) = seen.sessions.iter_mut().find(|own| own.id == session) else { return };
            (own.marks.state, own.marks.since) = (state.into(), since.into());
        });
        Ok(())
    }

    fn change(&self, session: &Session, _spec: &Spec, _changes: &[LiveChange]) -> Result<()> {
        self.call(format!("change {}", session.id))?;
        self.there(&session.id)
    }

    fn stop(&self, sessions: &[&str]) -> Result<()> {
        if sessions.is_empty() {
            return Ok(());
        }
        self.call(["stop"].iter().chain(sessions).copied().collect::<Vec<_>>().join(" "))?;
        self.change_seen(|seen| seen.sessions.retain(|own| !sessions.contains(&own.id.as_str())));
        Ok(())
    }

    fn capture(&self, pane: &str, _lines: usize) -> Result<String> {
        self.call(format!("capture {pane}"))?;
        Ok(self.state.borrow().screen.clone())
    }

    fn paste(&self, pane: &str, text: &str) -> Result<()> {
        self.call(format!("paste {pane} {text}"))
    }

    fn keys(&self, pane: &str, keys: &[String]) -> Result<()> {
        self.call(format!("keys {pane} {}", keys.join(" ")))
    }

    fn attach(&self, session: &str) -> Result<()> {
        self.call(format!("attach {session}"))
    }

    fn kind(&self) -> &'static str {
        "fake"
    }
}
