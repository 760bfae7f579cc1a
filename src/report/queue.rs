//! The merge queue: what waits, and what came of processing it.

use std::fmt::Write;

use serde::Serialize;

use crate::beads::{Bead, words};
use crate::terminal::one_line;
use crate::time;
use crate::work::approval::Shown;
use crate::work::aside::SetAside;
use crate::work::request::Request;

/// The state of a bead that came back.
const SET_ASIDE: &str = "set aside";

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Its id.
    pub id: String,
    /// The bead that it does.
    pub bead: String,
    /// The bead's title.
    pub title: String,
    /// 0 (first) to 4.
    pub priority: u8,
    /// The branch.
    pub branch: String,
    /// The commit that was handed over.
    pub commit: String,
    /// Where it is to land.
    pub target: String,
    /// Who did it.
    pub worker: String,
    /// Since when it waits: RFC 3339, UTC.
    pub created: String,
    /// 1 for the first try of the bead.
    pub attempt: u32,
    /// A person keeps its bead back.
    pub held: bool,
    /// `open`, or what closed it; `set aside` for a bead that came back.
    pub state: String,
    /// What keeps it from being merged until a person does something; why it was set aside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Why it waits for a person's consent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs_approval: Option<String>,
    /// This town did not make it, or others changed it: it is not merged.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub foreign: bool,
}

impl Row {
    /// The row of a request; `bead` when it was read.
    pub fn new(request: &Request, bead: Option<&Bead>, state: &str) -> Row {
        Row {
            id: request.id.clone(),
            bead: request.bead.clone(),
            title: request.title.clone(),
            priority: request.priority,
            branch: request.branch.clone(),
            commit: request.commit.clone(),
            target: request.target.clone(),
            worker: request.worker.clone(),
            created: request.created.clone(),
            attempt: request.attempt,
            held: bead.is_some_and(|bead| bead.has_label(words::LABEL_HOLD)),
            state: state.into(),
            failure: None,
            needs_approval: None,
            foreign: false,
        }
    }

    /// The row of a foreign request, with as much of what it says as can be read.
    pub fn foreign(own: &Bead) -> Row {
        let state = if own.is_closed() { own.close_reason.as_str() } else { own.status.as_str() };
        let known = |request: &Request| Row::new(request, None, state);
        let none = Request { id: own.id.clone(), title: own.title.clone(), ..Request::default() };
        match Request::read(own) {
            Some(Err(why)) => Row { foreign: true, failure: Some(why), ..known(&none) },
            Some(Ok(request)) => Row { foreign: true, ..known(&request) },
            None => Row { foreign: true, ..known(&none) },
        }
    }

    /// The row of a bead that came back from the queue, with the reason; `None` for any other.
    pub fn set_aside(bead: &Bead) -> Option<Row> {
        if bead.status != words::OPEN || !bead.has_label(words::LABEL_REWORK) {
            return None;
        }
        let request = Request {
            bead: bead.id.clone(),
            title: bead.title.clone(),
            priority: bead.priority,
            created: bead.updated_at.clone(),
            ..Request::default()
        };
        let reason = bead.meta(words::META_SET_ASIDE).unwrap_or("see its comments");
        Some(Row { failure: Some(reason.into()), ..Row::new(&request, Some(bead), SET_ASIDE) })
    }

    /// A bead that came back, in one line.
    pub fn came_back(&self) -> String {
        let reason = one_line(self.failure.as_deref().unwrap_or_default());
        format!("{SET_ASIDE}  {}  {reason}: {}", self.bead, one_line(&self.title))
    }

    /// The same with what its own bead says of a failure.
    #[must_use]
    pub fn of(self, request: Option<&Bead>) -> Row {
        let failure = request.and_then(|own| own.meta(crate::work::queue::META_FAILURE)).map(Into::into);
        let needs = request.and_then(|own| crate::work::approval::noted(own, &self.commit));
        Row { failure, needs_approval: needs.map(Into::into), ..self }
    }

    /// How long it waits, as a word.
    pub fn age(&self, now: &str) -> String {
        time::seconds_between(&self.created, now).map_or_else(|| "?".into(), time::short_age)
    }
}

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

/// How much waits in one rig.
#[derive(Clone, Debug, Serialize)]
pub struct Counts {
    /// The rig.
    pub rig: String,
    /// Requests that wait.
    pub waiting: usize,
    /// Of these, held by a person.
    pub held: usize,
    /// Of these, waiting for a person's consent.
    pub for_approval: usize,
    /// Open requests that this town did not make, or that others changed.
    pub foreign: usize,
    /// Since when the oldest waits.
    pub oldest: Option<String>,
    /// A command merges at this moment.
    pub busy: bool,
    /// Beads that came back from the queue and wait to be slung again.
    pub set_aside: usize,
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

/// One request that landed.
#[derive(Clone, Debug, Serialize)]
pub struct Merged {
    /// The request; empty for one that never was in the queue.
    pub request: String,
    /// The bead.
    pub bead: String,
    /// The bead's title.
    pub title: String,
    /// As which commit.
    pub commit: String,
    /// It was on the target already.
    pub was_there: bool,
    /// Its branch at origin stays, because later commits are on it or origin keeps it.
    pub branch_kept: Option<String>,
}

/// One request that stays in the queue.
#[derive(Clone, Debug, Serialize)]
pub struct Waits {
    /// The request.
    pub request: String,
    /// The bead.
    pub bead: String,
    /// Why.
    pub why: String,
}

/// What processing a queue came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Processed {
    /// The rig.
    pub rig: String,
    /// What landed, in order.
    pub merged: Vec<Merged>,
    /// What did not.
    pub set_aside: Vec<SetAside>,
    /// Replaced by a later request for the same branch: request and its successor.
    pub superseded: Vec<(String, String)>,
    /// What stays in the queue.
    pub waits: Vec<Waits>,
    /// How many times the tests were run.
    pub test_runs: usize,
    /// Why it stopped before the queue was empty.
    pub stopped: Option<String>,
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
