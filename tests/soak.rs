//! Kills at random moments, of gt and of git, and many commands at once: afterwards the same command, or one
//! `gt doctor --fix`, leaves no worktree, branch, session, name, lock or process over, and every change is on main once.
//!
//! One round each by default. `scripts/soak` runs many: `SOAK_ROUNDS`, `SOAK_SECONDS` (of many commands at once) and
//! `SOAK_BEADS` say how many, `SOAK_SEED` repeats the same delays.

mod deacon;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::common::{ADDRESS, Run, World, gt, kill, wait_for};
use crate::flow::{names, request};

const CLONE: &str = "town/wyvern/mayor/rig";
/// A new world after so many failures; then the phase is given up.
const FAILURES: usize = 5;
/// No command of a town takes so long.
const LIMIT: Duration = Duration::from_secs(120);

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn seed() -> u64 {
    static SEED: std::sync::OnceLock<u64> = std::sync::OnceLock::new();
    let clock = || std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64 % 1_000_000;
    *SEED.get_or_init(|| number("SOAK_SEED", clock()))
}

/// Numbers that a seed repeats (splitmix64).
struct Random(u64);

impl Random {
    fn of(phase: &str, round: u64) -> Random {
        let name = phase.bytes().fold(0u64, |sum, byte| sum.wrapping_mul(31) + u64::from(byte));
        Random(seed() ^ (name << 20) ^ round.wrapping_mul(0x9e37_79b9))
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end.max(1)
    }
}

/// What is killed, and when.
#[derive(Clone, Copy, Debug)]
enum Kill {
    /// gt after a delay; with `group` everything that it started as well.
    Gt { delay: Duration, group: bool },
    /// The git of this call, counted from 1, before its so manyth write (or rename, which ends a write).
    Git { call: u64, syscall: &'static str, nth: u64 },
}

/// One town in which rounds are run.
struct Soak {
    world: World,
    kill: Kill,
    killed: bool,
    round: u64,
    /// How many calls of git the last command made.
    calls: u64,
    /// What the round's commands said, for a failure.
    said: RefCell<String>,
}

impl Soak {
    fn new() -> Soak {
        let world = World::with_rig();
        world.settings(
            "[beads]\nstore = \"embedded\"\n[agents.waits]\ncommand = [\"sleep\", \"6000\"]\nprompt = \"none\"\n",
        );
        for role in ["MAYOR", "WITNESS", "REFINERY"] {
            world.set(&format!("GASTOWN_{role}__AGENT"), "waits");
        }
        // A server that a killed command starts would hand that command's environment on.
        world.tmux(["new-session", "-d", "-s", "a-persons-own", "exec sleep 5000"]).ok();
        let kill = Kill::Gt { delay: Duration::ZERO, group: false };
        Soak { world, kill, killed: false, round: 0, calls: 0, said: RefCell::default() }
    }

    /// The command of a round, killed on its way.
    fn killed(&mut self, dir: &str, words: &[&str]) {
        let mut command = self.world.command(gt(), dir);
        command.args(words);
        match self.kill {
            Kill::Gt { delay, group } => self.killed = kill::after(&self.world, &mut command, delay, group),
            Kill::Git { call, syscall, nth } => {
                let log = self.world.path("calls");
                command.env("SOAK_GIT_LOG", &log);
                command.env("SOAK_GIT_CALL", call.to_string());
                command.env("SOAK_GIT_SYSCALL", syscall).env("SOAK_GIT_NTH", nth.to_string());
                kill::within(&self.world, &mut command, LIMIT);
                let text = std::fs::read_to_string(&log).unwrap_or_default();
                self.calls = text.lines().count() as u64;
                self.killed = std::fs::remove_file(self.world.path("git-killed")).is_ok();
                let _ = std::fs::remove_file(log);
            }
        }
    }

    /// A command that is not killed and need not succeed: what it should do may be done.
    fn again(&self, dir: &str, words: &[&str]) -> Run {
        let run = kill::within(&self.world, self.world.command(gt(), dir).args(words), LIMIT);
        let said = format!("$ gt {}\n{}{}({:?})\n", words.join(" "), run.stdout, run.stderr, run.code);
        self.said.borrow_mut().push_str(&said);
        assert!(matches!(run.code, Some(0 | 1)), "{run:#?}");
        run
    }

