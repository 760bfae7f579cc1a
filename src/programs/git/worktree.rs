//! Worktrees, branches and refs: what a polecat's place is made of.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

use super::answers::{Push, WorktreeStatus, parse_status, read_blobs, read_push};
use super::trees::ALL_SUBMODULES;
use super::{Git, hooks, last_words};
use crate::base::failure::Failure;
use crate::base::files;
use crate::base::quote::quote;
use crate::programs::Output;

impl Git {
    /// Brings `refs/remotes/origin/BRANCH` up to date, and nothing else. Who waited for another's fetch of the same branch
    /// shares its result, no process then; also when origin did not answer at all.
    ///
    /// # Errors
    /// When the remote cannot be read or has no such branch.
    pub fn fetch_branch(&self, branch: &str) -> Result<()> {
        let began = nanos();
        let lock = self.worktrees_locked()?;
        let path = self.git_dir()?.join("gt-fetched");
        let text = files::text(&path)?.unwrap_or_default();
        let since = |name: &str| fetched_at(&text, name).is_some_and(|finished| finished > began);
        let look = || {
            let dir = quote(&self.dir.to_string_lossy());
            format!("see whether git can read it: git -C {dir} ls-remote origin")
        };
        if since(branch) {
            return Ok(());
        }
        if since(SILENT) {
            let what = format!("cannot fetch {branch} in {}: origin did not answer", self.dir.display());
            return Err(Failure::new(what).hint(look()).into());
        }
        // The note only saves a second fetch: a disk that cannot take it is no reason to stop.
        let note = |name: &str| drop(std::fs::write(&path, with_fetch(&text, name, nanos())));
        let refspec = format!("+refs/heads/{branch}:refs/remotes/origin/{branch}");
        let fetch = self.process(fetch_words("origin", &[&refspec])).holding(lock.file());
        let output = self.run_unlocked(&fetch);
        let output = output.inspect_err(|_| note(SILENT))?;
        if !output.ok() {
            let mut failure = self.failed(&format!("fetch {branch}"), &output);
            failure.hint.get_or_insert_with(look);
            return Err(failure.into());
        }
        note(branch);
        Ok(())
    }

    /// Runs git under the lock of the worktrees. Gives its output whatever it is.
    pub fn locked<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Result<Output> {
        let lock = self.worktrees_locked()?;
        self.run_unlocked(&self.process(words).holding(lock.file()))
    }

    /// The same for what is to succeed; `what` says in an error what was being done.
    pub fn must_locked<S: AsRef<OsStr>>(&self, what: &str, words: impl IntoIterator<Item = S>) -> Result<()> {
        let output = self.locked(words)?;
        if output.ok() { Ok(()) } else { Err(self.failed(what, &output).into()) }
    }

    /// The clone's git folder, without asking git: `.git`, or where a worktree's `.git` file points.
    ///
    /// # Errors
    /// When there is neither.
    pub fn git_dir(&self) -> Result<PathBuf> {
        let dot = self.dir.join(".git");
        if dot.is_dir() {
            return Ok(dot);
        }
        let text = files::text(&dot)?.unwrap_or_default();
        match text.trim().strip_prefix("gitdir: ") {
            Some(path) => Ok(self.dir.join(path)),
            None => Err(Failure::new(format!("no git clone in {}", self.dir.display()))
                .hint("look at the town with: gt doctor --fix")
                .into()),
        }
    }

    /// Keeps other gt commands from making or removing worktrees of this clone, or reading the list of them, until the
    /// lock is dropped: a git that meets a half-made one fails ("failed to read …/commondir", or a fetch that "did
    /// not send all necessary objects"). The git that is run under it holds it too: should gt be killed, the lock stays
    /// until that git has ended. Its hooks do not: git gives them a standard input of their own. What a killed one left
    /// half-made is removed first.
    ///
    /// # Errors
    /// When there is no clone, or the lock cannot be taken.
    pub(super) fn worktrees_locked(&self) -> Result<crate::base::files::Lock> {
        let lock = crate::base::files::lock(&self.common_dir()?.join("gt-worktrees.lock"))?;
        self.remove_unfinished()?;
        Ok(lock)
    }

