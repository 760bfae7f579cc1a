//! `gt notify`: tells the person that something needs them, as `[notify]` of the settings says.

use anyhow::Result;

use super::Ctx;
use crate::base::failure::{Exit, Failures};
use crate::base::fill;
use crate::base::terminal::one_line;
use crate::cli::daemon::Notify;
use crate::config;
use crate::programs::Process;
use crate::programs::tmux::Tmux;

/// How long the person's command may take.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(30);

/// Tells it in each of the ways.
///
/// # Errors
/// What could not be told in one of them; the others are tried all the same.
pub fn run(ctx: &Ctx, args: &Notify) -> Result<Exit> {
    let town = ctx.town()?;
    let notify = ctx.settings(&town, None)?.notify;
    let mut failures = Failures::default();
    if notify.tmux {
        let socket = config::tmux_socket(&ctx.sources(&town, None))?;
        let text = format!("{}: {}  ({})", town.name, one_line(&args.what), one_line(&args.command));
        failures.keep(Tmux::new(socket.as_deref()).tell(&text));
    }
    if let Some((program, words)) = notify.command.split_first() {
        let values = [("what", args.what.as_str()), ("help", args.command.as_str())];
        let words = words.iter().map(|word| fill::known(word, &values));
        let process = Process::new(program).args(words).cwd(&town.root).timeout(LIMIT);
        let output = process.env("GT_WHAT", &args.what).env("GT_HELP", &args.command).run();
        failures.keep(output.and_then(|output| match output.ok() {
            true => Ok(()),
            false => crate::fail!("notify.command failed: {}", output.error_text(); "see it with: gt config explain notify.command"),
        }));
    }
    failures.end(|count| format!("{count} ways of telling failed")).map(|()| Exit::Done)
}
