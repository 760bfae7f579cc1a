//! The adapter against a real tmux: what a person types, what tmux misses, what a person has set.

use gastown::base::quote::quote;
use gastown::mux::{self, Depth, Marks, Mux, Session, Snapshot, Spec};

use crate::common::{World, wait_for};

/// The world's own server, with one session of a person in it.
fn server(world: &World) -> mux::tmux::TmuxMux {
    world.tmux(["new-session", "-d", "-s", "person", "--", "sleep", "1000"]).ok();
    on_socket(world)
}

fn on_socket(world: &World) -> mux::tmux::TmuxMux {
    let path = world.tmux(["display-message", "-p", "#{socket_path}"]).ok().stdout;
    mux::tmux::TmuxMux::new(Some(path.trim()))
}

fn spec(world: &World, name: &str, argv: &[&str]) -> Spec {
    Spec {
        name: name.into(),
        window: "work".into(),
        cwd: world.real(),
        env: vec![("PATH".into(), std::env::var("PATH").unwrap()), ("GT_SESSION".into(), name.into())],
        argv: argv.iter().map(|word| (*word).into()).collect(),
        marks: Marks { town: "/town".into(), address: format!("rig/{name}"), ..Marks::default() },
        ..Spec::default()
    }
}

fn look(tmux: &impl Mux) -> Snapshot {
    let snapshot = tmux.look().unwrap();
    assert_eq!(snapshot.unknown, None);
    snapshot
}

fn find<'a>(snapshot: &'a Snapshot, name: &str) -> &'a Session {
    snapshot
        .sessions
        .iter()
        .find(|session| session.name == name)
        .unwrap_or_else(|| panic!("{name}: {snapshot:?}"))
}

fn odd_texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        "ends in ;",
        "\\;",
        ";",
        "it's \"quoted\" $(touch /tmp/gt-owned) `id` #{pid} #(touch /tmp/gt-owned)",
        "two\nlines\tand a tab",
        "\u{1F9A1} badger",
        "-x --flag",
        "back\\slash \\x41",
        "",
    ]
    .map(String::from)
    .into();
    texts.push("long ".repeat(60));
    texts
}

#[test]
fn odd_texts_survive_in_environment_arguments_and_marks() {
    let world = World::new();
    let tmux = server(&world);
    for (number, text) in odd_texts().into_iter().enumerate() {
        let out = world.str(format!("out-{number}"));
        let script =
            "printf '%s\\0%s' \"$TITLE\" \"$2\" > \"$1.new\" && mv \"$1.new\" \"$1\"; exec sleep 1000";
        let mut spec = spec(&world, &format!("odd-{number}"), &["sh", "-c", script, "sh", &out, &text]);
        spec.env.push(("TITLE".into(), text.clone()));
        spec.marks.preset.clone_from(&text);
        spec.marks.role.clone_from(&text);
        let started = tmux.start(&spec, &Snapshot::default()).unwrap();
        tmux.mark(&started.session, &text, "2026").unwrap();
        let seen = wait_for("the program's word", || std::fs::read_to_string(&out).ok());
        assert_eq!(seen, format!("{text}\0{text}"));
        let snapshot = look(&tmux);
        let session = find(&snapshot, &started.name);
        let marks = &session.marks;
        assert_eq!([&*marks.preset, &marks.role, &marks.state], [text.as_str(); 3]);
        assert_eq!(session.panes[0].id, started.pane);
    }
    assert!(!std::path::Path::new("/tmp/gt-owned").exists());
}

#[test]
fn a_folder_and_a_window_with_formats_in_their_names_stay_names() {
    let world = World::new();
    let tmux = server(&world);
    let folder = world.real().join("a #(touch owned) #[x] ##[y] #S;");
    std::fs::create_dir(&folder).unwrap();
    let spec = Spec {
        cwd: folder.clone(),
        window: "#S #[fg=red]##[x] #(touch owned);".into(),
        ..spec(&world, "formats", &["sh", "-c", "pwd > here; exec sleep 1000"])
    };
    tmux.start(&spec, &Snapshot::default()).unwrap();
    let seen = wait_for("the folder", || {
        std::fs::read_to_string(folder.join("here")).ok().filter(|text| text.ends_with('\n'))
    });
    assert_eq!(seen.trim_end(), folder.to_str().unwrap());
    // As a status line is to show it: no style, and nothing that runs.
    let stored = world.tmux(["list-windows", "-t", "=formats", "-F", "#{window_name}"]).ok().stdout;
    assert_eq!(stored, "##S ##[fg=red]####[x] ##(touch owned);\n");
    let seen = tmux.begin_look(Depth::Places).unwrap().wait().unwrap();
    assert_eq!(seen.sessions[0].windows[0].name, "#S #[fg=red]##[x] #(touch owned);");
    assert!(!folder.join("owned").exists());
}

