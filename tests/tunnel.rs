//! Tunnels through a real sshd.

use std::cell::RefCell;
use std::net::TcpListener;
use std::process::Stdio;

use crate::common::sshd::{Sshd, echo, echoes, free_port};
use crate::common::{Run, World, gt, wait_for};

/// A world in which the remote `pc` is this machine, behind an sshd; its daemon echoes.
struct Pair {
    world: World,
    sshd: Sshd,
    /// Where the tunnel begins.
    local: u16,
    /// Where the daemon listens.
    there: u16,
}

impl Pair {
    fn new() -> Pair {
        let world = World::with_rig();
        let sshd = Sshd::start(&world);
        let daemon = TcpListener::bind("127.0.0.1:0").unwrap();
        let pair = Pair { sshd, local: free_port(), there: daemon.local_addr().unwrap().port(), world };
        echo(daemon);
        pair.remote("pc", pair.local);
        pair
    }

    /// Writes the settings: one remote.
    fn remote(&self, ssh: &str, local: u16) {
        self.world.settings(&format!(
            "[beads]\nstore = \"embedded\"\n[remotes.pc]\nfugue_addr = \"tcp://localhost:{local}\"\nssh = \"{ssh}\"\n\
             listens = \"tcp://127.0.0.1:{}\"\n",
            self.there
        ));
    }

    fn tunnel(&self, words: &[&str]) -> Run {
        self.world.in_town(["remote", "tunnel"].iter().chain(words))
    }

    /// The one tunnel, as `status --json` tells.
    fn status(&self) -> serde_json::Value {
        self.tunnel(&["status", "--json"]).ok().json()["tunnels"][0].clone()
    }

    fn wait_for_state(&self, state: &str) -> serde_json::Value {
        wait_for(&format!("the tunnel to be {state}"), || {
            Some(self.status()).filter(|own| own["state"] == state)
        })
    }

    /// The processes of the world that hold a tunnel: keepers and ssh.
    fn processes(&self) -> Vec<String> {
        let state = self.world.real().join("home/.local/state").display().to_string();
        let listed = self.world.run("ps", "", ["-A", "-o", "pid=,command="]).ok().stdout;
        let local = format!("-L localhost:{}", self.local);
        let ours = |line: &&str| line.contains(&state) || line.contains(&local);
        listed.lines().filter(ours).map(|line| line.trim().to_string()).collect()
    }

    /// What ssh, gt and ports say, with what changes from run to run taken out.
    fn plain(&self, run: Run) -> String {
        let text = format!("{}{}", run.stdout, run.stderr);
        let ports = [(self.local, "LOCAL"), (self.there, "THERE"), (self.sshd.port, "SSHD")];
        let text = ports.iter().fold(text, |text, (port, name)| text.replace(&port.to_string(), name));
        text.replace(self.world.run("id", "", ["-un"]).ok().stdout.trim(), "USER")
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.tunnel(&["down"]);
    }
}

#[test]
fn a_tunnel_is_opened_used_and_closed() {
    let pair = Pair::new();
    assert_eq!(pair.status()["state"], "down");
    assert!(!echoes(pair.local));
    insta::assert_snapshot!(pair.plain(pair.tunnel(&["up"]).ok()), @"pc: up, tcp://localhost:LOCAL to pc");
    // It works as soon as `up` says so.
    assert!(echoes(pair.local));
    let up = pair.status();
    assert_eq!((&up["state"], &up["error"]), (&"up".into(), &serde_json::Value::Null));
    // Two: the keeper, and ssh.
    let before = pair.processes();
    assert_eq!(before.len(), 2, "{before:?}");
    insta::assert_snapshot!(pair.plain(pair.tunnel(&["up", "pc"]).ok()), @"pc: is up already, tcp://localhost:LOCAL to pc");
    assert_eq!(pair.tunnel(&["up", "--json"]).ok().json()["tunnels"][0]["already"], true);
    assert_eq!(pair.processes(), before);
    let text = pair.plain(pair.tunnel(&["status"]).ok());
    assert!(text.contains("pc    up") && text.contains("tcp://localhost:LOCAL  pc"), "{text}");
    insta::assert_snapshot!(pair.plain(pair.tunnel(&["down"]).ok()), @"pc: closed");
    assert!(!echoes(pair.local));
    assert_eq!(pair.processes(), Vec::<String>::new());
    insta::assert_snapshot!(pair.plain(pair.tunnel(&["down", "pc"]).ok()), @"pc: was not open");
    // Nothing of it is in the town.
    assert!(!pair.world.run("find", "town", ["."]).ok().stdout.contains("tunnel"));
}

