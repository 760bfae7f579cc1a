//! A repository as its files show it: no process, and nothing in it has to be whole.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};

/// Where a repository has what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repo {
    /// Its work tree; its git folder where there is none.
    pub dir: PathBuf,
    /// The git folder of this work tree.
    pub git_dir: PathBuf,
    /// The git folder with refs and objects, which a worktree shares.
    pub common: PathBuf,
}

/// Where gt notes that it has prepared a place, in the place's git folder.
const PREPARED: &str = "gt-prepared";

impl Repo {
    /// The repository of a work tree; `None`: there is no `.git`.
    ///
    /// # Errors
    /// When `.git` leads nowhere.
    pub fn open(dir: &Path) -> Result<Option<Repo>> {
        let dot = dir.join(".git");
        let Ok(kind) = dot.symlink_metadata() else { return Ok(None) };
        if kind.is_dir() {
            return Ok(Some(Repo::in_git_dir(dir, dot)));
        }
        let text = crate::base::files::read(&dot).unwrap_or_default();
        let led = text.trim().strip_prefix("gitdir: ").map(|to| dir.join(to));
        match led.filter(|to| to.join("HEAD").exists()) {
            Some(to) => Ok(Some(Repo::in_git_dir(dir, to))),
            None if dot.is_dir() => Ok(Some(Repo::in_git_dir(dir, dot))),
            None => crate::fail!("{} does not lead to a repository", dot.display()),
        }
    }

    /// A repository whose git folder is known.
    pub fn in_git_dir(dir: &Path, git_dir: PathBuf) -> Repo {
        let common = std::fs::read_to_string(git_dir.join("commondir"));
        let common = common.map_or_else(|_| git_dir.clone(), |path| git_dir.join(path.trim()));
        Repo { dir: dir.into(), git_dir, common }
    }

    /// The worktree of a clone that stands, or stood, at `dir`, as the clone knows it.
    pub fn worktree_of(clone: &Path, dir: &Path) -> Option<Repo> {
        let known = std::fs::read_dir(clone.join(".git/worktrees")).ok()?;
        let of_dir = |git_dir: &PathBuf| {
            std::fs::read_to_string(git_dir.join("gitdir"))
                .is_ok_and(|text| is_same(Path::new(text.trim()), &dir.join(".git")))
        };
        let git_dir = known.filter_map(|entry| Some(entry.ok()?.path())).find(of_dir)?;
        Some(Repo::in_git_dir(dir, git_dir))
    }

    /// Whether its refs and objects are its own: they go with it.
    pub fn is_whole(&self) -> bool {
        self.git_dir == self.common
    }

    /// What `HEAD` says: a ref's name, or a commit.
    pub fn head(&self) -> Option<Head> {
        let text = std::fs::read_to_string(self.git_dir.join("HEAD")).ok()?;
        match text.trim().strip_prefix("ref: ") {
            Some(name) => Some(Head::Branch(name.trim().into())),
            None => ids(&text).into_iter().next().map(Head::Commit),
        }
    }

    /// The commit that its work tree was made at: where the log of `HEAD` begins.
    pub fn base(&self) -> Option<String> {
        let text = std::fs::read_to_string(self.git_dir.join("logs/HEAD")).ok()?;
        ids(text.lines().next()?).into_iter().nth(1)
    }

    /// Every commit that its logs name, of `HEAD` and of its own refs, each with the log's name.
    ///
    /// # Errors
    /// When a log cannot be read.
    pub fn logged(&self) -> Result<Vec<(String, String)>> {
        let mut found = Vec::new();
        let mut git_dirs = vec![self.git_dir.clone()];
        git_dirs.extend(self.is_whole().then(|| self.linked()).transpose()?.unwrap_or_default());
        for git_dir in git_dirs {
            let logs = git_dir.join("logs");
            for path in files_under(&logs)? {
                let name = path.strip_prefix(&logs).unwrap_or(&path).to_string_lossy().into_owned();
                for line in read(&path)?.lines().rev() {
                    let found_here = ids(line).into_iter().take(2).map(|id| (name.clone(), id));
                    found.extend(found_here.collect::<Vec<_>>().into_iter().rev());
                }
            }
        }
        Ok(found)
    }

