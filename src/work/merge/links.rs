//! Commits of other repositories that a branch names: submodules, and repositories inside a worktree. What lands may name
//! only commits that can be fetched.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::base::failure::Failure;
use crate::base::grammar::short;
use crate::base::quote::quote;
use crate::programs::git::links::Link;
use crate::programs::git::{Git, last_words};

/// What keeps a branch from being handed over or merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The branch holds only a link to a repository that has no URL.
    Bare {
        /// Its path.
        path: String,
    },
    /// A submodule's commit that its URL does not have.
    Nowhere {
        /// The submodule's path, from the top of the worktree.
        path: String,
        /// The commit.
        commit: String,
        /// Where it should be.
        url: String,
    },
}

impl Trouble {
    /// What is wrong, on one line.
    pub fn line(&self) -> String {
        match self {
            Trouble::Bare { path } => format!(
                "{path} is a repository of its own, and the branch holds only a link to it: its files are in no commit"
            ),
            Trouble::Nowhere { path, commit, url } => {
                format!("{path} is to stand at {commit}, which is not at {url}")
            }
        }
    }

    /// What helps, in the worktree.
    pub fn remedy(&self, branch: &str) -> String {
        match self {
            Trouble::Bare { path } => {
                let path = quote(path);
                format!(
                    "take the link out: git rm --cached {path} && git commit; or make it a submodule: git submodule add URL {path}; \
                 or add its files: git rm --cached {path}, move {path}/.git away, git add {path}, git commit"
                )
            }
            Trouble::Nowhere { path, commit, .. } => format!(
                "push it: git -C {} push origin {commit}:refs/heads/{}; or have gt push it: \
                 worktree.push_submodules = true",
                quote(path),
                branch_for(branch, commit)
            ),
        }
    }
}

/// The branch of a submodule's origin that a commit is pushed to. No other commit ever gets that name.
fn branch_for(branch: &str, commit: &str) -> String {
    format!("{branch}-{}", short(commit))
}

/// All of them in one line each.
pub fn lines(troubles: &[Trouble]) -> String {
    troubles.iter().map(Trouble::line).collect::<Vec<_>>().join("; ")
}

/// What is wrong with the links that the commits of `tip` bring to `base`. One process when they bring none.
///
/// # Errors
/// When the URL of a submodule cannot be read: whether its commit is there is not known then.
pub fn troubles(git: &Git, base: &str, tip: &str) -> Result<Vec<Trouble>> {
    Ok(look(git, base, tip, None)?.into_iter().map(|(trouble, _)| trouble).collect())
}

/// The same in a worktree, whose submodules may have submodules of their own. With `push` a submodule's commit that is at
/// its URL nowhere is pushed to its origin first, as a branch named after `branch`.
///
/// # Errors
/// As [`troubles`]; a push that was refused, in the server's words; what is still wrong, with what helps.
pub fn hand_over(dir: &Path, base: &str, tip: &str, branch: &str, push: bool) -> Result<()> {
    let mut left = Vec::new();
    for (trouble, place) in look(&Git::at(dir), base, tip, Some(dir))? {
        match (&trouble, place) {
            (Trouble::Nowhere { commit, url, .. }, Some(place)) if push => {
                send(&place, commit, &branch_for(branch, commit))?;
                if !Git::at(&place).has_at(url, commit, Some(&place))? {
                    left.push(trouble);
                }
            }
            _ => left.push(trouble),
        }
    }
    let Some(first) = left.first() else { return Ok(()) };
    let list: String = left.iter().map(|trouble| format!("\n  {}", trouble.line())).collect();
    Err(Failure::new(format!("the branch names commits that cannot be fetched:{list}"))
        .hint(format!("{}; then run gt done again", first.remedy(branch)))
        .into())
}

fn send(place: &Path, commit: &str, branch: &str) -> Result<()> {
    let refspec = format!("{commit}:refs/heads/{branch}");
    let words = ["push", "-q", "--no-recurse-submodules", "--no-follow-tags", "origin", &refspec];
    let output = Git::at(place).try_run(words)?;
    if output.ok() {
        return Ok(());
    }
    crate::fail!(
        "cannot push {commit} of {} to its origin: {}", place.display(), last_words(&output);
        "nothing is lost: the commit is there; see what is wrong with: git -C {} push origin {refspec}", place.display()
    )
}

