//! Merging without a person: branches folded onto a target, and worktrees for the tests.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::identity::Signer;
use super::trees::ALL_SUBMODULES;
use super::worktree::fetch_words;
use super::{Git, last_words};
use crate::model::commit::{Author, Squashed};
use crate::model::refs::{MIRRORED, POLECATS};
use crate::programs::{Output, Process};

/// What came of putting one commit on top of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fold {
    /// This tree (merge) or this commit (rebase).
    Clean(String),
    /// These files have conflicts.
    Conflict(Vec<String>),
    /// The two cannot be merged at all, for instance because they share no history; git's words.
    Impossible(String),
}

impl Git {
    /// Brings the target and a mirror of all polecats' branches from origin: what is gone there is gone here too.
    ///
    /// # Errors
    /// When origin cannot be read or has no such target.
    pub fn fetch_for_merging(&self, target: &str) -> Result<()> {
        let target_ref = format!("+refs/heads/{target}:refs/remotes/origin/{target}");
        let polecats = format!("+{POLECATS}*:{MIRRORED}*");
        let mut words = fetch_words("origin", &[&target_ref, &polecats]);
        words.insert(1, "--prune");
        self.must_locked(&format!("fetch {target} and the polecats' branches"), words)
    }

    /// Brings one commit, reachable or not, from a clone on this disk. `false`: it is not there.
    ///
    /// # Errors
    /// When git cannot be started.
    pub fn fetch_commit(&self, from: &Path, commit: &str) -> Result<bool> {
        let from = from.to_string_lossy();
        // A server of protocol 0 gives unnamed commits only when told to.
        let serve = "--upload-pack=git -c uploadpack.allowAnySHA1InWant=true upload-pack";
        let mut words = fetch_words(&from, &[commit]);
        words.insert(1, serve);
        Ok(self.locked(words)?.ok())
    }

    /// Which of these commits are in this clone, in their order.
    ///
    /// # Errors
    /// When git fails.
    pub fn has_commits(&self, commits: &[&str]) -> Result<Vec<bool>> {
        if commits.is_empty() {
            return Ok(Vec::new());
        }
        // One line each: a name that holds a line break could only be no commit.
        let asked: String =
            commits.iter().map(|name| name.replace(['\n', ' '], "?") + "^{commit}\n").collect();
        let output = self.process(["cat-file", "--batch-check=%(objecttype)"]).stdin(asked).run()?;
        if !output.ok() {
            return Err(self.failed("look for commits", &output).into());
        }
        Ok(output.text().lines().map(|line| line == "commit").collect())
    }

    /// Whether all of `commit` is in `tip`.
    ///
    /// # Errors
    /// When one of them is no commit of this clone.
    pub fn is_ancestor(&self, commit: &str, tip: &str) -> Result<bool> {
        let output = self.try_run(["merge-base", "--is-ancestor", commit, tip])?;
        match output.code {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            _ => Err(self.failed(&format!("compare {commit} with {tip}"), &output).into()),
        }
    }

    /// Refs under several prefixes, each with the commit it stands at.
    ///
    /// # Errors
    /// When git fails.
    pub fn refs_under(&self, prefixes: &[&str]) -> Result<std::collections::BTreeMap<String, String>> {
        let mut words = vec!["for-each-ref", "--format=%(objectname) %(refname)"];
        words.extend(prefixes);
        let text = self.run("list refs", words)?;
        let pair = |line: &str| line.split_once(' ').map(|(commit, name)| (name.into(), commit.into()));
        Ok(text.lines().filter_map(pair).collect())
    }

    /// The version, as (major, minor).
    ///
    /// # Errors
    /// When git cannot be started.
    pub fn version(&self) -> Result<(u32, u32)> {
        Ok(parse_version(&self.try_run(["version"])?.text()))
    }

    /// The tree of a commit.
    ///
    /// # Errors
    /// When there is no such commit.
    pub fn tree_of(&self, commit: &str) -> Result<String> {
        self.run("read a commit", ["rev-parse", "--verify", "-q", &format!("{commit}^{{tree}}")])
    }

