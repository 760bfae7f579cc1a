//! tmux: the one place that knows its quirks.
//!
//! Every call is one process with a time limit. Values are data: a final `;` is escaped, `#` is doubled where tmux
//! expands formats, and targets are tmux's own ids or exact names. Only sessions gt made are ever changed: the
//! commands that change one are behind a check of its mark, inside tmux itself.

mod live;
mod look;
mod make;
mod rows;
mod text;
mod windows;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::process::Signal;
use tmux_interface::{
    AttachSession, CapturePane, DeleteBuffer, DisplayMessage, IfShell, ListClients, LoadBuffer, PasteBuffer,
    SendKeys, SwitchClient, TmuxCommand, TmuxCommands,
};

use self::text::{as_text, plain, unformatted, word};
use crate::base::limits::{self, MOMENT};
use crate::model::state::State;
use crate::programs::process::stamp::Stamp;
use crate::programs::process::{Limit, Output, Process};

pub use self::live::Changes;
pub use self::look::TmuxLooking;
pub use self::rows::{Depth, Own, PaneDetail, PaneMark, PaneRow, ServerSight, StateMark};
pub use self::windows::{NewPane, NewWindow};
pub use crate::programs::tmux::make::Made;
pub use crate::programs::tmux::windows::NewTmuxSession;

/// The oldest tmux whose `new-session` takes an environment.
pub const MINIMUM: (u32, u32) = (3, 2);

/// How long a server may take to make its socket again.
const SOCKET: Duration = Duration::from_secs(2);

/// A tmux server, by its socket.
#[derive(Clone, Debug)]
pub struct Tmux {
    socket: String,
    known: Arc<Mutex<KnownServer>>,
}

/// What was seen of the server: ids mean something in that one only.
#[derive(Debug, Default)]
struct KnownServer {
    /// Its process.
    server: Option<i32>,
    /// Its socket, where that is another than the one that is configured.
    socket: Option<String>,
    /// The agent's pane of a session, by the session's id: it may be in another session by now.
    agents: BTreeMap<String, String>,
}

/// What a call came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It worked and printed this.
    Said(String),
    /// No server runs there, or it has no sessions.
    Nothing,
    /// It failed, and said this.
    Failed(String),
}

impl Tmux {
    /// The server on that socket: a name (`tmux -L`), or a path when it has a `/`; tmux's own default when absent,
    /// whatever server the caller's terminal happens to be in.
    pub fn new(socket: Option<&str>) -> Tmux {
        let socket = socket.filter(|name| !name.is_empty()).unwrap_or("default").to_string();
        Tmux { socket, known: Arc::default() }
    }

    /// The server and the session that a pane was made in, by its variable `TMUX`: `SOCKET,PID,SESSION`.
    pub fn of_pane(tmux: &str) -> Option<(Tmux, String)> {
        let mut parts = tmux.rsplitn(3, ',');
        let (session, server) = (parts.next()?.parse::<u32>().ok()?, parts.next()?.parse().ok()?);
        let own = Tmux::new(parts.next());
        own.remember(server, []);
        Some((own, format!("${session}")))
    }

    fn socket(&self) -> String {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.socket.clone().unwrap_or_else(|| self.socket.clone())
    }

    /// From now on asks the server that has this process, at its own socket. Where that is gone, a cleaner of temporary files
    /// say, the server makes it again.
    ///
    /// # Errors
    /// Why the server cannot be asked.
    pub fn follow(&self, socket: &str, server: &Stamp) -> Result<(), String> {
        let path = Path::new(socket);
        if !path.exists() {
            if let Some(dir) = path.parent().filter(|dir| !dir.exists()) {
                let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
                made.map_err(|error| format!("cannot make {}: {error}", dir.display()))?;
            }
            server.send(Signal::USR1);
            let limit = Instant::now() + SOCKET;
            while !path.exists() && Instant::now() < limit {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        if !path.exists() {
            let pid = server.pid;
            return Err(format!(
                "the tmux server {pid} runs, but its socket {socket} is gone; bring it back with: kill -USR1 {pid}"
            ));
        }
        self.known.lock().unwrap_or_else(PoisonError::into_inner).socket = Some(socket.into());
        Ok(())
    }

    /// Remembers the server that ids are from, and the panes of its agents.
    fn remember(&self, server: i32, agents: impl IntoIterator<Item = (String, String)>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.server != Some(server) {
            *known =
                KnownServer { server: Some(server), socket: known.socket.take(), ..KnownServer::default() };
        }
        known.agents.extend(agents);
    }

    /// A format that is true where another one is, in the server that ids are from: after a restart they mean others.
    fn here(&self, format: &str) -> String {
        match self.known.lock().unwrap_or_else(PoisonError::into_inner).server {
            Some(server) => format!("#{{&&:#{{==:#{{pid}},{server}}},{format}}}"),
            None => format.to_string(),
        }
    }

    fn agent_of(&self, session: &str) -> Option<String> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).agents.get(session).cloned()
    }

