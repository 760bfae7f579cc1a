//! A store of bd's, kept in step by gt: one call to read it, one to write what came in.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::{Bd, take};
use crate::base::files;
use crate::base::time::same_moment;
use crate::beads::{Filter, Store, StorePlace, Walk, in_step, jsonl};
use crate::model::bead::{Bead, BeadMap};

/// Where the commit is noted that the store holds all of, beside it.
pub const NOTE_FILE: &str = "gt.sync.json";

/// The store, and the prefix of its ids.
pub struct BdSync {
    bd: Bd,
    prefix: String,
}

/// What gt keeps beside the store.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Notes {
    /// By remote and branch: the commit that the store holds all of.
    commits: BTreeMap<String, String>,
    /// By id: beads that took the place of another. bd writes a bead over another, and keeps when that one was made.
    births: BTreeMap<String, Birth>,
}

/// When a bead was made, where bd tells something else.
#[derive(Serialize, Deserialize)]
struct Birth {
    /// What bd tells.
    told: String,
    /// When it was.
    is: String,
    /// Only of a bead of this title: while it is not known whether bd has written it.
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
}

impl BdSync {
    /// Opens the store.
    ///
    /// # Errors
    /// As [`Bd::open`].
    pub fn open(place: &StorePlace) -> Result<BdSync> {
        let StorePlace { dir, prefix, prefixes, actor, secret, .. } = place;
        let bd = Bd::open(dir, prefixes, actor)?.knowing(secret.clone());
        Ok(BdSync { bd, prefix: prefix.clone() })
    }

    fn note_file(&self) -> PathBuf {
        self.bd.dir.join(NOTE_FILE)
    }

    fn notes(&self) -> Result<Notes> {
        let path = self.note_file();
        if path.exists() { files::read_json(&path) } else { Ok(Notes::default()) }
    }

    fn keep(&self, notes: &Notes) -> Result<()> {
        files::write_json(&self.note_file(), notes)
    }

    fn read(&self, notes: &Notes) -> Result<Vec<Bead>> {
        let mut beads = jsonl::parse(&self.bd.export()?)?;
        for bead in &mut beads {
            if let Some(birth) = notes.births.get(&bead.id)
                && birth.told == bead.created_at
                && birth.title.as_ref().is_none_or(|title| *title == bead.title)
            {
                bead.created_at.clone_from(&birth.is);
            }
        }
        Ok(beads)
    }
}

impl Notes {
    /// Remembers the births of beads that are to take the place of others. Whether there are any.
    fn adopt(&mut self, own: &BeadMap, beads: &[Bead]) -> bool {
        let mut any = false;
        for bead in beads {
            let Some(known) = own.get(&bead.id) else { continue };
            if same_moment(&known.created_at, &bead.created_at) {
                continue;
            }
            let told = self.births.get(&bead.id).map_or(&known.created_at, |birth| &birth.told).clone();
            let title = Some(bead.title.clone());
            self.births.insert(bead.id.clone(), Birth { told, is: bead.created_at.clone(), title });
            any = true;
        }
        any
    }
}

impl in_step::SyncedStore for BdSync {
    fn prefix(&self) -> &str {
        &self.prefix
    }

    fn look(&self, walk: Walk<'_>) -> Result<()> {
        let own = self.read(&self.notes()?)?;
        walk(&mut own.into_iter().map(Ok), &mut |_| Ok(()))
    }

    fn noted(&self, key: &str) -> Result<String> {
        Ok(self.notes()?.commits.remove(key).unwrap_or_default())
    }

    fn note(&self, key: &str, commit: &str) -> Result<()> {
        let mut notes = self.notes()?;
        notes.commits.insert(key.into(), commit.into());
        self.keep(&notes)
    }

    fn reconcile(&self, (key, commit): (&str, &str), walk: Walk<'_>) -> Result<()> {
        let _lock = self.bd.lock()?;
        let mut notes = self.notes()?;
        let own = self.read(&notes)?;
        let mut beads = Vec::new();
        walk(&mut own.iter().cloned().map(Ok), &mut |bead| {
            beads.push(bead);
            Ok(())
        })?;
        let own = own.into_iter().map(|bead| (bead.id.clone(), bead)).collect();
        if notes.adopt(&own, &beads) {
            self.keep(&notes)?;
        }
        self.bd.perform(&take::put(self.bd.program.version, &own, beads)?)?;
        notes.births.values_mut().for_each(|birth| birth.title = None);
        // After it: a store that holds more than is noted is merged again, and one that holds less would lose.
        notes.commits.insert(key.into(), commit.into());
        self.keep(&notes)
    }

    fn is_exact(&self) -> bool {
        false
    }

    fn own_remotes(&self) -> Result<Vec<String>> {
        if !self.bd.program.version.is_whole() {
            return Ok(Vec::new());
        }
        self.bd.program.dolt_remotes(&self.bd.dir, &self.bd.actor)
    }

    fn sync_itself(&self, closed: &dyn Fn(Vec<Bead>) -> Result<()>) -> Result<()> {
        let _lock = self.bd.lock()?;
        if self.bd.secret.is_some() {
            let mut requests = self.bd.list(&Filter::closed_requests())?;
            requests.retain(|request| !request.foreign);
            closed(requests)?;
        }
        self.bd.program.dolt_sync(&self.bd.dir, &self.bd.actor)
    }
}
