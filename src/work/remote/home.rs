//! `gt remote sync`: work that polecats on other machines handed in comes home, by git alone (`remote.md`). Their
//! daemon may be silent meanwhile. Steps: 1 letters and branches are fetched · 2 the commit is kept under a recovery ref ·
//! 3 one write as `gt done` makes it · 4 the polecat's record says that it is leaving · 5 the letter is deleted at origin.
//! After a kill at any of them the same command goes on, and nothing is made twice.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;

use super::letter::{self, Desk};
use crate::beads::{Filter, words};
use crate::plan::homecoming::{self, BRANCHES, Letter, Name, REFS};
use crate::programs::git::Git;
use crate::programs::git::letters::Held;
use crate::town::away::{self, Records};
use crate::town::{Rig, Town, files};
use crate::work::step;

/// Where letters and the branches they name are mirrored in the canonical clone.
const MIRROR: &str = "refs/gt/home/";

/// One rig whose letters are collected.
pub struct Job<'a> {
    /// The town.
    pub town: &'a Town,
    /// The rig.
    pub rig: &'a Rig,
    /// Where its work lands.
    pub target: &'a str,
    /// Also letters of polecats that this town does not remember.
    pub adopt: bool,
}

/// What became of one letter, or would.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Arrived {
    /// The ref at origin.
    #[serde(rename = "ref")]
    pub name: String,
    /// Who wrote it; empty when that cannot be told.
    pub worker: String,
    /// Its instance.
    pub instance: String,
    /// The bead.
    pub bead: String,
    /// Its title.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// What was made of it.
    pub state: State,
    /// The commit that was handed in.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub commit: String,
    /// The request.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub request: String,
    /// Where the commit is kept in the canonical clone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery: Option<String>,
    /// Beads of new work.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<String>,
    /// Why it is so.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// Why its ref is still at origin, although everything was made of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<String>,
}

/// What was made of a letter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It waits at origin: what a dry run sees.
    #[default]
    Waits,
    /// A request.
    Submitted,
    /// The bead is closed: nothing had to be changed.
    Closed,
    /// Its bead went another way: the commit is kept.
    Kept,
    /// All was made before.
    Taken,
    /// It is no polecat's of this town: left alone.
    Foreign,
    /// It cannot be read: left alone.
    Unreadable,
    /// Its commit is not at origin: left alone.
    Missing,
    /// It could not be taken in: the next sync tries again.
    Failed,
}

impl State {
    /// Whether nothing of the letter is left to be done.
    fn is_over(self) -> bool {
        matches!(self, State::Submitted | State::Closed | State::Kept | State::Taken)
    }
}

/// Whether a rig has, or had, polecats elsewhere: by the town's records and the labels of beads that somebody holds.
///
/// # Errors
/// When the records or the store cannot be read.
pub fn is_hybrid(town: &Town, rig: &Rig) -> Result<bool> {
    if has_records(&away::read(town)?, rig) {
        return Ok(true);
    }
    let statuses = vec![words::HOOKED.into(), words::IN_PROGRESS.into()];
    let held =
        rig.store(&crate::address::Address::Overseer)?.list(&Filter { statuses, ..Filter::default() })?;
    Ok(held.iter().any(|bead| bead.remote().is_some()))
}

/// Whether the town remembers a polecat of the rig elsewhere. No process.
pub fn has_records(records: &Records, rig: &Rig) -> bool {
    let prefix = format!("{}/", rig.name);
    records.keys().any(|address| address.starts_with(&prefix))
}

/// Takes in all letters of a rig. One git process when there is none.
///
/// # Errors
/// When origin, the clone or a store cannot be read or written; what was done stays done, and the same command goes on.
pub fn collect(job: &Job<'_>, dry: bool) -> Result<Vec<Arrived>> {
    if dry {
        return waiting(job);
    }
    let _lock = files::lock(&job.rig.root.join("witness/home.lock"))?;
    let git = Git::at(job.rig.clone_dir());
    let mut names: Vec<Name> = Vec::new();
    let mut arrived = Vec::new();
    for (full, _) in listed(job, &git)? {
        match homecoming::name_of(&full) {
            Some(name) => names.push(name),
            None => arrived.push(unreadable(&full, "its name is none of a polecat's")),
        }
    }
    if names.is_empty() {
        return Ok(arrived);
    }
    let held = fetch(job, &git, &names)?;
    step("home.1");
    let mut letters: Vec<(Held, Letter)> = Vec::new();
    for held in held {
        let Some(name) = homecoming::name_of(&held.name) else { continue };
        let read = if held.kind == "commit" {
            homecoming::read(&name, &held.message)
        } else {
            Err(format!("it is a {}, not a commit", held.kind))
        };
        match read {
            Ok(letter) => letters.push((held, letter)),
            Err(why) => arrived.push(unreadable(&held.name, &why)),
        }
    }
    arrived.extend(take_in(job, &git, &letters)?);
    Ok(arrived)
}

/// The letters' refs at origin.
fn listed(job: &Job<'_>, git: &Git) -> Result<Vec<(String, String)>> {
    let patterns = [REFS, BRANCHES].map(|prefix| format!("{prefix}{}/*", job.rig.name));
    let found = git.origin_refs(&[&patterns[0], &patterns[1]])?;
    // The pattern also matches at the end of longer names.
    let own = |name: &str| patterns.iter().any(|one| name.starts_with(one.trim_end_matches('*')));
    Ok(found.into_iter().filter(|(name, _)| own(name)).collect())
}