#[test]
fn a_tunnel_whose_connection_drops_comes_back_by_itself() {
    let mut pair = Pair::new();
    pair.tunnel(&["up"]).ok();
    pair.sshd.kill();
    let failing = pair.wait_for_state("failing");
    assert_ne!(failing["error"], serde_json::Value::Null, "{failing}");
    // Two attempts at least find nobody.
    wait_for("attempts", || pair.status()["attempts"].as_u64().filter(|count| *count > 2));
    let failing = pair.status();
    let said = failing["error"].as_str().unwrap();
    assert!(said.starts_with("ssh pc: connect to host 127.0.0.1 port"), "{failing}");
    assert!(failing["hint"].as_str().unwrap().ends_with("try by hand: ssh pc"), "{failing}");
    // Asked for while it fails: an attempt right now, whose reason is told; it is kept all the same.
    let run = pair.tunnel(&["up"]).fails(1);
    assert!(run.stderr.contains("connect to host 127.0.0.1"), "{run:?}");
    assert!(run.stderr.contains("it is tried again by itself"), "{run:?}");
    pair.sshd.again(&pair.world);
    let up = pair.wait_for_state("up");
    assert_eq!(up["error"], serde_json::Value::Null);
    assert!(echoes(pair.local));
    assert_eq!(pair.processes().len(), 2);
}

