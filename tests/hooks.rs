//! Hooks of a project, and what git answers around them.

use crate::common::{World, wait_for};

/// A hook of the person's, for all clones.
pub fn hook(world: &World, name: &str, script: &str) {
    let path = format!("home/hooks/{name}");
    world.write(&path, format!("#!/bin/sh\n{script}\n"));
    world.run("chmod", "", ["+x", &path]).ok();
    world.git("", ["config", "--global", "core.hooksPath", &world.str("home/hooks")]);
}

/// A polecat that only waits, with a commit to hand in; its folder.
fn with_work(world: &World, bead: &str) -> String {
    world.settings(
        "[beads]\nstore = \"embedded\"\n[agents.waits]\ncommand = [\"sleep\", \"600\"]\nprompt = \"none\"\n",
    );
    world.set("GASTOWN_POLECAT__AGENT", "waits");
    world.in_town(["sling", bead, "wyvern/Nux"]).ok();
    let place = "town/wyvern/polecats/Nux".to_string();
    world.write(format!("{place}/work.txt"), "work\n");
    world.git(&place, ["add", "-A"]);
    world.git(&place, ["commit", "-q", "-m", "work"]);
    place
}

#[test]
fn a_hook_that_refuses_a_push_is_told_with_its_words() {
    let world = World::with_rig();
    let place = with_work(&world, &world.bead("one", "true"));
    hook(&world, "pre-push", "echo 'lint: trailing blanks' >&2; exit 1");
    let refused = world.gt_in(&place, ["done"]).fails(1);
    assert!(refused.stderr.contains("the hook pre-push refused it: lint: trailing blanks"), "{refused:?}");
    std::fs::remove_file(world.path("home/hooks/pre-push")).unwrap();
    world.gt_in(&place, ["done"]).ok();
    hook(&world, "pre-push", "echo 'lint: trailing blanks' >&2; exit 1");
    let refused = world.in_town(["refinery", "process", "wyvern"]).fails(1);
    assert!(refused.stderr.contains("lint: trailing blanks"), "{refused:?}");
}

#[test]
fn what_a_server_refuses_is_not_read_from_the_name_of_a_branch() {
    let world = World::with_rig();
    world.gt_in("town/wyvern", ["bd", "create", "one", "--id", "wy-403"]).ok();
    let place = with_work(&world, "wy-403");
    world.write("origin.git/hooks/pre-receive", "#!/bin/sh\necho 'no tests, no merge' >&2\nexit 1\n");
    world.run("chmod", "", ["+x", "origin.git/hooks/pre-receive"]).ok();
    let refused = world.gt_in(&place, ["done"]).fails(1);
    assert!(refused.stderr.contains("no tests, no merge"), "{refused:?}");
}

#[test]
fn a_remote_that_can_be_read_and_not_written_keeps_the_branch_here() {
    let world = World::with_rig();
    let place = with_work(&world, &world.bead("one", "true"));
    // What is not served is refused before a word about any branch.
    world.program("git-receive-pack", "#!/bin/sh\nexit 1\n");
    world.git(&place, ["config", "remote.origin.receivepack", &world.str("bin/git-receive-pack")]);
    let done = world.gt_in(&place, ["done", "--json"]).ok();
    assert!(done.stdout.contains("submitted"), "{done:?}");
    assert_eq!(world.git("origin.git", ["branch", "--list", "polecat/*"]), "");
}

#[test]
fn a_checkout_hook_that_fails_is_named_and_stops_nothing() {
    let world = World::with_rig();
    hook(&world, "post-checkout", "echo 'bundle: command not found' >&2; exit 1");
    let slung = world.in_town(["sling", &world.bead("one", "true"), "wyvern"]).ok();
    let warning = "warning: the hook post-checkout failed after the checkout, with exit code 1: bundle: command not found";
    assert!(slung.stderr.contains(warning), "{slung:?}");
    world.in_town(["rig", "add", "second", &world.str("origin.git"), "--prefix", "se"]).ok();
    world.in_town(["crew", "add", "ann", "--rig", "wyvern"]).ok();
}

#[test]
fn a_sling_from_a_hook_does_not_tell_later_sessions_of_that_repository() {
    let world = World::with_rig();
    let (first, second) =
        (world.bead("one", "true"), world.bead("two", "echo x > x; git add x; git commit -qm two"));
    world.git("", ["clone", "-q", "origin.git", "dev"]);
    let gt = crate::common::gt();
    let town = world.str("town");
    world.write(
        "dev/.git/hooks/post-commit",
        format!("#!/bin/sh\ncd '{town}' && '{gt}' sling {first} wyvern\n"),
    );
    world.run("chmod", "", ["+x", "dev/.git/hooks/post-commit"]).ok();
    world.git(
        "dev",
        ["commit", "-q", "--allow-empty", "-m", "by hand", "--author", "Else <else@example.invalid>"],
    );
    wait_for("the first session", || (!world.polecat_of(&first).is_empty()).then_some(()));
    let shown = world.tmux(["show-environment", "-g"]).ok().stdout;
    for name in
        ["GIT_INDEX_FILE", "GIT_PREFIX", "GIT_EXEC_PATH", "GIT_AUTHOR_EMAIL", "GIT_AUTHOR_DATE", "GIT_EDITOR"]
    {
        assert!(!shown.contains(name), "{shown}");
    }
    world.in_town(["sling", &second, "wyvern"]).ok();
    wait_for("the second request", || crate::flow::request(&world, &second));
}
