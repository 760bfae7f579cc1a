//! The deacon: a town that goes on while nobody types.

use crate::common::{World, finish, gt, kill, wait_for};

/// Commits; the runtime hands in what ends well.
fn works(file: &str) -> String {
    format!("echo work > {file}\ngit add {file}\ngit commit -qm '{file}'")
}

/// A town with tests that are green unless a file `red` is there, and its deacon.
fn world() -> World {
    let world = World::with_rig();
    world.settings("[beads]\nstore = \"embedded\"\n[merge]\ntest_command = \"test ! -e red\"\n");
    world.in_town(["daemon", "start"]).ok();
    world
}

fn wait_for_place(world: &World, bead: &str, status: &str) {
    wait_for(&format!("{bead} to be {status}"), || (world.show(bead)["status"] == status).then_some(()));
}

fn log(world: &World) -> String {
    world.read("town/mayor/deacon.log")
}

/// How often a line of the log ends like this.
fn done(world: &World, words: &str) -> usize {
    log(world).lines().filter(|line| line.ends_with(words)).count()
}

fn pid(world: &World) -> i32 {
    let file: serde_json::Value = serde_json::from_str(&world.read("town/mayor/deacon.json")).unwrap();
    i32::try_from(file["pid"].as_i64().unwrap()).unwrap()
}

fn signal(pid: i32, name: &str) {
    assert!(std::process::Command::new("kill").args([name, &pid.to_string()]).status().unwrap().success());
}

#[test]
fn what_is_slung_is_merged_and_its_polecat_ended_with_nothing_typed() {
    let world = world();
    let beads: Vec<String> =
        (0..3).map(|number| world.bead("Do it", &works(&format!("f{number}")))).collect();
    let mut words = vec!["sling"];
    words.extend(beads.iter().map(String::as_str));
    world.in_town(words.into_iter().chain(["wyvern"])).ok();
    beads.iter().for_each(|bead| wait_for_place(&world, bead, "closed"));
    wait_for("the polecats to be gone", || {
        let names = std::fs::read_dir(world.path("town/wyvern/polecats/.names")).unwrap().flatten();
        (names.filter(|name| !name.file_name().to_string_lossy().starts_with('.')).count() == 0).then_some(())
    });
    assert_eq!(world.git("origin.git", ["ls-tree", "--name-only", "main"]), "README.md\nf0\nf1\nf2");
    // The merge is reported after the last bead is closed.
    let log = || world.read("town/wyvern/logs/refinery.log").contains("merged").then_some(());
    wait_for("the report", log);
    let status = world.in_town(["daemon", "status", "--json"]).ok().json();
    assert_eq!(status["deacon"]["running"], true);
    assert_eq!(status["deacon"]["status"]["troubles"], serde_json::json!([]));
    assert!(world.in_town(["status"]).ok().stdout.contains("deacon    running"));
}

#[test]
fn a_crash_is_started_again_and_a_stop_is_not() {
    let world = world();
    // A script begins anew in a clean worktree: its second start finds what the first one left elsewhere.
    let script = format!("test -e ~/half || {{ echo x > ~/half; exit 3; }}\n{}", works("whole"));
    let bead = world.bead("Crashes once", &script);
    world.in_town(["sling", &bead, "wyvern"]).ok();
    wait_for_place(&world, &bead, "closed");
    assert_eq!(done(&world, &format!("gt sling {bead} wyvern --resume")), 1);

    let bead = world.bead("Is stopped", "touch begun\nsleep 600");
    world.in_town(["sling", &bead, "wyvern"]).ok();
    let name = world.polecat_of(&bead);
    let begun = world.path(format!("town/wyvern/polecats/{name}/begun"));
    wait_for("the script to begin", || begun.exists().then_some(()));
    world.in_town(["session", "stop", &format!("wyvern/{name}")]).ok();
    let looks =
        || world.in_town(["daemon", "status", "--json"]).ok().json()["deacon"]["status"]["looks"].as_i64();
    let before = looks().unwrap();
    world.in_town(["hold", &world.bead("Another", "true")]).ok();
    wait_for("the deacon to look again", || (looks().unwrap() > before).then_some(()));
    assert_eq!(done(&world, &format!("gt sling {bead} wyvern --resume")), 0);
    assert!(world.in_town(["polecats", "wyvern"]).ok().stdout.contains("crashed"));
    // Whoever starts it by hand has it looked after again.
    world.in_town(["sling", &bead, "wyvern", "--resume"]).ok();
    let session = world.session_of(&format!("wyvern/{name}"));
    let agent = world.tmux(["display-message", "-p", "-t", &session, "#{pane_pid}"]).stdout;
    signal(agent.trim().parse().unwrap(), "-KILL");
    wait_for("it to be started again", || {
        (done(&world, &format!("gt sling {bead} wyvern --resume")) == 1).then_some(())
    });
}

