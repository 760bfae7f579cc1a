//! Errors about configuration: where it was said, which key, and the nearest known one.
//!
//! Places are found by a second parse that keeps them, and only when something is wrong.

use std::ops::Range;
use std::path::Path;

use figment::error::{Actual, Kind};
use toml_edit::{ImDocument, Item, TableLike, Value};

use crate::base::failure::Failure;
use crate::base::nearest::choices;
use crate::config::origin::Origin;

/// Which part of `key = value` is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyOrValue {
    Key,
    Value,
}

/// `FILE:LINE:COLUMN`, or just the origin's name when the text has no such path.
pub(super) fn place(origin: &Origin, text: Option<&str>, path: &[String], part: KeyOrValue) -> String {
    let json = matches!(origin, Origin::File(file) if file.extension().is_some_and(|ext| ext == "json"));
    let offset = text.and_then(|text| {
        let offset = if json { in_json(text, path) } else { in_toml(text, path, part) };
        offset.map(|offset| position(text, offset))
    });
    match offset {
        Some((line, column)) => format!("{origin}:{line}:{column}"),
        None => origin.to_string(),
    }
}

/// Line and column, from 1; columns are characters.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (line, before[start..].chars().count() + 1)
}

/// The offset of a path's last part that the document has.
fn in_toml(text: &str, path: &[String], part: KeyOrValue) -> Option<usize> {
    let document = ImDocument::parse(text).ok()?;
    let mut node = Node::Table(document.as_table());
    let mut found: Option<Range<usize>> = None;
    for (number, step) in path.iter().enumerate() {
        let Some((key, next, span)) = node.step(step) else { break };
        let last = number + 1 == path.len();
        found = if last && part == KeyOrValue::Value { span.or(key) } else { key.or(span) }.or(found);
        node = next;
    }
    found.map(|span| span.start)
}

/// Where a key and its value stand, when the document has all of the path and its end is a value.
pub(super) fn spans(text: &str, path: &[String]) -> Option<(Range<usize>, Range<usize>)> {
    let document = ImDocument::parse(text).ok()?;
    let mut node = Node::Table(document.as_table());
    let mut found = None;
    for step in path {
        let (key, next, value) = node.step(step)?;
        found = key.zip(value);
        node = next;
    }
    found.filter(|_| matches!(node, Node::Value(_) | Node::Item(Item::Value(_))))
}

