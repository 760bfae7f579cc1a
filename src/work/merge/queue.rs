//! The merge queue by hand: look at it, put work into it, take work out.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;

use super::aside::{AsideContext, Reason, SetAside};
use crate::base::failure::Failure;
use crate::base::terminal::one_line;
use crate::base::time;
use crate::beads::request::{self, FoundRequest, Request, foreign};
use crate::beads::{Change, Filter, Guard, Store, Written};
use crate::model::address::Address;
use crate::model::bead::{Bead, Patch};
use crate::model::ids::BeadId;
use crate::model::words;
use crate::plan::queue::{Rules, order, superseded};
use crate::programs::git::Git;
use crate::programs::git::pushing::Deletion;
use crate::town::ended::Word;
use crate::town::{Rig, Town, secret};
use crate::work::merge::progress::MergeProgress;
use crate::work::merge::{approval, aside, bench};
use crate::work::observe::around::unknown;
use crate::work::step;

/// The state of a bead that came back.
const SET_ASIDE: &str = "set aside";

/// Metadata key of a request that cannot be merged until a person does something: what failed. It is said once.
pub const META_FAILURE: &str = "failure";

/// What one look at a store found.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    /// Open requests, in the order of the queue.
    pub requests: Vec<Request>,
    /// Beads by id: theirs, and whatever was read with them.
    pub beads: BTreeMap<String, Bead>,
    /// Open requests without a proof of this town, by id: others made them, or changed them.
    pub foreign: Vec<Bead>,
}

impl Queue {
    /// The queue among beads that were read: the open requests, in their order.
    pub fn of(found: Vec<Bead>) -> Queue {
        let mut requests: Vec<Request> = found.iter().filter_map(Request::from_bead).collect();
        order(&mut requests);
        let foreign = found.iter().filter(|bead| bead.is_request() && bead.foreign).cloned().collect();
        Queue { requests, foreign, beads: found.into_iter().map(|bead| (bead.id.clone(), bead)).collect() }
    }

    /// What waits, in its order; foreign requests last.
    pub fn rows(&self) -> Vec<RequestRow> {
        let row = |request: &Request| {
            RequestRow::new(request, self.bead(request), words::OPEN).of(self.beads.get(&request.id))
        };
        self.requests.iter().map(row).chain(self.foreign.iter().map(RequestRow::foreign)).collect()
    }

    /// The bead of a request; `None` when it is gone from the store.
    pub fn bead(&self, request: &Request) -> Option<&Bead> {
        self.beads.get(&*request.bead)
    }

    /// What was written down of a request that cannot be merged.
    pub fn failure(&self, id: &str) -> Option<&str> {
        self.beads.get(id)?.meta(META_FAILURE)
    }

    /// Why the last run left it for a person's consent.
    pub fn unapproved(&self, request: &Request) -> Option<&str> {
        approval::noted(self.beads.get(&request.id)?, &request.commit)
    }

    /// Whether a person keeps its bead back.
    pub fn held(&self, request: &Request) -> bool {
        self.bead(request).is_some_and(|bead| bead.has_label(words::LABEL_HOLD))
    }
}

/// The open requests of a store, in their order, with their beads. One call of the real bd, or two when a bead in the
/// queue is closed.
///
/// # Errors
/// When the store cannot be read.
pub fn look(store: &dyn Store) -> Result<Queue> {
    let found = store.list(&if store.is_dear() { Filter::alive() } else { Filter::open_requests() })?;
    let mut queue = Queue::of(found);
    let (requests, beads) = (&queue.requests, &mut queue.beads);
    let ids: Vec<String> = requests
        .iter()
        .map(|request| request.bead.to_string())
        .filter(|id| !beads.contains_key(id))
        .collect();
    if !ids.is_empty() {
        let others = store.list(&Filter { ids, ..Filter::default() })?;
        beads.extend(others.into_iter().map(|bead| (bead.id.clone(), bead)));
    }
    Ok(queue)
}

/// The queue of a rig, in its order, and the beads that came back. No process with the embedded store.
///
/// # Errors
/// When the store cannot be read.
pub fn list(rig: &Rig, me: &Address) -> Result<(Vec<RequestRow>, Vec<RequestRow>)> {
    let store = rig.store(me)?;
    let queue = look(store.as_ref())?;
    Ok((queue.rows(), came_back(store.as_ref(), &queue)?))
}

