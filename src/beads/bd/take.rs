//! Taking in bd's JSONL.

use anyhow::Result;

use super::super::{Bead, jsonl};
use super::read::comma_safe;
use super::shape;
use super::write::{Call, Found};
use crate::programs::bd::Version;

/// What an import does.
#[derive(Debug, Default)]
pub struct Taken {
    /// The calls.
    pub calls: Vec<Call>,
    /// How many beads are new.
    pub added: usize,
    /// How many are changed.
    pub changed: usize,
}

/// The calls that take in `lines` where they are new, or newer than what is there.
///
/// # Errors
/// When this version cannot take them all: before 1.0 bd takes two beads that say the same for one.
pub fn take_in(version: Version, own: &Found, lines: Vec<Bead>) -> Result<Taken> {
    let mut taken = Taken::default();
    let mut wanted = Vec::new();
    for bead in lines {
        match own.get(&bead.id) {
            None => taken.added += 1,
            Some(known) if jsonl::is_newer(&bead, known) => taken.changed += 1,
            Some(_) => continue,
        }
        wanted.push(bead);
    }
    if wanted.is_empty() {
        return Ok(taken);
    }
    if !version.is_whole() {
        refuse_twins(version, own, &wanted)?;
    }
    let text: String = wanted.iter().map(|bead| shape::line(bead, version.is_whole())).collect();
    let words: &[&str] = if version.is_whole() { &["import", "--json", "-"] } else { &["import"] };
    let words = words.iter().map(|word| (*word).to_string()).collect();
    taken.calls.push(Call { words, stdin: Some(text), makes: Vec::new() });
    for bead in &wanted {
        let Some(known) = own.get(&bead.id) else { continue };
        taken.calls.extend(take_away(known, bead));
    }
    Ok(taken)
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

fn refuse_twins(version: Version, own: &Found, wanted: &[Bead]) -> Result<()> {
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
