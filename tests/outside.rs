//! gt met from the outside by what nobody plans for: streams that are closed or full, files put where they should not
//! be, folders that went, other users' and other towns' surroundings.

use std::process::Stdio;

use insta::assert_snapshot;

use crate::common::{World, finish, gt};
use crate::install::plain;

fn full() -> Stdio {
    std::fs::File::options().write(true).open("/dev/full").unwrap().into()
}

#[test]
#[cfg(target_os = "linux")] // for /dev/full
fn a_standard_error_that_takes_nothing_changes_nothing_about_the_answer() {
    let world = World::waiting();
    for (words, code) in [
        (&["rigs"][..], 0),
        (&["rig", "add", "a b", "x"], 2),
        (&["-C", "/nowhere", "rigs"], 1),
        (&["bd", "list"], 0),
        (&["bd", "show", "wy-none"], 1),
        (&["hook"], 0),
        (&["nonsense"], 2),
        (&["--json", "nonsense"], 2),
        (&["install", "../other"], 0),
    ] {
        let run = finish(world.command(gt(), "town").args(words).stderr(full()));
        assert_eq!(run.code, Some(code), "{words:?}");
    }
    assert!(world.path("other/mayor/town.json").exists());
    let run = finish(world.command(gt(), "town").arg("rigs").stdout(full()));
    assert_snapshot!(run.fails(1).stderr, @r"
    gt: cannot write to standard output: No space left on device (os error 28)
    hint: the disk is full: make room (df -h), then run the same command again
    ");
}

#[test]
fn wrong_words_are_answered_in_json_too() {
    let world = World::new();
    let said = |words: &[&str]| {
        let run = world.gt(words).fails(2);
        assert_eq!(run.stdout, "");
        run.stderr
    };
    assert_snapshot!(said(&["sling", "--json"]), @r#"{"schema_version":1,"error":"the following required arguments were not provided: <BEAD|RIG>...","hint":"see how it is used with: gt --help"}"#);
    assert_snapshot!(said(&["--json", "slng"]), @r#"{"schema_version":1,"error":"unrecognized subcommand 'slng'","hint":"see how it is used with: gt --help"}"#);
    assert!(world.gt(["--json", "--help"]).ok().stdout.contains("Usage: gt"));
}

#[test]
fn what_is_no_town_is_named_as_what_it_is() {
    let world = World::new();
    world.write("file", "x");
    let said = |run: crate::common::Run| plain(&world, &run.fails(1).stderr);
    assert_snapshot!(said(world.gt(["-C", "file", "rigs"])), @r"
    gt: not in a town: /world/file: a file, not a folder
    hint: name one with: gt -C DIR …
    ");
    world.set("GT_TOWN_ROOT", "/no/such/folder");
    assert_snapshot!(said(world.gt(["rigs"])), @r"
    gt: GT_TOWN_ROOT is /no/such/folder, and there is no town
    hint: take it away with: unset GT_TOWN_ROOT
    ");
}

#[test]
fn a_rig_that_cannot_be_read_does_not_hide_the_others() {
    let world = World::waiting();
    world.in_town(["rig", "add", "ant", &world.str("origin.git")]).ok();
    let config = world.read("town/ant/config.json");
    world.write("town/ant/config.json", "{\n  broken\n}\n");
    let run = world.in_town(["rigs"]).fails(1);
    assert_snapshot!(plain(&world, &run.stdout), @"wyvern  wy  0 polecats, 0 crew  /world/origin.git");
    assert_snapshot!(plain(&world, &run.stderr), @r"
    gt: /world/town/ant/config.json:2:3: key must be a string
    hint: mend it by hand; gt never overwrites a file that it cannot read
    ");
    assert_snapshot!(plain(&world, &world.in_town(["status"]).ok().stdout), @r"
    town  /world/town
    overseer  no unread mail
    mayor     not running
    deacon    not running

    ant  0 polecats
      unreadable: /world/town/ant/config.json:2:3: key must be a string
      witness   not running
      refinery  not running

    wyvern  0 of 4 polecats, 0 ready, queue empty, store embedded
      witness   not running
      refinery  not running
    ");
    world.write("town/ant/config.json", config);
    world.in_town(["rigs"]).ok();
}

/// A disk that is not mounted: nothing may be put in its place.
#[test]
fn a_rigs_folder_that_is_gone_is_not_made_anew() {
    let world = World::waiting();
    let bead = world.bead("Kept", "true");
    std::fs::rename(world.path("town/wyvern"), world.path("elsewhere")).unwrap();
    let run = world.in_town(["doctor", "-q", "--fix"]).fails(1);
    assert_snapshot!(plain(&world, &run.stdout), @r"
    Rig: wyvern
    ✗ The folder of rig wyvern is gone
        bring it back, or take it off the list with: gt rig remove wyvern --force

    Issues: 1 found, 0 fixed
    ");
    assert!(!world.path("town/wyvern").exists());
    std::fs::rename(world.path("elsewhere"), world.path("town/wyvern")).unwrap();
    world.in_town(["doctor"]).ok();
    assert_eq!(world.show(&bead)["title"], "Kept");
}

#[test]
fn names_that_others_put_there_are_freed_for_good() {
    let world = World::waiting();
    world.write("town/wyvern/polecats/.names/Ghost", "");
    world.write("town/wyvern/polecats/.names/Noise", b"\0\xff");
    let run = world.in_town(["doctor", "--fix"]).ok();
    assert!(run.stdout.contains("Name Ghost is taken by nobody (fixed)"), "{run:#?}");
    assert!(run.stdout.contains("Name Noise is taken by nobody (fixed)"), "{run:#?}");
    assert_eq!(crate::flow::names(&world), Vec::<String>::new());
    world.in_town(["doctor"]).ok();
}

/// The file that leads from a worktree to its clone is one `rm` or `echo` away from being lost; the work is not.
#[test]
fn a_worktree_that_lost_its_clone_finds_it_again_with_its_files() {
    let world = World::waiting();
    for damage in ["garbage\n", "gitdir: /no/such/place\n", ""] {
        let bead = world.bead("Work", "true");
        let damaged = || {
            world.in_town(["sling", &bead, "wyvern"]).ok();
            let name = world.polecat_of(&bead);
            let place = format!("town/wyvern/polecats/{name}");
            world.write(format!("{place}/open.txt"), "not committed\n");
            match damage {
                "" => std::fs::remove_file(world.path(format!("{place}/.git"))).unwrap(),
                text => world.write(format!("{place}/.git"), text),
            }
            (name, place)
        };
        // git cannot keep the files of a bead that is taken back: they are moved aside, and named.
        let (name, place) = damaged();
        let run = world.in_town(["unsling", "--force", &bead]).ok();
        let kept = world.path("town/wyvern/polecats/.kept").read_dir().unwrap().flatten();
        let kept = kept.map(|entry| entry.path()).find(|path| run.stdout.contains(path.to_str().unwrap()));
        let kept = kept.unwrap_or_else(|| panic!("{damage:?}: {run:#?}"));
        assert!(kept.file_name().unwrap().to_string_lossy().starts_with(&name), "{kept:?}");
        assert_eq!(world.read(kept.join("files/open.txt")), "not committed\n", "{damage:?}");
        assert!(!world.path(place).exists(), "{damage:?}");
        // The repair keeps the worktree.
        let (name, place) = damaged();
        let run = world.in_town(["doctor", "--fix"]).ok();
        let wanted = format!("Worktree polecats/{name} has lost its clone mayor/rig (fixed)");
        assert!(run.stdout.contains(&wanted), "{damage:?}: {run:#?}");
        assert_eq!(world.git(&place, ["status", "--porcelain"]), "?? open.txt", "{damage:?}");
        world.in_town(["unsling", "--force", &bead]).ok();
    }
}

#[test]
fn a_town_that_was_moved_or_copied_has_its_worktrees_mended() {
    for copied in [false, true] {
        let world = World::waiting();
        let bead = world.bead("Work", "true");
        world.in_town(["sling", &bead, "wyvern/Nux"]).ok();
        world.in_town(["stop", "--all"]).ok();
        world.write("town/wyvern/polecats/Nux/open.txt", "not committed\n");
        let (from, to) = (world.path("town"), world.path("moved"));
        if copied {
            world.run("cp", ".", ["-a", "town", "moved"]).ok();
        } else {
            std::fs::rename(from, to).unwrap();
        }
        let resume = world.gt_in("moved", ["sling", &bead, "wyvern", "--resume", "--dry-run"]);
        assert_eq!(resume.code, Some(0), "{resume:?}");
        let mended = world.gt_in("moved", ["doctor", "--fix"]);
        assert!(mended.stdout.contains("polecats/Nux has lost its clone mayor/rig (fixed)"), "{mended:?}");
        let status = |town: &str| world.git(format!("{town}/wyvern/polecats/Nux"), ["status", "--porcelain"]);
        assert_eq!(status("moved"), "?? open.txt");
        let dir = |town: &str| world.git(format!("{town}/wyvern/polecats/Nux"), ["rev-parse", "--git-dir"]);
        assert!(dir("moved").contains("/moved/wyvern/mayor/rig/.git/"), "{}", dir("moved"));
        if copied {
            assert!(dir("town").contains("/town/wyvern/mayor/rig/.git/"), "{}", dir("town"));
            assert_eq!(status("town"), "?? open.txt");
        }
    }
}

#[test]
fn a_remote_that_went_is_named_with_why() {
    let world = World::waiting();
    let bead = world.bead("Work", "true");
    std::fs::rename(world.path("origin.git"), world.path("moved.git")).unwrap();
    let run = world.in_town(["sling", &bead, "wyvern"]).fails(1);
    assert_snapshot!(plain(&world, &run.stderr), @r"
    gt: cannot fetch main in /world/town/wyvern/mayor/rig: '/world/origin.git' does not appear to be a git repository
    hint: see whether git can read it: git -C /world/town/wyvern/mayor/rig ls-remote origin
    ");
    std::fs::rename(world.path("moved.git"), world.path("origin.git")).unwrap();
    world.in_town(["sling", &bead, "wyvern"]).ok();
}
