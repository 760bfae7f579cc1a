//! The embedded store: SQLite in `.beads/gastown.db`.
//!
//! Every write takes a lock on a file of its own first: SQLite's waiting is unfair among many processes. The
//! transaction alone keeps the store whole; the lock only keeps the queue short.

mod overview;
mod read;
pub(crate) mod schema;
pub(super) mod write;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use crate::base::failure::Failure;
use crate::base::proof::Secret;
use crate::base::{files, limits, time};
use crate::beads::{
    Change, EMBEDDED_FILE, Filter, Guard, ImportOrigin, Imported, Overview, Store, Walk, Written, foreign,
    jsonl,
};
use crate::model::bead::Bead;

/// Name of the lock file inside `.beads`. It stays; only the lock on it comes and goes.
pub const LOCK_FILE: &str = "gastown.lock";

/// How often a store that another process has locked is tried, in the first second and after it.
const PAUSES: [Duration; 2] = [Duration::from_millis(5), Duration::from_millis(50)];

thread_local! {
    /// The store that is in use: SQLite does not say which one is locked.
    static IN_USE: RefCell<PathBuf> = RefCell::default();
}

/// The embedded store, open.
pub struct Embedded {
    db: Connection,
    path: PathBuf,
    prefix: String,
    prefixes: Vec<String>,
    actor: String,
    secret: Option<Secret>,
}

impl Embedded {
    /// Opens it. An empty `prefix` means the one it was made with.
    ///
    /// # Errors
    /// When there is none, when it is damaged or of a newer version, or the file system refuses.
    pub fn open(dir: &Path, prefix: &str, actor: &str) -> Result<Embedded> {
        let path = dir.join(EMBEDDED_FILE);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Connection::open_with_flags(&path, flags).and_then(|mut db| {
            IN_USE.set(path.clone());
            db.busy_handler(Some(waits_on))?;
            let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
            db.pragma_update(None, "synchronous", "FULL")?;
            let prefix = match prefix {
                "" if version == schema::VERSION => schema::config(&db, "prefix")?.unwrap_or_default(),
                given => given.to_string(),
            };
            Ok((db, version, prefix))
        });
        let (db, version, prefix) = opened.map_err(|error| explain(&path, error.into()))?;
        if version > schema::VERSION {
            crate::fail!("{} was made by a newer gt (store version {version})", path.display(); "update gt");
        }
        if version < schema::VERSION {
            crate::fail!(
                "{} holds no store of beads", path.display();
                "keep it aside and restore its beads: gt doctor --fix --set-aside-stores"
            );
        }
        Ok(Embedded { db, path, prefix, prefixes: Vec::new(), actor: actor.to_string(), secret: None })
    }

    /// The same store, in which a new bead may be given an id with one of these prefixes too.
    #[must_use]
    pub fn accepting(mut self, prefixes: &[String]) -> Embedded {
        self.prefixes = prefixes.to_vec();
        self
    }

    /// The same, telling requests of the town with this secret from foreign ones.
    #[must_use]
    pub fn knowing(self, secret: Option<Secret>) -> Embedded {
        Embedded { secret, ..self }
    }

