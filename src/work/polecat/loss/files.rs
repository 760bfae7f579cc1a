//! Files of a place that are in no commit, and the repositories among them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::repo::{Repo, changed_at};
use crate::programs::git::Git;

/// Files that are in no commit.
#[derive(Clone, Debug, Default)]
pub struct LooseFiles {
    /// Changed or untracked, with git's two letters in front.
    pub changed: Vec<String>,
    /// Tracked files that git was told not to look at.
    pub hidden: Vec<String>,
    /// Paths of repositories inside that git takes for untracked files.
    pub nested: Vec<String>,
    /// Ignored, and neither brought by gt nor plainly made by a program: paths.
    pub ignored: Vec<String>,
    /// What could not be read.
    pub unknown: Vec<String>,
}

/// Names of ignored folders that programs make again from what is in git. Repositories inside them are looked at all the same.
const REGENERABLE: [&str; 16] = [
    "target",
    "node_modules",
    "__pycache__",
    ".venv",
    "venv",
    ".tox",
    ".nox",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".gradle",
    ".cache",
    ".next",
    "dist",
    "build",
    "coverage",
];

/// Ends of the names of ignored files that programs make again.
const REGENERABLE_FILES: [&str; 5] = [".pyc", ".o", ".class", ".DS_Store", ".tsbuildinfo"];

/// Whether an ignored path is plainly made again from what is in git.
fn is_regenerable(path: &str) -> bool {
    let folder = path.trim_end_matches('/');
    let name = folder.rsplit('/').next().unwrap_or(folder);
    match path.ends_with('/') {
        true => REGENERABLE.contains(&name),
        false => REGENERABLE_FILES.iter().any(|end| name.ends_with(end)),
    }
}

/// Repositories found inside a place, by their paths there; one whose `.git` leads nowhere is an error.
type Nested = Vec<(String, Result<Repo>)>;

/// The files of a place, and the repositories inside it.
pub fn look(repo: &Repo) -> (LooseFiles, Nested) {
    let mut files = LooseFiles::default();
    let mut nested = Nested::new();
    let git = Git::alone(&repo.dir);
    let has_files = repo.dir.join(".git").symlink_metadata().is_ok();
    if has_files {
        match git.full_status() {
            Ok(status) => {
                files.changed = status.dirty;
                files.ignored = status.ignored;
                files.ignored.retain(|path| !is_regenerable(path));
            }
            Err(error) => files.unknown.push(format!("{error:#}")),
        }
        match inside(&repo.dir) {
            Ok(dirs) => nested = dirs.into_iter().map(|dir| open(repo, &dir)).collect(),
            Err(error) => files.unknown.push(format!("{error:#}")),
        }
    }
    match repo.modules() {
        Ok(modules) => nested.extend(not_checked_out(repo, modules, &nested)),
        Err(error) => files.unknown.push(format!("{error:#}")),
    }
    // A repository inside is looked at on its own.
    let own = |path: &str| !nested.iter().any(|(nested, _)| path.trim_end_matches('/') == nested);
    let is_nested = |line: &String| line.strip_prefix("?? ").is_some_and(|path| !own(path));
    let (links, changed) = std::mem::take(&mut files.changed).into_iter().partition::<Vec<_>, _>(is_nested);
    files.nested = links.iter().map(|line| line[3..].trim_end_matches('/').to_string()).collect();
    files.changed = changed;
    let prepared = repo.prepared();
    files.ignored.retain(|path| own(path) && !is_as_prepared(&repo.dir.join(path), prepared));
    if has_files && files.unknown.is_empty() {
        let hidden = git.hidden_files().and_then(|hidden| {
            let changed = if hidden.is_empty() { Vec::new() } else { git.changed_of(&hidden)? };
            files.hidden = hidden;
            Ok(changed)
        });
        match hidden {
            Ok(changed) => files.changed.extend(changed.iter().map(|path| format!(" M {path}"))),
            Err(error) => files.unknown.push(format!("{error:#}")),
        }
    }
    (files, nested)
}

fn open(repo: &Repo, dir: &Path) -> (String, Result<Repo>) {
    let path = dir.strip_prefix(&repo.dir).unwrap_or(dir).to_string_lossy().into_owned();
    let opened = Repo::open(dir)
        .and_then(|inner| inner.with_context(|| format!("{} is no repository", dir.display())));
    (path, opened)
}

