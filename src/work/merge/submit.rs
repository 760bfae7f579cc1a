//! Work on its way into the queue: one request for (branch, commit), the bead "submitted", mail to the witness. The
//! same for `gt done` and for what comes home from other machines.

use anyhow::Result;

use crate::base::proof::Secret;
use crate::base::time;
use crate::beads::request::{self, Request};
use crate::beads::{Change, Filter, Guard, Store, Written, random_id};
use crate::model::address::Address;
use crate::model::bead::{Bead, NewBead, Patch};
use crate::model::ids::InstanceId;
use crate::model::words;
use crate::plan::homecoming::{META_LETTER, with_letter};
use crate::town::Rig;
use crate::town::ended::Word;
use crate::town::events::TownEvent;
use crate::work::talk::mail;

/// How the reason of a bead begins that was closed without changes.
pub const NO_CHANGES: &str = "no changes: ";

/// Requests, with whether they are open.
pub type Requests = Vec<(Request, bool)>;

/// All requests of the store.
///
/// # Errors
/// When the store cannot be read.
pub fn requests(store: &dyn Store) -> Result<Requests> {
    let statuses = [words::OPEN, words::HOOKED, words::IN_PROGRESS, words::CLOSED].map(Into::into).to_vec();
    let beads =
        store.list(&Filter { types: vec![words::MERGE_REQUEST.into()], statuses, ..Filter::default() })?;
    Ok(among(&beads))
}

fn among(beads: &[Bead]) -> Requests {
    beads.iter().filter_map(|bead| Some((Request::from_bead(bead)?, !bead.is_closed()))).collect()
}

/// A bead, and all requests: one call of the real bd.
///
/// # Errors
/// When the store cannot be read.
pub fn bead_and_requests(store: &dyn Store, id: &str) -> Result<(Option<Bead>, Requests)> {
    if !store.is_dear() {
        let mut found = store.list(&Filter { ids: vec![id.into()], ..Filter::default() })?;
        return Ok((found.pop(), requests(store)?));
    }
    let all = store.list(&Filter { all: true, ..Filter::default() })?;
    let requests = among(&all);
    Ok((all.into_iter().find(|bead| bead.id == id), requests))
}

/// Work that is handed in, as it was found.
pub struct Submission<'a> {
    /// The rig's store.
    pub store: &'a dyn Store,
    /// The rig.
    pub rig: &'a Rig,
    /// The town's secret, which the request is proven with.
    pub secret: &'a Secret,
    /// Who did it.
    pub worker: &'a Address,
    /// The instance id of the worker's session.
    pub instance: &'a InstanceId,
    /// The bead, as it was read.
    pub bead: &'a Bead,
    /// The branch.
    pub branch: &'a str,
    /// The commit.
    pub commit: &'a str,
    /// Where it is to land.
    pub target: &'a str,
    /// The requests of the store.
    pub requests: &'a Requests,
    /// What comes with work from elsewhere.
    pub brought: Brought<'a>,
}

/// What comes with work from another machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Brought<'a> {
    /// The id of the letter it was handed in with; empty for work done here.
    pub letter: &'a str,
    /// What is to be known about it.
    pub notes: &'a str,
    /// Beads of new work that it found.
    pub found: &'a [NewBead],
    /// The witness was told by an earlier run, in a store that cannot write all at once.
    pub told: bool,
}

/// What was made of work that was handed in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Handed {
    /// The new request; empty when there was one already.
    pub request: String,
    /// The beads of the new work.
    pub found: Vec<String>,
}

