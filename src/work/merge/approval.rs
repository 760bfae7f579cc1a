//! A person's consent to one commit of one request, kept on the request with a proof that only this town can make.

use anyhow::Result;
use serde::Serialize;

use crate::base::proof::{ProofKind, Secret};
use crate::beads::Change;
use crate::beads::request::{FoundRequest, Request};
use crate::config::schema::Approve;
use crate::config::{self, Settings};
use crate::model::address::Address;
use crate::model::bead::{Bead, Patch};
use crate::model::ids::BeadId;
use crate::plan::queue::Rules;
use crate::plan::trust::listed;
use crate::programs::git::Git;
use crate::programs::git::merging::Fold;
use crate::town::{Rig, Town, secret};
use crate::work::agent::trust;

/// Metadata key of a request: the proof of the consent to its commit.
pub const META_APPROVED: &str = "approved";

/// Metadata key of a request that was not merged because it needs a person's consent: its commit, and why.
pub const META_NEEDS: &str = "needs_approval";

/// What a consent is about. Another commit, branch or target of the same request needs another one.
fn fields(request: &Request) -> [&str; 6] {
    [&request.id, &request.rig, &request.bead, &request.branch, &request.commit, &request.target]
}

/// Whether a person of this town consented to the commit of a request. `secret` is the town's, if it has one.
pub fn is_approved(secret: Option<&Secret>, request: &Request, bead: &Bead) -> bool {
    let proof = bead.meta(META_APPROVED).unwrap_or_default();
    secret.is_some_and(|secret| secret.holds(ProofKind::Approval, &fields(request), proof))
}

/// Why a request was not merged without a consent, as the last run wrote it down; nothing for another commit.
pub fn noted<'a>(bead: &'a Bead, commit: &str) -> Option<&'a str> {
    bead.meta(META_NEEDS)?.strip_prefix(commit)?.strip_prefix(' ')
}

/// Writes down why a request was not merged.
pub fn note(request: &Request, why: &str) -> Change {
    let mut patch = Patch::default();
    patch.metadata.insert(META_NEEDS.into(), format!("{} {why}", request.commit).into());
    Change::Update(request.id.clone(), Box::new(patch))
}

/// The rules of a rig, as settings have them. `by_person`: a person typed the command that merges.
pub fn rules(settings: &Settings, by_person: bool) -> Rules {
    let merge = &settings.merge;
    Rules {
        by_person,
        tested: merge.test_command.is_some(),
        auto: merge.auto,
        always: merge.approve == Approve::Person,
    }
}

/// What a person is shown of a request before consenting to it.
#[derive(Clone, Debug, Serialize)]
pub struct Shown {
    /// The request.
    pub request: String,
    /// The rig.
    pub rig: String,
    /// The bead.
    pub bead: BeadId,
    /// The bead's title.
    pub title: String,
    /// Who did it.
    pub worker: String,
    /// The branch.
    pub branch: String,
    /// The commit.
    pub commit: String,
    /// Where it is to land.
    pub target: String,
    /// Why it waits; nothing when it would be merged without a consent.
    pub why: Option<String>,
    /// The agent settings that it changes.
    pub settings: Vec<String>,
    /// What it changes, as `git diff --stat` shows it.
    pub diffstat: String,
}

/// What a request changes, and why it waits.
///
/// # Errors
/// When it is not in the queue, or its commit is nowhere to be found.
pub fn show(found: &FoundRequest, settings: &Settings) -> Result<Shown> {
    let (request, rig) = (&found.request, &found.rig);
    if found.bead.foreign {
        return Err(crate::beads::request::foreign(&request.id).into());
    }
    if found.bead.is_closed() {
        crate::fail!("{} is not in the queue: {}", request.id, found.bead.close_reason; "see what is: gt mq list {}", rig.name);
    }
    let target = request.target_or(&config::target(settings)).to_string();
    let git = clone_with(rig, request)?;
    let tracking = format!("refs/remotes/origin/{target}");
    let Some((tip, diffstat)) = git.stands_at(&tracking)?.zip(git.diffstat(&tracking, &request.commit)?)
    else {
        crate::fail!("cannot tell what {} changes on {target}", request.id; "fetch both: git -C {} fetch origin", git.dir().display());
    };
    let changed = changed(rig, &git, &target, &tip, &request.commit, settings)?;
    let why = rules(settings, false).needs(&changed).map(|needs| needs.words());
    Ok(Shown {
        request: request.id.clone(),
        rig: rig.name.clone(),
        bead: request.bead.clone(),
        title: request.title.clone(),
        worker: request.worker.clone(),
        branch: request.branch.clone(),
        commit: request.commit.clone(),
        target,
        why,
        settings: changed,
        diffstat,
    })
}

