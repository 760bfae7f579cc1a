//! Work that is on another machine, as far as it was pushed: its branch at origin.

use anyhow::Result;

use crate::base::failure::Failure;
use crate::programs::git::Git;
use crate::town::away::{self, Record};
use crate::town::{Rig, Town};

/// What the town remembers of a polecat that is elsewhere, and where it works there.
///
/// # Errors
/// When the records cannot be read.
pub fn place(town: &Town, address: &str) -> Result<Option<(Record, String)>> {
    let record = away::read(town)?.remove(address);
    Ok(record.map(|record| {
        let path = match address.split_once('/') {
            Some((rig, name)) => format!("{}/{rig}/polecats/{name}", record.town),
            None => record.town.clone(),
        };
        (record, path)
    }))
}

/// The branch of a polecat elsewhere and its commit at origin, which is in the canonical clone then.
///
/// # Errors
/// When it was not pushed yet, or origin cannot be read.
pub fn commit(rig: &Rig, name: &str, record: &Record) -> Result<(String, String)> {
    let git = Git::at(rig.clone_dir());
    let branch = record.branch_of(name).to_string();
    let full = format!("refs/heads/{branch}");
    let found = git.origin_refs(&[&full])?.into_iter().find(|(own, _)| *own == full);
    let Some((_, commit)) = found else {
        return Err(Failure::new(format!(
            "the work of {}/{name} is on {}, and nothing of it was pushed yet",
            rig.name, record.remote
        ))
        .hint(format!("see what it does with: gt attach {}/{name}", rig.name))
        .into());
    };
    if git.commit_of(&commit)?.is_none() {
        git.bring_refs(&branch, &[&full])?;
    }
    Ok((branch, commit))
}
