//! Windows and panes: as they are wanted, as they were seen, and the changes between the two.

use crate::base::hash::fnv32;
use std::path::PathBuf;

use serde::Serialize;

/// A window that is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Window {
    /// Its name; tmux names it after what runs when empty.
    pub name: String,
    /// One of tmux's layouts, or a layout string of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layout: Option<String>,
    /// Whether it is the one that is shown first.
    pub focus: bool,
    /// Its panes, at least one.
    pub panes: Vec<WantedPane>,
}

/// A pane that is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WantedPane {
    /// What runs in it.
    pub runs: Runs,
    /// Whether it has the focus of its window.
    pub focus: bool,
    /// `30%` or a number of cells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// Where it starts, absolute; where the session does when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<PathBuf>,
    /// Its environment, over the session's.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "super::shown")]
    pub env: Vec<(String, String)>,
}

impl Window {
    /// What was asked for besides its panes' programs, in 8 hex digits: name, layout, sizes and focus.
    pub fn asked(&self) -> String {
        let panes: Vec<_> = self.panes.iter().map(|pane| (&pane.size, pane.focus)).collect();
        short(&(&self.name, &self.layout, self.focus, panes))
    }
}

impl WantedPane {
    /// What was asked to run in it, where, with which environment, in 8 hex digits. Of the agent's own pane only
    /// that it is the agent's, and what is its pane's alone: the rest is the session's.
    pub fn asked(&self) -> String {
        short(&(&self.runs, &self.cwd, &self.env))
    }
}

/// The hash of the JSON.
fn short(value: &impl Serialize) -> String {
    format!("{:08x}", fnv32(serde_json::to_vec(value).unwrap_or_default()))
}

/// What a pane runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Runs {
    /// The agent: [`super::Spec::argv`], without a shell.
    Agent,
    /// A text for `sh -c`, its `{{name}}`s filled in.
    Shell(String),
    /// The person's own shell.
    #[default]
    Person,
}

/// A window as a close look saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SeenWindow {
    /// tmux's own id, `@5`.
    pub id: String,
    /// Its number in the session.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// Its layout string.
    pub layout: String,
    /// Columns and rows.
    pub size: (usize, usize),
    /// Whether it is the session's current one.
    pub active: bool,
    /// Which of the windows asked for it is, from 0; nothing for one that a person opened.
    pub mark: Option<usize>,
    /// As [`Window::asked`] was when it was made; empty for a person's.
    pub asked: String,
    /// Its panes, in tmux's order.
    pub panes: Vec<SeenPane>,
}

/// A pane as a close look saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SeenPane {
    /// tmux's own id, `%9`.
    pub id: String,
    /// Its number in the window, as tmux counts.
    pub index: usize,
    /// Which window and pane of those asked for it is, from 0; nothing for one that a person opened.
    pub mark: Option<(usize, usize)>,
    /// As [`WantedPane::asked`] was when it was made; empty for a person's.
    pub asked: String,
    /// Whether it is the agent's own.
    pub agent: bool,
    /// The program in front.
    pub command: String,
    /// What it was started with, as tmux tells it; empty for the person's own shell.
    pub start_command: String,
    /// The folder that its program is in now.
    pub path: String,
    /// Whether it has the focus of its window.
    pub active: bool,
    /// Its program has ended.
    pub dead: bool,
    /// The process in it.
    pub pid: i32,
    /// Columns and rows.
    pub size: (usize, usize),
}

/// A change of a session that goes on running ([`super::Mux::change`]). Numbers are places in [`super::Spec::shown`]; ids are
/// tmux's, from a close look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LiveChange {
    /// Sets marks of the session, by name: `hash`, `preset`.
    Marks(Vec<(String, String)>),
    /// Sets a variable of what is opened in it from now on, or takes it away.
    Env(String, Option<String>),
    /// Opens a window of the spec, with all its panes, behind the nearest one before it.
    AddWindow(usize),
    /// Opens a pane of the spec (window, pane) in a window that is there, behind the nearest one before it.
    AddPane(usize, usize),
    /// Runs a pane (not the agent's) anew, with what the spec says of it; the id, and its place in the spec.
    RunAgain(String, (usize, usize)),
    /// This window is that one of the spec: name, layout, sizes and focus are set again, and its mark.
    Arrange(String, usize),
    /// This pane is that one of the spec: sets its mark.
    Keep(String, (usize, usize)),
    /// Brings these windows, by id, into this order.
    Order(Vec<String>),
    /// Closes a window (`@5`) or a pane (`%9`) of ours; never one that a person opened, nor the agent's.
    Remove(String),
}
