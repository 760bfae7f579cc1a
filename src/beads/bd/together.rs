//! Writing several changes in the transactions that bd 1.0 has.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use serde_json::Value;

use super::super::embedded::write::{change as apply, set_status};
use super::read::comma_safe;
use super::{apart, shape};
use crate::base::time;
use crate::beads::Change;
use crate::beads::bd::Call;
use crate::model::bead::BeadMap;
use crate::model::bead::{Bead, Comment, Dependency, NewBead, Patch};
use crate::model::words;
use crate::programs::bd::Version;

/// Changes sorted by the transaction that takes them: `import`, `batch`, then what neither can.
///
/// `import` does not tell other beads that one was closed or opened again, so that is `batch`'s, but for beads that
/// nothing waits for; nor does it take labels or metadata away. Labels go before all else: a bead that has lost
/// "submitted" while its request is open is in the queue still; one that keeps it when the request is closed never
/// comes out.
pub struct Together<'a> {
    version: Version,
    now: String,
    actor: &'a str,
    found: &'a BeadMap,
    created: Vec<(usize, Bead)>,
    rows: BeadMap,
    lines: Vec<String>,
    rest: Vec<(usize, Change)>,
    stripped: BTreeMap<String, Vec<String>>,
    imports: bool,
    in_lines: BTreeSet<String>,
    tangled: bool,
}