    /// The call as data.
    fn process(&self, commands: TmuxCommands) -> Process {
        let tmux = tmux_interface::Tmux::new().force_utf8();
        let socket = self.socket();
        let tmux = match socket.contains('/') {
            true => tmux.socket_path(&socket),
            false => tmux.socket_name(&socket),
        };
        let words = tmux.commands(commands).build().to_vec();
        // A server that this starts gives its agents what it inherits, the person's language too; its own words are
        // English in every language. It is no process of the agent that starts it.
        Process::new("tmux")
            .args(words.iter().skip(1).map(|word| word.as_ref()))
            .env_remove("GT_TOWN_ROOT")
            .limit(Limit::Tmux(format!("the tmux server on the socket {socket}")))
            .own_locale()
    }

    fn ask(&self, commands: TmuxCommands) -> Result<Answer> {
        Ok(answer(&self.process(commands).run()?))
    }

    /// Says on a session gt made, or on the pane of an agent that has none, what its agent does. One that waits for its end
    /// goes on saying that.
    ///
    /// # Errors
    /// When tmux cannot be started.
    pub fn mark(&self, session: &str, state: &str, since: &str) -> Result<Answer> {
        let is_pane = session.starts_with('%');
        let target = if is_pane { session.to_string() } else { format!("{session}:") };
        let flag = if is_pane { "-p" } else { "-q" };
        let value = word(&StateMark::format(session, state, since));
        let set = windows::command("set-option", &[flag, "-F", "-t", &target, "@gt_state", &value]);
        let batch = TmuxCommands::new().add_command(set);
        let stays = format!("#{{&&:{},#{{?#{{m:*{ENDS}*,#{{@gt_state}}}},0,1}}}}", ours(session));
        let ours = if state == ENDS { ours(session) } else { stays };
        let mut set = when(&target, self.here(&ours), batch_text(&batch));
        set.push_param(GONE);
        Ok(told_gone(self.ask(TmuxCommands::new().add_command(set))?, "the session is gone"))
    }

    /// Ends sessions, each with its agent's pane, wherever a person put that; of a pane's id the pane alone. Only what carries
    /// its own mark ends, in the server that was seen. What is gone is no failure.
    ///
    /// # Errors
    /// When tmux cannot be started.
    pub fn kill(&self, sessions: &[&str]) -> Result<Answer> {
        let mut answer = Answer::Said(String::new());
        // tmux takes a command of 16 KB.
        for some in sessions.chunks(20) {
            if let failed @ Answer::Failed(_) = std::mem::replace(&mut answer, self.kill_some(some)?) {
                return Ok(failed);
            }
        }
        Ok(answer)
    }

    fn kill_some(&self, sessions: &[&str]) -> Result<Answer> {
        let commands = sessions.iter().fold(TmuxCommands::new(), |batch, session| {
            let pane =
                if session.starts_with('%') { Some((*session).into()) } else { self.agent_of(session) };
            let batch = match pane {
                Some(pane) => {
                    let kill = format!("kill-pane -t {}", as_text(&pane));
                    batch.add_command(when(&pane, self.here(&ours(&pane)), kill))
                }
                None => batch,
            };
            if session.starts_with('%') {
                return batch;
            }
            let kill = format!("kill-session -t {}", as_text(session));
            batch.add_command(when(&format!("{session}:"), self.here(&ours(session)), kill))
        });
        self.ask(commands)
    }

    /// The pane's text: what is visible and `history` lines above it.
    ///
    /// # Errors
    /// When tmux cannot be started.
    pub fn capture(&self, pane: &str, history: usize) -> Result<Answer> {
        let capture = CapturePane::new().stdout().join().start_line(format!("-{history}")).target_pane(pane);
        self.ask(TmuxCommands::new().add_command(capture.build()))
    }

