//! Roles' windows through the real program: polecats, crew, the Mayor, and a role of windows alone.

use crate::common::{World, wait_for};

/// A town with the rig `wyvern` whose agents only wait.
fn town() -> World {
    let world = World::with_rig();
    world.unset("GASTOWN_POLECAT__AGENT");
    world.settings(
        "[beads]\nstore = \"embedded\"\n[agents.waits]\ncommand = [\"sleep\", \"1000\"]\n\
         [up]\nroles = [\"mayor\"]\n",
    );
    for role in ["MAYOR", "CREW", "POLECAT"] {
        world.set(&format!("GASTOWN_{role}__AGENT"), "waits");
    }
    world
}

fn preset(world: &World, role: &str, text: &str) {
    world.write(format!("home/.config/gastown/presets/{role}.toml"), text);
}

/// `WINDOW|PANES|SHOWN` of each window.
fn windows(world: &World, session: &str) -> Vec<String> {
    let format = "#{window_name}|#{window_panes}|#{window_active}";
    let run = world.tmux(["list-windows", "-t", &format!("={session}"), "-F", format]).ok();
    run.stdout.lines().map(str::to_string).collect()
}

/// One value of every pane of a session, in order.
fn panes(world: &World, session: &str, format: &str) -> Vec<String> {
    let run = world.tmux(["list-panes", "-s", "-t", &format!("={session}"), "-F", format]).ok();
    run.stdout.lines().map(str::to_string).collect()
}

/// The example of the guide, as it stands there.
#[test]
fn the_guides_example_is_what_a_polecat_shows() {
    let world = town();
    let guide =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md")).unwrap();
    let blocks = guide.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let example = blocks.into_iter().find(|block| block.contains("[[polecat.windows]]")).unwrap();
    preset(&world, "polecat", example);
    world.in_town(["preset", "check", "polecat"]).ok();
    let title = "'; touch owned #(touch owned) $(touch owned) \"x\"";
    let bead = world.bead(title, "true");
    world.set("SHELL", "/bin/sh");
    std::fs::create_dir(world.path("clone")).unwrap();
    // The folder of the second window is in the repository.
    let missing = world.in_town(["sling", &bead, "wyvern/Nux"]).fails(1);
    assert!(
        missing.stderr.contains("no folder") && missing.stderr.contains("polecats/Nux/crates"),
        "{missing:?}"
    );
    assert_eq!(world.show(&bead)["status"], "open", "nothing is held");
    world.git("", ["clone", "-q", "origin.git", "seed"]);
    world.write("seed/crates/lib.rs", "");
    world.git("seed", ["add", "-A"]);
    world.git("seed", ["commit", "-qm", "crates"]);
    world.git("seed", ["push", "-q"]);
    world.in_town(["sling", &bead, "wyvern/Nux"]).ok();

    assert_eq!(windows(&world, "gt-wyvern-Nux"), ["Nux|3|1", "tests|1|0"]);
    let at = "#{?@gt_agent,1,}|#{pane_active}|#{pane_width}x#{pane_height}";
    assert_eq!(panes(&world, "gt-wyvern-Nux", at), ["1|1|130x50", "|0|69x15", "|0|69x34", "|1|200x50"]);
    let folder = world.real().join("town/wyvern/polecats/Nux");
    let paths = wait_for("every program in its folder", || {
        let paths = panes(&world, "gt-wyvern-Nux", "#{pane_current_path}");
        paths[3].ends_with("crates").then_some(paths)
    });
    let own = folder.display().to_string();
    assert_eq!(paths, [own.clone(), own.clone(), own.clone(), format!("{own}/crates")]);
    let screen = |pane: usize| {
        let id = panes(&world, "gt-wyvern-Nux", "#{pane_id}")[pane].clone();
        world.tmux(["capture-pane", "-p", "-J", "-t", &id]).ok().stdout
    };
    wait_for("the log", || screen(1).contains("crates").then_some(()));
    wait_for("the title as it is", || screen(3).starts_with(&format!("tests of {title}")).then_some(()));
    for owned in
        ["town/wyvern/polecats/Nux/owned", "town/wyvern/polecats/Nux/crates/owned", "owned", "town/owned"]
    {
        assert!(!world.path(owned).exists(), "{owned}");
    }
    let pid = &panes(&world, "gt-wyvern-Nux", "#{pane_pid}")[3];
    let environment = std::fs::read_to_string(format!("/proc/{pid}/environ")).unwrap();
    let of = |key: &str| environment.split('\0').find_map(|pair| pair.strip_prefix(key)).map(str::to_string);
    assert_eq!(of("RUST_BACKTRACE=").as_deref(), Some("1"));
    assert_eq!((of("GT_BEAD=").as_ref(), of("GT_ADDRESS=").as_deref()), (Some(&bead), Some("wyvern/Nux")));
    assert!(of("PATH=").unwrap().contains("/town/bin:"), "an agent's programs are found there too");
    let agents = &panes(&world, "gt-wyvern-Nux", "#{pane_pid}")[0];
    let of_agent = std::fs::read_to_string(format!("/proc/{agents}/environ")).unwrap();
    assert!(!of_agent.contains("RUST_BACKTRACE"));
    wait_for("the agent as the pane's program", || {
        let words = std::fs::read_to_string(format!("/proc/{agents}/cmdline")).unwrap();
        words.starts_with("sleep\x001000\0").then_some(())
    });
}

