//! Where the stores of a town and of its rigs are, and how they are opened.

use anyhow::Result;

use super::{Store, StorePlace, open};
use crate::config::schema::StoreChoice;
use crate::model::address::Address;
use crate::town::{Rig, Town, secret};

impl Town {
    /// Opens the town's store as `actor`.
    ///
    /// # Errors
    /// As [`open`].
    pub fn store(&self, actor: &Address) -> Result<Box<dyn Store>> {
        self.needs_present_layout()?;
        // Without a prefix a store goes by the one it was made with: towns of other programs have their own.
        open(&StorePlace {
            dir: self.beads_dir(),
            prefix: String::new(),
            prefixes: Vec::new(),
            choice: StoreChoice::Auto,
            actor: actor.to_string(),
            secret: secret::read(&self.root)?,
        })
    }
}

impl Rig {
    /// Opens the rig's store as `actor`.
    ///
    /// # Errors
    /// As [`open`].
    pub fn store(&self, actor: &Address) -> Result<Box<dyn Store>> {
        open(&self.store_place(actor)?)
    }

    /// Where its store is, for `actor` to open.
    ///
    /// # Errors
    /// When the town's secret cannot be read.
    pub fn store_place(&self, actor: &Address) -> Result<StorePlace> {
        Ok(StorePlace {
            dir: self.beads_dir(),
            prefix: self.config.beads.prefix.clone(),
            prefixes: self.config.beads.prefixes.clone(),
            choice: StoreChoice::Auto,
            actor: actor.to_string(),
            secret: self.root.parent().map(secret::read).transpose()?.flatten(),
        })
    }
}
