//! `gt start`: the deacon, and what `[up] roles` asks for.

use anyhow::Result;

use super::{Ctx, daemon, doctor_agents, pause, roles};
use crate::base::failure::{Exit, Failures};
use crate::cli::roles::{StartArgs, StartHow};
use crate::model::address::Address;
use crate::town::Town;
use crate::work::agent::handoff;
use crate::work::polecat::names;

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
        if ctx.is_person() && pause::end(ctx, &town)? {
            go_on(ctx, &town)?;
        }
        daemon::also_start(ctx, &town, &up)
    };
    if wanted.is_empty() {
        ctx.note("up.roles is empty: no agent is started; the Mayor starts with: gt mayor start");
        return begun.map(|()| Exit::Done);
    }
    let started =
        roles::start(ctx, &wanted, &StartHow { preset: args.preset, dry: args.dry, ..StartHow::default() })?;
    if !dry {
        doctor_agents::point_for(ctx, &town, &wanted);
    }
    begun.map(|()| started)
}

/// The polecats that were stopped with the town are started again by themselves.
fn go_on(ctx: &Ctx, town: &Town) -> Result<()> {
    let mut failures = Failures::default();
    for rig in ctx.rigs(town, None, &mut failures)? {
        for name in names::taken(&rig)?.into_keys() {
            failures.keep(handoff::not_stopped(town, &Address::Polecat(rig.name.clone(), name)));
        }
    }
    failures.end(|count| format!("{count} polecats stay stopped"))
}
