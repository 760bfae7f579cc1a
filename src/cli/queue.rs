//! Arguments about the merge queue and landing.

use clap::{Args, Subcommand};

use super::DryRun;

#[derive(Debug, Args)]
pub struct MergeQueue {
    #[command(subcommand)]
    pub command: QueueCommand,
}

#[derive(Debug, Subcommand)]
pub enum QueueCommand {
    /// Put a polecat's finished branch in the queue
    Add {
        /// The polecat: RIG NAME, RIG/NAME, its bead, or NAME inside the rig and in a town of one
        #[arg(required = true, num_args = 1..=2, value_name = "POLECAT")]
        polecat: Vec<String>,
        #[command(flatten)]
        dry: DryRun,
    },
    /// List what waits to be merged
    List {
        /// The rig; may be left out inside one
        rig: Option<String>,
    },
    /// Show one request
    Show {
        /// Its id, or its bead's
        id: String,
    },
    /// Count what waits
    Status {
        /// The rig; may be left out inside one
        rig: Option<String>,
    },
    /// Show what requests change, and consent to their being merged
    Approve {
        /// Their ids
        #[arg(required = true)]
        ids: Vec<String>,
        #[command(flatten)]
        dry: DryRun,
    },
    /// Put a request that was set aside back in the queue
    Retry {
        /// Its id, or its bead's
        id: String,
        #[command(flatten)]
        dry: DryRun,
    },
    /// Take a request out of the queue: its bead is set aside
    Reject {
        /// Its id, or its bead's
        id: String,
        /// Why
        #[arg(short, long)]
        reason: Option<String>,
        #[command(flatten)]
        dry: DryRun,
    },
    /// Show which requests touch the same files
    Overlap {
        /// The rig; may be left out inside one
        rig: Option<String>,
    },
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  gt adopt\n  gt adopt wy-a1b --yes\n  gt adopt --all --rig wyvern")]
pub struct AdoptArgs {
    /// Ids of beads and requests; what is foreign is listed when none is given
    pub ids: Vec<String>,
    /// All foreign beads; requests are adopted by their ids
    #[arg(long, conflicts_with = "ids")]
    pub all: bool,
    /// Only of this rig
    #[arg(long)]
    pub rig: Option<String>,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    #[command(flatten)]
    pub dry: DryRun,
}

#[derive(Debug, Args)]
pub struct Land {
    /// RIG/NAME
    pub address: String,
    /// Land it without the queue
    #[arg(long, required = true)]
    pub direct: bool,
    /// Skip the checks that can be skipped
    #[arg(long)]
    pub force: bool,
    /// Do not run the tests
    #[arg(long)]
    pub skip_tests: bool,
    #[command(flatten)]
    pub dry: DryRun,
}

#[derive(Debug, Args)]
pub struct LookArgs {
    /// The agent's address
    pub address: String,
}
