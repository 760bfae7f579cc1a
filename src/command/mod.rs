//! One file per verb: look, decide, do, report; no logic of its own.

pub mod adopt;
pub mod agents;
pub mod answer;
pub mod apply;
pub mod attach;
pub mod bd;
pub mod capture;
pub mod config;
mod context;
pub mod crew;
pub mod daemon;
pub mod demo;
pub mod dispatch;
pub mod doctor;
mod doctor_agents;
pub mod done;
pub mod down;
pub mod elsewhere;
pub mod feed;
pub mod freeze;
pub mod gc;
pub mod handoff;
pub mod hold;
pub mod home;
pub mod hook;
pub mod hook_event;
pub mod install;
pub mod land;
mod layers;
pub mod look;
pub mod mail;
pub mod mayor;
pub mod merge;
pub mod merge_queue;
pub mod migrate;
pub mod notify;
pub mod patrol;
pub mod pause;
mod person;
pub mod plan;
pub mod polecat;
pub mod polecats;
pub mod preset;
pub mod preset_new;
pub mod prime;
pub mod queue;
pub mod refinery;
pub mod remote;
pub mod remote_sync;
pub mod remote_tunnel;
pub mod rig;
mod rig_trust;
pub mod roles;
mod run_agent;
pub mod run_script;
pub mod session;
pub mod session_ended;
pub mod sling;
pub mod start;
pub mod status;
pub mod stop;
pub mod sync;
pub mod unsling;
pub mod witness;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use crate::base::failure::{Exit, Failure, Failures};
use crate::base::terminal::{self, Text};
use crate::cli::{Cli, Command, Global};

pub use context::Ctx;
use context::rig_of_path;

/// The end of a command over several rigs: what failed in some is said once the others are done.
pub(super) fn of_rigs(failures: Failures) -> Result<Exit> {
    failures.end(|count| format!("{count} things failed, in some of the rigs")).map(|()| Exit::Done)
}

/// Prints one JSON object: `schema_version` and one named value (`docs/json.md`).
///
/// # Errors
/// When the value cannot be serialised or standard output is gone.
pub fn print_json(name: &str, value: &impl serde::Serialize) -> Result<()> {
    let mut object = serde_json::Map::new();
    object.insert("schema_version".into(), 1.into());
    object.insert(name.into(), serde_json::to_value(value)?);
    terminal::print(Text::json(&serde_json::to_string_pretty(&object)?).then("\n"))
}

/// Prints a result.
///
/// # Errors
/// When standard output cannot take it.
pub fn print(text: &str) -> Result<()> {
    terminal::print(text)
}

/// Prints a line to standard error.
pub fn tell(text: &str) {
    terminal::tell(text);
}

/// The answer to `--dry-run`: the plan as JSON, or a line for people.
///
/// # Errors
/// As [`print`].
pub(super) fn would(ctx: &Ctx, plan: &serde_json::Value, line: &str) -> Result<Exit> {
    if ctx.global.json {
        print_json("plan", plan)?;
    } else {
        print(&format!("would {line}\n"))?;
    }
    Ok(Exit::Done)
}

/// The program: its arguments, its command, its exit code.
pub fn main() -> ExitCode {
    let parsed = match as_bd(std::env::args_os()) {
        Some(words) => {
            Ok(Cli { global: Global::default(), command: Some(Command::Bd(crate::cli::bd::Raw { words })) })
        }
        None => Cli::try_parse(),
    };
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return misused(&error),
    };
    let json = cli.global.json;
    // What it becomes has nothing to do with gt's settings and signals.
    match &cli.command {
        Some(Command::RunAgent(args)) => return ended(run_agent::run(args), json),
        Some(Command::RunClean(args)) => return ended(run_agent::clean(args), json),
        _ => {}
    }
    crate::programs::process::signals::watch();
    let ended = ended(Ctx::new(cli.global).and_then(|ctx| run(&ctx, cli.command)), json);
    crate::programs::process::signals::hold();
    ended
}

fn ended(outcome: Result<Exit>, json: bool) -> ExitCode {
    match outcome {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(error) => ExitCode::from(complain(&error, json) as u8),
    }
}

