//! Programs on terminals of their own.

use std::ffi::CStr;
use std::fs::File;
use std::io::{Error, Result};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

/// Starts a command on a new terminal of 80 columns and 24 lines; gives the terminal's other side. When that is
/// closed, the command is hung up on.
pub fn start(command: &mut Command) -> Result<(Child, File)> {
    let (own, theirs) = open()?;
    command.stdin(theirs.try_clone()?).stdout(theirs.try_clone()?).stderr(theirs);
    // Runs between fork and exec: two system calls, no allocation.
    unsafe {
        command.pre_exec(|| {
            if libc::setsid() < 0 || libc::ioctl(0, libc::TIOCSCTTY as _, 0) < 0 {
                return Err(Error::last_os_error());
            }
            Ok(())
        });
    }
    Ok((command.spawn()?, own))
}

fn open() -> Result<(File, File)> {
    // Plain calls of the C library on descriptors that this function owns.
    let own = unsafe {
        let own = libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY);
        if own < 0 {
            return Err(Error::last_os_error());
        }
        let own = File::from(OwnedFd::from_raw_fd(own));
        libc::fcntl(own.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC);
        if libc::grantpt(own.as_raw_fd()) < 0 || libc::unlockpt(own.as_raw_fd()) < 0 {
            return Err(Error::last_os_error());
        }
        own
    };
    let path = unsafe {
        let name = libc::ptsname(own.as_raw_fd());
        if name.is_null() {
            return Err(Error::last_os_error());
        }
        CStr::from_ptr(name).to_string_lossy().into_owned()
    };
    let theirs = File::options().read(true).write(true).open(path)?;
    let size = libc::winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    unsafe { libc::ioctl(own.as_raw_fd(), libc::TIOCSWINSZ as _, &size) };
    Ok((own, theirs))
}
