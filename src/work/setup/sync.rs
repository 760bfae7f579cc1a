//! `gt sync`: the beads of one store in step with those of other towns, over a branch that holds nothing else
//! (`town.md`, "The store of work"; `remote.md`, "In step").
//!
//! Fetch; merge into the store, in one transaction that also notes which commit it is in step with; commit; push; note
//! the commit. A kill after any of them leaves a store that holds all of both, and the next sync goes on from there.

pub mod lines;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::rc::Rc;

use anyhow::Result;
use serde::Serialize;

use crate::base::failure::Failure;
use crate::base::grammar::is_branch_name;
use crate::base::proof::Secret;
use crate::base::quote::quote;
use crate::base::repo_url;
use crate::beads::in_step::{self, SyncedStore};
use crate::beads::{self, BeadIter, Walk, proven};
use crate::config::schema::StoreChoice;
use crate::model::address::Address;
use crate::model::bead::Bead;
use crate::plan::sync::{self as plan, MergedBeads, Renamed};
use crate::programs::git::Git;
use crate::programs::git::pushing::Landing;
use crate::programs::git::sync::{BranchAndBase, FILE, Lane};
use crate::town::ended::{self, Word};
use crate::town::{Rig, Town, secret};
use crate::work::step;
use lines::{Draft, Lines};

/// The branch where nobody names another.
pub const BRANCH: &str = "beads-sync";

/// How often a push that others overtook is begun again.
const TRIES: usize = 20;

/// Who signs the commits, where git knows no name.
const SIGNER: &str = "gt sync";

