//! `gt session-ended`.

use anyhow::Result;

use super::Ctx;
use crate::cli::sessions::SessionEnded;
use crate::failure::Exit;

/// Runs it.
///
/// # Errors
/// What the command could not do.
pub fn run(ctx: &Ctx, args: SessionEnded) -> Result<Exit> {
    let _ = (ctx, args);
    crate::fail!("not there yet")
}
