//! `gt doctor`.

use std::path::Path;

use anyhow::{Context, Result};

use super::{Ctx, print_json};
use crate::base::failure::{Exit, Failures};
use crate::base::reads::Reads;
use crate::base::terminal;
use crate::cli::town::Doctor;
use crate::config::Settings;
use crate::config::schema::Multiplexer;
use crate::mux;
use crate::report::Screen;
use crate::report::doctor::Detail;
use crate::town::{Town, checkout, discover};
use crate::work::setup::doctor::{self, Visit};
use crate::work::setup::rig::of_one_repository;

/// Runs it.
///
/// # Errors
/// What the command could not do.
pub fn run(ctx: &Ctx, args: Doctor) -> Result<Exit> {
    let found = ctx.locate()?;
    let identity = found.identity.clone();
    let town = found.clone().town().unwrap_or_else(|_| Town {
        name: discover::folder_name(&found.root),
        root: found.root,
        layout: found.layout,
        id: String::new(),
        reads: Reads::default(),
    });
    let sources = ctx.sources(&town, None);
    // Broken settings are one of the findings; until they are mended the built-in ones count.
    let settings = ctx.settings(&town, None).unwrap_or_else(|_| Settings::default());
    // What keeps other machines from being asked is a finding too, and nothing is concluded about who is there.
    let (mux, unknown) = match ctx.town().ok().map(|town| ctx.mux(&town)) {
        Some(Ok(mux)) => (mux, None),
        // Of a town whose identity cannot be read it is not known what is its own elsewhere.
        failed => {
            let socket = ctx.var("GASTOWN_TMUX_SOCKET").or(settings.tmux.socket.as_deref());
            let why = failed.and_then(Result::err).map(|error| format!("{error:#}"));
            (mux::open(Multiplexer::Auto, socket)?, why)
        }
    };
    let mut sessions = mux.look()?;
    sessions.unknown = unknown.or(sessions.unknown);
    let visit = Visit {
        sessions,
        mux: mux.as_ref(),
        identity,
        town,
        sources,
        store: settings.beads.store,
        prefix: settings.beads.prefix,
        gt: std::env::current_exe().context("cannot tell where gt is")?,
        fix: args.fix && !args.dry.dry_run,
        set_aside_stores: args.set_aside_stores,
        empty_stores: args.empty_stores,
    };
    let mut report = doctor::examine(&visit, args.rig.as_deref())?;
    for copy in checkout::copies(|name| ctx.var(name), &visit.town.root) {
        report.notes.push(format!(
            "{} has the id of this town, {}: one was copied from the other, and each takes branches and mail of the other at origin for its own; use one of them, or make the other anew: gt install",
            copy.display(),
            visit.town.id
        ));
    }
    report.notes.extend(of_one_repository(&visit.town.rigs(&mut Failures::default()).unwrap_or_default()));
    if visit.fix {
        ctx.remember(&visit.town.root);
        ctx.keep_exports(&visit.town, None);
        // What cannot be read is among the findings.
        let rigs = visit.town.rigs(&mut Failures::default()).unwrap_or_default();
        rigs.iter().for_each(|rig| ctx.keep_exports(&visit.town, Some(rig)));
    }
    if ctx.global.json {
        print_json("doctor", &report)?;
    } else {
        let screen = Screen::of(ctx.fancy(), |name| ctx.var(name));
        let (fix, verbose) = (args.fix, args.verbose);
        let detail = Detail { quiet: ctx.global.quiet, verbose, fix, dry_run: fix && args.dry.dry_run };
        terminal::print(report.text(&at_home(ctx, &visit.town.root), &screen, detail))?;
    }
    if !ctx.global.json {
        report.notes.iter().for_each(|note| ctx.note(note));
    }
    Ok(if report.found == report.fixed { Exit::Done } else { Exit::Failed })
}

/// A path as people write it: their home is `~`.
pub(super) fn at_home(ctx: &Ctx, path: &Path) -> String {
    let home = ctx.var("HOME").and_then(|home| Path::new(home).canonicalize().ok());
    match home.as_ref().and_then(|home| path.strip_prefix(home).ok()) {
        Some(inside) if inside.as_os_str().is_empty() => "~".into(),
        Some(inside) => format!("~/{}", inside.display()),
        None => path.display().to_string(),
    }
}
