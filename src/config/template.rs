//! What may stand in values: `${VAR}`, read when a file is loaded, and `{{name}}`, filled when a session is made.

use std::borrow::Cow;
use std::fmt;

use anyhow::Result;

use crate::base::failure::Failure;
use crate::base::fill;

/// Names that `{{name}}` can have: `gt` is the path of this program.
pub const NAMES: [&str; 14] = [
    "town",
    "rig",
    "agent",
    "role",
    "bead",
    "title",
    "branch",
    "worktree",
    "clone_quoted",
    "address",
    "session_id",
    "conversation",
    "allowed",
    "gt",
];

/// The one of [`NAMES`] whose value is free text that anyone may have typed.
const TYPED: &str = "title";

/// Why a `${…}` has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The variable is not set and has no default.
    Unset(String),
    /// No `}` follows.
    Unclosed,
    /// What stands between the braces names no variable.
    NoName(String),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Broken::Unset(name) => write!(f, "the variable {name} is not set"),
            Broken::Unclosed => f.write_str("a '${' without its '}'"),
            Broken::NoName(text) => write!(f, "'${{{text}}}' names no variable"),
        }
    }
}

impl Broken {
    /// What helps.
    pub fn hint(&self) -> String {
        match self {
            Broken::Unset(name) => {
                format!(
                    "set {name}, or give a default: ${{{name}:-…}}; a ${{ that is not gt's is written $${{"
                )
            }
            Broken::Unclosed | Broken::NoName(_) => {
                "write ${NAME} or ${NAME:-default}; a ${ that is not gt's is written $${".into()
            }
        }
    }
}

/// Fills `${VAR}` and `${VAR:-default}` (which also counts for an empty variable); `$$` is a dollar, any other `$`
/// stays as it is. In a text for a shell `$$` is the shell's own, and only `$${` is `${`.
///
/// # Errors
/// An unset variable without a default, or something that is no such form.
pub fn expand<'t>(
    text: &'t str,
    for_shell: bool,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<Cow<'t, str>, Broken> {
    if !text.contains('$') {
        return Ok(Cow::Borrowed(text));
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if for_shell && after.starts_with('$') {
            // Of several before a brace one is gt's; all others are the shell's.
            let tail = after.trim_start_matches('$');
            let more = after.len() - tail.len();
            out.push_str(&"$".repeat(more + usize::from(!tail.starts_with('{'))));
            let brace = usize::from(tail.starts_with('{'));
            out.push_str(&tail[..brace]);
            rest = &tail[brace..];
        } else if let Some(tail) = after.strip_prefix('$') {
            out.push('$');
            rest = tail;
        } else if let Some(inner) = after.strip_prefix('{') {
            let (inside, tail) = inner.split_once('}').ok_or(Broken::Unclosed)?;
            out.push_str(&variable(inside, lookup)?);
            rest = tail;
        } else {
            out.push('$');
            rest = after;
        }
    }
    out.push_str(rest);
    Ok(Cow::Owned(out))
}

/// The text that [`expand`] makes into this one.
pub fn escape(text: &str, for_shell: bool) -> String {
    if for_shell {
        return text.replace("${", "$${");
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        out.push(c);
        if c == '$' && matches!(chars.peek(), Some('$' | '{')) {
            out.push('$');
        }
    }
    out
}

fn variable(inside: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<String, Broken> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    let mut chars = name.chars();
    let named = chars.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !named {
        return Err(Broken::NoName(inside.into()));
    }
    match (lookup(name), default) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (_, Some(default)) => Ok(default.into()),
        (None, None) => Err(Broken::Unset(name.into())),
    }
}

/// The first `{{name}}` that is none of [`NAMES`].
pub fn unknown_name(text: &str) -> Option<&str> {
    names(text).find(|name| !NAMES.contains(name))
}

fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split("{{").skip(1).filter_map(|part| Some(part.split_once("}}")?.0.trim()))
}

