//! fugue's commands as data, and running them.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::answers::{Reply, Row, Silence, answer, plain, rows};
use super::{Dialect, FUGUE_ADDR, Fugue};
use crate::base::failure::Failure;
use crate::programs::fugue::LIMIT;
use crate::programs::process::{Output, Process};

/// A daemon gives no more lines of a screen than this.
pub const MOST_LINES: usize = 1000;
/// How often a call is run again that took somebody else's message for its answer.
const TRIES: usize = 10;
/// The longest single word the kernel hands to a program (128 KiB with its final NUL).
const WORD: usize = 128 * 1024 - 1;

/// A daemon: the program that asks it, and its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FugueServer {
    fugue: Fugue,
    addr: String,
}

/// A session to make.
#[derive(Clone, Debug, Default)]
pub struct NewDaemonSession<'a> {
    /// Its name.
    pub name: &'a str,
    /// Where its command starts; where the daemon likes when absent. A folder that is missing is no error to fugue.
    pub cwd: Option<&'a str>,
    /// Its tags, without commas.
    pub tags: &'a [String],
    /// Its command: one text for `sh`.
    pub line: &'a str,
}

/// A list that is under way; other work can go on meanwhile.
pub struct Listing {
    asked: JoinHandle<(Result<Output>, Duration)>,
}

impl Listing {
    /// The sessions, or why the daemon was silent; and how long it took.
    ///
    /// # Errors
    /// When the program cannot be started, or refuses its arguments.
    pub fn wait(self) -> Result<(Result<Vec<Row>, Silence>, Duration)> {
        let (output, took) = self.asked.join().map_err(|_| Failure::new("asking a fugue daemon failed"))?;
        let output = output?;
        // No session at all: exit code 1 and not a word.
        let empty = output.code == Some(1) && output.stdout.is_empty() && output.stderr.is_empty();
        let listed = match answer(&output) {
            _ if empty => Ok(Vec::new()),
            Reply::Said(text) => Ok(rows(&text)),
            Reply::Silent(silence) => Err(silence),
            Reply::Refused(why) => crate::fail!("cannot list fugue's sessions: {why}"),
        };
        Ok((listed, took))
    }
}

/// The commands, each as data.
impl FugueServer {
    /// A daemon by its address; the program's own default socket when it is empty.
    pub fn new(fugue: Fugue, addr: &str) -> FugueServer {
        FugueServer { fugue, addr: addr.into() }
    }

    /// Its address.
    pub fn addr(&self) -> &str {
        &self.addr
    }

    /// `--addr` first, and only where an address counts.
    fn call(&self, command: [&str; 2]) -> Process {
        let [client, compat] = command;
        let process = Process::new(self.fugue.program()).env_remove(FUGUE_ADDR).timeout(LIMIT);
        let process = if self.addr.is_empty() { process } else { process.args(["--addr", &self.addr]) };
        process.arg(if self.is_client() { client } else { compat })
    }

    fn is_client(&self) -> bool {
        self.fugue.dialect() == Dialect::Client
    }

    /// Lists sessions.
    pub fn list_call(&self) -> Process {
        let format = if self.is_client() {
            "#{pane_id}\t#{pane_attached}\t#{pane_tags}\t#{pane_name}"
        } else {
            "#{session_id}\t#{session_attached}\t#{session_tags}\t#{session_name}"
        };
        self.call(["list-panes", "list-sessions"]).args(["-F", format])
    }

    /// Makes a session. Values stand in one word with their option: one may begin with a dash.
    pub fn new_call(&self, wanted: &NewDaemonSession) -> Process {
        let mut call = self.call(["new-pane", "new-session"]);
        if !self.is_client() {
            call = call.arg("-d");
        }
        let option = |name: &str, value: &str| format!("--{name}={value}");
        // The documents write the name apart.
        call = match self.is_client() && !wanted.name.starts_with('-') {
            true => call.args(["--name", wanted.name]),
            false => call.arg(option("name", wanted.name)),
        };
        if let Some(cwd) = wanted.cwd {
            call = call.arg(option("cwd", cwd));
        }
        if !wanted.tags.is_empty() {
            call = call.arg(option("tags", &wanted.tags.join(",")));
        }
        // fugue joins the words that follow and gives them to a shell: one word stays what it is.
        call.arg("--").arg(wanted.line)
    }

    /// Ends a session, by the daemon's id: a name may be another's by now.
    pub fn kill_call(&self, id: &str) -> Process {
        self.call(["kill-pane", "kill-session"]).args(["-t", id])
    }

    /// The last lines of a session's screen, by its name: for this and for keys an id would be a pane's.
    pub fn capture_call(&self, name: &str, lines: usize) -> Process {
        let count = lines.clamp(1, MOST_LINES).to_string();
        self.call(["capture-pane", "capture-pane"]).args(["-p", "-N", &count, "-t", name])
    }

    /// Types text.
    pub fn text_call(&self, name: &str, text: &str) -> Process {
        self.call(["send-keys", "send-keys"]).args(["-t", name, "-l", "--", text])
    }

