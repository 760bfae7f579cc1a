//! What a daemon's list and a start's screen mean: no process, no clock.

use super::{Ours, id};
use crate::base::grammar::is_object_id;
use crate::config::remotes::KnownRemote;
use crate::model::address::Address;
use crate::model::ids::{BeadId, InstanceId};
use crate::mux::{Marks, Pane, Session};
use crate::programs::fugue::Row;
use crate::town::away::Record;

/// Before the instance, in a tag.
const INSTANCE: &str = "gt-i-";
/// Before the town's short id.
const TOWN: &str = "gt-t-";
/// Before the agent's address.
const ADDRESS: &str = "gt-a-";
/// Before the bead.
const BEAD: &str = "gt-b-";
/// What all tags of gt's own begin with.
const OWN: &str = "gt-";

/// The line that a start prints, with the instance after it, when everything is ready and the agent follows.
pub const STARTED: &str = "gt: started ";
/// The line that it prints with the instance and a secret after it ([`secret_on`]).
const PROOF: &str = "gt: proof ";
/// The line that it prints, with the instance after it, before the reason why it failed. It waits then, to be read.
pub const FAILED: &str = "gt: start failed ";
/// The line after the reason.
pub const REASON_ENDS: &str = "gt: end of reason";

/// Who is on a daemon that is silent.
pub fn unreachable<'a>(
    remote: &KnownRemote,
    ours: &'a Ours,
) -> impl Iterator<Item = (String, String)> + use<'a> {
    let addr = remote.fugue_addr.clone();
    let there = ours.records.iter().filter(move |(_, record)| record.fugue_addr == addr);
    there.map(|(address, record)| (address.clone(), record.remote.clone()))
}

/// The tags of a session: the preset's, without any that looks like gt's own, then gt's.
pub fn tags(wanted: &[String], marks: &Marks, town_id: &str) -> Vec<String> {
    let mut tags: Vec<String> = wanted.iter().filter(|tag| !tag.starts_with(OWN)).cloned().collect();
    let own = [
        (INSTANCE, marks.instance.as_str()),
        (TOWN, town_id),
        (ADDRESS, &marks.address),
        (BEAD, &marks.bead),
    ];
    tags.extend(
        own.iter().filter(|(_, value)| !value.is_empty()).map(|(mark, value)| format!("{mark}{value}")),
    );
    tags
}

fn tag<'r>(row: &'r Row, mark: &str) -> Option<&'r str> {
    row.tags.iter().find_map(|tag| tag.strip_prefix(mark))
}

/// Whether a session carries the town's tag.
pub fn is_ours(row: &Row, town_id: &str) -> bool {
    tag(row, TOWN) == Some(town_id)
}

/// The instance that a session's tag names.
pub fn instance_of(row: &Row) -> Option<&str> {
    tag(row, INSTANCE)
}

/// A session as a daemon lists it, with marks where it is ours: by its tags, or by its id where they are gone.
pub fn session(row: Row, remote: &KnownRemote, ours: &Ours) -> Session {
    let id = id(&remote.fugue_addr, &row.id);
    let known =
        |(_, record): &(&String, &Record)| record.fugue_addr == remote.fugue_addr && record.id == row.id;
    let tagged = is_ours(&row, &ours.town_id) && instance_of(&row).is_some();
    let (marks, name) = match ours.records.iter().find(known) {
        _ if tagged => {
            let value = |mark| tag(&row, mark).unwrap_or_default().to_string();
            let record = ours.records.get(&value(ADDRESS));
            let name =
                record.filter(|record| record.fugue_addr == remote.fugue_addr).map(|record| &record.remote);
            let instance = value(INSTANCE).parse().unwrap_or_default();
            (marks(ours, value(ADDRESS), instance, value(BEAD).parse().unwrap_or_default()), name)
        }
        Some((address, record)) => {
            let marks = marks(ours, address.clone(), record.instance.clone(), record.bead.clone());
            (marks, Some(&record.remote))
        }
        None => (Marks::default(), None),
    };
    let dead = !tagged && !marks.town.is_empty();
    Session {
        panes: vec![Pane { id: id.clone(), dead, ..Pane::default() }],
        id,
        name: row.name,
        marks,
        attached: row.attached,
        remote: Some(name.unwrap_or(&remote.name).clone()),
        ..Session::default()
    }
}

fn marks(ours: &Ours, address: String, instance: InstanceId, bead: BeadId) -> Marks {
    let role = Address::parse(&address).ok().and_then(|address| address.role());
    Marks {
        town: ours.town.clone(),
        role: role.map(|role| role.to_string()).unwrap_or_default(),
        address,
        state: "working".into(),
        bead,
        instance,
        ..Marks::default()
    }
}

