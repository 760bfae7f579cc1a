//! A patrol on a fake of tmux: what it does, and what it leaves alone when something cannot be read.

use super::*;
use crate::town::occupancy;
use crate::work::fixture::Fixture;

fn moves(town: &Fixture) -> Vec<(String, Move, String)> {
    let findings = patrol(&town.scene(), None, false).unwrap().0;
    findings.into_iter().map(|found| (found.address, found.decision, found.done)).collect()
}

/// A polecat whose work is in the queue and that waits for its end.
fn waits(town: &Fixture, name: &str) -> String {
    let (bead, session) = town.polecat(name);
    town.request(&bead, name, |_| ());
    town.mux.change_seen(|seen| {
        let own = seen.sessions.iter_mut().find(|own| own.id == session);
        own.unwrap().marks.state = "pending_shutdown".into();
    });
    session
}

#[test]
fn what_cannot_be_seen_is_left_alone() {
    let town = Fixture::new();
    waits(&town, "Nux");
    town.polecat("Toast");
    town.mux.hide("the server does not answer");
    for (address, decision, _) in moves(&town) {
        assert_eq!(decision, Move::Unknown, "{address}");
    }
    assert_eq!(town.mux.calls(), ["look"]);
    assert_eq!(names::taken(&town.rig).unwrap().len(), 2);
    assert_eq!(town.mail(), []);
}

#[test]
fn a_look_or_a_store_that_fails_is_no_empty_town() {
    for fails in ["look", "open", "list"] {
        let town = Fixture::new();
        waits(&town, "Nux");
        town.mux.fail(fails);
        town.store.fail(fails);
        let looked = Scene::look(&town.town, &town.rig, &town.mux, town.sources());
        assert!(looked.is_err(), "{fails}");
        assert_eq!(town.mux.calls_of(&["stop"]), [""; 0], "{fails}");
    }
}

/// Without the town's record of sessions elsewhere nothing is done about who may be there; who is here is ended.
#[test]
fn without_the_record_of_other_machines_who_may_be_there_is_left_alone() {
    let town = Fixture::new();
    let session = waits(&town, "Nux");
    // Nux has a place here.
    std::fs::create_dir_all(town.rig.polecat_dir("Nux")).unwrap();
    // Toast has only its bead's label, Ace only its name, Rust is seen on a machine without its bead.
    let toast = town.address("Toast");
    town.bead("Work of Toast", "in_progress", Some(&toast), &["gt:remote:box"]);
    for name in ["Toast", "Ace", "Rust"] {
        std::fs::write(town.rig.names_dir().join(name), format!("i-{name}")).unwrap();
    }
    let rust = town.mux.add(town.marks(&town.address("Rust"), "", "i-Rust"));
    town.mux.change_seen(|seen| {
        seen.away.unknown = Some("mayor/remote.json is empty".into());
        let own = seen.sessions.iter_mut().find(|own| own.id == rust);
        own.unwrap().remote = Some("box".into());
    });
    let done: Vec<_> = moves(&town).into_iter().map(|(address, decision, _)| (address, decision)).collect();
    let unknown = |name: &str| (town.address(name), Move::Unknown);
    assert_eq!(done, [unknown("Ace"), ("wyvern/Nux".into(), Move::End), unknown("Rust"), unknown("Toast")]);
    assert_eq!(town.mux.calls_of(&["stop"]), [format!("stop {session}")]);
    assert_eq!(names::taken(&town.rig).unwrap().into_keys().collect::<Vec<_>>(), ["Ace", "Rust", "Toast"]);
    // By hand neither.
    let error = crate::work::polecat::ending::release(&town.scene(), "Toast", true).unwrap_err();
    assert!(format!("{error:#}").contains("mayor/remote.json is empty"), "{error:#}");
}

#[test]
fn who_waits_is_ended_and_who_works_goes_on() {
    let town = Fixture::new();
    let session = waits(&town, "Nux");
    town.polecat("Toast");
    let done: Vec<_> = moves(&town).into_iter().map(|(address, decision, _)| (address, decision)).collect();
    assert_eq!(done, [("wyvern/Nux".into(), Move::End), ("wyvern/Toast".into(), Move::Leave)]);
    assert_eq!(town.mux.calls_of(&["stop"]), [format!("stop {session}")]);
    assert_eq!(town.mux.running(), ["wyvern/Toast"]);
    assert_eq!(names::taken(&town.rig).unwrap().into_keys().collect::<Vec<_>>(), ["Toast"]);
}

#[test]
fn a_crash_is_told_once_and_nothing_of_it_goes() {
    let town = Fixture::new();
    let lock = occupancy::lock_of(&town.town, &Address::Mayor);
    let _runs = occupancy::take(&lock, ("mayor/", &"i1".into()), None).unwrap();
    let (bead, session) = town.polecat("Nux");
    town.mux.end(&session);
    assert_eq!(moves(&town)[0].1, Move::Crashed);
    assert!(moves(&town)[0].2.ends_with("already said"));
    let mail = town.mail();
    let told = format!("wyvern/Nux: its session ended before {bead} was done");
    assert_eq!(mail, [("mayor/".to_string(), told)]);
    assert_eq!(town.mux.calls_of(&["stop"]), [""; 0]);
    assert_eq!(town.show(&bead).assignee.as_deref(), Some("wyvern/Nux"));
}

