//! What the deacon does by itself (`deacon.md`): from what was seen of a town, and what was done before, to actions. Each is a
//! command of gt that may be done twice, and each that does not help is tried less and less often.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::config::schema::Restart;
use crate::model::address::Address;
use crate::model::ids::{BeadId, InstanceId};
use crate::plan::place::{Place, Run};

/// What one look found of a town.
#[derive(Clone, Debug, Default)]
pub struct TownSeen {
    /// Which tmux server was seen, by its process id; 0 when none runs.
    pub server: i32,
    /// Sessions of this machine could not be seen: nothing is concluded from their absence (law 3).
    pub blind: bool,
    /// A rig, or what is elsewhere, could not be read: what was tried there still counts.
    pub partial: bool,
    /// Nothing new starts or merges anywhere.
    pub paused: bool,
    /// Its rigs that could be read.
    pub rigs: Vec<RigSeen>,
    /// What needs the person.
    pub needs: Vec<NeedSeen>,
    /// Nothing is told now.
    pub quiet: bool,
    /// The agents that stay: Mayor, witnesses, refineries, crew, plugins.
    pub roles: Vec<RoleSeen>,
}

/// Something that needs the person.
#[derive(Clone, Debug)]
pub struct NeedSeen {
    /// What is the matter, and with whom.
    pub what: String,
    /// The command that helps.
    pub help: String,
    /// It may settle itself: it is told when it still needs them after a minute.
    pub patient: bool,
}

/// What was seen of a rig.
#[derive(Clone, Debug, Default)]
pub struct RigSeen {
    /// Its name.
    pub name: String,
    /// Nothing new starts or merges here.
    pub paused: bool,
    /// When its polecats are started again after a crash.
    pub restart: Restart,
    /// Its polecats on this machine.
    pub polecats: Vec<PolecatSeen>,
    /// The beads that could be started now, in one text: there are places for some. Empty when there is nothing to start.
    pub to_start: String,
    /// What its queue waits for, in one text: it changes when a request comes, goes or becomes another. Empty when nothing
    /// could be merged without a person.
    pub queue: String,
}

/// What was seen of a polecat.
#[derive(Clone, Debug)]
pub struct PolecatSeen {
    /// Its name.
    pub name: String,
    /// Which bearer of the name.
    pub instance: InstanceId,
    /// Its bead; empty for none.
    pub bead: BeadId,
    /// Where its bead is; nothing without one.
    pub place: Option<Place>,
    /// What its session does.
    pub run: Run,
    /// It left its work to a next session.
    pub cycles: bool,
    /// A person stopped it.
    pub stopped: bool,
    /// Its runtime is at its limit: nothing starts it again meanwhile.
    pub held: bool,
}

/// What was seen of an agent that stays.
#[derive(Clone, Debug)]
pub struct RoleSeen {
    /// Whose.
    pub address: Address,
    /// What its session does.
    pub run: Run,
    /// It left a note for a next session.
    pub cycles: bool,
    /// A person took it down, or stopped it.
    pub down: bool,
    /// When it is started again.
    pub restart: Restart,
}

/// One command of gt.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Looks after one polecat: its end is completed, or its crash said.
    LookAfter {
        /// The rig.
        rig: String,
        /// Its name.
        name: String,
        /// Which bearer of the name.
        instance: InstanceId,
    },
    /// Goes over all polecats of a rig.
    Patrol {
        /// The rig.
        rig: String,
    },
    /// Starts a polecat again on its bead.
    Resume {
        /// The rig.
        rig: String,
        /// The bead.
        bead: BeadId,
    },
    /// Starts a polecat whose bead is on its hook and that never had a session.
    Begin {
        /// The rig.
        rig: String,
        /// The bead.
        bead: BeadId,
    },
    /// Starts what waits in a rig, as far as there are places.
    Dispatch {
        /// The rig.
        rig: String,
    },
    /// Tests and merges what waits in a rig.
    Merge {
        /// The rig.
        rig: String,
    },
    /// Starts the next session of an agent that stays.
    Next {
        /// Whose.
        address: Address,
    },
    /// Tells the person what needs them, once.
    Tell {
        /// What is the matter.
        what: String,
        /// The command that helps.
        help: String,
    },
    /// Tells the person, once, that an agent is not started again any more.
    GiveUp {
        /// Whose.
        address: Address,
    },
}

