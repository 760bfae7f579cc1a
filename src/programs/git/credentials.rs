//! Credentials that came in the URL of a rig: git's own store keeps them, in a file that its user alone can read.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::Git;
use crate::base::quote::quote;
use crate::base::{files, repo_url};

/// The file, in the git directory of a rig's canonical clone.
const FILE: &str = "mayor/rig/.git/gt-credential";

/// What git is told in each clone of the rig, all of which stand two folders below the rig's.
const HELPER: &str = r#"!git credential-store --file "$(git rev-parse --git-common-dir)/../../../mayor/rig/.git/gt-credential""#;

/// Where the credential of a rig stands, when it has one.
pub fn of_rig(root: &Path) -> Option<PathBuf> {
    Some(root.join(FILE)).filter(|file| file.is_file())
}

/// Keeps the credential of a rig, from [`repo_url::credential`], and has its own clones use it.
///
/// # Errors
/// When the file or the configuration of a clone cannot be written.
pub fn keep(root: &Path, credential: &str) -> Result<()> {
    files::write(&root.join(FILE), format!("{credential}\n"))?;
    for clone in ["mayor/rig", "refinery/rig"].map(|clone| root.join(clone)) {
        if clone.join(".git").is_dir() {
            let (git, url) = (Git::at(clone), repo_url::plain(credential));
            git.run("set the origin", ["config", "remote.origin.url", &url])?;
            git.use_credential(root, &url)?;
        }
    }
    Ok(())
}

impl Git {
    /// The same git with the credential of a rig, for what is not run in one of its clones.
    #[must_use]
    pub fn with_credential(self, file: Option<PathBuf>) -> Git {
        Git { credential: file, ..self }
    }

    /// Has a clone use the credential of its rig, where there is one.
    ///
    /// # Errors
    /// When its configuration cannot be written.
    pub fn use_credential(&self, root: &Path, url: &str) -> Result<()> {
        let Some((scheme, rest)) = url.split_once("://").filter(|_| of_rig(root).is_some()) else {
            return Ok(());
        };
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let key = format!("credential.{scheme}://{host}.helper");
        self.run("set how git signs in", ["config", &key, HELPER]).map(drop)
    }

    /// The URL that git takes in place of this one, by the `insteadOf` of the person's configuration. One process, that is
    /// told the URL where no other user can read it.
    ///
    /// # Errors
    /// When git cannot be started.
    pub fn in_place_of(&self, url: &str) -> Result<String> {
        let words = ["ls-remote", "--get-url", "gt"];
        let told = url.replace('\'', "'\\''").replace('!', "'\\!'");
        let told = format!("'remote.gt.url={told}'");
        let output = self.process(words).env("GIT_CONFIG_PARAMETERS", told).run()?;
        Ok(if output.ok() && !output.text().is_empty() { output.text() } else { url.into() })
    }
}

/// What makes git use the credential in a file, as a word of `-c`.
pub(super) fn setting(file: &Path) -> String {
    format!("credential.helper=store --file={}", quote(&file.to_string_lossy()))
}
