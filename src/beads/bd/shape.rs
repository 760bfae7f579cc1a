//! What bd prints, as beads; and the metadata of a bead where bd has no field for it.

use anyhow::{Result, anyhow};
use serde_json::{Map, Value};

use crate::base::grammar::is_bead_id;
use crate::base::limits;
use crate::beads::jsonl;
use crate::model::bead::Bead;

/// The beads of an answer: an array, one object, or JSONL; of `list`, `show`, `ready`, `update`, `close` or `export`,
/// of any version. An empty answer is no bead.
///
/// # Errors
/// When it is no JSON, or an object in it is no bead.
pub fn beads(text: &str) -> Result<Vec<Bead>> {
    let mut beads = Vec::new();
    for value in serde_json::Deserializer::from_str(after_notices(text)).into_iter::<Value>() {
        match value.map_err(|error| anyhow!("bd answered what is no JSON: {error}"))? {
            Value::Array(items) => {
                for item in items {
                    beads.extend(bead(item)?);
                }
            }
            other => beads.extend(bead(other)?),
        }
    }
    Ok(beads)
}

/// Some versions say things on standard output before they answer.
fn after_notices(text: &str) -> &str {
    let mut rest = text;
    while !rest.trim_start().starts_with(['[', '{']) {
        match rest.split_once('\n') {
            Some((_, after)) => rest = after,
            None => return rest.trim(),
        }
    }
    rest
}

fn bead(value: Value) -> Result<Option<Bead>> {
    let Value::Object(mut fields) = value else {
        return Err(anyhow!("bd answered {value}, which is no bead"));
    };
    // A tombstone is what 0.46 leaves of a deleted bead.
    if fields.get("status").is_some_and(|status| status == "tombstone") {
        return Ok(None);
    }
    fields.retain(|name, _| !matches!(name.as_str(), "schema_version" | "dependents"));
    let own = fields.get("id").cloned().unwrap_or_default();
    if let Some(Value::Array(edges)) = fields.get_mut("dependencies") {
        for edge in edges {
            as_edge(edge, &own);
        }
    }
    let mut bead =
        jsonl::from_fields(fields).map_err(|error| error.context("bd answered what is no bead"))?;
    // bd syncs by itself: an id may be anyone's, and it stands in commands that people are told to type.
    if let Some(odd) = bead.take_if(|bead| !is_bead_id(&bead.id)) {
        limits::warn(&format!("bd has a bead that is left out: no usable id: {:?}", odd.id));
    }
    if let Some(bead) = &mut bead {
        bead.assignee.take_if(|name| name.is_empty());
        take_fence(bead);
    }
    Ok(bead)
}

/// `show` gives the whole other bead in place of the edge to it.
fn as_edge(edge: &mut Value, own: &Value) {
    let (Some(id), Some(kind)) = (edge.get("id"), edge.get("dependency_type")) else { return };
    *edge = serde_json::json!({ "issue_id": own, "depends_on_id": id, "type": kind });
}

const FENCE: &str = "```json gt:metadata\n";

/// The description with the metadata at its end, for a bd without a field for it.
pub fn with_fence(description: &str, metadata: &Map<String, Value>) -> String {
    if metadata.is_empty() {
        return description.to_string();
    }
    let gap = if description.is_empty() { "" } else { "\n\n" };
    let values = Value::Object(metadata.clone());
    format!("{description}{gap}{FENCE}{values:#}\n```")
}

/// Takes the metadata back out of the description; what is no such block stays where it is.
fn take_fence(bead: &mut Bead) {
    let Some(start) = bead.description.rfind(FENCE) else { return };
    let Some(inner) = bead.description[start + FENCE.len()..].trim_end().strip_suffix("```") else { return };
    let Ok(Value::Object(values)) = serde_json::from_str(inner) else { return };
    for (key, value) in values {
        bead.metadata.entry(key).or_insert(value);
    }
    bead.description.truncate(start);
    if bead.description.ends_with("\n\n") {
        bead.description.truncate(start - 2);
    }
}

/// The bead as a line of `bd import` takes it: of a bd with a field for metadata, or without.
pub fn line(bead: &Bead, has_metadata: bool) -> String {
    let mut bead = bead.clone();
    if !has_metadata {
        bead.description = with_fence(&bead.description, &bead.metadata);
        bead.metadata.clear();
        // There, ids of comments are numbers; bd gives them its own.
        for (number, comment) in (1..).zip(&mut bead.comments) {
            comment.id = Value::from(number);
        }
    }
    jsonl::render(std::slice::from_ref(&bead))
}

/// The line of a bead that is to be taken in whenever the one that bd has was changed.
pub fn timeless_line(bead: &Bead) -> String {
    let line = line(bead, true);
    let Ok(Value::Object(mut fields)) = serde_json::from_str(&line) else { return line };
    fields.remove("updated_at");
    format!("{}\n", Value::Object(fields))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bead_that_no_command_could_name_is_left_out() {
        let time = "2026-01-01T00:00:00Z";
        let bead = |id: &str| Bead {
            id: id.into(),
            title: "x".into(),
            status: "open".into(),
            issue_type: "task".into(),
            created_at: time.into(),
            updated_at: time.into(),
            ..Bead::default()
        };
        let text = jsonl::render(&[bead("wy-$(x)"), bead("wy-1")]);
        let ids: Vec<String> = beads(&text).unwrap().into_iter().map(|bead| bead.id).collect();
        assert_eq!(ids, ["wy-1"]);
    }

    #[test]
    fn metadata_travels_in_the_description() {
        let values =
            serde_json::json!({"bead": "wy-a", "attempt": 2, "text": "```json gt:metadata\n{}\n```"});
        let Value::Object(metadata) = values else { unreachable!() };
        for description in ["", "what\n\nand how", "ends with a line\n", "```json gt:metadata\nnot json\n```"]
        {
            let mut bead = Bead {
                description: with_fence(description, &metadata),
                metadata: Map::new(),
                ..Bead::default()
            };
            take_fence(&mut bead);
            assert_eq!((bead.description.as_str(), &bead.metadata), (description, &metadata));
        }
        assert_eq!(with_fence("plain", &Map::new()), "plain");
    }

    #[test]
    fn what_stands_before_the_answer_is_passed_over() {
        assert!(beads("").unwrap().is_empty());
        assert!(beads("No issues found\n").unwrap().is_empty());
        assert!(beads("Importing …\n[]\n").unwrap().is_empty());
        assert!(beads("[1]").is_err());
        assert!(beads("{\"id\": ").is_err());
    }
}
