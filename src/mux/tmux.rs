//! Sessions in tmux.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsStr;
use std::path::Path;

use anyhow::Result;

use super::{
    LiveChange, Looking, Marks, Mux, Pane, SeenPane, SeenWindow, Session, Snapshot, Spec, Started, live, none,
};
use crate::base::failure::Failure;
use crate::base::terminal;
use crate::mux::wanted::{not_text, wanted_window};
use crate::programs::tmux::{self, Answer, Depth, Made, NewTmuxSession, PaneRow, ServerSight};
use crate::town::occupancy::{self, Occupied};

/// How many sessions one process makes at most: what a time limit and a kill are about.
const TOGETHER: usize = 16;

/// How many names are tried when the one that is wanted belongs to somebody else.
const NAMES: usize = 100;

/// The sessions of one tmux server.
#[derive(Clone, Debug)]
pub struct TmuxMux {
    server: tmux::Tmux,
}

impl TmuxMux {
    /// The server on that socket; tmux's default when absent.
    pub fn new(socket: Option<&str>) -> TmuxMux {
        TmuxMux { server: tmux::Tmux::new(socket) }
    }

    /// The server and the session that a pane was made in, by its variable `TMUX`.
    pub fn of_pane(tmux: &str) -> Option<(TmuxMux, String)> {
        let (server, session) = tmux::Tmux::of_pane(tmux)?;
        Some((TmuxMux { server }, session))
    }

    /// Starts those that can be in a few processes, by their number; whoever is not among them is to be started alone,
    /// which also tells why it could not be.
    fn start_together(&self, specs: &[&Spec], taken: &Snapshot) -> BTreeMap<usize, Started> {
        let mut begun = BTreeMap::new();
        if specs.len() < 2 || taken.minimal.is_some() {
            return begun;
        }
        let mut names: BTreeSet<String> = taken.sessions.iter().map(|session| session.name.clone()).collect();
        let mut sheets: Vec<(usize, Sheet<'_>)> = Vec::new();
        for (number, spec) in specs.iter().enumerate().filter(|(_, spec)| spec.away.is_none()) {
            if let Ok(sheet) = Sheet::of(spec, spec.name.clone())
                && is_free(spec)
                && names.insert(spec.name.clone())
            {
                sheets.push((number, sheet));
            }
        }
        for some in sheets.chunks(TOGETHER) {
            let wanted: Vec<NewTmuxSession<'_>> = some.iter().map(|(_, sheet)| sheet.wanted()).collect();
            let made = self.server.new_sessions(&wanted).unwrap_or_default();
            for ((number, sheet), made) in some.iter().zip(made) {
                if let Made::Session(session, pane, pid) = made {
                    let name = sheet.name.clone();
                    begun.insert(*number, Started { session, pane, pid, name, ..Started::default() });
                }
            }
        }
        begun
    }

    /// The agent's session, when another command made it after this one looked: one that was killed, say, whose call the
    /// server carried out all the same. A polecat's is nothing to go on with: it belongs to another instance.
    fn begun_meanwhile(&self, spec: &Spec) -> Result<Option<Started>> {
        let snapshot = self.look()?;
        let found = snapshot.of(&spec.marks.town, &spec.marks.address).filter(|session| session.alive());
        let Some((session, pane)) = found.and_then(|session| Some((session, session.panes.first()?))) else {
            return Ok(None);
        };
        if !spec.marks.bead.is_empty() {
            crate::fail!(
                "{} was started by another command just now, in session {}",
                spec.marks.address,
                session.name
            );
        }
        let (id, name) = (session.id.clone(), session.name.clone());
        Ok(Some(Started { session: id, pane: pane.id.clone(), pid: pane.pid, name, ..Started::default() }))
    }

    /// Why tmux made no session, once it refused: below its oldest usable version that is minimal mode.
    fn refused(&self, spec: &Spec, why: &str) -> Result<Started> {
        let version = tmux::Tmux::version()?;
        match tmux::parse_version(&version) {
            Some(found) if found < tmux::MINIMUM => {
                none::None::new(too_old(&version)).start(spec, &Snapshot::default())
            }
            _ => crate::fail!("tmux did not start the session {}: {why}", spec.name),
        }
    }
}

/// Why an old tmux is not used.
fn too_old(version: &str) -> String {
    let (major, minor) = tmux::MINIMUM;
    format!("tmux {version} is too old, gt needs {major}.{minor} or later")
}

/// A session as tmux is to be told it, under the name that it gets.
struct Sheet<'a> {
    spec: &'a Spec,
    name: String,
    cwd: &'a str,
    env: Vec<(String, String)>,
    argv: Vec<String>,
    agent: tmux::PaneMark,
    windows: Vec<tmux::NewWindow>,
}

