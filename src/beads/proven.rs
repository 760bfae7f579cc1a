//! Which beads are orders, and whether this town gave them: a request holds a proof over every field that counts.
//!
//! A store is written by others too (`gt sync`, an import, the real bd's own syncing). A request that they made, changed or
//! copied has no proof of this town: it is read as foreign, and nothing acts on it.

use serde_json::{Map, Value};

use crate::base::proof::{ProofKind, Secret};
use crate::model::bead::{Bead, NewBead};

/// Metadata key of a proof.
pub const META_PROOF: &str = "proof";

/// The metadata of a request that its proof covers, in the order of the proof, after the id.
const REQUEST: [&str; 10] =
    ["rig", "branch", "commit", "target", "bead", "worker", "instance", "created", "attempt", "letter"];

/// Whether this town made the bead as it is. A request that left the queue is this town's as long as it is closed: an
/// older form of it, open and with its proof, may come in from a copy of the store.
pub fn holds(secret: &Secret, bead: &Bead) -> bool {
    is_signed(secret, bead) && (bead.is_closed() || !is_over(secret, bead))
}

/// Whether a request left the queue, as the town has it written down.
pub fn is_over(secret: &Secret, request: &Bead) -> bool {
    (secret.over)(&request.id, request.meta("created").unwrap_or_default())
}

/// Whether this town once made a request that says this, whatever became of it.
pub fn is_signed(secret: &Secret, bead: &Bead) -> bool {
    let fields = fields(&bead.id, &bead.metadata);
    let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
    bead.is_request()
        && bead.meta(META_PROOF).is_some_and(|proof| secret.holds(ProofKind::Request, &fields, proof))
}

/// The proof of a request with this id and metadata.
pub fn of(secret: &Secret, id: &str, metadata: &Map<String, Value>) -> String {
    let fields = fields(id, metadata);
    secret.prove(ProofKind::Request, &fields.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Puts the proof into a new request, whose id is chosen before: the proof covers it.
pub fn sign(secret: &Secret, new: &mut NewBead) {
    if let Some(id) = &new.id {
        new.metadata.insert(META_PROOF.into(), of(secret, id, &new.metadata).into());
    }
}

/// Marks what needs a proof and has none. Without a secret nothing was ever proven.
pub fn mark(secret: Option<&Secret>, beads: &mut [Bead]) {
    for bead in beads.iter_mut().filter(|bead| bead.is_request()) {
        bead.foreign = !secret.is_some_and(|secret| holds(secret, bead));
    }
}

fn fields(id: &str, metadata: &Map<String, Value>) -> Vec<String> {
    let text = |key: &&str| match metadata.get(*key) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    std::iter::once(id.to_string()).chain(REQUEST.iter().map(text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::words;
    use serde_json::json;

    fn request(secret: &Secret) -> Bead {
        let values = json!({
            "rig": "wyvern", "branch": "polecat/Nux-wy-1", "commit": "c0ffee", "target": "main", "bead": "wy-1",
            "worker": "wyvern/Nux", "instance": "i1", "created": "2026-01-01T00:00:00Z", "attempt": 1, "letter": "l",
        });
        let mut new = NewBead {
            id: Some("wy-r".into()),
            metadata: values.as_object().cloned().unwrap_or_default(),
            ..NewBead::default()
        };
        sign(secret, &mut new);
        Bead {
            id: "wy-r".into(),
            issue_type: words::MERGE_REQUEST.into(),
            metadata: new.metadata,
            ..Bead::default()
        }
    }

    #[test]
    fn a_request_that_was_changed_in_any_field_is_foreign() {
        let secret = Secret::new([1; 32]);
        let own = request(&secret);
        assert!(holds(&secret, &own));
        let foreign = |change: &dyn Fn(&mut Bead)| {
            let mut beads = [own.clone()];
            change(&mut beads[0]);
            mark(Some(&secret), &mut beads);
            beads[0].foreign
        };
        assert!(!foreign(&|_| {}));
        for key in REQUEST.into_iter().chain([META_PROOF]) {
            assert!(foreign(&|bead| drop(bead.metadata.insert(key.into(), "x".into()))), "{key}");
            assert!(foreign(&|bead| drop(bead.metadata.remove(key))), "{key}");
        }
        // A copy under another id; two fields that changed places.
        assert!(foreign(&|bead| bead.id = "wy-s".into()));
        assert!(foreign(&|bead| {
            bead.metadata.insert("branch".into(), "main".into());
            bead.metadata.insert("target".into(), "polecat/Nux-wy-1".into());
        }));
        // What a person may change, and what goes with the bead's life, is not under the proof.
        assert!(!foreign(&|bead| (bead.priority, bead.status) = (0, words::CLOSED.into())));
    }

    #[test]
    fn a_request_that_left_the_queue_is_not_open_again_by_an_older_copy() {
        let mut secret = Secret::new([1; 32]);
        let own = request(&secret);
        secret.over = std::sync::Arc::new(|id, _| id == "wy-r");
        let closed = Bead { status: words::CLOSED.into(), ..own.clone() };
        assert!(holds(&secret, &closed) && !holds(&secret, &own));
    }

    #[test]
    fn without_the_town_s_secret_every_request_is_foreign_and_other_beads_are_not() {
        let secret = Secret::new([1; 32]);
        let work = Bead { id: "wy-1".into(), issue_type: "task".into(), ..Bead::default() };
        for other in [None, Some(Secret::new([2; 32]))] {
            let mut beads = [request(&secret), work.clone()];
            mark(other.as_ref(), &mut beads);
            assert_eq!(beads.map(|bead| bead.foreign), [true, false]);
        }
    }
}
