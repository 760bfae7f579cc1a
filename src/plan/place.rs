//! The one state table (`work.md`): where a bead is, from what was found. Nothing else decides.

use serde::Serialize;

use crate::model::bead::Bead;
use crate::model::state::State;
use crate::model::words;
use crate::mux::{Session, Snapshot};

/// Where a bead is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Open, nobody's, nothing in its way: sling it.
    Ready,
    /// Open, nobody's, but a blocker is not merged yet.
    Blocked,
    /// Somebody's, no session yet: start it.
    Hooked,
    /// Its agent runs.
    Working,
    /// Its session ended before the work did: start again on the same worktree.
    Crashed,
    /// In the queue.
    Submitted,
    /// Closed, with the commit.
    Merged,
    /// Closed without a merge.
    Closed,
    /// Came back from the queue: sling it again.
    SetAside,
    /// Others made it, or changed what it says: nothing starts it until it is adopted.
    Foreign,
    /// Kept back by a person.
    Held,
    /// A person has it, or an agent gt does not run.
    Taken,
    /// What its session does cannot be known: nothing may be concluded (law 3).
    Unknown,
    /// Its agent is on another machine whose daemon does not answer (`remote.md`): nothing is restarted, reassigned or
    /// cleaned until it does, or a person says so.
    Unreachable,
}

impl Place {
    /// The word for it on a screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Place::Ready => "ready",
            Place::Blocked => "blocked",
            Place::Hooked => "hooked",
            Place::Working => "working",
            Place::Crashed => "crashed",
            Place::Submitted => "submitted",
            Place::Merged => "merged",
            Place::Closed => "closed",
            Place::SetAside => "set aside",
            Place::Foreign => "foreign",
            Place::Held => "held",
            Place::Taken => "taken",
            Place::Unknown => "unknown",
            Place::Unreachable => "unreachable",
        }
    }
}

/// What was found of a bead's session.
#[derive(Clone, Copy, Debug)]
pub enum Seen<'a> {
    /// The multiplexer could not be asked.
    Unknown,
    /// No session of it is seen, but something of it runs on this machine ([`Snapshot::occupied`]).
    Occupied,
    /// It is on another machine, whose daemon did not answer.
    Unreachable,
    /// There is none.
    None,
    /// This one.
    Session(&'a Session),
}

/// Finds an agent's session in a look: the one way to do it. `bead` is what the agent holds, where that is known: its
/// label says where it runs, should the town have forgotten.
pub fn seen<'a>(snapshot: &'a Snapshot, town: &str, address: &str, bead: Option<&Bead>) -> Seen<'a> {
    found(snapshot, snapshot.of(town, address), address, bead)
}

/// What an agent's session, where it was found or not, says.
pub fn found<'a>(
    snapshot: &Snapshot,
    session: Option<&'a Session>,
    address: &str,
    bead: Option<&Bead>,
) -> Seen<'a> {
    if let Some(session) = session {
        return Seen::Session(session);
    }
    let remote = bead.and_then(Bead::remote);
    if snapshot.away.unreachable.contains_key(address)
        || remote.is_some_and(|remote| snapshot.away.silence_of(remote).is_some())
        || (remote.is_some() && snapshot.away.unknown.is_some())
    {
        return Seen::Unreachable;
    }
    // An agent on a machine that answered is not there; what tmux here would say does not matter.
    let answered = remote.is_some_and(|remote| snapshot.away.daemons.iter().any(|one| one.remote == remote));
    match snapshot.unknown {
        _ if remote.is_none() && snapshot.occupied.contains_key(address) => Seen::Occupied,
        Some(_) if !answered => Seen::Unknown,
        _ => Seen::None,
    }
}

/// What an agent's session does, as far as it can be told on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// It could not be seen.
    Unknown,
    /// There is none.
    None,
    /// Its agent runs.
    Alive,
    /// Its agent runs, and asked for its end.
    Leaving,
    /// Its agent ended well.
    Ended,
    /// Its agent ended with a failure or a signal.
    Failed,
}

impl Run {
    /// What the session that an agent was found with does.
    pub fn of(snapshot: &Snapshot, seen: Seen<'_>) -> Run {
        match seen {
            Seen::None if snapshot.minimal.is_none() => Run::None,
            Seen::Session(session) if session.remote.is_none() => match session.panes.first() {
                _ if session.alive() && session.marks.state == State::Ends => Run::Leaving,
                _ if session.alive() => Run::Alive,
                _ if session.agent_gone => Run::Ended,
                Some(pane) if pane.exit == Some(0) => Run::Ended,
                _ => Run::Failed,
            },
            _ => Run::Unknown,
        }
    }

