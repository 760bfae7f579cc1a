//! `gt rig`.

use anyhow::Result;

use super::Ctx;
use crate::cli::town::RigArgs;
use crate::failure::Exit;

/// Runs it.
///
/// # Errors
/// What the command could not do.
pub fn run(ctx: &Ctx, args: RigArgs) -> Result<Exit> {
    let _ = (ctx, args);
    crate::fail!("not there yet")
}

/// Runs it.
///
/// # Errors
/// What the command could not do.
pub fn list(ctx: &Ctx) -> Result<Exit> {
    let _ = ctx;
    crate::fail!("not there yet")
}
