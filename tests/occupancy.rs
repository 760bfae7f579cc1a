//! Never two agents in one folder: the lock that an agent and all that it starts hold.

use crate::common::{World, gt, wait_for};
use gastown::town::occupancy::{self, Occupied};

/// A polecat at work on a script that survives the end of its session; gives its bead, its folder and its process.
fn survivor(world: &World) -> (String, std::path::PathBuf, i32) {
    let pid = world.str("pid");
    let script = format!(
        "trap '' HUP\nwhile :; do sleep 1; done &\necho $! > '{pid}.new'\nmv '{pid}.new' '{pid}'\nwait"
    );
    let bead = world.bead("Go on for ever", &script);
    world.in_town(["sling", &bead, "wyvern/Nux"]).ok();
    let pid = wait_for("the script", || std::fs::read_to_string(&pid).ok()?.trim().parse().ok());
    (bead, world.path("town/wyvern/polecats/Nux"), pid)
}

fn end(pid: i32) {
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
}

fn place(world: &World, bead: &str) -> String {
    let polecats = world.in_town(["polecats", "wyvern", "--json"]).ok().json();
    let found = polecats["polecats"].as_array().unwrap().iter().find(|one| one["bead"] == bead).cloned();
    found.unwrap()["place"].as_str().unwrap().into()
}

#[test]
fn what_survives_its_session_is_ended_before_an_agent_goes_on_there() {
    let world = World::with_rig();
    let (bead, dir, pid) = survivor(&world);
    assert_eq!(place(&world, &bead), "working");
    let Occupied::Yes(holder) = occupancy::is_occupied(&dir) else { panic!("not occupied") };
    assert_eq!(holder.address, "wyvern/Nux");
    assert_eq!(holder.instance, world.read("town/wyvern/polecats/.names/Nux").trim());

    world.tmux(["kill-session", "-t", &world.session_of("wyvern/Nux")]).ok();
    wait_for("the program of the pane to end", || (!holder.process.as_ref()?.alive()).then_some(()));
    // The agent itself has ended; what it started still holds the folder.
    assert_eq!(place(&world, &bead), "crashed");
    assert!(occupancy::check_removable(&dir).unwrap_err().to_string().contains("wyvern/Nux"));
    std::fs::remove_file(world.path("pid")).unwrap();
    let again = world.in_town(["sling", &bead, "wyvern", "--resume"]).ok();
    // Its `sleep` is named too, before it when the numbers of processes have begun anew.
    let said = again.stderr.contains("now ended: ") && again.stderr.contains(&format!("sh ({pid})"));
    assert!(said, "{again:?}");
    end(wait_for("the script", || {
        world.path("pid").exists().then(|| world.read("pid").trim().parse().unwrap())
    }));
}

#[test]
fn a_role_is_not_started_beside_what_it_left_running() {
    let world = World::with_rig();
    world.program("agent", "#!/bin/sh\ntrap '' HUP\nsleep 600 &\necho $! > \"$HOME/pid.new\"\nmv \"$HOME/pid.new\" \"$HOME/pid\"\nwait\n");
    world.write("town/config/presets/mayor.toml", "[mayor]\nagent = \"own\"\n");
    world.write("town/config/town.toml", "[agents.own]\ncommand = [\"agent\"]\nprompt = \"none\"\n");
    world.in_town(["start"]).ok();
    let pid = wait_for("the agent", || world.path("home/pid").exists().then(|| world.read("home/pid")));
    world.tmux(["kill-server"]).ok();
    let said = world.in_town(["start"]).fails(1);
    assert!(said.stderr.contains("cannot start mayor/: mayor/ runs there"), "{said:?}");
    assert_eq!(world.session_of("mayor/"), "");
    end(pid.trim().parse().unwrap());
}

#[test]
fn a_server_that_an_agent_had_gt_start_does_not_hold_the_agents_lock() {
    // The second is run by a script that has a descriptor of that number.
    for script in ["exec \"$@\"", "exec 9>script; exec \"$@\""] {
        let world = World::with_rig();
        world.write(
            "town/config/town.toml",
            "[agents.own]\ncommand = [\"sleep\", \"600\"]\nprompt = \"none\"\n",
        );
        world.write("town/config/presets/mayor.toml", "[mayor]\nagent = \"own\"\n");
        let lock = world.path("lock");
        let agent = ["run-agent", lock.to_str().unwrap(), "wyvern/max", "ab12", "--", gt(), "start"];
        world.run("sh", "town", [&["-c", script, "sh", gt()], &agent[..]].concat()).ok();
        assert_ne!(world.session_of("mayor/"), "");
        assert!(lock.exists());
        assert_eq!(occupancy::is_held(&lock), Occupied::No, "{script}");
    }
}

#[test]
fn a_program_that_is_missing_is_said_in_the_pane() {
    let world = World::new();
    let lock = world.str("lock");
    let run = |program: &[&str]| {
        let words = ["run-agent", &lock, "wyvern/Nux", "ab12", "--"];
        world.gt(words.into_iter().chain(program.iter().copied()))
    };
    let missing = run(&["no-such-agent", "--flag"]).fails(127);
    assert!(missing.stderr.starts_with("gt: no-such-agent is not installed or not on PATH"), "{missing:?}");
    let words = run(&["printf", "%s|", "a b", "--", "$x"]).ok();
    assert_eq!(words.stdout, "a b|--|$x|");
    let _held = occupancy::take(lock.as_ref(), ("wyvern/Nux", &"ab12".parse().unwrap()), None).unwrap();
    let second = run(&["printf", "never"]).fails(1);
    assert!(
        second.stdout.is_empty()
            && second.stderr.starts_with("gt: cannot start wyvern/Nux: wyvern/Nux runs there")
    );
    assert!(second.stderr.contains("hint: "), "{second:?}");
}

#[test]
fn a_server_whose_socket_is_gone_or_elsewhere_is_found() {
    let world = World::with_rig();
    let bead = world.bead("Go on for ever", "sleep 600");
    world.in_town(["sling", &bead, "wyvern/Nux"]).ok();
    let locked =
        || matches!(occupancy::is_occupied(&world.path("town/wyvern/polecats/Nux")), Occupied::Yes(_));
    wait_for("the agent", || locked().then_some(()));
    let socket = world.tmux(["display-message", "-p", "#{socket_path}"]).ok().stdout.trim().to_string();

    std::fs::remove_dir_all(std::path::Path::new(&socket).parent().unwrap()).unwrap();
    assert_eq!(place(&world, &bead), "working");
    world.in_town(["sling", &bead, "wyvern", "--resume"]).fails(1);
    assert_ne!(world.session_of("wyvern/Nux"), "", "the socket is there again");

    // As from cron, or a service with a private /tmp.
    let own = world.str("tmux");
    world.set("TMUX_TMPDIR", &world.str("home"));
    assert_eq!(place(&world, &bead), "working");
    world.in_town(["capture", "wyvern/Nux"]).ok();
    world.in_town(["polecat", "nuke", "wyvern/Nux"]).ok();
    assert!(!locked());
    world.set("TMUX_TMPDIR", &own);
}
