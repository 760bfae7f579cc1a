//! The embedded store: SQLite in `.beads/gastown.db`.

use std::path::Path;

use anyhow::Result;

use super::{Bead, Change, Filter, Guard, Store, Written};

/// The embedded store, open.
pub struct Embedded {}

impl Embedded {
    /// Opens it.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(dir: &Path, _prefix: &str, _actor: &str) -> Result<Embedded> {
        crate::fail!("not there yet: {}", dir.display())
    }

    /// Makes it.
    ///
    /// # Errors
    /// When it exists or cannot be made.
    pub fn create(dir: &Path, _prefix: &str) -> Result<()> {
        crate::fail!("not there yet: {}", dir.display())
    }
}

impl Store for Embedded {
    fn list(&self, _filter: &Filter) -> Result<Vec<Bead>> {
        crate::fail!("not there yet")
    }
    fn ready(&self, _parent: Option<&str>, _limit: Option<usize>) -> Result<Vec<Bead>> {
        crate::fail!("not there yet")
    }
    fn write(&self, _guards: &[Guard], _changes: &[Change]) -> Result<Written> {
        crate::fail!("not there yet")
    }
    fn export(&self) -> Result<String> {
        crate::fail!("not there yet")
    }
    fn import(&self, _jsonl: &str) -> Result<(usize, usize)> {
        crate::fail!("not there yet")
    }
    fn kind(&self) -> String {
        "embedded".into()
    }
}
