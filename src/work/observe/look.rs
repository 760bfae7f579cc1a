//! What the whole town looks like: one look at its sessions, one call for each store.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use anyhow::Result;
use jiff::tz::TimeZone;

use crate::base::grammar::count;
use crate::base::time;
use crate::beads::request::Request;
use crate::beads::{self, Overview};
use crate::config::{self, Sources};
use crate::model::address::{Address, Role, is_polecat_name, polecat_of};
use crate::model::bead::Bead;
use crate::model::ids::BeadId;
use crate::model::state::State;
use crate::model::words;
use crate::mux::{Depth, Looking, Mux, Session, Snapshot};
use crate::plan::agent_limit::{AgentAtLimit, limits};
use crate::plan::place::{Place, PlaceFacts, Run, Seen, found, in_order, is_submitted, place};
use crate::plan::queue::rank;
use crate::town::deacon::{self, DeaconFile};
use crate::town::pause::{self, Paused};
use crate::town::{Rig, RigConfig, Town, secret};
use crate::work::agent::roles;
use crate::work::merge::approval;
use crate::work::merge::queue::{Queue, RequestRow};
use crate::work::observe::around::Around;
use crate::work::observe::retried;
use crate::work::observe::states;
use crate::work::observe::view::{
    Polecat, QueueCounts, RigView, RoleStatus, StoreView, ToStart, TownView, Unapproved,
};
use crate::work::polecat::queued::QueueEntry;
use crate::work::talk::mail;

/// What was read of one rig, before its sessions are known.
struct Read {
    rig: Rig,
    beads: Result<(Box<dyn beads::Store>, Overview), String>,
    store: StoreView,
    max_workers: usize,
    names: BTreeSet<String>,
}

/// What a look reads beside agents, rigs and their beads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// Nothing.
    Nothing,
    /// The person's mail: one call of the town's store.
    Mail,
    /// The rows of the queue; they are read in any case, and made only here.
    Queue,
}

/// A look at a town that is under way: sessions are looked at while settings and stores are read.
pub struct TownLook<'a> {
    town: &'a Town,
    sources: Sources,
    me: Address,
    mux: &'a dyn Mux,
    looking: Looking,
}

