//! Direct landing (source document 002): one polecat's work goes onto the target without the queue, by the Mayor's or a
//! person's word. The checks and steps are the document's, in its order.

use anyhow::Result;
use serde::Serialize;

use super::bench::{Bench, BenchKind, Folded, Front, SeenOrigin};
use super::landing::{self, Lands, Pushed};
use crate::base::failure::Failure;
use crate::base::grammar::short;
use crate::beads::Filter;
use crate::beads::request::Request;
use crate::config::{self, Sources};
use crate::model::address::Address;
use crate::model::bead::Bead;
use crate::model::ids::BeadId;
use crate::model::refs::Branch;
use crate::plan::place::Seen;
use crate::plan::queue::Verdict;
use crate::programs::git::Git;
use crate::work::merge::{approval, links};
use crate::work::observe::scene::Scene;
use crate::work::polecat::ending::{End, end_polecat};
use crate::work::polecat::names;
use crate::work::remote::pushed;
use crate::work::step;

/// How often in a row the push may lose against others.
const RACES: usize = 10;

/// What is to land.
pub struct LandJob<'a> {
    /// The rig and its polecats, as they were found.
    pub scene: &'a Scene<'a>,
    /// Where configuration is.
    pub sources: &'a Sources,
    /// The polecat's name.
    pub name: &'a str,
    /// Leaves out the checks.
    pub force: bool,
    /// Leaves out the tests.
    pub skip_tests: bool,
    /// A person typed the command: that is the consent.
    pub by_person: bool,
    /// Told what goes on, a line at a time.
    pub say: &'a dyn Fn(&str),
}

