//! What it takes to get from what runs to what should run: [`Layout`] and [`Snapshot`] in, [`Plan`] out.
//!
//! Sessions are known by their marks, never by their names. What could not be seen is left alone, and so is an agent
//! that lives, unless its end is asked for.

use std::collections::BTreeMap;

use serde::Serialize;

use super::layout::{AskedMark, Layout, WantedAgent};
use super::live;
use crate::model::address::Role;
use crate::model::state::State;
use crate::mux::{LiveChange, Session, Snapshot, Spec};

/// The difference, in the order in which it is done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// What is to be done, and what is left alone.
    pub lines: Vec<PlanLine>,
    /// Agents that should run, but that a person took down.
    pub down: Vec<String>,
    /// How many run as they should.
    pub good: usize,
}

/// One session's part of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlanLine {
    /// What is done.
    pub sign: Sign,
    /// Whose session; empty when it is nobody's of this town.
    pub address: String,
    /// The session's name: as it is, or as it will be where that name is free.
    pub session: String,
    /// tmux's own id of a session that is there.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// What is changed while it runs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub live: Vec<LiveChange>,
    /// What takes a new start of the agent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub restart: Vec<ChangedPart>,
    /// Why, where that is not plain.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// Why the agent's end, which this takes, waits until it is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<SkipReason>,
}

/// What is done with a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Sign {
    /// It is started.
    #[serde(rename = "+")]
    Start,
    /// It is changed.
    #[serde(rename = "~")]
    Change,
    /// It is stopped.
    #[serde(rename = "-")]
    Stop,
    /// Nothing.
    #[serde(rename = "!")]
    Alone,
}

impl Sign {
    /// As plans show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Sign::Start => "+",
            Sign::Change => "~",
            Sign::Stop => "-",
            Sign::Alone => "!",
        }
    }
}

/// A part of what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangedPart {
    /// The agent's words.
    Command,
    /// Where it starts.
    Folder,
    /// Its environment.
    Environment,
    /// Where the session lives.
    Place,
    /// Its windows, in a way that its agent's pane would have to be another.
    Windows,
    /// Everything: it does not say what it was started with.
    All,
}

impl ChangedPart {
    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            ChangedPart::Command => "command",
            ChangedPart::Folder => "folder",
            ChangedPart::Environment => "environment",
            ChangedPart::Place => "place",
            ChangedPart::Windows => "windows",
            ChangedPart::All => "everything",
        }
    }
}

/// Why an agent is not ended unasked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// It works.
    Works,
    /// It waits for somebody.
    Waits,
    /// Somebody looks at it.
    Attached,
    /// It has ended, and panes that a person opened are in its session.
    Panes,
}

impl SkipReason {
    /// What an agent that lives does.
    pub fn of(session: &Session) -> SkipReason {
        match &session.marks.state {
            _ if session.attached > 0 => SkipReason::Attached,
            state if *state == State::Question || *state == State::Idle => SkipReason::Waits,
            _ => SkipReason::Works,
        }
    }

    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            SkipReason::Works => "it works",
            SkipReason::Waits => "it waits",
            SkipReason::Attached => "somebody is attached",
            SkipReason::Panes => "panes of a person's are in its session",
        }
    }
}

impl PlanLine {
    /// Whether something is done about it.
    pub fn acts(&self) -> bool {
        match self.sign {
            Sign::Change => !self.live.is_empty() || self.restarts(),
            Sign::Start | Sign::Stop => self.held.is_none(),
            Sign::Alone => false,
        }
    }

    /// Whether the agent is started anew.
    pub fn restarts(&self) -> bool {
        !self.restart.is_empty() && self.held.is_none()
    }

    fn new(sign: Sign, address: &str, session: &Session, why: impl Into<String>) -> PlanLine {
        PlanLine {
            sign,
            address: address.into(),
            session: session.name.clone(),
            id: session.id.clone(),
            live: Vec::new(),
            restart: Vec::new(),
            why: why.into(),
            held: None,
        }
    }
}

impl Plan {
    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        !self.lines.iter().any(PlanLine::acts)
    }

    /// How many lines of a kind are done.
    pub fn count(&self, sign: Sign) -> usize {
        self.lines.iter().filter(|line| line.sign == sign && line.acts()).count()
    }
}