    fn settle(&self, agents: usize) {
        kill::settle(&self.world, "sleep 6000", agents);
    }

    /// Doctor, once.
    fn heal(&self) {
        let run = self.again("town", &["doctor", "--fix"]);
        assert_eq!(run.code, Some(0), "{run:#?}");
        self.settle(0);
        let run = self.again("town", &["doctor"]);
        assert_eq!(run.code, Some(0), "{run:#?}");
    }

    /// Merges what is in the queue, and finds nothing left over.
    fn end(&self) {
        let processed = self.again("town", &["refinery", "process", "wyvern"]);
        self.settle(0);
        self.heal();
        if processed.code == Some(1) {
            self.world.in_town(["refinery", "process", "wyvern"]).ok();
            self.heal();
        }
        self.clean();
    }

    fn clean(&self) {
        let world = &self.world;
        for clone in [CLONE, "town/wyvern/refinery/rig"] {
            let trees = world.git(clone, ["worktree", "list", "--porcelain"]);
            assert_eq!(trees.matches("worktree ").count(), 1, "{clone}: {trees}");
            let refs = world.git(clone, ["for-each-ref", "--format=%(refname)", "refs/heads", "refs/gt"]);
            let stray = refs
                .lines()
                .filter(|name| *name != "refs/heads/main" && !name.starts_with("refs/gt/recovery/"));
            assert_eq!(stray.collect::<Vec<_>>(), [""; 0], "{clone}");
        }
        let heads = world.git("origin.git", ["for-each-ref", "--format=%(refname)", "refs/heads"]);
        assert_eq!(heads, "refs/heads/main", "origin");
        assert_eq!(names(world), [""; 0], "names");
        let folders: Vec<_> = std::fs::read_dir(world.path("town/wyvern/polecats")).unwrap().collect();
        let folders = folders.into_iter().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let stray = folders.filter(|name| ![".names", ".state", ".kept"].contains(&name.as_str()));
        assert_eq!(stray.collect::<Vec<_>>(), [""; 0], "folders of polecats");
        let mut stray = Vec::new();
        leftovers(&world.path("town"), &mut stray);
        leftovers(&world.path("origin.git"), &mut stray);
        assert_eq!(stray, [""; 0], "locks and drafts");
        let sessions = world.tmux(["list-sessions", "-F", "#{session_name}"]).ok().stdout;
        assert_eq!(sessions.trim(), "a-persons-own");
        let held: Vec<String> = self
            .beads()
            .into_iter()
            .filter(|(_, bead)| {
                let status = bead["status"].as_str().unwrap_or_default();
                bead["issue_type"] != "message" && ["hooked", "in_progress"].contains(&status)
                    || bead["issue_type"] == "merge-request" && status != "closed"
            })
            .map(|(_, bead)| bead.to_string())
            .collect();
        assert_eq!(held, [""; 0], "beads that are held");
    }

    fn beads(&self) -> BTreeMap<String, serde_json::Value> {
        let export = self.world.gt_in("town/wyvern", ["bd", "export"]).ok().stdout;
        let beads = export.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        beads.map(|bead| (bead["id"].as_str().unwrap().to_string(), bead)).collect()
    }

    fn file(&self) -> String {
        format!("work-{}.txt", self.round)
    }

    /// The change of a round is on main, once.
    fn landed(&self, file: &str) {
        let log = self.world.git("origin.git", ["log", "--no-merges", "--format=%H", "main", "--", file]);
        assert_eq!(log.lines().count(), 1, "{file} on main: {log:?}");
    }

    /// A commit, or a file that was in none, is kept under a recovery ref; a folder whose git was killed, as it is.
    fn kept(&self, file: &str) {
        let words = ["log", "--format=%H", "--glob=refs/gt/recovery/*", "--", file];
        let folders = std::fs::read_dir(self.world.path("town/wyvern/polecats/.kept"));
        let in_folder = |entry: std::io::Result<std::fs::DirEntry>| {
            entry.unwrap().path().join("files").join(file).exists()
        };
        let kept = folders.into_iter().flatten().any(in_folder) || !self.world.git(CLONE, words).is_empty();
        assert!(kept, "{file} is lost");
    }

