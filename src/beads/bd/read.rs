//! Reading: which one call gives what a filter wants, and what is left to decide here.

use std::collections::HashSet;

use crate::beads::Filter;
use crate::beads::overview::Unblocked;
use crate::model::bead::Bead;
use crate::programs::bd::Version;

/// Kinds of beads that bd keeps out of a list unless it is asked for them.
const EVERY_KIND: [&str; 3] = ["--include-infra", "--include-gates", "--include-templates"];

/// The call whose answer holds every bead that matches. It may hold more: see [`matching`].
///
/// | what | bd 1.0 | before |
/// | --- | --- | --- |
/// | some ids | `show`, with comments | `show`, with comments |
/// | the rest | `list` | `export`, whose lines hold the dependencies that `list` leaves out |
pub fn call(version: Version, filter: &Filter) -> Vec<String> {
    if !filter.ids.is_empty() {
        let mut call: Vec<String> = vec!["show".into(), "--json".into()];
        if version.hides_comments() {
            call.push("--include-comments".into());
        }
        call.push("--".into());
        call.extend(filter.ids.iter().cloned());
        return call;
    }
    let mut call = if version.is_whole() { listing(filter) } else { vec!["export".into()] };
    if !version.is_whole() && filter.statuses.len() == 1 {
        call.push(format!("--status={}", filter.statuses[0]));
    }
    if let [only] = filter.types.as_slice() {
        call.push(format!("--type={only}"));
    }
    if let Some(assignee) = &filter.assignee {
        call.push(format!("--assignee={assignee}"));
    }
    call.extend(filter.labels.iter().map(|label| format!("--label={}", comma_safe(label))));
    call
}

fn listing(filter: &Filter) -> Vec<String> {
    let mut call: Vec<String> = ["list", "--json", "--limit=0"].map(String::from).to_vec();
    call.extend(EVERY_KIND.map(String::from));
    if !filter.statuses.is_empty() {
        call.push(format!("--status={}", filter.statuses.join(",")));
    } else if filter.all {
        call.push("--all".into());
    }
    call
}

/// The call that shows these beads as they are before a write; exact ids, whatever their state.
pub fn look(version: Version, ids: &[String]) -> Vec<String> {
    let mut call: Vec<String> = ["list", "--json", "--limit=0", "--all"].map(String::from).to_vec();
    let kinds = if version.is_whole() { &EVERY_KIND[..] } else { &EVERY_KIND[1..] };
    call.extend(kinds.iter().map(|kind| (*kind).to_string()));
    call.push(format!("--id={}", ids.join(",")));
    call
}

/// The call whose answer holds everything that [`ready`] decides by: what is not closed, or all there is.
pub fn ready_call(version: Version) -> Vec<String> {
    if version.is_whole() { listing(&Filter::default()) } else { vec!["export".into()] }
}

/// One value among several in a flag that takes a list: bd reads it as a line of CSV.
pub fn comma_safe(value: &str) -> String {
    if value.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.to_string()
    }
}

/// Those that match, in order.
pub fn matching(mut beads: Vec<Bead>, filter: &Filter) -> Vec<Bead> {
    beads.retain(|bead| matches(bead, filter));
    in_order(beads, filter.limit)
}

fn matches(bead: &Bead, filter: &Filter) -> bool {
    let everything = filter.all || !filter.ids.is_empty();
    let status = if filter.statuses.is_empty() {
        everything || !bead.is_closed()
    } else {
        filter.statuses.contains(&bead.status)
    };
    let kind = if filter.types.is_empty() {
        everything || !bead.is_letter()
    } else {
        filter.types.contains(&bead.issue_type)
    };
    status
        && kind
        // bd takes the beginning of an id for the id.
        && (filter.ids.is_empty() || filter.ids.contains(&bead.id))
        && filter.assignee.as_ref().is_none_or(|wanted| bead.assignee.as_ref() == Some(wanted))
        && filter.priority.is_none_or(|wanted| bead.priority == wanted)
        && filter.labels.iter().all(|label| bead.has_label(label))
        && filter.parent.as_deref().is_none_or(|wanted| bead.parent() == Some(wanted))
}

