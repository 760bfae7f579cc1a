//! Completion records at origin that nothing proves: they wait for a person. What the last look saw of them is noted in
//! `<rig>/witness/waiting.json`, so that `gt remote list` and doctor need not ask origin.

use std::path::PathBuf;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::base::files;
use crate::base::grammar::short;
use crate::model::ids::BeadId;
use crate::town::Rig;
use crate::work::remote::arrived::{Arrived, RecordState};

/// A record that waits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Waiting {
    /// Its id, by which it is adopted.
    pub id: String,
    /// Who it says wrote it.
    pub worker: String,
    /// The bead that it names.
    pub bead: BeadId,
    /// The commit that it names.
    pub commit: String,
    /// Why it waits.
    pub why: String,
}

impl Waiting {
    /// What is said of it.
    pub fn line(&self, rig: &str) -> String {
        let id = short(&self.id);
        let Waiting { worker, bead, why, .. } = self;
        format!(
            "what {worker} is said to have handed in for {bead} waits: {why}; take it in: gt remote sync {rig} --adopt {id}"
        )
    }
}

fn path(rig: &Rig) -> PathBuf {
    rig.root.join("witness/waiting.json")
}

/// Notes what waits after a look at origin.
///
/// # Errors
/// When the note cannot be written.
pub fn note(rig: &Rig, arrived: &[Arrived]) -> Result<()> {
    let all: Vec<Waiting> = arrived.iter().filter(|one| one.state == RecordState::Foreign).map(of).collect();
    let path = path(rig);
    if !all.is_empty() {
        let same = read(rig).is_ok_and(|before| before == all);
        return if same { Ok(()) } else { files::write_json(&path, &all) };
    }
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(files::error_of(error, format!("cannot remove {}", path.display())))
        }
        _ => Ok(()),
    }
}

fn of(one: &Arrived) -> Waiting {
    let Arrived { id, worker, bead, commit, why, .. } = one.clone();
    Waiting { id, worker, bead, commit, why }
}

/// What waited at the last look. No process.
///
/// # Errors
/// When the note is broken.
pub fn read(rig: &Rig) -> Result<Vec<Waiting>> {
    let path = path(rig);
    if path.exists() { files::read_json(&path) } else { Ok(Vec::new()) }
}