    /// Merges two commits without a work tree (git 2.38 or later; `None`: this git is older). Attributes are read from the
    /// folder `attributes`. Gives what came of it, and the files that both changed.
    ///
    /// # Errors
    /// When git fails for a reason that lies in neither commit.
    pub fn merge_trees(
        &self,
        onto: &str,
        commit: &str,
        attributes: &Path,
    ) -> Result<Option<(Fold, BTreeSet<String>)>> {
        let words = ["merge-tree", "--write-tree", "-z", "--name-only", "--messages", onto, commit];
        // git looks for attributes in the folder that it works in.
        let process = Git::at(attributes).process(words);
        let process = process.env("GIT_DIR", self.git_dir()?).env("GIT_WORK_TREE", attributes);
        let output = process.run()?;
        match read_merge(&output) {
            Some((fold, both)) => Ok(Some((fold, both))),
            None if output.code == Some(129) => Ok(None),
            None if self.are_unrelated(onto, commit)? => {
                Ok(Some((Fold::Impossible(last_words(&output)), BTreeSet::new())))
            }
            None => Err(self.failed(&format!("merge {commit} onto {onto}"), &output).into()),
        }
    }

    /// The `.gitattributes` files of a commit that count for these files, by path. One process, two when there are any.
    ///
    /// # Errors
    /// When git cannot read the commit.
    pub fn attributes_of(&self, commit: &str, paths: &BTreeSet<String>) -> Result<Vec<(PathBuf, Vec<u8>)>> {
        const NAME: &str = ".gitattributes";
        let above = paths.iter().flat_map(|path| Path::new(path).ancestors().skip(1));
        let wanted: BTreeSet<PathBuf> = above.map(|folder| folder.join(NAME)).collect();
        let mut words: Vec<OsString> = ["ls-tree", "-r", "-z", commit].iter().map(Into::into).collect();
        // Named one by one where that is no line too long.
        if wanted.len() <= 500 {
            words.push("--".into());
            words.extend(wanted.iter().map(Into::into));
        }
        let listed = self.run("list attributes", words)?;
        let entry = |line: &str| {
            let (what, path) = line.split_once('\t')?;
            // git reads no attributes through a link.
            let id = what.strip_prefix("100644 blob ").or_else(|| what.strip_prefix("100755 blob "))?;
            wanted.contains(Path::new(path)).then(|| (PathBuf::from(path), id.to_string()))
        };
        let found: Vec<(PathBuf, String)> = listed.split('\0').filter_map(entry).collect();
        let ids: Vec<&str> = found.iter().map(|(_, id)| id.as_str()).collect();
        let texts = self.blobs(&ids)?;
        Ok(found.iter().map(|(path, _)| path.clone()).zip(texts).collect())
    }

    /// Whether two commits, which are here, share no history.
    fn are_unrelated(&self, one: &str, other: &str) -> Result<bool> {
        let here = self.has_commits(&[one, other])?;
        Ok(!here.contains(&false) && self.try_run(["merge-base", one, other])?.code == Some(1))
    }

    /// Merges two commits in this work tree, as `git merge` does by hand: with an older git, and for merge drivers of the
    /// person's, which may want files beside those they merge. The work tree is left at `onto` with nothing half done. Three
    /// processes, four after a conflict.
    ///
    /// # Errors
    /// As [`Git::merge_trees`]. The work tree may be left half merged then.
    pub fn merge_here(&self, onto: &str, commit: &str, signer: &Signer) -> Result<Fold> {
        self.run("check out the target", ["checkout", "-q", "--detach", "--force", onto])?;
        let words = ["merge", "-q", "--no-ff", "--no-commit", "--no-verify", commit];
        let merged = self.run_unlocked(&signer.of(self.process(words)))?;
        let fold = if merged.ok() {
            Fold::Clean(self.run("write the merged tree", ["write-tree"])?)
        } else {
            match self.conflicts()? {
                files if !files.is_empty() => Fold::Conflict(files),
                _ if self.are_unrelated(onto, commit)? => Fold::Impossible(last_words(&merged)),
                _ => {
                    let message = format!("cannot merge {commit} onto {onto}: {}", all_words(&merged));
                    return Err(self.failure(message).into());
                }
            }
        };
        self.run("clear the merge", ["reset", "-q", "--hard", onto])?;
        Ok(fold)
    }

