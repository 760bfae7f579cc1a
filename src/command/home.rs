//! `gt` alone: what needs the person first, and what comes next.

use anyhow::Result;

use super::{Ctx, print_json, status};
use crate::base::failure::Exit;
use crate::base::{terminal, time};
use crate::report;
use crate::town::deacon;
use crate::work::observe::needs::needs;

/// Six lines for who has no town yet.
const BEGIN: &str = "gt runs many AI coding agents side by side in tmux, as one town.

  gt install ~/gt                     make a town
  cd ~/gt && gt rig add NAME GIT-URL  give it a project
  gt sling \"a first task\" NAME       give work to an agent
  gt demo                             or see all of it, on a project made for it
  gt --help                           every command
";

/// Shows it.
///
/// # Errors
/// A town whose files are broken.
pub fn run(ctx: &Ctx) -> Result<Exit> {
    let Ok(found) = ctx.locate() else {
        terminal::print(BEGIN)?;
        return Ok(Exit::Done);
    };
    let town = found.town()?;
    let view = status::look(ctx, &town, None)?;
    let needs = needs(&view);
    if ctx.global.json {
        print_json("needs", &needs)?;
        return Ok(Exit::Done);
    }
    let going =
        report::needs::Going { deacon: deacon::runs(&town.root), paused: view.paused.town(&time::now()) };
    terminal::print(report::needs::text(&view, &needs, going))?;
    Ok(Exit::Done)
}