    fn bead(&self, script: &str) -> String {
        self.world.bead(&format!("Round {}", self.round), &script.replace("FILE", &self.file()))
    }

    /// A polecat at work that waits, with a commit and (with `dirty`) a file in none; gives its bead and its name.
    fn at_work(&self, dirty: bool) -> (String, String) {
        let bead = self.bead("true");
        self.world.in_town(["sling", &bead, "wyvern", "--agent", "waits"]).ok();
        let name = self.world.polecat_of(&bead);
        let place = format!("town/wyvern/polecats/{name}");
        self.world.write(format!("{place}/{}", self.file()), "work\n");
        self.world.git(&place, ["add", "-A"]);
        self.world.git(&place, ["commit", "-q", "-m", &format!("Round {}", self.round)]);
        if dirty {
            self.world.write(format!("{place}/not-committed-{}", self.file()), "work\n");
        }
        (bead, name)
    }

    /// A bead whose polecat ends by itself: `sling` again, or after one doctor, brings its work into the queue.
    fn until_submitted(&self, bead: &str) {
        self.again("town", &["sling", bead, "wyvern"]);
        self.settle(0);
        if request(&self.world, bead).is_none() {
            self.heal();
            if self.world.show(bead)["status"] == "open" {
                self.world.in_town(["sling", bead, "wyvern"]).ok();
                self.settle(0);
            }
        }
        assert!(request(&self.world, bead).is_some(), "{:#}", self.world.show(bead));
    }

    fn given_back(&self, bead: &str) {
        let shown = self.world.show(bead);
        assert_eq!((shown["status"].as_str(), shown.get("assignee")), (Some("open"), None), "{shown:#}");
        self.kept(&self.file());
        self.world.gt_in("town/wyvern", ["bd", "close", bead, "--reason", "the round is over"]).ok();
    }
}

/// Lock files of git and drafts of gt, whose own lock files stay. A young draft is not told from work that goes on.
fn leftovers(dir: &std::path::Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok) {
        let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
        let of_git = path
            .components()
            .any(|part| [".git", "origin.git"].map(AsRef::as_ref).contains(&part.as_os_str()));
        let young = entry
            .metadata()
            .and_then(|file| file.modified())
            .is_ok_and(|time| time.elapsed().is_ok_and(|age| age < Duration::from_secs(60)));
        let draft = name.starts_with(".gt-new-") && !young || name.starts_with(".gone-");
        if draft || (of_git && name.ends_with(".lock") && !name.starts_with("gt-")) {
            found.push(path.display().to_string());
        } else if path.is_dir() && !path.is_symlink() && name != "objects" {
            leftovers(&path, found);
        }
    }
}

fn sling(soak: &mut Soak) {
    let bead = soak.bead("echo work > FILE");
    soak.killed("town", &["sling", &bead, "wyvern"]);
    soak.until_submitted(&bead);
    soak.end();
    soak.landed(&soak.file());
}

fn done(soak: &mut Soak) {
    let (bead, name) = soak.at_work(false);
    let place = format!("town/wyvern/polecats/{name}");
    soak.killed(&place, &["done", "--exit"]);
    if soak.world.path(&place).exists() {
        soak.again(&place, &["done", "--exit"]);
    }
    soak.settle(1);
    soak.again("town", &["doctor", "--fix"]);
    soak.settle(0);
    assert!(request(&soak.world, &bead).is_some(), "{:#}", soak.world.show(&bead));
    soak.end();
    soak.landed(&soak.file());
}

fn process(soak: &mut Soak) {
    let beads = ["a", "b"].map(|part| soak.bead(&format!("echo work > {part}-FILE")));
    soak.world.in_town(["sling", &beads[0], &beads[1], "wyvern"]).ok();
    soak.settle(0);
    soak.killed("town", &["refinery", "process", "wyvern"]);
    soak.end();
    for part in ["a", "b"] {
        soak.landed(&format!("{part}-{}", soak.file()));
    }
}

