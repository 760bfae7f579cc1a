//! Steps 1 and 2 of sling: what the look allows, and the names.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::time::Duration;

use anyhow::Result;

use super::elsewhere::{check_new_away, open_tunnels, where_it_is};
use super::hand::{self, Assignment};
use super::turn::{Turn, sweep_turns};
use super::{Order, Outcome, Site, WhenFull};
use crate::base::failure::Failure;
use crate::base::files;
use crate::base::grammar::count;
use crate::beads::Filter;
use crate::beads::request::Request;
use crate::config::ResolvedRole;
use crate::config::schema::Multiplexer;
use crate::model::address::Address;
use crate::model::bead::{Bead, NewBead};
use crate::model::ids::InstanceId;
use crate::model::refs::Branch;
use crate::model::words;
use crate::mux::Snapshot;
use crate::mux::tmux::installed;
use crate::plan::may_sling::{Allowed, Begin, ReadyFacts, begin, foreign};
use crate::plan::patrol::Move;
use crate::plan::place::Place;
use crate::programs::git::Git;
use crate::town::away;
use crate::work::agent::{script, trust};
use crate::work::observe::around::{self, Around, polecat};
use crate::work::observe::scene::Scene;
use crate::work::polecat::names::{self, Reservation};
use crate::work::polecat::queued::{QueueEntry, WaitingBead};
use crate::work::polecat::sling::{Work, role, taken};
use crate::work::polecat::{patrol, worktree};
use crate::work::remote::choose::Chooser;
use crate::work::setup::rig::blocked_by_polecat;

/// The beads of an order as they were read, and what the polecat of each would be.
pub struct SlingReading {
    around: Around,
    roles: BTreeMap<String, Result<ResolvedRole>>,
}

impl SlingReading {
    /// Reads them. What is wrong with one of them is said where it is decided.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn read(site: &Site<'_>, order: &Order) -> Result<SlingReading> {
        Ok(SlingReading::of(site, order, Around::read(site.store.as_ref(), &order.beads)?))
    }

    /// The same, of what was read.
    pub fn of(site: &Site<'_>, order: &Order, around: Around) -> SlingReading {
        let read = order.beads.iter().filter_map(|id| around.beads.get(id));
        let role = |bead: &Bead| {
            let holder = polecat(bead).filter(|_| bead.is_begun());
            (bead.id.clone(), role(site, order, Some(bead), holder.as_ref().map(Address::name)))
        };
        let roles = read.map(role).collect();
        SlingReading { around, roles }
    }

    /// Those whose role could be told.
    pub fn beads(&self) -> impl Iterator<Item = (&Bead, &ResolvedRole)> {
        self.roles.iter().filter_map(|(id, role)| self.around.beads.get(id).zip(role.as_ref().ok()))
    }
}

/// Step 1: decides for each bead; those that cannot be slung are in [`Outcome::failed`]. Beads that have a polecat without a
/// session are taken in hand before anything is looked at, so that two commands never start one polecat twice.
pub fn decide(
    site: &Site<'_>,
    order: &Order,
    read: SlingReading,
    outcome: &mut Outcome,
) -> Result<Vec<Work>> {
    let SlingReading { mut around, mut roles } = read;
    let claims: Vec<Option<Claim>> =
        order.beads.iter().map(|id| around.beads.get(id).and_then(|bead| claim(site, order, bead))).collect();
    if claims.iter().any(Option::is_some) {
        around = Around::read(site.store.as_ref(), &order.beads)?;
    }
    let sessions = site.mux.look()?;
    let mut works = Vec::new();
    let chooser = Chooser::new(site.town, &site.sources, &sessions);
    let mut decision = Decision { site, order, around: &around, sessions: &sessions, chooser };
    for (id, claim) in order.beads.iter().zip(claims) {
        let decided = match (around.bead(site.store.as_ref(), id), roles.remove(id)) {
            (Ok(bead), Some(role)) => decision.of(bead, role, claim),
            (Ok(_), None) => Err(taken(id, "another command").into()),
            (Err(unknown), _) => Err(unknown.into()),
        };
        match decided {
            Ok(work) => works.push(work),
            Err(error) => outcome.failed.push((id.clone(), error)),
        }
    }
    let has_branch = |work: &Work| work.begin != Begin::Again && !work.is_away();
    if works.iter().any(has_branch) {
        let git = Git::at(site.rig.clone_dir());
        let places = ["refs/heads/polecat", "refs/remotes/origin/polecat"];
        let found = git.refs_under(&places)?;
        if found.contains_key(places[0]) {
            let branch = Branch::form(&site.rig.town, "NAME").to_string();
            worktree::no_branch_above(&git, &site.rig.clone_dir(), &branch)?;
        }
        if found.contains_key(places[1]) {
            return Err(blocked_by_polecat("origin").into());
        }
    }
    let commits_here = |work: &&Work| !work.is_away() && !has_address(&work.role);
    if works.iter().any(|work| commits_here(&work))
        && let Some(failure) = Git::at(site.rig.clone_dir()).identity_missing()?
    {
        return Err(failure.into());
    }
    Ok(works)
}

