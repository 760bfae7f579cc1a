//! Recovery refs: what was kept at the end of polecats, how to get it back, and when it goes (`work.md`).

use anyhow::Result;
use serde::Serialize;

use super::request::Request;
use crate::address::Address;
use crate::beads::{Bead, Filter, words};
use crate::failure::Failure;
use crate::programs::git::Git;
use crate::time;
use crate::town::Rig;

/// How long a recovery ref is kept that nobody asks for, in seconds: 30 days.
pub const KEPT_FOR: i64 = 30 * 24 * 3600;

/// Commits kept under `refs/gt/recovery/<Name>/<instance>` of the canonical clone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// The ref.
    pub name: String,
    /// Whose it was.
    pub polecat: String,
    /// Of which instance.
    pub instance: String,
    /// The last commit.
    pub commit: String,
    /// Its first line.
    pub subject: String,
    /// When it was committed: seconds since 1970.
    pub committed: i64,
}

/// All recovery refs of a rig, in one git process.
///
/// # Errors
/// When git cannot list them.
pub fn list(rig: &Rig) -> Result<Vec<Kept>> {
    let format = "--format=%(refname) %(objectname) %(committerdate:unix) %(subject)";
    let text =
        Git::at(rig.clone_dir()).run("list recovery refs", ["for-each-ref", format, "refs/gt/recovery/"])?;
    Ok(text.lines().filter_map(parse).collect())
}

fn parse(line: &str) -> Option<Kept> {
    let mut words = line.splitn(4, ' ');
    let (name, commit, committed) = (words.next()?, words.next()?, words.next()?);
    let (polecat, instance) = name.strip_prefix("refs/gt/recovery/")?.split_once('/')?;
    Some(Kept {
        name: name.into(),
        polecat: polecat.into(),
        instance: instance.into(),
        commit: commit.into(),
        subject: words.next().unwrap_or_default().into(),
        committed: committed.parse().ok()?,
    })
}

/// Why a recovery ref may go, or that it may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// The target holds its commits, as they are or as a request that was merged.
    Merged,
    /// 30 days old, and no open bead asks for it.
    Old,
    /// A branch at origin of work that was taken back.
    Abandoned,
    /// It stays.
    Stays,
}

/// Decides about one recovery ref. `on_target` says that its commit is reachable from the target; `now` is in seconds
/// since 1970.
pub fn fate(kept: &Kept, on_target: bool, beads: &[Bead], now: i64) -> Fate {
    let merged = |request: &Request| request.commit == kept.commit;
    let by_request = beads.iter().filter(|bead| bead.is_closed() && bead.close_reason.starts_with("merged"));
    if on_target || by_request.filter_map(Request::from_bead).any(|request| merged(&request)) {
        return Fate::Merged;
    }
    let asked_for = beads.iter().any(|bead| {
        !bead.is_closed()
            && (bead.meta(words::META_RECOVERY) == Some(&kept.name)
                || Request::from_bead(bead).is_some_and(|request| merged(&request)))
    });
    // An instance id begins with the time of its start: older commits were still kept later than that.
    let started = kept.instance.get(..8).and_then(|hex| i64::from_str_radix(hex, 16).ok()).unwrap_or(0);
    if !asked_for && now - kept.committed.max(started) > KEPT_FOR { Fate::Old } else { Fate::Stays }
}

/// One thing that `gt gc` removed, or would.
#[derive(Clone, Debug, Serialize)]
pub struct Gone {
    /// The rig.
    pub rig: String,
    /// A ref or a path.
    pub what: String,
    /// `merged` or `old`.
    pub why: Fate,
}

