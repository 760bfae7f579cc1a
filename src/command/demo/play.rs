//! `gt demo`: a town that works by itself, from one `gt sling` to the report, and that is gone afterwards.
//!
//! Everything is done by the program itself, run with the words that are printed. Nothing outside a temporary folder
//! is touched: the town, its tmux socket, git's and gt's settings are in it, and the rig's origin is a bare repository
//! there, so nothing is ever pushed to where a given repository came from.

mod beads;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use self::beads::{BEADS, CRASH, MARK, RED, REPOSITORY, TEST, TWINS};
use crate::base::failure::{Exit, Failure};
use crate::base::quote::quote;
use crate::beads::{self as store, Filter, Store};
use crate::config::schema::StoreChoice;
use crate::model::bead::Bead;
use crate::model::words;
use crate::mux::Mux;
use crate::mux::tmux::TmuxMux;
use crate::programs::git::Git;
use crate::programs::process::signals;
use crate::programs::{Output, Process};
use crate::report::Screen;
use crate::report::demo::{DemoRow, Stage};
use crate::town::deacon;

/// The longest that the town may take for its beads, and for its end.
const PATIENCE: Duration = Duration::from_secs(120);

/// Between two looks while something works.
const LOOK: Duration = Duration::from_millis(100);

/// The longest path of a socket that every system takes.
const SOCKET: usize = 100;

/// What is wanted of a demo.
pub struct DemoOptions<'a> {
    /// Leave the town, and say how to look around.
    pub keep: bool,
    /// A repository to show it on, instead of one made for it.
    pub repo: Option<&'a Path>,
    /// What standard output can show.
    pub screen: Screen,
    /// The variables of this process, by name.
    pub variables: Vec<String>,
}

/// Plays the demo, then removes everything it made (unless it is to be kept).
///
/// # Errors
/// What stopped it; the town goes all the same.
pub fn run(wanted: &DemoOptions<'_>) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("gt-demo-").tempdir().context("no temporary folder")?;
    let began = Instant::now();
    let mut demo = Demo::new(wanted, folder.path())?;
    let (mut over, path) = (demo.clone(), folder.path().to_path_buf());
    let put_back = (!wanted.keep).then(|| {
        signals::at_end(move || {
            // Whatever cannot be ended, the folder goes.
            let _ = over.end();
            let _ = remove(&path);
        })
    });
    let played = demo.play(wanted.repo);
    if wanted.keep {
        let kept = folder.keep();
        demo.look_around(&kept);
        return played;
    }
    let ended = demo.end();
    remove(&folder.keep())?;
    drop(put_back);
    played?;
    if ended.is_ok() {
        demo.stage.line("");
        demo.stage.line(&format!(
            "done in {} s; the town is gone. Keep the next one: gt demo --keep",
            began.elapsed().as_secs()
        ));
    }
    ended
}

#[derive(Clone)]
struct Demo {
    stage: Stage,
    /// The temporary folder, links resolved.
    root: PathBuf,
    /// The town in it.
    town: PathBuf,
    /// Name of the rig.
    rig: &'static str,
    /// This program.
    gt: PathBuf,
    /// Variables that would lead the commands out of the demo.
    foreign: Vec<String>,
}

impl Demo {
    fn new(wanted: &DemoOptions<'_>, folder: &Path) -> Result<Demo> {
        let root = folder.canonicalize()?;
        if root.join("tmux").as_os_str().len() > SOCKET {
            crate::fail!("the temporary folder's path is too long for a tmux socket: {}", root.display(); "try: TMPDIR=/tmp gt demo");
        }
        let version = crate::programs::tmux::Tmux::version().map_err(|_| {
            Failure::new("the demo shows polecats in tmux, and there is no tmux")
                .hint("install tmux 3.2 or later")
        })?;
        if crate::programs::tmux::parse_version(&version)
            .is_some_and(|found| found < crate::programs::tmux::MINIMUM)
        {
            crate::fail!("the demo needs tmux 3.2 or later, this is {version}"; "install a newer tmux");
        }
        let leads_out = |name: &&String| {
            ["GT_", "GASTOWN_", "BEADS_", "BD_", "GIT_"].iter().any(|prefix| name.starts_with(prefix))
                || matches!(name.as_str(), "TMUX" | "TMUX_PANE")
        };
        Ok(Demo {
            stage: Stage::new(wanted.screen),
            town: root.join("town"),
            rig: if wanted.repo.is_some() { "project" } else { "sprout" },
            gt: std::env::current_exe().context("where this program is")?,
            foreign: wanted.variables.iter().filter(leads_out).cloned().collect(),
            root,
        })
    }

