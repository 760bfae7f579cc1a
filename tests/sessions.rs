//! Sessions of roles through the real program: start, stop, restart, attach, and whose sessions are left alone.

use crate::common::terminal::Terminal;
use crate::common::{World, gt, wait_for};

/// A town with the rig `wyvern` whose roles run a program that only waits.
fn town() -> World {
    let world = World::with_rig();
    world.settings(
        "[beads]\nstore = \"embedded\"\n[agents.waits]\ncommand = [\"sleep\", \"1000\"]\n\
         [agents.ends]\ncommand = [\"sh\", \"-c\", \"echo last words; exit 3\"]\n\
         [up]\nroles = [\"mayor\", \"witness\"]\n",
    );
    for role in ["MAYOR", "WITNESS", "REFINERY", "CREW"] {
        world.set(&format!("GASTOWN_{role}__AGENT"), "waits");
    }
    world
}

/// Names of all sessions of the server, with the town that each belongs to.
fn sessions(world: &World) -> Vec<String> {
    let run = world.tmux(["list-sessions", "-F", "#{session_name} #{s|^.* (/[^ ]*) .*$|\\1|:@gt_own}"]);
    run.stdout.lines().map(|line| line.trim_end().to_string()).collect()
}

fn ours(world: &World, name: &str) -> String {
    format!("{name} {}", world.real().join("town").display())
}

#[test]
fn starting_twice_starts_once() {
    let world = town();
    assert_eq!(world.in_town(["mayor", "start"]).ok().stdout, "started mayor/ in session hq-mayor\n");
    assert_eq!(world.in_town(["mayor", "start"]).ok().stdout, "mayor/ runs already in session hq-mayor\n");
    let started = world.in_town(["start"]).ok().stdout;
    let wanted =
        "mayor/ runs already in session hq-mayor\nstarted wyvern/witness in session gt-wyvern-witness\n";
    assert_eq!(started, wanted);
    assert_eq!(sessions(&world), [ours(&world, "gt-wyvern-witness"), ours(&world, "hq-mayor")]);
    assert!(world.in_town(["mayor", "status"]).ok().stdout.starts_with("mayor/: working "));
    assert_eq!(
        world.in_town(["refinery", "status", "wyvern"]).ok().stdout,
        "wyvern/refinery: not running\nqueue empty\n"
    );
}

