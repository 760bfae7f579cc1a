//! Everyday answers: who and what a person means, and what is true of it.

use crate::common::World;

/// A town with a bead that a polecat works on, and another that waits in the queue without its polecat.
fn town() -> (World, String, String) {
    let world = World::waiting();
    let works = world.bead("It works", "true");
    world.in_town(["sling", &works, "wyvern/Nux"]).ok();
    let queued = world.bead("It is done", "true");
    world.in_town(["sling", &queued, "wyvern/Toast"]).ok();
    let dir = "town/wyvern/polecats/Toast";
    world.write(format!("{dir}/done.txt"), "done\n");
    world.git(dir, ["add", "-A"]);
    world.git(dir, ["commit", "-qm", "It is done"]);
    world.gt_in(dir, ["done"]).ok();
    (world, works, queued)
}

#[test]
fn a_bead_is_found_from_anywhere_and_means_its_polecat() {
    let (world, works, queued) = town();
    std::fs::create_dir_all(world.path("elsewhere")).unwrap();
    world.set("GT_TOWN_ROOT", &world.str("town"));
    for dir in ["town", "town/mayor", "town/wyvern/polecats/Nux", "elsewhere"] {
        let show = |words: &[&str]| world.gt_in(dir, words).ok().stdout;
        assert!(show(&["bd", "show", &works]).contains("It works"), "{dir}");
        world.gt_in(dir, ["bd", "comment", &works, "seen"]).ok();
        assert_eq!(
            show(&["path", &works]).trim(),
            world.real().join("town/wyvern/polecats/Nux").to_str().unwrap()
        );
        assert!(show(&["hook", &works]).contains(&works));
        assert!(show(&["log", &queued]).contains("It is done"), "{dir}");
        assert!(show(&["mq", "show", &queued]).contains("/Toast-"), "{dir}");
        for (bead, name) in [(&queued, "Toast"), (&works, "Nux")] {
            let add = |polecat: &str| world.gt_in(dir, ["mq", "add", polecat, "--dry-run"]);
            let (by_bead, by_name) = (add(bead), add(&format!("wyvern/{name}")));
            assert_eq!((by_bead.code, by_bead.stdout), (by_name.code, by_name.stdout), "{}", by_bead.stderr);
        }
    }
    world.unset("GT_TOWN_ROOT");
    assert_eq!(world.show(&works)["comments"].as_array().map(Vec::len), Some(4));
    world.in_town(["bd", "update", &works, "--priority", "1"]).ok();
    assert_eq!(world.show(&works)["priority"], 1);
    // The town's own beads are found from a rig.
    let own = world.in_town(["bd", "create", "The town's", "--silent"]).ok().stdout;
    assert!(world.gt_in("town/wyvern", ["bd", "show", own.trim()]).ok().stdout.contains("The town's"));

    // Without a session: what to do about its work.
    world.in_town(["session", "stop", &queued]).ok();
    let said = world.in_town(["capture", "Toast"]).fails(1).stderr;
    assert_eq!(
        said,
        format!(
            "gt: wyvern/Toast has no session\nhint: its work on {queued} waits to be merged: gt mq list wyvern\n"
        )
    );
    world.in_town(["session", "stop", &works]).ok();
    let said = world.in_town(["capture", "Nux"]).fails(1).stderr;
    assert!(said.ends_with(&format!("hint: start it with: gt sling {works}\n")), "{said}");
    for words in [&["status"][..], &["polecats"]] {
        let shown = world.in_town(words).ok().stdout;
        assert!(shown.contains(&format!("! Nux    hooked     {works}  no session: It works")), "{shown}");
    }
    world.in_town(["polecat", "release", &works, "--dry-run", "--force"]).ok();
    world.in_town(["diff", "Nux"]).ok();
    let nuked = world.in_town(["polecat", "nuke", &queued]).ok().stdout;
    assert!(nuked.contains(&format!("wyvern/Toast ended; {queued} still waits to be merged")), "{nuked}");
    // Its polecat is gone, and its work waits.
    for words in [["diff", &queued], ["log", "Toast"], ["diff", "wyvern/Toast"]] {
        assert!(!world.in_town(words).ok().stdout.is_empty(), "{words:?}");
    }
    world.in_town(["refinery", "process"]).ok();
    let said = world.in_town(["diff", &queued]).fails(1).stderr;
    assert_eq!(
        said,
        format!("gt: no agent has {queued}: it is closed\nhint: look at it with: gt bd show {queued}\n")
    );
    let said = world.in_town(["path", "Toast"]).fails(1).stderr;
    assert_eq!(said, "gt: no polecat is named Toast\nhint: see who is there with: gt agents\n");
    let said = world.in_town(["path", "nux"]).fails(2).stderr;
    assert_eq!(
        said,
        "gt: 'nux' is not an address\nhint: did you mean Nux? see who is there with: gt agents\n"
    );
}

