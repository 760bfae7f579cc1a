//! Folding on the bench: one request put on top of the target, or of others that were.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;

use super::bench::{Bench, Folded, Front};
use crate::beads::request::Request;
use crate::config::schema::Strategy;
use crate::model::address::Address;
use crate::model::commit::Author;
use crate::plan::merge_message::{self, MergedWork};
use crate::programs::git::Git;
use crate::programs::git::identity::Signer;
use crate::programs::git::merging::Fold;
use crate::town::within::Within;

impl Bench<'_> {
    /// Puts one request on top of `onto`, by the rig's strategy.
    ///
    /// # Errors
    /// When git fails for a reason that does not lie in the request.
    pub fn fold(&self, onto: &Front, request: &Request) -> Result<Folded> {
        if self.merge.strategy == Strategy::Rebase {
            return self.fold_by_rebase(onto, request);
        }
        let tree = match self.merge_onto(&onto.commit, &request.commit)? {
            Fold::Clean(tree) if tree == onto.tree => return Ok(Folded::Nothing),
            Fold::Clean(tree) => tree,
            Fold::Conflict(files) => return Ok(Folded::Conflict(files)),
            Fold::Impossible(why) => return Ok(Folded::Impossible(why)),
        };
        let work = MergedWork {
            bead: &request.bead,
            title: &request.title,
            branch: &request.branch,
            worker: &request.worker,
        };
        let commit = match self.merge.strategy {
            Strategy::Squash => {
                let squashed = self.clone.squashed(&onto.commit, &request.commit)?;
                let author = merge_message::author(&squashed);
                let message = merge_message::message(work, author, &squashed);
                self.commit(&tree, &[&onto.commit], &message, author)?
            }
            _ => {
                let parents = [onto.commit.as_str(), &request.commit];
                self.commit(&tree, &parents, &merge_message::message(work, None, &[]), None)?
            }
        };
        Ok(Folded::Clean(Front { commit, tree }))
    }

    fn commit(&self, tree: &str, parents: &[&str], message: &str, author: Option<&Author>) -> Result<String> {
        self.noting_unsigned(self.clone.commit_tree(tree, parents, message, self.signer()?, author))
    }

    /// Merges as git does by hand in a checkout of `onto`: with its attributes. They say nothing of a file that only one of
    /// the two changed. One process then, as for most; up to three with attributes; a work tree for merge drivers.
    fn merge_onto(&self, onto: &str, commit: &str) -> Result<Fold> {
        if !self.old_git.get() {
            match self.clone.merge_trees(onto, commit, self.empty_folder()?)? {
                None => self.old_git.set(true),
                Some((fold, both)) if both.is_empty() => return Ok(fold),
                Some((fold, both)) if !self.signer()?.has_drivers => {
                    return Ok(match self.attributes_of(onto, &both)? {
                        Some(folder) => {
                            let merged = self.clone.merge_trees(onto, commit, folder.path())?;
                            merged.map_or(fold, |(fold, _)| fold)
                        }
                        None => fold,
                    });
                }
                Some(_) => {}
            }
        }
        let signer = self.signer()?;
        self.in_folds(onto, |git| git.merge_here(onto, commit, signer))
    }

    /// A folder with the attributes of a commit that count for these files; `None`: it has none.
    fn attributes_of(&self, commit: &str, paths: &BTreeSet<String>) -> Result<Option<tempfile::TempDir>> {
        let found = self.clone.attributes_of(commit, paths)?;
        if found.is_empty() {
            return Ok(None);
        }
        let folder = self.temporary("attributes-")?;
        let within = Within::new(folder.path())?;
        for (path, text) in found {
            within.write(&path, &text)?;
        }
        Ok(Some(folder))
    }

    fn empty_folder(&self) -> Result<&Path> {
        if self.empty.get().is_none() {
            let made = self.temporary("empty-")?;
            let _ = self.empty.set(made);
        }
        match self.empty.get() {
            Some(made) => Ok(made.path()),
            None => crate::fail!("cannot make a folder in {}", self.folder().display()),
        }
    }

    /// Who makes the commits, read once. The refinery's clone may know no address where the canonical one does.
    fn signer(&self) -> Result<&Signer> {
        if let Some(signer) = self.signer.get() {
            return Ok(signer);
        }
        let name = Address::Refinery(self.rig.name.clone()).to_string();
        let signer = self.clone.signer(&name, Some(&self.canonical))?;
        Ok(self.signer.get_or_init(|| signer))
    }

    /// Whether a commit could not be signed: that lies in no request.
    pub fn is_unsigned(&self) -> bool {
        self.unsigned.get()
    }

    fn noting_unsigned<T>(&self, done: Result<T>) -> Result<T> {
        self.unsigned.set(done.as_ref().is_err_and(Signer::failed));
        done
    }

    fn fold_by_rebase(&self, onto: &Front, request: &Request) -> Result<Folded> {
        let signer = self.signer()?;
        let rebase = |git: &Git| git.rebase_here(&onto.commit, &request.commit, signer);
        match self.noting_unsigned(self.in_folds(&onto.commit, rebase))? {
            Fold::Clean(commit) if commit == onto.commit => Ok(Folded::Nothing),
            Fold::Clean(commit) => Ok(Folded::Clean(self.front(&commit)?)),
            Fold::Conflict(files) => Ok(Folded::Conflict(files)),
            Fold::Impossible(why) => Ok(Folded::Impossible(why)),
        }
    }

    /// Folds in a worktree that is made once, and again after a git that failed for another reason than a conflict: what
    /// it left half done would fail the next.
    fn in_folds(&self, commit: &str, fold: impl FnOnce(&Git) -> Result<Fold>) -> Result<Fold> {
        let path = match self.folds.take() {
            Some(path) => path,
            None => self.worktree(commit)?,
        };
        let folded = fold(&Git::at(&path));
        match folded {
            Ok(_) => self.folds.set(Some(path)),
            Err(_) => self.remove(&path),
        }
        folded
    }
}
