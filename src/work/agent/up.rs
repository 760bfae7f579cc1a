//! `gt plan`, `gt apply`, `gt up`, `gt down`: what should run, and the way there.

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;

use super::roles::{self, Begun, Prepared, Resolved, StartOptions};
use crate::config::Sources;
use crate::config::schema::UpSettings;
use crate::model::address::{Address, Role};
use crate::model::ids::InstanceId;
use crate::mux::{Mux, Runs, Session, Snapshot, Spec};
use crate::plan::diff::{Plan, PlanLine, Sign, diff};
use crate::plan::layout::{AskedMark, Layout, WantedAgent};
use crate::town::wish::DownList;
use crate::town::{Rig, Town};
use crate::work::polecat::survivors;
use crate::work::step;

/// What should run in a town.
#[derive(Debug, Default)]
pub struct Wishes {
    /// Everybody, in the order in which they are started.
    pub wanted: Vec<DesiredSession>,
    /// Only some agents were asked for, by name.
    pub some: bool,
}

/// An agent that should run.
#[derive(Debug)]
pub struct DesiredSession {
    /// Whose.
    pub address: Address,
    /// Its session, or why it cannot be worked out.
    pub prepared: Result<Prepared>,
    /// The same with the instance that runs, where its windows have that in their words.
    running: Option<Spec>,
}

/// What became of a line of a plan.
#[derive(Debug)]
pub enum Applied {
    /// It was started, or ran by now.
    Started(Begun),
    /// It was started anew.
    Restarted(Begun),
    /// It was changed while it runs.
    Changed,
    /// It was stopped.
    Stopped,
    /// Nothing was to be done.
    Nothing,
}

/// Works out what should run: the agents that are named, else those that `[up]` asks for. Every rig and every role is
/// read once, however many agents have it.
///
/// # Errors
/// What `[up]` asks for that cannot be. An agent whose own session cannot be worked out is among the wishes, with the
/// reason.
pub fn wishes(
    env: &HashMap<String, String>,
    sources: &Sources,
    town: &Town,
    up: &UpSettings,
    named: &[Address],
    presets: &[String],
) -> Result<Wishes> {
    let asked = roles::wanted(town, up)?;
    let addresses = if named.is_empty() { &asked } else { named };
    let how = StartOptions { presets, ..StartOptions::default() };
    let mut desk = RigsRead { env, sources, town, how, rigs: BTreeMap::new(), roles: BTreeMap::new() };
    let wish = |address: &Address| {
        let prepared = desk.prepare(address).map(|mut prepared| {
            if asked.contains(address)
                && let Some(asked) = AskedMark::parse(&prepared.spec.marks.hash)
            {
                prepared.spec.marks.hash = AskedMark { up: true, ..asked }.to_string();
            }
            prepared
        });
        // What may not be started is no reason to end what runs.
        let prepared = prepared.and_then(|mut prepared| match prepared.refused.take() {
            Some(refused) => Err(refused.into()),
            None => Ok(prepared),
        });
        DesiredSession { address: address.clone(), prepared, running: None }
    };
    Ok(Wishes { wanted: addresses.iter().map(wish).collect(), some: !named.is_empty() })
}

/// What was read so far of rigs and roles.
struct RigsRead<'a> {
    env: &'a HashMap<String, String>,
    sources: &'a Sources,
    town: &'a Town,
    how: StartOptions<'a>,
    rigs: BTreeMap<String, Rig>,
    roles: BTreeMap<(Role, String), Resolved>,
}

impl RigsRead<'_> {
    fn prepare(&mut self, address: &Address) -> Result<Prepared> {
        let role = roles::role_of(address)?;
        let name = address.rig().unwrap_or_default();
        if !name.is_empty() && !self.rigs.contains_key(name) {
            self.rigs.insert(name.into(), self.town.rig(name)?);
        }
        let rig = self.rigs.get(name);
        let key = (role, name.to_string());
        if !self.roles.contains_key(&key) {
            self.roles.insert(key.clone(), roles::resolve(self.sources, rig, role, self.how)?);
        }
        match self.roles.get(&key) {
            Some(role) => roles::prepare_as(self.env, self.town, rig, address, role, self.how),
            None => crate::fail!("the role {role} came to nothing"),
        }
    }
}

impl Wishes {
    /// The plan: what it takes to get there from what was seen. With `restart` agents that live are ended where needed.
    pub fn plan(&self, town: &Town, down: &DownList, snapshot: &Snapshot, restart: bool) -> Plan {
        let wanted = self.wanted.iter().map(|wish| WantedAgent {
            address: wish.address.clone(),
            spec: wish.spec(),
            down: down.holds(&wish.address.to_string()),
        });
        let layout = Layout {
            town: town.mark(),
            wanted: wanted.collect(),
            some: self.some,
            down: down.agents.iter().cloned().collect(),
        };
        diff(&layout, snapshot, restart)
    }

