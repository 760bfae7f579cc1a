//! The whole flow of gt on stores of bd: what each command asks bd, and what becomes of work when bd fails.
//!
//! By default against a stand-in that answers as bd 0.46.0, 1.0.3 or 1.0.5 does; against a real bd when
//! `GT_TEST_BD_BIN` names it (a program, or a folder with it).

mod failing;
mod home;
mod moving;
mod stores;
mod syncing;
mod town;

use town::Town;

use crate::common::wait_for;

const NONE: &[&str] = &[];

/// Tests for each version that the stand-in plays.
macro_rules! of_each_version {
    ($($module:ident $version:literal: $($test:ident)+;)+) => {
        $(mod $module { $(#[test] fn $test() { super::town::Town::of($version).iter().for_each(super::$test); })+ })+
    };
}

of_each_version! {
    of_0_46_0 "0.46.0": what_each_read_asks what_each_write_asks from_sling_to_merge;
    of_1_0_3 "1.0.3": what_each_read_asks what_each_write_asks from_sling_to_merge;
    of_1_0_5 "1.0.5": what_each_read_asks what_each_write_asks from_sling_to_merge;
}

fn what_each_read_asks(town: &Town) {
    let bead = town.bead("Sleep", "echo work > work.txt; touch begun; sleep 600");
    town.bead("Wait", "true");
    town.world.in_town(["sling", &bead, "wyvern"]).ok();
    let name = town.world.polecat_of(&bead);
    let tree = format!("town/wyvern/polecats/{name}");
    wait_for("the script", || town.world.path(format!("{tree}/begun")).exists().then_some(()));

    // The rig's store and the town's: one call each.
    let status = town.asks(&["status"], &["list", "list"], &["export", "export"]);
    assert!(status.stdout.contains("1 of 4 polecats, 1 ready, queue empty, store bd "), "{status:?}");
    assert!(status.stdout.contains(&bead), "{status:?}");
    let polecats = town.asks(&["polecats", "wyvern"], &["list"], &["export"]);
    assert!(polecats.stdout.contains("working"), "{polecats:?}");
    town.asks(&["witness", "status", "wyvern"], &["list"], &["export"]);
    town.asks(&["refinery", "status", "wyvern"], &["list"], &["export"]);
    town.asks(&["agents"], NONE, NONE);
    town.asks(&["rigs"], NONE, NONE);
    town.asks(&["mq", "list", "wyvern"], &["list"], &["export"]);
    town.asks(&["mq", "status", "wyvern"], &["list"], &["export"]);
    town.asks(&["mail", "inbox"], &["list"], &["export"]);
    // The first one archives what the witness was told of polecats that are gone.
    town.world.in_town(["witness", "patrol", "wyvern"]).ok();
    town.asks(&["witness", "patrol", "wyvern"], &["list"], &["export"]);
    town.asks(&["polecat", "list", "wyvern"], &["list"], &["export"]);
    town.asks(&["gc"], NONE, NONE);
    let hook = town.asks_in(&tree, &["hook"], &["list"], &["export"]);
    assert!(hook.stdout.starts_with(&bead), "{hook:?}");
    let prime = town.asks_in(&tree, &["prime"], &["list", "list"], &["export", "export"]);
    assert!(prime.stdout.contains(&bead) && prime.stdout.contains("Nothing unread."), "{prime:?}");
    town.asks_in(&tree, &["mail", "inbox"], &["list", "list"], &["export", "export"]);
    town.asks(&["sling", "--dry-run", &town.bead("More", "true"), "wyvern"], &["list"], &["export"]);
    town.asks(&["doctor"], &["list"], &["export"]);
    // A title is looked for first: a sling of it that was killed made its bead. What was just created needs no look.
    let title = "Newly\n```sh\nsleep 600\n```";
    town.asks(
        &["sling", "--new", title, "wyvern"],
        &["list", "create", "update"],
        &["export", "create", "list", "update"],
    );
}

fn from_sling_to_merge(town: &Town) {
    let first = town.bead("First", "echo first > same.txt");
    let second = town.bead("Second", "echo second > same.txt");
    let third = town.bead("Third", "echo third > third.txt");
    let red = town.bead("Red", "touch red");

    // A write needs no look when nothing was written since the read.
    town.asks(&["hold", &first], &["list", "update"], &["export", "update"]);
    let refused = town.world.in_town(["sling", &first, "wyvern"]).fails(1);
    assert!(refused.stderr.contains("is held back"), "{refused:?}");
    town.asks(&["unhold", &first], &["list", "update"], &["export", "update"]);
    // What several beads get is one transaction where there is one.
    town.asks(&["sling", &first, "wyvern"], &["list", "update"], &["export", "update"]);
    wait_for("the first", || town.is_handed_over(&first).then_some(()));
    // The end of the first may be written down only now, and then the store is looked at again.
    town.asks(
        &["sling", &second, &third, &red, "wyvern"],
        &["list", "list?", "batch"],
        &["export", "list?", "update", "update", "update"],
    );
    for bead in [&second, &third, &red] {
        wait_for("the rest", || town.is_handed_over(bead).then_some(()));
        assert_eq!(town.requests(bead).len(), 1);
        let (status, holder, labels) = town.state(bead);
        assert_eq!((status.as_str(), labels), ("in_progress", vec!["gt:submitted".to_string()]));
        assert!(holder.is_some());
    }

    // As bd itself sees it: the request's fields arrive whatever the version keeps them in.
    let request = town.requests(&third).remove(0);
    let shown = town.asks(&["mq", "show", request["id"].as_str().unwrap()], &["show"], &["show"]);
    assert!(shown.stdout.contains(&third), "{shown:?}");

    let done = town.world.in_town(["refinery", "process", "wyvern"]).ok();
    assert!(done.stdout.contains("conflict: same.txt"), "{done:?}");
    assert_eq!(town.state(&first).0, "closed");
    assert_eq!(town.state(&third).0, "closed");
    for bead in [&second, &red] {
        let (status, holder, labels) = town.state(bead);
        assert_eq!((status.as_str(), holder, labels), ("open", None, vec!["gt:rework".to_string()]));
        let shown = town.world.gt_in("town/wyvern", ["bd", "show", bead]).ok().stdout;
        assert!(
            town.world.gt_in("town/wyvern", ["bd", "comments", bead]).ok().stdout.contains("was not merged"),
            "{shown}"
        );
    }
    let mail = town.world.in_town(["mail", "inbox"]).ok().stdout;
    assert!(mail.contains(&second) && mail.contains(&red), "{mail}");

    // The conflict again, on what is there by now; the red one comes back by hand.
    town.world.in_town(["sling", &second, "wyvern"]).ok();
    wait_for("the second again", || town.is_handed_over(&second).then_some(()));
    let request = town.requests(&second).remove(0);
    assert_eq!(request["attempt"], 2);
    let merged = town.asks(
        &["refinery", "process", "wyvern"],
        &["list", "list", "list?", "update", "close", "list"],
        &["export", "export", "list?", "update", "close", "export"],
    );
    assert!(merged.stdout.contains("merged"), "{merged:?}");
    let (status, _, labels) = town.state(&second);
    assert_eq!((status.as_str(), labels), ("closed", vec![]));
    assert_eq!(town.world.git("origin.git", ["show", "main:same.txt"]), "second");

    let doctor = town.world.in_town(["doctor"]).ok();
    assert!(doctor.stdout.contains("Issues: 0 found"), "{doctor:?}");
}

fn what_each_write_asks(town: &Town) {
    let other = town.bead("Sleep too", "sleep 600");
    let sleeper = town.bead("Sleep", "touch begun; sleep 600");
    town.asks(&["sling", &other, &sleeper, "wyvern"], &["list", "batch"], &["export", "update", "update"]);
    let name = town.world.polecat_of(&sleeper);
    let tree = format!("town/wyvern/polecats/{name}");
    wait_for("the script", || town.world.path(format!("{tree}/begun")).exists().then_some(()));

    // A letter in the rig, and one to the town, which asks that store alone.
    let sent = town.asks_in(
        &tree,
        &["mail", "send", "wyvern/witness", "-s", "a", "-m", "x"],
        &["create"],
        &["create", "list"],
    );
    let letter = sent.stdout.split(' ').next().unwrap().to_string();
    town.asks(&["mail", "read", &letter], &["show"], &["show"]);
    let sent = town.asks(
        &["mail", "send", &format!("wyvern/{name}"), "-s", "b", "-m", "x"],
        &["create"],
        &["create", "list"],
    );
    let letter = sent.stdout.split(' ').next().unwrap().to_string();
    town.asks_in(&tree, &["mail", "read", &letter], &["show", "list", "update"], &["show", "list", "update"]);

    town.world.write(format!("{tree}/kept.txt"), "x\n");
    town.world.git(&tree, ["add", "-A"]);
    town.world.git(&tree, ["commit", "-qm", "kept"]);
    let nuke = town.asks(
        &["polecat", "nuke", &format!("wyvern/{name}")],
        &["list", "update"],
        &["export", "update"],
    );
    // What is kept is named with its bead, which was read already.
    let kept = town.asks(&["polecat", "list", "wyvern"], &["list"], &["export"]);
    assert!(kept.stdout.contains("kept") && kept.stdout.contains(&sleeper), "{kept:?}");
    assert!(nuke.stdout.contains(&sleeper), "{nuke:?}");
    let (status, holder, _) = town.state(&sleeper);
    assert_eq!((status.as_str(), holder), ("open", None));

    town.world
        .gt_in("town/wyvern", ["bd", "update", &sleeper, "--status", "hooked", "--assignee", "wyvern/Gone"])
        .ok();
    town.asks(&["unsling", &sleeper], &["list", "update"], &["export", "update"]);
    assert_eq!(town.state(&sleeper).0, "open");

    // By hand, where the polecat's calls can be counted.
    let bead = hooked_by_hand(town, "By hand");
    let tree = format!("town/wyvern/polecats/{}", town.world.polecat_of(&bead));
    town.world.write(format!("{tree}/hand.txt"), "x\n");
    town.world.git(&tree, ["add", "-A"]);
    town.world.git(&tree, ["commit", "-qm", "by hand"]);
    town.asks_in(
        &tree,
        &["done"],
        &["list", "list", "import"],
        &["export", "list", "create", "update", "create", "list"],
    );
    let request = town.requests(&bead).remove(0);
    let id = request["id"].as_str().unwrap();
    town.asks_in(&tree, &["done"], &["list"], &["export"]);
    assert_eq!(town.requests(&bead).len(), 1);
    // The first one archives what the witness was told of polecats that are gone.
    town.world.in_town(["witness", "patrol", "wyvern"]).ok();
    town.asks(&["witness", "patrol", "wyvern"], &["list"], &["export"]);

    town.world.in_town(["mq", "reject", id]).ok();
    let (status, holder, labels) = town.state(&bead);
    assert_eq!((status.as_str(), holder, labels), ("open", None, vec!["gt:rework".to_string()]));
    town.asks(
        &["mq", "retry", id],
        &["show", "list", "update", "update"],
        &["show", "list", "update", "update"],
    );
    assert_eq!(town.requests(&bead).len(), 1);
    town.world.in_town(["refinery", "merge", id]).ok();
    assert_eq!(town.state(&bead).0, "closed");

    let bead = hooked_by_hand(town, "Landed");
    let address = format!("wyvern/{}", town.world.polecat_of(&bead));
    let tree = format!("town/wyvern/polecats/{}", town.world.polecat_of(&bead));
    town.world.git(&tree, ["commit", "-qm", "nothing much", "--allow-empty"]);
    town.world.write(format!("{tree}/landed.txt"), "x\n");
    town.world.git(&tree, ["add", "-A"]);
    town.world.git(&tree, ["commit", "-qm", "landed"]);
    town.world.in_town(["session", "stop", &address]).ok();
    town.asks(&["land", "--direct", &address, "--dry-run"], &["list"], &["export"]);
    town.asks(&["land", "--direct", &address], &["list", "close"], &["export", "close"]);
    assert_eq!(town.state(&bead).0, "closed");
}

/// A bead that a polecat holds which has begun and does nothing by itself.
fn hooked_by_hand(town: &Town, title: &str) -> String {
    let began = town.world.path("home/began");
    let _ = std::fs::remove_file(&began);
    let bead = town.bead(title, "touch \"$HOME/began\"; sleep 600");
    town.world.in_town(["sling", &bead, "wyvern"]).ok();
    wait_for("the script", || began.exists().then_some(()));
    bead
}

#[test]
fn the_stand_in_refuses_what_it_does_not_know() {
    if std::env::var_os("GT_TEST_BD_BIN").is_some() {
        return;
    }
    let town = Town::new();
    let bd = |words: &[&str]| {
        town.world.set("BEADS_DIR", &town.world.str("town/.beads"));
        let run = town.world.run("bd", "", words);
        town.world.unset("BEADS_DIR");
        run
    };
    assert!(bd(&["batch", "--json"]).fails(1).stderr.contains("unknown command \"batch\""));
    assert!(bd(&["import", "--json", "-"]).fails(1).stderr.contains("unknown flag: --json"));
    assert!(bd(&["create", "x", "--metadata={}"]).fails(1).stderr.contains("unknown flag: --metadata"));
    assert!(bd(&["list", "--include-infra"]).code.is_some());
    assert_eq!(bd(&["show", "--json", "--", "hq-none"]).ok().stdout, "");
}
