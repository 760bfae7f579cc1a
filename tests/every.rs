//! Every command of the command line, walked: `--dry-run` changes nothing, `--json` answers one object.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use clap::CommandFactory;

use crate::common::{Run, World, wait_for};

/// Runtimes that only wait, so that everything stands still.
const SETTINGS: &str =
    "[beads]\nstore = \"embedded\"\n[agents.waits]\ncommand = [\"sleep\", \"600\"]\nprompt = \"none\"\n";

/// A town in the middle of its work, with something for every command to do.
struct Town {
    world: World,
    beads: BTreeMap<&'static str, String>,
}

impl Town {
    fn new() -> Town {
        let world = World::with_rig();
        world.settings(SETTINGS);
        for role in ["MAYOR", "WITNESS", "REFINERY", "CREW"] {
            world.set(&format!("GASTOWN_{role}__AGENT"), "waits");
        }
        world.in_town(["crew", "add", "ann", "--rig", "wyvern"]).ok();
        world.in_town(["mail", "send", "overseer", "-s", "Hello", "-m", "there"]).ok();
        let mut beads = BTreeMap::new();
        let mut bead = |key: &'static str, script: &str| {
            let id = world.bead(key, script);
            beads.insert(key, id.clone());
            id
        };
        let (queued, aside) = (bead("queued", "echo 1 > one"), bead("aside", "echo 2 > two"));
        world.in_town(["sling", &queued, &aside, "wyvern"]).ok();
        wait_for("the requests", || {
            let queue = world.in_town(["mq", "list", "wyvern", "--json"]).ok().json();
            (queue["requests"].as_array()?.len() == 2).then_some(())
        });
        crate::flow::wait_for_the_end(&world);
        let request =
            |bead: &str| crate::flow::request(&world, bead).unwrap()["id"].as_str().unwrap().to_string();
        let (open, rejected) = (request(&queued), request(&aside));
        world.in_town(["mq", "reject", &rejected, "--reason", "no"]).ok();
        let crashed = bead("crashed", "echo 3 > three; git add three; git commit -qm three; exit 3");
        world.in_town(["sling", &crashed, "wyvern/Toast"]).ok();
        wait_for("the crash", || {
            let polecats = world.in_town(["polecats", "wyvern", "--json"]).ok().json();
            (polecats["polecats"][0]["place"] == "crashed").then_some(())
        });
        world.set("GASTOWN_POLECAT__AGENT", "waits");
        let working = bead("working", "true");
        world.in_town(["sling", &working, "wyvern/Nux"]).ok();
        world.in_town(["hold", &bead("held", "true")]).ok();
        bead("ready", "true");
        for words in
            [&["mayor", "start"][..], &["witness", "start", "wyvern"], &["refinery", "start", "wyvern"]]
        {
            world.in_town(words).ok();
        }
        beads.insert("open", open);
        beads.insert("rejected", rejected);
        Town { world, beads }
    }

    /// Runs words in which `@key` stands for a bead; those of polecats in the crashed one's worktree.
    fn run(&self, words: &str, more: &[&str]) -> Run {
        let place = if ["done", "handoff"].iter().any(|own| words.starts_with(own)) {
            "town/wyvern/polecats/Toast"
        } else {
            "town"
        };
        let mut typed: Vec<String> = words.split(' ').map(|word| self.word(word)).collect();
        typed.extend(more.iter().map(|word| (*word).to_string()));
        self.world.gt_in(place, typed)
    }

    fn word(&self, word: &str) -> String {
        match word.strip_prefix('@') {
            Some("origin") => self.world.str("origin.git"),
            Some(key) => self.beads[key].clone(),
            None => word.replace('_', " "),
        }
    }

    /// Everything there is: files, refs, beads, sessions.
    fn all(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        let root = self.world.path("");
        walk(&root, &root, &mut all);
        for clone in
            ["origin.git", "town/wyvern/mayor/rig", "town/wyvern/refinery/rig", "town/wyvern/crew/ann"]
        {
            let refs = self.world.git(clone, ["for-each-ref"]) + &self.world.git(clone, ["worktree", "list"]);
            all.insert(format!("refs of {clone}"), refs);
        }
        for place in ["town", "town/wyvern"] {
            all.insert(format!("beads of {place}"), self.world.gt_in(place, ["bd", "export"]).ok().stdout);
        }
        let format = "#{session_id} #{session_name} #{@gt_own} #{@gt_state} #{pane_dead}";
        all.insert("sessions".into(), self.world.tmux(["list-panes", "-a", "-F", format]).stdout);
        all
    }
}

/// Files and folders with their texts; git's and SQLite's own are looked at through git and gt.
fn walk(root: &Path, dir: &Path, all: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let path = entry.path();
        let name = entry.file_name().into_string().unwrap();
        let own = [".git", "origin.git", "tmux", "calls"].contains(&name.as_str()) || name.ends_with(".lock");
        if own || name == ".lock" || name.starts_with("gastown.db") {
            continue;
        }
        let shown = path.strip_prefix(root).unwrap().to_str().unwrap().to_string();
        if path.is_symlink() {
            all.insert(shown, format!("-> {}", std::fs::read_link(&path).unwrap().display()));
        } else if path.is_dir() {
            all.insert(shown, String::new());
            walk(root, &path, all);
        } else {
            all.insert(shown, String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned());
        }
    }
}

/// The commands that have subcommands of their own left out; hidden ones too.
fn leaves(command: &clap::Command, path: &str, out: &mut Vec<(String, bool)>) {
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        let path = format!("{path} {}", sub.get_name()).trim().to_string();
        if sub.has_subcommands() {
            leaves(sub, &path, out);
        } else {
            let dry = sub.get_arguments().any(|argument| argument.get_long() == Some("dry-run"));
            out.push((path, dry));
        }
    }
}

