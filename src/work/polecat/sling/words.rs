//! What was typed after `gt sling`: beads or a new title, and where they go.

use std::collections::BTreeSet;

use crate::base::failure::Failure;
use crate::base::quote::quote;
use crate::model::address::{is_polecat_name, is_rig_name};
use crate::town::ids::Prefixes;
use crate::town::no_rig;

/// What the words are read against.
#[derive(Clone, Debug, Default)]
pub struct KnownNames {
    /// Prefixes of ids, with the stores that claim them.
    pub prefixes: Prefixes,
    /// Names of rigs.
    pub rigs: Vec<String>,
    /// The rig that a last word names by being a path inside it.
    pub path_rig: Option<String>,
}

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlingWords {
    /// Ids, each once, in order. Empty with a title.
    pub beads: Vec<String>,
    /// The title of a bead that is to be made.
    pub title: Option<String>,
    /// The rig; empty when it has to come from somewhere else.
    pub rig: Option<String>,
    /// The polecat's name.
    pub name: Option<String>,
}

impl KnownNames {
    /// The prefix that an id begins with: the longest that fits.
    pub fn prefix_of(&self, id: &str) -> Option<&str> {
        self.prefixes.of_id(id).filter(|prefix| id.get(prefix.len() + 1..).is_some_and(is_id_tail))
    }

    fn prefixes(&self) -> String {
        self.prefixes.iter().map(|(prefix, _)| format!("{prefix}-")).collect::<Vec<_>>().join(", ")
    }
}

fn is_id_tail(tail: &str) -> bool {
    !tail.is_empty() && tail.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-' || c == '_')
}

