//! Where a bead's polecat runs, when that is another machine: what has to be known before anything is touched.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::{Order, Outcome, Site};
use crate::base::failure::{Failure, hint_of};
use crate::config::schema::Multiplexer;
use crate::config::{ResolvedRole, remotes};
use crate::model::address::Address;
use crate::model::bead::{Bead, NewBead};
use crate::model::fugue::FugueAddr;
use crate::mux::Snapshot;
use crate::plan::choose::{Choice, PlaceFlags};
use crate::town::away;
use crate::work::polecat::sling::Work;
use crate::work::remote::choose::{self, Chooser};
use crate::work::remote::{line, tunnel};

/// Work goes on where it was begun: its worktree is there. The bead's label says where that is, and what the town
/// remembers.
pub fn where_it_is(
    site: &Site<'_>,
    order: &Order,
    bead: &Bead,
    holder: &Address,
    role: &ResolvedRole,
) -> Result<Choice> {
    let is_here = |holder: &Address| match holder {
        Address::Polecat(_, name) => bead.remote().is_none() && site.rig.polecat_dir(name).is_dir(),
        _ => false,
    };
    let record = match away::read(site.town) {
        Ok(mut records) => records.remove(&holder.to_string()),
        Err(_) if is_here(holder) => None,
        Err(error) => return Err(error),
    };
    let name = bead.remote().map(str::to_string).or_else(|| record.as_ref().map(|own| own.remote.clone()));
    let id = &bead.id;
    let Some(name) = name else {
        return match &order.wish.hand {
            PlaceFlags::Nothing | PlaceFlags::Local => Ok(Choice::default()),
            _ => Err(Failure::new(format!("{id} was begun on this machine: its worktree is here"))
                .hint(format!(
                    "go on here: gt sling {id} --resume; or give it up first: gt unsling --force {id}"
                ))
                .into()),
        };
    };
    let known = remotes::of_role(&site.sources, role)?.into_iter().find(|known| known.name == name);
    let address = record.as_ref().map(|record| record.fugue_addr.clone());
    let address = address.or_else(|| FugueAddr::parse(&name).is_ok().then(|| name.clone()));
    let mut known = match (known, address) {
        (Some(known), _) => known,
        (None, Some(address)) => remotes::at(&site.sources, &[], &address)?,
        (None, None) => {
            return Err(Failure::new(format!(
                "{id} was begun on {name}, and there is no such remote any more"
            ))
            .hint(format!("write [remotes.{name}] again, or give it up: gt unsling --force {id}"))
            .into());
        }
    };
    known.name.clone_from(&name);
    known.town = record.map(|record| record.town).filter(|town| !town.is_empty()).or(known.town);
    let same = match &order.wish.hand {
        PlaceFlags::Nothing | PlaceFlags::Tags(_) => true,
        PlaceFlags::Local => false,
        PlaceFlags::Remote(wanted) => *wanted == name,
        PlaceFlags::Address(wanted) => *wanted == known.fugue_addr,
    };
    if !same {
        return Err(Failure::new(format!("{id} was begun on {name}: its worktree is there"))
            .hint(format!(
                "go on there: gt sling {id} --resume; or give it up first: gt unsling --force {id}"
            ))
            .into());
    }
    Ok(Choice { remote: Some(known), why: vec![format!("it was begun on {name}")], opens: false })
}

/// Opens the tunnels that gt keeps to where these beads would go, before anybody is asked; none stands for one that is not
/// made yet. One that cannot be opened is a daemon that does not answer, and another may do; unless that machine was named
/// by hand.
///
/// # Errors
/// What ssh said of a machine that was named by hand.
pub fn open_tunnels<'b>(
    site: &Site<'_>,
    order: &Order,
    beads: impl Iterator<Item = (Option<&'b Bead>, &'b ResolvedRole)>,
) -> Result<()> {
    if order.wish.hand == PlaceFlags::Local
        || !site.settings.remotes.values().any(|remote| remote.ssh.is_some())
    {
        return Ok(());
    }
    let mut names = BTreeSet::new();
    // As if every daemon answered.
    let nobody = Snapshot::default();
    for (bead, role) in beads {
        let choice = Chooser::new(site.town, &site.sources, &nobody).choose(role, &order.wish);
        let chosen = choice.ok().and_then(|choice| choice.remote).map(|remote| remote.name);
        names.extend(bead.and_then(Bead::remote).map(str::to_string).or(chosen));
    }
    let remotes = site.settings.remotes.iter().filter(|(name, _)| names.contains(*name));
    let mut failed = tunnel::open_for(site.env, remotes)?;
    let by_hand = matches!(order.wish.hand, PlaceFlags::Remote(_) | PlaceFlags::Address(_))
        && order.wish.fallback.is_none();
    failed.pop_first().filter(|_| by_hand).map_or(Ok(()), |(_, error)| Err(error))
}

/// Asks daemons that the look did not, so that a silent one is known before anything is touched.
///
/// # Errors
/// What a silent one's person can do.
pub fn reachable(site: &Site<'_>, works: Vec<Work>, outcome: &mut Outcome) -> Vec<Work> {
    let mut asked: BTreeMap<String, Option<Failure>> = BTreeMap::new();
    let mut reached = Vec::new();
    for work in works {
        let silent = work.choice.remote.as_ref().and_then(|remote| {
            let ask = || {
                let error = choose::check(site.mux, &work.choice, &work.sessions).err()?;
                Some(Failure { hint: hint_of(&error), ..Failure::new(format!("{error:#}")) })
            };
            asked.entry(remote.fugue_addr.clone()).or_insert_with(ask).clone()
        });
        match silent {
            Some(why) => outcome.failed.push((work.bead.id.clone(), why.into())),
            None => reached.push(work),
        }
    }
    reached
}

/// The same for another machine; gives whether it goes to one. Where nobody speaks of any, nothing is asked.
pub fn check_new_away(site: &Site<'_>, order: &Order, role: &ResolvedRole, title: &str) -> Result<bool> {
    let spoken_of = !matches!(order.wish.hand, PlaceFlags::Nothing | PlaceFlags::Local)
        || role.settings.multiplexer == Multiplexer::Fugue
        || !remotes::of_role(&site.sources, role)?.is_empty();
    if !spoken_of {
        return Ok(false);
    }
    let look = site.mux.look()?;
    let choice = Chooser::new(site.town, &site.sources, &look).choose(role, &order.wish)?;
    if choice.remote.is_none() {
        return Ok(false);
    }
    let new = NewBead::titled(title);
    let bead = Bead { title: new.title, description: new.description, ..Bead::default() };
    line::check_text("the new bead", &line::bead_text(&bead))?;
    choose::check(site.mux, &choice, &look)?;
    Ok(true)
}
