//! One file per verb: look, decide, do, report; no logic of its own.

pub mod adopt;
pub mod agents;
pub mod answer;
pub mod apply;
pub mod attach;
pub mod bd;
pub mod capture;
pub mod config;
pub mod crew;
pub mod daemon;
pub mod demo;
pub mod dispatch;
pub mod doctor;
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

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use anyhow::Result;
use clap::Parser;

use crate::base::failure::{Exit, Failure, Failures};
use crate::base::terminal::{self, Text};
use crate::cli::{Cli, ColorWhen, Command, Global};
use crate::config::schema::Multiplexer;
use crate::config::{Settings, Sources};
use crate::model::address::{Address, Role};
use crate::mux::Mux;
use crate::mux::hybrid::Hybrid;
use crate::town::checkout::{self, Checkout};
use crate::town::{Rig, Town};
use crate::work::observe::own::Me;

/// What a command knows of its surroundings: the one place that reads the environment.
pub struct Ctx {
    /// The flags every command takes.
    pub global: Global,
    /// Where it acts: `-C`, else the working directory.
    pub dir: PathBuf,
    /// The environment at start.
    pub env: HashMap<String, String>,
    /// The rig whose repository this folder is a person's checkout of; empty until it was looked for.
    checkout: OnceLock<Option<Checkout>>,
    /// The town, once it was found.
    town: Arc<OnceLock<Town>>,
    /// Where configuration is looked for, with what was read of it.
    sources: Sources,
}

impl Ctx {
    fn new(global: Global) -> Result<Ctx> {
        let here = std::env::current_dir()
            .map_err(|_| Failure::new("the working directory is gone").hint("cd to a folder that exists"))?;
        let dir = match &global.dir {
            Some(dir) => here.join(dir),
            None => here,
        };
        // Variables that are no text cannot configure anything; git and tmux inherit them untouched.
        let env = std::env::vars_os()
            .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let sources = Sources::from_env(&env);
        Ok(Ctx { global, dir, env, checkout: OnceLock::new(), town: Arc::default(), sources })
    }

    /// The same for another look: the town and its settings may have changed.
    #[must_use]
    pub fn again(&self) -> Ctx {
        let (global, sources) = (self.global.clone(), self.sources.again());
        Ctx {
            global,
            sources,
            dir: self.dir.clone(),
            env: self.env.clone(),
            checkout: self.checkout.clone(),
            town: Arc::default(),
        }
    }

    /// A variable, when it is set and not empty.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The town this command is about.
    ///
    /// # Errors
    /// As [`Town::find`].
    pub fn town(&self) -> Result<Town> {
        match self.town.get() {
            Some(town) => Ok(town.clone()),
            None => self.locate()?.town().map(|town| self.town.get_or_init(|| town).clone()),
        }
    }

    /// Where the town is, before its files are believed: the one this folder is in, else the one that has a rig of the
    /// repository that this folder is a checkout of.
    ///
    /// # Errors
    /// When there is none.
    pub fn locate(&self) -> Result<crate::town::discover::FoundTown> {
        let root = if self.global.dir.is_some() { None } else { self.var("GT_TOWN_ROOT").map(PathBuf::from) };
        match (Town::locate(&self.dir, root.as_deref()), root) {
            (Err(error), None) => {
                let town = self.checkout()?.map(|own| own.found.clone());
                town.ok_or_else(|| checkout::naming_towns(|name| self.var(name), error))
            }
            (located, _) => located,
        }
    }

    /// The rig whose repository this folder, outside every town, is a checkout of.
    ///
    /// # Errors
    /// As [`checkout::find`].
    pub fn checkout(&self) -> Result<Option<&Checkout>> {
        if self.checkout.get().is_none() {
            let found = checkout::find(|name| self.var(name), &self.dir)?;
            return Ok(self.checkout.get_or_init(|| found).as_ref());
        }
        Ok(self.checkout.get().and_then(Option::as_ref))
    }

    /// The rig that this folder is in, or whose repository it is a checkout of.
    fn rig_here(&self, town: &Town) -> Option<String> {
        let outside = || self.checkout.get()?.as_ref().filter(|own| own.found.root == town.root);
        rig_of_path(town, &self.dir).or_else(|| Some(outside()?.rig.clone()))
    }

