//! What runs, as a preset: values that would make it again.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::layout::AskedMark;
use crate::base::terminal::one_line;
use crate::config::schema::{AGENT, PaneSettings, RoleSettings, Runtime, WindowSettings};
use crate::config::{Permissions, ResolvedRole, template};
use crate::model::environment::is_secret;
use crate::mux::{AgentLock, Runs, SeenPane, SeenWindow, Session, Spec};

/// A role's part of a preset.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frozen {
    /// The role's table.
    pub role: Table,
    /// A runtime that no configuration has, by name.
    pub runtime: Option<(String, Table)>,
    /// What of it could not be seen, for people.
    pub unseen: Vec<String>,
}

/// What a session of ours is compared with.
#[derive(Clone, Copy, Debug)]
pub struct Now<'a> {
    /// What configuration says of the role.
    pub role: &'a ResolvedRole,
    /// What comes of that for this agent.
    pub spec: &'a Spec,
    /// The runtimes that configuration has, by name.
    pub runtimes: &'a BTreeMap<String, Runtime>,
    /// What agents are told first.
    pub prompt: &'a str,
}

/// A session of ours. Where it is what configuration asks for, the words of configuration stand; elsewhere what was
/// seen.
pub fn ours(now: Now<'_>, session: &Session) -> Frozen {
    let Now { role, spec, runtimes, prompt } = now;
    let mut frozen = Frozen::default();
    let mut settings = role.settings.clone();
    let wanted = AskedMark::parse(&spec.marks.hash).unwrap_or_default();
    let found = AskedMark::parse(&session.marks.hash).unwrap_or_else(|| wanted.clone());
    if found.command != wanted.command {
        match known_runtime(role, runtimes, &found) {
            Some((name, permissions)) => (settings.agent, settings.permissions) = (name, permissions),
            None => {
                (settings.agent, settings.permissions) = ("frozen".into(), Permissions::Ask);
                frozen.runtime = Some(("frozen".into(), seen_runtime(session, prompt)));
            }
        }
    }
    if found.folder != wanted.folder
        && let Some(pane) = agents_pane(session)
    {
        settings.start_directory.clone_from(&pane.path);
    }
    if found.env != wanted.env {
        frozen.unseen.push("what its preset added to its environment then".into());
    }
    if !as_asked(session, spec) {
        settings.windows =
            session.windows.iter().map(|window| window_of(window, Some(&role.settings), spec)).collect();
    }
    frozen.role = table(&settings);
    frozen.role.iter_mut().for_each(|(key, value)| leave_out(key, value, &mut frozen.unseen));
    frozen
}

/// Takes the values out that may be secrets: what is frozen goes into a file.
fn leave_out(key: &str, value: &mut Value, unseen: &mut Vec<String>) {
    match value {
        Value::Table(table) if key == "env" => table.retain(|name, _| {
            let is_kept = !is_secret(name);
            if !is_kept {
                unseen.push(format!("the value of {name} in env, which may be a secret: add it by hand"));
            }
            is_kept
        }),
        Value::Table(table) => {
            table.iter_mut().for_each(|(key, value)| leave_out(key, value, unseen));
        }
        Value::Array(list) => list.iter_mut().for_each(|value| leave_out(key, value, unseen)),
        _ => {}
    }
}

/// A session that gt did not make, as the windows of a role without an agent.
pub fn theirs(session: &Session) -> Frozen {
    let paths = session.windows.iter().flat_map(|window| &window.panes).map(|pane| pane.path.as_str());
    let start = paths.clone().next().unwrap_or_default().to_string();
    let windows = session.windows.iter().map(|window| {
        let mut own = window_of(window, None, &Spec::default());
        own.panes.iter_mut().for_each(|pane| {
            pane.start_directory = pane.start_directory.take().filter(|path| *path != start)
        });
        own
    });
    let settings = RoleSettings {
        agent: "none".into(),
        start_directory: start.clone(),
        windows: windows.collect(),
        ..RoleSettings::default()
    };
    Frozen { role: table(&settings), ..Frozen::default() }
}

