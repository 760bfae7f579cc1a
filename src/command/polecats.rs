//! `gt polecats`.

use anyhow::Result;

use super::Ctx;
use crate::cli::town::Polecats;
use crate::failure::Exit;

/// Runs it.
///
/// # Errors
/// What the command could not do.
pub fn run(ctx: &Ctx, args: Polecats) -> Result<Exit> {
    let _ = (ctx, args);
    crate::fail!("not there yet")
}
