//! The layers of configuration, and what they come to (`presets.md`).
//!
//! Two kinds of files: *settings* say how this person, town or rig works ([`settings()`]); *presets* say what a role
//! is ([`role()`]). [`settings_stack`] and [`role_stack`] are the whole story of precedence.

mod arrays;
pub mod brought;
mod check;
pub mod env;
pub(crate) mod errors;
pub mod explain;
pub mod inert;
mod layer;
pub mod origin;
pub mod passed;
pub mod permissions;
pub mod placement;
pub mod presets;
pub mod remotes;
pub mod schema;
pub mod set;
pub mod sources;
pub mod template;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;

use crate::base::failure::Failure;
use crate::base::folders::Folder;
use crate::base::nearest::choices;
use crate::base::{files, time};
use crate::model::address::Role;
use crate::model::bead::Bead;

pub use layer::{Layer, Stack};
pub use origin::Origin;
use schema::CommandSetting;
pub use schema::{Permissions, RoleSettings, Runtime, Settings};
pub use sources::tmux_socket;

/// A role as it is to be run: the preset's values and the runtime that they name.
#[derive(Clone, Debug)]
pub struct ResolvedRole {
    /// Which role.
    pub role: Role,
    /// The values.
    pub settings: RoleSettings,
    /// The runtime's name, `settings.agent`.
    pub agent: String,
    /// How to run it.
    pub runtime: Runtime,
    /// The presets that counted, lowest first.
    pub presets: Vec<String>,
    /// Who asked for presets beside the role's own, when that was not the command line.
    pub asked_by: Option<String>,
    /// Who said `settings.fugue_addr`: a variable, or a place in a file.
    pub address_from: Option<String>,
    /// The remotes that these layers know.
    pub remotes: BTreeMap<String, schema::Remote>,
    /// `session.environment`.
    pub environment: Vec<String>,
    /// How commands begin that it runs without asking, where its permissions are `edits`.
    pub allowed: Vec<String>,
}

impl ResolvedRole {
    /// The words that its permissions add.
    pub fn level_words(&self) -> &[String] {
        self.runtime.level(self.settings.permissions).map_or(&[], |level| level.words.as_slice())
    }

    /// What it does without asking: as it comes where its runtime does not know what was asked for.
    pub fn permissions(&self) -> Permissions {
        let asked = self.settings.permissions;
        if self.runtime.level(asked).is_some() { asked } else { Permissions::Ask }
    }

    /// The daemon's address, when one counts: never for a role whose placement is local.
    pub fn address(&self) -> Option<&str> {
        let elsewhere = self.settings.placement != schema::Where::Local;
        self.settings.fugue_addr.as_deref().filter(|_| elsewhere)
    }
}

/// The settings that count: built-in, user, town, rig, environment, flags.
///
/// # Errors
/// A broken file, an unknown key or a wrong value: file, line, column, key, and the nearest known key.
pub fn settings(sources: &Sources) -> Result<Settings> {
    let read = || settings_stack(sources)?.extract().map_err(with_hint);
    if !sources.flags.is_empty() || sources.instead.is_some() {
        return read();
    }
    let rig = sources.rig.as_ref().map(|(root, _)| root);
    if let Some(known) = sources.known().settings.iter().find(|(own, _)| own.as_ref() == rig) {
        return Ok(known.1.clone());
    }
    let settings: Settings = read()?;
    sources.known().settings.push((rig.cloned(), settings.clone()));
    Ok(settings)
}

/// What a role is: its own preset, the presets asked for (`asked`, else `GASTOWN_PRESET`, else the placement rule
/// that matches `bead`, else `[defaults] presets`), the environment, flags.
///
/// # Errors
/// As [`settings()`]; also an unknown preset, a cycle in `extends`, an unknown runtime, an unset `${VAR}`.
pub fn role(sources: &Sources, role: Role, asked: &[String], bead: Option<&Bead>) -> Result<ResolvedRole> {
    let (stack, presets, asked_by) = layers_of_role(sources, role, asked, bead).map_err(with_hint)?;
    let resolved = resolve(&stack, role, presets).map_err(with_hint)?;
    Ok(ResolvedRole { asked_by, ..resolved })
}

/// Where to look, for an error that names its place and has no better hint.
const LOOK: &str = "mend it there; see what is read, in order, with: gt config path";

