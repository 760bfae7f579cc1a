//! Locks of files: advisory, given back when they are dropped or their process ends.

use std::fs::{File, TryLockError};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::base::failure::Failure;
use crate::base::files::error_of;
use crate::base::limits;

/// An advisory lock on a file that stays. Dropping it, or a kill, gives it back.
#[derive(Debug)]
pub struct Lock {
    file: Arc<File>,
}

impl Lock {
    /// The locked file: a program that holds it open holds the lock until it ends, whatever becomes of this process.
    pub fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }
}

/// Takes the lock of a file. The file is made when it is not there, and stays; while the lock is held it names the
/// process that holds it. Who waits for longer than a second says for whom.
///
/// # Errors
/// When the file cannot be opened, or another process holds the lock for longer than `limits.lock`.
pub fn lock(path: &Path) -> Result<Lock> {
    let file = open(path)?;
    let failed = |error| error_of(error, format!("cannot lock {}", path.display()));
    let file = match file.try_lock() {
        Ok(()) => file,
        Err(TryLockError::WouldBlock) => wait(file, path, limits::WORD, None)?,
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    };
    Ok(signed(file))
}

/// The same for a folder, which needs no file in it then.
///
/// # Errors
/// As [`lock`].
pub fn lock_folder(dir: &Path) -> Result<File> {
    let file = File::open(dir).map_err(|error| error_of(error, format!("cannot open {}", dir.display())))?;
    if file.try_lock().is_ok() { Ok(file) } else { wait(file, dir, limits::WORD, None) }
}

/// The same without waiting: `None` when another process has it.
///
/// # Errors
/// When the file cannot be opened.
pub fn try_lock(path: &Path) -> Result<Option<Lock>> {
    let file = open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(signed(file))),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

/// Waits for a lock that another process holds. The system wakes one waiter after the other, which asking again and again
/// does not.
fn wait(file: File, path: &Path, word: Duration, limit: Option<Duration>) -> Result<File> {
    let (send, taken) = mpsc::sync_channel(1);
    let name = path.display();
    let blocking = move || {
        let locked = file.lock().map(|()| file);
        // When it comes too late the lock goes back with the file.
        let _ = send.send(locked);
    };
    std::thread::spawn(blocking);
    let gone = || Failure::new(format!("cannot lock {name}"));
    let first = taken.recv_timeout(word);
    let locked = match first {
        Err(mpsc::RecvTimeoutError::Timeout) => {
            limits::say(&format!("waiting for {name}, which {} holds", holder(path)));
            let limit = limit.unwrap_or_else(|| limits::get().lock);
            match taken.recv_timeout(limit.saturating_sub(word)) {
                Err(mpsc::RecvTimeoutError::Timeout) => return Err(given_up(path, limit).into()),
                Err(mpsc::RecvTimeoutError::Disconnected) => return Err(gone().into()),
                Ok(locked) => locked,
            }
        }
        Err(mpsc::RecvTimeoutError::Disconnected) => return Err(gone().into()),
        Ok(locked) => locked,
    };
    locked.map_err(|error| error_of(error, format!("cannot lock {name}")))
}

fn given_up(path: &Path, limit: Duration) -> Failure {
    let longer = limit.as_secs().saturating_mul(5).max(1);
    Failure::new(format!(
        "gave up on {} after {}: {} holds it",
        path.display(),
        limits::shown(limit),
        holder(path)
    ))
    .hint(format!("look at that process with: ps -ef; to wait longer: GASTOWN_LIMITS__LOCK={longer}s"))
}

/// Writes down who has the lock. It only makes a message better.
fn signed(file: File) -> Lock {
    let words = std::env::args_os().take(4).map(|word| word.to_string_lossy().into_owned());
    let words: Vec<String> =
        words.map(|word| word.chars().filter(|c| !c.is_control()).take(60).collect()).collect();
    let program = words.first().and_then(|path| path.rsplit('/').next()).unwrap_or("gt");
    let rest = words.get(1..).unwrap_or_default().join(" ");
    let text = format!("{} {program} {rest}\n", std::process::id());
    let _ = file.set_len(0).and_then(|()| (&file).write_all(text.as_bytes()));
    Lock { file: Arc::new(file) }
}

/// Who has the lock, in words.
fn holder(path: &Path) -> String {
    match signature(path) {
        Some((pid, command)) => format!("process {pid} ({command}) or what it started"),
        None => "another process".into(),
    }
}

/// The process that took a lock which is held.
pub fn holder_of(path: &Path) -> Option<i32> {
    signature(path).map(|(pid, _)| pid)
}

fn signature(path: &Path) -> Option<(i32, String)> {
    let mut text = String::new();
    crate::base::files::open(path).and_then(|file| file.take(1024).read_to_string(&mut text)).ok()?;
    let (pid, command) = text.trim().split_once(' ')?;
    Some((pid.parse().ok().filter(|pid| *pid > 0)?, command.into()))
}

fn open(path: &Path) -> Result<File> {
    crate::base::files::open_private()
        .read(true)
        .open(path)
        .map_err(|error| error_of(error, format!("cannot open {}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_by_one_and_its_file_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".lock");
        let held = lock(&path).unwrap();
        assert!(try_lock(&path).unwrap().is_none());
        drop(held);
        // A process that another test starts has the file for a moment, until it becomes its program.
        assert!(lock(&path).is_ok() && path.exists());
    }

    #[test]
    fn who_waits_in_vain_names_the_holder_and_who_waits_long_enough_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".lock");
        let held = lock(&path).unwrap();
        let short = Duration::from_millis(20);
        let error = wait(open(&path).unwrap(), &path, short, Some(short * 2)).unwrap_err();
        let own = format!("process {} (", std::process::id());
        assert!(error.to_string().contains(&own), "{error}");
        let waiting = {
            let path = path.clone();
            std::thread::spawn(move || lock(&path).is_ok())
        };
        drop(held);
        assert!(waiting.join().unwrap());
    }

    #[test]
    fn a_program_that_holds_the_file_holds_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".lock");
        let held = lock(&path).unwrap();
        let sleep = crate::programs::Process::new("sh").args(["-c", "exec sleep 600 >/dev/null 2>&1"]);
        let running = sleep.holding(held.file()).timeout(Duration::from_millis(200)).start().unwrap();
        drop(held);
        assert!(try_lock(&path).unwrap().is_none());
        running.wait().unwrap();
        assert!(try_lock(&path).unwrap().is_some());
    }
}
