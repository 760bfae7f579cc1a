//! From beads to merged commits: sling, done, the queue, rework.

use crate::common::{World, wait_for};
use crate::refinery::{bead, merge, on_main, process, write};
use gastown::beads::Change;
use gastown::model::bead::Patch;

fn sling(world: &World, id: &str) {
    world.in_town(["sling", id, "wyvern"]).ok();
}

/// Waits until the polecat of a bead has handed its work over and is gone.
fn handed_over(world: &World, id: &str) {
    wait_for("the work to be handed over", || bead(world, id).has_label("gt:submitted").then_some(()));
    let of_bead = world.branch("*", id);
    wait_for("the polecat to be gone", || {
        world.git("town/wyvern/mayor/rig", ["branch", "--list", &of_bead]).is_empty().then_some(())
    });
}

#[test]
fn beads_go_in_and_merged_commits_come_out() {
    let world = World::with_rig();
    merge(&world, "test_command", "! ls BAD* 2>/dev/null");
    let first = world.bead("First", "echo one > README.md");
    let second = world.bead("Second", "echo two > README.md");
    let red = world.bead("Red", "touch BAD");
    for id in [&first, &second, &red] {
        sling(&world, id);
    }
    for id in [&first, &second, &red] {
        handed_over(&world, id);
    }
    let run = process(&world).ok();
    assert!(bead(&world, &red).has_label("gt:rework"), "{run:?}");
    let merged = |id: &str| bead(&world, id).close_reason.starts_with("merged: ");
    let (won, lost) = if merged(&first) { (&first, &second) } else { (&second, &first) };
    assert!(merged(won) && bead(&world, lost).has_label("gt:rework"), "{run:?}");

    // The loser's script is mended, so that the conflict it starts with can be solved.
    let script = "```sh\ngit checkout --theirs README.md 2>/dev/null || true\necho both > README.md\n```\n";
    let patch = Patch { description: Some(script.into()), ..Patch::default() };
    write(&world, &[Change::Update(lost.clone(), Box::new(patch))]);
    sling(&world, lost);
    let done = wait_for("the rework to end", || {
        let bead = bead(&world, lost);
        let patrol = world.in_town(["polecats", "wyvern"]).stdout;
        (bead.has_label("gt:submitted") || patrol.contains("crashed")).then_some((bead, patrol))
    });
    assert!(done.0.has_label("gt:submitted"), "{done:?}");
    let run = process(&world).ok();
    assert!(merged(lost), "{run:?}");
    assert_eq!(on_main(&world, "README.md").as_deref(), Some("both\n"));
    assert_eq!(on_main(&world, "BAD"), None);
}
