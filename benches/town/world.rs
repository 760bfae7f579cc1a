//! Where the benchmarks happen: a temporary folder with a home, a tmux socket, a town and a rig of its own.

use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::measure::{self, Figure};

/// Everything goes when it is dropped, the tmux server too.
pub struct World {
    dir: tempfile::TempDir,
}

const GIT: &str = "[user]\n\tname = Bench\n\temail = bench@localhost\n[init]\n\tdefaultBranch = main\n";

/// A runtime that starts at once and stays; room for as many polecats as are asked for; the queue's tests, which are
/// counted and fail where a file says so.
const SETTINGS: &str = r#"
[beads]
store = "embedded"

[agents.sleeper]
command = ["sleep", "1000"]

[merge]
batch_size = 20
test_command = "echo run >> $HOME/test-runs; test ! -e red"
"#;

impl World {
    /// An empty one.
    pub fn new() -> World {
        let dir = tempfile::Builder::new().prefix("gt-bench-").tempdir().unwrap();
        let world = World { dir };
        world.write("home/.gitconfig", GIT);
        world.write("home/.config/gastown/config.toml", SETTINGS);
        world
    }

    /// With a town and the rig `wyvern`, whose origin holds a hundred files and commits.
    pub fn with_rig() -> World {
        let world = World::new();
        world.write("seed/README.md", "# wyvern\n");
        world.ok(world.command("git", "seed").args(["init", "-q"]));
        for number in 0..100 {
            world.write(format!("seed/src/file{number}.txt"), "a line\n".repeat(100));
            world.ok(world.command("git", "seed").args(["add", "-A"]));
            world.ok(world.command("git", "seed").args(["commit", "-q", "-m", "more"]));
        }
        world.ok(world.command("git", "").args(["clone", "-q", "--bare", "seed", "origin.git"]));
        world.ok(&mut world.gt("", &["install", "town"]));
        let origin = world.path("origin.git");
        world
            .ok(&mut world.gt("town", &["rig", "add", "wyvern", origin.to_str().unwrap(), "--prefix", "wy"]));
        world.ok(world.command("git", "").args(["clone", "-q", "origin.git", "hand"]));
        world
    }

    /// A path in it.
    pub fn path(&self, inside: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(inside)
    }