    /// Whether no agent runs.
    pub fn is_over(self) -> bool {
        matches!(self, Run::None | Run::Ended | Run::Failed)
    }
}

/// Whether the work on a bead waits to be merged.
pub fn is_submitted(bead: &Bead, open_request: bool) -> bool {
    open_request || bead.has_label(words::LABEL_SUBMITTED)
}

/// Of the beads that a polecat has, the one that it works on first: one that is not submitted, since a name may have passed on
/// while its earlier work waits to be merged, and of several the one that `works_on` names, which is asked only then.
pub fn in_order(
    mut held: Vec<&Bead>,
    is_submitted: impl Fn(&Bead) -> bool,
    works_on: impl FnOnce() -> Option<String>,
) -> Vec<&Bead> {
    if held.len() > 1 {
        let works_on = works_on();
        held.sort_by_key(|bead| (is_submitted(bead), works_on.as_ref() != Some(&bead.id)));
    }
    held
}

/// What the table is read from.
#[derive(Clone, Copy, Debug)]
pub struct PlaceFacts<'a> {
    /// The bead.
    pub bead: &'a Bead,
    /// A merge request for it is open.
    pub open_request: bool,
    /// A blocker is not closed, or has an open request.
    pub blocked: bool,
    /// Its holder is a polecat of this town (or was: by the form of the address).
    pub polecat: bool,
    /// Its holder's session.
    pub session: Seen<'a>,
}

/// Reads the table.
pub fn place(facts: &PlaceFacts<'_>) -> Place {
    let bead = facts.bead;
    if bead.is_closed() && !facts.open_request {
        return if bead.close_reason.starts_with("merged") { Place::Merged } else { Place::Closed };
    }
    if is_submitted(bead, facts.open_request) {
        return Place::Submitted;
    }
    match bead.status.as_str() {
        words::HOOKED | words::IN_PROGRESS if facts.polecat => held_by_polecat(bead, facts.session),
        words::HOOKED | words::IN_PROGRESS => Place::Taken,
        _ if bead.foreign => Place::Foreign,
        _ if bead.has_label(words::LABEL_HOLD) => Place::Held,
        words::OPEN if bead.assignee.is_some() => Place::Taken,
        words::OPEN if facts.blocked => Place::Blocked,
        words::OPEN if bead.has_label(words::LABEL_REWORK) => Place::SetAside,
        words::OPEN => Place::Ready,
        _ => Place::Blocked,
    }
}

