//! The daemons that configuration names: `[remotes.*]`, and the one of `GASTOWN_FUGUE_ADDR`.

use std::path::PathBuf;

use anyhow::Result;

use super::{Sources, sources};

/// A daemon on another machine that configuration names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The remote's name; its address where it has none.
    pub name: String,
    /// The daemon's address.
    pub fugue_addr: String,
    /// For the tunnel that gt keeps.
    pub ssh: Option<String>,
    /// Where the town is over there; the same path as here when absent.
    pub town: Option<String>,
    /// Most sessions of ours there; no limit when absent.
    pub max_workers: Option<usize>,
    /// What it is good for.
    pub tags: Vec<String>,
}

/// Every daemon that is configured, by name. Cheap where there is none: settings files are parsed only when one speaks of
/// remotes.
///
/// # Errors
/// Broken configuration.
pub fn known(sources: &Sources) -> Result<Vec<Known>> {
    let mut known = Vec::new();
    if speaks_of_remotes(sources)? {
        for (name, remote) in super::settings(sources)?.remotes {
            if remote.fugue_addr.is_empty() {
                continue;
            }
            known.push(Known {
                name,
                fugue_addr: remote.fugue_addr,
                ssh: remote.ssh,
                town: remote.town,
                max_workers: remote.max_workers,
                tags: remote.tags,
            });
        }
    }
    if let Some(address) = variable(sources)
        && !known.iter().any(|one| one.fugue_addr == address)
    {
        known.push(unnamed(&known, address));
    }
    Ok(known)
}

/// The remote of an address: the one that is configured, else one named after the address itself.
pub fn unnamed(known: &[Known], address: &str) -> Known {
    known.iter().find(|one| one.fugue_addr == address).cloned().unwrap_or_else(|| Known {
        name: address.into(),
        fugue_addr: address.into(),
        ..Known::default()
    })
}

/// `GASTOWN_FUGUE_ADDR`, or its old name.
fn variable(sources: &Sources) -> Option<&str> {
    ["GASTOWN_FUGUE_ADDR", "GASTOWN_CCMUX_ADDR"]
        .iter()
        .filter_map(|name| sources.var(name))
        .find(|address| !address.is_empty())
}

fn speaks_of_remotes(sources: &Sources) -> Result<bool> {
    if sources.env.iter().any(|(name, _)| name.starts_with("GASTOWN_REMOTES__")) || !sources.flags.is_empty()
    {
        return Ok(true);
    }
    let speaks = |path: &PathBuf| {
        Ok::<_, anyhow::Error>(sources::read(path)?.is_some_and(|text| text.contains("remotes")))
    };
    let files = sources.settings_files();
    let mut toml = files.iter().filter(|path| path.extension().is_some_and(|ext| ext == "toml"));
    toml.try_fold(false, |found, path| Ok(found || speaks(path)?))
}
