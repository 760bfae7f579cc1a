//! Commands that people know from the source documents or from other programs of this kind, and that have another name here
//! or are not there yet: each is answered with what to use instead.

/// The words as typed after `gt`, and what helps.
const KNOWN: &[(&str, &str)] = &[
    ("account", "each agent program keeps its own accounts; choose one with: gt sling BEAD --agent NAME"),
    ("activity", "gt feed"),
    ("assign", "gt sling BEAD RIG; a bead for a person: gt bd update BEAD --assignee NAME"),
    ("audit", "gt feed; gt log BEAD"),
    ("bead", "gt bd show BEAD; gt bd --help"),
    ("beads", "gt bd list; gt bd --help"),
    ("boot", "gt daemon start starts the deacon; gt start what should run"),
    ("broadcast", "not there yet; one by one: gt mail send ADDRESS -s SUBJECT -m TEXT"),
    ("callbacks", "not needed here: mail is handled by gt witness patrol RIG and gt refinery process RIG"),
    ("cat", "gt bd show BEAD"),
    ("changelog", "gt feed; what was merged is in git log"),
    ("checkpoint", "gt handoff"),
    ("cleanup", "gt gc; gt doctor --fix"),
    ("close", "gt bd close BEAD"),
    ("commit", "git commit in the worktree, then gt done"),
    ("compact", "gt gc"),
    ("completion", "not there yet; every command: gt --help"),
    ("completions", "not there yet; every command: gt --help"),
    (
        "config agent",
        "gt config set ROLE.agent NAME; runtimes are [agents.NAME] in the settings: gt config show",
    ),
    ("config default-agent", "gt config set polecat.agent NAME"),
    ("config get", "gt config explain KEY"),
    ("config list", "gt config show"),
    (
        "convoy",
        "not there yet; group beads under an epic: gt bd create TITLE -t epic, gt bd create TITLE --parent EPIC",
    ),
    ("costs", "not there yet; each agent program shows its own"),
    ("create", "gt bd create TITLE"),
    ("crew at", "gt attach RIG/crew/NAME"),
    ("crew attach", "gt attach RIG/crew/NAME"),
    ("crew pristine", "git pull in the clone: cd \"$(gt path RIG/crew/NAME)\""),
    ("crew refresh", "gt session restart RIG/crew/NAME"),
    ("crew rename", "gt crew remove NAME --rig RIG, then gt crew add NAME --rig RIG"),
    ("crew restart", "gt session restart RIG/crew/NAME"),
    ("crew start", "gt attach RIG/crew/NAME starts it"),
    ("crew status", "gt agents"),
    ("crew stop", "gt session stop RIG/crew/NAME"),
    ("cycle", "tmux's own keys work in every session: gt attach ADDRESS"),
    ("daemon attach", "the deacon is no session here; what it does: gt daemon logs"),
    ("daemon health-check", "gt daemon status"),
    ("daemon heartbeat", "not needed here; gt daemon status"),
    ("daemon restart", "gt daemon stop, then gt daemon start"),
    ("dashboard", "not there yet; gt status --watch"),
    ("directive", "write it into the role's prompt; see it with: gt prime"),
    ("disable", "gt pause; take it back with: gt resume"),
    ("dnd", "gt pause; hours in which nothing is told: gt config set notify.quiet 22:00-07:00"),
    ("dog", "what dogs do the deacon does by itself: gt daemon status"),
    ("dolt", "stores of beads need no server here; the program bd has its own: gt bd --help"),
    ("enable", "gt resume; gt start"),
    (
        "escalate",
        "not there yet; gt mail send mayor/ -s SUBJECT -m TEXT, or to the person: gt mail send overseer -s SUBJECT -m TEXT",
    ),
    ("estop", "gt pause; gt down"),
    ("forget", "not there yet; beads are the town's memory: gt bd list"),
    ("formula", "not there yet; write the steps down as beads with gt bd create and gt bd dep add"),
    ("git-init", "git init in the project, then gt rig add NAME URL"),
    ("health", "gt doctor"),
    ("heartbeat", "not needed here: the deacon sees what runs in tmux; gt daemon status"),
    ("help", "gt --help; every command has --help, too"),
    ("hooks", "hooks of agents are written by themselves; look at a role with: gt preset explain ROLE"),
    ("inbox", "gt mail inbox"),
    ("info", "gt status"),
    ("init", "a town: gt install DIR; a project: gt rig add NAME URL"),
    ("inject", "not there yet; type in its session: gt attach ADDRESS"),
    ("issue", "gt bd show BEAD; gt bd --help"),
    ("keys", "not there yet; tmux's own keys work in every session: gt attach ADDRESS"),
    ("kill", "gt session stop ADDRESS; a polecat with its worktree: gt polecat nuke RIG/NAME"),
    ("krc", "old records go with: gt gc; what happened is in: gt feed"),
    ("list", "gt bd list; agents: gt agents; rigs: gt rigs"),
    ("machine", "gt remote list"),
    ("mail archive", "gt mail read ID marks it read, and the inbox shows it no more"),
    ("mail check", "gt mail inbox"),
    ("mail clear", "gt mail read ID, one by one"),
    ("mail delete", "gt mail read ID marks it read, and the inbox shows it no more"),
    ("mail list", "gt mail inbox"),
    ("mail mark-read", "gt mail read ID"),
    ("mail open", "gt mail read ID"),
    ("mail peek", "gt mail inbox shows what is unread; gt mail read ID"),
    ("mail reply", "gt mail send ADDRESS -s SUBJECT -m TEXT, to who wrote it"),
    ("mail search", "gt bd list --all --type message"),
    ("mail show", "gt mail read ID"),
    ("mail thread", "gt bd list --all --type message"),
    ("maintain", "gt doctor --fix; gt gc"),
    ("man", "the manual pages are in the folder man/ of the sources; gt --help"),
    ("mayor at", "gt mayor attach"),
    ("mayor restart", "gt session restart mayor/"),
    ("memories", "not there yet; beads are the town's memory: gt bd list"),
    ("merge", "gt refinery process RIG; one request: gt refinery merge BEAD"),
    (
        "merge-queue integration",
        "not there yet; land on another branch with the rig's merge.target: gt config set merge.target BRANCH --rig RIG",
    ),
    ("merge-queue next", "gt mq list RIG"),
    ("merge-queue process", "gt refinery process RIG"),
    ("merge-queue submit", "gt done in the worktree, or gt mq add NAME"),
    ("metrics", "gt feed; gt status"),
    ("mol", "not there yet; write the steps down as beads with gt bd create and gt bd dep add"),
    ("molecule", "not there yet; write the steps down as beads with gt bd create and gt bd dep add"),
    ("mountain", "gt sling BEAD BEAD… RIG; what waits: gt queue"),
    ("namepool", "names are in the polecat's preset; see them with: gt preset explain polecat"),
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
    ("polecat add", "gt sling BEAD RIG"),
    ("polecat attach", "gt attach RIG/NAME"),
    ("polecat gc", "gt gc; gt witness patrol RIG"),
    ("polecat git-state", "gt diff RIG/NAME; gt log RIG/NAME"),
    ("polecat kill", "gt polecat nuke RIG/NAME"),
    ("polecat remove", "gt polecat release RIG/NAME; with what it did: gt polecat nuke RIG/NAME"),
    ("polecat spawn", "gt sling BEAD RIG"),
    ("polecat stale", "gt witness status RIG"),
    ("polecat start", "gt sling BEAD RIG --resume"),
    ("polecat status", "gt polecats RIG; gt status"),
    ("polecat stop", "gt session stop RIG/NAME"),
    ("polecat sync", "gt sync RIG"),
    ("prune-branches", "gt gc; gt doctor --fix"),
    ("quota", "not there yet; each agent program shows its own"),
    ("ready", "gt bd ready"),
    ("reaper", "gt gc; gt doctor --fix"),
    ("refinery blocked", "gt mq list RIG"),
    ("refinery queue", "gt mq list RIG"),
    ("refinery ready", "gt mq list RIG"),
    ("refinery restart", "gt session restart RIG/refinery"),
    ("release", "gt polecat release RIG/NAME; a bead: gt unsling BEAD"),
    ("remember", "not there yet; write it down as a bead: gt bd create TITLE"),
    ("remote add", "write [remotes.NAME] in the settings; see them with: gt remote list"),
    ("remote ping", "gt remote status"),
    ("repair", "gt doctor --fix"),
    ("rig adopt", "gt rig add NAME URL"),
    ("rig boot", "gt start"),
    ("rig config", "gt config set KEY VALUE --rig RIG; gt config show"),
    ("rig dock", "gt down RIG"),
    ("rig park", "gt down RIG"),
    ("rig reboot", "gt down RIG, then gt up RIG"),
    ("rig reset", "gt doctor --fix RIG"),
    ("rig restart", "gt down RIG, then gt up RIG"),
    ("rig settings", "gt config set KEY VALUE --rig RIG; gt config show"),
    ("rig shutdown", "gt down RIG"),
    ("rig start", "gt up RIG"),
    ("rig status", "gt status; gt polecats RIG; gt mq list RIG"),
    ("rig stop", "gt stop --rig RIG"),
    ("rig undock", "gt up RIG"),
    ("rig unpark", "gt up RIG"),
    ("role", "gt prime; what a role is: gt preset explain ROLE"),
    ("run", "gt sling BEAD RIG"),
    ("scheduler", "gt queue; gt dispatch RIG"),
    ("seance", "gt log BEAD; what ended sessions showed is in RIG/logs"),
    ("send", "gt mail send ADDRESS -s SUBJECT -m TEXT"),
    ("session at", "gt attach ADDRESS"),
    ("session attach", "gt attach ADDRESS"),
    ("session capture", "gt capture ADDRESS"),
    ("session check", "gt session list"),
    ("session inject", "not there yet; type in its session: gt attach ADDRESS"),
    ("session start", "gt start; a polecat: gt sling BEAD RIG --resume"),
    ("session status", "gt session list; gt status"),
    ("shell", "not there yet; go to a worktree with: cd \"$(gt path BEAD)\""),
    ("shell-init", "not there yet; go to a worktree with: cd \"$(gt path BEAD)\""),
    ("show", "gt bd show BEAD"),
    ("shutdown", "gt down; one session: gt session stop ADDRESS"),
    ("signal", "hooks of agents are written by themselves; look at a role with: gt preset explain ROLE"),
    ("stale", "gt doctor tells what is older than this program; gt --version"),
    ("status-line", "not there yet; gt status --watch"),
    ("statusline", "not there yet; gt status --watch"),
    ("swarm", "gt sling BEAD BEAD… RIG"),
    ("switch", "gt attach ADDRESS"),
    ("synthesis", "not there yet; a bead that waits for others: gt bd create TITLE, then gt bd dep add"),
    ("tail", "gt capture ADDRESS; gt attach ADDRESS"),
    ("tap", "hooks of agents are written by themselves; look at a role with: gt preset explain ROLE"),
    ("thanks", "who takes part is in git log"),
    ("theme", "not there yet; colours of tmux are in your own tmux.conf"),
    ("top", "not there yet; gt status --watch"),
    ("town", "gt status; gt install DIR makes one"),
    ("trail", "gt log BEAD; gt bd list --all"),
    ("uninstall", "not there yet; gt down, then remove the town's folder"),
    ("unread", "gt mail inbox"),
    ("upgrade", "gt migrate brings a town up to date; the program: cargo install --path . in the sources"),
    ("version", "gt --version"),
    ("vitals", "gt doctor; gt status"),
    ("warrant", "gt session stop ADDRESS; a polecat with its worktree: gt polecat nuke RIG/NAME"),
    ("wasteland", "not there yet; work of other towns comes with: gt sync"),
    ("whoami", "gt hook"),
    ("witness restart", "gt session restart RIG/witness"),
    ("wl", "not there yet; work of other towns comes with: gt sync"),
    ("worktree", "gt path BEAD; a clone of your own: gt crew add NAME --rig RIG"),
];