    /// Makes a worktree at `path` on the new branch `branch`, starting at `base`. Gives git's output whatever it is:
    /// a branch or folder in the way is the caller's to judge.
    ///
    /// # Errors
    /// When git cannot be started.
    pub fn worktree_add(&self, path: &Path, branch: &str, base: &str) -> Result<Output> {
        self.locked(words(["worktree", "add", "-q", "--no-track", "-b", branch], path, &[base]))
    }

    /// The same with a branch that may exist: it is set to `base`.
    ///
    /// # Errors
    /// When git cannot be started.
    pub fn worktree_take_over(&self, path: &Path, branch: &str, base: &str) -> Result<Output> {
        self.locked(words(["worktree", "add", "-q", "--no-track", "-B", branch], path, &[base]))
    }

    /// Makes a worktree on a branch that exists, as it is.
    ///
    /// # Errors
    /// When git refuses: the branch is checked out elsewhere, or the folder is taken.
    pub fn worktree_checkout(&self, path: &Path, branch: &str) -> Result<()> {
        self.must_locked(&format!("check out {branch}"), words(["worktree", "add", "-q"], path, &[branch]))
    }

    /// Removes a worktree, locked or half-made as well, with all that is in it.
    ///
    /// # Errors
    /// When git refuses; one that git does not know is no error.
    pub fn worktree_remove(&self, path: &Path) -> Result<()> {
        let output = self.locked(words(["worktree", "remove", "-f", "-f"], path, &[]))?;
        if output.ok() || !self.has_worktree(path)? {
            return Ok(());
        }
        Err(self.failed(&format!("remove the worktree {}", path.display()), &output).into())
    }

    /// Whether git knows a worktree of this clone at `path`, whether or not that folder is there.
    ///
    /// # Errors
    /// When git fails.
    pub fn has_worktree(&self, path: &Path) -> Result<bool> {
        let real = |path: &Path| match (path.canonicalize(), path.parent().map(Path::canonicalize)) {
            (Ok(real), _) => real,
            (_, Some(Ok(parent))) => parent.join(path.file_name().unwrap_or_default()),
            _ => path.to_path_buf(),
        };
        let listed = self.run("list worktrees", ["worktree", "list", "--porcelain"])?;
        let mut places = listed.lines().filter_map(|line| line.strip_prefix("worktree "));
        let wanted = real(path);
        Ok(places.any(|place| real(Path::new(place)) == wanted))
    }

    /// Writes the `.git` files of this clone's worktrees again, where they do not lead here any more; first the place of
    /// `path`, where this clone knows it by another.
    ///
    /// # Errors
    /// When that of `path` still does not.
    pub fn worktree_repair(&self, path: &Path) -> Result<()> {
        let known =
            path.file_name().map(|name| self.common_dir().map(|dir| dir.join("worktrees").join(name)));
        if let Some(known) = known.transpose()?.filter(|known| known.is_dir()) {
            let git = path.canonicalize().unwrap_or_else(|_| path.to_path_buf()).join(".git");
            files::write(&known.join("gitdir"), format!("{}\n", git.display()))?;
        }
        self.must_locked("repair worktrees", ["worktree", "repair"])?;
        Git::at(path).run("see the repaired worktree", ["rev-parse", "--git-dir"]).map(drop)
    }

    /// Forgets worktrees whose folders are gone.
    ///
    /// # Errors
    /// When git fails.
    pub fn worktree_prune(&self) -> Result<()> {
        self.must_locked("prune worktrees", ["worktree", "prune", "--expire=now"])
    }

    /// Commit, branch and what is dirty, in one call.
    ///
    /// # Errors
    /// When this is no work tree.
    pub fn status(&self) -> Result<WorktreeStatus> {
        let words =
            ["status", "--porcelain=v2", "--branch", "--untracked-files=normal", ALL_SUBMODULES, "-z"];
        Ok(self.without_as_checked_out(parse_status(&self.run("read the state of the work tree", words)?)))
    }

