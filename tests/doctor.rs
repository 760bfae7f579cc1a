//! Doctor: source document 004's checks in its words, both layouts, and what killed commands leave.

use insta::assert_snapshot;

use crate::common::{World, runs, wait_for};
use crate::install::{embedded, plain, tree};

fn doctor(world: &World, words: &[&str], code: i32) -> String {
    let run = world.in_town([&["doctor"], words].concat()).fails(code);
    plain(world, &run.stdout)
}

#[test]
fn a_healthy_town_in_the_form_of_the_document() {
    let world = World::with_rig();
    world.set("HOME", world.real().to_str().unwrap());
    assert_snapshot!(doctor(&world, &[], 0), @"
    Workspace: ~/town

    ✓ Workspace config valid
    ✓ Workspace state valid
    ✓ Rig list valid
    ✓ Town beads valid
    ✓ Program bd linked
    ✓ Mayor prompt exists
    ✓ Presets directory exists
    ✓ Settings valid

    Rig: wyvern
    ✓ Rig config valid
    ✓ Refinery directory exists
    ✓ Refinery README exists
    ✓ Refinery state valid
    ✓ Refinery lock exists
    ✓ Refinery clone valid
    ✓ Mayor rig clone exists
    ✓ Gitignore entries present
    ✓ Rig beads valid
    ✓ Witness and Mayor state valid
    ✓ Agent directories exist

    Issues: 0 found, 0 fixed
    ");
    assert_eq!(doctor(&world, &["--quiet"], 0), "");
    world.set("LANG", "C");
    assert!(doctor(&world, &[], 0).is_ascii());
}

#[test]
fn what_is_missing_is_said_and_made_again() {
    let world = World::with_rig();
    for file in [
        "mayor/state.json",
        "bin/bd",
        "wyvern/refinery/README.md",
        "wyvern/refinery/state.json.lock",
        ".gitignore",
    ] {
        std::fs::remove_file(world.path("town").join(file)).unwrap();
    }
    for folder in ["config/presets", "wyvern/refinery/rig", "wyvern/plugins"] {
        std::fs::remove_dir_all(world.path("town").join(folder)).unwrap();
    }
    std::fs::remove_file(world.path("town/wyvern/.beads")).unwrap();
    world.write("town/.gt-new-abc/.gt-making", "");
    assert_snapshot!(doctor(&world, &["-q"], 1), @"
    Workspace: /world/town

    ✗ Missing workspace state
    ✗ Missing link bin/bd
    ✗ Missing config/presets/
    ✗ Left half-made: .gt-new-abc

    Rig: wyvern
    ✗ Missing refinery/README.md
    ✗ Missing refinery/state.json.lock
    ✗ Missing refinery/rig/ clone
    ✗ Missing gitignore entries
    ✗ Missing .beads of the rig
    ✗ Missing crew/, polecats/ or plugins/

    Issues: 10 found, 0 fixed
    Run with --fix to auto-repair
    ");
    let before = tree(&world, "town");
    assert!(
        doctor(&world, &["--fix", "--dry-run"], 1)
            .contains("✗ Missing refinery/rig/ clone (would be fixed)\n")
    );
    assert_eq!(tree(&world, "town"), before);
    let fixed = doctor(&world, &["--fix"], 0);
    assert!(fixed.contains("✓ Missing refinery/rig/ clone (fixed)\n"), "{fixed}");
    assert!(doctor(&world, &[], 0).contains("Issues: 0 found, 0 fixed\n"));
    assert_eq!(
        world.git("town/wyvern/refinery/rig", ["status", "--porcelain", "--branch"]),
        "## main...origin/main"
    );
    world.bead("still the same store", "true");
}

#[test]
fn a_rigs_configuration_is_made_again_from_what_else_knows_it() {
    let world = World::with_rig();
    let before = world.read("town/wyvern/config.json");
    let remove = || std::fs::remove_file(world.path("town/wyvern/config.json")).unwrap();
    remove();
    assert!(doctor(&world, &["-q"], 1).contains("✗ Missing config.json\n"));
    assert!(doctor(&world, &["--fix"], 0).contains("Rig config restored from "));
    assert_eq!(world.read("town/wyvern/config.json"), before);
    // With its settings, as they were when a command last looked after the rig.
    let mut json: serde_json::Value = serde_json::from_str(&before).unwrap();
    json["merge"]["test_command"] = "false".into();
    world.write("town/wyvern/config.json", json.to_string());
    doctor(&world, &["--fix"], 0);
    remove();
    doctor(&world, &["--fix"], 0);
    assert_eq!(world.read("town/wyvern/config.json"), json.to_string());
    // Without a copy, what is not known is said.
    remove();
    std::fs::remove_file(world.path("town/mayor/exports/wyvern.config.json")).unwrap();
    let said = doctor(&world, &["--fix", "-q"], 1);
    assert!(said.contains("without the settings that it had") && said.contains("test_command"), "{said}");
    assert!(!said.contains("Run with --fix"), "{said}");
    assert_eq!(world.read("town/wyvern/config.json"), before);
}

#[test]
fn what_is_broken_is_said_and_left_alone() {
    let world = World::with_rig();
    world.write("town/mayor/state.json", "{ \"version\": 1");
    world.write("town/wyvern/refinery/state.json", "");
    world.write("town/config/town.toml", "[merge]\nstrategie = \"merge\"\n");
    std::fs::remove_dir_all(world.path("town/wyvern/mayor/rig/.git")).unwrap();
    let out = doctor(&world, &["-q", "--fix"], 1);
    assert_snapshot!(out, @"
    Workspace: /world/town

    ✗ Workspace state broken: /world/town/mayor/state.json:1:14: EOF while parsing an object
        mend it by hand, or move it away and run: gt doctor --fix
    ✗ Settings broken: /world/town/config/town.toml:2:1: unknown key 'strategie' in [merge]
        see what is read, in order, with: gt config path

    Rig: wyvern
    ✗ Refinery state broken: /world/town/wyvern/refinery/state.json is empty: a write was cut short
        mend it by hand, or move it away and run: gt doctor --fix
    ✗ Mayor rig clone broken: it is no git clone, and not empty
        mend it by hand, or move it away and run: gt doctor --fix

    Issues: 4 found, 0 fixed
    ");
    assert_eq!(world.read("town/mayor/state.json"), "{ \"version\": 1");
    assert!(world.path("town/wyvern/mayor/rig/README.md").exists());
}

#[test]
fn settings_with_which_git_works_on_no_folder_are_found_and_mended() {
    let world = World::with_rig();
    let clone = "town/wyvern/mayor/rig";
    let config = format!("{clone}/.git/config");
    world.git("", ["config", "--file", &config, "core.bare", "yes"]);
    world.git("", ["config", "--file", "town/wyvern/refinery/rig/.git/config", "core.worktree", "/nowhere"]);
    let out = doctor(&world, &["-q"], 1);
    assert!(out.contains("✗ mayor/rig/.git/config says core.bare = yes, and git does not work"), "{out}");
    assert!(out.contains("✗ refinery/rig/.git/config says core.worktree = /nowhere"), "{out}");
    doctor(&world, &["--fix"], 0);
    world.git(clone, ["status"]);
    world.git("town/wyvern/refinery/rig", ["status"]);
    doctor(&world, &[], 0);
    let whole = world.read(&config);
    world.write(&config, format!("{whole}[\n"));
    let out = doctor(&world, &["-q", "--fix"], 1);
    assert!(out.contains("✗ git cannot read mayor/rig/.git/config: bad config line"), "{out}");
    assert_eq!(world.read(&config), format!("{whole}[\n"));
}

#[test]
fn a_clone_that_a_tool_made_bare_still_serves_every_command() {
    let world = World::waiting();
    let clone = "town/wyvern/mayor/rig";
    let bare = || world.git("", ["config", "--file", &format!("{clone}/.git/config"), "core.bare", "true"]);
    bare();
    world.in_town(["sling", "A title", "wyvern/Nux"]).ok();
    let place = "town/wyvern/polecats/Nux";
    world.write(format!("{place}/work.txt"), "work\n");
    world.git(place, ["add", "-A"]);
    world.git(place, ["commit", "-q", "-m", "work"]);
    for words in [
        &["status"][..],
        &["rig", "list"],
        &["polecats", "wyvern"],
        &["polecat", "list", "wyvern"],
        &["rig", "trust", "wyvern"],
        &["sync", "wyvern"],
        &["witness", "patrol", "wyvern"],
    ] {
        world.in_town(words).ok();
    }
    world.gt_in(place, ["done", "--exit"]).ok();
    world.in_town(["witness", "patrol", "wyvern"]).ok();
    crate::flow::wait_for_the_end(&world);
    world.in_town(["mq", "list", "wyvern"]).ok();
    world.in_town(["refinery", "process", "wyvern"]).ok();
    assert_eq!(crate::refinery::on_main(&world, "work.txt").as_deref(), Some("work\n"));
    world.in_town(["sling", "Another title", "wyvern/Toast"]).ok();
    world.in_town(["polecat", "nuke", "wyvern/Toast"]).ok();
    world.in_town(["gc", "wyvern"]).ok();
    world.in_town(["crew", "add", "ann", "--rig", "wyvern"]).ok();
    doctor(&world, &["--fix"], 0);
    world.git(clone, ["status"]);
    bare();
    world.in_town(["crew", "remove", "ann", "--rig", "wyvern"]).ok();
    // What would be lost cannot be read: nothing is removed before it can.
    let refused = world.in_town(["rig", "remove", "wyvern"]).fails(1).stderr;
    assert!(refused.contains("see what cannot be read: gt doctor"), "{refused}");
    doctor(&world, &["--fix"], 0);
    world.in_town(["rig", "remove", "wyvern"]).ok();
}

#[test]
fn an_identity_that_is_torn_is_still_a_town_to_doctor() {
    let world = embedded();
    world.gt(["install", "town"]).ok();
    world.write("town/mayor/town.json", "{");
    let out = doctor(&world, &["-q"], 1);
    assert_snapshot!(out, @"
    Workspace: /world/town

    ✗ Workspace config broken: /world/town/mayor/town.json:1:1: EOF while parsing an object
        mend it by hand, or move it away and run: gt install

    Issues: 1 found, 0 fixed
    ");
}

#[test]
fn json_has_every_check() {
    let world = World::with_rig();
    std::fs::remove_file(world.path("town/CLAUDE.md")).unwrap();
    let report = world.in_town(["doctor", "--json"]).fails(1).json();
    assert_eq!(report["schema_version"], 1);
    assert_eq!(report["doctor"]["found"], 1);
    let failed: Vec<_> = report["doctor"]["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|check| check["status"] == "fail")
        .collect();
    assert_eq!(failed[0]["message"], "Missing CLAUDE.md");
    assert_eq!(failed[0]["looked_at"], "CLAUDE.md");
    assert_eq!(report["doctor"]["rigs"][0]["name"], "wyvern");
}

#[test]
fn a_rig_can_be_examined_alone_and_a_wrong_name_is_refused() {
    let world = World::with_rig();
    world.in_town(["rig", "add", "other", &world.str("origin.git")]).ok();
    let out = doctor(&world, &["other"], 0);
    assert!(out.contains("Rig: other") && !out.contains("Rig: wyvern"), "{out}");
    let run = world.in_town(["doctor", "othr"]).fails(2);
    assert_eq!(run.stderr, "gt: no rig named 'othr'\nhint: did you mean 'other'? see them with: gt rigs\n");
}

#[test]
fn a_rig_that_the_list_lost_is_listed_again() {
    let world = World::with_rig();
    world.write("town/mayor/rigs.json", "{\"version\":1,\"rigs\":{}}\n");
    assert!(doctor(&world, &[], 1).contains("✗ Rig wyvern is not in mayor/rigs.json\n"));
    doctor(&world, &["--fix"], 0);
    assert_eq!(world.in_town(["rigs", "--json"]).ok().json()["rigs"][0]["name"], "wyvern");
}

/// A polecat's place made by hand, as far as a killed sling may have come.
fn half_sling(world: &World, commit: bool) -> String {
    let id = world.bead("work", "true");
    let clone = world.path("town/wyvern/mayor/rig");
    let place = world.str("town/wyvern/polecats/Nux");
    world.write("town/wyvern/polecats/.names/Nux", "0123456789abcdef");
    let branch = world.branch("Nux", &id);
    world.git(&clone, ["worktree", "add", "-q", "--no-track", "-b", &branch, &place, "origin/main"]);
    if commit {
        world.write("town/wyvern/polecats/Nux/new", "x");
        world.git(&place, ["add", "-A"]);
        world.git(&place, ["commit", "-q", "-m", "precious"]);
    }
    id
}

#[test]
fn a_sling_that_ended_before_its_bead_was_hooked_leaves_no_place() {
    let world = World::with_rig();
    half_sling(&world, false);
    let out = doctor(&world, &["-q"], 1);
    assert!(out.contains("✗ Polecat Nux has no bead, and was not ended\n"), "{out}");
    doctor(&world, &["--fix"], 0);
    assert!(!world.path("town/wyvern/polecats/Nux").exists());
    assert!(!world.path("town/wyvern/polecats/.names/Nux").exists());
    assert_eq!(world.git("town/wyvern/mayor/rig", ["branch", "--list", "polecat/*"]), "");
    doctor(&world, &[], 0);
}

#[test]
fn a_hooked_bead_that_never_began_goes_back_and_its_commits_stay() {
    let world = World::with_rig();
    let id = half_sling(&world, true);
    world.gt_in("town/wyvern", ["bd", "update", &id, "--status", "hooked", "--assignee", "wyvern/Nux"]).ok();
    let out = doctor(&world, &["-q"], 1).replace(&id, "BEAD");
    assert_snapshot!(out, @"
    Rig: wyvern
    ✗ Polecat Nux has BEAD and no session
        start it with: gt sling BEAD

    Issues: 1 found, 0 fixed
    Run with --fix to auto-repair
    ");
    doctor(&world, &["--fix"], 0);
    let bead = world.show(&id);
    assert_eq!((bead["status"].as_str(), bead["assignee"].as_str()), (Some("open"), None));
    let kept = world.git("town/wyvern/mayor/rig", ["log", "--format=%s", "--glob=refs/gt/recovery/*", "-1"]);
    assert_eq!(kept, "precious");
    doctor(&world, &[], 0);
}

#[test]
fn files_that_are_in_no_commit_are_never_removed() {
    let world = World::with_rig();
    half_sling(&world, false);
    world.write("town/wyvern/polecats/Nux/precious", "x");
    let out = doctor(&world, &["--fix"], 1);
    assert!(out.contains("files that are in no commit: ?? precious"), "{out}");
    assert!(!out.contains("Run with"), "{out}");
    assert!(doctor(&world, &["--fix", "--dry-run"], 1).ends_with("\nRun without --dry-run to auto-repair\n"));
    assert_eq!(world.read("town/wyvern/polecats/Nux/precious"), "x");
}

#[test]
fn what_doctor_advises_of_a_polecat_that_ended_takes_its_bead_back_whatever_lies_there() {
    let world = World::with_rig();
    let id = half_sling(&world, true);
    world.write("town/wyvern/polecats/Nux/draft", "x");
    let words = ["bd", "update", &id, "--status", "in_progress", "--assignee", "wyvern/Nux"];
    world.gt_in("town/wyvern", words).ok();
    let out = doctor(&world, &["-q"], 1);
    let advice = out.lines().find_map(|line| line.split_once("kept: gt ")).unwrap().1;
    world.in_town(advice.split(' ')).ok();
    assert_eq!(world.show(&id)["status"], "open");
    let listed = world.in_town(["polecat", "list"]).ok().stdout;
    assert!(listed.starts_with(&format!("kept  {id}  refs/gt/recovery/Nux/")), "{listed}");
    doctor(&world, &[], 0);
}

#[test]
fn names_beads_and_worktrees_without_anybody() {
    let world = World::with_rig();
    let id = world.bead("work", "true");
    world
        .gt_in("town/wyvern", ["bd", "update", &id, "--status", "in_progress", "--assignee", "wyvern/Slit"])
        .ok();
    let mine = world.bead("a person's", "true");
    world.gt_in("town/wyvern", ["bd", "update", &mine, "--status", "in_progress", "--assignee", "max"]).ok();
    world.write("town/wyvern/polecats/.names/Ace", "0123456789abcdef");
    half_sling(&world, false);
    std::fs::remove_dir_all(world.path("town/wyvern/polecats/Nux")).unwrap();
    std::fs::remove_file(world.path("town/wyvern/polecats/.names/Nux")).unwrap();
    let out = doctor(&world, &["-q"], 1).replace(&id, "BEAD");
    assert_snapshot!(out, @"
    Rig: wyvern
    ✗ Name Ace is taken by nobody
    ✗ Polecat Nux has no bead, and was not ended
    ✗ Bead BEAD is held by wyvern/Slit, who is no more
    ✗ Stale worktree polecats/Nux in mayor/rig

    Issues: 4 found, 0 fixed
    Run with --fix to auto-repair
    ");
    doctor(&world, &["--fix"], 0);
    assert_eq!(world.show(&id)["status"], "open");
    assert_eq!(world.show(&mine)["status"], "in_progress");
    doctor(&world, &[], 0);
}

#[test]
fn a_name_in_hand_is_left_alone() {
    let world = World::with_rig();
    world.write("town/wyvern/polecats/.names/Ace", "0123456789abcdef");
    let held = std::fs::File::open(world.path("town/wyvern/polecats/.names/Ace")).unwrap();
    held.lock().unwrap();
    doctor(&world, &["--fix"], 0);
    assert!(world.path("town/wyvern/polecats/.names/Ace").exists());
}

#[test]
fn only_this_towns_sessions_without_a_place_are_stopped() {
    let world = World::with_rig();
    let mark = world.real().join("town");
    let session = |name: &str, town: &str, address: &str| {
        world.tmux(["new-session", "-d", "-s", name, "sleep 600"]).ok();
        world.tmux(["set-option", "-t", name, "@gt_town", town]).ok();
        world.tmux(["set-option", "-t", name, "@gt_address", address]).ok();
        world.tmux(["set-option", "-F", "-t", name, "@gt_own", "#{session_id} ab12 alone"]).ok();
    };
    session("gone", mark.to_str().unwrap(), "lost/witness");
    session("ours", mark.to_str().unwrap(), "wyvern/witness");
    session("theirs", "/other/town", "lost/witness");
    world.tmux(["new-session", "-d", "-s", "gt-lost-witness", "sleep 600"]).ok();
    assert!(doctor(&world, &["-q"], 1).contains("✗ Session gone has no place: lost/witness\n"));
    doctor(&world, &["--fix"], 0);
    let left = world.tmux(["list-sessions", "-F", "#S"]).ok().stdout;
    assert_eq!(left, "gt-lost-witness\nours\ntheirs\n");
}

#[test]
fn what_an_agent_left_running_is_ended_with_its_stray_session_and_named() {
    let world = World::waiting();
    world.program("agent", "#!/bin/sh\ntrap '' HUP\nsetsid sleep 6000 &\necho $! > \"$HOME/pid.new\"\nmv \"$HOME/pid.new\" \"$HOME/pid\"\nwait\n");
    world.write("town/config/presets/crew.toml", "[crew]\nagent = \"own\"\n");
    world.write("town/config/town.toml", "[agents.own]\ncommand = [\"agent\"]\nprompt = \"none\"\n");
    world.in_town(["crew", "add", "max", "--rig", "wyvern"]).ok();
    world.in_town(["apply", "wyvern/crew/max"]).ok();
    let pid = wait_for("the agent", || {
        world.path("home/pid").exists().then(|| world.read("home/pid").trim().to_string())
    });
    std::fs::rename(world.path("town/wyvern/crew/max"), world.path("max")).unwrap();
    let said = doctor(&world, &["--fix"], 0);
    assert!(
        said.contains("wyvern/crew/max left processes running, now ended: ")
            && said.contains(&format!("sleep ({pid})")),
        "{said}"
    );
    assert!(!runs(&pid));
}

/// A town of the older layout, as source document 004 draws it.
pub fn older(world: &World) {
    world.origin("origin.git", &[("README.md", "# gastown\n")]);
    world.write(
        "town/mayor/config.json",
        "{\"type\":\"workspace\",\"version\":1,\"created_at\":\"2024-01-15T10:30:00Z\"}\n",
    );
    world.write("town/mayor/state.json", "{\"version\":1,\"projects\":{}}\n");
    world.write("town/mayor/mail/inbox.jsonl", "");
    world.write("town/mayor/boss/state.json", "{}\n");
    let url = world.str("origin.git");
    world.git("", ["clone", "-q", &url, "town/mayor/rigs/gastown"]);
    world.write("town/gastown/.gastown/config.json", format!("{{\"type\":\"rig\",\"git_url\":\"{url}\"}}\n"));
    world.write("town/gastown/refinery/README.md", "x\n");
    world.write("town/gastown/refinery/state.json", "{\"version\":1}\n");
    world.write("town/gastown/refinery/state.json.lock", "");
    world.write("town/.gitignore", "gastown/\n");
}

#[test]
fn the_older_layout_with_the_documents_own_sample() {
    let world = embedded();
    older(&world);
    world.set("HOME", world.real().to_str().unwrap());
    assert_snapshot!(doctor(&world, &[], 1), @"
    Workspace: ~/town

    ✓ Workspace config valid
    ✓ Workspace state valid
    ✓ Mail directory exists
    ✓ Boss state valid
    ✓ Rigs directory exists

    Rig: gastown
    ✓ Refinery directory exists
    ✓ Refinery README exists
    ✓ Refinery state valid
    ✓ Refinery lock exists
    ✗ Missing refinery/rig/ clone
    ✓ Mayor rig clone exists
    ✓ Gitignore entries present

    Issues: 1 found, 0 fixed
    Run with --fix to auto-repair
    ");
    doctor(&world, &["--fix"], 0);
    assert_eq!(
        world.git("town/gastown/refinery/rig", ["status", "--porcelain", "--branch"]),
        "## main...origin/main"
    );
    std::fs::remove_dir_all(world.path("town/mayor/mail")).unwrap();
    std::fs::remove_dir_all(world.path("town/mayor/rigs")).unwrap();
    std::fs::remove_dir_all(world.path("town/mayor/boss")).unwrap();
    assert_snapshot!(doctor(&world, &["-q"], 1), @"
    Workspace: ~/town

    ✗ Missing mail/ directory
    ✗ Missing boss/state.json
    ✗ Missing rigs/ directory

    Rig: gastown
    ✗ Missing Mayor rig clone

    Issues: 4 found, 0 fixed
    Run with --fix to auto-repair
    ");
    doctor(&world, &["--fix"], 0);
    doctor(&world, &[], 0);
    let run = world.in_town(["crew", "add", "max", "--rig", "gastown"]).fails(1);
    assert!(run.stderr.contains("gt migrate"), "{run:?}");
}

#[test]
fn a_clone_whose_head_was_cut_short_is_named_with_what_mends_it() {
    let world = World::with_rig();
    for clone in ["mayor/rig", "refinery/rig"] {
        let head = format!("town/wyvern/{clone}/.git/HEAD");
        let before = world.read(&head);
        world.write(&head, "");
        let run = world.in_town(["doctor"]).fails(1);
        assert!(run.stdout.contains("its HEAD names neither a branch nor a commit"), "{run:#?}");
        let hint = run.stdout.lines().find_map(|line| line.split_once("again: ")).unwrap().1;
        world.run("sh", "", ["-c", hint]).ok();
        assert_eq!(world.read(&head), before);
        world.in_town(["doctor"]).ok();
    }
}

#[test]
fn a_prompt_that_no_agent_would_be_told_as_it_is_is_named() {
    let world = World::with_rig();
    world.write("town/config/prompts/polecat.md", "You are {{agent}}: read `gt bd show {{bead}}`.\n");
    world.in_town(["doctor"]).ok();
    world.write("town/config/prompts/polcat.md", "");
    world.write("town/wyvern/config/prompts/crew.md", "{{nme}}: `gt slung x`\n");
    let found = world.in_town(["doctor"]).fails(1).stdout;
    assert!(found.contains("✗ Prompt config/prompts/polcat.md: 'polcat' is no role\n"), "{found}");
    assert!(found.contains("✗ Prompt config/prompts/crew.md: unknown placeholder '{{nme}}'\n"), "{found}");
    assert!(found.contains("✗ Prompt config/prompts/crew.md: gt does not know 'gt slung x'\n"), "{found}");
}
