//! `gt config`: the settings that count, who said them, and the files they come from.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::json;

use super::{Ctx, print, print_json};
use crate::address::Role;
use crate::cli::town::{ConfigArgs, ConfigCommand};
use crate::config::explain::{self, explain};
use crate::config::{self, Origin, Settings, Sources};
use crate::failure::Exit;
use crate::report;
use crate::town::discover::locate;

/// Runs it.
///
/// # Errors
/// A broken file, or a key that is not known.
pub fn run(ctx: &Ctx, args: ConfigArgs) -> Result<Exit> {
    match args.command {
        ConfigCommand::Show { origin, rig } => show(ctx, origin, rig.as_deref())?,
        ConfigCommand::Explain { key, rig } => explain_key(ctx, &key, rig.as_deref())?,
        ConfigCommand::Path { rig } => path(ctx, rig.as_deref())?,
    }
    Ok(Exit::Done)
}

fn show(ctx: &Ctx, origin: bool, rig: Option<&str>) -> Result<()> {
    let sources = sources(ctx, rig)?;
    let stack = config::settings_stack(&sources)?;
    let settings: Settings = stack.extract()?;
    let values = explain(&stack, "", home(ctx).as_deref());
    match (ctx.global.json, origin) {
        (true, true) => print_json("settings", &values),
        (true, false) => print_json("settings", &settings),
        (false, _) => print(&report::config::values(&values, origin)),
    }
}

fn explain_key(ctx: &Ctx, key: &str, rig: Option<&str>) -> Result<()> {
    // What a rig's config.json says of its polecats is a key of theirs.
    if ["max_workers", "worker_spawn_delay"].contains(&key) {
        return super::preset::explain_role(ctx, &format!("polecat.{key}"), rig, None, &[]);
    }
    if Role::parse(key.split('.').next().unwrap_or_default()).is_some() {
        return super::preset::explain_role(ctx, key, rig, None, &[]);
    }
    let sources = sources(ctx, rig)?;
    let stack = config::settings_stack(&sources)?;
    let settings: Settings = stack.extract()?;
    let mut values = explain(&stack, key, home(ctx).as_deref());
    if values.is_empty() {
        values = explain::unsaid(
            &settings,
            &["tmux.socket", "fugue.program", "merge.target", "merge.test_command"],
            key,
        )?;
    }
    if ctx.global.json { print_json("explain", &values) } else { print(&report::config::explained(&values)) }
}

fn path(ctx: &Ctx, rig: Option<&str>) -> Result<()> {
    let sources = sources(ctx, rig)?;
    let home = home(ctx);
    let mut files = vec![json!({ "path": "built-in settings.toml", "exists": true })];
    for path in sources.settings_files() {
        let shown = Origin::File(path.clone()).shown(home.as_deref());
        files.push(json!({ "path": shown, "exists": path.exists() }));
    }
    if ctx.global.json {
        return print_json("files", &files);
    }
    let line = |file: &serde_json::Value| {
        let absent = if file["exists"] == true { "" } else { "  (absent)" };
        format!("{}{absent}\n", file["path"].as_str().unwrap_or_default())
    };
    print(&files.iter().map(line).collect::<String>())
}

/// Where configuration is looked for: the rig that is named or that this folder is in, the town, and outside a town
/// just the person's own files.
pub(super) fn sources(ctx: &Ctx, rig: Option<&str>) -> Result<Sources> {
    let town = match ctx.town() {
        Ok(town) => town,
        // Elsewhere is a fine place to look at one's own settings; a broken town is not.
        Err(_) if rig.is_none() && nowhere(ctx) => return Ok(Sources::from_env(&ctx.env)),
        Err(error) => return Err(error),
    };
    let here = ctx.var("GT_RIG").map(str::to_string).or_else(|| ctx.rig_here(&town));
    let rig = match rig.or(here.as_deref()) {
        Some(name) => Some(ctx.rig(&town, Some(name))?),
        None => None,
    };
    Ok(ctx.sources(&town, rig.as_ref()))
}

/// Whether this folder is in no town, and nobody named one.
fn nowhere(ctx: &Ctx) -> bool {
    ctx.var("GT_TOWN_ROOT").is_none() && ctx.dir.is_dir() && locate(&ctx.dir).is_err()
}

/// The person's home, shown as `~`.
pub(super) fn home(ctx: &Ctx) -> Option<PathBuf> {
    ctx.var("HOME").map(Path::new).filter(|home| home.is_absolute()).map(Path::to_path_buf)
}
