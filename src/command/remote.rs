//! `gt remote`: other machines where sessions can live.

use anyhow::Result;

use super::Ctx;
use crate::cli::remote::{RemoteArgs, RemoteCommand};
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
    }
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
        ctx.note("no remotes; write one in config/town.toml: [remotes.NAME] with fugue_addr = \"tcp://localhost:9999\"");
    }
    super::print(&remote::table(&lines, &ctx.screen()))?;
    Ok(Exit::Done)
}
