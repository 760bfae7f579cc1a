//! FEAT-070, polecats on other machines: the tests that the source documents 000 and 001 name, through the real program,
//! real git, real tmux, real ssh, and a daemon on loopback.

mod line;
mod local;

use serde_json::{Value, json};

use crate::common::fugue::Daemon;
use crate::common::sshd::{Sshd, free_port};
use crate::common::{Run, WAITS, World, wait_for};
use crate::flow::Scene;
use line::Line;

/// A town here and a daemon on a machine with another home, where the town is another folder.
fn two(world: &World) -> Daemon<'_> {
    let far = world.daemon("far");
    world.set("GASTOWN_REMOTE_TOWN", &world.str("far/gt"));
    world.settings(WAITS);
    far
}

fn sling(world: &World, words: &[&str]) -> Run {
    world.in_town(["sling"].iter().chain(words))
}

/// Where `gt sling --dry-run` would put it, and why.
fn place(world: &World, bead: &str, words: &[&str]) -> Value {
    let words = [&["sling", bead, "wyvern", "--dry-run", "--json"], words].concat();
    world.in_town(words).ok().json()["plan"][0]["place"].clone()
}

fn address(place: &Value) -> &str {
    place["remote"]["fugue_addr"].as_str().unwrap_or("here")
}

/// Waits until a polecat over there has handed its work in, and takes it home: the request.
fn comes_home(world: &World, bead: &str) {
    world.letters();
    let said = world.in_town(["remote", "sync", "wyvern"]).ok();
    assert!(said.stdout.starts_with(&format!("{bead}  submitted")), "{said:#?}");
}

/// The place of a bead, as `gt status --json` tells it for its polecat.
fn status(world: &World) -> Value {
    world.in_town(["status", "--json"]).ok().json()
}

fn polecat(world: &World, address: &str) -> Value {
    let listed = world.in_town(["polecats", "wyvern", "--json"]).ok().json();
    let polecats = listed["polecats"].as_array().unwrap();
    polecats.iter().find(|own| own["address"] == address).cloned().unwrap_or_default()
}

#[test]
fn url_parsing_and_validation() {
    let world = World::with_rig();
    world.with_fugue();
    let bead = world.bead("Look", "true");
    let before = Scene::of(&world);
    let wrong = [
        ("localhost:9999", "it has no scheme"),
        ("/run/fugue.sock", "it has no scheme"),
        ("http://localhost:9999", "the scheme 'http' is neither unix nor tcp"),
        ("tls://localhost:9999", "the scheme 'tls' is neither unix nor tcp"),
        ("tcp://:9999", "it has no host"),
        ("tcp://localhost", "it has no port"),
        ("tcp://localhost:0", "nothing can listen on port 0"),
        ("tcp://localhost:70000", "its port is not a number from 1 to 65535"),
        ("tcp://::1:9999", "an IPv6 address stands in brackets"),
        ("tcp://me@localhost:9999", "it names a user"),
        ("tcp://localhost:9999/x", "it has a path ('/x')"),
        ("tcp://localhost:9999?x=1", "it has a query"),
        ("tcp://localhost:9999#x", "it has a fragment"),
        ("unix://", "it names no socket"),
        ("unix://run/fugue.sock", "its path is not absolute"),
    ];
    for (address, why) in wrong {
        let says = |run: Run, by: &str| {
            assert!(run.stderr.contains(why), "{address} {by}: {run:#?}");
            assert!(run.stderr.contains("hint: an address looks like "), "{address} {by}: {run:#?}");
            assert_eq!(run.stdout, "");
        };
        says(sling(&world, &[&bead, "wyvern", "--fugue-addr", address]).fails(2), "by hand");
        world.set("GASTOWN_FUGUE_ADDR", address);
        says(sling(&world, &[&bead, "wyvern"]).fails(1), "by the variable");
        says(world.in_town(["status"]).fails(1), "in status");
        world.unset("GASTOWN_FUGUE_ADDR");
        world.write("town/config/presets/far.toml", format!("[polecat]\nfugue_addr = \"{address}\"\n"));
        let run = sling(&world, &[&bead, "wyvern", "--preset", "far"]).fails(1);
        assert!(run.stderr.contains("far.toml:2:14: polecat.fugue_addr"), "{run:#?}");
        says(run, "in a preset");
    }
    std::fs::remove_file(world.path("town/config/presets/far.toml")).unwrap();
    for address in ["tcp://localhost:1", "tcp://[::1]:1", "unix:///no/such.sock"] {
        let run = sling(&world, &[&bead, "wyvern", "--fugue-addr", address]).fails(1);
        assert!(run.stderr.contains(&format!("cannot reach the fugue daemon at {address}")), "{run:#?}");
    }
    assert_eq!(Scene::of(&world).without_times(), before.without_times());
}

