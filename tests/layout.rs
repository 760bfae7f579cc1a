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
