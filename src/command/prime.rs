//! `gt prime`.

use anyhow::Result;

use super::{Ctx, print, print_json};
use crate::base::failure::Exit;
use crate::cli::work::PrimeArgs;
use crate::report;
use crate::work::agent::event::Event;
use crate::work::agent::hook::prime;

/// Prints everything an agent needs to begin.
///
/// # Errors
/// An unknown address, a store that cannot be read, or a prompt of the town with an unknown placeholder.
pub fn run(ctx: &Ctx, args: PrimeArgs) -> Result<Exit> {
    let compacted = || {
        let payload = super::hook_event::payload().ok();
        payload.and_then(|text| Event::read(&text)).is_some_and(|event| event.compacted)
    };
    let brief = args.hook && compacted() || args.brief;
    let given = args.address.as_deref();
    let prime = match super::hook::own_away(ctx, given) {
        Some(away) => away.prime()?,
        None => {
            let town = ctx.town()?;
            prime(&town, &super::hook::whose(ctx, &town, given)?)?
        }
    };
    if ctx.global.json {
        print_json("prime", &prime)?;
    } else {
        print(&report::hook::prime(&prime, brief))?;
    }
    Ok(Exit::Done)
}
