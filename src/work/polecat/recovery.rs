//! Recovery refs: what was kept at the end of polecats, how to get it back, and when it goes (`work.md`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use serde::Serialize;

use super::loss::keep::FOLDER;
use crate::base::failure::Failure;
use crate::base::{files, time};
use crate::beads::Filter;
use crate::beads::request::Request;
use crate::model::address::Address;
use crate::model::bead::Bead;
use crate::model::ids::InstanceId;
use crate::model::refs::{RECOVERY, RecoveryRef};
use crate::programs::git::Git;
use crate::town::Rig;

/// How long a recovery ref is kept that nobody asks for, in seconds: 30 days.
pub const KEPT_FOR: i64 = 30 * 24 * 3600;

/// Something kept under `refs/gt/recovery/<Name>/<instance>` of the canonical clone, or `<instance>.<what>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// The ref.
    pub name: String,
    /// Whose it was.
    pub polecat: String,
    /// Of which instance.
    pub instance: InstanceId,
    /// What it is beside the last commit: a branch, a stash, a repository inside.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub what: String,
    /// The last commit; a tag, where one was kept.
    pub commit: String,
    /// Its first line.
    pub subject: String,
    /// When it was committed: seconds since 1970.
    pub committed: i64,
    /// When it was kept, where that is known.
    pub kept: Option<i64>,
    /// Whether a branch can stand at it.
    #[serde(skip)]
    pub is_commit: bool,
}

/// All recovery refs of a rig, in one git process.
///
/// # Errors
/// When git cannot list them.
pub fn list(rig: &Rig) -> Result<Vec<Kept>> {
    let format = "--format=%(refname) %(objectname) %(objecttype) %(creatordate:unix) %(subject)";
    let text = Git::alone(rig.clone_dir()).run("list recovery refs", ["for-each-ref", format, RECOVERY])?;
    let git_dir = rig.clone_dir().join(".git");
    let with_time = |kept: Kept| Kept { kept: kept_at(&git_dir, &kept.name), ..kept };
    Ok(text.lines().filter_map(parse).map(with_time).collect())
}

fn parse(line: &str) -> Option<Kept> {
    let mut words = line.splitn(5, ' ');
    let (name, commit, kind, committed) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let RecoveryRef { name: polecat, instance, what } = RecoveryRef::parse(name)?;
    Some(Kept {
        name: name.into(),
        polecat,
        instance,
        what,
        commit: commit.into(),
        subject: words.next().unwrap_or_default().into(),
        // A blob or tree has no date.
        committed: committed.parse().unwrap_or(0),
        kept: None,
        is_commit: kind == "commit",
    })
}

/// When a ref was made: the first line of its log says so, else its file.
fn kept_at(git_dir: &Path, name: &str) -> Option<i64> {
    let log = std::fs::read_to_string(git_dir.join("logs").join(name)).unwrap_or_default();
    let logged =
        log.lines().next().and_then(|line| line.split_once("> ")?.1.split_whitespace().next()?.parse().ok());
    let of_file = || seconds(std::fs::metadata(git_dir.join(name)).ok()?.modified().ok()?);
    logged.or_else(of_file)
}

fn seconds(time: SystemTime) -> Option<i64> {
    i64::try_from(time.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs()).ok()
}

/// When an instance started, as its id says.
fn started(instance: &str) -> Option<i64> {
    instance.get(..8).and_then(|hex| i64::from_str_radix(hex, 16).ok())
}

/// Why a recovery ref may go, or that it may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RefFate {
    /// The target holds its commits, as they are or as a request that was merged.
    Merged,
    /// 30 days old, and no open bead asks for it.
    Old,
    /// A branch at origin of work that was taken back.
    Abandoned,
    /// It stays.
    Stays,
}

/// The commits that were merged, be it as other commits: of requests that were, and of earlier requests for the same bead
/// that those replaced.
pub fn merged(beads: &[Bead]) -> BTreeSet<String> {
    let closed = beads.iter().filter(|bead| bead.is_closed());
    let requests: Vec<(Request, bool)> = closed
        .filter_map(|bead| Some((Request::from_bead(bead)?, bead.close_reason.starts_with("merged"))))
        .collect();
    let replaced = |(request, was_merged): &&(Request, bool)| {
        let later = |other: &Request| other.bead == request.bead && other.created > request.created;
        *was_merged || requests.iter().any(|(other, was_merged)| *was_merged && later(other))
    };
    requests.iter().filter(replaced).map(|(request, _)| request.commit.clone()).collect()
}

