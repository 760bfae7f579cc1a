//! Reading: the queries of `list` and `ready`.

use std::collections::{BTreeMap, VecDeque};

use anyhow::Result;
use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};

use super::schema;
use crate::base::proof::Secret;
use crate::beads::{Filter, letters, proven};
use crate::model::bead::Bead;
use crate::model::words;

/// Condition: what the bead of the row `b` waits for is done. A blocker that is not in the store is unknown, and so not
/// known to be done.
pub const NOTHING_BLOCKS: &str = "NOT EXISTS (SELECT 1 FROM edges e LEFT JOIN beads t ON t.id = e.target
    WHERE e.id = b.id AND e.kind = 'blocks' AND (t.id IS NULL OR t.closed = 0))";

const ORDER: &str = " ORDER BY priority, created, seq";

/// A query under construction: its conditions and their values, in order.
#[derive(Default)]
pub struct Query {
    conditions: Vec<String>,
    /// In the order of the marks for them.
    pub values: Vec<Value>,
}

impl Query {
    /// Adds a condition.
    pub fn when(&mut self, condition: &str) {
        self.conditions.push(condition.into());
    }

    fn when_is(&mut self, condition: &str, value: &str) {
        self.when(condition);
        self.values.push(Value::Text(value.into()));
    }

    /// Adds the condition that a column is one of these.
    pub fn when_in(&mut self, column: &str, values: &[String]) {
        let marks = vec!["?"; values.len()].join(", ");
        self.when(&format!("{column} IN ({marks})"));
        self.values.extend(values.iter().cloned().map(Value::Text));
    }

    /// Its text.
    pub fn sql(&self, limit: Option<usize>) -> String {
        let mut sql = format!("SELECT bead, {} FROM beads b{}{ORDER}", schema::IS_FOREIGN, self.conditions());
        if let Some(limit) = limit {
            sql += &format!(" LIMIT {limit}");
        }
        sql
    }

    /// The beads that it finds.
    pub fn run(self, db: &Connection, limit: Option<usize>, secret: Option<&Secret>) -> Result<Vec<Bead>> {
        let mut beads = Vec::new();
        self.each(db, limit, secret, |bead| {
            beads.push(bead);
            Ok(true)
        })?;
        Ok(beads)
    }

    /// Gives the beads that it finds to `take`, one after the other.
    pub fn each(
        self,
        db: &Connection,
        limit: Option<usize>,
        secret: Option<&Secret>,
        mut take: impl FnMut(Bead) -> Result<bool>,
    ) -> Result<()> {
        let mut query = db.prepare(&self.sql(limit))?;
        let mut rows = query.query(params_from_iter(self.values))?;
        while let Some(row) = rows.next()? {
            let bead = schema::parse(row.get_ref(0)?.as_str()?)?;
            let mut bead = [Bead { foreign: row.get(1)?, ..bead }];
            proven::mark(secret, &mut bead);
            letters::mark(secret, true, &mut bead);
            let [bead] = bead;
            if !take(bead)? {
                break;
            }
        }
        Ok(())
    }

    /// How many beads it finds.
    pub fn count(self, db: &Connection) -> Result<usize> {
        let sql = format!("SELECT count(*) FROM beads b{}", self.conditions());
        let count: i64 = db.prepare(&sql)?.query_row(params_from_iter(self.values), |row| row.get(0))?;
        Ok(usize::try_from(count).unwrap_or_default())
    }

    /// How many characters the longest id, status and type have.
    pub fn widths(self, db: &Connection) -> Result<[usize; 3]> {
        let columns = "max(length(id)), max(length(status)), max(length(issue_type))";
        let sql = format!("SELECT {columns} FROM beads b{}", self.conditions());
        let width = |row: &rusqlite::Row<'_>, at: usize| -> rusqlite::Result<usize> {
            Ok(usize::try_from(row.get::<_, Option<i64>>(at)?.unwrap_or_default()).unwrap_or_default())
        };
        let mut query = db.prepare(&sql)?;
        let of = |row: &rusqlite::Row<'_>| Ok([width(row, 0)?, width(row, 1)?, width(row, 2)?]);
        Ok(query.query_row(params_from_iter(self.values), of)?)
    }

    fn conditions(&self) -> String {
        match self.conditions.is_empty() {
            true => String::new(),
            false => format!(" WHERE {}", self.conditions.join(" AND ")),
        }
    }
}

