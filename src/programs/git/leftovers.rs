//! What a killed git leaves in a clone: lock files that stop every later git, and worktrees that were never finished.
//!
//! Both are removed only when no git works there, and a worktree only when git itself made everything in it.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result};

use super::Git;
use super::running::{self, RunningGit};
use super::trees::ALL_SUBMODULES;
use crate::base::files;
use crate::programs::{Output, Process};

/// How old a lock file has to be before it counts as left over.
const SETTLED: Duration = Duration::from_secs(2);

/// How long a lock file with an owner may be there before doctor names it.
const LONG: Duration = Duration::from_secs(60);

/// How long gt waits for the owner of a lock file.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whose a lock file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockOwner {
    /// No git runs in the clone, and no process has the file open.
    Gone,
    /// This one, in words.
    Runs(String),
    /// The system does not tell.
    Unknown,
}

/// A lock file of git.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockFile {
    /// The file.
    pub path: PathBuf,
    /// How long it has been there.
    pub age: Duration,
    /// Who has it.
    pub owner: LockOwner,
    /// Tells it from another one of the same name.
    inode: u64,
}

impl LockFile {
    /// Whether it may go.
    pub fn is_left_over(&self) -> bool {
        self.owner == LockOwner::Gone && self.age >= SETTLED
    }

    /// Whether a person should know of it.
    pub fn is_worth_a_word(&self) -> bool {
        self.is_left_over() || (self.owner != LockOwner::Gone && self.age >= LONG)
    }
}

/// A worktree that was never finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// What the clone knows of it: `.git/worktrees/NAME`.
    admin: PathBuf,
    /// Its folder, as far as git came.
    pub place: Option<PathBuf>,
    /// What git did not put there; it is not removed then.
    pub foreign: Vec<String>,
}

impl Git {
    /// The folder that all worktrees of a clone share, without asking git.
    ///
    /// # Errors
    /// When there is no clone.
    pub(super) fn common_dir(&self) -> Result<PathBuf> {
        let own = self.git_dir()?;
        // A worktree's own folder names the clone's.
        let common = files::text(&own.join("commondir"))?;
        let common = common.filter(|path| !path.trim().is_empty()).map(|path| own.join(path.trim()));
        // `…/worktrees/NAME` of a worktree whose `commondir` was cut short.
        let above = || own.parent().filter(|dir| dir.ends_with("worktrees")).and_then(Path::parent);
        let dir = common.or_else(|| above().map(Path::to_path_buf)).unwrap_or(own);
        Ok(dir.canonicalize().unwrap_or(dir))
    }

    /// Lock files of git anywhere in the clone, with their owners. One look at the processes when there are any.
    ///
    /// # Errors
    /// When there is no clone.
    pub fn lock_files(&self) -> Result<Vec<LockFile>> {
        let common = self.common_dir()?;
        let mut locks = Vec::new();
        find_locks(&common, &mut locks);
        if locks.is_empty() {
            return Ok(locks);
        }
        let dirs = folders(&common);
        let gits = running::all();
        for lock in &mut locks {
            let here = |git: &&RunningGit| dirs.iter().any(|dir| git.concerns(dir));
            lock.owner = match (running::holder(&lock.path), &gits) {
                (Ok(Some(holder)), _) => LockOwner::Runs(holder),
                (Ok(None), Some(gits)) => {
                    gits.iter().find(here).map_or(LockOwner::Gone, |git| LockOwner::Runs(git.shown()))
                }
                _ => LockOwner::Unknown,
            };
        }
        Ok(locks)
    }

    /// Removes lock files whose owners are gone. Gives how many there were, and those that stay.
    ///
    /// # Errors
    /// When there is no clone, or a file cannot be removed.
    pub fn remove_lock_files(&self) -> Result<(usize, Vec<LockFile>)> {
        // Two that look at the same time would remove what a third just made.
        let _turn = files::lock(&self.common_dir()?.join("gt-leftovers.lock"))?;
        let (gone, stay): (Vec<_>, Vec<_>) = self.lock_files()?.into_iter().partition(LockFile::is_left_over);
        for lock in &gone {
            if lock.path.symlink_metadata().is_ok_and(|data| data.ino() == lock.inode) {
                std::fs::remove_file(&lock.path)
                    .with_context(|| format!("cannot remove {}", lock.path.display()))?;
            }
        }
        Ok((gone.len(), stay))
    }

