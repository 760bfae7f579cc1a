//! `gt sync` of a store of bd's: with a town whose store is gt's own, over one branch; and bd's own way, with Dolt.

use serde_json::Value;

use super::town::{Fails, Town};
use crate::common::{World, finish, gt};
use crate::refinery::hand_over;

/// The town with a store of bd's, and `other/` with gt's own.
fn two_kinds() -> Town {
    let town = Town::new();
    let world = &town.world;
    let embedded = |dir: &str, words: &[&str]| {
        finish(world.command(gt(), dir).args(words).env("GASTOWN_BEADS__STORE", "embedded")).ok();
    };
    embedded("", &["install", "other"]);
    embedded("other", &["rig", "add", "wyvern", &world.str("origin.git"), "--prefix", "wy"]);
    town
}

fn bd(world: &World, town: &str, words: &[&str]) -> String {
    let all: Vec<&str> = ["bd"].iter().chain(words).copied().collect();
    world.gt_in(format!("{town}/wyvern"), all).ok().stdout
}

fn create(world: &World, town: &str, title: &str) -> String {
    let made = bd(world, town, &["create", title, "-d", "text", "--json"]);
    serde_json::from_str::<Value>(&made).unwrap()["id"].as_str().unwrap().to_string()
}

fn sync(world: &World, town: &str) -> String {
    world.gt_in(town, ["sync", "wyvern"]).ok().stdout.trim().to_string()
}

/// What a bead says, in the order of the store's export.
fn said(world: &World, town: &str) -> Vec<Value> {
    let text = bd(world, town, &["export"]);
    let essence = |line: &str| {
        let bead: Value = serde_json::from_str(line).unwrap();
        let list = |name: &str, field: &str| -> Vec<Value> {
            let items = bead[name].as_array().cloned().unwrap_or_default();
            let mut items: Vec<Value> = items.iter().map(|item| item[field].clone()).collect();
            items.sort_by_key(ToString::to_string);
            items
        };
        let fields =
            ["id", "title", "description", "status", "priority", "issue_type", "notes", "labels", "metadata"];
        let mut all: Vec<Value> = fields.iter().map(|field| bead[field].clone()).collect();
        all.push(list("comments", "text").into());
        all.push(list("dependencies", "depends_on_id").into());
        Value::from(all)
    };
    text.lines().map(essence).collect()
}

#[test]
fn two_kinds_of_store_on_one_branch() {
    let town = two_kinds();
    let world = &town.world;
    let one = create(world, "town", "By bd");
    bd(world, "town", &["comments", "add", &one, "said by bd"]);
    let reads: (&[&str], &[&str]) = (&["dolt", "export"], &["export", "show"]);
    town.asks(&["sync", "wyvern"], reads.0, reads.1);
    let two = create(world, "other", "By gt");
    bd(world, "other", &["comments", "add", &two, "said by gt"]);
    assert_eq!(sync(world, "other"), "wyvern: 1 bead in, 1 out");
    let run = town.asks(&["sync", "wyvern"], &["dolt", "export", "import"], &["export", "show", "import"]);
    assert_eq!(run.stdout, "wyvern: 1 bead in\n");
    for place in ["other", "town", "other"] {
        assert_eq!(sync(world, place), "wyvern: in step");
    }
    // Both write, the same beads.
    bd(world, "town", &["update", &one, "--title", "By bd, again", "--add-label", "mine"]);
    bd(world, "town", &["update", &two, "--notes", "seen", "--assignee", "wyvern/Nux"]);
    bd(world, "town", &["dep", "add", &two, &one]);
    bd(world, "other", &["update", &one, "--description", "better", "--priority", "0"]);
    bd(world, "other", &["comments", "add", &one, "said by gt too"]);
    bd(world, "other", &["update", &two, "--add-label", "yours"]);
    sync(world, "other");
    assert_eq!(sync(world, "town"), "wyvern: 2 beads merged");
    assert_eq!(sync(world, "other"), "wyvern: 2 beads in");
    for place in ["town", "other", "town"] {
        assert_eq!(sync(world, place), "wyvern: in step");
    }
    assert_eq!(said(world, "town"), said(world, "other"));
    let bead = said(world, "other").into_iter().find(|bead| bead[0] == one.as_str()).unwrap();
    assert_eq!((&bead[1], &bead[2], &bead[4]), (&"By bd, again".into(), &"better".into(), &0.into()));
    // What goes goes on both sides.
    bd(world, "town", &["update", &one, "--remove-label", "mine"]);
    bd(world, "other", &["update", &two, "--assignee", "", "--remove-label", "yours"]);
    bd(world, "other", &["close", &one, "--reason", "done"]);
    for place in ["town", "other", "town"] {
        sync(world, place);
    }
    for place in ["town", "other", "town"] {
        assert_eq!(sync(world, place), "wyvern: in step");
    }
    assert_eq!(said(world, "town"), said(world, "other"));
    assert_eq!(town.state(&two).1, None);
    assert_eq!(town.state(&one).0, "closed");
    // Nothing of bd's own ways is left in the clone.
    assert_eq!(world.git("town/wyvern/mayor/rig", ["status", "--porcelain"]), "");
    assert_eq!(world.git("town/wyvern/mayor/rig", ["worktree", "list"]).lines().count(), 1);
}

