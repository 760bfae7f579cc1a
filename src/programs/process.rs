//! The one place that starts a process.
//!
//! A command is plain data until [`Process::run`] runs it: no shell, standard input closed unless text is given,
//! messages in English where they are read, a limit where one is asked for, and none of the variables by which git
//! tells its hooks about the repository that it was called for.

pub mod running;
pub mod signals;
pub mod stamp;
pub mod usage;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::PipeReader;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use crate::base::failure::Failure;
use crate::base::quote::quote;
use crate::base::{files, limits, repo_url, terminal};
use crate::programs::process::signals::{Charge, Reach};

pub use crate::programs::process::running::Running;

/// What ends a program that makes no progress: no output, nothing read or written, hardly any time computed. The words
/// say in messages what is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Limit {
    /// `limits.network`.
    Network(String),
    /// `limits.local`.
    Local(String),
    /// `limits.tmux`.
    Tmux(String),
}

impl Limit {
    /// How long it may make no progress.
    pub(super) fn time(&self) -> Duration {
        match self {
            Limit::Network(_) => limits::get().network,
            Limit::Local(_) => limits::get().local,
            Limit::Tmux(_) => limits::get().tmux,
        }
    }

    /// What is said of a program that it ended.
    pub(super) fn failure(&self, time: Duration) -> Failure {
        let (what, key) = match self {
            Limit::Network(what) => (what, "NETWORK"),
            Limit::Local(what) => (what, "LOCAL"),
            Limit::Tmux(what) => (what, "TMUX"),
        };
        let longer = time.as_secs().saturating_mul(5);
        Failure::new(format!("{what} made no progress for {} and was ended", limits::shown(time))).hint(
            format!("if it needs more time, run the same command with: GASTOWN_LIMITS__{key}={longer}s"),
        )
    }
}

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
    /// Whether `env` is all that it gets, and nothing is inherited.
    pub only_env: bool,
    /// Working directory; the caller's when absent.
    pub cwd: Option<PathBuf>,
    /// Text for standard input; closed when absent.
    pub stdin: Option<Vec<u8>>,
    /// After this long the program is ended, with all that it started.
    pub timeout: Option<Duration>,
    /// What ends it, with all that it started, when it makes no progress.
    pub limit: Option<Limit>,
    /// Whether it speaks the person's language: what it says is not read.
    pub own_locale: bool,
    /// A file that it holds open as its standard input, and so the lock on that file: until it ends, whatever becomes of
    /// gt.
    pub held: Option<HeldFile>,
    /// Standard output goes to this file instead of being kept: it may be long.
    pub out: Option<HeldFile>,
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
    /// What a program leaves in a test.
    #[cfg(test)]
    pub(super) fn of(code: i32, stdout: &str, stderr: &str) -> Output {
        let (stdout, stderr) = (stdout.into(), stderr.into());
        Output { code: Some(code), signal: None, timed_out: false, stdout, stderr }
    }

    /// Exit code 0.
    pub fn ok(&self) -> bool {
        self.code == Some(0)
    }

    /// Standard output as text, without the final newline.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim_end_matches('\n').to_string()
    }

    /// Standard error as text, trimmed, without the secrets of URLs in it.
    pub fn error_text(&self) -> String {
        repo_url::plain(String::from_utf8_lossy(&self.stderr).trim())
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

    /// Gives it these variables, and none of the inherited ones.
    #[must_use]
    pub fn only_env<'a>(mut self, env: impl IntoIterator<Item = &'a (String, String)>) -> Self {
        self.only_env = true;
        self.env.extend(env.into_iter().map(|(key, value)| (key.into(), value.into())));
        self
    }

    /// Runs there.
    #[must_use]
    pub fn cwd(mut self, dir: impl AsRef<Path>) -> Self {
        self.cwd = Some(dir.as_ref().to_path_buf());
        self
    }

    /// Has it hold a file open, and the lock on it.
    #[must_use]
    pub fn holding(mut self, file: Arc<File>) -> Self {
        self.held = Some(HeldFile(file));
        self
    }

    /// Sends its standard output to a file.
    #[must_use]
    pub fn into_file(mut self, file: Arc<File>) -> Self {
        self.out = Some(HeldFile(file));
        self
    }

    /// Gives text on standard input.
    #[must_use]
    pub fn stdin(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(text.into());
        self
    }

    /// Ends it when it makes no progress.
    #[must_use]
    pub fn limit(mut self, limit: Limit) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Leaves it the person's language.
    #[must_use]
    pub fn own_locale(mut self) -> Self {
        self.own_locale = true;
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

    fn command(&self, own_locale: bool) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args);
        if self.only_env {
            command.env_clear();
        } else if !own_locale {
            // Messages are read; what counts as a letter stays as it is.
            if let Some(all) = std::env::var_os("LC_ALL").filter(|all| !all.is_empty()) {
                command.env("LC_CTYPE", all);
            }
            command.env_remove("LC_ALL").env_remove("LANGUAGE").env("LC_MESSAGES", "C");
        }
        for key in foreign_to_us() {
            command.env_remove(key);
        }
        for key in &self.env_remove {
            command.env_remove(key);
        }
        command.envs(self.env.iter().map(|(key, value)| (key, value)));
        if let Some(dir) = &self.cwd {
            command.current_dir(dir);
        }
        command
    }

    /// Starts it with its output kept; [`Running::wait`] gives the rest. Lets work go on meanwhile. It runs in a process
    /// group of its own, so that limits and signals end what it started as well.
    ///
    /// # Errors
    /// When the program cannot be started: missing, not executable, or its directory is gone.
    pub fn start(&self) -> Result<Running> {
        let mut command = self.command(self.own_locale);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        command.stdin(match (&self.held, &self.stdin) {
            (Some(HeldFile(file)), _) => Stdio::from(file.try_clone()?),
            (None, Some(_)) => Stdio::piped(),
            (None, None) => Stdio::null(),
        });
        if let Some(HeldFile(file)) = &self.out {
            command.stdout(file.try_clone()?);
        }
        if let Some(path) = &self.log {
            let failed = |error| Failure::new(format!("cannot write {}: {error}", path.display()));
            let file = files::open_private().truncate(true).open(path).map_err(failed)?;
            command.stderr(file.try_clone().map_err(failed)?).stdout(file);
        }
        let (mut child, charge) =
            signals::spawn(&mut command, Reach::Group).map_err(|error| self.cannot_start(&error))?;
        let pipes = [child.stdout.take().map(OwnedFd::from), child.stderr.take().map(OwnedFd::from)];
        Ok(Running::new(self, child, charge, Reach::Group, pipes))
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// When it cannot be started or waited for, or made no progress: look at [`Output::ok`] for its own verdict.
    pub fn run(&self) -> Result<Output> {
        self.start()?.wait()
    }

    /// Starts it with this program's own terminal but for its standard input.
    pub(super) fn start_on_terminal(&self, stdin: Stdio) -> Result<(Child, Charge)> {
        let mut command = self.command(true);
        command.stdin(stdin);
        signals::spawn(&mut command, Reach::Terminal).map_err(|error| self.cannot_start(&error))
    }

    /// Runs it with its output and errors, in the order they come, given to `sink`; its exit code, or 128 and the
    /// signal. It stays in gt's own process group. What the program left running in the background is not waited for.
    ///
    /// # Errors
    /// When it cannot be started or waited for.
    pub fn run_streaming(&self, mut sink: impl FnMut(&[u8])) -> Result<i32> {
        let (reader, writer) = std::io::pipe()?;
        let mut command = self.command(self.own_locale);
        command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
        self.stream(command, [Some(reader), None], |_, piece| sink(piece))
    }

    /// Runs it with this program's own standard input; each line of its output is given to `sink` as text, each of its
    /// errors is told. Its exit code as of [`Process::run_streaming`].
    ///
    /// # Errors
    /// The same.
    pub fn run_lines(&self, sink: impl FnMut(&str)) -> Result<i32> {
        let (reader, writer) = std::io::pipe()?;
        let mut command = self.command(true);
        command.stdout(writer);
        self.tell_errors(command, Some(reader), sink)
    }

    /// The same with its output going where that of this program goes, byte for byte.
    ///
    /// # Errors
    /// The same.
    pub fn run_telling(&self) -> Result<i32> {
        self.tell_errors(self.command(true), None, |_| ())
    }

    fn tell_errors(
        &self,
        mut command: Command,
        output: Option<PipeReader>,
        mut sink: impl FnMut(&str),
    ) -> Result<i32> {
        let (reader, writer) = std::io::pipe()?;
        command.stderr(writer);
        let mut line =
            |number: usize, line: &str| if number == 0 { sink(line) } else { terminal::tell(line) };
        let mut rests = [Vec::new(), Vec::new()];
        let code = self.stream(command, [output, Some(reader)], |number, piece| {
            let rest = &mut rests[number];
            rest.extend_from_slice(piece);
            let whole = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            let lines: Vec<u8> = rest.drain(..whole).collect();
            String::from_utf8_lossy(&lines).split_terminator('\n').for_each(|text| line(number, text));
        })?;
        for (number, rest) in rests.iter().enumerate().filter(|(_, rest)| !rest.is_empty()) {
            line(number, &String::from_utf8_lossy(rest));
        }
        Ok(code)
    }

    fn stream(
        &self,
        mut command: Command,
        readers: [Option<PipeReader>; 2],
        sink: impl FnMut(usize, &[u8]),
    ) -> Result<i32> {
        let (child, charge) =
            signals::spawn(&mut command, Reach::Alone).map_err(|error| self.cannot_start(&error))?;
        // The command holds the writing ends: without this the pipes would never end.
        drop(command);
        let pipes = readers.map(|reader| reader.map(OwnedFd::from));
        let running = Running::new(self, child, charge, Reach::Alone, pipes);
        let status = running.collect(sink)?.0;
        Ok(status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1))
    }

    /// Starts it and leaves it alone: in a group of its own and without a terminal, so that it outlives the session it
    /// was started from, and is none of that agent's processes.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_detached(&self) -> Result<()> {
        let mut command = self.command(true);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        command.env_remove("GT_TOWN_ROOT");
        command.spawn().map(drop).map_err(|error| self.cannot_start(&error))
    }

    /// Starts it in gt's own process group, with its streams as `streams` sets them. It ends with gt.
    pub(super) fn spawn(&self, streams: impl FnOnce(&mut Command)) -> Result<(Child, Charge)> {
        let mut command = self.command(self.own_locale);
        streams(&mut command);
        signals::spawn(&mut command, Reach::Alone).map_err(|error| self.cannot_start(&error))
    }

    /// Becomes it: only returns when that failed.
    pub fn exec(&self) -> anyhow::Error {
        let error = self.command(true).exec();
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

/// A file that a program is to hold open.
#[derive(Clone, Debug)]
pub struct HeldFile(pub Arc<File>);

impl PartialEq for HeldFile {
    fn eq(&self, other: &HeldFile) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for HeldFile {}

/// Variables by which git tells its hooks and aliases which repository it was called for (`git rev-parse
/// --local-env-vars`, and what a push adds): they are never about the repositories of the town.
const OF_A_REPOSITORY: [&str; 16] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// What else it sets there, for the one commit that it makes. A person may have set these too.
const OF_A_COMMIT: [&str; 8] = [
    "GIT_AUTHOR_DATE",
    "GIT_AUTHOR_EMAIL",
    "GIT_AUTHOR_NAME",
    "GIT_COMMITTER_DATE",
    "GIT_EDITOR",
    "GIT_EXEC_PATH",
    "GIT_REFLOG_ACTION",
    "GIT_SEQUENCE_EDITOR",
];

/// The variables that no program of ours may see: those of the git that called gt, when a git did.
pub fn foreign_to_us() -> impl Iterator<Item = &'static str> {
    let by_git = OF_A_REPOSITORY.iter().any(|key| std::env::var_os(key).is_some());
    OF_A_REPOSITORY.into_iter().chain(OF_A_COMMIT.into_iter().filter(move |_| by_git))
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
    fn a_language_of_the_person_and_the_variables_of_a_hook_stay_outside() {
        let shown = |process: &Process| format!("{:?}", process.command(process.own_locale));
        let parsed = shown(&Process::new("git").env("GIT_DIR", "x"));
        for key in ["LC_ALL", "LANGUAGE", "GIT_WORK_TREE", "GIT_QUARANTINE_PATH"] {
            assert!(parsed.contains(&format!("-u {key}")), "{parsed}");
        }
        assert!(parsed.contains("LC_MESSAGES=\"C\"") && parsed.contains("GIT_DIR=\"x\""), "{parsed}");
        let own = shown(&Process::new("sh").own_locale());
        assert!(
            !own.contains("LC_") && !own.contains("LANGUAGE") && own.contains("-u GIT_INDEX_FILE"),
            "{own}"
        );
    }

    #[test]
    fn a_missing_program_and_a_missing_folder_are_told_apart() {
        let missing = Process::new("no-such-program-gt").run().unwrap_err();
        assert_eq!(missing.to_string(), "no-such-program-gt is not installed or not on PATH");
        let folder = Process::new("true").cwd("/no/such/folder").run().unwrap_err();
        assert_eq!(folder.to_string(), "cannot run true in /no/such/folder: no such folder");
    }
}