#[test]
fn a_member_of_the_crew_is_known_by_its_bare_name_where_one_rig_has_it() {
    let world = World::with_rig();
    world.in_town(["crew", "add", "anna", "--rig", "wyvern"]).ok();
    let path = world.in_town(["path", "anna"]).ok().stdout;
    assert_eq!(path.trim(), world.real().join("town/wyvern/crew/anna").to_str().unwrap());
    let said = world.in_town(["path", "anne"]).fails(2).stderr;
    assert!(said.starts_with("gt: 'anne' is not an address\n"), "{said}");
    world.in_town(["rig", "add", "hydra", &world.str("origin.git"), "--prefix", "hy"]).ok();
    world.in_town(["crew", "add", "anna", "--rig", "hydra"]).ok();
    let said = world.in_town(["path", "anna"]).fails(2).stderr;
    assert_eq!(
        said,
        "gt: several agents are named anna\nhint: say which: hydra/crew/anna, wyvern/crew/anna\n"
    );
}

#[test]
fn the_only_rig_of_a_town_needs_no_naming() {
    let world = World::waiting();
    for words in [
        &["polecats"][..],
        &["mq", "list"],
        &["refinery", "process"],
        &["witness", "patrol"],
        &["mq", "overlap"],
    ] {
        world.in_town(words).ok();
    }
    let made = world.in_town(["sling", "--new", "Refactor"]).ok();
    assert!(made.stdout.contains("wyvern/Nux"), "{made:?}");
    world.in_town(["rig", "add", "ant", &world.str("origin.git"), "--prefix", "an"]).ok();
    let said = world.in_town(["polecats"]).fails(2).stderr;
    assert_eq!(said, "gt: which rig? this folder is in none\nhint: name one; see them with: gt rigs\n");
}

#[test]
fn work_that_was_set_aside_is_retried_by_its_bead() {
    let (world, _, queued) = town();
    world.in_town(["mq", "reject", &queued, "--reason", "not yet"]).ok();
    let line = format!("set aside  {queued}  rejected by overseer: not yet: It is done");
    for words in [&["mq", "list"][..], &["status"], &["polecats"]] {
        assert!(world.in_town(words).ok().stdout.contains(&line), "{words:?}");
    }
    let status = world.in_town(["status", "--json"]).ok().json();
    let row = &status["town"]["rigs"][0]["set_aside"][0];
    assert_eq!(
        (&row["bead"], &row["failure"]),
        (&queued.clone().into(), &"rejected by overseer: not yet".into())
    );
    assert_eq!(world.in_town(["mq", "list", "--json"]).ok().json()["requests"][0]["state"], "set aside");
    // Without a Mayor the person is told, and no later polecat of that name.
    let inbox = world.in_town(["mail", "inbox"]).ok().stdout;
    assert!(inbox.contains(&format!("set aside: {queued}")), "{inbox}");
    let mail = inbox.split_whitespace().nth(1).unwrap();
    let told = world.in_town(["mail", "read", mail]).ok().stdout;
    assert!(told.contains(&format!("work on it again: gt sling {queued}; ")), "{told}");
    assert_eq!(world.in_town(["mail", "inbox", "wyvern/Toast"]).ok().stdout, "");
    let said = world.in_town(["mq", "reject", &queued]).fails(1).stderr;
    assert!(said.contains("is not in the queue: rejected by overseer: not yet"), "{said}");
    world.in_town(["mq", "retry", &queued]).ok();
    assert_eq!(world.show(&queued)["status"], "in_progress");
}

