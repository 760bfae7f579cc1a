//! What the run over a rig's queue does at this moment, and what came of the last: a part of the refinery's `state.json` that nothing goes by.

use serde::{Deserialize, Serialize};

use crate::base::{files, time};
use crate::town::Rig;
use crate::work::merge::awake;

/// What is told of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MergeProgress {
    /// When it began: RFC 3339, UTC. This and the next two are of a run that goes on, or was killed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub began: String,
    /// What it does: `testing wy-1, wy-2 on main`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub now: String,
    /// Since when.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub since: String,
    /// What came of the run before.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub last: String,
    /// When that ended.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub ended: String,
}

impl MergeProgress {
    /// What is written down of a rig; nothing where nothing can be read.
    pub fn read(rig: &Rig) -> MergeProgress {
        let state = files::read_json::<files::Object>(&awake::path(rig)).ok();
        state.and_then(|mut state| serde_json::from_value(state.remove(KEY)?).ok()).unwrap_or_default()
    }

    /// The run does this from now on.
    pub fn note(rig: &Rig, now: &str) {
        let MergeProgress { began, last, ended, .. } = MergeProgress::read(rig);
        let since = time::now();
        let began = if began.is_empty() { since.clone() } else { began };
        MergeProgress { began, now: now.into(), since, last, ended }.write(rig);
    }

    /// It is over, with this.
    pub fn end(rig: &Rig, last: &str) {
        MergeProgress { last: last.into(), ended: time::now(), ..MergeProgress::default() }.write(rig);
    }

    /// A file that cannot be written keeps nothing from being merged.
    fn write(&self, rig: &Rig) {
        let value = serde_json::to_value(self).unwrap_or_default();
        let _ = awake::change(rig, |state| drop(state.insert(KEY.into(), value)));
    }
}

/// The key of the refinery's `state.json`.
const KEY: &str = "merging";
