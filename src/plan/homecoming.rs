//! What comes home from other machines (`remote.md`, "Coming home, by git alone"): done refs and their letters, read
//! and judged. A letter is a commit with an empty tree whose message is JSON; its ref says whose it is.
//!
//! Whoever can push to origin can push such refs: nothing in them is believed before it was looked at.

use serde::Deserialize;

use crate::base::grammar::is_object_id;
use crate::model::address::Address;
use crate::model::bead::{Bead, NewBead};
use crate::model::ids::{BeadId, InstanceId};
use crate::model::refs::{Branch, Sent};
use crate::model::words;

pub use crate::model::words::META_LETTER;

/// Whether a bead says that a letter was taken in. It names all of them: origin may keep them, and two may be about one
/// bead.
pub fn is_taken(bead: &Bead, id: &str) -> bool {
    bead.meta(META_LETTER).is_some_and(|ids| ids.split(' ').any(|own| own == id))
}

/// What a bead says of its letters once this one is taken in.
pub fn with_letter(bead: &Bead, id: &str) -> String {
    match bead.meta(META_LETTER) {
        Some(ids) if !is_taken(bead, id) => format!("{ids} {id}"),
        Some(ids) => ids.into(),
        None => id.into(),
    }
}

/// Longest letter that is read, in bytes.
const LONGEST: usize = 1 << 20;

/// Before the proof, on the last line of a completion record.
const PROOF: &[u8] = b"\n\ngt-proof: ";

/// Splits a record's message into what it says and the proof of it.
pub fn split(message: &[u8]) -> (&[u8], Option<&str>) {
    let found = message.windows(PROOF.len()).rposition(|window| window == PROOF);
    let proof = found.and_then(|at| std::str::from_utf8(&message[at + PROOF.len()..]).ok()).map(str::trim);
    match (found, proof) {
        (Some(at), Some(proof)) if is_object_id(proof) => (&message[..at], Some(proof)),
        _ => (message, None),
    }
}

/// What is hashed for a proof: the secret and what the record says, a line each. The secret has one length and the record is
/// one line, so no two of them come to the same bytes.
pub fn proven(secret: &str, said: &[u8]) -> Vec<u8> {
    [secret.as_bytes(), b"\n", said, b"\n"].concat()
}

/// A letter that says what was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompletionRecord {
    /// Whose it is.
    pub from: Sent,
    /// The bead.
    pub bead: BeadId,
    /// The polecat's branch.
    pub branch: String,
    /// The commit that is handed in; without changes the one that the work began at.
    pub commit: String,
    /// Nothing had to be changed.
    pub no_changes: bool,
    /// What is to be known about it; the reason when nothing had to be changed.
    pub notes: String,
    /// New work that was found on the way: title and description.
    pub found: Vec<(String, String)>,
}

/// The letter's JSON. Fields of later versions are left alone.
#[derive(Deserialize)]
struct RecordJson {
    version: u64,
    rig: String,
    worker: String,
    instance: InstanceId,
    bead: String,
    branch: String,
    commit: String,
    outcome: String,
    #[serde(default)]
    notes: String,
    #[serde(default)]
    beads: Vec<FoundBead>,
}

#[derive(Deserialize)]
struct FoundBead {
    title: String,
    #[serde(default)]
    description: String,
}

/// Reads the letter that a ref of this name holds.
///
/// # Errors
/// What is wrong with it, in words without anything of what it says.
pub fn read(from: &Sent, message: &str) -> Result<CompletionRecord, String> {
    if message.len() > LONGEST {
        return Err(format!("it is longer than {LONGEST} bytes"));
    }
    let text: RecordJson = serde_json::from_str(message.trim()).map_err(|error| {
        // serde quotes what it found: only where it was is said on.
        format!("its message is no letter of gt's (line {}, column {})", error.line(), error.column())
    })?;
    if text.version != 1 {
        return Err(format!("it is of version {}, and this gt reads version 1", text.version));
    }
    let worker = Address::Polecat(from.rig.clone(), from.name.clone()).to_string();
    if text.rig != from.rig || text.worker != worker || text.instance != from.instance {
        return Err("its message names another polecat than its ref".into());
    }
    let Some(bead) = BeadId::parse(&text.bead) else {
        return Err("the bead it names can be none".into());
    };
    let own = |one: &Branch| one.name == from.name && one.bead == bead && one.may_be_of(&from.town);
    if !Branch::parse(&text.branch).is_some_and(|one| own(&one)) {
        return Err("the branch it names is not the polecat's".into());
    }
    if !is_object_id(&text.commit) {
        return Err("the commit it names can be none".into());
    }
    let no_changes = match text.outcome.as_str() {
        "done" => false,
        "no-changes" => true,
        _ => return Err("its outcome is neither done nor no-changes".into()),
    };
    let found = text.beads.into_iter().map(|bead| (plain(&bead.title), plain(&bead.description)));
    Ok(CompletionRecord {
        from: from.clone(),
        bead,
        branch: text.branch,
        commit: text.commit,
        no_changes,
        notes: plain(&text.notes).trim().to_string(),
        found: found.filter(|(title, _)| !title.trim().is_empty()).collect(),
    })
}

