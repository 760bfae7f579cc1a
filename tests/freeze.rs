//! `gt freeze`: what runs, as a preset that changes nothing when it is applied.

use crate::common::World;

/// A town whose crew has windows, and one of them runs.
fn town() -> World {
    let world = World::with_rig();
    world.settings(
        "[beads]\nstore = \"embedded\"\n[agents.waits]\ncommand = [\"sleep\", \"1000\"]\n\
         [agents.other]\ncommand = [\"sleep\", \"2000\"]\nall = { words = [\"3\"] }\n[up]\nroles = [\"mayor\", \"crew\"]\n",
    );
    world.set("GASTOWN_MAYOR__AGENT", "waits");
    world.write(
        "home/.config/gastown/presets/crew.toml",
        r#"[crew]
agent = "waits"
env = { FILE = "${HOME}/.token", PRICE = "a $${b} $$" }

[[crew.windows]]
name = "work"
layout = "main-vertical"
panes = [{ command = "{{agent}}", focus = true }, { command = "echo {{session_id}}; exec sleep 3000", size = "30%" }]

[[crew.windows]]
name = "logs"
panes = [{ command = "exec sleep 4000", start_directory = "/" }]
"#,
    );
    for name in ["ann", "bob"] {
        world.in_town(["crew", "add", name, "--rig", "wyvern"]).ok();
    }
    world.in_town(["apply"]).ok();
    world
}

/// Every pane with its process, in a fixed order.
fn panes(world: &World) -> String {
    let format =
        "#{session_name}:#{window_index} #{window_name} #{pane_id} #{pane_pid} #{pane_width}x#{pane_height}";
    world.tmux(["list-panes", "-a", "-F", format]).ok().stdout
}

fn freeze(world: &World, what: &[&str], name: &str) -> String {
    let run = world.in_town([&["freeze"], what].concat()).ok();
    world.write(format!("town/config/presets/{name}.toml"), &run.stdout);
    assert_eq!(
        world.in_town(["preset", "check", name]).ok().stdout,
        format!("ok      {name}\n"),
        "{}",
        run.stdout
    );
    run.stdout
}

