//! From the sling to the merge and the end, with the work done on another machine.

use serde_json::json;

use super::CLONE;
use crate::common::fugue::Daemon;
use crate::common::{World, wait_for};

/// A rig here, and a daemon on a machine with a home and a town folder of its own.
fn two(world: &World) -> Daemon<'_> {
    let daemon = world.daemon("far");
    world.set("GASTOWN_FUGUE_ADDR", &daemon.addr);
    world.set("GASTOWN_REMOTE_TOWN", &world.str("far/town"));
    daemon
}

/// Nothing of any polecat is left, neither there nor here.
#[track_caller]
fn all_gone(world: &World, daemon: &Daemon<'_>) {
    assert_eq!(daemon.sessions(), []);
    let left = |dir: std::path::PathBuf| -> Vec<String> {
        let names = std::fs::read_dir(dir).into_iter().flatten().flatten();
        names
            .map(|one| one.file_name().into_string().unwrap())
            .filter(|name| !name.starts_with('.'))
            .collect()
    };
    for place in ["town/wyvern/polecats", "town/wyvern/polecats/.names", "far/town/wyvern/polecats"] {
        assert_eq!(left(world.path(place)), Vec::<String>::new(), "{place}");
    }
    assert!(!world.path("town/mayor/remote.json").exists());
    assert_eq!(world.git("origin.git", ["for-each-ref", "--format=%(refname)"]), "refs/heads/main");
    assert_eq!(world.tmux(["list-sessions"]).stdout, "");
}

#[test]
fn from_the_sling_to_the_merge_with_the_work_done_elsewhere() {
    let world = World::with_rig();
    let daemon = two(&world);
    let bead = world.bead("Write it", "echo \"$HOME\" >home.txt");
    world.in_town(["sling", &bead, "wyvern"]).ok();
    world.letters();
    let processed = world.in_town(["refinery", "process", "wyvern"]).ok();
    assert!(processed.stderr.contains(&format!("{bead}  submitted: wyvern/")), "{processed:?}");
    assert_eq!(world.git("origin.git", ["show", "main:home.txt"]), world.str("far/home"));
    let shown = world.show(&bead);
    assert!(shown["close_reason"].as_str().unwrap().starts_with("merged: "), "{shown}");
    assert!(!shown.to_string().contains("gt:remote:"), "{shown}");
    world.in_town(["witness", "patrol", "wyvern"]).ok();
    all_gone(&world, &daemon);
}

#[test]
fn when_there_is_here_the_one_folder_goes_once() {
    let world = World::with_rig();
    let daemon = two(&world);
    world.unset("GASTOWN_REMOTE_TOWN");
    let bead = world.bead("Write it", "echo hello >hello.txt");
    world.in_town(["sling", &bead, "wyvern"]).ok();
    world.letters();
    world.in_town(["remote", "sync"]).ok();
    world.in_town(["refinery", "process", "wyvern"]).ok();
    assert_eq!(world.git("origin.git", ["show", "main:hello.txt"]), "hello");
    all_gone(&world, &daemon);
    assert_eq!(world.git(CLONE, ["worktree", "list"]).lines().count(), 1);
}

/// Works when it is told to, hands in, and stays until it is ended.
const AGENT: &str = "#!/bin/sh\nenv -0 >\"$HOME/env.new\"; mv \"$HOME/env.new\" \"$HOME/env\"\n\
    until [ -e \"$HOME/go\" ]; do sleep 0.05; done\n\
    echo work >work.txt; git add work.txt; git commit -qm work\n\
    sh \"$GT_DONE\" -m 'as told' --bead 'More of it'\nwhile :; do sleep 0.05; done\n";

fn with_agent(world: &World) {
    world.program("agent", AGENT);
    world.settings(
        "[beads]\nstore = \"embedded\"\n[agents.told]\ncommand = [\"agent\"]\nprompt = \"argument\"\n",
    );
    world.set("GASTOWN_POLECAT__AGENT", "told");
}

#[test]
fn a_tunnel_that_is_down_for_a_night_stops_neither_the_work_nor_its_merge() {
    let world = World::with_rig();
    let daemon = two(&world);
    with_agent(&world);
    let bead = world.bead("Write it", "true");
    world.in_town(["sling", &bead, "wyvern/Nux"]).ok();
    wait_for("the agent", || world.path("far/home/env").exists().then_some(()));
    daemon.freeze();
    let polecats = world.in_town(["polecats", "wyvern", "--json"]).ok().json();
    assert_eq!(polecats["polecats"][0]["place"], "unreachable", "{polecats}");
    world.in_town(["witness", "patrol", "wyvern"]).ok();
    world.write("far/home/go", "");
    world.letters();
    world.in_town(["refinery", "process", "wyvern"]).ok();
    assert_eq!(world.git("origin.git", ["show", "main:work.txt"]), "work");
    let beads = world.gt_in("town/wyvern", ["bd", "export"]).ok().stdout;
    assert_eq!(beads.matches("\"title\":\"More of it\"").count(), 1, "{beads}");
    world.in_town(["witness", "patrol", "wyvern"]).ok();
    assert_eq!(world.in_town(["mail", "inbox", "overseer", "--json"]).ok().json()["messages"], json!([]));
    assert!(world.path("town/wyvern/polecats/.names/Nux").exists());
    daemon.thaw();
    world.in_town(["witness", "patrol", "wyvern"]).ok();
    all_gone(&world, &daemon);
}

