//! What a person paused: a part of `mayor/state.json`. Agents go on; nothing new starts or merges by itself.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::base::failure::Failure;
use crate::base::{files, time};
use crate::town::Town;

/// The file, and the key in it.
const FILE: &str = "mayor/state.json";
const KEY: &str = "paused";

/// What is paused, each until a time (RFC 3339, UTC) or, where that is empty, until it is taken back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Paused {
    /// The whole town.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub town: Option<String>,
    /// Rigs, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rigs: BTreeMap<String, String>,
}

impl Paused {
    /// Whether nothing is.
    pub fn is_none(&self) -> bool {
        *self == Paused::default()
    }

    /// Whether a rig is paused at this moment, by itself or with the town.
    pub fn holds(&self, rig: &str, now: &str) -> bool {
        let own = self.rigs.get(rig).is_some_and(|until| goes_on(until, now));
        own || self.town(now)
    }

    /// Whether the town is.
    pub fn town(&self, now: &str) -> bool {
        self.town.as_ref().is_some_and(|until| goes_on(until, now))
    }

    /// The next time that a pause ends by itself.
    pub fn next_end(&self, now: &str) -> Option<i64> {
        let all = self.town.iter().chain(self.rigs.values());
        let ends =
            all.filter(|until| goes_on(until, now)).filter_map(|until| time::seconds_since_epoch(until));
        ends.min()
    }
}

fn goes_on(until: &str, now: &str) -> bool {
    until.is_empty() || time::seconds_between(now, until).is_some_and(|left| left > 0)
}

/// What is paused. Nothing, when the file is not there or does not speak of it.
///
/// # Errors
/// A broken file, with its path.
pub fn read(town: &Town) -> Result<Paused> {
    let path = town.root.join(FILE);
    let state = if path.exists() { files::read_json(&path)? } else { files::Object::new() };
    of(&state, &path)
}

fn of(state: &files::Object, path: &std::path::Path) -> Result<Paused> {
    let Some(value) = state.get(KEY) else { return Ok(Paused::default()) };
    Paused::deserialize(value).map_err(|error| {
        Failure::new(format!("{}: {KEY}: {error}", path.display()))
            .hint("mend it by hand, or take the key out: then nothing is paused")
            .into()
    })
}

/// Changes it, and gives what it is then.
///
/// # Errors
/// When the file cannot be read or written; it is as it was then.
pub fn update(town: &Town, change: impl FnOnce(&mut Paused)) -> Result<Paused> {
    let path = town.root.join(FILE);
    files::change_json(&path, |state| {
        let mut paused = of(state, &path)?;
        change(&mut paused);
        if paused.is_none() {
            state.remove(KEY);
        } else {
            state.insert(KEY.into(), serde_json::to_value(&paused)?);
        }
        Ok(paused)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_holds_until_its_time_or_until_it_is_taken_back() {
        let now = "2026-01-01T12:00:00Z";
        let paused = Paused {
            town: Some("2026-01-01T11:00:00Z".into()),
            rigs: [("a", ""), ("b", "2026-01-01T13:00:00Z"), ("c", "2026-01-01T12:00:00Z")]
                .map(|(rig, until)| (rig.into(), until.into()))
                .into(),
        };
        assert!(!paused.town(now));
        assert_eq!(["a", "b", "c", "d"].map(|rig| paused.holds(rig, now)), [true, true, false, false]);
        assert_eq!(paused.next_end(now), time::seconds_since_epoch("2026-01-01T13:00:00Z"));
        assert!(Paused { town: Some(String::new()), ..Paused::default() }.holds("d", now));
    }
}
