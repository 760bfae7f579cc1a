//! Days of simulated towns, with a clock of their own: agents end well, crash, hang, hand on and are killed at random, tests are
//! red, machines fall silent, a person pauses, stops and starts, and the deacon is killed between any two of its actions. After
//! every step what `work.md` says holds; after a calm evening everything is merged, or waits for the person, who was told.

use super::*;
use crate::plan::queue::AGE_STEP;

const HOUR: i64 = 3600;

/// No bead waits longer than this while a place is free: two commands that failed, their pauses, and a deacon that was away.
const LONGEST_WAIT: i64 = 600;

/// Numbers that a seed repeats (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        i64::try_from((z ^ (z >> 31)) % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    /// Whether one of so many cases came.
    fn one_in(&mut self, cases: i64) -> bool {
        self.below(cases) == 0
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    /// Not ordered yet.
    Unknown,
    Waits,
    /// On a hook, without a session so far.
    Hooked,
    Begun,
    Submitted,
    Merged,
    /// Came back from the queue, and waits for the person.
    Aside,
}

/// What work on a bead is like.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Nature {
    Good,
    /// Its tests are red, so many times.
    Red(u32),
    /// Its agent ends at once, always.
    Runaway,
}

struct WorkBead {
    id: BeadId,
    rig: usize,
    priority: i64,
    since: i64,
    way: Way,
    nature: Nature,
    starts: u32,
    /// Starts that a person typed, and other reasons to try anew.
    anew: u32,
    reds: u32,
}

struct Worker {
    name: String,
    instance: InstanceId,
    bead: Option<usize>,
    run: Run,
    /// When something happens to it: it ends, while it runs.
    until: i64,
    /// It makes no progress since then.
    hangs: Option<i64>,
    cycles: bool,
    stopped: bool,
    /// On another machine.
    remote: bool,
    /// How often its crash was said, by a witness's letter.
    said: u32,
}

#[derive(Default)]
struct Project {
    workers: Vec<Worker>,
    paused: bool,
    unreadable: bool,
    /// Since when a bead waits though it could be started.
    idle: Option<i64>,
}

struct Staying {
    role: RoleSeen,
    until: i64,
    runaway: bool,
    /// A person ended its session without a word to gt.
    killed: bool,
    starts: u32,
    letters: u32,
    anew: u32,
}

struct Command {
    action: Action,
    ends: i64,
    /// The deacon that began it was killed.
    orphan: bool,
}

struct Day {
    dice: Dice,
    seed: u64,
    places: usize,
    now: i64,
    rigs: Vec<Project>,
    beads: Vec<WorkBead>,
    roles: Vec<Staying>,
    commands: Vec<Command>,
    memory: Memory,
    /// When the deacon is there again; 0 while it is.
    away: i64,
    due: Option<i64>,
    server: i32,
    blind: bool,
    silent: bool,
    /// One runtime of two is at its limit.
    limited: bool,
    paused: bool,
    quiet: bool,
    calm: bool,
    /// What needs the person, how often it came up, and how often it was told.
    told: BTreeMap<String, (u32, u32)>,
    needed: BTreeSet<String>,
    instances: u32,
    /// How often the memory was lost altogether.
    forgot: u32,
    steps: u32,
}

/// How a town is: rigs, polecats in each, beads.
#[derive(Clone, Copy)]
struct TownSize(usize, usize, usize);

