//! The store of work: one trait, two stores behind it (`town.md`, "The store of work").
//!
//! [`Store::write`] is the one way to change anything: what must hold first, and the changes, together. The embedded
//! store does it in one transaction; the adapter for the real `bd` under one lock with one look and one write.

pub mod bd;
pub mod embedded;
#[cfg(test)]
pub(crate) mod fake;
pub mod foreign;
pub mod in_step;
pub mod jsonl;
pub mod letters;
pub mod overview;
mod places;
pub mod proven;
pub mod request;

use std::io::BufRead;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::config::schema::StoreChoice;
use crate::model::bead::{Bead, NewBead, Patch};
use crate::model::words;
use crate::programs::bd::Program;

pub use embedded::write::random_id;
pub use foreign::{ImportOrigin, Imported};
pub use overview::Overview;

/// Which beads to read. Empty means all that are not closed, messages and requests left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Just these (then nothing else below is left out by default: closed ones and messages count too).
    pub ids: Vec<String>,
    /// Any of these statuses; closed ones count only when named here or with `all`.
    pub statuses: Vec<String>,
    /// Any of these types; `message` and `merge-request` count only when named here or with `all`.
    pub types: Vec<String>,
    /// Exactly this assignee.
    pub assignee: Option<String>,
    /// All of these labels.
    pub labels: Vec<String>,
    /// Children of this bead.
    pub parent: Option<String>,
    /// Exactly this priority.
    pub priority: Option<u8>,
    /// Also closed ones, and every type.
    pub all: bool,
    /// Leaves out what is not foreign, where the store can tell that without reading it.
    pub foreign: bool,
    /// At most so many; all when absent.
    pub limit: Option<usize>,
}

impl Filter {
    /// The open requests.
    pub fn open_requests() -> Filter {
        Filter {
            types: vec![words::MERGE_REQUEST.into()],
            statuses: vec![words::OPEN.into(), words::IN_PROGRESS.into(), words::HOOKED.into()],
            ..Filter::default()
        }
    }

    /// The closed requests.
    pub fn closed_requests() -> Filter {
        Filter {
            types: vec![words::MERGE_REQUEST.into()],
            statuses: vec![words::CLOSED.into()],
            ..Filter::default()
        }
    }

    /// What waits for a person to adopt it: everything foreign that is not closed.
    pub fn foreign() -> Filter {
        Filter { foreign: true, ..Filter::alive() }
    }

    /// Everything on its way: requests and messages too, closed beads left out.
    pub fn alive() -> Filter {
        Filter { all: true, statuses: words::ALIVE.map(String::from).into(), ..Filter::default() }
    }
}

/// What must hold, at the moment of writing, for the changes to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    /// The bead it is about; one that does not exist fails the guard.
    pub id: String,
    /// Its status is one of these (any when empty).
    pub statuses: Vec<String>,
    /// Its assignee is exactly this (`Some(None)`: nobody has it).
    pub assignee: Option<Option<String>>,
    /// It has none of these labels.
    pub lacks_labels: Vec<String>,
    /// It has all of these labels.
    pub has_labels: Vec<String>,
}

impl Guard {
    /// Whether the bead is as the guard wants it.
    pub fn holds(&self, bead: &Bead) -> bool {
        (self.statuses.is_empty() || self.statuses.contains(&bead.status))
            && self.assignee.as_ref().is_none_or(|wanted| *wanted == bead.assignee)
            && !self.lacks_labels.iter().any(|label| bead.labels.contains(label))
            && self.has_labels.iter().all(|label| bead.labels.contains(label))
    }
}

/// One change to the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new bead; its id comes back in [`Written::Done`].
    Create(Box<NewBead>),
    /// Other values for some fields.
    Update(String, Box<Patch>),
    /// Status closed, with the reason.
    Close(String, String),
    /// A remark on a bead.
    Comment(String, String),
    /// The first waits for the second; the word is bd's type of dependency (`blocks`, `parent-child`, `related` …).
    Depend(String, String, String),
}

/// What came of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// Everything was written. The ids of the created beads, in order.
    Done(Vec<String>),
    /// This guard did not hold and nothing was written. The bead as found, or `None` when there is none.
    Refused(Guard, Option<Box<Bead>>),
}

/// A place that keeps beads. Ids are exact; `author` signs what is written.
pub trait Store {
    /// Beads that match, in the order of `bd list`: priority first, then age.
    ///
    /// # Errors
    /// When the store cannot be read: never an empty list in its place (law 3).
    fn list(&self, filter: &Filter) -> Result<Vec<Bead>>;

    /// Open work that nothing blocks, best first: blockers are closed, no hold, and no open merge request for the
    /// bead or a blocker. `parent` narrows it to one epic's children. Dependencies, labels and comment counts as in
    /// [`Store::list`].
    ///
    /// # Errors
    /// As [`Store::list`].
    fn ready(&self, parent: Option<&str>, limit: Option<usize>) -> Result<Vec<Bead>>;

    /// The store at a glance: a store of gt's own does not read every bead for it.
    ///
    /// # Errors
    /// As [`Store::list`].
    fn overview(&self) -> Result<Overview> {
        Ok(Overview::of(self.list(&Filter::alive())?))
    }

    /// Changes the store if all guards hold; either all of it or none.
    ///
    /// # Errors
    /// When the store could not be written, a value is refused, or a changed bead does not exist; nothing is
    /// changed then.
    fn write(&self, guards: &[Guard], changes: &[Change]) -> Result<Written>;

