//! Direct landing, and looking at work before it is merged.

use gastown::beads::Change;
use gastown::model::bead::{NewBead, Patch};

use crate::common::{World, steps};
use crate::refinery::{
    bead, commit, hand_over, is_merged, laws, merge, on_main, process, runs, world, write,
};

/// A polecat with a worktree, a name and a bead, whose session has ended; and the commit that it made.
fn polecat(world: &World, name: &str, title: &str, files: &[(&str, &str)]) -> (String, String) {
    let id = write(world, &[Change::Create(Box::new(NewBead { title: title.into(), ..NewBead::default() }))])
        .remove(0);
    let dir = format!("town/wyvern/polecats/{name}");
    let branch = world.branch(name, &id);
    let path = world.str(&dir);
    world.git(
        "town/wyvern/mayor/rig",
        ["worktree", "add", "-q", "--no-track", "-b", &branch, &path, "origin/main"],
    );
    world.write(format!("town/wyvern/polecats/.names/{name}"), format!("{:0<16}", name.to_lowercase()));
    for (file, text) in files {
        world.write(format!("{dir}/{file}"), text);
    }
    if !files.is_empty() {
        world.git(&dir, ["add", "-A"]);
        world.git(&dir, ["commit", "-q", "-m", title]);
    }
    let patch = Patch {
        status: Some("in_progress".into()),
        assignee: Some(Some(format!("wyvern/{name}"))),
        ..Patch::default()
    };
    write(world, &[Change::Update(id.clone(), Box::new(patch))]);
    let commit = world.git(&dir, ["rev-parse", "HEAD"]);
    (id, commit)
}

fn land(world: &World, more: &[&str]) -> crate::common::Run {
    let mut words = vec!["land", "--direct", "wyvern/Nux"];
    words.extend(more);
    world.in_town(words)
}

fn is_gone(world: &World, id: &str) {
    assert!(!world.path("town/wyvern/polecats/Nux").exists());
    assert!(!world.path("town/wyvern/polecats/.names/Nux").exists());
    let branch = format!("refs/heads/{}", world.branch("Nux", id));
    for clone in ["town/wyvern/mayor/rig", "origin.git"] {
        assert_eq!(world.git(clone, ["for-each-ref", &branch]), "");
    }
    assert_eq!(world.git("town/wyvern/refinery/rig", ["for-each-ref", "refs/gt/direct"]), "");
}

#[test]
fn it_lands_closes_and_cleans_up() {
    for strategy in ["merge", "squash"] {
        let world = world();
        merge(&world, "strategy", strategy);
        let (id, _) = polecat(&world, "Nux", "Hotfix; $(x)", &[("a", "1\n")]);
        world.git("town/wyvern/polecats/Nux", ["push", "-q", "origin", "HEAD"]);
        let run = land(&world, &[]).ok();
        assert!(run.stdout.starts_with(&format!("landed     {id}")), "{}", run.stdout);
        assert!(on_main(&world, "a").is_some());
        let closed = bead(&world, &id);
        let main = world.git("origin.git", ["rev-parse", "main"]);
        assert_eq!(closed.close_reason, format!("merged: {main}"));
        assert_eq!(runs(&world), 1);
        is_gone(&world, &id);
        let gone = land(&world, &[]).fails(1);
        assert!(gone.stderr.contains("no polecat wyvern/Nux"), "{}", gone.stderr);
    }
}

