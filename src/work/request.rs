//! Merge requests: beads of type `merge-request` (`work.md`). One per (branch, commit).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::beads::{Bead, Filter, NewBead, words};

/// What is to be merged, by whom and why: the metadata of a request's bead.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The request's own id; empty until the store gave one.
    #[serde(skip)]
    pub id: String,
    /// The rig.
    pub rig: String,
    /// The branch.
    pub branch: String,
    /// The commit that was handed over: full object id.
    pub commit: String,
    /// Where it is to land: a branch name.
    pub target: String,
    /// The bead that it does.
    pub bead: String,
    /// Who did it: an address.
    pub worker: String,
    /// The instance id of the worker's session.
    pub instance: String,
    /// When it was handed over: RFC 3339, UTC.
    pub created: String,
    /// 1 for the first try of the bead.
    pub attempt: u32,
    /// The letter that it was handed over with from another machine (`remote.md`); empty for work done here.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub letter: String,
    /// 0 (first) to 4: the bead's.
    #[serde(skip)]
    pub priority: u8,
    /// The bead's title when it was handed over.
    #[serde(skip)]
    pub title: String,
}

impl Request {
    /// Reads a request from its bead; `None` when it is none or lacks what a merge needs.
    pub fn from_bead(bead: &Bead) -> Option<Request> {
        if bead.issue_type != words::MERGE_REQUEST {
            return None;
        }
        let values = Value::Object(bead.metadata.clone());
        let read: Request = serde_json::from_value(values).ok()?;
        Some(Request { id: bead.id.clone(), priority: bead.priority, title: bead.title.clone(), ..read })
    }

    /// The bead that says so.
    pub fn to_bead(&self) -> NewBead {
        let metadata = match serde_json::to_value(self) {
            Ok(Value::Object(values)) => values,
            _ => serde_json::Map::new(),
        };
        NewBead {
            title: self.title.clone(),
            issue_type: words::MERGE_REQUEST.into(),
            priority: Some(self.priority),
            labels: vec![words::LABEL_REQUEST.into()],
            metadata,
            ..NewBead::default()
        }
    }

    /// Whether a polecat of another town handed it over, which came here by `gt sync`. That town merges it: its branch
    /// and its polecat are that town's to clear away.
    pub fn is_elsewhere(&self) -> bool {
        crate::address::split_machine(&self.worker).0 != "local"
    }

    /// The polecat's name, from the worker's address.
    pub fn polecat(&self) -> &str {
        self.worker.rsplit('/').next().unwrap_or_default()
    }
}

/// The open requests of a store, as a filter for [`crate::beads::Store::list`].
pub fn open_requests() -> Filter {
    Filter {
        types: vec![words::MERGE_REQUEST.into()],
        statuses: vec![words::OPEN.into(), words::IN_PROGRESS.into(), words::HOOKED.into()],
        ..Filter::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_reads_back_from_its_bead() {
        let request = Request {
            id: "wy-1".into(),
            rig: "wyvern".into(),
            branch: "polecat/Nux-wy-a".into(),
            commit: "c0ffee".into(),
            target: "main".into(),
            bead: "wy-a".into(),
            worker: "wyvern/Nux".into(),
            instance: "i1".into(),
            created: "2026-01-01T00:00:00Z".into(),
            attempt: 2,
            letter: String::new(),
            priority: 1,
            title: "Fix it".into(),
        };
        let new = request.to_bead();
        let bead = Bead {
            id: "wy-1".into(),
            title: new.title,
            issue_type: new.issue_type,
            priority: 1,
            metadata: new.metadata,
            ..Bead::default()
        };
        assert_eq!(Request::from_bead(&bead).unwrap(), request);
        assert_eq!(request.polecat(), "Nux");
        assert!(!request.is_elsewhere());
        assert!(Request { worker: "pc-1a2b:wyvern/Nux".into(), ..request }.is_elsewhere());
        assert_eq!(Request::from_bead(&Bead::default()), None);
    }
}
