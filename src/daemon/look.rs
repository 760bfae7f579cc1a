//! The deacon's look at a town: what `gt status` sees, as what it decides from.

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;

use crate::base::time;
use crate::config::schema::{Multiplexer, Restart};
use crate::config::{self, Sources};
use crate::model::address::{Address, Role};
use crate::mux::hybrid::Hybrid;
use crate::mux::{self, Depth, Mux, Session, Snapshot};
use crate::plan::place::Place;
use crate::plan::supervise::{NeedSeen, PolecatSeen, RigSeen, RoleSeen, Run, TownSeen};
use crate::town::pause::{self, Paused};
use crate::town::wish::{self, DownList};
use crate::town::{Rig, Town};
use crate::work::agent::handoff::Noted;
use crate::work::agent::roles;
use crate::work::observe::needs::needs;
use crate::work::observe::survey;
use crate::work::observe::view::{RigView, TownView};
use crate::work::polecat::names;

/// What one look found.
#[derive(Default)]
pub struct Looked {
    /// What is decided from.
    pub seen: TownSeen,
    /// The processes of agents that run here.
    pub agents: Vec<i32>,
    /// What could not be read, a line each.
    pub troubles: Vec<String>,
    /// When the next pause ends by itself: seconds since 1970.
    pub pause_ends: Option<i64>,
}

/// Looks: once at tmux, once at each store.
///
/// # Errors
/// Broken configuration of the town.
pub fn look(town: &Town, env: &HashMap<String, String>) -> Result<Looked> {
    let sources = town.sources(env, None);
    let socket = config::tmux_socket(&sources)?;
    let mux = Hybrid::open(mux::open(Multiplexer::Auto, socket.as_deref())?, town, &sources)?;
    let looking = mux.begin_look(Depth::Marks)?;
    let (report, snapshot) = survey::with_sessions(town, &sources, &Address::Deacon, &mux, looking, None)?;
    let mut looked = Looked::default();
    // What cannot be read must not let anything start.
    let everything = || Paused { town: Some(String::new()), ..Paused::default() };
    let all_down = || DownList { all: true, ..DownList::default() };
    let glance = Glance {
        town,
        sources: &sources,
        snapshot: &snapshot,
        paused: pause::read(town).unwrap_or_else(|error| {
            looked.troubles.push(format!("nothing is started: {error:#}"));
            everything()
        }),
        down: wish::read(town).unwrap_or_else(|error| {
            looked.troubles.push(format!("no agent is started again: {error:#}"));
            all_down()
        }),
        now: time::now(),
    };
    glance.town(&report, &mut looked);
    looked.pause_ends = glance.paused.next_end(&glance.now);
    looked.seen.quiet = config::settings(&sources)?.notify.is_quiet(time::minute_of_day());
    Ok(looked)
}

struct Glance<'a> {
    town: &'a Town,
    sources: &'a Sources,
    snapshot: &'a Snapshot,
    paused: Paused,
    down: DownList,
    now: String,
}