fn with_hint(mut error: anyhow::Error) -> anyhow::Error {
    if let Some(failure) = error.downcast_mut::<Failure>() {
        failure.hint.get_or_insert_with(|| LOOK.into());
    }
    error
}

/// The runtimes that gt knows by itself and that are programs of their own: name and program.
pub fn built_in_agents() -> Vec<(String, String)> {
    let settings = settings(&Sources::default()).unwrap_or_default();
    let program = |(name, runtime): (String, schema::Runtime)| {
        let program = runtime.command.into_iter().next().filter(|word| !word.contains("{{"))?;
        Some((name, program))
    };
    settings.agents.into_iter().filter_map(program).collect()
}

/// The branch that work lands on: `merge.target`, which `rig add` writes down, else `main`.
pub fn target(settings: &Settings) -> String {
    settings.merge.target.clone().unwrap_or_else(|| "main".into())
}

/// The limits that the settings come to; the built-in ones where they cannot be read, which who needs them says.
pub fn limits(sources: &Sources) -> crate::base::limits::Limits {
    let built_in = crate::base::limits::Limits::default();
    let Ok(Settings { limits, .. }) = settings(sources) else { return built_in };
    let time = |text: &str, built_in| time::parse_duration(text).unwrap_or(built_in);
    crate::base::limits::Limits {
        network: time(&limits.network, built_in.network),
        local: time(&limits.local, built_in.local),
        lock: time(&limits.lock, built_in.lock),
        tmux: time(&limits.tmux, built_in.tmux),
    }
}

/// The layers of the settings, lowest first.
///
/// # Errors
/// As [`settings()`].
pub fn settings_stack(sources: &Sources) -> Result<Stack> {
    let stack =
        || Ok(settings_files(sources)?.over(env::settings(sources)?).over(sources::flags(sources, None)?));
    stack().map_err(with_hint)
}

/// The layers of a role, lowest first, and the presets among them by name.
///
/// # Errors
/// As [`role()`].
pub fn role_stack(
    sources: &Sources,
    role: Role,
    asked: &[String],
    bead: Option<&Bead>,
) -> Result<(Stack, Vec<String>)> {
    let (stack, presets, _) = layers_of_role(sources, role, asked, bead).map_err(with_hint)?;
    Ok((stack, presets))
}

/// The most polecats that a rig has at once, where its own file does not say.
///
/// # Errors
/// As [`role()`], of what had to be read.
pub fn max_workers(sources: &Sources) -> Result<usize> {
    // The built-in settings, which are large, say nothing of it.
    let own = said_files(sources).map_err(with_hint)?;
    let (stack, ..) = layers_over(own, sources, Role::Polecat, &[], None).map_err(with_hint)?;
    let said = stack.get("polecat.max_workers").map_err(with_hint)?;
    Ok(said.unwrap_or_else(|| RoleSettings::default().max_workers))
}

fn layers_of_role(
    sources: &Sources,
    role: Role,
    asked: &[String],
    bead: Option<&Bead>,
) -> Result<(Stack, Vec<String>, Option<String>)> {
    layers_over(settings_files(sources)?, sources, role, asked, bead)
}

/// The layers of a role over those of the settings.
fn layers_over(
    settings: Stack,
    sources: &Sources,
    role: Role,
    asked: &[String],
    bead: Option<&Bead>,
) -> Result<(Stack, Vec<String>, Option<String>)> {
    let mut names = Vec::new();
    let own = settings
        .over(presets::load(sources, &presets::own(role), &mut names)?)
        .over(sources::rig_role(sources, role)?);
    let env = env::settings(sources)?;
    let asked = presets::asked(sources, asked, bead, &own.clone().over(env.clone()))?;
    let stack = own
        .over(presets::load(sources, &asked, &mut names)?)
        .over(env)
        .over(env::role(sources, role)?)
        .over(sources::flags(sources, Some(role))?);
    Ok((stack, names, asked.shown()))
}

fn settings_files(sources: &Sources) -> Result<Stack> {
    Ok(Stack::default().over(sources::built_in(sources)?).over(said_files(sources)?.layers))
}

/// Those that people wrote.
fn said_files(sources: &Sources) -> Result<Stack> {
    Ok(Stack::default()
        .over(sources::user(sources)?)
        .over(sources::town(sources)?)
        .over(sources::tmux_socket_file(sources)?)
        .over(sources::rig(sources)?))
}

