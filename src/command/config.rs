//! `gt config`: the settings that count, who said them, and the files they come from.

use anyhow::Result;
use serde_json::json;

use super::layers::{home, sources};
use super::{Ctx, print, print_json};
use crate::address::Role;
use crate::cli::town::{ConfigArgs, ConfigCommand};
use crate::config::explain::{self, explain};
use crate::config::{self, Origin, Settings};
use crate::failure::Exit;
use crate::report;

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
