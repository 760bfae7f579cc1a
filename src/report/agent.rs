//! One agent's session in a few words.

use super::text::Color;
use crate::base::time;
use crate::work::observe::explain::{StateExplanation, StateSource};
use crate::work::observe::view::RoleStatus;

/// How the state of an agent is known, a line each.
pub fn explanation(told: &StateExplanation) -> String {
    let source = match told.source {
        StateSource::Hook => "hook",
        StateSource::Screen => "screen pattern",
        StateSource::Mark => "mark",
        StateSource::Tmux => "tmux",
    };
    let mut text = format!("{}: {}\n", told.address, told.state);
    let from = format!("{source} {}", told.said_by);
    for (name, value) in [("why", &told.why), ("since", &told.since), ("from", &from)] {
        if !value.is_empty() {
            text.push_str(&format!("  {name:8} {}\n", value.trim_end()));
        }
    }
    text.push_str("looked at:\n");
    for one in &told.looked_at {
        text.push_str(&format!("  {:8} {}\n", one.what, one.says));
    }
    text
}

impl RoleStatus {
    /// As one line.
    pub fn line(&self) -> String {
        format!("{}: {}\n", self.address, self.words(&time::now()))
    }

    /// Everything but whose it is.
    pub fn words(&self, now: &str) -> String {
        let mut words = self.state.clone();
        if let Some(age) = self.since.as_deref().and_then(|since| time::seconds_between(since, now)) {
            words.push_str(&format!(" {}", time::short_age(age)));
        }
        if let Some(session) = &self.session {
            words.push_str(&format!(", session {session}"));
        }
        if let Some(remote) = &self.remote {
            words.push_str(&format!(", on {remote}"));
        }
        if self.attached > 0 {
            words.push_str(", attached");
        }
        if !self.why.is_empty() {
            words.push_str(&format!(": {}", self.why));
        }
        words
    }

    /// How it is to be shown.
    pub fn color(&self) -> Color {
        match (self.alive, &self.session) {
            (Some(true), _) => Color::Good,
            (Some(false), Some(_)) => Color::Bad,
            // Its daemon is silent.
            (None, None) if self.remote.is_some() => Color::Bad,
            _ => Color::Dim,
        }
    }
}