/// Fills every `{{name}}` with its value. Values stay data: nothing in them is filled again.
///
/// # Errors
/// Whatever `value` gives for a name that it does not know.
pub fn fill<E>(text: &str, value: &dyn Fn(&str) -> Result<String, E>) -> Result<String, E> {
    fill::each(text, |name, _, _| value(name).map(Some))
}

/// Whether a text has the title in it.
pub fn has_typed(text: &str) -> bool {
    names(text).any(|name| name == TYPED)
}

/// The first name in a text for a shell that cannot stand there: one that is no argument of its own, and the title anywhere,
/// because what the shell runs may be another shell (`ssh HOST echo …`, `eval`, `watch`).
pub fn misplaced_name(text: &str) -> Option<String> {
    let mut found = None;
    let _ = fill::each(text, |name, before, after| {
        if name == TYPED || !is_argument(before, after) {
            found.get_or_insert_with(|| name.to_string());
        }
        Ok::<_, std::convert::Infallible>(None)
    });
    found
}

/// The first name in those of a command's words that are a text for a shell: the word after `-c` of a shell, and all that
/// ssh joins to one. Shells are programs whose names end in `sh`.
pub fn name_for_shell(words: &[String]) -> Option<&str> {
    let name = |word: &String| word.rsplit('/').next().unwrap_or_default().to_string();
    let (mut shell, mut joined, mut script) = (false, false, false);
    words.iter().find_map(|word| {
        let found = names(word).next().filter(|_| joined || script);
        script = shell && word.starts_with('-') && !word.starts_with("--") && word.ends_with('c');
        shell |= name(word).ends_with("sh");
        joined |= name(word).ends_with("ssh");
        found
    })
}

/// Whether a word is the title and no more.
pub fn is_typed(word: &str) -> bool {
    word.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")).is_some_and(|name| name.trim() == TYPED)
}

/// The variable that a session has a name's value in.
fn variable_of(name: &str) -> Option<&'static str> {
    Some(match name {
        "town" => "GT_TOWN_ROOT",
        "rig" => "GT_RIG",
        "agent" => "GT_AGENT",
        "role" => "GT_ROLE",
        "bead" => "GT_BEAD",
        "title" => "GT_BEAD_TITLE",
        "branch" => "GT_BRANCH",
        "worktree" => "GT_WORKTREE",
        "address" => "GT_ADDRESS",
        "session_id" => "GT_INSTANCE",
        "what" => "GT_WHAT",
        "help" => "GT_HELP",
        _ => return None,
    })
}

/// Why a name cannot stand in a text for a shell.
pub fn misplaced(name: &str) -> String {
    format!("{{{{{name}}}}} cannot stand in a text for a shell, which might run it")
}

/// What to write in its place.
pub fn right_form(name: &str) -> String {
    match variable_of(name) {
        Some(variable) => format!("write \"${variable}\": it is in its environment"),
        None => {
            "put it in a variable: env = { NAME = \"{{".to_string() + name + "}}\" }, then write \"$NAME\""
        }
    }
}

/// The same for a text that a shell will read. A value stands there as an argument of its own, in quotes when it has blanks in
/// it, as the path of a town may.
///
/// # Errors
/// As [`fill`]; also a name in another place, inside quotes say, the title, and a value with other characters.
pub fn fill_command(text: &str, value: &dyn Fn(&str) -> Result<String>) -> Result<String> {
    if let Some(name) = misplaced_name(text) {
        return Err(Failure::new(misplaced(&name)).hint(right_form(&name)).into());
    }
    fill::each(text, |name, _, _| {
        let filled = value(name)?;
        if is_harmless(&filled) {
            Ok(Some(filled))
        } else if is_harmless(&filled.replace(' ', "")) {
            Ok(Some(format!("'{filled}'")))
        } else {
            Err(Failure::new(misplaced(name)).hint(right_form(name)).into())
        }
    })
}

fn is_harmless(value: &str) -> bool {
    !value.starts_with('-') && value.chars().all(|c| c.is_alphanumeric() || "._/@:+-".contains(c))
}

