//! The lock of an agent (`town::occupancy`) as a descriptor that programs inherit.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::process::Process;
use crate::model::environment::{PASSED, keeps};

/// The lowest descriptor that holds it. One digit: no other number can be closed in every shell.
pub const DESCRIPTOR: i32 = 9;

/// Why a program could not be become, and the exit code that shells have for it.
#[derive(Debug)]
pub struct NotExecuted {
    /// 127 for a program that is missing, else 126.
    pub code: u8,
    /// What to say.
    pub why: String,
}

/// Becomes a program: same process, streams and inherited descriptors, of the environment what its session was given, and
/// `more`. Returns only when that failed.
pub fn become_program(argv: &[OsString], more: BTreeMap<String, String>) -> NotExecuted {
    let Some((program, words)) = argv.split_first() else {
        return NotExecuted { code: 126, why: "no program to run".into() };
    };
    let passed = std::env::var(PASSED).ok();
    let kept =
        |key: &OsString| key.to_str().is_some_and(|key| keeps(passed.as_deref(), key) && key != PASSED);
    let env = std::env::vars_os().filter(|(key, _)| kept(key));
    let error = Command::new(program).args(words).env_clear().envs(env).envs(more).exec();
    let shown = program.to_string_lossy();
    match error.kind() {
        ErrorKind::NotFound => {
            NotExecuted { code: 127, why: format!("{shown} is not installed or not on PATH: {error}") }
        }
        _ => NotExecuted { code: 126, why: format!("cannot start {shown}: {error}") },
    }
}

/// Begins this program again without what came in under the lock's descriptor, a lock of the script that runs it say: the
/// lock would get a number that [`without`] does not close.
///
/// # Errors
/// When that failed.
pub fn free_descriptor() -> Result<()> {
    if !is_open() {
        return Ok(());
    }
    let gt = std::env::current_exe().context("where this program is")?;
    Err(without(Process::new(gt).args(std::env::args_os().skip(1))).exec())
}

fn is_open() -> bool {
    Path::new("/dev/fd").join(DESCRIPTOR.to_string()).exists()
}

/// The same program without the lock of the agent that runs gt, for one that outlives the agent: a tmux server, a process
/// in the background.
pub fn without(process: Process) -> Process {
    if !is_open() {
        return process;
    }
    let mut args: Vec<OsString> =
        vec!["-c".into(), format!("exec {DESCRIPTOR}>&-; exec \"$@\"").into(), "sh".into()];
    args.push(process.program);
    args.extend(process.args);
    Process { program: "sh".into(), args, ..process }
}
