//! Where a session goes: what configuration, the daemons and the town's memory say, for the decision.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::config::{ResolvedRole, Sources, remotes};
use crate::model::address::Address;
use crate::mux::{Mux, Snapshot};
use crate::plan::choose::{self, Candidate, Choice, PlaceFlags, PlacementWish};
use crate::town::Town;
use crate::town::away::{self, Records};
use crate::work::remote::tunnel;

/// Decides where the sessions of one command go. Asks nobody: the look has what the daemons said.
pub struct Chooser<'a> {
    /// The town, which remembers sessions elsewhere.
    town: &'a Town,
    /// Where its settings come from.
    sources: &'a Sources,
    /// What was seen.
    look: &'a Snapshot,
    /// An agent that may run already, by its address: its own session takes no place from it.
    own: String,
    /// Places given away so far, by remote: several beads are slung after one look.
    given: BTreeMap<String, usize>,
}

impl<'a> Chooser<'a> {
    /// One that has given nothing away.
    pub fn new(town: &'a Town, sources: &'a Sources, look: &'a Snapshot) -> Chooser<'a> {
        Chooser { town, sources, look, own: String::new(), given: BTreeMap::new() }
    }

    /// The same for an agent that may run already.
    pub fn of(self, own: &Address) -> Chooser<'a> {
        Chooser { own: own.to_string(), ..self }
    }

    /// Where a session of a role goes.
    ///
    /// # Errors
    /// As [`choose::choose`]; also broken configuration or records.
    pub fn choose(&mut self, role: &ResolvedRole, wish: &PlacementWish) -> Result<Choice> {
        let Chooser { town, sources, look, own, given } = self;
        let mut known = remotes::of_role(sources, role)?;
        if let PlaceFlags::Address(address) = &wish.hand
            && !known.iter().any(|one| one.fugue_addr == *address)
        {
            known.push(remotes::at(sources, &known, address)?);
        }
        let (records, unknown) = match away::read(town) {
            Ok(records) => (records, None),
            Err(error) => (Records::new(), Some(error)),
        };
        let candidate = |known: remotes::KnownRemote| {
            let daemon = look.away.daemons.iter().find(|one| one.remote == known.name);
            let silent = daemon.and_then(|one| one.silent.clone());
            let opens = wish.trial && silent.is_some() && tunnel::is_to_be_opened(&known);
            Candidate {
                sessions: sessions(look, &records, &known, own) + given.get(&known.name).unwrap_or(&0),
                silent: silent.filter(|_| !opens),
                opens,
                hint: daemon.and_then(|one| one.hint.clone()),
                latency_us: daemon.and_then(|one| one.latency_us),
                known,
            }
        };
        let candidates: Vec<Candidate> = known.into_iter().map(candidate).collect();
        let choice = choose::choose(role, wish, &candidates)?;
        if let Some(remote) = &choice.remote {
            // Who is there could not be counted, nor the new one be written down.
            unknown.map_or(Ok(()), Err)?;
            *given.entry(remote.name.clone()).or_default() += 1;
        }
        Ok(choice)
    }
}

/// Whether what was chosen answers, or, where its tunnel would be opened first, whether the program that asks it is there.
///
/// # Errors
/// What a silent one's person can do.
pub fn check(mux: &dyn Mux, choice: &Choice, look: &Snapshot) -> Result<()> {
    match &choice.remote {
        None => Ok(()),
        Some(_) if choice.opens => mux.has_client(),
        Some(remote) => mux.reachable(remote, look),
    }
}

/// gt's sessions with a daemon: those that were seen, and those that the town remembers and the look does not show; without
/// those of one agent.
fn sessions(look: &Snapshot, records: &Records, known: &remotes::KnownRemote, own: &str) -> usize {
    // A daemon may have several names.
    let there = |name: &str| {
        look.away.daemons.iter().any(|one| one.remote == name && one.fugue_addr == known.fugue_addr)
    };
    let ours = look
        .sessions
        .iter()
        .filter(|session| !session.marks.instance.is_empty() && session.remote.as_deref().is_some_and(there));
    let seen: Vec<&str> = ours.map(|session| session.marks.address.as_str()).collect();
    let remembered = records
        .iter()
        .filter(|(_, record)| record.fugue_addr == known.fugue_addr)
        .filter(|(address, _)| *address != own && !seen.contains(&address.as_str()))
        .count();
    seen.iter().filter(|address| **address != own).count() + remembered
}
