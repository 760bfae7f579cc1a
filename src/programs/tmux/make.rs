//! Making a session: one process, and everything stands before the program runs.

use std::time::Duration;

use anyhow::Result;
use tmux_interface::{NewSession, TmuxCommand, TmuxCommands};

use super::super::agent_lock;
use super::super::process::Process;
use super::rows::StateMark;
use super::text::{name, unformatted, word};
use super::windows::{self};
use super::{Answer, Own, Tmux, answer, batch_text};
use crate::base::failure::Failure;
use crate::programs::tmux::windows::{NewTmuxSession, push_program};

/// The longest single word the kernel hands to a program (128 KiB with its final NUL).
const WORD: usize = 128 * 1024 - 1;
/// How often a server on its way out is asked again.
pub(super) const LEAVING: usize = 20;

/// And after which pause.
pub(super) const PAUSE: Duration = Duration::from_millis(25);

/// Whether this is what tmux says when its server is on its way out.
pub(super) fn is_leaving(said: &str) -> bool {
    said.contains("server exited") || said.contains("lost server")
}

/// A session that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Made {
    /// Session id; pane id and process id of the agent's pane, of the first one where there is no agent.
    Session(String, String, i32),
    /// The name is taken.
    Duplicate,
    /// tmux refused, for this reason.
    Refused(String),
}

/// The variable that holds what the end hook runs; a pane in another session than its own has it as an option. The hook
/// itself is one fixed text, the same in every shell a person may have as `default-shell`. It is no process of the agent's,
/// and not in its folder.
const ON_END: &str = "GT_ON_END";
impl Tmux {
    /// Makes sessions in one process: environment, marks and hooks stand before the programs run. A session is one line of
    /// the text that tmux reads, and a line that fails does not keep the next ones from being run. Of one that was not made
    /// nothing is left; why not is exact for a session that is made alone, of several it is all that tmux said.
    ///
    /// # Errors
    /// When tmux cannot be started, or a value is one that it cannot take.
    pub fn new_sessions(&self, wanted: &[NewTmuxSession]) -> Result<Vec<Made>> {
        wanted.iter().try_for_each(check_words)?;
        let line = |(number, wanted): (usize, &NewTmuxSession)| {
            let words = batch_text(&session_batch(wanted));
            format!("display-message -p '{BEGUN}{number}' ; {words} ; display-message -p '{ENDED}{number}'\n")
        };
        let text: String = wanted.iter().enumerate().map(line).collect();
        // It may start the server.
        let start = TmuxCommands::new().add_command(TmuxCommand::with_name("start-server"));
        let process = agent_lock::without(self.sourced(start, text));
        let mut output = process.run()?;
        // Its last session may have ended this moment: a server on its way out takes nobody in, and a new one comes up.
        for _ in 0..LEAVING {
            if output.ok() || !output.text().is_empty() || !is_leaving(&output.error_text()) {
                break;
            }
            std::thread::sleep(PAUSE);
            output = process.run()?;
        }
        let why = match answer(&output) {
            Answer::Failed(why) => why,
            _ => output.error_text(),
        };
        let said = output.text();
        let mut made = Vec::new();
        let mut half = Vec::new();
        for (number, wanted) in wanted.iter().enumerate() {
            let own = said.split_once(&format!("{BEGUN}{number}\n")).map_or("", |(_, rest)| rest);
            let own = own.split(BEGUN).next().unwrap_or_default();
            let whole = own.split_once(&format!("{ENDED}{number}")).map(|(whole, _)| whole);
            made.push(match whole.and_then(|whole| Some((whole, session_of(wanted, whole)?))) {
                Some((whole, made)) => self.marked(wanted, whole, made)?,
                None if why.starts_with("duplicate session") => Made::Duplicate,
                None => Made::Refused(windows::place(wanted.windows, own.lines().count(), &why)),
            });
            if let (None, Some((session, _))) = (whole, own.split_once('\t')) {
                half.push(session);
            }
        }
        if !half.is_empty() {
            self.kill(&half)?;
        }
        Ok(made)
    }

