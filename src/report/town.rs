//! The whole town on one screen.

use serde::Serialize;

use super::agent::Status;
use super::rig::RigReport;
use super::text::{Cell, Color, Screen};

/// What `gt status` tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TownReport {
    /// Its name.
    pub name: String,
    /// Its root.
    pub path: String,
    /// `tmux` or `none`.
    pub multiplexer: &'static str,
    /// Why sessions could not be seen, or cannot be here; nothing when all is well.
    pub sessions_unseen: Option<String>,
    /// The kind of its store.
    pub store: Store,
    /// The person's unread mail; nothing when the store could not be read.
    pub overseer_unread: Option<usize>,
    /// The Mayor and the deacon.
    pub agents: Vec<Status>,
    /// Its rigs, by name.
    pub rigs: Vec<RigReport>,
}

/// A store of beads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Store {
    /// `embedded` or `bd`, with the version where there is one.
    pub kind: Option<String>,
    /// Why it could not be read.
    pub unreadable: Option<String>,
}

impl TownReport {
    /// As a person reads it; `now` is RFC 3339.
    pub fn text(&self, screen: &Screen, now: &str) -> String {
        let mut text =
            screen.paint(Color::Bold, &screen.fit(&format!("{}  {}", self.name, self.path), screen.width));
        text.push('\n');
        if let Some(why) = &self.sessions_unseen {
            let what = if self.multiplexer == "none" { "minimal mode" } else { "sessions unknown" };
            let line = screen.fit(&format!("{what}: {why}"), screen.width);
            text.push_str(&(screen.paint(Color::Bad, &line) + "\n"));
        }
        text.push_str(&screen.table(&[], &self.head(now), 1));
        for rig in &self.rigs {
            text.push('\n');
            text.push_str(&rig.text(screen, now));
        }
        if self.rigs.is_empty() {
            text.push_str("\nno rigs yet; add one with: gt rig add NAME URL\n");
        }
        text
    }

    fn head(&self, now: &str) -> Vec<Vec<Cell>> {
        let mail = match self.overseer_unread {
            None => {
                let why = self.store.unreadable.as_deref().unwrap_or_default();
                Cell::new(Color::Bad, format!("mail unknown: {why}"))
            }
            Some(0) => Cell::new(Color::Dim, "no unread mail"),
            Some(1) => Cell::new(Color::Waiting, "1 unread mail"),
            Some(number) => Cell::new(Color::Waiting, format!("{number} unread mails")),
        };
        let mut lines = vec![vec!["overseer".into(), mail]];
        for agent in &self.agents {
            lines.push(vec![agent.address.name().into(), Cell::new(agent.color(), agent.words(now))]);
        }
        lines
    }
}
