//! The refinery's `state.json` (source document 004).

use anyhow::Result;

use crate::town::{Rig, files};

/// Notes that the refinery works, or no longer does.
///
/// # Errors
/// When the file is there and cannot be read or written.
pub fn awake(rig: &Rig, awake: bool) -> Result<()> {
    let path = rig.root.join("refinery/state.json");
    let _lock = files::lock(&rig.root.join("refinery/state.json.lock"))?;
    // A file that is missing is doctor's business; merging does not need it.
    if !path.exists() {
        return Ok(());
    }
    let mut state: serde_json::Map<String, serde_json::Value> = files::read_json(&path)?;
    state.insert("awake".into(), awake.into());
    state.insert(if awake { "last_wake" } else { "last_sleep" }.into(), crate::time::now().into());
    files::write_json(&path, &state)
}
