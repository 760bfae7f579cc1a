//! Processes that outlive what started them: what an ended agent or a test run left in the background.
//!
//! They are found by what they cannot easily lose: variables of their environment, a file that they inherited open, their
//! session or process group.
//! A process that only has its working folder in a worktree may be a person's: it is named, never ended.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde::Serialize;

#[cfg(not(target_os = "linux"))]
use crate::base::limits::MOMENT;
#[cfg(target_os = "linux")]
use crate::programs::process::stamp::{Stamp, Stat, pids};

/// How long processes may take to end by themselves, once what started them has.
const GRACE: Duration = Duration::from_millis(700);

/// How long after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long after SIGKILL.
const DEATH: Duration = Duration::from_secs(2);

/// How often what was started meanwhile is looked for.
const ROUNDS: usize = 3;

/// The variable that says which town a process belongs to.
const TOWN: &str = "GT_TOWN_ROOT";

/// The name of a tmux server's process. It stays in the folder that its first client was in, and needs none.
const TMUX: &str = "tmux: server";

/// The variable with the folder that a process was started in: a tmux server sets it for each pane.
const FOLDER: &str = "PWD";

/// What the processes of one agent, or of one test run, are known by.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// Variables, all of which they have.
    pub env: Vec<(&'static str, String)>,
    /// A variable that they do not have.
    pub lacks: Option<(&'static str, String)>,
    /// Leaders of their sessions and process groups, as they were seen while they ran.
    pub leaders: Vec<Stamp>,
    /// A file that they hold open, as long as somebody has a lock on it.
    pub lock: Option<PathBuf>,
    /// Their working folder: who else stands in it is named.
    pub dir: Option<PathBuf>,
}

/// A process, as a person looks for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Named {
    /// Its program.
    pub name: String,
    /// Its number.
    pub pid: i32,
}

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name: String = self.name.chars().filter(|c| !c.is_control()).collect();
        write!(f, "{name} ({})", self.pid)
    }
}

/// Processes in one line: `sh (4711), node (4712)`.
pub fn list(processes: &[Named]) -> String {
    processes.iter().map(Named::to_string).collect::<Vec<_>>().join(", ")
}

/// What came of ending survivors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndedSurvivors {
    /// Those that were ended.
    pub ended: Vec<Named>,
    /// Those that could not be.
    pub remaining: Vec<Named>,
    /// Others that work in the folder, or that a person has in a terminal.
    pub others: Vec<Named>,
}

impl EndedSurvivors {
    /// The tmux servers among the others: they have sessions that may be a person's.
    pub fn servers(&self) -> Vec<Named> {
        self.others.iter().filter(|one| one.name == TMUX).cloned().collect()
    }
}

/// Whether a lock that is held is about this town: a copied `.git` names the lock of the original. The agent that took it
/// says so while it runs, after that the place of the lock.
pub fn is_lock_of(lock: &Path, town: &Path, agent: Option<&Stamp>) -> bool {
    let place = |path: &Path| std::fs::metadata(path).ok().map(|about| (about.dev(), about.ino()));
    let said = agent.filter(|agent| agent.alive()).and_then(|agent| value_of(agent.pid, TOWN));
    match said.and_then(|said| place(Path::new(&said))) {
        Some(said) => place(town) == Some(said),
        None => {
            lock.canonicalize().is_ok_and(|lock| town.canonicalize().is_ok_and(|town| lock.starts_with(town)))
        }
    }
}

/// The process of a pane as the leader of its session, to be taken while it runs: only when it carries the town's mark.
pub fn leader(pid: i32, town: &str) -> Option<Stamp> {
    Stamp::of(pid).filter(|_| carries(pid, TOWN, town))
}

