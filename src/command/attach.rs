//! `gt attach`.

use anyhow::Result;

use super::{Ctx, roles};
use crate::cli::sessions::Attach;
use crate::failure::Exit;
use crate::work::who;

/// Runs it.
///
/// # Errors
/// What the command could not do.
pub fn run(ctx: &Ctx, args: Attach) -> Result<Exit> {
    let sight = roles::Sight::take(ctx)?;
    let address = who::resolve(&sight.town, &args.address)?;
    roles::attach(ctx, &sight, &address)
}
