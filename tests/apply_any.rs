//! For any preset, on a real tmux: what is applied is what is planned, a second apply only looks, what is frozen stays,
//! and what is killed by hand is just what is wanted back. `GT_TEST_CASES` says how many presets are tried.

use std::collections::{BTreeMap, BTreeSet};

use gastown::config::template::escape;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use toml::{Table, Value};

use crate::common::{ADDRESS, World};

/// Who runs in each case.
const AGENTS: [&str; 3] = ["mayor/", "wyvern/crew/ann", "wyvern/crew/bob"];

fn table(pairs: impl IntoIterator<Item = (&'static str, Option<Value>)>) -> Value {
    Value::Table(pairs.into_iter().filter_map(|(key, value)| Some((key.to_string(), value?))).collect())
}

/// Text as anybody may type it, on one line.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("it's \"quoted\"; $(touch /tmp/x) `id` #{pid} #(id)".to_string()),
        Just("ends in ;".to_string()),
        Just("{{address}} {{session_id}} {{role}}".to_string()),
        Just("\u{e9}\u{1f600}\u{6f22} ~ * \\ \\n $HOME ${HOME}".to_string()),
        "[a-zA-Z0-9 ;#$'\"\\\\%&|<>-]{0,12}",
    ]
}

fn env() -> impl Strategy<Value = Option<Value>> {
    let pairs = prop::collection::btree_map("[A-Z]{2,4}_X", text(), 0..3);
    pairs.prop_map(|pairs: BTreeMap<String, String>| {
        let pairs = pairs.into_iter().map(|(key, value)| (key, Value::from(escape(&value, false))));
        Some(Value::Table(pairs.collect())).filter(|table| table != &Value::Table(Table::new()))
    })
}

fn folder() -> impl Strategy<Value = Option<Value>> {
    prop::option::weighted(0.3, prop_oneof![Just("/"), Just("/tmp"), Just("{{town}}"), Just(".")])
        .prop_map(|folder| folder.map(Value::from))
}

/// A pane that is not the agent's; `None` is the person's own shell.
fn pane() -> impl Strategy<Value = Value> {
    let command = prop::option::weighted(0.8, text());
    let size = prop::option::weighted(0.3, prop_oneof![Just("30%"), Just("10")]);
    (command, size, folder(), env()).prop_map(|(command, size, folder, env)| {
        // Words as data, in any shell's eyes; and it stays.
        let command = command.map(|text| {
            let quoted = shlex::try_quote(&text.replace("{{", "{ {")).unwrap().into_owned();
            let named = if text.contains("{{") { " {{address}} {{session_id}}" } else { "" };
            Value::from(escape(&format!("printf %s {quoted}{named}; exec sleep 1000"), true))
        });
        table([
            ("command", command),
            ("size", size.map(Value::from)),
            ("start_directory", folder),
            ("env", env),
        ])
    })
}

const LAYOUTS: [&str; 5] = ["even-horizontal", "even-vertical", "main-horizontal", "main-vertical", "tiled"];

/// Windows, and in which of them the agent is, if in any.
fn windows(agent: bool) -> impl Strategy<Value = Vec<Value>> {
    let window = (
        prop::collection::vec(pane(), 1..4),
        prop::option::of(prop::sample::select(&LAYOUTS[..])),
        folder(),
        env(),
        text(),
    );
    let least = usize::from(!agent);
    (prop::collection::vec(window, least..4), any::<prop::sample::Index>(), any::<bool>()).prop_map(
        move |(windows, place, shown)| {
            let count = windows.len();
            let with_agent = (agent && shown && count > 0).then(|| place.index(count));
            let made =
                windows.into_iter().enumerate().map(|(number, (mut panes, layout, folder, env, name))| {
                    if with_agent == Some(number) {
                        let at = place.index(panes.len());
                        panes[at] = table([("command", Some("{{agent}}".into()))]);
                    }
                    // Sizes mean nothing to some layouts, which is refused.
                    if matches!(layout, Some("tiled")) || panes.len() == 1 {
                        for pane in &mut panes {
                            pane.as_table_mut().unwrap().remove("size");
                        }
                    }
                    let name = format!("{number} {}", name.replace("{{", "").replace("}}", ""));
                    let layout = layout.filter(|_| panes.len() > 1).map(Value::from);
                    table([
                        ("name", Some(Value::from(escape(name.trim(), false)))),
                        ("layout", layout),
                        ("start_directory", folder),
                        ("env", env),
                        ("panes", Some(Value::Array(panes))),
                    ])
                });
            made.collect()
        },
    )
}

fn role() -> impl Strategy<Value = Value> {
    let of = |agent: bool| {
        let start = prop_oneof![Just("{{worktree}}"), Just("{{town}}")];
        (windows(agent), env(), start).prop_map(move |(windows, env, start)| {
            let windows = Some(Value::Array(windows))
                .filter(|windows| windows.as_array().is_some_and(|all| !all.is_empty()));
            let agent = Value::from(if agent { "waits" } else { "none" });
            table([
                ("agent", Some(agent)),
                ("env", env),
                ("start_directory", Some(start.into())),
                ("windows", windows),
            ])
        })
    };
    prop_oneof![4 => of(true), 1 => of(false)]
}

/// Presets of the two roles.
fn presets() -> impl Strategy<Value = [Value; 2]> {
    [role(), role()]
}

fn write(world: &World, presets: &[Value; 2]) {
    for (name, role) in ["mayor", "crew"].into_iter().zip(presets) {
        let preset = Table::from_iter([(name.to_string(), role.clone())]);
        world.write(format!("town/config/presets/{name}.toml"), toml::to_string(&preset).unwrap());
    }
}