fn held_by_polecat(bead: &Bead, session: Seen<'_>) -> Place {
    match session {
        Seen::Unknown | Seen::Occupied => Place::Unknown,
        Seen::Unreachable => Place::Unreachable,
        Seen::Session(session) if session.alive() => Place::Working,
        Seen::Session(session) if session.occupied => Place::Unknown,
        Seen::Session(_) => Place::Crashed,
        // Hooked and never begun: the start did not happen. Begun, and the session is gone: it crashed.
        Seen::None if bead.status == words::HOOKED => Place::Hooked,
        Seen::None => Place::Crashed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mux::{OtherMachines, Pane};

    fn bead(status: &str, assignee: Option<&str>, labels: &[&str]) -> Bead {
        Bead {
            status: status.into(),
            assignee: assignee.map(Into::into),
            labels: labels.iter().map(|label| (*label).into()).collect(),
            ..Bead::default()
        }
    }

    fn read(bead: &Bead, open_request: bool, session: Seen<'_>) -> Place {
        place(&PlaceFacts { bead, open_request, blocked: false, polecat: true, session })
    }

    #[test]
    fn the_table_of_work_md() {
        let alive = Session { panes: vec![Pane::default()], ..Session::default() };
        let dead = Session { panes: vec![Pane { dead: true, ..Pane::default() }], ..Session::default() };
        let nux = Some("wyvern/Nux");
        for (status, assignee, labels, request, session, wanted) in [
            ("open", None, &[][..], false, Seen::None, Place::Ready),
            ("hooked", nux, &[], false, Seen::None, Place::Hooked),
            ("hooked", nux, &[], false, Seen::Session(&alive), Place::Working),
            ("hooked", nux, &[], false, Seen::Session(&dead), Place::Crashed),
            ("in_progress", nux, &[], false, Seen::Session(&alive), Place::Working),
            ("in_progress", nux, &[], false, Seen::None, Place::Crashed),
            ("in_progress", nux, &[], false, Seen::Unknown, Place::Unknown),
            ("in_progress", nux, &["gt:submitted"], true, Seen::Session(&dead), Place::Submitted),
            ("closed", nux, &[], true, Seen::None, Place::Submitted),
            ("open", None, &[], true, Seen::None, Place::Submitted),
            ("open", None, &["gt:rework"], false, Seen::None, Place::SetAside),
            ("open", None, &["gt:hold", "gt:rework"], false, Seen::None, Place::Held),
            ("open", Some("max"), &[], false, Seen::None, Place::Taken),
            ("deferred", None, &[], false, Seen::None, Place::Blocked),
        ] {
            assert_eq!(
                read(&bead(status, assignee, labels), request, session),
                wanted,
                "{status} {labels:?}"
            );
        }
    }

    #[test]
    fn a_silent_daemon_is_unreachable_and_never_none() {
        let label = "gt:remote:gaming-pc";
        let seen_away = |away| Snapshot { away, ..Snapshot::default() };
        let away = bead("in_progress", Some("wyvern/Nux"), &[label]);
        let daemon = |silent: Option<&str>| crate::mux::Daemon {
            remote: "gaming-pc".into(),
            silent: silent.map(Into::into),
            ..Default::default()
        };
        let silent =
            seen_away(OtherMachines { daemons: vec![daemon(Some("refused"))], ..OtherMachines::default() });
        let of = |snapshot: &Snapshot, bead: &Bead| {
            let seen = seen(snapshot, "/t", "wyvern/Nux", Some(bead));
            read(bead, false, seen)
        };
        assert_eq!(of(&silent, &away), Place::Unreachable);
        assert_eq!(of(&silent, &bead("in_progress", Some("wyvern/Nux"), &[])), Place::Crashed);
        let there = OtherMachines { daemons: vec![daemon(None)], ..OtherMachines::default() };
        let answered = Snapshot { unknown: Some("tmux is stuck".into()), ..seen_away(there) };
        assert_eq!(of(&answered, &away), Place::Crashed);
        assert_eq!(of(&answered, &bead("hooked", Some("wyvern/Nux"), &[])), Place::Unknown);
        // The daemon that answered may not be the one that it is with.
        let mut unknown = answered.clone();
        unknown.away.unknown = Some("it is empty".into());
        assert_eq!(of(&unknown, &away), Place::Unreachable);
        let recorded = seen_away(OtherMachines {
            unreachable: [("wyvern/Nux".to_string(), "gaming-pc".to_string())].into(),
            ..OtherMachines::default()
        });
        assert_eq!(of(&recorded, &bead("hooked", Some("wyvern/Nux"), &[])), Place::Unreachable);
    }

    #[test]
    fn what_a_session_does_is_concluded_only_from_what_was_seen_here() {
        let pane = |dead, exit| Pane { dead, exit, agent: true, ..Pane::default() };
        let session = |state: State, pane: Pane| Session {
            marks: crate::mux::Marks { state: state.as_str().into(), ..Default::default() },
            panes: vec![pane],
            ..Session::default()
        };
        let run = |session: &Session| Run::of(&Snapshot::default(), Seen::Session(session));
        assert_eq!(run(&session(State::Working, pane(false, None))), Run::Alive);
        assert_eq!(run(&session(State::Ends, pane(false, None))), Run::Leaving);
        assert_eq!(run(&session(State::Ends, pane(true, Some(0)))), Run::Ended);
        assert_eq!(run(&session(State::Ends, pane(true, Some(1)))), Run::Failed);
        let gone = Session { agent_gone: true, ..session(State::Working, Pane::default()) };
        assert_eq!(run(&gone), Run::Ended);
        let remote = Session { remote: Some("box".into()), ..session(State::Working, pane(false, None)) };
        assert_eq!(run(&remote), Run::Unknown);
        let minimal = Snapshot { minimal: Some("no tmux".into()), ..Snapshot::default() };
        let of = |snapshot: &Snapshot| Run::of(snapshot, seen(snapshot, "/t", "wyvern/Nux", None));
        assert_eq!((of(&Snapshot::default()), of(&minimal)), (Run::None, Run::Unknown));
        let unknown = Snapshot { unknown: Some("stuck".into()), ..Snapshot::default() };
        assert_eq!(of(&unknown), Run::Unknown);
    }

    #[test]
    fn a_closed_bead_is_merged_only_when_the_merge_closed_it() {
        let mut done = bead("closed", None, &[]);
        assert_eq!(read(&done, false, Seen::None), Place::Closed);
        done.close_reason = "merged: abc123".into();
        assert_eq!(read(&done, false, Seen::None), Place::Merged);
    }

    #[test]
    fn an_open_blocker_keeps_a_bead_back() {
        let open = bead("open", None, &[]);
        let facts = PlaceFacts {
            bead: &open,
            open_request: false,
            blocked: true,
            polecat: false,
            session: Seen::None,
        };
        assert_eq!(place(&facts), Place::Blocked);
    }
}
