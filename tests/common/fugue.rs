//! Daemons for a test: the real fugue where `GT_TEST_FUGUE_BIN` names a folder of its programs, else the stand-in.
//!
//! ```text
//! let world = World::with_rig();
//! let far = world.daemon("far");
//! world.set("GASTOWN_FUGUE_ADDR", &far.addr);
//! ```

use std::cell::RefCell;
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};

use super::{Run, World, finish, gt, wait_for};

/// A daemon on a machine of its own: its HOME, its runtime folder and its port. It ends when it is dropped.
pub struct Daemon<'a> {
    world: &'a World,
    /// `tcp://127.0.0.1:PORT`.
    pub addr: String,
    /// The port.
    pub port: u16,
    name: String,
    child: RefCell<Option<Child>>,
}

/// A session as a daemon lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub name: String,
    pub id: String,
    pub tags: Vec<String>,
}

impl World {
    /// A daemon that listens; `name` is its machine's, a folder of the world with its home. fugue's programs are on
    /// PATH from now on.
    pub fn daemon(&self, name: &str) -> Daemon<'_> {
        self.with_fugue();
        for folder in ["home/.config", "run"] {
            std::fs::create_dir_all(self.path(name).join(folder)).unwrap();
        }
        std::fs::copy(self.path("home/.gitconfig"), self.path(name).join("home/.gitconfig")).unwrap();
        loop {
            let port = free_port();
            let daemon = Daemon {
                world: self,
                addr: format!("tcp://127.0.0.1:{port}"),
                port,
                name: name.into(),
                child: RefCell::default(),
            };
            if daemon.begin() {
                return daemon;
            }
        }
    }

    /// Puts fugue's programs on PATH, behind the test's own: `fugue-server`, `fugue-compat`, `fugue`.
    pub fn with_fugue(&self) {
        let folder = self.path("fugue-bin");
        if folder.exists() {
            return;
        }
        std::fs::create_dir(&folder).unwrap();
        for name in ["fugue-server", "fugue-compat", "fugue"] {
            let program = match std::env::var_os("GT_TEST_FUGUE_BIN") {
                Some(real) => Path::new(&real).join(name),
                None => stand_in().to_path_buf(),
            };
            std::os::unix::fs::symlink(program, folder.join(name)).unwrap();
        }
    }

    /// Puts the stand-in's `fugue-client` on PATH, the documents' program, which nobody published; and its daemon,
    /// because that program speaks to no other.
    pub fn with_fugue_client(&self) {
        std::fs::create_dir(self.path("fugue-bin")).unwrap();
        for name in ["fugue-server", "fugue-client"] {
            std::os::unix::fs::symlink(stand_in(), self.path("fugue-bin").join(name)).unwrap();
        }
    }

    /// An address where nobody listens.
    pub fn dead_addr(&self) -> String {
        format!("tcp://127.0.0.1:{}", free_port())
    }

    /// An address where something else listens: it gives this reply and hangs up.
    pub fn impostor(&self, reply: &'static [u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let _ = stream.read(&mut [0; 1024]);
                let _ = stream.write_all(reply);
            }
        });
        format!("tcp://127.0.0.1:{port}")
    }
}

/// Below the ports that systems give away by themselves, so that a daemon that is restarted finds its own free.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let number = u32::from(NEXT.fetch_add(1, Ordering::Relaxed)) + std::process::id() * 97;
        let port = u16::try_from(20_000 + number % 12_000).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// The stand-in, built when it is missing or older than its source.
fn stand_in() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let folder = Path::new(gt()).parent().unwrap();
        let program = folder.join("examples/fugue-stand-in");
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
        let mut sources = vec![tests.join("fugue/stand_in.rs")];
        let parts = std::fs::read_dir(tests.join("fugue/stand_in")).unwrap();
        sources.extend(parts.map(|part| part.unwrap().path()));
        let changed = |path: &Path| std::fs::metadata(path).and_then(|about| about.modified());
        let old = |built| sources.iter().any(|source| changed(source).unwrap() > built);
        if changed(&program).map_or(true, old) {
            let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
            let mut build = Command::new(cargo);
            build.args(["build", "--quiet", "--example", "fugue-stand-in", "--manifest-path"]);
            build.arg(tests.with_file_name("Cargo.toml")).arg("--target-dir").arg(folder.parent().unwrap());
            if folder.ends_with("release") {
                build.arg("--release");
            }
            assert_eq!(finish(&mut build).ok().code, Some(0));
        }
        program
    })
}

