//! The `bd` program: where it is, which version it is, and how it is called. What is said to it is in [`crate::beads::bd`].

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::process::{Output, Process};
use crate::base::failure::{Exit, Failure};
use crate::base::quote::quote;
use crate::base::terminal::{self, Text};

/// One process at a time may have a store of bd 1.0 open, so a call can wait for many others.
const LIMIT: Duration = Duration::from_secs(120);

/// The limit of a call; tests name a shorter one, in seconds, and nothing else looks at that variable.
fn limit() -> Duration {
    let shorter = std::env::var("GT_TEST_BD_LIMIT").ok().and_then(|text| text.parse().ok());
    shorter.map_or(LIMIT, Duration::from_secs)
}

/// What a program said about itself is kept in the store's folder under this name, so that it is asked once.
const PROBE_FILE: &str = "gt.bd.json";

/// Whether a `bd` that is not gt itself is on PATH.
pub fn found() -> bool {
    find().is_some()
}

/// The first `bd` on PATH that is neither gt under that name nor a town's own `bin/bd`.
pub fn find() -> Option<PathBuf> {
    let own = std::env::current_exe().and_then(|path| path.canonicalize()).ok();
    which::which_all("bd").ok()?.find(|path| !is_gt(path, own.as_deref()))
}

fn is_gt(path: &Path, own: Option<&Path>) -> bool {
    let in_a_town = path.parent().and_then(Path::parent).is_some_and(|root| {
        path.parent().and_then(Path::file_name) == Some(OsStr::new("bin")) && root.join("mayor").is_dir()
    });
    in_a_town || path.canonicalize().is_ok_and(|real| Some(real.as_path()) == own)
}

/// Runs bd with these words for the store in `dir`, and ends as it does. Who acts is what the environment says, as for a
/// bd that was called directly. What it prints is for programs, byte for byte, but on a terminal, which gets no raw text of
/// beads; `edit` has the terminal for an editor.
///
/// # Errors
/// When bd is not there or cannot be started; else it does not return.
pub fn pass_through(words: &[OsString], dir: &Path) -> Result<Exit> {
    let on_terminal = terminal::is_shown() || terminal::is_heard();
    if !on_terminal || words.first().is_some_and(|word| word == "edit") {
        return Err(raw(words, dir)?.exec());
    }
    std::process::exit(ask(words, dir, None)?)
}

/// Runs bd as [`pass_through`] does, and gives its exit code. With `beads` it is asked for JSON, which is added there.
///
/// # Errors
/// When bd is not there or cannot be started, or answers what is no JSON.
pub fn ask(words: &[OsString], dir: &Path, beads: Option<&mut Vec<Value>>) -> Result<i32> {
    let bd = raw(words, dir)?;
    if let Some(beads) = beads {
        let mut answer = String::new();
        let code = bd.run_lines(|line| answer.push_str(line))?;
        match serde_json::from_str(&answer) {
            Ok(Value::Array(found)) => beads.extend(found),
            // 0.46 of what it does not find.
            _ if answer.trim().is_empty() => {}
            // What went wrong.
            _ if code != 0 => terminal::tell(Text::json(&answer)),
            Ok(other) => beads.push(other),
            Err(error) => crate::fail!("bd answered what is no JSON: {error}"),
        }
        return Ok(code);
    }
    if !terminal::is_shown() {
        return bd.run_telling();
    }
    let json = words.iter().any(|word| word == "--json");
    bd.run_lines(|line| {
        let text = if json { Text::json(line) } else { line.into() };
        // A reader that went away is no reason to stop bd.
        let _ = terminal::print(text.then("\n"));
    })
}

fn raw(words: &[OsString], dir: &Path) -> Result<Process> {
    let path = find().ok_or_else(|| missing(dir))?;
    Ok(Process::new(path).args(words).env("BEADS_DIR", dir).env("BEADS_NO_DAEMON", "1"))
}

/// What to say when a store of bd's is met and bd is not there.
pub fn missing(dir: &Path) -> anyhow::Error {
    Failure::new(format!("the store in {} was made by bd, and bd is not on PATH", dir.display()))
        .hint(
            "install bd; or move to the embedded store: where bd is, bd export > beads.jsonl (1.0: bd export --all); \
             here move that .beads aside, then: gt bd init && gt bd import --trust beads.jsonl",
        )
        .into()
}

