//! `gt demo` tells its story to the end, checks it, and leaves nothing behind.

use crate::common::{Run, World, wait_for};

/// A world whose temporary folder is `temp/`.
fn world() -> World {
    let world = World::new();
    std::fs::create_dir(world.path("temp")).unwrap();
    world.set("TMPDIR", &world.str("temp"));
    world
}

/// Nothing in the temporary folder, and no process that was started for it.
#[track_caller]
fn nothing_is_left(world: &World) {
    let left: Vec<_> = std::fs::read_dir(world.path("temp")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    wait_for("the demo's processes to end", || {
        let all = world.run("ps", "", ["-A", "-o", "args="]).ok().stdout;
        (!all.contains(&world.str("temp/gt-demo-"))).then_some(())
    });
}

#[track_caller]
fn says(run: &Run, wanted: &[&str]) {
    for text in wanted {
        assert!(run.stdout.contains(text), "it does not say {text:?}: {run:#?}");
    }
}

#[test]
fn it_ends_well_and_leaves_nothing() {
    let world = world();
    // What leads out of a demo, or would stop it, is not let in.
    world.set("GT_TOWN_ROOT", "/nowhere");
    world.set("GASTOWN_POLECAT__AGENT", "nobody");
    world.settings("this is no TOML");
    let run = world.gt(["demo"]).ok();
    says(
        &run,
        &[
            "$ gt install",
            "$ gt sling",
            "waits: the rig sprout is full",
            "$ kill -9 -",
            "set aside",
            "$ gt feed",
            "nine beads merged; one conflict and one crash went on by themselves; one red twice, and open with its reason",
            "the town is gone",
        ],
    );
    assert!(!run.stdout.contains('\x1b'), "plain lines when it is no terminal");
    nothing_is_left(&world);
}

#[test]
fn a_ctrl_c_ends_it_and_leaves_nothing() {
    let world = world();
    for word in ["$ gt install", "$ gt sling", "$ kill -9"] {
        let (out, err) = (world.path("out"), world.path("err"));
        let mut demo = world.command(crate::common::gt(), "");
        demo.arg("demo")
            .stdout(std::fs::File::create(&out).unwrap())
            .stderr(std::fs::File::create(&err).unwrap());
        let mut demo = demo.spawn().unwrap();
        wait_for(word, || std::fs::read_to_string(&out).unwrap().contains(word).then_some(()));
        rustix::process::kill_process(rustix::process::Pid::from_child(&demo), rustix::process::Signal::INT)
            .unwrap();
        let code = demo.wait().unwrap().code();
        assert_eq!((code, world.read("err").as_str()), (Some(130), ""), "{word}: {}", world.read("out"));
        nothing_is_left(&world);
    }
}

#[test]
fn a_town_that_is_kept_can_be_looked_at() {
    let world = world();
    let run = world.gt(["demo", "--keep"]).ok();
    let town =
        run.stdout.lines().find_map(|line| line.strip_prefix("== the town is kept in ")).unwrap().to_string();
    world.unset("GASTOWN_TMUX_SOCKET");
    let beads = world.gt_in(format!("{town}/sprout"), ["bd", "list", "--json"]).ok().json();
    let titles: Vec<&str> =
        beads.as_array().unwrap().iter().map(|bead| bead["title"].as_str().unwrap()).collect();
    assert!(titles.contains(&"Trace the start of the program"), "{titles:?}");
    world.gt_in(&town, ["status"]).ok();
    world.gt_in(&town, ["daemon", "stop"]).ok();
    world.gt_in(&town, ["stop", "--all"]).ok();
    std::fs::remove_dir_all(std::path::Path::new(&town).parent().unwrap()).unwrap();
    nothing_is_left(&world);
}

#[test]
fn what_it_cannot_be_shown_on_is_refused() {
    let world = world();
    let none = world.gt(["demo", "--repo", "nowhere"]).fails(1);
    assert!(none.stderr.contains("no repository"), "{none:#?}");
    world.origin("other.git", &[("README.md", "# other\n")]);
    let other = world.gt(["demo", "--repo", "other.git"]).fails(1);
    assert!(other.stderr.contains("other.git has no committed scripts/check-tree"), "{other:#?}");
    assert!(other.stderr.contains("hint: leave out --repo"), "{other:#?}");
    nothing_is_left(&world);
}

#[test]
fn without_tmux_it_says_so() {
    let world = world();
    world.set("PATH", &world.str("bin"));
    let run = world.gt(["demo"]).fails(1);
    assert!(run.stderr.contains("there is no tmux"), "{run:#?}");
    world.program("tmux", "#!/bin/sh\necho tmux 3.1\n");
    let run = world.gt(["demo"]).fails(1);
    assert!(run.stderr.contains("needs tmux 3.2 or later, this is 3.1"), "{run:#?}");
    assert_eq!(std::fs::read_dir(world.path("temp")).unwrap().count(), 0);
}