#[test]
fn the_mayor_crew_and_a_role_of_windows_alone_show_theirs() {
    let world = town();
    preset(
        &world,
        "mayor",
        "[mayor]\nwindows = [{ name = 'board', panes = [{ command = 'echo board of {{address}}; exec sleep 1000' }] }]\n",
    );
    preset(
        &world,
        "crew",
        "[[crew.windows]]\nname = '{{rig}}'\nlayout = 'even-horizontal'\n\
         panes = [{ size = 50 }, { command = '{{agent}}' }]\n",
    );
    preset(
        &world,
        "deacon",
        "[[deacon.windows]]\nname = 'watch'\nstart_directory = 'wyvern'\n\
         panes = [{ command = 'pwd; exec sleep 1000' }, { command = 'exec sleep 1000' }]\n",
    );
    world.in_town(["mayor", "start"]).ok();
    // The agent that no pane shows has the first window, and is what is shown.
    assert_eq!(windows(&world, "hq-mayor"), ["mayor|1|1", "board|1|0"]);
    assert_eq!(panes(&world, "hq-mayor", "#{?@gt_agent,1,}"), ["1", ""]);
    world.in_town(["crew", "add", "max", "--rig", "wyvern"]).ok();
    world.in_town(["session", "restart", "wyvern/crew/max"]).ok();
    assert_eq!(windows(&world, "gt-wyvern-crew-max"), ["wyvern|2|1"]);
    let seen = panes(&world, "gt-wyvern-crew-max", "#{?@gt_agent,1,}#{pane_active} #{pane_width}");
    assert_eq!(seen, ["0 50", "11 149"]);
    world.in_town(["session", "restart", "deacon/"]).ok();
    assert_eq!(windows(&world, "hq-deacon"), ["watch|2|1"]);
    let listed = world.in_town(["session", "list", "--json"]).ok().json();
    let alive: Vec<_> =
        listed["sessions"].as_array().unwrap().iter().map(|one| one["alive"].clone()).collect();
    assert_eq!(alive, [true, true, true]);
    world.settings("[beads]\nstore = \"embedded\"\n[up]\nroles = [\"deacon\"]\n");
    assert!(world.in_town(["start"]).ok().stdout.contains("deacon/ runs already"));
    world.in_town(["session", "stop", "deacon/"]).ok();
    assert_eq!(world.session_of("deacon/"), "");
}