/// Decides about one recovery ref. `on_target` says that its commit is reachable from the target; `now` is in seconds
/// since 1970.
pub fn fate(kept: &Kept, on_target: bool, beads: &[Bead], now: i64) -> RefFate {
    if on_target || merged(beads).contains(&kept.commit) {
        return RefFate::Merged;
    }
    let asked_for = beads.iter().any(|bead| {
        !bead.is_closed()
            && (bead.recoveries().any(|name| kept.belongs_to(name))
                || matches!(Request::read(bead), Some(Ok(request)) if request.commit == kept.commit))
    });
    // One whose making was not noted is as old as its instance at most: an old commit says nothing of that.
    let since = kept.kept.unwrap_or_else(|| kept.committed.max(started(&kept.instance).unwrap_or(0)));
    if !asked_for && now - since > KEPT_FOR { RefFate::Old } else { RefFate::Stays }
}

impl Kept {
    /// Whether it was kept of the same instance as the ref of that name.
    fn belongs_to(&self, name: &str) -> bool {
        RecoveryRef::new(&self.polecat, &self.instance).goes_with(name)
    }
}

/// One thing that `gt gc` removed, or would.
#[derive(Clone, Debug, Serialize)]
pub struct RemovedRef {
    /// The rig.
    pub rig: String,
    /// A ref or a path.
    pub what: String,
    /// `merged` or `old`.
    pub why: RefFate,
}

/// What was dropped, and what could not be told.
#[derive(Clone, Debug, Default)]
pub struct Dropped {
    /// What went, or would go.
    pub gone: Vec<RemovedRef>,
    /// Why it is not known what is merged: then only what is old goes.
    pub unknown: Option<String>,
}

/// Drops what may go: recovery refs, kept files and logs.
///
/// # Errors
/// When the store or git cannot be read (then nothing is dropped), or a removal fails.
pub fn gc(rig: &Rig, target: &str, dry: bool) -> Result<Dropped> {
    let kept = list(rig)?;
    let now = time::seconds_since_epoch(&time::now()).unwrap_or(0);
    let mut dropped = Dropped::default();
    if !kept.is_empty() {
        let store = rig.store(&Address::Overseer)?;
        let beads = store.list(&Filter { all: true, ..Filter::default() })?;
        let git = Git::alone(rig.clone_dir());
        let merged = match git.fetch_branch(target) {
            Ok(()) => git.run(
                "list merged recovery refs",
                [
                    "for-each-ref",
                    "--format=%(refname)",
                    &format!("--merged=refs/remotes/origin/{target}"),
                    RECOVERY,
                ],
            )?,
            Err(error) => {
                dropped.unknown = Some(format!("{error:#}"));
                String::new()
            }
        };
        for kept in kept {
            let why = fate(&kept, merged.lines().any(|name| name == kept.name), &beads, now);
            if why != RefFate::Stays {
                if !dry {
                    git.delete_ref(&kept.name, &kept.commit)?;
                }
                dropped.gone.push(RemovedRef { rig: rig.name.clone(), what: kept.name, why });
            }
        }
    }
    dropped.gone.extend(old_folders(rig, now, dry)?);
    dropped.gone.extend(old_logs(rig, now, dry)?);
    Ok(dropped)
}

/// Files that were kept at an end, 30 days ago.
fn old_folders(rig: &Rig, now: i64, dry: bool) -> Result<Vec<RemovedRef>> {
    let mut gone = Vec::new();
    for path in kept_folders(rig)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let of_name = name.split_once('-').and_then(|(_, instance)| started(instance));
        let made =
            of_name.or_else(|| seconds(std::fs::metadata(&path).ok()?.modified().ok()?)).unwrap_or(now);
        // A folder is made later than the instance it is named after.
        let changed = super::loss::repo::changed_at(&path).map_or(made, |(seconds, _)| seconds.max(made));
        if now - changed > KEPT_FOR {
            if !dry {
                std::fs::remove_dir_all(&path)
                    .with_context(|| format!("cannot remove {}", path.display()))?;
            }
            gone.push(RemovedRef {
                rig: rig.name.clone(),
                what: path.display().to_string(),
                why: RefFate::Old,
            });
        }
    }
    Ok(gone)
}

/// The folders with files that were kept at the end of polecats and crew clones.
///
/// # Errors
/// When they cannot be listed.
pub fn kept_folders(rig: &Rig) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for dir in ["polecats", "crew"] {
        let dir = rig.root.join(dir).join(FOLDER);
        found.extend(files::names_in(&dir)?.into_iter().map(|name| dir.join(name)));
    }
    Ok(found)
}

fn old_logs(rig: &Rig, now: i64, dry: bool) -> Result<Vec<RemovedRef>> {
    let mut gone = Vec::new();
    let Ok(entries) = std::fs::read_dir(rig.logs_dir()) else { return Ok(gone) };
    for entry in entries.filter_map(Result::ok) {
        let modified = entry.metadata().ok().and_then(|data| data.modified().ok());
        let modified = modified.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        let age = modified.and_then(|time| i64::try_from(time.as_secs()).ok()).map_or(0, |time| now - time);
        if age > KEPT_FOR {
            if !dry {
                std::fs::remove_file(entry.path())?;
            }
            gone.push(RemovedRef {
                rig: rig.name.clone(),
                what: entry.path().display().to_string(),
                why: RefFate::Old,
            });
        }
    }
    Ok(gone)
}

