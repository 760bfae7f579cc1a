//! What comes into a store from others is text, and no order: which words of a bead count, and what of it is only this
//! town's to say.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::beads::{jsonl, proven};
use crate::model::address::Address;
use crate::model::bead::Bead;
use crate::model::words;

/// Whose an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportOrigin {
    /// This town's: an export of it, or a file that the person trusts.
    Own,
    /// Anyone's.
    Foreign,
}

/// What an import took in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// How many beads are new.
    pub added: usize,
    /// How many are changed.
    pub changed: usize,
    /// Beads that wait to be adopted.
    pub foreign: Vec<String>,
    /// Requests to be merged, which are never taken in from others.
    pub left_out: Vec<String>,
}

impl Imported {
    /// What is to be written of a line, beside what is there; `None`: nothing.
    pub fn take(&mut self, line: Bead, own: Option<&Bead>, origin: ImportOrigin) -> Option<Bead> {
        if origin == ImportOrigin::Foreign && (line.is_request() || own.is_some_and(Bead::is_request)) {
            self.left_out.push(line.id);
            return None;
        }
        match own {
            None => self.added += 1,
            Some(own) if jsonl::is_newer(&line, own) => self.changed += 1,
            Some(_) => return None,
        }
        if origin == ImportOrigin::Own {
            return Some(line);
        }
        let mut bead = plain(line, own, |address| own_agent(address).is_some());
        bead.foreign = own.is_none_or(|own| !same_words(own, &bead));
        self.foreign.extend(bead.foreign.then(|| bead.id.clone()));
        Some(bead)
    }
}

/// An agent of this town, by the form of its address: one of another town begins with that town's name.
pub fn own_agent(address: &str) -> Option<Address> {
    let own = address.strip_prefix("local:").unwrap_or(address);
    Address::parse(own).ok().filter(|address| *address != Address::Overseer)
}

/// Whether two forms of a bead say the same: all that an agent reads, or runs, and all that a placement rule looks at.
pub fn same_words(one: &Bead, other: &Bead) -> bool {
    let labels = |bead: &Bead| -> BTreeSet<String> {
        bead.labels.iter().filter(|label| !is_own_label(label)).cloned().collect()
    };
    let placed = |bead: &Bead| (labels(bead), bead.priority, bead.estimated_minutes);
    let said = |bead: &Bead| {
        let comments: Vec<(String, String)> =
            bead.comments.iter().map(|comment| (comment.author.clone(), comment.text.clone())).collect();
        (bead.title.clone(), bead.description.clone(), bead.design.clone(), bead.notes.clone(), comments)
    };
    let rest = |bead: &Bead| (bead.acceptance_criteria.clone(), bead.issue_type.clone());
    said(one) == said(other) && rest(one) == rest(other) && placed(one) == placed(other)
}

/// A label that gt gives a meaning to.
pub fn is_own_label(label: &str) -> bool {
    label.starts_with("gt:")
}

/// A metadata key of work that gt gives a meaning to.
pub fn is_own_key(key: &str) -> bool {
    [words::META_RECOVERY, words::META_EARLIER, words::META_LETTER, proven::META_PROOF].contains(&key)
}

/// The bead with gt's own labels and metadata of `from` in place of its own; with none when `from` is none.
pub fn marked_as(mut bead: Bead, from: Option<&Bead>) -> Bead {
    // Requests and mail are made of them.
    if bead.is_letter() {
        return bead;
    }
    let from = from.filter(|from| !from.is_letter());
    bead.labels.retain(|label| !is_own_label(label));
    bead.labels
        .extend(from.iter().flat_map(|from| &from.labels).filter(|label| is_own_label(label)).cloned());
    bead.labels.sort();
    bead.labels.dedup();
    bead.metadata.retain(|key, _| !is_own_key(key));
    let own = from.iter().flat_map(|from| &from.metadata).filter(|(key, _)| is_own_key(key));
    bead.metadata
        .extend(own.map(|(key, value)| (key.clone(), value.clone())).collect::<Vec<(String, Value)>>());
    bead
}

/// A bead of others without what would be an order: gt's labels and metadata are those that the bead has here, only this
/// town gives work to its agents, and only this town takes it back or ends it. Mail that an agent has is as it came: whether
/// it was read and archived is the agent's to say. `ours` tells an address of one of them.
pub fn plain(bead: Bead, own: Option<&Bead>, ours: impl Fn(&str) -> bool) -> Bead {
    let for_agent = |mail: &&Bead| mail.is_mail() && mail.assignee.as_deref().is_some_and(&ours);
    if let Some(mail) = own.filter(for_agent) {
        return mail.clone();
    }
    let mut bead = marked_as(bead, own);
    // Who ended it is still named on what is done: that gives nobody anything to do.
    let holder =
        own.filter(|own| !own.is_closed() || bead.is_closed()).and_then(|own| own.assignee.as_deref());
    let given = bead.assignee.as_deref().is_some_and(|address| Some(address) != holder && ours(address));
    if !bead.is_letter() && (given || own.is_some_and(|own| in_hand(own, &ours))) {
        let none = Bead { status: words::OPEN.into(), ..Bead::default() };
        stand_as(&mut bead, own.unwrap_or(&none));
    }
    bead
}

/// Whether an agent of this town works on a bead, or its work waits to be merged or to be taken up again: then a patrol or
/// `gt gc` removes things when the bead is closed or another's.
pub fn in_hand(own: &Bead, ours: impl Fn(&str) -> bool) -> bool {
    let waits = [words::LABEL_SUBMITTED, words::LABEL_REWORK].iter().any(|label| own.has_label(label));
    !own.is_letter()
        && !own.is_closed()
        && (waits || (own.is_begun() && own.assignee.as_deref().is_some_and(ours)))
}

