//! `gt stop`: ends sessions of this town, and nothing else; work stays where it is.

use anyhow::Result;

use super::{Ctx, pause, roles};
use crate::base::failure::Exit;
use crate::cli::sessions::Stop;
use crate::town::deacon;

/// Runs it.
///
/// # Errors
/// What the command could not do.
pub fn run(ctx: &Ctx, args: Stop) -> Result<Exit> {
    let sight = roles::Sight::take(ctx)?;
    let rig = args.rig.map(|name| sight.town.rig(&name)).transpose()?;
    // Before: what a deacon sees end must not bring the next.
    if !args.dry.dry_run && deacon::runs(&sight.town.root) {
        pause::hold(ctx, &sight.town, rig.as_ref().map(|rig| rig.name.as_str()))?;
    }
    roles::stop(ctx, &sight, args.dry.dry_run, |session| match &rig {
        None => true,
        Some(rig) => session.marks.agent().is_some_and(|own| own.rig() == Some(&rig.name)),
    })
}
