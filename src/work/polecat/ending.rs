//! The end of a polecat (`work.md`): nothing goes before it is kept.

pub(crate) mod give;

use anyhow::Result;
use serde::Serialize;

use super::loss::keep::KeptWork;
use super::sandbox::Sandbox;
use crate::base::failure::Failure;
use crate::model::address::Address;
use crate::plan::place::Seen;
use crate::programs::git::Git;
use crate::programs::survivors::Trace;
use crate::town::away::{self, Record};
use crate::town::events::TownEvent;
use crate::town::occupancy;
use crate::work::agent::handoff;
use crate::work::observe::scene::Scene;
use crate::work::polecat::ending::give::{BeadNow, give_back, keep_transcript};
use crate::work::polecat::{names, sandbox, strays, survivors};
use crate::work::remote::leave::{LeaveResult, leave, leaving};
use crate::work::step;

/// How many lines of an ended session are kept (`work.md`).
const TRANSCRIPT_LINES: usize = 5000;

/// What came of ending a polecat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It is gone; what would have been lost is kept there.
    Done(KeptWork),
    /// Files that are in no commit, or something that cannot be read: nothing was removed.
    Dirty(Vec<String>),
    /// Its place on another machine is not gone yet; why. The next patrol goes on.
    Waits(String),
}

/// Ends one polecat: transcript, session, recovery ref, worktree, branch, name. Each step may be the last before a
/// kill: the next patrol goes on. With `force` uncommitted changes become a commit under the recovery ref.
///
/// # Errors
/// When a step fails; the steps before it are done and nothing is lost.
pub fn end_polecat(scene: &Scene<'_>, name: &str, force: bool) -> Result<End> {
    let _claim = scene.claim(name)?;
    Git::at(scene.rig.clone_dir()).mend()?;
    let instance = scene.instance(name);
    let sandbox = Sandbox::of(scene.rig, &scene.target, name, &instance);
    let session = match scene.session_of(name) {
        Seen::Session(session) => Some(session),
        Seen::None | Seen::Occupied => None,
        Seen::Unreachable => return Err(unreachable(scene, &scene.address(name)).into()),
        Seen::Unknown => {
            let why = scene.snapshot.unknown.clone().unwrap_or_default();
            return Err(Failure::new(format!(
                "cannot tell whether {}/{name} still runs: {why}",
                scene.rig.name
            ))
            .into());
        }
    };
    let trace = survivors::of_polecat(scene, name);
    if let Some(record) = scene.record(name) {
        let kept = match leave(scene, name, &record, session)? {
            LeaveResult::Gone(kept) => kept,
            LeaveResult::Waits(why) => return Ok(End::Waits(why)),
        };
        return end_here(scene, name, &sandbox, force, trace, kept);
    }
    // While it runs, a look before it is stopped leaves it the chance to commit.
    if session.is_some_and(|session| session.alive()) && !force {
        let stops = sandbox.look()?.stops(false, &scene.address_of(name))?;
        if !stops.is_empty() {
            return Ok(End::Dirty(stops));
        }
    }
    if let Some(session) = session {
        keep_transcript(scene, name, &instance, session)?;
        step("end.1");
        scene.mux.stop(&[&session.id])?;
        step("end.2");
    }
    end_here(scene, name, &sandbox, force, trace, None)
}

/// What a polecat has on this machine: recovery ref, worktree, branch, name. One that was elsewhere may have a place here
/// from before; `kept` is what came home of the other.
fn end_here(
    scene: &Scene<'_>,
    name: &str,
    sandbox: &Sandbox,
    force: bool,
    trace: Trace,
    kept: Option<String>,
) -> Result<End> {
    if let Some(why) = clear(scene, name, trace).map(|why| why.filter(|_| !force))? {
        return Ok(End::Waits(why));
    }
    occupancy::check_removable(&sandbox.dir)?;
    // What is in a place that was never begun came with its making: it is kept, and in nobody's way.
    let force = force || sandbox::is_unbegun(&sandbox.dir);
    let look = sandbox.look()?;
    if !force {
        let stops = look.stops(false, &scene.address_of(name))?;
        if !stops.is_empty() {
            return Ok(End::Dirty(stops));
        }
    }
    let mut all = sandbox.keep(&look, force)?;
    step("end.3");
    sandbox.remove_tree()?;
    step("end.4");
    strays::withdraw(scene.rig, &look.branches(), &scene.read.named);
    sandbox.remove_branches(&look)?;
    step("end.5");
    names::release(scene.rig, name, &sandbox.instance)?;
    step("end.6");
    TownEvent::new("ended", "").of(scene.address_of(name)).in_rig(scene.rig);
    if let Some(kept) = kept.filter(|kept| all.main.as_ref() != Some(kept)) {
        all.others.extend(all.main.replace(kept));
    }
    Ok(End::Done(all))
}

