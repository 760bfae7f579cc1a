//! Where a session goes: here, or to which of the daemons (`remote.md`, "Which remote"; `presets.md`, "Addresses").
//!
//! What is said most specifically counts: the hand, the variable, the preset. An address counts for a role whose placement
//! is not `local`; only the hand sends every role.

mod among;

use serde::{Deserialize, Serialize};

use crate::base::failure::Failure;
use crate::base::nearest::choices;
use crate::config::ResolvedRole;
use crate::config::remotes::KnownRemote;
use crate::config::schema::{Multiplexer, Where};

/// What a person said by hand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlacementWish {
    /// Where to.
    pub hand: PlaceFlags,
    /// What to do when no place can be had there.
    pub fallback: Option<Fallback>,
    /// Nothing is to be done, only said: a tunnel that would be opened first is not open yet.
    pub trial: bool,
}

/// `--local`, `--remote`, `--fugue-addr`, `--tag`: one of them, or none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PlaceFlags {
    /// Nothing was said.
    #[default]
    Nothing,
    /// On this machine.
    Local,
    /// To the remote of this name.
    Remote(String),
    /// To the daemon at this address, which may be one that no remote names.
    Address(String),
    /// To a remote that has all these tags.
    Tags(Vec<String>),
}

/// `--fallback`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fallback {
    /// The work stays as it is, to be tried again: exit code 3.
    Wait,
    /// It is done here.
    Local,
    /// An error: exit code 1.
    Fail,
}

/// A daemon that could be chosen, and what is known of it now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidate {
    /// What configuration says.
    pub known: KnownRemote,
    /// gt's sessions there, and those on their way.
    pub sessions: usize,
    /// Why it could not be asked; nothing when it answered, or was not asked.
    pub silent: Option<String>,
    /// What helps then.
    pub hint: Option<String>,
    /// How long it took to answer, in microseconds.
    pub latency_us: Option<u64>,
    /// It is behind a tunnel that would be opened first.
    pub opens: bool,
}

/// Where to, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// The daemon; nothing for this machine.
    pub remote: Option<KnownRemote>,
    /// What was considered, in order, a line each.
    pub why: Vec<String>,
    /// Its tunnel would be opened first: in a trial nobody can be asked there.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub opens: bool,
}

impl Choice {
    /// Nothing was said about other machines: there is nothing to explain.
    pub fn is_plain(&self) -> bool {
        self.remote.is_none() && (self.why.is_empty() || self.why == [PLAIN])
    }

    fn here(mut why: Vec<String>, last: impl Into<String>) -> Choice {
        why.push(last.into());
        Choice { why, ..Choice::default() }
    }
}

/// The reason where nobody said anything.
const PLAIN: &str = "no address counts";

/// The name of the daemon at the program's own default socket.
pub const DEFAULT_SOCKET: &str = "fugue";

/// Decides. `candidates` are the daemons that this role's layers name, and the one of its address.
///
/// # Errors
/// A remote that there is not, tags that none has, a role that must not be here and has no address; when no place can be
/// had, by `wish.fallback`: exit code 3 to wait, else 1.
pub fn choose(
    role: &ResolvedRole,
    wish: &PlacementWish,
    candidates: &[Candidate],
) -> Result<Choice, Failure> {
    let ask = Search { role, wish, candidates, why: Vec::new() };
    match &wish.hand {
        PlaceFlags::Local => ask.this_machine("by hand: --local"),
        PlaceFlags::Address(address) => ask.at(address, format!("by hand: --fugue-addr {address}")),
        PlaceFlags::Remote(name) => ask.named(name),
        PlaceFlags::Tags(tags) => {
            let words: Vec<String> = tags.iter().map(|tag| format!("--tag {tag}")).collect();
            ask.because(format!("by hand: {}", words.join(" "))).among(tags)
        }
        PlaceFlags::Nothing => by_role(ask),
    }
}