    /// The visible screens of agents' panes, in one call; nothing for one that is gone.
    ///
    /// # Errors
    /// When tmux cannot be started.
    pub fn screens(&self, panes: &[&str]) -> Result<Vec<Option<String>>> {
        if panes.is_empty() {
            return Ok(Vec::new());
        }
        // No screen can hold it by chance, nor one whose agent means to.
        let moment = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let border = format!("gt-screen-{}-{}-", std::process::id(), moment.as_nanos());
        let line = |(number, pane): (usize, &&str)| {
            let capture = format!("capture-pane -p -J -t {}", as_text(pane));
            let batch = TmuxCommands::new().add_command(when(pane, self.here(&ours(pane)), capture));
            format!("display-message -p '{border}{number}' ; {}\n", batch_text(&batch))
        };
        let lines = panes.iter().enumerate().map(line).collect();
        let said = self.sourced(TmuxCommands::new(), lines).run()?.text();
        let screen = |number: usize| {
            let (_, rest) = said.split_once(&format!("{border}{number}\n"))?;
            let screen = rest.split(&border).next().unwrap_or_default();
            Some(screen.to_string()).filter(|screen| !screen.trim().is_empty())
        };
        Ok((0..panes.len()).map(screen).collect())
    }

    /// Pastes a block of text, as one bracketed paste where the program asked for that. Control characters but tab
    /// and newline are taken out: they would act as keys, and end the block early.
    ///
    /// # Errors
    /// When tmux cannot be started.
    pub fn paste(&self, pane: &str, text: &str) -> Result<Answer> {
        static PASTES: AtomicUsize = AtomicUsize::new(0);
        let buffer = format!("gt-{}-{}", std::process::id(), PASTES.fetch_add(1, Ordering::Relaxed));
        let load = LoadBuffer::new().buffer_name(&buffer).path("-");
        let paste = PasteBuffer::new().delete().bracket_codes().buffer_name(&buffer).target_pane(pane);
        // A paste to a dead pane would leave the text behind in the server.
        let batch = TmuxCommands::new().add_command(leave_mode(pane)).add_command(paste.build());
        let mut alive = when(pane, self.here(&alive(pane)), batch_text(&batch));
        alive.push_param(format!("delete-buffer -b {buffer} ; {GONE}"));
        let batch = TmuxCommands::new().add_command(load.build()).add_command(alive);
        let answer = told_gone(answer(&self.process(batch).stdin(plain(text)).run()?), "the pane is gone");
        if let Answer::Failed(_) = answer {
            // Whatever failed between the two, the text does not stay; most often it is gone already.
            let delete = DeleteBuffer::new().buffer_name(&buffer).build();
            self.ask(TmuxCommands::new().add_command(delete))?;
        }
        Ok(answer)
    }

    /// Presses keys, by tmux's names for them.
    ///
    /// # Errors
    /// When tmux cannot be started.
    pub fn keys(&self, pane: &str, keys: &[String]) -> Result<Answer> {
        let send = keys.iter().fold(SendKeys::new().target_pane(pane), |send, key| send.key(word(key)));
        let batch = TmuxCommands::new().add_command(leave_mode(pane)).add_command(send.build());
        let mut alive = when(pane, self.here(&alive(pane)), batch_text(&batch));
        alive.push_param(GONE);
        Ok(told_gone(self.ask(TmuxCommands::new().add_command(alive))?, "the pane is gone"))
    }
}

impl Tmux {
    /// What shows a session to the person: `switch-client` for a terminal that is in this server already, else
    /// `attach-session`.
    pub fn show(&self, session: &str, inside: bool) -> Process {
        let command = match inside {
            true => SwitchClient::new().target_session(session).build(),
            false => AttachSession::new().target_session(session).build(),
        };
        let mut process = self.process(TmuxCommands::new().add_command(command));
        process.limit = None;
        process
    }

    /// Shows a line in every terminal that is attached to the server. None, or no server: nothing is shown.
    ///
    /// # Errors
    /// When tmux cannot be started.
    pub fn tell(&self, text: &str) -> Result<()> {
        let list = ListClients::new().format("#{client_name}").build();
        let Answer::Said(names) = self.ask(TmuxCommands::new().add_command(list))? else { return Ok(()) };
        let text = unformatted(text);
        let mut all = TmuxCommands::new();
        for name in names.lines() {
            all.push(DisplayMessage::new().target_client(name).message(word(&text)).build());
        }
        if !names.is_empty() {
            self.ask(all)?;
        }
        Ok(())
    }

    /// Whether a terminal with this `TMUX` variable is in this server.
    pub fn is_inside(&self, tmux: &str) -> bool {
        let path = tmux.split(',').next().unwrap_or_default();
        let socket = self.socket();
        if socket.contains('/') {
            return path == socket;
        }
        Path::new(path).file_name().is_some_and(|name| name == socket.as_str())
    }

    /// The version of the installed program: `tmux -V`.
    ///
    /// # Errors
    /// When tmux cannot be started.
    pub fn version() -> Result<String> {
        let output = Process::new("tmux").arg("-V").timeout(MOMENT).run()?;
        Ok(output.text().trim().trim_start_matches("tmux").trim().to_string())
    }
}

