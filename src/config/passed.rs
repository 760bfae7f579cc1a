//! Which variables of the environment a test run gets: a list of patterns ([`crate::model::environment`]) and `NAME=VALUE`.

use crate::model::environment::{is_pattern, passes};

/// Variables that are about gt itself, or about the repository that git was called for: never passed on.
fn is_private(name: &str) -> bool {
    name.starts_with("GT_") || name.starts_with("GIT_")
}

/// What is wrong with one entry of a list.
///
/// # Errors
/// No name, or one that is never passed on.
pub(super) fn check(entry: &str) -> Result<(), String> {
    let (name, set) = entry.split_once('=').map_or((entry, false), |(name, _)| (name, true));
    let fits = is_pattern(name) && (!set || !name.contains(['!', '*'])) && name != "*";
    if !fits || entry.contains('\0') {
        return Err(format!("'{entry}' names no variable"));
    }
    if is_private(name) && !set {
        return Err(format!("{name} is never passed on; it can be set: {name}=VALUE"));
    }
    Ok(())
}

/// The variables of `env` that a list passes on, and those that it sets, by name. What is set counts over what is passed on.
pub fn passed(list: &[String], env: &[(String, String)]) -> Vec<(String, String)> {
    let patterns: Vec<&String> = list.iter().filter(|entry| !entry.contains('=')).collect();
    let own = env.iter().filter(|(name, _)| !is_private(name) && passes(&patterns, name)).cloned();
    let set = list.iter().filter_map(|entry| entry.split_once('='));
    let set = set.map(|(name, value)| (name.to_string(), value.to_string()));
    let all: std::collections::BTreeMap<String, String> = own.chain(set).collect();
    all.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_passes_on_what_it_names_and_nothing_of_git_and_gt() {
        let all = ["PATH", "HOME", "LC_ALL", "LC_TIME", "GT_ROLE", "GIT_DIR", "SSH_AUTH_SOCK"];
        let env: Vec<(String, String)> = all.iter().map(|name| (name.to_string(), "x".into())).collect();
        let shown = |list: &[&str]| {
            let list: Vec<String> = list.iter().map(ToString::to_string).collect();
            let passed = passed(&list, &env);
            passed.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(shown(&["PATH", "LC_*"]), "LC_ALL=x LC_TIME=x PATH=x");
        assert_eq!(shown(&["PATH", "LC_*", "CI=1", "LC_ALL=C"]), "CI=1 LC_ALL=C LC_TIME=x PATH=x");
        assert_eq!(shown(&["*", "EMPTY="]), "EMPTY= HOME=x LC_ALL=x LC_TIME=x PATH=x SSH_AUTH_SOCK=x");
        assert_eq!(shown(&["PATH", "LC_*", "!LC_TIME"]), "LC_ALL=x PATH=x");
    }

    #[test]
    fn what_names_no_variable_or_a_private_one_is_refused() {
        for entry in ["", "*", "=x", "A B", "A-B*", "GT_ROLE", "GT_*", "GIT_DIR", "A*=x", "!A=x"] {
            assert!(check(entry).is_err(), "{entry}");
        }
        for entry in ["PATH", "LC_*", "*_PROXY", "!LC_TIME", "A=b c", "GIT_AUTHOR_NAME=x", "A="] {
            assert!(check(entry).is_ok(), "{entry}");
        }
    }
}
