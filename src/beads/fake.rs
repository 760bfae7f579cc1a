//! The store of a test: the embedded one, with every call recorded, and failing where the test says so.
//!
//! A call is one line: `list`, then types and ids; `write`, then each change and its bead (`write update wy-1 close wy-2`).
//! `open` fails like a store that cannot be opened.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::Result;

use crate::base::recorder::Recorder;
use crate::beads::{Change, Filter, Guard, ImportOrigin, Imported, Overview, Store, Written};
use crate::model::bead::Bead;

thread_local! {
    static WATCHED: RefCell<HashMap<PathBuf, Rc<Recorder>>> = RefCell::default();
}

/// From now on, in this thread, the calls of the store in this `.beads` folder are recorded.
pub fn watch(dir: &Path) -> Rc<Recorder> {
    WATCHED.with_borrow_mut(|watched| watched.entry(dir.into()).or_default().clone())
}

/// A store that was just opened, with its recorder if the test watches it.
pub(super) fn watched(dir: &Path, store: Box<dyn Store>) -> Result<Box<dyn Store>> {
    let Some(recorder) = WATCHED.with_borrow(|watched| watched.get(dir).cloned()) else { return Ok(store) };
    recorder.call("open")?;
    Ok(Box::new(FakeStore { store, recorder }))
}

struct FakeStore {
    store: Box<dyn Store>,
    recorder: Rc<Recorder>,
}

impl Store for FakeStore {
    fn list(&self, filter: &Filter) -> Result<Vec<Bead>> {
        let about = filter.types.iter().chain(&filter.ids).map(String::as_str);
        self.recorder.call(["list"].into_iter().chain(about).collect::<Vec<_>>().join(" "))?;
        self.store.list(filter)
    }

    fn ready(&self, parent: Option<&str>, limit: Option<usize>) -> Result<Vec<Bead>> {
        self.recorder.call("ready")?;
        self.store.ready(parent, limit)
    }

    fn overview(&self) -> Result<Overview> {
        self.recorder.call("overview")?;
        self.store.overview()
    }

    fn write(&self, guards: &[Guard], changes: &[Change]) -> Result<Written> {
        let words = changes.iter().map(|change| match change {
            Change::Create(new) => format!("create {}", new.issue_type),
            Change::Update(id, _) => format!("update {id}"),
            Change::Close(id, _) => format!("close {id}"),
            Change::Comment(id, _) => format!("comment {id}"),
            Change::Depend(id, on, _) => format!("depend {id} {on}"),
        });
        self.recorder.call(["write".to_string()].into_iter().chain(words).collect::<Vec<_>>().join(" "))?;
        self.store.write(guards, changes)
    }

    fn export(&self) -> Result<String> {
        self.recorder.call("export")?;
        self.store.export()
    }

    fn export_lines(&self, take: &mut dyn FnMut(&str) -> Result<bool>) -> Result<()> {
        self.recorder.call("export")?;
        self.store.export_lines(take)
    }

    fn import(&self, input: &mut dyn std::io::BufRead, origin: ImportOrigin) -> Result<Imported> {
        self.recorder.call("import")?;
        self.store.import(input, origin)
    }

    fn trust(&self, beads: &[Bead]) -> Result<()> {
        self.store.trust(beads)
    }

    fn kind(&self) -> String {
        self.store.kind()
    }
}