    /// A status without the files that are exactly what git checks out: one whose line endings contradict `.gitattributes`
    /// counts as changed, and no command makes it clean. At most one process; a file that it says nothing about stays.
    pub(super) fn without_as_checked_out(&self, mut status: WorktreeStatus) -> WorktreeStatus {
        let mut asked = std::mem::take(&mut status.contents);
        asked.retain(|(path, _)| !path.contains('\n'));
        if asked.is_empty() {
            return status;
        }
        // git's own header has the size before the filters, which tells no end.
        let header = header();
        let lines: String = asked.iter().map(|(path, blob)| format!("{blob} {path}\n")).collect();
        let batch = format!("--batch={header} %(objectname)");
        let process = self.process(["cat-file", &batch, "--filters"]).stdin(lines);
        let Ok(output) = self.run_unlocked(&process) else { return status };
        let blobs: Vec<&str> = asked.iter().map(|(_, blob)| blob.as_str()).collect();
        let contents =
            read_blobs(&output.stdout, &header, &blobs).filter(|_| output.ok()).unwrap_or_default();
        let same = |(path, content): (&str, &[u8])| {
            std::fs::read(self.dir.join(path))
                .is_ok_and(|found| found == content)
                .then(|| format!(" M {path}"))
        };
        let paths = asked.iter().map(|(path, _)| path.as_str());
        let clean: BTreeSet<String> = paths.zip(contents).filter_map(same).collect();
        status.dirty.retain(|line| !clean.contains(line));
        status
    }

    /// Runs a rebase, and once more, with those files hidden, when it was refused for files that are exactly what git checks
    /// out.
    pub(super) fn rebased(&self, rebase: impl Fn() -> Result<Output>) -> Result<Output> {
        let output = rebase()?;
        if output.ok() || !self.conflicts()?.is_empty() {
            return Ok(output);
        }
        let words = ["status", "--porcelain=v2", "--untracked-files=no", "-z"];
        let seen = parse_status(&self.run("read the state of the work tree", words)?);
        let paths: Vec<String> = seen.contents.iter().map(|(path, _)| path.clone() + "\0").collect();
        if paths.is_empty() || !self.without_as_checked_out(seen).dirty.is_empty() {
            return Ok(output);
        }
        let hide = self.process(["update-index", "--assume-unchanged", "-z", "--stdin"]);
        self.run_unlocked(&hide.stdin(paths.concat()))?;
        let output = rebase()?;
        // Shown again. That they count as changed is no failure.
        self.run_unlocked(&self.process(["update-index", "-q", "--really-refresh"]))?;
        Ok(output)
    }