impl Day {
    fn new(seed: u64, TownSize(rigs, places, beads): TownSize) -> Day {
        let mut dice = Dice(seed);
        let now = 1_000_000_000;
        let bead = |number: usize| {
            let nature = match dice.below(20) {
                0 => Nature::Runaway,
                1 | 2 => Nature::Red(1 + u32::try_from(dice.below(3)).unwrap()),
                _ => Nature::Good,
            };
            let rig = usize::try_from(dice.below(i64::try_from(rigs).unwrap())).unwrap();
            WorkBead {
                id: format!("wy-{number}").parse().unwrap(),
                rig,
                priority: dice.below(5),
                since: now + dice.below(18 * HOUR),
                way: Way::Unknown,
                // Nothing of the last rig is ever green.
                nature: if rig + 1 == rigs && rigs > 1 { Nature::Red(u32::MAX) } else { nature },
                starts: 0,
                anew: 0,
                reds: 0,
            }
        };
        let beads = (0..beads).map(bead).collect();
        let addresses = (0..rigs)
            .flat_map(|rig| [Address::Witness(rig_name(rig)), Address::Refinery(rig_name(rig))])
            .chain([Address::Mayor]);
        let role = |(number, address): (usize, Address)| {
            let restart = [Restart::Always, Restart::OnFailure, Restart::OnCycle][number % 3];
            let role = RoleSeen { address, run: Run::Alive, cycles: false, down: false, restart };
            let runaway = number % 6 == 3;
            Staying { role, until: now + HOUR, runaway, killed: false, starts: 0, letters: 0, anew: 0 }
        };
        Day {
            dice,
            seed,
            places,
            now,
            rigs: (0..rigs).map(|_| Project::default()).collect(),
            beads,
            roles: addresses.enumerate().map(role).collect(),
            commands: Vec::new(),
            memory: Memory::default(),
            away: 0,
            due: Some(now),
            server: 1,
            blind: false,
            silent: false,
            limited: false,
            paused: false,
            quiet: false,
            calm: false,
            told: BTreeMap::new(),
            needed: BTreeSet::new(),
            instances: 0,
            forgot: 0,
            steps: 0,
        }
    }

    #[track_caller]
    fn must(&self, holds: bool, what: impl FnOnce() -> String) {
        assert!(holds, "seed {}, step {}, second {}: {}", self.seed, self.steps, self.now, what());
    }

    // What the deacon sees.

    fn place(&self, worker: &Worker) -> (Option<Place>, Run) {
        let unseen = self.blind || worker.remote && self.silent;
        let run = if unseen { Run::Unknown } else { worker.run };
        let Some(bead) = worker.bead.map(|bead| &self.beads[bead]) else { return (None, run) };
        let place = match bead.way {
            Way::Submitted => Place::Submitted,
            Way::Merged => Place::Merged,
            Way::Unknown | Way::Waits | Way::Aside => Place::Ready,
            _ if worker.remote && self.silent => Place::Unreachable,
            _ if self.blind => Place::Unknown,
            _ if !worker.run.is_over() => Place::Working,
            Way::Hooked if worker.run == Run::None => Place::Hooked,
            _ => Place::Crashed,
        };
        (Some(place), run)
    }

    fn held(&self, worker: &Worker) -> bool {
        self.limited && worker.bead.is_some_and(|bead| bead % 2 == 0)
    }

    fn waiting(&self, rig: usize) -> Vec<usize> {
        let waits = |at: &usize| self.beads[*at].rig == rig && self.beads[*at].way == Way::Waits;
        let mut waiting: Vec<usize> = (0..self.beads.len()).filter(waits).collect();
        waiting.sort_by_key(|at| (self.rank(*at), *at));
        waiting
    }

    /// Priority, which age raises.
    fn rank(&self, bead: usize) -> i64 {
        self.beads[bead].since + self.beads[bead].priority * AGE_STEP
    }

    fn free(&self, rig: usize) -> usize {
        self.places.saturating_sub(self.rigs[rig].workers.len())
    }

