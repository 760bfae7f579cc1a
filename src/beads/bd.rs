//! The adapter for the real bd: one call for a read; for a write one look and one write, as far as the version can.
//!
//! | | bd 1.0 (Dolt) | before 1.0 (SQLite) |
//! | --- | --- | --- |
//! | read | 1 call | 1 call |
//! | write of one change | 1 look, 1 call | 1 look, 1 call |
//! | write of several | 1 look; what one `import` or one `batch` takes is one transaction | 1 look, 1 call a change; the same change of several beads is one |
//! | labels taken away in a write of several | 1 call more, the first | – |
//! | new beads | – | 1 call more, which reads them back: 0.47 lost some |
//! | metadata | the field `metadata` | a fenced block at the end of the description |
//! | export | 1 call | 2: `export` leaves comments out, `show` has them |
//!
//! A new bead without guards, parent or dependencies needs no look, and a write that follows a read or a creation needs none
//! when the store's files are as they were then. So a read keeps bd 1.0 from its backup, which writes to the store: bd makes
//! it after the next write, or when a person calls it. Writers that go through gt take turns by a lock
//! beside the store. A write that is killed between its calls leaves a prefix of its changes in their given order
//! (with 1.0: labels taken away, what `import` took, what `batch` took), so callers order them to be made again: what
//! says that it is over comes last.

mod apart;
mod in_step;
mod read;
mod seen;
mod shape;
mod take;
mod together;
mod write;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::base::failure::Failure;
use crate::base::files;
use crate::base::proof::Secret;
use crate::beads::{Change, Filter, Guard, ImportOrigin, Imported, Store, Written, jsonl, letters, proven};
use crate::model::bead::{Bead, BeadMap};
use crate::model::rules;
use crate::programs::Process;
use crate::programs::bd::{Program, complaint};
use seen::{Files, SeenAnswer};

pub use in_step::BdSync;
pub use shape::beads as parse;

/// Types of bead that gt makes and bd takes only when it is told of them.
const CUSTOM_TYPES: &str = "message,convoy,merge-request";

/// bd's own setting for prefixes that ids may have beside the store's own.
const ALLOWED: &str = "allowed_prefixes";

/// Who writes holds a lock on this file beside the store.
const LOCK_FILE: &str = "gt.lock";

/// What gt itself leaves beside the store, kept out of git.
const OWN_FILES: &str = "\n# gt's own\ngt.lock\ngt.bd.json\ngt.sync.json\n";

/// A store that bd made.
pub struct Bd {
    program: Program,
    dir: PathBuf,
    /// Prefixes beside its own that ids in it may have.
    prefixes: Vec<String>,
    actor: String,
    secret: Option<Secret>,
    /// The last read, for a write that follows.
    seen: RefCell<Option<SeenAnswer>>,
}

impl Bd {
    /// Opens the store in `dir` with the bd on PATH. bd is asked for its version when it is another one than last time.
    ///
    /// # Errors
    /// When bd is not there, too old, or does not answer.
    pub fn open(dir: &Path, prefixes: &[String], actor: &str) -> Result<Bd> {
        let dir = real(dir)?;
        Ok(Bd { prefixes: prefixes.to_vec(), ..Bd::with(Program::for_store(&dir)?, &dir, actor)? })
    }

    /// Opens the store in `dir` with this bd.
    ///
    /// # Errors
    /// When `dir` does not exist.
    pub fn with(program: Program, dir: &Path, actor: &str) -> Result<Bd> {
        let (dir, actor) = (real(dir)?, actor.to_string());
        Ok(Bd { program, dir, prefixes: Vec::new(), actor, secret: None, seen: RefCell::default() })
    }

    /// The same, telling requests of the town with this secret from foreign ones.
    #[must_use]
    pub fn knowing(self, secret: Option<Secret>) -> Bd {
        Bd { secret, ..self }
    }

