//! A bead, in the shape of bd's JSONL.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::address::Address;
use super::words;

/// One bead. Unknown fields of bd's are kept in `extra`, so that export after import loses nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Bead {
    /// `PREFIX-HASH`, `PREFIX-HASH.N` for children.
    pub id: String,
    /// One line.
    pub title: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    /// What is to be done.
    pub description: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    /// How.
    pub design: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    /// When it counts as done.
    pub acceptance_criteria: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    /// What was found on the way.
    pub notes: String,
    /// `open`, `hooked`, `in_progress`, `blocked`, `deferred`, `closed` …
    pub status: String,
    /// 0 (first) to 4 (last).
    pub priority: u8,
    /// `task`, `bug`, `feature`, `epic`, `chore`, `message`, `merge-request`, `convoy` …
    pub issue_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// The address of whoever has it.
    pub assignee: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// Minutes of work.
    pub estimated_minutes: Option<i64>,
    /// RFC 3339, UTC.
    pub created_at: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    /// Who made it.
    pub created_by: String,
    /// RFC 3339, UTC.
    pub updated_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// When it was first in progress.
    pub started_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// When it was closed.
    pub closed_at: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    /// Why it was closed.
    pub close_reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// A name for it elsewhere.
    pub external_ref: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    /// Sorted.
    pub labels: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    /// What it waits for, and its parent.
    pub dependencies: Vec<Dependency>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    /// Remarks, oldest first.
    pub comments: Vec<Comment>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    /// Values for programs; gt's requests keep theirs here.
    pub metadata: Map<String, Value>,
    /// Others made it, or changed what counts: nothing acts on it (see [`crate::beads::proven`]). Set by a store as it reads.
    #[serde(skip)]
    pub foreign: bool,
    #[serde(flatten)]
    /// Fields gt gives no meaning to.
    pub extra: Map<String, Value>,
}

/// Beads by id.
pub type BeadMap = std::collections::BTreeMap<String, Bead>;

/// One edge: `issue_id` depends on `depends_on_id`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dependency {
    /// Who waits.
    pub issue_id: String,
    /// For whom.
    pub depends_on_id: String,
    #[serde(rename = "type")]
    /// `blocks`, `parent-child`, `related`, `discovered-from` …
    pub kind: String,
    /// RFC 3339, UTC.
    pub created_at: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    /// Who said so.
    pub created_by: String,
    #[serde(flatten)]
    /// Fields gt gives no meaning to.
    pub extra: Map<String, Value>,
}

/// A remark on a bead.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Comment {
    #[serde(skip_serializing_if = "Value::is_null")]
    /// A number (bd 0.46) or a text (bd 1.0); null: the store gives it one.
    pub id: Value,
    /// The bead.
    pub issue_id: String,
    /// Who said it.
    pub author: String,
    /// What.
    pub text: String,
    /// RFC 3339, UTC.
    pub created_at: String,
    #[serde(flatten)]
    /// Fields gt gives no meaning to.
    pub extra: Map<String, Value>,
}

/// What a new bead is made from; the store gives id and times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewBead {
    /// Exactly this id; the store's own choice when absent.
    pub id: Option<String>,
    /// One line, not empty.
    pub title: String,
    /// What is to be done.
    pub description: String,
    /// `task` when empty.
    pub issue_type: String,
    /// 0 to 4; 2 when absent.
    pub priority: Option<u8>,
    /// Its first holder.
    pub assignee: Option<String>,
    /// Labels.
    pub labels: Vec<String>,
    /// The epic it belongs to: gives the id `EPIC.N` and a `parent-child` edge.
    pub parent: Option<String>,
    /// What it waits for: (id, type).
    pub dependencies: Vec<(String, String)>,
    /// How.
    pub design: String,
    /// When it counts as done.
    pub acceptance_criteria: String,
    /// Remarks.
    pub notes: String,
    /// Minutes of work.
    pub estimated_minutes: Option<i64>,
    /// A name for it elsewhere.
    pub external_ref: Option<String>,
    /// Values for programs.
    pub metadata: Map<String, Value>,
    /// gt itself writes it: a store puts a proof of that into mail ([`crate::beads::letters`]).
    pub signed: bool,
}

/// Other values for some fields of a bead; what is `None` or empty stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patch {
    /// New status. Leaving `closed` clears the time and the reason of closing.
    pub status: Option<String>,
    /// New holder; `Some(None)`: nobody.
    pub assignee: Option<Option<String>>,
    /// New title.
    pub title: Option<String>,
    /// New description.
    pub description: Option<String>,
    /// New design.
    pub design: Option<String>,
    /// New criteria.
    pub acceptance_criteria: Option<String>,
    /// New notes.
    pub notes: Option<String>,
    /// Lines that come after the notes that are there (or after `notes`).
    pub append_notes: Option<String>,
    /// New priority.
    pub priority: Option<u8>,
    /// New type.
    pub issue_type: Option<String>,
    /// New estimate in minutes.
    pub estimated_minutes: Option<i64>,
    /// New external name.
    pub external_ref: Option<String>,
    /// Labels that come.
    pub add_labels: Vec<String>,
    /// Labels that go.
    pub remove_labels: Vec<String>,
    /// Metadata keys that are set; `null` takes one away.
    pub metadata: Map<String, Value>,
}

