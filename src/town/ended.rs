//! `mayor/ended`: the requests of the town that left the queue. The proof of a request holds for ever; a copy of the store, or
//! a store that bd syncs by itself, may have the request open again.

use std::collections::HashSet;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result};

use crate::base::files;
use crate::base::proof::EndedIds;

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

/// The file of a town that has proven nothing yet: from then on, one that is not there was lost.
///
/// # Errors
/// When the disk does not take it.
pub fn begin(root: &Path) -> Result<()> {
    files::create_private(&root.join(FILE), String::new()).map(drop)
}

/// Whether the file was lost: then it is not known which of the requests that are open in a copy left the queue.
pub fn is_lost(root: &Path) -> bool {
    !root.join(FILE).exists()
}

/// Tells of a request whether it left the queue. The file grows with the town, and is read when it is first asked: about an open
/// request with the proof of this town. When that fails then, all of them have left.
///
/// # Errors
/// When it cannot be opened: nothing is proven then.
pub fn over(root: &Path) -> Result<EndedIds> {
    let path = root.join(FILE);
    match File::open(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(files::error_of(error, format!("cannot read {}", path.display())));
        }
        _ => {}
    }
    let ids = OnceLock::new();
    Ok(Arc::new(move |id| {
        match ids.get_or_init(|| files::text(&path).ok().map(|text| ended(&text.unwrap_or_default()))) {
            Some(ids) => ids.contains(id),
            None => true,
        }
    }))
}

/// Of each id the last word counts.
fn ended(text: &str) -> HashSet<String> {
    let mut ids = HashSet::new();
    for (word, id) in text.lines().filter_map(|line| line.split_once(' ')) {
        if word == Word::Ended.as_str() {
            ids.insert(id.to_string());
        } else {
            ids.remove(id);
        }
    }
    ids
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
        let over = |id: &str| over(dir.path()).unwrap()(id);
        assert!(!over("wy-1") && is_lost(dir.path()));
        begin(dir.path()).unwrap();
        assert!(!over("wy-1") && !is_lost(dir.path()));
        note(dir.path(), Word::Ended, ["wy-1", "wy-12"]).unwrap();
        assert!(over("wy-1") && over("wy-12") && !over("wy-2") && !over("y-1") && !over(""));
        note(dir.path(), Word::Again, ["wy-1"]).unwrap();
        assert!(!over("wy-1") && over("wy-12"));
        note(dir.path(), Word::Ended, ["wy-1"]).unwrap();
        assert!(over("wy-1"));
        begin(dir.path()).unwrap();
        assert!(over("wy-1"), "what stands there stays");
    }

    #[test]
    fn the_file_is_read_when_it_is_asked_and_one_that_cannot_be_says_that_all_are_over() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("mayor")).unwrap();
        let later = over(dir.path()).unwrap();
        note(dir.path(), Word::Ended, ["wy-1"]).unwrap();
        assert!(later("wy-1") && !later("wy-2"));
        let broken = over(dir.path()).unwrap();
        std::fs::write(dir.path().join(FILE), [0xff, 0xfe]).unwrap();
        assert!(broken("wy-2"));
    }
}
