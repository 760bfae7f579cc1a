//! What has to be known before something is removed, and how it is kept: refs with their kinds, commits that nothing else
//! reaches, commits of what is not committed, refs that are only ever created.

use std::path::Path;

use anyhow::Result;

use super::answers::{WorktreeStatus, parse_status};
use super::trees::ALL_SUBMODULES;
use super::{Git, last_words};
use crate::base::quote::quote;

/// A ref.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ref {
    /// Its full name.
    pub name: String,
    /// The object it stands at.
    pub id: String,
    /// `commit`, `tag`, `tree` or `blob`.
    pub kind: String,
}

/// A commit that nothing else reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loose {
    /// Its id.
    pub id: String,
    /// Its tree.
    pub tree: String,
    /// Its parents.
    pub parents: Vec<String>,
    /// Its first line.
    pub subject: String,
}

/// A fetch that makes no ref.
const BRING: [&str; 6] = ["-c", "protocol.version=2", "fetch", "-q", "--no-tags", "--no-recurse-submodules"];

impl Git {
    /// Refs under prefixes, all of them without one.
    ///
    /// # Errors
    /// When git fails, a ref without its object included.
    pub fn refs_with_kinds(&self, prefixes: &[&str]) -> Result<Vec<Ref>> {
        let format = "--format=%(objectname) %(objecttype) %(refname)";
        let mut words = vec!["for-each-ref", format];
        words.extend(prefixes);
        let text = self.run("list refs", words)?;
        let read = |line: &str| {
            let mut fields = line.splitn(3, ' ').map(str::to_string);
            Some(Ref { id: fields.next()?, kind: fields.next()?, name: fields.next()? })
        };
        Ok(text.lines().filter_map(read).collect())
    }

