//! Test runs of the bench: each in a worktree of its own, its output in a file.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::bench::{Bench, GREEN};
use crate::base::{files, time};
use crate::config::schema::{CommandSetting, SandboxSetting};
use crate::plan::queue::{Ended, Verdict, verdict};
use crate::programs::Process;
use crate::town::occupancy;
use crate::work::polecat::{survivors, worktree};

/// How much of the end of a test run's output is shown.
const TAIL_LINES: usize = 40;

const DEFAULT_LIMIT: std::time::Duration = std::time::Duration::from_secs(30 * 60);

/// A finished test run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tested {
    /// What it says.
    pub verdict: Verdict,
    /// How the command ended, in words.
    pub how: String,
    /// The end of its output.
    pub tail: String,
    /// The file that holds all of it.
    pub log: PathBuf,
}

impl Bench<'_> {
    /// Whether the tests were green on this commit of the target.
    ///
    /// # Errors
    /// When git cannot be started.
    pub fn known_green(&self, commit: &str) -> Result<bool> {
        Ok(self.clone.commit_of(GREEN)?.is_some_and(|green| green == commit))
    }

    /// Runs the tests on a commit, in a worktree of their own; a red run is repeated as often as the rig says. Without
    /// a test command everything is green.
    ///
    /// # Errors
    /// When the worktree or the log cannot be made: nothing is known then.
    pub fn test(&self, commit: &str, say: &dyn Fn(&str)) -> Result<Tested> {
        let mut tested = self.test_once(commit, say)?;
        for _ in 0..self.merge.retries {
            if tested.verdict != Verdict::Red {
                break;
            }
            tested = self.test_once(commit, say)?;
        }
        Ok(tested)
    }

    fn test_once(&self, commit: &str, say: &dyn Fn(&str)) -> Result<Tested> {
        let Some(command) = &self.merge.test_command else {
            let how = "no tests".into();
            return Ok(Tested { verdict: Verdict::Green, how, tail: String::new(), log: PathBuf::new() });
        };
        let logs = self.rig.logs_dir();
        files::make_dir(&logs)?;
        let short = commit.get(..12).unwrap_or(commit);
        let log = logs.join(format!("tests-{short}-{}.txt", self.runs.get() + 1));
        let could_not_run = |error: &anyhow::Error| {
            let how = format!("{error:#}");
            Tested { verdict: Verdict::CouldNotRun, how, tail: String::new(), log: log.clone() }
        };
        // An earlier run may have been killed together with gt.
        match survivors::end_tests(self.rig, None) {
            Ok(left) => left.iter().for_each(|left| say(left)),
            Err(error) => return Ok(could_not_run(&error)),
        }
        let path = self.worktree(commit)?;
        if let Err(error) = self.prepare(&path) {
            self.remove(&path);
            return Ok(could_not_run(&error));
        }
        self.runs.set(self.runs.get() + 1);
        let limit = time::parse_duration(&self.merge.timeout);
        let process = occupancy::mark_of(self.rig, "")
            .iter()
            .fold(test_process(command).only_env(&self.test_env), |process, (key, value)| {
                process.env(key, value)
            })
            .cwd(&path)
            .timeout(limit.unwrap_or(DEFAULT_LIMIT))
            .log(&log);
        let mut leader = None;
        let ended = process.start().and_then(|running| {
            leader = running.stamp();
            running.wait()
        });
        // What cannot be ended keeps the next run from starting; it changes nothing about this one.
        match survivors::end_tests(self.rig, leader) {
            Ok(left) => left.iter().for_each(|left| say(left)),
            Err(error) => say(&format!("{error:#}")),
        }
        self.remove(&path);
        let (verdict, how) = match ended {
            Ok(output) => {
                let by_shell = matches!(command, CommandSetting::Text(_));
                let ended = Ended { code: output.code, timed_out: output.timed_out, by_shell };
                let how = match (output.timed_out, output.code, output.signal) {
                    (true, ..) => format!("they took longer than {}", self.merge.timeout),
                    (_, Some(code), _) => format!("the test command ended with {code}"),
                    (_, _, Some(signal)) => format!("signal {signal} ended the test command"),
                    _ => "the test command did not end by itself".into(),
                };
                (verdict(ended, &self.merge.cannot_run), how)
            }
            Err(error) => (Verdict::CouldNotRun, format!("{error:#}")),
        };
        Ok(Tested { verdict, how, tail: tail(&log), log })
    }

    /// Gives the tests what a polecat's worktree has: copies, links, submodules, the setup command.
    fn prepare(&self, path: &Path) -> Result<()> {
        let wanted = worktree::NewWorktree {
            rig: self.rig,
            name: "",
            branch: "",
            base: "",
            sandbox: SandboxSetting::Worktree,
            rules: &self.settings.worktree,
            files: &[],
            only_env: Some(&self.test_env),
        };
        worktree::prepare(&wanted, path).map(drop)
    }
}

fn test_process(command: &CommandSetting) -> Process {
    match command {
        CommandSetting::Text(text) => Process::new("sh").args(["-c", text]),
        CommandSetting::Words(words) => {
            let mut words = words.iter();
            Process::new(words.next().map_or("", String::as_str)).args(words)
        }
    }
}

/// The last lines of a file.
fn tail(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let end = lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n");
    match end.char_indices().nth_back(4000) {
        Some((at, _)) => format!("…{}", &end[at..]),
        None => end,
    }
}
