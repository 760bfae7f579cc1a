//! `gt queue`: both halves of the queue, what is to be started and what is to be merged.

use anyhow::Result;
use serde_json::json;

use super::{Ctx, print_json};
use crate::base::failure::{Exit, Failures};
use crate::base::terminal::{self, Text};
use crate::base::time;
use crate::cli::work::QueueArgs;
use crate::report;
use crate::work::merge::queue;
use crate::work::observe::look::Beside;

/// Shows what waits, and why.
///
/// # Errors
/// Rigs that cannot be read; the others are shown all the same.
pub fn run(ctx: &Ctx, args: &QueueArgs) -> Result<Exit> {
    let town = ctx.town()?;
    let only = args.rig.as_deref().map(|rig| ctx.rig(&town, Some(rig))).transpose()?.map(|rig| rig.name);
    let (me, mux) = (ctx.me()?.address, ctx.mux(&town)?);
    let view = ctx.look(&town, mux.as_ref())?.town(Beside::Queue, only.as_deref())?;
    let mut failures = Failures::default();
    let (mut rows, mut text, now) = (Vec::new(), Text::default(), time::now());
    for rig in &view.rigs {
        // Why it could not be read, and what helps, is said by reading it again.
        let again = || town.rig(&rig.name).and_then(|own| Ok(queue::list(&own, &me)?.0));
        let Some(requests) = failures.keep(rig.to_merge.clone().map_or_else(again, Ok)) else { continue };
        text.push(report::queue::both(rig, &requests, &now));
        rows.push(json!({ "rig": rig.name, "to_start": rig.to_start, "to_merge": requests }));
    }
    if ctx.global.json {
        print_json("queue", &rows)?;
    } else {
        terminal::print(text)?;
    }
    super::of_rigs(failures)
}