/// Ends what is left of these: after a moment in which it may end by itself SIGTERM, then SIGKILL, each sent only to the
/// process that was seen. With `others` those who stand in a folder get the same moment to leave it. What came of each.
pub fn end(traces: &[Trace], others: bool) -> Vec<EndedSurvivors> {
    let mut outcomes = vec![EndedSurvivors::default(); traces.len()];
    if traces.is_empty() {
        return outcomes;
    }
    let mut found = Census::take(traces);
    if !found.ours.is_empty() || (others && !found.others.is_empty()) {
        let limit = Instant::now() + GRACE;
        wait(limit, || found.ours.iter().any(TracedProcess::alive));
        found = Census::take(traces);
        while others && found.ours.is_empty() && !found.others.is_empty() && Instant::now() < limit {
            std::thread::sleep(Duration::from_millis(20));
            found = Census::take(traces);
        }
    }
    for round in 0..ROUNDS {
        if found.ours.is_empty() {
            break;
        }
        if round == 0 {
            // A stopped process sees the first signal only once it goes on.
            send(&found.ours, &[Signal::TERM, Signal::CONT], PATIENCE);
        }
        send(&found.ours, &[Signal::KILL], DEATH);
        for one in found.ours.iter().filter(|one| !one.alive()) {
            outcomes[one.trace].ended.push(one.named.clone());
        }
        found = Census::take(traces);
    }
    for one in found.ours {
        outcomes[one.trace].remaining.push(one.named);
    }
    for one in found.others {
        outcomes[one.trace].others.push(one.named);
    }
    outcomes
}

fn send(to: &[TracedProcess], signals: &[Signal], patience: Duration) {
    for one in to {
        for signal in signals {
            one.stamp.send(*signal);
        }
    }
    wait(Instant::now() + patience, || to.iter().any(TracedProcess::alive));
}