impl Submission<'_> {
    /// An open request for the bead: the one for this very commit where there are two, because an earlier run ended
    /// between making the new one and closing the old.
    pub fn open_request(&self) -> Option<&Request> {
        let of_bead = || self.requests.iter().filter(|(request, open)| *open && request.bead == self.bead.id);
        let same = of_bead().find(|(request, _)| request.commit == self.commit);
        same.or_else(|| of_bead().next()).map(|(request, _)| request)
    }

    /// The request that this work makes.
    pub fn new_request(&self) -> Request {
        let prefix = match self.rig.config.beads.prefix.as_str() {
            "" => self.bead.id.rsplit_once('-').map_or(self.bead.id.as_str(), |(prefix, _)| prefix),
            own => own,
        };
        let earlier = self.requests.iter().filter(|(request, open)| !open && request.bead == self.bead.id);
        Request {
            id: random_id(prefix),
            rig: self.rig.name.clone(),
            branch: self.branch.into(),
            commit: self.commit.into(),
            target: self.target.into(),
            bead: self.bead.into(),
            worker: self.worker.to_string(),
            instance: self.instance.into(),
            created: time::now(),
            attempt: earlier.map(|(request, _)| request.attempt).max().unwrap_or(0) + 1,
            letter: self.brought.letter.into(),
            priority: self.bead.priority,
            title: self.bead.title.clone(),
        }
    }

    /// One write: the request, the bead "submitted", mail to the witness, and what came along. An earlier request that
    /// was not merged yet is replaced. Gives the new request's id; `None`: the bead, or the request to be replaced,
    /// changed meanwhile, and nothing was written.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn submit(&self, replaced: Option<&Request>, new: Option<&Request>) -> Result<Option<Handed>> {
        let id = &self.bead.id;
        let was_submitted = replaced.is_some() || self.bead.has_label(words::LABEL_SUBMITTED);
        let mut guards = vec![Guard {
            id: id.clone(),
            statuses: vec![self.bead.status.clone()],
            assignee: Some(self.bead.assignee.clone()),
            lacks_labels: if was_submitted { Vec::new() } else { vec![words::LABEL_SUBMITTED.into()] },
            ..Guard::default()
        }];
        let mut changes = Vec::new();
        if let Some(old) = replaced {
            guards.push(Guard { id: old.id.clone(), statuses: vec![words::OPEN.into()], ..Guard::default() });
        }
        if let Some(new) = new {
            let mut bead = new.to_bead(self.secret);
            bead.notes = self.brought.notes.into();
            changes.push(Change::Create(Box::new(bead)));
        }
        if let Some(old) = replaced {
            changes.push(Change::Close(old.id.clone(), format!("superseded by {}", self.commit)));
        }
        changes.extend(self.brought());
        let mut patch = Patch {
            status: Some(words::IN_PROGRESS.into()),
            assignee: Some(Some(self.worker.to_string())),
            add_labels: vec![words::LABEL_SUBMITTED.into()],
            remove_labels: vec![words::LABEL_REWORK.into()],
            ..Patch::default()
        };
        patch.metadata.extend(self.bead.recovery_metadata(None));
        self.came_home(&mut patch);
        let subject = format!("{} done: {}", id, self.bead.title);
        let body = format!("Branch {} at {}, for {}.\n", self.branch, self.commit, self.target);
        let update = Change::Update(id.clone(), Box::new(patch));
        let mail = self.mail(&subject, &body);
        // The last change to the bead says that all was done, where a store cannot write all at once.
        if self.brought.letter.is_empty() {
            changes.extend(std::iter::once(update).chain(mail));
        } else {
            changes.extend(mail.into_iter().chain([update]));
        }
        let handed = self.write(&guards, &changes, new.is_some())?;
        let old = replaced.filter(|_| handed.is_some()).map(|old| old.id.as_str());
        request::note(self.rig, Word::Ended, old)?;
        if handed.is_some() {
            TownEvent::new("done", &self.bead.title).bead(id).of(self.worker).in_rig(self.rig);
        }
        Ok(handed)
    }

    /// One write: the bead closed because nothing had to be changed, and mail to the witness. `None`: it changed
    /// meanwhile, and nothing was written.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn close(&self, reason: &str) -> Result<Option<Handed>> {
        let id = &self.bead.id;
        let guard = Guard {
            id: id.clone(),
            assignee: Some(self.bead.assignee.clone()),
            lacks_labels: vec![words::LABEL_SUBMITTED.into()],
            ..Guard::default()
        };
        let subject = format!("{id} closed without changes: {}", self.bead.title);
        let close = Change::Close(id.clone(), format!("{NO_CHANGES}{reason}"));
        let mut changes = self.brought();
        if self.brought.letter.is_empty() {
            changes.extend(std::iter::once(close).chain(self.mail(&subject, reason)));
        } else {
            let mut patch = Patch::default();
            self.came_home(&mut patch);
            changes.extend(self.mail(&subject, reason));
            changes.extend([close, Change::Update(id.clone(), Box::new(patch))]);
        }
        self.write(&[guard], &changes, false)
    }

    fn write(&self, guards: &[Guard], changes: &[Change], request: bool) -> Result<Option<Handed>> {
        let Written::Done(ids) = self.store.write(guards, changes)? else { return Ok(None) };
        let mut ids = ids.into_iter();
        let request = if request { ids.next().unwrap_or_default() } else { String::new() };
        Ok(Some(Handed { request, found: ids.take(self.brought.found.len()).collect() }))
    }

    /// The beads of new work that came along.
    fn brought(&self) -> Vec<Change> {
        self.brought.found.iter().map(|bead| Change::Create(Box::new(bead.clone()))).collect()
    }

    /// The bead is here again, has the notes that came along, and names the letter that was taken in.
    fn came_home(&self, patch: &mut Patch) {
        if self.brought.letter.is_empty() {
            return;
        }
        patch.metadata.insert(META_LETTER.into(), with_letter(self.bead, self.brought.letter).into());
        patch.append_notes = Some(self.brought.notes.to_string()).filter(|notes| !notes.is_empty());
        let away = self.bead.labels.iter().filter(|label| label.starts_with(words::LABEL_REMOTE));
        patch.remove_labels.extend(away.cloned());
    }

    fn mail(&self, subject: &str, body: &str) -> Option<Change> {
        if self.brought.told {
            return None;
        }
        let witness = Address::Witness(self.rig.name.clone());
        let notes = self.brought.notes;
        let body = if notes.is_empty() { body.to_string() } else { format!("{body}\n{notes}\n") };
        let mut mail = mail::message(self.worker, &witness, subject, &body);
        if !self.brought.letter.is_empty() {
            mail.metadata.insert(META_LETTER.into(), self.brought.letter.into());
        }
        Some(Change::Create(Box::new(mail)))
    }
}
