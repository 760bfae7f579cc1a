//! Where things are: discovery, the layout of folders, the JSON files, atomic writes, locks (`town.md`).

pub mod away;
pub mod checkout;
pub mod deacon;
pub mod discover;
pub mod ended;
pub mod events;
pub mod ids;
pub mod log;
pub mod occupancy;
pub mod pause;
pub mod report;
pub mod secret;
pub mod trust;
pub mod wish;
pub mod within;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::base::failure::{Failure, Failures};
use crate::base::files;
use crate::base::nearest::nearest;
use crate::base::proof::Secret;
use crate::base::reads::Reads;
use crate::config;
use crate::model::address::Address;

/// The key of the town's proofs, inside the town.
const SECRET_FILE: &str = "mayor/secret";

/// The file whose lock guards the town's own files. It stays.
pub const LOCK: &str = "mayor/.lock";

/// A town on disk.
#[derive(Clone, Debug)]
pub struct Town {
    /// Absolute, links resolved. Also the town's mark on its sessions (`@gt_town`).
    pub root: PathBuf,
    /// Its name.
    pub name: String,
    /// Which of the two layouts.
    pub layout: FolderLayout,
    /// What it is called where several towns meet, on a branch of `gt sync` and in names at origin: its name and what tells it
    /// from others of that name ([`rules::town_id`]). Empty where it has no identity file.
    pub id: String,
    /// What was read of its list of rigs and of their `config.json`.
    pub reads: Reads,
}

/// How a town's folders are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FolderLayout {
    /// `mayor/town.json` (source document 002).
    Present,
    /// `mayor/config.json` or `.gastown/config.json` of type workspace (004): recognised, checked, migrated.
    Workspace,
}

/// One rig of a town.
#[derive(Clone, Debug)]
pub struct Rig {
    /// Its name.
    pub name: String,
    /// `<town>/<name>`.
    pub root: PathBuf,
    /// Its `config.json`.
    pub config: RigConfig,
    /// The id of its town.
    pub town: String,
}

/// `mayor/town.json`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TownFile {
    /// `town`
    #[serde(rename = "type")]
    pub kind: String,
    /// 1
    pub version: u32,
    /// The town's name.
    pub name: String,
    /// RFC 3339, UTC.
    pub created_at: String,
}

/// `mayor/rigs.json`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RigsFile {
    /// 1
    pub version: u32,
    /// By name.
    pub rigs: BTreeMap<String, RigEntry>,
    /// Everything else: it survives a rewrite.
    #[serde(flatten)]
    pub other: serde_json::Map<String, serde_json::Value>,
}

/// One line of `mayor/rigs.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RigEntry {
    /// Where its code comes from.
    pub git_url: String,
    /// RFC 3339, UTC.
    pub added_at: String,
    /// Everything else.
    #[serde(flatten)]
    pub other: serde_json::Map<String, serde_json::Value>,
}

/// `<rig>/config.json`. Sections gt does not know are kept when it is rewritten.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RigConfig {
    /// `rig`
    #[serde(rename = "type")]
    pub kind: String,
    /// 1
    pub version: u32,
    /// The rig's name.
    pub name: String,
    /// Where its code comes from.
    pub git_url: String,
    /// Its store.
    pub beads: RigBeads,
    /// Most polecats at once; the preset's when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_workers: Option<usize>,
    /// Pause between two starts; the preset's when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker_spawn_delay: Option<String>,
    /// How it merges. Raw, because the settings' layers come under it: see [`crate::config::settings`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merge: Option<serde_json::Value>,
    /// How worktrees are prepared; raw for the same reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worktree: Option<serde_json::Value>,
    /// Everything else.
    #[serde(flatten)]
    pub other: serde_json::Map<String, serde_json::Value>,
    /// The file that it was read from, and its text.
    #[serde(skip)]
    pub file: Option<(PathBuf, String)>,
}

/// `beads` of a rig's `config.json`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RigBeads {
    /// Prefix of its ids.
    pub prefix: String,
    /// Other prefixes that ids in it may have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prefixes: Vec<String>,
    /// Git remote for syncing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sync_remote: Option<String>,
    /// Git branch for syncing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sync_branch: Option<String>,
}

impl Town {
    /// Finds the town that holds `dir`, walking up; `GT_TOWN_ROOT` (`root`) counts before that.
    ///
    /// # Errors
    /// When there is none, or its identity file is broken (with the path).
    pub fn find(dir: &Path, root: Option<&Path>) -> Result<Town> {
        Town::locate(dir, root)?.town()
    }

    /// The same without believing its files yet: for those who check them.
    ///
    /// # Errors
    /// When there is none.
    pub fn locate(dir: &Path, root: Option<&Path>) -> Result<discover::FoundTown> {
        match root {
            Some(root) => discover::locate_at(root),
            None => discover::locate(dir),
        }
    }