#[test]
fn an_environment_larger_than_one_message_arrives_whole() {
    let world = World::new();
    let tmux = server(&world);
    let text = "it's; \\ large\n".repeat(4_000);
    let out = world.str("out");
    let mut spec = spec(
        &world,
        "large",
        &["sh", "-c", "printf %s \"$BIG\" > \"$1.new\"; mv \"$1.new\" \"$1\"; exec sleep 99", "sh", &out],
    );
    spec.env.push(("BIG".into(), text.clone()));
    tmux.start(&spec, &Snapshot::default()).unwrap();
    assert_eq!(wait_for("the text", || std::fs::read_to_string(&out).ok()), text);
    spec.marks.address = "rig/other".into();
    assert!(
        tmux.start(&spec, &Snapshot::default()).unwrap().name == "large-2",
        "a taken name is seen there too"
    );
    spec.env.push(("BIGGER".into(), "x".repeat(200_000)));
    let error = tmux.start(&spec, &Snapshot::default()).unwrap_err().to_string();
    assert_eq!(error, "too large for a program's start: 'BIGGER' with 200007 bytes; the system takes 131071");
}

#[test]
fn what_cannot_be_started_is_refused_before_tmux_is_asked() {
    let world = World::new();
    let tmux = server(&world);
    let missing = tmux.start(&spec(&world, "x", &["no-such-agent"]), &Snapshot::default()).unwrap_err();
    assert_eq!(missing.to_string(), "no-such-agent is not installed or not on PATH");
    let nowhere = Spec { cwd: "/no/such".into(), ..spec(&world, "x", &["sleep", "1"]) };
    let error = tmux.start(&nowhere, &Snapshot::default()).unwrap_err();
    assert_eq!(error.to_string(), "cannot start x: no folder /no/such");
    for name in ["a.b", "a:b"] {
        let error = tmux.start(&spec(&world, name, &["sleep", "1"]), &Snapshot::default()).unwrap_err();
        assert!(error.to_string().contains("cannot name a session"), "{error}");
    }
    assert_eq!(look(&tmux).sessions.len(), 1);
}

#[test]
fn a_taken_name_gets_a_number_and_the_other_session_stays() {
    let world = World::new();
    let tmux = server(&world);
    world.tmux(["new-session", "-d", "-s", "gt-rig-Nux", "--", "sleep", "1000"]).ok();
    let out = world.str("name");
    let script = "printf %s \"$GT_SESSION\" > \"$1.new\"; mv \"$1.new\" \"$1\"; exec sleep 1000";
    let wanted = spec(&world, "gt-rig-Nux", &["sh", "-c", script, "sh", &out]);
    // Once known from the look, once found out by tmux's refusal.
    let known = tmux.start(&wanted, &look(&tmux)).unwrap();
    let mut other = wanted.clone();
    other.marks.address = "rig/other".into();
    let refused = tmux.start(&other, &Snapshot::default()).unwrap();
    assert_eq!((known.name.as_str(), refused.name.as_str()), ("gt-rig-Nux-2", "gt-rig-Nux-3"));
    assert!(wait_for("its own name", || std::fs::read_to_string(&out).ok()).starts_with("gt-rig-Nux-"));
    let snapshot = look(&tmux);
    assert_eq!(find(&snapshot, "gt-rig-Nux").marks.town, "");
    tmux.stop(&[&known.session, "$999", &refused.session]).unwrap();
    assert_eq!(look(&tmux).sessions.len(), 2, "ours are gone, theirs are not");
    // Not even by id, as after a restart of the server that gave the id to somebody else.
    tmux.stop(&[&find(&snapshot, "gt-rig-Nux").id]).unwrap();
    assert_eq!(look(&tmux).sessions.len(), 2);
}

