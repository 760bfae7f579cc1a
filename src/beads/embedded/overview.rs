//! The store at a glance without reading every bead: SQLite itself keeps, by triggers, the ids of the beads that are free
//! and of the open ones that are foreign. Whoever writes, they are right, and to count them reads none.

use anyhow::Result;
use rusqlite::Connection;
use rusqlite::types::Value;

use super::read::{self, Query};
use super::schema;
use crate::base::proof::Secret;
use crate::beads::Overview;
use crate::beads::embedded::schema::quoted;
use crate::model::words;

/// Key of the store's own configuration: which form of these tables it has.
const KEY: &str = "overview";

/// The form that is made here.
const FORM: &str = "2";

/// Whether the store has these tables. One that was made by an earlier version has none until it is next written.
pub fn is_kept(db: &Connection) -> rusqlite::Result<bool> {
    Ok(schema::config(db, KEY)?.as_deref() == Some(FORM))
}

/// Makes the tables, and fills them from what is there.
pub fn keep(db: &Connection) -> rusqlite::Result<()> {
    let not_work = quoted(words::NOT_READY.iter().chain(&words::NO_POLECAT));
    let labels = quoted(&[words::LABEL_HOLD, words::LABEL_SUBMITTED]);
    let is_foreign = schema::IS_FOREIGN;
    let mut sql = "DROP INDEX IF EXISTS beads_begun;
        CREATE INDEX beads_begun ON beads (status, assignee) WHERE closed = 0 AND status <> 'open';"
        .to_string();
    let free = format!(
        "b.closed = 0 AND b.status = 'open' AND b.assignee IS NULL AND b.issue_type NOT IN ({not_work})
         AND NOT {is_foreign}
         AND NOT EXISTS (SELECT 1 FROM labels l WHERE l.id = b.id AND l.label IN ({labels}))
         AND {}",
        read::NOTHING_BLOCKS
    );
    let letters = quoted(&words::LETTERS);
    let foreign = format!("b.closed = 0 AND b.issue_type NOT IN ({letters}) AND {is_foreign}");
    let waits = "IN (SELECT e.id FROM edges e WHERE e.target = NEW.id AND e.kind = 'blocks')";
    let label = |row: &str| format!("{row}.label IN ({labels})");
    let (made, taken) = (label("NEW"), label("OLD"));
    // What may change it: after which write, under which condition, and which beads. SQLite reads all triggers whenever a store
    // is opened: each table has those alone that it needs.
    let both = [
        ("INSERT ON beads", "1", "= NEW.id"),
        ("UPDATE ON beads", "1", "= NEW.id"),
        ("DELETE ON beads", "1", "= OLD.id"),
        ("INSERT ON config", "NEW.key GLOB 'foreign *'", "= substr(NEW.key, 9)"),
        ("DELETE ON config", "OLD.key GLOB 'foreign *'", "= substr(OLD.key, 9)"),
    ];
    let of_free = [
        ("INSERT ON beads", "1", waits),
        ("UPDATE OF closed ON beads", "OLD.closed <> NEW.closed", waits),
        ("INSERT ON labels", &made, "= NEW.id"),
        ("DELETE ON labels", &taken, "= OLD.id"),
        ("INSERT ON edges", "NEW.kind = 'blocks'", "= NEW.id"),
        ("DELETE ON edges", "OLD.kind = 'blocks'", "= OLD.id"),
    ];
    for (table, condition, more) in [("free", free, &of_free[..]), ("foreign_work", foreign, &[])] {
        sql += &format!(
            "DROP VIEW IF EXISTS {table}_now;
             DROP TABLE IF EXISTS {table};
             CREATE TABLE {table} (id TEXT PRIMARY KEY) WITHOUT ROWID;
             CREATE VIEW {table}_now AS SELECT b.id FROM beads b WHERE {condition};
             INSERT INTO {table} SELECT id FROM {table}_now;"
        );
        // Those of an earlier form, too.
        sql.extend(
            (0..both.len() + of_free.len()).map(|number| format!("DROP TRIGGER IF EXISTS {table}_{number};")),
        );
        for (number, (event, when, which)) in both.iter().chain(more).enumerate() {
            sql += &format!(
                "CREATE TRIGGER {table}_{number} AFTER {event} WHEN {when} BEGIN
                     DELETE FROM {table} WHERE id {which};
                     INSERT INTO {table} SELECT id FROM {table}_now WHERE id {which};
                 END;"
            );
        }
    }
    db.execute_batch(&sql)?;
    schema::set_config(db, KEY, FORM)
}

