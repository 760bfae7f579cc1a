//! The merge queue's engine (`work.md`, "merge queue"): no agent, no model, and it can be killed anywhere.
//!
//! One round: look at the queue, fetch, fold a batch onto the target, test it, push it, close what landed, set aside what
//! must not. Rounds follow until nothing is left that can be decided.

use anyhow::Result;
use serde::Serialize;

use super::aside::{AsideContext, Reason, SetAside};
use super::awake::awake;
use super::bench::{Bench, BenchKind, Folded, Front, SeenOrigin};
use super::landing::{self, Lands, Pushed};
use super::links::{self, Trouble};
use super::queue::{META_FAILURE, Queue, look};
use super::testing::Tested;
use crate::base::failure::{Failure, Failures, hint_of};
use crate::base::proof::Secret;
use crate::beads::request::{self, Request};
use crate::beads::{Change, Store};
use crate::config::Sources;
use crate::model::address::Address;
use crate::model::bead::Patch;
use crate::model::ids::BeadId;
use crate::plan::queue::{Halving, Needs, NextStep, Rules, Verdict, superseded};
use crate::programs::git::pushing::Deletion;
use crate::programs::process::signals;
use crate::town::ended::Word;
use crate::town::{Rig, Town, secret};
use crate::work::merge::landing::Merged;
use crate::work::merge::{approval, aside};
use crate::work::step;
use crate::work::talk::mail;

/// How often in a row the push may lose against others before gt gives up.
const RACES: usize = 10;

/// What is to be processed, and who hears of its progress.
pub struct MergeJob<'a> {
    /// The town.
    pub town: &'a Town,
    /// The rig.
    pub rig: &'a Rig,
    /// Where its configuration is.
    pub sources: &'a Sources,
    /// Just this request; the whole queue when absent.
    pub only: Option<&'a str>,
    /// A person typed the command.
    pub by_person: bool,
    /// Told what goes on, a line at a time.
    pub say: &'a dyn Fn(&str),
}

/// Processes a rig's queue. The report says what was done even when an error stopped it.
pub fn process(job: &MergeJob<'_>) -> (Processed, Option<anyhow::Error>) {
    let mut report = Processed { rig: job.rig.name.clone(), ..Processed::default() };
    let result = RefineryRun::open(job).and_then(|mut run| {
        // The note is for people: what waits is merged without it too.
        let noted = run.failures.keep(awake(job.rig, true)).is_some();
        let rig = job.rig.clone();
        let _put_back = signals::at_end(move || drop(awake(&rig, false)));
        run.rounds();
        if noted {
            run.failures.keep(awake(job.rig, false));
        }
        run.report.waits.append(&mut run.stuck);
        report = Processed { test_runs: run.bench.runs(), ..run.report };
        run.failures.end(|count| format!("{count} things kept work of {} from being merged", job.rig.name))
    });
    report.stopped = result.as_ref().err().map(|error| format!("{error:#}"));
    (report, result.err())
}

/// A batch on its way.
struct Batch {
    /// The target as it is.
    target: Front,
    /// Folded in order, each with the front that it makes.
    members: Vec<(Request, Front)>,
    /// On the target already, as this commit.
    there: Vec<(Request, String)>,
    /// Not to land.
    aside: Vec<(Request, Reason)>,
    /// Wait for a person's consent.
    unapproved: Vec<(Request, Needs)>,
    /// Could not be judged: each stays in the queue.
    stuck: Vec<(Request, anyhow::Error)>,
}

impl Batch {
    fn on(target: Front) -> Batch {
        let (members, there, aside) = (Vec::new(), Vec::new(), Vec::new());
        Batch { target, members, there, aside, unapproved: Vec::new(), stuck: Vec::new() }
    }

    /// What the target becomes with all members.
    fn front(&self) -> &Front {
        self.members.last().map_or(&self.target, |(_, front)| front)
    }
}

/// What is to follow a round.
enum Next {
    Round,
    Nothing,
}

struct RefineryRun<'a> {
    job: &'a MergeJob<'a>,
    bench: Bench<'a>,
    store: Box<dyn Store>,
    report: Processed,
    races: usize,
    failures: Failures,
    /// What decides which requests need a person's consent, and the town's secret, which proves that one was given.
    rules: Rules,
    secret: Option<Secret>,
    /// What this run does not try again.
    stuck: Vec<Waits>,
}