#[test]
fn a_town_that_was_stopped_starts_nothing_until_it_is_started() {
    let world = world();
    // As a place is free the deacon would start what waits, and what crashed again.
    let crashes = world.bead("Crashes", "exit 3");
    world.in_town(["sling", &crashes, "wyvern"]).ok();
    wait_for("its second start", || (done(&world, "--resume") == 1).then_some(()));
    let lives = world.bead("Lives", "sleep 600");
    world.in_town(["sling", &lives, "wyvern"]).ok();
    let stopped = world.in_town(["stop", "--all"]).ok();
    assert!(stopped.stderr.contains("the deacon starts nothing until: gt start"), "{stopped:#?}");
    let status = world.in_town(["daemon", "status", "--json"]).ok().json();
    assert_eq!(status["deacon"]["paused"]["town"], "");
    // Whom `deacon.json` names is not who is ended.
    let file = world.read("town/mayor/deacon.json").replace(&pid(&world).to_string(), "1");
    std::fs::write(world.path("town/mayor/deacon.json"), file.replace(".sock", ".none")).unwrap();
    assert_eq!(world.in_town(["daemon", "stop"]).ok().stdout, "the deacon has ended\n");
    world.in_town(["start"]);
    assert!(!world.read("town/mayor/state.json").contains("paused"));
    // What ran goes on with the town.
    world.in_town(["daemon", "start"]).ok();
    let again = format!("gt sling {lives} wyvern --resume");
    wait_for("what was stopped with the town to go on", || (done(&world, &again) == 1).then_some(()));
}

