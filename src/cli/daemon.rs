//! Arguments about the deacon.

use clap::{Args, Subcommand};

use super::DryRun;

#[derive(Debug, Args)]
pub struct DaemonArgs {
    #[command(subcommand)]
    pub command: DaemonCommand,
}

#[derive(Debug, Subcommand)]
pub enum DaemonCommand {
    /// Be it, in the foreground, until a signal: for a service manager
    Run,
    /// Start it, detached
    Start(DryRun),
    /// End it, with the commands that it runs; agents go on
    Stop(DryRun),
    /// Have systemd or launchd start it when you log in, and again after a failure
    Install {
        /// A variable of yours that its agents get, such as the key of a model; more than once
        #[arg(long, value_name = "NAME")]
        env: Vec<String>,
        #[command(flatten)]
        dry: DryRun,
    },
    /// Take that back; the deacon ends, agents go on
    Uninstall(DryRun),
    /// Show whether it runs, what it does at this moment, and what it could not read
    Status,
    /// Print the end of its log
    Logs {
        /// Go on printing what comes
        #[arg(short, long)]
        follow: bool,
        /// How many lines
        #[arg(short = 'n', long, default_value_t = 50)]
        lines: usize,
    },
}

#[derive(Debug, Args)]
pub struct Notify {
    /// What is the matter
    pub what: String,
    /// The command that helps
    pub command: String,
}

#[derive(Debug, Args)]
pub struct Feed {
    /// Go on with what happens
    #[arg(short, long)]
    pub follow: bool,
    /// From then on: 30m, 8h, or a time as 2026-01-31T08:00Z; the last 50 when not given
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only of this rig
    #[arg(long)]
    pub rig: Option<String>,
}

#[derive(Debug, Args)]
pub struct Pause {
    /// Only this rig
    pub rig: Option<String>,
    /// Until then by itself: 30m, 2h, or a time as 2026-01-31T08:00Z
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    #[command(flatten)]
    pub dry: DryRun,
}

#[derive(Debug, Args)]
pub struct Resume {
    /// Only this rig
    pub rig: Option<String>,
    #[command(flatten)]
    pub dry: DryRun,
}