/// Whether the role's environment says as whom its agents commit.
fn has_address(role: &ResolvedRole) -> bool {
    ["GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"].iter().all(|name| role.settings.env.contains_key(*name))
}

/// A polecat's name taken in hand, or that another command has it.
enum Claim {
    Ours(Reservation),
    Others,
    /// The bead names a polecat that has no reservation.
    Nobodys,
}

fn claim(site: &Site<'_>, order: &Order, bead: &Bead) -> Option<Claim> {
    let Some(Address::Polecat(rig, name)) = polecat(bead) else { return None };
    let hooked = bead.status == words::HOOKED;
    let begun = bead.status == words::IN_PROGRESS && order.allowed.resume;
    if rig != site.rig.name || !(hooked || begun) || bead.has_label(words::LABEL_SUBMITTED) {
        return None;
    }
    names::holder(site.rig, &name).map_or(Some(Claim::Nobodys), |_| {
        // A look at a name holds it for a moment too: only who keeps it counts.
        for _ in 0..10 {
            if let Ok(reservation) = names::claim(site.rig, &name) {
                return Some(Claim::Ours(reservation));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Some(Claim::Others)
    })
}

/// What beads are decided with, one after the other: what was seen, and the places that those before were given.
struct Decision<'a> {
    site: &'a Site<'a>,
    order: &'a Order,
    around: &'a Around,
    sessions: &'a Snapshot,
    chooser: Chooser<'a>,
}

impl Decision<'_> {
    /// What is to be done for a bead.
    fn of(&mut self, bead: &Bead, role: Result<ResolvedRole>, claim: Option<Claim>) -> Result<Work> {
        let (site, order) = (self.site, self.order);
        let id = &bead.id;
        if !worktree::can_be_a_branch(id) {
            crate::fail!(
                "{id} cannot be a part of a branch's name";
                "write it down again, under an id that git takes: gt bd create TITLE"
            );
        }
        let place = self.around.place(bead, site.town, self.sessions);
        let said = bead.has_label(words::LABEL_REWORK) || bead.meta(words::META_RECOVERY).is_some();
        let open = !matches!(place, Place::Hooked | Place::Crashed | Place::Working | Place::Submitted);
        let kept = if open && (order.allowed.resume || said) { kept(site, bead)? } else { None };
        let facts = ReadyFacts {
            bead,
            place,
            blockers: &self.around.waits_for(bead),
            kept: kept.is_some(),
            in_hand: matches!(claim, Some(Claim::Others)),
        };
        let begin = begin(&facts, order.allowed)?;
        let left = begin == Begin::Fresh && kept.is_some();
        let mut notes = Vec::new();
        if let Err(why) = self::begin(&facts, Allowed { force: false, ..order.allowed }) {
            notes.push(format!("{}, and starts all the same (--force)", why.message));
        }
        if left {
            let how = format!("to go on from them: gt unsling --force {id}, then gt sling {id} --resume");
            notes.push(format!("{id}: it begins anew; commits of an earlier attempt are kept; {how}"));
        }
        let kept = kept.filter(|_| !left);
        let holder = polecat(bead).filter(|_| begin == Begin::Again);
        if let Some(holder) = &holder {
            check_holder(site, order, id, holder)?;
        }
        let role = role?;
        check_script(&role, id, &bead.description)?;
        check_trust(site, &role)?;
        notes.extend(why_it_may_ask(&role));
        let choice = match &holder {
            Some(holder) => where_it_is(site, order, bead, holder, &role)?,
            None => self.chooser.choose(&role, &order.wish)?,
        };
        // Its first start over there may have ended before the commits were fetched.
        let again = begin == Begin::Again && choice.remote.is_some();
        let kept = if again { self::kept(site, bead)? } else { kept };
        let ended =
            holder.as_ref().and_then(|holder| self.sessions.of(&site.town.mark(), &holder.to_string()));
        let claim = match claim {
            Some(Claim::Ours(reservation)) if begin == Begin::Again => Some(reservation),
            _ => None,
        };
        let work = Work {
            bead: bead.clone(),
            begin,
            kept,
            role,
            choice,
            claim,
            name: holder.as_ref().map(|holder| holder.name().to_string()).or_else(|| order.name.clone()),
            ended: ended.cloned(),
            sessions: self.sessions.clone(),
            asked: order.asked.clone(),
            queued: self.around.requests.iter().map(|request| request.polecat().to_string()).collect(),
            notes,
        };
        hand::check_away(site, &work)?;
        Ok(work)
    }
}

