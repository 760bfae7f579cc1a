//! Programs that run beside gt while it goes on with other things, and the ends of processes as something to wait for.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};

use anyhow::Result;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Pid;

use super::process::Process;
use super::process::signals::Charge;

/// A program that runs beside gt. It is ended when a signal ends gt.
pub struct Job {
    child: Child,
    charge: Charge,
    end: EndOf,
}

impl Job {
    /// Starts it; what it says goes to the end of a file.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(process: &Process, log: &File) -> Result<Job> {
        let (out, err) = (log.try_clone()?, log.try_clone()?);
        let (child, charge) = process.spawn(|command| {
            command.stdin(Stdio::null()).stdout(out).stderr(err);
        })?;
        let end = EndOf::new(i32::try_from(child.id())?);
        Ok(Job { child, charge, end })
    }

    /// What becomes readable at its end.
    pub fn end(&self) -> &EndOf {
        &self.end
    }

    /// How it ended: its exit code, 128 and the number of the signal; nothing while it runs.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn ended(&mut self) -> Result<Option<i32>> {
        let status = self.charge.try_wait(&mut self.child)?;
        let code = |signal: Option<i32>| signal.map_or(1, |signal| 128 + signal);
        Ok(status.map(|status| status.code().unwrap_or_else(|| code(status.signal()))))
    }
}

/// The end of a process, whoever started it.
pub struct EndOf {
    pid: i32,
    handle: Option<OwnedFd>,
}

impl EndOf {
    /// Waits for the end of the process that has this number now.
    pub fn new(pid: i32) -> EndOf {
        EndOf { pid, handle: Pid::from_raw(pid).and_then(handle) }
    }

    /// Its number.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// What becomes readable when it ends; nothing where the system has no such thing, or it is gone.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.handle.as_ref().map(AsFd::as_fd)
    }

    /// Whether it has ended: waiting for it would not sleep.
    pub fn is_over(&self) -> bool {
        let Some(fd) = self.fd() else {
            return Pid::from_raw(self.pid)
                .is_none_or(|pid| rustix::process::test_kill_process(pid).is_err());
        };
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], Some(&now)).is_ok_and(|ready| ready > 0)
    }
}

#[cfg(target_os = "linux")]
fn handle(pid: Pid) -> Option<OwnedFd> {
    rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok()
}

#[cfg(not(target_os = "linux"))]
fn handle(_pid: Pid) -> Option<OwnedFd> {
    None
}
