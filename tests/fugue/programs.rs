//! fugue's programs as gt calls them: which one, in which words, and what is made of their answers.

use std::path::Path;

use gastown::programs::fugue::{Dialect, Fugue, FugueServer, NewDaemonSession, Reply, Silence};

use crate::common::fugue::Daemon;
use crate::common::{World, wait_for};

fn compat(world: &World, addr: &str) -> FugueServer {
    Fugue::new(world.path("fugue-bin/fugue-compat"), Dialect::Compat).at(addr)
}

fn found(world: &World, name: &str) -> anyhow::Result<Fugue> {
    Fugue::find_knowing(Some(&world.str(name)), None, Some(&world.path("home/.cache/gastown/fugue.json")))
}

#[test]
fn the_dialect_is_the_program_s_own() {
    let world = World::new();
    world.with_fugue();
    assert_eq!(found(&world, "fugue-bin/fugue-compat").unwrap().dialect(), Dialect::Compat);
    let wrong = found(&world, "fugue-bin/fugue").unwrap_err().to_string();
    assert_eq!(
        wrong,
        format!(
            "wrong program: {} has neither the command new-pane nor new-session",
            world.str("fugue-bin/fugue")
        )
    );
    world.program("stuck", "#!/bin/sh\necho new-session; exec sleep 600\n");
    assert!(found(&world, "bin/stuck").unwrap_err().to_string().starts_with("wrong program: "));
    let absent = found(&world, "bin/none").unwrap_err().to_string();
    assert!(absent.ends_with("/bin/none is not installed or not on PATH"), "{absent}");
}

#[test]
fn a_program_is_asked_once_and_again_when_it_is_another() {
    let world = World::new();
    let script =
        |commands: &str| format!("#!/bin/sh\necho asked >> '{}'\necho {commands}\n", world.str("asked"));
    let dialect = || found(&world, "bin/fugue-x").ok().map(|fugue| fugue.dialect());
    let asked = || world.read("asked").lines().count();
    world.program("fugue-x", &script("new-session"));
    assert_eq!([dialect(), dialect()], [Some(Dialect::Compat); 2]);
    assert_eq!(asked(), 1);
    world.program("fugue-x", &script("new-pane: of the documents"));
    assert_eq!([dialect(), dialect()], [Some(Dialect::Client); 2]);
    assert_eq!(asked(), 2);
    world.program("fugue-x", &script("sessions only"));
    assert_eq!([dialect(), dialect()], [None; 2]);
    assert_eq!(asked(), 3);
    world.write("home/.cache/gastown/fugue.json", "{broken");
    assert_eq!(dialect(), None);
    assert_eq!(asked(), 4);
}

#[test]
fn both_dialects_make_list_read_type_and_end() {
    let world = World::new();
    world.with_fugue_client();
    let far = world.daemon("far");
    speak(&far, &found(&world, "fugue-bin/fugue-client").unwrap());
    let world = World::new();
    let far = world.daemon("far");
    speak(&far, &found(&world, "fugue-bin/fugue-compat").unwrap());
}

fn speak(far: &Daemon, fugue: &Fugue) {
    for addr in [far.addr.clone(), far.unix()] {
        let server = fugue.at(&addr);
        assert_eq!(server.list().unwrap(), Ok(Vec::new()));
        let tags = ["remote".to_string(), "gt-i-1".into(), "gt-a-wyvern/Nux".into()];
        let mut sorted = tags.to_vec();
        sorted.sort();
        let folder = far.folder().join("run");
        let line = "printf '%s\\n' \"$PWD\"; exec cat";
        let wanted = NewDaemonSession { name: "gt-wyvern-Nux", cwd: folder.to_str(), tags: &tags, line };
        assert_eq!(server.new_session(&wanted).unwrap(), Reply::Said(String::new()));
        assert!(
            matches!(server.new_session(&wanted).unwrap(), Reply::Refused(why) if why.contains("already exists"))
        );
        let rows = server.list().unwrap().unwrap();
        assert_eq!((rows[0].name.as_str(), rows[0].tags.as_slice()), ("gt-wyvern-Nux", sorted.as_slice()));
        let capture = || match server.capture("gt-wyvern-Nux", 50).unwrap() {
            Reply::Said(text) => text,
            other => panic!("{other:?}"),
        };
        let real = folder.canonicalize().unwrap();
        wait_for("the folder", || capture().contains(real.to_str().unwrap()).then_some(()));
        let odd = "-l; $(touch /tmp/x) 'a'\n\"b\" \u{1F389} #{session_name};";
        assert_eq!(server.text("gt-wyvern-Nux", odd).unwrap(), Reply::Said(String::new()));
        assert_eq!(server.keys("gt-wyvern-Nux", &["Enter"]).unwrap(), Reply::Said(String::new()));
        let line = "-l; $(touch /tmp/x) 'a' \"b\" \u{1F389} #{session_name};";
        wait_for("the text, and what cat says", || (capture().matches(line).count() == 2).then_some(()));
        assert_eq!(server.kill(&rows[0].id).unwrap(), Reply::Said(String::new()));
        assert_eq!(server.kill(&rows[0].id).unwrap(), Reply::Said(String::new()));
        assert_eq!(server.list().unwrap(), Ok(Vec::new()));
        assert!(
            matches!(server.capture("gt-wyvern-Nux", 5).unwrap(), Reply::Refused(why) if why.contains("not found"))
        );
    }
}

