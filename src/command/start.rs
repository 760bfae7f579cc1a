//! `gt start`: what `[up] roles` asks for; the Mayor when it asks for nothing.

use anyhow::Result;

use super::{Ctx, daemon, doctor_agents, pause, roles};
use crate::base::failure::Exit;
use crate::cli::roles::{StartArgs, StartHow};

/// Runs it.
///
/// # Errors
/// What the command could not do.
pub fn run(ctx: &Ctx, args: StartArgs) -> Result<Exit> {
    let town = ctx.town()?;
    let up = ctx.settings(&town, None)?.up;
    let wanted = crate::work::agent::roles::wanted(&town, &up)?;
    let dry = args.dry.dry_run;
    let begun = if dry {
        Ok(())
    } else {
        if ctx.is_person() {
            pause::end(ctx, &town)?;
        }
        daemon::also_start(ctx, &town, &up)
    };
    let started =
        roles::start(ctx, &wanted, &StartHow { preset: args.preset, dry: args.dry, ..StartHow::default() })?;
    if !dry {
        doctor_agents::point_for(ctx, &town, &wanted);
    }
    begun.map(|()| started)
}