#[test]
fn a_persons_own_checkout_finds_its_town_and_rig() {
    let world = World::with_rig();
    world.git("", ["clone", "-q", "origin.git", "dev"]);
    let bead = world.bead("Seen from outside", "true");
    std::fs::create_dir_all(world.path("dev/src")).unwrap();
    for dir in ["dev", "dev/src"] {
        assert!(world.gt_in(dir, ["status"]).ok().stdout.contains("wyvern"), "{dir}");
        assert!(world.gt_in(dir, ["bd", "list"]).ok().stdout.contains("Seen from outside"), "{dir}");
        assert!(world.gt_in(dir, ["bd", "show", &bead]).ok().stdout.contains("Seen from outside"), "{dir}");
        world.gt_in(dir, ["sling", &bead, "--dry-run", "--agent", "shell"]).ok();
        world.gt_in(dir, ["mq", "list"]).ok();
    }
    // Of two rigs it is the one of this repository.
    world.origin("other.git", &[("a.txt", "a\n")]);
    world.in_town(["rig", "add", "ant", &world.str("other.git"), "--prefix", "an"]).ok();
    assert!(world.gt_in("dev", ["mq", "list"]).ok().stderr.contains("wyvern: nothing waits"));
    world.git("", ["clone", "-q", "other.git", "dev2"]);
    assert!(world.gt_in("dev2", ["mq", "list"]).ok().stderr.contains("ant: nothing waits"));
    // A rig that was added by a checkout with a relative origin.
    world.origin("fourth.git", &[("a.txt", "a\n")]);
    world.git("", ["clone", "-q", "fourth.git", "dev4"]);
    world.git("dev4", ["remote", "set-url", "origin", "../fourth.git"]);
    world.in_town(["rig", "add", "bee", &world.str("dev4"), "--prefix", "be"]).ok();
    assert!(world.gt_in("dev4", ["mq", "list"]).ok().stderr.contains("bee: nothing waits"));
    // Any other repository is in no town.
    world.origin("third.git", &[("a.txt", "a\n")]);
    world.git("", ["clone", "-q", "third.git", "dev3"]);
    let said = world.gt_in("dev3", ["status"]).fails(1).stderr;
    assert!(said.starts_with("gt: not in a town: "), "{said}");
}

#[test]
fn the_go_programs_words_for_a_hook_and_agents_are_answered() {
    let (world, works, _) = town();
    let show = |words: &[&str]| world.in_town(words).ok().stdout;
    assert_eq!(show(&["hook", "show", "wyvern/Nux"]), show(&["hook", "wyvern/Nux"]));
    assert!(show(&["hook", "show", &works]).contains(&works));
    assert_eq!(show(&["hook", "status"]), show(&["hook"]));
    assert_eq!(show(&["agents", "list"]), show(&["agents"]));
    world.in_town(["hook", "wyvern/Nux", "more"]).fails(2);
}