/// The same as [`Overview::of`] makes of everything that is not closed, but that a blocker which is not in the store is
/// unknown, and so not known to be done.
pub fn look(db: &Connection, secret: Option<&Secret>) -> Result<Overview> {
    // One state of the store for all of it.
    let db = db.unchecked_transaction()?;
    let beads = concerns().run(&db, None, secret)?;
    let in_queue = serde_json::to_string(&read::in_queue(&db, secret)?)?;
    let count = |sql: &str, values: &[&str]| -> Result<usize> {
        let count: i64 = db.query_row(sql, rusqlite::params_from_iter(values), |row| row.get(0))?;
        Ok(usize::try_from(count).unwrap_or_default())
    };
    let free = count("SELECT count(*) FROM free", &[])?;
    let queued = count(QUEUED, &[&in_queue])?;
    let foreign = count("SELECT count(*) FROM foreign_work", &[])?;
    Ok(Overview { beads, free: free.saturating_sub(queued), foreign })
}

/// How many of the free beads are in the queue themselves, or wait for one that is.
const QUEUED: &str = "WITH queue (id) AS (SELECT value FROM json_each(?))
    SELECT count(*) FROM (
        SELECT id FROM queue UNION SELECT e.id FROM queue q JOIN edges e ON e.target = q.id AND e.kind = 'blocks'
    ) w WHERE EXISTS (SELECT 1 FROM free f WHERE f.id = w.id)";

