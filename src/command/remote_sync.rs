//! `gt remote sync`.

use anyhow::{Context, Result};
use serde::Serialize;

use super::Ctx;
use crate::base::failure::{Exit, Failure, Failures};
use crate::config;
use crate::report::home;
use crate::town::{Rig, Town, away};
use crate::work::observe::scene::Scene;
use crate::work::remote::arrived::{Adopt, Arrived, CollectJob, RecordState};
use crate::work::remote::going::{self, Gone};
use crate::work::remote::home::{collect, is_hybrid};

/// What one rig's sync came to; of roles that belong to none when it has no name.
#[derive(Debug, Default, Serialize)]
struct Synced {
    rig: String,
    letters: Vec<Arrived>,
    /// Those that were to be ended over there.
    ended: Vec<Gone>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Brings home what was done elsewhere.
///
/// # Errors
/// When a rig's origin or store could not be read or written; the other rigs are done all the same.
pub fn run(ctx: &Ctx, rig: Option<&str>, adopt: &Adopt, dry: bool) -> Result<Exit> {
    let town = ctx.town()?;
    let mut failures = Failures::default();
    let rigs: Vec<Rig> = match rig {
        Some(_) => vec![ctx.rig(&town, rig)?],
        None => {
            // Without it nothing tells whose the letters are.
            away::read(&town)?;
            let rigs = town.rigs(&mut failures)?;
            let hybrid = |rig: &Rig| is_hybrid(&town, rig).with_context(|| rig.name.clone());
            rigs.into_iter().filter(|rig| failures.keep(hybrid(rig)).unwrap_or(false)).collect()
        }
    };
    if rigs.is_empty() && failures.is_empty() {
        ctx.note("no rig has polecats on other machines");
    }
    let mut synced = Vec::new();
    for rig in &rigs {
        let mut one = Synced { rig: rig.name.clone(), ..Synced::default() };
        let error = match sync(ctx, &town, rig, adopt, dry) {
            Ok((letters, ended)) => {
                (one.letters, one.ended) = (letters, ended);
                failed(&one.letters)
            }
            Err(error) => Some(error),
        };
        if let Some(error) = error {
            one.error = Some(format!("{error:#}"));
            let several = rigs.len() > 1;
            failures.keep::<()>(Err(if several { error.context(rig.name.clone()) } else { error }));
        }
        synced.push(one);
    }
    let ended = failures.keep(roles(ctx, &town, dry)).unwrap_or_default();
    if !ended.is_empty() {
        synced.push(Synced { ended, ..Synced::default() });
    }
    if ctx.global.json {
        super::print_json("synced", &synced)?;
    } else {
        for one in &synced {
            super::print(&(home::text(&one.letters, dry) + &home::gone(&one.ended, dry)))?;
            if one.letters.is_empty() && one.ended.is_empty() && one.error.is_none() {
                ctx.note(&format!("{}: nothing was handed in", one.rig));
            }
        }
    }
    failures.end(|_| "not everything could be brought home".into()).map(|()| Exit::Done)
}

/// Letters that could not be taken in, as an error.
fn failed(letters: &[Arrived]) -> Option<anyhow::Error> {
    let failed: Vec<&Arrived> = letters.iter().filter(|one| one.state == RecordState::Failed).collect();
    let first = failed.first()?;
    let more = if failed.len() > 1 { format!(", and {} more", failed.len() - 1) } else { String::new() };
    let what = format!(
        "what {} handed in for {} could not be taken in: {}{more}",
        first.worker, first.bead, first.why
    );
    Some(Failure::new(what).hint("nothing is lost; try again: gt remote sync").into())
}

fn sync(ctx: &Ctx, town: &Town, rig: &Rig, adopt: &Adopt, dry: bool) -> Result<(Vec<Arrived>, Vec<Gone>)> {
    let target = config::target(&ctx.settings(town, Some(rig))?);
    let letters = collect(&CollectJob { town, rig, target: &target, adopt: adopt.clone() }, dry)?;
    let records = away::read(town)?;
    if going::polecats(&records, &rig.name).next().is_none() {
        return Ok((letters, Vec::new()));
    }
    if dry {
        return Ok((letters, going::planned(&records, &rig.name)));
    }
    let mux = ctx.mux(town)?;
    let scene = Scene::look(town, rig, mux.as_ref(), ctx.sources(town, Some(rig)))?;
    Ok((letters, going::end_polecats(&scene)))
}

/// What other commands take in on their way, when polecats of the rig are elsewhere. What is wrong is said, and stops
/// nothing: `false`.
pub fn bring(ctx: &Ctx, town: &Town, rig: &Rig, target: &str) -> bool {
    match collect(&CollectJob { town, rig, target, adopt: Adopt::None }, false) {
        Ok(letters) => {
            let taken: Vec<Arrived> =
                letters.into_iter().filter(|one| one.state != RecordState::Foreign).collect();
            home::text(&taken, false).lines().for_each(|line| ctx.note(line));
            failed(&taken).is_none()
        }
        Err(error) => {
            ctx.note(&format!("what was handed in elsewhere waits: {error:#}"));
            false
        }
    }
}

/// Sessions of roles that are to be ended elsewhere.
fn roles(ctx: &Ctx, town: &Town, dry: bool) -> Result<Vec<Gone>> {
    if dry || !going::has_roles(&away::read(town)?) {
        return Ok(Vec::new());
    }
    let mux = ctx.mux(town)?;
    going::end_roles(town, mux.as_ref(), &mux.look()?)
}