    /// Writes down where a town is, so that it is found from checkouts of its rigs.
    pub fn remember(&self, root: &std::path::Path) {
        if let Err(error) = checkout::remember(|name| self.var(name), root) {
            self.note(&format!("warning: this town is not found from your own checkouts: {error:#}"));
        }
    }

    /// The rig that is named (a name, or a path inside it), else the one this directory or this agent is in, else the only
    /// one.
    ///
    /// # Errors
    /// An unknown name, or none given outside a rig.
    pub fn rig(&self, town: &Town, named: Option<&str>) -> Result<Rig> {
        if let Some(name) = named {
            if name.contains('/') || name == "." || name == ".." {
                let path = self.dir.join(name);
                if let Some(rig) = rig_of_path(town, &path) {
                    return town.rig(&rig);
                }
            }
            return town.rig(name);
        }
        match self.var("GT_RIG").map(str::to_string).or_else(|| self.rig_here(town)) {
            Some(name) => town.rig(&name),
            // A town of one rig needs no naming.
            None => match town.rig_names()?.as_slice() {
                [only] => town.rig(only),
                [] => Err(Failure::usage("the town has no rig")
                    .hint("add one with: gt rig add NAME GIT-URL")
                    .into()),
                _ => Err(Failure::usage("which rig? this folder is in none")
                    .hint("name one; see them with: gt rigs")
                    .into()),
            },
        }
    }

    /// The rig that is named, else all that can be read; the others are among the failures.
    ///
    /// # Errors
    /// An unknown name; a list of rigs that cannot be read.
    pub fn rigs(&self, town: &Town, named: Option<&str>, failures: &mut Failures) -> Result<Vec<Rig>> {
        match named {
            Some(_) => Ok(vec![self.rig(town, named)?]),
            None => town.rigs(failures),
        }
    }

    /// The agent that a person means: an address, a bead's id, or a polecat's bare name.
    ///
    /// # Errors
    /// As [`crate::work::observe::who::resolve`].
    pub fn agent(&self, town: &Town, text: &str) -> Result<Address> {
        crate::work::observe::who::resolve(town, &self.sources(town, None), text)
    }

    /// Where configuration is looked for.
    pub fn sources(&self, town: &Town, rig: Option<&Rig>) -> Sources {
        let own = Sources { town: Some(town.root.clone()), ..self.sources.clone() };
        rig.map_or_else(|| own.clone(), |rig| rig.sources(&own))
    }

    /// The settings of the town, or of one of its rigs.
    ///
    /// # Errors
    /// Broken configuration.
    pub fn settings(&self, town: &Town, rig: Option<&Rig>) -> Result<Settings> {
        crate::config::settings(&self.sources(town, rig))
    }

    /// What keeps the town's sessions: tmux on the socket that is configured, or minimal mode; and the daemons of other
    /// machines. Settings are not read as a whole: that can go on while a look is under way.
    ///
    /// # Errors
    /// Broken configuration, as far as it has to be read; as [`crate::mux::open`] and [`Hybrid::open`].
    pub fn mux(&self, town: &Town) -> Result<Box<dyn Mux>> {
        let sources = self.sources(town, None);
        let socket = crate::config::tmux_socket(&sources)?;
        let local = crate::mux::open(Multiplexer::Auto, socket.as_deref())?;
        Ok(Box::new(Hybrid::open(local, town, &sources)?))
    }

    /// Who runs this.
    ///
    /// # Errors
    /// When `GT_ADDRESS` is no address.
    pub fn me(&self) -> Result<Me> {
        let address = match self.var("GT_ADDRESS") {
            Some(text) => Address::parse(text)?,
            None => Address::Overseer,
        };
        let own = |name: &str| self.var(name).map(str::to_string);
        Ok(Me { address, instance: own("GT_INSTANCE"), bead: own("GT_BEAD"), session: own("GT_SESSION") })
    }

    /// The rig whose store keeps a bead, by the prefix of its id.
    ///
    /// # Errors
    /// As [`crate::work::observe::who::rig_of`].
    pub fn rig_of(&self, town: &Town, id: &str) -> Result<Rig> {
        crate::work::observe::who::rig_of(town, &self.sources(town, None), id)
    }

    /// Whether a person runs this, and no agent.
    pub fn is_person(&self) -> bool {
        self.var("GT_ROLE").is_none()
    }

