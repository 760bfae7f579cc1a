//! A closed-off world for one test: its own HOME, its own tmux server, its own PATH, real programs.
//!
//! ```text
//! let world = World::new();
//! world.gt(["install", "town"]).ok();
//! ```

pub mod fugue;
pub mod json_docs;
pub mod kill;
pub mod sshd;
pub mod terminal;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The address of the agent that a session is of, as a format of tmux's.
pub const ADDRESS: &str = "#{s/^[^ ]* [^ ]* [^ ]* ([^ ]*) .*$/\\1/:@gt_own}";

/// What that agent does.
pub const STATE: &str = "#{s/^[^ ]* ([^ ]*).*$/\\1/:@gt_state}";

/// A test's world. Its tmux server and its folder go when it is dropped.
pub struct World {
    dir: tempfile::TempDir,
    /// Name of the private tmux socket.
    pub socket: String,
    env: RefCell<Vec<(String, String)>>,
}

/// How a program ended and what it said.
#[derive(Debug)]
pub struct Run {
    /// The program and its words.
    pub words: Vec<String>,
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Settings with gt's own store and the runtime `waits`, which does nothing until it is told to end.
pub const WAITS: &str =
    "[beads]\nstore = \"embedded\"\n[agents.waits]\ncommand = [\"sleep\", \"600\"]\nprompt = \"none\"\n";

static WORLDS: AtomicUsize = AtomicUsize::new(0);

impl World {
    /// An empty world: `home/`, `bin/` first on PATH, git with a name and an address.
    pub fn new() -> World {
        let dir = tempfile::Builder::new().prefix("gt-test-").tempdir().unwrap();
        let number = WORLDS.fetch_add(1, Ordering::Relaxed);
        let world = World {
            dir,
            socket: format!("gt-test-{}-{number}", std::process::id()),
            env: RefCell::default(),
        };
        // A deacon does by itself what most tests do step by step.
        world.set("GASTOWN_UP__DEACON", "false");
        for folder in ["home", "bin", "tmux"] {
            std::fs::create_dir(world.path(folder)).unwrap();
        }
        let config = "[user]\n\tname = Test\n\temail = test@example.invalid\n[init]\n\tdefaultBranch = main\n\
                      [protocol \"file\"]\n\tallow = always\n[advice]\n\tdetachedHead = false\n";
        std::fs::write(world.path("home/.gitconfig"), config).unwrap();
        world
    }

    /// A world with the town `town/` and the rig `wyvern` (prefix `wy`), cloned from `origin.git`, whose branch
    /// `main` holds a README. Its store is embedded and its polecats run the `shell` runtime.
    pub fn with_rig() -> World {
        let world = World::new();
        world.origin("origin.git", &[("README.md", "# wyvern\n")]);
        world.settings("[beads]\nstore = \"embedded\"\n");
        world.set("GASTOWN_POLECAT__AGENT", "shell");
        world.gt(["install", "town"]).ok();
        world.in_town(["rig", "add", "wyvern", &world.str("origin.git"), "--prefix", "wy"]).ok();
        world
    }

    /// The same with polecats that wait until they are told to end.
    pub fn waiting() -> World {
        let world = World::with_rig();
        world.settings(WAITS);
        world.set("GASTOWN_POLECAT__AGENT", "waits");
        world
    }

    /// Ends the deacons of this world's towns.
    fn end_deacons(&self) {
        let towns = std::fs::read_dir(self.dir.path()).into_iter().flatten().flatten();
        let files = towns.map(|town| town.path().join("mayor/deacon.json")).filter(|file| file.exists());
        for (pid, words) in files.flat_map(|_| kill::processes(self)) {
            if words.ends_with("daemon run") {
                let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
            }
        }
    }

    /// A path in the world.
    pub fn path(&self, inside: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(inside)
    }

    /// The same as text.
    pub fn str(&self, inside: impl AsRef<Path>) -> String {
        self.path(inside).to_str().unwrap().to_string()
    }

    /// The real path of the world (macOS and some runners have links in the way).
    pub fn real(&self) -> PathBuf {
        self.dir.path().canonicalize().unwrap()
    }

