//! Errands: something short that is run on a daemon's machine in a session of its own, and seen to end.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::sight::{failure_on, is_ours, last_lines, said};
use super::{FugueMux, LINES, LONGEST_PAUSE, PAUSE};
use crate::model::ids::InstanceId;
use crate::programs::fugue::{NewDaemonSession, Reply, Row};

/// How long somebody waits for an errand.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long its session stays after it is done, to be read, in seconds.
const LINGER: u32 = 60;

/// Before the instance that it is run for, in its tag.
const TAG: &str = "gt-end-";
/// Before the town's short id.
const TOWN: &str = "gt-t-";

/// What is to be run, and how it says that it is done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Errand {
    /// The remote's name; its address where it has none.
    pub remote: String,
    /// The daemon's address.
    pub fugue_addr: String,
    /// Its session's name.
    pub name: String,
    /// For which instance: there is one errand for each at a time.
    pub instance: InstanceId,
    /// The daemon's own id of the session that an earlier run began; empty when there was none.
    pub begun: String,
    /// A text for `sh`.
    pub line: String,
    /// The line of the screen, with the instance after it, that says it is done.
    pub done: &'static str,
}

/// How an errand went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ran {
    /// It said that it is done; the screen.
    Done(String),
    /// It failed; why. Its session is gone.
    Failed(String),
    /// It is still under way, in the session of this id.
    Running(String),
}

impl FugueMux {
    /// Runs an errand, or goes on with the one that was begun, and waits until it is seen to have ended: 5 s at most.
    ///
    /// # Errors
    /// A silent daemon, or one that starts no session.
    pub fn errand(&self, errand: &Errand) -> Result<Ran> {
        let tag = format!("{TAG}{}", errand.instance);
        let mine = |row: &&Row| row.tags.contains(&tag) && is_ours(row, &self.ours.town_id);
        let rows = self.rows()?;
        // A restarted daemon made a shell of it.
        if let Some(shell) = rows.iter().find(|row| row.id == errand.begun && !mine(row)) {
            self.done(self.server.kill(&shell.id)?, "stop a session")?;
        }
        let id = match rows.iter().find(mine) {
            Some(row) => row.id.clone(),
            None => self.begin(errand, &tag, &rows)?,
        };
        let end = Instant::now() + PATIENCE;
        let mut pause = PAUSE;
        let mut screen = String::new();
        loop {
            let Some(row) = self.rows()?.into_iter().find(|row| row.id == id) else {
                return Ok(Ran::Failed(match screen.trim() {
                    "" => "it ended before it was done".into(),
                    screen => format!("it ended before it was done: {}", last_lines(screen)),
                }));
            };
            if let Reply::Said(text) = self.server.capture(&row.name, LINES)? {
                screen = text;
            }
            let done = said(&screen, errand.done, &errand.instance).is_some();
            if let Some(ran) = match failure_on(&screen, &errand.instance) {
                _ if done => Some(Ran::Done(screen.clone())),
                reason => reason.map(Ran::Failed),
            } {
                self.done(self.server.kill(&row.id)?, "stop a session")?;
                return Ok(ran);
            }
            if Instant::now() >= end {
                return Ok(Ran::Running(id));
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Starts its session; gives the daemon's own id of it.
    fn begin(&self, errand: &Errand, tag: &str, rows: &[Row]) -> Result<String> {
        let tags = [tag.to_string(), format!("{TOWN}{}", self.ours.town_id)];
        let line = format!("{}\nsleep {LINGER}\n", errand.line);
        let free = |name: &String| rows.iter().all(|row| row.name != *name);
        let numbered = (2..).map(|number| format!("{}-{number}", errand.name));
        let mut names = std::iter::once(errand.name.clone()).chain(numbered);
        let name = names.find(free).unwrap_or_default();
        let wanted = NewDaemonSession { name: &name, cwd: None, tags: &tags, line: &line };
        self.done(self.server.new_session(&wanted)?, "start a session")?;
        match self.rows()?.into_iter().find(|row| row.tags.contains(&tags[0])) {
            Some(row) => Ok(row.id),
            None => crate::fail!("{} started no session for {}", self.remote.name, errand.name),
        }
    }
}
