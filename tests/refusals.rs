//! What gt refuses, when something outside of it is broken: every writing command says what and what helps, and
//! changes nothing. What each command refuses by itself is tested with that command.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Parser;
use insta::assert_snapshot;

use crate::common::{World, gt};
use crate::install::plain;

/// Everything a command that refuses must leave as it was, by where it was found.
struct Picture(BTreeMap<PathBuf, String>);

impl Picture {
    /// Taken with `tools` on PATH, whatever is broken for gt.
    fn of(world: &World, tools: &World) -> Picture {
        let mut files = BTreeMap::new();
        walk(&world.path("town"), &mut files);
        walk(&world.path("home"), &mut files);
        let dump = |dir: &str| {
            let run = crate::common::finish(tools.command(gt(), world.path(dir)).args(["bd", "export"]));
            run.stdout + &run.stderr
        };
        let clones = ["town/wyvern/mayor/rig", "town/wyvern/refinery/rig", "origin.git"];
        let git = |words: &[&str]| {
            let of = |clone: &&str| {
                let dir = world.path(clone);
                let mut command = tools.command("git", "");
                let run = crate::common::finish(command.arg("-C").arg(dir).args(words));
                format!("{clone}\n{}{}", run.stdout, run.stderr)
            };
            clones.iter().map(of).collect::<String>()
        };
        let tmux = |words: &[&str]| {
            let mut command = tools.command("tmux", "");
            let run = crate::common::finish(command.args(["-L", &world.socket]).args(words));
            run.stdout + &run.stderr
        };
        let panes = "#{session_id} #{session_name} #{pane_id} #{pane_dead} #{@gt_own} #{@gt_state}";
        let looks = [
            ("beads of the town", dump("town")),
            ("beads of the rig", dump("town/wyvern/mayor/rig")),
            ("refs", git(&["for-each-ref"])),
            ("worktrees", git(&["worktree", "list", "--porcelain"])),
            ("panes", tmux(&["list-panes", "-a", "-F", panes])),
            ("options", tmux(&["show-options", "-g"])),
            ("hooks", tmux(&["show-hooks", "-g"])),
            ("keys", tmux(&["list-keys"])),
        ];
        files.extend(looks.into_iter().map(|(name, text)| (name.into(), text)));
        Picture(files)
    }

    /// What is not in the other as it is here, or not here.
    fn changes<'a>(&'a self, other: &'a Picture) -> Vec<(&'a Path, Option<&'a String>)> {
        let all = self.0.keys().chain(other.0.keys());
        let differ = all.filter(|key| self.0.get(*key) != other.0.get(*key));
        differ.map(|key| (key.as_path(), other.0.get(key))).collect()
    }
}

/// Every file with what is in it, but for locks, stores, and git's own: those are looked at in other ways.
fn walk(dir: &Path, files: &mut BTreeMap<PathBuf, String>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if [".git", ".beads"].contains(&name) || name.ends_with("lock") {
            continue;
        }
        let found = std::fs::symlink_metadata(&path).unwrap();
        let what = if found.is_symlink() {
            format!("link to {}", std::fs::read_link(&path).unwrap().display())
        } else if found.is_dir() {
            walk(&path, files);
            "folder".into()
        } else {
            String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned()
        };
        files.insert(path, what);
    }
}

/// A town with a polecat that waits, a commit of its own, a free bead and one in the queue.
struct Scene {
    world: World,
    /// Programs as they are, for looking.
    tools: World,
    free: String,
    taken: String,
}

impl Scene {
    fn new() -> Scene {
        let world = World::waiting();
        world.set("GASTOWN_MAYOR__AGENT", "waits");
        let (free, taken) = (world.bead("Free", "true"), world.bead("Taken", "true"));
        let queued = world.bead("Queued", "true");
        for (bead, name) in [(&queued, "Slit"), (&taken, "Nux")] {
            world.in_town(["sling", bead, &format!("wyvern/{name}")]).ok();
            let place = format!("town/wyvern/polecats/{name}");
            world.write(format!("{place}/{name}.txt"), "work\n");
            world.git(&place, ["add", "-A"]);
            world.git(&place, ["commit", "-q", "-m", "work"]);
        }
        world.gt_in("town/wyvern/polecats/Slit", ["done"]).ok();
        let tools = World::new();
        tools.set("TMUX_TMPDIR", &world.str("tmux"));
        Scene { world, tools, free, taken }
    }

