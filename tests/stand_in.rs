//! Agents that draw on the whole screen, ask, start slowly and lose keys: a program of the tests' own in a real tmux.

use crate::common::{Run, World, wait_for};

/// A rig whose polecats run the stand-in with these words.
fn world(words: &[&str]) -> World {
    let world = World::with_rig();
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/agents/stand_in.sh");
    let words: Vec<String> = [program].iter().chain(words).map(|word| format!("{word:?}")).collect();
    world.settings(&format!(
        "[beads]\nstore = \"embedded\"\n[agents.drawn]\ncommand = [{}]\nprompt = \"paste\"\nprocess_names = [\"bash\"]\n\
         files = [{{ path = \".own\", text = \"gt hook-event\" }}]\n\
         question = {{ pattern = '^ *Esc to cancel' }}\nbusy = {{ pattern = 'esc to interrupt' }}\n\
         ready = {{ pattern = '^> *$', timeout = \"3s\" }}\nsubmit = {{ keys = [\"Enter\"], confirm = \"busy\" }}\n\
         edits = {{ words = [\"{{{{allowed}}}}\"] }}\nallowed = {{ each = \"may {{{{command}}}}\", join = \";\" }}\n",
        words.join(", ")
    ));
    let gt = std::path::Path::new(crate::common::gt()).parent().unwrap().to_str().unwrap().to_string();
    let path = std::env::var("PATH").unwrap();
    world.set("PATH", &format!("{}:{gt}:{path}", world.str("bin")));
    world.set("GASTOWN_POLECAT__AGENT", "drawn");
    world
}

fn sling(world: &World) -> Run {
    world.in_town(["sling", &world.bead("Draw", "true"), "wyvern"])
}

fn taken(world: &World) -> String {
    std::fs::read_to_string(world.path("home/taken")).unwrap_or_default()
}

/// The command by which `gt status` says that Nux is answered, word by word, with one of its answers.
fn answer(world: &World, answer: &str) -> Vec<String> {
    wait_for("a question", || {
        let status = world.in_town(["status"]).ok().stdout;
        let line = status.lines().find_map(|line| line.trim().strip_prefix("answer with: gt "))?;
        Some(line.replace("1|2|3", answer).split(' ').map(str::to_string).collect())
    })
}

#[test]
fn a_question_is_never_taken_for_a_prompt_and_is_answered_from_anywhere() {
    let world = world(&["ask", "Do you trust this folder?", ""]);
    // Its prompt waits, since an Enter would answer.
    sling(&world).fails(4);
    assert_eq!(taken(&world), "");
    let status = world.in_town(["status"]).ok().stdout;
    assert!(
        status.contains("question") && status.contains("Do you trust this folder? [1. Yes / "),
        "{status}"
    );
    let yes = answer(&world, "yes");
    // Neither an agent nor what was asked for another question answers.
    world.set("GT_ROLE", "polecat");
    assert!(world.in_town(&yes).fails(1).stderr.contains("is for the person"));
    world.unset("GT_ROLE");
    world.in_town(["answer", "Nux", "yes", "--question", "00000000"]).fails(1);
    world.in_town(["answer", "Nux", "4"]).fails(2);
    assert!(world.in_town(["answer", "Nux"]).ok().stdout.contains("  2. Yes, always\n"));
    assert_eq!(world.in_town(["answer", "Nux", "--json"]).ok().json()["question"]["answers"][2], "3. No");
    assert_eq!(taken(&world), "");
    world.in_town(&yes).ok();
    assert_eq!(taken(&world), "answer 1\n");
    world.in_town(&yes).fails(1);
    let log = world.read("town/mayor/answers.jsonl");
    assert!(log.contains("\"answer\":\"1. Yes\"") && log.lines().count() == 1, "{log}");
}

#[test]
fn a_permission_that_is_kept_counts_for_the_next_start() {
    let world = world(&["ask", "Do you want to proceed?", "make docs && make lint"]);
    sling(&world).fails(4);
    let mut yes = answer(&world, "1");
    yes.extend(["--always".into(), "--json".into()]);
    let answer = world.in_town(&yes).ok().json()["answer"].clone();
    assert_eq!(answer["question"]["command"], "make docs && make lint");
    assert_eq!(answer["kept"], serde_json::json!(["make docs", "make lint"]));
    assert!(world.read("town/wyvern/config.json").contains("\"make docs\""));
    sling(&world).fails(4);
    let pane =
        world.tmux(["list-panes", "-t", "gt-wyvern-Toast:", "-F", "#{pane_start_command}"]).ok().stdout;
    assert!(pane.contains("may git add;") && pane.contains("may make docs;may make lint"), "{pane}");
}

#[test]
fn a_first_prompt_reaches_a_program_that_starts_slowly_and_loses_an_enter() {
    let world = world(&["slow", "1", "swallow"]);
    sling(&world).ok();
    let taken = taken(&world);
    assert!(taken.starts_with("prompt You are Nux") && taken.lines().count() == 1, "{taken}");
    // It works, whatever it draws; then its turn has ended.
    wait_for("the end of its turn", || {
        world.in_town(["status"]).ok().stdout.contains("Nux  idle").then_some(())
    });
}

#[test]
fn a_key_that_submits_comes_after_the_paste_was_taken() {
    let world = world(&["late"]);
    sling(&world).ok();
    let taken = taken(&world);
    assert!(taken.starts_with("prompt You are Nux") && taken.lines().count() == 1, "{taken}");
}

#[test]
fn half_typed_text_is_a_persons() {
    let world = world(&["half", "my own wor"]);
    sling(&world).fails(4);
    assert_eq!(taken(&world), "");
}
