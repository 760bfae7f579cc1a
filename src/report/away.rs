//! Other machines, as the town's screens show them. A town without any shows nothing of this.

use std::collections::BTreeMap;

use super::text::{Cell, Color, Screen};
use crate::grammar::count;
use crate::mux::Daemon;
use crate::terminal::Text;

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

/// The daemons that answered, as rows of the town's head.
pub fn rows(daemons: &[Daemon]) -> Vec<Vec<Cell>> {
    let row = |daemon: &Daemon| {
        let latency =
            daemon.latency_us.map(|time| format!(", {} ms", time.div_ceil(1000))).unwrap_or_default();
        let text = format!("{}: {}{latency}", or_default(&daemon.remote), count(daemon.sessions, "session"));
        vec![Cell::from("remote"), Cell::new(Color::Dim, text)]
    };
    daemons.iter().filter(|daemon| daemon.silent.is_none()).map(row).collect()
}

/// Those that did not, as lines of a screen.
pub fn warnings(lines: &[String], screen: &Screen) -> Text {
    lines.iter().map(|line| screen.paint(Color::Bad, line).then("\n")).collect()
}

fn or_default(name: &str) -> &str {
    if name.is_empty() { "fugue's default socket" } else { name }
}
