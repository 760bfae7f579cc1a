//! `gt migrate`.

use anyhow::{Context, Result};

use super::{Ctx, print, print_json};
use crate::base::failure::Exit;
use crate::cli::DryRun;
use crate::programs::versions;
use crate::town::FolderLayout;
use crate::work::setup::migrate;

/// Runs it.
///
/// # Errors
/// What the command could not do.
pub fn run(ctx: &Ctx, args: DryRun) -> Result<Exit> {
    let found = ctx.locate()?;
    if found.layout == FolderLayout::Present {
        if ctx.global.json {
            print_json("plan", &serde_json::Value::Null)?;
        }
        ctx.note(&format!("{} has the present layout: nothing to do", found.root.display()));
        return Ok(Exit::Done);
    }
    versions::need_git()?;
    let plan = migrate::plan(&found)?;
    if !args.dry_run {
        let store = ctx.settings(&found.town()?, None)?.beads.store;
        let gt = std::env::current_exe().context("cannot tell where gt is")?;
        migrate::migrate(&plan, store, &gt)?;
    }
    if ctx.global.json {
        print_json("plan", &plan)?;
        return Ok(Exit::Done);
    }
    let head = if args.dry_run { "would migrate" } else { "migrated" };
    let lines = migrate::shown(&plan).join("\n");
    print(&format!("{head} {}:\n{lines}\n", plan.root.display()))?;
    if !args.dry_run {
        ctx.note("what the older layout had besides stays where it was; look at the town with: gt doctor");
    }
    Ok(Exit::Done)
}