/// Nothing was said by hand: the role's placement, its address, its tags.
fn by_role(mut ask: Search<'_>) -> Result<Choice, Failure> {
    let (name, settings) = (ask.role.role, &ask.role.settings);
    ask.why.extend(
        ask.role.asked_by.iter().map(|by| format!("presets: {} ({by})", ask.role.presets.join(", "))),
    );
    let address = settings.fugue_addr.clone();
    let unused = address.as_deref().map(|address| format!(": {address} does not count")).unwrap_or_default();
    let here = match settings.multiplexer {
        Multiplexer::Tmux => Some("tmux"),
        Multiplexer::None => Some("none"),
        Multiplexer::Auto | Multiplexer::Fugue => None,
    };
    if let Some(multiplexer) = here {
        if settings.placement == Where::Remote {
            return Err(Failure::new(format!(
                "{name}.placement is \"remote\", and {name}.multiplexer is \"{multiplexer}\", which is on this machine"
            ))
            .hint(format!("see who says so: gt preset explain {name}; for once: --local, or --remote NAME")));
        }
        return Ok(Choice::here(ask.why, format!("{name}.multiplexer is \"{multiplexer}\"{unused}")));
    }
    if settings.placement == Where::Local {
        return ask.this_machine(&format!("{name}.placement is \"local\"{unused}"));
    }
    if let Some(address) = address {
        let from = ask.role.address_from.as_deref().unwrap_or("the preset");
        return ask.at(&address, format!("{from}: {address}"));
    }
    let tags = &settings.tags;
    if settings.placement == Where::Remote {
        if ask.candidates.is_empty() {
            return Err(Failure::new(format!("{name}.placement is \"remote\", and no address counts")).hint(format!(
                "set GASTOWN_FUGUE_ADDR=tcp://localhost:9999, {name}.fugue_addr or a [remotes.NAME]; here for once: --local"
            )));
        }
        return ask.because(format!("{name}.placement is \"remote\"")).among(tags);
    }
    if !tags.is_empty() && ask.candidates.iter().any(|one| lacks(one, tags).is_empty()) {
        return ask.because(format!("{name}.tags: {}", tags.join(", "))).among(tags);
    }
    ask.this_machine(PLAIN)
}

/// What is asked, and the reasons so far.
struct Search<'a> {
    role: &'a ResolvedRole,
    wish: &'a PlacementWish,
    candidates: &'a [Candidate],
    why: Vec<String>,
}

impl Search<'_> {
    fn because(mut self, reason: impl Into<String>) -> Self {
        self.why.push(reason.into());
        self
    }

    /// This machine: tmux, or fugue's own default socket where the role wants fugue.
    fn this_machine(self, reason: &str) -> Result<Choice, Failure> {
        if self.role.settings.multiplexer != Multiplexer::Fugue {
            return Ok(Choice::here(self.why, reason));
        }
        let known = KnownRemote { name: DEFAULT_SOCKET.into(), ..KnownRemote::default() };
        let multiplexer = format!("{}.multiplexer is \"fugue\": its own default socket", self.role.role);
        let why = self.because(reason).because(multiplexer).why;
        Ok(Choice { remote: Some(known), why, opens: false })
    }

    /// The daemon at this address, whatever its tags.
    fn at(self, address: &str, reason: String) -> Result<Choice, Failure> {
        let found = self.candidates.iter().find(|one| one.known.fugue_addr == address);
        let unnamed = || Candidate {
            known: KnownRemote { name: address.into(), fugue_addr: address.into(), ..KnownRemote::default() },
            ..Candidate::default()
        };
        let candidate = found.cloned().unwrap_or_else(unnamed);
        self.because(reason).of(&[&candidate], &[])
    }

    fn named(self, name: &str) -> Result<Choice, Failure> {
        match self.candidates.iter().find(|one| one.known.name == name) {
            Some(one) => self.because(format!("by hand: --remote {name}")).of(&[one], &[]),
            None => {
                let known = self.candidates.iter().map(|one| one.known.name.as_str());
                Err(Failure::usage(format!("there is no remote '{name}'")).hint(choices(name, known)))
            }
        }
    }
}

/// The tag that every daemon has.
const REMOTE: &str = "remote";

/// The tags that a daemon has not.
fn lacks<'t>(one: &Candidate, tags: &'t [String]) -> Vec<&'t str> {
    let has = |tag: &String| tag == REMOTE || one.known.tags.contains(tag);
    tags.iter().filter(|tag| !has(tag)).map(String::as_str).collect()
}

#[cfg(test)]
mod tests;
