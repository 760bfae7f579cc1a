//! What was typed after `gt sling`: beads or a new title, and where they go.

use std::collections::BTreeMap;

use crate::address::{is_polecat_name, is_rig_name};
use crate::failure::Failure;

/// What the words are read against.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Prefix of ids → the rig it belongs to; the town's own has none.
    pub prefixes: BTreeMap<String, Option<String>>,
    /// Names of rigs.
    pub rigs: Vec<String>,
    /// The rig that a last word names by being a path inside it.
    pub path_rig: Option<String>,
}

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Ids, each once, in order. Empty with a title.
    pub beads: Vec<String>,
    /// The title of a bead that is to be made.
    pub title: Option<String>,
    /// The rig; empty when it has to come from somewhere else.
    pub rig: Option<String>,
    /// The polecat's name.
    pub name: Option<String>,
}

impl Known {
    /// The prefix that an id begins with: the longest that fits.
    pub fn prefix_of(&self, id: &str) -> Option<&str> {
        let fits = |prefix: &&String| {
            id.strip_prefix(prefix.as_str()).and_then(|rest| rest.strip_prefix('-')).is_some_and(is_id_tail)
        };
        self.prefixes.keys().filter(fits).max_by_key(|prefix| prefix.len()).map(String::as_str)
    }

    fn prefixes(&self) -> String {
        self.prefixes.keys().map(|prefix| format!("{prefix}-")).collect::<Vec<_>>().join(", ")
    }
}

fn is_id_tail(tail: &str) -> bool {
    !tail.is_empty() && tail.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-' || c == '_')
}

/// Reads the words.
///
/// # Errors
/// A usage failure: no bead, several titles, a word that looks like an id of nobody, a rig that is missing.
pub fn read(words: &[String], known: &Known) -> Result<Asked, Failure> {
    let mut asked = Asked::default();
    let mut words = words;
    if let Some((last, before)) = words.split_last()
        && let Some((rig, name)) = place(last, known, !before.is_empty())?
    {
        (asked.rig, asked.name) = (Some(rig), name);
        words = before;
    }
    for word in words {
        if known.prefix_of(word).is_some() {
            if !asked.beads.contains(word) {
                asked.beads.push(word.clone());
            }
        } else {
            title(word, words.len(), known, &mut asked)?;
        }
    }
    if asked.beads.is_empty() && asked.title.is_none() {
        return Err(
            Failure::usage("which bead?").hint("gt sling BEAD RIG; see what is ready with: gt bd ready")
        );
    }
    match &asked.rig {
        None => asked.rig = rig_of_beads(&asked, known)?,
        Some(rig) => belong(&asked.beads, rig, known)?,
    }
    if asked.name.is_some() && asked.beads.len() > 1 {
        return Err(Failure::usage("one polecat takes one bead")
            .hint("leave the name out: each bead gets a polecat of its own"));
    }
    Ok(asked)
}

/// Reads the last word as RIG, RIG/NAME or a path; `None` when it is none of them.
fn place(word: &str, known: &Known, after_others: bool) -> Result<Option<(String, Option<String>)>, Failure> {
    if known.rigs.iter().any(|rig| rig == word) {
        return Ok(Some((word.into(), None)));
    }
    if let Some((rig, name)) = word.split_once('/')
        && known.rigs.iter().any(|own| own == rig)
    {
        let name = name.strip_prefix("polecats/").unwrap_or(name);
        if is_polecat_name(name) {
            return Ok(Some((rig.into(), Some(name.into()))));
        }
        if known.path_rig.is_none() {
            return Err(Failure::usage(format!("'{name}' cannot be a polecat's name"))
                .hint("names begin with a capital: letters, digits and _, at most 32, as in Nux"));
        }
    }
    if let Some(rig) = known.path_rig.as_ref().filter(|_| word.contains('/') || word.starts_with('.')) {
        return Ok(Some((rig.clone(), None)));
    }
    let path = word.starts_with('/') || word.starts_with("./") || word.starts_with("..");
    let lone_name = after_others && is_rig_name(word) && known.prefix_of(word).is_none();
    if path || lone_name {
        let near = known
            .rigs
            .iter()
            .max_by(|a, b| strsim::jaro_winkler(a, word).total_cmp(&strsim::jaro_winkler(b, word)));
        let near = near.filter(|rig| strsim::jaro_winkler(rig, word) > 0.8);
        let hint = near.map_or("see them with: gt rigs".into(), |rig| format!("did you mean {rig}?"));
        return Err(Failure::usage(format!("no rig named '{word}'")).hint(hint));
    }
    Ok(None)
}

fn title(word: &str, count: usize, known: &Known, asked: &mut Asked) -> Result<(), Failure> {
    let looks_like_id = word.split_once('-').is_some_and(|(head, tail)| {
        !head.is_empty() && head.chars().all(|c| c.is_ascii_alphanumeric()) && is_id_tail(tail)
    });
    if looks_like_id {
        return Err(Failure::usage(format!("no bead {word}: no rig has a prefix that fits"))
            .hint(format!("prefixes are {}; a new title has several words, in quotes", known.prefixes())));
    }
    if count != 1 {
        return Err(Failure::usage(format!("'{word}' is no bead"))
            .hint("beads: gt sling BEAD… RIG; or one new title, in quotes: gt sling \"a new title\" RIG"));
    }
    if word.trim().is_empty() {
        return Err(Failure::usage("a title cannot be empty").hint("gt sling \"a new title\" RIG"));
    }
    asked.title = Some(word.into());
    Ok(())
}

