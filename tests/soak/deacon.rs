//! The deacon for long: deaths of agents, kills of itself, and what it costs while nothing happens. Each is left out where its
//! variable is not set; `scripts/soak` sets them.

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime};

use gastown::base::time::micros_since_epoch;

use super::{Random, number, seed};
use crate::common::{World, kill, wait_for};

/// How many wait for their death at a time.
const BATCH: u64 = 8;

fn world(places: u64) -> World {
    let world = World::with_rig();
    world.settings("[beads]\nstore = \"embedded\"\n[merge]\ntest_command = \"true\"\n");
    world.set("GASTOWN_POLECAT__MAX_WORKERS", &places.to_string());
    world.in_town(["daemon", "start"]).ok();
    world
}

fn deacon(world: &World) -> String {
    let file: serde_json::Value = serde_json::from_str(&world.read("town/mayor/deacon.json")).unwrap();
    file["pid"].to_string()
}

fn kill_9(pid: &str) {
    let killed = std::process::Command::new("kill").args(["-9", pid]).status();
    assert!(killed.unwrap().success(), "{pid} is gone");
}

/// When the deacon ran a command, in microseconds since 1970.
fn acted(world: &World, command: &str) -> Option<i64> {
    let log = world.read("town/mayor/deacon.log");
    let line = log.lines().rev().find(|line| line.ends_with(command))?.to_string();
    micros_since_epoch(line.split_once(' ')?.0)
}

fn now() -> i64 {
    i64::try_from(SystemTime::UNIX_EPOCH.elapsed().unwrap().as_micros()).unwrap()
}

fn at(sorted: &[i64], percent: usize) -> f64 {
    let place = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted[place] as f64 / 1000.0
}

/// `SOAK_DEATHS` agents are killed at random moments; each is started again, and how soon is said.
#[test]
fn deaths_are_acted_on() {
    let (deaths, begun) = (number("SOAK_DEATHS", 0), Instant::now());
    let world = if deaths > 0 { world(BATCH) } else { return };
    let (mut took, mut random) = (Vec::new(), Random::of("deaths", 0));
    while (took.len() as u64) < deaths {
        let beads: Vec<String> = (0..BATCH.min(deaths - took.len() as u64))
            .map(|_| world.bead("Waits", "exec sleep 6000"))
            .collect();
        let words = ["sling"].into_iter().chain(beads.iter().map(String::as_str));
        world.in_town(words.chain(["wyvern", "--agent", "shell"])).ok();
        for bead in &beads {
            let address = format!("wyvern/{}", world.polecat_of(bead));
            let session = world.session_of(&address);
            let format = ["display-message", "-p", "-t", &session, "#{pane_pid}"];
            let agent = world.tmux(format).ok().stdout;
            std::thread::park_timeout(Duration::from_millis(random.below(300)));
            let died = now();
            kill_9(agent.trim());
            let command = format!("gt sling {bead} wyvern --resume");
            took.push(wait_for(&command, || acted(&world, &command)) - died);
            wait_for("it to run again", || {
                let agent_now = world.tmux(format).stdout;
                (agent_now != agent && world.show(bead)["status"] == "in_progress").then_some(())
            });
        }
        for bead in &beads {
            world.in_town(["polecat", "nuke", &format!("wyvern/{}", world.polecat_of(bead))]).ok();
            world.gt_in("town/wyvern", ["bd", "close", bead, "--reason", "it was started again"]).ok();
        }
    }
    took.sort_unstable();
    println!(
        "deaths: {deaths}, none lost; acted on after {:.1} ms (p50), {:.1} ms (p99), {:.1} ms at most; {:.1} s, seed {}",
        at(&took, 50),
        at(&took, 99),
        at(&took, 100),
        begun.elapsed().as_secs_f64(),
        seed()
    );
}