    /// Knows what runs: words that hold the instance (`{{session_id}}`) are compared as they were filled then.
    pub fn meet(&mut self, town: &Town, snapshot: &Snapshot) {
        for wish in &mut self.wanted {
            let Ok(Prepared { spec, .. }) = &wish.prepared else { continue };
            let Some(session) = snapshot.of(&town.mark(), &spec.marks.address) else { continue };
            wish.running = filled_then(spec, &session.marks.instance);
        }
    }

    fn running(&self, address: &str) -> Option<&Spec> {
        self.wanted.iter().find(|wish| wish.address.to_string() == address)?.running.as_ref()
    }

    /// An agent's session, ready to be started.
    pub fn prepared(&self, address: &str) -> Option<&Prepared> {
        let own = |wish: &&DesiredSession| wish.address.to_string() == address;
        self.wanted.iter().find(own)?.prepared.as_ref().ok()
    }
}

impl DesiredSession {
    /// What is compared with what runs.
    fn spec(&self) -> Option<&Spec> {
        self.running.as_ref().or(self.prepared.as_ref().ok().map(|prepared| &prepared.spec))
    }
}

/// A session as it is wanted, with an earlier instance in its windows and its preset's environment; nothing when they do
/// not speak of it.
pub fn filled_then(spec: &Spec, instance: &InstanceId) -> Option<Spec> {
    let own = &spec.marks.instance;
    if own.is_empty()
        || own == instance
        || instance.is_empty()
        || !format!("{:?}", spec.windows).contains(own.as_str())
    {
        return None;
    }
    let then = |text: &str| text.replace(own.as_str(), instance);
    let mut spec = spec.clone();
    for window in &mut spec.windows {
        window.name = then(&window.name);
        for pane in &mut window.panes {
            pane.cwd = pane.cwd.as_ref().map(|cwd| then(&cwd.to_string_lossy()).into());
            pane.env.iter_mut().for_each(|(_, value)| *value = then(value));
            if let Runs::Shell(text) = &mut pane.runs {
                *text = then(text);
            }
        }
    }
    spec.env.iter_mut().for_each(|(_, value)| *value = then(value));
    Some(spec)
}

/// Does what a plan says; what is started is started together, at last. The town's lock is held.
///
/// An error is about its line alone: doing the plan again completes it.
pub fn carry_out(
    town: &Town,
    mux: &dyn Mux,
    snapshot: &Snapshot,
    wishes: &Wishes,
    lines: &[PlanLine],
    say: &dyn Fn(&str),
) -> Vec<Result<Applied>> {
    let mut done: Vec<Result<Applied>> = Vec::new();
    let mut starts: Vec<(usize, &Prepared)> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let prepared = wishes.prepared(&line.address);
        if let (Sign::Start, true, Some(prepared)) = (line.sign, line.acts(), prepared) {
            starts.push((at, prepared));
            done.push(Ok(Applied::Nothing));
        } else {
            done.push(one(town, mux, snapshot, wishes, line, say));
        }
    }
    let prepared: Vec<&Prepared> = starts.iter().map(|(_, prepared)| *prepared).collect();
    let begun = roles::start_many(town, mux, snapshot, &prepared, &|| step("apply.start"));
    for ((at, _), begun) in starts.iter().zip(begun) {
        done[*at] = begun.map(Applied::Started);
    }
    done
}

/// A line that starts nothing new.
fn one(
    town: &Town,
    mux: &dyn Mux,
    snapshot: &Snapshot,
    wishes: &Wishes,
    line: &PlanLine,
    say: &dyn Fn(&str),
) -> Result<Applied> {
    if !line.acts() {
        return Ok(Applied::Nothing);
    }
    let stop = || -> Result<()> {
        let own: Vec<&Session> = snapshot.sessions.iter().filter(|session| session.id == line.id).collect();
        survivors::stop(town, mux, &own)?.iter().for_each(|note| say(note));
        Ok(())
    };
    if line.sign == Sign::Stop {
        stop()?;
        step("apply.stop");
        return Ok(Applied::Stopped);
    }
    let Some(prepared) = wishes.prepared(&line.address) else { return Ok(Applied::Nothing) };
    if line.restarts() {
        stop()?;
        step("apply.restart");
        let mut left = snapshot.clone();
        left.sessions.retain(|session| session.id != line.id);
        // What it left was ended, too; the start asks the lock itself.
        left.occupied.remove(&line.address);
        return roles::start(town, mux, &left, prepared).map(Applied::Restarted);
    }
    if let Some(session) = snapshot.sessions.iter().find(|session| session.id == line.id) {
        mux.change(session, wishes.running(&line.address).unwrap_or(&prepared.spec), &line.live)?;
    }
    step("apply.change");
    Ok(Applied::Changed)
}

#[cfg(test)]
mod tests;