    /// Asks the person a question that is answered with yes or no; `None` where none can be asked: without a terminal, with
    /// `--json`, and where an agent runs this.
    ///
    /// # Errors
    /// When the terminal cannot be read.
    pub fn ask(&self, question: &str) -> Result<Option<bool>> {
        use std::io::{BufRead, IsTerminal};
        let terminal = std::io::stdin().is_terminal() && terminal::is_heard();
        if !terminal || self.global.json || !self.is_person() {
            return Ok(None);
        }
        tell(&format!("{question} [y/N]"));
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer)?;
        Ok(Some(["y", "yes"].contains(&answer.trim().to_lowercase().as_str())))
    }

    /// Refuses to an agent what the person alone decides: `what` is the command. It keeps agents to their work; it is no
    /// wall, since they run as the same user.
    ///
    /// # Errors
    /// When an agent asks, with whom to write to.
    pub fn person_only(&self, what: &str) -> Result<(), Failure> {
        let Some(role) = self.var("GT_ROLE") else { return Ok(()) };
        let hint = format!("ask the person: gt mail send overseer -s 'please run: {what}' -m WHY");
        Err(Failure::new(format!("{what} is for the person, and this is an agent ({role})")).hint(hint))
    }

    /// Says something beside the result, on standard error, unless `-q`.
    pub fn note(&self, text: &str) {
        if !self.global.quiet {
            tell(text);
        }
    }

    /// Exports the stores of a town and one of its rigs, once a day. What was done stands when that fails.
    pub fn keep_exports(&self, town: &Town, rig: Option<&Rig>) {
        for place in std::iter::once(&town.root).chain(rig.map(|rig| &rig.root)) {
            if let Err(error) = crate::work::setup::exports::keep(place) {
                self.note(&format!("warning: the daily export of {} failed: {error:#}", place.display()));
            }
        }
    }

    /// What standard output can show.
    pub fn screen(&self) -> crate::report::Screen {
        crate::report::Screen::of(self.fancy(), |name| self.var(name))
    }

    /// Whether standard output takes colour and symbols.
    pub fn fancy(&self) -> bool {
        match self.global.color {
            ColorWhen::Always => true,
            ColorWhen::Never => false,
            ColorWhen::Auto => {
                terminal::is_shown() && self.var("NO_COLOR").is_none() && self.var("TERM") != Some("dumb")
            }
        }
    }
}

/// The end of a command over several rigs: what failed in some is said once the others are done.
pub(super) fn of_rigs(failures: Failures) -> Result<Exit> {
    failures.end(|count| format!("{count} things failed, in some of the rigs")).map(|()| Exit::Done)
}

pub(super) fn rig_of_path(town: &Town, path: &std::path::Path) -> Option<String> {
    let path = path.canonicalize().ok()?;
    let name = path.strip_prefix(&town.root).ok()?.components().next()?.as_os_str().to_str()?.to_string();
    (crate::model::address::is_rig_name(&name)
        && town.root.join(&name).join("config.json").is_file()
        && Role::parse(&name).is_none())
    .then_some(name)
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

/// Has the limits read from the settings, if one is ever needed.
fn set_limits(ctx: &Ctx) {
    let (dir, sources, town) = (ctx.dir.clone(), ctx.sources.clone(), Arc::clone(&ctx.town));
    let root = if ctx.global.dir.is_some() { None } else { ctx.var("GT_TOWN_ROOT").map(PathBuf::from) };
    // Looking for a checkout takes a process, which may be what is waited for.
    let read = move || {
        let town = town.get().cloned().or_else(|| Town::find(&dir, root.as_deref()).ok());
        crate::config::limits(&Sources { town: town.map(|town| town.root), ..sources.clone() })
    };
    crate::base::limits::read_by(read, ctx.global.quiet);
}

/// The command that was typed and is not there, and what to use instead, if that is known.
fn instead(error: &clap::Error) -> Option<(&str, &'static str)> {
    use clap::error::{ContextKind, ContextValue};
    // Below a command the same word may mean something else.
    let usage = error.get(ContextKind::Usage).map(ToString::to_string).unwrap_or_default();
    match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(word)) if usage.contains("gt [OPTIONS] [COMMAND]") => {
            Some((word, crate::cli::instead::instead(word)?))
        }
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
    set_limits(ctx);
    for warning in crate::config::env::warnings(&ctx.env) {
        ctx.note(&warning);
    }
    let Some(command) = command else { return home::run(ctx) };
    let concerns = concerns_the_deacon(&command);
    let outcome = verb(ctx, command);
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
