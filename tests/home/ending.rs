//! The end of polecats on other machines: on ones that answer, that are silent, that come back.

use serde_json::{Value, json};

use super::{CLONE, Far, INSTANCE, SECRET};
use crate::common::fugue::Daemon;

/// The polecat's place and session on a daemon's machine, as a start leaves them.
fn settle(far: &Far, daemon: &Daemon<'_>) {
    let there = daemon.folder().join("town");
    let (clone, home) = (there.join("wyvern/mayor/rig"), there.join("wyvern/polecats/Nux"));
    std::fs::create_dir_all(clone.parent().unwrap()).unwrap();
    far.world.git("", ["clone", "-q", "origin.git", clone.to_str().unwrap()]);
    let words = ["worktree", "add", "-q", "-b", &far.branch(), home.to_str().unwrap(), "origin/main"];
    far.world.git(&clone, words);
    far.world.write(clone.join(".git/worktrees/Nux/gt-instance"), INSTANCE);
    let root = far.world.real().join("town");
    let town = gastown::town::Town::find(&root, None).unwrap();
    let tags = format!(
        "remote,gt-i-{INSTANCE},gt-t-{},gt-a-wyvern/Nux,gt-b-{}",
        gastown::town::away::town_id(&town).unwrap(),
        far.bead
    );
    daemon.ask(["new-session", "-d", "-s", "gt-wyvern-Nux", "--tags", &tags, "exec sleep 600"]).ok();
    let id = daemon.session("gt-wyvern-Nux").unwrap().id;
    let record = json!({"version": 1, "sessions": {"wyvern/Nux": {
        "remote": daemon.addr, "fugue_addr": daemon.addr, "town": there.to_str().unwrap(),
        "session": "gt-wyvern-Nux", "id": id, "instance": INSTANCE, "bead": far.bead, "branch": far.branch(),
        "secret": SECRET, "leaving": false}}});
    far.world.write("town/mayor/remote.json", record.to_string());
    let label = format!("gt:remote:{}", daemon.addr);
    far.world.gt_in("town/wyvern", ["bd", "update", &far.bead, "--remove-label", "gt:remote:far"]).ok();
    far.world.gt_in("town/wyvern", ["bd", "update", &far.bead, "--add-label", &label]).ok();
}

/// Nothing of the polecat is left, neither there nor here.
#[track_caller]
fn nothing_left(far: &Far, daemon: &Daemon<'_>, when: &str) {
    assert_eq!(daemon.sessions(), [], "{when}");
    let there = daemon.folder().join("town/wyvern");
    assert!(!there.join("polecats/Nux").exists(), "{when}");
    assert_eq!(far.world.git(there.join("mayor/rig"), ["for-each-ref", "refs/heads/polecat"]), "", "{when}");
    assert_eq!(far.record(), Value::Null, "{when}");
    assert!(!far.world.path("town/mayor/remote.json").exists(), "{when}");
    assert!(!far.world.path("town/wyvern/polecats/.names/Nux").exists(), "{when}");
    assert_eq!(far.world.git(CLONE, ["for-each-ref", "refs/heads/polecat"]), "", "{when}");
}

#[test]
fn who_has_handed_in_is_ended_on_its_machine() {
    let far = Far::new();
    let daemon = far.world.daemon("far");
    settle(&far, &daemon);
    let commit = far.done();
    let said = far.world.in_town(["remote", "sync"]).ok();
    assert!(said.stdout.contains(&format!("wyvern/Nux  ended on {}; kept under ", daemon.addr)), "{said:?}");
    nothing_left(&far, &daemon, "at once");
    far.came_home(&commit, "at once");
    assert!(far.world.path(format!("town/wyvern/logs/Nux-{INSTANCE}.screen.txt")).exists());
}

