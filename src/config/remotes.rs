//! The daemons that configuration names: `[remotes.*]`, and the one of `GASTOWN_FUGUE_ADDR`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Serialize;

use super::schema::Remote;
use super::{ResolvedRole, Sources};
use crate::base::failure::Failure;

/// A daemon on another machine that configuration names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct KnownRemote {
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

impl KnownRemote {
    /// Where the town is over there, when it is `here` on this machine.
    pub fn town_or<'a>(&'a self, here: &'a Path) -> &'a Path {
        self.town.as_deref().map_or(here, Path::new)
    }
}

/// Every daemon that is configured, by name. Cheap where there is none: settings files are parsed only when one speaks of
/// remotes.
///
/// # Errors
/// Broken configuration.
pub fn known(sources: &Sources) -> Result<Vec<KnownRemote>> {
    let mut known = Vec::new();
    if speaks_of_remotes(sources)? {
        known = named(sources, &super::settings(sources)?.remotes)?;
    }
    if let Some((_, address)) = super::env::fugue_addr(sources)
        && !known.iter().any(|one| one.fugue_addr == address)
    {
        known.push(at(sources, &known, address)?);
    }
    Ok(known)
}

/// Every daemon that a role's layers name, by name, and the one of its address.
///
/// # Errors
/// As [`named`].
pub fn of_role(sources: &Sources, role: &ResolvedRole) -> Result<Vec<KnownRemote>> {
    let mut known = named(sources, &role.remotes)?;
    if let Some(address) = &role.settings.fugue_addr
        && !known.iter().any(|one| one.fugue_addr == *address)
    {
        known.push(at(sources, &known, address)?);
    }
    Ok(known)
}

/// The remotes that have an address. Where one does not say where its town is, `GASTOWN_REMOTE_TOWN` does.
///
/// # Errors
/// A town whose path is not absolute.
fn named(sources: &Sources, remotes: &BTreeMap<String, Remote>) -> Result<Vec<KnownRemote>> {
    let elsewhere = remote_town(sources)?;
    let known = |(name, remote): (&String, &Remote)| KnownRemote {
        name: name.clone(),
        fugue_addr: remote.fugue_addr.clone(),
        ssh: remote.ssh.clone(),
        town: remote.town.clone().or_else(|| elsewhere.clone()),
        max_workers: remote.max_workers,
        tags: remote.tags.clone(),
    };
    Ok(remotes.iter().filter(|(_, remote)| !remote.fugue_addr.is_empty()).map(known).collect())
}

/// The remote of an address, and where its town is.
///
/// # Errors
/// As [`named`].
pub fn at(sources: &Sources, known: &[KnownRemote], address: &str) -> Result<KnownRemote> {
    let mut one = unnamed(known, address);
    if one.town.is_none() {
        one.town = remote_town(sources)?;
    }
    Ok(one)
}

/// `GASTOWN_REMOTE_TOWN`
fn remote_town(sources: &Sources) -> Result<Option<String>> {
    let name = "GASTOWN_REMOTE_TOWN";
    match super::env::named(sources, name) {
        Some(path) if !path.starts_with('/') => {
            Err(Failure::new(format!("{name}: '{path}' is no absolute path"))
                .hint("it is where the town is on the other machine: like /home/user/gt")
                .into())
        }
        path => Ok(path.map(str::to_string)),
    }
}

/// The remote of an address: the one that is configured, else one named after the address itself.
pub fn unnamed(known: &[KnownRemote], address: &str) -> KnownRemote {
    known.iter().find(|one| one.fugue_addr == address).cloned().unwrap_or_else(|| KnownRemote {
        name: address.into(),
        fugue_addr: address.into(),
        ..KnownRemote::default()
    })
}

fn speaks_of_remotes(sources: &Sources) -> Result<bool> {
    if sources.env.iter().any(|(name, _)| name.starts_with("GASTOWN_REMOTES__")) || !sources.flags.is_empty()
    {
        return Ok(true);
    }
    let speaks = |path: &PathBuf| {
        Ok::<_, anyhow::Error>(sources.text(path)?.is_some_and(|text| text.contains("remotes")))
    };
    let files = sources.settings_files();
    let mut toml = files.iter().filter(|path| path.extension().is_some_and(|ext| ext == "toml"));
    toml.try_fold(false, |found, path| Ok(found || speaks(path)?))
}