/// Whether a bead can go on with its polecat: it is the one that was named, and works on nothing else.
fn check_holder(site: &Site<'_>, order: &Order, id: &str, holder: &Address) -> Result<()> {
    if order.name.as_deref().is_some_and(|wanted| wanted != holder.name()) {
        crate::fail!("{id} is taken by {holder}"; "go on there: gt sling --resume {id} {holder}");
    }
    if let Some(other) = worktree::bead_at(site.rig, holder.name()).filter(|other| other != id) {
        crate::fail!(
            "{id} is held by {holder}, which works on {other}";
            "give it back first: gt doctor --fix {}", site.rig.name
        );
    }
    Ok(())
}

/// Says where a program has nothing for the permissions that it was to get, and so asks a person.
fn why_it_may_ask(role: &ResolvedRole) -> Option<String> {
    let (asked, agent) = (role.settings.permissions, &role.agent);
    (role.permissions() != asked && role.runtime.question.is_some()).then(|| {
        format!(
            "{agent} knows no permissions = \"{}\" and asks as it comes: gt status shows what, and gt sling --permissions \
             all lets it do everything",
            asked.as_str()
        )
    })
}

/// Refuses a bead without a script for a runtime that runs just that.
fn check_script(role: &ResolvedRole, id: &str, description: &str) -> Result<()> {
    if role.runtime.command == script::PROGRAM {
        script::of(id, description)?;
    }
    Ok(())
}

/// Refuses a polecat whose program would read agent settings of the target that no person trusts.
///
/// # Errors
/// As [`trust::check`].
pub(super) fn check_trust(site: &Site<'_>, role: &ResolvedRole) -> Result<()> {
    trust::check(site.rig, &trust::SettingsSource::Target(site.target()), site.settings, role)
}

/// Whether the runtime's program is there; on this machine only.
///
/// # Errors
/// When it is not on PATH.
pub fn check_program(site: &Site<'_>, role: &ResolvedRole) -> Result<()> {
    // `{{name}}`s are filled in later; without tmux a person runs the program, perhaps elsewhere.
    let program = role.runtime.command.first().filter(|word| !word.contains("{{"));
    let runs = site.mux.kind() == "tmux" && role.settings.multiplexer != Multiplexer::None;
    program
        .filter(|_| runs)
        .map_or(Ok(()), |program| installed(program, site.env.get("PATH").map(OsStr::new), &site.town.root))
}