    fn seen(&self) -> TownSeen {
        let rig = |at: usize| {
            let rig = &self.rigs[at];
            let polecats = rig.workers.iter().filter(|worker| !worker.remote || self.silent).map(|worker| {
                let (place, run) = self.place(worker);
                PolecatSeen {
                    name: worker.name.clone(),
                    instance: worker.instance.clone(),
                    bead: worker.bead.map(|bead| self.beads[bead].id.clone()).unwrap_or_default(),
                    place,
                    run,
                    cycles: worker.cycles,
                    stopped: worker.stopped,
                    held: self.held(worker),
                }
            });
            let ids = |beads: Vec<usize>| {
                beads.iter().map(|at| self.beads[*at].id.as_str()).collect::<Vec<_>>().join(", ")
            };
            let (free, waiting) = (self.free(at), self.waiting(at));
            let open = self.beads.iter().filter(|bead| bead.rig == at && bead.way == Way::Submitted);
            RigSeen {
                name: rig_name(at),
                paused: rig.paused,
                restart: Restart::OnFailure,
                polecats: polecats.collect(),
                to_start: if free == 0 || waiting.is_empty() {
                    String::new()
                } else {
                    format!("{free} for {}", ids(waiting))
                },
                queue: open.map(|bead| format!("{} {}", bead.id, bead.starts)).collect::<Vec<_>>().join(", "),
            }
        };
        let roles = self.roles.iter().map(|one| {
            let run = if self.blind { Run::Unknown } else { one.role.run };
            RoleSeen { run, ..one.role.clone() }
        });
        TownSeen {
            server: if self.blind { 0 } else { self.server },
            blind: self.blind,
            partial: self.rigs.iter().any(|rig| rig.unreadable),
            paused: self.paused,
            rigs: (0..self.rigs.len()).filter(|at| !self.rigs[*at].unreadable).map(rig).collect(),
            needs: self.needs(),
            quiet: self.quiet,
            roles: roles.collect(),
        }
    }

    fn needs(&self) -> Vec<NeedSeen> {
        let aside = self.beads.iter().filter(|bead| bead.way == Way::Aside);
        let back = aside.map(|bead| (format!("{} came back", bead.id), false));
        let workers = self.rigs.iter().flat_map(|rig| &rig.workers);
        let asks = workers.filter(|worker| worker.hangs.is_some() && worker.run == Run::Alive);
        let asks = asks.map(|worker| (format!("{} asks", worker.instance), true));
        let need = |(what, patient)| NeedSeen { what, help: "gt x".into(), patient };
        back.chain(asks).map(need).collect()
    }

    // What happens.

    /// Goes on to the next thing that happens, and what the deacon makes of it.
    fn step(&mut self, trouble: &mut i64) {
        self.steps += 1;
        let alive = |run: Run| !run.is_over();
        let workers = self.rigs.iter().flat_map(|rig| &rig.workers).filter(|one| alive(one.run));
        let deacon = if self.away > 0 { Some(self.away) } else { self.due };
        let beads = self.beads.iter().filter(|bead| bead.way == Way::Unknown).map(|bead| bead.since);
        let next = workers
            .map(|one| one.until)
            .chain(self.roles.iter().filter(|one| alive(one.role.run)).map(|one| one.until))
            .chain(self.commands.iter().map(|one| one.ends))
            .chain(beads)
            .chain([*trouble])
            .chain(deacon)
            .min()
            .unwrap();
        self.now = next.max(self.now);
        if self.calm && next == *trouble {
            return;
        }
        if *trouble <= self.now {
            self.trouble();
            *trouble = self.now + 60 + self.dice.below(600);
        }
        let now = self.now;
        for bead in self.beads.iter_mut().filter(|bead| bead.way == Way::Unknown && bead.since <= now) {
            bead.way = Way::Waits;
        }
        for rig in 0..self.rigs.len() {
            for at in 0..self.rigs[rig].workers.len() {
                let worker = &self.rigs[rig].workers[at];
                if !worker.run.is_over() && worker.until <= now && !(worker.remote && self.silent) {
                    self.ends(rig, at);
                } else if worker.until <= now {
                    self.rigs[rig].workers[at].until = now + 60;
                }
            }
            // The end of a polecat elsewhere is another command's.
            let beads = &self.beads;
            let works = |one: &Worker| one.bead.is_some_and(|bead| beads[bead].way == Way::Begun);
            self.rigs[rig].workers.retain(|one| !one.remote || !one.run.is_over() || works(one));
        }
        for at in 0..self.roles.len() {
            if !self.roles[at].role.run.is_over() && self.roles[at].until <= now {
                let role = &mut self.roles[at].role;
                (role.run, role.cycles) = match self.dice.below(4) {
                    0 => (Run::None, true),
                    1 => (Run::Ended, false),
                    _ => (Run::Failed, false),
                };
            }
        }
        let over = |command: &Command| command.ends <= now;
        let ended: Vec<Command> = self.commands.extract_if(.., |command| over(command)).collect();
        ended.into_iter().for_each(|command| self.done(&command.action));
        self.holds();
        if self.away > 0 && self.away <= now {
            (self.away, self.due) = (0, None);
        }
        if self.away == 0 {
            self.look();
            self.holds();
        }
    }

