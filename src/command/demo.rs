//! `gt demo`.

use anyhow::Result;

use super::Ctx;
use crate::cli::town::Demo;
use crate::failure::Exit;
use crate::report::Screen;
use crate::work::demo;

/// Runs it.
///
/// # Errors
/// As [`demo::run`].
pub fn run(ctx: &Ctx, args: Demo) -> Result<Exit> {
    let repo = args.repo.map(|repo| ctx.dir.join(repo));
    demo::run(&demo::Wanted {
        keep: args.keep,
        repo: repo.as_deref(),
        screen: Screen::of(ctx.fancy(), |name| ctx.var(name)),
        variables: ctx.env.keys().cloned().collect(),
    })?;
    Ok(Exit::Done)
}
