//! `gt daemon`: the deacon, which keeps the town going by itself.

mod service;

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;

use super::{Ctx, print, print_json, would};
use crate::base::failure::{Exit, Failure};
use crate::base::{files, follow, time};
use crate::cli::DryRun;
use crate::cli::daemon::{DaemonArgs, DaemonCommand};
use crate::config::schema::UpSettings;
use crate::daemon::{Deacon, DeaconStatus};
use crate::programs::Process;
use crate::programs::process::stamp::Stamp;
use crate::report::town::pauses;
use crate::town::deacon::{self, DeaconFile};
use crate::town::log::Log;
use crate::town::{Town, pause};
use crate::work::agent::own_path;

/// How long a start and an end may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs it.
///
/// # Errors
/// What the command could not do.
pub fn run(ctx: &Ctx, args: DaemonArgs) -> Result<Exit> {
    let town = ctx.town()?;
    town.needs_present_layout()?;
    match args.command {
        DaemonCommand::Run => {
            let begun = Deacon::begin(&town, &ctx.env, own_path()?.into());
            if let (Err(error), Ok(mut log)) = (&begun, Log::open(deacon::log(&town.root))) {
                // Whoever started it detached sees nothing of its standard error.
                log.write(&format!("{} it cannot begin: {error:#}", time::now()));
            }
            begun?.run()?;
            Ok(Exit::Done)
        }
        DaemonCommand::Start(DryRun { dry_run: true }) => {
            let would_start = !deacon::runs(&town.root);
            let line =
                if would_start { "start the deacon" } else { "leave the deacon, which runs, as it is" };
            would(ctx, &json!({ "start": would_start }), line)
        }
        DaemonCommand::Start(_) => {
            let begun = start(&town)?;
            if ctx.global.json {
                print_json("deacon", &state(&town)?)?;
            } else {
                print(if begun { "the deacon runs\n" } else { "the deacon runs already\n" })?;
            }
            Ok(Exit::Done)
        }
        DaemonCommand::Stop(DryRun { dry_run: true }) => {
            let would_stop = deacon::runs(&town.root);
            let line = if would_stop { "end the deacon" } else { "do nothing: no deacon runs" };
            would(ctx, &json!({ "stop": would_stop }), line)
        }
        DaemonCommand::Stop(_) => stop(ctx, &town),
        DaemonCommand::Install { env, dry } => service::install(ctx, &town, &env, dry.dry_run),
        DaemonCommand::Uninstall(dry) => service::uninstall(ctx, &town, dry.dry_run),
        DaemonCommand::Status => status(ctx, &town),
        DaemonCommand::Logs { follow, lines } => logs(&town, lines, follow),
    }
}

