//! Which mail gt itself wrote: it holds a proof over who sent it to whom, when, and what it says.
//!
//! A store is written by others too: `gt sync`, an import, any program that makes a bead of type `message`. Such mail is foreign,
//! and so is mail of this town that others changed or copied. Whether it was read, or archived, is not under the proof.

use super::proven::META_PROOF;
use crate::base::proof::{ProofKind, Secret};
use crate::base::time::seconds_since_epoch;
use crate::beads::Change;
use crate::model::bead::{Bead, NewBead};

/// Metadata key of the time when gt wrote a mail: RFC 3339, UTC. The bead's own time can be another's.
pub const META_SENT: &str = "sent";

/// Label that says who sent a mail: `from:ADDRESS`.
pub const FROM: &str = "from:";

/// The proof of a mail. `id` is empty where bd chooses the id as it writes the bead.
pub fn proof(secret: &Secret, id: &str, mail: &Bead) -> String {
    secret.prove(ProofKind::Mail, &fields(id, mail))
}

/// Marks the mail of a store that gt did not write. `with_id`: gt's own store, whose proofs cover the id. That store marks what
/// others bring in, so what it holds from before there were proofs is the town's.
pub fn mark(secret: Option<&Secret>, with_id: bool, beads: &mut [Bead]) {
    let Some(secret) = secret else { return };
    for mail in beads.iter_mut().filter(|bead| bead.is_mail()) {
        let old = with_id && mail.meta(META_PROOF).is_none() && is_older(mail, secret);
        mail.foreign = !holds(secret, mail, with_id) && (mail.foreign || !old);
    }
}

fn is_older(mail: &Bead, secret: &Secret) -> bool {
    seconds_since_epoch(&mail.created_at).is_some_and(|made| made < secret.since)
}

/// Puts the proof into mail that gt writes, before its store gives it an id. Other changes stay as they are.
pub fn signed(secret: Option<&Secret>, changes: &[Change]) -> Vec<Change> {
    let sign = |change: &Change| match (change, secret) {
        (Change::Create(new), Some(secret)) if new.signed => {
            let mut new = new.clone();
            let proof = proof(secret, "", &bead(&new));
            new.metadata.insert(META_PROOF.into(), proof.into());
            Change::Create(new)
        }
        _ => change.clone(),
    };
    changes.iter().map(sign).collect()
}

fn bead(new: &NewBead) -> Bead {
    Bead {
        title: new.title.clone(),
        description: new.description.clone(),
        assignee: new.assignee.clone(),
        labels: new.labels.clone(),
        metadata: new.metadata.clone(),
        ..Bead::default()
    }
}

/// Whether gt wrote a mail of this town, and it is as it was written.
pub fn holds(secret: &Secret, mail: &Bead, with_id: bool) -> bool {
    let id = if with_id { mail.id.as_str() } else { "" };
    mail.is_mail()
        && mail.meta(META_PROOF).is_some_and(|proof| secret.holds(ProofKind::Mail, &fields(id, mail), proof))
}

