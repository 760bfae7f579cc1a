//! `gt preset schema` and `gt preset new`: the schema is what the parser takes, and a starter is right as it is written.

use std::collections::BTreeSet;
use std::path::Path;

use gastown::config::schema::{
    PaneSettings, Placement, PresetFile, Remote, RoleSettings, Runtime, ScreenPattern, Submit, When,
    WindowSettings,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::common::World;

/// The keys that a type takes, as its own error about an unknown one lists them.
fn keys<T: DeserializeOwned + std::fmt::Debug>() -> BTreeSet<String> {
    let error = toml::from_str::<T>("no_such_key = 1").unwrap_err().to_string();
    let known = error.split_once("expected ").unwrap().1;
    known.split('`').skip(1).step_by(2).map(str::to_string).collect()
}

/// The values that a text can have there.
fn choices(toml: &str) -> BTreeSet<String> {
    let error = toml::from_str::<PresetFile>(toml).unwrap_err().to_string();
    let known =
        error.split_once("expected one of ").unwrap_or_else(|| error.split_once("expected ").unwrap()).1;
    known.split('`').skip(1).step_by(2).map(str::to_string).collect()
}

fn schema() -> Value {
    World::new().gt(["preset", "schema"]).ok().json()
}

fn properties(schema: &Value, pointer: &str) -> BTreeSet<String> {
    let at = schema.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}"));
    assert_eq!(at["additionalProperties"], false, "{pointer}");
    at["properties"].as_object().unwrap().keys().cloned().collect()
}

#[test]
fn the_schema_names_every_key_that_the_parser_takes_and_no_other() {
    let schema = schema();
    let known: [(&str, BTreeSet<String>); 10] = [
        ("", keys::<PresetFile>()),
        ("/definitions/role", keys::<RoleSettings>()),
        ("/definitions/window", keys::<WindowSettings>()),
        ("/definitions/pane", keys::<PaneSettings>()),
        ("/definitions/runtime", keys::<Runtime>()),
        ("/definitions/runtime/properties/submit", keys::<Submit>()),
        ("/definitions/screen", keys::<ScreenPattern>()),
        ("/definitions/remote", keys::<Remote>()),
        ("/definitions/placement", keys::<Placement>()),
        ("/definitions/placement/properties/when", keys::<When>()),
    ];
    for (pointer, keys) in known {
        assert!(!keys.is_empty());
        assert_eq!(properties(&schema, pointer), keys, "{pointer}");
    }
    for (key, toml) in [
        ("role/properties/placement", "[crew]\nplacement = \"x\""),
        ("role/properties/multiplexer", "[crew]\nmultiplexer = \"x\""),
        ("role/properties/restart", "[crew]\nrestart = \"x\""),
        ("role/properties/sandbox", "[crew]\nsandbox = \"x\""),
        ("runtime/properties/prompt", "[agents.x]\nprompt = \"x\""),
    ] {
        let listed = schema.pointer(&format!("/definitions/{key}/enum")).unwrap().as_array().unwrap();
        let listed: BTreeSet<String> = listed.iter().map(|one| one.as_str().unwrap().to_string()).collect();
        assert_eq!(listed, choices(toml), "{key}");
    }
}

/// What of a value is not as the schema says: the part of JSON Schema that ours uses.
fn wrong(root: &Value, schema: &Value, value: &Value, path: &str, out: &mut Vec<String>) {
    for (key, rule) in schema.as_object().unwrap() {
        let sound = match key.as_str() {
            "$ref" => {
                let at = rule.as_str().unwrap().trim_start_matches('#');
                wrong(root, root.pointer(at).unwrap(), value, path, out);
                true
            }
            "type" => match rule.as_str().unwrap() {
                "object" => value.is_object(),
                "array" => value.is_array(),
                "string" => value.is_string(),
                "boolean" => value.is_boolean(),
                "integer" => value.is_i64(),
                other => panic!("{other}"),
            },
            "enum" => rule.as_array().unwrap().contains(value),
            "const" => rule == value,
            "minimum" => value.as_i64() >= rule.as_i64(),
            "pattern" => regex::Regex::new(rule.as_str().unwrap())
                .unwrap()
                .is_match(value.as_str().unwrap_or_default()),
            "items" => {
                for (number, item) in value.as_array().into_iter().flatten().enumerate() {
                    wrong(root, rule, item, &format!("{path}[{number}]"), out);
                }
                true
            }
            "anyOf" => rule.as_array().unwrap().iter().any(|one| {
                let mut own = Vec::new();
                wrong(root, one, value, path, &mut own);
                own.is_empty()
            }),
            "properties" => {
                for (name, item) in value.as_object().into_iter().flatten() {
                    match rule.get(name).or(schema.get("additionalProperties")).unwrap() {
                        Value::Bool(false) => out.push(format!("{path}.{name} is not known")),
                        rule => wrong(root, rule, item, &format!("{path}.{name}"), out),
                    }
                }
                true
            }
            "additionalProperties" if schema.get("properties").is_none() => {
                for (name, item) in value.as_object().into_iter().flatten() {
                    wrong(root, rule, item, &format!("{path}.{name}"), out);
                }
                true
            }
            "additionalProperties" | "$schema" | "title" | "description" | "default" | "definitions" => true,
            other => panic!("this test does not know {other}"),
        };
        if !sound {
            out.push(format!("{path}: {value} is against {key} {rule}"));
        }
    }
}

