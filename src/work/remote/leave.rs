//! The end of a polecat on another machine: its record says that it is leaving, its session is ended, its worktree over
//! there is taken away by a second line, what that kept comes home, and the record goes. While its daemon is silent, or
//! the line fails, the record stays, and the next sync or patrol goes on.

use std::path::Path;

use anyhow::Result;

use super::line::{self, RemotePlace};
use crate::beads::{Change, Guard};
use crate::model::bead::Patch;
use crate::model::ids::InstanceId;
use crate::model::refs::{self, RECOVERY};
use crate::model::words;
use crate::mux::Session;
use crate::mux::fugue::errand::{Errand, Ran};
use crate::programs::git::Git;
use crate::town::away::{self, Record};
use crate::work::observe::scene::Scene;
use crate::work::polecat::ending::give;
use crate::work::polecat::loss::keep::Shelf;
use crate::work::step;

/// The line of the screen, with the instance after it, that says the place over there is gone.
const ENDED: &str = "gt: ended ";

/// Before each commit that the end kept over there, on its screen.
const COMMIT: &str = "gt: commit ";

/// Key of a record for the session that takes the worktree away: the daemon's own id.
const ERRAND: &str = "ending";

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaveResult {
    /// Nothing is over there any more; what was kept is under this ref here.
    Gone(Option<String>),
    /// Its worktree is still there; why.
    Waits(String),
}

/// Writes down that a polecat elsewhere is to be ended, whenever its machine answers.
///
/// # Errors
/// When the record cannot be written.
pub fn leaving(scene: &Scene<'_>, address: &str, record: &Record) -> Result<()> {
    if record.leaving {
        return Ok(());
    }
    away::update(scene.town, |records| {
        let record = records.entry(address.into()).or_insert_with(|| record.clone());
        record.leaving = true;
    })
}

/// Ends what a polecat has on another machine: transcript, session, worktree. Its record goes when all of it is gone.
///
/// # Errors
/// A daemon that does not answer, or git: the record stays.
pub fn leave(
    scene: &Scene<'_>,
    name: &str,
    record: &Record,
    session: Option<&Session>,
) -> Result<LeaveResult> {
    let address = scene.address(name).to_string();
    leaving(scene, &address, record)?;
    step("leave.1");
    if let Some(session) = session {
        give::keep_transcript(scene, name, &record.instance, session)?;
        scene.mux.stop(&[&session.id])?;
    }
    step("leave.2");
    let ran = scene.mux.errand(&Errand {
        remote: record.remote.clone(),
        fugue_addr: record.fugue_addr.clone(),
        name: format!("gt-end-{}-{name}", scene.rig.name),
        instance: record.instance.clone(),
        begun: record.other.get(ERRAND).and_then(|id| id.as_str()).unwrap_or_default().into(),
        line: end_line(scene, name, &address, record)?,
        done: ENDED,
    })?;
    let screen = match ran {
        Ran::Done(screen) => screen,
        Ran::Failed(why) => return Ok(LeaveResult::Waits(why)),
        Ran::Running(id) => {
            begun(scene, &address, &record.instance, &id)?;
            return Ok(LeaveResult::Waits(format!("its worktree on {} is being removed", record.remote)));
        }
    };
    step("leave.3");
    let recovery = bring_kept(scene, name, &record.instance, &screen)?;
    // A start whose daemon fell silent, or an end by hand that was cut short, leaves it its bead.
    if scene.record(name).is_some_and(|own| own.instance == record.instance) {
        give::give_back(scene, name, recovery.as_deref())?;
    }
    if let Some(recovery) = &recovery {
        name_it(scene, &record.bead, recovery)?;
    }
    step("leave.4");
    away::forget(scene.town, &address, &record.instance)?;
    step("leave.5");
    Ok(LeaveResult::Gone(recovery))
}

fn end_line(scene: &Scene<'_>, name: &str, address: &str, record: &Record) -> Result<String> {
    let town =
        Path::new(if record.town.is_empty() { scene.town.root.as_os_str() } else { record.town.as_ref() });
    line::end(&RemotePlace {
        town,
        id: &scene.town.id,
        rig: &scene.rig.name,
        name,
        address,
        instance: &record.instance,
        home: &town.join(&scene.rig.name).join("polecats").join(name),
        branch: &record.branch_of(name).to_string(),
        target: &scene.target,
    })
}

fn begun(scene: &Scene<'_>, address: &str, instance: &InstanceId, id: &str) -> Result<()> {
    away::update(scene.town, |records| {
        if let Some(record) = records.get_mut(address).filter(|record| record.instance == instance) {
            record.other.insert(ERRAND.into(), id.into());
        }
    })
}

/// What was kept over there and pushed to origin comes under the same refs here, and goes from origin. Gives the ref of
/// the last state; `None`: nothing was kept, or not pushed. Others can push to origin too: only commits that the end named on
/// its screen are taken.
fn bring_kept(scene: &Scene<'_>, name: &str, instance: &InstanceId, screen: &str) -> Result<Option<String>> {
    let named: Vec<&str> = screen.lines().filter_map(|line| line.trim_end().strip_prefix(COMMIT)).collect();
    let git = Git::at(scene.rig.clone_dir());
    let shelf = Shelf::new(&scene.rig.clone_dir(), name, instance, &scene.rig.polecat_dir(name));
    let main = shelf.main_ref();
    let kept = main.replacen(RECOVERY, &refs::recovery_at_origin(&scene.town.id), 1);
    let found = git.origin_refs(&[&format!("{kept}*")])?;
    let found: Vec<(String, String)> =
        found.into_iter().filter(|(full, id)| full.starts_with(&kept) && named.contains(&&**id)).collect();
    if found.is_empty() {
        return Ok(None);
    }
    let specs: Vec<&str> = found.iter().map(|(full, _)| full.as_str()).collect();
    git.bring_refs("what was kept on another machine", &specs)?;
    let end = |full: &str| full.strip_prefix(&kept).unwrap_or_default().to_string();
    let items: Vec<(String, String)> = found.iter().map(|(full, id)| (end(full), id.clone())).collect();
    let names = shelf.put(&items)?;
    // One that origin keeps does no harm.
    git.delete_at_origin(&found)?;
    let last = items.iter().position(|(end, _)| end.is_empty()).unwrap_or_default();
    Ok(names.get(last).cloned())
}

/// A bead that waits for somebody names what was kept of it.
fn name_it(scene: &Scene<'_>, bead: &str, recovery: &str) -> Result<()> {
    if bead.is_empty() {
        return Ok(());
    }
    let mut patch = Patch::default();
    patch.metadata.insert(words::META_RECOVERY.into(), recovery.into());
    let guard = Guard {
        id: bead.into(),
        statuses: vec![words::OPEN.into()],
        assignee: Some(None),
        lacks_labels: vec![words::LABEL_SUBMITTED.into()],
        ..Guard::default()
    };
    // Refused: somebody has it, or it is closed or gone.
    scene.store.write(&[guard], &[Change::Update(bead.into(), Box::new(patch))])?;
    Ok(())
}