/// The command that was typed and is not there, and what to use instead, if that is known.
fn instead(error: &clap::Error) -> Option<(&str, &'static str)> {
    use clap::error::{ContextKind, ContextValue};
    // The words before the first that is optional.
    let usage = error.get(ContextKind::Usage).map(ToString::to_string).unwrap_or_default();
    let under = usage.split_once("gt")?.1.split(['[', '<']).next().unwrap_or_default().trim();
    match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(word)) => Some((word, crate::cli::instead::instead(under, word)?)),
        _ => None,
    }
}

/// Says what is wrong with the words of a command, as JSON when they ask for that; or prints the help asked for.
fn misused(error: &clap::Error) -> ExitCode {
    let json = std::env::args_os().take_while(|word| word != "--").any(|word| word == "--json");
    if let Some((word, help)) = instead(error) {
        return ExitCode::from(complain(
            &Failure::usage(format!("there is no command '{word}'")).hint(help).into(),
            json,
        ) as u8);
    }
    if json && error.use_stderr() {
        let text = error.render().to_string();
        let said = text.split("\n\n").next().unwrap_or_default().trim().trim_start_matches("error: ");
        let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
        complain(&Failure::usage(words).hint("see how it is used with: gt --help").into(), true);
    } else {
        usage(error);
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// Prints the help that was asked for, in clap's style, or what is wrong with words that anyone may have chosen.
fn usage(error: &clap::Error) {
    if error.use_stderr() {
        let (styled, plain) = (error.render().ansi().to_string(), error.render().to_string());
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let dumb = set("NO_COLOR").is_some() || set("TERM").is_some_and(|term| term == "dumb");
        let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
        terminal::tell(match terminal::is_heard() && !dumb {
            true => Text::restyled(styled.trim_end(), plain.trim_end(), words),
            false => plain.trim_end().into(),
        });
    } else {
        let _ = error.print();
    }
}

/// bd's words, when the program was started under the name `bd` (`<town>/bin/bd` links to gt).
fn as_bd(mut words: impl Iterator<Item = OsString>) -> Option<Vec<OsString>> {
    let name = words.next()?;
    (std::path::Path::new(&name).file_name()? == "bd").then(|| words.collect())
}

/// Prints an error and its hint to standard error; gives the exit code.
fn complain(error: &anyhow::Error, json: bool) -> Exit {
    let failure = error.chain().find_map(|cause| cause.downcast_ref::<Failure>());
    let message = format!("{error:#}");
    let hint = crate::base::failure::hint_of(error);
    if json {
        let mut object = serde_json::json!({ "schema_version": 1, "error": message });
        if let Some(hint) = hint {
            object["hint"] = hint.into();
        }
        terminal::tell(Text::json(&object.to_string()));
    } else {
        tell(&format!("gt: {message}"));
        if let Some(hint) = hint {
            tell(&format!("hint: {hint}"));
        }
    }
    failure.map_or(Exit::Failed, |failure| failure.exit)
}

fn run(ctx: &Ctx, command: Option<Command>) -> Result<Exit> {
    ctx.set_limits();
    for warning in crate::config::env::warnings(&ctx.env) {
        ctx.note(&warning);
    }
    let Some(command) = command else { return home::run(ctx) };
    let concerns = concerns_the_deacon(&command);
    let outcome = person::check(ctx, &command).map_err(Into::into).and_then(|()| verb(ctx, command));
    // Those that it runs itself end under its eyes.
    if concerns && ctx.var("GT_ROLE") != Some("deacon") {
        let _ = ctx.locate().map(|found| crate::town::deacon::poke(&found.root));
    }
    outcome
}

/// Whether there may be something for the deacon to do when it is over. What is written to the embedded store it sees by itself.
fn concerns_the_deacon(command: &Command) -> bool {
    use Command as C;
    matches!(
        command,
        C::Sling(_)
            | C::Spawn(_)
            | C::Unsling(_)
            | C::Hold(_)
            | C::Unhold(_)
            | C::Done(_)
            | C::Handoff(_)
            | C::MergeQueue(_)
            | C::Adopt(_)
            | C::Land(_)
            | C::Bd(_)
            | C::Session(_)
            | C::Mayor(_)
            | C::Witness(_)
            | C::Refinery(_)
            | C::Crew(_)
            | C::Stop(_)
            | C::Polecat(_)
            | C::Start(_)
            | C::Apply(_)
            | C::Up(_)
            | C::Down(_)
            | C::Rig(_)
            | C::Config(_)
            | C::HookEvent
    )
}

fn verb(ctx: &Ctx, command: Command) -> Result<Exit> {
    match command {
        Command::Install(args) => install::run(ctx, args),
        Command::Doctor(args) if args.agents => doctor_agents::run(ctx, &args),
        Command::Doctor(args) => doctor::run(ctx, args),
        Command::Status(args) => status::run(ctx, args),
        Command::Migrate(args) => migrate::run(ctx, args),
        Command::Sync(args) => sync::run(ctx, args),
        Command::Gc(args) => gc::run(ctx, args),
        Command::Config(args) => config::run(ctx, args),
        Command::Preset(args) => preset::run(ctx, args),
        Command::Rig(args) => rig::run(ctx, args),
        Command::Rigs => rig::list(ctx),
        Command::Crew(args) => crew::run(ctx, args),
        Command::Polecats(args) => polecats::run(ctx, args),
        Command::Agents(args) => agents::run(ctx, &args),
        Command::Start(args) => start::run(ctx, args),
        Command::Plan(args) => plan::run(ctx, &args),
        Command::Apply(args) => apply::run(ctx, &args, false),
        Command::Up(args) => apply::run(ctx, &args, true),
        Command::Down(args) => down::run(ctx, &args),
        Command::Freeze(args) => freeze::run(ctx, &args),
        Command::Mayor(args) => mayor::run(ctx, args),
        Command::Daemon(args) => daemon::run(ctx, args),
        Command::Feed(args) => feed::run(ctx, &args),
        Command::Pause(args) => pause::pause(ctx, &args),
        Command::Resume(args) => pause::resume(ctx, &args),
        Command::Notify(args) => notify::run(ctx, &args),
        Command::Witness(args) => witness::run(ctx, args),
        Command::Refinery(args) => refinery::run(ctx, args),
        Command::Attach(args) => attach::run(ctx, args),
        Command::Answer(args) => answer::run(ctx, args),
        Command::Capture(args) => capture::run(ctx, args),
        Command::Sling(args) => sling::run(ctx, args),
        Command::Queue(args) => queue::run(ctx, &args),
        Command::Dispatch(args) => dispatch::run(ctx, &args),
        Command::Unsling(args) => unsling::run(ctx, args),
        Command::Hold(args) => hold::hold(ctx, args),
        Command::Unhold(args) => hold::unhold(ctx, args),
        Command::Spawn(args) => sling::spawn(ctx, args),
        Command::Hook(args) => hook::run(ctx, args),
        Command::Prime(args) => prime::run(ctx, args),
        Command::Done(args) => done::run(ctx, args),
        Command::Handoff(args) => handoff::run(ctx, args),
        Command::MergeQueue(args) => merge_queue::run(ctx, args),
        Command::Adopt(args) => adopt::run(ctx, &args),
        Command::Land(args) => land::run(ctx, args),
        Command::Diff(args) => look::diff(ctx, args),
        Command::Path(args) => look::path(ctx, args),
        Command::Log(args) => look::log(ctx, args),
        Command::Mail(args) => mail::run(ctx, args),
        Command::Session(args) => session::run(ctx, args),
        Command::Stop(args) => stop::run(ctx, args),
        Command::Polecat(args) => polecat::run(ctx, args),
        Command::Remote(args) => remote::run(ctx, args),
        Command::Bd(args) => bd::run(ctx, args),
        Command::Demo(args) => demo::run(ctx, args),
        Command::RunAgent(args) => run_agent::run(&args),
        Command::RunClean(args) => run_agent::clean(&args),
        Command::RunScript => run_script::run(ctx),
        Command::SessionEnded(args) => session_ended::run(ctx, args),
        Command::HookEvent => hook_event::run(ctx),
        Command::Wake(_) | Command::Sleep(_) => crate::fail!(
            "polecats are not pooled: there is nothing to wake or to put to sleep";
            "start one on work with: gt sling BEAD RIG; end one with: gt polecat release RIG/NAME"
        ),
    }
}
