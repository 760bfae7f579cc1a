//! The bench that branches are merged and tested on: the refinery's clone, for one command at a time.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::base::failure::Failure;
use crate::base::files;
use crate::beads::request::Request;
use crate::config::schema::MergeSettings;
use crate::config::{self, Settings, Sources};
use crate::model::refs::{Branch, MIRRORED, POLECAT};
use crate::plan::trust as agent_settings;
use crate::programs::git::Git;
use crate::programs::git::identity::Signer;
use crate::programs::git::pushing::{Deletion, Landing};
use crate::town::Rig;
use crate::town::trust::Setting;
use crate::work::agent::trust;
use crate::work::merge::links;

/// Refs of the refinery's clone that say as which commit a handed-over commit goes onto the target: what a killed
/// command had pushed is known by them, whatever the strategy.
pub(in crate::work) const LANDING: &str = "refs/gt/landing/";

/// The same for direct landings, which need no request.
pub(in crate::work) const DIRECT: &str = "refs/gt/direct/";

/// The last commit of the target whose tests were green.
pub(super) const GREEN: &str = "refs/gt/green";

/// The refinery's clone, locked.
pub struct Bench<'a> {
    /// The rig.
    pub rig: &'a Rig,
    /// How it merges.
    pub merge: MergeSettings,
    pub(super) settings: Settings,
    /// The variables of a test run.
    pub(super) test_env: Vec<(String, String)>,
    /// Where work lands that names no target of its own.
    pub target: String,
    pub(super) clone: Git,
    pub(super) canonical: Git,
    pub(super) signer: OnceCell<Signer>,
    pub(super) unsigned: Cell<bool>,
    pub(super) empty: OnceCell<tempfile::TempDir>,
    records: &'static str,
    pub(super) folds: Cell<Option<PathBuf>>,
    pub(super) old_git: Cell<bool>,
    /// The agent settings of the commit of the target that was asked about last.
    target_settings: RefCell<Option<(String, Vec<Setting>)>>,
    pub(super) runs: Cell<usize>,
    _lock: files::Lock,
}

/// Who works at the bench.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BenchKind {
    /// The queue.
    Queue,
    /// A direct landing.
    Direct,
}

/// What was found at origin.
#[derive(Clone, Debug, Default)]
pub struct SeenOrigin {
    /// The branch that work lands on.
    pub target: String,
    /// Its commit.
    pub tip: String,
    /// Branches of polecats there, each with its commit.
    pub branches: BTreeMap<String, String>,
    /// Commits handed over, each with the commit it was to land as.
    pub landings: BTreeMap<String, String>,
}

/// A commit folded onto the target, or onto others that were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Front {
    /// The commit that the target would stand at.
    pub commit: String,
    /// Its tree.
    pub tree: String,
}

/// What came of folding one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Folded {
    /// The target with it.
    Clean(Front),
    /// All of it is there already.
    Nothing,
    /// Files in conflict.
    Conflict(Vec<String>),
    /// It can never be merged; why.
    Impossible(String),
}