#[test]
fn broken_windows_are_refused_before_anything_is_touched() {
    let world = town();
    let bead = world.bead("x", "true");
    preset(
        &world,
        "polecat",
        "[[polecat.windows]]\nname = 'a'\npanes = [{ command = '{{agent}}' }, { command = '{{agent}}' }]\n",
    );
    let place = "polecat.toml:3:49: polecat.windows.0.panes.1.command: a second pane with the agent";
    let run = world.in_town(["sling", &bead, "wyvern"]).fails(1);
    assert!(run.stderr.contains(place) && run.stderr.contains("hint: "), "{run:?}");
    assert!(world.in_town(["preset", "check"]).fails(1).stdout.contains(place));
    // Each file is right, what they come to is not.
    preset(&world, "polecat", "[[polecat.windows]]\nname = 'a'\n");
    world.write(
        "town/config/presets/polecat.toml",
        "[polecat]\nwindows = ['...', { name = 'b', panes = [{ command = '{{agent}}' }] }]\n",
    );
    let run = world.in_town(["sling", &bead, "wyvern"]).fails(1);
    let joined = "presets/polecat.toml:2:11: polecat.windows.1.panes.0.command: a second pane with the agent";
    assert!(run.stderr.contains(joined), "{run:?}");
    assert!(world.in_town(["preset", "check", "polecat"]).fails(1).stdout.contains(joined));
    assert_eq!(world.show(&bead)["status"], "open");
    // No worktree was made and no name is taken.
    let polecats = world.path("town/wyvern/polecats");
    for dir in [polecats.join(".names"), polecats] {
        let hidden = |name: std::ffi::OsString| name.to_string_lossy().starts_with('.');
        assert!(
            dir.read_dir().is_ok_and(|dir| dir.flatten().all(|entry| hidden(entry.file_name()))),
            "{dir:?}"
        );
    }
    assert_eq!(world.tmux(["list-sessions"]).stdout, "");
}

/// gt is often run in a pane of the same server: nothing that it arranges is relative to that pane.
#[test]
fn from_inside_a_pane_of_the_server_the_right_panes_are_arranged() {
    let world = town();
    world.tmux(["new-session", "-d", "-s", "person", "-x", "200", "-y", "50", "--", "sleep", "1000"]).ok();
    for _ in 0..3 {
        world.tmux(["split-window", "-t", "=person:", "--", "sleep", "1000"]).ok();
    }
    let before = panes(&world, "person", "#{pane_id} #{pane_width}x#{pane_height} #{pane_active}");
    preset(
        &world,
        "mayor",
        "[[mayor.windows]]\nname = 'a'\nlayout = 'even-horizontal'\n\
         panes = [{ size = 40 }, { command = '{{agent}}' }, { size = 30 }]\n[[mayor.windows]]\nname = 'b'\npanes = [{}, {}]\n",
    );
    let socket = world.tmux(["display-message", "-p", "#{socket_path}"]).ok().stdout;
    world.set("TMUX", &format!("{},1,0", socket.trim()));
    world.set("TMUX_PANE", &panes(&world, "person", "#{pane_id}")[0]);
    world.in_town(["mayor", "start"]).ok();
    let seen = panes(&world, "hq-mayor", "#{?@gt_agent,1,}#{pane_active} #{pane_width}x#{pane_height}");
    assert_eq!(seen, ["0 40x50", "11 128x50", "0 30x50", "1 200x24", "0 200x25"]);
    assert_eq!(windows(&world, "hq-mayor"), ["a|3|1", "b|2|0"]);
    assert_eq!(panes(&world, "person", "#{pane_id} #{pane_width}x#{pane_height} #{pane_active}"), before);
}

