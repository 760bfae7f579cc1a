//! What `--json` prints is what `docs/json.md` says: of every command, in one town.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::Value;

use crate::common::json_docs::{Answer, docs};
use crate::common::{World, wait_for};
use crate::every::commands;

/// What of the docs this town does not show, and which tests do: it takes another machine, or another town.
const NOT_HERE: [(&str, &str); 13] = [
    ("answer", "stand_in.rs"),
    ("away", "remote_sling.rs"),
    ("completion", "home.rs"),
    ("ended", "home.rs"),
    ("forgotten", "home/ending.rs"),
    ("gt answer ADDRESS ANSWER: answer", "stand_in.rs"),
    ("gt answer: question", "stand_in.rs"),
    ("gt remote tunnel up: tunnels", "tunnel.rs"),
    ("known_remote", "choice.rs"),
    ("opened_tunnel", "tunnel.rs"),
    ("question", "stand_in.rs"),
    ("renamed", "sync/trouble.rs"),
    ("taken", "sync/agents.rs"),
];

const SETTINGS: &str = "[beads]\nstore = \"embedded\"\n[agents.waits]\ncommand = [\"sleep\", \"600\"]\nprompt = \"none\"\n\
     [up]\nroles = [\"mayor\"]\n\
     [remotes.far]\nfugue_addr = \"unix:///nowhere/fugue.sock\"\n\
     [remotes.wide]\nfugue_addr = \"tcp://127.0.0.1:4999\"\nssh = \"ann@nowhere.invalid\"\n\
     [remotes.high]\nfugue_addr = \"tcp://127.0.0.1:4998\"\nssh = \"ann@nowhere.invalid\"\n";

/// A town, and what its answers have shown of the docs.
struct Asked {
    world: World,
    seen: RefCell<BTreeSet<String>>,
}

impl Asked {
    /// What a command answers, in a folder of the world; it succeeds.
    #[track_caller]
    fn at(&self, dir: &str, words: &[&str]) -> Value {
        let (answer, mut seen) = self.world.gt_in(dir, words.iter().chain(&["--json"])).ok().answer();
        self.seen.borrow_mut().append(&mut seen);
        answer
    }

    #[track_caller]
    fn town(&self, words: &[&str]) -> Value {
        self.at("town", words)
    }

    /// What it would do, and what it does.
    #[track_caller]
    fn tried(&self, words: &[&str]) -> Value {
        self.town(&[words, &["--dry-run"]].concat());
        self.town(words)
    }

    /// Commits a file in a polecat's worktree.
    fn commits(&self, place: &str, file: &str) {
        self.world.write(format!("{place}/{file}"), file);
        self.world.git(place, ["add", file]);
        self.world.git(place, ["commit", "-qm", file]);
    }
}

#[test]
fn every_answer_is_as_the_docs_describe_it() {
    let asked = Asked { world: World::with_rig(), seen: RefCell::default() };
    asked.world.settings(SETTINGS);
    for role in ["MAYOR", "WITNESS", "REFINERY", "CREW"] {
        asked.world.set(&format!("GASTOWN_{role}__AGENT"), "waits");
    }
    older_towns(&asked);
    settings(&asked);
    queue(&asked);
    work(&asked);
    sessions(&asked);
    deacon(&asked);
    talk(&asked);
    machines(&asked);
    rigs(&asked);
    let seen = asked.seen.into_inner();
    let unseen: Vec<String> = docs().all().difference(&seen).cloned().collect();
    assert_eq!(unseen, NOT_HERE.map(|(what, _)| what));
}

/// Commands without an answer of gt's own: they take a terminal, tell a story, or answer as bd does.
const NO_ANSWER: [&str; 7] =
    ["attach", "bd", "daemon logs", "daemon run", "demo", "refinery attach", "witness attach"];

#[test]
fn every_command_has_its_row_and_every_row_is_a_command() {
    let command = |answer: &Answer| answer.command.join(" ").replace("mq ", "merge-queue ");
    let rows: BTreeSet<String> = docs().answers.iter().map(command).collect();
    let (reads, writes) = (commands(false), commands(true));
    let none = NO_ANSWER.map(String::from).into();
    assert_eq!(rows, &(&reads | &writes) - &none);
    let dry = docs().answers.iter().filter(|answer| answer.flags.contains(&"--dry-run".to_string()));
    assert_eq!(dry.map(command).filter(|name| !writes.contains(name)).collect::<Vec<_>>(), [""; 0]);
}

fn deacon(asked: &Asked) {
    asked.world.set("GASTOWN_POLECAT__MAX_WORKERS", "1");
    for number in 0..2 {
        let bead = asked.world.bead(&format!("Waits {number}"), "sleep 600");
        asked.world.in_town(["sling", &bead, "wyvern", "--agent", "waits", "--json"]);
    }
    asked.town(&["queue"]);
    asked.tried(&["dispatch"]);
    asked.town(&["status"]);
    asked.town(&["feed"]);
    asked.world.unset("GASTOWN_POLECAT__MAX_WORKERS");
    asked.tried(&["pause", "--until", "2h"]);
    asked.tried(&["pause", "wyvern"]);
    asked.tried(&["daemon", "start"]);
    asked.town(&["daemon", "status"]);
    asked.world.program("systemctl", crate::daemon::SYSTEMCTL);
    asked.tried(&["daemon", "install"]);
    asked.tried(&["daemon", "uninstall"]);
    assert_eq!(asked.tried(&["daemon", "stop"])["deacon"]["running"], false);
    asked.tried(&["resume", "wyvern"]);
    asked.tried(&["resume"]);
}

