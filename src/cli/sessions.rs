//! Arguments about sessions.

use crate::model::ids::InstanceId;

use clap::{Args, Subcommand};

use super::DryRun;
use super::elsewhere::Elsewhere;

#[derive(Debug, Args)]
pub struct Attach {
    /// The agent's address, or a bare polecat's name
    pub address: String,
}

#[derive(Debug, Args)]
pub struct Capture {
    /// The agent's address, or a bare polecat's name
    pub address: String,
    /// How many lines at most
    #[arg(short = 'n', long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=5000))]
    pub lines: u16,
}

#[derive(Debug, Args)]
pub struct Agents {
    // `gt agents list`, as the Go program has it.
    #[arg(hide = true, value_parser = ["list"])]
    pub list: Option<String>,
}

#[derive(Debug, Args)]
pub struct SessionArgs {
    #[command(subcommand)]
    pub command: SessionCommand,
}

#[derive(Debug, Subcommand)]
pub enum SessionCommand {
    /// List this town's sessions
    List {
        /// Only this rig's
        #[arg(long)]
        rig: Option<String>,
    },
    /// Stop an agent's session
    Stop {
        /// Its address
        address: String,
        #[command(flatten)]
        dry: DryRun,
    },
    /// Stop an agent's session and start it again on the same work
    Restart {
        /// Its address
        address: String,
        #[command(flatten)]
        elsewhere: Elsewhere,
        #[command(flatten)]
        dry: DryRun,
    },
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("which").required(true))]
pub struct Stop {
    /// Every session of this town
    #[arg(long, group = "which")]
    pub all: bool,
    /// Every session of this rig
    #[arg(long, group = "which")]
    pub rig: Option<String>,
    #[command(flatten)]
    pub dry: DryRun,
}

#[derive(Debug, Args)]
pub struct RunAgent {
    #[command(flatten)]
    pub env: RunEnv,
    /// The file that is locked
    pub lock: std::path::PathBuf,
    /// The agent's address
    pub address: String,
    /// Its session's instance
    pub instance: InstanceId,
    /// Its program and the words of that
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    pub program: Vec<std::ffi::OsString>,
}

#[derive(Debug, Args)]
pub struct RunEnv {
    /// A file of variables that the program gets, as JSON
    #[arg(long, value_name = "FILE")]
    pub env: Option<std::path::PathBuf>,
}

#[derive(Debug, Args)]
pub struct RunClean {
    #[command(flatten)]
    pub env: RunEnv,
    /// The program and its words
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    pub program: Vec<std::ffi::OsString>,
}

#[derive(Debug, Args)]
pub struct SessionEnded {
    /// Whether or not a deacon runs, which else does it
    #[arg(long)]
    pub now: bool,
    /// The agent's address
    pub address: String,
    /// The instance that ended
    pub instance: InstanceId,
}
