//! What the deacon remembers, for who looks at a town: which crashed polecats it starts again.

use crate::base::files;
use crate::model::address::Address;
use crate::plan::supervise::Memory;
use crate::town::Town;
use crate::work::agent::handoff;

/// The key of the deacon's `state.json`.
pub const MEMORY: &str = "memory";

/// What it did before. A file that cannot be read says nothing: each action may be done twice.
pub fn remembered(town: &Town) -> Memory {
    let path = handoff::state_file(town, &Address::Deacon);
    let state = path.exists().then(|| files::read_json::<files::Object>(&path).ok()).flatten();
    state.and_then(|mut state| serde_json::from_value(state.remove(MEMORY)?).ok()).unwrap_or_default()
}