    /// An agent ends, in one of the ways in which agents end.
    fn ends(&mut self, rig: usize, at: usize) {
        let bead = self.rigs[rig].workers[at].bead;
        let runaway = bead.is_some_and(|bead| self.beads[bead].nature == Nature::Runaway);
        let case = if runaway { 0 } else { self.dice.below(if self.calm { 100 } else { 20 }) };
        let worker = &mut self.rigs[rig].workers[at];
        if worker.run == Run::Leaving {
            worker.run = Run::Ended;
            return;
        }
        match case {
            0 | 1 => worker.run = Run::Failed,
            2 => (worker.run, worker.cycles) = (Run::Ended, true),
            3 if !worker.remote => (worker.hangs, worker.until) = (Some(self.now), i64::MAX),
            _ => {
                worker.run = if case % 2 == 0 && !worker.remote { Run::Leaving } else { Run::Ended };
                worker.until = self.now + HOUR;
                if let Some(bead) = bead {
                    self.beads[bead].way = Way::Submitted;
                }
            }
        }
    }

    /// The effect of a command, which looks for itself as gt's commands do, and may fail.
    fn done(&mut self, action: &Action) {
        let fails = !self.calm && self.dice.one_in(25);
        match action {
            Action::LookAfter { rig, name, instance } => {
                let rig = rig_number(rig);
                if let Some(at) = self.worker(rig, |one| one.name == *name && one.instance == *instance)
                    && !fails
                {
                    self.look_after(rig, at);
                }
            }
            Action::Patrol { rig } => {
                let rig = rig_number(rig);
                let now = self.now;
                for worker in self.rigs[rig].workers.iter_mut().filter(|one| one.run == Run::Alive) {
                    if worker.hangs.is_some_and(|since| now - since >= HOUR / 2) {
                        (worker.hangs, worker.until) = (None, now + 60);
                    }
                }
            }
            Action::Resume { rig, bead } => {
                if let Some((rig, at)) = self.worker_of(rig_number(rig), bead, Place::Crashed)
                    && !fails
                {
                    self.starts(rig, at);
                }
            }
            Action::Begin { rig, bead } => {
                if let Some((rig, at)) = self.worker_of(rig_number(rig), bead, Place::Hooked)
                    && !fails
                {
                    self.starts(rig, at);
                }
            }
            Action::Dispatch { rig } => self.dispatch(rig_number(rig), fails),
            Action::Merge { rig } if !fails => self.merge(rig_number(rig)),
            Action::Next { address } => {
                let (now, life) = (self.now, 60 + self.dice.below(4 * HOUR));
                let one = self.roles.iter_mut().find(|one| one.role.address == *address).unwrap();
                if !fails && one.role.run.is_over() && !one.role.down {
                    (one.role.run, one.role.cycles) = (Run::Alive, false);
                    one.until = now + if one.runaway { 1 } else { life };
                }
            }
            Action::GiveUp { .. } | Action::Tell { .. } | Action::Merge { .. } => {}
        }
    }

    fn worker(&self, rig: usize, is: impl Fn(&Worker) -> bool) -> Option<usize> {
        self.rigs[rig].workers.iter().position(is)
    }

    fn worker_of(&self, rig: usize, bead: &str, wanted: Place) -> Option<(usize, usize)> {
        let is = |one: &Worker| {
            one.bead.is_some_and(|at| *self.beads[at].id == *bead) && self.place(one).0 == Some(wanted)
        };
        self.worker(rig, is).map(|at| (rig, at))
    }

    /// What `gt session-ended` does.
    fn look_after(&mut self, rig: usize, at: usize) {
        let worker = &self.rigs[rig].workers[at];
        match self.place(worker) {
            (_, Run::Unknown | Run::Alive) | (Some(Place::Working | Place::Hooked), _) => {}
            (Some(Place::Crashed), _) => self.rigs[rig].workers[at].said += 1,
            _ => drop(self.rigs[rig].workers.remove(at)),
        }
    }

