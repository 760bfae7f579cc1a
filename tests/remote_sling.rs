//! Polecats on other machines: slung to a fugue daemon whose machine has another home and another town folder.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::common::fugue::Daemon;
use crate::common::{Run, World, gt, steps, wait_for};

/// Would start things, were it ever read as shell.
const HOSTILE: &str =
    "'; touch /tmp/gt-test-y # $(touch /tmp/gt-test-y) `touch /tmp/gt-test-y` \"\\ é🦀 !! ~ * \t;";

/// A program that says what it was given and waits to be told to end.
const AGENT: &str = "#!/bin/sh\nfor word in \"$@\"; do :; done\nprintf '%s' \"$word\" >\"$HOME/last\"\n\
    cp \"$GT_BEAD_FILE\" \"$HOME/bead\"\nenv -0 >\"$HOME/env.new\"\nmv \"$HOME/env.new\" \"$HOME/env\"\n\
    while :; do sleep 0.05; done\n";

/// A rig here, a daemon there, polecats that run [`AGENT`].
fn two(world: &World) -> Daemon<'_> {
    let far = world.daemon("far");
    world.set("GASTOWN_FUGUE_ADDR", &far.addr);
    world.set("GASTOWN_REMOTE_TOWN", &world.str("far/the gt"));
    world.program("agent", AGENT);
    world.settings(
        "[beads]\nstore = \"embedded\"\n[agents.waits]\ncommand = [\"agent\", \"{{title}}\"]\nprompt = \"argument\"\n",
    );
    world.set("GASTOWN_POLECAT__AGENT", "waits");
    far
}

fn far_home(world: &World, name: &str) -> PathBuf {
    world.path("far/the gt/wyvern/polecats").join(name)
}

fn sling(world: &World, words: &[&str]) -> Run {
    world.in_town([&["sling"], words, &["--json"]].concat())
}

/// The letter of a polecat's hand-in on origin, once it is there.
fn letter(world: &World) -> serde_json::Value {
    let text = world.git("origin.git", ["log", "-1", "--format=%B", &world.letters()]);
    let (said, proof) = gastown::plan::homecoming::split(text.as_bytes());
    assert!(proof.is_some(), "{text}");
    serde_json::from_slice(said).unwrap()
}

/// Nothing of a sling is left: not here, not there, not on origin.
#[track_caller]
fn untouched(world: &World, far: Option<&Daemon<'_>>, bead: &str) {
    let show = world.show(bead);
    assert_eq!((show["status"].as_str(), show.get("assignee")), (Some("open"), None), "{show}");
    assert!(!show.to_string().contains("gt:remote:"), "{show}");
    let names = world.path("town/wyvern/polecats/.names");
    let left: Vec<_> =
        std::fs::read_dir(&names).into_iter().flatten().flatten().map(|e| e.file_name()).collect();
    assert!(left.iter().all(|name| name.to_string_lossy().starts_with('.')), "{left:?}");
    assert!(!world.path("town/mayor/remote.json").exists());
    assert_eq!(world.tmux(["list-sessions"]).stdout, "");
    let polecats = world.path("far/the gt/wyvern/polecats");
    let there: Vec<_> = std::fs::read_dir(polecats).into_iter().flatten().flatten().collect();
    assert!(there.is_empty(), "{there:?}");
    if let Some(far) = far {
        assert_eq!(far.sessions(), []);
    }
    let refs = world.git("origin.git", ["for-each-ref", "--format=%(refname)"]);
    assert_eq!(refs, "refs/heads/main");
}

fn records(world: &World) -> serde_json::Value {
    serde_json::from_str(&world.read("town/mayor/remote.json")).unwrap()
}

