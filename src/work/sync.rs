//! `gt sync`: the beads of one store in step with those of other towns, over a branch that holds nothing else
//! (`town.md`, "The store of work"; `remote.md`, "In step").
//!
//! Fetch; merge into the store, in one transaction that also notes which commit it is in step with; commit; push; note
//! the commit. A kill after any of them leaves a store that holds all of both, and the next sync goes on from there.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Result;
use serde::Serialize;

use super::step;
use crate::address::Address;
use crate::beads::in_step::{self, InStep};
use crate::beads::{self, Bead, jsonl, proven};
use crate::failure::Failure;
use crate::plan::sync::{self as plan, Merged, Renamed};
use crate::programs::git::Git;
use crate::programs::git::pushing::Landing;
use crate::programs::git::sync::{FILE, Found, Lane};
use crate::proof::Secret;
use crate::town::rules::is_branch_name;
use crate::town::{Rig, Town, secret};

/// The branch where nobody names another.
pub const BRANCH: &str = "beads-sync";

/// How often a push that others overtook is begun again.
const TRIES: usize = 20;

/// Who signs the commits, where git knows no name.
const SIGNER: &str = "gt sync";

/// One store and the branch that it is kept in step with.
#[derive(Clone, Debug)]
pub struct Place {
    /// The rig; `None`: the town's own store.
    pub rig: Option<String>,
    /// The clone whose remote is used.
    pub clone: PathBuf,
    /// The `.beads` folder.
    pub beads: PathBuf,
    /// Prefix of its ids, where that is known here.
    pub prefix: String,
    /// Other prefixes that ids in it may have.
    pub prefixes: Vec<String>,
    /// Where it goes.
    pub lane: Lane,
    /// The town's name on the branch.
    pub town: String,
    /// The town's secret; none before anything was proven.
    pub secret: Option<Secret>,
    /// What others put there counts as this town's (`sync.trust`).
    pub trust: bool,
}

/// What came of it, or what would.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Synced {
    /// The rig; `None`: the town's own store.
    pub rig: Option<String>,
    /// The remote: git's, or with `by_dolt` Dolt's.
    pub remote: String,
    /// The branch; `None` with `by_dolt`.
    pub branch: Option<String>,
    /// bd did it itself, with a Dolt remote; how many beads went which way is not known then.
    pub by_dolt: bool,
    /// Beads that others had changed.
    #[serde(rename = "in")]
    pub came: usize,
    /// Beads that this town had changed.
    pub out: usize,
    /// Beads that both had changed.
    pub merged: usize,
    /// Beads here that have new ids now.
    pub renamed: Vec<Renamed>,
    /// Ids that two towns gave to different beads, the one here being worked on.
    pub waiting: Vec<String>,
    /// Beads that an agent here works on, and that are another town's agent's now, who took them later.
    pub taken: Vec<Taken>,
    /// Requests of this town that others had changed on the branch: they stay as they are here.
    pub kept: Vec<String>,
    /// Beads and requests that came in and wait to be adopted.
    pub foreign: Vec<String>,
    /// The commit that store and branch agree on; `None` when there is none.
    pub commit: Option<String>,
}

/// A bead that two towns gave out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Taken {
    /// Its id.
    pub id: String,
    /// Who had it here.
    pub from: String,
    /// Who has it.
    pub by: String,
}

/// The store of a rig, with where its `config.json` says it goes.
///
/// # Errors
/// When the names in there cannot be those of a remote and a branch.
pub fn of_rig(town: &Town, rig: &Rig, trust: bool) -> Result<Place> {
    let lane = lane_of(rig);
    let file = rig.root.join("config.json");
    if !is_branch_name(&lane.branch) {
        crate::fail!("beads.sync_branch: '{}' cannot be the name of a branch", lane.branch; "correct it in {}", file.display());
    }
    if lane.remote.is_empty() || lane.remote.starts_with('-') || lane.remote.contains(char::is_control) {
        crate::fail!("beads.sync_remote: '{}' is neither a remote nor a URL", lane.remote; "correct it in {}", file.display());
    }
    alone_there(town, rig, &lane)?;
    Ok(Place {
        rig: Some(rig.name.clone()),
        clone: rig.clone_dir(),
        beads: rig.beads_dir(),
        prefix: rig.config.beads.prefix.clone(),
        prefixes: rig.config.beads.prefixes.clone(),
        lane,
        town: town.id.clone(),
        secret: secret::read(&town.root)?,
        trust,
    })
}