/// Starts the deacon of a town, unless one runs; whether it was started.
///
/// # Errors
/// When it cannot be started, with the end of its log.
pub fn start(town: &Town) -> Result<bool> {
    let limit = Instant::now() + PATIENCE;
    // One that was killed this moment still has the lock, and is gone the next.
    while deacon::runs(&town.root) {
        if asked(town).is_some() {
            return Ok(false);
        }
        if Instant::now() > limit {
            crate::fail!("a deacon runs, and does not answer"; "see its log with: gt daemon logs; end it with: gt daemon stop");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let words = ["-C", &town.mark(), "daemon", "run"];
    Process::new(own_path()?).args(words).cwd(&town.root).start_detached()?;
    comes(town)?;
    Ok(true)
}

/// Waits for a deacon that was started.
///
/// # Errors
/// When it does not come.
pub fn comes(town: &Town) -> Result<()> {
    let limit = Instant::now() + PATIENCE;
    while Instant::now() < limit {
        if deacon::runs(&town.root) && asked(town).is_some() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Err(Failure::new("the deacon did not start").hint("see why with: gt daemon logs").into())
}

/// Starts the deacon with the rest of the town, where settings ask for it.
///
/// # Errors
/// As [`start`].
pub fn also_start(ctx: &Ctx, town: &Town, up: &UpSettings) -> Result<()> {
    if up.deacon && start(town)? {
        ctx.note("the deacon runs: what it does by itself is shown by: gt daemon logs");
    }
    Ok(())
}

/// What the deacon says of itself; nothing where none answers.
fn asked(town: &Town) -> Option<DeaconStatus> {
    let answer = DeaconFile::read(&town.root)?.ask(deacon::STATUS).ok()?;
    serde_json::from_str(&answer).ok()
}

fn stop(ctx: &Ctx, town: &Town) -> Result<Exit> {
    let ended = end(town)?;
    if ctx.global.json {
        print_json("deacon", &state(town)?)?;
    } else {
        print(if ended { "the deacon has ended\n" } else { "no deacon runs\n" })?;
    }
    Ok(Exit::Done)
}

/// Ends the deacon of a town; whether there was one.
///
/// # Errors
/// When it does not end.
pub fn end(town: &Town) -> Result<bool> {
    let running = deacon::runs(&town.root);
    if running {
        // Not whom `deacon.json` names: that file may be an earlier one's, or changed, and its process anybody's.
        let stamp = deacon::holder(&town.root).and_then(Stamp::of);
        let Some(stamp) = stamp else {
            let lock = town.root.join("mayor/deacon.lock");
            crate::fail!("the deacon cannot be found"; "see who holds its lock: cat {}", lock.display());
        };
        stamp.ask_to_end();
        let limit = Instant::now() + PATIENCE;
        while deacon::runs(&town.root) {
            if Instant::now() > limit {
                crate::fail!("the deacon, process {}, does not end", stamp.pid; "end it with: kill -9 {}", stamp.pid);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    Ok(running)
}

/// What is told of it as JSON.
fn state(town: &Town) -> Result<serde_json::Value> {
    let status = deacon::runs(&town.root).then(|| asked(town)).flatten();
    Ok(json!({ "running": deacon::runs(&town.root), "status": status, "paused": pause::read(town)? }))
}

fn status(ctx: &Ctx, town: &Town) -> Result<Exit> {
    let (running, now) = (deacon::runs(&town.root), time::now());
    if ctx.global.json {
        print_json("deacon", &state(town)?)?;
        return Ok(if running { Exit::Done } else { Exit::Failed });
    }
    let age = |then: &str| time::seconds_between(then, &now).map_or_else(|| "?".into(), time::short_age);
    let mut text = String::new();
    match (running, asked(town)) {
        (false, _) => text.push_str("no deacon runs; start it with: gt daemon start\n"),
        (true, None) => {
            text.push_str("a deacon runs, and does not answer; see its log with: gt daemon logs\n")
        }
        (true, Some(status)) => {
            let DeaconStatus { pid, started, looked, looks, agents, running, troubles } = status;
            text.push_str(&format!(
                "the deacon runs since {}, process {pid}; it watches {agents} agents and looked {looks} times, {} ago\n",
                age(&started),
                age(&looked)
            ));
            running.iter().for_each(|line| text.push_str(&format!("now: {line}\n")));
            troubles.iter().for_each(|line| text.push_str(&format!("cannot: {line}\n")));
        }
    }
    for line in pauses(&pause::read(town)?, &now) {
        text.push_str(&line);
        text.push('\n');
    }
    print(&text)?;
    Ok(if running { Exit::Done } else { Exit::Failed })
}

fn logs(town: &Town, lines: usize, follow: bool) -> Result<Exit> {
    let path = deacon::log(&town.root);
    let Some(text) = files::text(&path)? else {
        crate::fail!("there is no log yet: {}", path.display(); "start the deacon with: gt daemon start");
    };
    let all: Vec<&str> = text.lines().collect();
    for line in &all[all.len().saturating_sub(lines)..] {
        print(&format!("{line}\n"))?;
    }
    if follow {
        follow::lines(|| Some(path.clone()), u64::try_from(text.len())?, print)?;
    }
    Ok(Exit::Done)
}
