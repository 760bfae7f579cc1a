//! Names and tokens that stand in the URLs of the town's files, from before gt left them out.

use std::path::Path;

use anyhow::Result;
use serde_json::Value;

use crate::base::{files, repo_url};
use crate::programs::git::{Git, credentials};

/// Where the settings of a clone are, inside of it.
const CLONE: &str = ".git/config";

/// Files with such a URL, by their path inside the town: the list of rigs, their settings, the copies of those, and the settings
/// of the clones, of what leads to the rig's own repository. No process.
///
/// # Errors
/// When a folder cannot be listed.
pub fn find(town: &Path) -> Result<Vec<String>> {
    let names = files::names_in(town)?;
    let rigs = names.iter().map(|name| format!("{name}/config.json"));
    let copies = files::names_in(&town.join("mayor/exports"))?.into_iter();
    let copies = copies.filter(|name| name.ends_with(".json")).map(|name| format!("mayor/exports/{name}"));
    let all = std::iter::once("mayor/rigs.json".to_string()).chain(rigs).chain(copies);
    // What cannot be read is said elsewhere.
    let text = |path: &str| files::text(&town.join(path)).ok().flatten().unwrap_or_default();
    let has_secret = |path: &String| {
        let value: Value = serde_json::from_str(&text(path)).unwrap_or_default();
        urls(&value).iter().any(|(_, url)| repo_url::plain(url) != *url)
    };
    let mut found: Vec<String> = all.filter(has_secret).collect();
    for rig in names.into_iter().filter(|name| town.join(name).join("mayor/rig").is_dir()) {
        let crew =
            files::names_in(&town.join(&rig).join("crew"))?.into_iter().map(|name| format!("crew/{name}"));
        for clone in crew.chain(["mayor/rig", "refinery/rig"].map(String::from)) {
            let path = format!("{rig}/{clone}/{CLONE}");
            if !lines_with_secret(&town.join(&rig), &text(&path)).is_empty() {
                found.push(path);
            }
        }
    }
    Ok(found)
}

/// The URLs with a user part in the settings of a clone that lead to the repository of the rig in `root`.
fn lines_with_secret(root: &Path, config: &str) -> Vec<String> {
    let url = |line: &str| {
        let (key, value) = line.split_once('=')?;
        ["url", "pushurl"].contains(&key.trim()).then(|| value.trim().to_string())
    };
    let mut found: Vec<String> =
        config.lines().filter_map(url).filter(|url| repo_url::plain(url) != *url).collect();
    if !found.is_empty() {
        // Other remotes are the person's.
        let file = files::read_json::<Value>(&root.join("config.json")).unwrap_or_default();
        let own = file["git_url"].as_str().map(repo_url::plain);
        found.retain(|url| own == Some(repo_url::plain(url)));
    }
    found
}

/// Takes the user part out of the URLs of a clone, once git has it.
fn fix_clone(root: &Path, path: &Path, clone: &Path) -> Result<()> {
    let mut text = files::read(path)?;
    let urls = lines_with_secret(root, &text);
    for url in &urls {
        if let Some(credential) = repo_url::credential(url)
            && credentials::of_rig(root).is_none()
        {
            credentials::keep(root, &credential)?;
            text = files::read(path)?;
        }
        text = text.replace(url, &repo_url::plain(url));
    }
    files::write(path, text)?;
    match urls.first() {
        Some(url) => Git::at(clone).use_credential(root, &repo_url::plain(url)),
        None => Ok(()),
    }
}

/// Takes the user part out of the URLs of a file, once git has it.
///
/// # Errors
/// When something cannot be read or written: the file is as it was then.
pub fn fix(town: &Path, path: &Path) -> Result<()> {
    if let (true, Some(clone)) = (path.ends_with(CLONE), path.parent().and_then(Path::parent))
        && let Some(root) = clone.parent().and_then(Path::parent)
    {
        return fix_clone(root, path, clone);
    }
    let text = files::read(path)?;
    let value: Value = files::parse_json(path, &text)?;
    let mut clean = text.clone();
    for (name, url) in urls(&value) {
        let root = town.join(name);
        if let Some(credential) = repo_url::credential(url).filter(|_| root.join("mayor/rig/.git").is_dir())
            && credentials::of_rig(&root).is_none()
        {
            credentials::keep(&root, &credential)?;
        }
        clean = clean.replace(&Value::from(url).to_string(), &Value::from(repo_url::plain(url)).to_string());
    }
    files::write(path, clean)
}

/// The URLs of rigs in one of the town's files, each with the name of its rig.
fn urls(file: &Value) -> Vec<(&str, &str)> {
    let listed = file["rigs"].as_object().into_iter().flatten().map(|(name, rig)| (name.as_str(), rig));
    let own = file["name"].as_str().map(|name| (name, file));
    listed.chain(own).filter_map(|(name, rig)| Some((name, rig["git_url"].as_str()?))).collect()
}
