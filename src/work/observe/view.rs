//! How a town, its rigs and its agents are, as values: what `gt status` tells.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::beads::Store;
use crate::model::address::Address;
use crate::model::ids::{BeadId, InstanceId};
use crate::mux::{OtherMachines, Snapshot};
use crate::plan::place::{Place, Run, found};
use crate::town::pause::Paused;
use crate::work::merge::queue::RequestRow;

/// How the session of a role is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RoleStatus {
    /// Whose.
    pub address: Address,
    /// `working`, `ended (exit 1)`, `not running`, `unknown` …
    pub state: String,
    /// What it asks, or what keeps it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// The command that answers what it asks.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub answer: String,
    /// Whether its agent runs; nothing when that cannot be known.
    pub alive: Option<bool>,
    /// The session's name.
    pub session: Option<String>,
    /// Since when it is in this state: RFC 3339, UTC.
    pub since: Option<String>,
    /// How many clients look at it.
    pub attached: usize,
    /// The remote it is on; nothing for one of this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// What its session does.
    #[serde(skip)]
    pub run: Run,
}

/// What `gt status` tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TownView {
    /// Its name.
    pub name: String,
    /// Its root.
    pub path: String,
    /// `tmux` or `none`.
    pub multiplexer: &'static str,
    /// Why sessions could not be seen, or cannot be here; nothing when all is well.
    pub sessions_unseen: Option<String>,
    /// The kind of its store.
    pub store: StoreView,
    /// The person's unread mail; nothing when the store could not be read.
    pub overseer_unread: Option<usize>,
    /// The person's unread mail from outside this town.
    pub overseer_foreign: usize,
    /// The Mayor and the deacon.
    pub agents: Vec<RoleStatus>,
    /// Its rigs, by name.
    pub rigs: Vec<RigView>,
    /// What is paused.
    #[serde(skip_serializing_if = "Paused::is_none")]
    pub paused: Paused,
    /// The runtimes that are at their limit, and until when: RFC 3339, UTC.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, String>,
    /// What was seen of other machines.
    #[serde(flatten)]
    pub away: OtherMachines,
    /// The process of the tmux server that was seen; 0 when none runs.
    #[serde(skip)]
    pub server: i32,
    /// The processes of its agents that run here.
    #[serde(skip)]
    pub pids: Vec<i32>,
}

/// A store of beads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StoreView {
    /// `embedded` or `bd`, with the version where there is one.
    pub kind: Option<String>,
    /// Why it could not be read.
    pub unreadable: Option<String>,
}

impl StoreView {
    /// One that was read.
    pub fn of(store: &dyn Store) -> StoreView {
        StoreView { kind: Some(store.kind()), unreadable: None }
    }

    /// One that could not be read, and why.
    pub fn unreadable(why: String) -> StoreView {
        StoreView { kind: None, unreadable: Some(why) }
    }
}

/// A rig, as `gt status` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RigView {
    /// Its name.
    pub name: String,
    /// Its store.
    pub store: StoreView,
    /// Beads that can be slung; nothing when the store could not be read.
    pub ready: Option<usize>,
    /// What waits to be merged; nothing when the store could not be read.
    pub queue: Option<QueueCounts>,
    /// Beads that others made or changed: nothing starts them until they are adopted.
    #[serde(skip_serializing_if = "is_none")]
    pub foreign: usize,
    /// Most polecats at once.
    pub max_workers: usize,
    /// How many more can be slung.
    pub free_slots: usize,
    /// Witness, refinery, crew and plugins.
    pub agents: Vec<RoleStatus>,
    /// Its polecats, by name.
    pub polecats: Vec<Polecat>,
    /// The beads that came back from the queue, with the reasons.
    pub set_aside: Vec<RequestRow>,
    /// The beads that wait for a place, in the order in which they get one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub to_start: Vec<ToStart>,
    /// Requests that wait for a person's consent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unapproved: Vec<Unapproved>,
    /// The requests that no person keeps from being merged, each with its commit.
    #[serde(skip)]
    pub mergeable: Vec<String>,
    /// What waits to be merged, in its order; nothing when the store could not be read.
    #[serde(skip)]
    pub to_merge: Option<Vec<RequestRow>>,
}

