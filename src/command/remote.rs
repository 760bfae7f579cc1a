//! `gt remote`: other machines where sessions can live.

use anyhow::Result;

use super::{Ctx, remote_sync, remote_tunnel};
use crate::base::failure::{Exit, Failure};
use crate::base::terminal;
use crate::cli::remote::{RemoteArgs, RemoteCommand};
use crate::command::layers::NO_REMOTES;
use crate::report::remote;
use crate::work::remote::arrived::Adopt;
use crate::work::remote::{known, waiting};

/// Runs it.
///
/// # Errors
/// What the command could not do.
pub fn run(ctx: &Ctx, args: RemoteArgs) -> Result<Exit> {
    match args.command {
        RemoteCommand::List => list(ctx),
        RemoteCommand::Status { name } => status(ctx, name.as_deref()),
        RemoteCommand::Sync { rig, adopt, dry } => {
            let adopt = match adopt.as_deref() {
                None => Adopt::None,
                Some("") => Adopt::All,
                Some(id) => Adopt::One(id.into()),
            };
            remote_sync::run(ctx, rig.as_deref(), &adopt, dry.dry_run)
        }
        RemoteCommand::Tunnel(args) => remote_tunnel::run(ctx, args.command),
    }
}

fn list(ctx: &Ctx) -> Result<Exit> {
    let town = ctx.town()?;
    let sources = ctx.sources(&town, None);
    let lines = known::all(&town, &sources, &ctx.settings(&town, None)?)?;
    if ctx.global.json {
        super::print_json("remotes", &lines)?;
        return Ok(Exit::Done);
    }
    if lines.is_empty() {
        ctx.note(NO_REMOTES);
    }
    terminal::print(remote::table(&lines, &ctx.screen()))?;
    for rig in town.rig_names()?.iter().filter_map(|name| town.read_rig(name).ok()) {
        for one in waiting::read(&rig).unwrap_or_default() {
            ctx.note(&format!("{}: {}", rig.name, one.line(&rig.name)));
        }
    }
    Ok(Exit::Done)
}

fn status(ctx: &Ctx, name: Option<&str>) -> Result<Exit> {
    let town = ctx.town()?;
    let sources = ctx.sources(&town, None);
    let settings = ctx.settings(&town, None)?;
    let mut lines = known::all(&town, &sources, &settings)?;
    if let Some(name) = name {
        let names: Vec<String> = lines.iter().map(|line| line.name.clone()).collect();
        lines.retain(|line| line.name == name || line.fugue_addr == name);
        if lines.is_empty() {
            let hint =
                if names.is_empty() { NO_REMOTES.into() } else { format!("there is: {}", names.join(", ")) };
            return Err(Failure::usage(format!("no remote named '{name}'")).hint(hint).into());
        }
    }
    let mut asked = known::ask(&town, &settings.fugue, lines)?;
    let home = remote_tunnel::home(ctx)?;
    for one in &mut asked {
        if let Some(remote) = settings.remotes.get(&one.line.name).filter(|remote| remote.ssh.is_some()) {
            one.tunnel = Some(remote_tunnel::line(&home, &one.line.name, remote)?);
        }
    }
    if ctx.global.json {
        super::print_json("remotes", &asked)?;
        return Ok(Exit::Done);
    }
    if asked.is_empty() {
        ctx.note(NO_REMOTES);
    }
    terminal::print(remote::status(&asked, &ctx.screen()))?;
    Ok(Exit::Done)
}