    /// Sets a variable for everything run from now on.
    pub fn set(&self, key: &str, value: &str) {
        self.env.borrow_mut().retain(|(own, _)| own != key);
        self.env.borrow_mut().push((key.into(), value.into()));
    }

    /// Takes a variable back.
    pub fn unset(&self, key: &str) {
        self.env.borrow_mut().retain(|(own, _)| own != key);
    }

    /// Writes the user's settings file.
    pub fn settings(&self, toml: &str) {
        self.write("home/.config/gastown/config.toml", toml);
    }

    /// Writes a file and the folders above it.
    pub fn write(&self, path: impl AsRef<Path>, text: impl AsRef<[u8]>) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Reads a file.
    pub fn read(&self, path: impl AsRef<Path>) -> String {
        let path = self.path(path);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Any program, in `dir`, in the closed-off environment.
    pub fn command(&self, program: impl AsRef<OsStr>, dir: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program);
        let path = std::env::var("PATH").unwrap();
        command
            .env_clear()
            .env("PATH", format!("{}:{}:{path}", self.str("bin"), self.str("fugue-bin")))
            .env("HOME", self.path("home"))
            .env("XDG_CONFIG_HOME", self.path("home/.config"))
            .env("XDG_STATE_HOME", self.path("home/.local/state"))
            .env("TMUX_TMPDIR", self.path("tmux"))
            .env("LANG", "C.UTF-8")
            .env("TERM", "xterm-256color")
            .env("SHELL", "/bin/sh")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GASTOWN_TMUX_SOCKET", &self.socket)
            .envs(self.env.borrow().iter().map(|(key, value)| (key, value)))
            .current_dir(self.path(dir))
            .stdin(Stdio::null());
        command
    }

    /// Runs any program to its end.
    pub fn run<S: AsRef<OsStr>>(
        &self,
        program: &str,
        dir: impl AsRef<Path>,
        args: impl IntoIterator<Item = S>,
    ) -> Run {
        finish(self.command(program, dir).args(args))
    }

    /// The real gt, in the world's root.
    pub fn gt<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Run {
        self.gt_in("", args)
    }

    /// The real gt, in `town/`.
    pub fn in_town<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Run {
        self.gt_in("town", args)
    }

    /// The real gt, in a folder of the world.
    pub fn gt_in<S: AsRef<OsStr>>(&self, dir: impl AsRef<Path>, args: impl IntoIterator<Item = S>) -> Run {
        self.run(gt(), dir, args)
    }

    /// gt killed (SIGKILL) right after a numbered step, like `sling.3`. Fails when the step was not reached.
    pub fn gt_killed<S: AsRef<OsStr>>(&self, step: &str, dir: &str, args: impl IntoIterator<Item = S>) {
        let mut command = self.command(gt(), dir);
        let run = finish(command.args(args).env("GT_TEST_KILL_AFTER", step));
        assert_eq!(run.code, None, "gt was not killed at {step}: {run:?}");
    }

    /// Doctor repairs everything at once, when nothing of the town is still on its way.
    #[track_caller]
    pub fn heal(&self, when: &str) {
        kill::settle(self, "", 0);
        for words in [&["doctor", "--fix", "-q"][..], &["doctor"]] {
            let run = self.in_town(words);
            assert_eq!(run.code, Some(0), "{when}: {run:#?}");
            kill::settle(self, "", 0);
        }
    }

    /// git in a folder of the world: its output, without the final newline. Fails when git fails.
    pub fn git<S: AsRef<OsStr>>(&self, dir: impl AsRef<Path>, args: impl IntoIterator<Item = S>) -> String {
        self.run("git", dir, args).ok().stdout.trim_end().to_string()
    }

    /// tmux on the private socket.
    pub fn tmux<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Run {
        let mut command = self.command("tmux", "");
        finish(command.args(["-u", "-L", &self.socket, "-f", "/dev/null"]).args(args))
    }