/// Makes a bead stand as another does: who has it, and whether it is closed.
pub fn stand_as(bead: &mut Bead, other: &Bead) {
    bead.assignee.clone_from(&other.assignee);
    bead.status.clone_from(&other.status);
    bead.closed_at.clone_from(&other.closed_at);
    bead.close_reason.clone_from(&other.close_reason);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bead(labels: &[&str], assignee: Option<&str>, status: &str) -> Bead {
        Bead {
            id: "wy-1".into(),
            title: "x".into(),
            issue_type: "task".into(),
            status: status.into(),
            updated_at: "2026-01-02T00:00:00Z".into(),
            labels: labels.iter().map(|label| (*label).to_string()).collect(),
            assignee: assignee.map(Into::into),
            ..Bead::default()
        }
    }

    fn ours(address: &str) -> bool {
        own_agent(address).is_some()
    }

    #[test]
    fn only_this_town_says_how_its_work_stands() {
        let mut theirs = bead(&["area", "gt:submitted", "gt:hold"], Some("wyvern/Nux"), "hooked");
        theirs.metadata.insert("recovery".into(), "refs/heads/evil".into());
        theirs.metadata.insert("other".into(), "x".into());
        let new = plain(theirs.clone(), None, ours);
        assert_eq!((new.labels.join(","), new.status.as_str(), new.assignee), ("area".into(), "open", None));
        assert_eq!(new.metadata.keys().collect::<Vec<_>>(), ["other"]);
        let mut own = bead(&["gt:rework"], None, "open");
        own.metadata.insert("recovery".into(), "refs/gt/recovery/Nux/i1".into());
        let known = plain(theirs.clone(), Some(&own), ours);
        assert_eq!(known.labels, ["area", "gt:rework"]);
        assert_eq!((known.meta("recovery"), &known.assignee), (Some("refs/gt/recovery/Nux/i1"), &None));
        // Its own agent has it already, and goes on; an agent of another town may take it.
        let held = bead(&[], Some("wyvern/Nux"), "in_progress");
        assert_eq!(plain(theirs.clone(), Some(&held), ours).status, "in_progress");
        let done = bead(&[], Some("wyvern/Nux"), "closed");
        assert_eq!(
            plain(theirs.clone(), Some(&done), ours).status,
            "closed",
            "merged work is not begun again"
        );
        let away = Bead { assignee: Some("pc-1a2b:wyvern/Nux".into()), ..theirs };
        assert_eq!(plain(away, None, ours).assignee.as_deref(), Some("pc-1a2b:wyvern/Nux"));
    }

    #[test]
    fn mail_of_an_agent_is_opened_again_and_hidden_by_none() {
        let mail = |labels: &[&str], status: &str, to: &str| Bead {
            issue_type: words::MESSAGE.into(),
            ..bead(labels, Some(to), status)
        };
        for (own, theirs) in [("closed", "open"), ("open", "closed")] {
            let (own, theirs) = (mail(&[], own, "mayor/"), mail(&[words::LABEL_READ], theirs, "mayor/"));
            assert_eq!(plain(theirs.clone(), Some(&own), ours), own);
            assert_eq!(plain(theirs.clone(), None, ours), theirs);
        }
        let (own, theirs) = (mail(&[], "open", "overseer"), mail(&[], "closed", "overseer"));
        assert_eq!(plain(theirs.clone(), Some(&own), ours), theirs, "the person is the same everywhere");
    }

    #[test]
    fn an_import_is_foreign_where_its_words_are_new_and_holds_no_request() {
        let mut imported = Imported::default();
        let line = bead(&["gt:submitted"], None, "open");
        let new = imported.take(line.clone(), None, ImportOrigin::Foreign).unwrap();
        assert!(new.foreign && new.labels.is_empty());
        let older = Bead { updated_at: "2026-01-01T00:00:00Z".into(), ..line.clone() };
        let changed = imported.take(line.clone(), Some(&older), ImportOrigin::Foreign).unwrap();
        assert!(!changed.foreign, "what an agent reads is as it was");
        // What a placement rule looks at says where it runs.
        let mut placed = [line.clone(), line.clone(), line.clone()];
        placed[0].labels.push("heavy-compute".into());
        placed[1].priority += 1;
        placed[2].estimated_minutes = Some(600);
        for placed in placed {
            assert!(Imported::default().take(placed, Some(&older), ImportOrigin::Foreign).unwrap().foreign);
        }
        let said = Bead { description: "```sh\nother\n```".into(), ..line.clone() };
        assert!(imported.take(said, Some(&older), ImportOrigin::Foreign).unwrap().foreign);
        assert_eq!(imported.take(older.clone(), Some(&line), ImportOrigin::Foreign), None);
        let request = Bead { issue_type: words::MERGE_REQUEST.into(), ..line.clone() };
        assert_eq!(imported.take(request.clone(), None, ImportOrigin::Foreign), None);
        assert_eq!(
            imported.take(
                line.clone(),
                Some(&Bead { updated_at: String::new(), ..request.clone() }),
                ImportOrigin::Foreign
            ),
            None
        );
        assert_eq!((imported.added, imported.changed), (1, 2));
        assert_eq!((imported.foreign.len(), imported.left_out.len()), (2, 2));
        let own = imported.take(request.clone(), None, ImportOrigin::Own).unwrap();
        assert_eq!(own, request);
    }
}
