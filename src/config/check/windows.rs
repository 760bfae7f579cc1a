//! What types cannot tell of a role's windows.

use super::super::schema::{AGENT, PaneSettings, WindowSettings};
use super::Faults;
use crate::base::nearest::choices;
use crate::model::windows::{self, BrokenLayout, LAYOUTS, Size};

impl Faults {
    /// Windows of one role, as one layer says them: what a list takes over from below (`"..."`) was checked there.
    pub(super) fn windows(&mut self, role: &str, windows: &[WindowSettings]) {
        let mut agents = 0;
        for (number, window) in windows.iter().enumerate() {
            let at = number.to_string();
            let path = [role, "windows", at.as_str()];
            agents += self.window(&path, window, agents);
            let name = window.name.trim();
            if !name.is_empty() && windows[..number].iter().any(|other| other.name.trim() == name) {
                let message = format!("two windows of the {role} are named '{name}'");
                self.add(&[&path[..], &["name"]].concat(), message, "give each a name of its own");
            }
            if window.focus && windows[..number].iter().any(|other| other.focus) {
                let message = format!("two windows of the {role} have the focus");
                self.add(&[&path[..], &["focus"]].concat(), message, "leave it to one");
            }
        }
    }

    /// One window; gives how many of its panes are the agent's.
    fn window(&mut self, path: &[&str], window: &WindowSettings, before: usize) -> usize {
        let at = |key: &'static str| [path, &[key]].concat();
        if window.name.contains(char::is_control) {
            self.add(&at("name"), "a window's name is one line of plain text", "");
        }
        self.env(path, &window.env);
        self.layout(&at("layout"), window);
        let mut agents = usize::from(window.panes.is_empty());
        if before > 0 && window.panes.is_empty() {
            self.add(path, "a second window with the agent", ONE);
        }
        for (number, pane) in window.panes.iter().enumerate() {
            let number_text = number.to_string();
            let path = [path, &["panes", &number_text]].concat();
            self.pane(&path, pane, window);
            if pane.is_agent() {
                agents += 1;
                if before + agents > 1 {
                    self.add(&[&path[..], &["command"]].concat(), "a second pane with the agent", ONE);
                }
            }
            if pane.focus && window.panes[..number].iter().any(|other| other.focus) {
                let message = "two panes of one window have the focus";
                self.add(&[&path[..], &["focus"]].concat(), message, "leave it to one");
            }
        }
        agents
    }

    fn pane(&mut self, path: &[&str], pane: &PaneSettings, window: &WindowSettings) {
        let at = |key: &'static str| [path, &[key]].concat();
        self.env(path, &pane.env);
        if pane.command.contains(AGENT) && !pane.is_agent() {
            // In a text for a shell the name would be the agent's, which nobody means who writes it first.
            let first = pane.command.split_whitespace().next() == Some(AGENT);
            if first {
                let message =
                    format!("{AGENT} stands alone: the agent is the pane's program, without a shell");
                self.add(
                    &at("command"),
                    message,
                    "words of its own are the runtime's: [agents.NAME] command",
                );
            }
        }
        let Some(size) = &pane.size else { return };
        if Size::parse(size).is_none() {
            let hint = "write a part of the window, like 30%, or a number of columns or rows, like 12";
            self.add(&at("size"), format!("'{size}' is no size"), hint);
        } else if !windows::takes_sizes(window.layout.as_deref()) {
            let layout = window.layout.as_deref().unwrap_or_default();
            let message = format!("a size means nothing in the layout '{layout}'");
            self.add(&at("size"), message, "leave it out, or choose main-vertical or another layout");
        }
    }

    fn layout(&mut self, path: &[&str], window: &WindowSettings) {
        let Some(layout) = window.layout.as_deref().filter(|layout| !LAYOUTS.contains(layout)) else {
            return;
        };
        let panes = window.panes.len().max(1);
        match windows::count(layout) {
            Ok(count) if count == panes => {}
            Ok(count) => {
                let message = format!("the layout places {count} panes, and the window has {panes}");
                self.add(
                    path,
                    message,
                    "copy it from a window with as many: tmux display-message -p '#{window_layout}'",
                );
            }
            Err(broken) => {
                let hint = match broken {
                    BrokenLayout::Form => choices(layout, LAYOUTS.into_iter()),
                    BrokenLayout::Sum => "copy it whole: tmux display-message -p '#{window_layout}'".into(),
                };
                self.add(path, format!("'{layout}' {broken}"), hint);
            }
        }
    }
}

/// What helps when the agent is to be in two places.
const ONE: &str =
    "a session has one agent: give the other pane another command, or leave it empty for a shell";
