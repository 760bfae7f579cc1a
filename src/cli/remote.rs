//! Arguments about other machines.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::DryRun;

#[derive(Debug, Args)]
pub struct RemoteArgs {
    #[command(subcommand)]
    pub command: RemoteCommand,
}

#[derive(Debug, Subcommand)]
pub enum RemoteCommand {
    /// List the remotes that are configured or in use; nothing is asked over the network
    List,
    /// Ask the daemons of all remotes at the same time: sessions, latency, tunnels
    Status {
        /// The remote, by name or address; all when not given
        name: Option<String>,
    },
    /// Bring home what polecats on other machines have done
    ///
    /// Work comes home by git alone: finished branches and the records about them are taken from origin, whether or not
    /// the other machine can be reached. Each becomes a request to be merged, as `gt done` makes it. Then the polecat
    /// over there is ended, as soon as its machine answers. Others can push to origin too: a record that does not prove
    /// that it comes from a session of this town waits until you adopt it.
    Sync {
        /// The rig; all that have polecats elsewhere when not given
        rig: Option<String>,
        /// Also take in work that nothing proves: the record of this id, or each of the rig. For the person alone
        #[arg(long, value_name = "ID", num_args = 0..=1, default_missing_value = "", requires = "rig")]
        adopt: Option<String>,
        #[command(flatten)]
        dry: DryRun,
    },
    /// Tunnels to remotes: open, close, show
    Tunnel(TunnelArgs),
}

#[derive(Debug, Args)]
pub struct TunnelArgs {
    #[command(subcommand)]
    pub command: TunnelCommand,
}

#[derive(Debug, Subcommand)]
pub enum TunnelCommand {
    /// Open a remote's tunnel through ssh, and keep it open
    Up {
        /// The remote; all that have `ssh` when not given
        name: Option<String>,
        #[command(flatten)]
        dry: DryRun,
    },
    /// Close a remote's tunnel
    Down {
        /// The remote; all that have `ssh` when not given
        name: Option<String>,
        #[command(flatten)]
        dry: DryRun,
    },
    /// Show how the tunnels stand
    Status {
        /// The remote; all when not given
        name: Option<String>,
    },
    /// Keeps one tunnel: started by `up`, ended by `down`
    #[command(hide = true)]
    Keep {
        /// The tunnel's folder
        dir: PathBuf,
    },
}
