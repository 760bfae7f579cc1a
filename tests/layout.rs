//! Windows and panes as a preset wants them, on a real tmux.

use gastown::mux::{self, Depth, Marks, Mux, Runs, SeenWindow, Session, Snapshot, Spec, WantedPane, Window};

use crate::common::{World, wait_for};

fn server(world: &World) -> mux::tmux::TmuxMux {
    world.tmux(["new-session", "-d", "-s", "person", "--", "sleep", "1000"]).ok();
    let path = world.tmux(["display-message", "-p", "#{socket_path}"]).ok().stdout;
    mux::tmux::TmuxMux::new(Some(path.trim()))
}

fn spec(world: &World, name: &str, windows: Vec<Window>) -> Spec {
    Spec {
        name: name.into(),
        window: "work".into(),
        cwd: world.real(),
        env: vec![("PATH".into(), std::env::var("PATH").unwrap()), ("GT_SESSION".into(), name.into())],
        argv: ["sleep", "1000"].map(String::from).into(),
        marks: Marks { town: "/town".into(), address: format!("rig/{name}"), ..Marks::default() },
        windows,
        ..Spec::default()
    }
}

fn shell(text: &str) -> WantedPane {
    WantedPane { runs: Runs::Shell(text.into()), ..WantedPane::default() }
}

fn agent() -> WantedPane {
    WantedPane { runs: Runs::Agent, ..WantedPane::default() }
}

fn window(name: &str, panes: Vec<WantedPane>) -> Window {
    Window { name: name.into(), panes, ..Window::default() }
}

fn look(tmux: &impl Mux, name: &str) -> Session {
    let snapshot = tmux.begin_look(Depth::Places).unwrap().wait().unwrap();
    assert_eq!(snapshot.unknown, None);
    snapshot.sessions.into_iter().find(|session| session.name == name).unwrap()
}

/// A window's mark, and those of its panes.
type Shape = (Option<usize>, Vec<Option<(usize, usize)>>);

/// What the marks say is there, in tmux's order.
fn shape(windows: &[SeenWindow]) -> Vec<Shape> {
    windows.iter().map(|window| (window.mark, window.panes.iter().map(|pane| pane.mark).collect())).collect()
}

#[test]
fn windows_and_panes_stand_as_they_were_asked_for() {
    let world = World::new();
    let tmux = server(&world);
    let mut wanted = spec(
        &world,
        "shaped",
        vec![
            window("logs", vec![shell("exec sleep 1000"), WantedPane::default()]),
            Window {
                layout: Some("main-vertical".into()),
                ..window(
                    "work",
                    vec![
                        WantedPane { size: Some("60%".into()), ..agent() },
                        shell("exec sleep 1000"),
                        WantedPane { size: Some("10".into()), ..shell("exec sleep 1000") },
                    ],
                )
            },
        ],
    );
    let started = tmux.start(&wanted, &Snapshot::default()).unwrap();
    let seen = look(&tmux, "shaped");
    assert_eq!(
        shape(&seen.windows),
        [
            (Some(0), vec![Some((0, 0)), Some((0, 1))]),
            (Some(1), vec![Some((1, 0)), Some((1, 1)), Some((1, 2))])
        ]
    );
    let work = &seen.windows[1];
    assert!(work.active && work.name == "work", "the agent's window is shown");
    let sizes: Vec<_> = work.panes.iter().map(|pane| pane.size).collect();
    assert_eq!(sizes, [(120, 50), (79, 39), (79, 10)]);
    assert!(work.panes[0].agent && work.panes[0].active);
    assert_eq!(work.asked, wanted.windows[1].asked());
    assert_eq!(work.panes[2].asked, wanted.windows[1].panes[2].asked());
    assert_eq!((&started.pane, started.pid), (&work.panes[0].id, work.panes[0].pid));
    assert_eq!((&seen.panes[0].id, seen.panes[0].agent), (&started.pane, true));
    wait_for("the agent itself, with nothing between tmux and it", || {
        let program = std::fs::read(format!("/proc/{}/cmdline", started.pid)).unwrap();
        (String::from_utf8_lossy(&program) == "sleep\x001000\0").then_some(())
    });

    wanted.windows[0].layout = Some("bad-layout".into());
    wanted.marks.address = "rig/other".into();
    let error = tmux.start(&wanted, &Snapshot::default()).unwrap_err().to_string();
    assert_eq!(error, "tmux did not start the session shaped: window 'logs': invalid layout: bad-layout");
    assert_eq!(tmux.look().unwrap().sessions.len(), 2, "nothing is left of it");
    wait_for("the helper's end", || {
        let _ = world.tmux(["kill-pane", "-t", &started.pane]);
        let seen = look(&tmux, "shaped");
        (seen.agent_gone && !seen.alive()).then_some(())
    });
}