/// `SOAK_DEACON_KILLS` kills of the deacon, each followed by a start, while ten beads for four places go through.
#[test]
fn a_deacon_that_is_killed_loses_nothing_and_does_nothing_twice() {
    let (kills, begun) = (number("SOAK_DEACON_KILLS", 0), Instant::now());
    let world = if kills > 0 { world(4) } else { return };
    let script = |n: usize| format!("echo work > f{n}; git add f{n}; git commit -qm f{n}");
    let beads: Vec<String> = (0..10).map(|n| world.bead("Do it", &script(n))).collect();
    let mut random = Random::of("deacon", 0);
    let (mut waiting, mut killed) = (beads.iter(), 0);
    while killed < kills {
        // A bead now and then, so that there is work until the last kill.
        if killed * 10 >= (10 - waiting.len() as u64) * kills
            && let Some(bead) = waiting.next()
        {
            let run = world.in_town(["sling", bead, "wyvern", "--agent", "shell"]);
            assert!(matches!(run.code, Some(0 | 3)), "{run:#?}");
        }
        std::thread::park_timeout(Duration::from_millis(random.below(400)));
        kill_9(&deacon(&world));
        killed += 1;
        world.in_town(["daemon", "start"]).ok();
    }
    for bead in &beads {
        wait_for(&format!("{bead} to be merged"), || (world.show(bead)["status"] == "closed").then_some(()));
    }
    for n in 0..10 {
        let file = format!("f{n}");
        let log = world.git("origin.git", ["log", "--no-merges", "--format=%H", "main", "--", &file]);
        assert_eq!(log.lines().count(), 1, "{file}: {log}");
    }
    let merges = world.git("origin.git", ["log", "--merges", "--format=%s", "main"]);
    let once = |bead: &&String| merges.lines().filter(|line| line.contains(bead.as_str())).count() == 1;
    assert_eq!(beads.iter().filter(once).count(), 10, "{merges}");
    let deacons = || {
        let all = kill::processes(&world).into_iter();
        all.filter(|(_, words)| words.ends_with("daemon run")).collect::<BTreeSet<_>>()
    };
    wait_for("one deacon", || (deacons().len() == 1).then_some(()));
    println!(
        "deacon: {kills} kills, 10 beads merged once; {:.1} s, seed {}",
        begun.elapsed().as_secs_f64(),
        seed()
    );
}

/// A number of a process, as Linux tells it.
fn told(pid: &str, name: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
}

/// `SOAK_IDLE` seconds in which `SOAK_AGENTS` agents say nothing: no process of it, few wake-ups, little memory.
#[test]
fn a_deacon_that_nothing_happens_to_sleeps() {
    let (seconds, agents) = (number("SOAK_IDLE", 0), number("SOAK_AGENTS", 8));
    let world = if seconds > 0 { world(agents) } else { return };
    let beads: Vec<String> = (0..agents).map(|_| world.bead("Waits", "exec sleep 6000")).collect();
    let words = ["sling"].into_iter().chain(beads.iter().map(String::as_str));
    world.in_town(words.chain(["wyvern", "--agent", "shell"])).ok();
    world.in_town(["daemon", "stop"]).ok();
    world.count_calls(&["tmux", "git"]);
    world.in_town(["daemon", "start"]).ok();
    let pid = deacon(&world);
    let wakes = || told(&pid, "voluntary_ctxt_switches:");
    // What it does after its start is over when it sleeps for two seconds.
    wait_for("the deacon to sleep", || {
        let before = wakes();
        std::thread::park_timeout(Duration::from_secs(2));
        (before == wakes()).then_some(())
    });
    world.calls("tmux");
    world.calls("git");
    let (before, log) = (wakes(), world.read("town/mayor/deacon.log"));
    std::thread::park_timeout(Duration::from_secs(seconds));
    let after = wakes();
    let (calls, commands) =
        ([world.calls("tmux"), world.calls("git")].concat(), world.read("town/mayor/deacon.log"));
    let woken = after.zip(before).map(|(after, before)| after - before);
    let (woken, rss) = (woken.unwrap_or_default(), told(&pid, "VmRSS:").unwrap_or_default());
    println!(
        "idle: {seconds} s with {agents} agents: {} programs and {} commands of gt started, woken {woken} times, {:.1} MiB",
        calls.len(),
        commands.lines().count() - log.lines().count(),
        rss as f64 / 1024.0
    );
    // A patrol of a rig whose agents work, every ten minutes, is a command.
    assert!(commands.lines().count() - log.lines().count() <= 2 * (seconds / 600) as usize, "{commands}");
    assert!(seconds >= 600 || calls.is_empty(), "{calls:#?}");
    assert!(woken <= 2 * seconds.div_ceil(60) + 1, "woken {woken} times");
    assert!(cfg!(debug_assertions) || rss < 15 * 1024, "{rss} KiB");
}
