//! `gt done`: finished work goes to the merge queue (`work.md`, "inside the session"). Six steps; after a kill at any
//! of them the same command goes on, and a second run changes nothing.

use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use crate::base::failure::Failure;
use crate::base::proof::Secret;
use crate::base::time;
use crate::beads::Store;
use crate::beads::request::Request;
use crate::model::bead::Bead;
use crate::model::ids::BeadId;
use crate::model::refs::{Branch, RecoveryRef};
use crate::model::state::State;
use crate::model::words;
use crate::mux::Mux;
use crate::programs::git::{Git, Push, WorktreeStatus, lfs};
use crate::town::Town;
use crate::work::merge::links;
use crate::work::merge::submit::{Brought, NO_CHANGES, Requests, Submission, bead_and_requests, requests};
use crate::work::observe::own::OwnWorktree;
use crate::work::setup::rig;
use crate::work::step;

/// Whose work is done, and how it is handed over.
pub struct FinishedWork<'a> {
    /// The town.
    pub town: &'a Town,
    /// The polecat.
    pub home: &'a OwnWorktree,
    /// The branch that work lands on.
    pub target: &'a str,
    /// Commits of submodules are pushed to their origins first (`worktree.push_submodules`).
    pub push_submodules: bool,
    /// What keeps sessions.
    pub mux: &'a dyn Mux,
    /// The rig's store, as the polecat.
    pub store: Box<dyn Store>,
    /// The town's secret.
    pub secret: Secret,
}

/// What came of it, or what would.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DoneReport {
    /// The bead.
    pub bead: BeadId,
    /// Its title.
    pub title: String,
    /// The polecat's address.
    pub worker: String,
    /// The branch.
    pub branch: String,
    /// The commit.
    pub commit: String,
    /// How many commits the target lacks.
    pub commits: usize,
    /// The request's id; empty when nothing was handed over.
    pub request: String,
    /// Why the branch was not pushed, when it is only kept here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept_here: Option<String>,
    /// `submitted`, `closed` (no changes) or `merged` (it was already).
    pub state: &'static str,
}

/// What steps 1 and 2 found.
struct DoneLook {
    bead: Bead,
    status: WorktreeStatus,
    branch: String,
    commits: usize,
    requests: Requests,
}

/// Looks only: what [`done`] would hand over.
///
/// # Errors
/// As [`done`].
pub fn plan(work: &FinishedWork<'_>, no_changes: Option<&str>) -> Result<DoneReport> {
    let look = look(work, no_changes)?;
    let state = already(&look).or(no_changes.map(|_| "closed"));
    let submission = submission(work, &look);
    let handed = submission.open_request().is_some_and(|request| request.commit == look.status.commit);
    if state.is_none() && !handed {
        if !work.push_submodules {
            links(work, &look)?;
        }
        check_push(work, &look)?;
    }
    Ok(answer(work, &look, state.unwrap_or("submitted")))
}

/// Hands the work over. With `no_changes` there is none: the bead is closed with that reason.
///
/// # Errors
/// A dirty worktree, no commits, a bead that is somebody else's, a push that the server refused: everything stays as
/// it was, and the message says what to do.
pub fn done(work: &FinishedWork<'_>, no_changes: Option<&str>) -> Result<DoneReport> {
    let look = look(work, no_changes)?;
    step("done.2");
    if let Some(state) = already(&look) {
        mark(work)?;
        return Ok(answer(work, &look, state));
    }
    if let Some(reason) = no_changes {
        if submission(work, &look).close(reason)?.is_none() {
            crate::fail!("{0} changed meanwhile", look.bead.id; "look at it with: gt bd show {}", look.bead.id);
        }
        mark(work)?;
        return Ok(answer(work, &look, "closed"));
    }
    let submission = submission(work, &look);
    let open = submission.open_request();
    let mut answer = answer(work, &look, "submitted");
    if let Some(request) = open.filter(|request| request.commit == look.status.commit) {
        answer.request = request.id.clone();
        if !look.bead.has_label(words::LABEL_SUBMITTED) {
            submit(&submission, None, None)?;
        }
    } else {
        links(work, &look)?;
        answer.kept_here = push(work, &look)?;
        step("done.3");
        answer.request = submit(&submission, open, Some(&submission.new_request()))?;
    }
    step("done.4");
    mark(work)?;
    step("done.5");
    Ok(answer)
}

fn answer(work: &FinishedWork<'_>, look: &DoneLook, state: &'static str) -> DoneReport {
    let request = look.requests.iter().find(|(request, _)| request.commit == look.status.commit);
    DoneReport {
        bead: (&look.bead).into(),
        title: look.bead.title.clone(),
        worker: work.home.address.to_string(),
        branch: look.branch.clone(),
        commit: look.status.commit.clone(),
        commits: look.commits,
        request: request.map(|(request, _)| request.id.clone()).unwrap_or_default(),
        kept_here: None,
        state,
    }
}

