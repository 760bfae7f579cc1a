//! After a kill anywhere, doctor completes what was begun: no commit is lost, nobody holds a bead for nobody, and no
//! place, name or session is left over.

use crate::common::{World, steps, wait_for};
use crate::refinery::hand_over;

fn nothing_left(world: &World, when: &str) {
    let clone = "town/wyvern/mayor/rig";
    assert_eq!(world.git(clone, ["for-each-ref", "refs/heads/polecat/"]), "", "{when}");
    assert_eq!(world.git(clone, ["worktree", "list"]).lines().count(), 1, "{when}");
    let refinery = "town/wyvern/refinery/rig";
    assert_eq!(
        world.git(refinery, ["worktree", "list", "--porcelain"]).matches("worktree ").count(),
        1,
        "{when}"
    );
    let names = world.run("ls", "", ["-A", &world.str("town/wyvern/polecats/.names")]).stdout;
    assert_eq!(names.replace(".lock\n", ""), "", "{when}");
}

fn place(world: &World, bead: &str) -> (String, bool) {
    let shown = world.show(bead);
    (shown["status"].as_str().unwrap().to_string(), shown["assignee"].is_string())
}

#[test]
fn a_sling_killed_after_any_step_is_given_back_or_goes_on_to_the_end() {
    for when in steps("sling", 1..=6) {
        let world = World::with_rig();
        let bead = world.bead("Do it", "echo work > work.txt");
        world.gt_killed(&when, "town", ["sling", &bead, "wyvern"]);
        world.heal(&when);
        if place(&world, &bead) == ("open".into(), false) {
            world.in_town(["sling", &bead, "wyvern"]).ok();
        }
        wait_for("the work to be handed over", || {
            let queue = world.in_town(["mq", "list", "wyvern"]).ok();
            queue.stdout.contains(&bead).then_some(())
        });
        world.heal(&when);
        world.in_town(["refinery", "process", "wyvern"]).ok();
        world.heal(&when);
        assert_eq!(place(&world, &bead).0, "closed", "{when}");
        assert_eq!(world.git("origin.git", ["show", "main:work.txt"]), "work", "{when}");
        nothing_left(&world, &when);
    }
}

#[test]
fn an_end_killed_after_any_step_is_completed_and_keeps_the_commits() {
    for step in ["end.3", "end.4", "end.5", "release.1", "release.2", "release.3"] {
        let world = World::with_rig();
        let bead = world.bead("Do it", "echo work > work.txt\ngit add -A\ngit commit -qm precious\nexit 3");
        world.in_town(["sling", &bead, "wyvern"]).ok();
        let name = world.polecat_of(&bead);
        wait_for("the crash, and what the hook of the session does about it", || {
            let crashed = world.in_town(["polecats", "wyvern"]).ok().stdout.contains("crashed");
            let told = world.in_town(["mail", "inbox", "mayor/"]).ok().stdout.contains(&bead);
            (crashed && told).then_some(())
        });
        let address = format!("wyvern/{name}");
        if step.starts_with("release") {
            world.gt_killed(step, "town", ["polecat", "release", &address]);
        } else {
            world.gt_in("town/wyvern", ["bd", "update", &bead, "--status", "open", "--assignee", ""]).ok();
            world.gt_killed(step, "town", ["witness", "patrol", "wyvern"]);
        }
        world.heal(step);
        assert_eq!(place(&world, &bead), ("open".into(), false), "{step}");
        let kept = ["log", "--format=%s", "--glob=refs/gt/recovery/*", "-1"];
        assert_eq!(world.git("town/wyvern/mayor/rig", kept), "precious", "{step}");
        nothing_left(&world, step);
    }
}

#[test]
fn a_queue_killed_after_any_step_is_left_whole_for_the_same_command() {
    for step in steps("process", 1..=11) {
        let world = crate::refinery::world();
        let good = hand_over(&world, "Nux", "good", &[("good.txt", "x\n")], true);
        let bad = hand_over(&world, "Slit", "bad", &[("BAD.txt", "x\n")], true);
        world.gt_killed(&step, "town", ["refinery", "process", "wyvern"]);
        world.heal(&step);
        world.in_town(["refinery", "process", "wyvern"]).ok();
        world.heal(&step);
        assert_eq!(place(&world, &good.bead).0, "closed", "{step}");
        assert_eq!(place(&world, &bad.bead), ("open".into(), false), "{step}");
        let main = world.git("origin.git", ["ls-tree", "--name-only", "main"]);
        assert_eq!(main, "README.md\ngood.txt", "{step}");
        let clone = "town/wyvern/refinery/rig";
        assert_eq!(world.git(clone, ["worktree", "list"]).lines().count(), 1, "{step}");
    }
}