/// How much waits in a rig, and what came back.
///
/// # Errors
/// When the store cannot be read.
pub fn counts(rig: &Rig, me: &Address) -> Result<Counts> {
    let store = rig.store(me)?;
    let queue = look(store.as_ref())?;
    Ok(Counts {
        rig: rig.name.clone(),
        waiting: queue.requests.len(),
        for_approval: queue.requests.iter().filter(|request| queue.unapproved(request).is_some()).count(),
        held: queue.requests.iter().filter(|request| queue.held(request)).count(),
        foreign: queue.foreign.len(),
        oldest: queue.requests.iter().map(|request| request.created.clone()).min(),
        busy: bench::is_busy(rig)?,
        set_aside: came_back(store.as_ref(), &queue)?.len(),
        progress: MergeProgress::read(rig),
    })
}

/// The beads that came back from the queue, with the reasons. No call of the real bd: the look read them.
fn came_back(store: &dyn Store, queue: &Queue) -> Result<Vec<RequestRow>> {
    if store.is_dear() {
        return Ok(queue.beads.values().filter_map(RequestRow::set_aside).collect());
    }
    let filter = Filter {
        statuses: vec![words::OPEN.into()],
        labels: vec![words::LABEL_REWORK.into()],
        ..Filter::default()
    };
    Ok(store.list(&filter)?.iter().filter_map(RequestRow::set_aside).collect())
}

/// What [`super::refinery::process`] would do.
#[derive(Clone, Debug, Default)]
pub struct Planned {
    /// What it would merge, in the order of its batches.
    pub merged: Vec<Request>,
    /// What a person keeps back.
    pub held: Vec<Request>,
    /// What waits for a person's consent, and why.
    pub unapproved: Vec<(Request, String)>,
}

/// What [`super::refinery::process`] would do, read from the store alone. What a request changes is known once a run has
/// looked at it.
///
/// # Errors
/// When the store or the configuration cannot be read.
pub fn plan(town: &Town, rig: &Rig, only: Option<&str>, rules: Rules, me: &Address) -> Result<Planned> {
    let queue = look(rig.store(me)?.as_ref())?;
    let secret = secret::read(&town.root)?;
    let asked = |request: &&Request| only.is_none_or(|id| request.id == id);
    let (held, free): (Vec<&Request>, Vec<&Request>) =
        queue.requests.iter().filter(asked).partition(|request| queue.held(request));
    let held = held.into_iter().cloned().collect();
    let mut planned = Planned { held, ..Planned::default() };
    for request in superseded(free.into_iter().cloned().collect()).0 {
        let bead = queue.beads.get(&request.id);
        let approved = bead.is_some_and(|bead| approval::is_approved(secret.as_ref(), &request, bead));
        let noted = queue.unapproved(&request).filter(|_| !approved).map(String::from);
        match rules.needs(&[]).filter(|_| !approved).map(|needs| needs.words()).or(noted) {
            Some(why) => planned.unapproved.push((request, why)),
            None => planned.merged.push(request),
        }
    }
    Ok(planned)
}

/// The request that a person means: its id, `polecat-BEAD`, its bead, the polecat's name or address.
///
/// # Errors
/// When none waits, or several do.
pub fn waiting(rig: &Rig, what: &str, me: &Address) -> Result<Request> {
    let queue = look(rig.store(me)?.as_ref())?;
    let (current, _) = superseded(queue.requests);
    let bead = what.strip_prefix("polecat-").unwrap_or(what);
    let address = Address::parse(what).map(|address| address.to_string()).unwrap_or_default();
    let meant = |request: &&Request| {
        request.id == what || request.bead == bead || request.polecat() == what || request.worker == address
    };
    let found: Vec<&Request> = current.iter().filter(meant).collect();
    match found.as_slice() {
        [one] => Ok((*one).clone()),
        [] if queue.foreign.iter().any(|bead| bead.id == what) => Err(foreign(what).into()),
        [] => Err(Failure::new(format!("nothing in the queue of {} goes by {what}", rig.name))
            .hint(format!("see it with: gt mq list {}", rig.name))
            .into()),
        several => {
            let ids: Vec<&str> = several.iter().map(|request| request.id.as_str()).collect();
            Err(Failure::usage(format!("{what} has several requests in the queue"))
                .hint(format!("say which: {}", ids.join(", ")))
                .into())
        }
    }
}

