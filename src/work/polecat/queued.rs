//! Beads that wait for a place (`deacon.md`, "the queue has two halves"): an entry on the bead says since when and how it is to be
//! started, with a proof that this town ordered it. It goes when a polecat takes the bead.

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::base::proof::{ProofKind, Secret};
use crate::base::time;
use crate::beads::{Change, Guard, Store};
use crate::model::bead::{Bead, Patch};
use crate::model::words;

/// A bead that waits for a place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WaitingBead {
    /// The bead.
    pub bead: String,
    /// Its title.
    pub title: String,
    /// Why: the rig is full.
    pub waits: String,
    /// Since when it has waited, if it did before: RFC 3339, UTC.
    #[serde(skip)]
    pub since: Option<String>,
}

/// An order to start a bead once there is a place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QueueEntry {
    /// Since when it waits: RFC 3339, UTC.
    pub since: String,
    /// The flags of `gt sling` that it was ordered with.
    pub flags: Vec<String>,
    proof: String,
}

impl QueueEntry {
    /// The entry of a bead, if it is one that this town made.
    pub fn of(bead: &Bead, rig: &str, secret: Option<&Secret>) -> Option<QueueEntry> {
        let waits = bead.status == words::OPEN && bead.has_label(words::LABEL_QUEUED);
        if waits { QueueEntry::ordered(bead, rig, secret?) } else { None }
    }

    /// How a bead was ordered to be started, by this town, also when that is done.
    pub fn ordered(bead: &Bead, rig: &str, secret: &Secret) -> Option<QueueEntry> {
        let entry: QueueEntry = serde_json::from_str(bead.meta(words::META_QUEUED)?).ok()?;
        let flags = entry.flags.join("\n");
        secret.holds(ProofKind::Start, &[&bead.id, rig, &entry.since, &flags], &entry.proof).then_some(entry)
    }

    fn new(bead: &str, rig: &str, flags: &[String], secret: &Secret) -> QueueEntry {
        QueueEntry::since(time::now(), bead, rig, flags, secret)
    }

    fn since(since: String, bead: &str, rig: &str, flags: &[String], secret: &Secret) -> QueueEntry {
        let proof = secret.prove(ProofKind::Start, &[bead, rig, &since, &flags.join("\n")]);
        QueueEntry { since, flags: flags.to_vec(), proof }
    }
}

/// Puts beads that nobody has into the queue of a rig, in one write. Who waited before keeps its place.
///
/// # Errors
/// When the store cannot be written.
pub fn enqueue(
    store: &dyn Store,
    rig: &str,
    beads: &[WaitingBead],
    flags: &[String],
    secret: &Secret,
) -> Result<()> {
    let guard = |waiting: &WaitingBead| Guard {
        id: waiting.bead.clone(),
        statuses: vec![words::OPEN.into()],
        assignee: Some(None),
        ..Guard::default()
    };
    let change = |WaitingBead { bead: id, since, .. }: &WaitingBead| {
        let since = since.clone().unwrap_or_else(time::now);
        let metadata = written(QueueEntry::since(since, id, rig, flags, secret));
        let patch = Patch { add_labels: vec![words::LABEL_QUEUED.into()], metadata, ..Patch::default() };
        Change::Update(id.clone(), Box::new(patch))
    };
    let guards: Vec<Guard> = beads.iter().map(guard).collect();
    let changes: Vec<Change> = beads.iter().map(change).collect();
    // One that somebody took meanwhile needs no place any more; then none is written, and the same command finds the rest.
    store.write(&guards, &changes).map(drop)
}

/// The metadata that says how a bead is to be started, or was.
pub fn entry(bead: &str, rig: &str, flags: &[String], secret: &Secret) -> Map<String, Value> {
    written(QueueEntry::new(bead, rig, flags, secret))
}

fn written(QueueEntry { since, flags, proof }: QueueEntry) -> Map<String, Value> {
    let entry = json!({ "since": since, "flags": flags, "proof": proof }).to_string();
    [(words::META_QUEUED.to_string(), entry.into())].into_iter().collect()
}

/// What of its entry is taken off a bead: the label and the metadata.
pub fn off(bead: &Bead) -> (Option<String>, Map<String, Value>) {
    let mut metadata = Map::new();
    if bead.meta(words::META_QUEUED).is_some() {
        metadata.insert(words::META_QUEUED.into(), Value::Null);
    }
    (bead.has_label(words::LABEL_QUEUED).then(|| words::LABEL_QUEUED.to_string()), metadata)
}

/// What is put back on a bead whose start failed: as it was.
pub fn on(bead: &Bead) -> (Option<String>, Map<String, Value>) {
    let entry = bead.meta(words::META_QUEUED).map(|entry| (words::META_QUEUED.to_string(), entry.into()));
    (
        bead.has_label(words::LABEL_QUEUED).then(|| words::LABEL_QUEUED.to_string()),
        entry.into_iter().collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_counts_for_the_bead_rig_time_and_flags_that_this_town_wrote() {
        let secret = Secret::new([7; 32]);
        let flags = vec!["--agent".to_string(), "shell".to_string()];
        let entry = QueueEntry::new("wy-1", "wyvern", &flags, &secret);
        let with = |entry: &QueueEntry| Bead {
            id: "wy-1".into(),
            status: words::OPEN.into(),
            labels: vec![words::LABEL_QUEUED.into()],
            metadata: [(words::META_QUEUED.to_string(), serde_json::to_string(entry).unwrap().into())]
                .into_iter()
                .collect(),
            ..Bead::default()
        };
        let read = |bead: &Bead, rig: &str| QueueEntry::of(bead, rig, Some(&secret));
        assert_eq!(read(&with(&entry), "wyvern"), Some(entry.clone()));
        assert_eq!(read(&with(&entry), "drake"), None);
        assert_eq!(QueueEntry::of(&with(&entry), "wyvern", None), None);
        assert_eq!(read(&Bead { id: "wy-2".into(), ..with(&entry) }, "wyvern"), None);
        assert_eq!(read(&Bead { status: words::HOOKED.into(), ..with(&entry) }, "wyvern"), None);
        assert_eq!(read(&Bead { labels: vec![], ..with(&entry) }, "wyvern"), None);
        for changed in [
            QueueEntry { flags: vec!["--force".into()], ..entry.clone() },
            QueueEntry { since: "2026-01-01T00:00:00Z".into(), ..entry.clone() },
            QueueEntry { proof: Secret::new([8; 32]).prove(ProofKind::Start, &["x"]), ..entry.clone() },
        ] {
            assert_eq!(read(&with(&changed), "wyvern"), None, "{changed:?}");
        }
    }
}