/// The longest title of a bead, in characters: bd's own limit.
pub const TITLE_MAX: usize = 500;

impl NewBead {
    /// A bead from a title as typed: one line of at most [`TITLE_MAX`] characters; what is beyond goes into the
    /// description too.
    pub fn titled(title: &str) -> NewBead {
        let line = title.split_whitespace().collect::<Vec<_>>().join(" ");
        let short: String = line.chars().take(TITLE_MAX).collect();
        let whole = short == title.trim();
        NewBead {
            title: short,
            description: if whole { String::new() } else { title.to_string() },
            ..NewBead::default()
        }
    }
}

impl Bead {
    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.status == super::words::CLOSED
    }

    /// Whether it is work that somebody does; mail, requests and convoys are not.
    pub fn is_work(&self) -> bool {
        !self.is_letter() && self.issue_type != words::CONVOY
    }

    /// The agent that has it, by the form of its assignee: one of another town has another.
    pub fn holder(&self) -> Option<Address> {
        Address::parse(self.assignee.as_deref()?).ok()
    }

    /// Whether it is mail or a request.
    pub fn is_letter(&self) -> bool {
        self.is_mail() || self.is_request()
    }

    /// Whether it is mail.
    pub fn is_mail(&self) -> bool {
        self.issue_type == words::MESSAGE
    }

    /// Whether it asks to be merged: such a bead counts as this town's only with a proof.
    pub fn is_request(&self) -> bool {
        self.issue_type == words::MERGE_REQUEST
    }

    /// Whether somebody has it.
    pub fn is_begun(&self) -> bool {
        [words::HOOKED, words::IN_PROGRESS].contains(&self.status.as_str())
    }

    /// Whether it has the label.
    pub fn has_label(&self, label: &str) -> bool {
        self.labels.iter().any(|own| own == label)
    }

    /// The remote that its polecat runs on, by name; nothing when it is here (`remote.md`).
    pub fn remote(&self) -> Option<&str> {
        self.labels.iter().find_map(|label| label.strip_prefix(super::words::LABEL_REMOTE))
    }

    /// The epic it belongs to.
    pub fn parent(&self) -> Option<&str> {
        self.dependencies
            .iter()
            .find(|edge| edge.kind == "parent-child")
            .map(|edge| edge.depends_on_id.as_str())
    }

    /// Ids of what it waits for.
    pub fn blockers(&self) -> impl Iterator<Item = &str> {
        self.dependencies.iter().filter(|edge| edge.kind == "blocks").map(|edge| edge.depends_on_id.as_str())
    }

    /// A value of its metadata, as text.
    pub fn meta(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).and_then(Value::as_str)
    }

    /// The recovery refs of its attempts, the latest first.
    pub fn recoveries(&self) -> impl Iterator<Item = &str> {
        [words::META_RECOVERY, words::META_EARLIER]
            .into_iter()
            .filter_map(|key| self.meta(key))
            .flat_map(str::split_whitespace)
    }

    /// What it says besides its title, each text under its heading; empty ones are left out.
    pub fn texts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("Description", self.description.as_str()),
            ("Design", &self.design),
            ("Done when", &self.acceptance_criteria),
            ("Notes", &self.notes),
        ]
        .into_iter()
        .filter(|(_, text)| !text.trim().is_empty())
    }

    /// The metadata that names `latest` as what the next attempt begins with; refs of attempts before stay named.
    pub fn recovery_metadata(&self, latest: Option<&str>) -> Vec<(String, Value)> {
        let earlier: Vec<&str> = self.recoveries().filter(|name| Some(*name) != latest).collect();
        let mut metadata = Vec::new();
        if latest.is_some() || self.meta(words::META_RECOVERY).is_some() {
            metadata.push((words::META_RECOVERY.into(), latest.map_or(Value::Null, Into::into)));
        }
        if !earlier.is_empty() {
            metadata.push((words::META_EARLIER.into(), earlier.join(" ").into()));
        }
        metadata
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_one_line_and_nothing_typed_is_lost() {
        assert_eq!(NewBead::titled("Fix it").title, "Fix it");
        assert_eq!(NewBead::titled("Fix it").description, "");
        let two = NewBead::titled("Fix it\nby noon");
        assert_eq!((two.title.as_str(), two.description.as_str()), ("Fix it by noon", "Fix it\nby noon"));
        let long = "x".repeat(600);
        assert_eq!(NewBead::titled(&long).title.len(), TITLE_MAX);
        assert_eq!(NewBead::titled(&long).description, long);
    }
}
