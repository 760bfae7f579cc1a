//! `gt doctor --agents`: what would stop the agent programs of a town before they begin to work.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use regex::Regex;
use serde::Serialize;

use crate::base::failure::Failure;
use crate::base::{files, time};
use crate::config::{self, Permissions, ResolvedRole, Runtime, Sources};
use crate::model::address::Role;
use crate::model::environment;
use crate::plan::doctor::Finding;
use crate::plan::first_start::{FileKind, Obstacle, PersonFile, ProgramFacts, RigClone, files_of};
use crate::plan::person_file::{self, KeyChange};
use crate::programs::process::Running;
use crate::programs::{Process, named};
use crate::town::Rig;
use crate::town::trust;

/// Where agent programs are looked at.
pub struct AgentVisit<'a> {
    /// The rigs that they are to work in.
    pub rigs: &'a [Rig],
    /// Where configuration is looked for: the town's.
    pub sources: &'a Sources,
    /// The environment of this command.
    pub env: &'a HashMap<String, String>,
    /// Other roles than polecats that are started.
    pub roles: &'a [Role],
    /// The runtime, when that was said by hand.
    pub agent: Option<&'a str>,
}

/// What was found of one agent program.
#[derive(Clone, Debug, Serialize)]
pub struct ProgramReport {
    /// Its name.
    pub program: String,
    /// Where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The version that gt was checked with.
    pub checked: String,
    /// The roles that run it.
    pub roles: Vec<String>,
    /// What would stop it.
    pub checks: Vec<Finding>,
    /// What stops nothing.
    pub notes: Vec<String>,
}

/// What is known of the agent programs that polecats and the started roles run, without a process.
///
/// # Errors
/// Broken configuration.
pub fn used(visit: &AgentVisit<'_>) -> Result<Vec<ProgramFacts>> {
    let mut found: BTreeMap<String, ProgramFacts> = BTreeMap::new();
    let rigs = visit.rigs.iter().map(Some).collect::<Vec<_>>();
    let places = if rigs.is_empty() { vec![None] } else { rigs };
    for rig in places {
        let sources = rig.map_or_else(|| visit.sources.again(), |rig| rig.sources(visit.sources));
        for role in [Role::Polecat].into_iter().chain(visit.roles.iter().copied()) {
            let mut role = config::role(&sources, role, &[], None)?;
            if let Some(agent) = visit.agent {
                let known = config::settings(&sources)?.agents.remove(agent);
                role.runtime = known.unwrap_or(role.runtime);
            }
            let Some(facts) = of_role(visit, &role) else { continue };
            let known = found.entry(facts.program.clone()).or_insert_with(|| facts.clone());
            known.is_bold_root |= facts.is_bold_root;
            known.roles.extend(facts.roles);
            known.clones.extend(rig.map(clone_of));
        }
    }
    for facts in found.values_mut() {
        facts.roles.sort();
        facts.roles.dedup();
        facts.clones.dedup();
    }
    Ok(found.into_values().collect())
}

/// The built-in runtimes whose programs are on PATH, beside those that are used.
pub fn installed(visit: &AgentVisit<'_>, used: &[ProgramFacts]) -> Vec<ProgramFacts> {
    let settings = config::settings(&Sources::default()).unwrap_or_default();
    let of = |runtime: &Runtime| of_program(visit, runtime, &settings.session.environment, &BTreeMap::new());
    let programs = settings.agents.values().filter_map(of).filter(|facts| facts.path.is_some());
    programs.filter(|facts| used.iter().all(|own| own.program != facts.program)).collect()
}

/// What is known of the program of a role; nothing of one that is gt's own, or none.
fn of_role(visit: &AgentVisit<'_>, role: &ResolvedRole) -> Option<ProgramFacts> {
    let facts = of_program(visit, &role.runtime, &role.environment, &role.settings.env)?;
    let is_bold_root = rustix::process::geteuid().is_root() && role.permissions() == Permissions::All;
    Some(ProgramFacts { roles: vec![role.role.to_string()], is_bold_root, ..facts })
}

fn of_program(
    visit: &AgentVisit<'_>,
    runtime: &Runtime,
    passed: &[String],
    more: &BTreeMap<String, String>,
) -> Option<ProgramFacts> {
    let word = runtime.command.first().filter(|word| !word.contains("{{"))?;
    let program = Path::new(word).file_name()?.to_string_lossy().into_owned();
    let passed = visit.env.iter().filter(|(name, _)| environment::passes(passed, name));
    let own = runtime.env.iter().chain(more);
    let env: BTreeMap<String, String> =
        passed.chain(own).map(|(name, value)| (name.clone(), value.clone())).collect();
    let home = PathBuf::from(visit.env.get("HOME")?);
    let files = files_of(&program, &home, &|name| env.get(name).filter(|value| !value.is_empty()).cloned());
    let read = |(kind, path): (FileKind, PathBuf)| {
        let text = match kind {
            FileKind::Login => Ok(path.exists().then(String::new)),
            _ => files::text(&path).map_err(|error| error.root_cause().to_string()),
        };
        PersonFile { kind, path, text }
    };
    Some(ProgramFacts {
        files: files.into_iter().map(read).collect(),
        path: which::which(word).ok(),
        roles: Vec::new(),
        version: None,
        checked: checked(&program),
        clones: Vec::new(),
        is_bold_root: false,
        env,
        program,
    })
}

/// The version of a program that gt was checked with; empty for one that it does not know.
pub fn checked(program: &str) -> String {
    let settings = config::settings(&Sources::default()).unwrap_or_default();
    settings.agents.get(program).map(|runtime| runtime.checked.clone()).unwrap_or_default()
}

