//! Commands that people know from the source documents or from other programs of this kind, and that have another name here
//! or are not there yet: each is answered with what to use instead.

/// The word as typed after `gt`, and what helps.
const KNOWN: &[(&str, &str)] = &[
    ("account", "each agent program keeps its own accounts; choose one with: gt sling BEAD --agent NAME"),
    ("assign", "gt sling BEAD RIG; a bead for a person: gt bd update BEAD --assignee NAME"),
    ("bead", "gt bd show BEAD; gt bd --help"),
    ("beads", "gt bd list; gt bd --help"),
    ("boot", "gt daemon start starts the deacon; gt start what should run"),
    ("broadcast", "not there yet; one by one: gt mail send ADDRESS -s SUBJECT -m TEXT"),
    ("cat", "gt bd show BEAD"),
    ("cleanup", "gt gc; gt doctor --fix"),
    ("close", "gt bd close BEAD"),
    ("completions", "not there yet; every command: gt --help"),
    (
        "convoy",
        "not there yet; group beads under an epic: gt bd create TITLE -t epic, gt bd create TITLE --parent EPIC",
    ),
    ("create", "gt bd create TITLE"),
    ("dashboard", "not there yet; gt status --watch"),
    ("dolt", "stores of beads need no server here; the program bd has its own: gt bd --help"),
    (
        "escalate",
        "not there yet; gt mail send mayor/ -s SUBJECT -m TEXT, or to the person: gt mail send overseer -s SUBJECT -m TEXT",
    ),
    ("formula", "not there yet; write the steps down as beads with gt bd create and gt bd dep add"),
    ("health", "gt doctor"),
    ("help", "gt --help; every command has --help, too"),
    ("inbox", "gt mail inbox"),
    ("info", "gt status"),
    ("inject", "not there yet; type in its session: gt attach ADDRESS"),
    ("issue", "gt bd show BEAD; gt bd --help"),
    ("keys", "not there yet; tmux's own keys work in every session: gt attach ADDRESS"),
    ("kill", "gt session stop ADDRESS; a polecat with its worktree: gt polecat nuke RIG/NAME"),
    ("list", "gt bd list; agents: gt agents; rigs: gt rigs"),
    ("machine", "gt remote list"),
    ("man", "the manual pages are in the folder man/ of the sources; gt --help"),
    ("merge", "gt refinery process RIG; one request: gt refinery merge BEAD"),
    ("mol", "not there yet; write the steps down as beads with gt bd create and gt bd dep add"),
    ("molecule", "not there yet; write the steps down as beads with gt bd create and gt bd dep add"),
    ("next", "not there yet; see the agents, and go to one, with: gt agents"),
    (
        "nudge",
        "not there yet; gt mail send ADDRESS -s SUBJECT -m TEXT, or type in its session: gt attach ADDRESS",
    ),
    ("orphans", "gt doctor"),
    ("outpost", "gt remote list"),
    ("patrol", "gt witness patrol RIG"),
    ("peek", "gt capture ADDRESS"),
    ("plugin", "not there yet; plugins are folders in RIG/plugins; see them with: gt agents"),
    ("plugins", "not there yet; plugins are folders in RIG/plugins; see them with: gt agents"),
    ("prune-branches", "gt gc; gt doctor --fix"),
    ("ready", "gt bd ready"),
    ("release", "gt polecat release RIG/NAME; a bead: gt unsling BEAD"),
    ("send", "gt mail send ADDRESS -s SUBJECT -m TEXT"),
    ("shell-init", "not there yet; go to a worktree with: cd \"$(gt path BEAD)\""),
    ("show", "gt bd show BEAD"),
    ("shutdown", "gt down; one session: gt session stop ADDRESS"),
    ("swarm", "gt sling BEAD BEAD… RIG"),
    ("switch", "gt attach ADDRESS"),
    ("tail", "gt capture ADDRESS; gt attach ADDRESS"),
    ("top", "not there yet; gt status --watch"),
    ("trail", "gt log BEAD; gt bd list --all"),
    ("uninstall", "not there yet; gt down, then remove the town's folder"),
    ("version", "gt --version"),
    ("whoami", "gt hook"),
    ("worktree", "gt path BEAD; a clone of your own: gt crew add NAME --rig RIG"),
];

/// What to use instead of a command that is not there; `None` for one that is not known either.
pub fn instead(word: &str) -> Option<&'static str> {
    let at = KNOWN.binary_search_by_key(&word, |(name, _)| name).ok()?;
    Some(KNOWN[at].1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn each_is_found_and_none_hides_a_command() {
        let mut command = crate::cli::Cli::command();
        command.build();
        let own = |word: &str| {
            command
                .get_subcommands()
                .any(|own| own.get_name() == word || own.get_all_aliases().any(|name| name == word))
        };
        for (word, help) in KNOWN {
            assert_eq!(instead(word), Some(*help), "{word} stands out of order");
            assert!(!own(word), "{word} is a command");
            // What is advised is there.
            for advised in help.split("gt ").skip(1) {
                let advised = advised.split(|c: char| !(c.is_ascii_lowercase() || c == '-')).next().unwrap();
                assert!(advised.starts_with("--") || own(advised), "{word}: gt {advised}");
            }
        }
        assert_eq!(instead("nonesuch"), None);
    }
}
