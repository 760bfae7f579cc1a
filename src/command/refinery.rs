//! `gt refinery`: its session, and the merge queue's engine, which needs no agent.

use anyhow::Result;
use serde_json::json;

use super::{Ctx, merge, polecats, roles};
use crate::base::failure::Exit;
use crate::cli::roles::{Refinery, RefineryCommand};
use crate::model::address::Address;
use crate::work::observe::view::RoleStatus;

/// Runs it.
///
/// # Errors
/// What the command could not do.
pub fn run(ctx: &Ctx, args: Refinery) -> Result<Exit> {
    match args.command {
        RefineryCommand::Session(command) => roles::of_rig(ctx, command, Address::Refinery),
        RefineryCommand::Status { rig } => status(ctx, rig.as_deref()),
        RefineryCommand::Process { rig, dry } => merge::process(ctx, rig.as_deref(), dry.dry_run),
        RefineryCommand::Merge { what, rig, dry } => merge::merge(ctx, &what, rig.as_deref(), dry.dry_run),
    }
}

/// How its session is, and what waits in its queue.
fn status(ctx: &Ctx, rig: Option<&str>) -> Result<Exit> {
    let rig = polecats::survey(ctx, rig)?.0;
    let Some(queue) = &rig.queue else {
        let why = rig.store.unreadable.unwrap_or_default();
        crate::fail!("the queue of {} cannot be read: {why}", rig.name; "look with: gt doctor {}", rig.name);
    };
    let own = Address::Refinery(rig.name.clone());
    let agent = rig.agents.iter().find(|agent| agent.address == own);
    if ctx.global.json {
        super::print_json("refinery", &json!({ "agent": agent, "queue": queue }))?;
    } else {
        let line = agent.map(RoleStatus::line).unwrap_or_default();
        super::print(&format!("{line}{}\n", queue.words()))?;
    }
    Ok(Exit::Done)
}