/// What a dry run can tell without writing anything: whose letters wait.
fn waiting(job: &Job<'_>) -> Result<Vec<Arrived>> {
    let records = away::read(job.town)?;
    let one = |(full, _): (String, String)| match homecoming::name_of(&full) {
        None => unreadable(&full, "its name is none of a polecat's"),
        Some(name) => {
            let worker = format!("{}/{}", name.rig, name.name);
            let record = records.get(&worker).filter(|record| record.instance == name.instance);
            let bead = record.map(|record| record.bead.clone()).unwrap_or_default();
            Arrived { name: full, worker, instance: name.instance, bead, ..Arrived::default() }
        }
    };
    Ok(listed(job, &Git::at(job.rig.clone_dir()))?.into_iter().map(one).collect())
}

fn unreadable(full: &str, why: &str) -> Arrived {
    Arrived {
        name: full.escape_default().to_string(),
        state: State::Unreadable,
        why: why.into(),
        ..Arrived::default()
    }
}

/// Step 1: letters and the branches of those who wrote them, in one fetch. Gives the letters by their names at origin,
/// oldest first.
fn fetch(job: &Job<'_>, git: &Git, names: &[Name]) -> Result<Vec<Held>> {
    let rig = &job.rig.name;
    let (refs, branches) = (format!("{MIRROR}done/{rig}/"), format!("{MIRROR}heads/{rig}/"));
    let mut specs = vec![format!("+{REFS}{rig}/*:{refs}*"), format!("+{BRANCHES}{rig}/*:{branches}*")];
    let mut polecats: Vec<&str> = names.iter().map(|name| name.name.as_str()).collect();
    polecats.sort_unstable();
    polecats.dedup();
    specs.extend(
        polecats.iter().map(|name| format!("+refs/heads/polecat/{name}-*:{MIRROR}polecat/{rig}/{name}-*")),
    );
    let specs: Vec<&str> = specs.iter().map(String::as_str).collect();
    git.mirror(&format!("what was handed in for {rig}"), &specs)?;
    let mut held = git.held(&[&refs, &branches])?;
    for one in &mut held {
        one.name = match (one.name.strip_prefix(&refs), one.name.strip_prefix(&branches)) {
            (Some(rest), _) => format!("{REFS}{rig}/{rest}"),
            (None, Some(rest)) => format!("{BRANCHES}{rig}/{rest}"),
            (None, None) => continue,
        };
    }
    Ok(held)
}

/// Steps 2 to 5, letter by letter, then together what concerns them all.
fn take_in(job: &Job<'_>, git: &Git, letters: &[(Held, Letter)]) -> Result<Vec<Arrived>> {
    let here = commits_here(git, letters)?;
    let records = away::read(job.town)?;
    let mut arrived = Vec::new();
    let mut over: Vec<(String, String)> = Vec::new();
    let mut leaving: BTreeMap<String, String> = BTreeMap::new();
    for ((held, letter), here) in letters.iter().zip(here) {
        let desk = Desk { job, id: &held.id, letter, records: &records };
        let mut one = match here {
            true => letter::take_in(&desk)
                .unwrap_or_else(|error| Arrived { why: format!("{error:#}"), ..desk.arrived(State::Failed) }),
            false => desk.arrived(State::Missing),
        };
        one.name = held.name.clone();
        if one.state.is_over() {
            over.push((held.name.clone(), held.id.clone()));
            leaving.insert(letter.worker().to_string(), letter.from.instance.clone());
        }
        if one.state == State::Missing {
            one.why = format!("its commit is not on {} at origin", letter.branch);
        }
        arrived.push(one);
    }
    leave(job, &records, &leaving)?;
    step("home.4");
    forget_mirror(git, &job.rig.name)?;
    let kept = git.delete_at_origin(&over)?;
    step("home.5");
    for (name, why) in kept {
        if let Some(one) = arrived.iter_mut().find(|one| one.name == name) {
            one.left = Some(why);
        }
    }
    Ok(arrived)
}

/// Which letters' commits are in the canonical clone, or could be brought there. Without changes none is needed.
fn commits_here(git: &Git, letters: &[(Held, Letter)]) -> Result<Vec<bool>> {
    let commits: Vec<&str> = letters.iter().map(|(_, letter)| letter.commit.as_str()).collect();
    let mut here = git.has_commits(&commits)?;
    for (here, (_, letter)) in here.iter_mut().zip(letters) {
        // A branch that was pushed over since: some servers still give the commit.
        *here = *here || letter.no_changes || git.fetch_from_origin(&letter.commit)?;
    }
    Ok(here)
}

/// Step 4: the polecats' sessions and worktrees over there are to be ended.
fn leave(job: &Job<'_>, records: &Records, leaving: &BTreeMap<String, String>) -> Result<()> {
    let own = |records: &Records| {
        let leaves = |(address, instance): &(&String, &String)| {
            records.get(*address).is_some_and(|record| record.instance == **instance && !record.leaving)
        };
        leaving.iter().filter(leaves).map(|(address, _)| address.clone()).collect::<Vec<_>>()
    };
    if own(records).is_empty() {
        return Ok(());
    }
    away::update(job.town, |records| {
        for address in own(records) {
            if let Some(record) = records.get_mut(&address) {
                record.leaving = true;
            }
        }
    })
}

/// Everything that matters of the mirror is under other refs by now.
fn forget_mirror(git: &Git, rig: &str) -> Result<()> {
    let prefixes = ["done", "heads", "polecat"].map(|part| format!("{MIRROR}{part}/{rig}/"));
    git.forget_refs("forget letters", &[&prefixes[0], &prefixes[1], &prefixes[2]])
}
