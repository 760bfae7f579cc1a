//! The refinery's `state.json` (source document 004).

use std::path::PathBuf;

use anyhow::Result;

use crate::base::files::{self, Object};
use crate::base::time;
use crate::town::Rig;

/// Where it is.
pub fn path(rig: &Rig) -> PathBuf {
    rig.root.join("refinery/state.json")
}

/// Changes it. A file that is missing is doctor's business; merging does not need it.
///
/// # Errors
/// When the file is there and cannot be read or written.
pub fn change(rig: &Rig, change: impl FnOnce(&mut Object)) -> Result<()> {
    let path = path(rig);
    if !path.exists() {
        return Ok(());
    }
    files::change_json(&path, |state| {
        change(state);
        Ok(())
    })
}

/// Notes that the refinery works, or no longer does.
///
/// # Errors
/// As [`change`].
pub fn awake(rig: &Rig, awake: bool) -> Result<()> {
    change(rig, |state| {
        state.insert("awake".into(), awake.into());
        state.insert(if awake { "last_wake" } else { "last_sleep" }.into(), time::now().into());
    })
}
