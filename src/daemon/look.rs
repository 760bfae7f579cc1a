//! The deacon's look at a town: what `gt status` sees, as what it decides from.

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;

use crate::base::time;
use crate::config::schema::{Multiplexer, Restart};
use crate::config::{self, Sources};
use crate::model::address::{Address, Role};
use crate::mux;
use crate::mux::hybrid::Hybrid;
use crate::plan::place::{Place, Run};
use crate::plan::supervise::{NeedSeen, PolecatSeen, RigSeen, RoleSeen, TownSeen};
use crate::town::occupancy;
use crate::town::pause::{self, Paused};
use crate::town::report::AgentReport;
use crate::town::wish::{self, DownList};
use crate::town::{Rig, Town};
use crate::work::agent::handoff::Noted;
use crate::work::agent::roles;
use crate::work::observe::look::{Beside, TownLook};
use crate::work::observe::needs::needs;
use crate::work::observe::view::{RigView, RoleStatus, TownView};
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
    let looking = TownLook::begin(town, sources.clone(), Address::Deacon, &mux)?;
    let report = looking.town(Beside::Nothing, None)?;
    let mut looked = Looked::default();
    // What cannot be read must not let anything start.
    let everything = || Paused { town: Some(String::new()), ..Paused::default() };
    let all_down = || DownList { all: true, ..DownList::default() };
    let glance = Glance {
        town,
        sources: &sources,
        paused: pause::read(town).unwrap_or_else(|error| {
            looked.troubles.push(format!("nothing is started: {error:#}"));
            everything()
        }),
        down: wish::read(town).unwrap_or_else(|error| {
            looked.troubles.push(format!("no agent is started again: {error:#}"));
            all_down()
        }),
        now: time::now(),
        limits: &report.limits,
    };
    glance.town(&report, &mut looked);
    let limit_ends = report.limits.values().filter_map(|until| time::seconds_since_epoch(until));
    looked.pause_ends = glance.paused.next_end(&glance.now).into_iter().chain(limit_ends).min();
    looked.seen.quiet = config::settings(&sources)?.notify.is_quiet(time::minute_of_day());
    Ok(looked)
}

struct Glance<'a> {
    town: &'a Town,
    sources: &'a Sources,
    paused: Paused,
    down: DownList,
    now: String,
    /// Runtimes at their limit, and until when.
    limits: &'a BTreeMap<String, String>,
}

impl Glance<'_> {
    fn town(&self, report: &TownView, looked: &mut Looked) {
        let seen = &mut looked.seen;
        seen.server = report.server;
        seen.blind = report.sessions_unseen.is_some();
        seen.paused = self.paused.town(&self.now);
        if let Some(why) = report.sessions_unseen.as_ref().filter(|_| report.multiplexer != "none") {
            looked.troubles.push(format!("sessions cannot be seen: {why}"));
        }
        looked.agents.clone_from(&report.pids);
        // A letter is told where it is written.
        looked.seen.needs = needs(report)
            .into_iter()
            .map(|need| NeedSeen {
                what: format!("{} {}", need.about, need.what),
                help: need.help,
                patient: need.since.is_some(),
            })
            .collect();
        let mut restarts = BTreeMap::new();
        for rig in &report.rigs {
            match (&rig.store.unreadable, self.town.rig(&rig.name)) {
                (None, Ok(own)) => match self.rig(rig, &own) {
                    Ok(rig) => looked.seen.rigs.push(rig),
                    Err(error) => looked.troubles.push(format!("{}: {error:#}", own.name)),
                },
                (Some(why), _) => looked.troubles.push(format!("{}: {why}", rig.name)),
                (_, Err(error)) => looked.troubles.push(format!("{}: {error:#}", rig.name)),
            }
        }
        looked.seen.partial = looked.seen.rigs.len() < report.rigs.len();
        let roles = report.agents.iter().chain(report.rigs.iter().flat_map(|rig| &rig.agents));
        for RoleStatus { address, run, .. } in roles.filter(|role| role.address != Address::Deacon) {
            match self.role(address, *run, &mut restarts) {
                Ok(role) => looked.seen.roles.push(role),
                Err(error) => looked.troubles.push(format!("{address}: {error:#}")),
            }
        }
    }

    fn rig(&self, report: &RigView, rig: &Rig) -> Result<RigSeen> {
        let polecats = report.polecats.iter().filter(|polecat| polecat.remote.is_none());
        let polecats: Vec<PolecatSeen> = polecats
            .map(|polecat| {
                let address = Address::Polecat(rig.name.clone(), polecat.name.clone());
                let noted = Noted::read(self.town, &address);
                PolecatSeen {
                    name: polecat.name.clone(),
                    instance: names::holder(rig, &polecat.name).unwrap_or_else(|| polecat.instance.clone()),
                    bead: polecat.bead.clone().unwrap_or_default(),
                    place: polecat.place,
                    run: polecat.run,
                    cycles: noted.cycles,
                    stopped: noted.stopped,
                    held: self.is_held(&address),
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
        run: Run,
        restarts: &mut BTreeMap<(Role, String), Restart>,
    ) -> Result<RoleSeen> {
        let text = address.to_string();
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

    /// Whether the runtime that an agent had last is at its limit.
    fn is_held(&self, address: &Address) -> bool {
        let report = || AgentReport::read(&occupancy::lock_of(self.town, address)).map(|report| report.agent);
        !self.limits.is_empty() && report().is_some_and(|runtime| self.limits.contains_key(&runtime))
    }

    /// When agents of a role are started again.
    fn restart(&self, role: Role, rig: Option<&Rig>) -> Result<Restart> {
        let sources = rig.map_or_else(|| self.sources.clone(), |rig| rig.sources(self.sources));
        Ok(config::role(&sources, role, &[], None)?.settings.restart)
    }
}

/// The beads that could be started now, and how many places there are; nothing when there is none of either.
fn to_start(report: &RigView) -> String {
    let ids: Vec<&str> =
        report.to_start.iter().filter(|one| one.startable()).map(|one| one.bead.as_str()).collect();
    let free = if report.max_workers == 0 { ids.len() } else { report.free_slots };
    if free == 0 || ids.is_empty() { String::new() } else { format!("{free} for {}", ids.join(", ")) }
}
