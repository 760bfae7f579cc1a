//! Remotes, as `gt remote list` shows them.

use serde::Serialize;

use super::text::{Cell, Color, Screen};
use crate::config::schema::Remote;
use crate::terminal::Text;

/// One remote.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Its name; its address when it has none.
    pub name: String,
    /// The daemon's address.
    pub fugue_addr: String,
    /// What it is good for.
    pub tags: Vec<String>,
    /// Most sessions there; no limit when absent.
    pub max_workers: Option<usize>,
    /// For the tunnel that gt keeps.
    pub ssh: Option<String>,
    /// Where the daemon listens over there, when that is not its address.
    pub listens: Option<String>,
    /// Where the town is over there; the same path as here when absent.
    pub town: Option<String>,
    /// What names it: `settings`, a variable, or `mayor/remote.json`, the town's record of sessions elsewhere.
    pub from: String,
    /// The agents of this town that the records say are there.
    pub agents: Vec<String>,
}

impl Line {
    /// A remote of the settings.
    pub fn of(name: &str, remote: &Remote) -> Line {
        Line {
            name: name.into(),
            fugue_addr: remote.fugue_addr.clone(),
            tags: remote.tags.clone(),
            max_workers: remote.max_workers,
            ssh: remote.ssh.clone(),
            listens: remote.listens.clone(),
            town: remote.town.clone(),
            from: "settings".into(),
            agents: Vec::new(),
        }
    }

    /// An address without a name, and what names it.
    pub fn unnamed(address: &str, from: &str) -> Line {
        Line { name: address.into(), fugue_addr: address.into(), from: from.into(), ..Line::default() }
    }
}

/// As a table.
pub fn table(lines: &[Line], screen: &Screen) -> Text {
    let dash = || "-".to_string();
    let rows: Vec<Vec<Cell>> = lines
        .iter()
        .map(|line| {
            // An address that no remote names is its own name.
            let named = line.from == "settings";
            let tags = if named { or(&line.tags.join(","), "-") } else { format!("from {}", line.from) };
            vec![
                if named { line.name.as_str() } else { "-" }.into(),
                or(&line.fugue_addr, "no fugue_addr").into(),
                line.max_workers.map_or_else(dash, |most| most.to_string()).into(),
                line.ssh.clone().unwrap_or_else(dash).into(),
                Cell::new(if named { Color::Plain } else { Color::Dim }, tags),
            ]
        })
        .collect();
    screen.table(&["NAME", "ADDRESS", "MOST", "SSH", "TAGS"], &rows, 4)
}

/// A remote, and how its daemon answered.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Asked {
    /// The remote.
    #[serde(flatten)]
    pub line: Line,
    /// Whether it answered.
    pub reachable: bool,
    /// Why not.
    pub error: Option<String>,
    /// What helps.
    pub hint: Option<String>,
    /// This town's sessions there.
    pub sessions: Option<usize>,
    /// Everybody else's.
    pub others: Option<usize>,
    /// How long the answer took, with the program that asked for it: milliseconds.
    pub latency_ms: Option<f64>,
    /// Its tunnel, where gt keeps one.
    pub tunnel: Option<super::tunnel::Line>,
}

/// As a table, with what is wrong under it.
pub fn status(asked: &[Asked], screen: &Screen) -> Text {
    let dash = || "-".to_string();
    let rows: Vec<Vec<Cell>> = asked
        .iter()
        .map(|one| {
            let answers =
                if one.reachable { Cell::new(Color::Good, "yes") } else { Cell::new(Color::Bad, "no") };
            let ours = match (one.sessions, one.line.max_workers) {
                (None, _) => dash(),
                (Some(count), None) => count.to_string(),
                (Some(count), Some(most)) => format!("{count}/{most}"),
            };
            let tunnel = one.tunnel.as_ref();
            vec![
                or(&one.line.name, "(default socket)").into(),
                answers,
                ours.into(),
                one.others.map_or_else(dash, |count| count.to_string()).into(),
                one.latency_ms.map_or_else(dash, |time| format!("{time:.0} ms")).into(),
                tunnel.map_or_else(dash, |line| line.state.into()).into(),
                or(&one.line.tags.join(","), "-").into(),
            ]
        })
        .collect();
    let mut text =
        screen.table(&["NAME", "ANSWERS", "OURS", "OTHERS", "LATENCY", "TUNNEL", "TAGS"], &rows, 6);
    for one in asked {
        text.push(wrong(one));
    }
    text
}

/// What is wrong with a remote, whole, however long: it says what to do.
fn wrong(one: &Asked) -> String {
    let Some(error) = &one.error else { return String::new() };
    let name = or(&one.line.name, "the default socket");
    let mut text = format!("{name} does not answer: {error}\n");
    // ssh's own words say more than that nobody listens here.
    let tunnel = one.tunnel.as_ref().filter(|line| line.error.is_some());
    if let Some(why) = tunnel.and_then(|line| line.error.as_ref()) {
        text.push_str(&format!("  its tunnel: {why}\n"));
    }
    let hint = tunnel.and_then(|line| line.hint.as_ref()).or(one.hint.as_ref());
    text.push_str(&hint.map(|hint| format!("  hint: {hint}\n")).unwrap_or_default());
    if !one.line.agents.is_empty() {
        text.push_str(&format!("  unreachable: {}\n", one.line.agents.join(", ")));
    }
    text
}

fn or(text: &str, other: &str) -> String {
    if text.is_empty() { other.into() } else { text.into() }
}
