//! Mail: beads of type `message` (`work.md`). The town's store for the Mayor, the deacon, the Overseer and across
//! rigs; the rig's own for the rest.

use anyhow::Result;
use serde_json::Map;

use crate::base::failure::Failure;
use crate::base::time;
use crate::beads::letters::{self, META_SENT};
use crate::beads::proven::META_PROOF;
use crate::beads::{Change, Filter, Guard, Store, Written};
use crate::model::address::Address;
use crate::model::bead::{Bead, NewBead, Patch, TITLE_MAX};
use crate::model::words;
use crate::town::occupancy::{self, Occupied};
use crate::town::{Town, away};

pub use crate::beads::letters::FROM;

/// Who hears of what needs a decision: the Mayor while one runs, here or on another machine, else the Overseer. No
/// process: a running agent holds the lock of its folder.
pub fn in_charge(town: &Town) -> Address {
    let here = || !matches!(occupancy::is_held(&occupancy::lock_of(town, &Address::Mayor)), Occupied::No);
    let elsewhere =
        || away::read(town).is_ok_and(|records| records.contains_key(&Address::Mayor.to_string()));
    if here() || elsewhere() { Address::Mayor } else { Address::Overseer }
}

/// Subject and text of a mail as a bead holds them: the subject on one line. One that is longer than a title can be ends in
/// `…`, and stands whole above the text.
pub fn headed(subject: &str, body: &str) -> (String, String) {
    let line = subject.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(TITLE_MAX) {
        None if line.is_empty() => ("(no subject)".into(), body.into()),
        None => (line, body.into()),
        Some(_) => {
            let short: String = line.chars().take(TITLE_MAX - 1).collect();
            (short + "…", format!("{line}\n\n{body}").trim_end().to_string() + "\n")
        }
    }
}

/// The bead of a new mail.
pub fn message(from: &Address, to: &Address, subject: &str, body: &str) -> NewBead {
    let (title, description) = headed(subject, body);
    NewBead {
        title,
        description,
        issue_type: words::MESSAGE.into(),
        assignee: Some(to.to_string()),
        labels: vec![words::LABEL_MESSAGE.into(), format!("{FROM}{from}")],
        metadata: Map::from_iter([(META_SENT.into(), time::now().into())]),
        signed: true,
        ..NewBead::default()
    }
}

/// Whether a mail only says that a step was taken, as gt writes it itself: of no use once the witness has seen to it.
pub fn is_notice(mail: &Bead) -> bool {
    let title = &mail.title;
    let after_id = title.split_once(' ').map_or("", |(_, rest)| rest);
    let written = title.starts_with("shutdown request: ")
        || ["done: ", "closed without changes: "].iter().any(|words| after_id.starts_with(words));
    written && !mail.foreign
}

/// The mail of one address, as a filter: what was not archived.
pub fn inbox(of: &Address) -> Filter {
    Filter {
        types: vec![words::MESSAGE.into()],
        statuses: vec![words::OPEN.into()],
        assignee: Some(of.to_string()),
        ..Filter::default()
    }
}

/// Who sent it: an address, or whoever made the bead. Of foreign mail that is only what it says of itself.
pub fn sender(mail: &Bead) -> &str {
    mail.labels.iter().find_map(|label| label.strip_prefix(FROM)).unwrap_or(&mail.created_by)
}

/// When it was sent: as gt wrote it down, else the bead's own time.
pub fn sent(mail: &Bead) -> &str {
    mail.meta(META_SENT).unwrap_or(&mail.created_at)
}

/// Makes foreign mail this town's, as it was read: a person vouches for what it says, its sender too.
///
/// # Errors
/// When it is archived by now, or the store cannot be written.
pub fn adopt(town: &Town, store: &dyn Store, mail: &Bead) -> Result<()> {
    let mut own = mail.clone();
    own.metadata.insert(META_SENT.into(), sent(mail).into());
    let id = if store.is_dear() { "" } else { mail.id.as_str() };
    let proof = letters::proof(&town.secret()?, id, &own);
    let mut patch = Patch::default();
    patch.metadata.insert(META_SENT.into(), sent(mail).into());
    patch.metadata.insert(META_PROOF.into(), proof.into());
    let guard = Guard { id: mail.id.clone(), statuses: vec![words::OPEN.into()], ..Guard::default() };
    match store.write(&[guard], &[Change::Update(mail.id.clone(), Box::new(patch))])? {
        Written::Done(_) => Ok(()),
        Written::Refused(..) => {
            crate::fail!("{} is archived", mail.id; "look at it with: gt mail read {}", mail.id)
        }
    }
}

/// Whether it was read.
pub fn is_read(mail: &Bead) -> bool {
    mail.has_label(words::LABEL_READ)
}

/// The store a mail from `from` to `to` belongs in.
///
/// # Errors
/// When the rig is unknown or the store cannot be opened.
pub fn store_for(town: &Town, from: &Address, to: &Address) -> Result<Box<dyn Store>> {
    // A town that is older than proofs has its secret from its first mail on.
    town.secret()?;
    match to.rig() {
        Some(rig) if from.rig() == Some(rig) => town.rig(rig)?.store(from),
        _ => town.store(from),
    }
}

/// Where the mail of an address lies: the town's store, and its rig's when it belongs to one.
///
/// # Errors
/// As [`store_for`].
pub fn stores_of(town: &Town, of: &Address) -> Result<Vec<Box<dyn Store>>> {
    let mut stores = vec![town.store(of)?];
    if let Some(rig) = of.rig() {
        stores.insert(0, town.rig(rig)?.store(of)?);
    }
    Ok(stores)
}

/// Refuses an address that nobody has: an unknown rig, crew member or plugin. Polecats come and go, so any polecat's
/// name counts.
///
/// # Errors
/// A failure with what exists.
pub fn check(town: &Town, to: &Address) -> Result<()> {
    let Some(rig) = to.rig() else { return Ok(()) };
    let rig = town.rig(rig)?;
    let missing = match to {
        Address::Crew(_, name) => !rig.crew_dir(name).is_dir(),
        Address::Plugin(_, name) => !rig.root.join("plugins").join(name).is_dir(),
        _ => false,
    };
    if missing {
        let hint = format!("see who is there with: gt agents; crew with: gt crew list --rig {}", rig.name);
        return Err(Failure::new(format!("nobody has the address {to}")).hint(hint).into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_of_a_subject_is_lost() {
        assert_eq!(headed("", "x"), ("(no subject)".into(), "x".into()));
        assert_eq!(headed(" two\n lines ", "x"), ("two lines".into(), "x".into()));
        let whole = "word ".repeat(100).trim().to_string();
        assert_eq!(headed(&whole, ""), (whole.clone(), String::new()));
        let long = "w\u{f6}rter ".repeat(100);
        let (title, text) = headed(&long, "the rest");
        assert_eq!((title.chars().count(), title.chars().last()), (TITLE_MAX, Some('…')));
        assert_eq!(text, format!("{}\n\nthe rest\n", long.trim()));
    }
}
