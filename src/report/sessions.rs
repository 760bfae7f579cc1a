//! Sessions, as `gt session list` and `gt agents` show them.

use serde::Serialize;

use super::text::{Cell, Color, Screen};
use crate::base::terminal::Text;
use crate::base::time;
use crate::model::address::Address;
use crate::model::ids::BeadId;
use crate::mux::{Session, Snapshot};

/// One session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SessionLine {
    /// Whose.
    pub address: String,
    /// As [`state`] says.
    pub state: String,
    /// Whether its agent runs; nothing when that cannot be known.
    pub alive: Option<bool>,
    /// What it asks, or what keeps it; empty when nothing does.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// Its bead, empty when none.
    pub bead: BeadId,
    /// Since when it is in this state: RFC 3339, UTC.
    pub since: String,
    /// Its name.
    pub session: String,
    /// How many clients look at it.
    pub attached: usize,
    /// The remote it is on; nothing for one of this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
}

/// The town's sessions, of one rig or all, by address; with them those that are where a daemon is silent.
pub fn lines(town: &str, snapshot: &Snapshot, rig: Option<&str>) -> Vec<SessionLine> {
    let of_rig = |line: &SessionLine| rig.is_none() || rig_of(line).as_deref() == rig;
    let seen = snapshot.ours(town).map(line);
    let unseen = snapshot.away.unreachable.iter().map(|(address, remote)| SessionLine {
        address: address.clone(),
        state: "unreachable".into(),
        remote: Some(remote.clone()),
        ..SessionLine::default()
    });
    let mut lines: Vec<SessionLine> = seen.chain(unseen).filter(of_rig).collect();
    // The town's own before its rigs.
    let order = |line: &SessionLine| (rig_of(line).is_some(), line.address.clone(), line.session.clone());
    lines.sort_by_cached_key(order);
    lines
}

fn line(session: &Session) -> SessionLine {
    SessionLine {
        address: session.marks.address.clone(),
        state: session.words(),
        why: session.why.clone(),
        alive: Some(session.alive()),
        bead: session.marks.bead.clone(),
        since: session.marks.since.clone(),
        session: session.name.clone(),
        attached: session.attached,
        remote: session.remote.clone(),
    }
}

fn rig_of(line: &SessionLine) -> Option<String> {
    Address::parse(&line.address).ok()?.rig().map(String::from)
}

/// As a table.
pub fn table(lines: &[SessionLine], screen: &Screen) -> Text {
    let now = time::now();
    let rows: Vec<Vec<Cell>> = lines.iter().map(|line| cells(line, &now)).collect();
    screen.table(&["ADDRESS", "STATE", "BEAD", "AGE", "SESSION"], &rows, 4)
}

fn cells(line: &SessionLine, now: &str) -> Vec<Cell> {
    let attached = if line.attached > 0 { " (attached)" } else { "" };
    let on = line.remote.as_ref().map(|remote| format!(" on {remote}")).unwrap_or_default();
    let color = match (line.alive, line.state.as_str()) {
        (Some(true), "working" | "running") => Color::Good,
        (Some(true), _) => Color::Waiting,
        _ => Color::Bad,
    };
    let state = match line.why.as_str() {
        "" => line.state.clone(),
        why => format!("{}: {why}", line.state),
    };
    let age = time::seconds_between(&line.since, now).map(time::short_age).unwrap_or_default();
    vec![
        line.address.as_str().into(),
        Cell::new(color, state),
        line.bead.as_str().into(),
        age.into(),
        format!("{}{on}{attached}", line.session).trim_start().into(),
    ]
}

/// As a numbered choice.
pub fn choice(lines: &[SessionLine], screen: &Screen) -> Text {
    let now = time::now();
    let numbered = |(index, line): (usize, &SessionLine)| {
        let mut row = cells(line, &now);
        row.insert(0, (index + 1).to_string().into());
        row
    };
    let rows: Vec<Vec<Cell>> = lines.iter().enumerate().map(numbered).collect();
    screen.table(&["", "ADDRESS", "STATE", "BEAD", "AGE", "SESSION"], &rows, 5)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mux::{Marks, Pane};

    #[test]
    fn the_town_comes_first_and_others_do_not_come_at_all() {
        let session = |town: &str, address: &str, dead: Option<i32>| Session {
            marks: Marks {
                town: town.into(),
                address: address.into(),
                state: "working".into(),
                ..Marks::default()
            },
            panes: vec![Pane { dead: dead.is_some(), exit: dead, ..Pane::default() }],
            ..Session::default()
        };
        let snapshot = Snapshot {
            sessions: vec![
                session("/t", "wyvern/Nux", Some(3)),
                session("/other", "wyvern/Ace", None),
                session("/t", "mayor/", None),
                session("/t", "asp/witness", None),
            ],
            ..Snapshot::default()
        };
        let seen: Vec<_> = lines("/t", &snapshot, None).into_iter().map(|l| (l.address, l.state)).collect();
        let wanted = [("mayor/", "working"), ("asp/witness", "working"), ("wyvern/Nux", "ended (exit 3)")];
        assert_eq!(seen, wanted.map(|(a, b)| (a.to_string(), b.to_string())));
        assert_eq!(lines("/t", &snapshot, Some("asp")).len(), 1);
    }
}
