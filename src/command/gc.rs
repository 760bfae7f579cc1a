//! `gt gc`.

use anyhow::Result;

use super::Ctx;
use crate::base::failure::{Exit, Failures};
use crate::beads::Filter;
use crate::beads::request::Request;
use crate::cli::town::Gc;
use crate::config;
use crate::model::address::Address;
use crate::town::{Rig, Town};
use crate::work::polecat::recovery::{self, RefFate, RemovedRef};
use crate::work::polecat::strays;

/// Drops recovery refs that are merged or 30 days old, and old logs.
///
/// # Errors
/// When a rig's store or clone cannot be read: nothing of that rig is dropped then.
pub fn run(ctx: &Ctx, args: Gc) -> Result<Exit> {
    let town = ctx.town()?;
    let (mut gone, mut failures) = (Vec::new(), Failures::default());
    for rig in ctx.rigs(&town, args.rig.as_deref(), &mut failures)? {
        gone.extend(failures.keep(of_rig(ctx, &town, &rig, args.dry.dry_run)).unwrap_or_default());
    }
    let ended = failures.end(|count| format!("gt gc failed for {count} rigs"));
    if ctx.global.json {
        super::print_json("removed", &gone)?;
        return ended.map(|()| Exit::Done);
    }
    let verb = if args.dry.dry_run { "would remove" } else { "removed" };
    for one in &gone {
        let why = match one.why {
            RefFate::Merged => "merged",
            RefFate::Abandoned => "of work taken back",
            RefFate::Old | RefFate::Stays => "30 days old",
        };
        super::print(&format!("{verb} {} of {}: {why}\n", one.what, one.rig))?;
    }
    if gone.is_empty() && ended.is_ok() {
        ctx.note("nothing to remove");
    }
    ended.map(|()| Exit::Done)
}

fn of_rig(ctx: &Ctx, town: &Town, rig: &Rig, dry: bool) -> Result<Vec<RemovedRef>> {
    let target = config::target(&ctx.settings(town, Some(rig))?);
    let mut notes = Vec::new();
    // Before the recovery refs go that tell whose branches they are.
    let mut gone = strays(rig, &target, dry, &mut notes)?;
    let dropped = recovery::gc(rig, &target, dry)?;
    notes.extend(
        dropped.unknown.map(|why| format!("what is merged in {} is not known, and stays: {why}", rig.name)),
    );
    for note in &notes {
        ctx.note(note);
    }
    gone.extend(dropped.gone);
    Ok(gone)
}

/// Branches of polecats at origin that nothing waits for, and records of landings that are over. Branches of an origin that
/// cannot be read stay, with a note.
fn strays(rig: &Rig, target: &str, dry: bool, notes: &mut Vec<String>) -> Result<Vec<RemovedRef>> {
    let branches = strays::branches_at_origin(rig, &[]).unwrap_or_else(|error| {
        notes.push(format!("{error:#}"));
        Vec::new()
    });
    // The store is asked only when there is something to ask about.
    if branches.is_empty() && strays::landings(rig, target, &[], true)?.is_empty() {
        return Ok(Vec::new());
    }
    // Foreign ones too: what they name stays.
    let open = rig.store(&Address::Overseer)?.list(&Filter::open_requests())?;
    let open: Vec<Request> = open.iter().filter_map(|bead| Request::read(bead)?.ok()).collect();
    let branches: Vec<_> = branches.into_iter().filter(|one| !strays::is_wanted(one, &open)).collect();
    if !dry && let Err(error) = strays::delete(rig, &branches) {
        notes.push(format!("{error:#}"));
        return Ok(Vec::new());
    }
    let gone = |what: String, why: RefFate| RemovedRef { rig: rig.name.clone(), what, why };
    let landings = strays::landings(rig, target, &open, dry)?;
    let branches =
        branches.into_iter().map(|one| gone(format!("branch {} at origin", one.branch), RefFate::Abandoned));
    Ok(branches.chain(landings.into_iter().map(|name| gone(name, RefFate::Merged))).collect())
}
