//! The process that keeps one tunnel: runs ssh, and starts it again when the connection drops, until it is ended.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::state::{Phase, TunnelDir, TunnelState};
use super::{TunnelEnd, is_taken, leftover, reach};
use crate::base::failure::Failure;
use crate::base::files::Lock;
use crate::base::quote::quote;
use crate::base::time;
use crate::plan::tunnel::pause;
use crate::programs::lasting::Lasting;
use crate::programs::process::stamp::Stamp;
use crate::programs::ssh;
use crate::work::step;

/// How long ssh may take until the tunnel works.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is seen to that the folder is still there: a keeper without one ends.
const TICK: Duration = Duration::from_secs(2);
/// A connection that stood so long did not fail for the reason the one before it did.
const LASTED: Duration = Duration::from_secs(30);

/// Keeps the tunnel of a folder. Returns when there is another keeper already, when the first connection fails, or when
/// the folder is gone.
///
/// # Errors
/// When the folder cannot be used.
pub fn keep(dir: &Path) -> Result<()> {
    let place = TunnelDir::at(dir);
    let Some(lock) = place.keep()? else { return Ok(()) };
    // A group of its own, with ssh and what ssh starts in it: what is to be ended can be named.
    let _ = rustix::process::setpgid(None, None);
    let Some(mut kept) = place.read()? else { return Ok(()) };
    kept.keeper = Stamp::own();
    place.write(&kept)?;
    step("tunnel.3");
    let keeper = Keeper { place, _lock: lock };
    let mut failures = 0;
    loop {
        let (lasted, why) = keeper.connect(&mut kept)?;
        if keeper.is_gone() {
            return Ok(());
        }
        failures = if lasted.is_some_and(|lasted| lasted >= LASTED) { 1 } else { failures + 1 };
        let phase = if kept.stood { Phase::Failing } else { Phase::Ended };
        if kept.phase != phase {
            kept.since = time::now();
        }
        kept =
            TunnelState { phase, error: Some(why.message), hint: why.hint, nobody: None, ssh: None, ..kept };
        keeper.note(&kept);
        if !kept.stood || !keeper.rest(pause(failures)) {
            return Ok(());
        }
    }
}

struct Keeper {
    place: TunnelDir,
    _lock: Lock,
}

impl Keeper {
    /// One connection, from its beginning to its end: how long it stood, if it did, and why it ended.
    fn connect(&self, kept: &mut TunnelState) -> Result<(Option<Duration>, Failure)> {
        let tunnel = kept.tunnel.clone();
        let dir = &self.place.dir;
        kept.attempt += 1;
        if is_taken(&tunnel, kept.stood) {
            let stale = leftover(&tunnel).map(|socket| {
                Failure::new(format!(
                    "a socket stands at {} already, and nobody listens on it",
                    socket.display()
                ))
                .hint(format!("if nothing needs it: rm {}", quote(&socket.to_string_lossy())))
            });
            return Ok((None, stale.unwrap_or_else(|| ssh::taken(&tunnel))));
        }
        // A socket that stands in the way would keep ssh from making its own.
        let _ = std::fs::remove_file(dir.join(ssh::CONTROL));
        let unlink = kept.stood && leftover(&tunnel).is_some();
        let mut ssh = match Lasting::start(&ssh::tunnel(&tunnel, dir, unlink)) {
            Ok(ssh) => ssh,
            Err(error) => return Ok((None, failure(&error))),
        };
        step("tunnel.4");
        kept.ssh = ssh.stamp();
        self.note(kept);
        step("tunnel.5");
        let Some(nobody) = self.wait_until_it_works(&mut ssh, kept)? else {
            return Ok((None, ssh::why(&tunnel, &ssh.last_words())));
        };
        let since = time::now();
        *kept = TunnelState {
            phase: Phase::Up,
            since,
            error: None,
            hint: None,
            nobody,
            stood: true,
            ..kept.clone()
        };
        self.note(kept);
        step("tunnel.6");
        let began = Instant::now();
        while !ssh.ended_within(TICK)? && !self.is_gone() {}
        Ok((Some(began.elapsed()), ssh::why(&tunnel, &ssh.last_words())))
    }

    /// Why nobody takes what arrives, once the tunnel works; nothing when it will not work.
    fn wait_until_it_works(&self, ssh: &mut Lasting, kept: &TunnelState) -> Result<Option<Option<String>>> {
        let limit = Instant::now() + PATIENCE;
        while Instant::now() < limit && !self.is_gone() {
            if ssh.ended_within(Duration::from_millis(10))? {
                return Ok(None);
            }
            // The socket is made when the person is known over there and the place here is taken.
            if !self.place.dir.join(ssh::CONTROL).exists() || !ssh::stands(&kept.tunnel, &self.place.dir) {
                continue;
            }
            match reach(&kept.tunnel) {
                TunnelEnd::Closed => {}
                TunnelEnd::Somebody => return Ok(Some(None)),
                TunnelEnd::Nobody => return Ok(Some(Some(why_nobody(ssh)))),
            }
        }
        Ok(None)
    }

    /// Writes down how it stands. A disk that takes nothing is no reason to end a tunnel that works.
    fn note(&self, kept: &TunnelState) {
        let _ = self.place.write(kept);
    }

    /// Whether the folder was taken away under the keeper: then nobody wants the tunnel.
    fn is_gone(&self) -> bool {
        !matches!(self.place.read(), Ok(Some(kept)) if kept.keeper == Stamp::own())
    }

    /// Waits; false when the folder is gone meanwhile.
    fn rest(&self, time: Duration) -> bool {
        let limit = Instant::now() + time;
        while Instant::now() < limit {
            if self.is_gone() {
                return false;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        true
    }
}

/// Why what arrives is not taken, as ssh says it a moment after it closed the connection.
fn why_nobody(ssh: &Lasting) -> String {
    let limit = Instant::now() + Duration::from_millis(300);
    loop {
        match ssh::not_taken(&ssh.said()) {
            Some(why) => return why.into(),
            None if Instant::now() > limit => return "the connection is closed at once".into(),
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

fn failure(error: &anyhow::Error) -> Failure {
    Failure { hint: crate::base::failure::hint_of(error), ..Failure::new(format!("{error:#}")) }
}
