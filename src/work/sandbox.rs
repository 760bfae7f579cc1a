//! A polecat's worktree (or clone) at its end: what is in it, what is kept of it, and its removal.
//!
//! Nothing goes before every commit in it is reachable from the target or from a recovery ref (law 3).

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::failure::Failure;
use crate::programs::git::Git;
use crate::town::Rig;

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

    /// Whether git knows the folder as a work tree. A folder left by a killed `worktree add` is none.
    fn is_work_tree(&self) -> bool {
        self.dir.join(".git").exists()
            && Git::at(&self.dir).try_run(["rev-parse", "--verify", "-q", "HEAD"]).is_ok_and(|out| out.ok())
    }

    /// Changed and untracked files, as `git status --porcelain` has them; empty when there is no work tree.
    ///
    /// # Errors
    /// When git cannot tell.
    pub fn dirty(&self) -> Result<Vec<String>> {
        if !self.is_work_tree() {
            return Ok(Vec::new());
        }
        let text =
            Git::at(&self.dir).run("look for changes", ["status", "--porcelain", "--untracked-files=all"])?;
        Ok(text.lines().map(str::to_string).collect())
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
        let mut tip = None;
        if self.is_work_tree() {
            let git = Git::at(&self.dir);
            let mut head = git.run("read the last commit", ["rev-parse", "HEAD"])?;
            if changes && !self.dirty()?.is_empty() {
                head = self.commit_changes(&head)?;
            }
            tip = Some(head);
        }
        let mut kept = None;
        if let Some(tip) = tip.filter(|_| self.exists()) {
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
        Ok(kept.or_else(|| self.recovery_exists().then(|| self.recovery_ref())))
    }

    /// Points a ref of the canonical clone at a commit, unless the target holds that already.
    fn point(&self, name: &str, tip: &str) -> Result<Option<String>> {
        if self.is_ancestor(tip, &format!("refs/remotes/origin/{}", self.target)) {
            return Ok(None);
        }
        Git::at(&self.clone).run(
            "make a recovery ref",
            ["update-ref", "-m", "gt: kept at the end of a polecat", name, tip],
        )?;
        Ok(Some(name.into()))
    }

    fn is_ancestor(&self, commit: &str, of: &str) -> bool {
        // Anything but a clear yes counts as no: then a ref more is made.
        Git::at(&self.clone)
            .try_run(["merge-base", "--is-ancestor", commit, of])
            .is_ok_and(|output| output.ok())
    }

    fn recovery_exists(&self) -> bool {
        let name = self.recovery_ref();
        Git::at(&self.clone).try_run(["rev-parse", "--verify", "-q", &name]).is_ok_and(|output| output.ok())
    }

    /// A commit of everything that is changed or untracked, on top of `head`; index and files stay as they are.
    fn commit_changes(&self, head: &str) -> Result<String> {
        let scratch = tempfile::tempdir().context("cannot make a temporary folder")?;
        let index = scratch.path().join("index");
        let git = Git::at(&self.dir);
        let run = |what: &str, args: &[&str]| -> Result<String> {
            let output = git.process(args).env("GIT_INDEX_FILE", &index).env_remove("GT_NONE").run()?;
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
        run(
            "commit the changes",
            &[
                "-c",
                "user.name=gt",
                "-c",
                "user.email=gt@localhost",
                "commit-tree",
                &tree,
                "-p",
                head,
                "-m",
                &message,
            ],
        )
    }

    /// Brings a full clone's commits into the canonical clone.
    fn bring_home(&self, tip: &str) -> Result<()> {
        let name = self.recovery_ref();
        let from = self.dir.to_string_lossy().into_owned();
        let scratch = format!("refs/gt/incoming/{}", self.instance);
        if Git::at(&self.dir).try_run(["update-ref", &scratch, tip])?.ok() {
            let spec = format!("+{scratch}:{name}");
            Git::at(&self.clone)
                .run("fetch a polecat's commits", ["fetch", "-q", "--no-tags", &from, &spec])?;
        }
        Ok(())
    }

    /// The polecat's branches in the canonical clone, with their tips.
    fn branches(&self) -> Result<Vec<(String, String)>> {
        let pattern = format!("refs/heads/polecat/{}-*", self.name);
        let format = "--format=%(refname) %(objectname)";
        let text = Git::at(&self.clone).run("list branches", ["for-each-ref", format, &pattern])?;
        Ok(text
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(name, tip)| (name.into(), tip.into()))
            .collect())
    }

    /// Removes the folder. The caller has looked for changes and made the recovery ref.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove_tree(&self) -> Result<()> {
        let git = Git::at(&self.clone);
        if self.dir.join(".git").is_file() {
            // Twice, because a killed `worktree add` leaves its work tree locked.
            let dir = self.dir.to_string_lossy().into_owned();
            if git.try_run(["worktree", "remove", "-f", "-f", "--", &dir])?.ok() {
                return Ok(());
            }
        }
        if self.exists() {
            std::fs::remove_dir_all(&self.dir)
                .with_context(|| format!("cannot remove {}", self.dir.display()))?;
        }
        git.run("forget removed worktrees", ["worktree", "prune"])?;
        Ok(())
    }

    /// Deletes the polecat's branches, each only as it was seen.
    ///
    /// # Errors
    /// When one changed meanwhile.
    pub fn remove_branches(&self) -> Result<()> {
        for (name, tip) in self.branches()? {
            Git::at(&self.clone).run("delete a branch", ["update-ref", "-d", &name, &tip])?;
        }
        Ok(())
    }
}
