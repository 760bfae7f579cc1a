//! `gt sling`: a bead gets a polecat (`work.md`, "sling"). Six steps; after a kill at any of them the same command
//! goes on, and a failure takes back what was done.

mod begin;
mod elsewhere;
mod hand;
mod turn;
pub mod words;

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::base::failure::Failure;
use crate::base::limits;
use crate::base::time::parse_duration;
use crate::beads::{Change, Filter, Guard, Store, Written};
use crate::config::schema::Multiplexer;
use crate::config::{self, ResolvedRole, Settings, Sources};
use crate::model::address::{Address, Role};
use crate::model::bead::{Bead, NewBead, Patch};
use crate::model::words as bead_words;
use crate::mux::{ByHand, Mux, Session, Snapshot};
use crate::plan::choose::{Choice, PlacementWish};
use crate::plan::may_sling::{Allowed, Begin};
use crate::plan::pace::Pace;
use crate::plan::trust::reads;
use crate::programs::git::Git;
use crate::town::events::TownEvent;
use crate::town::{Rig, Town};
use crate::work::agent::trust;
use crate::work::observe::around::Around;
use crate::work::polecat::names::{self, Reservation};
use crate::work::polecat::queued::{self, WaitingBead};
use crate::work::polecat::survivors;
use crate::work::step;
use begin::SlingReading;
use hand::Assignment;

pub use begin::{check_new, check_restart};

/// Where beads are slung.
pub struct Site<'a> {
    /// The town.
    pub town: &'a Town,
    /// The rig.
    pub rig: &'a Rig,
    /// The rig's settings.
    pub settings: &'a Settings,
    /// Where they came from, for the roles of beads.
    pub sources: Sources,
    /// What keeps sessions.
    pub mux: &'a dyn Mux,
    /// The environment of the command.
    pub env: &'a HashMap<String, String>,
    /// The rig's store.
    pub store: Box<dyn Store>,
}

/// What is to be slung, and how.
#[derive(Clone, Debug, Default)]
pub struct Order {
    /// Ids, each once.
    pub beads: Vec<String>,
    /// The polecat's name, for one bead.
    pub name: Option<String>,
    /// `--force`, `--resume`
    pub allowed: Allowed,
    /// What was asked for by hand instead of the preset's: `agent`, `permissions`.
    pub asked: Vec<(&'static str, String)>,
    /// Presets asked for.
    pub presets: Vec<String>,
    /// Where to, when that was said by hand.
    pub wish: PlacementWish,
    /// What becomes of beads that the rig has no room for.
    pub when_full: WhenFull,
    /// The flags of `gt sling` that say all this: what starts a bead once more begins with them.
    pub flags: Vec<String>,
}

/// What becomes of beads that a rig has no room for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// They are refused.
    #[default]
    Refuse,
    /// They wait in the queue.
    Queue,
    /// They are left as they are.
    Leave,
}

/// What will be done, or was, for one bead.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Slung {
    /// The bead.
    pub bead: String,
    /// Its title.
    pub title: String,
    /// The polecat's address.
    pub address: String,
    /// `fresh`, `earlier` (from a kept attempt) or `again` (on the worktree that is there).
    pub begin: &'static str,
    /// The branch.
    pub branch: String,
    /// What the branch starts from.
    pub base: String,
    /// Where it works.
    pub worktree: String,
    /// The runtime.
    pub agent: String,
    /// The presets that counted.
    pub presets: Vec<String>,
    /// The session's name.
    pub session: String,
    /// Where it runs, and why there.
    pub place: Choice,
    /// The first prompt; empty when the runtime takes none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub prompt: String,
    /// Files in conflict that the agent has to resolve first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<String>,
    /// In minimal mode: what to run instead of a session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_hand: Option<ByHand>,
    /// On another machine its place is still being made: whether it starts is not known yet.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub under_way: bool,
    /// Why the first prompt was not seen to arrive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unconfirmed: Option<String>,
    /// What else is to be said of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What came of an order.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Beads that have their polecat.
    pub slung: Vec<Slung>,
    /// Beads that have none, and why.
    pub failed: Vec<(String, anyhow::Error)>,
    /// Beads that wait for a place.
    pub waiting: Vec<WaitingBead>,
}

/// What an order would do; nothing is touched.
///
/// # Errors
/// As [`sling`].
pub fn plan(site: &Site<'_>, order: &Order) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let works = begin::decide(site, order, SlingReading::read(site, order)?, &mut outcome)?;
    let works = elsewhere::reachable(site, works, &mut outcome);
    begin::check_start(site, &works)?;
    for (work, name) in begin::names_to_come(site, order, works, &mut outcome)? {
        match hand::planned(site, &work, &name) {
            Ok(planned) => outcome.slung.push(planned),
            Err(error) => outcome.failed.push((work.bead.id.clone(), error)),
        }
    }
    Ok(outcome)
}

