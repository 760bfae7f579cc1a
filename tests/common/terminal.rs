//! A real terminal for one command.

use super::{World, wait_for};

/// A terminal: a pane of a second tmux server, in which a script runs. Its exit code and errors go to files.
pub struct Terminal<'a> {
    world: &'a World,
    socket: String,
}

impl Terminal<'_> {
    /// Opens it.
    pub fn open<'a>(world: &'a World, script: &str) -> Terminal<'a> {
        let terminal = Terminal { world, socket: format!("{}-outer", world.socket) };
        let script = format!(
            "unset TMUX TMUX_PANE; ( {script} ) 2>terminal-errors; echo $? > terminal-code; exec sleep 1000"
        );
        terminal.tmux(&[
            "new-session",
            "-d",
            "-s",
            "terminal",
            "-x",
            "100",
            "-y",
            "30",
            "--",
            "sh",
            "-c",
            &script,
        ]);
        terminal
    }

    fn tmux(&self, words: &[&str]) -> String {
        let mut command = self.world.command("tmux", "");
        super::finish(command.args(["-u", "-L", &self.socket, "-f", "/dev/null"]).args(words)).ok().stdout
    }

    /// What it shows.
    pub fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-t", "=terminal:"])
    }

    /// What it shows, with the styles.
    pub fn styled(&self) -> String {
        self.tmux(&["capture-pane", "-e", "-p", "-t", "=terminal:"])
    }

    /// Types.
    pub fn keys(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys", "-t", "=terminal:"], keys].concat());
    }

    /// Waits for the script's exit code.
    pub fn ended(&self) -> i32 {
        let read = || std::fs::read_to_string(self.world.path("terminal-code")).ok()?.trim().parse().ok();
        wait_for("the terminal's command", read)
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}