/// A bead that waits for a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ToStart {
    /// The bead.
    pub bead: BeadId,
    /// Its title.
    pub title: String,
    /// 0 (first) to 4.
    pub priority: u8,
    /// Since when it waits: RFC 3339, UTC.
    pub since: String,
    /// The flags of `gt sling` that it was ordered with.
    pub flags: Vec<String>,
    /// What it waits for.
    pub why: String,
    /// Until when its runtime is at its limit: RFC 3339, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Where it is.
    #[serde(skip)]
    pub place: Place,
}

impl ToStart {
    /// Whether it could be started if there were a place.
    pub fn startable(&self) -> bool {
        matches!(self.place, Place::Ready | Place::SetAside) && self.until.is_none()
    }
}

/// A request that waits for a person's consent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unapproved {
    /// The request.
    pub request: String,
    /// The bead.
    pub bead: BeadId,
    /// Why.
    pub why: String,
}

/// Requests by state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct QueueCounts {
    /// Wait for their turn.
    pub waiting: usize,
    /// Are being tested and merged.
    pub merging: usize,
    /// Beads that came back: conflict or red.
    pub set_aside: usize,
    /// Requests that this town did not make, or that others changed: they are not merged.
    #[serde(skip_serializing_if = "is_none")]
    pub foreign: usize,
}

/// One polecat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Polecat {
    /// Its address.
    pub address: String,
    /// Its name.
    pub name: String,
    /// Where its bead is; nothing for one without a bead.
    pub place: Option<Place>,
    /// What it does: `working`, `question`, `ended (exit 1)` …; nothing without a session.
    pub state: Option<String>,
    /// What it asks, or what keeps it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// The command that answers what it asks.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub answer: String,
    /// It ended before its work was done, and the deacon starts it again.
    #[serde(skip)]
    pub goes_on: bool,
    /// Its bead's id.
    pub bead: Option<BeadId>,
    /// Its bead's title.
    pub title: Option<String>,
    /// Since when: RFC 3339, UTC.
    pub since: Option<String>,
    /// Its session's name.
    pub session: Option<String>,
    /// How many clients look at it.
    pub attached: usize,
    /// The remote it is on; nothing for one of this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// Which bearer of the name its session is of; empty without a session.
    #[serde(skip)]
    pub instance: InstanceId,
    /// What its session does.
    #[serde(skip)]
    pub run: Run,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as serde calls it
fn is_none(count: &usize) -> bool {
    *count == 0
}

impl RoleStatus {
    /// Reads it from a look.
    pub fn of(town: &str, snapshot: &Snapshot, address: &Address) -> RoleStatus {
        let own = address.to_string();
        let session = snapshot.of(town, &own);
        let unseen = snapshot.unknown.is_some() || snapshot.minimal.is_some();
        let (state, alive) = match session {
            Some(session) => (session.words(), Some(session.alive())),
            None if snapshot.away.unreachable.contains_key(&own) => ("unreachable".into(), None),
            None if unseen => ("unknown".into(), None),
            None => ("not running".into(), Some(false)),
        };
        RoleStatus {
            address: address.clone(),
            state,
            why: session.map(|session| session.why.clone()).unwrap_or_default(),
            answer: session.map(|session| session.answer.clone()).unwrap_or_default(),
            alive,
            session: session.map(|session| session.name.clone()),
            since: session.map(|session| session.marks.since.clone()),
            attached: session.map_or(0, |session| session.attached),
            remote: snapshot.remote_of(town, &own).map(Into::into),
            run: Run::of(snapshot, found(snapshot, session, &own, None)),
        }
    }
}