#[test]
fn killed_at_any_step_of_its_end_the_same_command_or_a_patrol_completes() {
    for (number, step) in
        ["leave.1", "leave.2", "leave.3", "leave.4", "leave.5", "end.3", "end.4", "end.5"].iter().enumerate()
    {
        let far = Far::new();
        let daemon = far.world.daemon("far");
        settle(&far, &daemon);
        let commit = far.done();
        far.world.gt_killed(step, "town", ["remote", "sync", "wyvern"]);
        let words =
            if number % 2 == 0 { ["remote", "sync", "wyvern"] } else { ["witness", "patrol", "wyvern"] };
        far.world.in_town(words).ok();
        // What is left once the record is gone is a name, as any patrol finds it.
        if number % 2 == 0 {
            far.world.in_town(["witness", "patrol", "wyvern"]).ok();
        }
        nothing_left(&far, &daemon, step);
        far.came_home(&commit, step);
    }
}

#[test]
fn while_its_daemon_is_dead_the_work_comes_home_and_the_end_waits() {
    let far = Far::new();
    let daemon = far.world.daemon("far");
    settle(&far, &daemon);
    daemon.freeze();
    let commit = far.done();
    far.world.in_town(["refinery", "process", "wyvern"]).ok();
    assert_eq!(far.world.git("origin.git", ["show", "main:work.txt"]), "work");
    assert_eq!(far.world.show(&far.bead)["status"], "closed");
    let said = far.world.in_town(["remote", "sync", "wyvern"]).ok();
    let waits = format!("wyvern/Nux  is not ended on {0} yet: {0} does not answer\n", daemon.addr);
    assert_eq!(said.stdout, waits);
    far.world.in_town(["witness", "patrol", "wyvern"]).ok();
    assert_eq!(far.record()["leaving"], true);
    assert!(far.world.path("town/wyvern/polecats/.names/Nux").exists());
    daemon.thaw();
    far.world.in_town(["witness", "patrol", "wyvern"]).ok();
    nothing_left(&far, &daemon, "once it answers");
    assert!(far.kept().ends_with(&commit), "{}", far.kept());
}

#[test]
fn an_agent_that_is_silent_is_given_up_only_when_a_person_says_so() {
    let far = Far::new();
    let daemon = far.world.daemon("far");
    settle(&far, &daemon);
    let work = daemon.folder().join("town/wyvern/polecats/Nux/half.txt");
    std::fs::write(&work, "half").unwrap();
    daemon.freeze();
    for words in [
        &["unsling", &far.bead][..],
        &["polecat", "release", "wyvern/Nux"],
        &["sling", &far.bead, "wyvern", "--resume"],
    ] {
        far.world.in_town(words).fails(1);
    }
    far.world.in_town(["witness", "patrol", "wyvern"]).ok();
    assert_eq!(far.world.show(&far.bead)["assignee"], "wyvern/Nux");
    assert_eq!(far.mail("overseer"), Vec::<Value>::new());
    let said = far.world.in_town(["polecat", "release", "--force", "wyvern/Nux"]).ok();
    assert_eq!(said.stdout, format!("wyvern/Nux released; {} is open again\n", far.bead));
    assert!(said.stderr.contains("does not answer), and its name stays taken until then"), "{said:?}");
    let shown = far.world.show(&far.bead);
    assert_eq!(
        (shown["status"].as_str(), shown.get("assignee"), shown.get("labels")),
        (Some("open"), None, None)
    );
    assert!(far.world.path("town/wyvern/polecats/.names/Nux").exists());
    daemon.thaw();
    far.world.in_town(["remote", "sync"]).ok();
    nothing_left(&far, &daemon, "once it answers");
    // What was in no commit over there is one now, here, and the bead names it.
    let recovery = format!("refs/gt/recovery/Nux/{INSTANCE}");
    assert_eq!(far.world.show(&far.bead)["metadata"]["recovery"], recovery.as_str());
    assert_eq!(far.world.git(CLONE, ["show", &format!("{recovery}:half.txt")]), "half");
    assert_eq!(far.at_origin(), "");
}

