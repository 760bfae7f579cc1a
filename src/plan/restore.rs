//! A store of beads that is gone, put together again: which sources give what, and which beads may be missing.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::grammar::short;
use crate::beads::foreign::same_words;
use crate::beads::jsonl;
use crate::beads::request::Request;
use crate::model::bead::Bead;
use crate::model::refs::Branch;
use crate::model::words;

/// Beads that were found somewhere else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BeadSource {
    /// From what, and of when.
    pub from: String,
    /// Of when, where that is known: RFC 3339.
    pub time: Option<String>,
    /// This town's own export: its beads are the town's, but for those that are marked as foreign. What anyone can write,
    /// the branch of `gt sync`, is foreign where it says something else.
    pub own: bool,
    /// The beads.
    pub beads: Vec<Bead>,
}

/// A commit on the target branch that gt made for a bead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeCommit {
    /// The bead.
    pub bead: String,
    /// The branch that was merged.
    pub branch: String,
    /// The commit.
    pub commit: String,
    /// When it was committed: RFC 3339.
    pub time: String,
}

/// Beads that a restored store has open although their work is merged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Closed again.
    pub closed: Vec<String>,
    /// Changed after the merge, or at work in a session: they may have been reopened.
    pub unsure: Vec<String>,
}

/// Reads `git log` with the format `%H%x1f%cI%x1f<Bead>%x1f<Branch>`, the values of the trailers of gt's merges.
pub fn merges(log: &str) -> Vec<MergeCommit> {
    let read = |line: &str| {
        let mut fields = line.split('\x1f');
        let (commit, time) = (fields.next()?, fields.next()?);
        let (bead, branch) = (fields.next()?.trim(), fields.next()?.trim());
        let is_own = !bead.is_empty() && !branch.is_empty() && !bead.contains(',');
        is_own.then(|| MergeCommit {
            bead: bead.into(),
            branch: branch.into(),
            commit: commit.into(),
            time: time.into(),
        })
    };
    log.lines().filter_map(read).collect()
}

/// The merges of a request that this town made: its own, and that of its bead as it was when it was handed over. `log` are the
/// target's merges, `reached` says that the target has its commit. Empty: it is not merged.
pub fn merges_of(request: &Request, bead: &Bead, log: &[MergeCommit], reached: bool) -> Vec<MergeCommit> {
    let made = second(&request.created);
    let its = |one: &&MergeCommit| {
        request.bead == one.bead && one.branch == request.branch && second(&one.time) >= made
    };
    let commit = match log.iter().find(its) {
        Some(merge) => &merge.commit,
        None if reached => &request.commit,
        None => return Vec::new(),
    };
    let of = |id: &str| MergeCommit {
        bead: id.into(),
        branch: request.branch.clone(),
        commit: commit.clone(),
        time: bead.updated_at.clone(),
    };
    vec![of(&request.id), of(&request.bead)]
}

/// git knows whole seconds.
fn second(time: &str) -> Option<i64> {
    time.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second)
}

/// Closes the beads whose work was merged after the state that was restored, and merged requests.
pub fn settle(beads: &mut [Bead], merges: &[MergeCommit], at_work: &[String], now: &str) -> Settled {
    let mut settled = Settled::default();
    for bead in beads.iter_mut().filter(|bead| !bead.is_closed()) {
        let own = merges.iter().filter(|merge| merge.bead == bead.id);
        let Some(merge) = own.max_by_key(|merge| second(&merge.time)) else { continue };
        let said = format!("{} by {}", bead.id, short(&merge.commit));
        let is_later = second(&bead.updated_at).is_some_and(|seen| second(&merge.time) >= Some(seen));
        if !is_later || at_work.contains(&bead.id) {
            settled.unsure.push(said);
            continue;
        }
        bead.status = words::CLOSED.into();
        bead.close_reason = format!("merged: {}", merge.commit);
        bead.closed_at = Some(now.into());
        bead.updated_at = now.into();
        bead.labels.retain(|label| label != words::LABEL_SUBMITTED && label != words::LABEL_REWORK);
        settled.closed.push(said);
    }
    settled
}

/// What all sources together give.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestoredBeads {
    /// The beads, by id; of each the state that was changed last.
    pub beads: Vec<Bead>,
    /// The sources that something was taken from, the fullest first.
    pub from: Vec<String>,
}