    /// Presses keys.
    pub fn keys_call<S: AsRef<str>>(&self, name: &str, keys: &[S]) -> Process {
        self.call(["send-keys", "send-keys"])
            .args(["-t", name, "--"])
            .args(keys.iter().map(|key| key.as_ref().to_string()))
    }

    /// The interactive program: the person chooses the session there.
    ///
    /// # Errors
    /// When it is not installed.
    pub fn show_call(&self) -> Result<Process> {
        let process = Process::new(self.fugue.interactive()?).env_remove(FUGUE_ADDR);
        Ok(match self.addr.is_empty() {
            // Where an address is given it never starts a daemon of its own.
            true if !self.is_client() => process.arg("--no-auto-start"),
            true => process,
            false => process.args(["--addr", &self.addr]),
        })
    }
}

/// The commands, run.
impl FugueServer {
    /// Starts asking for the list of sessions: one process, [`LIMIT`] at most.
    pub fn begin_list(&self) -> Listing {
        let call = self.list_call();
        // A thread each: only so is every daemon's own time known when several are asked at once.
        let asked = std::thread::spawn(move || {
            let begun = Instant::now();
            let output = settled(&call, true);
            (output, begun.elapsed())
        });
        Listing { asked }
    }

    /// The sessions, or why the daemon is silent.
    ///
    /// # Errors
    /// As [`Listing::wait`].
    pub fn list(&self) -> Result<Result<Vec<Row>, Silence>> {
        Ok(self.begin_list().wait()?.0)
    }

    /// Makes a session. fugue says yes even when its command cannot run: look afterwards.
    ///
    /// # Errors
    /// When the program cannot be started, or a value is one that it cannot take.
    pub fn new_session(&self, wanted: &NewDaemonSession) -> Result<Reply> {
        let apart = |tag: &&String| tag.is_empty() || tag.contains([',', '\t', '\n', '\0']);
        if let Some(tag) = wanted.tags.iter().find(apart) {
            crate::fail!("'{tag}' cannot be a tag of a fugue session"; "leave out commas, tabs and newlines");
        }
        if wanted.line.len() > WORD {
            crate::fail!(
                "the start of {} over there is too long: {} bytes, {WORD} at most", wanted.name, wanted.line.len();
                "put what the agent should read into a file of the repository"
            );
        }
        self.ask_once(&self.new_call(wanted))
    }

    /// Ends a session; one that is gone already is [`Reply::Said`].
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn kill(&self, id: &str) -> Result<Reply> {
        Ok(match self.ask(&self.kill_call(id))? {
            Reply::Refused(why) if why.contains("not found") => Reply::Said(String::new()),
            other => other,
        })
    }

    /// The last `lines` lines that a session's program wrote (at most [`MOST_LINES`]), without what steers a terminal.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn capture(&self, name: &str, lines: usize) -> Result<Reply> {
        Ok(match self.ask(&self.capture_call(name, lines))? {
            Reply::Said(text) => Reply::Said(plain(&text)),
            other => other,
        })
    }

    /// Types text in front of a session's program; nothing is submitted. fugue cannot say whether the program takes a
    /// block, so lines become one line, and nothing in it acts as a key.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn text(&self, name: &str, text: &str) -> Result<Reply> {
        let line = plain(text).split_whitespace().collect::<Vec<_>>().join(" ");
        if line.is_empty() {
            return Ok(Reply::Said(String::new()));
        }
        if line.len() > WORD {
            return Ok(Reply::Refused(format!("the text is too long: {} bytes, {WORD} at most", line.len())));
        }
        self.ask_once(&self.text_call(name, &line))
    }

    /// Presses keys, by tmux's names for them (`Enter`, `C-c`).
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn keys<S: AsRef<str>>(&self, name: &str, keys: &[S]) -> Result<Reply> {
        self.ask_once(&self.keys_call(name, keys))
    }

    /// What changes nothing, or nothing more the second time.
    fn ask(&self, call: &Process) -> Result<Reply> {
        Ok(answer(&settled(call, true)?))
    }

    /// What must not be done twice.
    fn ask_once(&self, call: &Process) -> Result<Reply> {
        Ok(answer(&settled(call, false)?))
    }
}

