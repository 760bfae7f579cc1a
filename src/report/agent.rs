//! One agent's session in a few words.

use super::text::Color;
use crate::base::time;
use crate::work::observe::view::RoleStatus;

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
