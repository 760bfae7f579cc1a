//! The whole town on one screen, from real stores and a real tmux.

use std::io::Read;
use std::process::Stdio;

use crate::common::terminal::Terminal;
use crate::common::{Run, World, gt, wait_for};

/// A polecat as sling leaves it: a bead on its hook, a name, a session with marks that runs `program`.
fn polecat(world: &World, name: &str, title: &str, program: Option<&[&str]>) -> String {
    let id = world.bead(title, "true");
    let address = format!("wyvern/{name}");
    let words = ["bd", "update", &id, "--status", "in_progress", "--assignee", &address];
    world.gt_in("town/wyvern", words).ok();
    world.write(format!("town/wyvern/polecats/.names/{name}"), "instance");
    if let Some(program) = program {
        session(world, name, &id, program);
    }
    id
}

fn session(world: &World, name: &str, bead: &str, program: &[&str]) {
    let session = format!("gt-wyvern-{name}");
    let target = format!("={session}:");
    let mut words = vec!["new-session", "-d", "-s", &session, "--", "env"];
    words.extend(program);
    words.extend([";", "set-option", "-w", "-t", &target, "remain-on-exit", "on"]);
    let town = world.real().join("town").display().to_string();
    let address = format!("wyvern/{name}");
    let agent = format!("#{{pane_id}} #{{pane_pid}} instance {address} polecat {bead} {town}");
    words.extend([";", "set-option", "-p", "-F", "-t", &target, "@gt", &agent]);
    words.extend([";", "set-option", "-F", "-t", &target, "@gt_own", "#{session_id} instance agent"]);
    for (mark, value) in
        [("town", town.as_str()), ("address", &address), ("bead", bead), ("state", "working")]
    {
        words.extend([";", "set-option", "-t", &target]);
        words.extend([
            match mark {
                "town" => "@gt_town",
                "address" => "@gt_address",
                "bead" => "@gt_bead",
                _ => "@gt_state",
            },
            value,
        ]);
    }
    world.tmux(words).ok();
}

/// A town with five polecats: at work, asking, crashed, submitted, and hooked without a session.
fn busy_town() -> (World, Vec<String>) {
    let world = World::with_rig();
    let mut ids = vec![
        polecat(
            &world,
            "Ace",
            "Read a file of more than one megabyte without a single copy of it \u{1F409}",
            Some(&["sleep", "1000"]),
        ),
        polecat(&world, "Bolt", "Ask \u{6f22}\u{5b57} a person", Some(&["sleep", "1000"])),
        polecat(&world, "Cog", "Crash", Some(&["sh", "-c", "exit 9"])),
        polecat(&world, "Dag", "Wait to be merged", None),
        polecat(&world, "Echo", "Not begun", None),
    ];
    world.tmux(["set-option", "-t", "=gt-wyvern-Bolt:", "@gt_state", "waiting"]).ok();
    let wyvern = |words: &[&str]| world.gt_in("town/wyvern", words).ok();
    wyvern(&["bd", "update", &ids[3], "--add-label", "gt:submitted"]);
    wyvern(&["bd", "update", &ids[4], "--status", "hooked"]);
    ids.push(world.bead("Ready work", "true"));
    wait_for("the crash", || world.in_town(["status"]).stdout.contains("ended (exit 9)").then_some(()));
    (world, ids)
}

/// What changes from run to run taken out: ids, ages, the world's folder.
fn plain(world: &World, ids: &[String], run: Run) -> String {
    let mut text = run.ok().stdout.replace(&world.real().display().to_string(), "/W");
    for (number, id) in ids.iter().enumerate() {
        // As many cells as before.
        text = text.replace(id.as_str(), &format!("{:width$}", format!("wy-{number}"), width = id.len()));
    }
    ages(&text)
}