/// Puts the session as the spec wants it, through the same plan as `gt apply`, until there is nothing left to do.
fn apply(tmux: &impl Mux, spec: &Spec) -> Vec<gastown::mux::LiveChange> {
    let seen = look(tmux, &spec.name);
    let changes = gastown::plan::live::windows(&seen, spec).expect("no restart");
    tmux.change(&seen, spec, &changes).unwrap();
    let again = gastown::plan::live::windows(&look(tmux, &spec.name), spec);
    assert_eq!(again, Some(Vec::new()), "after {changes:?}\n{:#?}", look(tmux, &spec.name).windows);
    changes
}

fn names(session: &Session) -> Vec<String> {
    session.windows.iter().map(|window| window.name.clone()).collect()
}

fn pid_of(session: &Session, at: (usize, usize)) -> i32 {
    let mut panes = session.windows.iter().flat_map(|window| &window.panes);
    panes.find(|pane| pane.mark == Some(at)).unwrap_or_else(|| panic!("{at:?}: {session:#?}")).pid
}

#[test]
fn a_session_that_runs_is_brought_to_other_windows_and_its_agent_notices_nothing() {
    let world = World::new();
    let tmux = server(&world);
    let sleeps = || shell("exec sleep 1000");
    let mut wanted = spec(&world, "live", Vec::new());
    tmux.start(&wanted, &Snapshot::default()).unwrap();
    let before = look(&tmux, "live");
    let agents_pid = before.panes[0].pid;
    assert_eq!(apply(&tmux, &wanted), []);

    // From one window to three, with panes beside the agent, in front of it and behind it.
    wanted.windows = vec![
        window("first", vec![sleeps()]),
        Window {
            layout: Some("main-vertical".into()),
            ..window(
                "work",
                vec![
                    WantedPane { size: Some("25%".into()), ..shell("exec sleep 1001") },
                    agent(),
                    shell("exec sleep 1002"),
                    WantedPane::default(),
                ],
            )
        },
        window("second", vec![sleeps(), sleeps()]),
        window("third", vec![sleeps()]),
    ];
    apply(&tmux, &wanted);
    let seen = look(&tmux, "live");
    assert_eq!(names(&seen), ["first", "work", "second", "third"]);
    assert_eq!(seen.panes[0].pid, agents_pid);
    let work = &seen.windows[1];
    assert!(work.active, "what was looked at is looked at");
    assert_eq!(shape(&seen.windows)[1].1, (0..4).map(|place| Some((1, place))).collect::<Vec<_>>());
    assert_eq!(work.panes[0].size, (50, 50));
    assert!(work.panes[1].agent && work.panes[1].active, "{work:#?}");

    // A person adds what is theirs; a window goes, a pane runs something else, panes change places.
    world.tmux(["split-window", "-d", "-t", &work.panes[2].id, "--", "sleep", "77"]).ok();
    world.tmux(["new-window", "-d", "-t", "=live:", "-n", "mine", "--", "sleep", "78"]).ok();
    world.tmux(["split-window", "-d", "-t", &seen.windows[3].id, "--", "sleep", "79"]).ok();
    let kept = pid_of(&seen, (1, 2));
    wanted.windows = vec![
        Window {
            layout: Some("main-vertical".into()),
            ..window("work", vec![agent(), shell("exec sleep 1002"), shell("exec sleep 1003")])
        },
        window("second", vec![sleeps()]),
    ];
    apply(&tmux, &wanted);
    wanted.windows.reverse();
    apply(&tmux, &wanted);
    let seen = look(&tmux, "live");
    assert_eq!(names(&seen), ["second", "work", "third", "mine"], "what holds a person's pane stays");
    assert!(seen.windows[1].active);
    wanted.windows.reverse();
    apply(&tmux, &wanted);
    let seen = look(&tmux, "live");
    assert_eq!(names(&seen), ["work", "second", "third", "mine"]);
    assert_eq!(seen.panes[0].pid, agents_pid);
    assert_eq!(pid_of(&seen, (0, 1)), kept, "what runs as it should goes on");
    let theirs = |window: &SeenWindow| window.panes.iter().filter(|pane| pane.mark.is_none()).count();
    assert_eq!(seen.windows.iter().map(theirs).collect::<Vec<_>>(), [1, 0, 1, 1]);
    let first = &seen.windows[0].panes[0];
    assert!(first.agent && first.size.1 == 50, "the agent has the main place: {:#?}", seen.windows[0]);

    // And back to the agent alone, and what a person opened.
    wanted.windows = Vec::new();
    apply(&tmux, &wanted);
    let seen = look(&tmux, "live");
    assert_eq!(names(&seen), ["work", "third", "mine"]);
    assert_eq!((seen.panes.len(), seen.panes[0].pid), (4, agents_pid));
    let hooks = world.tmux(["show-hooks", "-t", "=live:"]).ok().stdout;
    assert!(!hooks.contains("after-"), "a person's hooks are theirs again: {hooks}");
}

