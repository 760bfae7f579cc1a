//! Which variables of the environment a program gets: lists of `NAME`, `BEGIN*` (every name that begins so) and
//! `NAME=VALUE`.

/// Variables that are about gt itself, or about the repository that git was called for: never passed on.
fn is_private(name: &str) -> bool {
    name.starts_with("GT_") || name.starts_with("GIT_")
}

/// What is wrong with one entry of a list.
///
/// # Errors
/// No name, or one that is never passed on.
pub(super) fn check(entry: &str) -> Result<(), String> {
    let (name, set) = match entry.split_once('=') {
        Some((name, _)) => (name, true),
        None => (entry.strip_suffix('*').unwrap_or(entry), false),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(plain) || entry.contains('\0') {
        return Err(format!("'{entry}' names no variable"));
    }
    if is_private(name) && !set {
        return Err(format!("{name} is never passed on; it can be set: {name}=VALUE"));
    }
    Ok(())
}

/// The variables of `env` that a list passes on, and those that it sets, by name. What is set counts over what is passed on.
pub fn passed(list: &[String], env: &[(String, String)]) -> Vec<(String, String)> {
    let fits = |name: &str, entry: &String| match entry.strip_suffix('*') {
        Some(begin) => name.starts_with(begin),
        None => name == entry,
    };
    let wanted = |name: &str| !is_private(name) && list.iter().any(|entry| fits(name, entry));
    let own = env.iter().filter(|(name, _)| wanted(name)).cloned();
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
        let list = ["PATH", "LC_*", "CI=1", "LC_ALL=C", "*", "EMPTY="].map(String::from);
        let all = ["PATH", "HOME", "LC_ALL", "LC_TIME", "GT_ROLE", "GIT_DIR", "SSH_AUTH_SOCK"];
        let env: Vec<(String, String)> = all.iter().map(|name| (name.to_string(), "x".into())).collect();
        let shown = |list: &[String]| {
            passed(list, &env)
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(shown(&list[..2]), "LC_ALL=x LC_TIME=x PATH=x");
        assert_eq!(shown(&list[..4]), "CI=1 LC_ALL=C LC_TIME=x PATH=x");
        assert_eq!(shown(&list[4..]), "EMPTY= HOME=x LC_ALL=x LC_TIME=x PATH=x SSH_AUTH_SOCK=x");
    }

    #[test]
    fn what_names_no_variable_or_a_private_one_is_refused() {
        for entry in ["", "*", "=x", "A B", "A-B*", "GT_ROLE", "GT_*", "GIT_DIR"] {
            assert!(check(entry).is_err(), "{entry}");
        }
        for entry in ["PATH", "LC_*", "A=b c", "GIT_AUTHOR_NAME=x", "A="] {
            assert!(check(entry).is_ok(), "{entry}");
        }
    }
}