    /// Makes a store in `dir` with this bd.
    ///
    /// bd makes it in an empty folder elsewhere, and it is moved: whatever this version writes beside a store (CLAUDE.md,
    /// AGENTS.md, git hooks, commits) is written there and goes with that folder.
    ///
    /// # Errors
    /// When there is a store, or it cannot be made; then nothing is left.
    pub fn create_with(program: &Program, dir: &Path, prefix: &str) -> Result<()> {
        if let Ok(kind) = super::kind_of(dir) {
            let whose = if kind == super::StoreKind::Bd { "bd's" } else { "gt's own" };
            crate::fail!("{} holds a store already, {whose}", dir.display(); "look into it with: gt bd list");
        }
        let scratch = tempfile::Builder::new().prefix("gt-bd-").tempdir()?;
        let made = program.init(scratch.path(), prefix)?;
        let words = ["config", "set", "types.custom", CUSTOM_TYPES];
        let output = program.call(&made, "gt", words).run()?;
        if !output.ok() {
            crate::fail!("bd config failed: {}", complaint(&output));
        }
        let ignored = made.join(".gitignore");
        let own = std::fs::read_to_string(&ignored).unwrap_or_default() + OWN_FILES;
        std::fs::write(ignored, own)?;
        program.remember(&made);
        settle(&made, dir).map_err(|error| {
            Failure::new(format!("cannot put the store into {}: {error}", dir.display())).into()
        })
    }

    fn run(&self, what: &str, words: &[String], stdin: Option<&str>) -> Result<String> {
        let process = self.program.call(&self.dir, &self.actor, words);
        self.outcome(
            what,
            match stdin {
                Some(text) => process.stdin(text),
                None => process,
            },
        )
    }

    fn outcome(&self, what: &str, process: Process) -> Result<String> {
        let output = process.run()?;
        if output.ok() {
            return Ok(output.text());
        }
        Err(failure(what, &complaint(&output)))
    }

    /// A call that writes. Ids with a prefix of `beads.prefixes` that bd does not take are made known to it, and the call
    /// is made again: bd refuses before it writes.
    fn run_writing(&self, call: &Call) -> Result<String> {
        let run = || self.run("write the beads", &call.words, call.stdin.as_deref());
        match run() {
            Err(error) if !self.prefixes.is_empty() && is_prefix_refused(&error.to_string()) => {
                let word = |word: &str| word.to_string();
                let known = self.run("read bd's prefixes", &["config", "get", ALLOWED].map(word), None)?;
                // Without a value bd says so in words.
                let known = known.trim().split(',').map(str::trim).filter(|one| rules::is_prefix(one));
                let all: BTreeSet<&str> = known.chain(self.prefixes.iter().map(String::as_str)).collect();
                let all = all.into_iter().collect::<Vec<_>>().join(",");
                self.run("let bd take the prefixes", &["config", "set", ALLOWED, &all].map(word), None)?;
                run().map_err(|error| match is_prefix_refused(&error.to_string()) {
                    true => self.has_one_prefix(&error),
                    false => error,
                })
            }
            other => other,
        }
    }

    /// 0.46 has the setting, and its store does not heed it.
    fn has_one_prefix(&self, error: &anyhow::Error) -> anyhow::Error {
        let Program { version, .. } = self.program;
        let upgrade = self.program.upgrade();
        Failure::new(error.to_string())
            .hint(format!("bd {version} keeps ids of one prefix alone; upgrade it: {upgrade}; or move to gt's own store: gt bd export"))
            .into()
    }

    fn read(&self, words: &[String]) -> Result<Vec<Bead>> {
        let before = self.files();
        let process = self.program.call(&self.dir, &self.actor, words).env("BD_BACKUP_ENABLED", "false");
        let answer = self.outcome("read the beads", process)?;
        self.seen.replace(SeenAnswer::keep(self.program.version, words, before, self.files(), &answer));
        self.understand(&answer)
    }

    fn files(&self) -> Option<Files> {
        Files::of(&self.dir, self.program.version)
    }

    fn understand(&self, answer: &str) -> Result<Vec<Bead>> {
        let mut beads = shape::beads(answer)?;
        proven::mark(self.secret.as_ref(), &mut beads);
        letters::mark(self.secret.as_ref(), false, &mut beads);
        Ok(beads)
    }

    fn look(&self, ids: &[String]) -> Result<BeadMap> {
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        match self.known(ids, false)? {
            Some(beads) => Ok(by_id(beads)),
            None => Ok(by_id(self.read(&read::look(self.program.version, ids))?)),
        }
    }

