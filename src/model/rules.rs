//! What rigs, crew members and ids may be called (`town.md`).

use crate::base::failure::Failure;
use crate::base::hash::fnv64;
use crate::model::address::{RESERVED_RIG_NAMES, is_member_name, is_rig_name};

/// Prefix of the town's own ids as built in, which a migrated town gets.
pub const TOWN_PREFIX: &str = "hq";

/// Checks the name of a new rig.
///
/// # Errors
/// A usage failure that says which rule it breaks.
pub fn rig_name(name: &str) -> Result<(), Failure> {
    if RESERVED_RIG_NAMES.contains(&name) || name == "local" {
        return Err(Failure::usage(format!("'{name}' is a reserved word and cannot name a rig"))
            .hint(format!("reserved are: {} local", RESERVED_RIG_NAMES.join(" "))));
    }
    if !is_rig_name(name) {
        return Err(Failure::usage(format!("'{name}' cannot name a rig")).hint(
            "a name begins with a small letter and has small letters, digits and '-': at most 32 of them",
        ));
    }
    Ok(())
}

/// Checks the name of a new crew member.
///
/// # Errors
/// A usage failure.
pub fn member_name(name: &str) -> Result<(), Failure> {
    if is_member_name(name) {
        return Ok(());
    }
    Err(Failure::usage(format!("'{name}' cannot name a crew member"))
        .hint("a name has letters, digits, '-' and '_': at most 32 of them, a letter or digit first"))
}

/// Checks the prefix of a new rig against those that are `taken`. No `-`, so that a bead's rig is known by its id.
///
/// # Errors
/// A usage failure: not a prefix, or taken.
pub fn prefix(prefix: &str, taken: &[String]) -> Result<(), Failure> {
    let mut chars = prefix.chars();
    let fits = prefix.len() <= 12
        && chars.next().is_some_and(|first| first.is_ascii_lowercase())
        && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if !fits {
        return Err(Failure::usage(format!("'{prefix}' cannot be a prefix of ids"))
            .hint("a prefix is a small letter, then small letters and digits: at most 12 of them"));
    }
    if taken.iter().any(|own| own == prefix) {
        let whose = if prefix == TOWN_PREFIX { "the town's own" } else { "another rig's" };
        return Err(Failure::usage(format!("the prefix '{prefix}' is {whose}"))
            .hint("choose another with: --prefix PREFIX; see them with: gt rigs"));
    }
    Ok(())
}

/// Whether a store may have ids with this prefix: what programs other than gt choose too.
pub fn is_prefix(prefix: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    (1..=32).contains(&prefix.len())
        && !prefix.starts_with('-')
        && !prefix.ends_with('-')
        && prefix.chars().all(plain)
}

/// A prefix made from a rig's name: its initials when it has several parts, else its first three letters; longer
/// where that is taken.
pub fn prefix_for(name: &str, taken: &[String]) -> String {
    let free = |prefix: &String| !taken.contains(prefix);
    let parts: Vec<&str> = name.split('-').filter(|part| !part.is_empty()).collect();
    let initials: String = parts.iter().filter_map(|part| part.chars().next()).take(8).collect();
    let letters: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let several = (parts.len() > 1).then_some(initials);
    let growing = (3..=8).map(|length| letters.chars().take(length).collect::<String>());
    let numbered = (2..).map(|number| format!("{}{number}", letters.chars().take(3).collect::<String>()));
    several.into_iter().chain(growing).chain(numbered.take(taken.len() + 1)).find(free).unwrap_or(letters)
}

/// A town's name where several towns meet: letters, digits, `-` and `_` of its name, and four digits made from when it
/// was made. It stays when the town is moved.
pub fn town_id(name: &str, created_at: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    let name: String = name.chars().take(24).map(plain).collect();
    let hash = fnv64(&format!("{name}\n{created_at}"));
    format!("{name}-{:04x}", (hash >> 32) & 0xffff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_bad_name_is_told_what_it_breaks() {
        for name in ["a/b", "..", ".", "a:b", "a b", "", "Wyvern", "9lives", "-x", "é", &"x".repeat(33)] {
            assert!(rig_name(name).unwrap_err().message.ends_with("cannot name a rig"), "{name}");
        }
        for name in ["mayor", "crew", "hq", "local", "polecats", "bin"] {
            assert!(rig_name(name).unwrap_err().message.contains("reserved"), "{name}");
        }
        assert!(rig_name("wyvern-2").is_ok());
    }

    #[test]
    fn prefixes_come_from_names_and_give_way() {
        let taken: Vec<String> = ["hq", "wyv"].map(Into::into).to_vec();
        assert_eq!(prefix_for("gastown", &taken), "gas");
        assert_eq!(prefix_for("wyvern", &taken), "wyve");
        assert_eq!(prefix_for("merge-oracle", &taken), "mo");
        assert_eq!(prefix_for("h-q", &taken), "hq2");
        assert_eq!(prefix_for("x", &taken), "x");
        assert!(prefix("hq", &taken).unwrap_err().message.contains("the town's own"));
        assert!(
            prefix("wyv", &taken).is_err() && prefix("a-b", &taken).is_err() && prefix("", &taken).is_err()
        );
    }

    #[test]
    fn a_town_has_one_town_id() {
        let name = town_id("my town", "2026-01-01T00:00:00.5Z");
        assert!(name.starts_with("my-town-") && name.len() == 12, "{name}");
        assert_ne!(name, town_id("my town", "2026-01-01T00:00:00.6Z"));
    }

    proptest! {
        #[test]
        fn what_is_made_from_a_name_is_a_free_prefix(name in "[a-z][a-z0-9-]{0,31}", taken in proptest::collection::vec("[a-z]{1,3}", 0..20)) {
            prop_assert!(prefix(&prefix_for(&name, &taken), &taken).is_ok());
        }
    }
}