#[test]
fn more_than_there_are_places_for_waits_and_is_done_the_most_urgent_first() {
    let world = World::with_rig();
    world.settings("[beads]\nstore = \"embedded\"\n[merge]\ntest_command = \"true\"\nauto = true\n");
    world.set("GASTOWN_POLECAT__MAX_WORKERS", "1");
    world.in_town(["daemon", "start"]).ok();
    let bead = |number: usize| {
        world.bead_with("Do it", &works(&format!("f{number}")), &["-p", &(4 - number).to_string()])
    };
    let beads: Vec<String> = (0..4).map(bead).collect();
    let words = ["sling"].into_iter().chain(beads.iter().map(String::as_str)).chain(["wyvern"]);
    world.in_town(words).fails(3);
    beads.iter().for_each(|bead| wait_for_place(&world, bead, "closed"));
    let feed = world.in_town(["feed", "--since", "1h", "--rig", "wyvern", "--json"]).ok().json();
    let started: Vec<&str> = feed["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["kind"] == "started")
        .map(|event| event["bead"].as_str().unwrap())
        .collect();
    assert_eq!(started, [3, 2, 1, 0].map(|number| beads[number].as_str()), "{feed}");
}

#[test]
fn there_is_one_deacon_it_ends_when_asked_and_says_so() {
    let world = world();
    let second = world.in_town(["daemon", "run"]).fails(1);
    assert!(second.stderr.contains("the deacon of town runs already, process"), "{second:?}");
    assert_eq!(world.in_town(["daemon", "start"]).ok().stdout, "the deacon runs already\n");
    assert!(world.in_town(["daemon", "logs"]).ok().stdout.contains("the deacon of town begins"));
    assert_eq!(world.in_town(["deacon", "stop"]).ok().stdout, "the deacon has ended\n");
    assert_eq!(world.in_town(["daemon", "stop"]).ok().stdout, "no deacon runs\n");
    let status = world.in_town(["daemon", "status"]).fails(1);
    assert!(status.stdout.contains("start it with: gt daemon start"), "{status:?}");
    // Everything works as before.
    let bead = world.bead("Without it", &works("alone"));
    world.in_town(["sling", &bead, "wyvern"]).ok();
    wait_for("the request", || {
        world.in_town(["mq", "list", "wyvern"]).ok().stdout.contains(&bead).then_some(())
    });
    world.in_town(["refinery", "process", "wyvern"]).ok();
    wait_for_place(&world, &bead, "closed");
}

#[test]
fn a_pause_keeps_what_waits_until_it_is_taken_back() {
    let world = world();
    let paused = world.in_town(["pause", "wyvern", "--until", "2h"]).ok();
    assert!(paused.stdout.contains("take it back with: gt resume wyvern"), "{paused:?}");
    let bead = world.bead("Waits", &works("later"));
    world.in_town(["sling", &bead, "wyvern"]).ok();
    let name = world.polecat_of(&bead);
    let folder = world.path(format!("town/wyvern/polecats/{name}"));
    wait_for("the polecat's end, which is nothing new", || (!folder.exists()).then_some(()));
    assert_eq!(done(&world, "gt refinery process wyvern"), 0);
    assert!(world.in_town(["daemon", "status"]).ok().stdout.contains("wyvern is paused until"));
    assert_eq!(world.in_town(["resume", "wyvern"]).ok().stdout, "wyvern goes on\n");
    wait_for_place(&world, &bead, "closed");
    assert_eq!(world.in_town(["resume"]).ok().stdout, "the town town was not paused\n");
    let wrong = world.in_town(["pause", "--until", "yesterday"]).fails(2);
    assert!(wrong.stderr.contains("'yesterday' is no time that is to come"), "{wrong:?}");
    let agent = finish(world.command(gt(), "town").arg("pause").env("GT_ROLE", "polecat")).fails(1);
    assert!(agent.stderr.contains("is for the person"), "{agent:?}");
}

#[test]
fn killed_at_any_moment_the_next_deacon_brings_the_same_end_and_nothing_twice() {
    let world = world();
    let beads: Vec<String> =
        (0..4).map(|number| world.bead("Do it", &works(&format!("f{number}")))).collect();
    for bead in &beads {
        world.in_town(["sling", bead, "wyvern"]).ok();
        // What it ran goes on or is ended; a signal between two of its actions is a kill between two steps.
        signal(pid(&world), "-KILL");
        world.in_town(["daemon", "start"]).ok();
    }
    beads.iter().for_each(|bead| wait_for_place(&world, bead, "closed"));
    let merges = world.git("origin.git", ["log", "--merges", "--format=%s", "main"]);
    for bead in &beads {
        assert_eq!(merges.lines().filter(|line| line.contains(bead)).count(), 1, "{merges}");
    }
    let deacons =
        || kill::processes(&world).into_iter().filter(|(_, words)| words.ends_with("daemon run")).count();
    assert_eq!(deacons(), 1);
}

#[test]
fn what_needs_the_person_is_told_once_and_stands_first() {
    let world = World::with_rig();
    world.program("tells", "#!/bin/sh\nprintf '%s\\n' \"$1\" >>\"$HOME/told\"\n");
    world.settings(
        "[beads]\nstore = \"embedded\"\n[notify]\ncommand = [\"tells\", \"{{what}} -> {{help}}\"]\n",
    );
    assert!(world.in_town::<&str>([]).ok().stdout.starts_with("nothing needs you\n"));
    world.in_town(["daemon", "start"]).ok();
    let bead = world.bead("#(touch hacked) \u{1b}[31mred", &works("f"));
    world.in_town(["sling", &bead, "wyvern"]).ok();
    let told = wait_for("the person to be told", || {
        let told = std::fs::read_to_string(world.path("home/told")).unwrap_or_default();
        told.contains("waits for approval").then_some(told)
    });
    let request = world.in_town(["mq", "list", "wyvern", "--json"]).ok().json();
    let id = request["requests"][0]["id"].as_str().unwrap().to_string();
    assert_eq!(
        told,
        format!(
            "{bead} waits for approval: there is no merge.test_command, and merge.auto is not true -> gt mq approve {id}\n"
        )
    );
    let home = world.in_town::<&str>([]).ok().stdout;
    assert!(home.starts_with(&format!("{bead}  waits for approval:")), "{home}");
    assert!(home.contains("0 polecats at work, 0 to start, 1 to merge; the deacon runs"), "{home}");
    let needs: serde_json::Value = serde_json::from_str(&world.in_town(["--json"]).ok().stdout).unwrap();
    assert_eq!(needs["needs"][0]["help"], format!("gt mq approve {id}"));
    world.in_town(["mq", "approve", &id]).ok();
    wait_for_place(&world, &bead, "closed");
    assert_eq!(world.read("home/told"), told);
    let outside = world.gt::<&str>([]).ok().stdout;
    assert!(outside.contains("gt install ~/gt"), "{outside}");
}

#[test]
fn who_hands_on_its_work_goes_on_in_the_next_session() {
    let world = world();
    let handoff = format!("{} handoff -m 'the other half'", gt());
    let script = format!("test -e ~/half || {{ echo x > ~/half; {handoff}; sleep 60; }}\n{}", works("whole"));
    let bead = world.bead("In two halves", &script);
    world.in_town(["sling", &bead, "wyvern"]).ok();
    wait_for_place(&world, &bead, "closed");
    assert_eq!(done(&world, &format!("gt sling {bead} wyvern --resume")), 1);
    assert_eq!(world.git("origin.git", ["show", "main:whole"]), "work");
}

/// systemctl, as far as it counts here: what is enabled is started with the variables of its file and no others.
pub const SYSTEMCTL: &str = r#"#!/bin/sh
echo "$*" >> "$HOME/systemctl.log"
[ -z "${BROKEN:-}" ] || { echo 'Failed to connect to bus' >&2; exit 1; }
unit="$HOME/.config/systemd/user/$4"
case "$*" in
*'enable --now'*)
    environment=$(sed -n 's/^EnvironmentFile=//p' "$unit")
    line=$(sed -n 's/^ExecStart=//p' "$unit")
    env -i sh -c 'set -a; . "$1"; eval "exec $2"' sh "$environment" "$line" > /dev/null 2>&1 &
    ;;