fn wait(limit: Instant, goes_on: impl Fn() -> bool) {
    while goes_on() && Instant::now() < limit {
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A process with what it carries.
#[derive(Clone, Debug, Default)]
struct SeenProcess {
    stat: Stat,
    /// Its variables by which it is recognised.
    env: Vec<(String, String)>,
    dir: Option<PathBuf>,
}

/// All processes at one moment.
struct Census {
    own: i32,
    all: BTreeMap<i32, SeenProcess>,
    /// Who has the locked files of traces open, by the number of the trace.
    holders: Vec<BTreeSet<i32>>,
}

/// What is left of traces, and who else is in their folders.
struct Remains {
    ours: Vec<TracedProcess>,
    others: Vec<TracedProcess>,
}

/// A process that was found by the trace of this number.
struct TracedProcess {
    trace: usize,
    stamp: Stamp,
    named: Named,
}

impl TracedProcess {
    fn alive(&self) -> bool {
        self.stamp.alive()
    }
}

/// Processes, each with the number of the trace that it was found by.
type Selected = BTreeMap<i32, usize>;

impl Census {
    fn take(traces: &[Trace]) -> Remains {
        let all = seen().into_iter().map(|one| (one.stat.pid, one)).collect();
        let own = rustix::process::getpid().as_raw_nonzero().get();
        Census { own, all, holders: holders(traces) }.of(traces)
    }

    fn of(&self, traces: &[Trace]) -> Remains {
        let (ours, mut others) = self.select(traces);
        // Another command of gt leaves a folder by itself.
        others.retain(|pid, _| !is_gt(*pid));
        let all = |selected: Selected| {
            let one = |(pid, trace)| {
                let stat = &self.all.get(&pid)?.stat;
                let named = Named { name: stat.name.clone(), pid };
                Some(TracedProcess { trace, stamp: Stamp::with(pid, stat.start.clone()), named })
            };
            selected.into_iter().filter_map(one).collect()
        };
        Remains { ours: all(ours), others: all(others) }
    }

    /// Those that are to be ended, and those that are only named.
    fn select(&self, traces: &[Trace]) -> (Selected, Selected) {
        let mut ours = self.by_trace(traces, |trace, one| self.has(trace, one));
        for (trace, holders) in self.holders.iter().enumerate() {
            for pid in holders.iter().filter(|pid| self.all.contains_key(pid)) {
                ours.entry(*pid).or_insert(trace);
            }
        }
        // This command and those it was started from, and a server under which other agents of a town run.
        let mut spared = self.ancestors();
        let other_agent = |one: &&SeenProcess| {
            let town = one.value(TOWN);
            town.is_some()
                && !ours.contains_key(&one.pid())
                && traces.iter().any(|trace| trace.town() == town)
        };
        spared.extend(self.all.values().filter(other_agent).map(|one| one.stat.parent));
        ours.retain(|pid, _| !spared.contains(pid));
        let mut others = ours.clone();
        others.retain(|pid, _| self.is_in_a_terminal(*pid, &ours));
        ours.retain(|pid, _| !others.contains_key(pid));
        let shared = self.shared_servers(&ours);
        ours.retain(|pid, trace| {
            if shared.contains_key(pid) {
                others.insert(*pid, *trace);
            }
            !shared.contains_key(pid) && !self.is_in_a_foreign_pane(*pid, &shared)
        });
        others.extend(self.by_trace(traces, |trace, one| {
            one.stat.name != TMUX
                && !spared.contains(&one.pid())
                && !ours.contains_key(&one.pid())
                && one.stands_in(trace.dir.as_deref())
        }));
        (ours, others)
    }

    fn by_trace(&self, traces: &[Trace], has: impl Fn(&Trace, &SeenProcess) -> bool) -> Selected {
        let trace = |one: &SeenProcess| traces.iter().position(|trace| has(trace, one));
        self.all.values().filter_map(|one| Some((one.pid(), trace(one)?))).collect()
    }

    fn has(&self, trace: &Trace, one: &SeenProcess) -> bool {
        let lacks = trace.lacks.as_ref().is_none_or(|(key, value)| one.value(key) != Some(value));
        let env = !trace.env.is_empty()
            && trace.env.iter().all(|(key, value)| one.value(key) == Some(value.as_str()));
        (env && lacks) || trace.leaders.iter().any(|leader| self.is_led_by(one, leader))
    }

    /// A number that a group or session carries is given to no other process; one that nothing carries any more is.
    fn is_led_by(&self, one: &SeenProcess, leader: &Stamp) -> bool {
        let carries = one.stat.session == leader.pid || one.stat.group == leader.pid;
        carries && self.all.get(&leader.pid).is_none_or(|now| now.stat.start == leader.start)
    }

    fn ancestors(&self) -> BTreeSet<i32> {
        let mut found = BTreeSet::new();
        let mut at = self.own;
        while found.insert(at) {
            at = self.all.get(&at).map_or(0, |one| one.stat.parent);
        }
        found
    }

    /// The tmux servers of ours with a pane that is not evidently the agent's, each with the panes that are. A server hands
    /// its variables to every pane, whoever asked for it: so the pane's folder counts too.
    fn shared_servers(&self, ours: &Selected) -> BTreeMap<i32, BTreeSet<&str>> {
        let servers = ours.keys().filter_map(|pid| self.all.get(pid)).filter(|one| one.stat.name == TMUX);
        let split = |server: &SeenProcess| {
            let folder = server.value(FOLDER).map(Path::new).filter(|folder| folder.parent().is_some());
            let is_own = |one: &&SeenProcess| {
                let at = one.value(FOLDER).map(Path::new);
                ours.contains_key(&one.pid()) && at.zip(folder).is_some_and(|(at, of)| at.starts_with(of))
            };
            let panes = self.all.values().filter(|one| one.stat.parent == server.pid());
            let (own, foreign): (Vec<&SeenProcess>, Vec<&SeenProcess>) = panes.partition(is_own);
            let own = own.iter().filter_map(|one| one.value("TMUX_PANE")).collect();
            (!foreign.is_empty()).then_some((server.pid(), own))
        };
        servers.filter_map(split).collect()
    }

    /// Whether a process was started in a pane of a shared server that is not evidently the agent's.
    fn is_in_a_foreign_pane(&self, pid: i32, shared: &BTreeMap<i32, BTreeSet<&str>>) -> bool {
        let Some(one) = self.all.get(&pid) else { return false };
        let server = one.value("TMUX").and_then(|tmux| tmux.rsplit(',').nth(1)?.parse().ok());
        let own = server.and_then(|server: i32| shared.get(&server));
        own.is_some_and(|own| one.value("TMUX_PANE").is_none_or(|pane| !own.contains(pane)))
    }

    /// Whether a process has a terminal that none of ours gave it: its agent's own was hung up when its session ended.
    fn is_in_a_terminal(&self, pid: i32, ours: &Selected) -> bool {
        let Some(one) = self.all.get(&pid).filter(|one| one.stat.terminal) else { return false };
        let leader = self.all.get(&one.stat.session);
        leader.is_some_and(|leader| !ours.contains_key(&leader.stat.parent))
    }
}

impl SeenProcess {
    fn pid(&self) -> i32 {
        self.stat.pid
    }

    fn value(&self, key: &str) -> Option<&str> {
        self.env.iter().find(|(own, _)| own == key).map(|(_, value)| value.as_str())
    }

    fn stands_in(&self, dir: Option<&Path>) -> bool {
        self.dir.as_deref().zip(dir).is_some_and(|(own, dir)| own.starts_with(dir))
    }
}

impl Trace {
    /// The town whose agents it is about, or whose agents it leaves out.
    fn town(&self) -> Option<&str> {
        self.env.iter().chain(&self.lacks).find(|(key, _)| *key == TOWN).map(|(_, value)| value.as_str())
    }
}

/// Whether somebody has a lock on a file, and which file it is.
fn locked(path: &Path) -> Option<(u64, u64)> {
    let file = crate::base::files::open(path).ok()?;
    let about = file.metadata().ok()?;
    matches!(file.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock))
        .then_some((about.dev(), about.ino()))
}

/// Who has the locked files of traces open. Every descriptor of every process is looked at, and only for a lock that is
/// still held.
#[cfg(target_os = "linux")]
fn holders(traces: &[Trace]) -> Vec<BTreeSet<i32>> {
    let files: Vec<_> = traces.iter().map(|trace| trace.lock.as_deref().and_then(locked)).collect();
    let mut found = vec![BTreeSet::new(); traces.len()];
    if files.iter().all(Option::is_none) {
        return found;
    }
    for pid in pids() {
        let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        for open in descriptors.filter_map(|entry| std::fs::metadata(entry.path()).ok()) {
            let open = Some((open.dev(), open.ino()));
            if let Some(trace) = files.iter().position(|file| *file == open) {
                found[trace].insert(pid);
            }
        }
    }
    found
}

/// This system does not show them: the lock alone tells that something is left.
#[cfg(not(target_os = "linux"))]
fn holders(traces: &[Trace]) -> Vec<BTreeSet<i32>> {
    vec![BTreeSet::new(); traces.len()]
}

/// The variables that gt and tmux set, of an environment as the kernel keeps it.
#[cfg(any(target_os = "linux", test))]
fn own_variables(environ: &[u8]) -> Vec<(String, String)> {
    let known: [&[u8]; 4] = [b"GT_", b"PWD=", b"TMUX=", b"TMUX_PANE="];
    let words = environ.split(|byte| *byte == 0);
    let words = words.filter(|word| known.iter().any(|begin| word.starts_with(begin)));
    let pair = |word: &[u8]| {
        let (key, value) = std::str::from_utf8(word).ok()?.split_once('=')?;
        Some((key.into(), value.into()))
    };
    words.filter_map(pair).collect()
}

#[cfg(target_os = "linux")]
fn seen() -> Vec<SeenProcess> {
    let seen = |pid: i32| {
        let of = |what: &str| format!("/proc/{pid}/{what}");
        // What other users run tells neither its environment nor its folder.
        Some(SeenProcess {
            stat: Stat::of(pid)?,
            env: own_variables(&std::fs::read(of("environ")).unwrap_or_default()),
            dir: std::fs::read_link(of("cwd")).ok(),
        })
    };
    pids().into_iter().filter_map(seen).collect()
}

#[cfg(target_os = "linux")]
fn is_gt(pid: i32) -> bool {
    let program = |pid: &str| std::fs::read_link(format!("/proc/{pid}/exe")).ok();
    program("self").is_some_and(|own| program(&pid.to_string()) == Some(own))
}

#[cfg(target_os = "linux")]
fn carries(pid: i32, key: &str, value: &str) -> bool {
    value_of(pid, key).as_deref() == Some(value)
}

#[cfg(target_os = "linux")]
fn value_of(pid: i32, key: &str) -> Option<String> {
    let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    own_variables(&environ).into_iter().find_map(|(own, is)| (own == key).then_some(is))
}

/// `ps` shows variables without an end that can be told.
#[cfg(not(target_os = "linux"))]
fn value_of(_pid: i32, _key: &str) -> Option<String> {
    None
}

#[cfg(not(target_os = "linux"))]
fn carries(pid: i32, key: &str, value: &str) -> bool {
    let words = ["-Eww", "-o", "command=", "-p", &pid.to_string()];
    let shown = Process::new("ps").args(words).timeout(MOMENT).run();
    shown.is_ok_and(|output| format!("{} ", output.text()).contains(&format!(" {key}={value} ")))
}

#[cfg(not(target_os = "linux"))]
fn is_gt(_pid: i32) -> bool {
    false
}

/// Sessions and groups alone: this system shows neither environments nor folders of others.
#[cfg(not(target_os = "linux"))]
fn seen() -> Vec<SeenProcess> {
    let words = ["-axo", "pid=,ppid=,pgid=,tty=,state=,lstart=,comm="];
    let Ok(output) = Process::new("ps").args(words).timeout(MOMENT).run() else { return Vec::new() };
    let stats = output.text().lines().filter_map(Stat::parse_ps).collect::<Vec<_>>();
    stats.into_iter().map(|stat| SeenProcess { stat, ..SeenProcess::default() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process by number, parent, session, what it carries and where it works.
    fn one(pid: i32, parent: i32, session: i32, env: &[(&str, &str)], dir: &str) -> SeenProcess {
        let stat =
            Stat { pid, parent, group: session, session, start: format!("at {pid}"), ..Stat::default() };
        let env = env.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        SeenProcess { stat, env, dir: (!dir.is_empty()).then(|| dir.into()) }
    }

    fn in_a_terminal(mut seen: SeenProcess) -> SeenProcess {
        seen.stat.terminal = true;
        seen
    }

    fn selected(all: Vec<SeenProcess>, traces: &[Trace]) -> (Vec<i32>, Vec<i32>) {
        selected_with(all, traces, Vec::new())
    }

    fn selected_with(
        all: Vec<SeenProcess>,
        traces: &[Trace],
        holders: Vec<BTreeSet<i32>>,
    ) -> (Vec<i32>, Vec<i32>) {
        let all = all.into_iter().map(|one| (one.pid(), one)).collect();
        let (ours, others) = Census { own: 2, all, holders }.select(traces);
        (ours.into_keys().collect(), others.into_keys().collect())
    }

    const NUX: [(&str, &str); 2] = [("GT_TOWN_ROOT", "/t"), ("GT_ADDRESS", "w/Nux")];
    const ACE: [(&str, &str); 2] = [("GT_TOWN_ROOT", "/t"), ("GT_ADDRESS", "w/Ace")];

    fn nux() -> Trace {
        let env = vec![("GT_TOWN_ROOT", "/t".to_string()), ("GT_ADDRESS", "w/Nux".to_string())];
        Trace { env, dir: Some("/t/w/polecats/Nux".into()), ..Trace::default() }
    }

    #[test]
    fn only_variables_of_gt_are_kept_and_bytes_that_are_no_text_do_no_harm() {
        let environ = b"PATH=/bin\0GT_A=b=c\0GT_EMPTY=\0GT_ODD=\xff\0GT_NONE\0";
        let pair = |key: &str, value: &str| (key.to_string(), value.to_string());
        assert_eq!(own_variables(environ), [pair("GT_A", "b=c"), pair("GT_EMPTY", "")]);
        assert!(own_variables(b"").is_empty());
    }

    #[test]
    fn what_carries_an_agents_variables_is_its_own_wherever_it_went() {
        let all = vec![
            one(10, 1, 10, &NUX, "/"),
            one(11, 1, 11, &ACE, "/t/w/polecats/Ace"),
            one(12, 1, 12, &[("GT_TOWN_ROOT", "/other"), ("GT_ADDRESS", "w/Nux")], "/"),
            one(13, 1, 13, &[], "/t/w/polecats/Nux/src"),
            one(14, 1, 14, &[], "/t/w/polecats/Nuxx"),
        ];
        assert_eq!(selected(all, &[nux()]), (vec![10], vec![13]));
    }

    #[test]
    fn who_holds_the_lock_is_its_own_without_any_variable() {
        let all = vec![one(10, 1, 10, &[], "/"), one(11, 1, 11, &[], "/")];
        let holders = vec![BTreeSet::from([11, 12])];
        assert_eq!(selected_with(all, &[nux()], holders), (vec![11], vec![]));
    }

    #[test]
    fn this_command_and_those_above_it_are_spared() {
        let all = vec![one(3, 1, 3, &NUX, ""), one(2, 3, 3, &NUX, ""), one(4, 3, 3, &NUX, "")];
        assert_eq!(selected(all, &[nux()]), (vec![4], vec![]));
    }

    #[test]
    fn a_server_that_others_run_under_is_spared() {
        let server = || one(20, 1, 20, &NUX, "/t/w/polecats/Nux");
        let all = vec![server(), one(21, 20, 21, &ACE, ""), one(22, 20, 22, &NUX, "")];
        assert_eq!(selected(all, &[nux()]), (vec![22], vec![]));
        // One of its own, with a town of its own in it, is not.
        let nested = one(21, 20, 21, &[("GT_TOWN_ROOT", "/nested"), ("GT_ADDRESS", "w/Nux")], "");
        assert_eq!(selected(vec![server(), nested], &[nux()]), (vec![20], vec![]));
    }

    #[test]
    fn a_tmux_server_with_a_pane_that_may_be_a_persons_is_named_alone() {
        let process = |pid, parent, of_tmux: &[(&str, &str)]| {
            one(pid, parent, pid, &[NUX.as_slice(), of_tmux].concat(), "")
        };
        let server = || {
            let mut server = process(20, 1, &[("PWD", "/t/w/polecats/Nux")]);
            server.stat.name = TMUX.into();
            server
        };
        let pane = |pid, parent, pane, dir| {
            process(pid, parent, &[("PWD", dir), ("TMUX", "/tmp/own,20,0"), ("TMUX_PANE", pane)])
        };
        let own = || [server(), pane(21, 20, "%0", "/t/w/polecats/Nux"), pane(22, 1, "%0", "/")];
        assert_eq!(selected(own().into(), &[nux()]), (vec![20, 21, 22], vec![]));
        let persons = [pane(23, 20, "%1", "/home"), pane(24, 1, "%1", "/home"), pane(25, 1, "%7", "/home")];
        let all = own().into_iter().chain(persons).collect();
        assert_eq!(selected(all, &[nux()]), (vec![21, 22], vec![20]));
        let all = own().into_iter().chain([one(23, 20, 23, &[], "/")]).collect();
        assert_eq!(selected(all, &[nux()]), (vec![21, 22], vec![20]));
    }

    #[test]
    fn what_a_person_has_in_a_terminal_is_named_alone() {
        let shell = in_a_terminal(one(31, 30, 31, &NUX, "/home"));
        let editor = in_a_terminal(one(32, 31, 31, &NUX, "/home"));
        let all = vec![one(30, 1, 30, &[], ""), shell, editor];
        assert_eq!(selected(all, &[nux()]), (vec![], vec![31, 32]));
        // A terminal that the agent itself opened, as `script` does.
        let inner = in_a_terminal(one(42, 41, 42, &NUX, ""));
        assert_eq!(selected(vec![one(41, 1, 41, &NUX, ""), inner], &[nux()]), (vec![41, 42], vec![]));
    }

    #[test]
    fn a_session_is_known_by_its_leader_unless_the_number_passed_on() {
        let leader = Stamp::with(50, "at 50".into());
        let trace = Trace { leaders: vec![leader.clone()], ..Trace::default() };
        let member = || one(51, 1, 50, &[], "");
        assert_eq!(selected(vec![member()], std::slice::from_ref(&trace)), (vec![51], vec![]));
        assert_eq!(selected(vec![one(50, 1, 50, &[], ""), member()], &[trace]), (vec![50, 51], vec![]));
        let before = Stamp { start: "long ago".into(), ..leader };
        let trace = Trace { leaders: vec![before], ..Trace::default() };
        assert_eq!(selected(vec![one(50, 1, 50, &[], ""), member()], &[trace]), (vec![], vec![]));
    }

    #[test]
    fn a_test_run_is_known_by_its_mark_and_agents_are_none_of_it() {
        let run = |extra: &[(&'static str, &'static str)]| [&[("GT_TEST_RUN", "/t/w")], extra].concat();
        let trace = Trace {
            env: vec![("GT_TEST_RUN", "/t/w".into())],
            lacks: Some(("GT_TOWN_ROOT", "/t".into())),
            ..Trace::default()
        };
        let all = vec![
            one(60, 1, 60, &run(&[]), ""),
            one(61, 1, 61, &run(&[("GT_TOWN_ROOT", "/nested")]), ""),
            one(62, 1, 62, &run(&[]), ""),
            one(63, 62, 63, &run(&ACE), ""),
        ];
        assert_eq!(selected(all, &[trace]), (vec![60, 61], vec![]));
    }
}
