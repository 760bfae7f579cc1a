//! `mayor/ended`: the requests of the town that left the queue. The proof of a request holds for ever; a copy of the store, or
//! a store that bd syncs by itself, may have the request open again.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result};
use jiff::Timestamp;

use crate::base::proof::EndedIds;
use crate::base::{files, time};

/// Where it is, inside the town.
pub const FILE: &str = "mayor/ended";

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

/// What stands before a time: all that was made earlier is over, but for what was put back since.
const BEFORE: &str = "before";

/// The file of a town that has proven nothing yet, or of one that lost it: then it is not known which of the requests from
/// before left the queue, so all of them have. Nothing happens when it is there.
///
/// # Errors
/// When the disk does not take it.
pub fn begin(root: &Path) -> Result<()> {
    if !root.join(FILE).exists() {
        let is_lost = root.join(super::SECRET_FILE).exists();
        let text = if is_lost { format!("{BEFORE} {}\n", time::now()) } else { String::new() };
        files::create_private(&root.join(FILE), text)?;
    }
    Ok(())
}

/// What of the file is not as it should be: `Ok(true)` when it was lost.
///
/// # Errors
/// When it cannot be read.
pub fn is_lost(root: &Path) -> Result<bool> {
    Ok(files::text(&root.join(FILE))?.is_none() && root.join(super::SECRET_FILE).exists())
}

/// Tells of a request, by id and time of its making, whether it left the queue. The file grows with the town, and is read when it
/// is first asked: about an open request with the proof of this town. When it is not there or cannot be read then, all of them have
/// left.
pub fn over(root: &Path) -> EndedIds {
    let path = root.join(FILE);
    let read = OnceLock::new();
    Arc::new(move |id, created| {
        let ended =
            read.get_or_init(|| files::text(&path).ok().flatten().map(|text| EndedList::parse(&text)));
        ended.as_ref().is_none_or(|ended| ended.holds(id, created))
    })
}

/// What the file says.
#[derive(Default)]
struct EndedList {
    /// Of each id the last word: whether it is over.
    ids: HashMap<String, bool>,
    /// What is older is over.
    before: Option<Timestamp>,
}

impl EndedList {
    fn parse(text: &str) -> EndedList {
        let mut ended = EndedList::default();
        for (word, rest) in text.lines().filter_map(|line| line.split_once(' ')) {
            if word == BEFORE {
                // What was put back earlier is older as well.
                ended.ids.retain(|_, over| *over);
                ended.before = rest.parse().ok().max(ended.before);
            } else {
                ended.ids.insert(rest.to_string(), word == Word::Ended.as_str());
            }
        }
        ended
    }

    fn holds(&self, id: &str, created: &str) -> bool {
        let is_old = |before: Timestamp| created.parse::<Timestamp>().map_or(true, |made| made < before);
        self.ids.get(id).copied().unwrap_or_else(|| self.before.is_some_and(is_old))
    }
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
    begin(root)?;
    let path = root.join(FILE);
    let failed = || format!("cannot write {}", path.display());
    let mut file = files::open_private().append(true).open(&path).with_context(failed)?;
    file.write_all(lines.as_bytes()).with_context(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MADE: &str = "2026-01-01T00:00:00Z";

    fn town(with_secret: bool) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("mayor")).unwrap();
        if with_secret {
            std::fs::write(dir.path().join("mayor/secret"), "").unwrap();
        }
        dir
    }

    #[test]
    fn the_last_word_counts_and_an_id_is_a_whole_word() {
        let dir = town(false);
        begin(dir.path()).unwrap();
        let over = |id: &str| over(dir.path())(id, MADE);
        assert!(!over("wy-1") && !is_lost(dir.path()).unwrap());
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
    fn where_the_file_was_lost_all_that_was_made_before_is_over() {
        let dir = town(true);
        let at = |id: &str, made: &str| over(dir.path())(id, made);
        assert!(is_lost(dir.path()).unwrap() && at("wy-1", MADE) && at("wy-1", "2999-01-01T00:00:00Z"));
        note(dir.path(), Word::Ended, ["wy-9"]).unwrap();
        let later = time::now();
        assert!(!is_lost(dir.path()).unwrap());
        assert!(at("wy-1", MADE) && at("wy-1", "") && !at("wy-2", &later) && at("wy-9", &later));
        note(dir.path(), Word::Again, ["wy-1"]).unwrap();
        assert!(!at("wy-1", MADE));
    }

    #[test]
    fn the_file_is_read_when_it_is_asked_and_one_that_cannot_be_says_that_all_are_over() {
        let dir = town(false);
        let later = over(dir.path());
        note(dir.path(), Word::Ended, ["wy-1"]).unwrap();
        assert!(later("wy-1", MADE) && !later("wy-2", MADE));
        let broken = over(dir.path());
        std::fs::write(dir.path().join(FILE), [0xff, 0xfe]).unwrap();
        assert!(broken("wy-2", MADE) && is_lost(dir.path()).is_err());
    }
}
