//! Place "set aside" (`work.md`): a request leaves the queue without landing, its work is kept, and those concerned
//! are told.

use anyhow::Result;
use serde::Serialize;

use crate::beads::request::{self, Request};
use crate::beads::{Change, Guard, Store, Written};
use crate::config::schema::Rework;
use crate::model::address::Address;
use crate::model::bead::{Bead, Patch};
use crate::model::ids::BeadId;
use crate::model::words;
use crate::programs::git::Git;
use crate::town::ended::Word;
use crate::town::events::TownEvent;
use crate::town::{Rig, Town};
use crate::work::polecat::loss::keep::Shelf;
use crate::work::polecat::queued::{self, QueueEntry};
use crate::work::step;
use crate::work::talk::mail;

/// Why a request is set aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Reason {
    /// It conflicts with the target.
    Conflict {
        /// The files.
        files: Vec<String>,
    },
    /// The tests fail with it.
    Red {
        /// How the test command ended.
        how: String,
        /// The end of its output.
        output: String,
        /// The file with all of it.
        log: String,
    },
    /// It cannot be merged at all.
    Impossible {
        /// What git said.
        said: String,
    },
    /// Its commit is nowhere to be found.
    Missing,
    /// Somebody took it out.
    Rejected {
        /// Who.
        by: String,
        /// What they said.
        said: String,
    },
}

impl Reason {
    /// In one line; the reason that its request is closed with.
    pub fn line(&self) -> String {
        match self {
            Reason::Conflict { files } => format!("conflict: {}", files.join(", ")),
            Reason::Red { how, .. } => format!("red: {how}"),
            Reason::Impossible { said } => format!("cannot be merged: {said}"),
            Reason::Missing => "missing: its commit is neither at origin nor here".into(),
            Reason::Rejected { by, said } if said.is_empty() => format!("rejected by {by}"),
            Reason::Rejected { by, said } => format!("rejected by {by}: {said}"),
        }
    }

    /// All that helps whoever works on it next.
    fn text(&self, request: &Request) -> String {
        let mut text = format!(
            "{} was not merged into {}.\n{}\n",
            request.bead,
            if request.target.is_empty() { "the target" } else { &request.target },
            self.line()
        );
        if let Reason::Red { output, log, .. } = self {
            text.push_str(&format!("\nThe end of the tests' output (all of it: {log}):\n\n{output}\n"));
        }
        text
    }
}

/// What was set aside, for a report.
#[derive(Clone, Debug, Serialize)]
pub struct SetAside {
    /// The request.
    pub request: String,
    /// The bead.
    pub bead: BeadId,
    /// The bead's title.
    pub title: String,
    /// Why.
    #[serde(flatten)]
    pub reason: Reason,
    /// The ref that keeps its commits, in the canonical clone.
    pub recovery: Option<String>,
    /// It waits for a place again.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
}

/// Who sets aside, and where.
pub struct AsideContext<'a> {
    /// The town.
    pub town: &'a Town,
    /// The rig.
    pub rig: &'a Rig,
    /// The rig's store.
    pub store: &'a dyn Store,
    /// Numbers its steps: `process` gives `process.10` and on.
    pub steps: &'a str,
    /// Who has it done again.
    pub rework: Rework,
}