#[test]
fn every_way_of_silence_is_told_apart() {
    let world = World::new();
    let far = world.daemon("far");
    let silence = |addr: &str| compat(&world, addr).list().unwrap().unwrap_err();
    assert_eq!(silence(&world.dead_addr()), Silence::Refused);
    assert_eq!(silence("unix:///no/such.sock"), Silence::Absent("/no/such.sock".into()));
    let http = world.impostor(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    assert!(matches!(silence(&http), Silence::Foreign(said) if said.contains("too large")));
    assert!(matches!(silence(&world.impostor(b"")), Silence::Foreign(_)));
    assert_eq!(silence("tcp://no-such-host.invalid:1"), Silence::UnknownHost);
    far.freeze();
    assert_eq!(silence(&far.addr), Silence::Overdue);
    far.thaw();
    assert_eq!(compat(&world, &far.addr).list().unwrap(), Ok(Vec::new()));
}

/// fugue 0.1.1 tells all its clients when a session ends, and one takes that for the answer it waits for.
#[test]
fn an_answer_that_was_somebody_else_s_is_asked_for_again() {
    let world = World::new();
    let far = world.daemon("far");
    let (program, server) =
        (world.str("bin/fugue-odd"), Fugue::new(world.path("bin/fugue-odd"), Dialect::Compat));
    let server = server.at(&far.addr);
    let odd = |before: &str, after: &str| {
        // Every second call goes wrong: before anything was asked, or after.
        let run = format!("'{}' \"$@\"", world.str("fugue-bin/fugue-compat"));
        let script = format!(
            "#!/bin/sh\nif mkdir '{program}.odd' 2>/dev/null; then\n{before}\n{after}\nfi\nrmdir '{program}.odd'\n{run}\n"
        );
        let script = script.replace("RUN", &run);
        world.program("fugue-odd", &script);
    };
    let tell = |what: &str| format!("echo '{what}: Discriminant(2)' >&2; exit 1");
    let connecting = tell("Connection failed: Protocol error: Unexpected response to Connect");
    let wanted = NewDaemonSession { name: "gt-wyvern-Nux", line: "exec cat", ..NewDaemonSession::default() };
    let done = Reply::Said(String::new());
    odd("", &connecting);
    assert_eq!(server.list().unwrap(), Ok(Vec::new()));
    assert_eq!(server.new_session(&wanted).unwrap(), done);
    assert_eq!(server.text("gt-wyvern-Nux", "once").unwrap(), done);
    odd("RUN", &tell("unexpected response"));
    assert_eq!(server.keys("gt-wyvern-Nux", &["Enter"]).unwrap(), done);
    assert_eq!(server.list().unwrap().unwrap().len(), 1);
    let _ = std::fs::remove_dir(format!("{program}.odd"));
    let seen = || far.screen("gt-wyvern-Nux").matches("once").count();
    wait_for("the text, and what cat says", || (seen() == 2).then_some(()));
    let id = far.session("gt-wyvern-Nux").unwrap().id;
    assert_eq!(server.kill(&id).unwrap(), done);
    assert_eq!(server.new_session(&wanted).unwrap(), done);
    assert_eq!(far.sessions().len(), 1);
}

#[test]
fn several_daemons_are_asked_at_once_and_one_that_is_stuck_holds_up_nobody() {
    let world = World::new();
    let (one, two) = (world.daemon("one"), world.daemon("two"));
    two.freeze();
    let listings = [&two.addr, &one.addr].map(|addr| compat(&world, addr).begin_list());
    let [(stuck, long), (well, short)] = listings.map(|listing| listing.wait().unwrap());
    assert_eq!(stuck, Err(Silence::Overdue));
    assert_eq!(well, Ok(Vec::new()));
    assert!(short < long, "its own time is counted: {short:?}, {long:?}");
}

#[test]
fn a_restarted_daemon_gives_back_shells_without_tags() {
    let world = World::new();
    let far = world.daemon("far");
    let tags = ["gt-i-1".to_string()];
    let wanted = NewDaemonSession {
        name: "gt-wyvern-Nux",
        tags: &tags,
        line: "exec cat",
        ..NewDaemonSession::default()
    };
    let server = compat(&world, &far.addr);
    server.new_session(&wanted).unwrap();
    let before = far.session("gt-wyvern-Nux").unwrap();
    far.restart();
    let after = wait_for("the session to come back", || far.session("gt-wyvern-Nux"));
    assert_eq!((after.id, after.tags), (before.id, Vec::new()));
    // Text reaches a shell: why none may ever be sent there.
    server.text("gt-wyvern-Nux", "echo $((6 * 7))").unwrap();
    server.keys("gt-wyvern-Nux", &["Enter"]).unwrap();
    wait_for("the shell", || {
        far.screen("gt-wyvern-Nux").lines().any(|line| line.ends_with("42")).then_some(())
    });
}

#[test]
fn the_person_s_own_fugue_addr_says_nothing() {
    let world = World::new();
    let far = world.daemon("far");
    let call = compat(&world, &far.addr).list_call().env("X", "y");
    assert!(call.env_remove.iter().any(|key| key == "FUGUE_ADDR"));
    let mut command = world.command(Path::new(&call.program), "");
    let run = crate::common::finish(command.args(&call.args).env("FUGUE_ADDR", world.dead_addr()));
    assert_eq!((run.code, run.stderr.as_str()), (Some(1), ""), "an address that is given counts");
}