    /// Runs git again when a lock file stopped it: once its owner is done, or it turned out to be left over.
    pub(super) fn run_unlocked(&self, process: &Process) -> Result<Output> {
        self.unlocked(|| Ok((Git::finish(process)?, ()))).map(|(output, ())| output)
    }

    /// The same for a run that gives more than git's output.
    pub(super) fn unlocked<T>(&self, run: impl Fn() -> Result<(Output, T)>) -> Result<(Output, T)> {
        let mut ran = run()?;
        let limit = Instant::now() + PATIENCE;
        while !ran.0.ok() && names_a_lock(&ran.0) && Instant::now() < limit {
            let Ok((removed, stay)) = self.remove_lock_files() else { break };
            if removed == 0 && !stay.is_empty() {
                std::thread::sleep(Duration::from_millis(100));
            }
            ran = run()?;
        }
        Ok(ran)
    }

    /// The worktrees of the clone that were never finished, while no git works on them. No process unless there is one.
    ///
    /// # Errors
    /// When there is no clone.
    pub fn unfinished(&self) -> Result<Vec<Unfinished>> {
        let common = self.common_dir()?;
        let known = common.join("worktrees");
        let mut found = Vec::new();
        for admin in files::names_in(&known)?.iter().map(|name| known.join(name)) {
            if !is_unfinished(&admin) {
                continue;
            }
            let place = place_of(&admin);
            let made = |git: &RunningGit| {
                let inside = |dir: &PathBuf| git.concerns(dir);
                git.concerns(&admin)
                    || place.as_ref().is_some_and(inside)
                    || ((git.words.is_empty() || git.words.contains("worktree"))
                        && folders(&common).iter().any(inside))
            };
            // It may have been finished since, or taken away.
            if running::all().is_none_or(|gits| gits.iter().any(made)) || !is_unfinished(&admin) {
                continue;
            }
            let foreign = match &place {
                Some(place) => foreign(&admin, place),
                None => Vec::new(),
            };
            found.push(Unfinished { admin, place, foreign });
        }
        Ok(found)
    }

