//! Mail as people see it, and as `--json` gives it.

use serde::Serialize;

use crate::beads::Bead;
use crate::terminal;
use crate::time;
use crate::work::mail;

/// One mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Its id.
    pub id: String,
    /// Who sent it.
    pub from: String,
    /// For whom.
    pub to: String,
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub text: String,
    /// RFC 3339, UTC.
    pub sent_at: String,
    /// Whether it was read.
    pub read: bool,
}

impl Message {
    /// The mail that a bead is.
    pub fn of(bead: &Bead) -> Message {
        Message {
            id: bead.id.clone(),
            from: mail::sender(bead).into(),
            to: bead.assignee.clone().unwrap_or_default(),
            subject: bead.title.clone(),
            text: bead.description.clone(),
            sent_at: bead.created_at.clone(),
            read: mail::is_read(bead),
        }
    }
}

/// An inbox, a line each; `*` marks what was not read.
pub fn list(messages: &[Message], now: &str) -> String {
    let width =
        |of: fn(&Message) -> &str| messages.iter().map(|one| of(one).chars().count()).max().unwrap_or(0);
    let (ids, froms) = (width(|one| &one.id), width(|one| &one.from));
    messages
        .iter()
        .map(|one| {
            let age = time::seconds_between(&one.sent_at, now).map(time::short_age).unwrap_or_default();
            let mark = if one.read { ' ' } else { '*' };
            let line = format!("{mark} {:<ids$}  {:>4}  {:<froms$}  {}", one.id, age, one.from, one.subject);
            terminal::one_line(&line) + "\n"
        })
        .collect()
}

/// One mail, whole.
pub fn whole(one: &Message) -> String {
    let text = one.text.trim_end();
    let gap = if text.is_empty() { "" } else { "\n" };
    let end = if text.is_empty() { "" } else { "\n" };
    format!(
        "from:    {}\nto:      {}\nsent:    {}\nsubject: {}\n{gap}{text}{end}",
        one.from, one.to, one.sent_at, one.subject
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: &str, from: &str, read: bool) -> Message {
        Message {
            id: id.into(),
            from: from.into(),
            to: "mayor/".into(),
            subject: "stuck".into(),
            text: "on\nit\n".into(),
            sent_at: "2026-01-01T00:00:00Z".into(),
            read,
        }
    }

    #[test]
    fn an_inbox_and_a_mail() {
        let inbox = [message("hq-1", "wyvern/Nux", false), message("hq-22", "mayor/", true)];
        insta::assert_snapshot!(list(&inbox, "2026-01-01T00:05:00Z"), @r"
        * hq-1     5m  wyvern/Nux  stuck
          hq-22    5m  mayor/      stuck
        ");
        insta::assert_snapshot!(whole(&inbox[0]), @r"
        from:    wyvern/Nux
        to:      mayor/
        sent:    2026-01-01T00:00:00Z
        subject: stuck

        on
        it
        ");
    }
}