impl Daemon<'_> {
    /// Starts it; false when its port was taken in the meantime.
    fn begin(&self) -> bool {
        let mut command = self.over_there("fugue-server", "home");
        command.args(["--listen-tcp", &format!("127.0.0.1:{}", self.port)]);
        let log = std::fs::File::create(self.folder().join("log")).unwrap();
        let mut child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let up = wait_for("the daemon", || {
            if child.try_wait().unwrap().is_some() {
                return Some(false);
            }
            TcpStream::connect(("127.0.0.1", self.port)).is_ok().then_some(true)
        });
        *self.child.borrow_mut() = Some(child);
        up
    }

    /// Its machine's folder.
    pub fn folder(&self) -> PathBuf {
        self.world.path(&self.name)
    }

    /// Its socket, as an address.
    pub fn unix(&self) -> String {
        format!("unix://{}", self.folder().join("run/fugue/fugue.sock").display())
    }

    /// A program run on its machine, in a folder of it.
    pub fn over_there(&self, program: &str, dir: &str) -> Command {
        let own = self.folder();
        let mut command = self.world.command(program, own.join(dir));
        let foreign = |key: &&OsStr| {
            let key = key.to_string_lossy();
            (key.starts_with("GASTOWN_") && key != "GASTOWN_TMUX_SOCKET") || key.starts_with("GT_")
        };
        let keys: Vec<_> =
            command.get_envs().map(|(key, _)| key).filter(foreign).map(OsStr::to_owned).collect();
        keys.iter().for_each(|key| {
            command.env_remove(key);
        });
        command
            .env("HOME", own.join("home"))
            .env("XDG_CONFIG_HOME", own.join("home/.config"))
            .env("XDG_STATE_HOME", own.join("home/.local/state"))
            .env("XDG_RUNTIME_DIR", own.join("run"));
        command
    }

    /// Ends the daemon at once, and with it every agent of its.
    pub fn kill(&self) {
        if let Some(mut child) = self.child.borrow_mut().take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Ends it, as a system does, and starts it again: its sessions come back as shells without tags.
    pub fn restart(&self) {
        self.signal("TERM");
        let mut child = self.child.borrow_mut().take().unwrap();
        wait_for("the daemon's end", || child.try_wait().unwrap());
        wait_for("the daemon's port", || self.begin().then_some(()));
    }

    /// From now on it takes connections and never answers, until [`Daemon::thaw`].
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// It answers again.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let pid = self.child.borrow().as_ref().unwrap().id().to_string();
        self.world.run("kill", "", [&format!("-{name}"), &pid]).ok();
    }

    /// Asks it something with `fugue-compat`.
    pub fn ask<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Run {
        let mut command = self.world.command(self.world.path("fugue-bin/fugue-compat"), "");
        finish(command.args(["--addr", &self.addr]).args(args))
    }

    /// Its sessions.
    pub fn sessions(&self) -> Vec<Seen> {
        let format = "#{session_id}\t#{session_tags}\t#{session_name}";
        let listed = self.ask(["list-sessions", "-F", format]).stdout;
        let seen = |line: &str| {
            let mut parts = line.splitn(3, '\t');
            let mut next = || parts.next().unwrap_or_default().to_string();
            let (id, tags, name) = (next(), next(), next());
            Seen { id, name, tags: tags.split(',').filter(|tag| !tag.is_empty()).map(Into::into).collect() }
        };
        listed.lines().map(seen).collect()
    }

    /// The session of this name.
    pub fn session(&self, name: &str) -> Option<Seen> {
        self.sessions().into_iter().find(|session| session.name == name)
    }

    /// What a session's program wrote.
    pub fn screen(&self, name: &str) -> String {
        self.ask(["capture-pane", "-p", "-N", "1000", "-t", name]).stdout
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        self.kill();
    }
}
