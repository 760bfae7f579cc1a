//! Writing with a call for each change: what every version can.

use serde_json::{Map, Value};

use super::super::embedded::write::change as apply;
use super::read::comma_safe;
use super::shape;
use crate::beads::Change;
use crate::beads::bd::Call;
use crate::model::bead::BeadMap;
use crate::model::bead::{Bead, NewBead, Patch};
use crate::programs::bd::Version;

/// A call for each change, in order; neighbours that say the same of several beads are one call.
pub fn calls(version: Version, found: &BeadMap, changes: &[Change]) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    let mut state = found.clone();
    for (index, change) in changes.iter().enumerate() {
        for call in single(version, &mut state, index, change) {
            let split = call.words.iter().position(|word| word == "--");
            let same = calls.last_mut().filter(|last| {
                matches!(change, Change::Update(..) | Change::Close(..))
                    && split.is_some_and(|at| last.words.get(..=at) == call.words.get(..=at))
            });
            match (same, split) {
                (Some(last), Some(at)) => last.words.extend_from_slice(&call.words[at + 1..]),
                _ => calls.push(call),
            }
        }
    }
    calls
}

/// The calls for one change; `state` holds the beads as they are by then.
pub fn single(version: Version, state: &mut BeadMap, index: usize, change: &Change) -> Vec<Call> {
    let call = |words: Vec<String>| Call { words, ..Call::default() };
    match change {
        Change::Create(new) => {
            if let Some(id) = &new.id {
                state.insert(id.clone(), Bead { id: id.clone(), ..Bead::default() });
            }
            let plain = new.parent.is_none() && new.dependencies.is_empty();
            let creates_plain = plain.then(|| new.labels.clone());
            vec![Call { makes: vec![index], creates_plain, ..create(version, new) }]
        }
        Change::Update(id, patch) => {
            let Some(bead) = state.get_mut(id) else { return Vec::new() };
            let calls = update(version, bead, patch);
            // Checked before: this cannot fail on a patch that did not fail then.
            let _ = apply(bead, patch, "");
            calls.into_iter().map(call).collect()
        }
        Change::Close(id, reason) => {
            vec![call(vec![
                "close".into(),
                "--json".into(),
                "--force".into(),
                format!("--reason={reason}"),
                "--".into(),
                id.clone(),
            ])]
        }
        Change::Comment(id, text) => {
            vec![call(vec![
                "comments".into(),
                "add".into(),
                "--json".into(),
                "--".into(),
                id.clone(),
                text.clone(),
            ])]
        }
        Change::Depend(id, target, kind) => vec![call(vec![
            "dep".into(),
            "add".into(),
            "--json".into(),
            format!("--type={kind}"),
            "--".into(),
            id.clone(),
            target.clone(),
        ])],
    }
}

fn create(version: Version, new: &NewBead) -> Call {
    let kind = if new.issue_type.is_empty() { "task" } else { &new.issue_type };
    let mut words: Vec<String> =
        vec!["create".into(), "--json".into(), format!("--title={}", new.title), format!("--type={kind}")];
    let mut flag = |name: &str, value: &str| {
        if !value.is_empty() {
            words.push(format!("--{name}={value}"));
        }
    };
    if let Some(priority) = new.priority {
        flag("priority", &priority.to_string());
    }
    flag("assignee", new.assignee.as_deref().unwrap_or_default());
    flag("labels", &list(&new.labels));
    flag("design", &new.design);
    flag("acceptance", &new.acceptance_criteria);
    flag("notes", &new.notes);
    flag("external-ref", new.external_ref.as_deref().unwrap_or_default());
    if let Some(minutes) = new.estimated_minutes {
        flag("estimate", &minutes.to_string());
    }
    // A bare id is what is waited for; in 1.0 `blocks:ID` says the opposite.
    let edge = |id: &str, kind: &str| if kind == "blocks" { id.into() } else { format!("{kind}:{id}") };
    let mut edges: Vec<String> = new.dependencies.iter().map(|(id, kind)| edge(id, kind)).collect();
    match (&new.id, &new.parent) {
        (None, Some(parent)) => {
            flag("parent", parent);
            if version.is_whole() {
                words.push("--no-inherit-labels".into());
            }
        }
        (Some(id), parent) => {
            flag("id", id);
            edges.extend(parent.iter().map(|parent| edge(parent, "parent-child")));
        }
        (None, None) => {}
    }
    let mut flag = |name: &str, value: &str| {
        if !value.is_empty() {
            words.push(format!("--{name}={value}"));
        }
    };
    flag("deps", &list(&edges));
    let description = if version.is_whole() {
        if !new.metadata.is_empty() {
            flag("metadata", &Value::Object(new.metadata.clone()).to_string());
        }
        new.description.clone()
    } else {
        shape::with_fence(&new.description, &new.metadata)
    };
    if description.is_empty() {
        return Call { words, ..Call::default() };
    }
    // The one field that can be longer than a word of a command line may be.
    words.push("--body-file=-".into());
    Call { words, stdin: Some(description), ..Call::default() }
}

