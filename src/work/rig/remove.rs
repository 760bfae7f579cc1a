//! The end of a rig: only when nothing would be lost, and its beads are kept all the same.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::ignore_lines;
use crate::address::Address;
use crate::beads::{Filter, words};
use crate::mux::Snapshot;
use crate::programs::git::Git;
use crate::town::discover::change_rigs;
use crate::town::{Rig, Town, files, occupancy};
use crate::work::{names, pieces, step};

/// What would be lost with a rig, a line each; empty when nothing would. What cannot be seen counts as lost (law 3).
///
/// # Errors
/// When the rig's folders cannot be listed.
pub fn losses(town: &Town, rig: &Rig, sessions: &Snapshot) -> Result<Vec<String>> {
    let mut lost = Vec::new();
    for place in clones(rig)? {
        lost.extend(unpushed(&place).into_iter().map(|what| format!("{}: {what}", shown(rig, &place))));
    }
    for name in names::taken(rig)?.into_keys() {
        lost.push(format!("polecat {}/{name} is there", rig.name));
    }
    if let Some(why) = &sessions.unknown {
        lost.push(format!("its sessions cannot be seen: {why}"));
    }
    for session in sessions_of(town, rig, sessions) {
        lost.push(format!("session {} is open", session.name));
    }
    lost.extend(beads_in_work(rig));
    Ok(lost)
}

/// The sessions of a rig's agents.
pub fn sessions_of<'a>(
    town: &Town,
    rig: &'a Rig,
    sessions: &'a Snapshot,
) -> impl Iterator<Item = &'a crate::mux::Session> {
    let mark = town.mark();
    let of_rig = format!("{}/", rig.name);
    sessions
        .sessions
        .iter()
        .filter(move |session| session.marks.town == mark && session.marks.address.starts_with(&of_rig))
}

fn shown(rig: &Rig, place: &Path) -> String {
    place.strip_prefix(rig.root.parent().unwrap_or(&rig.root)).unwrap_or(place).display().to_string()
}

/// Every clone and worktree of a rig.
///
/// # Errors
/// When a folder cannot be listed.
pub fn clones(rig: &Rig) -> Result<Vec<PathBuf>> {
    let mut places = vec![rig.clone_dir(), rig.refinery_dir()];
    for dir in ["crew", "polecats"] {
        let dir = rig.root.join(dir);
        places.extend(files::names_in(&dir)?.into_iter().map(|name| dir.join(name)));
    }
    places.retain(|place| place.join(".git").exists());
    Ok(places)
}

/// What of a clone is nowhere else: changes that are not committed, commits that no remote branch has.
pub fn unpushed(place: &Path) -> Vec<String> {
    let git = Git::at(place);
    let mut lost = Vec::new();
    match git.status() {
        Ok(status) if !status.dirty.is_empty() => {
            lost.push(format!("{} changed or untracked: {}", status.dirty.len(), status.dirty.join(", ")));
        }
        Ok(_) => {}
        Err(error) => lost.push(format!("{error:#}")),
    }
    // Branches, stashes and recovery refs; a tag alone is no work in progress.
    let words =
        ["rev-list", "--count", "--exclude=refs/tags/*", "--all", "HEAD", "--not", "--remotes", "--tags"];
    match git.run("count commits", words) {
        Ok(count) if count != "0" => lost.push(format!("commits that are not pushed: {count}")),
        Ok(_) => {}
        Err(error) => lost.push(format!("{error:#}")),
    }
    lost
}

fn beads_in_work(rig: &Rig) -> Vec<String> {
    let filter =
        Filter { statuses: vec![words::HOOKED.into(), words::IN_PROGRESS.into()], ..Filter::default() };
    let requests = Filter { types: vec![words::MERGE_REQUEST.into()], ..Filter::default() };
    let look = || -> Result<Vec<String>> {
        let store = rig.store(&crate::address::Address::Overseer)?;
        let mut lines = Vec::new();
        for bead in store.list(&filter)? {
            lines.push(format!("bead {} is {}: {}", bead.id, bead.status, bead.title));
        }
        for bead in store.list(&requests)? {
            lines.push(format!("request {} is open: {}", bead.id, bead.title));
        }
        Ok(lines)
    };
    look().unwrap_or_else(|error| vec![format!("its beads cannot be read: {error:#}")])
}

/// Takes a rig out of the town. Its beads are kept as JSONL under `mayor/removed/`; gives that file when there is one.
///
/// # Errors
/// When its beads cannot be kept (without `force`), or the disk refuses.
pub fn remove(town: &Town, rig: &Rig, force: bool) -> Result<Option<PathBuf>> {
    let _turn = town.lock()?;
    for (agent, occupied) in occupancy::of_town(town) {
        if Address::parse(&agent)?.rig() == Some(&rig.name) {
            occupied.refuse(&format!("cannot remove the rig {}", rig.name))?;
        }
    }
    let kept = match keep_beads(town, rig) {
        Ok(kept) => kept,
        Err(_) if force => None,
        Err(error) => return Err(error),
    };
    step("rig-remove.1");
    change_rigs(town, |file| {
        file.rigs.remove(&rig.name);
    })?;
    step("rig-remove.2");
    let old = town.root.join(format!("{}{}-{}", files::LEAVING, rig.name, names::new_instance()));
    std::fs::rename(&rig.root, &old)
        .map_err(|error| files::error_of(error, format!("cannot remove {}", rig.root.display())))?;
    step("rig-remove.3");
    unignore(town, &rig.name)?;
    std::fs::remove_dir_all(&old)
        .map_err(|error| files::error_of(error, format!("cannot remove {}", old.display())))?;
    Ok(kept)
}

/// Takes a rig whose folder is gone off the list.
///
/// # Errors
/// When a file of the town cannot be written.
pub fn forget(town: &Town, name: &str) -> Result<()> {
    let _turn = town.lock()?;
    change_rigs(town, |file| {
        file.rigs.remove(name);
    })?;
    unignore(town, name)
}

/// Takes a rig's lines out of `.gitignore`.
fn unignore(town: &Town, name: &str) -> Result<()> {
    let lines = pieces::ignored_of_rig(name);
    ignore_lines(town, |text| {
        let others = text.lines().filter(|line| !lines.iter().any(|own| own == line));
        others.fold(String::new(), |all, line| all + line + "\n")
    })
}

fn keep_beads(town: &Town, rig: &Rig) -> Result<Option<PathBuf>> {
    let text =
        rig.store(&crate::address::Address::Overseer)?.export().context("cannot keep the rig's beads")?;
    if text.trim().is_empty() {
        return Ok(None);
    }
    let dir = town.root.join("mayor/removed");
    std::fs::create_dir_all(&dir)
        .map_err(|error| files::error_of(error, format!("cannot make {}", dir.display())))?;
    let path = dir.join(format!("{}-{}.jsonl", rig.name, crate::time::now()));
    files::write(&path, text)?;
    Ok(Some(path))
}
