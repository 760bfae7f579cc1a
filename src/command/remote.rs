//! `gt remote`: other machines where sessions can live.

use std::collections::BTreeMap;

use anyhow::Result;

use super::{Ctx, remote_tunnel};
use crate::cli::remote::{RemoteArgs, RemoteCommand};
use crate::config::schema::Remote;
use crate::config::{self, env, fugue};
use crate::failure::Exit;
use crate::report::remote::{self, Line};

/// Runs it.
///
/// # Errors
/// What the command could not do.
pub fn run(ctx: &Ctx, args: RemoteArgs) -> Result<Exit> {
    match args.command {
        RemoteCommand::List => list(ctx),
        RemoteCommand::Tunnel(args) => remote_tunnel::run(ctx, args.command),
    }
}

/// What is said where no remote is configured.
pub(super) const NONE: &str =
    "no remotes; write one in config/town.toml: [remotes.NAME] with fugue_addr = \"tcp://localhost:9999\"";

/// The remotes of the settings: the town's, and outside one just the person's own.
///
/// # Errors
/// Broken configuration.
pub(super) fn configured(ctx: &Ctx) -> Result<BTreeMap<String, Remote>> {
    Ok(config::settings(&super::config::sources(ctx, None)?)?.remotes)
}

fn list(ctx: &Ctx) -> Result<Exit> {
    let town = ctx.town()?;
    let sources = ctx.sources(&town, None);
    let settings = config::settings(&sources)?;
    let mut lines: Vec<Line> = settings.remotes.iter().map(|(name, remote)| Line::of(name, remote)).collect();
    if let Some((variable, address)) = env::fugue_addr(&sources) {
        fugue::parse(address)?;
        if !lines.iter().any(|line| line.fugue_addr == address) {
            lines.push(Line::unnamed(address, variable));
        }
    }
    if ctx.global.json {
        super::print_json("remotes", &lines)?;
        return Ok(Exit::Done);
    }
    if lines.is_empty() {
        ctx.note(NONE);
    }
    super::print(&remote::table(&lines, &ctx.screen()))?;
    Ok(Exit::Done)
}
