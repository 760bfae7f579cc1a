//! Where commands about settings and presets look for them, and how they name the files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::Ctx;
use crate::config::explain::Explained;
use crate::config::schema::Remote;
use crate::config::{self, Sources, inert};
use crate::town::discover::locate;

/// Where configuration is looked for: the rig that is named or that this folder is in, the town, and outside a town
/// just the person's own files.
pub(super) fn sources(ctx: &Ctx, rig: Option<&str>) -> Result<Sources> {
    let town = match ctx.town() {
        Ok(town) => town,
        // Elsewhere is a fine place to look at one's own settings; a broken town is not.
        Err(_) if rig.is_none() && nowhere(ctx) => return Ok(Sources::from_env(&ctx.env)),
        Err(error) => return Err(error),
    };
    let here = ctx.var("GT_RIG").map(str::to_string).or_else(|| ctx.rig_here(&town));
    let rig = match rig.or(here.as_deref()) {
        Some(name) => Some(ctx.rig(&town, Some(name))?),
        None => None,
    };
    Ok(ctx.sources(&town, rig.as_ref()))
}

/// Warns of keys without effect among these.
pub(super) fn say_inert(ctx: &Ctx, sources: &Sources, values: &[Explained]) {
    // What is broken elsewhere is not asked about here.
    for one in inert::of(sources).unwrap_or_default() {
        if values.iter().any(|value| value.key == one.key) {
            ctx.note(&format!("warning: {}", one.said));
        }
    }
}

/// Whether this folder is in no town, and nobody named one.
fn nowhere(ctx: &Ctx) -> bool {
    ctx.var("GT_TOWN_ROOT").is_none() && ctx.dir.is_dir() && locate(&ctx.dir).is_err()
}

/// The person's home, shown as `~`.
pub(super) fn home(ctx: &Ctx) -> Option<PathBuf> {
    ctx.var("HOME").map(Path::new).filter(|home| home.is_absolute()).map(Path::to_path_buf)
}

/// What is said where no remote is configured.
pub(super) const NO_REMOTES: &str =
    "no remotes; write one in config/town.toml: [remotes.NAME] with fugue_addr = \"tcp://localhost:9999\"";

/// The remotes of the settings: the town's, and outside one just the person's own.
///
/// # Errors
/// Broken configuration.
pub(super) fn remotes(ctx: &Ctx) -> Result<BTreeMap<String, Remote>> {
    Ok(config::settings(&sources(ctx, None)?)?.remotes)
}