    /// The beads of these ids, when the last call told of all of them, a closed one that it left out say is looked for, and
    /// nothing was written since. `whole`: with their comments.
    fn known(&self, ids: &[String], whole: bool) -> Result<Option<Vec<Bead>>> {
        let seen = self.seen.borrow();
        let Some(seen) = seen.as_ref().filter(|seen| seen.whole || !whole) else { return Ok(None) };
        let Some(answer) = seen.answer(self.files()) else { return Ok(None) };
        let mut beads = self.understand(answer)?;
        beads.retain(|bead| ids.contains(&bead.id));
        Ok((beads.len() == ids.len()).then_some(beads))
    }

    /// Waits for the turn to write; the lock goes with the file, also when the process is killed.
    fn lock(&self) -> Result<files::Lock> {
        files::lock(&self.dir.join(LOCK_FILE)).context("cannot write to the store")
    }

    /// Runs the calls in order; gives the ids of the beads they made, by the change that asked for them.
    fn perform(&self, calls: &[Call]) -> Result<Vec<String>> {
        let mut made = BTreeMap::new();
        self.seen.take();
        for call in calls {
            let answer = match self.run_writing(call) {
                // An import of what is there already.
                Err(error) if call.makes.is_empty() && error.to_string().contains("nothing to commit") => {
                    continue;
                }
                other => other?,
            };
            let ids = write::made(call, &answer)?;
            if let ([_], Some(labels), true) = (calls, &call.creates_plain, self.program.version.is_whole()) {
                let mut beads = shape::beads(&answer)?;
                // 1.0.3 answers without them.
                beads.iter_mut().for_each(|bead| bead.labels.clone_from(labels));
                self.seen.replace(SeenAnswer::created(jsonl::render(&beads), self.files()));
            }
            made.extend(call.makes.iter().copied().zip(ids));
        }
        let ids: Vec<String> = made.into_values().collect();
        if !self.program.version.is_whole() && !ids.is_empty() {
            let stored = self.look(&ids)?;
            if let Some(lost) = ids.iter().find(|id| !stored.contains_key(*id)) {
                let version = self.program.version;
                crate::fail!("bd {version} said it made {lost}, and does not have it"; "use another version of bd: 0.47 is known to lose beads");
            }
            let plain = calls.iter().all(|call| call.creates_plain.is_some());
            self.seen.borrow_mut().iter_mut().for_each(|seen| seen.whole = plain);
        }
        Ok(ids)
    }
}

impl Store for Bd {
    fn list(&self, filter: &Filter) -> Result<Vec<Bead>> {
        if !filter.ids.is_empty()
            && let Some(beads) = self.known(&filter.ids, true)?
        {
            return Ok(read::matching(beads, filter));
        }
        let words = read::call(self.program.version, filter);
        let beads = match self.read(&words) {
            Err(error) if !filter.ids.is_empty() && is_missing(&error) => Vec::new(),
            other => other?,
        };
        Ok(read::matching(beads, filter))
    }

    fn ready(&self, parent: Option<&str>, limit: Option<usize>) -> Result<Vec<Bead>> {
        Ok(read::ready(self.read(&read::ready_call(self.program.version))?, parent, limit))
    }

    fn write(&self, guards: &[Guard], changes: &[Change]) -> Result<Written> {
        let _lock = self.lock()?;
        let found = self.look(&write::look_ids(guards, changes))?;
        for guard in guards {
            let bead = found.get(&guard.id);
            if !bead.is_some_and(|bead| guard.holds(bead)) {
                return Ok(Written::Refused(guard.clone(), bead.cloned().map(Box::new)));
            }
        }
        let changes = letters::signed(self.secret.as_ref(), changes);
        let calls = write::calls(self.program.version, &self.actor, &found, &changes)?;
        Ok(Written::Done(self.perform(&calls)?))
    }

    fn export(&self) -> Result<String> {
        let mut beads = if self.program.version.is_whole() {
            self.read(&["export".into(), "--all".into()])?
        } else {
            self.read(&["export".into()])?
        };
        beads.sort_by(|a, b| a.id.cmp(&b.id));
        // 1.0.3 writes messages twice.
        beads.dedup_by(|a, b| a.id == b.id);
        if !self.program.version.is_whole() && !beads.is_empty() {
            let ids = beads.iter().map(|bead| bead.id.clone()).collect();
            let shown = self.list(&Filter { ids, ..Filter::default() })?;
            let mut comments: BTreeMap<_, _> =
                shown.into_iter().map(|bead| (bead.id, bead.comments)).collect();
            for bead in &mut beads {
                bead.comments = comments.remove(&bead.id).unwrap_or_default();
            }
        }
        Ok(jsonl::render(&beads))
    }