/// What the layers of a role come to.
///
/// # Errors
/// An unknown runtime or remote, or none at all.
pub fn resolve(stack: &Stack, role: Role, presets: Vec<String>) -> Result<ResolvedRole> {
    let mut settings: RoleSettings = stack.get(role.as_str())?.unwrap_or_default();
    let agent = settings.agent.clone();
    let runtime = if agent.is_empty() { None } else { stack.get(&format!("agents.{agent}"))? };
    let Some(mut runtime): Option<Runtime> = runtime else {
        return Err(unknown(stack, role, "agent", &agent, "agents").into());
    };
    let joined =
        check::joined_windows(role, &settings.windows).or_else(|| agentless(&agent, &runtime, &settings));
    if let Some((key, message, hint)) = joined {
        let place = stack.place(&format!("{role}.windows")).unwrap_or_default();
        return Err(Failure::new(format!("{place}: {role}.{key}: {message}")).hint(hint).into());
    }
    let allowed = permissions::allowed(
        stack.get::<schema::PermissionSettings>("permissions")?.unwrap_or_default().allow,
        stack.get::<Option<CommandSetting>>("merge.test_command")?.flatten(),
        stack.get::<Option<CommandSetting>>("worktree.setup")?.flatten(),
    );
    permissions::apply(settings.permissions, &mut runtime, &allowed);
    for (key, value) in &runtime.env {
        settings.env.entry(key.clone()).or_insert_with(|| value.clone());
    }
    let address_from = address(stack, role, &mut settings)?;
    let remotes = stack.get("remotes")?.unwrap_or_default();
    let environment = stack.get::<schema::SessionSettings>("session")?.unwrap_or_default().environment;
    Ok(ResolvedRole {
        role,
        settings,
        agent,
        runtime,
        presets,
        asked_by: None,
        address_from,
        remotes,
        environment,
        allowed,
    })
}

/// Where another runtime is chosen, for hints.
pub const RUNTIME: &str =
    "for a role with: gt config set ROLE.agent NAME; for one bead with: gt sling BEAD --agent NAME";

/// Why windows cannot be shown with a runtime that runs nothing: key, message and hint.
fn agentless(agent: &str, runtime: &Runtime, settings: &RoleSettings) -> Option<(String, String, String)> {
    let shows = |window: &schema::WindowSettings| runtime.command.is_empty() && window.has_agent();
    let number = settings.windows.iter().position(shows)?;
    let message = format!("it shows the agent, and the runtime {agent} runs none");
    let hint =
        format!("choose a runtime, {RUNTIME}; or give its panes another command than {}", schema::AGENT);
    Some((format!("windows.{number}"), message, hint))
}

/// Finds the address that counts for a role, and who said it: of `fugue_addr` and `remote` the one that the higher layer
/// says.
fn address(stack: &Stack, role: Role, settings: &mut RoleSettings) -> Result<Option<String>> {
    let key = |key: &str| format!("{role}.{key}");
    let own = settings.fugue_addr.is_some();
    let higher = stack.rank(&key("remote")) > stack.rank(&key("fugue_addr"));
    let Some(name) = settings.remote.clone().filter(|_| !own || higher) else {
        return Ok(if own { stack.place(&key("fugue_addr")) } else { None });
    };
    let remote: Option<schema::Remote> = stack.get(&format!("remotes.{name}"))?;
    let Some(remote) = remote else {
        return Err(unknown(stack, role, "remote", &name, "remotes").into());
    };
    if remote.fugue_addr.is_empty() {
        let place = stack.place(&format!("remotes.{name}")).unwrap_or_default();
        let message = format!("{place}: remotes.{name} has no fugue_addr");
        return Err(Failure::new(message).hint("write one like tcp://localhost:9999").into());
    }
    settings.fugue_addr = Some(remote.fugue_addr);
    Ok(stack.place(&key("remote")))
}

