//! `gt witness`: its session, and the patrol, which needs no agent.

use anyhow::Result;

use super::{Ctx, patrol, polecats, roles};
use crate::base::failure::Exit;
use crate::cli::roles::{Witness, WitnessCommand};
use crate::model::address::Address;

/// Runs it.
///
/// # Errors
/// What the command could not do.
pub fn run(ctx: &Ctx, args: Witness) -> Result<Exit> {
    let witness = |rig: Option<String>| -> Result<Address> {
        Ok(Address::Witness(ctx.rig(&ctx.town()?, rig.as_deref())?.name))
    };
    match args.command {
        WitnessCommand::Start { rig, how } => roles::start(ctx, &[witness(rig)?], &how),
        WitnessCommand::Attach { rig } => {
            let address = witness(rig)?;
            roles::attach(ctx, &roles::Sight::take(ctx)?, &address)
        }
        WitnessCommand::Stop { rig, dry } => roles::stop_one(ctx, &witness(rig)?, dry.dry_run),
        WitnessCommand::Status { rig } => polecats::witness(ctx, rig.as_deref()),
        WitnessCommand::Patrol { rig, dry } => patrol::run(ctx, rig.as_deref(), dry.dry_run),
    }
}
