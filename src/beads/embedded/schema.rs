//! The tables: each bead is kept whole as JSON; the columns and side tables beside it only serve to find it.

use anyhow::{Context, Result};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::model::bead::Bead;
use crate::model::words;

/// `PRAGMA user_version` of a store this program can read.
pub const VERSION: i64 = 1;

/// A bead no longer counts as work in these statuses (`tombstone`: deleted by bd 0.46).
pub const CLOSED: [&str; 2] = [words::CLOSED, "tombstone"];

const TABLES: &str = "
CREATE TABLE beads (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    bead TEXT NOT NULL,
    status TEXT NOT NULL,
    priority INTEGER NOT NULL,
    issue_type TEXT NOT NULL,
    assignee TEXT,
    created INTEGER NOT NULL,
    closed INTEGER NOT NULL,
    request_for TEXT
);
CREATE INDEX beads_live ON beads (priority, created) WHERE closed = 0;
CREATE INDEX beads_type ON beads (issue_type, priority, created) WHERE closed = 0;
CREATE INDEX beads_assignee ON beads (assignee) WHERE assignee IS NOT NULL;
CREATE INDEX beads_request ON beads (request_for) WHERE closed = 0 AND request_for IS NOT NULL;
CREATE TABLE labels (id TEXT NOT NULL, label TEXT NOT NULL, PRIMARY KEY (id, label)) WITHOUT ROWID;
CREATE INDEX labels_label ON labels (label);
CREATE TABLE edges (
    id TEXT NOT NULL, target TEXT NOT NULL, kind TEXT NOT NULL, PRIMARY KEY (id, target, kind)
) WITHOUT ROWID;
CREATE INDEX edges_target ON edges (target, kind);
CREATE TABLE config (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
";

/// Makes the tables in an empty file; `also` makes what stands on them.
pub fn create(
    db: &Connection,
    prefix: &str,
    also: fn(&Connection) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    // Without the log beside it first: when the disk is full, closing leaves what was written in the log and says
    // nothing, and the file is about to be renamed away from it.
    db.execute_batch("PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; BEGIN IMMEDIATE;")?;
    db.execute_batch(TABLES)?;
    also(db)?;
    set_config(db, "prefix", prefix)?;
    db.pragma_update(None, "user_version", VERSION)?;
    db.execute_batch("COMMIT; PRAGMA journal_mode = WAL;")
}

/// A value of the store's own configuration.
pub fn config(db: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    db.query_row("SELECT value FROM config WHERE key = ?1", [key], |row| row.get(0)).optional()
}

/// Sets a value of the store's own configuration.
pub fn set_config(db: &Connection, key: &str, value: &str) -> rusqlite::Result<()> {
    db.execute("INSERT OR REPLACE INTO config VALUES (?1, ?2)", [key, value]).map(drop)
}

/// Condition: the bead of the row `b` is marked as foreign. The mark is a key of the store's own configuration, which no
/// export, sync or import carries.
pub const IS_FOREIGN: &str = "EXISTS (SELECT 1 FROM config c WHERE c.key = 'foreign ' || b.id)";

/// Marks a bead as foreign, or takes the mark away.
pub fn mark_foreign(db: &Connection, id: &str, foreign: bool) -> rusqlite::Result<()> {
    let key = format!("foreign {id}");
    match foreign {
        true => set_config(db, &key, "1"),
        false => db.execute("DELETE FROM config WHERE key = ?1", [&key]).map(drop),
    }
}

/// One bead by its exact id.
pub fn load(db: &Connection, id: &str) -> Result<Option<Bead>> {
    let mut query = db.prepare_cached("SELECT bead FROM beads WHERE id = ?1")?;
    let text: Option<String> = query.query_row([id], |row| row.get(0)).optional()?;
    text.map(|text| parse(&text)).transpose()
}

/// Whether there is a bead of this id.
pub fn exists(db: &Connection, id: &str) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM beads WHERE id = ?1")?.exists([id])
}

#[cfg(test)]
thread_local! {
    /// How many beads were read from rows, in this thread.
    pub static PARSED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// A bead as it stands in its row.
pub fn parse(text: &str) -> Result<Bead> {
    #[cfg(test)]
    PARSED.set(PARSED.get() + 1);
    serde_json::from_str(text).context("a bead in the store is damaged")
}

/// Microseconds since 1970 of an RFC 3339 time, for ordering; texts of different precision do not sort.
pub fn micros(time: &str) -> Option<i64> {
    time.parse::<Timestamp>().ok().map(Timestamp::as_microsecond)
}

/// Writes a bead whole, in place of one of the same id.
pub fn save(db: &Connection, bead: &Bead) -> Result<()> {
    let is_request = bead.is_request();
    let request_for = bead.meta("bead").filter(|_| is_request);
    let closed = CLOSED.contains(&bead.status.as_str());
    let text = serde_json::to_string(bead)?;
    db.prepare_cached(
        "INSERT INTO beads (id, bead, status, priority, issue_type, assignee, created, closed, request_for)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (id) DO UPDATE SET bead = ?2, status = ?3, priority = ?4, issue_type = ?5, assignee = ?6,
             created = ?7, closed = ?8, request_for = ?9",
    )?
    .execute(params![
        bead.id,
        text,
        bead.status,
        bead.priority,
        bead.issue_type,
        bead.assignee,
        micros(&bead.created_at).unwrap_or_default(),
        closed,
        request_for
    ])?;
    db.prepare_cached("DELETE FROM labels WHERE id = ?1")?.execute([&bead.id])?;
    for label in &bead.labels {
        db.prepare_cached("INSERT OR IGNORE INTO labels VALUES (?1, ?2)")?.execute([&bead.id, label])?;
    }
    db.prepare_cached("DELETE FROM edges WHERE id = ?1")?.execute([&bead.id])?;
    for edge in &bead.dependencies {
        db.prepare_cached("INSERT OR IGNORE INTO edges VALUES (?1, ?2, ?3)")?.execute([
            &bead.id,
            &edge.depends_on_id,
            &edge.kind,
        ])?;
    }
    Ok(())
}

/// Words of gt's own, as SQL has a list of them.
pub fn quoted<'a>(words: impl IntoIterator<Item = &'a &'a str>) -> String {
    words.into_iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(", ")
}