enum Node<'d> {
    Table(&'d dyn TableLike),
    Item(&'d Item),
    Value(&'d Value),
}

impl<'d> Node<'d> {
    /// One step down: the spans of key and value, and what is there.
    #[allow(clippy::type_complexity)] // two spans and a node; a type for it would say no more
    fn step(&self, step: &str) -> Option<(Option<Range<usize>>, Node<'d>, Option<Range<usize>>)> {
        let table = match self {
            Node::Table(table) => Some(*table),
            Node::Item(item) => item.as_table_like(),
            Node::Value(value) => value.as_inline_table().map(|table| table as &dyn TableLike),
        };
        if let Some(table) = table {
            let (key, item) = table.get_key_value(step)?;
            return Some((key.span(), Node::Item(item), item.span()));
        }
        let index: usize = step.parse().ok()?;
        if let Node::Item(item) = self
            && let Some(tables) = item.as_array_of_tables()
        {
            let table = tables.get(index)?;
            return Some((None, Node::Table(table), table.span()));
        }
        let array = match self {
            Node::Item(item) => item.as_array(),
            Node::Value(value) => value.as_array(),
            Node::Table(_) => None,
        };
        let value = array?.get(index)?;
        Some((None, Node::Value(value), value.span()))
    }
}

/// The offset of the last key of the path: each is looked for behind the one before it.
fn in_json(text: &str, path: &[String]) -> Option<usize> {
    let mut found = None;
    let mut from = 0;
    for step in path {
        let quoted = serde_json::to_string(step).ok()?;
        let key = text.get(from..)?.match_indices(&quoted).find_map(|(at, _)| {
            let after = from + at + quoted.len();
            text[after..].trim_start().starts_with(':').then_some((from + at, after))
        });
        let Some((at, after)) = key else { break };
        found = Some(at);
        from = after;
    }
    found
}

/// TOML that cannot be read.
pub(super) fn syntax(error: &toml::de::Error, origin: &Origin, text: &str) -> Failure {
    let (line, column) = position(text, error.span().map_or(0, |span| span.start));
    let message = error.message().trim().replace('\n', ", ");
    Failure::new(format!("{origin}:{line}:{column}: not valid TOML: {message}"))
}

/// JSON that cannot be read.
pub(super) fn json(error: &serde_json::Error, path: &Path) -> Failure {
    let (line, column) = (error.line().max(1), error.column().max(1));
    if error.is_data() {
        return Failure::new(format!("{}: must hold one JSON object", path.display()));
    }
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or(&message);
    Failure::new(format!("{}:{line}:{column}: not valid JSON: {message}", path.display()))
}

/// A value that the types allow and sense does not.
pub(super) fn fault(
    origin: &Origin,
    text: Option<&str>,
    path: &[String],
    message: &str,
    hint: &str,
) -> Failure {
    let failure = Failure::new(format!("{}: {message}", place(origin, text, path, KeyOrValue::Value)));
    if hint.is_empty() { failure } else { failure.hint(hint) }
}

/// A key that is not known, or a value of the wrong type.
pub(super) fn typed(error: &figment::Error, origin: &Origin, text: Option<&str>) -> Failure {
    let mut path = error.path.clone();
    let key = |path: &[String]| path.join(".");
    if let Kind::UnknownField(name, known) = &error.kind {
        if path.last() != Some(name) {
            path.push(name.clone());
        }
        let table = &path[..path.len() - 1];
        let inside = if table.is_empty() { String::new() } else { format!(" in [{}]", key(table)) };
        let place = place(origin, text, &path, KeyOrValue::Key);
        if name == "unattended" {
            let hint = "write permissions = \"all\" for a role, all = { words = [...] } for a runtime";
            return Failure::new(format!("{place}: '{name}'{inside} is called otherwise now")).hint(hint);
        }
        return Failure::new(format!("{place}: unknown key '{name}'{inside}"))
            .hint(choices(name, known.iter().copied()));
    }
    let place = place(origin, text, &path, KeyOrValue::Value);
    let key = key(&path);
    match &error.kind {
        Kind::UnknownVariant(name, known) => Failure::new(format!("{place}: {key} cannot be '{name}'"))
            .hint(choices(name, known.iter().copied())),
        Kind::InvalidType(found, wanted) | Kind::InvalidValue(found, wanted) => {
            Failure::new(format!("{place}: {key} must be {}, not {}", plain(wanted), shown(found)))
        }
        Kind::Message(wanted) if wanted.starts_with("a text") => {
            Failure::new(format!("{place}: {key} must be {wanted}"))
        }
        other => Failure::new(format!("{place}: {key}: {other}")),
    }
}

/// serde's names of types, in plain words.
fn plain(wanted: &str) -> &str {
    match wanted {
        "usize" | "u8" | "u16" | "u32" | "u64" => "a whole number of 0 or more",
        "i8" | "i16" | "i32" | "i64" => "a whole number",
        "a boolean" => "true or false",
        "a string" => "a text",
        "a sequence" => "a list",
        "a map" => "a table",
        other if other.starts_with("struct ") => "a table",
        other if other.starts_with("enum ") || other.contains("variant") => "a text",
        other => other,
    }
}

fn shown(found: &Actual) -> String {
    match found {
        Actual::Str(text) => format!("the text \"{text}\""),
        Actual::Bool(value) => value.to_string(),
        Actual::Unsigned(number) => number.to_string(),
        Actual::Signed(number) => number.to_string(),
        Actual::Float(number) => number.to_string(),
        Actual::Seq => "a list".into(),
        Actual::Map => "a table".into(),
        other => other.to_string(),
    }
}
