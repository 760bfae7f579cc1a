//! Sessions on other machines as a person meets them: the commands that list, show and stop them.

use gastown::mux::{Mux, Session, Snapshot};

use super::sessions::{ECHO, Place, spec, town};
use crate::common::fugue::Daemon;
use crate::common::terminal::Terminal;
use crate::common::wait_for;

/// A Mayor's session over there, as `gt mayor start` leaves one.
fn mayor(place: &Place, far: &Daemon) -> String {
    let mut mayor = spec(place, &far.addr, ECHO);
    mayor.name = "hq-mayor".into();
    mayor.marks.address = "mayor/".into();
    mayor.marks.role = "mayor".into();
    mayor.marks.bead.clear();
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
