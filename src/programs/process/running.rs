//! A program that runs: fed, listened to and watched until it ends, and no longer.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::signals::{Charge, Reach};
use super::stamp::Stamp;
use super::usage::{self, Usage};
use crate::base::limits;
use crate::programs::process::{Limit, Output, Process};

/// How long a program may take to end when it is asked to: git removes its lock files then.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long is read on after a program's end, when something that it left behind goes on writing.
const DRAIN: Duration = Duration::from_millis(100);

/// A started program.
pub struct Running {
    child: Child,
    charge: Charge,
    pipes: [Option<File>; 2],
    input: Option<Vec<u8>>,
    watch: Watch,
}

impl Running {
    /// Which process it is; nothing when it has ended already.
    pub fn stamp(&self) -> Option<Stamp> {
        Stamp::of(pid_of(&self.child)?.as_raw_nonzero().get())
    }

    pub(super) fn new(
        process: &Process,
        child: Child,
        charge: Charge,
        reach: Reach,
        pipes: [Option<OwnedFd>; 2],
    ) -> Running {
        let pid = pid_of(&child);
        let watch = Watch::new(process.timeout, process.limit.clone(), pid, reach);
        Running {
            child,
            charge,
            pipes: pipes.map(|pipe| pipe.map(File::from)),
            input: process.stdin.clone(),
            watch,
        }
    }

    /// Feeds standard input, collects the output and waits for the end of the program. What it left running in the
    /// background is not waited for, even when it holds the output open.
    ///
    /// # Errors
    /// When waiting itself failed, or the program made no progress.
    pub fn wait(self) -> Result<Output> {
        let mut texts = [Vec::new(), Vec::new()];
        let (status, timed_out) = self.collect(|pipe, piece| texts[pipe].extend_from_slice(piece))?;
        let [stdout, stderr] = texts;
        Ok(Output { code: status.code(), signal: status.signal(), timed_out, stdout, stderr })
    }

    /// The same with the output given to `sink`, as it comes, with the number of its pipe; and whether the time limit
    /// ended it.
    pub(super) fn collect(mut self, mut sink: impl FnMut(usize, &[u8])) -> Result<(ExitStatus, bool)> {
        let end = end_of(&self.child);
        let mut input = self.child.stdin.take().map(|pipe| File::from(OwnedFd::from(pipe)));
        if let Some(pipe) = &input {
            rustix::fs::fcntl_setfl(pipe, rustix::fs::OFlags::NONBLOCK)?;
        }
        let mut text = self.input.take().unwrap_or_default();
        let mut buffer = vec![0; 1 << 16];
        let mut pause = Duration::from_millis(1);
        loop {
            feed(&mut input, &mut text);
            let mut wait = self.watch.next();
            if end.is_none() {
                wait = Some(wait.map_or(pause, |wait| wait.min(pause)));
                pause = (pause * 2).min(Duration::from_millis(50));
            }
            let (ready, ended) = wait_for_any(&self.pipes, input.as_ref(), end.as_ref(), wait)?;
            if read_ready(&mut self.pipes, ready, &mut buffer, &mut sink) {
                self.watch.progress();
            }
            if (ended || end.is_none())
                && let Some(status) = self.charge.try_wait(&mut self.child)?
            {
                self.drain(&mut buffer, &mut sink)?;
                return self.watch.judge(status);
            }
            self.watch.look()?;
        }
    }

    /// Reads what the program wrote before its end.
    fn drain(&mut self, buffer: &mut [u8], sink: &mut impl FnMut(usize, &[u8])) -> Result<()> {
        let limit = Instant::now() + DRAIN;
        while self.pipes.iter().any(Option::is_some) && Instant::now() < limit {
            let (ready, _) = wait_for_any(&self.pipes, None, None, Some(Duration::ZERO))?;
            if ready == [false; 2] {
                break;
            }
            read_ready(&mut self.pipes, ready, buffer, sink);
        }
        Ok(())
    }
}

/// Writes as much as the pipe takes. A program that does not read what it is given says so itself.
fn feed(input: &mut Option<File>, text: &mut Vec<u8>) {
    while let Some(pipe) = input {
        if text.is_empty() {
            *input = None;
            return;
        }
        match pipe.write(text) {
            Ok(count) => drop(text.drain(..count)),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(_) => *input = None,
        }
    }
}

/// Reads once from each pipe that is ready; whether there was anything. A read error ends the output early: the exit
/// status still tells how the program fared.
fn read_ready(
    pipes: &mut [Option<File>; 2],
    ready: [bool; 2],
    buffer: &mut [u8],
    sink: &mut impl FnMut(usize, &[u8]),
) -> bool {
    let mut any = false;
    for (number, pipe) in pipes.iter_mut().enumerate().filter(|(number, _)| ready[*number]) {
        match pipe.as_mut().map(|file| file.read(buffer)) {
            Some(Err(error)) if error.kind() == ErrorKind::Interrupted => {}
            Some(Ok(count @ 1..)) => {
                sink(number, &buffer[..count]);
                any = true;
            }
            _ => *pipe = None,
        }
    }
    any
}

