//! The deacon: the program that keeps a town going by itself (`deacon.md`). It sleeps until something happens, looks once,
//! decides ([`crate::plan::supervise`]) and runs commands of gt, each of which a person could type.

mod look;
mod waker;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use self::look::{Looked, look};
use self::waker::{Waker, Woken};
use crate::base::failure::Failure;
use crate::base::files::{self, Lock};
use crate::base::{terminal, time};
use crate::model::address::Address;
use crate::plan::supervise::{Action, Memory, Supervision, TownSeen, decide};
use crate::programs::Process;
use crate::programs::jobs::{EndOf, Job};
use crate::programs::process::signals;
use crate::town::Town;
use crate::town::deacon::{self, DeaconFile, SWEEP};
use crate::town::events::TownEvent;
use crate::town::log::Log;
use crate::work::agent::handoff;
use crate::work::observe::retried;

/// How often the clock is compared: after a computer's sleep everything is due.
const CLOCK: Duration = Duration::from_secs(60);

/// Between two looks, unless an agent ended.
const BREATH: Duration = Duration::from_millis(50);

/// How soon tmux should know that a program ended, and how often it is asked.
const SOON: Duration = Duration::from_millis(20);
const OFTEN: u32 = 10;

/// How it is, for who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeaconStatus {
    /// Its process.
    pub pid: i32,
    /// Since when it runs: RFC 3339, UTC.
    pub started: String,
    /// When it looked last.
    pub looked: String,
    /// How often it looked.
    pub looks: u64,
    /// How many agents it watches.
    pub agents: usize,
    /// The commands that it runs at this moment.
    pub running: Vec<String>,
    /// What it could not read at its last look.
    pub troubles: Vec<String>,
}

/// The deacon of a town, for as long as it runs.
pub struct Deacon<'a> {
    town: &'a Town,
    env: &'a HashMap<String, String>,
    gt: PathBuf,
    _lock: Lock,
    listener: UnixListener,
    log: Log,
    waker: Waker,
    memory: Memory,
    jobs: BTreeMap<String, RunningAction>,
    status: DeaconStatus,
    /// Agents that ended, and that tmux did not know of yet.
    gone: BTreeSet<i32>,
}

/// A command of gt that runs.
struct RunningAction {
    action: Action,
    job: Job,
    begun: Instant,
}

