//! Files that are read once.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;

use crate::base::files;

/// The texts of files, shared by its clones. Files are replaced as a whole: another file of that name is read again.
#[derive(Clone, Debug, Default)]
pub struct Reads(Arc<Mutex<HashMap<PathBuf, ReadFile>>>);

type ReadFile = (FileVersion, Arc<str>);

/// What changes when a file is replaced or written: device, inode, size, and its last change in seconds and nanoseconds.
type FileVersion = (u64, u64, u64, i64, i64);

#[cfg(test)]
thread_local! {
    /// How many files were read.
    pub(crate) static READ: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

impl Reads {
    /// The text of a file, read when it was not read before or is another one by now.
    ///
    /// # Errors
    /// As [`files::read`].
    pub fn text(&self, path: &Path) -> Result<Arc<str>> {
        let version = std::fs::metadata(path)
            .map(|file| (file.dev(), file.ino(), file.size(), file.ctime(), file.ctime_nsec()));
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Ok(version), Some((own, text))) = (&version, known().get(path))
            && own == version
        {
            return Ok(text.clone());
        }
        let text: Arc<str> = files::read(path)?.into();
        #[cfg(test)]
        READ.set(READ.get() + 1);
        if let Ok(version) = version {
            known().insert(path.into(), (version, text.clone()));
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_again_only_when_it_is_another() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let (reads, write) = (Reads::default(), |text: &str| files::write(&path, text).unwrap());
        assert!(reads.text(&path).is_err());
        write("one");
        let one = reads.clone().text(&path).unwrap();
        assert!(Arc::ptr_eq(&one, &reads.text(&path).unwrap()));
        write("two");
        assert_eq!((&*one, &*reads.text(&path).unwrap()), ("one", "two"));
        std::fs::remove_file(&path).unwrap();
        assert!(reads.text(&path).is_err());
    }
}