    /// Runs each command that writes; all must refuse but those that start with one of `fine`. Gives what was said,
    /// once each, with the commands that said it.
    #[track_caller]
    fn refused(&self, fine: &[&str]) -> String {
        let origin = self.world.str("origin.git");
        let commands: [(&str, Vec<&str>); 17] = [
            ("town", vec!["sling", &self.free, "wyvern"]),
            ("town", vec!["sling", &self.taken, "wyvern", "--resume"]),
            ("town", vec!["unsling", "--force", &self.taken]),
            ("town", vec!["hold", &self.free]),
            ("town", vec!["rig", "add", "ant", &origin]),
            ("town", vec!["rig", "remove", "wyvern", "--force"]),
            ("town", vec!["crew", "add", "max", "--rig", "wyvern"]),
            ("town/wyvern/polecats/Nux", vec!["done"]),
            ("town", vec!["merge-queue", "reject", &self.free, "--reason", "no"]),
            ("town", vec!["refinery", "process", "wyvern"]),
            ("town", vec!["witness", "patrol", "wyvern"]),
            ("town", vec!["land", "--direct", "wyvern/Nux"]),
            ("town", vec!["polecat", "nuke", "wyvern/Nux"]),
            ("town", vec!["gc"]),
            ("town", vec!["mayor", "start"]),
            ("town", vec!["mail", "send", "wyvern/witness", "-s", "Hello", "-m", "there"]),
            ("town/wyvern", vec!["bd", "create", "New"]),
        ];
        let before = Picture::of(&self.world, &self.tools);
        let mut said: Vec<(String, Vec<String>)> = Vec::new();
        for (dir, words) in commands {
            let shown = words.join(" ").replace(&self.free, "FREE").replace(&self.taken, "TAKEN");
            let shown = plain(&self.world, &shown);
            if fine.iter().any(|start| shown.starts_with(start)) {
                continue;
            }
            let run = self.world.gt_in(dir, &words);
            assert!(matches!(run.code, Some(1 | 2)), "{run:#?}");
            assert!(run.stderr.contains("\nhint: "), "{run:#?}");
            let after = Picture::of(&self.world, &self.tools);
            let changed = before.changes(&after);
            assert!(changed.is_empty(), "{words:?} changed {changed:#?}");
            let text = format!("{}{}", run.stdout, plain(&self.world, &run.stderr));
            let text = text.replace(&self.free, "FREE").replace(&self.taken, "TAKEN");
            match said.iter_mut().find(|(known, _)| *known == text) {
                Some((_, by)) => by.push(shown),
                None => said.push((text, vec![shown])),
            }
        }
        let lines = said.into_iter().map(|(text, by)| format!("{}:\n{text}", by.join(", ")));
        lines.collect::<Vec<_>>().join("\n")
    }
}

