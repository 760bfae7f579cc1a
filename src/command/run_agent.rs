//! `gt run-agent`: what the pane of an agent runs. It takes the agent's lock, which says that the folder is in use for as
//! long as anything of the agent runs, and becomes the agent's program.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::base::failure::Exit;
use crate::base::files;
use crate::cli::sessions::{RunAgent, RunClean, RunEnv};
use crate::programs::agent_lock;
use crate::town::occupancy;
use crate::town::report::AgentReport;

/// Only returns when the agent could not be started.
///
/// # Errors
/// When something else holds the lock.
pub fn run(args: &RunAgent) -> Result<Exit> {
    agent_lock::free_descriptor()?;
    let server = std::env::var("TMUX").ok().and_then(|tmux| occupancy::TmuxServer::of_pane(&tmux));
    let runtime = std::env::var("GT_RUNTIME").unwrap_or_default();
    let lock = occupancy::take(&args.lock, (&args.address, &args.instance), server)?;
    AgentReport::begin(&args.lock, &args.instance, &runtime)?;
    let _kept = occupancy::hand_on(&lock)?;
    become_program(&args.program, &args.env)
}

/// Becomes the program of a pane that is not the agent's, or of a hook, with the environment that its session was given.
///
/// # Errors
/// The file of its variables that cannot be read. For a program that cannot be started it ends with the exit code that
/// shells have.
pub fn clean(args: &RunClean) -> Result<Exit> {
    become_program(&args.program, &args.env)
}

fn become_program(program: &[std::ffi::OsString], env: &RunEnv) -> Result<Exit> {
    let env: BTreeMap<String, String> =
        env.env.as_deref().map(files::read_json).transpose()?.unwrap_or_default();
    let failed = agent_lock::become_program(program, env);
    super::tell(&format!("gt: {}", failed.why));
    std::process::exit(failed.code.into())
}
