//! Agents of two towns: their work, their mail, their requests.

use super::{bd, beads, create, show, sync, two_towns};
use crate::common::World;

/// A polecat of one town works and is merged there; the other town sees each stage, and touches nothing.
#[test]
fn code_and_beads_of_a_polecat_reach_the_other_town() {
    let world = two_towns();
    let id = world.bead("Work", "echo 1 > one; git add one; git commit -qm one");
    world.in_town(["sling", &id, "wyvern/Nux"]).ok();
    crate::flow::wait_for_the_end(&world);
    sync(&world, "town");
    assert_eq!(sync(&world, "other"), "wyvern: 3 beads in");
    // Submitted, by somebody who is not of this town.
    let holder = show(&world, "other", &id)["assignee"].as_str().unwrap().to_string();
    assert!(holder.starts_with("town-") && holder.ends_with(":wyvern/Nux"), "{holder}");
    let polecats = world.gt_in("other", ["polecats", "wyvern", "--json"]).ok().json();
    assert_eq!(polecats["polecats"].as_array().unwrap().len(), 0);
    world.gt_in("other", ["witness", "patrol", "wyvern"]).ok();
    let queue = world.gt_in("other", ["mq", "list", "wyvern", "--json"]).ok().json();
    assert_eq!(queue["requests"][0]["worker"], holder.as_str());
    // The town that made the work merges it; the other leaves it alone.
    world.gt_in("other", ["refinery", "process", "wyvern"]).ok();
    assert_eq!(world.git("origin.git", ["log", "--oneline", "main"]).lines().count(), 1);
    world.in_town(["refinery", "process", "wyvern"]).ok();
    sync(&world, "town");
    sync(&world, "other");
    let bead = show(&world, "other", &id);
    assert_eq!(bead["status"], "closed");
    assert!(bead["close_reason"].as_str().unwrap().starts_with("merged"), "{bead}");
    world.git("other/wyvern/mayor/rig", ["fetch", "-q"]);
    assert_eq!(world.git("other/wyvern/mayor/rig", ["show", "origin/main:one"]), "1");
    let queue = world.gt_in("other", ["mq", "list", "wyvern", "--json"]).ok().json();
    assert_eq!(queue["requests"].as_array().unwrap().len(), 0);
}

/// With the request's id a person may have another town's work merged here, and that town learns of it.
#[test]
fn a_person_may_merge_what_another_town_made() {
    let world = two_towns();
    let id = world.bead("Work", "echo 1 > one; git add one; git commit -qm one");
    world.in_town(["sling", &id, "wyvern/Nux"]).ok();
    crate::flow::wait_for_the_end(&world);
    sync(&world, "town");
    sync(&world, "other");
    let queue = world.gt_in("other", ["mq", "list", "wyvern", "--json"]).ok().json();
    let request = queue["requests"][0]["id"].as_str().unwrap().to_string();
    assert_eq!(queue["requests"][0]["foreign"], true);
    let said = world.gt_in("other", ["refinery", "merge", &request]).fails(1).stderr;
    assert!(said.contains(&format!("gt adopt {request}")), "{said}");
    let shown = world.gt_in("other", ["adopt", &request, "--yes"]).ok().stdout;
    assert!(shown.contains(":wyvern/Nux") && shown.contains("1 commit that main lacks"), "{shown}");
    world.gt_in("other", ["refinery", "merge", &request]).ok();
    sync(&world, "other");
    sync(&world, "town");
    // What the branch says does not end it; what the target holds does.
    assert_eq!(show(&world, "town", &id)["status"], "in_progress");
    world.in_town(["refinery", "process", "wyvern"]).ok();
    assert_eq!(show(&world, "town", &id)["status"], "closed");
    assert_eq!(world.git("origin.git", ["show", "main:one"]), "1");
}

/// A bead that is somebody's there is taken here: it cannot be slung, and nothing about it is repaired.
#[test]
fn what_an_agent_of_another_town_holds_is_taken() {
    let world = two_towns();
    let id = create(&world, "town", &["A bead"]);
    bd(&world, "town", &["update", &id, "--status", "hooked", "--assignee", "wyvern/Nux"]);
    sync(&world, "town");
    sync(&world, "other");
    let run = world.gt_in("other", ["sling", &id, "wyvern"]).fails(1);
    assert!(run.stderr.contains(":wyvern/Nux"), "{}", run.stderr);
    let before = beads(&world, "other");
    world.gt_in("other", ["doctor", "--fix"]);
    world.gt_in("other", ["witness", "patrol", "wyvern"]).ok();
    assert_eq!(beads(&world, "other"), before);
    // At home it is who it was.
    sync(&world, "other");
    sync(&world, "town");
    assert_eq!(show(&world, "town", &id)["assignee"], "wyvern/Nux");
}