#[test]
fn nobody_elses_session_and_no_agent_is_changed() {
    use gastown::mux::LiveChange;
    let world = World::new();
    let tmux = server(&world);
    let wanted = spec(&world, "ours", vec![window("work", vec![agent(), WantedPane::default()])]);
    let started = tmux.start(&wanted, &Snapshot::default()).unwrap();
    let seen = look(&tmux, "ours");
    let person = look(&tmux, "person");
    let error = tmux.change(&person, &wanted, &[LiveChange::AddPane(0, 1)]).unwrap_err().to_string();
    assert!(error.contains("person") && error.contains("gone"), "{error}");
    let theirs = LiveChange::Remove(person.panes[0].id.clone());
    tmux.change(&seen, &wanted, &[theirs, LiveChange::Remove(started.pane.clone())]).unwrap();
    assert_eq!(look(&tmux, "person").panes.len(), 1);
    assert!(look(&tmux, "ours").alive());
    assert!(
        tmux.change(&seen, &wanted, &[LiveChange::AddPane(0, 0)]).is_err(),
        "a second agent is never started"
    );
    let gone = "@999".to_string();
    let error = tmux
        .change(
            &seen,
            &wanted,
            &[LiveChange::Marks(vec![("hash".into(), "x;".into())]), LiveChange::Arrange(gone, 0)],
        )
        .unwrap_err();
    assert!(error.to_string().contains("window @999 of ours is gone"), "{error}");
    // A pane of a window that goes between the look and the change: what was made before it stays, and is told.
    let changes =
        [LiveChange::Marks(vec![("hash".into(), "x;".into())]), LiveChange::Keep("%999".into(), (0, 1))];
    let error = tmux.change(&seen, &wanted, &changes).unwrap_err().to_string();
    assert!(error.contains("change 2 of 2") && error.contains("%999"), "{error}");
    assert_eq!(look(&tmux, "ours").marks.hash, "x;");
    tmux.change(&seen, &wanted, &[LiveChange::Env("NEW".into(), Some("a;b $(x) #{pid}".into()))]).unwrap();
    let env = world.tmux(["show-environment", "-t", "=ours", "NEW"]).ok().stdout;
    assert_eq!(env, "NEW=a;b $(x) #{pid}\n");
    tmux.change(&seen, &wanted, &[LiveChange::Env("NEW".into(), None)]).unwrap();
    assert_ne!(world.tmux(["show-environment", "-t", "=ours", "NEW"]).code, Some(0));
}

/// What a pane's program wrote into a file of the world, complete once it is there.
fn written(world: &World, name: &str) -> String {
    wait_for(name, || std::fs::read_to_string(world.path(name)).ok())
}

