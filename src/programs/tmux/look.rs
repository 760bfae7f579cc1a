//! Looking at all panes of a server.

use anyhow::Result;
use tmux_interface::{ListPanes, TmuxCommands};

use super::super::process::Running;
use super::make::{LEAVING, PAUSE, is_leaving};
use super::rows::{LINE, PaneMark, PaneRow, look_format, read_rows};
use super::{Answer, Tmux, answer, windows};
use crate::programs::process::stamp::Stamp;

/// A look that is under way.
pub struct TmuxLooking {
    tmux: Tmux,
    running: Running,
    close: bool,
}

impl Tmux {
    /// Starts looking at every pane of the server, closely with its window and where it stands; work can go on
    /// meanwhile.
    ///
    /// # Errors
    /// When tmux cannot be started.
    pub fn begin_look(&self, close: bool) -> Result<TmuxLooking> {
        let list = ListPanes::new().all().format(look_format(close)).build();
        let batch = TmuxCommands::new()
            .add_command(windows::command("show-options", &["-s"]))
            .add_command(windows::command("show-options", &["-gw"]));
        let running = self.process(batch.add_command(list)).start()?;
        Ok(TmuxLooking { tmux: self.clone(), running, close })
    }
}

impl Tmux {
    fn remember_rows(&self, rows: &[PaneRow]) {
        let Some(server) = rows.first().map(|row| row.server) else { return };
        let is_home = |row: &PaneRow, agent: &PaneMark| {
            row.own.as_ref().is_some_and(|own| own.instance == agent.instance)
        };
        let agents = rows.iter().filter_map(|row| {
            let agent = row.agent.as_ref()?;
            let home = if is_home(row, agent) { row } else { rows.iter().find(|row| is_home(row, agent))? };
            Some((home.session.clone(), row.pane.clone()))
        });
        self.remember(server, agents);
    }
}

impl TmuxLooking {
    /// The same look again, at a server that the configured socket does not lead to.
    ///
    /// # Errors
    /// As [`TmuxLooking::wait`].
    pub fn at(
        tmux: &Tmux,
        close: bool,
        socket: &str,
        server: &Stamp,
    ) -> Result<Result<Vec<PaneRow>, String>> {
        if let Err(why) = tmux.follow(socket, server) {
            return Ok(Err(why));
        }
        let seen = tmux.begin_look(close)?.wait()?;
        Ok(seen.and_then(|rows| match rows.is_empty() && server.alive() {
            true => Err(format!("the tmux server {} runs, but does not answer at {socket}", server.pid)),
            false => Ok(rows),
        }))
    }

    /// What the look asks, and how.
    pub fn asks(&self) -> (Tmux, bool) {
        (self.tmux.clone(), self.close)
    }

    /// Every pane, or why nothing could be seen.
    ///
    /// tmux loses deaths: while it reports a closed terminal it misses the signal that a program ended. A pane that
    /// is dead without a status makes this remind the server, once, and look again.
    ///
    /// # Errors
    /// When waiting for tmux failed.
    pub fn wait(self) -> Result<Result<Vec<PaneRow>, String>> {
        let (tmux, close) = (self.tmux, self.close);
        let mut seen = answer(&self.running.wait()?);
        // Its last session may have ended this moment: a server on its way out answers nobody, and is gone a moment later.
        for _ in 0..LEAVING {
            if !matches!(&seen, Answer::Failed(why) if is_leaving(why)) {
                break;
            }
            std::thread::sleep(PAUSE);
            seen = answer(&tmux.begin_look(close)?.running.wait()?);
        }
        let rows = match seen {
            Answer::Said(text) => match hidden(&text) {
                Some(why) => return Ok(Err(why)),
                None => read_rows(&text),
            },
            Answer::Nothing => Vec::new(),
            Answer::Failed(why) => return Ok(Err(why)),
        };
        tmux.remember_rows(&rows);
        let missed =
            |row: &&PaneRow| row.dead && row.exit.is_none() && row.signal.is_none() && row.agent.is_some();
        let Some(server) =
            rows.iter().find(missed).and_then(|row| rustix::process::Pid::from_raw(row.server))
        else {
            return Ok(Ok(rows));
        };
        let _ = rustix::process::kill_process(server, rustix::process::Signal::CHILD);
        Ok(match answer(&tmux.begin_look(close)?.running.wait()?) {
            Answer::Said(text) => Ok(read_rows(&text)),
            Answer::Nothing => Ok(Vec::new()),
            Answer::Failed(why) => Err(why),
        })
    }
}

/// Why the marks cannot be read: an option of the same name of the server or of all windows comes before those of
/// sessions in a format. Options are told before the first pane, whose text may be anything.
fn hidden(text: &str) -> Option<String> {
    let options = text.lines().take_while(|line| !line.starts_with(LINE));
    let name = options.filter_map(|line| line.split(' ').next()).find(|name| name.starts_with("@gt"))?;
    Some(format!(
        "the tmux option {name} is set for all sessions and hides the marks of gt's own; unset it with: \
         tmux set-option -su {name} ; tmux set-option -gwu {name}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_that_hides_marks_is_named_and_a_screen_hides_nothing() {
        let said = "message-limit 1000\n@gt_state ended\nmode-keys vi\ngt-pane\t1";
        assert!(hidden(said).unwrap().starts_with("the tmux option @gt_state is set for all sessions"));
        assert_eq!(hidden("@theme dark\ngt-pane\t1\t3.3a\tx\n@gt_state ended\ngt-pane\t1"), None);
        assert_eq!(hidden(""), None);
    }
}