/// Whether what stands between two parts of a text for a shell is a word by itself: in no quotes, no command substitution and
/// no here-document.
fn is_argument(before: &str, after: &str) -> bool {
    let (mut quote, mut substitutions, mut last) = (None, Vec::new(), ' ');
    let mut chars = before.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None | Some('"'), '\\') => drop(chars.next()),
            (None, '\'' | '"' | '`') => quote = Some(c),
            (None, '(') => substitutions.push("$<>".contains(last)),
            (None, ')') => drop(substitutions.pop()),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
        last = c;
    }
    let ends = |c: Option<char>| c.is_none_or(|c| c.is_whitespace() || ";&|()".contains(c));
    // Where a here-document ends, and what is escaped in `$'…'`, is not read here.
    let unread = ["<<", "$'"].iter().any(|odd| before.contains(odd));
    let free = quote.is_none() && !substitutions.contains(&true) && !unread;
    free && ends(before.chars().next_back()) && ends(after.chars().next())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn with(text: &str) -> Result<String, Broken> {
        let lookup = |name: &str| match name {
            "HOME" => Some("/home/max".to_string()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        expand(text, false, &lookup).map(Cow::into_owned)
    }

    #[test]
    fn variables_defaults_and_dollars() {
        assert_eq!(with("${HOME}/.token").unwrap(), "/home/max/.token");
        assert_eq!(with("${NOPE:-tcp://localhost:9999}").unwrap(), "tcp://localhost:9999");
        assert_eq!(with("${NOPE:-}").unwrap(), "");
        assert_eq!(with("[${EMPTY}]").unwrap(), "[]");
        assert_eq!(with("[${EMPTY:-x}]").unwrap(), "[x]");
        assert_eq!(with("exec $SHELL; echo $$ $${HOME}").unwrap(), "exec $SHELL; echo $ ${HOME}");
        assert_eq!(with("end $").unwrap(), "end $");
        let shell = "exec $SHELL; echo $$ $${HOME} ${NOPE:-x}";
        assert_eq!(expand(shell, true, &|_| None).unwrap(), "exec $SHELL; echo $$ ${HOME} x");
        assert_eq!(with("${NOPE}").unwrap_err(), Broken::Unset("NOPE".into()));
        assert_eq!(with("${NOPE").unwrap_err(), Broken::Unclosed);
        assert_eq!(with("${a b}").unwrap_err(), Broken::NoName("a b".into()));
        assert_eq!(with("${}").unwrap_err(), Broken::NoName(String::new()));
    }

    #[test]
    fn names_are_a_closed_list() {
        assert_eq!(unknown_name("{{ town }}/{{rig}} {{titel}}"), Some("titel"));
        assert_eq!(unknown_name("{{town}} {not} {{unclosed"), None);
    }

    #[test]
    fn a_value_is_not_filled_again() {
        let value = |_: &str| Ok::<_, Broken>("{{town}}".to_string());
        assert_eq!(fill("a {{title}} b", &value).unwrap(), "a {{town}} b");
    }

    proptest! {
        #[test]
        fn doubled_dollars_give_any_text_back(text in "\\PC{0,30}") {
            prop_assert_eq!(with(&text.replace('$', "$$")).unwrap(), text);
        }

        #[test]
        fn what_is_escaped_is_read_as_it_stood(text in "[${}:\\-a ]{0,20}|\\PC{0,30}") {
            prop_assert_eq!(with(&escape(&text, false)).unwrap(), text.clone());
            let read = expand(&escape(&text, true), true, &|_| None).map(Cow::into_owned);
            prop_assert_eq!(read.unwrap(), text);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[${}:\\-{}a ]{0,20}") {
            let _ = with(&text);
            let _ = unknown_name(&text);
            let _ = fill(&text, &|name| Ok::<_, Broken>(name.into()));
        }

        #[test]
        fn in_a_command_a_value_is_one_argument(value in "[^\0]{0,30}|[a-z ./@:+-]{1,10}") {
            let text = "echo {{bead}} '<' \"(\" {{ bead }};{{bead}}";
            let Ok(filled) = fill_command(text, &|_| Ok(value.clone())) else { return Ok(()) };
            let acts = |c: char| c.is_control() || "$`\\\"';&|<>()[]{}*?~#!=%,".contains(c);
            prop_assert!(!value.contains(acts), "{}", value);
            if !value.is_empty() {
                let wanted = ["echo", &value, "<", "(", &format!("{value};{value}")];
                prop_assert_eq!(shlex::split(&filled).unwrap(), wanted);
            }
        }
    }

    #[test]
    fn a_title_is_never_in_a_command() {
        let filled = |text: &str, value: &str| fill_command(text, &|_| Ok(value.to_string()));
        assert_eq!(filled("cat {{worktree}}", "/t/wyvern").unwrap(), "cat /t/wyvern");
        let said = |text: &str, value: &str| {
            let error = filled(text, value).unwrap_err();
            (error.to_string(), crate::base::failure::hint_of(&error).unwrap())
        };
        let (error, hint) = said("echo {{title}}", "plain");
        assert_eq!(error, "{{title}} cannot stand in a text for a shell, which might run it");
        assert_eq!(hint, "write \"$GT_BEAD_TITLE\": it is in its environment");
        assert_eq!(said("echo {{bead}}", "wy-$(x)").1, "write \"$GT_BEAD\": it is in its environment");
        assert_eq!(
            said("\"{{gt}}\" hook", "/a b/gt").1,
            "put it in a variable: env = { NAME = \"{{gt}}\" }, then write \"$NAME\""
        );
        // A path with blanks is quoted where that is right, and refused where not.
        for (text, wanted) in [
            ("{{worktree}}", "'/a b'"),
            ("cd {{ worktree }}&& (ls {{worktree}})", "cd '/a b'&& (ls '/a b')"),
            ("echo 'it'\\'' s' \"x\" {{worktree}} # {{worktree}}", "echo 'it'\\'' s' \"x\" '/a b' # '/a b'"),
        ] {
            assert_eq!(filled(text, "/a b").unwrap(), wanted);
        }
        for text in [
            "'{{worktree}}'",
            "\"{{worktree}}\"",
            "{{worktree}}/x",
            "x={{worktree}}",
            "echo ` {{worktree}} `",
            "cat <<x\n {{worktree}}",
            "echo \"a' {{worktree}} \"",
            "\\' {{worktree}}x",
            "echo $(ls {{worktree}})",
            "echo \"$(ls {{worktree}} )\"",
            "diff <( ls {{worktree}} ) x",
            "echo $'it\\'s {{worktree}} '",
            "sh -c \"echo '{{worktree}}'\"",
            "cat <<X\n{{worktree}}\nX",
        ] {
            assert!(filled(text, "/a b").is_err() && filled(text, "wy-1").is_err(), "{text}");
        }
        assert!(filled("cd $(pwd) && ls {{worktree}}", "wy-1").is_ok());
        assert!(filled("ls {{worktree}}", "/a $(x)").is_err() && filled("ls {{worktree}}", "-a b").is_err());
        let in_shell = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_string()).collect();
            name_for_shell(&words).map(str::to_string)
        };
        for words in [
            &["sh", "-c", "echo '{{bead}}'"][..],
            &["env", "A=b", "/bin/bash", "-lc", "{{bead}}"],
            &["ssh", "pc", "agent", "{{bead}}"],
            &["/usr/bin/ssh", "pc", "sh -c 'echo {{ bead }}'"],
        ] {
            assert_eq!(in_shell(words).as_deref(), Some("bead"), "{words:?}");
        }
        for words in [
            &["sh", "-c", "exec agent \"$@\"", "agent", "--dir={{worktree}}", "{{title}}"][..],
            &["codex", "-c", "projects={ {{clone_quoted}}={} }"],
            &["agent", "--say", "It's {{bead}}"],
        ] {
            assert_eq!(in_shell(words), None, "{words:?}");
        }
        assert!(has_typed("x {{ title }}") && !has_typed("{{bead}} {title}"));
        assert!(is_typed("{{ title }}") && !is_typed("x{{title}}"));
    }
}