/// For `sh -c`: writes what `printf` is given into a file, in one step, and stays.
fn writes(world: &World, name: &str, printf: &str) -> String {
    let file = world.str(name);
    format!("printf {printf} > {file}.new && mv {file}.new {file}; exec sleep 1000")
}

fn odd() -> [&'static str; 9] {
    [
        "ends in ;",
        ";",
        "\\;",
        "it's \"quoted\" $(touch owned) `touch owned` ${HOME}",
        "#(touch owned) #{pid} #S ##",
        "two\nlines\tand a tab",
        "\u{1F9A1} badger {} } {",
        "-x --flag %begin",
        "back\\slash \\x41 ~ *",
    ]
}

#[test]
fn odd_values_stay_values_in_every_kind_of_pane() {
    let world = World::new();
    let tmux = server(&world);
    for (number, text) in odd().into_iter().enumerate() {
        let folder = world.real().join(format!("in {number} {}", text.replace('\n', " ")));
        std::fs::create_dir(&folder).unwrap();
        let pane = |place: usize| WantedPane {
            cwd: Some(folder.clone()),
            env: vec![("ODD".into(), format!("{place} {text}")), ("GT_SESSION".into(), "own".into())],
            ..shell(&writes(
                &world,
                &format!("{number}-{place}"),
                "'%s\\n%s\\n%s' \"$ODD\" \"$GT_SESSION\" \"$PWD\"",
            ))
        };
        let windows = vec![
            window(&text.replace(char::is_control, " "), vec![pane(0), pane(1)]),
            window("", vec![agent(), pane(2)]),
            window(&format!("{text} again").replace(char::is_control, " "), vec![pane(3)]),
        ];
        let name = format!("odd-{number}");
        let wanted = spec(&world, &name, windows);
        tmux.start(&wanted, &Snapshot::default()).unwrap();
        for place in 0..4 {
            let expected = format!("{place} {text}\nown\n{}", folder.display());
            assert_eq!(written(&world, &format!("{number}-{place}")), expected);
        }
        let seen = look(&tmux, &name);
        assert_eq!(seen.windows.len(), 3);
        if !text.contains('\\') {
            assert_eq!(seen.windows[0].name, text.replace(char::is_control, " "));
        }
        assert_eq!(seen.windows[1].panes[0].command, "sleep");
        // What the first pane was to have is not the session's.
        let odd = world.tmux(["show-environment", "-t", &format!("={name}"), "ODD"]);
        assert_ne!(odd.code, Some(0), "{odd:?}");
        let own = world.tmux(["show-environment", "-t", &format!("={name}"), "GT_SESSION"]).ok().stdout;
        assert_eq!(own, format!("GT_SESSION={name}\n"));
        assert!(!folder.join("owned").exists() && !world.path("owned").exists(), "{text} ran");
        tmux.stop(&[&seen.id]).unwrap();
    }
}

#[test]
fn more_than_one_message_arrives_whole_in_windows_too() {
    let world = World::new();
    let tmux = server(&world);
    let text = "it's; \\ large\n".repeat(4_000);
    let pane = |place: usize| WantedPane {
        env: vec![("BIG".into(), text.clone())],
        ..shell(&writes(&world, &format!("big-{place}"), "%s \"$BIG\""))
    };
    let wanted =
        spec(&world, "big", vec![window("a", vec![pane(0), agent(), pane(1)]), window("b", vec![pane(2)])]);
    let started = tmux.start(&wanted, &Snapshot::default()).unwrap();
    for place in 0..3 {
        assert_eq!(written(&world, &format!("big-{place}")), text);
    }
    assert_eq!(look(&tmux, "big").panes[0].id, started.pane);
    let mut other = wanted.clone();
    other.marks.address = "rig/other".into();
    let again = tmux.start(&other, &Snapshot::default()).unwrap();
    assert_eq!(again.name, "big-2", "a taken name is seen there too");
    let mut too_large = wanted.clone();
    too_large.windows[1].panes[0].env[0].1 = "x".repeat(200_000);
    let error = tmux.start(&too_large, &Snapshot::default()).unwrap_err().to_string();
    assert_eq!(error, "too large for a program's start: 'BIG' with 200004 bytes; the system takes 131071");
    assert_eq!(tmux.look().unwrap().sessions.len(), 3);
}

