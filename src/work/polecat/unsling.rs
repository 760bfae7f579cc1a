//! `gt unsling`, `gt hold`, `gt unhold`: work is taken back, kept back, let go.

use anyhow::Result;
use serde::Serialize;

use crate::base::failure::Failure;
use crate::beads::{Change, Guard, Store, Written};
use crate::config::Sources;
use crate::model::address::Address;
use crate::model::bead::{Bead, Patch};
use crate::model::words;
use crate::mux::Mux;
use crate::plan::place::Place;
use crate::town::{Rig, Town};
use crate::work::observe::around::{Around, polecat};
use crate::work::observe::scene::Scene;
use crate::work::polecat::ending::give::BeadNow;
use crate::work::polecat::loss::keep::KeptWork;
use crate::work::polecat::{ending, queued};

/// Where a bead is taken back.
pub struct UnslingSite<'a> {
    /// The town.
    pub town: &'a Town,
    /// The rig.
    pub rig: &'a Rig,
    /// Where its settings come from.
    pub sources: Sources,
    /// What keeps sessions.
    pub mux: &'a dyn Mux,
}

/// Who had a bead that waited for a place.
pub const QUEUE: &str = "the queue";

/// A bead that was given back, or would be.
#[derive(Clone, Debug, Serialize)]
pub struct Unslung {
    /// The bead.
    pub bead: String,
    /// Who had it.
    pub from: String,
    /// What was kept.
    #[serde(flatten)]
    pub kept: KeptWork,
    /// What else is to be said of its end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Why its place on another machine is still there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits: Option<String>,
}

/// Gives a bead back (place "released"). With `force` also while its agent works; what is not committed is kept under
/// the recovery ref as well.
///
/// # Errors
/// When nobody has it, its work waits in the queue, or its agent works: nothing is changed then.
pub fn unsling(site: &UnslingSite<'_>, id: &str, force: bool, dry: bool) -> Result<Unslung> {
    let scene = Scene::look(site.town, site.rig, site.mux, site.sources.clone())?;
    let around = match scene.around(id) {
        Some(around) => around,
        None => Around::read(scene.store.as_ref(), &[id.to_string()])?,
    };
    let bead = around.bead(scene.store.as_ref(), id)?;
    if bead.status == words::OPEN && bead.has_label(words::LABEL_QUEUED) {
        let (label, metadata) = queued::off(bead);
        let patch = Patch { remove_labels: label.into_iter().collect(), metadata, ..Patch::default() };
        if !dry {
            write(scene.store.as_ref(), &[as_read(bead)], &[Change::Update(id.into(), Box::new(patch))])?;
        }
        let (kept, notes) = (KeptWork::default(), Vec::new());
        return Ok(Unslung { bead: id.into(), from: QUEUE.into(), kept, notes, waits: None });
    }
    let holder = check(bead, around.place(bead, site.town, &scene.snapshot), force)?;
    let (kept, notes) = (KeptWork::default(), Vec::new());
    let mut unslung = Unslung { bead: id.into(), from: holder.clone(), kept, notes, waits: None };
    if let Some(Address::Polecat(rig, name)) = polecat(bead)
        && rig == site.rig.name
        && scene.names().contains(&name)
        && scene.bead_of(&name).is_some_and(|held| held.id == bead.id)
    {
        if dry {
            ending::check_release(&scene, &name, force)?;
            return Ok(unslung);
        }
        let released = ending::release(&scene, &name, force)?;
        (unslung.kept, unslung.waits) = (released.kept, released.waits);
        unslung.notes = scene.notes();
        unslung.notes.extend(released.bead.filter(|now| *now != BeadNow::Open).map(|now| now.said(id)));
        return Ok(unslung);
    }
    if dry {
        return Ok(unslung);
    }
    let patch = Patch { status: Some(words::OPEN.into()), assignee: Some(None), ..Patch::default() };
    write(scene.store.as_ref(), &[as_read(bead)], &[Change::Update(id.into(), Box::new(patch))])?;
    Ok(unslung)
}