impl<'a> TownLook<'a> {
    /// Begins it: `me` opens the stores.
    ///
    /// # Errors
    /// As [`Mux::begin_look`].
    pub fn begin(town: &'a Town, sources: Sources, me: Address, mux: &'a dyn Mux) -> Result<TownLook<'a>> {
        let looking = mux.begin_look(Depth::Marks)?;
        Ok(TownLook { town, sources, me, mux, looking })
    }

    /// The town; `only` narrows it to one rig.
    ///
    /// # Errors
    /// Broken configuration. What cannot be read of stores and sessions is part of the view.
    pub fn town(self, beside: Beside, only: Option<&str>) -> Result<TownView> {
        let town = self.town;
        let read: Vec<Read> = match only {
            Some(name) => vec![self.read(town.rig(name)?)?],
            // One rig that cannot be read does not hide the others.
            None => town
                .rig_names()?
                .into_iter()
                .map(|name| match town.read_rig(&name) {
                    Ok(rig) => self.read(rig),
                    Err(error) => Ok(unreadable(town, name, format!("{error:#}"))),
                })
                .collect::<Result<_>>()?,
        };
        let mail = if beside == Beside::Mail { unread(town, &self.me) } else { OverseerMail::default() };
        let (multiplexer, sources) = (self.mux.kind(), self.sources.clone());
        let snapshot = self.told()?;
        let mark = town.mark();
        let limits = limits_of(&snapshot, &mark);
        // Who starts something reads it, too, and stops where it cannot be read.
        let paused = pause::read(town).unwrap_or_default();
        let of_rig = |read: Read| {
            let starts = Starts::of(&limits, &paused, &read.rig, &sources);
            rig_report(&mark, &snapshot, read, beside, &starts)
        };
        let mut rigs: Vec<RigView> = read.into_iter().map(of_rig).collect();
        tell_who_goes_on(town, &mut rigs);
        let here = snapshot.ours(&mark).filter(|session| session.remote.is_none());
        let agents = here.filter_map(|session| session.panes.first());
        Ok(TownView {
            name: town.name.clone(),
            path: mark.clone(),
            multiplexer: if snapshot.minimal.is_some() { "none" } else { multiplexer },
            sessions_unseen: snapshot.unknown.clone().or_else(|| snapshot.minimal.clone()),
            store: mail.store,
            overseer_unread: mail.unread,
            overseer_foreign: mail.foreign,
            pids: agents.filter(|pane| pane.agent && !pane.dead).map(|pane| pane.pid).collect(),
            agents: vec![RoleStatus::of(&mark, &snapshot, &Address::Mayor), deacon(town, &snapshot)],
            rigs,
            limits,
            paused,
            server: snapshot.server,
            away: snapshot.away,
        })
    }

    /// One rig, and why its sessions could not be seen. The town's own store is not asked.
    ///
    /// # Errors
    /// As [`TownLook::town`].
    pub fn rig(self, wanted: Rig) -> Result<(RigView, Unseen)> {
        let (read, town, sources) = (self.read(wanted)?, self.town, self.sources.clone());
        let snapshot = self.told()?;
        let (mark, limits) = (town.mark(), limits_of(&snapshot, &town.mark()));
        let starts = Starts::of(&limits, &pause::read(town).unwrap_or_default(), &read.rig, &sources);
        let unseen = Unseen {
            here: snapshot.unknown.clone().or_else(|| snapshot.minimal.clone()),
            away: snapshot.away.silent(),
        };
        Ok((rig_report(&mark, &snapshot, read, Beside::Nothing, &starts), unseen))
    }

    /// The sessions, with what each agent does.
    fn told(self) -> Result<Snapshot> {
        let mut snapshot = self.looking.wait()?;
        let agents = || Ok(config::settings(&self.sources)?.agents);
        states::tell(self.town, self.mux, agents, &mut snapshot)?;
        Ok(snapshot)
    }

    fn read(&self, rig: Rig) -> Result<Read> {
        let max_workers = rig.config.max_workers;
        let max_workers = max_workers.map_or_else(|| config::max_workers(&rig.sources(&self.sources)), Ok)?;
        let looked = rig.store(&self.me).and_then(|store| Ok((store.overview()?, store)));
        let (store, beads) = match looked {
            Ok((seen, store)) => (StoreView::of(store.as_ref()), Ok((store, seen))),
            Err(error) => {
                let why = format!("{error:#}");
                (StoreView::unreadable(why.clone()), Err(why))
            }
        };
        let names = names(&rig);
        Ok(Read { rig, beads, store, max_workers, names })
    }
}

/// Until when each runtime is at its limit: RFC 3339, UTC.
fn limits_of(snapshot: &Snapshot, mark: &str) -> BTreeMap<String, String> {
    let at_limit = |session: &&Session| session.marks.state == State::Limited && !session.runtime.is_empty();
    let mut agents = Vec::new();
    for session in snapshot.ours(mark).filter(at_limit) {
        let Session { runtime, why, marks, .. } = session;
        agents.push(AgentAtLimit { runtime, why, since: &marks.since });
    }
    if agents.is_empty() {
        return BTreeMap::new();
    }
    let now = time::seconds_since_epoch(&time::now()).unwrap_or_default();
    let limits = limits(agents, &TimeZone::system(), now);
    limits.into_iter().filter_map(|(runtime, until)| Some((runtime, time::of_seconds(until)?))).collect()
}