fn against(schema: &Value, toml: &str) -> Vec<String> {
    let mut out = Vec::new();
    wrong(
        schema,
        schema,
        &serde_json::to_value(toml::from_str::<toml::Value>(toml).unwrap()).unwrap(),
        "",
        &mut out,
    );
    out
}

#[test]
fn what_is_built_in_and_every_example_satisfies_the_schema_and_what_is_wrong_does_not() {
    let schema = schema();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    let mut folders = vec![root.join("presets"), root.join("examples")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "toml")
                && path.parent().unwrap().ends_with("presets")
                && !path.ends_with("settings.toml")
            {
                let text = std::fs::read_to_string(&path).unwrap();
                assert_eq!(against(&schema, &text), Vec::<String>::new(), "{}", path.display());
                count += 1;
            }
        }
    }
    assert!(count >= 10, "only {count} presets were found");
    for broken in [
        "[crew]\nagnet = \"claude\"",
        "[crew]\nmax_workers = 0",
        "[crew]\nrestart = \"sometimes\"",
        "[polecat]\nnames = [\"nux\"]",
        "[[crew.windows]]\npanes = [{ command = 1 }]",
        "[remotes.x]\nfugue_addr = \"localhost\"",
    ] {
        assert_ne!(against(&schema, broken), Vec::<String>::new(), "{broken}");
    }
}

#[test]
fn a_new_preset_is_right_as_it_is_and_with_every_comment_taken_off() {
    let world = World::with_rig();
    let wrote = world.in_town(["preset", "new", "heavy", "--extends", "remote-polecat"]).ok();
    let path = world.real().join("town/config/presets/heavy.toml");
    assert_eq!(wrote.stdout, format!("wrote {}\n", path.display()));
    assert_eq!(wrote.stderr, "edit it, then check it with: gt preset check heavy\n");
    assert_eq!(world.in_town(["preset", "check", "heavy"]).ok().stdout, "ok      heavy\n");
    assert!(world.read("town/config/presets/preset.schema.json").contains("A preset of gt"));
    let text = world.read("town/config/presets/heavy.toml");
    assert!(text.starts_with("#:schema ./preset.schema.json\n"), "{text}");
    assert!(text.contains("\nextends = [\"remote-polecat\"]\n") && text.contains("\n[polecat]\n"), "{text}");
    let keys = regex::Regex::new(r"(?m)^# ([a-z_]+ = |\[)").unwrap();
    let bare = keys.replace_all(&text, "$1");
    assert_eq!(against(&schema(), &bare), Vec::<String>::new());
    let bare = bare.replace("remote = \"gaming-pc\"", "");
    world.write("town/config/presets/heavy.toml", bare.as_bytes());
    world.in_town(["preset", "check", "heavy"]).ok();
    // Every key of a role stands in it.
    let keys = keys_of_role();
    let missing: Vec<&String> = keys.iter().filter(|key| !text.contains(&format!("# {key} = "))).collect();
    assert_eq!(missing, ["windows"]);
    assert!(text.contains("[[polecat.windows]]"));
}

fn keys_of_role() -> BTreeSet<String> {
    keys::<RoleSettings>()
}

#[test]
fn a_new_preset_goes_where_it_is_said_and_never_over_one_that_is_there() {
    let world = World::with_rig();
    world.write("home/.config/gastown/presets/mine.toml", "[crew]\nagent = \"codex\"\n");
    let taken = world.in_town(["preset", "new", "mine", "--user"]).fails(1);
    assert!(
        taken.stderr.contains("mine.toml is there already\nhint: edit it, or choose another name"),
        "{}",
        taken.stderr
    );
    assert_eq!(world.read("home/.config/gastown/presets/mine.toml"), "[crew]\nagent = \"codex\"\n");
    world.in_town(["preset", "new", "crew", "--rig", "wyvern"]).ok();
    assert!(world.read("town/wyvern/config/presets/crew.toml").contains("\n[crew]\n"));
    world.gt(["preset", "new", "other"]).ok();
    assert!(world.path("home/.config/gastown/presets/other.toml").is_file());
    let run = world.in_town(["preset", "new", "a b"]).fails(2);
    assert_eq!(run.stderr, "gt: 'a b' cannot name a preset\nhint: a name has letters, digits, '-' and '_'\n");
    let run = world.in_town(["preset", "new", "x", "--extends", "polecst"]).fails(1);
    assert!(run.stderr.contains("polecst") && run.stderr.contains("polecat"), "{}", run.stderr);
    assert!(!world.path("town/config/presets/x.toml").exists());
}
