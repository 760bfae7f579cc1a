//! Files written whole or not at all, read strictly, and locked while they change.

pub mod locks;
use std::fs::{File, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::base::failure::Failure;
use crate::base::nearest;
use crate::base::quote::quote;

pub use crate::base::files::locks::{Lock, holder_of, lock, lock_folder, try_lock};

/// What the names of gt's half-made files and folders begin with. Whoever makes one holds a lock on it (for a
/// folder: on [`ASIDE_LOCK`] inside), so that a leftover can be told from work that goes on.
pub const ASIDE: &str = ".gt-new-";

/// What the names of folders begin with that are on their way out.
pub const LEAVING: &str = ".gt-old-";

/// The file inside a folder built aside whose lock says that its maker is alive.
pub const ASIDE_LOCK: &str = ".gt-making";

/// Writes a file whole or not at all: a temporary neighbour, synced and renamed, and the folder synced. A file that
/// is replaced keeps its permissions, a new one can be read by its owner alone.
///
/// # Errors
/// When the disk does not take it; what stood there still stands then, and nothing is left beside it.
pub fn write(path: &Path, bytes: impl AsRef<[u8]>) -> Result<()> {
    write_with(path, |out| Ok(out.write_all(bytes.as_ref())?))
}

/// The same, with what `fill` writes, which need not be held in memory.
///
/// # Errors
/// As [`write()`], and those of `fill`.
pub fn write_with(path: &Path, fill: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let failed = || format!("cannot write {}", path.display());
    let dir = path.parent().unwrap_or(Path::new("."));
    let mode = match std::fs::metadata(path) {
        Ok(found) => found.permissions(),
        Err(_) => Permissions::from_mode(0o600),
    };
    let draft = draft(dir, fill, mode, &failed)?;
    draft.persist(path).map_err(|error| error_of(error.error, failed()))?;
    sync_dir(dir)
}

/// Writes a file that its owner alone can read, whole, where none stands. Gives whether it did: one that stands there
/// stays as it is.
///
/// # Errors
/// When the disk does not take it; nothing is left then.
pub fn create_private(path: &Path, bytes: impl AsRef<[u8]>) -> Result<bool> {
    let failed = || format!("cannot create {}", path.display());
    let dir = path.parent().unwrap_or(Path::new("."));
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    let fill = |out: &mut dyn Write| Ok(out.write_all(bytes.as_ref())?);
    match draft(dir, fill, mode, &failed)?.persist_noclobber(path) {
        Ok(_) => sync_dir(dir).map(|()| true),
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error_of(error.error, failed())),
    }
}

/// A file beside its place, written and synced. The lock says that its maker is alive.
fn draft(
    dir: &Path,
    fill: impl FnOnce(&mut dyn Write) -> Result<()>,
    mode: std::fs::Permissions,
    failed: &impl Fn() -> String,
) -> Result<tempfile::NamedTempFile> {
    let draft = tempfile::Builder::new()
        .prefix(ASIDE)
        .permissions(mode)
        .tempfile_in(dir)
        .map_err(|error| error_of(error, failed()))?;
    draft.as_file().lock().with_context(failed)?;
    let mut out = std::io::BufWriter::new(draft.as_file());
    fill(&mut out).and_then(|()| Ok(out.flush()?)).map_err(|error| match error.downcast() {
        Ok(error) => error_of(error, failed()),
        Err(error) => error,
    })?;
    drop(out);
    draft.as_file().sync_all().map_err(|error| error_of(error, failed()))?;
    Ok(draft)
}

/// Writes a value as JSON people can read, whole or not at all.
///
/// # Errors
/// As [`write()`].
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value)
        .with_context(|| format!("cannot write {} as JSON", path.display()))?;
    write(path, text + "\n")
}

/// Changes a JSON object under the lock of its file: reads it again, changes it, and writes it when something changed. A
/// file that is not there is an empty object. The change must not take long.
///
/// # Errors
/// When the file cannot be read (then it is left as it is) or written.
pub fn change_json<T>(path: &Path, change: impl FnOnce(&mut Object) -> Result<T>) -> Result<T> {
    let _lock = lock(&lock_of(path))?;
    let before: Object = if path.exists() { read_json(path)? } else { Object::new() };
    let mut object = before.clone();
    let answer = change(&mut object)?;
    if object != before {
        write_json(path, &object)?;
    }
    Ok(answer)
}