/// A branch (a tag, for what is no commit) made from a recovery ref.
#[derive(Clone, Debug, Serialize)]
pub struct Recovered {
    /// The branch, in the canonical clone.
    pub branch: String,
    /// Its commit.
    pub commit: String,
    /// The ref it came from; it stays.
    pub from: String,
    /// Whether it was there already.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub there: bool,
    /// The path of the repository inside the worktree that it belongs to, as the ref has it: a submodule, say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inside: Option<String>,
}

/// Everything that was recovered.
#[derive(Clone, Debug, Serialize)]
pub struct All {
    /// The last commit that was checked out, of the latest end.
    #[serde(flatten)]
    pub first: Recovered,
    /// The rest: earlier ends, other branches, stashes, repositories inside.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Recovered>,
    /// Folders with files that were kept.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<PathBuf>,
}

/// Makes branches `recovered/<Name>-<instance>` in the canonical clone from all that was kept of a bead or a polecat, the
/// latest first. A branch that is there is never moved: who commits on one gets another beside it.
///
/// # Errors
/// When nothing was kept.
pub fn recover(rig: &Rig, what: &What<'_>, dry: bool) -> Result<All> {
    let mut kept = list(rig)?;
    kept.retain(|kept| match what {
        What::Polecat(name) => kept.polecat == *name,
        What::Bead(bead, requests) => {
            bead.recoveries().any(|name| kept.belongs_to(name))
                || requests.iter().any(|request| {
                    request.bead == bead.id
                        && request.polecat() == kept.polecat
                        && request.instance == kept.instance
                })
        }
    });
    // The last commit before what was kept beside it, the latest end before earlier ones.
    kept.sort_by_key(|kept| (!kept.what.is_empty(), std::cmp::Reverse((kept.kept, kept.committed))));
    let git = Git::alone(rig.clone_dir());
    let mut there: BTreeMap<String, String> = git
        .refs_with_kinds(&["refs/heads/recovered/", "refs/tags/recovered/"])?
        .into_iter()
        .map(|one| (one.name, one.id))
        .collect();
    let (mut made, mut new) = (Vec::new(), Vec::new());
    for kept in &kept {
        let end = if kept.what.is_empty() { String::new() } else { format!(".{}", kept.what) };
        let branch = format!("recovered/{}-{}{end}", kept.polecat, kept.instance);
        let folder = if kept.is_commit { "refs/heads/" } else { "refs/tags/" };
        let found = branch_for(&git, &there, &format!("{folder}{branch}"), &kept.commit)?;
        let is_new = !there.contains_key(&found);
        if is_new {
            there.insert(found.clone(), kept.commit.clone());
            new.push((found.clone(), kept.commit.clone()));
        }
        made.push(Recovered {
            branch: found.strip_prefix(folder).unwrap_or(&found).into(),
            commit: kept.commit.clone(),
            from: kept.name.clone(),
            there: !is_new,
            inside: inside(&kept.what),
        });
    }
    let files = kept_folders(rig)?.into_iter().filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match what {
            What::Polecat(polecat) => name.strip_prefix(polecat).is_some_and(|rest| rest.starts_with('-')),
            What::Bead(..) => {
                kept.iter().any(|kept| name.starts_with(&format!("{}-{}", kept.polecat, kept.instance)))
            }
        }
    });
    let files: Vec<PathBuf> = files.collect();
    if made.is_empty() {
        let where_to = match files.first() {
            Some(folder) => format!("its files are in {}", folder.display()),
            None => format!("see what was kept with: gt polecat list {}", rig.name),
        };
        return Err(Failure::new("no commit was kept of it").hint(where_to).into());
    }
    if !dry {
        git.create_refs(&new)?;
    }
    Ok(All { first: made.remove(0), others: made, files })
}

/// The path in the name of something that was kept of a repository inside: `nested/lib/HEAD`, `nested/a/nested/b/heads/x`.
fn inside(what: &str) -> Option<String> {
    let rest = what.strip_prefix("nested/")?;
    let ends = ["/HEAD", "/heads/", "/tags/", "/remotes/", "/stash-", "/reflog"];
    let end = ends.iter().filter_map(|end| rest.find(end)).min()?;
    Some(rest[..end].replace("/nested/", "/"))
}

