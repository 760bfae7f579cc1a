//! One broken thing stops itself alone: the other rigs, and what is on this machine, go on.

use insta::assert_snapshot;

use crate::common::World;
use crate::install::plain;

/// `wyvern` as it was, and `ant`, whose configuration cannot be read.
fn with_a_broken_rig(config: &str) -> World {
    let world = World::waiting();
    world.in_town(["rig", "add", "ant", &world.str("origin.git")]).ok();
    match config {
        "" => std::fs::remove_file(world.path("town/ant/config.json")).unwrap(),
        text => world.write("town/ant/config.json", text),
    }
    world
}

#[test]
fn a_rig_that_cannot_be_read_stops_no_other() {
    for config in ["", " ", "{\n  \"type\": \"ri"] {
        let world = with_a_broken_rig(config);
        // A command about another rig says nothing of it.
        let bead = world.bead("Work", "true");
        world.in_town(["sling", &bead, "wyvern"]).ok();
        let name = world.polecat_of(&bead);
        let id = world.in_town(["mail", "send", &name, "-s", "Hello", "-m", "there", "--json"]).ok();
        let id = id.json()["sent"]["id"].as_str().unwrap().to_string();
        world.in_town(["mail", "read", &id]).ok();
        world.in_town(["crew", "add", "max", "--rig", "wyvern"]).ok();
        // A command about all does the others, and names it at its end.
        for words in [
            &["crew", "list"][..],
            &["polecat", "list"],
            &["mq", "status"],
            &["gc"],
            &["rigs"],
            &["remote", "sync"],
        ] {
            let run = world.in_town(words).fails(1);
            assert!(run.stderr.contains("ant/config.json"), "{run:#?}");
            assert!(run.stderr.contains("hint: "), "{run:#?}");
            let done = ["gc", "remote"].contains(&words[0]) || run.stdout.contains("wyvern");
            assert!(done, "{run:#?}");
        }
        // What is not found may be in there.
        for words in [&["mq", "show", "ant-1"][..], &["mail", "read", "ant-1"], &["sling", "xy-1"]] {
            let run = world.in_town(words);
            assert_ne!(run.code, Some(0), "{run:#?}");
            assert!(run.stderr.contains("ant/config.json"), "{run:#?}");
        }
        // Its store still tells which prefix is taken.
        let run = world.in_town(["rig", "add", "bee", &world.str("origin.git"), "--prefix", "ant"]).fails(2);
        assert!(run.stderr.contains("the prefix 'ant' is another rig's"), "{run:#?}");
        world.in_town(["rig", "add", "bee", &world.str("origin.git")]).ok();
    }
}

