//! Merge requests: beads of type `merge-request` (`work.md`). One per (branch, commit).

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::failure::Failure;
use crate::base::grammar::{is_branch_name, is_object_id};
use crate::base::proof::Secret;
use crate::base::time;
use crate::beads::proven;
use crate::model::address::{Address, is_rig_name};
use crate::model::bead::{Bead, NewBead};
use crate::model::ids::{BeadId, InstanceId};
use crate::model::refs::Branch;
use crate::model::words;
use crate::town::Rig;
use crate::town::ended::{self, Word};

/// What is to be merged, by whom and why: the metadata of a request's bead.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The request's own id, chosen before it is written: its proof covers it. Empty for what never is in the queue.
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
    pub bead: BeadId,
    /// Who did it: an address.
    pub worker: String,
    /// The instance id of the worker's session.
    pub instance: InstanceId,
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
    /// Reads a request of this town from its bead; `None` when it is none, is foreign, or cannot be merged by what it
    /// says.
    pub fn from_bead(bead: &Bead) -> Option<Request> {
        Request::read(bead).filter(|_| !bead.foreign)?.ok()
    }

    /// Reads a request from its bead, foreign or not; `None` when the bead is none. A store is written by others too
    /// (`gt sync`, an import, a person): each value is checked here, and is data for git and for file names from then on.
    ///
    /// # Errors
    /// What is wrong with it, in words without anything of what it says.
    pub fn read(bead: &Bead) -> Option<Result<Request, String>> {
        if !bead.is_request() {
            return None;
        }
        let read = serde_json::from_value::<Request>(Value::Object(bead.metadata.clone())).map_err(|_| {
            let text = |key: &str| bead.metadata.get(key).and_then(Value::as_str).unwrap_or_default();
            let odd = |what: &&str| match *what {
                "bead" => text(what).parse::<BeadId>().is_err(),
                _ => text(what).parse::<InstanceId>().is_err(),
            };
            match ["bead", "instance"].into_iter().find(odd) {
                Some(what) => format!("the {what} it names can be none"),
                None => "its metadata is not that of a merge request".into(),
            }
        });
        let whole = |read| Request {
            id: bead.id.clone(),
            priority: bead.priority,
            title: bead.title.clone(),
            ..read
        };
        Some(read.and_then(|read| whole(read).checked()))
    }

    fn checked(self) -> Result<Request, String> {
        let (_, worker) = crate::model::address::split_machine(&self.worker);
        let sound = [
            (is_object_id(&self.commit), "commit"),
            (is_branch_name(&self.branch), "branch"),
            (self.target.is_empty() || is_branch_name(&self.target), "target"),
            (!self.bead.is_empty(), "bead"),
            (is_rig_name(&self.rig), "rig"),
            (worker.is_empty() || Address::parse(worker).is_ok(), "worker"),
            (time::seconds_since_epoch(&self.created).is_some(), "time"),
            (self.attempt > 0, "attempt"),
            (self.letter.is_empty() || is_object_id(&self.letter), "letter"),
        ];
        match sound.iter().find(|(sound, _)| !sound) {
            Some((_, what)) => Err(format!("the {what} it names can be none")),
            None => Ok(self),
        }
    }

    /// The bead that says so, with the proof that this town does.
    pub fn to_bead(&self, secret: &Secret) -> NewBead {
        let metadata = match serde_json::to_value(self) {
            Ok(Value::Object(values)) => values,
            _ => serde_json::Map::new(),
        };
        let mut new = NewBead {
            id: Some(self.id.clone()),
            title: self.title.clone(),
            issue_type: words::MERGE_REQUEST.into(),
            priority: Some(self.priority),
            labels: vec![words::LABEL_REQUEST.into()],
            metadata,
            ..NewBead::default()
        };
        proven::sign(secret, &mut new);
        new
    }

    /// Who handed it over; nothing for an agent of another town.
    pub fn author(&self) -> Option<Address> {
        Address::parse(&self.worker).ok()
    }

    /// Whether its branch is one that a polecat of this town made: any other is its owner's, and is never deleted.
    /// `town` is the town's id.
    pub fn made_its_branch(&self, town: &str) -> bool {
        self.author().is_some_and(|author| author.is_polecat())
            && Branch::parse(&self.branch).is_some_and(|branch| branch.may_be_of(town))
    }

    /// Where it is to land: its own target, else `default`, that of the rig.
    pub fn target_or<'a>(&'a self, default: &'a str) -> &'a str {
        if self.target.is_empty() { default } else { &self.target }
    }

    /// The polecat's name, from the worker's address.
    pub fn polecat(&self) -> &str {
        self.worker.rsplit('/').next().unwrap_or_default()
    }
}