/// Why a commit needs a consent to land on a target that is known here; `by_person`: a person typed the command that lands it.
///
/// # Errors
/// As [`show`].
pub fn needs(rig: &Rig, request: &Request, settings: &Settings, by_person: bool) -> Result<Option<String>> {
    let git = clone_with(rig, request)?;
    let target = request.target.as_str();
    let Some(tip) = git.stands_at(&format!("refs/remotes/origin/{target}"))? else { return Ok(None) };
    let changed = changed(rig, &git, target, &tip, &request.commit, settings)?;
    let needs = rules(settings, by_person).needs(&changed).filter(|_| !by_person || !changed.is_empty());
    Ok(needs.map(|needs| needs.words()))
}

/// The agent settings that a commit changes on a target, which stands at `tip`: those that differ once it is merged. What git cannot
/// merge by itself, or without a work tree, is looked at as the branch has it.
fn changed(
    rig: &Rig,
    git: &Git,
    target: &str,
    tip: &str,
    commit: &str,
    settings: &Settings,
) -> Result<Vec<String>> {
    let nowhere = tempfile::tempdir()?;
    let (after, paths) = match git.merge_trees(tip, commit, nowhere.path())? {
        Some((Fold::Clean(tree), _)) => {
            let paths = git.differing(tip, &tree)?;
            (tree, paths)
        }
        _ => {
            let paths = git.changed_files(&format!("refs/remotes/origin/{target}"), commit)?;
            (commit.to_string(), paths.unwrap_or_default())
        }
    };
    let known = trust::of_target(rig, git, tip, settings)?;
    trust::changed(git, &after, &paths, &known, &listed(&settings.agents))
}

/// The canonical clone, with the commit of a request in it.
pub(in crate::work) fn clone_with(rig: &Rig, request: &Request) -> Result<Git> {
    let git = Git::at(rig.clone_dir());
    let commit = request.commit.as_str();
    if git.has_commits(&[commit])? == [true] {
        return Ok(git);
    }
    let polecat = rig.polecat_dir(request.polecat());
    let there = polecat.join(".git").exists() && git.fetch_commit(&polecat, commit)?;
    if !there && !git.fetch_from_origin(commit)? {
        crate::fail!(
            "the commit {} of {} is nowhere to be found", commit, request.id;
            "take it out of the queue: gt mq reject {}", request.id
        );
    }
    Ok(git)
}

/// Writes a person's consent down.
///
/// # Errors
/// When the store or the town's secret cannot be read or written.
pub fn approve(town: &Town, found: &FoundRequest) -> Result<()> {
    let request = &found.request;
    let proof = secret::of(&town.root)?.prove(ProofKind::Approval, &fields(request));
    let mut patch = Patch::default();
    patch.metadata.insert(META_APPROVED.into(), proof.into());
    if found.bead.meta(META_NEEDS).is_some() {
        patch.metadata.insert(META_NEEDS.into(), serde_json::Value::Null);
    }
    let store = found.rig.store(&Address::Overseer)?;
    store.write(&[], &[Change::Update(request.id.clone(), Box::new(patch))]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consent_is_to_one_commit_of_one_request_by_this_town() {
        let secret = Secret::new([7; 32]);
        let request = Request { id: "wy-5".into(), commit: "c0ffee00".repeat(5), ..Request::default() };
        let mut bead = Bead::default();
        assert!(!is_approved(Some(&secret), &request, &bead));
        let proof = secret.prove(ProofKind::Approval, &fields(&request));
        bead.metadata.insert(META_APPROVED.into(), proof.into());
        assert!(is_approved(Some(&secret), &request, &bead));
        assert!(!is_approved(None, &request, &bead));
        assert!(!is_approved(Some(&Secret::new([8; 32])), &request, &bead));
        for other in [
            Request { commit: "deadbeef".repeat(5), ..request.clone() },
            Request { id: "wy-6".into(), ..request.clone() },
            Request { target: "release".into(), ..request.clone() },
        ] {
            assert!(!is_approved(Some(&secret), &other, &bead), "{other:?}");
        }
    }

    #[test]
    fn what_was_noted_of_another_commit_does_not_count() {
        let mut bead = Bead::default();
        bead.metadata.insert(META_NEEDS.into(), "abc it changes agent settings".into());
        assert_eq!(noted(&bead, "abc"), Some("it changes agent settings"));
        assert_eq!(noted(&bead, "abd"), None);
    }
}
