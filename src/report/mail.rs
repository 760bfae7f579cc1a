//! Mail as people see it, and as `--json` gives it.

use serde::Serialize;

use super::text::columns;
use crate::base::terminal::Text;
use crate::base::time;
use crate::model::bead::Bead;
use crate::work::talk::mail;

/// One mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Its id.
    pub id: String,
    /// Who sent it; nothing when that cannot be known.
    pub from: Option<String>,
    /// Whom mail from outside this town names as its sender.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub says_from: Option<String>,
    /// It comes from outside this town, or was changed there.
    pub foreign: bool,
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
        let sender = Some(mail::sender(bead).to_string());
        let (from, says_from) = if bead.foreign { (None, sender) } else { (sender, None) };
        Message {
            id: bead.id.clone(),
            from,
            says_from,
            foreign: bead.foreign,
            to: bead.assignee.clone().unwrap_or_default(),
            subject: bead.title.clone(),
            text: bead.description.clone(),
            sent_at: mail::sent(bead).into(),
            read: mail::is_read(bead),
        }
    }

    /// Who sent it, in a word.
    fn sender(&self) -> &str {
        self.from.as_deref().unwrap_or("(outside)")
    }
}

/// What is said of mail from outside this town that an agent is not shown.
pub fn hidden(foreign: usize) -> String {
    match foreign {
        1 => "1 message from outside this town waits for the person".into(),
        many => format!("{many} messages from outside this town wait for the person"),
    }
}

/// An inbox, a line each; `*` marks what was not read.
pub fn list(messages: &[Message], now: &str) -> Text {
    let row = |one: &Message| {
        let age = time::seconds_between(&one.sent_at, now).map(time::short_age).unwrap_or_default();
        let mark = if one.read { ' ' } else { '*' };
        let id = format!("{mark} {}", one.id);
        [id, format!("{age:>4}"), one.sender().to_string(), one.subject.clone()]
    };
    columns(&messages.iter().map(row).collect::<Vec<_>>())
}

/// One mail, whole.
pub fn whole(one: &Message) -> String {
    let text = one.text.trim_end();
    let gap = if text.is_empty() { "" } else { "\n" };
    let end = if text.is_empty() { "" } else { "\n" };
    let from = match (&one.from, &one.says_from) {
        (Some(from), _) => from.clone(),
        (None, says) => {
            format!(
                "outside this town; it says {}, and nothing proves it",
                says.as_deref().unwrap_or_default()
            )
        }
    };
    format!(
        "from:    {from}\nto:      {}\nsent:    {}\nsubject: {}\n{gap}{text}{end}",
        one.to, one.sent_at, one.subject
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: &str, from: &str, read: bool) -> Message {
        Message {
            id: id.into(),
            from: Some(from.into()),
            says_from: None,
            foreign: false,
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

    #[test]
    fn the_sender_of_foreign_mail_is_not_believed() {
        let mut bead = Bead { id: "hq-3".into(), title: "stuck".into(), foreign: true, ..Bead::default() };
        bead.labels = vec!["from:mayor/".into()];
        bead.created_at = "2026-01-01T00:00:00Z".into();
        let message = Message::of(&bead);
        insta::assert_snapshot!(list(std::slice::from_ref(&message), "2026-01-01T00:05:00Z"), @"* hq-3    5m  (outside)  stuck");
        insta::assert_snapshot!(whole(&message), @r"
        from:    outside this town; it says mayor/, and nothing proves it
        to:      
        sent:    2026-01-01T00:00:00Z
        subject: stuck
        ");
        let json = serde_json::to_value(&message).unwrap();
        assert_eq!((&json["from"], &json["says_from"]), (&serde_json::Value::Null, &"mayor/".into()));
        assert_eq!(hidden(1), "1 message from outside this town waits for the person");
        assert_eq!(hidden(2), "2 messages from outside this town wait for the person");
    }
}