    /// Makes it, in a folder that is made too when needed.
    ///
    /// # Errors
    /// When it exists, the prefix is no prefix, or the file system refuses.
    pub fn create(dir: &Path, prefix: &str) -> Result<()> {
        if !crate::model::rules::is_prefix(prefix) {
            return Err(Failure::usage(format!("'{prefix}' cannot be a prefix of ids"))
                .hint("use a few letters, like: --prefix wy")
                .into());
        }
        let path = dir.join(EMBEDDED_FILE);
        files::make_dir(dir)?;
        let _lock = lock(dir)?;
        if path.symlink_metadata().is_ok() {
            crate::fail!("{} exists already", path.display(); "look into it with: gt bd list");
        }
        // SQLite would play the log of an earlier store into the new one.
        if let Some(rest) = rest_of(dir).first() {
            crate::fail!(
                "{} is left of a store that is gone", rest.display();
                "look at the town with: gt doctor --fix; or move it away"
            );
        }
        // Made aside and renamed: a kill on the way leaves no half of a store.
        let draft = dir.join(format!("{EMBEDDED_FILE}.new"));
        for rest in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(dir.join(format!("{EMBEDDED_FILE}.new{rest}")));
        }
        // SQLite gives its log the rights of the store.
        files::open_private()
            .open(&draft)
            .map_err(|error| Failure::new(format!("cannot make {}: {error}", draft.display())))?;
        let made = Connection::open(&draft).and_then(|db| {
            schema::create(&db, prefix, overview::keep)?;
            db.close().map_err(|(_, error)| error)
        });
        made.map_err(|error| explain(&path, error.into()))?;
        std::fs::rename(&draft, &path)
            .map_err(|error| Failure::new(format!("cannot make {}: {error}", path.display())).into())
    }

    /// The prefix of its ids.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Takes the dependencies of one bead on another away; false when there were none.
    ///
    /// # Errors
    /// When the bead does not exist or the store cannot be written.
    pub fn undepend(&self, id: &str, target: &str) -> Result<bool> {
        self.transaction(|writer| {
            let found = writer.undepend(id, target)?;
            Ok((found, found))
        })
    }

    /// How many beads wait for this one: (by `blocks`, by any kind of dependency).
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn dependents(&self, id: &str) -> Result<(usize, usize)> {
        self.explained(read::waiting_for(&self.db, id))
    }

    /// [`Store::list`], one bead after the other, for as long as `take` gives true.
    ///
    /// # Errors
    /// As [`Store::list`], and those of `take`.
    pub fn each(&self, filter: &Filter, take: impl FnMut(Bead) -> Result<bool>) -> Result<()> {
        self.explained(read::of(filter).each(&self.db, filter.limit, self.secret.as_ref(), take))
    }

    /// How many characters the longest id, status and type have among the beads that match, without regard to a limit.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn widths(&self, filter: &Filter) -> Result<[usize; 3]> {
        self.explained(read::of(filter).widths(&self.db))
    }

    /// How many beads there are of each status, requests and mail left out, and how many are ready. None is read for it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn counts(&self) -> Result<(BTreeMap<String, usize>, usize)> {
        let ready = || read::ready(&self.db, None, self.secret.as_ref())?.count(&self.db);
        self.explained(read::statuses(&self.db).and_then(|statuses| Ok((statuses, ready()?))))
    }

    /// A value of the store's own configuration.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn config(&self, key: &str) -> Result<Option<String>> {
        self.explained(schema::config(&self.db, key).map_err(Into::into))
    }

    /// Sets a value of the store's own configuration.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn set_config(&self, key: &str, value: &str) -> Result<()> {
        self.transaction(|writer| Ok((schema::set_config(writer.db, key, value)?, true)))
    }

    /// Everything, by id.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn all(&self) -> Result<Vec<Bead>> {
        self.explained(read::all(&self.db))
    }

    /// Reads the whole file, and every bead in it.
    ///
    /// # Errors
    /// When a part of it is damaged.
    pub fn check(&self) -> Result<()> {
        let said: String = self.explained(
            self.db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(Into::into),
        )?;
        if said != "ok" {
            crate::fail!("{} is damaged: {said}", self.path.display());
        }
        self.all().map(drop)
    }

    /// Ids of beads that others made or changed.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn foreign(&self) -> Result<Vec<String>> {
        self.explained(read::foreign(&self.db))
    }

    /// Goes through everything, by id, in one state of the store, and writes nothing.
    ///
    /// # Errors
    /// When the store cannot be read; those of `walk`.
    pub fn look(&self, walk: Walk<'_>) -> Result<()> {
        let mut go = || {
            let state = self.db.unchecked_transaction()?;
            walk(&mut read::Pages::new(&state), &mut |_| Ok(()))
        };
        self.explained(go())
    }

    /// The same, and writes the beads that `walk` gives in place of those of the same id, foreign ones marked so, with a value
    /// of the store's own configuration, in one transaction: what others write meanwhile comes before it or after it.
    ///
    /// # Errors
    /// When the store cannot be read or written; those of `walk`. Nothing is changed then.
    pub fn reconcile(&self, (key, value): (&str, &str), walk: Walk<'_>) -> Result<()> {
        self.transaction(|writer| {
            walk(&mut read::Pages::new(writer.db), &mut |bead| {
                schema::save(writer.db, &bead)?;
                if bead.foreign {
                    schema::mark_foreign(writer.db, &bead.id, true)?;
                }
                Ok(())
            })?;
            Ok((schema::set_config(writer.db, key, value)?, true))
        })
    }

    /// Runs `work` in one transaction; it is kept when `work` gives true beside its result.
    fn transaction<T>(&self, work: impl FnOnce(&write::Writer<'_>) -> Result<(T, bool)>) -> Result<T> {
        let _lock = lock(self.path.parent().unwrap_or(Path::new(".")))?;
        IN_USE.set(self.path.clone());
        let write = || {
            let transaction = Transaction::new_unchecked(&self.db, TransactionBehavior::Immediate)?;
            if !overview::is_kept(&transaction)? {
                overview::keep(&transaction)?;
            }
            let writer = write::Writer {
                db: &transaction,
                prefix: &self.prefix,
                prefixes: &self.prefixes,
                actor: &self.actor,
                secret: self.secret.as_ref(),
            };
            let (result, keep) = work(&writer)?;
            if keep {
                transaction.commit()?;
            }
            Ok(result)
        };
        self.explained(write())
    }

    fn explained<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|error| explain(&self.path, error))
    }
}