/// One store and the branch that it is kept in step with.
#[derive(Clone, Debug)]
pub struct SyncPair {
    /// The rig; `None`: the town's own store.
    pub rig: Option<String>,
    /// The town's folder.
    pub root: PathBuf,
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
pub struct SyncReport {
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
    /// Lines of the branch that cannot be read, by number, with why: they stay there as they are.
    pub unread: Vec<String>,
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
pub fn of_rig(town: &Town, rig: &Rig, trust: bool) -> Result<SyncPair> {
    let lane = lane_of(rig);
    let file = rig.root.join("config.json");
    if !is_branch_name(&lane.branch) {
        crate::fail!("beads.sync_branch: '{}' cannot be the name of a branch", lane.branch; "correct it in {}", file.display());
    }
    if lane.remote.is_empty() || lane.remote.starts_with('-') || lane.remote.contains(char::is_control) {
        crate::fail!("beads.sync_remote: '{}' is neither a remote nor a URL", lane.remote; "correct it in {}", file.display());
    }
    if repo_url::plain(&lane.remote) != lane.remote {
        let hint = format!(
            "leave it out, and have git keep it: git help credentials; correct it in {}",
            file.display()
        );
        let said = "beads.sync_remote: a password or token in a URL stands on git's command line, where other users read it";
        return Err(Failure::new(said).hint(hint).into());
    }
    alone_there(town, rig, &lane)?;
    Ok(SyncPair {
        rig: Some(rig.name.clone()),
        root: town.root.clone(),
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
pub fn of_town(town: &Town, trust: bool) -> Result<Option<SyncPair>> {
    let git = Git::at(&town.root);
    if !town.root.join(".git").exists() || !git.try_run(["remote", "get-url", "origin"])?.ok() {
        return Ok(None);
    }
    Ok(Some(SyncPair {
        rig: None,
        root: town.root.clone(),
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
pub fn sync(place: &SyncPair, actor: &Address, dry: bool) -> Result<SyncReport> {
    let store = in_step::open(&beads::StorePlace {
        dir: place.beads.clone(),
        prefix: place.prefix.clone(),
        prefixes: place.prefixes.clone(),
        choice: StoreChoice::Auto,
        actor: actor.to_string(),
        secret: place.secret.clone(),
    })?;
    if let [remote, ..] = store.own_remotes()?.as_slice() {
        if !dry {
            store.sync_itself(&|closed| place.note_ended(&closed))?;
        }
        let (rig, remote) = (place.rig.clone(), repo_url::plain(remote));
        return Ok(SyncReport { rig, remote, by_dolt: true, ..SyncReport::default() });
    }
    let git = Git::at(&place.clone);
    let _turn = git.sync_lock()?;
    let one = SyncRun { place, store, git, dry };
    let (mut came, mut renamed, mut taken) = (BTreeSet::new(), Vec::new(), Vec::new());
    let (mut kept, mut foreign) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..TRIES {
        let look = one.fetch(dry)?;
        step("sync.1");
        let mut outcome = one.bring(&look, dry)?;
        step("sync.2");
        foreign.append(&mut outcome.foreign);
        let merged = &outcome.merged;
        came.extend(merged.came.iter().cloned());
        kept.extend(merged.kept.iter().cloned());
        renamed.extend(merged.renamed.iter().cloned());
        taken.extend(merged.taken.iter().map(|(id, from, by)| Taken {
            id: id.clone(),
            from: plan::at_home(from, &place.town),
            by: by.clone(),
        }));
        let mut commit = look.tip.clone();
        if !dry && !merged.branch_has_it {
            commit = one.commit(&look, &mut outcome)?;
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
        let merged = outcome.merged;
        return Ok(SyncReport {
            rig: place.rig.clone(),
            remote: repo_url::plain(&place.lane.remote),
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
            unread: look.theirs.bad.named(),
            commit: Some(commit).filter(|commit| !commit.is_empty()),
        });
    }
    crate::fail!(
        "{} moved {TRIES} times while this town pushed to it", place.lane.branch;
        "nothing is lost: run the same command again"
    )
}

/// One sync under way.
struct SyncRun<'a> {
    place: &'a SyncPair,
    store: Box<dyn SyncedStore>,
    git: Git,
    /// Nothing is written down.
    dry: bool,
}

/// The branch, and the commit that this town last was in step with, read.
struct SyncLook {
    tip: String,
    base_commit: String,
    theirs: Rc<Lines>,
    base: Rc<Lines>,
}

/// What came of a merge, without the beads themselves.
struct MergeOutcome {
    merged: MergedBeads,
    /// Ids of beads that were written into the store here.
    incoming: usize,
    /// Those of them that wait to be adopted.
    foreign: BTreeSet<String>,
    branch: Draft,
}

/// More than one bead decides about a bead: all of them have to be looked at together.
#[derive(Debug)]
struct Entangled;

impl std::fmt::Display for Entangled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("two towns gave one id to different beads")
    }
}

impl std::error::Error for Entangled {}

impl SyncRun<'_> {
    fn fetch(&self, dry: bool) -> Result<SyncLook> {
        let base_commit = self.store.noted(&self.place.key())?;
        let BranchAndBase { tip, theirs, base } = self.git.sync_fetch(&self.place.lane, &base_commit, dry)?;
        let theirs = Rc::new(Lines::of(theirs).map_err(|error| self.unreadable(&error))?);
        // A base that cannot be read is as good as none: then whatever differs was changed by both.
        let base = match base {
            _ if tip == base_commit => theirs.clone(),
            Some(blob) => Rc::new(Lines::of(blob).unwrap_or_default()),
            None => Rc::default(),
        };
        Ok(SyncLook { tip, base_commit, theirs, base })
    }

    fn unreadable(&self, error: &anyhow::Error) -> Failure {
        self.place.bad_file(&format!("{error:#}"), "nothing was taken in")
    }

    /// Whether a bead that comes in waits to be adopted. Beads of the real bd are the person's.
    fn is_foreign(&self, bead: &Bead) -> bool {
        let here = plan::home(bead, &self.place.town);
        match bead.is_request() {
            true => !self.place.secret.as_ref().is_some_and(|secret| proven::holds(secret, &here)),
            false => bead.foreign && self.store.is_exact(),
        }
    }

    fn terms(&self) -> plan::Terms<'_> {
        let SyncPair { town, secret, trust, .. } = self.place;
        plan::Terms { town, secret: secret.as_ref(), trust: *trust }
    }

    /// Merges, and writes what came into the store, and with it which commit the store now holds all of. With `dry` it only
    /// looks.
    fn bring(&self, look: &SyncLook, dry: bool) -> Result<MergeOutcome> {
        if dry || look.tip == look.base_commit {
            let seen = self.merge(look, |walk| self.store.look(walk))?;
            if dry || seen.incoming == 0 {
                return Ok(seen);
            }
        }
        self.merge(look, |walk| self.store.reconcile((&self.place.key(), &look.tip), walk))
    }

    /// Merges bead by bead; where one depends on others, all together.
    fn merge(&self, look: &SyncLook, go: impl Fn(Walk<'_>) -> Result<()>) -> Result<MergeOutcome> {
        let together = look.theirs.repeats || look.base.repeats;
        match self.merged(look, together, &go) {
            Err(error) if error.is::<Entangled>() => self.merged(look, true, &go),
            other => other,
        }
    }

    fn merged(
        &self,
        look: &SyncLook,
        together: bool,
        go: &impl Fn(Walk<'_>) -> Result<()>,
    ) -> Result<MergeOutcome> {
        let mut outcome = MergeOutcome {
            merged: MergedBeads { branch_has_it: true, ..MergedBeads::default() },
            incoming: 0,
            foreign: BTreeSet::new(),
            branch: Draft::new(self.git.nameless_file()?),
        };
        go(&mut |own, write| match together {
            true => self.all(look, own, &mut outcome, write),
            false => self.each(look, own, &mut outcome, write),
        })?;
        Ok(outcome)
    }

    /// Goes through the store and the branch side by side.
    fn each(
        &self,
        look: &SyncLook,
        own: BeadIter<'_>,
        outcome: &mut MergeOutcome,
        write: &mut dyn FnMut(Bead) -> Result<()>,
    ) -> Result<()> {
        let mut one = |id: &str, own: Option<Bead>| -> Result<()> {
            let theirs = look.theirs.bead(id)?;
            let base =
                if Rc::ptr_eq(&look.base, &look.theirs) { theirs.clone() } else { look.base.bead(id)? };
            let known = own.is_some();
            let own = own.map(|own| self.sent(own, base.as_slice()));
            let merged = plan::one(self.store.prefix(), base, own, theirs, &self.terms());
            self.take(look, merged.ok_or(Entangled)?, &|_| known, outcome, write)
        };
        let mut theirs = look.theirs.ids().peekable();
        for bead in own {
            let bead = bead?;
            if look.theirs.hides(&bead.id) {
                continue;
            }
            while let Some(id) = theirs.next_if(|id| *id < bead.id.as_str()) {
                one(id, None)?;
            }
            theirs.next_if(|id| *id == bead.id);
            one(&bead.id.clone(), Some(bead))?;
        }
        theirs.try_for_each(|id| one(id, None))
    }

    /// Merges everything at once.
    fn all(
        &self,
        look: &SyncLook,
        own: BeadIter<'_>,
        outcome: &mut MergeOutcome,
        write: &mut dyn FnMut(Bead) -> Result<()>,
    ) -> Result<()> {
        let seen = |bead: &Bead| !look.theirs.hides(&bead.id);
        let base: Vec<Bead> = look.base.all()?.into_iter().filter(seen).collect();
        let mut foreign = BTreeSet::new();
        let plain = |own: Result<Bead>| -> Result<Bead> {
            let own = own?;
            foreign.extend(own.foreign.then(|| own.id.clone()));
            Ok(self.sent_abroad(own))
        };
        let own = own.filter(|own| own.as_ref().map_or(true, seen));
        let mut own = own.map(plain).collect::<Result<Vec<Bead>>>()?;
        if !self.store.is_exact() {
            plan::as_known(&mut own, &base);
        }
        let mut merged = plan::merge(self.store.prefix(), &base, &own, &look.theirs.all()?, &self.terms());
        // A bead that waits to be adopted waits under whatever id it is given.
        let waits =
            |id: &String| merged.renamed.iter().any(|one| one.new == *id && foreign.contains(&one.old));
        let waiting: Vec<bool> = merged.incoming.iter().map(|bead| waits(&bead.id)).collect();
        for (bead, waits) in merged.incoming.iter_mut().zip(waiting) {
            bead.foreign |= waits;
        }
        let known: BTreeSet<&str> = own.iter().map(|bead| bead.id.as_str()).collect();
        self.take(look, merged, &|id| known.contains(id), outcome, write)
    }

    /// The same without the mark of what is foreign here, which the branch does not have.
    fn sent_abroad(&self, own: Bead) -> Bead {
        self.terms().abroad(&Bead { foreign: false, ..own })
    }

    /// A bead of the store as the branch has it, as far as the store can tell.
    fn sent(&self, own: Bead, base: &[Bead]) -> Bead {
        let mut own = [self.sent_abroad(own)];
        if !self.store.is_exact() {
            plan::as_known(&mut own, base);
        }
        let [own] = own;
        own
    }

    /// Writes what came in, and adds the rest to what came of the merge. `known`: the store has a bead of that id.
    fn take(
        &self,
        look: &SyncLook,
        merged: MergedBeads,
        known: &dyn Fn(&str) -> bool,
        outcome: &mut MergeOutcome,
        write: &mut dyn FnMut(Bead) -> Result<()>,
    ) -> Result<()> {
        for bead in &merged.incoming {
            // A request that this town made and its store does not have was lost with a store, and may have been over before.
            let lost = !bead.is_closed() && !known(&bead.id) && self.terms().proves(bead);
            if lost && !self.dry {
                ended::note(&self.place.root, Word::Ended, [bead.id.as_str()])?;
            }
            write(plan::home(bead, &self.place.town))?;
            outcome.incoming += 1;
            if lost || self.is_foreign(bead) {
                outcome.foreign.insert(bead.id.clone());
            }
        }
        for bead in &merged.branch {
            // What stands there twice is written once.
            let has_it = !look.theirs.repeats && !merged.went.contains(&bead.id);
            let there = Some(look.theirs.as_ref()).filter(|_| has_it);
            outcome.branch.add(bead, there)?;
        }
        let all = &mut outcome.merged;
        all.branch_has_it &= merged.branch_has_it;
        all.came.extend(merged.came);
        all.went.extend(merged.went);
        all.taken.extend(merged.taken);
        all.renamed.extend(merged.renamed);
        all.kept.extend(merged.kept);
        all.waiting.extend(merged.waiting);
        Ok(())
    }

    fn commit(&self, look: &SyncLook, outcome: &mut MergeOutcome) -> Result<String> {
        let message = format!("gt sync: {} of {}", beads(outcome.merged.went.len()), self.place.town);
        let write = |out: &mut dyn std::io::Write| outcome.branch.write(&look.theirs, out);
        self.git.sync_commit(&self.place.lane, &look.tip, write, &message, SIGNER)
    }
}

impl SyncPair {
    /// What failed of a sync that did the rest.
    pub fn left_out(&self, synced: &SyncReport) -> Option<Failure> {
        let lines = synced.unread.join("; ");
        let rest = "such lines stay there as they are, and the rest is in step";
        (!lines.is_empty()).then(|| self.bad_file(&lines, rest))
    }

    fn bad_file(&self, what: &str, done: &str) -> Failure {
        let Lane { branch, .. } = &self.lane;
        let clone = quote(&self.clone.to_string_lossy());
        Failure::new(format!("{FILE} on {branch}: {what}"))
            .hint(format!("{done}; look at it: git -C {clone} show refs/gt/sync/{branch}:{FILE}"))
    }

    /// Writes down which requests are over that were closed without gt, or by one that was killed before it wrote so.
    fn note_ended(&self, closed: &[Bead]) -> Result<()> {
        let noted = |bead: &&Bead| self.secret.as_ref().is_some_and(|secret| proven::is_over(secret, bead));
        let ids = closed.iter().filter(|bead| !noted(bead)).map(|bead| bead.id.as_str());
        ended::note(&self.root, Word::Ended, ids)
    }

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

fn refused(place: &SyncPair, words: &str) -> Failure {
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
