//! Agent settings of a repository: no agent reads one that no person trusts, and no branch changes one unseen.

use serde_json::{Value, json};

use crate::common::terminal::Terminal;
use crate::common::{Run, World};
use crate::install::{embedded, plain};
use crate::refinery::{Handed, bead, hand_over, is_merged, merge, on_main, process, write};

/// A town, a program `claude` that waits, and an origin that tracks agent settings.
fn town() -> World {
    let world = embedded();
    world.origin(
        "origin.git",
        &[(".claude/settings.json", "{}\n"), ("AGENTS.md", "Be quick.\n"), ("README.md", "x\n")],
    );
    world.program("claude", "#!/bin/sh\nexec sleep 600\n");
    world.gt(["install", "town"]).ok();
    world
}

fn add(world: &World, more: &[&str]) -> Run {
    let url = world.str("origin.git");
    world.in_town([&["rig", "add", "wyvern", &url, "--prefix", "wy"], more].concat())
}

/// A new bead, and a sling of it with this agent.
fn sling(world: &World, agent: &str) -> (String, Run) {
    let bead = world.bead("Say hello", "sleep 600");
    let run = world.in_town(["sling", &bead, "wyvern", "--agent", agent]);
    (bead, run)
}

/// Somebody else pushes these files to origin's main.
fn others_push(world: &World, files: &[(&str, &str)]) {
    if !world.path("other").exists() {
        world.git("", ["clone", "-q", "origin.git", "other"]);
    }
    world.git("other", ["pull", "-q"]);
    for (path, text) in files {
        world.write(format!("other/{path}"), text);
    }
    world.git("other", ["add", "-A"]);
    world.git("other", ["commit", "-q", "-m", "theirs"]);
    world.git("other", ["push", "-q"]);
}

fn said(world: &World, run: &Run) -> String {
    plain(world, &run.stderr)
}

