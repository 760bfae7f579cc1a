//! bd's JSONL: export and import, both ways, losing nothing.
//!
//! A line is a bead. bd 1.0 marks it `"_type":"issue"` and adds counts that follow from the rest; 0.46 does neither.
//! gt writes the form of 1.0, which both read.

use std::collections::HashMap;
use std::io::BufRead;

use anyhow::{Result, anyhow};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::base::failure::Failure;
use crate::base::grammar::is_bead_id;
use crate::model::bead::Bead;
use crate::model::words;

/// Fields that follow from others: dropped when read, made anew when written.
const DERIVED: [&str; 5] = ["_type", "dependency_count", "dependent_count", "comment_count", "parent"];

/// Reads lines; empty ones are skipped, as are lines of another `_type` than `issue`.
///
/// # Errors
/// The first line that is no bead, by number.
pub fn parse(text: &str) -> Result<Vec<Bead>> {
    read(text.as_bytes())
}

/// [`parse`] of what is read.
///
/// # Errors
/// As [`parse`].
pub fn read(input: impl BufRead) -> Result<Vec<Bead>> {
    let mut beads = Vec::new();
    each(input, |bead| {
        beads.extend(bead);
        Ok(())
    })?;
    Ok(beads)
}

/// Gives the bead of each line to `take`; nothing for a line that is marked as something else.
///
/// # Errors
/// The first line that is no bead, by number; those of `take`.
pub fn each(input: impl BufRead, mut take: impl FnMut(Option<Bead>) -> Result<()>) -> Result<()> {
    lines(input, |line| match line.bead {
        Ok(bead) => take(bead),
        Err(error) => Err(Failure::new(format!("line {}: {error:#}", line.number))
            .hint("nothing was taken in; correct the line and import again")
            .into()),
    })
}

/// A line that is not empty.
pub struct JsonLine<'a> {
    /// Its number, from 1.
    pub number: usize,
    /// Where it begins.
    pub start: u64,
    /// What it says, without its end.
    pub bytes: &'a [u8],
    /// Its bead; nothing when it is marked as something else; or what keeps it from being one.
    pub bead: Result<Option<Bead>>,
}

/// Gives each line to `take`, whatever it is.
///
/// # Errors
/// When the input cannot be read; those of `take`.
pub fn lines(mut input: impl BufRead, mut take: impl FnMut(JsonLine<'_>) -> Result<()>) -> Result<()> {
    let (mut line, mut start) = (Vec::new(), 0);
    for number in 1.. {
        line.clear();
        let length = input.read_until(b'\n', &mut line)?;
        if length == 0 {
            break;
        }
        let bytes = line.strip_suffix(b"\n").unwrap_or(&line);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        if !bytes.trim_ascii().is_empty() {
            take(JsonLine { number, start, bytes, bead: from_outside(bytes) })?;
        }
        start += length as u64;
    }
    Ok(())
}

/// The bead of a line that anyone may have written. Its id stands in commands that people are told to type, so it is none that
/// means something there; and what is said of a line is short, whatever its length.
fn from_outside(line: &[u8]) -> Result<Option<Bead>> {
    const MOST: usize = 200;
    let plain = |bead: &Option<Bead>| bead.as_ref().is_none_or(|bead| is_bead_id(&bead.id));
    let bead = parse_bytes(line).and_then(|bead| match plain(&bead) {
        true => Ok(bead),
        false => Err(anyhow!("no usable id: {:?}", bead.unwrap_or_default().id)),
    });
    bead.map_err(|error| {
        let words = format!("{error:#}");
        match words.char_indices().nth(MOST) {
            Some((end, _)) => anyhow!("{}\u{2026}", &words[..end]),
            None => error,
        }
    })
}

/// The lines of another `_type` than `issue`, as they are: whoever writes a file anew keeps them.
pub fn foreign(text: &str) -> impl Iterator<Item = &str> {
    let kind = |line: &str| serde_json::from_str::<Map<String, Value>>(line).ok()?.remove("_type");
    text.lines().filter(move |line| kind(line).is_some_and(|kind| kind != "issue"))
}

/// The bead of a line; `None` when it is marked as something else.
///
/// # Errors
/// What keeps it from being a bead.
pub fn parse_bytes(line: &[u8]) -> Result<Option<Bead>> {
    let line = std::str::from_utf8(line).map_err(|_| anyhow!("it is not UTF-8 text"))?;
    from_fields(serde_json::from_str(line).map_err(|error| anyhow!("no JSON object: {error}"))?)
}

/// The bead of one JSON object; `None` when it is marked as something else.
///
/// # Errors
/// What keeps it from being a bead.
pub fn from_fields(mut fields: Map<String, Value>) -> Result<Option<Bead>> {
    if fields.get("_type").is_some_and(|kind| kind != "issue") {
        return Ok(None);
    }
    fields.retain(|name, value| !DERIVED.contains(&name.as_str()) && !value.is_null());
    // Some versions write an object inside a text.
    if let Some(Value::String(text)) = fields.get("metadata") {
        let inner = serde_json::from_str(text).map_err(|_| anyhow!("metadata is no JSON object"))?;
        fields.insert("metadata".into(), inner);
    }
    let mut bead: Bead = serde_json::from_value(Value::Object(fields))?;
    if bead.id.is_empty() || bead.id.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(anyhow!("no usable id: {:?}", bead.id));
    }
    if bead.title.trim().is_empty() {
        return Err(anyhow!("{} has no title", bead.id));
    }
    if bead.priority > 4 {
        return Err(anyhow!("{} has the priority {}, not 0 to 4", bead.id, bead.priority));
    }
    if bead.updated_at.is_empty() {
        bead.updated_at.clone_from(&bead.created_at);
    }
    for (name, time) in [("created_at", &bead.created_at), ("updated_at", &bead.updated_at)] {
        if time.parse::<Timestamp>().is_err() {
            return Err(anyhow!("{}: {name} is no RFC 3339 time: {time:?}", bead.id));
        }
    }
    for (field, default) in [(&mut bead.status, words::OPEN), (&mut bead.issue_type, "task")] {
        if field.is_empty() {
            *field = default.into();
        }
    }
    bead.labels.sort();
    bead.labels.dedup();
    Ok(Some(bead))
}

/// Writes lines, one a bead, in the given order.
pub fn render(beads: &[Bead]) -> String {
    let mut dependents: HashMap<&str, usize> = HashMap::new();
    for target in beads.iter().flat_map(Bead::blockers) {
        *dependents.entry(target).or_default() += 1;
    }
    beads
        .iter()
        .map(|bead| line(bead, dependents.get(bead.id.as_str()).copied().unwrap_or(0)) + "\n")
        .collect()
}

/// The line of one bead, which so many others wait for.
pub fn line(bead: &Bead, dependents: usize) -> String {
    let mut line = Map::new();
    line.insert("_type".into(), "issue".into());
    // A bead is made of texts, numbers and maps with text keys: it always becomes an object.
    if let Ok(Value::Object(fields)) = serde_json::to_value(bead) {
        line.extend(fields);
    }
    line.insert("dependency_count".into(), json!(bead.blockers().count()));
    line.insert("dependent_count".into(), json!(dependents));
    line.insert("comment_count".into(), json!(bead.comments.len()));
    Value::Object(line).to_string()
}

/// Whether a line tells of a later change than the bead in the store.
pub fn is_newer(line: &Bead, own: &Bead) -> bool {
    match (line.updated_at.parse::<Timestamp>(), own.updated_at.parse::<Timestamp>()) {
        (Ok(line), Ok(own)) => line > own,
        (line, own) => line.is_ok() && own.is_err(),
    }
}