/// Puts the sources together. `None`: they hold no bead at all, and a store made of them would be an empty one.
pub fn choose(mut sources: Vec<BeadSource>) -> Option<RestoredBeads> {
    sources.sort_by_key(|source| std::cmp::Reverse(source.beads.len()));
    let mut all: BTreeMap<String, Bead> = BTreeMap::new();
    let mut from = Vec::new();
    let mut trusted: BTreeMap<String, Vec<Bead>> = BTreeMap::new();
    for bead in sources.iter().filter(|one| one.own).flat_map(|one| &one.beads).filter(|bead| !bead.foreign) {
        trusted.entry(bead.id.clone()).or_default().push(bead.clone());
    }
    let said =
        |bead: &Bead| trusted.get(&bead.id).is_some_and(|own| own.iter().any(|own| same_words(own, bead)));
    for source in sources {
        let mut taken = false;
        for bead in source.beads {
            if all.get(&bead.id).is_none_or(|known| jsonl::is_newer(&bead, known)) {
                // A request has its proof.
                let foreign = !bead.is_request() && !said(&bead);
                all.insert(bead.id.clone(), Bead { foreign, ..bead });
                taken = true;
            }
        }
        from.extend(taken.then_some(source.from));
    }
    (!all.is_empty()).then(|| RestoredBeads { beads: all.into_values().collect(), from })
}

/// Ids of the store's prefix that are known from elsewhere, or that its own beads name, and that it does not hold.
pub fn missing(prefix: &str, known: impl IntoIterator<Item = String>, beads: &[Bead]) -> Vec<String> {
    let named = beads.iter().flat_map(|bead| {
        let edges = bead.dependencies.iter().map(|edge| edge.depends_on_id.clone());
        let request = bead.meta("bead").filter(|_| bead.is_request());
        edges.chain(request.map(str::to_string)).collect::<Vec<_>>()
    });
    let all: BTreeSet<String> = known.into_iter().chain(named).collect();
    let here: BTreeSet<&str> = beads.iter().map(|bead| bead.id.as_str()).collect();
    let own = |id: &String| {
        id.strip_prefix(prefix)
            .and_then(|rest| rest.strip_prefix('-'))
            .is_some_and(|rest| !rest.is_empty() && !rest.contains(char::is_whitespace))
    };
    all.into_iter().filter(|id| own(id) && !here.contains(id.as_str())).collect()
}

/// The bead that a branch of a polecat of this town names; a full ref, of a clone or of what it knows of origin.
pub fn bead_of_ref(town: &str, full: &str) -> Option<String> {
    Branch::of_ref(full).filter(|branch| branch.may_be_of(town)).map(|branch| branch.bead.into())
}