impl<'a> RefineryRun<'a> {
    fn open(job: &'a MergeJob<'a>) -> Result<RefineryRun<'a>> {
        let bench = Bench::open(job.rig, job.sources, BenchKind::Queue, job.say)?;
        let store = job.rig.store(&Address::Refinery(job.rig.name.clone()))?;
        let report = Processed { rig: job.rig.name.clone(), ..Processed::default() };
        let (failures, stuck) = (Failures::default(), Vec::new());
        let rules = approval::rules(&bench.settings, job.by_person);
        let secret = secret::read(&job.town.root)?;
        Ok(RefineryRun { job, bench, store, report, races: 0, failures, rules, secret, stuck })
    }

    fn say(&self, text: &str) {
        (self.job.say)(text);
    }

    /// One round after the other. What keeps one target's requests from being merged stops no other's.
    fn rounds(&mut self) {
        loop {
            match self.round() {
                Ok(Next::Round) => {}
                Ok(Next::Nothing) => break,
                Err(error) => {
                    self.failures.keep::<()>(Err(error));
                    return;
                }
            }
        }
        let forgotten = self.forget_landed();
        self.failures.keep(forgotten);
    }

    /// Drops what was written down of landings that the store knows of by now: a kill may have come in between.
    fn forget_landed(&self) -> Result<()> {
        let known = self.bench.landings()?;
        if known.is_empty() {
            return Ok(());
        }
        let open = look(self.store.as_ref())?.requests;
        let over = known.into_iter().filter(|commit| !open.iter().any(|request| request.commit == *commit));
        self.bench.forget(&over.collect::<Vec<_>>(), None)
    }

    fn round(&mut self) -> Result<Next> {
        let mut queue = look(self.store.as_ref())?;
        self.drop_superseded(&mut queue)?;
        let wanted = self.wanted(&queue);
        let Some(first) = wanted.first() else { return Ok(Next::Nothing) };
        let target = self.target_of(first);
        match self.round_of(&target, &queue, wanted.clone()) {
            Ok(next) => Ok(next),
            Err(error) => {
                let (error, lasts) = self.judged(&target, error);
                self.races = 0;
                let known = |request: &Request| {
                    self.stuck.iter().any(|one| one.request == request.id)
                        || self.report.merged.iter().any(|one| one.request == request.id)
                };
                let left: Vec<Request> = wanted.into_iter().filter(|request| !known(request)).collect();
                self.stay(&queue, &left, error, lasts);
                Ok(Next::Round)
            }
        }
    }

    fn round_of(&mut self, target: &str, queue: &Queue, wanted: Vec<Request>) -> Result<Next> {
        let seen = self.bench.fetch(target)?;
        step("process.1");
        let mut batch = self.gather(&seen, queue, wanted)?;
        step("process.2");
        for (request, needs) in std::mem::take(&mut batch.unapproved) {
            self.wait_for_consent(queue, &request, &needs)?;
        }
        for (request, error) in std::mem::take(&mut batch.stuck) {
            self.stay(queue, &[request], error, true);
        }
        let there = std::mem::take(&mut batch.there);
        self.close_landed(&seen, queue, there)?;
        if !batch.members.is_empty() && self.bench.merge.test_command.is_some() {
            self.search(&seen, queue, &mut batch)?;
            step("process.3");
        }
        if self.withdrawn(&batch)? {
            self.say("the queue changed meanwhile: beginning again");
            return self.lost_race("requests come and go");
        }
        self.land(&seen, queue, batch)
    }

    /// What failed for a target, and whether it will fail again until a person does something.
    fn judged(&self, target: &str, error: anyhow::Error) -> (anyhow::Error, bool) {
        match self.bench.is_at_origin(target) {
            Ok(false) => {
                let rig = &self.job.rig.name;
                let gone = Failure::new(format!("origin of {rig} has no branch {target}")).hint(format!(
                    "push that branch again, or take the requests for it out: gt mq list {rig}; gt mq reject ID"
                ));
                (gone.into(), true)
            }
            // Nothing but a person unlocks a key.
            _ => (error, self.bench.is_unsigned()),
        }
    }

    /// Requests stay in the queue, and this run leaves them alone. A failure that `lasts` is written on them and told
    /// once, however often it is met.
    fn stay(&mut self, queue: &Queue, requests: &[Request], error: anyhow::Error, lasts: bool) {
        let said = format!("{error:#}");
        let why = said.lines().next().unwrap_or_default();
        self.stuck.extend(requests.iter().map(|request| waits(request, why.into())));
        let new: Vec<&Request> =
            requests.iter().filter(|request| lasts && queue.failure(&request.id).is_none()).collect();
        if !new.is_empty() {
            let help = hint_of(&error).unwrap_or_default();
            let told = self.tell(&new, &said, &help);
            self.failures.keep(told);
        }
        self.failures.keep::<()>(Err(error));
    }

    fn tell(&self, requests: &[&Request], said: &str, help: &str) -> Result<()> {
        let from = Address::Refinery(self.job.rig.name.clone());
        let list: Vec<String> = requests
            .iter()
            .map(|request| format!("{}  {}  {}\n", request.id, request.bead, request.title))
            .collect();
        let subject = format!("{} waits: {}", requests[0].bead, said.lines().next().unwrap_or_default());
        let body = format!("{said}\n\n{help}\n\nIn the queue of {}:\n{}", self.job.rig.name, list.concat());
        let mail = mail::message(&from, &mail::in_charge(self.job.town), &subject, &body);
        self.job.town.store(&from)?.write(&[], &[Change::Create(Box::new(mail))])?;
        let note = |request: &&Request| {
            let mut patch = Patch::default();
            patch.metadata.insert(META_FAILURE.into(), said.into());
            Change::Update(request.id.clone(), Box::new(patch))
        };
        self.store.write(&[], &requests.iter().map(note).collect::<Vec<_>>()).map(drop)
    }

    fn target_of(&self, request: &Request) -> String {
        request.target_or(&self.bench.target).into()
    }

    /// Closes requests that a later one for the same branch replaced.
    fn drop_superseded(&mut self, queue: &mut Queue) -> Result<()> {
        let (current, old) = superseded(std::mem::take(&mut queue.requests));
        queue.requests = current;
        let close = |(request, by): &(Request, String)| {
            Change::Close(request.id.clone(), format!("replaced by {by}"))
        };
        if !old.is_empty() {
            self.store.write(&[], &old.iter().map(close).collect::<Vec<_>>())?;
            request::note(self.job.rig, Word::Ended, old.iter().map(|(request, _)| request.id.as_str()))?;
        }
        self.report.superseded.extend(old.into_iter().map(|(request, by)| (request.id, by)));
        Ok(())
    }

    /// Those that can be decided now, all for the target of the first.
    fn wanted(&mut self, queue: &Queue) -> Vec<Request> {
        let asked = |request: &&Request| self.job.only.is_none_or(|id| request.id == id);
        let tried = |request: &&Request| !self.stuck.iter().any(|waits| waits.request == request.id);
        let (held, free): (Vec<&Request>, Vec<&Request>) =
            queue.requests.iter().filter(asked).filter(tried).partition(|request| queue.held(request));
        let why = |request: &Request| format!("held by a person; let it go with: gt unhold {}", request.bead);
        self.report.waits = held.iter().map(|request| waits(request, why(request))).collect();
        let target = free.first().map(|first| self.target_of(first));
        free.into_iter().filter(|request| Some(self.target_of(request)) == target).cloned().collect()
    }

    /// Folds as many as fit into a batch. A request is set aside for a conflict only with the target itself; one that
    /// conflicts with another member waits until it is known whether that one lands.
    fn gather(&self, seen: &SeenOrigin, queue: &Queue, wanted: Vec<Request>) -> Result<Batch> {
        let here = self.bench.has(&wanted)?;
        let mut batch = Batch::on(self.bench.front(&seen.tip)?);
        for (request, here) in wanted.into_iter().zip(here) {
            if batch.members.len() >= self.bench.merge.batch_size.max(1) {
                break;
            }
            if let Err(error) = self.add(&mut batch, seen, queue, &request, here) {
                // It lies in no request.
                if self.bench.is_unsigned() {
                    return Err(error);
                }
                batch.stuck.push((request, error));
            }
        }
        Ok(batch)
    }

    /// Adds one request to a batch, at the place that is its own.
    fn add(
        &self,
        batch: &mut Batch,
        seen: &SeenOrigin,
        queue: &Queue,
        request: &Request,
        here: bool,
    ) -> Result<()> {
        let own = request.clone();
        let onto = batch.front().clone();
        if !here && !self.bench.bring(request)? {
            batch.aside.push((own, Reason::Missing));
        } else if let Some(commit) = self.bench.landed(seen, request)? {
            batch.there.push((own, commit));
        } else if let Some(reason) = nowhere(request, &self.bench.troubles(seen, request)?) {
            batch.aside.push((own, reason));
        } else {
            match self.bench.fold(&onto, request)? {
                Folded::Clean(front) => match self.needs(seen, queue, request, &onto, &front)? {
                    Some(needs) => batch.unapproved.push((own, needs)),
                    None => batch.members.push((own, front)),
                },
                Folded::Nothing if onto == batch.target => {
                    let commit = self.bench.present_as(seen, request)?;
                    batch.there.push((own, commit));
                }
                // What it brings comes with a member before it: it lands if that one does.
                Folded::Nothing => batch.members.push((own, onto)),
                Folded::Conflict(files) if onto == batch.target => {
                    batch.aside.push((own, Reason::Conflict { files }));
                }
                Folded::Conflict(_) => {}
                Folded::Impossible(said) => batch.aside.push((own, Reason::Impossible { said })),
            }
        }
        Ok(())
    }

    fn is_approved(&self, queue: &Queue, request: &Request) -> bool {
        let bead = queue.beads.get(&request.id);
        bead.is_some_and(|bead| approval::is_approved(self.secret.as_ref(), request, bead))
    }

    /// Why a request that makes `front` out of `onto` waits for a person's consent; nothing when it is merged.
    fn needs(
        &self,
        seen: &SeenOrigin,
        queue: &Queue,
        request: &Request,
        onto: &Front,
        front: &Front,
    ) -> Result<Option<Needs>> {
        if self.is_approved(queue, request) {
            return Ok(None);
        }
        let changed = self.bench.changed_settings(seen, &onto.commit, &front.commit)?;
        Ok(self.rules.needs(&changed))
    }

    /// A request stays in the queue until a person consents to it; why is written on it, for all who look.
    fn wait_for_consent(&mut self, queue: &Queue, request: &Request, needs: &Needs) -> Result<()> {
        let why = needs.words();
        self.stuck.push(waits(
            request,
            format!("{why}; look at it and consent with: gt mq approve {}", request.id),
        ));
        let known = queue.beads.get(&request.id).and_then(|bead| approval::noted(bead, &request.commit));
        if known != Some(why.as_str()) {
            self.store.write(&[], &[approval::note(request, &why)])?;
        }
        Ok(())
    }

    /// Tests the batch, and halves it until what is left is green as a whole.
    fn search(&self, seen: &SeenOrigin, queue: &Queue, batch: &mut Batch) -> Result<()> {
        let mut halving = Halving::new(batch.members.len());
        let mut last_red = None;
        loop {
            match halving.ask() {
                NextStep::Land(_) => return Ok(()),
                NextStep::Test(front) => {
                    let tested = self.test(&seen.target, &batch.members[..front])?;
                    halving.tested(front, tested.verdict == Verdict::Green);
                    if tested.verdict == Verdict::Red {
                        last_red = Some(tested);
                    }
                }
                NextStep::Guilty(place) => {
                    if place == 0 {
                        self.check_target(seen)?;
                    }
                    let (request, _) = batch.members.remove(place);
                    self.say(&format!("red: {} {}", request.bead, request.title));
                    batch.aside.push((request, red(last_red.take())));
                    halving.take_out(place);
                    self.refold(seen, queue, batch, place, &mut halving)?;
                }
            }
        }
    }

    fn test(&self, target: &str, members: &[(Request, Front)]) -> Result<Tested> {
        let beads: Vec<&str> = members.iter().map(|(request, _)| request.bead.as_str()).collect();
        let commit = members.last().map_or("", |(_, front)| front.commit.as_str());
        self.say(&format!("testing {} on {target}", beads.join(", ")));
        self.run_tests(commit)
    }

    fn run_tests(&self, commit: &str) -> Result<Tested> {
        let tested = self.bench.test(commit, &|line| self.say(line))?;
        if tested.verdict == Verdict::CouldNotRun {
            let mut message = format!("could not run the tests: {}", tested.how);
            if !tested.tail.is_empty() {
                message.push_str(&format!("\n{}", tested.tail));
            }
            return Err(Failure::new(message)
                .hint(format!(
                    "everything stays in the queue. Look at merge.test_command and at the variables that it gets: \
                     gt config explain merge.test_command; gt config explain merge.test_env; all of its output: {}",
                    tested.log.display()
                ))
                .into());
        }
        Ok(tested)
    }

    /// The first of a batch is only guilty when the target is green without it.
    fn check_target(&self, seen: &SeenOrigin) -> Result<()> {
        if self.bench.known_green(&seen.tip)? {
            return Ok(());
        }
        self.say(&format!("testing {} itself", seen.target));
        let tested = self.run_tests(&seen.tip)?;
        if tested.verdict == Verdict::Red {
            return Err(Failure::new(format!(
                "the tests fail on {} itself ({}), so they say nothing about what waits\n{}",
                seen.target, tested.how, tested.tail
            ))
            .hint("everything stays in the queue. Mend the target; a request that does so: gt land --direct RIG/NAME --skip-tests")
            .into());
        }
        self.bench.forget(&[], Some(&seen.tip))
    }

    /// Folds the members from `place` on again, without the one that was there.
    fn refold(
        &self,
        seen: &SeenOrigin,
        queue: &Queue,
        batch: &mut Batch,
        place: usize,
        halving: &mut Halving,
    ) -> Result<()> {
        let rest = batch.members.split_off(place);
        for (request, _) in rest {
            let onto = batch.front().clone();
            match self.bench.fold(&onto, &request)? {
                // What it brings came with the one that was taken out: the next round asks about it.
                Folded::Clean(front) if self.needs(seen, queue, &request, &onto, &front)?.is_some() => {
                    halving.take_out(batch.members.len());
                }
                Folded::Clean(front) => batch.members.push((request, front)),
                Folded::Nothing => batch.members.push((request, onto)),
                // It stays in the queue: the next round looks at it on the target as it is then.
                Folded::Conflict(_) | Folded::Impossible(_) => halving.take_out(batch.members.len()),
            }
        }
        Ok(())
    }

    /// Whether a request of the batch was taken out of the queue, or its bead held, since it was read.
    fn withdrawn(&self, batch: &Batch) -> Result<bool> {
        if batch.members.is_empty() {
            return Ok(false);
        }
        let now = look(self.store.as_ref())?;
        let open = |request: &Request| {
            !now.held(request)
                && now.requests.iter().any(|other| other.id == request.id && other.commit == request.commit)
        };
        Ok(!batch.members.iter().all(|(request, _)| open(request)))
    }

    fn lost_race(&mut self, why: &str) -> Result<Next> {
        self.races += 1;
        if self.races > RACES {
            return Err(Failure::new(format!("gave up after {RACES} tries: {why}"))
                .hint(format!(
                    "everything stays in the queue; try later: gt refinery process {}",
                    self.job.rig.name
                ))
                .into());
        }
        Ok(Next::Round)
    }

    /// Closes what is on the target already: a killed command pushed it, or a person merged it.
    fn close_landed(
        &mut self,
        seen: &SeenOrigin,
        queue: &Queue,
        there: Vec<(Request, String)>,
    ) -> Result<()> {
        if there.is_empty() {
            return Ok(());
        }
        let mut lands: Vec<Lands> = Vec::new();
        for (request, commit) in there {
            let bead = queue.bead(&request).cloned();
            lands.push(landing::lands(&self.bench, seen, request, bead, commit, true)?);
        }
        landing::push(&self.bench, "process", seen, &seen.tip, &mut lands)?;
        self.close(&lands, None)
    }

    fn close(&mut self, lands: &[Lands], green: Option<&str>) -> Result<()> {
        landing::close(&self.bench, self.store.as_ref(), "process", lands, green)?;
        for one in lands {
            self.report.merged.push(one.row());
        }
        Ok(())
    }

    /// Pushes and closes what is green, then sets aside what is not.
    fn land(&mut self, seen: &SeenOrigin, queue: &Queue, batch: Batch) -> Result<Next> {
        let Batch { members, aside, .. } = batch;
        let tested = !members.is_empty() && self.bench.merge.test_command.is_some();
        let front = members.last().map_or(seen.tip.clone(), |(_, front)| front.commit.clone());
        let mut lands: Vec<Lands> = Vec::new();
        for (request, front) in members {
            let bead = queue.bead(&request).cloned();
            lands.push(landing::lands(&self.bench, seen, request, bead, front.commit, false)?);
        }
        if !lands.is_empty() {
            match landing::push(&self.bench, "process", seen, &front, &mut lands)? {
                Pushed::Done => {}
                Pushed::Moved => {
                    self.say(&format!("{} moved meanwhile: beginning again from there", seen.target));
                    let red: Vec<_> = aside
                        .into_iter()
                        .filter(|(_, reason)| matches!(reason, Reason::Red { .. }))
                        .collect();
                    self.set_aside(seen, queue, red)?;
                    return self.lost_race(&format!("{} keeps moving", seen.target));
                }
                Pushed::Refused(said) => {
                    return Err(Failure::new(format!(
                        "the server refused the push to {}: {said}",
                        seen.target
                    ))
                    .hint(
                        "everything stays in the queue; once the server takes it, run the same command again",
                    )
                    .into());
                }
            }
            self.races = 0;
            if lands.iter().any(|one| self.is_approved(queue, &one.request)) {
                // The landing stands; what is not written down here `gt rig trust` asks for.
                let trusted = self.bench.trust_changed(seen, &front);
                self.failures.keep(trusted);
            }
            self.close(&lands, tested.then_some(front.as_str()))?;
        }
        self.set_aside(seen, queue, aside)?;
        Ok(Next::Round)
    }

    fn setting(&self) -> AsideContext<'_> {
        let (MergeJob { town, rig, .. }, rework) = (self.job, self.bench.settings.merge.rework);
        AsideContext { town, rig, store: self.store.as_ref(), steps: "process", rework }
    }

    fn aside(&mut self, done: Option<SetAside>) {
        if let Some(done) = done {
            self.report.set_aside.push(done);
        }
    }

    /// Keeps their commits, deletes their branches, then writes each down. In this order a kill leaves them in the
    /// queue, and nothing at origin that nobody asks for any more.
    fn set_aside(&mut self, seen: &SeenOrigin, queue: &Queue, aside: Vec<(Request, Reason)>) -> Result<()> {
        if aside.is_empty() {
            return Ok(());
        }
        let mut gone: Vec<Deletion> = Vec::new();
        let mut kept = Vec::new();
        for (request, reason) in aside {
            match self.keep(seen, &request, &mut gone) {
                Ok(recovery) => kept.push((request, reason, recovery)),
                Err(error) => self.stay(queue, &[request], error, true),
            }
        }
        step("process.8");
        // A branch that the server keeps does no harm: the next hand-over of the bead pushes over it.
        self.bench.delete_branches(&gone)?;
        step("process.9");
        for (request, reason, recovery) in kept {
            let landed = self.report.merged.iter().any(|merged| merged.bead == request.bead);
            let bead = queue.bead(&request).filter(|_| !landed);
            match self.setting().set_aside(&request, bead, reason, recovery) {
                Ok(done) => self.aside(done),
                Err(error) => self.stay(queue, &[request], error, false),
            }
        }
        Ok(())
    }

    fn keep(&self, seen: &SeenOrigin, request: &Request, gone: &mut Vec<Deletion>) -> Result<Option<String>> {
        let recovery = aside::keep(self.job.rig, request)?;
        if recovery.is_some() {
            gone.extend(self.bench.deletion(seen, request)?);
        }
        Ok(recovery)
    }
}