    /// The objects that refs of a repository elsewhere stand at, asked now: nothing that is remembered of it here counts.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn objects_at(&self, url: &str) -> Result<Vec<String>> {
        let output = self.try_run(["ls-remote", "-q", "--", url])?;
        if !output.ok() {
            let quoted = quote(url);
            crate::fail!("cannot read {url}: {}", last_words(&output); "see whether git can read it: git ls-remote {quoted}");
        }
        Ok(output.text().lines().filter_map(|line| Some(line.split_once('\t')?.0.to_string())).collect())
    }

    /// The commits that `tips` reach and `stays` do not. Objects that are not here are left out of both.
    ///
    /// # Errors
    /// When git fails.
    pub fn only_reached_by(&self, tips: &[&str], stays: &[String]) -> Result<Vec<Loose>> {
        let mut lines: String = tips.iter().map(|id| format!("{id}\n")).collect();
        lines.extend(stays.iter().map(|id| format!("^{id}\n")));
        let words = ["rev-list", "--ignore-missing", FORMAT, "--stdin"];
        let output = self.process(words).stdin(lines).run()?;
        if !output.ok() {
            return Err(self.failed("list commits", &output).into());
        }
        Ok(read_loose(&output.text()))
    }

    /// Brings objects of another repository here, by their ids. No ref is made.
    ///
    /// # Errors
    /// When one of them is not there, or the other repository is a shallow one.
    pub fn bring_objects(&self, from: &Path, ids: &[&str]) -> Result<()> {
        let from = from.to_string_lossy();
        // Version 2 of the protocol gives whatever is asked for, reachable from a ref or not.
        let mut words = BRING.to_vec();
        words.push(&from);
        words.extend(ids);
        self.must_locked("take over commits", words)
    }

    /// Fetches those of `objects`, which refs of the repository at `url` stand at, that are not here. No ref is made or
    /// moved. Gives whether there were any.
    ///
    /// # Errors
    /// When they cannot be fetched.
    pub fn bring_missing(&self, url: &str, objects: &[String]) -> Result<bool> {
        let lines: String = objects.iter().map(|id| format!("{id}\n")).collect();
        let output = self.process(["cat-file", "--batch-check"]).stdin(lines).run()?;
        if !output.ok() {
            return Err(self.failed("look for commits of origin", &output).into());
        }
        let text = output.text();
        let missing: Vec<&str> = text.lines().filter_map(|line| line.strip_suffix(" missing")).collect();
        // As many as one command takes on every system.
        for ids in missing.chunks(1000) {
            let mut words = BRING.to_vec();
            words.extend(["--refmap=", "--", url]);
            words.extend(ids);
            let output = self.try_run(words)?;
            if !output.ok() {
                return Err(self.failed("fetch what origin has", &output).into());
            }
        }
        Ok(!missing.is_empty())
    }

    /// Creates refs, all or none, each only if there is none of its name. Their reflogs say when.
    ///
    /// # Errors
    /// When one is there already, or cannot be written.
    pub fn create_refs(&self, refs: &[(String, String)]) -> Result<()> {
        if refs.is_empty() {
            return Ok(());
        }
        let lines: String = refs.iter().map(|(name, id)| format!("create {name} {id}\n")).collect();
        let words = ["update-ref", "--create-reflog", "-m", "kept by gt", "--stdin"];
        let output = self.run_unlocked(&self.process([&IDENTITY[..], &words].concat()).stdin(lines))?;
        if output.ok() {
            return Ok(());
        }
        Err(self.failed("create refs", &output).into())
    }

    /// The newest commits that refs under a prefix reach and `head` does not.
    ///
    /// # Errors
    /// When git fails.
    pub fn made_under(&self, prefix: &str, head: Option<&str>) -> Result<Vec<Loose>> {
        let ids: String =
            self.refs_with_kinds(&[prefix])?.iter().map(|one| format!("{}\n", one.id)).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let lines = ids + &head.map_or(String::new(), |head| format!("^{head}\n"));
        let words = ["rev-list", "--ignore-missing", "--max-count=64", FORMAT, "--stdin"];
        let output = self.process(words).stdin(lines).run()?;
        if output.ok() {
            Ok(read_loose(&output.text()))
        } else {
            Err(self.failed("list commits", &output).into())
        }
    }

    /// A commit of a tree on parents: the one in `made`, when it is there already.
    ///
    /// # Errors
    /// When git fails.
    fn commit_once(&self, tree: &str, parent: Option<&str>, message: &str, made: &[Loose]) -> Result<String> {
        let same = |one: &&Loose| {
            one.tree == tree && one.subject == message && one.parents.iter().map(String::as_str).eq(parent)
        };
        match made.iter().find(same) {
            Some(one) => Ok(one.id.clone()),
            None => self.commit_kept(tree, parent.as_slice(), message),
        }
    }

    /// A commit of a tree on parents.
    ///
    /// # Errors
    /// When git fails.
    pub fn commit_kept(&self, tree: &str, parents: &[&str], message: &str) -> Result<String> {
        let mut words = [&IDENTITY[..], &["commit-tree", "--no-gpg-sign", tree, "-m", message]].concat();
        words.extend(parents.iter().flat_map(|parent| ["-p", parent]));
        self.run("commit what is kept", words)
    }

    /// The tree without files.
    ///
    /// # Errors
    /// When git fails.
    pub fn empty_tree(&self) -> Result<String> {
        let output = self.process(["hash-object", "-t", "tree", "-w", "--stdin"]).stdin("").run()?;
        if output.ok() { Ok(output.text()) } else { Err(self.failed("write a tree", &output).into()) }
    }

    /// What `git status` says, whatever settings hide: every untracked file, submodules, and what is ignored.
    ///
    /// # Errors
    /// When this is no work tree that git can read.
    pub fn full_status(&self) -> Result<WorktreeStatus> {
        let words = [
            "status",
            "--porcelain=v2",
            "--branch",
            "--untracked-files=all",
            "--ignored=matching",
            ALL_SUBMODULES,
            "-z",
        ];
        Ok(self.without_as_checked_out(parse_status(&self.run("read the state of the work tree", words)?)))
    }

    /// Tracked files that git was told not to look at (assume-unchanged, skip-worktree) and that are there all the same.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn hidden_files(&self) -> Result<Vec<String>> {
        let text = self.run("list tracked files", ["ls-files", "-v", "-z"])?;
        let hidden = text.split('\0').filter_map(|line| {
            let (tag, path) = line.split_once(' ')?;
            (tag == "S" || tag.chars().all(|c| c.is_ascii_lowercase())).then(|| path.to_string())
        });
        Ok(hidden.filter(|path| self.dir.join(path).symlink_metadata().is_ok()).collect())
    }

    /// Those of `hidden` that differ from the index.
    ///
    /// # Errors
    /// When git cannot tell.
    pub fn changed_of(&self, hidden: &[String]) -> Result<Vec<String>> {
        let copy = self.index_copy(hidden)?;
        let words = ["diff-files", "--name-only", "-z", ALL_SUBMODULES];
        let output = self.process(words).env("GIT_INDEX_FILE", copy.path().join(INDEX)).run()?;
        if !output.ok() {
            return Err(self.failed("look for changes", &output).into());
        }
        let text = output.text();
        Ok(text.split('\0').filter(|path| hidden.iter().any(|own| own == path)).map(Into::into).collect())
    }

    /// Commits of everything that is changed or untracked, on top of `head` (of nothing without one): first what is staged,
    /// where that is something else, then the files as they are. Index and files stay as they are. Repositories in
    /// `nested` are left out. A commit in `made` of the same files on the same parent is taken: a run before, which was killed,
    /// made it.
    ///
    /// # Errors
    /// When a file cannot be read, or git leaves one out.
    pub fn commit_changes(
        &self,
        head: Option<&str>,
        hidden: &[String],
        nested: &[String],
        message: &str,
        made: &[Loose],
    ) -> Result<String> {
        let copy = self.index_copy(hidden)?;
        let index = copy.path().join(INDEX);
        let run = |what: &str, words: &[&str]| -> Result<String> {
            let output = self.process(words).env("GIT_INDEX_FILE", &index).run()?;
            if output.ok() { Ok(output.text()) } else { Err(self.failed(what, &output).into()) }
        };
        let before = match head {
            Some(head) => self.run("read the last commit", ["rev-parse", &format!("{head}^{{tree}}")])?,
            None => self.empty_tree()?,
        };
        // An index with conflicts has no tree: its sides are commits.
        let staged = run("write the index", &["write-tree"]).unwrap_or_else(|_| before.clone());
        let outside: Vec<String> =
            nested.iter().map(|path| format!(":(exclude,top,literal){path}")).collect();
        let mut words = vec!["add", "-A"];
        // Without it, git leaves out what a sparse checkout does not have.
        words.extend((self.version()? >= (2, 34)).then_some("--sparse"));
        words.extend(["--", "."]);
        words.extend(outside.iter().map(String::as_str));
        run("gather changes", &words)?;
        let left = run("list changes", &["ls-files", "-z", "-m", "-o", "--exclude-standard"])?;
        let is_left =
            |path: &&str| !path.is_empty() && !nested.iter().any(|own| own == path.trim_end_matches('/'));
        if let Some(path) = left.split('\0').find(is_left) {
            crate::fail!("git add leaves out {path}");
        }
        let tree = run("write the changes", &["write-tree"])?;
        let mut parent = head.map(str::to_string);
        if staged != before && staged != tree {
            parent = Some(self.commit_once(&staged, parent.as_deref(), "Staged changes", made)?);
        }
        self.commit_once(&tree, parent.as_deref(), message, made)
    }

    /// A copy of the index in a folder of its own, in which nothing in `hidden` is hidden.
    fn index_copy(&self, hidden: &[String]) -> Result<tempfile::TempDir> {
        let failed = |error| crate::base::files::error_of(error, "cannot copy the index".into());
        let dir = tempfile::tempdir().map_err(failed)?;
        let copy = dir.path().join(INDEX);
        match std::fs::copy(self.git_dir()?.join(INDEX), &copy) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            copied => drop(copied.map_err(failed)?),
        }
        for flag in ["--no-assume-unchanged", "--no-skip-worktree"] {
            if hidden.is_empty() {
                break;
            }
            let process = self.process(["update-index", flag, "-z", "--stdin"]).stdin(hidden.join("\0"));
            let output = process.env("GIT_INDEX_FILE", &copy).run()?;
            if !output.ok() {
                return Err(self.failed("copy the index", &output).into());
            }
        }
        Ok(dir)
    }
}

/// The name of the index in a git folder.
const INDEX: &str = "index";

/// Who makes what gt keeps, also where git knows no author.
const IDENTITY: [&str; 4] = ["-c", "user.name=gt", "-c", "user.email=gt@localhost"];

/// Of a list of commits that [`read_loose`] reads.
const FORMAT: &str = "--format=%H%x00%T%x00%P%x00%s";

fn read_loose(text: &str) -> Vec<Loose> {
    let read = |line: &str| {
        let mut fields = line.split('\0');
        let (id, tree, parents, subject) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let parents = parents.split(' ').filter(|id| !id.is_empty()).map(str::to_string).collect();
        Some(Loose { id: id.into(), tree: tree.into(), parents, subject: subject.into() })
    };
    text.lines().filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_read_whatever_their_first_lines_say() {
        let text = "commit aaa\naaa\0t\0bbb ccc\0commit x\ncommit bbb\nbbb\0t\0\0\n";
        let read = read_loose(text);
        assert_eq!(read.len(), 2);
        assert_eq!((read[0].parents.len(), read[0].subject.as_str()), (2, "commit x"));
        assert_eq!((read[1].id.as_str(), read[1].parents.len()), ("bbb", 0));
    }
}
