//! Kills, races, refusals, and files on the branch that others wrote.

use serde_json::Value;

use super::{bd, beads, create, file, show, sync, two_towns};
use crate::common::{World, gt};

/// Puts a git on PATH that runs `then` once, right before its first call of this verb.
fn once_before(world: &World, verb: &str, then: &str) {
    let real = world.run("sh", "", ["-c", "command -v git"]).ok().stdout;
    let (flag, here) = (world.str("once"), world.str(""));
    let script = format!(
        "#!/bin/sh\ncase \" $* \" in *' {verb} '*) if [ ! -e '{flag}' ]; then : > '{flag}'; (cd '{here}' && {then}) >/dev/null 2>&1; fi;; esac\nexec {} \"$@\"\n",
        real.trim()
    );
    world.program("git", &script);
}

/// The steps of a sync that takes in and gives out.
const STEPS: [&str; 5] = ["sync.1", "sync.2", "sync.3", "sync.4", "sync.5"];

/// A kill after any step, then more work on both sides, then the same command: nothing is lost, and both agree.
#[test]
fn a_kill_after_any_step_is_completed_by_the_same_command() {
    for killed in STEPS {
        let world = two_towns();
        let id = create(&world, "town", &["A bead", "-l", "old"]);
        sync(&world, "town");
        sync(&world, "other");
        bd(&world, "town", &["update", &id, "--priority", "0", "--remove-label", "old"]);
        create(&world, "town", &["New there"]);
        sync(&world, "town");
        bd(&world, "other", &["update", &id, "--description", "text", "--add-label", "new"]);
        create(&world, "other", &["New here"]);
        world.gt_killed(killed, "other", ["sync", "wyvern"]);
        bd(&world, "other", &["update", &id, "--title", "After the kill"]);
        bd(&world, "other", &["update", &id, "--add-label", "old"]);
        bd(&world, "town", &["comments", "add", &id, "said meanwhile"]);
        sync(&world, "town");
        sync(&world, "other");
        sync(&world, "town");
        for town in ["town", "other"] {
            assert_eq!(sync(&world, town), "wyvern: in step", "{killed}");
        }
        assert_eq!(beads(&world, "town"), beads(&world, "other"), "{killed}");
        let bead = show(&world, "town", &id);
        let found = (&bead["priority"], &bead["description"], &bead["title"]);
        assert_eq!(found, (&0.into(), &"text".into(), &"After the kill".into()), "{killed}");
        // After the store was written, the label that came back is a new one; before, it was never gone here.
        let labels = if killed == "sync.1" { vec!["new"] } else { vec!["new", "old"] };
        assert_eq!(bead["labels"], serde_json::json!(labels), "{killed}");
        assert_eq!(beads(&world, "town")[&id]["comments"].as_array().unwrap().len(), 1, "{killed}");
        assert_eq!(beads(&world, "town").len(), 3, "{killed}");
    }
}

#[test]
fn a_push_that_another_town_overtakes_is_merged_again() {
    let world = two_towns();
    let id = create(&world, "town", &["A bead"]);
    sync(&world, "town");
    sync(&world, "other");
    bd(&world, "town", &["update", &id, "--priority", "1"]);
    bd(&world, "other", &["update", &id, "--description", "theirs"]);
    create(&world, "other", &["Another"]);
    once_before(&world, "push", &format!("{} -C other sync wyvern", gt()));
    assert_eq!(sync(&world, "town"), "wyvern: 1 bead in, 1 merged");
    std::fs::remove_file(world.path("bin/git")).unwrap();
    assert_eq!(sync(&world, "other"), "wyvern: 1 bead in");
    assert_eq!(beads(&world, "town"), beads(&world, "other"));
    assert_eq!(show(&world, "other", &id)["description"], "theirs");
}

/// Two towns that begin the branch at the same moment: neither's first commit is thrown away.
#[test]
fn the_first_commit_can_be_overtaken_too() {
    let world = two_towns();
    create(&world, "town", &["Ours"]);
    create(&world, "other", &["Theirs"]);
    once_before(&world, "push", &format!("{} -C other sync wyvern", gt()));
    assert_eq!(sync(&world, "town"), "wyvern: 1 bead in, 1 out");
    assert_eq!(sync(&world, "other"), "wyvern: 1 bead in");
    assert_eq!(beads(&world, "town").len(), 2);
    assert_eq!(beads(&world, "town"), beads(&world, "other"));
}

