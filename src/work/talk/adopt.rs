//! `gt adopt`: what others made or changed becomes this town's, by a person who has looked at it.

use std::collections::HashMap;

use anyhow::Result;
use serde_json::Value;

use super::mail;
use crate::base::failure::{Failure, Failures};
use crate::beads::request::{self, Request};
use crate::beads::{Change, Filter, Guard, Store, Written, proven};
use crate::config;
use crate::model::address::{Address, polecat_of};
use crate::model::bead::{Bead, Patch};
use crate::model::ids::InstanceId;
use crate::model::refs::{Branch, RecoveryRef};
use crate::model::words;
use crate::programs::git::Git;
use crate::town::ended::Word;
use crate::town::{Rig, Town};
use crate::work::merge::approval;

/// A bead or request that nothing acts on until it is adopted.
pub struct Foreign {
    /// The rig; the town's own store without one.
    pub rig: Option<Rig>,
    /// As it was read: what is adopted.
    pub bead: Bead,
}

/// What a foreign request would bring.
pub struct Brings {
    /// What it says.
    pub request: Request,
    /// The title of the bead that it names, when the store has that.
    pub bead: Option<String>,
    /// Its commits that the target lacks.
    pub commits: usize,
    /// git's diffstat against the target.
    pub stat: String,
}

/// What is foreign in the town's store and in these rigs, mail too: one call a store.
pub fn list(town: &Town, rigs: Vec<Rig>, me: &Address, failures: &mut Failures) -> Vec<Foreign> {
    let of = |rig: Option<Rig>| -> Result<Vec<Foreign>> {
        let found = open(town, rig.as_ref(), me)?.list(&Filter::foreign())?;
        let foreign = found.into_iter().filter(|bead| bead.foreign);
        Ok(foreign.map(|bead| Foreign { rig: rig.clone(), bead }).collect())
    };
    let places = std::iter::once(None).chain(rigs.into_iter().map(Some));
    places.filter_map(|rig| failures.keep(of(rig))).flatten().collect()
}

fn open(town: &Town, rig: Option<&Rig>, me: &Address) -> Result<Box<dyn Store>> {
    rig.map_or_else(|| town.store(me), |rig| rig.store(me))
}

impl Foreign {
    /// What a request brings, its commit fetched; `None` for a bead that is no request.
    ///
    /// # Errors
    /// One that can be none, and one whose commit is not to be had: there is nothing to look at.
    pub fn brings(&self, town: &Town, env: &HashMap<String, String>, me: &Address) -> Result<Option<Brings>> {
        let id = &self.bead.id;
        let (Some(read), Some(rig)) = (Request::read(&self.bead), &self.rig) else { return Ok(None) };
        let request = read.map_err(|why| {
            Failure::new(format!("{id} cannot be merged: {why}"))
                .hint(format!("take it out of the list with: gt mq reject {id}"))
        })?;
        let git = approval::clone_with(rig, &request)?;
        let of_rig = config::target(&config::settings(&town.sources(env, Some(rig)))?);
        let target = request.target_or(&of_rig);
        git.fetch_branch(target)?;
        let base = format!("refs/remotes/origin/{target}");
        let ids = vec![request.bead.to_string()];
        let bead = rig.store(me)?.list(&Filter { ids, ..Filter::default() })?.pop().map(|bead| bead.title);
        let commits = git.ahead(&base, &request.commit)?;
        let Some(stat) = git.diffstat(&base, &request.commit)? else {
            crate::fail!("cannot tell what {id} changes on {target}"; "fetch both: git -C {} fetch origin", git.dir().display());
        };
        Ok(Some(Brings { request, bead, commits, stat }))
    }

    /// Makes it this town's, as it was read.
    ///
    /// # Errors
    /// When it changed meanwhile, or the store cannot be written.
    pub fn adopt(&self, town: &Town, me: &Address) -> Result<()> {
        let store = open(town, self.rig.as_ref(), me)?;
        if self.bead.is_mail() {
            return mail::adopt(town, store.as_ref(), &self.bead);
        }
        let (Some(Ok(request)), Some(rig)) = (Request::read(&self.bead), &self.rig) else {
            return store.trust(std::slice::from_ref(&self.bead));
        };
        let request = signed_by_nobody(rig, request)?;
        let metadata = request.to_bead(&town.secret()?).metadata;
        // What it said beside that goes: nothing of it is believed.
        let gone = self.bead.metadata.keys().filter(|key| !metadata.contains_key(*key));
        let gone: Vec<(String, Value)> = gone.map(|key| (key.clone(), Value::Null)).collect();
        let patch = Patch { metadata: metadata.into_iter().chain(gone).collect(), ..Patch::default() };
        let statuses = [words::OPEN, words::HOOKED, words::IN_PROGRESS].map(String::from).into();
        let guard = Guard { id: self.bead.id.clone(), statuses, ..Guard::default() };
        match store.write(&[guard], &[Change::Update(self.bead.id.clone(), Box::new(patch))])? {
            Written::Done(_) => request::note(rig, Word::Again, [self.bead.id.as_str()]),
            Written::Refused(..) => {
                crate::fail!("{} is no longer open", self.bead.id; "look at it with: gt mq show {}", self.bead.id)
            }
        }
    }
}

