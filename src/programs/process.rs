//! The one place that starts a process.
//!
//! A command is plain data until [`Process::run`] runs it: no shell, standard input closed unless text is given,
//! messages in English, and a time limit where one is asked for.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::failure::Failure;

/// A program to run: data until it is run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Name (looked for on PATH) or path.
    pub program: OsString,
    /// Words, each passed as it is.
    pub args: Vec<OsString>,
    /// Set on top of the inherited environment.
    pub env: Vec<(OsString, OsString)>,
    /// Taken out of the inherited environment.
    pub env_remove: Vec<OsString>,
    /// Working directory; the caller's when absent.
    pub cwd: Option<PathBuf>,
    /// Text for standard input; closed when absent.
    pub stdin: Option<Vec<u8>>,
    /// After this long the program is killed, with all that it started.
    pub timeout: Option<Duration>,
    /// Standard output and standard error go to this file, as they come, instead of being kept.
    pub log: Option<PathBuf>,
}

/// What a finished program left.
#[derive(Clone, Debug)]
pub struct Output {
    /// Exit code, `None` when a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// True when the time limit ended it.
    pub timed_out: bool,
    /// Standard output, unchanged.
    pub stdout: Vec<u8>,
    /// Standard error, unchanged.
    pub stderr: Vec<u8>,
}

impl Output {
    /// Exit code 0.
    pub fn ok(&self) -> bool {
        self.code == Some(0)
    }

    /// Standard output as text, without the final newline.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim_end_matches('\n').to_string()
    }

    /// Standard error as text, trimmed.
    pub fn error_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).trim().to_string()
    }
}

impl Process {
    /// A program without arguments yet.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Process { program: program.as_ref().to_os_string(), ..Process::default() }
    }

    /// Adds one word.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_os_string());
        self
    }

    /// Adds words.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_os_string()));
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((key.as_ref().to_os_string(), value.as_ref().to_os_string()));
        self
    }

    /// Takes a variable out.
    #[must_use]
    pub fn env_remove(mut self, key: impl AsRef<OsStr>) -> Self {
        self.env_remove.push(key.as_ref().to_os_string());
        self
    }

    /// Runs there.
    #[must_use]
    pub fn cwd(mut self, dir: impl AsRef<Path>) -> Self {
        self.cwd = Some(dir.as_ref().to_path_buf());
        self
    }

    /// Gives text on standard input.
    #[must_use]
    pub fn stdin(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(text.into());
        self
    }

    /// Limits the time.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// Sends all output to a file that is made anew: what outlives the program cannot hold up who waits for it.
    #[must_use]
    pub fn log(mut self, path: impl AsRef<Path>) -> Self {
        self.log = Some(path.as_ref().to_path_buf());
        self
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).env("LC_MESSAGES", "C");
        for key in &self.env_remove {
            command.env_remove(key);
        }
        command.envs(self.env.iter().map(|(key, value)| (key, value)));
        if let Some(dir) = &self.cwd {
            command.current_dir(dir);
        }
        command
    }

    /// Starts it with its output kept; [`Running::wait`] gives the rest. Lets work go on meanwhile.
    ///
    /// # Errors
    /// When the program cannot be started: missing, not executable, or its directory is gone.
    pub fn start(&self) -> Result<Running> {
        let mut command = self.command();
        command
            .stdin(if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(path) = &self.log {
            let failed = |error| Failure::new(format!("cannot write {}: {error}", path.display()));
            let file = std::fs::File::create(path).map_err(failed)?;
            command.stderr(file.try_clone().map_err(failed)?).stdout(file);
        }
        if self.timeout.is_some() {
            // A group of its own, so that the limit ends what it started as well.
            command.process_group(0);
        }
        let child = command.spawn().map_err(|error| self.cannot_start(&error))?;
        Ok(Running { child, stdin: self.stdin.clone(), timeout: self.timeout })
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// Only when it cannot be started or waited for: look at [`Output::ok`] for its own verdict.
    pub fn run(&self) -> Result<Output> {
        self.start()?.wait()
    }

    /// Runs it with this program's own terminal, to its end.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run_on_terminal(&self) -> Result<ExitStatus> {
        self.command().status().map_err(|error| self.cannot_start(&error))
    }

    /// Runs it with its output and errors, in the order they come, given to `sink`; its exit code, or 128 and the
    /// signal. What the program left running in the background is not waited for.
    ///
    /// # Errors
    /// When it cannot be started or waited for.
    pub fn run_streaming(&self, mut sink: impl FnMut(&[u8])) -> Result<i32> {
        let (mut reader, writer) = std::io::pipe()?;
        let mut command = self.command();
        command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
        let mut child = command.spawn().map_err(|error| self.cannot_start(&error))?;
        // The command holds the writing end: without this the pipe would never end.
        drop(command);
        let (pieces, arriving) = std::sync::mpsc::channel::<Vec<u8>>();
        std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if pieces.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        let mut ended = None;
        loop {
            match arriving.recv_timeout(Duration::from_millis(50)) {
                Ok(piece) => sink(&piece),
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) if ended.is_some() => break,
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => ended = child.try_wait()?,
            }
        }
        let status = match ended {
            Some(status) => status,
            None => child.wait()?,
        };
        Ok(status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1))
    }

    /// Starts it and leaves it alone: in a group of its own and without a terminal, so that it outlives the session it
    /// was started from.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_detached(&self) -> Result<()> {
        let detached = |command: &mut Command| {
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        };
        self.spawn(detached).map(drop)
    }

    /// Starts it with its streams as `streams` sets them.
    pub(super) fn spawn(&self, streams: impl FnOnce(&mut Command)) -> Result<Child> {
        let mut command = self.command();
        streams(&mut command);
        command.spawn().map_err(|error| self.cannot_start(&error))
    }

    /// Becomes it: only returns when that failed.
    pub fn exec(&self) -> anyhow::Error {
        let error = self.command().exec();
        self.cannot_start(&error)
    }

    fn cannot_start(&self, error: &std::io::Error) -> anyhow::Error {
        let program = self.program.to_string_lossy();
        if let Some(dir) = self.cwd.as_ref().filter(|dir| !dir.is_dir()) {
            return Failure::new(format!("cannot run {program} in {}: no such folder", dir.display())).into();
        }
        if error.kind() == std::io::ErrorKind::NotFound {
            return Failure::new(format!("{program} is not installed or not on PATH"))
                .hint(format!("install it, then check with: {program} --version"))
                .into();
        }
        Failure::new(format!("cannot start {program}: {error}")).into()
    }

    /// The command line as a person could paste it into a shell.
    pub fn shown(&self) -> String {
        let words = std::iter::once(&self.program).chain(&self.args).map(|word| word.to_string_lossy());
        words.map(|word| quote(&word)).collect::<Vec<_>>().join(" ")
    }
}

