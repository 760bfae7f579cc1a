//! `gt sync`: two towns on one origin that both write, and meet without loss.

mod agents;
mod hostile;
mod trouble;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::common::{Run, World};

/// A second town, `other/`, with the same rig on the same origin.
fn two_towns() -> World {
    let world = World::with_rig();
    world.gt(["install", "other"]).ok();
    world.gt_in("other", ["rig", "add", "wyvern", &world.str("origin.git"), "--prefix", "wy"]).ok();
    world
}

fn sync(world: &World, town: &str) -> String {
    world.gt_in(town, ["sync", "wyvern"]).ok().stdout.trim().to_string()
}

fn bd(world: &World, town: &str, words: &[&str]) -> Run {
    let all: Vec<&str> = ["bd"].iter().chain(words).copied().collect();
    world.gt_in(format!("{town}/wyvern"), all).ok()
}

fn create(world: &World, town: &str, words: &[&str]) -> String {
    let all: Vec<&str> = ["create"].iter().chain(words).chain(&["--json"]).copied().collect();
    bd(world, town, &all).json()["id"].as_str().unwrap().to_string()
}

fn show(world: &World, town: &str, id: &str) -> Value {
    bd(world, town, &["show", id, "--json"]).json()[0].clone()
}

/// What a store holds, by id; whose an agent is set aside.
fn beads(world: &World, town: &str) -> BTreeMap<String, Value> {
    let text = bd(world, town, &["export"]).stdout;
    let parse = |line: &str| serde_json::from_str::<Value>(line).unwrap();
    text.lines().map(parse).map(|bead| (bead["id"].as_str().unwrap().to_string(), bead)).collect()
}

fn file(world: &World) -> String {
    world.git("origin.git", ["show", "beads-sync:.beads/issues.jsonl"])
}

#[test]
fn beads_go_both_ways_and_then_nothing_is_left_to_do() {
    let world = two_towns();
    let one = create(&world, "town", &["From the laptop", "-d", "text", "-l", "a,b"]);
    assert_eq!(sync(&world, "town"), "wyvern: 1 bead out");
    let two = create(&world, "other", &["From the tower"]);
    assert_eq!(sync(&world, "other"), "wyvern: 1 bead in, 1 out");
    assert_eq!(sync(&world, "town"), "wyvern: 1 bead in");
    for town in ["town", "other", "town"] {
        assert_eq!(sync(&world, town), "wyvern: in step");
    }
    assert_eq!(beads(&world, "town"), beads(&world, "other"));
    assert_eq!(show(&world, "other", &one)["labels"], serde_json::json!(["a", "b"]));
    assert_eq!(show(&world, "town", &two)["title"], "From the tower");
    assert_eq!(file(&world).lines().count(), 2);
}