#[test]
fn a_persons_own_settings_and_hooks_change_no_window() {
    let world = World::new();
    let options = [
        "set -g base-index 1",
        "setw -g pane-base-index 3",
        "set -g renumber-windows on",
        "set -g default-size 20x5",
        "set -g default-command 'exec cat'",
        "set -g remain-on-exit off",
        "set -g automatic-rename on",
        "set -g destroy-unattached on",
        "set -g update-environment 'GT_ADDRESS PATH'",
        "setw -g main-pane-width 3",
        "set -g pane-border-status top",
        "set-hook -g after-new-window 'split-window -d ; new-window'",
        "set-hook -g after-split-window 'select-pane -t :.3'",
        "set-hook -g after-new-session 'split-window -h ; new-window'",
        "set-hook -g session-created 'rename-window theirs'",
    ];
    let text: String = options.iter().map(|option| format!("{option}\n")).collect();
    world.write("home/.tmux.conf", &text);
    let own =
        ["new-session", "-d", "-s", "person", "--", "sleep", "1000", ";", "set-option", "-t", "=person:"];
    let mut person = world.command("tmux", "");
    person.args(["-u", "-L", &world.socket]).args(own).args(["destroy-unattached", "off"]);
    crate::common::finish(&mut person).ok();
    let path = world.tmux(["display-message", "-p", "#{socket_path}"]).ok().stdout;
    let tmux = mux::tmux::TmuxMux::new(Some(path.trim()));
    let before =
        (world.tmux(["show-options", "-g"]).ok().stdout, world.tmux(["show-hooks", "-g"]).ok().stdout);
    let mut wanted = spec(
        &world,
        "quiet",
        vec![
            window("one", vec![shell("exec sleep 1000"), shell("exit 3")]),
            Window {
                layout: Some("main-vertical".into()),
                ..window(
                    "two",
                    vec![
                        shell("exec sleep 1000"),
                        WantedPane { size: Some("40".into()), ..shell("exec sleep 1000") },
                        WantedPane { focus: true, ..agent() },
                        WantedPane::default(),
                    ],
                )
            },
            window("three", vec![WantedPane::default()]),
        ],
    );
    let started = tmux.start(&wanted, &Snapshot::default()).unwrap();
    let ours = |session: &Session| -> Vec<_> {
        let ours = session.windows.iter().filter(|window| window.mark.is_some());
        ours.map(|window| window.panes.iter().filter_map(|pane| pane.mark).collect::<Vec<_>>()).collect()
    };
    let shapes = [vec![(0, 0), (0, 1)], (0..4).map(|place| (1, place)).collect(), vec![(2, 0)]];
    let seen = look(&tmux, "quiet");
    assert_eq!(ours(&seen), shapes, "{:#?}", seen.windows);
    let two = seen.windows.iter().find(|window| window.mark == Some(1)).unwrap();
    assert!(two.active && two.panes[2].active && two.panes[2].agent, "{two:#?}");
    assert_eq!((two.panes[1].size.1, &two.panes[2].id), (40, &started.pane), "{two:#?}");
    // What ended at once is there to be read, in its place.
    wait_for("the end of a helper", || {
        let pane =
            look(&tmux, "quiet").windows.into_iter().flat_map(|w| w.panes).find(|p| p.mark == Some((0, 1)));
        pane.unwrap().dead.then_some(())
    });
    wanted.windows.remove(0);
    wanted.windows[0].panes.push(shell("exec sleep 1001"));
    wanted.windows.insert(1, window("between", vec![shell("exec sleep 1000"), shell("exec sleep 1001")]));
    apply(&tmux, &wanted);
    let after = ours(&look(&tmux, "quiet"));
    assert_eq!(after, [(0..5).map(|place| (0, place)).collect(), vec![(1, 0), (1, 1)], vec![(2, 0)]]);
    let now = (world.tmux(["show-options", "-g"]).ok().stdout, world.tmux(["show-hooks", "-g"]).ok().stdout);
    assert_eq!(now, before);
    let kept = world.tmux(["show-options", "-w", "-t", &two.id]).ok().stdout;
    assert!(!kept.contains("base-index"), "{kept}");
}

