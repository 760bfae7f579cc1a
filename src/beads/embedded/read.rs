//! Reading: the queries of `list` and `ready`.

use std::collections::HashMap;

use anyhow::Result;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::super::{Bead, Filter, words};
use super::schema;

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

    fn run(self, db: &Connection, limit: Option<usize>) -> Result<Vec<Bead>> {
        let mut sql = String::from("SELECT bead FROM beads b");
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
            beads.push(schema::parse(row.get_ref(0)?.as_str()?)?);
        }
        Ok(beads)
    }
}

/// Beads that match the filter.
pub fn list(db: &Connection, filter: &Filter) -> Result<Vec<Bead>> {
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
    query.run(db, filter.limit)
}

/// Open work that nothing blocks. `parent` narrows it to the bead's descendants, as bd does.
pub fn ready(db: &Connection, parent: Option<&str>, limit: Option<usize>) -> Result<Vec<Bead>> {
    let mut query = Query::default();
    query.when("closed = 0 AND status = 'open'");
    query.when(&format!("issue_type NOT IN ({NO_WORK})"));
    query.when(&format!(
        "NOT EXISTS (SELECT 1 FROM labels l WHERE l.id = b.id AND l.label IN ('{}', '{}'))",
        words::LABEL_HOLD,
        words::LABEL_SUBMITTED
    ));
    query.when("NOT EXISTS (SELECT 1 FROM beads r WHERE r.closed = 0 AND r.request_for = b.id)");
    // A blocker that is not in the store is unknown, and so not known to be done.
    query.when(
        "NOT EXISTS (SELECT 1 FROM edges e LEFT JOIN beads t ON t.id = e.target
             WHERE e.id = b.id AND e.kind = 'blocks' AND (t.id IS NULL OR t.closed = 0
             OR EXISTS (SELECT 1 FROM beads r WHERE r.closed = 0 AND r.request_for = t.id)))",
    );
    if let Some(parent) = parent {
        query.when_is(
            "id IN (WITH RECURSIVE under (id) AS (
                 SELECT id FROM edges WHERE target = ? AND kind = 'parent-child'
                 UNION SELECT e.id FROM edges e JOIN under u ON e.target = u.id WHERE e.kind = 'parent-child')
             SELECT id FROM under)",
            parent,
        );
    }
    query.run(db, limit)
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