/// A JSON object whose keys are not all gt's.
pub type Object = serde_json::Map<String, serde_json::Value>;

/// The lock of a state file.
pub fn lock_of(path: &Path) -> std::path::PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(".lock");
    name.into()
}

/// Makes a folder, and those above it, that only its owner can look into; one that is there stays as it is.
///
/// # Errors
/// When the file system refuses.
pub fn make_dir(dir: &Path) -> Result<()> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|error| error_of(error, format!("cannot make {}", dir.display())))
}

/// Whether other users of the machine have any right on what stands there.
pub fn is_shared(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
}

/// Takes the rights of other users on a folder away.
///
/// # Errors
/// When it is not the caller's, or gone.
pub fn make_private(dir: &Path) -> Result<()> {
    let failed = |error| error_of(error, format!("cannot change the rights on {}", dir.display()));
    let mode = std::fs::metadata(dir).map_err(failed)?.permissions().mode();
    std::fs::set_permissions(dir, Permissions::from_mode(mode & 0o700)).map_err(failed)
}

/// How a file is opened for writing that is made, for its owner alone, when it is not there. What is in it stays.
pub fn open_private() -> std::fs::OpenOptions {
    let mut options = File::options();
    options.write(true).create(true).truncate(false).mode(0o600);
    options
}

/// Makes what was renamed into or out of a folder last through a power cut.
///
/// # Errors
/// When the folder cannot be opened.
pub fn sync_dir(dir: &Path) -> Result<()> {
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let opened = File::open(dir).with_context(|| format!("cannot open {}", dir.display()))?;
    // Some file systems cannot sync a folder and say so; the rename itself has happened.
    let _ = opened.sync_all();
    Ok(())
}

/// Largest file of settings or state that is read, in bytes.
const LARGEST: u64 = 16 << 20;

/// Opens a file for reading. A FIFO, which would block the call, a device or a folder is refused.
///
/// # Errors
/// Those of the file system, and a path that is no regular file.
pub fn open(path: &Path) -> std::io::Result<File> {
    let flags = (rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY).bits();
    let file = File::options().read(true).custom_flags(flags.cast_signed()).open(path)?;
    let kind = file.metadata()?.file_type();
    match kind.is_file() {
        true => Ok(file),
        false if kind.is_dir() => Err(std::io::Error::new(ErrorKind::IsADirectory, "it is a folder")),
        false => Err(std::io::Error::new(ErrorKind::InvalidInput, "it is no regular file")),
    }
}

/// Reads a file that [`open()`] opens, up to a size that no file of gt reaches.
///
/// # Errors
/// As [`open()`], and for a larger file.
pub fn bytes(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        let what = format!("it is larger than {} MiB", LARGEST >> 20);
        return Err(std::io::Error::new(ErrorKind::FileTooLarge, what));
    }
    Ok(bytes)
}

/// Reads a file as text; `None` when there is no such file.
///
/// # Errors
/// When it cannot be read, or is no regular file of UTF-8 text.
pub fn text(path: &Path) -> Result<Option<String>> {
    let why = match bytes(path).map(String::from_utf8) {
        Ok(Ok(text)) => return Ok(Some(text)),
        Ok(Err(_)) => "it is not UTF-8 text".to_string(),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => error.to_string(),
    };
    let hint = format!("look at it with: ls -l {}", quote(&path.to_string_lossy()));
    Err(Failure::new(format!("cannot read {}: {why}", path.display())).hint(hint).into())
}

/// Reads a file as text.
///
/// # Errors
/// As [`text`], and when there is no such file.
pub fn read(path: &Path) -> Result<String> {
    match text(path)? {
        Some(text) => Ok(text),
        None => crate::fail!("{} is missing", path.display(); "look at the town with: gt doctor --fix"),
    }
}

/// Reads a JSON file strictly.
///
/// # Errors
/// When it cannot be read, or is not what it should be: file, line and column, what is wrong, the nearest known key.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    parse_json(path, &read(path)?)
}

/// Reads JSON text that came from `path`.
///
/// # Errors
/// As [`read_json`].
pub fn parse_json<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T> {
    if text.trim().is_empty() {
        crate::fail!(
            "{} is empty: a write was cut short", path.display();
            "bring it back from a copy, or remove it and run: gt doctor --fix"
        );
    }
    serde_json::from_str(text).map_err(|error| broken(path, &error).into())
}