#[test]
fn many_panes_fit_in_a_session_that_nobody_looks_at() {
    let world = World::new();
    let tmux = server(&world);
    for layout in
        [None, Some("even-horizontal"), Some("main-horizontal"), Some("main-vertical"), Some("tiled")]
    {
        let mut panes = vec![shell("exec sleep 1000"); 24];
        panes.push(agent());
        let windows = vec![Window { layout: layout.map(String::from), ..window("many", panes) }];
        tmux.start(
            &spec(&world, &format!("many-{}", layout.unwrap_or("none")), windows),
            &Snapshot::default(),
        )
        .unwrap();
    }
}

#[test]
fn a_session_of_windows_alone_lives_as_long_as_one_of_them() {
    let world = World::new();
    let tmux = server(&world);
    let wanted = Spec {
        argv: Vec::new(),
        ..spec(&world, "alone", vec![window("logs", vec![shell("exec sleep 1000"), shell("exit 1")])])
    };
    let started = tmux.start(&wanted, &Snapshot::default()).unwrap();
    let seen = wait_for("the end of one", || {
        let seen = look(&tmux, "alone");
        seen.windows[0].panes[1].dead.then_some(seen)
    });
    assert!(seen.alive() && !seen.agent_gone);
    assert_eq!(seen.panes[0].id, started.pane);
    world.tmux(["send-keys", "-t", &started.pane, "C-c"]).ok();
    wait_for("the end of both", || (!look(&tmux, "alone").alive()).then_some(()));
}

mod generated {
    use super::*;
    use proptest::prelude::*;

    fn a_pane() -> impl Strategy<Value = WantedPane> {
        let size = prop_oneof![Just(None), "[1-9][0-9]%".prop_map(Some), "[1-9]".prop_map(Some)];
        let runs = prop_oneof![
            Just(Runs::Person),
            "[a-z ;'#$\"]{0,9}".prop_map(|odd| { Runs::Shell(format!("exec sleep 1000 # {odd}")) })
        ];
        let env = proptest::collection::vec(("[A-Z]{3,5}_X", "[ -~]{0,12}"), 0..2);
        (runs, any::<bool>(), size, env).prop_map(|(runs, focus, size, env)| WantedPane {
            runs,
            focus,
            size,
            env,
            cwd: None,
        })
    }

    fn some_windows() -> impl Strategy<Value = Vec<Window>> {
        let layout = proptest::option::of(prop::sample::select(gastown::model::windows::LAYOUTS.to_vec()));
        let one = ("[ -~]{0,12}", layout, any::<bool>(), proptest::collection::vec(a_pane(), 1..5)).prop_map(
            |(name, layout, focus, panes)| Window { name, layout: layout.map(Into::into), focus, panes },
        );
        (proptest::collection::vec(one, 1..4), any::<prop::sample::Index>(), any::<prop::sample::Index>())
            .prop_map(|(mut windows, window, pane)| {
                let window = window.index(windows.len());
                let panes = &mut windows[window].panes;
                let pane = pane.index(panes.len());
                panes[pane] = WantedPane { runs: Runs::Agent, env: Vec::new(), ..panes[pane].clone() };
                // What a file cannot say: two with the focus, two of a name.
                for (number, window) in windows.iter_mut().enumerate() {
                    window.name = format!("{number}{}", window.name);
                    window.focus &= number == 1;
                    let first = window.panes.iter().position(|pane| pane.focus);
                    window.panes.iter_mut().enumerate().for_each(|(at, pane)| pane.focus = Some(at) == first);
                }
                windows
            })
    }

