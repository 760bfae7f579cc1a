//! What wakes the deacon, waited for in one call: its socket, writes to stores and state files, ends of agents and of its own
//! commands.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::beads::EMBEDDED_FILE;
use crate::programs::jobs::EndOf;

/// Where the system cannot tell of an end, it is asked for this often.
const ASKED: Duration = Duration::from_secs(1);

/// What woke the deacon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Woken {
    /// Somebody connected.
    pub called: bool,
    /// A store or a state file was written.
    pub written: bool,
    /// An agent, or a command of the deacon's, ended.
    pub ended: bool,
}

/// The ends of agents, and the files.
pub struct Waker {
    files: WatchedFiles,
    agents: HashMap<i32, EndOf>,
}

impl Waker {
    /// Watches nothing yet.
    pub fn new() -> Waker {
        Waker { files: WatchedFiles::new(), agents: HashMap::new() }
    }

    /// Watches these agents from now on, by process, and no others. Whether one was new: it may have ended before, and its
    /// number be another's by now, so the caller looks once more.
    pub fn agents(&mut self, pids: &[i32]) -> bool {
        self.agents.retain(|pid, _| pids.contains(pid));
        let before = self.agents.len();
        for pid in pids {
            self.agents.entry(*pid).or_insert_with(|| EndOf::new(*pid));
        }
        self.agents.len() > before
    }

    /// Watches the files of these folders that tell of a change.
    pub fn folders(&mut self, folders: Vec<PathBuf>) {
        self.files.watch(folders);
    }

    /// Waits until something happens, at most so long.
    ///
    /// # Errors
    /// When waiting failed.
    pub fn wait(&mut self, listener: &UnixListener, jobs: &[&EndOf], limit: Duration) -> Result<Woken> {
        let ends: Vec<&EndOf> = jobs.iter().copied().chain(self.agents.values()).collect();
        let unheard = ends.iter().any(|end| end.fd().is_none());
        let limit = if unheard { limit.min(ASKED) } else { limit };
        let mut fds: Vec<PollFd<'_>> = vec![readable(listener.as_fd())];
        fds.extend(self.files.fd().map(readable));
        let first_end = fds.len();
        fds.extend(ends.iter().filter_map(|end| end.fd()).map(readable));
        let limit = Timespec { tv_sec: limit.as_secs().try_into()?, tv_nsec: limit.subsec_nanos().into() };
        match poll(&mut fds, Some(&limit)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready = |fd: &PollFd<'_>| !fd.revents().is_empty();
        let (called, ended) = (ready(&fds[0]), fds[first_end..].iter().any(ready));
        let files = first_end == 2 && ready(&fds[1]);
        drop(fds);
        let ended = ended || ends.iter().any(|end| end.fd().is_none() && end.is_over());
        drop(ends);
        let over: Vec<i32> = self.agents.values().filter(|end| end.is_over()).map(EndOf::pid).collect();
        over.iter().for_each(|pid| drop(self.agents.remove(pid)));
        Ok(Woken { called, written: files && self.files.read(), ended })
    }
}

fn readable(fd: BorrowedFd<'_>) -> PollFd<'_> {
    PollFd::from_borrowed_fd(fd, PollFlags::IN)
}

/// Whether the write of a file of this name tells of a change. The files that SQLite makes beside a store for its readers do
/// not: looking would wake who looks.
fn tells(name: &str) -> bool {
    let log = name.strip_suffix("-wal").unwrap_or(name);
    log == EMBEDDED_FILE || ["state.json", "rigs.json", "remote.json"].contains(&name)
}

/// Folders whose files are watched. Where the system has no such thing, pokes and the sweep are what there is.
struct WatchedFiles {
    inotify: Option<OwnedFd>,
    watched: Vec<PathBuf>,
}

impl WatchedFiles {
    fn new() -> WatchedFiles {
        WatchedFiles { inotify: inotify::open(), watched: Vec::new() }
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.inotify.as_ref().map(AsFd::as_fd)
    }

    fn watch(&mut self, folders: Vec<PathBuf>) {
        let Some(handle) = &self.inotify else { return };
        for folder in folders {
            if !self.watched.contains(&folder) && inotify::add(handle, &folder) {
                self.watched.push(folder);
            }
        }
    }

    /// Whether something was written that tells of a change.
    fn read(&mut self) -> bool {
        self.inotify.as_ref().is_some_and(|handle| inotify::any(handle, tells))
    }
}

#[cfg(target_os = "linux")]
mod inotify {
    use std::os::fd::OwnedFd;
    use std::path::Path;

    use rustix::fs::inotify::{CreateFlags, Reader, WatchFlags, add_watch, init};

    pub fn open() -> Option<OwnedFd> {
        init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok()
    }

    pub fn add(handle: &OwnedFd, folder: &Path) -> bool {
        add_watch(handle, folder, WatchFlags::MODIFY | WatchFlags::MOVED_TO).is_ok()
    }

    /// Whether one of the names that were written is of this kind; all of them are taken note of.
    pub fn any(handle: &OwnedFd, is: impl Fn(&str) -> bool) -> bool {
        let mut room = [std::mem::MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(handle, &mut room);
        let mut found = false;
        while let Ok(event) = reader.next() {
            found |= event.file_name().and_then(|name| name.to_str().ok()).is_some_and(&is);
        }
        found
    }
}

#[cfg(not(target_os = "linux"))]
mod inotify {
    use std::os::fd::OwnedFd;
    use std::path::Path;

    pub fn open() -> Option<OwnedFd> {
        None
    }

    pub fn add(_handle: &OwnedFd, _folder: &Path) -> bool {
        false
    }

    pub fn any(_handle: &OwnedFd, _is: impl Fn(&str) -> bool) -> bool {
        false
    }
}
