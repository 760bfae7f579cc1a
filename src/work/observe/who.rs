//! Who is meant by what a person typed: an address, a bead's id, or the bare name of a polecat or of a member of the crew where
//! one rig only has it.

use anyhow::Result;

use super::around;
use crate::base::failure::{Failure, Failures};
use crate::base::grammar::is_bead_id;
use crate::base::quote::quote;
use crate::beads::request::Request;
use crate::beads::{Filter, Store};
use crate::config::{self, Sources};
use crate::model::address::{Address, is_member_name, is_polecat_name};
use crate::model::bead::Bead;
use crate::model::words;
use crate::town::ids::{Prefixes, StoreOwner};
use crate::town::{Rig, Town};

/// The address that is meant; the id of a bead means the agent that has it, or whose work on it waits in the queue.
///
/// # Errors
/// What is no address; a bare name that no rig has, or several; a bead without an agent; a rig the town does not have.
pub fn resolve(town: &Town, sources: &Sources, text: &str) -> Result<Address> {
    if is_polecat_name(text) {
        return named(town, text);
    }
    if is_bead_id(text) && text.contains('-') {
        let mut failures = Failures::default();
        let rigs = town.rigs(&mut failures)?;
        if let Some(rig) = keeper(&rigs, &prefixes(sources, &rigs, [text])?, text) {
            return holder(rig, text);
        }
    }
    let address = match Address::parse(text) {
        Err(wrong) if is_member_name(text) => return member(town, text, wrong),
        parsed => parsed?,
    };
    if let Some(rig) = address.rig() {
        town.rig(rig)?;
    }
    Ok(address)
}

/// The rig whose store keeps a bead, by the prefix of its id; where several rigs claim that prefix, or none does, the one that
/// has it.
///
/// # Errors
/// When no rig claims the prefix or has the bead.
pub fn rig_of(town: &Town, sources: &Sources, id: &str) -> Result<Rig> {
    let mut failures = Failures::default();
    let rigs = town.rigs(&mut failures)?;
    let prefixes = prefixes(sources, &rigs, [id])?;
    if let Some(rig) = keeper(&rigs, &prefixes, id) {
        return Ok(rig.clone());
    }
    if !prefixes.owners(id).is_empty() {
        return Err(Failure::new(format!("{id} belongs to the town: polecats work on beads of their rig"))
            .hint(format!("look at it with: gt bd show {id}"))
            .into());
    }
    let none = Failure::new(format!("no bead {id}: no rig has a prefix that fits, or holds it"))
        .hint("see the rigs and their prefixes with: gt rigs");
    failures.beside(Err(none.into()))
}

/// The prefixes of a town. Stores are asked for those of these ids that begin with none of them: what was imported or synced
/// keeps its id.
///
/// # Errors
/// When the settings cannot be read.
pub fn prefixes<'i>(
    sources: &Sources,
    rigs: &[Rig],
    ids: impl IntoIterator<Item = &'i str>,
) -> Result<Prefixes> {
    let mut all = Prefixes::of(&config::settings(sources)?.beads.prefix, rigs);
    let strange = |id: &&str| is_bead_id(id) && id.contains('-') && all.owners(id).is_empty();
    let ids: Vec<String> = ids.into_iter().filter(strange).map(Into::into).collect();
    if !ids.is_empty() {
        let filter = Filter { ids, ..Filter::default() };
        for rig in rigs {
            // What a store cannot say keeps no other from being asked.
            let found =
                rig.store(&Address::Overseer).and_then(|store| store.list(&filter)).unwrap_or_default();
            found.iter().for_each(|bead| all.found(&bead.id, StoreOwner::Rig(rig.name.clone())));
        }
    }
    Ok(all)
}

fn keeper<'a>(rigs: &'a [Rig], prefixes: &Prefixes, id: &str) -> Option<&'a Rig> {
    let claim: Vec<&Rig> =
        prefixes.rigs(id).filter_map(|name| rigs.iter().find(|rig| rig.name == name)).collect();
    if let [one] = claim.as_slice() {
        return Some(one);
    }
    let has = |rig: &&&Rig| {
        let found = rig.store(&Address::Overseer).and_then(|store| store.list(&one(id)));
        found.is_ok_and(|found| !found.is_empty())
    };
    claim.iter().find(has).or(claim.first()).copied()
}

fn one(id: &str) -> Filter {
    Filter { ids: vec![id.into()], ..Filter::default() }
}

