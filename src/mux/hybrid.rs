//! A town's sessions wherever they are: on this machine, and with the fugue daemons of others.
//!
//! Everything is asked at the same time. With no daemon that counts nothing but the local multiplexer is ever run.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use anyhow::Result;

use super::fugue::errand::{Errand, Ran};
use super::fugue::{self, FugueMux, NotStarted, Ours};
use super::{Daemon, Depth, LiveChange, Looking as AnyLooking, Mux, Session, Snapshot, Spec, Started};
use crate::base::failure::{Failure, Failures};
use crate::config::Sources;
use crate::config::remotes::{self, KnownRemote};
use crate::model::fugue::FugueAddr;
use crate::programs::fugue::{Fugue as Program, Listing};
use crate::programs::tmux;
use crate::town::Town;
use crate::town::away::{self, Record};
use crate::town::occupancy::{self, Occupied};

/// The local multiplexer, and the daemons that count.
pub struct Hybrid {
    local: Box<dyn Mux>,
    town: Town,
    sources: Sources,
    remotes: Vec<KnownRemote>,
    ours: Arc<Ours>,
    /// Why the town's records cannot be read.
    unknown: Option<String>,
    program: OnceCell<Result<Program, (String, Option<String>)>>,
}

/// A look at all of them that is under way.
pub struct HybridLooking {
    local: Box<AnyLooking>,
    asked: Vec<AskedDaemon>,
    ours: Arc<Ours>,
    unknown: Option<String>,
    town: Town,
}

/// A daemon that was asked.
struct AskedDaemon {
    /// It may have several names; at least one.
    names: Vec<KnownRemote>,
    list: Result<(FugueMux, Listing), Failure>,
}

impl Hybrid {
    /// Asks this machine and all daemons at the same time.
    fn begin(&self, depth: Depth) -> Result<AnyLooking> {
        let mut places: Vec<Vec<KnownRemote>> = Vec::new();
        for remote in &self.remotes {
            match places.iter_mut().find(|names| names[0].fugue_addr == remote.fugue_addr) {
                Some(names) => names.push(remote.clone()),
                None => places.push(vec![remote.clone()]),
            }
        }
        let ask = |names: Vec<KnownRemote>| {
            let list = self.daemon(&names[0], &self.ours).map(|daemon| {
                let listing = daemon.begin_list();
                (daemon, listing)
            });
            AskedDaemon { names, list }
        };
        let asked = places.into_iter().map(ask).collect();
        let local = Box::new(self.local.begin_look(depth)?);
        let (ours, unknown, town) = (self.ours.clone(), self.unknown.clone(), self.town.clone());
        Ok(AnyLooking::Hybrid(HybridLooking { local, asked, ours, unknown, town }))
    }

    /// Sessions of this town: with `local`, with every daemon that configuration names, and with those that the town
    /// remembers. What it remembers may be unreadable: that is part of every look.
    ///
    /// # Errors
    /// Broken configuration, or an address that is none.
    pub fn open(local: Box<dyn Mux>, town: &Town, sources: &Sources) -> Result<Hybrid> {
        let mut remotes = remotes::known(sources)?;
        let (records, unknown) = match away::read(town) {
            Ok(records) => (records, None),
            Err(error) => (away::Records::new(), Some(format!("{error:#}"))),
        };
        for record in records.values() {
            if !remotes.iter().any(|remote| remote.fugue_addr == record.fugue_addr) {
                let (name, fugue_addr) = (record.remote.clone(), record.fugue_addr.clone());
                remotes.push(KnownRemote { name, fugue_addr, ..KnownRemote::default() });
            }
        }
        for remote in remotes.iter().filter(|remote| !remote.fugue_addr.is_empty()) {
            FugueAddr::parse(&remote.fugue_addr)?;
        }
        let town_id = if remotes.is_empty() { String::new() } else { away::town_id(town)? };
        let ours = Arc::new(Ours { town: town.mark(), town_id, records });
        let (town, sources) = (town.clone(), sources.clone());
        Ok(Hybrid { local, town, sources, remotes, ours, unknown, program: OnceCell::new() })
    }

    /// fugue's program, looked for when it is needed first.
    fn program(&self) -> Result<&Program, Failure> {
        let find = || {
            let found = crate::config::settings(&self.sources).and_then(|settings| {
                Program::find(settings.fugue.program.as_deref(), settings.fugue.dialect.known())
            });
            found.map_err(|error| (format!("{error:#}"), crate::base::failure::hint_of(&error)))
        };
        self.program
            .get_or_init(find)
            .as_ref()
            .map_err(|(message, hint)| Failure { hint: hint.clone(), ..Failure::new(message.clone()) })
    }

