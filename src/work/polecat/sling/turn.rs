//! Of many slings of one bead all but one know at once that it is taken.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::Site;
use crate::base::files;
use crate::beads::Filter;
use crate::work::polecat::sling::taken;

/// A bead that is being slung: a locked file beside the names, signed with the polecat. So of many slings of one bead
/// all but one know at once that it is taken, and by whom. What a kill leaves is an unlocked file.
pub struct Turn {
    path: PathBuf,
    file: File,
}

impl Turn {
    /// Takes it.
    ///
    /// # Errors
    /// Who has the bead.
    pub fn take(site: &Site<'_>, id: &str) -> Result<Turn> {
        let path = site.rig.names_dir().join(format!(".bead-{id}"));
        let failed = || format!("cannot open {}", path.display());
        let file = files::open_private().open(&path).with_context(failed)?;
        if file.try_lock().is_ok() {
            return Ok(Turn { path, file });
        }
        // The bead itself counts: whoever has the turn may be about to lose as well.
        let found = site.store.list(&Filter { ids: vec![id.into()], ..Filter::default() })?.pop();
        let signed = files::text(&path).ok().flatten().filter(|text| !text.is_empty());
        let holder =
            found.and_then(|bead| bead.assignee).or(signed).unwrap_or_else(|| "another command".into());
        Err(taken(id, holder.trim()).into())
    }

    /// Writes down who has it now.
    pub fn sign(&self, address: &str) {
        use std::io::Write;
        // Only makes a message better.
        let _ = self.file.set_len(0).and_then(|()| (&self.file).write_all(address.as_bytes()));
    }
}

/// Removes what killed commands left. The caller has the lock that every [`Turn::take`] is made under.
pub fn sweep_turns(dir: &Path) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok) {
        let turn = entry.file_name().to_str().is_some_and(|name| name.starts_with(".bead-"));
        if turn && files::open(&entry.path()).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