/// The plan. With `restart` agents that live are ended where that is needed.
pub fn diff(layout: &Layout<'_>, snapshot: &Snapshot, restart: bool) -> Plan {
    let mut own: BTreeMap<&str, Vec<&Session>> = BTreeMap::new();
    for session in snapshot.ours(&layout.town) {
        own.entry(&session.marks.address).or_default().push(session);
    }
    let mut diff = Diff { snapshot, town: &layout.town, restart, plan: Plan::default(), alone: Vec::new() };
    for wanted in &layout.wanted {
        let address = wanted.address.to_string();
        let found = own.remove(address.as_str()).unwrap_or_default();
        diff.wanted(wanted, &address, found);
    }
    if !layout.some {
        for (address, sessions) in own {
            let down = layout.down.iter().any(|own| own == address);
            for session in sessions.into_iter().filter(|session| is_long_running(session)) {
                diff.unwanted(address, session, down);
            }
        }
    }
    diff.plan.lines.append(&mut diff.alone);
    diff.plan
}

struct Diff<'a> {
    snapshot: &'a Snapshot,
    town: &'a str,
    restart: bool,
    plan: Plan,
    /// What is left alone comes last.
    alone: Vec<PlanLine>,
}

impl Diff<'_> {
    /// An agent that should run, with all sessions of its own.
    fn wanted(&mut self, wanted: &WantedAgent<'_>, address: &str, found: Vec<&Session>) {
        if wanted.down {
            self.down(address, &found);
            return;
        }
        // What it is to be could not be worked out: nothing is concluded.
        let Some(spec) = wanted.spec else { return };
        if let Some(remote) = self.snapshot.away.unreachable.get(address) {
            self.leave(address, &spec.name, &format!("on {remote}, which does not answer"));
            return;
        }
        if let Some(why) = &self.snapshot.unknown {
            self.leave(address, &spec.name, &format!("whether it runs cannot be known: {why}"));
            return;
        }
        let lives = found.iter().copied().filter(|session| session.alive()).max_by_key(|one| one.created);
        match lives {
            Some(session) => {
                for other in found.iter().filter(|other| other.alive() && other.id != session.id) {
                    let why = format!("session {} is a later one of the same agent", session.name);
                    self.alone.push(PlanLine::new(Sign::Alone, address, other, why));
                }
                self.running(address, spec, session);
            }
            None => self.start(address, spec, &found),
        }
    }

    /// An agent that a person took down: what is left of it goes, because they asked for that.
    fn down(&mut self, address: &str, found: &[&Session]) {
        self.plan.down.push(address.into());
        let stop = |session: &&Session| PlanLine::new(Sign::Stop, address, session, "taken down");
        self.plan.lines.extend(found.iter().map(stop));
    }

    /// An agent that should run and does not; what it left gives way, unless a person is in there.
    fn start(&mut self, address: &str, spec: &Spec, ended: &[&Session]) {
        let theirs = |other: &&Session| other.name == spec.name && other.marks.town != self.town;
        if let Some(other) = self.snapshot.sessions.iter().find(theirs) {
            let why = format!("not this town's, though it has the name of {address}");
            self.alone.push(PlanLine::new(Sign::Alone, "", other, why));
        }
        let why = if ended.is_empty() { "" } else { "its agent has ended" };
        let mut line = PlanLine::new(Sign::Start, address, &Session::default(), why);
        line.session = self.free(&spec.name, address);
        line.id = ended.first().map(|session| session.id.clone()).unwrap_or_default();
        line.held = ended.iter().find_map(|session| in_use(session)).filter(|_| !self.restart);
        self.plan.lines.push(line);
    }

    /// The name that a new session gets: its own, or the first with a number that nobody else has.
    fn free(&self, name: &str, address: &str) -> String {
        let own = |other: &Session| other.marks.town == self.town && other.marks.address == address;
        let free = |name: &String| !self.snapshot.sessions.iter().any(|one| &one.name == name && !own(one));
        let numbered = (2..).map(|number| format!("{name}-{number}"));
        std::iter::once(name.to_string()).chain(numbered).find(free).unwrap_or_default()
    }

    /// An agent that should run and does: is it what was asked for?
    fn running(&mut self, address: &str, spec: &Spec, session: &Session) {
        let (live, restart) = changes(spec, session);
        if live.is_empty() && restart.is_empty() {
            self.plan.good += 1;
            return;
        }
        let mut line = PlanLine::new(Sign::Change, address, session, "");
        line.held = Some(SkipReason::of(session)).filter(|_| !restart.is_empty() && !self.restart);
        (line.live, line.restart) = (live, restart);
        self.plan.lines.push(line);
    }

    /// A session of a role that nothing asks for.
    fn unwanted(&mut self, address: &str, session: &Session, down: bool) {
        let up = AskedMark::parse(&session.marks.hash).is_some_and(|asked| asked.up);
        if down {
            self.plan.lines.push(PlanLine::new(Sign::Stop, address, session, "taken down"));
        } else if up {
            let mut line = PlanLine::new(Sign::Stop, address, session, "not in [up] any more");
            line.held = Some(SkipReason::of(session)).filter(|_| session.alive() && !self.restart);
            self.plan.lines.push(line);
        } else {
            let why = "started by hand, not in [up]";
            self.alone.push(PlanLine::new(Sign::Alone, address, session, why));
        }
    }

    fn leave(&mut self, address: &str, session: &str, why: &str) {
        let seen = Session { name: session.into(), ..Session::default() };
        self.alone.push(PlanLine::new(Sign::Alone, address, &seen, why));
    }
}