/// Text without what no store and no screen takes: control characters but line breaks and tabs.
fn plain(text: &str) -> String {
    let keep = |c: char| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c };
    text.replace("\r\n", "\n").chars().map(keep).collect()
}

impl CompletionRecord {
    /// Who wrote it.
    pub fn worker(&self) -> Address {
        Address::Polecat(self.from.rig.clone(), self.from.name.clone())
    }

    /// The beads of the new work that it names, marked as made from the letter `id`, so that none is made twice.
    pub fn beads(&self, id: &str) -> Vec<NewBead> {
        let made = |(number, (title, text)): (usize, &(String, String))| {
            let mut bead = NewBead::titled(title);
            let from = format!("Found by {} on {}.", self.worker(), self.bead);
            let parts = [text.trim(), &bead.description, &from];
            bead.description =
                parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join("\n\n");
            bead.issue_type = "task".into();
            bead.metadata.insert(META_LETTER.into(), format!("{id}.{number}").into());
            bead
        };
        self.found.iter().enumerate().map(made).collect()
    }
}

/// What is known here of a letter's matter.
#[derive(Clone, Copy, Debug)]
pub struct CompletionFacts<'a> {
    /// The letter's own id: its commit.
    pub id: &'a str,
    /// The letter.
    pub letter: &'a CompletionRecord,
    /// This town started its session, and the record proves that it comes from there; or a person adopted it.
    pub proven: bool,
    /// Another instance has its polecat's name by now.
    pub passed_on: bool,
    /// Its bead.
    pub bead: Option<&'a Bead>,
    /// A request was made from this letter before.
    pub requested: bool,
}

/// What is to be done with a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing proves that it is this town's: it stays where it is until a person adopts it.
    Foreign,
    /// Everything was made of it already.
    Taken,
    /// A request is made, the bead is submitted.
    Submit,
    /// The bead is closed: nothing had to be changed.
    Close,
    /// Its bead went another way meanwhile: the commit is kept here and the Mayor is told why.
    Keep {
        /// Why.
        why: String,
        /// The bead waits for somebody: it names what was kept.
        named: bool,
    },
}

