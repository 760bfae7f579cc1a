//! Which files are read, and in which order.

use std::path::{Path, PathBuf};

use anyhow::Result;
use figment::value::{Dict, Value};

use super::check::LayerKind;
use super::{check, env, errors, template};
use crate::config::Sources;
use crate::config::layer::{Layer, Stack};
use crate::config::origin::Origin;
use crate::model::address::Role;

const BUILT_IN: &str = include_str!("../../presets/settings.toml");

/// The built-in settings.
pub(super) fn built_in(sources: &Sources) -> Result<Option<Layer>> {
    built_in_file(sources, "settings.toml", BUILT_IN)
}

/// A file that is built in.
pub(super) fn built_in_file(sources: &Sources, name: &str, text: &str) -> Result<Option<Layer>> {
    let origin = || Origin::BuiltIn(name.into());
    sources.layer(Path::new(name), || toml_layer(origin(), text.into(), None, sources).map(Some))
}

/// `$XDG_CONFIG_HOME/gastown/config.toml`
pub(super) fn user(sources: &Sources) -> Result<Option<Layer>> {
    sources.user.as_ref().map_or(Ok(None), |dir| settings_file(dir.join("config.toml"), sources))
}

/// `<town>/config/town.toml`
pub(super) fn town(sources: &Sources) -> Result<Option<Layer>> {
    sources.town.as_ref().map_or(Ok(None), |dir| settings_file(dir.join("config/town.toml"), sources))
}

/// `<town>/config/tmux-socket`: one line, `tmux.socket` and nothing else, so that it is known without any parsing.
pub(super) fn tmux_socket_file(sources: &Sources) -> Result<Option<Layer>> {
    let Some(dir) = &sources.town else { return Ok(None) };
    let path = dir.join("config/tmux-socket");
    let Some(text) = sources.text(&path)? else { return Ok(None) };
    let name = text.trim();
    if name.is_empty() {
        return Ok(None);
    }
    let values = super::arrays::nested(&["tmux".into(), "socket".into()], Value::from(name));
    let layer = Layer { origin: Origin::File(path), values, text: None };
    check::layer(LayerKind::Settings, &layer)?;
    Ok(Some(layer))
}

/// The sections of `<rig>/config.json` that are settings.
pub(super) fn rig(sources: &Sources) -> Result<Option<Layer>> {
    let Some(mut layer) = rig_file(sources)? else { return Ok(None) };
    layer.values.retain(|key, _| RIG_SECTIONS.contains(&key.as_str()));
    Ok(Some(layer))
}

/// What `<rig>/config.json` says of a role: `max_workers` and `worker_spawn_delay` are the polecats'.
pub(super) fn rig_role(sources: &Sources, role: Role) -> Result<Option<Layer>> {
    if role != Role::Polecat {
        return Ok(None);
    }
    let Some(mut layer) = rig_file(sources)? else { return Ok(None) };
    layer.values.retain(|key, _| RIG_POLECAT.contains(&key.as_str()));
    if layer.values.is_empty() {
        return Ok(None);
    }
    layer.values = Dict::from([(role.to_string(), Value::from(layer.values))]);
    Ok(Some(layer))
}

fn rig_file(sources: &Sources) -> Result<Option<Layer>> {
    let Some((dir, _)) = &sources.rig else { return Ok(None) };
    let path = dir.join("config.json");
    sources.layer(&path, || rig_layer(&path, sources))
}

fn rig_layer(path: &Path, sources: &Sources) -> Result<Option<Layer>> {
    let Some(text) = sources.text(path)? else { return Ok(None) };
    let values: Dict = serde_json::from_str(&text).map_err(|error| errors::json(&error, path))?;
    // A null is a value that is not given.
    let values = values.into_iter().filter(|(_, value)| !matches!(value, Value::Empty(..))).collect();
    let mut layer = Layer { origin: Origin::File(path.into()), values, text: Some(text) };
    layer.values.retain(|key, _| RIG_SECTIONS.contains(&key.as_str()) || RIG_POLECAT.contains(&key.as_str()));
    expand(&mut layer, sources)?;
    check::layer(LayerKind::Rig, &layer)?;
    Ok(Some(layer))
}

/// The tables of the settings that a rig's `config.json` can hold.
pub(super) const RIG_SECTIONS: [&str; 4] = ["merge", "worktree", "sync", "permissions"];

/// The keys of the role polecat that a rig's `config.json` can hold.
pub const RIG_POLECAT: [&str; 2] = ["max_workers", "worker_spawn_delay"];

