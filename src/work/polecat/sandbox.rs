//! A polecat's worktree (or clone) at its end: what would be lost with it, what is kept of it, and its removal.
//!
//! Nothing goes before every commit in it is reachable from the target or from a recovery ref (law 3).

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::loss::keep::{KeptWork, Shelf, delete_branches};
use super::loss::repo::Repo;
use super::loss::{Losses, Stays, cut, look, look_at_branches};
use crate::model::ids::InstanceId;
use crate::model::refs::{Branch, HEADS, RECOVERY, TRACKED};
use crate::programs::git::Git;
use crate::programs::git::keeping::Ref;
use crate::town::{Rig, occupancy};

/// A polecat's place to work, and what git keeps for it in the canonical clone.
#[derive(Clone, Debug)]
pub struct Sandbox {
    /// The polecat's name.
    pub name: String,
    /// The instance id that the recovery refs carry.
    pub instance: InstanceId,
    /// `polecats/<Name>`.
    pub dir: PathBuf,
    /// The canonical clone.
    pub clone: PathBuf,
    /// The branch that work lands on.
    pub target: String,
}

/// What was seen of a sandbox before its end.
#[derive(Clone, Debug, Default)]
pub struct SandboxLook {
    /// What would be lost.
    pub losses: Losses,
    /// Its repository; `None` when there is none.
    repo: Option<Repo>,
    /// The polecat's branches in the canonical clone.
    going: Vec<Ref>,
}

impl SandboxLook {
    /// The polecat's branches that go with it, name and commit.
    pub fn branches(&self) -> Vec<(String, String)> {
        self.going.iter().map(|one| (one.name.clone(), one.id.clone())).collect()
    }

    /// What a person has to decide about before it can go, as [`Losses::stops`] says.
    ///
    /// # Errors
    /// When something in it cannot be read.
    pub fn stops(&self, ignored: bool, address: &str) -> Result<Vec<String>> {
        if self.losses.unknown_inside() {
            let why = cut(&self.losses.stops(false)).join("; ");
            crate::fail!(
                "what would be lost with {address} cannot be told: {why}";
                "a worktree may be mended with: gt doctor --fix; or move its files aside and end it: gt polecat nuke {address}"
            );
        }
        Ok(cut(&self.losses.stops(ignored)))
    }
}