/// Open work that nothing blocks, from everything that is not closed (closed beads may be among it).
pub fn ready(beads: Vec<Bead>, parent: Option<&str>, limit: Option<usize>) -> Vec<Bead> {
    let (unblocked, under) = (Unblocked::of(&beads), parent.map(|parent| descendants(&beads, parent)));
    let is_under = |bead: &Bead| under.as_ref().is_none_or(|under| under.contains(bead.id.as_str()));
    let keep: Vec<bool> = beads.iter().map(|bead| unblocked.is_ready(bead) && is_under(bead)).collect();
    let kept = beads.into_iter().zip(keep).filter_map(|(bead, keep)| keep.then_some(bead));
    in_order(kept.collect(), limit)
}

fn descendants<'a>(beads: &'a [Bead], parent: &'a str) -> HashSet<&'a str> {
    let mut found = HashSet::from([parent]);
    loop {
        let before = found.len();
        for bead in beads {
            if bead.parent().is_some_and(|above| found.contains(above)) {
                found.insert(&bead.id);
            }
        }
        if found.len() == before {
            found.remove(parent);
            return found;
        }
    }
}

/// Priority, then age. bd 1.0 keeps whole seconds; what was made in one second is in the order of its ids.
fn in_order(mut beads: Vec<Bead>, limit: Option<usize>) -> Vec<Bead> {
    let age = |bead: &Bead| bead.created_at.parse::<jiff::Timestamp>().ok();
    beads.sort_by_cached_key(|bead| (bead.priority, age(bead), bead.id.clone()));
    beads.truncate(limit.unwrap_or(usize::MAX));
    beads
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::bead::Dependency;

    fn bead(id: &str, blockers: &[&str]) -> Bead {
        let edge = |target: &&str| Dependency {
            issue_id: id.into(),
            depends_on_id: (*target).into(),
            kind: "blocks".into(),
            ..Dependency::default()
        };
        Bead {
            id: id.into(),
            status: "open".into(),
            issue_type: "task".into(),
            priority: 2,
            dependencies: blockers.iter().map(edge).collect(),
            ..Bead::default()
        }
    }

    fn ids(beads: Vec<Bead>) -> Vec<String> {
        beads.into_iter().map(|bead| bead.id).collect()
    }

    #[test]
    fn ready_is_what_nothing_blocks() {
        let mut held = bead("held", &[]);
        held.labels = vec!["gt:hold".into()];
        let mut closed = bead("closed", &[]);
        closed.status = "closed".into();
        let mut queued = bead("queued", &[]);
        queued.status = "closed".into();
        let mut request = bead("request", &[]);
        request.issue_type = "merge-request".into();
        request.metadata.insert("bead".into(), "queued".into());
        let all = vec![
            bead("free", &["closed", "long-gone"]),
            bead("waits", &["free"]),
            bead("waits-for-the-queue", &["queued"]),
            bead("waits-elsewhere", &["external:other:thing"]),
            held,
            closed,
            queued,
            request,
        ];
        assert_eq!(ids(ready(all, None, None)), ["free"]);
    }

    #[test]
    fn ready_under_an_epic_is_ready_anywhere_under_it() {
        let mut child = bead("e.1", &[]);
        child.dependencies = bead("e.1", &["e"]).dependencies;
        child.dependencies[0].kind = "parent-child".into();
        let mut grandchild = bead("e.1.1", &["e.1"]);
        grandchild.dependencies[0].kind = "parent-child".into();
        let all = vec![grandchild, child, bead("e", &[]), bead("x", &[])];
        assert_eq!(ids(ready(all.clone(), Some("e"), None)), ["e.1", "e.1.1"]);
        assert_eq!(ids(ready(all, Some("e"), Some(1))), ["e.1"]);
    }

    #[test]
    fn labels_pass_through_a_flag_that_takes_a_list() {
        assert_eq!(comma_safe("from:wyvern/Nux"), "from:wyvern/Nux");
        assert_eq!(comma_safe("a,\"b\""), "\"a,\"\"b\"\"\"");
    }
}
