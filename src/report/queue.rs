//! The merge queue: what waits, and what came of processing it.

use std::fmt::Write;

use crate::base::terminal::one_line;
use crate::base::time;
use crate::work::merge::approval::Shown;
use crate::work::merge::queue::{Counts, Row};
use crate::work::merge::refinery::Processed;

/// The queue of a rig, in its order, one line each.
pub fn list(rows: &[Row], now: &str) -> String {
    let width = |of: fn(&Row) -> &str| rows.iter().map(|row| of(row).chars().count()).max().unwrap_or(0);
    let (ids, beads, workers) = (width(|row| &row.id), width(|row| &row.bead), width(|row| &row.worker));
    let mut text = String::new();
    for row in rows {
        let held = match row {
            Row { foreign: true, .. } => "foreign  ",
            Row { held: true, .. } => "held  ",
            Row { failure: Some(_), .. } => "stuck  ",
            Row { needs_approval: Some(_), .. } => "waits for approval  ",
            _ => "",
        };
        let line = format!(
            "{:ids$}  P{}  {:>4}  {:beads$}  {:workers$}  {held}{}",
            row.id,
            row.priority,
            row.age(now),
            row.bead,
            row.worker,
            row.title
        );
        text += &(one_line(&line) + "\n");
        if let Some(why) = &row.needs_approval {
            let _ = writeln!(text, "  {why}; look at it and consent with: gt mq approve {}", row.id);
        }
    }
    text
}

/// One request with all that is known of it.
pub fn show(row: &Row, now: &str) -> String {
    let mut text = format!("{}  {}\n", row.id, row.title);
    let state = match (row.foreign, row.held) {
        (true, _) => format!("{}, foreign: this town did not make it, or others changed it", row.state),
        (_, true) => format!("{}, held by a person", row.state),
        _ => row.state.clone(),
    };
    for (key, value) in [
        ("state", state.as_str()),
        ("bead", &row.bead),
        ("worker", &row.worker),
        ("branch", &row.branch),
        ("commit", &row.commit),
        ("target", &row.target),
        ("priority", &format!("P{}", row.priority)),
        ("waits", &row.age(now)),
        ("attempt", &row.attempt.to_string()),
    ] {
        let _ = writeln!(text, "  {key:9} {value}");
    }
    if let Some(failure) = &row.failure {
        let _ = writeln!(text, "  {:9} {failure}", "failure");
    }
    if let Some(why) = &row.needs_approval {
        let _ = writeln!(text, "  {:9} waits: {why}", "approval");
    }
    text
}

/// What a person is shown before consenting to a request.
pub fn consent(shown: &Shown) -> String {
    let mut text = format!("{}  {}\n", shown.request, shown.title);
    let why = shown.why.as_deref().unwrap_or("no consent is needed");
    for (key, value) in [
        ("bead", shown.bead.as_str()),
        ("worker", &shown.worker),
        ("branch", &shown.branch),
        ("commit", &shown.commit),
        ("target", &shown.target),
        ("waits", why),
    ] {
        let _ = writeln!(text, "  {key:9} {value}");
    }
    for line in shown.diffstat.lines() {
        let _ = writeln!(text, "  {line}");
    }
    text
}

impl Counts {
    /// In one line.
    pub fn line(&self, now: &str) -> String {
        let mut text = format!("{}: {} in the queue", self.rig, self.waiting);
        if self.held > 0 {
            let _ = write!(text, ", {} held", self.held);
        }
        if self.for_approval > 0 {
            let _ = write!(text, ", {} for approval (gt mq list {})", self.for_approval, self.rig);
        }
        if let Some(age) = self.oldest.as_deref().and_then(|oldest| time::seconds_between(oldest, now)) {
            let _ = write!(text, ", the oldest for {}", time::short_age(age));
        }
        if self.foreign > 0 {
            let _ = write!(text, "; {} foreign", self.foreign);
        }
        if self.set_aside > 0 {
            let _ = write!(text, "; {} set aside", self.set_aside);
        }
        if self.busy {
            text.push_str("; merging now");
        }
        text + "\n"
    }
}

impl Processed {
    /// One line for each request.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for merged in &self.merged {
            let short = merged.commit.get(..9).unwrap_or(&merged.commit);
            let there = if merged.was_there { " (was there already)" } else { "" };
            let _ = writeln!(text, "merged     {}  {short}  {}{there}", merged.bead, merged.title);
            if let Some(branch) = &merged.branch_kept {
                let _ = writeln!(text, "           {branch} stays at origin");
            }
        }
        for aside in &self.set_aside {
            let _ = writeln!(text, "set aside  {}  {}  {}", aside.bead, aside.reason.line(), aside.title);
        }
        for (old, new) in &self.superseded {
            let _ = writeln!(text, "replaced   {old}  by {new}");
        }
        for waits in &self.waits {
            let _ = writeln!(text, "waits      {}  {}", waits.bead, waits.why);
        }
        if text.is_empty() && self.stopped.is_none() {
            let _ = writeln!(text, "{}: nothing waits to be merged", self.rig);
        }
        text
    }
}