/// Whether a new export may take the place of the one before the last: everything in that one is in the last one too.
/// Each is the ids of an export.
pub fn covers(last: &BTreeSet<String>, before: &BTreeSet<String>) -> bool {
    !last.is_empty() && last.is_superset(before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::bead::Dependency;

    fn bead(id: &str, title: &str, day: u8) -> Bead {
        Bead {
            id: id.into(),
            title: title.into(),
            updated_at: format!("2026-01-{day:02}T00:00:00Z"),
            ..Bead::default()
        }
    }

    fn source(from: &str, beads: &[Bead]) -> BeadSource {
        BeadSource {
            from: from.into(),
            own: from.starts_with("export"),
            beads: beads.to_vec(),
            ..BeadSource::default()
        }
    }

    #[test]
    fn what_only_the_branch_says_is_foreign() {
        let mut others = bead("wy-3", "others'", 1);
        others.foreign = true;
        let mut request = bead("wy-r", "request", 9);
        request.issue_type = words::MERGE_REQUEST.into();
        let export = source("export", &[bead("wy-1", "same", 1), bead("wy-2", "changed", 1), others.clone()]);
        let branch = source(
            "branch",
            &[bead("wy-1", "same", 2), bead("wy-2", "by whom?", 2), others, bead("wy-4", "new", 1), request],
        );
        for trusted in [vec![export.clone(), branch.clone()], vec![branch, export]] {
            let restored = choose(trusted).unwrap();
            let foreign: Vec<&str> =
                restored.beads.iter().filter(|bead| bead.foreign).map(|bead| bead.id.as_str()).collect();
            assert_eq!(foreign, ["wy-2", "wy-3", "wy-4"]);
        }
    }

    #[test]
    fn sources_without_a_bead_are_none() {
        assert_eq!(choose(Vec::new()), None);
        assert_eq!(choose(vec![source("export", &[]), source("branch", &[])]), None);
    }

    #[test]
    fn the_fuller_source_counts_and_the_newer_state_of_each_bead() {
        let full = source("branch", &[bead("wy-1", "old", 1), bead("wy-2", "two", 1)]);
        let new = source("export", &[bead("wy-1", "new", 2)]);
        let same = source("export before", &[bead("wy-2", "two", 1)]);
        let restored = choose(vec![new, same, full]).unwrap();
        let titles: Vec<&str> = restored.beads.iter().map(|bead| bead.title.as_str()).collect();
        assert_eq!(titles, ["new", "two"]);
        assert_eq!(restored.from, ["branch", "export"], "what gave nothing is not named");
    }

    #[test]
    fn what_is_known_elsewhere_and_not_here_is_missing() {
        let mut request = bead("wy-9", "request", 1);
        request.issue_type = words::MERGE_REQUEST.into();
        request.metadata.insert("bead".into(), "wy-3".into());
        let mut waits = bead("wy-1", "waits", 1);
        waits.dependencies.push(Dependency { depends_on_id: "wy-4".into(), ..Dependency::default() });
        let known = ["wy-1", "wy-2", "ot-1", "wy-", "wyx-1"].map(String::from);
        assert_eq!(missing("wy", known, &[request, waits]), ["wy-2", "wy-3", "wy-4"]);
    }

    #[test]
    fn what_was_merged_after_the_restored_state_is_closed_again() {
        let mut beads = [bead("wy-1", "merged", 1), bead("wy-2", "reopened", 9), bead("wy-3", "at work", 1)];
        let log = "c3\x1f2026-01-05T02:00:00+02:00\x1fwy-3\x1fpolecat/Nux-wy-3\n\
                   c2\x1f2026-01-05T00:00:00Z\x1fwy-2\x1fb\nc1\x1f2026-01-05T00:00:00Z\x1fwy-1\x1fb\n\
                   c0\x1f2026-01-02T00:00:00Z\x1fwy-1\x1fb\nd\x1f2026-01-05T00:00:00Z\x1fwy-9\x1f\nplain\n";
        let merges = merges(log);
        assert_eq!(merges.len(), 4, "a trailer alone is no merge of gt's");
        let settled = settle(&mut beads, &merges, &["wy-3".into()], "2026-01-10T00:00:00Z");
        assert_eq!(settled.closed, ["wy-1 by c1"]);
        assert_eq!(settled.unsure, ["wy-2 by c2", "wy-3 by c3"]);
        assert!(beads[0].is_closed() && beads[0].close_reason == "merged: c1");
        assert!(!beads[1].is_closed() && !beads[2].is_closed());
    }

    #[test]
    fn a_request_is_merged_by_its_commit_or_by_a_merge_of_its_branch_after_it() {
        let request = Request {
            id: "wy-r".into(),
            bead: "wy-1".into(),
            branch: "polecat/Nux-wy-1".into(),
            commit: "own".into(),
            created: "2026-01-04T00:00:00Z".into(),
            ..Request::default()
        };
        let handed = bead("wy-r", "request", 4);
        let of = |day: u8, branch: &str, reached: bool| {
            let merge = MergeCommit {
                bead: "wy-1".into(),
                branch: branch.into(),
                commit: "squash".into(),
                time: format!("2026-01-{day:02}T00:00:00Z"),
            };
            merges_of(&request, &handed, &[merge], reached).pop().map(|merge| merge.commit)
        };
        assert_eq!(of(5, "polecat/Nux-wy-1", false).as_deref(), Some("squash"));
        assert_eq!(of(5, "polecat/Toast-wy-1", true).as_deref(), Some("own"));
        assert_eq!(of(5, "polecat/Toast-wy-1", false), None);
        assert_eq!(of(3, "polecat/Nux-wy-1", false), None, "an earlier attempt");
        // The bead as it was handed over is closed with it; one that changed since may have been reopened.
        let merges = merges_of(&request, &handed, &[], true);
        for (day, closed) in [(4, vec!["wy-r by own", "wy-1 by own"]), (6, vec!["wy-r by own"])] {
            let mut beads = [handed.clone(), bead("wy-1", "work", day)];
            assert_eq!(settle(&mut beads, &merges, &[], "2026-01-10T00:00:00Z").closed, closed);
        }
    }

    #[test]
    fn refs_of_polecats_name_their_beads() {
        let bead = |full| bead_of_ref("gt-1a2b", full);
        assert_eq!(bead("refs/remotes/origin/polecat/Nux-wy-a1").as_deref(), Some("wy-a1"));
        assert_eq!(bead("refs/remotes/origin/polecat/gt-1a2b/Nux-wy-a1").as_deref(), Some("wy-a1"));
        assert_eq!(bead("refs/remotes/origin/polecat/gt-3c4d/Nux-wy-a1"), None, "another town's");
        assert_eq!(bead("refs/heads/polecat/Nux"), None);
        assert_eq!(bead("refs/heads/main"), None);
    }

    #[test]
    fn an_export_gives_way_only_to_one_that_holds_all_of_it() {
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_string()).collect::<BTreeSet<String>>();
        assert!(covers(&ids(&["wy-1", "wy-2"]), &ids(&["wy-1"])));
        assert!(!covers(&ids(&["wy-2"]), &ids(&["wy-1"])));
        assert!(!covers(&ids(&[]), &ids(&[])));
        assert!(covers(&ids(&["wy-1"]), &ids(&[])));
    }
}
