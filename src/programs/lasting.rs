//! A program that is kept running, with the end of what it says.

use std::io::Read;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::process::Process;
use crate::programs::process::running::wait_for_end;
use crate::programs::process::signals::Charge;
use crate::programs::process::stamp::Stamp;

/// A program that runs. It is ended when this is dropped.
pub struct Lasting {
    child: Child,
    _charge: Charge,
    said: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

/// How much of what it says is kept, in bytes.
const TAIL: usize = 8192;

impl Lasting {
    /// Starts it, in this program's own process group.
    ///
    /// # Errors
    /// As [`Process::start`].
    pub fn start(process: &Process) -> Result<Lasting> {
        let (mut child, _charge) = process.spawn(|command| {
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        })?;
        let said = Arc::<Mutex<Vec<u8>>>::default();
        let reader = child.stderr.take().map(|mut pipe| {
            let said = Arc::clone(&said);
            std::thread::spawn(move || {
                let mut buffer = [0; 1024];
                while let Ok(count @ 1..) = pipe.read(&mut buffer) {
                    let Ok(mut said) = said.lock() else { break };
                    said.extend_from_slice(&buffer[..count]);
                    let over = said.len().saturating_sub(TAIL);
                    said.drain(..over);
                }
            })
        });
        Ok(Lasting { child, _charge, said, reader })
    }

    /// Which process it is; nothing when it has ended already.
    pub fn stamp(&self) -> Option<Stamp> {
        Stamp::of(i32::try_from(self.child.id()).ok()?)
    }

    /// Whether it ended before so much time was over.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn ended_within(&mut self, time: Duration) -> Result<bool> {
        Ok(wait_for_end(&mut self.child, Instant::now() + time)? && self.child.try_wait()?.is_some())
    }

    /// The end of what it said on standard error.
    pub fn said(&self) -> String {
        let said = self.said.lock().map(|said| said.clone()).unwrap_or_default();
        String::from_utf8_lossy(&said).into_owned()
    }

    /// Ends it, if it has not ended, and gives the end of what it said.
    pub fn last_words(&mut self) -> String {
        self.end();
        // Not for ever: what it started may hold its standard error.
        let limit = Instant::now() + Duration::from_millis(500);
        while self.reader.as_ref().is_some_and(|reader| !reader.is_finished()) && Instant::now() < limit {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.said()
    }

    fn end(&mut self) {
        if let Some(stamp) = self.stamp() {
            stamp.end();
        }
        let _ = self.child.wait();
    }
}

impl Drop for Lasting {
    fn drop(&mut self) {
        self.end();
    }
}
