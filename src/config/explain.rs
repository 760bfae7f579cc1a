//! Which layers said a value, and which one counts.

use std::path::Path;

use anyhow::Result;
use figment::value::{Dict, Value};
use serde::Serialize;

use super::Sources;
use super::layer::Stack;
use crate::base::failure::Failure;
use crate::base::nearest::nearest;
use crate::model::address::Role;
use crate::model::environment::is_secret;

/// One value and where it comes from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explained {
    /// Dotted.
    pub key: String,
    /// What counts.
    pub value: Value,
    /// Where that was said: the last of `layers`.
    pub from: String,
    /// Everybody who said something, lowest first, as it was said (with `"..."`).
    pub layers: Vec<Said>,
}

/// What one layer said.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Said {
    /// `built-in polecat.toml`, a path, a variable, a flag.
    pub from: String,
    /// The value.
    pub value: Value,
}

/// Every value under a dotted key (all of them for an empty one), in the order of the keys. Empty when no layer says
/// anything there. `home` is shown as `~`.
pub fn explain(stack: &Stack, key: &str, home: Option<&Path>) -> Vec<Explained> {
    let mut leaves = Vec::new();
    match stack.value(key) {
        Some(Value::Dict(_, dict)) if !dict.is_empty() => collect(&dict, key, &mut leaves),
        Some(value) => leaves.push((key.to_string(), value)),
        None => {}
    }
    leaves.into_iter().map(|(key, value)| one(stack, key, value, home)).collect()
}

/// What counts for one key, of the settings or of a role; `None` when no layer says it.
///
/// # Errors
/// As [`super::settings()`] and [`super::role()`].
pub fn one_of(sources: &Sources, key: &str, home: Option<&Path>) -> Result<Option<Explained>> {
    let stack = match Role::parse(key.split('.').next().unwrap_or_default()) {
        Some(role) => super::role_stack(sources, role, &[], None)?.0,
        None => super::settings_stack(sources)?,
    };
    Ok(explain(&stack, key, home).pop())
}

fn one(stack: &Stack, key: String, value: Value, home: Option<&Path>) -> Explained {
    let layers: Vec<Said> = stack
        .said(&key)
        .into_iter()
        .map(|(origin, value)| Said { from: origin.shown(home), value: hidden(&key, value) })
        .collect();
    let from = layers.last().map(|said| said.from.clone()).unwrap_or_default();
    let value = hidden(&key, value);
    Explained { key, value, from, layers }
}

fn collect(dict: &Dict, above: &str, leaves: &mut Vec<(String, Value)>) {
    for (key, value) in dict {
        let path = if above.is_empty() { key.clone() } else { format!("{above}.{key}") };
        match value {
            Value::Dict(_, inner) => collect(inner, &path, leaves),
            other => leaves.push((path, other.clone())),
        }
    }
}

/// What stands in every answer for the value of a variable that may be a secret.
const HIDDEN: &str = "(hidden)";

/// The value of a key without what may be a secret in it: values in tables `env`, by the names of their variables. A reference to a
/// variable of the caller is none.
pub fn hidden(key: &str, value: Value) -> Value {
    let (above, name) = key.rsplit_once('.').unwrap_or(("", key));
    let is_env = above.rsplit('.').next() == Some("env");
    match value {
        Value::String(tag, text) if is_env && is_secret(name) && !is_reference(&text) => {
            Value::String(tag, HIDDEN.into())
        }
        Value::Dict(tag, dict) => Value::Dict(tag, hidden_in(key, dict)),
        Value::Array(tag, list) => {
            Value::Array(tag, list.into_iter().map(|value| hidden(key, value)).collect())
        }
        other => other,
    }
}

/// The same for the values under a key; an empty one: at the top.
pub fn hidden_in(key: &str, dict: Dict) -> Dict {
    let hide = |(name, value): (String, Value)| {
        let value = hidden(&format!("{key}.{name}"), value);
        (name, value)
    };
    dict.into_iter().map(hide).collect()
}

fn is_reference(text: &str) -> bool {
    text.is_empty() || (text.starts_with("${") && text.find('}') == Some(text.len() - 1))
}

/// A value as TOML has it, on one line.
pub fn shown(value: &Value) -> String {
    match toml::Value::try_from(value) {
        Ok(value) => value.to_string().trim_end().to_string(),
        Err(_) => "null".into(),
    }
}

/// A key that no layer says: what counts all the same, by the types. `more` are keys that are left out of those without a
/// value.
///
/// # Errors
/// A key that has no value, and one that there is not, with the nearest one.
pub fn unsaid(typed: &impl Serialize, more: &[&str], key: &str) -> Result<Vec<Explained>> {
    let values = Value::serialize(typed)?;
    let value = values.find_ref(key);
    if more.contains(&key) || matches!(value, Some(Value::Empty(..))) {
        return Err(Failure::new(format!("{key} is not set")).into());
    }
    if let Some(value) = value.cloned() {
        let value = hidden(key, value);
        return Ok(vec![Explained { key: key.into(), value, from: UNSAID.into(), layers: Vec::new() }]);
    }
    let known: Vec<String> = keys(values, more).collect();
    Err(no_key(key, known.iter().map(String::as_str)).into())
}

/// The dotted keys of a value's tables, and more.
pub(super) fn keys(values: Value, more: &[&str]) -> impl Iterator<Item = String> {
    let mut leaves = Vec::new();
    collect(&values.into_dict().unwrap_or_default(), "", &mut leaves);
    let more: Vec<String> = more.iter().map(|key| (*key).to_string()).collect();
    leaves.into_iter().map(|(key, _)| key).chain(more)
}

/// A key that there is not. One without its table is found by its last part.
pub(super) fn no_key<'k>(key: &str, known: impl Iterator<Item = &'k str> + Clone) -> Failure {
    let last = |known: &'k str| known.rsplit('.').next().unwrap_or(known);
    let near = nearest(key, known.clone()).or_else(|| {
        let near = nearest(key, known.clone().map(last))?;
        known.clone().find(|known| last(known) == near)
    });
    let hint = near.map_or_else(
        || "see all keys with: gt config show, gt preset explain ROLE".to_string(),
        |near| format!("did you mean '{near}'?"),
    );
    Failure::usage(format!("there is no key '{key}'")).hint(hint)
}

/// The origin of what no layer says.
const UNSAID: &str = "not set: the default";