impl<'a> Together<'a> {
    /// Sorts the changes.
    ///
    /// # Errors
    /// When a value is refused.
    pub fn of(
        version: Version,
        actor: &'a str,
        found: &'a BeadMap,
        changes: &[Change],
    ) -> Result<Together<'a>> {
        let mut all = Together {
            version,
            now: time::now(),
            actor,
            found,
            created: Vec::new(),
            rows: BeadMap::new(),
            lines: Vec::new(),
            rest: Vec::new(),
            stripped: BTreeMap::new(),
            imports: changes.iter().any(|change| is_imported(found, change)),
            in_lines: BTreeSet::new(),
            tangled: false,
        };
        for (index, change) in changes.iter().enumerate() {
            if !all.take(index, change)? {
                all.rest.push((index, change.clone()));
            } else if let Change::Update(id, _) | Change::Close(id, _) = change {
                all.tangled |= all.rest.iter().any(|(_, earlier)| about(earlier) == Some(id));
            }
        }
        Ok(all)
    }

    /// Whether `import` or `batch` takes the change.
    fn take(&mut self, index: usize, change: &Change) -> Result<bool> {
        match change {
            // bd itself gives children their numbers.
            Change::Create(new) if new.parent.is_some() && new.id.is_none() => Ok(false),
            Change::Create(new) => {
                self.created.push((index, self.bead(new)?));
                Ok(true)
            }
            Change::Update(id, patch) => self.take_update(id, patch),
            Change::Close(id, reason) => Ok(self.take_close(id, reason)),
            Change::Comment(id, text) => {
                let comment = Comment {
                    issue_id: id.clone(),
                    author: self.actor.into(),
                    text: text.clone(),
                    created_at: self.now.clone(),
                    // bd gives a new one when there is none.
                    id: "".into(),
                    ..Comment::default()
                };
                Ok(self.row(id).map(|bead| bead.comments.push(comment)).is_some())
            }
            Change::Depend(id, target, kind) => {
                self.lines.push(format!("dep add {id} {target} {kind}"));
                Ok(true)
            }
        }
    }

    fn take_update(&mut self, id: &str, patch: &Patch) -> Result<bool> {
        let Some(bead) = self.found.get(id) else { return Ok(false) };
        if is_single(bead, patch) {
            return Ok(false);
        }
        let gone: Vec<String> =
            patch.remove_labels.iter().filter(|label| bead.has_label(label)).cloned().collect();
        if let Some(row) = self.rows.get_mut(id) {
            row.labels.retain(|label| !gone.contains(label));
        }
        if !gone.is_empty() {
            self.stripped.entry(id.into()).or_default().extend(gone);
        }
        if *patch == (Patch { remove_labels: patch.remove_labels.clone(), ..Patch::default() }) {
            return Ok(true);
        }
        if let Some(line) = batch_update(id, patch)
            && !self.imports
            && !self.rows.contains_key(id)
        {
            self.line(id, line);
            return Ok(true);
        }
        // `batch` runs after `import`: an earlier change would come to lie over a later one.
        self.tangled |= self.in_lines.contains(id);
        let now = self.now.clone();
        let Some(row) = self.row(id) else { return Ok(false) };
        apply(row, patch, &now)?;
        Ok(true)
    }

    fn take_close(&mut self, id: &str, reason: &str) -> bool {
        let Some(bead) = self.found.get(id) else { return false };
        let now = self.now.clone();
        if stands_alone(bead) && (self.imports || self.rows.contains_key(id)) {
            if let Some(row) = self.row(id) {
                close(row, reason, &now);
            }
            return true;
        }
        let Some(reason) = batch_word(reason) else {
            let alone = stands_alone(bead);
            if let Some(row) = self.row(id).filter(|_| alone) {
                close(row, reason, &now);
            }
            return alone;
        };
        self.line(id, format!("close {id} {reason}"));
        true
    }

    fn line(&mut self, id: &str, line: String) {
        self.in_lines.insert(id.into());
        self.lines.push(line);
    }

    fn row(&mut self, id: &str) -> Option<&mut Bead> {
        if !self.rows.contains_key(id) {
            let mut bead = self.found.get(id)?.clone();
            // bd rounds to seconds, up as well, and `import` passes over a line that is older than the bead it has.
            let time = |text: &str| text.parse::<jiff::Timestamp>().ok();
            if time(&bead.updated_at) < time(&self.now) {
                bead.updated_at.clone_from(&self.now);
            }
            let gone = self.stripped.get(id).map(Vec::as_slice).unwrap_or_default();
            bead.labels.retain(|label| !gone.contains(label));
            self.rows.insert(id.into(), bead);
        }
        self.rows.get_mut(id)
    }

    fn bead(&self, new: &NewBead) -> Result<Bead> {
        let mut bead = Bead {
            id: new.id.clone().unwrap_or_default(),
            created_at: self.now.clone(),
            created_by: self.actor.into(),
            updated_at: self.now.clone(),
            status: words::OPEN.into(),
            priority: new.priority.unwrap_or(2),
            issue_type: if new.issue_type.is_empty() { "task".into() } else { new.issue_type.clone() },
            metadata: new.metadata.clone(),
            ..Bead::default()
        };
        let patch = Patch {
            title: Some(new.title.clone()),
            description: Some(new.description.clone()),
            design: Some(new.design.clone()),
            acceptance_criteria: Some(new.acceptance_criteria.clone()),
            notes: Some(new.notes.clone()),
            assignee: Some(new.assignee.clone()),
            estimated_minutes: new.estimated_minutes,
            external_ref: new.external_ref.clone(),
            add_labels: new.labels.clone(),
            ..Patch::default()
        };
        apply(&mut bead, &patch, &self.now)?;
        let above = new.parent.iter().map(|parent| (parent, "parent-child"));
        let edges = new.dependencies.iter().map(|(target, kind)| (target, kind.as_str()));
        for (target, kind) in above.chain(edges) {
            bead.dependencies.push(Dependency {
                issue_id: bead.id.clone(),
                depends_on_id: target.clone(),
                kind: kind.into(),
                created_at: self.now.clone(),
                created_by: self.actor.into(),
                ..Default::default()
            });
        }
        if bead.is_mail() {
            // As bd makes them: apart from the work, and not synced with it.
            bead.extra.insert("ephemeral".into(), true.into());
        }
        Ok(bead)
    }

    /// The calls in their order; `None` when this way would not keep the order of the changes, or bd would not take
    /// them so.
    pub fn calls(self) -> Option<Vec<Call>> {
        let letter = |bead: &Bead| bead.extra.get("ephemeral").is_some_and(|value| value == true);
        let mut imported = self.created.iter().map(|(_, bead)| bead).chain(self.rows.values()).peekable();
        // What is kept apart from the work makes no commit, and an `import` without one calls that an error.
        if self.tangled || (imported.peek().is_some() && imported.all(letter)) {
            return None;
        }
        let mut calls = self.strips();
        let makes: Vec<usize> = self.created.iter().map(|(index, _)| *index).collect();
        let beads: Vec<&Bead> = self.created.iter().map(|(_, bead)| bead).chain(self.rows.values()).collect();
        if !beads.is_empty() {
            let text: String = beads
                .iter()
                .map(|bead| match self.stripped.contains_key(&bead.id) {
                    // Losing a label has changed it just now; a line without a time is older than nothing.
                    true => shape::timeless_line(bead),
                    false => shape::line(bead, true),
                })
                .collect();
            let words = ["import", "--json", "-"].map(String::from).to_vec();
            calls.push(Call { words, stdin: Some(text), makes, ..Call::default() });
        }
        if !self.lines.is_empty() {
            let words = ["batch", "--json"].map(String::from).to_vec();
            calls.push(Call { words, stdin: Some(self.lines.join("\n") + "\n"), ..Call::default() });
        }
        let mut state = self.found.clone();
        state.extend(self.created.iter().map(|(_, bead)| (bead.id.clone(), bead.clone())));
        state.extend(self.rows);
        for (index, change) in &self.rest {
            calls.extend(apart::single(self.version, &mut state, *index, change));
        }
        Some(calls)
    }

    /// A call for each set of labels that go.
    fn strips(&self) -> Vec<Call> {
        let mut by_labels: BTreeMap<&[String], Vec<&String>> = BTreeMap::new();
        for (id, labels) in &self.stripped {
            by_labels.entry(labels).or_default().push(id);
        }
        let call = |(labels, ids): (&[String], Vec<&String>)| {
            let mut words: Vec<String> = vec!["update".into(), "--json".into()];
            words.extend(labels.iter().map(|label| format!("--remove-label={}", comma_safe(label))));
            words.push("--".into());
            words.extend(ids.into_iter().cloned());
            Call { words, ..Call::default() }
        };
        by_labels.into_iter().map(call).collect()
    }
}

