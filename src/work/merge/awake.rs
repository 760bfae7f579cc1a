//! The refinery's `state.json` (source document 004).

use anyhow::Result;

use crate::base::{files, time};
use crate::town::Rig;

/// Notes that the refinery works, or no longer does.
///
/// # Errors
/// When the file is there and cannot be read or written.
pub fn awake(rig: &Rig, awake: bool) -> Result<()> {
    let path = rig.root.join("refinery/state.json");
    // A file that is missing is doctor's business; merging does not need it.
    if !path.exists() {
        return Ok(());
    }
    files::change_json(&path, |state| {
        state.insert("awake".into(), awake.into());
        state.insert(if awake { "last_wake" } else { "last_sleep" }.into(), time::now().into());
        Ok(())
    })
}
