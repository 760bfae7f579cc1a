//! `gt sling`: what it refuses, what it makes, kills, races, process counts.

use crate::common::{Run, World, gt, wait_for};
use crate::flow::{Scene, names, wait_for_the_end};

fn task(world: &World, title: &str) -> String {
    world.bead(title, "true")
}

/// Runs the words, which must be refused with this code, message and hint, and change nothing.
#[track_caller]
fn refuses(world: &World, words: &[&str], code: i32, message: &str, hint: &str) {
    let before = Scene::of(world);
    let run = world.in_town(words).fails(code);
    let wanted = format!("gt: {message}\nhint: {hint}\n");
    assert_eq!(run.stderr, wanted, "{words:?}");
    assert_eq!(run.stdout, "", "{words:?}");
    assert_eq!(Scene::of(world), before, "{words:?}");
}

#[test]
fn what_cannot_be_slung_is_refused_and_nothing_changes() {
    let world = World::waiting();
    let world = &world;
    let open = task(world, "Open");
    let blocked = world.bead_with("Blocked", "true", &["--deps", &format!("blocks:{open}")]);
    assert_eq!(world.show(&blocked)["dependencies"][0]["id"], open.as_str());
    let closed = task(world, "Closed");
    world.gt_in("town/wyvern", ["bd", "close", &closed]).ok();
    let held = task(world, "Held");
    world.in_town(["hold", &held]).ok();
    let epic = world.bead_with("Epic", "true", &["-t", "epic"]);
    let persons = world.bead_with("A person's", "true", &["-a", "max"]);
    let taken = task(world, "Taken");
    world.in_town(["sling", &taken, "wyvern/Nux"]).ok();

    let list = "see the beads with: gt bd list";
    refuses(world, &["sling", "wy-nonesuch", "wyvern"], 1, "no bead wy-nonesuch", list);
    let meant = format!("did you mean {open} (Open)? see all with: gt bd list");
    refuses(world, &["sling", &format!("{open}x"), "wyvern"], 1, &format!("no bead {open}x"), &meant);
    let new = "see the beads with: gt bd ready; make one with: gt sling --new TITLE RIG";
    refuses(world, &["sling", "nosuch", "wyvern"], 2, "'nosuch' is no bead, and one word is no title", new);
    refuses(
        world,
        &["sling", &closed, "wyvern"],
        1,
        &format!("{closed} is closed"),
        &format!("open it again with: gt bd reopen {closed}"),
    );
    refuses(
        world,
        &["sling", &blocked, "wyvern"],
        1,
        &format!("{blocked} is blocked by {open}"),
        &format!("look at it with: gt bd show {blocked}; start all the same: gt sling --force {blocked}"),
    );
    refuses(
        world,
        &["sling", &held, "wyvern"],
        1,
        &format!("{held} is held back"),
        &format!("let it go: gt unhold {held}"),
    );
    refuses(
        world,
        &["sling", &epic, "wyvern"],
        1,
        &format!("{epic} is an epic: its children are the work"),
        &format!("see them with: gt bd list --parent {epic}"),
    );
    refuses(
        world,
        &["sling", &persons, "wyvern"],
        1,
        &format!("{persons} is taken by max"),
        &format!("give it to a polecat all the same: gt sling --force {persons}"),
    );
    refuses(
        world,
        &["sling", &taken, "wyvern"],
        1,
        &format!("{taken} is taken by wyvern/Nux"),
        &format!("look at it with: gt attach wyvern/Nux; take it back with: gt unsling --force {taken}"),
    );
    refuses(
        world,
        &["sling", &open, "wyvern/Nux"],
        1,
        "the name Nux is taken in wyvern",
        "see who is there with: gt polecats wyvern; without a name a free one is taken",
    );
    refuses(
        world,
        &["sling", "--resume", &open],
        1,
        &format!("nothing of {open} is kept to go on with"),
        &format!("begin anew: gt sling {open}"),
    );
    refuses(
        world,
        &["sling", &open, "wivern"],
        2,
        "no rig named 'wivern'",
        "did you mean 'wyvern'? see them with: gt rigs",
    );
    refuses(
        world,
        &["sling", "hq-1", "wyvern"],
        2,
        "hq-1 belongs to the town, not to wyvern",
        "polecats work on beads of their rig: make one there, in quotes: gt sling \"a new title\" RIG",
    );
    refuses(
        world,
        &["sling", &open, "wyvern", "--agent", "nobody"],
        1,
        "polecat.agent: there is no [agents.nobody]",
        "known are: aider, claude, codex, copilot, gemini, none, opencode, pi, shell, waits",
    );
}

