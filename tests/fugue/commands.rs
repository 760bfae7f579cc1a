//! Sessions on other machines as a person meets them: the commands that list, show and stop them.

use gastown::mux::{Mux, Session, Snapshot};

use super::sessions::{ECHO, Place, spec, town};
use crate::common::fugue::Daemon;
use crate::common::terminal::Terminal;
use crate::common::{World, wait_for};

/// A Mayor's session over there, as `gt mayor start` leaves one.
fn mayor(place: &Place, far: &Daemon) -> String {
    let mut mayor = spec(place, &far.addr, ECHO);
    mayor.name = "hq-mayor".into();
    mayor.marks.address = "mayor/".into();
    mayor.marks.role = "mayor".into();
    mayor.marks.bead = Default::default();
    place.mux.start(&mayor, &Snapshot::default()).unwrap().name
}

#[test]
fn a_session_over_there_is_listed_attached_to_and_stopped_like_any_other() {
    let world = town();
    let far = world.daemon("far");
    mayor(&Place::of(&world, &[]), &far);
    let listed = world.in_town(["session", "list"]).ok().stdout;
    assert!(listed.contains("hq-mayor") && listed.contains("mayor/"), "{listed}");
    let piped = world.in_town(["attach", "mayor/"]).fails(1).stderr;
    let shown = format!("in one, run: {} --addr {}", world.str("fugue-bin/fugue"), far.addr);
    assert!(piped.contains("attaching needs a terminal") && piped.contains(&shown), "{piped}");
    let gt = crate::common::gt();
    let terminal = Terminal::open(&world, &format!("{gt} -C town mayor attach"));
    let choose = || {
        let screen = terminal.screen();
        (screen.contains("Select Session") && screen.contains("hq-mayor")).then_some(())
    };
    wait_for("fugue's own list", choose);
    terminal.keys(&["q", "Enter"]);
    assert_eq!(terminal.ended(), 0);
    let errors = world.read("terminal-errors");
    assert_eq!(errors, "choose hq-mayor in the list\n");
    world.in_town(["mayor", "stop"]).ok();
    assert!(far.sessions().is_empty());
    assert!(!world.path("town/mayor/remote.json").exists());
}

#[test]
fn the_documents_program_is_spoken_to_in_its_own_words() {
    let world = town();
    world.with_fugue_client();
    let far = world.daemon("far");
    let program = world.str("fugue-bin/fugue-client");
    let mut place =
        Place::of(&world, &[("GASTOWN_FUGUE__PROGRAM", &program), ("GASTOWN_FUGUE__DIALECT", "client")]);
    assert_eq!(mayor(&place, &far), "hq-mayor");
    let [seen]: [Session; 1] = place.ours().try_into().unwrap();
    place.mux.paste(&seen.id, "to cat").unwrap();
    place.mux.keys(&seen.id, &["Enter".into()]).unwrap();
    let said = || place.mux.capture(&seen.id, 20).unwrap().matches("to cat").count() == 2;
    wait_for("the text, and what cat says", || said().then_some(()));
    // gt finds the program, and what it speaks, by itself.
    world.count_calls(&["fugue-client"]);
    let status = world.in_town(["status"]).ok().stdout;
    assert!(status.contains("hq-mayor") || status.contains("working"), "{status}");
    world.in_town(["mayor", "stop"]).ok();
    let calls = world.calls("fugue-client");
    let verbs: Vec<&str> = calls
        .iter()
        .map(|call| call.split(' ').find(|word| !word.contains("://") && *word != "--addr").unwrap())
        .collect();
    assert_eq!(verbs, ["--help", "list-panes", "list-panes", "kill-pane"]);
}

#[test]
fn a_wrong_program_is_named_and_silence_is_not_taken_for_the_end() {
    let world = town();
    let far = world.daemon("far");
    mayor(&Place::of(&world, &[]), &far);
    // The interactive program under the name of the documents': it is passed over.
    std::os::unix::fs::symlink(world.path("fugue-bin/fugue"), world.path("bin/fugue-client")).unwrap();
    let listed = world.in_town(["session", "list"]).ok().stdout;
    assert!(listed.contains("hq-mayor"), "{listed}");
    world.set("GASTOWN_MULTIPLEXER_BIN", &world.str("fugue-bin/fugue"));
    world.set("GASTOWN_MAYOR__AGENT", "shell");
    let wrong = format!(
        "wrong program: {} has neither the command new-pane nor new-session",
        world.str("fugue-bin/fugue")
    );
    let status = world.in_town(["status", "--json"]).ok().json();
    assert_eq!(status["town"]["daemons"][0]["silent"], wrong.as_str());
    for words in [["mayor", "stop"].as_slice(), &["attach", "mayor/"], &["session", "restart", "mayor/"]] {
        let refused = world.in_town(words).fails(1).stderr;
        let wanted = format!("mayor/ is on {}, which does not answer: {wrong}", far.addr);
        assert!(refused.contains(&wanted) && refused.contains("GASTOWN_MULTIPLEXER_BIN="), "{refused}");
    }
    // Starting would make a second one.
    for verb in ["start", "attach"] {
        let refused = world.in_town(["mayor", verb]).fails(1).stderr;
        assert!(refused.contains("mayor/ is on ") && refused.contains("does not answer"), "{refused}");
    }
    assert_eq!(world.tmux(["list-sessions"]).stdout, "");
    assert!(far.session("hq-mayor").is_some());
    world.unset("GASTOWN_MULTIPLEXER_BIN");
    world.in_town(["mayor", "stop"]).ok();
    assert!(far.sessions().is_empty());
}

