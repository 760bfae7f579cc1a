//! `gt remote sync`: work that polecats on other machines handed in comes home, by git alone (`remote.md`). Their
//! daemon may be silent meanwhile. Steps: 1 letters and branches are fetched · 2 the commit is kept under a recovery ref ·
//! 3 one write as `gt done` makes it · 4 the polecat's record says that it is leaving · 5 the letter is deleted at origin.
//! After a kill at any of them the same command goes on, and nothing is made twice.

use std::collections::BTreeMap;

use anyhow::Result;

use super::letter::{self, Collection};
use super::waiting;
use crate::base::files;
use crate::beads::Filter;
use crate::model::address::Address;
use crate::model::ids::InstanceId;
use crate::model::refs::{POLECATS, Sent, SentKind};
use crate::model::words;
use crate::plan::homecoming::{self, CompletionRecord};
use crate::programs::git::Git;
use crate::programs::git::letters::RefAt;
use crate::town::away::{self, Record, Records};
use crate::town::{Rig, Town};
use crate::work::remote::arrived::{Arrived, CollectJob, RecordState};
use crate::work::step;

/// Where letters and the branches they name are mirrored in the canonical clone.
const MIRROR: &str = "refs/gt/home/";

/// Whether a rig has, or had, polecats elsewhere: by the town's records and the labels of beads that somebody holds.
///
/// # Errors
/// When the records or the store cannot be read.
pub fn is_hybrid(town: &Town, rig: &Rig) -> Result<bool> {
    if has_records(&away::read(town)?, rig) {
        return Ok(true);
    }
    let statuses = vec![words::HOOKED.into(), words::IN_PROGRESS.into()];
    let held = rig.store(&Address::Overseer)?.list(&Filter { statuses, ..Filter::default() })?;
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
pub fn collect(job: &CollectJob<'_>, dry: bool) -> Result<Vec<Arrived>> {
    if dry {
        return dry_run(job);
    }
    let _lock = files::lock(&job.rig.root.join("witness/home.lock"))?;
    let git = Git::at(job.rig.clone_dir());
    let mut names: Vec<Sent> = Vec::new();
    let mut arrived = Vec::new();
    for (full, _) in listed(job, &git)? {
        match sent(job, &full) {
            Some(name) => names.push(name),
            None => arrived.push(unreadable(&full, "its name is none of a polecat's")),
        }
    }
    if names.is_empty() {
        waiting::note(job.rig, &arrived)?;
        return Ok(arrived);
    }
    let held = fetch(job, &git, &names)?;
    step("home.1");
    let mut letters: Vec<(RefAt, CompletionRecord)> = Vec::new();
    for held in held {
        let Some(name) = sent(job, &held.name) else { continue };
        let (said, _) = homecoming::split(&held.message);
        let read = if held.kind == "commit" {
            homecoming::read(&name, &String::from_utf8_lossy(said))
        } else {
            Err(format!("it is a {}, not a commit", held.kind))
        };
        match read {
            Ok(letter) => letters.push((held, letter)),
            Err(why) => arrived.push(unreadable(&held.name, &why)),
        }
    }
    arrived.extend(take_in(job, &git, &letters)?);
    waiting::note(job.rig, &arrived)?;
    Ok(arrived)
}

/// Where the rig's records are at origin: those of this town, and those of earlier versions, which any town may have written.
fn places(job: &CollectJob<'_>) -> Vec<String> {
    [&*job.rig.town, ""].iter().flat_map(|town| Sent::places(SentKind::Done, town, &job.rig.name)).collect()
}

fn sent(job: &CollectJob<'_>, full: &str) -> Option<Sent> {
    let own = |sent: &Sent| sent.rig == job.rig.name && (sent.town.is_empty() || sent.town == job.rig.town);
    Sent::parse(SentKind::Done, full).filter(own)
}

/// The records' refs at origin.
fn listed(job: &CollectJob<'_>, git: &Git) -> Result<Vec<(String, String)>> {
    let places = places(job);
    let patterns: Vec<String> = places.iter().map(|place| format!("{place}*")).collect();
    let found = git.origin_refs(&patterns.iter().map(String::as_str).collect::<Vec<_>>())?;
    // The pattern also matches at the end of longer names.
    let own = |name: &str| places.iter().any(|place| name.starts_with(place));
    Ok(found.into_iter().filter(|(name, _)| own(name)).collect())
}

/// What a dry run can tell without writing anything: whose letters wait.
fn dry_run(job: &CollectJob<'_>) -> Result<Vec<Arrived>> {
    let records = away::read(job.town)?;
    let one = |(full, _): (String, String)| match sent(job, &full) {
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
        state: RecordState::Unreadable,
        why: why.into(),
        ..Arrived::default()
    }
}

/// Step 1: records and the branches of those who wrote them, in one fetch. Gives the records by their names at origin,
/// oldest first.
fn fetch(job: &CollectJob<'_>, git: &Git, names: &[Sent]) -> Result<Vec<RefAt>> {
    let (rig, places) = (&job.rig.name, places(job));
    let mirrors: Vec<String> = (0..places.len()).map(|n| format!("{MIRROR}{rig}/done/{n}/")).collect();
    let mut specs: Vec<String> =
        places.iter().zip(&mirrors).map(|(place, mirror)| format!("+{place}*:{mirror}*")).collect();
    let mut polecats: Vec<&str> = names.iter().map(|name| name.name.as_str()).collect();
    polecats.sort_unstable();
    polecats.dedup();
    let heads = [format!("{POLECATS}{}/", job.rig.town), POLECATS.to_string()];
    for (number, heads) in heads.iter().enumerate() {
        let mirror = format!("{MIRROR}{rig}/polecat/{number}/");
        specs.extend(polecats.iter().map(|name| format!("+{heads}{name}-*:{mirror}{name}-*")));
    }
    let specs: Vec<&str> = specs.iter().map(String::as_str).collect();
    git.mirror(&format!("what was handed in for {rig}"), &specs)?;
    let mut held = git.held(&mirrors.iter().map(String::as_str).collect::<Vec<_>>())?;
    for one in &mut held {
        let there =
            |(place, mirror): (&String, &String)| Some(place.clone() + one.name.strip_prefix(mirror)?);
        if let Some(there) = places.iter().zip(&mirrors).find_map(there) {
            one.name = there;
        }
    }
    Ok(held)
}

/// Whether a record proves that it comes from the session that this town started, as the town remembers that session. What an
/// earlier version started has no secret: its record counts when it is about the bead that it was started for. `None`: proven.
fn unproven(
    git: &Git,
    record: Option<&Record>,
    letter: &CompletionRecord,
    message: &[u8],
) -> Result<Option<&'static str>> {
    let Some(record) = record.filter(|record| record.instance == letter.from.instance) else {
        return Ok(Some("this town remembers no such session"));
    };
    if record.secret.is_empty() && record.branch.is_empty() {
        let own = letter.from.town.is_empty() && record.bead == letter.bead;
        return Ok((!own).then_some("it is not about the bead that its session was started for"));
    }
    if record.secret.is_empty() {
        return Ok(Some("its session was never seen to start, so its proof cannot be checked"));
    }
    let (said, proof) = homecoming::split(message);
    let proven = proof.is_some() && proof == Some(&git.hash_of(&homecoming::proven(&record.secret, said))?);
    Ok((!proven).then_some("it has no valid proof"))
}