#[test]
fn a_polecat_that_was_given_up_is_begun_again_with_what_it_had() {
    let world = World::with_rig();
    let daemon = two(&world);
    with_agent(&world);
    let bead = world.bead("Write it", "true");
    world.in_town(["sling", &bead, "wyvern/Nux"]).ok();
    wait_for("the agent", || world.path("far/home/env").exists().then_some(()));
    world.write("far/town/wyvern/polecats/Nux/half.txt", "half");
    daemon.freeze();
    world.in_town(["polecat", "release", "--force", "wyvern/Nux"]).ok();
    // The name is not given out before its first bearer is gone.
    world.in_town(["sling", &bead, "wyvern/Nux", "--local"]).fails(1);
    daemon.thaw();
    world.in_town(["remote", "sync"]).ok();
    all_gone(&world, &daemon);
    world.in_town(["sling", &bead, "wyvern/Nux", "--resume", "--local"]).ok();
    assert_eq!(world.read("town/wyvern/polecats/Nux/half.txt"), "half");
}

#[test]
fn gt_over_there_needs_no_town_and_does_what_the_script_does() {
    let world = World::with_rig();
    let daemon = two(&world);
    with_agent(&world);
    let bead = world.bead("Write it", "echo 'as it says'");
    world.in_town(["sling", &bead, "wyvern/Nux"]).ok();
    let env = wait_for("the agent", || std::fs::read(world.path("far/home/env")).ok());
    let env: Vec<(String, String)> = env
        .split(|byte| *byte == 0)
        .filter_map(|own| {
            let (key, value) = std::str::from_utf8(own).ok()?.split_once('=')?;
            Some((key.to_string(), value.to_string()))
        })
        .collect();
    let over_there = |words: &[&str]| {
        let mut command = daemon.over_there(crate::common::gt(), "town/wyvern/polecats/Nux");
        crate::common::finish(command.env_clear().envs(env.clone()).args(words))
    };
    assert_eq!(over_there(&["hook"]).ok().stdout, format!("{bead}  in_progress  P2  Write it\n"));
    let prime = over_there(&["prime"]).ok().stdout;
    assert!(prime.contains("echo 'as it says'") && prime.contains("hand it in: gt done"), "{prime}");
    assert!(over_there(&["done"]).fails(1).stderr.contains("there is no commit that main lacks"));
    world.write("far/town/wyvern/polecats/Nux/own.txt", "own");
    assert!(over_there(&["done"]).fails(1).stderr.contains("?? own.txt"));
    over_there(&["handoff", "-m", "the parser is next"]).ok();
    assert!(over_there(&["prime"]).ok().stdout.contains("the parser is next"));
    world.git("far/town/wyvern/polecats/Nux", ["add", "-A"]);
    world.git("far/town/wyvern/polecats/Nux", ["commit", "-q", "-m", "own"]);
    assert_eq!(over_there(&["done", "--dry-run", "--json"]).ok().json()["done"]["state"], "submitted");
    assert_eq!(world.git("origin.git", ["for-each-ref", "refs/gt"]), "");
    let done = over_there(&["done", "--exit"]).ok();
    assert!(
        done.stdout.starts_with(&format!("{bead}  handed in: {} at ", world.branch("Nux", &bead))),
        "{done:?}"
    );
    assert!(!world.path("far/town/mayor/town.json").exists());
    world.in_town(["refinery", "process", "wyvern"]).ok();
    assert_eq!(world.git("origin.git", ["show", "main:own.txt"]), "own");
    world.in_town(["remote", "sync"]).ok();
    all_gone(&world, &daemon);
}

#[test]
fn a_start_of_which_nothing_is_known_is_taken_back_when_the_machine_answers() {
    let world = World::with_rig();
    let daemon = two(&world);
    with_agent(&world);
    let bead = world.bead("Write it", "true");
    world.in_town(["sling", &bead, "wyvern/Nux"]).ok();
    let path = world.path("town/mayor/remote.json");
    let text = std::fs::read_to_string(&path).unwrap().replace("\"leaving\": false", "\"leaving\": true");
    assert!(text.contains("\"leaving\": true"), "{text}");
    std::fs::write(&path, text).unwrap();
    world.in_town(["witness", "patrol", "wyvern"]).ok();
    all_gone(&world, &daemon);
    let shown = world.show(&bead);
    assert_eq!((shown["status"].as_str(), shown.get("labels")), (Some("open"), None), "{shown}");
}