/// A rig whose polecats wait, on a machine that is given by hand.
fn rig() -> World {
    let world = World::with_rig();
    world.settings("[beads]\nstore = \"embedded\"\n[agents.waits]\ncommand = [\"sleep\", \"600\"]\n");
    world.set("GASTOWN_POLECAT__AGENT", "waits");
    world.set("GASTOWN_REMOTE_TOWN", &world.str("far/town"));
    world
}

#[test]
fn a_wrong_address_or_program_leaves_nothing_of_a_sling() {
    let world = rig();
    let far = world.daemon("far");
    let bead = world.bead("Anything", "true");
    let sling = |program: &str, addr: &str| {
        world.set("GASTOWN_MULTIPLEXER_BIN", program);
        let run = world.in_town(["sling", &bead, "wyvern", "--fugue-addr", addr]);
        assert_ne!(run.code, Some(0), "{run:#?}");
        assert_eq!(world.show(&bead)["status"], "open");
        assert!(!world.path("town/mayor/remote.json").exists());
        assert_eq!(far.sessions(), []);
        run.stderr.lines().take(2).collect::<Vec<_>>().join(" | ").replace(&world.str(""), "WORLD")
    };
    let (right, http) = ("fugue-compat", world.impostor(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
    assert_eq!(
        sling(right, "http://localhost:9999"),
        "gt: 'http://localhost:9999' is not an address of fugue: the scheme 'http' is neither unix nor tcp | \
         hint: an address looks like tcp://localhost:9999"
    );
    let dead = world.dead_addr();
    let refused = sling(right, &dead);
    assert!(refused.starts_with(&format!("gt: cannot reach the fugue daemon at {dead}: connection refused | hint: is the tunnel up? ssh -N -L ")), "{refused}");
    let absent = sling(right, "unix:///no/such.sock");
    assert!(absent.starts_with("gt: cannot reach the fugue daemon at unix:///no/such.sock: no daemon listens at /no/such.sock | hint: "), "{absent}");
    let foreign = sling(right, &http);
    assert!(foreign.contains("what listens there does not speak fugue's protocol"), "{foreign}");
    let wrong = sling("fugue", &far.addr);
    assert!(
        wrong.starts_with("gt: wrong program: ") && wrong.contains("GASTOWN_MULTIPLEXER_BIN="),
        "{wrong}"
    );
    let missing = sling("no-such-fugue", &far.addr);
    assert!(
        missing
            .starts_with("gt: fugue's program no-such-fugue is not installed or not on PATH | hint: install"),
        "{missing}"
    );
}

#[test]
fn a_socket_is_an_address_and_the_default_one_needs_none() {
    let world = rig();
    let far = world.daemon("far");
    let bead = world.bead("Anything", "true");
    world.in_town(["sling", &bead, "wyvern/Nux", "--fugue-addr", &far.unix()]).ok();
    let session = far.session("gt-wyvern-Nux").unwrap();
    assert!(session.tags.contains(&format!("gt-b-{bead}")), "{session:?}");
    world.in_town(["polecat", "release", "wyvern/Nux", "--force"]).ok();

    let socket = far.folder().join("run");
    world.set("XDG_RUNTIME_DIR", socket.to_str().unwrap());
    world.set("GASTOWN_MAYOR__MULTIPLEXER", "fugue");
    world.set("GASTOWN_MAYOR__AGENT", "waits");
    // Whatever the person's own fugue uses: gt's configuration says which daemon is meant.
    world.set("FUGUE_ADDR", &world.dead_addr());
    assert_eq!(
        world.in_town(["mayor", "start"]).ok().stdout,
        "started mayor/ on fugue in session hq-mayor\n"
    );
    assert!(far.session("hq-mayor").is_some());
    assert!(world.in_town(["mayor", "start"]).ok().stdout.starts_with("mayor/ runs already "));
    far.kill();
    let silent = world.in_town(["mayor", "start"]).fails(1).stderr;
    assert!(silent.contains("does not answer"), "{silent}");
}