impl<'a> Sheet<'a> {
    /// Refuses what would only fail once the session is there.
    fn of(spec: &'a Spec, name: String) -> Result<Sheet<'a>> {
        check(spec)?;
        let cwd = spec.cwd.to_str().ok_or_else(|| not_text(&spec.cwd))?;
        let env = named(&spec.environment(), &name);
        let argv = spec.start_line();
        let Marks { town, address, role, bead, instance, preset, .. } = spec.marks.clone();
        let agent =
            tmux::PaneMark { instance, address, role, bead, town, preset, ..tmux::PaneMark::default() };
        Ok(Sheet { agent, cwd, env, argv, windows: windows(spec)?, spec, name })
    }

    fn wanted(&self) -> NewTmuxSession<'_> {
        NewTmuxSession {
            name: &self.name,
            window: &self.spec.window,
            cwd: self.cwd,
            env: &self.env,
            argv: &self.argv,
            agent: self.agent.clone(),
            state: (&self.spec.marks.state, &self.spec.marks.since),
            hash: &self.spec.marks.hash,
            on_end: &self.spec.on_end,
            windows: &self.windows,
        }
    }
}

impl Mux for TmuxMux {
    fn begin_look(&self, depth: Depth) -> Result<Looking> {
        Ok(Looking::Tmux(self.server.begin_look(depth)?))
    }

    fn start(&self, spec: &Spec, taken: &Snapshot) -> Result<Started> {
        if let Some(why) = &taken.minimal {
            return none::None::new(why.clone()).start(spec, taken);
        }
        if let Some(away) = &spec.away {
            crate::fail!("{} is to run on {}, not in tmux here", spec.name, away.remote);
        }
        if !is_free(spec) {
            if let Some(begun) = self.begun_meanwhile(spec)? {
                return Ok(begun);
            }
            free(spec)?;
        }
        for number in 1..=NAMES {
            let name = if number == 1 { spec.name.clone() } else { format!("{}-{number}", spec.name) };
            if taken.sessions.iter().any(|session| session.remote.is_none() && session.name == name) {
                continue;
            }
            let mut made = self.server.new_sessions(&[Sheet::of(spec, name.clone())?.wanted()])?;
            match made.pop().unwrap_or(Made::Duplicate) {
                Made::Session(session, pane, pid) => {
                    return Ok(Started { session, pane, pid, name, ..Started::default() });
                }
                Made::Duplicate => {
                    if let Some(begun) = self.begun_meanwhile(spec)? {
                        return Ok(begun);
                    }
                }
                Made::Refused(why) => return self.refused(spec, &why),
            }
        }
        crate::fail!("{NAMES} sessions named like {} exist already", spec.name; "see them with: tmux list-sessions")
    }

    fn start_many(&self, specs: &[&Spec], taken: &Snapshot, each: &dyn Fn(usize)) -> Vec<Result<Started>> {
        let mut together = self.start_together(specs, taken);
        let start = |(number, spec): (usize, &&Spec)| {
            let started = match together.remove(&number) {
                Some(started) => started,
                None => self.start(spec, taken)?,
            };
            each(number);
            Ok(started)
        };
        specs.iter().enumerate().map(start).collect()
    }

