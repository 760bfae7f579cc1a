//! `gt done`: finished work goes to the merge queue (`work.md`, "inside the session"). Six steps; after a kill at any
//! of them the same command goes on, and a second run changes nothing.

use anyhow::Result;
use serde::Serialize;

use crate::address::Address;
use crate::beads::{Bead, Change, Filter, Guard, Patch, Store, Written, words};
use crate::failure::Failure;
use crate::mux::Mux;
use crate::programs::git::{Git, Push, Status};
use crate::time;
use crate::town::Town;
use crate::work::own::Home;
use crate::work::request::Request;
use crate::work::{mail, step, worktree};

/// Whose work is done, and how it is handed over.
pub struct Work<'a> {
    /// The town.
    pub town: &'a Town,
    /// The polecat.
    pub home: &'a Home,
    /// The branch that work lands on.
    pub target: &'a str,
    /// What keeps sessions.
    pub mux: &'a dyn Mux,
    /// The rig's store, as the polecat.
    pub store: Box<dyn Store>,
}

/// What came of it, or what would.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Done {
    /// The bead.
    pub bead: String,
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
struct Look {
    bead: Bead,
    status: Status,
    branch: String,
    commits: usize,
    requests: Requests,
}

/// Looks only: what [`done`] would hand over.
///
/// # Errors
/// As [`done`].
pub fn plan(work: &Work<'_>, no_changes: Option<&str>) -> Result<Done> {
    let look = look(work, no_changes)?;
    Ok(answer(work, &look, if no_changes.is_some() { "closed" } else { "submitted" }))
}

/// Hands the work over. With `no_changes` there is none: the bead is closed with that reason.
///
/// # Errors
/// A dirty worktree, no commits, a bead that is somebody else's, a push that the server refused: everything stays as
/// it was, and the message says what to do.
pub fn done(work: &Work<'_>, no_changes: Option<&str>) -> Result<Done> {
    let look = look(work, no_changes)?;
    step("done.2");
    if let Some(state) = already(&look) {
        mark(work)?;
        return Ok(answer(work, &look, state));
    }
    if let Some(reason) = no_changes {
        close(work, &look, reason)?;
        mark(work)?;
        return Ok(answer(work, &look, "closed"));
    }
    let of_bead = || look.requests.iter().filter(|(request, open)| *open && request.bead == look.bead.id);
    // Two are open when an earlier run ended between making the new one and closing the old.
    let same = of_bead().find(|(request, _)| request.commit == look.status.commit);
    let open = same.or_else(|| of_bead().next());
    let mut answer = answer(work, &look, "submitted");
    if let Some((request, _)) = open.filter(|(request, _)| request.commit == look.status.commit) {
        answer.request = request.id.clone();
        if !look.bead.has_label(words::LABEL_SUBMITTED) {
            submit(work, &look, None, None)?;
        }
    } else {
        answer.kept_here = push(work, &look)?;
        step("done.3");
        answer.request =
            submit(work, &look, open.map(|(request, _)| request), Some(new_request(work, &look)))?;
    }
    step("done.4");
    mark(work)?;
    step("done.5");
    Ok(answer)
}

