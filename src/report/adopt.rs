//! What others made or changed, for the person who decides about it.

use std::fmt::Write;

use serde::Serialize;

use super::text::{columns, pairs};
use crate::base::grammar::count;
use crate::base::terminal::{Text, one_line};
use crate::beads::foreign::is_own_label;
use crate::work::talk::adopt::{Brings, Foreign};

/// One foreign bead or request.
#[derive(Clone, Debug, Serialize)]
pub struct ForeignRow {
    /// Its id.
    pub id: String,
    /// The rig; none: the town's own store.
    pub rig: Option<String>,
    /// `request`, or the bead's type.
    pub kind: String,
    /// Its title.
    pub title: String,
    /// Who says so: the worker of a request, else who created the bead. Others wrote this too.
    pub by: String,
}

impl ForeignRow {
    /// The row of one.
    pub fn of(one: &Foreign) -> ForeignRow {
        let by = if one.bead.is_request() {
            one.bead.meta("worker").unwrap_or_default()
        } else {
            &one.bead.created_by
        };
        ForeignRow {
            id: one.bead.id.clone(),
            rig: one.rig.as_ref().map(|rig| rig.name.clone()),
            kind: if one.bead.is_request() { "request".into() } else { one.bead.issue_type.clone() },
            title: one.bead.title.clone(),
            by: by.into(),
        }
    }
}

/// One line each.
pub fn list(rows: &[ForeignRow]) -> Text {
    let cells = |row: &ForeignRow| [&row.id, &row.kind, &row.by, &row.title].map(Clone::clone);
    columns(&rows.iter().map(cells).collect::<Vec<_>>())
}

/// One with all that is adopted.
pub fn show(one: &Foreign, brings: Option<&Brings>) -> String {
    let row = ForeignRow::of(one);
    let mut text = one_line(&format!("{}  {}  {}", row.id, row.kind, row.title)) + "\n";
    if let Some(Brings { request, bead, commits, stat }) = brings {
        let bead = bead.as_deref().unwrap_or("not in this store");
        let target = if request.target.is_empty() { "the target" } else { &request.target };
        let commits = format!("{} that {target} lacks", count(*commits, "commit"));
        text += &pairs(&[
            ("bead", &*format!("{}: {bead}", request.bead)),
            ("worker", &request.worker),
            ("branch", &request.branch),
            ("commit", &format!("{}, {commits}", request.commit)),
        ]);
        let _ = writeln!(text, "{}", stat.trim_end());
        return text;
    }
    let bead = &one.bead;
    let labels: Vec<&str> =
        bead.labels.iter().map(String::as_str).filter(|label| !is_own_label(label)).collect();
    // What may say where it runs.
    let estimate = bead.estimated_minutes.map(|minutes| format!("{minutes} min"));
    let (priority, labels) = (bead.priority.to_string(), labels.join(", "));
    let placed = [("labels", Some(labels).filter(|labels| !labels.is_empty())), ("estimate", estimate)];
    let placed = placed.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?)));
    let lines: Vec<(&str, &str)> =
        [("by", row.by.as_str()), ("priority", priority.as_str())].into_iter().chain(placed).collect();
    text += &pairs(&lines);
    for (title, part) in bead.texts() {
        let _ = write!(text, "\n{title}:\n{}\n", part.trim());
    }
    for comment in &bead.comments {
        let _ = write!(text, "\n{} {}: {}\n", comment.created_at, comment.author, comment.text.trim());
    }
    text
}
