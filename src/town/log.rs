//! A log of bounded size: the file, and a few older ones beside it.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

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
        // A FIFO, which would block the call, is refused.
        let file = files::open_private()
            .append(true)
            .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed())
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

    /// The file and the older ones beside it that are there, the oldest first.
    pub fn all(path: &Path) -> Vec<PathBuf> {
        let older = (1..=OLDER).rev().map(|number| older(path, number));
        older.chain([path.to_path_buf()]).filter(|path| path.exists()).collect()
    }

    /// The file, for a program to write to.
    ///
    /// # Errors
    /// When the handle cannot be copied.
    pub fn file(&mut self) -> Result<File> {
        Ok(self.file.try_clone()?)
    }
}

fn older(path: &Path, number: u32) -> PathBuf {
    PathBuf::from(format!("{}.{number}", path.display()))
}

/// Puts a large log aside. Of two programs that find it large one does.
fn turn(path: &Path) {
    let large = || std::fs::metadata(path).is_ok_and(|file| file.len() > LARGE);
    if !large() {
        return;
    }
    let Ok(Some(_lock)) = files::try_lock(&files::lock_of(path)) else { return };
    if !large() {
        return;
    }
    for number in (1..OLDER).rev() {
        let _ = std::fs::rename(older(path, number), older(path, number + 1));
    }
    let _ = std::fs::rename(path, older(path, 1));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_would_block_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success() && Log::open(path).is_err());
    }

    #[test]
    fn a_large_log_is_put_aside_and_the_oldest_goes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        for number in 0..7 {
            let file = File::create(&path).unwrap();
            file.set_len(LARGE + 1).unwrap();
            let mut log = Log::open(path.clone()).unwrap();
            log.write(&format!("line {number}"));
        }
        let all = Log::all(&path);
        assert_eq!(all.len(), 5);
        assert_eq!(
            (all[0].as_path(), all[4].as_path()),
            (dir.path().join("log.4").as_path(), path.as_path())
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "line 6\n");
    }
}
