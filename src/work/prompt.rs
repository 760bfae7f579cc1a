//! What an agent is told first.

use crate::address::Address;
use crate::beads::{Bead, words};

/// How the work begins, as far as the prompt says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// An earlier session ended before the work was done.
    pub again: bool,
    /// The branch that work lands on.
    pub target: String,
    /// Files in conflict, left by the replay of an earlier attempt.
    pub conflicts: Vec<String>,
}

/// The first prompt of a polecat. It begins with a word, whatever the title begins with.
pub fn polecat(address: &Address, bead: &Bead, start: &Start) -> String {
    let name = address.name();
    let rig = address.rig().unwrap_or_default();
    let mut text = format!(
        "You are {name}, a polecat of the rig {rig}. On your hook is the bead {}: {}\n\
         Run `gt prime` now: it prints your role, the bead and your mail.\n",
        bead.id,
        bead.title.trim()
    );
    if !start.conflicts.is_empty() {
        text.push_str(&format!(
            "First: the earlier attempt is being replayed onto {} and stopped at a conflict in {}. Resolve it, \
             `git add` the files, `git rebase --continue`.\n",
            start.target,
            start.conflicts.join(", ")
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
    text.push_str("Do the work, commit it, then run `gt done --exit`.\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_prompt() {
        let address = Address::Polecat("wyvern".into(), "Nux".into());
        let bead = Bead { id: "wy-1".into(), title: "--fix it".into(), ..Bead::default() };
        let start = Start { target: "main".into(), conflicts: vec!["a.txt".into()], again: false };
        insta::assert_snapshot!(polecat(&address, &bead, &start), @r"
        You are Nux, a polecat of the rig wyvern. On your hook is the bead wy-1: --fix it
        Run `gt prime` now: it prints your role, the bead and your mail.
        First: the earlier attempt is being replayed onto main and stopped at a conflict in a.txt. Resolve it, `git add` the files, `git rebase --continue`.
        Do the work, commit it, then run `gt done --exit`.
        ");
    }
}