/// Drops what may go: recovery refs and logs.
///
/// # Errors
/// When the store or git cannot be read (then nothing is dropped), or a removal fails.
pub fn gc(rig: &Rig, target: &str, dry: bool) -> Result<Vec<Gone>> {
    let kept = list(rig)?;
    let now = time::seconds_since_epoch(&time::now()).unwrap_or(0);
    let mut gone = Vec::new();
    if !kept.is_empty() {
        let store = rig.store(&Address::Overseer)?;
        let beads = store.list(&Filter { all: true, ..Filter::default() })?;
        let git = Git::at(rig.clone_dir());
        let merged = git.run(
            "list merged recovery refs",
            [
                "for-each-ref",
                "--format=%(refname)",
                &format!("--merged=refs/remotes/origin/{target}"),
                "refs/gt/recovery/",
            ],
        )?;
        for kept in kept {
            let why = fate(&kept, merged.lines().any(|name| name == kept.name), &beads, now);
            if why != Fate::Stays {
                if !dry {
                    git.run("drop a recovery ref", ["update-ref", "-d", &kept.name, &kept.commit])?;
                }
                gone.push(Gone { rig: rig.name.clone(), what: kept.name, why });
            }
        }
    }
    gone.extend(old_logs(rig, now, dry)?);
    Ok(gone)
}

fn old_logs(rig: &Rig, now: i64, dry: bool) -> Result<Vec<Gone>> {
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
            gone.push(Gone {
                rig: rig.name.clone(),
                what: entry.path().display().to_string(),
                why: Fate::Old,
            });
        }
    }
    Ok(gone)
}

/// A branch made from a recovery ref.
#[derive(Clone, Debug, Serialize)]
pub struct Recovered {
    /// The branch, in the canonical clone.
    pub branch: String,
    /// Its commit.
    pub commit: String,
    /// The ref it came from; it stays.
    pub from: String,
}

/// Makes the branch `recovered/<Name>-<instance>` in the canonical clone from what was kept of a bead or a polecat;
/// the latest counts.
///
/// # Errors
/// When nothing was kept.
pub fn recover(rig: &Rig, what: &What<'_>, dry: bool) -> Result<Recovered> {
    let kept = list(rig)?;
    let wanted = |kept: &&Kept| match what {
        What::Polecat(name) => kept.polecat == *name,
        What::Bead(bead, requests) => {
            bead.meta(words::META_RECOVERY) == Some(&kept.name)
                || requests.iter().any(|request| {
                    request.bead == bead.id
                        && request.polecat() == kept.polecat
                        && request.instance == kept.instance
                })
        }
    };
    let Some(kept) = kept.iter().filter(wanted).max_by_key(|kept| kept.committed) else {
        let hint = format!("see what was kept with: gt polecat list {}", rig.name);
        return Err(Failure::new("nothing was kept of it").hint(hint).into());
    };
    let branch = format!("recovered/{}-{}", kept.polecat, kept.instance);
    if !dry {
        let git = Git::at(rig.clone_dir());
        git.run("make a branch", ["update-ref", &format!("refs/heads/{branch}"), &kept.commit])?;
    }
    Ok(Recovered { branch, commit: kept.commit.clone(), from: kept.name.clone() })
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

    #[test]
    fn only_what_is_merged_or_old_and_unasked_for_goes() {
        let kept = Kept {
            name: "refs/gt/recovery/Nux/00000064aaaaaaaa".into(),
            polecat: "Nux".into(),
            instance: "00000064aaaaaaaa".into(),
            commit: "c0ffee00".repeat(5),
            subject: "x".into(),
            committed: 50,
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
        let new = request.to_bead();
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
        assert_eq!(fate(&kept, true, &[], 0), Fate::Merged);
        assert_eq!(fate(&kept, false, &[request("closed", "merged: abc")], 0), Fate::Merged);
        assert_eq!(fate(&kept, false, &[request("closed", "conflict")], 101), Fate::Stays);
        assert_eq!(fate(&kept, false, &[], late - 1), Fate::Stays);
        assert_eq!(fate(&kept, false, &[], late), Fate::Old);
        assert_eq!(fate(&kept, false, &[asking], late), Fate::Stays);
        assert_eq!(fate(&kept, false, &[request("open", "")], late), Fate::Stays);
    }

    #[test]
    fn a_line_of_git_reads_whatever_the_subject_says() {
        let kept = parse("refs/gt/recovery/Nux/i1 c0ffee 1700000000 Fix  it; $(x)").unwrap();
        assert_eq!((kept.polecat.as_str(), kept.subject.as_str()), ("Nux", "Fix  it; $(x)"));
        assert!(parse("refs/gt/recovery/Nux/i1 c0ffee 17 ").is_some());
        assert!(parse("garbage").is_none());
    }
}
