//! Where a session is to run, by hand.

use clap::{Args, ValueEnum};

// Where a session is to run, by hand; one way of saying it at a time.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Where it runs")]
pub struct Elsewhere {
    /// On this machine, whatever the preset and the variables say
    #[arg(long, conflicts_with_all = ["remote", "fugue_addr", "tag"])]
    pub local: bool,
    /// On the remote of this name
    #[arg(long, value_name = "NAME", conflicts_with_all = ["fugue_addr", "tag"])]
    pub remote: Option<String>,
    /// On the fugue daemon at this address: tcp://host:port or unix:///path
    #[arg(long, value_name = "URL", conflicts_with = "tag")]
    pub fugue_addr: Option<String>,
    /// On the best remote that has this tag; several: all of them
    #[arg(long)]
    pub tag: Vec<String>,
}

/// What to do when no place can be had there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FallbackArg {
    /// Leave the work as it is, and say so with exit code 3
    Wait,
    /// Do it on this machine
    Local,
    /// Fail, with exit code 1
    Fail,
}
