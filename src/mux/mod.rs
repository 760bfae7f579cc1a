//! Where sessions live: one trait, with tmux and "none" (minimal mode) behind it.
//!
//! Sessions are found by their marks (`@gt_*` options), never by name (law 2), in one look (law 5).

mod away;
pub mod deliver;
#[cfg(test)]
pub(crate) mod fake;
pub mod fugue;
pub mod hybrid;
mod live;
pub mod none;
pub mod screen;
pub mod tmux;
mod wanted;
mod windows;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use anyhow::Result;
use serde::Serialize;

use crate::config::remotes::KnownRemote;
use crate::config::schema::Multiplexer;
use crate::model::address::{Address, Role};
use crate::model::environment::is_public;
use crate::model::ids::{BeadId, InstanceId};
use crate::town::occupancy::Occupied;

pub use self::away::{Daemon, OtherMachines, or_default};
pub use crate::programs::tmux::Depth;
pub use windows::{LiveChange, Runs, SeenPane, SeenWindow, WantedPane, Window};

/// The marks gt puts on a session it made (`town.md`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Marks {
    /// The town's root: whose session it is.
    pub town: String,
    /// The agent's address.
    pub address: String,
    /// Its role.
    pub role: String,
    /// As of [`crate::model::state::State`].
    pub state: String,
    /// The bead it works on, empty when none.
    pub bead: BeadId,
    /// Since when it is in this state: RFC 3339, UTC.
    pub since: String,
    /// The instance id: tells two bearers of one name apart.
    pub instance: InstanceId,
    /// The presets that made it.
    pub preset: String,
    /// A hash of what was asked for. With [`Depth::Windows`].
    pub hash: String,
}

impl Marks {
    /// Whose session it is; nothing for an address of a form that is not known.
    pub fn agent(&self) -> Option<Address> {
        Address::parse(&self.address).ok()
    }

    /// Whether it is the session of an agent of this role.
    pub fn is_of(&self, role: Role) -> bool {
        self.agent().and_then(|own| own.role()) == Some(role)
    }
}

/// A session as it was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Session {
    /// tmux's own id, `$7`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its marks; `town` is empty for a session gt did not make.
    pub marks: Marks,
    /// How many clients look at it.
    pub attached: usize,
    /// When it was made: seconds since 1970, 0 for one that gt did not make.
    pub created: i64,
    /// When a program last wrote to it (`#{window_activity}`, the latest of its windows): seconds since 1970, 0 when
    /// not known. With [`Depth::Programs`].
    pub activity: i64,
    /// Its panes; the first is the agent's, when it has one.
    pub panes: Vec<Pane>,
    /// Something of its agent runs ([`crate::town::occupancy`]), whatever its pane shows.
    #[serde(skip)]
    pub occupied: bool,
    /// Its agent's pane is gone, closed by somebody: others are left.
    #[serde(skip)]
    pub agent_gone: bool,
    /// Its windows, with [`Depth::Windows`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<SeenWindow>,
    /// The remote it is on, by name; nothing for one of this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// Its runtime, where what its hooks said was read.
    #[serde(skip)]
    pub runtime: String,
    /// What its agent asks, or what keeps it, where that was looked for.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// The command that answers what it asks, where that was looked for.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub answer: String,
}

/// A pane as it was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pane {
    /// tmux's own id, `%9`.
    pub id: String,
    /// The process in it.
    pub pid: i32,
    /// Its program has ended.
    pub dead: bool,
    /// With this exit code, when tmux knows it.
    pub exit: Option<i32>,
    /// Or by this signal.
    pub signal: Option<i32>,
    /// The program in front. With [`Depth::Programs`].
    pub command: String,
    /// Whether it is the agent's own.
    #[serde(skip)]
    pub agent: bool,
    /// What gt marked it with when a preset asked for it: `WINDOW.PANE ASKED`. With [`Depth::Windows`].
    #[serde(skip)]
    pub mark: String,
}

impl Session {
    /// What an agent does, in the words of its marks; how it ended, once it did.
    pub fn words(&self) -> String {
        if self.agent_gone {
            return "ended (its pane was closed)".into();
        }
        let Some(pane) = self.panes.first().filter(|pane| pane.dead) else {
            return if self.marks.state.is_empty() { "running".into() } else { self.marks.state.clone() };
        };
        match (pane.exit, pane.signal) {
            (_, Some(signal)) => format!("ended (signal {signal})"),
            (Some(code), _) => format!("ended (exit {code})"),
            _ => "ended".into(),
        }
    }

    /// Whether its agent still runs; of a session without one, whether anything does.
    pub fn alive(&self) -> bool {
        match self.panes.first() {
            _ if self.agent_gone => false,
            Some(first) if first.agent => !first.dead,
            _ => self.panes.iter().any(|pane| !pane.dead),
        }
    }
}