#[test]
fn without_a_terminal_a_rig_is_added_untrusted_and_agents_that_read_its_settings_wait() {
    let world = town();
    let run = add(&world, &[]).ok();
    insta::assert_snapshot!(said(&world, &run), @r#"
    the repository of wyvern tracks agent settings; they can run commands and instruct agents:
      .claude/settings.json (read by claude, opencode)
      AGENTS.md (read by codex, copilot, opencode, pi)
    not trusted: no agent that reads them starts in wyvern until: gt rig trust wyvern
    next: cd /world/town/wyvern && gt bd create "the first piece of work"
    "#);
    let (bead, refused) = sling(&world, "claude");
    let refused = refused.fails(1);
    insta::assert_snapshot!(said(&world, &refused), @"
    gt: claude would read agent settings of wyvern that are not trusted: .claude/settings.json
    hint: look at them in /world/town/wyvern/mayor/rig, then trust them with: gt rig trust wyvern
    ");
    assert_eq!(world.show(&bead)["status"], "open");
    assert_eq!(world.in_town(["polecats", "wyvern", "--json"]).ok().json()["polecats"], json!([]));
    // A new title makes no bead that cannot be slung.
    world.in_town(["sling", "Say more of it", "wyvern", "--agent", "claude"]).fails(1);
    let open = world.gt_in("town/wyvern", ["bd", "list", "--json"]).ok().json();
    assert_eq!(open.as_array().unwrap().len(), 1);
    // Codex reads AGENTS.md; a script reads nothing.
    let codex = world.in_town(["sling", &bead, "wyvern", "--agent", "codex"]).fails(1);
    assert!(codex.stderr.contains("not trusted: AGENTS.md\n"), "{codex:#?}");
    sling(&world, "shell").1.ok();
    assert!(world.in_town(["rig", "list"]).ok().stdout.contains(", agent settings not trusted"));
    assert!(world.in_town(["doctor"]).ok().stderr.contains("gt rig trust wyvern"));

    let asked = world.in_town(["rig", "trust", "wyvern", "--dry-run"]).ok();
    assert!(asked.stdout.contains("new      .claude/settings.json (read by claude, opencode)"), "{asked:#?}");
    world.set("GT_ROLE", "polecat");
    assert!(world.in_town(["rig", "trust", "wyvern"]).fails(1).stderr.contains("is for the person"));
    world.unset("GT_ROLE");
    let trusted = world.in_town(["rig", "trust", "wyvern"]).ok();
    assert!(trusted.stdout.ends_with("trusted 2 agent settings of wyvern\n"), "{trusted:#?}");
    world.in_town(["sling", &bead, "wyvern", "--agent", "claude"]).ok();
    assert!(!world.in_town(["rig", "list"]).ok().stdout.contains("not trusted"));
    assert!(!world.in_town(["doctor"]).ok().stderr.contains("trust"));
}

#[test]
fn on_a_terminal_the_person_is_asked() {
    for (answer, trusted) in [("y", true), ("n", false)] {
        let world = town();
        let url = world.str("origin.git");
        let gt = crate::common::gt();
        let terminal =
            Terminal::open(&world, &format!("cd town; {gt} rig add wyvern {url} --prefix wy 2>&1"));
        crate::common::wait_for("the question", || {
            terminal.screen().contains("trust them? [y/N]").then_some(())
        });
        terminal.keys(&[answer, "Enter"]);
        assert_eq!(terminal.ended(), 0, "{}", terminal.screen());
        assert_eq!(sling(&world, "claude").1.code, Some(if trusted { 0 } else { 1 }), "{answer}");
    }
}

#[test]
fn what_others_push_is_not_trusted_until_it_is_looked_at() {
    let world = town();
    add(&world, &["--trust"]).ok();
    others_push(&world, &[("src/main.c", "x\n")]);
    sling(&world, "claude").1.ok();
    // The fetch of the sling itself brings it.
    others_push(&world, &[(".claude/settings.json", "{\"hooks\":{}}\n"), ("web/CLAUDE.md", "Hurry.\n")]);
    let (bead, run) = sling(&world, "claude");
    let run = run.fails(1);
    assert!(run.stderr.contains("not trusted: .claude/settings.json, web/CLAUDE.md\n"), "{run:#?}");
    assert_eq!(world.show(&bead)["status"], "open");
    let trust = world.in_town(["rig", "trust", "wyvern"]).ok();
    assert!(
        trust.stdout.contains("changed  .claude/settings.json")
            && trust.stdout.contains("new      web/CLAUDE.md")
    );
    world.in_town(["sling", &bead, "wyvern", "--agent", "claude"]).ok();
}

#[test]
fn a_member_of_the_crew_starts_on_trusted_settings_alone() {
    let world = town();
    add(&world, &["--no-trust"]).ok();
    world.in_town(["crew", "add", "ann", "--rig", "wyvern"]).ok();
    let start = ["apply", "wyvern/crew/ann"];
    let run = world.in_town(start);
    assert!(run.code != Some(0) && run.stderr.contains("not trusted"), "{run:#?}");
    assert_eq!(world.session_of("wyvern/crew/ann"), "");
    world.in_town(["rig", "trust", "wyvern"]).ok();
    world.in_town(start).ok();
    assert_ne!(world.session_of("wyvern/crew/ann"), "");
}

#[test]
fn without_its_file_nothing_is_trusted_and_the_person_is_asked_again() {
    let world = town();
    add(&world, &["--trust"]).ok();
    sling(&world, "claude").1.ok();
    std::fs::remove_file(world.path("town/wyvern/mayor/trust.json")).unwrap();
    let finding = "agent settings are not trusted, and no agent that reads them starts: .claude/settings.json, AGENTS.md";
    assert!(world.in_town(["doctor"]).ok().stderr.contains(finding));
    assert!(world.in_town(["doctor", "--fix"]).ok().stderr.contains(finding));
    for _ in 0..2 {
        let run = sling(&world, "claude").1.fails(1);
        assert!(run.stderr.contains("not trusted: .claude/settings.json"), "{run:#?}");
    }
    world.in_town(["rig", "trust", "wyvern"]).ok();
    assert_eq!(world.in_town(["doctor"]).ok().stderr, "");
    sling(&world, "claude").1.ok();
}

#[test]
fn files_that_settings_name_are_settings_as_well() {
    let world = town();
    others_push(
        &world,
        &[
            ("CLAUDE.md", "Read @docs/rules.md, and write to @ann or a@docs/other.md.\n"),
            ("docs/rules.md", "Then @./more.md.\n"),
            ("docs/more.md", "Be **@deep.txt**.\n"),
            ("docs/deep.txt", "See @../linked/last.md.\n"),
            ("real/last.md", "Be bold.\n"),
            ("docs/other.md", "x\n"),
            (
                ".claude/settings.json",
                "{\"hooks\":{\"Stop\":[{\"command\":\"$CLAUDE_PROJECT_DIR/tools/stop.sh -x\"}]}}\n",
            ),
            ("tools/stop.sh", "true\n"),
            (".env", "GEMINI_API_KEY=x\n"),
        ],
    );
    world.git("", ["clone", "-q", "origin.git", "linker"]);
    std::os::unix::fs::symlink("real", world.path("linker/linked")).unwrap();
    world.git("linker", ["add", "-A"]);
    world.git("linker", ["commit", "-q", "-m", "link"]);
    world.git("linker", ["push", "-q"]);
    add(&world, &["--trust"]).ok();
    sling(&world, "claude").1.ok();
    for file in ["real/last.md", "docs/more.md", "tools/stop.sh"] {
        others_push(&world, &[(file, "touch evil\n")]);
        let run = sling(&world, "claude").1.fails(1);
        assert!(run.stderr.contains(&format!("not trusted: {file}\n")), "{run:#?}");
        world.in_town(["rig", "trust", "wyvern"]).ok();
    }
    others_push(&world, &[("docs/other.md", "y\n"), (".env", "GEMINI_BASE_URL=x\n")]);
    sling(&world, "claude").1.ok();
    let run = sling(&world, "gemini").1.fails(1);
    assert!(run.stderr.contains("not trusted: .env\n"), "{run:#?}");
}

#[test]
fn a_restart_leaves_what_runs_where_it_could_not_start_again() {
    let world = town();
    add(&world, &["--trust"]).ok();
    world.in_town(["crew", "add", "ann", "--rig", "wyvern"]).ok();
    world.in_town(["apply", "wyvern/crew/ann"]).ok();
    let session = world.session_of("wyvern/crew/ann");
    world.write("town/wyvern/crew/ann/CLAUDE.md", "Be bold.\n");
    world.git("town/wyvern/crew/ann", ["add", "CLAUDE.md"]);
    world.git("town/wyvern/crew/ann", ["commit", "-q", "-m", "More"]);
    let run = world.in_town(["session", "restart", "wyvern/crew/ann"]).fails(1);
    assert!(run.stderr.contains("not trusted: CLAUDE.md"), "{run:#?}");
    assert!(!session.is_empty() && world.session_of("wyvern/crew/ann") == session);
}

#[test]
fn a_test_command_is_taken_or_proposed() {
    let world = town();
    others_push(&world, &[("Cargo.toml", ""), ("Makefile", "all:\n")]);
    let run = add(&world, &["--no-trust"]).ok();
    let proposed = "gt config set merge.test_command 'cargo test' --rig wyvern";
    assert!(run.stderr.contains(&format!("to test it: {proposed}\n")), "{run:#?}");
    world.in_town(["rig", "remove", "wyvern"]).ok();
    let run = add(&world, &["--no-trust", "--test", "make ${X:-check} $$"]).ok();
    assert!(!run.stderr.contains("no test command"), "{run:#?}");
    let config: Value = serde_json::from_str(&world.read("town/wyvern/config.json")).unwrap();
    assert_eq!(config["merge"], json!({ "target": "main", "test_command": "make $${X:-check} $$" }));
}

/// A rig with work that changes agent settings, and work that does not.
fn queue() -> (World, Handed, Handed) {
    let world = town();
    add(&world, &["--trust"]).ok();
    merge(&world, "test_command", "true");
    let sly = hand_over(&world, "Nux", "Sly", &[(".claude/settings.json", "{\"hooks\":1}\n")], true);
    let good = hand_over(&world, "Toast", "Good", &[("a", "1\n")], true);
    (world, sly, good)
}

#[test]
fn a_branch_that_changes_agent_settings_waits_for_the_person_and_others_are_merged() {
    let (world, sly, good) = queue();
    let run = process(&world).ok();
    assert!(is_merged(&world, &good) && on_main(&world, "a").is_some());
    assert_eq!(bead(&world, &sly.request).status, "open");
    let waits = format!(
        "it changes agent settings: .claude/settings.json; look at it and consent with: gt mq approve {}",
        sly.request
    );
    assert!(run.stdout.contains(&format!("waits      {}  {waits}", sly.bead)), "{run:#?}");
    let list = world.in_town(["mq", "list", "wyvern"]).ok().stdout;
    assert!(list.contains("waits for approval  Sly") && list.contains(&waits), "{list}");
    assert!(world.in_town(["mq", "status"]).ok().stdout.contains("1 in the queue, 1 for approval"));
    let status = world.in_town(["status"]).ok().stdout;
    assert!(
        status.contains(&format!("{} waits for approval: it changes agent settings", sly.bead)),
        "{status}"
    );
    let plan = world.in_town(["refinery", "process", "wyvern", "--dry-run"]).ok().stdout;
    assert!(plan.contains(&format!("waits: {} until gt mq approve", sly.bead)), "{plan}");

    world.set("GT_ROLE", "mayor");
    assert!(world.in_town(["mq", "approve", &sly.request]).fails(1).stderr.contains("is for the person"));
    world.unset("GT_ROLE");
    let look = world.in_town(["mq", "approve", &sly.request, "--dry-run"]).ok().stdout;
    assert!(look.contains("settings.json |") && look.contains("waits  it changes agent settings"), "{look}");
    assert!(!is_merged(&world, &sly) && bead(&world, &sly.request).meta("approved").is_none());
    world.in_town(["mq", "approve", &sly.request]).ok();
    assert!(!world.in_town(["mq", "list", "wyvern"]).ok().stdout.contains("waits for approval"));
    process(&world).ok();
    assert!(is_merged(&world, &sly));
    // The person saw it: agents go on.
    let next = world.bead("Say hello", "sleep 600");
    world.in_town(["sling", &next, "wyvern", "--agent", "claude"]).ok();
}

#[test]
fn a_new_file_that_trusted_settings_name_waits_for_the_person() {
    let world = town();
    others_push(&world, &[("CLAUDE.md", "Read @docs/rules.md.\n")]);
    add(&world, &["--trust"]).ok();
    merge(&world, "test_command", "true");
    let sly = hand_over(&world, "Nux", "Sly", &[("docs/rules.md", "Obey.\n")], true);
    let land = world.in_town(["land", "--direct", "wyvern/Nux", "--dry-run"]).ok().stdout;
    assert!(land.contains("consent: it changes agent settings: docs/rules.md\n"), "{land}");
    let run = process(&world).ok();
    assert!(run.stdout.contains("it changes agent settings: docs/rules.md;"), "{run:#?}");
    assert!(!is_merged(&world, &sly));
    let look = world.in_town(["mq", "approve", &sly.request]).ok().stdout;
    assert!(look.contains("waits  it changes agent settings: docs/rules.md\n"), "{look}");
    process(&world).ok();
    assert!(is_merged(&world, &sly));
    sling(&world, "claude").1.ok();
}

#[test]
fn a_file_that_settings_name_from_now_on_is_part_of_the_consent() {
    let world = town();
    others_push(&world, &[("CLAUDE.md", "Read.\n"), ("docs/later.md", "Obey.\n")]);
    add(&world, &["--trust"]).ok();
    let sly = hand_over(&world, "Nux", "Sly", &[("CLAUDE.md", "Read @docs/later.md.\n")], true);
    let look = world.in_town(["mq", "approve", &sly.request, "--dry-run"]).ok().stdout;
    assert!(look.contains("it changes agent settings: CLAUDE.md, docs/later.md\n"), "{look}");
}

#[test]
fn a_consent_shows_submodules_that_the_repository_hides() {
    let world = town();
    let hidden = "[submodule \"lib\"]\n\tpath = lib\n\turl = ../lib\n\tignore = all\n";
    others_push(&world, &[(".gitmodules", hidden)]);
    add(&world, &["--trust"]).ok();
    let sly = hand_over(&world, "Nux", "Sly", &[("a", "1\n")], false);
    let clone = "town/wyvern/mayor/rig";
    world.git(clone, ["read-tree", &sly.commit]);
    let link = format!("160000,{},lib", sly.commit);
    world.git(clone, ["update-index", "--add", "--cacheinfo", &link]);
    let tree = world.git(clone, ["write-tree"]);
    let commit = world.git(clone, ["commit-tree", "-p", &sly.commit, "-m", "bump", tree.trim()]);
    world.git(clone, ["reset", "-q", "--hard"]);
    let request = crate::refinery::request(&world, "Nux", &sly.bead, "Sly", &sly.branch, commit.trim());
    let look = world.in_town(["mq", "approve", &request, "--dry-run"]).ok().stdout;
    assert!(look.contains(" lib | 1 +\n"), "{look}");
    assert!(look.contains("it changes agent settings: lib\n"), "nobody can look into it: {look}");
}

#[test]
fn a_consent_is_about_what_the_merge_changes() {
    let world = town();
    add(&world, &["--trust"]).ok();
    merge(&world, "test_command", "true");
    let same = hand_over(&world, "Nux", "Same", &[("AGENTS.md", "Be slow.\n"), ("a", "1\n")], true);
    // The target has that change meanwhile.
    others_push(&world, &[("AGENTS.md", "Be slow.\n")]);
    world.in_town(["rig", "trust", "wyvern"]).ok();
    let look = world.in_town(["mq", "approve", &same.request, "--dry-run"]).ok().stdout;
    assert!(!look.contains("agent settings"), "{look}");
    let land = world.in_town(["land", "--direct", "wyvern/Nux", "--dry-run"]).ok().stdout;
    assert!(!land.contains("agent settings"), "{land}");
    process(&world).ok();
    assert!(is_merged(&world, &same));
}

#[test]
fn a_submodule_is_trusted_as_a_whole_and_by_its_commit() {
    let world = embedded();
    world.program("claude", "#!/bin/sh\nexec sleep 600\n");
    world.origin("lib.git", &[("CLAUDE.md", "Be quick.\n")]);
    world.origin("origin.git", &[("README.md", "x\n")]);
    world.git("", ["clone", "-q", "origin.git", "other"]);
    world.git("other", ["submodule", "--quiet", "add", &world.str("lib.git"), "lib"]);
    others_push(&world, &[]);
    world.gt(["install", "town"]).ok();
    let run = add(&world, &[]).ok();
    insta::assert_snapshot!(said(&world, &run), @r#"
    the repository of wyvern tracks agent settings; they can run commands and instruct agents:
      .gitmodules
      lib (a submodule: what is in it is not looked into)
    not trusted: no agent that reads them starts in wyvern until: gt rig trust wyvern
    next: cd /world/town/wyvern && gt bd create "the first piece of work"
    "#);
    assert!(sling(&world, "claude").1.fails(1).stderr.contains("not trusted: .gitmodules, lib\n"));
    world.in_town(["rig", "trust", "wyvern"]).ok();
    sling(&world, "claude").1.ok();
    world.write("other/lib/CLAUDE.md", "Be quicker.\n");
    world.git("other/lib", ["commit", "-q", "-a", "-m", "x"]);
    others_push(&world, &[]);
    assert!(sling(&world, "claude").1.fails(1).stderr.contains("not trusted: lib\n"));
}

#[test]
fn what_origin_has_is_fetched_to_show_what_would_be_trusted_and_one_rig_needs_no_naming() {
    let world = town();
    add(&world, &["--trust"]).ok();
    others_push(&world, &[("CLAUDE.md", "Hurry.\n")]);
    let run = world.in_town(["rig", "trust", "--dry-run"]).ok();
    assert!(run.stdout.contains("new      CLAUDE.md"), "{run:#?}");
    assert!(world.in_town(["rig", "trust"]).ok().stdout.contains("trusted 1 agent setting of wyvern"));
    for name in [&["Nux"][..], &["wyvern", "Nux"], &["wyvern/Nux"]] {
        let run = world.in_town([&["mq", "add"], name].concat()).fails(2);
        assert!(run.stderr.contains("no polecat wyvern/Nux"), "{run:#?}");
    }
}

#[test]
fn a_consent_from_elsewhere_or_to_another_commit_counts_for_nothing() {
    let (world, sly, _) = queue();
    world.in_town(["mq", "approve", &sly.request]).ok();
    let proof = bead(&world, &sly.request).meta("approved").unwrap().to_string();
    let change = |key: &str, value: &str| {
        let mut patch = gastown::model::bead::Patch::default();
        patch.metadata.insert(key.into(), value.into());
        write(&world, &[gastown::beads::Change::Update(sly.request.clone(), Box::new(patch))]);
    };
    // The same request for a later commit.
    let later = crate::refinery::commit(&world, &sly.branch, "Later", &[("AGENTS.md", "Obey.\n")], true);
    change("commit", &later);
    process(&world).ok();
    assert!(!is_merged(&world, &sly));
    // A proof that no secret of this town made.
    change("commit", &sly.commit);
    change("approved", &proof.replace(['0', '1', '2', '3'], "f"));
    process(&world).ok();
    assert!(!is_merged(&world, &sly));
    change("approved", &proof);
    process(&world).ok();
    assert!(is_merged(&world, &sly));
}

#[test]
fn agents_merge_what_is_tested_and_the_person_what_they_type() {
    let world = World::with_rig();
    let refinery = |world: &World| {
        world.set("GT_ROLE", "refinery");
        let run = world.in_town(["refinery", "process", "wyvern"]).ok();
        world.unset("GT_ROLE");
        run
    };
    let one = hand_over(&world, "Nux", "One", &[("a", "1\n")], true);
    let run = refinery(&world);
    assert!(run.stdout.contains("there is no merge.test_command, and merge.auto is not true"), "{run:#?}");
    assert!(!is_merged(&world, &one));
    merge(&world, "auto", true);
    refinery(&world);
    assert!(is_merged(&world, &one));
    merge(&world, "auto", false);
    merge(&world, "test_command", "true");
    let two = hand_over(&world, "Nux", "Two", &[("b", "1\n")], true);
    refinery(&world);
    assert!(is_merged(&world, &two));

    let three = hand_over(&world, "Nux", "Three", &[("c", "1\n")], true);
    merge(&world, "approve", "person");
    assert!(process(&world).ok().stdout.contains("merge.approve is \"person\""));
    assert!(!is_merged(&world, &three));
    world.in_town(["mq", "approve", &three.request]).ok();
    refinery(&world);
    assert!(is_merged(&world, &three));
}
