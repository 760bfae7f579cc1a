//! Presets: the preset `N` is every `N.toml` of its places, built-in first; nothing is used because it exists.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use figment::value::{Dict, Value};

use super::check::LayerKind;
use super::{env, errors, placement};
use crate::base::failure::Failure;
use crate::base::nearest::choices;
use crate::config::layer::{Layer, Stack};
use crate::config::origin::Origin;
use crate::config::schema::Placement;
use crate::config::sources::{built_in_file, toml_layer};
use crate::config::{Settings, Sources};
use crate::model::address::Role;
use crate::model::bead::Bead;

pub use super::check::is_name;

const BUILT_IN: [(&str, &str); 10] = [
    ("mayor", include_str!("../../presets/mayor.toml")),
    ("deacon", include_str!("../../presets/deacon.toml")),
    ("witness", include_str!("../../presets/witness.toml")),
    ("refinery", include_str!("../../presets/refinery.toml")),
    ("polecat", include_str!("../../presets/polecat.toml")),
    ("crew", include_str!("../../presets/crew.toml")),
    ("plugin", include_str!("../../presets/plugin.toml")),
    ("remote-polecat", include_str!("../../presets/remote-polecat.toml")),
    ("hybrid", include_str!("../../presets/hybrid.toml")),
    ("minimal", include_str!("../../presets/minimal.toml")),
];

/// Presets that somebody asks for.
pub(super) struct WantedPresets {
    names: Vec<String>,
    /// Who asks, when it is not the command line: a variable, or a place in a file.
    by: Option<String>,
    /// The placement rule that asks.
    rule: Option<String>,
}

impl WantedPresets {
    /// Who asks, for people.
    pub(super) fn shown(&self) -> Option<String> {
        match (&self.rule, &self.by) {
            (Some(rule), Some(by)) => Some(format!("{rule}, {by}")),
            (rule, by) => rule.clone().or_else(|| by.clone()),
        }
    }
}

/// A role's own preset.
pub(super) fn own(role: Role) -> WantedPresets {
    WantedPresets { names: vec![role.to_string()], by: None, rule: None }
}

/// The presets that are asked for: by hand, else `GASTOWN_PRESET`, else the placement rule that matches the bead, else
/// `[defaults] presets`; `stack` are the layers that say these two.
pub(super) fn asked(
    sources: &Sources,
    asked: &[String],
    bead: Option<&Bead>,
    stack: &Stack,
) -> Result<WantedPresets> {
    if !asked.is_empty() {
        return Ok(WantedPresets { names: asked.to_vec(), by: None, rule: None });
    }
    if let Some(names) = env::named(sources, "GASTOWN_PRESET") {
        let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
        let names = names.map(str::to_string).collect();
        return Ok(WantedPresets { names, by: Some("GASTOWN_PRESET".into()), rule: None });
    }
    let rules: BTreeMap<String, Placement> = stack.get("placement")?.unwrap_or_default();
    let rig = sources.rig.as_ref().map(|(_, name)| name.as_str());
    if let Some((name, rule)) = bead.and_then(|bead| placement::choose(&rules, bead, rig)) {
        let rule_place = || stack.place(&format!("placement.{name}"));
        let by = stack.place(&format!("placement.{name}.use")).or_else(rule_place);
        let names = vec![rule.preset.clone()];
        return Ok(WantedPresets { names, by, rule: Some(format!("placement.{name}")) });
    }
    let names: Vec<String> = stack.get("defaults.presets")?.unwrap_or_default();
    // Finding a place means reading the file again: only for presets that may be missing.
    let by = if names.is_empty() { None } else { stack.place("defaults.presets") };
    Ok(WantedPresets { names, by, rule: None })
}

/// The layers of these presets, lowest first, each after what it extends and none twice; `loaded` says which are
/// there already, and learns the new ones.
pub(super) fn load(sources: &Sources, asked: &WantedPresets, loaded: &mut Vec<String>) -> Result<Vec<Layer>> {
    let mut layers = Vec::new();
    for name in &asked.names {
        load_one(sources, name, loaded, &mut Vec::new(), &mut layers)
            .map_err(|error| asked_by(error, asked.by.as_deref(), name))?;
    }
    Ok(layers)
}

fn load_one(
    sources: &Sources,
    name: &str,
    loaded: &mut Vec<String>,
    trail: &mut Vec<String>,
    layers: &mut Vec<Layer>,
) -> Result<()> {
    if loaded.iter().any(|own| own == name) {
        return Ok(());
    }
    trail.push(name.into());
    let own = files(sources, name)?;
    let stack = Stack::default().over(own.iter().cloned());
    let extends: Vec<String> = stack.get("extends")?.unwrap_or_default();
    for below in &extends {
        if let Some(start) = trail.iter().position(|own| own == below) {
            let circle = trail[start..].iter().map(String::as_str).chain([below.as_str()]);
            let circle: Vec<&str> = circle.collect();
            let place = stack.place("extends").unwrap_or_default();
            return Err(Failure::new(format!("{place}: presets extend each other: {}", circle.join(" → ")))
                .hint("take one of them out of extends")
                .into());
        }
        let by = stack.place("extends");
        load_one(sources, below, loaded, trail, layers)
            .map_err(|error| asked_by(error, by.as_deref(), below))?;
    }
    trail.pop();
    loaded.push(name.into());
    layers.extend(own.into_iter().map(|mut layer| {
        layer.values.retain(|key, _| !["name", "description", "extends", "replace"].contains(&key.as_str()));
        layer
    }));
    Ok(())
}

