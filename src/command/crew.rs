//! `gt crew`.

use anyhow::Result;

use super::Ctx;
use crate::cli::town::CrewArgs;
use crate::failure::Exit;

/// Runs it.
///
/// # Errors
/// What the command could not do.
pub fn run(ctx: &Ctx, args: CrewArgs) -> Result<Exit> {
    let _ = (ctx, args);
    crate::fail!("not there yet")
}