/// One word for a POSIX shell. A NUL byte, which no argument can hold, is dropped.
pub fn quote(word: &str) -> String {
    let clean = word.replace('\0', "");
    shlex::try_quote(&clean).map(|quoted| quoted.into_owned()).unwrap_or_default()
}

/// A started program.
pub struct Running {
    child: Child,
    stdin: Option<Vec<u8>>,
    timeout: Option<Duration>,
}

impl Running {
    /// Feeds standard input, collects the output and waits for the end.
    ///
    /// # Errors
    /// When waiting itself failed.
    pub fn wait(mut self) -> Result<Output> {
        let input = self.child.stdin.take().zip(self.stdin.take());
        let mut limit = self.timeout.map(|limit| Instant::now() + limit);
        let child = &mut self.child;
        let (status, timed_out, [stdout, stderr]) = std::thread::scope(|scope| {
            match input {
                Some((mut pipe, text)) if text.len() > EMPTY_PIPE => {
                    scope.spawn(move || pipe.write_all(&text));
                }
                // A program that does not read what it is given says so itself.
                Some((mut pipe, text)) => drop(pipe.write_all(&text)),
                None => {}
            }
            let (texts, overdue) = read_both(child, &mut limit)?;
            let (status, late) = match limit {
                Some(limit) => wait_until(child, limit)?,
                None => (child.wait()?, false),
            };
            Ok::<_, std::io::Error>((status, overdue || late, texts))
        })?;
        Ok(Output { code: status.code(), signal: status.signal(), timed_out, stdout, stderr })
    }
}

/// What every system takes into an empty pipe without waiting for a reader.
const EMPTY_PIPE: usize = 4096;

/// Reads both outputs to their ends, without a thread for either: threads cost more than most programs gt runs.
/// A child that still runs when the time is up is killed with its group (true); then there is no limit any more.
fn read_both(child: &mut Child, limit: &mut Option<Instant>) -> std::io::Result<([Vec<u8>; 2], bool)> {
    let out = child.stdout.take().map(|pipe| File::from(OwnedFd::from(pipe)));
    let err = child.stderr.take().map(|pipe| File::from(OwnedFd::from(pipe)));
    let (mut pipes, mut texts, mut overdue) = ([out, err], [Vec::new(), Vec::new()], false);
    let mut buffer = vec![0; 1 << 16];
    while pipes.iter().any(Option::is_some) {
        let ready = wait_for_any(&pipes, *limit)?;
        if ready == [false; 2] && limit.is_some_and(|limit| Instant::now() >= limit) {
            *limit = None;
            if child.try_wait()?.is_none() {
                kill_group(child);
                overdue = true;
            }
        }
        for ((pipe, text), ready) in pipes.iter_mut().zip(&mut texts).zip(ready) {
            let Some(file) = pipe.as_mut().filter(|_| ready) else { continue };
            match file.read(&mut buffer) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                // A read error ends the output early; the exit status still tells how the program fared.
                Ok(0) | Err(_) => *pipe = None,
                Ok(count) => text.extend_from_slice(&buffer[..count]),
            }
        }
    }
    Ok((texts, overdue))
}