/// Finds a request in a rig by its own id, or by its bead's: of several the one in the queue, else the last.
///
/// # Errors
/// When there is none.
pub fn find(rig: Rig, id: &str, me: &Address) -> Result<FoundRequest> {
    let store = rig.store(me)?;
    let Some(bead) = store.list(&Filter { ids: vec![id.into()], ..Filter::default() })?.pop() else {
        return Err(unknown(store.as_ref(), id).into());
    };
    match Request::read(&bead) {
        Some(Ok(request)) => return Ok(FoundRequest { rig, bead, request }),
        // Nothing of what it says is believed, so it is only looked at, or closed.
        Some(Err(_)) => {
            return Ok(FoundRequest { rig, request: Request { id: id.into(), ..Request::default() }, bead });
        }
        None => {}
    }
    let statuses = [words::OPEN, words::IN_PROGRESS, words::HOOKED, words::CLOSED].map(Into::into).to_vec();
    let all =
        store.list(&Filter { types: vec![words::MERGE_REQUEST.into()], statuses, ..Filter::default() })?;
    let of_bead = |own: Bead| {
        Request::from_bead(&own).filter(|request| request.bead == id).map(|request| (request, own))
    };
    let last = all.into_iter().filter_map(of_bead).max_by(|(a, one), (b, other)| {
        (!one.is_closed(), a.attempt, &a.created).cmp(&(!other.is_closed(), b.attempt, &b.created))
    });
    match last {
        Some((request, bead)) => Ok(FoundRequest { rig, bead, request }),
        None => Err(Failure::new(format!("{id} has no merge request: it is {}", bead.status))
            .hint(format!("see the requests with: gt mq list {}", rig.name))
            .into()),
    }
}

/// Puts a request that was set aside back in the queue, as it was.
///
/// # Errors
/// When it is open, merged or replaced, or somebody has its bead meanwhile; nothing is changed then.
pub fn retry(found: &FoundRequest, me: &Address, dry: bool) -> Result<()> {
    let (request, id) = (&found.request, &found.bead.id);
    if found.bead.foreign {
        return Err(foreign(id).into());
    }
    if !found.bead.is_closed() {
        crate::fail!("{id} is in the queue already"; "merge it now with: gt refinery merge {id}");
    }
    if found.bead.close_reason.starts_with("merged") {
        crate::fail!("{id} is merged: {}", found.bead.close_reason);
    }
    if dry {
        return Ok(());
    }
    let closed = Guard { id: id.clone(), statuses: vec![words::CLOSED.into()], ..Guard::default() };
    let free = Guard {
        id: request.bead.to_string(),
        statuses: vec![words::OPEN.into()],
        assignee: Some(None),
        lacks_labels: vec![words::LABEL_HOLD.into()],
        ..Guard::default()
    };
    let reopen = Patch { status: Some(words::OPEN.into()), ..Patch::default() };
    let submit = Patch {
        status: Some(words::IN_PROGRESS.into()),
        assignee: Some(Some(request.worker.clone()).filter(|worker| !worker.is_empty())),
        add_labels: vec![words::LABEL_SUBMITTED.into()],
        remove_labels: vec![words::LABEL_REWORK.into(), words::LABEL_QUEUED.into()],
        ..Patch::default()
    };
    let changes = [
        Change::Update(id.clone(), Box::new(reopen)),
        Change::Update(request.bead.to_string(), Box::new(submit)),
    ];
    match found.rig.store(me)?.write(&[closed, free], &changes)? {
        Written::Done(_) => {
            request::note(&found.rig, Word::Again, [id.as_str()])?;
            step("retry.1");
            Ok(())
        }
        Written::Refused(guard, None) => crate::fail!("{} is gone", guard.id),
        Written::Refused(_, Some(bead)) => {
            let holder = bead.assignee.as_deref().unwrap_or("nobody");
            crate::fail!(
                "{} cannot go back: {} is {}, held by {holder}", id, bead.id, bead.status;
                "look at it with: gt bd show {}", bead.id
            )
        }
    }
}