/// Slings the beads that can be slung; the others are in [`Outcome::failed`], each with why. `around` is what was read of the
/// store already.
///
/// # Errors
/// What concerns all of them: its target cannot be fetched. Nothing is left behind then.
pub fn sling(site: &Site<'_>, order: &Order, around: Option<Around>) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let read = match around {
        Some(around) => SlingReading::of(site, order, around),
        None => SlingReading::read(site, order)?,
    };
    elsewhere::open_tunnels(site, order, read.beads().map(|(bead, role)| (Some(bead), role)))?;
    let works = begin::decide(site, order, read, &mut outcome)?;
    let works = elsewhere::reachable(site, works, &mut outcome);
    step("sling.1");
    let hands = begin::reserve(site, order, works, &mut outcome)?;
    if order.when_full == WhenFull::Queue && !outcome.waiting.is_empty() {
        queued::enqueue(
            site.store.as_ref(),
            &site.rig.name,
            &outcome.waiting,
            &order.flags,
            &site.town.secret()?,
        )?;
        for waiting in &outcome.waiting {
            TownEvent::new("queued", &waiting.title).bead(&waiting.bead).in_rig(site.rig);
        }
    }
    step("sling.2");
    let hands = end_earlier(site, hands, &mut outcome);
    let hands = make_places(site, hands, &mut outcome)?;
    step("sling.3");
    let hands = hook(site, order, hands, &mut outcome)?;
    step("sling.4");
    let (mut started, mut told) = (Vec::new(), Vec::new());
    let (mut pace, clock) = (Pace::default(), Instant::now());
    for mut hand in hands {
        let wait = pace.wait(hand.work.spawn_delay(), clock.elapsed());
        if !wait.is_zero() {
            tell(site, started.drain(..), &mut told);
            limits::say(&format!(
                "{} starts in {} (worker_spawn_delay)",
                hand.slung.address,
                limits::shown(wait)
            ));
            std::thread::sleep(wait);
        }
        match hand.start(site) {
            Ok(pane) => started.push((hand, pane)),
            Err(error) => {
                hand.undo_start(site);
                outcome.failed.push((hand.work.bead.id.clone(), error));
            }
        }
    }
    tell(site, started.into_iter(), &mut told);
    for one in &told {
        let kind = if one.begin == "again" { "resumed" } else { "started" };
        TownEvent::new(kind, &one.title).bead(&one.bead).of(&one.address).in_rig(site.rig);
    }
    outcome.slung.extend(told);
    step("sling.6");
    Ok(outcome)
}

/// Gives their first prompts to those that were started. Their locks are free: an agent may take long to be ready for text.
fn tell(site: &Site<'_>, started: impl Iterator<Item = (Assignment, Option<String>)>, told: &mut Vec<Slung>) {
    for (mut hand, pane) in started {
        if let Some(pane) = pane {
            hand.tell(site, &pane);
        }
        told.push(hand.slung);
    }
}

/// What earlier bearers of the names left running, an agent that crashed say, never writes into what they get now.
fn end_earlier(site: &Site<'_>, mut hands: Vec<Assignment>, outcome: &mut Outcome) -> Vec<Assignment> {
    // In minimal mode an agent is run by hand, and nothing tells one that goes on from one that was left.
    let by_hand = |hand: &Assignment| {
        hand.work.sessions.minimal.is_some() || hand.work.role.settings.multiplexer == Multiplexer::None
    };
    let mut here: Vec<&mut Assignment> =
        hands.iter_mut().filter(|hand| !hand.work.is_away() && !by_hand(hand)).collect();
    let addresses: Vec<&Address> = here.iter().map(|hand| &hand.address).collect();
    let ended = survivors::before_start(site.town, &addresses);
    let mut failed = Vec::new();
    for (hand, note) in here.iter_mut().zip(ended) {
        match note {
            Ok(note) => hand.slung.notes.extend(note),
            Err(error) => failed.push((hand.work.bead.id.clone(), error)),
        }
    }
    let of = |hand: &Assignment| failed.iter().any(|(id, _)| *id == hand.work.bead.id);
    let (mut kept, hands): (Vec<Assignment>, Vec<Assignment>) = hands.into_iter().partition(of);
    kept.iter_mut().rev().for_each(|hand| hand.undo(site));
    outcome.failed.extend(failed);
    hands
}