    /// Removes worktrees that were never finished. One that holds what git did not put there stays, and so does its
    /// branch. The caller keeps other gt commands from making worktrees.
    ///
    /// # Errors
    /// When there is no clone, or one cannot be removed.
    pub(super) fn remove_unfinished(&self) -> Result<()> {
        for one in self.unfinished()?.iter().filter(|one| one.foreign.is_empty()) {
            // The folder first: as long as it is there the clone knows it as unfinished.
            for dir in one.place.iter().chain([&one.admin]) {
                match std::fs::remove_dir_all(dir) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        return Err(error).with_context(|| format!("cannot remove {}", dir.display()));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Removes what killed gits left here: lock files and worktrees that were never finished.
    ///
    /// # Errors
    /// When there is no clone, or something cannot be removed.
    pub fn mend(&self) -> Result<()> {
        self.worktrees_locked()?;
        self.remove_lock_files().map(drop)
    }
}

/// git's own words for a lock that is there: its file's name, in quotes.
fn names_a_lock(output: &Output) -> bool {
    output.error_text().contains(".lock'")
}

/// All of a clone's lock files but gt's own.
fn find_locks(dir: &Path, locks: &mut Vec<LockFile>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok) {
        let (name, path) = (entry.file_name(), entry.path());
        let name = name.to_string_lossy();
        // The folder of a link may be anywhere.
        let Ok(data) = path.symlink_metadata() else { continue };
        let objects = dir.ends_with("objects") && name.len() == 2;
        if data.is_dir() && !objects && name != "hooks" && name != "lfs" {
            find_locks(&path, locks);
        } else if data.is_file() && name.ends_with(".lock") && !name.starts_with("gt-") {
            let age = data.modified().ok().and_then(|time| SystemTime::now().duration_since(time).ok());
            let age = age.unwrap_or_default();
            locks.push(LockFile { path, age, owner: LockOwner::Unknown, inode: data.ino() });
        }
    }
}

/// The folders that a git of this clone works in: its own, and those of its worktrees.
fn folders(common: &Path) -> Vec<PathBuf> {
    let own = if common.ends_with(".git") { common.parent().unwrap_or(common) } else { common };
    let known = common.join("worktrees");
    let names = files::names_in(&known).unwrap_or_default();
    let places = names.iter().filter_map(|name| place_of(&known.join(name)));
    let places = places.map(|place| place.canonicalize().unwrap_or(place));
    [own.to_path_buf(), common.to_path_buf()].into_iter().chain(places).collect()
}

/// The folder of a worktree, as far as the clone knows it.
fn place_of(admin: &Path) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    let bytes = files::bytes(&admin.join("gitdir")).ok()?;
    let path = Path::new(std::ffi::OsStr::from_bytes(bytes.trim_ascii()));
    path.parent().filter(|dir| dir.is_absolute()).map(Path::to_path_buf)
}

/// git marks a worktree as locked until it has made it; what it wrote of it may have been cut short.
fn is_unfinished(admin: &Path) -> bool {
    let cut = |name: &str| match files::bytes(&admin.join(name)) {
        Ok(bytes) => bytes.trim_ascii().is_empty(),
        // Any other file that cannot be read says nothing.
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    let marked =
        || files::bytes(&admin.join("locked")).is_ok_and(|text| text.trim_ascii() == b"initializing");
    admin.is_dir()
        && (marked() || cut("HEAD") || cut("commondir") || cut("gitdir"))
        && (cut("gitdir") || place_of(admin).is_some())
}

/// What is in an unfinished worktree that git did not put there: all but the files of its commit, each whole or as far
/// as it was written.
fn foreign(admin: &Path, place: &Path) -> Vec<String> {
    let names = match files::names_in(place) {
        Ok(names) => names,
        Err(error) => return vec![format!("{error:#}")],
    };
    let names: Vec<String> = names.into_iter().filter(|name| name != ".git").collect();
    if names.is_empty() { names } else { changed(admin, place).unwrap_or(names) }
}

/// `None` when git cannot tell.
fn changed(admin: &Path, place: &Path) -> Option<Vec<String>> {
    let scratch = tempfile::tempdir().ok()?;
    let git = Git::at(place);
    let run = |args: &[&str]| {
        let process = git.process(args).env("GIT_DIR", admin).env("GIT_WORK_TREE", place);
        process.env("GIT_INDEX_FILE", scratch.path().join("index")).run().ok().filter(Output::ok)
    };
    run(&["read-tree", "HEAD"])?;
    let words =
        ["status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--ignored", ALL_SUBMODULES];
    let listed = run(&words)?;
    let mut changed = Vec::new();
    for line in listed.text().split('\0').filter(|line| !line.is_empty()) {
        match line.split_at_checked(3)? {
            (" D ", _) => {}
            (" M ", path) => {
                let whole = run(&["cat-file", "--filters", &format!("HEAD:{path}")])?.stdout;
                if !std::fs::read(place.join(path)).is_ok_and(|found| whole.starts_with(&found)) {
                    changed.push(path.to_string());
                }
            }
            (_, path) => changed.push(path.to_string()),
        }
    }
    Some(changed)
}

impl LockFile {
    /// Where it is, how old, and whose, in words.
    pub fn shown(&self) -> String {
        let owner = match &self.owner {
            LockOwner::Gone => "no process has it".to_string(),
            LockOwner::Runs(owner) => format!("held by {owner}"),
            LockOwner::Unknown => "its owner is not known".to_string(),
        };
        let seconds = self.age.as_secs();
        let age = match seconds {
            0..120 => format!("{seconds} s"),
            120..7200 => format!("{} min", seconds / 60),
            _ => format!("{} h", seconds / 3600),
        };
        format!("{age} old, {owner}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::last_words;
    use super::*;

    fn git(dir: &Path, words: &[&str]) {
        let run = Git::at(dir)
            .process(words)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_AUTHOR_NAME", "a")
            .env("GIT_AUTHOR_EMAIL", "a@b")
            .env("GIT_COMMITTER_NAME", "a")
            .env("GIT_COMMITTER_EMAIL", "a@b");
        let output = run.run().unwrap();
        assert!(output.ok(), "{words:?}: {}", last_words(&output));
    }

    /// What is done to a worktree, given what the clone knows of it and its folder.
    type Spoil<'a> = &'a dyn Fn(&Path, &Path);

    /// A clone with two files on `main`, and the worktree `place` on `br`, half-made by `spoil` (given its admin folder
    /// and its own).
    fn half_made(spoil: impl Fn(&Path, &Path)) -> (tempfile::TempDir, Git, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let clone = root.join("clone");
        std::fs::create_dir(&clone).unwrap();
        git(&clone, &["init", "-q", "-b", "main"]);
        for name in ["one", "two"] {
            std::fs::write(clone.join(name), format!("text of {name}\n")).unwrap();
        }
        git(&clone, &["add", "-A"]);
        git(&clone, &["commit", "-q", "-m", "first"]);
        let place = root.join("place");
        let path = place.to_str().unwrap();
        git(&clone, &["worktree", "add", "-q", "-b", "br", path, "main"]);
        let admin = clone.join(".git/worktrees/place");
        std::fs::write(admin.join("locked"), "initializing").unwrap();
        spoil(&admin, &place);
        (dir, Git::at(&clone), place)
    }

    #[test]
    fn a_worktree_cut_short_at_any_write_goes_and_its_branch_stays() {
        let empty = |path: &Path| std::fs::write(path, "").unwrap();
        let gone = |path: &Path| std::fs::remove_file(path).unwrap();
        let bare = |place: &Path| ["one", "two"].iter().for_each(|name| gone(&place.join(name)));
        let states: [(&str, Spoil<'_>); 7] = [
            ("only the folder of the clone", &|admin, place| {
                std::fs::remove_dir_all(place).unwrap();
                ["HEAD", "commondir", "gitdir", "index"].iter().for_each(|name| gone(&admin.join(name)));
            }),
            ("an empty gitdir", &|admin, place| {
                std::fs::remove_dir_all(place).unwrap();
                empty(&admin.join("gitdir"));
            }),
            ("an empty HEAD", &|admin, place| {
                bare(place);
                gone(&admin.join("index"));
                gone(&admin.join("commondir"));
                empty(&admin.join("HEAD"));
            }),
            ("an empty commondir", &|admin, place| {
                bare(place);
                gone(&admin.join("index"));
                empty(&admin.join("commondir"));
            }),
            ("a file written in part, no index", &|admin, place| {
                gone(&admin.join("index"));
                empty(&admin.join("index.lock"));
                gone(&place.join("two"));
                std::fs::write(place.join("one"), "text o").unwrap();
            }),
            ("all of it, but for the end of the mark", &|_, _| {}),
            ("the removal of what the clone knows", &|admin, place| {
                std::fs::remove_dir_all(place).unwrap();
                gone(&admin.join("locked"));
                gone(&admin.join("HEAD"));
            }),
        ];
        for (state, spoil) in states {
            let (_dir, git, place) = half_made(spoil);
            git.mend().unwrap();
            assert!(!place.exists(), "{state}");
            assert_eq!(git.run("list", ["worktree", "list"]).unwrap().lines().count(), 1, "{state}");
            assert!(git.commit_of("br").unwrap().is_some(), "{state}");
            let output = git.worktree_checkout(&place, "br");
            assert!(output.is_ok() && place.join("two").exists(), "{state}: {output:?}");
        }
    }

    #[test]
    fn what_git_did_not_put_into_a_half_made_worktree_keeps_it() {
        let states: [(&str, Spoil<'_>); 4] = [
            ("new", &|_, place| std::fs::write(place.join("new"), "x").unwrap()),
            ("one", &|_, place| std::fs::write(place.join("one"), "another text").unwrap()),
            ("one", &|admin, _| std::fs::write(admin.join("HEAD"), "").unwrap()),
            ("one", &|admin, _| std::fs::write(admin.join("commondir"), "").unwrap()),
        ];
        for (name, spoil) in states {
            let (_dir, git, place) = half_made(spoil);
            git.mend().unwrap();
            assert!(place.join(name).exists());
            assert!(git.unfinished().unwrap()[0].foreign.contains(&name.to_string()));
        }
        let (_dir, git, place) = half_made(|admin, _| {
            std::fs::write(admin.join("locked"), "by a person").unwrap();
        });
        git.mend().unwrap();
        assert!(place.join("one").exists() && git.unfinished().unwrap().is_empty());
    }

    #[test]
    fn a_worktree_that_a_git_works_on_is_left_to_it() {
        let (_dir, git, place) = half_made(|_, _| {});
        // It waits for more input, in the worktree.
        let mut child = std::process::Command::new("git")
            .args(["-C", place.to_str().unwrap(), "cat-file", "--batch"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let ready = Instant::now() + Duration::from_secs(10);
        let here = |git: &RunningGit| git.pid == i32::try_from(child.id()).unwrap() && git.cwd == place;
        while !running::all().unwrap().iter().any(here) && Instant::now() < ready {
            std::thread::yield_now();
        }
        let lock = place.parent().unwrap().join("clone/.git/index.lock");
        std::fs::File::create(&lock).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        git.mend().unwrap();
        assert!(place.exists() && lock.exists());
        let found = git.lock_files().unwrap();
        assert!(matches!(&found[0].owner, LockOwner::Runs(who) if who.contains("cat-file")), "{found:?}");
        assert!(found[0].is_worth_a_word());
        child.kill().unwrap();
        child.wait().unwrap();
        git.mend().unwrap();
        assert!(!place.exists() && !lock.exists());
    }

    #[test]
    fn a_lock_file_of_a_ref_stops_nothing_that_writes_refs_from_a_list() {
        let (_dir, git, _) = half_made(|admin, _| std::fs::remove_file(admin.join("locked")).unwrap());
        let leave = |name: &str| {
            let path = git.git_dir().unwrap().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::File::create(&path).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        };
        let head = git.commit_of("main").unwrap().unwrap();
        leave("refs/gt/recovery/Nux/ab12.lock");
        git.create_refs(&[("refs/gt/recovery/Nux/ab12".into(), head)]).unwrap();
        leave("refs/gt/recovery/Nux/ab12.lock");
        git.forget_refs("forget what is kept", &["refs/gt/recovery/"]).unwrap();
        assert_eq!(git.commit_of("refs/gt/recovery/Nux/ab12").unwrap(), None);
    }

    #[test]
    fn lock_files_of_any_kind_stop_no_git_once_their_owner_is_gone() {
        let (_dir, git, place) = half_made(|admin, _| std::fs::remove_file(admin.join("locked")).unwrap());
        let dot = git.git_dir().unwrap();
        let left = ["packed-refs.lock", "refs/heads/x/y.lock", "worktrees/place/index.lock", "any.lock"];
        for name in left {
            let path = dot.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::File::create(&path).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        }
        std::fs::write(dot.join("young.lock"), "").unwrap();
        let held = std::fs::File::create(dot.join("held.lock")).unwrap();
        held.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        std::fs::write(place.join("one"), "changed").unwrap();
        Git::at(&place).run("add", ["add", "-A"]).unwrap();
        let stay =
            |git: &Git| git.lock_files().unwrap().into_iter().map(|lock| lock.path).collect::<Vec<_>>();
        let mut found = stay(&git);
        found.sort();
        assert_eq!(found, [dot.join("held.lock"), dot.join("young.lock")]);
        assert!(dot.join("gt-leftovers.lock").exists());
    }
}