/// Ages at the ends of lines become `AGE`.
fn ages(text: &str) -> String {
    let age = |word: &str| {
        word.len() >= 2
            && word.ends_with(['s', 'm'])
            && word[..word.len() - 1].chars().all(|c| c.is_ascii_digit())
    };
    let line = |line: &str| match line.rsplit_once(' ') {
        Some((before, word)) if age(word) => format!("{} AGE\n", before.trim_end()),
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

#[test]
fn the_town_in_a_pipe_is_whole() {
    let (world, ids) = busy_town();
    let text = plain(&world, &ids, world.in_town(["status"]));
    insta::assert_snapshot!(text, @r"
    town  /W/town
    overseer  no unread mail
    mayor     not running
    deacon    not running

    wyvern  5 of 4 polecats, 1 ready, queue empty, store embedded
      witness   not running
      refinery  not running
      * Ace   working    wy-0    Read a file of more than one megabyte without a single copy of it 🐉 AGE
      ~ Bolt  waiting    wy-1    Ask 漢字 a person AGE
      ! Cog   crashed    wy-2    ended (exit 9): Crash AGE
      ~ Dag   submitted  wy-3    Wait to be merged AGE
      ! Echo  hooked     wy-4    no session: Not begun AGE
    ");
    assert_eq!(text, plain(&world, &ids, world.in_town(["status", "wyvern"])));
    world.set("LC_ALL", "C");
    let ascii = world.in_town(["status"]).ok().stdout;
    assert!(ascii.is_ascii() && ascii.contains("a single copy of it ?"), "{ascii}");
}

#[test]
fn the_town_as_json() {
    let (world, ids) = busy_town();
    let town = &world.in_town(["status", "--json"]).ok().json()["town"];
    let rig = &town["rigs"][0];
    let seen: Vec<_> = rig["polecats"]
        .as_array()
        .unwrap()
        .iter()
        .map(|polecat| {
            format!("{} {} {}", polecat["name"], polecat["place"], polecat["state"]).replace('"', "")
        })
        .collect();
    let wanted = [
        "Ace working working",
        "Bolt working waiting",
        "Cog crashed ended (exit 9)",
        "Dag submitted null",
        "Echo hooked null",
    ];
    assert_eq!(seen, wanted);
    assert_eq!(rig["polecats"][0]["bead"], ids[0]);
    assert_eq!((&rig["ready"], &rig["free_slots"], &rig["max_workers"]), (&1.into(), &0.into(), &4.into()));
    assert_eq!(rig["store"]["kind"], "embedded");
    let polecats = &world.in_town(["polecats", "wyvern", "--json"]).ok().json()["polecats"];
    assert_eq!(polecats, &rig["polecats"]);
}

#[test]
fn a_store_that_cannot_be_read_is_not_an_empty_one() {
    let (world, _) = busy_town();
    world.write(
        "town/mayor/rig/../../wyvern/mayor/rig/.beads/gastown.db",
        "not a database at all, by no means",
    );
    let text = world.in_town(["status"]).ok().stdout;
    assert!(text.contains("unreadable: "), "{text}");
    assert!(!text.contains(" ready") && !text.contains("queue"), "{text}");
    assert!(text.contains("~ Ace "), "{text}");
    let run = world.in_town(["polecats", "wyvern"]).fails(1);
    assert!(run.stderr.contains("cannot be read"), "{}", run.stderr);
}

#[test]
fn without_sessions_to_see_nothing_is_said_to_have_crashed() {
    let (world, _) = busy_town();
    world.program("tmux", "#!/bin/sh\necho 'server exited unexpectedly' >&2\nexit 1\n");
    let text = world.in_town(["status"]).ok().stdout;
    assert!(!text.contains("crashed"), "{text}");
    assert!(text.contains("~ Cog   unknown"), "{text}");
    assert!(text.contains("~ Dag   submitted"), "{text}");
}

#[test]
fn the_persons_mail_is_counted() {
    let world = World::with_rig();
    let send = |words: &[&str]| world.in_town(words).ok();
    send(&["mail", "send", "overseer", "-s", "hello", "-m", "x"]);
    send(&["mail", "send", "overseer", "-s", "again", "-m", "x"]);
    send(&["mail", "send", "mayor/", "-s", "not yours", "-m", "x"]);
    let mail = send(&["mail", "inbox", "--json"]).json();
    assert!(world.in_town(["status"]).ok().stdout.contains("overseer  2 unread mail\n"));
    send(&["mail", "read", mail["messages"][0]["id"].as_str().unwrap()]);
    assert!(world.in_town(["status"]).ok().stdout.contains("overseer  1 unread mail\n"));
    send(&["bd", "create", "from bd", "--type", "message", "--assignee", "overseer"]);
    let status = world.in_town(["status"]).ok().stdout;
    assert!(status.contains("overseer  unread mail: 1, and 1 from outside this town\n"), "{status}");
}

#[test]
fn colours_and_symbols_are_for_terminals() {
    let (world, _) = busy_town();
    assert!(!world.in_town(["status"]).ok().stdout.contains('\x1b'));
    let forced = world.in_town(["status", "--color", "always"]).ok().stdout;
    assert!(forced.contains("\x1b[31m  \u{2717} Cog"), "{forced}");
    world.set("LC_ALL", "C");
    let forced = world.in_town(["status", "--color", "always"]).ok().stdout;
    assert!(forced.contains("\x1b[31m  ! Cog") && forced.is_ascii(), "{forced}");
}

#[test]
fn watching_follows_and_leaves_the_terminal_as_it_was() {
    let (world, _) = busy_town();
    let terminal = Terminal::open(&world, &format!("echo before; cd town && {} status --watch", gt()));
    wait_for("the town", || terminal.screen().contains("wyvern").then_some(()));
    let shown = terminal.screen();
    assert!(!shown.contains("before") && shown.contains("without a single copy of it\u{2026} "), "{shown}");
    let id = polecat(&world, "Fox", "Came later", None);
    wait_for("the change", || terminal.screen().contains(&id).then_some(()));
    terminal.keys(&["C-c"]);
    assert_eq!(terminal.ended(), 0);
    wait_for("the old screen", || terminal.screen().contains("before").then_some(()));
    assert!(!terminal.screen().contains("wyvern"));
}

#[test]
fn watching_ends_when_nothing_reads_it_any_more() {
    let world = World::with_rig();
    let mut command = world.command(gt(), "town");
    let mut gt =
        command.args(["status", "--watch"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    gt.stdout.take().unwrap().read_exact(&mut [0]).unwrap();
    let ended = wait_for("its end", || gt.try_wait().unwrap());
    let mut said = String::new();
    gt.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((ended.code(), said.as_str()), (Some(0), ""));
}

#[test]
fn a_polecat_that_is_gone_takes_no_place_whatever_still_carries_its_address() {
    let world = World::with_rig();
    let gone = world.bead("Handed over", "true");
    let words = ["bd", "update", &gone, "--status", "in_progress", "--assignee", "wyvern/Gone"];
    world.gt_in("town/wyvern", words).ok();
    world.gt_in("town/wyvern", ["bd", "update", &gone, "--add-label", "gt:submitted"]).ok();
    world.gt_in("town/wyvern", ["bd", "create", "a mail", "-t", "message", "-a", "wyvern/Gone", "-q"]).ok();
    let status = world.in_town(["status"]).ok();
    assert!(status.stdout.contains("0 of 4 polecats"), "{status:?}");
    assert!(!status.stdout.contains("Gone"), "{status:?}");
}
