//! Other machines, as `gt remote` shows them.

use crate::common::World;
use crate::common::fugue::Daemon;
use crate::common::sshd::Sshd;

const REMOTES: &str = "[beads]\nstore = \"embedded\"\n\
    [remotes.gaming-pc]\nfugue_addr = \"tcp://localhost:9999\"\nssh = \"user@gaming-pc\"\nmax_workers = 6\n\
    tags = [\"heavy-compute\", \"gpu\"]\n\
    [remotes.box]\nfugue_addr = \"unix:///run/fugue.sock\"\n";

#[test]
fn the_list_shows_what_is_configured_and_asks_nobody() {
    let world = World::with_rig();
    let none = world.in_town(["remote", "list"]).ok();
    assert_eq!(none.stdout, "");
    assert!(none.stderr.starts_with("no remotes; write one in config/town.toml"), "{none:?}");
    world.settings(REMOTES);
    insta::assert_snapshot!(world.in_town(["remote", "list"]).ok().stdout, @r"
    NAME       ADDRESS                 MOST  SSH             TAGS
    box        unix:///run/fugue.sock  -     -               -
    gaming-pc  tcp://localhost:9999    6     user@gaming-pc  heavy-compute,gpu
    ");
    world.set("GASTOWN_FUGUE_ADDR", "tcp://localhost:9998");
    insta::assert_snapshot!(world.in_town(["remote", "list"]).ok().stdout, @r"
    NAME       ADDRESS                 MOST  SSH             TAGS
    box        unix:///run/fugue.sock  -     -               -
    gaming-pc  tcp://localhost:9999    6     user@gaming-pc  heavy-compute,gpu
    -          tcp://localhost:9998    -     -               from GASTOWN_FUGUE_ADDR
    ");
    let json = world.in_town(["remote", "list", "--json"]).ok().json();
    assert_eq!(json["remotes"][1]["tags"], serde_json::json!(["heavy-compute", "gpu"]));
    assert_eq!(json["remotes"][1]["ssh"], "user@gaming-pc");
    assert_eq!(json["remotes"][2]["from"], "GASTOWN_FUGUE_ADDR");
    // The address of a remote has its name, whoever says it.
    world.set("GASTOWN_FUGUE_ADDR", "tcp://localhost:9999");
    assert_eq!(
        world.in_town(["remote", "list", "--json"]).ok().json()["remotes"].as_array().unwrap().len(),
        2
    );
    // Where sessions of the town still are, though nobody speaks of that machine any more.
    let record = serde_json::json!({ "version": 1, "sessions": { "wyvern/Nux": {
        "remote": "gone", "fugue_addr": "tcp://localhost:9997", "session": "gt-wyvern-Nux" } } });
    world.write("town/mayor/remote.json", record.to_string());
    let gone = world.in_town(["remote", "list", "--json"]).ok().json()["remotes"][2].clone();
    assert_eq!((&gone["name"], &gone["from"]), (&"gone".into(), &"mayor/remote.json".into()));
    assert_eq!(gone["agents"], serde_json::json!(["wyvern/Nux"]));
    let text = world.in_town(["remote", "list"]).ok().stdout;
    assert!(
        text.ends_with("tcp://localhost:9997    -     -               from mayor/remote.json\n"),
        "{text}"
    );
    world.set("GASTOWN_FUGUE_ADDR", "localhost");
    assert!(world.in_town(["remote", "list"]).fails(1).stderr.contains("it has no scheme"));
}

/// What changes from run to run taken out: ports, times, and with them the width of columns.
fn plain(text: &str, ports: &[(u16, &str)]) -> String {
    let text =
        ports.iter().fold(text.to_string(), |text, (port, name)| text.replace(&port.to_string(), name));
    let line = |line: &str| {
        let mut cells: Vec<&str> = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
        for cell in cells.iter_mut().filter(|cell| cell.ends_with(" ms")) {
            *cell = "N ms";
        }
        cells.join("  ") + "\n"
    };
    text.lines().map(line).collect()
}

/// Makes a session on a daemon, as somebody would who sits there.
fn session(daemon: &Daemon<'_>, name: &str, tags: &str) {
    daemon.ask(["new-session", "-d", "-s", name, "--tags", tags, "sleep 600"]).ok();
}

#[test]
fn the_status_asks_all_daemons_and_tells_who_is_there() {
    let world = World::with_rig();
    let (far, frozen) = (world.daemon("far"), world.daemon("frozen"));
    let town = gastown::town::Town::find(&world.path("town"), None).unwrap();
    let ours = format!("gt-t-{}", gastown::town::away::town_id(&town).unwrap());
    session(&far, "gt-wyvern-Nux", &format!("remote,{ours},gt-a-wyvern/Nux"));
    session(&far, "theirs", "gt-t-00000000");
    session(&far, "a person's", "worker");
    frozen.freeze();
    let dead = world.dead_addr();
    let dead_port: u16 = dead.rsplit(':').next().unwrap().parse().unwrap();
    world.settings(&format!(
        "[remotes.far]\nfugue_addr = \"{}\"\nmax_workers = 6\ntags = [\"gpu\"]\n\
         [remotes.frozen]\nfugue_addr = \"{}\"\n\
         [remotes.dead]\nfugue_addr = \"tcp://localhost:{dead_port}\"\nssh = \"user@dead\"\n[remotes.blank]\n",
        far.addr, frozen.addr
    ));
    // A session of this town on the silent one, as its records say.
    let record = serde_json::json!({ "version": 1, "sessions": { "wyvern/Toast": {
        "remote": "frozen", "fugue_addr": frozen.addr, "session": "gt-wyvern-Toast" } } });
    world.write("town/mayor/remote.json", record.to_string());
    let ports = [(far.port, "FAR"), (frozen.port, "FROZEN"), (dead_port, "DEAD")];
    let shown = world.in_town(["remote", "status"]).ok();
    assert_eq!(shown.stderr, "");
    insta::assert_snapshot!(plain(&shown.stdout, &ports), @r"
    NAME  ANSWERS  OURS  OTHERS  LATENCY  TUNNEL  TAGS
    blank  no  -  -  -  -  -
    dead  no  -  -  -  down  -
    far  yes  1/6  2  N ms  -  gpu
    frozen  no  -  -  -  -  -
    blank does not answer: it has no fugue_addr
    dead does not answer: connection refused
    hint: is the tunnel up? gt remote tunnel up dead; is the daemon listening over there? fugue-server --listen-tcp 127.0.0.1:DEAD
    frozen does not answer: no answer within 2 s
    hint: the tunnel or the daemon is stuck: is the tunnel up? ssh -N -L FROZEN:localhost:FROZEN USER@MACHINE; is the daemon listening over there? fugue-server --listen-tcp 127.0.0.1:FROZEN
    unreachable: wyvern/Toast
    ");
    let json = world.in_town(["remote", "status", "far", "--json"]).ok().json();
    assert_eq!(json["remotes"].as_array().unwrap().len(), 1);
    let far_line = &json["remotes"][0];
    assert_eq!((&far_line["sessions"], &far_line["others"]), (&1.into(), &2.into()));
    assert!(far_line["latency_ms"].as_f64().unwrap() > 0.0);
    frozen.thaw();
    let json = world.in_town(["remote", "status", &frozen.addr, "--json"]).ok().json();
    assert_eq!(
        (&json["remotes"][0]["reachable"], &json["remotes"][0]["sessions"]),
        (&true.into(), &0.into())
    );
    let run = world.in_town(["remote", "status", "nowhere"]).fails(2);
    assert!(run.stderr.contains("there is: blank, dead, far, frozen"), "{run:?}");
}

#[test]
fn five_daemons_are_asked_at_once_with_one_process_each() {
    let world = World::with_rig();
    let daemons = ["a", "b", "c", "d", "e"].map(|name| world.daemon(name));
    let settings =
        |daemon: &Daemon<'_>| format!("[remotes.at{}]\nfugue_addr = \"{}\"\n", daemon.port, daemon.addr);
    world.settings(&daemons.iter().map(settings).collect::<String>());
    // A program that only goes on once all five run: one after the other, each would be too late.
    let (real, log) = (world.str("fugue-bin/fugue-compat"), world.str("begun"));
    world.program(
        "fugue-compat",
        &format!(
            "#!/bin/sh\ncase $1 in --help) exec {real} --help ;; esac\necho \"$*\" >> {log}\n\
             until [ \"$(wc -l < {log})\" -ge 5 ]; do sleep 0.02; done\nexec {real} \"$@\"\n"
        ),
    );
    let shown = world.in_town(["remote", "status", "--json"]).ok().json();
    let silent: Vec<_> =
        shown["remotes"].as_array().unwrap().iter().filter(|one| one["reachable"] == false).collect();
    assert!(silent.is_empty(), "{silent:?}");
    assert_eq!(world.read("begun").lines().count(), 5);
}

#[test]
fn a_remote_whose_program_is_missing_is_no_empty_one() {
    let world = World::with_rig();
    world.settings("[remotes.far]\nfugue_addr = \"tcp://localhost:9999\"\n");
    world.set("GASTOWN_MULTIPLEXER_BIN", "no-such-program");
    let run = world.in_town(["remote", "status"]).ok();
    assert!(
        run.stdout.contains("far does not answer: fugue's program no-such-program is not installed"),
        "{run:?}"
    );
}

#[test]
fn through_a_tunnel_of_gts_the_status_tells_of_both() {
    let world = World::with_rig();
    let mut sshd = Sshd::start(&world);
    let far = world.daemon("far");
    let local = crate::common::sshd::free_port();
    world.settings(&format!(
        "[remotes.pc]\nfugue_addr = \"tcp://localhost:{local}\"\nssh = \"pc\"\nlistens = \"{}\"\n",
        far.addr
    ));
    let status = || world.in_town(["remote", "status", "--json"]).ok().json()["remotes"][0].clone();
    let down = status();
    assert_eq!((&down["reachable"], &down["tunnel"]["state"]), (&false.into(), &"down".into()));
    let hint = format!(
        "is the tunnel up? gt remote tunnel up pc; is the daemon listening over there, at {}?",
        far.addr
    );
    assert_eq!(down["hint"], hint);
    world.in_town(["remote", "tunnel", "up"]).ok();
    let up = status();
    assert_eq!((&up["reachable"], &up["tunnel"]["state"]), (&true.into(), &"up".into()));
    // A daemon behind a tunnel that works.
    far.kill();
    let nobody = status();
    assert_eq!((&nobody["reachable"], &nobody["tunnel"]["state"]), (&false.into(), &"up".into()));
    sshd.kill();
    crate::common::wait_for("the drop", || (status()["tunnel"]["state"] == "failing").then_some(()));
    let text = world.in_town(["remote", "status"]).ok().stdout;
    assert!(text.contains("pc does not answer: ") && text.contains("its tunnel: ssh pc: "), "{text}");
    world.in_town(["remote", "tunnel", "down"]).ok();
}

/// The remote `pc`: a daemon behind an sshd, whose tunnel gt is to keep.
fn behind_ssh(world: &World) -> (Sshd, Daemon<'_>) {
    let (sshd, far) = (Sshd::start(world), world.daemon("far"));
    let local = crate::common::sshd::free_port();
    world.settings(&format!(
        "[beads]\nstore = \"embedded\"\n[agents.waits]\ncommand = [\"sleep\", \"600\"]\nprompt = \"none\"\n\
         [remotes.pc]\nfugue_addr = \"tcp://localhost:{local}\"\nssh = \"pc\"\nlistens = \"{}\"\ntown = \"{}\"\n\
         tags = [\"gpu\"]\n",
        far.addr,
        world.str("far/the gt")
    ));
    for role in ["POLECAT", "MAYOR"] {
        world.set(&format!("GASTOWN_{role}__AGENT"), "waits");
    }
    (sshd, far)
}

#[test]
fn who_starts_something_there_opens_the_tunnel_first() {
    let world = World::with_rig();
    let (mut sshd, far) = behind_ssh(&world);
    let state =
        || world.in_town(["remote", "tunnel", "status", "--json"]).ok().json()["tunnels"][0]["state"].clone();
    let down = || world.in_town(["remote", "tunnel", "down"]).ok();
    let bead = world.bead("Render", "true");
    world.in_town(["sling", &bead, "wyvern", "--dry-run"]).ok();
    world.in_town(["sling", "A title", "wyvern", "--remote", "pc", "--dry-run"]).ok();
    let plan = world.in_town(["sling", &bead, "wyvern", "--remote", "pc", "--dry-run"]).ok().stdout;
    assert!(plan.contains("; its tunnel is opened first"), "{plan}");
    world.in_town(["mayor", "start", "--remote", "pc", "--dry-run"]);
    assert_eq!(state(), "down");
    // Work that stays here opens nothing.
    let other = world.bead("Here", "true");
    world.in_town(["sling", &other, "wyvern"]).ok();
    assert_eq!(state(), "down");
    world.in_town(["sling", &bead, "wyvern", "--tag", "gpu"]).ok();
    assert_eq!(state(), "up");
    assert_eq!(far.sessions().len(), 1);
    for words in
        [&["sling", "A title", "wyvern", "--remote", "pc"][..], &["mayor", "start", "--remote", "pc"]]
    {
        down();
        world.in_town(words).ok();
        assert_eq!(state(), "up", "{words:?}");
    }
    assert_eq!(far.sessions().len(), 3);
    down();
    sshd.kill();
    let last = world.bead("Last", "true");
    for words in
        [&["sling", &last, "wyvern", "--remote", "pc"][..], &["sling", "No bead", "wyvern", "--remote", "pc"]]
    {
        let run = world.in_town(words).fails(1);
        assert!(run.stderr.starts_with("gt: ssh pc: connect to host 127.0.0.1 port"), "{run:?}");
    }
    assert_eq!(world.show(&last)["status"], "open");
    assert!(!world.in_town(["bd", "list", "--json"]).ok().stdout.contains("No bead"));
}

#[test]
fn a_tunnel_of_the_persons_own_is_used_as_it_is() {
    let world = World::with_rig();
    let (_sshd, far) = behind_ssh(&world);
    // Somebody listens where the tunnel would begin: the daemon itself, as behind any tunnel.
    let settings = world.read("home/.config/gastown/config.toml");
    let begins = settings.lines().find(|line| line.starts_with("fugue_addr")).unwrap();
    world.settings(&settings.replace(begins, &format!("fugue_addr = \"{}\"", far.addr)));
    let bead = world.bead("Render", "true");
    world.in_town(["sling", &bead, "wyvern", "--remote", "pc"]).ok();
    assert_eq!(far.sessions().len(), 1);
    let status = world.in_town(["remote", "tunnel", "status", "--json"]).ok().json();
    assert_eq!(status["tunnels"][0]["state"], "down");
}
