//! Which mail gt itself wrote: it holds a proof over who sent it to whom, when, and what it says.
//!
//! A store is written by others too: `gt sync`, an import, any program that makes a bead of type `message`. Such mail is foreign,
//! and so is mail of this town that others changed or copied. Whether it was read, or archived, is not under the proof.

use super::proven::META_PROOF;
use super::{Bead, words};
use crate::proof::{Kind, Secret};

/// Metadata key of the time when gt wrote a mail: RFC 3339, UTC. The bead's own time can be another's.
pub const META_SENT: &str = "sent";

/// Label that says who sent a mail: `from:ADDRESS`.
pub const FROM: &str = "from:";

/// The proof of a mail. `id` is empty where bd chooses the id as it writes the bead.
pub fn proof(secret: &Secret, id: &str, mail: &Bead) -> String {
    secret.prove(Kind::Mail, &fields(id, mail))
}

/// Whether gt wrote a mail of this town, and it is as it was written.
pub fn holds(secret: &Secret, mail: &Bead, with_id: bool) -> bool {
    let id = if with_id { mail.id.as_str() } else { "" };
    mail.issue_type == words::MESSAGE
        && mail.meta(META_PROOF).is_some_and(|proof| secret.holds(Kind::Mail, &fields(id, mail), proof))
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
}