impl Action {
    /// What is done at most once at a time: actions of one lane follow each other.
    pub fn lane(&self) -> String {
        match self {
            Action::LookAfter { rig, name, .. } => format!("polecat {rig}/{name}"),
            Action::Patrol { rig } => format!("patrol {rig}"),
            // One at a time a rig: a burst of starts is a burst of load.
            Action::Resume { rig, .. } | Action::Begin { rig, .. } | Action::Dispatch { rig } => {
                format!("start {rig}")
            }
            Action::Merge { rig } => format!("merge {rig}"),
            Action::Next { address } | Action::GiveUp { address } => format!("role {address}"),
            Action::Tell { what, .. } => format!("tell {what}"),
        }
    }

    /// The rig that it is about.
    pub fn rig(&self) -> Option<&str> {
        match self {
            Action::LookAfter { rig, .. }
            | Action::Patrol { rig }
            | Action::Resume { rig, .. }
            | Action::Begin { rig, .. }
            | Action::Dispatch { rig }
            | Action::Merge { rig } => Some(rig),
            Action::Next { address } | Action::GiveUp { address } => address.rig(),
            Action::Tell { .. } => None,
        }
    }

    /// Its words after `gt`.
    pub fn words(&self) -> Vec<String> {
        let own = |words: &[&str]| words.iter().map(ToString::to_string).collect();
        match self {
            Action::LookAfter { rig, name, instance } => {
                own(&["session-ended", "--now", &format!("{rig}/{name}"), instance])
            }
            Action::Patrol { rig } => own(&["-q", "witness", "patrol", rig]),
            Action::Resume { rig, bead } => own(&["sling", bead, rig, "--resume"]),
            Action::Begin { rig, bead } => own(&["sling", bead, rig]),
            Action::Dispatch { rig } => own(&["dispatch", rig]),
            Action::Merge { rig } => own(&["refinery", "process", rig]),
            Action::Tell { what, help } => own(&["notify", "--", what, help]),
            Action::Next { address } => own(&["apply", &address.to_string()]),
            Action::GiveUp { address } => {
                let (subject, text) = (
                    format!("{address} is not started again"),
                    format!(
                        "It ended again and again. Look: gt attach {address}; start it: gt apply {address}"
                    ),
                );
                own(&["mail", "send", "overseer", "-s", &subject, "-m", &text])
            }
        }
    }

    fn key(&self) -> String {
        match self {
            Action::LookAfter { rig, name, .. } => format!("look after {rig}/{name}"),
            Action::Resume { bead, .. } | Action::Begin { bead, .. } => format!("start {bead}"),
            Action::GiveUp { address } => format!("give up {address}"),
            Action::Dispatch { rig } => format!("dispatch {rig}"),
            Action::Patrol { .. } | Action::Merge { .. } | Action::Next { .. } | Action::Tell { .. } => {
                self.lane()
            }
        }
    }
}

/// What was done before, as far as it still counts. It outlives the deacon, so that a kill repeats no notice and forgets no
/// pause.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// What was tried, by action.
    tries: BTreeMap<String, Tries>,
    /// The tmux server that these agents ran in.
    server: i32,
    /// The agents that stay and ran there: what a reboot starts again.
    ran: BTreeSet<String>,
}

/// How often one action was tried in vain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Tries {
    /// What it was about: another text is another matter.
    of: String,
    count: u32,
    /// Seconds since 1970.
    last: i64,
    /// Nothing is tried any more until somebody else did something.
    given_up: bool,
    /// How often it was tried and the command failed, of what is said once.
    failed: u32,
}

