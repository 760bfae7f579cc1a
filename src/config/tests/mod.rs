//! Layers on real files, and what is said when one is wrong.

use super::schema::{MergeSettings, Multiplexer, Prompt, Restart, Strategy, Where};
use super::*;
use crate::base::failure::Failure;

mod errors;

/// User, town and rig folders of a test.
struct TestFiles {
    dir: tempfile::TempDir,
    env: Vec<(String, String)>,
}

impl TestFiles {
    fn new(files: &[(&str, &str)]) -> TestFiles {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        TestFiles { dir, env: Vec::new() }
    }

    fn env(mut self, name: &str, value: &str) -> TestFiles {
        self.env.push((name.into(), value.into()));
        self
    }

    fn sources(&self) -> Sources {
        let at = |path: &str| self.dir.path().join(path);
        Sources {
            user: Some(at("user")),
            town: Some(at("town")),
            rig: Some((at("town/wyvern"), "wyvern".into())),
            env: self.env.clone(),
            ..Sources::default()
        }
    }

    fn settings(&self) -> Settings {
        settings(&self.sources()).unwrap()
    }

    fn polecat(&self) -> ResolvedRole {
        role(&self.sources(), Role::Polecat, &[], None).unwrap()
    }

    /// What is said about a broken file: message and hint, the test's folder left out.
    fn said(&self, error: &anyhow::Error) -> String {
        let failure = error.downcast_ref::<Failure>().unwrap();
        // The general hint is the same for all of them.
        let own = failure.hint.as_ref().filter(|hint| *hint != super::LOOK);
        let hint = own.map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
        let folder = format!("{}/", self.dir.path().display());
        format!("{}{hint}", failure.message).replace(&folder, "")
    }

    fn settings_error(&self) -> String {
        self.said(&settings(&self.sources()).unwrap_err())
    }

    fn polecat_error(&self) -> String {
        self.said(&role(&self.sources(), Role::Polecat, &[], None).unwrap_err())
    }

    fn asked_error(&self, preset: &str) -> String {
        self.said(&role(&self.sources(), Role::Polecat, &[preset.into()], None).unwrap_err())
    }
}

fn user_settings(toml: &str) -> TestFiles {
    TestFiles::new(&[("user/config.toml", toml)])
}

fn user_polecat(toml: &str) -> TestFiles {
    TestFiles::new(&[("user/presets/polecat.toml", toml)])
}

#[test]
fn the_built_in_settings_are_what_the_types_say_without_any_file() {
    let settings = settings(&Sources::default()).unwrap();
    let plain = Settings::default();
    // The list of variables stands in the file alone.
    let test_env = settings.merge.test_env.clone();
    assert!(["PATH", "HOME", "CARGO_HOME"].iter().all(|name| test_env.iter().any(|own| own == name)));
    assert_eq!(settings.merge, MergeSettings { test_env, ..plain.merge });
    assert_eq!(settings.worktree, plain.worktree);
    assert_eq!(settings.beads, plain.beads);
    assert_eq!(settings.tmux.socket, None);
    let runtimes: Vec<&str> = settings.agents.keys().map(String::as_str).collect();
    assert_eq!(
        runtimes,
        ["aider", "claude", "codex", "copilot", "gemini", "none", "opencode", "pi", "shell"]
    );
    assert_eq!(settings.agents["shell"].command, ["{{gt}}", "run-script"]);
    assert_eq!(settings.agents["shell"].prompt, Prompt::None);
    assert!(settings.agents["none"].command.is_empty());
}

#[test]
fn every_built_in_file_is_right_by_itself() {
    let sources = Sources::default();
    let layer = sources::built_in(&Sources::default()).unwrap().unwrap();
    check::layer(check::LayerKind::Settings, &layer).unwrap();
    // One stash is shared by all worktrees: no agent uses it unasked.
    let allow = settings(&sources).unwrap().permissions.allow;
    assert!(allow.iter().any(|command| command == "git show") && !allow.contains(&"git stash".into()));
    let mut seen = 0;
    for name in presets::list(&sources).unwrap().keys() {
        for layer in presets::files(&sources, name).unwrap() {
            check::layer(check::LayerKind::Preset, &layer).unwrap();
            assert_eq!(layer.values["name"].as_str(), Some(name.as_str()));
            seen += 1;
        }
        for role in Role::ALL {
            super::role(&sources, role, std::slice::from_ref(name), None).unwrap();
        }
    }
    assert_eq!(seen, 10);
}

