//! Which variables of the command that starts a program the program gets: lists of names, one matcher for all of them.

/// The built-in list, `session.environment`: the last pattern that fits a name decides, `!` drops it.
pub const BUILT_IN: [&str; 38] = [
    "*",
    // git's, about the repository and the commit that it called a hook for; how it signs in and whom it names pass.
    "!GIT_*",
    "GIT_ASKPASS",
    "GIT_AUTHOR_EMAIL",
    "GIT_COMMITTER_EMAIL",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_CONFIG_SYSTEM",
    "GIT_PAGER",
    "GIT_PROXY_*",
    "GIT_SSH*",
    "GIT_SSL_*",
    "GIT_TERMINAL_PROMPT",
    // The agent's that runs gt.
    "!GT_*",
    "!CLAUDECODE",
    "!CLAUDE_CODE_*",
    "!CLAUDE_PROJECT_DIR",
    "!CODEX_SANDBOX*",
    "!CODEX_THREAD_ID",
    "!COPILOT_AGENT_*",
    "!CURSOR_AGENT",
    "!CURSOR_TRACE_ID",
    "!GEMINI_CLI",
    "!GEMINI_PROJECT_DIR",
    "!GEMINI_SESSION_ID",
    "!OPENCODE",
    "!OPENCODE_PID",
    "!PI_CODING_AGENT",
    // The terminal's that gt was called in.
    "!TMUX",
    "!TMUX_PANE",
    "!STY",
    "!TERM",
    "!TERM_*",
    "!COLUMNS",
    "!LINES",
    "!PWD",
    "!OLDPWD",
    "!SHLVL",
];

/// The variable that names those that a session was given. What a pane has besides is what the tmux server was started with.
pub const PASSED: &str = "GT_PASSED";