fn apply(soak: &mut Soak) {
    let agents = ["mayor/", "wyvern/refinery", "wyvern/witness"];
    let words = [&["apply"], &agents[..]].concat();
    soak.killed("town", &words);
    soak.again("town", &words);
    soak.settle(agents.len());
    let run = soak.again("town", &words);
    assert_eq!(run.code, Some(0), "{run:#?}");
    let addresses = soak.world.tmux(["list-panes", "-a", "-F", ADDRESS]).ok().stdout;
    let mut running: Vec<&str> = addresses.lines().filter(|line| !line.is_empty()).collect();
    running.sort_unstable();
    assert_eq!(running, agents);
    soak.world.in_town(["stop", "--all"]).ok();
    soak.settle(0);
    soak.end();
}

fn release(soak: &mut Soak) {
    let bead = soak.bead("echo work > FILE; git add -A; git commit -qm work; exit 3");
    soak.world.in_town(["sling", &bead, "wyvern"]).ok();
    soak.settle(0);
    let address = format!("wyvern/{}", soak.world.polecat_of(&bead));
    // tmux notices the end of a program a moment after it.
    let crashed = || soak.world.in_town(["polecats", "wyvern"]).stdout.contains("crashed").then_some(());
    wait_for("tmux to notice the end", crashed);
    soak.killed("town", &["polecat", "release", &address]);
    soak.again("town", &["polecat", "release", &address]);
    soak.settle(0);
    soak.heal();
    soak.given_back(&bead);
    soak.end();
}

fn nuke(soak: &mut Soak) {
    let (bead, name) = soak.at_work(true);
    let address = format!("wyvern/{name}");
    soak.killed("town", &["polecat", "nuke", &address]);
    soak.again("town", &["polecat", "nuke", &address]);
    soak.settle(0);
    soak.heal();
    soak.kept(&format!("not-committed-{}", soak.file()));
    soak.given_back(&bead);
    soak.end();
}

fn patrol(soak: &mut Soak) {
    let (bead, name) = soak.at_work(false);
    soak.world.gt_in(format!("town/wyvern/polecats/{name}"), ["done"]).ok();
    soak.killed("town", &["witness", "patrol", "wyvern"]);
    soak.again("town", &["witness", "patrol", "wyvern"]);
    soak.settle(0);
    assert!(request(&soak.world, &bead).is_some());
    soak.end();
    soak.landed(&soak.file());
}

type Round = fn(&mut Soak);

const COMMANDS: [(&str, Round); 7] = [
    ("sling", sling),
    ("done", done),
    ("process", process),
    ("apply", apply),
    ("release", release),
    ("nuke", nuke),
    ("patrol", patrol),
];

/// Runs the rounds of a phase and says in one line what came of them.
struct Phase {
    name: String,
    soak: Option<Soak>,
    begun: Instant,
    rounds: u64,
    killed: u64,
    failed: usize,
}

impl Phase {
    fn new(name: impl Into<String>) -> Phase {
        let (soak, begun) = (None, Instant::now());
        Phase { name: name.into(), soak, begun, rounds: 0, killed: 0, failed: 0 }
    }

    /// One round; one that fails leaves its town for a look, and the next gets a new one.
    fn round(&mut self, command: Round, kill: Kill, prepare: fn(&Soak)) {
        if self.failed >= FAILURES {
            return;
        }
        self.rounds += 1;
        let mut soak = self.soak.take().unwrap_or_else(|| {
            let soak = Soak::new();
            prepare(&soak);
            soak
        });
        (soak.kill, soak.killed, soak.round) = (kill, false, self.rounds);
        soak.said.borrow_mut().clear();
        let ran = catch_unwind(AssertUnwindSafe(|| command(&mut soak)));
        self.killed += u64::from(soak.killed);
        match ran {
            Ok(()) => self.soak = Some(soak),
            // Why was said where it was found.
            Err(_) => {
                let (name, round, seed) = (&self.name, self.rounds, seed());
                let format = "#{session_name} #{@gt_own} #{@gt_state} #{pane_dead}";
                let panes = soak.world.tmux(["list-panes", "-a", "-F", format]).stdout;
                println!("{}panes:\n{panes}", soak.said.borrow());
                let place = soak.world.keep();
                println!("{name}: round {round} of seed {seed} failed, {kill:?}; kept: {}", place.display());
                self.failed += 1;
            }
        }
    }