#[test]
fn of_several_beads_those_that_are_ready_start() {
    let world = World::waiting();
    let (one, two, blocked, closed) =
        (task(&world, "One"), task(&world, "Two"), task(&world, "Blocked"), task(&world, "Closed"));
    world.gt_in("town/wyvern", ["bd", "dep", "add", &blocked, &one]).ok();
    world.gt_in("town/wyvern", ["bd", "close", &closed]).ok();
    let words = ["sling", &one, &blocked, &closed, "wy-none", &two, "wyvern"];
    let plan = world.in_town(words.iter().chain(&["--dry-run"])).fails(1);
    let run = world.in_town(words).fails(1);
    for run in [&plan, &run] {
        assert!(run.stdout.contains(&one) && run.stdout.contains(&two), "{run:?}");
        let said =
            format!("gt: 3 beads cannot be slung:\n  {blocked} is blocked by {one}\n    hint: look at it");
        assert!(run.stderr.starts_with(&said) && run.stderr.contains("no bead wy-none"), "{run:?}");
    }
    let holders = [&one, &two, &blocked].map(|id| world.show(id)["assignee"].is_string());
    assert_eq!(holders, [true, true, false]);
}

#[test]
fn of_several_beads_as_many_start_as_the_rig_has_room_for() {
    let world = World::waiting();
    world.set("GASTOWN_POLECAT__MAX_WORKERS", "2");
    let beads: Vec<String> = (0..3).map(|number| task(&world, &format!("Task {number}"))).collect();
    world.in_town(["sling", &beads[0], "wyvern"]).ok();
    let message = format!(
        "{} is not started: the rig wyvern is full (max_workers: 2 polecats on this machine)",
        beads[2]
    );
    let hint =
        "wait, end one with: gt polecat release wyvern/NAME; or raise max_workers in wyvern/config.json";
    let words = ["sling", "--now", &beads[1], &beads[2], "wyvern"];
    for words in [&words.iter().copied().chain(["--dry-run"]).collect::<Vec<_>>(), &words.to_vec()] {
        let run = world.in_town(words).fails(1);
        assert_eq!(run.stderr, format!("gt: {message}\nhint: {hint}\n"));
        assert!(run.stdout.starts_with(&beads[1]), "{run:?}");
    }
    assert!(world.show(&beads[1])["assignee"].is_string());
    refuses(&world, &["sling", "--now", &beads[2], "wyvern"], 1, &message, hint);
}