/// What one look found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// All sessions of the server, ours and others'.
    pub sessions: Vec<Session>,
    /// Why nothing could be seen, when that is so: then "no session" must not be concluded (law 3).
    pub unknown: Option<String>,
    /// Why there can be no sessions here, in minimal mode: agents are run by hand, unseen.
    pub minimal: Option<String>,
    /// What was seen of other machines.
    #[serde(flatten)]
    pub away: OtherMachines,
    /// Agents of the town that something runs of on this machine, by address, whether or not a session is seen.
    #[serde(skip)]
    pub occupied: BTreeMap<String, Occupied>,
    /// Process of the tmux server that was seen; 0 where none runs.
    #[serde(skip)]
    pub server: i32,
}

impl Snapshot {
    /// The session of one agent of one town: its latest by creation.
    pub fn of(&self, town: &str, address: &str) -> Option<&Session> {
        self.ours(town)
            .filter(|session| session.marks.address == address)
            .max_by_key(|session| session.created)
    }

    /// The session of every agent of one town, by address, as [`Snapshot::of`] finds it.
    pub fn latest(&self, town: &str) -> HashMap<&str, &Session> {
        let mut latest: HashMap<&str, &Session> = HashMap::new();
        for session in self.ours(town) {
            let own = latest.entry(&session.marks.address).or_insert(session);
            if session.created >= own.created {
                *own = session;
            }
        }
        latest
    }

    /// The remote that an agent of ours is on: where its session was seen, else where it was started, while that daemon
    /// is silent.
    pub fn remote_of(&self, town: &str, address: &str) -> Option<&str> {
        let seen = self.of(town, address).and_then(|session| session.remote.as_deref());
        seen.or_else(|| self.away.unreachable.get(address).map(String::as_str))
    }

    /// All sessions of one town.
    pub fn ours(&self, town: &str) -> impl Iterator<Item = &Session> {
        self.sessions.iter().filter(move |session| session.marks.town == town)
    }
}

/// A session that is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Spec {
    /// Its name where that is free; `-2` and so on where not.
    pub name: String,
    /// Its window's name.
    pub window: String,
    /// Where the program starts.
    pub cwd: PathBuf,
    /// Its environment.
    #[serde(serialize_with = "shown")]
    pub env: Vec<(String, String)>,
    /// What it gets besides of the environment of the command that starts it.
    #[serde(skip)]
    pub passed: Vec<(String, String)>,
    /// The program that keeps what an older server remembers from its programs: gt.
    #[serde(skip)]
    pub gt: String,
    /// The program and its words, run without a shell.
    pub argv: Vec<String>,
    /// The lock that its agent takes; none for one on another machine.
    #[serde(skip)]
    pub lock: Option<AgentLock>,
    /// Its marks.
    pub marks: Marks,
    /// A text for `sh` that is run (without a terminal) when the program ends.
    pub on_end: String,
    /// What it shows; one window with the agent when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Window>,
    /// Where it is to run when not on this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub away: Option<RemoteTarget>,
}

/// An environment for output: of what gt does not set itself only the names.
fn shown<S: serde::Serializer>(env: &[(String, String)], to: S) -> std::result::Result<S::Ok, S::Error> {
    to.collect_seq(env.iter().map(|(key, value)| (key, if is_public(key) { value.as_str() } else { "…" })))
}

/// The lock of an agent ([`crate::town::occupancy`]).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentLock {
    /// The program that takes it and becomes the agent: gt.
    pub gt: String,
    /// The file.
    pub file: PathBuf,
}

impl AgentLock {
    /// The words of an agent's program, from those that its pane was started with.
    pub fn program(words: &[String]) -> &[String] {
        match words {
            [_, run, _, _, _, dashes, program @ ..] if run == "run-agent" && dashes == "--" => program,
            [_, run, dashes, program @ ..] if run == "run-clean" && dashes == "--" => program,
            _ => words,
        }
    }
}

impl Spec {
    /// What its agent's pane runs: [`Spec::argv`], behind what takes the lock.
    pub fn start_line(&self) -> Vec<String> {
        let mut line = Vec::new();
        if let Some(AgentLock { gt, file }) = self.lock.as_ref().filter(|_| !self.argv.is_empty()) {
            let file = file.to_string_lossy().into_owned();
            let (address, instance) = (self.marks.address.clone(), self.marks.instance.clone());
            line.extend([gt.clone(), "run-agent".into(), file, address, instance.into(), "--".into()]);
        }
        line.extend(self.argv.iter().cloned());
        line
    }