    /// A session begins on a bead that its polecat has.
    fn starts(&mut self, rig: usize, at: usize) {
        let life = 300 + self.dice.below(4 * HOUR);
        let now = self.now;
        let worker = &mut self.rigs[rig].workers[at];
        let bead = &mut self.beads[worker.bead.unwrap()];
        let was = bead.way;
        (bead.way, bead.starts) = (Way::Begun, bead.starts + 1);
        (worker.run, worker.cycles, worker.stopped, worker.hangs) = (Run::Alive, false, false, None);
        worker.until = now + if bead.nature == Nature::Runaway { 1 } else { life };
        self.must(matches!(was, Way::Hooked | Way::Begun), || format!("a start of what is {was:?}"));
    }

    fn dispatch(&mut self, rig: usize, fails: bool) {
        for bead in self.waiting(rig) {
            if self.free(rig) == 0 {
                return;
            }
            let best = (0..self.beads.len())
                .filter(|at| self.beads[*at].rig == rig && self.beads[*at].way == Way::Waits)
                .map(|at| self.rank(at))
                .min();
            self.must(best == Some(self.rank(bead)), || "the lower goes first".into());
            self.instances += 1;
            let number = self.instances;
            self.beads[bead].way = Way::Hooked;
            self.rigs[rig].workers.push(Worker {
                name: format!("P{number}"),
                instance: format!("i-{number}").parse().unwrap(),
                bead: Some(bead),
                run: Run::None,
                until: i64::MAX,
                hangs: None,
                cycles: false,
                stopped: false,
                remote: number.is_multiple_of(7),
                said: 0,
            });
            if fails {
                // Killed behind the fourth step.
                self.rigs[rig].workers.last_mut().unwrap().remote = false;
                return;
            }
            let last = self.rigs[rig].workers.len() - 1;
            self.starts(rig, last);
        }
    }

    fn merge(&mut self, rig: usize) {
        for at in 0..self.beads.len() {
            let bead = &mut self.beads[at];
            if bead.rig != rig || bead.way != Way::Submitted {
                continue;
            }
            let green = match bead.nature {
                Nature::Red(times) => bead.reds >= times,
                _ => true,
            };
            if green {
                bead.way = Way::Merged;
                continue;
            }
            // It waits for a place again by itself, once.
            bead.reds += 1;
            bead.way = if bead.reds % 2 == 1 { Way::Waits } else { Way::Aside };
            let of = |worker: &&mut Worker| worker.bead == Some(at);
            self.rigs[rig].workers.iter_mut().filter(of).for_each(|worker| worker.bead = None);
        }
    }

    /// Something that happens to a town.
    fn trouble(&mut self) {
        let (rig, dice) = (self.dice.below(i64::try_from(self.rigs.len()).unwrap()), &mut self.dice);
        let rig = usize::try_from(rig).unwrap();
        match dice.below(20) {
            0 => self.paused = !self.paused && dice.one_in(2),
            1 | 2 => self.rigs[rig].paused = !self.rigs[rig].paused,
            3 => self.blind = !self.blind && dice.one_in(2),
            4 => self.silent = !self.silent,
            5 if dice.one_in(2) => self.limited = !self.limited,
            5 => self.quiet = !self.quiet,
            6 => self.rigs[rig].unreadable = !self.rigs[rig].unreadable && dice.one_in(2),
            7 if dice.one_in(4) => self.reboot(),
            8..=11 => self.killed_agents(rig),
            12 => {
                for worker in &mut self.rigs[rig].workers {
                    if worker.run == Run::Alive && !worker.remote {
                        (worker.run, worker.stopped, worker.hangs) = (Run::None, true, None);
                        break;
                    }
                }
            }
            13 => {
                let at = usize::try_from(dice.below(i64::try_from(self.roles.len()).unwrap())).unwrap();
                let one = &mut self.roles[at];
                (one.role.down, one.killed) = (!one.role.down, false);
                if one.role.down {
                    one.role.run = Run::None;
                }
                one.anew += 1;
            }
            14 => {
                let at = usize::try_from(dice.below(i64::try_from(self.roles.len()).unwrap())).unwrap();
                let one = &mut self.roles[at];
                if one.role.run == Run::Alive && self.away == 0 && !self.blind {
                    // With its session, in the server that goes on: that is how people end things, too.
                    (one.role.run, one.role.cycles, one.killed) = (Run::None, false, true);
                }
            }
            15 if dice.one_in(3) => {
                self.memory = Memory::default();
                self.forgot += 1;
                self.kill_deacon();
            }
            _ => self.person(rig),
        }
    }