fn environment(dir: &Path, actor: &str) -> [(&'static str, OsString); 4] {
    [
        ("BEADS_DIR", dir.into()),
        ("BD_ACTOR", actor.into()),
        ("BEADS_ACTOR", actor.into()),
        // Its daemon would go on after this call, and would commit to whatever branch is checked out.
        ("BEADS_NO_DAEMON", "1".into()),
    ]
}

/// Major, minor, patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Version(pub u32, pub u32, pub u32);

impl Version {
    /// Reads `bd version 1.0.5 (dev)`.
    pub fn parse(text: &str) -> Option<Version> {
        let word = text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
        let mut numbers = word.split(['.', '-', '+']).map(str::parse);
        let mut next = || numbers.next()?.ok();
        Some(Version(next()?, next()?, next().unwrap_or(0)))
    }

    /// Whether `list` gives dependencies, beads have a metadata field, and `import` writes all its lines in one
    /// transaction: the line that keeps its beads in Dolt.
    pub fn is_whole(self) -> bool {
        self >= Version(1, 0, 0)
    }

    /// Whether `show` leaves comments out unless it is asked for them.
    pub fn hides_comments(self) -> bool {
        self >= Version(1, 0, 5)
    }

    /// Why gt cannot work with it; `None` when it can.
    fn unfit(self) -> Option<&'static str> {
        match self {
            old if old < Version(0, 46, 0) => Some("gt needs 0.46.0 or later"),
            gap if gap.is_whole() && gap < Version(1, 0, 3) => {
                Some("it cannot import from standard input, which gt needs to submit work")
            }
            _ => None,
        }
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// A bd program whose version is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Where it is.
    pub path: PathBuf,
    /// What it is.
    pub version: Version,
    /// Size and time of the file, by which a replaced program is noticed.
    stamp: (u64, u64),
}

impl Program {
    /// The program on PATH. One call.
    ///
    /// # Errors
    /// As [`Program::probe`]; `None` when there is none.
    pub fn on_path() -> Result<Option<Program>> {
        find().map(|path| Program::probe(&path)).transpose()
    }

    /// Asks the program which version it is. One call.
    ///
    /// # Errors
    /// When it cannot be run, or says nothing that looks like a version, or one that gt cannot work with.
    pub fn probe(path: &Path) -> Result<Program> {
        let output = Process::new(path).arg("--version").timeout(limit()).run()?;
        let Some(version) = Version::parse(&output.text()).filter(|_| output.ok()) else {
            crate::fail!("{} is no bd: it has no version to show", path.display(); "see what it is with: {} --version", path.display());
        };
        Program { path: path.to_path_buf(), version, stamp: stamp(path) }.fit()
    }

    /// The program, when gt can work with its version.
    fn fit(self) -> Result<Program> {
        let Some(why) = self.version.unfit() else { return Ok(self) };
        crate::fail!(
            "bd {} at {} cannot be used: {why}", self.version, self.path.display();
            "upgrade it: {}; new stores can be gt's own instead: beads.store = \"embedded\"", self.upgrade()
        );
    }

    /// The program on PATH for the store in `dir`; asked for its version only when it is another one than last time.
    ///
    /// # Errors
    /// When there is none, or as [`Program::probe`].
    pub fn for_store(dir: &Path) -> Result<Program> {
        let path = find().ok_or_else(|| missing(dir))?;
        let file = dir.join(PROBE_FILE);
        let known = crate::base::files::bytes(&file)
            .ok()
            .and_then(|text| serde_json::from_slice::<Program>(&text).ok());
        if let Some(known) = known.filter(|known| known.path == path && known.stamp == stamp(&path)) {
            return known.fit();
        }
        let program = Program::probe(&path)?;
        program.remember(dir);
        Ok(program)
    }

    /// Keeps beside the store in `dir` what the program is, so that it need not be asked again.
    pub fn remember(&self, dir: &Path) {
        if let Ok(text) = serde_json::to_vec(self) {
            // Kept for speed alone: a folder that cannot be written costs one call more next time.
            let _ = std::fs::write(dir.join(PROBE_FILE), text);
        }
    }

    /// The command that upgrades it.
    pub fn upgrade(&self) -> &'static str {
        upgrade(&self.path)
    }

    /// A call about the store in `dir`, signed by `actor`.
    pub fn call<S: AsRef<OsStr>>(
        &self,
        dir: &Path,
        actor: &str,
        words: impl IntoIterator<Item = S>,
    ) -> Process {
        let mut process = Process::new(&self.path).args(words).timeout(limit());
        for (key, value) in environment(dir, actor) {
            process = process.env(key, value);
        }
        match dir.parent().filter(|parent| parent.is_dir()) {
            Some(parent) => process.cwd(parent),
            None => process,
        }
    }

    /// The names of the Dolt remotes of the store in `dir`: bd 1.0. One call.
    ///
    /// # Errors
    /// When bd cannot tell.
    pub fn dolt_remotes(&self, dir: &Path, actor: &str) -> Result<Vec<String>> {
        let output = self.call(dir, actor, ["dolt", "remote", "list", "--json"]).run()?;
        // Without any it says `null`.
        match serde_json::from_slice::<Option<Vec<Value>>>(&output.stdout) {
            Ok(remotes) if output.ok() => Ok(remotes
                .into_iter()
                .flatten()
                .filter_map(|remote| remote.get("name")?.as_str().map(str::to_string))
                .collect()),
            _ => crate::fail!("bd cannot list the Dolt remotes of {}: {}", dir.display(), complaint(&output)),
        }
    }

    /// Pulls from the Dolt remote and pushes to it; again when others pushed in between. Two calls.
    ///
    /// # Errors
    /// When bd cannot: Dolt stops where both sides changed one bead, and where the two were made apart.
    pub fn dolt_sync(&self, dir: &Path, actor: &str) -> Result<()> {
        let mut said = String::new();
        for _ in 0..DOLT_TRIES {
            let pulled = self.call(dir, actor, ["dolt", "pull"]).run()?;
            let fresh =
                complaint(&pulled).contains("no branches") || complaint(&pulled).contains("not found");
            if !pulled.ok() && !fresh {
                return Err(stopped(dir, "pull", &complaint(&pulled)).into());
            }
            let pushed = self.call(dir, actor, ["dolt", "push"]).run()?;
            said = format!("{} {}", pushed.error_text(), pushed.text());
            if pushed.ok() {
                return Ok(());
            }
            if !said.contains("non-fast-forward") {
                said = complaint(&pushed);
                break;
            }
        }
        Err(stopped(dir, "push", said.lines().next().unwrap_or_default()).into())
    }

    /// Makes a store in the empty folder `scratch` and gives the `.beads` made there. Two calls: what this version's
    /// `init` can be told to leave alone, and the making.
    ///
    /// # Errors
    /// When bd cannot make it.
    pub fn init(&self, scratch: &Path, prefix: &str) -> Result<PathBuf> {
        let run = |words: &[&str]| {
            let mut process = Process::new(&self.path).args(words).cwd(scratch).timeout(limit());
            for key in ["BEADS_DIR", "BEADS_DB", "GIT_DIR", "GIT_WORK_TREE"] {
                process = process.env_remove(key);
            }
            process.env("BEADS_NO_DAEMON", "1").env("GIT_CEILING_DIRECTORIES", scratch).run()
        };
        let help = run(&["init", "--help"])?.text();
        let mut words = vec!["init", "--prefix", prefix, "--quiet"];
        for (flag, value) in [
            ("--skip-hooks", None),
            ("--skip-merge-driver", None),
            ("--skip-agents", None),
            ("--non-interactive", None),
            ("--role", Some("maintainer")),
        ] {
            if knows(&help, flag) {
                words.push(flag);
                words.extend(value);
            }
        }
        let output = run(&words)?;
        let made = scratch.join(".beads");
        if output.ok() && made.is_dir() {
            return Ok(made);
        }
        crate::fail!("bd init failed: {}", complaint(&output))
    }
}

