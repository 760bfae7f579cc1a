//! Writing: each change checked and applied inside the caller's transaction.

use std::hash::{BuildHasher, Hasher};

use anyhow::Result;
use rusqlite::Connection;

use super::schema;
use crate::base::failure::Failure;
use crate::base::proof::Secret;
use crate::base::time;
use crate::beads::{Change, letters, proven};
use crate::model::bead::{Bead, Comment, Dependency, NewBead, Patch, TITLE_MAX};
use crate::model::words;

/// Types every store accepts; more come from its `types.custom`.
const TYPES: [&str; 20] = [
    "task",
    "bug",
    "feature",
    "epic",
    "chore",
    "decision",
    "spike",
    "story",
    "milestone",
    "message",
    "convoy",
    "merge-request",
    "event",
    "gate",
    "molecule",
    "role",
    "agent",
    "rig",
    "slot",
    "wisp",
];

const STATUSES: [&str; 7] =
    [words::OPEN, words::HOOKED, words::IN_PROGRESS, "blocked", "deferred", "pinned", words::CLOSED];

/// What a transaction writes with.
pub struct Writer<'a> {
    /// The store, inside a transaction.
    pub db: &'a Connection,
    /// Prefix of new ids.
    pub prefix: &'a str,
    /// Other prefixes that a chosen id may have.
    pub prefixes: &'a [String],
    /// Who writes.
    pub actor: &'a str,
    /// The town's secret, for what gt itself writes.
    pub secret: Option<&'a Secret>,
}

