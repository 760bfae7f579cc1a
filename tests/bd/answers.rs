//! What both lines of bd were recorded to answer is read as it was meant.

use gastown::beads::bd::parse;
use gastown::beads::jsonl;
use gastown::model::bead::Bead;
use gastown::programs::Output;
use gastown::programs::bd::{Version, complaint};
use serde_json::Value;

struct Answer {
    label: String,
    output: Output,
}

fn answers(line: &str) -> Vec<Answer> {
    let path = format!("{}/tests/contracts/bd-{line}.jsonl", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let text_of = |value: &Value, name: &str| value[name].as_str().unwrap().to_string();
    text.lines()
        .map(|line| {
            let call: Value = serde_json::from_str(line).unwrap();
            let output = Output {
                code: call["rc"].as_i64().map(|code| i32::try_from(code).unwrap()),
                signal: None,
                timed_out: false,
                stdout: text_of(&call, "stdout").into(),
                stderr: text_of(&call, "stderr").into(),
            };
            Answer { label: text_of(&call, "label"), output }
        })
        .collect()
}

fn of<'a>(answers: &'a [Answer], label: &str) -> &'a Output {
    &answers.iter().find(|answer| answer.label == label).unwrap_or_else(|| panic!("no {label}")).output
}

fn beads(answers: &[Answer], label: &str) -> Vec<Bead> {
    parse(&of(answers, label).text()).unwrap_or_else(|error| panic!("{label}: {error:#}"))
}

const LINES: [&str; 2] = ["1.0.5", "0.46.0"];

#[test]
fn versions() {
    for line in LINES {
        let version = Version::parse(&of(&answers(line), "version").text()).unwrap();
        assert_eq!(version.to_string(), line);
    }
}

#[test]
fn one_bead_made_or_changed() {
    for line in LINES {
        let answers = answers(line);
        let one = |label: &str| {
            let mut beads = beads(&answers, label);
            assert_eq!(beads.len(), 1, "{label}");
            beads.remove(0)
        };
        let child = one("create-child");
        assert!(child.id.ends_with(".1"), "{}", child.id);
        assert_eq!(
            (child.title.as_str(), child.priority, child.description.as_str()),
            ("Fix login timeout", 1, "Body")
        );
        let message = one("create-message");
        assert_eq!(
            (message.issue_type.as_str(), message.assignee.as_deref()),
            ("message", Some("wyvern/witness"))
        );
        assert_eq!(one("create-convoy").issue_type, "convoy");
        let hooked = one("update-hooked");
        assert_eq!((hooked.status.as_str(), hooked.assignee.as_deref()), ("hooked", Some("wyvern/Nux")));
        assert_eq!(one("update-in-progress").notes, "Implemented JWT");
        assert_eq!(one("update-labels").labels, ["area:auth", "gt:hold", "heavy-compute"]);
        let closed = one("close");
        assert!(closed.is_closed() && closed.closed_at.is_some());
        assert_eq!(closed.close_reason, "commit: abc123");
        assert_eq!(one("close-again").close_reason, "x");
        let reopened = one("reopen");
        assert_eq!(
            (reopened.status.as_str(), reopened.closed_at, reopened.close_reason.as_str()),
            ("open", None, "")
        );
    }
}

#[test]
fn lists() {
    for line in LINES {
        let answers = answers(line);
        let titles = |label: &str| -> Vec<String> {
            let mut titles: Vec<_> = beads(&answers, label).into_iter().map(|bead| bead.title).collect();
            titles.sort();
            titles
        };
        assert_eq!(titles("ready-parent"), ["Fix login timeout"]);
        assert_eq!(titles("list-parent"), ["Fix login timeout", "Update auth tests"]);
        assert_eq!(titles("list-messages"), ["Shutdown request"]);
        assert_eq!(titles("list-assignee"), ["Fix login timeout"]);
        assert_eq!(titles("ready-after-close"), ["Update auth tests"]);
        assert!(titles("list-all").contains(&"Auth System".to_string()));
        assert_eq!(titles("show-two").len(), 2);
    }
    // 1.0 has the edges in a list, 0.46 only their number.
    let tests = |line: &str| {
        beads(&answers(line), "list-all").into_iter().find(|bead| bead.id.ends_with(".2")).unwrap()
    };
    assert_eq!(tests("1.0.5").blockers().collect::<Vec<_>>(), ["gm-53p.1"]);
    assert_eq!(tests("1.0.5").parent(), Some("gm-53p"));
    assert_eq!(tests("0.46.0").dependencies, []);
}

#[test]
fn show_gives_edges_as_beads() {
    for (line, epic) in [("1.0.5", "gm-53p"), ("0.46.0", "gm-5vs")] {
        let bead = beads(&answers(line), "show").remove(0);
        assert_eq!(bead.parent(), Some(epic));
        assert_eq!(bead.blockers().collect::<Vec<_>>(), [format!("{epic}.1")]);
        assert_eq!(bead.labels, ["area:auth", "heavy-compute"]);
        assert!(bead.extra.keys().all(|key| key == "owner"), "{:?}", bead.extra);
    }
}

#[test]
fn an_export_is_read_and_written_again() {
    for line in LINES {
        let text = of(&answers(line), "export").text();
        let beads = jsonl::parse(&text).unwrap();
        assert!(beads.len() >= 4);
        assert!(beads.iter().any(|bead| bead.blockers().next().is_some()));
        assert_eq!(jsonl::parse(&jsonl::render(&beads)).unwrap(), beads);
    }
    let commented = |bead: &Bead| bead.comments.iter().any(|comment| comment.text == "a comment");
    assert!(beads(&answers("1.0.5"), "export").iter().any(commented));
}

#[test]
fn what_bd_complains_about_is_found_wherever_it_says_it() {
    let complaints: Vec<String> = LINES
        .iter()
        .flat_map(|line| {
            let answers = answers(line);
            ["create-bad-type", "show-missing", "update-missing", "list-bad-flag", "outside-no-db"]
                .map(|label| format!("{line} {label}: {}", complaint(of(&answers, label))))
        })
        .collect();
    insta::assert_snapshot!(complaints.join("\n"), @r#"
    1.0.5 create-bad-type: validation failed for issue : invalid issue type: nonsense
    1.0.5 show-missing: no issues found matching the provided IDs
    1.0.5 update-missing: Error resolving gm-nope: no issue found matching "gm-nope"
    1.0.5 list-bad-flag: unknown flag: --nonsense
    1.0.5 outside-no-db: no beads database found
    0.46.0 create-bad-type: operation failed: failed to create issue: validation failed: invalid issue type: nonsense
    0.46.0 show-missing: resolving ID gm-nope: operation failed: failed to resolve ID: no issue found matching "gm-nope"
    0.46.0 update-missing: resolving ID gm-nope: operation failed: failed to resolve ID: no issue found matching "gm-nope"
    0.46.0 list-bad-flag: unknown flag: --nonsense
    0.46.0 outside-no-db: no beads database found
    "#);
}
