//! The end of a polecat on a fake of tmux: every step that fails leaves what the same command completes.

use super::*;
use crate::base::recorder::Recorder;
use crate::work::fixture::Fixture;

#[test]
fn nothing_ends_that_cannot_be_seen() {
    let town = Fixture::new();
    let (bead, _) = town.polecat("Nux");
    town.mux.hide("the server does not answer");
    let scene = town.scene();
    assert!(end_polecat(&scene, "Nux", true).is_err());
    assert!(release(&scene, "Nux", true).is_err());
    assert_eq!(town.mux.calls(), ["look"]);
    assert_eq!(names::holder(&town.rig, "Nux").as_deref(), Some("i-Nux"));
    assert_eq!(town.show(&bead).assignee.as_deref(), Some("wyvern/Nux"));
}

#[test]
fn a_session_that_cannot_be_stopped_keeps_its_name_and_its_bead() {
    let town = Fixture::new();
    let (bead, session) = town.polecat("Nux");
    town.mux.fail(&format!("stop {session}"));
    assert!(release(&town.scene(), "Nux", true).is_err());
    assert!(end_polecat(&town.scene(), "Nux", true).is_err());
    assert_eq!(names::holder(&town.rig, "Nux").as_deref(), Some("i-Nux"));
    assert_eq!(town.show(&bead).assignee.as_deref(), Some("wyvern/Nux"));
    assert_eq!(town.mux.running(), ["wyvern/Nux"]);
    town.mux.heal();
    town.mux.show("the last words");
    release(&town.scene(), "Nux", true).unwrap();
    assert_eq!((town.show(&bead).status, town.show(&bead).assignee), ("open".into(), None));
    assert_eq!(names::holder(&town.rig, "Nux"), None);
    let kept = std::fs::read_to_string(town.rig.logs_dir().join("Nux-i-Nux.screen.txt"));
    assert_eq!(kept.unwrap(), "the last words");
}

#[test]
fn a_bead_that_cannot_be_given_back_keeps_its_polecat() {
    let town = Fixture::new();
    let (bead, _) = town.polecat("Nux");
    town.store.fail(&format!("write update {bead}"));
    assert!(release(&town.scene(), "Nux", true).is_err());
    assert_eq!(names::holder(&town.rig, "Nux").as_deref(), Some("i-Nux"));
    assert_eq!(town.show(&bead).assignee.as_deref(), Some("wyvern/Nux"));
    town.store.heal();
    // It looks like a crash, and no deacon starts it again.
    let address = Address::Polecat("wyvern".into(), "Nux".into());
    assert!(handoff::Noted::read(&town.town, &address).stopped);
    // Its session is gone by now: the same command completes it.
    release(&town.scene(), "Nux", true).unwrap();
    assert_eq!(town.show(&bead).assignee, None);
    assert_eq!(names::holder(&town.rig, "Nux"), None);
}

#[test]
fn who_works_is_not_released_without_force() {
    let town = Fixture::new();
    let (bead, _) = town.polecat("Nux");
    assert!(release(&town.scene(), "Nux", false).is_err());
    assert_eq!(town.mux.calls_of(&["stop"]), [""; 0]);
    assert_eq!(town.show(&bead).status, "in_progress");
}

#[test]
fn a_bead_in_the_queue_stays_with_its_request() {
    let town = Fixture::new();
    let (bead, _) = town.polecat("Nux");
    town.request(&bead, "Nux", |_| ());
    release(&town.scene(), "Nux", true).unwrap();
    assert_eq!(town.show(&bead).status, "in_progress");
    assert!(town.store.calls().iter().all(|call| !call.contains(&format!("update {bead}"))));
}

#[test]
fn whichever_call_fails_the_same_command_completes_it() {
    let (mut tried, mut refused) = (0, 0);
    for of_the_store in [false, true] {
        for nth in 1.. {
            let town = Fixture::new();
            let (bead, _) = town.polecat("Nux");
            let recorder: &Recorder = if of_the_store { &town.store } else { &town.mux };
            recorder.fail_at(nth);
            let looked = Scene::look(&town.town, &town.rig, &town.mux, town.sources());
            refused += usize::from(looked.and_then(|scene| release(&scene, "Nux", true)).is_err());
            if recorder.calls().len() < nth {
                break;
            }
            tried += 1;
            recorder.heal();
            if names::holder(&town.rig, "Nux").is_some() {
                release(&town.scene(), "Nux", true).unwrap();
            }
            assert_eq!(town.show(&bead).assignee, None, "{nth}");
            assert_eq!((names::holder(&town.rig, "Nux"), town.mux.running()), (None, Vec::new()), "{nth}");
        }
    }
    assert!(tried >= 6 && refused >= 5, "{refused} of {tried}");
}

#[test]
fn a_released_polecat_says_what_is_true_of_its_bead() {
    let town = Fixture::new();
    let (bead, _) = town.polecat("Nux");
    assert_eq!(check_release(&town.scene(), "Nux", true).unwrap(), Some(BeadNow::Open));
    assert!(check_release(&town.scene(), "Nux", false).unwrap_err().to_string().contains("at work"));
    assert!(check_release(&town.scene(), "Toast", true).unwrap_err().to_string().contains("no polecat"));
    town.request(&bead, "Nux", |_| ());
    assert_eq!(check_release(&town.scene(), "Nux", true).unwrap(), Some(BeadNow::Queued));
    assert_eq!(town.mux.running(), ["wyvern/Nux"]);
    assert_eq!(release(&town.scene(), "Nux", true).unwrap().bead, Some(BeadNow::Queued));
    assert_eq!(town.show(&bead).status, "in_progress");
    let said = [BeadNow::Open, BeadNow::Queued, BeadNow::Changed].map(|now| now.said("wy-1"));
    insta::assert_snapshot!(said.join("\n"), @"
    wy-1 is open again
    wy-1 still waits to be merged (take it out with: gt mq reject wy-1)
    wy-1 was changed meanwhile (see: gt bd show wy-1)
    ");
}
