//! `gt doctor`: looks at every thing of the list in [`crate::plan::doctor`], and repairs what can be repaired.

pub mod agents;
mod deacon;
mod fix;
mod look;
mod orphans;
mod secrets;
mod store;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Serialize;

use crate::base::files;
use crate::config::schema::StoreChoice;
use crate::config::{Sources, inert};
use crate::mux::{Mux, Snapshot};
use crate::plan::doctor::{CheckStatus, Finding, Health, Thing, judge, of_rig, of_town};
use crate::plan::trust::shown;
use crate::town::trust::{self, Setting};
use crate::town::{FolderLayout, Rig, RigConfig, Town};
use crate::work::agent::{own_prompts, trust as agent_settings};

/// What doctor works with.
pub struct Visit<'a> {
    /// The town; its name is the folder's while its identity file cannot be read.
    pub town: Town,
    /// Its identity file.
    pub identity: PathBuf,
    /// Where configuration is looked for.
    pub sources: Sources,
    /// What keeps sessions.
    pub mux: &'a dyn Mux,
    /// Its sessions.
    pub sessions: Snapshot,
    /// Which store new ones are.
    pub store: StoreChoice,
    /// Prefix of the town's own ids.
    pub prefix: String,
    /// This program, for `bin/bd`.
    pub gt: PathBuf,
    /// Repair.
    pub fix: bool,
    /// Damaged stores are moved aside and restored.
    pub set_aside_stores: bool,
    /// A lost store that nothing is left of is replaced by an empty one.
    pub empty_stores: bool,
}

/// What doctor found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// The town's root.
    pub path: PathBuf,
    /// `present` or `workspace`.
    pub layout: &'static str,
    /// About the town.
    pub checks: Vec<Finding>,
    /// About each rig.
    pub rigs: Vec<RigFindings>,
    /// How many checks failed.
    pub found: usize,
    /// How many of those were repaired.
    pub fixed: usize,
    /// What is no fault, and a person should know.
    pub notes: Vec<String>,
}

/// What doctor found in one rig.
#[derive(Clone, Debug, Serialize)]
pub struct RigFindings {
    /// Its name.
    pub name: String,
    /// Its checks.
    pub checks: Vec<Finding>,
}

/// Examines a town; with `only`, its own things and that one rig.
///
/// # Errors
/// An unknown rig, or a folder that cannot be listed. What a check found is part of the report.
pub fn examine(visit: &Visit<'_>, only: Option<&str>) -> Result<Report> {
    let town = &visit.town;
    let _turn = if visit.fix && town.root.join("mayor").is_dir() { Some(town.lock()?) } else { None };
    let mut checks = Vec::new();
    for thing in of_town(town.layout) {
        checks.push(visit.check(None, thing));
    }
    for thing in orphans::of_town(visit)? {
        checks.push(visit.check(None, thing));
    }
    checks.extend(visit.prompts(None, &town.root));
    let (faults, mut notes) =
        if town.layout == FolderLayout::Present { deacon::look(visit) } else { Default::default() };
    checks.extend(faults.into_iter().map(|thing| visit.check(None, thing)));
    let names = town.rig_names().unwrap_or_default();
    if let Some(name) = only.filter(|only| !names.iter().any(|name| name == only)) {
        // Says what a wrong name should be, or why the list cannot be read.
        town.rig(name)?;
    }
    // A polecat's end takes its own locks and may take a while: others need not wait for it.
    drop(_turn);
    notes.extend(unread(visit, None));
    let mut rigs = Vec::new();
    for name in names.into_iter().filter(|name| only.is_none_or(|only| only == name)) {
        notes.extend(trust_note(visit, &name));
        let more: Vec<String> =
            unread(visit, Some(&name)).into_iter().filter(|note| !notes.contains(note)).collect();
        notes.extend(more);
        rigs.push(visit.examine_rig(name)?);
    }
    let all = || checks.iter().chain(rigs.iter().flat_map(|rig| &rig.checks));
    let found = all().filter(|finding| finding.status != CheckStatus::Pass).count();
    let fixed = all().filter(|finding| finding.status == CheckStatus::Fixed).count();
    let layout = if town.layout == FolderLayout::Present { "present" } else { "workspace" };
    Ok(Report { path: town.root.clone(), layout, checks, rigs, found, fixed, notes })
}

/// Files of the Go program that gt does not read.
const UNREAD: [&str; 2] = ["config/outposts.yaml", "outposts.yaml"];

/// What of the configuration of a town, or with a rig's name of that rig, has no effect.
fn unread(visit: &Visit<'_>, rig: Option<&str>) -> Vec<String> {
    let root = &visit.town.root;
    let mut notes = Vec::new();
    if rig.is_none() {
        let instead = "name machines as [remotes.NAME] in config/town.toml (see: gt remote --help)";
        let there = UNREAD.iter().filter(|file| root.join(file).exists());
        notes.extend(there.map(|file| format!("warning: {file} is not read; {instead}")));
    }
    let sources = Sources { rig: rig.map(|name| (root.join(name), name.into())), ..visit.sources.again() };
    // What is broken is a finding of its own.
    let inert = inert::of(&sources).unwrap_or_default();
    notes.extend(inert.into_iter().map(|one| format!("warning: {}", one.said)));
    notes
}