#[test]
fn environment_variable_handling() {
    let world = World::with_rig();
    let (one, two) = (world.daemon("one"), world.daemon("two"));
    let bead = world.bead("Look", "true");
    // Unset, and empty: here.
    assert_eq!(place(&world, &bead, &[]), json!({ "remote": null, "why": ["no address counts"] }));
    world.set("GASTOWN_FUGUE_ADDR", "");
    assert_eq!(address(&place(&world, &bead, &[])), "here");
    // Set, per command: it is read when something is started.
    world.set("GASTOWN_FUGUE_ADDR", &one.addr);
    let there = place(&world, &bead, &[]);
    assert_eq!(address(&there), one.addr);
    assert_eq!(there["why"][0], format!("GASTOWN_FUGUE_ADDR: {}", one.addr));
    world.set("GASTOWN_FUGUE_ADDR", &two.addr);
    assert_eq!(address(&place(&world, &bead, &[])), two.addr);
    // Over the preset's, under the hand's; the role's own variable over the one for all.
    assert_eq!(address(&place(&world, &bead, &["--preset", "remote-polecat"])), two.addr);
    assert_eq!(address(&place(&world, &bead, &["--fugue-addr", &one.addr])), one.addr);
    assert_eq!(address(&place(&world, &bead, &["--local"])), "here");
    world.set("GASTOWN_POLECAT__FUGUE_ADDR", &one.addr);
    assert_eq!(address(&place(&world, &bead, &[])), one.addr);
    world.unset("GASTOWN_POLECAT__FUGUE_ADDR");
    // Only for whoever may be elsewhere.
    world.set("GASTOWN_POLECAT__PLACEMENT", "local");
    assert_eq!(address(&place(&world, &bead, &[])), "here");
    world.unset("GASTOWN_POLECAT__PLACEMENT");
    let mayor = world.in_town(["mayor", "start", "--dry-run", "--json"]).ok().json();
    assert_eq!(mayor["plan"][0]["spec"]["away"], Value::Null);
    // The old name.
    world.unset("GASTOWN_FUGUE_ADDR");
    world.set("GASTOWN_CCMUX_ADDR", &one.addr);
    let run = world.in_town(["sling", &bead, "wyvern", "--dry-run"]).ok();
    assert!(run.stdout.contains(&format!("GASTOWN_CCMUX_ADDR: {}", one.addr)), "{run:#?}");
    assert_eq!(
        run.stderr,
        "warning: GASTOWN_CCMUX_ADDR is the old name of GASTOWN_FUGUE_ADDR and still counts\n"
    );
    world.set("GASTOWN_FUGUE_ADDR", &two.addr);
    let run = world.in_town(["sling", &bead, "wyvern", "--dry-run"]).ok();
    assert!(run.stdout.contains(&format!("GASTOWN_FUGUE_ADDR: {}", two.addr)), "{run:#?}");
    assert!(run.stderr.contains("is ignored: that one is set too"), "{run:#?}");
    // fugue's own variable says nothing to gt.
    world.unset("GASTOWN_FUGUE_ADDR");
    world.unset("GASTOWN_CCMUX_ADDR");
    world.set("FUGUE_ADDR", &one.addr);
    assert_eq!(address(&place(&world, &bead, &[])), "here");
}

