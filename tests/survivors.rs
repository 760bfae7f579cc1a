//! What an ended agent or a test run leaves running: found wherever it went, ended, and said; a person's is left alone.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::common::{World, wait_for};

/// A script that goes on after its session: in a session of its own, deaf to the hang-up and to what `deaf` names, it
/// writes its number and then, again and again, a file into the worktree.
fn survivor(deaf: &str) -> String {
    format!(
        "cat > $HOME/survivor.sh <<'X'\ntrap '' HUP {deaf}\ni=0\nwhile :; do i=$((i+1)); echo $i > $1/from-the-dead; \
         echo $$ > $HOME/pid; sleep 0.05; done\nX\n\
         nohup setsid sh $HOME/survivor.sh $PWD </dev/null >/dev/null 2>&1 &\n\
         while [ ! -s $HOME/pid ]; do sleep 0.02; done\n"
    )
}

fn pid(world: &World) -> i32 {
    let file = world.path("home/pid");
    wait_for("the survivor", || std::fs::read_to_string(&file).ok()?.trim().parse().ok())
}

fn alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.starts_with(" Z"))
}

/// A world in which this script runs in the session of the polecat Nux.
fn slung(script: &str) -> (World, String) {
    let world = World::with_rig();
    let bead = world.bead("Leave something", script);
    world.in_town(["sling", &bead, "wyvern/Nux"]).ok();
    (world, bead)
}

fn polecat_dir(world: &World) -> PathBuf {
    world.path("town/wyvern/polecats/Nux")
}

/// A person's shell in a folder; it ends with the test.
struct Shell(Child);