/// Whether a change is one that `import` takes whatever comes with it.
fn is_imported(found: &BeadMap, change: &Change) -> bool {
    match change {
        Change::Create(new) => new.parent.is_none() || new.id.is_some(),
        Change::Comment(..) => true,
        Change::Update(id, patch) => {
            let rest = Patch { remove_labels: Vec::new(), ..(**patch).clone() };
            found.get(id).is_some_and(|bead| !is_single(bead, patch))
                && rest != Patch::default()
                && batch_update(id, patch).is_none()
        }
        Change::Close(..) | Change::Depend(..) => false,
    }
}

/// Whether a patch needs a call of its own.
fn is_single(bead: &Bead, patch: &Patch) -> bool {
    let reopened = patch.status.as_deref().is_some_and(|status| bead.is_closed() || status == words::CLOSED);
    (reopened && !stands_alone(bead)) || patch.metadata.values().any(Value::is_null)
}

fn about(change: &Change) -> Option<&String> {
    match change {
        Change::Update(id, _) | Change::Close(id, _) => Some(id),
        _ => None,
    }
}

/// Requests and messages: no work waits for them.
fn stands_alone(bead: &Bead) -> bool {
    bead.is_letter()
}

fn close(bead: &mut Bead, reason: &str, now: &str) {
    set_status(bead, words::CLOSED, now);
    bead.close_reason = reason.into();
}