/// Ends what a polecat left running; gives why its worktree should stay, when others work in it.
///
/// # Errors
/// When one of its own processes cannot be ended.
fn clear(scene: &Scene<'_>, name: &str, trace: Trace) -> Result<Option<String>> {
    let address = scene.address(name);
    let outcome = survivors::clear(&address, trace)?;
    scene.note(survivors::said(&address.to_string(), &outcome));
    let others = survivors::in_the_way(&scene.rig.polecat_dir(name), &outcome.others);
    scene.note(others.clone());
    Ok(others.map(|others| {
        format!("{others}; leave that folder, or end it all the same with: gt polecat nuke {address}")
    }))
}

/// Why an agent whose daemon does not answer is left alone.
fn unreachable(scene: &Scene<'_>, address: &Address) -> Failure {
    let (why, hint) = match scene.elsewhere_unknown() {
        Some(why) => (why, "mend it by hand; until then what may be on another machine is left alone"),
        None => ("its machine does not answer", "see what is wrong with: gt remote status"),
    };
    Failure::new(format!("cannot tell whether {address} still runs: {why}")).hint(hint)
}

/// Gives a polecat's bead back and ends it (place "released"). Its commits, and with `force` its uncommitted changes,
/// stay under a recovery ref that the bead names.
///
/// # Errors
/// Without `force`: while it works, or when files are not committed. Nothing is changed then.
pub fn release(scene: &Scene<'_>, name: &str, force: bool) -> Result<Released> {
    let address = scene.address(name);
    exists(scene, name)?;
    let _claim = scene.claim(name)?;
    Git::at(scene.rig.clone_dir()).mend()?;
    let record = scene.record(name);
    releasable(scene, name, force)?;
    if let Some(record) = &record {
        if !matches!(scene.session_of(name), Seen::Unreachable) {
            return release_elsewhere(scene, name, record, force);
        }
        // A person says so: what is over there is ended when it answers. Until then the name stays taken.
        leaving(scene, &address.to_string(), record)?;
        step("release.1");
        let bead = give_back(scene, name, None)?;
        step("release.3");
        let waits = Some(format!("{} does not answer", record.remote));
        return Ok(Released { bead, waits, ..Released::default() });
    }
    let instance = scene.instance(name);
    let sandbox = Sandbox::of(scene.rig, &scene.target, name, &instance);
    let force = force || sandbox::is_unbegun(&sandbox.dir);
    let trace = survivors::of_polecat(scene, name);
    if let Seen::Session(session) = scene.session_of(name) {
        // Until its bead is given back this looks like a crash, which a deacon would start again.
        handoff::note_stopped(scene.town, &address)?;
        keep_transcript(scene, name, &instance, session)?;
        scene.mux.stop(&[&session.id])?;
    }
    if let Some(why) = clear(scene, name, trace)?.filter(|_| !force) {
        crate::fail!("{address} is not released: {why}");
    }
    step("release.1");
    occupancy::check_removable(&sandbox.dir)?;
    // Looked at again: it may have gone on until it was stopped.
    let look = sandbox.look()?;
    if !force && !look.stops(true, &address.to_string())?.is_empty() {
        crate::fail!("{address} was changed while it was stopped"; "look again with: gt polecat release {address}");
    }
    let kept = sandbox.keep(&look, force)?;
    step("release.2");
    let bead = give_back(scene, name, kept.main.as_deref())?;
    step("release.3");
    sandbox.remove_tree()?;
    strays::withdraw(scene.rig, &look.branches(), &scene.read.named);
    sandbox.remove_branches(&look)?;
    names::release(scene.rig, name, &instance)?;
    step("release.4");
    TownEvent::new("ended", "given back").of(scene.address_of(name)).in_rig(scene.rig);
    Ok(Released { kept, bead, waits: None })
}

/// What [`release`] would do about a polecat's bead; nothing is changed.
///
/// # Errors
/// As [`release`], as far as the look can tell.
pub fn check_release(scene: &Scene<'_>, name: &str, force: bool) -> Result<Option<BeadNow>> {
    exists(scene, name)?;
    releasable(scene, name, force)?;
    if !matches!(scene.session_of(name), Seen::Session(session) if session.alive()) {
        occupancy::check_removable(&scene.rig.polecat_dir(name))?;
    }
    let now = |bead| if scene.is_submitted(bead) { BeadNow::Queued } else { BeadNow::Open };
    Ok(scene.bead_of(name).map(now))
}