    /// Everything in bd's JSONL, one bead a line.
    ///
    /// # Errors
    /// As [`Store::list`].
    fn export(&self) -> Result<String>;

    /// The same, line by line, for as long as `take` gives true. A store of gt's own is not held in memory for it.
    ///
    /// # Errors
    /// As [`Store::list`], and those of `take`.
    fn export_lines(&self, take: &mut dyn FnMut(&str) -> Result<bool>) -> Result<()> {
        for line in self.export()?.lines() {
            if !take(line)? {
                break;
            }
        }
        Ok(())
    }

    /// Takes bd's JSONL in: new ids are added, known ones are replaced when the line is newer. What is not this town's is
    /// marked as foreign by stores that can.
    ///
    /// # Errors
    /// A line that is no bead is named by number, and nothing is taken in.
    fn import(&self, input: &mut dyn BufRead, origin: ImportOrigin) -> Result<Imported>;

    /// Beads that others made or changed are the town's own from now on, as they were read.
    ///
    /// # Errors
    /// When one has changed since, or the store cannot be written.
    fn trust(&self, beads: &[Bead]) -> Result<()>;

    /// `embedded` or `bd`, with the version where there is one.
    fn kind(&self) -> String;

    /// Whether a question costs a process, so that one wide question is cheaper than two narrow ones.
    fn is_dear(&self) -> bool {
        false
    }
}

/// Where a store is and how it is to be opened.
#[derive(Clone, Debug)]
pub struct StorePlace {
    /// The `.beads` folder.
    pub dir: PathBuf,
    /// Prefix of new ids.
    pub prefix: String,
    /// Other prefixes that ids in it may have (`beads.prefixes`).
    pub prefixes: Vec<String>,
    /// `auto`, `bd` or `embedded` (`[beads] store`).
    pub choice: StoreChoice,
    /// Who writes: an address.
    pub actor: String,
    /// The town's secret: requests that are proven with it are the town's own. Without it every request is foreign.
    pub secret: Option<crate::base::proof::Secret>,
}

/// File name of the embedded store inside `.beads`.
pub const EMBEDDED_FILE: &str = "gastown.db";

/// Opens the store in `place`. A store made with one kind is never opened with the other.
///
/// # Errors
/// When there is none, when it was made by bd and bd is missing, or when it cannot be opened.
pub fn open(place: &StorePlace) -> Result<Box<dyn Store>> {
    let store: Box<dyn Store> = match kind_of(&place.dir)? {
        StoreKind::Embedded => Box::new(
            embedded::Embedded::open(&place.dir, &place.prefix, &place.actor)?
                .accepting(&place.prefixes)
                .knowing(place.secret.clone()),
        ),
        StoreKind::Bd => {
            Box::new(bd::Bd::open(&place.dir, &place.prefixes, &place.actor)?.knowing(place.secret.clone()))
        }
    };
    #[cfg(test)]
    let store = fake::watched(&place.dir, store)?;
    Ok(store)
}

/// Makes a new store in `place` and returns its kind. An existing one is an error.
///
/// # Errors
/// When one exists, or it cannot be made.
pub fn create(place: &StorePlace) -> Result<StoreKind> {
    if let Some(program) = maker(place.choice)? {
        bd::Bd::create_with(&program, &place.dir, &place.prefix)?;
        Ok(StoreKind::Bd)
    } else {
        embedded::Embedded::create(&place.dir, &place.prefix)?;
        Ok(StoreKind::Embedded)
    }
}

/// The kind that a new store would have.
///
/// # Errors
/// When bd is asked for and is not there, or is a version that gt cannot work with.
pub fn makes(choice: StoreChoice) -> Result<StoreKind> {
    Ok(maker(choice)?.map_or(StoreKind::Embedded, |_| StoreKind::Bd))
}

/// The bd that would make a new store; `None` when gt would.
fn maker(choice: StoreChoice) -> Result<Option<Program>> {
    if choice == StoreChoice::Embedded {
        return Ok(None);
    }
    let program = Program::on_path()?;
    if program.is_none() && choice == StoreChoice::Bd {
        crate::fail!(
            "beads.store is \"bd\", and bd is not on PATH";
            "install bd; or use gt's own store: beads.store = \"auto\" (see who says it: gt config explain beads.store)"
        );
    }
    Ok(program)
}

/// Which program made a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// gt itself.
    Embedded,
    /// The real bd.
    Bd,
}

/// Tells a store's kind from its files, without opening it.
///
/// # Errors
/// When there is no store in `dir`.
pub fn kind_of(dir: &Path) -> Result<StoreKind> {
    // A folder or a link that leads nowhere is a damaged store, not none.
    if dir.join(EMBEDDED_FILE).symlink_metadata().is_ok() {
        return Ok(StoreKind::Embedded);
    }
    let made_by_bd = ["metadata.json", "beads.db", "issues.jsonl", "embeddeddolt", "dolt", "config.yaml"];
    if made_by_bd.iter().any(|name| dir.join(name).exists()) {
        return Ok(StoreKind::Bd);
    }
    crate::fail!("no store of beads in {}", dir.display(); "look at the town with: gt doctor --fix")
}

/// The beads that are there, by id, one after the other.
pub type BeadIter<'a> = &'a mut dyn Iterator<Item = Result<Bead>>;

/// Goes through the beads that are there, and gives those that are to be written.
pub type Walk<'a> = &'a mut dyn FnMut(BeadIter<'_>, &mut dyn FnMut(Bead) -> Result<()>) -> Result<()>;
