//! Arguments about other machines.

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub struct RemoteArgs {
    #[command(subcommand)]
    pub command: RemoteCommand,
}

#[derive(Debug, Subcommand)]
pub enum RemoteCommand {
    /// List the remotes that are configured or in use; nothing is asked over the network
    List,
}
