//! Reading: the queries of `list` and `ready`.

use std::collections::HashMap;

use anyhow::Result;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::super::{Bead, Filter, proven, words};
use super::schema;
use crate::proof::Secret;

/// Types that are never work to take up: letters, requests and what bd runs itself on.
const NO_WORK: &str = "'message', 'merge-request', 'gate', 'molecule', 'event', 'agent', 'role', 'rig'";

const ORDER: &str = " ORDER BY priority, created, seq";

/// A query under construction: its conditions and their values, in order.
#[derive(Default)]
struct Query {
    conditions: Vec<String>,
    values: Vec<Value>,
}

impl Query {
    fn when(&mut self, condition: &str) {
        self.conditions.push(condition.into());
    }

    fn when_is(&mut self, condition: &str, value: &str) {
        self.when(condition);
        self.values.push(Value::Text(value.into()));
    }

    fn when_in(&mut self, column: &str, values: &[String]) {
        let marks = vec!["?"; values.len()].join(", ");
        self.when(&format!("{column} IN ({marks})"));
        self.values.extend(values.iter().cloned().map(Value::Text));
    }

    fn run(self, db: &Connection, limit: Option<usize>, secret: Option<&Secret>) -> Result<Vec<Bead>> {
        let mut sql = format!("SELECT bead, {} FROM beads b", schema::IS_FOREIGN);
        if !self.conditions.is_empty() {
            sql += " WHERE ";
            sql += &self.conditions.join(" AND ");
        }
        sql += ORDER;
        if let Some(limit) = limit {
            sql += &format!(" LIMIT {limit}");
        }
        let mut query = db.prepare(&sql)?;
        let mut rows = query.query(params_from_iter(self.values))?;
        let mut beads = Vec::new();
        while let Some(row) = rows.next()? {
            let bead = schema::parse(row.get_ref(0)?.as_str()?)?;
            beads.push(Bead { foreign: row.get(1)?, ..bead });
        }
        proven::mark(secret, &mut beads);
        Ok(beads)
    }
}

/// Beads that match the filter.
pub fn list(db: &Connection, filter: &Filter, secret: Option<&Secret>) -> Result<Vec<Bead>> {
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
        query.when_in("status", &filter.statuses);
    }
    if !filter.types.is_empty() {
        query.when_in("issue_type", &filter.types);
    } else if !everything {
        query.when(&format!("issue_type NOT IN ('{}', '{}')", words::MESSAGE, words::MERGE_REQUEST));
    }
    if let Some(assignee) = &filter.assignee {
        query.when_is("assignee = ?", assignee);
    }
    for label in &filter.labels {
        query.when_is("EXISTS (SELECT 1 FROM labels l WHERE l.id = b.id AND l.label = ?)", label);
    }
    if let Some(parent) = &filter.parent {
        query.when_is("id IN (SELECT id FROM edges WHERE target = ? AND kind = 'parent-child')", parent);
    }
    query.run(db, filter.limit, secret)
}

/// Open work that nothing blocks. `parent` narrows it to the bead's descendants, as bd does.
pub fn ready(
    db: &Connection,
    parent: Option<&str>,
    limit: Option<usize>,
    secret: Option<&Secret>,
) -> Result<Vec<Bead>> {
    let in_queue = in_queue(db, secret)?;
    let mut query = Query::default();
    query.when("closed = 0 AND status = 'open'");
    query.when(&format!("issue_type NOT IN ({NO_WORK})"));
    query.when(&format!("NOT {}", schema::IS_FOREIGN));
    query.when(&format!(
        "NOT EXISTS (SELECT 1 FROM labels l WHERE l.id = b.id AND l.label IN ('{}', '{}'))",
        words::LABEL_HOLD,
        words::LABEL_SUBMITTED
    ));
    let in_queue = serde_json::to_string(&in_queue)?;
    query.when_is("b.id NOT IN (SELECT value FROM json_each(?))", &in_queue);
    // A blocker that is not in the store is unknown, and so not known to be done.
    query.when(
        "NOT EXISTS (SELECT 1 FROM edges e LEFT JOIN beads t ON t.id = e.target
             WHERE e.id = b.id AND e.kind = 'blocks' AND (t.id IS NULL OR t.closed = 0))",
    );
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
    query.run(db, limit, secret)
}

/// The beads whose requests wait to be merged. A foreign request keeps nothing from being started.
fn in_queue(db: &Connection, secret: Option<&Secret>) -> Result<Vec<String>> {
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

/// How many beads wait for each of these: (by `blocks` edges, by any edge).
pub fn dependents<'a>(
    db: &Connection,
    ids: impl Iterator<Item = &'a str>,
) -> Result<HashMap<String, (usize, usize)>> {
    let mut query = db.prepare_cached(
        "SELECT count(*) FILTER (WHERE kind = 'blocks'), count(*) FROM edges WHERE target = ?1",
    )?;
    let mut counts = HashMap::new();
    for id in ids {
        let count: (i64, i64) = query.query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let of = |count: i64| usize::try_from(count).unwrap_or_default();
        counts.insert(id.to_string(), (of(count.0), of(count.1)));
    }
    Ok(counts)
}

/// Every bead, by id.
pub fn all(db: &Connection) -> Result<Vec<Bead>> {
    let mut query = db.prepare("SELECT bead FROM beads ORDER BY id")?;
    let mut rows = query.query([])?;
    let mut beads = Vec::new();
    while let Some(row) = rows.next()? {
        beads.push(schema::parse(row.get_ref(0)?.as_str()?)?);
    }
    Ok(beads)
}

/// Ids of beads that are marked as foreign.
pub fn foreign(db: &Connection) -> Result<Vec<String>> {
    let mut query =
        db.prepare(&format!("SELECT id FROM beads b WHERE {} ORDER BY id", schema::IS_FOREIGN))?;
    let ids = query.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(ids)
}
