//! The URL of a repository: what may be shown and written down of it, and what is a secret.

use std::borrow::Cow;

/// Schemes whose whole user part is a secret: a token may stand in place of the name. Of the others, ssh say, the name is
/// none, and a password is nothing that git could use.
const SECRET: [&str; 4] = ["http", "https", "ftp", "ftps"];

/// The URL without what is secret in it.
pub fn plain(url: &str) -> String {
    redacted(url).into_owned()
}

/// The URL as `git credential-store` keeps it; nothing of one that has no user part, and of one by ssh.
pub fn credential(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let (user, _) = user_part(rest)?;
    if !SECRET.contains(&scheme) || user.is_empty() || url.contains(char::is_control) {
        return None;
    }
    // The store knows no name without a password; to servers a token is often a name with an empty one.
    let colon = if user.contains(':') { "" } else { ":" };
    Some(format!("{scheme}://{user}{colon}{}", &rest[user.len()..]))
}

/// A text without the secrets of the URLs in it.
pub fn redacted(text: &str) -> Cow<'_, str> {
    let mut clean = String::new();
    let mut kept = 0;
    for (at, _) in text.match_indices("://") {
        let start = at + "://".len();
        let Some((user, _)) = text.get(start..).filter(|_| start >= kept).and_then(user_part) else {
            continue;
        };
        let is_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        let scheme = text[..at].rsplit(|c| !is_scheme(c)).next().unwrap_or_default();
        let shown = match SECRET.contains(&scheme) {
            true => 0,
            false => user.find(':').unwrap_or(user.len()),
        };
        if shown == user.len() && !user.is_empty() {
            continue;
        }
        clean.push_str(&text[kept..start + shown]);
        kept = start + user.len() + usize::from(shown == 0);
    }
    match kept {
        0 => Cow::Borrowed(text),
        _ => Cow::Owned(clean + &text[kept..]),
    }
}

/// What stands before the `@` of a host, and what after it.
fn user_part(rest: &str) -> Option<(&str, &str)> {
    let end = rest.find(|c: char| c.is_whitespace() || "/?#\\\"'<>`|".contains(c)).unwrap_or(rest.len());
    let at = rest[..end].rfind('@')?;
    Some((&rest[..at], &rest[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_secret_in_a_url_is_not_shown() {
        for (url, shown) in [
            ("https://dana:ghp_1@host/x.git", "https://host/x.git"),
            ("https://ghp_1@host:8080/x.git", "https://host:8080/x.git"),
            ("https://dana:p@ss@host/x", "https://host/x"),
            ("https://@host/x", "https://host/x"),
            ("ssh://git@host/x.git", "ssh://git@host/x.git"),
            ("ssh://git:secret@host/x.git", "ssh://git@host/x.git"),
            ("git@host:team/x.git", "git@host:team/x.git"),
            ("/a/folder@home/x", "/a/folder@home/x"),
            ("file:///a@b/x", "file:///a@b/x"),
            ("https://host/a@b", "https://host/a@b"),
        ] {
            assert_eq!(plain(url), shown);
        }
        let said =
            "fatal: unable to access 'https://a:b@h/x/': see http://c@i?q, ssh://u@j or mail d@k (https://l)";
        let clean =
            "fatal: unable to access 'https://h/x/': see http://i?q, ssh://u@j or mail d@k (https://l)";
        assert_eq!(redacted(said), clean);
        assert!(matches!(redacted(clean), Cow::Borrowed(_)));
    }

    #[test]
    fn git_gets_a_name_and_a_password() {
        let line = |url| credential(url).unwrap_or_default();
        assert_eq!(line("https://dana:ghp_1@host/x.git"), "https://dana:ghp_1@host/x.git");
        assert_eq!(line("https://ghp_1@host/x.git"), "https://ghp_1:@host/x.git");
        assert_eq!(line("ssh://git:secret@host/x.git"), "");
        assert_eq!(line("https://host/x.git"), "");
        assert_eq!(line("git@host:x.git"), "");
    }
}