#[test]
fn a_machine_that_is_gone_for_good_is_forgotten_only_after_it_was_given_up() {
    let far = Far::new();
    let daemon = far.world.daemon("far");
    settle(&far, &daemon);
    far.world.set("GASTOWN_FUGUE_ADDR", &daemon.addr);
    daemon.freeze();
    let end = |words: &[&str]| {
        assert!(far.world.path("town/mayor/remote.json").exists());
        far.world.in_town([&["polecat"], words].concat()).ok()
    };
    let released = end(&["release", "--force", "wyvern/Nux"]).stdout;
    assert!(released.starts_with("wyvern/Nux released"), "{released}");
    let again = end(&["release", "--force", "wyvern/Nux", "--json"]).json();
    assert!(again["released"]["waits"].is_string(), "{again}");
    assert_eq!(end(&["nuke", "wyvern/Nux", "--json"]).json()["released"]["forgotten"], true);
    assert!(!far.world.path("town/mayor/remote.json").exists());
    assert!(!far.world.path("town/wyvern/polecats/.names/Nux").exists());
    // Back after all: its session is nobody's any more.
    daemon.thaw();
    far.world.in_town(["witness", "patrol", "wyvern"]).ok();
    assert_eq!(daemon.sessions(), []);
}

#[test]
fn one_at_work_is_ended_by_hand_and_its_bead_names_what_it_had() {
    let far = Far::new();
    let daemon = far.world.daemon("far");
    settle(&far, &daemon);
    std::fs::write(daemon.folder().join("town/wyvern/polecats/Nux/half.txt"), "half").unwrap();
    assert!(far.world.in_town(["unsling", &far.bead]).fails(1).stderr.contains("is at work"));
    let said = far.world.in_town(["polecat", "nuke", "wyvern/Nux"]).ok();
    let recovery = format!("refs/gt/recovery/Nux/{INSTANCE}");
    let wanted =
        format!("wyvern/Nux ended; {} is open again; its commits are kept under {recovery}\n", far.bead);
    assert_eq!(said.stdout, wanted);
    nothing_left(&far, &daemon, "at once");
    assert_eq!(far.world.show(&far.bead)["metadata"]["recovery"], recovery.as_str());
    assert_eq!(far.world.git(CLONE, ["show", &format!("{recovery}:half.txt")]), "half");
}

#[test]
fn killed_at_any_step_of_a_release_it_is_completed() {
    for step in ["release.1", "release.3", "leave.2", "leave.3", "leave.4", "leave.5", "end.3"] {
        let far = Far::new();
        let daemon = far.world.daemon("far");
        settle(&far, &daemon);
        std::fs::write(daemon.folder().join("town/wyvern/polecats/Nux/half.txt"), "half").unwrap();
        far.world.gt_killed(step, "town", ["polecat", "nuke", "wyvern/Nux"]);
        far.world.in_town(["witness", "patrol", "wyvern"]).ok();
        nothing_left(&far, &daemon, step);
        let recovery = format!("refs/gt/recovery/Nux/{INSTANCE}");
        assert_eq!(far.world.git(CLONE, ["show", &format!("{recovery}:half.txt")]), "half", "{step}");
        let shown = far.world.show(&far.bead);
        assert_eq!((shown["status"].as_str(), shown.get("labels")), (Some("open"), None), "{step}");
        assert_eq!(shown["metadata"]["recovery"], recovery.as_str(), "{step}");
    }
}

#[test]
fn a_restarted_daemon_s_shell_is_a_crash_and_never_written_to() {
    let far = Far::new();
    let daemon = far.world.daemon("far");
    settle(&far, &daemon);
    daemon.restart();
    far.world.in_town(["witness", "patrol", "wyvern"]).ok();
    assert_eq!(far.mail("overseer").len(), 1);
    assert_eq!(daemon.sessions().len(), 1);
    let work = daemon.folder().join("town/wyvern/polecats/Nux/half.txt");
    std::fs::write(work, "half").unwrap();
    far.world.in_town(["polecat", "release", "wyvern/Nux"]).ok();
    nothing_left(&far, &daemon, "after a restart");
    assert!(far.kept().contains(INSTANCE), "{}", far.kept());
}

