//! How the deacon of a town is found and woken: `mayor/deacon.json` says where its socket is.

use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use serde::{Deserialize, Serialize};

use crate::base::failure::Failure;
use crate::base::files::{self, Lock};
use crate::base::hash::fnv32;
use crate::town::Town;

/// The files, in the town's folder.
const FILE: &str = "mayor/deacon.json";
const LOCK: &str = "mayor/deacon.lock";
const LOG: &str = "mayor/deacon.log";

/// What wakes it.
pub const POKE: &str = "poke";
/// What asks for how it is: it answers with a line of JSON.
pub const STATUS: &str = "status";

/// The longest path of a socket that every system takes.
const LONGEST: usize = 100;

/// A look though nothing happened, should something have gone unheard.
pub const SWEEP: Duration = Duration::from_secs(15 * 60);

/// How long an answer of it is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// What `mayor/deacon.json` says of the deacon that runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeaconFile {
    /// Its socket.
    pub socket: PathBuf,
    /// Its process.
    pub pid: i32,
    /// Since when it runs: RFC 3339, UTC.
    pub started: String,
}

impl DeaconFile {
    /// Reads it; nothing where no deacon ever ran.
    pub fn read(root: &Path) -> Option<DeaconFile> {
        let path = root.join(FILE);
        path.exists().then(|| files::read_json(&path).ok()).flatten()
    }

    /// Writes it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, town: &Town) -> Result<()> {
        files::write_json(&town.root.join(FILE), self)
    }

    /// Asks the deacon one thing and gives its answer.
    ///
    /// # Errors
    /// When none answers.
    pub fn ask(&self, word: &str) -> Result<String> {
        let stream = tell(&self.socket, word)?;
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer)?;
        Ok(answer)
    }
}

/// Wakes the deacon of a town, and says whether one took it. It never waits.
pub fn poke(root: &Path) -> bool {
    let Some(file) = DeaconFile::read(root) else { return false };
    tell(&file.socket, POKE).is_ok()
}

/// Says a word to it, and never waits: of one that is stopped the line of callers may be full.
fn tell(socket: &Path, word: &str) -> Result<UnixStream> {
    let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let own: OwnedFd = rustix::net::socket_with(family, kind, flags, None)?;
    rustix::net::connect(&own, &SocketAddrUnix::new(socket)?)?;
    rustix::io::write(&own, format!("{word}\n").as_bytes())?;
    Ok(own.into())
}

/// The lock that the deacon of a town holds while it runs; nothing when another has it.
///
/// # Errors
/// When the file cannot be opened.
pub fn lock(town: &Town) -> Result<Option<Lock>> {
    files::try_lock(&town.root.join(LOCK))
}

/// Whether a deacon runs.
pub fn runs(root: &Path) -> bool {
    files::is_locked(&root.join(LOCK))
}

/// The process of the deacon that runs.
pub fn holder(root: &Path) -> Option<i32> {
    files::holder_of(&root.join(LOCK))
}

/// Where it writes down what it does.
pub fn log(root: &Path) -> PathBuf {
    root.join(LOG)
}

/// Opens its socket: in the person's runtime folder where there is one, in a private folder of the system's temporary one
/// else. The name is the town's id.
///
/// # Errors
/// When no such folder can be made, or it is another user's.
pub fn listen(town: &Town, runtime: Option<&str>) -> Result<(UnixListener, PathBuf)> {
    let user = rustix::process::getuid().as_raw();
    // Two towns may have one id: the one is the other's copy.
    let name = format!("{}-{:08x}.sock", town.id, fnv32(town.mark().bytes()));
    let own = runtime.map(PathBuf::from).filter(|dir| dir.is_absolute() && dir.is_dir());
    let of_user = |dir: PathBuf| dir.join(format!("gastown-{user}"));
    let folders = [
        own.map(|dir| dir.join("gastown")),
        Some(of_user(std::env::temp_dir())),
        Some(of_user("/tmp".into())),
    ];
    let fits = |folder: &PathBuf| folder.join(&name).as_os_str().len() <= LONGEST;
    let Some(folder) = folders.into_iter().flatten().find(fits) else {
        crate::fail!("no folder is short enough for the socket {name}"; "set XDG_RUNTIME_DIR to a folder with a short path");
    };
    files::make_dir(&folder)?;
    // Another user's of this name is refused below.
    let _ = files::make_private(&folder);
    let seen = std::fs::symlink_metadata(&folder)?;
    if !seen.is_dir() || seen.uid() != user || seen.permissions().mode() & 0o077 != 0 {
        return Err(Failure::new(format!("{} is not a folder of this user alone", folder.display()))
            .hint(format!("look at it with: ls -ld {}; or set XDG_RUNTIME_DIR", folder.display()))
            .into());
    }
    let path = folder.join(&name);
    // The lock is held: whoever made this one is gone.
    let _ = std::fs::remove_file(&path);
    let listener =
        UnixListener::bind(&path).with_context(|| format!("cannot listen at {}", path.display()))?;
    listener.set_nonblocking(true)?;
    Ok((listener, path))
}

/// Takes what the callers say, each one line, and answers who asks for how it is with what `status` gives. Whether one
/// poked.
pub fn serve(listener: &UnixListener, status: impl Fn() -> String) -> bool {
    let mut poked = false;
    while let Ok((stream, _)) = listener.accept() {
        if !is_own(&stream) {
            continue;
        }
        // Who connects has its line ready; one that has not is not waited for.
        let limits = Some(Duration::from_millis(100));
        if stream.set_nonblocking(false).and_then(|()| stream.set_read_timeout(limits)).is_err() {
            continue;
        }
        let _ = stream.set_write_timeout(limits);
        let mut line = String::new();
        let _ = BufReader::new(std::io::Read::take(&stream, 256)).read_line(&mut line);
        match line.trim() {
            STATUS => drop(writeln!(&stream, "{}", status())),
            POKE => poked = true,
            _ => {}
        }
    }
    poked
}

/// Whether the other end is a process of this user.
#[cfg(target_os = "linux")]
fn is_own(stream: &UnixStream) -> bool {
    rustix::net::sockopt::socket_peercred(stream).is_ok_and(|peer| peer.uid == rustix::process::getuid())
}

/// The folder is this user's alone.
#[cfg(not(target_os = "linux"))]
fn is_own(_stream: &UnixStream) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deacon_that_takes_no_calls_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("deacon.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        while tell(&socket, POKE).is_ok() {}
        assert!(DeaconFile { socket, ..DeaconFile::default() }.ask(STATUS).is_err());
    }
}
