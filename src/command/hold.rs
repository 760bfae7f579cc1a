//! `gt hold`, `gt unhold`.

use std::collections::BTreeMap;

use anyhow::Result;

use super::{Ctx, print, print_json};
use crate::base::failure::Exit;
use crate::cli::work::Hold;
use crate::town::Rig;
use crate::work::polecat::unsling;

/// Keeps beads from being slung.
///
/// # Errors
/// A bead that is closed or that somebody has.
pub fn hold(ctx: &Ctx, args: Hold) -> Result<Exit> {
    run(ctx, &args, true)
}

/// Lets held beads go.
///
/// # Errors
/// An unknown bead.
pub fn unhold(ctx: &Ctx, args: Hold) -> Result<Exit> {
    run(ctx, &args, false)
}

fn run(ctx: &Ctx, args: &Hold, hold: bool) -> Result<Exit> {
    let town = ctx.town()?;
    let me = ctx.me()?.address;
    let mut by_rig: BTreeMap<String, (Rig, Vec<String>)> = BTreeMap::new();
    for id in &args.beads {
        let rig = ctx.rig_of(&town, id)?;
        let (_, ids) = by_rig.entry(rig.name.clone()).or_insert_with(|| (rig, Vec::new()));
        if !ids.contains(id) {
            ids.push(id.clone());
        }
    }
    // All of them are looked at before the first is changed.
    let mut plans = Vec::new();
    for (rig, ids) in by_rig.values() {
        plans.push(unsling::plan_hold(rig.store(&me)?, ids, hold)?);
    }
    let mut changed = Vec::new();
    for plan in plans {
        changed.extend(if args.dry.dry_run { plan.beads } else { plan.carry_out()? });
    }
    if ctx.global.json {
        print_json(if hold { "held" } else { "unheld" }, &changed)?;
        return Ok(Exit::Done);
    }
    let would = if args.dry.dry_run { "would be " } else { "" };
    let word = if hold { "held back" } else { "let go" };
    changed.iter().try_for_each(|id| print(&format!("{id}  {would}{word}\n")))?;
    if changed.is_empty() {
        ctx.note(&format!("nothing to do: already {word}"));
    }
    Ok(Exit::Done)
}
