//! Which agent settings of a rig's repository a person trusts: an agent whose program would read another one is not
//! started there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::base::failure::Failure;
use crate::base::files;
use crate::config::{ResolvedRole, Settings};
use crate::plan::trust::{self as plan, Entry, EntryKind};
use crate::programs::git::Git;
use crate::town::Rig;
use crate::town::trust::{self, SeenSettings, Setting, Trust};

/// What an agent would find.
#[derive(Clone, Debug)]
pub enum SettingsSource {
    /// What this branch of origin has, as far as the canonical clone knows.
    Target(String),
    /// What is checked out in this clone of the rig.
    Clone(PathBuf),
}

impl SettingsSource {
    /// The clone of the rig that a folder is in; `None` outside of them.
    pub fn of(rig: &Rig, dir: &Path) -> Option<SettingsSource> {
        let inside = dir.strip_prefix(&rig.root).ok()?;
        let mut parts = inside.components().map(|part| part.as_os_str().to_str().unwrap_or_default());
        let clone = match (parts.next()?, parts.next()?) {
            ("mayor", "rig") => rig.clone_dir(),
            ("refinery", "rig") => rig.refinery_dir(),
            ("crew", name) => rig.crew_dir(name),
            ("polecats", name) => rig.polecat_dir(name),
            _ => return None,
        };
        Some(SettingsSource::Clone(clone))
    }

    fn commit(&self, rig: &Rig) -> Result<Option<(Git, String)>> {
        let (git, name) = match self {
            SettingsSource::Target(branch) => {
                (Git::at(rig.clone_dir()), format!("refs/remotes/origin/{branch}"))
            }
            SettingsSource::Clone(dir) => (Git::at(dir), "HEAD".into()),
        };
        // Where no clone is, nothing of a repository is read.
        if git.dir().join(".git").symlink_metadata().is_err() {
            return Ok(None);
        }
        Ok(git.stands_at(&name)?.map(|commit| (git, commit)))
    }
}

/// How often files that settings name are looked for in those that were found so: Claude Code follows five.
const DEEP: usize = 6;

/// The agent settings of a commit. One process, and one more for each step of what they link to and name.
///
/// # Errors
/// When git cannot read the commit.
pub fn settings_at(git: &Git, commit: &str, names: &[String]) -> Result<Vec<Setting>> {
    let tree = git.tree(commit)?;
    let kind = |mode: &str| match mode {
        "120000" => EntryKind::Link,
        "040000" => EntryKind::Tree,
        "160000" => EntryKind::Submodule,
        _ => EntryKind::File,
    };
    let entries: Vec<Entry<'_>> =
        tree.iter().map(|one| Entry { path: &one.path, id: &one.id, kind: kind(&one.mode) }).collect();
    let links = || entries.iter().filter(|entry| entry.kind == EntryKind::Link);
    let mut texts = BTreeMap::new();
    for _ in 0..DEEP {
        let found = plan::settings(&entries, names, &texts);
        let paths: BTreeSet<&str> = found.iter().map(|one| one.path.as_str()).collect();
        let followed = links().any(|entry| paths.contains(entry.path));
        let files = || entries.iter().filter(|entry| entry.kind == EntryKind::File);
        let open = links().filter(|_| followed).chain(files().filter(|entry| paths.contains(entry.path)));
        let wanted: BTreeSet<&str> =
            open.map(|entry| entry.id).filter(|id| !texts.contains_key(*id)).collect();
        if wanted.is_empty() {
            return Ok(found);
        }
        let ids: Vec<&str> = wanted.iter().copied().collect();
        let read = git.texts(&ids)?;
        // One that is not here, or is no text, is not asked for again.
        texts.extend(ids.iter().map(|id| ((*id).to_string(), read.get(*id).cloned().unwrap_or_default())));
    }
    Ok(plan::settings(&entries, names, &texts))
}

/// What a look at a commit found.
struct TrustLook {
    clone: PathBuf,
    commit: String,
    settings: Vec<Setting>,
}

/// The agent settings of a place. The commit that was remembered costs no process. `None` where there is none.
fn look(rig: &Rig, place: &SettingsSource, names: &[String], trust: &Trust) -> Result<Option<TrustLook>> {
    let Some((git, commit)) = place.commit(rig)? else { return Ok(None) };
    let clone = git.dir().to_path_buf();
    let settings = seen_or_read(&git, &commit, names, trust)?;
    Ok(Some(TrustLook { clone, commit, settings }))
}

fn seen_or_read(git: &Git, commit: &str, names: &[String], trust: &Trust) -> Result<Vec<Setting>> {
    if trust.seen.commit == commit && trust.seen.names == names {
        return Ok(trust.seen.settings.clone());
    }
    settings_at(git, commit, names)
}

/// The agent settings of the target's commit `tip`, which that clone has.
///
/// # Errors
/// As [`check`].
pub fn of_target(rig: &Rig, git: &Git, tip: &str, settings: &Settings) -> Result<Vec<Setting>> {
    let trust = trust::read(&rig.root)?.unwrap_or_default();
    seen_or_read(git, tip, &plan::listed(&settings.agents), &trust)
}