/// What tmux says to the programs in its panes.
const OF_TMUX: [&str; 7] =
    ["TERM", "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "TMUX", "TMUX_PANE", "PWD", "SHELL"];

/// What gt itself gives an agent of the names that are not passed on.
const OF_GT: [&str; 3] = ["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME", "GIT_CEILING_DIRECTORIES"];

/// Whether the list passes a variable on. Names that no shell can say, those of its functions, never pass.
pub fn passes(list: &[impl AsRef<str>], name: &str) -> bool {
    let named = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let fits = |pattern: &str| match pattern.split_once('*') {
        Some((start, end)) => {
            name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
        }
        None => pattern == name,
    };
    // Most patterns begin otherwise: there are many names for each agent.
    let begins =
        |pattern: &str| pattern.starts_with('*') || pattern.as_bytes().first() == name.as_bytes().first();
    let may_fit = |pattern: &str| begins(pattern) && fits(pattern);
    let last = list.iter().rev().map(AsRef::as_ref).find(|one| may_fit(one.strip_prefix('!').unwrap_or(one)));
    !name.is_empty()
        && name.chars().all(named)
        && name != "_"
        && last.is_some_and(|one| !one.starts_with('!'))
}

/// Whether gt itself sets a variable for its agents, or it says where programs and settings are: no value of it is a secret.
pub fn is_public(name: &str) -> bool {
    let own = ["PATH", "HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "BD_ACTOR", "EMAIL"];
    own.contains(&name) || OF_GT.contains(&name) || name.starts_with("GT_") || name.starts_with("BEADS_")
}

/// Whether the value of a variable may be a secret, by its name.
pub fn is_secret(name: &str) -> bool {
    const ANYWHERE: [&str; 6] = ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL"];
    const WORDS: [&str; 7] = ["KEY", "KEYS", "APIKEY", "PASS", "PAT", "PWD", "AUTH"];
    let name = name.to_ascii_uppercase();
    let word = |word: &str| WORDS.contains(&word) || (word.len() > 3 && word.ends_with("KEY"));
    !is_public(&name) && (ANYWHERE.iter().any(|part| name.contains(part)) || name.split('_').any(word))
}

/// Whether a pattern is one: a name, with one `*` at most.
pub fn is_pattern(pattern: &str) -> bool {
    let name = pattern.strip_prefix('!').unwrap_or(pattern);
    let named = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '*';
    !name.is_empty() && name.chars().all(named) && name.matches('*').count() < 2
}

/// Whether the program in a pane keeps a variable. `passed` is the value of [`PASSED`]; an agent that a person starts by hand
/// has none, and keeps what the person's terminal says.
pub fn keeps(passed: Option<&str>, name: &str) -> bool {
    match passed {
        Some(passed) => OF_TMUX.contains(&name) || passed.split(' ').any(|own| own == name),
        None => {
            let own = name.starts_with("GT_") || OF_GT.contains(&name);
            own || OF_TMUX.contains(&name) || passes(&BUILT_IN, name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_callers_own_does_not_pass() {
        let passed = |name| passes(&BUILT_IN, name);
        for name in [
            "GIT_DIR",
            "GIT_INDEX_FILE",
            "GIT_OBJECT_DIRECTORY",
            "GIT_CONFIG_COUNT",
            "GIT_CONFIG_KEY_0",
            "GIT_AUTHOR_NAME",
            "GIT_ALTERNATE_OBJECT_DIRECTORIES",
            "GIT_WORK_TREE",
            "CLAUDECODE",
            "CLAUDE_CODE_CHILD_SESSION",
            "GT_ADDRESS",
            "TMUX",
            "TMUX_PANE",
            "TERM_PROGRAM",
            "CODEX_SANDBOX_NETWORK_DISABLED",
            "_",
            "",
            "BASH_FUNC_x%%",
            "A B",
        ] {
            assert!(!passed(name), "{name}");
        }
        for name in [
            "PATH",
            "HOME",
            "LC_ALL",
            "SSH_AUTH_SOCK",
            "ANTHROPIC_API_KEY",
            "CODEX_HOME",
            "GIT_SSH_COMMAND",
            "GASTOWN_X",
            "GIT_CONFIG_GLOBAL",
            "TMUX_TMPDIR",
            "CLAUDE_CONFIG_DIR",
            "GIT_AUTHOR_EMAIL",
            "TERMINFO",
        ] {
            assert!(passed(name), "{name}");
        }
    }

    #[test]
    fn secrets_are_known_by_the_names_of_their_variables() {
        for name in [
            "GITHUB_TOKEN",
            "ANTHROPIC_API_KEY",
            "apikey",
            "DB_PASSWORD",
            "MYSQL_PWD",
            "AWS_SECRET_ACCESS_KEY",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["PATH", "EDITOR", "KEYBOARD_LAYOUT", "GT_ADDRESS", "PATTERN", "MONKEYS"] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn the_last_pattern_decides() {
        let list = ["*", "!LC_*", "LC_ALL", "!*_TOKEN"];
        let passed = |name| passes(&list, name);
        assert_eq!(
            ["LC_ALL", "LC_TIME", "X", "A_TOKEN", "TOKEN"].map(passed),
            [true, false, true, false, true]
        );
        assert!(!passes(&["PATH"], "HOME") && !passes(&[] as &[&str], "HOME"));
        assert_eq!(
            ["LC_*", "!A", "*", "", "!", "a*b*", "A=B"].map(is_pattern),
            [true, true, true, false, false, false, false]
        );
    }

    #[test]
    fn a_pane_keeps_what_it_was_given() {
        assert!(
            keeps(Some("A GIT_DIR"), "GIT_DIR")
                && keeps(Some("A"), "TMUX")
                && !keeps(Some("A"), "SSH_AUTH_SOCK")
        );
        assert!(
            !keeps(None, "CLAUDECODE")
                && keeps(None, "GT_ADDRESS")
                && keeps(None, "TERM")
                && keeps(None, "X")
        );
    }
}