    /// What a pane runs that is not the agent's.
    pub fn clean_line(&self, words: &[&str]) -> Vec<String> {
        let gt = [self.gt.as_str(), "run-clean", "--"];
        gt.iter().take_while(|_| !self.gt.is_empty()).chain(words).map(|word| (*word).to_string()).collect()
    }

    /// All that its programs get.
    pub fn environment(&self) -> Vec<(String, String)> {
        let own = |key: &str| self.env.iter().any(|(own, _)| own == key);
        self.passed.iter().filter(|(key, _)| !own(key)).chain(&self.env).cloned().collect()
    }

    /// What it shows: its windows, or the one with the agent when it says nothing of them.
    pub fn shown(&self) -> Vec<Window> {
        if !self.windows.is_empty() {
            return self.windows.clone();
        }
        let agent = WantedPane { runs: Runs::Agent, ..WantedPane::default() };
        vec![Window { name: self.window.clone(), panes: vec![agent], ..Window::default() }]
    }

    /// Whether an agent runs in it: not in windows alone (the runtime `none`).
    pub fn has_agent(&self) -> bool {
        let mut panes = self.windows.iter().flat_map(|window| &window.panes);
        self.windows.is_empty() || panes.any(|pane| pane.runs == Runs::Agent)
    }
}

/// Where a session runs that is not on this machine (`remote.md`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RemoteTarget {
    /// The remote's name; its address where it has none.
    pub remote: String,
    /// The daemon's address; empty for the program's own default socket.
    pub fugue_addr: String,
    /// Where the town is over there.
    pub town: String,
    /// The agent's branch; empty for who has none.
    pub branch: String,
    /// The preset's tags; gt's own come after them.
    pub tags: Vec<String>,
    /// What runs there: one text for `sh`, with the environment in it.
    #[serde(skip)]
    pub line: String,
}

/// A session that was started; or, in minimal mode, what to run by hand instead.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Started {
    /// tmux's id of the session; empty in minimal mode.
    pub session: String,
    /// tmux's id of the agent's pane.
    pub pane: String,
    /// The agent's process.
    pub pid: i32,
    /// The name it got.
    pub name: String,
    /// In minimal mode nothing was started: this is to be said instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_hand: Option<ByHand>,
    /// On another machine it is still being made ready; whether that succeeds is not known yet.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub under_way: bool,
    /// What is to be said of the start.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// On another machine: by which its completion records prove themselves; empty when it was not seen.
    #[serde(skip)]
    pub secret: String,
}

/// What a person should run where no session can be made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ByHand {
    /// One line for a shell.
    pub command: String,
    /// Why there is no session.
    pub why: String,
}

/// A look that is under way.
pub enum Looking {
    /// At a tmux server.
    Tmux(crate::programs::tmux::TmuxLooking),
    /// At a tmux server and at daemons on other machines.
    Hybrid(hybrid::HybridLooking),
    /// Nothing had to be asked.
    Known(Snapshot),
}

impl Looking {
    /// What was found.
    ///
    /// # Errors
    /// Only for what keeps gt itself from looking; a server that cannot be asked is [`Snapshot::unknown`].
    pub fn wait(self) -> Result<Snapshot> {
        Ok(match self {
            Looking::Known(snapshot) => snapshot,
            Looking::Hybrid(looking) => looking.wait()?,
            Looking::Tmux(looking) => seen(looking.wait()?),
        })
    }
}

fn seen(sight: Result<crate::programs::tmux::ServerSight, String>) -> Snapshot {
    match sight {
        Ok(sight) => tmux::snapshot(sight),
        Err(why) => Snapshot { unknown: Some(why), ..Snapshot::default() },
    }
}

/// Opens what keeps sessions: tmux when it is there (on the socket of that name, its default when absent), else
/// minimal mode.
///
/// # Errors
/// When tmux is asked for and is not there, or what is asked for is not built in.
pub fn open(choice: Multiplexer, socket: Option<&str>) -> Result<Box<dyn Mux>> {
    let found = which::which("tmux").is_ok();
    Ok(match choice {
        Multiplexer::None => Box::new(none::None::new("multiplexer = \"none\"")),
        Multiplexer::Tmux if !found => {
            crate::fail!("tmux is not installed or not on PATH"; "install it, or allow minimal mode: multiplexer = \"auto\"")
        }
        Multiplexer::Fugue => {
            crate::fail!("sessions through fugue are not there yet"; "use multiplexer = \"tmux\"")
        }
        Multiplexer::Auto if !found => Box::new(none::None::new("tmux is not installed")),
        Multiplexer::Auto | Multiplexer::Tmux => Box::new(tmux::TmuxMux::new(socket)),
    })
}

/// A program that keeps sessions.
pub trait Mux {
    /// Starts one look at everything, as closely as is asked for, in one process; other work can go on meanwhile.
    ///
    /// # Errors
    /// When the program cannot be started.
    fn begin_look(&self, depth: Depth) -> Result<Looking>;

