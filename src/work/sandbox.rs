//! A polecat's worktree (or clone) at its end: what is in it, what is kept of it, and its removal.
//!
//! Nothing goes before every commit in it is reachable from the target or from a recovery ref (law 3).

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::failure::Failure;
use crate::programs::git::{Git, worktree::fetch_words};
use crate::town::{Rig, occupancy};

/// A polecat's place to work, and what git keeps for it in the canonical clone.
#[derive(Clone, Debug)]
pub struct Sandbox {
    /// The polecat's name.
    pub name: String,
    /// The instance id that the recovery ref carries.
    pub instance: String,
    /// `polecats/<Name>`.
    pub dir: PathBuf,
    /// The canonical clone.
    pub clone: PathBuf,
    /// The branch that work lands on.
    pub target: String,
}

impl Sandbox {
    /// The sandbox of a polecat of a rig.
    pub fn of(rig: &Rig, target: &str, name: &str, instance: &str) -> Sandbox {
        Sandbox {
            name: name.into(),
            instance: instance.into(),
            dir: rig.polecat_dir(name),
            clone: rig.clone_dir(),
            target: target.into(),
        }
    }

    /// Whether there is a folder.
    pub fn exists(&self) -> bool {
        self.dir.symlink_metadata().is_ok()
    }

    /// Whether there is a work tree that can hold work. A folder that a killed `worktree add` left empty is none.
    ///
    /// # Errors
    /// When there are files and git cannot tell what they are: then nothing may be concluded (law 3).
    fn is_work_tree(&self) -> Result<bool> {
        if self.dir.join(".git").exists() && Git::at(&self.dir).commit_of("HEAD")?.is_some() {
            return Ok(true);
        }
        let held = match std::fs::read_dir(&self.dir) {
            Ok(entries) => entries.filter_map(Result::ok).any(|entry| entry.file_name() != ".git"),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", self.dir.display())),
        };
        if held {
            crate::fail!(
                "{} holds files, but is no work tree of git", self.dir.display();
                "its way to the clone may be mended with: gt doctor --fix; else look at it: ls -la {}", self.dir.display()
            );
        }
        Ok(false)
    }

    /// Changed and untracked files, as `git status --porcelain` has them; empty when there is no work tree.
    ///
    /// # Errors
    /// When git cannot tell.
    pub fn dirty(&self) -> Result<Vec<String>> {
        if !self.is_work_tree()? {
            return Ok(Vec::new());
        }
        let words = ["status", "--porcelain", "--untracked-files=all"];
        let git = Git::at(&self.dir);
        let text = git.run("look for changes", words)?;
        Ok(text.lines().filter(|line| !git.is_as_checked_out(line)).map(str::to_string).collect())
    }

    /// The name of the recovery ref.
    pub fn recovery_ref(&self) -> String {
        format!("refs/gt/recovery/{}/{}", self.name, self.instance)
    }

    /// Makes the recovery ref when there is a commit that is not on the target, or (with `changes`) a change that is
    /// not committed: that becomes a commit of its own first. Gives the ref's name when there is one now.
    ///
    /// # Errors
    /// When git cannot tell or cannot write it; then nothing may be removed.
    pub fn keep(&self, changes: bool) -> Result<Option<String>> {
        let tip = self.tip(changes)?;
        let mut kept = None;
        if let Some(tip) = tip {
            if self.dir.join(".git").is_dir() {
                self.bring_home(&tip)?;
            }
            kept = self.point(&self.recovery_ref(), &tip)?;
        }
        for (number, (_, tip)) in self.branches()?.iter().enumerate() {
            let known = kept.as_ref().is_some_and(|name| self.is_ancestor(tip, name));
            if !known {
                let name = if kept.is_none() {
                    self.recovery_ref()
                } else {
                    format!("{}.{number}", self.recovery_ref())
                };
                kept = self.point(&name, tip)?.or(kept);
            }
        }
        if kept.is_none() && Git::at(&self.clone).commit_of(&self.recovery_ref())?.is_some() {
            kept = Some(self.recovery_ref());
        }
        Ok(kept)
    }

    /// The last commit of the work tree; with `changes` a new one of what is not committed. `None` without a work tree.
    fn tip(&self, changes: bool) -> Result<Option<String>> {
        if !self.is_work_tree()? {
            return Ok(None);
        }
        let head = Git::at(&self.dir).run("read the last commit", ["rev-parse", "HEAD"])?;
        let dirty = changes && !self.dirty()?.is_empty();
        Ok(Some(if dirty { self.commit_changes(&head)? } else { head }))
    }

