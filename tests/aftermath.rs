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
    let world = World::with_rig();
    for when in steps("sling", 1..=6) {
        let bead = world.bead("Do it", &format!("echo work > {when}.txt"));
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
        assert_eq!(world.git("origin.git", ["show", &format!("main:{when}.txt")]), "work", "{when}");
        nothing_left(&world, &when);
    }
}

#[test]
fn the_end_of_several_killed_after_any_step_is_completed_and_keeps_the_commits() {
    let world = World::with_rig();
    for step in ["end.3", "end.4", "end.5", "release.1", "release.2", "release.3"] {
        let crash = |part: &str| {
            let script = format!("echo work > work.txt\ngit add -A\ngit commit -qm '{part} {step}'\nexit 3");
            world.bead("Do it", &script)
        };
        let beads = ["one", "two", "three"].map(crash);
        world.in_town(["sling", &beads[0], &beads[1], &beads[2], "wyvern"]).ok();
        let addresses = beads.each_ref().map(|bead| format!("wyvern/{}", world.polecat_of(bead)));
        wait_for("the crashes, and what the hooks of the sessions do about them", || {
            let crashed = world.in_town(["polecats", "wyvern"]).ok().stdout.matches("crashed").count() == 3;
            let told = world.in_town(["mail", "inbox", "overseer"]).ok().stdout;
            (crashed && beads.iter().all(|bead| told.contains(bead))).then_some(())
        });
        if step.starts_with("release") {
            world.gt_killed(step, "town", ["polecat", "release", &addresses[0]]);
            world.in_town(["polecat", "release", &addresses[1]]).ok();
            world.in_town(["polecat", "release", &addresses[2]]).ok();
        } else {
            for bead in &beads {
                world.gt_in("town/wyvern", ["bd", "update", bead, "--status", "open", "--assignee", ""]).ok();
            }
            world.gt_killed(step, "town", ["witness", "patrol", "wyvern"]);
        }
        world.heal(step);
        let kept = world.git("town/wyvern/mayor/rig", ["log", "--format=%s", "--glob=refs/gt/recovery/*"]);
        for (bead, part) in beads.iter().zip(["one", "two", "three"]) {
            assert_eq!(place(&world, bead), ("open".into(), false), "{step}");
            assert!(kept.lines().any(|subject| subject == format!("{part} {step}")), "{step}: {kept}");
        }
        nothing_left(&world, step);
    }
}

#[test]
fn a_queue_killed_after_any_step_is_left_whole_for_the_same_command() {
    let world = crate::refinery::world();
    let mut landed = vec!["README.md".to_string()];
    for step in steps("process", 1..=11) {
        landed.push(format!("good-{step}.txt"));
        landed.sort_unstable();
        let good = hand_over(&world, "Nux", "good", &[(&format!("good-{step}.txt"), "x\n")], true);
        let bad = hand_over(&world, "Slit", "bad", &[("BAD.txt", "x\n")], true);
        world.gt_killed(&step, "town", ["refinery", "process", "wyvern"]);
        world.heal(&step);
        world.in_town(["refinery", "process", "wyvern"]).ok();
        world.heal(&step);
        assert_eq!(place(&world, &good.bead).0, "closed", "{step}");
        assert_eq!(place(&world, &bad.bead), ("open".into(), false), "{step}");
        let main = world.git("origin.git", ["ls-tree", "--name-only", "main"]);
        assert_eq!(main, landed.join("\n"), "{step}");
        let clone = "town/wyvern/refinery/rig";
        assert_eq!(world.git(clone, ["worktree", "list"]).lines().count(), 1, "{step}");
    }
}
