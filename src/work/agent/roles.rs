//! Sessions of roles: the Mayor, witnesses, refineries, crew. Polecats are slung (`sling`).

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;
use serde::Serialize;

use super::trust::{self, SettingsSource};
use crate::base::failure::Failure;
use crate::base::files;
use crate::config::schema::{Prompt, UpSettings, WorktreeSettings};
use crate::config::{self, ResolvedRole, Settings, Sources};
use crate::model::address::{Address, Role};
use crate::mux::deliver::{Delivery, deliver};
use crate::mux::{Mux, Session, Snapshot, Spec, Started};
use crate::plan::choose::{Choice, PlacementWish};
use crate::plan::may_sling::Begin;
use crate::plan::place::{Seen, seen};
use crate::town::{Rig, RigConfig, Town, home};
use crate::work::agent::{self, Agent, There, handoff, hooks};
use crate::work::polecat::{names, survivors};
use crate::work::remote::choose::Chooser;
use crate::work::remote::session::PASTED;

/// What a role is told when its runtime takes a prompt; `gt prime` says the rest.
pub const PROMPT: &str = "Run `gt prime` and follow what it says.";

/// The same on another machine that has no gt.
const PROMPT_WITHOUT_GT: &str =
    "There is no `gt` on this machine: look round in this folder, and wait for what you are told.";

/// How a role is to be started.
#[derive(Clone, Copy, Debug, Default)]
pub struct StartOptions<'a> {
    /// The runtime, instead of the preset's.
    pub agent: Option<&'a str>,
    /// Presets asked for, in order.
    pub presets: &'a [String],
    /// Where to, when that was said by hand.
    pub wish: Option<&'a PlacementWish>,
    /// What was seen of the sessions, to choose among remotes by.
    pub look: Option<&'a Snapshot>,
}

/// A session that is ready to be started.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Whose.
    pub address: Address,
    /// The session.
    pub spec: Spec,
    /// What its role came to.
    pub role: ResolvedRole,
    /// Where it goes.
    pub place: Choice,
    /// Why it may not be started.
    pub refused: Option<Failure>,
}

/// What starting a role came to.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Begun {
    /// It ran already, in the session of this name.
    Ran(String),
    /// It was started; in minimal mode only said how.
    Started(Started),
}

impl Begun {
    /// Why nothing was started but said how, in minimal mode.
    pub fn minimal(&self) -> Option<&str> {
        match self {
            Begun::Started(started) => started.by_hand.as_ref().map(|by_hand| by_hand.why.as_str()),
            Begun::Ran(_) => None,
        }
    }
}

/// Works out a role's session, and touches nothing. `sources` are the town's.
///
/// # Errors
/// The Overseer and polecats have no such session; else an unknown rig, broken configuration, or a runtime that
/// cannot run.
pub fn prepare(
    env: &HashMap<String, String>,
    sources: &Sources,
    town: &Town,
    address: &Address,
    how: StartOptions<'_>,
) -> Result<Prepared> {
    let role = role_of(address)?;
    let rig = address.rig().map(|name| town.rig(name)).transpose()?;
    let resolved = resolve(sources, rig.as_ref(), role, how)?;
    prepare_as(env, town, rig.as_ref(), address, &resolved, how)
}

/// The role of an agent that has a session without having work.
///
/// # Errors
/// For the Overseer and for polecats.
pub fn role_of(address: &Address) -> Result<Role> {
    match address.role() {
        None => Err(Failure::usage("the overseer is you: there is no session to start").into()),
        Some(Role::Polecat) => {
            Err(Failure::usage(format!("{address} is a polecat: it starts with its work"))
                .hint("start one with: gt sling BEAD RIG; go on with: gt sling BEAD RIG --resume")
                .into())
        }
        Some(role) => Ok(role),
    }
}

/// What a role comes to in a rig.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// Where that was found: the rig's and the flags' layers are among them.
    pub sources: Sources,
    /// What it comes to.
    pub role: ResolvedRole,
    /// The settings of its rig.
    pub settings: Option<Settings>,
}

/// What a role comes to in a rig. `sources` are the town's.
///
/// # Errors
/// Broken configuration.
pub fn resolve(sources: &Sources, rig: Option<&Rig>, role: Role, how: StartOptions<'_>) -> Result<Resolved> {
    let mut sources =
        rig.map_or_else(|| Sources { rig: None, ..sources.clone() }, |rig| rig.sources(sources));
    if let Some(agent) = how.agent {
        sources.flags.push((format!("{role}.agent"), toml::Value::from(agent).to_string()));
    }
    let role = config::role(&sources, role, how.presets, None)?;
    let settings = rig.map(|_| config::settings(&sources)).transpose()?;
    Ok(Resolved { sources, role, settings })
}

