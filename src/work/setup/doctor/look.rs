//! Looking at one thing: no process but what opening a store of bd's takes.

use std::path::{Path, PathBuf};

use super::{Visit, broken, is_clone, json_file};
use crate::base::files;
use crate::base::grammar::is_object_id;
use crate::base::quote::quote;
use crate::model::address::{Address, Role};
use crate::plan::doctor::{Health, Thing};
use crate::town::discover::check_kind;
use crate::town::{FolderLayout, Rig, TownFile, away, ended};
use crate::work::setup::pieces;
use crate::{beads, config};

/// What was found of a thing, and where it was looked for.
pub fn at(visit: &Visit<'_>, rig: Option<&Rig>, thing: &Thing) -> (Health, PathBuf) {
    match rig {
        Some(rig) => of_rig(visit, rig, thing),
        None => of_town(visit, thing),
    }
}

fn of_town(visit: &Visit<'_>, thing: &Thing) -> (Health, PathBuf) {
    let root = &visit.town.root;
    let older = visit.town.layout == FolderLayout::Workspace;
    let folder = |path: PathBuf| (exists(path.is_dir()), path);
    match thing {
        Thing::Identity => (identity(visit), visit.identity.clone()),
        Thing::TownState => json(visit.older().join("state.json")),
        Thing::Mail => folder(visit.older().join("mail")),
        Thing::Boss => json(visit.older().join("boss/state.json")),
        Thing::RigsFolder => folder(visit.older().join("rigs")),
        Thing::RigList => {
            let path = visit.town.rigs_path();
            (if path.exists() { broken(visit.town.rigs_file()) } else { Health::Missing }, path)
        }
        Thing::Settings => settings(visit),
        Thing::TownStore => {
            let dir = visit.town.beads_dir();
            let opened = || visit.town.store(&Address::Overseer).map(drop);
            (store(&dir, opened), dir)
        }
        Thing::Program => program(visit),
        Thing::Prompt => {
            let path = root.join("CLAUDE.md");
            (exists(older || path.is_file()), path)
        }
        Thing::Records => (broken(away::read(&visit.town)), root.join("mayor/remote.json")),
        Thing::Ended => {
            let found = match ended::is_lost(root) {
                Ok(lost) => exists(!lost),
                Err(error) => broken(Err::<(), _>(error)),
            };
            (found, root.join(ended::FILE))
        }
        Thing::Presets => folder(root.join("config/presets")),
        // Orphans are found by looking for them: what is listed is there.
        _ => (Health::Missing, root.clone()),
    }
}

fn of_rig(visit: &Visit<'_>, rig: &Rig, thing: &Thing) -> (Health, PathBuf) {
    let root = &rig.root;
    let refinery = root.join("refinery");
    let file = |path: PathBuf| (exists(path.is_file()), path);
    match thing {
        Thing::RigConfig => {
            let path = visit.town.rig_config_path(&rig.name);
            (if path.exists() { broken(visit.town.read_rig(&rig.name)) } else { Health::Missing }, path)
        }
        Thing::RefineryFolder => (exists(refinery.is_dir()), refinery),
        Thing::RefineryReadme => file(refinery.join("README.md")),
        Thing::RefineryState => json(refinery.join("state.json")),
        Thing::RefineryLock => file(refinery.join("state.json.lock")),
        Thing::RefineryClone => clone(refinery.join("rig")),
        Thing::MayorClone => clone(mayor_clone(visit, rig)),
        Thing::Ignored => ignored(visit, rig),
        Thing::RigStore => {
            let dir = rig.beads_dir();
            let opened = || rig.store(&Address::Overseer).map(drop);
            (store(&dir, opened), dir)
        }
        Thing::RigStates => {
            let (witness, path) = json(root.join("witness/state.json"));
            let (mayor, other) = json(root.join("mayor/state.json"));
            if witness == Health::Good { (mayor, other) } else { (witness, path) }
        }
        Thing::RigFolders => {
            let missing = ["crew", "polecats", "plugins"].iter().find(|name| !root.join(name).is_dir());
            (exists(missing.is_none()), root.join(missing.unwrap_or(&"crew")))
        }
        _ => (Health::Missing, root.clone()),
    }
}

fn exists(yes: bool) -> Health {
    if yes { Health::Good } else { Health::Missing }
}

