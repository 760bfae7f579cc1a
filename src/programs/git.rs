//! git: the one file that knows its words and quirks (`facts/git-and-sqlite.md`).
//!
//! Every call runs with a fixed environment: no prompt, no editor, no optional locks, no background maintenance.
//! Functions here are one git process each unless their docs say otherwise.

pub mod answers;
pub mod credentials;
mod hooks;
pub mod identity;
pub mod keeping;
pub mod leftovers;
pub mod letters;
pub mod lfs;
pub mod links;
pub mod merging;
mod network;
pub mod pushing;
pub mod running;
pub mod sync;
pub mod trees;
pub mod worktree;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::base::failure::{Failure, NO_ROOM};
use crate::base::limits::MOMENT;
use crate::programs::process::{Output, Process};

pub use answers::{Push, WorktreeStatus};

/// A work tree or clone that git is run in.
#[derive(Clone, Debug)]
pub struct Git {
    dir: PathBuf,
    /// Whether only a repository in `dir` itself counts.
    alone: bool,
    /// The file of a rig's credential, for what is not run in one of its clones.
    credential: Option<PathBuf>,
}

impl Git {
    /// git, run in `dir`.
    pub fn at(dir: impl AsRef<Path>) -> Git {
        Git { dir: dir.as_ref().to_path_buf(), alone: false, credential: None }
    }

    /// git, run in the repository at `dir` itself. Where that is broken, git does not take one further up for it.
    pub fn alone(dir: impl AsRef<Path>) -> Git {
        Git { alone: true, ..Git::at(dir) }
    }

    /// Where it is run.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The command, as data. Nothing is ever asked on the terminal or in a window: a password that is needed is an error.
    pub fn process<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Process {
        let args: Vec<OsString> = args.into_iter().map(|arg| arg.as_ref().to_os_string()).collect();
        let reach = network::reach(&self.dir, &args);
        let mut process = Process::new("git")
            .arg("-C")
            .arg(&self.dir)
            .args(["-c", "maintenance.auto=false", "-c", "gc.auto=0"])
            // Everything here calls it `origin`, whatever the user's own configuration makes of it.
            .args(["-c", "clone.defaultRemoteName=origin"])
            .args(self.credential.iter().flat_map(|file| ["-c".into(), credentials::setting(file)]))
            .args(args)
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_EDITOR", "true")
            .env("GIT_OPTIONAL_LOCKS", "0")
            // ssh takes these instead of the terminal (since 8.4).
            .env("SSH_ASKPASS", "false")
            .env("SSH_ASKPASS_REQUIRE", "force")
            .limit(reach.limit);
        if reach.by_ssh && !self.has_ssh_command() {
            process = process.env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes");
        }
        match self.dir.parent().filter(|_| self.alone) {
            // Where a person forbids it (`safe.bareRepository`), git finds none without a work tree by itself.
            Some(_) if self.is_bare() => process.env("GIT_DIR", "."),
            Some(above) => process.env("GIT_CEILING_DIRECTORIES", above),
            None => process,
        }
    }

    fn is_bare(&self) -> bool {
        self.dir.join("HEAD").is_file()
            && self.dir.join("objects").is_dir()
            && !self.dir.join(".git").exists()
    }

    /// Whether the person says how git is to run ssh. One process at most.
    fn has_ssh_command(&self) -> bool {
        let set = |key: &&str| std::env::var_os(key).is_some_and(|value| !value.is_empty());
        ["GIT_SSH_COMMAND", "GIT_SSH"].iter().any(set)
            || Process::new("git")
                .arg("-C")
                .arg(&self.dir)
                .args(["config", "--get", "core.sshCommand"])
                .timeout(MOMENT)
                .run()
                .is_ok_and(|output| output.code != Some(1))
    }

    /// Runs git and gives whatever came of it. A lock file in its way is waited for, and removed when its owner is gone.
    ///
    /// # Errors
    /// When git cannot be started.
    pub fn try_run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Result<Output> {
        self.run_unlocked(&self.process(args))
    }

    /// Runs git and gives its output as text; `what` says in an error what was being done.
    ///
    /// # Errors
    /// When git fails: `what`, the folder, and git's own last lines.
    pub fn run<S: AsRef<OsStr>>(&self, what: &str, args: impl IntoIterator<Item = S>) -> Result<String> {
        let output = self.try_run(args)?;
        if output.ok() {
            return Ok(output.text());
        }
        Err(self.failed(what, &output).into())
    }

    /// Settings of one file whose keys fit the pattern. One process; the folder's own configuration is not needed for it.
    ///
    /// # Errors
    /// Why git cannot read the file.
    pub fn settings_in(&self, file: &Path, pattern: &str) -> Result<Vec<(String, String)>, String> {
        let words = [OsStr::new("config"), "-z".as_ref(), "--file".as_ref(), file.as_ref()];
        let words = words.into_iter().chain(["--get-regexp".as_ref(), OsStr::new(pattern)]);
        let output = self.try_run(words).map_err(|error| format!("{error:#}"))?;
        let pair = |entry: &str| {
            let (key, value) = entry.split_once('\n').unwrap_or((entry, ""));
            (key.to_string(), value.to_string())
        };
        match output.code {
            Some(0) => Ok(output.text().split('\0').filter(|entry| !entry.is_empty()).map(pair).collect()),
            Some(1) => Ok(Vec::new()),
            _ => Err(last_words(&output)),
        }
    }

    /// Replaces a setting of one file, or takes it out.
    ///
    /// # Errors
    /// When git cannot write the file.
    pub fn take_setting_out(&self, file: &Path, key: &str, value: Option<&str>) -> Result<()> {
        let mut words = vec![OsStr::new("config"), "--file".as_ref(), file.as_ref()];
        match value {
            Some(value) => words.extend(["--replace-all".as_ref(), OsStr::new(key), OsStr::new(value)]),
            None => words.extend(["--unset-all".as_ref(), OsStr::new(key)]),
        }
        self.run(&format!("change {key}"), words).map(drop)
    }

    /// Why git failed at something, with what helps where that can be told. One process.
    pub fn failed(&self, what: &str, output: &Output) -> Failure {
        if let Some(too_old) = super::versions::git_too_old() {
            return too_old;
        }
        let said = output.error_text();
        // git does not always say that it could not write.
        let failure =
            self.failure(format!("cannot {what} in {}: {}", self.dir.display(), last_words(output)));
        let lfs = ["git-lfs", "filter lfs", "filter 'lfs'"].iter().any(|words| said.contains(words));
        if lfs && which::which("git-lfs").is_err() { failure.hint(lfs::INSTALL) } else { failure }
    }

    /// A failure of git's, with what helps when the disk is full.
    pub fn failure(&self, message: String) -> Failure {
        let failure = Failure::new(message);
        if crate::base::failure::is_full(&self.dir) { failure.hint(NO_ROOM) } else { failure }
    }
}

/// What git said at the end, as one line without its `fatal:`.
pub fn last_words(output: &Output) -> String {
    let text = output.error_text();
    // Why a remote cannot be read stands before git's general words about it.
    let text =
        text.split_once("\nfatal: Could not read from remote repository.").map_or(&*text, |(why, _)| why);
    // A full disk is the cause of whatever failed after it.
    let full = text.lines().find(|line| line.contains("No space left on device"));
    let said = text.lines().rev().find(|line| line.starts_with("fatal:") || line.starts_with("error:"));
    let said = full.or(said);
    let line = said.or_else(|| text.lines().last()).unwrap_or("git said nothing");
    line.trim_start_matches("fatal: ").trim_start_matches("error: ").to_string()
}
