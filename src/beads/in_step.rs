//! A store as `gt sync` needs it: all of it, and what came in written over what is there, whatever made the store.

use anyhow::Result;

use crate::beads::{StoreKind, StorePlace, Walk, bd, embedded, kind_of};
use crate::model::bead::Bead;

/// What keeps a store in step with a branch.
pub trait SyncedStore {
    /// Prefix of its ids; empty when it is not known.
    fn prefix(&self) -> &str;

    /// Goes through everything, and writes nothing.
    ///
    /// # Errors
    /// When it cannot be read; those of `walk`.
    fn look(&self, walk: Walk<'_>) -> Result<()>;

    /// The commit noted under `key`; empty when there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    fn noted(&self, key: &str) -> Result<String>;

    /// Notes a commit.
    ///
    /// # Errors
    /// When it cannot be written.
    fn note(&self, key: &str, commit: &str) -> Result<()>;

    /// Writes what `walk` gives in place of the beads of the same id, and notes the commit with it: what others write
    /// meanwhile comes before it or after it. What it gives comes no later, by id, than what it has read.
    ///
    /// # Errors
    /// When it cannot be read or written; those of `walk`. Nothing is written then.
    fn reconcile(&self, note: (&str, &str), walk: Walk<'_>) -> Result<()>;

    /// Whether a bead that was written is read back as it was.
    fn is_exact(&self) -> bool;

    /// The remotes that the store itself is kept in step with, by means of its own.
    ///
    /// # Errors
    /// When it cannot tell.
    fn own_remotes(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    /// Brings it in step with those. The requests of this town that are closed are given to `closed` first: what comes may
    /// have them open again.
    ///
    /// # Errors
    /// When it cannot: what was in the store still is. Those of `closed`; nothing comes then.
    fn sync_itself(&self, closed: &dyn Fn(Vec<Bead>) -> Result<()>) -> Result<()> {
        closed(Vec::new())
    }
}

/// Opens the store. An embedded one has the prefix that it was made with.
///
/// # Errors
/// As [`super::open`].
pub fn open(place: &StorePlace) -> Result<Box<dyn SyncedStore>> {
    Ok(match kind_of(&place.dir)? {
        StoreKind::Embedded => Box::new(embedded::Embedded::open(&place.dir, "", &place.actor)?),
        StoreKind::Bd => Box::new(bd::BdSync::open(place)?),
    })
}

impl SyncedStore for embedded::Embedded {
    fn prefix(&self) -> &str {
        self.prefix()
    }

    fn look(&self, walk: Walk<'_>) -> Result<()> {
        self.look(walk)
    }

    fn noted(&self, key: &str) -> Result<String> {
        Ok(self.config(key)?.unwrap_or_default())
    }

    fn note(&self, key: &str, commit: &str) -> Result<()> {
        self.set_config(key, commit)
    }

    fn reconcile(&self, note: (&str, &str), walk: Walk<'_>) -> Result<()> {
        self.reconcile(note, walk)
    }

    fn is_exact(&self) -> bool {
        true
    }
}
