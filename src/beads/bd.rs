//! The adapter for the real bd.

use std::path::Path;

use anyhow::Result;

use super::{Bead, Change, Filter, Guard, Store, Written};

/// The real bd.
pub struct Bd {}

impl Bd {
    /// Opens it.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(dir: &Path, _prefix: &str, _actor: &str) -> Result<Bd> {
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

impl Store for Bd {
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
        "bd".into()
    }
}
