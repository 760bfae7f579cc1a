//! "Did you mean": the known word that a mistyped one is nearest to.

/// The nearest known word, when it is near enough to be meant: two letters, or a third of a long word, may differ.
pub fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    within((word.chars().count() / 3).max(2), word, known)
}

/// The nearest known word, when no more than so many letters differ.
pub fn within<'k>(letters: usize, word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let (distance, near) = known.map(|own| (strsim::damerau_levenshtein(word, own), own)).min()?;
    (distance <= letters).then_some(near)
}

/// A hint: the nearest known word, else all of them.
pub fn choices<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> String {
    let known: Vec<&str> = known.collect();
    match nearest(word, known.iter().copied()) {
        Some(near) => format!("did you mean '{near}'?"),
        None if known.is_empty() => "there are none yet".into(),
        None => format!("known are: {}", known.join(", ")),
    }
}
