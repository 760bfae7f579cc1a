//! Settings and presets, through the real program.

use crate::common::World;

/// The values of `gt preset explain … --json` by key, and the presets that counted.
fn explained(world: &World, words: &[&str]) -> (serde_json::Value, serde_json::Value) {
    let run = world.in_town(["preset", "explain", "polecat", "--json"].iter().chain(words)).ok();
    let explain = run.json()["explain"].clone();
    let values = explain["values"].as_array().unwrap().iter();
    let by_key = values.map(|value| (value["key"].as_str().unwrap().to_string(), value.clone())).collect();
    (serde_json::Value::Object(by_key), explain["presets"].clone())
}

fn worked_example() -> World {
    let world = World::with_rig();
    world.unset("GASTOWN_POLECAT__AGENT");
    world.write("home/.config/gastown/presets/polecat.toml", "[polecat]\nenv = { EDITOR = \"true\" }\n");
    world.write("town/config/presets/polecat.toml", "[polecat]\nagent = \"codex\"\ntags = [\"town\"]\n");
    world.write(
        "town/config/town.toml",
        "[placement.heavy]\nwhen = { labels = [\"heavy-compute\"] }\nuse = \"remote-polecat\"\n",
    );
    world.set("GASTOWN_POLECAT__MAX_WORKERS", "8");
    world
}