    /// What tmux shows is what was asked for: marks in order, the focus, the agent in its place.
    fn check(seen: &Session, wanted: &[Window]) {
        let ours: Vec<_> = seen.windows.iter().filter(|window| window.mark.is_some()).collect();
        assert_eq!(ours.len(), wanted.len());
        for (number, (window, wanted)) in ours.iter().zip(wanted).enumerate() {
            assert_eq!((window.mark, &window.asked), (Some(number), &wanted.asked()));
            let found: Vec<_> =
                window.panes.iter().map(|pane| (pane.mark, pane.asked.clone(), pane.agent)).collect();
            let asked: Vec<_> = wanted
                .panes
                .iter()
                .enumerate()
                .map(|(place, pane)| (Some((number, place)), pane.asked(), pane.runs == Runs::Agent))
                .collect();
            assert_eq!(found, asked, "{window:#?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn any_windows_stand_as_asked_and_become_any_others(first in some_windows(), second in some_windows()) {
            let world = World::new();
            let tmux = server(&world);
            let mut wanted = spec(&world, "any", first);
            let started = tmux.start(&wanted, &Snapshot::default()).unwrap();
            let seen = look(&tmux, "any");
            check(&seen, &wanted.windows);
            let shown = wanted.windows.iter().position(|window| window.focus);
            let agents = |window: &Window| window.panes.iter().any(|pane| pane.runs == Runs::Agent);
            let shown = shown.or(wanted.windows.iter().position(agents)).unwrap();
            for (number, window) in seen.windows.iter().enumerate() {
                assert_eq!(window.active, number == shown);
                let panes = &wanted.windows[number].panes;
                let focus = panes.iter().position(|pane| pane.focus);
                let focus = focus.or(panes.iter().position(|pane| pane.runs == Runs::Agent)).unwrap_or(0);
                assert!(window.panes[focus].active, "{window:#?}");
            }
            assert_eq!(gastown::plan::live::windows(&seen, &wanted), Some(Vec::new()));
            wanted.windows = second;
            apply(&tmux, &wanted);
            let seen = look(&tmux, "any");
            let ours: usize = wanted.windows.iter().map(|window| window.panes.len()).sum();
            assert_eq!(seen.panes.len(), ours);
            assert_eq!((&seen.panes[0].id, seen.panes[0].pid), (&started.pane, started.pid));
            let order: Vec<_> = seen.windows.iter().map(|window| window.mark).collect();
            assert_eq!(order, (0..wanted.windows.len()).map(Some).collect::<Vec<_>>());
            for (number, window) in wanted.windows.iter().enumerate() {
                let seen = seen.windows.iter().find(|seen| seen.mark == Some(number)).unwrap();
                let places: Vec<_> = seen.panes.iter().map(|pane| pane.mark).collect();
                assert_eq!(places, (0..window.panes.len()).map(|place| Some((number, place))).collect::<Vec<_>>());
            }
        }
    }
}

#[test]
fn the_agents_end_is_looked_after_and_a_helpers_is_nobodys_business() {
    let world = World::new();
    let tmux = server(&world);
    let stop = world.str("stop");
    let waits = format!("while ! [ -e {stop} ]; do sleep 0.02; done; exit 7");
    let mut wanted = spec(
        &world,
        "ends",
        vec![
            window("a", vec![shell("exit 5"), agent(), shell("true")]),
            window("b", vec![WantedPane::default()]),
        ],
    );
    wanted.argv = ["sh", "-c", &waits].map(String::from).into();
    wanted.on_end = format!("echo end >> {}", world.str("ends"));
    tmux.start(&wanted, &Snapshot::default()).unwrap();
    wait_for("the helpers' ends", || {
        let dead = look(&tmux, "ends").panes.iter().filter(|pane| pane.dead).count();
        (dead == 2).then_some(())
    });
    let seen = look(&tmux, "ends");
    assert!(seen.alive() && !world.path("ends").exists());
    assert_eq!(seen.panes.iter().filter_map(|pane| pane.exit).collect::<Vec<_>>(), [5, 0]);
    world.write("stop", "");
    wait_for("what looks after its end", || {
        look(&tmux, "ends");
        world.path("ends").exists().then_some(())
    });
    let seen = look(&tmux, "ends");
    assert!(!seen.alive() && !seen.agent_gone);
    assert_eq!((seen.panes[0].exit, seen.windows.len()), (Some(7), 2));
    // A person's own shell that they leave is gone, the rest stays.
    world.tmux(["send-keys", "-t", &seen.windows[1].panes[0].id, "exit", "Enter"]).ok();
    wait_for("the shell to be gone", || (look(&tmux, "ends").windows.len() == 1).then_some(()));
    assert_eq!(world.read("ends"), "end\n");
}
