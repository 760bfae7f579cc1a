//! `gt gc`.

use anyhow::Result;

use super::Ctx;
use crate::cli::town::Gc;
use crate::config;
use crate::failure::Exit;
use crate::work::recovery::{self, Fate};

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
        gone.extend(recovery::gc(rig, &target, args.dry.dry_run)?);
    }
    if ctx.global.json {
        super::print_json("removed", &gone)?;
        return Ok(Exit::Done);
    }
    let verb = if args.dry.dry_run { "would remove" } else { "removed" };
    for one in &gone {
        let why = if one.why == Fate::Merged { "merged" } else { "30 days old" };
        super::print(&format!("{verb} {} of {}: {why}\n", one.what, one.rig))?;
    }
    if gone.is_empty() {
        ctx.note("nothing to remove");
    }
    Ok(Exit::Done)
}
