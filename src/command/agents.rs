//! `gt agents`: who runs; on a terminal, choose one and go there.

use std::io::BufRead;

use anyhow::Result;

use super::{Ctx, roles};
use crate::base::failure::{Exit, Failure};
use crate::base::terminal;
use crate::cli::sessions::Agents;
use crate::model::address::Address;
use crate::report::sessions::{self, SessionLine};

/// Runs it.
///
/// # Errors
/// What the command could not do.
pub fn run(ctx: &Ctx, args: &Agents) -> Result<Exit> {
    // The one word that it takes says what it does.
    let _ = &args.list;
    let mut sight = roles::Sight::take(ctx)?;
    sight.tell(ctx)?;
    let lines = sessions::lines(&sight.town.mark(), &sight.snapshot, None);
    if ctx.global.json {
        super::print_json("agents", &lines)?;
        return roles::say_unseen(ctx, &sight.snapshot, lines.is_empty());
    }
    let asks = terminal::can_ask() && !lines.is_empty();
    if !asks {
        terminal::print(sessions::table(&lines, &ctx.screen()))?;
        return roles::say_unseen(ctx, &sight.snapshot, lines.is_empty());
    }
    terminal::print(sessions::choice(&lines, &ctx.screen()))?;
    match choose(&lines)? {
        Some(line) => roles::attach(ctx, &sight, &Address::parse(&line.address)?),
        None => Ok(Exit::Done),
    }
}

/// Asks for a number; an empty line or the end of input is none.
fn choose(lines: &[SessionLine]) -> Result<Option<&SessionLine>> {
    super::print("go to number (empty: to none): ")?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    let answer = answer.trim();
    if answer.is_empty() {
        return Ok(None);
    }
    let chosen = answer.parse::<usize>().ok().and_then(|number| lines.get(number.checked_sub(1)?));
    match chosen {
        Some(line) => Ok(Some(line)),
        None => Err(Failure::usage(format!("'{answer}' is no number from 1 to {}", lines.len())).into()),
    }
}