/// How often a push that others overtook is begun again.
const DOLT_TRIES: usize = 5;

fn stopped(dir: &Path, what: &str, said: &str) -> Failure {
    let store = quote(&dir.to_string_lossy());
    Failure::new(format!("bd dolt {what} failed: {said}")).hint(format!(
        "nothing is lost; see BEADS_DIR={store} bd dolt --help; without a Dolt remote (bd dolt remote remove NAME) gt itself \
         keeps the beads in step over a branch, also where both sides changed one bead"
    ))
}

/// The command that upgrades a bd, by who put it there.
fn upgrade(path: &Path) -> &'static str {
    let real = path.canonicalize().unwrap_or_else(|_| path.into());
    let is_in = |folder: &str| real.components().any(|part| part.as_os_str() == folder);
    if is_in("Cellar") {
        "brew upgrade beads"
    } else if is_in("node_modules") {
        "npm install -g @beads/bd@latest"
    } else {
        "curl -fsSL https://raw.githubusercontent.com/gastownhall/beads/main/scripts/install.sh | bash"
    }
}

/// Whether a help text lists the flag.
fn knows(help: &str, flag: &str) -> bool {
    help.split_whitespace().any(|word| word.trim_end_matches(',') == flag)
}

fn stamp(path: &Path) -> (u64, u64) {
    let Ok(about) = path.metadata() else { return (0, 0) };
    let modified = about.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    (about.len(), modified.map_or(0, |time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)))
}

