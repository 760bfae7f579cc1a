//! `gt gc`.

use anyhow::Result;

use super::Ctx;
use crate::address::Address;
use crate::cli::town::Gc;
use crate::config;
use crate::failure::Exit;
use crate::town::Rig;
use crate::work::recovery::{self, Fate, Gone};
use crate::work::request::Request;
use crate::work::strays;
use crate::work::submit::requests;

/// Drops recovery refs that are merged or 30 days old, and old logs.
///
/// # Errors
/// When a rig's store or clone cannot be read: nothing of it is dropped then.
pub fn run(ctx: &Ctx, args: Gc) -> Result<Exit> {
    let town = ctx.town()?;
    let rigs = match &args.rig {
        Some(_) => vec![ctx.rig(&town, args.rig.as_deref())?],
        None => town.rigs()?,
    };
    let mut gone = Vec::new();
    for rig in &rigs {
        let target = config::target(&config::settings(&ctx.sources(&town, Some(rig)))?);
        // Before the recovery refs go that tell whose branches they are.
        gone.extend(strays(ctx, rig, &target, args.dry.dry_run)?);
        let dropped = recovery::gc(rig, &target, args.dry.dry_run)?;
        if let Some(why) = dropped.unknown {
            ctx.note(&format!("what is merged in {} is not known, and stays: {why}", rig.name));
        }
        gone.extend(dropped.gone);
    }
    if ctx.global.json {
        super::print_json("removed", &gone)?;
        return Ok(Exit::Done);
    }
    let verb = if args.dry.dry_run { "would remove" } else { "removed" };
    for one in &gone {
        let why = match one.why {
            Fate::Merged => "merged",
            Fate::Abandoned => "of work taken back",
            Fate::Old | Fate::Stays => "30 days old",
        };
        super::print(&format!("{verb} {} of {}: {why}\n", one.what, one.rig))?;
    }
    if gone.is_empty() {
        ctx.note("nothing to remove");
    }
    Ok(Exit::Done)
}

/// Branches of polecats at origin that nothing waits for, and records of landings that are over. Without origin
/// no branch is.
fn strays(ctx: &Ctx, rig: &Rig, target: &str, dry: bool) -> Result<Vec<Gone>> {
    let branches = strays::branches_at_origin(rig, &[]).unwrap_or_else(|error| {
        ctx.note(&format!("{error:#}"));
        Vec::new()
    });
    // The store is asked only when there is something to ask about.
    if branches.is_empty() && strays::landings(rig, target, &[], true)?.is_empty() {
        return Ok(Vec::new());
    }
    let open: Vec<Request> = requests(rig.store(&Address::Overseer)?.as_ref())?
        .into_iter()
        .filter(|(_, open)| *open)
        .map(|(one, _)| one)
        .collect();
    let branches: Vec<_> = branches.into_iter().filter(|one| !strays::is_wanted(one, &open)).collect();
    if !dry && let Err(error) = strays::delete(rig, &branches) {
        ctx.note(&format!("{error:#}"));
        return Ok(Vec::new());
    }
    let gone = |what: String, why: Fate| Gone { rig: rig.name.clone(), what, why };
    let landings = strays::landings(rig, target, &open, dry)?;
    let branches =
        branches.into_iter().map(|one| gone(format!("branch {} at origin", one.branch), Fate::Abandoned));
    Ok(branches.chain(landings.into_iter().map(|name| gone(name, Fate::Merged))).collect())
}
