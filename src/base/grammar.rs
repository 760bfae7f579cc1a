//! Grammars of values that come from outside: from a store that others write to, from refs of origin, from a command
//! line. A value is checked once, where it comes in, so that none reaches git as an option, a refspec or another ref.

/// Whether git takes a text for a full object id: 40 or 64 hexadecimal digits.
pub fn is_object_id(text: &str) -> bool {
    [40, 64].contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The beginning of an object id, as people are shown it.
pub fn short(id: &str) -> &str {
    id.get(..10).unwrap_or(id)
}

/// Whether a text is the name of a branch: `git check-ref-format --branch`, and no word with another meaning.
pub fn is_branch_name(name: &str) -> bool {
    // A file system takes 255 bytes, and git adds ".lock".
    let part =
        |part: &str| (1..=240).contains(&part.len()) && !part.starts_with('.') && !part.ends_with(".lock");
    name.split('/').all(part)
        && !name.starts_with('-')
        && !name.ends_with('.')
        && !["@", "HEAD"].contains(&name)
        && !name.contains("..")
        && !name.contains("@{")
        && !name.chars().any(|c| c.is_control() || " ~^:?*[\\".contains(c))
}

/// Whether a text can be the id of a bead. Not each is a part of a branch's name.
pub fn is_bead_id(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// Whether a text can be the instance id of a session.
pub fn is_instance(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && !text.starts_with('-')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// A number with its noun, in the right plural: `1 polecat`, `2 polecats`, `3 branches`.
pub fn count(number: usize, noun: &str) -> String {
    let end = match noun {
        _ if number == 1 => "",
        _ if noun.ends_with("ch") || noun.ends_with('s') => "es",
        _ => "s",
    };
    format!("{number} {noun}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_are_what_git_takes_for_one() {
        for name in ["main", "beads-sync", "polecat/Nux-wy-1", "release/1.0", "a.b", "ünï", "x@y"] {
            assert!(is_branch_name(name), "{name}");
        }
        for name in [
            "",
            "-x",
            "--exec=touch",
            "*",
            "main:refs/heads/evil",
            "a b",
            "x\ny",
            "a..b",
            "a/",
            "/a",
            "a//b",
            ".a",
            "a/.b",
            "a.lock",
            "a.lock/b",
            "a.",
            "@",
            "HEAD",
            "@{-1}",
            "@{1}",
            "a*",
            "a:b",
            "a~1",
            "a^",
            "a?",
            "a[b",
            "a\\b",
            "a\u{7f}",
        ] {
            assert!(!is_branch_name(name), "{name:?}");
        }
        assert!(!is_branch_name(&"x".repeat(241)));
    }

    #[test]
    fn a_number_has_the_right_plural() {
        let said = [count(0, "polecat"), count(1, "polecat"), count(2, "branch"), count(3, "process")];
        assert_eq!(said, ["0 polecats", "1 polecat", "2 branches", "3 processes"]);
    }

    #[test]
    fn only_full_ids_name_a_commit() {
        let id = "0123456789abcdef0123456789abcdef01234567";
        assert!(is_object_id(id));
        for other in ["", "HEAD", ":/first", &id[..10], &id.to_uppercase(), &format!("{id}^{{tree}}")] {
            assert!(!is_object_id(other), "{other}");
        }
    }
}