/// The query of the beads that match the filter, but for its limit.
pub fn of(filter: &Filter) -> Query {
    let mut query = Query::default();
    let everything = filter.all || !filter.ids.is_empty();
    if !filter.ids.is_empty() {
        query.when_in("id", &filter.ids);
    }
    let closed = |status: &String| schema::CLOSED.contains(&status.as_str());
    if filter.statuses.is_empty() {
        if !everything {
            query.when("closed = 0");
        }
    } else {
        if !filter.statuses.iter().any(closed) {
            // Says the same again, in the words of the partial indexes.
            query.when("closed = 0");
        }
        if !filter.statuses.iter().any(|status| status == words::OPEN) {
            query.when("status <> 'open'");
        }
        query.when_in("status", &filter.statuses);
    }
    if !filter.types.is_empty() {
        query.when_in("issue_type", &filter.types);
    } else if !everything {
        query.when(&format!("issue_type NOT IN ('{}', '{}')", words::MESSAGE, words::MERGE_REQUEST));
    }
    if filter.foreign {
        // Of requests and mail the proof tells.
        query.when(&format!(
            "(issue_type IN ({}) OR {})",
            schema::quoted(&words::LETTERS),
            schema::IS_FOREIGN
        ));
    }
    if let Some(assignee) = &filter.assignee {
        query.when_is("assignee = ?", assignee);
    }
    for label in &filter.labels {
        // A few are found soonest in the order of the list; all of them by the label.
        query.when_is(
            match filter.limit {
                Some(_) => "EXISTS (SELECT 1 FROM labels l WHERE l.id = b.id AND l.label = ?)",
                None => "id IN (SELECT id FROM labels WHERE label = ?)",
            },
            label,
        );
    }
    if let Some(priority) = filter.priority {
        query.when(&format!("priority = {priority}"));
    }
    if let Some(parent) = &filter.parent {
        query.when_is("id IN (SELECT id FROM edges WHERE target = ? AND kind = 'parent-child')", parent);
    }
    query
}

/// Open work that nothing blocks. `parent` narrows it to the bead's descendants, as bd does.
pub fn ready(db: &Connection, parent: Option<&str>, secret: Option<&Secret>) -> Result<Query> {
    let in_queue = in_queue(db, secret)?;
    let mut query = Query::default();
    query.when("closed = 0 AND status = 'open'");
    query.when(&format!("issue_type NOT IN ({})", schema::quoted(&words::NOT_READY)));
    query.when(&format!("NOT {}", schema::IS_FOREIGN));
    query.when(&format!(
        "NOT EXISTS (SELECT 1 FROM labels l WHERE l.id = b.id AND l.label IN ('{}', '{}'))",
        words::LABEL_HOLD,
        words::LABEL_SUBMITTED
    ));
    let in_queue = serde_json::to_string(&in_queue)?;
    query.when_is("b.id NOT IN (SELECT value FROM json_each(?))", &in_queue);
    query.when(NOTHING_BLOCKS);
    let waits = "b.id NOT IN (SELECT e.id FROM edges e WHERE e.kind = 'blocks' AND e.target IN (SELECT value FROM json_each(?)))";
    query.when_is(waits, &in_queue);
    if let Some(parent) = parent {
        query.when_is(
            "id IN (WITH RECURSIVE under (id) AS (
                 SELECT id FROM edges WHERE target = ? AND kind = 'parent-child'
                 UNION SELECT e.id FROM edges e JOIN under u ON e.target = u.id WHERE e.kind = 'parent-child')
             SELECT id FROM under)",
            parent,
        );
    }
    Ok(query)
}

/// How many beads there are of each status, requests and mail left out.
pub fn statuses(db: &Connection) -> Result<BTreeMap<String, usize>> {
    let letters = schema::quoted(&words::LETTERS);
    let sql =
        format!("SELECT status, count(*) FROM beads WHERE issue_type NOT IN ({letters}) GROUP BY status");
    let mut query = db.prepare(&sql)?;
    let pair = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, i64>(1)?));
    let pairs = query.query_map([], pair)?.collect::<rusqlite::Result<Vec<(String, i64)>>>()?;
    Ok(pairs
        .into_iter()
        .map(|(status, count)| (status, usize::try_from(count).unwrap_or_default()))
        .collect())
}

/// The beads whose requests wait to be merged. A foreign request keeps nothing from being started.
pub fn in_queue(db: &Connection, secret: Option<&Secret>) -> Result<Vec<String>> {
    let mut query = db.prepare_cached(
        "SELECT bead FROM beads WHERE closed = 0 AND request_for IS NOT NULL ORDER BY request_for",
    )?;
    let mut rows = query.query([])?;
    let mut requests = Vec::new();
    while let Some(row) = rows.next()? {
        requests.push(schema::parse(row.get_ref(0)?.as_str()?)?);
    }
    proven::mark(secret, &mut requests);
    let own = requests.iter().filter(|request| !request.foreign);
    Ok(own.filter_map(|request| request.meta("bead").map(String::from)).collect())
}

/// How many beads wait for this one: (by `blocks` edges, by any edge).
pub fn waiting_for(db: &Connection, id: &str) -> Result<(usize, usize)> {
    let mut query = db.prepare_cached(
        "SELECT count(*) FILTER (WHERE kind = 'blocks'), count(*) FROM edges WHERE target = ?1",
    )?;
    let count: (i64, i64) = query.query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let of = |count: i64| usize::try_from(count).unwrap_or_default();
    Ok((of(count.0), of(count.1)))
}

