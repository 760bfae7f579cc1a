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
        let unblocked = Unblocked::of(&beads);
        let is_free = |bead: &&Bead| {
            let no_polecat = words::NO_POLECAT.contains(&bead.issue_type.as_str());
            bead.assignee.is_none() && !bead.foreign && !no_polecat && unblocked.is_ready(bead)
        };
        let free = beads.iter().filter(is_free).count();
        let foreign = |bead: &&Bead| bead.foreign && !bead.is_letter();
        let foreign = beads.iter().filter(foreign).count();
        Overview { free, foreign, beads }
    }
}

/// What beads wait for, of everything that is not closed (closed beads may be among it).
pub struct Unblocked<'b> {
    open: HashSet<&'b str>,
    requested: HashSet<&'b str>,
}

impl<'b> Unblocked<'b> {
    /// Of these.
    pub fn of(beads: &'b [Bead]) -> Unblocked<'b> {
        let open = || beads.iter().filter(|bead| !bead.is_closed());
        let requests = open().filter(|bead| bead.is_request() && !bead.foreign);
        Unblocked {
            requested: requests.filter_map(|bead| bead.meta("bead")).collect(),
            open: open().map(|bead| bead.id.as_str()).collect(),
        }
    }

    /// Whether a bead is open, and nothing keeps it back: a label, a request of its own, or what it waits for. A blocker that
    /// is not there is closed or deleted; one of another store is not known to be done. As the store's own triggers have it.
    pub fn is_ready(&self, bead: &Bead) -> bool {
        let in_the_way =
            |id: &str| self.open.contains(id) || self.requested.contains(id) || id.starts_with("external:");
        bead.status == words::OPEN
            && !words::NOT_READY.contains(&bead.issue_type.as_str())
            && !bead.has_label(words::LABEL_HOLD)
            && !bead.has_label(words::LABEL_SUBMITTED)
            && !self.requested.contains(bead.id.as_str())
            && !bead.blockers().any(in_the_way)
    }
}
