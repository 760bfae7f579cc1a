//! One agent's session in a few words.

use serde::Serialize;

use super::text::Color;
use crate::address::Address;
use crate::mux::Snapshot;
use crate::time;

/// How the session of a role is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Whose.
    pub address: Address,
    /// `working`, `ended (exit 1)`, `not running`, `unknown` …
    pub state: String,
    /// Whether its agent runs; nothing when that cannot be known.
    pub alive: Option<bool>,
    /// The session's name.
    pub session: Option<String>,
    /// Since when it is in this state: RFC 3339, UTC.
    pub since: Option<String>,
    /// How many clients look at it.
    pub attached: usize,
    /// The remote it is on; nothing for one of this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
}

impl Status {
    /// Reads it from a look.
    pub fn of(town: &str, snapshot: &Snapshot, address: &Address) -> Status {
        let session = snapshot.of(town, &address.to_string());
        let unseen = snapshot.unknown.is_some() || snapshot.minimal.is_some();
        let (state, alive) = match session {
            Some(session) => (session.words(), Some(session.alive())),
            None if snapshot.unreachable.contains_key(&address.to_string()) => ("unreachable".into(), None),
            None if unseen => ("unknown".into(), None),
            None => ("not running".into(), Some(false)),
        };
        Status {
            address: address.clone(),
            state,
            alive,
            session: session.map(|session| session.name.clone()),
            since: session.map(|session| session.marks.since.clone()),
            attached: session.map_or(0, |session| session.attached),
            remote: snapshot.remote_of(town, &address.to_string()).map(Into::into),
        }
    }

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