/// Gives every bead to `take`, by id, for as long as that gives true.
pub fn each(db: &Connection, mut take: impl FnMut(Bead) -> Result<bool>) -> Result<()> {
    let mut query = db.prepare("SELECT bead FROM beads ORDER BY id")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        if !take(schema::parse(row.get_ref(0)?.as_str()?)?)? {
            break;
        }
    }
    Ok(())
}

/// How many beads are read at once.
const PAGE: usize = 256;

/// Every bead, by id, those that are marked as foreign so, page by page: no query is under way while others are written that
/// come before the last one read.
pub struct Pages<'a> {
    db: &'a Connection,
    page: VecDeque<Bead>,
    last: Option<String>,
}

impl<'a> Pages<'a> {
    /// Begins before the first.
    pub fn new(db: &'a Connection) -> Pages<'a> {
        Pages { db, page: VecDeque::new(), last: Some(String::new()) }
    }

    fn turn(&mut self) -> Result<()> {
        let Some(last) = self.last.take() else { return Ok(()) };
        let sql =
            format!("SELECT bead, {} FROM beads b WHERE id > ?1 ORDER BY id LIMIT ?2", schema::IS_FOREIGN);
        let mut query = self.db.prepare_cached(&sql)?;
        let mut rows = query.query(params![last, PAGE as i64])?;
        while let Some(row) = rows.next()? {
            let bead = schema::parse(row.get_ref(0)?.as_str()?)?;
            self.page.push_back(Bead { foreign: row.get(1)?, ..bead });
        }
        self.last = self.page.back().map(|bead| bead.id.clone());
        Ok(())
    }
}

impl Iterator for Pages<'_> {
    type Item = Result<Bead>;

    fn next(&mut self) -> Option<Result<Bead>> {
        if self.page.is_empty()
            && let Err(error) = self.turn()
        {
            return Some(Err(error));
        }
        self.page.pop_front().map(Ok)
    }
}

/// Every bead, by id.
pub fn all(db: &Connection) -> Result<Vec<Bead>> {
    let mut beads = Vec::new();
    each(db, |bead| {
        beads.push(bead);
        Ok(true)
    })?;
    Ok(beads)
}

/// Ids of beads that are marked as foreign.
pub fn foreign(db: &Connection) -> Result<Vec<String>> {
    let mut query =
        db.prepare(&format!("SELECT id FROM beads b WHERE {} ORDER BY id", schema::IS_FOREIGN))?;
    let ids = query.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::super::Embedded;
    use super::*;
    use crate::beads::{Change, ImportOrigin, Store};
    use crate::model::bead::NewBead;

    /// A store with twenty beads.
    fn twenty() -> (tempfile::TempDir, Embedded) {
        let dir = tempfile::tempdir().unwrap();
        Embedded::create(dir.path(), "wy").unwrap();
        let store = Embedded::open(dir.path(), "", "me").unwrap();
        let new = |number: usize| NewBead { title: format!("Bead {number}"), ..NewBead::default() };
        let all: Vec<Change> = (0..20).map(|number| Change::Create(Box::new(new(number)))).collect();
        store.write(&[], &all).unwrap();
        (dir, store)
    }

    #[test]
    fn to_count_to_import_and_to_find_what_is_foreign_reads_no_other_bead() {
        let (_dir, store) = twenty();
        let before = schema::PARSED.get();
        let (statuses, ready) = store.counts().unwrap();
        assert_eq!((statuses["open"], ready, schema::PARSED.get() - before), (20, 20, 0));
        let time = "2026-01-01T00:00:00Z";
        let line = format!("{{\"id\":\"wy-new\",\"title\":\"x\",\"created_at\":\"{time}\"}}\n");
        let imported = store.import(&mut line.as_bytes(), ImportOrigin::Foreign).unwrap();
        assert_eq!((imported.foreign.len(), schema::PARSED.get() - before), (1, 0));
        assert_eq!(store.list(&Filter::foreign()).unwrap().len(), 1);
        assert_eq!(schema::PARSED.get() - before, 1);
        let bad = format!("{line}{{}}\n").replace("wy-new", "wy-other");
        assert!(store.import(&mut bad.as_bytes(), ImportOrigin::Foreign).is_err());
        assert_eq!(store.counts().unwrap().0["open"], 21, "nothing of it was taken in");
    }

    #[test]
    fn what_nobody_reads_on_is_not_read_to_its_end() {
        let (_dir, store) = twenty();
        let before = schema::PARSED.get();
        store.each(&Filter::default(), |_| Ok(false)).unwrap();
        store.export_lines(&mut |_| Ok(false)).unwrap();
        assert_eq!(schema::PARSED.get() - before, 2);
        // Its columns are known without any.
        let widths = store.widths(&Filter::default()).unwrap();
        assert_eq!((widths[1], widths[2], schema::PARSED.get() - before), (4, 4, 2));
        assert_eq!(store.widths(&Filter { priority: Some(0), ..Filter::default() }).unwrap(), [0; 3]);
    }
}
