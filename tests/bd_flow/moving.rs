//! From bd to the embedded store and back, with work that has been on its way.

use std::collections::BTreeMap;

use serde_json::Value;

use super::town::Town;
use crate::common::wait_for;

#[test]
fn a_store_that_worked_moves_and_loses_nothing() {
    let town = Town::new();
    let world = &town.world;
    let merged = town.bead("Merged", "echo merged > same.txt");
    let aside = town.bead("Aside", "echo aside > same.txt");
    // One after the other: the older request is merged.
    for bead in [&merged, &aside] {
        world.in_town(["sling", bead, "wyvern"]).ok();
        wait_for("the work", || town.is_handed_over(bead).then_some(()));
    }
    world.in_town(["refinery", "process", "wyvern"]).ok();
    let description = "two\nlines, \"quoted\", `$HOME` 漢字";
    let waits =
        ["bd", "create", "Waits; $(rm) 'x'", "-d", description, "-p", "1", "--deps", &aside, "--json"];
    world.gt_in("town/wyvern", waits).ok();
    world.in_town(["mail", "send", "wyvern/witness", "-s", "in the town's store", "-m", "x"]).ok();

    world.gt_in("town/wyvern", ["bd", "export", "-o", "../../1.jsonl"]).ok();
    move_to(&town, "embedded", "1.jsonl");
    world.gt_in("town/wyvern", ["bd", "export", "-o", "../../2.jsonl"]).ok();
    assert_eq!(by_id(&world.read("1.jsonl")), by_id(&world.read("2.jsonl")));

    move_to(&town, "bd", "2.jsonl");
    world.gt_in("town/wyvern", ["bd", "export", "-o", "../../3.jsonl"]).ok();
    let (first, last) = (by_id(&world.read("1.jsonl")), by_id(&world.read("3.jsonl")));
    assert_eq!(essence(&first), essence(&last));
    assert!(first.values().any(|bead| bead["issue_type"] == "message"));
    assert!(
        first
            .values()
            .any(|bead| bead["issue_type"] == "merge-request" && bead["metadata"]["bead"] == merged.as_str())
    );
    assert!(first[&aside]["comments"][0]["text"].as_str().unwrap().contains("was not merged"));
    let again = world.gt_in("town/wyvern", ["bd", "import", "--trust", "../../2.jsonl"]).ok();
    assert!(again.stdout.contains("0 beads added"), "{again:?}");

    // The work goes on where it was.
    world.in_town(["sling", &aside, "wyvern"]).ok();
    wait_for("the rework", || town.is_handed_over(&aside).then_some(()));
    world.in_town(["refinery", "process", "wyvern"]).ok();
    assert_eq!(town.state(&aside).0, "closed");
}

/// Puts a new store of this kind in the place of the rig's, and takes the beads in.
fn move_to(town: &Town, kind: &str, jsonl: &str) {
    let world = &town.world;
    world.settings(&format!("[beads]\nstore = \"{kind}\"\n"));
    std::fs::rename(world.path("town/wyvern/mayor/rig/.beads"), world.path(format!("before-{kind}")))
        .unwrap();
    world.in_town(["doctor", "wyvern", "--fix", "--empty-stores"]).ok();
    let status = world.in_town(["status"]).ok().stdout;
    // What gt exported of an earlier store of its own is there again already.
    assert!(status.contains(&format!(", store {kind}")), "{status}");
    world.gt_in("town/wyvern", ["bd", "import", "--trust", &format!("../../{jsonl}")]).ok();
    let doctor = world.in_town(["doctor"]).ok();
    assert!(doctor.stdout.contains("Issues: 0 found"), "{doctor:?}");
}

fn by_id(jsonl: &str) -> BTreeMap<String, Value> {
    let beads = jsonl.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    beads.map(|bead| (bead["id"].as_str().unwrap().to_string(), bead)).collect()
}

/// What a bead says, without what each store adds for itself.
fn essence(beads: &BTreeMap<String, Value>) -> BTreeMap<String, Vec<Value>> {
    let fields = [
        "title",
        "description",
        "status",
        "priority",
        "issue_type",
        "assignee",
        "labels",
        "metadata",
        "created_at",
        "created_by",
        "closed_at",
        "close_reason",
    ];
    let pairs = |list: &Value, names: [&str; 3]| -> Value {
        let items = list.as_array().cloned().unwrap_or_default();
        items
            .iter()
            .map(|item| names.map(|name| item[name].clone()))
            .collect::<Vec<_>>()
            .into_iter()
            .map(|three| Value::from(three.to_vec()))
            .collect()
    };
    let one = |bead: &Value| {
        let mut all: Vec<Value> = fields.map(|field| bead[field].clone()).into();
        all.push(pairs(&bead["comments"], ["author", "text", "created_at"]));
        all.push(pairs(&bead["dependencies"], ["issue_id", "depends_on_id", "type"]));
        all
    };
    beads.iter().map(|(id, bead)| (id.clone(), one(bead))).collect()
}