impl Memory {
    /// A notice did not reach the person: it is tried again, later each time.
    pub fn untold(&mut self, action: &Action) {
        if let (Action::Tell { .. }, Some(known)) = (action, self.tries.get_mut(&action.key())) {
            (known.count, known.failed) = (0, known.failed.saturating_add(1));
        }
    }

    /// Whether a crashed polecat is still started again by itself.
    pub fn goes_on(&self, bead: &str) -> bool {
        self.tries.get(&format!("start {bead}")).is_some_and(|known| known.count > 0 && !known.given_up)
    }
}

/// Seconds between two tries of the same, by how many there were; the last goes on. The first is before the first try.
type Pauses = &'static [i64];

/// What can be acted on as soon as it is seen.
const AT_ONCE: Pauses = &[0, 5, 30, 120, 600, 1800, 3600];

/// What a command that runs at this moment may be about to do.
const IN_A_WHILE: Pauses = &[10, 30, 120, 600, 1800, 3600];

/// What is said once.
const ONCE: Pauses = &[0];

/// What is said once, unless it settles itself before.
const ONCE_LATER: Pauses = &[60];

/// How often it is looked whether the hours in which nothing is told are over.
const QUIET: i64 = 5 * 60;

/// Seconds before a notice that failed is tried again, times how often it failed, and the most.
const UNTOLD: (i64, i64) = (10 * 60, 6 * 60 * 60);

/// Seconds between two starts of what ends again and again, and how long the last of them is given.
const RESTARTS: [i64; 3] = [0, 30, 120];
const LAST: i64 = 5;

/// An agent that runs so many seconds after its start did not crash at it.
const STEADY: i64 = 30 * 60;

/// Seconds between two patrols of a rig whose agents work: they find who makes no progress.
const ROUND: i64 = 10 * 60;

/// What is to be done now, and when to look again though nothing happens (seconds since 1970).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Supervision {
    /// In order.
    pub actions: Vec<Action>,
    /// The next time that something is due.
    pub due: Option<i64>,
}

/// Decides. `busy` are the lanes in which a command runs; `now` is in seconds since 1970. The memory is to be written down
/// before the actions are done.
pub fn decide(seen: &TownSeen, memory: &mut Memory, busy: &BTreeSet<String>, now: i64) -> Supervision {
    // A clock that was wrong, or a broken file, must not put a try off for years.
    memory.tries.values_mut().for_each(|tries| tries.last = tries.last.clamp(0, now.max(0)));
    let mut desk = Desk { memory, busy, now, decision: Supervision::default(), wanted: BTreeSet::new() };
    for rig in &seen.rigs {
        desk.rig(rig, seen.paused || rig.paused);
    }
    desk.roles(seen);
    desk.tell(seen);
    desk.forget(seen);
    desk.decision
}

struct Desk<'a> {
    memory: &'a mut Memory,
    busy: &'a BTreeSet<String>,
    now: i64,
    decision: Supervision,
    /// Keys of what is still wanted: what was tried of others is forgotten.
    wanted: BTreeSet<String>,
}

