//! Writing: the fewest calls that make the wanted changes. Everything here is decided from one look; nothing is run.

use std::collections::BTreeSet;

use anyhow::Result;
use serde_json::Value;

use super::super::embedded::write::{change as apply, check_priority, check_title, missing};
use super::together::Together;
use super::{apart, shape};
use crate::base::failure::Failure;
use crate::beads::bd::Call;
use crate::beads::{Change, Guard};
use crate::model::bead::Bead;
use crate::model::bead::BeadMap;
use crate::programs::bd::Version;

/// The beads that must be seen before the changes can be decided.
pub fn look_ids(guards: &[Guard], changes: &[Change]) -> Vec<String> {
    let mut ids: Vec<String> = guards.iter().map(|guard| guard.id.clone()).collect();
    for change in changes {
        match change {
            Change::Create(new) => {
                ids.extend(new.id.iter().chain(&new.parent).cloned());
                ids.extend(new.dependencies.iter().map(|(id, _)| id.clone()));
            }
            Change::Update(id, _) | Change::Close(id, _) | Change::Comment(id, _) => ids.push(id.clone()),
            Change::Depend(id, target, _) => ids.extend([id.clone(), target.clone()]),
        }
    }
    let mut seen = BTreeSet::new();
    ids.retain(|id| seen.insert(id.clone()));
    ids
}

/// The calls that make the changes, given the beads as they are.
///
/// # Errors
/// When a change cannot be made: a bead does not exist, or a value is refused. Then nothing is to be run.
pub fn calls(version: Version, actor: &str, found: &BeadMap, changes: &[Change]) -> Result<Vec<Call>> {
    check(found, changes)?;
    let apart = apart::calls(version, found, changes);
    if !version.is_whole() || apart.len() < 2 {
        return Ok(apart);
    }
    let together = Together::of(version, actor, found, changes)?.calls();
    // `import` writes whole beads, over whatever somebody else writes just then: only where it saves calls.
    Ok(together.filter(|together| together.len() < apart.len()).unwrap_or(apart))
}

fn check(found: &BeadMap, changes: &[Change]) -> Result<()> {
    let new: BTreeSet<&String> = changes
        .iter()
        .filter_map(|change| match change {
            Change::Create(new) => new.id.as_ref(),
            _ => None,
        })
        .collect();
    let exists = |id: &String| found.contains_key(id) || new.contains(id);
    let known = |id: &String| if exists(id) { Ok(()) } else { Err(missing(id)) };
    for change in changes {
        match change {
            Change::Create(new) => {
                check_title(&new.title)?;
                check_priority(new.priority)?;
                if let Some(id) = new.id.as_ref().filter(|id| found.contains_key(*id)) {
                    return Err(Failure::new(format!("{id} exists already")).into());
                }
                new.parent.iter().chain(new.dependencies.iter().map(|(id, _)| id)).try_for_each(known)?;
            }
            Change::Update(id, patch) => {
                known(id)?;
                // The same rules as the embedded store's, on a bead that is thrown away.
                apply(&mut Bead::default(), patch, "")?;
            }
            Change::Close(id, _) => known(id)?,
            Change::Comment(id, text) => {
                known(id)?;
                if text.trim().is_empty() {
                    return Err(Failure::usage(format!("the comment on {id} is empty")).into());
                }
            }
            Change::Depend(id, target, _) => {
                known(id)?;
                known(target)?;
                if id == target {
                    return Err(Failure::usage(format!("{id} cannot depend on itself")).into());
                }
            }
        }
    }
    Ok(())
}

/// The ids in the answer to a call that made beads.
///
/// # Errors
/// When there are fewer than beads were to be made, or bd left a dependency out.
pub fn made(call: &Call, answer: &str) -> Result<Vec<String>> {
    if call.words.first().is_some_and(|word| word == "import") {
        let value: Value = serde_json::from_str(answer).unwrap_or_default();
        let texts = |name: &str| -> Vec<String> {
            let list = value.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
            list.iter().filter_map(|item| item.as_str().map(str::to_string)).collect()
        };
        let left_out: Vec<String> =
            [texts("stale_skipped_ids"), texts("skipped_dependencies")].into_iter().flatten().collect();
        if !left_out.is_empty() {
            crate::fail!("bd left out of what it was given: {}", left_out.join("; "); "look at it with: gt bd show ID, and do it again");
        }
        let ids = texts("ids");
        if ids.len() < call.makes.len() {
            crate::fail!("bd import answered without the ids of what it made: {answer}");
        }
        return Ok(ids.into_iter().take(call.makes.len()).collect());
    }
    if call.makes.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<String> = shape::beads(answer)?.into_iter().map(|bead| bead.id).collect();
    if ids.len() != call.makes.len() {
        crate::fail!("bd {} answered without an id: {answer}", call.words.join(" "));
    }
    Ok(ids)
}