/// What bd says went wrong: `{"error": …}` on standard output or error, or text; warnings left out. One line.
pub fn complaint(output: &Output) -> String {
    if output.timed_out {
        return format!("no answer within {} s", limit().as_secs());
    }
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    if let Some(error) = [&stdout, &stderr].into_iter().find_map(|text| json_error(text)) {
        return error;
    }
    let mut lines = stderr.lines().chain(stdout.lines()).map(str::trim).filter(|line| !line.is_empty());
    let said = lines
        .clone()
        .find(|line| line.starts_with("Error"))
        .or_else(|| lines.find(|line| !line.to_lowercase().starts_with("warning")));
    match (said, output.signal) {
        (Some(line), _) => line.trim_start_matches("Error: ").to_string(),
        (None, Some(signal)) => format!("it was ended by signal {signal}"),
        (None, None) => "it said nothing".into(),
    }
}

/// The error of a JSON object that may stand among other lines.
fn json_error(text: &str) -> Option<String> {
    let start = text.find('{')?;
    let object = serde_json::Deserializer::from_str(&text[start..]).into_iter::<Value>().next()?.ok()?;
    object.get("error")?.as_str().map(str::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_compared() {
        assert_eq!(Version::parse("bd version 1.0.5 (dev)"), Some(Version(1, 0, 5)));
        assert_eq!(Version::parse("bd version 0.46.0-rc1 (abc)"), Some(Version(0, 46, 0)));
        assert_eq!(Version::parse("bread 7"), None);
        assert_eq!(Version::parse(""), None);
        assert!(Version(1, 0, 0).is_whole() && !Version(0, 63, 3).is_whole());
        assert!(Version(1, 0, 5).hides_comments() && !Version(1, 0, 4).hides_comments());
    }

    #[test]
    fn versions_that_lack_what_is_needed_are_refused_with_the_command_that_upgrades() {
        let fit = |version, path: &str| Program { path: path.into(), version, stamp: (0, 0) }.fit();
        for version in
            [Version(0, 46, 0), Version(0, 63, 3), Version(1, 0, 3), Version(1, 0, 5), Version(2, 0, 0)]
        {
            assert!(fit(version, "/bin/bd").is_ok(), "{version}");
        }
        for version in [Version(0, 45, 9), Version(1, 0, 0), Version(1, 0, 1), Version(1, 0, 2)] {
            let hint = |path: &str| crate::base::failure::hint_of(&fit(version, path).unwrap_err()).unwrap();
            assert!(hint("/bin/bd").contains("install.sh | bash"), "{version}");
            assert!(hint("/opt/Cellar/beads/1/bin/bd").contains("brew upgrade beads"));
            assert!(hint("/usr/lib/node_modules/@beads/bd/bin/bd").contains("npm install"));
        }
    }

    #[test]
    fn a_complaint_is_found_wherever_it_stands() {
        let warning = "warning: beads.role not configured\n  Fix: git config beads.role maintainer\n";
        assert_eq!(complaint(&Output::of(1, "{\"error\": \"no such id\"}\n", warning)), "no such id");
        assert_eq!(complaint(&Output::of(1, "", "{\n  \"error\": \"bad type\"\n}\n")), "bad type");
        assert_eq!(
            complaint(&Output::of(1, "", &format!("{warning}Error: no database\nHint: x"))),
            "no database"
        );
        assert_eq!(complaint(&Output::of(1, "", "")), "it said nothing");
    }

    #[test]
    fn flags_are_looked_for_as_whole_words() {
        let help = "  -q, --quiet         Suppress\n      --skip-hooks    Skip --rolex\n";
        assert!(knows(help, "--skip-hooks") && knows(help, "--quiet"));
        assert!(!knows(help, "--role") && !knows(help, "--skip"));
    }

    #[test]
    fn gt_under_the_name_of_bd_is_not_bd() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        for folder in ["town/bin", "town/mayor", "bin"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        let own = root.join("gt");
        std::fs::write(&own, "x").unwrap();
        std::fs::write(root.join("town/bin/bd"), "a copy of gt").unwrap();
        std::os::unix::fs::symlink(&own, root.join("bin/bd")).unwrap();
        std::fs::write(root.join("bin/other"), "y").unwrap();
        assert!(is_gt(&root.join("town/bin/bd"), Some(&own)));
        assert!(is_gt(&root.join("bin/bd"), Some(&own)));
        assert!(!is_gt(&root.join("bin/other"), Some(&own)));
    }
}
