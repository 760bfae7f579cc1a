//! One letter that came home: what is made of it, as `gt done` would have made it here.

use anyhow::Result;

use crate::base::failure::Failure;
use crate::beads::request::Request;
use crate::beads::{Change, Filter, Guard, Store, Written, jsonl};
use crate::model::address::Address;
use crate::model::bead::{Bead, NewBead, Patch};
use crate::model::refs::RecoveryRef;
use crate::model::words;
use crate::plan::homecoming::{CompletionFacts, CompletionRecord, Fate, META_LETTER, fate, with_letter};
use crate::town::away::Records;
use crate::work::merge::aside;
use crate::work::merge::submit::{Brought, Handed, Submission, bead_and_requests};
use crate::work::polecat::names;
use crate::work::remote::arrived::{Arrived, CollectJob, RecordState};
use crate::work::step;
use crate::work::talk::mail;

/// How often a letter is judged again because its bead changed meanwhile.
const RACES: usize = 5;

/// A letter on the desk.
pub struct Collection<'a> {
    /// The rig it came to.
    pub job: &'a CollectJob<'a>,
    /// Its own id.
    pub id: &'a str,
    /// What it says.
    pub letter: &'a CompletionRecord,
    /// Who is elsewhere.
    pub records: &'a Records,
    /// Why nothing proves where it comes from; `None` when it is proven, or adopted.
    pub unproven: Option<&'static str>,
}

impl Collection<'_> {
    /// What is reported of it.
    pub fn arrived(&self, state: RecordState) -> Arrived {
        let letter = self.letter;
        Arrived {
            worker: letter.worker().to_string(),
            instance: letter.from.instance.clone(),
            bead: letter.bead.clone(),
            id: self.id.into(),
            commit: if letter.no_changes { String::new() } else { letter.commit.clone() },
            state,
            ..Arrived::default()
        }
    }

    /// Whether another instance has its polecat's name by now.
    fn passed_on(&self) -> bool {
        let from = &self.letter.from;
        let record = self.records.get(&self.letter.worker().to_string()).map(|record| &record.instance);
        let holder = names::holder(self.job.rig, &from.name);
        [record, holder.as_ref()].into_iter().flatten().any(|own| *own != from.instance)
    }

    /// What commits are kept as, and what the request is.
    fn as_request(&self) -> Request {
        Request {
            commit: self.letter.commit.clone(),
            worker: self.letter.worker().to_string(),
            instance: self.letter.from.instance.clone(),
            ..Request::default()
        }
    }
}

/// Steps 2 and 3 for one letter.
///
/// # Errors
/// When the clone or a store cannot be read or written.
pub fn take_in(desk: &Collection<'_>) -> Result<Arrived> {
    let letter = desk.letter;
    let worker = letter.worker();
    let secret = desk.job.town.secret()?;
    let store = desk.job.rig.store(&worker)?;
    for _ in 0..RACES {
        let (bead, requests) = bead_and_requests(store.as_ref(), &letter.bead)?;
        let (proven, passed_on) = (desk.unproven.is_none(), desk.passed_on());
        // Where a store cannot write all at once, the bead is written last and says it.
        let requested = !store.is_dear() && requests.iter().any(|(request, _)| request.letter == desk.id);
        let facts =
            CompletionFacts { id: desk.id, letter, proven, passed_on, bead: bead.as_ref(), requested };
        let fate = fate(&facts);
        let mut arrived = desk.arrived(RecordState::Foreign);
        arrived.title = bead.as_ref().map(|bead| bead.title.clone()).unwrap_or_default();
        if fate == Fate::Foreign {
            arrived.why = desk.unproven.unwrap_or_default().into();
            return Ok(arrived);
        }
        if fate == Fate::Taken {
            arrived.state = RecordState::Taken;
            return Ok(arrived);
        }
        if !letter.no_changes {
            arrived.recovery = aside::keep(desk.job.rig, &desk.as_request())?;
        }
        step("home.2");
        let (found, told) = left_to_make(desk, store.as_ref())?;
        let submission = |bead, requests, found, told| Submission {
            store: store.as_ref(),
            rig: desk.job.rig,
            secret: &secret,
            worker: &worker,
            instance: &letter.from.instance,
            bead,
            branch: &letter.branch,
            commit: &letter.commit,
            target: desk.job.target,
            requests,
            brought: Brought { letter: desk.id, notes: &letter.notes, found, told },
        };
        let handed = match (fate, &bead) {
            (Fate::Submit, Some(bead)) => submit(desk, &submission(bead, &requests, &found, told))?,
            (Fate::Close, Some(bead)) => close(desk, submission(bead, &requests, &found, told))?,
            (Fate::Keep { why, named }, bead) => {
                arrived.why = why;
                keep(desk, store.as_ref(), bead.as_ref(), &arrived, named, &found)?
            }
            _ => None,
        };
        let Some((state, handed)) = handed else { continue };
        step("home.3");
        return Ok(Arrived { state, request: handed.request, found: handed.found, ..arrived });
    }
    Err(Failure::new(format!("{} keeps changing while its work comes home", letter.bead))
        .hint(format!("nothing is lost; try again: gt remote sync {}", desk.job.rig.name))
        .into())
}

/// What a letter brings along, without what an earlier run has made of it already, where a store cannot write all at once.
fn left_to_make(desk: &Collection<'_>, store: &dyn Store) -> Result<(Vec<NewBead>, bool)> {
    let found = desk.letter.beads(desk.id);
    if !store.is_dear() {
        return Ok((found, false));
    }
    let made = made(store, desk.id)?;
    let told = made.iter().any(|one| one.is_mail() && one.meta(META_LETTER) == Some(desk.id));
    Ok((found.into_iter().filter(|bead| !is_made(bead, &made)).collect(), told))
}

