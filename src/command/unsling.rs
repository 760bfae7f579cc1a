//! `gt unsling`.

use anyhow::Result;

use super::{Ctx, print, print_json};
use crate::cli::work::Unsling;
use crate::config;
use crate::failure::{Exit, Failure, Failures};
use crate::town::{Rig, Town};
use crate::work::unsling::{Site, unsling};

/// Takes a bead back from its polecat.
///
/// # Errors
/// When nobody has it, or it cannot be taken back.
pub fn run(ctx: &Ctx, args: Unsling) -> Result<Exit> {
    let town = ctx.town()?;
    let rig = rig_of(ctx, &town, &args.bead)?;
    let sources = ctx.sources(&town, Some(&rig));
    let mux = ctx.mux(&config::settings(&sources)?)?;
    let store = rig.store(&ctx.me()?.address)?;
    let site = Site { town: &town, rig: &rig, sources, mux: mux.as_ref(), store };
    let unslung = unsling(&site, &args.bead, args.force, args.dry.dry_run)?;
    if ctx.global.json {
        print_json("unslung", &unslung)?;
        return Ok(Exit::Done);
    }
    let kept = unslung.kept.said();
    let would = if args.dry.dry_run { "would be " } else { "" };
    print(&format!("{}  {would}given back by {}{kept}\n", unslung.bead, unslung.from))?;
    unslung.notes.iter().for_each(|note| ctx.note(note));
    if let Some(why) = unslung.waits {
        ctx.note(&super::polecat::still_there(&unslung.from, &why));
    }
    Ok(Exit::Done)
}

/// The rig whose store keeps a bead, by its prefix.
///
/// # Errors
/// When no rig has the prefix.
pub fn rig_of(ctx: &Ctx, town: &Town, id: &str) -> Result<Rig> {
    let mut failures = Failures::default();
    let known = super::sling::known(ctx, town, None, &mut failures)?;
    let rig = known.prefixes.rigs(id).next();
    match rig {
        Some(rig) => town.rig(rig),
        None => {
            let none = Failure::new(format!("no bead {id}: no rig has a prefix that fits"))
                .hint("see the rigs and their prefixes with: gt rigs");
            failures.beside(Err(none.into()))
        }
    }
}