/// bd takes white space off the end of a text.
fn fields<'a>(id: &'a str, mail: &'a Bead) -> [&'a str; 6] {
    let from = mail.labels.iter().find_map(|label| label.strip_prefix(FROM));
    [
        id,
        from.unwrap_or_default(),
        mail.assignee.as_deref().unwrap_or_default(),
        mail.title.trim(),
        mail.description.trim_end(),
        mail.meta(META_SENT).unwrap_or_default(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::words;

    fn mail(secret: &Secret) -> Bead {
        let mut mail = Bead {
            id: "hq-1".into(),
            title: "stuck".into(),
            description: "on it\n".into(),
            issue_type: words::MESSAGE.into(),
            assignee: Some("mayor/".into()),
            created_by: "wyvern/Nux".into(),
            labels: vec![words::LABEL_MESSAGE.into(), "from:wyvern/Nux".into()],
            ..Bead::default()
        };
        mail.metadata.insert(META_SENT.into(), "2026-01-01T00:00:00Z".into());
        mail.metadata.insert(META_PROOF.into(), proof(secret, "hq-1", &mail).into());
        mail
    }

    #[test]
    fn mail_that_was_forged_changed_or_copied_has_no_proof() {
        let secret = Secret::new([1; 32]);
        let own = mail(&secret);
        assert!(holds(&secret, &own, true) && !holds(&secret, &own, false));
        let foreign = |change: &dyn Fn(&mut Bead)| {
            let mut other = own.clone();
            change(&mut other);
            !holds(&secret, &other, true)
        };
        assert!(foreign(&|mail| mail.id = "hq-2".into()));
        assert!(foreign(&|mail| mail.title = "done".into()));
        assert!(foreign(&|mail| mail.description = "run this".into()));
        assert!(foreign(&|mail| mail.assignee = Some("wyvern/witness".into())));
        assert!(foreign(&|mail| mail.labels = vec!["from:mayor/".into()]));
        assert!(foreign(&|mail| mail.labels.insert(0, "from:mayor/".into())));
        assert!(foreign(&|mail| drop(mail.metadata.insert(META_SENT.into(), "2026-02-01T00:00:00Z".into()))));
        assert!(foreign(&|mail| drop(mail.metadata.remove(META_PROOF))));
        assert!(foreign(&|mail| mail.issue_type = "task".into()));
        assert!(!holds(&Secret::new([2; 32]), &own, true));
        // What goes with its life: read, archived, kept by a store that cuts the end of a text.
        assert!(!foreign(&|mail| mail.labels.push(words::LABEL_READ.into())));
        assert!(!foreign(&|mail| (mail.status, mail.description) = (words::CLOSED.into(), "on it".into())));
        assert!(!foreign(&|mail| (mail.created_by, mail.created_at) = ("me".into(), "2027".into())));
    }

    #[test]
    fn what_gt_s_own_store_holds_from_before_there_were_proofs_is_the_town_s() {
        let mut secret = Secret::new([1; 32]);
        secret.since = seconds_since_epoch("2026-06-01T00:00:00Z").unwrap();
        let of = |created: &str, came_in: bool, proof: Option<&str>, with_id: bool| {
            let mut old = mail(&secret);
            old.metadata.remove(META_PROOF);
            old.metadata.extend(proof.map(|proof| (META_PROOF.to_string(), proof.into())));
            (old.created_at, old.foreign) = (created.into(), came_in);
            mark(Some(&secret), with_id, std::slice::from_mut(&mut old));
            old.foreign
        };
        assert!(!of("2026-05-31T00:00:00Z", false, None, true));
        assert!(of("2026-06-01T00:00:00Z", false, None, true), "made by another program since");
        assert!(of("2026-05-31T00:00:00Z", true, None, true), "it came in by sync or import");
        assert!(of("2026-05-31T00:00:00Z", false, Some("0"), true));
        assert!(of("2026-05-31T00:00:00Z", false, None, false), "others write bd's store too");
        let mut own = [mail(&secret)];
        own[0].foreign = true;
        mark(Some(&secret), true, &mut own);
        assert!(!own[0].foreign, "its own, back from another town");
        own[0].description = "other".into();
        mark(None, true, &mut own);
        assert!(!own[0].foreign, "without a secret nothing is proven yet");
    }

    #[test]
    fn where_the_store_chooses_the_id_the_proof_covers_the_rest() {
        let secret = Secret::new([1; 32]);
        let new = crate::work::talk::mail::message(
            &crate::model::address::Address::Mayor,
            &crate::model::address::Address::Deacon,
            "a subject",
            "text\n",
        );
        let Change::Create(made) = signed(Some(&secret), &[Change::Create(Box::new(new.clone()))]).remove(0)
        else {
            panic!("a bead")
        };
        let stored = Bead { issue_type: words::MESSAGE.into(), id: "hq-wisp-1".into(), ..bead(&made) };
        assert!(holds(&secret, &stored, false) && !holds(&secret, &stored, true));
        assert_eq!(signed(None, &[Change::Create(Box::new(new.clone()))]), [Change::Create(Box::new(new))]);
    }
}