/// Marks the crashed polecats that a deacon still starts again.
fn tell_who_goes_on(town: &Town, rigs: &mut [RigView]) {
    let polecats = rigs.iter_mut().flat_map(|rig| &mut rig.polecats);
    let mut crashed = polecats.filter(|polecat| polecat.place == Some(Place::Crashed)).peekable();
    if crashed.peek().is_none() || !deacon::runs(&town.root) {
        return;
    }
    let memory = retried::remembered(town);
    for polecat in crashed {
        polecat.goes_on = polecat.bead.as_ref().is_some_and(|bead| memory.goes_on(bead.as_str()));
    }
}

/// What keeps beads of a rig from being started.
struct Starts<'a> {
    limits: &'a BTreeMap<String, String>,
    /// The runtime of a polecat of this rig, where some runtime is at its limit.
    runtime: String,
    /// Nothing starts by itself.
    paused: bool,
}

impl<'a> Starts<'a> {
    fn of(limits: &'a BTreeMap<String, String>, paused: &Paused, rig: &Rig, sources: &Sources) -> Starts<'a> {
        let role = || config::role(&rig.sources(sources), Role::Polecat, &[], None).ok();
        let role = if limits.is_empty() { None } else { role() };
        let paused = !paused.is_none() && paused.holds(&rig.name, &time::now());
        Starts { limits, runtime: role.map(|role| role.settings.agent).unwrap_or_default(), paused }
    }

    /// The runtime of a bead that was ordered with these flags, and until when it is at its limit.
    fn limit(&self, flags: &[String]) -> Option<(&str, &str)> {
        let runtime = flags.iter().find_map(|flag| flag.strip_prefix("--agent=")).unwrap_or(&self.runtime);
        self.limits.get_key_value(runtime).map(|(runtime, until)| (runtime.as_str(), until.as_str()))
    }
}

/// How the deacon is: a program, whether or not a session shows what it does.
fn deacon(town: &Town, snapshot: &Snapshot) -> RoleStatus {
    let session = RoleStatus::of(&town.mark(), snapshot, &Address::Deacon);
    if !deacon::runs(&town.root) {
        return RoleStatus { state: "not running".into(), alive: Some(false), ..session };
    }
    let since = DeaconFile::read(&town.root).map(|file| file.started);
    RoleStatus { state: "running".into(), alive: Some(true), since, ..session }
}

/// Why sessions could not be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unseen {
    /// Those of this machine.
    pub here: Option<String>,
    /// Those of other machines: a line for each daemon that did not answer.
    pub away: Vec<String>,
}

/// The person's mail that is unread.
#[derive(Default)]
struct OverseerMail {
    store: StoreView,
    /// Nothing when the store could not be read.
    unread: Option<usize>,
    /// Those from outside the town.
    foreign: usize,
}

fn unread(town: &Town, me: &Address) -> OverseerMail {
    let listed = town
        .store(me)
        .and_then(|store| Ok((StoreView::of(store.as_ref()), store.list(&mail::inbox(&Address::Overseer))?)));
    match listed {
        Ok((store, mails)) => {
            let unread = mails.iter().filter(|message| !mail::is_read(message));
            let (foreign, own): (Vec<&Bead>, Vec<&Bead>) = unread.partition(|message| message.foreign);
            OverseerMail { store, unread: Some(own.len()), foreign: foreign.len() }
        }
        Err(error) => {
            OverseerMail { store: StoreView::unreadable(format!("{error:#}")), ..OverseerMail::default() }
        }
    }
}

/// A rig of which only its name and its folders are known.
fn unreadable(town: &Town, name: String, why: String) -> Read {
    let rig = Rig { root: town.root.join(&name), name, config: RigConfig::default(), town: town.id.clone() };
    let store = StoreView::unreadable(why.clone());
    Read { beads: Err(why), store, max_workers: 0, names: names(&rig), rig }
}

/// Names that are reserved or have a worktree.
fn names(rig: &Rig) -> BTreeSet<String> {
    let entries = |dir: std::path::PathBuf| std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries(rig.names_dir())
        .chain(entries(rig.root.join("polecats")))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| is_polecat_name(name))
        .collect()
}