impl Glance<'_> {
    fn town(&self, report: &TownView, looked: &mut Looked) {
        let mark = self.town.mark();
        let sessions = self.snapshot.latest(&mark);
        let seen = &mut looked.seen;
        seen.server = self.snapshot.server;
        seen.blind = self.snapshot.unknown.is_some() || self.snapshot.minimal.is_some();
        seen.paused = self.paused.town(&self.now);
        if let Some(why) = &self.snapshot.unknown {
            looked.troubles.push(format!("sessions cannot be seen: {why}"));
        }
        for session in self.snapshot.ours(&mark).filter(|session| session.remote.is_none()) {
            looked
                .agents
                .extend(session.panes.first().filter(|pane| pane.agent && !pane.dead).map(|pane| pane.pid));
        }
        // A letter is told where it is written.
        let told = needs(report).into_iter().filter(|need| need.about != "overseer");
        looked.seen.needs = told
            .map(|need| NeedSeen {
                what: format!("{} {}", need.about, need.what),
                help: need.help,
                patient: need.since.is_some(),
            })
            .collect();
        let mut addresses = vec![Address::Mayor];
        let mut restarts = BTreeMap::new();
        for rig in &report.rigs {
            addresses.extend(rig.agents.iter().map(|agent| agent.address.clone()));
            match (&rig.store.unreadable, self.town.rig(&rig.name)) {
                (None, Ok(own)) => match self.rig(rig, &own, &sessions) {
                    Ok(rig) => looked.seen.rigs.push(rig),
                    Err(error) => looked.troubles.push(format!("{}: {error:#}", own.name)),
                },
                (Some(why), _) => looked.troubles.push(format!("{}: {why}", rig.name)),
                (_, Err(error)) => looked.troubles.push(format!("{}: {error:#}", rig.name)),
            }
        }
        looked.seen.partial = looked.seen.rigs.len() < report.rigs.len();
        for address in addresses {
            match self.role(&address, &sessions, &mut restarts) {
                Ok(role) => looked.seen.roles.push(role),
                Err(error) => looked.troubles.push(format!("{address}: {error:#}")),
            }
        }
    }

    fn rig(&self, report: &RigView, rig: &Rig, sessions: &HashMap<&str, &Session>) -> Result<RigSeen> {
        let polecats = report.polecats.iter().filter(|polecat| polecat.remote.is_none());
        let polecats: Vec<PolecatSeen> = polecats
            .map(|polecat| {
                let address = Address::Polecat(rig.name.clone(), polecat.name.clone());
                let session = sessions.get(polecat.address.as_str()).copied();
                let noted = Noted::read(self.town, &address);
                let marked = || session.map(|session| session.marks.instance.clone());
                PolecatSeen {
                    name: polecat.name.clone(),
                    instance: names::holder(rig, &polecat.name).or_else(marked).unwrap_or_default(),
                    bead: polecat.bead.clone().unwrap_or_default(),
                    place: polecat.place,
                    run: self.run(&polecat.address, session),
                    cycles: noted.cycles,
                    stopped: noted.stopped,
                }
            })
            .collect();
        let ended = |polecat: &PolecatSeen| polecat.place == Some(Place::Crashed);
        let restart = match polecats.iter().any(ended) {
            true => self.restart(Role::Polecat, Some(rig))?,
            false => Restart::Never,
        };
        Ok(RigSeen {
            name: rig.name.clone(),
            paused: self.paused.holds(&rig.name, &self.now),
            restart,
            polecats,
            to_start: to_start(report),
            queue: report.mergeable.join(", "),
        })
    }

    fn role(
        &self,
        address: &Address,
        sessions: &HashMap<&str, &Session>,
        restarts: &mut BTreeMap<(Role, String), Restart>,
    ) -> Result<RoleSeen> {
        let text = address.to_string();
        let run = self.run(&text, sessions.get(text.as_str()).copied());
        let noted = if run == Run::Alive { Noted::default() } else { Noted::read(self.town, address) };
        let mut restart = Restart::Never;
        if matches!(run, Run::Ended | Run::Failed) {
            let (role, rig) = (roles::role_of(address)?, address.rig().unwrap_or_default());
            let known = restarts.get(&(role, rig.to_string())).copied();
            let read =
                || self.restart(role, address.rig().map(|rig| self.town.rig(rig)).transpose()?.as_ref());
            restart = known.map_or_else(read, Ok)?;
            restarts.insert((role, rig.into()), restart);
        }
        let down = noted.stopped || self.down.holds(&text);
        Ok(RoleSeen { address: address.clone(), run, cycles: noted.cycles, down, restart })
    }

    /// When agents of a role are started again.
    fn restart(&self, role: Role, rig: Option<&Rig>) -> Result<Restart> {
        let rig = rig.map(|rig| (rig.root.clone(), rig.name.clone()));
        let sources = Sources { rig, ..self.sources.clone() };
        Ok(config::role(&sources, role, &[], None)?.settings.restart)
    }

    fn run(&self, address: &str, session: Option<&Session>) -> Run {
        let Some(session) = session else {
            let hidden = self.snapshot.unknown.is_some()
                || self.snapshot.minimal.is_some()
                || self.snapshot.occupied.contains_key(address)
                || self.snapshot.away.unreachable.contains_key(address);
            return if hidden { Run::Unknown } else { Run::None };
        };
        if session.remote.is_some() {
            return Run::Unknown;
        }
        if session.alive() {
            let leaving = session.marks.state == "pending_shutdown";
            return if leaving { Run::Leaving } else { Run::Alive };
        }
        match session.panes.first() {
            _ if session.agent_gone => Run::Ended,
            Some(pane) if pane.exit == Some(0) => Run::Ended,
            _ => Run::Failed,
        }
    }
}

/// The beads that could be started now, and how many places there are; nothing when there is none of either.
fn to_start(report: &RigView) -> String {
    let ids: Vec<&str> =
        report.to_start.iter().filter(|one| one.startable()).map(|one| one.bead.as_str()).collect();
    let free = if report.max_workers == 0 { ids.len() } else { report.free_slots };
    if free == 0 || ids.is_empty() { String::new() } else { format!("{free} for {}", ids.join(", ")) }
}