impl AsideContext<'_> {
    /// Sets a request aside whose commits are kept under `recovery`: mail to the Mayor, else to the Overseer, then in one
    /// write the bead (as it was read, if there is one), the request, and the mail to an author who stays. A polecat gets
    /// none: its bead says why, and the next one of its name has other work. Where the settings want it, a polecat's first
    /// attempt waits for a place again instead of for whoever reads mail. `None`: another command took the request out of the
    /// queue meanwhile.
    ///
    /// A kill before that write leaves the request in the queue; the mail may then be sent twice.
    ///
    /// # Errors
    /// When a store cannot be written.
    pub fn set_aside(
        &self,
        request: &Request,
        bead: Option<&Bead>,
        reason: Reason,
        recovery: Option<String>,
    ) -> Result<Option<SetAside>> {
        let from = Address::Refinery(self.rig.name.clone());
        let subject = format!("set aside: {} {}", request.bead, request.title);
        let body = reason.text(request);
        let open = bead.filter(|bead| is_given_back(bead, request));
        let again = open.filter(|_| self.is_done_again(request, &reason));
        if again.is_none() {
            let next = format!(
                "{body}\nwork on it again: gt sling {0}; or merge it as it was: gt mq retry {0}\n",
                request.bead
            );
            let told = mail::message(&from, &mail::in_charge(self.town), &subject, &next);
            self.town.store(&from)?.write(&[], &[Change::Create(Box::new(told))])?;
        }
        step(&format!("{}.10", self.steps));
        let guard = Guard {
            id: request.id.clone(),
            statuses: vec![words::OPEN.into(), words::IN_PROGRESS.into(), words::HOOKED.into()],
            ..Guard::default()
        };
        let mut changes = Vec::new();
        // What has landed otherwise stays landed.
        if let Some(bead) = bead.filter(|bead| !bead.close_reason.starts_with("merged")) {
            let mut patch = bead_patch(bead, request, recovery.as_deref(), &reason.line());
            if again.is_some() {
                let secret = self.town.secret()?;
                let ordered = QueueEntry::ordered(bead, &self.rig.name, &secret);
                let mut flags = ordered.map(|entry| entry.flags).unwrap_or_default();
                flags.retain(|flag| flag != "--resume" && flag != "--force");
                patch.add_labels.push(words::LABEL_QUEUED.into());
                patch.metadata.extend(queued::entry(&bead.id, &self.rig.name, &flags, &secret));
            }
            changes.push(Change::Update(bead.id.clone(), Box::new(patch)));
            changes.push(Change::Comment(bead.id.clone(), body.clone()));
        }
        if let Some(author) = request.author().filter(|author| !author.is_polecat()) {
            changes.push(Change::Create(Box::new(mail::message(&from, &author, &subject, &body))));
        }
        // Last: where a store cannot write all at once, an open request is what brings the rest about again.
        changes.push(Change::Close(request.id.clone(), reason.line()));
        if let Written::Refused(..) = self.store.write(&[guard], &changes)? {
            return Ok(None);
        }
        request::note(self.rig, Word::Ended, [request.id.as_str()])?;
        step(&format!("{}.11", self.steps));
        let next = if again.is_some() { "; another polecat gets it" } else { "" };
        let words = format!("{}: {}{next}", reason.line(), request.title);
        TownEvent::new("set aside", words).bead(&request.bead).of(&request.worker).in_rig(self.rig);
        Ok(Some(SetAside {
            request: request.id.clone(),
            bead: request.bead.clone(),
            title: request.title.clone(),
            reason,
            recovery,
            again: again.is_some(),
        }))
    }

    fn is_done_again(&self, request: &Request, reason: &Reason) -> bool {
        self.rework == Rework::Auto
            && request.attempt <= 1
            && matches!(reason, Reason::Conflict { .. } | Reason::Red { .. })
            && request.author().is_some_and(|author| author.is_polecat())
    }
}

/// Whether the bead is open to everybody once its request is set aside. Another may have it in hand by now; then it stays theirs.
fn is_given_back(bead: &Bead, request: &Request) -> bool {
    let others = bead.assignee.as_deref().is_some_and(|holder| holder != request.worker);
    !others || !bead.is_begun() || bead.has_label(words::LABEL_SUBMITTED)
}

fn bead_patch(bead: &Bead, request: &Request, recovery: Option<&str>, line: &str) -> Patch {
    let mut patch = Patch {
        add_labels: vec![words::LABEL_REWORK.into()],
        remove_labels: vec![words::LABEL_SUBMITTED.into()],
        ..Patch::default()
    };
    patch.metadata.insert(words::META_SET_ASIDE.into(), line.into());
    if is_given_back(bead, request) {
        patch.status = Some(words::OPEN.into());
        patch.assignee = Some(None);
    }
    if recovery.is_some() {
        patch.metadata.extend(bead.recovery_metadata(recovery));
    }
    patch
}