fn rig_report(
    mark: &str,
    snapshot: &Snapshot,
    mut read: Read,
    beside: Beside,
    starts: &Starts<'_>,
) -> RigView {
    if let Ok((store, seen)) = &mut read.beads
        && let Err(error) = add_marked(store.as_ref(), seen, mark, snapshot, &read.rig.name)
    {
        let why = format!("{error:#}");
        (read.store, read.beads) = (StoreView::unreadable(why.clone()), Err(why));
    }
    let seen = read.beads.as_ref().ok().map(|(_, seen)| seen);
    let beads = seen.map_or(&[][..], |seen| &seen.beads);
    let requests: Vec<Request> = beads.iter().filter_map(Request::from_bead).collect();
    let name = read.rig.name.clone();
    let mut view = RigFacts {
        snapshot,
        beads,
        by_id: beads.iter().map(|bead| (bead.id.as_str(), bead)).collect(),
        held: HashMap::new(),
        sessions: snapshot.latest(mark),
        requested: requests.iter().map(|request| request.bead.as_str()).collect(),
        requests: &requests,
        known: seen.is_some(),
        rig: &name,
        crashed: 0,
    };
    for bead in beads.iter().filter(|bead| is_held(bead)) {
        view.held.entry(bead.assignee.as_deref().unwrap_or_default()).or_default().push(bead);
    }
    let mut names = read.names;
    // Who handed its work over and is gone leaves its bead's address behind, but takes no place any more.
    let at_work = |bead: &&Bead| is_held(bead) && !view.is_submitted(bead);
    names.extend(beads.iter().filter(at_work).filter_map(|bead| view.own(bead.assignee.as_deref()?)));
    names.extend(snapshot.ours(mark).filter_map(|session| view.own(&session.marks.address)));
    names.extend(snapshot.away.unreachable.keys().filter_map(|address| view.own(address)));
    let polecats: Vec<Polecat> = names.iter().map(|name| view.polecat(name)).collect();
    let free = read.max_workers.saturating_sub(polecats.len());
    view.crashed = polecats.iter().filter(|polecat| polecat.place == Some(Place::Crashed)).count();
    let mut agents = vec![Address::Witness(name.clone()), Address::Refinery(name.clone())];
    agents.extend(roles::members(&read.rig, Role::Crew).unwrap_or_default());
    agents.extend(roles::members(&read.rig, Role::Plugin).unwrap_or_default());
    RigView {
        store: read.store,
        ready: seen.map(|seen| seen.free),
        queue: view.known.then(|| view.queue()),
        foreign: seen.map_or(0, |seen| seen.foreign),
        max_workers: read.max_workers,
        free_slots: free,
        agents: agents.iter().map(|address| RoleStatus::of(mark, snapshot, address)).collect(),
        polecats,
        set_aside: beads.iter().filter_map(RequestRow::set_aside).collect(),
        unapproved: view.unapproved(),
        to_start: view.to_start(&read.rig, free > 0 || read.max_workers == 0, starts),
        mergeable: view.mergeable(),
        to_merge: seen.filter(|_| beside == Beside::Queue).map(|seen| Queue::of(seen.beads.clone()).rows()),
        name,
    }
}

/// Adds the beads that sessions are marked with and nobody has (any more), with what they wait for. Those of the real bd
/// were all read.
fn add_marked(
    store: &dyn beads::Store,
    seen: &mut Overview,
    mark: &str,
    snapshot: &Snapshot,
    rig: &str,
) -> Result<()> {
    let held: HashSet<&str> =
        seen.beads.iter().filter(|bead| is_held(bead)).map(|bead| bead.id.as_str()).collect();
    let own = |address: &str| address.strip_prefix(rig).is_some_and(|rest| rest.starts_with('/'));
    let marked = snapshot.ours(mark).map(|session| &session.marks).filter(|marks| own(&marks.address));
    let ids: Vec<String> = marked
        .map(|marks| marks.bead.to_string())
        .filter(|id| !id.is_empty() && !held.contains(id.as_str()))
        .collect();
    if ids.is_empty() || store.is_dear() {
        return Ok(());
    }
    let known: HashSet<String> = seen.beads.iter().map(|bead| bead.id.clone()).collect();
    let more = Around::read(store, &ids)?.beads.into_values();
    seen.beads.extend(more.filter(|bead| !bead.is_closed() && !known.contains(&bead.id)));
    Ok(())
}

