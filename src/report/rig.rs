//! One rig: who works on what, and what waits.

use super::text::{Cell, Color, Screen};
use crate::base::grammar::count;
use crate::base::terminal::Text;
use crate::base::time;
use crate::plan::place::Place;
use crate::work::observe::view::{Polecat, QueueCounts, RigView, Unapproved};

impl QueueCounts {
    /// In a few words.
    pub fn words(&self) -> String {
        let counts = [
            (self.waiting, "waiting"),
            (self.merging, "merging"),
            (self.set_aside, "set aside"),
            (self.foreign, "foreign"),
        ];
        let some = counts.iter().filter(|(number, _)| *number > 0);
        let words: Vec<String> = some.map(|(number, word)| format!("{number} {word}")).collect();
        if words.is_empty() { "queue empty".into() } else { format!("queue: {}", words.join(", ")) }
    }
}

impl Polecat {
    /// The one word for how it is.
    pub fn word(&self) -> String {
        match (self.place, self.state.as_deref()) {
            // What its agent does says more than that it has work.
            (Some(Place::Working), Some(state)) if state != "running" => state.into(),
            (Some(place), _) => place.as_str().into(),
            (None, Some(state)) => state.into(),
            (None, None) => "no session".into(),
        }
    }

    fn color(&self) -> Color {
        match self.place {
            Some(Place::Working) if matches!(self.word().as_str(), "working" | "starting") => Color::Good,
            Some(Place::Working) => Color::Waiting,
            Some(Place::Crashed | Place::Unreachable) => Color::Bad,
            Some(Place::Hooked) if self.state.is_none() => Color::Bad,
            // Without tmux every session is unknown, and nothing is wrong.
            Some(Place::Hooked | Place::Submitted | Place::Unknown) => Color::Waiting,
            _ => Color::Dim,
        }
    }

    fn symbol(&self, screen: &Screen) -> &'static str {
        let (symbol, plain) = match self.color() {
            Color::Good => ("●", "*"),
            Color::Waiting => ("◐", "~"),
            Color::Bad => ("✗", "!"),
            _ => ("○", "-"),
        };
        if screen.fancy && screen.unicode { symbol } else { plain }
    }

    fn cells(&self, screen: &Screen, now: &str) -> Vec<Cell> {
        let age = self.since.as_deref().and_then(|since| time::seconds_between(since, now));
        let ended = self.state.as_deref().filter(|state| state.starts_with("ended"));
        let on = self.remote.as_ref().map(|remote| format!(" on {remote}")).unwrap_or_default();
        let title = match (ended, self.place, &self.title) {
            _ if !self.why.is_empty() => self.why.clone(),
            (Some(ended), Some(Place::Crashed), Some(title)) => format!("{ended}: {title}"),
            (_, Some(Place::Hooked), Some(title)) if self.state.is_none() => format!("no session: {title}"),
            (_, _, title) => title.clone().unwrap_or_default(),
        };
        vec![
            Cell::new(self.color(), format!("  {} {}{on}", self.symbol(screen), self.name)),
            Cell::new(self.color(), self.word()),
            self.bead.as_deref().unwrap_or("-").into(),
            title.into(),
            Cell::new(Color::Dim, age.map(|age| format!("{:>3}", time::short_age(age))).unwrap_or_default()),
        ]
    }
}

impl RigView {
    /// As a person reads it; `now` is RFC 3339.
    pub fn text(&self, screen: &Screen, now: &str) -> Text {
        let mut text = screen.paint(Color::Bold, &self.name);
        let rest = format!("  {}", self.summary());
        text.push(screen.fit(&rest, screen.width.saturating_sub(self.name.len())) + "\n");
        if let Some(why) = &self.store.unreadable {
            // Whole, however long: it names the path and what to do.
            text.push(screen.paint(Color::Bad, &format!("  unreadable: {why}")).then("\n"));
        }
        let agents: Vec<Vec<Cell>> = self
            .agents
            .iter()
            .map(|agent| {
                vec![format!("  {}", agent.address.name()).into(), Cell::new(agent.color(), agent.words(now))]
            })
            .collect();
        text.push(screen.table(&[], &agents, 1));
        text.push(questions(self.agents.iter().map(|agent| agent.answer.as_str()), screen));
        text.push(self.work(screen, now));
        text
    }

    /// Its polecats, the beads that came back from the queue, and what waits for approval.
    pub fn work(&self, screen: &Screen, now: &str) -> Text {
        let mut text = polecats(&self.polecats, screen, now);
        text.push(questions(self.polecats.iter().map(|polecat| polecat.answer.as_str()), screen));
        for row in &self.set_aside {
            let line = screen.fit(&format!("  {}", row.came_back()), screen.width);
            text.push(screen.paint(Color::Bad, &line).then("\n"));
        }
        for Unapproved { request, bead, why } in &self.unapproved {
            let line = format!(
                "  {bead} waits for approval: {why}; look at it and consent with: gt mq approve {request}"
            );
            text.push(screen.paint(Color::Waiting, &line).then("\n"));
        }
        text
    }

    fn summary(&self) -> String {
        let mut parts = vec![match self.max_workers {
            0 => count(self.polecats.len(), "polecat"),
            most => format!("{} of {}", self.polecats.len(), count(most, "polecat")),
        }];
        if let Some(ready) = self.ready {
            parts.push(format!("{ready} ready"));
        }
        if self.foreign > 0 {
            parts.push(format!("{} foreign", crate::work::setup::sync::beads(self.foreign)));
        }
        if let Some(queue) = &self.queue {
            parts.push(queue.words());
        }
        parts.extend(self.store.kind.as_ref().map(|kind| format!("store {kind}")));
        parts.join(", ")
    }
}

/// How agents are answered that ask something, whole: the commands run as they stand, with one of the answers.
pub fn questions<'a>(answers: impl Iterator<Item = &'a str>, screen: &Screen) -> Text {
    let mut text = Text::default();
    for answer in answers.filter(|answer| !answer.is_empty()) {
        text.push(screen.paint(Color::Waiting, &format!("  answer with: {answer}")).then("\n"));
    }
    text
}

/// Polecats as a table without a head.
fn polecats(polecats: &[Polecat], screen: &Screen, now: &str) -> Text {
    let rows: Vec<Vec<Cell>> = polecats.iter().map(|polecat| polecat.cells(screen, now)).collect();
    screen.table(&[], &rows, 3)
}