/// What to use instead of a command that is not there; `None` for one that is not known either. `under` are the words before
/// it, none at the top.
pub fn instead(under: &str, word: &str) -> Option<&'static str> {
    let words = format!("{under} {word}");
    let at = KNOWN.binary_search_by_key(&words.trim_start(), |(name, _)| name).ok()?;
    Some(KNOWN[at].1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Command, CommandFactory};

    fn below<'c>(command: &'c Command, word: &str) -> Option<&'c Command> {
        command
            .get_subcommands()
            .find(|own| own.get_name() == word || own.get_all_aliases().any(|name| name == word))
    }

    #[test]
    fn each_is_found_and_none_hides_a_command() {
        let mut top = crate::cli::Cli::command();
        top.build();
        for (words, help) in KNOWN {
            let (under, word) = words.rsplit_once(' ').unwrap_or(("", words));
            assert_eq!(instead(under, word), Some(*help), "{words} stands out of order");
            let above = match under {
                "" => &top,
                _ => below(&top, under).unwrap_or_else(|| panic!("{words}: there is no gt {under}")),
            };
            assert!(under.is_empty() || above.get_name() == under, "{words}: under {}", above.get_name());
            assert!(below(above, word).is_none(), "{words} is a command");
            // What is advised is there.
            for advised in help.split("gt ").skip(1) {
                let mut command = &top;
                for word in advised.split(|c: char| c.is_whitespace() || ";,:".contains(c)) {
                    match below(command, word) {
                        Some(below) => command = below,
                        None => {
                            let plain = word.is_empty() || word.contains(|c: char| c.is_ascii_uppercase());
                            let free = !command.has_subcommands() || command.get_name() == "bd";
                            let flag = word.starts_with("--");
                            assert!(free || plain || flag, "{words}: gt {advised}: {word}");
                            break;
                        }
                    }
                }
            }
        }
        assert_eq!(instead("", "nonesuch"), None);
        assert!(instead("mail", "peek").is_some() && instead("rig", "peek").is_none());
    }
}