#[test]
fn one_id_for_two_beads_in_two_kinds_of_store() {
    let town = two_kinds();
    let world = &town.world;
    bd(world, "other", &["create", "By gt", "--id", "wy-same", "-d", "x"]);
    let same = ["create", "By bd", "--id", "wy-same", "-d", "x"];
    // Old bds want to be told twice that an id is meant.
    let run = world.gt_in("town/wyvern", ["bd"].iter().chain(&same).copied().collect::<Vec<_>>());
    if run.code != Some(0) {
        bd(world, "town", &[&same[..], &["--force"]].concat());
    }
    sync(world, "other");
    let run = world.gt_in("town", ["sync", "wyvern"]).ok();
    assert!(run.stderr.contains("wy-same is wy-"), "{run:?}");
    // What bd 1.0 leaves in place of what it writes over (the owner) goes out once.
    for place in ["other", "town", "other"] {
        sync(world, place);
    }
    for place in ["town", "other"] {
        assert_eq!(sync(world, place), "wyvern: in step");
        assert_eq!(said(world, place).len(), 2);
    }
    assert_eq!(said(world, "town"), said(world, "other"));
    assert_eq!(town.world.show("wy-same")["title"], "By gt");
}

#[test]
fn a_kill_at_any_step_is_completed() {
    for killed in ["sync.1", "sync.2", "sync.3", "sync.4", "sync.5"] {
        let town = two_kinds();
        let world = &town.world;
        let one = create(world, "town", "By bd");
        sync(world, "town");
        sync(world, "other");
        bd(world, "other", &["update", &one, "--priority", "0"]);
        create(world, "other", "By gt");
        sync(world, "other");
        bd(world, "town", &["update", &one, "--title", "New"]);
        world.gt_killed(killed, "town", ["sync", "wyvern"]);
        bd(world, "town", &["update", &one, "--description", "After the kill"]);
        for place in ["town", "other"] {
            sync(world, place);
        }
        for place in ["town", "other"] {
            assert_eq!(sync(world, place), "wyvern: in step", "{killed}");
        }
        assert_eq!(said(world, "town"), said(world, "other"), "{killed}");
        let bead = said(world, "other").into_iter().find(|bead| bead[0] == one.as_str()).unwrap();
        let wanted = (&"New".into(), &"After the kill".into(), &0.into());
        assert_eq!((&bead[1], &bead[2], &bead[4]), wanted, "{killed}");
    }
}

