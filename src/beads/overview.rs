//! What the views of a rig need of its store, however many beads wait in it.

use std::collections::HashSet;

use crate::model::bead::Bead;
use crate::model::words;

/// A store at a glance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overview {
    /// Beads that are on their way, in the order of a list: what somebody has, what came back from the queue, the open
    /// requests and the beads that those name. A store that reads everything at once gives the rest too.
    pub beads: Vec<Bead>,
    /// How many beads a polecat could be started on.
    pub free: usize,
    /// How many beads that are not closed others made or changed; mail and requests apart.
    pub foreign: usize,
}

impl Overview {
    /// Made of everything that is not closed. A blocker that is not among it is closed or deleted.
    pub fn of(beads: Vec<Bead>) -> Overview {
        let open: HashSet<&str> = beads.iter().map(|bead| bead.id.as_str()).collect();
        let requested: HashSet<&str> = beads
            .iter()
            .filter(|bead| bead.is_request() && !bead.foreign)
            .filter_map(|bead| bead.meta("bead"))
            .collect();
        let in_the_way =
            |id: &str| open.contains(id) || requested.contains(id) || id.starts_with("external:");
        let is_free = |bead: &&Bead| {
            bead.status == words::OPEN
                && bead.assignee.is_none()
                && !bead.foreign
                && ![words::EPIC, words::CONVOY].contains(&bead.issue_type.as_str())
                && !words::NOT_READY.contains(&bead.issue_type.as_str())
                && !bead.has_label(words::LABEL_HOLD)
                && !bead.has_label(words::LABEL_SUBMITTED)
                && !requested.contains(bead.id.as_str())
                && !bead.blockers().any(in_the_way)
        };
        let free = beads.iter().filter(is_free).count();
        let foreign = |bead: &&Bead| bead.foreign && !bead.is_letter();
        let foreign = beads.iter().filter(foreign).count();
        Overview { free, foreign, beads }
    }
}
