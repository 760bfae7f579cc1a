//! Making a town: its tree, its files, and what is refused.

use std::path::Path;

use insta::assert_snapshot;

use crate::common::{Run, World, at_once};

/// Everything under a folder of the world, clones shown as one line.
pub fn tree(world: &World, root: &str) -> String {
    fn walk(dir: &Path, depth: usize, out: &mut String) {
        let mut entries: Vec<_> =
            std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            let name = path.file_name().unwrap().to_str().unwrap();
            let pad = "  ".repeat(depth);
            if let Ok(target) = std::fs::read_link(&path) {
                let target = target.to_str().unwrap().rsplit("debug/").next().unwrap().to_string();
                out.push_str(&format!("{pad}{name} -> {target}\n"));
            } else if path.is_dir() && path.join(".git").exists() {
                out.push_str(&format!("{pad}{name}/ (clone)\n"));
            } else if path.is_dir() {
                out.push_str(&format!("{pad}{name}/\n"));
                walk(&path, depth + 1, out);
            } else {
                out.push_str(&format!("{pad}{name}\n"));
            }
        }
    }
    let mut out = String::new();
    walk(&world.path(root), 0, &mut out);
    out
}

/// Text with what differs from run to run replaced.
pub fn plain(world: &World, text: &str) -> String {
    let text = text.replace(world.real().to_str().unwrap(), "/world").replace(&world.str(""), "/world/");
    let text = regex_time().replace_all(&text, "TIME").into_owned();
    text.replace("/world//", "/world/")
}

fn regex_time() -> regex::Regex {
    regex::Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z").unwrap()
}

fn said(world: &World, run: &Run) -> String {
    plain(world, &run.stderr)
}

/// A world with an embedded store as the person's choice.
pub fn embedded() -> World {
    let world = World::new();
    world.settings("[beads]\nstore = \"embedded\"\n");
    world
}

