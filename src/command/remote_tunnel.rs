//! `gt remote tunnel`.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::json;

use super::Ctx;
use super::layers;
use crate::base::failure::{Exit, Failure, Failures};
use crate::base::terminal;
use crate::cli::remote::TunnelCommand;
use crate::config::schema::Remote;
use crate::model::tunnel::Tunnel;
use crate::programs::ssh;
use crate::report::tunnel;
use crate::work::remote::tunnel::{Opened, Phase, TunnelLine, TunnelsDir, down, keep, look, up_all};

/// Runs it.
///
/// # Errors
/// What the command could not do.
pub fn run(ctx: &Ctx, command: TunnelCommand) -> Result<Exit> {
    match command {
        TunnelCommand::Up { name, dry } => open(ctx, name.as_deref(), dry.dry_run),
        TunnelCommand::Down { name, dry } => close(ctx, name.as_deref(), dry.dry_run),
        TunnelCommand::Status { name } => status(ctx, name.as_deref()),
        TunnelCommand::Keep { dir } => keep::keep(&dir).map(|()| Exit::Done),
    }
}

fn open(ctx: &Ctx, name: Option<&str>, dry_run: bool) -> Result<Exit> {
    let tunnels = wanted(&layers::remotes(ctx)?, name)?;
    if dry_run {
        let home = home(ctx)?;
        let line = |tunnel: &Tunnel| match look(&home, tunnel) {
            Ok(Some(kept)) if kept.phase == Phase::Up => {
                format!("leave the tunnel of {}: it is up", tunnel.name)
            }
            _ => format!("keep open: {}", ssh::shown(tunnel)),
        };
        let plan: Vec<_> =
            tunnels.iter().map(|own| json!({ "open": own, "command": ssh::shown(own) })).collect();
        return would_each(ctx, &plan, tunnels.iter().map(line).collect());
    }
    let outcomes = up_all(&home(ctx)?, &tunnels)?;
    let mut failures = Failures::default();
    let opened: Vec<Opened> = outcomes.into_iter().filter_map(|outcome| failures.keep(outcome)).collect();
    if ctx.global.json && (failures.is_empty() || !opened.is_empty()) {
        super::print_json("tunnels", &opened)?;
    } else if !ctx.global.json {
        super::print(&opened.iter().map(tunnel::opened).collect::<String>())?;
    }
    for own in &opened {
        if let Some(note) = tunnel::nobody(own) {
            ctx.note(&note);
        }
    }
    if tunnels.is_empty() {
        ctx.note(NONE);
    }
    failures.end(|count| format!("{count} tunnels are not open")).map(|()| Exit::Done)
}

/// What is said where no remote has `ssh`.
const NONE: &str = "no remote has ssh, so there is no tunnel to keep; say so in the settings: ssh = \"user@host\" in [remotes.NAME]";

fn close(ctx: &Ctx, name: Option<&str>, dry_run: bool) -> Result<Exit> {
    let home = home(ctx)?;
    let remotes = layers::remotes(ctx)?;
    // A tunnel outlives its remote's place in the settings, and can be closed all the same.
    let kept: Vec<Tunnel> = home.all()?.into_iter().map(|kept| kept.tunnel).collect();
    let kept: Vec<Tunnel> = match name {
        Some(name) => kept.into_iter().filter(|own| own.name == name).collect(),
        None => kept.into_iter().filter(|own| remotes.contains_key(&own.name)).collect(),
    };
    let tunnels = if kept.is_empty() { wanted(&remotes, name)? } else { kept };
    if dry_run {
        let plan: Vec<_> = tunnels.iter().map(|own| json!({ "close": own })).collect();
        let line = |own: &Tunnel| format!("close the tunnel of {} ({} to {})", own.name, own.local, own.ssh);
        return would_each(ctx, &plan, tunnels.iter().map(line).collect());
    }
    let mut closed = Vec::new();
    for own in &tunnels {
        closed.push(json!({ "name": own.name, "local": own.local, "was_open": down(&home, own)? }));
    }
    if ctx.global.json {
        super::print_json("tunnels", &closed)?;
        return Ok(Exit::Done);
    }
    if tunnels.is_empty() {
        ctx.note(NONE);
    }
    let line = |own: &serde_json::Value| {
        let what = if own["was_open"] == true { "closed" } else { "was not open" };
        format!("{}: {what}\n", own["name"].as_str().unwrap_or_default())
    };
    super::print(&closed.iter().map(line).collect::<String>())?;
    Ok(Exit::Done)
}

fn status(ctx: &Ctx, name: Option<&str>) -> Result<Exit> {
    let remotes = layers::remotes(ctx)?;
    if let Some(name) = name {
        known(&remotes, name)?;
    }
    let home = home(ctx)?;
    let asked = remotes.iter().filter(|(own, _)| name.is_none_or(|name| name == own.as_str()));
    let lines: Vec<TunnelLine> =
        asked.map(|(name, remote)| line(&home, name, remote)).collect::<Result<_>>()?;
    if ctx.global.json {
        super::print_json("tunnels", &lines)?;
        return Ok(Exit::Done);
    }
    if lines.is_empty() {
        ctx.note(layers::NO_REMOTES);
    }
    terminal::print(tunnel::table(&lines, &ctx.screen()))?;
    Ok(Exit::Done)
}

/// How the tunnel of a remote stands.
///
/// # Errors
/// When the state folder cannot be read.
pub(super) fn line(home: &TunnelsDir, name: &str, remote: &Remote) -> Result<TunnelLine> {
    Ok(match Tunnel::of(name, remote) {
        Ok(tunnel) => TunnelLine::kept(&tunnel, look(home, &tunnel)?.as_ref()),
        Err(failure) => TunnelLine::not_kept(name, remote, &failure),
    })
}

/// Where this person's tunnels are written down.
///
/// # Errors
/// When there is no home.
pub(super) fn home(ctx: &Ctx) -> Result<TunnelsDir> {
    TunnelsDir::of(|name| ctx.var(name))
}

/// The tunnels that are meant: the named one, else all that gt is to keep.
fn wanted(remotes: &BTreeMap<String, Remote>, name: Option<&str>) -> Result<Vec<Tunnel>> {
    if let Some(name) = name {
        return Ok(vec![Tunnel::of(name, known(remotes, name)?)?]);
    }
    let with_ssh = remotes.iter().filter(|(_, remote)| remote.ssh.is_some());
    with_ssh.map(|(name, remote)| Ok(Tunnel::of(name, remote)?)).collect()
}

/// The remote of that name.
///
/// # Errors
/// When there is none, with those there are.
pub(super) fn known<'r>(remotes: &'r BTreeMap<String, Remote>, name: &str) -> Result<&'r Remote, Failure> {
    let known = || remotes.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    remotes.get(name).ok_or_else(|| {
        let hint =
            if remotes.is_empty() { layers::NO_REMOTES.into() } else { format!("there is: {}", known()) };
        Failure::usage(format!("no remote named '{name}'")).hint(hint)
    })
}

fn would_each(ctx: &Ctx, plan: &[serde_json::Value], lines: Vec<String>) -> Result<Exit> {
    let nothing = || vec!["do nothing: no remote has ssh".to_string()];
    let lines = if lines.is_empty() { nothing() } else { lines };
    super::would(ctx, &json!(plan), &lines.join("\nwould "))
}
