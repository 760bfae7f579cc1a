//! Local execution, the baseline: with the variable unset nothing that gt runs or says depends on fugue.

use crate::common::{WAITS, World};

/// A day's work, and what every program was called with and gt said, without what differs from run to run.
fn day(world: &World) -> (Vec<String>, Vec<String>) {
    world.settings(WAITS);
    world.set("GASTOWN_POLECAT__AGENT", "waits");
    world.set("GASTOWN_MAYOR__AGENT", "waits");
    world.count_calls(&["git", "tmux"]);
    let bead = world.bead("Work", "true");
    let other = world.bead("More work", "true");
    let commands: [&[&str]; 13] = [
        &["mayor", "start"],
        &["sling", &bead, "wyvern/Nux"],
        &["sling", &other, "wyvern/Toast", "--dry-run"],
        &["status"],
        &["polecats", "wyvern"],
        &["session", "list"],
        &["session", "restart", "wyvern/Nux"],
        &["witness", "patrol", "wyvern"],
        &["doctor"],
        &["refinery", "process", "wyvern"],
        &["unsling", "--force", &bead],
        &["mayor", "stop"],
        &["stop", "--all"],
    ];
    let (mut said, mut calls) = (Vec::new(), Vec::new());
    for words in commands {
        let run = world.in_town(words);
        said.push(plain(world, &format!("{words:?}: {:?}\n{}{}", run.code, run.stdout, run.stderr)));
        for program in ["git", "tmux"] {
            calls.extend(world.calls(program).iter().map(|call| plain(world, &format!("{program} {call}"))));
        }
    }
    (said, calls)
}

/// A text without paths, ids, instances, commits and times.
fn plain(world: &World, text: &str) -> String {
    let text = text.replace(world.real().to_str().unwrap(), "WORLD").replace(&world.str(""), "WORLD/");
    let text = text.replace(&world.socket, "SOCKET");
    let id = regex::Regex::new(
        r"town-[0-9a-f]{4}|wy-[a-z0-9]+|[0-9a-f]{8,}|\b\d+(\.\d+)? ?(s|ms|m)\b|\d{4}-\d\d-\d\dT[\d:.]+Z|[$%]\d+|\d{4,}",
    );
    id.unwrap().replace_all(&text, "#").into_owned()
}

#[test]
fn local_execution_is_unchanged() {
    let without = World::with_rig();
    let with = World::with_rig();
    // fugue is installed, its daemon runs on its default socket, and the person uses it for other things.
    let far = with.daemon("far");
    with.set("FUGUE_ADDR", &far.addr);
    with.set("XDG_RUNTIME_DIR", &with.str("far/run"));
    far.ask(["new-session", "-d", "-s", "gt-wyvern-Nux", "sleep 600"]).ok();
    for program in ["fugue-compat", "fugue-client", "fugue", "fugue-server", "ssh"] {
        let log = with.str(format!("calls-{program}"));
        with.program(program, &format!("#!/bin/sh\necho \"$*\" >>'{log}'\nexit 1\n"));
    }
    let before = far.sessions();
    let (said, calls) = day(&without);
    let (said_with, calls_with) = day(&with);
    assert_eq!(calls, calls_with);
    assert_eq!(said, said_with);
    assert!(calls.iter().any(|call| call.ends_with("source-file -")), "{calls:#?}");
    for program in ["fugue-compat", "fugue-client", "fugue", "fugue-server", "ssh"] {
        assert_eq!(with.calls(program), Vec::<String>::new(), "{program}");
    }
    assert_eq!(far.sessions(), before);
    assert!(!with.path("town/mayor/remote.json").exists());
}