/// What fugue's program is called with: the address, and one word for the shell over there.
#[test]
fn spawn_command_construction() {
    let world = World::with_rig();
    let far = two(&world);
    world.count_calls(&["fugue-compat"]);
    world.set("GASTOWN_POLECAT__AGENT", "waits");
    world.set("GASTOWN_POLECAT__TAGS", "heavy-compute,remote");
    let bead = world.bead("It's \"so\" $(touch pwned)", "true");
    world.calls("fugue-compat");
    sling(&world, &[&bead, "wyvern/Nux", "--fugue-addr", &far.addr]).ok();
    let calls = world.calls("fugue-compat").join("\n");
    let made = calls.find(" new-session ").unwrap_or_else(|| panic!("no session was made: {calls}"));
    let before = calls[..made].lines().last().unwrap();
    assert_eq!(before, format!("--addr {}", far.addr), "the address comes first");
    let call = calls[made..].lines().next().unwrap();
    assert!(call.contains(" -d --name=gt-wyvern-Nux "), "{call}");
    assert!(call.contains(" --tags=heavy-compute,remote,gt-i-"), "{call}");
}

/// The same in the documents' own dialect, which only the stand-in speaks; without an address none is passed.
#[test]
fn spawn_command_construction_as_the_documents_have_it() {
    let world = World::with_rig();
    world.with_fugue_client();
    let far = two(&world);
    world.count_calls(&["fugue-client"]);
    world.set("GASTOWN_POLECAT__AGENT", "waits");
    world.set("GASTOWN_FUGUE_ADDR", &far.addr);
    let bead = world.bead("Look", "true");
    sling(&world, &[&bead, "wyvern/Nux"]).ok();
    let calls = world.calls("fugue-client").join("\n");
    assert!(calls.contains(&format!("--addr {} new-pane --name gt-wyvern-Nux ", far.addr)), "{calls}");
    world.unset("GASTOWN_FUGUE_ADDR");
    world.set("GASTOWN_POLECAT__MULTIPLEXER", "fugue");
    world.set("XDG_RUNTIME_DIR", &world.str("far/run"));
    let bead = world.bead("Look again", "true");
    sling(&world, &[&bead, "wyvern/Toast"]).ok();
    let calls = world.calls("fugue-client").join("\n");
    assert!(calls.lines().any(|line| line.starts_with("new-pane --name gt-wyvern-Toast ")), "{calls}");
    let listed = world.in_town(["session", "list"]).ok().stdout;
    assert_eq!(listed.lines().count(), 3, "{listed}");
    assert!(listed.contains("gt-wyvern-Toast on fugue"), "{listed}");
}

/// The example workflow of the documents: a daemon that listens on its own machine only, a tunnel of the person's own, one
/// variable. Then the same with a tunnel that gt keeps.
#[test]
fn remote_execution() {
    let world = World::with_rig();
    let far = two(&world);
    let _sshd = Sshd::start(&world);
    let near = free_port();
    let mut tunnel = world.command(world.path("bin/ssh"), "");
    tunnel.args(["-N", "-L", &format!("{near}:127.0.0.1:{}", far.port), "pc"]);
    let mut tunnel = tunnel.spawn().unwrap();
    wait_for("the tunnel", || std::net::TcpStream::connect(("127.0.0.1", near)).ok());
    world.set("GASTOWN_FUGUE_ADDR", &format!("tcp://localhost:{near}"));
    let bead = world.bead("Write it", "echo \"$HOME\" >home.txt");
    sling(&world, &[&bead, "wyvern/Nux"]).ok();
    comes_home(&world, &bead);
    world.in_town(["refinery", "process", "wyvern"]).ok();
    assert_eq!(world.git("origin.git", ["show", "main:home.txt"]), world.str("far/home"));
    assert_eq!(world.show(&bead)["status"], "closed");
    assert!(!world.path("town/wyvern/polecats/Nux").exists(), "nothing was made here");
    tunnel.kill().unwrap();
    tunnel.wait().unwrap();
    // Rolled back by unsetting: what comes next is here.
    world.unset("GASTOWN_FUGUE_ADDR");
    let bead = world.bead("Write more", "echo \"$HOME\" >more.txt");
    assert_eq!(address(&place(&world, &bead, &[])), "here");

    let near = free_port();
    world.settings(&format!(
        "[beads]\nstore = \"embedded\"\n[remotes.pc]\nfugue_addr = \"tcp://localhost:{near}\"\nssh = \"pc\"\n\
         listens = \"tcp://127.0.0.1:{}\"\ntown = \"{}\"\n",
        far.port,
        world.str("far/gt")
    ));
    sling(&world, &[&bead, "wyvern/Toast", "--remote", "pc"]).ok();
    let status = world.in_town(["remote", "status", "--json"]).ok().json();
    assert_eq!(status["remotes"][0]["reachable"], true, "{status}");
    // The work needs no tunnel any more.
    world.in_town(["remote", "tunnel", "down"]).ok();
    comes_home(&world, &bead);
    world.in_town(["refinery", "process", "wyvern"]).ok();
    assert_eq!(world.git("origin.git", ["show", "main:more.txt"]), world.str("far/home"));
}

