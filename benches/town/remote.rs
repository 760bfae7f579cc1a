//! Other machines: daemons on loopback, the real fugue where `GT_TEST_FUGUE_BIN` names a folder of its programs, else the
//! stand-in of the tests.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::measure::{self, Figure};
use crate::world::World;

/// A daemon that ends when it is dropped.
pub struct Daemon {
    /// Its address.
    pub addr: String,
    child: Child,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Which fugue is measured.
pub fn kind() -> &'static str {
    if std::env::var_os("GT_TEST_FUGUE_BIN").is_some() { "fugue" } else { "the stand-in" }
}

/// A program of fugue's.
fn program(name: &str) -> PathBuf {
    if let Some(real) = std::env::var_os("GT_TEST_FUGUE_BIN") {
        return Path::new(&real).join(name);
    }
    let target = Path::new(env!("CARGO_BIN_EXE_gt")).parent().unwrap();
    let stand_in = target.join("examples/fugue-stand-in");
    if !stand_in.exists() {
        let mut build = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()));
        build.args(["build", "--quiet", "--release", "--example", "fugue-stand-in", "--target-dir"]);
        build.arg(target.parent().unwrap()).current_dir(env!("CARGO_MANIFEST_DIR"));
        assert!(build.status().unwrap().success(), "the stand-in cannot be built");
    }
    stand_in
}

/// Starts a daemon on a machine of its own: `name` is a folder of the world.
pub fn daemon(world: &World, name: &str) -> Daemon {
    let bin = world.path("fugue-bin");
    std::fs::create_dir_all(&bin).unwrap();
    for name in ["fugue-server", "fugue-compat"] {
        let link = bin.join(name);
        if !link.exists() {
            std::os::unix::fs::symlink(program(name), link).unwrap();
        }
    }
    for folder in ["home", "run"] {
        std::fs::create_dir_all(world.path(name).join(folder)).unwrap();
    }
    std::fs::copy(world.path("home/.gitconfig"), world.path(name).join("home/.gitconfig")).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = world.command(bin.join("fugue-server").to_str().unwrap(), name);
    command
        .env("HOME", world.path(name).join("home"))
        .env("XDG_RUNTIME_DIR", world.path(name).join("run"))
        .args(["--listen-tcp", &format!("127.0.0.1:{port}")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let child = command.spawn().unwrap();
    let limit = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < limit, "the daemon does not listen");
        std::thread::sleep(Duration::from_millis(10));
    }
    Daemon { addr: format!("tcp://127.0.0.1:{port}"), child }
}

/// The words of a settings folder that names these daemons; `name` is a folder of the world.
pub fn settings(world: &World, name: &str, daemons: &[Daemon]) {
    let mut text = std::fs::read_to_string(world.path("home/.config/gastown/config.toml")).unwrap();
    for (number, daemon) in daemons.iter().enumerate() {
        text += &format!("\n[remotes.far-{number}]\nfugue_addr = \"{}\"\n", daemon.addr);
    }
    world.write(format!("{name}/gastown/config.toml"), text);
}

/// gt, with fugue's programs on PATH, and the settings of that folder.
pub fn gt(world: &World, settings: &str, words: &[&str]) -> Command {
    let mut command = world.gt("town", words);
    let path = format!("{}:{}", world.path("fugue-bin").display(), std::env::var("PATH").unwrap());
    command.env("PATH", path).env("XDG_CONFIG_HOME", world.path(settings));
    command
}

/// `fugue-compat` to a daemon.
pub fn compat(world: &World, daemon: &Daemon, words: &[&str]) -> Command {
    let mut command = world.command(world.path("fugue-bin/fugue-compat").to_str().unwrap(), "");
    command.args(["--addr", &daemon.addr]).args(words);
    command
}

/// One session by hand, ended afterwards.
pub fn session_by_hand(world: &World, daemon: &Daemon, number: usize, line: &str) -> Figure {
    let name = format!("by-hand-{number}");
    let figure =
        measure::run(&mut compat(world, daemon, &["new-session", "-d", "-s", &name, "-c", "/", line]));
    let _ = compat(world, daemon, &["kill-session", "-t", &name]).stdout(Stdio::null()).status();
    figure
}