/// What is written in this town while it syncs is not lost, whenever it comes.
#[test]
fn writes_during_a_sync_are_kept() {
    for verb in ["fetch", "cat-file", "fast-import", "push"] {
        let world = two_towns();
        let id = create(&world, "town", &["A bead"]);
        sync(&world, "town");
        sync(&world, "other");
        bd(&world, "other", &["update", &id, "--priority", "0"]);
        sync(&world, "other");
        bd(&world, "town", &["update", &id, "--description", "before"]);
        let write = format!(
            "{0} -C town/wyvern bd update {id} --title Meanwhile; {0} -C town/wyvern bd create New",
            gt()
        );
        once_before(&world, verb, &write);
        sync(&world, "town");
        assert_eq!(show(&world, "town", &id)["title"], "Meanwhile", "{verb}");
        sync(&world, "town");
        sync(&world, "other");
        let bead = show(&world, "other", &id);
        let found = (&bead["title"], &bead["description"], &bead["priority"]);
        assert_eq!(found, (&"Meanwhile".into(), &"before".into(), &0.into()), "{verb}");
        assert_eq!(beads(&world, "town"), beads(&world, "other"), "{verb}");
        assert_eq!(beads(&world, "town").len(), 2, "{verb}");
    }
}

/// Many syncs of both towns at once, while both write.
#[test]
fn many_at_once() {
    let world = two_towns();
    let id = create(&world, "town", &["A bead"]);
    sync(&world, "town");
    sync(&world, "other");
    let script = format!(
        "for t in town other; do (for i in 1 2 3; do {0} -C $t/wyvern bd create $t$i; \
         {0} -C $t/wyvern bd comments add {id} $t$i; {0} -C $t sync -q wyvern || exit 1; done) & p=\"$p $!\"; \
         ({0} -C $t sync -q wyvern) & p=\"$p $!\"; done; for i in $p; do wait $i || exit 1; done",
        gt()
    );
    world.run("sh", "", ["-c", &script]).ok();
    for town in ["town", "other", "town"] {
        sync(&world, town);
    }
    assert_eq!(beads(&world, "town"), beads(&world, "other"));
    assert_eq!(beads(&world, "town").len(), 7);
    assert_eq!(beads(&world, "town")[&id]["comments"].as_array().unwrap().len(), 6);
}

#[test]
fn one_id_for_two_beads_keeps_both_and_says_so() {
    let world = two_towns();
    create(&world, "town", &["Of the laptop", "--id", "wy-same"]);
    create(&world, "other", &["Of the tower", "--id", "wy-same"]);
    let waits = create(&world, "other", &["Waits", "--deps", "wy-same"]);
    for town in ["town", "other"] {
        create(&world, town, &[&format!("Child in {town}"), "--parent", "wy-same"]);
    }
    sync(&world, "town");
    let record =
        world.gt_in("other", ["sync", "wyvern", "--dry-run", "--json"]).ok().json()["synced"][0].clone();
    let run = world.gt_in("other", ["sync", "wyvern"]).ok();
    assert_eq!(run.stdout, "wyvern: 2 beads in, 3 out\n");
    let renamed = record["renamed"].as_array().unwrap();
    let new = |old: &str| {
        let found = renamed.iter().find(|one| one["old"] == old).unwrap();
        found["new"].as_str().unwrap().to_string()
    };
    assert!(run.stderr.contains(&format!("wy-same is {} now", new("wy-same"))), "{}", run.stderr);
    sync(&world, "town");
    for town in ["town", "other"] {
        assert_eq!(show(&world, town, "wy-same")["title"], "Of the laptop");
        assert_eq!(show(&world, town, &new("wy-same"))["title"], "Of the tower");
        assert_eq!(show(&world, town, "wy-same.1")["title"], "Child in town");
        assert_eq!(show(&world, town, &new("wy-same.1"))["title"], "Child in other");
        let all = beads(&world, town);
        assert_eq!(all[&waits]["dependencies"][0]["depends_on_id"], new("wy-same").as_str());
        assert_eq!(all[&new("wy-same.1")]["dependencies"][0]["depends_on_id"], new("wy-same").as_str());
    }
    assert_eq!(beads(&world, "town"), beads(&world, "other"));
}

#[test]
fn a_bead_that_is_worked_on_keeps_its_id_until_it_is_done() {
    let world = two_towns();
    create(&world, "town", &["Of the laptop", "--id", "wy-same"]);
    create(&world, "other", &["Of the tower", "--id", "wy-same"]);
    bd(&world, "other", &["update", "wy-same", "--status", "in_progress", "--assignee", "wyvern/Nux"]);
    sync(&world, "town");
    let run = world.gt_in("other", ["sync", "wyvern"]).ok();
    assert_eq!(run.stdout, "wyvern: in step\n");
    assert!(run.stderr.contains("wy-same stays here for now"), "{}", run.stderr);
    assert_eq!(show(&world, "other", "wy-same")["title"], "Of the tower");
    bd(&world, "other", &["close", "wy-same", "--reason", "done"]);
    let run = world.gt_in("other", ["sync", "wyvern"]).ok();
    assert!(run.stderr.contains("wy-same is wy-"), "{}", run.stderr);
    sync(&world, "town");
    let titles = |town: &str| -> Vec<(String, Value)> {
        beads(&world, town).into_iter().map(|(id, bead)| (id, bead["title"].clone())).collect()
    };
    assert_eq!(titles("town"), titles("other"));
    assert_eq!(titles("town").len(), 2);
}