/// The branch that holds a commit already, or the next free name.
fn branch_for(git: &Git, there: &BTreeMap<String, String>, wanted: &str, commit: &str) -> Result<String> {
    let mut name = wanted.to_string();
    let mut number = 2;
    while let Some(at) = there.get(&name) {
        if at == commit || git.is_ancestor(commit, at)? {
            break;
        }
        name = format!("{wanted}-{number}");
        number += 1;
    }
    Ok(name)
}

/// Whose commits are wanted back.
pub enum What<'a> {
    /// A polecat, by name.
    Polecat(&'a str),
    /// A bead, with the requests of its store.
    Bead(&'a Bead, &'a [Request]),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::words;

    #[test]
    fn only_what_is_merged_or_old_and_unasked_for_goes() {
        let kept = Kept {
            name: "refs/gt/recovery/Nux/00000064aaaaaaaa".into(),
            polecat: "Nux".into(),
            instance: "00000064aaaaaaaa".into(),
            what: String::new(),
            commit: "c0ffee00".repeat(5),
            subject: "x".into(),
            committed: 50,
            kept: None,
            is_commit: true,
        };
        let request = Request {
            rig: "wyvern".into(),
            branch: "polecat/Nux-wy-1".into(),
            commit: kept.commit.clone(),
            bead: "wy-1".into(),
            created: "2026-01-01T00:00:00Z".into(),
            attempt: 1,
            ..Request::default()
        };
        let new = request.to_bead(&crate::base::proof::Secret::new([1; 32]));
        let request = |status: &str, reason: &str| Bead {
            issue_type: words::MERGE_REQUEST.into(),
            status: status.into(),
            close_reason: reason.into(),
            metadata: new.metadata.clone(),
            ..Bead::default()
        };
        let mut asking = Bead { status: "open".into(), ..Bead::default() };
        asking.metadata.insert(words::META_RECOVERY.into(), kept.name.clone().into());
        let late = 100 + KEPT_FOR + 1;
        assert_eq!(fate(&kept, true, &[], 0), RefFate::Merged);
        assert_eq!(fate(&kept, false, &[request("closed", "merged: abc")], 0), RefFate::Merged);
        assert_eq!(fate(&kept, false, &[request("closed", "conflict")], 101), RefFate::Stays);
        // A request that a later one for the same bead replaced, and one after the merge.
        let other = |created: &str| {
            let mut other = request("closed", "merged: abc");
            other.metadata.insert("created".into(), created.into());
            other.metadata.insert("commit".into(), "d".repeat(40).into());
            [request("closed", "conflict"), other]
        };
        assert_eq!(fate(&kept, false, &other("2026-01-02T00:00:00Z"), 101), RefFate::Merged);
        assert_eq!(fate(&kept, false, &other("2025-12-31T00:00:00Z"), 101), RefFate::Stays);
        assert_eq!(fate(&kept, false, &[], late - 1), RefFate::Stays);
        assert_eq!(fate(&kept, false, &[], late), RefFate::Old);
        assert_eq!(fate(&kept, false, &[asking.clone()], late), RefFate::Stays);
        let beside = Kept { name: format!("{}.heads/x", kept.name), what: "heads/x".into(), ..kept.clone() };
        assert_eq!(fate(&beside, false, &[asking], late), RefFate::Stays);
        // An old commit that was kept a moment ago is kept for 30 days from then.
        let fresh = Kept { kept: Some(late), ..kept.clone() };
        assert_eq!(fate(&fresh, false, &[], late + 1), RefFate::Stays);
        assert_eq!(fate(&fresh, false, &[], late + KEPT_FOR + 1), RefFate::Old);
        assert_eq!(fate(&kept, false, &[request("open", "")], late), RefFate::Stays);
    }

    #[test]
    fn a_line_of_git_reads_whatever_the_subject_says() {
        let kept = parse("refs/gt/recovery/Nux/i1.heads/a.b c0ffee commit 1700000000 Fix  it; $(x)").unwrap();
        assert_eq!((kept.polecat.as_str(), kept.subject.as_str()), ("Nux", "Fix  it; $(x)"));
        assert_eq!((kept.instance.as_str(), kept.what.as_str()), ("i1", "heads/a.b"));
        assert!(kept.belongs_to("refs/gt/recovery/Nux/i1") && kept.belongs_to("refs/gt/recovery/Nux/i1.2"));
        assert!(!kept.belongs_to("refs/gt/recovery/Nux/i12"));
        assert!(parse("refs/gt/recovery/Nux/i1 c0ffee commit 17 ").is_some());
        assert!(parse("garbage").is_none());
        assert_eq!(inside("nested/vendor/lib/HEAD").as_deref(), Some("vendor/lib"));
        assert_eq!(inside("nested/a/nested/b/heads/x").as_deref(), Some("a/b"));
        assert_eq!(inside("heads/x"), None);
    }
}
