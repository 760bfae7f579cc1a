//! What a person took down, and what therefore stays down: a part of `mayor/state.json`, because no other program can
//! know it. Whoever changes it holds the town's lock.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::base::failure::Failure;
use crate::base::files;
use crate::town::Town;

/// The key in `mayor/state.json`.
const KEY: &str = "down";

/// What is down by a person's wish.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DownList {
    /// Everything that should run.
    pub all: bool,
    /// All but these addresses.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub but: BTreeSet<String>,
    /// These addresses, by name: they stay down until they are named again.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub agents: BTreeSet<String>,
}

impl DownList {
    /// Whether an agent is to stay down.
    pub fn holds(&self, address: &str) -> bool {
        self.agents.contains(address) || (self.all && !self.but.contains(address))
    }

    /// Takes the whole town down.
    pub fn all(&mut self) {
        self.all = true;
        self.but.clear();
    }

    /// Takes one agent down.
    pub fn one(&mut self, address: &str) {
        self.agents.insert(address.into());
        self.but.remove(address);
    }

    /// Brings the town up again; who was taken down by name stays down.
    pub fn all_up(&mut self) {
        self.all = false;
        self.but.clear();
    }

    /// Brings one agent up again.
    pub fn one_up(&mut self, address: &str) {
        self.agents.remove(address);
        if self.all {
            self.but.insert(address.into());
        }
    }
}

/// What is down. Nothing, when the file is not there or does not speak of it.
///
/// # Errors
/// A broken file, with its path.
pub fn read(town: &Town) -> Result<DownList> {
    of(town, &whole(town)?)
}

fn of(town: &Town, state: &Map<String, Value>) -> Result<DownList> {
    match state.get(KEY) {
        None => Ok(DownList::default()),
        Some(value) => DownList::deserialize(value).map_err(|error| {
            let path = path(town);
            Failure::new(format!("{}: {KEY}: {error}", path.display()))
                .hint("mend it by hand, or take the key out: then nothing is down")
                .into()
        }),
    }
}

/// Changes it; the file is written only when something changes.
///
/// # Errors
/// When the file cannot be read or written; it is as it was then.
pub fn update(town: &Town, change: impl FnOnce(&mut DownList)) -> Result<DownList> {
    files::change_json(&path(town), |state| {
        let before = of(town, state)?;
        let mut down = before.clone();
        change(&mut down);
        if down == before {
            return Ok(down);
        }
        if down == DownList::default() {
            state.remove(KEY);
        } else {
            state.insert(KEY.into(), serde_json::to_value(&down)?);
        }
        Ok(down)
    })
}

fn whole(town: &Town) -> Result<Map<String, Value>> {
    let path = path(town);
    if !path.exists() {
        return Ok(Map::new());
    }
    files::read_json(&path)
}

fn path(town: &Town) -> PathBuf {
    town.root.join("mayor/state.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_town_that_is_down_comes_up_again_but_for_whom_was_named() {
        let mut down = DownList::default();
        down.one("wyvern/crew/ann");
        down.all();
        assert!(down.holds("mayor/") && down.holds("wyvern/crew/ann"));
        down.one_up("mayor/");
        assert!(!down.holds("mayor/") && down.holds("wyvern/witness"));
        down.one("mayor/");
        assert!(down.holds("mayor/"));
        down.one_up("mayor/");
        down.all_up();
        assert_eq!(down.agents, ["wyvern/crew/ann".to_string()].into());
        assert!(!down.holds("wyvern/witness") && down.holds("wyvern/crew/ann"));
        down.one_up("wyvern/crew/ann");
        assert_eq!(down, DownList::default());
    }
}