    /// The commits that the log of one shared ref names.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn logged_of(&self, name: &str) -> Result<Vec<(String, String)>> {
        let path = self.common.join("logs").join(name);
        if !path.is_file() {
            return Ok(Vec::new());
        }
        Ok(ids(&read(&path)?).into_iter().map(|id| (name.to_string(), id)).collect())
    }

    /// Commits that stand in files of the git folder: `HEAD`s of any kind, its worktrees' too, and what a command under way
    /// goes back to.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn noted(&self) -> Result<Vec<(String, String)>> {
        let mut found = Vec::new();
        let mut git_dirs = vec![self.git_dir.clone()];
        git_dirs.extend(self.is_whole().then(|| self.linked()).transpose()?.unwrap_or_default());
        for git_dir in git_dirs {
            let mut paths: Vec<PathBuf> = UNDER_WAY
                .iter()
                .flat_map(|(dir, _)| {
                    ["orig-head", "autostash", "stopped-sha", "amend", "original-commit", "head", "onto"]
                        .map(|name| git_dir.join(dir).join(name))
                })
                .collect();
            let heads =
                std::fs::read_dir(&git_dir).with_context(|| format!("cannot read {}", git_dir.display()))?;
            paths.extend(heads.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let head = name.ends_with("HEAD") || name == "MERGE_AUTOSTASH";
                head && !["HEAD", "FETCH_HEAD"].contains(&name.as_str()) && path.is_file()
            }));
            if git_dir != self.git_dir {
                paths.push(git_dir.join("HEAD"));
            }
            // Refs of one worktree alone: of a bisection, of a rebase.
            if git_dir != self.common {
                paths.extend(files_under(&git_dir.join("refs"))?);
            }
            for path in paths.into_iter().filter(|path| path.is_file()) {
                let name = path.strip_prefix(&self.git_dir).unwrap_or(&path).to_string_lossy().into_owned();
                found.extend(ids(&read(&path)?).into_iter().map(|id| (name.clone(), id)));
            }
        }
        Ok(found)
    }

    /// What git is in the middle of, with the folder or file that holds its state.
    pub fn under_way(&self) -> Vec<(&'static str, PathBuf)> {
        let there = UNDER_WAY.iter().map(|(name, what)| (*what, self.git_dir.join(name)));
        there.filter(|(_, path)| path.exists()).collect()
    }

    /// The git folders of its other worktrees.
    fn linked(&self) -> Result<Vec<PathBuf>> {
        let dir = self.git_dir.join("worktrees");
        Ok(crate::base::files::names_in(&dir)?.into_iter().map(|name| dir.join(name)).collect())
    }

    /// Work trees elsewhere that cannot be used without this repository.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub fn attached(&self) -> Result<Vec<PathBuf>> {
        if !self.is_whole() {
            return Ok(Vec::new());
        }
        let place = |git_dir: &PathBuf| {
            let text = std::fs::read_to_string(git_dir.join("gitdir")).ok()?;
            Path::new(text.trim()).parent().map(Path::to_path_buf)
        };
        Ok(self.linked()?.iter().filter_map(place).filter(|dir| dir.exists()).collect())
    }

    /// Git folders of submodules, checked out or not.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn modules(&self) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        let mut open = vec![self.git_dir.join("modules")];
        while let Some(dir) = open.pop() {
            for name in crate::base::files::names_in(&dir)? {
                let path = dir.join(name);
                if path.join("HEAD").is_file() && path.join("objects").is_dir() {
                    found.push(path);
                } else if path.is_dir() && !path.is_symlink() {
                    open.push(path);
                }
            }
        }
        Ok(found)
    }

    /// Notes that gt has prepared this place: what is older came with it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn note_prepared(&self) -> Result<()> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let text = format!("{} {}\n", now.as_secs(), now.subsec_nanos());
        crate::base::files::write(&self.git_dir.join(PREPARED), text)
    }

    /// When gt had prepared this place: seconds and nanoseconds. Written down, because a copy of a town has new times.
    pub fn prepared(&self) -> Option<(i64, i64)> {
        let text = std::fs::read_to_string(self.git_dir.join(PREPARED)).ok()?;
        let (seconds, nanos) = text.trim().split_once(' ')?;
        Some((seconds.parse().ok()?, nanos.parse().ok()?))
    }
}

/// Where `HEAD` is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Head {
    /// On a branch, by its full name.
    Branch(String),
    /// On a commit.
    Commit(String),
}

/// Where git keeps the state of what it is in the middle of.
const UNDER_WAY: [(&str, &str); 7] = [
    ("rebase-merge", "a rebase"),
    ("rebase-apply", "a rebase or git am"),
    ("sequencer", "a cherry-pick or revert of several commits"),
    ("MERGE_HEAD", "a merge"),
    ("CHERRY_PICK_HEAD", "a cherry-pick"),
    ("REVERT_HEAD", "a revert"),
    ("BISECT_LOG", "a bisection"),
];

/// When a file, link or folder was last changed, moved or made.
pub fn changed_at(path: &Path) -> Option<(i64, i64)> {
    use std::os::unix::fs::MetadataExt;
    path.symlink_metadata().ok().map(|data| (data.ctime(), data.ctime_nsec()))
}

fn is_same(one: &Path, other: &Path) -> bool {
    if one == other {
        return true;
    }
    let real = |path: &Path| Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?));
    real(one).is_some_and(|one| Some(one) == real(other))
}

fn read(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Every file under a folder; none when it is not there.
fn files_under(dir: &Path) -> Result<Vec<PathBuf>> {
    let (mut found, mut open) = (Vec::new(), vec![dir.to_path_buf()]);
    while let Some(dir) = open.pop() {
        let entries = match std::fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", dir.display())),
        };
        for entry in entries {
            let path = entry.with_context(|| format!("cannot read {}", dir.display()))?.path();
            match path.symlink_metadata() {
                Ok(data) if data.is_dir() => open.push(path),
                Ok(data) if data.is_file() => found.push(path),
                _ => {}
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The object ids in a text, but for those that stand for nothing.
fn ids(text: &str) -> Vec<String> {
    let is_id = |word: &&str| {
        (word.len() == 40 || word.len() == 64)
            && word.bytes().all(|byte| byte.is_ascii_hexdigit())
            && word.bytes().any(|byte| byte != b'0')
    };
    text.split_whitespace().filter(is_id).map(str::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_whole_words_and_not_all_zeros() {
        let (one, zero) = ("a".repeat(40), "0".repeat(40));
        assert_eq!(ids(&format!("{zero} {one} A <a@b> 1 +0000\tcommit: x")).join(""), one);
        assert!(ids(&one[1..]).is_empty());
    }

    #[test]
    fn a_git_file_that_leads_nowhere_is_an_error_and_none_is_none() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Repo::open(dir.path()).unwrap(), None);
        std::fs::write(dir.path().join(".git"), "gitdir: /nowhere\n").unwrap();
        assert!(Repo::open(dir.path()).is_err());
    }
}