/// Whether a polecat of the rig handed the request over: the polecat has the instance that it names, or a recovery ref of
/// that instance keeps its commit. One git process at most.
///
/// # Errors
/// When git cannot be started.
fn is_own_work(rig: &Rig, request: &Request) -> Result<bool> {
    let Some(name) = polecat_of(&rig.name, &request.worker) else { return Ok(false) };
    let branch = Branch::parse(&request.branch)
        .is_some_and(|own| own.may_be_of(&rig.town) && own.name == name && own.bead == request.bead);
    if !branch || request.instance.is_empty() {
        return Ok(false);
    }
    if crate::work::polecat::names::holder(rig, &name).as_ref() == Some(&request.instance) {
        return Ok(true);
    }
    let own = RecoveryRef::new(&name, &request.instance).to_string();
    Git::at(rig.clone_dir()).keeps(&own, &request.commit)
}

/// The request as this town's. Unless this town's polecat made it, nothing here is that worker's: no polecat ends and no
/// branch is deleted for it.
fn signed_by_nobody(rig: &Rig, request: Request) -> Result<Request> {
    let own = Request { rig: rig.name.clone(), ..request };
    if is_own_work(rig, &own)? {
        return Ok(own);
    }
    // An agent of another town keeps its name: it is none of this town's.
    let worker = own.author().map_or(own.worker, |_| Address::Overseer.to_string());
    Ok(Request { worker, instance: InstanceId::default(), letter: String::new(), ..own })
}

/// Signs the requests of a rig from before there were proofs, once: `ids` are those that [`unproven`] gave.
///
/// # Errors
/// When a file or the store cannot be read or written.
pub fn sign_old(town: &Town, rig: &Rig) -> Result<()> {
    note_old(town, rig)?;
    let store = rig.store(&Address::Refinery(rig.name.clone()))?;
    let changes: Vec<Change> = unproven(town, rig)?
        .into_iter()
        .map(|(id, proof)| {
            let mut patch = Patch::default();
            patch.metadata.insert(proven::META_PROOF.into(), proof.into());
            Change::Update(id, Box::new(patch))
        })
        .collect();
    if !changes.is_empty() {
        store.write(&[], &changes)?;
    }
    nothing_old(town, &rig.name)
}

/// A rig that is new has no requests of an earlier version.
///
/// # Errors
/// When the file cannot be written.
pub fn nothing_old(town: &Town, rig: &str) -> Result<()> {
    noted::write(town, rig, &noted::Proofs::new())
}

/// Writes down which open requests are from before there were proofs, once for each rig: what comes in later is never
/// signed so. Called before anything of others is taken in.
///
/// # Errors
/// As [`sign_old`].
pub fn note_old(town: &Town, rig: &Rig) -> Result<()> {
    match noted::read(town, rig)? {
        Some(_) => Ok(()),
        None => noted::write(town, &rig.name, &unproven(town, rig)?),
    }
}

/// The open requests that wait to be signed, with their proofs: those that were noted, else those without any proof that
/// polecats of this rig made.
///
/// # Errors
/// As [`sign_old`].
pub fn unproven(town: &Town, rig: &Rig) -> Result<noted::Proofs> {
    let noted = noted::read(town, rig)?;
    if noted.as_ref().is_some_and(noted::Proofs::is_empty) {
        return Ok(noted::Proofs::new());
    }
    let found = rig.store(&Address::Overseer)?.list(&Filter::open_requests())?;
    let mut proofs = noted::Proofs::new();
    for bead in found.iter().filter(|bead| bead.foreign && bead.meta(proven::META_PROOF).is_none()) {
        let Some(Ok(request)) = Request::read(bead) else { continue };
        match &noted {
            Some(noted) => {
                proofs.extend(noted.get_key_value(&bead.id).map(|(id, proof)| (id.clone(), proof.clone())))
            }
            None if request.rig == rig.name && is_own_work(rig, &request)? => {
                proofs.insert(bead.id.clone(), proven::of(&town.secret()?, &bead.id, &bead.metadata));
            }
            None => {}
        }
    }
    Ok(proofs)
}

/// `mayor/proofs.json`: by rig, the requests from before there were proofs that wait to be signed.
mod noted {
    use std::collections::BTreeMap;

    use super::{Result, Rig, Town};
    use crate::base::files;

    /// Proofs by the ids of requests.
    pub type Proofs = BTreeMap<String, String>;

    const FILE: &str = "mayor/proofs.json";

    /// What is noted of a rig; `None`: nothing yet.
    pub fn read(town: &Town, rig: &Rig) -> Result<Option<Proofs>> {
        let path = town.root.join(FILE);
        let Some(text) = files::text(&path)? else { return Ok(None) };
        let mut all: BTreeMap<String, Proofs> = files::parse_json(&path, &text)?;
        Ok(all.remove(&rig.name))
    }

    /// Notes it.
    pub fn write(town: &Town, rig: &str, proofs: &Proofs) -> Result<()> {
        files::change_json(&town.root.join(FILE), |all| {
            all.insert(rig.into(), serde_json::to_value(proofs)?);
            Ok(())
        })
    }
}
