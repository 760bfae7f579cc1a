//! Changing a session that goes on running: any number of changes in one process, behind the check of its mark.

use anyhow::Result;
use tmux_interface::{TmuxCommand, TmuxCommands};

use super::make::fits;
use super::text::{self, unformatted, word};
use super::windows::{self, NewPane, NewWindow, command};
use super::{Answer, GONE, Tmux, answer, batch_text, told_gone, when};
use crate::model::windows::Resize;

/// Changes of one session, in the order in which they are made. Targets are tmux's own: `$7`, `@5`, `%9`, `@5.-1`.
#[derive(Debug)]
pub struct Changes<'a> {
    session: &'a str,
    env: Vec<(String, String)>,
    batch: TmuxCommands<'static>,
    wrong: Option<anyhow::Error>,
}

/// A pane that gt made and that is not the agent's.
const OURS: &str = "#{&&:#{m:#{pane_id} *,#{@gt_pane}},#{!=:#{@gt_agent},#{pane_id}}}";

/// A window that gt made.
const OUR_WINDOW: &str = "#{m:#{window_id} *,#{@gt_window}}";

/// What a change that is done prints.
const DONE: &str = "done";

impl<'a> Changes<'a> {
    /// None yet; `env` is the environment that the session has.
    pub fn new(session: &'a str, env: Vec<(String, String)>) -> Changes<'a> {
        let mut batch = TmuxCommands::new();
        for name in windows::HOOKS {
            batch.push(command("set-hook", &["-t", &format!("{session}:"), name, ""]));
        }
        Changes { session, env, batch, wrong: None }
    }

    fn push(&mut self, name: &'static str, words: &[&str]) {
        self.batch.push(command(name, words));
    }

    /// Ends one change: how many were made is told by this.
    pub fn done(&mut self) {
        self.push("display-message", &["-p", DONE]);
    }

    /// No window has sizes any more that tmux is to keep: a person's hooks are theirs again.
    pub fn forget_sizes(&mut self) {
        let session = format!("{}:", self.session);
        for name in windows::SIZE_HOOKS {
            self.push("set-hook", &["-u", "-t", &session, name]);
        }
    }

    /// Sets a mark of the session.
    pub fn mark(&mut self, name: &str, value: &str) {
        let (target, value) = (format!("{}:", self.session), word(&windows::of_session(value)));
        self.push("set-option", &["-F", "-t", &target, &format!("@gt_{name}"), &value]);
    }

    /// Sets or takes away a variable of what is opened later.
    pub fn env(&mut self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => self.push("set-environment", &["-t", self.session, "--", name, &word(value)]),
            None => self.push("set-environment", &["-u", "-t", self.session, "--", name]),
        }
    }

    /// Opens a window with all its panes beside another: `-a` behind it, `-b` before it.
    pub fn new_window(&mut self, side: &str, beside: &str, window: &NewWindow) {
        let Some(first) = window.panes.first() else { return };
        self.check(window.panes.iter());
        self.batch.push(windows::new_window(&[side, "-t", beside], &self.env, window, first));
        // It is the current one now.
        let target = format!("{}:", self.session);
        self.batch.push_cmds(windows::fill(&target, &self.env, window, None));
    }

    /// Opens a pane behind another, or with `-b` before it; it is its window's active one then. The window's layout
    /// is to be set afterwards.
    pub fn split(&mut self, window: &str, before: bool, beside: &str, pane: &NewPane) {
        self.check([pane].into_iter());
        // Halves of halves are soon too small to be split.
        self.push("select-layout", &["-t", window, "tiled"]);
        let at: &[&str] = if before { &["-b", "-t", beside] } else { &["-t", beside] };
        self.batch.push(windows::split(at, &self.env, pane));
        self.batch.push_cmds(windows::settle(window, pane, None));
        if pane.argv.is_empty() {
            // Where the session began with the agent alone, its whole window keeps what has ended.
            self.push("set-option", &["-p", "-t", window, "remain-on-exit", "off"]);
        }
    }