/// Refuses a branch that another rig of this town goes to: each store would get the beads of both.
fn alone_there(town: &Town, rig: &Rig, lane: &Lane) -> Result<()> {
    // One whose file is broken goes nowhere itself, and is told of where it is asked for.
    let others = town.rig_names()?.into_iter().filter(|name| *name != rig.name);
    for other in others.filter_map(|name| town.read_rig(&name).ok()) {
        let url = |rig: &Rig, remote: &str| {
            if remote == "origin" { rig.config.git_url.clone() } else { remote.into() }
        };
        let there = lane_of(&other);
        if there.branch == lane.branch && url(&other, &there.remote) == url(rig, &lane.remote) {
            crate::fail!(
                "the rigs {} and {} would both use the branch {} of {}", rig.name, other.name, lane.branch, url(rig, &lane.remote);
                "name another branch for one of them, in every town: \"sync_branch\" under \"beads\" in {}", rig.root.join("config.json").display()
            );
        }
    }
    Ok(())
}

fn lane_of(rig: &Rig) -> Lane {
    let named = |name: &Option<String>, default: &str| name.clone().unwrap_or_else(|| default.into());
    let beads = &rig.config.beads;
    Lane { remote: named(&beads.sync_remote, "origin"), branch: named(&beads.sync_branch, BRANCH) }
}

/// The town's own store; `None` when the town is no repository with a remote `origin`. At most one process.
///
/// # Errors
/// When git cannot be started.
pub fn of_town(town: &Town, trust: bool) -> Result<Option<Place>> {
    let git = Git::at(&town.root);
    if !town.root.join(".git").exists() || !git.try_run(["remote", "get-url", "origin"])?.ok() {
        return Ok(None);
    }
    Ok(Some(Place {
        rig: None,
        clone: town.root.clone(),
        beads: town.beads_dir(),
        prefix: String::new(),
        prefixes: Vec::new(),
        lane: Lane { remote: "origin".into(), branch: BRANCH.into() },
        town: town.id.clone(),
        secret: secret::read(&town.root)?,
        trust,
    }))
}

/// Brings the store and the branch in step. With `dry` only looks.
///
/// # Errors
/// A remote that cannot be reached, a server that refuses the branch, a file on it that holds no beads: what was in the
/// store still is.
pub fn sync(place: &Place, actor: &Address, dry: bool) -> Result<Synced> {
    let store = in_step::open(&beads::Place {
        dir: place.beads.clone(),
        prefix: place.prefix.clone(),
        prefixes: place.prefixes.clone(),
        choice: crate::config::schema::Choice::Auto,
        actor: actor.to_string(),
        secret: place.secret.clone(),
    })?;
    if let [remote, ..] = store.own_remotes()?.as_slice() {
        if !dry {
            store.sync_itself()?;
        }
        let (rig, remote) = (place.rig.clone(), remote.clone());
        return Ok(Synced { rig, remote, by_dolt: true, ..Synced::default() });
    }
    let git = Git::at(&place.clone);
    let _turn = git.sync_lock()?;
    let one = One { place, store, git };
    let (mut came, mut renamed, mut taken) = (BTreeSet::new(), Vec::new(), Vec::new());
    let (mut kept, mut foreign) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..TRIES {
        let look = one.fetch(dry)?;
        step("sync.1");
        let merged = if dry { one.merge(&look, &one.store.all()?) } else { one.take_in(&look)? };
        step("sync.2");
        came.extend(merged.came.iter().cloned());
        kept.extend(merged.kept.iter().cloned());
        foreign
            .extend(merged.incoming.iter().filter(|bead| one.is_foreign(bead)).map(|bead| bead.id.clone()));
        renamed.extend(merged.renamed.iter().cloned());
        taken.extend(merged.taken.iter().map(|(id, from, by)| Taken {
            id: id.clone(),
            from: plan::at_home(from, &place.town),
            by: by.clone(),
        }));
        let mut commit = look.tip.clone();
        if !dry && !merged.branch_has_it {
            commit = one.commit(&look, &merged)?;
            step("sync.3");
            match one.git.sync_push(&place.lane, &commit)? {
                Landing::Done => {}
                Landing::Moved => continue,
                Landing::Refused(words) => return Err(refused(place, &words).into()),
                Landing::KeepsBranches(_) => return Err(refused(place, "no words").into()),
            }
            step("sync.4");
            one.store.note(&place.key(), &commit)?;
            step("sync.5");
        }
        return Ok(Synced {
            rig: place.rig.clone(),
            remote: place.lane.remote.clone(),
            branch: Some(place.lane.branch.clone()),
            by_dolt: false,
            came: came.difference(&merged.went).count(),
            out: merged.went.difference(&came).count(),
            merged: merged.went.intersection(&came).count(),
            renamed,
            waiting: merged.waiting,
            taken,
            kept: kept.into_iter().collect(),
            foreign: foreign.into_iter().collect(),
            commit: Some(commit).filter(|commit| !commit.is_empty()),
        });
    }
    crate::fail!(
        "{} moved {TRIES} times while this town pushed to it", place.lane.branch;
        "nothing is lost: run the same command again"
    )
}