#[test]
fn what_the_roles_are_as_built_in() {
    let sources = Sources::default();
    let polecat = role(&sources, Role::Polecat, &[], None).unwrap();
    assert_eq!(polecat.agent, "claude");
    assert_eq!(polecat.runtime.command, ["claude"]);
    assert_eq!(polecat.presets, ["polecat"]);
    assert_eq!(polecat.settings.max_workers, 4);
    assert_eq!(polecat.settings.permissions, Permissions::Edits);
    assert_eq!(polecat.settings.restart, Restart::OnFailure);
    let mut names = polecat.settings.names.clone();
    names.sort();
    names.dedup();
    assert!(names.len() >= 50 && names.len() == polecat.settings.names.len());
    for role in Role::ALL {
        let resolved = super::role(&sources, role, &[], None).unwrap();
        let wanted = if role == Role::Polecat { Where::Any } else { Where::Local };
        assert_eq!(resolved.settings.placement, wanted, "{role}");
        let minimal = super::role(&sources, role, &["minimal".into()], None).unwrap();
        assert_eq!(minimal.settings.multiplexer, Multiplexer::None, "{role}");
    }
}

#[test]
fn later_layers_of_settings_win_key_by_key() {
    let files = TestFiles::new(&[
        ("user/config.toml", "[merge]\nstrategy = 'squash'\nretries = 1\nbatch_size = 2\n"),
        ("town/config/town.toml", "[merge]\nretries = 2\nbatch_size = 3\n"),
        (
            "town/wyvern/config.json",
            r#"{"type":"rig","merge":{"batch_size":7},"max_workers":9,"odd":{"x":1}}"#,
        ),
    ]);
    let merge = files.settings().merge;
    assert_eq!((merge.strategy, merge.retries, merge.batch_size), (Strategy::Squash, 2, 7));
    assert_eq!(files.polecat().settings.max_workers, 9);
    let files = files.env("GASTOWN_MERGE__BATCH_SIZE", "8").env("GASTOWN_POLECAT__MAX_WORKERS", "10");
    assert_eq!(files.settings().merge.batch_size, 8);
    assert_eq!(files.polecat().settings.max_workers, 10);
    let mut sources = files.sources();
    sources.flags = vec![("merge.batch_size".into(), "9".into()), ("polecat.agent".into(), "codex".into())];
    assert_eq!(settings(&sources).unwrap().merge.batch_size, 9);
    assert_eq!(role(&sources, Role::Polecat, &[], None).unwrap().agent, "codex");
    assert_eq!(role(&sources, Role::Mayor, &[], None).unwrap().agent, "claude");
}

/// The worked example of `presets.md`.
fn worked_example() -> TestFiles {
    TestFiles::new(&[
        ("user/presets/polecat.toml", "[polecat]\nenv = { EDITOR = 'true' }\n"),
        ("town/config/presets/polecat.toml", "[polecat]\nagent = 'codex'\ntags = ['town']\n"),
        (
            "town/config/town.toml",
            "[placement.heavy]\nwhen = { labels = ['heavy-compute'] }\nuse = 'remote-polecat'\n",
        ),
    ])
    .env("GASTOWN_POLECAT__MAX_WORKERS", "8")
}

#[test]
fn the_worked_example() {
    let files = worked_example();
    let heavy = Bead { labels: vec!["heavy-compute".into()], ..Bead::default() };
    let there = role(&files.sources(), Role::Polecat, &[], Some(&heavy)).unwrap();
    assert_eq!(there.presets, ["polecat", "remote-polecat"]);
    assert_eq!(there.agent, "codex");
    assert_eq!(there.runtime.command[0], "codex");
    assert_eq!(there.settings.env["EDITOR"], "true");
    assert_eq!(there.settings.tags, ["town", "remote"]);
    // It has no address of its own: a remote's or the environment's counts.
    assert_eq!((there.address(), there.settings.placement), (None, Where::Remote));
    assert_eq!(there.settings.max_workers, 8);
    let light = Bead::default();
    let here = role(&files.sources(), Role::Polecat, &[], Some(&light)).unwrap();
    assert_eq!(here.presets, ["polecat"]);
    assert_eq!(here.address(), None);
    assert_eq!(here.settings.tags, ["town"]);
    let without = |role: &ResolvedRole| RoleSettings {
        placement: Where::Any,
        tags: Vec::new(),
        ..role.settings.clone()
    };
    assert_eq!(without(&here), without(&there));
}