#[test]
fn kept_commits_are_named_where_they_are_and_are_not_gone_on_from() {
    let (world, works, _) = town();
    world.write("town/wyvern/polecats/Nux/begun.txt", "begun\n");
    world.git("town/wyvern/polecats/Nux", ["add", "-A"]);
    world.git("town/wyvern/polecats/Nux", ["commit", "-qm", "begun"]);
    let said = world.in_town(["unsling", &works, "--force"]).ok().stderr;
    assert!(said.contains(&format!("go on from them with: gt sling {works} --resume")), "{said}");
    for dry in [&["--dry-run"][..], &[]] {
        let run = world.in_town([&["sling", &works, "wyvern/Nux"], dry].concat()).ok();
        assert!(run.stderr.contains("commits of an earlier attempt are kept; to go on from them"), "{run:?}");
    }
    world.in_town(["unsling", &works, "--force"]).ok();
    let run = world.in_town(["sling", &works, "wyvern/Nux", "--resume"]).ok();
    assert!(!run.stderr.contains("commits of an earlier attempt"), "{run:?}");
    assert!(world.path("town/wyvern/polecats/Nux/begun.txt").exists());
}

#[test]
fn a_command_of_another_name_is_answered_with_what_to_use() {
    let world = World::new();
    let said = |words: &[&str]| world.gt(words).fails(2).stderr;
    assert_eq!(said(&["peek", "wyvern/Nux"]), "gt: there is no command 'peek'\nhint: gt capture ADDRESS\n");
    assert!(
        said(&["--json", "nudge"]).contains("\"hint\":\"not there yet; gt mail send"),
        "{}",
        said(&["--json", "nudge"])
    );
    assert!(said(&["mq", "merge"]).contains("unrecognized subcommand 'merge'"));
    assert_eq!(
        said(&["session", "capture", "Nux"]),
        "gt: there is no command 'capture'\nhint: gt capture ADDRESS\n"
    );
    assert_eq!(
        said(&["deacon", "restart"]),
        "gt: there is no command 'restart'\nhint: gt daemon stop, then gt daemon start\n"
    );
    assert!(said(&["slingg"]).contains("'sling'"));
}

#[test]
fn config_explain_knows_the_keys_of_roles_and_the_rig_it_is_in() {
    let world = World::with_rig();
    let text = world.read("town/wyvern/config.json").replacen('{', "{\"max_workers\":3,", 1);
    world.write("town/wyvern/config.json", text);
    for key in ["max_workers", "polecat.max_workers"] {
        let said = world.gt_in("town/wyvern", ["config", "explain", key]).ok().stdout;
        assert!(
            said.starts_with("polecat.max_workers = 3\n") && said.contains("wyvern/config.json"),
            "{said}"
        );
    }
    let said = world.in_town(["config", "explain", "polecat.max_worker"]).fails(2).stderr;
    assert!(said.contains("did you mean 'polecat.max_workers'?"), "{said}");
}

#[test]
fn usage_errors_have_colour_on_a_terminal_alone() {
    let world = World::new();
    let gt = crate::common::gt();
    let script = format!(
        "{gt} status --red; NO_COLOR=1 {gt} status --plain; {gt} status \"--$(printf '\\033[32m')odd\""
    );
    let terminal = crate::common::terminal::Terminal::open(&world, &format!("exec 2>/dev/tty; {script}"));
    assert_eq!(terminal.ended(), 2);
    let screen = terminal.styled();
    let of = |word: &str| screen.lines().find(|line| line.contains(word)).unwrap_or_default();
    assert!(of("--red").contains("\u{1b}[31merror:"), "{screen:?}");
    for word in ["--plain", "odd"] {
        assert!(of(word).starts_with("error: unexpected argument"), "{screen:?}");
    }
    assert!(!world.gt(["status", "--nope"]).fails(2).stderr.contains('\u{1b}'));
}

