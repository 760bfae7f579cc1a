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
use crate::work::loss::repo::Repo;
use crate::work::loss::{Stays, look};
use crate::work::{names, pieces, step};

/// What is in the way of removing a rig.
#[derive(Clone, Debug, Default)]
pub struct Losses {
    /// What would be lost with its folder, a line each.
    pub files: Vec<String>,
    /// What is still going on in it.
    pub work: Vec<String>,
}

impl Losses {
    /// Every line.
    pub fn lines(&self) -> Vec<String> {
        [&self.files[..], &self.work].concat()
    }
}

/// What would be lost with a rig. What cannot be seen counts as lost (law 3).
///
/// # Errors
/// When the rig's folders cannot be listed.
pub fn losses(town: &Town, rig: &Rig, sessions: &Snapshot) -> Result<Losses> {
    let mut lost = Losses::default();
    let stays = at_origin(rig).unwrap_or_else(|error| {
        lost.files.push(format!("{error:#}"));
        Stays::default()
    });
    let mut places = vec![rig.clone_dir(), rig.refinery_dir()];
    for dir in ["crew", "polecats"] {
        let dir = rig.root.join(dir);
        let names = files::names_in(&dir)?;
        places.extend(names.into_iter().filter(|name| !name.starts_with('.')).map(|name| dir.join(name)));
    }
    for place in places.iter().filter(|place| place.exists()) {
        let found = of_place(rig, place, &stays);
        lost.files.extend(found.into_iter().map(|what| format!("{}: {what}", shown(rig, place))));
    }
    let own = |path: PathBuf| format!("{}: not made by gt", shown(rig, &path));
    lost.files.extend(foreign(rig)?.into_iter().map(own));
    for name in names::taken(rig)?.into_keys() {
        lost.work.push(format!("polecat {}/{name} is there", rig.name));
    }
    if let Some(why) = &sessions.unknown {
        lost.work.push(format!("its sessions cannot be seen: {why}"));
    }
    for session in sessions_of(town, rig, sessions) {
        lost.work.push(format!("session {} is open", session.name));
    }
    lost.work.extend(beads_in_work(rig));
    Ok(lost)
}

/// What the rig's origin has now.
///
/// # Errors
/// When it cannot be asked.
pub fn at_origin(rig: &Rig) -> Result<Stays> {
    let objects = Git::alone(&rig.root).objects_at(&rig.config.git_url)?;
    Ok(Stays { objects, ..Stays::default() })
}

/// What would be lost with one clone or worktree of a rig, a line each.
pub fn of_place(rig: &Rig, place: &Path, stays: &Stays) -> Vec<String> {
    match Repo::open(place) {
        Ok(Some(repo)) => {
            let mut losses = look(&repo, stays, &[]);
            if place == rig.clone_dir() {
                // The store is kept on its own.
                losses.files.ignored.retain(|path| !path.starts_with(".beads"));
            }
            losses.lines()
        }
        Ok(None) if files::names_in(place).is_ok_and(|names| names.is_empty()) => Vec::new(),
        Ok(None) => vec!["no git repository: what is in it cannot be told".into()],
        Err(error) => vec![format!("{error:#}")],
    }
}

/// What gt makes in a rig's folder, by folder.
const OWN: [(&str, &[&str]); 6] = [
    ("", &[".beads", "config.json", "crew", "mayor", "refinery", "witness", "polecats", "plugins", "logs"]),
    ("mayor", &["rig", "state.json"]),
    ("refinery", &["README.md", "rig", "state.json", "state.json.lock", "bench", "bench.lock"]),
    ("witness", &["state.json", "state.json.lock"]),
    ("polecats/.kept", &[]),
    ("crew/.kept", &[]),
];

/// What is in a rig's folder and was not made by gt; what an end kept there too.
fn foreign(rig: &Rig) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for (folder, own) in OWN.iter().chain(&[("plugins", &[][..])]) {
        let dir = rig.root.join(folder);
        let names = files::names_in(&dir)?;
        let is_own = |name: &String| {
            let lock = name == occupancy::LOCK || name.ends_with(".json.lock");
            own.contains(&name.as_str())
                || lock
                || name.starts_with(files::ASIDE)
                || name.starts_with(files::LEAVING)
        };
        found.extend(names.into_iter().filter(|name| !is_own(name)).map(|name| dir.join(name)));
    }
    Ok(found)
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

/// What is left of a removed rig, under `mayor/removed/`.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Left {
    /// Its beads, as JSONL.
    pub beads: Option<PathBuf>,
    /// Its whole folder, where something would have been lost with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
}

/// Takes a rig out of the town. Its beads are kept as JSONL under `mayor/removed/`; with `keep` its folder is as well.
///
/// # Errors
/// When its beads cannot be kept (without `force`), or the disk refuses.
pub fn remove(town: &Town, rig: &Rig, force: bool, keep: bool) -> Result<Left> {
    let _turn = town.lock()?;
    for (agent, occupied) in occupancy::of_town(town) {
        if Address::parse(&agent)?.rig() == Some(&rig.name) {
            occupied.refuse(&format!("cannot remove the rig {}", rig.name))?;
        }
    }
    let beads = match keep_beads(town, rig) {
        Ok(kept) => kept,
        Err(_) if force => None,
        Err(error) => return Err(error),
    };
    step("rig-remove.1");
    change_rigs(town, |file| {
        file.rigs.remove(&rig.name);
    })?;
    step("rig-remove.2");
    let failed = |path: &Path, error| files::error_of(error, format!("cannot remove {}", path.display()));
    if keep {
        let folder = removed_dir(town)?.join(format!("{}-{}", rig.name, names::new_instance()));
        std::fs::rename(&rig.root, &folder).map_err(|error| failed(&rig.root, error))?;
        step("rig-remove.3");
        unignore(town, &rig.name)?;
        return Ok(Left { beads, folder: Some(folder) });
    }
    let old = town.root.join(format!("{}{}-{}", files::LEAVING, rig.name, names::new_instance()));
    std::fs::rename(&rig.root, &old).map_err(|error| failed(&rig.root, error))?;
    step("rig-remove.3");
    unignore(town, &rig.name)?;
    std::fs::remove_dir_all(&old).map_err(|error| failed(&old, error))?;
    Ok(Left { beads, folder: None })
}

fn removed_dir(town: &Town) -> Result<PathBuf> {
    let dir = town.root.join("mayor/removed");
    std::fs::create_dir_all(&dir)
        .map_err(|error| files::error_of(error, format!("cannot make {}", dir.display())))?;
    Ok(dir)
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
    let path = removed_dir(town)?.join(format!("{}-{}.jsonl", rig.name, crate::time::now()));
    files::write(&path, text)?;
    Ok(Some(path))
}
