//! `gt sling`.

use anyhow::Result;

use super::Ctx;
use crate::cli::work::Sling;
use crate::cli::work::Spawn;
use crate::failure::Exit;

/// Runs it.
///
/// # Errors
/// What the command could not do.
pub fn run(ctx: &Ctx, args: Sling) -> Result<Exit> {
    let _ = (ctx, args);
    crate::fail!("not there yet")
}

/// Runs it.
///
/// # Errors
/// What the command could not do.
pub fn spawn(ctx: &Ctx, args: Spawn) -> Result<Exit> {
    let _ = (ctx, args);
    crate::fail!("not there yet")
}
