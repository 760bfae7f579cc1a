//! Who makes the commits of gt's own, and how they are signed: as the person's git is told.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::Git;
use crate::base::failure::Failure;
use crate::base::folders::Folder;
use crate::base::quote::quote;
use crate::programs::{Output, Process};

const UNSIGNED: &str = "cannot sign the commit";

/// Who makes the commits of gt's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signer {
    /// Name of author and committer.
    name: String,
    /// The person's address.
    email: Option<String>,
    /// Whether git guesses no address (`user.useConfigOnly`).
    guesses_none: bool,
    /// Whether commits are signed (`commit.gpgsign`).
    pub signs: bool,
    /// The key, where git is told one.
    key: Option<String>,
    /// `openpgp`, `x509` or `ssh`.
    format: String,
    /// Whether merge drivers of the person's are defined.
    pub has_drivers: bool,
    /// Name, address and time, as git writes them into a commit made now.
    pub ident: String,
}

impl Signer {
    /// A process that commits as this one.
    pub fn of(&self, process: Process) -> Process {
        let process = process.env("GIT_AUTHOR_NAME", &self.name).env("GIT_COMMITTER_NAME", &self.name);
        match &self.email {
            Some(email) => process.env("GIT_AUTHOR_EMAIL", email).env("GIT_COMMITTER_EMAIL", email),
            // It counts only where git knows no `user.email`.
            None => process.env("EMAIL", "gastown@localhost"),
        }
    }

    /// Settings of git for a commit that is signed: the key is the person's, not the one of the agent's name.
    pub fn settings(&self) -> Vec<String> {
        match &self.email {
            Some(email) if self.signs && self.key.is_none() && self.format != "ssh" => {
                vec!["-c".into(), format!("user.signingkey=<{email}>")]
            }
            _ => Vec::new(),
        }
    }

    /// Whether an error is about a commit that could not be signed.
    pub fn failed(error: &anyhow::Error) -> bool {
        error.downcast_ref::<Failure>().is_some_and(|failure| failure.message.starts_with(UNSIGNED))
    }

    fn key_in_words(&self) -> String {
        match (&self.key, &self.email) {
            (Some(key), _) => format!("the key {key}"),
            (None, Some(email)) if self.format != "ssh" => format!("the key of {email}"),
            _ => "no key (user.signingkey is not set)".into(),
        }
    }
}

/// Reads `git var -l`: settings, a line each, the last of a key counts.
fn read(name: &str, settings: &str) -> Signer {
    let mut signer = Signer { name: name.into(), format: "openpgp".into(), ..Signer::default() };
    for line in settings.lines() {
        let (key, value) = line.split_once('=').unwrap_or((line, "true"));
        let some = || Some(value.to_string()).filter(|value| !value.is_empty());
        match key {
            "user.email" => signer.email = some(),
            "user.useconfigonly" => signer.guesses_none = is_true(value),
            "user.signingkey" => signer.key = some(),
            "GIT_COMMITTER_IDENT" => signer.ident = value.into(),
            "gpg.format" => signer.format = value.to_lowercase(),
            "commit.gpgsign" => signer.signs = is_true(value),
            _ if key.starts_with("merge.") && key.ends_with(".driver") => signer.has_drivers = true,
            _ => {}
        }
    }
    signer
}

/// A boolean as git reads it.
fn is_true(value: &str) -> bool {
    let number = value.parse::<i64>().is_ok_and(|number| number != 0);
    number || ["true", "yes", "on"].contains(&value.to_lowercase().as_str())
}

impl Git {
    /// Who makes gt's commits here: `name`, and the person's address and key as this clone's git is told, or else that of
    /// `other`. One process, two when this clone knows no address.
    ///
    /// # Errors
    /// When git cannot read its settings.
    pub fn signer(&self, name: &str, other: Option<&Git>) -> Result<Signer> {
        let nameless = Signer { name: name.into(), ..Signer::default() };
        let output = nameless.of(self.process(["var", "-l"])).run()?;
        if !output.ok() {
            return Err(self.failed("read the settings", &output).into());
        }
        let mut signer = read(name, &output.text());
        if let (None, Some(other)) = (&signer.email, other) {
            let email = other.try_run(["config", "--get", "user.email"])?;
            signer.email = Some(email.text()).filter(|text| email.ok() && !text.is_empty());
        }
        Ok(signer)
    }

    /// Takes over what the repository at `other` itself says of who commits and how commits are signed.
    ///
    /// # Errors
    /// When git cannot read or write the settings.
    pub fn take_identity(&self, other: &Path) -> Result<()> {
        let file = Git::at(other).common_dir()?.join("config");
        let found = self.settings_in(&file, r"^(user|gpg|commit)\.").map_err(Failure::new)?;
        for (key, value) in found {
            self.run(&format!("set {key}"), ["config", "--add", &key, &value])?;
        }
        Ok(())
    }

    /// What is wrong when git could not sign, with the command that tries it.
    pub(super) fn cannot_sign(&self, output: &Output, signer: &Signer) -> Option<Failure> {
        let said = output.error_text();
        let of_git =
            ["unable to ", "No space left on device", "insufficient permission", "not a valid object"];
        let signing = ["sign", "gpg", "key"].iter().any(|word| said.contains(word));
        if !signer.signs || !signing || of_git.iter().any(|word| said.contains(word)) {
            return None;
        }
        // What a rebase says after it is about the rebase.
        let about = |line: &&str| {
            !line.is_empty() && !line.starts_with("hint:") && !line.starts_with("Could not apply")
        };
        let lines: Vec<&str> = said.lines().map(str::trim).filter(about).collect();
        let end = lines[lines.len().saturating_sub(5)..].join("; ");
        // A work tree of the queue is gone by the time that this is read.
        let clone = self.common_dir().ok().and_then(|dir| dir.parent().map(Path::to_path_buf));
        let dir = quote(&clone.unwrap_or_else(|| self.dir.clone()).to_string_lossy());
        let what = format!("{UNSIGNED} (commit.gpgsign) with {}: {end}", signer.key_in_words());
        Some(Failure::new(what).hint(format!(
            "try it, and unlock the key, which gt cannot ask for: git -C {dir} commit-tree -S -m try 'HEAD^{{tree}}'"
        )))
    }