/// Steps 1 and 2: the worktree is clean, the branch is the polecat's, the bead is its, and there are commits.
fn look(work: &FinishedWork<'_>, no_changes: Option<&str>) -> Result<DoneLook> {
    let home = work.home;
    let git = Git::at(&home.dir);
    let status = git.status()?;
    let bead_id = bead_of(home, &status)?;
    if !status.dirty.is_empty() {
        return Err(dirty(&home.dir, &status).into());
    }
    step("done.1");
    let (bead, requests) = bead_and_requests(work.store.as_ref(), &bead_id)?;
    let Some(bead) = bead else {
        crate::fail!("no bead {bead_id} in the store of {}", home.rig.name);
    };
    let own = bead.assignee.as_deref() == Some(&home.address.to_string());
    if !own && !bead.is_closed() {
        let holder = bead.assignee.as_deref().unwrap_or("nobody");
        return Err(Failure::new(format!(
            "{bead_id} is not on your hook: {holder} has it, and it is {}",
            bead.status
        ))
        .hint("your commits stay in this worktree; ask the witness: gt mail send RIG/witness -s … -m …")
        .into());
    }
    let commits = git.ahead(&format!("refs/remotes/origin/{}", work.target), &status.commit)?;
    let branch = status.branch.clone().unwrap_or_default();
    let look = DoneLook { bead, status, branch, commits, requests };
    if already(&look).is_none() {
        count(&look, no_changes, work.target)?;
    }
    Ok(look)
}

fn count(look: &DoneLook, no_changes: Option<&str>, target: &str) -> Result<()> {
    match (look.commits, no_changes) {
        (0, None) => crate::fail!(
            "no commits on {} that {target} lacks", look.branch;
            "commit your work first; or, when nothing had to change: gt done --no-changes REASON"
        ),
        (0, Some(_)) | (_, None) => Ok(()),
        (count, Some(_)) => crate::fail!(
            "there are changes: {} on {}", crate::base::grammar::count(count, "commit"), look.branch;
            "hand them over with: gt done"
        ),
    }
}

/// What was done before, so that nothing is left to do: `merged` or `closed`.
fn already(look: &DoneLook) -> Option<&'static str> {
    let merged = |(request, open): &(Request, bool)| !open && request.commit == look.status.commit;
    if !look.bead.is_closed() {
        return None;
    }
    if look.bead.close_reason.starts_with("merged") && (look.requests.iter().any(merged) || look.commits == 0)
    {
        return Some("merged");
    }
    look.bead.close_reason.starts_with(NO_CHANGES).then_some("closed")
}

fn bead_of(home: &OwnWorktree, status: &WorktreeStatus) -> Result<String, Failure> {
    let Some(branch) = &status.branch else {
        let text = "the worktree is on no branch: a rebase or a checkout goes on";
        return Err(Failure::new(text).hint("finish it: git rebase --continue; or go back: git switch -"));
    };
    let own = |one: &Branch| one.name == home.name && one.may_be_of(&home.rig.town);
    match Branch::parse(branch).filter(own) {
        Some(own) => Ok(own.bead.into()),
        None => Err(Failure::new(format!(
            "the worktree is on {branch}, which is not a branch of {}",
            home.address
        ))
        .hint(format!("bring your commits to it: git switch {}", Branch::form(&home.rig.town, &home.name)))),
    }
}

/// Submodules' commits that the branch names can be fetched, or are pushed now.
fn links(work: &FinishedWork<'_>, look: &DoneLook) -> Result<()> {
    let base = format!("refs/remotes/origin/{}", work.target);
    pointers(&work.home.dir, &base, &look.status.commit)?;
    links::hand_over(&work.home.dir, &base, &look.status.commit, &look.branch, work.push_submodules)
}

/// Without git-lfs git commits the content of a large file in place of a pointer, for ever.
fn pointers(dir: &Path, base: &str, tip: &str) -> Result<()> {
    if !lfs::is_missing(dir)? {
        return Ok(());
    }
    let found = Git::at(dir).without_pointers(base, tip)?;
    if found.is_empty() {
        return Ok(());
    }
    crate::fail!(
        "files of git-lfs, which is not installed, are in the commits with all of their content: {}", found.join(", ");
        "{}; then bring them in again: git rm --cached FILE && git add FILE && git commit --amend", lfs::INSTALL
    )
}

/// Why a worktree that is not clean is not handed over.
pub(in crate::work) fn dirty(dir: &Path, status: &WorktreeStatus) -> Failure {
    if let Some(failure) = links::nested_failure(&links::nested(dir, &status.dirty)) {
        return failure;
    }
    let mut list: Vec<String> = status.dirty.iter().take(20).map(|line| format!("\n  {line}")).collect();
    if status.dirty.len() > 20 {
        list.push(format!("\n  and {} more", status.dirty.len() - 20));
    }
    Failure::new(format!("the worktree has changes that are not committed:{}", list.concat()))
        .hint("commit them: git add -A && git commit; or take one back: git checkout HEAD -- FILE (a new file: rm FILE)")
}