    /// A bare repository with these files on `main`.
    pub fn origin(&self, name: &str, files: &[(&str, &str)]) {
        let seed = format!("{name}.seed");
        std::fs::create_dir_all(self.path(&seed)).unwrap();
        self.git(&seed, ["init", "-q", "-b", "main"]);
        for (path, text) in files {
            self.write(Path::new(&seed).join(path), text);
        }
        self.git(&seed, ["add", "-A"]);
        self.git(&seed, ["commit", "-q", "-m", "first"]);
        self.git("", ["clone", "-q", "--bare", &seed, name]);
        std::fs::remove_dir_all(self.path(&seed)).unwrap();
    }

    /// Makes a bead in the rig's store whose `sh` block the `shell` runtime runs; gives its id.
    pub fn bead(&self, title: &str, script: &str) -> String {
        self.bead_with(title, script, &[])
    }

    /// The same with more words for `bd create`.
    pub fn bead_with(&self, title: &str, script: &str, more: &[&str]) -> String {
        let description = format!("```sh\n{script}\n```\n");
        let mut words = vec!["bd", "create", title, "-d", &description, "--json"];
        words.extend(more);
        let made = self.gt_in("town/wyvern", words).ok();
        made.json()["id"].as_str().unwrap().to_string()
    }

    /// A bead as `gt bd show --json` gives it.
    pub fn show(&self, id: &str) -> serde_json::Value {
        self.gt_in("town/wyvern", ["bd", "show", id, "--json"]).ok().json()[0].clone()
    }

    /// The name of the polecat that holds a bead.
    pub fn polecat_of(&self, bead: &str) -> String {
        let assignee = self.show(bead)["assignee"].as_str().unwrap_or_default().to_string();
        assignee.rsplit('/').next().unwrap_or_default().to_string()
    }

    /// The id of the town `town/`, which names at origin hold.
    pub fn town_id(&self) -> String {
        let file: serde_json::Value = serde_json::from_str(&self.read("town/mayor/town.json")).unwrap();
        let part = |key: &str| file[key].as_str().unwrap();
        gastown::model::rules::town_id(part("name"), part("created_at"))
    }

    /// The branch of a polecat of that town.
    pub fn branch(&self, name: &str, bead: &str) -> String {
        format!("polecat/{}/{name}-{bead}", self.town_id())
    }

    /// The completion records of polecats elsewhere at origin, once there is one.
    pub fn letters(&self) -> String {
        wait_for("the hand-in", || {
            let refs = self.git("origin.git", ["for-each-ref", "--format=%(refname)", "refs/gt/*/done/**"]);
            (!refs.is_empty()).then_some(refs)
        })
    }

    /// tmux's id of the session with this address; empty when there is none.
    pub fn session_of(&self, address: &str) -> String {
        let filter = format!("#{{==:{ADDRESS},{address}}}");
        self.tmux(["list-sessions", "-f", &filter, "-F", "#{session_id}"]).stdout.trim().to_string()
    }

    /// Ends its tmux server and leaves its folder where it is, for a look.
    pub fn keep(self) -> PathBuf {
        let path = self.path("");
        self.tmux(["kill-server"]);
        std::mem::forget(self);
        path
    }

    /// From now on counts every call of these programs that goes through PATH; see [`World::calls`].
    pub fn count_calls(&self, programs: &[&str]) {
        for program in programs {
            let real = self.run("sh", "", ["-c", &format!("command -v {program}")]).ok().stdout;
            let (log, told) = (self.str(format!("calls-{program}")), self.str(format!("{program}-told")));
            let (real, read) = (real.trim(), "*' source-file -'");
            let script = format!(
                "#!/bin/sh\necho \"$*\" >> '{log}'\ncase $* in {read}) tee '{told}' | {real} \"$@\"; exit;; esac\nexec {real} \"$@\"\n"
            );
            self.program(program, &script);
        }
    }

    /// The calls counted so far (one line of arguments each), and forgets them.
    pub fn calls(&self, program: &str) -> Vec<String> {
        let log = self.path(format!("calls-{program}"));
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        let _ = std::fs::remove_file(log);
        text.lines().map(str::to_string).collect()
    }