#[test]
fn a_dry_run_asks_origin_as_the_real_run_does() {
    let (world, works, _) = town();
    let dir = "town/wyvern/polecats/Nux";
    world.write(format!("{dir}/done.txt"), "done\n");
    world.git(dir, ["add", "-A"]);
    world.git(dir, ["commit", "-qm", "It works"]);
    let origin = world.str("origin.git");
    let commands: [(&str, &[&str]); 4] = [
        (dir, &["done", "--dry-run"]),
        ("town", &["land", "--direct", "wyvern/Nux", "--dry-run", "--force"]),
        ("town", &["crew", "add", "Ann", "--rig", "wyvern", "--dry-run"]),
        ("town", &["rig", "add", "ant", &origin, "--dry-run"]),
    ];
    for (dir, words) in commands {
        world.gt_in(dir, words).ok();
    }
    assert!(world.gt_in("town", commands[3].1).ok().stdout.contains("work lands on main"));
    let other = world.in_town(["rig", "add", "ant", &origin, "--branch", "nope", "--dry-run"]).fails(1);
    assert!(other.stderr.contains("has no branch 'nope'"), "{other:?}");
    // Others pushed to its branch.
    let branch = world.branch("Nux", &works);
    world.git("", ["clone", "-q", "origin.git", "seed"]);
    world.write("seed/other.txt", "other\n");
    world.git("seed", ["add", "-A"]);
    world.git("seed", ["commit", "-qm", "other"]);
    world.git("seed", ["push", "-q", "origin", &format!("HEAD:refs/heads/{branch}")]);
    for dry in [&["done", "--dry-run"][..], &["done"]] {
        let run = world.gt_in(dir, dry).fails(1);
        assert!(run.stderr.contains(&format!("origin has other commits on {branch}")), "{run:?}");
    }
    std::fs::rename(world.path("origin.git"), world.path("gone.git")).unwrap();
    for (dir, words) in &commands[..3] {
        let run = world.gt_in(dir, *words).fails(1);
        assert!(run.stderr.contains("origin"), "{run:?}");
    }
    world.gt(["-C", "town", "rig", "add", "ant", "file:///nowhere/x.git", "--dry-run"]).fails(1);
    world.gt(["-C", "town", "sync", "wyvern", "--dry-run"]).fails(1);
    // What is handed in already asks nobody.
    world.gt_in("town/wyvern/polecats/Toast", ["done", "--dry-run"]).ok();
}

#[test]
fn a_silent_machine_is_said_once_whoever_is_there() {
    let world = World::waiting();
    let pc = world.daemon("pc");
    world.set("GASTOWN_FUGUE_ADDR", &pc.addr);
    std::fs::create_dir_all(world.path("far")).unwrap();
    world.set("GASTOWN_REMOTE_TOWN", &world.str("far"));
    let beads = [world.bead("one", "true"), world.bead("two", "true")];
    world.in_town(["sling", &beads[0], &beads[1], "wyvern"]).ok();
    pc.kill();
    for words in [
        &["status"][..],
        &["polecats", "wyvern"],
        &["witness", "patrol", "wyvern"],
        &["witness", "patrol", "wyvern", "--dry-run"],
        &["session", "list"],
        &["agents"],
        &["stop", "--all"],
    ] {
        let run = world.in_town(words);
        let said = format!("{}{}", run.stdout, run.stderr);
        assert_eq!(said.matches("connection refused").count(), 1, "{run:#?}");
        let hints = run.stderr.lines().filter(|line| line.starts_with("hint:")).count();
        assert!(hints <= 1, "{run:#?}");
    }
}

#[test]
fn a_missing_program_is_named_before_anything_is_stopped_or_made() {
    let (world, works, _) = town();
    let bead = world.bead("New", "true");
    world.program("claude", "sleep 600");
    world.settings(&crate::common::WAITS.replace("\"sleep\", \"600\"", "\"no-such-agent\""));
    let pids = || world.tmux(["list-panes", "-a", "-F", "#{pane_pid}"]).ok().stdout;
    let before = (pids(), world.show(&works)["status"].clone());
    for words in [
        &["session", "restart", "wyvern/Nux"][..],
        &["session", "restart", "wyvern/Nux", "--dry-run"],
        &["sling", &bead, "wyvern", "--dry-run"],
        &["sling", &bead, "wyvern"],
        &["sling", "--new", "Another", "wyvern"],
    ] {
        let run = world.in_town(words).fails(1);
        assert!(run.stderr.contains("no-such-agent") && run.stderr.contains("claude"), "{run:?}");
    }
    assert_eq!((pids(), world.show(&works)["status"].clone()), before);
    assert_eq!(
        (&world.show(&bead)["status"], &world.show(&bead)["assignee"]),
        (&"open".into(), &serde_json::Value::Null)
    );
    assert!(!world.in_town(["bd", "list"]).ok().stdout.contains("Another"));
}