    /// Runs a pane of ours, not the agent's, anew. It must run words: tmux would run the old ones in place of none.
    pub fn run_again(&mut self, id: &str, pane: &NewPane) {
        self.check([pane].into_iter());
        let mut again = command("respawn-pane", &["-k", "-t", id, "-c", &word(&unformatted(&pane.cwd))]);
        windows::push_start(&mut again, &self.env, pane);
        let mut batch = TmuxCommands::new().add_command(again);
        batch.push_cmds(windows::settle(id, pane, None));
        self.guarded(id, OURS, batch);
    }

    /// Sets a window's name, when it has one.
    pub fn rename(&mut self, id: &str, name: &str) {
        if !name.is_empty() {
            self.push("rename-window", &["-t", id, "--", &text::name(name)]);
        }
    }

    /// Sets a window's mark.
    pub fn mark_window(&mut self, id: &str, mark: &str) {
        self.batch.push(windows::mark_window(id, mark));
    }

    /// Sets a pane's mark.
    pub fn mark_pane(&mut self, id: &str, mark: &str) {
        self.batch.push(windows::mark_pane(id, mark));
    }

    /// Sets a window's layout and the sizes of its panes.
    pub fn arrange(
        &mut self,
        id: &str,
        layout: Option<&str>,
        resizes: &[Resize],
        pane: &dyn Fn(usize) -> String,
    ) {
        self.batch.push_cmds(windows::arrange(id, layout, resizes, pane));
    }

    /// Exchanges the places of two panes.
    pub fn swap(&mut self, one: &str, other: &str) {
        self.push("swap-pane", &["-d", "-s", one, "-t", other]);
    }

    /// Exchanges the places of two windows.
    pub fn swap_windows(&mut self, one: &str, other: &str) {
        self.push("swap-window", &["-d", "-s", one, "-t", other]);
    }

    /// Gives a pane the focus of its window.
    pub fn select_pane(&mut self, pane: &str) {
        self.push("select-pane", &["-t", pane]);
    }

    /// Shows a window.
    pub fn select_window(&mut self, window: &str) {
        self.push("select-window", &["-t", window]);
    }

    /// Closes a window of ours (`@5`) or a pane (`%9`), never the agent's.
    pub fn remove(&mut self, id: &str) {
        let (name, ours) =
            if id.starts_with('@') { ("kill-window", OUR_WINDOW) } else { ("kill-pane", OURS) };
        self.guarded(id, ours, TmuxCommands::new().add_command(command(name, &["-t", id])));
    }

    fn guarded(&mut self, id: &str, format: &'static str, batch: TmuxCommands<'static>) {
        let text = batch_text(&batch);
        let guarded: TmuxCommand<'static> = when(id, format, text);
        self.batch.push(guarded);
    }

    fn check<'p>(&mut self, panes: impl Iterator<Item = &'p NewPane>) {
        for pane in panes {
            if let Err(error) = fits(&pane.env, &pane.argv) {
                self.wrong.get_or_insert(error);
            }
        }
    }
}

impl Tmux {
    /// Makes changes, all in one process. Gives how many were made, and why not all.
    ///
    /// # Errors
    /// When tmux cannot be started, or a value is one that it cannot take.
    pub fn change(&self, changes: Changes) -> Result<(usize, Answer)> {
        let Changes { session, mut batch, wrong, .. } = changes;
        if let Some(error) = wrong {
            return Err(error);
        }
        let target = format!("{session}:");
        for name in windows::HOOKS {
            batch.push(command("set-hook", &["-u", "-t", &target, name]));
        }
        let mut all = when(&target, self.here(&super::ours(session)), batch_text(&batch));
        all.push_param(GONE);
        let text = batch_text(&TmuxCommands::new().add_command(all)) + "\n";
        let output = self.sourced(TmuxCommands::new(), text).run()?;
        let said = output.text();
        let made = said.lines().filter(|line| *line == DONE).count();
        if !output.ok() {
            // What a person's hooks were to do is theirs again, whatever failed.
            let unset = windows::HOOKS.map(|name| command("set-hook", &["-u", "-t", &target, name]));
            self.ask(unset.into_iter().fold(TmuxCommands::new(), TmuxCommands::add_command))?;
        }
        Ok((made, told_gone(answer(&output), "the session is gone")))
    }
}