#[test]
fn a_sync_whose_bd_fails_at_any_call_is_completed() {
    for how in [Fails::Before, Fails::After] {
        for nth in 1.. {
            let town = two_kinds();
            let world = &town.world;
            let one = create(world, "town", "By bd");
            sync(world, "town");
            sync(world, "other");
            bd(world, "other", &["update", &one, "--title", "New"]);
            create(world, "other", "By gt");
            sync(world, "other");
            bd(world, "town", &["update", &one, "--priority", "1"]);
            let (run, reached) = town.failing("town", &["sync", "wyvern"], nth, how);
            if !reached {
                assert!(nth > 2, "no call failed");
                break;
            }
            assert!(run.code == Some(1) && run.stderr.contains("the disk is full"), "{nth}: {run:?}");
            for place in ["town", "other"] {
                sync(world, place);
            }
            assert_eq!(sync(world, "town"), "wyvern: in step", "{how:?} {nth}");
            assert_eq!(said(world, "town"), said(world, "other"), "{how:?} {nth}");
        }
    }
}

/// A bd 1.0 with a Dolt remote: it is asked for the closed requests, to pull and to push, and again when another town pushed in between.
#[test]
fn a_store_with_a_dolt_remote_is_left_to_bd() {
    let world = World::with_rig();
    let store = "town/wyvern/mayor/rig/.beads";
    std::fs::remove_dir_all(world.path(store)).unwrap();
    world.write(format!("{store}/metadata.json"), "{}\n");
    let script = r#"#!/bin/sh
echo "$*" >> '@LOG@'
case "$*" in
  --version) echo 'bd version 1.0.5 (dev)' ;;
  'dolt remote list --json') echo '[{"name": "origin", "sql_url": "file:///x", "status": "ok"}]' ;;
  list*) echo '[]' ;;
  'dolt pull') [ ! -e '@LOG@.conflict' ] || { echo 'Error: merge origin/main: Error 1105: Merge conflict detected' >&2; exit 1; } ;;
  'dolt push') [ -e '@LOG@.once' ] || { : > '@LOG@.once'; echo 'Error: push to origin/main: ! [rejected] main -> main (non-fast-forward)' >&2; exit 1; } ;;
  *) exit 9 ;;
esac
"#;
    world.program("bd", &script.replace("@LOG@", &world.str("asked")));
    let dry = world.in_town(["sync", "wyvern", "--dry-run"]).ok();
    assert_eq!(dry.stdout, "wyvern: bd would pull from and push to its Dolt remote origin\n");
    assert!(!world.read("asked").contains("dolt pull"));
    std::fs::remove_file(world.path("asked")).unwrap();
    let run = world.in_town(["sync", "wyvern"]).ok();
    assert_eq!(run.stdout, "wyvern: bd pulled from and pushed to its Dolt remote origin\n");
    let asked = ["dolt remote", "list --json", "dolt pull", "dolt push", "dolt pull", "dolt push"];
    let log = world.read("asked");
    let first_words = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    assert_eq!(log.lines().map(first_words).collect::<Vec<_>>(), asked, "{log}");
    let record = world.in_town(["sync", "wyvern", "--json"]).ok().json()["synced"][0].clone();
    assert_eq!((&record["by_dolt"], &record["branch"]), (&true.into(), &Value::Null));
    world.write("asked.conflict", "");
    let run = world.in_town(["sync", "wyvern"]).fails(1);
    assert!(
        run.stderr.contains("bd dolt pull failed: merge origin/main: Error 1105: Merge conflict"),
        "{run:?}"
    );
    assert!(run.stderr.contains("bd dolt remote remove NAME"), "{run:?}");
    assert_eq!(world.git("origin.git", ["branch", "--list"]), "* main");
}

/// A request that a person closed with bd itself is over too, when what Dolt brings has it open again.
#[test]
fn a_request_that_bd_closed_is_not_open_again_by_an_older_copy_that_dolt_brings() {
    let world = World::with_rig();
    let request = hand_over(&world, "Nux", "Withdrawn", &[("a", "1\n")], true).request;
    let export = bd(&world, "town", &["export"]);
    let open = export.lines().find(|line| line.contains(&format!("\"id\":\"{request}\""))).unwrap();
    let mut closed: Value = serde_json::from_str(open).unwrap();
    closed["status"] = "closed".into();
    world.write("asked.json", closed.to_string());
    world.write("asked.older", open);
    let store = "town/wyvern/mayor/rig/.beads";
    std::fs::remove_dir_all(world.path(store)).unwrap();
    world.write(format!("{store}/metadata.json"), "{}\n");
    let script = r#"#!/bin/sh
case "$*" in
  --version) echo 'bd version 1.0.5 (dev)' ;;
  list*) echo '['; cat '@LOG@.json'; echo ']' ;;
  'dolt remote list --json') echo '[{"name": "origin"}]' ;;
  'dolt pull') cp '@LOG@.older' '@LOG@.json' ;;
  'dolt push') ;;
  *) exit 9 ;;
