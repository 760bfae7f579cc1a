//! Other machines, as a look found them.

use std::collections::BTreeMap;

use serde::Serialize;

/// What a look found of other machines: which daemons are silent, and which agents cannot be seen for that. Of those
/// nothing may be concluded (law 3).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OtherMachines {
    /// The daemons that were asked, by remote; empty for a town that has none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub daemons: Vec<Daemon>,
    /// Agents of ours whose daemon did not answer: address and remote.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unreachable: BTreeMap<String, String>,
    /// Why the town's record of its sessions on other machines cannot be read, when that is so: an agent may be on any of
    /// them then.
    #[serde(rename = "elsewhere_unknown", skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
}

/// A daemon on another machine, as it answered (`remote.md`, "What is known meanwhile").
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Daemon {
    /// The remote's name; its address where it has none.
    pub remote: String,
    /// Its address.
    pub fugue_addr: String,
    /// Why it could not be asked; nothing when it answered.
    pub silent: Option<String>,
    /// What a person can try then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// All its sessions, ours and others'.
    pub sessions: usize,
    /// How long it took to answer, in microseconds.
    pub latency_us: Option<u64>,
}

impl OtherMachines {
    /// Why a remote could not be asked; nothing when it answered or is not known.
    pub fn silence_of(&self, remote: &str) -> Option<&str> {
        self.daemons.iter().find(|daemon| daemon.remote == remote)?.silent.as_deref()
    }

    /// What is wrong with them, one line each: whole, however long.
    pub fn silent(&self) -> Vec<String> {
        let unknown = self.unknown.iter();
        let unknown = unknown.map(|why| format!("sessions on other machines are not known: {why}"));
        unknown.chain(self.silent_daemons()).collect()
    }

    /// The daemons that do not answer, one line each. Such a one is no empty one.
    pub fn silent_daemons(&self) -> impl Iterator<Item = String> {
        let silent = self.daemons.iter().filter_map(|daemon| Some((daemon, daemon.silent.as_deref()?)));
        silent.map(|(daemon, why)| {
            let there = self.unreachable.iter().filter(|(_, remote)| **remote == daemon.remote);
            let agents: Vec<&str> = there.map(|(address, _)| address.as_str()).collect();
            let agents = match agents.as_slice() {
                [] => String::new(),
                agents => format!("; unreachable: {}", agents.join(", ")),
            };
            format!("{} does not answer: {why}{agents}", or_default(&daemon.remote))
        })
    }
}

/// What a daemon without a name is called.
pub fn or_default(name: &str) -> &str {
    if name.is_empty() { "fugue's default socket" } else { name }
}
