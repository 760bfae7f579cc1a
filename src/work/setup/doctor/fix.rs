//! Repairing one thing. Nothing that is there is overwritten, and nothing is deleted but what nobody made on purpose.

use std::path::Path;

use anyhow::Result;

use super::look::{lines_of, mayor_clone};
use super::{Visit, orphans, secrets};
use crate::base::{files, time};
use crate::beads;
use crate::plan::doctor::{CheckStatus, Finding, Thing};
use crate::programs::git::{Git, credentials};
use crate::town::{FolderLayout, Rig, TownFile, ended};
use crate::work::setup::{exports, pieces, rig};

/// Repairs what was found missing, or takes away what should not be there.
///
/// # Errors
/// When it could not be done; it is no worse than before then.
pub fn thing(visit: &Visit<'_>, rig: Option<&Rig>, thing: &Thing) -> Result<()> {
    match rig {
        Some(rig) => of_rig(visit, rig, thing),
        None => of_town(visit, thing),
    }
}

fn of_town(visit: &Visit<'_>, thing: &Thing) -> Result<()> {
    let root = &visit.town.root;
    let older = visit.town.layout == FolderLayout::Workspace;
    match thing {
        Thing::TownState if older => {
            write(&visit.older().join("state.json"), "{\n  \"version\": 1,\n  \"projects\": {}\n}\n")
        }
        Thing::Boss => write(&visit.older().join("boss/state.json"), "{\n  \"version\": 1\n}\n"),
        Thing::Mail => files::make_dir(&visit.older().join("mail")),
        Thing::RigsFolder => files::make_dir(&visit.older().join("rigs")),
        Thing::RigList => {
            town_piece(visit, "mayor/rigs.json")?;
            // The folders know what the list has forgotten.
            for name in orphans::unlisted(visit)? {
                rig::list(&visit.town, &name, &visit.rig(&name).config.git_url)?;
            }
            Ok(())
        }
        Thing::TownState => town_piece(visit, "mayor/state.json"),
        Thing::Settings => town_piece(visit, "config/town.toml"),
        Thing::Program => {
            files::make_dir(&visit.town.bin_dir())?;
            town_piece(visit, "bin/bd")
        }
        Thing::Prompt => town_piece(visit, "CLAUDE.md"),
        Thing::Presets => town_piece(visit, "config/presets"),
        Thing::Unlisted(name) => rig::list(&visit.town, name, &visit.rig(name).config.git_url),
        Thing::HalfMade(path) => orphans::fix_half_made(&root.join(path)),
        Thing::Shared => files::make_private(root),
        Thing::Secret(path) => secrets::fix(root, &root.join(path)),
        Thing::Ended => ended::begin(root),
        Thing::StrayRecord(address) => orphans::fix_stray_record(visit, address),
        other => crate::fail!("doctor cannot repair {other:?}"),
    }
}

