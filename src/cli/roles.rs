//! Arguments about roles.

use clap::{Args, Subcommand};

use super::DryRun;
use super::elsewhere::Elsewhere;

#[derive(Debug, Args)]
pub struct StartArgs {
    /// Presets asked for, in order
    #[arg(long)]
    pub preset: Vec<String>,
    #[command(flatten)]
    pub dry: DryRun,
}

#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Only these agents, whether `[up]` asks for them or not
    pub addresses: Vec<String>,
    /// As `gt apply --restart` would do it
    #[arg(long)]
    pub restart: bool,
    /// Presets asked for, in order
    #[arg(long)]
    pub preset: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Apply {
    /// Only these agents, whether `[up]` asks for them or not; they are up again if they were down
    pub addresses: Vec<String>,
    /// Also end agents that work, wait or are attached, where that is needed
    #[arg(long)]
    pub restart: bool,
    /// Presets asked for, in order
    #[arg(long)]
    pub preset: Vec<String>,
    #[command(flatten)]
    pub dry: DryRun,
}

#[derive(Debug, Args)]
pub struct DownArgs {
    /// Only these agents: they stay down until they are named by `gt up`
    pub addresses: Vec<String>,
    #[command(flatten)]
    pub dry: DryRun,
}

#[derive(Debug, Args)]
pub struct Freeze {
    /// An agent's address, or the name of any tmux session; every role that runs when not given
    pub what: Option<String>,
}

// How a role's session is started.
#[derive(Clone, Debug, Default, Args)]
pub struct StartHow {
    /// The runtime, instead of the preset's
    #[arg(long)]
    pub agent: Option<String>,
    /// Presets asked for, in order
    #[arg(long)]
    pub preset: Vec<String>,
    #[command(flatten)]
    pub elsewhere: Elsewhere,
    #[command(flatten)]
    pub dry: DryRun,
}

#[derive(Debug, Args)]
pub struct Mayor {
    #[command(subcommand)]
    pub command: MayorCommand,
}

#[derive(Debug, Subcommand)]
pub enum MayorCommand {
    /// Start its session
    Start(StartHow),
    /// Go there; starts it when it does not run
    Attach(StartHow),
    /// Stop its session
    Stop(DryRun),
    /// Say how it is
    Status,
}

#[derive(Debug, Subcommand)]
pub enum RigSession {
    /// Start its session
    Start {
        /// The rig; may be left out inside one
        rig: Option<String>,
        #[command(flatten)]
        how: StartHow,
    },
    /// Go there
    Attach {
        /// The rig; may be left out inside one
        rig: Option<String>,
    },
    /// Stop its session
    Stop {
        /// The rig; may be left out inside one
        rig: Option<String>,
        #[command(flatten)]
        dry: DryRun,
    },
}

#[derive(Debug, Args)]
pub struct Witness {
    #[command(subcommand)]
    pub command: WitnessCommand,
}

#[derive(Debug, Subcommand)]
pub enum WitnessCommand {
    #[command(flatten)]
    Session(RigSession),
    /// Say how it and its polecats are
    Status {
        /// The rig; may be left out inside one
        rig: Option<String>,
    },
    /// Look after the rig's polecats once: no agent needed
    Patrol {
        /// The rig; may be left out inside one
        rig: Option<String>,
        #[command(flatten)]
        dry: DryRun,
    },
}

#[derive(Debug, Args)]
pub struct Refinery {
    #[command(subcommand)]
    pub command: RefineryCommand,
}

#[derive(Debug, Subcommand)]
pub enum RefineryCommand {
    #[command(flatten)]
    Session(RigSession),
    /// Say how it and its queue are
    Status {
        /// The rig; may be left out inside one
        rig: Option<String>,
    },
    /// Test and merge what waits
    Process {
        /// The rig; may be left out inside one
        rig: Option<String>,
        #[command(flatten)]
        dry: DryRun,
    },
    /// Merge one request now
    Merge {
        /// A request's id, polecat-BEAD, or a polecat's name or address
        what: String,
        /// The rig; may be left out inside one
        #[arg(long)]
        rig: Option<String>,
        #[command(flatten)]
        dry: DryRun,
    },
}
