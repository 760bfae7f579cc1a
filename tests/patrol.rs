//! The end of a polecat, by hand and by patrol: nothing goes before it is kept, whatever is killed when.

use crate::common::{World, wait_for};

/// A polecat that has committed and then sits in its session until it is stopped.
const WORKS: &str =
    "echo work > work.txt\ngit add work.txt\ngit commit -qm 'half of it'\ntouch begun\nsleep 600";

fn slung(script: &str) -> (World, String, String) {
    let world = World::with_rig();
    let bead = world.bead("Do it", script);
    world.in_town(["sling", &bead, "wyvern"]).ok();
    let name = world.polecat_of(&bead);
    (world, bead, name)
}

/// What must never be there after an end: a worktree, a branch, a name or a session of the polecat.
fn nothing_left(world: &World, name: &str) {
    assert!(!world.path(format!("town/wyvern/polecats/{name}")).exists());
    assert!(!world.path(format!("town/wyvern/polecats/.names/{name}")).exists());
    assert_eq!(world.git("town/wyvern/mayor/rig", ["for-each-ref", "refs/heads/polecat/"]), "");
    assert!(!world.git("town/wyvern/mayor/rig", ["worktree", "list"]).contains(name));
    assert!(!world.tmux(["list-sessions", "-F", "#{session_name}"]).stdout.contains(name));
}

fn kept(world: &World) -> String {
    world
        .git("town/wyvern/mayor/rig", ["for-each-ref", "--format=%(refname) %(subject)", "refs/gt/recovery/"])
}

fn wait_until_begun(world: &World, name: &str) {
    let file = world.path(format!("town/wyvern/polecats/{name}/begun"));
    wait_for("the script to begin", || file.exists().then_some(()));
}

#[test]
fn a_polecat_at_work_is_not_released_but_can_be_nuked_and_loses_nothing() {
    let (world, bead, name) = slung(WORKS);
    wait_until_begun(&world, &name);
    let address = format!("wyvern/{name}");
    let noted = format!("town/wyvern/polecats/.state/{name}.json");
    world.write(&noted, "{\"requesting_cycle\": true}");
    let refused = world.in_town(["polecat", "release", &address]).fails(1);
    assert!(refused.stderr.contains("is at work"), "{refused:?}");
    world.in_town(["polecat", "nuke", &address]).ok();
    nothing_left(&world, &name);
    assert!(!world.path(&noted).exists());
    // `begun` was in no commit: it is in one now, on top of the polecat's own.
    assert!(kept(&world).contains("Uncommitted changes"), "{}", kept(&world));
    let name = kept(&world).split(' ').next().unwrap().to_string();
    assert_eq!(world.git("town/wyvern/mayor/rig", ["show", &format!("{name}:work.txt")]), "work");
    let shown = world.show(&bead);
    assert_eq!((shown["status"].as_str(), shown.get("assignee")), (Some("open"), None));
    assert_eq!(shown["metadata"]["recovery"].as_str(), Some(name.as_str()));
}

#[test]
fn what_was_kept_comes_back_as_a_branch() {
    let (world, bead, name) = slung(WORKS);
    wait_until_begun(&world, &name);
    world.in_town(["polecat", "nuke", &format!("wyvern/{name}")]).ok();
    let made = world.in_town(["polecat", "recover", &bead, "--json"]).ok().json();
    let branch = made["recovered"]["branch"].as_str().unwrap().to_string();
    assert_eq!(world.git("town/wyvern/mayor/rig", ["show", &format!("{branch}:work.txt")]), "work");
    let nothing = world.in_town(["polecat", "recover", "wy-nope"]).fails(1);
    assert!(nothing.stderr.contains("no bead wy-nope"), "{nothing:?}");
}

#[test]
fn a_crashed_polecat_is_left_as_it_is_and_the_overseer_is_told_once_where_no_mayor_runs() {
    let (world, bead, name) = slung("echo work > work.txt\nexit 3");
    wait_for("the session to end", || {
        let polecats = world.in_town(["polecats", "wyvern"]).ok();
        polecats.stdout.contains("crashed").then_some(())
    });
    // The session's end hook has patrolled already or does so now: it is told once all the same.
    world.in_town(["witness", "patrol", "wyvern"]).ok();
    world.in_town(["witness", "patrol", "wyvern"]).ok();
    assert!(world.path(format!("town/wyvern/polecats/{name}/work.txt")).exists());
    let mail = wait_for("the mail", || {
        let inbox = world.in_town(["mail", "inbox", "overseer", "--json"]).ok().json();
        let mail = inbox["messages"].as_array().unwrap().clone();
        (!mail.is_empty()).then_some(mail)
    });
    assert_eq!(mail.len(), 1, "{mail:?}");
    assert!(mail[0].to_string().contains(&bead), "{mail:?}");
}