    /// Replays the commits of `commit` that `onto` lacks, in this work tree: the last of the new commits (`onto` itself
    /// when all of them are in it already), or the files in conflict.
    ///
    /// # Errors
    /// As [`Git::merge_here`], and when the new commits cannot be signed.
    pub fn rebase_here(&self, onto: &str, commit: &str, signer: &Signer) -> Result<Fold> {
        let mut words = signer.settings();
        words.extend(
            ["-c", "rebase.updateRefs=false", "rebase", "-q", "--no-autostash", onto, commit]
                .map(String::from),
        );
        // The commits keep their authors; only who put them here is new.
        let process = signer.of(self.process(words));
        let process = Process { env: without(process.env, "GIT_AUTHOR_"), ..process };
        let process = process.env_remove("GIT_AUTHOR_NAME").env_remove("GIT_AUTHOR_EMAIL");
        let output = self.rebased(|| self.run_unlocked(&process))?;
        if output.ok() {
            return Ok(Fold::Clean(self.run("read the new commit", ["rev-parse", "HEAD"])?));
        }
        let files = self.conflicts()?;
        if files.is_empty() {
            if let Some(failure) = self.cannot_sign(&output, signer) {
                return Err(failure.into());
            }
            let message = format!("cannot rebase {commit} onto {onto}: {}", all_words(&output));
            return Err(self.failure(message).into());
        }
        self.run("take the rebase back", ["rebase", "--abort"])?;
        Ok(Fold::Conflict(files))
    }

    /// Makes a commit from a tree. The message is taken as it is. `author`: name, address and date of somebody else.
    ///
    /// # Errors
    /// When it cannot be signed; when git fails (no space on the disk, say).
    pub fn commit_tree(
        &self,
        tree: &str,
        parents: &[&str],
        message: &str,
        signer: &Signer,
        author: Option<&Author>,
    ) -> Result<String> {
        let mut words = signer.settings();
        words.extend(["commit-tree", tree, "-F", "-"].map(String::from));
        words.extend(signer.signs.then(|| "-S".to_string()));
        words.extend(parents.iter().flat_map(|parent| ["-p".to_string(), parent.to_string()]));
        let mut process = signer.of(self.process(words));
        if let Some(author) = author {
            process = process
                .env("GIT_AUTHOR_NAME", &author.name)
                .env("GIT_AUTHOR_EMAIL", &author.email)
                .env("GIT_AUTHOR_DATE", &author.date);
        }
        let output = process.stdin(message).run()?;
        if output.ok() {
            return Ok(output.text());
        }
        match self.cannot_sign(&output, signer) {
            Some(failure) => Err(failure.into()),
            None => Err(self.without_identity(self.failed("make the commit", &output)).into()),
        }
    }

    /// The files that `tip` changes since it left `base`; `None` when one of them is not here.
    ///
    /// # Errors
    /// When git cannot be started.
    pub fn changed_files(&self, base: &str, tip: &str) -> Result<Option<Vec<String>>> {
        let range = format!("{base}...{tip}");
        let output =
            self.try_run(["diff", "--name-only", "--no-renames", ALL_SUBMODULES, "-z", &range, "--"])?;
        let names =
            |text: String| text.split('\0').filter(|name| !name.is_empty()).map(String::from).collect();
        Ok(output.ok().then(|| names(output.text())))
    }

    /// The commits of `tip` that `base` lacks, oldest first: who wrote each, and its trailers.
    ///
    /// # Errors
    /// When one of the two is no commit.
    pub fn squashed(&self, base: &str, tip: &str) -> Result<Vec<Squashed>> {
        let format = "--format=%an%n%ae%n%ad%n%P%n%(trailers:only,unfold)";
        let range = format!("{base}..{tip}");
        let words = ["log", "-z", "--reverse", "--topo-order", "--no-show-signature", "--encoding=UTF-8"];
        let words = words.into_iter().chain(["--date=raw", format, &range, "--"]);
        let text = self.run("read the commits of a branch", words)?;
        Ok(text.split('\0').filter(|entry| !entry.trim().is_empty()).map(read_squashed).collect())
    }

    /// A worktree without a branch.
    ///
    /// # Errors
    /// When git refuses: the folder is taken, say.
    pub fn worktree_detached(&self, path: &Path, commit: &str) -> Result<()> {
        let mut words: Vec<PathBuf> =
            ["worktree", "add", "-q", "--force", "--detach"].iter().map(Into::into).collect();
        words.extend([path.into(), commit.into()]);
        self.must_locked("make the worktree for the tests", words)
    }

    /// Changes several refs at once, all or none, in the words of `git update-ref --stdin`: `create REF NEW`,
    /// `update REF NEW`, `delete REF`. No process when there is nothing to change.
    ///
    /// # Errors
    /// When one of them cannot be changed.
    pub fn change_refs(&self, what: &str, lines: &[String]) -> Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let output =
            self.run_unlocked(&self.process(["update-ref", "--stdin"]).stdin(lines.join("\n") + "\n"))?;
        if output.ok() {
            return Ok(());
        }
        Err(self.failed(what, &output).into())
    }
}