/// Whether a bead is work that its assignee has on the hook: a mail's assignee is only who it is for.
fn is_held(bead: &Bead) -> bool {
    bead.is_work() && bead.status != words::OPEN
}

/// Everything known about one rig.
struct RigFacts<'a> {
    snapshot: &'a Snapshot,
    beads: &'a [Bead],
    by_id: HashMap<&'a str, &'a Bead>,
    /// The beads that are on somebody's hook, by assignee.
    held: HashMap<&'a str, Vec<&'a Bead>>,
    /// By address.
    sessions: HashMap<&'a str, &'a Session>,
    requested: HashSet<&'a str>,
    requests: &'a [Request],
    known: bool,
    rig: &'a str,
    /// How many polecats ended before their work was done: they keep their places.
    crashed: usize,
}

impl<'a> RigFacts<'a> {
    /// The polecat's name, when the address is one of this rig's.
    fn own(&self, address: &str) -> Option<String> {
        polecat_of(self.rig, address)
    }

    fn polecat(&self, name: &str) -> Polecat {
        let address = Address::Polecat(self.rig.into(), name.into()).to_string();
        let session = self.sessions.get(address.as_str()).copied();
        let bead = self.bead_of(&address, session);
        let marked = session.map(|session| &session.marks);
        let place = match bead {
            Some(bead) => Some(self.place(bead, session)),
            // The store is silent, and the session may know no more than its bead's id.
            None if self.snapshot.away.unreachable.contains_key(&address) => Some(Place::Unreachable),
            None if !self.known => Some(Place::Unknown),
            None => None,
        };
        Polecat {
            name: name.into(),
            place,
            state: session.map(Session::words),
            why: session.map(|session| session.why.clone()).unwrap_or_default(),
            answer: session.map(|session| session.answer.clone()).unwrap_or_default(),
            goes_on: false,
            bead: bead
                .map(BeadId::from)
                .or_else(|| marked.map(|marks| marks.bead.clone()).filter(|id| !id.is_empty())),
            title: bead.map(|bead| bead.title.clone()),
            since: marked
                .map(|marks| marks.since.clone())
                .filter(|since| !since.is_empty())
                .or_else(|| bead.map(|bead| bead.updated_at.clone())),
            session: session.map(|session| session.name.clone()),
            attached: session.map_or(0, |session| session.attached),
            remote: self.remote(&address, place, session, bead),
            instance: marked.map(|marks| marks.instance.clone()).unwrap_or_default(),
            run: Run::of(self.snapshot, found(self.snapshot, session, &address, None)),
            address,
        }
    }

    /// The remote it is on, or was when it crashed.
    fn remote(
        &self,
        address: &str,
        place: Option<Place>,
        session: Option<&Session>,
        bead: Option<&Bead>,
    ) -> Option<String> {
        let seen = session.and_then(|session| session.remote.as_ref());
        let labelled = bead.and_then(Bead::remote).filter(|_| place != Some(Place::Submitted));
        let known = seen.or_else(|| self.snapshot.away.unreachable.get(address));
        known.map(String::as_str).or(labelled).map(Into::into)
    }

