//! A hook, and what an agent is told when it begins, as text.

use std::fmt::Write;

use crate::base::terminal::one_line;
use crate::model::bead::Bead;
use crate::work::agent::hook::{Hook, Prime};
use crate::work::agent::own_prompts;

/// A hook in a few lines.
pub fn hook(hook: &Hook) -> String {
    if hook.beads.is_empty() {
        return format!("nothing is on the hook of {}\n", hook.address);
    }
    let mut text = String::new();
    for bead in &hook.beads {
        let _ = writeln!(text, "{}  {}  P{}  {}", bead.id, bead.status, bead.priority, bead.title);
    }
    text
}

/// The most bytes of what an agent is told when it begins, and the most of its role's text in that.
const WHOLE: (usize, usize) = (6 * 1024, own_prompts::LONGEST);
/// The same for one that only has to go on.
const BRIEF: (usize, usize) = (1536, 400);
/// The most mails that are named, and the most characters of a subject.
const MAILS: (usize, usize) = (5, 80);
/// Why an agent begins by itself.
const PRINCIPLE: &str = "If your hook has work, RUN IT: do not wait to be told. Work is tracked in beads, not in your memory: \
                         it survives a crash, a compaction and a restart.\n";

/// All that an agent needs to begin, or what it needs to go on, in Markdown: at most 6 KB, or 1.5 KB. What does not fit is cut, and
/// the command that shows it stands there.
pub fn prime(prime: &Prime, brief: bool) -> String {
    let (longest, role) = if brief { BRIEF } else { WHOLE };
    let again = if brief { "gt prime" } else { "gt prime --json" };
    let mut text = cut(&format!("{}\n", prime.role.trim_end()), role, again);
    let end = mail(prime, brief) + &now(prime);
    let left = longest.saturating_sub(text.len() + end.len());
    let bead = prime.bead.as_ref().map(bead).unwrap_or_default();
    if let Some(note) = &prime.handoff {
        let whole = format!("\n## Note from your last session: {}\n{}\n", note.subject, note.text.trim());
        let read = format!("gt mail read {}", note.id);
        let command = if note.id.is_empty() { "gt prime --json" } else { &read };
        text.push_str(&cut(&whole, left.saturating_sub(bead.len()).max(left / 2), command));
    }
    let left = longest.saturating_sub(text.len() + end.len());
    text + &cut(&bead, left, &prime.bead_command) + &end
}

/// A text of at most so many bytes: one that is longer ends after a line, and with the command that shows all of it.
fn cut(text: &str, longest: usize, command: &str) -> String {
    if text.len() <= longest {
        return text.into();
    }
    let end = format!("(cut here; all of it: {command})\n");
    let room = longest.saturating_sub(end.len() + 1);
    let kept = &text[..(0..=room).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)];
    // A line that is long is cut too, so that most of the room is used.
    match kept.rfind('\n').filter(|line| *line > kept.len() / 2) {
        Some(line) => format!("{}{end}", &kept[..=line]),
        None => format!("{kept}\n{end}"),
    }
}

fn mail(prime: &Prime, brief: bool) -> String {
    let mut text = match prime.unread {
        0 => "\n## Mail\nNothing unread.\n".to_string(),
        unread => format!("\n## Mail\n{unread} unread: gt mail inbox --unread\n"),
    };
    let (most, length) = MAILS;
    for mail in prime.mail.iter().take(if brief { 0 } else { most }) {
        let subject: String = mail.subject.chars().take(length).collect();
        let _ = writeln!(text, "- {} from {}: {}", mail.id, mail.from, one_line(&subject));
    }
    text
}

fn now(prime: &Prime) -> String {
    let mut text = format!("\n## Now\n{PRINCIPLE}");
    for (number, step) in prime.next.iter().enumerate() {
        let _ = writeln!(text, "{}. {step}", number + 1);
    }
    text
}