impl Store for Embedded {
    fn list(&self, filter: &Filter) -> Result<Vec<Bead>> {
        let mut found = Vec::new();
        self.each(filter, |bead| {
            found.push(bead);
            Ok(true)
        })?;
        Ok(found)
    }

    fn ready(&self, parent: Option<&str>, limit: Option<usize>) -> Result<Vec<Bead>> {
        let secret = self.secret.as_ref();
        let run = || read::ready(&self.db, parent, secret)?.run(&self.db, limit, secret);
        self.explained(run())
    }

    fn overview(&self) -> Result<Overview> {
        // A store of an earlier version that cannot be written is read whole.
        let kept = self.explained(overview::is_kept(&self.db).map_err(Into::into))?
            || self.transaction(|_| Ok(((), true))).is_ok();
        if !kept {
            return Ok(Overview::of(self.list(&Filter::alive())?));
        }
        self.explained(overview::look(&self.db, self.secret.as_ref()))
    }

    fn write(&self, guards: &[Guard], changes: &[Change]) -> Result<Written> {
        self.transaction(|writer| {
            for guard in guards {
                let found = schema::load(writer.db, &guard.id)?;
                if !found.as_ref().is_some_and(|bead| guard.holds(bead)) {
                    return Ok((Written::Refused(guard.clone(), found.map(Box::new)), false));
                }
            }
            let mut made = Vec::new();
            for change in changes {
                made.extend(writer.apply(change)?);
            }
            Ok((Written::Done(made), true))
        })
    }

    fn export(&self) -> Result<String> {
        let mut text = String::new();
        self.export_lines(&mut |line| {
            text += line;
            text.push('\n');
            Ok(true)
        })?;
        Ok(text)
    }

    fn export_lines(&self, take: &mut dyn FnMut(&str) -> Result<bool>) -> Result<()> {
        self.explained(read::each(&self.db, |bead| {
            let waiting = read::waiting_for(&self.db, &bead.id)?.0;
            take(&jsonl::line(&bead, waiting))
        }))
    }

    fn import(&self, input: &mut dyn BufRead, origin: ImportOrigin) -> Result<Imported> {
        self.transaction(|writer| {
            let mut imported = Imported::default();
            jsonl::each(input, |line| {
                let Some(line) = line else { return Ok(()) };
                let own = schema::load(writer.db, &line.id)?;
                let Some(bead) = imported.take(line, own.as_ref(), origin) else { return Ok(()) };
                schema::save(writer.db, &bead)?;
                if bead.foreign {
                    schema::mark_foreign(writer.db, &bead.id, true)?;
                }
                Ok(())
            })?;
            Ok((imported, true))
        })
    }

    fn trust(&self, beads: &[Bead]) -> Result<()> {
        self.transaction(|writer| {
            for bead in beads {
                let found = schema::load(writer.db, &bead.id)?;
                if !found.is_some_and(|found| foreign::same_words(&found, bead)) {
                    crate::fail!("{} changed meanwhile", bead.id; "look at it again with: gt adopt {}", bead.id);
                }
                schema::mark_foreign(writer.db, &bead.id, false)?;
            }
            Ok(((), true))
        })
    }

    fn kind(&self) -> String {
        "embedded".into()
    }
}

/// The files beside a store that belong to it, where they are there.
fn rest_of(dir: &Path) -> Vec<PathBuf> {
    let rest = ["-wal", "-shm"].map(|end| dir.join(format!("{EMBEDDED_FILE}{end}")));
    rest.into_iter().filter(|path| path.symlink_metadata().is_ok()).collect()
}