/// Works out the session of an agent whose role is known.
///
/// # Errors
/// A runtime that cannot run.
pub fn prepare_as(
    env: &HashMap<String, String>,
    town: &Town,
    rig: Option<&Rig>,
    address: &Address,
    resolved: &Resolved,
    how: StartOptions<'_>,
) -> Result<Prepared> {
    let role = resolved.role.clone();
    let wish = how.wish.cloned().unwrap_or_default();
    // Who runs already stays where that is, whoever answers now.
    let runs = |look: &&Snapshot| look.of(&town.mark(), &address.to_string()).is_some_and(Session::alive);
    let unseen = Snapshot::default();
    let look = how.look.filter(|look| !runs(look)).unwrap_or(&unseen);
    let choice = Chooser::new(town, &resolved.sources, look).of(address).choose(&role, &wish)?;
    // Only a clone over there needs to know the target.
    let target = match &choice.remote {
        Some(_) => config::target(&config::settings(&resolved.sources)?),
        None => String::new(),
    };
    let rules = WorktreeSettings::default();
    let away = choice.remote.as_ref().map(|remote| There {
        remote,
        begin: Begin::Fresh,
        kept: "",
        target: &target,
        rules: &rules,
        prompt: PROMPT_WITHOUT_GT,
    });
    let cwd = home(town, rig, address);
    let mut agent = Agent {
        town,
        rig,
        address,
        role: &role,
        instance: &names::new_instance(),
        bead: None,
        cwd: &cwd,
        branch: "",
        env,
        prompt: PROMPT,
        away,
    };
    let start = town.root.join(agent::fill(&agent, &role.settings.start_directory)?);
    if !role.settings.start_directory.is_empty() {
        agent.cwd = &start;
    }
    let spec = crate::work::agent::start::spec(&agent)?;
    let refused = match (rig, &resolved.settings) {
        (Some(rig), Some(settings)) => untrusted(rig, settings, &spec, &role),
        _ => None,
    };
    Ok(Prepared { address: address.clone(), spec, role, place: choice, refused })
}

/// Why an agent may not be started: its program would read settings of the repository that no person trusts.
fn untrusted(rig: &Rig, settings: &Settings, spec: &Spec, role: &ResolvedRole) -> Option<Failure> {
    let place = match spec.away {
        Some(_) => SettingsSource::Target(config::target(settings)),
        None => SettingsSource::of(rig, &spec.cwd)?,
    };
    let error = trust::check(rig, &place, settings, role).err()?;
    Some(error.downcast().unwrap_or_else(|error| Failure::new(format!("{error:#}"))))
}

/// Starts what was prepared, unless it runs: a session whose agent has ended gives way.
///
/// # Errors
/// When it cannot be known whether it runs, or it cannot be started.
pub fn start(town: &Town, mux: &dyn Mux, snapshot: &Snapshot, prepared: &Prepared) -> Result<Begun> {
    let mut begun = start_many(town, mux, snapshot, &[prepared], &|| ());
    match begun.pop() {
        Some(begun) => begun,
        None => crate::fail!("{} was not started", prepared.address),
    }
}

/// The same for several together; what keeps one of them does not keep the others. `each` is called once
/// one is there.
pub fn start_many(
    town: &Town,
    mux: &dyn Mux,
    snapshot: &Snapshot,
    prepared: &[&Prepared],
    each: &dyn Fn(),
) -> Vec<Result<Begun>> {
    let mut begun: Vec<Option<Result<Begun>>> = Vec::new();
    let mut ended: Vec<&str> = Vec::new();
    for prepared in prepared {
        begun.push(match way(snapshot, prepared) {
            Ok(Way::Runs(name)) => Some(Ok(Begun::Ran(name))),
            Ok(Way::Free(own)) => {
                ended.extend(own);
                hook(prepared).err().map(Err)
            }
            Err(error) => Some(Err(error)),
        });
    }
    if let Err(error) = mux.stop(&ended) {
        let why = format!("{error:#}");
        let refused =
            |begun: Option<Result<Begun>>| begun.unwrap_or_else(|| Err(Failure::new(why.clone()).into()));
        return begun.into_iter().map(refused).collect();
    }
    let mut taken = snapshot.clone();
    taken.sessions.retain(|session| !ended.contains(&session.id.as_str()));
    let mut open: Vec<usize> = (0..begun.len()).filter(|at| begun[*at].is_none()).collect();
    // In minimal mode an agent is run by hand, and nothing tells one that goes on from one that was left.
    let is_here = |at: &usize| snapshot.minimal.is_none() && prepared[*at].spec.away.is_none();
    let here: Vec<usize> = open.iter().copied().filter(is_here).collect();
    let addresses: Vec<&Address> = here.iter().map(|at| &prepared[*at].address).collect();
    let mut notes: BTreeMap<usize, Option<String>> = BTreeMap::new();
    for (at, ended) in here.into_iter().zip(survivors::before_start(town, &addresses)) {
        match ended {
            Ok(note) => drop(notes.insert(at, note)),
            Err(error) => begun[at] = Some(Err(error)),
        }
    }
    open.retain(|at| begun[*at].is_none());
    let specs: Vec<&Spec> = open.iter().map(|at| &prepared[*at].spec).collect();
    let started = mux.start_many(&specs, &taken, &|_| each());
    for (at, started) in open.into_iter().zip(started) {
        begun[at] = Some(started.and_then(|mut started| {
            started.notes.extend(notes.remove(&at).flatten());
            if started.by_hand.is_none() {
                handoff::fulfilled(town, &prepared[at].address)?;
            }
            Ok(Begun::Started(started))
        }));
    }
    begun.into_iter().flatten().collect()
}

