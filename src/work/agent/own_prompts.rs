//! The prompts that a town or a rig has of its own, `config/prompts/ROLE.md`, and what is wrong with them.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use clap::Parser;
use clap::error::ErrorKind;
use regex::Regex;

use crate::base::{files, fill};
use crate::model::address::Role;

/// The names that a prompt can have in `{{…}}`.
pub const PLACEHOLDERS: [&str; 8] = ["town", "rig", "role", "agent", "address", "bead", "branch", "worktree"];

/// The most bytes of a role's text that `gt prime` prints.
pub const LONGEST: usize = 2600;

/// Where the prompts of a town or a rig are.
pub fn folder(root: &Path) -> PathBuf {
    root.join("config/prompts")
}

/// The prompts of a town or a rig that an agent would not be told as they are: the file, inside of it, and why.
pub fn faults(root: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for name in files::names_in(&folder(root)).unwrap_or_default() {
        let Some(role) = name.strip_suffix(".md") else { continue };
        let why = match (Role::parse(role), files::read(&folder(root).join(&name))) {
            (None, _) => vec![format!("'{role}' is no role")],
            (_, Err(error)) => vec![error.root_cause().to_string()],
            (Some(_), Ok(text)) => of_text(&text),
        };
        found.extend(why.into_iter().map(|why| (format!("config/prompts/{name}"), why)));
    }
    found
}

fn of_text(text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let _ = fill::each::<std::convert::Infallible>(text, |name, _, _| {
        if !PLACEHOLDERS.contains(&name) {
            faults.push(format!("unknown placeholder '{{{{{name}}}}}'"));
        }
        Ok(None)
    });
    if text.len() > LONGEST {
        faults.push(format!("it has {} bytes, and gt prime prints {LONGEST} at most", text.len()));
    }
    faults.extend(wrong_commands(text).1.into_iter().map(|(words, _)| format!("gt does not know '{words}'")));
    faults
}

/// How many commands of gt a text names, between backquotes or after a colon, and those that gt does not take: the words, and what
/// the program says.
pub fn wrong_commands(text: &str) -> (usize, Vec<(String, String)>) {
    static PATTERNS: OnceLock<Option<(Regex, Regex)>> = OnceLock::new();
    let patterns = PATTERNS.get_or_init(|| {
        Some((Regex::new(r"`([^`\n]+)`|: (gt [^;,\n(`]*)").ok()?, Regex::new(r"\{\{[^}]*\}\}").ok()?))
    });
    let Some((named, placeholder)) = patterns else { return (0, Vec::new()) };
    let text = placeholder.replace_all(text, "x-1");
    let spans = named.captures_iter(&text).filter_map(|found| found.get(1).or(found.get(2)));
    let (mut count, mut wrong) = (0, Vec::new());
    for words in spans.flat_map(|span| span.as_str().split("&&")).filter_map(shlex::split) {
        let store = words.iter().position(|word| word == "bd").filter(|at| *at < 2);
        let failed = match store {
            Some(at) => crate::cli::bd::BdArgs::try_parse_from(&words[at..]).err(),
            None if words.first().is_some_and(|word| word == "gt") => {
                crate::cli::Cli::try_parse_from(&words).err()
            }
            None => continue,
        };
        count += 1;
        // A text may just name one, or a part of it.
        let partly =
            [ErrorKind::MissingRequiredArgument, ErrorKind::DisplayHelp, ErrorKind::MissingSubcommand];
        let failed = failed.filter(|error| !partly.contains(&error.kind()));
        wrong.extend(failed.map(|error| (words.join(" "), error.to_string())));
    }
    (count, wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_prompt_is_said() {
        let good = "You are {{agent}}. Read `gt bd show {{bead}}`, then `gt sling`; ask with: gt mail inbox";
        assert_eq!(of_text(good), Vec::<String>::new());
        let bad = format!("{{{{bed}}}} `gt slign x` {}", "long ".repeat(600));
        insta::assert_snapshot!(of_text(&bad).join("\n"), @r"
        unknown placeholder '{{bed}}'
        it has 3021 bytes, and gt prime prints 2600 at most
        gt does not know 'gt slign x'
        ");
    }
}