#[test]
fn what_has_no_room_waits_in_line_is_shown_started_and_taken_out() {
    let world = World::waiting();
    world.set("GASTOWN_POLECAT__MAX_WORKERS", "1");
    let urgent = world.bead_with("Urgent", "true", &["-p", "0"]);
    // As urgent, and asked for before it.
    let mut beads = vec![world.bead_with("Task 0", "true", &["-p", "0"])];
    beads.extend((1..3).map(|number| task(&world, &format!("Task {number}"))));
    let words = ["sling", &beads[1], &beads[2], &beads[0], &urgent, "wyvern", "--agent", "waits"];
    let plan = world.in_town(words.iter().chain(&["--dry-run"])).ok();
    assert!(
        plan.stdout.contains(&format!("{}  Task 1\n  would wait: the rig wyvern is full", beads[1])),
        "{plan:?}"
    );
    let run = world.in_town(words).fails(3);
    assert!(run.stdout.starts_with(&format!("{}  wyvern/Nux  Task 0\n", beads[0])), "{run:?}");
    assert!(run.stderr.contains("by hand: gt dispatch wyvern"), "{run:?}");
    let ids = || -> Vec<String> {
        let queue = world.in_town(["queue", "wyvern", "--json"]).ok().json();
        let rows = queue["queue"][0]["to_start"].as_array().unwrap().clone();
        assert!(rows.iter().all(|row| row["flags"] == serde_json::json!(["--agent=waits"])), "{rows:?}");
        rows.iter().map(|row| row["bead"].as_str().unwrap().to_string()).collect()
    };
    assert_eq!(ids(), [urgent.clone(), beads[1].clone(), beads[2].clone()]);
    let shown = world.in_town(["queue"]).ok().stdout;
    assert!(shown.contains("no place is free") && shown.contains("to merge: nothing"), "{shown}");
    // Nothing starts without a place; the same order again changes nothing.
    let left = world.in_town(["dispatch", "wyvern"]).ok();
    assert!(left.stdout.contains("waits: the rig wyvern is full"), "{left:?}");
    assert_eq!(ids().len(), 3);
    let out = world.in_town(["unsling", &beads[1]]).ok();
    assert_eq!(out.stdout, format!("{}  taken out of the queue\n", beads[1]));
    world.in_town(["polecat", "release", "wyvern/Nux", "--force"]).ok();
    assert!(world.in_town(["queue"]).ok().stdout.contains("a place is free"));
    let started = world.in_town(["dispatch"]).ok();
    assert!(started.stdout.contains(&format!("{urgent}  wyvern/")), "{started:?}");
    assert_eq!(ids(), [beads[2].clone()]);
    let marks =
        |id: &str| (world.show(id)["labels"].to_string(), world.show(id)["metadata"]["queued"].clone());
    let (labels, entry) = marks(&beads[1]);
    assert!(!labels.contains("gt:queued") && entry.is_null(), "{labels} {entry}");
    // How one was ordered stays on it: what starts it once more begins with that.
    let (labels, entry) = marks(&urgent);
    assert!(
        !labels.contains("gt:queued") && entry.as_str().unwrap().contains("--agent=waits"),
        "{labels} {entry}"
    );
    // An entry that others wrote, or changed, is none.
    let entry = marks(&beads[2]).1.as_str().unwrap().replace("--agent=waits", "--agent=other");
    let changed = serde_json::json!({ "queued": entry }).to_string();
    world.gt_in("town/wyvern", ["bd", "update", &beads[2], "--metadata", &changed]).ok();
    assert_eq!(ids(), [""; 0]);
    let feed = world.in_town(["feed", "--json"]).ok().json();
    let kinds: Vec<&str> =
        feed["events"].as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["queued", "queued", "queued", "started", "ended", "started"], "{feed}");
}

#[test]
fn one_bead_takes_few_processes_and_ten_take_one_fetch() {
    let world = World::waiting();
    world.set("GASTOWN_POLECAT__MAX_WORKERS", "20");
    let first = task(&world, "First");
    let ten: Vec<String> = (0..10).map(|number| task(&world, &format!("Task {number}"))).collect();
    world.count_calls(&["git", "tmux"]);
    world.in_town(["sling", &first, "wyvern"]).ok();
    let (git, tmux) = (own(world.calls("git")), world.calls("tmux"));
    assert!(git.len() <= 4, "{git:#?}");
    assert!(tmux.len() <= 2, "{tmux:#?}");
    let mut words = vec!["sling"];
    words.extend(ten.iter().map(String::as_str));
    let slung = world.in_town(&words).ok();
    assert_eq!(slung.stdout.lines().count(), 10);
    let git = own(world.calls("git"));
    assert_eq!(git.iter().filter(|call| call.contains(" fetch ")).count(), 1, "{git:#?}");
    for bead in &ten {
        assert_eq!(world.show(bead)["status"], "hooked");
        let address = format!("wyvern/{}", world.polecat_of(bead));
        assert!(!world.session_of(&address).is_empty(), "{address}");
    }
    world.calls("tmux");
    for words in [&["hook"][..], &["prime"], &["mail", "inbox"], &["hook", "wyvern/Nux"]] {
        world.in_town(words).ok();
    }
    assert_eq!((world.calls("git"), world.calls("tmux")), (vec![], vec![]));
}

