//! Which process it is: a number alone is given to another one sooner or later.

#[cfg(target_os = "linux")]
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process_group};
use serde::{Deserialize, Serialize};

#[cfg(not(target_os = "linux"))]
use crate::programs::process::Process;

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

    /// The process that had this number and was started then.
    pub(in crate::programs) fn with(pid: i32, start: String) -> Stamp {
        Stamp { pid, boot: boot(), start }
    }

    /// Whether it still runs: the very one.
    pub fn alive(&self) -> bool {
        Stamp::of(self.pid).as_ref() == Some(self)
    }

    /// Sends it a signal, and to no other process that has its number by now.
    pub(in crate::programs) fn send(&self, signal: Signal) -> bool {
        let Some(pid) = Pid::from_raw(self.pid) else { return false };
        #[cfg(target_os = "linux")]
        if let Ok(handle) = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()) {
            return self.alive() && rustix::process::pidfd_send_signal(&handle, signal).is_ok();
        }
        self.alive() && kill_process(pid, signal).is_ok()
    }

    /// Asks it to end, if it runs.
    pub fn ask_to_end(&self) -> bool {
        self.send(Signal::TERM)
    }

    /// Ends it, and waits for that: SIGTERM, and SIGKILL for one that takes too long. Another process with its number
    /// is left alone.
    pub fn end(&self) {
        end(|| self.alive(), |signal| self.send(signal));
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
    static BOOT: OnceLock<String> = OnceLock::new();
    let read =
        || std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().into();
    BOOT.get_or_init(read).clone()
}

#[cfg(target_os = "linux")]
fn started(pid: i32) -> Option<String> {
    Some(Stat::of(pid)?.start)
}

/// What the system says of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::programs) struct Stat {
    pub(in crate::programs) pid: i32,
    pub(in crate::programs) name: String,
    pub(in crate::programs) parent: i32,
    pub(in crate::programs) group: i32,
    /// Its session's number; 0 where the system does not tell.
    pub(in crate::programs) session: i32,
    /// Whether it has a terminal.
    pub(in crate::programs) terminal: bool,
    /// When it was started, in the system's own words.
    pub(in crate::programs) start: String,
}

#[cfg(target_os = "linux")]
impl Stat {
    /// A process that has not ended: a zombie has.
    pub(in crate::programs) fn of(pid: i32) -> Option<Stat> {
        stat(pid).and_then(|read| Stat::new(pid, read))
    }

    fn new(pid: i32, (name, fields): (String, Vec<String>)) -> Option<Stat> {
        let number = |at: usize| fields.get(at)?.parse::<i32>().ok();
        let (parent, group, session) = (number(1)?, number(2)?, number(3)?);
        let start = fields.get(19)?.clone();
        (!ended(&fields)).then_some(Stat {
            pid,
            name,
            parent,
            group,
            session,
            terminal: number(4)? != 0,
            start,
        })
    }
}

#[cfg(any(not(target_os = "linux"), test))]
impl Stat {
    /// Reads a line of `ps -axo pid=,ppid=,pgid=,tty=,state=,lstart=,comm=`.
    pub(in crate::programs) fn parse_ps(line: &str) -> Option<Stat> {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<i32>().ok();
        let stat = Stat {
            pid: number(0)?,
            parent: number(1)?,
            group: number(2)?,
            session: 0,
            terminal: !fields.get(3)?.starts_with('?'),
            start: fields.get(5..10)?.join(" "),
            name: fields.get(10..)?.join(" ").rsplit('/').next()?.into(),
        };
        (!fields[4].starts_with('Z')).then_some(stat)
    }
}

/// The name of a process, and what stands after it in `/proc/PID/stat`: state, parent, group and so on. The name can
/// hold anything.
#[cfg(target_os = "linux")]
pub(in crate::programs) fn stat(pid: i32) -> Option<(String, Vec<String>)> {
    parse(&String::from_utf8_lossy(&std::fs::read(format!("/proc/{pid}/stat")).ok()?))
}

#[cfg(target_os = "linux")]
fn parse(line: &str) -> Option<(String, Vec<String>)> {
    let (before, after) = line.rsplit_once(')')?;
    let name = before.split_once('(')?.1.to_string();
    Some((name, after.split_whitespace().map(str::to_string).collect()))
}

#[cfg(target_os = "linux")]
fn ended(fields: &[String]) -> bool {
    matches!(fields.first().map_or("", String::as_str), "Z" | "X")
}

/// The numbers of all processes; none when the system does not tell.
#[cfg(target_os = "linux")]
pub(in crate::programs) fn pids() -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Whether a process of this group still runs.
pub(in crate::programs) fn group_runs(group: Pid) -> bool {
    test_kill_process_group(group).is_ok() && any_in_group(group.as_raw_nonzero().get())
}

/// Whether a group has a member that is no zombie.
#[cfg(target_os = "linux")]
fn any_in_group(group: i32) -> bool {
    let member = |pid: &i32| Stat::of(*pid).is_some_and(|stat| stat.group == group);
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
        .timeout(crate::base::limits::MOMENT)
        .run()
        .ok()?;
    let text = output.text();
    let words: Vec<&str> = text.split_whitespace().collect();
    (words.len() > 1 && !words[0].starts_with('Z')).then(|| words[1..].join(" "))
}

#[cfg(not(target_os = "linux"))]
fn any_in_group(_group: i32) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_line_of_proc_is_read_whatever_the_name_is() {
        let line = "4711 (a) b (c)) S 1 4710 4709 34816 4711 4194304 1 0 0 0 0 0 0 0 20 0 1 0 987654 2 3";
        let read = |line: &str| Stat::new(4711, parse(line)?);
        let stat = read(line).unwrap();
        assert_eq!(stat.name, "a) b (c)");
        assert_eq!((stat.parent, stat.group, stat.session), (1, 4710, 4709));
        assert_eq!((stat.terminal, stat.start.as_str()), (true, "987654"));
        assert_eq!(read(&line.replace(") S ", ") Z ")), None, "a zombie has ended");
        assert!(!read(&line.replace("34816", "0")).unwrap().terminal);
        assert_eq!(read("4711 (cut"), None);
    }

    #[test]
    fn a_line_of_ps_is_read() {
        let line = "  4711     1  4710 ??       Ss   Mon Jan  5 10:00:00 2026     /usr/local/bin/my server";
        let stat = Stat::parse_ps(line).unwrap();
        assert_eq!((stat.pid, stat.parent, stat.group, stat.terminal), (4711, 1, 4710, false));
        assert_eq!((stat.name.as_str(), stat.start.as_str()), ("my server", "Mon Jan 5 10:00:00 2026"));
        assert_eq!(Stat::parse_ps(&line.replace(" Ss ", " Z  ")), None);
    }

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
