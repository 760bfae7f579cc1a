//! Following a file that grows.

use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use crate::base::{files, terminal};

/// How often a file is read for more.
const TICK: Duration = Duration::from_millis(300);

/// Gives each whole line that is added to a file behind byte `at`, with its end, until standard output is closed. `path` says
/// which file that is now; one that is shorter than before was replaced, and is read from its start.
///
/// # Errors
/// A file that cannot be read; those of `say`.
pub fn lines(
    path: impl Fn() -> Option<PathBuf>,
    mut at: u64,
    mut say: impl FnMut(&str) -> Result<()>,
) -> Result<()> {
    while !terminal::is_abandoned() {
        std::thread::sleep(TICK);
        let Some(path) = path() else { continue };
        let mut file = files::open(&path)?;
        at = if file.metadata()?.len() < at { 0 } else { at };
        file.seek(SeekFrom::Start(at))?;
        let (mut reader, mut line) = (BufReader::new(file), String::new());
        while reader.read_line(&mut line)? > 0 && line.ends_with('\n') {
            at += u64::try_from(line.len())?;
            say(&line)?;
            line.clear();
        }
    }
    Ok(())
}
