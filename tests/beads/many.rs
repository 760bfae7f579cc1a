//! Many processes on one store, and processes that are killed.

use std::collections::HashSet;
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};

use super::{bd, ids, make, world};
use crate::common::{World, finish, gt, wait_for};

#[test]
fn sixty_four_processes_lose_nothing_and_share_no_id() {
    let world = world();
    let made: Vec<String> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..64)
            .map(|writer| {
                let mut command = world.command("sh", "");
                command.args([
                    "-c",
                    "for i in $(seq 10); do \"$0\" bd create \"$1 $i\" --silent || exit 1; done",
                ]);
                command.args([gt(), &format!("writer {writer}")]);
                scope.spawn(move || finish(&mut command).ok().stdout)
            })
            .collect();
        writers
            .into_iter()
            .flat_map(|writer| writer.join().unwrap().lines().map(String::from).collect::<Vec<_>>())
            .collect()
    });
    assert_eq!(made.len(), 640);
    let stored: HashSet<String> = ids(bd(&world, ["list", "--limit", "0", "--json"])).into_iter().collect();
    assert_eq!(stored.len(), 640);
    assert_eq!(made.into_iter().collect::<HashSet<_>>(), stored);
}

#[test]
fn of_sixteen_claims_one_wins() {
    let world = world();
    make(&world, "gm-a", "wanted", &[]);
    let outcomes: Vec<(String, Option<i32>)> = std::thread::scope(|scope| {
        let claims: Vec<_> = (0..16)
            .map(|number| {
                let name = format!("agent{number}");
                let mut command = world.command(gt(), "");
                command.args(["bd", "update", "gm-a", "--claim", "--actor", &name]);
                scope.spawn(move || (name, finish(&mut command).code))
            })
            .collect();
        claims.into_iter().map(|claim| claim.join().unwrap()).collect()
    });
    let winners: Vec<_> = outcomes.iter().filter(|(_, code)| *code == Some(0)).collect();
    assert_eq!(winners.len(), 1, "{outcomes:?}");
    assert!(outcomes.iter().all(|(_, code)| matches!(code, Some(0 | 1))), "{outcomes:?}");
    let bead = world.gt(["bd", "show", "gm-a", "--json"]).ok().json();
    assert_eq!(bead[0]["assignee"], winners[0].0.as_str());
    assert_eq!(bead[0]["status"], "in_progress");
}

#[test]
fn a_claim_is_for_the_holder_to_repeat_and_for_nobody_else() {
    let world = world();
    make(&world, "gm-a", "one", &[]);
    make(&world, "gm-b", "two", &["-a", "me"]);
    bd(&world, ["update", "gm-a", "gm-b", "--claim"]).ok();
    bd(&world, ["update", "gm-b", "gm-a", "--claim"]).ok();
    let refused = bd(&world, ["update", "gm-a", "--claim", "--actor", "other"]).fails(1);
    assert_eq!(
        refused.stderr,
        "Error: gm-a: issue already claimed by me\nhint: see what is free with: bd ready\n"
    );
    make(&world, "gm-c", "free", &[]);
    bd(&world, ["update", "gm-c", "gm-a", "--claim", "--actor", "other"]).fails(1);
    let free = world.gt(["bd", "show", "gm-c", "--json"]).ok().json();
    assert_eq!(free[0]["status"], "open");
}

#[test]
fn a_kill_loses_nothing_that_was_acknowledged() {
    let world = world();
    let mut acknowledged = HashSet::new();
    for round in 0..6 {
        let file = |writer: usize| world.path(format!("round{round}-{writer}"));
        let writers: Vec<Child> = (0..4).map(|writer| endless_writer(&world, &file(writer))).collect();
        // Each round lets the first writer come a little further; the others are anywhere in a write.
        wait_for("acknowledged writes", || (whole_lines(&file(0)).len() > round).then_some(()));
        for mut writer in writers {
            let group = rustix::process::Pid::from_child(&writer);
            rustix::process::kill_process_group(group, rustix::process::Signal::KILL).unwrap();
            writer.wait().unwrap();
        }
        acknowledged.extend((0..4).flat_map(|writer| whole_lines(&file(writer))));
        let stored: HashSet<String> =
            ids(bd(&world, ["list", "--limit", "0", "--json"])).into_iter().collect();
        let lost: Vec<_> = acknowledged.difference(&stored).collect();
        assert!(lost.is_empty(), "lost in round {round}: {lost:?}");
        let db = rusqlite::Connection::open(world.path(".beads/gastown.db")).unwrap();
        let verdict: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(verdict, "ok");
    }
    bd(&world, ["create", "the store still takes beads"]).ok();
}

