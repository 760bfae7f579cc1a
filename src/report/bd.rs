//! What `gt bd` answers: bd's JSON shapes, and lines for people.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use crate::base::terminal::one_line;
use crate::model::bead::Bead;

/// One record with `schema_version`: the answer of what makes or changes a single thing.
pub fn record(value: Value) -> Value {
    let mut fields = object(value);
    fields.insert("schema_version".into(), 1.into());
    Value::Object(fields)
}

/// A bead by itself, without dependencies and comments: as it stands after a change.
pub fn plain(bead: &Bead) -> Value {
    let mut fields = object(serde_json::to_value(bead).unwrap_or_default());
    fields.shift_remove("dependencies");
    fields.shift_remove("comments");
    mark(bead, &mut fields);
    Value::Object(fields)
}

/// Says of a bead that nothing acts on that it is so.
fn mark(bead: &Bead, fields: &mut Map<String, Value>) {
    if bead.foreign {
        fields.insert("foreign".into(), true.into());
    }
}

/// A bead in a list: its own edges, counts, its parent; so many others wait for it.
pub fn listed(bead: &Bead, dependents: usize) -> Value {
    let mut fields = object(serde_json::to_value(bead).unwrap_or_default());
    fields.shift_remove("comments");
    mark(bead, &mut fields);
    fields.insert("dependency_count".into(), bead.blockers().count().into());
    fields.insert("dependent_count".into(), dependents.into());
    fields.insert("comment_count".into(), bead.comments.len().into());
    if let Some(parent) = bead.parent() {
        fields.insert("parent".into(), parent.into());
    }
    Value::Object(fields)
}

/// A bead with all about it; `others` are the beads it depends on, and so many depend on it.
pub fn shown(bead: &Bead, others: &[Bead], dependents: usize) -> Value {
    let mut fields = object(plain(bead));
    let edges: Vec<Value> = bead
        .dependencies
        .iter()
        .map(|edge| {
            let other = others.iter().find(|other| other.id == edge.depends_on_id);
            let mut other = object(other.map_or_else(|| json!({ "id": edge.depends_on_id }), plain));
            other.insert("dependency_type".into(), edge.kind.clone().into());
            Value::Object(other)
        })
        .collect();
    if !edges.is_empty() {
        fields.insert("dependencies".into(), edges.into());
    }
    if !bead.comments.is_empty() {
        fields.insert("comments".into(), json!(bead.comments));
    }
    if let Some(parent) = bead.parent() {
        fields.insert("parent".into(), parent.into());
    }
    fields.insert("dependent_count".into(), dependents.into());
    fields.insert("dependency_count".into(), bead.dependencies.len().into());
    fields.insert("comment_count".into(), bead.comments.len().into());
    Value::Object(fields)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// How many characters the longest id, status and type have.
pub fn widths(beads: &[Bead]) -> [usize; 3] {
    let width = |of: fn(&Bead) -> &str| beads.iter().map(|bead| of(bead).chars().count()).max().unwrap_or(0);
    [width(|bead| &bead.id), width(|bead| &bead.status), width(|bead| &bead.issue_type)]
}

/// A bead in one line, in columns of these widths.
pub fn line(bead: &Bead, [ids, statuses, types]: [usize; 3]) -> String {
    let line = format!(
        "{:ids$}  P{}  {:statuses$}  {:types$}  {}",
        bead.id, bead.priority, bead.status, bead.issue_type, bead.title
    );
    let foreign = if bead.foreign { "  (foreign)" } else { "" };
    let assignee = bead.assignee.as_ref().map(|name| format!("  ({name})")).unwrap_or_default();
    let labels = match bead.labels.is_empty() {
        true => String::new(),
        false => format!("  [{}]", bead.labels.join(", ")),
    };
    one_line(&(line + foreign + &assignee + &labels)) + "\n"
}

/// A bead on a page of its own; `others` are the beads it depends on.
pub fn page(bead: &Bead, others: &[Bead]) -> String {
    let mut text = format!("{}  {}\n", bead.id, bead.title);
    let holder = bead.assignee.as_deref().unwrap_or("nobody's");
    let _ = writeln!(text, "P{} {}, {}, {holder}", bead.priority, bead.issue_type, bead.status);
    if bead.foreign {
        let _ = writeln!(
            text,
            "foreign: others made it, or changed it; nothing acts on it until: gt adopt {}",
            bead.id
        );
    }
    if !bead.close_reason.is_empty() {
        let _ = writeln!(text, "closed: {}", bead.close_reason);
    }
    if !bead.labels.is_empty() {
        let _ = writeln!(text, "labels: {}", bead.labels.join(", "));
    }
    if let Some(minutes) = bead.estimated_minutes {
        let _ = writeln!(text, "estimate: {minutes} minutes");
    }
    if let Some(name) = &bead.external_ref {
        let _ = writeln!(text, "elsewhere: {name}");
    }
    let _ = writeln!(text, "made {} by {}, changed {}", bead.created_at, bead.created_by, bead.updated_at);
    for edge in &bead.dependencies {
        let other = others.iter().find(|other| other.id == edge.depends_on_id);
        let state =
            other.map_or("not in this store".into(), |other| format!("{}: {}", other.status, other.title));
        let kind = match edge.kind.as_str() {
            "blocks" => "waits for",
            "parent-child" => "part of",
            kind => kind,
        };
        let _ = writeln!(text, "{kind} {} ({state})", edge.depends_on_id);
    }
    for (name, part) in [
        ("", &bead.description),
        ("Design", &bead.design),
        ("Acceptance criteria", &bead.acceptance_criteria),
        ("Notes", &bead.notes),
    ] {
        if !part.is_empty() {
            let head = if name.is_empty() { String::new() } else { format!("{name}:\n") };
            let _ = write!(text, "\n{head}{}\n", part.trim_end());
        }
    }
    if !bead.metadata.is_empty() {
        let _ = write!(text, "\nMetadata:\n{}\n", Value::Object(bead.metadata.clone()));
    }
    text + &comments(bead)
}

/// A bead's comments; nothing when there are none.
pub fn comments(bead: &Bead) -> String {
    let mut text = String::new();
    for comment in &bead.comments {
        let _ = write!(text, "\n{} {}:\n{}\n", comment.created_at, comment.author, comment.text.trim_end());
    }
    text
}

/// `bd prime`: how to work with beads, for an agent.
pub const GUIDE: &str = "\
# Work is in beads: use bd, not lists of your own
bd ready                              what can be begun, best first
bd show ID                            everything about one
bd update ID --claim                  take it (fails when somebody has it)
bd create \"Title\" -d \"What\" -p 2      more work that you found (-t bug|feature|task|epic|chore)
bd create \"Title\" --parent EPIC       a part of an epic
bd dep add ID OTHER                   ID waits for OTHER
bd comments add ID \"What I found\"     a remark; bd update ID --append-notes \"…\" for the notes
bd close ID --reason \"Why\"            done (work for the merge queue: gt done)
bd list --status in_progress          what is being done; --all: everything
Ids are exact. --json on any of these. Everyone shares one store: there is nothing to sync.
";
