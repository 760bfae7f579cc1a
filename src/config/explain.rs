//! Which layers said a value, and which one counts.

use std::path::Path;

use anyhow::Result;
use figment::value::{Dict, Value};
use serde::Serialize;

use super::errors;
use super::layer::Stack;
use crate::failure::Failure;

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
    let value = if key.is_empty() { stack.values().ok().map(Value::from) } else { stack.value(key) };
    let mut leaves = Vec::new();
    match value {
        Some(Value::Dict(_, dict)) if !dict.is_empty() => collect(&dict, key, &mut leaves),
        Some(value) => leaves.push((key.to_string(), value)),
        None => {}
    }
    leaves.into_iter().map(|(key, value)| one(stack, key, value, home)).collect()
}

fn one(stack: &Stack, key: String, value: Value, home: Option<&Path>) -> Explained {
    let layers: Vec<Said> = stack
        .said(&key)
        .into_iter()
        .map(|(origin, value)| Said { from: origin.shown(home), value })
        .collect();
    let from = layers.last().map(|said| said.from.clone()).unwrap_or_default();
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

/// A value as TOML has it, on one line.
pub fn shown(value: &Value) -> String {
    match toml::Value::try_from(value) {
        Ok(value) => value.to_string().trim_end().to_string(),
        Err(_) => "null".into(),
    }
}

/// A key that no layer says: what counts all the same, by the types. `more` are keys that may be without a value.
///
/// # Errors
/// A key that there is not, with the nearest one.
pub fn unsaid(typed: &impl Serialize, more: &[&str], key: &str) -> Result<Vec<Explained>> {
    let values = Value::serialize(typed)?;
    if let Some(value) = values.find_ref(key).filter(|value| !matches!(value, Value::Empty(..))) {
        let value = value.clone();
        return Ok(vec![Explained { key: key.into(), value, from: UNSAID.into(), layers: Vec::new() }]);
    }
    if more.contains(&key) {
        return Err(Failure::new(format!("{key} is not set")).into());
    }
    let mut leaves = Vec::new();
    collect(values.as_dict().unwrap_or(&Dict::new()), "", &mut leaves);
    let known = leaves.iter().map(|(key, _)| key.as_str()).chain(more.iter().copied());
    let hint = errors::nearest(key, known).map_or_else(
        || "see all keys with: gt config show, gt preset explain ROLE".to_string(),
        |near| format!("did you mean '{near}'?"),
    );
    Err(Failure::usage(format!("there is no key '{key}'")).hint(hint).into())
}

/// The origin of what no layer says.
const UNSAID: &str = "not set: the default";