/// Which of the pipes have something to read or have ended, and whether the program has; after `wait` at the latest.
fn wait_for_any(
    pipes: &[Option<File>; 2],
    input: Option<&File>,
    end: Option<&OwnedFd>,
    wait: Option<Duration>,
) -> std::io::Result<([bool; 2], bool)> {
    let wait = wait.and_then(|wait| Timespec::try_from(wait).ok());
    let mut asked: Vec<PollFd<'_>> =
        pipes.iter().flatten().map(|pipe| PollFd::new(pipe, PollFlags::IN)).collect();
    asked.extend(end.map(|end| PollFd::new(end, PollFlags::IN)));
    asked.extend(input.map(|input| PollFd::new(input, PollFlags::OUT)));
    match poll(&mut asked, wait.as_ref()) {
        Ok(_) => {}
        Err(rustix::io::Errno::INTR) => return Ok(([false; 2], false)),
        Err(error) => return Err(error.into()),
    }
    let mut answers = asked.iter().map(|answer| !answer.revents().is_empty());
    let ready = pipes.each_ref().map(|pipe| pipe.is_some() && answers.next() == Some(true));
    Ok((ready, end.is_some() && answers.next() == Some(true)))
}

pub(super) fn pid_of(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

/// What becomes readable when a child ends that was not waited for yet; nothing where the kernel cannot be asked this
/// way.
#[cfg(target_os = "linux")]
fn end_of(child: &Child) -> Option<OwnedFd> {
    rustix::process::pidfd_open(pid_of(child)?, rustix::process::PidfdFlags::empty()).ok()
}

#[cfg(not(target_os = "linux"))]
fn end_of(_child: &Child) -> Option<OwnedFd> {
    None
}

/// Whether the child ended in time. Where the system can tell the moment, no time is lost by asking.
pub(in crate::programs) fn wait_for_end(child: &mut Child, limit: Instant) -> std::io::Result<bool> {
    let end = end_of(child);
    let mut pause = Duration::from_millis(1);
    loop {
        if child.try_wait()?.is_some() {
            return Ok(true);
        }
        let left = limit.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        let wait = if end.is_some() { left } else { pause.min(left) };
        wait_for_any(&[None, None], None, end.as_ref(), Some(wait))?;
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// The limits of one program.
struct Watch {
    pid: Option<Pid>,
    reach: Reach,
    hard: Option<Instant>,
    limit: Option<Limit>,
    /// Since when there was no sign of progress.
    since: Instant,
    /// When it is looked next whether the program gets on; what it had used at the last look, and when that was.
    next: Instant,
    used: Option<(Usage, Instant)>,
    /// How long it may make no progress; not known before the first look.
    time: Option<Duration>,
    over: Option<Over>,
}

/// A program that is being ended.
struct Over {
    stalled: bool,
    kill: Instant,
    killed: bool,
}

impl Watch {
    fn new(timeout: Option<Duration>, limit: Option<Limit>, pid: Option<Pid>, reach: Reach) -> Watch {
        let now = Instant::now();
        let hard = timeout.map(|timeout| now + timeout);
        Watch {
            pid,
            reach,
            hard,
            limit,
            since: now,
            next: now + limits::WORD,
            used: None,
            time: None,
            over: None,
        }
    }

    /// How long until there is something to do.
    fn next(&self) -> Option<Duration> {
        let moment = match &self.over {
            Some(over) => Some(over.kill),
            None => self.hard.into_iter().chain(self.limit.as_ref().map(|_| self.next)).min(),
        };
        moment.map(|moment| moment.saturating_duration_since(Instant::now()))
    }

    fn progress(&mut self) {
        self.since = Instant::now();
    }

    /// Says what is waited for, and ends a program whose time is up.
    fn look(&mut self) -> Result<()> {
        let now = Instant::now();
        match &mut self.over {
            Some(over) if now >= over.kill && over.killed => {
                crate::fail!("a program that was killed does not end"; "see what it does with: ps -ef");
            }
            Some(over) if now >= over.kill => {
                (over.kill, over.killed) = (now + PATIENCE, true);
                self.send(Signal::KILL);
            }
            Some(_) => {}
            None if self.hard.is_some_and(|hard| now >= hard) => self.end(false),
            None if self.limit.is_some() && now >= self.next => self.look_for_progress(now),
            None => {}
        }
        Ok(())
    }

    fn look_for_progress(&mut self, now: Instant) {
        let (Some(limit), Some(pid)) = (&self.limit, self.pid) else { return };
        let used = usage::of_group(pid);
        match &self.used {
            None => match limit {
                Limit::Network(what) if crate::base::terminal::is_heard() => {
                    limits::say(&format!("waiting for {what}"));
                }
                Limit::Tmux(what) => limits::say(&format!("waiting for {what}")),
                Limit::Network(_) | Limit::Local(_) => {}
            },
            Some((earlier, then)) if used.more_than(earlier, (now - *then).as_secs()) => self.since = now,
            Some(_) => {}
        }
        let time = *self.time.get_or_insert_with(|| limit.time());
        self.used = Some((used, now));
        self.next = now + (time / 8).clamp(Duration::from_millis(250), Duration::from_secs(10));
        if now - self.since >= time {
            self.end(true);
        } else {
            self.next = self.next.min(self.since + time);
        }
    }

    fn end(&mut self, stalled: bool) {
        self.over = Some(Over { stalled, kill: Instant::now() + PATIENCE, killed: false });
        self.send(Signal::TERM);
    }

    fn send(&self, signal: Signal) {
        if let Some(pid) = self.pid {
            let _ = if self.reach == Reach::Group {
                kill_process_group(pid, signal)
            } else {
                kill_process(pid, signal)
            };
        }
    }

    /// What is said of a program that ended so.
    fn judge(&self, status: ExitStatus) -> Result<(ExitStatus, bool)> {
        let Some(over) = &self.over else { return Ok((status, false)) };
        // What it started and left when it was asked to end.
        self.send(Signal::KILL);
        match (&self.limit, self.time) {
            // What tmux did not say is a failure of that call alone.
            (Some(Limit::Tmux(_)), _) => Ok((status, true)),
            (Some(limit), Some(time)) if over.stalled && !status.success() => Err(limit.failure(time).into()),
            _ => Ok((status, !over.stalled)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Process {
        Process::new("sh").args(["-c", script])
    }

    /// Ends what a test left running in the background.
    fn end(pid: &str) {
        Process::new("kill").arg(pid.trim()).run().unwrap();
    }

    #[test]
    fn what_stays_in_the_background_is_not_waited_for() {
        let begun = Instant::now();
        let output = sh("sleep 600 & echo $!; echo said >&2; exit 3").run().unwrap();
        end(&output.text());
        assert_eq!((output.code, output.error_text().as_str()), (Some(3), "said"));
        let output = sh("(while :; do echo x; done) & echo $! >&2").run().unwrap();
        end(&output.error_text());
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    }

    #[test]
    fn all_that_was_written_is_read_and_all_that_is_given_is_fed() {
        let text = vec![b'x'; 1 << 20];
        let output = Process::new("cat").stdin(text.clone()).run().unwrap();
        assert_eq!(output.stdout.len(), text.len());
        // One that does not read is not waited for, even when its input stays open.
        let output = sh("sleep 600 & echo $!").stdin(text).run().unwrap();
        end(&output.text());
        assert!(output.ok());
    }

    #[test]
    fn the_time_limit_ends_the_program_and_what_it_started() {
        let output = sh("sleep 600 & sleep 600").timeout(Duration::from_millis(50)).run().unwrap();
        assert!(output.timed_out);
        assert_eq!(output.signal, Some(15));
        let deaf =
            sh("trap '' TERM; sleep 600 & sleep 600").timeout(Duration::from_millis(50)).run().unwrap();
        assert_eq!((deaf.timed_out, deaf.signal), (true, Some(9)));
    }

    /// How a program fares that may make no progress for a second.
    fn watched(script: &str) -> Result<Output> {
        let mut running = sh(script).limit(Limit::Network("the test".into())).start()?;
        running.watch.time = Some(Duration::from_secs(1));
        running.watch.next = Instant::now();
        running.wait()
    }

    #[test]
    fn a_program_without_progress_is_ended_and_one_that_works_or_speaks_is_not() {
        let error = watched("sleep 600 & sleep 600").unwrap_err();
        assert_eq!(error.to_string(), "the test made no progress for 1 s and was ended");
        let hint = error.downcast_ref::<crate::base::failure::Failure>().unwrap().hint.clone().unwrap();
        assert!(hint.contains("GASTOWN_LIMITS__NETWORK=5s"), "{hint}");
        let working = "end=$(($(date +%s) + 3)); while [ $(date +%s) -lt $end ]; do :; done";
        assert!(watched(working).unwrap().ok());
        assert_eq!(
            watched("for i in 1 2 3 4 5; do sleep 0.5; echo $i; done").unwrap().text(),
            "1\n2\n3\n4\n5"
        );
    }
}
