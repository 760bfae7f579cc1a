//! The environment: `GASTOWN_SECTION__KEY` for settings, `GASTOWN_<ROLE>__<KEY>` for roles, and a few names of their
//! own. An empty variable counts as unset.

use std::collections::HashMap;

use anyhow::Result;
use figment::value::Value;

use super::arrays::nested;
use super::check::{self, LayerKind};
use crate::base::failure::Failure;
use crate::base::nearest::nearest;
use crate::config::Sources;
use crate::config::layer::Layer;
use crate::config::origin::Origin;
use crate::model::address::Role;

/// Variables that are no `GASTOWN_SECTION__KEY`, and what they mean.
pub const NAMED: [(&str, &str); 6] = [
    ("GASTOWN_PRESET", "presets asked for, comma-separated"),
    ("GASTOWN_FUGUE_ADDR", "address of the fugue daemon, for every role whose placement is not local"),
    ("GASTOWN_CCMUX_ADDR", "old name of GASTOWN_FUGUE_ADDR"),
    ("GASTOWN_MULTIPLEXER_BIN", "fugue's program, fugue.program"),
    ("GASTOWN_TMUX_SOCKET", "the tmux server's socket, tmux.socket"),
    ("GASTOWN_REMOTE_TOWN", "where the town is on another machine"),
];

/// Set by scripts of projects around gt for themselves (source document 003); no setting.
const FOREIGN: [&str; 1] = ["GASTOWN_ENABLED"];

/// Top tables of settings.
pub(super) const SECTIONS: [&str; 13] = [
    "defaults",
    "up",
    "beads",
    "tmux",
    "session",
    "fugue",
    "merge",
    "worktree",
    "notify",
    "limits",
    "agents",
    "remotes",
    "placement",
];

const PREFIX: &str = "GASTOWN_";

/// What to tell a person about their environment, beside errors.
pub fn warnings(env: &HashMap<String, String>) -> Vec<String> {
    let set = |name: &str| env.get(name).is_some_and(|value| !value.is_empty());
    let mut warnings = Vec::new();
    if set("GASTOWN_CCMUX_ADDR") {
        let counts =
            if set("GASTOWN_FUGUE_ADDR") { "is ignored: that one is set too" } else { "still counts" };
        warnings
            .push(format!("warning: GASTOWN_CCMUX_ADDR is the old name of GASTOWN_FUGUE_ADDR and {counts}"));
    }
    warnings
}

/// The layers about settings.
pub(super) fn settings(sources: &Sources) -> Result<Vec<Layer>> {
    let mut layers = Vec::new();
    for (name, path, value) in variables(sources)? {
        if Role::parse(&path[0]).is_none() {
            layers.push(layer(Origin::Variable(name.into()), &path, value)?);
        }
    }
    let settings =
        [("GASTOWN_TMUX_SOCKET", ["tmux", "socket"]), ("GASTOWN_MULTIPLEXER_BIN", ["fugue", "program"])];
    for (variable, path) in settings {
        if let Some(name) = named(sources, variable) {
            layers.push(layer(Origin::Variable(variable.into()), &path.map(String::from), name)?);
        }
    }
    Ok(layers)
}

/// The layers about a role. The address that is meant for all of them comes under what is said of this one.
pub(super) fn role(sources: &Sources, role: Role) -> Result<Vec<Layer>> {
    let mut layers = Vec::new();
    if let Some((name, address)) = fugue_addr(sources) {
        let path = [role.to_string(), "fugue_addr".to_string()];
        layers.push(layer(Origin::Variable(name.into()), &path, address)?);
    }
    for (name, path, value) in variables(sources)? {
        if path[0] == role.as_str() {
            layers.push(layer(Origin::Variable(name.into()), &path, value)?);
        }
    }
    Ok(layers)
}

/// The address that is meant for every role whose placement is not local, and the variable that says it.
pub fn fugue_addr(sources: &Sources) -> Option<(&'static str, &str)> {
    ["GASTOWN_FUGUE_ADDR", "GASTOWN_CCMUX_ADDR"]
        .into_iter()
        .find_map(|name| Some((name, named(sources, name)?)))
}

/// A variable with a name of its own, when it is set and not empty.
pub(super) fn named<'s>(sources: &'s Sources, name: &str) -> Option<&'s str> {
    sources.var(name).filter(|value| !value.is_empty())
}

/// Every `GASTOWN_SECTION__KEY`: its name, path and value.
fn variables(sources: &Sources) -> Result<Vec<(&str, Vec<String>, &str)>> {
    let mut found = Vec::new();
    for (name, value) in &sources.env {
        let Some(rest) = name.strip_prefix(PREFIX) else { continue };
        let own = NAMED.iter().any(|(own, _)| own == name) || FOREIGN.contains(&name.as_str());
        if own || value.is_empty() {
            continue;
        }
        let path = path(rest);
        let first = path.first().map_or("", String::as_str);
        if path.len() < 2 || !(SECTIONS.contains(&first) || Role::parse(first).is_some()) {
            return Err(unknown(name).into());
        }
        found.push((name.as_str(), path, value.as_str()));
    }
    Ok(found)
}

/// `POLECAT__ENV__RUST_LOG` is `polecat.env.RUST_LOG`: all in lower case but the names of a role's own environment.
fn path(rest: &str) -> Vec<String> {
    let mut path: Vec<String> = rest.split("__").map(str::to_lowercase).collect();
    let mut parts = rest.splitn(3, "__");
    if let (Some(_), Some("ENV"), Some(name)) = (parts.next(), parts.next(), parts.next()) {
        path.truncate(2);
        path.push(name.into());
    }
    path
}

fn unknown(name: &str) -> Failure {
    let mut known: Vec<String> = NAMED.iter().map(|(name, _)| (*name).to_string()).collect();
    let role = serde_json::to_value(super::RoleSettings::default()).unwrap_or_default();
    let keys: Vec<&str> = role.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
    for role in Role::ALL {
        known.extend(keys.iter().map(|key| format!("{PREFIX}{role}__{key}").to_uppercase()));
    }
    let settings = serde_json::to_value(super::Settings::default()).unwrap_or_default();
    for (section, table) in settings.as_object().into_iter().flatten() {
        for key in table.as_object().into_iter().flatten().map(|(key, _)| key) {
            known.push(format!("{PREFIX}{section}__{key}").to_uppercase());
        }
    }
    let hint = match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean {near}?"),
        None => {
            "settings are GASTOWN_SECTION__KEY, roles GASTOWN_ROLE__KEY; see them with: gt config show".into()
        }
    };
    Failure::new(format!("unknown variable {name}: variables with {PREFIX} configure gt")).hint(hint)
}

/// A layer with one value that is written as text: a TOML value, or the text itself where a text is wanted, or a
/// comma-separated list where a list is.
pub(super) fn layer(origin: Origin, path: &[String], text: &str) -> Result<Layer> {
    let kind = match path.first().and_then(|first| Role::parse(first)) {
        Some(_) => LayerKind::Preset,
        None => LayerKind::Settings,
    };
    let written: Value = text.parse().unwrap_or_else(|never: std::convert::Infallible| match never {});
    let list: Vec<&str> = text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    let readings = [written, Value::from(text), Value::from(list)];
    let layers =
        readings.map(|value| Layer { origin: origin.clone(), values: nested(path, value), text: None });
    for layer in &layers {
        if check::types(kind, layer).is_ok() {
            check::layer(kind, layer)?;
            return Ok(layer.clone());
        }
    }
    let [first, ..] = layers;
    check::layer(kind, &first)?;
    Ok(first)
}