fn of_rig(visit: &Visit<'_>, rig: &Rig, thing: &Thing) -> Result<()> {
    match thing {
        Thing::RefineryFolder => files::make_dir(&rig.root.join("refinery")),
        Thing::RefineryReadme => rig_pieces(rig, &["refinery/README.md"]),
        Thing::RefineryState => rig_pieces(rig, &["refinery/state.json"]),
        Thing::RefineryLock => rig_pieces(rig, &["refinery/state.json.lock"]),
        Thing::RigStates => rig_pieces(rig, &["witness/state.json", "mayor/state.json"]),
        Thing::RigFolders => rig_pieces(rig, &["crew", "polecats", "plugins"]),
        Thing::RefineryClone => clone(rig, &rig.refinery_dir()),
        Thing::MayorClone => clone(rig, &mayor_clone(visit, rig)),
        Thing::Ignored => {
            let path = visit.town.root.join(".gitignore");
            let text = files::text(&path)?.unwrap_or_default();
            files::write(&path, pieces::ignore_text(&text, &lines_of(visit, rig)))
        }
        other => crate::fail!("doctor cannot repair {other:?}"),
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    files::make_dir(path.parent().unwrap_or(path))?;
    files::write(path, text)
}

fn town_piece(visit: &Visit<'_>, path: &str) -> Result<()> {
    let identity =
        TownFile { kind: "town".into(), version: 1, name: visit.town.name.clone(), created_at: time::now() };
    let made = pieces::of_town(&identity, Some(&visit.gt))?;
    for piece in made.iter().filter(|piece| piece.path() == path) {
        piece.make(&visit.town.root)?;
    }
    Ok(())
}

fn rig_pieces(rig: &Rig, paths: &[&str]) -> Result<()> {
    let made = pieces::of_rig(&rig.name, &time::now())?;
    for piece in made.iter().filter(|piece| paths.contains(&piece.path()) && !piece.stands(&rig.root)) {
        piece.make(&rig.root)?;
    }
    Ok(())
}

/// Brings a rig's `config.json` back. One without the settings that it had is said: work that is red could be merged.
pub fn rig_config(of: &Rig, mut finding: Finding) -> Finding {
    match config(of) {
        Ok(Some(from)) => {
            finding.status = CheckStatus::Fixed;
            finding.message = format!("Rig config restored from {from}");
        }
        Ok(None) => {
            finding.fixable = false;
            finding.message =
                "Rig config made again, without the settings that it had: no copy of it is left".into();
            let path = of.root.join("config.json");
            finding.hint = Some(format!(
                "set merge (test_command), worktree and limits again in {}, before anything is merged",
                path.display()
            ));
        }
        Err(error) => finding.hint = Some(super::why(&error)),
    }
    finding
}

/// Takes the copy beside the exports, and says which; else makes it from what the list, the clone and the store know.
fn config(of: &Rig) -> Result<Option<String>> {
    let url = &of.config.git_url;
    if url.is_empty() {
        crate::fail!("where rig {} comes from is not known", of.name; "write its config.json by hand");
    }
    let path = of.root.join("config.json");
    if let Some((text, from)) = exports::config(&of.root, url)? {
        files::write(&path, text)?;
        return Ok(Some(from));
    }
    let store = beads::embedded::Embedded::open(&of.beads_dir(), "", "overseer")?;
    let head = files::read(&of.clone_dir().join(".git/HEAD"))?;
    let branch = head.trim().strip_prefix("ref: refs/heads/").unwrap_or("main");
    let made = rig::config_of(&of.name, url, store.prefix(), branch);
    files::write_json(&path, &made)?;
    Ok(None)
}

/// Brings a clone back: made aside from its URL, with what another clone of the rig already has, then renamed. A
/// store of beads that stood there goes with it.
fn clone(of: &Rig, target: &Path) -> Result<()> {
    let url = &of.config.git_url;
    if url.is_empty() {
        crate::fail!("where rig {} comes from is not known", of.name; "mend its config.json");
    }
    let parent = target.parent().unwrap_or(target);
    files::make_dir(parent)?;
    let aside = files::Aside::new(parent)?;
    let draft = aside.path("clone");
    let to = draft.to_string_lossy().into_owned();
    let near = [of.clone_dir(), of.refinery_dir()].into_iter().find(|dir| super::is_clone(dir));
    let near = near.map(|dir| dir.to_string_lossy().into_owned());
    let mut words = vec!["clone", "-q", "--no-recurse-submodules"];
    if let Some(near) = &near {
        words.extend(["--reference-if-able", near, "--dissociate"]);
    }
    let branch =
        of.config.merge.as_ref().and_then(|merge| merge.get("target")).and_then(|name| name.as_str());
    if let Some(branch) = branch {
        words.extend(["--branch", branch]);
    }
    words.extend(["--", url, &to]);
    let output = Git::at(parent).with_credential(credentials::of_rig(&of.root)).try_run(words)?;
    if !output.ok() {
        return Err(rig::no_clone(parent, url, &output).into());
    }
    Git::at(&draft).use_credential(&of.root, url)?;
    let failed = || format!("cannot make {}", target.display());
    let moved =
        |from: &Path, to: &Path| std::fs::rename(from, to).map_err(|error| files::error_of(error, failed()));
    let (store, kept) = (target.join(".beads"), draft.join(".beads"));
    if store.exists() && kept.exists() {
        crate::fail!("{} holds a store, and the project tracks one", target.display());
    }
    if store.exists() {
        Git::at(&draft).exclude(&["/.beads".into()])?;
        moved(&store, &kept)?;
    }
    if target.is_dir() {
        std::fs::remove_dir(target).map_err(|error| files::error_of(error, failed()))?;
    }
    moved(&draft, target)
}
