//! `gt queue`: both halves of the queue, what is to be started and what is to be merged.

use anyhow::Result;
use serde_json::json;

use super::{Ctx, print_json};
use crate::base::failure::{Exit, Failures};
use crate::base::terminal::{self, Text};
use crate::base::time;
use crate::cli::work::QueueArgs;
use crate::mux::Depth;
use crate::report;
use crate::work::merge::queue;
use crate::work::observe::survey;

/// Shows what waits, and why.
///
/// # Errors
/// Rigs that cannot be read; the others are shown all the same.
pub fn run(ctx: &Ctx, args: &QueueArgs) -> Result<Exit> {
    let town = ctx.town()?;
    let only = args.rig.as_deref().map(|rig| ctx.rig(&town, Some(rig))).transpose()?.map(|rig| rig.name);
    let (sources, me, mux) = (ctx.sources(&town, None), ctx.me()?.address, ctx.mux(&town)?);
    let looking = mux.begin_look(Depth::Marks)?;
    let view = survey::town(&town, &sources, &me, mux.as_ref(), looking, only.as_deref())?;
    let mut failures = Failures::default();
    let (mut rows, mut text, now) = (Vec::new(), Text::default(), time::now());
    for rig in &view.rigs {
        let Some((requests, _)) = failures.keep(town.rig(&rig.name).and_then(|own| queue::list(&own, &me)))
        else {
            continue;
        };
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