/// Step 3: one fetch for all, then a worktree each. A polecat elsewhere makes its own, from what origin has: the fetch tells
/// which agent settings those are.
fn make_places(
    site: &Site<'_>,
    mut hands: Vec<Assignment>,
    outcome: &mut Outcome,
) -> Result<Vec<Assignment>> {
    let target = site.target();
    let git = Git::at(site.rig.clone_dir());
    let reads = |hand: &Assignment| !reads(&hand.work.role.runtime).is_empty();
    let begins =
        |hand: &&mut Assignment| hand.work.begin != Begin::Again && (reads(hand) || !hand.work.is_away());
    let (here, mut away): (Vec<&mut Assignment>, Vec<&mut Assignment>) =
        hands.iter_mut().filter(begins).partition(|hand| !hand.work.is_away());
    let fetched = match here.is_empty() && away.is_empty() {
        true => Ok(()),
        false => git.fetch_branch(&target).and_then(|()| git.name_key()),
    };
    if let Err(error) = fetched {
        if !here.is_empty() {
            hands.iter_mut().rev().for_each(|hand| hand.undo(site));
            return Err(error);
        }
        let why = format!("{error:#}");
        let why = why.lines().next().unwrap_or_default();
        let note = format!(
            "warning: agent settings were checked as they were known here, origin does not answer: {why}"
        );
        away.iter_mut().for_each(|hand| hand.slung.notes.push(note.clone()));
    }
    if hands.iter().any(reads)
        && let Err(error) = trust::remember(site.rig, site.settings)
    {
        hands.iter_mut().rev().for_each(|hand| hand.undo(site));
        return Err(error);
    }
    let mut made = Vec::new();
    for mut hand in hands {
        // What the fetch brought may have other agent settings than those that were looked at before.
        match begin::check_trust(site, &hand.work.role).and_then(|()| hand.make_place(site)) {
            Ok(()) => made.push(hand),
            Err(error) => {
                hand.undo(site);
                outcome.failed.push((hand.work.bead.id.clone(), error));
            }
        }
    }
    Ok(made)
}

/// Step 4: the beads get their polecats, all in one write; who lost a race is dropped, and the rest tried again.
fn hook(
    site: &Site<'_>,
    order: &Order,
    mut hands: Vec<Assignment>,
    outcome: &mut Outcome,
) -> Result<Vec<Assignment>> {
    // Without flags nothing is to be remembered, and without a secret nothing can.
    let secret = if order.flags.is_empty() { None } else { site.town.secret().ok() };
    let ordered = |hand: &Assignment| match &secret {
        Some(secret) => queued::entry(&hand.work.bead.id, &site.rig.name, &order.flags, secret),
        None => Map::new(),
    };
    loop {
        let fresh = || hands.iter().filter(|hand| hand.work.begin != Begin::Again);
        let guards: Vec<Guard> = fresh().map(Assignment::guard).collect();
        let changes: Vec<Change> = fresh().map(|hand| hand.change(ordered(hand))).collect();
        if changes.is_empty() {
            return Ok(hands);
        }
        match site.store.write(&guards, &changes) {
            Ok(Written::Done(_)) => {
                hands.iter_mut().for_each(Assignment::hooked);
                return Ok(hands);
            }
            Ok(Written::Refused(guard, found)) => {
                let holder = found.and_then(|bead| bead.assignee).unwrap_or_else(|| "somebody".into());
                let Some(lost) = hands.iter().position(|hand| hand.work.bead.id == guard.id) else {
                    crate::fail!("the store refused a bead that was not slung: {}", guard.id);
                };
                let mut hand = hands.remove(lost);
                hand.undo(site);
                outcome.failed.push((guard.id.clone(), taken(&guard.id, &holder).into()));
            }
            Err(error) => {
                // A store that cannot write all at once may have written some of it.
                hands.iter_mut().for_each(Assignment::hooked);
                hands.iter_mut().rev().for_each(|hand| hand.undo(site));
                return Err(error);
            }
        }
    }
}

impl Site<'_> {
    /// The branch that work lands on.
    pub fn target(&self) -> String {
        crate::config::target(self.settings)
    }

    /// Makes the bead of a new title. A title of several lines becomes one, the rest its description. One that an earlier try
    /// of the same title made, and that nobody has touched since, is taken.
    ///
    /// # Errors
    /// When the store refuses it.
    pub fn create(&self, title: &str) -> Result<Created> {
        let mut bead = NewBead::titled(title);
        bead.issue_type = "task".into();
        bead.labels = vec![bead_words::LABEL_NEW.into()];
        let (labels, store) = (bead.labels.clone(), self.store.as_ref());
        // A call of the real bd takes long: the one that a sling makes shows earlier tries too.
        let mut around = store.is_dear().then(|| Around::read(store, &[])).transpose()?;
        let listed = match &around {
            Some(_) => Vec::new(),
            None => store.list(&Filter {
                labels,
                statuses: vec![bead_words::OPEN.into()],
                ..Filter::default()
            })?,
        };
        let same = |found: &&Bead| {
            (&found.title, &found.description, &found.labels)
                == (&bead.title, &bead.description, &bead.labels)
                && found.status == bead_words::OPEN
                && found.assignee.is_none()
        };
        let mut earlier = around.iter().flat_map(|around| around.beads.values()).chain(&listed);
        if let Some(id) = earlier.find(same).map(|found| found.id.clone()) {
            return Ok(Created { id, around });
        }
        let made = store.write(&[], &[Change::Create(Box::new(bead))])?;
        let id = match made {
            Written::Done(ids) => ids.into_iter().next(),
            Written::Refused(..) => None,
        };
        let Some(id) = id else { crate::fail!("the store made no bead for '{title}'") };
        if let Some(around) = &mut around {
            let ids = vec![id.clone()];
            let read = store.list(&Filter { ids, ..Filter::default() })?;
            around.beads.extend(read.into_iter().map(|bead| (bead.id.clone(), bead)));
        }
        Ok(Created { id, around })
    }
}