/// Decides about one letter.
pub fn fate(facts: &CompletionFacts<'_>) -> Fate {
    let taken = facts.requested || facts.bead.is_some_and(|bead| is_taken(bead, facts.id));
    if !facts.proven {
        // Its ref may stay at origin after its polecat is forgotten here.
        return if taken { Fate::Taken } else { Fate::Foreign };
    }
    let keep = |why: String, named| Fate::Keep { why, named };
    let id = &facts.letter.bead;
    let Some(bead) = facts.bead else {
        return keep(format!("there is no bead {id} here"), false);
    };
    if taken || (bead.is_closed() && facts.letter.no_changes) {
        return Fate::Taken;
    }
    let worker = facts.letter.worker().to_string();
    match bead.assignee.as_deref() {
        Some(holder) if holder == worker && facts.passed_on => {
            keep(format!("{id} is with another {worker} by now"), false)
        }
        Some(holder) if holder == worker && facts.letter.no_changes => {
            // Work that waits to be merged is not closed by a later word.
            if bead.has_label(words::LABEL_SUBMITTED) {
                keep(format!("the work on {id} waits to be merged"), false)
            } else {
                Fate::Close
            }
        }
        // As `gt done`: a bead that its own agent closed, or that waits with an earlier commit, is submitted.
        Some(holder) if holder == worker => Fate::Submit,
        _ if bead.is_closed() => keep(format!("{id} is closed"), false),
        Some(holder) => keep(format!("{id} is with {holder} by now"), false),
        None => keep(format!("{id} was taken back"), bead.status == words::OPEN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::refs::SentKind;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    const COMMIT: &str = "0123456789012345678901234567890123456789";

    fn nux() -> Sent {
        Sent {
            kind: SentKind::Done,
            town: "gt-1a2b".into(),
            rig: "wyvern".into(),
            name: "Nux".into(),
            instance: "i1".into(),
        }
    }

    fn text() -> Value {
        json!({
            "version": 1, "rig": "wyvern", "worker": "wyvern/Nux", "instance": "i1", "bead": "wy-1",
            "branch": "polecat/gt-1a2b/Nux-wy-1", "commit": COMMIT, "outcome": "done", "notes": "see\r\nbelow\u{1b}[2J ",
            "beads": [{"title": "Fix the docs", "description": "all of them"}, {"title": " "}],
        })
    }

    #[test]
    fn a_record_is_what_stands_before_its_proof() {
        let id = b"0123456789012345678901234567890123456789";
        let message = |end: &[u8]| [b"{\"a\":1}\n\ngt-proof: ", end].concat();
        let whole = message(&[&id[..], b"\n"].concat());
        assert_eq!(split(&whole), (&b"{\"a\":1}"[..], std::str::from_utf8(id).ok()));
        for other in [message(b"none"), message(b"\xff"), message(b""), b"{}\n".to_vec(), Vec::new()] {
            assert_eq!(split(&other), (other.as_slice(), None));
        }
        assert_eq!(proven("s", b"{}"), b"s\n{}\n");
        assert_ne!(proven("s", b"{}"), proven("s\n{}", b""));
    }

    #[test]
    fn a_letter_reads_and_its_text_is_harmless() {
        let letter = read(&nux(), &format!("{}\n", text())).unwrap();
        assert_eq!((letter.bead.as_str(), letter.no_changes), ("wy-1", false));
        assert_eq!(letter.notes, "see\nbelow\u{fffd}[2J");
        assert_eq!(letter.found, [("Fix the docs".to_string(), "all of them".to_string())]);
        let made = letter.beads("c1");
        assert_eq!(made[0].description, "all of them\n\nFound by wyvern/Nux on wy-1.");
        assert_eq!(made[0].metadata["letter"], "c1.0");
        // What a later version adds is left alone; what is missing at the end is empty.
        let mut more = text();
        more["host"] = "gaming-pc".into();
        more.as_object_mut().unwrap().remove("beads");
        assert!(read(&nux(), &more.to_string()).is_ok());
    }

    #[test]
    fn whatever_is_off_is_said_and_nothing_of_it_is_repeated() {
        for (key, value, why) in [
            ("version", json!(2), "it is of version 2, and this gt reads version 1"),
            ("worker", json!("wyvern/Toast"), "its message names another polecat than its ref"),
            ("instance", json!("i2"), "its message names another polecat than its ref"),
            ("rig", json!("other"), "its message names another polecat than its ref"),
            ("bead", json!("--help"), "the bead it names can be none"),
            ("bead", json!("wy-2"), "the branch it names is not the polecat's"),
            ("branch", json!("main"), "the branch it names is not the polecat's"),
            ("branch", json!("polecat/gt-3c4d/Nux-wy-1"), "the branch it names is not the polecat's"),
            ("commit", json!("HEAD"), "the commit it names can be none"),
            ("outcome", json!("\u{1b}[2J"), "its outcome is neither done nor no-changes"),
            ("beads", json!("\u{1b}[2J"), "its message is no letter of gt's (line 1, column "),
        ] {
            let mut wrong = text();
            wrong[key] = value;
            let said = read(&nux(), &wrong.to_string()).unwrap_err();
            assert!(said.starts_with(why), "{key}: {said}");
        }
        assert!(read(&nux(), "").is_err());
        assert!(read(&nux(), &" ".repeat(LONGEST + 1)).unwrap_err().contains("longer"));
    }

    fn bead(status: &str, assignee: Option<&str>, labels: &[&str]) -> Bead {
        Bead {
            id: "wy-1".into(),
            status: status.into(),
            assignee: assignee.map(Into::into),
            labels: labels.iter().map(|label| (*label).into()).collect(),
            ..Bead::default()
        }
    }

    #[test]
    fn each_way_a_bead_can_have_gone_has_its_fate() {
        let done = read(&nux(), &text().to_string()).unwrap();
        let none = CompletionRecord { no_changes: true, ..done.clone() };
        let own = Some("wyvern/Nux");
        let works = bead("in_progress", own, &["gt:remote:gaming-pc"]);
        let base = CompletionFacts {
            id: "c1",
            letter: &done,
            proven: true,
            passed_on: false,
            bead: Some(&works),
            requested: false,
        };
        let keep = |why: &str, named| Fate::Keep { why: why.into(), named };
        assert_eq!(fate(&base), Fate::Submit);
        assert_eq!(fate(&CompletionFacts { letter: &none, ..base }), Fate::Close);
        assert_eq!(fate(&CompletionFacts { proven: false, ..base }), Fate::Foreign);
        assert_eq!(fate(&CompletionFacts { requested: true, ..base }), Fate::Taken);
        assert_eq!(fate(&CompletionFacts { bead: None, ..base }), keep("there is no bead wy-1 here", false));
        assert_eq!(
            fate(&CompletionFacts { passed_on: true, ..base }),
            keep("wy-1 is with another wyvern/Nux by now", false)
        );
        let mut taken = works.clone();
        taken.metadata.insert("letter".into(), "c1".into());
        assert_eq!(fate(&CompletionFacts { bead: Some(&taken), ..base }), Fate::Taken);
        // A later letter does not make it forget the earlier one.
        taken.metadata.insert("letter".into(), with_letter(&taken, "c2").into());
        for id in ["c1", "c2"] {
            assert_eq!(fate(&CompletionFacts { bead: Some(&taken), id, ..base }), Fate::Taken);
            assert_eq!(fate(&CompletionFacts { bead: Some(&taken), id, proven: false, ..base }), Fate::Taken);
        }
        for (found, wanted) in [
            (bead("hooked", own, &[]), Fate::Submit),
            (bead("closed", own, &[]), Fate::Submit),
            (bead("in_progress", own, &["gt:submitted"]), Fate::Submit),
            (bead("open", None, &[]), keep("wy-1 was taken back", true)),
            (bead("deferred", None, &[]), keep("wy-1 was taken back", false)),
            (bead("closed", None, &[]), keep("wy-1 is closed", false)),
            (bead("closed", Some("max"), &[]), keep("wy-1 is closed", false)),
            (bead("hooked", Some("wyvern/Toast"), &[]), keep("wy-1 is with wyvern/Toast by now", false)),
        ] {
            assert_eq!(fate(&CompletionFacts { bead: Some(&found), ..base }), wanted, "{found:?}");
        }
        for (found, wanted) in [
            (bead("closed", own, &[]), Fate::Taken),
            (bead("in_progress", own, &["gt:submitted"]), keep("the work on wy-1 waits to be merged", false)),
            (bead("open", None, &[]), keep("wy-1 was taken back", true)),
        ] {
            assert_eq!(
                fate(&CompletionFacts { bead: Some(&found), letter: &none, ..base }),
                wanted,
                "{found:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_or_gives_a_letter(message in "\\PC{0,200}") {
            prop_assert!(read(&nux(), &message).is_err());
        }

        #[test]
        fn a_letter_with_any_one_value_replaced_is_refused_or_still_its_own(
            key in 0..10usize, value in prop_oneof![any::<String>().prop_map(Value::from), any::<i64>().prop_map(Value::from)]
        ) {
            let mut changed = text();
            let key = changed.as_object().unwrap().keys().nth(key).unwrap().clone();
            changed[&key] = value;
            if let Ok(letter) = read(&nux(), &changed.to_string()) {
                prop_assert_eq!(&letter.from, &nux());
                prop_assert_eq!(&letter.branch, "polecat/gt-1a2b/Nux-wy-1");
                prop_assert!(is_object_id(&letter.commit));
                prop_assert!(!letter.notes.chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
            }
        }
    }
}