fn waits(request: &Request, why: String) -> Waits {
    Waits { request: request.id.clone(), bead: request.bead.clone(), why }
}

fn nowhere(request: &Request, troubles: &[Trouble]) -> Option<Reason> {
    let remedy = troubles.first()?.remedy(&request.branch);
    let lines = links::lines(troubles);
    Some(Reason::Impossible {
        said: format!("it names commits that cannot be fetched: {lines}. To mend it, {remedy}"),
    })
}

fn red(tested: Option<Tested>) -> Reason {
    match tested {
        Some(tested) => Reason::Red {
            how: tested.how,
            output: tested.tail,
            log: tested.log.to_string_lossy().into_owned(),
        },
        None => Reason::Red { how: "the tests failed".into(), output: String::new(), log: String::new() },
    }
}

/// What processing a queue came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Processed {
    /// The rig.
    pub rig: String,
    /// What landed, in order.
    pub merged: Vec<Merged>,
    /// What did not.
    pub set_aside: Vec<SetAside>,
    /// Replaced by a later request for the same branch: request and its successor.
    pub superseded: Vec<(String, String)>,
    /// What stays in the queue.
    pub waits: Vec<Waits>,
    /// How many times the tests were run.
    pub test_runs: usize,
    /// Why it stopped before the queue was empty.
    pub stopped: Option<String>,
}

/// One request that stays in the queue.
#[derive(Clone, Debug, Serialize)]
pub struct Waits {
    /// The request.
    pub request: String,
    /// The bead.
    pub bead: BeadId,
    /// Why.
    pub why: String,
}
