//! One bead, merged field by field.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::model::bead::{Bead, Comment, Dependency};

/// Fields that are one thing: a bead that was closed on one side and begun on the other is one of the two.
const UNITS: [&[&str]; 1] = [&["status", "closed_at", "close_reason"]];

/// Fields that have a rule of their own.
const OTHERS: [&str; 8] =
    ["id", "created_at", "updated_at", "labels", "dependencies", "comments", "metadata", "notes"];

/// The bead in the one form that equal beads share: sets sorted, keys sorted.
#[must_use]
pub fn canonical(mut bead: Bead) -> Bead {
    bead.labels.sort();
    bead.labels.dedup();
    for edge in &mut bead.dependencies {
        edge.extra = sorted_map(&edge.extra);
    }
    bead.dependencies.sort_by_cached_key(|edge| (edge.depends_on_id.clone(), edge.kind.clone(), text(edge)));
    bead.dependencies.dedup();
    for comment in &mut bead.comments {
        comment.extra = sorted_map(&comment.extra);
    }
    bead.comments.sort_by_cached_key(|comment| {
        (instant(&comment.created_at), comment.author.clone(), comment.text.clone(), text(comment))
    });
    bead.metadata = sorted_map(&bead.metadata);
    bead.extra = sorted_map(&bead.extra);
    bead
}

/// Merges two forms of one bead. Without a base, whatever the two say differently was changed by both.
pub fn merge(base: Option<&Bead>, own: &Bead, theirs: &Bead) -> Bead {
    if own == theirs || base == Some(theirs) {
        return own.clone();
    }
    if base == Some(own) {
        return theirs.clone();
    }
    let later = later(own, theirs);
    let (old, mine, other) = (base.map(fields).unwrap_or_default(), fields(own), fields(theirs));
    let mut result = pick_keys(&old, &mine, &other, later, |key| !OTHERS.contains(&key));
    for unit in UNITS {
        let of = |from: &Map<String, Value>| -> Vec<Option<Value>> {
            unit.iter().map(|key| from.get(*key).cloned()).collect()
        };
        let (old, mine, other) = (base.map(|_| of(&old)), of(&mine), of(&other));
        let picked = pick(old.as_ref(), &mine, &other, later, |values| format!("{values:?}"));
        for (key, value) in unit.iter().zip(picked) {
            result.shift_remove(*key);
            result.extend(value.clone().map(|value| ((*key).to_string(), value)));
        }
    }
    // Every field came from a bead, so the result is one.
    let mut bead: Bead = serde_json::from_value(Value::Object(result)).unwrap_or_else(|_| own.clone());
    bead.id.clone_from(&own.id);
    // The same moment, told with different precision.
    bead.created_at =
        std::cmp::max_by_key(&own.created_at, &theirs.created_at, |time| (time.len(), *time)).clone();
    bead.updated_at =
        std::cmp::max_by_key(&own.updated_at, &theirs.updated_at, |time| (instant(time), *time)).clone();
    let none = Bead::default();
    let base = base.unwrap_or(&none);
    bead.notes = notes(base, own, theirs, later);
    bead.metadata = pick_keys(&base.metadata, &own.metadata, &theirs.metadata, later, |_| true);
    let labels = |bead: &Bead| bead.labels.iter().map(|label| (label.clone(), label.clone())).collect();
    bead.labels = union(&labels(base), &labels(own), &labels(theirs), later);
    bead.dependencies = union(&edges(base), &edges(own), &edges(theirs), later);
    bead.comments = union(&comments(base), &comments(own), &comments(theirs), later);
    canonical(bead)
}

/// Which of the two was written later.
fn later(own: &Bead, theirs: &Bead) -> Ordering {
    instant(&own.updated_at).cmp(&instant(&theirs.updated_at))
}

/// A changed value against an unchanged one; of two changed ones the later; at the same moment the greater text, so
/// that both towns choose the same.
fn pick<'a, T: PartialEq>(
    base: Option<&T>,
    own: &'a T,
    theirs: &'a T,
    later: Ordering,
    text: impl Fn(&T) -> String,
) -> &'a T {
    if own == theirs || base == Some(theirs) {
        own
    } else if base == Some(own) {
        theirs
    } else {
        match later.then_with(|| text(own).cmp(&text(theirs))) {
            Ordering::Less => theirs,
            _ => own,
        }
    }
}

