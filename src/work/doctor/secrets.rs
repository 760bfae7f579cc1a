//! Names and tokens that stand in the URLs of the town's files, from before gt left them out.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::Value;

use crate::programs::git::credentials;
use crate::repo_url;
use crate::town::files;

/// Files with such a URL, by their path inside the town: the list of rigs, their settings and the copies of those. No
/// process.
///
/// # Errors
/// When a folder cannot be listed.
pub fn find(town: &Path) -> Result<Vec<String>> {
    let rigs = files::names_in(town)?.into_iter().map(|name| format!("{name}/config.json"));
    let copies = files::names_in(&town.join("mayor/exports"))?.into_iter();
    let copies = copies.filter(|name| name.ends_with(".json")).map(|name| format!("mayor/exports/{name}"));
    let all = std::iter::once("mayor/rigs.json".to_string()).chain(rigs).chain(copies);
    // What cannot be read is said elsewhere.
    let text = |path: &str| files::text(&town.join(path)).ok().flatten().unwrap_or_default();
    let has_secret = |path: &String| matches!(repo_url::redacted(&text(path)), std::borrow::Cow::Owned(_));
    Ok(all.filter(has_secret).collect())
}

/// Takes the user part out of the URLs of a file, once git has it.
///
/// # Errors
/// When something cannot be read or written: the file is as it was then.
pub fn fix(town: &Path, path: &Path) -> Result<()> {
    let text = files::read(path)?;
    let value: Value = files::parse_json(path, &text)?;
    let listed = value["rigs"].as_object().into_iter().flatten().map(|(name, rig)| (name.clone(), rig));
    let own = value["name"].as_str().map(|name| (name.to_string(), &value));
    for (name, rig) in listed.chain(own) {
        let root: PathBuf = town.join(name);
        let credential = rig["git_url"].as_str().and_then(repo_url::credential);
        if let Some(credential) = credential.filter(|_| root.join("mayor/rig/.git").is_dir())
            && credentials::of_rig(&root).is_none()
        {
            credentials::keep(&root, &credential)?;
        }
    }
    files::write(path, repo_url::plain(&text))
}