    fn play(&mut self, repo: Option<&Path>) -> Result<()> {
        self.stage.chapter(&format!("a town in {}", self.town.display()));
        self.settings()?;
        self.origin(repo)?;
        let town = self.town.clone();
        self.gt_in(&self.root.clone(), &["install", &text(&town), "--name", "demo"])?;
        self.town_settings()?;
        self.gt(&["rig", "add", self.rig, &text(&self.root.join("origin.git")), "--prefix", "de"])?;

        self.gt(&["up"])?;

        self.stage.chapter(
            "ten beads for four places: two touch the same lines, one fails the tests, one takes its time",
        );
        let ids = self.create_beads()?;

        self.stage.chapter("one command: what has a place starts, the rest waits");
        let mut words = vec!["sling"];
        words.extend(ids.iter().map(String::as_str));
        words.extend([self.rig, "--agent", "shell"]);
        self.gt(&words)?;

        self.stage
            .chapter("from here on nobody types: the deacon ends, starts and merges; the demo kills one");
        self.watch(&ids)?;
        self.finish(&ids)
    }

    /// git and gt see only what is in the demo's folder: a signing key that asks for a password, or a preset that
    /// starts another agent, would stop it.
    fn settings(&self) -> Result<()> {
        let git = "[user]\n\tname = gt demo\n\temail = demo@localhost\n[init]\n\tdefaultBranch = main\n[safe]\n\tdirectory = *\n";
        std::fs::write(self.root.join("gitconfig"), git)?;
        Ok(())
    }

    /// What a person would write into the town's settings.
    fn town_settings(&mut self) -> Result<()> {
        use std::io::Write;
        let socket = text(&self.root.join("tmux"));
        let added = format!(
            "\n[beads]\nstore = \"embedded\"\n\n[tmux]\nsocket = {socket:?}\n\n[merge]\ntest_command = {TEST:?}\nrework = \"auto\"\n\n\
             [up]\nroles = []\n"
        );
        let path = self.town.join("config/town.toml");
        std::fs::OpenOptions::new().append(true).create(true).open(&path)?.write_all(added.as_bytes())?;
        self.stage.line(&format!("# in {}:", path.display()));
        self.stage.said(&added);
        Ok(())
    }

    /// The bare repository that everything is pushed to: of the one given, or of one made here.
    fn origin(&mut self, repo: Option<&Path>) -> Result<()> {
        let origin = self.root.join("origin.git");
        let source = match repo {
            Some(repo) => repo.canonicalize().with_context(|| format!("no repository {}", repo.display()))?,
            None => self.repository()?,
        };
        self.stage.command(&format!("git clone --bare {} {}", quote(&text(&source)), text(&origin)));
        let clone = self.git(&self.root, &["clone", "-q", "--bare", &text(&source), &text(&origin)])?;
        if !clone.ok() {
            crate::fail!("cannot clone {}: {}", source.display(), clone.error_text());
        }
        for needed in ["scripts/check-tree", "CHANGELOG.md", "README.md", "src/main.rs"] {
            if !self.git(&origin, &["cat-file", "-e", &format!("HEAD:{needed}")])?.ok() {
                crate::fail!("{} has no committed {needed}: the demo's beads are about it", source.display(); "leave out --repo: gt demo makes a repository of its own");
            }
        }
        // Work lands on main, whatever is checked out in the repository that was given.
        for words in [["update-ref", "refs/heads/main", "HEAD"], ["symbolic-ref", "HEAD", "refs/heads/main"]]
        {
            let output = self.git(&origin, &words)?;
            if !output.ok() {
                crate::fail!("cannot set up {}: {}", origin.display(), output.error_text());
            }
        }
        Ok(())
    }

    fn repository(&self) -> Result<PathBuf> {
        use std::os::unix::fs::PermissionsExt;
        let dir = self.root.join("sprout");
        for (name, executable, content) in REPOSITORY {
            let path = dir.join(name);
            std::fs::create_dir_all(path.parent().unwrap_or(&dir))?;
            std::fs::write(&path, content)?;
            if executable {
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
            }
        }
        for words in
            [&["init", "-q"][..], &["add", "-A"], &["commit", "-q", "-m", "A program that says hello"]]
        {
            let output = self.git(&dir, words)?;
            if !output.ok() {
                crate::fail!("cannot make a repository in {}: {}", dir.display(), output.error_text());
            }
        }
        Ok(dir)
    }

