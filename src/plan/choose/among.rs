//! Which of several daemons: all tags, most free places, lowest latency.

use std::cmp::Reverse;

use super::{Candidate, Choice, Fallback, Search, lacks};
use crate::base::failure::{Exit, Failure};
use crate::config::remotes::KnownRemote;

/// Places of a daemon without a limit: more than any limit, and fewer with each session.
const UNLIMITED: usize = 1 << 40;

impl Candidate {
    /// How many more sessions it takes.
    fn free(&self) -> usize {
        self.known.max_workers.unwrap_or(UNLIMITED).saturating_sub(self.sessions)
    }

    /// `gaming-pc: 4 of 6 places free, 1.2 ms`
    fn line(&self) -> String {
        let name = &self.known.name;
        if let Some(why) = &self.silent {
            return format!("{name}: silent: {why}");
        }
        let places = match self.known.max_workers {
            Some(most) => format!("{} of {most} places free", self.free()),
            None => format!("{} of ours, no limit", self.sessions),
        };
        match self.latency_us {
            _ if self.opens => format!("{name}: {places}; its tunnel is opened first"),
            Some(latency) => format!("{name}: {places}, {:.1} ms", latency as f64 / 1000.0),
            None => format!("{name}: {places}"),
        }
    }
}

impl Search<'_> {
    /// The best of those that have all these tags.
    pub(super) fn among(mut self, tags: &[String]) -> Result<Choice, Failure> {
        let candidates = self.candidates;
        let mut fitting = Vec::new();
        for one in candidates {
            let missing = lacks(one, tags);
            if missing.is_empty() {
                fitting.push(one);
            } else {
                self.why.push(format!("{}: lacks {}", one.known.name, missing.join(", ")));
            }
        }
        if fitting.is_empty() {
            let what = if candidates.is_empty() {
                "there is no remote".to_string()
            } else {
                format!("no remote has all these tags: {}", tags.join(", "))
            };
            let hint = "see remotes and their tags with: gt remote list; here for once: --local";
            return match self.wish.fallback {
                Some(Fallback::Local) => Ok(Choice::here(self.why, format!("{what}: --fallback local"))),
                _ => Err(Failure::new(what).hint(hint)),
            };
        }
        self.of(&fitting, tags)
    }

    /// The best of these: of those that answer and have room the one with most free places, then the quickest, then
    /// the first by name.
    pub(super) fn of(mut self, fitting: &[&Candidate], tags: &[String]) -> Result<Choice, Failure> {
        self.why.extend(fitting.iter().map(|one| one.line()));
        let best = fitting
            .iter()
            .filter(|one| one.silent.is_none() && one.free() > 0)
            .min_by_key(|one| (Reverse(one.free()), one.latency_us.unwrap_or(u64::MAX), &one.known.name));
        match best {
            Some(one) => Ok(Choice { remote: Some(one.known.clone()), why: self.why, opens: one.opens }),
            None => self.no_place(fitting, tags),
        }
    }

    /// What to do when none of them can take a session.
    fn no_place(self, fitting: &[&Candidate], tags: &[String]) -> Result<Choice, Failure> {
        let full: Vec<&&Candidate> = fitting.iter().filter(|one| one.silent.is_none()).collect();
        // A daemon that is full gets room again by itself; one that does not answer needs a person.
        let fallback =
            self.wish.fallback.unwrap_or(if full.is_empty() { Fallback::Fail } else { Fallback::Wait });
        let what = match (fitting, full.as_slice()) {
            ([one], []) => unreachable(one),
            ([one], _) => format!("{} is full: {} places are taken", one.known.name, taken(one)),
            (_, []) => format!("no remote{} answers: {}", with(tags), each(fitting, unreachable)),
            _ => format!("no remote{} has room: {}", with(tags), each(fitting, state)),
        };
        match fallback {
            Fallback::Local => Ok(Choice::here(self.why, format!("{what}: --fallback local"))),
            Fallback::Wait => Err(Failure { exit: Exit::Queued, ..waits(what, full.is_empty()) }),
            Fallback::Fail => Err(Failure::new(what).hint(help(fitting))),
        }
    }
}

fn waits(what: String, silent: bool) -> Failure {
    let when = if silent { "it answers" } else { "one of them ends" };
    Failure::new(format!("{what}; the work waits, untouched")).hint(format!(
        "run the same again when {when} (gt remote status shows it); or do it here: --fallback local"
    ))
}

fn help(fitting: &[&Candidate]) -> String {
    let Some(silent) = fitting.iter().find(|one| one.silent.is_some()) else {
        return "wait until one of them ends (gt remote status shows it); or do it here: --local".into();
    };
    let look = format!("look with: gt remote status {}", silent.known.name);
    format!("{}; here for once: --local", silent.hint.as_deref().unwrap_or(&look))
}

fn with(tags: &[String]) -> String {
    if tags.is_empty() { String::new() } else { format!(" with {}", tags.join(", ")) }
}

fn each(of: &[&Candidate], line: impl Fn(&Candidate) -> String) -> String {
    of.iter().map(|one| line(one)).collect::<Vec<_>>().join("; ")
}

fn state(one: &Candidate) -> String {
    match one.silent {
        Some(_) => unreachable(one),
        None => format!("{} has {}", one.known.name, taken(one)),
    }
}

fn taken(one: &Candidate) -> String {
    match one.known.max_workers {
        Some(most) => format!("{} of {most}", one.sessions),
        None => one.sessions.to_string(),
    }
}

fn unreachable(one: &Candidate) -> String {
    let KnownRemote { name, fugue_addr, .. } = &one.known;
    let what = if name == fugue_addr { "the fugue daemon".to_string() } else { format!("the remote {name}") };
    let place = if fugue_addr.is_empty() { "the default socket" } else { fugue_addr };
    format!("cannot reach {what} at {place}: {}", one.silent.as_deref().unwrap_or("it was not asked"))
}