/// What a plan checks of what a start would do: the programs are there, and origin has the target.
///
/// # Errors
/// What the start would fail with.
pub fn check_start(site: &Site<'_>, works: &[Work]) -> Result<()> {
    for work in works.iter().filter(|work| !work.is_away()) {
        check_program(site, &work.role)?;
    }
    if works.iter().any(|work| work.begin != Begin::Again && !work.is_away()) {
        let git = Git::at(site.rig.clone_dir());
        if git.check_branch(&site.target(), &["refs/heads/polecat"])? {
            return Err(blocked_by_polecat("origin").into());
        }
    }
    Ok(())
}

/// Whether a polecat that is to be restarted on its bead could be started: its settings, program and worktree are there.
///
/// # Errors
/// What the start would fail with.
pub fn check_restart(site: &Site<'_>, order: &Order, name: &str) -> Result<()> {
    let ids = order.beads.clone();
    let bead = site.store.list(&Filter { ids, ..Filter::default() })?.pop();
    if let Some(missing) = order.beads.first().filter(|_| bead.is_none()) {
        return Err(around::unknown(site.store.as_ref(), missing).into());
    }
    if let Some(bead) = bead.as_ref().filter(|bead| bead.foreign) {
        return Err(foreign(&bead.id).into());
    }
    let role = role(site, order, bead.as_ref(), Some(name))?;
    check_trust(site, &role)?;
    check_program(site, &role)?;
    let place = site.rig.polecat_dir(name);
    if place.join(".git").exists() && !Git::at(&place).git_dir()?.is_dir() {
        crate::fail!("{} leads to no repository", place.display(); "mend it with: gt doctor --fix {}", site.rig.name);
    }
    Ok(())
}

/// What can be told of a bead that is not made yet: its runtime, program and presets exist, its polecat's name is free,
/// the rig has room, and the machine it goes to answers and takes a text of that length. So a title is written down only
/// when it can be slung.
///
/// # Errors
/// As [`decide`] and [`reserve`].
pub fn check_new(site: &Site<'_>, order: &Order, title: &str) -> Result<()> {
    let role = role(site, order, None, None)?;
    let new = NewBead::titled(title);
    check_script(&role, "a new bead", &new.description)?;
    if !order.wish.trial {
        open_tunnels(site, order, std::iter::once((None, &role)))?;
    }
    check_trust(site, &role)?;
    let away = check_new_away(site, order, &role, title)?;
    if !away {
        check_program(site, &role)?;
    }
    if !away
        && !has_address(&role)
        && let Some(failure) = Git::at(site.rig.clone_dir()).identity_missing()?
    {
        return Err(failure.into());
    }
    if let Some(name) = order.name.as_deref().filter(|name| names::holder(site.rig, name).is_some()) {
        return Err(names::is_taken(site.rig, name).into());
    }
    if away || room(site, &role, 0)? > 0 || room(site, &role, free_leftovers(site, &site.mux.look()?))? > 0 {
        return Ok(());
    }
    if order.when_full != WhenFull::Refuse {
        return Ok(());
    }
    Err(full(site, &role).into())
}

/// The commit where an earlier attempt of a bead is kept in the canonical clone: its recovery ref, or what its last
/// request handed over.
fn kept(site: &Site<'_>, bead: &Bead) -> Result<Option<String>> {
    let git = Git::at(site.rig.clone_dir());
    if let Some(name) = bead.meta(words::META_RECOVERY)
        && let Some(commit) = git.commit_of(name)?
    {
        return Ok(Some(commit));
    }
    let statuses = [words::OPEN, words::IN_PROGRESS, words::CLOSED].map(Into::into).to_vec();
    let filter = Filter { types: vec![words::MERGE_REQUEST.into()], statuses, ..Filter::default() };
    let requests = site.store.list(&filter)?;
    let last = requests
        .iter()
        .filter_map(Request::from_bead)
        .filter(|request| request.bead == bead.id)
        .max_by(|a, b| (a.attempt, &a.created).cmp(&(b.attempt, &b.created)));
    match last {
        Some(request) => git.commit_of(&request.commit),
        None => Ok(None),
    }
}