/// The runtime that an agent was started with, by what was asked for then.
fn known_runtime(
    role: &ResolvedRole,
    runtimes: &BTreeMap<String, Runtime>,
    found: &AskedMark,
) -> Option<(String, Permissions)> {
    let fits = |name: &String, runtime: &Runtime, permissions: Permissions| {
        let mut other = role.clone();
        (other.agent, other.runtime, other.settings.permissions) =
            (name.clone(), runtime.clone(), permissions);
        AskedMark::of(&other, std::path::Path::new("")).command == found.command
    };
    // The first level that fits: a runtime may have no words for the others.
    let levels = [Permissions::Ask, Permissions::Edits, Permissions::All];
    let each = runtimes.iter().flat_map(|(name, runtime)| levels.map(|level| (name, runtime, level)));
    let mut fitting = each.filter(|(name, runtime, level)| fits(name, runtime, *level));
    fitting.next().map(|(name, _, level)| (name.clone(), level))
}

/// A runtime from the words that the agent's pane was started with.
fn seen_runtime(session: &Session, prompt: &str) -> Table {
    let started = agents_pane(session).map(|pane| pane.start_command.as_str()).unwrap_or_default();
    let words = shlex::split(started).unwrap_or_default();
    let skipped = words.iter().take_while(|word| *word == "env" || word.starts_with("PATH=")).count();
    let mut words = AgentLock::program(&words[skipped..]).to_vec();
    let told = words.last().is_some_and(|word| word == prompt);
    if told {
        words.pop();
    }
    let kind = if told { "argument" } else { "none" };
    let words = words.into_iter().map(|word| Value::String(template::escape(&word, false))).collect();
    [("command".to_string(), Value::Array(words)), ("prompt".to_string(), Value::from(kind))]
        .into_iter()
        .collect()
}

fn agents_pane(session: &Session) -> Option<&SeenPane> {
    session.windows.iter().flat_map(|window| &window.panes).find(|pane| pane.agent)
}

/// Whether its windows are just what was asked for, with nothing of a person's.
fn as_asked(session: &Session, spec: &Spec) -> bool {
    let panes = || session.windows.iter().flat_map(|window| &window.panes);
    if session.windows.is_empty() || spec.windows.is_empty() {
        return panes().all(|pane| pane.agent) && spec.windows.is_empty();
    }
    let same = |window: &SeenWindow| {
        let asked = window.mark.and_then(|number| spec.windows.get(number));
        asked.is_some_and(|asked| {
            asked.asked() == window.asked
                && asked.panes.len() == window.panes.len()
                && window.panes.iter().all(|pane| {
                    pane.mark
                        .and_then(|(_, at)| asked.panes.get(at))
                        .is_some_and(|own| own.asked() == pane.asked)
                })
        })
    };
    session.windows.len() == spec.windows.len() && session.windows.iter().all(same)
}

/// A window as it was seen. A pane of ours keeps the words that configuration has for it.
fn window_of(seen: &SeenWindow, role: Option<&RoleSettings>, spec: &Spec) -> WindowSettings {
    let several = seen.panes.len() > 1;
    let panes = seen.panes.iter().map(|pane| match role.and_then(|role| configured(pane, role, spec)) {
        Some(own) => PaneSettings { size: None, focus: own.focus && several, ..own },
        None => pane_of(pane),
    });
    let panes: Vec<PaneSettings> = panes.collect();
    WindowSettings {
        name: one_line(&seen.name),
        layout: several.then(|| seen.layout.clone()),
        panes,
        ..WindowSettings::default()
    }
}