/// The calls that gt made itself: git starts others of its own, without `-C`.
fn own(calls: Vec<String>) -> Vec<String> {
    calls.into_iter().filter(|call| call.starts_with("-C ")).collect()
}

#[test]
fn after_a_kill_at_any_step_the_same_command_completes() {
    let world = World::waiting();
    for step in ["sling.1", "sling.2", "sling.3", "sling.4", "sling.5", "sling.6"] {
        let bead = task(&world, step);
        world.gt_killed(step, "town", ["sling", &bead, "wyvern"]);
        let again = world.in_town(["sling", &bead, "wyvern"]);
        if matches!(step, "sling.5" | "sling.6") {
            let address = format!("wyvern/{}", world.polecat_of(&bead));
            assert!(again.fails(1).stderr.contains(&format!("{bead} is taken by {address}")));
        } else {
            again.ok();
        }
        holds(&world, &[&bead]);
        world.in_town(["unsling", "--force", &bead]).ok();
        holds(&world, &[]);
    }
}

#[test]
fn what_a_killed_sling_left_goes_with_the_next_one() {
    let world = World::waiting();
    for step in ["sling.2", "sling.3"] {
        let (first, second) = (task(&world, "First"), task(&world, "Second"));
        world.gt_killed(step, "town", ["sling", &first, "wyvern"]);
        assert_eq!(world.show(&first)["status"], "open");
        world.in_town(["sling", &second, "wyvern"]).ok();
        holds(&world, &[&second]);
        world.in_town(["unsling", "--force", &second]).ok();
    }
}

#[test]
fn a_kill_while_several_are_started_leaves_the_rest_to_the_same_command() {
    let world = World::waiting();
    let beads: Vec<String> = (0..3).map(|number| task(&world, &format!("Task {number}"))).collect();
    let words = ["sling", &beads[0], &beads[1], &beads[2], "wyvern"];
    world.gt_killed("sling.5", "town", words);
    let started = |bead: &String| !world.session_of(&format!("wyvern/{}", world.polecat_of(bead))).is_empty();
    assert_eq!(beads.iter().map(started).collect::<Vec<_>>(), [true, false, false]);
    world.in_town(["sling", &beads[1], &beads[2], "wyvern"]).ok();
    holds(&world, &beads.iter().map(String::as_str).collect::<Vec<_>>());
}

/// The laws: exactly these beads have a polecat, each with its name, worktree, branch and session, and nothing else is
/// there.
#[track_caller]
fn holds(world: &World, beads: &[&str]) {
    let mut polecats: Vec<String> = beads.iter().map(|bead| world.polecat_of(bead)).collect();
    polecats.sort_unstable();
    assert_eq!(names(world), polecats, "names");
    let clone = "town/wyvern/mayor/rig";
    let list = world.git(clone, ["worktree", "list", "--porcelain"]);
    assert_eq!(list.matches("worktree ").count(), beads.len() + 1, "{list}");
    let mut branches: Vec<String> =
        beads.iter().map(|bead| world.branch(&world.polecat_of(bead), bead)).collect();
    branches.sort_unstable();
    let found = world.git(clone, ["for-each-ref", "--format=%(refname:short)", "refs/heads/polecat"]);
    assert_eq!(found.lines().collect::<Vec<_>>(), branches, "branches");
    for (bead, name) in beads.iter().zip(beads.iter().map(|bead| world.polecat_of(bead))) {
        let sessions = world.session_of(&format!("wyvern/{name}"));
        assert_eq!(sessions.lines().count(), 1, "sessions of {bead}: {sessions}");
        let branch = world.git(format!("town/wyvern/polecats/{name}"), ["branch", "--show-current"]);
        assert_eq!(branch, world.branch(&name, bead));
    }
    let all = world.tmux(["list-sessions", "-F", crate::common::ADDRESS]).stdout;
    assert_eq!(all.lines().filter(|line| line.starts_with("wyvern/")).count(), beads.len(), "{all}");
    let held = world.gt_in("town/wyvern", ["bd", "list", "--status", "hooked", "--json"]).ok().json();
    assert_eq!(held.as_array().unwrap().len(), beads.len(), "{held}");
}