/// Step 2: the limit, and a name and an instance id for each. One command of a rig at a time counts and reserves.
pub fn reserve(
    site: &Site<'_>,
    order: &Order,
    works: Vec<Work>,
    outcome: &mut Outcome,
) -> Result<Vec<Assignment>> {
    let idle = works.first().map_or(0, |work| free_leftovers(site, &work.sessions));
    let dir = site.rig.names_dir();
    files::make_dir(&dir)?;
    let _lock = files::lock(&dir.join(".lock"))?;
    sweep_turns(&dir);
    let mut mine = Vec::new();
    for work in fitting(site, order, works, idle, outcome)? {
        match work.claim.is_none().then(|| Turn::take(site, &work.bead.id)).transpose() {
            Ok(turn) => mine.push((work, turn)),
            Err(error) => outcome.failed.push((work.bead.id.clone(), error)),
        }
    }
    let mut hands: Vec<Assignment> = Vec::new();
    for (mut work, turn) in mine {
        let reservation = match work.claim.take() {
            Some(reservation) => Ok(reservation),
            None => {
                let wanted = work.name.as_deref().or(order.name.as_deref());
                let pool = &work.role.settings.names;
                names::reserve(site.rig, pool, &work.queued, wanted, &names::new_instance())
            }
        };
        match reservation {
            Ok(reservation) => {
                if let Some(turn) = &turn {
                    turn.sign(&format!("{}/{}", site.rig.name, reservation.name));
                }
                hands.push(Assignment::new(site, work, reservation, turn));
            }
            Err(error) => {
                hands.iter_mut().rev().for_each(|hand| hand.undo(site));
                return Err(error);
            }
        }
    }
    Ok(hands)
}

/// The works that the rig has room for, in their order; `idle` of its names have no polecat. The others fail, or wait, as the
/// order has it. Only new polecats on this machine need room.
fn fitting(
    site: &Site<'_>,
    order: &Order,
    works: Vec<Work>,
    idle: usize,
    outcome: &mut Outcome,
) -> Result<Vec<Work>> {
    let needs = |work: &Work| work.claim.is_none() && !work.is_away();
    let Some(first) = works.iter().find(|work| needs(work)) else { return Ok(works) };
    let full = full(site, &first.role);
    // The most urgent first, of one priority in the order that was asked for.
    let mut urgent: Vec<&Bead> = works.iter().filter(|work| needs(work)).map(|work| &work.bead).collect();
    urgent.sort_by_key(|bead| bead.priority);
    urgent.truncate(room(site, &first.role, idle)?);
    let urgent: Vec<String> = urgent.into_iter().map(|bead| bead.id.clone()).collect();
    let fits = |work: &Work| !needs(work) || urgent.contains(&work.bead.id);
    let (fit, rest): (Vec<Work>, Vec<Work>) = works.into_iter().partition(fits);
    if !rest.is_empty() {
        let ids = rest.iter().map(|work| work.bead.id.clone()).collect();
        let now = site.store.list(&Filter { ids, ..Filter::default() })?;
        for work in rest {
            let secret = site.town.secret().ok().filter(|_| work.bead.has_label(words::LABEL_QUEUED));
            let queued = secret.and_then(|secret| QueueEntry::of(&work.bead, &site.rig.name, Some(&secret)));
            let Bead { id, title, assignee: before, .. } = work.bead;
            let holder = now.iter().find(|now| now.id == id).and_then(|now| now.assignee.clone());
            // A full rig may be full of the very polecat that took the bead a moment ago: then that is what is said.
            if let Some(holder) = holder.filter(|holder| before.as_ref() != Some(holder)) {
                outcome.failed.push((id.clone(), taken(&id, &holder).into()));
            } else if order.when_full == WhenFull::Refuse {
                let message = format!("{id} is not started: {}", full.message);
                outcome.failed.push((id, Failure { message, ..full.clone() }.into()));
            } else {
                let since = queued.map(|entry| entry.since);
                outcome.waiting.push(WaitingBead { bead: id, title, waits: full.message.clone(), since });
            }
        }
    }
    Ok(fit)
}

fn limit(site: &Site<'_>, role: &ResolvedRole) -> usize {
    site.rig.config.max_workers.unwrap_or(role.settings.max_workers)
}

