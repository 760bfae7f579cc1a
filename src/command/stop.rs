//! `gt stop`: ends sessions of this town, and nothing else; work stays where it is.

use anyhow::Result;

use super::{Ctx, roles};
use crate::base::failure::Exit;
use crate::cli::sessions::Stop;

/// Runs it.
///
/// # Errors
/// What the command could not do.
pub fn run(ctx: &Ctx, args: Stop) -> Result<Exit> {
    let sight = roles::Sight::take(ctx)?;
    let rig = args.rig.map(|name| sight.town.rig(&name)).transpose()?;
    roles::stop(ctx, &sight, args.dry.dry_run, |session| match &rig {
        None => true,
        Some(rig) => session.marks.agent().is_some_and(|own| own.rig() == Some(&rig.name)),
    })
}