    fn daemon(&self, remote: &KnownRemote, ours: &Arc<Ours>) -> Result<FugueMux, Failure> {
        Ok(FugueMux::new(self.program()?.at(&remote.fugue_addr), remote.clone(), ours.clone()))
    }

    /// The daemon that keeps a session, by its id; none for one of this machine.
    fn keeper(&self, id: &str) -> Result<Option<FugueMux>> {
        let Some((addr, _)) = fugue::split(id) else { return Ok(None) };
        Ok(Some(self.daemon(&self.remote(addr, addr), &self.ours)?))
    }

    /// A remote by its address; one that nobody named has the name that is given.
    fn remote(&self, addr: &str, name: &str) -> KnownRemote {
        let known = self.remotes.iter().find(|remote| remote.fugue_addr == addr && remote.name == name);
        let known = known.or_else(|| self.remotes.iter().find(|remote| remote.fugue_addr == addr));
        known.cloned().unwrap_or_else(|| KnownRemote {
            name: name.into(),
            fugue_addr: addr.into(),
            ..KnownRemote::default()
        })
    }

    /// A session elsewhere: remembered before it is started, its id when it was seen (law 4).
    fn start_away(&self, spec: &Spec, taken: &Snapshot) -> Result<Started> {
        let Some(away) = &spec.away else { return self.local.start(spec, taken) };
        let mut remote = self.remote(&away.fugue_addr, &away.remote);
        remote.name.clone_from(&away.remote);
        answered(&remote, taken)?;
        let ours = Ours { town_id: away::town_id(&self.town)?, ..Ours::clone(&self.ours) };
        let daemon = self.daemon(&remote, &Arc::new(ours))?;
        let (address, instance) = (&spec.marks.address, &spec.marks.instance);
        let record = Record {
            remote: away.remote.clone(),
            fugue_addr: away.fugue_addr.clone(),
            town: away.town.clone(),
            session: spec.name.clone(),
            instance: instance.clone(),
            bead: spec.marks.bead.clone(),
            branch: away.branch.clone(),
            ..Record::default()
        };
        away::update(&self.town, |records| records.insert(address.clone(), record))?;
        let changed = |change: &dyn Fn(&mut Record)| {
            away::update(&self.town, |records| {
                records.get_mut(address).filter(|record| record.instance == *instance).map(change)
            })
        };
        match daemon.try_start(spec, taken) {
            Ok(started) => {
                let own = fugue::split(&started.session).map_or("", |(_, own)| own);
                changed(&|record| {
                    record.id = own.into();
                    record.secret.clone_from(&started.secret);
                    record.session.clone_from(&started.name);
                })?;
                Ok(started)
            }
            Err(NotStarted::Nothing(error)) => {
                away::forget(&self.town, address, instance)?;
                Err(error)
            }
            Err(NotStarted::Unknown(error)) => {
                // Whoever sees the daemon next ends it.
                changed(&|record| record.leaving = true)?;
                Err(error)
            }
        }
    }

    /// A role's session that was ended leaves nothing behind over there; a polecat's end has more steps.
    fn forget_roles(&self, sessions: &[&str]) -> Result<()> {
        let ended = |record: &Record| {
            let id = fugue::id(&record.fugue_addr, &record.id);
            record.bead.is_empty() && !record.id.is_empty() && sessions.contains(&id.as_str())
        };
        if !away::read(&self.town)?.values().any(ended) {
            return Ok(());
        }
        away::update(&self.town, |records| records.retain(|_, record| !ended(record)))
    }
}