    /// A person does what they are asked for.
    fn person(&mut self, rig: usize) {
        for at in 0..self.rigs[rig].workers.len() {
            let worker = &self.rigs[rig].workers[at];
            if self.place(worker).0 == Some(Place::Crashed) && (worker.stopped || worker.said > 0) {
                let bead = worker.bead.unwrap();
                self.beads[bead].anew += 1;
                self.starts(rig, at);
            }
        }
        let now = self.now;
        for bead in self.beads.iter_mut().filter(|bead| bead.rig == rig && bead.way == Way::Aside) {
            (bead.way, bead.since) = (Way::Waits, now);
        }
        for one in self.roles.iter_mut().filter(|one| one.role.run.is_over() && !one.role.down) {
            (one.role.run, one.role.cycles, one.killed) = (Run::Alive, false, false);
            one.until = now + if one.runaway { 1 } else { HOUR };
            one.anew += 1;
        }
    }

    fn killed_agents(&mut self, rig: usize) {
        let count = usize::try_from(1 + self.dice.below(5)).unwrap();
        let alive = |one: &&mut Worker| one.run == Run::Alive && !one.remote;
        for worker in self.rigs[rig].workers.iter_mut().filter(alive).take(count) {
            (worker.run, worker.hangs) = (Run::Failed, None);
        }
    }

    fn reboot(&mut self) {
        self.server += 1;
        for worker in self.rigs.iter_mut().flat_map(|rig| &mut rig.workers).filter(|one| !one.remote) {
            (worker.run, worker.hangs) = (Run::None, None);
        }
        self.roles.iter_mut().for_each(|one| one.role.run = Run::None);
        self.commands.clear();
        self.kill_deacon();
    }

    // The deacon.

    fn look(&mut self) {
        let seen = self.seen();
        let busy: BTreeSet<String> =
            self.commands.iter().filter(|one| !one.orphan).map(|one| one.action.lane()).collect();
        let before = self.memory.clone();
        let mut decision = decide(&seen, &mut self.memory, &busy, self.now);
        self.due = decision.due;
        self.must(self.due.is_none_or(|due| due > self.now), || "it is due at once".into());
        self.decided(&decision, &busy);
        // Killed before it wrote down what it remembers, or before one of its actions.
        let count = i64::try_from(decision.actions.len()).unwrap();
        let killed = !self.calm && count > 0 && self.dice.one_in(15);
        if killed {
            let at = self.dice.below(count + 2);
            if at == 0 {
                self.memory = before;
            }
            decision.actions.truncate(usize::try_from(at - 1).unwrap_or(0));
        }
        for action in decision.actions {
            self.begins(action);
        }
        let text = if killed { serde_json::to_string(&self.memory).ok() } else { None };
        if let Some(text) = text {
            self.memory = serde_json::from_str(&text).unwrap();
            self.kill_deacon();
        }
    }

    fn begins(&mut self, action: Action) {
        let longest = if matches!(action, Action::Merge { .. }) { 300 } else { 5 };
        match &action {
            Action::Tell { what, .. } => {
                let (came, told) = self.told.entry(what.clone()).or_default();
                *told += 1;
                let (came, told) = (*came, *told);
                self.must(told <= came + self.forgot, || format!("{what}: told {told} times"));
            }
            Action::Next { address } | Action::GiveUp { address } => {
                let one = self.roles.iter_mut().find(|one| one.role.address == *address).unwrap();
                let gives_up = matches!(action, Action::GiveUp { .. });
                *(if gives_up { &mut one.letters } else { &mut one.starts }) += 1;
            }
            _ => {}
        }
        let ends = self.now + 1 + self.dice.below(longest);
        self.commands.push(Command { action, ends, orphan: false });
    }