/// `3.3a`, `next-3.4`, `3.2-rc2` and `openbsd-7.4` (always new enough) as numbers.
pub fn parse_version(text: &str) -> Option<(u32, u32)> {
    if text.starts_with("openbsd-") || text == "master" {
        return Some((u32::MAX, 0));
    }
    let (major, rest) = text.trim_start_matches("next-").split_once('.')?;
    let minor: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// tmux's verdict. Two texts say that nothing runs, a third that the server has no session; anything else that
/// failed is a failure, never "nothing".
fn answer(output: &Output) -> Answer {
    // A client that is asked to end does so with exit code 0.
    if output.timed_out {
        let limit = limits::shown(limits::get().tmux);
        return Answer::Failed(format!("tmux did not answer within {limit} (limits.tmux)"));
    }
    if output.ok() {
        return Answer::Said(output.text());
    }
    let said = output.error_text();
    let absent = said.starts_with("no server running on")
        || (said.starts_with("error connecting to") && said.ends_with("(No such file or directory)"))
        || said == "no current target";
    if absent {
        Answer::Nothing
    } else if said.is_empty() {
        Answer::Failed(match output.signal {
            Some(signal) => format!("tmux was ended by signal {signal}"),
            None => format!("tmux failed with exit code {}", output.code.unwrap_or_default()),
        })
    } else {
        Answer::Failed(said)
    }
}

/// The state of a session that waits for its end.
const ENDS: &str = State::Ends.as_str();

/// What is printed where a target is gone, not alive, or not ours.
const GONE: &str = "display-message -p gone";

/// True for an agent's pane, with the program that gt started in it.
const MARKED_PANE: &str = "#{m:#{pane_id} #{pane_pid} *,#{@gt}}";

/// True for this very session (`$7`) where gt made it, and for this very pane (`%9`) where it is an agent's, with the
/// program that gt started in it. The id stands there because tmux takes another target in place of one that is gone.
fn ours(id: &str) -> String {
    if id.starts_with('%') {
        format!("#{{m:{id} #{{pane_pid}} *,#{{@gt}}}}")
    } else {
        format!("#{{m:{id} *,#{{@gt_own}}}}")
    }
}

/// The same for a pane whose program runs.
fn alive(pane: &str) -> String {
    format!("#{{&&:{},#{{==:#{{pane_dead}},0}}}}", ours(pane))
}

/// A pane that shows its history or a message of tmux's takes keys and pastes for itself.
fn leave_mode(pane: &str) -> TmuxCommand<'static> {
    windows::command("copy-mode", &["-q", "-t", pane])
}

fn told_gone(answer: Answer, what: &str) -> Answer {
    match answer {
        Answer::Said(text) if text == "gone" => Answer::Failed(what.into()),
        other => other,
    }
}

/// Commands as text for tmux's own parser.
fn batch_text(batch: &TmuxCommands) -> String {
    batch.to_vec().iter().map(|word| as_text(word)).collect::<Vec<_>>().join(" ")
}

/// Runs a tmux command when a format is true for the target, which may be gone.
fn when<'a>(target: &str, format: impl Into<Cow<'a, str>>, command: String) -> TmuxCommand<'a> {
    IfShell::new()
        .not_execute()
        .target_pane(target.to_string())
        .shell_command(format)
        .command(command)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_every_kind() {
        assert_eq!(parse_version("3.3a"), Some((3, 3)));
        assert_eq!(parse_version("next-3.4"), Some((3, 4)));
        assert_eq!(parse_version("3.2-rc2"), Some((3, 2)));
        assert_eq!(parse_version("2.8"), Some((2, 8)));
        assert!(parse_version("openbsd-7.4").unwrap() > MINIMUM);
        assert_eq!(parse_version("none"), None);
    }

    #[test]
    fn only_an_absent_server_is_nothing() {
        let said = |code, text: &str| answer(&Output::of(code, "", &format!("{text}\n")));
        assert_eq!(said(1, "no server running on /tmp/tmux-0/x"), Answer::Nothing);
        assert_eq!(said(1, "error connecting to /tmp/tmux-0/x (No such file or directory)"), Answer::Nothing);
        let denied = "error connecting to /tmp/tmux-0/x (Permission denied)";
        assert_eq!(said(1, denied), Answer::Failed(denied.into()));
        assert_eq!(said(1, ""), Answer::Failed("tmux failed with exit code 1".into()));
    }

    #[test]
    fn a_socket_is_recognised_from_inside() {
        assert!(Tmux::new(None).is_inside("/tmp/tmux-1000/default,123,0"));
        assert!(!Tmux::new(Some("town")).is_inside("/tmp/tmux-1000/default,123,0"));
        assert!(Tmux::new(Some("/run/t")).is_inside("/run/t,1,0"));
    }
}