/// The polecat of this name: one that is there, else one whose work waits in the queue.
fn named(town: &Town, name: &str) -> Result<Address> {
    // What a rig's configuration says does not matter here.
    let has = |rig: &String| {
        let polecats = town.root.join(rig).join("polecats");
        polecats.join(".names").join(name).exists() || polecats.join(name).is_dir()
    };
    let all = town.rig_names()?;
    let mut rigs: Vec<&String> = all.iter().filter(|rig| has(rig)).collect();
    let mut failures = Failures::default();
    if rigs.is_empty() {
        let waits = |rig: &&String| {
            let address = Address::Polecat((*rig).clone(), name.into()).to_string();
            let found = town.read_rig(rig).and_then(|rig| requests(rig.store(&Address::Overseer)?.as_ref()));
            failures.keep(found).is_some_and(|found| found.iter().any(|own| own.worker == address))
        };
        rigs = all.iter().filter(waits).collect();
    }
    let found = rigs.into_iter().map(|rig| Address::Polecat(rig.clone(), name.into())).collect();
    only(found, name, || {
        let none =
            Failure::new(format!("no polecat is named {name}")).hint("see who is there with: gt agents");
        failures.beside(Err(none.into()))
    })
}

/// The crew member of this name, or what is wrong with it as an address.
fn member(town: &Town, name: &str, wrong: Failure) -> Result<Address> {
    let has = |rig: &String| town.root.join(rig).join("crew").join(name).is_dir();
    let rigs = town.rig_names()?.into_iter().filter(has);
    only(rigs.map(|rig| Address::Crew(rig, name.into())).collect(), name, || {
        let capital = name[..1].to_uppercase() + &name[1..];
        let near = named(town, &capital).is_ok();
        Err(if near {
            wrong.hint(format!("did you mean {capital}? see who is there with: gt agents"))
        } else {
            wrong
        }
        .into())
    })
}

fn only(mut found: Vec<Address>, name: &str, none: impl FnOnce() -> Result<Address>) -> Result<Address> {
    if found.len() > 1 {
        let forms: Vec<String> = found.iter().map(ToString::to_string).collect();
        return Err(Failure::usage(format!("several agents are named {name}"))
            .hint(format!("say which: {}", forms.join(", ")))
            .into());
    }
    found.pop().map_or_else(none, Ok)
}

fn requests(store: &dyn Store) -> Result<Vec<Request>> {
    let found = store.list(&Filter::open_requests())?;
    Ok(found.iter().filter_map(Request::from_bead).collect())
}

/// The agent that has a bead of this rig, or whose work on it waits to be merged.
fn holder(rig: &Rig, id: &str) -> Result<Address> {
    let store = rig.store(&Address::Overseer)?;
    let Some(bead) = store.list(&one(id))?.pop() else {
        return Err(around::unknown(store.as_ref(), id).into());
    };
    if let Some(holder) = bead.holder().filter(|own| own.rig().is_some() && !bead.is_closed()) {
        return Ok(holder);
    }
    let waits = requests(store.as_ref())?.into_iter().find(|request| request.bead == id);
    match waits.and_then(|request| request.author()) {
        Some(worker) => Ok(worker),
        None => Err(without(&bead, rig).into()),
    }
}

/// What helps about a polecat that has no session, by what became of its work.
pub fn about_polecat(town: &Town, rig: &str, address: &Address) -> String {
    let filter = Filter { assignee: Some(address.to_string()), ..Filter::default() };
    let held = town.rig(rig).and_then(|rig| rig.store(&Address::Overseer)?.list(&filter)).unwrap_or_default();
    match held.iter().find(|bead| bead.is_work()) {
        Some(bead) if bead.has_label(words::LABEL_SUBMITTED) => {
            format!("its work on {} waits to be merged: gt mq list {rig}", bead.id)
        }
        Some(bead) if bead.status == words::HOOKED => format!("start it with: gt sling {}", bead.id),
        Some(bead) => format!("go on with its work: gt sling {} --resume", bead.id),
        None => format!("it has no work; see who has: gt polecats {rig}"),
    }
}

/// Why a bead means no agent.
fn without(bead: &Bead, rig: &Rig) -> Failure {
    let id = &bead.id;
    let kept = bead.meta(words::META_RECOVERY).map(|name| {
        format!("its commits are kept: git -C {} log {name}", quote(&rig.clone_dir().to_string_lossy()))
    });
    let hint = match kept {
        Some(kept) => kept,
        None if bead.is_closed() => format!("look at it with: gt bd show {id}"),
        None => format!("start one on it with: gt sling {id}"),
    };
    Failure::new(format!("no agent has {id}: it is {}", bead.status)).hint(hint)
}