    fn mark(&self, session: &str, state: &str, since: &str) -> Result<()> {
        done(self.server.mark(session, state, since)?, "mark", session)
    }

    fn change(&self, session: &Session, spec: &Spec, changes: &[LiveChange]) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        for pane in spec.windows.iter().flat_map(|window| &window.panes) {
            if let Some(folder) = pane.cwd.as_ref().filter(|folder| !folder.is_dir()) {
                crate::fail!("cannot change {}: no folder {}", session.name, folder.display());
            }
        }
        let (made, answer) = self.server.change(live::changes(session, spec, changes)?)?;
        let what = match changes.get(made) {
            Some(failed) => format!("make the change {} of {} ({failed:?}) to", made + 1, changes.len()),
            None => "change".into(),
        };
        done(answer, &what, &session.name)
    }

    fn stop(&self, sessions: &[&str]) -> Result<()> {
        if sessions.is_empty() {
            return Ok(());
        }
        match self.server.kill(sessions)? {
            Answer::Said(_) | Answer::Nothing => Ok(()),
            Answer::Failed(why) => crate::fail!("cannot stop sessions: {why}"),
        }
    }

    fn capture(&self, pane: &str, lines: usize) -> Result<String> {
        match self.server.capture(pane, lines)? {
            Answer::Said(text) => {
                let text = text.trim_end();
                let kept: Vec<&str> = text.lines().collect();
                Ok(kept[kept.len().saturating_sub(lines)..].join("\n"))
            }
            Answer::Nothing => crate::fail!("cannot read pane {pane}: no tmux server runs"),
            Answer::Failed(why) => crate::fail!("cannot read pane {pane}: {why}"),
        }
    }

    fn screens(&self, panes: &[&str]) -> Result<Vec<Option<String>>> {
        self.server.screens(panes)
    }

    fn paste(&self, pane: &str, text: &str) -> Result<()> {
        done(self.server.paste(pane, text)?, "paste into", pane)
    }

    fn keys(&self, pane: &str, keys: &[String]) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        done(self.server.keys(pane, keys)?, "press keys in", pane)
    }

    fn attach(&self, session: &str) -> Result<()> {
        if !terminal::can_ask() {
            crate::fail!("attaching needs a terminal"; "in one, run: {}", self.server.show(session, false).shown());
        }
        let around = std::env::var("TMUX").unwrap_or_default();
        if around.is_empty() {
            return Err(self.server.show(session, false).exec());
        }
        let show = self.server.show(session, self.server.is_inside(&around));
        if !self.server.is_inside(&around) {
            crate::fail!(
                "this terminal is in another tmux server than the town's sessions";
                "detach first, or nest it with: env -u TMUX {}", show.shown()
            );
        }
        let output = show.run()?;
        if !output.ok() {
            crate::fail!("cannot switch to {session}: {}", output.error_text());
        }
        Ok(())
    }

    fn kind(&self) -> &'static str {
        "tmux"
    }
}

fn is_free(spec: &Spec) -> bool {
    spec.lock.as_ref().is_none_or(|lock| occupancy::is_held(&lock.file) == Occupied::No)
}

/// Refuses a second agent where one runs; one that was just ended gets a moment to go.
fn free(spec: &Spec) -> Result<()> {
    let Some(lock) = &spec.lock else { return Ok(()) };
    occupancy::when_free(&lock.file, occupancy::ENDING)
        .refuse(&format!("cannot start {}", spec.marks.address))
}

