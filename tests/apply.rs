//! `gt plan`, `gt apply`, `gt up`, `gt down`: what runs becomes what is asked for, and what is down stays down.

use crate::common::{ADDRESS, World, gt, wait_for};

/// A town with the rig `wyvern`, two crew members and a witness that should run, beside the Mayor.
fn town() -> World {
    let world = World::with_rig();
    world.settings(
        "[beads]\nstore = \"embedded\"\n[agents.waits]\ncommand = [\"sleep\", \"1000\"]\n\
         [agents.other]\ncommand = [\"sleep\", \"2000\"]\n\
         [agents.ends]\ncommand = [\"sh\", \"-c\", \"exit 3\"]\n\
         [up]\nroles = [\"mayor\", \"crew\"]\n",
    );
    for role in ["MAYOR", "WITNESS", "REFINERY", "CREW"] {
        world.set(&format!("GASTOWN_{role}__AGENT"), "waits");
    }
    for name in ["ann", "bob"] {
        world.in_town(["crew", "add", name, "--rig", "wyvern"]).ok();
    }
    world
}

/// Names and processes of all sessions of the server, with the address of each.
fn sessions(world: &World) -> Vec<String> {
    let format = format!("#{{session_name}} #{{pane_pid}} {ADDRESS}");
    let run = world.tmux(["list-panes", "-a", "-F", &format]);
    run.stdout.lines().map(|line| line.trim_end().to_string()).collect()
}

fn pid(world: &World, name: &str) -> String {
    world.tmux(["list-panes", "-t", &format!("={name}"), "-F", "#{pane_pid}"]).ok().stdout
}

