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
    match args.command {
        WitnessCommand::Session(command) => roles::of_rig(ctx, command, Address::Witness),
        WitnessCommand::Status { rig } => polecats::witness(ctx, rig.as_deref()),
        WitnessCommand::Patrol { rig, dry } => patrol::run(ctx, rig.as_deref(), dry.dry_run),
    }
}
