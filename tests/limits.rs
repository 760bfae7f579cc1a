//! Nothing waits without an end or a word: programs that hang, locks that another process holds, signals.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::common::{Run, World, gt, runs, wait_for};

/// A town whose origin is reached by an ssh that hangs.
fn with_a_silent_origin() -> (World, std::path::PathBuf) {
    let world = World::with_rig();
    world.git("town/wyvern/mayor/rig", ["remote", "set-url", "origin", "ssh://me@silent.invalid/x.git"]);
    let log = world.hangs("ssh", "git-upload-pack", "");
    (world, log)
}

/// The processes that a log of [`World::hangs`] names.
fn hung(log: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    text.lines().filter_map(|line| line.split(' ').next().map(str::to_string)).collect()
}

fn wait_for_one(log: &Path) -> String {
    wait_for("the program that hangs", || hung(log).pop())
}

fn started(world: &World, args: &[&str]) -> Child {
    let mut command = world.command(gt(), "town");
    command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn ended(child: Child) -> Run {
    let output = child.wait_with_output().unwrap();
    Run {
        words: Vec::new(),
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn signal(name: &str, pid: &str) {
    assert!(Command::new("kill").args([&format!("-{name}"), pid]).status().unwrap().success());
}

#[test]
fn an_origin_that_does_not_answer_is_named_and_asked_once() {
    let (world, log) = with_a_silent_origin();
    world.set("GASTOWN_LIMITS__NETWORK", "2s");
    let beads = [world.bead("one", "true"), world.bead("two", "true")];
    let first = started(&world, &["sling", &beads[0], "wyvern"]);
    wait_for_one(&log);
    let second = started(&world, &["sling", &beads[1], "wyvern"]);
    let (first, second) = (ended(first).fails(1), ended(second).fails(1));
    assert!(first.stderr.contains("ssh://me@silent.invalid/x.git"), "{first:?}");
    assert!(first.stderr.contains("made no progress for 2 s"), "{first:?}");
    assert!(first.stderr.contains("GASTOWN_LIMITS__NETWORK="), "{first:?}");
    // It waited for the first one's fetch, said so, and does not try again.
    assert!(second.stderr.contains("origin did not answer"), "{second:?}");
    assert!(second.stderr.contains("gt-worktrees.lock"), "{second:?}");
    let calls = std::fs::read_to_string(&log).unwrap();
    assert_eq!(calls.lines().count(), 1, "{calls}");
    assert!(calls.contains("-o BatchMode=yes"), "{calls}");
    assert!(!hung(&log).iter().any(|pid| runs(pid)));
}

#[test]
fn a_towns_limits_count_in_the_checkouts_of_its_rigs() {
    let (world, log) = with_a_silent_origin();
    world.write("town/config/town.toml", "[limits]\nnetwork = \"2s\"\n");
    let bead = world.bead("one", "true");
    for place in ["town/wyvern", "town/wyvern/mayor/rig", "town/wyvern/refinery/rig"] {
        let run = world.gt_in(place, ["sling", &bead, "wyvern"]).fails(1);
        assert!(run.stderr.contains("made no progress for 2 s"), "{place}: {run:?}");
    }
    assert_eq!(hung(&log).len(), 3);
}

#[test]
fn a_persons_own_ssh_is_not_replaced() {
    let (world, log) = with_a_silent_origin();
    world.set("GASTOWN_LIMITS__NETWORK", "1s");
    world.git("", ["config", "--global", "core.sshCommand", "ssh -i /a/key"]);
    let bead = world.bead("one", "true");
    world.in_town(["sling", &bead, "wyvern"]).fails(1);
    let calls = std::fs::read_to_string(&log).unwrap();
    assert!(calls.contains("-i /a/key") && !calls.contains("BatchMode"), "{calls}");
}

#[test]
fn a_signal_ends_gt_and_what_it_started() {
    let (world, log) = with_a_silent_origin();
    let bead = world.bead("one", "true");
    for (name, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let _ = std::fs::remove_file(&log);
        let sling = started(&world, &["sling", &bead, "wyvern"]);
        let ssh = wait_for_one(&log);
        signal(name, &sling.id().to_string());
        ended(sling).fails(code);
        assert!(!runs(&ssh), "{name}");
    }
}

#[test]
fn a_git_that_outlives_gt_keeps_the_lock_and_what_a_hook_left_does_not() {
    let (world, log) = with_a_silent_origin();
    let bead = world.bead("one", "true");
    let mut sling = started(&world, &["sling", &bead, "wyvern"]);
    let ssh = wait_for_one(&log);
    signal("KILL", &sling.id().to_string());
    sling.wait().unwrap();
    let lock = world.path("town/wyvern/mayor/rig/.git/gt-worktrees.lock");
    let free = || File::options().write(true).open(&lock).unwrap().try_lock().is_ok();
    assert!(!free());
    signal("KILL", &ssh);
    wait_for("the end of git", || free().then_some(()));

    // A hook whose background process holds all that it can.
    world.git("town/wyvern/mayor/rig", ["remote", "set-url", "origin", &world.str("origin.git")]);
    let pid = world.str("left");
    let hook = format!("#!/bin/sh\nsleep 600 &\necho $! > '{pid}'\n");
    world.write("town/wyvern/mayor/rig/.git/hooks/post-checkout", hook);
    let path = "town/wyvern/mayor/rig/.git/hooks/post-checkout";
    world.run("chmod", "", ["+x", path]).ok();
    world.in_town(["sling", &bead, "wyvern"]).ok();
    let left = world.read("left");
    assert!(runs(left.trim()) && free());
    signal("KILL", left.trim());
}

#[test]
fn a_lock_that_is_not_given_back_is_given_up_by_name() {
    let world = World::with_rig();
    world.set("GASTOWN_LIMITS__LOCK", "2s");
    let bead = world.bead("one", "true");
    let path = world.path("town/wyvern/mayor/rig/.git/gt-worktrees.lock");
    let file = File::options().write(true).create(true).truncate(true).open(&path).unwrap();
    file.lock().unwrap();
    std::io::Write::write_all(&mut &file, b"4711 gt merge\n").unwrap();
    let failed = world.in_town(["sling", &bead, "wyvern"]).fails(1);
    assert!(failed.stderr.contains("gt: waiting for "), "{failed:?}");
    assert!(
        failed.stderr.contains("gave up on") && failed.stderr.contains("process 4711 (gt merge)"),
        "{failed:?}"
    );
    assert!(failed.stderr.contains("GASTOWN_LIMITS__LOCK=10s"), "{failed:?}");
    drop(file);
    world.in_town(["sling", &bead, "wyvern"]).ok();
}

#[test]
fn a_tmux_server_that_does_not_answer_is_named_and_given_up() {
    let world = World::with_rig();
    world.set("GASTOWN_LIMITS__TMUX", "2s");
    world.tmux(["new-session", "-d", "sleep 600"]).ok();
    let server = world.tmux(["display-message", "-p", "#{pid}"]).ok().stdout;
    signal("STOP", server.trim());
    let status = world.in_town(["status"]);
    signal("CONT", server.trim());
    assert!(status.stderr.contains("gt: waiting for the tmux server on the socket "), "{status:?}");
    assert!(
        status.stdout.contains("sessions unknown: tmux did not answer within 2 s (limits.tmux)"),
        "{status:?}"
    );
}

#[test]
fn a_store_that_another_process_has_locked_is_named_and_given_up() {
    let world = World::with_rig();
    world.set("GASTOWN_LIMITS__LOCK", "2s");
    let db = rusqlite::Connection::open(world.path("town/wyvern/mayor/rig/.beads/gastown.db")).unwrap();
    db.execute_batch("BEGIN IMMEDIATE").unwrap();
    let failed = world.gt_in("town/wyvern", ["bd", "create", "one"]).fails(1);
    assert!(failed.stderr.contains("gt: waiting for ") && failed.stderr.contains("gastown.db"), "{failed:?}");
    assert!(failed.stderr.contains("after 2 s: another process has it locked"), "{failed:?}");
    drop(db);
    world.gt_in("town/wyvern", ["bd", "create", "one"]).ok();
}

#[test]
fn ctrl_c_ends_the_tests_and_the_refinery_sleeps() {
    let world = World::with_rig();
    let (begun, went_on) = (world.str("begun"), world.str("went-on"));
    world.set("GASTOWN_MERGE__TEST_COMMAND", &format!("echo $$ > '{begun}'; sleep 600; touch '{went_on}'"));
    let bead = world.bead("one", "echo x > x");
    world.in_town(["sling", &bead, "wyvern"]).ok();
    wait_for("the request", || crate::flow::request(&world, &bead));
    let process = started(&world, &["refinery", "process", "wyvern"]);
    let pid =
        wait_for("the tests", || std::fs::read_to_string(&begun).ok().filter(|pid| pid.ends_with('\n')));
    signal("INT", &process.id().to_string());
    ended(process).fails(130);
    assert!(!runs(pid.trim()));
    assert!(!Path::new(&went_on).exists());
    let state: serde_json::Value =
        serde_json::from_str(&world.read("town/wyvern/refinery/state.json")).unwrap();
    assert_eq!(state["awake"], false);
}

#[test]
fn polecats_of_one_command_start_one_after_the_other_and_a_signal_ends_the_wait() {
    let world = World::waiting();
    world.in_town(["config", "set", "worker_spawn_delay", "1h", "--rig", "wyvern"]).ok();
    let beads = [world.bead("one", "true"), world.bead("two", "true")];
    let mut sling = started(&world, &["sling", &beads[0], &beads[1], "wyvern"]);
    let mut said = String::new();
    let mut errors = std::io::BufReader::new(sling.stderr.take().unwrap());
    std::io::BufRead::read_line(&mut errors, &mut said).unwrap();
    assert!(said.starts_with("gt: wyvern/Toast starts in ") && said.contains("worker_spawn_delay"), "{said}");
    let sessions = || world.tmux(["list-sessions", "-F", "#{session_name}"]).ok().stdout;
    assert_eq!(sessions(), "gt-wyvern-Nux\n");
    signal("INT", &sling.id().to_string());
    ended(sling).fails(130);
    // As after a kill: the same command goes on.
    world.in_town(["config", "set", "worker_spawn_delay", "0s", "--rig", "wyvern"]).ok();
    world.in_town(["sling", &beads[1], "wyvern"]).ok();
    assert_eq!(sessions().lines().count(), 2);
}
