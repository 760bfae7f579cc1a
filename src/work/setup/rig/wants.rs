//! What a rig needs of this machine and of the person, and does not have.

use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use crate::config::Settings;
use crate::programs::git::{Git, lfs};
use crate::town::Rig;
use crate::work::polecat::bringing;

/// One thing that is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Want {
    /// What, in a sentence.
    pub message: String,
    /// The command that helps.
    pub hint: String,
}

/// What its clone lacks: an address to commit with, git-lfs. One process where the person's git may guess no address.
///
/// # Errors
/// When git cannot be started.
pub fn of_clone(clone: &Path) -> Result<Vec<Want>> {
    let mut wants = Vec::new();
    if let Some(failure) = Git::at(clone).identity_missing()? {
        wants.push(Want { message: failure.message, hint: failure.hint.unwrap_or_default() });
    }
    if lfs::is_missing(clone)? {
        let message =
            "files of the project are with git-lfs, which is not installed: only their pointers are here";
        wants.push(Want { message: message.into(), hint: lfs::INSTALL.into() });
    }
    Ok(wants)
}

/// The same, and what its settings name and its clone `mayor/rig` does not have.
///
/// # Errors
/// As [`of_clone`].
pub fn of_rig(rig: &Rig, settings: &Settings) -> Result<Vec<Want>> {
    let clone = rig.clone_dir();
    let mut wants = of_clone(&clone)?;
    let rules = &settings.worktree;
    for (key, list) in [("copy", &rules.copy), ("link", &rules.link)] {
        for text in list {
            if bringing::find(&clone, text)?.is_empty() {
                let message = format!("worktree.{key}: {text} is not in {}", clone.display());
                let hint =
                    format!("put it there, or take it out of {}", rig.root.join("config.json").display());
                wants.push(Want { message, hint });
            }
        }
    }
    Ok(wants)
}