#[test]
fn a_bead_is_done_over_there_and_handed_in_by_git_alone() {
    let world = World::with_rig();
    let far = two(&world);
    world.set("GASTOWN_POLECAT__AGENT", "shell");
    let bead =
        world.bead("Write it", "echo \"$HOME\" >home.txt; test ! -e \"$GT_TOWN_ROOT/mayor/town.json\"");
    let slung = sling(&world, &[&bead, "wyvern/Nux"]).ok().json()["slung"].clone();
    assert_eq!(slung[0]["place"]["remote"]["fugue_addr"], far.addr.as_str());
    assert_eq!(slung[0]["worktree"], far_home(&world, "Nux").to_str().unwrap());
    let letter = letter(&world);
    assert_eq!((letter["bead"].as_str(), letter["outcome"].as_str()), (Some(&*bead), Some("done")));
    let branch = letter["branch"].as_str().unwrap();
    assert_eq!(branch, world.branch("Nux", &bead));
    let text = world.git("origin.git", ["show", &format!("{branch}:home.txt")]);
    assert_eq!(text, world.str("far/home"), "it was done over there");
    assert!(!world.path("town/wyvern/polecats/Nux").exists(), "and nothing was made here");
    assert_eq!(world.git("town/wyvern/mayor/rig", ["branch", "--list", "polecat/*"]), "");
}

#[test]
fn a_session_over_there_has_its_tags_its_environment_and_its_prompt() {
    let world = World::with_rig();
    let far = two(&world);
    world.set("GASTOWN_POLECAT__TAGS", "[\"heavy\", \"gt-i-forged\"]");
    let bead = world.bead("Look", "true");
    sling(&world, &[&bead, "wyvern/Nux"]).ok();
    let session = far.session("gt-wyvern-Nux").unwrap();
    let instance = world.read("town/wyvern/polecats/.names/Nux");
    assert!(session.tags.contains(&"heavy".into()) && !session.tags.contains(&"gt-i-forged".into()));
    assert!(session.tags.contains(&format!("gt-i-{instance}")), "{session:?}");
    assert!(
        session.tags.contains(&"gt-a-wyvern/Nux".into()) && session.tags.contains(&format!("gt-b-{bead}"))
    );
    let show = world.show(&bead);
    assert_eq!((show["status"].as_str(), show["assignee"].as_str()), (Some("hooked"), Some("wyvern/Nux")));
    assert_eq!(show["labels"], serde_json::json!([format!("gt:remote:{}", far.addr)]));
    let record = &records(&world)["sessions"]["wyvern/Nux"];
    assert_eq!((record["id"].as_str(), record["bead"].as_str()), (Some(&*session.id), Some(&*bead)));
    assert_eq!(record["town"], world.str("far/the gt"));
    let env = wait_for("the agent", || std::fs::read(world.path("far/home/env")).ok());
    let env: Vec<String> =
        env.split(|byte| *byte == 0).map(|own| String::from_utf8_lossy(own).into_owned()).collect();
    let value = |key: &str| env.iter().find_map(|own| own.strip_prefix(key)?.strip_prefix('='));
    assert_eq!(value("HOME"), Some(&*world.str("far/home")), "nothing of this machine");
    assert_eq!(value("GT_TOWN_ROOT"), Some(&*world.str("far/the gt")));
    assert_eq!(value("GT_REMOTE"), Some(&*far.addr));
    assert_eq!(value("GT_BEAD_TITLE"), Some("Look"));
    assert_eq!((value("GT_INSTANCE"), value("GT_ROLE")), (Some(&*instance), Some("polecat")));
    assert_eq!(value("PWD"), Some(far_home(&world, "Nux").to_str().unwrap()));
    assert_eq!(value("BEADS_DIR"), None);
    assert!(
        !env.iter().any(|own| own.starts_with("GASTOWN_") && !own.starts_with("GASTOWN_TMUX_SOCKET=")),
        "{env:?}"
    );
    let prompt = world.read("far/home/last");
    assert!(prompt.contains("sh \"$GT_DONE\"") && !prompt.contains("gt prime"), "{prompt}");
    assert!(world.read("far/home/bead").starts_with(&format!("# {bead}: Look\n")));
    // It runs: the same again is refused, and starts nothing.
    sling(&world, &[&bead, "wyvern"]).fails(1);
    assert_eq!(far.sessions().len(), 1);
}