/// Signs and addresses of a plan.
fn plan(world: &World, more: &[&str]) -> Vec<(String, String, serde_json::Value)> {
    let plan = world.in_town([&["plan", "--json"], more].concat()).ok().json();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_string();
    let lines = plan["plan"]["lines"].as_array().unwrap();
    lines.iter().map(|line| (text(&line["sign"]), text(&line["address"]), line.clone())).collect()
}

/// Applies, and sees that this only looks.
fn only_looks(world: &World, more: &[&str]) {
    world.calls("tmux");
    let run = world.in_town([&["apply"], more].concat()).ok();
    let calls = world.calls("tmux");
    assert!(calls.len() == 1 && calls[0].contains("list-panes"), "{calls:#?} {run:#?}");
    assert_eq!(run.stdout, "");
}

fn panes(world: &World) -> BTreeSet<String> {
    let format =
        "#{session_name} #{window_name} #{pane_id} #{pane_pid} #{pane_width}x#{pane_height} #{@gt_pane}";
    world.tmux(["list-panes", "-a", "-F", format]).stdout.lines().map(str::to_string).collect()
}

/// The agents' processes, by address.
fn agents(world: &World) -> BTreeMap<String, String> {
    let run =
        world.tmux(["list-panes", "-a", "-f", "#{@gt_agent}", "-F", &format!("{ADDRESS} #{{pane_pid}}")]);
    run.stdout.lines().filter_map(|line| line.split_once(' ')).map(|(a, b)| (a.into(), b.into())).collect()
}

/// What a person opened in sessions of ours.
fn persons(world: &World) -> BTreeSet<String> {
    let mark = "#{&&:#{==:#{@gt_pane},},#{==:#{@gt_agent},}}";
    let run = world.tmux(["list-panes", "-a", "-f", mark, "-F", "#{pane_id} #{pane_pid}"]);
    run.stdout.lines().map(str::to_string).collect()
}

fn town() -> World {
    let world = World::with_rig();
    world.settings(
        "[beads]\nstore = \"embedded\"\n[agents.waits]\ncommand = [\"sleep\", \"1000\"]\n[up]\nroles = [\"mayor\", \"crew\"]\n",
    );
    for name in ["ann", "bob"] {
        world.in_town(["crew", "add", name, "--rig", "wyvern"]).ok();
    }
    world.count_calls(&["tmux"]);
    world
}

fn check(cases: u32, test: impl Fn(&World, [Value; 2], [Value; 2], Vec<bool>)) {
    let cases = std::env::var("GT_TEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(cases);
    let world = town();
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 40, ..Config::default() };
    let input = (presets(), presets(), prop::collection::vec(any::<bool>(), AGENTS.len()));
    TestRunner::new(config)
        .run(&input, |(first, second, killed)| {
            world.tmux(["kill-server"]);
            crate::common::wait_for("the server's end", || {
                (world.tmux(["list-sessions"]).code != Some(0)).then_some(())
            });
            write(&world, &first);
            test(&world, first, second, killed);
            Ok(())
        })
        .unwrap();
}

#[test]
fn what_is_applied_is_what_is_planned_frozen_and_wanted_back() {
    check(12, |world, _, _, killed| {
        let wanted: Vec<String> =
            plan(world, &[]).into_iter().map(|(sign, address, _)| sign + &address).collect();
        assert_eq!(wanted, AGENTS.map(|address| format!("+{address}")));
        world.in_town(["apply"]).ok();
        assert_eq!(plan(world, &[]), []);
        only_looks(world, &[]);
        let before = panes(world);
        let frozen = world.in_town(["freeze"]).ok().stdout;
        world.write("town/config/presets/frozen.toml", &frozen);
        only_looks(world, &["--preset", "frozen"]);
        assert_eq!(panes(world), before, "{frozen}");
        let gone: Vec<&str> = AGENTS
            .into_iter()
            .zip(&killed)
            .filter(|(_, killed)| **killed)
            .map(|(address, _)| address)
            .collect();
        for address in &gone {
            world.tmux(["kill-session", "-t", &world.session_of(address)]).ok();
        }
        let wanted: Vec<(String, String)> =
            plan(world, &[]).into_iter().map(|(sign, address, _)| (sign, address)).collect();
        let expected: Vec<(String, String)> =
            gone.iter().map(|address| ("+".into(), address.to_string())).collect();
        assert_eq!(wanted, expected);
        world.in_town(["apply"]).ok();
        assert_eq!(plan(world, &[]), []);
    });
}

#[test]
fn any_preset_leads_to_any_other_and_no_agent_notices_unasked() {
    check(12, |world, _, second, _| {
        world.in_town(["apply"]).ok();
        // A person has a window and a pane of their own in it.
        let ann = world.session_of("wyvern/crew/ann");
        world.tmux(["new-window", "-d", "-t", &format!("{ann}:"), "-n", "0 mine", "--", "sleep", "77"]).ok();
        world.tmux(["split-window", "-d", "-t", &format!("{ann}:"), "--", "sleep", "78"]);
        let (before, person) = (agents(world), persons(world));
        assert_eq!(plan(world, &[]), []);
        write(world, &second);
        world.in_town(["apply"]).ok();
        assert_eq!(agents(world), before, "an agent was ended unasked");
        assert_eq!(persons(world), person, "what a person opened was ended");
        // What is left is what waits for a word, and nothing of it is done.
        let left = plan(world, &[]);
        assert!(
            left.iter()
                .all(|(sign, _, line)| sign == "~" && line["held"] == "works" && line["live"].is_null()),
            "{left:#?}"
        );
        only_looks(world, &[]);
        world.in_town(["apply", "--restart"]).ok();
        assert_eq!(plan(world, &[]), []);
        only_looks(world, &["--restart"]);
    });
}