#[test]
fn a_persons_options_disturb_nothing() {
    let world = World::new();
    let options = [
        "base-index 1",
        "pane-base-index 1",
        "detach-on-destroy off",
        "default-shell /bin/false",
        "default-command 'exit 3'",
        "exit-empty off",
        "destroy-unattached on",
        "remain-on-exit off",
        "automatic-rename on",
        "set-titles on",
        "update-environment 'GT_ADDRESS PATH'",
        "default-size 20x5",
        "renumber-windows on",
        "history-limit 10",
        "status off",
    ];
    let text: String = options.iter().map(|option| format!("set -g {option}\n")).collect();
    world.write("home/.tmux.conf", &text);
    let own =
        ["new-session", "-d", "-s", "person", "--", "sleep", "1000", ";", "set-option", "-t", "=person:"];
    let mut person = world.command("tmux", "");
    person.args(["-u", "-L", &world.socket]).args(own).args(["destroy-unattached", "off"]);
    crate::common::finish(&mut person).ok();
    let tmux = on_socket(&world);
    let before = world.tmux(["show-options", "-g"]).ok().stdout;
    let mut wanted = spec(&world, "quiet", &["sh", "-c", "exit 7"]);
    wanted.env.push(("GT_ADDRESS".into(), "rig/quiet".into()));
    let out = world.str("ended");
    wanted.on_end = format!("touch {out}");
    tmux.start(&wanted, &Snapshot::default()).unwrap();
    let exit = wait_for("its end", || {
        find(&look(&tmux), "quiet").panes.first().filter(|pane| pane.dead).map(|pane| pane.exit)
    });
    assert_eq!(exit, Some(7));
    assert_eq!(world.tmux(["show-options", "-g"]).ok().stdout, before);
}

#[test]
fn the_end_hook_runs_its_words_and_shows_nothing_in_anybodys_pane() {
    let world = World::new();
    let tmux = server(&world);
    let out = world.str("ended; it's #{pid} $(x)");
    let mut wanted = spec(&world, "short", &["true"]);
    let script = "echo noise; echo more >&2; printf %s \"$2\" > \"$1.new\"; mv \"$1.new\" \"$1\"; exit 9";
    wanted.on_end = ["sh", "-c", script, "sh", &out, "a b;"].map(quote).join(" ");
    tmux.start(&wanted, &Snapshot::default()).unwrap();
    // tmux loses some deaths, and their hooks with them, until a look reminds it.
    let ended = || {
        look(&tmux);
        std::fs::read_to_string(&out).ok()
    };
    assert_eq!(wait_for("the hook", ended), "a b;");
    let modes = world.tmux(["list-panes", "-a", "-F", "#{pane_in_mode}"]).ok().stdout;
    assert_eq!(modes, "0\n0\n");
}