/// Renames what is there of a store, damaged or in part: nothing of it is lost, and nothing of it gets into a new one. Gives
/// the new names.
///
/// # Errors
/// When a file cannot be renamed.
pub fn set_aside(dir: &Path) -> Result<Vec<PathBuf>> {
    let now = time::now();
    let mut kept = Vec::new();
    let store = Some(dir.join(EMBEDDED_FILE)).filter(|path| path.symlink_metadata().is_ok());
    for path in store.into_iter().chain(rest_of(dir)) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let to = dir.join(format!("aside-{now}-{name}"));
        std::fs::rename(&path, &to)
            .map_err(|error| Failure::new(format!("cannot rename {}: {error}", path.display())))?;
        kept.push(to);
    }
    Ok(kept)
}

/// Makes a store that holds these beads, where none is. It is built in a folder inside `near`, on the same file system, and
/// appears whole.
///
/// # Errors
/// As [`Embedded::create`]; when a store has appeared there meanwhile.
pub fn create_with(dir: &Path, near: &Path, prefix: &str, beads: &[Bead]) -> Result<()> {
    let aside = files::Aside::new(near)?;
    let draft = aside.path("beads");
    Embedded::create(&draft, prefix)?;
    let made = Embedded::open(&draft, "", "overseer")?;
    made.reconcile(("restored", "1"), &mut |_, write| beads.iter().cloned().try_for_each(write))?;
    drop(made);
    if let Some(rest) = rest_of(&draft).first() {
        crate::fail!("{} was not taken into the store: is the disk full?", rest.display());
    }
    files::make_dir(dir)?;
    let path = dir.join(EMBEDDED_FILE);
    if path.symlink_metadata().is_ok() {
        crate::fail!("{} exists already", path.display(); "look into it with: gt bd list");
    }
    set_aside(dir)?;
    std::fs::hard_link(draft.join(EMBEDDED_FILE), &path)
        .map_err(|error| Failure::new(format!("cannot make {}: {error}", path.display())))?;
    files::sync_dir(dir)
}

/// Whether SQLite tries again, for the time after `tried` times, to get a store that another process has locked: until
/// `limits.lock`. After a second it is said.
fn waits_on(tried: i32) -> bool {
    let tried = tried.unsigned_abs();
    let first = u32::try_from(limits::WORD.as_millis() / PAUSES[0].as_millis()).unwrap_or(u32::MAX);
    if tried < first {
        std::thread::sleep(PAUSES[0]);
        return true;
    }
    if tried == first {
        let path = IN_USE.with_borrow(|path| path.display().to_string());
        limits::say(&format!("waiting for {path}, which another process has locked"));
    }
    std::thread::sleep(PAUSES[1]);
    limits::WORD + PAUSES[1] * (tried - first) < limits::get().lock
}

/// Waits for the turn to write; the lock goes with the file, also when the process is killed.
fn lock(dir: &Path) -> Result<files::Lock> {
    files::lock(&dir.join(LOCK_FILE)).context("cannot write to the store")
}

/// An error of SQLite's in words a person can act on, with the path. Other errors stay as they are.
fn explain(path: &Path, error: anyhow::Error) -> anyhow::Error {
    let Some(cause) = error.downcast_ref::<rusqlite::Error>() else { return error };
    let path = path.display();
    let failure = match cause.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => {
            Failure::new(format!("cannot write {path}: the disk is full")).hint(crate::base::failure::NO_ROOM)
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            Failure::new(format!("cannot write {path}: it is read-only for this user"))
                .hint(format!("run gt as the user who made it, or change its rights: ls -l {path}"))
        }
        Some(ErrorCode::CannotOpen) => Failure::new(format!("cannot open {path} or make files beside it"))
            .hint("see that it exists and that its folder can be written"),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            Failure::new(format!("{path} is damaged: {cause}"))
                .hint("keep it aside and restore its beads: gt doctor --fix --set-aside-stores")
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            let limit = limits::get().lock;
            let longer = limit.as_secs().saturating_mul(5).max(1);
            Failure::new(format!(
                "gave up on {path} after {}: another process has it locked",
                limits::shown(limit)
            ))
            .hint(format!("see which with: fuser -v {path}; to wait longer: GASTOWN_LIMITS__LOCK={longer}s"))
        }
        Some(ErrorCode::SystemIoFailure) => Failure::new(format!("cannot read or write {path}: {cause}"))
            .hint("see whether the disk is full: df -h; make room, then run the same command again"),
        _ => Failure::new(format!("the store {path}: {cause}")),
    };
    failure.into()
}
