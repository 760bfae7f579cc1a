//! What the town remembers of sessions that it started on other machines: `mayor/remote.json`.
//!
//! While a daemon is silent nobody else could say who runs there, and after its restart only the id tells our empty
//! shell from somebody's session of the same name (`remote.md`). A record is written before its session is started,
//! and goes when the agent's end is complete.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::base::files;
use crate::base::hash::fnv32;
use crate::model::ids::{BeadId, InstanceId};
use crate::model::refs::Branch;
use crate::town::{Town, TownFile};

/// The file, and the lock that its writers take.
const FILE: &str = "mayor/remote.json";
const LOCK: &str = "mayor/.remote.lock";

/// One session on another machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// The remote's name; its address where it has none.
    pub remote: String,
    /// The daemon's address; empty for the program's own default socket.
    pub fugue_addr: String,
    /// Where the town is over there.
    pub town: String,
    /// The session's name.
    pub session: String,
    /// The daemon's own id of it; empty until it was seen.
    pub id: String,
    /// The agent's instance.
    pub instance: InstanceId,
    /// Its bead; empty for a role that has none.
    pub bead: BeadId,
    /// Its branch; empty for a role that has none, and for what an earlier version started.
    pub branch: String,
    /// By which its completion records prove themselves; empty when it was not seen, or an earlier version started it.
    pub secret: String,
    /// Its session is to be ended, and its worktree over there to be taken away: what is left of an end.
    pub leaving: bool,
    /// Everything else.
    #[serde(flatten)]
    pub other: serde_json::Map<String, serde_json::Value>,
}

impl Record {
    /// The branch of a polecat of this name.
    pub fn branch_of(&self, name: &str) -> Branch {
        Branch::parse(&self.branch).unwrap_or_else(|| Branch::new("", name, &self.bead))
    }
}

/// All records, by address.
pub type Records = BTreeMap<String, Record>;

#[derive(Serialize, Deserialize)]
struct RecordsFile {
    version: u32,
    #[serde(default)]
    sessions: Records,
}

/// Reads the records; none when there is no file.
///
/// # Errors
/// A broken file, with its path.
pub fn read(town: &Town) -> Result<Records> {
    let path = path(town);
    // A town that never left this machine has no such file.
    if !path.exists() && !path.is_symlink() {
        return Ok(Records::new());
    }
    Ok(files::read_json::<RecordsFile>(&path)?.sessions)
}

/// Changes the records under their lock. Without any left the file goes.
///
/// # Errors
/// When the file cannot be read or written; it is as it was then.
pub fn update<T>(town: &Town, change: impl FnOnce(&mut Records) -> T) -> Result<T> {
    let _lock = files::lock(&town.root.join(LOCK))?;
    let before = read(town)?;
    let mut records = before.clone();
    let answer = change(&mut records);
    if records.is_empty() {
        match std::fs::remove_file(path(town)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(files::error_of(error, format!("cannot remove {}", path(town).display())));
            }
            _ => {}
        }
    } else if records != before {
        let (path, file) = (path(town), RecordsFile { version: 1, sessions: records });
        let failed = || format!("cannot write {}", path.display());
        let text = serde_json::to_string_pretty(&file).with_context(failed)? + "\n";
        if path.exists() {
            // An earlier version let all users of the machine read it, and it holds secrets now.
            std::fs::set_permissions(&path, Permissions::from_mode(0o600)).with_context(failed)?;
        }
        files::write(&path, text)?;
    }
    Ok(answer)
}

/// Forgets an agent's session, if it is still that instance's.
///
/// # Errors
/// As [`update`].
pub fn forget(town: &Town, address: &str, instance: &InstanceId) -> Result<()> {
    if read(town)?.get(address).is_none_or(|record| record.instance != instance) {
        return Ok(());
    }
    update(town, |records| {
        if records.get(address).is_some_and(|record| record.instance == instance) {
            records.remove(address);
        }
    })
}

/// A short id of the town for tags on other machines: eight hexadecimal digits of where it is and when it was made.
///
/// # Errors
/// When the town's file cannot be read.
pub fn town_id(town: &Town) -> Result<String> {
    let made = files::read_json::<TownFile>(&town.root.join("mayor/town.json"))?.created_at;
    Ok(format!("{:08x}", fnv32(format!("{}\n{made}", town.mark()).into_bytes())))
}

fn path(town: &Town) -> PathBuf {
    town.root.join(FILE)
}
