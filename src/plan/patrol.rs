//! What a patrol does about each polecat (`work.md`, "end of a polecat"), and the ladder of who is told.

use serde::{Deserialize, Serialize};

use crate::model::bead::Bead;
use crate::model::ids::InstanceId;
use crate::model::state::State;
use crate::model::words;
use crate::plan::place::Seen;

/// Without a sign of progress for this long, in seconds, a polecat counts as stuck (source document 002).
pub const STUCK_AFTER: i64 = 30 * 60;

/// How often a polecat is nudged before the Mayor is told.
pub const NUDGES: u32 = 3;

/// Pause between two rungs of the ladder, in seconds.
pub const BETWEEN_NUDGES: i64 = 5 * 60;

/// What was found of one polecat's name.
#[derive(Clone, Copy, Debug)]
pub struct Patrolled<'a> {
    /// A command that still runs has the name in hand.
    pub in_hand: bool,
    /// It has a worktree, or a branch of its own.
    pub sandbox: bool,
    /// The bead that it holds.
    pub bead: Option<&'a Bead>,
    /// An open request for that bead.
    pub open_request: bool,
    /// Its session.
    pub session: Seen<'a>,
    /// It is on another machine, and to be ended there.
    pub leaving: bool,
    /// Seconds since its last sign of progress, where that is known.
    pub idle: Option<i64>,
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Move {
    /// It works, or waits for its turn.
    Leave,
    /// Another command has it in hand, or its session could not be seen (law 3).
    Unknown,
    /// Only its name is left.
    FreeName,
    /// Its work is handed over or taken back: transcript, session, recovery ref, worktree, branch, name.
    End,
    /// Its session ended before its work did.
    Crashed,
    /// Hooked, and its session was never started.
    Unstarted,
    /// It runs and makes no progress.
    Stuck,
}

/// Decides for one polecat.
pub fn decide(polecat: &Patrolled<'_>) -> Move {
    if polecat.in_hand {
        return Move::Unknown;
    }
    let session = match polecat.session {
        Seen::Unknown | Seen::Occupied | Seen::Unreachable => return Move::Unknown,
        Seen::None => None,
        Seen::Session(session) => Some(session),
    };
    if polecat.leaving {
        return Move::End;
    }
    let alive = session.filter(|session| session.alive());
    let stuck = polecat.idle.is_some_and(|idle| idle >= STUCK_AFTER);
    let works = polecat.bead.filter(|bead| !polecat.open_request && !bead.has_label(words::LABEL_SUBMITTED));
    match (works, alive) {
        (Some(_), Some(_)) if stuck => Move::Stuck,
        (Some(_), Some(_)) => Move::Leave,
        (Some(bead), None) if bead.status == words::HOOKED && session.is_none() => Move::Unstarted,
        (Some(_), None) => Move::Crashed,
        // Its part is done: it waits to be stopped, or forgot to ask for it.
        (None, Some(session)) if session.marks.state == State::Ends || stuck => Move::End,
        (None, Some(_)) => Move::Leave,
        (None, None) if polecat.sandbox || session.is_some() => Move::End,
        (None, None) => Move::FreeName,
    }
}

/// How far the ladder was climbed for one instance: kept in the witness's `state.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Climbed {
    /// Of which instance.
    pub instance: InstanceId,
    /// How often it was nudged.
    pub nudges: u32,
    /// The Mayor was told.
    pub mayor: bool,
    /// The Overseer was told.
    pub overseer: bool,
    /// When the last rung was taken: RFC 3339, UTC.
    pub last: String,
}

/// The next rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rung {
    /// Say so to the agent itself.
    Nudge,
    /// Mail to the Mayor.
    Mayor,
    /// Mail to the Overseer.
    Overseer,
    /// Everybody knows, or it is too early.
    Wait,
}