#[test]
fn work_that_ended_before_it_was_collected_is_no_crash() {
    let far = Far::new();
    let daemon = far.world.daemon("far");
    settle(&far, &daemon);
    let commit = far.done();
    daemon.ask(["kill-session", "-t", "gt-wyvern-Nux"]).ok();
    // An origin that cannot be read leaves it open which of the two it is.
    std::fs::rename(far.world.path("origin.git"), far.world.path("gone.git")).unwrap();
    let said = far.world.in_town(["witness", "patrol", "wyvern"]).ok();
    assert!(said.stderr.contains("what was handed in elsewhere waits"), "{said:?}");
    assert_eq!(far.mail("overseer"), Vec::<Value>::new());
    std::fs::rename(far.world.path("gone.git"), far.world.path("origin.git")).unwrap();
    far.world.in_town(["witness", "patrol", "wyvern"]).ok();
    assert_eq!(far.mail("overseer"), Vec::<Value>::new());
    nothing_left(&far, &daemon, "at once");
    far.came_home(&commit, "at once");
}

#[test]
fn of_two_daemons_a_dead_one_keeps_nothing_of_the_other_back() {
    let far = Far::new();
    let daemon = far.world.daemon("far");
    settle(&far, &daemon);
    let path = far.world.path("town/mayor/remote.json");
    let mut records: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let dead = far.world.dead_addr();
    records["sessions"]["wyvern/Toast"] = json!({"remote": "dead", "fugue_addr": dead, "town": "/x", "session": "s",
        "id": "x", "instance": "00000003cccccccc", "bead": "wy-none", "leaving": true});
    std::fs::write(&path, records.to_string()).unwrap();
    far.done();
    let said = far.world.in_town(["remote", "sync"]).ok();
    assert!(said.stdout.contains("wyvern/Nux  ended on "), "{said:?}");
    assert!(
        said.stdout.contains("wyvern/Toast  is not ended on dead yet: dead does not answer\n"),
        "{said:?}"
    );
    assert_eq!(daemon.sessions(), []);
}

#[test]
fn a_place_that_cannot_be_taken_away_says_why_and_is_tried_again() {
    let far = Far::new();
    let daemon = far.world.daemon("far");
    settle(&far, &daemon);
    far.done();
    let git = daemon.folder().join("town/wyvern/polecats/Nux/.git");
    let text = std::fs::read(&git).unwrap();
    std::fs::write(&git, "gitdir: /nowhere\n").unwrap();
    let said = far.world.in_town(["remote", "sync"]).ok();
    assert!(
        said.stdout.contains("wyvern/Nux  is not ended on ") && said.stdout.contains("is no worktree of"),
        "{said:?}"
    );
    assert_eq!(daemon.sessions(), []);
    assert_eq!(far.record()["leaving"], true);
    std::fs::write(&git, text).unwrap();
    far.world.in_town(["remote", "sync"]).ok();
    nothing_left(&far, &daemon, "once it is mended");
}

#[test]
fn what_was_pushed_elsewhere_can_be_looked_at_and_landed() {
    let far = Far::new();
    let daemon = far.world.daemon("far");
    settle(&far, &daemon);
    let nothing = far.world.in_town(["diff", "wyvern/Nux"]).fails(1);
    assert!(nothing.stderr.contains("nothing of it was pushed yet"), "{nothing:?}");
    far.work("work");
    assert!(far.world.in_town(["diff", "wyvern/Nux"]).ok().stdout.contains("+work"));
    assert!(far.world.in_town(["log", "wyvern/Nux"]).ok().stdout.contains("work"));
    let path = far.world.in_town(["path", "wyvern/Nux"]).fails(1);
    assert!(path.stderr.contains("/far/town/wyvern/polecats/Nux\nhint: "), "{path:?}");
    let runs = far.world.in_town(["land", "--direct", "wyvern/Nux"]).fails(1);
    assert!(runs.stderr.contains("has not ended"), "{runs:?}");
    far.world.in_town(["session", "stop", "wyvern/Nux"]).ok();
    assert_eq!(daemon.sessions(), []);
    far.world.in_town(["land", "--direct", "wyvern/Nux"]).ok();
    assert_eq!(far.world.git("origin.git", ["show", "main:work.txt"]), "work");
    assert_eq!(far.world.show(&far.bead)["status"], "closed");
    nothing_left(&far, &daemon, "landed");
}

