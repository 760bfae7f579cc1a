//! A town whose sessions are here and elsewhere, on its own screens.

use crate::common::fugue::Daemon;
use crate::common::terminal::Terminal;
use crate::common::{World, gt, wait_for};

/// The Mayor here; Nux on `far`; Toast on `box`, whose daemon is dead; Ace here, begun and gone.
struct Hybrid<'a> {
    world: &'a World,
    far: Daemon<'a>,
    dead: String,
    beads: Vec<String>,
}

fn hybrid(world: &World) -> Hybrid<'_> {
    let (far, dead) = (world.daemon("far"), world.dead_addr());
    world.settings(&format!(
        "[beads]\nstore = \"embedded\"\n[agents.waits]\ncommand = [\"sleep\", \"600\"]\nprompt = \"none\"\n\
         [remotes.far]\nfugue_addr = \"{}\"\n[remotes.box]\nfugue_addr = \"{dead}\"\nssh = \"user@box\"\n",
        far.addr
    ));
    let town = gastown::town::Town::find(&world.path("town"), None).unwrap();
    let id = gastown::town::away::town_id(&town).unwrap();
    let mut beads = Vec::new();
    for (name, remote) in [("Nux", Some("far")), ("Toast", Some("box")), ("Ace", None)] {
        let bead = world.bead(&format!("Work of {name}"), "true");
        let address = format!("wyvern/{name}");
        let mut words = vec!["bd", "update", &bead, "--status", "in_progress", "--assignee", &address];
        let label = format!("gt:remote:{}", remote.unwrap_or_default());
        if remote.is_some() {
            words.extend(["--add-label", &label]);
        }
        world.gt_in("town/wyvern", words).ok();
        world.write(format!("town/wyvern/polecats/.names/{name}"), name);
        beads.push(bead);
    }
    let tags = format!("remote,gt-i-Nux,gt-t-{id},gt-a-wyvern/Nux,gt-b-{}", beads[0]);
    far.ask(["new-session", "-d", "-s", "gt-wyvern-Nux", "--tags", &tags, "echo I am Nux; exec sleep 600"])
        .ok();
    let own = far.session("gt-wyvern-Nux").unwrap().id;
    let record = |remote: &str, addr: &str, name: &str, id: &str| {
        serde_json::json!({ "remote": remote, "fugue_addr": addr, "session": format!("gt-wyvern-{name}"), "id": id,
            "instance": name, "bead": "wy-x" })
    };
    let records = serde_json::json!({ "version": 1, "sessions": {
        "wyvern/Nux": record("far", &far.addr, "Nux", &own), "wyvern/Toast": record("box", &dead, "Toast", "1") } });
    world.write("town/mayor/remote.json", records.to_string());
    world.set("GASTOWN_MAYOR__AGENT", "waits");
    world.in_town(["mayor", "start"]).ok();
    Hybrid { world, far, dead, beads }
}

impl Hybrid<'_> {
    /// What gt says, without what changes from run to run.
    fn plain(&self, words: &[&str]) -> String {
        let run = self.world.in_town(words).ok();
        let mut text = (run.stdout + &run.stderr).replace(&self.world.real().display().to_string(), "/W");
        for (number, bead) in self.beads.iter().enumerate() {
            text = text.replace(bead, &format!("wy-{number}"));
        }
        let line = |line: &str| {
            let cells = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty());
            let age =
                |cell: &str| cell.len() < 4 && cell.ends_with('s') && cell.as_bytes()[0].is_ascii_digit();
            let mut cells: Vec<String> = cells.filter(|cell| !age(cell)).map(String::from).collect();
            for cell in &mut cells {
                if let Some((before, _)) =
                    cell.split_once(" ms").and_then(|(before, _)| before.rsplit_once(' '))
                {
                    *cell = format!("{before} N ms");
                }
                if let Some(rest) = cell.strip_prefix("working ").and_then(|rest| rest.split_once(", ")) {
                    *cell = format!("working AGE, {}", rest.1);
                }
            }
            cells.join("  ") + "\n"
        };
        text.lines().map(line).collect()
    }
}