#[test]
fn the_worked_example() {
    let world = worked_example();
    let heavy = world.bead_with("heavy", "true", &["-l", "heavy-compute"]);
    let light = world.bead("light", "true");

    let (values, presets) = explained(&world, &["--bead", &heavy]);
    assert_eq!(presets, serde_json::json!(["polecat", "remote-polecat"]));
    let said = |key: &str| (values[key]["value"].clone(), values[key]["from"].as_str().unwrap().to_string());
    let town = format!("{}/town/config/presets/polecat.toml", world.real().display());
    assert_eq!(said("polecat.agent"), ("codex".into(), town.clone()));
    assert_eq!(said("polecat.env.EDITOR"), ("true".into(), "~/.config/gastown/presets/polecat.toml".into()));
    let remote = "built-in remote-polecat.toml".to_string();
    assert_eq!(said("polecat.tags"), (serde_json::json!(["town", "remote"]), remote.clone()));
    assert_eq!(values.get("polecat.fugue_addr"), None);
    assert_eq!(said("polecat.placement"), ("remote".into(), remote.clone()));
    assert_eq!(said("polecat.max_workers"), (8.into(), "GASTOWN_POLECAT__MAX_WORKERS".into()));
    assert_eq!(said("agents.codex.command").0[0], serde_json::json!("codex"));
    let layers: Vec<&str> = values["polecat.tags"]["layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|layer| layer["from"].as_str().unwrap())
        .collect();
    assert_eq!(layers, ["built-in polecat.toml", &town, &remote]);

    let (other, presets) = explained(&world, &["--bead", &light]);
    assert_eq!(presets, serde_json::json!(["polecat"]));
    assert_eq!(other["polecat.tags"]["value"], serde_json::json!(["town"]));
    assert_eq!(other.get("polecat.fugue_addr"), None);
    for key in ["polecat.agent", "polecat.env.EDITOR", "polecat.max_workers"] {
        assert_eq!(other[key], values[key], "{key}");
    }
    let missing = world.in_town(["preset", "explain", "polecat", "--bead", "wy-nope"]).fails(1);
    assert!(missing.stderr.contains("there is no bead wy-nope"), "{missing:?}");
}

#[test]
fn one_key_shows_every_layer_and_marks_the_one_that_counts() {
    let world = worked_example();
    let shown = |words: &[&str]| {
        let mut text = world.in_town(words).ok().stdout.replace(world.real().to_str().unwrap(), "WORLD");
        // Columns are as wide as the paths of this machine.
        while text.contains("   ") {
            text = text.replace("   ", "  ");
        }
        text
    };
    insta::assert_snapshot!(
        shown(&["preset", "explain", "polecat.tags", "--preset", "remote-polecat"]), @r#"
    polecat.tags = ["town", "remote"]
      built-in polecat.toml  []
      WORLD/town/config/presets/polecat.toml  ["town"]
    * built-in remote-polecat.toml  ["...", "remote"]
    "#
    );
    insta::assert_snapshot!(shown(&["preset", "explain", "polecat.max_workers"]), @r"
    polecat.max_workers = 8
      built-in polecat.toml  4
    * GASTOWN_POLECAT__MAX_WORKERS  8
    ");
    insta::assert_snapshot!(shown(&["preset", "explain", "mayor.permissions"]), @r#"
    mayor.permissions = "ask"
    * not set: the default
    "#);
    insta::assert_snapshot!(shown(&["config", "explain", "merge.strategy"]), @r#"
    merge.strategy = "merge"
    * built-in settings.toml  "merge"
    "#);
    insta::assert_snapshot!(shown(&["config", "path", "--rig", "wyvern"]), @r"
    built-in settings.toml
    ~/.config/gastown/config.toml
    WORLD/town/config/town.toml
    WORLD/town/config/tmux-socket  (absent)
    WORLD/town/wyvern/config.json
    ");
    insta::assert_snapshot!(shown(&["preset", "show", "minimal"]).lines().take(6).collect::<Vec<_>>().join("\n"), @r#"
    description = "No sessions: gt prints the command to run by hand"
    name = "minimal"

    [crew]
    multiplexer = "none"
    "#);
    let list = shown(&["preset", "list"]);
    let polecat = list.lines().find(|line| line.starts_with("polecat ")).unwrap();
    insta::assert_snapshot!(polecat, @"polecat  A worker on one bead, in a worktree of its own  built-in polecat.toml, ~/.config/gastown/presets/polecat.toml, WORLD/town/config/presets/polecat.toml");
}

#[test]
fn shown_settings_are_settings() {
    let world = worked_example();
    world.settings("[merge]\nretries = 3\n[beads]\nstore = \"embedded\"\n");
    let shown = world.in_town(["config", "show", "--origin"]).ok().stdout;
    assert!(shown.lines().any(|line| {
        line.starts_with("merge.retries = 3 ") && line.ends_with("  # ~/.config/gastown/config.toml")
    }));
    assert!(shown.lines().all(|line| line.contains(" = ") && line.contains("  # ")));
    world.settings(&shown);
    assert_eq!(
        world.in_town(["config", "show", "--json"]).ok().json()["settings"]["merge"]["retries"],
        serde_json::json!(3)
    );
    assert_eq!(world.in_town(["config", "show"]).ok().stdout.lines().count(), shown.lines().count());
}

#[test]
fn every_preset_is_right_and_a_wrong_one_fails_the_check() {
    let world = worked_example();
    let run = world.in_town(["preset", "check"]).ok();
    assert!(run.stdout.lines().count() >= 11 && run.stdout.lines().all(|line| line.starts_with("ok ")));
    world.write("town/config/presets/broken.toml", "[polecat]\nagent = \"codx\"\n");
    let run = world.in_town(["preset", "check", "broken", "polecat"]).fails(1);
    insta::assert_snapshot!(run.stdout.replace(world.real().to_str().unwrap(), "WORLD"), @r"
    wrong   broken: WORLD/town/config/presets/broken.toml:2:9: polecat.agent: there is no [agents.codx]
            hint: did you mean 'codex'?
    ok      polecat
    ");
    world.write("loose.toml", "[polecat]\nagnt = \"codex\"\n");
    let run = world.gt(["preset", "check", "./loose.toml", "--json"]).fails(1);
    assert_eq!(run.json()["checks"][0]["hint"], "did you mean 'agent'?");
    world.write("town/config/presets/broken.toml", "[polecat]\nagent = \"codex\"\n");
    let all = "[placement.x]\nuse = \"broken2\"\n";
    world.write("town/config/town.toml", all);
    let run = world.in_town(["preset", "check"]).fails(1);
    let wrong = run.stdout.lines().find(|line| line.starts_with("wrong")).unwrap();
    insta::assert_snapshot!(wrong.replace(world.real().to_str().unwrap(), "WORLD"), @"wrong   settings: WORLD/town/config/town.toml:2:7: there is no preset 'broken2'");
}

#[test]
fn broken_files_are_named_with_line_and_nothing_else_is_said() {
    let world = World::with_rig();
    let said = |words: &[&str]| {
        let run = world.in_town(words).fails(1);
        assert_eq!(run.stdout, "");
        run.stderr.replace(world.real().to_str().unwrap(), "WORLD").replace(&world.str(""), "WORLD/")
    };
    world.settings("[merge]\nstratgy = \"squash\"\n");
    insta::assert_snapshot!(said(&["config", "show"]), @r"
    gt: WORLD/home/.config/gastown/config.toml:2:1: unknown key 'stratgy' in [merge]
    hint: did you mean 'strategy'?
    ");
    world.settings("[merge]\nstrategy = squash\n");
    insta::assert_snapshot!(said(&["preset", "explain", "mayor"]), @r#"
    gt: WORLD/home/.config/gastown/config.toml:2:12: not valid TOML: invalid string, expected `"`, `'`
    hint: mend it there; see what is read, in order, with: gt config path
    "#);
    world.settings("");
    world.write("town/wyvern/config.json", "{\n  \"type\": \"rig\",\n}\n");
    insta::assert_snapshot!(said(&["config", "show", "--rig", "wyvern"]), @r"
    gt: WORLD/town/wyvern/config.json:3:1: trailing comma
    hint: mend it by hand; gt never overwrites a file that it cannot read
    ");
}

#[test]
fn outside_a_town_one_s_own_settings_are_shown_and_the_old_name_of_the_address_warns() {
    let world = World::new();
    world.settings("[up]\nroles = [\"crew\"]\n");
    assert!(world.gt(["config", "show"]).ok().stdout.contains("up.roles = [\"crew\"]"));
    world.set("GASTOWN_CCMUX_ADDR", "tcp://localhost:9999");
    let run = world.gt(["preset", "explain", "polecat.fugue_addr"]).ok();
    insta::assert_snapshot!(run.stdout, @r#"
    polecat.fugue_addr = "tcp://localhost:9999"
    * GASTOWN_CCMUX_ADDR  "tcp://localhost:9999"
    "#);
    insta::assert_snapshot!(run.stderr, @"warning: GASTOWN_CCMUX_ADDR is the old name of GASTOWN_FUGUE_ADDR and still counts");
    assert_eq!(world.gt(["preset", "explain", "polecat.fugue_addr", "-q"]).ok().stderr, "");
    world.set("GASTOWN_POLECAT_AGENT", "codex");
    let run = world.gt(["config", "show"]).fails(1);
    assert!(run.stderr.contains("did you mean GASTOWN_POLECAT__AGENT?"), "{run:?}");
}

#[test]
fn a_key_is_set_in_the_file_that_is_meant_and_counts_then() {
    let world = World::with_rig();
    let run = |words: &[&str]| world.in_town([&["config", "set"], words].concat());
    let said = |words: &[&str]| {
        let run = run(words).ok();
        (run.stdout + &run.stderr).replace(world.real().to_str().unwrap(), "WORLD")
    };
    let counts = |key: &str, rig: &[&str]| {
        let run = world.in_town([&["config", "explain", key, "--json"], rig].concat()).ok();
        let explain = run.json()["explain"].clone();
        let values = explain.get("values").unwrap_or(&explain).clone();
        values[0]["value"].clone()
    };
    let rig = ["--rig", "wyvern"];
    insta::assert_snapshot!(said(&["merge.strategy", "squash"]), @r#"merge.strategy = "squash" (was "merge") in WORLD/town/config/town.toml"#);
    assert_eq!(counts("merge.strategy", &rig), "squash");
    // Again changes nothing.
    assert_eq!(
        said(&["merge.strategy", "squash"]),
        "nothing to do: WORLD/town/config/town.toml needs no change\n"
    );
    insta::assert_snapshot!(said(&["merge.test_command", "make test && true", "--rig", "wyvern"]), @r#"merge.test_command = "make test && true" (was not set) in WORLD/town/wyvern/config.json"#);
    assert_eq!(counts("merge.test_command", &rig), "make test && true");
    insta::assert_snapshot!(said(&["max_workers", "9"]), @"polecat.max_workers = 9 (was 4) in WORLD/town/config/presets/polecat.toml");
    insta::assert_snapshot!(said(&["max_workers", "3", "--rig", "wyvern"]), @"polecat.max_workers = 3 (was 9) in WORLD/town/wyvern/config.json");
    insta::assert_snapshot!(said(&["polecat.max_workers", "2"]), @r"
    polecat.max_workers = 2 (was 9) in WORLD/town/config/presets/polecat.toml
    warning: WORLD/town/wyvern/config.json says polecat.max_workers = 3, which counts before it
    ");
    // The only rig of a town needs no naming.
    assert_eq!((counts("max_workers", &rig), counts("max_workers", &[])), (3.into(), 3.into()));
    world.in_town(["rig", "add", "drake", &world.str("origin.git"), "--prefix", "dr"]).ok();
    assert_eq!((counts("max_workers", &rig), counts("max_workers", &[])), (3.into(), 2.into()));
    // Where no rig is meant, what rigs say is said beside it.
    for (key, value) in
        [("max_workers", "polecat.max_workers = 3"), ("merge.target", "merge.target = \"main\"")]
    {
        let beside = format!("town/wyvern/config.json says {value}\n");
        for (dir, there) in [("town", true), ("town/wyvern", false)] {
            let run = world.gt_in(dir, ["config", "explain", key]);
            assert_eq!(run.stderr.contains(&beside), there, "{run:?}");
        }
    }
    let before = world.read("home/.config/gastown/config.toml");
    let link = world.path("home/.config/gastown/config.toml");
    std::fs::rename(&link, world.path("home/mine.toml")).unwrap();
    std::os::unix::fs::symlink(world.path("home/mine.toml"), &link).unwrap();
    insta::assert_snapshot!(said(&["up.roles", "mayor,crew", "--user"]), @r#"up.roles = ["mayor", "crew"] (was ["mayor"]) in ~/.config/gastown/config.toml"#);
    assert!(link.is_symlink());
    insta::assert_snapshot!(said(&["up.roles", "--unset", "--user"]), @r#"removed up.roles (now ["mayor"]) in ~/.config/gastown/config.toml"#);
    assert_eq!(world.read("home/mine.toml"), before);
    insta::assert_snapshot!(said(&["merge.retries", "2", "--dry-run"]), @"would set merge.retries = 2 (was 0) in WORLD/town/config/town.toml");
    assert_eq!(counts("merge.retries", &[]), 0);
    let json = run(&["merge.retries", "2", "--json"]).ok().json();
    assert_eq!((&json["change"]["was"], &json["change"]["now"]), (&0.into(), &2.into()));
    // What comes over the file counts still, and is said as such.
    world.set("GASTOWN_MERGE__RETRIES", "7");
    let warned = "warning: GASTOWN_MERGE__RETRIES says merge.retries = 7, which counts before it\n";
    for (value, was) in [("3", 2), ("4", 3)] {
        let wanted = format!("merge.retries = {value} (was {was}) in WORLD/town/config/town.toml\n{warned}");
        assert_eq!(said(&["merge.retries", value]), wanted);
    }
    said(&["merge.retries", "--unset"]);
    assert!(said(&["merge.retries", "3"]).starts_with("merge.retries = 3 (was 0) in "));
    world.unset("GASTOWN_MERGE__RETRIES");
    // The socket's own file comes before the town's settings.
    world.write("town/config/tmux-socket", "one\n");
    said(&["tmux.socket", "two"]);
    assert_eq!(world.read("town/config/tmux-socket"), "two\n");
    said(&["tmux.socket", "--unset"]);
    assert_eq!(world.read("town/config/tmux-socket"), "");
}

#[test]
fn a_key_or_value_that_cannot_be_is_refused_before_anything_is_written() {
    let world = World::with_rig();
    world.unset("GASTOWN_POLECAT__AGENT");
    let files = || {
        let presets = std::fs::read_dir(world.path("town/config/presets")).map_or(0, Iterator::count);
        (world.read("town/config/town.toml"), world.read("town/wyvern/config.json"), presets)
    };
    let before = files();
    let said = |words: &[&str]| {
        let run = world.in_town([&["config", "set"], words].concat());
        assert_ne!(run.code, Some(0), "{run:?}");
        run.stderr.replace(world.real().to_str().unwrap(), "WORLD")
    };
    insta::assert_snapshot!(said(&["merge.stratgy", "squash"]), @r"
    gt: there is no key 'merge.stratgy'
    hint: did you mean 'merge.strategy'?
    ");
    insta::assert_snapshot!(said(&["agent", "codex"]), @r"
    gt: there is no key 'agent'
    hint: did you mean 'polecat.agent'?
    ");
    insta::assert_snapshot!(said(&["merge.strategy", "squish"]), @r"
    gt: not written to WORLD/town/config/town.toml: merge.strategy cannot be 'squish'
    hint: did you mean 'squash'?
    ");
    insta::assert_snapshot!(said(&["merge.batch_size", "0", "--rig", "wyvern"]), @"gt: not written to WORLD/town/wyvern/config.json: merge.batch_size: a batch holds at least 1 request");
    insta::assert_snapshot!(said(&["polecat.agent", "codx"]), @r"
    gt: WORLD/town/config/presets/polecat.toml:2:9: polecat.agent: there is no [agents.codx]
    hint: did you mean 'codex'?
    ");
    insta::assert_snapshot!(said(&["polecat.env.A", "${NOT_SET_ANYWHERE}"]), @r"
    gt: not written to WORLD/town/config/presets/polecat.toml:2:5: polecat.env.A: the variable NOT_SET_ANYWHERE is not set
    hint: set NOT_SET_ANYWHERE, or give a default: ${NOT_SET_ANYWHERE:-…}; a ${ that is not gt's is written $${
    ");
    insta::assert_snapshot!(said(&["defaults.presets", "hybird"]), @r"
    gt: WORLD/town/config/town.toml:32:11: there is no preset 'hybird'
    hint: did you mean 'hybrid'?
    ");
    insta::assert_snapshot!(said(&["merge", "squash"]), @r"
    gt: merge is a table
    hint: set one key of it; see them with: gt config show, gt preset explain ROLE
    ");
    insta::assert_snapshot!(said(&["tmux.socket", "x", "--rig", "wyvern"]), @r"
    gt: tmux.socket is said for the whole town, not for the rig wyvern
    hint: leave --rig wyvern out
    ");
    world.set("GT_ROLE", "polecat");
    insta::assert_snapshot!(said(&["merge.auto", "true"]), @r"
    gt: gt config set merge.auto is for the person, and this is an agent (polecat)
    hint: ask the person: gt mail send overseer -s 'please run: gt config set merge.auto' -m WHY
    ");
    world.unset("GT_ROLE");
    assert_eq!(files(), before);
    // What is broken is mended by the same command.
    world.write("town/config/town.toml", "[merge]\nstrategy = \"squish\"\n");
    world.in_town(["config", "set", "merge.strategy", "squash"]).ok();
}

#[test]
fn keys_and_files_without_effect_are_warned_of_where_one_asks() {
    let world = World::with_rig();
    world.write("town/config/outposts.yaml", "outposts:\n");
    world.settings("[beads]\nstore = \"embedded\"\n[up]\nroles = []\n");
    let warned = |words: &[&str]| {
        let said = world.in_town(words).ok().stderr.replace(world.real().to_str().unwrap(), "WORLD");
        said.lines().filter(|line| line.starts_with("warning:")).map(str::to_string).collect::<Vec<_>>()
    };
    let inert = "warning: WORLD/town/config/presets/mayor.toml:2:1: mayor.max_workers does nothing: it is about polecats alone";
    assert_eq!(warned(&["config", "set", "mayor.max_workers", "2"]), [inert]);
    assert_eq!(warned(&["config", "explain", "mayor.max_workers"]), [inert]);
    assert_eq!(warned(&["preset", "explain", "mayor.max_workers"]), [inert]);
    assert_eq!(warned(&["apply"]), [inert]);
    let outposts = "warning: config/outposts.yaml is not read; name machines as [remotes.NAME] in config/town.toml (see: gt remote --help)";
    assert_eq!(warned(&["doctor"]), [outposts, inert]);
    for other in [&["status"][..], &["config", "explain", "polecat.agent"], &["bd", "list"]] {
        assert_eq!(warned(other), [""; 0], "{other:?}");
    }
}

/// The keys of a table of values.
fn keys(value: serde_json::Value) -> Vec<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn every_key_and_variable_is_in_the_guide() {
    use gastown::config::{RoleSettings, Runtime, Settings, env, schema};
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let guide = std::fs::read_to_string(path).unwrap();
    let mut wanted: Vec<String> = env::NAMED.iter().map(|(name, _)| (*name).into()).collect();
    let settings = serde_json::to_value(Settings::default()).unwrap();
    for section in keys(settings.clone()) {
        match keys(settings[&section].clone()) {
            named if named.is_empty() && section != "tmux" => wanted.push(format!("{section}.NAME")),
            own => wanted.extend(own.iter().map(|key| format!("{section}.{key}"))),
        }
    }
    wanted.extend(keys(serde_json::to_value(RoleSettings::default()).unwrap()));
    wanted.extend(keys(serde_json::to_value(Runtime::default()).unwrap()));
    wanted.extend(keys(serde_json::to_value(schema::Placement::default()).unwrap()));
    wanted.extend(gastown::config::template::NAMES.map(str::to_string));
    let window = schema::WindowSettings { focus: true, ..schema::WindowSettings::default() };
    wanted.extend(keys(serde_json::to_value(window).unwrap()));
    let pane =
        schema::PaneSettings { focus: true, size: Some("1".into()), ..schema::PaneSettings::default() };
    wanted.extend(keys(serde_json::to_value(pane).unwrap()));
    for key in
        ["layout", "tmux.socket", "fugue_addr", "remote", "question", "offline", "busy", "ready", "hooks"]
    {
        wanted.push(key.into());
    }
    let missing: Vec<String> =
        wanted.into_iter().filter(|key| !guide.contains(&format!("`{key}`"))).collect();
    assert_eq!(missing, Vec::<String>::new());
}