/// Refuses what would only fail once the session is there: tmux starts in the home folder when the one asked for
/// is gone, and a missing program ends in its pane.
///
/// # Errors
/// A folder or a program that is not there.
pub fn check(spec: &Spec) -> Result<()> {
    let panes = spec.windows.iter().flat_map(|window| &window.panes);
    for folder in panes.filter_map(|pane| pane.cwd.as_ref()).chain([&spec.cwd]) {
        if !folder.is_dir() {
            crate::fail!("cannot start {}: no folder {}", spec.name, folder.display());
        }
    }
    if !spec.has_agent() {
        return Ok(());
    }
    let Some(program) = spec.argv.first() else {
        crate::fail!("cannot start {}: no program to run", spec.name);
    };
    let own = std::env::var_os("PATH");
    let path = spec.env.iter().rev().find(|(key, _)| key == "PATH").map(|(_, value)| OsStr::new(value));
    installed(program, path.or(own.as_deref()), &spec.cwd)
}

/// The windows as tmux is to make them.
fn windows(spec: &Spec) -> Result<Vec<tmux::NewWindow>> {
    spec.windows.iter().enumerate().map(|(number, window)| wanted_window(spec, number, window)).collect()
}

/// Refuses a runtime's program that is not there.
///
/// # Errors
/// When it is not on that PATH, or no file.
pub fn installed(program: &str, path: Option<&OsStr>, cwd: &Path) -> Result<()> {
    if which::which_in(program, path, cwd).is_ok() {
        return Ok(());
    }
    let others: Vec<String> = crate::config::built_in_agents()
        .into_iter()
        .filter(|(_, own)| own != program && which::which_in(own, path, cwd).is_ok())
        .map(|(name, _)| name)
        .collect();
    let hint = match others.as_slice() {
        [] => String::from("install it, or choose another runtime"),
        some => format!("install it, or choose a runtime that is installed: {}", some.join(", ")),
    };
    let hint = format!("{hint}; {}", crate::config::RUNTIME);
    Err(Failure::new(format!("{program} is not installed or not on PATH")).hint(hint).into())
}

/// The environment with the name that the session really gets.
fn named(env: &[(String, String)], name: &str) -> Vec<(String, String)> {
    let value = |key: &str, value: &str| if key == "GT_SESSION" { name.into() } else { value.to_string() };
    env.iter().map(|(key, old)| (key.clone(), value(key, old))).collect()
}

fn done(answer: Answer, what: &str, target: &str) -> Result<()> {
    match answer {
        Answer::Said(_) => Ok(()),
        Answer::Nothing => crate::fail!("cannot {what} {target}: no tmux server runs"),
        Answer::Failed(why) => crate::fail!("cannot {what} {target}: {why}"),
    }
}

/// What the rows of a look come to.
pub fn snapshot(sight: ServerSight) -> Snapshot {
    let mut snapshot = Snapshot { server: sight.server, ..Snapshot::default() };
    if tmux::parse_version(&sight.version).is_some_and(|found| found < tmux::MINIMUM) {
        snapshot.minimal = Some(too_old(&sight.version));
    }
    // Agents whose pane is not in the session that gt made for it: a person joined, moved or linked it elsewhere.
    let mut strays: Vec<PaneRow> = Vec::new();
    let mut at: HashMap<String, usize> = HashMap::new();
    for mut row in sight.rows {
        let is_home =
            |own: &tmux::Own| row.agent.as_ref().is_some_and(|agent| agent.instance == own.agent.instance);
        let at_home = row.own.as_ref().is_some_and(is_home);
        if row.agent.is_some() && !at_home {
            strays.push(row.clone());
        }
        let at = *at.entry(row.session.clone()).or_insert_with(|| {
            snapshot.sessions.push(new_session(&mut row));
            snapshot.sessions.len() - 1
        });
        let session = &mut snapshot.sessions[at];
        session.activity = session.activity.max(row.activity);
        session.agent_gone &= !at_home;
        if let Some(close) = row.close.take() {
            add_window(session, &row, close, at_home);
        }
        // The agent's pane may be any, and a person may have split the window above it.
        let first = if at_home { 0 } else { session.panes.len() };
        session.panes.insert(first, pane(row, at_home));
    }
    for window in snapshot.sessions.iter_mut().flat_map(|session| &mut session.windows) {
        // Where a person's pane stayed when ours went, the window is theirs.
        if !window.panes.iter().any(|pane| pane.agent || pane.mark.is_some()) {
            (window.mark, window.asked) = (None, String::new());
        }
    }
    for row in strays {
        add_stray(&mut snapshot, row);
    }
    snapshot
}