#[test]
fn a_town_that_is_frozen_and_applied_stays_as_it_is() {
    let world = town();
    let before = panes(&world);
    let text = freeze(&world, &[], "frozen");
    let home = world.str("home");
    insta::assert_snapshot!(text.replace(&home, "~"), @r#"
    # What runs in this town, as a preset. In config/presets/NAME.toml it is used by:
    # gt apply --preset NAME

    [crew]
    agent = "waits"
    start_directory = "{{worktree}}"
    env = { FILE = "~/.token", PRICE = "a $${b} $" }
    restart = "on-cycle"

    [[crew.windows]]
    name = "work"
    layout = "main-vertical"
    panes = [
        { command = "{{agent}}", focus = true },
        { command = "echo {{session_id}}; exec sleep 3000", size = "30%" },
    ]

    [[crew.windows]]
    name = "logs"
    panes = [
        { command = "exec sleep 4000", start_directory = "/" },
    ]

    [mayor]
    agent = "waits"
    start_directory = "{{town}}"
    restart = "on-cycle"
    "#);
    world.count_calls(&["tmux"]);
    let run = world.in_town(["apply", "--preset", "frozen"]).ok();
    assert_eq!(
        (run.stdout.as_str(), run.stderr.as_str()),
        ("", "nothing to do: 3 sessions run as asked for\n")
    );
    assert_eq!(world.calls("tmux").len(), 1);
    // Also where nothing else says what it says.
    std::fs::remove_file(world.path("home/.config/gastown/presets/crew.toml")).unwrap();
    let run = world.in_town(["plan", "--preset", "frozen"]).ok();
    assert_eq!(
        (run.stdout.as_str(), run.stderr.as_str()),
        ("", "nothing to do: 3 sessions run as asked for\n")
    );
    assert_eq!(panes(&world), before);
}

#[test]
fn what_was_started_otherwise_is_frozen_as_it_runs() {
    let world = town();
    world.set("GASTOWN_CREW__AGENT", "other");
    world.set("GASTOWN_CREW__PERMISSIONS", "all");
    world.in_town(["apply", "--restart", "wyvern/crew/ann"]).ok();
    world.unset("GASTOWN_CREW__AGENT");
    world.unset("GASTOWN_CREW__PERMISSIONS");
    let text = freeze(&world, &["wyvern/crew/ann"], "ann");
    assert!(text.contains("agent = \"other\"\npermissions = \"all\"\n"), "{text}");
    let plan = world.in_town(["plan", "--preset", "ann", "wyvern/crew/ann"]).ok();
    assert_eq!(plan.stdout, "", "{text}");
    // And where no configuration knows its runtime any more.
    world.settings("[beads]\nstore = \"embedded\"\n[agents.waits]\ncommand = [\"sleep\", \"1000\"]\n");
    let text = freeze(&world, &["wyvern/crew/ann"], "lost");
    assert!(
        text.contains("agent = \"frozen\"") && text.contains("command = [\"sleep\", \"2000\", \"3\"]"),
        "{text}"
    );
    let plan = world.in_town(["plan", "--preset", "lost", "wyvern/crew/ann"]).ok();
    assert_eq!(plan.stdout, "", "{text}");
    let both = freeze(&world, &[], "both");
    assert!(both.contains("# wyvern/crew/bob runs something else: gt freeze wyvern/crew/bob\n"), "{both}");
}

#[test]
fn what_a_person_opened_is_frozen_too_and_goes_on_when_it_is_applied() {
    let world = town();
    let open = |words: &str| world.tmux(words.split(' ')).ok();
    open("new-window -d -t =gt-wyvern-crew-ann: -n mine -c /tmp -- sleep 77");
    open("split-window -d -t =gt-wyvern-crew-ann:work -c / -- sleep 78");
    open("split-window -h -d -t =gt-wyvern-crew-ann:mine -c /");
    let before = panes(&world);
    assert_eq!(world.in_town(["plan"]).ok().stdout, "", "a person's windows and panes are no change");
    freeze(&world, &["wyvern/crew/ann"], "mine");
    world.in_town(["apply", "--preset", "mine", "wyvern/crew/ann"]).ok();
    assert_eq!(panes(&world), before);
    let plan = world.in_town(["plan", "--preset", "mine", "wyvern/crew/ann"]).ok();
    assert_eq!(plan.stderr, "nothing to do: 1 session runs as asked for\n", "{}", plan.stdout);
    // Once it is gone, all of it comes back.
    world.tmux(["kill-session", "-t", "=gt-wyvern-crew-ann"]).ok();
    world.in_town(["apply", "--preset", "mine", "wyvern/crew/ann"]).ok();
    let shape = |text: &str| -> Vec<String> {
        let ann = text.lines().filter(|line| line.starts_with("gt-wyvern-crew-ann"));
        ann.map(|line| line.split(' ').map(str::to_string).collect::<Vec<_>>())
            .map(|words| format!("{} {} {}", words[0], words[1], words[4]))
            .collect()
    };
    assert_eq!(shape(&panes(&world)), shape(&before));
}

#[test]
fn a_session_of_a_persons_own_becomes_windows_of_crew() {
    let world = town();
    let open = |words: &[&str]| world.tmux(words).ok();
    open(&[
        "new-session",
        "-d",
        "-x",
        "200",
        "-y",
        "50",
        "-s",
        "mine",
        "-n",
        "edit",
        "-c",
        "/usr",
        "sleep 5000 # $HOME",
    ]);
    open(&["split-window", "-h", "-d", "-t", "=mine:", "-c", "/"]);
    open(&["new-window", "-d", "-t", "=mine:", "-n", "it's \"two\"", "-c", "/", "--", "sleep", "6000"]);
    crate::common::wait_for("its programs", || {
        let format = "#{pane_current_path} #{pane_current_command}";
        let seen = world.tmux(["list-panes", "-s", "-t", "=mine", "-F", format]).ok().stdout;
        (seen == "/usr sh\n/ sh\n/ sleep\n").then_some(())
    });
    let text = freeze(&world, &["mine"], "theirs");
    let sum = regex::Regex::new(r#"layout = "[^"]*""#).unwrap();
    insta::assert_snapshot!(sum.replace_all(&text, "layout = \"…\""), @r#"
    # The session mine, as windows of crew. In config/presets/NAME.toml they are used by:
    # gt apply --preset NAME RIG/crew/NAME

    [crew]
    agent = "none"
    start_directory = "/usr"

    [[crew.windows]]
    name = "edit"
    layout = "…"
    panes = [
        { command = "sleep 5000 # $HOME" },
        { start_directory = "/" },
    ]

    [[crew.windows]]
    name = "it's \"two\""
    panes = [
        { command = "exec sleep 6000", start_directory = "/" },
    ]
    "#);
    world.in_town(["apply", "--restart", "--preset", "theirs", "wyvern/crew/bob"]).ok();
    let format = "#{window_name} #{pane_width}x#{pane_height} #{pane_current_command}";
    let list = |name: &str| {
        let run = world.tmux(["list-panes", "-s", "-t", &format!("={name}"), "-F", format]).ok();
        run.stdout.replace("bash", "sh")
    };
    let same = || (list("gt-wyvern-crew-bob") == list("mine")).then_some(());
    crate::common::wait_for("the same windows", same);
    let json = world.in_town(["freeze", "mine", "--json"]).ok().json();
    assert_eq!(json["preset"]["crew"]["windows"][0]["panes"][0]["command"], "sleep 5000 # $HOME");
}

#[test]
fn there_has_to_be_something_to_freeze() {
    let world = town();
    let run = world.in_town(["freeze", "nobody"]).fails(1);
    insta::assert_snapshot!(run.stderr, @r"
    gt: no session is named nobody, and no agent with that address runs
    hint: see what runs with: gt session list; and with: tmux list-sessions
    ");
    world.in_town(["down"]).ok();
    let run = world.in_town(["freeze"]).fails(1);
    insta::assert_snapshot!(run.stderr, @r"
    gt: no role of this town runs, so there is nothing to freeze
    hint: start what should run with: gt apply
    ");
}
