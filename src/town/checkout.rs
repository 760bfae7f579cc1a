//! A person's own checkout of a rig's repository finds its town: the towns of a user are written down in the state folder, and
//! a repository is a rig's when it is that rig's origin or has the same remote.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::Value;

use super::discover::{FoundTown, found_at};
use crate::base::failure::Failure;
use crate::base::files;
use crate::base::folders::Folder;
use crate::base::quote::quote;
use crate::programs::git::Git;

/// Where a checkout belongs.
#[derive(Clone, Debug)]
pub struct Checkout {
    /// The town.
    pub found: FoundTown,
    /// The rig's name.
    pub rig: String,
}

/// The key of the file.
const TOWNS: &str = "towns";

/// `$XDG_STATE_HOME/gastown/towns.json`; `var` reads the environment.
fn list<'a>(var: impl Fn(&str) -> Option<&'a str>) -> Option<PathBuf> {
    Some(Folder::State.find(var)?.join("gastown/towns.json"))
}

fn towns(state: &files::Object) -> Vec<PathBuf> {
    let known = state.get(TOWNS).and_then(Value::as_array).into_iter().flatten();
    known.filter_map(|path| path.as_str().map(PathBuf::from)).collect()
}

/// Writes down that there is a town in `root`, and drops those that are gone. Without a home nothing is written.
///
/// # Errors
/// When the file cannot be read or written.
pub fn remember<'a>(var: impl Fn(&str) -> Option<&'a str>, root: &Path) -> Result<()> {
    let Some(path) = list(var) else { return Ok(()) };
    if let Some(dir) = path.parent() {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
        made.map_err(|error| files::error_of(error, format!("cannot make {}", dir.display())))?;
    }
    files::change_json(&path, |state| {
        let mut known = towns(state);
        known.retain(|other| other != root && found_at(other).is_some());
        known.push(root.to_path_buf());
        state.insert("version".into(), 1.into());
        state.insert(TOWNS.into(), known.iter().map(|path| path.to_string_lossy()).collect());
        Ok(())
    })
}

/// An error about a folder outside every town, with the towns of this user in its hint. No process.
pub fn naming_towns<'a>(var: impl Fn(&str) -> Option<&'a str>, error: anyhow::Error) -> anyhow::Error {
    let state = list(var).and_then(|path| files::text(&path).ok().flatten());
    let known: files::Object = state.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let there = towns(&known).into_iter().filter(|root| found_at(root).is_some());
    let shown: Vec<String> = there.map(|root| quote(&root.to_string_lossy())).collect();
    match shown.last() {
        None => error,
        Some(last) => Failure::new(format!("{error:#}"))
            .hint(format!("your towns: {}; name one, as in: gt -C {last} status", shown.join(", ")))
            .into(),
    }
}

/// Other towns of this user with the same identity file: one is a copy of the other, and both have one id. No process.
pub fn copies<'a>(var: impl Fn(&str) -> Option<&'a str>, root: &Path) -> Vec<PathBuf> {
    let state = list(var).and_then(|path| files::text(&path).ok().flatten());
    let known: files::Object = state.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let identity = |root: &Path| files::text(&found_at(root)?.identity).ok().flatten();
    let (own, here) = (identity(root), root.canonicalize().ok());
    let is_copy =
        |other: &PathBuf| own.is_some() && other.canonicalize().ok() != here && identity(other) == own;
    towns(&known).into_iter().filter(is_copy).collect()
}

