//! Export and import: nothing is lost on the way, and a bad line takes nothing in.

use gastown::beads::embedded::Embedded;
use gastown::beads::{Change, Filter, ImportOrigin, Store, jsonl};
use gastown::model::bead::NewBead;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{bd, ids, make, world};

/// An empty store and the folder that holds it.
fn store() -> (tempfile::TempDir, Embedded) {
    let dir = tempfile::tempdir().unwrap();
    Embedded::create(dir.path(), "gm").unwrap();
    let store = Embedded::open(dir.path(), "", "me").unwrap();
    (dir, store)
}

/// Takes lines in as the town's own; how many were added and changed.
pub fn taken(store: &impl Store, lines: &str) -> (usize, usize) {
    let imported = store.import(&mut lines.as_bytes(), ImportOrigin::Own).unwrap();
    (imported.added, imported.changed)
}

/// The exports in the recordings of the real bd.
fn recorded(recording: &str) -> String {
    let calls = recording.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let export = calls.into_iter().find(|call| call["label"] == "export").unwrap();
    export["stdout"].as_str().unwrap().to_string()
}

fn objects(lines: &str) -> Vec<Map<String, Value>> {
    let mut objects: Vec<Map<String, Value>> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    objects.sort_by_key(|fields| fields["id"].as_str().unwrap().to_string());
    objects
}

#[test]
fn an_export_of_bd_1_0_comes_back_to_the_field() {
    let lines = recorded(include_str!("../contracts/bd-1.0.5.jsonl"));
    let (_dir, store) = store();
    assert_eq!(taken(&store, &lines), (lines.lines().count(), 0));
    assert_eq!(objects(&store.export().unwrap()), objects(&lines));
    assert_eq!(taken(&store, &lines), (0, 0));
}

#[test]
fn an_export_of_bd_0_46_comes_back_with_the_marks_of_1_0_added() {
    let lines = recorded(include_str!("../contracts/bd-0.46.0.jsonl"));
    let (_dir, store) = store();
    assert_eq!(taken(&store, &lines), (lines.lines().count(), 0));
    let mut back = objects(&store.export().unwrap());
    for fields in &mut back {
        for added in ["_type", "dependency_count", "dependent_count", "comment_count"] {
            fields.remove(added).unwrap();
        }
    }
    assert_eq!(back, objects(&lines));
}

#[test]
fn imported_beads_take_part_like_any_other() {
    let world = world();
    world.write("export.jsonl", recorded(include_str!("../contracts/bd-1.0.5.jsonl")));
    let said = bd(&world, ["import", "export.jsonl"]).ok().stdout;
    assert_eq!(said, "4 beads added, 0 changed\n");
    assert_eq!(ids(bd(&world, ["ready", "--json"])), ["gm-53p.1", "gm-53p", "gm-0p4"]);
    let next = bd(&world, ["create", "next", "--parent", "gm-53p", "--silent"]).ok().stdout;
    assert_eq!(next, "gm-53p.3\n");
    bd(&world, ["close", "gm-53p.1"]).ok();
    bd(&world, ["export", "-o", "again.jsonl"]).ok();
    assert_eq!(world.read("again.jsonl"), bd(&world, ["export"]).ok().stdout);
}

#[test]
fn the_later_change_wins() {
    let line = |title: &str, time: &str| {
        json!({ "id": "gm-a", "title": title, "created_at": "2026-01-01T00:00:00Z", "updated_at": time })
            .to_string()
    };
    let (_dir, store) = store();
    let title = || store.list(&Filter::default()).unwrap()[0].title.clone();
    assert_eq!(taken(&store, &line("first", "2026-01-02T00:00:00Z")), (1, 0));
    assert_eq!(taken(&store, &line("older", "2026-01-01T23:00:00Z")), (0, 0));
    assert_eq!(taken(&store, &line("older", "2026-01-02T01:00:00+02:00")), (0, 0));
    assert_eq!(title(), "first");
    assert_eq!(taken(&store, &line("newer", "2026-01-02T00:00:00.5Z")), (0, 1));
    assert_eq!(title(), "newer");
}

