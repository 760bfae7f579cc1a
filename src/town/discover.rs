//! Finding a town and its rigs, in both layouts.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::base::failure::Failure;
use crate::base::files::{parse_json, read, read_json};
use crate::base::reads::Reads;
use crate::base::repo_url;
use crate::config::schema::{MergeSettings, SyncSettings, WorktreeSettings};
use crate::model::rules;
use crate::town::{FolderLayout, Rig, RigConfig, RigsFile, Town, TownFile};

/// The present layout's identity file.
pub const IDENTITY: &str = "mayor/town.json";

/// The older layout's folders that may hold `config.json`, `state.json` and so on (source document 004).
pub const OLDER: [&str; 2] = ["mayor", ".gastown"];

/// Where a town was found, before its files are believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundTown {
    /// Absolute, links resolved.
    pub root: PathBuf,
    /// Which layout.
    pub layout: FolderLayout,
    /// Its identity file.
    pub identity: PathBuf,
}

/// Walks up from `dir` to the nearest town. A broken identity file counts: whoever reads it says what is wrong.
///
/// # Errors
/// When `dir` does not exist, or is in no town.
pub fn locate(dir: &Path) -> Result<FoundTown> {
    let start = real(dir).map_err(|why| {
        Failure::new(format!("not in a town: {}: {why}", dir.display())).hint("name one with: gt -C DIR …")
    })?;
    match start.ancestors().find_map(found_at) {
        Some(found) => Ok(found),
        None => Err(not_in_a_town(&start)),
    }
}

/// The town whose root is exactly `root` (`GT_TOWN_ROOT`).
///
/// # Errors
/// When there is none.
pub fn locate_at(root: &Path) -> Result<FoundTown> {
    real(root).ok().and_then(|root| found_at(&root)).ok_or_else(|| {
        Failure::new(format!("GT_TOWN_ROOT is {}, and there is no town", root.display()))
            .hint("take it away with: unset GT_TOWN_ROOT")
            .into()
    })
}

/// The folder without links, or why it is none.
fn real(dir: &Path) -> Result<PathBuf, &'static str> {
    match dir.canonicalize() {
        Ok(real) if real.is_dir() => Ok(real),
        Ok(_) => Err("a file, not a folder"),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err("no such folder"),
        Err(_) => Err("cannot be read"),
    }
}

fn not_in_a_town(dir: &Path) -> anyhow::Error {
    Failure::new(format!("not in a town: {}", dir.display()))
        .hint("make one with: gt install ~/gt, or name one with: gt -C DIR …")
        .into()
}

/// The town at exactly this folder.
pub fn found_at(root: &Path) -> Option<FoundTown> {
    let found = |layout, identity| Some(FoundTown { root: root.to_path_buf(), layout, identity });
    let present = root.join(IDENTITY);
    if present.is_file() {
        return found(FolderLayout::Present, present);
    }
    // Any project may have a `mayor/config.json` of its own: only one that says so is a town's.
    OLDER
        .iter()
        .map(|dir| root.join(dir).join("config.json"))
        .find(|path| kind(path) == "workspace")
        .and_then(|path| found(FolderLayout::Workspace, path))
}

/// What a JSON file says it is; empty when it does not.
pub fn kind(path: &Path) -> String {
    #[derive(Deserialize)]
    struct TownKind {
        #[serde(rename = "type")]
        kind: String,
    }
    let text = crate::base::files::bytes(path).unwrap_or_default();
    serde_json::from_slice::<TownKind>(&text).map(|found| found.kind).unwrap_or_default()
}

impl FoundTown {
    /// Reads the identity file.
    ///
    /// # Errors
    /// When it is broken, foreign, or of a newer version.
    pub fn town(self) -> Result<Town> {
        let (name, id) = match self.layout {
            FolderLayout::Present => {
                let file: TownFile = read_json(&self.identity)?;
                check_kind(&self.identity, "town", &file.kind, file.version)?;
                let id = rules::town_id(&file.name, &file.created_at);
                (file.name, id)
            }
            FolderLayout::Workspace => (folder_name(&self.root), String::new()),
        };
        Ok(Town { root: self.root, name, layout: self.layout, id, reads: Reads::default() })
    }
}

/// The last part of a path, as text.
pub fn folder_name(path: &Path) -> String {
    path.file_name().map_or_else(|| "town".into(), |name| name.to_string_lossy().into_owned())
}

/// Refuses a file that is not what its place says, or that a newer gt wrote.
///
/// # Errors
/// As said.
pub fn check_kind(path: &Path, wanted: &str, found: &str, version: u32) -> Result<()> {
    if found != wanted {
        crate::fail!(
            "{} is of type '{found}', not '{wanted}'", path.display();
            "mend it by hand; gt never overwrites a file that is not its own"
        );
    }
    if version > 1 {
        crate::fail!("{} was written by a newer gt (version {version})", path.display(); "update gt");
    }
    Ok(())
}

impl Town {
    /// `mayor/rigs.json`.
    pub fn rigs_path(&self) -> PathBuf {
        self.root.join("mayor/rigs.json")
    }