    /// The content of each of these blobs, unfiltered. No process for none.
    ///
    /// # Errors
    /// When one of them is not here.
    pub fn blobs(&self, ids: &[&str]) -> Result<Vec<Vec<u8>>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let header = header();
        let process = self.process(["cat-file", &format!("--batch={header} %(objectname)")]);
        let output = process.stdin(ids.join("\n") + "\n").run()?;
        match read_blobs(&output.stdout, &header, ids).filter(|_| output.ok()) {
            Some(blobs) => Ok(blobs.into_iter().map(<[u8]>::to_vec).collect()),
            None => Err(self.failed("read files of a commit", &output).into()),
        }
    }

    /// How many commits `tip` has that `base` lacks.
    ///
    /// # Errors
    /// When one of them is no commit.
    pub fn ahead(&self, base: &str, tip: &str) -> Result<usize> {
        let range = format!("{base}..{tip}");
        let text = self.run("count commits", ["rev-list", "--count", &range, "--"])?;
        text.trim().parse().with_context(|| format!("git counted '{text}' commits in {range}"))
    }

    /// The commit that a name stands for; `None` when there is none.
    ///
    /// # Errors
    /// When git cannot be started.
    pub fn commit_of(&self, name: &str) -> Result<Option<String>> {
        let name = format!("{name}^{{commit}}");
        self.object(&name)
    }

    /// The object that a name stands for; `None` when there is none.
    fn object(&self, name: &str) -> Result<Option<String>> {
        let output = self.try_run(["rev-parse", "-q", "--verify", "--end-of-options", name])?;
        match output.code {
            Some(0) => Ok(Some(output.text())),
            Some(1) => Ok(None),
            _ => Err(self.failed(&format!("look up {name}"), &output).into()),
        }
    }

    /// Pushes `HEAD` as `branch` to origin. With `lease`, over commits this clone knows of (its own earlier attempt).
    ///
    /// # Errors
    /// When the remote cannot be reached: nothing is known then, and nothing is changed here.
    pub fn push_head(&self, branch: &str, lease: bool) -> Result<Push> {
        let force = format!("--force-with-lease=refs/heads/{branch}");
        self.push_leased(branch, lease.then_some(&force))
    }

    fn push_leased(&self, branch: &str, lease: Option<&str>) -> Result<Push> {
        let refspec = format!("HEAD:refs/heads/{branch}");
        let mut words = vec!["push", "--porcelain", "--no-recurse-submodules"];
        words.extend(lease);
        words.extend(["origin", &refspec]);
        let (output, hook) = hooks::run(&self.process(words))?;
        if let Some(push) = read_push(&output) {
            return Ok(push);
        }
        if let Some(hook) = hook {
            return Ok(Push::Hook(hooks::words(&output, &hook)));
        }
        // Whoever can read there and was told nothing about the branch was not let in to write.
        if self.try_run(["ls-remote", "-q", "origin", "HEAD"])?.ok() {
            return Ok(Push::NoRight(last_words(&output)));
        }
        let mut failure = self.failure(format!("cannot push {branch}: {}", last_words(&output)));
        let again = "nothing is lost: the commits are in this worktree; run the same command again";
        failure.hint.get_or_insert_with(|| again.into());
        Err(failure.into())
    }

    /// Sets a ref; with `old`, only if it stands there now (an empty `old`: only if there is none).
    ///
    /// # Errors
    /// When it stood elsewhere, or the commit does not exist.
    pub fn update_ref(&self, name: &str, new: &str, old: Option<&str>) -> Result<()> {
        let mut words = vec!["update-ref", name, new];
        words.extend(old);
        self.run(&format!("set {name}"), words).map(drop)
    }

    /// Deletes a ref that stands at `old`. One that is gone already is no error.
    ///
    /// # Errors
    /// When it stands elsewhere: somebody committed meanwhile.
    pub fn delete_ref(&self, name: &str, old: &str) -> Result<()> {
        let output = self.try_run(["update-ref", "-d", name, old])?;
        if output.ok() || self.object(name)?.is_none() {
            return Ok(());
        }
        Err(self.failed(&format!("delete {name}"), &output).into())
    }

    /// Refs under `prefix` with the commits they stand at.
    ///
    /// # Errors
    /// When git fails.
    pub fn refs(&self, prefix: &str) -> Result<Vec<(String, String)>> {
        let text = self.run("list refs", ["for-each-ref", "--format=%(objectname) %(refname)", prefix])?;
        let pair = |line: &str| line.split_once(' ').map(|(commit, name)| (name.into(), commit.into()));
        Ok(text.lines().filter_map(pair).collect())
    }

    /// Whether a ref under `prefix` holds a commit. One that is not here is held by none.
    ///
    /// # Errors
    /// When git cannot be started.
    pub fn keeps(&self, prefix: &str, commit: &str) -> Result<bool> {
        self.has_ref(prefix, &format!("--contains={commit}"))
    }

    /// Whether a ref under `prefix` stands at a commit.
    ///
    /// # Errors
    /// When git cannot be started.
    pub fn has_tip(&self, prefix: &str, commit: &str) -> Result<bool> {
        self.has_ref(prefix, &format!("--points-at={commit}"))
    }

    fn has_ref(&self, prefix: &str, condition: &str) -> Result<bool> {
        let output = self.try_run(["for-each-ref", "--count=1", "--format=%(refname)", condition, prefix])?;
        Ok(output.ok() && !output.text().is_empty())
    }

    /// Pushes `HEAD` as `branch` over a commit that it is known to stand at there.
    ///
    /// # Errors
    /// As [`Git::push_head`].
    pub fn push_head_over(&self, branch: &str, old: &str) -> Result<Push> {
        self.push_leased(branch, Some(&format!("--force-with-lease=refs/heads/{branch}:{old}")))
    }

    /// Replays the branch checked out onto `target`. `false`: it stopped at a conflict, which is left in place.
    ///
    /// # Errors
    /// When git cannot be started or refuses to begin.
    pub fn rebase(&self, target: &str) -> Result<bool> {
        let output = self.rebased(|| self.locked(["rebase", "-q", target]))?;
        if output.ok() {
            return Ok(true);
        }
        let git_dir = self.git_dir()?;
        if git_dir.join("rebase-merge").exists() || git_dir.join("rebase-apply").exists() {
            return Ok(false);
        }
        Err(self.failed(&format!("rebase onto {target}"), &output).into())
    }

    /// Files with conflicts in a work tree.
    ///
    /// # Errors
    /// When git fails.
    pub fn conflicts(&self) -> Result<Vec<String>> {
        let text =
            self.run("list conflicts", ["diff", "--name-only", "--diff-filter=U", ALL_SUBMODULES, "-z"])?;
        Ok(text.split('\0').filter(|name| !name.is_empty()).map(str::to_string).collect())
    }

    /// Commits everything in the work tree. `false`: there was nothing to commit.
    /// Two processes.
    ///
    /// # Errors
    /// When git fails, a hook of the project refused, say.
    pub fn commit_all(&self, message: &str) -> Result<bool> {
        self.run("add what changed", ["add", "-A"])?;
        let process = self.process(["commit", "-q", "--cleanup=verbatim", "-F", "-"]).stdin(message);
        let (output, hook) = self.unlocked(|| hooks::run(&process))?;
        if output.ok() {
            return Ok(true);
        }
        if let Some(hook) = hook {
            crate::fail!("cannot commit in {}: {}", self.dir.display(), hooks::words(&output, &hook));
        }
        if self.try_run(["diff", "--cached", "--quiet", ALL_SUBMODULES])?.ok() {
            return Ok(false);
        }
        Err(self.failed("commit", &output).into())
    }

    /// Keeps untracked paths out of everybody's `git status`: adds lines to the clone's `info/exclude`, once each.
    /// No process.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn exclude(&self, patterns: &[String]) -> Result<()> {
        let path = self.git_dir()?.join("info/exclude");
        let text = files::text(&path)?.unwrap_or_default();
        let missing: Vec<&String> =
            patterns.iter().filter(|pattern| !text.lines().any(|line| line == pattern.as_str())).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let failed = || format!("cannot write {}", path.display());
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).with_context(failed)?;
        }
        let mut lines = String::new();
        if !text.is_empty() && !text.ends_with('\n') {
            lines.push('\n');
        }
        for pattern in missing {
            lines.push_str(pattern);
            lines.push('\n');
        }
        // One append: two slings at once may both add a line, and neither loses the other's.
        let mut file = File::options().append(true).create(true).open(&path).with_context(failed)?;
        file.write_all(lines.as_bytes()).with_context(failed)
    }
}

