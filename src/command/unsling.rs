//! `gt unsling`.

use anyhow::Result;

use super::{Ctx, print, print_json};
use crate::base::failure::{Exit, Failures};
use crate::cli::work::Unsling;
use crate::town::Town;
use crate::work::polecat::unsling::{QUEUE, UnslingSite, Unslung, unsling};

/// Takes beads back from their polecats. What is wrong with one keeps no other from it.
///
/// # Errors
/// When nobody has one of them, or it cannot be taken back.
pub fn run(ctx: &Ctx, args: Unsling) -> Result<Exit> {
    let town = ctx.town()?;
    let mut failures = Failures::default();
    let done = |bead: &String| one(ctx, &town, bead, &args);
    let all: Vec<Unslung> = args.beads.iter().filter_map(|bead| failures.keep(done(bead))).collect();
    if ctx.global.json {
        // One bead is answered by itself, as ever.
        match (all.as_slice(), args.beads.len()) {
            ([], 1) => {}
            ([only], 1) => print_json("unslung", only)?,
            _ => print_json("unslung", &all)?,
        }
    }
    failures.end(|count| format!("{count} beads were not unassigned")).map(|()| Exit::Done)
}

fn one(ctx: &Ctx, town: &Town, bead: &str, args: &Unsling) -> Result<Unslung> {
    let rig = ctx.rig_of(town, bead)?;
    let sources = ctx.sources(town, Some(&rig));
    let mux = ctx.mux(town)?;
    let site = UnslingSite { town, rig: &rig, sources, mux: mux.as_ref() };
    let unslung = unsling(&site, bead, args.force, args.dry.dry_run)?;
    if ctx.global.json {
        return Ok(unslung);
    }
    let kept = unslung.kept.said();
    let would = if args.dry.dry_run { "would be " } else { "" };
    let from = if unslung.from == QUEUE { "taken out of" } else { "unassigned from" };
    print(&format!("{}  {would}{from} {}{kept}\n", unslung.bead, unslung.from))?;
    if unslung.kept.main.is_some() {
        ctx.note(&format!(
            "go on from them with: gt sling {0} --resume; begin anew: gt sling {0}",
            unslung.bead
        ));
    }
    unslung.notes.iter().for_each(|note| ctx.note(note));
    if let Some(why) = &unslung.waits {
        ctx.note(&super::polecat::still_there(&unslung.from, why));
    }
    Ok(unslung)
}
