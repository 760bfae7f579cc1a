//! A preset as a file that people read and change.

use toml::{Table, Value};

use crate::base::terminal::is_hidden;

/// Keys in the order in which people look for them; others come after.
const ORDER: [&str; 10] =
    ["agent", "permissions", "name", "layout", "command", "start_directory", "focus", "size", "env", "panes"];

/// A table for each role and runtime, a table for each window, a line for each pane.
pub fn text(preset: &Table) -> String {
    let mut text = String::new();
    for (name, value) in preset {
        match value {
            Value::Table(runtimes) if name == "agents" => {
                for (own, value) in runtimes {
                    table(&mut text, &format!("[agents.{}]", key(own)), value);
                }
            }
            _ => table(&mut text, &format!("[{}]", key(name)), value),
        }
        for window in value.get("windows").and_then(Value::as_array).into_iter().flatten() {
            table(&mut text, &format!("[[{}.windows]]", key(name)), window);
        }
    }
    text
}

fn table(text: &mut String, head: &str, value: &Value) {
    text.push_str(&format!("\n{head}\n"));
    for (name, value) in in_order(value).filter(|(name, _)| *name != "windows") {
        text.push_str(&format!("{} = ", key(name)));
        match value {
            Value::Array(panes) if name == "panes" => {
                let lines: String = panes.iter().map(|pane| format!("    {},\n", inline(pane))).collect();
                text.push_str(&format!("[\n{lines}]"));
            }
            _ => text.push_str(&inline(value)),
        }
        text.push('\n');
    }
}

/// A value on one line.
fn inline(value: &Value) -> String {
    match value {
        Value::Table(_) => {
            let pairs: Vec<String> =
                in_order(value).map(|(name, value)| format!("{} = {}", key(name), inline(value))).collect();
            if pairs.is_empty() { "{}".into() } else { format!("{{ {} }}", pairs.join(", ")) }
        }
        Value::Array(list) => format!("[{}]", list.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::String(text) => quoted(text),
        other => other.to_string(),
    }
}

/// A text on one line: JSON's escapes are TOML's. What a terminal must not get raw stands as TOML writes it.
fn quoted(text: &str) -> String {
    let mut out = String::new();
    for c in serde_json::to_string(text).unwrap_or_default().chars() {
        match u32::from(c) {
            code if is_hidden(c) && code > 0xffff => out.push_str(&format!("\\U{code:08x}")),
            code if is_hidden(c) => out.push_str(&format!("\\u{code:04x}")),
            _ => out.push(c),
        }
    }
    out
}

fn in_order(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let mut pairs: Vec<(&str, &Value)> =
        value.as_table().into_iter().flatten().map(|(name, value)| (name.as_str(), value)).collect();
    pairs.sort_by_key(|(name, _)| ORDER.iter().position(|own| own == name).unwrap_or(ORDER.len()));
    pairs.into_iter()
}

fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if bare { name.into() } else { inline(&Value::String(name.into())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::terminal::Text;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            name in "[\0-\u{10ffff}]{0,8}", command in "[^\0]{0,20}", env in "[a-zA-Z. ]{1,6}", size in any::<i64>(),
        ) {
            let pane = Value::from(Table::from_iter([
                ("command".to_string(), Value::from(command.clone())),
                ("env".to_string(), Value::from(Table::from_iter([(env, Value::from(command))]))),
            ]));
            let window = Value::from(Table::from_iter([
                ("name".to_string(), Value::from(name)),
                ("panes".to_string(), Value::Array(vec![pane.clone(), pane])),
            ]));
            let role = Value::from(Table::from_iter([
                ("agent".to_string(), Value::from("none")),
                ("max_workers".to_string(), Value::from(size)),
                ("windows".to_string(), Value::Array(vec![window.clone(), window])),
            ]));
            let preset = Table::from_iter([("crew".to_string(), role)]);
            let written = text(&preset);
            let shown = Text::from(&written);
            prop_assert_eq!(shown.as_str(), &written, "a terminal shows it as it is");
            let read: Table = toml::from_str(&written).unwrap();
            prop_assert_eq!(read, preset);
        }
    }
}
