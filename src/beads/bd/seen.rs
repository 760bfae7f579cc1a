//! What a read showed, kept for the write that follows it: when nothing was written in between, the write needs no look.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::programs::bd::Version;

/// A longer answer is not kept.
const LONGEST: usize = 8 << 20;

/// The index of the journal.
const INDEX: &str = "journal.idx";

/// A file up to this size is compared by what is in it.
const SMALL: u64 = 4 << 10;

/// The path of a file, its size, and what else tells of a change.
type FileState = (PathBuf, u64, Vec<u8>);

/// The files that any write to a store changes, as they are.
///
/// A read of bd 1.0 writes files anew as they were: they are compared by size and, small ones, by what is in them. The journal
/// only grows, and the manifest holds the hash of all. The journal's index says nothing of its own, and a read may shorten it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files(Vec<FileState>);

impl Files {
    /// Those of the store in `dir`; `None` when they do not tell of every write: another machine or a server keeps the
    /// beads, or (before 1.0) a daemon writes them down later.
    pub fn of(dir: &Path, version: Version) -> Option<Files> {
        let mut files = Vec::new();
        let has = |name: &str| dir.join(name).symlink_metadata().is_ok();
        if version.is_whole() {
            let settings = std::fs::read_to_string(dir.join("metadata.json")).ok()?;
            if has("redirect") || settings.contains("server") {
                return None;
            }
            collect(&dir.join("embeddeddolt"), &mut files).ok()?;
        } else {
            let settings = std::fs::read_to_string(dir.join("config.yaml")).unwrap_or_default();
            let off = |line: &str| line.trim_start().starts_with("no-") && line.contains("true");
            let daemon = ["redirect", "bd.sock", "daemon.pid"];
            if daemon.into_iter().any(has) || settings.lines().any(off) {
                return None;
            }
            let path = dir.join("issues.jsonl");
            let about = path.metadata().ok()?;
            let stamp = format!("{} {} {}", about.ino(), about.mtime(), about.mtime_nsec());
            files.push((path, about.size(), stamp.into()));
        }
        files.sort();
        (!files.is_empty()).then_some(Files(files))
    }
}

fn collect(dir: &Path, files: &mut Vec<FileState>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), files)?;
        } else if entry.file_name() != INDEX {
            let size = entry.metadata()?.len();
            let text = if size <= SMALL { std::fs::read(entry.path())? } else { Vec::new() };
            files.push((entry.path(), size, text));
        }
    }
    Ok(())
}

/// An answer of bd's, and the files that it was read from.
#[derive(Debug)]
pub struct SeenAnswer {
    files: Files,
    answer: String,
    /// Whether this process created the beads: they have no comments yet, which a list would leave out.
    pub whole: bool,
}

impl SeenAnswer {
    /// Keeps an answer, when its call shows beads as a look does and nothing was written while it ran.
    pub fn keep(
        version: Version,
        words: &[String],
        before: Option<Files>,
        after: Option<Files>,
        answer: &str,
    ) -> Option<SeenAnswer> {
        let first = words.first()?;
        let is_look = first == "list" || (first == "export" && !version.is_whole());
        let files = before.filter(|before| is_look && after.as_ref() == Some(before))?;
        (answer.len() <= LONGEST).then(|| SeenAnswer { files, answer: answer.into(), whole: false })
    }

    /// Keeps the beads that a call created, as JSONL, with the files as they are after it.
    pub fn created(answer: String, after: Option<Files>) -> Option<SeenAnswer> {
        after.filter(|_| !answer.is_empty()).map(|files| SeenAnswer { files, answer, whole: true })
    }

    /// The answer, when nothing was written since.
    pub fn answer(&self, now: Option<Files>) -> Option<&str> {
        (Some(&self.files) == now.as_ref()).then_some(&self.answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: Version = Version(1, 0, 5);
    const BEFORE: Version = Version(0, 46, 0);

    #[test]
    fn a_write_in_between_is_noticed_and_what_would_hide_one_is_not_trusted() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path();
        let write = |name: &str, text: &str| std::fs::write(dir.join(name), text).unwrap();
        assert_eq!((Files::of(dir, WHOLE), Files::of(dir, BEFORE)), (None, None));
        std::fs::create_dir_all(dir.join("embeddeddolt/wy")).unwrap();
        write("metadata.json", "{\"dolt_mode\":\"embedded\"}");
        write("embeddeddolt/wy/journal", "1");
        write("issues.jsonl", "1");
        for (version, file) in [(WHOLE, "embeddeddolt/wy/journal"), (BEFORE, "issues.jsonl")] {
            let words = [if version == WHOLE { "list" } else { "export" }.to_string()];
            let seen = || {
                let now = || Files::of(dir, version);
                SeenAnswer::keep(version, &words, now(), now(), "[]").unwrap()
            };
            assert_eq!(seen().answer(Files::of(dir, version)), Some("[]"));
            if version == WHOLE {
                // A read does that.
                let earlier = seen();
                std::fs::remove_file(dir.join(file)).unwrap();
                write(file, "1");
                write("embeddeddolt/wy/journal.idx", "shorter");
                assert!(earlier.answer(Files::of(dir, version)).is_some());
            }
            let earlier = (seen(), Files::of(dir, version));
            write(file, "12");
            assert_eq!(earlier.0.answer(Files::of(dir, version)), None);
            assert!(SeenAnswer::keep(version, &words, earlier.1, Files::of(dir, version), "[]").is_none());
            assert!(
                SeenAnswer::keep(
                    version,
                    &["show".into()],
                    Files::of(dir, version),
                    Files::of(dir, version),
                    ""
                )
                .is_none()
            );
        }
        write("metadata.json", "{\"dolt_mode\":\"server\"}");
        assert_eq!(Files::of(dir, WHOLE), None);
        write("config.yaml", "# no-db: true\nno-auto-flush: true\n");
        assert_eq!(Files::of(dir, BEFORE), None);
        write("config.yaml", "# no-db: true\n");
        assert!(Files::of(dir, BEFORE).is_some());
        write("bd.sock", "");
        assert_eq!(Files::of(dir, BEFORE), None);
    }
}