/// Without windows tmux is told what it always was, and with them it is still one process.
#[test]
fn one_process_makes_a_session_and_without_windows_it_is_the_same_as_ever() {
    let world = town();
    world.count_calls(&["tmux"]);
    world.in_town(["mayor", "start"]).ok();
    let calls = world.calls("tmux");
    assert_eq!(calls.len(), 2, "{calls:#?}");
    assert_eq!(calls[1], format!("-u -L {} start-server ; source-file -", world.socket));
    let told = world.read("tmux-told");
    let root = world.real().join("town").display().to_string();
    let words: Vec<String> = shlex::Shlex::new(&told).collect();
    let told = words.join(" ");
    let told = told.strip_prefix("display-message -p gt-begun-0 ; ").unwrap();
    let told = told.strip_suffix(" ; display-message -p gt-ended-0").unwrap();
    let (values, rest) = told.split_once(" -- env ").unwrap();
    let (start, after) =
        (values.split_once(" -e ").unwrap().0, values.rsplit_once("session-ended mayor/ ").unwrap().1);
    assert_eq!(start, format!("new-session -d -P -c {root}"));
    let (_, last) = after.split_once(" -F ").unwrap();
    assert_eq!(last, "#{session_id}\t#{pane_id}\t#{pane_pid} -n mayor -s hq-mayor -x 200 -y 50");
    let (program, options) = rest.split_once(" ; ").unwrap();
    assert!(program.starts_with("PATH=") && program.ends_with(" sleep 1000"), "{program}");
    let names: Vec<String> = options
        .split(" ; ")
        .map(|option| option.replace("-t =hq-mayor:^.{top-left}", "").replace("-t =hq-mayor: ", ""))
        .collect();
    let fixed = [
        "set-option destroy-unattached off",
        "set-option -F @gt_own #{session_id} ",
        "set-option -F @gt_state #{session_id} working ",
        "set-option -F @gt_hash #{session_id} ",
        "set-option -p  remain-on-exit on",
        "set-option -p  -F @gt_agent #{pane_id}",
        "set-option -p  -F @gt #{pane_id} #{pane_pid} ",
        "set-option -p  @gt_on_end GASTOWN_",
        "set-hook -p  pane-died run-shell -b 'exec env -u GT_TOWN_ROOT /bin/sh -c ",
        "list-panes -s -f ",
    ];
    assert_eq!(names.len(), fixed.len(), "{names:#?}");
    for (name, fixed) in names.iter().zip(fixed) {
        assert!(name.starts_with(fixed), "{name}\n{fixed}");
    }

    world.in_town(["mayor", "stop"]).ok();
    preset(
        &world,
        "mayor",
        "[[mayor.windows]]\nname = 'a'\npanes = [{}, {}, {}]\n[[mayor.windows]]\nname = 'b'\n[[mayor.windows]]\nname = 'c'\npanes = [{}]\n",
    );
    world.calls("tmux");
    world.in_town(["mayor", "start"]).ok();
    assert_eq!(world.calls("tmux").len(), 2, "a look and a start");
    assert_eq!(windows(&world, "hq-mayor"), ["a|3|0", "b|1|1", "c|1|0"]);
}

#[test]
fn no_value_of_an_environment_stands_on_a_command_line() {
    let world = town();
    world.set("GASTOWN_MAYOR__ENV__OTHER", "s3cr3t-other");
    let mayor = "[mayor]\nenv = { API_TOKEN = 's3cr3t-value' }\n";
    preset(&world, "mayor", mayor);
    world.count_calls(&["tmux"]);
    world.in_town(["apply"]).ok();
    let window = "[[mayor.windows]]\nname = 'a'\npanes = [{ command = '{{agent}}' }, { command = 'sleep 900', env = { MORE = 's3cr3t-more' } }]\n";
    preset(&world, "mayor", &format!("{mayor}{window}"));
    world.in_town(["apply"]).ok();
    assert_eq!(windows(&world, "hq-mayor"), ["a|2|1"]);
    let calls = world.calls("tmux");
    assert!(calls.len() > 3 && !calls.concat().contains("s3cr3t"), "{calls:#?}");
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let words = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&words).contains("s3cr3t"), "{:?}", entry.path());
    }
    let env = world.tmux(["show-environment", "-t", "=hq-mayor", "API_TOKEN"]).ok().stdout;
    assert_eq!(env, "API_TOKEN=s3cr3t-value\n");
}

/// A polecat's work goes its way whatever else its session shows.
#[test]
fn a_polecat_with_windows_hands_its_work_in_and_ends() {
    let world = World::with_rig();
    preset(
        &world,
        "polecat",
        "[[polecat.windows]]\nname = 'work'\npanes = [{ command = 'exit 1' }, { command = '{{agent}}' }, {}]\n\
         [[polecat.windows]]\nname = 'log'\npanes = [{ command = 'exec sleep 1000' }]\n",
    );
    let bead = world.bead("licence", "echo MIT >> README.md");
    world.in_town(["sling", &bead, "wyvern"]).ok();
    wait_for("its work in the queue", || {
        let waiting = world.in_town(["mq", "list", "wyvern", "--json"]).ok().json();
        (waiting["requests"].as_array()?.len() == 1).then_some(())
    });
    wait_for("its end", || {
        world.in_town(["witness", "patrol", "wyvern"]).ok();
        let left = world.in_town(["polecats", "wyvern", "--json"]).ok().json();
        left["polecats"].as_array()?.is_empty().then_some(())
    });
    assert_eq!(world.tmux(["list-sessions"]).stdout, "");
    world.in_town(["refinery", "process", "wyvern"]).ok();
    assert_eq!(world.git("origin.git", ["show", "main:README.md"]), "# wyvern\nMIT");
}