/// Steps 2 to 5, letter by letter, then together what concerns them all.
fn take_in(job: &CollectJob<'_>, git: &Git, letters: &[(RefAt, CompletionRecord)]) -> Result<Vec<Arrived>> {
    let here = commits_here(git, letters)?;
    let records = away::read(job.town)?;
    let mut arrived = Vec::new();
    let mut over: Vec<(String, String)> = Vec::new();
    let mut leaving: BTreeMap<String, InstanceId> = BTreeMap::new();
    for ((held, letter), here) in letters.iter().zip(here) {
        let record = records.get(&letter.worker().to_string());
        let unproven = match job.adopt.takes(&held.id) {
            true => None,
            false => unproven(git, record, letter, &held.message)?,
        };
        let desk = Collection { job, id: &held.id, letter, records: &records, unproven };
        let mut one = match here {
            true => letter::take_in(&desk).unwrap_or_else(|error| Arrived {
                why: format!("{error:#}"),
                ..desk.arrived(RecordState::Failed)
            }),
            false => desk.arrived(RecordState::Missing),
        };
        one.name = held.name.clone();
        if one.state.is_over() {
            over.push((held.name.clone(), held.id.clone()));
            leaving.insert(letter.worker().to_string(), letter.from.instance.clone());
        }
        if one.state == RecordState::Missing {
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
fn commits_here(git: &Git, letters: &[(RefAt, CompletionRecord)]) -> Result<Vec<bool>> {
    let commits: Vec<&str> = letters.iter().map(|(_, letter)| letter.commit.as_str()).collect();
    let mut here = git.has_commits(&commits)?;
    for (here, (_, letter)) in here.iter_mut().zip(letters) {
        // A branch that was pushed over since: some servers still give the commit.
        *here = *here || letter.no_changes || git.fetch_from_origin(&letter.commit)?;
    }
    Ok(here)
}

/// Step 4: the polecats' sessions and worktrees over there are to be ended.
fn leave(job: &CollectJob<'_>, records: &Records, leaving: &BTreeMap<String, InstanceId>) -> Result<()> {
    let own = |records: &Records| {
        let leaves = |(address, instance): &(&String, &InstanceId)| {
            records.get(*address).is_some_and(|record| record.instance == *instance && !record.leaving)
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
    git.forget_refs("forget completion records", &[&format!("{MIRROR}{rig}/")])
}