/// Takes a request out of the queue: its bead is set aside. A foreign one is closed, and nothing that it names is touched.
///
/// # Errors
/// When it is not in the queue, or a store or ref cannot be written.
pub fn reject(
    town: &Town,
    found: &FoundRequest,
    me: &Address,
    reason: Option<&str>,
    dry: bool,
) -> Result<Option<SetAside>> {
    if found.bead.is_closed() {
        crate::fail!("{} is not in the queue: {}", found.bead.id, found.bead.close_reason);
    }
    if dry {
        return Ok(None);
    }
    let store = found.rig.store(&Address::Refinery(found.rig.name.clone()))?;
    if found.bead.foreign {
        let said = reason.map(|said| format!(": {said}")).unwrap_or_default();
        let close = Change::Close(found.bead.id.clone(), format!("foreign, rejected by {me}{said}"));
        store.write(&[], &[close])?;
        return Ok(None);
    }
    let bead = store.list(&Filter { ids: vec![found.request.bead.to_string()], ..Filter::default() })?.pop();
    let setting = AsideContext {
        town,
        rig: &found.rig,
        store: store.as_ref(),
        steps: "reject",
        rework: crate::config::schema::Rework::Person,
    };
    let reason = Reason::Rejected { by: me.to_string(), said: reason.unwrap_or_default().into() };
    let recovery = aside::keep(&found.rig, &found.request)?;
    step("reject.8");
    // A branch that no polecat of this town made is its owner's.
    if recovery.is_some() && found.request.made_its_branch(&found.rig.town) {
        let branch = Deletion { branch: found.request.branch.clone(), commit: found.request.commit.clone() };
        // One that has moved on, or was never pushed, stays as it is.
        Git::at(found.rig.clone_dir()).delete_branches(&[branch])?;
    }
    step("reject.9");
    match setting.set_aside(&found.request, bead.as_ref(), reason, recovery)? {
        Some(aside) => Ok(Some(aside)),
        None => {
            crate::fail!("{} left the queue meanwhile", found.bead.id; "look at it with: gt mq show {}", found.bead.id)
        }
    }
}

/// Two requests that touch the same files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Overlap {
    /// The request that comes first.
    pub first: String,
    /// The other.
    pub second: String,
    /// Files both change.
    pub files: Vec<String>,
}

