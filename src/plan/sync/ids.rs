//! Ids that two towns gave to different beads. The one that the branch has keeps its id: others know it by now.

use std::collections::BTreeSet;

use super::bead::{canonical, instant, merge};
use super::{BeadMap, Renamed};
use crate::base::hash::fnv64;
use crate::base::time::same_moment;
use crate::model::bead::Bead;

/// The beads by id. A file that somebody joined from two may say one bead twice, or two beads under one id.
pub fn index(prefix: &str, beads: &[Bead]) -> BeadMap {
    let mut all = BeadMap::new();
    let mut spare = Vec::new();
    for bead in beads {
        let bead = canonical(bead.clone());
        let known = match all.get(&bead.id) {
            None => bead,
            Some(known) if same_birth(known, &bead) => merge(None, known, &bead),
            Some(_) => {
                spare.push(bead);
                continue;
            }
        };
        all.insert(known.id.clone(), known);
    }
    for bead in spare {
        let id = free(prefix, &bead, &[&all]);
        all.insert(id.clone(), renamed(bead, &id));
    }
    all
}

/// Whether two beads of one id are the same bead: made at the same moment. Where a store has rounded that, they also
/// have to be called the same: a bead too many can be closed, one that is written over is lost.
pub fn same_birth(one: &Bead, other: &Bead) -> bool {
    let exact = instant(&one.created_at) == instant(&other.created_at);
    exact || (one.title == other.title && same_moment(&one.created_at, &other.created_at))
}

/// Beads here whose id the branch has for another, and which must keep it for now: their holder knows them by it. With
/// them what the branch does not have yet and what speaks of them: their requests.
pub fn waiting(base: &BeadMap, own: &BeadMap, theirs: &BeadMap) -> BTreeSet<String> {
    let collide = |bead: &&Bead| theirs.get(&bead.id).is_some_and(|other| !same_birth(bead, other));
    let mut out: BTreeSet<String> =
        own.values().filter(collide).filter(|bead| in_hand(bead, own)).map(|bead| bead.id.clone()).collect();
    let speaks = |bead: &&Bead| {
        let unknown = !base.contains_key(&bead.id) && !theirs.contains_key(&bead.id);
        unknown && bead.metadata.values().any(|value| value.as_str().is_some_and(|id| out.contains(id)))
    };
    let with: Vec<String> = own.values().filter(speaks).map(|bead| bead.id.clone()).collect();
    out.extend(with);
    out
}

/// Whether somebody works on it, or it is in the queue.
fn in_hand(bead: &Bead, own: &BeadMap) -> bool {
    let held = bead.assignee.is_some() && bead.is_begun();
    let asks = |one: &Bead| one.is_request() && !one.is_closed() && one.meta("bead") == Some(&bead.id);
    held || own.values().any(asks)
}

/// Gives beads of this town new ids where the branch has another bead under theirs, and lets what refers to them
/// follow.
pub fn give_way(prefix: &str, base: &BeadMap, own: &mut BeadMap, theirs: &BeadMap) -> Vec<Renamed> {
    let collide = |bead: &&Bead| theirs.get(&bead.id).is_some_and(|other| !same_birth(bead, other));
    let old: Vec<String> = own.values().filter(collide).map(|bead| bead.id.clone()).collect();
    let mut done = Vec::new();
    for old in old {
        let Some(bead) = own.remove(&old) else { continue };
        let new = free(prefix, &bead, &[own, theirs, base]);
        done.push(Renamed { old: old.clone(), new: new.clone(), title: bead.title.clone() });
        own.insert(new.clone(), renamed(bead, &new));
        for bead in own.values_mut() {
            follow(bead, base.get(&bead.id), &old, &new);
        }
    }
    done
}

fn renamed(mut bead: Bead, new: &str) -> Bead {
    let old = std::mem::replace(&mut bead.id, new.to_string());
    for edge in bead.dependencies.iter_mut().filter(|edge| edge.issue_id == old) {
        edge.issue_id = new.into();
    }
    for comment in bead.comments.iter_mut().filter(|comment| comment.issue_id == old) {
        comment.issue_id = new.into();
    }
    // In the notes: a bead that says the same as another under another id is taken for that one by bd before 1.0.
    if !bead.notes.is_empty() {
        bead.notes.push('\n');
    }
    bead.notes += &format!("this was {old}, until another town's bead of that id came");
    canonical(bead)
}

/// What the branch knew already means the other town's bead, and stays.
fn follow(bead: &mut Bead, base: Option<&Bead>, old: &str, new: &str) {
    if !base.is_some_and(|base| has_edge(base, old)) {
        for edge in bead.dependencies.iter_mut().filter(|edge| edge.depends_on_id == old) {
            edge.depends_on_id = new.into();
        }
    }
    for (key, value) in &mut bead.metadata {
        let known = base.is_some_and(|base| base.meta(key) == Some(old));
        if value.as_str() == Some(old) && !known {
            *value = new.into();
        }
    }
    let plain = std::mem::take(bead);
    *bead = canonical(plain);
}

/// Whether it depends on this one.
pub fn has_edge(bead: &Bead, target: &str) -> bool {
    bead.dependencies.iter().any(|edge| edge.depends_on_id == target)
}

/// An id nobody has: the next number for a child, else more letters than usual, made from what the bead is.
fn free(prefix: &str, bead: &Bead, taken: &[&BeadMap]) -> String {
    let known = |id: &str| taken.iter().any(|beads| beads.contains_key(id));
    if let Some((parent, number)) = bead.id.rsplit_once('.')
        && let Ok(number) = number.parse::<u64>()
    {
        let stem = format!("{parent}.");
        let numbers =
            taken.iter().flat_map(|beads| beads.keys()).filter_map(|id| id.strip_prefix(&stem)?.parse().ok());
        return format!("{stem}{}", numbers.max().unwrap_or(number).saturating_add(1));
    }
    let own = format!("{prefix}-");
    let stem = match bead.id.starts_with(&own) {
        true => own.as_str(),
        false => bead.id.rfind('-').and_then(|at| bead.id.get(..=at)).unwrap_or(&own),
    };
    let born = format!("{}\n{}\n{}\n{}", bead.id, bead.created_at, bead.created_by, bead.title);
    let ids = (0u64..).map(|try_| format!("{stem}{}", letters(&format!("{born}\n{try_}"))));
    ids.take(1000).find(|id| !known(id)).unwrap_or_else(|| format!("{stem}{}", letters(&born)))
}

/// Six letters and digits from a text: the same in every town.
fn letters(text: &str) -> String {
    let mut hash = fnv64(text);
    let mut digit = || {
        let value = u32::try_from(hash % 36).unwrap_or_default();
        hash /= 36;
        char::from_digit(value, 36).unwrap_or('0')
    };
    (0..6).map(|_| digit()).collect()
}