    /// Has the mark of the agent's pane where it belongs: a hook of a person's that ran once the session was there may have
    /// put another pane in its place.
    fn marked(&self, wanted: &NewTmuxSession, said: &str, made: Made) -> Result<Made> {
        let Made::Session(session, pane, _) = &made else { return Ok(made) };
        let line = said.lines().find_map(|line| line.strip_prefix(MARKED)).unwrap_or_default();
        let (server, at) = line.split_once('\t').unwrap_or_default();
        if let Ok(server) = server.parse() {
            self.remember(server, [(session.clone(), pane.clone())]);
        }
        if at == pane || !wanted.has_agent() {
            return Ok(made);
        }
        let mut batch = TmuxCommands::new();
        if !at.is_empty() {
            for option in ["@gt", "@gt_agent", "@gt_on_end", "remain-on-exit"] {
                batch.push(windows::command("set-option", &["-p", "-u", "-t", at, option]));
            }
            batch.push(windows::command("set-hook", &["-p", "-u", "-t", at, "pane-died"]));
        }
        batch.push_cmds(windows::settle_agent(pane, wanted));
        match answer(&self.sourced(TmuxCommands::new(), batch_text(&batch) + "\n").run()?) {
            Answer::Said(_) => Ok(made),
            Answer::Failed(why) => {
                self.kill(&[session])?;
                Ok(Made::Refused(why))
            }
            Answer::Nothing => Ok(Made::Refused("the server has ended".into())),
        }
    }

    /// Commands that begin with these words, and go on with lines on standard input: what stands there is on no command line,
    /// which every user of the machine can read, the server's for as long as it runs.
    pub(super) fn sourced(&self, begin: TmuxCommands<'static>, lines: String) -> Process {
        let mut source = TmuxCommand::with_name("source-file");
        source.push_param("-");
        self.process(begin.add_command(source)).stdin(lines)
    }
}

/// What the first and the last command of a line print.
const BEGUN: &str = "gt-begun-";
const ENDED: &str = "gt-ended-";

/// What the line begins with that says which pane is marked.
const MARKED: &str = "gt-mark\t";

/// The session and its agent's pane (of the first one where there is no agent), from what its batch printed.
fn session_of(wanted: &NewTmuxSession, said: &str) -> Option<Made> {
    let mut panes = said.lines();
    let first: Vec<&str> = panes.next()?.split('\t').collect();
    let [session, pane, pid] = first.as_slice() else { return None };
    let others: Vec<&str> = panes.filter(|line| line.starts_with('%')).collect();
    let agent = windows::agents_place(wanted.windows).and_then(|place| place.checked_sub(1));
    let line = agent.and_then(|place| others.get(place)?.split_once('\t'));
    let (pane, pid) = line.unwrap_or((pane, pid));
    Some(Made::Session((*session).into(), pane.into(), pid.parse().unwrap_or_default()))
}

fn check_words(wanted: &NewTmuxSession) -> Result<()> {
    if wanted.name.is_empty() || wanted.name.contains(['.', ':']) {
        crate::fail!("'{}' cannot name a session: no '.' and no ':'", wanted.name);
    }
    fits(wanted.env, wanted.argv)?;
    wanted.windows.iter().flat_map(|window| &window.panes).try_for_each(|pane| fits(&pane.env, &pane.argv))
}

/// Refuses what the kernel does not hand to a program.
pub(super) fn fits(env: &[(String, String)], argv: &[String]) -> Result<()> {
    let env = env.iter().map(|(key, value)| (key.as_str(), key.len() + 1 + value.len()));
    let argv = argv.iter().map(|word| (word.as_str(), word.len()));
    for (name, length) in env.chain(argv) {
        if length > WORD {
            let shown: String = name.chars().take(40).collect();
            return Err(Failure::new(format!(
                "too large for a program's start: '{shown}' with {length} bytes; the system takes {WORD}"
            ))
            .hint("put it in a file, and name the file instead")
            .into());
        }
    }
    Ok(())
}

