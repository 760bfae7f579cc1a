//! Work from other machines on stores of bd: what is asked, and what becomes of a letter when bd fails.

use serde_json::{Value, json};

use super::town::{Fails, Town};

/// A polecat elsewhere that has handed in its work: its bead, and its commit.
fn handed_in(town: &Town, number: usize, outcome: &str) -> (String, String) {
    let world = &town.world;
    let bead = town.bead(&format!("Elsewhere {number}"), "true");
    let words = ["bd", "update", &bead, "--status", "in_progress", "--assignee", "wyvern/Nux"];
    world.gt_in("town/wyvern", words).ok();
    let instance = format!("{number:08x}aaaaaaaa");
    world.write("town/wyvern/polecats/.names/Nux", &instance);
    if !world.path("there").exists() {
        world.git("", ["clone", "-q", "origin.git", "there"]);
    }
    let branch = format!("polecat/Nux-{bead}");
    world.git("there", ["checkout", "-q", "-B", &branch, "origin/main"]);
    world.write(format!("there/{number}.txt"), "work");
    world.git("there", ["add", "-A"]);
    world.git("there", ["commit", "-q", "-m", "work"]);
    world.git("there", ["push", "-q", "origin", &branch]);
    let commit = world.git("there", ["rev-parse", "HEAD"]);
    let letter = json!({"version": 1, "rig": "wyvern", "worker": "wyvern/Nux", "instance": instance, "bead": bead,
        "branch": branch, "commit": commit, "outcome": outcome, "notes": format!("mind gap {number}"),
        "beads": [{"title": format!("Another {number}")}, {"title": format!("Third {number}")}]});
    world.write("there/.git/letter", letter.to_string());
    let tree = world.git("there", ["hash-object", "-t", "tree", "-w", "/dev/null"]);
    let id = world.git("there", ["commit-tree", &tree, "-F", ".git/letter"]);
    world.git("there", ["push", "-q", "origin", &format!("{id}:refs/gt/done/wyvern/Nux/{instance}")]);
    (bead, commit)
}

fn beads(town: &Town) -> Vec<Value> {
    let listed = town.world.gt_in("town/wyvern", ["bd", "list", "--all", "--json", "--limit", "0"]).ok();
    listed.json().as_array().unwrap().clone()
}

#[track_caller]
fn each_once(town: &Town, number: usize, bead: &str, when: &str) {
    let all = beads(town);
    for title in [format!("Another {number}"), format!("Third {number}")] {
        assert_eq!(all.iter().filter(|one| one["title"] == title.as_str()).count(), 1, "{when}: {title}");
    }
    let mail = town.world.in_town(["mail", "inbox", "wyvern/witness", "--json"]).ok().json();
    let about = mail["messages"].as_array().unwrap().iter();
    let about = about.filter(|one| one["subject"].as_str().unwrap().starts_with(bead)).count();
    assert_eq!(about, 1, "{when}: {mail}");
    let left = town.world.git("origin.git", ["for-each-ref", "refs/gt"]);
    assert_eq!(left, "", "{when}");
}

/// Runs a sync with its first call of bd failing, then its second and so on; after each the same again completes it.
fn at_each_call(how: Fails, outcome: &str, check: impl Fn(&Town, &str, &str)) {
    let town = Town::new();
    for nth in 1.. {
        let (bead, _) = handed_in(&town, nth, outcome);
        let (run, reached) = town.failing("town", &["remote", "sync", "wyvern", "--adopt"], nth, how);
        if reached {
            assert_eq!(run.code, Some(1), "{nth}: {run:?}");
            town.world.in_town(["remote", "sync", "wyvern", "--adopt"]).ok();
        } else {
            run.ok();
            assert!(nth > 2, "no call failed");
        }
        let when = format!("{how:?} {nth}");
        check(&town, &bead, &when);
        each_once(&town, nth, &bead, &when);
        if !reached {
            return;
        }
    }
}

fn submitted(town: &Town, bead: &str, when: &str) {
    assert_eq!(town.requests(bead).len(), 1, "{when}");
    let (status, _, labels) = town.state(bead);
    assert_eq!((status.as_str(), labels), ("in_progress", vec!["gt:submitted".to_string()]), "{when}");
    let notes = town.world.show(bead)["notes"].as_str().unwrap_or_default().to_string();
    assert_eq!(notes.matches("mind gap").count(), 1, "{when}: {notes}");
}

#[test]
fn a_letter_whose_bd_fails() {
    at_each_call(Fails::Before, "done", submitted);
}

#[test]
fn a_letter_whose_bd_loses_its_answer() {
    at_each_call(Fails::After, "done", submitted);
}

#[test]
fn a_letter_without_changes_whose_bd_fails() {
    for how in [Fails::Before, Fails::After] {
        at_each_call(how, "no-changes", |town, bead, when| {
            assert_eq!(town.state(bead).0, "closed", "{when}");
            assert!(town.requests(bead).is_empty(), "{when}");
        });
    }
}