/// A bead that was made for a title.
pub struct Created {
    /// Its id.
    pub id: String,
    /// It and all else that the store of the real bd has.
    pub around: Option<Around>,
}

/// The change that gives a bead to a polecat, and says how that was ordered and where it is: nothing for this machine.
fn hooking(bead: &Bead, address: &Address, remote: Option<&str>, ordered: Map<String, Value>) -> Change {
    let label = remote.map(|remote| format!("{}{remote}", bead_words::LABEL_REMOTE));
    let (kept, mut gone): (Vec<String>, Vec<String>) =
        remotes_of(bead).into_iter().partition(|own| label.as_ref() == Some(own));
    gone.extend(new_label(bead));
    let (queued, mut metadata) = queued::off(bead);
    metadata.extend(ordered);
    gone.extend(queued);
    Change::Update(
        bead.id.clone(),
        Box::new(Patch {
            status: Some(bead_words::HOOKED.into()),
            assignee: Some(Some(address.to_string())),
            add_labels: label.filter(|_| kept.is_empty()).into_iter().collect(),
            remove_labels: gone,
            metadata,
            ..Patch::default()
        }),
    )
}

/// The label of a bead that has had no polecat yet.
fn new_label(bead: &Bead) -> Option<String> {
    bead.has_label(bead_words::LABEL_NEW).then(|| bead_words::LABEL_NEW.to_string())
}

/// The labels of a bead that say where its polecat is.
fn remotes_of(bead: &Bead) -> Vec<String> {
    let is_one = |label: &&String| label.starts_with(bead_words::LABEL_REMOTE);
    bead.labels.iter().filter(is_one).cloned().collect()
}

/// One bead that can be slung.
pub struct Work {
    /// The bead, as it was read.
    pub bead: Bead,
    /// How its polecat begins.
    pub begin: Begin,
    /// The commit an earlier attempt is kept at.
    pub kept: Option<String>,
    /// The polecat's role and runtime.
    pub role: ResolvedRole,
    /// Where its session goes.
    pub choice: Choice,
    /// The polecat that has it already, its name in hand.
    pub claim: Option<Reservation>,
    /// The name of that polecat.
    pub name: Option<String>,
    /// That polecat's ended session.
    pub ended: Option<Session>,
    /// What was seen of the sessions.
    pub sessions: Snapshot,
    /// What was asked for by hand.
    pub asked: Vec<(&'static str, String)>,
    /// Names of polecats whose work waits in the queue: an address means one piece of work as long as that is there.
    pub queued: BTreeSet<String>,
    /// What is to be said of its begin.
    pub notes: Vec<String>,
}

impl Work {
    /// How long its start waits after the one before it.
    pub fn spawn_delay(&self) -> Duration {
        parse_duration(&self.role.settings.worker_spawn_delay).unwrap_or_default()
    }

    /// Whether its session goes to another machine.
    pub fn is_away(&self) -> bool {
        self.choice.remote.is_some()
    }
}

/// The polecat's role: what its presets, the placement of the bead and the flags come to. `holder` goes on with its bead:
/// with the runtime that it was started with, where that was asked for by hand.
pub fn role(
    site: &Site<'_>,
    order: &Order,
    bead: Option<&Bead>,
    holder: Option<&str>,
) -> Result<ResolvedRole> {
    let mut sources = site.sources.clone();
    for key in ["agent", "permissions"] {
        let now = order.asked.iter().find(|(own, _)| *own == key).map(|(_, value)| value.clone());
        if let Some(value) = now.or_else(|| names::asked(site.rig, holder?, key)) {
            sources.flags.push((format!("polecat.{key}"), value));
        }
    }
    config::role(&sources, Role::Polecat, &order.presets, bead)
}

/// Why a bead cannot be had.
pub fn taken(id: &str, holder: &str) -> Failure {
    Failure::new(format!("{id} is taken by {holder}")).hint(format!("look at it with: gt bd show {id}"))
}
