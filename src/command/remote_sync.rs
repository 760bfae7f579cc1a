//! `gt remote sync`.

use anyhow::Result;
use serde::Serialize;

use super::Ctx;
use crate::config;
use crate::failure::{Exit, Failure};
use crate::report::home;
use crate::town::{Rig, Town};
use crate::work::remote::home::{Arrived, Job, collect, is_hybrid};

/// What one rig's sync came to.
#[derive(Debug, Default, Serialize)]
struct Synced {
    rig: String,
    letters: Vec<Arrived>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Brings home what was done elsewhere.
///
/// # Errors
/// When a rig's origin or store could not be read or written; the other rigs are done all the same.
pub fn run(ctx: &Ctx, rig: Option<&str>, adopt: bool, dry: bool) -> Result<Exit> {
    let town = ctx.town()?;
    let rigs = match rig {
        Some(_) => vec![ctx.rig(&town, rig)?],
        None => hybrid(&town)?,
    };
    if rigs.is_empty() {
        ctx.note("no rig has polecats on other machines");
    }
    let mut synced = Vec::new();
    let mut wrong = None;
    for rig in &rigs {
        let mut one = Synced { rig: rig.name.clone(), ..Synced::default() };
        match sync(ctx, &town, rig, adopt, dry) {
            Ok(letters) => one.letters = letters,
            Err(error) => {
                one.error = Some(format!("{error:#}"));
                wrong = wrong.or(Some(error));
            }
        }
        synced.push(one);
    }
    if ctx.global.json {
        super::print_json("synced", &synced)?;
    } else {
        for one in &synced {
            super::print(&home::text(&one.letters, dry))?;
            if one.letters.is_empty() && one.error.is_none() {
                ctx.note(&format!("{}: nothing was handed in", one.rig));
            }
        }
    }
    match wrong {
        None => Ok(Exit::Done),
        Some(error) if rigs.len() == 1 => Err(error),
        Some(_) => {
            let said = |one: &Synced| Some(format!("\n  {}: {}", one.rig, one.error.as_ref()?));
            let list: String = synced.iter().filter_map(said).collect();
            Err(Failure::new(format!("not every rig could be brought home:{list}"))
                .hint("run the same command again when that is mended: gt remote sync")
                .into())
        }
    }
}

/// The rigs that have polecats elsewhere.
fn hybrid(town: &Town) -> Result<Vec<Rig>> {
    let mut rigs = Vec::new();
    for rig in town.rigs()? {
        if is_hybrid(town, &rig)? {
            rigs.push(rig);
        }
    }
    Ok(rigs)
}

fn sync(ctx: &Ctx, town: &Town, rig: &Rig, adopt: bool, dry: bool) -> Result<Vec<Arrived>> {
    let target = config::target(&config::settings(&ctx.sources(town, Some(rig)))?);
    collect(&Job { town, rig, target: &target, adopt }, dry)
}
