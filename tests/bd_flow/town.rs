//! A town whose stores are bd's.

use std::path::{Path, PathBuf};

use crate::common::{Run, World, finish, gt};

/// Answers for a version of bd from gt's own store.
const STAND_IN: &str = include_str!("stand_in.sh");

/// In front of bd: keeps what was asked by who says where to keep it, and fails when told to.
const FRONT: &str = r#"#!/bin/sh
# An agent's session has the environment of the command that started it; its own calls do not count.
if [ -n "$BD_LOG" ] && [ -z "$GT_ROLE" ]; then
  [ "$1" = --version ] || { printf '%s' "$*" | tr '\n' ' '; echo; } >> "$BD_LOG"
  if [ -n "$BD_FAILS_AT" ] && [ "$(wc -l < "$BD_LOG" | tr -d ' ')" -eq "$BD_FAILS_AT" ]; then
    [ -n "$BD_DOES_IT" ] && '@REAL@' "$@" > /dev/null 2>&1
    echo 'Error: the disk is full' >&2
    exit 1
  fi
fi
exec '@REAL@' "$@"
"#;

const DEFAULT: &str = "0.46.0";

/// The program that `GT_TEST_BD_BIN` names, or the folder that it is in.
fn real() -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os("GT_TEST_BD_BIN")?);
    Some(if path.is_dir() { path.join("bd") } else { path }.canonicalize().unwrap())
}

/// A stand-in for a version of bd, apart from PATH.
pub fn stand_in(world: &World, version: &str) -> PathBuf {
    world.program("behind/bd", &STAND_IN.replace("@GT@", gt()).replace("@VERSION@", version));
    world.path("bin/behind/bd")
}

/// A town with the rig `wyvern`, as [`World::with_rig`] makes it, in stores of bd.
pub struct Town {
    pub world: World,
    /// Whether bd writes several changes at once: 1.0 and later.
    pub whole: bool,
    pub version: String,
}

/// Where a call of bd fails.
#[derive(Clone, Copy, Debug)]
pub enum Fails {
    /// Nothing is done.
    Before,
    /// It is done, and the answer is lost.
    After,
}

impl Town {
    /// With the stand-in for 0.46.0, or with the real bd that `GT_TEST_BD_BIN` names.
    pub fn new() -> Town {
        Town::with(DEFAULT)
    }

    /// With the stand-in for a version, or with the real bd; then one version stands for all.
    pub fn of(version: &str) -> Option<Town> {
        (version == DEFAULT || real().is_none()).then(|| Town::with(version))
    }

    fn with(version: &str) -> Town {
        let world = World::new();
        let real = real().unwrap_or_else(|| stand_in(&world, version));
        world.program("bd", &FRONT.replace("@REAL@", real.to_str().unwrap()));
        world.origin("origin.git", &[("README.md", "# wyvern\n"), ("same.txt", "start\n")]);
        world.settings("[beads]\nstore = \"bd\"\n[merge]\ntest_command = \"test ! -e red\"\n");
        world.set("GASTOWN_POLECAT__AGENT", "shell");
        // The server is there before gt: what the test tells gt's bd is not what sessions get.
        world.tmux(["new-session", "-d", "-s", "mine", "sleep 1000"]).ok();
        world.gt(["install", "town"]).ok();
        world.in_town(["rig", "add", "wyvern", &world.str("origin.git"), "--prefix", "wy"]).ok();
        let version = world.run("bd", "", ["--version"]).ok().stdout;
        let version = version.split_whitespace().nth(2).unwrap().to_string();
        Town { world, whole: !version.starts_with("0."), version }
    }

    /// gt in `dir`, and the calls of bd it made itself.
    pub fn counted(&self, dir: impl AsRef<Path>, words: &[&str]) -> (Run, Vec<String>) {
        let log = self.world.path("asked");
        let _ = std::fs::remove_file(&log);
        let run = finish(self.world.command(gt(), dir).args(words).env("BD_LOG", &log));
        let asked = std::fs::read_to_string(&log).unwrap_or_default();
        (run, asked.lines().map(str::to_string).collect())
    }

    /// gt in the town: it ends well, and asks bd so often, by the first words.
    #[track_caller]
    pub fn asks(&self, words: &[&str], whole: &[&str], before: &[&str]) -> Run {
        self.asks_in("town", words, whole, before)
    }

    /// The same in a folder.
    #[track_caller]
    pub fn asks_in(&self, dir: impl AsRef<Path>, words: &[&str], whole: &[&str], before: &[&str]) -> Run {
        let (run, asked) = self.counted(dir, words);
        let first: Vec<&str> = asked.iter().map(|line| line.split(' ').next().unwrap()).collect();
        let wanted = if self.whole { whole } else { before };
        // What ends with `?` is asked only when something else wrote meanwhile.
        let most: Vec<&str> = wanted.iter().map(|word| word.trim_end_matches('?')).collect();
        let least: Vec<&str> = wanted.iter().copied().filter(|word| !word.ends_with('?')).collect();
        assert!(
            first == most || first == least,
            "bd {}: gt {words:?}: not {wanted:?} but {asked:#?} {run:?}",
            self.version
        );
        run.ok()
    }

    /// gt in `dir`, whose n-th call of bd fails. Whether it made as many.
    pub fn failing(&self, dir: impl AsRef<Path>, words: &[&str], nth: usize, how: Fails) -> (Run, bool) {
        let log = self.world.path("asked");
        let _ = std::fs::remove_file(&log);
        let mut command = self.world.command(gt(), dir);
        command.args(words).env("BD_LOG", &log).env("BD_FAILS_AT", nth.to_string());
        if let Fails::After = how {
            command.env("BD_DOES_IT", "yes");
        }
        let run = finish(&mut command);
        let asked = std::fs::read_to_string(&log).unwrap_or_default();
        (run, asked.lines().count() >= nth)
    }

    /// A bead for the `shell` runtime, made by bd itself.
    pub fn bead(&self, title: &str, script: &str) -> String {
        let description = format!("```sh\n{script}\n```\n");
        let words = ["bd", "create", title, "-d", &description, "--json"];
        let made = self.world.gt_in("town/wyvern", words).ok();
        made.json()["id"].as_str().unwrap().to_string()
    }

    /// Whether the queue of the rig holds the bead, and its polecat is gone.
    pub fn is_handed_over(&self, bead: &str) -> bool {
        let queue = self.world.in_town(["mq", "list", "wyvern"]).ok().stdout;
        let polecats = self.world.in_town(["polecats", "wyvern"]).ok().stdout;
        queue.contains(bead) && !polecats.contains(bead)
    }

    /// The bead's open requests.
    pub fn requests(&self, bead: &str) -> Vec<serde_json::Value> {
        let queue = self.world.in_town(["mq", "list", "wyvern", "--json"]).ok().json();
        let requests = queue["requests"].as_array().unwrap().clone();
        let waits = |request: &serde_json::Value| request["bead"] == bead && request["state"] != "set aside";
        requests.into_iter().filter(waits).collect()
    }

    /// Status, holder and labels of a bead.
    pub fn state(&self, bead: &str) -> (String, Option<String>, Vec<String>) {
        let bead = self.world.show(bead);
        let text = |value: &serde_json::Value| value.as_str().map(str::to_string);
        let labels = bead["labels"].as_array().cloned().unwrap_or_default();
        let holder = text(&bead["assignee"]).filter(|name| !name.is_empty());
        (text(&bead["status"]).unwrap(), holder, labels.iter().filter_map(text).collect())
    }
}
