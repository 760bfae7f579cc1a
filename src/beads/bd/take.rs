//! Taking in bd's JSONL.

use anyhow::Result;

use super::read::comma_safe;
use super::shape;
use crate::base::time::{self, same_moment};
use crate::beads::bd::Call;
use crate::beads::jsonl;
use crate::model::bead::BeadMap;
use crate::model::bead::{Bead, Comment};
use crate::programs::bd::Version;

/// The calls that write these beads over what is there.
///
/// # Errors
/// When this version cannot take them all: before 1.0 bd takes two beads that say the same for one.
pub fn put(version: Version, own: &BeadMap, beads: Vec<Bead>) -> Result<Vec<Call>> {
    if beads.is_empty() {
        return Ok(Vec::new());
    }
    if !version.is_whole() {
        refuse_twins(version, own, &beads)?;
    }
    let line = |bead: &Bead| shape::line(&fitted(version, bead, own.get(&bead.id)), version.is_whole());
    let text: String = beads.iter().map(line).collect();
    let words: &[&str] = if version.is_whole() { &["import", "--json", "-"] } else { &["import"] };
    let words = words.iter().map(|word| (*word).to_string()).collect();
    let mut calls = vec![Call { words, stdin: Some(text), ..Call::default() }];
    for bead in &beads {
        let Some(known) = own.get(&bead.id) else { continue };
        calls.extend(take_away(known, bead));
    }
    Ok(calls)
}

/// The bead in a form that this version takes over the one it has.
fn fitted(version: Version, bead: &Bead, known: Option<&Bead>) -> Bead {
    let mut bead = bead.clone();
    // What is older is left out by all; before 1.0 what is as old too, and the time becomes that of the import.
    if let Some(known) = known.filter(|known| !jsonl::is_newer(&bead, known)) {
        bead.updated_at = if version.is_whole() { known.updated_at.clone() } else { time::now() };
    }
    let same = |one: &Comment, other: &Comment| {
        one.author == other.author
            && one.text == other.text
            && same_moment(&one.created_at, &other.created_at)
    };
    for comment in &mut bead.comments {
        match known.and_then(|known| known.comments.iter().find(|own| same(own, comment))) {
            // The store tells comments apart by what it made of their times and ids.
            Some(own) => comment.clone_from(own),
            // A number counts in the store that it comes from; 1.0 wants ids that are unique in the world.
            None if comment.id.is_number() => comment.id = serde_json::Value::Null,
            None => {}
        }
    }
    bead
}

/// `import` adds labels and edges, and takes none away.
fn take_away(known: &Bead, wanted: &Bead) -> Vec<Call> {
    let mut calls = Vec::new();
    let labels: Vec<&String> = known.labels.iter().filter(|label| !wanted.has_label(label)).collect();
    if !labels.is_empty() {
        let mut words: Vec<String> = vec!["update".into(), "--json".into()];
        words.extend(labels.iter().map(|label| format!("--remove-label={}", comma_safe(label))));
        words.extend(["--".into(), known.id.clone()]);
        calls.push(Call { words, ..Call::default() });
    }
    let still = |id: &str| wanted.dependencies.iter().any(|edge| edge.depends_on_id == id);
    for edge in known.dependencies.iter().filter(|edge| !still(&edge.depends_on_id)) {
        let words =
            ["dep", "remove", "--json", "--", &known.id, &edge.depends_on_id].map(String::from).to_vec();
        calls.push(Call { words, ..Call::default() });
    }
    calls
}

fn refuse_twins(version: Version, own: &BeadMap, wanted: &[Bead]) -> Result<()> {
    let says = |bead: &Bead| {
        let texts = [&bead.title, &bead.description, &bead.design, &bead.acceptance_criteria, &bead.notes];
        let rest = (bead.status.clone(), bead.priority, bead.issue_type.clone(), bead.assignee.clone());
        (texts.map(Clone::clone), rest, bead.created_by.clone(), bead.metadata.clone())
    };
    let mut said: Vec<(&str, _)> = own.values().map(|bead| (bead.id.as_str(), says(bead))).collect();
    for bead in wanted {
        let now = says(bead);
        if let Some((other, _)) = said.iter().find(|(id, then)| *id != bead.id && *then == now) {
            crate::fail!(
                "{} and {other} say the same in every field, and bd {version} would take them for one: nothing was taken in",
                bead.id;
                "change the title of one, or use bd 1.0 or the embedded store"
            );
        }
        said.push((&bead.id, now));
    }
    Ok(())
}