#[test]
fn hostile_titles_and_texts_start_nothing_anywhere_and_arrive() {
    let world = World::with_rig();
    let far = two(&world);
    let _ = &far;
    let description = format!("{HOSTILE}\n\n{HOSTILE}\nEOF\n{}\n", HOSTILE.repeat(40));
    let words = ["bd", "create", HOSTILE.trim(), "-d", &description, "--json"];
    let bead = world.gt_in("town/wyvern", words).ok().json()["id"].as_str().unwrap().to_string();
    let title = gastown::base::terminal::one_line(world.show(&bead)["title"].as_str().unwrap());
    sling(&world, &[&bead, "wyvern"]).ok();
    let env = wait_for("the agent", || std::fs::read(world.path("far/home/env")).ok());
    assert!(String::from_utf8_lossy(&env).contains(&format!("\0GT_BEAD_TITLE={title}\0")));
    assert!(world.read("far/home/bead").contains(description.trim_end()));
    assert!(world.read("far/home/last").contains(title.trim()));
    assert!(!Path::new("/tmp/gt-test-y").exists());
}

#[test]
fn a_dead_daemon_leaves_no_bead_held_and_says_what_to_do() {
    let world = World::with_rig();
    let far = two(&world);
    let bead = world.bead("Look", "true");
    let dead = world.dead_addr();
    let wrong = world.impostor(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    for addr in [&dead, &wrong] {
        world.set("GASTOWN_FUGUE_ADDR", addr);
        let run = sling(&world, &[&bead, "wyvern"]).fails(1);
        assert!(run.stderr.contains(addr.as_str()) && run.stderr.contains("hint"), "{run:#?}");
        untouched(&world, Some(&far), &bead);
        // By hand, where the look does not ask it.
        world.unset("GASTOWN_FUGUE_ADDR");
        let run = sling(&world, &[&bead, "wyvern", "--fugue-addr", addr]).fails(1);
        assert!(run.stderr.contains("hint"), "{run:#?}");
        untouched(&world, Some(&far), &bead);
        let run = world.in_town(["sling", "A new title", "wyvern", "--fugue-addr", addr]).fails(1);
        assert!(!run.stderr.contains("made wy-"), "{run:#?}");
    }
    world.set("GASTOWN_FUGUE_ADDR", &far.addr);
    far.freeze();
    let run = sling(&world, &[&bead, "wyvern"]).fails(1);
    assert!(run.stderr.contains("hint"), "{run:#?}");
    far.thaw();
    untouched(&world, Some(&far), &bead);
    // The daemon's program is no daemon's program.
    world.set("GASTOWN_MULTIPLEXER_BIN", "/bin/true");
    let run = sling(&world, &[&bead, "wyvern"]).fails(1);
    assert!(run.stderr.contains("hint"), "{run:#?}");
    world.unset("GASTOWN_MULTIPLEXER_BIN");
    untouched(&world, Some(&far), &bead);
    sling(&world, &[&bead, "wyvern"]).ok();
}

#[test]
fn a_start_that_fails_over_there_is_undone_with_its_reason() {
    let world = World::with_rig();
    let far = two(&world);
    let bead = world.bead("Look", "true");
    let moved = |from: &str, to: &str| std::fs::rename(world.path(from), world.path(to)).unwrap();
    let refused = |reason: &str| {
        let run = sling(&world, &[&bead, "wyvern"]).fails(1);
        assert!(run.stderr.contains(reason), "{run:#?}");
        untouched(&world, Some(&far), &bead);
    };
    moved("origin.git", "away.git");
    let run = sling(&world, &[&bead, "wyvern"]).fails(1);
    assert!(run.stderr.contains("cannot clone"), "{run:#?}");
    moved("away.git", "origin.git");
    untouched(&world, Some(&far), &bead);
    world.program("agent", "");
    std::fs::remove_file(world.path("bin/agent")).unwrap();
    refused("the program agent is not here");
    world.program("agent", AGENT);
    let config = world.read("town/wyvern/config.json");
    let mut value: serde_json::Value = serde_json::from_str(&config).unwrap();
    value["worktree"] = serde_json::json!({"setup": "echo no such thing >&2; exit 4"});
    world.write("town/wyvern/config.json", value.to_string());
    refused("worktree.setup ended with 4: no such thing");
    world.write("town/wyvern/config.json", &config);
    sling(&world, &[&bead, "wyvern"]).ok();
}

#[test]
fn a_text_that_is_too_long_is_refused_before_anything_is_touched() {
    let world = World::with_rig();
    let far = two(&world);
    let bead = world.bead("Look", &"x".repeat(50_000));
    let run = sling(&world, &[&bead, "wyvern"]).fails(1);
    assert!(
        run.stderr.contains("too long for another machine") && run.stderr.contains("file of the repository")
    );
    untouched(&world, Some(&far), &bead);
    let bead = world.bead("Look", &format!("#{}", "'\"$ `\\".repeat(7_900)));
    sling(&world, &[&bead, "wyvern"]).ok();
    wait_for("the agent", || world.path("far/home/env").exists().then_some(()));
    let text = world.show(&bead)["description"].as_str().unwrap().to_string();
    assert!(world.read("far/home/bead").contains(&text));
    // The bead's own script is told to be missing before anything is touched, too.
    let bare = world.gt_in("town/wyvern", ["bd", "create", "No script", "--json"]).ok().json();
    let run = sling(&world, &[bare["id"].as_str().unwrap(), "wyvern", "--agent", "shell"]).fails(1);
    assert!(run.stderr.contains("has no sh block"), "{run:#?}");
}

#[test]
fn after_a_kill_at_any_step_the_same_command_goes_on() {
    for (number, step) in (1..).zip(steps("sling", 1..=6)) {
        let world = World::with_rig();
        let far = two(&world);
        let bead = world.bead("Look", "true");
        world.gt_killed(&step, "town", ["sling", &bead, "wyvern"]);
        let again = sling(&world, &[&bead, "wyvern"]);
        if number < 5 {
            assert_eq!(
                again.ok().json()["slung"][0]["place"]["remote"]["fugue_addr"],
                far.addr.as_str(),
                "{number}"
            );
        } else {
            again.fails(1);
        }
        let sessions = far.sessions();
        assert_eq!(sessions.len(), 1, "after {number}: {sessions:?}");
        let name = world.polecat_of(&bead);
        assert_eq!(sessions[0].name, format!("gt-wyvern-{name}"));
        assert_eq!(records(&world)["sessions"][format!("wyvern/{name}")]["id"], sessions[0].id.as_str());
        wait_for("the agent", || world.path("far/home/env").exists().then_some(()));
        assert!(far_home(&world, &name).join("README.md").exists());
    }
}

#[test]
fn a_crashed_polecat_goes_on_where_it_was() {
    let world = World::with_rig();
    let far = two(&world);
    let bead = world.bead("Look", "true");
    sling(&world, &[&bead, "wyvern/Nux"]).ok();
    let env = world.path("far/home/env");
    wait_for("the agent", || env.exists().then_some(()));
    world.write("far/the gt/wyvern/polecats/Nux/open.txt", "not yet\n");
    let id = far.session("gt-wyvern-Nux").unwrap().id;
    far.ask(["kill-session", "-t", &id]).ok();
    wait_for("its end", || far.sessions().is_empty().then_some(()));
    // Nobody names the daemon any more: the town remembers it.
    world.unset("GASTOWN_FUGUE_ADDR");
    for elsewhere in [&["--local"][..], &["--fugue-addr", "tcp://127.0.0.1:1"]] {
        let words = [&[&*bead, "wyvern", "--resume"], elsewhere].concat();
        let run = sling(&world, &words).fails(1);
        assert!(run.stderr.contains("was begun on"), "{run:#?}");
    }
    std::fs::remove_file(&env).unwrap();
    let slung = sling(&world, &[&bead, "wyvern", "--resume"]).ok().json()["slung"].clone();
    assert_eq!(
        (slung[0]["begin"].as_str(), slung[0]["address"].as_str()),
        (Some("again"), Some("wyvern/Nux"))
    );
    wait_for("the agent", || env.exists().then_some(()));
    assert!(far_home(&world, "Nux").join("open.txt").exists());
    assert!(!world.path("town/wyvern/polecats/Nux").exists());
    assert!(world.read("far/home/last").contains("An earlier session of yours ended"));
    // And after a restart of the daemon: its empty shell gives way.
    std::fs::remove_file(&env).unwrap();
    far.restart();
    sling(&world, &[&bead, "wyvern", "--resume"]).ok();
    wait_for("the agent", || env.exists().then_some(()));
    let ours: Vec<_> =
        far.sessions().into_iter().filter(|own| own.name.starts_with("gt-wyvern-Nux")).collect();
    assert_eq!(ours.len(), 1, "{ours:?}");
    assert!(ours[0].tags.contains(&"gt-a-wyvern/Nux".into()));
}

#[test]
fn commits_of_an_earlier_attempt_travel_along() {
    let world = World::with_rig();
    let far = two(&world);
    let bead = world.bead("Look", "true");
    // An attempt here, given up: its commit is kept here only.
    sling(&world, &[&bead, "wyvern/Nux", "--local"]).ok();
    world.write("town/wyvern/polecats/Nux/kept.txt", "kept\n");
    world.git("town/wyvern/polecats/Nux", ["add", "-A"]);
    world.git("town/wyvern/polecats/Nux", ["commit", "-q", "-m", "kept"]);
    world.in_town(["unsling", "--force", &bead]).ok();
    world.gt_killed("sling.3", "town", ["sling", &bead, "wyvern", "--resume"]);
    let started = || world.git("origin.git", ["for-each-ref", "--format=%(refname)", "refs/gt/*/start/**"]);
    assert!(!started().is_empty());
    let slung = sling(&world, &[&bead, "wyvern/Toast", "--resume"]).ok().json()["slung"].clone();
    assert_eq!(slung[0]["begin"], "earlier");
    wait_for("the agent", || world.path("far/home/env").exists().then_some(()));
    assert!(far_home(&world, "Toast").join("kept.txt").exists());
    assert!(world.read("far/home/last").contains("commits of an earlier attempt"));
    assert_eq!(started(), "", "what travelled is gone from origin, what the kill left as well");
    let _ = far;
}

#[test]
fn two_slings_of_one_bead_at_once_start_one_polecat() {
    let world = World::with_rig();
    let far = two(&world);
    let beads: Vec<String> = (0..3).map(|number| world.bead(&format!("Look {number}"), "true")).collect();
    let runs: Vec<_> = (0..6)
        .map(|number| {
            let mut command = world.command(gt(), "town");
            let words = ["sling", &beads[number % 3], "wyvern"];
            command.args(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let outputs: Vec<_> = runs.into_iter().map(|run| run.wait_with_output().unwrap()).collect();
    let won = outputs.iter().filter(|output| output.status.success()).count();
    assert_eq!(won, 3, "{outputs:#?}");
    let sessions = far.sessions();
    assert_eq!(sessions.len(), 3, "{sessions:?}");
    for bead in &beads {
        let name = world.polecat_of(bead);
        let session = sessions.iter().find(|own| own.name == format!("gt-wyvern-{name}")).unwrap();
        assert!(session.tags.contains(&format!("gt-b-{bead}")));
        wait_for("its place", || far_home(&world, &name).join("README.md").exists().then_some(()));
    }
    assert_eq!(records(&world)["sessions"].as_object().unwrap().len(), 3);
}

#[test]
fn when_there_is_here_it_is_the_same_folder() {
    let world = World::with_rig();
    let far = two(&world);
    world.unset("GASTOWN_REMOTE_TOWN");
    world.set("GASTOWN_POLECAT__AGENT", "shell");
    let first = world.bead("One", "echo 1 >1.txt");
    let second = world.bead("Two", "echo 2 >2.txt");
    sling(&world, &[&first, "wyvern/Nux"]).ok();
    letter(&world);
    assert!(world.path("town/wyvern/polecats/Nux/1.txt").exists());
    sling(&world, &[&second, "wyvern/Toast", "--local"]).ok();
    assert!(world.path("town/wyvern/polecats/Toast").exists());
    assert!(!world.show(&second)["labels"].to_string().contains("gt:remote:"));
    let _ = far;
}

#[test]
fn a_dry_run_asks_the_address_as_the_start_does() {
    let world = World::with_rig();
    let far = two(&world);
    world.set("GASTOWN_MAYOR__AGENT", "waits");
    let bead = world.bead("Look", "true");
    let all = |addr: &str| {
        for words in
            [&["sling", &bead, "wyvern"][..], &["sling", "--new", "A title", "wyvern"], &["mayor", "start"]]
        {
            let words = [words, &["--fugue-addr", addr]].concat();
            let would = world.in_town([&words[..], &["--dry-run"]].concat()).fails(1);
            assert_eq!(would.stderr, world.in_town(&words).fails(1).stderr, "{words:?}");
        }
    };
    all(&world.dead_addr());
    std::fs::remove_dir_all(world.path("fugue-bin")).unwrap();
    all(&far.addr);
    untouched(&world, None, &bead);
}

#[test]
fn crew_and_roles_go_there_when_a_flag_says_so() {
    let world = World::with_rig();
    let far = two(&world);
    world.set("GASTOWN_MAYOR__AGENT", "waits");
    world.in_town(["mayor", "start"]).ok();
    assert_eq!(far.sessions(), [], "the variable leaves the Mayor here");
    world.in_town(["mayor", "stop"]).ok();
    let would = ["mayor", "start", "--fugue-addr", &far.addr, "--dry-run", "--json"];
    let said = world.in_town(&would[..5]).ok().stdout;
    assert_eq!(said, format!("would start mayor/ on {} in {}\n", far.addr, world.str("far/the gt")));
    let plan = world.in_town(would).ok().json()["plan"][0].clone();
    assert_eq!(plan["spec"]["away"]["fugue_addr"], far.addr.as_str());
    let said = world.in_town(["mayor", "start", "--fugue-addr", &far.addr]).ok().stdout;
    assert_eq!(said, format!("started mayor/ on {} in session hq-mayor\n", far.addr));
    let tags = far.session("hq-mayor").unwrap().tags;
    assert!(tags.contains(&"gt-a-mayor/".into()), "{tags:?}");
    assert_eq!(world.session_of("mayor/"), "");
    assert!(world.in_town(["mayor", "start"]).ok().stdout.contains("runs already"));
    assert!(world.path("far/the gt").exists());
    world.in_town(["mayor", "stop"]).ok();
    assert_eq!(far.sessions(), []);
    assert!(!world.path("town/mayor/remote.json").exists());
    // Somebody's own clone, made over there.
    world.set("GASTOWN_CREW__AGENT", "waits");
    world.in_town(["crew", "add", "max", "--rig", "wyvern"]).ok();
    world.in_town(["session", "restart", "wyvern/crew/max", "--fugue-addr", &far.addr]).ok();
    let clone = world.path("far/the gt/wyvern/crew/max");
    wait_for("the clone", || clone.join("README.md").exists().then_some(()));
    assert!(far.session("gt-wyvern-crew-max").is_some());
    // A daemon that is silent: what is there is not known, and nothing is started twice.
    far.freeze();
    let run = world.in_town(["session", "restart", "wyvern/crew/max", "--local"]).fails(1);
    far.thaw();
    assert!(run.stderr.contains("hint: "), "{run:#?}");
    assert_eq!(world.session_of("wyvern/crew/max"), "");
}

#[test]
fn a_polecat_is_stopped_and_started_again_over_there() {
    let world = World::with_rig();
    let far = two(&world);
    let bead = world.bead("Look", "true");
    sling(&world, &[&bead, "wyvern/Nux"]).ok();
    let env = world.path("far/home/env");
    wait_for("the agent", || env.exists().then_some(()));
    let before = far.session("gt-wyvern-Nux").unwrap();
    std::fs::remove_file(&env).unwrap();
    world.unset("GASTOWN_FUGUE_ADDR");
    world.in_town(["session", "restart", "wyvern/Nux"]).ok();
    wait_for("the agent", || env.exists().then_some(()));
    let after = far.sessions();
    assert_eq!(after.len(), 1, "{after:?}");
    assert!(after[0].id != before.id && after[0].tags == before.tags, "{before:?} {after:?}");
}

/// gt is killed by the daemon's program itself: just before it asks for the session, and just after.
#[test]
fn a_kill_around_the_session_s_birth_starts_no_second_one() {
    for after in [false, true] {
        let world = World::with_rig();
        let far = two(&world);
        let bead = world.bead("Look", "true");
        let real = world.str("fugue-bin/fugue-compat");
        let first = if after { "\"$real\" \"$@\"; " } else { "" };
        let script = format!(
            "#!/bin/sh\nreal='{real}'\ncase \" $* \" in *' new-session '*) {first}kill -9 \"$PPID\"; exit 1;; esac\nexec \"$real\" \"$@\"\n"
        );
        world.program("fugue-compat", &script);
        assert_eq!(world.in_town(["sling", &bead, "wyvern/Nux"]).code, None);
        std::fs::remove_file(world.path("bin/fugue-compat")).unwrap();
        let records = records(&world);
        assert_eq!(records["sessions"]["wyvern/Nux"]["bead"], bead.as_str());
        let again = sling(&world, &[&bead, "wyvern"]);
        if after {
            again.fails(1);
        } else {
            again.ok();
        }
        wait_for("the agent", || world.path("far/home/env").exists().then_some(()));
        assert_eq!(far.sessions().len(), 1, "{after}");
    }
}

#[test]
fn a_pasted_prompt_reaches_the_agent_over_there() {
    let world = World::with_rig();
    let far = two(&world);
    world.program("typed", "#!/bin/sh\necho 'ready> '\nread -r line\nsh -c \"${line#Run \\`}\" 2>/dev/null\nprintf '%s' \"$line\" >\"$HOME/typed.new\"\nmv \"$HOME/typed.new\" \"$HOME/typed\"\necho busy\nsleep 600\n");
    world.settings(
        "[beads]\nstore = \"embedded\"\n[agents.types]\ncommand = [\"typed\"]\nprompt = \"paste\"\nready = { pattern = \"ready> \" }\nbusy = { pattern = \"busy\" }\nsubmit = { keys = [\"Enter\"], confirm = \"busy\" }\n",
    );
    world.set("GASTOWN_POLECAT__AGENT", "types");
    let bead = world.bead("Look", "true");
    sling(&world, &[&bead, "wyvern/Nux"]).ok();
    let typed = wait_for("the text", || std::fs::read_to_string(world.path("far/home/typed")).ok());
    assert!(typed.contains("cat \"$GT_PROMPT_FILE\""), "{typed}");
    let file = world.path("far/the gt/wyvern/mayor/rig/.git/worktrees/Nux/gt-prompt.md");
    assert!(std::fs::read_to_string(file).unwrap().contains("sh \"$GT_DONE\""));
    let _ = far;
}

/// git over there takes longer than the look, and then fails: nothing is undone behind anybody's back, and the same sling
/// starts it again.
#[test]
fn a_start_that_takes_long_is_said_to_be_under_way() {
    let world = World::with_rig();
    let far = two(&world);
    let bead = world.bead("Look", "true");
    let git = world.run("sh", "", ["-c", "command -v git"]).ok().stdout;
    // Only over there: its HOME tells.
    world.program(
        "git",
        &format!(
            "#!/bin/sh\ncase \"$HOME $* \" in */far/home*' clone '*) while [ ! -e \"$HOME/go\" ]; do sleep 0.05; done; echo 'fatal: no way' >&2; exit 128;; esac\nexec {} \"$@\"\n",
            git.trim()
        ),
    );
    let run = world.in_town(["sling", &bead, "wyvern/Nux"]).ok();
    assert!(run.stderr.contains("is still being made; see how it goes: gt attach wyvern/Nux"), "{run:#?}");
    assert_eq!(world.show(&bead)["status"], "hooked");
    world.write("far/home/go", "");
    wait_for("the reason", || far.screen("gt-wyvern-Nux").contains("no way").then_some(()));
    let id = far.session("gt-wyvern-Nux").unwrap().id;
    far.ask(["kill-session", "-t", &id]).ok();
    std::fs::remove_file(world.path("bin/git")).unwrap();
    let slung = sling(&world, &[&bead, "wyvern"]).ok().json()["slung"].clone();
    assert_eq!((slung[0]["address"].as_str(), slung[0].get("under_way")), (Some("wyvern/Nux"), None));
    wait_for("the agent", || world.path("far/home/env").exists().then_some(()));
}

/// The daemon falls silent after it was asked to start: whether it did is not known, so nothing is taken back. Once it
/// answers, what it started is ended, and the bead is free again.
#[test]
fn a_start_that_nobody_knows_of_is_ended_when_its_daemon_answers() {
    let world = World::with_rig();
    let far = two(&world);
    let bead = world.bead("Look", "true");
    let real = world.str("fugue-bin/fugue-compat");
    let stop = world.path("silent");
    let script = format!(
        "#!/bin/sh\ncase \" $* \" in *' new-session '*) touch '{0}'; '{real}' \"$@\" >/dev/null 2>&1; esac\n\
         [ ! -e '{0}' ] || exec sleep 600\nexec '{real}' \"$@\"\n",
        stop.display()
    );
    world.program("fugue-compat", &script);
    let run = sling(&world, &[&bead, "wyvern/Nux"]).fails(1);
    assert!(run.stderr.contains("no answer within 2 s"), "{run:#?}");
    assert_eq!(world.show(&bead)["assignee"], "wyvern/Nux", "it may run");
    assert!(world.path("town/wyvern/polecats/.names/Nux").exists());
    // Silent still: nobody else gets it.
    let run = sling(&world, &[&bead, "wyvern"]).fails(1);
    assert!(run.stderr.contains("hint"), "{run:#?}");
    std::fs::remove_file(stop).unwrap();
    std::fs::remove_file(world.path("bin/fugue-compat")).unwrap();
    wait_for("the agent", || world.path("far/home/env").exists().then_some(()));
    wait_for("its end", || {
        world.in_town(["remote", "sync"]).ok();
        world.in_town(["witness", "patrol", "wyvern"]).ok();
        (far.sessions().is_empty() && !world.path("town/mayor/remote.json").exists()).then_some(())
    });
    assert!(!far_home(&world, "Nux").exists());
    untouched(&world, Some(&far), &bead);
    sling(&world, &[&bead, "wyvern"]).ok();
}