#[test]
fn presets_asked_for_come_from_the_hand_then_the_environment_then_placement_then_the_defaults() {
    let files = TestFiles::new(&[
        ("user/config.toml", "[defaults]\npresets = ['d']\n[placement.all]\nuse = 'p'\n"),
        ("user/presets/a.toml", "[polecat]\ntags = ['...', 'a']\n"),
        ("user/presets/b.toml", "extends = ['a']\n[polecat]\ntags = ['...', 'b']\n"),
        ("user/presets/e.toml", "[polecat]\ntags = ['e']\n"),
        ("user/presets/p.toml", "[polecat]\ntags = ['p']\n"),
        ("user/presets/d.toml", "[polecat]\ntags = ['d']\n"),
    ]);
    let tags = |files: &TestFiles, asked: &[&str], bead: Option<&Bead>| {
        let asked: Vec<String> = asked.iter().map(|name| (*name).to_string()).collect();
        role(&files.sources(), Role::Polecat, &asked, bead).unwrap().settings.tags
    };
    let bead = Bead::default();
    assert_eq!(tags(&files, &[], None), ["d"]);
    assert_eq!(tags(&files, &[], Some(&bead)), ["p"]);
    let files = files.env("GASTOWN_PRESET", "e, a");
    assert_eq!(tags(&files, &[], Some(&bead)), ["e", "a"]);
    assert_eq!(tags(&files, &["b", "a"], Some(&bead)), ["a", "b"]);
}

#[test]
fn replace_drops_the_lower_files_of_a_preset() {
    let files = TestFiles::new(&[
        ("user/presets/polecat.toml", "replace = true\n[polecat]\nagent = 'shell'\n"),
        ("town/config/presets/polecat.toml", "[polecat]\nmax_workers = 3\n"),
    ]);
    let polecat = files.polecat();
    assert_eq!((polecat.agent.as_str(), polecat.settings.max_workers), ("shell", 3));
    assert!(polecat.settings.names.is_empty() && polecat.settings.placement == Where::Local);
}