/// Widths and heights of a window's panes.
fn sizes(world: &World, window: &str) -> Vec<(usize, usize)> {
    let run = world.tmux(["list-panes", "-t", window, "-F", "#{pane_width} #{pane_height}"]).ok();
    let pair = |line: &str| {
        let (width, height) = line.split_once(' ').unwrap();
        (width.parse().unwrap(), height.parse().unwrap())
    };
    run.stdout.lines().map(pair).collect()
}

#[test]
fn sizes_in_percent_stay_so_until_a_person_chooses_others() {
    let world = town();
    world.write("home/.tmux.conf", "set -g pane-base-index 1\n");
    preset(
        &world,
        "crew",
        "[[crew.windows]]\nname = \"main\"\nlayout = \"main-vertical\"\n\
         panes = [{ command = \"{{agent}}\", size = \"65%\" }, { command = \"sleep 1000\", size = \"30%\" }, {}]\n\
         [[crew.windows]]\nname = \"row\"\nlayout = \"even-horizontal\"\npanes = [{}, { size = \"20%\" }, {}]\n\
         [[crew.windows]]\nname = \"plain\"\npanes = [{}, {}]\n",
    );
    world.in_town(["crew", "add", "Max", "--rig", "wyvern"]).ok();
    world.in_town(["apply", "wyvern/crew/Max"]).ok();
    let window = |name: &str| format!("=gt-wyvern-crew-Max:{name}");
    let resize = |name: &str, (width, height): (usize, usize)| {
        let (width, height) = (width.to_string(), height.to_string());
        world.tmux(["resize-window", "-t", &window(name), "-x", &width, "-y", &height]).ok();
    };
    let near = |found: usize, percent: usize, of: usize| found.abs_diff(of * percent / 100) <= 1;
    for (width, height) in [(200, 50), (80, 24), (137, 40), (200, 50)] {
        resize("main", (width, height));
        resize("row", (width, height));
        wait_for("the sizes", || {
            let (main, row) = (sizes(&world, &window("main")), sizes(&world, &window("row")));
            let share = (width - 2 - width / 5) / 2;
            (near(main[0].0, 65, width)
                && near(main[1].1, 30, height)
                && near(row[1].0, 20, width)
                && row[0].0.abs_diff(share) <= 1)
                .then_some(())
        });
    }
    // A zoomed pane stays zoomed, and what a person chose stays.
    let pane = format!("{}.1", window("main"));
    world.tmux(["resize-pane", "-Z", "-t", &pane]).ok();
    resize("main", (100, 30));
    let zoomed = world.tmux(["display-message", "-p", "-t", &pane, "#{window_zoomed_flag}"]).ok();
    assert_eq!(zoomed.stdout, "1\n");
    world.tmux(["resize-pane", "-Z", "-t", &pane]).ok();
    resize("main", (200, 50));
    wait_for("the sizes again", || near(sizes(&world, &window("main"))[0].0, 65, 200).then_some(()));
    world.tmux(["resize-pane", "-t", &pane, "-x", "40"]).ok();
    resize("main", (198, 50));
    resize("main", (200, 50));
    assert!(sizes(&world, &window("main"))[0].0 < 60);
    // A window without sizes is left to tmux, and one with an added pane too.
    world.tmux(["split-window", "-d", "-t", &window("row"), "sleep", "1000"]).ok();
    resize("row", (80, 24));
    assert_eq!(sizes(&world, &window("row")).len(), 4);
    let hooks = |name: &str| world.tmux(["show-hooks", "-w", "-t", &window(name)]).ok().stdout;
    assert!(!hooks("plain").contains("window-resized") && !hooks("main").contains("window-resized"));
    assert!(world.in_town(["plan", "wyvern/crew/Max"]).ok().stderr.contains("nothing"));
}
