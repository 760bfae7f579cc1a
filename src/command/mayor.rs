//! `gt mayor`.

use anyhow::Result;

use super::{Ctx, roles};
use crate::base::failure::Exit;
use crate::cli::roles::{Mayor, MayorCommand, StartHow};
use crate::model::address::Address;

/// Runs it.
///
/// # Errors
/// What the command could not do.
pub fn run(ctx: &Ctx, args: Mayor) -> Result<Exit> {
    match args.command {
        MayorCommand::Start(how) => roles::start(ctx, &[Address::Mayor], &how),
        MayorCommand::Attach(how) => attach(ctx, &how),
        MayorCommand::Stop(dry) => roles::stop_one(ctx, &Address::Mayor, dry.dry_run),
        MayorCommand::Status => {
            let sight = roles::Sight::take(ctx)?;
            roles::show(ctx, "mayor", &roles::status(&sight, &Address::Mayor))
        }
    }
}

/// Goes to the Mayor, who is started first when no session of his runs.
fn attach(ctx: &Ctx, how: &StartHow) -> Result<Exit> {
    let sight = roles::Sight::take(ctx)?;
    let runs = sight.of(&Address::Mayor).iter().any(|session| session.alive());
    if runs && !how.dry.dry_run {
        return roles::attach(ctx, &sight, &Address::Mayor);
    }
    roles::start(ctx, &[Address::Mayor], how)?;
    if how.dry.dry_run || sight.snapshot.minimal.is_some() {
        return Ok(Exit::Done);
    }
    roles::attach(ctx, &roles::Sight::take(ctx)?, &Address::Mayor)
}