    fn end(self) {
        let Phase { name, rounds, killed, failed, begun, .. } = self;
        let (seconds, seed) = (begun.elapsed().as_secs_f64(), seed());
        println!("{name}: {rounds} rounds, {killed} killed, {failed} failed, {seconds:.1} s, seed {seed}");
        assert_eq!(failed, 0, "{name}: rounds failed; what was found is above");
    }
}

fn killed_at_random(name: &str) {
    let command = COMMANDS.iter().find(|(own, _)| *own == name).unwrap().1;
    let mut phase = Phase::new(name);
    for round in 1..=number("SOAK_ROUNDS", 1) {
        let mut random = Random::of(name, round);
        // Most commands are over sooner than 400 ms.
        let longest = if round % 2 == 0 { 400 } else { 120 };
        let delay = Duration::from_millis(random.below(longest + 1));
        phase.round(command, Kill::Gt { delay, group: random.below(2) == 1 }, |_| ());
    }
    phase.end();
}

#[test]
fn killed_sling() {
    killed_at_random("sling");
}

#[test]
fn killed_done() {
    killed_at_random("done");
}

#[test]
fn killed_process() {
    killed_at_random("process");
}

#[test]
fn killed_apply() {
    killed_at_random("apply");
}

#[test]
fn killed_release() {
    killed_at_random("release");
}

#[test]
fn killed_nuke() {
    killed_at_random("nuke");
}

#[test]
fn killed_patrol() {
    killed_at_random("patrol");
}

/// Puts a git first on PATH that is killed at one of its writes, where `SOAK_GIT_CALL` says which call of it is meant.
fn git_that_is_killed(soak: &Soak) {
    let world = &soak.world;
    let real = world.run("sh", "", ["-c", "command -v git"]).ok().stdout;
    let (real, mark) = (real.trim(), world.str("git-killed"));
    let script = format!(
        "#!/bin/sh\n# Not those of the agent, whose session has the environment of the command.\n\
         if [ -n \"${{SOAK_GIT_LOG-}}\" ] && [ -z \"${{GT_ROLE-}}\" ]; then\n  echo \"$*\" >>\"$SOAK_GIT_LOG\"\n  \
         if [ \"$(wc -l <\"$SOAK_GIT_LOG\")\" -eq \"$SOAK_GIT_CALL\" ]; then\n    \
         strace -f -qq -o /dev/null -e trace=\"$SOAK_GIT_SYSCALL\" \
         -e inject=\"$SOAK_GIT_SYSCALL\":signal=KILL:when=\"$SOAK_GIT_NTH\" {real} \"$@\"\n    \
         code=$?\n    if [ $code -eq 137 ]; then : >'{mark}'; kill -KILL $$; fi\n    exit $code\n  fi\nfi\nexec {real} \"$@\"\n"
    );
    world.program("git", &script);
}

/// Every git that a command calls is killed at each of its first 8 writes and renames, in turn.
#[test]
fn killed_git() {
    if which::which("strace").is_err() {
        println!("git: SKIPPED: strace is not installed, so git cannot be killed at its writes");
        return;
    }
    let rounds = number("SOAK_ROUNDS", 0);
    let mut phase = Phase::new("git");
    for (_, command) in COMMANDS.iter().filter(|(name, _)| *name != "apply") {
        let (mut call, mut calls) = (1, 1);
        let limit = phase.rounds + 2 * rounds;
        while call <= calls && phase.rounds < limit {
            for syscall in ["write", "/^rename"] {
                for nth in 1..=8 {
                    let killed = phase.killed;
                    phase.round(*command, Kill::Git { call, syscall, nth }, git_that_is_killed);
                    calls = phase.soak.as_ref().map_or(calls, |soak| soak.calls);
                    if phase.killed == killed {
                        break;
                    }
                }
            }
            call += 1;
        }
    }
    if rounds == 0 {
        let kill = Kill::Git { call: 1 + seed() % 8, syscall: "/^rename", nth: 1 };
        phase.round(sling, kill, git_that_is_killed);
    }
    phase.end();
}