#[test]
fn small_mistakes_are_answered_with_what_is_meant() {
    let (world, works, _) = town();
    // A town inside a project is made only when that is said.
    world.git("", ["clone", "-q", "origin.git", "project"]);
    let run = world.gt(["install", "project"]).fails(1);
    assert!(run.stderr.contains("is a git checkout") && run.stderr.contains("gt install ~/gt"), "{run:#?}");
    assert!(!world.path("project/mayor").exists());
    world.gt(["install", "project", "--force"]).ok();
    std::fs::remove_dir_all(world.path("project")).unwrap();
    // Outside, this user's towns are named.
    let run = world.gt(["status"]).fails(1);
    assert!(run.stderr.contains(&format!("your towns: {}", world.real().join("town").display())), "{run:#?}");
    let run = world.in_town(["mail", "send", "wyvern/Nobody", "-s", "x", "-m", "x"]).fails(1);
    assert!(run.stderr.contains("there is no wyvern/Nobody\nhint: "), "{run:#?}");
    world.in_town(["mail", "send", "wyvern/Nux", "-s", "x", "-m", "x"]).ok();
    let run = world.in_town(["sling", "wy1"]).fails(2);
    assert!(run.stderr.contains("did you mean 'wy-1'? "), "{run:#?}");
    let run = world.in_town(["unsling", &works, "wy-none", "--force"]).fails(1);
    assert!(run.stdout.contains(&format!("{works}  unassigned from wyvern/Nux")), "{run:#?}");
    assert!(run.stderr.contains("wy-none"), "{run:#?}");
    let run = world.in_town(["sling", "A new title", "wyvern", "--agent", "shel"]).fails(1);
    assert!(run.stderr.starts_with("gt: polecat.agent: there is no [agents.shel]\n"), "{run:#?}");
    world.in_town(["config", "set", "worktree.setup", "true", "--rig", "wyvern"]).ok();
    let run = world.in_town(["config", "explain", "worktree.setup"]).ok();
    assert!(run.stdout.contains("worktree.setup = \"true\"") && run.stderr.is_empty(), "{run:#?}");
    assert!(world.in_town(["rig", "rm", "nosuch"]).fails(2).stderr.contains("nosuch"));
}

#[test]
fn what_is_handed_in_says_where_it_is_and_what_came_back_is_in_the_queue_s_json() {
    let (world, works, queued) = town();
    crate::common::wait_for("the end of the polecat", || {
        world.in_town(["witness", "patrol", "wyvern"]).ok();
        (!world.path("town/wyvern/polecats/Toast").exists()).then_some(())
    });
    let run = world.in_town(["path", "wyvern/Toast"]).fails(1);
    assert!(
        run.stderr.contains("handed in its work") && run.stderr.contains("gt diff wyvern/Toast"),
        "{run:#?}"
    );
    let run = world.in_town(["land", "--direct", "wyvern/Nux", "--dry-run", "--force"]).fails(1);
    assert!(run.stderr.contains("nothing to land: main has all of"), "{run:#?}");
    world.in_town(["mq", "reject", &queued, "--reason", "no"]).ok();
    let rows = world.in_town(["mq", "list", "--json"]).ok().json();
    assert_eq!(
        (&rows["requests"][0]["bead"], &rows["requests"][0]["state"]),
        (&queued.into(), &"set aside".into())
    );
    let _ = works;
}
