//! The end of a rig: only when nothing would be lost, and its beads are kept all the same.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::ignore_lines;
use crate::base::{files, time};
use crate::beads::Filter;
use crate::model::address::Address;
use crate::model::bead::Bead;
use crate::mux::Snapshot;
use crate::programs::git::{Git, credentials};
use crate::town::discover::change_rigs;
use crate::town::{Rig, Town, occupancy};
use crate::work::agent::hooks;
use crate::work::polecat::loss::keep::FOLDER;
use crate::work::polecat::loss::repo::Repo;
use crate::work::polecat::loss::{Loss, LossLine, Stays, look};
use crate::work::polecat::{names, recovery};
use crate::work::setup::pieces;
use crate::work::step;

/// What is in the way of removing a rig.
#[derive(Clone, Debug, Default)]
pub struct RigLosses {
    /// What would be lost with its folder.
    pub files: Vec<LossLine>,
    /// What is still going on in it.
    pub work: Vec<LossLine>,
}

impl RigLosses {
    /// Every line.
    pub fn lines(&self) -> Vec<LossLine> {
        [&self.files[..], &self.work].concat()
    }
}

/// What would be lost with a rig. What cannot be seen counts as lost (law 3).
///
/// # Errors
/// When the rig's folders cannot be listed.
pub fn losses(town: &Town, rig: &Rig, sessions: &Snapshot) -> Result<RigLosses> {
    let mut lost = RigLosses::default();
    let beads = all_beads(rig);
    let stays = what_stays(rig, beads.as_deref().unwrap_or_default()).unwrap_or_else(|error| {
        lost.files.push(LossLine::unknown(format!("{error:#}")));
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
        lost.files.extend(found.into_iter().map(|line| line.in_place(&shown(rig, place))));
    }
    lost.files.extend(foreign(rig)?);
    let mut work = |kind, text| lost.work.push(LossLine { kind, text });
    for name in names::taken(rig)?.into_keys() {
        work(Loss::Polecat, format!("polecat {}/{name} is there", rig.name));
    }
    if let Some(why) = &sessions.unknown {
        work(Loss::Unknown, format!("its sessions cannot be seen: {why}"));
    }
    for session in sessions_of(town, rig, sessions) {
        work(Loss::Session, format!("session {} is open", session.name));
    }
    match &beads {
        Ok(beads) => beads.iter().filter_map(in_work).for_each(|(kind, text)| work(kind, text)),
        Err(error) => work(Loss::Unknown, format!("its beads cannot be read: {error:#}")),
    }
    Ok(lost)
}

/// Every bead of a rig, closed ones and requests too.
///
/// # Errors
/// When its store cannot be read.
pub fn all_beads(rig: &Rig) -> Result<Vec<Bead>> {
    rig.store(&Address::Overseer)?.list(&Filter { all: true, ..Filter::default() })
}

fn in_work(bead: &Bead) -> Option<(Loss, String)> {
    if bead.is_request() && !bead.is_closed() {
        return Some((Loss::Request, format!("request {} is open: {}", bead.id, bead.title)));
    }
    bead.is_begun().then(|| (Loss::Bead, format!("bead {} is {}: {}", bead.id, bead.status, bead.title)))
}

/// What the rig's origin has now, and the commits that its beads say were merged, be it as other commits.
///
/// # Errors
/// When origin cannot be asked.
pub fn what_stays(rig: &Rig, beads: &[Bead]) -> Result<Stays> {
    let url = rig.config.git_url.clone();
    let at_origin = Git::alone(&rig.root).with_credential(credentials::of_rig(&rig.root)).objects_at(&url)?;
    let mut objects = at_origin.clone();
    objects.extend(recovery::merged(beads));
    Ok(Stays { objects, origin: Some((url, at_origin)), ..Stays::default() })
}

/// What would be lost with one clone or worktree of a rig, a line each.
pub fn of_place(rig: &Rig, place: &Path, stays: &Stays) -> Vec<LossLine> {
    match Repo::open(place) {
        Ok(Some(repo)) => {
            let mut losses = look(&repo, stays, &[]);
            if place == rig.clone_dir() {
                // The store is kept on its own.
                losses.files.ignored.retain(|path| !path.starts_with(".beads"));
            }
            losses.files.ignored.retain(|path| !hooks::is_own(place, path));
            losses.lines()
        }
        Ok(None) if files::names_in(place).is_ok_and(|names| names.is_empty()) => Vec::new(),
        Ok(None) => vec![LossLine::unknown("no git repository: what is in it cannot be told".into())],
        Err(error) => vec![LossLine::unknown(format!("{error:#}"))],
    }
}

/// What gt makes in a rig's folder, by folder; see [`is_own`].
const OWN: [(&str, &[&str]); 12] = [
    ("", &[".beads", "config.json", "crew", "mayor", "refinery", "witness", "polecats", "plugins", "logs"]),
    ("mayor", &["rig", "state.json", "trust.json"]),
    ("refinery", &["README.md", "rig", "state.json", "bench", "bench.lock"]),
    ("witness", &["state.json", "patrol.lock", "home.lock"]),
    ("polecats", &[".names", ".state", FOLDER]),
    ("crew", &[".state", FOLDER]),
    ("polecats/.state", &[]),
    ("crew/.state", &[]),
    ("polecats/.kept", &[]),
    ("crew/.kept", &[]),
    ("plugins", &[]),
    ("logs", &[]),
];

/// Whether gt makes a file or folder of this name in that folder of a rig.
fn is_own(folder: &str, own: &[&str], name: &str) -> bool {
    let of_agent =
        name.starts_with("gt-") && [".lock", ".env", ".json"].iter().any(|end| name.ends_with(end));
    let lock = name.ends_with(".json.lock") || of_agent;
    let of_folder = match folder {
        // Clones and worktrees: what is in them is looked at.
        "crew" | "polecats" => !name.starts_with('.'),
        "crew/.state" | "polecats/.state" => name.ends_with(".json"),
        "logs" => {
            [".screen.txt", ".log"].iter().any(|end| name.ends_with(end))
                || (name.starts_with("tests-") && name.ends_with(".txt"))
        }
        _ => false,
    };
    let aside = [files::ASIDE, files::LEAVING].iter().any(|begin| name.starts_with(begin));
    own.contains(&name) || of_folder || lock || aside
}

/// What is in a rig's folder and was not made by gt, and what an end kept there.
fn foreign(rig: &Rig) -> Result<Vec<LossLine>> {
    let mut found = Vec::new();
    for (folder, own) in OWN {
        let dir = rig.root.join(folder);
        for name in files::names_in(&dir)?.into_iter().filter(|name| !is_own(folder, own, name)) {
            let path = dir.join(&name);
            // The settings through which an agent's hooks reach gt.
            if folder == "witness" && hooks::is_own(&dir, &name) {
                continue;
            }
            let (kind, why) = if folder.ends_with(FOLDER) {
                (Loss::Kept, "kept at an end")
            } else {
                (Loss::File, "not made by gt")
            };
            found.push(LossLine { kind, text: format!("{}: {why}", shown(rig, &path)) });
        }
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

/// What is left of a removed rig, under `mayor/removed/`.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct RemovedRig {
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
pub fn remove(town: &Town, rig: &Rig, force: bool, keep: bool) -> Result<RemovedRig> {
    let _turn = town.lock()?;
    for (agent, occupied) in occupancy::of_town(town, |_| false) {
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
        return Ok(RemovedRig { beads, folder: Some(folder) });
    }
    let old = town.root.join(format!("{}{}-{}", files::LEAVING, rig.name, names::new_instance()));
    std::fs::rename(&rig.root, &old).map_err(|error| failed(&rig.root, error))?;
    step("rig-remove.3");
    unignore(town, &rig.name)?;
    std::fs::remove_dir_all(&old).map_err(|error| failed(&old, error))?;
    Ok(RemovedRig { beads, folder: None })
}

fn removed_dir(town: &Town) -> Result<PathBuf> {
    let dir = town.root.join("mayor/removed");
    files::make_dir(&dir)?;
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
    let store = rig.store(&Address::Overseer)?;
    let path = removed_dir(town)?.join(format!("{}-{}.jsonl", rig.name, time::now()));
    let mut any = false;
    files::write_with(&path, |out| {
        store.export_lines(&mut |line| {
            any = true;
            writeln!(out, "{line}")?;
            Ok(true)
        })
    })
    .context("cannot keep the rig's beads")?;
    if !any {
        std::fs::remove_file(&path)?;
        return Ok(None);
    }
    Ok(Some(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_gt_makes_in_a_rig_is_told_from_what_a_person_puts_there() {
        let foreign = |path: &str| {
            let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
            let (_, own) = OWN.iter().find(|(own, _)| *own == folder).unwrap();
            !is_own(folder, own, name)
        };
        for path in [
            "config.json.lock",
            "witness/patrol.lock",
            "witness/home.lock",
            "witness/gt-agent.lock",
            "witness/gt-agent.env",
            "refinery/state.json.lock",
            "polecats/Nux",
            "polecats/.names",
            "polecats/.gt-old-Nux-1",
            "polecats/.state/Nux.json",
            "crew/.state/ann.json.lock",
            "logs/Nux-1.screen.txt",
            "logs/tests-abc-1.txt",
        ] {
            assert!(!foreign(path), "{path}");
        }
        for path in [
            "notes.txt",
            "Cargo.lock",
            "witness/notes.lock",
            "refinery/plan.md",
            "crew/.notes",
            "crew/.state/notes",
            "polecats/.kept/Nux-1",
            "plugins/mine",
            "logs/notes.txt",
        ] {
            assert!(foreign(path), "{path}");
        }
    }
}