    /// Writes a file, with the folders above it.
    pub fn write(&self, path: impl AsRef<Path>, text: impl AsRef<[u8]>) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// A program in a folder of the world.
    pub fn command(&self, program: &str, dir: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap())
            .env("HOME", self.path("home"))
            .env("LANG", "C.UTF-8")
            .env("TERM", "xterm-256color")
            .env("SHELL", "/bin/sh")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GASTOWN_TMUX_SOCKET", self.path("tmux"))
            .env("GASTOWN_POLECAT__AGENT", "sleeper")
            .env("GASTOWN_POLECAT__MAX_WORKERS", "2000")
            .current_dir(self.path(dir));
        command
    }

    /// gt in a folder of the world.
    pub fn gt(&self, dir: impl AsRef<Path>, words: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_gt"), dir);
        command.args(words);
        command
    }

    /// tmux on the world's socket.
    pub fn tmux(&self, words: &[&str]) -> Command {
        let mut command = self.command("tmux", "");
        command.arg("-u").arg("-S").arg(self.path("tmux")).args(["-f", "/dev/null"]).args(words);
        command
    }

    fn ok(&self, command: &mut Command) -> String {
        let output = command.stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?} failed: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// A folder with a store of so many beads, a tenth of them closed, a tenth waiting for another.
    pub fn store(&self, count: usize) -> String {
        let dir = format!("store-{count}");
        std::fs::create_dir(self.path(&dir)).unwrap();
        self.ok(&mut self.gt(&dir, &["bd", "init", "--prefix", "st"]));
        // Line by line: what this program once held in memory, every program that it starts is charged for.
        let file = std::fs::File::create(self.path(format!("{dir}/beads.jsonl"))).unwrap();
        let mut lines = BufWriter::new(file);
        for number in 0..count {
            let closed = number % 10 == 0;
            let status = if closed { "closed" } else { "open" };
            let end = if closed { r#","closed_at":"2026-01-02T00:00:00Z""# } else { "" };
            let waits = if number % 10 == 5 {
                format!(
                    r#","dependencies":[{{"issue_id":"st-{number}","depends_on_id":"st-{}","type":"blocks","created_at":"2026-01-01T00:00:00Z"}}]"#,
                    number - 1
                )
            } else {
                String::new()
            };
            writeln!(
                lines,
                r#"{{"id":"st-{number}","title":"Bead {number}","description":"What is wanted of it.","status":"{status}","priority":{},"issue_type":"task","created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-02T00:00:00Z"{end}{waits}}}"#,
                number / 10 % 5
            )
            .unwrap();
        }
        drop(lines);
        self.ok(&mut self.gt(&dir, &["bd", "import", "-i", "beads.jsonl"]));
        dir
    }

    /// A bead of the rig.
    pub fn bead(&self, title: &str, script: &str) -> String {
        let description = format!("```sh\n{script}\n```\n");
        let words = ["bd", "create", title, "-d", &description, "--silent"];
        self.ok(&mut self.gt("town/wyvern", &words)).trim().to_string()
    }

    /// So many more polecats that run and do nothing.
    pub fn sling_sleepers(&self, count: usize) {
        let mut words = vec!["sling".to_string()];
        words.extend((0..count).map(|number| self.bead(&format!("Sleep {number}"), "sleep")));
        words.push("wyvern".into());
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.ok(&mut self.gt("town", &words));
    }

    /// What a person would run to begin on a branch: the programs' own times, added.
    pub fn sling_by_hand(&self, number: usize) -> Figure {
        let branch = format!("by-hand-{number}");
        let tree = self.path(&branch);
        let tree = tree.to_str().unwrap();
        let mut session =
            self.tmux(&["new-session", "-d", "-s", &branch, "-x", "200", "-y", "50", "-c", tree]);
        let figure = self.branch_by_hand(&branch, || measure::run(session.args(["sleep", "1000"])));
        self.ok(&mut self.tmux(&["kill-session", "-t", &format!("={branch}")]));
        figure
    }

    /// Only the branch and its worktree.
    pub fn place_by_hand(&self, number: usize) -> Figure {
        self.branch_by_hand(&format!("place-{number}"), Figure::default)
    }

    /// A fetch, a worktree on a branch, and what comes then; the worktree goes again.
    fn branch_by_hand(&self, branch: &str, then: impl FnOnce() -> Figure) -> Figure {
        let tree = self.path(branch);
        let tree = tree.to_str().unwrap();
        let programs = [
            self.git(&[
                "fetch",
                "-q",
                "--no-tags",
                "--no-write-fetch-head",
                "--no-auto-maintenance",
                "--no-recurse-submodules",
                "origin",
                "+refs/heads/main:refs/remotes/origin/main",
            ]),
            self.git(&["worktree", "add", "-q", "--no-track", "-b", branch, tree, "origin/main"]),
        ];
        let mut figures: Vec<Figure> =
            programs.into_iter().map(|mut program| measure::run(&mut program)).collect();
        figures.push(then());
        self.ok(&mut self.git(&["worktree", "remove", "--force", tree]));
        self.ok(&mut self.git(&["branch", "-q", "-D", branch]));
        figures.into_iter().fold(Figure::default(), |sum, figure| Figure {
            millis: sum.millis + figure.millis,
            mebibytes: sum.mebibytes.max(figure.mebibytes),
        })
    }

    fn git(&self, words: &[&str]) -> Command {
        let mut command = self.command("git", "hand");
        command.args(["-c", "maintenance.auto=false", "-c", "gc.auto=0"]).args(words);
        command
    }

    /// So many members of the crew that should run, in two windows each; and the same as a script of tmux's.
    pub fn crew(&self, count: usize) {
        let settings = format!("{SETTINGS}\n[up]\nroles = [\"crew\"]\n");
        self.write("home/.config/gastown/config.toml", settings);
        let preset = "[crew]\nagent = \"sleeper\"\nwindows = [{ name = \"work\" }, { name = \"logs\", panes = [{ command = \"exec sleep 1000\" }] }]\n";
        self.write("home/.config/gastown/presets/crew.toml", preset);
        let mut script = String::new();
        for number in 0..count {
            let dir = self.path(format!("town/wyvern/crew/c{number:02}"));
            std::fs::create_dir_all(&dir).unwrap();
            let dir = dir.to_str().unwrap();
            let name = format!("by-hand-{number:02}");
            script += &format!("new-session -d -x 200 -y 50 -s {name} -n work -c {dir} 'exec sleep 1000'\n");
            script += &format!("new-window -d -t ={name}: -n logs -c {dir} 'exec sleep 1000'\n");
        }
        self.write("crew.tmux", script);
    }

    /// Ends the tmux server, which has so many panes, and waits until it is gone.
    pub fn end_server(&self, panes: usize) {
        let listed = self.ok(&mut self.tmux(&["list-panes", "-a"]));
        assert_eq!(listed.lines().count(), panes);
        self.ok(&mut self.tmux(&["kill-server"]));
        let limit = Instant::now() + Duration::from_secs(30);
        while self
            .tmux(&["list-sessions"])
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .unwrap()
            .success()
        {
            assert!(Instant::now() < limit, "the tmux server does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = std::fs::remove_file(self.path("tmux"));
    }

    /// Ends all polecats.
    pub fn end_all(&self) {
        self.end_all_with(|words| self.gt("town", words));
    }

    /// The same with a gt of one's own.
    pub fn end_all_with(&self, gt: impl Fn(&[&str]) -> Command) {
        let listed = self.ok(&mut gt(&["polecats", "wyvern", "--json"]));
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
        for polecat in listed["polecats"].as_array().unwrap() {
            self.ok(&mut gt(&["polecat", "nuke", polecat["address"].as_str().unwrap()]));
        }
    }

    /// Fills the rig's queue: so many requests, one of them red.
    pub fn queue(&self, count: usize, red: usize) {
        let mut words = vec!["sling".to_string()];
        for number in 0..count {
            let file = if number == red { "red".into() } else { format!("new-{number}") };
            words.push(self.bead(&format!("Add {file}"), &format!("echo new > {file}")));
        }
        words.extend(["wyvern".into(), "--agent".into(), "shell".into()]);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.ok(&mut self.gt("town", &words));
        let limit = Instant::now() + Duration::from_secs(300);
        loop {
            let listed = self.ok(&mut self.gt("town", &["mq", "list", "wyvern", "--json"]));
            let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
            if listed["requests"].as_array().is_some_and(|requests| requests.len() == count) {
                return;
            }
            assert!(Instant::now() < limit, "the queue does not fill: {listed}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// How often the tests ran, and how many new files are on main.
    pub fn test_runs(&self) -> (usize, usize) {
        let runs = std::fs::read_to_string(self.path("home/test-runs")).unwrap().lines().count();
        let files = self.ok(self.command("git", "origin.git").args(["ls-tree", "--name-only", "main"]));
        (runs, files.lines().filter(|name| name.starts_with("new-") || *name == "red").count())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.tmux(&["kill-server"]).stderr(Stdio::null()).status();
    }
}

/// What this is measured on, without names or dates.
pub fn machine() -> String {
    let said = |program: &str, word: &str| {
        let output = Command::new(program).arg(word).output().ok();
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_string()).unwrap_or_default()
    };
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map(|(_, model)| model);
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    format!(
        "{cores} cores ({}), {} {}, {}, {}",
        model.unwrap_or("unknown"),
        said("uname", "-s"),
        said("uname", "-m"),
        said("tmux", "-V"),
        said("git", "--version")
    )
}
