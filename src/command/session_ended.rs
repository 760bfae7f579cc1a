//! `gt session-ended`: what the hook of a session runs when its program has ended.

use anyhow::Result;

use super::Ctx;
use crate::base::failure::Exit;
use crate::cli::sessions::SessionEnded;

/// Looks after the polecat whose session ended.
///
/// # Errors
/// When something could not be looked at, or its end could not be completed.
pub fn run(ctx: &Ctx, args: SessionEnded) -> Result<Exit> {
    super::patrol::session_ended(ctx, &args)
}