impl HybridLooking {
    /// What was found, here and there.
    ///
    /// # Errors
    /// As [`super::Looking::wait`].
    pub fn wait(self) -> Result<Snapshot> {
        let asks = match self.local.as_ref() {
            AnyLooking::Tmux(looking) => Some(looking.asks()),
            _ => None,
        };
        let mut snapshot = self.local.wait()?;
        let occupied = occupied(&self.town, &snapshot);
        // No server at that socket says nothing of one that agents are known to be in.
        if snapshot == Snapshot::default()
            && let (Some((tmux, depth)), Some(server)) = (asks, occupancy::server(&occupied))
        {
            let seen = tmux::TmuxLooking::at(&tmux, depth, &server.socket, &server.process)?;
            snapshot = super::seen(seen);
        }
        snapshot.occupied = occupied;
        snapshot.away.unknown = self.unknown;
        for session in snapshot.sessions.iter_mut().filter(|session| session.marks.town == self.ours.town) {
            session.occupied = snapshot.occupied.contains_key(&session.marks.address);
        }
        for AskedDaemon { names, list } in self.asked {
            match list {
                Ok((daemon, listing)) => match listing.wait() {
                    Ok((listed, took)) => daemon.seen(listed, took, &mut snapshot),
                    Err(error) => unasked(&names, &error, &self.ours, &mut snapshot),
                },
                Err(failure) => unasked(&names, &failure.into(), &self.ours, &mut snapshot),
            }
            // The same daemon under other names.
            if let Some(daemon) = snapshot.away.daemons.last().cloned() {
                let others = names.into_iter().skip(1);
                snapshot
                    .away
                    .daemons
                    .extend(others.map(|other| Daemon { remote: other.name, ..daemon.clone() }));
            }
        }
        once(&mut snapshot, &self.ours);
        Ok(snapshot)
    }
}

/// The agents of which something runs, but those whose sessions all say so themselves.
fn occupied(town: &Town, seen: &Snapshot) -> BTreeMap<String, Occupied> {
    let mark = town.mark();
    let mut alive: HashMap<&str, bool> = HashMap::new();
    for session in seen.ours(&mark) {
        *alive.entry(&session.marks.address).or_insert(true) &= session.alive();
    }
    occupancy::of_town(town, |address| alive.get(address).is_some_and(|all| *all))
}

/// One daemon may answer at several addresses, its socket and a tunnel's end: a session of ours counts once, at the address
/// where it was started.
fn once(snapshot: &mut Snapshot, ours: &Ours) {
    let own = |session: &Session| {
        let (addr, id) = fugue::split(&session.id)?;
        let record = ours.records.get(&session.marks.address);
        (!session.marks.instance.is_empty())
            .then(|| (id.to_string(), record.is_some_and(|record| record.fugue_addr == addr)))
    };
    let home = snapshot.sessions.iter().filter_map(own).filter(|(_, home)| *home);
    let at_home: BTreeSet<String> = home.map(|(id, _)| id).collect();
    let mut elsewhere: BTreeSet<String> = BTreeSet::new();
    snapshot.sessions.retain(|session| match own(session) {
        Some((_, true)) | None => true,
        Some((id, false)) => !at_home.contains(&id) && elsewhere.insert(id),
    });
}

/// Whether a daemon was just asked and answered; a failure where it did not: asking again would only take the time once
/// more.
fn answered(remote: &KnownRemote, seen: &Snapshot) -> Result<bool, Failure> {
    match seen.away.daemons.iter().find(|daemon| daemon.fugue_addr == remote.fugue_addr) {
        Some(Daemon { silent: Some(why), hint, .. }) => Err(fugue::out_of_reach(remote, why, hint.clone())),
        Some(_) => Ok(true),
        None => Ok(false),
    }
}

/// A daemon that gt itself could not ask: what is there is not known.
fn unasked(names: &[KnownRemote], error: &anyhow::Error, ours: &Ours, snapshot: &mut Snapshot) {
    let Some(remote) = names.first() else { return };
    snapshot.away.unreachable.extend(fugue::unreachable(remote, ours));
    snapshot.away.daemons.push(Daemon {
        remote: remote.name.clone(),
        fugue_addr: remote.fugue_addr.clone(),
        silent: Some(format!("{error:#}")),
        hint: crate::base::failure::hint_of(error),
        ..Daemon::default()
    });
}

impl Mux for Hybrid {
    fn begin_look(&self, depth: Depth) -> Result<AnyLooking> {
        self.begin(depth)
    }

    fn change(&self, session: &Session, spec: &Spec, changes: &[LiveChange]) -> Result<()> {
        match self.keeper(&session.id)? {
            Some(daemon) => daemon.change(session, spec, changes),
            None => self.local.change(session, spec, changes),
        }
    }

    fn look_here(&self) -> Result<Snapshot> {
        self.local.look()
    }

    fn look_at(&self, session: &str) -> Result<Snapshot> {
        match self.keeper(session)? {
            Some(daemon) => daemon.look(),
            None => self.local.look_at(session),
        }
    }