/// A group of processes that makes beads, one after the other, and notes the id of each in `file`.
fn endless_writer(world: &World, file: &std::path::Path) -> Child {
    let mut command = world.command("sh", "");
    command.args(["-c", "while \"$0\" bd create w --silent; do :; done", gt()]);
    command
        .stdout(std::fs::File::create(file).unwrap())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap()
}

fn whole_lines(file: &std::path::Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(String::from).collect()
}

#[test]
fn a_write_that_the_system_refuses_is_said_and_changes_nothing() {
    let world = world();
    make(&world, "gm-a", "before", &[]);
    let script = "trap '' XFSZ; ulimit -f 0; exec \"$0\" bd create more";
    let run = world.run("sh", "", ["-c", script, gt()]).fails(1);
    assert!(run.stderr.contains("gastown.db") && run.stderr.starts_with("Error: "), "{run:#?}");
    assert_eq!(ids(bd(&world, ["list", "--json"])), ["gm-a"]);
}

#[test]
fn a_damaged_file_is_named_and_left_alone() {
    let world = world();
    world.write(
        ".beads/gastown.db",
        "this is no database, but long enough to be looked at as one".repeat(100),
    );
    let run = bd(&world, ["list"]).fails(1);
    assert!(run.stderr.contains(".beads/gastown.db is damaged"), "{run:#?}");
    assert!(world.read(".beads/gastown.db").starts_with("this is no database"));
    world.write(".beads/gastown.db", "");
    assert!(bd(&world, ["list"]).fails(1).stderr.contains("holds no store of beads"));
}

#[test]
fn a_store_of_a_newer_version_is_not_touched() {
    let world = world();
    let db = rusqlite::Connection::open(world.path(".beads/gastown.db")).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    drop(db);
    assert!(bd(&world, ["list"]).fails(1).stderr.contains("was made by a newer gt (store version 99)"));
}

#[test]
fn a_list_of_everything_comes_bead_by_bead_and_ends_with_its_reader() {
    let world = world();
    let beads: String = (0..3000)
        .map(|number| {
            let time = "2026-01-01T00:00:00Z";
            let bead = serde_json::json!({
                "id": format!("gm-{number}"), "title": format!("Bead {number}"), "created_at": time, "updated_at": time,
                "status": if number % 7 == 0 { "in_progress" } else { "open" }, "priority": 2,
                "dependencies": [{ "issue_id": format!("gm-{number}"), "depends_on_id": "gm-0", "type": "blocks" }],
            });
            format!("{bead}\n")
        })
        .collect();
    world.write("beads.jsonl", beads);
    world.gt(["bd", "import", "-i", "beads.jsonl"]).ok();
    for more in [&[][..], &["--json"]] {
        let list = |limit: &str| world.gt([&["bd", "list", "--limit", limit], more].concat()).ok().stdout;
        // The same as in one piece.
        assert!(list("0") == list("3001"), "{more:?}");
        assert_eq!(
            world.gt([&["bd", "list", "--limit", "0", "-l", "none"], more].concat()).ok().stdout.len(),
            { if more.is_empty() { 0 } else { 3 } }
        );
    }
    for words in ["list --limit 0", "list --limit 0 --json", "export"] {
        let mut command = world.command("bash", "");
        let line = format!("set -o pipefail; {} bd {words} | head -n 2 | wc -l", gt());
        let run = finish(command.args(["-c", &line])).ok();
        assert_eq!((run.stdout.trim(), run.stderr.as_str()), ("2", ""), "{words}");
    }
}
