//! A store of beads that is gone: restored from its exports and from the branch of `gt sync`, and never replaced by an empty
//! one unless a person says so.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::base::failure::Failure;
use crate::base::grammar::short;
use crate::base::repo_url::plain;
use crate::base::{files, time};
use crate::beads::request::Request;
use crate::beads::{self, Change, StoreKind, embedded, jsonl, proven};
use crate::config::schema::StoreChoice;
use crate::model::address::Address;
use crate::model::bead::Bead;
use crate::model::refs::Branch;
use crate::plan::restore::{
    BeadSource, MergeCommit, Settled, bead_of_ref, choose, merges, merges_of, missing, settle,
};
use crate::plan::sync as plan;
use crate::programs::git::Git;
use crate::programs::git::sync::Lane;
use crate::town::{Rig, Town, away, ended, secret};
use crate::work::setup::sync::lines::Lines;
use crate::work::setup::{exports, install, rig as rigs, sync};
use crate::work::talk::mail;

/// A store that is not there.
pub struct Lost<'a> {
    /// The town.
    pub town: &'a Town,
    /// Whose store it is; the town's own without.
    pub rig: Option<&'a Rig>,
    /// Prefix of its ids.
    pub prefix: &'a str,
    /// Which store a new one is, where no export says that it was gt's own.
    pub choice: StoreChoice,
    /// Beads that sessions name.
    pub sessions: Vec<String>,
    /// A person accepts an empty store when there is nothing to restore it from.
    pub empty: bool,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestoreReport {
    /// How many beads it holds now.
    pub beads: usize,
    /// From what, and of when.
    pub from: Vec<String>,
    /// Of when the last source is, where that is known.
    pub time: Option<String>,
    /// Beads that it has open although the target has their merge.
    pub settled: Settled,
    /// Ids that are known from elsewhere and that it does not hold.
    pub missing: Vec<String>,
    /// How many of the beads are foreign: only the branch says what they say.
    pub foreign: usize,
    /// Whose store it is.
    pub rig: Option<String>,
    /// Requests that are open in it and may be over: in this copy, or in any, where it was lost too which of them were.
    pub waiting: Vec<String>,
    /// Sources that could not be read: what only they hold is not in it.
    pub unread: Vec<String>,
}

impl RestoreReport {
    /// In one line.
    pub fn line(&self) -> String {
        match self.from.is_empty() {
            true => "created empty, as asked".into(),
            false => format!("restored: {} from {}", sync::beads(self.beads), self.from.join(" and ")),
        }
    }

    /// What was done beside that, and what it cannot hold; follows the line.
    pub fn beside(&self) -> String {
        let mut text = match &self.time {
            Some(time) => format!("; what was created or updated after {time} may not be in it"),
            None => String::new(),
        };
        if self.foreign > 0 {
            let are = sync::are(self.foreign);
            let adopt = match &self.rig {
                Some(rig) => format!("gt adopt --all --rig {rig}"),
                None => "gt adopt".into(),
            };
            text.push_str(&format!("; {are} foreign, since anyone could write them: {adopt}"));
        }
        if !self.waiting.is_empty() {
            let ids = self.waiting.join(" ");
            text.push_str(&format!("; open requests wait for your word: gt adopt {ids}; or gt mq reject ID"));
        }
        if !self.settled.closed.is_empty() {
            text.push_str(&format!("; closed again, as merged: {}", self.settled.closed.join(", ")));
        }
        text
    }