impl Sandbox {
    /// The sandbox of a polecat of a rig.
    pub fn of(rig: &Rig, target: &str, name: &str, instance: &InstanceId) -> Sandbox {
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

    /// Whether a ref is a branch of this polecat.
    fn is_own(&self, one: &Ref) -> bool {
        one.name.starts_with(HEADS) && Branch::of_ref(&one.name).is_some_and(|own| own.name == self.name)
    }

    fn shelf(&self) -> Shelf {
        Shelf::new(&self.clone, &self.name, &self.instance, &self.dir)
    }

    /// What would be lost with it. What cannot be read of the place itself is part of the answer.
    ///
    /// # Errors
    /// When the canonical clone cannot be read.
    pub fn look(&self) -> Result<SandboxLook> {
        self.look_and_delete(&|_| true)
    }

    /// The same when only some of the polecat's branches go with it.
    fn look_and_delete(&self, goes: &dyn Fn(&str) -> bool) -> Result<SandboxLook> {
        let refs = Git::alone(&self.clone).refs_with_kinds(&[])?;
        let going: Vec<Ref> =
            refs.iter().filter(|one| self.is_own(one) && goes(&one.name)).cloned().collect();
        let mut unknown = Vec::new();
        let mut repo = Repo::open(&self.dir).unwrap_or_else(|error| {
            unknown.push(format!("{error:#}"));
            None
        });
        if repo.is_none() {
            // Its clone may still know what was checked out there.
            repo = Repo::worktree_of(&self.clone, &self.dir);
            unknown.extend(self.stray_files()?.filter(|_| unknown.is_empty()));
        }
        let tracking = format!("{TRACKED}{}", self.target);
        let target = refs.iter().find(|one| one.name == tracking).map(|one| one.id.clone());
        let mut losses = self.look_from(repo.as_ref(), &refs, &going, target.as_deref());
        // Commits of its own that only the clone's memory of origin has: origin is asked.
        let base = repo.as_ref().and_then(Repo::base);
        let kept = losses.head.as_ref().is_none_or(|head| losses.tips.iter().any(|tip| tip.id == *head));
        if !kept && base.is_some() && base != losses.head {
            let now = match Git::at(&self.clone).fetch_branch(&self.target) {
                Ok(()) => Git::alone(&self.clone).commit_of(&tracking)?,
                Err(_) => base,
            };
            if now != target {
                losses = self.look_from(repo.as_ref(), &refs, &going, now.as_deref());
            }
        }
        losses.unknown.extend(unknown);
        if is_unbegun(&self.dir) {
            // What is ignored there came with its making.
            losses.files.ignored.clear();
        }
        Ok(SandboxLook { losses, repo, going })
    }

    fn look_from(&self, repo: Option<&Repo>, refs: &[Ref], going: &[Ref], target: Option<&str>) -> Losses {
        let kept = refs
            .iter()
            .filter(|one| one.name.starts_with(RECOVERY) || (self.is_own(one) && !going.contains(one)));
        let stays = Stays {
            objects: kept.map(|one| one.id.clone()).chain(target.map(str::to_string)).collect(),
            origin: None,
            refs: refs
                .iter()
                .filter(|one| !going.contains(one))
                .map(|one| (one.name.clone(), one.id.clone()))
                .collect(),
        };
        match repo {
            Some(repo) => look(repo, &stays, going),
            None => look_at_branches(&self.clone, &stays, going),
        }
    }

    /// What is said of files in a folder that is no work tree. A folder that a killed `worktree add` left empty has none.
    fn stray_files(&self) -> Result<Option<String>> {
        let held = match std::fs::read_dir(&self.dir) {
            Ok(entries) => entries.filter_map(Result::ok).any(|entry| entry.file_name() != ".git"),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", self.dir.display())),
        };
        let shown = self.dir.display();
        Ok(held.then(|| format!("{shown} holds files, but is no work tree of git")))
    }

    /// Keeps what would be lost: commits under recovery refs; with `files` also each file that is in no commit. What git
    /// cannot read is then moved aside as a whole.
    ///
    /// # Errors
    /// When git or the disk cannot keep it; then nothing may be removed.
    pub fn keep(&self, look: &SandboxLook, with_files: bool) -> Result<KeptWork> {
        let shelf = self.shelf();
        let kept = match look.losses.unknown_inside() {
            false => shelf.keep(look.repo.as_ref(), &look.losses, with_files),
            true => Err(anyhow::anyhow!(look.losses.stops(false).join("; "))),
        };
        let mut kept = match kept {
            Err(error) if with_files => {
                // Its branches and the commits that can be reached go under refs all the same.
                let bare = Losses { tips: look.losses.tips.clone(), ..Losses::default() };
                let mut kept = match &look.repo {
                    Some(repo) if repo.is_whole() => shelf.keep(None, &Losses::default(), false)?,
                    _ => shelf.keep(None, &bare, false)?,
                };
                kept.unreadable = Some(format!("{error:#}"));
                kept.folder = Some(shelf.aside(&self.dir, look.repo.as_ref())?);
                kept
            }
            kept => kept?,
        };
        if kept.main.is_none() && Git::alone(&self.clone).commit_of(&shelf.main_ref())?.is_some() {
            kept.main = Some(shelf.main_ref());
        }
        Ok(kept)
    }

    /// Removes the folder: first it goes aside in one move, so that a kill in the middle leaves nothing that looks
    /// like work. The caller has looked at what would be lost, and kept it.
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
                crate::work::polecat::names::new_instance()
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

    /// Takes back what a sling made that did not come to its end: the place and this branch. Nothing else.
    ///
    /// # Errors
    /// When git or the disk refuses.
    pub fn take_back(&self, branch: &str) -> Result<()> {
        let full = format!("refs/heads/{branch}");
        let look = self.look_and_delete(&|name| name == full)?;
        // Until a place is prepared every file in it is the sling's own.
        let prepared = look.repo.as_ref().is_some_and(|repo| repo.prepared().is_some());
        if prepared || !look.losses.unknown_inside() {
            self.keep(&look, prepared)?;
        }
        occupancy::check_removable(&self.dir)?;
        self.remove_tree()?;
        self.remove_branches(&look)
    }

    /// Makes git forget a worktree whose folder is gone. Its branches stay; commits that only it knew are kept.
    ///
    /// # Errors
    /// When git cannot tell what it knew.
    pub fn forget_worktree(&self) -> Result<()> {
        let look = self.look_and_delete(&|_| false)?;
        self.keep(&look, false)?;
        Git::at(&self.clone).worktree_remove(&self.dir)
    }

    /// Deletes the polecat's branches, each only as it was seen.
    ///
    /// # Errors
    /// When one changed meanwhile.
    pub fn remove_branches(&self, look: &SandboxLook) -> Result<()> {
        delete_branches(&self.clone, &look.going)
    }
}

/// How the name of a folder begins that is being removed: `.gone-<Name>-…`.
const ASIDE: &str = ".gone-";

/// Whose folder it was that is being removed.
pub fn aside_of(folder: &str) -> Option<&str> {
    folder.strip_prefix(ASIDE)?.split('-').next()
}

/// A file in the git folder of a place where no session was started yet: whatever is there came with its making.
pub const UNBEGUN: &str = "gt-unbegun";

/// Whether no session was ever started in a place.
pub fn is_unbegun(path: &Path) -> bool {
    Git::at(path).git_dir().is_ok_and(|dir| dir.join(UNBEGUN).exists())
}