esac
"#;

#[test]
fn a_deacon_that_is_a_service_has_the_variables_that_were_given_and_takes_the_place_of_another() {
    use std::os::unix::fs::PermissionsExt;

    let world = World::with_rig();
    world.settings("[beads]\nstore = \"embedded\"\n");
    world.program("systemctl", SYSTEMCTL);
    world.unset("XDG_CONFIG_HOME");
    world.set("ANTHROPIC_API_KEY", "one \"two\" $three");
    world.set("OTHER", "x");
    // Too deep for a socket: another folder is taken.
    let deep = world.path("deep").join("d".repeat(120));
    std::fs::create_dir_all(&deep).unwrap();
    world.set("XDG_RUNTIME_DIR", deep.to_str().unwrap());
    world.in_town(["daemon", "start"]).ok();
    let before = pid(&world);
    let dry = world.in_town(["daemon", "install", "--dry-run", "--json"]).ok().json();
    let service = dry["plan"]["service"].as_str().unwrap().to_string();
    let file = dry["plan"]["file"].as_str().unwrap().to_string();
    let missing = world.in_town(["daemon", "install", "--env", "NOT_THERE"]).fails(1);
    assert!(missing.stderr.contains("NOT_THERE is not set here"), "{missing:#?}");
    assert_eq!((pid(&world), std::path::Path::new(&file).exists()), (before, false));

    let plain = world.in_town(["daemon", "install"]).ok();
    assert!(plain.stderr.contains("gt daemon install --env ANTHROPIC_API_KEY"), "{plain:#?}");
    world.in_town(["daemon", "install", "--env", "ANTHROPIC_API_KEY"]).ok();
    assert_ne!(pid(&world), before);
    let given = std::fs::read_to_string(format!("/proc/{}/environ", pid(&world))).unwrap_or_default();
    if !given.is_empty() {
        assert!(given.contains("ANTHROPIC_API_KEY=one \"two\" $three\0"), "{given:?}");
        assert!(!given.contains("OTHER="), "{given:?}");
    }
    let mode = std::fs::metadata(world.path("town/mayor/deacon.env")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    world.set("GT_ROLE", "polecat");
    let refused = world.in_town(["daemon", "uninstall"]).fails(1);
    assert!(refused.stderr.contains("is for the person"), "{refused:#?}");
    world.unset("GT_ROLE");
    world.in_town(["daemon", "uninstall"]).ok();
    world.in_town(["daemon", "stop"]).ok();
    assert!(!std::path::Path::new(&file).exists() && !world.path("town/mayor/deacon.env").exists());
    let asked = std::fs::read_to_string(world.path("home/systemctl.log")).unwrap();
    assert!(asked.ends_with(&format!("--user disable --now {service}\n")), "{asked}");
    assert_eq!(world.in_town(["daemon", "uninstall"]).ok().stdout, "it is no service\n");

    world.set("BROKEN", "1");
    // It is as it was before.
    world.in_town(["daemon", "start"]).ok();
    let broken = world.in_town(["daemon", "install"]).fails(1);
    assert!(broken.stderr.contains("Failed to connect to bus"), "{broken:#?}");
    assert!(broken.stderr.contains("crontab -e"), "{broken:#?}");
    assert!(world.in_town(["daemon", "status"]).ok().stdout.starts_with("the deacon runs"));
    assert!(!std::path::Path::new(&file).exists() && !world.path("town/mayor/deacon.env").exists());
    std::fs::write(&file, "mine").unwrap();
    assert!(world.in_town(["daemon", "install"]).fails(1).stderr.contains("was not written by gt"));
}

/// A town whose agents wait until they are told to end, and its deacon.
fn waiting() -> World {
    let world = World::with_rig();
    world.settings(
        "[beads]\nstore = \"embedded\"\n[agents.waits]\ncommand = [\"sleep\", \"6000\"]\nprompt = \"none\"\n",
    );
    for role in ["MAYOR", "WITNESS"] {
        world.set(&format!("GASTOWN_{role}__AGENT"), "waits");
    }
    world.in_town(["daemon", "start"]).ok();
    world
}

#[test]
fn when_tmux_is_killed_what_ran_is_started_again_and_what_was_stopped_is_not() {
    let world = waiting();
    let bead = world.bead("Is at work", "exec sleep 6000");
    world.in_town(["sling", &bead, "wyvern"]).ok();
    wait_for_place(&world, &bead, "in_progress");
    world.in_town(["mayor", "start"]).ok();
    world.in_town(["witness", "start", "wyvern"]).ok();
    world.in_town(["witness", "stop", "wyvern"]).ok();
    let memory = || world.read("town/deacon/state.json").contains("\"mayor/\"");
    wait_for("the deacon to see the Mayor", || memory().then_some(()));
    let server = world.tmux(["display-message", "-p", "#{pid}"]).ok().stdout;
    signal(server.trim().parse().unwrap(), "-KILL");
    let name = world.polecat_of(&bead);
    wait_for("both to run again", || {
        let running = |address: &str| !world.session_of(address).is_empty();
        (running("mayor/") && running(&format!("wyvern/{name}"))).then_some(())
    });
    assert_eq!(world.session_of("wyvern/witness"), "");
    assert_eq!(done(&world, "gt apply wyvern/witness"), 0);
    assert_eq!(done(&world, &format!("gt sling {bead} wyvern --resume")), 1);
}

#[test]
fn a_witness_that_hands_on_goes_on_in_the_next_session_and_is_asked_no_more() {
    let world = World::with_rig();
    world.settings(&format!(
        "[beads]\nstore = \"embedded\"\n[agents.half]\nprompt = \"none\"\ncommand = [\"sh\", \"-c\", \"test -e ~/half || \
         {{ echo x > ~/half; {} handoff -m 'the rest'; }}; exec sleep 6000\"]\n",
        gt()
    ));
    world.set("GASTOWN_WITNESS__AGENT", "half");
    world.in_town(["daemon", "start"]).ok();
    world.in_town(["witness", "start", "wyvern"]).ok();
    wait_for("the next session", || (done(&world, "gt apply wyvern/witness") == 1).then_some(()));
    let asks = || world.read("town/wyvern/witness/state.json").contains("\"requesting_cycle\": true");
    wait_for("it to run", || (!world.session_of("wyvern/witness").is_empty() && !asks()).then_some(()));
    let inbox = world.in_town(["mail", "inbox", "wyvern/witness", "--json"]).ok().stdout;
    assert!(inbox.contains("the rest"), "{inbox}");
    assert_eq!(done(&world, "gt apply wyvern/witness"), 1);
}

#[test]
fn doctor_says_how_the_deacon_is() {
    let world = waiting();
    assert!(!world.in_town(["doctor"]).ok().stderr.contains("deacon"));
    let pid = pid(&world);
    signal(pid, "-STOP");
    let silent = world.in_town(["doctor", "-q"]).fails(1);
    signal(pid, "-CONT");
    let says = format!("The deacon, process {pid}, does not answer\n    see its log: gt daemon logs; end it");
    assert!(silent.stdout.contains(&says), "{silent:#?}");
    world.in_town(["daemon", "stop"]).ok();
    assert!(!world.in_town(["doctor"]).ok().stderr.contains("deacon"), "nobody runs");
    world.in_town(["mayor", "start"]).ok();
    world.set("GASTOWN_UP__DEACON", "true");
    let advice = world.in_town(["doctor", "--json"]).ok().json();
    let notes = advice["doctor"]["notes"].to_string();
    assert!(notes.contains("no deacon runs beside 1 agent") && notes.contains("gt daemon start"), "{notes}");
    world.set("GASTOWN_UP__DEACON", "false");
    assert!(!world.in_town(["doctor"]).ok().stderr.contains("deacon"), "settings ask for none");
}

#[test]
fn doctor_says_what_keeps_a_service_of_the_deacon_from_starting() {
    let world = World::with_rig();
    world.settings("[beads]\nstore = \"embedded\"\n");
    world.program("systemctl", SYSTEMCTL);
    world.unset("XDG_CONFIG_HOME");
    world.set("OPENAI_API_KEY", "x");
    world.in_town(["daemon", "install", "--env", "OPENAI_API_KEY"]).ok();
    assert!(!world.in_town(["doctor"]).ok().stderr.contains("service"));
    world.set("ANTHROPIC_API_KEY", "y");
    let missed = world.in_town(["doctor"]).ok().stderr;
    let help = "do not have ANTHROPIC_API_KEY, set here; give it to them with: \
                gt daemon install --env OPENAI_API_KEY --env ANTHROPIC_API_KEY";
    assert!(missed.contains(help), "{missed}");
    world.in_town(["daemon", "stop"]).ok();
    let unit = world.path(format!("home/.config/systemd/user/gt-{}.service", world.town_id()));
    let text = std::fs::read_to_string(&unit).unwrap();
    std::fs::write(&unit, text.replace(gt(), "/gone/gt")).unwrap();
    std::fs::remove_file(world.path("town/mayor/deacon.env")).unwrap();
    let out = world.in_town(["doctor", "-q"]).fails(1).stdout;
    assert!(out.contains("starts /gone/gt, which is gone\n    write it again"), "{out}");
    assert!(out.contains("are gone: mayor/deacon.env\n    write them again"), "{out}");
    world.in_town(["daemon", "install"]).ok();
    world.in_town(["doctor"]).ok();
}
