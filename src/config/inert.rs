//! Keys that a file may hold and that nothing reads yet.

use anyhow::Result;
use figment::value::{Dict, Value};

use super::layer::Layer;
use super::origin::Origin;
use super::{Sources, env, errors, presets, sources};
use crate::model::address::Role;

/// A key that does nothing, where a person set it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inert {
    /// The whole key.
    pub key: String,
    /// What to say of it: its place, and why.
    pub said: String,
}

/// The keys without effect that settings, presets and the environment set; the built-in layers are left out. A preset
/// counts whether it is asked for or not.
///
/// # Errors
/// As [`super::settings()`], and for any preset file.
pub fn of(sources: &Sources) -> Result<Vec<Inert>> {
    let mut layers = super::settings_stack(sources)?.layers;
    for name in presets::list(sources)?.keys() {
        layers.extend(presets::files(sources, name)?);
    }
    for role in Role::ALL {
        layers.extend(env::role(sources, role)?);
    }
    layers.extend(sources::flags(sources, None)?);
    let (built_in, own): (Vec<Layer>, Vec<Layer>) =
        layers.into_iter().partition(|layer| matches!(layer.origin, Origin::BuiltIn(_)));
    let mut found = Vec::new();
    for layer in &own {
        walk(&layer.values, &mut Vec::new(), &mut |path, value| {
            let Some(why) = why(path) else { return };
            // What says the same as the built-in presets, `gt freeze` say, changes nothing in any case.
            if built_in.iter().any(|layer| is_said(&layer.values, path, value)) {
                return;
            }
            let key = path.join(".");
            let place = errors::place(&layer.origin, layer.text.as_deref(), path, errors::KeyOrValue::Key);
            let one = Inert { said: format!("{place}: {key} does nothing: {why}"), key };
            if !found.contains(&one) {
                found.push(one);
            }
        });
    }
    Ok(found)
}

fn walk(values: &Dict, path: &mut Vec<String>, each: &mut dyn FnMut(&[String], &Value)) {
    for (key, value) in values {
        path.push(key.clone());
        each(path, value);
        if let Value::Dict(_, inner) = value {
            walk(inner, path, each);
        }
        path.pop();
    }
}

fn is_said(values: &Dict, path: &[String], value: &Value) -> bool {
    let (Some(first), rest) = (path.first(), path.get(1..).unwrap_or_default()) else { return false };
    match values.get(first) {
        Some(Value::Dict(_, inner)) if !rest.is_empty() => is_said(inner, rest, value),
        Some(own) => rest.is_empty() && own.as_str().is_some() && own.as_str() == value.as_str(),
        None => false,
    }
}

/// Why a key does nothing; `None` for one that does.
fn why(path: &[String]) -> Option<&'static str> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match path.as_slice() {
        [role, "max_workers" | "worker_spawn_delay" | "names" | "sandbox"]
            if Role::parse(role).is_some_and(|role| role != Role::Polecat) =>
        {
            Some("it is about polecats alone")
        }
        ["agents", _, "question" | "offline" | "busy", "timeout"] => Some("only ready has a timeout"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_nothing_is_said_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write(
            "config/town.toml",
            "[agents.own]\ncommand = [\"own\"]\nbusy = { pattern = \"x\", timeout = \"3s\" }\n",
        );
        write("config/presets/polecat.toml", "[polecat]\nmax_workers = 3\nrestart = \"always\"\n");
        write("config/presets/mine.toml", "[crew]\nsandbox = \"clone\"\nrestart = \"never\"\n");
        let sources = Sources {
            town: Some(dir.path().into()),
            env: vec![("GASTOWN_MAYOR__MAX_WORKERS".into(), "2".into())],
            ..Sources::default()
        };
        let said: Vec<String> = of(&sources).unwrap().into_iter().map(|one| one.said).collect();
        insta::assert_snapshot!(said.join("\n").replace(dir.path().to_str().unwrap(), "TOWN"), @r"
        TOWN/config/town.toml:3:25: agents.own.busy.timeout does nothing: only ready has a timeout
        TOWN/config/presets/mine.toml:2:1: crew.sandbox does nothing: it is about polecats alone
        GASTOWN_MAYOR__MAX_WORKERS: mayor.max_workers does nothing: it is about polecats alone
        ");
        // What gt itself ships is its own matter.
        assert_eq!(of(&Sources::default()).unwrap(), []);
    }
}