/// The paths among those that `after` changes that are agent settings there, or were `before`: what the settings link to and
/// name counts, although it was not there when they were trusted.
///
/// # Errors
/// When git cannot read the commit.
pub fn changed(
    git: &Git,
    after: &str,
    paths: &[String],
    before: &[Setting],
    names: &[String],
) -> Result<Vec<String>> {
    let mut known = before.to_vec();
    let is_any = !before.is_empty() || paths.iter().any(|path| plan::is_setting(path, names));
    if is_any && !paths.is_empty() {
        known.extend(settings_at(git, after, names)?);
    }
    let mut changed: BTreeSet<String> = plan::changed(paths, names, &known).into_iter().collect();
    if !changed.is_empty() {
        // What stood there before and is named from now on is a setting from now on.
        let is_new = |one: &&Setting| before.iter().all(|old| old.path != one.path);
        changed.extend(known[before.len()..].iter().filter(is_new).map(|one| one.path.clone()));
    }
    Ok(changed.into_iter().collect())
}

/// Writes down what the target has, before agents are started: rigs are listed by it, and git is not asked again while
/// origin stays there.
///
/// # Errors
/// As [`check`], and when it cannot be written.
pub fn remember(rig: &Rig, settings: &Settings) -> Result<()> {
    let names = plan::listed(&settings.agents);
    let trust = trust::read(&rig.root)?.unwrap_or_default();
    let place = SettingsSource::Target(crate::config::target(settings));
    let Some(TrustLook { commit, settings, .. }) = look(rig, &place, &names, &trust)? else { return Ok(()) };
    let seen = SeenSettings { commit, names, settings };
    if trust.seen != seen {
        trust::change(&rig.root, |trust| trust.seen = seen)?;
    }
    Ok(())
}

/// Where agents of a rig find settings: what members of the crew have checked out, and the target.
fn places(rig: &Rig, target: String) -> Result<Vec<SettingsSource>> {
    let crew = files::names_in(&rig.root.join("crew"))?;
    let clones =
        crew.iter().filter(|name| crate::model::address::is_member_name(name)).map(|name| rig.crew_dir(name));
    let clones = clones.filter(|dir| dir.join(".git").exists()).map(SettingsSource::Clone);
    Ok(clones.chain([SettingsSource::Target(target)]).collect())
}

/// What agents look for: the list, and what this role's runtime says of itself.
fn names_for(settings: &Settings, role: &ResolvedRole) -> Vec<String> {
    plan::joined(plan::listed(&settings.agents).into_iter().chain(plan::reads(&role.runtime)))
}

/// Refuses an agent whose program would read settings that no person trusts. No process where origin stands as it was
/// looked at last.
///
/// # Errors
/// As said; and when it cannot be told.
pub fn check(rig: &Rig, place: &SettingsSource, settings: &Settings, role: &ResolvedRole) -> Result<()> {
    let reads = plan::reads(&role.runtime);
    if reads.is_empty() {
        return Ok(());
    }
    let Some((git, commit)) = place.commit(rig)? else { return Ok(()) };
    let trust = trust::read(&rig.root)?.unwrap_or_default();
    let found = seen_or_read(&git, &commit, &names_for(settings, role), &trust)?;
    let open = plan::untrusted(&found, &trust, &reads);
    if open.is_empty() {
        return Ok(());
    }
    let (name, agent) = (&rig.name, &role.agent);
    Err(Failure::new(format!(
        "{agent} would read agent settings of {name} that are not trusted: {}",
        plan::shown(&open)
    ))
    .hint(format!("look at them in {}, then trust them with: gt rig trust {name}", git.dir().display()))
    .into())
}

/// A clone of a rig with agent settings that are not trusted.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Open {
    /// The clone.
    pub clone: PathBuf,
    /// The commit that has them.
    pub commit: String,
    /// The settings.
    pub settings: Vec<Setting>,
}

/// All agent settings of a rig that are not trusted: those of the target, and those that members of the crew have checked
/// out. And what is trusted.
///
/// # Errors
/// When git cannot read one of the clones.
pub fn open(rig: &Rig, settings: &Settings) -> Result<(Vec<Open>, Trust)> {
    let names = plan::listed(&settings.agents);
    let trust = trust::read(&rig.root)?.unwrap_or_default();
    let mut found = Vec::new();
    for place in places(rig, crate::config::target(settings))? {
        let Some(TrustLook { clone, commit, mut settings }) = look(rig, &place, &names, &trust)? else {
            continue;
        };
        settings.retain(|one| !trust.holds(one));
        if !settings.is_empty() {
            found.push(Open { clone, commit, settings });
        }
    }
    Ok((found, trust))
}

/// Trusts settings: a person said so. `rig` is the rig's folder.
///
/// # Errors
/// When it cannot be written down.
pub fn accept(rig: &Path, settings: &[Setting]) -> Result<Trust> {
    trust::change(rig, |trust| trust.add(settings))
}