/// Runs a call until it is answered. fugue 0.1.1 tells every client when a session ends, and one that is waiting for
/// its own answer takes that for it and fails. One that was still connecting had done nothing and is asked again;
/// later only what may be done `twice` is, and anything else is taken for done: who changes something looks afterwards.
fn settled(call: &Process, twice: bool) -> Result<Output> {
    let begun = Instant::now();
    let mut output = call.run()?;
    for _ in 0..TRIES {
        let said = if output.ok() { String::new() } else { output.error_text() };
        let connecting = said.contains("Unexpected response to Connect");
        if begun.elapsed() >= LIMIT || !(connecting || said.starts_with("unexpected response")) {
            break;
        }
        if !(connecting || twice) {
            return Ok(Output { code: Some(0), stderr: Vec::new(), ..output });
        }
        output = call.run()?;
    }
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(dialect: Dialect, addr: &str) -> FugueServer {
        Fugue::new("fugue", dialect).at(addr)
    }

    fn shown(call: &Process) -> String {
        assert_eq!(call.env_remove, [FUGUE_ADDR]);
        call.shown().replace('\t', "<tab>")
    }

    #[test]
    fn spawn_command_construction() {
        let tags = ["remote".to_string(), "gt-i-1".into()];
        let wanted = NewDaemonSession {
            name: "gt-wyvern-Nux",
            cwd: Some("/home/a b"),
            tags: &tags,
            line: "exec 'it'\\''s'; $(x)",
        };
        let far = "tcp://localhost:9999";
        let mut calls = String::new();
        for (dialect, addr) in
            [(Dialect::Compat, far), (Dialect::Compat, ""), (Dialect::Client, far), (Dialect::Client, "")]
        {
            let server = server(dialect, addr);
            let all = [
                server.new_call(&wanted),
                server.new_call(&NewDaemonSession {
                    name: "-x",
                    line: "true",
                    ..NewDaemonSession::default()
                }),
                server.list_call(),
                server.kill_call("id-1"),
                server.capture_call("gt-wyvern-Nux", 5000),
                server.text_call("gt-wyvern-Nux", "-l; Enter"),
                server.keys_call("gt-wyvern-Nux", &["Enter"]),
            ];
            calls += &all.iter().map(|call| shown(call) + "\n").collect::<String>();
        }
        insta::assert_snapshot!(calls, @r#"
        fugue --addr tcp://localhost:9999 new-session -d '--name=gt-wyvern-Nux' '--cwd=/home/a b' '--tags=remote,gt-i-1' -- "exec 'it'\\''s'; "'$(x)'
        fugue --addr tcp://localhost:9999 new-session -d '--name=-x' -- true
        fugue --addr tcp://localhost:9999 list-sessions -F '#{session_id}<tab>#{session_attached}<tab>#{session_tags}<tab>#{session_name}'
        fugue --addr tcp://localhost:9999 kill-session -t id-1
        fugue --addr tcp://localhost:9999 capture-pane -p -N 1000 -t gt-wyvern-Nux
        fugue --addr tcp://localhost:9999 send-keys -t gt-wyvern-Nux -l -- '-l; Enter'
        fugue --addr tcp://localhost:9999 send-keys -t gt-wyvern-Nux -- Enter
        fugue new-session -d '--name=gt-wyvern-Nux' '--cwd=/home/a b' '--tags=remote,gt-i-1' -- "exec 'it'\\''s'; "'$(x)'
        fugue new-session -d '--name=-x' -- true
        fugue list-sessions -F '#{session_id}<tab>#{session_attached}<tab>#{session_tags}<tab>#{session_name}'
        fugue kill-session -t id-1
        fugue capture-pane -p -N 1000 -t gt-wyvern-Nux
        fugue send-keys -t gt-wyvern-Nux -l -- '-l; Enter'
        fugue send-keys -t gt-wyvern-Nux -- Enter
        fugue --addr tcp://localhost:9999 new-pane --name gt-wyvern-Nux '--cwd=/home/a b' '--tags=remote,gt-i-1' -- "exec 'it'\\''s'; "'$(x)'
        fugue --addr tcp://localhost:9999 new-pane '--name=-x' -- true
        fugue --addr tcp://localhost:9999 list-panes -F '#{pane_id}<tab>#{pane_attached}<tab>#{pane_tags}<tab>#{pane_name}'
        fugue --addr tcp://localhost:9999 kill-pane -t id-1
        fugue --addr tcp://localhost:9999 capture-pane -p -N 1000 -t gt-wyvern-Nux
        fugue --addr tcp://localhost:9999 send-keys -t gt-wyvern-Nux -l -- '-l; Enter'
        fugue --addr tcp://localhost:9999 send-keys -t gt-wyvern-Nux -- Enter
        fugue new-pane --name gt-wyvern-Nux '--cwd=/home/a b' '--tags=remote,gt-i-1' -- "exec 'it'\\''s'; "'$(x)'
        fugue new-pane '--name=-x' -- true
        fugue list-panes -F '#{pane_id}<tab>#{pane_attached}<tab>#{pane_tags}<tab>#{pane_name}'
        fugue kill-pane -t id-1
        fugue capture-pane -p -N 1000 -t gt-wyvern-Nux
        fugue send-keys -t gt-wyvern-Nux -l -- '-l; Enter'
        fugue send-keys -t gt-wyvern-Nux -- Enter
        "#);
    }

    #[test]
    fn a_tag_with_a_comma_and_a_line_that_is_too_long_are_refused() {
        let server = server(Dialect::Compat, "");
        let tags = ["a,b".to_string()];
        let wanted = NewDaemonSession { name: "n", tags: &tags, line: "true", ..NewDaemonSession::default() };
        assert_eq!(
            server.new_session(&wanted).unwrap_err().to_string(),
            "'a,b' cannot be a tag of a fugue session"
        );
        let line = "x".repeat(WORD + 1);
        let wanted = NewDaemonSession { name: "n", line: &line, ..NewDaemonSession::default() };
        assert!(server.new_session(&wanted).unwrap_err().to_string().contains("is too long: 131072 bytes"));
    }
}