    /// Takes the lock under which the town's own files are changed, waiting for whoever has it.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn lock(&self) -> Result<files::Lock> {
        files::lock(&self.root.join(LOCK))
    }

    /// Its rigs by name, with their configuration. One whose `config.json` is missing or broken is among the failures: it
    /// keeps no other from being read.
    ///
    /// # Errors
    /// When `rigs.json` cannot be read or is broken.
    pub fn rigs(&self, failures: &mut Failures) -> Result<Vec<Rig>> {
        Ok(self.rig_names()?.iter().filter_map(|name| failures.keep(self.read_rig(name))).collect())
    }

    /// One rig by name.
    ///
    /// # Errors
    /// An unknown name, with the nearest known ones; or a broken file.
    pub fn rig(&self, name: &str) -> Result<Rig> {
        self.needs_present_layout()?;
        let names = self.rig_names()?;
        if names.iter().any(|own| own == name) {
            return self.read_rig(name);
        }
        Err(no_rig(name, names.iter()).into())
    }

    /// Refuses a town of the older layout.
    ///
    /// # Errors
    /// For one of the older layout, with how to migrate it.
    pub fn needs_present_layout(&self) -> Result<()> {
        if self.layout == FolderLayout::Workspace {
            crate::fail!(
                "{} is a town of the older layout", self.root.display();
                "bring it to the present one with: gt migrate --dry-run, then: gt migrate"
            );
        }
        Ok(())
    }

    /// The town's store: `.beads`.
    pub fn beads_dir(&self) -> PathBuf {
        self.root.join(".beads")
    }

    /// The mark of this town on its sessions (`@gt_town`).
    pub fn mark(&self) -> String {
        self.root.to_string_lossy().into_owned()
    }

    /// The key of its proofs, made now when there is none.
    ///
    /// # Errors
    /// As [`secret::of`].
    pub fn secret(&self) -> Result<Secret> {
        secret::of(&self.root)
    }

    /// Where `gt` itself stands under the name `bd`, for agents, when stores are embedded.
    pub fn bin_dir(&self) -> PathBuf {
        self.root.join("bin")
    }

    /// Where configuration for this town (and rig) is looked for; `env` is the environment (`Ctx::env`).
    pub fn sources(&self, env: &HashMap<String, String>, rig: Option<&Rig>) -> config::Sources {
        let own = config::Sources { town: Some(self.root.clone()), ..config::Sources::from_env(env) };
        rig.map_or_else(|| own.clone(), |rig| rig.sources(&own))
    }
}

/// What is noted of a polecat that nothing else can hold, `requesting_cycle`: a file that goes with the name.
/// `rig` is the rig's root.
pub fn polecat_state(rig: &Path, name: &str) -> PathBuf {
    rig.join("polecats/.state").join(format!("{name}.json"))
}

impl Rig {
    /// Where configuration for this rig is looked for, `town` being where that of its town is.
    pub fn sources(&self, town: &config::Sources) -> config::Sources {
        if let Some((path, text)) = &self.config.file {
            town.keep(path, Some(text.clone()));
        }
        config::Sources { rig: Some((self.root.clone(), self.name.clone())), ..town.clone() }
    }

    /// `mayor/rig`: the canonical clone that worktrees come from.
    pub fn clone_dir(&self) -> PathBuf {
        self.root.join("mayor/rig")
    }

    /// `refinery/rig`: the clone merges are made in.
    pub fn refinery_dir(&self) -> PathBuf {
        self.root.join("refinery/rig")
    }

    /// The rig's store.
    pub fn beads_dir(&self) -> PathBuf {
        self.root.join(".beads")
    }

    /// A polecat's worktree.
    pub fn polecat_dir(&self, name: &str) -> PathBuf {
        self.root.join("polecats").join(name)
    }

    /// One file per taken polecat name, holding the instance id (`work.md`).
    pub fn names_dir(&self) -> PathBuf {
        self.root.join("polecats/.names")
    }

    /// A crew member's clone.
    pub fn crew_dir(&self, name: &str) -> PathBuf {
        self.root.join("crew").join(name)
    }

    /// Transcripts and logs of ended sessions.
    pub fn logs_dir(&self) -> PathBuf {
        self.root.join("logs")
    }
}

/// The failure to find a rig by name, with the nearest known one.
pub fn no_rig<'r>(name: &str, rigs: impl Iterator<Item = &'r String>) -> Failure {
    let near = nearest(name, rigs.map(String::as_str));
    let near = near.map(|own| format!("did you mean '{own}'? ")).unwrap_or_default();
    Failure::usage(format!("no rig named '{name}'")).hint(format!("{near}see them with: gt rigs"))
}

/// Where an agent works when its preset does not say otherwise.
pub fn home(town: &Town, rig: Option<&Rig>, address: &Address) -> PathBuf {
    match (address, rig) {
        (Address::Witness(_), Some(rig)) => rig.root.join("witness"),
        (Address::Refinery(_), Some(rig)) => rig.refinery_dir(),
        (Address::Polecat(_, name), Some(rig)) => rig.polecat_dir(name),
        (Address::Crew(_, name), Some(rig)) => rig.crew_dir(name),
        (Address::Plugin(_, name), Some(rig)) => rig.root.join("plugins").join(name),
        _ => town.root.clone(),
    }
}
