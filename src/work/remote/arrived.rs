//! What came home from other machines, and what is asked of it.

use serde::Serialize;

use crate::model::ids::{BeadId, InstanceId};
use crate::town::{Rig, Town};

/// What became of one letter, or would.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Arrived {
    /// The ref at origin.
    #[serde(rename = "ref")]
    pub name: String,
    /// The record's own id, by which a person adopts it; empty when it was not fetched.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Who wrote it; empty when that cannot be told.
    pub worker: String,
    /// Its instance.
    pub instance: InstanceId,
    /// The bead.
    pub bead: BeadId,
    /// Its title.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// What was made of it.
    pub state: RecordState,
    /// The commit that was handed in.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub commit: String,
    /// The request.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub request: String,
    /// Where the commit is kept in the canonical clone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery: Option<String>,
    /// Beads of new work.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<String>,
    /// Why it is so.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// Why its ref is still at origin, although everything was made of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<String>,
}

/// What was made of a letter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordState {
    /// It waits at origin: what a dry run sees.
    #[default]
    Waits,
    /// A request.
    Submitted,
    /// The bead is closed: nothing had to be changed.
    Closed,
    /// Its bead went another way: the commit is kept.
    Kept,
    /// All was made before.
    Taken,
    /// Nothing proves that it comes from a polecat of this town: it waits for a person.
    Foreign,
    /// It cannot be read: left alone.
    Unreadable,
    /// Its commit is not at origin: left alone.
    Missing,
    /// It could not be taken in: the next sync tries again.
    Failed,
}

impl RecordState {
    /// Whether nothing of the letter is left to be done.
    pub(super) fn is_over(self) -> bool {
        matches!(self, RecordState::Submitted | RecordState::Closed | RecordState::Kept | RecordState::Taken)
    }
}

/// One rig whose letters are collected.
pub struct CollectJob<'a> {
    /// The town.
    pub town: &'a Town,
    /// The rig.
    pub rig: &'a Rig,
    /// Where its work lands.
    pub target: &'a str,
    /// Which of the records without a proof are taken in all the same, because a person says so.
    pub adopt: Adopt,
}

/// What a person adopts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Adopt {
    /// Nothing.
    #[default]
    None,
    /// The record whose id begins so.
    One(String),
    /// Each of the rig.
    All,
}

impl Adopt {
    /// Whether it holds for the record of this id.
    pub fn takes(&self, id: &str) -> bool {
        match self {
            Adopt::None => false,
            Adopt::One(wanted) => id.starts_with(wanted.as_str()),
            Adopt::All => true,
        }
    }
}