/// Writes down that these requests left the queue, or are put back: an open copy that comes in later is foreign, or not.
///
/// # Errors
/// When the disk does not take it.
pub fn note<'a>(rig: &Rig, word: Word, ids: impl IntoIterator<Item = &'a str>) -> Result<()> {
    rig.root.parent().map_or(Ok(()), |town| ended::note(town, word, ids))
}

/// A request of any rig, open or not.
pub struct FoundRequest {
    /// Its rig.
    pub rig: Rig,
    /// Its bead in the store.
    pub bead: Bead,
    /// What it says.
    pub request: Request,
}

/// A request that this town did not make is not acted on.
pub fn foreign(id: &str) -> Failure {
    Failure::new(format!("{id} is foreign: this town did not make it, or others changed it"))
        .hint(format!("look at it with: gt mq show {id}; make it this town's with: gt adopt {id}"))
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
            commit: "c0ffee00".repeat(5),
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
        let secret = Secret::new([1; 32]);
        let new = request.to_bead(&secret);
        assert_eq!(new.id.as_deref(), Some("wy-1"));
        let mut bead = Bead {
            id: "wy-1".into(),
            title: new.title,
            issue_type: new.issue_type,
            priority: 1,
            metadata: new.metadata,
            ..Bead::default()
        };
        assert!(proven::holds(&secret, &bead));
        assert_eq!(Request::from_bead(&bead).unwrap(), request);
        bead.foreign = true;
        assert_eq!(Request::from_bead(&bead), None);
        assert_eq!(Request::read(&bead), Some(Ok(request.clone())));
        assert_eq!(request.polecat(), "Nux");
        assert_eq!(Request::from_bead(&Bead::default()), None);
    }

    #[test]
    fn what_can_be_no_value_of_a_request_is_named() {
        let id = "0123456789abcdef0123456789abcdef01234567";
        let sound = serde_json::json!({
            "rig": "wyvern", "branch": "polecat/Nux-wy-1", "commit": id, "target": "main", "bead": "wy-1",
            "worker": "wyvern/Nux", "instance": "i1", "created": "2026-01-01T00:00:00Z", "attempt": 1,
        });
        let read = |key: &str, value: Value| {
            let mut metadata = sound.as_object().unwrap().clone();
            metadata.insert(key.into(), value);
            let issue_type = words::MERGE_REQUEST.into();
            Request::read(&Bead { issue_type, metadata, ..Bead::default() }).unwrap()
        };
        for (key, values) in [
            ("worker", vec!["", "overseer", "wyvern/crew/ann", "pc-1a2b:wyvern/Nux"]),
            ("target", vec!["", "release/1.0"]),
            ("instance", vec![""]),
        ] {
            values.into_iter().for_each(|value| assert!(read(key, value.into()).is_ok(), "{key}={value}"));
        }
        for (key, values) in [
            ("instance", vec!["a b~^", "../../heads/main"]),
            ("worker", vec!["wyvern/../x", "a\nb"]),
            ("branch", vec!["", "-x", "x\ny", "a..b"]),
            ("target", vec!["-x", "*", "main:refs/heads/evil", "HEAD"]),
            ("commit", vec!["", "HEAD", "main", "--exec=touch", &id[..10], "@{-1}", ":/first"]),
            ("bead", vec!["", "../x"]),
            ("rig", vec!["../x"]),
            ("created", vec!["x"]),
            ("letter", vec!["x"]),
        ] {
            for value in values {
                let said = read(key, value.into()).unwrap_err();
                assert!(said.ends_with("it names can be none"), "{key}={value}: {said}");
            }
        }
        assert!(read("attempt", 0.into()).is_err());
        assert!(read("commit", Value::Null).unwrap_err().contains("metadata"));
    }
}
