//! `gt unsling`.

use anyhow::Result;

use super::{Ctx, print, print_json};
use crate::base::failure::Exit;
use crate::cli::work::Unsling;
use crate::work::polecat::unsling::{UnslingSite, unsling};

/// Takes a bead back from its polecat.
///
/// # Errors
/// When nobody has it, or it cannot be taken back.
pub fn run(ctx: &Ctx, args: Unsling) -> Result<Exit> {
    let town = ctx.town()?;
    let rig = ctx.rig_of(&town, &args.bead)?;
    let sources = ctx.sources(&town, Some(&rig));
    let mux = ctx.mux(&town)?;
    let site = UnslingSite { town: &town, rig: &rig, sources, mux: mux.as_ref() };
    let unslung = unsling(&site, &args.bead, args.force, args.dry.dry_run)?;
    if ctx.global.json {
        print_json("unslung", &unslung)?;
        return Ok(Exit::Done);
    }
    let kept = unslung.kept.said();
    let would = if args.dry.dry_run { "would be " } else { "" };
    print(&format!("{}  {would}unassigned from {}{kept}\n", unslung.bead, unslung.from))?;
    if unslung.kept.main.is_some() {
        ctx.note(&format!(
            "go on from them with: gt sling {0} --resume; begin anew: gt sling {0}",
            unslung.bead
        ));
    }
    unslung.notes.iter().for_each(|note| ctx.note(note));
    if let Some(why) = unslung.waits {
        ctx.note(&super::polecat::still_there(&unslung.from, &why));
    }
    Ok(Exit::Done)
}
