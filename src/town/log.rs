//! A log of bounded size: the file, and a few older ones beside it.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::base::files;

/// A file of this many bytes becomes the first of the older ones.
const LARGE: u64 = 10 * 1024 * 1024;

/// How many older ones are kept.
const OLDER: u32 = 4;

/// A log that is written to by this process, and by programs that it hands the file to.
pub struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    /// Opens it at its end.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(path: PathBuf) -> Result<Log> {
        turn(&path);
        let file = files::open_private()
            .append(true)
            .create(true)
            .open(&path)
            .with_context(|| format!("cannot open {}", path.display()))?;
        Ok(Log { path, file })
    }

    /// Writes a line. A log that cannot be written keeps nothing from being done.
    pub fn write(&mut self, line: &str) {
        if self.file.metadata().is_ok_and(|file| file.len() > LARGE)
            && let Ok(next) = Log::open(self.path.clone())
        {
            *self = next;
        }
        let _ = self.file.write_all(format!("{line}\n").as_bytes());
    }

    /// The file, for a program to write to.
    ///
    /// # Errors
    /// When the handle cannot be copied.
    pub fn file(&mut self) -> Result<File> {
        Ok(self.file.try_clone()?)
    }
}

/// Puts a large log aside.
fn turn(path: &std::path::Path) {
    if !std::fs::metadata(path).is_ok_and(|file| file.len() > LARGE) {
        return;
    }
    let older = |number: u32| PathBuf::from(format!("{}.{number}", path.display()));
    for number in (1..OLDER).rev() {
        let _ = std::fs::rename(older(number), older(number + 1));
    }
    let _ = std::fs::rename(path, older(1));
}