/// Why a session whose agent has ended is still somebody's.
fn in_use(session: &Session) -> Option<SkipReason> {
    let persons = |pane: &crate::mux::Pane| pane.mark.is_empty() && !pane.agent && !pane.dead;
    match session.attached {
        0 => session.panes.iter().any(persons).then_some(SkipReason::Panes),
        _ => Some(SkipReason::Attached),
    }
}

/// What of a session that runs is not as it should be: what can be changed in life, and what takes a new start.
fn changes(spec: &Spec, session: &Session) -> (Vec<LiveChange>, Vec<ChangedPart>) {
    let Some(wanted) = AskedMark::parse(&spec.marks.hash) else { return (Vec::new(), Vec::new()) };
    let Some(found) = AskedMark::parse(&session.marks.hash) else {
        // A daemon keeps no such mark: what runs elsewhere is taken as it is.
        let restart = if session.remote.is_some() { Vec::new() } else { vec![ChangedPart::All] };
        return (Vec::new(), restart);
    };
    let part = |differs: bool, part: ChangedPart| differs.then_some(part);
    let mut live = environment(spec, &wanted, &found);
    let windows = if session.windows.is_empty() { Some(Vec::new()) } else { live::windows(session, spec) };
    let restart = [
        part(wanted.command != found.command, ChangedPart::Command),
        part(wanted.folder != found.folder, ChangedPart::Folder),
        part(wanted.env != found.env, ChangedPart::Environment),
        part(wanted.place != found.place, ChangedPart::Place),
        part(windows.is_none(), ChangedPart::Windows),
    ];
    live.extend(windows.into_iter().flatten());
    if wanted.later != found.later {
        // Last: a change that fails is planned again.
        let hash = AskedMark { later: wanted.later, vars: wanted.vars, ..found }.to_string();
        live.push(LiveChange::Marks(vec![("hash".into(), hash)]));
    }
    (live, restart.into_iter().flatten().collect())
}

/// The environment of later windows: what the preset says now, and what it does not say any more as it is without.
fn environment(spec: &Spec, wanted: &AskedMark, found: &AskedMark) -> Vec<LiveChange> {
    if wanted.later == found.later {
        return Vec::new();
    }
    let value =
        |name: &str| spec.env.iter().rev().find(|(own, _)| own == name).map(|(_, value)| value.clone());
    let gone = found.vars.iter().filter(|name| !wanted.vars.contains(name));
    wanted.vars.iter().chain(gone).map(|name| LiveChange::Env(name.clone(), value(name))).collect()
}

/// Whether a session is of a role that is kept running: polecats come with their work.
fn is_long_running(session: &Session) -> bool {
    session.marks.agent().and_then(|own| own.role()).is_some_and(|role| role != Role::Polecat)
}

#[cfg(test)]
mod tests;