/// Two hours ago it was said last, or began; nothing has happened since.
fn hours_later(town: &Fixture) {
    let db = rusqlite::Connection::open(town.rig.beads_dir().join(crate::beads::EMBEDDED_FILE)).unwrap();
    let old = "json_set(bead, '$.updated_at', '2026-01-01T00:00:00Z')";
    db.execute(&format!("UPDATE beads SET bead = {old}"), []).unwrap();
    town.mux.change_seen(|seen| {
        seen.sessions.iter_mut().for_each(|own| (own.activity, own.created) = (1, 1));
    });
    let state = town.rig.root.join("witness/state.json");
    if let Ok(mut said) = files::read_json::<serde_json::Value>(&state) {
        said[POLECATS]["Nux"]["last"] = "2026-01-01T00:00:00Z".into();
        files::write_json(&state, &said).unwrap();
    }
}

#[test]
fn who_makes_no_progress_is_nudged_three_times_then_the_mayor_is_told_and_then_the_overseer() {
    let town = Fixture::new();
    let agent = "[agents.waits]\ncommand = [\"sleep\", \"600\"]\nprompt = \"argument\"\n";
    std::fs::write(town.town.root.join("config/town.toml"), agent).unwrap();
    let lock = occupancy::lock_of(&town.town, &Address::Mayor);
    let _runs = occupancy::take(&lock, ("mayor/", &"i1".into()), None).unwrap();
    let (bead, _) = town.polecat("Nux");
    assert_eq!(moves(&town)[0].1, Move::Leave);
    let mut told = Vec::new();
    for _ in 0..6 {
        hours_later(&town);
        assert_eq!(moves(&town)[0].1, Move::Stuck);
        // At once it is not said again.
        assert!(moves(&town)[0].2.ends_with("already said"));
        let mut to: Vec<String> = town.mail().into_iter().map(|(to, _)| to).collect();
        to.sort();
        told.push(to);
    }
    let (mayor, both) = (vec!["mayor/"], vec!["mayor/", "overseer"]);
    assert_eq!(told, [vec![], vec![], vec![], mayor, both.clone(), both]);
    let said = format!("no progress on {bead} for 30 minutes");
    assert!(town.mail().iter().any(|(_, text)| text.contains(&said)));
    assert_eq!(town.mux.running(), ["wyvern/Nux"]);
}

#[test]
fn a_dry_run_asks_and_does_nothing() {
    let town = Fixture::new();
    waits(&town, "Nux");
    patrol(&town.scene(), None, true).unwrap();
    assert_eq!(town.mux.calls(), ["look"]);
    assert!(town.store.calls().iter().all(|call| !call.starts_with("write")));
}

#[test]
fn one_that_cannot_be_ended_is_said_once_and_the_others_are_ended() {
    let town = Fixture::new();
    for name in ["Ace", "Nux", "Toast"] {
        waits(&town, name);
    }
    let broken = town.rig.polecat_dir("Nux");
    std::fs::remove_dir_all(&broken).unwrap_or_default();
    std::fs::create_dir_all(&broken).unwrap();
    std::fs::write(broken.join("work"), "x").unwrap();
    for _ in 0..2 {
        let (_, failures) = patrol(&town.scene(), None, false).unwrap();
        let [said] = failures.lines().try_into().unwrap();
        assert!(
            said.starts_with("wyvern/Nux: ") && said.contains("holds files, but is no work tree"),
            "{said}"
        );
        assert_eq!(names::taken(&town.rig).unwrap().into_keys().collect::<Vec<_>>(), ["Nux"]);
        let mail = town.mail();
        assert_eq!(mail.len(), 1);
        assert!(mail[0].0 == "overseer" && mail[0].1.contains("it cannot be ended"), "{mail:?}");
    }
}

#[test]
fn a_state_that_cannot_be_read_ends_who_waits_and_sends_nothing() {
    let town = Fixture::new();
    waits(&town, "Nux");
    let (_, session) = town.polecat("Toast");
    town.mux.end(&session);
    let state = town.rig.root.join("witness/state.json");
    std::fs::write(&state, "{").unwrap();
    let (findings, failures) = patrol(&town.scene(), None, false).unwrap();
    assert!(failures.lines()[0].contains("witness/state.json"), "{failures:?}");
    assert!(findings[1].done.contains("told to no agent"), "{findings:?}");
    assert_eq!(names::taken(&town.rig).unwrap().into_keys().collect::<Vec<_>>(), ["Toast"]);
    assert_eq!(town.mail(), []);
    assert_eq!(std::fs::read_to_string(&state).unwrap(), "{");
}

#[test]
fn what_the_witness_has_seen_to_is_archived() {
    let town = Fixture::new();
    waits(&town, "Nux");
    town.polecat("Toast");
    let witness = Address::Witness("wyvern".into());
    let write = |from: &str, title: &str| {
        let from = Address::Polecat("wyvern".into(), from.into());
        let letter = mail::message(&from, &witness, title, "");
        mail::store_for(&town.town, &from, &witness)
            .unwrap()
            .write(&[], &[Change::Create(Box::new(letter))])
            .unwrap();
    };
    for (from, title) in [
        ("Nux", "wy-1 done: Fix it"),
        ("Nux", "shutdown request: wyvern/Nux"),
        ("Nux", "the tests are slow"),
        ("Toast", "wy-2 done: Trim it"),
        ("Ace", "wy-3 closed without changes: Done before"),
    ] {
        write(from, title);
    }
    let inbox = || {
        let mails = town.rig.store(&witness).unwrap().list(&mail::inbox(&witness)).unwrap();
        mails.into_iter().map(|mail| mail.title).collect::<Vec<_>>()
    };
    patrol(&town.scene(), None, true).unwrap();
    assert_eq!(inbox().len(), 5);
    patrol(&town.scene(), None, false).unwrap();
    assert_eq!(inbox(), ["the tests are slow", "wy-2 done: Trim it"]);
}