/// Step 3. Gives why the branch is kept here only, where this user may not push.
fn push(work: &FinishedWork<'_>, look: &DoneLook) -> Result<Option<String>> {
    let git = Git::at(&work.home.dir);
    let again = look.requests.iter().any(|(request, _)| request.branch == look.branch);
    let mut push = git.push_head(&look.branch, false)?;
    if again && matches!(push, Push::Diverged(_)) {
        push = git.push_head(&look.branch, true)?;
    }
    if matches!(push, Push::Diverged(_))
        && let Some(old) = own_earlier(work, &look.branch)?
    {
        push = git.push_head_over(&look.branch, &old)?;
    }
    match push {
        Push::Done => Ok(None),
        Push::NoRight(why) => Ok(Some(why)),
        Push::Hook(said) => {
            crate::fail!(
                "cannot push the branch {}: {said}", look.branch;
                "nothing is lost: your commits are in this worktree. Mend what it names, commit, and run gt done again"
            )
        }
        Push::Refused(said) => {
            let branch = format!("refs/heads/{}", look.branch);
            let there = git.refs_at_origin(&["refs/heads/polecat", &branch])?;
            // The push of a command that was killed went on without it, and was first.
            if there.iter().any(|(name, commit)| *name == branch && *commit == look.status.commit) {
                return Ok(None);
            }
            if there.iter().any(|(name, _)| name == "refs/heads/polecat") {
                return Err(rig::blocked_by_polecat("origin").into());
            }
            crate::fail!(
                "the server refused the branch {}: {said}", look.branch;
                "nothing is lost: your commits are in this worktree. Mend what it names, commit, and run gt done again"
            )
        }
        Push::Diverged(said) => Err(diverged(&look.branch, &said).into()),
    }
}

fn diverged(branch: &str, said: &str) -> Failure {
    Failure::new(format!("origin has other commits on {branch}: {said}"))
        .hint(format!("bring them in: git pull --rebase origin {branch}; then run gt done again"))
}

/// What can be known of the push without one: origin answers, and its branch can be moved to the commit.
fn check_push(work: &FinishedWork<'_>, look: &DoneLook) -> Result<()> {
    let git = Git::at(&work.home.dir);
    let branch = format!("refs/heads/{}", look.branch);
    let there = git.refs_at_origin(&["refs/heads/polecat", &branch])?;
    if there.iter().any(|(name, _)| name == "refs/heads/polecat") {
        return Err(rig::blocked_by_polecat("origin").into());
    }
    let Some((_, commit)) = there.iter().find(|(name, _)| *name == branch) else { return Ok(()) };
    let again = look.requests.iter().any(|(request, _)| request.branch == look.branch);
    let behind =
        || Ok::<_, anyhow::Error>(git.commit_of(commit)?.is_some() && git.is_ancestor(commit, "HEAD")?);
    if again || behind()? || own_earlier(work, &look.branch)?.is_some() {
        return Ok(());
    }
    Err(diverged(&look.branch, &format!("it stands at {commit}")).into())
}

/// Where origin has the branch from an earlier attempt of a polecat of this name, whose commits are kept here.
fn own_earlier(work: &FinishedWork<'_>, branch: &str) -> Result<Option<String>> {
    let canonical = Git::at(work.home.rig.clone_dir());
    let there = canonical.refs_at_origin(&[&format!("refs/heads/{branch}")])?;
    let Some((_, commit)) = there.into_iter().next() else { return Ok(None) };
    let kept = canonical.keeps(&RecoveryRef::all_of(&work.home.name), &commit)?;
    Ok(kept.then_some(commit))
}

fn submission<'a>(work: &'a FinishedWork<'_>, look: &'a DoneLook) -> Submission<'a> {
    Submission {
        store: work.store.as_ref(),
        rig: &work.home.rig,
        secret: &work.secret,
        worker: &work.home.address,
        instance: &work.home.instance,
        bead: &look.bead,
        branch: &look.branch,
        commit: &look.status.commit,
        target: work.target,
        requests: &look.requests,
        brought: Brought::default(),
    }
}

/// Steps 4 and 5. Gives the new request's id.
fn submit(submission: &Submission<'_>, replaced: Option<&Request>, new: Option<&Request>) -> Result<String> {
    if let Some(handed) = submission.submit(replaced, new)? {
        return Ok(handed.request);
    }
    // Another run of the same command was faster, or the queue has the earlier commit in hand.
    let id = &submission.bead.id;
    let now = requests(submission.store)?;
    let same = now
        .iter()
        .find(|(request, open)| *open && request.bead == *id && request.commit == submission.commit);
    match same {
        Some((request, _)) => Ok(request.id.clone()),
        None => crate::fail!(
            "{id} changed while it was handed over";
            "look at it with: gt bd show {id}; then run gt done again"
        ),
    }
}

/// The session waits to be stopped: its polecat has nothing left to do. Without a session, or one that cannot be seen,
/// the patrol finds the same in the store.
fn mark(work: &FinishedWork<'_>) -> Result<()> {
    let sessions = work.mux.look_here()?;
    let address = work.home.address.to_string();
    if let Some(session) = sessions.of(&work.town.mark(), &address)
        && session.marks.instance == work.home.instance
    {
        let since = time::now();
        // A session that ended this moment has nothing left to be marked.
        let _ = work.mux.mark(&session.id, State::Ends.as_str(), &since);
    }
    Ok(())
}
