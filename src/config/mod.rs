//! The layers of configuration, and what they come to (`presets.md`).
//!
//! Two kinds of files: *settings* say how this person, town or rig works ([`settings()`]); *presets* say what a role
//! is ([`role()`]). The figment functions of the two are the whole story of precedence.

pub mod schema;

use std::path::PathBuf;

use anyhow::Result;

pub use schema::{RoleSettings, Runtime, Settings};

use crate::address::Role;
use crate::beads::Bead;

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
    /// Flags: dotted key and TOML value.
    pub flags: Vec<(String, String)>,
}

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
}

/// The settings that count: built-in, user, town, rig, environment, flags.
///
/// # Errors
/// A broken file, an unknown key or a wrong value: file, line, column, key, and the nearest known key.
pub fn settings(sources: &Sources) -> Result<Settings> {
    let _ = sources;
    Ok(Settings::default())
}

/// What a role is: its own preset, the presets asked for (`asked`, else `GASTOWN_PRESET`, else the placement rule
/// that matches `bead`, else `[defaults] presets`), the environment, flags.
///
/// # Errors
/// As [`settings()`]; also an unknown preset, a cycle in `extends`, an unknown runtime, an unset `${VAR}`.
pub fn role(sources: &Sources, role: Role, asked: &[String], bead: Option<&Bead>) -> Result<ResolvedRole> {
    let _ = (sources, asked, bead);
    Ok(ResolvedRole {
        role,
        settings: RoleSettings::default(),
        agent: String::new(),
        runtime: Runtime::default(),
        presets: Vec::new(),
    })
}

/// The branch that work lands on: `merge.target`, which `rig add` writes down, else `main`.
pub fn target(settings: &Settings) -> String {
    settings.merge.target.clone().unwrap_or_else(|| "main".into())
}