/// Which rung comes next: at most [`NUDGES`] nudges, then the Mayor, then the Overseer, each said once. `since` is the
/// time since the last rung in seconds; `can_hear` is false for an agent whose session has ended, `mayor` where no
/// Mayor runs.
pub fn next_rung(climbed: &Climbed, since: Option<i64>, can_hear: bool, mayor: bool) -> Rung {
    let early = since.is_some_and(|since| since < BETWEEN_NUDGES);
    if climbed.overseer || (early && (climbed.nudges > 0 || climbed.mayor)) {
        Rung::Wait
    } else if climbed.mayor {
        // The Mayor has as long as a polecat to show progress.
        if since.is_some_and(|since| since < STUCK_AFTER) { Rung::Wait } else { Rung::Overseer }
    } else if can_hear && climbed.nudges < NUDGES {
        Rung::Nudge
    } else if mayor {
        Rung::Mayor
    } else {
        Rung::Overseer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mux::{Marks, Pane, Session};

    fn session(dead: bool, state: &str) -> Session {
        Session {
            marks: Marks { state: state.into(), ..Marks::default() },
            panes: vec![Pane { dead, ..Pane::default() }],
            ..Session::default()
        }
    }

    fn bead(status: &str, labels: &[&str]) -> Bead {
        Bead {
            status: status.into(),
            labels: labels.iter().map(|label| (*label).into()).collect(),
            ..Bead::default()
        }
    }

    #[test]
    fn each_line_of_the_table_has_its_move() {
        let (works, dead, waits) =
            (session(false, "working"), session(true, "working"), session(false, "pending_shutdown"));
        let (hooked, begun) = (bead("hooked", &[]), bead("in_progress", &[]));
        let submitted = bead("in_progress", &["gt:submitted"]);
        let base = Patrolled {
            in_hand: false,
            sandbox: true,
            bead: Some(&begun),
            open_request: false,
            session: Seen::Session(&works),
            leaving: false,
            idle: Some(60),
        };
        for (polecat, wanted) in [
            (base, Move::Leave),
            (Patrolled { in_hand: true, ..base }, Move::Unknown),
            (Patrolled { session: Seen::Unknown, ..base }, Move::Unknown),
            (Patrolled { idle: Some(STUCK_AFTER), ..base }, Move::Stuck),
            (Patrolled { session: Seen::Session(&dead), ..base }, Move::Crashed),
            (Patrolled { session: Seen::None, ..base }, Move::Crashed),
            (Patrolled { session: Seen::None, bead: Some(&hooked), ..base }, Move::Unstarted),
            (Patrolled { session: Seen::Session(&dead), bead: Some(&hooked), ..base }, Move::Crashed),
            (Patrolled { bead: Some(&submitted), ..base }, Move::Leave),
            (Patrolled { bead: Some(&submitted), session: Seen::Session(&waits), ..base }, Move::End),
            (Patrolled { bead: Some(&submitted), session: Seen::Session(&dead), ..base }, Move::End),
            (Patrolled { bead: None, session: Seen::None, ..base }, Move::End),
            (Patrolled { bead: None, session: Seen::None, sandbox: false, ..base }, Move::FreeName),
            (Patrolled { bead: None, idle: Some(STUCK_AFTER), ..base }, Move::End),
        ] {
            assert_eq!(decide(&polecat), wanted, "{polecat:?}");
        }
    }

    #[test]
    fn the_ladder_is_climbed_once() {
        let mut climbed = Climbed::default();
        let mut rungs = Vec::new();
        for _ in 0..8 {
            let rung = next_rung(&climbed, Some(STUCK_AFTER), true, true);
            match rung {
                Rung::Nudge => climbed.nudges += 1,
                Rung::Mayor => climbed.mayor = true,
                Rung::Overseer => climbed.overseer = true,
                Rung::Wait => {}
            }
            rungs.push(rung);
        }
        use Rung::{Mayor, Nudge, Overseer, Wait};
        assert_eq!(rungs, [Nudge, Nudge, Nudge, Mayor, Overseer, Wait, Wait, Wait]);
    }

    #[test]
    fn the_dead_are_not_nudged_and_nobody_is_told_twice_at_once() {
        assert_eq!(next_rung(&Climbed::default(), None, false, true), Rung::Mayor);
        assert_eq!(next_rung(&Climbed::default(), None, false, false), Rung::Overseer);
        let told = Climbed { mayor: true, ..Climbed::default() };
        assert_eq!(next_rung(&told, Some(60), false, true), Rung::Wait);
        assert_eq!(next_rung(&told, Some(BETWEEN_NUDGES + 1), false, true), Rung::Wait);
    }
}
