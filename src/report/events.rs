//! What happened, a line each.

use crate::base::terminal::{Text, one_line};
use crate::base::time;
use crate::town::events::TownEvent;

/// One of them.
pub fn line(event: &TownEvent) -> Text {
    let who = if event.address.is_empty() { &event.rig } else { &event.address };
    let words: Vec<&str> =
        [event.bead.as_str(), event.text.as_str()].into_iter().filter(|word| !word.is_empty()).collect();
    let line = format!(
        "{}  {:<9}  {:<16}  {}",
        time::on_the_clock(&event.time),
        event.kind,
        who,
        one_line(&words.join("  "))
    );
    format!("{}\n", line.trim_end()).into()
}