#[test]
fn many_commands_at_once() {
    let (beads, seconds) = (number("SOAK_BEADS", 3), number("SOAK_SECONDS", 5));
    let mut phase = Phase::new("at once");
    phase.rounds = beads;
    let soak = Soak::new();
    let ran = catch_unwind(AssertUnwindSafe(|| at_once(&soak, beads, Duration::from_secs(seconds))));
    match ran {
        Ok(counts) => println!("at once: {counts}"),
        Err(_) => {
            println!("at once: seed {} failed; kept: {}", seed(), soak.world.keep().display());
            phase.failed += 1;
        }
    }
    phase.end();
}

/// Mixed commands until every bead is merged or the time is over; gives how many ran, and how many of them refused.
fn at_once(soak: &Soak, beads: u64, time: Duration) -> String {
    let script = |n: u64| format!("echo work > bead-{n}.txt");
    let beads: Vec<String> = (0..beads).map(|n| soak.world.bead(&format!("Bead {n}"), &script(n))).collect();
    let (end, over) = (Instant::now() + time, AtomicBool::new(false));
    let counts: BTreeMap<&str, [AtomicUsize; 2]> =
        ["sling", "refinery", "witness", "unsling", "gc", "status", "doctor"]
            .into_iter()
            .map(|name| (name, Default::default()))
            .collect();
    // The environment of a world is no thread's to share: each command is made here.
    let environment: Vec<(String, String)> = {
        let command = soak.world.command("env", "town");
        let text = |value: &std::ffi::OsStr| value.to_str().unwrap().to_string();
        command.get_envs().filter_map(|(key, value)| Some((text(key), text(value?)))).collect()
    };
    let (town, place) = (soak.world.path("town"), soak.world.path(""));
    let run = |words: &[&str]| {
        let mut command = std::process::Command::new(gt());
        command.env_clear().envs(environment.iter().cloned()).current_dir(&town).args(words);
        command.stdin(std::process::Stdio::null());
        let run = kill::within_in(&place, &mut command, LIMIT);
        assert!(matches!(run.code, Some(0 | 1)), "{run:#?}");
        counts[words[0]][0].fetch_add(1, Ordering::Relaxed);
        counts[words[0]][1].fetch_add(usize::from(run.code == Some(1)), Ordering::Relaxed);
    };
    let goes_on = || Instant::now() < end && !over.load(Ordering::Relaxed);
    let forever = |words: &[&str]| {
        while goes_on() {
            run(words);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut random = Random::of("sling", 0);
            while goes_on() {
                run(&["sling", &beads[random.below(beads.len() as u64) as usize], "wyvern"]);
            }
        });
        scope.spawn(|| {
            let mut random = Random::of("unsling", 0);
            while goes_on() {
                run(&["unsling", &beads[random.below(beads.len() as u64) as usize], "--force"]);
                run(&["gc"]);
                run(&["status"]);
                run(&["doctor"]);
            }
        });
        scope.spawn(|| forever(&["refinery", "process", "wyvern"]));
        scope.spawn(|| forever(&["witness", "patrol", "wyvern"]));
        while goes_on() {
            let known = soak.beads();
            over.store(beads.iter().all(|id| known[id]["status"] == "closed"), Ordering::Relaxed);
        }
    });
    soak.settle(0);
    soak.heal();
    for bead in &beads {
        if soak.world.show(bead)["status"] != "closed" && request(&soak.world, bead).is_none() {
            soak.until_submitted(bead);
        }
    }
    soak.end();
    for number in 0..beads.len() {
        soak.landed(&format!("bead-{number}.txt"));
    }
    let count = |(name, [all, refused]): (&&str, &[AtomicUsize; 2])| {
        format!("{name} {} ({} refused)", all.load(Ordering::Relaxed), refused.load(Ordering::Relaxed))
    };
    counts.iter().map(count).collect::<Vec<_>>().join(", ")
}