    /// What a person still has to look for.
    pub fn lacks(&self) -> Option<String> {
        let mut parts = Vec::new();
        if !self.missing.is_empty() {
            parts.push(format!("missing: {}", self.missing.join(", ")));
        }
        if !self.settled.unsure.is_empty() {
            parts.push(format!(
                "open, though merged: {} (close them, unless they were reopened)",
                self.settled.unsure.join(", ")
            ));
        }
        parts.extend(self.unread.iter().map(|why| format!("could not be read: {why}")));
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

impl Lost<'_> {
    fn root(&self) -> &Path {
        self.rig.map_or(&self.town.root, |rig| &rig.root)
    }

    fn place(&self) -> Result<PathBuf> {
        self.rig.map_or_else(|| Ok(self.town.beads_dir()), |rig| rigs::store_place(&rig.root))
    }

    /// The command of a person who has looked at it.
    fn command(&self) -> String {
        let rig = self.rig.map(|rig| format!(" {}", rig.name)).unwrap_or_default();
        format!("gt doctor{rig} --fix --empty-stores")
    }
}

/// Restores the store.
///
/// # Errors
/// When there is nothing to restore it from, or the disk refuses: there is no store then either.
pub fn restore(lost: &Lost<'_>) -> Result<RestoreReport> {
    let place = lost.place()?;
    let mut restored =
        RestoreReport { rig: lost.rig.map(|rig| rig.name.clone()), ..RestoreReport::default() };
    let mut sources = exports::sources(lost.root(), &mut restored.unread).unwrap_or_else(|error| {
        restored.unread.push(format!("{error:#}"));
        Vec::new()
    });
    // Only gt's own stores are exported; one whose settings ask for bd by now becomes a store of bd's.
    let own = !sources.is_empty() && lost.choice != StoreChoice::Bd;
    let kind = if own { StoreKind::Embedded } else { beads::makes(lost.choice)? };
    // The branch may be of another town's last sync: with an export, that says nothing of this town's beads.
    restored.time = sources.iter().filter_map(|source| source.time.clone()).max();
    match of_branch(lost, &mut restored.unread) {
        Ok(Some(source)) => {
            restored.time = restored.time.take().or_else(|| source.time.clone());
            sources.push(source);
        }
        Ok(None) => {}
        Err(error) => restored.unread.push(format!("{error:#}")),
    }
    match choose(sources) {
        None if !lost.empty => return Err(nothing(lost, &restored.unread).into()),
        None => {
            embedded::set_aside(&place)?;
            install::make_store(&place, lost.prefix, lost.choice)?;
            restored.time = None;
        }
        Some(mut all) => {
            if let Some(rig) = lost.rig {
                restored.settled = close_merged(lost, rig, &mut all.beads, &mut restored.unread);
            }
            restored.missing = missing(lost.prefix, known(lost, &mut restored.unread), &all.beads);
            (restored.beads, restored.from) = (all.beads.len(), all.from);
            if kind == StoreKind::Embedded {
                restored.foreign = all.beads.iter().filter(|bead| bead.foreign).count();
            }
            restored.waiting = wait(lost, &all.beads)?;
            make(lost, kind, &place, &all.beads)?;
        }
    }
    if let Some(rig) = lost.rig {
        rigs::link_store(&rig.root, &place)?;
    }
    tell(lost, &restored);
    Ok(restored)
}

fn nothing(lost: &Lost<'_>, unread: &[String]) -> Failure {
    let what = lost.rig.map_or("the town's store".to_string(), |rig| format!("the store of {}", rig.name));
    let read = match unread {
        [] => "there is no export of it, and no beads on a branch of gt sync".to_string(),
        some => some.join("; "),
    };
    Failure::new(format!("{what} is gone, and there is nothing to restore it from: {read}")).hint(format!(
        "put a copy of {} back if there is one; or accept an empty store: {}",
        lost.root().join(".beads").display(),
        lost.command()
    ))
}

fn make(lost: &Lost<'_>, kind: StoreKind, place: &Path, all: &[Bead]) -> Result<()> {
    if kind == StoreKind::Embedded {
        let near = lost.root().join("mayor");
        return embedded::create_with(place, &near, lost.prefix, all);
    }
    install::make_store(place, lost.prefix, lost.choice)?;
    let store = beads::open(&beads::StorePlace {
        dir: place.to_path_buf(),
        prefix: lost.prefix.into(),
        prefixes: lost.rig.map(|rig| rig.config.beads.prefixes.clone()).unwrap_or_default(),
        choice: lost.choice,
        actor: Address::Overseer.to_string(),
        secret: None,
    })?;
    store.import(&mut jsonl::render(all).as_bytes(), beads::ImportOrigin::Own).map(drop)
}

/// The open requests that wait for a person's word: others wrote them, or they left the queue, or nobody knows whether they did.
fn wait(lost: &Lost<'_>, beads: &[Bead]) -> Result<Vec<String>> {
    let root = &lost.town.root;
    ended::begin(root)?;
    let secret = secret::read(root)?;
    let held = |bead: &&Bead| secret.as_ref().is_some_and(|secret| proven::holds(secret, bead));
    let open = beads.iter().filter(|bead| bead.is_request() && !bead.is_closed());
    Ok(open.filter(|bead| !held(bead)).map(|bead| bead.id.clone()).collect())
}

/// The beads on the branch that the store was kept in step over. `None`: there is no such branch.
fn of_branch(lost: &Lost<'_>, unread: &mut Vec<String>) -> Result<Option<BeadSource>> {
    let place = match lost.rig {
        Some(rig) => sync::of_rig(lost.town, rig, false)?,
        None => match sync::of_town(lost.town, false)? {
            Some(place) => place,
            None => return Ok(None),
        },
    };
    let git = Git::at(&place.clone);
    let found = git.sync_fetch(&place.lane, "", true)?;
    if found.tip.is_empty() {
        return Ok(None);
    }
    let time = git.run("read a commit", ["show", "-s", "--format=%cI", &found.tip])?;
    let lines = Lines::of(found.theirs)?;
    let Lane { branch, remote } = &place.lane;
    unread.extend(lines.bad.named().into_iter().map(|line| format!("{line} of the branch {branch}")));
    let read = lines.all()?;
    Ok(Some(BeadSource {
        own: false,
        time: Some(time.trim().into()),
        from: format!("the branch {branch} of {} at {} of {time}", plain(remote), short(&found.tip)),
        beads: read.iter().map(|bead| plan::home(bead, &place.town)).collect(),
    }))
}

/// Closes what the target branches have the merges of: beads, and the requests that this town made.
fn close_merged(lost: &Lost<'_>, rig: &Rig, beads: &mut [Bead], unread: &mut Vec<String>) -> Settled {
    let merge = rig.config.merge.as_ref();
    let of_rig = merge.and_then(|merge| merge.get("target")?.as_str()).unwrap_or("main");
    let secret = secret::read(&lost.town.root).unwrap_or_else(|error| {
        unread.push(format!("{error:#}"));
        None
    });
    let own = |bead: &&Bead| secret.as_ref().is_some_and(|secret| proven::is_signed(secret, bead));
    let open = beads.iter().filter(|bead| !bead.is_closed()).filter(own);
    let requests: Vec<(Request, &Bead)> =
        open.filter_map(|bead| Some((Request::read(bead)?.ok()?, bead))).collect();
    let mut targets: BTreeMap<&str, Vec<&(Request, &Bead)>> = BTreeMap::from([(of_rig, Vec::new())]);
    for one in &requests {
        targets.entry(one.0.target_or(of_rig)).or_default().push(one);
    }
    let git = Git::at(rig.clone_dir());
    let mut all = Vec::new();
    for (target, requests) in targets {
        match merged_on(&git, target, &requests) {
            Ok(found) => all.extend(found),
            Err(error) => unread.push(format!("{error:#}")),
        }
    }
    settle(beads, &all, &lost.sessions, &time::now())
}

/// What a branch at origin has the merges of, and which of the requests for it are among them.
fn merged_on(git: &Git, target: &str, requests: &[&(Request, &Bead)]) -> Result<Vec<MergeCommit>> {
    git.fetch_branch(target)?;
    let tip = format!("refs/remotes/origin/{target}");
    let format = "--format=%H%x1f%cI%x1f%(trailers:key=Bead,valueonly,separator=%x2C)%x1f\
                  %(trailers:key=Branch,valueonly,separator=%x2C)";
    let log = merges(&git.run("read the log", ["log", "--first-parent", format, &tip, "--"])?);
    let commits: Vec<&str> = requests.iter().map(|(request, _)| request.commit.as_str()).collect();
    let mut all = Vec::new();
    for ((request, bead), here) in requests.iter().zip(git.has_commits(&commits)?) {
        let reached = here && git.is_ancestor(&request.commit, &tip)?;
        all.extend(merges_of(request, bead, &log, reached));
    }
    all.extend(log);
    Ok(all)
}

/// Beads that branches, worktrees, merges, sessions and records of other machines name.
fn known(lost: &Lost<'_>, unread: &mut Vec<String>) -> Vec<String> {
    let mut known = lost.sessions.clone();
    match away::read(lost.town) {
        Ok(records) => known.extend(records.into_values().map(|record| record.bead.into())),
        Err(error) => unread.push(format!("{error:#}")),
    }
    let Some(rig) = lost.rig else { return known };
    for dir in [rig.clone_dir(), rig.refinery_dir()].into_iter().filter(|dir| dir.join(".git").exists()) {
        let git = Git::at(dir);
        let trailers =
            || git.run("read the log", ["log", "--all", "--format=%(trailers:key=Bead,valueonly)"]);
        match git.refs_under(&["refs"]).and_then(|refs| Ok((refs, trailers()?))) {
            Ok((refs, merged)) => {
                known.extend(refs.keys().filter_map(|name| bead_of_ref(&rig.town, name)));
                known.extend(merged.lines().map(|line| line.trim().to_string()));
            }
            Err(error) => unread.push(format!("{error:#}")),
        }
    }
    for name in files::names_in(&rig.root.join("polecats")).unwrap_or_default() {
        let dir = rig.polecat_dir(&name);
        if dir.join(".git").exists()
            && let Ok(status) = Git::at(dir).status()
        {
            known.extend(status.branch.and_then(|branch| Some(Branch::parse(&branch)?.bead.into())));
        }
    }
    known
}

/// Mail to the Mayor about what is missing: doctor says it once, and finds nothing wrong the next time.
fn tell(lost: &Lost<'_>, restored: &RestoreReport) {
    let Some(lacks) = restored.lacks() else { return };
    let whose = lost.rig.map_or("the town", |rig| rig.name.as_str());
    let subject = format!("the beads of {whose} were {}", restored.line());
    let letter = mail::message(&Address::Overseer, &Address::Mayor, &subject, &format!("{lacks}\n"));
    // Where the town's own store is gone too, doctor's answer has to do.
    let _ = lost
        .town
        .store(&Address::Overseer)
        .and_then(|store| store.write(&[], &[Change::Create(Box::new(letter))]));
}