fn is_made(bead: &NewBead, made: &[Bead]) -> bool {
    let id = bead.metadata.get(META_LETTER).and_then(|id| id.as_str());
    made.iter().any(|other| id.is_some() && other.meta(META_LETTER) == id)
}

/// The beads of a store that say they were made for a letter. The others are not held in memory.
fn made(store: &dyn Store, id: &str) -> Result<Vec<Bead>> {
    let mut made = Vec::new();
    store.export_lines(&mut |line| {
        if line.contains(id) {
            made.extend(jsonl::parse_bytes(line.as_bytes())?);
        }
        Ok(true)
    })?;
    Ok(made)
}

type HandlingResult = Result<Option<(RecordState, Handed)>>;

fn submit(desk: &Collection<'_>, submission: &Submission<'_>) -> HandlingResult {
    let open = submission.open_request();
    let same = open.filter(|request| request.commit == desk.letter.commit);
    let handed = match same {
        // The same commit once more, with other words.
        Some(request) => {
            submission.submit(None, None)?.map(|handed| Handed { request: request.id.clone(), ..handed })
        }
        None => submission.submit(open, Some(&submission.new_request()))?,
    };
    Ok(handed.map(|handed| (RecordState::Submitted, handed)))
}

fn close(desk: &Collection<'_>, mut submission: Submission<'_>) -> HandlingResult {
    // The reason is why it is closed, and not a remark too.
    submission.brought.notes = "";
    let reason = if desk.letter.notes.is_empty() { "nothing had to be changed" } else { &desk.letter.notes };
    Ok(submission.close(reason)?.map(|handed| (RecordState::Closed, handed)))
}

/// The commit is kept already: the Mayor is told, then in one write the bead names it, if it waits for somebody, and new
/// beads are made.
fn keep(
    desk: &Collection<'_>,
    store: &dyn Store,
    bead: Option<&Bead>,
    arrived: &Arrived,
    named: bool,
    found: &[NewBead],
) -> HandlingResult {
    tell_mayor(desk, arrived)?;
    let letter = desk.letter;
    let mut guards = Vec::new();
    let mut changes: Vec<Change> = found.iter().map(|bead| Change::Create(Box::new(bead.clone()))).collect();
    if let Some(bead) = bead {
        guards.push(Guard {
            id: bead.id.clone(),
            statuses: vec![bead.status.clone()],
            assignee: Some(bead.assignee.clone()),
            ..Guard::default()
        });
        let mut patch = Patch { append_notes: Some(story(desk, arrived)), ..Patch::default() };
        patch.metadata.insert(META_LETTER.into(), with_letter(bead, desk.id).into());
        if let Some(recovery) = arrived.recovery.as_ref().filter(|_| named && is_free(bead, letter)) {
            patch.metadata.insert(words::META_RECOVERY.into(), recovery.clone().into());
        }
        changes.push(Change::Update(bead.id.clone(), Box::new(patch)));
    } else if !changes.is_empty() {
        // Without a bead nothing says afterwards that these were made.
        let made = made(store, desk.id)?;
        changes.retain(|change| !matches!(change, Change::Create(bead) if is_made(bead, &made)));
    }
    if changes.is_empty() {
        return Ok(Some((RecordState::Kept, Handed::default())));
    }
    Ok(match store.write(&guards, &changes)? {
        Written::Done(ids) => {
            let found = ids.into_iter().take(found.len()).collect();
            Some((RecordState::Kept, Handed { request: String::new(), found }))
        }
        Written::Refused(..) => None,
    })
}

/// Whether a bead names no other's commits as what was kept of it.
fn is_free(bead: &Bead, letter: &CompletionRecord) -> bool {
    let own = RecoveryRef::new(&letter.from.name, &letter.from.instance);
    bead.meta(words::META_RECOVERY).is_none_or(|kept| own.goes_with(kept))
}

fn story(desk: &Collection<'_>, arrived: &Arrived) -> String {
    let letter = desk.letter;
    let mut text = format!("{} handed in work on {}, but {}.\n", letter.worker(), letter.bead, arrived.why);
    if let Some(recovery) = &arrived.recovery {
        text.push_str(&format!(
            "Its commit {} is kept under {recovery}; get it with: gt polecat recover {}\n",
            letter.commit,
            letter.worker()
        ));
    }
    if letter.no_changes {
        text.push_str("It says that nothing had to be changed.\n");
    }
    if !letter.notes.is_empty() {
        text.push_str(&format!("\n{}\n", letter.notes));
    }
    text.trim_end().to_string()
}

/// Tells the Mayor, once for each letter.
fn tell_mayor(desk: &Collection<'_>, arrived: &Arrived) -> Result<()> {
    let from = Address::Witness(desk.job.rig.name.clone());
    let store = mail::store_for(desk.job.town, &from, &Address::Mayor)?;
    let told = store.list(&Filter {
        types: vec![words::MESSAGE.into()],
        statuses: [words::OPEN, words::HOOKED, words::IN_PROGRESS, words::CLOSED].map(Into::into).to_vec(),
        assignee: Some(Address::Mayor.to_string()),
        ..Filter::default()
    })?;
    if told.iter().any(|mail| !mail.foreign && mail.meta(META_LETTER) == Some(desk.id)) {
        return Ok(());
    }
    let subject = format!("work on {} came home, but {}", desk.letter.bead, arrived.why);
    let mut letter = mail::message(&from, &Address::Mayor, &subject, &story(desk, arrived));
    letter.metadata.insert(META_LETTER.into(), desk.id.into());
    store.write(&[], &[Change::Create(Box::new(letter))])?;
    Ok(())
}