#[test]
fn every_screen_shows_where_each_session_lives_and_a_dead_daemon_as_such() {
    let world = World::with_rig();
    let hybrid = hybrid(&world);
    let mut shown = String::new();
    for words in [
        &["status"][..],
        &["polecats", "wyvern"],
        &["session", "list"],
        &["agents"],
        &["witness", "status", "wyvern"],
    ] {
        shown += &format!("$ gt {}\n{}\n", words.join(" "), hybrid.plain(words));
    }
    insta::assert_snapshot!(shown, @r"
    $ gt status
    town  /W/town
    box does not answer: connection refused; unreachable: wyvern/Toast
    overseer  no unread mail
    mayor  working AGE, session hq-mayor
    deacon  not running
    remote  far: 1 session, N ms

    wyvern  3 of 4 polecats, 0 ready, queue empty, store embedded
    witness  not running
    refinery  not running
    ! Ace  crashed  wy-2  Work of Ace
    * Nux on far  working  wy-0  Work of Nux
    ! Toast on box  unreachable  wy-1  Work of Toast

    $ gt polecats wyvern
    ! Ace  crashed  wy-2  Work of Ace
    * Nux on far  working  wy-0  Work of Nux
    ! Toast on box  unreachable  wy-1  Work of Toast
    box does not answer: connection refused; unreachable: wyvern/Toast

    $ gt session list
    ADDRESS  STATE  BEAD  AGE  SESSION
    mayor/  working  hq-mayor
    wyvern/Nux  working  wy-0  gt-wyvern-Nux on far
    wyvern/Toast  unreachable  on box
    box does not answer: connection refused; unreachable: wyvern/Toast

    $ gt agents
    ADDRESS  STATE  BEAD  AGE  SESSION
    mayor/  working  hq-mayor
    wyvern/Nux  working  wy-0  gt-wyvern-Nux on far
    wyvern/Toast  unreachable  on box
    box does not answer: connection refused; unreachable: wyvern/Toast

    $ gt witness status wyvern
    wyvern/witness: not running
    ! Ace  crashed  wy-2  Work of Ace
    * Nux on far  working  wy-0  Work of Nux
    ! Toast on box  unreachable  wy-1  Work of Toast
    box does not answer: connection refused; unreachable: wyvern/Toast
    ");
}

#[test]
fn in_json_they_carry_their_remote_and_what_is_unreachable_is_not_said_to_be_dead() {
    let world = World::with_rig();
    let hybrid = hybrid(&world);
    let town = &world.in_town(["status", "--json"]).ok().json()["town"];
    let polecats = town["rigs"][0]["polecats"].as_array().unwrap();
    let seen: Vec<String> = polecats
        .iter()
        .map(|own| format!("{} {} {}", own["name"], own["place"], own["remote"]).replace('"', ""))
        .collect();
    assert_eq!(seen, ["Ace crashed null", "Nux working far", "Toast unreachable box"]);
    let silent = town["daemons"].as_array().unwrap().iter().find(|one| one["remote"] == "box").unwrap();
    assert_eq!(
        (&silent["silent"], &silent["fugue_addr"]),
        (&"connection refused".into(), &hybrid.dead.clone().into())
    );
    assert!(silent["hint"].as_str().unwrap().contains("gt remote tunnel up box"), "{silent}");
    assert_eq!(town["unreachable"]["wyvern/Toast"], "box");
    let sessions = world.in_town(["session", "list", "--json"]).ok().json()["sessions"].clone();
    let alive: Vec<_> = sessions.as_array().unwrap().iter().map(|one| one["alive"].clone()).collect();
    assert_eq!(alive, [true.into(), true.into(), serde_json::Value::Null]);
    // Once everybody is gone from other machines, nothing of them is left to see.
    std::fs::remove_file(world.path("town/mayor/remote.json")).unwrap();
    world.settings("[beads]\nstore = \"embedded\"\n");
    let town = &world.in_town(["status", "--json"]).ok().json()["town"];
    assert!(town.get("daemons").is_none() && town.get("unreachable").is_none(), "{town}");
}

#[test]
fn attach_goes_there_or_says_why_it_cannot() {
    let world = World::with_rig();
    let hybrid = hybrid(&world);
    let run = world.in_town(["attach", "Toast"]).fails(1);
    assert!(
        run.stderr
            .starts_with("gt: wyvern/Toast is on box, which does not answer: connection refused\nhint: "),
        "{run:?}"
    );
    assert!(run.stderr.contains("gt remote tunnel up box"), "{run:?}");
    let run = world.in_town(["attach", "wyvern/Nux"]).fails(1);
    assert!(run.stderr.contains(&format!("/fugue --addr {}", hybrid.far.addr)), "{run:?}");
    // The interactive program, with the daemon's address; it cannot be told which session.
    let link = world.path("fugue-bin/fugue");
    std::fs::remove_file(&link).unwrap();
    world.program("../fugue-bin/fugue", "#!/bin/sh\necho \"shows $*\"\n");
    let terminal = Terminal::open(&world, &format!("cd town && {} attach Nux", gt()));
    wait_for("the program", || {
        terminal.screen().contains(&format!("shows --addr {}", hybrid.far.addr)).then_some(())
    });
    assert_eq!(terminal.ended(), 0);
    assert!(world.read("terminal-errors").contains("choose gt-wyvern-Nux in the list"));
}

#[test]
fn a_screen_is_read_wherever_it_is() {
    let world = World::with_rig();
    let hybrid = hybrid(&world);
    let screen = wait_for("the screen over there", || {
        Some(world.in_town(["capture", "Nux"]).ok().stdout).filter(|screen| screen.trim() != "")
    });
    assert_eq!(screen, "I am Nux\n");
    let run = world.in_town(["capture", "Toast"]).fails(1);
    assert!(run.stderr.starts_with("gt: wyvern/Toast is on box, which does not answer"), "{run:?}");
    drop(hybrid);
    world.tmux(["send-keys", "-t", "=hq-mayor:", "first", "Enter", "second", "Enter"]).ok();
    let read = |lines: &str| world.in_town(["capture", "mayor/", "-n", lines, "--json"]).ok().json();
    let all = wait_for("the text here", || {
        Some(read("9")["capture"].clone()).filter(|all| all["screen"].as_str().unwrap().contains("second"))
    });
    assert_eq!((&all["session"], &all["alive"]), (&"hq-mayor".into(), &true.into()));
    assert_eq!(read("1")["capture"]["screen"], "second");
}

#[test]
fn a_daemon_that_comes_back_is_believed_again() {
    let world = World::with_rig();
    let hybrid = hybrid(&world);
    let place = |name: &str| {
        let all = world.in_town(["polecats", "wyvern", "--json"]).ok().json()["polecats"].clone();
        let own = all.as_array().unwrap().iter().find(|own| own["name"] == name).unwrap().clone();
        format!("{} {}", own["place"], own["state"]).replace('"', "")
    };
    assert_eq!(place("Nux"), "working working");
    hybrid.far.freeze();
    assert_eq!(place("Nux"), "unreachable null");
    let status = world.in_town(["mayor", "status"]).ok().stdout;
    assert!(status.starts_with("mayor/: "), "{status}");
    hybrid.far.thaw();
    wait_for("the answer", || (place("Nux") == "working working").then_some(()));
    // After its restart the session is an empty shell of the same id: its agent is dead.
    hybrid.far.restart();
    assert_eq!(place("Nux"), "crashed ended");
    assert_eq!(world.in_town(["polecats", "wyvern", "--json"]).ok().json()["polecats"][1]["remote"], "far");
}