/// Which of the pipes have something to read, or their end; none when the time is up.
fn wait_for_any(pipes: &[Option<File>; 2], limit: Option<Instant>) -> std::io::Result<[bool; 2]> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let left = limit.map(|limit| limit.saturating_duration_since(Instant::now()));
    let left = left.and_then(|left| Timespec::try_from(left).ok());
    let mut asked: Vec<PollFd<'_>> =
        pipes.iter().flatten().map(|pipe| PollFd::new(pipe, PollFlags::IN)).collect();
    match poll(&mut asked, left.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let mut answers = asked.iter().map(|answer| !answer.revents().is_empty());
    Ok(pipes.each_ref().map(|pipe| pipe.is_some() && answers.next() == Some(true)))
}

fn kill_group(child: &Child) {
    if let Some(group) = pid_of(child) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
}

/// Waits until the child ends or the time is up; then its whole group is killed.
fn wait_until(child: &mut Child, limit: Instant) -> std::io::Result<(ExitStatus, bool)> {
    let late = !wait_for_end(child, limit)?;
    if late {
        kill_group(child);
    }
    Ok((child.wait()?, late))
}

fn pid_of(child: &Child) -> Option<rustix::process::Pid> {
    i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw)
}

/// Whether the child ended in time. Where the system can tell the moment, no time is lost by asking.
pub(super) fn wait_for_end(child: &mut Child, limit: Instant) -> std::io::Result<bool> {
    #[cfg(target_os = "linux")]
    if let Some(ended) = pid_of(child).and_then(|pid| end_by_event(pid, limit)) {
        return Ok(ended);
    }
    let mut pause = Duration::from_millis(1);
    loop {
        if child.try_wait()?.is_some() {
            return Ok(true);
        }
        let now = Instant::now();
        if now >= limit {
            return Ok(false);
        }
        std::thread::sleep(pause.min(limit - now));
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// Waits for a child that was not waited for yet; nothing when the kernel cannot be asked this way.
#[cfg(target_os = "linux")]
fn end_by_event(pid: rustix::process::Pid, limit: Instant) -> Option<bool> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let handle = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok()?;
    loop {
        let left = Timespec::try_from(limit.saturating_duration_since(Instant::now())).ok()?;
        match poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&left)) {
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return None,
            Ok(ended) => return Some(ended > 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_reach_the_program_unchanged() {
        let odd = "a;b 'c' \"d\" $(e) `f`\n\u{1F389}";
        let output = Process::new("printf").arg("%s").arg(odd).run().unwrap();
        assert_eq!(output.stdout, odd.as_bytes());
    }

    #[test]
    fn a_quoted_word_survives_a_shell() {
        let odd = "it's; $(touch x) `y` \"z\" \\ \n !";
        let output = Process::new("sh").arg("-c").arg(format!("printf %s {}", quote(odd))).run().unwrap();
        assert_eq!(output.stdout, odd.as_bytes());
    }

    #[test]
    fn large_input_and_output_do_not_block_each_other() {
        let text = vec![b'x'; 1 << 20];
        let output = Process::new("cat").stdin(text.clone()).run().unwrap();
        assert_eq!(output.stdout.len(), text.len());
    }

    #[test]
    fn the_time_limit_ends_the_program_and_what_it_started() {
        let process =
            Process::new("sh").args(["-c", "sleep 600 & sleep 600"]).timeout(Duration::from_millis(50));
        let output = process.run().unwrap();
        assert!(output.timed_out);
        assert_eq!(output.signal, Some(9));
    }

    #[test]
    fn streamed_output_comes_in_order_and_does_not_wait_for_what_stays_behind() {
        let mut all = Vec::new();
        let script = "sleep 600 & echo $! >&2; echo b; echo c >&2; exit 7";
        let code =
            Process::new("sh").args(["-c", script]).run_streaming(|piece| all.extend_from_slice(piece));
        assert_eq!(code.unwrap(), 7);
        let text = String::from_utf8(all).unwrap();
        let (pid, rest) = text.split_once('\n').unwrap();
        assert_eq!(rest, "b\nc\n");
        Process::new("kill").arg(pid).run().unwrap();
        let killed = Process::new("sh").args(["-c", "kill -9 $$"]).run_streaming(|_| ()).unwrap();
        assert_eq!(killed, 137);
    }

    #[test]
    fn a_missing_program_and_a_missing_folder_are_told_apart() {
        let missing = Process::new("no-such-program-gt").run().unwrap_err();
        assert_eq!(missing.to_string(), "no-such-program-gt is not installed or not on PATH");
        let folder = Process::new("true").cwd("/no/such/folder").run().unwrap_err();
        assert_eq!(folder.to_string(), "cannot run true in /no/such/folder: no such folder");
    }
}
