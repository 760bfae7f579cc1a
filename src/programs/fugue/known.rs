//! Which dialect a program speaks, remembered from one run of gt to the next: asking costs a process.
//!
//! One small file in the cache folder. A program is known again by its path, size, inode and time of change, so that
//! one that was replaced is asked again. A cache that cannot be read or written is no error: the program is asked.

use crate::base::folders::Folder;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::Dialect;

/// The file, in the cache folder.
const FILE: &str = "gastown/fugue.json";
/// More programs than a person has: then the file begins anew.
const MOST: usize = 32;

/// One program: its size, inode and time of change in nanoseconds, and what it speaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ProgramEntry {
    size: u64,
    inode: u64,
    changed_ns: i128,
    dialect: Option<String>,
}

type Entries = BTreeMap<String, ProgramEntry>;

/// The program's dialect, or none for one that takes no commands of fugue's.
///
/// # Errors
/// When the program cannot be started.
pub fn dialect(program: &Path, cache: Option<&Path>) -> Result<Option<Dialect>> {
    let identity = std::fs::metadata(program).ok().map(|about| {
        (
            about.size(),
            about.ino(),
            i128::from(about.mtime()) * 1_000_000_000 + i128::from(about.mtime_nsec()),
        )
    });
    let key = program.to_string_lossy().into_owned();
    let mut entries = cache.map(read).unwrap_or_default();
    if let (Some(entry), Some(identity)) = (entries.get(&key), identity)
        && (entry.size, entry.inode, entry.changed_ns) == identity
    {
        return Ok(entry.dialect.as_deref().and_then(parse));
    }
    let dialect = super::ask(program)?;
    if let (Some((size, inode, changed_ns)), Some(cache)) = (identity, cache) {
        if entries.len() >= MOST {
            entries.clear();
        }
        let dialect = dialect.map(|dialect| name(dialect).to_string());
        entries.insert(key, ProgramEntry { size, inode, changed_ns, dialect });
        write(cache, &entries);
    }
    Ok(dialect)
}

fn name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Client => "client",
        Dialect::Compat => "compat",
    }
}

fn parse(name: &str) -> Option<Dialect> {
    [Dialect::Client, Dialect::Compat].into_iter().find(|dialect| self::name(*dialect) == name)
}

/// `$XDG_CACHE_HOME/gastown/fugue.json`, else in `~/.cache`.
pub fn file() -> Option<PathBuf> {
    Some(Folder::Cache.find(|name| std::env::var_os(name))?.join(FILE))
}

fn read(path: &Path) -> Entries {
    let text = crate::base::files::bytes(path).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// Beside its place and renamed: two that write at once leave one whole file. What fails costs a process next time.
fn write(path: &Path, entries: &Entries) {
    let written = || -> Option<()> {
        let folder = path.parent()?;
        std::fs::create_dir_all(folder).ok()?;
        let file = tempfile::NamedTempFile::new_in(folder).ok()?;
        serde_json::to_writer(&file, entries).ok()?;
        file.persist(path).ok()?;
        Some(())
    };
    let _ = written();
}