    fn bead_of(&self, address: &str, session: Option<&Session>) -> Option<&'a Bead> {
        let by_id = |id: &str| self.by_id.get(id).copied();
        let own = self.held.get(address).cloned().unwrap_or_default();
        let works_on = || session.map(|session| session.marks.bead.to_string());
        in_order(own, |bead| self.is_submitted(bead), works_on)
            .into_iter()
            .next()
            .or_else(|| session.and_then(|session| by_id(&session.marks.bead)))
            .or_else(|| {
                let request = self.requests.iter().find(|request| request.worker == address)?;
                by_id(&request.bead)
            })
    }

    fn is_submitted(&self, bead: &Bead) -> bool {
        is_submitted(bead, self.requested.contains(bead.id.as_str()))
    }

    fn place(&self, bead: &Bead, session: Option<&Session>) -> Place {
        let holder = bead.assignee.as_deref().unwrap_or_default();
        let session = session.or_else(|| self.sessions.get(holder).copied());
        let seen = match found(self.snapshot, session, holder, Some(bead)) {
            // In minimal mode agents run by hand, unseen.
            Seen::None if self.snapshot.minimal.is_some() => Seen::Unknown,
            seen => seen,
        };
        place(&PlaceFacts {
            bead,
            open_request: self.requested.contains(bead.id.as_str()),
            blocked: bead.blockers().any(|id| self.by_id.contains_key(id) || self.requested.contains(id)),
            polecat: bead.assignee.as_deref().is_some_and(|own| self.own(own).is_some()),
            session: seen,
        })
    }

    fn unapproved(&self) -> Vec<Unapproved> {
        let why = |request: &Request| {
            let own = self.by_id.get(request.id.as_str())?;
            approval::noted(own, &request.commit).map(String::from)
        };
        let one = |request: &Request| {
            let (id, bead) = (request.id.clone(), request.bead.clone());
            why(request).map(|why| Unapproved { request: id, bead, why })
        };
        self.requests.iter().filter_map(one).collect()
    }

    /// The beads that wait for a place. The secret is read only where there are some.
    fn to_start(&self, rig: &Rig, free: bool, starts: &Starts<'_>) -> Vec<ToStart> {
        let waiting: Vec<&Bead> =
            self.beads.iter().filter(|bead| bead.has_label(words::LABEL_QUEUED)).collect();
        let root = rig.root.parent().filter(|_| !waiting.is_empty());
        let secret = root.and_then(|root| secret::read(root).ok().flatten());
        let one = |bead: &Bead| {
            let QueueEntry { since, flags, .. } = QueueEntry::of(bead, self.rig, secret.as_ref())?;
            let place = self.place(bead, None);
            let limit = starts.limit(&flags);
            let no_place = || match self.crashed {
                0 => "no place is free".into(),
                crashed => {
                    format!("no place is free: {} ended before the work was done", count(crashed, "polecat"))
                }
            };
            let why = match (place, limit) {
                (Place::Ready | Place::SetAside, Some((runtime, until))) => {
                    format!("{runtime} is at its limit until {}", time::on_the_clock(until))
                }
                (Place::Ready | Place::SetAside, None) if starts.paused => "paused: gt resume".into(),
                (Place::Ready | Place::SetAside, None) if free => "a place is free".into(),
                (Place::Ready | Place::SetAside, None) => no_place(),
                (other, _) => other.as_str().into(),
            };
            let (bead_id, title, until) =
                (bead.into(), bead.title.clone(), limit.map(|(_, until)| until.into()));
            Some(ToStart { bead: bead_id, title, priority: bead.priority, since, flags, why, until, place })
        };
        let mut rows: Vec<ToStart> = waiting.into_iter().filter_map(one).collect();
        rows.sort_by_cached_key(|row| (rank(row.priority, &row.since), row.since.clone(), row.bead.clone()));
        rows
    }

    /// The requests that no person keeps from being merged, each with its commit.
    fn mergeable(&self) -> Vec<String> {
        let open = |request: &&Request| {
            let own = self.by_id.get(request.id.as_str());
            let held =
                self.by_id.get(request.bead.as_str()).is_some_and(|bead| bead.has_label(words::LABEL_HOLD));
            let waits = |own: &&Bead| {
                approval::noted(own, &request.commit).is_some() && own.meta(approval::META_APPROVED).is_none()
            };
            !held && !own.is_some_and(waits)
        };
        self.requests
            .iter()
            .filter(open)
            .map(|request| format!("{} {}", request.id, request.commit))
            .collect()
    }

    fn queue(&self) -> QueueCounts {
        let all = || self.beads.iter().filter(|bead| bead.is_request());
        let requests = || all().filter(|bead| !bead.foreign);
        QueueCounts {
            waiting: requests().filter(|bead| bead.status == words::OPEN).count(),
            merging: requests().filter(|bead| bead.status == words::IN_PROGRESS).count(),
            foreign: all().filter(|bead| bead.foreign).count(),
            set_aside: self.beads.iter().filter(|bead| bead.has_label(words::LABEL_REWORK)).count(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::failure::Failures;
    use crate::base::reads::READ;
    use crate::beads::embedded::schema::PARSED;
    use crate::town::discover::change_rigs;
    use crate::town::report::AgentReport;
    use crate::work::fixture::Fixture;
    use crate::work::merge::queue;
    use crate::work::polecat::patrol::patrol;
    use crate::work::polecat::queued::WaitingBead;

    fn look(town: &Fixture) -> RigView {
        town.look().rig(town.rig.clone()).unwrap().0
    }

    #[test]
    fn a_survey_tells_everything_from_one_glance_at_the_store() {
        let town = Fixture::new();
        let (held, _) = town.polecat("Nux");
        let back = town.bead("Came back", "open", None, &[words::LABEL_REWORK]);
        town.bead("Kept back", "open", None, &[words::LABEL_HOLD]);
        let submitted = town.bead("Handed over", "in_progress", Some("wyvern/Ace"), &[]);
        town.request(&submitted, "Ace", |_| ());
        town.store.calls();
        let report = look(&town);
        assert_eq!(town.store.calls(), ["open", "overview"]);
        let polecats: Vec<_> = report.polecats.iter().map(|one| (one.name.as_str(), one.place)).collect();
        assert_eq!(polecats, [("Nux", Some(Place::Working))]);
        assert_eq!(report.polecats[0].bead.as_deref(), Some(held.as_str()));
        assert_eq!((report.ready, report.queue.unwrap().waiting, report.set_aside.len()), (Some(1), 1, 1));
        assert_eq!(report.set_aside[0].bead, back);

        // A session that is marked with a bead which nobody has: what that waits for counts too.
        let blocker = town.bead("First", "open", None, &[]);
        let open = town.bead("Then", "open", None, &[]);
        let store = town.rig.store(&Address::Overseer).unwrap();
        store.write(&[], &[beads::Change::Depend(open.clone(), blocker, "blocks".into())]).unwrap();
        town.mux.add(town.marks("wyvern/Toast", &open, "i-Toast"));
        let report = look(&town);
        let toast = report.polecats.iter().find(|one| one.name == "Toast").unwrap();
        assert_eq!((toast.bead.as_deref(), toast.place), (Some(open.as_str()), Some(Place::Blocked)));
        assert_eq!((toast.title.as_deref(), report.ready), (Some("Then"), Some(2)));
    }

    #[test]
    fn a_command_reads_the_list_of_rigs_and_each_rig_once() {
        let town = Fixture::new();
        let before = READ.get();
        // What several commands do before and after the look.
        town.town.rig("wyvern").unwrap();
        town.town.rigs(&mut Failures::default()).unwrap();
        town.look().town(Beside::Mail, Some("wyvern")).unwrap();
        town.look().town(Beside::Queue, None).unwrap();
        assert_eq!(READ.get() - before, 2);
        change_rigs(&town.town, |file| file.rigs.clear()).unwrap();
        assert_eq!(town.town.rig_names().unwrap().len(), 0);
    }

    #[test]
    fn only_what_is_asked_for_is_read_and_each_store_once() {
        let town = Fixture::new();
        let submitted = town.bead("Handed over", "in_progress", Some("wyvern/Ace"), &[]);
        let request = town.request(&submitted, "Ace", |_| ());
        let look = |beside| {
            let view = town.look().town(beside, None).unwrap();
            (town.store.calls(), town.town_store.calls(), view)
        };
        let (rig, mail, _) = look(Beside::Mail);
        assert_eq!(
            (rig, mail),
            (vec!["open".into(), "overview".into()], vec!["open".into(), "list message".into()])
        );
        let (rig, mail, view) = look(Beside::Queue);
        assert_eq!((rig, mail), (vec!["open".to_string(), "overview".into()], vec![]));
        let (rows, _) = queue::list(&town.rig, &Address::Overseer).unwrap();
        assert_eq!((rows[0].id.clone(), view.rigs[0].to_merge.clone()), (request.id, Some(rows)));
    }

    #[test]
    fn what_would_start_with_a_runtime_at_its_limit_waits_until_then() {
        let town = Fixture::new();
        town.polecat("Nux");
        let address = Address::Polecat("wyvern".into(), "Nux".into());
        let secret = town.town.secret().unwrap();
        let beads = ["claude", "shell"].map(|runtime| {
            let bead = town.bead(runtime, "open", None, &[]);
            let store = town.rig.store(&Address::Overseer).unwrap();
            let flags = [format!("--agent={runtime}")];
            crate::work::polecat::queued::enqueue(
                store.as_ref(),
                "wyvern",
                &[WaitingBead { bead: bead.clone(), ..WaitingBead::default() }],
                &flags,
                &secret,
            )
            .unwrap();
            bead
        });
        let startable = || {
            let rows = look(&town).to_start;
            rows.iter().filter(|row| row.startable()).map(|row| row.bead.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(startable(), beads);
        let lock = crate::town::occupancy::lock_of(&town.town, &address);
        std::fs::create_dir_all(lock.parent().unwrap()).unwrap();
        let report = AgentReport {
            instance: "i-Nux".into(),
            agent: "claude".into(),
            state: State::Limited,
            why: "resets in 2 hours".into(),
            source: "StopFailure".into(),
            since: time::now(),
            ..AgentReport::default()
        };
        report.write(&lock).unwrap();
        town.mux.add(crate::mux::Marks { state: "limited".into(), ..town.marks("wyvern/Nux", "", "i-Nux") });
        assert_eq!(startable(), beads[1..]);
        let row = look(&town).to_start.into_iter().find(|row| row.bead == beads[0]).unwrap();
        assert!(row.why.starts_with("claude is at its limit until ") && row.until.is_some(), "{row:?}");
        let over = AgentReport { since: "2026-01-01T00:00:00Z".into(), ..report };
        over.write(&lock).unwrap();
        assert_eq!(startable(), beads);
    }

    #[test]
    fn status_and_patrol_read_no_more_beads_when_more_wait() {
        let town = Fixture::new();
        town.polecat("Nux");
        let read = || {
            let before = PARSED.get();
            look(&town);
            let status = PARSED.get() - before;
            patrol(&town.scene(), None, true).unwrap();
            (status, PARSED.get() - before - status)
        };
        let few = read();
        let store = town.rig.store(&Address::Overseer).unwrap();
        let new = |number: usize| crate::model::bead::NewBead {
            title: format!("Bead {number}"),
            ..Default::default()
        };
        let all: Vec<beads::Change> =
            (0..200).map(|number| beads::Change::Create(Box::new(new(number)))).collect();
        store.write(&[], &all).unwrap();
        assert_eq!((read(), few), (few, (1, 1)));
        assert_eq!(look(&town).ready, Some(200));
    }
}