/// What is known before anything is touched.
#[derive(Clone, Debug, Serialize)]
pub struct Checked {
    /// The polecat.
    pub address: String,
    /// Its bead.
    pub bead: BeadId,
    /// The bead's title.
    pub title: String,
    /// Its branch.
    pub branch: String,
    /// The commit that is to land.
    pub commit: String,
    /// Where.
    pub target: String,
    /// Why it may not land; nothing with `--force`.
    pub in_the_way: Option<String>,
    /// Why an agent may not land it, and what a person consents to by landing it.
    pub consent: Option<String>,
    /// Its bead is merged already: only its end is left.
    pub merged: bool,
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Landed {
    /// The bead.
    pub bead: BeadId,
    /// The bead's title.
    pub title: String,
    /// Where it landed.
    pub target: String,
    /// As which commit.
    pub commit: String,
    /// `green`, `skipped`, or `none` without a test command.
    pub tests: &'static str,
    /// The polecat is gone: its worktree, branch and name.
    pub ended: bool,
    /// Why it is not, or what is to be known.
    pub note: Option<String>,
}

/// The work that was found.
struct LandWork {
    request: Request,
    bead: Option<Bead>,
    in_the_way: Option<Failure>,
    queued: bool,
}

/// Looks only: the first two checks, and what would land.
///
/// # Errors
/// When there is no such polecat, or it has no work that could land.
pub fn check(job: &LandJob<'_>) -> Result<Checked> {
    let work = look(job)?;
    let merged = work.bead.is_some_and(|bead| bead.close_reason.starts_with("merged"));
    let mut consent = None;
    if !merged {
        let rig = job.scene.rig;
        Git::at(rig.clone_dir()).check_branch(&work.request.target, &[])?;
        let git = approval::clone_with(rig, &work.request)?;
        let target = format!("refs/remotes/origin/{}", work.request.target);
        if !work.queued && git.stands_at(&target)?.is_some() && git.ahead(&target, &work.request.commit)? == 0
        {
            return Err(nothing(&work.request, &work.request.target).into());
        }
        consent = approval::needs(rig, &work.request, &config::settings(job.sources)?, job.by_person)?;
    }
    Ok(Checked {
        address: work.request.worker,
        bead: work.request.bead,
        title: work.request.title,
        branch: work.request.branch,
        commit: work.request.commit,
        target: work.request.target,
        in_the_way: work.in_the_way.map(|failure| failure.message),
        consent,
        merged,
    })
}

/// Lands it.
///
/// # Errors
/// A check that fails, a conflict, red tests, a refused push: nothing is changed then, and the message says what helps.
pub fn land(job: &LandJob<'_>) -> Result<Landed> {
    let work = look(job)?;
    if let Some(failure) = work.in_the_way {
        return Err(failure.into());
    }
    step("land.1");
    let request = work.request;
    let merged = work.bead.as_ref().and_then(|bead| bead.close_reason.strip_prefix("merged: "));
    let (commit, tests) = match merged {
        Some(commit) => {
            // A kill may have come before the record of it was dropped.
            let bench = Bench::open(job.scene.rig, job.sources, BenchKind::Direct, job.say)?;
            bench.forget(std::slice::from_ref(&request.commit), None)?;
            (commit.to_string(), "skipped")
        }
        None => put_on_target(job, &request, work.bead.clone(), work.queued)?,
    };
    let (ended, note) = end(job);
    step("land.8");
    Ok(Landed {
        bead: request.bead,
        title: request.title,
        target: request.target,
        commit,
        tests,
        ended,
        note,
    })
}

/// Checks 1 and 2: the session has ended, the work tree is clean.
fn look(job: &LandJob<'_>) -> Result<LandWork> {
    let (scene, name) = (job.scene, job.name);
    let address = scene.address(name);
    let dir = scene.rig.polecat_dir(name);
    let queued = scene.read.requests.iter().find(|request| request.worker == address.to_string());
    let mut in_the_way = session_in_the_way(scene, name, &address);
    let (commit, branch) = if dir.join(".git").exists() {
        let status = Git::at(&dir).status()?;
        if in_the_way.is_none() && !status.dirty.is_empty() {
            let files = status.dirty.iter().take(20).map(|line| format!("\n  {line}")).collect::<String>();
            in_the_way = Some(
                Failure::new(format!("{address} has changes that are in no commit:{files}"))
                    .hint("commit them there, or take them back: git checkout HEAD -- FILE; with --force they stay behind and only commits land"),
            );
        }
        (status.commit, status.branch.unwrap_or_default())
    } else if let Some(request) = queued {
        (request.commit.clone(), request.branch.clone())
    } else if let Some(record) = scene.record(name) {
        let (branch, commit) = pushed::commit(scene.rig, name, &record)?;
        (commit, branch)
    } else {
        return Err(Failure::new(format!("no polecat {address}, and nothing of it in the queue"))
            .hint(format!("see who is there with: gt polecats {}", scene.rig.name))
            .into());
    };
    let own = |one: &Branch| one.name == name && one.may_be_of(&scene.rig.town);
    let Some(Branch { bead: id, .. }) = Branch::parse(&branch).filter(own) else {
        crate::fail!(
            "{address} is on '{branch}', which is not a branch of its own";
            "bring its commits there: git switch {}", Branch::form(&scene.rig.town, name)
        );
    };
    let bead = match scene.read.held.iter().find(|bead| bead.id == id) {
        Some(held) => Some(held.clone()),
        None => scene.store.list(&Filter { ids: vec![id.to_string()], ..Filter::default() })?.pop(),
    };
    let own = |request: &&Request| request.worker == address.to_string() && request.bead == id;
    let known = scene.read.requests.iter().find(own).cloned().unwrap_or_default();
    let request = Request {
        rig: scene.rig.name.clone(),
        target: scene.target.clone(),
        bead: id,
        worker: address.to_string(),
        instance: names::holder(scene.rig, name).unwrap_or_else(|| known.instance.clone()),
        title: bead.as_ref().map_or_else(|| known.title.clone(), |bead| bead.title.clone()),
        commit,
        branch,
        ..known
    };
    let queued = !request.id.is_empty();
    Ok(LandWork { request, bead, in_the_way: in_the_way.filter(|_| !job.force), queued })
}

fn session_in_the_way(scene: &Scene<'_>, name: &str, address: &Address) -> Option<Failure> {
    match scene.session_of(name) {
        Seen::Session(session) if session.alive() => {
            Some(Failure::new(format!("the session of {address} has not ended")).hint(format!(
                "stop it with: gt session stop {address}; or leave out the checks with --force"
            )))
        }
        Seen::Unknown | Seen::Occupied => Some(
            Failure::new(format!("cannot tell whether the session of {address} has ended"))
                .hint("look at tmux: tmux list-sessions; or leave out the checks with --force"),
        ),
        Seen::Unreachable => Some(
            Failure::new(format!(
                "cannot tell whether the session of {address} has ended: its machine does not answer"
            ))
            .hint("see what is wrong with: gt remote status; or leave out the checks with --force"),
        ),
        Seen::Session(_) | Seen::None => None,
    }
}

/// Checks 3 and 4, then push and close: again from the fetched target when somebody else was faster.
fn put_on_target(
    job: &LandJob<'_>,
    request: &Request,
    bead: Option<Bead>,
    queued: bool,
) -> Result<(String, &'static str)> {
    let rig = job.scene.rig;
    let bench = Bench::open(rig, job.sources, BenchKind::Direct, job.say)?;
    for _ in 0..=RACES {
        let seen = bench.fetch(&request.target)?;
        let (front, was_there) = fold(&bench, &seen, request, queued)?;
        if !was_there {
            consent(job, &bench, &seen, &front)?;
        }
        step("land.2");
        let tests = match (&bench.merge.test_command, was_there || job.skip_tests || job.force) {
            (None, _) => "none",
            (_, true) => "skipped",
            (Some(_), false) => test(job, &bench, request, &front)?,
        };
        step("land.3");
        let mut lands: [Lands; 1] =
            [landing::lands(&bench, &seen, request.clone(), bead.clone(), front.clone(), was_there)?];
        let tip = if was_there { &seen.tip } else { &front };
        match landing::push(&bench, "land", &seen, tip, &mut lands)? {
            Pushed::Done => {
                let green = (tests == "green").then_some(front.as_str());
                landing::close(&bench, job.scene.store.as_ref(), "land", &lands, green)?;
                return Ok((front, tests));
            }
            Pushed::Moved => {
                (job.say)(&format!("{} moved meanwhile: beginning again from there", seen.target))
            }
            Pushed::Refused(said) => crate::fail!(
                "the server refused the push to {}: {said}", seen.target;
                "nothing was changed; once the server takes it, run the same command again"
            ),
        }
    }
    crate::fail!("gave up after {RACES} tries: {} keeps moving", request.target; "try again later")
}

/// Refuses to an agent what waits for a person's consent; a person is told what it changes.
fn consent(job: &LandJob<'_>, bench: &Bench<'_>, seen: &SeenOrigin, front: &str) -> Result<()> {
    let changed = bench.changed_settings(seen, &seen.tip, front)?;
    let address = job.scene.address(job.name);
    match approval::rules(&bench.settings, job.by_person).needs(&changed) {
        Some(needs) if !job.by_person => crate::fail!(
            "the work of {address} waits for a person's consent: {}", needs.words();
            "hand it in with gt done; the person consents with: gt mq approve ID"
        ),
        Some(needs) if !changed.is_empty() => {
            let rig = &job.scene.rig.name;
            (job.say)(&format!(
                "{}; agents that read them start again after: gt rig trust {rig}",
                needs.words()
            ));
        }
        _ => {}
    }
    Ok(())
}

/// The commit that the target is to stand at, or stands at already with this work in it.
fn fold(bench: &Bench<'_>, seen: &SeenOrigin, request: &Request, queued: bool) -> Result<(String, bool)> {
    if !bench.has(std::slice::from_ref(request))?.contains(&true) && !bench.bring(request)? {
        crate::fail!("the commit {} is nowhere to be found", request.commit);
    }
    if let Some(commit) = bench.landed(seen, request)? {
        return Ok((commit, true));
    }
    let troubles = bench.troubles(seen, request)?;
    if let Some(first) = troubles.first() {
        crate::fail!(
            "{} names commits that cannot be fetched: {}", request.branch, links::lines(&troubles);
            "in its worktree: {}", first.remedy(&request.branch)
        );
    }
    match bench.fold(&bench.front(&seen.tip)?, request)? {
        Folded::Clean(Front { commit, .. }) => Ok((commit, false)),
        Folded::Nothing if queued => Ok((bench.present_as(seen, request)?, true)),
        Folded::Nothing => Err(nothing(request, &seen.target).into()),
        Folded::Conflict(files) => crate::fail!(
            "{} conflicts with {} in {}", request.branch, seen.target, files.join(", ");
            "bring it up to date in its worktree: git rebase origin/{}", seen.target
        ),
        Folded::Impossible(said) => crate::fail!("{} cannot be merged: {said}", request.branch),
    }
}

fn nothing(request: &Request, target: &str) -> Failure {
    Failure::new(format!("nothing to land: {target} has all of {} already", request.branch))
        .hint(format!("when its bead needs no change, close it: gt bd close {}", request.bead))
}

fn test(job: &LandJob<'_>, bench: &Bench<'_>, request: &Request, front: &str) -> Result<&'static str> {
    (job.say)(&format!("testing {} on {}", request.bead, request.target));
    let tested = bench.test(front, job.say)?;
    let failed = match tested.verdict {
        Verdict::Green => return Ok("green"),
        Verdict::Red => "the tests fail",
        Verdict::CouldNotRun => "could not run the tests",
    };
    Err(Failure::new(format!("{failed}: {}\n{}", tested.how, tested.tail))
        .hint(format!(
            "nothing was changed; all of the output: {}; without tests: --skip-tests",
            tested.log.display()
        ))
        .into())
}