/// What is in the way of a start.
enum Way<'s> {
    /// It runs, in the session of this name.
    Runs(String),
    /// Sessions whose agent has ended, by id.
    Free(Vec<&'s str>),
}

fn way<'s>(snapshot: &'s Snapshot, prepared: &Prepared) -> Result<Way<'s>> {
    if let Some(why) = &snapshot.unknown {
        crate::fail!("cannot tell whether {} runs: {why}", prepared.address);
    }
    let marks = &prepared.spec.marks;
    if let Seen::Unreachable = seen(snapshot, &marks.town, &marks.address, None) {
        return Err(Failure::new(format!("{} is on a machine that does not answer", prepared.address))
            .hint("see what is wrong with: gt remote status")
            .into());
    }
    let own = || snapshot.ours(&marks.town).filter(|session| session.marks.address == marks.address);
    match own().find(|session| session.alive()) {
        Some(running) => Ok(Way::Runs(running.name.clone())),
        None => {
            if let Some(refused) = &prepared.refused {
                return Err(refused.clone().into());
            }
            if let Some(occupied) = snapshot.occupied.get(&marks.address) {
                occupied.refuse(&format!("cannot start {}", prepared.address))?;
            }
            Ok(Way::Free(own().map(|session| session.id.as_str()).collect()))
        }
    }
}

/// The files through which its hooks reach gt.
fn hook(prepared: &Prepared) -> Result<()> {
    match prepared.spec.away {
        None => hooks::write_untracked(&prepared.role.runtime.files, &prepared.spec.cwd),
        Some(_) => Ok(()),
    }
}

/// Tells an agent that was just started to begin, when its runtime takes its first prompt by paste.
///
/// # Errors
/// As [`deliver`].
pub fn prompt(mux: &dyn Mux, started: &Started, prepared: &Prepared) -> Result<Delivery> {
    let runtime = &prepared.role.runtime;
    if runtime.prompt != Prompt::Paste || started.by_hand.is_some() {
        return Ok(Delivery::Delivered);
    }
    let text = if prepared.spec.away.is_some() { PASTED } else { PROMPT };
    deliver(mux, &started.pane, runtime, text)
}

/// The addresses that `[up]` asks for.
///
/// # Errors
/// An unknown role or rig, or polecats, which only sling makes.
pub fn wanted(town: &Town, up: &UpSettings) -> Result<Vec<Address>> {
    let listed = town.rig_names()?;
    let names = match &up.rigs {
        Some(names) => names,
        None => &listed,
    };
    if let Some(unknown) = names.iter().find(|name| !listed.contains(name)) {
        town.rig(unknown)?;
    }
    // Who is in a rig is told by its folders; one that cannot be read is its own agents' matter.
    let of_list = listed.iter().filter(|name| names.contains(name));
    let rigs: Vec<Rig> = of_list
        .map(|name| Rig {
            name: name.clone(),
            root: town.root.join(name),
            config: RigConfig::default(),
            town: town.id.clone(),
        })
        .collect();
    let mut addresses = Vec::new();
    for name in &up.roles {
        let role = Role::parse(name).ok_or_else(|| {
            Failure::new(format!("[up] roles: no role is named '{name}'"))
                .hint("roles are mayor, deacon, witness, refinery, crew, plugin")
        })?;
        match role {
            Role::Mayor => addresses.push(Address::Mayor),
            Role::Deacon => addresses.push(Address::Deacon),
            Role::Polecat => crate::fail!(
                "[up] roles: polecats are not kept running";
                "take \"polecat\" out of [up] roles; gt sling starts them with their work"
            ),
            role => {
                for rig in &rigs {
                    addresses.extend(members(rig, role)?);
                }
            }
        }
    }
    Ok(addresses)
}

/// Everybody of one role in a rig.
///
/// # Errors
/// A folder that is there and cannot be read: who is in it is not known then.
pub fn members(rig: &Rig, role: Role) -> Result<Vec<Address>> {
    let name = || rig.name.clone();
    Ok(match role {
        Role::Witness => vec![Address::Witness(name())],
        Role::Refinery => vec![Address::Refinery(name())],
        Role::Crew => {
            folders(&rig.root.join("crew"))?.into_iter().map(|own| Address::Crew(name(), own)).collect()
        }
        Role::Plugin => {
            folders(&rig.root.join("plugins"))?.into_iter().map(|own| Address::Plugin(name(), own)).collect()
        }
        Role::Mayor | Role::Deacon | Role::Polecat => Vec::new(),
    })
}

/// Names of the folders in a folder that can be agents' names, sorted.
fn folders(dir: &std::path::Path) -> Result<Vec<String>> {
    let mut names = files::names_in(dir)?;
    names.retain(|name| crate::model::address::is_member_name(name) && dir.join(name).is_dir());
    Ok(names)
}
