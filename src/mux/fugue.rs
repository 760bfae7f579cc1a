//! Sessions of one fugue daemon.
//!
//! A session's id here is `ADDRESS#ID`, with the daemon's own id, and its only pane has the same. What is ours is told
//! by tags; one that lost them is the empty shell that a restarted daemon made of a session of ours: it is known by its
//! id, counts as dead, and gets no text ever (`remote.md`).

pub mod errand;
mod sight;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;

use self::sight::{failure_on, instance_of, is_ours, last_lines, said, secret_on, session, tags};
use super::{Daemon, Depth, Looking, Mux, Session, Snapshot, Spec, Started};
use crate::base::failure::{Failure, Failures};
use crate::base::terminal;
use crate::config::remotes::KnownRemote;
use crate::programs::fugue::{FugueServer, LIMIT, Listing, NewDaemonSession, Reply, Row, Silence};
use crate::town::away::Records;

pub use self::sight::unreachable;
pub use self::sight::{FAILED, REASON_ENDS, STARTED};

/// How many names are tried when the one that is wanted belongs to somebody else.
const NAMES: usize = 100;
/// Lines of a screen that are read for a start's reason.
const LINES: usize = 200;
/// The first pause between two looks at a start; it doubles.
const PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// How a town knows its sessions on other machines.
#[derive(Clone, Debug, Default)]
pub struct Ours {
    /// The town's mark.
    pub town: String,
    /// Its short id in tags ([`crate::town::away::town_id`]).
    pub town_id: String,
    /// What it remembers.
    pub records: Records,
}

/// One daemon.
#[derive(Clone, Debug)]
pub struct FugueMux {
    server: FugueServer,
    remote: KnownRemote,
    ours: Arc<Ours>,
}

/// Why a session was not started.
#[derive(Debug)]
pub enum NotStarted {
    /// Nothing is there.
    Nothing(anyhow::Error),
    /// The daemon fell silent in between: it may be there.
    Unknown(anyhow::Error),
}

impl NotStarted {
    /// The error, whatever is there.
    pub fn error(self) -> anyhow::Error {
        match self {
            NotStarted::Nothing(error) | NotStarted::Unknown(error) => error,
        }
    }
}

impl From<anyhow::Error> for NotStarted {
    fn from(error: anyhow::Error) -> NotStarted {
        NotStarted::Nothing(error)
    }
}

/// The id of a session here, from a daemon's address and its own id.
pub fn id(addr: &str, own: &str) -> String {
    format!("{addr}#{own}")
}

/// A daemon's address and its own id, from an id of [`id`]; none for tmux's.
pub fn split(id: &str) -> Option<(&str, &str)> {
    id.rsplit_once('#')
}

/// What is said where a daemon is silent.
pub fn silent(remote: &KnownRemote, silence: &Silence) -> Failure {
    let named = (remote.name != remote.fugue_addr).then_some(remote.name.as_str());
    out_of_reach(remote, &silence.why(), Some(silence.hint(&remote.fugue_addr, named, remote.ssh.as_deref())))
}

/// The same with what a look found.
pub fn out_of_reach(remote: &KnownRemote, why: &str, hint: Option<String>) -> Failure {
    let unnamed = remote.name == remote.fugue_addr || remote.fugue_addr.is_empty();
    let name = if unnamed { "the fugue daemon".into() } else { format!("the remote {}", remote.name) };
    let place = if remote.fugue_addr.is_empty() { "its default socket" } else { &remote.fugue_addr };
    Failure { hint, ..Failure::new(format!("cannot reach {name} at {place}: {why}")) }
}

impl FugueMux {
    /// The daemon behind a server.
    pub fn new(server: FugueServer, remote: KnownRemote, ours: Arc<Ours>) -> FugueMux {
        FugueMux { server, remote, ours }
    }

    /// Whose it is.
    pub fn remote(&self) -> &KnownRemote {
        &self.remote
    }

    /// Starts asking for its sessions.
    pub fn begin_list(&self) -> Listing {
        self.server.begin_list()
    }