    /// What it ran goes on, or ends with it.
    fn kill_deacon(&mut self) {
        self.away = self.now + 1 + self.dice.below(100);
        let left: Vec<Command> = self.commands.drain(..).collect();
        for command in left {
            if self.dice.one_in(2) {
                self.commands.push(Command { orphan: true, ..command });
            }
        }
    }

    // What must hold.

    /// Of each decision: it is about what was seen, and nothing that is stopped, paused or in hand.
    fn decided(&self, decision: &Supervision, busy: &BTreeSet<String>) {
        let lanes: BTreeSet<String> = decision.actions.iter().map(Action::lane).collect();
        let says = |what: &str, action: &Action| format!("{what}: {action:?}");
        self.must(lanes.len() == decision.actions.len() && lanes.is_disjoint(busy), || {
            "a lane is taken".into()
        });
        for action in &decision.actions {
            if let Some(rig) = action.rig() {
                let rig = &self.rigs[rig_number(rig)];
                let of_role = matches!(action, Action::Next { .. } | Action::GiveUp { .. });
                self.must(!rig.unreadable || of_role, || says("unreadable", action));
            }
            match action {
                Action::Resume { rig, bead } => {
                    let rig = rig_number(rig);
                    let found = self.worker_of(rig, bead, Place::Crashed);
                    let worker = found.map(|(rig, at)| &self.rigs[rig].workers[at]);
                    let may = worker.is_some_and(|one| {
                        !one.stopped
                            && !self.held(one)
                            && (one.cycles || !(self.paused || self.rigs[rig].paused))
                    });
                    self.must(may, || says("not to be resumed", action));
                }
                Action::Begin { rig, bead } => {
                    let rig = rig_number(rig);
                    let found = self.worker_of(rig, bead, Place::Hooked);
                    let may = found.is_some_and(|(rig, at)| !self.held(&self.rigs[rig].workers[at]));
                    self.must(may && !self.paused && !self.rigs[rig].paused, || says("no start", action));
                }
                Action::Dispatch { rig } => {
                    let rig = rig_number(rig);
                    let may = self.free(rig) > 0 && !self.waiting(rig).is_empty();
                    self.must(may && !self.paused && !self.rigs[rig].paused, || says("no start", action));
                }
                Action::Merge { rig } => {
                    let rig = rig_number(rig);
                    let open = self.beads.iter().any(|bead| bead.rig == rig && bead.way == Way::Submitted);
                    self.must(open && !self.paused && !self.rigs[rig].paused, || says("no merge", action));
                }
                Action::LookAfter { rig, name, .. } => {
                    let rig = rig_number(rig);
                    let at = self.worker(rig, |one| one.name == *name).unwrap();
                    let run = self.place(&self.rigs[rig].workers[at]).1;
                    self.must(!matches!(run, Run::Unknown | Run::Alive), || says("it works", action));
                }
                Action::Next { address } => {
                    let one = self.roles.iter().find(|one| one.role.address == *address).unwrap();
                    let may = one.role.run.is_over() && !one.role.down && !one.killed && !self.blind;
                    self.must(may, || says("stopped, or it runs", action));
                }
                Action::Patrol { .. } | Action::Tell { .. } | Action::GiveUp { .. } => {}
            }
        }
    }