#[test]
fn hybrid_mayor_here_polecats_there() {
    let world = World::with_rig();
    let far = two(&world);
    world.set("GASTOWN_FUGUE_ADDR", &far.addr);
    world.set("GASTOWN_MAYOR__AGENT", "waits");
    world.set("GASTOWN_POLECAT__AGENT", "waits");
    world.in_town(["mayor", "start"]).ok();
    assert_ne!(world.session_of("mayor/"), "", "the Mayor is here");
    assert_eq!(far.sessions(), []);
    // What the Mayor slings goes there: his session has the variable.
    let pane = world.session_of("mayor/");
    let env = world.tmux(["show-environment", "-t", &pane, "GASTOWN_FUGUE_ADDR"]).ok().stdout;
    assert_eq!(env.trim(), format!("GASTOWN_FUGUE_ADDR={}", far.addr));
    let beads = [world.bead("One", "true"), world.bead("Two", "true")];
    sling(&world, &[&beads[0], &beads[1], "wyvern"]).ok();
    assert_eq!(far.sessions().len(), 2);
    let sessions = world.in_town(["session", "list", "--json"]).ok().json();
    let remotes: Vec<_> =
        sessions["sessions"].as_array().unwrap().iter().map(|own| own["remote"].clone()).collect();
    assert_eq!(remotes.iter().filter(|remote| **remote == json!(far.addr)).count(), 2, "{sessions}");
    assert_eq!(remotes.len(), 3, "{sessions}");
    let text = world.in_town(["status"]).ok().stdout;
    assert!(text.contains("mayor     working") && text.matches("working").count() == 3, "{text}");
    // The same by presets alone, and even the Mayor by hand.
    world.unset("GASTOWN_FUGUE_ADDR");
    world.in_town(["mayor", "stop"]).ok();
    let run = world.in_town(["mayor", "start", "--fugue-addr", &far.addr]).ok();
    assert_eq!(world.session_of("mayor/"), "", "{run:#?}");
    assert_eq!(far.sessions().len(), 3);
}