#[test]
fn a_broken_configuration_of_the_rig() {
    let scene = Scene::new();
    scene.world.write("town/wyvern/config.json", "{\n  \"type\": \"rig\",\n  \"version\" 1\n}\n");
    assert_snapshot!(scene.refused(&["mayor start", "bd create", "rig add"]), @r"
    sling FREE wyvern, hold FREE, merge-queue reject FREE --reason no:
    gt: no bead FREE: no rig has a prefix that fits, or holds it; not looked at, because /world/town/wyvern/config.json:3:13: expected `:`
    hint: mend it by hand; gt never overwrites a file that it cannot read

    sling TAKEN wyvern --resume, unsling --force TAKEN:
    gt: no bead TAKEN: no rig has a prefix that fits, or holds it; not looked at, because /world/town/wyvern/config.json:3:13: expected `:`
    hint: mend it by hand; gt never overwrites a file that it cannot read

    rig remove wyvern --force, crew add max --rig wyvern, done, refinery process wyvern, witness patrol wyvern, land --direct wyvern/Nux, polecat nuke wyvern/Nux, gc, mail send wyvern/witness -s Hello -m there:
    gt: /world/town/wyvern/config.json:3:13: expected `:`
    hint: mend it by hand; gt never overwrites a file that it cannot read
    ");
}

#[test]
fn a_broken_list_of_rigs() {
    let scene = Scene::new();
    scene.world.write("town/mayor/rigs.json", "{\"version\": 1, \"rigs\": [}");
    assert_snapshot!(scene.refused(&["mayor start", "bd create"]), @r"
    sling FREE wyvern, sling TAKEN wyvern --resume, unsling --force TAKEN, hold FREE, rig add ant /world/origin.git, rig remove wyvern --force, crew add max --rig wyvern, done, merge-queue reject FREE --reason no, refinery process wyvern, witness patrol wyvern, land --direct wyvern/Nux, polecat nuke wyvern/Nux, gc, mail send wyvern/witness -s Hello -m there:
    gt: /world/town/mayor/rigs.json:1:23: invalid type: sequence, expected a map
    hint: mend it by hand; gt never overwrites a file that it cannot read
    ");
}

#[test]
fn a_broken_identity_of_the_town() {
    let scene = Scene::new();
    scene.world.write("town/mayor/town.json", "{\"type\": \"town\",\n\"version\": \"one\"}");
    assert_snapshot!(scene.refused(&["bd create"]), @r#"
    sling FREE wyvern, sling TAKEN wyvern --resume, unsling --force TAKEN, hold FREE, rig add ant /world/origin.git, rig remove wyvern --force, crew add max --rig wyvern, done, merge-queue reject FREE --reason no, refinery process wyvern, witness patrol wyvern, land --direct wyvern/Nux, polecat nuke wyvern/Nux, gc, mayor start, mail send wyvern/witness -s Hello -m there:
    gt: /world/town/mayor/town.json:2:16: invalid type: string "one", expected u32
    hint: mend it by hand; gt never overwrites a file that it cannot read
    "#);
}

#[test]
fn broken_settings_of_the_user() {
    let scene = Scene::new();
    scene.world.settings("[merge]\nstrategy = \"squash\n");
    assert_snapshot!(scene.refused(&["hold", "mail send", "bd create", "merge-queue"]), @r"
    sling FREE wyvern, sling TAKEN wyvern --resume, unsling --force TAKEN, rig add ant /world/origin.git, rig remove wyvern --force, crew add max --rig wyvern, done, refinery process wyvern, witness patrol wyvern, land --direct wyvern/Nux, polecat nuke wyvern/Nux, gc, mayor start:
    gt: /world/home/.config/gastown/config.toml:2:19: not valid TOML: invalid basic string
    hint: mend it there; see what is read, in order, with: gt config path
    ");
}

#[test]
fn broken_settings_of_the_town() {
    let scene = Scene::new();
    scene.world.write("town/config/town.toml", "[merge]\nbatch_sise = 3\n");
    assert_snapshot!(scene.refused(&["hold", "mail send", "bd create", "merge-queue"]), @r"
    sling FREE wyvern, sling TAKEN wyvern --resume, unsling --force TAKEN, rig add ant /world/origin.git, rig remove wyvern --force, crew add max --rig wyvern, done, refinery process wyvern, witness patrol wyvern, land --direct wyvern/Nux, polecat nuke wyvern/Nux, gc, mayor start:
    gt: /world/town/config/town.toml:2:1: unknown key 'batch_sise' in [merge]
    hint: did you mean 'batch_size'?
    ");
}

#[test]
fn a_broken_preset() {
    let scene = Scene::new();
    scene.world.write("home/.config/gastown/presets/polecat.toml", "[polecat]\nmax_workers = \"many\"\n");
    assert_snapshot!(scene.refused(&["sling TAKEN", "unsling", "hold", "rig", "merge-queue", "crew", "done", "refinery", "witness", "land", "polecat", "gc", "mayor", "mail", "bd"]), @r#"
    sling FREE wyvern:
    gt: /world/home/.config/gastown/presets/polecat.toml:2:15: polecat.max_workers must be a whole number of 0 or more, not the text "many"
    hint: mend it there; see what is read, in order, with: gt config path
    "#);
}

#[test]
fn git_that_is_gone_or_too_old() {
    let scene = Scene::new();
    for program in ["tmux", "sh", "sleep", "cat"] {
        let real = scene.tools.run("sh", "", ["-c", &format!("command -v {program}")]).ok().stdout;
        std::os::unix::fs::symlink(real.trim(), scene.world.path("bin").join(program)).unwrap();
    }
    scene.world.set("PATH", &scene.world.str("bin"));
    assert_snapshot!(scene.refused(&["sling TAKEN", "hold", "merge-queue", "mayor start", "mail send", "bd create"]), @r"
    sling FREE wyvern, unsling --force TAKEN, done, witness patrol wyvern, land --direct wyvern/Nux, polecat nuke wyvern/Nux, gc:
    gt: git is not installed or not on PATH
    hint: install it, then check with: git --version

    rig add ant /world/origin.git, rig remove wyvern --force, crew add max --rig wyvern, refinery process wyvern:
    gt: git is not installed or not on PATH
    hint: install git 2.25 or later, then check with: git --version
    ");
    scene.world.program("git", "#!/bin/sh\necho git version 2.20.1\nexit 129\n");
    assert_snapshot!(scene.refused(&["sling TAKEN", "hold", "merge-queue", "mayor start", "mail send", "bd create"]), @r"
    sling FREE wyvern, unsling --force TAKEN, rig add ant /world/origin.git, rig remove wyvern --force, crew add max --rig wyvern, done, refinery process wyvern, witness patrol wyvern, land --direct wyvern/Nux, polecat nuke wyvern/Nux, gc:
    gt: git 2.20 is too old: gt needs 2.25 or later
    hint: update git, then check with: git --version
    ");
}

#[test]
fn a_store_of_bd_without_bd() {
    let scene = Scene::new();
    let beads = scene.world.path("town/wyvern/mayor/rig/.beads");
    std::fs::rename(&beads, scene.world.path("kept")).unwrap();
    scene.world.write("town/wyvern/mayor/rig/.beads/metadata.json", "{}");
    assert_snapshot!(scene.refused(&["rig", "crew", "mayor start", "gc", "mail send"]), @r"
    sling FREE wyvern, sling TAKEN wyvern --resume, unsling --force TAKEN, hold FREE, done, merge-queue reject FREE --reason no, refinery process wyvern, witness patrol wyvern, land --direct wyvern/Nux, polecat nuke wyvern/Nux:
    gt: the store in /world/town/wyvern/mayor/rig/.beads was made by bd, and bd is not on PATH
    hint: install bd; or move to the embedded store: where bd is, bd export > beads.jsonl (1.0: bd export --all); here move that .beads aside, then: gt bd init && gt bd import --trust beads.jsonl

    bd create New:
    gt: the store in /world/town/wyvern/.beads was made by bd, and bd is not on PATH
    hint: install bd; or move to the embedded store: where bd is, bd export > beads.jsonl (1.0: bd export --all); here move that .beads aside, then: gt bd init && gt bd import --trust beads.jsonl
    ");
}

/// Hints name commands as they are typed: each must be one that gt takes.
#[test]
fn every_command_in_a_hint_is_one_that_gt_takes() {
    let literal = regex::Regex::new(r#""((?:[^"\\]|\\.)*)""#).unwrap();
    let command = regex::Regex::new(r": (gt [a-z-].*?)(?:[;,)]|\\n|$| and then | and choose )").unwrap();
    let placeholder = regex::Regex::new(r"\{[^}]*\}").unwrap();
    let option = regex::Regex::new(r"\[[^\]]*\]").unwrap();
    let (mut count, mut wrong) = (0, Vec::new());
    for path in sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))) {
        let text = std::fs::read_to_string(&path).unwrap();
        let text = text.split("#[cfg(test)]").next().unwrap();
        let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        for literal in literal.captures_iter(&code.join("\n")) {
            let text = literal[1].replace("\\\"", "\"");
            for found in command.captures_iter(&text) {
                // Sentences that begin so.
                if ["gt prints", "gt needs", "gt demo makes"].iter().any(|own| found[1].starts_with(own)) {
                    continue;
                }
                let filled = placeholder.replace_all(&found[1], "wyvern").replace("DIR …", "DIR rigs");
                let words = shlex::split(&option.replace_all(&filled, "")).unwrap();
                count += 1;
                if let Err(error) = parse(&words) {
                    wrong.push(format!("{}: {}: {error}", path.display(), &found[1]));
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(count > 100, "only {count} commands were found: is the search broken?");
}

fn parse(words: &[String]) -> Result<(), String> {
    let first = |error: clap::Error| error.to_string().lines().next().unwrap_or_default().to_string();
    if words.iter().any(|word| word == "--help") {
        return Ok(());
    }
    gastown::cli::Cli::try_parse_from(words).map_err(first)?;
    match words.iter().position(|word| word == "bd") {
        Some(at) => gastown::cli::bd::BdArgs::try_parse_from(&words[at..]).map(drop).map_err(first),
        None => Ok(()),
    }
}

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn a_dry_run_that_bd_does_not_have_writes_nothing_and_says_so() {
    let world = World::with_rig();
    let bead = world.bead("Stays", "true");
    for words in [
        &["close", &bead, "--dry-run"][..],
        &["create", "--dry-run", "x"],
        &["--json", "update", &bead, "--dry-run"],
    ] {
        let said = world.gt_in("town/wyvern", [&["bd"], words].concat()).fails(1).stderr;
        assert!(
            said.contains("has no --dry-run; nothing was changed\nhint: ") && !said.contains("tip:"),
            "{said}"
        );
    }
    assert_eq!(world.show(&bead)["status"], "open");
}

/// What the person alone decides, word by word, and beside it what agents may do.
#[test]
fn an_agent_is_refused_what_the_person_decides() {
    let world = World::with_rig();
    world.set("GT_ROLE", "polecat");
    world.set("GT_ADDRESS", "wyvern/Nux");
    for words in [
        "adopt wy-1",
        "adopt --all",
        "answer wyvern/Toast yes",
        "config set merge.retries 2",
        "daemon stop",
        "doctor --agents --fix",
        "doctor --fix --set-aside-stores",
        "doctor --fix --empty-stores",
        "down",
        "land wyvern/Nux --direct --force",
        "land wyvern/Nux --direct --skip-tests",
        "mq approve wy-1",
        "pause",
        "polecat nuke wyvern/Toast",
        "remote sync wyvern --adopt",
        "resume",
        "rig add other /nowhere --trust",
        "rig remove wyvern",
        "rig trust wyvern",
        "session restart wyvern/Toast",
        "session stop wyvern/Toast",
        "sling wy-1 wyvern --permissions all",
        "spawn --issue wy-1 --permissions all",
        "stop --all",
    ] {
        let said = world.in_town(words.split(' ')).fails(1).stderr;
        let refused = said.lines().next().unwrap_or_default();
        assert!(refused.ends_with(" is for the person, and this is an agent (polecat)"), "{words}: {said}");
    }
    for words in
        ["adopt", "doctor --agents", "rig trust wyvern --dry-run", "stop --all --dry-run", "session list"]
    {
        let said = world.in_town(words.split(' ')).stderr;
        assert!(!said.contains("is for the person"), "{words}: {said}");
    }
}
