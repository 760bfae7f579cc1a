//! A hook, and what an agent is told when it begins, as text.

use std::fmt::Write;

use crate::model::bead::Bead;
use crate::work::agent::hook::{Hook, Prime};

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

/// All that an agent needs to begin, in Markdown.
pub fn prime(prime: &Prime) -> String {
    let mut text = format!("{}\n", prime.role.trim_end());
    if let Some(own) = &prime.bead {
        text.push_str(&bead(own));
    }
    if let Some(note) = &prime.handoff {
        let _ = write!(text, "\n## Note from your last session: {}\n{}\n", note.subject, note.text.trim());
    }
    let _ = match prime.unread {
        0 => write!(text, "\n## Mail\nNothing unread.\n"),
        unread => write!(text, "\n## Mail\n{unread} unread: gt mail inbox --unread\n"),
    };
    text.push_str("\n## Now\n");
    for (number, step) in prime.next.iter().enumerate() {
        let _ = writeln!(text, "{}. {step}", number + 1);
    }
    text
}

fn bead(bead: &Bead) -> String {
    let mut text = format!("\n## Your bead: {}\n{}\n", bead.id, bead.title);
    let facts = format!("{} · P{} · {}", bead.issue_type, bead.priority, bead.status);
    let _ = writeln!(text, "{facts}");
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
    use crate::model::bead::Comment;

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
            ..Bead::default()
        };
        let text = prime(&Prime {
            address: "wyvern/Nux".into(),
            role: "You are Nux.\n".into(),
            bead: Some(bead),
            unread: 2,
            handoff: None,
            next: vec!["begin".into()],
        });
        insta::assert_snapshot!(text, @r"
        You are Nux.

        ## Your bead: wy-1
        Fix it
        task · P2 · hooked

        ### Description
        What.

        ### Done when
        Tests pass.

        ### Comments
        2026-01-01T00:00:00Z mayor/: soon

        ## Mail
        2 unread: gt mail inbox --unread

        ## Now
        1. begin
        ");
    }
}
