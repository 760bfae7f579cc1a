//! How the daemons on other machines are: which are silent, and which agents cannot be seen for that.

use std::collections::BTreeMap;

use crate::mux::Daemon;

/// What is wrong with the daemons that were asked, one line each: whole, however long. `unreachable`: agents and their
/// remotes; `unknown`: why the town's record of sessions elsewhere cannot be read.
pub fn silent(
    daemons: &[Daemon],
    unreachable: &BTreeMap<String, String>,
    unknown: Option<&str>,
) -> Vec<String> {
    let silent = daemons.iter().filter_map(|daemon| Some((daemon, daemon.silent.as_deref()?)));
    let line_of = |(daemon, why): (&Daemon, &str)| {
        let there = unreachable.iter().filter(|(_, remote)| **remote == daemon.remote);
        let agents: Vec<&str> = there.map(|(address, _)| address.as_str()).collect();
        line(daemon, why, &agents)
    };
    let unknown = unknown.map(|why| format!("sessions on other machines are not known: {why}"));
    unknown.into_iter().chain(silent.map(line_of)).collect()
}

/// A daemon that does not answer is no empty one.
fn line(daemon: &Daemon, why: &str, agents: &[&str]) -> String {
    let name = or_default(&daemon.remote);
    let agents = match agents {
        [] => String::new(),
        agents => format!("; unreachable: {}", agents.join(", ")),
    };
    format!("{name} does not answer: {why}{agents}")
}

/// What a daemon without a name is called.
pub fn or_default(name: &str) -> &str {
    if name.is_empty() { "fugue's default socket" } else { name }
}