fn clone_of(rig: &Rig) -> RigClone {
    let dir = rig.clone_dir();
    // What was looked at last tells, without a process.
    let trust = trust::read(&rig.root).ok().flatten();
    let is_open = trust.is_none_or(|trust| !trust.open().is_empty());
    RigClone { rig: rig.name.clone(), path: dir.canonicalize().unwrap_or(dir), is_open }
}

/// How long a program may take to say its version: some take seconds to begin.
const SAYS_VERSION: Duration = Duration::from_secs(30);

/// Asks a program for its version; others can be asked meanwhile.
pub fn ask_version(program: &Path) -> Option<Running> {
    Process::new(program).arg("--version").timeout(SAYS_VERSION).start().ok()
}

/// What it says; `None` where that is no version.
pub fn version(asked: Running) -> Option<String> {
    let number = Regex::new(r"\d+(\.\d+)+").ok()?;
    number.find(&asked.wait().ok()?.text()).map(|found| found.as_str().into())
}

/// The changes of a person's file that answer what a program would ask.
#[derive(Clone, Debug)]
pub struct FileFix {
    /// The file, as the program names it.
    pub file: PathBuf,
    /// What is in it now; `None` where it is not there.
    old: Option<String>,
    /// What will be.
    new: String,
    /// A line for each key that changes.
    pub shown: Vec<String>,
}

/// What `--fix` would write for a program, file by file.
///
/// # Errors
/// A file that has a form in which nothing can be put.
pub fn fixes(facts: &ProgramFacts, found: &[Obstacle]) -> Result<Vec<FileFix>> {
    let mut by_file: BTreeMap<&Path, Vec<KeyChange>> = BTreeMap::new();
    for one in found.iter().filter(|one| !one.changes.is_empty()) {
        by_file.entry(&one.file).or_default().extend(one.changes.clone());
    }
    let fix = |(file, changes): (&Path, Vec<KeyChange>)| {
        let own = facts.files.iter().find(|own| own.path == file);
        let old = own.and_then(|own| own.text.clone().ok().flatten());
        let text = old.clone().unwrap_or_default();
        let new = person_file::changed(&text, &changes)
            .map_err(|why| Failure::new(format!("{} cannot be changed: {why}", file.display())))?;
        let before = person_file::parse(&text).unwrap_or_default();
        let shown = changes.iter().flat_map(|change| lines(&before, change)).collect();
        Ok(FileFix { file: file.to_path_buf(), old, new, shown })
    };
    by_file.into_iter().map(fix).collect()
}

/// A key as it was and as it will be.
fn lines(before: &serde_json::Value, change: &KeyChange) -> Vec<String> {
    let keys: Vec<&str> = change.keys.iter().map(String::as_str).collect();
    let shown = |value: &serde_json::Value| match value {
        // The end of a key.
        serde_json::Value::Array(list) if keys.contains(&"customApiKeyResponses") => {
            format!("[{} of your keys]", list.len())
        }
        value => value.to_string(),
    };
    let was = person_file::at(before, &keys).map(|value| format!("- {}: {}", keys.join(" > "), shown(value)));
    was.into_iter().chain([format!("+ {}: {}", keys.join(" > "), shown(&change.value))]).collect()
}

impl FileFix {
    /// Writes the file, after keeping a copy beside it; gives the copy, where there was something to copy.
    ///
    /// # Errors
    /// While the program runs, which may write it too; a link that leads out of the home folder; a file that changed since it
    /// was read. It is as it was then.
    pub fn write(&self, program: &str, home: &Path) -> Result<Option<PathBuf>> {
        if let Some(one) = named::running(program, home) {
            crate::fail!("{one} runs, and may write {} too", self.file.display(); "end it, then run the same again");
        }
        let is_link = self.file.symlink_metadata().is_ok_and(|about| about.is_symlink());
        if is_link && !self.file.exists() {
            crate::fail!("{} is a link that leads nowhere", self.file.display(); "mend it by hand");
        }
        let folder = self.file.parent().unwrap_or(home);
        files::make_dir(folder)?;
        let new = || {
            Ok::<_, std::io::Error>(folder.canonicalize()?.join(self.file.file_name().unwrap_or_default()))
        };
        let real = self.file.canonicalize().or_else(|_| new())?;
        let at_home = home.canonicalize().is_ok_and(|home| real.starts_with(home));
        if real != self.file && !at_home {
            let file = self.file.display();
            crate::fail!("{file} is a link to {}, out of your home folder", real.display(); "change it there by hand");
        }
        if files::text(&real)? != self.old {
            crate::fail!("{} has changed meanwhile", self.file.display(); "run the same again");
        }
        let copy = self.old.as_ref().map(|old| self.keep(&real, old)).transpose()?;
        files::write(&real, &self.new)?;
        Ok(copy)
    }

    fn keep(&self, real: &Path, old: &str) -> Result<PathBuf> {
        let stamp: String = time::now().chars().filter(char::is_ascii_alphanumeric).collect();
        let name = real.file_name().unwrap_or_default().to_string_lossy();
        for number in 0..100 {
            let more = if number == 0 { String::new() } else { format!("-{number}") };
            let copy = real.with_file_name(format!("{name}.before-gt-{stamp}{more}"));
            if files::create_private(&copy, old)? {
                return Ok(copy);
            }
        }
        crate::fail!("cannot keep a copy of {}", self.file.display())
    }
}
