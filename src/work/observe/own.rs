//! Who a command is run by, and the polecat in whose worktree it is run.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::base::failure::Failure;
use crate::model::address::{Address, is_polecat_name};
use crate::model::ids::{BeadId, InstanceId};
use crate::town::{Rig, Town};
use crate::work::polecat::names;

/// Who runs the command, from `GT_*` (an agent) or the lack of it (the Overseer).
#[derive(Clone, Debug)]
pub struct Me {
    /// The address.
    pub address: Address,
    /// The session's instance id.
    pub instance: Option<InstanceId>,
    /// The bead the session was started for.
    pub bead: Option<BeadId>,
    /// The session's name.
    pub session: Option<String>,
}

/// A polecat at home: its worktree is where the command runs.
#[derive(Clone, Debug)]
pub struct OwnWorktree {
    /// Its rig.
    pub rig: Rig,
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: Address,
    /// Its worktree.
    pub dir: PathBuf,
    /// Its instance id.
    pub instance: InstanceId,
}

/// The rig and the polecat whose worktree holds a folder.
pub fn polecat_of(town: &Town, dir: &Path) -> Option<(String, String)> {
    let dir = dir.canonicalize().ok()?;
    let mut parts = dir.strip_prefix(&town.root).ok()?.components().map(|part| part.as_os_str().to_str());
    let (rig, folder, name) = (parts.next()??, parts.next()??, parts.next()??);
    (folder == "polecats" && is_polecat_name(name)).then(|| (rig.to_string(), name.to_string()))
}

/// Who runs a command in `dir`: who it says it is, else the polecat whose worktree this is.
pub fn who(town: &Town, dir: &Path, me: &Me) -> Address {
    match polecat_of(town, dir) {
        Some((rig, name)) if me.address == Address::Overseer => Address::Polecat(rig, name),
        _ => me.address.clone(),
    }
}

/// The polecat whose worktree `dir` is in, and who is asking.
///
/// # Errors
/// Outside a polecat's worktree, in another's, or from a session whose name has passed on to another.
pub fn home(town: &Town, dir: &Path, me: &Me) -> Result<OwnWorktree> {
    let own = match &me.address {
        Address::Polecat(rig, name) => Some(town.root.join(rig).join("polecats").join(name)),
        _ => None,
    };
    let Some((rig, name)) = polecat_of(town, dir) else {
        let hint = match own {
            Some(own) => format!("yours is: cd {}", own.display()),
            None => "this is for polecats; see them with: gt polecats RIG".into(),
        };
        return Err(Failure::new(format!("{} is no polecat's worktree", dir.display())).hint(hint).into());
    };
    let address = Address::Polecat(rig.clone(), name.clone());
    if me.address != Address::Overseer && me.address != address {
        let hint = own.map_or_else(
            || format!("{address} does that itself"),
            |own| format!("yours is: cd {}", own.display()),
        );
        return Err(Failure::new(format!("this is the worktree of {address}, and you are {}", me.address))
            .hint(hint)
            .into());
    }
    let rig = town.rig(&rig)?;
    let instance = names::holder(&rig, &name).unwrap_or_default();
    if let Some(mine) = &me.instance
        && *mine != instance
    {
        return Err(Failure::new(format!(
            "the name {address} has passed on: this session is not the one that has it"
        ))
        .hint(format!("see who is there with: gt polecats {}", rig.name))
        .into());
    }
    Ok(OwnWorktree { dir: rig.polecat_dir(&name), rig, name, address, instance })
}