fn exists(scene: &Scene<'_>, name: &str) -> Result<()> {
    if scene.names().contains(name) {
        return Ok(());
    }
    let hint = format!("see who is there with: gt polecats {}", scene.rig.name);
    Err(Failure::new(format!("no polecat {}", scene.address(name))).hint(hint).into())
}

/// Without `force` a polecat that works, or has files in no commit, is not released; one whose session is unknown never is.
fn releasable(scene: &Scene<'_>, name: &str, force: bool) -> Result<()> {
    let address = scene.address(name);
    let record = scene.record(name);
    let alive = match scene.session_of(name) {
        Seen::Session(session) => session.alive(),
        Seen::None | Seen::Occupied => false,
        Seen::Unreachable if force && record.is_some() => return Ok(()),
        Seen::Unreachable => return Err(unreachable(scene, &address).into()),
        Seen::Unknown => {
            crate::fail!("cannot tell whether {address} still runs"; "look at tmux first: tmux list-sessions")
        }
    };
    if alive && !force {
        crate::fail!("{address} is at work"; "wait, or end it all the same with: gt polecat nuke {address}");
    }
    let sandbox = Sandbox::of(scene.rig, &scene.target, name, &scene.instance(name));
    if record.is_some() || force || sandbox::is_unbegun(&sandbox.dir) {
        return Ok(());
    }
    let stops = sandbox.look()?.stops(true, &address.to_string())?;
    if !stops.is_empty() {
        let list = stops.join("\n  ");
        crate::fail!(
            "{address} has what is in no commit:\n  {list}";
            "keep it and end the polecat: gt polecat nuke {address}"
        );
    }
    Ok(())
}

/// Forgets a polecat that was given up and whose machine does not come back; `false` for any other. Should it answer after
/// all, its session is ended by the next patrol, and its place goes with the next bearer of the name.
///
/// # Errors
/// When the record or the name cannot be removed.
pub fn forget(scene: &Scene<'_>, name: &str) -> Result<bool> {
    let Some(record) = scene.record(name).filter(|record| record.leaving) else { return Ok(false) };
    let silent = matches!(scene.session_of(name), Seen::Unreachable);
    if !silent || scene.bead_of(name).is_some_and(|bead| !scene.is_submitted(bead)) {
        return Ok(false);
    }
    let _claim = scene.claim(name)?;
    away::forget(scene.town, &scene.address_of(name), &record.instance)?;
    names::release(scene.rig, name, &record.instance)?;
    Ok(true)
}

/// [`release`] of one on another machine: its bead is free from when it is known to be leaving, and whatever its end
/// brings home is named by the bead.
fn release_elsewhere(scene: &Scene<'_>, name: &str, record: &Record, force: bool) -> Result<Released> {
    leaving(scene, &scene.address(name).to_string(), record)?;
    let trace = survivors::of_polecat(scene, name);
    let session = match scene.session_of(name) {
        Seen::Session(session) => Some(session),
        _ => None,
    };
    if let Some(session) = session {
        keep_transcript(scene, name, &record.instance, session)?;
        scene.mux.stop(&[&session.id])?;
    }
    step("release.1");
    let bead = give_back(scene, name, None)?;
    step("release.3");
    let kept = match leave(scene, name, record, None)? {
        LeaveResult::Gone(kept) => kept,
        LeaveResult::Waits(why) => return Ok(Released { bead, waits: Some(why), ..Released::default() }),
    };
    let sandbox = Sandbox::of(scene.rig, &scene.target, name, &record.instance);
    match end_here(scene, name, &sandbox, force, trace, kept)? {
        End::Done(kept) => Ok(Released { kept, bead, waits: None }),
        End::Dirty(_) | End::Waits(_) => Ok(Released { bead, ..Released::default() }),
    }
}

/// What came of giving a polecat's bead back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Released {
    /// What was kept of it.
    #[serde(flatten)]
    pub kept: KeptWork,
    /// How its bead is now, where it had one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bead: Option<BeadNow>,
    /// Why its place on another machine is still there, or the remote that does not answer: it goes with the next
    /// patrol that can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits: Option<String>,
}

#[cfg(test)]
mod tests;