    fn import(&self, input: &mut dyn BufRead, origin: ImportOrigin) -> Result<Imported> {
        let lines = jsonl::read(input)?;
        let _lock = self.lock()?;
        let own = self.list(&Filter { all: true, ..Filter::default() })?;
        let own: BeadMap = own.into_iter().map(|bead| (bead.id.clone(), bead)).collect();
        let mut imported = Imported::default();
        let wanted = lines.into_iter().filter_map(|line| {
            let known = own.get(&line.id);
            imported.take(line, known, origin)
        });
        let calls = take::put(self.program.version, &own, wanted.collect())?;
        self.perform(&calls)?;
        // There, beads are the person's.
        imported.foreign.clear();
        Ok(imported)
    }

    fn trust(&self, _beads: &[Bead]) -> Result<()> {
        // People make beads with bd itself: all of its beads are theirs.
        Ok(())
    }

    fn kind(&self) -> String {
        format!("bd {}", self.program.version)
    }

    fn is_dear(&self) -> bool {
        true
    }
}

fn by_id(beads: Vec<Bead>) -> BeadMap {
    beads.into_iter().map(|bead| (bead.id.clone(), bead)).collect()
}

/// The folder itself: a rig's `.beads` may be a link, and bd works beside the store.
fn real(dir: &Path) -> Result<PathBuf> {
    dir.canonicalize()
        .map_err(|error| Failure::new(format!("no store of beads in {}: {error}", dir.display())).into())
}

fn failure(what: &str, said: &str) -> anyhow::Error {
    let failure = Failure::new(format!("cannot {what}: bd: {said}"));
    let lower = said.to_lowercase();
    if lower.contains("invalid issue type") {
        return failure
            .hint(format!("let the store take gt's types: bd config set types.custom \"{CUSTOM_TYPES}\""))
            .into();
    }
    if is_prefix_refused(said) {
        return failure
            .hint("let the store take ids of other prefixes: \"prefixes\" under \"beads\" in the rig's config.json")
            .into();
    }
    if lower.contains("no beads database") || lower.contains("no active beads workspace") {
        return failure.hint("look at the town with: gt doctor").into();
    }
    failure.into()
}

/// Whether bd failed because an id begins with a prefix that the store is not to have.
fn is_prefix_refused(said: &str) -> bool {
    let text = said.to_lowercase();
    text.contains("prefix mismatch") || text.contains("does not match configured prefix")
}

/// Whether bd failed only because none of the ids exists.
fn is_missing(error: &anyhow::Error) -> bool {
    let text = error.to_string();
    text.contains("no issue found") || text.contains("no issues found")
}

/// Moves what was made in `from` to `to`, which may exist and be empty or hold files of its own.
fn settle(from: &Path, to: &Path) -> std::io::Result<()> {
    let parent = to.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent)?;
    // First whole on the same disk, then in place by renaming alone.
    let beside = tempfile::Builder::new().prefix(".beads-new-").tempdir_in(parent)?;
    let whole = beside.path().join(".beads");
    if std::fs::rename(from, &whole).is_err() {
        copy(from, &whole)?;
    }
    if std::fs::rename(&whole, to).is_ok() {
        return Ok(());
    }
    for entry in std::fs::read_dir(&whole)? {
        let entry = entry?;
        std::fs::rename(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir(to)?;
    for entry in std::fs::read_dir(from)? {
        let (entry, to) = entry.map(|entry| (entry.path(), to.join(entry.file_name())))?;
        if entry.is_dir() { copy(&entry, &to)? } else { std::fs::copy(&entry, &to).map(drop)? }
    }
    Ok(())
}

/// One call of bd.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// bd's words.
    pub words: Vec<String>,
    /// What it reads.
    pub stdin: Option<String>,
    /// Which changes (by index) get the ids that it answers, in this order.
    pub makes: Vec<usize>,
    /// The labels of a bead that it creates without any tie to another: bd's answer says all else that is in it.
    pub creates_plain: Option<Vec<String>>,
}
