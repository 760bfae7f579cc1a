//! What of the agent settings that a rig's repository tracks is trusted: `mayor/trust.json`, beside the canonical clone that
//! it is about, and in no repository.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::base::files;

/// One agent setting of a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Its path in the repository.
    pub path: String,
    /// git's id of its content.
    pub id: String,
    /// The link that leads to it; nothing for a file that an agent program reads under its own name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// The agent settings of the commit that was looked at last: as long as origin stays there, git is not asked again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenSettings {
    /// The commit.
    pub commit: String,
    /// The names that were looked for.
    pub names: Vec<String>,
    /// What was found.
    pub settings: Vec<Setting>,
}

/// `mayor/trust.json` of a rig.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trust {
    /// 1
    pub version: u32,
    /// Contents that a person said yes to: path, and git's ids.
    pub trusted: BTreeMap<String, BTreeSet<String>>,
    /// The last look.
    #[serde(default)]
    pub seen: SeenSettings,
}

impl Trust {
    /// Whether a person said yes to this content at this path.
    pub fn holds(&self, setting: &Setting) -> bool {
        self.trusted.get(&setting.path).is_some_and(|ids| ids.contains(&setting.id))
    }

    /// Remembers a person's yes.
    pub fn add<'a>(&mut self, settings: impl IntoIterator<Item = &'a Setting>) {
        for setting in settings {
            self.trusted.entry(setting.path.clone()).or_default().insert(setting.id.clone());
        }
    }

    /// What was seen last and is not trusted.
    pub fn open(&self) -> Vec<&Setting> {
        self.seen.settings.iter().filter(|setting| !self.holds(setting)).collect()
    }
}

/// Where it is in a rig's folder.
pub fn path(rig: &Path) -> PathBuf {
    rig.join("mayor/trust.json")
}

/// Reads it; `None` where nothing was written down yet, or the file is gone: nothing is trusted.
///
/// # Errors
/// When it is broken or of a newer version: nothing is trusted then.
pub fn read(rig: &Path) -> Result<Option<Trust>> {
    let path = path(rig);
    let Some(text) = files::text(&path)? else { return Ok(None) };
    let trust: Trust = files::parse_json(&path, &text)?;
    super::discover::check_kind(&path, "trust", "trust", trust.version)?;
    Ok(Some(trust))
}

/// Writes the first one, of a rig that is being made: nothing is trusted.
///
/// # Errors
/// When it cannot be written.
pub fn create(rig: &Path, seen: SeenSettings) -> Result<()> {
    files::write_json(&path(rig), &Trust { version: 1, seen, ..Trust::default() })
}

/// Changes it under the lock of its file; gives it as it is then.
///
/// # Errors
/// As [`read`], and when it cannot be written.
pub fn change(rig: &Path, change: impl FnOnce(&mut Trust)) -> Result<Trust> {
    let path = path(rig);
    let _lock = files::lock(&files::lock_of(&path))?;
    let before = read(rig)?;
    let mut trust = before.clone().unwrap_or_default();
    trust.version = 1;
    change(&mut trust);
    if before.as_ref() != Some(&trust) {
        files::write_json(&path, &trust)?;
    }
    Ok(trust)
}
