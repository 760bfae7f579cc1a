//! What others made or changed, for the person who decides about it.

use std::fmt::Write;

use serde::Serialize;

use super::text::{columns, pairs};
use crate::base::grammar::count;
use crate::base::terminal::{Text, one_line};
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
    text += &pairs(&[("by", &row.by)]);
    let bead = &one.bead;
    for (title, part) in bead.texts() {
        let _ = write!(text, "\n{title}:\n{}\n", part.trim());
    }
    for comment in &bead.comments {
        let _ = write!(text, "\n{} {}: {}\n", comment.created_at, comment.author, comment.text.trim());
    }
    text
}