#[test]
fn a_bad_line_is_named_and_nothing_is_taken_in() {
    let world = world();
    make(&world, "gm-a", "here", &[]);
    let before = bd(&world, ["export"]).ok().stdout;
    let good = r#"{"id":"gm-b","title":"x","created_at":"2026-01-01T00:00:00Z"}"#;
    for (bad, wanted) in [
        ("{", "line 3: no JSON object"),
        ("[]", "line 3: no JSON object"),
        (r#"{"title":"x"}"#, "line 3: no usable id"),
        (r#"{"id":"gm c","title":"x"}"#, "line 3: no usable id"),
        (&good.replace("gm-b", "gm-$(x)"), "line 3: no usable id"),
        (&good.replace("gm-b", &"c".repeat(3000)), "line 3: no usable id"),
        (r#"{"id":"gm-c"}"#, "line 3: gm-c has no title"),
        (r#"{"id":"gm-c","title":"x","priority":7}"#, "line 3: gm-c has the priority 7"),
        (r#"{"id":"gm-c","title":"x","priority":"high"}"#, "line 3: invalid type"),
        (
            r#"{"id":"gm-c","title":"x","created_at":"yesterday"}"#,
            "line 3: gm-c: created_at is no RFC 3339 time",
        ),
    ] {
        world.write("bad.jsonl", format!("{good}\n\n{bad}\n"));
        let run = bd(&world, ["import", "bad.jsonl"]).fails(1);
        assert!(run.stderr.contains(wanted) && run.stderr.len() < 500, "{bad}: {run:#?}");
        assert_eq!(bd(&world, ["export"]).ok().stdout, before);
    }
}

#[test]
fn what_gt_itself_writes_makes_the_trip() {
    let (_dir, store) = store();
    let epic = NewBead { id: Some("gm-e".into()), title: "epic".into(), ..NewBead::default() };
    let child = NewBead { title: "child".into(), parent: Some("gm-e".into()), ..NewBead::default() };
    let changes = [epic, child.clone(), child].map(|new| Change::Create(Box::new(new)));
    store.write(&[], &changes).unwrap();
    let depend = Change::Depend("gm-e.2".into(), "gm-e.1".into(), "blocks".into());
    store.write(&[], &[depend, Change::Comment("gm-e.1".into(), "hm".into())]).unwrap();
    let text = store.export().unwrap();
    let (_other_dir, other) = self::store();
    other.import(&mut text.as_bytes(), ImportOrigin::Own).unwrap();
    assert_eq!(other.export().unwrap(), text);
    let order = |store: &Embedded| -> Vec<String> {
        store.ready(None, None).unwrap().into_iter().map(|bead| bead.id).collect()
    };
    assert_eq!(order(&other), order(&store));
}

/// JSON as anyone may have put it there; no `null`, which bd reads as "not there".
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("a JSON number", |number| number.is_finite()).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::hash_map("[a-z]{1,4}", inner, 0..3)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn any_time() -> impl Strategy<Value = String> {
    (0i64..4_000_000_000, 0u32..1_000_000_000, prop_oneof![Just("Z"), Just("+05:30"), Just("-08:00")])
        .prop_map(|(seconds, nanos, zone)| {
            let time = jiff::Timestamp::from_second(seconds).unwrap().to_string();
            format!("{}.{nanos:09}{zone}", time.trim_end_matches('Z'))
        })
}

prop_compose! {
    /// A line as a program that knows more fields than gt would write it.
    fn any_line(number: usize)(
        title in "\\PC{1,20}[a-z]",
        texts in prop::collection::vec(any::<String>(), 4),
        status in prop_oneof!["open", "closed", "in_progress", "hooked", "tombstone", "odd"],
        priority in 0u8..5,
        times in prop::collection::vec(any_time(), 4),
        labels in prop::collection::btree_set("[a-z:]{1,6}", 0..4),
        targets in prop::collection::btree_set(0usize..6, 0..3),
        unknown in prop::collection::hash_map("x_[a-z]{1,4}", any_json(), 0..3),
        metadata in prop::collection::hash_map(any::<String>(), any_json(), 0..3),
        remarks in prop::collection::vec((any::<String>(), any_json()), 0..3),
    ) -> Value {
        let id = format!("gm-{number}");
        let mut line = json!({
            "id": id, "title": title, "status": status, "priority": priority, "issue_type": "odd-type",
            "created_at": times[0], "updated_at": times[1],
        });
        let names = ["description", "design", "notes", "close_reason"];
        for (name, text) in names.iter().zip(texts).filter(|(_, text)| !text.is_empty()) {
            line[name] = text.into();
        }
        if !labels.is_empty() {
            line["labels"] = json!(labels);
        }
        if !targets.is_empty() {
            let edge = |target: &usize| json!({ "issue_id": id, "depends_on_id": format!("gm-{target}"),
                "type": "blocks", "created_at": times[2], "metadata": "{}", "thread_id": "" });
            line["dependencies"] = targets.iter().map(edge).collect();
        }
        if !remarks.is_empty() {
            let remark = |(text, more): &(String, Value)| json!({ "id": 7, "issue_id": id, "author": "a",
                "text": text, "created_at": times[3], "x_more": more });
            line["comments"] = remarks.iter().map(remark).collect();
        }
        if !metadata.is_empty() {
            line["metadata"] = Value::Object(metadata.into_iter().collect());
        }
        for (name, value) in unknown {
            line[name] = value;
        }
        line
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_trip_through_two_stores_loses_nothing(
        lines in (1usize..6).prop_flat_map(|count| (0..count).map(any_line).collect::<Vec<_>>())
    ) {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let (_dir, first) = store();
        prop_assert_eq!(taken(&first, &text), (lines.len(), 0));
        let export = first.export().unwrap();
        let (_other_dir, second) = store();
        second.import(&mut export.as_bytes(), ImportOrigin::Own).unwrap();
        prop_assert_eq!(second.export().unwrap(), export.clone());
        for (line, back) in lines.iter().zip(objects(&export)) {
            for (name, value) in line.as_object().unwrap() {
                prop_assert_eq!(&back[name.as_str()], value);
            }
        }
        prop_assert_eq!(jsonl::parse(&export).unwrap(), jsonl::parse(&text).unwrap());
    }
}