/// What a screen says after a line of a start's own.
pub fn said<'s>(screen: &'s str, line: &str, instance: &str) -> Option<&'s str> {
    let wanted = format!("{line}{instance}");
    let mut rest = screen;
    while let Some((before, after)) = rest.split_once(&wanted) {
        let begins = before.is_empty() || before.ends_with('\n');
        if begins && (after.is_empty() || after.starts_with('\n')) {
            return Some(after);
        }
        rest = after;
    }
    None
}

/// The reason that a start left on the screen, all of it.
pub fn failure_on(screen: &str, instance: &str) -> Option<String> {
    let (reason, _) = said(screen, FAILED, instance)?.split_once(&format!("\n{REASON_ENDS}"))?;
    Some(reason.trim().to_string())
}

/// The secret that a start shows on its screen: completion records of that session prove themselves by it.
pub fn secret_on(screen: &str, instance: &str) -> Option<String> {
    let shown = format!("{PROOF}{instance} ");
    let found = |line: &str| Some(line.strip_prefix(&shown)?.trim().to_string());
    screen.lines().rev().filter_map(found).find(|secret| is_object_id(secret))
}

/// What a screen ended with.
pub fn last_lines(screen: &str) -> String {
    let lines: Vec<&str> = screen.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(3)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours() -> Ours {
        let record = Record {
            remote: "pc".into(),
            fugue_addr: "tcp://x:1".into(),
            id: "id-2".into(),
            instance: "i2".into(),
            bead: "wy-2".into(),
            ..Record::default()
        };
        let records = [("wyvern/Toast".to_string(), record)].into();
        Ours { town: "/town".into(), town_id: "abcd".into(), records }
    }

    fn remote() -> KnownRemote {
        KnownRemote { name: "pc".into(), fugue_addr: "tcp://x:1".into(), ..KnownRemote::default() }
    }

    fn row(id: &str, tags: &[&str]) -> Row {
        let tags = tags.iter().map(|tag| (*tag).to_string()).collect();
        Row { id: id.into(), name: format!("name-{id}"), attached: 0, tags }
    }

    #[test]
    fn tags_become_marks_again() {
        let marks = Marks {
            instance: "i1".into(),
            address: "wyvern/Nux".into(),
            bead: "wy-1".into(),
            ..Marks::default()
        };
        let wanted = ["remote".to_string(), "gt-i-forged".into()];
        let tags = tags(&wanted, &marks, "abcd");
        assert_eq!(tags, ["remote", "gt-i-i1", "gt-t-abcd", "gt-a-wyvern/Nux", "gt-b-wy-1"]);
        let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
        let seen = session(row("id-1", &tags), &remote(), &ours());
        assert!(seen.alive());
        assert_eq!((seen.id.as_str(), seen.remote.as_deref()), ("tcp://x:1#id-1", Some("pc")));
        let marks = seen.marks;
        assert_eq!(
            [marks.town, marks.address, marks.instance.into(), marks.bead.into(), marks.role],
            ["/town", "wyvern/Nux", "i1", "wy-1", "polecat"]
        );
    }

    #[test]
    fn a_session_without_its_tags_is_a_dead_one_of_ours_or_somebody_s() {
        let shell = session(row("id-2", &[]), &remote(), &ours());
        assert_eq!((shell.marks.address.as_str(), shell.marks.instance.as_str()), ("wyvern/Toast", "i2"));
        assert!(!shell.alive());
        for tags in [&[][..], &["gt-i-i1", "gt-t-other", "gt-a-wyvern/Nux"], &["gt-t-abcd"]] {
            let foreign = session(row("id-3", tags), &remote(), &ours());
            assert_eq!(foreign.marks, Marks::default(), "{tags:?}");
        }
        let elsewhere = KnownRemote { fugue_addr: "tcp://y:1".into(), ..remote() };
        assert_eq!(session(row("id-2", &[]), &elsewhere, &ours()).marks, Marks::default());
    }

    #[test]
    fn a_start_says_how_it_went() {
        let screen =
            "gt: preparing i1\ngt: start failed i1\ncannot clone x: no\nsuch host\ngt: end of reason\n";
        assert_eq!(failure_on(screen, "i1").as_deref(), Some("cannot clone x: no\nsuch host"));
        assert_eq!(failure_on(screen, "i2"), None);
        assert_eq!(failure_on("gt: start failed i1\nhalf a rea", "i1"), None);
        assert!(said("x\ngt: started i1\nagent", STARTED, "i1").is_some());
        assert!(said("gt: started i12", STARTED, "i1").is_none());
        assert!(said("echo gt: started i1", STARTED, "i1").is_none());
    }

    #[test]
    fn a_start_shows_its_secret() {
        let secret = "0123456789abcdef0123456789abcdef01234567";
        let screen = format!("gt: preparing i1\ngt: proof i1 {secret}\ngt: proof i1 none\nagent");
        assert_eq!(secret_on(&screen, "i1").as_deref(), Some(secret));
        assert_eq!(secret_on(&screen, "i"), None);
        assert_eq!(secret_on(&format!("> gt: proof i1 {secret}"), "i1"), None);
    }
}
