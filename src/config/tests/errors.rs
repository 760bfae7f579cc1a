//! What is said when a file, a variable or a name is wrong.

use super::super::role;
use super::{TestFiles, user_polecat, user_settings};
use crate::model::address::Role;
use crate::model::bead::Bead;

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
        "[tmux]\nsocket = \"a\\nb\"\n",
        "[merge]\ntarget = \"main\\nx\"\n",
        "[merge]\ntarget = '--all'\n",
        "[beads]\nprefix = 'a b'\n",
        "[agents.claude]\nready = { pattern = '(' }\n",
        "[agents.claude]\nready = { patern = 'x' }\n",
        "[agents.claude]\nprompt = 'args'\n",
        "[agents.claude]\ncommand = ['claude', '{{tittle}}']\n",
        "[agents.claude]\nsubmit = { confirm = 'bussy' }\n",
        "[agents.'a.b']\ncommand = ['x']\n",
        "[agents.x]\ncommand = ['sh', '-c', \"echo '{{bead}}'\"]\n",
        "[notify]\ncommand = ['bash', '-lc', 'say {{what}}']\n",
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
    hint: a socket is a plain name, like gastown, which tmux keeps in its own folder, or an absolute path

    user/config.toml:2:10: tmux.socket: a control character, such as a line break, is no part of it

    user/config.toml:2:10: merge.target: "main\nx" cannot be the name of a branch
    hint: write it like main

    user/config.toml:2:10: merge.target: "--all" cannot be the name of a branch
    hint: write it like main

    user/config.toml:2:10: beads.prefix: "a b" cannot be a prefix of ids
    hint: a prefix is letters, digits, - and _, without the - before the rest of an id

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

    user/config.toml:2:11: agents.x.command: {{bead}} cannot stand in a text for a shell, which might run it
    hint: write "$GT_BEAD": it is in its environment

    user/config.toml:2:11: notify.command: {{what}} cannot stand in a text for a shell, which might run it
    hint: write "$GT_WHAT": it is in its environment

    user/config.toml:2:14: remotes.pc.fugue_addr: 'localhost:9999' is not an address of fugue: it has no scheme
    hint: an address looks like tcp://localhost:9999

    user/config.toml:3:25: placement.heavy.when.min_estimate: 'long' is no time
    hint: write it like 90s, 5m, 2h or 1d

    user/config.toml:2:10: unknown key 'label' in [placement.heavy.when]
    hint: did you mean 'labels'?

    user/config.toml:2:10: tmux.socket: the variable NO_SUCH_VARIABLE is not set
    hint: set NO_SUCH_VARIABLE, or give a default: ${NO_SUCH_VARIABLE:-…}; a ${ that is not gt's is written $${

    user/config.toml:2:10: tmux.socket: a '${' without its '}'
    hint: write ${NAME} or ${NAME:-default}; a ${ that is not gt's is written $${
    "#);
}

#[test]
fn errors_in_windows_name_the_place_and_what_was_meant() {
    let one = "[[polecat.windows]]\n";
    let cases = [
        "layout = 'main-vertcal'".to_string(),
        "layout = '51dc,200x50,0,0[200x34,0,0,3,200x15,0,35,4]'".into(),
        "layout = '51db,200x50,0,0[200x34,0,0,3,200x15,0,35,4]'\npanes = [{}, {}, {}]".into(),
        "panes = [{ size = '30 %' }, {}]".into(),
        "panes = [{}, { size = 0 }]".into(),
        "panes = [{}, { size = true }]".into(),
        "layout = 'tiled'\npanes = [{ size = '30%' }, {}]".into(),
        "panes = [{ focus = true }, { focus = true }]".into(),
        "panes = [{ command = '{{agent}}' }, { command = ' {{agent}} ' }]".into(),
        "panes = [{ command = '{{agent}} --continue' }]".into(),
        "panes = [{ command = 'echo {{ title }}', start_directory = '{{title}}' }]".into(),
        "panes = [{ command = \"sh -c \\\"echo '{{bead}}'\\\"\" }]".into(),
        "name = \"two\\nlines\"".into(),
        "env = { 'A=B' = 'x' }".into(),
        "panes = [{ env = { '' = 'x' } }]".into(),
        "panes = [{ start_directory = '{{worktre}}' }]".into(),
        format!("name = 'a'\n{one}name = 'a '\npanes = [{{}}]"),
        format!("panes = [{{}}]\nfocus = true\n{one}panes = [{{}}]\nfocus = true"),
        format!("name = 'a'\n{one}name = 'b'"),
        format!("name = 'a'\n{one}name = 'b'\npanes = [{{}}, {{ command = '{{{{agent}}}}' }}]"),
        "[polecat]\nagent = 'none'".into(),
    ];
    let mut shown = String::new();
    for toml in cases {
        shown += &format!("{}\n\n", user_polecat(&format!("{one}{toml}\n")).polecat_error());
    }
    insta::assert_snapshot!(shown, @r#"
    user/presets/polecat.toml:2:10: polecat.windows.0.layout: 'main-vertcal' is no layout of tmux
    hint: did you mean 'main-vertical'?

    user/presets/polecat.toml:2:10: polecat.windows.0.layout: '51dc,200x50,0,0[200x34,0,0,3,200x15,0,35,4]' is no layout string that tmux takes: its first four digits do not fit the rest
    hint: copy it whole: tmux display-message -p '#{window_layout}'

    user/presets/polecat.toml:2:10: polecat.windows.0.layout: the layout places 2 panes, and the window has 3
    hint: copy it from a window with as many: tmux display-message -p '#{window_layout}'

    user/presets/polecat.toml:2:19: polecat.windows.0.panes.0.size: '30 %' is no size
    hint: write a part of the window, like 30%, or a number of columns or rows, like 12

    user/presets/polecat.toml:2:23: polecat.windows.0.panes.1.size: '0' is no size
    hint: write a part of the window, like 30%, or a number of columns or rows, like 12

    user/presets/polecat.toml:2:23: polecat.windows.0.panes.1.size must be a text like "30%" or a number

    user/presets/polecat.toml:3:19: polecat.windows.0.panes.0.size: a size means nothing in the layout 'tiled'
    hint: leave it out, or choose main-vertical or another layout

    user/presets/polecat.toml:2:38: polecat.windows.0.panes.1.focus: two panes of one window have the focus
    hint: leave it to one

    user/presets/polecat.toml:2:49: polecat.windows.0.panes.1.command: a second pane with the agent
    hint: a session has one agent: give the other pane another command, or leave it empty for a shell

    user/presets/polecat.toml:2:22: polecat.windows.0.panes.0.command: {{agent}} stands alone: the agent is the pane's program, without a shell
    hint: words of its own are the runtime's: [agents.NAME] command

    user/presets/polecat.toml:2:22: polecat.windows.0.panes.0.command: {{title}} cannot stand in a text for a shell, which might run it
    hint: write "$GT_BEAD_TITLE": it is in its environment

    user/presets/polecat.toml:2:22: polecat.windows.0.panes.0.command: {{bead}} cannot stand in a text for a shell, which might run it
    hint: write "$GT_BEAD": it is in its environment

    user/presets/polecat.toml:2:8: polecat.windows.0.name: a window's name is one line of plain text

    user/presets/polecat.toml:2:7: polecat.windows.0.env: 'A=B' is no name of a variable

    user/presets/polecat.toml:2:18: polecat.windows.0.panes.0.env: '' is no name of a variable

    user/presets/polecat.toml:2:30: polecat.windows.0.panes.0.start_directory: unknown name '{{worktre}}'
    hint: did you mean 'worktree'?

    user/presets/polecat.toml:4:8: polecat.windows.1.name: two windows of the polecat are named 'a'
    hint: give each a name of its own

    user/presets/polecat.toml:6:9: polecat.windows.1.focus: two windows of the polecat have the focus
    hint: leave it to one

    user/presets/polecat.toml:3:1: polecat.windows.1: a second window with the agent
    hint: a session has one agent: give the other pane another command, or leave it empty for a shell

    user/presets/polecat.toml:5:26: polecat.windows.1.panes.1.command: a second pane with the agent
    hint: a session has one agent: give the other pane another command, or leave it empty for a shell

    user/presets/polecat.toml:1:1: polecat.windows.0: it shows the agent, and the runtime none runs none
    hint: choose a runtime, for a role with: gt config set ROLE.agent NAME; for one bead with: gt sling BEAD --agent NAME; or give its panes another command than {{agent}}
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
        "[polecat]\npermissions = 'yes'\n",
        "[polecat]\nunattended = true\n",
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

    user/presets/polecat.toml:2:15: polecat.permissions cannot be 'yes'
    hint: known are: ask, edits, all

    user/presets/polecat.toml:2:1: 'unattended' in [polecat] is called otherwise now
    hint: write permissions = "all" for a role, all = { words = [...] } for a runtime

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

    built-in remote-polecat.toml:26:11: presets extend each other: polecat → hybrid → remote-polecat → polecat
    hint: take one of them out of extends

    polecat.agent is not set: no layer says which runtime runs the polecat
    hint: see the layers with: gt preset explain polecat
    "#);
}

#[test]
fn a_circle_is_shown_and_a_preset_that_is_not_there_has_a_nearest_one() {
    let files = TestFiles::new(&[
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
        shown += &format!("{}\n\n", TestFiles::new(&[("town/wyvern/config.json", json)]).settings_error());
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
        ("GASTOWN_TMUX_SOCKET", "tmp/x"),
    ];
    let mut shown = String::new();
    for (name, value) in cases {
        shown += &format!("{}\n\n", TestFiles::new(&[]).env(name, value).polecat_error());
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

    GASTOWN_TMUX_SOCKET: tmux.socket: 'tmp/x' is no name of a socket
    hint: a socket is a plain name, like gastown, which tmux keeps in its own folder, or an absolute path
    "#);
}

#[test]
fn a_file_that_cannot_be_read_is_no_file_that_is_absent() {
    let files = TestFiles::new(&[("user/config.toml/folder", "")]);
    insta::assert_snapshot!(files.settings_error(), @r"
    cannot read user/config.toml: it is a folder
    hint: look at it with: ls -l user/config.toml
    ");
    let files = TestFiles::new(&[]);
    std::fs::create_dir_all(files.dir.path().join("user")).unwrap();
    std::fs::write(files.dir.path().join("user/config.toml"), b"\xff\xfe").unwrap();
    insta::assert_snapshot!(files.settings_error(), @r"
    cannot read user/config.toml: it is not UTF-8 text
    hint: look at it with: ls -l user/config.toml
    ");
}

#[test]
fn what_names_something_that_is_not_whole_is_told_where() {
    let remote = TestFiles::new(&[
        ("town/config/town.toml", "[remotes.pc]\ntags = ['gpu']\n"),
        ("user/presets/polecat.toml", "[polecat]\nremote = 'pc'\n"),
    ]);
    insta::assert_snapshot!(remote.polecat_error(), @r"
    town/config/town.toml:1:1: remotes.pc has no fugue_addr
    hint: write one like tcp://localhost:9999
    ");
    let defaults = user_settings("[defaults]\npresets = ['hybird']\n");
    insta::assert_snapshot!(defaults.polecat_error(), @r"
    user/config.toml:2:11: there is no preset 'hybird'
    hint: did you mean 'hybrid'?
    ");
    let rule = user_settings("[placement.all]\norder = 1\n");
    let error = role(&rule.sources(), Role::Polecat, &[], Some(&Bead::default())).unwrap_err();
    assert!(error.to_string().ends_with("config.toml:1:1: there is no preset ''"), "{error}");
}