    fn start(&self, spec: &Spec, taken: &Snapshot) -> Result<Started> {
        self.start_away(spec, taken)
    }

    fn start_many(&self, specs: &[&Spec], taken: &Snapshot, each: &dyn Fn(usize)) -> Vec<Result<Started>> {
        if specs.iter().all(|spec| spec.away.is_none()) {
            return self.local.start_many(specs, taken, each);
        }
        let start = |(number, spec): (usize, &&Spec)| {
            let started = self.start(spec, taken)?;
            each(number);
            Ok(started)
        };
        specs.iter().enumerate().map(start).collect()
    }

    fn reachable(&self, remote: &KnownRemote, seen: &Snapshot) -> Result<()> {
        match answered(remote, seen)? {
            true => Ok(()),
            false => self.daemon(remote, &self.ours)?.answers(),
        }
    }

    fn has_client(&self) -> Result<()> {
        Ok(self.program().map(drop)?)
    }

    fn mark(&self, session: &str, state: &str, since: &str) -> Result<()> {
        match self.keeper(session)? {
            Some(daemon) => daemon.mark(session, state, since),
            None => self.local.mark(session, state, since),
        }
    }

    fn stop(&self, sessions: &[&str]) -> Result<()> {
        let (away, here): (Vec<&str>, Vec<&str>) =
            sessions.iter().partition(|session| fugue::split(session).is_some());
        // A daemon that does not answer keeps no other session from being stopped.
        let mut failures = Failures::default();
        failures.keep(self.local.stop(&here));
        let stop = |session: &str| match self.keeper(session)? {
            Some(daemon) => daemon.stop(&[session]),
            None => Ok(()),
        };
        let stopped: Vec<&str> =
            away.into_iter().filter(|session| failures.keep(stop(session)).is_some()).collect();
        if !stopped.is_empty() {
            failures.keep(self.forget_roles(&stopped));
        }
        failures.end(|count| format!("{count} of {} sessions cannot be stopped", sessions.len()))
    }

    fn capture(&self, pane: &str, lines: usize) -> Result<String> {
        match self.keeper(pane)? {
            Some(daemon) => daemon.capture(pane, lines),
            None => self.local.capture(pane, lines),
        }
    }

    fn screens(&self, panes: &[&str]) -> Result<Vec<Option<String>>> {
        self.local.screens(panes)
    }

    fn paste(&self, pane: &str, text: &str) -> Result<()> {
        match self.keeper(pane)? {
            Some(daemon) => daemon.paste(pane, text),
            None => self.local.paste(pane, text),
        }
    }

    fn keys(&self, pane: &str, keys: &[String]) -> Result<()> {
        match self.keeper(pane)? {
            Some(daemon) => daemon.keys(pane, keys),
            None => self.local.keys(pane, keys),
        }
    }

    fn errand(&self, errand: &Errand) -> Result<Ran> {
        let remote = self.remote(&errand.fugue_addr, &errand.remote);
        self.daemon(&remote, &self.ours)?.errand(errand)
    }

    fn attach(&self, session: &str) -> Result<()> {
        match self.keeper(session)? {
            Some(daemon) => daemon.attach(session),
            None => self.local.attach(session),
        }
    }

    fn kind(&self) -> &'static str {
        self.local.kind()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mux::{Marks, Pane};
    use crate::town::FolderLayout;

    #[test]
    fn a_lock_is_asked_unless_every_session_of_its_agent_lives() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().to_path_buf();
        let town = Town {
            root,
            name: "town".into(),
            layout: FolderLayout::Present,
            id: String::new(),
            reads: Default::default(),
        };
        let lock = occupancy::lock_of(&town, &crate::model::address::Address::Mayor);
        let _held = occupancy::take(&lock, ("mayor/", &"ab12".into()), None).unwrap();
        let session = |dead| Session {
            marks: Marks { town: town.mark(), address: "mayor/".into(), ..Marks::default() },
            panes: vec![Pane { agent: true, dead, ..Pane::default() }],
            ..Session::default()
        };
        let asked = |dead: &[bool]| {
            let sessions = dead.iter().map(|dead| session(*dead)).collect();
            occupied(&town, &Snapshot { sessions, ..Snapshot::default() }).contains_key("mayor/")
        };
        assert_eq!(
            [asked(&[]), asked(&[true]), asked(&[false]), asked(&[false, true])],
            [true, true, false, true]
        );
    }
}