    /// Starts a session, and looks until it is seen to run: 2 s at most. See [`NotStarted`].
    ///
    /// # Errors
    /// What kept it from running, with the reason that its start left on the screen.
    pub fn try_start(&self, spec: &Spec, taken: &Snapshot) -> Result<Started, NotStarted> {
        let Some(away) = &spec.away else {
            let failure = Failure::new(format!("{} is to run on this machine", spec.name));
            return Err(NotStarted::Nothing(failure.into()));
        };
        let tags = tags(&away.tags, &spec.marks, &self.ours.town_id);
        let mut names = self.names(taken)?;
        for number in 1..=NAMES {
            let name = if number == 1 { spec.name.clone() } else { format!("{}-{number}", spec.name) };
            if names.contains(&name) {
                continue;
            }
            let wanted = NewDaemonSession { name: &name, cwd: None, tags: &tags, line: &away.line };
            match self.server.new_session(&wanted)? {
                Reply::Said(_) => return self.watch(&name, &spec.marks.instance),
                Reply::Refused(why) if why.contains("already exists") => names.push(name),
                Reply::Refused(why) => return Err(self.refused(&spec.name, &why).into()),
                Reply::Silent(silence @ Silence::Overdue) => {
                    return Err(self.unsure(&spec.marks.instance, &silence));
                }
                Reply::Silent(silence) => return Err(self.silent(&silence).into()),
            }
        }
        Err(self.refused(&spec.name, &format!("{NAMES} sessions named like it exist already")).into())
    }

    fn refused(&self, name: &str, why: &str) -> anyhow::Error {
        Failure::new(format!("{} did not start the session {name}: {why}", self.remote.name)).into()
    }

    fn silent(&self, silence: &Silence) -> anyhow::Error {
        silent(&self.remote, silence).into()
    }

    /// Names in use there. A look that was just taken knows them; else it is asked, which also says whether it can be
    /// reached before anything is changed.
    fn names(&self, taken: &Snapshot) -> Result<Vec<String>> {
        let own = |daemon: &&Daemon| daemon.fugue_addr == self.remote.fugue_addr;
        if taken.away.daemons.iter().find(own).is_some_and(|daemon| daemon.silent.is_none()) {
            let here = |session: &&Session| {
                split(&session.id).is_some_and(|(addr, _)| addr == self.remote.fugue_addr)
            };
            return Ok(taken.sessions.iter().filter(here).map(|session| session.name.clone()).collect());
        }
        let rows = self.rows()?;
        Ok(rows.into_iter().map(|row| row.name).collect())
    }

    /// Asks whether it can be reached.
    ///
    /// # Errors
    /// Why not, and what helps.
    pub fn answers(&self) -> Result<()> {
        self.rows().map(drop)
    }

    fn rows(&self) -> Result<Vec<Row>> {
        self.server.list()?.map_err(|silence| self.silent(&silence))
    }

