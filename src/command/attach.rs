//! `gt attach`.

use anyhow::Result;

use super::{Ctx, roles};
use crate::base::failure::Exit;
use crate::cli::sessions::Attach;

/// Runs it.
///
/// # Errors
/// What the command could not do.
pub fn run(ctx: &Ctx, args: Attach) -> Result<Exit> {
    let sight = roles::Sight::take(ctx)?;
    let address = ctx.agent(&sight.town, &args.address)?;
    roles::attach(ctx, &sight, &address)
}
