//! `gt crew add` and `gt crew remove`: a person's own clone of a rig.

use std::path::PathBuf;

use anyhow::Result;

use super::rig::remove::{all_beads, of_place, what_stays};
use crate::base::failure::Failure;
use crate::base::files;
use crate::model::address::is_member_name;
use crate::model::rules;
use crate::programs::git::{Git, credentials};
use crate::town::Rig;
use crate::work::polecat::loss::LossLine;
use crate::work::polecat::loss::keep::Shelf;

/// One crew member.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Its rig.
    pub rig: String,
    /// Its clone.
    pub path: PathBuf,
    /// The branch checked out there; nothing while it is detached.
    pub branch: Option<String>,
}

/// Crew members of a rig, by name. No process.
///
/// # Errors
/// When the folder cannot be read.
pub fn members(rig: &Rig) -> Result<Vec<Member>> {
    let names = files::names_in(&rig.root.join("crew"))?;
    Ok(names.into_iter().filter(|name| is_member_name(name)).map(|name| member(rig, name)).collect())
}

fn member(rig: &Rig, name: String) -> Member {
    let path = rig.crew_dir(&name);
    let head = files::text(&path.join(".git/HEAD")).ok().flatten().unwrap_or_default();
    let branch = head.trim().strip_prefix("ref: refs/heads/").map(str::to_string);
    Member { name, rig: rig.name.clone(), path, branch }
}

/// Checks what can be checked before anything is made.
///
/// # Errors
/// A name that cannot be, or is taken.
pub fn check(rig: &Rig, name: &str) -> Result<()> {
    rules::member_name(name)?;
    let path = rig.crew_dir(name);
    if path.exists() || path.is_symlink() {
        crate::fail!(
            "{} is there already", path.display();
            "see the crew with: gt crew list --rig {}", rig.name
        );
    }
    Ok(())
}

/// Clones the rig for a person, with `target` checked out. What the town has of it already is not fetched again; the
/// clone stands on its own all the same, and git's author stays the person's own.
///
/// # Errors
/// When the remote cannot be read; nothing is left then.
pub fn add(rig: &Rig, name: &str, target: &str) -> Result<Member> {
    check(rig, name)?;
    let crew = rig.root.join("crew");
    files::make_dir(&crew)?;
    files::sweep(&crew)?;
    let aside = files::Aside::new(&crew)?;
    let draft = aside.path("clone");
    let (near, to) = (rig.clone_dir(), draft.to_string_lossy().into_owned());
    let near = near.to_string_lossy();
    let url = &rig.config.git_url;
    let mut words =
        vec!["clone", "-q", "--no-recurse-submodules", "--reference-if-able", &near, "--dissociate"];
    words.extend(["--branch", target, "--", url, &to]);
    let output = Git::at(&crew).with_credential(credentials::of_rig(&rig.root)).try_run(words)?;
    if !output.ok() {
        return Err(super::rig::no_clone(&crew, url, &output).into());
    }
    Git::at(&draft).use_credential(&rig.root, url)?;
    crate::work::step("crew-add.1");
    let path = rig.crew_dir(name);
    std::fs::rename(&draft, &path)
        .map_err(|error| files::error_of(error, format!("cannot make {}", path.display())))?;
    files::sync_dir(&crew)?;
    Ok(member(rig, name.into()))
}

/// What would be lost with a crew member's clone, a line each: origin is asked.
pub fn losses(rig: &Rig, member: &Member) -> Vec<LossLine> {
    // Without the store nothing counts as merged.
    match what_stays(rig, &all_beads(rig).unwrap_or_default()) {
        Ok(stays) => of_place(rig, &member.path, &stays),
        Err(error) => vec![LossLine::unknown(format!("{error:#}"))],
    }
}

/// A crew member by name.
///
/// # Errors
/// When there is none.
pub fn find(rig: &Rig, name: &str) -> Result<Member> {
    members(rig)?.into_iter().find(|member| member.name == name).ok_or_else(|| {
        Failure::usage(format!("no crew member '{name}' in {}", rig.name))
            .hint(format!("see the crew with: gt crew list --rig {}", rig.name))
            .into()
    })
}

/// Removes a crew member's clone. With `keep` it is moved aside instead: gives where to.
///
/// # Errors
/// When the disk refuses.
pub fn remove(rig: &Rig, member: &Member, keep: bool) -> Result<Option<PathBuf>> {
    crate::town::occupancy::check_removable(&member.path)?;
    if keep {
        let instance = crate::work::polecat::names::new_instance();
        let shelf = Shelf::new(&rig.clone_dir(), &member.name, &instance, &member.path);
        return shelf.aside(&member.path, None).map(Some);
    }
    let old = rig.root.join("crew").join(format!(
        "{}{}-{}",
        files::LEAVING,
        member.name,
        crate::work::polecat::names::new_instance()
    ));
    let failed = || format!("cannot remove {}", member.path.display());
    std::fs::rename(&member.path, &old).map_err(|error| files::error_of(error, failed()))?;
    crate::work::step("crew-remove.1");
    std::fs::remove_dir_all(&old).map_err(|error| files::error_of(error, failed()))?;
    Ok(None)
}