/// A name in a role's table that no `[TABLE.NAME]` defines.
fn unknown(stack: &Stack, role: Role, key: &str, name: &str, table: &str) -> Failure {
    let path = format!("{role}.{key}");
    if name.is_empty() {
        return Failure::new(format!("{path} is not set: no layer says which runtime runs the {role}"))
            .hint(format!("see the layers with: gt preset explain {role}"));
    }
    let known = stack.keys(table);
    // A flag is known by its key.
    let place = stack.place(&path).filter(|place| !place.ends_with(&path));
    let place = place.map(|place| format!("{place}: ")).unwrap_or_default();
    Failure::new(format!("{place}{path}: there is no [{table}.{name}]"))
        .hint(choices(name, known.iter().map(String::as_str)))
}

/// Where configuration is looked for. Plain data, so that tests and `explain` can say what they mean.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// `$XDG_CONFIG_HOME/gastown` (or `~/.config/gastown`).
    pub user: Option<PathBuf>,
    /// The town's root.
    pub town: Option<PathBuf>,
    /// The rig's root, and its name.
    pub rig: Option<(PathBuf, String)>,
    /// The environment, as it was at start.
    pub env: Vec<(String, String)>,
    /// Flags: dotted key and TOML value; for a text the quotes may be left out.
    pub flags: Vec<(String, String)>,
    /// A file that is about to be written, and its text: what is read in place of what stands there.
    pub instead: Option<(PathBuf, String)>,
    /// What was read: all that come from one of these read a file once.
    pub known: Arc<Mutex<Known>>,
}

/// What was read of the files that are there, or not.
#[derive(Debug, Default)]
pub struct Known {
    texts: BTreeMap<PathBuf, Option<String>>,
    layers: BTreeMap<PathBuf, Option<Layer>>,
    /// By the root of the rig.
    settings: Vec<(Option<PathBuf>, Settings)>,
}

impl Sources {
    /// The user's files and the environment; town and rig are added by [`crate::town::Town::sources`].
    pub fn from_env(env: &HashMap<String, String>) -> Sources {
        let base = Folder::Config.find(|name| env.get(name));
        let mut variables: Vec<(String, String)> =
            env.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        variables.sort_unstable();
        Sources { user: base.map(|base| base.join("gastown")), env: variables, ..Sources::default() }
    }

    /// A variable of the environment.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.env.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The text of a file; `None` when there is no such file.
    ///
    /// # Errors
    /// As [`files::text`].
    pub(super) fn text(&self, path: &Path) -> Result<Option<String>> {
        if let Some((_, text)) = self.instead.as_ref().filter(|(instead, _)| instead == path) {
            return Ok(Some(text.clone()));
        }
        let known = self.known().texts.get(path).cloned();
        known.map_or_else(|| files::text(path).inspect(|text| self.keep(path, text.clone())), Ok)
    }

    /// Notes the text of a file that was read; nothing for one that is not there.
    pub fn keep(&self, path: &Path, text: Option<String>) {
        self.known().texts.insert(path.into(), text);
    }

    /// The layer of a file, read and checked once.
    pub(super) fn layer(
        &self,
        path: &Path,
        read: impl FnOnce() -> Result<Option<Layer>>,
    ) -> Result<Option<Layer>> {
        if self.instead.as_ref().is_some_and(|(instead, _)| instead == path) {
            return read();
        }
        let known = self.known().layers.get(path).cloned();
        known.map_or_else(
            || read().inspect(|layer| drop(self.known().layers.insert(path.into(), layer.clone()))),
            Ok,
        )
    }

    /// The same, where nothing was read yet.
    #[must_use]
    pub fn again(&self) -> Sources {
        Sources { known: Arc::default(), ..self.clone() }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The settings files, lowest first, whether they exist or not.
    pub fn settings_files(&self) -> Vec<PathBuf> {
        let user = self.user.iter().map(|dir| dir.join("config.toml"));
        let town =
            self.town.iter().flat_map(|dir| [dir.join("config/town.toml"), dir.join("config/tmux-socket")]);
        let rig = self.rig.iter().map(|(dir, _)| dir.join("config.json"));
        user.chain(town).chain(rig).collect()
    }

    /// The folders of presets, lowest first, whether they exist or not; the built-in ones come before.
    pub fn preset_folders(&self) -> Vec<PathBuf> {
        let user = self.user.iter().map(|dir| dir.join("presets"));
        let town = self.town.iter().map(|dir| dir.join("config/presets"));
        let rig = self.rig.iter().map(|(dir, _)| dir.join("config/presets"));
        user.chain(town).chain(rig).collect()
    }
}

#[cfg(test)]
mod tests;
