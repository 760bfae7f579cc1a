//! What an agent leaves running when its session ends: it is ended before anything else happens in its folder.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::base::failure::{Failure, Failures};
use crate::model::address::Address;
use crate::mux::{Mux, Session};
use crate::plan::place::Seen;
use crate::programs::process::stamp::Stamp;
use crate::programs::survivors::{EndedSurvivors, Named, Trace, end, is_lock_of, leader, list};
use crate::town::occupancy::{self, Occupied, mark_of, town_of};
use crate::town::{Rig, Town};
use crate::work::observe::scene::Scene;

/// What everything carries that an agent starts.
pub fn of_address(town: &Town, address: &Address) -> Trace {
    let env = vec![("GT_TOWN_ROOT", town.mark()), ("GT_ADDRESS", address.to_string())];
    let lock = occupancy::lock_of(town, address);
    let (leaders, lock) = match occupancy::is_held(&lock) {
        Occupied::Yes(holder) if is_lock_of(&lock, &town.root, holder.process.as_ref()) => {
            (holder.process.into_iter().collect(), Some(lock))
        }
        _ => (Vec::new(), None),
    };
    Trace { env, leaders, lock, ..Trace::default() }
}

/// The same of one session, taken while it runs; nothing for one on another machine.
fn of_session(town: &Town, session: &Session) -> Trace {
    let marks = &session.marks;
    if session.remote.is_some() || marks.instance.is_empty() {
        return Trace::default();
    }
    let env = vec![("GT_TOWN_ROOT", marks.town.clone()), ("GT_INSTANCE", marks.instance.to_string())];
    let lock = marks.agent().map(|address| occupancy::lock_of(town, &address));
    // Another session of that address may hold it.
    let own = |lock: &PathBuf| matches!(occupancy::is_held(lock), Occupied::Yes(holder) if holder.instance == marks.instance);
    Trace { env, leaders: leaders(session), lock: lock.filter(own), ..Trace::default() }
}

/// What leads the sessions and groups of a session's panes; taken while it runs, because a number passes on.
fn leaders(session: &Session) -> Vec<Stamp> {
    let alive = session.panes.iter().filter(|pane| !pane.dead && session.remote.is_none());
    alive.filter_map(|pane| leader(pane.pid, &session.marks.town)).collect()
}

/// What a polecat leaves running, taken while its session runs.
pub fn of_polecat(scene: &Scene<'_>, name: &str) -> Trace {
    let mut trace = of_address(scene.town, &scene.address(name));
    if let Seen::Session(session) = scene.session_of(name) {
        trace.leaders.extend(leaders(session));
    }
    trace.dir = scene.rig.polecat_dir(name).canonicalize().ok();
    trace
}

/// Ends what test runs of a rig left running, which nothing else runs in while its bench is locked: a server keeps its
/// port from the next one. An agent of the town that was started meanwhile is none of it.
///
/// # Errors
/// When one cannot be ended: what the tests say would be about it.
pub fn end_tests(rig: &Rig, leader: Option<Stamp>) -> Result<Option<String>> {
    let trace = Trace {
        env: mark_of(rig, ""),
        lacks: Some(("GT_TOWN_ROOT", town_of(rig))),
        leaders: leader.into_iter().collect(),
        ..Trace::default()
    };
    let outcome = end(&[trace], false).pop().unwrap_or_default();
    check("the tests", &outcome)?;
    Ok(said("the tests", &outcome))
}

/// Ends what a polecat whose session has ended left running. Gives those that were ended, and others that work in its
/// folder and are named alone.
///
/// # Errors
/// When one cannot be ended, or is a tmux server with other sessions: its worktree has to stay.
pub fn clear(address: &Address, trace: Trace) -> Result<EndedSurvivors> {
    let lock = trace.lock.clone();
    let outcome = end(&[trace], true).pop().unwrap_or_default();
    check(&address.to_string(), &outcome)?;
    let servers = outcome.servers();
    if let Some(server) = servers.first()
        && lock.is_some_and(|lock| occupancy::is_held(&lock) != Occupied::No)
    {
        return Err(Failure::new(format!(
            "{address} started {}, which holds its worktree, and other sessions are in it",
            list(&servers)
        ))
        .hint(format!("once those can end, end the server with: kill {}", server.pid))
        .into());
    }
    Ok(outcome)
}

/// Ends sessions, then what they left running. Gives a line for each that left something.
///
/// # Errors
/// When sessions cannot be ended, or what they left: named, with what helps. The others are ended all the same.
pub fn stop(town: &Town, mux: &dyn Mux, sessions: &[&Session]) -> Result<Vec<String>> {
    let (away, here): (Vec<&Session>, Vec<&Session>) =
        sessions.iter().partition(|session| session.remote.is_some());
    let ids =
        |sessions: &[&Session]| mux.stop(&sessions.iter().map(|one| one.id.as_str()).collect::<Vec<_>>());
    let traces: Vec<Trace> = here.iter().map(|session| of_session(town, session)).collect();
    let mut failures = Failures::default();
    let mut lines = Vec::new();
    if failures.keep(ids(&here)).is_some() {
        for (session, outcome) in here.iter().zip(&end(&traces, false)) {
            failures.keep(check(&session.marks.address, outcome).map_err(Into::into));
            lines.extend(said(&session.marks.address, outcome));
        }
    }
    if !away.is_empty() {
        failures.keep(ids(&away));
    }
    failures.end(|count| format!("{count} things failed, and the other sessions are stopped")).map(|()| lines)
}

/// Ends what earlier sessions of agents left running, before they are started again; a line for each that left something.
pub fn before_start(town: &Town, addresses: &[&Address]) -> Vec<Result<Option<String>>> {
    let traces: Vec<Trace> = addresses.iter().map(|address| of_address(town, address)).collect();
    let outcomes = end(&traces, false);
    let each = addresses.iter().map(|address| address.to_string()).zip(&outcomes);
    each.map(|(who, outcome)| Ok(check(&who, outcome).map(|()| said(&who, outcome))?)).collect()
}

fn check(who: &str, outcome: &EndedSurvivors) -> Result<(), Failure> {
    if outcome.remaining.is_empty() {
        return Ok(());
    }
    let pids: Vec<String> = outcome.remaining.iter().map(|one| one.pid.to_string()).collect();
    Err(Failure::new(format!(
        "{who} left processes running that cannot be ended: {}",
        list(&outcome.remaining)
    ))
    .hint(format!("end them, then run the same command again: sudo kill -9 {}", pids.join(" "))))
}

/// What was ended and which tmux servers were not, in a line; nothing when there was neither.
pub fn said(who: &str, outcome: &EndedSurvivors) -> Option<String> {
    let (ended, servers) = (&outcome.ended, outcome.servers());
    let ended =
        (!ended.is_empty()).then(|| format!("{who} left processes running, now ended: {}", list(ended)));
    let servers = (!servers.is_empty())
        .then(|| format!("{who} started {}, left running: other sessions are in it", list(&servers)));
    ended.into_iter().chain(servers).reduce(|ended, servers| format!("{ended}; {servers}"))
}

/// Who else works in a folder that is to be removed.
pub fn in_the_way(dir: &Path, others: &[Named]) -> Option<String> {
    let verb = if others.len() == 1 { "works" } else { "work" };
    (!others.is_empty()).then(|| format!("{} {verb} in {}", list(others), dir.display()))
}