esac
"#;
    world.program("bd", &script.replace("@LOG@", &world.str("asked")));
    let queue = || world.in_town(["mq", "list", "wyvern", "--json"]).ok().json()["requests"].clone();
    assert_eq!(queue(), Value::Array(vec![]));
    world.in_town(["sync", "wyvern", "--dry-run"]).ok();
    assert_eq!(world.read("town/mayor/ended"), "");
    for _ in 0..2 {
        world.in_town(["sync", "wyvern"]).ok();
        assert_eq!((&queue()[0]["id"], &queue()[0]["foreign"]), (&request.clone().into(), &true.into()));
        assert_eq!(world.read("town/mayor/ended"), format!("ended {request}\n"));
    }
}

/// The same with a real bd 1.0, whose stores were made from one another.
#[test]
fn two_stores_of_a_real_bd_with_one_dolt_remote() {
    let town = Town::new();
    let world = &town.world;
    if std::env::var_os("GT_TEST_BD_BIN").is_none() || !town.whole {
        eprintln!(
            "SKIPPED: set GT_TEST_BD_BIN to a bd 1.0 to run this; what is asked of bd is tested without it"
        );
        return;
    }
    world.gt(["install", "other"]).ok();
    world.gt_in("other", ["rig", "add", "wyvern", &world.str("origin.git"), "--prefix", "wy"]).ok();
    let one = create(world, "town", "One");
    std::fs::create_dir(world.path("dolt")).unwrap();
    let remote = format!("file://{}", world.str("dolt"));
    let add = |place: &str| bd(world, place, &["dolt", "remote", "add", "origin", &remote]);
    add("town");
    let run = world.in_town(["sync", "wyvern"]).ok();
    assert!(run.stdout.contains("Dolt remote origin"), "{run:?}");
    // Two stores that were made apart have no common past, and Dolt says so.
    add("other");
    let run = world.gt_in("other", ["sync", "wyvern"]).fails(1);
    assert!(run.stderr.contains("no common ancestor"), "{run:?}");
    let store = "other/wyvern/mayor/rig/.beads";
    std::fs::remove_dir_all(world.path(store)).unwrap();
    world.run("cp", "", ["-R", "town/wyvern/mayor/rig/.beads", store]).ok();
    let two = create(world, "other", "Two");
    create(world, "town", "Three");
    for place in ["other", "town", "other"] {
        world.gt_in(place, ["sync", "wyvern"]).ok();
    }
    assert_eq!(said(world, "town"), said(world, "other"));
    assert_eq!(said(world, "town").len(), 3);
    // Dolt stops where both changed one bead; without the remote the branch takes over, and loses nothing. Two fields, both
    // changed in one second, are none of that: it merges field by field, and the time is one.
    bd(world, "town", &["update", &one, "--title", "New"]);
    bd(world, "other", &["update", &one, "--title", "Newer", "--priority", "0"]);
    world.in_town(["sync", "wyvern"]).ok();
    let run = world.gt_in("other", ["sync", "wyvern"]).fails(1);
    assert!(run.stderr.contains("bd dolt pull failed") && run.stderr.contains("conflict"), "{run:?}");
    for place in ["town", "other"] {
        bd(world, place, &["dolt", "remote", "remove", "origin"]);
    }
    bd(world, "other", &["update", &two, "--title", "Two, later"]);
    for place in ["town", "other", "town", "other"] {
        sync(world, place);
    }
    assert_eq!(sync(world, "town"), "wyvern: in step");
    assert_eq!(said(world, "town"), said(world, "other"));
}
