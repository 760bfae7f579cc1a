//! `gt session`.

use anyhow::Result;

use super::{Ctx, roles, sling};
use crate::base::failure::{Exit, Failure};
use crate::base::terminal;
use crate::cli::DryRun;
use crate::cli::elsewhere::Elsewhere;
use crate::cli::roles::StartHow;
use crate::cli::sessions::{SessionArgs, SessionCommand};
use crate::cli::work::{Sling, SlingHow};
use crate::model::address::Address;
use crate::report::sessions;
use crate::work::observe::scene::Scene;
use crate::work::step;

/// Runs it.
///
/// # Errors
/// What the command could not do.
pub fn run(ctx: &Ctx, args: SessionArgs) -> Result<Exit> {
    match args.command {
        SessionCommand::List { rig } => list(ctx, rig.as_deref()),
        SessionCommand::Stop { address, dry } => {
            let address = ctx.agent(&ctx.town()?, &address)?;
            roles::stop_one(ctx, &address, dry.dry_run)
        }
        SessionCommand::Restart { address, elsewhere, dry } => {
            let address = ctx.agent(&ctx.town()?, &address)?;
            restart(ctx, &address, elsewhere, dry)
        }
    }
}

fn list(ctx: &Ctx, rig: Option<&str>) -> Result<Exit> {
    let mut sight = roles::Sight::take(ctx)?;
    sight.tell(ctx)?;
    if let Some(rig) = rig {
        sight.town.rig(rig)?;
    }
    let lines = sessions::lines(&sight.town.mark(), &sight.snapshot, rig);
    if ctx.global.json {
        super::print_json("sessions", &lines)?;
    } else {
        terminal::print(sessions::table(&lines, &ctx.screen()))?;
    }
    roles::say_unseen(ctx, &sight.snapshot, lines.is_empty())
}

/// Stops an agent and starts it again on the same work.
fn restart(ctx: &Ctx, address: &Address, elsewhere: Elsewhere, dry: DryRun) -> Result<Exit> {
    let dry_run = dry.dry_run;
    // What keeps it from starting again is said before anything stops.
    super::elsewhere::wish(&elsewhere, None, dry_run)?;
    let sight = roles::Sight::take(ctx)?;
    let bead =
        sight.known()?.of(&sight.town.mark(), &address.to_string()).map(|found| found.marks.bead.clone());
    let text = address.to_string();
    let stop = || roles::stop_quietly(ctx, &sight, |session| session.marks.address == text);
    let Address::Polecat(rig, name) = address else {
        roles::check_start(ctx, &sight, address, &elsewhere, dry_run)?;
        if dry_run && bead.is_some() {
            let plan = serde_json::json!({ "restart": address });
            return super::would(ctx, &plan, &format!("stop {address} and start it again"));
        }
        stop()?;
        step("restart.1");
        return roles::start(
            ctx,
            std::slice::from_ref(address),
            &StartHow { elsewhere, dry, ..StartHow::default() },
        );
    };
    let Some(bead) = bead
        .filter(|bead| !bead.is_empty())
        .map_or_else(|| held(ctx, &sight, rig, name), |bead| Ok(Some(bead.into())))?
    else {
        return Err(Failure::new(format!("{address} has no session to restart, and no work"))
            .hint(format!("give it a bead: gt sling BEAD {address}"))
            .into());
    };
    sling::check_restarts(ctx, &sight.town, rig, name, &bead)?;
    if dry_run {
        let plan = serde_json::json!({ "restart": address, "bead": bead });
        return super::would(ctx, &plan, &format!("stop {address} and start it again on {bead}"));
    }
    stop()?;
    step("restart.1");
    let how = SlingHow { resume: true, elsewhere, ..SlingHow::default() };
    sling::run(ctx, Sling { words: vec![bead, text], new: None, how })
}

/// The work of a polecat without a session: a restart that was killed goes on with it.
fn held(ctx: &Ctx, sight: &roles::Sight, rig: &str, name: &str) -> Result<Option<String>> {
    let rig = sight.town.rig(rig)?;
    let scene = Scene::look(&sight.town, &rig, sight.mux.as_ref(), ctx.sources(&sight.town, Some(&rig)))?;
    Ok(scene.bead_of(name).filter(|bead| !scene.is_submitted(bead)).map(|bead| bead.id.clone()))
}
