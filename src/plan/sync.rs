//! Two stores that were both written, brought in step: the decisions of `gt sync`, as values (`town.md`, "The store of
//! work").
//!
//! Three things are compared for each bead: how it was when this town last synced (`base`), how it is here (`own`) and
//! how it is on the branch (`theirs`). What only one side changed counts; what both changed is the later one's; labels,
//! dependencies and comments are sets. Nothing here knows a clock: two towns that see the same come to the same bytes.

mod address;
mod bead;
mod ids;
mod known;
mod terms;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::model::bead::{Bead, BeadMap, Dependency};

pub use address::{at_home, home};
pub use bead::canonical;
pub use known::as_known;
pub use terms::Terms;

/// What came of a merge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MergedBeads {
    /// The beads as the branch is to have them, by id.
    pub branch: Vec<Bead>,
    /// Whether the branch has them so already.
    pub branch_has_it: bool,
    /// The beads that have to be written into the store here.
    pub incoming: Vec<Bead>,
    /// Ids of beads that change here.
    pub came: BTreeSet<String>,
    /// Ids of beads that change on the branch.
    pub went: BTreeSet<String>,
    /// Beads in work that an agent here and one of another town have: id, who has it here, who there. With trust the one
    /// here had it.
    pub taken: Vec<(String, String, String)>,
    /// Beads of this town that gave their ids up.
    pub renamed: Vec<Renamed>,
    /// Requests of this town that others had changed, and work of its agents that others had closed: they stay as this
    /// town has them.
    pub kept: Vec<String>,
    /// Ids that two towns gave to different beads, and that cannot be given up here yet: somebody works on them, or
    /// they are on their way to be merged. They stay out of it until then.
    pub waiting: Vec<String>,
}

/// A bead that has a new id, because another town's had the same and was on the branch first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Renamed {
    /// The id it had, which is the other town's now.
    pub old: String,
    /// The id it has.
    pub new: String,
    /// Its title.
    pub title: String,
}

/// Merges what is here with what is on the branch. `prefix` is that of new ids here. All beads are in the form of the
/// branch ([`Terms::abroad`]). `terms` say what of others counts here.
///
/// No bead is taken away: one that only one side has is new there, or was lost on the other.
pub fn merge(prefix: &str, base: &[Bead], own: &[Bead], theirs: &[Bead], terms: &Terms<'_>) -> MergedBeads {
    let index = |beads: &[Bead]| ids::index(prefix, beads);
    let (base, before, there) = (index(base), index(own), index(theirs));
    let proven: BTreeSet<&String> =
        before.iter().filter(|(_, bead)| terms.proves(bead)).map(|(id, _)| id).collect();
    // What others newly say of work in hand: said when it comes in.
    let news: BTreeSet<&String> = before
        .iter()
        .filter(|(id, own)| terms.in_hand(own) && base.get(*id) != there.get(*id))
        .map(|(id, _)| id)
        .collect();
    let base = terms.taken(base, &before);
    let mut theirs = terms.taken(there.clone(), &before);
    // An id of a proven request is this town's, whoever else has it.
    theirs.retain(|id, bead| {
        !proven.contains(id) || before.get(id).is_some_and(|own| ids::same_birth(own, bead))
    });
    let mut own = before.clone();
    let waiting = ids::waiting(&base, &own, &theirs);
    own.retain(|id, _| !waiting.contains(id));
    let held_back = hold_back(&mut own, &base, &waiting);
    let renamed = ids::give_way(prefix, &base, &mut own, &theirs);
    // The bead of a request may have a new id: the request follows, and is this town's still.
    own.values_mut().filter(|bead| proven.contains(&bead.id)).for_each(|bead| terms.prove(bead));
    let mut merged = MergedBeads { renamed, ..MergedBeads::default() };
    let mut branch = BeadMap::new();
    let all: BTreeSet<&String> = own.keys().chain(theirs.keys()).collect();
    for id in all {
        let bead = match (own.get(id), theirs.get(id)) {
            (Some(own), Some(theirs)) if proven.contains(id) => {
                let own = terms::as_own(own, bead::merge(base.get(id), own, theirs));
                if base.get(id) != Some(theirs) && own != *theirs {
                    merged.kept.push(id.clone());
                }
                own
            }
            (Some(own), Some(theirs)) => {
                let base = base.get(id).filter(|base| ids::same_birth(base, own));
                bead::merge(base, own, theirs)
            }
            (Some(one), None) | (None, Some(one)) => one.clone(),
            (None, None) => continue,
        };
        let mut here = bead.clone();
        here.dependencies.extend(held_back.get(id).into_iter().flatten().cloned());
        let mut here = canonical(here);
        let bead = canonical(terms.given(bead, there.get(id)));
        if there.get(id) != Some(&bead) {
            merged.went.insert(id.clone());
        }
        if before.get(id) != Some(&here) && !waiting.contains(id) {
            // What gave its id up, and what follows it, changes here because of this town's own beads.
            if theirs.contains_key(id) {
                merged.came.insert(id.clone());
            }
            merged.taken.extend(before.get(id).and_then(|before| taken(before, &here)));
            here.foreign = theirs.contains_key(id) && terms.is_foreign(&here, before.get(id));
            merged.incoming.push(here);
        }
        branch.insert(id.clone(), bead);
        if news.contains(id)
            && let Some((own, there)) = before.get(id).zip(there.get(id))
        {
            match taken(own, there) {
                Some(taken) => merged.taken.push(taken),
                None if there.is_closed() => merged.kept.push(id.clone()),
                None => {}
            }
        }
    }
    merged.branch_has_it = branch == there;
    merged.branch = branch.into_values().collect();
    merged.waiting = waiting.into_iter().collect();
    merged
}