impl Shell {
    fn standing_in(world: &World, dir: &str) -> Shell {
        let mut command: Command = world.command("sleep", dir);
        Shell(command.arg("600").stdout(Stdio::null()).spawn().unwrap())
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.0.id()).unwrap()
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_nuked_polecats_survivor_is_ended_and_named_whatever_it_ignores() {
    let (world, _) = slung(&(survivor("TERM") + "sleep 600"));
    let pid = pid(&world);
    let nuked = world.in_town(["polecat", "nuke", "wyvern/Nux"]).ok();
    assert!(!alive(pid), "{nuked:?}");
    assert!(!polecat_dir(&world).exists());
    // Its `sleep` is named too, before it when the numbers of processes have begun anew.
    for said in ["wyvern/Nux left processes running, now ended: ", &format!("sh ({pid})")] {
        assert!(nuked.stderr.contains(said), "{nuked:?}");
    }
}

#[test]
fn a_done_polecats_survivor_ends_with_it_and_the_next_one_finds_a_clean_worktree() {
    let script = survivor("") + "sleep 0.1\necho a > a.txt";
    // What the survivor writes is not part of the work.
    let (world, bead) =
        slung(&format!("echo from-the-dead >> $(git rev-parse --git-path info/exclude)\n{script}"));
    let pid = pid(&world);
    wait_for("the polecat's end", || {
        world.in_town(["witness", "patrol", "wyvern"]).ok();
        (!polecat_dir(&world).exists()).then_some(())
    });
    assert!(!alive(pid));
    assert_eq!(world.show(&bead)["status"].as_str(), Some("in_progress"));
    let next = world.bead("The next", "sleep 600");
    world.in_town(["sling", &next, "wyvern/Nux"]).ok();
    assert!(!polecat_dir(&world).join("from-the-dead").exists());
}

#[test]
fn unsling_and_session_stop_end_what_is_left() {
    let (world, bead) = slung(&(survivor("") + "sleep 600"));
    let first = pid(&world);
    let stopped = world.in_town(["session", "stop", "wyvern/Nux"]).ok();
    assert!(!alive(first) && stopped.stderr.contains(&format!("sh ({first})")), "{stopped:?}");
    std::fs::remove_file(world.path("home/pid")).unwrap();
    world.in_town(["sling", &bead, "--resume"]).ok();
    let second = pid(&world);
    assert_ne!(first, second);
    let unslung = world.in_town(["unsling", &bead, "--force"]).ok();
    assert!(!alive(second) && unslung.stderr.contains(&format!("sh ({second})")), "{unslung:?}");
}

#[test]
fn what_a_crashed_agent_left_is_ended_before_its_work_goes_on() {
    let (world, bead) = slung(&(survivor("") + "exit 3"));
    let first = pid(&world);
    wait_for("the crash", || {
        world.in_town(["polecats", "wyvern"]).ok().stdout.contains("crashed").then_some(())
    });
    assert!(alive(first));
    std::fs::remove_file(world.path("home/pid")).unwrap();
    let resumed = world.in_town(["sling", &bead, "--resume"]).ok();
    assert!(!alive(first) && resumed.stderr.contains(&format!("sh ({first})")), "{resumed:?}");
    world.in_town(["polecat", "nuke", "wyvern/Nux"]).ok();
}

#[test]
fn a_persons_shell_in_the_worktree_is_named_and_kept() {
    let (world, bead) = slung("touch begun\nsleep 600");
    let begun = polecat_dir(&world).join("begun");
    wait_for("the script", || begun.exists().then_some(()));
    world.in_town(["session", "stop", "wyvern/Nux"]).ok();
    std::fs::remove_file(begun).unwrap();
    let shell = Shell::standing_in(&world, "town/wyvern/polecats/Nux");
    let refused = world.in_town(["polecat", "release", "wyvern/Nux"]).fails(1);
    assert!(refused.stderr.contains(&format!("sleep ({}) works in", shell.pid())), "{refused:?}");
    assert!(polecat_dir(&world).exists());
    assert_eq!(world.polecat_of(&bead), "Nux");
    let nuked = world.in_town(["polecat", "nuke", "wyvern/Nux"]).ok();
    assert!(alive(shell.pid()), "{nuked:?}");
    assert!(nuked.stderr.contains(&format!("sleep ({}) works in", shell.pid())), "{nuked:?}");
    assert!(!polecat_dir(&world).exists());
}

#[test]
fn a_server_of_tmux_that_an_agent_started_is_no_survivor_of_it() {
    let world = World::with_rig();
    let bead = world.bead("Wait", "sleep 600");
    let mut gt = world.command(crate::common::gt(), "town");
    gt.env("GT_TOWN_ROOT", world.real().join("town")).env("GT_ADDRESS", "wyvern/Nux");
    crate::common::finish(gt.args(["sling", &bead, "wyvern/Nux"])).ok();
    world.tmux(["new-session", "-d", "-s", "persons", "sleep 600"]).ok();
    world.in_town(["polecat", "nuke", "wyvern/Nux"]).ok();
    assert_eq!(world.tmux(["list-sessions", "-F", "#{session_name}"]).ok().stdout, "persons\n");
}

#[test]
fn a_persons_session_in_a_tmux_server_that_an_agent_started_goes_on() {
    let (world, _) =
        slung("tmux -L own -f /dev/null new-session -d 'echo $$ > $HOME/pid; exec sleep 600'\nsleep 600");
    let own = pid(&world);
    let tmux = |args: &[&str]| world.run("tmux", "home", [&["-L", "own"], args].concat()).ok().stdout;
    tmux(&["new-session", "-d", "-s", "persons", "exec sleep 600"]);
    let persons = tmux(&["list-panes", "-t", "persons", "-F", "#{pane_pid} #{pid}"]);
    let (persons, server) = persons.trim().split_once(' ').unwrap();
    let stopped = world.in_town(["session", "stop", "wyvern/Nux"]).ok();
    assert!(!alive(own) && alive(persons.parse().unwrap()), "{stopped:?}");
    let named = format!("wyvern/Nux started tmux: server ({server}), left running");
    assert!(stopped.stderr.contains(&named), "{stopped:?}");
    tmux(&["kill-server"]);
}

#[test]
fn a_copy_of_a_town_ends_nothing_of_the_original() {
    let (world, _) = slung(&(survivor("") + "sleep 600"));
    let pid = pid(&world);
    world.run("cp", "", ["-a", "town", "copy"]).ok();
    let nuked = world.gt_in("copy", ["polecat", "nuke", "wyvern/Nux"]);
    assert!(alive(pid) && polecat_dir(&world).exists(), "{nuked:?}");
    world.in_town(["polecat", "nuke", "wyvern/Nux"]).ok();
    assert!(!alive(pid));
}

/// Listens on a port, or says that something else does, and leaves a server behind in a session of its own.
const TESTS: &str = "import os, socket, sys, time
own = socket.socket()
own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
path = os.environ['HOME'] + '/port'
port = int(open(path).read()) if os.path.exists(path) else 0
try: own.bind(('127.0.0.1', port))
except OSError: sys.exit('address already in use')
open(path, 'w').write(str(own.getsockname()[1]))
own.listen()
if os.fork() == 0:
    os.setsid()
    open(os.environ['HOME'] + '/pid', 'w').write(str(os.getpid()))
    time.sleep(600)
while not os.path.exists(os.environ['HOME'] + '/pid'): time.sleep(0.01)
sys.exit(1 if os.path.exists('red') else 0)
";

fn set(world: &World, section: &str, key: &str, value: &str) {
    let path = "town/wyvern/config.json";
    let mut config: serde_json::Value = serde_json::from_str(&world.read(path)).unwrap();
    config[section][key] = value.into();
    world.write(path, config.to_string());
}

fn submitted(world: &World, title: &str, script: &str) -> String {
    let bead = world.bead(title, script);
    world.in_town(["sling", &bead, "wyvern"]).ok();
    wait_for("the work", || world.show(&bead).to_string().contains("gt:submitted").then_some(()));
    bead
}

#[test]
fn a_server_that_tests_leave_is_ended_whether_they_were_green_or_red() {
    let world = World::with_rig();
    world.write("home/tests.py", TESTS);
    set(&world, "merge", "test_command", "python3 $HOME/tests.py");
    submitted(&world, "Red", "touch red");
    let process = || world.in_town(["refinery", "process", "wyvern"]);
    let red = process();
    assert!(red.stdout.contains("Red") && !red.stdout.contains("merged"), "{red:?}");
    assert!(!alive(pid(&world)), "{red:?}");
    assert!(red.stderr.contains("the tests left processes running, now ended: python3"), "{red:?}");
    submitted(&world, "Green", "echo a > a");
    // Another run's, whose gt was killed, is ended before the next.
    let mark = world.real().join("town/wyvern");
    let mut killed = world.command("sleep", "").arg("600").env("GT_TEST_RUN", mark).spawn().unwrap();
    let green = process().ok();
    assert!(green.stdout.contains("merged"), "{green:?}");
    assert!(!alive(pid(&world)), "{green:?}");
    assert!(!killed.wait().unwrap().success());
}

#[test]
fn what_the_setup_command_leaves_belongs_to_the_polecat() {
    let world = World::with_rig();
    set(&world, "worktree", "setup", "setsid sleep 600 & echo $! > $HOME/pid");
    let bead = world.bead("Wait", "sleep 600");
    world.in_town(["sling", &bead, "wyvern/Nux"]).ok();
    let pid = pid(&world);
    assert!(alive(pid));
    let nuked = world.in_town(["polecat", "nuke", "wyvern/Nux"]).ok();
    assert!(!alive(pid) && nuked.stderr.contains(&format!("({pid})")), "{nuked:?}");
}
