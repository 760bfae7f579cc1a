//! Remotes, as `gt remote list` shows them.

use serde::Serialize;

use super::text::{Cell, Color, Screen};
use crate::config::schema::Remote;

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
    /// Where the town is over there; the same path as here when absent.
    pub town: Option<String>,
    /// What names it: `settings`, or a variable.
    pub from: String,
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
            town: remote.town.clone(),
            from: "settings".into(),
        }
    }

    /// An address without a name, and what names it.
    pub fn unnamed(address: &str, from: &str) -> Line {
        Line { name: address.into(), fugue_addr: address.into(), from: from.into(), ..Line::default() }
    }
}

/// As a table.
pub fn table(lines: &[Line], screen: &Screen) -> String {
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

fn or(text: &str, other: &str) -> String {
    if text.is_empty() { other.into() } else { text.into() }
}