#[test]
fn errors_leave_nothing_and_say_what_to_do() {
    let world = World::with_rig();
    let far = two(&world);
    world.set("GASTOWN_POLECAT__AGENT", "waits");
    let bead = world.bead("'; touch /tmp/gt-feat-070 #", "true");
    let before = Scene::of(&world).without_times();
    let mut said = String::new();
    let mut refused = |what: &str, run: Run| {
        let text = run.fails(1).stderr;
        let text = text.replace(&bead, "wy-1").replace(world.real().to_str().unwrap(), "/world");
        said += &format!("{what}\n{}", text.replace(&far.port.to_string(), "PORT"));
        assert_eq!(Scene::of(&world).without_times(), before, "{what}");
        assert_eq!(far.sessions(), [], "{what}");
        assert!(!world.path("town/mayor/remote.json").exists(), "{what}");
        assert!(!world.path("far/gt").exists(), "{what}");
    };
    let go = |addr: &str| sling(&world, &[&bead, "wyvern", "--fugue-addr", addr]);
    let dead = world.dead_addr();
    let plain = |run: Run, addr: &str| {
        let port = addr.rsplit(':').next().unwrap().to_string();
        Run { stderr: run.stderr.replace(&port, "PORT"), ..run }
    };
    refused("refused", plain(go(&dead), &dead));
    refused("no socket", go("unix:///no/such.sock"));
    refused("unknown host", go("tcp://no-such-host.invalid:9999"));
    let http = world.impostor(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    let run = plain(go(&http), &http);
    assert!(run.stderr.contains("does not speak fugue's protocol"), "{run:#?}");
    // A daemon of another version says so, and fugue's program hands it on.
    let mut other = Line::to(far.port);
    other.change_version();
    let addr = other.addr();
    let run = if std::env::var_os("GT_TEST_FUGUE_BIN").is_some() {
        go(&addr)
    } else {
        mismatch(&world, &bead, &addr)
    };
    refused("protocol mismatch", plain(run, &addr));
    drop(other);
    // No fugue program, or another one.
    world.set("GASTOWN_MULTIPLEXER_BIN", "/no/such/program");
    refused("no program", go(&far.addr));
    world.set("GASTOWN_MULTIPLEXER_BIN", "true");
    refused("wrong program", go(&far.addr));
    world.unset("GASTOWN_MULTIPLEXER_BIN");
    insta::assert_snapshot!(said, @r"
    refused
    gt: cannot reach the fugue daemon at tcp://127.0.0.1:PORT: connection refused
    hint: is the tunnel up? ssh -N -L PORT:localhost:PORT USER@MACHINE; is the daemon listening over there? fugue-server --listen-tcp 127.0.0.1:PORT
    no socket
    gt: cannot reach the fugue daemon at unix:///no/such.sock: no daemon listens at /no/such.sock
    hint: a daemon makes its socket when it starts: /no/such.sock
    unknown host
    gt: cannot reach the fugue daemon at tcp://no-such-host.invalid:9999: unknown host
    hint: is the name right? getent hosts no-such-host.invalid
    protocol mismatch
    gt: cannot reach the fugue daemon at tcp://127.0.0.1:PORT: the daemon is of another version than fugue's program here (Protocol error: ProtocolMismatch: Protocol version mismatch: client=99, server=1)
    hint: install the same version of fugue here and over there, and restart the daemon
    no program
    gt: fugue's program /no/such/program is not installed or not on PATH
    hint: install fugue's fugue-compat, or name the program: GASTOWN_MULTIPLEXER_BIN=/path/to/fugue-compat
    wrong program
    gt: wrong program: /usr/bin/true has neither the command new-pane nor new-session
    hint: name the one of fugue's programs that takes commands: GASTOWN_MULTIPLEXER_BIN=/path/to/fugue-compat
    ");
    assert!(!std::path::Path::new("/tmp/gt-feat-070").exists());
    // And then it works.
    go(&far.addr).ok();
    assert!(!std::path::Path::new("/tmp/gt-feat-070").exists());
}

/// A sling while fugue's program says what the real one says of a daemon of another version.
fn mismatch(world: &World, bead: &str, addr: &str) -> Run {
    let real = world.str("fugue-bin/fugue-compat");
    world.program(
        "fugue-compat",
        &format!(
            "#!/bin/sh\ncase \"$*\" in *--addr*) echo 'Connection failed: Protocol error: ProtocolMismatch: Protocol \
             version mismatch: client=99, server=1' >&2; exit 1;; esac\nexec '{real}' \"$@\"\n"
        ),
    );
    let run = sling(world, &[bead, "wyvern", "--fugue-addr", addr]);
    std::fs::remove_file(world.path("bin/fugue-compat")).unwrap();
    run
}

/// The connection goes while an agent works, and comes back.
#[test]
fn disconnect_and_reconnect() {
    let world = World::with_rig();
    let far = two(&world);
    let line = Line::to(far.port);
    world.set("GASTOWN_FUGUE_ADDR", &line.addr());
    let go = world.str("far/go");
    let script = format!("until test -e '{go}'; do sleep 0.05; done; echo done >it.txt");
    let bead = world.bead("Write it", &script);
    sling(&world, &[&bead, "wyvern/Nux"]).ok();
    assert_eq!(polecat(&world, "wyvern/Nux")["place"], "working");
    line.cut();
    // It works on over there; here nothing is concluded.
    assert_eq!(polecat(&world, "wyvern/Nux")["place"], "unreachable");
    assert_eq!(far.sessions().len(), 1);
    let before = Scene::of(&world).without_times();
    world.in_town(["witness", "patrol", "wyvern"]);
    world.in_town(["doctor", "--fix"]);
    sling(&world, &[&bead, "wyvern", "--resume"]).fails(1);
    world.in_town(["session", "restart", "wyvern/Nux"]).fails(1);
    world.in_town(["unsling", &bead]).fails(1);
    assert_eq!(Scene::of(&world).without_times(), before);
    let shown = world.in_town(["status"]).ok().stdout;
    assert!(shown.contains("unreachable"), "{shown}");
    assert_eq!(status(&world)["schema_version"], 1);
    line.mend();
    assert_eq!(polecat(&world, "wyvern/Nux")["place"], "working");
    // It goes again, and the work is finished and comes home without it.
    line.cut();
    world.write("far/go", "");
    comes_home(&world, &bead);
    world.in_town(["refinery", "process", "wyvern"]).ok();
    assert_eq!(world.git("origin.git", ["show", "main:it.txt"]), "done");
    assert_eq!(world.show(&bead)["status"], "closed");
    // What is left over there is cleaned up once it is back.
    assert!(world.path("far/gt/wyvern/polecats/Nux").exists());
    line.mend();
    world.in_town(["remote", "sync", "wyvern"]).ok();
    wait_for("its worktree to go", || (!world.path("far/gt/wyvern/polecats/Nux").exists()).then_some(()));
    wait_for("the end over there", || {
        world.in_town(["witness", "patrol", "wyvern"]).ok();
        (far.sessions().is_empty() && !world.path("town/mayor/remote.json").exists()).then_some(())
    });
}

/// A daemon that is restarted kills its agents, and brings their sessions back as shells: those get no text, and the work
/// goes on in the same worktree.
#[test]
fn daemon_restart() {
    let world = World::with_rig();
    let far = two(&world);
    world.set("GASTOWN_FUGUE_ADDR", &far.addr);
    let go = world.str("far/go");
    let script = format!("echo begun >it.txt; echo begun >>~/log; until test -e '{go}'; do sleep 0.05; done");
    let bead = world.bead("Write it", &script);
    sling(&world, &[&bead, "wyvern/Nux"]).ok();
    // What it writes last.
    let file = world.path("far/home/log");
    wait_for("the agent", || file.exists().then_some(()));
    far.restart();
    wait_for("it to be seen", || (polecat(&world, "wyvern/Nux")["place"] == "crashed").then_some(()));
    world.write("far/go", "");
    sling(&world, &[&bead, "wyvern", "--resume"]).ok();
    comes_home(&world, &bead);
    world.in_town(["refinery", "process", "wyvern"]).ok();
    assert_eq!(world.git("origin.git", ["show", "main:it.txt"]), "begun");
    assert_eq!(world.read("far/home/log"), "begun\nbegun\n");
    // It was the same worktree: what the first run left is kept in it.
    let clone = world.str("far/gt/wyvern/mayor/rig");
    let kept = world.git(clone, ["for-each-ref", "--format=%(contents:subject)", "refs/gt/recovery"]);
    assert!(kept.contains("left by an earlier run"), "{kept}");
}

#[test]
fn two_daemons_one_dead() {
    let world = World::with_rig();
    let (well, ill) = (world.daemon("well"), world.daemon("ill"));
    world.settings(&format!(
        "[beads]\nstore = \"embedded\"\n[agents.waits]\ncommand = [\"sleep\", \"600\"]\nprompt = \"none\"\n\
         [remotes.well]\nfugue_addr = \"{}\"\ntags = [\"big\"]\nmax_workers = 2\ntown = \"{}\"\n\
         [remotes.ill]\nfugue_addr = \"{}\"\ntags = [\"big\"]\nmax_workers = 8\ntown = \"{}\"\n",
        well.addr,
        world.str("well/gt"),
        ill.addr,
        world.str("ill/gt")
    ));
    world.set("GASTOWN_POLECAT__AGENT", "waits");
    let beads: Vec<String> = (0..4).map(|number| world.bead(&format!("Bead {number}"), "true")).collect();
    // The one with most places.
    sling(&world, &[&beads[0], "wyvern/Nux", "--tag", "big"]).ok();
    assert_eq!((well.sessions().len(), ill.sessions().len()), (0, 1));
    ill.kill();
    // The other one, and the dead one's polecat stays whose it is.
    sling(&world, &[&beads[1], &beads[2], "wyvern", "--tag", "big"]).ok();
    assert_eq!(well.sessions().len(), 2);
    let remotes = world.in_town(["remote", "status", "--json"]).ok().json();
    let told: Vec<_> = remotes["remotes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|own| (own["name"].clone(), own["reachable"].clone()))
        .collect();
    assert_eq!(told, [(json!("ill"), json!(false)), (json!("well"), json!(true))]);
    assert_eq!(polecat(&world, "wyvern/Nux")["place"], "unreachable");
    let others: Vec<String> = beads[1..3].iter().map(|bead| world.polecat_of(bead)).collect();
    for name in others {
        assert_eq!(polecat(&world, &format!("wyvern/{name}"))["place"], "working");
    }
    // Full and dead: wait, by the exit code; the bead stays ready.
    let run = sling(&world, &[&beads[3], "wyvern", "--tag", "big"]).fails(3);
    assert!(run.stderr.contains("well has 2 of 2"), "{run:#?}");
    assert!(run.stderr.contains("the work waits, untouched"), "{run:#?}");
    assert_eq!(world.show(&beads[3])["status"], "open");
    sling(&world, &[&beads[3], "wyvern", "--tag", "big", "--fallback", "fail"]).fails(1);
    sling(&world, &[&beads[3], "wyvern", "--tag", "big", "--fallback", "local"]).ok();
    assert_ne!(world.session_of(&format!("wyvern/{}", world.polecat_of(&beads[3]))), "");
}

/// Code by git, beads by `gt sync`, both ways, between two towns that both write.
#[test]
fn state_sync_across_two_towns() {
    let world = World::with_rig();
    world.gt(["install", "other"]).ok();
    world.gt_in("other", ["rig", "add", "wyvern", &world.str("origin.git"), "--prefix", "wy"]).ok();
    let sync = |town: &str| world.gt_in(town, ["sync", "wyvern"]).ok().stdout;
    let bead = world.bead("Write it", "cat README.md >it.txt");
    sync("town");
    assert_eq!(sync("other"), "wyvern: 1 bead in\n");
    // The code that one town lands is what the other one's polecat starts from.
    world.git("", ["clone", "-q", "origin.git", "hand"]);
    world.write("hand/README.md", "# wyvern, by hand\n");
    world.git("hand", ["commit", "-q", "-am", "by hand"]);
    world.git("hand", ["push", "-q"]);
    world.gt_in("other", ["adopt", &bead, "--yes"]).ok();
    world.gt_in("other", ["sling", &bead, "wyvern"]).ok();
    wait_for("the queue over there", || {
        let listed = world.gt_in("other", ["mq", "list", "wyvern", "--json"]).ok().json();
        (listed["requests"].as_array()?.len() == 1).then_some(())
    });
    world.gt_in("other", ["refinery", "process", "wyvern"]).ok();
    assert_eq!(world.git("origin.git", ["show", "main:it.txt"]), "# wyvern, by hand");
    // What both wrote meanwhile meets without loss.
    let found = world.bead("Found here", "true");
    world.gt_in("town/wyvern", ["bd", "comment", &bead, "seen from here"]);
    sync("other");
    sync("town");
    sync("other");
    for town in ["town", "other"] {
        let show = |id: &str| {
            world.gt_in(format!("{town}/wyvern"), ["bd", "show", id, "--json"]).ok().json()[0].clone()
        };
        assert_eq!(show(&bead)["status"], "closed", "{town}");
        assert_eq!(show(&found)["title"], "Found here", "{town}");
    }
}
