//! `gt look`.

use anyhow::Result;

use super::Ctx;
use crate::cli::queue::Look;
use crate::failure::Exit;

/// Runs it.
///
/// # Errors
/// What the command could not do.
pub fn diff(ctx: &Ctx, args: Look) -> Result<Exit> {
    let _ = (ctx, args);
    crate::fail!("not there yet")
}

/// Runs it.
///
/// # Errors
/// What the command could not do.
pub fn path(ctx: &Ctx, args: Look) -> Result<Exit> {
    let _ = (ctx, args);
    crate::fail!("not there yet")
}

/// Runs it.
///
/// # Errors
/// What the command could not do.
pub fn log(ctx: &Ctx, args: Look) -> Result<Exit> {
    let _ = (ctx, args);
    crate::fail!("not there yet")
}