/// For how many more polecats on this machine the rig has room; `idle` of its names have no polecat.
fn room(site: &Site<'_>, role: &ResolvedRole, idle: usize) -> Result<usize> {
    let limit = limit(site, role);
    if limit == 0 {
        return Ok(usize::MAX);
    }
    // Records that cannot be read leave every polecat counted as one of this machine.
    let records = away::read(site.town).unwrap_or_default();
    let here = |(name, instance): &(&String, &InstanceId)| {
        let record = records.get(&format!("{}/{name}", site.rig.name));
        record.is_none_or(|record| record.instance != *instance)
    };
    let taken = names::taken(site.rig)?.iter().filter(here).count();
    Ok(limit.saturating_sub(taken.saturating_sub(idle)))
}

/// Why no more polecats start on this machine.
fn full(site: &Site<'_>, role: &ResolvedRole) -> Failure {
    let (rig, limit) = (&site.rig.name, count(limit(site, role), "polecat"));
    Failure::new(format!("the rig {rig} is full (max_workers: {limit} on this machine)")).hint(format!(
        "wait, end one with: gt polecat release {rig}/NAME; or raise max_workers in {rig}/config.json"
    ))
}

/// Frees names that a killed command left, and those of polecats whose work is handed over and whose session is gone.
/// What cannot be freed keeps its name, and is the patrol's to report: it stops no other work. Gives how many those are: they
/// hold files that are in no commit, say, but no polecat.
fn free_leftovers(site: &Site<'_>, sessions: &Snapshot) -> usize {
    if sessions.unknown.is_some() { 0 } else { free_those_left(site, sessions).unwrap_or(0) }
}

fn free_those_left(site: &Site<'_>, sessions: &Snapshot) -> Result<usize> {
    let town = site.town.mark();
    let mut left: Vec<(String, InstanceId)> = names::taken(site.rig)?.into_iter().collect();
    left.retain(|(name, _)| {
        let address = Address::Polecat(site.rig.name.clone(), name.clone());
        sessions.of(&town, &address.to_string()).is_none() && !names::in_hand(site.rig, name)
    });
    if left.is_empty() {
        return Ok(0);
    }
    let statuses = vec![words::HOOKED.into(), words::IN_PROGRESS.into()];
    let held = site.store.list(&Filter { statuses, ..Filter::default() })?;
    left.retain(|(name, _)| {
        let address = format!("{}/{name}", site.rig.name);
        !held
            .iter()
            .any(|bead| bead.assignee.as_deref() == Some(&address) && !bead.has_label(words::LABEL_SUBMITTED))
    });
    if left.is_empty() {
        return Ok(0);
    }
    let scene = Scene::look(site.town, site.rig, site.mux, site.sources.clone())?;
    let mut idle = 0;
    for (name, instance) in left {
        // One that cannot be ended is doctor's to name: it is in no other's way.
        let _ = patrol::patrol(&scene, Some((&name, &instance)), false);
        let stays = names::holder(site.rig, &name) == Some(instance);
        idle += usize::from(stays && matches!(scene.decide(&name), Move::End | Move::FreeName));
    }
    Ok(idle)
}

/// The names that [`reserve`] would give, for a plan.
///
/// # Errors
/// When the names cannot be read.
pub fn names_to_come(
    site: &Site<'_>,
    order: &Order,
    works: Vec<Work>,
    outcome: &mut Outcome,
) -> Result<Vec<(Work, String)>> {
    let works = fitting(site, order, works, 0, outcome)?;
    let mut taken = names::taken(site.rig)?;
    let mut names = Vec::new();
    for work in works {
        let free = |name: &&String| {
            !taken.contains_key(*name) && !work.queued.contains(*name) && !site.rig.polecat_dir(name).exists()
        };
        let wanted = work.name.clone().or_else(|| order.name.clone());
        let next = work.role.settings.names.iter().find(free).cloned();
        let name = wanted.or(next).unwrap_or_else(|| "(the next name)".into());
        taken.insert(name.clone(), InstanceId::default());
        names.push((work, name));
    }
    Ok(names)
}