impl Writer<'_> {
    /// Applies one change; gives the id of a bead it made.
    ///
    /// # Errors
    /// When a value is refused or a bead does not exist.
    pub fn apply(&self, change: &Change) -> Result<Option<String>> {
        let now = &time::now();
        match change {
            Change::Create(new) => return self.create(new, now).map(Some),
            Change::Update(id, patch) => self.update(id, patch, now)?,
            Change::Close(id, reason) => {
                self.edit(id, now, |bead| {
                    set_status(bead, words::CLOSED, now);
                    bead.closed_at = Some(now.into());
                    bead.close_reason.clone_from(reason);
                    Ok(())
                })?;
            }
            Change::Comment(id, text) => self.comment(id, text, now)?,
            Change::Depend(id, target, kind) => self.depend(id, target, kind, now)?,
        }
        Ok(None)
    }

    /// Takes the edges from one bead to another away; false when there were none.
    ///
    /// # Errors
    /// When the bead does not exist.
    pub fn undepend(&self, id: &str, target: &str) -> Result<bool> {
        let mut found = false;
        self.edit(id, &time::now(), |bead| {
            let before = bead.dependencies.len();
            bead.dependencies.retain(|edge| edge.depends_on_id != target);
            found = bead.dependencies.len() < before;
            Ok(())
        })?;
        Ok(found)
    }

    fn edit(&self, id: &str, now: &str, change: impl FnOnce(&mut Bead) -> Result<()>) -> Result<()> {
        let mut bead = schema::load(self.db, id)?.ok_or_else(|| missing(id))?;
        change(&mut bead)?;
        bead.updated_at = now.into();
        schema::save(self.db, &bead)
    }

    fn create(&self, new: &NewBead, now: &str) -> Result<String> {
        check_title(&new.title)?;
        let issue_type = if new.issue_type.is_empty() { "task" } else { &new.issue_type };
        self.check_type(issue_type)?;
        check_priority(new.priority)?;
        check_estimate(new.estimated_minutes)?;
        let id = self.new_id(new)?;
        let mut bead = Bead {
            id: id.clone(),
            title: new.title.clone(),
            description: new.description.clone(),
            design: new.design.clone(),
            acceptance_criteria: new.acceptance_criteria.clone(),
            notes: new.notes.clone(),
            status: words::OPEN.into(),
            priority: new.priority.unwrap_or(2),
            issue_type: issue_type.into(),
            assignee: new.assignee.clone().filter(|name| !name.is_empty()),
            estimated_minutes: new.estimated_minutes,
            created_at: now.into(),
            created_by: self.actor.into(),
            updated_at: now.into(),
            external_ref: new.external_ref.clone().filter(|name| !name.is_empty()),
            metadata: new.metadata.clone(),
            ..Bead::default()
        };
        add_labels(&mut bead, &new.labels)?;
        if let Some(secret) = self.secret.filter(|_| new.signed) {
            let proof = letters::proof(secret, &id, &bead);
            bead.metadata.insert(proven::META_PROOF.into(), proof.into());
        }
        schema::save(self.db, &bead)?;
        if let Some(parent) = &new.parent {
            self.depend(&id, parent, "parent-child", now)?;
        }
        for (target, kind) in &new.dependencies {
            self.depend(&id, target, kind, now)?;
        }
        Ok(id)
    }

    fn update(&self, id: &str, patch: &Patch, now: &str) -> Result<()> {
        if let Some(issue_type) = &patch.issue_type {
            self.check_type(issue_type)?;
        }
        self.edit(id, now, |bead| change(bead, patch, now))
    }

    fn comment(&self, id: &str, text: &str, now: &str) -> Result<()> {
        if text.trim().is_empty() {
            return Err(Failure::usage(format!("the comment on {id} is empty")).into());
        }
        self.edit(id, now, |bead| {
            let comment = Comment {
                id: format!("{:016x}{:016x}", schema::micros(now).unwrap_or_default(), random()).into(),
                issue_id: id.into(),
                author: self.actor.into(),
                text: text.into(),
                created_at: now.into(),
                ..Comment::default()
            };
            bead.comments.push(comment);
            Ok(())
        })
    }

    fn depend(&self, id: &str, target: &str, kind: &str, now: &str) -> Result<()> {
        if id == target {
            return Err(Failure::usage(format!("{id} cannot depend on itself")).into());
        }
        if kind.is_empty() || !kind.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '-' | '_')) {
            return Err(Failure::usage(format!("invalid dependency type: {kind}")).into());
        }
        if !schema::exists(self.db, target)? {
            return Err(missing(target));
        }
        let mut bead = schema::load(self.db, id)?.ok_or_else(|| missing(id))?;
        if let Some(edge) = bead.dependencies.iter().find(|edge| edge.depends_on_id == target) {
            if edge.kind == kind {
                return Ok(());
            }
            let message = format!("{id} depends on {target} already, as {}", edge.kind);
            return Err(Failure::new(message).hint(format!("first: bd dep remove {id} {target}")).into());
        }
        if matches!(kind, "blocks" | "parent-child") && self.reaches(target, id, kind)? {
            return Err(Failure::new(format!(
                "{id} → {target} would close a cycle of '{kind}' dependencies"
            ))
            .hint(format!("see what {target} depends on with: bd show {target}"))
            .into());
        }
        bead.dependencies.push(Dependency {
            issue_id: id.into(),
            depends_on_id: target.into(),
            kind: kind.into(),
            created_at: now.into(),
            created_by: self.actor.into(),
            ..Dependency::default()
        });
        bead.updated_at = now.into();
        schema::save(self.db, &bead)
    }

    fn reaches(&self, from: &str, to: &str, kind: &str) -> Result<bool> {
        let mut query = self.db.prepare_cached(
            "WITH RECURSIVE above (id) AS (VALUES (?1)
                 UNION SELECT e.target FROM edges e JOIN above a ON e.id = a.id WHERE e.kind = ?3)
             SELECT 1 FROM above WHERE id = ?2",
        )?;
        Ok(query.exists([from, to, kind])?)
    }

    fn check_type(&self, issue_type: &str) -> Result<()> {
        if TYPES.contains(&issue_type) {
            return Ok(());
        }
        let custom = schema::config(self.db, "types.custom")?.unwrap_or_default();
        if !issue_type.is_empty() && custom.split(',').any(|own| own.trim() == issue_type) {
            return Ok(());
        }
        Err(Failure::usage(format!("invalid issue type: {issue_type}"))
            .hint(format!("a type is one of {}", TYPES.join(", ")))
            .into())
    }

    fn new_id(&self, new: &NewBead) -> Result<String> {
        if let Some(parent) = &new.parent {
            if !schema::exists(self.db, parent)? {
                return Err(missing(parent));
            }
            if new.id.is_none() {
                return self.child_id(parent);
            }
        }
        match &new.id {
            Some(id) => self.own_id(id),
            None => self.hash_id(),
        }
    }

    fn own_id(&self, id: &str) -> Result<String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        let fits = |prefix: &str| {
            let rest = id.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('-')).unwrap_or_default();
            !rest.is_empty() && rest.chars().all(plain)
        };
        let mut prefixes = std::iter::once(self.prefix).chain(self.prefixes.iter().map(String::as_str));
        if id.len() > 100 || !prefixes.clone().any(fits) {
            let first = prefixes.by_ref().map(|prefix| format!("{prefix}-")).collect::<Vec<_>>().join(" or ");
            return Err(Failure::usage(format!("'{id}' cannot be an id in this store"))
                .hint(format!(
                    "ids here begin with {first} and go on in letters, digits, - . _; \
                     a rig's beads are created in the rig's folder; other prefixes: beads.prefixes in its config.json"
                ))
                .into());
        }
        if schema::exists(self.db, id)? {
            return Err(Failure::new(format!("{id} exists already")).into());
        }
        Ok(id.into())
    }

    fn child_id(&self, parent: &str) -> Result<String> {
        // '/' follows '.' in ASCII: the range holds exactly what begins with "PARENT.".
        let mut query =
            self.db.prepare_cached("SELECT id FROM beads WHERE id > ?1 || '.' AND id < ?1 || '/'")?;
        let mut rows = query.query([parent])?;
        let mut last = 0u64;
        while let Some(row) = rows.next()? {
            let number = row.get_ref(0)?.as_str()?.get(parent.len() + 1..).and_then(|rest| rest.parse().ok());
            last = last.max(number.unwrap_or(0));
        }
        Ok(format!("{parent}.{}", last + 1))
    }

    fn hash_id(&self) -> Result<String> {
        for length in 3..=12 {
            for _ in 0..8 {
                let id = format!("{}-{}", self.prefix, base36(random(), length));
                if !schema::exists(self.db, &id)? {
                    return Ok(id);
                }
            }
        }
        crate::fail!("no free id with the prefix {}", self.prefix)
    }
}