fn json(path: PathBuf) -> (Health, PathBuf) {
    (json_file(&path), path)
}

fn identity(visit: &Visit<'_>) -> Health {
    if visit.town.layout == FolderLayout::Workspace {
        return json_file(&visit.identity);
    }
    broken(files::read_json::<TownFile>(&visit.identity).and_then(|file| {
        check_kind(&visit.identity, "town", &file.kind, file.version)?;
        Ok(())
    }))
}

fn settings(visit: &Visit<'_>) -> (Health, PathBuf) {
    let path = visit.town.root.join("config/town.toml");
    if !path.exists() {
        return (Health::Missing, path);
    }
    let all = config::settings(&visit.sources).map(drop).and_then(|()| {
        Role::ALL.iter().try_for_each(|role| config::role(&visit.sources, *role, &[], None).map(drop))
    });
    (broken(all), path)
}

/// A store that is not there can be made; one that does not open is a person's to look at.
fn store(dir: &Path, open: impl FnOnce() -> anyhow::Result<()>) -> Health {
    match beads::kind_of(dir) {
        Err(_) => Health::Missing,
        // One that opens may still be damaged further in.
        Ok(beads::StoreKind::Embedded) => {
            broken(beads::embedded::Embedded::open(dir, "", "overseer").and_then(|store| store.check()))
        }
        Ok(beads::StoreKind::Bd) => match open() {
            Ok(()) => Health::Good,
            Err(error) => Health::Broken(format!("{error:#}"), crate::base::failure::hint_of(&error)),
        },
    }
}

/// `bin/bd` is needed where stores are gt's own; it must lead to a program that is there.
fn program(visit: &Visit<'_>) -> (Health, PathBuf) {
    let path = visit.town.bin_dir().join("bd");
    let embedded =
        beads::kind_of(&visit.town.beads_dir()).is_ok_and(|kind| kind == beads::StoreKind::Embedded);
    (exists(!embedded || path.exists()), path)
}

fn clone(path: PathBuf) -> (Health, PathBuf) {
    let found = match is_clone(&path) {
        true => head(&path.join(".git/HEAD")),
        false if is_vacant(&path) => Health::Missing,
        false => Health::Broken("it is no git clone, and not empty".into(), None),
    };
    (found, path)
}

/// git takes a folder whose `HEAD` was cut short, as by a loss of power, for no repository at all.
fn head(file: &Path) -> Health {
    let text = files::text(file).ok().flatten().unwrap_or_default();
    if text.starts_with("ref: refs/") || is_object_id(text.trim()) || !file.is_file() {
        return Health::Good;
    }
    let file = quote(&file.to_string_lossy());
    let hint = format!("give it its branch again: echo 'ref: refs/heads/main' > {file}");
    Health::Broken("its HEAD names neither a branch nor a commit".into(), Some(hint))
}

/// Nothing there that a clone would be in the way of; a store of beads is taken over.
fn is_vacant(dir: &Path) -> bool {
    files::names_in(dir).is_ok_and(|names| names.iter().all(|name| name == ".beads"))
}

/// Where the Mayor's clone of a rig stands.
pub fn mayor_clone(visit: &Visit<'_>, rig: &Rig) -> PathBuf {
    match visit.town.layout {
        FolderLayout::Present => rig.clone_dir(),
        FolderLayout::Workspace => visit.older().join("rigs").join(&rig.name),
    }
}

fn ignored(visit: &Visit<'_>, rig: &Rig) -> (Health, PathBuf) {
    let path = visit.town.root.join(".gitignore");
    let text = files::text(&path).ok().flatten().unwrap_or_default();
    let lines = lines_of(visit, rig);
    (exists(pieces::missing_lines(&text, &lines).is_empty()), path)
}

/// The lines of a rig in `.gitignore`. Older towns have a pattern for the whole rig, or ours.
pub fn lines_of(visit: &Visit<'_>, rig: &Rig) -> Vec<String> {
    match visit.town.layout {
        FolderLayout::Present => {
            let of_town = pieces::IGNORED.map(String::from);
            of_town.into_iter().chain(pieces::ignored_of_rig(&rig.name)).collect()
        }
        FolderLayout::Workspace => vec![format!("{}/", rig.name)],
    }
}
