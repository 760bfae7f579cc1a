//! `gt refinery`: its session, and the merge queue's engine, which needs no agent.

use anyhow::Result;

use super::{Ctx, roles};
use crate::address::Address;
use crate::cli::roles::{Refinery, RefineryCommand};
use crate::failure::Exit;

/// Runs it.
///
/// # Errors
/// What the command could not do.
pub fn run(ctx: &Ctx, args: Refinery) -> Result<Exit> {
    let refinery = |rig: Option<String>| -> Result<Address> {
        Ok(Address::Refinery(ctx.rig(&ctx.town()?, rig.as_deref())?.name))
    };
    match args.command {
        RefineryCommand::Start { rig, how } => roles::start(ctx, &[refinery(rig)?], &how),
        RefineryCommand::Attach { rig } => {
            let address = refinery(rig)?;
            roles::attach(ctx, &roles::Sight::take(ctx)?, &address)
        }
        RefineryCommand::Stop { rig, dry } => roles::stop_one(ctx, &refinery(rig)?, dry.dry_run),
        RefineryCommand::Status { rig } => {
            let address = refinery(rig)?;
            roles::show(ctx, "refinery", &roles::status(&roles::Sight::take(ctx)?, &address))
        }
        RefineryCommand::Process { rig, dry } => process(ctx, rig.as_deref(), dry.dry_run),
        RefineryCommand::Merge { what, rig, dry } => merge(ctx, &what, rig.as_deref(), dry.dry_run),
    }
}

fn process(ctx: &Ctx, rig: Option<&str>, dry_run: bool) -> Result<Exit> {
    let _ = (ctx, rig, dry_run);
    crate::fail!("not there yet")
}

fn merge(ctx: &Ctx, what: &str, rig: Option<&str>, dry_run: bool) -> Result<Exit> {
    let _ = (ctx, what, rig, dry_run);
    crate::fail!("not there yet")
}
