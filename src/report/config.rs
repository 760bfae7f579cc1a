//! Configuration on the screen: values, and where they come from.

use unicode_width::UnicodeWidthStr;

use super::text::blanks;
use crate::config::explain::{Explained, shown};

/// A value wider than this does not push the others' origins to the right.
const WIDEST: usize = 60;

/// `key = value`, one a line, each a line of TOML; with `origins`, who said it stands behind as a comment.
pub fn values(values: &[Explained], origins: bool) -> String {
    let lines: Vec<String> =
        values.iter().map(|value| format!("{} = {}", value.key, shown(&value.value))).collect();
    let width = lines.iter().map(|line| line.width()).filter(|width| *width <= WIDEST).max().unwrap_or(0);
    let line = |(line, value): (String, &Explained)| {
        if !origins {
            return line + "\n";
        }
        format!("{line}{}  # {}\n", blanks(&line, width), value.from)
    };
    lines.into_iter().zip(values).map(line).collect()
}

/// Each value, then every layer that said it, lowest first; `*` marks the one that counts.
pub fn explained(values: &[Explained]) -> String {
    let mut text = String::new();
    for value in values {
        text += &format!("{} = {}\n", value.key, shown(&value.value));
        let width = value.layers.iter().map(|said| said.from.width()).max().unwrap_or(0);
        let last = value.layers.len().saturating_sub(1);
        for (number, said) in value.layers.iter().enumerate() {
            let mark = if number == last { '*' } else { ' ' };
            text += &format!("{mark} {}{}  {}\n", said.from, blanks(&said.from, width), shown(&said.value));
        }
        if value.layers.is_empty() {
            text += &format!("* {}\n", value.from);
        }
    }
    text
}
