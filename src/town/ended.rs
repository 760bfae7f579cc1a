//! `mayor/ended`: the requests of the town that left the queue. The proof of a request holds for ever; a copy of the store, or
//! a store that bd syncs by itself, may have the request open again.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};

use crate::base::files;

/// Where it is, inside the town.
const FILE: &str = "mayor/ended";

/// What a line says of the id after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// It left the queue.
    Ended,
    /// A person, or an agent of this town, put it back.
    Again,
}

impl Word {
    fn as_str(self) -> &'static str {
        match self {
            Word::Ended => "ended",
            Word::Again => "again",
        }
    }
}

/// The text of the file; empty when there is none.
///
/// # Errors
/// When it cannot be read: nothing is proven then.
pub fn read(root: &Path) -> Result<String> {
    Ok(files::text(&root.join(FILE))?.unwrap_or_default())
}

/// Whether a request is over, by that text.
pub fn contains(text: &str, id: &str) -> bool {
    let mut lines = text.lines().rev().filter_map(|line| line.split_once(' '));
    lines.find(|(_, own)| *own == id).is_some_and(|(word, _)| word == Word::Ended.as_str())
}

/// Adds lines at the end of the file, in one write.
///
/// # Errors
/// When the disk does not take them.
pub fn note<'a>(root: &Path, word: Word, ids: impl IntoIterator<Item = &'a str>) -> Result<()> {
    let lines: String = ids.into_iter().map(|id| format!("{} {id}\n", word.as_str())).collect();
    if lines.is_empty() {
        return Ok(());
    }
    let path = root.join(FILE);
    let failed = || format!("cannot write {}", path.display());
    let mut file = files::open_private().append(true).open(&path).with_context(failed)?;
    file.write_all(lines.as_bytes()).with_context(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_counts_and_an_id_is_a_whole_word() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("mayor")).unwrap();
        assert_eq!(read(dir.path()).unwrap(), "");
        let over = |id: &str| contains(&read(dir.path()).unwrap(), id);
        note(dir.path(), Word::Ended, ["wy-1", "wy-12"]).unwrap();
        assert!(over("wy-1") && over("wy-12") && !over("wy-2") && !over("y-1") && !over(""));
        note(dir.path(), Word::Again, ["wy-1"]).unwrap();
        assert!(!over("wy-1") && over("wy-12"));
        note(dir.path(), Word::Ended, ["wy-1"]).unwrap();
        assert!(over("wy-1"));
    }
}