/// Submodules that have a git folder and no work tree.
fn not_checked_out(repo: &Repo, modules: Vec<PathBuf>, nested: &Nested) -> Nested {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let known: Vec<PathBuf> =
        nested.iter().filter_map(|(_, inner)| Some(real(&inner.as_ref().ok()?.git_dir))).collect();
    let own = repo.git_dir.join("modules");
    let left = modules.into_iter().filter(|module| !known.contains(&real(module)));
    left.map(|module| {
        let path = module.strip_prefix(&own).unwrap_or(&module).to_string_lossy().into_owned();
        (path, Ok(Repo::in_git_dir(&module, module.clone())))
    })
    .collect()
}

/// The topmost folders inside `dir` that have a `.git`. Links are not followed; a folder that goes away meanwhile is none.
///
/// # Errors
/// When a folder cannot be read.
fn inside(dir: &Path) -> Result<Vec<PathBuf>> {
    let (mut found, mut open) = (Vec::new(), vec![dir.to_path_buf()]);
    while let Some(folder) = open.pop() {
        let failed = || format!("cannot read {}", folder.display());
        let entries = match std::fs::read_dir(&folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            entries => entries.with_context(failed)?,
        };
        let before = open.len();
        for entry in entries {
            let entry = entry.with_context(failed)?;
            if entry.file_name() == ".git" {
                if folder != dir {
                    open.truncate(before);
                    found.push(folder);
                    break;
                }
            } else if entry.file_type().with_context(failed)?.is_dir() {
                open.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Whether nothing under `path` has changed since gt prepared the place. A link holds nothing itself.
fn is_as_prepared(path: &Path, prepared: Option<(i64, i64)>) -> bool {
    let mut open = vec![path.to_path_buf()];
    while let Some(path) = open.pop() {
        let Ok(data) = path.symlink_metadata() else { continue };
        if data.is_symlink() {
            continue;
        }
        let unchanged = prepared.is_some_and(|time| changed_at(&path).is_some_and(|changed| changed <= time));
        if !unchanged {
            return false;
        }
        if data.is_dir() {
            let Ok(entries) = std::fs::read_dir(&path) else { return false };
            open.extend(entries.filter_map(|entry| Some(entry.ok()?.path())));
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_make_again_is_told_by_its_name_alone() {
        for path in ["target/", "web/node_modules/", "a/b.pyc"] {
            assert!(is_regenerable(path), "{path}");
        }
        for path in ["target", ".env", "data/", "secret.env", "targets/", ".page.swp"] {
            assert!(!is_regenerable(path), "{path}");
        }
    }

    #[test]
    fn repositories_are_found_at_any_depth_but_not_behind_links() {
        let dir = tempfile::tempdir().unwrap();
        for path in [".git", "a/b/.git", "a/b/c/.git", "target/x/.git", "plain"] {
            std::fs::create_dir_all(dir.path().join(path)).unwrap();
        }
        std::fs::create_dir(dir.path().join("f")).unwrap();
        std::fs::write(dir.path().join("f/.git"), "gitdir: x").unwrap();
        std::os::unix::fs::symlink(dir.path().join("a"), dir.path().join("plain/link")).unwrap();
        let found = inside(dir.path()).unwrap();
        assert_eq!(found, ["a/b", "f", "target/x"].map(|path| dir.path().join(path)));
    }

    #[test]
    fn what_came_with_a_place_is_as_prepared_until_something_in_it_changes() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        std::fs::create_dir(&data).unwrap();
        std::fs::write(data.join("a"), "x").unwrap();
        let later = changed_at(&data.join("a")).map(|(seconds, nanos)| (seconds + 60, nanos));
        assert!(is_as_prepared(&data, later));
        let before = changed_at(&data).map(|(seconds, nanos)| (seconds - 60, nanos));
        assert!(!is_as_prepared(&data, before) && !is_as_prepared(&data, None));
        std::os::unix::fs::symlink("a", dir.path().join("link")).unwrap();
        assert!(is_as_prepared(&dir.path().join("link"), None));
    }
}