fn check(bead: &Bead, place: Place, force: bool) -> Result<String, Failure> {
    let id = &bead.id;
    let holder = bead.assignee.clone().unwrap_or_else(|| "nobody".into());
    match place {
        Place::Submitted => Err(Failure::new(format!("the work on {id} waits to be merged"))
            .hint(format!("take it out of the queue with: gt mq reject {id}"))),
        Place::Unknown => Err(Failure::new(format!("{id} is with {holder}, whose session cannot be seen"))
            .hint("ask tmux: gt session list")),
        Place::Unreachable => Err(Failure::new(format!(
            "{id} is with {holder}, whose machine does not answer"
        ))
        .hint(format!(
            "see what is wrong with: gt remote status; give it up with: gt polecat release --force {holder}"
        ))),
        Place::Working if !force => Err(Failure::new(format!("{holder} is at work on {id}"))
            .hint(format!("take it back all the same, its work is kept: gt unsling --force {id}"))),
        Place::Taken if !force => Err(Failure::new(format!("{id} is with {holder}, who is no polecat"))
            .hint(format!("take it back all the same: gt unsling --force {id}"))),
        Place::Working | Place::Taken | Place::Hooked | Place::Crashed => Ok(holder),
        _ => Err(Failure::new(format!("nobody has {id}: it is {}", place.as_str()))
            .hint(format!("look at it with: gt bd show {id}"))),
    }
}

/// Beads of one store that are to be kept back or let go.
pub struct Holding {
    /// Those that are not so already.
    pub beads: Vec<String>,
    store: Box<dyn Store>,
    guards: Vec<Guard>,
    changes: Vec<Change>,
}

impl Holding {
    /// Makes it so. Gives the beads that changed.
    ///
    /// # Errors
    /// A bead that changed since the look, or a store that cannot be written: then none is changed.
    pub fn carry_out(self) -> Result<Vec<String>> {
        if !self.changes.is_empty() {
            write(self.store.as_ref(), &self.guards, &self.changes)?;
            crate::work::step("hold.1");
        }
        Ok(self.beads)
    }
}

/// Looks at beads that are to be kept from being slung, or let go.
///
/// # Errors
/// A bead that is closed or that somebody has.
pub fn plan_hold(store: Box<dyn Store>, ids: &[String], hold: bool) -> Result<Holding> {
    let around = Around::read(store.as_ref(), ids)?;
    let (mut guards, mut changes, mut beads) = (Vec::new(), Vec::new(), Vec::new());
    for id in ids {
        let bead = around.bead(store.as_ref(), id)?;
        if bead.has_label(words::LABEL_HOLD) == hold {
            continue;
        }
        if hold {
            can_be_held(bead, around.open_request(id).is_some())?;
        }
        let label = vec![words::LABEL_HOLD.to_string()];
        let patch = if hold {
            Patch { add_labels: label, ..Patch::default() }
        } else {
            Patch { remove_labels: label, ..Patch::default() }
        };
        guards.push(as_read(bead));
        changes.push(Change::Update(id.clone(), Box::new(patch)));
        beads.push(id.clone());
    }
    Ok(Holding { beads, store, guards, changes })
}

fn can_be_held(bead: &Bead, requested: bool) -> Result<(), Failure> {
    let id = &bead.id;
    if bead.is_closed() {
        return Err(
            Failure::new(format!("{id} is closed")).hint(format!("open it again with: gt bd reopen {id}"))
        );
    }
    if requested || bead.has_label(words::LABEL_SUBMITTED) {
        return Err(Failure::new(format!("the work on {id} waits to be merged"))
            .hint("look at the queue with: gt mq list"));
    }
    match &bead.assignee {
        Some(holder) => Err(Failure::new(format!("{id} is taken by {holder}")).hint(format!(
            "take it back first: gt unsling {id}; while its agent is at work: gt unsling --force {id}"
        ))),
        None => Ok(()),
    }
}

fn as_read(bead: &Bead) -> Guard {
    Guard {
        id: bead.id.clone(),
        statuses: vec![bead.status.clone()],
        assignee: Some(bead.assignee.clone()),
        ..Guard::default()
    }
}

fn write(store: &dyn Store, guards: &[Guard], changes: &[Change]) -> Result<()> {
    match store.write(guards, changes)? {
        Written::Done(_) => Ok(()),
        Written::Refused(guard, _) => {
            crate::fail!("{} changed meanwhile", guard.id; "look at it with: gt bd show {}", guard.id)
        }
    }
}
