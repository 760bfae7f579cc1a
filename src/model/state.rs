//! What an agent does, as far as gt knows.

use serde::{Deserialize, Serialize};

/// A state of an agent that runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Its program is up, and has not said anything yet.
    #[default]
    Starting,
    /// It asks a person something.
    Question,
    /// It works.
    Working,
    /// It waits for its next prompt.
    Idle,
    /// Its account has reached a limit.
    Limited,
    /// It cannot reach its model.
    Offline,
    /// It has done its part, and waits for its end.
    #[serde(rename = "pending_shutdown")]
    Ends,
}

impl State {
    /// As marks and lists have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            State::Starting => "starting",
            State::Question => "question",
            State::Working => "working",
            State::Idle => "idle",
            State::Limited => "limited",
            State::Offline => "offline",
            State::Ends => "pending_shutdown",
        }
    }
}

impl PartialEq<State> for String {
    fn eq(&self, state: &State) -> bool {
        self == state.as_str()
    }
}