fn answer(work: &Work<'_>, look: &Look, state: &'static str) -> Done {
    let request = look.requests.iter().find(|(request, _)| request.commit == look.status.commit);
    Done {
        bead: look.bead.id.clone(),
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
fn look(work: &Work<'_>, no_changes: Option<&str>) -> Result<Look> {
    let home = work.home;
    let git = Git::at(&home.dir);
    let status = git.status()?;
    let bead_id = bead_of(home, &status)?;
    if !status.dirty.is_empty() {
        return Err(dirty(&status).into());
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
    let look = Look { bead, status, branch, commits, requests };
    if already(&look).is_none() {
        count(&look, no_changes, work.target)?;
    }
    Ok(look)
}

fn count(look: &Look, no_changes: Option<&str>, target: &str) -> Result<()> {
    match (look.commits, no_changes) {
        (0, None) => crate::fail!(
            "no commits on {} that {target} lacks", look.branch;
            "commit your work first; or, when nothing had to change: gt done --no-changes REASON"
        ),
        (0, Some(_)) | (_, None) => Ok(()),
        (count, Some(_)) => crate::fail!(
            "there are changes: {count} commit(s) on {}", look.branch;
            "hand them over with: gt done"
        ),
    }
}

/// What was done before, so that nothing is left to do: `merged` or `closed`.
fn already(look: &Look) -> Option<&'static str> {
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

/// How the reason of a bead begins that was closed without changes.
const NO_CHANGES: &str = "no changes: ";

fn bead_of(home: &Home, status: &Status) -> Result<String, Failure> {
    let Some(branch) = &status.branch else {
        let text = "the worktree is on no branch: a rebase or a checkout goes on";
        return Err(Failure::new(text).hint("finish it: git rebase --continue; or go back: git switch -"));
    };
    match worktree::bead_of_branch(&home.name, branch) {
        Some(bead) => Ok(bead.to_string()),
        None => Err(Failure::new(format!(
            "the worktree is on {branch}, which is not a branch of {}",
            home.address
        ))
        .hint(format!("bring your commits to it: git switch polecat/{}-BEAD", home.name))),
    }
}

fn dirty(status: &Status) -> Failure {
    let mut list: Vec<String> = status.dirty.iter().take(20).map(|line| format!("\n  {line}")).collect();
    if status.dirty.len() > 20 {
        list.push(format!("\n  and {} more", status.dirty.len() - 20));
    }
    Failure::new(format!("the worktree has changes that are not committed:{}", list.concat()))
        .hint("commit them: git add -A && git commit; or drop them: git stash")
}

/// Requests, with whether they are open.
type Requests = Vec<(Request, bool)>;

/// All requests of the store.
fn requests(store: &dyn Store) -> Result<Requests> {
    let statuses = [words::OPEN, words::HOOKED, words::IN_PROGRESS, words::CLOSED].map(Into::into).to_vec();
    let beads =
        store.list(&Filter { types: vec![words::MERGE_REQUEST.into()], statuses, ..Filter::default() })?;
    Ok(among(&beads))
}

fn among(beads: &[Bead]) -> Requests {
    beads.iter().filter_map(|bead| Some((Request::from_bead(bead)?, !bead.is_closed()))).collect()
}

/// A bead, and all requests: one call of the real bd.
fn bead_and_requests(store: &dyn Store, id: &str) -> Result<(Option<Bead>, Requests)> {
    if !store.is_dear() {
        let mut found = store.list(&Filter { ids: vec![id.into()], ..Filter::default() })?;
        return Ok((found.pop(), requests(store)?));
    }
    let all = store.list(&Filter { all: true, ..Filter::default() })?;
    let requests = among(&all);
    Ok((all.into_iter().find(|bead| bead.id == id), requests))
}

/// Step 3. Gives why the branch is kept here only, where this user may not push.
fn push(work: &Work<'_>, look: &Look) -> Result<Option<String>> {
    let git = Git::at(&work.home.dir);
    let again = look.requests.iter().any(|(request, _)| request.branch == look.branch);
    let mut push = git.push_head(&look.branch, false)?;
    if again && matches!(push, Push::Diverged(_)) {
        push = git.push_head(&look.branch, true)?;
    }
    match push {
        Push::Done => Ok(None),
        Push::NoRight(why) => Ok(Some(why)),
        Push::Refused(said) => {
            crate::fail!(
                "the server refused the branch {}: {said}", look.branch;
                "nothing is lost: your commits are in this worktree. Mend what it names, commit, and run gt done again"
            )
        }
        Push::Diverged(said) => {
            crate::fail!(
                "origin has other commits on {}: {said}", look.branch;
                "bring them in: git pull --rebase origin {}; then run gt done again", look.branch
            )
        }
    }
}

fn new_request(work: &Work<'_>, look: &Look) -> Request {
    let earlier = look.requests.iter().filter(|(request, open)| !open && request.bead == look.bead.id);
    Request {
        rig: work.home.rig.name.clone(),
        branch: look.branch.clone(),
        commit: look.status.commit.clone(),
        target: work.target.into(),
        bead: look.bead.id.clone(),
        worker: work.home.address.to_string(),
        instance: work.home.instance.clone(),
        created: time::now(),
        attempt: earlier.map(|(request, _)| request.attempt).max().unwrap_or(0) + 1,
        priority: look.bead.priority,
        title: look.bead.title.clone(),
        ..Request::default()
    }
}

/// Steps 4 and 5 in one write: the request, the bead "submitted", mail to the witness. An earlier request that was not
/// merged yet is replaced. Gives the new request's id.
fn submit(work: &Work<'_>, look: &Look, replaced: Option<&Request>, new: Option<Request>) -> Result<String> {
    let id = &look.bead.id;
    let address = work.home.address.to_string();
    let was_submitted = replaced.is_some() || look.bead.has_label(words::LABEL_SUBMITTED);
    let mut guards = vec![Guard {
        id: id.clone(),
        statuses: vec![look.bead.status.clone()],
        assignee: Some(look.bead.assignee.clone()),
        lacks_labels: if was_submitted { Vec::new() } else { vec![words::LABEL_SUBMITTED.into()] },
        ..Guard::default()
    }];
    let mut changes = Vec::new();
    if let Some(old) = replaced {
        guards.push(Guard { id: old.id.clone(), statuses: vec![words::OPEN.into()], ..Guard::default() });
    }
    if let Some(new) = &new {
        changes.push(Change::Create(Box::new(new.to_bead())));
    }
    if let Some(old) = replaced {
        changes.push(Change::Close(old.id.clone(), format!("superseded by {}", look.status.commit)));
    }
    let mut patch = Patch {
        status: Some(words::IN_PROGRESS.into()),
        assignee: Some(Some(address)),
        add_labels: vec![words::LABEL_SUBMITTED.into()],
        remove_labels: vec![words::LABEL_REWORK.into()],
        ..Patch::default()
    };
    if look.bead.meta(words::META_RECOVERY).is_some() {
        patch.metadata.insert(words::META_RECOVERY.into(), serde_json::Value::Null);
    }
    changes.push(Change::Update(id.clone(), Box::new(patch)));
    let witness = Address::Witness(work.home.rig.name.clone());
    let subject = format!("{} done: {}", id, look.bead.title);
    let body = format!("Branch {} at {}, for {}.\n", look.branch, look.status.commit, work.target);
    changes.push(Change::Create(Box::new(mail::message(&work.home.address, &witness, &subject, &body))));
    match work.store.write(&guards, &changes)? {
        Written::Done(ids) => {
            Ok(if new.is_some() { ids.into_iter().next().unwrap_or_default() } else { String::new() })
        }
        Written::Refused(..) => {
            // Another run of the same command was faster, or the queue has the earlier commit in hand.
            let now = requests(work.store.as_ref())?;
            let same = now
                .iter()
                .find(|(request, open)| *open && request.bead == *id && request.commit == look.status.commit);
            match same {
                Some((request, _)) => Ok(request.id.clone()),
                None => crate::fail!(
                    "{id} changed while it was handed over";
                    "look at it with: gt bd show {id}; then run gt done again"
                ),
            }
        }
    }
}

fn close(work: &Work<'_>, look: &Look, reason: &str) -> Result<()> {
    let id = look.bead.id.clone();
    let guard = Guard {
        id: id.clone(),
        assignee: Some(look.bead.assignee.clone()),
        lacks_labels: vec![words::LABEL_SUBMITTED.into()],
        ..Guard::default()
    };
    let witness = Address::Witness(work.home.rig.name.clone());
    let subject = format!("{id} closed without changes: {}", look.bead.title);
    let letter = mail::message(&work.home.address, &witness, &subject, reason);
    let changes =
        [Change::Close(id.clone(), format!("{NO_CHANGES}{reason}")), Change::Create(Box::new(letter))];
    match work.store.write(&[guard], &changes)? {
        Written::Done(_) => Ok(()),
        Written::Refused(..) => crate::fail!("{id} changed meanwhile"; "look at it with: gt bd show {id}"),
    }
}

/// The session waits to be stopped: its polecat has nothing left to do. Without a session, or one that cannot be seen,
/// the patrol finds the same in the store.
fn mark(work: &Work<'_>) -> Result<()> {
    let sessions = work.mux.look()?;
    let address = work.home.address.to_string();
    if let Some(session) = sessions.of(&work.town.mark(), &address)
        && session.marks.instance == work.home.instance
    {
        let since = time::now();
        // A session that ended this moment has nothing left to be marked.
        let _ = work.mux.mark(&session.id, &[("state", "pending_shutdown"), ("since", &since)]);
    }
    Ok(())
}