#[test]
fn what_both_write_at_once_is_merged_field_by_field() {
    let world = two_towns();
    let id = create(&world, "town", &["A bead", "-d", "text"]);
    let first = create(&world, "town", &["First"]);
    let second = create(&world, "town", &["Second"]);
    sync(&world, "town");
    sync(&world, "other");
    bd(
        &world,
        "town",
        &["update", &id, "--priority", "0", "--add-label", "mine", "--append-notes", "seen here"],
    );
    bd(&world, "town", &["comments", "add", &id, "said here"]);
    bd(&world, "town", &["dep", "add", &id, &first]);
    bd(&world, "town", &["update", &id, "--title", "The earlier title"]);
    bd(&world, "other", &["update", &id, "--description", "a better text", "--add-label", "yours"]);
    bd(&world, "other", &["update", &id, "--append-notes", "seen there"]);
    bd(&world, "other", &["comments", "add", &id, "said there"]);
    bd(&world, "other", &["dep", "add", &id, &second]);
    bd(&world, "other", &["update", &id, "--title", "The later title"]);
    assert_eq!(sync(&world, "town"), "wyvern: 1 bead out");
    assert_eq!(sync(&world, "other"), "wyvern: 1 bead merged");
    assert_eq!(sync(&world, "town"), "wyvern: 1 bead in");
    let bead = show(&world, "town", &id);
    assert_eq!(bead["title"], "The later title");
    assert_eq!((&bead["priority"], &bead["description"]), (&0.into(), &"a better text".into()));
    assert_eq!(bead["labels"], serde_json::json!(["mine", "yours"]));
    assert_eq!(bead["notes"], "seen here\nseen there");
    assert_eq!(beads(&world, "town"), beads(&world, "other"));
    let stored = &beads(&world, "town")[&id];
    let texts: Vec<&str> =
        stored["comments"].as_array().unwrap().iter().map(|said| said["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["said here", "said there"]);
    let needs: Vec<&str> = stored["dependencies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edge| edge["depends_on_id"].as_str().unwrap())
        .collect();
    assert!(needs.contains(&first.as_str()) && needs.contains(&second.as_str()));
}

#[test]
fn closed_here_and_changed_there() {
    let world = two_towns();
    let (closed, reopened) = (create(&world, "town", &["Closed"]), create(&world, "town", &["Taken up"]));
    sync(&world, "town");
    sync(&world, "other");
    bd(&world, "town", &["close", &closed, "--reason", "done"]);
    bd(&world, "other", &["update", &closed, "--title", "Closed, with a title"]);
    bd(&world, "town", &["close", &reopened, "--reason", "done"]);
    bd(&world, "other", &["update", &reopened, "--status", "in_progress"]);
    sync(&world, "town");
    sync(&world, "other");
    sync(&world, "town");
    let bead = show(&world, "town", &closed);
    assert_eq!((&bead["status"], &bead["title"]), (&"closed".into(), &"Closed, with a title".into()));
    let bead = show(&world, "town", &reopened);
    assert_eq!((&bead["status"], &bead["close_reason"]), (&"in_progress".into(), &Value::Null));
    assert_eq!(beads(&world, "town"), beads(&world, "other"));
}

#[test]
fn a_dry_run_says_what_would_be_and_changes_nothing() {
    let world = two_towns();
    create(&world, "town", &["One"]);
    sync(&world, "town");
    create(&world, "other", &["Two"]);
    let before =
        (world.git("other/wyvern/mayor/rig", ["for-each-ref"]), beads(&world, "other"), file(&world));
    let run = world.gt_in("other", ["sync", "--dry-run"]).ok();
    assert_eq!(run.stdout, "wyvern: would be: 1 bead in, 1 out\n");
    let record = world.gt_in("other", ["sync", "--dry-run", "--json"]).ok().json()["synced"][0].clone();
    assert_eq!((&record["in"], &record["out"], &record["rig"]), (&1.into(), &1.into(), &"wyvern".into()));
    let after = (world.git("other/wyvern/mayor/rig", ["for-each-ref"]), beads(&world, "other"), file(&world));
    assert_eq!(before, after);
}

/// Nothing of a person's is touched: what is checked out, the index, the branches, the stash.
#[test]
fn nobody_sees_it_in_their_work_tree() {
    let world = two_towns();
    let clone = "town/wyvern/mayor/rig";
    world.write(format!("{clone}/README.md"), "half written\n");
    world.write(format!("{clone}/new.txt"), "new\n");
    world.git(clone, ["add", "new.txt"]);
    let index = std::fs::read(world.path(format!("{clone}/.git/index"))).unwrap();
    let look = || {
        (
            world.git(clone, ["status", "--porcelain=v2", "--branch"]),
            world.git(clone, ["for-each-ref", "refs/heads", "refs/tags", "refs/stash"]),
            world.git(clone, ["rev-parse", "HEAD"]),
            world.git(clone, ["worktree", "list"]),
        )
    };
    let before = look();
    create(&world, "town", &["One"]);
    create(&world, "other", &["Two"]);
    sync(&world, "other");
    std::fs::write(world.path(format!("{clone}/.git/index")), &index).unwrap();
    assert_eq!(sync(&world, "town"), "wyvern: 1 bead in, 1 out");
    assert_eq!(std::fs::read(world.path(format!("{clone}/.git/index"))).unwrap(), index);
    assert_eq!(look(), before);
    assert_eq!(world.git("origin.git", ["log", "--oneline", "main"]).lines().count(), 1);
}

#[test]
fn a_sync_is_a_few_processes() {
    let world = two_towns();
    create(&world, "town", &["One"]);
    world.count_calls(&["git"]);
    let words = |calls: Vec<String>| -> Vec<String> {
        let verbs = ["fetch", "cat-file", "var", "fast-import", "push", "ls-remote"];
        let verb = |call: &String| {
            verbs.iter().find(|verb| call.contains(&format!(" {verb} "))).map(|verb| verb.to_string())
        };
        calls.iter().map(|call| verb(call).unwrap_or_else(|| call.clone())).collect()
    };
    sync(&world, "town");
    // There is no branch yet: that is asked of origin, not read from why the fetch failed.
    assert_eq!(words(world.calls("git")), ["fetch", "ls-remote", "var", "fast-import", "push"]);
    sync(&world, "town");
    assert_eq!(words(world.calls("git")), ["fetch", "cat-file"]);
    create(&world, "town", &["Two"]);
    sync(&world, "town");
    assert_eq!(words(world.calls("git")), ["fetch", "cat-file", "var", "fast-import", "push"]);
    sync(&world, "other");
    assert_eq!(words(world.calls("git")), ["fetch", "cat-file"]);
}

#[test]
fn a_remote_that_is_away_changes_nothing_and_later_all_comes() {
    let world = two_towns();
    create(&world, "town", &["One"]);
    std::fs::rename(world.path("origin.git"), world.path("away.git")).unwrap();
    let before = beads(&world, "town");
    let run = world.gt_in("town", ["sync", "wyvern"]).fails(1);
    assert!(run.stderr.contains("cannot fetch beads-sync from origin"), "{}", run.stderr);
    assert!(run.stderr.contains("hint: nothing is lost"), "{}", run.stderr);
    assert_eq!(beads(&world, "town"), before);
    std::fs::rename(world.path("away.git"), world.path("origin.git")).unwrap();
    assert_eq!(sync(&world, "town"), "wyvern: 1 bead out");
}

#[test]
fn a_server_that_refuses_the_branch_is_quoted_and_nothing_is_lost() {
    let world = two_towns();
    create(&world, "other", &["Theirs"]);
    sync(&world, "other");
    create(&world, "town", &["Ours"]);
    world.write(
        "origin.git/hooks/pre-receive",
        "#!/bin/sh\necho 'no branches of programs here' >&2\nexit 1\n",
    );
    world.run("chmod", "", ["+x", &world.str("origin.git/hooks/pre-receive")]).ok();
    let run = world.gt_in("town", ["sync", "wyvern"]).fails(1);
    assert!(
        run.stderr
            .contains("origin refused beads-sync: pre-receive hook declined: no branches of programs here"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("beads.sync_branch"), "{}", run.stderr);
    // What came in is here all the same.
    assert_eq!(beads(&world, "town").len(), 2);
    std::fs::remove_file(world.path("origin.git/hooks/pre-receive")).unwrap();
    assert_eq!(sync(&world, "town"), "wyvern: 1 bead out");
    assert_eq!(sync(&world, "other"), "wyvern: 1 bead in");
}