/// Notes grow at their end, on both sides: then both additions stay, the earlier one's first.
fn notes(base: &Bead, own: &Bead, theirs: &Bead, later: Ordering) -> String {
    let added = |bead: &Bead| -> Option<Vec<String>> {
        let rest = bead.notes.strip_prefix(&base.notes)?;
        let joined = base.notes.is_empty() || rest.is_empty() || rest.starts_with('\n');
        joined.then(|| rest.lines().filter(|line| !line.is_empty()).map(String::from).collect())
    };
    let picked = pick(Some(&base.notes), &own.notes, &theirs.notes, later, Clone::clone);
    let (Some(mine), Some(other)) = (added(own), added(theirs)) else { return picked.clone() };
    let holds = |all: &[String], some: &[String]| some.iter().all(|line| all.contains(line));
    if holds(&mine, &other) && holds(&other, &mine) {
        return std::cmp::max(&own.notes, &theirs.notes).clone();
    }
    if holds(&mine, &other) {
        return own.notes.clone();
    }
    if holds(&other, &mine) {
        return theirs.notes.clone();
    }
    let own_first = later.then_with(|| own.notes.cmp(&theirs.notes)) == Ordering::Less;
    let (first, known, more) = if own_first { (own, &mine, &other) } else { (theirs, &other, &mine) };
    let more: Vec<&str> = more.iter().filter(|line| !known.contains(line)).map(String::as_str).collect();
    format!("{}\n{}", first.notes.trim_end_matches('\n'), more.join("\n"))
}

/// [`pick`] for each key of a map; a key that is not there is a value like another.
fn pick_keys(
    base: &Map<String, Value>,
    own: &Map<String, Value>,
    theirs: &Map<String, Value>,
    later: Ordering,
    counts: impl Fn(&str) -> bool,
) -> Map<String, Value> {
    let mut result = Map::new();
    let others = theirs.keys().filter(|key| !own.contains_key(*key));
    for key in own.keys().chain(others).filter(|key| counts(key)) {
        let (old, mine, other) = (base.get(key), own.get(key), theirs.get(key));
        let picked = pick(Some(&old), &mine, &other, later, |value| format!("{value:?}"));
        result.extend(picked.map(|value| (key.clone(), value.clone())));
    }
    sorted_map(&result)
}

type Set<T> = BTreeMap<String, T>;

/// What both have, and what one of them has that the base has not. Of two forms of one thing, the later bead's.
fn union<T: Clone + PartialEq + serde::Serialize>(
    base: &Set<T>,
    own: &Set<T>,
    theirs: &Set<T>,
    later: Ordering,
) -> Vec<T> {
    let mut result = Vec::new();
    for (key, mine) in own {
        match theirs.get(key) {
            Some(other) => result.push(pick(base.get(key), mine, other, later, text).clone()),
            None if !base.contains_key(key) => result.push(mine.clone()),
            None => {}
        }
    }
    let new = |key: &String| !own.contains_key(key) && !base.contains_key(key);
    result.extend(theirs.iter().filter(|(key, _)| new(key)).map(|(_, other)| other.clone()));
    result
}

fn edges(bead: &Bead) -> Set<Dependency> {
    let key = |edge: &Dependency| format!("{}\n{}", edge.depends_on_id, edge.kind);
    bead.dependencies.iter().map(|edge| (key(edge), edge.clone())).collect()
}

/// Ids of comments are numbers of their own in each of bd's older stores, so they say nothing.
fn comments(bead: &Bead) -> Set<Comment> {
    let mut set = Set::new();
    for comment in &bead.comments {
        let second = instant(&comment.created_at).map(Timestamp::as_second);
        let said = |nth: usize| format!("{second:?}\n{}\n{}\n{nth}", comment.author, comment.text);
        let free = (0..).map(said).find(|key| !set.contains_key(key)).unwrap_or_default();
        set.insert(free, comment.clone());
    }
    set
}

fn fields(bead: &Bead) -> Map<String, Value> {
    match serde_json::to_value(bead) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

/// The moment; `None`, before all others, when it is no time.
pub(super) fn instant(time: &str) -> Option<Timestamp> {
    time.parse().ok()
}

fn text(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn sorted_map(map: &Map<String, Value>) -> Map<String, Value> {
    let mut entries: Vec<(String, Value)> =
        map.iter().map(|(key, value)| (key.clone(), sorted(value))).collect();
    entries.sort_by(|one, other| one.0.cmp(&other.0));
    entries.into_iter().collect()
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(sorted_map(map)),
        Value::Array(values) => Value::Array(values.iter().map(sorted).collect()),
        other => other.clone(),
    }
}