fn older_towns(asked: &Asked) {
    let old = Asked { world: crate::install::embedded(), seen: RefCell::default() };
    crate::doctor::older(&old.world);
    old.town(&["doctor", "--fix"]);
    old.tried(&["migrate"]);
    assert_eq!(old.town(&["migrate"])["plan"], Value::Null);
    asked.seen.borrow_mut().append(&mut old.seen.into_inner());
}

fn settings(asked: &Asked) {
    let other = asked.world.str("other");
    asked.tried(&["install", &other]);
    asked.town(&["config", "path"]);
    asked.town(&["config", "show"]);
    asked.town(&["config", "show", "--origin"]);
    asked.town(&["config", "explain", "merge.target", "--rig", "wyvern"]);
    asked.town(&["config", "explain", "polecat.agent"]);
    asked.tried(&["config", "set", "merge.strategy", "squash"]);
    assert_eq!(asked.tried(&["config", "set", "merge.strategy", "squash"])["change"], Value::Null);
    asked.town(&["preset", "list"]);
    asked.town(&["preset", "show", "polecat"]);
    asked.town(&["preset", "check"]);
    asked.town(&["preset", "explain", "polecat"]);
    asked.town(&["preset", "schema"]);
    asked.tried(&["preset", "new", "mine"]);
}

/// From beads to merges.
fn queue(asked: &Asked) {
    let world = &asked.world;
    let [one, two, three] = ["1", "2", "3"].map(|text| world.bead(text, &format!("echo {text} > same")));
    asked.tried(&["hold", &one]);
    asked.tried(&["unhold", &one]);
    asked.town(&["sling", "A title", "wyvern", "--agent", "waits", "--dry-run"]);
    asked.tried(&["sling", &one, &two, "wyvern"]);
    asked.tried(&["spawn", "--issue", &three]);
    wait_for("three requests", || {
        (asked.town(&["mq", "list"])["requests"].as_array()?.len() == 3).then_some(())
    });
    crate::flow::wait_for_the_end(world);
    asked.town(&["mq", "show", &one]);
    asked.town(&["mq", "status"]);
    assert_ne!(asked.town(&["mq", "overlap"])["overlaps"]["pairs"], Value::Array(Vec::new()));
    // An agent needs a person's consent where nothing tests the work.
    world.set("GT_ROLE", "refinery");
    assert_ne!(asked.tried(&["refinery", "process"])["processed"]["waits"], Value::Array(Vec::new()));
    world.unset("GT_ROLE");
    asked.tried(&["mq", "approve", &one]);
    asked.tried(&["mq", "reject", &three, "-r", "no"]);
    asked.town(&["status"]);
    asked.tried(&["polecat", "recover", &three]);
    asked.tried(&["mq", "retry", &three]);
    asked.tried(&["refinery", "merge", &one]);
    // The same file from the same commit.
    assert_eq!(asked.tried(&["refinery", "process"])["processed"]["set_aside"][0]["why"], "conflict");
    asked.tried(&["gc"]);
}

/// Polecats that wait, each with a commit.
fn work(asked: &Asked) {
    let world = &asked.world;
    world.set("GASTOWN_POLECAT__AGENT", "waits");
    let [lands, submits, ends, goes] =
        ["lands", "submits", "ends", "goes"].map(|title| world.bead(title, "true"));
    world.gt_in("town/wyvern", ["bd", "comment", &goes, "a word"]).ok();
    world.gt_in("town/wyvern", ["bd", "dep", "add", &goes, &lands, "--type", "related"]).ok();
    let place = |bead: &str| format!("town/wyvern/polecats/{}", world.polecat_of(bead));
    asked.town(&["sling", &lands, &submits, &ends, &goes, "wyvern"]);
    for bead in [&lands, &submits, &ends, &goes] {
        asked.commits(&place(bead), bead);
    }
    asked.town(&["polecats"]);
    asked.town(&["polecat", "list"]);
    asked.town(&["diff", &goes]);
    asked.town(&["log", &goes]);
    asked.town(&["path", &goes]);
    asked.town(&["capture", &goes]);
    asked.at(&place(&goes), &["hook"]);
    asked.at(&place(&goes), &["prime"]);
    asked.at(&place(&goes), &["handoff", "--dry-run"]);
    asked.at(&place(&goes), &["handoff", "-m", "go on"]);
    asked.at(&place(&goes), &["prime"]);
    asked.tried(&["session", "restart", &goes]);
    let name = format!("wyvern/{}", world.polecat_of(&goes));
    asked.tried(&["unsling", "--force", &goes]);
    asked.tried(&["land", "--direct", "--force", &lands]);
    asked.at(&place(&submits), &["done", "--dry-run"]);
    asked.at(&place(&submits), &["done"]);
    asked.tried(&["mq", "add", "wyvern", &world.polecat_of(&submits)]);
    asked.tried(&["witness", "patrol"]);
    asked.tried(&["polecat", "release", "--force", &ends]);
    asked.town(&["sling", &goes, &name]);
    asked.commits(&place(&goes), "more");
    asked.tried(&["polecat", "nuke", &goes]);
    asked.tried(&["polecat", "recover", &name]);
    // As where there is no tmux: what is to be run stands in the answer.
    world.set("GASTOWN_POLECAT__MULTIPLEXER", "none");
    asked.town(&["sling", &goes, "wyvern"]);
    world.unset("GASTOWN_POLECAT__MULTIPLEXER");
    asked.town(&["polecat", "release", &goes]);
}