#[test]
fn a_prefix_that_nothing_tells_is_not_guessed() {
    let world = with_a_broken_rig("{");
    std::fs::remove_dir_all(world.path("town/ant/mayor/rig/.beads")).unwrap();
    let run = world.in_town(["rig", "add", "bee", &world.str("origin.git")]).fails(1);
    assert_snapshot!(plain(&world, &run.stderr), @r"
    gt: cannot tell which prefix ant has: /world/town/ant/config.json:1:1: EOF while parsing an object
    hint: mend that first; or choose a prefix that it does not have: --prefix PREFIX
    ");
    world.in_town(["rig", "add", "bee", &world.str("origin.git"), "--prefix", "bee"]).ok();
}

#[test]
fn a_record_of_other_machines_that_cannot_be_read_stops_nothing_here() {
    let world = World::waiting();
    let bead = world.bead("Work", "true");
    world.in_town(["sling", &bead, "wyvern"]).ok();
    let away = world.bead("Elsewhere", "true");
    let words = ["bd", "update", &away, "--status", "in_progress", "--assignee", "wyvern/Far"];
    world.gt_in("town/wyvern", words.into_iter().chain(["--add-label", "gt:remote:box"])).ok();
    world.write("town/wyvern/polecats/.names/Far", "far");
    for broken in ["{", "", "fifo"] {
        let path = world.path("town/mayor/remote.json");
        let _ = std::fs::remove_file(&path);
        match broken {
            "fifo" => drop(world.run("mkfifo", "", [&path]).ok()),
            text => world.write("town/mayor/remote.json", text),
        }
        for words in [&["status"][..], &["polecats", "wyvern"], &["session", "list"]] {
            let run = world.in_town(words).ok();
            let said = format!("{}{}", run.stdout, run.stderr);
            assert_eq!(said.matches("mayor/remote.json").count(), 1, "{run:#?}");
            assert!(said.contains("Nux") || said.contains("wyvern"), "{run:#?}");
        }
        let run = world.in_town(["witness", "patrol", "wyvern"]).fails(1);
        assert_eq!(run.stderr.matches("mayor/remote.json").count(), 1, "{run:#?}");
        assert!(run.stdout.contains("wyvern/Far: leave it: cannot be known"), "{run:#?}");
        world.in_town(["refinery", "process", "wyvern"]).ok();
        let run = world.in_town(["doctor", "--fix"]).fails(1);
        assert!(run.stdout.contains("Record of sessions elsewhere broken"), "{run:#?}");
        world.in_town(["unsling", "--force", &away]).fails(1);
        assert_eq!(world.show(&away)["assignee"], "wyvern/Far");
        assert!(world.path("town/wyvern/polecats/.names/Far").exists());
    }
    // Work here goes on.
    world.in_town(["unsling", "--force", &bead]).ok();
    world.in_town(["sling", &bead, "wyvern"]).ok();
}

#[test]
fn a_wish_that_cannot_be_written_down_keeps_nobody_from_being_started_or_stopped() {
    let world = World::waiting();
    world.set("GASTOWN_MAYOR__AGENT", "waits");
    world.set("GASTOWN_WITNESS__AGENT", "waits");
    world.write("town/mayor/state.json", "{\"do");
    for words in [&["mayor", "start"][..], &["down", "mayor"]] {
        let run = world.in_town(words).fails(1);
        assert!(run.stderr.contains("mayor/state.json"), "{run:#?}");
        let runs = world.in_town(["session", "list"]).ok().stdout.contains("mayor");
        assert_eq!(runs, words[0] == "mayor", "{run:#?}");
    }
    // What is down is not known: nothing is started that was not asked for by name.
    world.in_town(["apply"]).fails(1);
    assert!(!world.in_town(["session", "list"]).ok().stdout.contains("mayor"));
    // It is mended by doctor or by hand.
    world.write("town/mayor/state.json", "{}");
    world.in_town(["mayor", "start"]).ok();
}

#[test]
fn one_that_cannot_be_started_keeps_no_other_from_it() {
    let world = with_a_broken_rig("{");
    world.set("GASTOWN_WITNESS__AGENT", "waits");
    world.write("town/config/town.toml", "[up]\nroles = [\"witness\"]\n");
    let run = world.in_town(["start"]).fails(1);
    assert!(run.stdout.contains("started wyvern/witness"), "{run:#?}");
    assert!(run.stderr.contains("ant/config.json"), "{run:#?}");
    let run = world.in_town(["down"]).ok();
    assert!(run.stdout.contains("stopped wyvern/witness"), "{run:#?}");
    let run = world.in_town(["up"]).fails(1);
    assert!(run.stdout.contains("started wyvern/witness"), "{run:#?}");
}

#[test]
fn a_folder_that_cannot_be_listed_stops_no_other_check() {
    let world = World::waiting();
    world.in_town(["rig", "add", "ant", &world.str("origin.git")]).ok();
    world.write("town/ant/polecats/.names", "no folder");
    std::fs::remove_file(world.path("town/wyvern/refinery/state.json")).unwrap();
    let run = world.in_town(["doctor", "--fix"]).fails(1);
    assert_eq!(run.stdout.matches("ant/polecats/.names cannot be looked into").count(), 1, "{run:#?}");
    assert!(world.path("town/wyvern/refinery/state.json").exists(), "{run:#?}");
}