/// Stands in the note of fetches for an origin that did not answer: no name of a branch.
const SILENT: &str = "~";

/// The words of a fetch that takes these refs and touches nothing else.
pub fn fetch_words<'a>(remote: &'a str, refspecs: &[&'a str]) -> Vec<&'a str> {
    // Flags of git 2.25 only; automatic maintenance is switched off for every call already.
    let mut words = vec!["fetch", "-q", "--no-tags", "--no-recurse-submodules", remote];
    words.extend(refspecs);
    words
}

fn words<const N: usize>(before: [&str; N], path: &Path, after: &[&str]) -> Vec<std::ffi::OsString> {
    let mut words: Vec<std::ffi::OsString> = before.iter().map(Into::into).collect();
    words.push(path.into());
    words.extend(after.iter().map(Into::into));
    words
}

/// A line that is in no file: it tells the end of each blob.
fn header() -> String {
    format!("gt-{:016x}", RandomState::new().hash_one(nanos()))
}

fn nanos() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos()
}

fn fetched_at(text: &str, branch: &str) -> Option<u128> {
    text.lines().find_map(|line| {
        let (time, name) = line.split_once(' ')?;
        (name == branch).then(|| time.parse().ok())?
    })
}

fn with_fetch(text: &str, branch: &str, now: u128) -> String {
    let others = text.lines().filter(|line| line.split_once(' ').is_some_and(|(_, name)| name != branch));
    others
        .map(str::to_string)
        .chain([format!("{now} {branch}")])
        .fold(String::new(), |all, line| all + &line + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_note_of_a_fetch_keeps_the_other_branches() {
        let text = with_fetch(&with_fetch("", "main", 5), "dev", 6);
        let text = with_fetch(&text, "main", 9);
        assert_eq!(fetched_at(&text, "main"), Some(9));
        assert_eq!(fetched_at(&text, "dev"), Some(6));
        assert_eq!(fetched_at(&text, "de"), None);
    }
}