/// A word of `bd batch`, whose lines hold one command each; `None` for a text of several lines.
fn batch_word(text: &str) -> Option<String> {
    let plain = !text.chars().any(char::is_control);
    plain.then(|| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// The line of `bd batch` that is the whole patch, labels that go left out.
fn batch_update(id: &str, patch: &Patch) -> Option<String> {
    let known = Patch {
        status: patch.status.clone(),
        assignee: patch.assignee.clone(),
        title: patch.title.clone(),
        priority: patch.priority,
        remove_labels: patch.remove_labels.clone(),
        ..Patch::default()
    };
    if known != *patch {
        return None;
    }
    let mut line = format!("update {id}");
    let mut set = |key: &str, value: &str| {
        line += &format!(" {key}={}", batch_word(value)?);
        Some(())
    };
    if let Some(status) = &patch.status {
        set("status", status)?;
    }
    if let Some(assignee) = &patch.assignee {
        set("assignee", assignee.as_deref().unwrap_or_default())?;
    }
    if let Some(title) = &patch.title {
        set("title", title)?;
    }
    if let Some(priority) = patch.priority {
        set("priority", &priority.to_string())?;
    }
    (line.len() > id.len() + 7).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BD: Version = Version(1, 0, 5);

    fn found(id: &str, kind: &str) -> (String, Bead) {
        let bead =
            Bead { id: id.into(), issue_type: kind.into(), status: words::OPEN.into(), ..Bead::default() };
        (id.into(), Bead { title: id.into(), updated_at: "2026-01-01T00:00:00Z".into(), ..bead })
    }

    fn calls(changes: &[Change]) -> Option<Vec<String>> {
        let found = [found("work", "task"), found("request", words::MERGE_REQUEST)].into();
        let calls = Together::of(BD, "me", &found, changes).unwrap().calls()?;
        Some(calls.into_iter().map(|call| call.words[0].clone()).collect())
    }

    fn update(patch: Patch) -> Change {
        Change::Update("work".into(), Box::new(patch))
    }

    fn new(kind: &str) -> Change {
        Change::Create(Box::new(NewBead { title: "x".into(), issue_type: kind.into(), ..NewBead::default() }))
    }

    #[test]
    fn closings_that_others_wait_for_are_not_imported() {
        let over = "over\ntwo lines".to_string();
        let close = |id: &str| Change::Close(id.into(), over.clone());
        assert_eq!(calls(&[new("task"), close("request")]).unwrap(), ["import"]);
        assert_eq!(calls(&[new("task"), close("work")]).unwrap(), ["import", "close"]);
        let short = Change::Close("work".into(), "over".into());
        assert_eq!(calls(&[new("task"), short]).unwrap(), ["import", "batch"]);
    }

    #[test]
    fn what_would_change_places_or_make_no_commit_is_left_to_single_calls() {
        let status = Patch { status: Some(words::HOOKED.into()), ..Patch::default() };
        let notes = Patch { notes: Some("x".into()), ..Patch::default() };
        assert_eq!(calls(&[update(status.clone()), update(notes.clone())]).unwrap(), ["import"]);
        assert_eq!(calls(&[update(notes), update(status)]).unwrap(), ["import"]);
        assert!(calls(&[new(words::MESSAGE), new(words::MESSAGE)]).is_none());
        assert_eq!(calls(&[new(words::MESSAGE), new("task")]).unwrap(), ["import"]);
    }

    #[test]
    fn lines_of_a_batch_hold_one_word_for_one_value() {
        assert_eq!(batch_word("a \"b\" \\").as_deref(), Some(r#""a \"b\" \\""#));
        assert_eq!(batch_word("a\nclose other"), None);
        let patch = Patch { assignee: Some(None), priority: Some(0), ..Patch::default() };
        assert_eq!(batch_update("id", &patch).as_deref(), Some(r#"update id assignee="" priority="0""#));
        assert_eq!(batch_update("id", &Patch { notes: Some("x".into()), ..patch }), None);
    }
}