#[test]
fn a_dry_run_prints_the_steps_and_touches_nothing() {
    let world = world();
    let (id, commit) = polecat(&world, "Nux", "Hotfix", &[("a", "1\n")]);
    let shown = land(&world, &["--dry-run"]).ok().stdout.replace(&id, "ID").replace(&commit[..10], "COMMIT");
    let shown = shown.replace(&world.town_id(), "TOWN");
    insta::assert_snapshot!(shown, @r#"
    1. checked: the session has ended, the work tree is clean
    2. fetch main
    3. put polecat/TOWN/Nux-ID at COMMIT onto it, by merge
    4. run the tests: echo run >> "$HOME/runs"; ! ls BAD* 2>/dev/null
    5. push main
    6. close ID Hotfix
    7. delete polecat/TOWN/Nux-ID and end wyvern/Nux
    "#);
    world.write("town/wyvern/polecats/Nux/new", "x");
    let shown = land(&world, &["--dry-run"]).ok().stdout;
    assert!(shown.starts_with("1. stop: wyvern/Nux has changes that are in no commit"), "{shown}");
    assert_eq!((on_main(&world, "a"), runs(&world)), (None, 0));
    assert_eq!(bead(&world, &id).status, "in_progress");
}

#[test]
fn each_check_stops_it_in_the_documents_order() {
    let world = world();
    let (id, _) = polecat(&world, "Nux", "Work", &[("README.md", "mine\n"), ("BAD", "")]);
    world.write("town/wyvern/polecats/Nux/new", "x");
    let town = world.real().join("town");
    world.tmux(["new-session", "-d", "-s", "gt-wyvern-Nux", "sleep 600"]).ok();
    for (mark, value) in
        [("@gt_town", town.to_str().unwrap()), ("@gt_address", "wyvern/Nux"), ("@gt_role", "polecat")]
    {
        world.tmux(["set-option", "-t", "gt-wyvern-Nux", mark, value]).ok();
    }
    let agent = format!("#{{pane_id}} #{{pane_pid}} ab12 wyvern/Nux polecat  {}", town.display());
    world.tmux(["set-option", "-p", "-F", "-t", "gt-wyvern-Nux", "@gt", &agent]).ok();
    world.tmux(["set-option", "-F", "-t", "gt-wyvern-Nux", "@gt_own", "#{session_id} ab12 agent"]).ok();
    let refused = |said: &str| {
        let run = land(&world, &[]).fails(1);
        assert!(run.stderr.contains(said) && run.stderr.contains("hint:"), "{}", run.stderr);
        assert_eq!(bead(&world, &id).status, "in_progress");
        assert!(world.path("town/wyvern/polecats/Nux").exists());
        assert_eq!(on_main(&world, "README.md").as_deref(), Some("# wyvern\n"));
    };
    refused("the session of wyvern/Nux has not ended");
    world.tmux(["kill-session", "-t", "=gt-wyvern-Nux"]).ok();
    refused("has changes that are in no commit:\n  ?? new");
    std::fs::remove_file(world.path("town/wyvern/polecats/Nux/new")).unwrap();
    let other = commit(&world, "other", "Theirs", &[("README.md", "theirs\n")], true);
    world.git("origin.git", ["update-ref", "refs/heads/main", &other]);
    let run = land(&world, &[]).fails(1);
    assert!(run.stderr.contains("conflicts with main in README.md"), "{}", run.stderr);
    world.git("town/wyvern/polecats/Nux", ["fetch", "-q", "origin"]);
    world.git("town/wyvern/polecats/Nux", ["rebase", "-q", "-X", "theirs", "origin/main"]);
    let run = land(&world, &[]).fails(1);
    assert!(run.stderr.contains("the tests fail: the test command ended with 1"), "{}", run.stderr);
    assert_eq!(on_main(&world, "BAD"), None);
    land(&world, &["--skip-tests"]).ok();
    assert_eq!(on_main(&world, "README.md").as_deref(), Some("mine\n"));
    is_gone(&world, &id);
}

#[test]
fn forced_over_changes_it_lands_the_commits_and_keeps_the_changes() {
    let world = world();
    let (id, _) = polecat(&world, "Nux", "Work", &[("a", "1\n"), ("BAD", "")]);
    world.write("town/wyvern/polecats/Nux/new", "x");
    let run = land(&world, &["--force"]).ok();
    assert!(run.stderr.contains("wyvern/Nux stays: it has changes"), "{}", run.stderr);
    assert_eq!((on_main(&world, "a").is_some(), runs(&world)), (true, 0));
    assert!(bead(&world, &id).close_reason.starts_with("merged: "));
    assert_eq!(world.read("town/wyvern/polecats/Nux/new"), "x");
    std::fs::remove_file(world.path("town/wyvern/polecats/Nux/new")).unwrap();
    land(&world, &[]).ok();
    is_gone(&world, &id);
}

#[test]
fn nothing_to_land_is_not_work_done() {
    let world = world();
    let (id, _) = polecat(&world, "Nux", "Idle", &[]);
    let run = land(&world, &[]).fails(1);
    assert!(run.stderr.contains("nothing to land"), "{}", run.stderr);
    assert_eq!(bead(&world, &id).status, "in_progress");
    let run = world.in_town(["land", "--direct", "wyvern/refinery"]).fails(2);
    assert!(run.stderr.contains("is no polecat"), "{}", run.stderr);
}

#[test]
fn a_waiting_request_lands_with_it() {
    let world = world();
    let (id, _) = polecat(&world, "Nux", "Handed over", &[("a", "1\n")]);
    let added = world.in_town(["mq", "add", "wyvern", "Nux", "--json"]).ok().json();
    let request = added["request"]["request"].as_str().unwrap().to_string();
    assert_eq!(bead(&world, &id).labels, ["gt:submitted"]);
    let again = world.in_town(["mq", "add", "wyvern", "Nux", "--json"]).ok().json();
    assert_eq!(again["request"]["request"], request);
    world.in_town(["mq", "add", "wyvern", "Toast"]).fails(2);
    land(&world, &[]).ok();
    assert!(bead(&world, &request).close_reason.starts_with("merged: "));
    assert!(bead(&world, &id).close_reason.starts_with("merged: "));
    is_gone(&world, &id);
}

#[test]
fn killed_after_any_step_the_same_command_completes() {
    let all = [steps("land", 1..=8), steps("end", 3..=5)].concat();
    let cases = all.into_iter().map(|step| ("merge", step));
    for (strategy, step) in cases.chain(["squash", "rebase"].map(|how| (how, "land.5".to_string()))) {
        let world = world();
        merge(&world, "strategy", strategy);
        let (id, commit) = polecat(&world, "Nux", "Work", &[("a", "1\n")]);
        world.gt_killed(&step, "town", ["land", "--direct", "wyvern/Nux"]);
        let run = land(&world, &[]);
        // Once the worktree is gone, the end of the polecat is the patrol's.
        if run.code != Some(0) {
            assert!(step.starts_with("end.") || step == "land.8", "{step}: {run:?}");
            world.in_town(["witness", "patrol", "wyvern"]).ok();
        }
        let merged = bead(&world, &id).close_reason;
        let landed = merged.strip_prefix("merged: ").unwrap();
        world.git("origin.git", ["merge-base", "--is-ancestor", landed, "main"]);
        let count = world.git("origin.git", ["rev-list", "--first-parent", "--count", "main"]);
        assert_eq!(count, "2", "{step}, {strategy}");
        is_gone(&world, &id);
        if strategy == "merge" {
            world.git("origin.git", ["merge-base", "--is-ancestor", &commit, "main"]);
        }
    }
}

#[test]
fn work_can_be_looked_at_before_it_is_merged() {
    let world = world();
    let (_, commit) = polecat(&world, "Nux", "Look at me", &[("a", "1\n")]);
    let dir = world.real().join("town/wyvern/polecats/Nux");
    let path = world.in_town(["path", "wyvern/Nux"]).ok().stdout;
    assert_eq!(path.trim_end(), dir.to_str().unwrap());
    let log = world.in_town(["log", "Nux"]).ok().stdout;
    assert!(log.starts_with(&commit[..7]) && log.contains("Look at me"), "{log}");
    world.write("town/wyvern/polecats/Nux/a", "2\n");
    world.write("town/wyvern/polecats/Nux/new", "");
    let diff = world.in_town(["diff", "wyvern/Nux"]).ok();
    assert!(diff.stdout.contains("+2") && diff.stderr.contains("new"), "{diff:?}");
    let json = world.in_town(["diff", "wyvern/Nux", "--json"]).ok().json();
    assert!(json["diff"]["text"].as_str().unwrap().contains("+2"));

    let gone = hand_over(&world, "Toast", "Only the request is left", &[("b", "3\n")], false);
    let diff = world.in_town(["diff", "wyvern/Toast"]).ok().stdout;
    assert!(diff.contains("+3"), "{diff}");
    let refinery = world.in_town(["path", "wyvern/refinery"]).ok().stdout;
    assert!(refinery.ends_with("wyvern/refinery/rig\n"), "{refinery}");
    for (command, address, code) in [
        ("path", "wyvern/Slit", 1),
        ("diff", "wyvern/Slit", 1),
        ("log", "mayor/", 2),
        ("diff", "no/way/at/all", 2),
    ] {
        let run = world.in_town([command, address]).fails(code);
        assert!(run.stderr.contains("hint:"), "{run:?}");
    }
    process(&world).ok();
    assert!(is_merged(&world, &gone));
    laws(&world, &[&gone]);
}

#[test]
fn what_only_the_person_may_do_is_refused_to_an_agent() {
    let world = world();
    let (_, _) = polecat(&world, "Nux", "Hotfix", &[("a", "1\n")]);
    world.set("GT_ROLE", "polecat");
    for flag in ["--force", "--skip-tests"] {
        let said = land(&world, &[flag]).fails(1).stderr;
        let wanted = format!(
            "gt: gt land {flag} is for the person, and this is an agent (polecat)\n\
             hint: ask the person: gt mail send overseer -s 'please run: gt land {flag}' -m WHY\n"
        );
        assert_eq!(said, wanted);
    }
    assert!(world.path("town/wyvern/polecats/Nux").exists());
    world.unset("GT_ROLE");
    land(&world, &["--skip-tests"]).ok();
}
