//! Layers on real files, and what is said when one is wrong.

use super::schema::{Multiplexer, Prompt, Restart, Strategy, Where};
use super::*;
use crate::failure::Failure;

/// User, town and rig folders of a test.
struct Files {
    dir: tempfile::TempDir,
    env: Vec<(String, String)>,
}

impl Files {
    fn new(files: &[(&str, &str)]) -> Files {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Files { dir, env: Vec::new() }
    }

    fn env(mut self, name: &str, value: &str) -> Files {
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
            flags: Vec::new(),
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
        let hint = failure.hint.as_ref().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
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

fn user_settings(toml: &str) -> Files {
    Files::new(&[("user/config.toml", toml)])
}

fn user_polecat(toml: &str) -> Files {
    Files::new(&[("user/presets/polecat.toml", toml)])
}

#[test]
fn the_built_in_settings_are_what_the_types_say_without_any_file() {
    let settings = settings(&Sources::default()).unwrap();
    let plain = Settings::default();
    assert_eq!(settings.merge, plain.merge);
    assert_eq!(settings.worktree, plain.worktree);
    assert_eq!(settings.beads, plain.beads);
    assert_eq!(settings.tmux.socket, None);
    let runtimes: Vec<&str> = settings.agents.keys().map(String::as_str).collect();
    assert_eq!(runtimes, ["aider", "claude", "codex", "gemini", "none", "opencode", "shell"]);
    assert_eq!(settings.agents["shell"].command, ["{{gt}}", "run-script"]);
    assert_eq!(settings.agents["shell"].prompt, Prompt::None);
    assert!(settings.agents["none"].command.is_empty());
}

#[test]
fn every_built_in_file_is_right_by_itself() {
    let sources = Sources::default();
    let layer = sources::built_in().unwrap();
    check::layer(check::Kind::Settings, &layer).unwrap();
    let mut seen = 0;
    for name in presets::list(&sources).unwrap().keys() {
        for layer in presets::files(&sources, name).unwrap() {
            check::layer(check::Kind::Preset, &layer).unwrap();
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
    assert!(!polecat.settings.unattended);
    assert_eq!(polecat.settings.restart, Restart::Never);
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
    let files = Files::new(&[
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
fn worked_example() -> Files {
    Files::new(&[
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
    assert_eq!(there.runtime.command, ["codex"]);
    assert_eq!(there.settings.env["EDITOR"], "true");
    assert_eq!(there.settings.tags, ["town", "remote"]);
    assert_eq!(there.address(), Some("tcp://localhost:9999"));
    assert_eq!(there.settings.max_workers, 8);
    let light = Bead::default();
    let here = role(&files.sources(), Role::Polecat, &[], Some(&light)).unwrap();
    assert_eq!(here.presets, ["polecat"]);
    assert_eq!(here.address(), None);
    assert_eq!(here.settings.tags, ["town"]);
    let without =
        |role: &ResolvedRole| RoleSettings { fugue_addr: None, tags: Vec::new(), ..role.settings.clone() };
    assert_eq!(without(&here), without(&there));
}

#[test]
fn presets_asked_for_come_from_the_hand_then_the_environment_then_placement_then_the_defaults() {
    let files = Files::new(&[
        ("user/config.toml", "[defaults]\npresets = ['d']\n[placement.all]\nuse = 'p'\n"),
        ("user/presets/a.toml", "[polecat]\ntags = ['...', 'a']\n"),
        ("user/presets/b.toml", "extends = ['a']\n[polecat]\ntags = ['...', 'b']\n"),
        ("user/presets/e.toml", "[polecat]\ntags = ['e']\n"),
        ("user/presets/p.toml", "[polecat]\ntags = ['p']\n"),
        ("user/presets/d.toml", "[polecat]\ntags = ['d']\n"),
    ]);
    let tags = |files: &Files, asked: &[&str], bead: Option<&Bead>| {
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
    let files = Files::new(&[
        ("user/presets/polecat.toml", "replace = true\n[polecat]\nagent = 'shell'\n"),
        ("town/config/presets/polecat.toml", "[polecat]\nmax_workers = 3\n"),
    ]);
    let polecat = files.polecat();
    assert_eq!((polecat.agent.as_str(), polecat.settings.max_workers), ("shell", 3));
    assert!(polecat.settings.names.is_empty() && polecat.settings.placement == Where::Local);
}

#[test]
fn the_rig_s_own_number_comes_under_presets_that_are_asked_for() {
    let files = Files::new(&[
        ("town/wyvern/config.json", r#"{"max_workers": 8, "worker_spawn_delay": "5s"}"#),
        ("user/presets/small.toml", "extends = ['polecat']\n[polecat]\nmax_workers = 1\n"),
    ]);
    assert_eq!(files.polecat().settings.max_workers, 8);
    let small = role(&files.sources(), Role::Polecat, &["small".into()], None).unwrap();
    assert_eq!((small.settings.max_workers, small.settings.worker_spawn_delay.as_str()), (1, "5s"));
}

#[test]
fn the_address_of_the_environment_counts_for_whoever_may_be_elsewhere() {
    let files = Files::new(&[]).env("GASTOWN_FUGUE_ADDR", "tcp://far:1");
    assert_eq!(files.polecat().address(), Some("tcp://far:1"));
    let remote = role(&files.sources(), Role::Polecat, &["remote-polecat".into()], None).unwrap();
    assert_eq!(remote.address(), Some("tcp://far:1"));
    assert_eq!(role(&files.sources(), Role::Mayor, &[], None).unwrap().address(), None);
    let files = files.env("GASTOWN_POLECAT__FUGUE_ADDR", "tcp://own:2");
    assert_eq!(files.polecat().address(), Some("tcp://own:2"));
    let old = Files::new(&[]).env("GASTOWN_CCMUX_ADDR", "unix:///run/old.sock");
    assert_eq!(old.polecat().address(), Some("unix:///run/old.sock"));
    insta::assert_snapshot!(env::warnings(&old.env.iter().cloned().collect()).join("\n"), @r"
    warning: GASTOWN_CCMUX_ADDR is the old name of GASTOWN_FUGUE_ADDR and still counts
    ");
    let both = old.env("GASTOWN_FUGUE_ADDR", "tcp://new:1");
    assert_eq!(both.polecat().address(), Some("tcp://new:1"));
    insta::assert_snapshot!(env::warnings(&both.env.iter().cloned().collect()).join("\n"), @r"
    warning: GASTOWN_CCMUX_ADDR is the old name of GASTOWN_FUGUE_ADDR and is ignored: that one is set too
    ");
}

#[test]
fn a_remote_s_address_counts_when_the_role_names_it() {
    let remotes = "[remotes.gaming-pc]\nfugue_addr = 'tcp://gaming-pc:9999'\n";
    let files = Files::new(&[
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
    let files = Files::new(&[])
        .env("GASTOWN_TMUX__SOCKET", "123")
        .env("GASTOWN_MERGE__TEST_COMMAND", "true")
        .env("GASTOWN_MERGE__CANNOT_RUN", "[126]")
        .env("GASTOWN_UP__ROLES", "mayor, crew")
        .env("GASTOWN_BEADS__STORE", "")
        .env("GASTOWN_ENABLED", "true")
        .env("GASTOWN_POLECAT__UNATTENDED", "true")
        .env("GASTOWN_POLECAT__ENV__RUST_LOG", "1")
        .env("GASTOWN_POLECAT__TAGS", "a");
    let settings = files.settings();
    assert_eq!(settings.tmux.socket.as_deref(), Some("123"));
    assert_eq!(settings.merge.test_command, Some(schema::Command::Text("true".into())));
    assert_eq!(settings.merge.cannot_run, [126]);
    assert_eq!(settings.up.roles, ["mayor", "crew"]);
    let polecat = files.polecat().settings;
    assert!(polecat.unattended);
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
    hint: set HOME, or give a default: ${HOME:-…}; a dollar itself is written $$
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
        let files = env.iter().fold(Files::new(files), |files, (name, value)| files.env(name, value));
        assert_eq!(tmux_socket(&files.sources()).unwrap().as_deref(), wanted);
        assert_eq!(files.settings().tmux.socket.as_deref(), wanted);
    }
}

#[test]
fn errors_in_settings_files_name_the_place_and_what_was_meant() {
    let cases = [
        "[merge]\nstrategy = \"merge\n",
        "[merge\n",
        "[merge]\nretries = 1\nretries = 2\n",
        "[merge]\n# a comment\n  stratgy = 'merge'\n",
        "[mergee]\nretries = 1\n",
        "[merge]\nstrategy = 'mergee'\n",
        "[merge]\nstrategy = 7\n",
        "[merge]\nbatch_size = 'many'\n",
        "[merge]\nbatch_size = -1\n",
        "[merge]\nbatch_size = 0\n",
        "[merge]\ntest_command = 7\n",
        "[merge]\ncannot_run = ['...', 'x']\n",
        "[merge]\ntimeout = 'soon'\n",
        "merge = 3\n",
        "[up]\nroles = ['mayr']\n",
        "[up]\nroles = ['polecat']\n",
        "[tmux]\nsocket = 'a/b'\n",
        "[agents.claude]\nready = { pattern = '(' }\n",
        "[agents.claude]\nready = { patern = 'x' }\n",
        "[agents.claude]\nprompt = 'args'\n",
        "[agents.claude]\ncommand = ['claude', '{{tittle}}']\n",
        "[agents.claude]\nsubmit = { confirm = 'bussy' }\n",
        "[agents.'a.b']\ncommand = ['x']\n",
        "[remotes.pc]\nfugue_addr = 'localhost:9999'\n",
        "[placement.heavy]\nuse = 'x'\nwhen = { min_estimate = 'long' }\n",
        "[placement.heavy]\nwhen = { label = ['x'] }\n",
        "[tmux]\nsocket = '${NO_SUCH_VARIABLE}'\n",
        "[tmux]\nsocket = '${NO'\n",
    ];
    let mut shown = String::new();
    for toml in cases {
        shown += &format!("{}\n\n", user_settings(toml).settings_error());
    }
    insta::assert_snapshot!(shown, @r#"
    user/config.toml:2:18: not valid TOML: invalid basic string

    user/config.toml:1:7: not valid TOML: invalid table header, expected `.`, `]`

    user/config.toml:3:1: not valid TOML: duplicate key `retries` in table `merge`

    user/config.toml:3:3: unknown key 'stratgy' in [merge]
    hint: did you mean 'strategy'?

    user/config.toml:1:2: unknown key 'mergee'
    hint: did you mean 'merge'?

    user/config.toml:2:12: merge.strategy cannot be 'mergee'
    hint: did you mean 'merge'?

    user/config.toml:2:12: merge.strategy must be a text, not 7

    user/config.toml:2:14: merge.batch_size must be a whole number of 0 or more, not the text "many"

    user/config.toml:2:14: merge.batch_size must be a whole number of 0 or more, not -1

    user/config.toml:2:14: merge.batch_size: a batch holds at least 1 request

    user/config.toml:2:16: merge.test_command must be a text or a list of texts

    user/config.toml:2:15: merge.cannot_run.0 must be a whole number, not the text "x"

    user/config.toml:2:11: merge.timeout: 'soon' is no time
    hint: write it like 90s, 5m, 2h or 1d

    user/config.toml:1:9: merge must be a table, not 3

    user/config.toml:2:9: up.roles: there is no role 'mayr'
    hint: did you mean 'mayor'?

    user/config.toml:2:9: up.roles: polecats are made by gt sling
    hint: leave polecat out

    user/config.toml:2:10: tmux.socket: 'a/b' is no name of a socket
    hint: a socket is a plain name, like gastown; tmux keeps it in its own folder

    user/config.toml:2:21: agents.claude.ready.pattern: no regular expression: unclosed group

    user/config.toml:2:11: unknown key 'patern' in [agents.claude.ready]
    hint: did you mean 'pattern'?

    user/config.toml:2:10: agents.claude.prompt cannot be 'args'
    hint: known are: argument, paste, stdin, none

    user/config.toml:2:22: agents.claude.command.1: unknown name '{{tittle}}'
    hint: did you mean 'title'?

    user/config.toml:2:22: agents.claude.submit.confirm: cannot be 'bussy'
    hint: did you mean 'busy'?

    user/config.toml:1:1: agents.a.b: a name has letters, digits, '-' and '_'

    user/config.toml:2:14: remotes.pc.fugue_addr: 'localhost:9999' is not an address of fugue: it has no scheme
    hint: an address looks like tcp://localhost:9999

    user/config.toml:3:25: placement.heavy.when.min_estimate: 'long' is no time
    hint: write it like 90s, 5m, 2h or 1d

    user/config.toml:2:10: unknown key 'label' in [placement.heavy.when]
    hint: did you mean 'labels'?

    user/config.toml:2:10: tmux.socket: the variable NO_SUCH_VARIABLE is not set
    hint: set NO_SUCH_VARIABLE, or give a default: ${NO_SUCH_VARIABLE:-…}; a dollar itself is written $$

    user/config.toml:2:10: tmux.socket: a '${' without its '}'
    hint: write ${NAME} or ${NAME:-default}; a dollar itself is written $$
    "#);
}

#[test]
fn errors_in_presets_name_the_place_and_what_was_meant() {
    let cases = [
        "[polecatt]\nagent = 'x'\n",
        "[polecat]\nagnet = 'x'\n",
        "[polecat]\nagent = 'codx'\n",
        "[polecat]\nmax_workers = 0\n",
        "[polecat]\nmax_workers = '8'\n",
        "[polecat]\nunattended = 'yes'\n",
        "[polecat]\nrestart = 'on_failure'\n",
        "[polecat]\nplacement = 'here'\n",
        "[polecat]\nworker_spawn_delay = '5x'\n",
        "[polecat]\nfugue_addr = 'tcp://localhost'\n",
        "[polecat]\nnames = ['Nux', 'toast']\n",
        "[polecat]\nenv = { 'A=B' = 'x' }\n",
        "[polecat]\nenv = { A = 5 }\n",
        "[polecat]\nstart_directory = '{{worktre}}'\n",
        "[[polecat.windows]]\nname = 'work'\npanes = [{ comand = 'x' }]\n",
        "[[polecat.windows]]\nname = 'work'\n[[polecat.windows]]\npanes = [{ command = '{{adress}}' }]\n",
        "name = 'other'\n",
        "extends = 'polecat'\n",
        "extends = ['remote-polcat']\n",
        "extends = ['hybrid']\n",
        "replace = true\n",
    ];
    let mut shown = String::new();
    for toml in cases {
        shown += &format!("{}\n\n", user_polecat(toml).polecat_error());
    }
    insta::assert_snapshot!(shown, @r#"
    user/presets/polecat.toml:1:2: unknown key 'polecatt'
    hint: did you mean 'polecat'?

    user/presets/polecat.toml:2:1: unknown key 'agnet' in [polecat]
    hint: did you mean 'agent'?

    user/presets/polecat.toml:2:9: polecat.agent: there is no [agents.codx]
    hint: did you mean 'codex'?

    user/presets/polecat.toml:2:15: polecat.max_workers: must be at least 1

    user/presets/polecat.toml:2:15: polecat.max_workers must be a whole number of 0 or more, not the text "8"

    user/presets/polecat.toml:2:14: polecat.unattended must be true or false, not the text "yes"

    user/presets/polecat.toml:2:11: polecat.restart cannot be 'on_failure'
    hint: did you mean 'on-failure'?

    user/presets/polecat.toml:2:13: polecat.placement cannot be 'here'
    hint: known are: local, remote, any

    user/presets/polecat.toml:2:22: polecat.worker_spawn_delay: '5x' is no time
    hint: write it like 90s, 5m, 2h or 1d

    user/presets/polecat.toml:2:14: polecat.fugue_addr: 'tcp://localhost' is not an address of fugue: it has no port
    hint: an address looks like tcp://localhost:9999

    user/presets/polecat.toml:2:17: polecat.names.1: 'toast' is no name for a polecat
    hint: a capital first, then letters, digits or '_', at most 32: like Nux

    user/presets/polecat.toml:2:7: polecat.env: 'A=B' is no name of a variable

    user/presets/polecat.toml:2:13: polecat.env.A must be a text, not 5

    user/presets/polecat.toml:2:19: polecat.start_directory: unknown name '{{worktre}}'
    hint: did you mean 'worktree'?

    user/presets/polecat.toml:3:12: unknown key 'comand' in [polecat.windows.0.panes.0]
    hint: did you mean 'command'?

    user/presets/polecat.toml:4:22: polecat.windows.1.panes.0.command: unknown name '{{adress}}'
    hint: did you mean 'address'?

    user/presets/polecat.toml:1:8: name: the preset calls itself 'other', and its file is polecat.toml
    hint: write name = "polecat", or rename the file to other.toml

    user/presets/polecat.toml:1:11: extends must be a list, not the text "polecat"

    user/presets/polecat.toml:1:11: there is no preset 'remote-polcat'
    hint: did you mean 'remote-polecat'?

    built-in remote-polecat.toml:15:11: presets extend each other: polecat → hybrid → remote-polecat → polecat
    hint: take one of them out of extends

    polecat.agent is not set: no layer says which runtime runs the polecat
    hint: see the layers with: gt preset explain polecat
    "#);
}

#[test]
fn a_circle_is_shown_and_a_preset_that_is_not_there_has_a_nearest_one() {
    let files = Files::new(&[
        ("user/presets/a.toml", "extends = ['b']\n"),
        ("town/config/presets/b.toml", "# b\nextends = ['c']\n"),
        ("user/presets/c.toml", "extends = ['b']\n"),
    ]);
    insta::assert_snapshot!(files.asked_error("a"), @r"
    user/presets/c.toml:1:11: presets extend each other: b → c → b
    hint: take one of them out of extends
    ");
    insta::assert_snapshot!(files.asked_error("remote-polcat"), @r"
    there is no preset 'remote-polcat'
    hint: did you mean 'remote-polecat'?
    ");
    insta::assert_snapshot!(files.asked_error("../../etc/passwd"), @r"
    there is no preset '../../etc/passwd'
    hint: known are: a, b, c, crew, deacon, hybrid, mayor, minimal, plugin, polecat, refinery, remote-polecat, witness
    ");
}

#[test]
fn errors_in_a_rig_s_config_json_name_file_and_line() {
    let cases = [
        "{\n  \"merge\": {\n    \"strategy\": \"merge\",\n  }\n}\n",
        "{\n  \"merge\": {\n    \"stratgy\": \"merge\"\n  }\n}\n",
        "{\n  \"worktree\": {\n    \"copy\": \".env\"\n  }\n}\n",
        "{\n  \"max_workers\": \"eight\"\n}\n",
        "{\n  \"merge\": {\n    \"timeout\": \"x\"\n  }\n}\n",
        "",
        "[]",
    ];
    let mut shown = String::new();
    for json in cases {
        shown += &format!("{}\n\n", Files::new(&[("town/wyvern/config.json", json)]).settings_error());
    }
    insta::assert_snapshot!(shown, @r#"
    town/wyvern/config.json:4:3: not valid JSON: trailing comma

    town/wyvern/config.json:3:5: unknown key 'stratgy' in [merge]
    hint: did you mean 'strategy'?

    town/wyvern/config.json:3:5: worktree.copy must be a list, not the text ".env"

    town/wyvern/config.json:2:3: max_workers must be a whole number of 0 or more, not the text "eight"

    town/wyvern/config.json:3:5: merge.timeout: 'x' is no time
    hint: write it like 90s, 5m, 2h or 1d

    town/wyvern/config.json:1:1: not valid JSON: EOF while parsing a value

    town/wyvern/config.json: must hold one JSON object
    "#);
}

#[test]
fn errors_in_the_environment_name_the_variable() {
    let cases = [
        ("GASTOWN_POLECAT_AGENT", "codex"),
        ("GASTOWN_POLECAT__AGNET", "codex"),
        ("GASTOWN_POLECAT__MAX_WORKERS", "eight"),
        ("GASTOWN_POLECAT__AGENT", "codx"),
        ("GASTOWN_MERGE__STRATGY", "merge"),
        ("GASTOWN_MERGE__STRATEGY", "fast"),
        ("GASTOWN_PRESETS", "hybrid"),
        ("GASTOWN_PRESET", "hybird"),
        ("GASTOWN_WHATEVER", "1"),
        ("GASTOWN_FUGUE_ADDR", "localhost:9999"),
        ("GASTOWN_TMUX_SOCKET", "/tmp/x"),
    ];
    let mut shown = String::new();
    for (name, value) in cases {
        shown += &format!("{}\n\n", Files::new(&[]).env(name, value).polecat_error());
    }
    insta::assert_snapshot!(shown, @r#"
    unknown variable GASTOWN_POLECAT_AGENT: variables with GASTOWN_ configure gt
    hint: did you mean GASTOWN_POLECAT__AGENT?

    GASTOWN_POLECAT__AGNET: unknown key 'agnet' in [polecat]
    hint: did you mean 'agent'?

    GASTOWN_POLECAT__MAX_WORKERS: polecat.max_workers must be a whole number of 0 or more, not the text "eight"

    GASTOWN_POLECAT__AGENT: polecat.agent: there is no [agents.codx]
    hint: did you mean 'codex'?

    GASTOWN_MERGE__STRATGY: unknown key 'stratgy' in [merge]
    hint: did you mean 'strategy'?

    GASTOWN_MERGE__STRATEGY: merge.strategy cannot be 'fast'
    hint: known are: merge, rebase, squash

    unknown variable GASTOWN_PRESETS: variables with GASTOWN_ configure gt
    hint: did you mean GASTOWN_PRESET?

    GASTOWN_PRESET: there is no preset 'hybird'
    hint: did you mean 'hybrid'?

    unknown variable GASTOWN_WHATEVER: variables with GASTOWN_ configure gt
    hint: settings are GASTOWN_SECTION__KEY, roles GASTOWN_ROLE__KEY; see them with: gt config show

    GASTOWN_FUGUE_ADDR: polecat.fugue_addr: 'localhost:9999' is not an address of fugue: it has no scheme
    hint: an address looks like tcp://localhost:9999

    GASTOWN_TMUX_SOCKET: tmux.socket: '/tmp/x' is no name of a socket
    hint: a socket is a plain name, like gastown; tmux keeps it in its own folder
    "#);
}

#[test]
fn a_file_that_cannot_be_read_is_no_file_that_is_absent() {
    let files = Files::new(&[("user/config.toml/folder", "")]);
    insta::assert_snapshot!(files.settings_error(), @"cannot read user/config.toml: Is a directory (os error 21)");
    let files = Files::new(&[]);
    std::fs::create_dir_all(files.dir.path().join("user")).unwrap();
    std::fs::write(files.dir.path().join("user/config.toml"), b"\xff\xfe").unwrap();
    insta::assert_snapshot!(files.settings_error(), @"cannot read user/config.toml: it is not UTF-8 text");
}