/// The rig whose repository a folder outside every town is a checkout of. One git process, when this user has a town.
///
/// # Errors
/// When several rigs have it, or the list of towns is broken.
pub fn find<'a>(var: impl Fn(&str) -> Option<&'a str>, dir: &Path) -> Result<Option<Checkout>> {
    let Some(path) = list(var).filter(|path| path.is_file()) else { return Ok(None) };
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_path_buf());
    let Some(top) = dir.ancestors().find(|dir| dir.join(".git").exists()) else { return Ok(None) };
    let towns = towns(&files::read_json(&path)?);
    if towns.is_empty() {
        return Ok(None);
    }
    let own = urls(top)?;
    let mut checkouts = Vec::new();
    for found in towns.iter().filter_map(|root| found_at(root)) {
        // A town that cannot be read is doctor's to name; it is not this one's.
        let Ok(rigs) = found.clone().town().and_then(|town| town.rigs_file()) else { continue };
        let same = rigs.rigs.iter().filter(|(_, entry)| own.contains(&plain(&entry.git_url)));
        checkouts.extend(same.map(|(rig, _)| Checkout { found: found.clone(), rig: rig.clone() }));
    }
    if checkouts.len() > 1 {
        let all: Vec<String> =
            checkouts.iter().map(|one| format!("{}/{}", one.found.root.display(), one.rig)).collect();
        return Err(Failure::usage(format!("this is a checkout of several rigs: {}", all.join(", ")))
            .hint("name the folder of one with -C: gt -C TOWN/RIG status")
            .into());
    }
    Ok(checkouts.pop())
}

/// What a repository is reached by: its own path, and the URLs of its remotes.
fn urls(top: &Path) -> Result<Vec<String>> {
    let said = Git::at(top).try_run(["config", "--get-regexp", r"^remote\..*\.url$"])?;
    let text = said.text();
    let remote = text.lines().filter_map(|line| line.split_once(' ').map(|(_, url)| url));
    // A relative path is one from the top of the repository.
    let whole = |url: &str| match top.join(url).canonicalize() {
        Ok(path) => plain(&path.to_string_lossy()),
        Err(_) => plain(url),
    };
    Ok(remote.map(whole).chain([plain(&top.to_string_lossy())]).collect())
}

/// A URL without what does not matter to where it leads: the user, `.git` and `/` at its end.
fn plain(url: &str) -> String {
    let url = url.trim_end_matches('/');
    let url = url.strip_suffix(".git").unwrap_or(url);
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let host = rest.find(['/', ':']).unwrap_or(rest.len());
    let rest = rest[..host].rfind('@').map_or(rest, |at| &rest[at + 1..]);
    if scheme.is_empty() { rest.into() } else { format!("{scheme}://{rest}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_compared_without_its_user_and_its_end() {
        for (one, other) in [
            ("https://me@host/p.git", "https://host/p"),
            ("https://host/p/", "https://host/p.git"),
            ("git@host:team/p.git", "host:team/p"),
            ("/srv/p.git", "/srv/p"),
        ] {
            assert_eq!(plain(one), plain(other));
        }
        for (one, other) in [("https://host/p", "https://host/q"), ("https://host/a@b", "https://host/b")] {
            assert_ne!(plain(one), plain(other));
        }
    }

    #[test]
    fn the_towns_of_a_user_are_remembered_until_they_are_gone() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().to_string_lossy().into_owned();
        let var = |name: &str| (name == "HOME").then_some(home.as_str());
        let town = |name: &str| {
            let root = dir.path().join(name);
            std::fs::create_dir_all(root.join("mayor")).unwrap();
            std::fs::write(root.join("mayor/town.json"), "{}").unwrap();
            root
        };
        let (one, two) = (town("one"), town("two"));
        for root in [&one, &two, &one] {
            remember(var, root).unwrap();
        }
        let known = || towns(&files::read_json(&list(var).unwrap()).unwrap());
        assert_eq!(known(), [two.clone(), one.clone()]);
        assert_eq!(copies(var, &one), std::slice::from_ref(&two));
        std::fs::write(two.join("mayor/town.json"), "{ }").unwrap();
        assert_eq!(copies(var, &one), [] as [PathBuf; 0]);
        std::fs::remove_dir_all(&two).unwrap();
        remember(var, &one).unwrap();
        assert_eq!(known(), [one]);
        assert!(remember(|_| None, &two).is_ok());
    }
}