fn at_once(world: &World, words: &[Vec<String>]) -> Vec<Run> {
    crate::common::at_once(words.iter().map(|words| {
        let mut command = world.command(gt(), "town");
        command.args(words);
        command
    }))
}

#[test]
fn of_sixteen_slings_of_one_bead_one_wins_and_the_rest_say_who() {
    let world = World::waiting();
    let bead = task(&world, "Wanted");
    let words: Vec<Vec<String>> =
        (0..16).map(|_| vec!["sling".into(), bead.clone(), "wyvern".into()]).collect();
    let runs = at_once(&world, &words);
    let winner = format!("wyvern/{}", world.polecat_of(&bead));
    let (won, lost): (Vec<Run>, Vec<Run>) = runs.into_iter().partition(|run| run.code == Some(0));
    assert_eq!(won.len(), 1, "{won:#?} {lost:#?}");
    for run in lost {
        assert_eq!(run.code, Some(1), "{run:#?}");
        assert!(run.stderr.starts_with(&format!("gt: {bead} is taken by {winner}\n")), "{run:#?}");
    }
    holds(&world, &[&bead]);
}

#[test]
fn eight_slings_of_different_beads_at_once_all_succeed() {
    let world = World::waiting();
    world.set("GASTOWN_POLECAT__MAX_WORKERS", "8");
    let beads: Vec<String> = (0..8).map(|number| task(&world, &format!("Task {number}"))).collect();
    let words: Vec<Vec<String>> =
        beads.iter().map(|bead| vec!["sling".into(), bead.clone(), "wyvern".into()]).collect();
    for run in at_once(&world, &words) {
        run.ok();
    }
    holds(&world, &beads.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn the_place_is_prepared_as_the_rig_says() {
    let world = World::waiting();
    world.origin("sub.git", &[("inside.txt", "inside\n")]);
    let clone = "town/wyvern/mayor/rig";
    world.git(clone, ["submodule", "add", "-q", &world.str("sub.git"), "sub"]);
    world.write("town/wyvern/mayor/rig/tracked.txt", "from the project\n");
    world.git(clone, ["add", "-A"]);
    world.git(clone, ["commit", "-q", "-m", "more"]);
    world.git(clone, ["push", "-q", "origin", "HEAD:main"]);
    world.in_town(["rig", "trust", "wyvern"]).ok();
    world.write("town/wyvern/mayor/rig/.env", "SECRET=1\n");
    world.write("town/wyvern/mayor/rig/tracked.txt", "changed by somebody\n");
    world.write("town/wyvern/mayor/rig/node_modules/a.js", "a\n");
    let config = "town/wyvern/config.json";
    let mut json: serde_json::Value = serde_json::from_str(&world.read(config)).unwrap();
    json["worktree"] = serde_json::json!({
        "copy": [".env", "tracked.txt", "absent.txt"], "link": ["node_modules"],
        "setup": "cat .env > made-by-setup && echo made-by-setup >> .git-ignored", "submodules": true,
    });
    world.write(config, json.to_string());
    let bead = task(&world, "Prepared");
    // What the setup leaves untracked is the rig's business: here it is ignored.
    world.write("town/wyvern/mayor/rig/.git/info/exclude", "made-by-setup\n.git-ignored\n");
    world.in_town(["sling", &bead, "wyvern"]).ok();
    let place = format!("town/wyvern/polecats/{}", world.polecat_of(&bead));
    let read = |name: &str| world.read(format!("{place}/{name}"));
    assert_eq!(read(".env"), "SECRET=1\n");
    assert_eq!(read("tracked.txt"), "from the project\n");
    assert_eq!(read("made-by-setup"), "SECRET=1\n");
    assert_eq!(read("sub/inside.txt"), "inside\n");
    assert!(world.path(format!("{place}/node_modules")).is_symlink());
    assert_eq!(world.git(&place, ["status", "--porcelain"]), "");

    // A setup that fails takes everything back.
    json["worktree"]["setup"] = "echo no tool; exit 3".into();
    world.write(config, json.to_string());
    let other = task(&world, "Not prepared");
    let before = Scene::of(&world);
    let run = world.in_town(["sling", &other, "wyvern"]).fails(1);
    assert!(run.stderr.starts_with("gt: worktree.setup ended with 3:\nno tool\n"), "{run:#?}");
    assert_eq!(Scene::of(&world), before);
}

#[test]
fn a_session_that_cannot_be_started_takes_everything_back() {
    let world = World::waiting();
    let bead = task(&world, "Never");
    let before = Scene::of(&world);
    world.program(
        "tmux",
        "#!/bin/sh\ncase \"$*\" in *new-session*) echo 'no space left' >&2; exit 1;; esac\nexit 1\n",
    );
    let run = world.in_town(["sling", &bead, "wyvern"]);
    std::fs::remove_file(world.path("bin/tmux")).unwrap();
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert!(run.stderr.contains("tmux"), "{run:#?}");
    assert_eq!(Scene::of(&world).without_times(), before.without_times());
}

#[test]
fn an_unreachable_remote_leaves_nothing() {
    let world = World::waiting();
    let bead = task(&world, "Never");
    std::fs::rename(world.path("origin.git"), world.path("away.git")).unwrap();
    let before = Scene::of(&world);
    let run = world.in_town(["sling", &bead, "wyvern"]).fails(1);
    assert!(run.stderr.starts_with("gt: cannot fetch main in "), "{run:#?}");
    assert_eq!(Scene::of(&world), before);
}

#[test]
fn a_plan_is_printed_and_nothing_is_done() {
    let world = World::waiting();
    let bead = task(&world, "Planned");
    let before = Scene::of(&world);
    let plan = world.in_town(["sling", &bead, "wyvern", "--dry-run"]).ok().stdout;
    let plan = plan
        .replace(&bead, "wy-1")
        .replace(&world.town_id(), "TOWN")
        .replace(world.real().to_str().unwrap(), "/world");
    insta::assert_snapshot!(plan, @r"
    wy-1  Planned
      1 look     it can be slung
      2 name     wyvern/Nux
      3 place    fetch, make /world/town/wyvern/polecats/Nux on polecat/TOWN/Nux-wy-1 from origin/main
      4 hook     wy-1 to wyvern/Nux
      5 session  gt-wyvern-Nux running waits (presets: polecat)
      6 prompt   none: it reads its hook
    ");
    let json = world.in_town(["sling", &bead, "wyvern", "--dry-run", "--json"]).ok().json();
    assert_eq!(json["plan"][0]["bead"], bead.as_str());
    assert_eq!(json["plan"][0]["begin"], "fresh");
    assert_eq!(json["plan"][0]["place"]["remote"], serde_json::Value::Null);
    world.in_town(["sling", "A new title", "wyvern", "--dry-run"]).ok();
    world.in_town(["unsling", &bead, "--dry-run"]).fails(1);
    assert_eq!(Scene::of(&world), before);
}

#[test]
fn a_bead_goes_where_its_prefix_or_a_path_says() {
    let world = World::waiting();
    let beads: Vec<String> = (0..4).map(|number| task(&world, &format!("Task {number}"))).collect();
    world.in_town(["sling", &beads[0]]).ok();
    world.in_town(["sling", &beads[1], "wyvern/mayor/rig"]).ok();
    world.gt_in("town/wyvern", ["sling", &beads[2], "."]).ok();
    world.in_town(["spawn", "--issue", &beads[3], "--rig", "wyvern"]).ok();
    holds(&world, &beads.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn unsling_gives_a_bead_back_and_keeps_its_commits() {
    let world = World::waiting();
    let bead = task(&world, "Given back");
    world.in_town(["sling", &bead, "wyvern"]).ok();
    let name = world.polecat_of(&bead);
    let place = format!("town/wyvern/polecats/{name}");
    world.write(format!("{place}/work.txt"), "work\n");
    world.git(&place, ["add", "-A"]);
    world.git(&place, ["commit", "-q", "-m", "half of it"]);
    let commit = world.git(&place, ["rev-parse", "HEAD"]);
    let run = world.in_town(["unsling", &bead]).fails(1);
    assert!(run.stderr.starts_with(&format!("gt: wyvern/{name} is at work on {bead}\n")), "{run:#?}");
    world.in_town(["unsling", "--force", &bead]).ok();
    holds(&world, &[]);
    assert_eq!(world.show(&bead)["status"], "open");
    let clone = "town/wyvern/mayor/rig";
    assert_eq!(world.git(clone, ["for-each-ref", "--format=%(objectname)", "refs/gt/recovery"]), commit);
    // --resume takes it up again; a plain sling would begin anew.
    world.in_town(["sling", "--resume", &bead]).ok();
    let place = format!("town/wyvern/polecats/{}", world.polecat_of(&bead));
    assert_eq!(world.read(format!("{place}/work.txt")), "work\n");
}

#[test]
fn the_only_session_of_a_server_can_be_replaced_at_once() {
    let world = World::waiting();
    let bead = task(&world, "Again");
    world.in_town(["sling", &bead, "wyvern"]).ok();
    let address = format!("wyvern/{}", world.polecat_of(&bead));
    for _ in 0..10 {
        let session = world.session_of(&address);
        let pid = world.tmux(["list-panes", "-t", &session, "-F", "#{pane_pid}"]).ok().stdout;
        world.run("kill", "", ["-9", pid.trim()]).ok();
        wait_for("the end of the program", || {
            world
                .tmux(["list-panes", "-t", &session, "-F", "#{pane_dead}"])
                .stdout
                .starts_with('1')
                .then_some(())
        });
        world.in_town(["sling", "--resume", &bead]).ok();
    }
    holds(&world, &[&bead]);
}

#[test]
fn hold_and_unhold() {
    let world = World::waiting();
    let (one, two) = (task(&world, "One"), task(&world, "Two"));
    world.in_town(["hold", &one, &two]).ok();
    assert_eq!(world.show(&two)["labels"], serde_json::json!(["gt:hold"]));
    let again = world.in_town(["hold", &one]).ok();
    assert_eq!((again.stdout.as_str(), again.stderr.as_str()), ("", "nothing to do: already held back\n"));
    world.in_town(["unhold", &one, &two]).ok();
    world.in_town(["sling", &one, "wyvern"]).ok();
    let name = world.polecat_of(&one);
    refuses(
        &world,
        &["hold", &two, &one],
        1,
        &format!("{one} is taken by wyvern/{name}"),
        &format!(
            "take it back first: gt unsling {one}; while its agent is at work: gt unsling --force {one}"
        ),
    );
}

#[test]
fn a_sandbox_can_be_a_full_clone() {
    let world = World::with_rig();
    world.set("GASTOWN_POLECAT__SANDBOX", "clone");
    let bead = world.bead("Say hello", "test -d .git && echo hello > hello.txt");
    world.in_town(["sling", &bead, "wyvern"]).ok();
    let request = wait_for("the request", || crate::flow::request(&world, &bead));
    wait_for_the_end(&world);
    let commit = request["metadata"]["commit"].as_str().unwrap();
    assert_eq!(world.git("origin.git", ["show", &format!("{commit}:hello.txt")]), "hello");
}

#[test]
fn nothing_is_locked_while_an_agent_is_told_its_first_prompt() {
    let world = World::with_rig();
    world.write(
        "town/config/town.toml",
        "[agents.slow]\ncommand = [\"sleep\", \"600\"]\nprompt = \"paste\"\nready = { pattern = \"never\", timeout = \"60s\" }\n",
    );
    let (first, second) = (world.bead("First", "true"), world.bead("Second", "true"));
    let mut sling = world.command(gt(), "town");
    let mut sling = sling.args(["sling", &first, &second, "wyvern", "--agent", "slow"]).spawn().unwrap();
    // Both run before the first of them is told anything, and either can be ended meanwhile.
    let both = || (world.tmux(["list-sessions"]).stdout.matches("gt-wyvern-").count() == 2).then_some(());
    wait_for("both sessions", both);
    let told_next = world.in_town(["polecat", "nuke", "wyvern/Toast"]);
    let waits = sling.try_wait().unwrap().is_none();
    let told_now = world.in_town(["polecat", "nuke", "wyvern/Nux"]);
    sling.wait().unwrap();
    told_next.ok();
    told_now.ok();
    assert!(waits, "the sling had ended before a polecat was");
}

#[test]
fn a_bead_without_a_script_is_not_given_to_the_runtime_that_runs_it() {
    let world = World::with_rig();
    let bare = world.gt_in("town/wyvern", ["bd", "create", "Think", "--silent"]).ok().stdout;
    let id = bare.trim();
    for words in [&["sling", id, "--dry-run"][..], &["sling", id], &["sling", "A new title", "wyvern"]] {
        let said = world.in_town(words).fails(1).stderr;
        assert!(said.contains(" has no sh block\nhint: write one between ```sh and ```"), "{said}");
    }
    assert_eq!(world.show(id)["status"], "open");
    assert!(!world.path("town/wyvern/polecats/Nux").exists());
    assert_eq!(world.gt_in("town/wyvern", ["bd", "list", "--json"]).ok().json().as_array().unwrap().len(), 1);
}

#[test]
fn what_force_overrides_is_said() {
    let world = World::waiting();
    let bead = world.bead("Later", "true");
    world.in_town(["hold", &bead]).ok();
    let said = format!("{bead} is held back, and starts all the same (--force)\n");
    assert_eq!(world.in_town(["sling", &bead, "--force", "--dry-run"]).ok().stderr, said);
    assert_eq!(world.in_town(["sling", &bead, "--force"]).ok().stderr, said);
}

#[test]
fn a_branch_called_polecat_is_named_before_anything_is_made() {
    let world = World::waiting();
    let bead = world.bead("Fix it", "true");
    let clone = "town/wyvern/mayor/rig";
    world.count_calls(&["git"]);
    for place in ["refs/heads/polecat", "refs/remotes/origin/polecat"] {
        world.git(clone, ["update-ref", place, "HEAD"]);
        world.calls("git");
        let run = world.in_town(["sling", &bead]).fails(1);
        assert!(run.stderr.contains("has a branch 'polecat', so there can be no"), "{run:#?}");
        let calls = world.calls("git");
        assert!(!calls.iter().any(|call| call.contains("fetch") || call.contains("worktree")), "{calls:#?}");
        assert!(!world.path("town/wyvern/polecats/.names/Nux").exists());
        world.git(clone, ["update-ref", "-d", place]);
    }
    world.in_town(["sling", &bead]).ok();
}

#[test]
fn a_config_of_a_rig_that_is_no_json_is_named_to_who_asks_for_beads() {
    let world = World::waiting();
    world.write("town/wyvern/config.json", "{\n");
    let run = world.gt_in("town/wyvern", ["bd", "list"]).fails(1);
    assert!(
        run.stderr.contains("wyvern/config.json:2:0: ") && run.stderr.contains("mend it by hand"),
        "{run:#?}"
    );
}
