//! Argument types only: their doc comments are `--help` and the man pages.

pub mod bd;
pub mod daemon;
pub mod elsewhere;
pub mod instead;
pub mod queue;
pub mod remote;
pub mod roles;
pub mod sessions;
pub mod talk;
pub mod town;
pub mod work;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Runs many AI coding agents side by side in tmux, as one town.
#[derive(Debug, Parser)]
#[command(name = "gt", version, disable_help_subcommand = true, infer_subcommands = false)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    /// What needs you first, when not given
    #[command(subcommand)]
    pub command: Option<Command>,
}

// What every command takes.
#[derive(Clone, Debug, Default, Args)]
pub struct Global {
    /// Act as if started in DIR
    #[arg(short = 'C', long = "town", value_name = "DIR", global = true)]
    pub dir: Option<PathBuf>,
    /// Answer with one JSON object
    #[arg(long, global = true)]
    pub json: bool,
    /// Say only what was asked for
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// When to use colour
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true)]
    pub color: ColorWhen,
}

/// `--color`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

// Only show what would be done.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct DryRun {
    /// Show what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

// Deferred: the words of a command are built when it is the one that runs.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum Command {
    /// Make a town
    Install(town::Install),
    /// Check the town and repair it
    Doctor(town::Doctor),
    /// Show the whole town on one screen
    Status(town::StatusArgs),
    /// Bring a town of the older layout to the present one
    Migrate(DryRun),
    /// Bring the beads in step with those of other towns, over git
    Sync(town::SyncArgs),
    /// Remove recovery refs that are merged or 30 days old, old logs and other leftovers
    Gc(town::Gc),
    /// Show or explain the settings
    Config(town::ConfigArgs),
    /// List, show, check or explain presets
    Preset(town::PresetArgs),
    /// Add, list or remove rigs
    Rig(town::RigArgs),
    /// List the rigs
    Rigs,
    /// Add, list or remove personal clones
    Crew(town::CrewArgs),
    /// List a rig's polecats
    Polecats(town::Polecats),
    /// List the agents; on a terminal, choose one and go there
    Agents(sessions::Agents),
    /// Start what should run
    Start(roles::StartArgs),
    /// Show what `gt apply` would do: + start, ~ change, - stop, ! left alone
    Plan(roles::PlanArgs),
    /// Make what runs be what the configuration asks for
    Apply(roles::Apply),
    /// The same, after taking back a `gt down` of the whole town
    Up(roles::Apply),
    /// Stop what should run, and keep it down
    Down(roles::DownArgs),
    /// Print a preset of what runs
    Freeze(roles::Freeze),
    /// The Mayor's session
    Mayor(roles::Mayor),
    /// The deacon: what keeps the town going by itself
    #[command(visible_alias = "deacon")]
    Daemon(daemon::DaemonArgs),
    /// Show what happened
    Feed(daemon::Feed),
    /// Keep anything new from starting and merging by itself; agents go on
    Pause(daemon::Pause),
    /// Take a pause back
    Resume(daemon::Resume),
    /// A rig's witness: its session, and the patrol over its polecats
    Witness(roles::Witness),
    /// A rig's refinery: its session, and the merge queue's engine
    Refinery(roles::Refinery),
    /// Go to an agent's session
    Attach(sessions::Attach),
    /// Print the last lines of an agent's screen
    Capture(sessions::Capture),
    /// Show what an agent asks a person, or answer it
    Answer(talk::AnswerArgs),
    /// Give beads to new polecats
    Sling(work::Sling),
    /// Show what waits: to be started, and to be merged
    Queue(work::QueueArgs),
    /// Start what waits, as far as there are places: what the deacon does by itself
    Dispatch(work::Dispatch),
    /// Take a bead back from its polecat, or out of the queue
    Unsling(work::Unsling),
    /// Keep a bead from being slung
    Hold(work::Hold),
    /// Let a held bead go
    Unhold(work::Hold),
    /// Start a polecat on an issue
    Spawn(work::Spawn),
    /// Show what is on my hook
    Hook(work::HookArgs),
    /// Print everything an agent needs to begin
    Prime(work::PrimeArgs),
    /// Hand finished work to the merge queue
    Done(work::DoneArgs),
    /// End this session: finished work is handed over, unfinished work goes on in a new one
    Handoff(work::Handoff),
    /// The merge queue
    #[command(visible_alias = "mq")]
    MergeQueue(queue::MergeQueue),
    /// Make beads and requests that others made, or changed, this town's own
    Adopt(queue::AdoptArgs),
    /// Land a polecat's work without the queue
    Land(queue::Land),
    /// Show what a polecat changed
    Diff(queue::LookArgs),
    /// Print where an agent works
    Path(queue::LookArgs),
    /// Show a polecat's commits
    Log(queue::LookArgs),
    /// Read and send mail
    Mail(talk::Mail),
    /// Sessions: stop, list, restart
    Session(sessions::SessionArgs),
    /// Stop sessions: all, or one rig's
    Stop(sessions::Stop),
    /// Polecats: list, recover, release, nuke
    Polecat(work::PolecatArgs),
    /// Other machines where sessions can live
    Remote(remote::RemoteArgs),
    /// The store of work, in bd's words
    #[command(disable_help_flag = true)]
    Bd(bd::Raw),
    /// Show the whole flow on a small repository made for it
    Demo(town::DemoArgs),
    /// Deprecated: polecats are not pooled
    #[command(hide = true)]
    Wake(town::Ignored),
    /// Deprecated: polecats are not pooled
    #[command(hide = true)]
    Sleep(town::Ignored),
    /// Does the bead's own script: the program of the `shell` runtime
    #[command(hide = true)]
    RunScript,
    /// Takes an agent's lock, then becomes its program: what the pane of an agent runs
    #[command(hide = true)]
    RunAgent(sessions::RunAgent),
    /// Becomes a program with the environment that its session was given: what other panes and hooks run
    #[command(hide = true)]
    RunClean(sessions::RunClean),
    /// A session's end: run by the hook of the session
    #[command(hide = true)]
    SessionEnded(sessions::SessionEnded),
    /// Tells the person something, as [notify] says: run by the deacon
    #[command(hide = true)]
    Notify(daemon::Notify),
    /// Takes an event of an agent's program from standard input: run by the program's own hooks
    #[command(hide = true)]
    HookEvent,
}
