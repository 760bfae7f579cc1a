//! What an agent is told first.

use crate::base::terminal::one_line;
use crate::model::address::Address;
use crate::model::bead::Bead;
use crate::model::words;

/// How the work begins, as far as the prompt says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PromptStart {
    /// An earlier session ended before the work was done.
    pub again: bool,
    /// The branch that work lands on.
    pub target: String,
    /// Files in conflict, left by the replay of an earlier attempt.
    pub conflicts: Vec<String>,
    /// Commits of an earlier attempt are replayed on another machine, where only its agent sees what comes of it.
    pub replayed: bool,
}

/// The first prompt of a polecat. It begins with a word, whatever the title begins with.
pub fn polecat(address: &Address, bead: &Bead, start: &PromptStart) -> String {
    let mut text = format!(
        "{} On your hook is the bead {}: {}\n\
         Run `gt prime` now: it prints your role, the bead and your mail.\n",
        greeting(address),
        bead.id,
        one_line(bead.title.trim())
    );
    text.push_str(&how_it_begins(bead, start));
    text.push_str("Do the work, commit it, then run `gt done --exit`.\n");
    text
}

/// The same on another machine that has gt: what is on its hook there may not have come over yet, so the bead's text is
/// what counts.
pub fn polecat_over_there(address: &Address, bead: &Bead, start: &PromptStart) -> String {
    format!(
        "{} Your work is the bead {}: {}\n\
         Read it now: cat \"$GT_BEAD_FILE\"; `gt prime` prints your role and your mail.\n\
         {}\
         Do the work, commit it, then run `gt done --exit`. Should that not work here: sh \"$GT_DONE\"\n",
        greeting(address),
        bead.id,
        one_line(bead.title.trim()),
        how_it_begins(bead, start)
    )
}

/// The same on another machine that has no gt: a shell and git are all it needs.
pub fn polecat_without_gt(address: &Address, bead: &Bead, start: &PromptStart) -> String {
    format!(
        "{} Your work is the bead {}: {}\n\
         Read it now: cat \"$GT_BEAD_FILE\"\n\
         {}\
         Do the work in this worktree and commit all of it. Then hand it in: sh \"$GT_DONE\" -m \"what is to be known about it\"\n\
         There is no `gt` here, and no list of beads. New work that you find on the way goes along: --bead \"its title\" \
         --description \"more about it\", as often as needed. When nothing has to be changed: sh \"$GT_DONE\" --no-changes \"why\"\n",
        greeting(address),
        bead.id,
        one_line(bead.title.trim()),
        how_it_begins(bead, start)
    )
}

fn greeting(address: &Address) -> String {
    format!("You are {}, a polecat of the rig {}.", address.name(), address.rig().unwrap_or_default())
}

/// What the agent has to know about earlier attempts.
fn how_it_begins(bead: &Bead, start: &PromptStart) -> String {
    let mut text = String::new();
    if start.replayed {
        text.push_str(&format!(
            "Your branch has the commits of an earlier attempt, replayed onto {}. First see `git status`: when a rebase \
             stopped at a conflict, resolve it, `git add` the files, `git rebase --continue`.\n",
            start.target
        ));
    }
    if !start.conflicts.is_empty() {
        text.push_str(&format!(
            "First: the earlier attempt is being replayed onto {} and stopped at a conflict in {}. Resolve it, \
             `git add` the files, `git rebase --continue`.\n",
            start.target,
            one_line(&start.conflicts.join(", "))
        ));
    } else if bead.has_label(words::LABEL_REWORK) {
        text.push_str(
            "An earlier attempt came back from the merge queue: the bead's comments say why, and its commits are on \
             your branch.\n",
        );
    }
    if start.again {
        text.push_str(
            "An earlier session of yours ended before the work was done: look at `git status` and `git log` first.\n",
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_prompt() {
        let address = Address::Polecat("wyvern".into(), "Nux".into());
        let bead = Bead { id: "wy-1".into(), title: "--fix it".into(), ..Bead::default() };
        let start =
            PromptStart { target: "main".into(), conflicts: vec!["a.txt".into()], ..PromptStart::default() };
        // What hides, reorders or acts in a terminal is written out.
        let odd = Bead { title: "a\u{202e}b\x1b[2J\nc".into(), ..bead.clone() };
        assert!(polecat(&address, &odd, &start).contains(": a\\u{202e}b\\x1b[2J c\n"));
        insta::assert_snapshot!(polecat(&address, &bead, &start), @r"
        You are Nux, a polecat of the rig wyvern. On your hook is the bead wy-1: --fix it
        Run `gt prime` now: it prints your role, the bead and your mail.
        First: the earlier attempt is being replayed onto main and stopped at a conflict in a.txt. Resolve it, `git add` the files, `git rebase --continue`.
        Do the work, commit it, then run `gt done --exit`.
        ");
    }

    #[test]
    fn on_another_machine_the_text_comes_along() {
        let address = Address::Polecat("wyvern".into(), "Nux".into());
        let bead = Bead { id: "wy-1".into(), title: "Fix it".into(), ..Bead::default() };
        let start = PromptStart { target: "main".into(), replayed: true, ..PromptStart::default() };
        insta::assert_snapshot!(polecat_without_gt(&address, &bead, &start), @r#"
        You are Nux, a polecat of the rig wyvern. Your work is the bead wy-1: Fix it
        Read it now: cat "$GT_BEAD_FILE"
        Your branch has the commits of an earlier attempt, replayed onto main. First see `git status`: when a rebase stopped at a conflict, resolve it, `git add` the files, `git rebase --continue`.
        Do the work in this worktree and commit all of it. Then hand it in: sh "$GT_DONE" -m "what is to be known about it"
        There is no `gt` here, and no list of beads. New work that you find on the way goes along: --bead "its title" --description "more about it", as often as needed. When nothing has to be changed: sh "$GT_DONE" --no-changes "why"
        "#);
        let start = PromptStart { again: true, ..PromptStart::default() };
        insta::assert_snapshot!(polecat_over_there(&address, &bead, &start), @r#"
        You are Nux, a polecat of the rig wyvern. Your work is the bead wy-1: Fix it
        Read it now: cat "$GT_BEAD_FILE"; `gt prime` prints your role and your mail.
        An earlier session of yours ended before the work was done: look at `git status` and `git log` first.
        Do the work, commit it, then run `gt done --exit`. Should that not work here: sh "$GT_DONE"
        "#);
    }
}
