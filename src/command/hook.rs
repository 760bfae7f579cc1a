//! `gt hook`.

use anyhow::Result;

use super::{Ctx, print, print_json};
use crate::base::failure::{Exit, Failure};
use crate::cli::work::HookArgs;
use crate::model::address::Address;
use crate::report;
use crate::town::Town;
use crate::work::agent::hook;
use crate::work::observe::own;
use crate::work::remote::over_there::RemotePolecat;

/// Shows what is on a hook.
///
/// # Errors
/// An unknown address, or a store that cannot be read.
pub fn run(ctx: &Ctx, args: HookArgs) -> Result<Exit> {
    let address = match (args.address, args.shown) {
        (Some(word), shown) if ["show", "status"].contains(&word.as_str()) => shown,
        (_, Some(more)) => {
            return Err(Failure::usage(format!("'{more}' is one word too many"))
                .hint("gt hook [ADDRESS]")
                .into());
        }
        (address, None) => address,
    };
    let hook = match own_away(ctx, address.as_deref()) {
        Some(away) => away.hook()?,
        None => {
            let town = ctx.town()?;
            hook::hook(&town, &whose(ctx, &town, address.as_deref())?)?
        }
    };
    if ctx.global.json {
        print_json("hook", &hook)?;
    } else {
        print(&report::hook::hook(&hook))?;
    }
    Ok(Exit::Done)
}

/// A polecat that asks about itself on another machine, where its town is missing, or its store lacks the bead.
pub fn own_away(ctx: &Ctx, given: Option<&str>) -> Option<RemotePolecat> {
    let away = RemotePolecat::of(|name| ctx.var(name))?;
    if given.is_some_and(|text| text != away.address.to_string()) {
        return None;
    }
    let known = ctx.town().and_then(|town| hook::hook(&town, &away.address));
    known.map_or(true, |hook| hook.beads.is_empty()).then_some(away)
}

/// The address that is given, else whoever runs the command: an agent, the polecat whose worktree this is, the
/// Overseer.
///
/// # Errors
/// What is no address, or nobody's.
pub fn whose(ctx: &Ctx, town: &Town, given: Option<&str>) -> Result<Address> {
    match given {
        Some(text) => ctx.agent(town, text),
        None => Ok(own::who(town, &ctx.dir, &ctx.me()?)),
    }
}