#[test]
fn what_comes_to_a_town_that_forgot_waits_for_a_person() {
    let far = Far::new();
    let daemon = far.world.daemon("far");
    settle(&far, &daemon);
    far.world.set("GASTOWN_FUGUE_ADDR", &daemon.addr);
    far.world.set("GASTOWN_REMOTE_TOWN", &far.world.str("far/town"));
    std::fs::remove_file(far.world.path("town/mayor/remote.json")).unwrap();
    let commit = far.done();
    daemon.ask(["kill-session", "-t", "gt-wyvern-Nux"]).ok();
    far.world.in_town(["witness", "patrol", "wyvern"]).ok();
    assert_eq!(far.letters()[0]["why"], "this town remembers no such session");
    assert!(!far.at_origin().is_empty());
    far.world.in_town(["remote", "sync", "wyvern", "--adopt"]).ok();
    far.came_home(&commit, "without a record");
    far.world.in_town(["witness", "patrol", "wyvern"]).ok();
    // Its bead says no more where it was: its place over there is what the next start of the name takes over.
    assert!(!far.world.path("town/wyvern/polecats/.names/Nux").exists());
}

#[test]
fn doctor_knows_records_and_asks_nobody_who_is_silent() {
    let far = Far::new();
    let daemon = far.world.daemon("far");
    settle(&far, &daemon);
    let doctor = |words: &[&str]| far.world.in_town([&["doctor"], words].concat());
    doctor(&[]).ok();
    assert!(far.world.read("town/.gitignore").contains("/mayor/remote.json\n"));
    // Of an agent that nobody knows, on a machine that answers and on one that does not.
    let path = "town/mayor/remote.json";
    let mut records: Value = serde_json::from_str(&far.world.read(path)).unwrap();
    let mut stray = records["sessions"]["wyvern/Nux"].clone();
    stray["instance"] = "00000004dddddddd".into();
    stray["id"] = "none".into();
    records["sessions"]["gone/witness"] = stray.clone();
    stray["fugue_addr"] = far.world.dead_addr().into();
    records["sessions"]["lost/witness"] = stray;
    far.world.write(path, records.to_string());
    let found = doctor(&[]).fails(1).stdout;
    assert!(found.contains("Session elsewhere of gone/witness, who has no place"), "{found}");
    doctor(&["--fix"]).fails(1);
    let left: Value = serde_json::from_str(&far.world.read(path)).unwrap();
    let left: Vec<&String> = left["sessions"].as_object().unwrap().keys().collect();
    assert_eq!(left, ["lost/witness", "wyvern/Nux"]);
    // A bead that was given back by hand: what is over there is ended.
    far.world.write(
        path,
        json!({"version": 1, "sessions": {"wyvern/Nux": records["sessions"]["wyvern/Nux"]}}).to_string(),
    );
    far.world.gt_in("town/wyvern", ["bd", "update", &far.bead, "--status", "open", "--assignee", ""]).ok();
    daemon.ask(["kill-session", "-t", "gt-wyvern-Nux"]).ok();
    assert!(doctor(&[]).fails(1).stdout.contains("Polecat Nux has no bead, and was not ended"));
    daemon.freeze();
    doctor(&["--fix"]).ok();
    assert!(far.world.path(path).exists());
    daemon.thaw();
    doctor(&["--fix"]).ok();
    assert_eq!(far.record(), Value::Null);
    assert!(!daemon.folder().join("town/wyvern/polecats/Nux").exists());
    far.world.write(path, "{\"version\": 1, \"sess");
    let broken = doctor(&[]).fails(1).stdout;
    assert!(broken.contains("Record of sessions elsewhere broken"), "{broken}");
}