    /// Reads `mayor/rigs.json`.
    ///
    /// # Errors
    /// When it is missing, broken or of a newer version.
    pub fn rigs_file(&self) -> Result<RigsFile> {
        let path = self.rigs_path();
        let mut file: RigsFile = parse_json(&path, &self.reads.text(&path)?)?;
        check_kind(&path, "rigs", "rigs", file.version)?;
        file.rigs.values_mut().for_each(|entry| entry.git_url = repo_url::plain(&entry.git_url));
        if let Some(name) = file.rigs.keys().find(|name| !crate::model::address::is_rig_name(name)) {
            crate::fail!("{}: '{name}' is no name of a rig", path.display(); "take the line out by hand");
        }
        Ok(file)
    }

    /// The names of its rigs, sorted.
    ///
    /// # Errors
    /// As [`Town::rigs_file`]; for the older layout, when the root cannot be read.
    pub fn rig_names(&self) -> Result<Vec<String>> {
        match self.layout {
            FolderLayout::Present => Ok(self.rigs_file()?.rigs.into_keys().collect()),
            FolderLayout::Workspace => {
                let names = crate::base::files::names_in(&self.root)?;
                let is_rig = |name: &String| kind(&self.rig_config_path(name)) == "rig";
                Ok(names.into_iter().filter(is_rig).collect())
            }
        }
    }

    /// The `config.json` of a rig.
    pub fn rig_config_path(&self, name: &str) -> PathBuf {
        match self.layout {
            FolderLayout::Present => self.root.join(name).join("config.json"),
            FolderLayout::Workspace => self.root.join(name).join(".gastown/config.json"),
        }
    }

    /// Reads one rig that is known by name, in either layout.
    ///
    /// # Errors
    /// As [`read_rig_config`].
    pub fn read_rig(&self, name: &str) -> Result<Rig> {
        let path = self.rig_config_path(name);
        let config = rig_config(&path, &self.reads.text(&path)?)?;
        Ok(Rig { name: name.into(), root: self.root.join(name), config, town: self.id.clone() })
    }
}

/// Reads a rig's `config.json`: strictly inside the sections gt knows, and keeping all else.
///
/// # Errors
/// When it is missing, broken, foreign or of a newer version: file, line, column.
pub fn read_rig_config(path: &Path) -> Result<RigConfig> {
    rig_config(path, &read(path)?)
}

/// Reads the text of a rig's `config.json`.
///
/// # Errors
/// As [`read_rig_config`].
pub fn rig_config(path: &Path, text: &str) -> Result<RigConfig> {
    /// The sections whose keys are checked here; their values are read with the layers under them.
    #[derive(Deserialize)]
    struct Sections {
        #[serde(rename = "merge")]
        _merge: Option<MergeSettings>,
        #[serde(rename = "worktree")]
        _worktree: Option<WorktreeSettings>,
        #[serde(rename = "sync")]
        _sync: Option<SyncSettings>,
    }
    let mut config: RigConfig = parse_json(path, text)?;
    config.git_url = repo_url::plain(&config.git_url);
    parse_json::<Sections>(path, text)?;
    check_kind(path, "rig", &config.kind, config.version)?;
    check_prefixes(path, &config.beads.prefixes)?;
    config.file = Some((path.into(), text.into()));
    Ok(config)
}

/// The `beads.prefixes` alone of a rig's `config.json`: a broken setting of another part keeps nobody from the beads.
///
/// # Errors
/// When it is no JSON, they are no list of texts, or one of them cannot be a prefix.
pub fn read_rig_prefixes(path: &Path) -> Result<Vec<String>> {
    let file: serde_json::Value = parse_json(path, &read(path)?)?;
    let prefixes = match &file["beads"]["prefixes"] {
        serde_json::Value::Null => Vec::new(),
        value => serde_json::from_value(value.clone()).map_err(|error| {
            Failure::new(format!("{}: beads.prefixes: {error}", path.display()))
                .hint("write a list of texts, as in \"prefixes\": [\"cd\"]")
        })?,
    };
    check_prefixes(path, &prefixes)?;
    Ok(prefixes)
}

fn check_prefixes(path: &Path, prefixes: &[String]) -> Result<()> {
    if let Some(odd) = prefixes.iter().find(|prefix| !crate::model::rules::is_prefix(prefix)) {
        crate::fail!(
            "{}: beads.prefixes: '{odd}' cannot be a prefix of ids", path.display();
            "a prefix is letters, digits, - and _, without the - before the rest of an id, as in \"cd\""
        );
    }
    Ok(())
}

/// Changes the list of rigs under the lock of its file: reads it again, changes it, writes it.
///
/// # Errors
/// When it is broken (then it is left as it is) or cannot be written.
pub fn change_rigs(town: &Town, change: impl FnOnce(&mut RigsFile)) -> Result<()> {
    let _lock = crate::base::files::lock(&crate::base::files::lock_of(&town.rigs_path()))?;
    let mut file = town.rigs_file()?;
    change(&mut file);
    crate::base::files::write_json(&town.rigs_path(), &file).context("the list of rigs is unchanged")
}