/// Says who asked for a preset that does not exist.
fn asked_by(error: anyhow::Error, by: Option<&str>, name: &str) -> anyhow::Error {
    match (error.downcast::<Failure>(), by) {
        (Ok(failure), Some(by)) if failure.message == missing(name) => {
            Failure { message: format!("{by}: {}", failure.message), ..failure }.into()
        }
        (Ok(failure), _) => failure.into(),
        (Err(error), _) => error,
    }
}

fn missing(name: &str) -> String {
    format!("there is no preset '{name}'")
}

/// The files of one preset, lowest first, down to the highest one that says `replace = true`.
///
/// # Errors
/// No such preset, with the nearest one; or a broken file.
pub fn files(sources: &Sources, name: &str) -> Result<Vec<Layer>> {
    let mut layers = Vec::new();
    if is_name(name) {
        if let Some((_, text)) = BUILT_IN.iter().find(|(own, _)| *own == name) {
            layers.extend(built_in_file(sources, &format!("{name}.toml"), text)?);
        }
        for folder in sources.preset_folders() {
            let path = folder.join(format!("{name}.toml"));
            if let Some(text) = sources.text(&path)? {
                let layer = file(&path, name, text, sources)?;
                if layer.values.get("replace").and_then(Value::to_bool) == Some(true) {
                    layers.clear();
                }
                layers.push(layer);
            }
        }
    }
    if layers.is_empty() {
        let known = list(sources)?;
        return Err(Failure::new(missing(name)).hint(choices(name, known.keys().map(String::as_str))).into());
    }
    Ok(layers)
}

/// One file of a preset, checked.
///
/// # Errors
/// A broken file, or one whose name is not the preset's.
pub fn file(path: &Path, name: &str, text: String, sources: &Sources) -> Result<Layer> {
    let layer = toml_layer(Origin::File(path.into()), text, Some(LayerKind::Preset), sources)?;
    if let Some(said) = layer.values.get("name").and_then(Value::as_str).filter(|said| *said != name) {
        let message = format!("name: the preset calls itself '{said}', and its file is {name}.toml");
        let hint = format!("write name = \"{name}\", or rename the file to {said}.toml");
        let text = layer.text.as_deref();
        return Err(errors::fault(&layer.origin, text, &["name".into()], &message, &hint).into());
    }
    Ok(layer)
}

/// Every preset by name, with the places that have a file of it, lowest first. Files are not read.
///
/// # Errors
/// A folder that cannot be read.
pub fn list(sources: &Sources) -> Result<BTreeMap<String, Vec<Origin>>> {
    let mut found: BTreeMap<String, Vec<Origin>> = BTreeMap::new();
    for (name, _) in BUILT_IN {
        found.entry(name.into()).or_default().push(Origin::BuiltIn(format!("{name}.toml")));
    }
    for folder in sources.preset_folders() {
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => {
                return Err(Failure::new(format!("cannot read {}: {error}", folder.display())).into());
            }
        };
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            let name = path.file_stem().and_then(|stem| stem.to_str()).filter(|name| is_name(name));
            if let Some(name) = name.filter(|_| path.extension().is_some_and(|ext| ext == "toml")) {
                found.entry(name.into()).or_default().push(Origin::File(path.clone()));
            }
        }
    }
    Ok(found)
}

/// A preset with what it extends, as one table.
///
/// # Errors
/// As [`files`]; also a cycle.
pub fn merged(sources: &Sources, name: &str) -> Result<Dict> {
    let asked = WantedPresets { names: vec![name.into()], by: None, rule: None };
    let own = Stack::default().over(files(sources, name)?);
    let mut merged = Stack::default().over(load(sources, &asked, &mut Vec::new())?).values();
    for key in ["name", "description", "extends"] {
        merged.extend(own.value(key).map(|value| (key.to_string(), value)));
    }
    Ok(merged)
}

/// Checks a preset by name: its files, what it extends, and the runtimes and remotes that it names.
///
/// # Errors
/// The first thing that is wrong.
pub fn check(sources: &Sources, name: &str) -> Result<()> {
    let values = merged(sources, name)?;
    for role in Role::ALL.into_iter().filter(|role| values.contains_key(role.as_str())) {
        super::role(sources, role, &[name.to_string()], None)?;
    }
    Ok(())
}

/// Checks one file, wherever it is.
///
/// # Errors
/// As [`file`]; also when there is none.
pub fn check_file(sources: &Sources, path: &Path) -> Result<()> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    match crate::base::files::text(path)? {
        Some(text) => file(path, &name, text, sources).map(|_| ()),
        None => Err(Failure::new(format!("there is no file {}", path.display())).into()),
    }
}

/// Checks the settings, and that the presets they name exist.
///
/// # Errors
/// The first thing that is wrong.
pub fn check_settings(sources: &Sources) -> Result<()> {
    let stack = super::settings_stack(sources)?;
    let settings: Settings = stack.extract()?;
    let named = settings.placement.iter().map(|(name, rule)| (format!("placement.{name}.use"), &rule.preset));
    let defaults = settings.defaults.presets.iter().map(|name| ("defaults.presets".to_string(), name));
    for (key, name) in named.chain(defaults) {
        files(sources, name).map_err(|error| asked_by(error, stack.place(&key).as_deref(), name))?;
    }
    Ok(())
}
