//! What gt left at origin and in the refinery's clone for work that nothing waits for any more: branches that polecats
//! pushed, and records of landings.

use anyhow::Result;

use super::names;
use crate::base::files;
use crate::beads::request::Request;
use crate::model::refs::{Branch, HEADS, MIRRORED, POLECATS, RecoveryRef, TRACKED};
use crate::programs::git::Git;
use crate::programs::git::pushing::Deletion;
use crate::town::Rig;
use crate::work::merge::bench::{self, DIRECT, LANDING};

/// Branches of origin that polecats of this rig pushed and that nothing waits for. Origin is asked only when the canonical
/// clone knows of one: one process, else one more for each that may be one.
///
/// # Errors
/// When git or the names cannot be read, or origin cannot be reached.
pub fn branches(rig: &Rig, open: &[Request]) -> Result<Vec<Deletion>> {
    let git = Git::at(rig.clone_dir());
    let tracked = git.refs(MIRRORED)?;
    let known =
        among(rig, open, tracked.into_iter().filter_map(|(name, commit)| found(&name, TRACKED, commit)))?;
    at_origin(&git, known)
}

/// Those that origin still has, as they were seen.
fn at_origin(git: &Git, branches: Vec<Deletion>) -> Result<Vec<Deletion>> {
    if branches.is_empty() {
        return Ok(branches);
    }
    let names: Vec<String> = branches.iter().map(|one| format!("{HEADS}{}", one.branch)).collect();
    let there = git.refs_at_origin(&names.iter().map(String::as_str).collect::<Vec<_>>())?;
    let there: Vec<_> = there.into_iter().filter_map(|(name, commit)| found(&name, HEADS, commit)).collect();
    Ok(branches.into_iter().filter(|one| there.contains(one)).collect())
}

/// The same, as origin says.
///
/// # Errors
/// When origin cannot be read, and as [`branches`].
pub fn branches_at_origin(rig: &Rig, open: &[Request]) -> Result<Vec<Deletion>> {
    let listed = Git::at(rig.clone_dir()).refs_at_origin(&[&format!("{POLECATS}*")])?;
    among(rig, open, listed.into_iter().filter_map(|(name, commit)| found(&name, HEADS, commit)))
}

fn found(name: &str, under: &str, commit: String) -> Option<Deletion> {
    Some(Deletion { branch: name.strip_prefix(under)?.into(), commit })
}

/// Only what a recovery ref of that polecat holds goes. Other towns share the origin: a branch that names another town is that
/// town's, and one that names none is this town's only when a recovery ref of it stands at that very commit.
fn among(rig: &Rig, open: &[Request], all: impl Iterator<Item = Deletion>) -> Result<Vec<Deletion>> {
    let (git, taken) = (Git::at(rig.clone_dir()), names::taken(rig)?);
    let mut strays = Vec::new();
    for one in all {
        let Some(branch) = Branch::parse(&one.branch) else { continue };
        if !branch.may_be_of(&rig.town) || taken.contains_key(&branch.name) || is_wanted(&one, open) {
            continue;
        }
        let kept = RecoveryRef::all_of(&branch.name);
        if if branch.is_old() { git.has_tip(&kept, &one.commit)? } else { git.keeps(&kept, &one.commit)? } {
            strays.push(one);
        }
    }
    Ok(strays)
}

/// Whether an open request is for this branch or its commit.
pub fn is_wanted(one: &Deletion, open: &[Request]) -> bool {
    open.iter().any(|request| request.branch == one.branch || request.commit == one.commit)
}

/// Deletes branches of origin, each only as it was seen, and forgets that they were there.
///
/// # Errors
/// When origin cannot be reached, or keeps one.
pub fn delete(rig: &Rig, branches: &[Deletion]) -> Result<()> {
    if branches.is_empty() {
        return Ok(());
    }
    let git = Git::at(rig.clone_dir());
    let left = at_origin(&git, branches.to_vec())?;
    if !git.delete_branches(&left)? {
        crate::fail!(
            "origin of {} keeps {}", rig.name, left.iter().map(|one| &*one.branch).collect::<Vec<_>>().join(", ");
            "see why: git -C {} push origin :{}", rig.clone_dir().display(), left[0].branch
        );
    }
    let lines: Vec<String> = branches.iter().map(|one| format!("delete {TRACKED}{}", one.branch)).collect();
    git.change_refs("forget branches of origin", &lines)
}

/// Deletes what a polecat that ends had pushed of its branches, unless an open request waits for it: `branches` are its
/// own, whose commits are kept here. What cannot be deleted now is found by `gt gc` and doctor.
pub fn withdraw(rig: &Rig, branches: &[(String, String)], open: &[Request]) {
    let git = Git::at(rig.clone_dir());
    let mut pushed = Vec::new();
    for (name, tip) in branches {
        let Some(branch) = name.strip_prefix(HEADS) else { continue };
        let Ok(Some(commit)) = git.commit_of(&format!("{TRACKED}{branch}")) else { continue };
        let one = Deletion { branch: branch.into(), commit };
        if !is_wanted(&one, open) && git.is_ancestor(&one.commit, tip).unwrap_or(false) {
            pushed.push(one);
        }
    }
    let _ = delete(rig, &pushed);
}

/// Records of landings that are over: what landed is on the target, and no request or polecat has the commit any more.
/// Gives their names; with `dry` they stay. None while a command merges.
///
/// # Errors
/// When git cannot read or change refs.
pub fn landings(rig: &Rig, target: &str, open: &[Request], dry: bool) -> Result<Vec<String>> {
    let git = Git::at(rig.refinery_dir());
    let Some(_bench) = files::try_lock(&bench::lock_path(rig))? else { return Ok(Vec::new()) };
    let mut over = Vec::new();
    let known = git.refs_under(&[LANDING, DIRECT])?;
    let polecats = if known.is_empty() { Vec::new() } else { Git::at(rig.clone_dir()).refs(POLECATS)? };
    for (name, landed) in known {
        let commit = name.rsplit('/').next().unwrap_or_default();
        let had = open.iter().any(|request| request.commit == commit)
            || polecats.iter().any(|(_, tip)| tip == commit);
        if !had && git.is_ancestor(&landed, &format!("{TRACKED}{target}"))? {
            over.push((name, landed));
        }
    }
    let line = |(name, landed): &(String, String)| format!("delete {name} {landed}");
    if !dry {
        git.change_refs("drop records of landings", &over.iter().map(line).collect::<Vec<_>>())?;
    }
    Ok(over.into_iter().map(|(name, _)| name).collect())
}
