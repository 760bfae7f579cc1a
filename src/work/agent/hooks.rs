//! Files of gt's own in an agent's folder (`files` of the runtime), through which its program's hooks reach `gt hook-event`.

use std::path::Path;

use anyhow::{Context, Result};

use crate::config::schema::OwnFile;
use crate::programs::git::Git;
use crate::town::within::Within;
use crate::work::polecat::bringing;

/// The lines that keep out of git those that [`write`] will write into a folder.
///
/// # Errors
/// A link that leads out of the folder on the way there.
pub fn lines(files: &[OwnFile], dir: &Path) -> Result<Vec<String>> {
    let within = Within::new(dir)?;
    let missing = files
        .iter()
        .map(|file| Path::new(&file.path))
        .filter(|name| dir.join(name).symlink_metadata().is_err());
    missing.map(|name| Ok(bringing::line(&within.resolve(name)?))).collect()
}

/// Writes them into an agent's folder. What is there already, a project's or a person's own, stays.
///
/// # Errors
/// When a file cannot be written, or a link leads out of the folder on the way there.
pub fn write(files: &[OwnFile], dir: &Path) -> Result<()> {
    for OwnFile { path, text } in files {
        if dir.join(path).symlink_metadata().is_err() {
            Within::new(dir)?.write(Path::new(path), text.as_bytes())?;
        }
    }
    Ok(())
}

/// The same for a folder that is a whole clone, or none: git does not see the files there either.
///
/// # Errors
/// As [`write`].
pub fn write_untracked(files: &[OwnFile], dir: &Path) -> Result<()> {
    if files.is_empty() {
        return Ok(());
    }
    if dir.join(".git").exists() {
        Git::at(dir).exclude(&lines(files, dir)?)?;
    }
    write(files, dir)
}

/// Brings those of a folder that is gone on with up to date: its permissions may have changed. What is not gt's own stays. `clone`
/// has the list of what git does not see.
///
/// # Errors
/// As [`write`].
pub fn refresh(files: &[OwnFile], dir: &Path, clone: &Path) -> Result<()> {
    let is_old = |file: &OwnFile| {
        std::fs::read_to_string(dir.join(&file.path)).is_ok_and(|text| is_gts(&text) && text != file.text)
    };
    for file in files.iter().filter(|file| is_old(file)) {
        let path = dir.join(Within::new(dir)?.resolve(Path::new(&file.path))?);
        std::fs::remove_file(&path).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Git::at(clone).exclude(&lines(files, dir)?)?;
    write(files, dir)
}

/// Whether `name` in an agent's folder is one of them as gt wrote it, or the folder of that file alone. Only hooks of gt's own
/// call `gt hook-event`.
pub fn is_own(dir: &Path, name: &str) -> bool {
    let path = dir.join(name.trim_end_matches('/'));
    match crate::base::files::names_in(&path) {
        Ok(within) => !within.is_empty() && within.iter().all(|name| is_own(&path, name)),
        Err(_) => std::fs::read_to_string(path).is_ok_and(|text| is_gts(&text)),
    }
}

/// Whether a text is of gt's own.
fn is_gts(text: &str) -> bool {
    text.ends_with("# Written by gt.") || text.contains("gt hook-event")
}
