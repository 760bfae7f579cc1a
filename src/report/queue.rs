//! The merge queue: what waits, and what came of processing it.

use std::fmt::Write;

use super::text::{columns, pairs};
use crate::base::terminal::Text;
use crate::base::time;
use crate::work::merge::approval::Shown;
use crate::work::merge::progress::MergeProgress;
use crate::work::merge::queue::{Counts, RequestRow};
use crate::work::merge::refinery::Processed;
use crate::work::observe::view::{RigView, ToStart};

/// The queue of a rig, in its order, one line each.
pub fn list(rows: &[RequestRow], now: &str) -> Text {
    let cells = |row: &RequestRow| {
        let held = match row {
            RequestRow { foreign: true, .. } => "foreign  ",
            RequestRow { held: true, .. } => "held  ",
            RequestRow { failure: Some(_), .. } => "stuck  ",
            RequestRow { needs_approval: Some(_), .. } => "waits for approval  ",
            _ => "",
        };
        let (priority, age) = (format!("P{}", row.priority), format!("{:>4}", row.age(now)));
        let title = format!("{held}{}", row.title);
        [row.id.clone(), priority, age, row.bead.to_string(), row.worker.clone(), title]
    };
    let lines = columns(&rows.iter().map(cells).collect::<Vec<_>>());
    let mut text = Text::default();
    for (line, row) in lines.lines().zip(rows) {
        text.push(line.then("\n"));
        if let Some(why) = &row.needs_approval {
            text.push(format!("  {why}; look at it and consent with: gt mq approve {}\n", row.id));
        }
    }
    text
}

/// Both halves of a rig's queue.
pub fn both(rig: &RigView, requests: &[RequestRow], now: &str) -> Text {
    let mut text = Text::from(format!("{}\n", rig.name));
    let half = |text: &mut Text, what: &str, rows: Text| {
        text.push(format!("  to {what}{}\n", if rows.is_empty() { ": nothing" } else { "" }));
        rows.lines().for_each(|line| text.push(Text::from("    ").then(line).then("\n")));
    };
    half(&mut text, "start", to_start(&rig.to_start, now));
    half(&mut text, "merge", list(requests, now));
    text
}

/// What waits to be started, in its order, one line each.
fn to_start(rows: &[ToStart], now: &str) -> Text {
    let cells = |row: &ToStart| {
        let age = time::seconds_between(&row.since, now).map_or_else(|| "?".into(), time::short_age);
        [
            row.bead.to_string(),
            format!("P{}", row.priority),
            format!("{age:>4}"),
            row.why.clone(),
            row.title.clone(),
        ]
    };
    columns(&rows.iter().map(cells).collect::<Vec<_>>())
}

/// One request with all that is known of it.
pub fn show(row: &RequestRow, now: &str) -> String {
    let text = format!("{}  {}\n", row.id, row.title);
    let state = match (row.foreign, row.held) {
        (true, _) => format!("{}, foreign: this town did not make it, or others changed it", row.state),
        (_, true) => format!("{}, held by a person", row.state),
        _ => row.state.clone(),
    };
    let approval = row.needs_approval.as_ref().map(|why| format!("waits: {why}"));
    let (priority, age, attempt) = (format!("P{}", row.priority), row.age(now), row.attempt.to_string());
    let mut known = vec![
        ("state", state.as_str()),
        ("bead", &row.bead),
        ("worker", &row.worker),
        ("branch", &row.branch),
        ("commit", &row.commit),
        ("target", &row.target),
        ("priority", &priority),
        ("waits", &age),
        ("attempt", &attempt),
    ];
    known.extend(row.failure.as_deref().map(|failure| ("failure", failure)));
    known.extend(approval.as_deref().map(|approval| ("approval", approval)));
    text + &pairs(&known)
}

/// What a person is shown before consenting to a request.
pub fn consent(shown: &Shown) -> String {
    let mut text = format!("{}  {}\n", shown.request, shown.title);
    let why = shown.why.as_deref().unwrap_or("no consent is needed");
    text += &pairs(&[
        ("bead", shown.bead.as_str()),
        ("worker", &shown.worker),
        ("branch", &shown.branch),
        ("commit", &shown.commit),
        ("target", &shown.target),
        ("waits", why),
    ]);
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
        let age = |then: &str| time::seconds_between(then, now).map_or_else(|| "?".into(), time::short_age);
        let MergeProgress { began, now: does, since, last, ended } = &self.progress;
        if self.busy {
            text.push_str("; merging now");
        }
        text.push('\n');
        if self.busy && !does.is_empty() {
            let _ = writeln!(text, "  now: {does}, for {}; this run for {}", age(since), age(began));
        }
        if !last.is_empty() {
            let _ = writeln!(text, "  last: {last}, {} ago", age(ended));
        }
        text
    }
}

impl Processed {
    /// What came of it, in one line.
    pub fn line(&self) -> String {
        let mut text = format!("{} merged, {} set aside", self.merged.len(), self.set_aside.len());
        if !self.waits.is_empty() {
            let _ = write!(text, ", {} left waiting", self.waits.len());
        }
        if let Some(why) = &self.stopped {
            let _ = write!(text, "; it stopped: {}", why.lines().next().unwrap_or_default());
        }
        text
    }

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
            if aside.again {
                let _ = writeln!(text, "           it waits for a place again: gt queue");
            }
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
