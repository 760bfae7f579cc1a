//! Where a session goes: what configuration, the daemons and the town's memory say, for the decision.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::config::{ResolvedRole, Sources, remotes};
use crate::mux::Snapshot;
use crate::plan::choose::{self, Candidate, Choice, Hand, Wish};
use crate::town::Town;
use crate::town::away::{self, Records};
use crate::work::remote::tunnel;

/// Places that one command has given away so far, by remote: several beads are slung after one look.
pub type Given = BTreeMap<String, usize>;

/// Decides where a session of a role goes. Asks nobody: the look has what the daemons said.
///
/// # Errors
/// As [`choose::choose`]; also broken configuration or records.
pub fn choose(
    town: &Town,
    sources: &Sources,
    role: &ResolvedRole,
    wish: &Wish,
    look: &Snapshot,
    given: &mut Given,
) -> Result<Choice> {
    choose_for(town, sources, role, wish, look, (given, ""))
}

/// The same for an agent that may run already: its own session takes no place from it.
///
/// # Errors
/// As [`choose`].
pub fn choose_for(
    town: &Town,
    sources: &Sources,
    role: &ResolvedRole,
    wish: &Wish,
    look: &Snapshot,
    (given, own): (&mut Given, &str),
) -> Result<Choice> {
    let mut known = remotes::of_role(sources, role)?;
    if let Hand::Address(address) = &wish.hand
        && !known.iter().any(|one| one.fugue_addr == *address)
    {
        known.push(remotes::at(sources, &known, address)?);
    }
    let (records, unknown) = match away::read(town) {
        Ok(records) => (records, None),
        Err(error) => (Records::new(), Some(error)),
    };
    let candidate = |known: remotes::Known| {
        let daemon = look.daemons.iter().find(|one| one.remote == known.name);
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

/// gt's sessions with a daemon: those that were seen, and those that the town remembers and the look does not show; without
/// those of one agent.
fn sessions(look: &Snapshot, records: &Records, known: &remotes::Known, own: &str) -> usize {
    // A daemon may have several names.
    let there =
        |name: &str| look.daemons.iter().any(|one| one.remote == name && one.fugue_addr == known.fugue_addr);
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
