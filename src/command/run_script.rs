//! `gt run-script`.

use anyhow::Result;

use super::Ctx;
use crate::failure::Exit;

/// Runs it.
///
/// # Errors
/// What the command could not do.
pub fn run(ctx: &Ctx) -> Result<Exit> {
    let _ = ctx;
    crate::fail!("not there yet")
}
