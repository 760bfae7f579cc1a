//! `gt hold`.

use anyhow::Result;

use super::Ctx;
use crate::cli::work::Hold;
use crate::failure::Exit;

/// Runs it.
///
/// # Errors
/// What the command could not do.
pub fn hold(ctx: &Ctx, args: Hold) -> Result<Exit> {
    let _ = (ctx, args);
    crate::fail!("not there yet")
}

/// Runs it.
///
/// # Errors
/// What the command could not do.
pub fn unhold(ctx: &Ctx, args: Hold) -> Result<Exit> {
    let _ = (ctx, args);
    crate::fail!("not there yet")
}