#[test]
fn the_tree_of_a_town_and_its_files_to_the_letter() {
    let world = embedded();
    let run = world.gt(["install", "town", "--name", "Bartertown"]).ok();
    assert_eq!(plain(&world, &run.stdout), "town Bartertown in /world/town\n");
    assert_snapshot!(tree(&world, "town"), @"
    .beads/
      gastown.db
      gastown.lock
    .gitignore
    CLAUDE.md
    bin/
      bd -> gt
    config/
      presets/
      town.toml
    mayor/
      .lock
      ended
      rigs.json
      secret
      state.json
      town.json
    ");
    assert_snapshot!(plain(&world, &world.read("town/mayor/town.json")), @r#"
    {
      "type": "town",
      "version": 1,
      "name": "Bartertown",
      "created_at": "TIME"
    }
    "#);
    assert_snapshot!(world.read("town/mayor/rigs.json"), @r#"
    {
      "version": 1,
      "rigs": {}
    }
    "#);
    assert_snapshot!(world.read("town/mayor/state.json"), @r#"
    {
      "version": 1
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
    ");
    assert!(world.read("town/CLAUDE.md").starts_with("# Mayor of Bartertown\n"));
    assert_eq!(
        world.gt_in("town", ["bd", "create", "x", "--json"]).ok().json()["id"].as_str().unwrap()[..3],
        *"hq-"
    );
}

#[test]
fn a_folder_with_other_things_in_it_becomes_a_town_and_keeps_them() {
    let world = embedded();
    world.write("home/work/CLAUDE.md", "mine\n");
    world.write("home/work/.gitignore", "target\n/bin/\n");
    world.write("home/work/config/mine.toml", "x\n");
    let run = world.gt_in("home/work", ["install"]).ok();
    assert!(run.stderr.contains("kept as they were: CLAUDE.md\n"), "{run:?}");
    assert_eq!(world.read("home/work/CLAUDE.md"), "mine\n");
    assert_eq!(world.read("home/work/config/mine.toml"), "x\n");
    assert_snapshot!(world.read("home/work/.gitignore"), @"
    target
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
    ");
    world.gt_in("home/work/config", ["rigs"]).ok();
}

#[test]
fn missing_folders_above_are_made_and_the_dry_run_makes_nothing() {
    let world = embedded();
    let run = world.gt(["install", "a/b/town", "--dry-run"]).ok();
    assert_snapshot!(plain(&world, &run.stdout).replace(crate::common::gt(), "GT"), @"
    would make in /world/a/b/town:
    + CLAUDE.md
    + .gitignore
    + config/
    + config/presets/
    + config/town.toml
    + bin/
    + bin/bd -> GT
    + mayor/
    + mayor/.lock
    + mayor/rigs.json
    + mayor/secret
    + mayor/state.json
    + mayor/town.json
    + .beads/
    ");
    assert!(!world.path("a").exists());
    world.gt(["install", "a/b/town"]).ok();
    world.gt_in("a/b/town", ["rigs"]).ok();
    assert_eq!(tree(&world, "a").lines().next().unwrap(), "b/");
}

#[test]
fn a_town_is_made_once_and_never_in_another() {
    let world = embedded();
    world.gt(["install", "town"]).ok();
    assert_snapshot!(said(&world, &world.gt(["install", "town"]).fails(1)), @"
    gt: there is a town already: /world/town
    hint: repair it, keeping what is there, with: gt install --force /world/town
    ");
    assert_snapshot!(said(&world, &world.gt_in("town", ["install", "config/inner"]).fails(1)), @"
    gt: /world/town/config/inner is inside the town /world/town
    hint: a town cannot stand in a town: choose another folder, or add a project with: gt rig add NAME URL
    ");
    assert_snapshot!(said(&world, &world.gt(["install", "."]).fails(1)), @"
    gt: /world holds the town town
    hint: a town cannot stand in a town: choose another folder
    ");
    assert!(!world.path("town/config/inner").exists());
    world.write("file", "x");
    assert_snapshot!(said(&world, &world.gt(["install", "file"]).fails(1)), @"
    gt: /world/file is a file
    hint: choose another folder: gt install DIR
    ");
    assert_snapshot!(said(&world, &world.gt(["install", "other", "--name", "a\nb"]).fails(2)), @"
    gt: a town's name is one line of 1 to 64 characters
    hint: name it with: gt install --name NAME
    ");
}

#[test]
fn force_repairs_and_keeps_what_is_there() {
    let world = embedded();
    world.gt(["install", "town"]).ok();
    world.write("town/CLAUDE.md", "changed\n");
    std::fs::remove_file(world.path("town/bin/bd")).unwrap();
    std::fs::remove_file(world.path("town/mayor/rigs.json")).unwrap();
    let secret = world.read("town/mayor/secret");
    let run = world.gt(["install", "--force", "town"]).ok();
    assert!(run.stderr.contains("made: bin/bd mayor/rigs.json\n"), "{run:?}");
    assert_eq!(world.read("town/CLAUDE.md"), "changed\n");
    assert_eq!(world.read("town/mayor/secret"), secret);
    let run = world.gt(["install", "--force", "town"]).ok();
    assert!(run.stderr.contains("made: nothing was missing\n"), "{run:?}");
}

#[test]
fn with_git_the_town_is_one_commit_also_for_the_nameless() {
    let world = embedded();
    world.gt(["install", "named", "--git"]).ok();
    assert_eq!(world.git("named", ["log", "--format=%an %s"]), "Test The town named");
    assert_eq!(world.git("named", ["status", "--porcelain"]), "");
    assert_eq!(world.git("named", ["ls-files", "mayor"]), "mayor/rigs.json\nmayor/town.json");
    world.write("home/.gitconfig", "[init]\n\tdefaultBranch = main\n");
    let run = world.gt(["install", "town", "--git"]).ok();
    assert!(
        run.stderr.contains("git knows no name of yours: the first commit is by gt <gt@localhost>"),
        "{run:?}"
    );
    assert_eq!(world.git("town", ["log", "--format=%an"]), "gt");
    world.gt(["install", "plain"]).ok();
    assert!(!world.path("plain/.git").exists());
}

#[test]
fn without_beads_there_is_no_store_and_no_bd() {
    let world = embedded();
    world.gt(["install", "town", "--no-beads"]).ok();
    assert!(!world.path("town/.beads").exists() && !world.path("town/bin").exists());
}

#[test]
fn an_old_or_missing_git_is_refused_and_an_old_or_missing_tmux_is_said() {
    let world = embedded();
    world.program("git", "#!/bin/sh\necho git version 2.24.1\n");
    assert_snapshot!(said(&world, &world.gt(["install", "town"]).fails(1)), @"
    gt: git 2.24 is too old: gt needs 2.25 or later
    hint: update git, then check with: git --version
    ");
    world.set("PATH", &world.str("bin"));
    std::fs::remove_file(world.path("bin/git")).unwrap();
    assert_snapshot!(said(&world, &world.gt(["install", "town"]).fails(1)), @"
    gt: git is not installed or not on PATH
    hint: install git 2.25 or later, then check with: git --version
    ");
    assert!(!world.path("town").exists());
    world.program("git", "#!/bin/sh\necho git version 2.25.0\n");
    let run = world.gt(["install", "one"]).ok();
    assert!(run.stderr.contains("tmux is not installed: minimal mode"), "{run:?}");
    world.program("tmux", "#!/bin/sh\necho tmux 3.1c\n");
    let run = world.gt(["install", "two"]).ok();
    assert!(run.stderr.contains("tmux 3.1c is too old (3.2 or later is needed): minimal mode"), "{run:?}");
}

#[test]
fn agents_that_never_ask_are_said_aloud() {
    let world = embedded();
    world.write(
        "home/.config/gastown/presets/polecat.toml",
        "name = \"polecat\"\n[polecat]\npermissions = \"all\"\n",
    );
    let run = world.gt(["install", "town"]).ok();
    assert!(run.stderr.contains("permissions: agents of the role polecat ask for none"), "{run:?}");
    assert!(!run.stderr.contains("role crew"), "{run:?}");
}

#[test]
fn killed_after_each_step_the_same_command_works() {
    for step in ["install.1", "install.2", "install.3"] {
        let world = embedded();
        world.write("full/mine", "x");
        for (town, dir) in [("new/town", ""), ("full", "")] {
            if step == "install.3" {
                world.gt_killed(step, dir, ["install", town]);
                world.gt_in(town, ["rigs"]).ok();
            } else {
                world.gt_killed(step, dir, ["install", town]);
                assert!(!world.path(town).join("mayor/town.json").exists());
                world.gt(["install", town]).ok();
            }
            let run = world.gt_in(town, ["doctor"]);
            assert!(run.stdout.contains("Issues: 0 found"), "{step} {town}: {run:#?}");
            assert!(!tree(&world, "").contains(".gt-new-"), "{step} {town}\n{}", tree(&world, ""));
        }
    }
}

#[test]
fn of_many_installs_at_once_one_wins() {
    let world = embedded();
    world.write("town/mine", "x");
    let command = || {
        let mut command = world.command(crate::common::gt(), "");
        command.args(["install", "town"]);
        command
    };
    let runs = at_once((0..8).map(|_| command()));
    assert_eq!(runs.iter().filter(|run| run.code == Some(0)).count(), 1, "{runs:#?}");
    assert!(
        runs.iter()
            .filter(|run| run.code != Some(0))
            .all(|run| run.stderr.contains("there is a town already"))
    );
    world.in_town(["doctor"]).ok();
}

#[test]
fn no_room_on_the_disk_leaves_nothing() {
    let world = embedded();
    let before = tree(&world, "home");
    let limited = |words: &str| {
        // The shell's limit on the size of files stands for a full disk; SIGXFSZ is ignored as gt does not expect it.
        let script = format!("trap '' XFSZ; ulimit -f 0; exec {} {words}", crate::common::gt());
        world.run("sh", "home", ["-c", &script])
    };
    let run = limited("install town").fails(1);
    assert!(run.stderr.starts_with("gt: cannot write"), "{run:?}");
    assert!(run.stderr.contains("hint: the disk is full: make room"), "{run:?}");
    assert_eq!(tree(&world, "home"), before);
    world.write("home/full/mine", "x");
    let before = tree(&world, "home");
    limited("install full").fails(1);
    assert_eq!(tree(&world, "home"), before);
}

#[test]
fn outside_a_town_and_with_broken_files_the_message_says_where() {
    let world = embedded();
    assert_snapshot!(said(&world, &world.gt(["rigs"]).fails(1)), @"
    gt: not in a town: /world
    hint: make one with: gt install ~/gt, or name one with: gt -C DIR …
    ");
    assert_snapshot!(said(&world, &world.gt(["-C", "nowhere", "rigs"]).fails(1)), @"
    gt: not in a town: /world/nowhere: no such folder
    hint: name one with: gt -C DIR …
    ");
    world.set("GT_TOWN_ROOT", &world.str("home"));
    assert_snapshot!(said(&world, &world.gt(["rigs"]).fails(1)), @"
    gt: GT_TOWN_ROOT is /world/home, and there is no town
    hint: take it away with: unset GT_TOWN_ROOT
    ");
    world.unset("GT_TOWN_ROOT");
    world.gt(["install", "town"]).ok();
    world.write("town/mayor/rigs.json", "{\n  \"version\": 1,\n  \"rigs\": {\n}\n");
    assert_snapshot!(said(&world, &world.in_town(["rigs"]).fails(1)), @"
    gt: /world/town/mayor/rigs.json:5:0: EOF while parsing an object
    hint: mend it by hand; gt never overwrites a file that it cannot read
    ");
    world.write("town/mayor/town.json", "");
    assert_snapshot!(said(&world, &world.in_town(["rigs"]).fails(1)), @"
    gt: /world/town/mayor/town.json is empty: a write was cut short
    hint: bring it back from a copy, or remove it and run: gt doctor --fix
    ");
    world.write(
        "town/mayor/town.json",
        "{\"type\":\"village\",\"version\":1,\"name\":\"x\",\"created_at\":\"\"}",
    );
    assert_snapshot!(said(&world, &world.in_town(["rigs"]).fails(1)), @"
    gt: /world/town/mayor/town.json is of type 'village', not 'town'
    hint: mend it by hand; gt never overwrites a file that is not its own
    ");
    let run = world.in_town(["rigs", "--json"]).fails(1);
    let error = run.error();
    assert_eq!(error["schema_version"], 1);
    assert!(error["hint"].is_string());
}

#[test]
fn the_examples_in_the_settings_file_are_settings() {
    let world = embedded();
    world.gt(["install", "town"]).ok();
    let example = |line: &str| line.starts_with('[') || line.split(' ').nth(1) == Some("=");
    let text = world.read("town/config/town.toml");
    let lines = text.lines().filter_map(|line| line.strip_prefix("# ")).filter(|line| example(line));
    let lines: Vec<&str> = lines.collect();
    assert!(lines.len() > 15, "{text}");
    world.write("town/config/town.toml", lines.join("\n"));
    let shown = world.in_town(["config", "show"]).ok();
    assert!(shown.stdout.contains("make test"), "{shown:?}");
}

#[test]
fn the_settings_say_which_store_is_made_and_how_its_ids_begin() {
    let world = World::new();
    world.origin("origin.git", &[("README.md", "# wyvern\n")]);
    world.program("bd", "#!/bin/sh\ntouch ~/bd-was-called\nexit 1\n");
    world.settings("[beads]\nstore = \"embedded\"\nprefix = \"gm\"\n");
    world.gt(["install", "town"]).ok();
    world.in_town(["rig", "add", "wyvern", &world.str("origin.git")]).ok();
    let made = world.in_town(["bd", "create", "A town's own", "--json"]).ok().json();
    assert!(made["id"].as_str().unwrap().starts_with("gm-"), "{made}");
    let id = made["id"].as_str().unwrap().to_string();
    let run = world.in_town(["sling", &id, "wyvern"]).fails(2);
    assert!(run.stderr.contains("belongs to the town"), "{run:#?}");
    world.in_town(["rig", "add", "other", &world.str("origin.git"), "--prefix", "gm"]).fails(2);
    for store in ["town/.beads", "town/wyvern/.beads"] {
        assert!(world.path(store).join("gastown.db").is_file(), "{store}");
    }
    assert!(!world.path("home/bd-was-called").exists());

    // A kind that cannot be made is refused before anything is, whether or not it is only tried out.
    std::fs::remove_file(world.path("bin/bd")).unwrap();
    world.settings("[beads]\nstore = \"bd\"\n");
    let path = std::env::var("PATH").unwrap();
    let without = |dir: &&str| !std::path::Path::new(dir).join("bd").exists();
    world.set("PATH", &path.split(':').filter(without).collect::<Vec<_>>().join(":"));
    let before = names(&world.path("town"));
    for more in [None, Some("--dry-run")] {
        let add = ["rig", "add", "other", &world.str("origin.git")];
        let run = world.in_town(add.into_iter().chain(more)).fails(1);
        let refused = "gt: beads.store is \"bd\", and bd is not on PATH\n";
        assert!(run.stderr.starts_with(refused), "{run:#?}");
        world.gt(["install", "second"].into_iter().chain(more)).fails(1);
    }
    assert_eq!(names(&world.path("town")), before);
    assert!(!world.path("second").exists());
    // What exists keeps its kind.
    std::fs::remove_file(world.path("town/bin/bd")).unwrap();
    world.gt(["install", "--force", "town"]).ok();
    assert!(world.path("town/bin/bd").exists());
}

fn names(dir: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