/// Merges one bead, as [`merge`] does among all of them. `None` when more than itself decides: its id is here another
/// bead's than on the branch.
pub fn one(
    prefix: &str,
    base: Option<Bead>,
    own: Option<Bead>,
    theirs: Option<Bead>,
    terms: &Terms<'_>,
) -> Option<MergedBeads> {
    // Most of them: nobody changed it.
    if own == theirs
        && base == theirs
        && let Some(bead) = theirs
    {
        return Some(MergedBeads {
            branch: vec![canonical(bead)],
            branch_has_it: true,
            ..MergedBeads::default()
        });
    }
    let apart = own.as_ref().zip(theirs.as_ref()).is_some_and(|(own, theirs)| !ids::same_birth(own, theirs));
    (!apart).then(|| merge(prefix, base.as_slice(), own.as_slice(), theirs.as_slice(), terms))
}

/// Who had a bead in hand, and who has it instead.
fn taken(before: &Bead, here: &Bead) -> Option<(String, String, String)> {
    let (from, by) = before.assignee.as_ref().zip(here.assignee.as_ref())?;
    let changed = before.is_begun() && here.is_begun() && before.id == here.id && from != by;
    changed.then(|| (here.id.clone(), from.clone(), by.clone()))
}

/// Takes the edges to beads that stay out of it away, where the branch does not have them yet: there they would lead
/// to another town's bead.
fn hold_back(
    own: &mut BeadMap,
    base: &BeadMap,
    waiting: &BTreeSet<String>,
) -> BTreeMap<String, Vec<Dependency>> {
    let mut kept = BTreeMap::new();
    if waiting.is_empty() {
        return kept;
    }
    for bead in own.values_mut() {
        let known = base.get(&bead.id);
        let stays = |edge: &Dependency| {
            !waiting.contains(&edge.depends_on_id)
                || known.is_some_and(|known| ids::has_edge(known, &edge.depends_on_id))
        };
        let (stay, out) = std::mem::take(&mut bead.dependencies).into_iter().partition(stays);
        bead.dependencies = stay;
        let out: Vec<Dependency> = out;
        if !out.is_empty() {
            kept.insert(bead.id.clone(), out);
        }
    }
    kept
}

#[cfg(test)]
mod tests;