#[test]
fn apply_starts_what_is_asked_for_and_a_second_one_only_looks() {
    let world = town();
    insta::assert_snapshot!(world.in_town(["plan"]).ok().stdout, @r"
    + mayor/           start session hq-mayor
    + wyvern/crew/ann  start session gt-wyvern-crew-ann
    + wyvern/crew/bob  start session gt-wyvern-crew-bob
    3 to start
    ");
    insta::assert_snapshot!(world.in_town(["apply"]).ok().stdout, @r"
    started mayor/ in session hq-mayor
    started wyvern/crew/ann in session gt-wyvern-crew-ann
    started wyvern/crew/bob in session gt-wyvern-crew-bob
    ");
    let before = sessions(&world);
    assert_eq!(before.len(), 3);
    let plan = world.in_town(["plan"]).ok();
    assert_eq!(
        (plan.stdout.as_str(), plan.stderr.as_str()),
        ("", "nothing to do: 3 sessions run as asked for\n")
    );
    world.count_calls(&["tmux"]);
    let again = world.in_town(["apply"]).ok();
    assert_eq!(
        (again.stdout.as_str(), again.stderr.as_str()),
        ("", "nothing to do: 3 sessions run as asked for\n")
    );
    let calls = world.calls("tmux");
    assert!(calls.len() == 1 && calls[0].contains("list-panes -a"), "{calls:?}");
    assert_eq!(world.in_town(["apply", "-q"]).ok().stderr, "");
    assert_eq!(sessions(&world), before);
}

#[test]
fn what_is_killed_by_hand_is_what_the_next_plan_wants_back() {
    let world = town();
    world.count_calls(&["tmux"]);
    world.in_town(["apply"]).ok();
    assert_eq!(world.calls("tmux").len(), 2, "a look, and one for all sessions");
    let kept = pid(&world, "gt-wyvern-crew-bob");
    world.tmux(["kill-session", "-t", "=hq-mayor"]).ok();
    world.tmux(["kill-session", "-t", "=gt-wyvern-crew-ann"]).ok();
    let plan = world.in_town(["plan", "--json"]).ok().json();
    let wanted: Vec<(&str, &str)> = plan["plan"]["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (line["sign"].as_str().unwrap(), line["address"].as_str().unwrap()))
        .collect();
    assert_eq!(wanted, [("+", "mayor/"), ("+", "wyvern/crew/ann")]);
    world.in_town(["apply"]).ok();
    assert_eq!(sessions(&world).len(), 3);
    assert_eq!(pid(&world, "gt-wyvern-crew-bob"), kept);
}

#[test]
fn an_agent_that_lives_is_never_restarted_unasked() {
    let world = town();
    world.in_town(["apply"]).ok();
    let before = sessions(&world);
    world.set("GASTOWN_CREW__AGENT", "other");
    world
        .tmux(["set-option", "-F", "-t", "=gt-wyvern-crew-bob:", "@gt_state", "#{session_id} question"])
        .ok();
    insta::assert_snapshot!(world.in_town(["plan"]).ok().stdout, @r"
    ~ wyvern/crew/ann  restart for a new command, held back: it works (do it with: gt apply --restart wyvern/crew/ann)
    ~ wyvern/crew/bob  restart for a new command, held back: it waits (do it with: gt apply --restart wyvern/crew/bob)
    2 held back
    ");
    let held = world.in_town(["apply"]).ok();
    assert_eq!((held.stdout.as_str(), sessions(&world)), ("", before.clone()));
    insta::assert_snapshot!(held.stderr, @r"
    wyvern/crew/ann: restart for a new command, held back: it works (do it with: gt apply --restart wyvern/crew/ann)
    wyvern/crew/bob: restart for a new command, held back: it waits (do it with: gt apply --restart wyvern/crew/bob)
    nothing else to do: 1 session runs as asked for
    ");
    insta::assert_snapshot!(world.in_town(["apply", "--restart", "wyvern/crew/bob"]).ok().stdout, @"restarted wyvern/crew/bob in session gt-wyvern-crew-bob");
    assert_ne!(sessions(&world), before);
    assert_eq!(pid(&world, "hq-mayor"), before_pid(&before, "hq-mayor"));
    insta::assert_snapshot!(world.in_town(["plan"]).ok().stdout, @r"
    ~ wyvern/crew/ann  restart for a new command, held back: it works (do it with: gt apply --restart wyvern/crew/ann)
    1 held back
    ");
}

#[test]
fn a_pane_that_shows_its_history_is_no_other_session() {
    let world = town();
    world.in_town(["apply"]).ok();
    let before = sessions(&world);
    let scroll = || world.tmux(["copy-mode", "-t", "=gt-wyvern-crew-bob:"]).ok();
    scroll();
    assert_eq!(world.in_town(["apply"]).ok().stdout, "");
    assert_eq!(sessions(&world), before);
    world.set("GASTOWN_CREW__AGENT", "other");
    world.in_town(["apply", "--restart", "wyvern/crew/bob"]).ok();
    assert_ne!(pid(&world, "gt-wyvern-crew-bob"), before_pid(&before, "gt-wyvern-crew-bob"));
    assert_eq!(pid(&world, "gt-wyvern-crew-ann"), before_pid(&before, "gt-wyvern-crew-ann"));
    let plan = || world.in_town(["plan"]).ok().stdout;
    assert!(!plan().contains("wyvern/crew/bob"), "{}", plan());
    scroll();
    world.in_town(["down", "wyvern/crew/bob"]).ok();
    assert!(!sessions(&world).iter().any(|line| line.contains("bob")));
}

fn before_pid(before: &[String], name: &str) -> String {
    let line = before.iter().find(|line| line.starts_with(&format!("{name} "))).unwrap();
    format!("{}\n", line.split(' ').nth(1).unwrap())
}

#[test]
fn an_ended_agent_is_started_again() {
    let world = town();
    world.set("GASTOWN_MAYOR__AGENT", "ends");
    world.in_town(["apply"]).ok();
    wait_for("the Mayor's end", || {
        world.in_town(["mayor", "status"]).ok().stdout.contains("ended (exit 3)").then_some(())
    });
    world.set("GASTOWN_MAYOR__AGENT", "waits");
    // What a person has open in there is not ended unasked.
    world.tmux(["split-window", "-d", "-t", "=hq-mayor:", "--", "sleep", "77"]).ok();
    world.in_town(["apply"]).ok();
    insta::assert_snapshot!(world.in_town(["plan"]).ok().stdout, @r"
    + mayor/  start session hq-mayor: its agent has ended, held back: panes of a person's are in its session (do it with: gt apply --restart mayor/)
    1 held back
    ");
    world.tmux(["kill-pane", "-a", "-t", "=hq-mayor:"]).ok();
    insta::assert_snapshot!(world.in_town(["plan"]).ok().stdout, @r"
    + mayor/  start session hq-mayor: its agent has ended
    1 to start
    ");
    world.in_town(["apply"]).ok();
    assert_eq!(sessions(&world).len(), 3);
    assert!(world.in_town(["mayor", "status"]).ok().stdout.starts_with("mayor/: working"));
}

#[test]
fn what_nothing_asks_for_any_more_goes_once_that_is_asked_and_what_is_not_ours_stays() {
    let world = town();
    world.tmux(["new-session", "-d", "-s", "hq-mayor", "--", "sleep", "1000"]).ok();
    world.in_town(["witness", "start", "wyvern"]).ok();
    insta::assert_snapshot!(world.in_town(["plan"]).ok().stdout, @r"
    + mayor/           start session hq-mayor-2
    + wyvern/crew/ann  start session gt-wyvern-crew-ann
    + wyvern/crew/bob  start session gt-wyvern-crew-bob
    ! hq-mayor         left alone: not this town's, though it has the name of mayor/
    ! wyvern/witness   left alone: started by hand, not in [up]
    3 to start
    ");
    insta::assert_snapshot!(world.in_town(["apply"]).ok().stdout, @r"
    started mayor/ in session hq-mayor-2
    started wyvern/crew/ann in session gt-wyvern-crew-ann
    started wyvern/crew/bob in session gt-wyvern-crew-bob
    ");
    world.set("GASTOWN_UP__ROLES", "mayor");
    let before = sessions(&world);
    insta::assert_snapshot!(world.in_town(["apply"]).ok().stdout, @r"");
    assert_eq!(sessions(&world), before);
    insta::assert_snapshot!(world.in_town(["plan"]).ok().stdout, @r"
    - wyvern/crew/ann  stop session gt-wyvern-crew-ann: not in [up] any more, held back: it works (stop it with: gt session stop wyvern/crew/ann)
    - wyvern/crew/bob  stop session gt-wyvern-crew-bob: not in [up] any more, held back: it works (stop it with: gt session stop wyvern/crew/bob)
    ! wyvern/witness   left alone: started by hand, not in [up]
    2 held back
    ");
    insta::assert_snapshot!(world.in_town(["apply", "--restart"]).ok().stdout, @r"
    stopped wyvern/crew/ann (session gt-wyvern-crew-ann)
    stopped wyvern/crew/bob (session gt-wyvern-crew-bob)
    ");
    let left: Vec<String> =
        sessions(&world).iter().map(|line| line.split(' ').next().unwrap().to_string()).collect();
    assert_eq!(left, ["gt-wyvern-witness", "hq-mayor", "hq-mayor-2"]);
}

#[test]
fn what_is_down_stays_down_until_it_is_brought_up() {
    let world = town();
    world.in_town(["apply"]).ok();
    let down = world.in_town(["down", "wyvern/crew/ann"]).ok();
    insta::assert_snapshot!(down.stdout + &down.stderr, @r"
    stopped wyvern/crew/ann (session gt-wyvern-crew-ann): it was working
    stays down until: gt up wyvern/crew/ann
    ");
    let apply = world.in_town(["apply"]).ok();
    insta::assert_snapshot!(apply.stdout + &apply.stderr, @r"
    down: wyvern/crew/ann (bring up with: gt up wyvern/crew/ann)
    nothing to do: 2 sessions run as asked for
    ");
    let down = world.in_town(["down"]).ok();
    insta::assert_snapshot!(down.stdout + &down.stderr, @r"
    stopped wyvern/crew/bob (session gt-wyvern-crew-bob): it was working
    stopped mayor/ (session hq-mayor): it was working
    stays down until: gt up
    ");
    assert_eq!(sessions(&world).len(), 0);
    let apply = world.in_town(["apply"]).ok();
    insta::assert_snapshot!(apply.stdout + &apply.stderr, @r"
    down: mayor/, wyvern/crew/bob (bring up with: gt up)
    down: wyvern/crew/ann (bring up with: gt up wyvern/crew/ann)
    nothing to do
    ");
    let up = world.in_town(["up"]).ok();
    insta::assert_snapshot!(up.stdout + &up.stderr, @r"
    started mayor/ in session hq-mayor
    started wyvern/crew/bob in session gt-wyvern-crew-bob
    down: wyvern/crew/ann (bring up with: gt up wyvern/crew/ann)
    ");
    assert_eq!(
        world.in_town(["up", "wyvern/crew/ann"]).ok().stdout,
        "started wyvern/crew/ann in session gt-wyvern-crew-ann\n"
    );
    assert!(!world.read("town/mayor/state.json").contains("down"));
    world.in_town(["down"]).ok();
    world.in_town(["mayor", "start"]).ok();
    let plan = world.in_town(["plan"]).ok();
    insta::assert_snapshot!(plan.stdout + &plan.stderr, @r"
    down: wyvern/crew/ann, wyvern/crew/bob (bring up with: gt up)
    nothing to do: 1 session runs as asked for
    ");
    world.in_town(["start"]).ok();
    assert_eq!(sessions(&world).len(), 3);
    assert_eq!(world.in_town(["plan"]).ok().stderr, "nothing to do: 3 sessions run as asked for\n");
}

#[test]
fn a_kill_at_any_step_is_completed_by_the_next_apply() {
    let world = town();
    for step in ["apply.1", "apply.start"] {
        world.gt_killed(step, "town", ["apply"]);
    }
    world.in_town(["apply"]).ok();
    assert_eq!(sessions(&world).len(), 3);
    world.set("GASTOWN_CREW__AGENT", "other");
    world.gt_killed("apply.restart", "town", ["apply", "--restart"]);
    assert_eq!(sessions(&world).len(), 2);
    world.in_town(["apply", "--restart"]).ok();
    assert_eq!(world.in_town(["plan"]).ok().stderr, "nothing to do: 3 sessions run as asked for\n");
    world.gt_killed("down.1", "town", ["down"]);
    assert_eq!(sessions(&world).len(), 3);
    // Each session that it stops is a step: a kill leaves the others to the next one.
    for left in [2, 1, 0] {
        world.gt_killed("apply.stop", "town", ["apply"]);
        assert_eq!(sessions(&world).len(), left);
    }
    world.in_town(["apply"]).ok();
    world.in_town(["up"]).ok();
    assert_eq!(sessions(&world).len(), 3);
    world.gt_killed("down.2", "town", ["down"]);
    assert_eq!(sessions(&world).len(), 0);
    world.in_town(["apply"]).ok();
    assert_eq!(sessions(&world).len(), 0);
    world.in_town(["up"]).ok();
    assert_eq!(sessions(&world).len(), 3);
}

#[test]
fn of_two_that_apply_at_once_one_makes_each_session() {
    let world = town();
    let children: Vec<_> = (0..4)
        .map(|_| {
            let mut command = world.command(gt(), "town");
            command.args(["apply", "-q"]).stdout(std::process::Stdio::null()).spawn().unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(sessions(&world).len(), 3);
}

#[test]
fn a_plan_names_what_a_start_would_miss() {
    let world = town();
    world.settings(
        &(world.read("home/.config/gastown/config.toml") + "[agents.absent]\ncommand = [\"no-such\"]\n"),
    );
    world.in_town(["apply", "mayor/"]).ok();
    for role in ["MAYOR", "CREW"] {
        world.set(&format!("GASTOWN_{role}__AGENT"), "absent");
    }
    for words in [&["plan"][..], &["apply", "--dry-run"]] {
        let run = world.in_town(words).fails(1);
        for name in ["ann", "bob"] {
            let said = format!("gt: wyvern/crew/{name}: no-such is not installed or not on PATH\n");
            assert!(run.stderr.contains(&said), "{run:?}");
        }
        // What runs is not started, and misses nothing.
        assert!(!run.stderr.contains("mayor/: no-such"), "{run:?}");
    }
}

#[test]
fn one_that_cannot_be_started_does_not_keep_the_others_down() {
    let world = town();
    world.set("GASTOWN_MAYOR__AGENT", "none");
    std::fs::remove_dir_all(world.path("town/wyvern/crew/ann")).unwrap();
    world.write("town/wyvern/crew/ann/file", "");
    let run = world.in_town(["apply"]).fails(1);
    insta::assert_snapshot!(run.stdout + &run.stderr, @r#"
    started wyvern/crew/ann in session gt-wyvern-crew-ann
    started wyvern/crew/bob in session gt-wyvern-crew-bob
    gt: mayor/: the runtime none has no command
    hint: choose a runtime, for a role with: gt config set ROLE.agent NAME; for one bead with: gt sling BEAD --agent NAME; without an agent give it windows: [[mayor.windows]]
    "#);
    let error = world.in_town(["plan", "--json"]).fails(1).error();
    assert_eq!(error["error"], "mayor/: the runtime none has no command");
    world.unset("GASTOWN_MAYOR__AGENT");
    world.set("GASTOWN_MAYOR__AGENT", "waits");
    world.in_town(["apply"]).ok();
    assert_eq!(sessions(&world).len(), 3);
}

#[test]
fn when_tmux_cannot_be_asked_nothing_is_concluded() {
    let world = town();
    world.in_town(["apply"]).ok();
    world.program("tmux", "#!/bin/sh\necho 'no permission' >&2\nexit 1\n");
    for words in [&["plan"][..], &["apply"], &["up"], &["down"]] {
        let run = world.in_town(words).fails(1);
        assert_eq!(
            run.stderr,
            "gt: cannot tell what runs: no permission\nhint: look with: tmux list-sessions\n"
        );
    }
    std::fs::remove_file(world.path("bin/tmux")).unwrap();
    assert_eq!(world.in_town(["plan"]).ok().stderr, "nothing to do: 3 sessions run as asked for\n");
}

#[test]
fn windows_and_later_environment_change_in_place() {
    let world = town();
    let preset = |text: &str| world.write("town/config/presets/crew.toml", format!("[crew]\n{text}"));
    preset("env = { A = \"1\", B = \"2\" }\n");
    world.in_town(["apply"]).ok();
    let agents = |world: &World| -> Vec<String> {
        let filter = "#{@gt_agent}";
        let run = world.tmux(["list-panes", "-a", "-f", filter, "-F", "#{session_name} #{pane_pid}"]);
        run.stdout.lines().map(str::to_string).collect()
    };
    let before = agents(&world);
    preset(
        "windows = [{ name = \"logs\", panes = [{ command = \"exec sleep 3000\" }] }]\nenv = { A = \"3\", C = \"x;\" }\n",
    );
    insta::assert_snapshot!(world.in_town(["plan"]).ok().stdout, @r"
    ~ wyvern/crew/ann  change in place: 3 variables of later windows, 1 new window, 1 window arranged; restart for a new environment, held back: it works (do it with: gt apply --restart wyvern/crew/ann)
    ~ wyvern/crew/bob  change in place: 3 variables of later windows, 1 new window, 1 window arranged; restart for a new environment, held back: it works (do it with: gt apply --restart wyvern/crew/bob)
    2 to change, 2 held back
    ");
    let apply = world.in_town(["apply", "wyvern/crew/ann"]).ok();
    insta::assert_snapshot!(apply.stdout + &apply.stderr, @r"
    changed wyvern/crew/ann (session gt-wyvern-crew-ann)
    wyvern/crew/ann: restart for a new environment, held back: it works (do it with: gt apply --restart wyvern/crew/ann)
    ");
    assert_eq!(agents(&world), before);
    let run = world.tmux(["show-environment", "-t", "=gt-wyvern-crew-ann"]).ok().stdout;
    let set: Vec<&str> =
        run.lines().filter(|line| ["A=", "B=", "C="].iter().any(|key| line.starts_with(key))).collect();
    assert_eq!(set, ["A=3", "C=x;"]);
    world.gt_killed("apply.change", "town", ["apply"]);
    let names = world.tmux(["list-windows", "-t", "=gt-wyvern-crew-bob", "-F", "#{window_name}"]).ok().stdout;
    assert_eq!(names, "bob\nlogs\n");
    insta::assert_snapshot!(world.in_town(["plan"]).ok().stdout, @r"
    ~ wyvern/crew/ann  restart for a new environment, held back: it works (do it with: gt apply --restart wyvern/crew/ann)
    ~ wyvern/crew/bob  restart for a new environment, held back: it works (do it with: gt apply --restart wyvern/crew/bob)
    2 held back
    ");
    preset(
        "windows = [{ name = \"work\", panes = [{ command = \"{{agent}}\", start_directory = \"/\" }] }]\nenv = { A = \"3\", C = \"x;\" }\n",
    );
    insta::assert_snapshot!(world.in_town(["plan", "wyvern/crew/ann"]).ok().stdout, @r"
    ~ wyvern/crew/ann  restart for a new environment, windows, held back: it works (do it with: gt apply --restart wyvern/crew/ann)
    1 held back
    ");
}