    /// Writes the beads down; gives their ids.
    fn create_beads(&mut self) -> Result<Vec<String>> {
        let mut ids = Vec::new();
        for piece in &BEADS {
            let words = ["bd", "create", piece.title, "-p", piece.priority];
            ids.push(self.create(&words, &piece.description())?);
        }
        Ok(ids)
    }

    fn create(&mut self, words: &[&str], description: &str) -> Result<String> {
        let mut words = words.to_vec();
        let shown = format!("{} -d \"…\"", shown(&words));
        words.extend(["-d", description, "--json"]);
        self.stage.command(&shown);
        let output = self.process_in(&self.rig_dir(), &words).run()?;
        let made: serde_json::Value = serde_json::from_slice(&self.succeeded(&shown, output)?.stdout)?;
        let id = made["id"].as_str().context("bd create --json gave no id")?.to_string();
        self.stage.said(&id);
        Ok(id)
    }

    /// Watches until nothing is left to do, and kills one agent in the middle of its work.
    fn watch(&mut self, ids: &[String]) -> Result<()> {
        let limit = Instant::now() + PATIENCE;
        let mut killed = false;
        loop {
            let beads = self.beads(ids)?;
            self.stage.progress(&rows(&beads, ids));
            killed = killed || self.kill(&ids[CRASH])?;
            if killed && beads.len() == ids.len() && beads.iter().all(is_settled) && self.polecats()? == 0 {
                return Ok(());
            }
            if !deacon::runs(&self.town) {
                crate::fail!("the demo's deacon is gone"; "begin again with: gt demo");
            }
            if Instant::now() > limit {
                self.gt(&["status"])?;
                self.gt(&["daemon", "logs"])?;
                crate::fail!("the town took longer than {} s", PATIENCE.as_secs(); "look at what it does with: gt demo --keep");
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Kills the agent of a bead, once it is in the middle of its work; whether it did.
    fn kill(&mut self, bead: &str) -> Result<bool> {
        let worktrees = std::fs::read_dir(self.rig_dir().join("mayor/rig/.git/worktrees"));
        let mut places = worktrees.into_iter().flatten().flatten();
        if !places.any(|place| place.path().join(MARK).exists()) {
            return Ok(false);
        }
        let sessions = self.mux().look()?.sessions;
        let own = sessions.iter().find(|session| session.marks.bead == bead && session.alive());
        let pid = own.and_then(|session| session.panes.first()).map(|pane| pane.pid);
        let Some(group) = pid.and_then(rustix::process::Pid::from_raw) else { return Ok(false) };
        self.stage.command(&format!("kill -9 -{}  # the agent of {bead}", group.as_raw_nonzero()));
        rustix::process::kill_process_group(group, rustix::process::Signal::KILL)?;
        Ok(true)
    }

    fn polecats(&self) -> Result<usize> {
        let listed = self.gt_quietly(&["polecats", self.rig, "--json"])?;
        let listed: serde_json::Value = serde_json::from_slice(&listed.stdout)?;
        Ok(listed["polecats"].as_array().map_or(0, Vec::len))
    }

    /// What came of it, said and checked.
    fn finish(&mut self, ids: &[String]) -> Result<()> {
        self.stage.chapter("what happened");
        self.gt(&["feed"])?;
        let origin = self.root.join("origin.git");
        let log = ["log", "--graph", "--oneline", "-n", "24", "main"];
        self.stage.command(&format!("git -C {} {}", origin.display(), log.join(" ")));
        let history = self.git(&origin, &log)?.text();
        self.stage.said(&history);
        self.gt_in(&self.rig_dir(), &["bd", "comments", &ids[RED]])?;
        self.gt(&["mail", "inbox"])?;
        self.gt(&["status"])?;
        self.check(ids)
    }

    /// Nine merged, the red one open with its label, nobody left.
    fn check(&mut self, ids: &[String]) -> Result<()> {
        let beads = self.beads(ids)?;
        for (place, id) in ids.iter().enumerate() {
            let Some(bead) = beads.iter().find(|bead| bead.id == *id) else {
                crate::fail!("the bead {id} is gone");
            };
            let as_wanted = match place {
                RED => bead.status == words::OPEN && bead.has_label(words::LABEL_REWORK),
                _ => bead.is_closed(),
            };
            if !as_wanted {
                crate::fail!("the bead {id} ended {}, which is not how this story goes", place_of(bead); "look into it with: gt demo --keep");
            }
        }
        for twin in TWINS {
            if !self.origin_has(BEADS[twin].title)? {
                crate::fail!("a change that was in conflict is not on main: {}", BEADS[twin].title);
            }
        }
        let happened = self.gt_quietly(&["feed", "--since", "1h"])?.text();
        let happened = happened.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let happened: Vec<Vec<&str>> = happened.collect();
        let has = |words: &[&str]| happened.iter().any(|line| words.iter().all(|word| line.contains(word)));
        for wanted in
            [&["queued"][..], &["resumed", &ids[CRASH]], &["aside", "conflict:"], &["aside", "red:"]]
        {
            if !has(wanted) {
                crate::fail!("nothing happened of what was to be shown: {}", wanted.join(" "); "look into it with: gt demo --keep");
            }
        }
        let (polecats, sessions) = (self.polecats()?, self.mux().look()?.sessions.len());
        if polecats + sessions > 0 {
            crate::fail!("{polecats} polecats and {sessions} sessions are left"; "look into it with: gt demo --keep");
        }
        let story = "nine beads merged; one conflict and one crash went on by themselves; one red twice, and open with its reason";
        self.stage.line("");
        self.stage.line(story);
        Ok(())
    }

    fn origin_has(&self, title: &str) -> Result<bool> {
        let found = self.git(
            &self.root.join("origin.git"),
            &["log", "--oneline", "--fixed-strings", "--grep", title, "main"],
        )?;
        Ok(found.ok() && !found.text().is_empty())
    }

    /// How to look around in a town that is kept.
    fn look_around(&mut self, kept: &Path) {
        self.stage.chapter(&format!("the town is kept in {}", self.town.display()));
        for (words, what) in [
            (format!("cd {}", quote(&text(&self.town))), ""),
            ("gt status".into(), "the whole town"),
            (format!("gt -C {} bd list --all", self.rig), "the beads"),
            ("gt mail inbox".into(), "why the red one came back"),
            ("gt feed".into(), "what happened"),
            (format!("git -C {}/mayor/rig log --graph --oneline origin/main", self.rig), "what was merged"),
            (format!("gt sling \"A new title\" {} --agent claude", self.rig), "go on, with an agent"),
            ("gt daemon stop; gt stop --all".into(), "and, when it is over, with the folder:"),
            (format!("rm -rf {}", quote(&text(kept))), ""),
        ] {
            self.stage.line(format!("  {words:55}  {what}").trim_end());
        }
    }

    /// Stops what still runs, and waits for the tmux server, which ends with its last session.
    fn end(&mut self) -> Result<()> {
        if self.town.join("mayor/town.json").exists() {
            self.gt_quietly(&["daemon", "stop"])?;
            self.gt_quietly(&["stop", "--all"])?;
        }
        let limit = Instant::now() + PATIENCE;
        while !self.mux().look()?.sessions.is_empty() {
            if Instant::now() > limit {
                crate::fail!("sessions of the demo do not end"; "see them with: tmux -S {} list-sessions", self.root.join("tmux").display());
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    fn mux(&self) -> TmuxMux {
        TmuxMux::new(Some(&text(&self.root.join("tmux"))))
    }

    fn rig_dir(&self) -> PathBuf {
        self.town.join(self.rig)
    }

    /// The beads as they are now, read as `gt status` reads them.
    fn beads(&self, ids: &[String]) -> Result<Vec<Bead>> {
        let place = store::StorePlace {
            dir: self.rig_dir().join(".beads"),
            prefix: "de".into(),
            prefixes: Vec::new(),
            choice: StoreChoice::Embedded,
            actor: "overseer".into(),
            secret: crate::town::secret::read(&self.town)?,
        };
        let opened: Box<dyn Store> = store::open(&place)?;
        opened.list(&Filter { ids: ids.to_vec(), ..Filter::default() })
    }

    fn gt(&mut self, words: &[&str]) -> Result<()> {
        let dir = if words.first() == Some(&"bd") { self.rig_dir() } else { self.town.clone() };
        self.gt_in(&dir, words)
    }

    /// Runs gt as a person would: prints the command and what it said.
    fn gt_in(&mut self, dir: &Path, words: &[&str]) -> Result<()> {
        let shown = shown(words);
        self.stage.command(&shown);
        let output = self.process_in(dir, words).run()?;
        let said = output.error_text() + "\n" + &output.text();
        self.stage.said(said.trim());
        self.succeeded(&shown, output).map(drop)
    }

    fn gt_quietly(&self, words: &[&str]) -> Result<Output> {
        let dir = if words.first() == Some(&"bd") { self.rig_dir() } else { self.town.clone() };
        let output = self.process_in(&dir, words).run()?;
        self.succeeded(&shown(words), output)
    }

    fn succeeded(&self, shown: &str, output: Output) -> Result<Output> {
        if output.ok() || output.code == Some(Exit::Queued as i32) {
            return Ok(output);
        }
        crate::fail!("the demo's command failed: {shown}: {}", output.error_text())
    }

    fn process_in(&self, dir: &Path, words: &[&str]) -> Process {
        self.closed_off(Process::new(&self.gt).args(words).cwd(dir))
            .env("GASTOWN_BEADS__STORE", "embedded")
            .env("GASTOWN_TMUX_SOCKET", self.root.join("tmux"))
    }

    fn git(&self, dir: &Path, words: &[&str]) -> Result<Output> {
        self.closed_off(Git::at(dir).process(words)).run()
    }

    fn closed_off(&self, process: Process) -> Process {
        let mut process = process;
        for name in &self.foreign {
            process = process.env_remove(name);
        }
        process
            .env("XDG_CONFIG_HOME", self.root.join("config"))
            .env("XDG_STATE_HOME", self.root.join("state"))
            .env("XDG_RUNTIME_DIR", &self.root)
            // What is killed takes nothing away behind itself.
            .env("TMPDIR", &self.root)
            .env("GIT_CONFIG_GLOBAL", self.root.join("gitconfig"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
    }
}

/// Removes the folder; what a session's end was still writing while it went makes a second try necessary.
fn remove(path: &Path) -> Result<()> {
    let limit = Instant::now() + Duration::from_secs(10);
    loop {
        match std::fs::remove_dir_all(path) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(_) if Instant::now() < limit => std::thread::sleep(LOOK),
            Err(error) => return Err(error).with_context(|| format!("cannot remove {}", path.display())),
        }
    }
}

/// Whether nothing is to be done for it by itself.
fn is_settled(bead: &Bead) -> bool {
    bead.is_closed()
        || (bead.status == words::OPEN
            && bead.has_label(words::LABEL_REWORK)
            && !bead.has_label(words::LABEL_QUEUED))
}

/// The beads in the order of `ids`, as rows.
fn rows(beads: &[Bead], ids: &[String]) -> Vec<DemoRow> {
    let found = ids.iter().filter_map(|id| beads.iter().find(|bead| bead.id == *id));
    found
        .map(|bead| DemoRow {
            id: bead.id.clone(),
            place: place_of(bead),
            who: bead.assignee.as_deref().and_then(|who| who.rsplit('/').next()).unwrap_or_default().into(),
            title: bead.title.clone(),
        })
        .collect()
}

/// The bead's place, as far as the bead alone tells it: enough for a bar.
fn place_of(bead: &Bead) -> &'static str {
    match bead.status.as_str() {
        words::CLOSED => "merged",
        _ if bead.has_label(words::LABEL_SUBMITTED) => "submitted",
        words::HOOKED | words::IN_PROGRESS => "working",
        _ if bead.has_label(words::LABEL_REWORK) => "set aside",
        _ => "waiting",
    }
}

/// `gt …`, as a person would type it.
fn shown(words: &[&str]) -> String {
    std::iter::once("gt".to_string())
        .chain(words.iter().map(|word| quote(word)))
        .collect::<Vec<_>>()
        .join(" ")
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::beads::PLACES;
    use super::*;

    #[test]
    fn the_beads_are_the_story_that_is_promised() {
        assert!(CRASH < PLACES && RED < PLACES && TWINS.iter().all(|twin| *twin < PLACES));
        let first = BEADS.iter().take(PLACES).map(|bead| bead.priority).max();
        assert!(first < BEADS.iter().skip(PLACES).map(|bead| bead.priority).min(), "who starts is no chance");
        assert!(BEADS[CRASH].script.contains(MARK));
    }

    #[test]
    fn every_script_is_shell() {
        for piece in &BEADS {
            let output = Process::new("sh").arg("-n").stdin(piece.script).run().unwrap();
            assert!(output.ok(), "{}: {}", piece.title, output.error_text());
        }
    }
}