/// Each trouble with the folder of the repository that has the commit, where there is one. The innermost come first.
fn look(git: &Git, base: &str, tip: &str, dir: Option<&Path>) -> Result<Vec<(Trouble, Option<PathBuf>)>> {
    let links = git.links_brought(base, tip)?;
    if links.is_empty() {
        return Ok(Vec::new());
    }
    let urls = git.submodule_urls(tip)?;
    let nameless: BTreeSet<&str> =
        links.iter().map(|link| link.path.as_str()).filter(|path| !urls.contains_key(*path)).collect();
    let mut found = Vec::new();
    for Link { path, commit, before } in &links {
        let Some(url) = urls.get(path) else { continue };
        let place = dir.map(|dir| dir.join(path)).filter(|place| place.join(".git").exists());
        if let (Some(place), Some(before)) = (&place, before) {
            let inner = Git::at(place);
            // A commit that is not in this repository is not this worktree's work.
            if inner.has_commits(&[before, commit])? == [true, true] {
                let below = look(&inner, before, commit, Some(place))?;
                found.extend(below.into_iter().map(|(trouble, place)| (inside(path, trouble), place)));
            }
        }
        if !git.has_at(url, commit, place.as_deref())? {
            let trouble = Trouble::Nowhere { path: path.clone(), commit: commit.clone(), url: url.clone() };
            found.push((trouble, place));
        }
    }
    // A link that a later commit took out again does no harm.
    let bare = git.links_at(tip, &nameless)?;
    found.extend(bare.into_iter().map(|path| (Trouble::Bare { path }, None)));
    Ok(found)
}

fn inside(outer: &str, trouble: Trouble) -> Trouble {
    match trouble {
        Trouble::Bare { path } => Trouble::Bare { path: format!("{outer}/{path}") },
        Trouble::Nowhere { path, commit, url } => {
            Trouble::Nowhere { path: format!("{outer}/{path}"), commit, url }
        }
    }
}

/// Repositories of their own in folders that git does not track, by path, from the lines of `git status`.
pub fn nested(dir: &Path, dirty: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for path in dirty.iter().filter_map(|line| line.strip_prefix("?? ")) {
        repositories(dir, path.trim_end_matches('/'), &mut found);
    }
    found
}

fn repositories(dir: &Path, path: &str, found: &mut Vec<String>) {
    let folder = dir.join(path);
    if folder.is_symlink() || !folder.is_dir() {
        return;
    }
    if folder.join(".git").exists() {
        found.push(path.to_string());
        return;
    }
    for name in crate::base::files::names_in(&folder).unwrap_or_default() {
        repositories(dir, &format!("{path}/{name}"), found);
    }
}

/// Why a worktree with repositories inside is not handed over.
pub fn nested_failure(nested: &[String]) -> Option<Failure> {
    let first = quote(nested.first()?);
    Some(
        Failure::new(format!(
            "the worktree has repositories of their own in it, whose files git would not add: {}",
            nested.join(", ")
        ))
        .hint(format!(
            "add the files: move {first}/.git away, then git add {first}; or make it a submodule: git submodule add URL \
             {first}; or move it out of the worktree"
        )),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_inside_are_found_at_any_depth_and_links_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["lib/.git", "tools/deep/x/.git", "plain/a", "elsewhere/.git"] {
            std::fs::create_dir_all(dir.path().join(path)).unwrap();
        }
        std::os::unix::fs::symlink("elsewhere", dir.path().join("link")).unwrap();
        let dirty = ["?? lib/", "?? tools/", "?? plain/", "?? link", " M README.md"].map(String::from);
        assert_eq!(nested(dir.path(), &dirty), ["lib", "tools/deep/x"]);
    }

    #[test]
    fn a_remedy_names_the_very_commit_and_a_branch_of_its_own() {
        let trouble =
            Trouble::Nowhere { path: "lib".into(), commit: "a".repeat(40), url: "https://x/lib".into() };
        assert!(trouble.remedy("polecat/Nux-wy-1").contains("polecat/Nux-wy-1-aaaaaaaaaa;"));
        assert!(inside("vendor", trouble).line().starts_with("vendor/lib is to stand at aaaa"));
    }
}