#[test]
fn killed_after_any_step_of_an_end_the_same_patrol_completes_it() {
    for step in ["end.1", "end.2", "end.3", "end.4", "end.5", "end.6"] {
        let (world, bead, name) =
            slung("echo work > work.txt\ngit add .\ngit commit -qm 'all of it'\nsleep 600");
        wait_for("the commit", || {
            let tree = format!("town/wyvern/polecats/{name}");
            world.git(&tree, ["log", "-1", "--format=%s"]).contains("all of it").then_some(())
        });
        // Taken away under its feet: the patrol finds a polecat without a bead that waits to be stopped.
        world.gt_in("town/wyvern", ["bd", "update", &bead, "--status", "open", "--assignee", ""]).ok();
        let session = world.session_of(&format!("wyvern/{name}"));
        world.tmux(["set-option", "-F", "-t", &session, "@gt_state", "#{session_id} pending_shutdown"]).ok();
        world.gt_killed(step, "town", ["witness", "patrol", "wyvern"]);
        world.in_town(["witness", "patrol", "wyvern"]).ok();
        nothing_left(&world, &name);
        assert!(kept(&world).contains("all of it"), "{step}: {}", kept(&world));
        assert!(
            !world.in_town(["witness", "patrol", "wyvern", "--json"]).ok().stdout.contains(&name),
            "{step}"
        );
    }
}

#[test]
fn killed_after_any_step_of_a_release_the_patrol_completes_it() {
    for step in ["release.1", "release.2", "release.3", "release.4"] {
        let (world, bead, name) = slung(WORKS);
        wait_until_begun(&world, &name);
        world.gt_killed(step, "town", ["polecat", "nuke", &format!("wyvern/{name}")]);
        if world.in_town(["polecat", "list", "--json"]).ok().stdout.contains(&format!("wyvern/{name}\"")) {
            world.in_town(["polecat", "nuke", &format!("wyvern/{name}")]).ok();
        }
        nothing_left(&world, &name);
        assert!(kept(&world).contains("Uncommitted changes"), "{step}: {}", kept(&world));
        assert_eq!(world.show(&bead)["status"], "open", "{step}");
    }
}

#[test]
fn a_late_end_of_an_earlier_instance_touches_nothing() {
    let (world, _, name) = slung(WORKS);
    wait_until_begun(&world, &name);
    world.in_town(["session-ended", &format!("wyvern/{name}"), "another-instance"]).ok();
    assert!(world.path(format!("town/wyvern/polecats/{name}/work.txt")).exists());
    assert!(world.in_town(["polecats", "wyvern"]).ok().stdout.contains("working"));
}

#[test]
fn gc_drops_what_is_merged_and_keeps_what_a_bead_asks_for() {
    let (world, _, name) = slung(WORKS);
    wait_until_begun(&world, &name);
    world.in_town(["polecat", "nuke", &format!("wyvern/{name}")]).ok();
    let clone = "town/wyvern/mayor/rig";
    world.git(clone, ["update-ref", "refs/gt/recovery/Merged/00000001aaaaaaaa", "origin/main"]);
    let dry = world.in_town(["gc", "--dry-run"]).ok();
    assert!(dry.stdout.contains("would remove refs/gt/recovery/Merged/"), "{dry:?}");
    assert!(kept(&world).contains("Merged"));
    let gone = world.in_town(["gc"]).ok();
    assert_eq!(gone.stdout.lines().count(), 1, "{gone:?}");
    assert!(kept(&world).contains("Uncommitted changes") && !kept(&world).contains("Merged"));
}

#[test]
fn gc_does_the_other_rigs_when_one_cannot_be_read() {
    let world = World::with_rig();
    world.in_town(["rig", "add", "yak", &world.str("origin.git"), "--prefix", "ya"]).ok();
    world.write("town/yak/logs/Nux.log", "old");
    let log = std::fs::File::options().write(true).open(world.path("town/yak/logs/Nux.log")).unwrap();
    log.set_modified(std::time::UNIX_EPOCH).unwrap();
    world.write("town/wyvern/mayor/rig/.git/HEAD", "garbage\n");
    let run = world.in_town(["gc"]).fails(1);
    assert!(run.stdout.contains("yak/logs/Nux.log of yak: 30 days old"), "{run:?}");
    assert!(run.stderr.contains("wyvern"), "{run:?}");
    assert!(!world.path("town/yak/logs/Nux.log").exists());
}

#[test]
fn a_name_that_passed_on_stands_for_its_present_bead() {
    let (world, first, name) = slung("echo one > one.txt");
    wait_for("the end of the first polecat", || {
        let queue = world.in_town(["mq", "list", "wyvern"]).stdout;
        let there = world.path(format!("town/wyvern/polecats/.names/{name}")).exists()
            || world.path(format!("town/wyvern/polecats/{name}")).exists();
        (queue.contains(&first) && !there).then_some(())
    });
    let second = world.bead("Second", "sleep 600");
    // By itself a name is not given again while its work waits in the queue; a person may ask for it.
    world.in_town(["sling", &second, &format!("wyvern/{name}")]).ok();
    assert_eq!(world.polecat_of(&second), name);
    let status = world.in_town(["polecats", "wyvern"]).ok().stdout;
    assert!(status.contains(&second) && !status.contains(&first), "{status}");
    let ended = world.in_town(["polecat", "nuke", &format!("wyvern/{name}")]).ok();
    assert!(ended.stdout.contains(&second) && !ended.stdout.contains(&first), "{ended:?}");
    assert_eq!(world.show(&second)["status"], "open");
    assert_eq!(world.show(&first)["status"], "in_progress");
}
