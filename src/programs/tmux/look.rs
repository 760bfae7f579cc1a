//! Looking at all panes of a server.

use anyhow::Result;
use tmux_interface::{ListPanes, TmuxCommands};

use super::super::process::Running;
use super::make::{LEAVING, PAUSE, is_leaving};
use super::rows::{Depth, LINE, LookForm, PaneMark, PaneRow, SERVER, ServerSight};
use super::{Answer, Tmux, answer, windows};
use crate::programs::process::stamp::Stamp;

/// A look that is under way.
pub struct TmuxLooking {
    tmux: Tmux,
    running: Running,
    form: LookForm,
}

impl Tmux {
    /// Starts looking at every pane of the server; work can go on meanwhile.
    ///
    /// # Errors
    /// When tmux cannot be started.
    pub fn begin_look(&self, depth: Depth) -> Result<TmuxLooking> {
        self.begin(LookForm { depth, earlier: false })
    }

    fn begin(&self, form: LookForm) -> Result<TmuxLooking> {
        let server = format!("{SERVER}\t#{{pid}}\t#{{version}}");
        let batch = TmuxCommands::new()
            .add_command(windows::command("show-options", &["-s"]))
            .add_command(windows::command("show-options", &["-gw"]))
            .add_command(windows::command("display-message", &["-p", &server]))
            .add_command(ListPanes::new().all().format(form.format()).build());
        let running = self.process(batch).start()?;
        Ok(TmuxLooking { tmux: self.clone(), running, form })
    }

    fn remember_rows(&self, sight: &ServerSight) {
        let rows = &sight.rows;
        let is_home = |row: &PaneRow, agent: &PaneMark| {
            row.own.as_ref().is_some_and(|own| own.agent.instance == agent.instance)
        };
        let agents = rows.iter().filter_map(|row| {
            let agent = row.agent.as_ref()?;
            let home = if is_home(row, agent) { row } else { rows.iter().find(|row| is_home(row, agent))? };
            Some((home.session.clone(), row.pane.clone()))
        });
        if !rows.is_empty() {
            self.remember(sight.server, agents);
        }
    }
}

impl TmuxLooking {
    /// The same look again, at a server that the configured socket does not lead to.
    ///
    /// # Errors
    /// As [`TmuxLooking::wait`].
    pub fn at(
        tmux: &Tmux,
        depth: Depth,
        socket: &str,
        server: &Stamp,
    ) -> Result<Result<ServerSight, String>> {
        if let Err(why) = tmux.follow(socket, server) {
            return Ok(Err(why));
        }
        let seen = tmux.begin_look(depth)?.wait()?;
        Ok(seen.and_then(|sight| match sight.rows.is_empty() && server.alive() {
            true => Err(format!("the tmux server {} runs, but does not answer at {socket}", server.pid)),
            false => Ok(sight),
        }))
    }

    /// What the look asks, and how.
    pub fn asks(&self) -> (Tmux, Depth) {
        (self.tmux.clone(), self.form.depth)
    }

    /// Every pane, or why nothing could be seen. Where sessions of an earlier version run, tmux is asked for their marks
    /// besides.
    ///
    /// tmux loses deaths: while it reports a closed terminal it misses the signal that a program ended. A pane that
    /// is dead without a status makes this remind the server, once, and look again.
    ///
    /// # Errors
    /// When waiting for tmux failed.
    pub fn wait(self) -> Result<Result<ServerSight, String>> {
        let (tmux, mut form) = (self.tmux.clone(), self.form);
        let mut seen = self.once()?;
        // Its last session may have ended this moment: a server on its way out answers nobody, and is gone a moment later.
        for _ in 0..LEAVING {
            if !seen.as_ref().is_err_and(|why| is_leaving(why)) {
                break;
            }
            std::thread::sleep(PAUSE);
            seen = tmux.begin(form)?.once()?;
        }
        let missed =
            |row: &&PaneRow| row.dead && row.exit.is_none() && row.signal.is_none() && row.agent.is_some();
        let (mut earlier, mut lost) = (false, None);
        if let Ok(sight) = &seen {
            tmux.remember_rows(sight);
            earlier = sight.rows.iter().any(PaneRow::is_earlier);
            lost = sight.rows.iter().find(missed).and_then(|_| rustix::process::Pid::from_raw(sight.server));
        }
        if let Some(server) = lost {
            let _ = rustix::process::kill_process(server, rustix::process::Signal::CHILD);
        }
        if lost.is_some() || earlier {
            form.earlier = earlier;
            seen = tmux.begin(form)?.once()?;
        }
        Ok(seen)
    }

    fn once(self) -> Result<Result<ServerSight, String>> {
        Ok(match answer(&self.running.wait()?) {
            Answer::Said(text) => match hidden(&text) {
                Some(why) => Err(why),
                None => Ok(self.form.read(&text)),
            },
            Answer::Nothing => Ok(ServerSight::default()),
            Answer::Failed(why) => Err(why),
        })
    }
}

/// Why the marks cannot be read: an option of the same name of the server or of all windows comes before those of
/// sessions in a format. Options are told before the first pane, whose text may be anything.
fn hidden(text: &str) -> Option<String> {
    let options = text.lines().take_while(|line| !line.starts_with(SERVER) && !line.starts_with(LINE));
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
