//! Remotes, as `gt remote list` shows them.

use super::text::{Cell, Color, Screen};
use crate::base::terminal::Text;
use crate::work::remote::known::{Asked, RemoteLine};

/// As a table.
pub fn table(lines: &[RemoteLine], screen: &Screen) -> Text {
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