    /// One look at everything, in one process.
    ///
    /// # Errors
    /// None for a server that does not run (an empty snapshot) or that cannot be asked (`unknown` says why); only
    /// for what keeps gt itself from looking.
    fn look(&self) -> Result<Snapshot> {
        self.begin_look(Depth::Marks)?.wait()
    }

    /// One look at this machine alone: for who marks a session that it is in itself, and must not wait for others.
    ///
    /// # Errors
    /// As [`Mux::look`].
    fn look_here(&self) -> Result<Snapshot> {
        self.look()
    }

    /// One look at the place alone where this session or pane is, and at what is in front there.
    ///
    /// # Errors
    /// As [`Mux::look`].
    fn look_at(&self, _session: &str) -> Result<Snapshot> {
        self.begin_look(Depth::Programs)?.wait()
    }

    /// Starts a session, in one process: environment, marks and the hook for its end stand before the program runs.
    /// `taken` are names in use.
    ///
    /// # Errors
    /// When it could not be started; nothing is left of it then.
    fn start(&self, spec: &Spec, taken: &Snapshot) -> Result<Started>;

    /// Makes sure that a daemon can be reached before anything is changed. One that the look has asked is not asked again.
    ///
    /// # Errors
    /// Why it cannot be, with what helps.
    fn reachable(&self, _remote: &KnownRemote, _seen: &Snapshot) -> Result<()> {
        Ok(())
    }

    /// Whether the program that asks other machines is there.
    ///
    /// # Errors
    /// When it is not installed.
    fn has_client(&self) -> Result<()> {
        Ok(())
    }

    /// Starts several sessions, in few processes where that can be. `each` is told of every one that is there, by its number.
    fn start_many(&self, specs: &[&Spec], taken: &Snapshot, each: &dyn Fn(usize)) -> Vec<Result<Started>> {
        let start = |(number, spec): (usize, &&Spec)| {
            let started = self.start(spec, taken)?;
            each(number);
            Ok(started)
        };
        specs.iter().enumerate().map(start).collect()
    }

    /// Says on a session what its agent does, and since when.
    ///
    /// # Errors
    /// When the session is gone.
    fn mark(&self, session: &str, state: &str, since: &str) -> Result<()>;

    /// Changes a session that goes on running, in one process; `session` is as a close look saw it, `spec` as it is
    /// wanted now. All or nothing is not promised: a change that fails stops those after it, and says which it was.
    ///
    /// # Errors
    /// When the session is gone or not ours, or one of the changes cannot be made.
    fn change(&self, session: &Session, _spec: &Spec, _changes: &[LiveChange]) -> Result<()> {
        crate::fail!("{} shows no windows of its own, so none can be changed", session.name)
    }

    /// Ends sessions by id, in one process. One that is gone already is no error.
    ///
    /// # Errors
    /// When the server could not be asked.
    fn stop(&self, sessions: &[&str]) -> Result<()>;

    /// The last `lines` lines of the agent's pane, with its history.
    ///
    /// # Errors
    /// When the pane is gone.
    fn capture(&self, pane: &str, lines: usize) -> Result<String>;

    /// The visible screens of agents' panes on this machine, in one process; nothing for one that is gone.
    ///
    /// # Errors
    /// When the program that keeps them could not be asked.
    fn screens(&self, panes: &[&str]) -> Result<Vec<Option<String>>> {
        Ok(panes.iter().map(|pane| self.capture(pane, 0).ok()).collect())
    }

    /// Pastes text as a block into a pane whose program is alive; nothing is submitted. [`deliver`] is what
    /// decides whether the screen takes it.
    ///
    /// # Errors
    /// When the pane is gone or dead; nothing is left behind then.
    fn paste(&self, pane: &str, text: &str) -> Result<()>;

    /// Presses keys, by tmux's names for them (`Enter`, `C-c`).
    ///
    /// # Errors
    /// When the pane is gone.
    fn keys(&self, pane: &str, keys: &[String]) -> Result<()>;

    /// Runs something short on another machine, in a session of its own.
    ///
    /// # Errors
    /// As [`fugue::FugueMux::errand`]; also where there are no other machines.
    fn errand(&self, errand: &fugue::errand::Errand) -> Result<fugue::errand::Ran> {
        crate::fail!("no daemon is known at {}", errand.fugue_addr; "see which there are with: gt remote list")
    }

    /// Shows a session to the person: inside tmux the client switches, outside it attaches.
    ///
    /// # Errors
    /// When there is no terminal or the session is gone.
    fn attach(&self, session: &str) -> Result<()>;

    /// `tmux` or `none`.
    fn kind(&self) -> &'static str;
}
