//! What is different between two looks at a town. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::view::TownView;
use crate::plan::place::Place;

/// An agent or a rig that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewChange {
    /// Its address or name.
    pub about: String,
    /// How it was; empty for one that was not there.
    pub was: String,
    /// How it is; empty for one that is gone.
    pub now: String,
}

/// What changed, by address and name.
pub fn changes(before: &TownView, after: &TownView) -> Vec<ViewChange> {
    let (was, now) = (words(before), words(after));
    let change = |about: &String| {
        let of = |words: &BTreeMap<String, String>| words.get(about).cloned().unwrap_or_default();
        ViewChange { about: about.clone(), was: of(&was), now: of(&now) }
    };
    let all: BTreeSet<&String> = was.keys().chain(now.keys()).collect();
    all.into_iter().map(change).filter(|change| change.was != change.now).collect()
}

/// Whether both show the same: what is in neither the text nor the JSON does not count.
pub fn look_alike(one: &TownView, other: &TownView) -> bool {
    let shown = |view| serde_json::to_value(view).ok();
    one == other || shown(one) == shown(other)
}

/// Every agent and rig, with what may change of it.
fn words(view: &TownView) -> BTreeMap<String, String> {
    let roles = view.agents.iter().chain(view.rigs.iter().flat_map(|rig| &rig.agents));
    let mut words: BTreeMap<String, String> =
        roles.map(|role| (role.address.to_string(), role.state.clone())).collect();
    let known = |count: Option<usize>| count.map_or("?".into(), |count| count.to_string());
    for rig in &view.rigs {
        let queued = rig.queue.as_ref().map(|queue| queue.waiting + queue.merging);
        let aside = rig.queue.as_ref().map(|queue| queue.set_aside);
        let counts = [known(rig.ready), known(queued), known(aside)];
        words.insert(
            rig.name.clone(),
            format!("{} ready, {} in the queue, {} set aside", counts[0], counts[1], counts[2]),
        );
        words.extend(rig.polecats.iter().map(|polecat| {
            let place = polecat.place.map_or("no bead", Place::as_str);
            let said = [polecat.bead.as_deref(), Some(place), polecat.state.as_deref()];
            // One that works on a bead that is being worked on says that once.
            let mut said: Vec<&str> = said.into_iter().flatten().collect();
            said.dedup();
            (polecat.address.clone(), said.join(" "))
        }));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mux::Mux;
    use crate::work::fixture::Fixture;
    use crate::work::observe::look::Beside;

    #[test]
    fn what_came_went_or_does_something_else_is_told_once() {
        let town = Fixture::new();
        let look = || town.look().town(Beside::Nothing, None).unwrap();
        let empty = look();
        assert_eq!(changes(&empty, &empty), []);
        let (bead, session) = town.polecat("Nux");
        town.bead("Free", "open", None, &[]);
        let begun = look();
        let change = |about: &str, was: &str, now: &str| ViewChange {
            about: about.into(),
            was: was.into(),
            now: now.into(),
        };
        let rig = |ready: usize| format!("{ready} ready, 0 in the queue, 0 set aside");
        let works = format!("{bead} working");
        assert_eq!(
            changes(&empty, &begun),
            [change("wyvern", &rig(0), &rig(1)), change("wyvern/Nux", "", &works)]
        );
        town.mux.mark(&session, "idle", "2026-01-01T00:00:00Z").unwrap();
        let idle = format!("{bead} working idle");
        assert_eq!(changes(&begun, &look()), [change("wyvern/Nux", &works, &idle)]);
        assert_eq!(changes(&begun, &empty)[1], change("wyvern/Nux", &works, ""));
    }

    #[test]
    fn what_nobody_is_shown_is_no_reason_to_show_a_town_again() {
        let town = Fixture::new();
        town.polecat("Nux");
        let before = town.look().town(Beside::Nothing, None).unwrap();
        let mut after = before.clone();
        (after.server, after.pids) = (before.server + 1, vec![7]);
        after.rigs[0].polecats[0].instance = "i-2".into();
        assert!(after != before && look_alike(&before, &after));
        after.rigs[0].polecats[0].attached = 1;
        assert!(!look_alike(&before, &after));
    }
}