/// What is wrong with a JSON file, as a person looks for it: `file:line:column: what`.
fn broken(path: &Path, error: &serde_json::Error) -> Failure {
    let said = error.to_string();
    let what = said.split(" at line ").next().unwrap_or(&said);
    let (what, hint) = match unknown_key(what) {
        Some((key, known)) => (format!("unknown key '{key}'"), nearest::choices(key, known.into_iter())),
        None => (what.to_string(), "mend it by hand; gt never overwrites a file that it cannot read".into()),
    };
    Failure::new(format!("{}:{}:{}: {what}", path.display(), error.line(), error.column())).hint(hint)
}

/// Takes serde's message about an unknown field apart.
fn unknown_key(message: &str) -> Option<(&str, Vec<&str>)> {
    let rest = message.strip_prefix("unknown field `")?;
    let (key, rest) = rest.split_once('`')?;
    Some((key, rest.split('`').skip(1).step_by(2).collect()))
}

/// Whether whoever made a half-made file or folder still works on it. What cannot be told counts as yes (law 3), and
/// so does, for a minute, what may be about to be locked.
pub fn in_the_making(path: &Path) -> bool {
    if !path.is_dir() {
        return is_young(path) || is_locked(path);
    }
    let making = path.join(ASIDE_LOCK);
    if making.exists() { is_locked(&making) } else { is_young(path) }
}

/// Whether somebody holds the lock of a file. What cannot be told counts as yes; a file that is gone as no.
pub fn is_locked(path: &Path) -> bool {
    match open(path) {
        Ok(file) => file.try_lock_shared().is_err(),
        Err(error) => error.kind() != ErrorKind::NotFound,
    }
}

fn is_young(path: &Path) -> bool {
    let changed = std::fs::symlink_metadata(path).and_then(|found| found.modified());
    changed.is_ok_and(|time| time.elapsed().is_ok_and(|age| age < std::time::Duration::from_secs(60)))
}

/// An error of the file system with what helps against it.
pub fn error_of(error: std::io::Error, what: String) -> anyhow::Error {
    let hint = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            crate::base::failure::NO_ROOM
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "you may not write there: choose another folder, or change its rights"
        }
        _ => return anyhow::Error::new(error).context(what),
    };
    let said = error.to_string();
    let said = said.split(" (os error").next().unwrap_or(&said).to_lowercase();
    Failure::new(format!("{what}: {said}")).hint(hint).into()
}

/// A folder built aside: it goes, with all that is in it, unless it is taken over by [`Aside::keep`].
#[derive(Debug)]
pub struct Aside {
    dir: tempfile::TempDir,
    _lock: Lock,
}

impl Aside {
    /// Makes one in `parent`, on the file system where the result is to stand.
    ///
    /// # Errors
    /// When `parent` cannot be written.
    pub fn new(parent: &Path) -> Result<Aside> {
        let failed = || format!("cannot make a folder in {}", parent.display());
        let dir = tempfile::Builder::new()
            .prefix(ASIDE)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(parent)
            .map_err(|error| error_of(error, failed()))?;
        // Locked before it has its name: whoever finds it unlocked knows that its maker is gone.
        let draft = dir.path().join(".lock");
        let _lock = lock(&draft)?;
        std::fs::rename(&draft, dir.path().join(ASIDE_LOCK)).map_err(|error| error_of(error, failed()))?;
        Ok(Aside { dir, _lock })
    }

    /// A path inside it.
    pub fn path(&self, inside: &str) -> std::path::PathBuf {
        self.dir.path().join(inside)
    }
}

/// Removes what killed commands left in `dir`: files and folders built aside whose makers are gone, and folders on
/// their way out. Gives their names.
///
/// # Errors
/// When the folder cannot be read or one of them cannot be removed.
pub fn sweep(dir: &Path) -> Result<Vec<String>> {
    let left = leftovers(dir)?;
    for name in &left {
        let path = dir.join(name);
        let gone = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        match gone {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error_of(error, format!("cannot remove {}", path.display())));
            }
            _ => {}
        }
    }
    Ok(left)
}

/// What killed commands left in `dir`, by name. A folder that is not there has nothing.
///
/// # Errors
/// When the folder cannot be read.
pub fn leftovers(dir: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for name in names_in(dir)? {
        let path = dir.join(&name);
        if name.starts_with(LEAVING) || (name.starts_with(ASIDE) && !in_the_making(&path)) {
            names.push(name);
        }
    }
    Ok(names)
}