pub fn commands(dry: bool) -> BTreeSet<String> {
    let mut out = Vec::new();
    let mut all = gastown::cli::Cli::command();
    all.build();
    leaves(&all, "", &mut out);
    out.into_iter().filter(|(_, own)| *own == dry).map(|(path, _)| path).collect()
}

/// The command that words begin with, of those there are.
fn command_of(words: &str, known: &BTreeSet<String>) -> String {
    let fits = |name: &&String| words == name.as_str() || words.starts_with(&format!("{name} "));
    known.iter().filter(fits).max_by_key(|name| name.len()).cloned().unwrap_or_default()
}

/// Words for every command that writes.
const WRITES: &[&str] = &[
    "daemon install",
    "daemon uninstall",
    "daemon start",
    "daemon stop",
    "dispatch",
    "pause",
    "pause wyvern --until 2h",
    "resume",
    "install ../fresh",
    "install --force",
    "doctor --fix",
    "migrate",
    "gc",
    "adopt --all",
    "sync",
    "sync wyvern",
    "rig add second @origin",
    "rig remove wyvern --force",
    "rig trust wyvern",
    "crew add bob --rig wyvern",
    "crew remove ann --rig wyvern",
    "start",
    "preset new fresh --extends polecat",
    "config set merge.retries 2",
    "apply wyvern/crew/ann",
    "up wyvern/crew/ann",
    "down",
    "down wyvern/witness",
    "mayor start",
    "mayor attach",
    "mayor stop",
    "witness start wyvern",
    "witness stop wyvern",
    "witness patrol wyvern",
    "refinery start wyvern",
    "refinery stop wyvern",
    "refinery process wyvern",
    "refinery merge @open",
    "sling @ready wyvern",
    "sling A_new_title wyvern",
    "sling @crashed wyvern --resume",
    "sling @aside wyvern",
    "unsling @working --force",
    "unsling @crashed",
    "hold @ready",
    "unhold @held",
    "spawn --issue @ready",
    "done",
    "handoff",
    "merge-queue add wyvern Toast",
    "merge-queue retry @rejected",
    "merge-queue reject @open",
    "merge-queue approve @open",
    "land --direct wyvern/Toast",
    "mail send mayor/ -s Subject -m Text",
    "session stop Nux",
    "session restart Nux",
    "session restart mayor/",
    "stop --all",
    "stop --rig wyvern",
    "polecat recover @aside",
    "polecat release wyvern/Toast",
    "polecat nuke wyvern/Nux",
    "remote sync wyvern",
    "remote tunnel up",
    "remote tunnel down",
];

/// Words for every command that only reads.
const READS: &[&str] = &[
    "status",
    "status wyvern",
    "config show",
    "config show --origin",
    "config explain merge.strategy",
    "config path",
    "preset list",
    "preset show polecat",
    "preset check",
    "preset schema",
    "preset explain polecat",
    "rig list",
    "rigs",
    "crew list",
    "polecats wyvern",
    "agents",
    "plan",
    "freeze",
    "freeze mayor/",
    "mayor status",
    "witness status wyvern",
    "refinery status wyvern",
    "hook wyvern/Nux",
    "prime wyvern/Nux",
    "merge-queue list wyvern",
    "queue",
    "feed",
    "merge-queue show @open",
    "merge-queue status",
    "merge-queue overlap wyvern",
    "diff wyvern/Toast",
    "path wyvern/Toast",
    "log wyvern/Toast",
    "mail inbox",
    "capture wyvern/Nux",
    "session list",
    "polecat list",
    "remote list",
    "remote status",
    "remote tunnel status",
];

/// What is tested elsewhere, because it takes a terminal or a deacon, makes a town of its own, or speaks bd's words.
const ELSEWHERE: &[&str] = &[
    "attach",
    "witness attach",
    "refinery attach",
    "bd",
    "demo",
    "mail read",
    "answer",
    "daemon run",
    "daemon status",
    "daemon logs",
];

#[test]
fn a_dry_run_changes_nothing_and_says_what_it_would_do() {
    let known = commands(true);
    let tried: BTreeSet<String> = WRITES.iter().map(|words| command_of(words, &known)).collect();
    assert_eq!(tried, known);
    let town = Town::new();
    town.world.program("systemctl", "exit 1");
    let before = town.all();
    let mut wrong = Vec::new();
    for words in WRITES {
        for more in [&["--dry-run"][..], &["--dry-run", "--json"], &["--dry-run", "-q"]] {
            let run = town.run(words, more);
            let after = town.all();
            if after != before {
                let changed: Vec<&String> = after
                    .keys()
                    .chain(before.keys())
                    .filter(|key| after.get(*key) != before.get(*key))
                    .collect();
                panic!("gt {words} {more:?} changed {changed:?}: {run:#?}");
            }
            // Where there is nothing to do, that is no result.
            let silent = run.stdout.trim().is_empty()
                && !["migrate", "gc", "dispatch", "adopt --all", "rig trust wyvern", "remote sync wyvern"]
                    .contains(words);
            // What cannot be repaired is found all the same.
            let failed = run.code != Some(0) && !words.starts_with("doctor");
            if more.contains(&"--json") {
                run.json();
            }
            if failed || silent {
                wrong.push(format!("{words} {more:?}: {:?} {} / {}", run.code, run.stdout, run.stderr));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_reads_answers_one_json_object() {
    let known = commands(false);
    let tried: BTreeSet<String> =
        READS.iter().chain(ELSEWHERE).map(|words| command_of(words, &known)).collect();
    assert_eq!(tried, known);
    let town = Town::new();
    for words in READS {
        let run = town.run(words, &["--json"]).ok();
        run.json();
        assert_eq!(run.stderr, "", "{words}");
    }
}