/// Reads the words; `new` is the title given with `--new`, which may be any text.
///
/// # Errors
/// A usage failure: no bead, several titles, a word that is neither an id nor a title, a rig that is missing.
pub fn read(words: &[String], new: Option<&str>, known: &KnownNames) -> Result<SlingWords, Failure> {
    let mut asked = SlingWords { title: new.map(str::to_string), ..SlingWords::default() };
    if new.is_some_and(|title| title.trim().is_empty()) {
        return Err(empty_title());
    }
    let mut words = words;
    if let Some((last, before)) = words.split_last()
        && let Some((rig, name)) = place(last, known, !before.is_empty() || new.is_some())?
    {
        (asked.rig, asked.name) = (Some(rig), name);
        words = before;
    }
    if let (Some(_), [word, ..]) = (new, words) {
        return Err(Failure::usage(format!("--new makes one bead; '{word}' is no rig"))
            .hint("gt sling --new TITLE RIG"));
    }
    for (at, word) in words.iter().enumerate() {
        if known.rigs.contains(word) {
            let beads = words.iter().enumerate().filter(|(other, _)| *other != at);
            let beads: Vec<_> = beads.map(|(_, word)| quote(word)).collect();
            return Err(Failure::usage(format!("'{word}' is a rig, and the rig goes last"))
                .hint(format!("gt sling {} {word}", beads.join(" "))));
        }
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
fn place(
    word: &str,
    known: &KnownNames,
    after_others: bool,
) -> Result<Option<(String, Option<String>)>, Failure> {
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
        return Err(no_rig(word, known.rigs.iter()));
    }
    Ok(None)
}

fn empty_title() -> Failure {
    Failure::usage("a title cannot be empty").hint("gt sling \"a new title\" RIG")
}

/// Takes a word for the title of a new bead: one that has several words, so that a mistyped id never becomes a bead.
fn title(word: &str, count: usize, known: &KnownNames, asked: &mut SlingWords) -> Result<(), Failure> {
    let looks_like_id = word.split_once('-').is_some_and(|(head, tail)| {
        !head.is_empty() && head.chars().all(|c| c.is_ascii_alphanumeric()) && is_id_tail(tail)
    });
    if looks_like_id {
        return Err(Failure::usage(format!("no bead {word}: no rig has a prefix that fits, or holds it"))
            .hint(format!(
                "prefixes are {}; a new bead: gt sling \"a title of several words\" RIG, or --new TITLE",
                known.prefixes()
            )));
    }
    if word.trim().is_empty() {
        return Err(empty_title());
    }
    if !word.trim().contains(char::is_whitespace) {
        if known.rigs.iter().any(|rig| rig.eq_ignore_ascii_case(word)) {
            return Err(no_rig(word, known.rigs.iter()));
        }
        let near = known.prefixes.iter().filter_map(|(prefix, _)| {
            let tail = word.strip_prefix(prefix).filter(|tail| is_id_tail(tail))?;
            Some((prefix.len(), format!("did you mean '{prefix}-{}'? ", tail.trim_start_matches(['_', '.']))))
        });
        let near = near.max_by_key(|(length, _)| *length).map(|(_, near)| near).unwrap_or_default();
        return Err(Failure::usage(format!("'{word}' is no bead, and one word is no title")).hint(format!(
            "{near}see the beads with: gt bd ready; make one with: gt sling --new TITLE RIG"
        )));
    }
    if count != 1 {
        return Err(Failure::usage(format!("'{word}' is no bead"))
            .hint("beads: gt sling BEAD… RIG; or one new title, in quotes: gt sling \"a new title\" RIG"));
    }
    asked.title = Some(word.into());
    Ok(())
}

/// The rig that the beads' prefixes tell.
fn rig_of_beads(asked: &SlingWords, known: &KnownNames) -> Result<Option<String>, Failure> {
    let claims: BTreeSet<&str> = asked.beads.iter().flat_map(|bead| known.prefixes.rigs(bead)).collect();
    let mut fitting = claims.iter().filter(|rig| belong(&asked.beads, rig, known).is_ok());
    match (fitting.next(), fitting.next()) {
        (Some(rig), None) => Ok(Some((*rig).to_string())),
        (Some(_), Some(_)) => {
            let claims = claims.into_iter().collect::<Vec<_>>().join(", ");
            Err(Failure::usage(format!("{} may be in several rigs: {claims}", asked.beads.join(", ")))
                .hint("name the rig: gt sling BEAD… RIG"))
        }
        (None, _) if claims.is_empty() && asked.title.is_some() => Ok(None),
        (None, _) if claims.is_empty() => belong(&asked.beads, "a rig", known).map(|()| None),
        (None, _) => Err(Failure::usage("these beads belong to several rigs")
            .hint("sling each rig's beads by themselves, or name the rig: gt sling BEAD… RIG")),
    }
}

/// A polecat reads and closes its bead in its own rig's store, so the bead has to be there.
fn belong(beads: &[String], rig: &str, known: &KnownNames) -> Result<(), Failure> {
    for bead in beads {
        let mut homes = known.prefixes.rigs(bead).peekable();
        let home = homes.peek().copied();
        if homes.any(|home| home == rig) {
            continue;
        }
        return Err(match home {
            Some(home) => Failure::usage(format!("{bead} belongs to {home}, not to {rig}"))
                .hint(format!("gt sling {bead} {home}")),
            None => Failure::usage(format!("{bead} belongs to the town, not to {rig}"))
                .hint("polecats work on beads of their rig: make one there, in quotes: gt sling \"a new title\" RIG"),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::town::ids::tests::rig;

    fn known() -> KnownNames {
        let rigs = [rig("wyvern", "wy", &["cd", "hq"]), rig("xrig", "wy-x", &["cd", "gt"])];
        KnownNames {
            prefixes: Prefixes::of("hq", &rigs),
            rigs: vec!["wyvern".into(), "xrig".into()],
            path_rig: None,
        }
    }

    fn words(words: &[&str]) -> Result<SlingWords, Failure> {
        with_new(words, None)
    }

    fn with_new(words: &[&str], new: Option<&str>) -> Result<SlingWords, Failure> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_string()).collect();
        let path_rig = words.last().filter(|word| *word == "/town/wyvern/crew/max").map(|_| "wyvern".into());
        read(&words, new, &KnownNames { path_rig, ..known() })
    }

    fn asked(beads: &[&str], rig: &str, name: Option<&str>) -> SlingWords {
        SlingWords {
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
    fn other_prefixes_of_a_store_lead_to_its_rig() {
        assert_eq!(words(&["gt-1"]).unwrap(), asked(&["gt-1"], "xrig", None));
        assert_eq!(words(&["gt-1", "cd-1"]).unwrap(), asked(&["gt-1", "cd-1"], "xrig", None));
        assert_eq!(words(&["hq-1", "wyvern"]).unwrap(), asked(&["hq-1"], "wyvern", None));
        assert_eq!(words(&["cd-1"]).unwrap_err().message, "cd-1 may be in several rigs: wyvern, xrig");
        let town = KnownNames { prefixes: Prefixes::of("hq", &[]), ..known() };
        let said = read(&["hq-1".to_string()], None, &town).unwrap_err().message;
        assert_eq!(said, "hq-1 belongs to the town, not to a rig");
    }

    #[test]
    fn one_new_title_whatever_is_in_it() {
        for title in ["Fix it", "'; touch x #", "$(touch x)", "a\nb", "--force it"] {
            let read = words(&[title, "wyvern"]).unwrap();
            assert_eq!((read.title.as_deref(), read.rig.as_deref()), (Some(title), Some("wyvern")));
        }
        assert_eq!(words(&["Fix it"]).unwrap().rig, None);
        for title in ["Refactor", "wy-1", "zz-9", "Fix it"] {
            let read = with_new(&["wyvern"], Some(title)).unwrap();
            assert_eq!((read.title.as_deref(), read.rig.as_deref()), (Some(title), Some("wyvern")));
        }
        assert_eq!(with_new(&[], Some("Refactor")).unwrap().rig, None);
    }

    #[test]
    fn one_bare_word_makes_no_bead() {
        for word in ["Refactor", "nosuch", "$(x)"] {
            let failure = words(&[word, "wyvern"]).unwrap_err();
            assert_eq!(failure.message, format!("'{word}' is no bead, and one word is no title"));
            assert!(failure.hint.unwrap().contains("gt sling --new TITLE RIG"));
        }
        assert!(words(&["wy-1", "Wyvern"]).unwrap_err().hint.unwrap().starts_with("did you mean 'wyvern'?"));
        let said = |list: &[&str], new| with_new(list, Some(new)).unwrap_err().message;
        assert_eq!(said(&["wy-1", "wyvern"], "Refactor"), "--new makes one bead; 'wy-1' is no rig");
        assert_eq!(said(&["wivern"], "Refactor"), "no rig named 'wivern'");
        assert_eq!(said(&["wyvern"], " "), "a title cannot be empty");
    }

    #[test]
    fn a_rig_that_comes_first_is_told_its_place() {
        let failure = words(&["wyvern", "wy-1", "wy-2"]).unwrap_err();
        assert_eq!(failure.message, "'wyvern' is a rig, and the rig goes last");
        assert_eq!(failure.hint.unwrap(), "gt sling wy-1 wy-2 wyvern");
        let failure = words(&["wyvern", "Fix it"]).unwrap_err();
        assert_eq!(failure.hint.unwrap(), "gt sling 'Fix it' wyvern");
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        let said = |list: &[&str]| words(list).unwrap_err().message;
        assert_eq!(said(&["wyvern"]), "which bead?");
        assert_eq!(said(&["zz-1", "wyvern"]), "no bead zz-1: no rig has a prefix that fits, or holds it");
        assert_eq!(said(&["Fix it", "wy-1", "wyvern"]), "'Fix it' is no bead");
        assert_eq!(said(&["hq-1", "xrig"]), "hq-1 belongs to wyvern, not to xrig");
        assert_eq!(said(&["wy-1", "xrig"]), "wy-1 belongs to wyvern, not to xrig");
        assert_eq!(said(&["wy-1", "wy-x-1"]), "these beads belong to several rigs");
        assert_eq!(said(&["wy-1", "wivern"]), "no rig named 'wivern'");
        assert_eq!(said(&["wy-1", "../nowhere"]), "no rig named '../nowhere'");
        assert_eq!(said(&["wy-1", "wy-2", "wyvern/Nux"]), "one polecat takes one bead");
        assert_eq!(said(&["wy-1", "wyvern/nux"]), "'nux' cannot be a polecat's name");
        assert_eq!(said(&[" ", "wyvern"]), "a title cannot be empty");
    }
}