/// Other values for some fields.
pub fn change(bead: &mut Bead, patch: &Patch, now: &str) -> Result<()> {
    check_priority(patch.priority)?;
    check_estimate(patch.estimated_minutes)?;
    if let Some(title) = &patch.title {
        check_title(title)?;
        bead.title.clone_from(title);
    }
    if let Some(status) = &patch.status {
        if !STATUSES.contains(&status.as_str()) {
            let hint = format!("a status is one of {}", STATUSES.join(", "));
            return Err(Failure::usage(format!("invalid status: {status}")).hint(hint).into());
        }
        set_status(bead, status, now);
    }
    if let Some(assignee) = &patch.assignee {
        bead.assignee = assignee.clone().filter(|name| !name.is_empty());
    }
    let texts = [
        (&patch.description, &mut bead.description),
        (&patch.design, &mut bead.design),
        (&patch.acceptance_criteria, &mut bead.acceptance_criteria),
        (&patch.notes, &mut bead.notes),
        (&patch.issue_type, &mut bead.issue_type),
    ];
    for (new, field) in texts {
        if let Some(new) = new {
            field.clone_from(new);
        }
    }
    if let Some(more) = &patch.append_notes {
        if !bead.notes.is_empty() {
            bead.notes.push('\n');
        }
        bead.notes.push_str(more);
    }
    bead.priority = patch.priority.unwrap_or(bead.priority);
    bead.estimated_minutes = patch.estimated_minutes.or(bead.estimated_minutes);
    if let Some(name) = &patch.external_ref {
        bead.external_ref = Some(name.clone()).filter(|name| !name.is_empty());
    }
    bead.labels.retain(|label| !patch.remove_labels.contains(label));
    add_labels(bead, &patch.add_labels)?;
    for (key, value) in &patch.metadata {
        if value.is_null() {
            bead.metadata.shift_remove(key);
        } else {
            bead.metadata.insert(key.clone(), value.clone());
        }
    }
    Ok(())
}

/// Another status, with the times that go with it.
pub fn set_status(bead: &mut Bead, status: &str, now: &str) {
    if status == words::CLOSED {
        if !bead.is_closed() {
            bead.closed_at = Some(now.into());
        }
    } else {
        bead.closed_at = None;
        bead.close_reason.clear();
    }
    if status == words::IN_PROGRESS && bead.started_at.is_none() {
        bead.started_at = Some(now.into());
    }
    bead.status = status.into();
}

fn add_labels(bead: &mut Bead, labels: &[String]) -> Result<()> {
    for label in labels {
        let label = label.trim();
        if label.is_empty() || label.chars().any(char::is_control) {
            return Err(Failure::usage(format!("invalid label: {label:?}")).into());
        }
        bead.labels.push(label.into());
    }
    bead.labels.sort();
    bead.labels.dedup();
    Ok(())
}

/// Refuses a title that is empty, too long, or more than one line.
pub fn check_title(title: &str) -> Result<()> {
    let length = title.chars().count();
    let wrong = if title.trim().is_empty() {
        "title is empty".to_string()
    } else if length > TITLE_MAX {
        format!("title is {length} characters long, more than {TITLE_MAX}")
    } else if title.contains(['\n', '\r']) {
        "title has more than one line".to_string()
    } else {
        return Ok(());
    };
    Err(Failure::usage(wrong).hint("a title is one short line; the rest belongs in --description").into())
}

/// Refuses what is not 0 to 4.
pub fn check_priority(priority: Option<u8>) -> Result<()> {
    match priority {
        Some(priority) if priority > 4 => {
            Err(Failure::usage(format!("invalid priority: {priority}")).hint("0 is first, 4 is last").into())
        }
        _ => Ok(()),
    }
}

fn check_estimate(minutes: Option<i64>) -> Result<()> {
    match minutes {
        Some(minutes) if minutes < 0 => {
            Err(Failure::usage(format!("invalid estimate: {minutes} minutes")).into())
        }
        _ => Ok(()),
    }
}

/// No bead has this id.
pub fn missing(id: &str) -> anyhow::Error {
    Failure::new(format!("no issue found matching \"{id}\"")).hint("see them all with: bd list --all").into()
}

/// An id that no other bead is likely to have: for a bead whose id has to be known before it is written.
pub fn random_id(prefix: &str) -> String {
    format!("{prefix}-{}", base36(random(), 7))
}

/// A random number: the standard library's own source for its hash maps.
fn random() -> u64 {
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}

fn base36(mut number: u64, length: usize) -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut text = String::with_capacity(length);
    for _ in 0..length {
        text.push(char::from(DIGITS[(number % 36) as usize]));
        number /= 36;
    }
    text
}
