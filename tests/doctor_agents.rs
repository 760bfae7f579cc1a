//! `gt doctor --agents`: agent programs are looked at before they are started, and a person's files are changed with care.

use std::process::Stdio;

use crate::common::terminal::Terminal;
use crate::common::{World, wait_for};

/// A person's file, as Claude Code writes it, with what no other may lose.
const STATE: &str = "{\n  \"numStartups\": 3,\n  \"zeta\": 1e400,\n  \"projects\": {\n    \"/home/me/own\": {\n      \"allowedTools\": []\n    }\n  },\n  \"theme\": \"dark\"\n}\n";

const KEY: &str = "sk-ant-0123456789abcdefghijklmnop";

/// A rig whose polecats run `claude`: a program that waits for input, with a key.
fn world() -> World {
    let world = World::with_rig();
    world.program(
        "claude",
        "#!/bin/sh\ncase $1 in --version) echo '9.9.9 (Claude Code)' ;; *) read -r line ;; esac",
    );
    world.set("GASTOWN_POLECAT__AGENT", "claude");
    world.set("ANTHROPIC_API_KEY", KEY);
    world
}

fn copies(world: &World) -> Vec<String> {
    let names = std::fs::read_dir(world.path("home")).unwrap().flatten();
    let names = names.map(|entry| entry.file_name().into_string().unwrap());
    names.filter(|name| name.starts_with(".claude.json.before-gt-")).collect()
}

#[test]
fn what_stops_a_program_is_said_and_mended_in_the_persons_file() {
    let world = world();
    let state = STATE.replace("1e400", "12345678901234567890123");
    world.write("home/.claude.json", &state);
    let found = world.in_town(["doctor", "--agents"]).fails(1).stdout;
    assert!(found.contains("Agent: claude 9.9.9 (mayor, polecat)"), "{found}");
    assert!(
        found.contains("begins with its first screens") && found.contains("Issues: 3 found, 0 fixed"),
        "{found}"
    );
    assert!(
        found.contains("gt was checked with claude ") && found.contains("this is 9.9.9: it is tried"),
        "{found}"
    );
    let bead = world.bead("One", "true");
    let pointed = "claude would not begin by itself; see why with: gt doctor --agents";
    assert!(world.in_town(["sling", &bead, "wyvern"]).ok().stderr.contains(pointed));
    assert!(world.in_town(["start"]).ok().stderr.contains(pointed));
    assert!(world.gt(["install", "other"]).ok().stderr.contains(pointed));
    let explained = world.in_town(["status", "--explain", "wyvern/Nux"]).ok().stdout;
    assert!(explained.contains("\n  program  gt was checked with claude "), "{explained}");
    world.in_town(["stop", "--all"]).ok();

    // Nothing is written that was not agreed to.
    let shown = world.in_town(["doctor", "--agents", "--fix", "--dry-run"]).fails(1).stdout;
    let trusted = format!(
        "+ projects > {}/town/wyvern/mayor/rig > hasTrustDialogAccepted: true",
        world.real().display()
    );
    assert!(shown.contains(&trusted) && shown.contains("+ hasCompletedOnboarding: true"), "{shown}");
    assert!(!shown.contains(&KEY[KEY.len() - 20..]), "{shown}");
    assert!(
        world.in_town(["doctor", "--agents", "--fix"]).fails(1).stdout.contains("run the same with: --yes")
    );
    assert_eq!((world.read("home/.claude.json"), copies(&world).len()), (state.clone(), 0));

    let fixed = world.in_town(["doctor", "--agents", "--fix", "--yes"]).ok();
    assert!(fixed.stdout.contains("Issues: 3 found, 3 fixed"), "{fixed:#?}");
    let new = world.read("home/.claude.json");
    // What it was stands there in its order, with its numbers.
    let kept = |line: &str| line.trim_end_matches([',', '{', '}', '\n']).to_string();
    let mut after = new.lines().map(kept);
    assert!(
        state
            .lines()
            .map(kept)
            .filter(|line| !line.trim().is_empty())
            .all(|line| after.any(|own| own == line)),
        "{new}"
    );
    assert!(new.contains("12345678901234567890123") && new.contains(&KEY[KEY.len() - 20..]), "{new}");
    let [copy] = &copies(&world)[..] else { panic!("{:?}", copies(&world)) };
    assert_eq!(world.read(format!("home/{copy}")), state);

    let clean = world.in_town(["doctor", "--agents", "--json"]).ok();
    assert_eq!(clean.json()["agents"]["programs"][0]["checks"], serde_json::json!([]));
    assert!(!world.in_town(["sling", &bead, "wyvern", "--resume"]).ok().stderr.contains("doctor --agents"));
    assert!(!world.gt(["install", "third"]).ok().stderr.contains("doctor --agents"));
}

#[test]
fn a_file_that_is_in_use_or_lies_elsewhere_or_is_broken_is_not_touched() {
    let world = world();
    let fix = || world.in_town(["doctor", "--agents", "--fix", "--yes"]).fails(1).stdout;
    world.write("home/.claude.json", STATE.replace("1e400", "1").replace("{\n  \"num", "{ broken\n  \"num"));
    let before = world.read("home/.claude.json");
    assert!(fix().contains("claude cannot read") && copies(&world).is_empty());
    assert_eq!(world.read("home/.claude.json"), before);

    world.write("home/.claude.json", "{}");
    let mut other = world.command("claude", "home");
    let mut other = other.stdin(Stdio::piped()).spawn().unwrap();
    let said = fix();
    assert!(said.contains(&format!("claude ({}) runs, and may write", other.id())), "{said}");
    drop(other.stdin.take());
    other.wait().unwrap();
    assert_eq!((world.read("home/.claude.json").as_str(), copies(&world).len()), ("{}", 0));

    std::fs::remove_file(world.path("home/.claude.json")).unwrap();
    world.write("elsewhere.json", "{}");
    std::os::unix::fs::symlink(world.path("elsewhere.json"), world.path("home/.claude.json")).unwrap();
    assert!(fix().contains("out of your home folder"));
    assert_eq!(world.read("elsewhere.json"), "{}");

    // A link to a place of the person's own is followed, and stays.
    std::fs::remove_file(world.path("home/.claude.json")).unwrap();
    world.write("home/dots/claude.json", "{}");
    std::os::unix::fs::symlink(world.path("home/dots/claude.json"), world.path("home/.claude.json")).unwrap();
    world.in_town(["doctor", "--agents", "--fix", "--yes"]).ok();
    assert!(world.path("home/.claude.json").is_symlink());
    assert!(world.read("home/dots/claude.json").contains("hasCompletedOnboarding"));
}

#[test]
fn on_a_terminal_the_person_is_asked_for_each_file() {
    for (answer, code) in [("n", 1), ("y", 0)] {
        let world = world();
        let terminal =
            Terminal::open(&world, &format!("cd town; {} doctor --agents --fix 2>&1", crate::common::gt()));
        wait_for("the question", || {
            terminal.screen().contains("change it? a copy is kept beside it").then_some(())
        });
        terminal.keys(&[answer, "Enter"]);
        assert_eq!(terminal.ended(), code, "{}", terminal.screen());
        assert_eq!(world.path("home/.claude.json").exists(), answer == "y");
    }
}