/// The names in a folder, sorted; none when it is not there. Names that are no text are left out: gt makes none.
///
/// # Errors
/// When the folder is there and cannot be read.
pub fn names_in(dir: &Path) -> Result<Vec<String>> {
    let failed = || format!("cannot read {}", dir.display());
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(failed),
    };
    let mut names = Vec::new();
    for entry in entries {
        if let Ok(name) = entry.with_context(failed)?.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::town::RigBeads;

    fn said(text: &str) -> (String, String) {
        let error = parse_json::<RigBeads>(Path::new("/t/config.json"), text).unwrap_err();
        let failure = error.downcast_ref::<Failure>().unwrap();
        (failure.message.clone(), failure.hint.clone().unwrap_or_default())
    }

    #[test]
    fn what_is_wrong_is_said_with_line_and_column() {
        let (message, _) = said("{\n  \"prefix\": 3\n}");
        assert_eq!(message, "/t/config.json:2:13: invalid type: integer `3`, expected a string");
        let (message, hint) = said("{\n  \"prefx\": \"wy\"}");
        assert_eq!(
            (message.as_str(), hint.as_str()),
            ("/t/config.json:2:9: unknown key 'prefx'", "did you mean 'prefix'?")
        );
        let (message, _) = said("{ \"prefix\": \"w");
        assert_eq!(message, "/t/config.json:1:14: EOF while parsing a string");
        assert!(said(" \n").0.contains("is empty"));
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_file_and_nothing_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        write(&path, "old").unwrap();
        // A folder cannot be replaced by a file: the rename fails after the draft was written.
        let folder = dir.path().join("folder");
        std::fs::create_dir(&folder).unwrap();
        assert!(write(&folder, "new").is_err());
        assert_eq!(names_in(dir.path()).unwrap(), ["a.json", "folder"]);
        assert_eq!(read(&path).unwrap(), "old");
    }

    #[test]
    fn what_is_no_regular_file_is_refused_without_waiting() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let fifo = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, path("fifo"), rustix::fs::FileType::Fifo, fifo, 0).unwrap();
        std::fs::create_dir(path("folder")).unwrap();
        std::fs::write(path("latin"), b"\xe9").unwrap();
        File::create(path("huge")).unwrap().set_len(LARGEST + 1).unwrap();
        for (name, why) in [
            ("fifo", "it is no regular file"),
            ("folder", "it is a folder"),
            ("latin", "it is not UTF-8 text"),
            ("huge", "it is larger than 16 MiB"),
        ] {
            let said = text(&path(name)).unwrap_err().to_string();
            assert_eq!(said, format!("cannot read {}: {why}", path(name).display()));
        }
        assert!(text(Path::new("/dev/zero")).is_err());
        assert!(!is_locked(&path("none")) && is_locked(&path("fifo")));
        assert_eq!(text(&path("none")).unwrap(), None);
        assert!(read(&path("none")).unwrap_err().to_string().ends_with("none is missing"));
    }

    #[test]
    fn a_new_file_can_be_read_by_its_owner_alone_and_an_old_one_keeps_its_rights() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        write(&path, "x").unwrap();
        assert_eq!(mode(&path), 0o600);
        make_dir(&dir.path().join("b/c")).unwrap();
        assert_eq!((mode(&dir.path().join("b")), mode(&dir.path().join("b/c"))), (0o700, 0o700));
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        write(&path, "y").unwrap();
        assert_eq!(mode(&path), 0o640);
    }

    #[test]
    fn only_what_nobody_works_on_is_swept() {
        let dir = tempfile::tempdir().unwrap();
        let aside = Aside::new(dir.path()).unwrap();
        std::fs::create_dir(dir.path().join(".gt-new-dead")).unwrap();
        std::fs::write(dir.path().join(".gt-new-dead").join(ASIDE_LOCK), "").unwrap();
        std::fs::create_dir(dir.path().join(".gt-new-young")).unwrap();
        let file = File::create(dir.path().join(".gt-new-file")).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        std::fs::create_dir(dir.path().join(".gt-old-rig")).unwrap();
        std::fs::write(dir.path().join("mine"), "x").unwrap();
        assert_eq!(sweep(dir.path()).unwrap(), [".gt-new-dead", ".gt-new-file", ".gt-old-rig"]);
        drop(aside);
        assert_eq!(names_in(dir.path()).unwrap(), [".gt-new-young", "mine"]);
    }
}
