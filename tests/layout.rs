//! Windows and panes as a preset wants them, on a real tmux.

use gastown::mux::{self, Marks, Mux, Runs, SeenWindow, Session, Snapshot, Spec, WantedPane, Window};

use crate::common::{World, wait_for};

fn server(world: &World) -> mux::tmux::Tmux {
    world.tmux(["new-session", "-d", "-s", "person", "--", "sleep", "1000"]).ok();
    let path = world.tmux(["display-message", "-p", "#{socket_path}"]).ok().stdout;
    mux::tmux::Tmux::new(Some(path.trim()))
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
    let snapshot = tmux.begin_close_look().unwrap().wait().unwrap();
    assert_eq!(snapshot.unknown, None);
    snapshot.sessions.into_iter().find(|session| session.name == name).unwrap()
}

/// What the marks say is there, in tmux's order.
fn shape(windows: &[SeenWindow]) -> Vec<(Option<usize>, Vec<Option<(usize, usize)>>)> {
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
        (String::from_utf8_lossy(&program) == "sleep\01000\0").then_some(())
    });

    wanted.windows[0].layout = Some("bad-layout".into());
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
fn apply(tmux: &impl Mux, spec: &Spec) -> Vec<gastown::mux::Live> {
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
        Window { name: "second".into(), ..window("", vec![sleeps()]) },
    ];
    apply(&tmux, &wanted);
    let seen = look(&tmux, "live");
    assert_eq!(names(&seen), ["work", "second", "third", "mine"], "what holds a person's pane stays");
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
    use gastown::mux::Live;
    let world = World::new();
    let tmux = server(&world);
    let wanted = spec(&world, "ours", vec![window("work", vec![agent(), WantedPane::default()])]);
    let started = tmux.start(&wanted, &Snapshot::default()).unwrap();
    let seen = look(&tmux, "ours");
    let person = look(&tmux, "person");
    let error = tmux.change(&person, &wanted, &[Live::AddPane(0, 1)]).unwrap_err().to_string();
    assert!(error.contains("person") && error.contains("gone"), "{error}");
    let theirs = Live::Remove(person.panes[0].id.clone());
    tmux.change(&seen, &wanted, &[theirs, Live::Remove(started.pane.clone())]).unwrap();
    assert_eq!(look(&tmux, "person").panes.len(), 1);
    assert!(look(&tmux, "ours").alive());
    assert!(tmux.change(&seen, &wanted, &[Live::AddPane(0, 0)]).is_err(), "a second agent is never started");
    let gone = "@999".to_string();
    let error = tmux
        .change(&seen, &wanted, &[Live::Marks(vec![("hash".into(), "x;".into())]), Live::Arrange(gone, 0)])
        .unwrap_err();
    assert!(error.to_string().contains("window @999 of ours is gone"), "{error}");
    // A pane of a window that goes between the look and the change: what was made before it stays, and is told.
    let changes = [Live::Marks(vec![("hash".into(), "x;".into())]), Live::Keep("%999".into(), (0, 1))];
    let error = tmux.change(&seen, &wanted, &changes).unwrap_err().to_string();
    assert!(error.contains("change 2 of 2") && error.contains("%999"), "{error}");
    assert_eq!(look(&tmux, "ours").marks.hash, "x;");
    tmux.change(&seen, &wanted, &[Live::Env("NEW".into(), Some("a;b $(x) #{pid}".into()))]).unwrap();
    let env = world.tmux(["show-environment", "-t", "=ours", "NEW"]).ok().stdout;
    assert_eq!(env, "NEW=a;b $(x) #{pid}\n");
    tmux.change(&seen, &wanted, &[Live::Env("NEW".into(), None)]).unwrap();
    assert_ne!(world.tmux(["show-environment", "-t", "=ours", "NEW"]).code, Some(0));
}