/// One sync under way.
struct One<'a> {
    place: &'a Place,
    store: Box<dyn InStep>,
    git: Git,
}

/// The branch, and the commit that this town last was in step with, read.
struct Look {
    tip: String,
    base_commit: String,
    theirs: Vec<Bead>,
    base: Vec<Bead>,
    /// Lines on the branch that are no beads: bd's, of a kind that gt does not know.
    others: Vec<String>,
}

impl One<'_> {
    fn fetch(&self, dry: bool) -> Result<Look> {
        let base_commit = self.store.noted(&self.place.key())?;
        let Found { tip, theirs: text, base } = self.git.sync_fetch(&self.place.lane, &base_commit, dry)?;
        let theirs = self.parse(&text)?;
        // A base that cannot be read is as good as none: then whatever differs was changed by both.
        let base = match base {
            _ if tip == base_commit => theirs.clone(),
            Some(text) => jsonl::parse(&text).unwrap_or_default(),
            None => Vec::new(),
        };
        let others = jsonl::foreign(&text).map(String::from).collect();
        Ok(Look { tip, base_commit, theirs, base, others })
    }

    fn parse(&self, text: &str) -> Result<Vec<Bead>> {
        jsonl::parse(text).map_err(|error| {
            let Lane { branch, .. } = &self.place.lane;
            let clone = crate::programs::process::quote(&self.place.clone.to_string_lossy());
            Failure::new(format!("{FILE} on {branch}: {error:#}"))
                .hint(format!(
                    "nothing was taken in; look at it: git -C {clone} show refs/gt/sync/{branch}:{FILE}"
                ))
                .into()
        })
    }

    /// Whether a bead that comes in waits to be adopted. Beads of the real bd are the person's.
    fn is_foreign(&self, bead: &Bead) -> bool {
        let here = plan::home(bead, &self.place.town);
        match proven::needs_proof(&bead.issue_type) {
            true => !self.place.secret.as_ref().is_some_and(|secret| proven::holds(secret, &here)),
            false => bead.foreign && self.store.is_exact(),
        }
    }

    fn merge(&self, look: &Look, own: &[Bead]) -> Merged {
        let Place { town, secret, trust, .. } = self.place;
        let terms = plan::Terms { town, secret: secret.as_ref(), trust: *trust };
        let mut own: Vec<Bead> = own.iter().map(|bead| terms.abroad(bead)).collect();
        if !self.store.is_exact() {
            plan::as_known(&mut own, &look.base);
        }
        plan::merge(self.store.prefix(), &look.base, &own, &look.theirs, &terms)
    }

    /// Writes what came into the store, and with it which commit the store now holds all of.
    fn take_in(&self, look: &Look) -> Result<Merged> {
        if look.tip == look.base_commit {
            let merged = self.merge(look, &self.store.all()?);
            if merged.incoming.is_empty() {
                return Ok(merged);
            }
        }
        let mut merged = Merged::default();
        self.store.reconcile((&self.place.key(), &look.tip), &mut |own| {
            merged = self.merge(look, own);
            merged.incoming.iter().map(|bead| plan::home(bead, &self.place.town)).collect()
        })?;
        Ok(merged)
    }

    fn commit(&self, look: &Look, merged: &Merged) -> Result<String> {
        let mut text = jsonl::render(&merged.branch);
        for line in &look.others {
            text.push_str(line);
            text.push('\n');
        }
        let message = format!("gt sync: {} of {}", beads(merged.went.len()), self.place.town);
        self.git.sync_commit(&self.place.lane, &look.tip, &text, &message, SIGNER)
    }
}

impl Place {
    /// Under which key the store notes the commit that it holds all of.
    fn key(&self) -> String {
        format!("sync.base {} {}", self.lane.remote, self.lane.branch)
    }
}

/// `1 bead is`, `2 beads are`.
pub fn are(count: usize) -> String {
    format!("{} {}", beads(count), if count == 1 { "is" } else { "are" })
}

/// `1 bead`, `2 beads`.
pub fn beads(count: usize) -> String {
    format!("{count} bead{}", if count == 1 { "" } else { "s" })
}

fn refused(place: &Place, words: &str) -> Failure {
    let Lane { remote, branch } = &place.lane;
    let hint = match &place.rig {
        Some(rig) => format!(
            "nothing is lost: the beads are in this town's store; allow pushes to {branch} there, or name another branch \
             as beads.sync_branch in {rig}/config.json"
        ),
        None => {
            format!("nothing is lost: the beads are in this town's store; allow pushes to {branch} there")
        }
    };
    Failure::new(format!("{remote} refused {branch}: {words}")).hint(hint)
}
