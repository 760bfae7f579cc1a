//! Other machines, as the town's screens show them. A town without any shows nothing of this.

use super::text::{Cell, Color, Screen};
use crate::base::grammar::count;
use crate::base::terminal::Text;
use crate::mux::{Daemon, or_default};

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