impl Desk<'_> {
    fn rig(&mut self, rig: &RigSeen, paused: bool) {
        let mut working = false;
        let mut settled = true;
        for polecat in &rig.polecats {
            working |= polecat.place == Some(Place::Working) && polecat.run == Run::Alive;
            settled &= self.polecat(rig, polecat, paused);
        }
        // A patrol says of a crash what is only true once it is given up.
        if working && settled {
            self.round(&rig.name);
        }
        if !rig.to_start.is_empty() && !paused {
            self.again(Action::Dispatch { rig: rig.name.clone() }, &rig.to_start, AT_ONCE);
        }
        if !rig.queue.is_empty() && !paused {
            self.again(Action::Merge { rig: rig.name.clone() }, &rig.queue, AT_ONCE);
        }
    }

    /// Whether nothing is to be started for it.
    fn polecat(&mut self, rig: &RigSeen, polecat: &PolecatSeen, paused: bool) -> bool {
        let PolecatSeen { name, instance, bead, place, run, cycles, stopped, held } = polecat;
        let look_after =
            || Action::LookAfter { rig: rig.name.clone(), name: name.clone(), instance: instance.clone() };
        let rig_name = || rig.name.clone();
        // What was tried still counts while nothing is, in a pause or out of sight.
        let may_go_on =
            matches!(place, Some(Place::Crashed | Place::Hooked | Place::Unknown | Place::Unreachable));
        if may_go_on || *run == Run::Unknown {
            self.wanted.extend([format!("start {bead}"), look_after().key()]);
        }
        match place {
            _ if *run == Run::Unknown => true,
            Some(Place::Working) => {
                self.steady(&format!("start {bead}"));
                if *run == Run::Leaving {
                    self.again(look_after(), instance, AT_ONCE);
                }
                true
            }
            Some(Place::Crashed) if *held || (paused && !cycles) => true,
            Some(Place::Crashed) if *stopped => true,
            Some(Place::Crashed) if *cycles || rig.restart.after_a_crash() => {
                let action = Action::Resume { rig: rig_name(), bead: bead.clone() };
                if self.restart(action, bead) {
                    return false;
                }
                self.again(look_after(), instance, ONCE);
                true
            }
            Some(Place::Hooked) if *run == Run::None => {
                if !paused && !held {
                    self.again(Action::Begin { rig: rig_name(), bead: bead.clone() }, bead, IN_A_WHILE);
                }
                true
            }
            Some(Place::Unknown | Place::Unreachable | Place::Hooked) => true,
            Some(Place::Crashed) => {
                self.again(look_after(), instance, ONCE);
                true
            }
            // Its part is done, or its name is all that is left: perhaps of a start that goes on.
            _ => {
                if run.is_over() || *run == Run::Leaving {
                    let pauses = if place.is_none() && *run == Run::None { IN_A_WHILE } else { AT_ONCE };
                    self.again(look_after(), &format!("{instance} {place:?} {run:?}"), pauses);
                }
                true
            }
        }
    }

    fn roles(&mut self, seen: &TownSeen) {
        if seen.blind {
            self.wanted.extend(self.memory.tries.keys().filter(|key| key.starts_with("role ")).cloned());
            return;
        }
        let moved = self.memory.server != 0 && seen.server != self.memory.server;
        for role in &seen.roles {
            let address = role.address.to_string();
            let action = Action::Next { address: role.address.clone() };
            let alive = matches!(role.run, Run::Alive | Run::Leaving);
            if alive {
                self.steady(&action.key());
                self.memory.ran.insert(address);
                continue;
            }
            if !role.run.is_over() {
                self.wanted.insert(action.key());
                continue;
            }
            let rebooted = moved && role.run == Run::None && self.memory.ran.contains(&address);
            let again = match role.restart {
                Restart::Always => role.run != Run::None,
                Restart::OnFailure => role.run == Run::Failed,
                Restart::OnCycle | Restart::Never => false,
            };
            let give_up = Action::GiveUp { address: role.address.clone() };
            if seen.paused && !role.cycles {
                // What was tried before a pause still counts after it.
                self.wanted.extend([action.key(), give_up.key()]);
            }
            if role.down || !(role.cycles || again || rebooted) || (seen.paused && !role.cycles) {
                if role.down || !rebooted {
                    self.memory.ran.remove(&address);
                }
            } else if !self.restart(action, &address) {
                self.memory.ran.remove(&address);
                self.again(give_up, &address, ONCE);
            }
        }
        // Those that ran in the server before are among the new one's by then, or were given up.
        let left = |address: &String| {
            seen.roles.iter().any(|role| role.run.is_over() && role.address.to_string() == *address)
        };
        if !moved || !self.memory.ran.iter().any(left) {
            self.memory.server = seen.server;
        }
    }

    fn tell(&mut self, seen: &TownSeen) {
        for need in &seen.needs {
            let action = Action::Tell { what: need.what.clone(), help: need.help.clone() };
            if seen.quiet {
                // What was told before is not told again in the morning.
                self.wanted.insert(action.key());
                self.due(self.now + QUIET);
            } else {
                self.again(action, &need.help, if need.patient { ONCE_LATER } else { ONCE });
            }
        }
    }

    /// A patrol of a rig whose agents work, now and then.
    fn round(&mut self, rig: &str) {
        let action = Action::Patrol { rig: rig.into() };
        self.wanted.insert(action.key());
        let now = self.now;
        let known =
            self.memory.tries.entry(action.key()).or_insert_with(|| Tries { last: now, ..Tries::default() });
        let due = known.last + ROUND;
        if self.now < due {
            self.due(due);
        } else if self.act(action) {
            self.due(self.now + ROUND);
        }
    }

    /// Does it when its pause is over: that of what is new, or that since its last try. Behind the last pause of what is said
    /// once there is no other try.
    fn again(&mut self, action: Action, of: &str, pauses: Pauses) {
        let key = action.key();
        self.wanted.insert(key.clone());
        let known = self.memory.tries.entry(key).or_default();
        if known.of != of {
            *known = Tries { of: of.into(), last: self.now, ..Tries::default() };
        }
        let (count, last) = (known.count, known.last);
        let failed = (UNTOLD.0 * i64::from(known.failed)).min(UNTOLD.1);
        let pause = |count: u32| pauses.get(usize::try_from(count).ok()?).or(pauses.last()).copied();
        if pauses.len() == 1 && count > 0 {
            return;
        }
        let wait = pause(count).unwrap_or_default().max(failed);
        if self.now < last + wait {
            self.due(last + wait);
        } else if self.act(action) && pauses.len() > 1 {
            self.due(self.now + pause(count.saturating_add(1)).unwrap_or_default().max(1));
        }
    }

    /// Starts what ended, at most so often in a row; whether it is still tried.
    fn restart(&mut self, action: Action, of: &str) -> bool {
        let key = action.key();
        self.wanted.insert(key.clone());
        let known = self.memory.tries.entry(key).or_default();
        if known.of != of {
            *known = Tries { of: of.into(), ..Tries::default() };
        }
        if known.given_up {
            return false;
        }
        let count = usize::try_from(known.count).unwrap_or(usize::MAX);
        let due = known.last + RESTARTS.get(count).copied().unwrap_or(LAST);
        if self.busy.contains(&action.lane()) {
            // The end of that command brings the next look.
        } else if self.now < due {
            self.due(due);
        } else if count < RESTARTS.len() {
            if self.act(action) {
                self.due(self.now + RESTARTS.get(count + 1).copied().unwrap_or(LAST));
            }
        } else {
            known.given_up = true;
            return false;
        }
        true
    }

    /// It runs: what was given up was started by somebody else; what runs for long is no crash loop.
    fn steady(&mut self, key: &str) {
        let Some(known) = self.memory.tries.get(key) else { return };
        if known.given_up || self.now - known.last >= STEADY {
            self.memory.tries.remove(key);
        } else {
            self.wanted.insert(key.into());
        }
    }

    /// Has it done, unless something of its lane is done already, whose end brings the next look.
    fn act(&mut self, action: Action) -> bool {
        let lane = action.lane();
        if self.busy.contains(&lane) || self.decision.actions.iter().any(|other| other.lane() == lane) {
            return false;
        }
        let known = self.memory.tries.entry(action.key()).or_default();
        (known.count, known.last) = (known.count.saturating_add(1), self.now);
        self.decision.actions.push(action);
        true
    }

    fn due(&mut self, at: i64) {
        self.decision.due = Some(self.decision.due.map_or(at, |due| due.min(at)));
    }

    /// Drops what was tried of matters that are settled, in what could be seen.
    fn forget(&mut self, seen: &TownSeen) {
        if !seen.blind && !seen.partial {
            self.memory.tries.retain(|key, _| self.wanted.contains(key));
        }
    }
}

#[cfg(test)]
mod tests;