/// One batch: it runs before tmux returns to its event loop, so the program finds everything set when it ends at
/// once, and a person's `destroy-unattached` finds the session protected.
fn session_batch<'a>(wanted: &NewTmuxSession<'a>) -> TmuxCommands<'a> {
    if !wanted.windows.is_empty() {
        return windows_batch(wanted);
    }
    let mut new = new_session(wanted, wanted.window, wanted.cwd, &[]);
    push_program(&mut new, wanted.env, wanted.argv);
    let target = format!("={}:", wanted.name);
    let mut batch = TmuxCommands::new().add_command(new);
    batch.push_cmds(session_marks(&target, wanted));
    batch.push_cmds(windows::settle_agent(&windows::first_pane(&target), wanted));
    batch.push(tell_marked(&target));
    batch
}

/// What marks and protects the session.
fn session_marks<'a>(target: &str, wanted: &NewTmuxSession<'a>) -> TmuxCommands<'a> {
    let own = Own { agent: wanted.agent.clone(), alone: !wanted.has_agent() };
    let (state, since) = wanted.state;
    let mut batch = TmuxCommands::new();
    batch.push(windows::command("set-option", &["-t", target, "destroy-unattached", "off"]));
    let marks = [
        ("@gt_own", own.format()),
        ("@gt_state", StateMark::format("#{session_id}", state, since)),
        ("@gt_hash", windows::of_session(wanted.hash)),
    ];
    for (mark, value) in marks {
        batch.push(windows::command("set-option", &["-F", "-t", target, mark, &word(&value)]));
    }
    batch
}

/// Prints the server's process and the pane that is marked.
fn tell_marked(target: &str) -> TmuxCommand<'static> {
    let format = format!("{MARKED}#{{pid}}\t#{{pane_id}}");
    windows::command("list-panes", &["-s", "-t", target, "-f", super::MARKED_PANE, "-F", &format])
}

/// The same for windows and panes as a preset wants them. Every pane is made by a command of its own that prints it,
/// so that a failure can be told from how far it came.
fn windows_batch<'a>(wanted: &NewTmuxSession<'a>) -> TmuxCommands<'a> {
    let session = format!("={}", wanted.name);
    let target = format!("{session}:");
    let mut batch = TmuxCommands::new();
    if let Some((window, pane)) =
        wanted.windows.first().and_then(|window| Some((window, window.panes.first()?)))
    {
        let mut new = new_session(wanted, &window.name, &pane.cwd, &pane.env);
        push_program(&mut new, &windows::joined(wanted.env, &pane.env), &pane.argv);
        batch.push(new);
        // What only the first pane was to have is taken out again of what later windows get.
        for (key, _) in &pane.env {
            batch.push(match wanted.env.iter().rev().find(|(own, _)| own == key) {
                Some((_, value)) => {
                    windows::command("set-environment", &["-t", &session, "--", key, &word(value)])
                }
                None => windows::command("set-environment", &["-u", "-t", &session, "--", key]),
            });
        }
    }
    batch.push_cmds(session_marks(&target, wanted));
    batch.push_cmds(windows::build(&target, wanted));
    batch.push(tell_marked(&target));
    batch
}

fn new_session<'a>(
    wanted: &NewTmuxSession<'a>,
    window: &str,
    cwd: &str,
    more: &[(String, String)],
) -> TmuxCommand<'a> {
    let mut new = NewSession::new()
        .detached()
        .print()
        .format("#{session_id}\t#{pane_id}\t#{pane_pid}")
        .session_name(word(&unformatted(wanted.name)));
    if !window.is_empty() {
        new = new.window_name(name(window));
    }
    let mut new = new.start_directory(word(&unformatted(cwd))).width(200).height(50);
    let env = windows::joined(wanted.env, more);
    for (key, value) in env.iter().chain([&windows::passed(&env)]) {
        new = new.environment(key.clone(), word(value));
    }
    if !wanted.on_end.is_empty() {
        new = new.environment(ON_END.to_string(), word(wanted.on_end));
    }
    new.build()
}