fn sessions(asked: &Asked) {
    asked.tried(&["start"]);
    asked.town(&["start"]);
    for role in ["mayor", "witness", "refinery"] {
        asked.tried(&[role, "stop"]);
        asked.tried(&[role, "start"]);
        asked.town(&[role, "status"]);
    }
    asked.town(&["mayor", "attach", "--dry-run"]);
    asked.town(&["status", "--explain", "mayor"]);
    asked.town(&["agents"]);
    asked.town(&["session", "list"]);
    asked.tried(&["session", "restart", "mayor"]);
    asked.tried(&["session", "stop", "wyvern/witness"]);
    asked.tried(&["down"]);
    asked.tried(&["up"]);
    asked.town(&["freeze"]);
    asked.world.write(
        "town/config/presets/mayor.toml",
        "[[mayor.windows]]\nname = \"work\"\npanes = [{ command = \"{{agent}}\" }, { command = \"\" }]\n",
    );
    asked.town(&["plan"]);
    asked.tried(&["apply", "--restart"]);
    asked.town(&["start", "--dry-run"]);
    asked.tried(&["stop", "--all"]);
    crate::sessions::without_tmux(&asked.world);
    asked.town(&["mayor", "attach"]);
    asked.world.unset("PATH");
}

fn talk(asked: &Asked) {
    let world = &asked.world;
    let id = asked.tried(&["mail", "send", "overseer", "-s", "Hello", "-m", "text"])["sent"]["id"].clone();
    asked.town(&["prime"]);
    asked.town(&["mail", "inbox"]);
    asked.town(&["mail", "read", id.as_str().unwrap()]);
    let bead = "{\"id\":\"wy-other\",\"title\":\"Theirs\",\"status\":\"open\",\"priority\":2,\"issue_type\":\"task\",\
                \"created_at\":\"2026-03-04T10:00:00Z\",\"updated_at\":\"2026-03-04T10:00:00Z\",\"created_by\":\"eve\"}\n";
    world.write("theirs.jsonl", bead);
    world.gt_in("town/wyvern", ["bd", "import", &world.str("theirs.jsonl")]).ok();
    asked.town(&["adopt"]);
    asked.tried(&["adopt", "wy-other", "--yes"]);
    asked.tried(&["sync"]);
}

fn machines(asked: &Asked) {
    asked.town(&["remote", "list"]);
    asked.town(&["remote", "status"]);
    asked.town(&["remote", "sync", "wyvern"]);
    asked.town(&["remote", "tunnel", "up", "--dry-run"]);
    asked.tried(&["remote", "tunnel", "down"]);
    asked.town(&["remote", "tunnel", "status"]);
    asked.world.program("ssh", "#!/bin/sh\necho no route to host >&2\nexit 255\n");
    let error = asked.world.in_town(["remote", "tunnel", "up", "--json"]).fails(1).error();
    assert!(error["error"].as_str().unwrap().starts_with("2 tunnels are not open:\n"), "{error}");
}

fn rigs(asked: &Asked) {
    let world = &asked.world;
    asked.tried(&["crew", "add", "ann"]);
    asked.town(&["crew", "list"]);
    asked.tried(&["crew", "remove", "ann"]);
    asked.town(&["rigs"]);
    world.origin("tame.git", &[("CLAUDE.md", "Be brief.\n")]);
    let (url, name) = (world.str("tame.git"), "tame");
    // With no address to commit with, the rig wants one.
    world.git("", ["config", "--global", "user.useConfigOnly", "true"]);
    world.git("", ["config", "--global", "--unset", "user.email"]);
    asked.tried(&["rig", "add", name, &url]);
    asked.tried(&["rig", "trust", name]);
    asked.town(&["rig", "list"]);
    asked.tried(&["rig", "remove", "wyvern", "--force"]);
    std::fs::remove_dir_all(world.path("town/tame")).unwrap();
    asked.tried(&["rig", "remove", name, "--force"]);
    asked.town(&["doctor"]);
    asked.town(&["doctor", "--agents"]);
    asked.world.in_town(["mq", "show", "wy-none", "--json"]).fails(1).error();
    asked.seen.borrow_mut().insert("error".into());
}
