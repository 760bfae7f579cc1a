//! What happened in a town: one line of JSON each, in `mayor/events.jsonl` and a few older files beside it (`deacon.md`,
//! "Events"). They are told for people: nothing is decided from them.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::log::Log;
use crate::base::{files, time};
use crate::town::Rig;

/// The file, in the town's folder.
const FILE: &str = "mayor/events.jsonl";

/// One thing that happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TownEvent {
    /// When: RFC 3339, UTC.
    pub time: String,
    /// What: `started`, `resumed`, `queued`, `done`, `merged`, `set aside`, `ended`, `alarm`, `handoff`, `paused`, `goes on`,
    /// `deacon`.
    pub kind: String,
    /// In which rig; empty for the town.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub rig: String,
    /// Whose: an address.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub address: String,
    /// The bead.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub bead: String,
    /// In words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub text: String,
}

impl TownEvent {
    /// Something of this kind, said in these words.
    pub fn new(kind: &str, text: impl Into<String>) -> TownEvent {
        TownEvent { kind: kind.into(), text: text.into(), ..TownEvent::default() }
    }

    /// It is about this bead.
    #[must_use]
    pub fn bead(self, bead: &str) -> TownEvent {
        TownEvent { bead: bead.into(), ..self }
    }

    /// It is about this agent.
    #[must_use]
    pub fn of(self, address: impl std::fmt::Display) -> TownEvent {
        TownEvent { address: address.to_string(), ..self }
    }

    /// Writes it down, in a rig of a town. What cannot be written is not told: nothing fails because of that.
    pub fn in_rig(self, rig: &Rig) {
        if let Some(root) = rig.root.parent() {
            TownEvent { rig: rig.name.clone(), ..self }.in_town(root);
        }
    }

    /// The same, of the town with this root.
    pub fn in_town(self, root: &Path) {
        let event = TownEvent { time: time::now(), ..self };
        let path = root.join(FILE);
        // Somebody else's folder, or a town that goes: no place to tell anything.
        if !path.parent().is_some_and(Path::is_dir) {
            return;
        }
        if let (Ok(line), Ok(mut log)) = (serde_json::to_string(&event), Log::open(path)) {
            log.write(&line);
        }
    }
}

/// The files that hold what happened, the oldest first.
pub fn files_of(root: &Path) -> Vec<PathBuf> {
    Log::all(&root.join(FILE))
}

/// What happened, the oldest first. Lines that cannot be read are left out: a kill may have cut one short.
pub fn read(root: &Path) -> Vec<TownEvent> {
    let texts = files_of(root).into_iter().filter_map(|path| files::bytes(&path).ok());
    texts
        .flat_map(|text| String::from_utf8_lossy(&text).lines().filter_map(parse).collect::<Vec<_>>())
        .collect()
}

/// One line.
pub fn parse(line: &str) -> Option<TownEvent> {
    serde_json::from_str(line).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_cut_short_takes_no_other_with_it() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("mayor")).unwrap();
        TownEvent::new("done", "first").in_town(dir.path());
        let path = dir.path().join(FILE);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.extend(b"{\"text\":\"\xc3\n");
        std::fs::write(&path, bytes).unwrap();
        TownEvent::new("done", "last").in_town(dir.path());
        let texts: Vec<String> = read(dir.path()).into_iter().map(|event| event.text).collect();
        assert_eq!(texts, ["first", "last"]);
    }
}