/// Which requests of a queue touch the same files; those whose commits are not here are named second. One git process a
/// request.
///
/// # Errors
/// When the store or git cannot be read.
pub fn overlap(rig: &Rig, target: &str, me: &Address) -> Result<(Vec<Overlap>, Vec<String>)> {
    let requests = look(rig.store(me)?.as_ref())?.requests;
    let git = Git::at(rig.clone_dir());
    let (mut touched, mut unknown) = (Vec::new(), Vec::new());
    for request in &requests {
        let target = request.target_or(target);
        match git.changed_files(&format!("refs/remotes/origin/{target}"), &request.commit)? {
            Some(files) => touched.push((request.id.clone(), files)),
            None => unknown.push(request.id.clone()),
        }
    }
    let mut found = Vec::new();
    for (place, (first, files)) in touched.iter().enumerate() {
        for (second, others) in &touched[place + 1..] {
            let both: Vec<String> = files.iter().filter(|file| others.contains(file)).cloned().collect();
            if !both.is_empty() {
                found.push(Overlap { first: first.clone(), second: second.clone(), files: both });
            }
        }
    }
    Ok((found, unknown))
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RequestRow {
    /// Its id.
    pub id: String,
    /// The bead that it does.
    pub bead: BeadId,
    /// The bead's title.
    pub title: String,
    /// 0 (first) to 4.
    pub priority: u8,
    /// The branch.
    pub branch: String,
    /// The commit that was handed over.
    pub commit: String,
    /// Where it is to land.
    pub target: String,
    /// Who did it.
    pub worker: String,
    /// Since when it waits: RFC 3339, UTC.
    pub created: String,
    /// 1 for the first try of the bead.
    pub attempt: u32,
    /// A person keeps its bead back.
    pub held: bool,
    /// `open`, or what closed it; `set aside` for a bead that came back.
    pub state: String,
    /// What keeps it from being merged until a person does something; why it was set aside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Why it waits for a person's consent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs_approval: Option<String>,
    /// This town did not make it, or others changed it: it is not merged.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub foreign: bool,
}

impl RequestRow {
    /// The row of a request; `bead` when it was read.
    pub fn new(request: &Request, bead: Option<&Bead>, state: &str) -> RequestRow {
        RequestRow {
            id: request.id.clone(),
            bead: request.bead.clone(),
            title: request.title.clone(),
            priority: request.priority,
            branch: request.branch.clone(),
            commit: request.commit.clone(),
            target: request.target.clone(),
            worker: request.worker.clone(),
            created: request.created.clone(),
            attempt: request.attempt,
            held: bead.is_some_and(|bead| bead.has_label(words::LABEL_HOLD)),
            state: state.into(),
            failure: None,
            needs_approval: None,
            foreign: false,
        }
    }

    /// The row of a foreign request, with as much of what it says as can be read.
    pub fn foreign(own: &Bead) -> RequestRow {
        let state = if own.is_closed() { own.close_reason.as_str() } else { own.status.as_str() };
        let known = |request: &Request| RequestRow::new(request, None, state);
        let none = Request { id: own.id.clone(), title: own.title.clone(), ..Request::default() };
        match Request::read(own) {
            Some(Err(why)) => RequestRow { foreign: true, failure: Some(why), ..known(&none) },
            Some(Ok(request)) => RequestRow { foreign: true, ..known(&request) },
            None => RequestRow { foreign: true, ..known(&none) },
        }
    }

    /// The row of a bead that came back from the queue, with the reason; `None` for any other.
    pub fn set_aside(bead: &Bead) -> Option<RequestRow> {
        if bead.status != words::OPEN || !bead.has_label(words::LABEL_REWORK) {
            return None;
        }
        let request = Request {
            bead: bead.into(),
            title: bead.title.clone(),
            priority: bead.priority,
            created: bead.updated_at.clone(),
            ..Request::default()
        };
        let reason = bead.meta(words::META_SET_ASIDE).unwrap_or("see its comments");
        Some(RequestRow { failure: Some(reason.into()), ..RequestRow::new(&request, Some(bead), SET_ASIDE) })
    }

    /// A bead that came back, in one line.
    pub fn came_back(&self) -> String {
        let reason = one_line(self.failure.as_deref().unwrap_or_default());
        format!("{SET_ASIDE}  {}  {reason}: {}", self.bead, one_line(&self.title))
    }

    /// The same with what its own bead says of a failure.
    #[must_use]
    pub fn of(self, request: Option<&Bead>) -> RequestRow {
        let failure = request.and_then(|own| own.meta(META_FAILURE)).map(Into::into);
        let needs = request.and_then(|own| approval::noted(own, &self.commit));
        RequestRow { failure, needs_approval: needs.map(Into::into), ..self }
    }

    /// How long it waits, as a word.
    pub fn age(&self, now: &str) -> String {
        time::seconds_between(&self.created, now).map_or_else(|| "?".into(), time::short_age)
    }
}

/// How much waits in one rig.
#[derive(Clone, Debug, Serialize)]
pub struct Counts {
    /// The rig.
    pub rig: String,
    /// Requests that wait.
    pub waiting: usize,
    /// Of these, held by a person.
    pub held: usize,
    /// Of these, waiting for a person's consent.
    pub for_approval: usize,
    /// Open requests that this town did not make, or that others changed.
    pub foreign: usize,
    /// Since when the oldest waits.
    pub oldest: Option<String>,
    /// A command merges at this moment.
    pub busy: bool,
    /// Beads that came back from the queue and wait to be slung again.
    pub set_aside: usize,
    /// What the command that merges does, and what came of the last.
    #[serde(flatten)]
    pub progress: MergeProgress,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::proof::Secret;
    use crate::work::fixture::Fixture;

    #[test]
    fn what_has_no_proof_of_this_town_is_in_the_store_and_not_in_the_queue() {
        let town = Fixture::new();
        let own = town.request("wy-1", "Nux", |_| ());
        let forged = |id: &str, secret: &Secret| Request { id: id.into(), ..own.clone() }.to_bead(secret);
        let mut unsigned = forged("wy-unsigned", &town.town.secret().unwrap());
        unsigned.metadata.remove("proof");
        let mut copy = forged("wy-copy", &Secret::new([1; 32]));
        copy.metadata = own.to_bead(&town.town.secret().unwrap()).metadata;
        let others = [unsigned, copy, forged("wy-theirs", &Secret::new([1; 32]))];
        let store = town.rig.store(&Address::Overseer).unwrap();
        store.write(&[], &others.map(|new| Change::Create(Box::new(new)))).unwrap();
        let queue = look(store.as_ref()).unwrap();
        assert_eq!(queue.requests, [own]);
        let mut foreign: Vec<&str> = queue.foreign.iter().map(|bead| bead.id.as_str()).collect();
        foreign.sort_unstable();
        assert_eq!(foreign, ["wy-copy", "wy-theirs", "wy-unsigned"]);
    }
}