#[test]
fn a_first_connection_that_fails_leaves_nothing_and_says_what_helps() {
    let mut pair = Pair::new();
    let shown = RefCell::new(String::new());
    let fails = |pair: &Pair| {
        *shown.borrow_mut() += &pair.plain(pair.tunnel(&["up"]).fails(1));
        assert_eq!(pair.processes(), Vec::<String>::new());
        assert_eq!(pair.status()["state"], "down");
    };
    let known = pair.world.read("known_hosts");
    pair.world.write("known_hosts", "");
    fails(&pair);
    let other = pair.world.read("client.pub");
    pair.world.write("known_hosts", format!("[127.0.0.1]:{} {other}", pair.sshd.port));
    fails(&pair);
    pair.world.write("known_hosts", known);
    pair.world.write("authorized_keys", "");
    fails(&pair);
    pair.world.write("authorized_keys", other);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    pair.remote("pc", port);
    let text = pair.plain(pair.tunnel(&["up"]).fails(1)).replace(&port.to_string(), "LOCAL");
    *shown.borrow_mut() += &text;
    // Who has the place is left alone.
    drop(std::net::TcpStream::connect(("127.0.0.1", port)).unwrap());
    pair.remote("pc", pair.local);
    pair.sshd.kill();
    fails(&pair);
    pair.world.program("ssh", "#!/bin/sh\nexit 255\n");
    fails(&pair);
    insta::assert_snapshot!(shown.take(), @r#"
    gt: ssh pc: Host key verification failed.
    hint: meet the machine once by hand, and compare its key: ssh pc
    gt: ssh pc: the machine shows another host key than before
    hint: find out why before you go on; ssh says more by hand: ssh pc
    gt: ssh pc: USER@127.0.0.1: Permission denied (publickey).
    hint: a key has to work without a question (ssh-add -l); try by hand: ssh pc
    gt: port LOCAL is in use by something else: the tunnel of pc cannot begin there
    hint: see what it is with: lsof -i :LOCAL; a tunnel of your own is used as it is when [remotes.pc] has no ssh
    gt: ssh pc: connect to host 127.0.0.1 port SSHD: Connection refused
    hint: is the machine on, and its name right? try by hand: ssh pc
    gt: ssh pc: the connection ended without a word
    hint: try by hand: ssh pc
    "#);
}

#[test]
fn without_ssh_it_is_said_what_to_install() {
    let pair = Pair::new();
    for program in ["tmux", "git", "sh", "ps"] {
        let real = pair.world.run("sh", "", ["-c", &format!("command -v {program}")]).ok().stdout;
        std::os::unix::fs::symlink(real.trim(), pair.world.path("bin").join(program)).unwrap();
    }
    std::fs::remove_file(pair.world.path("bin/ssh")).unwrap();
    let mut command = pair.world.command(gt(), "town");
    let run =
        crate::common::finish(command.args(["remote", "tunnel", "up"]).env("PATH", pair.world.path("bin")));
    insta::assert_snapshot!(run.fails(1).stderr, @"
    gt: ssh is not installed or not on PATH
    hint: install OpenSSH's client, then check with: ssh -V
    ");
}

#[test]
fn two_at_once_open_one() {
    let pair = Pair::new();
    let start =
        |_| pair.world.command(gt(), "town").args(["remote", "tunnel", "up"]).stdout(Stdio::piped()).spawn();
    let started: Vec<_> = (0..4).map(start).map(Result::unwrap).collect();
    let runs: Vec<_> = started.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    assert!(runs.iter().all(|run| run.status.success()), "{runs:#?}");
    let first = runs.iter().filter(|run| run.stdout.starts_with(b"pc: up, ")).count();
    assert_eq!(first, 1, "{runs:#?}");
    assert_eq!(pair.processes().len(), 2);
    assert!(echoes(pair.local));
}

#[test]
fn what_a_killed_keeper_left_is_taken_over_and_taken_away() {
    let pair = Pair::new();
    let kill = |pid: &serde_json::Value| {
        pair.world.run("kill", "", ["-9", &pid.to_string()]).ok();
        wait_for("the keeper's end", || (pair.processes().len() == 1).then_some(()));
    };
    pair.tunnel(&["up"]).ok();
    kill(&pair.status()["pid"]);
    let status = pair.status();
    assert_eq!((&status["state"], &status["error"]), (&"down".into(), &"its keeper was killed".into()));
    // ssh still runs, and has the place; it is ours, and makes room.
    pair.tunnel(&["up"]).ok();
    assert_eq!(pair.processes().len(), 2);
    assert!(echoes(pair.local));
    kill(&pair.status()["pid"]);
    pair.tunnel(&["down"]).ok();
    assert_eq!(pair.processes(), Vec::<String>::new());
    assert!(!echoes(pair.local));
}

#[test]
fn killed_after_any_step_it_can_be_opened_and_closed_again() {
    let pair = Pair::new();
    for step in ["tunnel.1", "tunnel.2", "tunnel.3", "tunnel.4", "tunnel.5", "tunnel.6"] {
        pair.world.set("GT_TEST_KILL_AFTER", step);
        // The variable reaches the keeper as well: either of the two is killed.
        let run = pair.tunnel(&["up"]);
        let outcome = if ["tunnel.1", "tunnel.2"].contains(&step) { None } else { Some(1) };
        assert!(run.code == outcome || (step == "tunnel.6" && run.code == Some(0)), "{step}: {run:?}");
        pair.world.unset("GT_TEST_KILL_AFTER");
        let keepers = || pair.processes().iter().filter(|line| line.contains("tunnel keep")).count();
        if step != "tunnel.2" {
            wait_for("the kill", || (keepers() == 0).then_some(()));
        }
        pair.tunnel(&["up"]).ok();
        assert_eq!(pair.processes().len(), 2, "{step}");
        assert!(echoes(pair.local), "{step}");
        pair.tunnel(&["down"]).ok();
        assert_eq!(pair.processes(), Vec::<String>::new(), "{step}");
    }
}

#[test]
fn nobody_at_the_far_end_is_told_from_a_tunnel_that_does_not_work() {
    let mut pair = Pair::new();
    pair.there = free_port();
    pair.remote("pc", pair.local);
    insta::assert_snapshot!(pair.plain(pair.tunnel(&["up"]).ok()), @r#"
    pc: up, tcp://localhost:LOCAL to pc
    pc: the tunnel works, but nobody takes what arrives at tcp://127.0.0.1:THERE over there: connect failed: Connection refused
    hint: start the daemon over there: fugue-server --listen-tcp 127.0.0.1:THERE
    "#);
    let status = pair.status();
    assert_eq!(status["state"], "up");
    assert!(status["hint"].as_str().unwrap().starts_with("start the daemon over there: "), "{status}");
    // The daemon may be started later.
    echo(TcpListener::bind(("127.0.0.1", pair.there)).unwrap());
    assert!(echoes(pair.local));
    assert_eq!(pair.status()["error"], serde_json::Value::Null);
}

#[test]
fn sockets_are_forwarded_like_ports() {
    let pair = Pair::new();
    let daemon = pair.world.path("daemon.sock");
    let listener = std::os::unix::net::UnixListener::bind(&daemon).unwrap();
    crate::common::sshd::echo_unix(listener);
    let settings = |addr: &str| {
        pair.world.settings(&format!(
            "[remotes.pc]\nfugue_addr = \"{addr}\"\nssh = \"pc\"\nlistens = \"unix://{}\"\n",
            daemon.display()
        ));
    };
    settings(&format!("tcp://127.0.0.1:{}", pair.local));
    pair.tunnel(&["up"]).ok();
    assert!(echoes(pair.local));
    pair.tunnel(&["down"]).ok();
    let local = pair.world.path("local.sock");
    settings(&format!("unix://{}", local.display()));
    // A socket that nobody listens on, and that is not gt's, is left alone.
    drop(std::os::unix::net::UnixListener::bind(&local).unwrap());
    let run = pair.tunnel(&["up"]).fails(1);
    assert!(
        run.stderr.contains("local.sock") && run.stderr.contains("hint: if nothing needs it: rm "),
        "{run:?}"
    );
    assert!(local.exists());
    std::fs::remove_file(&local).unwrap();
    pair.tunnel(&["up"]).ok();
    assert!(crate::common::sshd::echoes_unix(&local));
    // What ssh leaves of it when it is killed does not keep it from coming back.
    let (pid, attempts) = (pair.status()["pid"].to_string(), pair.status()["attempts"].clone());
    let listed = pair.world.run("ps", "", ["-A", "-o", "pid=,ppid=,comm="]).ok().stdout;
    let child =
        listed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).find(|row| row[1] == pid);
    pair.world.run("kill", "", ["-9", child.unwrap()[0]]).ok();
    wait_for("another attempt", || (pair.status()["attempts"] != attempts).then_some(()));
    pair.wait_for_state("up");
    assert!(crate::common::sshd::echoes_unix(&local));
    pair.tunnel(&["down"]).ok();
    assert!(!local.exists());
}

#[test]
fn one_place_is_the_beginning_of_one_tunnel() {
    let pair = Pair::new();
    pair.tunnel(&["up"]).ok();
    // Another remote that begins at the same place, in the settings of another town, say.
    let settings = pair.world.read("home/.config/gastown/config.toml");
    pair.world.settings(&settings.replace("remotes.pc", "remotes.other").replace("\"pc\"", "\"user@other\""));
    insta::assert_snapshot!(pair.plain(pair.tunnel(&["up"]).fails(1)), @r#"
    gt: tcp://localhost:LOCAL is where the tunnel of pc begins already (to pc)
    hint: close that one with: gt remote tunnel down pc; or give one of them another port
    "#);
    assert!(echoes(pair.local));
    // The same remote by another way: the settings count.
    pair.world.settings(&settings.replace("127.0.0.1", "localhost"));
    assert_eq!(pair.status()["state"], "down");
    pair.tunnel(&["up"]).ok();
    assert_eq!(pair.processes().len(), 2);
    assert!(
        pair.processes().iter().any(|line| line.contains(&format!("localhost:{}:localhost:", pair.local)))
    );
    // One that is in no settings any more can be closed by its name.
    pair.world.settings("");
    pair.tunnel(&["down", "pc"]).ok();
    assert_eq!(pair.processes(), Vec::<String>::new());
}

#[test]
fn a_keeper_whose_folder_is_gone_ends_with_its_ssh() {
    let pair = Pair::new();
    pair.tunnel(&["up"]).ok();
    std::fs::remove_dir_all(pair.world.path("home/.local/state/gastown")).unwrap();
    wait_for("the keeper to end", || pair.processes().is_empty().then_some(()));
    assert!(!echoes(pair.local));
}

#[test]
fn words_about_remotes_that_cannot_be_are_answered() {
    let world = World::with_rig();
    let said = |words: &[&str], code| {
        let run = world.in_town(["remote", "tunnel"].iter().chain(words));
        let run = run.fails(code);
        run.stdout + &run.stderr
    };
    insta::assert_snapshot!(said(&["up"], 0) + &said(&["status"], 0) + &said(&["up", "pc"], 2), @r#"
    no remote has ssh, so there is no tunnel to keep; say so in the settings: ssh = "user@host" in [remotes.NAME]
    no remotes; write one in config/town.toml: [remotes.NAME] with fugue_addr = "tcp://localhost:9999"
    gt: no remote named 'pc'
    hint: no remotes; write one in config/town.toml: [remotes.NAME] with fugue_addr = "tcp://localhost:9999"
    "#);
    world.settings(
        "[remotes.own]\nfugue_addr = \"tcp://localhost:9999\"\n[remotes.far]\nfugue_addr = \"tcp://far:9999\"\nssh = \"far\"\n",
    );
    insta::assert_snapshot!(said(&["up", "own"], 1) + &said(&["status"], 0) + &said(&["up"], 1), @r#"
    gt: remotes.own has no ssh: its tunnel is your own
    hint: open it with: ssh -N -L 9999:localhost:9999 own; or let gt keep it: ssh = "user@host" in [remotes.own]
    NAME  TUNNEL  SINCE  BEGINS                SSH
    far   down    -      tcp://far:9999        far
    own   own     -      tcp://localhost:9999  -
    far: remotes.far has ssh, but its fugue_addr tcp://far:9999 is not on this machine: a tunnel begins here
    far: hint: write the local end, like tcp://localhost:9999, or take ssh out and reach the daemon directly
    own: your own: ssh -N -L 9999:localhost:9999 own
    gt: remotes.far has ssh, but its fugue_addr tcp://far:9999 is not on this machine: a tunnel begins here
    hint: write the local end, like tcp://localhost:9999, or take ssh out and reach the daemon directly
    "#);
    for (ssh, listens) in [("-oProxyCommand=touch x", ""), ("a b", ""), ("pc", "listens = \"localhost:1\"")] {
        world.settings(&format!(
            "[remotes.pc]\nfugue_addr = \"tcp://localhost:9999\"\nssh = \"{ssh}\"\n{listens}\n"
        ));
        assert!(said(&["up"], 1).contains("config.toml:"), "{ssh}");
    }
}
