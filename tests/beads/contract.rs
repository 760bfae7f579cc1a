//! `gt bd` against recordings of the real bd: the same words give the same answers.

use std::collections::HashMap;

use serde_json::Value;

use super::world;
use crate::common::{Run, World};

const RECORDED: &str = include_str!("../contracts/bd-1.0.5.jsonl");

/// Ids of the recording, and what they are called here.
type Names = HashMap<String, String>;

/// Recorded calls that answer otherwise here, on purpose: the version, making a store, words for people, `sync`
/// (kept), no store at all (its own test), and a held bead that bd calls ready.
const OTHERWISE: [&str; 7] =
    ["version", "init", "types-config", "list-bad-flag", "sync", "outside-no-db", "ready-after-close"];

#[test]
fn the_recorded_words_give_the_recorded_answers() {
    let world = world();
    let mut names = Names::new();
    let mut compared = 0;
    for line in RECORDED.lines() {
        let call: Value = serde_json::from_str(line).unwrap();
        let label = call["label"].as_str().unwrap();
        if OTHERWISE.contains(&label) {
            continue;
        }
        let run = replay(&world, label, &call, &names);
        assert_eq!(run.code, call["rc"].as_i64().map(|code| code as i32), "{label}: {run:#?}");
        let answer = |stdout: &str, stderr: &str| parse(stdout).or_else(|| parse(stderr));
        let theirs = answer(call["stdout"].as_str().unwrap(), call["stderr"].as_str().unwrap());
        let ours = answer(&run.stdout, &run.stderr);
        if label.starts_with("create-")
            && let (Some(theirs), Some(ours)) = (&theirs, &ours)
            && let (Some(theirs), Some(ours)) = (theirs["id"].as_str(), ours["id"].as_str())
        {
            names.insert(theirs.into(), ours.into());
        }
        if let Some(theirs) = theirs {
            let mut ours = plain(ours.unwrap_or_else(|| panic!("{label}: {run:#?}")), &names);
            let mut theirs = plain(theirs, &names);
            if matches!(label, "list-all" | "export") {
                // bd keeps mail out of the way even then.
                for answer in [&mut ours, &mut theirs] {
                    answer.as_array_mut().unwrap().retain(|bead| bead["issue_type"] != "message");
                }
            }
            assert_eq!(ours, theirs, "{label}");
            compared += 1;
        }
    }
    assert_eq!(compared, 26);
}

fn replay(world: &World, label: &str, call: &Value, names: &Names) -> Run {
    let words: Vec<String> = call["argv"].as_array().unwrap()[1..]
        .iter()
        .map(|word| word.as_str().unwrap())
        .map(|word| names.get(word).cloned().unwrap_or_else(|| word.into()))
        .collect();
    let words = std::iter::once("bd").chain(words.iter().map(String::as_str));
    if label != "beads-dir" {
        return world.gt(words);
    }
    world.set("BEADS_DIR", &world.str(".beads"));
    let run = world.gt_in("home", words);
    world.unset("BEADS_DIR");
    run
}

/// A JSON text, or lines of JSON as an array.
fn parse(text: &str) -> Option<Value> {
    let lines = || text.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>().ok();
    let value = serde_json::from_str(text).ok().or_else(|| lines().map(Value::Array))?;
    (value != Value::Array(Vec::new()) || text.trim() == "[]").then_some(value)
}

/// The answer with ids as they are called here, without what differs from run to run or has no place here.
fn plain(value: Value, names: &Names) -> Value {
    match value {
        Value::Object(fields) => {
            let is_comment = fields.contains_key("text");
            let is_edge = fields.contains_key("depends_on_id");
            let left_out = |name: &str| match name {
                "owner" | "ephemeral" | "hint" => true,
                "metadata" => is_edge,
                "id" => is_comment,
                _ => false,
            };
            let kept = fields.into_iter().filter(|(name, _)| !left_out(name));
            kept.map(|(name, value)| {
                let value = match name.as_str() {
                    "created_at" | "updated_at" | "started_at" | "closed_at" => "TIME".into(),
                    "created_by" | "author" => "SOMEBODY".into(),
                    // bd says in which of its layers it was refused.
                    "error" => value.as_str().unwrap().rsplit(" : ").next().unwrap().into(),
                    _ => plain(value, names),
                };
                (name, value)
            })
            .collect()
        }
        Value::Array(items) => {
            let mut items: Vec<Value> = items.into_iter().map(|item| plain(item, names)).collect();
            // Among equals bd puts the newest first, gt the oldest.
            items.sort_by_key(|item| item["id"].as_str().or(item.as_str()).unwrap_or_default().to_string());
            Value::Array(items)
        }
        Value::String(text) => Value::String(names.get(&text).cloned().unwrap_or(text)),
        other => other,
    }
}

#[test]
fn a_held_bead_is_not_ready_though_bd_would_say_so() {
    let world = world();
    let id = super::bd(&world, ["create", "x", "-l", "gt:hold", "--silent"]).ok().stdout;
    super::bd(&world, ["create", "y", "-l", "gt:submitted"]).ok();
    assert_eq!(super::ids(super::bd(&world, ["ready", "--json"])), [""; 0]);
    super::bd(&world, ["update", id.trim(), "--remove-label", "gt:hold"]).ok();
    assert_eq!(super::ids(super::bd(&world, ["ready", "--json"])), [id.trim()]);
}

/// That a request of the town's own does is shown by the model and by the flow.
#[test]
fn a_request_that_no_town_made_keeps_nothing_from_being_started() {
    let world = world();
    super::make(&world, "gm-a", "first", &[]);
    super::make(&world, "gm-b", "second", &["--deps", "gm-a"]);
    super::make(&world, "gm-r", "request", &["-t", "merge-request", "--metadata", r#"{"bead":"gm-a"}"#]);
    let ready = || super::ids(super::bd(&world, ["ready", "--json"]));
    assert_eq!(ready(), ["gm-a"]);
    super::bd(&world, ["close", "gm-a"]).ok();
    assert_eq!(ready(), ["gm-b"]);
}