#[test]
fn deaths_that_tmux_missed_are_seen_with_their_signal() {
    let world = World::new();
    let tmux = server(&world);
    let mut taken = look(&tmux);
    let started: Vec<_> = (0..40)
        .map(|number| tmux.start(&spec(&world, &format!("s{number}"), &["sleep", "1000"]), &taken).unwrap())
        .collect();
    for session in &started {
        let pid = rustix::process::Pid::from_raw(session.pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }
    taken = wait_for("all deaths", || {
        let snapshot = look(&tmux);
        let all = snapshot.ours("/town").all(|session| !session.alive());
        all.then_some(snapshot)
    });
    // Whatever tmux had missed was asked for again in the same look.
    let complete = taken.ours("/town").filter(|session| session.panes[0].signal == Some(9)).count();
    assert_eq!(complete, 40);
}

#[test]
fn a_paste_arrives_whole_and_a_dead_pane_keeps_nothing() {
    let world = World::new();
    let tmux = server(&world);
    let out = world.str("pasted");
    let script =
        "stty raw -echo; printf '\\033[?2004hready'; dd bs=1 count=70 of=\"$1\" 2>/dev/null; exec sleep 1000";
    let started =
        tmux.start(&spec(&world, "reader", &["sh", "-c", script, "sh", &out]), &Snapshot::default()).unwrap();
    wait_for("the program", || tmux.capture(&started.pane, 5).unwrap().contains("ready").then_some(()));
    tmux.paste(&started.pane, "one;\n$(two) #{pid}\x1b[201~\x03 \u{1F9A1} and more text up to the count;")
        .unwrap();
    tmux.keys(&started.pane, &["Enter".into()]).unwrap();
    let seen = wait_for("the text", || std::fs::read(&out).ok().filter(|bytes| bytes.len() == 70));
    let seen = String::from_utf8_lossy(&seen).into_owned();
    assert_eq!(
        seen,
        "\x1b[200~one;\r$(two) #{pid}[201~ \u{1F9A1} and more text up to the count;\x1b[201~"[..70]
            .to_string()
    );

    let ended = tmux.start(&spec(&world, "dead", &["true"]), &Snapshot::default()).unwrap();
    wait_for("its end", || (!find(&look(&tmux), "dead").alive()).then_some(()));
    for pane in [ended.pane.as_str(), "%999"] {
        let error = tmux.paste(pane, "secret").unwrap_err().to_string();
        assert!(error.contains("the pane is gone"), "{error}");
    }
    assert_eq!(world.tmux(["list-buffers"]).ok().stdout, "");
    let person = find(&look(&tmux), "person").panes[0].id.clone();
    assert!(tmux.paste(&person, "never").is_err(), "a pane that is not ours is not pasted into");
}

#[test]
fn an_unreadable_server_is_unknown_and_an_absent_one_is_empty() {
    let world = World::new();
    let nothing = mux::tmux::TmuxMux::new(Some(&world.str("no-socket"))).look().unwrap();
    assert_eq!(nothing, Snapshot::default());
    world.write("blocked", "no socket");
    let blocked = mux::tmux::TmuxMux::new(Some(&world.str("blocked/socket"))).look().unwrap();
    assert!(blocked.unknown.is_some(), "{blocked:?}");
}

fn runtime() -> gastown::config::Runtime {
    use gastown::config::schema::{Runtime, ScreenPattern, Submit};
    let screen = |pattern: &str| Some(ScreenPattern { pattern: pattern.into(), timeout: Some("2s".into()) });
    Runtime {
        process_names: vec!["sh".into()],
        question: screen("Do you want"),
        busy: screen("esc to interrupt"),
        ready: screen("^> "),
        submit: Submit { keys: vec!["Enter".into()], confirm: "busy".into() },
        ..Runtime::default()
    }
}

#[test]
fn a_prompt_is_delivered_queued_or_unconfirmed_as_the_screen_says() {
    use gastown::mux::deliver::{Delivery, deliver};
    let world = World::new();
    let tmux = server(&world);
    let agent = |name: &str, script: &str| {
        let out = world.str(name);
        let spec = spec(&world, name, &["sh", "-c", script, "sh", &out]);
        tmux.start(&spec, &Snapshot::default()).unwrap().pane
    };
    let takes = "echo starting; sleep 0.3; printf '> '; read -r line; echo \"$line\" > \"$1\"; ";
    let good = agent("good", &format!("{takes} echo 'esc to interrupt'; exec sleep 1000"));
    assert_eq!(deliver(&tmux, &good, &runtime(), "run `gt prime`; $(now)").unwrap(), Delivery::Delivered);
    assert_eq!(world.read("good"), "run `gt prime`; $(now)\n");

    let asks = agent(
        "asks",
        "printf 'Do you want to trust this folder?\\n> '; read -r line; echo \"$line\" > \"$1\"",
    );
    assert_eq!(deliver(&tmux, &asks, &runtime(), "yes").unwrap(), Delivery::Queued);
    assert!(find(&look(&tmux), "asks").alive(), "nothing was typed");

    let silent = agent("silent", &format!("{takes} exec cat"));
    assert_eq!(deliver(&tmux, &silent, &runtime(), "hello").unwrap(), Delivery::Unconfirmed);

    let shell = agent("shell", "printf '> '; exec sh");
    let strict = gastown::config::Runtime { process_names: Vec::new(), ..runtime() };
    let error = deliver(&tmux, &shell, &strict, "rm x").unwrap_err().to_string();
    assert_eq!(error, "sh is in front of the agent's pane: nothing is typed into a shell");
    let ended = agent("ended", "echo bye");
    assert_eq!(deliver(&tmux, &ended, &runtime(), "x").unwrap_err().to_string(), "the agent has ended");
}

#[test]
fn several_sessions_are_made_together_and_one_that_cannot_be_keeps_no_other() {
    let world = World::new();
    let own = |name: &str| Spec {
        env: vec![
            ("PATH".into(), std::env::var("PATH").unwrap()),
            ("TEXT".into(), "two\nlines; 'q' \"d\" #{x} $y \\n".into()),
        ],
        marks: Marks { town: "/town".into(), address: format!("rig/{name}"), ..Marks::default() },
        ..spec(&world, name, &["sh", "-c", "printf %s \"$TEXT\" > \"seen-$0\"; exec sleep 600", name])
    };
    // A person's session that the look did not see, and one that cannot be made at all.
    world.tmux(["new-session", "-d", "-s", "two", "--", "sleep", "600"]).ok();
    let tmux = on_socket(&world);
    let specs = [own("one"), own("two"), Spec { cwd: "/no/such".into(), ..own("three") }, own("four")];
    let specs: Vec<&Spec> = specs.iter().collect();
    let told = std::sync::atomic::AtomicUsize::new(0);
    let begun = tmux.start_many(&specs, &Snapshot::default(), &|_| {
        told.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    });
    let names: Vec<String> = begun
        .iter()
        .map(|one| one.as_ref().map_or_else(ToString::to_string, |started| started.name.clone()))
        .collect();
    assert_eq!(names, ["one", "two-2", "cannot start three: no folder /no/such", "four"]);
    assert_eq!(told.into_inner(), 3);
    let snapshot = look(&tmux);
    let seen: Vec<(&str, &str)> =
        snapshot.sessions.iter().map(|one| (one.name.as_str(), one.marks.address.as_str())).collect();
    let mut seen = seen;
    seen.sort_unstable();
    assert_eq!(seen, [("four", "rig/four"), ("one", "rig/one"), ("two", ""), ("two-2", "rig/two")]);
    for (name, started) in ["one", "two", "four"].iter().zip(begun.iter().flatten()) {
        let session = find(&snapshot, &started.name);
        assert_eq!((&session.id, session.panes[0].pid), (&started.session, started.pid));
        let text = wait_for("the text", || {
            let text = std::fs::read_to_string(world.path(format!("seen-{name}"))).ok()?;
            text.ends_with('n').then_some(text)
        });
        assert_eq!(text, "two\nlines; 'q' \"d\" #{x} $y \\n");
    }
}

#[test]
fn a_session_that_another_command_made_meanwhile_is_not_made_twice() {
    let world = World::new();
    let tmux = server(&world);
    let mut own = spec(&world, "own", &["sleep", "600"]);
    own.marks = Marks {
        town: "/t".into(),
        address: "wyvern/max".into(),
        instance: "one".parse().unwrap(),
        ..Marks::default()
    };
    let before = look(&tmux);
    let first = tmux.start(&own, &before).unwrap();
    // A second `gt apply` that looked before the server carried out what the first one had sent.
    own.marks.instance = "two".parse().unwrap();
    let again = tmux.start(&own, &before).unwrap();
    assert_eq!((&again.session, &again.pane), (&first.session, &first.pane));
    // An agent has the session of it that was made last, so the other is another agent's.
    let marks = Marks { address: "wyvern/ann".into(), ..own.marks.clone() };
    let other = Spec { name: "other".into(), marks, ..own.clone() };
    let both = tmux.start_many(&[&own, &other], &before, &|_| ());
    assert_eq!(both[0].as_ref().unwrap().session, first.session);
    let bead = Marks { bead: "wy-1".parse().unwrap(), ..own.marks.clone() };
    let said = tmux.start(&Spec { marks: bead, ..own }, &before).unwrap_err().to_string();
    assert!(said.contains("was started by another command just now"), "{said}");
}

#[test]
fn a_pane_that_shows_its_history_takes_a_prompt_all_the_same() {
    let world = World::new();
    let tmux = server(&world);
    let out = world.str("out");
    let script = format!("exec cat > '{out}'");
    let started = tmux.start(&spec(&world, "own", &["sh", "-c", &script]), &Snapshot::default()).unwrap();
    for text in ["one", "two"] {
        world.tmux(["copy-mode", "-t", &started.pane]).ok();
        tmux.paste(&started.pane, text).unwrap();
        world.tmux(["copy-mode", "-t", &started.pane]).ok();
        tmux.keys(&started.pane, &["Enter".into()]).unwrap();
        wait_for("the text", || {
            std::fs::read_to_string(&out).ok()?.ends_with(&format!("{text}\n")).then_some(())
        });
    }
    assert_eq!(world.read("out"), "one\ntwo\n");
}

#[test]
fn any_number_of_sessions_is_ended_in_one_call_of_it() {
    let world = World::new();
    let tmux = server(&world);
    let gone: Vec<String> = (1000..1150).map(|number| format!("${number}")).collect();
    let gone: Vec<&str> = gone.iter().map(String::as_str).collect();
    tmux.stop(&gone).unwrap();
    assert_eq!(look(&tmux).sessions.len(), 1);
}