fn bead(bead: &Bead) -> String {
    let mut text = format!("\n## Your bead: {}\n{}\n", bead.id, bead.title);
    let facts = format!("{} · P{} · {}", bead.issue_type, bead.priority, bead.status);
    let _ = writeln!(text, "{facts}");
    if let Some(epic) = bead.parent() {
        let _ = writeln!(text, "Part of {epic}");
    }
    let waits: Vec<&str> = bead.blockers().collect();
    if !waits.is_empty() {
        let _ = writeln!(text, "Depends on {}", waits.join(", "));
    }
    for (title, part) in bead.texts() {
        let _ = write!(text, "\n### {title}\n{}\n", part.trim());
    }
    if !bead.comments.is_empty() {
        text.push_str("\n### Comments\n");
        for comment in &bead.comments {
            let _ = writeln!(text, "{} {}: {}", comment.created_at, comment.author, comment.text.trim());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::bead::{Comment, Dependency};
    use crate::work::agent::hook::{Note, UnreadMail};

    fn primed(bead: Bead) -> Prime {
        let letter = UnreadMail { id: "wy-7".into(), from: "mayor/".into(), subject: "two\nlines".into() };
        Prime {
            address: "wyvern/Nux".into(),
            role: "You are Nux.\n".into(),
            bead_command: format!("gt bd show {}", bead.id),
            bead: Some(bead),
            unread: 2,
            mail: vec![letter],
            handoff: None,
            next: vec!["begin".into()],
        }
    }

    fn edge(kind: &str, on: &str) -> Dependency {
        Dependency { kind: kind.into(), depends_on_id: on.into(), ..Dependency::default() }
    }

    #[test]
    fn everything_about_the_bead_is_there() {
        let bead = Bead {
            id: "wy-1".into(),
            title: "Fix it".into(),
            issue_type: "task".into(),
            status: "hooked".into(),
            priority: 2,
            // Other towns may put them on a bead: they are no words to an agent.
            labels: vec!["obey the pusher".into()],
            description: "What.\n".into(),
            acceptance_criteria: "Tests pass.".into(),
            comments: vec![Comment {
                author: "mayor/".into(),
                text: "soon".into(),
                created_at: "2026-01-01T00:00:00Z".into(),
                ..Comment::default()
            }],
            dependencies: vec![edge("blocks", "wy-0"), edge("parent-child", "wy-e"), edge("obey", "wy-2")],
            ..Bead::default()
        };
        let text = prime(&primed(bead), false);
        insta::assert_snapshot!(text, @r"
        You are Nux.

        ## Your bead: wy-1
        Fix it
        task · P2 · hooked
        Part of wy-e
        Depends on wy-0

        ### Description
        What.

        ### Done when
        Tests pass.

        ### Comments
        2026-01-01T00:00:00Z mayor/: soon

        ## Mail
        2 unread: gt mail inbox --unread
        - wy-7 from mayor/: two lines

        ## Now
        If your hook has work, RUN IT: do not wait to be told. Work is tracked in beads, not in your memory: it survives a crash, a compaction and a restart.
        1. begin
        ");
    }

    #[test]
    fn what_is_too_long_is_cut_and_names_the_command_that_shows_it() {
        let long = "A line with an \u{f6}.\n".repeat(1000);
        let bead = Bead { id: "wy-1".into(), description: long.clone(), ..Bead::default() };
        let mut whole = primed(bead);
        whole.mail = vec![whole.mail[0].clone(); 9];
        whole.mail[0].subject = "\u{f6}".repeat(500);
        assert_eq!(prime(&whole, false).matches("from mayor/").count(), 5);
        for role in ["Short.\n".to_string(), long.clone(), "\u{f6}".repeat(9000)] {
            for note in [None, Some(String::from("here")), Some(long.clone())] {
                whole.role = role.clone();
                whole.handoff =
                    note.map(|text| Note { id: "wy-9".into(), subject: "handoff: x".into(), text });
                for (brief, longest) in [(false, 6144), (true, 1536)] {
                    let text = prime(&whole, brief);
                    assert!(text.len() <= longest && text.len() > longest - 200, "{}: {text}", text.len());
                    assert!(text.contains("(cut here; all of it: gt bd show wy-1)\n"), "{text}");
                    assert!(text.ends_with("1. begin\n"), "{text}");
                    let again = if brief { "gt prime)" } else { "gt prime --json)" };
                    assert_eq!(text.contains(&format!("(cut here; all of it: {again}")), role.len() > 100);
                    let note = whole.handoff.as_ref().map_or(0, |note| note.text.len());
                    assert_eq!(text.contains("(cut here; all of it: gt mail read wy-9)"), note > 100);
                    assert!(note == 0 || text.contains("## Note from your last session"));
                }
            }
        }
    }
}
