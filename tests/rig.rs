//! Rigs and crew: what they are made of, what is refused, what is never lost.

use insta::assert_snapshot;

use crate::common::{Run, World, at_once, gt};
use crate::install::{embedded, plain, tree};

fn said(world: &World, run: &Run) -> String {
    plain(world, &run.stderr)
}

/// A town with a repository to add, and no rig yet.
fn town() -> World {
    let world = embedded();
    world.origin("origin.git", &[("README.md", "# wyvern\n")]);
    world.gt(["install", "town"]).ok();
    world
}

/// Everything in the town but what a store changes by being looked at.
fn state(world: &World) -> String {
    tree(world, "town") + &world.read("town/mayor/rigs.json") + &world.read("town/.gitignore")
}

#[test]
fn the_tree_of_a_rig_and_its_files_to_the_letter() {
    let world = town();
    let url = world.str("origin.git");
    let run = world.in_town(["rig", "add", "wyvern", &url]).ok();
    assert_eq!(run.stdout, "rig wyvern: wyv beads, work lands on main\n");
    assert_snapshot!(tree(&world, "town/wyvern"), @"
    .beads -> mayor/rig/.beads
    config.json
    crew/
    mayor/
      rig/ (clone)
      state.json
      trust.json
    plugins/
    polecats/
    refinery/
      README.md
      rig/ (clone)
      state.json
      state.json.lock
    witness/
      state.json
    ");
    assert_snapshot!(plain(&world, &world.read("town/wyvern/config.json")), @r#"
    {
      "type": "rig",
      "version": 1,
      "name": "wyvern",
      "git_url": "/world/origin.git",
      "beads": {
        "prefix": "wyv"
      },
      "merge": {
        "target": "main"
      }
    }
    "#);
    assert_snapshot!(plain(&world, &world.read("town/mayor/rigs.json")), @r#"
    {
      "version": 1,
      "rigs": {
        "wyvern": {
          "git_url": "/world/origin.git",
          "added_at": "TIME"
        }
      }
    }
    "#);
    assert_snapshot!(plain(&world, &world.read("town/wyvern/refinery/state.json")), @r#"
    {
      "version": 1,
      "state": "stopped",
      "awake": false,
      "created_at": "TIME",
      "last_started": null,
      "last_stopped": null,
      "last_wake": null,
      "last_sleep": null
    }
    "#);
    assert_snapshot!(world.read("town/.gitignore"), @"
    /bin/
    /.beads/
    /mayor/.lock
    /mayor/state.json
    /mayor/secret
    /mayor/proofs.json
    /mayor/ended
    /mayor/remote.json
    /mayor/.remote.lock
    /mayor/exports/
    /mayor/removed/*/
    /.gt-start/
    gt-agent.*
    *.json.lock
    .gt-new-*
    .gt-old-*
    /wyvern/mayor/
    /wyvern/refinery/rig/
    /wyvern/refinery/state.json*
    /wyvern/refinery/bench*
    /wyvern/witness/
    /wyvern/crew/
    /wyvern/polecats/
    /wyvern/logs/
    /wyvern/.beads
    ");
    for clone in ["mayor/rig", "refinery/rig"] {
        let dir = format!("town/wyvern/{clone}");
        assert_eq!(
            world.git(&dir, ["remote", "get-url", "origin"]),
            world.real().join("origin.git").to_str().unwrap()
        );
        assert_eq!(world.git(&dir, ["status", "--porcelain", "--branch"]), "## main...origin/main");
    }
    assert_eq!(
        world.gt_in("town/wyvern/refinery", ["bd", "create", "x", "--json"]).ok().json()["id"]
            .as_str()
            .unwrap()[..4],
        *"wyv-"
    );
    world.count_calls(&["git", "tmux"]);
    assert_snapshot!(plain(&world, &world.in_town(["rigs"]).ok().stdout), @"wyvern  wyv  0 polecats, 0 crew  /world/origin.git");
    assert_snapshot!(plain(&world, &world.in_town(["rig", "list", "--json"]).ok().stdout), @r#"
    {
      "schema_version": 1,
      "rigs": [
        {
          "name": "wyvern",
          "git_url": "/world/origin.git",
          "prefix": "wyv",
          "target": "main",
          "path": "/world/town/wyvern",
          "polecats": 0,
          "crew": 0,
          "untrusted": []
        }
      ]
    }
    "#);
    assert!(world.calls("git").is_empty() && world.calls("tmux").is_empty());
}

#[test]
fn names_prefixes_and_urls_that_cannot_be_are_refused_before_anything_is_made() {
    let world = town();
    let url = world.str("origin.git");
    world.in_town(["rig", "add", "one", &url, "--prefix", "on"]).ok();
    let before = state(&world);
    for name in ["a/b", "..", "a:b", "a b", "", "Wyvern"] {
        let run = world.in_town(["rig", "add", name, &url]).fails(2);
        assert!(run.stderr.starts_with(&format!("gt: '{name}' cannot name a rig\nhint: ")), "{run:?}");
    }
    for name in [
        "mayor", "deacon", "witness", "refinery", "crew", "polecats", "plugins", "config", "bin", "overseer",
        "hq", "local",
    ] {
        let run = world.in_town(["rig", "add", name, &url]).fails(2);
        assert!(run.stderr.contains("is a reserved word"), "{run:?}");
    }
    assert_snapshot!(said(&world, &world.in_town(["rig", "add", "one", &url]).fails(1)), @"
    gt: there is a rig named 'one' already
    hint: see them with: gt rigs
    ");
    assert_snapshot!(said(&world, &world.in_town(["rig", "add", "two", &url, "--prefix", "on"]).fails(2)), @"
    gt: the prefix 'on' is another rig's
    hint: choose another with: --prefix PREFIX; see them with: gt rigs
    ");
    assert_snapshot!(said(&world, &world.in_town(["rig", "add", "two", &url, "--prefix", "hq"]).fails(2)), @"
    gt: the prefix 'hq' is the town's own
    hint: choose another with: --prefix PREFIX; see them with: gt rigs
    ");
    assert_snapshot!(said(&world, &world.in_town(["rig", "add", "two", &url, "--prefix", "a-b"]).fails(2)), @"
    gt: 'a-b' cannot be a prefix of ids
    hint: a prefix is a small letter, then small letters and digits: at most 12 of them
    ");
    assert_snapshot!(said(&world, &world.in_town(["rig", "add", "two", "missing"]).fails(1)), @"
    gt: cannot add missing: no such file or directory
    hint: give the path of a repository, or a URL with https:// or ssh://
    ");
    assert_snapshot!(said(&world, &world.in_town(["rig", "add", "two", "file:///no/such/place.git"]).fails(1)), @"
    gt: cannot clone file:///no/such/place.git: '/no/such/place.git' does not appear to be a git repository
    hint: see whether git can read it: git ls-remote file:///no/such/place.git
    ");
    assert_snapshot!(said(&world, &world.in_town(["rig", "add", "two", &url, "--branch", "nope"]).fails(1)), @"
    gt: cannot clone /world/origin.git: Remote branch nope not found in upstream origin
    hint: see whether git can read it: git ls-remote /world/origin.git
    ");
    world.write("town/two/mine", "x");
    assert_snapshot!(said(&world, &world.in_town(["rig", "add", "two", &url]).fails(1)), @"
    gt: /world/town/two is there already, and is no rig
    hint: choose another name, or move it away
    ");
    std::fs::remove_dir_all(world.path("town/two")).unwrap();
    assert_eq!(state(&world), before);
}

#[test]
fn an_empty_repository_is_told_apart() {
    let world = town();
    world.git("", ["init", "-q", "--bare", "empty.git"]);
    let before = state(&world);
    let run = world.in_town(["rig", "add", "two", &world.str("empty.git")]).fails(1);
    assert_snapshot!(said(&world, &run), @"
    gt: /world/empty.git is empty: there is no branch to work from
    hint: commit and push something there first
    ");
    assert_eq!(state(&world), before);
}

#[test]
fn of_a_work_tree_the_origin_counts_and_without_one_the_path_with_a_hint() {
    let world = town();
    world.git("", ["clone", "-q", &world.str("origin.git"), "mine"]);
    world.gt_in("mine", ["-C", "../town", "rig", "add", "one", "../mine"]).ok();
    let url = |rig: &str| {
        let config: serde_json::Value =
            serde_json::from_str(&world.read(format!("town/{rig}/config.json"))).unwrap();
        plain(&world, config["git_url"].as_str().unwrap())
    };
    assert_eq!(url("one"), "/world/origin.git");
    world.git("mine", ["remote", "remove", "origin"]);
    world.set("GT_TOWN_ROOT", &world.str("town"));
    let run = world.gt_in("mine", ["rig", "add", "two", "."]).ok();
    assert_eq!(url("two"), "/world/mine");
    assert!(run.stderr.contains("config receive.denyCurrentBranch updateInstead"), "{run:?}");
}

#[test]
fn a_project_that_tracks_its_own_beads_keeps_them() {
    let world = town();
    world.origin("theirs.git", &[("README.md", "x\n"), (".beads/issues.jsonl", "{\"id\":\"th-1\"}\n")]);
    world.in_town(["rig", "add", "theirs", &world.str("theirs.git")]).ok();
    assert!(!world.path("town/theirs/.beads").is_symlink());
    assert_eq!(world.git("town/theirs/mayor/rig", ["status", "--porcelain"]), "");
    assert_eq!(world.read("town/theirs/mayor/rig/.beads/issues.jsonl"), "{\"id\":\"th-1\"}\n");
    world.gt_in("town/theirs", ["bd", "create", "x"]).ok();
    assert_eq!(world.git("town/theirs/mayor/rig", ["status", "--porcelain"]), "");
}

#[test]
fn another_branch_can_be_the_target() {
    let world = town();
    world.git("origin.git", ["branch", "dev", "main"]);
    let run = world.in_town(["rig", "add", "wyvern", &world.str("origin.git"), "--branch", "dev"]).ok();
    assert!(run.stdout.ends_with("work lands on dev\n"), "{run:?}");
    let config: serde_json::Value = serde_json::from_str(&world.read("town/wyvern/config.json")).unwrap();
    assert_eq!(config["merge"]["target"], "dev");
    for clone in ["mayor/rig", "refinery/rig"] {
        assert_eq!(world.git(format!("town/wyvern/{clone}"), ["branch", "--show-current"]), "dev");
    }
}

#[test]
fn rigs_added_at_once_are_all_there_with_prefixes_of_their_own() {
    let world = town();
    let url = world.str("origin.git");
    let names: Vec<String> = (0..8).map(|number| format!("wyvern-{number}x")).collect();
    let add = |name: &String| {
        let mut command = world.command(gt(), "town");
        command.args(["rig", "add", name, &url]);
        command
    };
    let runs = at_once(names.iter().map(add));
    assert!(runs.iter().all(|run| run.code == Some(0)), "{runs:#?}");
    let rigs = world.in_town(["rigs", "--json"]).ok().json();
    let rigs = rigs["rigs"].as_array().unwrap();
    let prefixes: std::collections::BTreeSet<_> =
        rigs.iter().map(|rig| rig["prefix"].as_str().unwrap()).collect();
    assert_eq!((rigs.len(), prefixes.len()), (8, 8));
    world.in_town(["doctor"]).ok();
}

#[test]
fn killed_after_each_step_the_same_command_works() {
    for step in ["rig-add.1", "rig-add.2", "rig-add.3", "rig-add.4", "rig-add.5"] {
        let world = town();
        let url = world.str("origin.git");
        let words = ["rig", "add", "wyvern", &url, "--prefix", "wy"];
        world.gt_killed(step, "town", words);
        let run = world.in_town(words);
        match step {
            // It was listed: the rig is there, and is said to be.
            "rig-add.5" => {
                assert!(run.stderr.contains("there is a rig named 'wyvern' already"), "{run:?}");
                world.in_town(["doctor", "--fix"]).ok();
            }
            _ => assert_eq!(run.code, Some(0), "{step}: {run:#?}"),
        }
        let run = world.in_town(["doctor"]);
        assert!(run.stdout.contains("Issues: 0 found"), "{step}: {run:#?}");
        assert!(!tree(&world, "town").contains(".gt-"), "{step}\n{}", tree(&world, "town"));
    }
}

#[test]
fn a_full_disk_leaves_no_half_of_a_rig() {
    let world = town();
    let before = state(&world);
    let script =
        format!("trap '' XFSZ; ulimit -f 1; exec {} rig add wyvern {}", gt(), world.str("origin.git"));
    world.run("sh", "town", ["-c", &script]).fails(1);
    assert_eq!(state(&world), before);
}

#[test]
fn broken_configuration_is_reported_by_line_and_left_alone() {
    let world = town();
    world.in_town(["rig", "add", "wyvern", &world.str("origin.git")]).ok();
    let good = world.read("town/wyvern/config.json");
    let broken = good.replace("\"target\": \"main\"", "\"targt\": \"main\"");
    world.write("town/wyvern/config.json", &broken);
    assert_snapshot!(said(&world, &world.in_town(["rigs"]).fails(1)), @"
    gt: /world/town/wyvern/config.json:10:11: unknown key 'targt'
    hint: did you mean 'target'?
    ");
    world.in_town(["doctor", "--fix"]).fails(1);
    assert_eq!(world.read("town/wyvern/config.json"), broken);
    world.write("town/wyvern/config.json", good.replacen('{', "{\n  \"theirs\": { \"x\": 1 },", 1));
    world.in_town(["rigs"]).ok();
}

#[test]
fn a_rig_is_removed_only_when_nothing_is_lost() {
    let world = town();
    let url = world.str("origin.git");
    world.in_town(["rig", "add", "wyvern", &url, "--prefix", "wy"]).ok();
    world.in_town(["rig", "add", "other", &url]).ok();
    let id = world.bead("keep me", "true");
    world.in_town(["crew", "add", "max", "--rig", "wyvern"]).ok();
    world.write("town/wyvern/crew/max/new", "x");
    world.git("town/wyvern/crew/max", ["add", "-A"]);
    world.git("town/wyvern/crew/max", ["commit", "-q", "-m", "mine"]);
    world.write("town/wyvern/mayor/rig/dirty", "x");
    world.write("town/wyvern/polecats/.names/Nux", "instance");
    world
        .gt_in("town/wyvern", ["bd", "update", &id, "--status", "in_progress", "--assignee", "wyvern/Nux"])
        .ok();
    let before = state(&world);
    let run = world.in_town(["rig", "remove", "wyvern"]).fails(1);
    let commit = world.git("town/wyvern/crew/max", ["rev-parse", "HEAD"]);
    assert_snapshot!(said(&world, &run).replace(&id, "BEAD").replace(&commit[..10], "COMMIT"), @"
    wyvern/mayor/rig: ?? dirty
    wyvern/crew/max: not at origin: main COMMIT mine
    polecat wyvern/Nux is there
    bead BEAD is in_progress: keep me
    gt: cannot remove rig wyvern: 1 commit, 1 file would be lost; 1 polecat, 1 bead in work are in the way
    hint: push the commits to a branch at origin; move the files away, or commit and push them; see the polecats: gt polecats wyvern; end one: gt polecat release wyvern/NAME; finish the beads, or take them back: gt unsling BEAD; or move its folder to mayor/removed: gt rig remove wyvern --force
    ");
    assert_eq!(state(&world), before);
    let run = world.in_town(["rig", "remove", "wyvern", "--force"]).ok();
    let kept = run.stderr.lines().find_map(|line| line.strip_prefix("its beads are kept in ")).unwrap();
    assert!(std::fs::read_to_string(kept).unwrap().contains("keep me"));
    assert!(!world.path("town/wyvern").exists());
    assert!(!world.read("town/.gitignore").contains("wyvern"));
    world.in_town(["rig", "remove", "other"]).ok();
    world.in_town(["rig", "remove", "othr"]).fails(2);
    world.in_town(["doctor"]).ok();
}

#[test]
fn a_removal_that_was_killed_loses_nothing_and_can_be_completed() {
    for step in ["rig-remove.1", "rig-remove.2", "rig-remove.3"] {
        let world = town();
        world.in_town(["rig", "add", "wyvern", &world.str("origin.git")]).ok();
        world.gt_killed(step, "town", ["rig", "remove", "wyvern"]);
        let run = world.in_town(["doctor", "--fix"]).ok();
        match step {
            "rig-remove.3" => assert!(run.stdout.contains("Left half-made: .gt-old-wyvern-"), "{run:?}"),
            // The folder is whole: it is a rig again until it is removed.
            _ => assert!(world.in_town(["rig", "remove", "wyvern"]).code == Some(0), "{step}"),
        }
        world.in_town(["doctor"]).ok();
        // What is kept in mayor/exports stays, as the exports of its beads do.
        let left = tree(&world, "town").replace("wyvern.config.json", "");
        assert!(!left.contains("wyvern"), "{step}\n{left}");
    }
}

#[test]
fn crew_have_clones_of_their_own_under_their_own_name() {
    let world = town();
    let url = world.str("origin.git");
    world.in_town(["rig", "add", "wyvern", &url]).ok();
    let run = world.gt_in("town/wyvern", ["crew", "add", "max"]).ok();
    assert_eq!(plain(&world, &run.stdout), "wyvern/crew/max in /world/town/wyvern/crew/max\n");
    let dir = "town/wyvern/crew/max";
    assert_eq!(world.git(dir, ["status", "--porcelain", "--branch"]), "## main...origin/main");
    assert_eq!(world.git(dir, ["config", "user.name"]), "Test");
    assert!(!world.path(dir).join(".git/objects/info/alternates").exists());
    assert_snapshot!(plain(&world, &world.in_town(["crew", "list"]).ok().stdout), @"wyvern/crew/max  main  /world/town/wyvern/crew/max");
    assert_snapshot!(said(&world, &world.gt_in("town/wyvern", ["crew", "add", "max"]).fails(1)), @"
    gt: /world/town/wyvern/crew/max is there already
    hint: see the crew with: gt crew list --rig wyvern
    ");
    world.gt_in("town/wyvern", ["crew", "add", "a/b"]).fails(2);
    world.write(format!("{dir}/new"), "x");
    assert_snapshot!(said(&world, &world.gt_in("town/wyvern", ["crew", "remove", "max"]).fails(1)), @"
    ?? new
    gt: cannot remove wyvern/crew/max: 1 file would be lost
    hint: move the files away, or commit and push them; or move the clone to crew/.kept: gt crew remove max --rig wyvern --force
    ");
    std::fs::remove_file(world.path(dir).join("new")).unwrap();
    world.gt_in("town/wyvern", ["crew", "remove", "max"]).ok();
    assert!(!world.path(dir).exists());
    world.gt_in("town/wyvern", ["crew", "remove", "max"]).fails(2);
    world.git("", ["clone", "-q", "--bare", &url, "elsewhere.git"]);
    std::fs::rename(world.path("origin.git"), world.path("gone.git")).unwrap();
    let before = tree(&world, "town/wyvern");
    world.gt_in("town/wyvern", ["crew", "add", "furiosa"]).fails(1);
    assert_eq!(tree(&world, "town/wyvern"), before);
}

#[test]
fn a_rig_whose_folder_is_gone_is_taken_off_the_list_only_by_force() {
    let world = town();
    world.in_town(["rig", "add", "wyvern", &world.str("origin.git")]).ok();
    std::fs::remove_dir_all(world.path("town/wyvern")).unwrap();
    assert_snapshot!(said(&world, &world.in_town(["rig", "remove", "wyvern"]).fails(1)), @"
    gt: the folder of rig wyvern is gone: /world/town/wyvern
    hint: bring it back, or take it off the list with: gt rig remove wyvern --force
    ");
    world.in_town(["rig", "remove", "wyvern", "--force"]).ok();
    world.in_town(["doctor"]).ok();
}