/// A session from the first of its rows. It is gt's only with the mark that names it.
fn new_session(row: &mut PaneRow) -> Session {
    let own = row.own.as_ref();
    let (state, hash) = (std::mem::take(&mut row.state), std::mem::take(&mut row.hash));
    Session {
        id: row.session.clone(),
        name: row.name.clone(),
        agent_gone: own.is_some_and(|own| !own.alone),
        marks: own.map(|own| marks(own.agent.clone(), state, hash)).unwrap_or_default(),
        attached: row.attached,
        activity: row.activity,
        created: own.map_or(0, |own| own.agent.created),
        ..Session::default()
    }
}

fn marks(agent: tmux::PaneMark, state: tmux::StateMark, hash: String) -> Marks {
    let tmux::PaneMark { instance, address, role, bead, town, preset, .. } = agent;
    let tmux::StateMark { state, since } = state;
    Marks { town, address, role, state, bead, since, instance, preset, hash }
}

fn pane(row: PaneRow, agent: bool) -> Pane {
    Pane {
        id: row.pane,
        pid: row.pid,
        dead: row.dead,
        exit: row.exit.filter(|_| row.dead),
        signal: row.signal.filter(|_| row.dead),
        command: row.command,
        agent,
        mark: row.mark,
    }
}

/// An agent's pane in a session that is not its own. It belongs to its own session where that is left; else it is one by
/// itself, whose id is the pane's. A pane that several sessions show counts once.
fn add_stray(snapshot: &mut Snapshot, row: PaneRow) {
    let Some(agent) = row.agent.clone() else { return };
    let seen = |session: &Session| session.panes.iter().any(|pane| pane.agent && pane.id == row.pane);
    if snapshot.sessions.iter().any(seen) {
        return;
    }
    let own = |session: &&mut Session| session.agent_gone && session.marks.instance == agent.instance;
    if let Some(session) = snapshot.sessions.iter_mut().find(own) {
        session.agent_gone = false;
        session.activity = session.activity.max(row.activity);
        session.panes.insert(0, pane(row, true));
        return;
    }
    // What it does is on the pane once gt says so there, because no session of its own is left.
    let alone = row.alone.clone();
    let hash = if alone.is_some() { row.hash.clone() } else { String::new() };
    snapshot.sessions.push(Session {
        id: row.pane.clone(),
        name: row.name.clone(),
        attached: row.attached,
        activity: row.activity,
        created: agent.created,
        marks: marks(agent, alone.unwrap_or_default(), hash),
        panes: vec![pane(row, true)],
        ..Session::default()
    });
}

fn add_window(session: &mut Session, row: &PaneRow, close: tmux::PaneDetail, agent: bool) {
    if session.windows.last().is_none_or(|window| window.id != close.window) {
        let (mark, asked) = close.window_mark.split_once(' ').unwrap_or_default();
        session.windows.push(SeenWindow {
            mark: mark.parse().ok(),
            asked: asked.into(),
            id: close.window,
            index: close.index,
            name: close.window_name,
            layout: close.layout,
            size: close.window_size,
            active: close.window_active,
            panes: Vec::new(),
        });
    }
    let (mark, asked) = row.mark.split_once(' ').unwrap_or_default();
    let mark =
        mark.split_once('.').and_then(|(window, pane)| Some((window.parse().ok()?, pane.parse().ok()?)));
    if let Some(window) = session.windows.last_mut() {
        window.panes.push(SeenPane {
            id: row.pane.clone(),
            index: close.pane_index,
            mark,
            asked: asked.into(),
            agent,
            command: row.command.clone(),
            start_command: close.start_command,
            path: close.path,
            active: close.active,
            dead: row.dead,
            pid: row.pid,
            size: close.size,
        });
    }
}