/// The rig that the beads' prefix tells.
fn rig_of_beads(asked: &Asked, known: &Known) -> Result<Option<String>, Failure> {
    let mut rigs: Vec<&String> =
        asked.beads.iter().filter_map(|bead| known.prefixes.get(known.prefix_of(bead)?)?.as_ref()).collect();
    rigs.sort_unstable();
    rigs.dedup();
    match rigs.as_slice() {
        [rig] => Ok(Some((*rig).clone())),
        [] if asked.title.is_some() => Ok(None),
        [] => belong(&asked.beads, "a rig", known).map(|()| None),
        _ => Err(Failure::usage("these beads belong to several rigs")
            .hint("sling each rig's beads by themselves, or name the rig: gt sling BEAD… RIG")),
    }
}

/// A polecat reads and closes its bead in its own rig's store, so the bead has to be there.
fn belong(beads: &[String], rig: &str, known: &Known) -> Result<(), Failure> {
    for bead in beads {
        let home = known.prefix_of(bead).and_then(|prefix| known.prefixes.get(prefix)?.as_deref());
        match home {
            Some(home) if home == rig => {}
            Some(home) => {
                return Err(Failure::usage(format!("{bead} belongs to {home}, not to {rig}"))
                    .hint(format!("gt sling {bead} {home}")));
            }
            None => {
                return Err(Failure::usage(format!("{bead} belongs to the town, not to {rig}"))
                    .hint("polecats work on beads of their rig: make one there, in quotes: gt sling \"a new title\" RIG"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        Known {
            prefixes: [("hq", None), ("wy", Some("wyvern")), ("wy-x", Some("xrig"))]
                .map(|(prefix, rig)| (prefix.to_string(), rig.map(str::to_string)))
                .into(),
            rigs: vec!["wyvern".into(), "xrig".into()],
            path_rig: None,
        }
    }

    fn words(words: &[&str]) -> Result<Asked, Failure> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_string()).collect();
        let path_rig = words.last().filter(|word| *word == "/town/wyvern/crew/max").map(|_| "wyvern".into());
        read(&words, &Known { path_rig, ..known() })
    }

    fn asked(beads: &[&str], rig: &str, name: Option<&str>) -> Asked {
        Asked {
            beads: beads.iter().map(|bead| (*bead).to_string()).collect(),
            title: None,
            rig: Some(rig.into()),
            name: name.map(Into::into),
        }
    }

    #[test]
    fn beads_and_where_they_go() {
        assert_eq!(words(&["wy-1", "wyvern"]).unwrap(), asked(&["wy-1"], "wyvern", None));
        assert_eq!(
            words(&["wy-1", "wy-a.2", "wy-1", "wyvern"]).unwrap(),
            asked(&["wy-1", "wy-a.2"], "wyvern", None)
        );
        assert_eq!(words(&["wy-1", "wyvern/Nux"]).unwrap(), asked(&["wy-1"], "wyvern", Some("Nux")));
        assert_eq!(words(&["wy-1", "/town/wyvern/crew/max"]).unwrap(), asked(&["wy-1"], "wyvern", None));
        assert_eq!(words(&["wy-x-1"]).unwrap(), asked(&["wy-x-1"], "xrig", None));
    }

    #[test]
    fn one_new_title_whatever_is_in_it() {
        for title in ["Fix it", "'; touch x #", "$(touch x)", "a\nb", "--force it", "Refactor"] {
            let read = words(&[title, "wyvern"]).unwrap();
            assert_eq!((read.title.as_deref(), read.rig.as_deref()), (Some(title), Some("wyvern")));
        }
        assert_eq!(words(&["Fix it"]).unwrap().rig, None);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        let said = |list: &[&str]| words(list).unwrap_err().message;
        assert_eq!(said(&["wyvern"]), "which bead?");
        assert_eq!(said(&["zz-1", "wyvern"]), "no bead zz-1: no rig has a prefix that fits");
        assert_eq!(said(&["Fix it", "wy-1", "wyvern"]), "'Fix it' is no bead");
        assert_eq!(said(&["hq-1"]), "hq-1 belongs to the town, not to a rig");
        assert_eq!(said(&["wy-1", "xrig"]), "wy-1 belongs to wyvern, not to xrig");
        assert_eq!(said(&["wy-1", "wy-x-1"]), "these beads belong to several rigs");
        assert_eq!(said(&["wy-1", "wivern"]), "no rig named 'wivern'");
        assert_eq!(said(&["wy-1", "../nowhere"]), "no rig named '../nowhere'");
        assert_eq!(said(&["wy-1", "wy-2", "wyvern/Nux"]), "one polecat takes one bead");
        assert_eq!(said(&["wy-1", "wyvern/nux"]), "'nux' cannot be a polecat's name");
        assert_eq!(said(&[" ", "wyvern"]), "a title cannot be empty");
    }
}