/// The flags that are about the settings and, with a role, about that role.
pub(super) fn flags(sources: &Sources, role: Option<Role>) -> Result<Vec<Layer>> {
    let mut layers = Vec::new();
    for (key, value) in &sources.flags {
        let path: Vec<String> = key.split('.').map(str::to_string).collect();
        let first = path.first().map_or("", String::as_str);
        if Role::parse(first).is_none_or(|named| Some(named) == role) {
            layers.push(env::layer(Origin::Flag(key.clone()), &path, value)?);
        }
    }
    Ok(layers)
}

fn settings_file(path: PathBuf, sources: &Sources) -> Result<Option<Layer>> {
    sources.layer(&path, || {
        let Some(text) = sources.text(&path)? else { return Ok(None) };
        toml_layer(Origin::File(path.clone()), text, Some(LayerKind::Settings), sources).map(Some)
    })
}

/// A layer from TOML; checked when `kind` says as what (built-in files are checked by tests).
pub(super) fn toml_layer(
    origin: Origin,
    text: String,
    kind: Option<LayerKind>,
    sources: &Sources,
) -> Result<Layer> {
    let values = toml::from_str(&text).map_err(|error| errors::syntax(&error, &origin, &text))?;
    let mut layer = Layer { origin, values, text: Some(text) };
    expand(&mut layer, sources)?;
    if let Some(kind) = kind {
        check::layer(kind, &layer)?;
    }
    Ok(layer)
}

/// Fills `${VAR}` in every text of the layer.
fn expand(layer: &mut Layer, sources: &Sources) -> Result<()> {
    if !layer.text.as_ref().is_some_and(|text| text.contains('$')) {
        return Ok(());
    }
    let lookup = |name: &str| sources.var(name).map(str::to_string);
    let mut values = Value::from(std::mem::take(&mut layer.values));
    let filled = expand_value(&mut values, &mut Vec::new(), &lookup);
    filled.map_err(|(path, broken)| {
        let message = format!("{}: {broken}", path.join("."));
        errors::fault(&layer.origin, layer.text.as_deref(), &path, &message, &broken.hint())
    })?;
    layer.values = values.into_dict().unwrap_or_default();
    Ok(())
}

/// Whether a shell reads the text at a path: a command that gt hands to `sh -c`.
fn is_for_shell(path: &[String]) -> bool {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    matches!(path.as_slice(), ["merge", "test_command"] | ["worktree", "setup"] | [.., "panes", _, "command"])
}

fn expand_value(
    value: &mut Value,
    path: &mut Vec<String>,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<(), (Vec<String>, template::Broken)> {
    match value {
        Value::String(_, text) => match template::expand(text, is_for_shell(path), lookup) {
            Ok(filled) => *text = filled.into_owned(),
            Err(broken) => return Err((path.clone(), broken)),
        },
        Value::Dict(_, dict) => {
            for (key, inner) in dict {
                path.push(key.clone());
                expand_value(inner, path, lookup)?;
                path.pop();
            }
        }
        Value::Array(_, list) => {
            for (number, inner) in list.iter_mut().enumerate() {
                path.push(number.to_string());
                expand_value(inner, path, lookup)?;
                path.pop();
            }
        }
        _ => {}
    }
    Ok(())
}

/// The tmux server's socket (`tmux -L`), the cheap way: settings files are parsed only when one speaks of a socket.
/// The same as `settings(sources)?.tmux.socket`.
///
/// # Errors
/// As [`super::settings()`], for what had to be read.
pub fn tmux_socket(sources: &Sources) -> Result<Option<String>> {
    let named = sources.var("GASTOWN_TMUX_SOCKET").filter(|name| !name.is_empty());
    let spoken = |path: &PathBuf| {
        Ok::<_, anyhow::Error>(sources.text(path)?.is_some_and(|text| text.contains("socket")))
    };
    if let Some(name) = named {
        return Ok(Some(name.into()));
    }
    if sources.var("GASTOWN_TMUX__SOCKET").is_none() && sources.flags.is_empty() {
        if let Some(layer) = tmux_socket_file(sources)? {
            let name = Value::from(layer.values).find("tmux.socket");
            return Ok(name.and_then(Value::into_string));
        }
        let files = sources.settings_files();
        let mut toml = files.iter().filter(|path| path.extension().is_some_and(|ext| ext == "toml"));
        if !toml.try_fold(false, |found, path| Ok::<_, anyhow::Error>(found || spoken(path)?))? {
            return Ok(None);
        }
    }
    socket_said(sources).map_err(super::with_hint)
}

/// What the layers above the built-in one, which says nothing of it, come to.
fn socket_said(sources: &Sources) -> Result<Option<String>> {
    let files = Stack::default().over(user(sources)?).over(town(sources)?).over(tmux_socket_file(sources)?);
    files.over(env::settings(sources)?).over(flags(sources, None)?).get("tmux.socket")
}
