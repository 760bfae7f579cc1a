//! `gt hook`.

use anyhow::Result;

use super::{Ctx, print, print_json};
use crate::address::Address;
use crate::cli::work::Hook;
use crate::failure::Exit;
use crate::report;
use crate::town::Town;
use crate::work::{hook, own, who};

/// Shows what is on a hook.
///
/// # Errors
/// An unknown address, or a store that cannot be read.
pub fn run(ctx: &Ctx, args: Hook) -> Result<Exit> {
    let town = ctx.town()?;
    let hook = hook::hook(&town, &whose(ctx, &town, args.address.as_deref())?)?;
    if ctx.global.json {
        print_json("hook", &hook)?;
    } else {
        print(&report::hook::hook(&hook))?;
    }
    Ok(Exit::Done)
}

/// The address that is given, else whoever runs the command: an agent, the polecat whose worktree this is, the
/// Overseer.
///
/// # Errors
/// What is no address, or nobody's.
pub fn whose(ctx: &Ctx, town: &Town, given: Option<&str>) -> Result<Address> {
    match given {
        Some(text) => who::resolve(town, text),
        None => Ok(own::who(town, &ctx.dir, &ctx.me()?)),
    }
}