fn list(values: &[String]) -> String {
    values.iter().map(|value| comma_safe(value.trim())).collect::<Vec<_>>().join(",")
}

fn update(version: Version, bead: &Bead, patch: &Patch) -> Vec<Vec<String>> {
    let mut words: Vec<String> = Vec::new();
    let mut flag = |name: &str, value: Option<&str>| {
        words.extend(value.map(|value| format!("--{name}={value}")));
    };
    flag("status", patch.status.as_deref());
    flag("assignee", patch.assignee.as_ref().map(|name| name.as_deref().unwrap_or_default()));
    flag("title", patch.title.as_deref());
    flag("design", patch.design.as_deref());
    flag("acceptance", patch.acceptance_criteria.as_deref());
    flag("priority", patch.priority.map(|priority| priority.to_string()).as_deref());
    flag("type", patch.issue_type.as_deref());
    flag("estimate", patch.estimated_minutes.map(|minutes| minutes.to_string()).as_deref());
    flag("external-ref", patch.external_ref.as_deref());
    flag("notes", notes(bead, patch).as_deref());
    for label in &patch.add_labels {
        flag("add-label", Some(&comma_safe(label.trim())));
    }
    for label in patch.remove_labels.iter().filter(|label| bead.has_label(label)) {
        flag("remove-label", Some(&comma_safe(label)));
    }
    let (set, gone) = metadata(bead, patch);
    let mut more = Vec::new();
    if version.is_whole() {
        flag("description", patch.description.as_deref());
        if !set.is_empty() {
            flag("metadata", Some(&Value::Object(set).to_string()));
        }
        more = gone.iter().map(|key| format!("--unset-metadata={key}")).collect();
    } else if patch.description.is_some() || !set.is_empty() || !gone.is_empty() {
        let mut whole = bead.metadata.clone();
        whole.extend(set);
        whole.retain(|key, _| !gone.contains(key));
        let text = patch.description.as_ref().unwrap_or(&bead.description);
        flag("description", Some(&shape::with_fence(text, &whole)));
    }
    [words, more]
        .into_iter()
        .filter(|flags| !flags.is_empty())
        .map(|flags| {
            let mut words = vec!["update".to_string(), "--json".into()];
            words.extend(flags);
            words.extend(["--".into(), bead.id.clone()]);
            words
        })
        .collect()
}

fn notes(bead: &Bead, patch: &Patch) -> Option<String> {
    let more = patch.append_notes.as_ref();
    let before = patch.notes.as_ref().unwrap_or(&bead.notes);
    match more {
        Some(more) if before.is_empty() => Some(more.clone()),
        Some(more) => Some(format!("{before}\n{more}")),
        None => patch.notes.clone(),
    }
}

/// What is to be set and what is to go, of what is there.
fn metadata(bead: &Bead, patch: &Patch) -> (Map<String, Value>, Vec<String>) {
    let set = patch.metadata.iter().filter(|(_, value)| !value.is_null());
    let gone =
        patch.metadata.iter().filter(|(key, value)| value.is_null() && bead.metadata.contains_key(*key));
    (
        set.map(|(key, value)| (key.clone(), value.clone())).collect(),
        gone.map(|(key, _)| key.clone()).collect(),
    )
}
