//! What is done for any polecat that ends, wherever it ran: its bead is given back, its screen kept.

use anyhow::Result;
use serde::Serialize;

use crate::base::files;
use crate::beads::{Change, Guard, Written};
use crate::model::bead::Patch;
use crate::model::ids::InstanceId;
use crate::model::words;
use crate::mux::Session;
use crate::work::observe::scene::Scene;
use crate::work::polecat::ending::TRANSCRIPT_LINES;

/// The bead a polecat holds becomes open and unassigned, unless its work is in the queue.
///
/// # Errors
/// When the store cannot be written.
pub fn give_back(scene: &Scene<'_>, name: &str, recovery: Option<&str>) -> Result<Option<BeadNow>> {
    let Some(bead) = scene.bead_of(name) else { return Ok(None) };
    if scene.is_submitted(bead) {
        return Ok(Some(BeadNow::Queued));
    }
    let mut patch = Patch { status: Some(words::OPEN.into()), assignee: Some(None), ..Patch::default() };
    let away = bead.labels.iter().filter(|label| label.starts_with(words::LABEL_REMOTE));
    patch.remove_labels.extend(away.cloned());
    if recovery.is_some() {
        patch.metadata.extend(bead.recovery_metadata(recovery));
    }
    let guard = Guard {
        id: bead.id.clone(),
        statuses: [words::HOOKED, words::IN_PROGRESS].map(Into::into).to_vec(),
        assignee: Some(bead.assignee.clone()),
        lacks_labels: vec![words::LABEL_SUBMITTED.into()],
        ..Guard::default()
    };
    // Refused means that another command moved it on meanwhile: then there is nothing to give back.
    Ok(Some(match scene.store.write(&[guard], &[Change::Update(bead.id.clone(), Box::new(patch))])? {
        Written::Done(_) => BeadNow::Open,
        Written::Refused(..) => BeadNow::Changed,
    }))
}

/// Keeps what an ended session has on its screen, under the rig's `logs/`.
///
/// # Errors
/// When it cannot be written.
pub fn keep_transcript(
    scene: &Scene<'_>,
    name: &str,
    instance: &InstanceId,
    session: &Session,
) -> Result<()> {
    let Some(pane) = session.panes.first().filter(|_| !session.agent_gone) else { return Ok(()) };
    // A pane that is gone between the look and now has nothing left to keep.
    let Ok(text) = scene.mux.capture(&pane.id, TRANSCRIPT_LINES) else { return Ok(()) };
    let dir = scene.rig.logs_dir();
    files::make_dir(&dir)?;
    files::write(&dir.join(format!("{name}-{instance}.screen.txt")), text.as_bytes())
}

/// How a bead is once its polecat was released.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BeadNow {
    /// Open and unassigned.
    Open,
    /// As before: its work waits to be merged, and will be.
    Queued,
    /// Changed by another command meanwhile.
    Changed,
}

impl BeadNow {
    /// What is said of the bead `id`.
    pub fn said(self, id: &str) -> String {
        match self {
            BeadNow::Open => format!("{id} is open again"),
            BeadNow::Queued => format!("{id} still waits to be merged (take it out with: gt mq reject {id})"),
            BeadNow::Changed => format!("{id} was changed meanwhile (see: gt bd show {id})"),
        }
    }
}
