//! The recordings of fugue 0.1.1, replayed: against the stand-in, and against the real programs where
//! `GT_TEST_FUGUE_BIN` names them. What differs from one run to the next is put aside: ids, addresses, sockets.

use regex::Regex;
use serde_json::Value;

use crate::common::{Run, World, finish, wait_for};

const RECORDED: &str = include_str!("../contracts/fugue-compat-0.1.1.jsonl");

struct Call {
    label: String,
    words: Vec<String>,
    rc: i64,
    stdout: String,
    stderr: String,
}

fn calls() -> Vec<Call> {
    let read = |line: &str| {
        let call: Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| call[key].as_str().unwrap().to_string();
        let words = call["argv"].as_array().unwrap().iter().skip(1);
        Call {
            label: text("label"),
            words: words.map(|word| word.as_str().unwrap().to_string()).collect(),
            rc: call["rc"].as_i64().unwrap(),
            stdout: text("stdout"),
            stderr: text("stderr"),
        }
    };
    RECORDED.lines().map(read).collect()
}

#[test]
fn every_recorded_call_is_answered_as_recorded() {
    let world = World::new();
    let far = world.daemon("far");
    let nobody = world.dead_addr();
    let bare = |addr: &str| addr.trim_start_matches("tcp://").to_string();
    let socket = far.unix().trim_start_matches("unix://").to_string();
    let id = Regex::new("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").unwrap();
    for call in calls() {
        let addr = if call.label == "refused" { &nobody } else { &far.addr };
        let own = |text: &str| {
            text.replace("tcp://127.0.0.1:9977", addr)
                .replace("127.0.0.1:9977", &bare(addr))
                .replace("/run/user/1000/fugue/fugue.sock", &socket)
        };
        let words: Vec<String> = call.words.iter().map(|word| own(word)).collect();
        let ask = || {
            let mut command = world.command(world.path("fugue-bin/fugue-compat"), "");
            command.args(&words).env("XDG_RUNTIME_DIR", far.folder().join("run"));
            finish(&mut command)
        };
        if call.label == "default-missing" {
            far.kill();
            let _ = std::fs::remove_file(&socket);
        }
        let right = |run: &Run| {
            let same =
                |got: &str, wanted: &str| id.replace_all(got, "ID") == id.replace_all(&own(wanted), "ID");
            run.code.map(i64::from) == Some(call.rc)
                && same(&run.stdout, &call.stdout)
                && same(&run.stderr, &call.stderr)
        };
        let changes = ["new", "set", "send", "kill"].iter().any(|verb| call.label.starts_with(verb));
        let mut last = ask();
        if !changes && !right(&last) {
            // A program that was started a moment ago writes, or ends, in its own time.
            let mut tries = 0;
            wait_for(&call.label, || {
                last = ask();
                tries += 1;
                (right(&last) || tries == 200).then_some(())
            });
        }
        assert!(
            right(&last),
            "{}: {last:#?}\nwanted: {} {} {}",
            call.label,
            call.rc,
            own(&call.stdout),
            own(&call.stderr)
        );
    }
}
