//! Which store is opened with what, and what is said when that is not there or does not answer.

use serde_json::Value;

use super::town::{Town, stand_in};
use crate::common::World;
use crate::common::terminal::Terminal;

/// The folders of PATH that hold no bd.
fn path_without_bd(world: &World) -> String {
    let path = std::env::var("PATH").unwrap();
    let dirs =
        std::env::split_paths(&path).filter(|dir| !dir.join("bd").exists() && *dir != world.path("bin"));
    std::env::join_paths(dirs).unwrap().into_string().unwrap()
}

#[test]
fn a_town_of_bd_without_bd() {
    let town = Town::new();
    let bead = town.bead("Wait", "true");
    town.world.set("PATH", &path_without_bd(&town.world));
    for words in
        [&["sling", &bead, "wyvern"][..], &["mq", "list", "wyvern"], &["mail", "inbox"], &["hold", &bead]]
    {
        let run = town.world.in_town(words).fails(1);
        assert!(run.stderr.contains("was made by bd, and bd is not on PATH"), "{words:?}: {run:?}");
        assert!(run.stderr.contains("hint: install bd; or move to the embedded store"), "{words:?}: {run:?}");
    }
    let status = town.world.in_town(["status"]).ok().stdout;
    assert!(status.contains("bd is not on PATH") && !status.contains("0 ready"), "{status}");
    assert!(!town.world.path("town/.beads/gastown.db").exists());
    assert!(!town.world.path("town/wyvern/.beads/gastown.db").exists());
}

#[test]
fn a_store_keeps_its_kind_whatever_the_settings_say() {
    let town = Town::new();
    town.bead("Wait", "true");
    town.world.settings("[beads]\nstore = \"embedded\"\n");
    let status = town.asks(&["status"], &["list", "list"], &["export", "export"]);
    assert!(status.stdout.contains("1 ready") && status.stdout.contains("store bd "), "{status:?}");

    let own = World::with_rig();
    own.settings("[beads]\nstore = \"bd\"\n");
    own.program("bd", "#!/bin/sh\necho asked >> \"$HOME/asked\"\nexit 1\n");
    own.bead("Own", "true");
    let status = own.in_town(["status"]).ok().stdout;
    assert!(status.contains("1 ready") && status.contains("store embedded"), "{status}");
    assert!(!own.path("home/asked").exists());
}

#[test]
fn a_bd_that_hangs_is_given_up() {
    let town = Town::new();
    let bead = town.bead("Wait", "true");
    let version = town.world.run("bd", "", ["--version"]).ok().stdout;
    let script =
        format!("#!/bin/sh\n[ \"$1\" = --version ] && {{ echo '{}'; exit; }}\nsleep 1000\n", version.trim());
    town.world.program("bd", &script);
    town.world.set("GT_TEST_BD_LIMIT", "1");
    let run = town.world.in_town(["sling", &bead, "wyvern"]).fails(1);
    assert!(run.stderr.contains("bd: no answer within 1 s"), "{run:?}");
    assert!(!town.world.path("town/wyvern/polecats").join("Nux").exists());
}

#[test]
fn a_bd_that_lacks_what_is_needed_is_refused_with_the_command_that_upgrades() {
    let world = World::new();
    std::fs::copy(stand_in(&world, "1.0.1"), world.path("bin/bd")).unwrap();
    let refused = |run: crate::common::Run| {
        assert!(run.stderr.contains("bd 1.0.1 at ") && run.stderr.contains("cannot be used"), "{run:?}");
        assert!(run.stderr.contains("upgrade it: curl "), "{run:?}");
    };
    refused(world.gt(["install", "town"]).fails(1));
    refused(world.gt(["install", "town", "--dry-run"]).fails(1));
    assert!(!world.path("town").exists());

    // A town from before.
    if std::env::var_os("GT_TEST_BD_BIN").is_some() {
        return;
    }
    let town = Town::of("1.0.5").unwrap();
    let bead = town.bead("Wait", "true");
    std::fs::copy(stand_in(&town.world, "1.0.1"), town.world.path("bin/bd")).unwrap();
    for words in [&["sling", &bead, "wyvern"][..], &["mq", "list", "wyvern"], &["mail", "inbox"]] {
        refused(town.world.in_town(words).fails(1));
    }
    refused(town.world.in_town(["rig", "add", "second", &town.world.str("origin.git")]).fails(1));
    assert!(!town.world.path("town/second").exists());
    let doctor = town.world.in_town(["doctor"]).fails(1).stdout;
    assert_eq!(doctor.matches("upgrade it: curl ").count(), 2, "{doctor}");
    assert!(doctor.contains("beads broken: bd 1.0.1 at "), "{doctor}");

    // What was remembered of it is of that program alone: a new one is asked again, once.
    std::fs::copy(stand_in(&town.world, "1.0.3"), town.world.path("bin/bd")).unwrap();
    assert!(town.world.in_town(["status"]).ok().stdout.contains("store bd 1.0.3"));
    assert!(town.world.in_town(["doctor"]).ok().stdout.contains("Issues: 0 found"));
}

