//! Beads with what their place depends on: their blockers and the open requests, read in one go.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::address::Address;
use crate::beads::{Bead, Filter, Store, words};
use crate::failure::Failure;
use crate::mux::Snapshot;
use crate::plan::place::{Facts, Place, Seen, place, seen};
use crate::town::Town;
use crate::work::request::{Request, open_requests};

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct Around {
    /// By id.
    pub beads: BTreeMap<String, Bead>,
    /// Open requests of the store.
    pub requests: Vec<Request>,
}

impl Around {
    /// Reads these beads, what they wait for, and the open requests. One call of the real bd; a few short queries of
    /// the embedded store.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn read(store: &dyn Store, ids: &[String]) -> Result<Around> {
        let mut around = Around::default();
        if store.is_dear() {
            around.take(store.list(&Filter { all: true, ..Filter::default() })?);
            return Ok(around);
        }
        around.take(store.list(&Filter { ids: ids.to_vec(), ..Filter::default() })?);
        let blockers: Vec<String> = around
            .beads
            .values()
            .flat_map(Bead::blockers)
            .filter(|id| !around.beads.contains_key(*id))
            .map(str::to_string)
            .collect();
        if !blockers.is_empty() {
            around.take(store.list(&Filter { ids: blockers, ..Filter::default() })?);
        }
        around.take(store.list(&open_requests())?);
        Ok(around)
    }

    fn take(&mut self, beads: Vec<Bead>) {
        for bead in beads {
            if bead.issue_type == words::MERGE_REQUEST && !bead.is_closed() {
                self.requests.extend(Request::from_bead(&bead));
            }
            self.beads.insert(bead.id.clone(), bead);
        }
    }

    /// One bead that must be there.
    ///
    /// # Errors
    /// When the store has none of that id.
    pub fn bead(&self, id: &str) -> Result<&Bead, Failure> {
        self.beads
            .get(id)
            .ok_or_else(|| Failure::new(format!("no bead {id}")).hint("see what is ready with: gt bd ready"))
    }

    /// The open request for a bead.
    pub fn open_request(&self, bead: &str) -> Option<&Request> {
        self.requests.iter().find(|request| request.bead == bead)
    }

    /// What a bead waits for: blockers that are not closed, or closed ahead of their merge. One that cannot be found
    /// counts, because unknown never means none.
    pub fn waits_for(&self, bead: &Bead) -> Vec<String> {
        let merged =
            |id: &str| self.beads.get(id).is_some_and(Bead::is_closed) && self.open_request(id).is_none();
        bead.blockers().filter(|id| !merged(id)).map(str::to_string).collect()
    }

    /// Where a bead is, by the state table.
    pub fn place(&self, bead: &Bead, town: &Town, sessions: &Snapshot) -> Place {
        let holder = polecat(bead);
        let session = match &holder {
            Some(address) => seen(sessions, &town.mark(), &address.to_string(), Some(bead)),
            None => Seen::None,
        };
        place(&Facts {
            bead,
            open_request: self.open_request(&bead.id).is_some(),
            blocked: !self.waits_for(bead).is_empty(),
            polecat: holder.is_some(),
            session,
        })
    }
}

/// The polecat that holds a bead, by the form of its assignee.
pub fn polecat(bead: &Bead) -> Option<Address> {
    let address = Address::parse(bead.assignee.as_deref()?).ok()?;
    matches!(address, Address::Polecat(..)).then_some(address)
}