    /// Points a ref of the canonical clone at a commit, unless the target holds that already.
    fn point(&self, name: &str, tip: &str) -> Result<Option<String>> {
        if self.is_ancestor(tip, &format!("refs/remotes/origin/{}", self.target)) {
            return Ok(None);
        }
        Git::at(&self.clone).update_ref(name, tip, None)?;
        Ok(Some(name.into()))
    }

    fn is_ancestor(&self, commit: &str, of: &str) -> bool {
        // Anything but a clear yes counts as no: then a ref more is made.
        Git::at(&self.clone)
            .try_run(["merge-base", "--is-ancestor", commit, of])
            .is_ok_and(|output| output.ok())
    }

    /// A commit of everything that is changed or untracked, on top of `head`; index and files stay as they are.
    fn commit_changes(&self, head: &str) -> Result<String> {
        let scratch = tempfile::tempdir().context("cannot make a temporary folder")?;
        let index = scratch.path().join("index");
        let git = Git::at(&self.dir);
        let run = |what: &str, args: &[&str]| -> Result<String> {
            let output = git.process(args).env("GIT_INDEX_FILE", &index).run()?;
            if output.ok() {
                return Ok(output.text());
            }
            let words = crate::programs::git::last_words(&output);
            Err(Failure::new(format!("cannot {what} in {}: {words}", self.dir.display())).into())
        };
        run("read the last commit", &["read-tree", head])?;
        run("gather changes", &["add", "-A"])?;
        let tree = run("write the changes", &["write-tree"])?;
        let message = format!("Uncommitted changes of {} at its end", self.name);
        let who = ["-c", "user.name=gt", "-c", "user.email=gt@localhost"];
        run("commit the changes", &[&who[..], &["commit-tree", &tree, "-p", head, "-m", &message]].concat())
    }

    /// Brings a full clone's commits into the canonical clone.
    fn bring_home(&self, tip: &str) -> Result<()> {
        let scratch = format!("refs/gt/incoming/{}", self.instance);
        Git::at(&self.dir).update_ref(&scratch, tip, None)?;
        let (from, spec) = (self.dir.to_string_lossy(), format!("+{scratch}:{}", self.recovery_ref()));
        let words = fetch_words(&from, std::slice::from_ref(&&*spec)).to_vec();
        Git::at(&self.clone).must_locked("fetch a polecat's commits", words)
    }

    /// The polecat's branches in the canonical clone, with their tips.
    ///
    /// # Errors
    /// When git cannot list them.
    pub fn branches(&self) -> Result<Vec<(String, String)>> {
        Git::at(&self.clone).refs(&format!("refs/heads/polecat/{}-*", self.name))
    }

    /// Removes the folder: first it goes aside in one move, so that a kill in the middle leaves nothing that looks
    /// like work. The caller has looked for changes and made the recovery ref.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove_tree(&self) -> Result<()> {
        let failed = || format!("cannot remove {}", self.dir.display());
        occupancy::check_removable(&self.dir)?;
        if self.exists() {
            let aside = self.dir.with_file_name(format!(
                "{ASIDE}{}-{}",
                self.name,
                crate::work::names::new_instance()
            ));
            std::fs::rename(&self.dir, &aside).with_context(failed)?;
        }
        Git::at(&self.clone).worktree_remove(&self.dir)?;
        let Some(parent) = self.dir.parent() else { return Ok(()) };
        for entry in std::fs::read_dir(parent).with_context(failed)?.filter_map(Result::ok) {
            if aside_of(&entry.file_name().to_string_lossy()) == Some(&self.name) {
                std::fs::remove_dir_all(entry.path()).with_context(failed)?;
            }
        }
        Ok(())
    }

    /// Deletes the polecat's branches, each only as it was seen.
    ///
    /// # Errors
    /// When one changed meanwhile.
    pub fn remove_branches(&self) -> Result<()> {
        let git = Git::at(&self.clone);
        self.branches()?.iter().try_for_each(|(name, tip)| git.delete_ref(name, tip))
    }
}

/// How the name of a folder begins that is being removed: `.gone-<Name>-…`.
const ASIDE: &str = ".gone-";

/// Whose folder it was that is being removed.
pub fn aside_of(folder: &str) -> Option<&str> {
    folder.strip_prefix(ASIDE)?.split('-').next()
}
