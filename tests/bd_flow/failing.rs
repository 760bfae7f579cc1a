//! bd fails in the middle of a command: the same command again completes it.

use super::hooked_by_hand;
use super::town::{Fails, Town};

/// Runs a command with its first call failing, then its second and so on, until it makes no more; after each, `again`
/// is to complete it. `prepare` makes what it is about and gives its words and folder.
#[track_caller]
fn at_each_call(
    town: &Town,
    how: Fails,
    prepare: impl Fn(usize) -> (String, Vec<String>, String),
    again: impl Fn(&str, usize),
) {
    for nth in 1.. {
        let (dir, words, bead) = prepare(nth);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (run, reached) = town.failing(&dir, &words, nth, how);
        if !reached {
            run.ok();
            assert!(nth > 2, "no call failed");
            again(&bead, nth);
            return;
        }
        let said = run.stderr.clone();
        assert!(run.code == Some(1) && said.contains("the disk is full"), "call {nth}: {run:?}");
        town.world.gt_in(&dir, &words).ok();
        again(&bead, nth);
    }
}

#[track_caller]
fn nothing_is_wrong(town: &Town, when: &str) {
    let doctor = town.world.in_town(["doctor"]);
    assert!(doctor.stdout.contains("Issues: 0 found"), "{when}: {doctor:#?}");
}

fn sling(how: Fails) {
    let town = Town::new();
    let words = |bead: &str| vec!["sling".to_string(), bead.into(), "wyvern".into()];
    let prepare = |nth: usize| {
        let bead = town.bead(&format!("Sling {nth}"), "sleep 600");
        ("town".to_string(), words(&bead), bead)
    };
    at_each_call(&town, how, prepare, |bead, nth| {
        let name = town.world.polecat_of(bead);
        assert!(["hooked", "in_progress"].contains(&town.state(bead).0.as_str()));
        let polecats = town.world.in_town(["polecats", "wyvern", "--json"]).ok().json();
        assert_eq!(polecats["polecats"].as_array().unwrap().len(), 1, "{polecats:#}");
        nothing_is_wrong(&town, &format!("{how:?} {nth}"));
        town.world.in_town(["polecat", "nuke", &format!("wyvern/{name}")]).ok();
    });
}

#[test]
fn a_sling_whose_bd_fails() {
    sling(Fails::Before);
}

#[test]
fn a_sling_whose_bd_loses_its_answer() {
    sling(Fails::After);
}

/// A polecat with a commit that adds a file, or changes `same.txt`.
fn worked(town: &Town, title: &str, file: &str) -> (String, String) {
    let bead = hooked_by_hand(town, title);
    let tree = format!("town/wyvern/polecats/{}", town.world.polecat_of(&bead));
    town.world.write(format!("{tree}/{file}"), format!("{title}\n"));
    town.world.git(&tree, ["add", "-A"]);
    town.world.git(&tree, ["commit", "-qm", title]);
    (bead, tree)
}

fn done(how: Fails) {
    let town = Town::new();
    let prepare = |nth: usize| {
        let (bead, tree) = worked(&town, &format!("Done {nth}"), &format!("{nth}.txt"));
        (tree, vec!["done".to_string()], bead)
    };
    at_each_call(&town, how, prepare, |bead, nth| {
        assert_eq!(town.requests(bead).len(), 1, "{how:?} {nth}");
        let (status, holder, labels) = town.state(bead);
        assert_eq!((status.as_str(), labels), ("in_progress", vec!["gt:submitted".to_string()]));
        assert!(holder.is_some());
        town.world.in_town(["witness", "patrol", "wyvern"]).ok();
        nothing_is_wrong(&town, &format!("{how:?} {nth}"));
    });
}

#[test]
fn a_done_whose_bd_fails() {
    done(Fails::Before);
}

#[test]
fn a_done_whose_bd_loses_its_answer() {
    done(Fails::After);
}

fn hand_over(town: &Town, title: &str, file: &str) -> String {
    let (bead, tree) = worked(town, title, file);
    town.world.gt_in(&tree, ["done"]).ok();
    town.world.in_town(["witness", "patrol", "wyvern"]).ok();
    bead
}

fn process() -> Vec<String> {
    ["refinery", "process", "wyvern"].map(String::from).into()
}

fn merge(how: Fails) {
    let town = Town::new();
    let prepare = |nth: usize| {
        let bead = hand_over(&town, &format!("Merge {nth}"), &format!("{nth}.txt"));
        ("town".to_string(), process(), bead)
    };
    at_each_call(&town, how, prepare, |bead, nth| {
        let (status, _, labels) = town.state(bead);
        assert_eq!((status.as_str(), labels), ("closed", vec![]), "{how:?} {nth}");
        assert!(town.requests(bead).is_empty());
        let made = town.world.git("origin.git", ["log", "--format=%s", "main", "--", &format!("{nth}.txt")]);
        assert_eq!(made, format!("Merge {nth}"));
        nothing_is_wrong(&town, &format!("{how:?} {nth}"));
    });
}

#[test]
fn a_merge_whose_bd_fails() {
    merge(Fails::Before);
}

#[test]
fn a_merge_whose_bd_loses_its_answer() {
    merge(Fails::After);
}

/// Set aside, put back, and set aside again with the next call failing.
fn set_aside(how: Fails) {
    let town = Town::new();
    let ahead = hand_over(&town, "Ahead", "same.txt");
    let (bead, tree) = worked(&town, "Behind", "same.txt");
    town.world.gt_in(&tree, ["done"]).ok();
    let request = town.requests(&bead).remove(0)["id"].as_str().unwrap().to_string();
    town.world.in_town(["witness", "patrol", "wyvern"]).ok();
    town.world.in_town(["refinery", "process", "wyvern"]).ok();
    assert_eq!(town.state(&ahead).0, "closed");
    let prepare = |_| {
        town.world.in_town(["mq", "retry", &request]).ok();
        assert_eq!(town.requests(&bead).len(), 1);
        ("town".to_string(), process(), bead.clone())
    };
    at_each_call(&town, how, prepare, |bead, nth| {
        let (status, holder, labels) = town.state(bead);
        assert_eq!(
            (status.as_str(), holder, labels),
            ("open", None, vec!["gt:rework".to_string()]),
            "{how:?} {nth}"
        );
        assert!(town.requests(bead).is_empty());
        nothing_is_wrong(&town, &format!("{how:?} {nth}"));
    });
}

#[test]
fn a_setting_aside_whose_bd_fails() {
    set_aside(Fails::Before);
}

#[test]
fn a_setting_aside_whose_bd_loses_its_answer() {
    set_aside(Fails::After);
}
