//! The last steps of a merge, shared by the queue and direct landing: written down, pushed, closed in the store.

use anyhow::Result;
use serde::Serialize;

use super::bench::{Bench, SeenOrigin};
use crate::beads::request::{self, Request};
use crate::beads::{Change, Store};
use crate::config::schema::Strategy;
use crate::model::bead::{Bead, Patch};
use crate::model::ids::BeadId;
use crate::model::words;
use crate::programs::git::pushing::{Deletion, Landing};
use crate::town::ended::Word;
use crate::town::events::TownEvent;
use crate::work::merge::aside;
use crate::work::step;

/// One request that lands, or has landed.
#[derive(Clone, Debug)]
pub struct Lands {
    /// The request; without an id when it never was in the queue.
    pub request: Request,
    /// Its bead, as it was read.
    pub bead: Option<Bead>,
    /// As which commit of the target.
    pub commit: String,
    /// It is on the target already.
    pub was_there: bool,
    /// Its branch at origin, which goes with it.
    pub deletion: Option<Deletion>,
    /// Why its branch stays at origin.
    pub kept: Option<String>,
}

impl Lands {
    /// For a report.
    pub fn row(&self) -> Merged {
        Merged {
            request: self.request.id.clone(),
            bead: self.request.bead.clone(),
            title: self.request.title.clone(),
            commit: self.commit.clone(),
            was_there: self.was_there,
            branch_kept: self.kept.clone(),
        }
    }
}

/// What came of the push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// All of it is at origin.
    Done,
    /// Origin moved meanwhile; nothing was changed.
    Moved,
    /// The server said no; its words. Nothing was changed.
    Refused(String),
}

/// Prepares one landing: what goes of its branch, and why it stays if it does.
///
/// # Errors
/// When git cannot compare commits.
pub fn lands(
    bench: &Bench<'_>,
    seen: &SeenOrigin,
    request: Request,
    bead: Option<Bead>,
    commit: String,
    was_there: bool,
) -> Result<Lands> {
    let deletion = bench.deletion(seen, &request)?;
    let late = seen.branches.contains_key(&request.branch) && deletion.is_none();
    let kept = late.then(|| format!("{}, which has commits that were never handed over,", request.branch));
    Ok(Lands { request, bead, commit, was_there, deletion, kept })
}

/// Pushes the target to `front` (steps 4 and 5); where it stands there already only branches go.
///
/// # Errors
/// When a ref cannot be written, or origin cannot be reached.
pub fn push(
    bench: &Bench<'_>,
    steps: &str,
    seen: &SeenOrigin,
    front: &str,
    lands: &mut [Lands],
) -> Result<Pushed> {
    for one in lands.iter().filter(|one| one.deletion.is_some() && is_rewritten(bench, one)) {
        // Its own commits are on no branch once this one is gone.
        aside::keep(bench.rig, &one.request)?;
    }
    let new = lands.iter().filter(|one| !one.was_there);
    bench.record(&new.map(|one| (one.request.commit.clone(), one.commit.clone())).collect::<Vec<_>>())?;
    step(&format!("{steps}.4"));
    if front == seen.tip {
        let deletions: Vec<Deletion> = lands.iter().filter_map(|one| one.deletion.clone()).collect();
        if !bench.delete_branches(&deletions)? {
            lands.iter_mut().for_each(keeps_branch);
        }
        return Ok(Pushed::Done);
    }
    loop {
        let deletions: Vec<Deletion> = lands.iter().filter_map(|one| one.deletion.clone()).collect();
        match bench.push(&seen.target, front, &deletions)? {
            Landing::Done => break,
            Landing::Moved => return Ok(Pushed::Moved),
            Landing::Refused(said) => return Ok(Pushed::Refused(said)),
            Landing::KeepsBranches(kept) => {
                let refused =
                    |one: &&mut Lands| one.deletion.as_ref().is_some_and(|own| kept.contains(&own.branch));
                let mut refused: Vec<&mut Lands> = lands.iter_mut().filter(refused).collect();
                if refused.is_empty() {
                    return Ok(Pushed::Refused(format!("it keeps {}", kept.join(", "))));
                }
                refused.iter_mut().for_each(|one| keeps_branch(one));
            }
        }
    }
    step(&format!("{steps}.5"));
    Ok(Pushed::Done)
}

fn keeps_branch(one: &mut Lands) {
    if let Some(deletion) = one.deletion.take() {
        one.kept = Some(format!("{}, which the server does not let go,", deletion.branch));
    }
}

fn is_rewritten(bench: &Bench<'_>, one: &Lands) -> bool {
    if one.was_there { one.commit != one.request.commit } else { bench.merge.strategy != Strategy::Merge }
}

/// Closes beads and requests with their commits, in one write (steps 6 and 7). `green` is the target's new commit
/// when its tests were green.
///
/// # Errors
/// When the store or a ref cannot be written: the next run finds what has landed and goes on here.
pub fn close(
    bench: &Bench<'_>,
    store: &dyn Store,
    steps: &str,
    lands: &[Lands],
    green: Option<&str>,
) -> Result<()> {
    let changes: Vec<Change> = lands.iter().flat_map(changes).collect();
    if !changes.is_empty() {
        store.write(&[], &changes)?;
        let ids = lands.iter().map(|one| one.request.id.as_str()).filter(|id| !id.is_empty());
        request::note(bench.rig, Word::Ended, ids)?;
    }
    step(&format!("{steps}.6"));
    for Lands { request, .. } in lands {
        TownEvent::new("merged", &request.title).bead(&request.bead).of(&request.worker).in_rig(bench.rig);
    }
    let commits: Vec<String> = lands.iter().map(|one| one.request.commit.clone()).collect();
    bench.forget(&commits, green)?;
    // Also of one that an earlier run deleted and was killed after.
    let gone = lands.iter().filter(|one| one.kept.is_none()).map(|one| one.request.branch.as_str());
    bench.branches_are_gone(gone)?;
    step(&format!("{steps}.7"));
    Ok(())
}

fn changes(one: &Lands) -> Vec<Change> {
    let reason = format!("merged: {}", one.commit);
    let mut changes = Vec::new();
    if let Some(bead) = &one.bead {
        let labels = [words::LABEL_SUBMITTED, words::LABEL_REWORK];
        let remove_labels =
            labels.iter().filter(|label| bead.has_label(label)).map(ToString::to_string).collect();
        let patch = Patch { remove_labels, ..Patch::default() };
        if !patch.remove_labels.is_empty() {
            changes.push(Change::Update(bead.id.clone(), Box::new(patch)));
        }
        if let Some(kept) = &one.kept {
            let text =
                format!("{} was merged as {}; {kept} stays at origin.", one.request.commit, one.commit);
            changes.push(Change::Comment(bead.id.clone(), text));
        }
        changes.push(Change::Close(bead.id.clone(), reason.clone()));
    }
    if !one.request.id.is_empty() {
        changes.push(Change::Close(one.request.id.clone(), reason));
    }
    changes
}

/// One request that landed.
#[derive(Clone, Debug, Serialize)]
pub struct Merged {
    /// The request; empty for one that never was in the queue.
    pub request: String,
    /// The bead.
    pub bead: BeadId,
    /// The bead's title.
    pub title: String,
    /// As which commit.
    pub commit: String,
    /// It was on the target already.
    pub was_there: bool,
    /// Its branch at origin stays, because later commits are on it or origin keeps it.
    pub branch_kept: Option<String>,
}