    /// Why agents cannot commit in the worktrees of this clone: git is told to guess no address, and knows none. No process
    /// where the person's settings do not say so.
    ///
    /// # Errors
    /// When git cannot read its settings.
    pub fn identity_missing(&self) -> Result<Option<Failure>> {
        Ok(self.odd_signer()?.and_then(|signer| self.missing(&signer)))
    }

    /// Where git is to sign and is told no key, tells it that of the person's address: in the session of an agent it would
    /// look for one of the agent's name. At most two processes, and mostly none.
    ///
    /// # Errors
    /// When git cannot read its settings, or write the clone's.
    pub fn name_key(&self) -> Result<()> {
        if let Some([_, key]) = self.odd_signer()?.as_ref().map(Signer::settings).as_deref() {
            let key = key.trim_start_matches("user.signingkey=");
            self.run("set user.signingkey", ["config", "user.signingkey", key])?;
        }
        Ok(())
    }

    fn odd_signer(&self) -> Result<Option<Signer>> {
        let odd = self.settings_mention(&["useconfigonly", "gpgsign", "[include"]);
        odd.then(|| self.signer("gt", None)).transpose()
    }

    fn missing(&self, signer: &Signer) -> Option<Failure> {
        let what = "git knows no user.email, and is told to guess none (user.useConfigOnly)";
        let failure = || Failure::new(format!("cannot commit in {}: {what}", self.dir.display()));
        (signer.email.is_none() && signer.guesses_none).then(|| self.tells_who(failure()))
    }

    /// Whether one of the files with git's settings, as far as they can be found here, has one of these words.
    fn settings_mention(&self, words: &[&str]) -> bool {
        let var = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let mut files = vec![self.common_dir().unwrap_or_default().join("config")];
        match var("GIT_CONFIG_GLOBAL") {
            Some(file) => files.push(file),
            None => {
                files.extend(Folder::Config.find(var).map(|config| config.join("git/config")));
                files.extend(var("HOME").map(|home| home.join(".gitconfig")));
            }
        }
        if var("GIT_CONFIG_NOSYSTEM").is_none() {
            files.push(var("GIT_CONFIG_SYSTEM").unwrap_or_else(|| "/etc/gitconfig".into()));
        }
        let has = |file: &PathBuf| {
            let text = std::fs::read_to_string(file).unwrap_or_default().to_lowercase();
            words.iter().any(|word| text.contains(word))
        };
        var("GIT_CONFIG_COUNT").is_some() || files.iter().any(has)
    }

    /// A failure to commit, with the command that helps when git knows no address.
    pub(super) fn without_identity(&self, failure: Failure) -> Failure {
        let unknown =
            ["no email was given", "auto-detect email", "Please tell me who you are", "empty ident"];
        match unknown.iter().any(|words| failure.message.contains(words)) {
            true => self.tells_who(failure),
            false => failure,
        }
    }

    fn tells_who(&self, failure: Failure) -> Failure {
        let dir = quote(&self.dir.to_string_lossy());
        failure.hint(format!("say who commits there: git -C {dir} config user.email YOU@EXAMPLE.COM"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_are_signed_as_git_is_told() {
        let signer = read("w/refinery", "user.email=a@x\nuser.email=b@x\ncommit.gpgsign\nuser.name=N\n");
        assert!(signer.signs && !signer.has_drivers);
        assert_eq!(signer.settings(), ["-c", "user.signingkey=<b@x>"]);
        let signer = read("w", "commit.gpgsign=yes\ngpg.format=ssh\nuser.email=a@x\nmerge.mine.driver=x %A");
        assert!(signer.signs && signer.has_drivers);
        assert_eq!(
            (signer.settings(), signer.key_in_words().as_str()),
            (vec![], "no key (user.signingkey is not set)")
        );
        let signer =
            read("w", "commit.gpgsign=true\nuser.signingkey=ABC\nuser.email=a@x\ncommit.gpgsign=false\n");
        assert_eq!(
            (signer.signs, signer.settings(), signer.key_in_words().as_str()),
            (false, vec![], "the key ABC")
        );
    }

    #[test]
    fn a_failure_to_sign_is_told_from_others() {
        let git = Git::at("/c");
        let signer = read("w", "commit.gpgsign=true\nuser.email=a@x\n");
        let said = |text: &str| Output::of(1, "", text);
        let failed = said("error: gpg failed to sign the data:\ngpg: signing failed: No secret key\n");
        let failure = git.cannot_sign(&failed, &signer).unwrap();
        insta::assert_snapshot!(failure.message, @"cannot sign the commit (commit.gpgsign) with the key of a@x: error: gpg failed to sign the data:; gpg: signing failed: No secret key");
        assert!(failure.hint.unwrap().ends_with("git -C /c commit-tree -S -m try 'HEAD^{tree}'"));
        assert!(git.cannot_sign(&said("error: unable to write sign"), &signer).is_none());
        assert!(git.cannot_sign(&failed, &read("w", "")).is_none());
    }
}
