//! Which store an id belongs to, by its prefix.

use std::collections::BTreeMap;

use super::Rig;

/// A store of a town.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StoreOwner {
    /// The town's own store.
    Town,
    /// The store of this rig.
    Rig(String),
}

impl std::fmt::Display for StoreOwner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StoreOwner::Town => write!(f, "the town"),
            StoreOwner::Rig(name) => write!(f, "rig {name}"),
        }
    }
}

/// The prefixes of a town, each with the stores that claim it: as `beads.prefix` before as one of `beads.prefixes`.
#[derive(Clone, Debug, Default)]
pub struct Prefixes(BTreeMap<String, Vec<StoreOwner>>);

impl Prefixes {
    /// Collects them. `town` is the prefix of the town's own store.
    pub fn of<'a>(town: &str, rigs: impl IntoIterator<Item = &'a Rig> + Clone) -> Prefixes {
        let mut all = Prefixes::default();
        all.claim(town, StoreOwner::Town);
        for rig in rigs.clone() {
            all.claim(&rig.config.beads.prefix, StoreOwner::Rig(rig.name.clone()));
        }
        for rig in rigs {
            for prefix in &rig.config.beads.prefixes {
                all.claim(prefix, StoreOwner::Rig(rig.name.clone()));
            }
        }
        all
    }

    /// Also counts the prefix of an id as that of a store, which holds such a bead.
    pub fn found(&mut self, id: &str, owner: StoreOwner) {
        self.claim(id.rsplit_once('-').map_or("", |(prefix, _)| prefix), owner);
    }

    fn claim(&mut self, prefix: &str, owner: StoreOwner) {
        if prefix.is_empty() {
            return;
        }
        let owners = self.0.entry(prefix.into()).or_default();
        if !owners.contains(&owner) {
            owners.push(owner);
        }
    }

    /// The stores that an id may be in: those that claim the longest prefix that it begins with. Empty: its prefix is
    /// unknown. More than one: the stores are to be looked into in this order.
    pub fn owners(&self, id: &str) -> &[StoreOwner] {
        self.of_id(id).and_then(|prefix| self.0.get(prefix)).map_or(&[], Vec::as_slice)
    }

    /// The rigs among [`Prefixes::owners`].
    pub fn rigs(&self, id: &str) -> impl Iterator<Item = &str> {
        self.owners(id).iter().filter_map(|owner| match owner {
            StoreOwner::Town => None,
            StoreOwner::Rig(name) => Some(name.as_str()),
        })
    }

    /// The prefix of an id: the longest that it begins with.
    pub fn of_id(&self, id: &str) -> Option<&str> {
        let fits = |prefix: &&String| has_prefix(id, prefix);
        self.0.keys().filter(fits).max_by_key(|prefix| prefix.len()).map(String::as_str)
    }

    /// All of them, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[StoreOwner])> {
        self.0.iter().map(|(prefix, owners)| (prefix.as_str(), owners.as_slice()))
    }
}

impl Rig {
    /// Whether an id begins with a prefix of this rig's store.
    pub fn owns(&self, id: &str) -> bool {
        let beads = &self.config.beads;
        std::iter::once(&beads.prefix).chain(&beads.prefixes).any(|prefix| has_prefix(id, prefix))
    }
}

/// Whether the id is the prefix, `-` and more.
fn has_prefix(id: &str, prefix: &str) -> bool {
    let rest = id.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('-'));
    !prefix.is_empty() && rest.is_some_and(|rest| !rest.is_empty())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::town::{RigBeads, RigConfig};

    /// A rig that claims these prefixes.
    pub(crate) fn rig(name: &str, prefix: &str, prefixes: &[&str]) -> Rig {
        let prefixes = prefixes.iter().map(|one| (*one).to_string()).collect();
        let beads = RigBeads { prefix: prefix.into(), prefixes, ..RigBeads::default() };
        Rig {
            name: name.into(),
            root: "/t".into(),
            config: RigConfig { beads, ..RigConfig::default() },
            town: String::new(),
        }
    }

    #[test]
    fn an_id_belongs_to_the_stores_that_claim_its_longest_prefix() {
        let rigs = [rig("wyvern", "wy", &["cd", "gt", "hq"]), rig("hydra", "cd", &["cd-x", "gt"])];
        let all = Prefixes::of("hq", &rigs);
        let of = |id: &str| all.owners(id).iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        assert_eq!(of("wy-1"), "rig wyvern");
        assert_eq!(of("hq-1"), "the town, rig wyvern");
        assert_eq!(of("cd-1"), "rig hydra, rig wyvern");
        assert_eq!(of("cd-x-1"), "rig hydra");
        assert_eq!(of("gt-1.2"), "rig wyvern, rig hydra");
        for unknown in ["zz-1", "wy", "wy-", "", "-1", "wyx-1"] {
            assert_eq!(of(unknown), "", "{unknown}");
        }
        let twice = all.iter().filter(|(_, owners)| owners.len() > 1).map(|(prefix, _)| prefix);
        assert_eq!(twice.collect::<Vec<_>>(), ["cd", "gt", "hq"]);
        assert!(rigs[0].owns("gt-1") && rigs[0].owns("wy-1") && !rigs[0].owns("cdx-1"));
    }
}
