//! Ids with several prefixes in one store (`beads.prefixes`).

use insta::assert_snapshot;

use crate::common::World;

/// Changes the `beads` of a rig's `config.json`.
fn beads(world: &World, rig: &str, prefixes: &str) {
    let path = format!("town/{rig}/config.json");
    let mut config: serde_json::Value = serde_json::from_str(&world.read(&path)).unwrap();
    config["beads"]["prefixes"] = serde_json::from_str(prefixes).unwrap();
    world.write(&path, format!("{config:#}\n"));
}

#[test]
fn a_store_takes_ids_of_its_other_prefixes() {
    let world = World::waiting();
    let create = |id: &str| world.gt_in("town/wyvern", ["bd", "create", "A bead", "--id", id, "--json"]);
    let refused = create("cd-1").fails(1).stderr;
    assert!(refused.contains("'cd-1' cannot be an id in this store"), "{refused}");
    beads(&world, "wyvern", r#"["cd", "hq", "gt-x"]"#);
    for id in ["cd-1", "hq-a.1", "gt-x-1", "wy-1"] {
        create(id).ok();
    }
    let refused = create("gt-1").fails(1).stderr;
    assert!(refused.contains("ids here begin with wy- or cd- or hq- or gt-x- and go on"), "{refused}");
    // Through the store itself, and from anywhere.
    world.set("BEADS_DIR", &world.str("town/wyvern/mayor/rig/.beads"));
    world.gt(["bd", "create", "Another", "--id", "cd-2"]).ok();
    world.unset("BEADS_DIR");
    for id in ["cd-1", "gt-x-1", "wy-1"] {
        let plan = world.in_town(["sling", id, "--dry-run"]).ok().stdout;
        assert!(plan.starts_with(&format!("{id}  A bead")), "{plan}");
    }
    world.in_town(["sling", "hq-a.1", "wyvern", "--dry-run"]).ok();
    world.in_town(["doctor"]).ok();
}

#[test]
fn a_bead_is_found_where_it_is_though_no_rig_has_its_prefix() {
    let world = World::waiting();
    let added = world.in_town(["rig", "add", "hydra", &world.str("origin.git"), "--prefix", "hy"]).ok();
    // Both have one branch of beads.
    for said in [added.stderr, world.in_town(["doctor"]).ok().stderr] {
        assert!(said.contains("hydra and wyvern are of one repository: each takes in"), "{said}");
    }
    world.write(
        "beads.jsonl",
        r#"{"id":"zz-a.1","title":"Brought along","status":"open","issue_type":"task","created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z"}"#,
    );
    world.gt_in("town/hydra", ["bd", "import", "--trust", &world.str("beads.jsonl")]).ok();
    for words in [&["hold"][..], &["unhold"], &["bd", "show"], &["sling", "--dry-run"]] {
        let shown = world.in_town([words, &["zz-a.1"]].concat()).ok().stdout;
        assert!(shown.contains("zz-a.1"), "{words:?}: {shown}");
    }
    assert!(world.gt_in("town/wyvern", ["bd", "show", "zz-a.1"]).ok().stdout.contains("Brought along"));
    let said = world.in_town(["sling", "zz-a.1", "wyvern", "--dry-run"]).fails(2).stderr;
    assert!(said.starts_with("gt: zz-a.1 belongs to hydra, not to wyvern\n"), "{said}");
    let said = world.in_town(["hold", "zz-2"]).fails(1).stderr;
    assert!(said.starts_with("gt: no bead zz-2: no rig has a prefix that fits, or holds it\n"), "{said}");
}

#[test]
fn prefixes_that_cannot_be_are_refused_and_shared_ones_are_said() {
    let world = World::with_rig();
    world.in_town(["rig", "add", "hydra", &world.str("origin.git"), "--prefix", "hy"]).ok();
    beads(&world, "wyvern", r#"["cd-"]"#);
    let refused = world.gt_in("town/wyvern", ["bd", "create", "x"]).fails(1).stderr;
    assert!(refused.contains("beads.prefixes: 'cd-' cannot be a prefix of ids"), "{refused}");
    for wrong in [r#""cd""#, "[7]", "{}"] {
        beads(&world, "wyvern", wrong);
        let refused = world.gt_in("town/wyvern", ["bd", "create", "x"]).fails(1).stderr;
        assert!(refused.contains("wyvern/config.json: beads.prefixes: invalid type"), "{refused}");
    }
    beads(&world, "wyvern", r#"["cd", "hq"]"#);
    world.in_town(["doctor"]).ok();
    let taken = world.in_town(["rig", "add", "third", &world.str("origin.git"), "--prefix", "cd"]).fails(2);
    assert!(taken.stderr.contains("the prefix 'cd' is another rig's"), "{taken:?}");
    beads(&world, "hydra", r#"["cd"]"#);
    let doctor = world.in_town(["doctor"]).fails(1).stdout;
    let lines = doctor.lines().skip_while(|line| !line.contains("share")).take(2);
    assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @"
    ✗ The rigs hydra and wyvern share the prefix cd of ids
        take the prefix out of beads.prefixes in the config.json of the rig whose store has no bead cd-…
    ");
    let refused = world.in_town(["sling", "cd-1", "--dry-run"]).fails(2).stderr;
    assert_snapshot!(refused, @"
    gt: cd-1 may be in several rigs: hydra, wyvern
    hint: name the rig: gt sling BEAD… RIG
    ");
}

#[test]
fn beads_of_several_stores_are_shown_and_changed_together() {
    let world = World::with_rig();
    world.in_town(["rig", "add", "hydra", &world.str("origin.git"), "--prefix", "hy"]).ok();
    let made =
        |rig: &str, id: &str| world.gt_in(format!("town/{rig}"), ["bd", "create", "x", "--id", id]).ok();
    for id in ["wy-1", "wy-2"] {
        made("wyvern", id);
    }
    made("hydra", "hy-1");
    let bd = |words: &[&str]| world.gt_in("town/wyvern", [&["bd"], words].concat());
    let of = |value: &serde_json::Value, field: &str| -> Vec<String> {
        let beads = value.as_array().unwrap().iter();
        beads.map(|bead| bead[field].as_str().unwrap_or_default().to_string()).collect()
    };
    let shown = bd(&["show", "wy-1", "hy-1", "wy-2", "--json"]).ok().json();
    assert_eq!(of(&shown, "id"), ["wy-1", "wy-2", "hy-1"]);
    assert_eq!(bd(&["show", "hy-1", "wy-1"]).ok().stdout.matches("x\n").count(), 2);
    // An id as the value of a flag is no bead to change.
    let changed = bd(&["--json", "update", "wy-1", "hy-1", "--notes", "hy-1", "--design=wy-1"]).ok().json();
    assert_eq!(
        (of(&changed, "notes"), of(&changed, "design")),
        (vec!["hy-1".into(); 2], vec!["wy-1".into(); 2])
    );
    assert_eq!(bd(&["close", "hy-1", "wy-1"]).ok().stdout, "closed hy-1: x\nclosed wy-1: x\n");
    assert_eq!(of(&bd(&["reopen", "hy-1", "wy-1", "--json"]).ok().json(), "status"), ["open", "open"]);
    // One that is not there stops its own store alone.
    let run = bd(&["close", "wy-none", "hy-1", "--json"]).fails(1);
    assert!(run.stderr.contains("no issue found matching \\\"wy-none\\\""), "{run:?}");
    assert_eq!(of(&run.json(), "id"), ["hy-1"]);
    let run = bd(&["show", "wy-none", "hy-1", "--json"]).fails(1);
    assert!(run.stderr.contains("wy-none"), "{run:?}");
    assert_eq!(of(&run.json(), "status"), ["closed"]);
}