/// What is to be said of the agent settings of a rig. Where nothing was written down yet, the clone is asked.
fn trust_note(visit: &Visit<'_>, name: &str) -> Option<String> {
    let rig = visit.rig(name);
    let sources = rig.sources(&visit.sources.again());
    let open = || -> Result<BTreeSet<String>> {
        let path = |setting: &Setting| setting.path.clone();
        if let Some(trust) = trust::read(&rig.root)? {
            return Ok(trust.open().into_iter().map(path).collect());
        }
        let (open, _) = agent_settings::open(&rig, &crate::config::settings(&sources)?)?;
        Ok(open.iter().flat_map(|open| &open.settings).map(path).collect())
    };
    match open() {
        Ok(paths) if paths.is_empty() => None,
        Ok(paths) => Some(format!(
            "{name}: agent settings are not trusted, and no agent that reads them starts: {}; look at them and trust them with: gt rig trust {name}",
            shown(&paths.into_iter().collect::<Vec<_>>())
        )),
        Err(error) => Some(format!("warning: {error:#}")),
    }
}

impl Visit<'_> {
    fn examine_rig(&self, name: String) -> Result<RigFindings> {
        let rig = self.rig(&name);
        if self.town.layout == FolderLayout::Present && !rig.root.exists() {
            // A disk that is not mounted looks the same: a new rig in its place would be in its way.
            let gone = judge(Thing::RigFolder, Health::Missing, name.clone(), &name);
            return Ok(RigFindings { name, checks: vec![gone] });
        }
        let mut checks = Vec::new();
        for thing in of_rig(self.town.layout) {
            checks.push(self.check(Some(&rig), thing));
        }
        if self.town.layout == FolderLayout::Present {
            // What a repair above brought back counts from here on.
            let rig = self.rig(&name);
            checks.extend(orphans::of_rig(self, &rig));
        }
        checks.extend(self.prompts(Some(&rig), &rig.root));
        Ok(RigFindings { name, checks })
    }

    /// The prompts of a town or a rig that agents are not told as they are.
    fn prompts(&self, rig: Option<&Rig>, root: &Path) -> Vec<Finding> {
        let faults = own_prompts::faults(root).into_iter();
        faults.map(|(file, why)| self.check(rig, Thing::OwnPrompt(file, why))).collect()
    }

    /// The rig, as far as it can be read.
    fn rig(&self, name: &str) -> Rig {
        self.town.read_rig(name).unwrap_or_else(|_| {
            let listed = self.town.rigs_file().ok().and_then(|mut file| file.rigs.remove(name));
            let git_url = listed.map(|entry| entry.git_url).unwrap_or_default();
            let config = RigConfig { name: name.into(), git_url, ..RigConfig::default() };
            Rig { name: name.into(), root: self.town.root.join(name), config, town: self.town.id.clone() }
        })
    }

    /// Looks at one thing, judges it, and repairs it when that is asked for and possible.
    fn check(&self, rig: Option<&Rig>, thing: Thing) -> Finding {
        let (found, path) = look::at(self, rig, &thing);
        let name = rig.map_or("", |rig| rig.name.as_str());
        let shown = path.strip_prefix(&self.town.root).unwrap_or(&path).display().to_string();
        self.treat(rig, judge(thing, found, shown, name))
    }

    fn treat(&self, rig: Option<&Rig>, finding: Finding) -> Finding {
        if matches!(finding.thing, Thing::TownStore | Thing::RigStore) {
            return store::treat(self, rig, finding);
        }
        if let (Thing::RigConfig, CheckStatus::Fail, true, true, Some(rig)) =
            (&finding.thing, finding.status, finding.fixable, self.fix, rig)
        {
            return fix::rig_config(rig, finding);
        }
        self.treat_saying(finding, |thing| match thing {
            Thing::StraySession(id, ..) => orphans::fix_stray_session(self, id),
            thing => fix::thing(self, rig, thing).map(|()| Vec::new()),
        })
    }

    /// Repairs what failed, when that is asked for and possible.
    fn treat_with(&self, finding: Finding, repair: impl FnOnce(&Thing) -> Result<()>) -> Finding {
        self.treat_saying(finding, |thing| repair(thing).map(|()| Vec::new()))
    }

    /// The same for a repair that has something to say.
    fn treat_saying(
        &self,
        mut finding: Finding,
        repair: impl FnOnce(&Thing) -> Result<Vec<String>>,
    ) -> Finding {
        if finding.status != CheckStatus::Fail || !finding.fixable || !self.fix {
            return finding;
        }
        match repair(&finding.thing) {
            Ok(said) => {
                finding.status = CheckStatus::Fixed;
                said.iter().for_each(|line| finding.message.push_str(&format!("; {line}")));
            }
            Err(error) => finding.hint = Some(why(&error)),
        }
        finding
    }

    /// The folder of the older layout that holds the town's own files.
    fn older(&self) -> PathBuf {
        self.identity.parent().unwrap_or(&self.town.root).to_path_buf()
    }
}

/// What kept a repair from being made, and what helps.
pub fn why(error: &anyhow::Error) -> String {
    match crate::base::failure::hint_of(error) {
        Some(hint) => format!("{error:#}: {hint}"),
        None => format!("{error:#}"),
    }
}

/// Whether a folder holds a clone, or a worktree.
fn is_clone(dir: &std::path::Path) -> bool {
    let git = dir.join(".git");
    git.join("HEAD").is_file() && git.join("objects").is_dir() || git.is_file()
}

/// A JSON object that should be there.
fn json_file(path: &std::path::Path) -> Health {
    if !path.exists() {
        return Health::Missing;
    }
    match files::read_json::<serde_json::Map<String, serde_json::Value>>(path) {
        Ok(_) => Health::Good,
        Err(error) => Health::Broken(format!("{error:#}"), None),
    }
}

/// What a command says of itself when it cannot be read: broken, with why.
fn broken<T>(result: Result<T>) -> Health {
    match result {
        Ok(_) => Health::Good,
        Err(error) => Health::Broken(format!("{error:#}"), None),
    }
}
