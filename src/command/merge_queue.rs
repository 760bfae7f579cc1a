//! `gt merge-queue`.

use anyhow::Result;

use super::Ctx;
use crate::cli::queue::MergeQueue;
use crate::failure::Exit;

/// Runs it.
///
/// # Errors
/// What the command could not do.
pub fn run(ctx: &Ctx, args: MergeQueue) -> Result<Exit> {
    let _ = (ctx, args);
    crate::fail!("not there yet")
}