    /// Looks until the start is seen to have succeeded or failed, or the time is up: then it is still under way.
    fn watch(&self, name: &str, instance: &str) -> Result<Started, NotStarted> {
        let end = Instant::now() + LIMIT;
        let mut pause = PAUSE;
        let mut screen = String::new();
        loop {
            let rows = match self.server.list()? {
                Ok(rows) => rows,
                Err(silence) => return Err(self.unsure(instance, &silence)),
            };
            let Some(row) = rows.iter().find(|row| instance_of(row) == Some(instance)) else {
                let why = match screen.trim() {
                    "" => "it ended at once".into(),
                    screen => format!("it ended at once: {}", last_lines(screen)),
                };
                return Err(self.refused(name, &why).into());
            };
            if let Reply::Said(text) = self.server.capture(&row.name, LINES)? {
                screen = text;
            }
            if let Some(reason) = failure_on(&screen, instance) {
                return Err(match self.server.kill(&row.id)? {
                    Reply::Silent(_) => NotStarted::Unknown(self.refused(name, &reason)),
                    _ => self.refused(name, &reason).into(),
                });
            }
            let started = said(&screen, STARTED, instance).is_some();
            if started || Instant::now() >= end {
                let id = id(&self.remote.fugue_addr, &row.id);
                return Ok(Started {
                    pane: id.clone(),
                    session: id,
                    name: row.name.clone(),
                    under_way: !started,
                    secret: secret_on(&screen, instance).unwrap_or_default(),
                    ..Started::default()
                });
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// The daemon fell silent after it was asked to start: what it may have started is ended, if that can be done.
    fn unsure(&self, instance: &str, silence: &Silence) -> NotStarted {
        let ended = || -> Result<bool> {
            let Ok(rows) = self.server.list()? else { return Ok(false) };
            let Some(row) = rows.iter().find(|row| instance_of(row) == Some(instance)) else {
                return Ok(true);
            };
            Ok(matches!(self.server.kill(&row.id)?, Reply::Said(_)))
        };
        let error = self.silent(silence);
        match ended() {
            Ok(true) => NotStarted::Nothing(error),
            _ => NotStarted::Unknown(error),
        }
    }

    /// The session as it is at this moment, by its id here: nothing when it is gone.
    fn row(&self, id: &str) -> Result<Option<Row>> {
        let own = split(id).map_or(id, |(_, own)| own);
        Ok(self.rows()?.into_iter().find(|row| row.id == own))
    }

    /// The name of a session that carries our marks at this moment: only such a one gets text.
    fn ours_now(&self, id: &str) -> Result<String> {
        match self.row(id)? {
            Some(row) if is_ours(&row, &self.ours.town_id) && instance_of(&row).is_some() => Ok(row.name),
            Some(row) => crate::fail!(
                "nothing is typed into {} on {}: its daemon was restarted, and a shell is there",
                row.name,
                self.remote.name
            ),
            None => crate::fail!("the session is gone from {}", self.remote.name),
        }
    }

    fn done(&self, answer: Reply, what: &str) -> Result<String> {
        match answer {
            Reply::Said(text) => Ok(text),
            Reply::Silent(silence) => Err(self.silent(&silence)),
            Reply::Refused(why) => crate::fail!("cannot {what} on {}: {why}", self.remote.name),
        }
    }

    /// What an answered or unanswered list comes to.
    pub fn seen(&self, listed: Result<Vec<Row>, Silence>, took: Duration, into: &mut Snapshot) {
        let mut daemon = Daemon {
            remote: self.remote.name.clone(),
            fugue_addr: self.remote.fugue_addr.clone(),
            ..Daemon::default()
        };
        match listed {
            Ok(rows) => {
                daemon.sessions = rows.len();
                daemon.latency_us = u64::try_from(took.as_micros()).ok();
                into.sessions.extend(rows.into_iter().map(|row| session(row, &self.remote, &self.ours)));
            }
            Err(silence) => {
                daemon.silent = Some(silence.why());
                daemon.hint = silent(&self.remote, &silence).hint;
                into.away.unreachable.extend(unreachable(&self.remote, &self.ours));
            }
        }
        into.away.daemons.push(daemon);
    }
}

impl Mux for FugueMux {
    fn begin_look(&self, _depth: Depth) -> Result<Looking> {
        let (listed, took) = self.begin_list().wait()?;
        let mut snapshot = Snapshot::default();
        self.seen(listed, took, &mut snapshot);
        Ok(Looking::Known(snapshot))
    }

    fn start(&self, spec: &Spec, taken: &Snapshot) -> Result<Started> {
        self.try_start(spec, taken).map_err(NotStarted::error)
    }

    fn mark(&self, _session: &str, _state: &str, _since: &str) -> Result<()> {
        // Tags stand from the start on; what changes is the town's to remember.
        Ok(())
    }

    fn stop(&self, sessions: &[&str]) -> Result<()> {
        let mut failures = Failures::default();
        for session in sessions {
            let own = split(session).map_or(*session, |(_, own)| own);
            failures.keep(self.server.kill(own).and_then(|ran| self.done(ran, "stop a session").map(drop)));
        }
        failures.end(|count| format!("{count} sessions are not stopped"))
    }

    fn capture(&self, pane: &str, lines: usize) -> Result<String> {
        let Some(row) = self.row(pane)? else {
            crate::fail!("the session is gone from {}", self.remote.name);
        };
        let text = self.done(self.server.capture(&row.name, lines)?, "read a screen")?;
        let kept: Vec<&str> = text.trim_end().lines().collect();
        Ok(kept[kept.len().saturating_sub(lines)..].join("\n"))
    }

    fn paste(&self, pane: &str, text: &str) -> Result<()> {
        let name = self.ours_now(pane)?;
        self.done(self.server.text(&name, text)?, "type").map(drop)
    }

    fn keys(&self, pane: &str, keys: &[String]) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let name = self.ours_now(pane)?;
        self.done(self.server.keys(&name, keys)?, "press keys").map(drop)
    }

    fn attach(&self, session: &str) -> Result<()> {
        let show = self.server.show_call()?;
        if !terminal::can_ask() {
            crate::fail!("attaching needs a terminal"; "in one, run: {}", show.shown());
        }
        let Some(row) = self.row(session)? else {
            crate::fail!("the session is gone from {}", self.remote.name);
        };
        // fugue's interactive program cannot be told which one.
        terminal::tell(format!("choose {} in the list", row.name));
        Err(show.exec())
    }

    fn kind(&self) -> &'static str {
        "fugue"
    }
}
