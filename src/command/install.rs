//! `gt install`.

use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};

use super::{Ctx, doctor_agents, print, print_json};
use crate::base::failure::Exit;
use crate::base::quote::quote;
use crate::base::reads::Reads;
use crate::cli::town::Install;
use crate::config;
use crate::model::address::Role;
use crate::programs::versions;
use crate::town::{FolderLayout, Town};
use crate::work::setup::install::{self, Ground, Installed, NewTown};
use crate::work::setup::pieces::Piece;

/// Runs it.
///
/// # Errors
/// What the command could not do.
pub fn run(ctx: &Ctx, args: Install) -> Result<Exit> {
    let root = plain(&ctx.dir.join(&args.path));
    let ground = install::survey(&root)?;
    if let (Ground::Town(found), false) = (&ground, args.force) {
        crate::fail!(
            "there is a town already: {}", found.root.display();
            "repair it, keeping what is there, with: gt install --force {}", found.root.display()
        );
    }
    if ground == Ground::Folder && root.join(".git").exists() && !args.force {
        crate::fail!(
            "{} is a git checkout", root.display();
            "make a town beside your projects, and add them to it: gt install ~/gt, then in it: gt rig add NAME {0}; \
             a town in it all the same: gt install --force {0}", quote(&root.to_string_lossy())
        );
    }
    versions::need_git()?;
    let town = Town {
        root: root.clone(),
        name: String::new(),
        layout: FolderLayout::Present,
        id: String::new(),
        reads: Reads::default(),
    };
    let sources = ctx.sources(&town, None);
    let settings = ctx.settings(&town, None)?;
    let wanted = NewTown {
        root,
        name: args.name,
        git: args.git,
        store: (!args.no_beads).then_some(settings.beads.store),
        prefix: settings.beads.prefix,
        gt: std::env::current_exe().context("cannot tell where gt is")?,
    };
    if args.dry.dry_run {
        return dry_run(ctx, &wanted, &ground);
    }
    let done = match ground {
        Ground::Town(found) => install::repair(&wanted, found)?,
        Ground::Nothing | Ground::Folder => install::install(&wanted)?,
    };
    report(ctx, &done)?;
    ctx.remember(&done.root);
    if let Some(why) = versions::why_no_tmux() {
        ctx.note(&format!("{why}: minimal mode: gt prints the command to run in place of a session"));
    }
    say_permissions(ctx, &sources.again())?;
    doctor_agents::point(ctx, &town, &[], &[], None);
    Ok(Exit::Done)
}

fn dry_run(ctx: &Ctx, wanted: &NewTown, ground: &Ground) -> Result<Exit> {
    let missing = |piece: &&Piece| *ground == Ground::Nothing || !piece.stands(&wanted.root);
    let mut shown: Vec<String> = wanted.pieces()?.iter().filter(missing).map(|piece| piece.shown()).collect();
    if wanted.store.is_some() && crate::beads::kind_of(&wanted.root.join(".beads")).is_err() {
        shown.push(".beads/".into());
    }
    if wanted.git && !wanted.root.join(".git").exists() {
        shown.push(".git/".into());
    }
    if ctx.global.json {
        print_json("plan", &serde_json::json!({ "root": wanted.root, "make": shown }))?;
        return Ok(Exit::Done);
    }
    let lines = shown.iter().fold(String::new(), |all, line| all + "+ " + line + "\n");
    print(&format!("would make in {}:\n{lines}", wanted.root.display()))?;
    Ok(Exit::Done)
}

fn report(ctx: &Ctx, done: &Installed) -> Result<()> {
    if ctx.global.json {
        return print_json("town", done);
    }
    let what = if done.made.is_empty() { "nothing was missing".into() } else { done.made.join(" ") };
    print(&format!("town {} in {}\n", done.name, done.root.display()))?;
    ctx.note(&format!("made: {what}"));
    if !done.kept.is_empty() {
        ctx.note(&format!("kept as they were: {}", done.kept.join(" ")));
    }
    if let Some(name) = &done.signed_as {
        ctx.note(&format!("git knows no name of yours: the first commit is by {name}"));
    }
    ctx.note(&format!("next: cd {} && gt rig add NAME URL", done.root.display()));
    Ok(())
}

/// Agents that are never asked for permission are said aloud (`presets.md`).
fn say_permissions(ctx: &Ctx, sources: &config::Sources) -> Result<()> {
    for role in Role::ALL {
        if config::role(sources, role, &[], None)?.settings.permissions == config::Permissions::All {
            ctx.note(&format!(
                "permissions: agents of the role {role} ask for none; see why with: gt preset explain {role}.permissions"
            ));
        }
    }
    Ok(())
}

/// A path without `.` and `..`, whether it exists or not.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}