impl<'a> Bench<'a> {
    /// Takes the rig's bench and clears what a killed command left. Who comes second waits; `say` tells so.
    ///
    /// # Errors
    /// When the lock or the configuration cannot be read, or the clone is not there.
    pub fn open(rig: &'a Rig, sources: &Sources, kind: BenchKind, say: &dyn Fn(&str)) -> Result<Bench<'a>> {
        let settings = config::settings(sources)?;
        let path = lock_path(rig);
        let lock = match files::try_lock(&path)? {
            Some(lock) => lock,
            None => {
                say(&format!("another command merges in {}: waiting for it", rig.name));
                files::lock(&path)?
            }
        };
        let bench = Bench {
            rig,
            target: config::target(&settings),
            test_env: config::passed::passed(&settings.merge.test_env, &sources.env),
            merge: settings.merge.clone(),
            settings,
            clone: Git::at(rig.refinery_dir()),
            canonical: Git::at(rig.clone_dir()),
            signer: OnceCell::new(),
            unsigned: Cell::new(false),
            empty: OnceCell::new(),
            records: if kind == BenchKind::Queue { LANDING } else { DIRECT },
            folds: Cell::new(None),
            old_git: Cell::new(false),
            target_settings: RefCell::new(None),
            runs: Cell::new(0),
            _lock: lock,
        };
        bench.clone.git_dir()?;
        bench.sweep();
        Ok(bench)
    }

    /// How many times the test command was run.
    pub fn runs(&self) -> usize {
        self.runs.get()
    }

    pub(super) fn folder(&self) -> PathBuf {
        self.rig.root.join("refinery/bench")
    }

    /// Removes worktrees that a killed command left. What cannot be removed is in nobody's way: names are not reused.
    fn sweep(&self) {
        if self.folder().exists() {
            let _ = std::fs::remove_dir_all(self.folder());
            let _ = self.clone.worktree_prune();
        }
    }

    pub(super) fn worktree(&self, commit: &str) -> Result<PathBuf> {
        let path = self.temporary("work-")?.keep();
        self.clone.worktree_detached(&path, commit)?;
        Ok(path)
    }

    pub(super) fn remove(&self, path: &Path) {
        // A test may have left files of another user, or a program that still writes: the next sweep tries again.
        if self.clone.worktree_remove(path).is_err() {
            let _ = std::fs::remove_dir_all(path);
            let _ = self.clone.worktree_prune();
        }
    }

    /// Whether a branch is at origin.
    ///
    /// # Errors
    /// When origin cannot be read.
    pub fn is_at_origin(&self, branch: &str) -> Result<bool> {
        let full = format!("refs/heads/{branch}");
        Ok(self.clone.origin_refs(&[&full])?.iter().any(|(name, _)| *name == full))
    }

    /// Fetches the target and the polecats' branches; three processes.
    ///
    /// # Errors
    /// When origin cannot be read.
    pub fn fetch(&self, target: &str) -> Result<SeenOrigin> {
        self.clone.fetch_for_merging(target)?;
        let tracking = format!("refs/remotes/origin/{target}");
        let refs = self.clone.refs_under(&[&tracking, MIRRORED, LANDING, DIRECT])?;
        let tip = refs
            .get(&tracking)
            .cloned()
            .ok_or_else(|| Failure::new(format!("origin of {} has no branch {target}", self.rig.name)))?;
        let under = |prefix: &str, name: &str| -> BTreeMap<String, String> {
            let found = refs.iter().filter_map(|(own, commit)| Some((own.strip_prefix(prefix)?, commit)));
            found.map(|(rest, commit)| (format!("{name}{rest}"), commit.clone())).collect()
        };
        let mut landings = under(DIRECT, "");
        landings.extend(under(LANDING, ""));
        Ok(SeenOrigin { target: target.into(), tip, branches: under(MIRRORED, POLECAT), landings })
    }

    /// Which commits of requests are here.
    ///
    /// # Errors
    /// When git fails.
    pub fn has(&self, requests: &[Request]) -> Result<Vec<bool>> {
        let commits: Vec<&str> = requests.iter().map(|request| request.commit.as_str()).collect();
        self.clone.has_commits(&commits)
    }

    /// Brings the commit of a request here: from the canonical clone, where it was made, else from origin. `false`: it
    /// is in neither.
    ///
    /// # Errors
    /// When origin cannot be read.
    pub fn bring(&self, request: &Request) -> Result<bool> {
        // A polecat with a clone of its own may be the only one that has it.
        for dir in [self.rig.clone_dir(), self.rig.polecat_dir(request.polecat())] {
            if dir.join(".git").exists() && self.clone.fetch_commit(&dir, &request.commit)? {
                return Ok(true);
            }
        }
        // Only a polecat's branches are mirrored; a person's may have any name.
        if !self.is_at_origin(&request.branch)? {
            return Ok(false);
        }
        self.clone.bring_refs(&request.branch, &[&format!("refs/heads/{}", request.branch)])?;
        Ok(self.clone.has_commits(&[&request.commit])?[0])
    }

    /// Whether a request is on the target: the commit it landed as.
    ///
    /// # Errors
    /// When git cannot compare commits.
    pub fn landed(&self, seen: &SeenOrigin, request: &Request) -> Result<Option<String>> {
        match seen.landings.get(&request.commit) {
            Some(commit) if self.clone.is_ancestor(commit, &seen.tip)? => Ok(Some(commit.clone())),
            _ => Ok(None),
        }
    }

    /// What is wrong with the commits of other repositories that a request names.
    ///
    /// # Errors
    /// When it cannot be told.
    pub fn troubles(&self, seen: &SeenOrigin, request: &Request) -> Result<Vec<links::Trouble>> {
        links::troubles(&self.clone, &seen.tip, &request.commit)
    }

    /// The commit of a request that brings nothing new to the target: itself when it is there, else the target's.
    ///
    /// # Errors
    /// As [`Bench::landed`].
    pub fn present_as(&self, seen: &SeenOrigin, request: &Request) -> Result<String> {
        let there = self.clone.is_ancestor(&request.commit, &seen.tip)?;
        Ok(if there { request.commit.clone() } else { seen.tip.clone() })
    }

    /// What may be deleted at origin once the request has landed: its branch, when no later commit is on it.
    ///
    /// # Errors
    /// As [`Bench::landed`].
    pub fn deletion(&self, seen: &SeenOrigin, request: &Request) -> Result<Option<Deletion>> {
        let own = request.made_its_branch(&self.rig.town);
        let Some(commit) = seen.branches.get(&request.branch).filter(|_| own) else { return Ok(None) };
        let whole = *commit == request.commit || self.clone.is_ancestor(commit, &request.commit)?;
        Ok(whole.then(|| Deletion { branch: request.branch.clone(), commit: commit.clone() }))
    }

    /// The target as it is, as the front to fold onto.
    ///
    /// # Errors
    /// When git cannot read it.
    pub fn front(&self, commit: &str) -> Result<Front> {
        Ok(Front { commit: commit.into(), tree: self.clone.tree_of(commit)? })
    }

    /// The agent settings that `front` changes on top of `onto`.
    ///
    /// # Errors
    /// When git cannot compare them, or it cannot be told what the target's settings are.
    pub fn changed_settings(&self, seen: &SeenOrigin, onto: &str, front: &str) -> Result<Vec<String>> {
        let paths = self.clone.differing(onto, front)?;
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let target = self.settings_of_target(seen)?;
        trust::changed(&self.clone, front, &paths, &target, &agent_settings::listed(&self.settings.agents))
    }

    fn settings_of_target(&self, seen: &SeenOrigin) -> Result<Vec<Setting>> {
        if let Some((tip, settings)) = &*self.target_settings.borrow()
            && *tip == seen.tip
        {
            return Ok(settings.clone());
        }
        let settings = trust::of_target(self.rig, &self.clone, &seen.tip, &self.settings)?;
        *self.target_settings.borrow_mut() = Some((seen.tip.clone(), settings.clone()));
        Ok(settings)
    }

    /// Trusts the agent settings that a consent brought onto the target: those whose content before was trusted, or that
    /// were not there.
    ///
    /// # Errors
    /// When git cannot read the commits, or it cannot be written down.
    pub fn trust_changed(&self, seen: &SeenOrigin, front: &str) -> Result<()> {
        let changed = self.changed_settings(seen, &seen.tip, front)?;
        if changed.is_empty() {
            return Ok(());
        }
        trust::remember(self.rig, &self.settings)?;
        let trust = crate::town::trust::read(&self.rig.root)?.unwrap_or_default();
        let before = self.settings_of_target(seen)?;
        let refused = |path: &str| before.iter().any(|old| old.path == path && !trust.holds(old));
        let names = agent_settings::listed(&self.settings.agents);
        let mut now = trust::settings_at(&self.clone, front, &names)?;
        now.retain(|new| !before.contains(new) && !refused(&new.path));
        trust::accept(&self.rig.root, &now).map(drop)
    }

    pub(super) fn temporary(&self, prefix: &str) -> Result<tempfile::TempDir> {
        let dir = self.folder();
        files::make_dir(&dir)?;
        let made = tempfile::Builder::new().prefix(prefix).tempdir_in(&dir);
        made.with_context(|| format!("cannot make a folder in {}", dir.display()))
    }

    /// Writes down as which commits requests are about to land: (handed over, landing).
    ///
    /// # Errors
    /// When git cannot write refs.
    pub fn record(&self, landings: &[(String, String)]) -> Result<()> {
        let lines: Vec<String> = landings
            .iter()
            .map(|(commit, landing)| format!("update {}{commit} {landing}", self.records))
            .collect();
        self.clone.change_refs("write down what is about to land", &lines)
    }

    /// Commits handed over of which [`Bench::record`] wrote something down.
    ///
    /// # Errors
    /// When git cannot list refs.
    pub fn landings(&self) -> Result<Vec<String>> {
        let refs = self.clone.refs_under(&[self.records])?;
        Ok(refs.keys().filter_map(|name| name.strip_prefix(self.records)).map(String::from).collect())
    }

    /// Forgets what [`Bench::record`] wrote, now that the store says it.
    ///
    /// # Errors
    /// When git cannot write refs.
    pub fn forget(&self, commits: &[String], green: Option<&str>) -> Result<()> {
        let mut lines: Vec<String> =
            commits.iter().map(|commit| format!("delete {}{commit}", self.records)).collect();
        lines.extend(green.map(|commit| format!("update {GREEN} {commit}")));
        self.clone.change_refs("write down what has landed", &lines)
    }

    /// The push that lands.
    ///
    /// # Errors
    /// When origin cannot be reached.
    pub fn push(&self, target: &str, commit: &str, deletions: &[Deletion]) -> Result<Landing> {
        self.clone.push_landing(target, commit, deletions)
    }

    /// Deletes branches at origin, and forgets in the canonical clone that they were there: a later push of the same
    /// name must not expect them. `false`: origin kept one.
    ///
    /// # Errors
    /// When git cannot be started.
    pub fn delete_branches(&self, deletions: &[Deletion]) -> Result<bool> {
        let gone = self.clone.delete_branches(deletions)?;
        self.branches_are_gone(deletions.iter().map(|one| one.branch.as_str()))?;
        Ok(gone)
    }

    /// Forgets in the canonical clone that these branches were at origin.
    ///
    /// # Errors
    /// When git cannot write refs.
    pub fn branches_are_gone<'b>(&self, branches: impl Iterator<Item = &'b str>) -> Result<()> {
        let polecats = branches.filter(|branch| Branch::parse(branch).is_some());
        let lines: Vec<String> =
            polecats.map(|branch| format!("delete refs/remotes/origin/{branch}")).collect();
        self.canonical.change_refs("forget merged branches", &lines)
    }
}

impl Drop for Bench<'_> {
    fn drop(&mut self) {
        self.sweep();
    }
}

/// The file that is locked while a command merges.
pub(in crate::work) fn lock_path(rig: &Rig) -> PathBuf {
    rig.root.join("refinery/bench.lock")
}

/// Whether a command merges in the rig at this moment.
///
/// # Errors
/// When the lock cannot be looked at.
pub fn is_busy(rig: &Rig) -> Result<bool> {
    let path = lock_path(rig);
    Ok(path.exists() && files::try_lock(&path)?.is_none())
}