#[test]
fn ids_of_other_prefixes_are_taken_by_bd_1_0_and_refused_with_what_helps_by_0_46() {
    for version in ["0.46.0", "1.0.5"] {
        let Some(town) = Town::of(version) else { continue };
        let bead = |id: &str| {
            format!(
                "{{\"id\":\"{id}\",\"title\":\"{id}\",\"status\":\"open\",\"priority\":2,\"issue_type\":\"task\",\"created_at\":\"2026-01-01T00:00:00Z\",\"updated_at\":\"2026-01-01T00:00:00Z\"}}\n"
            )
        };
        town.world.write("town/wyvern/beads.jsonl", bead("wy-1") + &bead("cd-1"));
        let import = ["bd", "import", "--trust", "beads.jsonl"];
        if !town.whole {
            let refused = town.world.gt_in("town/wyvern", import).fails(1);
            assert!(
                refused.stderr.contains("hint: let the store take ids of other prefixes: \"prefixes\""),
                "{refused:?}"
            );
        }
        let path = "town/wyvern/config.json";
        let mut config: Value = serde_json::from_str(&town.world.read(path)).unwrap();
        config["beads"]["prefixes"] = serde_json::json!(["cd", "gt"]);
        town.world.write(path, format!("{config:#}\n"));
        if !town.whole {
            let refused = town.world.gt_in("town/wyvern", import).fails(1);
            assert!(
                refused.stderr.contains("keeps ids of one prefix alone; upgrade it: curl "),
                "{refused:?}"
            );
            // All of it or nothing.
            assert_eq!(
                town.world.gt_in("town/wyvern", ["bd", "list", "--json"]).ok().json(),
                Value::Array(vec![])
            );
            continue;
        }
        town.asks_in("town/wyvern", &import, &["list", "import"], &[]);
        assert_eq!(town.world.show("cd-1")["title"], "cd-1");
        assert_eq!(town.state("wy-1").0, "open");
    }
}

#[test]
fn beads_of_a_store_of_bds_and_one_of_gts_are_shown_and_changed_together() {
    let town = Town::new();
    town.world.settings("[beads]\nstore = \"embedded\"\n");
    town.world.in_town(["rig", "add", "hydra", &town.world.str("origin.git"), "--prefix", "hy"]).ok();
    let first = town.bead("One", "true");
    town.world.gt_in("town/hydra", ["bd", "create", "Two", "--id", "hy-2"]).ok();
    let bd = |words: &[&str]| town.world.in_town([&["bd"], words].concat());
    let shown = bd(&["show", &first, "hy-2", "--json"]).ok().json();
    let titles: Vec<_> =
        shown.as_array().unwrap().iter().map(|bead| bead["title"].as_str().unwrap()).collect();
    assert_eq!(titles, ["One", "Two"]);
    bd(&["close", "hy-2", &first, "--reason", "hy-2"]).ok();
    let shown = bd(&["show", &first, "hy-2", "--json"]).ok().json();
    for bead in shown.as_array().unwrap() {
        assert_eq!((&bead["status"], &bead["close_reason"]), (&"closed".into(), &"hy-2".into()), "{bead}");
    }
    // 0.46 does not call that a failure.
    let run = bd(&["show", "wy-none", "hy-2", "--json"]);
    assert!(run.stderr.contains("wy-none"), "{run:?}");
    assert_eq!(run.json().as_array().unwrap().len(), 1, "{run:?}");
}

#[test]
fn what_bd_says_reaches_a_terminal_without_escapes() {
    let town = Town::new();
    town.world.program(
        "bd",
        "#!/bin/sh\nprintf '\\033]0;taken\\007out\\n'\nprintf '\\033]0;taken\\007err' >&2\nexit 3\n",
    );
    let script = format!(
        "cd town/wyvern; {0} bd blocked >out 2>/dev/tty; echo $?; {0} bd blocked",
        crate::common::gt()
    );
    let terminal = Terminal::open(&town.world, &format!("{script} 2>/dev/tty"));
    assert_eq!(terminal.ended(), 3);
    let screen = terminal.screen();
    assert_eq!(screen.matches("\\x1b]0;taken\\x07err").count(), 2, "{screen}");
    assert!(screen.contains("\n3\n") && screen.contains("\\x1b]0;taken\\x07out"), "{screen}");
    // What is not for a terminal is byte for byte what bd said.
    assert_eq!(town.world.read("town/wyvern/out"), "\x1b]0;taken\x07out\n");
}

#[test]
fn a_bead_that_bd_itself_gives_away_during_a_sling_is_not_taken() {
    for version in ["0.46.0", "1.0.5"] {
        let Some(town) = Town::of(version) else { continue };
        let bead = town.bead("Wait", "true");
        let store = town.world.str("town/wyvern/.beads");
        let setup = format!("BEADS_DIR={store} bd update {bead} --assignee=hydra/Nux --status=in_progress");
        town.world.settings(&format!("[beads]\nstore = \"bd\"\n[worktree]\nsetup = \"{setup}\"\n"));
        let refused = town.world.in_town(["sling", &bead, "wyvern"]).fails(1);
        assert!(refused.stderr.contains("hydra/Nux"), "{refused:?}");
        assert_eq!(town.state(&bead), ("in_progress".into(), Some("hydra/Nux".into()), vec![]));
    }
}
