//! `gt polecats`, and `gt witness status`, which tells the same beside the witness itself.

use anyhow::Result;
use serde_json::json;

use super::Ctx;
use crate::base::failure::Exit;
use crate::base::terminal::{self, Text};
use crate::base::time;
use crate::cli::town::Polecats;
use crate::work::observe::look::Unseen;
use crate::work::observe::view::RigView;

/// Runs it.
///
/// # Errors
/// What the command could not do.
pub fn run(ctx: &Ctx, args: Polecats) -> Result<Exit> {
    let (rig, unseen) = survey(ctx, args.rig.as_deref())?;
    if ctx.global.json {
        super::print_json("polecats", &rig.polecats)?;
    } else {
        terminal::print(rig.work(&ctx.screen(), &time::now()))?;
    }
    say(ctx, &rig, unseen)
}

/// `gt witness status`
///
/// # Errors
/// As [`run`].
pub fn witness(ctx: &Ctx, rig: Option<&str>) -> Result<Exit> {
    let (rig, unseen) = survey(ctx, rig)?;
    let witness = rig.agents.first();
    if ctx.global.json {
        super::print_json("witness", &json!({ "agent": witness, "polecats": rig.polecats }))?;
    } else {
        let line = witness.map(crate::work::observe::view::RoleStatus::line).unwrap_or_default();
        terminal::print(Text::from(line).then(rig.work(&ctx.screen(), &time::now())))?;
    }
    say(ctx, &rig, unseen)
}

/// One rig, as `gt status` sees it, and why its sessions could not be seen.
///
/// # Errors
/// An unknown rig, or broken configuration.
pub fn survey(ctx: &Ctx, rig: Option<&str>) -> Result<(RigView, Unseen)> {
    let town = ctx.town()?;
    let rig = ctx.rig(&town, rig)?;
    let mux = ctx.mux(&town)?;
    ctx.look(&town, mux.as_ref())?.rig(rig)
}

/// What keeps the list from being the whole truth.
fn say(ctx: &Ctx, rig: &RigView, unseen: Unseen) -> Result<Exit> {
    if let Some(why) = &rig.store.unreadable {
        crate::fail!("the store of {} cannot be read: {why}", rig.name; "look with: gt doctor {}", rig.name);
    }
    for line in &unseen.away {
        ctx.note(line);
    }
    if let Some(why) = unseen.here {
        ctx.note(&format!("sessions cannot be seen: {why}"));
    } else if rig.polecats.is_empty() {
        ctx.note(&format!("no polecats in {}; start one with: gt sling BEAD {}", rig.name, rig.name));
    }
    Ok(Exit::Done)
}