/// Commits a file to the branch as another program would, with a work tree of its own.
pub fn commit(world: &World, files: &[(&str, &str)]) {
    let _ = std::fs::remove_dir_all(world.path("person"));
    world.git("", ["clone", "-q", "origin.git", "person"]);
    let there = world.run("git", "person", ["switch", "-q", "beads-sync"]);
    if there.code != Some(0) {
        world.git("person", ["switch", "-q", "--orphan", "beads-sync"]);
    }
    for (path, text) in files {
        world.write(format!("person/{path}"), text);
    }
    world.git("person", ["add", "-A"]);
    world.git("person", ["commit", "-q", "-m", "by hand"]);
    world.git("person", ["push", "-q", "origin", "beads-sync"]);
}

/// A branch that bd writes: its path, its form, other files, lines of other kinds, fields that gt does not know.
#[test]
fn what_others_put_on_the_branch_survives() {
    let world = two_towns();
    let line = r#"{"id":"wy-bd1","title":"By bd","status":"open","priority":1,"issue_type":"task","created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z","source_repo":".","waiters":[{"b":1,"a":2}]}"#;
    let memory = r#"{"_type":"memory","key":"k","value":"v"}"#;
    commit(
        &world,
        &[
            (".beads/issues.jsonl", &format!("{line}\n{memory}\n")),
            (".beads/metadata.json", "{}\n"),
            ("README.md", "beads\n"),
        ],
    );
    assert_eq!(sync(&world, "town"), "wyvern: 1 bead in");
    // Nothing is written anew where nothing is to be said.
    assert_eq!(file(&world).lines().next(), Some(line));
    bd(&world, "town", &["update", "wy-bd1", "--title", "By both"]);
    assert_eq!(sync(&world, "town"), "wyvern: 1 bead out");
    let text = file(&world);
    assert!(
        text.contains(memory)
            && text.contains(r#""source_repo":".""#)
            && text.contains(r#""title":"By both""#),
        "{text}"
    );
    assert_eq!(world.git("origin.git", ["show", "beads-sync:README.md"]), "beads");
    assert_eq!(world.git("origin.git", ["show", "beads-sync:.beads/metadata.json"]), "{}");
    let bead: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(bead["waiters"], serde_json::json!([{"a": 2, "b": 1}]));
}

#[test]
fn a_file_that_holds_no_beads_is_not_taken_and_not_written_over() {
    let world = two_towns();
    create(&world, "town", &["Ours"]);
    commit(&world, &[(".beads/issues.jsonl", "<<<<<<< HEAD\n")]);
    let before = (beads(&world, "town"), file(&world));
    let run = world.gt_in("town", ["sync", "wyvern"]).fails(1);
    assert!(
        run.stderr.contains(".beads/issues.jsonl on beads-sync: line 1: no JSON object"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("show refs/gt/sync/beads-sync:.beads/issues.jsonl"), "{}", run.stderr);
    assert_eq!((beads(&world, "town"), file(&world)), before);
}

#[test]
fn one_bad_line_of_the_branch_stops_itself_alone() {
    let world = two_towns();
    create(&world, "town", &["First"]);
    sync(&world, "town");
    let bad = "{\"id\":\"wy-odd\",\"title\":\"x\",\"priority\":9}";
    commit(&world, &[(".beads/issues.jsonl", &format!("{bad}\n{}\n", file(&world)))]);
    create(&world, "town", &["Second"]);
    let run = world.gt_in("town", ["sync"]).fails(1);
    assert_eq!(run.stdout, "wyvern: 1 bead out\n", "{run:#?}");
    assert_eq!(run.stderr.matches("issues.jsonl on beads-sync: line 1: ").count(), 1, "{run:#?}");
    assert!(run.stderr.contains("stay there as they are, and the rest is in step"), "{run:#?}");
    assert_eq!(file(&world).lines().filter(|line| *line == bad).count(), 1);
    let run = world.gt_in("other", ["sync", "wyvern", "--json"]).fails(1);
    let unread = run.json()["synced"][0]["unread"][0].as_str().unwrap().to_string();
    assert!(unread.starts_with("line 3: ") && beads(&world, "other").len() == 2, "{run:#?}");
    // A lost store is restored from the rest.
    std::fs::remove_dir_all(world.path("other/wyvern/mayor/rig/.beads")).unwrap();
    std::fs::remove_dir_all(world.path("other/mayor/exports")).unwrap();
    let said = world.gt_in("other", ["doctor", "--fix"]).fails(1).stdout;
    assert!(said.contains("could not be read: line 3: ") && beads(&world, "other").len() == 2, "{said}");
}

/// A branch that was deleted is made again; one that was begun anew is merged with what is here.
#[test]
fn a_branch_that_is_gone_or_new_loses_nothing() {
    let world = two_towns();
    let id = create(&world, "town", &["One"]);
    sync(&world, "town");
    sync(&world, "other");
    world.git("origin.git", ["update-ref", "-d", "refs/heads/beads-sync"]);
    assert_eq!(sync(&world, "other"), "wyvern: 1 bead out");
    bd(&world, "other", &["update", &id, "--title", "Two"]);
    create(&world, "town", &["Three"]);
    sync(&world, "other");
    assert_eq!(sync(&world, "town"), "wyvern: 1 bead in, 1 out");
    sync(&world, "other");
    assert_eq!(beads(&world, "town"), beads(&world, "other"));
    assert_eq!(show(&world, "town", &id)["title"], "Two");
}

/// A store that was put back from a copy knows what it was in step with then: what it lacks is not taken for taken away.
#[test]
fn an_older_copy_of_the_store_catches_up() {
    let world = two_towns();
    let id = create(&world, "town", &["One", "-l", "a"]);
    sync(&world, "town");
    let store = "town/wyvern/mayor/rig/.beads/gastown.db";
    world.run("sh", "", ["-c", &format!("cp {store} copy.db; rm -f {store}-wal {store}-shm")]).ok();
    sync(&world, "other");
    bd(&world, "other", &["update", &id, "--title", "Two", "--add-label", "b", "--remove-label", "a"]);
    sync(&world, "other");
    sync(&world, "town");
    world.run("sh", "", ["-c", &format!("cp copy.db {store}; rm -f {store}-wal {store}-shm")]).ok();
    assert_eq!(show(&world, "town", &id)["title"], "One");
    assert_eq!(sync(&world, "town"), "wyvern: 1 bead in");
    assert_eq!(beads(&world, "town"), beads(&world, "other"));
    assert_eq!(show(&world, "town", &id)["labels"], serde_json::json!(["b"]));
}

#[test]
fn another_branch_and_another_remote_are_named_in_the_rig() {
    let world = two_towns();
    world.origin("beads.git", &[("README.md", "beads\n")]);
    for town in ["town", "other"] {
        let path = format!("{town}/wyvern/config.json");
        let mut config: Value = serde_json::from_str(&world.read(&path)).unwrap();
        config["beads"]["sync_branch"] = "team/beads".into();
        config["beads"]["sync_remote"] = world.str("beads.git").into();
        world.write(&path, config.to_string());
    }
    create(&world, "town", &["One"]);
    assert_eq!(sync(&world, "town"), "wyvern: 1 bead out");
    assert_eq!(sync(&world, "other"), "wyvern: 1 bead in");
    assert_eq!(sync(&world, "other"), "wyvern: in step");
    assert_eq!(world.git("beads.git", ["show", "team/beads:.beads/issues.jsonl"]).lines().count(), 1);
    assert_eq!(world.git("origin.git", ["branch", "--list"]), "* main");
    let path = "town/wyvern/config.json";
    for (key, bad, said) in [
        ("sync_branch", "a b", "cannot be the name of a branch"),
        ("sync_remote", "--upload-pack=x", "neither a remote nor a URL"),
        ("sync_remote", "https://dana:ghp_1@localhost:1/x", "on git's command line"),
    ] {
        let text = world.read(path);
        let mut config: Value = serde_json::from_str(&text).unwrap();
        config["beads"][key] = bad.into();
        world.write(path, config.to_string());
        let run = world.in_town(["sync", "wyvern"]).fails(1);
        assert!(run.stderr.contains(said) && run.stderr.contains("config.json"), "{}", run.stderr);
        assert!(!run.stderr.contains("ghp_1"), "{}", run.stderr);
        world.write(path, text);
    }
}

/// One rig that fails does not keep the others back.
#[test]
fn every_rig_gets_its_turn() {
    let world = two_towns();
    world.origin("second.git", &[("README.md", "second\n")]);
    world.in_town(["rig", "add", "second", &world.str("second.git"), "--prefix", "se"]).ok();
    world.gt_in("town/second", ["bd", "create", "One"]).ok();
    create(&world, "town", &["Two"]);
    std::fs::rename(world.path("second.git"), world.path("away.git")).unwrap();
    let run = world.in_town(["sync"]).fails(1);
    assert_eq!(run.stdout, "wyvern: 1 bead out\n");
    assert!(run.stderr.contains("second: cannot fetch"), "{}", run.stderr);
}