    /// From now on a program hangs when its words hold this one, and does as ever else. Gives the file in which each call
    /// that hangs has a line: its process and its words. `begins` is shell that such a call runs first.
    pub fn hangs(&self, program: &str, word: &str, begins: &str) -> PathBuf {
        let real = self.run("sh", "", ["-c", &format!("command -v {program} || echo false")]).ok().stdout;
        let log = self.path(format!("hangs-{program}"));
        let script = format!(
            "#!/bin/sh\ncase \" $* \" in *'{word}'*) {begins}\necho \"$$ $*\" >> '{}'; exec sleep 600;; esac\nexec {} \"$@\"\n",
            log.display(),
            real.trim()
        );
        self.program(program, &script);
        log
    }

    /// Puts a program of the test's own first on PATH.
    pub fn program(&self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt;
        self.write(Path::new("bin").join(name), script);
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(self.path("bin").join(name), mode).unwrap();
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.end_deacons();
        // The real one: a test may have put another first on PATH.
        let Ok(tmux) = which::which("tmux") else { return };
        let _ =
            self.command(tmux, "").args(["-L", &self.socket, "kill-server"]).stderr(Stdio::null()).status();
    }
}

impl Run {
    /// It ended with 0.
    #[track_caller]
    pub fn ok(self) -> Run {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self
    }

    /// It ended with this code.
    #[track_caller]
    pub fn fails(self, code: i32) -> Run {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// Its standard output as JSON; an answer of gt's is as `docs/json.md` says.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        self.answer().0
    }

    /// The same, with what of the docs was seen in it.
    #[track_caller]
    pub fn answer(&self) -> (serde_json::Value, BTreeSet<String>) {
        let value: serde_json::Value =
            serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"));
        let asks = |words: &[String]| words.contains(&"--json".into()) && !words.contains(&"bd".into());
        let own = self.words.split_first().filter(|(program, words)| *program == gt() && asks(words));
        let seen =
            own.map_or_else(|| Ok(BTreeSet::new()), |(_, words)| json_docs::docs().answer(words, &value));
        (value, seen.unwrap_or_else(|why| panic!("{why}: {self:#?}")))
    }

    /// What it said on standard error, as an error in JSON.
    #[track_caller]
    pub fn error(&self) -> serde_json::Value {
        let value = serde_json::from_str(&self.stderr).unwrap_or_else(|error| panic!("{error}: {self:#?}"));
        json_docs::docs().error(&value).unwrap_or_else(|why| panic!("{why}: {self:#?}"));
        value
    }
}

/// The numbered steps of a workflow, for tests that kill at each: `sling.1` and on.
pub fn steps(workflow: &str, numbers: std::ops::RangeInclusive<u32>) -> Vec<String> {
    numbers.map(|number| format!("{workflow}.{number}")).collect()
}

/// The program under test.
pub fn gt() -> &'static str {
    env!("CARGO_BIN_EXE_gt")
}

/// Runs a prepared command to its end.
pub fn finish(command: &mut Command) -> Run {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    Run {
        words: words_of(command),
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A prepared command's program and words.
pub fn words_of(command: &Command) -> Vec<String> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect()
}

/// Whether a process runs (one that has ended and was not waited for does not).
pub fn runs(pid: &str) -> bool {
    let ps = Command::new("ps").args(["-o", "state=", "-p", pid]).output().unwrap();
    let state = String::from_utf8_lossy(&ps.stdout).trim().to_string();
    !state.is_empty() && !state.starts_with('Z')
}

/// Runs prepared commands at the same time.
pub fn at_once(commands: impl IntoIterator<Item = Command>) -> Vec<Run> {
    std::thread::scope(|scope| {
        let run = |mut command| scope.spawn(move || finish(&mut command));
        let threads: Vec<_> = commands.into_iter().map(run).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// Waits until `check` gives something, for 30 s at most, with a real bd, which is slow, for 180 s; `what` says what for.
#[track_caller]
pub fn wait_for<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let seconds = if std::env::var_os("GT_TEST_BD_BIN").is_some() { 180 } else { 30 };
    let limit = Instant::now() + Duration::from_secs(seconds);
    loop {
        if let Some(value) = check() {
            return value;
        }
        assert!(Instant::now() < limit, "waited {seconds} s in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