/// What configuration says of a pane that it asked for and that is as it was asked for.
fn configured(seen: &SeenPane, role: &RoleSettings, spec: &Spec) -> Option<PaneSettings> {
    if seen.agent {
        return Some(PaneSettings { command: AGENT.into(), ..PaneSettings::default() });
    }
    let (window, at) = seen.mark?;
    if spec.windows.get(window)?.panes.get(at)?.asked() != seen.asked {
        return None;
    }
    // An agent that configuration shows in no window has the first one to itself.
    let before = spec.windows.len().checked_sub(role.windows.len())?;
    let of = role.windows.get(window.checked_sub(before)?)?;
    let mut pane = of.panes.get(at)?.clone();
    if pane.start_directory.is_none() {
        pane.start_directory.clone_from(&of.start_directory);
    }
    for (key, value) in &of.env {
        pane.env.entry(key.clone()).or_insert_with(|| value.clone());
    }
    Some(pane)
}

/// What a pane that a person opened runs, as a preset would ask for it.
pub fn runs(seen: &SeenPane) -> Runs {
    match pane_of(seen).command {
        command if command.is_empty() => Runs::Person,
        command => Runs::Shell(command),
    }
}

/// A pane that nothing says anything of: what it was started with, else what is in front of its shell.
fn pane_of(seen: &SeenPane) -> PaneSettings {
    let words = shlex::split(&seen.start_command).unwrap_or_default();
    let skipped = words.iter().take_while(|word| *word == "env" || word.starts_with("PATH=")).count();
    let command = match AgentLock::program(&words[skipped.min(words.len())..]) {
        // A shell that is about to be: tmux's own name stands there until then.
        [] if seen.dead || is_shell(&seen.command) || seen.command.starts_with("tmux") => String::new(),
        [] => format!("{}; exec $SHELL", seen.command),
        [one] if is_shell(one) => String::new(),
        // tmux gives one word to a shell.
        [one] => one.clone(),
        [sh, c, text] if sh == "sh" && c == "-c" => text.clone(),
        // Several run without one.
        words => match shlex::try_join(words.iter().map(String::as_str)) {
            Ok(line) => format!("exec {line}"),
            Err(_) => String::new(),
        },
    };
    let path = Some(seen.path.clone()).filter(|path| path.starts_with('/'));
    PaneSettings { command, start_directory: path, ..PaneSettings::default() }
}

/// Shells by the names of their programs.
const SHELLS: [&str; 9] = ["sh", "bash", "zsh", "fish", "dash", "ksh", "mksh", "tcsh", "nu"];

fn is_shell(command: &str) -> bool {
    let name = command.rsplit('/').next().unwrap_or_default();
    SHELLS.contains(&name.trim_start_matches('-'))
}

/// Every text as it has to be written to be read as it stands: `${…}` in it is no variable.
fn escape(key: &str, value: &mut Value) {
    match value {
        Value::String(text) => *text = template::escape(text, key == "command"),
        Value::Array(list) => list.iter_mut().for_each(|value| escape(key, value)),
        Value::Table(table) => table.iter_mut().for_each(|(key, value)| escape(key, value)),
        _ => {}
    }
}

/// The keys of a role that say what its session is; those at their default only where people look for them.
fn table(settings: &RoleSettings) -> Table {
    let all = Table::try_from(settings).unwrap_or_default();
    let default = Table::try_from(RoleSettings::default()).unwrap_or_default();
    let other = ["max_workers", "worker_spawn_delay", "names", "sandbox"];
    let told = |key: &str, value: &Value| {
        !other.contains(&key)
            && (["agent", "start_directory"].contains(&key) || default.get(key) != Some(value))
    };
    let mut kept: Table = all.into_iter().filter(|(key, value)| told(key, value)).collect();
    kept.iter_mut().for_each(|(key, value)| escape(key, value));
    // A pane without a command is the person's own shell.
    let windows = kept.get_mut("windows").and_then(Value::as_array_mut).into_iter().flatten();
    for pane in windows.filter_map(|window| window.get_mut("panes")?.as_array_mut()).flatten() {
        if let Some(pane) = pane.as_table_mut().filter(|pane| pane.get("command") == Some(&"".into())) {
            pane.remove("command");
        }
    }
    kept
}