/// The beads of an overview.
pub fn concerns() -> Query {
    let mut query = Query::default();
    let letters = quoted(&words::LETTERS);
    query.when("closed = 0");
    query.when_in("status", &words::ALIVE.map(String::from));
    query.when(&format!(
        "id IN (
            SELECT id FROM beads WHERE closed = 0 AND status <> 'open' AND status IN ({})
                AND assignee IS NOT NULL AND issue_type NOT IN ({letters})
            UNION SELECT id FROM beads WHERE closed = 0 AND issue_type = '{}'
            UNION SELECT request_for FROM beads WHERE closed = 0 AND request_for IS NOT NULL
            UNION SELECT id FROM labels WHERE label IN (?, ?))",
        quoted(words::ALIVE.iter().filter(|status| **status != words::OPEN)),
        words::MERGE_REQUEST,
    ));
    query.values.extend([words::LABEL_REWORK, words::LABEL_QUEUED].map(|label| Value::Text(label.into())));
    query
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rusqlite::StatementStatus;

    use super::super::{Embedded, schema};
    use super::*;
    use crate::beads::{Filter, Store, proven};
    use crate::model::bead::{Bead, Dependency, NewBead};

    /// One write: which bead, and what it becomes.
    #[derive(Clone, Debug)]
    enum Write {
        Bead { id: u8, status: usize, kind: usize, assignee: bool, label: usize, waits: Vec<u8> },
        Foreign { id: u8, foreign: bool },
        Request { id: u8, bead: u8, closed: bool, own: bool },
    }

    fn writes() -> impl Strategy<Value = Vec<Write>> {
        let ids = || 0..12u8;
        let (status, kind) = (0..6usize, 0..8usize);
        let bead = (ids(), status, kind, any::<bool>(), 0..6usize, proptest::collection::vec(ids(), 0..3));
        let one = prop_oneof![
            6 => bead.prop_map(|(id, status, kind, assignee, label, waits)| Write::Bead {
                id, status, kind, assignee, label, waits
            }),
            2 => (ids(), any::<bool>()).prop_map(|(id, foreign)| Write::Foreign { id, foreign }),
            2 => (20..24u8, ids(), any::<bool>(), any::<bool>())
                .prop_map(|(id, bead, closed, own)| Write::Request { id, bead, closed, own }),
        ];
        proptest::collection::vec(one, 0..40)
    }

    fn bead(id: u8) -> Bead {
        let time = format!("2026-01-01T00:00:{id:02}Z");
        Bead {
            id: format!("wy-{id}"),
            title: "x".into(),
            status: words::OPEN.into(),
            issue_type: "task".into(),
            created_at: time.clone(),
            updated_at: time,
            ..Bead::default()
        }
    }

    fn apply(store: &Embedded, secret: &Secret, write: &Write) {
        let made = match write {
            Write::Bead { id, status, kind, assignee, label, waits } => {
                let kinds = ["task", "task", "task", "task", "epic", "convoy", "message", "bug"];
                let labels =
                    [words::LABEL_HOLD, words::LABEL_SUBMITTED, words::LABEL_REWORK, "area", "gt:new", "b"];
                let waits = waits.iter().filter(|other| *other != id).map(|other| Dependency {
                    issue_id: format!("wy-{id}"),
                    depends_on_id: format!("wy-{other}"),
                    kind: if other % 4 == 3 { "related" } else { "blocks" }.into(),
                    ..Dependency::default()
                });
                Bead {
                    status: words::ALIVE.into_iter().chain([words::CLOSED]).nth(*status).unwrap().into(),
                    issue_type: kinds[*kind].into(),
                    assignee: assignee.then(|| "wyvern/Nux".into()),
                    labels: vec![labels[*label].into()],
                    dependencies: waits.collect(),
                    ..bead(*id)
                }
            }
            Write::Foreign { id, foreign } => {
                store
                    .transaction(|writer| {
                        Ok((schema::mark_foreign(writer.db, &format!("wy-{id}"), *foreign)?, true))
                    })
                    .unwrap();
                return;
            }
            Write::Request { id, bead: named, closed, own } => {
                let mut new = NewBead { id: Some(format!("wy-{id}")), ..NewBead::default() };
                new.metadata.insert("bead".into(), format!("wy-{named}").into());
                let other = Secret::new([9; 32]);
                proven::sign(if *own { secret } else { &other }, &mut new);
                let status = if *closed { words::CLOSED } else { words::OPEN };
                Bead {
                    issue_type: words::MERGE_REQUEST.into(),
                    status: status.into(),
                    metadata: new.metadata,
                    ..bead(*id)
                }
            }
        };
        store.transaction(|writer| Ok((schema::save(writer.db, &made)?, true))).unwrap();
    }

    fn store(secret: &Secret) -> (tempfile::TempDir, Embedded) {
        let dir = tempfile::tempdir().unwrap();
        Embedded::create(dir.path(), "wy").unwrap();
        let store = Embedded::open(dir.path(), "", "me").unwrap().knowing(Some(secret.clone()));
        store.db.pragma_update(None, "synchronous", "OFF").unwrap();
        // Every bead that a test's beads may wait for is there.
        for id in 0..12 {
            store.transaction(|writer| Ok((schema::save(writer.db, &bead(id))?, true))).unwrap();
        }
        (dir, store)
    }

    /// What a view takes of an overview: the rest may be there or not.
    fn seen(overview: Overview) -> (Vec<Bead>, usize, usize) {
        let named: Vec<String> =
            overview.beads.iter().filter_map(|bead| bead.meta("bead").map(String::from)).collect();
        let mut beads = overview.beads;
        beads.retain(|bead| {
            let held = bead.assignee.is_some() && bead.status != words::OPEN;
            let is_message = bead.is_mail();
            (held && !is_message)
                || bead.is_request()
                || bead.has_label(words::LABEL_REWORK)
                || named.contains(&bead.id)
        });
        (beads, overview.free, overview.foreign)
    }

    fn read_whole(store: &Embedded) -> Overview {
        Overview::of(store.list(&Filter::alive()).unwrap())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        /// What SQLite keeps is what is found by reading every bead, whatever was written, and in which order.
        #[test]
        fn the_glance_agrees_with_a_whole_reading(writes in writes()) {
            let secret = Secret::new([1; 32]);
            let (_dir, store) = store(&secret);
            for (number, write) in writes.iter().enumerate() {
                apply(&store, &secret, write);
                if number % 8 == 7 || number + 1 == writes.len() {
                    prop_assert_eq!(seen(store.overview().unwrap()), seen(read_whole(&store)), "{:?}", write);
                }
            }
            // Made anew, as in a store of an earlier version, they are the same.
            store.db.execute("DELETE FROM config WHERE key = 'overview'", []).unwrap();
            let before = store.overview().unwrap();
            prop_assert!(is_kept(&store.db).unwrap());
            prop_assert_eq!(before, store.overview().unwrap());
        }
    }

    #[test]
    fn a_blocker_that_is_not_in_the_store_is_not_known_to_be_done() {
        let secret = Secret::new([1; 32]);
        let (_dir, store) = store(&secret);
        assert_eq!(store.overview().unwrap().free, 12);
        let write = Write::Bead { id: 1, status: 0, kind: 0, assignee: false, label: 3, waits: vec![13] };
        let gone = Write::Bead { id: 13, status: 5, kind: 0, assignee: false, label: 3, waits: vec![] };
        apply(&store, &secret, &write);
        assert_eq!(store.overview().unwrap().free, 11);
        apply(&store, &secret, &gone);
        assert_eq!(store.overview().unwrap().free, 12);
    }

    #[test]
    fn what_everyday_commands_ask_costs_the_same_however_many_beads_are_open() {
        let secret = Secret::new([1; 32]);
        let (_dir, store) = store(&secret);
        for number in 0..6 {
            let write =
                Write::Bead { id: number, status: 2, kind: 0, assignee: true, label: 2, waits: vec![] };
            apply(&store, &secret, &write);
        }
        apply(&store, &secret, &Write::Request { id: 20, bead: 3, closed: false, own: true });
        let begun = vec![words::HOOKED.into(), words::IN_PROGRESS.into()];
        let filters = [
            Filter { statuses: begun, ..Filter::default() },
            Filter { types: vec![words::MERGE_REQUEST.into()], ..Filter::default() },
            Filter { labels: vec![words::LABEL_REWORK.into()], ..Filter::default() },
            Filter {
                types: vec![words::MESSAGE.into()],
                assignee: Some("wyvern/witness".into()),
                ..Filter::default()
            },
        ];
        // The steps of SQLite's own program, and the beads that are read.
        let cost = || {
            let steps = |sql: &str, values: Vec<Value>| {
                let mut query = store.db.prepare(sql).unwrap();
                let mut rows = query.query(rusqlite::params_from_iter(values)).unwrap();
                while rows.next().unwrap().is_some() {}
                drop(rows);
                query.get_status(StatementStatus::VmStep)
            };
            let all = filters.iter().map(read::of).chain([concerns()]);
            let mut costs: Vec<i32> = all.map(|query| steps(&query.sql(None), query.values)).collect();
            costs.push(steps("SELECT count(*) FROM free", vec![]));
            costs.push(steps("SELECT count(*) FROM foreign_work", vec![]));
            costs.push(steps(QUEUED, vec![Value::Text("[\"wy-3\"]".into())]));
            let before = schema::PARSED.get();
            assert!(store.overview().unwrap().beads.len() < 20);
            costs.push(i32::try_from(schema::PARSED.get() - before).unwrap());
            costs
        };
        let few = cost();
        let more = |writer: &super::super::write::Writer<'_>| {
            for number in 100..1100 {
                let id = format!("wy-{number}");
                schema::save(writer.db, &Bead { id: id.clone(), ..bead(30) })?;
                if number % 2 == 0 {
                    schema::mark_foreign(writer.db, &id, true)?;
                }
            }
            Ok(((), true))
        };
        store.transaction(more).unwrap();
        assert_eq!((store.overview().unwrap().free, store.overview().unwrap().foreign), (506, 500));
        assert_eq!(cost(), few);
    }
}