    /// Of the town, after every step.
    fn holds(&mut self) {
        let mut owners = BTreeSet::new();
        for worker in self.rigs.iter().flat_map(|rig| &rig.workers) {
            let Some(bead) = worker.bead else { continue };
            self.must(owners.insert(bead), || format!("two polecats of {}", self.beads[bead].id));
            let bead = &self.beads[bead];
            let at_work = worker.run == Run::Alive && !matches!(bead.way, Way::Begun | Way::Merged);
            self.must(!at_work, || format!("{} is {:?} and worked on", bead.id, bead.way));
            // One notice for each time that it is tried anew.
            let most = 1 + bead.anew + self.forgot;
            self.must(worker.said <= most, || format!("{} said {} times", worker.name, worker.said));
        }
        for bead in self.beads.iter().filter(|bead| bead.nature == Nature::Runaway) {
            let most = 4 * (1 + self.forgot + bead.anew);
            self.must(bead.starts <= most, || format!("{} started {} times", bead.id, bead.starts));
        }
        for one in self.roles.iter().filter(|one| one.runaway) {
            let (address, most) = (&one.role.address, 1 + one.anew + self.forgot);
            let (starts, letters) = (one.starts, one.letters);
            self.must(letters <= most, || format!("{letters} letters of {address}, {most} at most"));
            self.must(starts <= 3 * most, || format!("{starts} starts of {address}, {most} episodes"));
        }
        let needed: BTreeSet<String> = self.needs().into_iter().map(|need| need.what).collect();
        for what in needed.difference(&self.needed) {
            self.told.entry(what.clone()).or_default().0 += 1;
        }
        self.needed = needed;
        for rig in 0..self.rigs.len() {
            let sessions = self.rigs[rig].workers.iter().filter(|one| !one.run.is_over()).count();
            self.must(sessions <= self.places, || format!("{sessions} sessions"));
            let held = self.paused || self.rigs[rig].paused || self.rigs[rig].unreadable;
            let idle = !held
                && self.free(rig) > 0
                && self.beads.iter().any(|bead| bead.rig == rig && bead.way == Way::Waits);
            let since = self.rigs[rig].idle.filter(|_| idle).or(idle.then_some(self.now));
            self.rigs[rig].idle = since;
            let waited = since.map_or(0, |since| self.now - since);
            self.must(waited <= LONGEST_WAIT, || {
                format!("{} waits {waited} s for a free place", rig_name(rig))
            });
        }
    }

    /// A day, and an evening on which nothing goes wrong any more and the person answers nothing.
    fn run(&mut self) {
        let (end, mut trouble) = (self.now + 24 * HOUR, self.now + 60);
        while self.now < end {
            self.step(&mut trouble);
        }
        (self.paused, self.blind, self.silent) = (false, false, false);
        (self.calm, self.limited, self.quiet) = (true, false, false);
        self.rigs.iter_mut().for_each(|rig| (rig.paused, rig.unreadable) = (false, false));
        self.due = Some(self.now);
        let end = self.now + 20 * 24 * HOUR;
        let mut never = end;
        while self.now < end {
            self.step(&mut never);
        }
        for rig in &self.rigs {
            for worker in &rig.workers {
                let place = self.place(worker).0;
                let (name, said) = (&worker.name, worker.said);
                let left = worker.stopped || place == Some(Place::Crashed);
                self.must(left, || format!("{name} is {place:?} {:?}, said {said} times", worker.run));
            }
        }
        for bead in &self.beads {
            let with_person = self.rigs[bead.rig].workers.len() >= self.places;
            let ok = match bead.way {
                Way::Merged => true,
                Way::Aside => matches!(bead.nature, Nature::Red(_)),
                // Its polecat is with the person.
                Way::Begun | Way::Hooked => true,
                Way::Waits => with_person,
                Way::Unknown | Way::Submitted => false,
            };
            self.must(ok, || format!("{} is {:?} {:?}", bead.id, bead.way, bead.nature));
        }
    }
}

fn rig_name(at: usize) -> String {
    format!("r{at}")
}

fn rig_number(name: &str) -> usize {
    name[1..].parse().unwrap()
}

#[test]
fn days_of_small_towns() {
    for seed in 0..5 {
        Day::new(seed, TownSize(3, 4, 40)).run();
    }
}

/// `SOAK_DAYS` says how many days of 100 agents, and ten times as many of small towns (`scripts/soak`).
#[test]
fn days_of_a_large_town() {
    let days = std::env::var("SOAK_DAYS").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    for seed in 0..days {
        (0..10).for_each(|more| Day::new(1000 + 10 * seed + more, TownSize(3, 4, 60)).run());
        let mut day = Day::new(seed, TownSize(10, 10, 1000));
        day.run();
        let merged = day.beads.iter().filter(|bead| bead.way == Way::Merged).count();
        println!("day {seed}: {} steps, {merged} of {} beads merged", day.steps, day.beads.len());
    }
}
