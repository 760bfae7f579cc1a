//! Every numbered step of every workflow has a test that kills gt there; and the kills of the shorter workflows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use regex::Regex;

use crate::common::{World, steps};
use crate::refinery::{bead, hand_over, is_merged, laws, process, settled};

/// Workflows that share a file of steps: it says the number, they say the name.
const SHARED: [(&str, &[&str]); 2] =
    [("landing.rs", &["process", "land"]), ("aside.rs", &["process", "reject"])];

/// The texts of the Rust files below a folder, by path.
fn sources(dir: &Path, found: &mut BTreeMap<String, String>) {
    for path in std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.insert(path.display().to_string(), std::fs::read_to_string(&path).unwrap());
        }
    }
}

fn texts(folder: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut found);
    found
}

#[test]
fn a_test_kills_at_every_step() {
    let (plain, shared) =
        (Regex::new(r#"step\("([\w-]+\.\w+)"\)"#), Regex::new(r#"step\(&format!\("\{[^}]*\}\.(\d+)""#));
    let (plain, shared) = (plain.unwrap(), shared.unwrap());
    let mut there = BTreeSet::new();
    for (path, text) in texts("src") {
        there.extend(plain.captures_iter(&text).map(|found| found[1].to_string()));
        let numbers = shared.captures_iter(&text).map(|found| found[1].to_string());
        for number in numbers {
            let own = SHARED.iter().find(|(file, _)| path.ends_with(&format!("/{file}")));
            let (_, workflows) =
                own.unwrap_or_else(|| panic!("{path} has steps whose workflows are not listed here"));
            there.extend(workflows.iter().map(|workflow| format!("{workflow}.{number}")));
        }
    }
    assert!(there.len() > 60, "{there:?}");
    let (named, range) =
        (Regex::new(r#""([\w-]+\.\w+)""#), Regex::new(r#"steps\("([\w-]+)", (\d+)..=(\d+)\)"#));
    let (named, range) = (named.unwrap(), range.unwrap());
    let mut killed = BTreeSet::new();
    for text in texts("tests").into_values() {
        killed.extend(named.captures_iter(&text).map(|found| found[1].to_string()));
        for found in range.captures_iter(&text) {
            killed.extend(steps(&found[1], found[2].parse().unwrap()..=found[3].parse().unwrap()));
        }
    }
    assert_eq!(
        there.difference(&killed).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "no test kills gt there"
    );
}

#[test]
fn a_handoff_that_was_killed_is_left_again_and_nothing_ends_before_the_note() {
    for step in ["handoff.1", "handoff.2"] {
        let world = World::waiting();
        let bead = world.bead("Fix it", "true");
        world.in_town(["sling", &bead, "wyvern"]).ok();
        let name = world.polecat_of(&bead);
        let (address, place) = (format!("wyvern/{name}"), format!("town/wyvern/polecats/{name}"));
        world.write(format!("{place}/open.txt"), "x");
        world.gt_killed(step, &place, ["handoff", "-m", "the parser is next"]);
        assert_ne!(world.session_of(&address), "", "{step}");
        assert!(world.in_town(["prime", &address]).ok().stdout.contains("the parser is next"), "{step}");
        world.gt_in(&place, ["handoff", "-m", "the parser is next"]).ok();
        assert_eq!(world.session_of(&address), "", "{step}");
        let state = world.read(format!("town/wyvern/polecats/.state/{name}.json"));
        assert!(state.contains("\"requesting_cycle\": true"), "{step}: {state}");
        world.in_town(["sling", "--resume", &bead]).ok();
        assert_eq!(world.read(format!("{place}/open.txt")), "x");
        let state = std::fs::read_to_string(world.path(format!("town/wyvern/polecats/.state/{name}.json")));
        assert!(!state.unwrap_or_default().contains("requesting_cycle"), "{step}");
    }
}

#[test]
fn beads_of_two_rigs_are_held_by_the_same_command_after_a_kill() {
    let world = World::with_rig();
    world.in_town(["rig", "add", "other", &world.str("origin.git"), "--prefix", "ot"]).ok();
    let words = ["bd", "create", "Another", "--json"];
    let other = world.gt_in("town/other", words).ok().json()["id"].as_str().unwrap().to_string();
    let own = world.bead("One", "true");
    let held = |bead: &str, rig: &str| {
        let shown = world.gt_in(format!("town/{rig}"), ["bd", "show", bead, "--json"]).ok().json();
        shown[0]["labels"].as_array().is_some_and(|labels| labels.contains(&"gt:hold".into()))
    };
    for (word, wanted) in [("hold", true), ("unhold", false)] {
        world.gt_killed("hold.1", "town", [word, &own, &other]);
        assert_ne!(held(&own, "wyvern"), held(&other, "other"), "{word}: one of two stores was written");
        world.in_town([word, &own, &other]).ok();
        assert_eq!((held(&own, "wyvern"), held(&other, "other")), (wanted, wanted), "{word}");
    }
}

#[test]
fn a_request_that_is_rejected_or_put_back_is_so_after_a_kill() {
    for step in [steps("reject", 8..=11), vec!["retry.1".to_string()]].concat() {
        let world = crate::refinery::world();
        let one = hand_over(&world, "Nux", "One", &[("a", "1\n")], true);
        let two = hand_over(&world, "Toast", "Two", &[("b", "1\n")], true);
        let reject = ["mq", "reject", &one.request, "--reason", "not now"];
        if step.starts_with("reject") {
            world.gt_killed(&step, "town", reject);
            laws(&world, &[&one, &two]);
            // Once it is out of the queue, there is nothing left to be done.
            let again = world.in_town(reject);
            assert_eq!(again.code, Some(i32::from(step == "reject.11")), "{step}: {again:#?}");
        } else {
            world.in_town(reject).ok();
        }
        assert!(bead(&world, &one.bead).has_label("gt:rework"), "{step}");
        assert!(bead(&world, &one.request).is_closed(), "{step}");
        if step == "retry.1" {
            world.gt_killed(&step, "town", ["mq", "retry", &one.request]);
        } else {
            world.in_town(["mq", "retry", &one.request]).ok();
        }
        assert_eq!(bead(&world, &one.bead).labels, ["gt:submitted"], "{step}");
        process(&world).ok();
        assert!(is_merged(&world, &one) && is_merged(&world, &two), "{step}");
        settled(&world, &[&one, &two]);
    }
}

#[test]
fn a_crew_member_that_was_half_made_or_half_removed_leaves_nothing() {
    let world = World::with_rig();
    let (add, remove) =
        (["crew", "add", "ann", "--rig", "wyvern"], ["crew", "remove", "ann", "--rig", "wyvern"]);
    let left = || world.run("ls", "town/wyvern/crew", ["-A"]).ok().stdout;
    world.gt_killed("crew-add.1", "town", add);
    world.in_town(add).ok();
    assert_eq!(left(), "ann\n");
    world.gt_killed("crew-remove.1", "town", remove);
    assert!(left().starts_with(".gt-old-ann-"), "{}", left());
    world.heal("crew-remove.1");
    assert_eq!(left(), "");
}
