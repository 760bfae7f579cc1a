//! Text as an attacker writes it, in every place that takes text: seeds times shapes, the lists beside this file.
//!
//! Whatever it is, no command in it runs, no file is made by it, and no escape sequence or hidden character of it reaches a
//! terminal. Most of it runs in this process, against parsers and renderers; the rest through the program, all of it at once.

mod siege;

use std::collections::BTreeSet;

use gastown::base::grammar;
use gastown::base::terminal::{Color, Text};
use gastown::beads::jsonl;
use gastown::beads::request::Request;
use gastown::config::template;
use gastown::model::address::{Address, is_member_name, is_polecat_name, is_rig_name};
use gastown::model::bead::{Bead, Comment};
use gastown::model::refs::{Branch, Sent, SentKind};
use gastown::plan::homecoming;
use gastown::report::{self, Screen};
use serde_json::{Value, json};

use crate::common::World;

/// The inputs; commands in them make the file `canary`.
fn corpus(canary: &str) -> Vec<String> {
    let list = |text: &str| -> Vec<String> {
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let seeds = list(include_str!("hostile/seeds.jsonl"));
    let shapes = list(include_str!("hostile/shapes.jsonl"));
    let shaped = |seed: &String| {
        let seed = seed.replace("{canary}", canary);
        shapes.iter().map(|shape| shape.replace('@', &seed)).collect::<Vec<_>>()
    };
    let mut seen = BTreeSet::new();
    seeds.iter().flat_map(shaped).filter(|text| seen.insert(text.clone())).collect()
}

/// What acts on a terminal or fools a reader, written down apart from the program's own list.
fn acts(c: char) -> bool {
    c.is_control() && c != '\n' && c != '\t'
        || matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{ad}' | '\u{feff}' | '\u{3164}')
        || ('\u{2028}'..='\u{202e}').contains(&c)
        || ('\u{2060}'..='\u{206f}').contains(&c)
        || ('\u{e0000}'..='\u{e0fff}').contains(&c)
}

#[track_caller]
fn is_harmless(what: &str, shown: &str) {
    if let Some(at) = shown.find(acts) {
        let from = shown[..at].rfind('\n').map_or(0, |end| end + 1);
        let line: String = shown[from..].chars().take(200).collect();
        panic!("{what}: {line:?}");
    }
}

/// The same of what is in colours: gt's own are taken out first.
#[track_caller]
fn is_harmless_in_colour(what: &str, shown: &str) {
    let codes = ["0", "1", "2", "31", "32", "33", "36"].map(|code| format!("\x1b[{code}m"));
    is_harmless(what, &codes.iter().fold(shown.to_string(), |text, code| text.replace(code, "")));
}

fn bead(text: &str) -> Bead {
    let own = || text.to_string();
    Bead {
        id: own(),
        title: own(),
        description: own(),
        notes: own(),
        status: own(),
        issue_type: own(),
        assignee: Some(own()),
        created_by: own(),
        created_at: own(),
        close_reason: own(),
        external_ref: Some(own()),
        labels: vec![own(), format!("from:{text}")],
        comments: vec![Comment { author: own(), text: own(), ..Comment::default() }],
        metadata: [(own(), own().into())].into_iter().collect(),
        ..Bead::default()
    }
}

#[test]
fn there_are_many() {
    let all = corpus("canary");
    assert!(all.len() >= 500, "{}", all.len());
}

#[test]
fn what_is_shown_never_acts() {
    let screen = Screen { width: 60, fancy: true, unicode: true };
    for text in corpus("canary") {
        let bead = bead(&text);
        let message = report::mail::Message::of(&bead);
        let request = Request { title: text.clone(), worker: text.clone(), ..Request::default() };
        let row = gastown::work::merge::queue::RequestRow::new(&request, Some(&bead), &text);
        for shown in [
            report::bd::line(&bead, [0; 3]),
            report::bd::page(&bead, std::slice::from_ref(&bead)),
            report::mail::list(std::slice::from_ref(&message), "2026-01-01T00:00:00Z").to_string(),
            report::mail::whole(&message),
            report::queue::list(std::slice::from_ref(&row), "2026-01-01T00:00:00Z").to_string(),
            report::queue::show(&row, "2026-01-01T00:00:00Z"),
        ] {
            is_harmless(&text, Text::from(shown).as_str());
        }
        // One thing is one line in a list, whatever is in it.
        assert_eq!(report::bd::line(&bead, [0; 3]).lines().count(), 1, "{text:?}");
        assert_eq!(report::mail::list(&[message], "").lines().count(), 1, "{text:?}");
        let cells = vec![vec![text.as_str().into(), text.as_str().into()]];
        let table = screen.table(&["A", "B"], &cells, 1);
        assert_eq!(table.lines().count(), 2, "{text:?}");
        for shown in [table, screen.paint(Color::Bad, &text), report::diff::patch(&text, &screen)] {
            is_harmless_in_colour(&text, shown.as_str());
        }
        let value = json!({ text.as_str(): bead });
        for form in [format!("{value}"), format!("{value:#}")] {
            let shown = Text::json(&form);
            assert!(!shown.as_str().contains(|c| acts(c) || c == '\t'), "{shown}");
            assert_eq!(serde_json::from_str::<Value>(shown.as_str()).unwrap(), value);
        }
    }
}

#[test]
fn no_name_ref_or_record_is_made_of_it() {
    let plain = |name: &str| {
        !name.contains(acts)
            && !name.starts_with(['-', '.'])
            && !name.contains(['/', '$', '`', '#', ';', ' ', '\n'])
    };
    let from = Sent {
        kind: SentKind::Done,
        town: String::new(),
        rig: "wyvern".into(),
        name: "Nux".into(),
        instance: "ab12".parse().unwrap(),
    };
    let commit = "0123456789012345678901234567890123456789";
    for text in corpus("canary") {
        for taken in
            [is_rig_name(&text), is_polecat_name(&text), is_member_name(&text), grammar::is_bead_id(&text)]
        {
            assert!(!taken || plain(&text), "{text:?}");
        }
        for address in
            [text.clone(), format!("wyvern/{text}"), format!("{text}/Nux"), format!("wyvern/crew/{text}")]
        {
            if let Ok(address) = Address::parse(&address) {
                assert!(plain(address.name()) && address.rig().is_none_or(plain), "{text:?}: {address}");
                assert!(!address.session_name().contains(['.', ':', '#']), "{address}");
            }
        }
        assert!(
            !grammar::is_branch_name(&text) || !text.starts_with('-') && !text.contains(".."),
            "{text:?}"
        );
        for full in [format!("refs/gt/done/wyvern/{text}/ab12"), format!("refs/gt/done/{text}/Nux/{text}")] {
            assert_eq!(Sent::parse(SentKind::Done, &full), None);
        }
        assert!(Branch::parse(&format!("polecat/{text}-wy-1")).is_none_or(|branch| plain(&branch.name)));
        // Each field of a completion record.
        let letter = json!({ "version": 1, "rig": "wyvern", "worker": "wyvern/Nux", "instance": "ab12", "bead": "wy-1",
            "branch": "polecat/Nux-wy-1", "commit": commit, "outcome": "done", "notes": text,
            "beads": [{ "title": text, "description": text }] });
        if let Ok(letter) = homecoming::read(&from, &letter.to_string()) {
            assert!(!letter.notes.contains(|c: char| c.is_control() && c != '\n' && c != '\t'), "{letter:?}");
        }
        for field in ["rig", "worker", "instance", "bead", "branch", "commit", "outcome"] {
            let mut wrong = letter.clone();
            wrong[field] = text.as_str().into();
            let said = homecoming::read(&from, &wrong.to_string()).unwrap_err();
            is_harmless(field, &said);
        }
        let said = homecoming::read(&from, &text).unwrap_err();
        is_harmless("no letter", &said);
        // A request of somebody's: no value of it becomes a word of git's.
        let fields = ["branch", "commit", "target", "bead", "worker", "instance"];
        for field in fields {
            let mut metadata = json!({ "rig": "wyvern", "branch": "polecat/Nux-wy-1", "commit": commit, "target": "main",
                "bead": "wy-1", "worker": "wyvern/Nux", "instance": "ab12", "created": "2026-01-01T00:00:00Z", "attempt": 1 });
            metadata[field] = text.as_str().into();
            let Value::Object(metadata) = metadata else { continue };
            let request = Bead { issue_type: "merge-request".into(), metadata, ..Bead::default() };
            match Request::read(&request).unwrap() {
                Ok(read) => {
                    let value =
                        [&*read.branch, &read.commit, &read.target, &read.bead, &read.worker, &read.instance]
                            [fields.iter().position(|own| *own == field).unwrap()];
                    assert!(
                        !value.starts_with('-') && (field == "bead" || !value.contains("..")),
                        "{field}: {value:?}"
                    );
                }
                Err(why) => is_harmless(field, &why),
            }
        }
        let lines: Vec<_> = jsonl::parse(&text).into_iter().flatten().collect();
        assert!(lines.is_empty(), "{lines:?}");
    }
}

#[test]
fn a_value_is_never_a_part_of_a_text_for_a_shell() {
    let world = World::new();
    let canary = world.str("canary");
    let mut script = String::new();
    for text in corpus(&canary) {
        let value = |_: &str| Ok(text.clone());
        assert!(template::fill_command("echo {{title}}", &value).is_err(), "{text:?}");
        for command in ["sh -c \"echo '{{bead}}'\"", "eval echo x{{bead}}", ": $(({{bead}}))"] {
            assert!(template::fill_command(command, &value).is_err(), "{command}");
        }
        for command in ["echo {{bead}}", "eval echo {{bead}}", "(true; ls {{bead}})"] {
            // What is put in stands for itself in all of them.
            script.extend(template::fill_command(command, &value).map(|line| line + "\n"));
        }
        // Templates of prompts know names and nothing else, and values stay values.
        let filled = gastown::base::fill::known("a {{town}} b", &[("town", &text), ("gt", "no")]);
        assert_eq!(filled, format!("a {text} b"));
        assert_eq!(template::fill("{{town}}", &value).unwrap(), text);
        let _ = template::expand(&text, text.len() % 2 == 0, &|_| Some(text.clone()));
    }
    world.run("sh", "", ["-c", &script]);
    assert!(!world.path("canary").exists());
}