impl<'a> Deacon<'a> {
    /// Becomes the deacon of a town. `gt` is the program whose commands it runs.
    ///
    /// # Errors
    /// When one runs already, or its files cannot be made.
    pub fn begin(town: &'a Town, env: &'a HashMap<String, String>, gt: PathBuf) -> Result<Deacon<'a>> {
        let Some(lock) = deacon::lock(town)? else {
            let pid = DeaconFile::read(&town.root).map(|file| format!(", process {}", file.pid));
            let name = &town.name;
            return Err(Failure::new(format!(
                "the deacon of {name} runs already{}",
                pid.unwrap_or_default()
            ))
            .hint("see how it is with: gt daemon status; end it with: gt daemon stop")
            .into());
        };
        let (listener, socket) = deacon::listen(town, env.get("XDG_RUNTIME_DIR").map(String::as_str))?;
        let pid = i32::try_from(std::process::id())?;
        let started = time::now();
        DeaconFile { socket: socket.clone(), pid, started: started.clone() }.write(town)?;
        let status = DeaconStatus { pid, started, ..DeaconStatus::default() };
        let log = Log::open(deacon::log(&town.root))?;
        let memory = retried::remembered(town);
        let (waker, jobs, gone) = (Waker::new(), BTreeMap::new(), BTreeSet::new());
        Ok(Deacon { town, env, gt, _lock: lock, listener, log, waker, memory, jobs, status, gone })
    }

    /// Keeps the town going until a signal ends this program. What it runs is ended with it, and begun again by the next.
    ///
    /// # Errors
    /// When it cannot wait for anything any more.
    pub fn run(mut self) -> Result<()> {
        let socket = DeaconFile::read(&self.town.root).map(|file| file.socket).unwrap_or_default();
        let _put_back = signals::at_end(move || drop(std::fs::remove_file(&socket)));
        self.say(&format!("the deacon of {} begins, process {}", self.town.name, self.status.pid));
        TownEvent::new("deacon", "begins").in_town(&self.town.root);
        let (mut again, mut tries) = (Some(Instant::now()), 0);
        let mut due: Option<i64> = None;
        let mut looked = Instant::now();
        loop {
            let clock = (now(), Instant::now());
            let woken = self.wait(self.limit(again, due, looked))?;
            let slept = now() - clock.0 - i64::try_from(clock.1.elapsed().as_secs()).unwrap_or(0);
            let reaped = self.reap();
            let called = woken.called && deacon::serve(&self.listener, || self.answer());
            if woken.ended {
                tries = 0;
            }
            if called || woken.written || woken.ended || reaped {
                let at = if woken.ended { Instant::now() } else { looked + BREATH };
                again = Some(again.map_or(at, |again| again.min(at)));
            }
            let is_due = due.is_some_and(|due| due <= now()) || looked.elapsed() >= SWEEP || slept.abs() > 30;
            if !is_due && again.is_none_or(|again| again > Instant::now()) {
                continue;
            }
            looked = Instant::now();
            let (decision, fresh) = self.look_and_decide();
            due = decision.due;
            again = None;
            if fresh || (!self.gone.is_empty() && tries < OFTEN) {
                tries += 1;
                again = Some(looked + SOON);
            }
            decision.actions.into_iter().for_each(|action| self.act(action));
        }
    }

    fn limit(&self, again: Option<Instant>, due: Option<i64>, looked: Instant) -> Duration {
        let again = again.map(|again| again.saturating_duration_since(Instant::now()));
        let due = due.map(|due| Duration::from_secs(u64::try_from(due - now()).unwrap_or(0)));
        let sweep = SWEEP.saturating_sub(looked.elapsed());
        [again, due].into_iter().flatten().fold(CLOCK.min(sweep), Duration::min)
    }

    fn wait(&mut self, limit: Duration) -> Result<Woken> {
        let ends: Vec<&EndOf> = self.jobs.values().map(|errand| errand.job.end()).collect();
        self.waker.wait(&self.listener, &ends, limit)
    }

    /// Looks and decides; also whether another look has to follow at once.
    fn look_and_decide(&mut self) -> (Supervision, bool) {
        let Looked { seen, agents, troubles, pause_ends } =
            look(self.town, self.env).unwrap_or_else(|error| {
                let seen = TownSeen { blind: true, partial: true, ..TownSeen::default() };
                Looked { seen, troubles: vec![format!("{error:#}")], ..Looked::default() }
            });
        self.status.looked = time::now();
        self.status.looks += 1;
        self.status.agents = agents.len();
        for trouble in &troubles {
            if !self.status.troubles.contains(trouble) {
                self.say(trouble);
            }
        }
        self.status.troubles = troubles;
        let rigs = seen.rigs.iter().map(|rig| self.town.root.join(&rig.name));
        let stores = rigs.chain([self.town.root.clone()]).map(|root| root.join(".beads"));
        self.waker.folders(stores.chain([self.town.root.join("mayor")]).collect());
        let (over, alive): (Vec<i32>, Vec<i32>) =
            agents.into_iter().partition(|pid| EndOf::new(*pid).is_over());
        self.gone = over.into_iter().collect();
        let fresh = self.waker.agents(&alive);
        let before = self.memory.clone();
        let busy: BTreeSet<String> = self.jobs.keys().cloned().collect();
        let mut decision = decide(&seen, &mut self.memory, &busy, now());
        decision.due = decision.due.into_iter().chain(pause_ends).min();
        if self.memory != before
            && let Err(error) = remember(self.town, &self.memory)
        {
            // Without it a kill would forget how often something was tried: that bounds a storm.
            self.say(&format!("nothing is done: {error:#}"));
            self.memory = before;
            decision.actions.clear();
            decision.due = Some(now() + 60);
        }
        (decision, fresh)
    }

    fn act(&mut self, action: Action) {
        let words = action.words();
        let line = Process::new(&self.gt).args(["-C", &self.town.mark()]).args(&words);
        let process = line
            .cwd(&self.town.root)
            .env("GT_ROLE", "deacon")
            .env("GT_ADDRESS", Address::Deacon.to_string())
            .env_remove("GT_TOWN_ROOT")
            .env_remove("TMUX")
            .env_remove("TMUX_PANE");
        self.say(&format!("gt {}", shown(&words)));
        let started = self.log_of(&action).and_then(|log| Job::start(&process, &log));
        match started {
            Ok(job) => {
                let lane = action.lane();
                self.jobs.insert(lane, RunningAction { action, job, begun: Instant::now() });
            }
            Err(error) => self.say(&format!("gt {}: {error:#}", shown(&words))),
        }
        self.note_running();
    }

    /// Where the output of a command goes: that of merges, which is long, to the rig's own log.
    fn log_of(&mut self, action: &Action) -> Result<std::fs::File> {
        let Action::Merge { rig } = action else { return self.log.file() };
        let logs = self.town.root.join(rig).join("logs");
        files::make_dir(&logs)?;
        Log::open(logs.join("refinery.log"))?.file()
    }

    /// Takes note of the commands that ended; whether there were any.
    fn reap(&mut self) -> bool {
        let mut over = Vec::new();
        for (lane, errand) in &mut self.jobs {
            match errand.job.ended() {
                Ok(None) => {}
                Ok(Some(code)) => over.push((lane.clone(), Ok(code))),
                Err(error) => over.push((lane.clone(), Err(error))),
            }
        }
        for (lane, ended) in &over {
            let Some(errand) = self.jobs.remove(lane) else { continue };
            let (words, took) = (shown(&errand.action.words()), errand.begun.elapsed());
            match ended {
                Ok(0) => {}
                Ok(code) => {
                    self.memory.untold(&errand.action);
                    self.say(&format!("gt {words}: exit {code} after {:.1} s", took.as_secs_f32()));
                }
                Err(error) => self.say(&format!("gt {words}: {error:#}")),
            }
        }
        if !over.is_empty() {
            self.note_running();
        }
        !over.is_empty()
    }

    fn note_running(&mut self) {
        self.status.running =
            self.jobs.values().map(|errand| format!("gt {}", shown(&errand.action.words()))).collect();
    }

    fn answer(&self) -> String {
        serde_json::to_string(&self.status).unwrap_or_default()
    }

    fn say(&mut self, text: &str) {
        let line = format!("{} {text}", time::now());
        if terminal::is_heard() {
            terminal::tell(&line);
        }
        self.log.write(&line);
    }
}

fn shown(words: &[String]) -> String {
    words.iter().map(|word| crate::base::quote::quote(word)).collect::<Vec<_>>().join(" ")
}

fn now() -> i64 {
    time::seconds_since_epoch(&time::now()).unwrap_or_default()
}

fn remember(town: &Town, memory: &Memory) -> Result<()> {
    let path = handoff::state_file(town, &Address::Deacon);
    if let Some(dir) = path.parent() {
        files::make_dir(dir)?;
    }
    files::change_json(&path, |state| {
        state.insert(retried::MEMORY.into(), serde_json::to_value(memory)?);
        Ok(())
    })
}
