//! The end of a polecat (`work.md`): nothing goes before it is kept.

use anyhow::{Context, Result};

use super::sandbox::Sandbox;
use super::scene::Scene;
use super::{names, step};
use crate::address::Address;
use crate::beads::{Change, Guard, Patch, words};
use crate::failure::Failure;
use crate::mux::Session;
use crate::plan::place::Seen;

/// How many lines of an ended session are kept (`work.md`).
const TRANSCRIPT_LINES: usize = 5000;

/// What came of ending a polecat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It is gone; its commits that are on no target are under this ref.
    Done(Option<String>),
    /// Files that are in no commit: nothing was removed.
    Dirty(Vec<String>),
}

/// Ends one polecat: transcript, session, recovery ref, worktree, branch, name. Each step may be the last before a
/// kill: the next patrol goes on. With `force` uncommitted changes become a commit under the recovery ref.
///
/// # Errors
/// When a step fails; the steps before it are done and nothing is lost.
pub fn end_polecat(scene: &Scene<'_>, name: &str, force: bool) -> Result<End> {
    let _claim = scene.claim(name)?;
    let instance = scene.instance(name);
    let sandbox = Sandbox::of(scene.rig, &scene.target, name, &instance);
    let session = match scene.session_of(name) {
        Seen::Session(session) => Some(session),
        Seen::None => None,
        Seen::Unreachable => return Err(unreachable(&scene.address(name)).into()),
        Seen::Unknown => {
            let why = scene.snapshot.unknown.clone().unwrap_or_default();
            return Err(Failure::new(format!(
                "cannot tell whether {}/{name} still runs: {why}",
                scene.rig.name
            ))
            .into());
        }
    };
    // While it runs, a look before it is stopped leaves it the chance to commit.
    if session.is_some_and(|session| session.alive()) && !force {
        let files = sandbox.dirty()?;
        if !files.is_empty() {
            return Ok(End::Dirty(files));
        }
    }
    if let Some(session) = session {
        keep_transcript(scene, name, &instance, session)?;
        step("end.1");
        scene.mux.stop(&[&session.id])?;
        step("end.2");
    }
    if !force {
        let files = sandbox.dirty()?;
        if !files.is_empty() {
            return Ok(End::Dirty(files));
        }
    }
    let recovery = sandbox.keep(force)?;
    step("end.3");
    sandbox.remove_tree()?;
    step("end.4");
    sandbox.remove_branches()?;
    step("end.5");
    names::release(scene.rig, name, &instance)?;
    step("end.6");
    Ok(End::Done(recovery))
}

/// Why an agent whose daemon does not answer is left alone.
fn unreachable(address: &Address) -> Failure {
    Failure::new(format!("cannot tell whether {address} still runs: its machine does not answer"))
        .hint("see what is wrong with: gt remote status")
}

fn keep_transcript(scene: &Scene<'_>, name: &str, instance: &str, session: &Session) -> Result<()> {
    let Some(pane) = session.panes.first().filter(|_| !session.agent_gone) else { return Ok(()) };
    // A pane that is gone between the look and now has nothing left to keep.
    let Ok(text) = scene.mux.capture(&pane.id, TRANSCRIPT_LINES) else { return Ok(()) };
    let dir = scene.rig.logs_dir();
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    crate::town::files::write(&dir.join(format!("{name}-{instance}.screen.txt")), text.as_bytes())
}

/// Gives a polecat's bead back and ends it (place "released"). Its commits, and with `force` its uncommitted changes,
/// stay under a recovery ref that the bead names.
///
/// # Errors
/// Without `force`: while it works, or when files are not committed. Nothing is changed then.
pub fn release(scene: &Scene<'_>, name: &str, force: bool) -> Result<Option<String>> {
    let address = scene.address(name);
    if !scene.names().contains(name) {
        let hint = format!("see who is there with: gt polecats {}", scene.rig.name);
        return Err(Failure::new(format!("no polecat {address}")).hint(hint).into());
    }
    let _claim = scene.claim(name)?;
    let alive = match scene.session_of(name) {
        Seen::Session(session) => session.alive(),
        Seen::None => false,
        Seen::Unreachable => return Err(unreachable(&address).into()),
        Seen::Unknown => {
            crate::fail!("cannot tell whether {address} still runs"; "look at tmux first: tmux list-sessions")
        }
    };
    if alive && !force {
        crate::fail!("{address} is at work"; "wait, or end it all the same with: gt polecat nuke {address}");
    }
    let instance = scene.instance(name);
    let sandbox = Sandbox::of(scene.rig, &scene.target, name, &instance);
    let files = sandbox.dirty()?;
    if !files.is_empty() && !force {
        let list = files.join("\n  ");
        crate::fail!(
            "{address} has files that are in no commit:\n  {list}";
            "keep them under a recovery ref and end it: gt polecat nuke {address}"
        );
    }
    if let Seen::Session(session) = scene.session_of(name) {
        keep_transcript(scene, name, &instance, session)?;
        scene.mux.stop(&[&session.id])?;
    }
    step("release.1");
    let recovery = sandbox.keep(force)?;
    step("release.2");
    give_back(scene, name, recovery.as_deref())?;
    step("release.3");
    sandbox.remove_tree()?;
    sandbox.remove_branches()?;
    names::release(scene.rig, name, &instance)?;
    step("release.4");
    Ok(recovery)
}

/// The bead a polecat holds becomes open and nobody's, unless its work is in the queue.
fn give_back(scene: &Scene<'_>, name: &str, recovery: Option<&str>) -> Result<()> {
    let Some(bead) = scene.bead_of(name) else { return Ok(()) };
    if scene.is_submitted(bead) {
        return Ok(());
    }
    let mut patch = Patch { status: Some(words::OPEN.into()), assignee: Some(None), ..Patch::default() };
    if let Some(recovery) = recovery {
        patch.metadata.insert(words::META_RECOVERY.into(), recovery.into());
    }
    let guard = Guard {
        id: bead.id.clone(),
        assignee: Some(bead.assignee.clone()),
        lacks_labels: vec![words::LABEL_SUBMITTED.into()],
        ..Guard::default()
    };
    let store = scene.rig.store(&Address::Witness(scene.rig.name.clone()))?;
    // Refused means that somebody else moved it on meanwhile: then it is not ours to give back.
    store.write(&[guard], &[Change::Update(bead.id.clone(), Box::new(patch))])?;
    Ok(())
}