#[test]
fn of_many_starts_at_once_one_makes_the_session() {
    let world = town();
    let children: Vec<_> = (0..6)
        .map(|_| {
            let mut command = world.command(gt(), "town");
            command.args(["mayor", "start"]).stdout(std::process::Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let said: Vec<_> = children
        .into_iter()
        .map(|child| String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap())
        .collect();
    let count = |text: &str| said.iter().filter(|said| said.starts_with(text)).count();
    assert_eq!((count("started"), count("mayor/ runs already")), (1, 5), "{said:?}");
    assert_eq!(sessions(&world), [ours(&world, "hq-mayor")]);
}

#[test]
fn an_ended_agent_gives_way_to_a_new_start() {
    let world = town();
    world.in_town(["mayor", "start", "--agent", "ends"]).ok();
    wait_for("its end", || {
        world.in_town(["mayor", "status"]).ok().stdout.starts_with("mayor/: ended (exit 3)").then_some(())
    });
    assert_eq!(world.in_town(["mayor", "start"]).ok().stdout, "started mayor/ in session hq-mayor\n");
    assert_eq!(sessions(&world).len(), 1);
}

#[test]
fn a_dry_run_says_what_would_be_and_starts_nothing() {
    let world = town();
    let would = world.in_town(["mayor", "start", "--dry-run"]).ok().stdout;
    let root = world.real().join("town").display().to_string();
    assert_eq!(would, format!("would start mayor/ in {root}: sleep 1000\n"));
    world.in_town(["mayor", "start"]).ok();
    assert_eq!(
        world.in_town(["stop", "--all", "--dry-run"]).ok().stdout,
        "would stop mayor/ (session hq-mayor)\n"
    );
    assert_eq!(sessions(&world).len(), 1);
}

#[test]
fn restart_and_stop_find_an_agent_under_any_name() {
    let world = town();
    world.tmux(["new-session", "-d", "-s", "hq-mayor", "--", "sleep", "1000"]).ok();
    assert_eq!(world.in_town(["mayor", "start"]).ok().stdout, "started mayor/ in session hq-mayor-2\n");
    let pid =
        |name: &str| world.tmux(["list-panes", "-t", &format!("={name}"), "-F", "#{pane_pid}"]).ok().stdout;
    let before = pid("hq-mayor-2");
    let foreign = pid("hq-mayor");
    world.in_town(["session", "restart", "mayor/"]).ok();
    assert_ne!(pid("hq-mayor-2"), before);
    assert_eq!(
        world.in_town(["session", "stop", "mayor/"]).ok().stdout,
        "stopped mayor/ (session hq-mayor-2)\n"
    );
    assert_eq!(pid("hq-mayor"), foreign);
    let nothing = world.in_town(["session", "stop", "mayor/"]).ok();
    assert_eq!(
        (nothing.stdout.as_str(), nothing.stderr.as_str()),
        ("", "nothing to stop: no such session runs\n")
    );
}

#[test]
fn polecats_start_with_their_work_and_the_overseer_not_at_all() {
    let world = town();
    let run = world.in_town(["session", "restart", "wyvern/Nux"]).fails(1);
    insta::assert_snapshot!(run.stderr, @r"
    gt: wyvern/Nux has no session to restart, and no work
    hint: give it a bead: gt sling BEAD wyvern/Nux
    ");
    let run = world.in_town(["session", "restart", "overseer"]).fails(2);
    assert_eq!(run.stderr, "gt: the overseer is you: there is no session to start\n");
    let run = world.in_town(["attach", "nowhere/Nux"]).fails(2);
    assert!(run.stderr.starts_with("gt: no rig named 'nowhere'"), "{}", run.stderr);
    let run = world.in_town(["attach", "Nux"]).fails(1);
    assert!(run.stderr.starts_with("gt: no polecat is named Nux"), "{}", run.stderr);
    let run = world.in_town(["attach", "mayor/"]).fails(1);
    assert_eq!(run.stderr, "gt: mayor/ has no session\nhint: start it with: gt mayor start\n");
}

/// Everything of a server that belongs to the person: options, hooks, keys, buffers, their sessions.
fn persons(world: &World) -> String {
    let ask = |words: &[&str]| world.tmux(words).ok().stdout;
    [
        ask(&["show-options", "-g"]),
        ask(&["show-options", "-s"]),
        ask(&["show-options", "-gw"]),
        ask(&["show-hooks", "-g"]),
        ask(&["list-keys"]),
        ask(&["list-buffers"]),
        ask(&["show-environment", "-g"]),
        ask(&[
            "list-panes",
            "-a",
            "-f",
            "#{==:#{@gt_own},}",
            "-F",
            "#{session_name} #{pane_id} #{pane_pid} #{window_name}",
        ]),
        ask(&["show-options", "-t", "=hq-mayor:"]),
        ask(&["show-options", "-w", "-t", "=hq-mayor:"]),
    ]
    .join("\n--\n")
}

#[test]
fn what_is_not_this_towns_is_left_alone_by_every_command() {
    let world = town();
    world.gt(["install", "second"]).ok();
    world.tmux(["new-session", "-d", "-s", "hq-mayor", "-n", "mine", "--", "sleep", "1000"]).ok();
    world.tmux(["new-session", "-d", "-s", "gt-wyvern-Nux", "--", "sleep", "1000"]).ok();
    world.tmux(["set-option", "-g", "status-left", "[mine]"]).ok();
    world.tmux(["set-option", "-g", "remain-on-exit", "off"]).ok();
    world.tmux(["set-hook", "-g", "pane-died", "display-message died"]).ok();
    world.tmux(["bind-key", "X", "kill-session"]).ok();
    world.tmux(["set-buffer", "-b", "mine", "text"]).ok();
    world.gt_in("second", ["mayor", "start"]).ok();
    let theirs = format!("{} {}", "hq-mayor-2", world.real().join("second").display());
    assert!(sessions(&world).contains(&theirs));
    let before = persons(&world);
    for words in [
        "start",
        "start --dry-run",
        "mayor start",
        "mayor status",
        "witness start wyvern",
        "witness status wyvern",
        "refinery start wyvern",
        "refinery status wyvern",
        "agents",
        "polecats wyvern",
        "status",
        "status --json",
        "session list",
        "session list --rig wyvern",
        "session restart mayor/",
        "session stop wyvern/refinery",
        "witness stop wyvern",
        "refinery stop wyvern",
        "mayor stop",
        "start",
        "stop --rig wyvern",
        "start",
        "stop --all --dry-run",
        "stop --all",
    ] {
        world.in_town(words.split(' ')).ok();
        assert_eq!(persons(&world), before, "after gt {words}");
    }
    assert_eq!(sessions(&world), ["gt-wyvern-Nux", "hq-mayor", &theirs]);
}

/// Which session the world's only client looks at.
fn client(world: &World) -> Option<String> {
    let seen = world.tmux(["list-clients", "-F", "#{session_name}"]).stdout;
    Some(seen.trim().to_string()).filter(|name| !name.is_empty())
}

#[test]
fn attach_from_a_plain_terminal_attaches() {
    let world = town();
    world.in_town(["mayor", "start"]).ok();
    let terminal = Terminal::open(&world, &format!("cd town && {} attach mayor/", gt()));
    assert_eq!(wait_for("the client", || client(&world)), "hq-mayor");
    terminal.keys(&["C-b", "d"]);
    assert_eq!(terminal.ended(), 0);
}

#[test]
fn attach_inside_the_server_switches_the_client() {
    let world = town();
    let script = format!("read -r line; cd town && {} attach mayor/ 2>said; exec sleep 1000", gt());
    world.tmux(["new-session", "-d", "-s", "person", "--", "sh", "-c", &script]).ok();
    world.in_town(["mayor", "start"]).ok();
    let _terminal = Terminal::open(&world, &format!("tmux -u -L {} attach -t =person", world.socket));
    assert_eq!(wait_for("the client", || client(&world)), "person");
    world.tmux(["send-keys", "-t", "=person:", "Enter"]).ok();
    wait_for("the switch", || (client(&world)? == "hq-mayor").then_some(()));
}

#[test]
fn attach_from_another_server_says_how() {
    let world = town();
    world.in_town(["mayor", "start"]).ok();
    let script = format!("export TMUX=/tmp/other,1,0; cd town && {} attach mayor/", gt());
    let terminal = Terminal::open(&world, &script);
    assert_eq!(terminal.ended(), 1);
    let said = world.read("terminal-errors");
    assert!(said.contains("another tmux server"), "{said}");
    assert!(said.contains("env -u TMUX tmux -u -L"), "{said}");
}

#[test]
fn attach_without_a_terminal_says_what_to_run() {
    let world = town();
    world.in_town(["mayor", "start"]).ok();
    let run = world.in_town(["attach", "mayor/"]).fails(1);
    assert!(
        run.stderr.starts_with("gt: attaching needs a terminal\nhint: in one, run: tmux -u -L"),
        "{}",
        run.stderr
    );
}

#[test]
fn an_ended_session_is_shown_and_said_to_have_ended() {
    let world = town();
    world.in_town(["mayor", "start", "--agent", "ends"]).ok();
    wait_for("its end", || world.in_town(["mayor", "status"]).stdout.contains("ended").then_some(()));
    let terminal = Terminal::open(&world, &format!("cd town && {} attach mayor/", gt()));
    wait_for("its last screen", || terminal.screen().contains("Pane is dead").then_some(()));
    assert_eq!(world.read("terminal-errors"), "mayor/ has ended (exit 3): this is its last screen\n");
}

#[test]
fn mayor_attach_starts_the_mayor_first() {
    let world = town();
    let _terminal = Terminal::open(&world, &format!("cd town && {} mayor attach", gt()));
    assert_eq!(wait_for("the client", || client(&world)), "hq-mayor");
}

#[test]
fn agents_on_a_terminal_is_a_choice() {
    let world = town();
    world.in_town(["start"]).ok();
    let terminal = Terminal::open(&world, &format!("cd town && {} agents", gt()));
    wait_for("the question", || terminal.screen().contains("go to").then_some(()));
    assert!(terminal.screen().contains("2  wyvern/witness"), "{}", terminal.screen());
    terminal.keys(&["2", "Enter"]);
    assert_eq!(wait_for("the client", || client(&world)), "gt-wyvern-witness");
}

#[test]
fn agents_and_session_list_as_json() {
    let world = town();
    world.in_town(["start"]).ok();
    let agents = world.in_town(["agents", "--json"]).ok().json();
    let addresses: Vec<_> =
        agents["agents"].as_array().unwrap().iter().map(|line| &line["address"]).collect();
    assert_eq!(addresses, ["mayor/", "wyvern/witness"]);
    let list = world.in_town(["session", "list", "--rig", "wyvern", "--json"]).ok().json();
    assert_eq!(list["sessions"][0]["session"], "gt-wyvern-witness");
    assert_eq!(list["sessions"][0]["alive"], true);
}

#[test]
fn a_look_is_one_process_and_a_start_one_more() {
    let world = town();
    world.in_town(["start"]).ok();
    world.count_calls(&["tmux", "git"]);
    for words in ["status", "polecats wyvern", "agents", "session list", "mayor status", "mayor start"] {
        world.in_town(words.split(' ')).ok();
        assert_eq!(world.calls("tmux").len(), 1, "gt {words}");
    }
    for words in ["mayor stop", "mayor start", "stop --all"] {
        world.in_town(words.split(' ')).ok();
        assert_eq!(world.calls("tmux").len(), 2, "gt {words}");
    }
    assert_eq!(world.calls("git").len(), 0);
}

/// PATH with what a town needs, and no tmux.
pub fn without_tmux(world: &World) {
    for program in ["git", "sh", "sleep", "env"] {
        let real = world.run("sh", "", ["-c", &format!("command -v {program}")]).ok().stdout;
        world.write("plain/.keep", "");
        std::os::unix::fs::symlink(real.trim(), world.path("plain").join(program)).unwrap();
    }
    world.set("PATH", &world.str("plain"));
}

#[test]
fn without_tmux_the_command_to_run_is_said() {
    let world = town();
    without_tmux(&world);
    let run = world.in_town(["start"]).ok();
    assert_eq!(run.stderr, "minimal mode: tmux is not installed; run by hand:\n");
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines.len(), 2);
    // An agent that is run by hand holds its lock too.
    assert!(lines[0].contains("/town/mayor/gt-agent.lock mayor/ "), "{}", lines[0]);
    let script = lines[0].replace("sleep 1000", "sh -c 'echo $GT_ADDRESS in $PWD'");
    let seen = world.run("sh", "", ["-c", &script]).ok().stdout;
    assert_eq!(seen, format!("mayor/ in {}\n", world.real().join("town").display()));
    let status = world.in_town(["status"]).ok().stdout;
    assert_eq!(status.matches("minimal mode: tmux is not installed").count(), 1, "{status}");
    let bead = world.bead("By hand", "true");
    let slung = world.in_town(["sling", &bead, "wyvern/Nux"]).ok();
    let worktree = world.real().join("town/wyvern/polecats/Nux").display().to_string();
    assert!(slung.stdout.contains(&format!("cd {worktree} && ")), "{slung:?}");
    let polecats = world.in_town(["polecats", "wyvern"]).ok().stdout;
    assert!(polecats.contains("~ Nux  unknown"), "what runs by hand is not seen: {polecats}");
    world.in_town(["stop", "--all"]).ok();
    let run = world.in_town(["attach", "mayor/"]).fails(1);
    assert!(
        run.stderr.starts_with("gt: there are no sessions here: tmux is not installed"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_tmux_that_is_too_old_is_minimal_mode_said_once() {
    let world = town();
    let old = "#!/bin/sh\ncase \"$*\" in\n-V) echo 'tmux 2.8' ;;\n\
               *list-panes*) echo 'no server running on /tmp/x' >&2; exit 1 ;;\n\
               *) echo 'usage: new-session [-AdDEP]' >&2; exit 1 ;;\nesac\n";
    world.program("tmux", old);
    let run = world.in_town(["start"]).ok();
    assert_eq!(run.stderr, "minimal mode: tmux 2.8 is too old, gt needs 3.2 or later; run by hand:\n");
    assert_eq!(run.stdout.lines().count(), 2);
    assert!(
        run.stdout.lines().all(|line| line.starts_with("cd ") && line.ends_with("sleep 1000")),
        "{}",
        run.stdout
    );
}

#[test]
fn a_tmux_that_cannot_be_asked_stops_what_would_change_something() {
    let world = town();
    world.program("tmux", "#!/bin/sh\necho 'server exited unexpectedly' >&2\nexit 1\n");
    for words in ["start", "stop --all", "session list", "agents"] {
        let run = world.in_town(words.split(' ')).fails(1);
        assert!(run.stderr.contains("server exited unexpectedly"), "gt {words}: {}", run.stderr);
    }
    let status = world.in_town(["status"]).ok().stdout;
    assert!(status.contains("sessions unknown: server exited unexpectedly\n"), "{status}");
    assert!(status.contains("mayor     unknown\n"), "{status}");
}

#[test]
fn a_restart_and_a_resume_that_were_killed_go_on_with_the_same_command() {
    let world = town();
    let bead = world.bead("Wait", "sleep 1000");
    world.in_town(["sling", &bead, "wyvern/Nux"]).ok();
    let restart = &["session", "restart", "wyvern/Nux"][..];
    let resume = &["sling", &bead, "wyvern", "--resume"][..];
    let mut kills = vec![("restart.1", restart)];
    for words in [restart, resume] {
        kills.extend(["sling.1", "sling.2", "sling.3", "sling.4", "sling.5"].map(|step| (step, words)));
    }
    for (step, words) in kills {
        if words == resume {
            world.in_town(["session", "stop", "wyvern/Nux"]).ok();
        }
        world.gt_killed(step, "town", words);
        let again = world.in_town(words);
        // A resume that was killed once its session ran has nothing left to do.
        let ran = (step, words) == ("sling.5", resume);
        assert_eq!(again.code, Some(i32::from(ran)), "{step}: {again:?}");
        let polecats = world.in_town(["polecats", "wyvern", "--json"]).ok().json();
        let found: Vec<_> = polecats["polecats"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| (&one["bead"], &one["place"]))
            .collect();
        assert_eq!(found, [(&bead.as_str().into(), &"working".into())], "{step}");
        let sessions = world.tmux(["list-sessions", "-F", "#{session_name}"]).ok().stdout;
        assert_eq!(sessions, "gt-wyvern-Nux\n", "{step}");
    }
    world.in_town(["mayor", "start"]).ok();
    world.gt_killed("restart.1", "town", ["session", "restart", "mayor/"]);
    world.in_town(["session", "restart", "mayor/"]).ok();
    assert_ne!(world.session_of("mayor/"), "");
}

#[test]
fn a_polecat_is_restarted_on_its_work_and_found_by_its_bare_name() {
    let world = town();
    let bead = world.bead("Wait", "sleep 1000");
    world.in_town(["sling", &bead, "wyvern/Nux"]).ok();
    let pid = || world.tmux(["list-panes", "-t", "=gt-wyvern-Nux", "-F", "#{pane_pid}"]).ok().stdout;
    let before = pid();
    world.in_town(["session", "restart", "Nux"]).ok();
    assert_ne!(pid(), before);
    let polecats = world.in_town(["polecats", "wyvern", "--json"]).ok().json();
    assert_eq!(polecats["polecats"][0]["bead"], bead);
    assert_eq!(polecats["polecats"][0]["place"], "working");
    assert_eq!(
        world.in_town(["session", "stop", "Nux"]).ok().stdout,
        "stopped wyvern/Nux (session gt-wyvern-Nux)\n"
    );
    let stopped = world.in_town(["polecats", "wyvern"]).ok().stdout;
    assert!(stopped.contains("! Nux  crashed"), "{stopped}");
}