#[test]
fn the_rig_s_own_number_comes_under_presets_that_are_asked_for() {
    let files = TestFiles::new(&[
        ("town/wyvern/config.json", r#"{"max_workers": 8, "worker_spawn_delay": "5s"}"#),
        ("user/presets/small.toml", "extends = ['polecat']\n[polecat]\nmax_workers = 1\n"),
    ]);
    assert_eq!(files.polecat().settings.max_workers, 8);
    let small = role(&files.sources(), Role::Polecat, &["small".into()], None).unwrap();
    assert_eq!((small.settings.max_workers, small.settings.worker_spawn_delay.as_str()), (1, "5s"));
}

#[test]
fn the_address_of_the_environment_counts_for_whoever_may_be_elsewhere() {
    let files = TestFiles::new(&[]).env("GASTOWN_FUGUE_ADDR", "tcp://far:1");
    assert_eq!(files.polecat().address(), Some("tcp://far:1"));
    let remote = role(&files.sources(), Role::Polecat, &["remote-polecat".into()], None).unwrap();
    assert_eq!(remote.address(), Some("tcp://far:1"));
    assert_eq!(role(&files.sources(), Role::Mayor, &[], None).unwrap().address(), None);
    let files = files.env("GASTOWN_POLECAT__FUGUE_ADDR", "tcp://own:2");
    assert_eq!(files.polecat().address(), Some("tcp://own:2"));
    let old = TestFiles::new(&[]).env("GASTOWN_CCMUX_ADDR", "unix:///run/old.sock");
    assert_eq!(old.polecat().address(), Some("unix:///run/old.sock"));
    insta::assert_snapshot!(env::warnings(&old.env.iter().cloned().collect()).join("\n"), @"warning: GASTOWN_CCMUX_ADDR is the old name of GASTOWN_FUGUE_ADDR and still counts");
    let both = old.env("GASTOWN_FUGUE_ADDR", "tcp://new:1");
    assert_eq!(both.polecat().address(), Some("tcp://new:1"));
    insta::assert_snapshot!(env::warnings(&both.env.iter().cloned().collect()).join("\n"), @"warning: GASTOWN_CCMUX_ADDR is the old name of GASTOWN_FUGUE_ADDR and is ignored: that one is set too");
}

#[test]
fn a_remote_s_address_counts_when_the_role_names_it() {
    let remotes = "[remotes.gaming-pc]\nfugue_addr = 'tcp://gaming-pc:9999'\n";
    let files = TestFiles::new(&[
        ("town/config/town.toml", remotes),
        ("user/presets/polecat.toml", "[polecat]\nremote = 'gaming-pc'\n"),
    ]);
    assert_eq!(files.polecat().address(), Some("tcp://gaming-pc:9999"));
    let files = user_polecat("[polecat]\nremote = 'gaming-pc'\n");
    insta::assert_snapshot!(files.polecat_error(), @r"
    user/presets/polecat.toml:2:10: polecat.remote: there is no [remotes.gaming-pc]
    hint: there are none yet
    ");
}

#[test]
fn a_value_of_the_environment_takes_the_type_of_its_key() {
    let files = TestFiles::new(&[])
        .env("GASTOWN_TMUX__SOCKET", "123")
        .env("GASTOWN_MERGE__TEST_COMMAND", "true")
        .env("GASTOWN_MERGE__CANNOT_RUN", "[126]")
        .env("GASTOWN_UP__ROLES", "mayor, crew")
        .env("GASTOWN_BEADS__STORE", "")
        .env("GASTOWN_ENABLED", "true")
        .env("GASTOWN_POLECAT__PERMISSIONS", "all")
        .env("GASTOWN_POLECAT__ENV__RUST_LOG", "1")
        .env("GASTOWN_POLECAT__TAGS", "a");
    let settings = files.settings();
    assert_eq!(settings.tmux.socket.as_deref(), Some("123"));
    assert_eq!(settings.merge.test_command, Some(schema::CommandSetting::Text("true".into())));
    assert_eq!(settings.merge.cannot_run, [126]);
    assert_eq!(settings.up.roles, ["mayor", "crew"]);
    let polecat = files.polecat().settings;
    assert_eq!(polecat.permissions, Permissions::All);
    assert_eq!(polecat.env["RUST_LOG"], "1");
    assert_eq!(polecat.tags, ["a"]);
}

#[test]
fn variables_in_values_are_read_when_the_file_is() {
    let toml =
        "[polecat]\nenv = { TOKEN_FILE = '${HOME}/.token', LEVEL = '${LEVEL:-info}', PRICE = '$$5' }\n";
    let files = user_polecat(toml).env("HOME", "/home/max");
    let env = files.polecat().settings.env;
    assert_eq!((env["TOKEN_FILE"].as_str(), env["LEVEL"].as_str()), ("/home/max/.token", "info"));
    assert_eq!(env["PRICE"], "$5");
    insta::assert_snapshot!(user_polecat(toml).polecat_error(), @r"
    user/presets/polecat.toml:2:22: polecat.env.TOKEN_FILE: the variable HOME is not set
    hint: set HOME, or give a default: ${HOME:-…}; a ${ that is not gt's is written $${
    ");
}

#[test]
fn the_socket_is_known_the_cheap_way_and_is_the_same() {
    const TOWN: &str = "[tmux]\nsocket = 'from-town'\n";
    type Pairs = &'static [(&'static str, &'static str)];
    let cases: [(Pairs, Pairs, Option<&str>); 7] = [
        (&[], &[], None),
        (&[("user/config.toml", "[merge]\nretries = 1\n")], &[], None),
        (&[("user/config.toml", "# no socket\n")], &[], None),
        (&[("town/config/town.toml", TOWN)], &[], Some("from-town")),
        (
            &[("town/config/town.toml", TOWN), ("town/config/tmux-socket", "one-line\n")],
            &[],
            Some("one-line"),
        ),
        (&[("town/config/tmux-socket", "one-line\n")], &[("GASTOWN_TMUX_SOCKET", "env")], Some("env")),
        (&[("town/config/tmux-socket", "one-line\n")], &[("GASTOWN_TMUX__SOCKET", "long")], Some("long")),
    ];
    for (files, env, wanted) in cases {
        let files = env.iter().fold(TestFiles::new(files), |files, (name, value)| files.env(name, value));
        assert_eq!(tmux_socket(&files.sources()).unwrap().as_deref(), wanted);
        assert_eq!(files.settings().tmux.socket.as_deref(), wanted);
    }
}

#[test]
fn a_role_s_own_preset_may_hold_placement_rules_and_runtimes() {
    let toml = "[placement.docs]\nwhen = { labels = ['docs'] }\nuse = 'writer'\n\
                [agents.writer]\ncommand = ['vi']\n[agents.claude]\nprompt = 'paste'\n";
    let files = TestFiles::new(&[
        ("user/presets/polecat.toml", toml),
        ("user/presets/writer.toml", "[polecat]\nagent = 'writer'\n"),
    ]);
    let docs = Bead { labels: vec!["docs".into()], ..Bead::default() };
    let writer = role(&files.sources(), Role::Polecat, &[], Some(&docs)).unwrap();
    assert_eq!(writer.runtime.command, ["vi"]);
    let other = files.polecat().runtime;
    assert_eq!((other.prompt, other.command.as_slice()), (Prompt::Paste, &["claude".to_string()][..]));
}

/// Of an address and a remote's name the one that is said higher up counts.
#[test]
fn a_remote_s_name_counts_over_the_address_of_a_lower_layer() {
    let files = |own: &str| {
        TestFiles::new(&[
            ("town/config/town.toml", "[remotes.box]\nfugue_addr = 'tcp://box:1'\n"),
            ("town/config/presets/far.toml", &format!("extends = ['remote-polecat']\n[polecat]\n{own}\n")),
        ])
    };
    let far = |files: &TestFiles| role(&files.sources(), Role::Polecat, &["far".into()], None).unwrap();
    let named = files("remote = 'box'");
    assert_eq!(far(&named).address(), Some("tcp://box:1"));
    assert!(far(&named).address_from.unwrap().ends_with("far.toml:3:10"), "{:?}", far(&named));
    assert_eq!(far(&files("remote = 'box'\nfugue_addr = 'tcp://own:2'")).address(), Some("tcp://own:2"));
    let variable = named.env("GASTOWN_FUGUE_ADDR", "tcp://far:3");
    assert_eq!(far(&variable).address(), Some("tcp://far:3"));
    assert_eq!(far(&variable).address_from.as_deref(), Some("GASTOWN_FUGUE_ADDR"));
    let both = variable.env("GASTOWN_POLECAT__REMOTE", "box");
    assert_eq!(far(&both).address(), Some("tcp://box:1"));
}

#[test]
fn the_town_over_there_is_the_remote_s_own_then_the_variable_s() {
    let files = TestFiles::new(&[(
        "town/config/town.toml",
        "[remotes.a]\nfugue_addr = 'tcp://a:1'\ntown = '/srv/gt'\n[remotes.b]\nfugue_addr = 'tcp://b:1'\n",
    )]);
    let towns = |files: &TestFiles| -> Vec<Option<String>> {
        remotes::known(&files.sources()).unwrap().into_iter().map(|known| known.town).collect()
    };
    assert_eq!(towns(&files), [Some("/srv/gt".into()), None]);
    let files = files.env("GASTOWN_REMOTE_TOWN", "/home/user/gt").env("GASTOWN_FUGUE_ADDR", "tcp://c:1");
    let there = Some("/home/user/gt".to_string());
    assert_eq!(towns(&files), [Some("/srv/gt".into()), there.clone(), there]);
    let files = files.env("GASTOWN_FUGUE_ADDR", "");
    let relative = TestFiles { env: vec![("GASTOWN_REMOTE_TOWN".into(), "gt".into())], ..files };
    insta::assert_snapshot!(relative.said(&remotes::known(&relative.sources()).unwrap_err()), @r"
    GASTOWN_REMOTE_TOWN: 'gt' is no absolute path
    hint: it is where the town is on the other machine: like /home/user/gt
    ");
}

#[test]
fn quiet_hours_may_go_over_midnight_and_others_are_refused() {
    let quiet = |text: &str, minute| {
        schema::NotifySettings { quiet: text.into(), ..Default::default() }.is_quiet(minute)
    };
    let at = |hour: u32| hour * 60;
    assert_eq!([21, 22, 3, 7].map(|hour| quiet("22:00-07:00", at(hour))), [false, true, true, false]);
    assert_eq!([11, 12, 13].map(|hour| quiet("12:00-13:00", at(hour))), [false, true, false]);
    assert!(!quiet("", 0));
    for text in ["22-7", "22:00", "25:00-07:00", "22:60-07:00", "x"] {
        assert_eq!(schema::NotifySettings::hours(text), None, "{text}");
    }
}
