//! `gt demo`.

pub mod play;

use anyhow::Result;

use super::Ctx;
use crate::base::failure::Exit;
use crate::cli::town::DemoArgs;
use crate::report::Screen;

/// Runs it.
///
/// # Errors
/// As [`play::run`].
pub fn run(ctx: &Ctx, args: DemoArgs) -> Result<Exit> {
    let repo = args.repo.map(|repo| ctx.dir.join(repo));
    play::run(&play::DemoOptions {
        keep: args.keep,
        repo: repo.as_deref(),
        screen: Screen::of(ctx.fancy(), |name| ctx.var(name)),
        variables: ctx.env.keys().cloned().collect(),
    })?;
    Ok(Exit::Done)
}
