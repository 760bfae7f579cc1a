//! Which process it is: a number alone is given to another one sooner or later.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process_group};
use serde::{Deserialize, Serialize};

#[cfg(not(target_os = "linux"))]
use super::process::Process;

/// A process: its number, and when it was started (in the system's own words).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Its number.
    pub pid: i32,
    /// Which boot, when the system tells.
    pub boot: String,
    /// When in it.
    pub start: String,
}

/// How long a process may take to end when it is asked to.
const PATIENCE: Duration = Duration::from_secs(3);

impl Stamp {
    /// This very process.
    pub fn own() -> Option<Stamp> {
        Stamp::of(rustix::process::getpid().as_raw_nonzero().get())
    }

    /// The process that has this number now; nothing for one that has ended.
    pub fn of(pid: i32) -> Option<Stamp> {
        Some(Stamp { pid, boot: boot(), start: started(pid)? })
    }

    /// Whether it still runs: the very one.
    pub fn alive(&self) -> bool {
        Stamp::of(self.pid).as_ref() == Some(self)
    }

    /// Ends it, and waits for that: SIGTERM, and SIGKILL for one that takes too long. Another process with its number
    /// is left alone.
    pub fn end(&self) {
        let Some(pid) = Pid::from_raw(self.pid) else { return };
        let send = |signal| self.alive() && kill_process(pid, signal).is_ok();
        end(|| self.alive(), send);
    }

    /// Ends the whole group of a process that leads one, also what is left of it after its leader. A number is given
    /// to nobody else while a group carries it.
    pub fn end_group(&self) {
        let Some(group) = Pid::from_raw(self.pid) else { return };
        let ours = || {
            self.alive() || (cfg!(target_os = "linux") && self.boot == boot() && started(self.pid).is_none())
        };
        let alive = || ours() && group_runs(group);
        end(alive, |signal| ours() && kill_process_group(group, signal).is_ok());
    }
}

fn end(alive: impl Fn() -> bool, send: impl Fn(Signal) -> bool) {
    for signal in [Signal::TERM, Signal::KILL] {
        if !alive() || !send(signal) {
            return;
        }
        let limit = Instant::now() + PATIENCE;
        while alive() && Instant::now() < limit {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[cfg(target_os = "linux")]
fn boot() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().into()
}

#[cfg(target_os = "linux")]
fn started(pid: i32) -> Option<String> {
    let (_, mut fields) = stat(pid)?;
    (fields.len() > 19 && !ended(&fields)).then(|| fields.swap_remove(19))
}

/// The name of a process, and what stands after it in `/proc/PID/stat`: state, parent, group and so on. The name can
/// hold anything.
#[cfg(target_os = "linux")]
pub(super) fn stat(pid: i32) -> Option<(String, Vec<String>)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (before, after) = text.rsplit_once(')')?;
    let name = before.split_once('(')?.1.to_string();
    Some((name, after.split_whitespace().map(str::to_string).collect()))
}

#[cfg(target_os = "linux")]
fn ended(fields: &[String]) -> bool {
    matches!(fields.first().map_or("", String::as_str), "Z" | "X")
}

/// The numbers of all processes; none when the system does not tell.
#[cfg(target_os = "linux")]
pub(super) fn pids() -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Whether a process of this group still runs.
pub(super) fn group_runs(group: Pid) -> bool {
    test_kill_process_group(group).is_ok() && any_in_group(group.as_raw_nonzero().get())
}

/// Whether a group has a member that is no zombie.
#[cfg(target_os = "linux")]
fn any_in_group(group: i32) -> bool {
    let own = group.to_string();
    let member =
        |pid: &i32| stat(*pid).is_some_and(|(_, fields)| fields.get(2) == Some(&own) && !ended(&fields));
    let pids = pids();
    pids.is_empty() || pids.iter().any(member)
}

#[cfg(not(target_os = "linux"))]
fn boot() -> String {
    String::new()
}

#[cfg(not(target_os = "linux"))]
fn started(pid: i32) -> Option<String> {
    let output = Process::new("ps")
        .args(["-o", "state=,lstart=", "-p", &pid.to_string()])
        .timeout(super::process::MOMENT)
        .run()
        .ok()?;
    let text = output.text();
    let text = text.trim();
    (output.ok() && !text.is_empty() && !text.starts_with('Z'))
        .then(|| text.split_once(' ').unwrap_or_default().1.trim().to_string())
}

#[cfg(not(target_os = "linux"))]
fn any_in_group(_group: i32) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_passed_on_is_another_process() {
        let own = Stamp::own().unwrap();
        assert!(own.alive());
        let other = Stamp { start: "long ago".into(), ..own };
        assert!(!other.alive());
        // Were it taken for this one, the test would end here.
        other.end();
        other.end_group();
    }

    #[test]
    fn one_that_was_started_is_ended_and_a_zombie_is_not_alive() {
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let stamp = Stamp::of(i32::try_from(child.id()).unwrap()).unwrap();
        stamp.end();
        assert!(!stamp.alive());
        child.wait().unwrap();
    }
}