fn read_squashed(entry: &str) -> Squashed {
    let mut lines = entry.trim_start_matches('\n').lines().map(str::to_string);
    let mut next = || lines.next().unwrap_or_default();
    let author = Author { name: next(), email: next(), date: next() };
    let merge = next().contains(' ');
    Squashed { author, merge, trailers: lines.filter(|line| !line.is_empty()).collect() }
}

/// The variables whose names do not begin so.
fn without(
    env: Vec<(std::ffi::OsString, std::ffi::OsString)>,
    key: &str,
) -> Vec<(std::ffi::OsString, std::ffi::OsString)> {
    env.into_iter().filter(|(own, _)| !own.to_string_lossy().starts_with(key)).collect()
}

/// Reads `merge-tree --write-tree -z --name-only --messages`: an object id, the files in conflict, an empty field, then for
/// each message the number of its files, the files, its kind and its text. Gives the files that any message is about too.
/// `None`: git itself failed.
fn read_merge(output: &Output) -> Option<(Fold, BTreeSet<String>)> {
    let text = String::from_utf8_lossy(&output.stdout);
    let mut fields = text.split('\0').map(|field| field.trim_start_matches('\n'));
    let id = fields.next().unwrap_or_default().trim_end_matches('\n');
    if !(id.len() >= 40 && id.bytes().all(|byte| byte.is_ascii_hexdigit())) {
        return None;
    }
    let mut files: Vec<String> =
        fields.by_ref().take_while(|name| !name.is_empty()).map(String::from).collect();
    files.dedup();
    let mut both: BTreeSet<String> = files.iter().cloned().collect();
    while let Some(count) = fields.next().and_then(|count| count.parse().ok()) {
        both.extend(fields.by_ref().take(count).map(String::from));
        // Kind and text.
        fields.nth(1);
    }
    match output.code {
        Some(0) => Some((Fold::Clean(id.into()), both)),
        Some(1) => Some((Fold::Conflict(files), both)),
        _ => None,
    }
}

/// All that git said is wrong, in one line: the last line alone is often only what came of it.
fn all_words(output: &Output) -> String {
    let text = output.error_text();
    let wrong = |line: &str| {
        ["error: ", "fatal: "].iter().find_map(|kind| line.strip_prefix(kind)).map(str::to_string)
    };
    let lines: Vec<String> = text.lines().filter_map(wrong).take(5).collect();
    if lines.is_empty() { last_words(output) } else { lines.join("; ") }
}

fn parse_version(text: &str) -> (u32, u32) {
    let mut numbers =
        text.split_whitespace().nth(2).unwrap_or_default().split('.').map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merge_a_conflict_and_a_failure_are_told_apart() {
        let id = "0123456789abcdef0123456789abcdef01234567";
        let set = |names: &[&str]| names.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
        let clean = Fold::Clean(id.into());
        assert_eq!(read_merge(&Output::of(0, &format!("{id}\0"), "")), Some((clean.clone(), set(&[]))));
        let auto = format!("{id}\0\x001\0a/b\0Auto-merging\0Auto-merging a/b\n\0\n2\0x\0y\0kind\0text\n\0");
        assert_eq!(read_merge(&Output::of(0, &auto, "")), Some((clean, set(&["a/b", "x", "y"]))));
        let files = Fold::Conflict(vec!["a b".into(), "line\nbreak".into()]);
        let text = format!("{id}\0a b\0line\nbreak\0\x001\0c\0CONFLICT (contents)\0text\n\0");
        assert_eq!(read_merge(&Output::of(1, &text, "")), Some((files, set(&["a b", "c", "line\nbreak"]))));
        assert_eq!(read_merge(&Output::of(1, "", "merge-tree: nope - not something we can merge")), None);
        assert_eq!(read_merge(&Output::of(128, "", "fatal: refusing to merge unrelated histories")), None);
    }

    #[test]
    fn squashed_commits_are_read_with_their_trailers() {
        let read = read_squashed("Ann\na@x\n1 +0000\nabc def\nFixes: #1\n\nSigned-off-by: Ann <a@x>\n");
        assert_eq!((read.author.email.as_str(), read.merge), ("a@x", true));
        assert_eq!(read.trailers, ["Fixes: #1", "Signed-off-by: Ann <a@x>"]);
        assert!(!read_squashed("A\na\n1\nabc\n\n").merge);
    }

    #[test]
    fn versions_of_git() {
        assert_eq!(parse_version("git version 2.39.5 (Apple Git-154)"), (2, 39));
        assert_eq!(parse_version("git version 2.30"), (2, 30));
        assert_eq!(parse_version("nonsense"), (0, 0));
    }
}
