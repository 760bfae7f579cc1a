//! Signals that end gt: the programs that it started end with it, and what has to be put back is.
//!
//! Programs run in process groups of their own, so a Ctrl-C at the terminal reaches gt alone. SIGINT, SIGTERM and SIGHUP
//! are passed on to all of them (as SIGTERM, after a few seconds as SIGKILL); files are left as a kill leaves them.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::stamp;

/// How long programs may take to end before they are killed.
const PATIENCE: Duration = Duration::from_secs(3);

/// How a signal reaches a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// It leads a process group of its own.
    Group,
    /// It is in gt's own group.
    Alone,
    /// The same, and it has the terminal: a Ctrl-C is its own business.
    Terminal,
}

struct SignalState {
    ending: bool,
    next: u64,
    programs: BTreeMap<u64, (Pid, Reach)>,
    put_back: BTreeMap<u64, Box<dyn FnOnce() + Send>>,
}

static STATE: Mutex<SignalState> =
    Mutex::new(SignalState { ending: false, next: 0, programs: BTreeMap::new(), put_back: BTreeMap::new() });

fn state() -> MutexGuard<'static, SignalState> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Something that is looked after when a signal ends gt. Dropping it ends that.
#[derive(Debug)]
pub struct Charge(u64);

impl Drop for Charge {
    fn drop(&mut self) {
        let mut state = state();
        state.programs.remove(&self.0);
        state.put_back.remove(&self.0);
    }
}

impl Charge {
    /// Whether the program has ended. From then on no signal goes to its number.
    pub(in crate::programs) fn try_wait(&self, child: &mut Child) -> std::io::Result<Option<ExitStatus>> {
        let mut state = state();
        let ended = child.try_wait()?;
        if ended.is_some() {
            state.programs.remove(&self.0);
        }
        drop(state);
        if ended.is_some() {
            hold();
        }
        Ok(ended)
    }
}

/// Starts a program that ends with gt.
pub(super) fn spawn(command: &mut Command, reach: Reach) -> std::io::Result<(Child, Charge)> {
    let mut state = going_on();
    let child = command.spawn()?;
    let number = state.next;
    state.next += 1;
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        state.programs.insert(number, (pid, reach));
    }
    Ok((child, Charge(number)))
}

/// Has something put back when a signal ends gt, as long as the answer is kept. It may start programs, and must not take long.
#[must_use]
pub fn at_end(put_back: impl FnOnce() + Send + 'static) -> Charge {
    let mut state = state();
    let number = state.next;
    state.next += 1;
    state.put_back.insert(number, Box::new(put_back));
    Charge(number)
}

/// Waits for the end of gt when a signal is about to end it: what the ended programs did is not acted upon.
pub fn hold() {
    drop(going_on());
}

thread_local! {
    /// Whether this thread ends gt: what it puts back may start programs.
    static ENDS: Cell<bool> = const { Cell::new(false) };
}

fn going_on() -> MutexGuard<'static, SignalState> {
    loop {
        let state = state();
        if !state.ending || ENDS.get() {
            return state;
        }
        drop(state);
        std::thread::park();
    }
}

/// From now on a signal ends gt as this module says. A SIGHUP that is ignored (`nohup`) stays so.
pub fn watch() {
    let mut signals = vec![SIGINT, SIGTERM];
    if !hangups_ignored() {
        signals.push(SIGHUP);
    }
    // Without it a signal ends gt alone, as it ends any program.
    let Ok(mut signals) = Signals::new(signals) else { return };
    std::thread::spawn(move || {
        let mut ending = false;
        for signal in signals.forever() {
            if ending {
                // A second one: now.
                state().programs.values().for_each(|(pid, reach)| send(*pid, *reach, Signal::KILL));
            } else if signal != SIGINT
                || !state().programs.values().any(|(_, reach)| *reach == Reach::Terminal)
            {
                ending = true;
                std::thread::spawn(move || end(signal));
            }
        }
    });
}

fn end(signal: i32) {
    state().ending = true;
    let programs: Vec<(Pid, Reach)> = state().programs.values().copied().collect();
    for step in [Signal::TERM, Signal::KILL] {
        programs.iter().for_each(|(pid, reach)| send(*pid, *reach, step));
        let limit = Instant::now() + PATIENCE;
        while programs.iter().any(|(pid, reach)| runs(*pid, *reach)) && Instant::now() < limit {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    ENDS.set(true);
    let put_back = std::mem::take(&mut state().put_back);
    put_back.into_values().for_each(|put_back| put_back());
    std::process::exit(128 + signal);
}

fn send(pid: Pid, reach: Reach, signal: Signal) {
    let _ = if reach == Reach::Group { kill_process_group(pid, signal) } else { kill_process(pid, signal) };
}

fn runs(pid: Pid, reach: Reach) -> bool {
    let number = pid.as_raw_nonzero().get();
    if reach == Reach::Group { stamp::group_runs(pid) } else { stamp::Stamp::of(number).is_some() }
}

#[cfg(target_os = "linux")]
fn hangups_ignored() -> bool {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = text.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & (1 << (SIGHUP - 1)) != 0)
}

#[cfg(not(target_os = "linux"))]
fn hangups_ignored() -> bool {
    false
}