/// The town's own store goes along when the town is a repository; mail is for who it is for.
#[test]
fn the_stores_of_towns_that_are_repositories() {
    let world = World::new();
    world.settings("[beads]\nstore = \"embedded\"\n");
    world.origin("towns.git", &[("README.md", "towns\n")]);
    for town in ["one", "two"] {
        world.gt(["install", town, "--git"]).ok();
    }
    let run = world.gt_in("one", ["sync"]).ok();
    assert_eq!(
        (run.stdout.as_str(), run.stderr.trim()),
        ("", "nothing to keep in step: no rigs yet, and the town has no remote")
    );
    assert_eq!(world.gt_in("one", ["sync", "--json"]).ok().json()["synced"], serde_json::json!([]));
    for town in ["one", "two"] {
        world.git(town, ["remote", "add", "origin", &world.str("towns.git")]);
    }
    world.gt_in("one", ["mail", "send", "mayor/", "-s", "For the mayor here", "-m", "x"]).ok();
    world.gt_in("one", ["mail", "send", "overseer", "-s", "For the person", "-m", "x"]).ok();
    assert_eq!(world.gt_in("one", ["sync"]).ok().stdout, "town: 2 beads out\n");
    assert_eq!(world.gt_in("two", ["sync"]).ok().stdout, "town: 2 beads in\n");
    let inbox = |town: &str, of: &str| {
        let mut command = world.command(crate::common::gt(), town);
        let run = crate::common::finish(command.args(["mail", "inbox", "--json"]).env("GT_ADDRESS", of)).ok();
        run.json()["messages"].as_array().unwrap().len()
    };
    assert_eq!((inbox("one", "mayor/"), inbox("two", "mayor/")), (1, 0));
    assert_eq!((inbox("one", "overseer"), inbox("two", "overseer")), (1, 1));
}

/// A bead that was given out in both towns is worked on in both until one is done, and said to be.
#[test]
fn a_bead_that_two_towns_gave_out_is_told() {
    let world = two_towns();
    let id = create(&world, "town", &["A bead"]);
    sync(&world, "town");
    sync(&world, "other");
    bd(&world, "town", &["update", &id, "--status", "hooked", "--assignee", "wyvern/Nux"]);
    bd(&world, "other", &["update", &id, "--status", "hooked", "--assignee", "wyvern/Toast"]);
    sync(&world, "other");
    let record = world.in_town(["sync", "--dry-run", "--json"]).ok().json()["synced"][0]["taken"][0].clone();
    assert_eq!((&record["id"], &record["from"]), (&id.as_str().into(), &"wyvern/Nux".into()));
    let run = world.in_town(["sync", "wyvern"]).ok();
    assert!(
        run.stderr.contains(&format!("{id} is worked on twice: by wyvern/Nux here, and by other-")),
        "{run:?}"
    );
    assert_eq!(show(&world, "town", &id)["assignee"], "wyvern/Nux");
    for town in ["town", "other", "town", "other"] {
        assert_eq!(sync(&world, town), "wyvern: in step");
    }
    bd(&world, "town", &["close", &id, "--reason", "done"]);
    sync(&world, "town");
    assert_eq!(show(&world, "other", &id)["assignee"], "wyvern/Toast");
    bd(&world, "other", &["close", &id, "--reason", "done too"]);
    sync(&world, "other");
    sync(&world, "town");
    assert_eq!(show(&world, "town", &id)["status"], "closed");
}

/// Two rigs of one repository do not pour their beads together.
#[test]
fn two_rigs_of_one_repository_need_two_branches() {
    let world = World::with_rig();
    world.in_town(["rig", "add", "second", &world.str("origin.git"), "--prefix", "se"]).ok();
    create(&world, "town", &["One"]);
    let run = world.in_town(["sync"]).fails(1);
    assert!(run.stderr.contains("would both use the branch beads-sync of"), "{run:?}");
    assert!(run.stderr.contains("sync_branch"), "{run:?}");
    let error = world.in_town(["sync", "--json"]).fails(1).error();
    assert!(error["error"].as_str().unwrap().starts_with("2 stores were not brought in step:\n  second: "));
    assert_eq!(world.git("origin.git", ["branch", "--list"]), "* main");
    let path = "town/second/config.json";
    let mut config: serde_json::Value = serde_json::from_str(&world.read(path)).unwrap();
    config["beads"]["sync_branch"] = "beads-second".into();
    world.write(path, config.to_string());
    assert_eq!(world.in_town(["sync"]).ok().stdout, "second: in step\nwyvern: 1 bead out\n");
}