/// Ends the polecat, unless it still runs or has changes that are in no commit. The work has landed either way.
fn end(job: &LandJob<'_>) -> (bool, Option<String>) {
    let address = job.scene.address(job.name);
    if matches!(job.scene.session_of(job.name), Seen::Session(session) if session.alive()) {
        return (false, Some(format!("{address} still runs: stop it with: gt session stop {address}")));
    }
    // What has landed needs no recovery ref, if the canonical clone knows; if it cannot be told, one too many is made.
    let _ = Git::at(job.scene.rig.clone_dir()).fetch_branch(&job.scene.target);
    match end_polecat(job.scene, job.name, false) {
        Ok(End::Done(_)) => (true, None),
        Ok(End::Waits(why)) => (false, Some(format!("{address} goes later: {why}"))),
        Ok(End::Dirty(files)) => {
            let note = format!("{address} stays: it has changes that are in no commit: {}", files.join(", "));
            (false, Some(note))
        }
        Err(error) => (false, Some(format!("{address} stays: {error:#}"))),
    }
}

/// The steps in words, for `--dry-run`.
pub fn steps(job: &LandJob<'_>, checked: &Checked, strategy: &str, tests: Option<&str>) -> Vec<String> {
    let in_the_way = checked.in_the_way.as_deref().and_then(|text| text.lines().next());
    let checks = match (job.force, in_the_way) {
        (true, _) => "left out: the checks (--force)".to_string(),
        (false, None) => "checked: the session has ended, the work tree is clean".to_string(),
        (false, Some(why)) => format!("stop: {why}"),
    };
    let short = short(&checked.commit);
    let tests = match tests {
        _ if job.force || job.skip_tests => "skip the tests".into(),
        None => "no tests: merge.test_command is not set".into(),
        Some(command) => format!("run the tests: {command}"),
    };
    let consent = checked.consent.as_ref().map(|why| match job.by_person {
        true => format!("consent: {why}"),
        false => format!("stop: it waits for a person's consent: {why}"),
    });
    let first = [
        checks,
        format!("fetch {}", checked.target),
        format!("put {} at {short} onto it, by {strategy}", checked.branch),
    ];
    let last = [
        tests,
        format!("push {}", checked.target),
        format!("close {} {}", checked.bead, checked.title),
        format!("delete {} and end {}", checked.branch, checked.address),
    ];
    first.into_iter().chain(consent).chain(last).collect()
}