/// Keeps the commits of a request under a recovery ref of the canonical clone; `None` when the commit is nowhere.
///
/// # Errors
/// When the ref cannot be made.
pub fn keep(rig: &Rig, request: &Request) -> Result<Option<String>> {
    let canonical = Git::at(rig.clone_dir());
    let commit = request.commit.as_str();
    if canonical.commit_of(commit)?.is_none() && !canonical.fetch_commit(&rig.refinery_dir(), commit)? {
        return Ok(None);
    }
    let polecat = match request.polecat() {
        "" => "unknown",
        name => name,
    };
    let instance = request.instance.or_unknown();
    let shelf = Shelf::new(&rig.clone_dir(), polecat, &instance, &rig.polecat_dir(polecat));
    let name = shelf.main_ref();
    match canonical.commit_of(&name)? {
        Some(there) if canonical.is_ancestor(commit, &there)? => Ok(Some(name)),
        _ => Ok(shelf.put(&[(String::new(), commit.into())])?.pop()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::town::occupancy;
    use crate::work::fixture::Fixture;

    fn patch(bead: &Bead) -> Patch {
        let request = Request { worker: "wyvern/Nux".into(), ..Request::default() };
        bead_patch(bead, &request, Some("refs/gt/recovery/Nux/i1"), "conflict: a")
    }

    #[test]
    fn a_bead_that_somebody_else_works_on_stays_theirs() {
        let bead = |holder: &str, labels: &[&str]| Bead {
            status: "in_progress".into(),
            assignee: Some(holder.into()),
            labels: labels.iter().map(|label| (*label).into()).collect(),
            ..Bead::default()
        };
        for mine in [bead("wyvern/Nux", &[]), bead("wyvern/Toast", &["gt:submitted"])] {
            assert_eq!(patch(&mine).assignee, Some(None));
            assert_eq!(patch(&mine).status.as_deref(), Some("open"));
        }
        let theirs = patch(&bead("wyvern/Toast", &[]));
        assert_eq!((theirs.assignee, theirs.status), (None, None));
        assert_eq!(theirs.add_labels, ["gt:rework"]);
        assert_eq!(theirs.metadata["recovery"], "refs/gt/recovery/Nux/i1");
    }

    fn set_aside(town: &Fixture, request: &Request, bead: &str) -> Result<Option<SetAside>> {
        set_aside_for(town, request, bead, Rework::Person)
    }

    fn set_aside_for(
        town: &Fixture,
        request: &Request,
        bead: &str,
        rework: Rework,
    ) -> Result<Option<SetAside>> {
        let store = town.rig.store(&Address::Refinery("wyvern".into())).unwrap();
        let setting =
            AsideContext { town: &town.town, rig: &town.rig, store: store.as_ref(), steps: "test", rework };
        let reason = Reason::Conflict { files: vec!["README.md".into()] };
        setting.set_aside(request, Some(&town.show(bead)), reason, Some("refs/gt/recovery/Nux/i-Nux".into()))
    }

    #[test]
    fn everybody_is_told_and_the_bead_can_be_slung_again() {
        let town = Fixture::new();
        let bead = town.bead("Do it", "in_progress", Some("wyvern/Nux"), &["gt:submitted"]);
        let request = town.request(&bead, "Nux", |_| ());
        assert!(set_aside(&town, &request, &bead).unwrap().is_some());
        let left = town.show(&bead);
        assert_eq!((left.status.as_str(), left.assignee.as_deref()), ("open", None));
        assert_eq!(left.labels, ["gt:rework"]);
        assert_eq!(left.metadata["recovery"], "refs/gt/recovery/Nux/i-Nux");
        assert!(town.show(&request.id).is_closed());
        assert_eq!(left.metadata["set_aside"], "conflict: README.md");
        let told = || town.mail().into_iter().map(|(who, _)| who).collect::<Vec<_>>();
        assert_eq!(told(), ["overseer"]);
        // Again, as after a kill: it is out of the queue, and nothing is written.
        assert!(set_aside(&town, &request, &bead).unwrap().is_none());
        assert_eq!(town.show(&bead).comments.len(), 1);
    }

    #[test]
    fn a_polecats_first_attempt_waits_for_a_place_again_where_that_is_wanted() {
        let town = Fixture::new();
        let secret = town.town.secret().unwrap();
        let bead = town.bead("Do it", "in_progress", Some("wyvern/Nux"), &["gt:submitted"]);
        let flags = ["--resume", "--agent=shell"].map(String::from);
        let ordered = Patch { metadata: queued::entry(&bead, "wyvern", &flags, &secret), ..Patch::default() };
        let store = town.rig.store(&Address::Overseer).unwrap();
        store.write(&[], &[Change::Update(bead.clone(), Box::new(ordered))]).unwrap();
        let request = town.request(&bead, "Nux", |_| ());
        let aside = set_aside_for(&town, &request, &bead, Rework::Auto).unwrap().unwrap();
        let left = town.show(&bead);
        assert!(aside.again);
        assert_eq!((left.status.as_str(), left.assignee.as_deref()), ("open", None));
        assert_eq!(left.labels, ["gt:queued", "gt:rework"]);
        assert_eq!(QueueEntry::of(&left, "wyvern", Some(&secret)).unwrap().flags, ["--agent=shell"]);
        assert_eq!(town.mail(), []);
        // The next attempt, and work of one who stays, is the person's.
        for (attempt, worker) in [(2, "wyvern/Nux"), (1, "wyvern/crew/ann")] {
            let bead = town.bead("And that", "in_progress", Some(worker), &["gt:submitted"]);
            let request = town.request(&bead, "Nux", |request| {
                (request.attempt, request.worker) = (attempt, worker.into());
            });
            assert!(!set_aside_for(&town, &request, &bead, Rework::Auto).unwrap().unwrap().again);
            assert_eq!(town.show(&bead).labels, ["gt:rework"], "{worker}");
            assert_eq!(town.mail()[0].0, "overseer", "{worker}");
        }
    }

    #[test]
    fn a_mayor_that_runs_is_told_and_so_is_an_author_who_stays() {
        let town = Fixture::new();
        let lock = occupancy::lock_of(&town.town, &Address::Mayor);
        let _runs = occupancy::take(&lock, ("mayor/", &"i1".into()), None).unwrap();
        let bead = town.bead("Do it", "in_progress", Some("wyvern/crew/ann"), &["gt:submitted"]);
        let request = town.request(&bead, "Nux", |request| request.worker = "wyvern/crew/ann".into());
        assert!(set_aside(&town, &request, &bead).unwrap().is_some());
        let told: Vec<String> = town.mail().into_iter().map(|(who, _)| who).collect();
        assert_eq!(told, ["mayor/", "wyvern/crew/ann"]);
    }

    #[test]
    fn a_store_that_fails_leaves_the_request_in_the_queue() {
        for fails in ["town", "rig"] {
            let town = Fixture::new();
            let bead = town.bead("Do it", "in_progress", Some("wyvern/Nux"), &["gt:submitted"]);
            let request = town.request(&bead, "Nux", |_| ());
            if fails == "town" {
                town.town_store.fail("write")
            } else {
                town.store.fail(&request.id)
            }
            assert!(set_aside(&town, &request, &bead).is_err(), "{fails}");
            assert!(!town.show(&request.id).is_closed(), "{fails}");
            assert!(town.show(&bead).has_label("gt:submitted"), "{fails}");
            town.town_store.heal();
            town.store.heal();
            assert!(set_aside(&town, &request, &bead).unwrap().is_some(), "{fails}");
        }
    }
}
