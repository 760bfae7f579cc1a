//! A store of beads that is gone or damaged. Nothing of it is overwritten: a damaged one is moved aside when a person asks
//! for that, and one that is gone is restored, or left as it is.

use std::path::Path;

use anyhow::Result;

use super::{Visit, why};
use crate::base::files;
use crate::base::quote::quote;
use crate::beads::{self, embedded};
use crate::model::rules;
use crate::plan::doctor::{CheckStatus, Finding};
use crate::town::Rig;
use crate::work::setup::restore::{Lost, RestoreReport, restore};
use crate::work::setup::rig as rigs;

/// Repairs a store that failed its check, when that is asked for and possible.
pub fn treat(visit: &Visit<'_>, rig: Option<&Rig>, mut finding: Finding) -> Finding {
    let damaged = !finding.fixable;
    if finding.status != CheckStatus::Fail || !visit.fix || (damaged && !visit.set_aside_stores) {
        return finding;
    }
    let whose = if rig.is_some() { "Rig" } else { "Town" };
    match mend(visit, rig, damaged) {
        Ok(None) => finding.status = CheckStatus::Fixed,
        Ok(Some(restored)) => {
            finding.message = format!("{whose} beads {}{}", restored.line(), restored.beside());
            match restored.lacks() {
                None => finding.status = CheckStatus::Fixed,
                Some(lacks) => {
                    finding.message = format!("{}; {lacks}", finding.message);
                    finding.hint = Some("look for them, then take them in: gt bd import FILE; or bring the store in step: gt sync".into());
                }
            }
            finding.fixable = false;
        }
        Err(error) => finding.hint = Some(why(&error)),
    }
    finding
}

/// `None`: only the link to the store was missing.
fn mend(visit: &Visit<'_>, rig: Option<&Rig>, damaged: bool) -> Result<Option<RestoreReport>> {
    // The town's lock is taken for the town's own checks already.
    let _turn = rig.map(|_| visit.town.lock()).transpose()?;
    let dir = rig.map_or_else(|| visit.town.beads_dir(), Rig::beads_dir);
    if damaged {
        if !beads::kind_of(&dir).is_ok_and(|kind| kind == beads::StoreKind::Embedded) {
            crate::fail!("{} was made by bd", dir.display(); "look at it with: bd doctor");
        }
        embedded::set_aside(&dir)?;
    }
    let mut prefix = visit.prefix.clone();
    if let Some(rig) = rig {
        if link_is_enough(rig)? {
            return Ok(None);
        }
        prefix = match rig.config.beads.prefix.as_str() {
            "" => rules::prefix_for(&rig.name, &rigs::prefixes(&visit.town, &visit.prefix, false)?),
            own => own.into(),
        };
    }
    let mark = visit.town.mark();
    let sessions = visit.sessions.ours(&mark).map(|session| session.marks.bead.to_string()).collect();
    let (town, choice, empty) = (&visit.town, visit.store, visit.empty_stores);
    restore(&Lost { town, rig, prefix: &prefix, choice, sessions, empty }).map(Some)
}

/// Brings the link back where the store itself is there.
fn link_is_enough(rig: &Rig) -> Result<bool> {
    let (link, inside) = (rig.beads_dir(), rig.clone_dir().join(".beads"));
    let own = Path::new("mayor/rig/.beads");
    if link.is_symlink() && !link.exists() && std::fs::read_link(&link).is_ok_and(|to| to != own) {
        crate::fail!(
            "{} leads elsewhere, to nothing", link.display();
            "if the store there is not wanted any more: rm {}", quote(&link.to_string_lossy())
        );
    }
    if !rig.clone_dir().is_dir() {
        crate::fail!("the Mayor's clone comes first"; "look again with: gt doctor --fix");
    }
    if link.symlink_metadata().is_ok() || beads::kind_of(&inside).is_err() {
        return Ok(false);
    }
    std::os::unix::fs::symlink(own, &link)
        .map_err(|error| files::error_of(error, format!("cannot make {}", link.display())))?;
    Ok(true)
}
