//! `gt witness patrol`, and what the end of a session runs.

use anyhow::Result;

use super::{Ctx, remote_sync};
use crate::base::failure::{Exit, Failure, Failures};
use crate::cli::sessions::SessionEnded;
use crate::model::address::Address;
use crate::plan::patrol::Move;
use crate::town::{Rig, Town, deacon};
use crate::work::observe::scene::Scene;
use crate::work::polecat::names;
use crate::work::polecat::patrol::{self, PatrolFinding};

/// Looks after a rig's polecats once.
///
/// # Errors
/// When something could not be looked at, or an end could not be completed.
pub fn run(ctx: &Ctx, rig: Option<&str>, dry: bool) -> Result<Exit> {
    let town = ctx.town()?;
    let rig = ctx.rig(&town, rig)?;
    let (findings, failures) = look_after(ctx, &town, &rig, None, dry)?;
    if ctx.global.json {
        super::print_json("patrol", &findings)?;
        return ended(&rig, failures);
    }
    for finding in findings.iter().filter(|finding| finding.decision != Move::Leave || !ctx.global.quiet) {
        let kept = finding.recovery.as_ref().map_or(String::new(), |name| format!("; kept under {name}"));
        let would = if dry { "would " } else { "" };
        super::print(&format!("{}: {would}{}{kept}\n", finding.address, finding.done))?;
    }
    if findings.is_empty() {
        ctx.note(&format!("no polecats in {}", rig.name));
    }
    ended(&rig, failures)
}

fn ended(rig: &Rig, failures: Failures) -> Result<Exit> {
    let name = &rig.name;
    failures.end(|count| format!("{count} things failed in the patrol of {name}")).map(|()| Exit::Done)
}

/// The end of a session: a patrol over that one instance. Whoever has the name by now is left alone.
///
/// # Errors
/// As [`run`].
pub fn session_ended(ctx: &Ctx, args: &SessionEnded) -> Result<Exit> {
    let town = ctx.town()?;
    if !args.now && deacon::poke(&town.root) {
        return Ok(Exit::Done);
    }
    if let Address::Polecat(rig, name) = Address::parse(&args.address)? {
        let rig = town.rig(&rig)?;
        // Ended and forgotten before, or another's by now: nothing to look at.
        if names::holder(&rig, &name).as_ref() == Some(&args.instance) {
            let (_, failures) = look_after(ctx, &town, &rig, Some((&name, &args.instance)), false)?;
            return ended(&rig, failures);
        }
    }
    Ok(Exit::Done)
}

fn look_after(
    ctx: &Ctx,
    town: &Town,
    rig: &Rig,
    only: Option<(&str, &str)>,
    dry: bool,
) -> Result<(Vec<PatrolFinding>, Failures)> {
    let (mux, sources) = (ctx.mux(town)?, ctx.sources(town, Some(rig)));
    // The end of one session here is no occasion to ask origin what was done elsewhere.
    let scene = if dry || only.is_some() {
        Scene::look(town, rig, mux.as_ref(), sources)?
    } else {
        let bring = |target: &str| remote_sync::bring(ctx, town, rig, target);
        Scene::look_and(town, rig, mux.as_ref(), sources, Address::Witness, bring)?
    };
    let (findings, mut failures) = patrol::patrol(&scene, only, dry)?;
    // The end of one session here is about none elsewhere.
    if only.is_none()
        && let Some(why) = scene.elsewhere_unknown()
    {
        let unknown = Failure::new(format!("polecats on other machines are not known: {why}"));
        failures.keep::<()>(Err(unknown.hint("mend it by hand; until then they are left alone").into()));
    }
    if only.is_none() {
        scene.seen().away.silent_daemons().for_each(|line| ctx.note(&line));
    }
    if !dry {
        ctx.keep_exports(town, Some(rig));
    }
    Ok((findings, failures))
}
