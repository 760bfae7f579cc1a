//! Mail: beads of type `message` (`work.md`). The town's store for the Mayor, the deacon, the Overseer and across
//! rigs; the rig's own for the rest.

use anyhow::Result;

use crate::address::Address;
use crate::beads::{Bead, Filter, NewBead, Store, words};
use crate::failure::Failure;
use crate::town::Town;

/// Label that says who sent a mail: `from:ADDRESS`.
pub const FROM: &str = "from:";

/// The bead of a new mail. A subject of several lines becomes one line.
pub fn message(from: &Address, to: &Address, subject: &str, body: &str) -> NewBead {
    let subject = subject.split_whitespace().collect::<Vec<_>>().join(" ");
    NewBead {
        title: if subject.is_empty() { "(no subject)".into() } else { subject.chars().take(200).collect() },
        description: body.into(),
        issue_type: words::MESSAGE.into(),
        assignee: Some(to.to_string()),
        labels: vec![words::LABEL_MESSAGE.into(), format!("{FROM}{from}")],
        ..NewBead::default()
    }
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

/// Who sent it: an address, or whoever made the bead.
pub fn sender(mail: &Bead) -> &str {
    mail.labels.iter().find_map(|label| label.strip_prefix(FROM)).unwrap_or(&mail.created_by)
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
