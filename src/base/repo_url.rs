//! The URL of a repository: what may be shown and written down of it, and what is a secret.

use std::borrow::Cow;

/// Schemes whose whole user part is a secret: a token may stand in place of the name. Of the others, ssh say, the name is
/// none, and a password is nothing that git could use.
const SECRET: [&str; 4] = ["http", "https", "ftp", "ftps"];

/// What the name of a value in a query holds, when the value is a secret.
const TOKENS: [&str; 8] = ["token", "secret", "pass", "pwd", "auth", "key", "sig", "credential"];

/// What the user part of a URL ends before, as URLs are read.
const PATH: [char; 4] = ['/', '?', '#', '\\'];

/// The URL without what is secret in it. All of the text is the URL.
pub fn plain(url: &str) -> String {
    cleaned(url, true).into_owned()
}

/// A text without the secrets of the URLs in it.
pub fn redacted(text: &str) -> Cow<'_, str> {
    cleaned(text, false)
}

/// The URL as `git credential-store` keeps it; nothing of one that has no user part, and of one by ssh. What a password may not
/// hold in a URL is written as git reads it.
pub fn credential(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let user = user_part(rest, is_secret(scheme), true)?;
    if !is_secret(scheme) || user.is_empty() || url.contains(char::is_control) {
        return None;
    }
    // The store knows no name without a password; to servers a token is often a name with an empty one.
    let colon = if user.contains(':') { "" } else { ":" };
    let escaped = |c: char| match PATH.contains(&c) || " @".contains(c) {
        true => format!("%{:02X}", u32::from(c)),
        false => c.into(),
    };
    let escaped: String = user.chars().map(escaped).collect();
    Some(format!("{scheme}://{escaped}{colon}{}", &rest[user.len()..]))
}

/// Whether a value in the query of a URL is a secret: git sends it, and everything that shows the URL shows it.
pub fn has_token(url: &str) -> bool {
    values(url, true).next().is_some()
}

fn is_secret(scheme: &str) -> bool {
    let last = scheme.rsplit('+').next().unwrap_or_default();
    SECRET.iter().any(|own| own.eq_ignore_ascii_case(last))
}

fn cleaned(text: &str, whole: bool) -> Cow<'_, str> {
    let mut clean = String::new();
    let mut kept = 0;
    for (at, _) in text.match_indices("://") {
        let start = at + "://".len();
        if start < kept {
            continue;
        }
        let is_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        let secret = is_secret(text[..at].rsplit(|c| !is_scheme(c)).next().unwrap_or_default());
        let mut from = start;
        if let Some(user) = user_part(&text[start..], secret, whole) {
            from += user.len() + 1;
            let shown = if secret { 0 } else { user.find(':').unwrap_or(user.len()) };
            if user != "…" && (shown < user.len() || user.is_empty()) {
                clean.push_str(&text[kept..start + shown]);
                // What may as well be a path is not left out without a sign.
                let doubtful = user[shown..].contains(PATH);
                clean.push_str(if doubtful { "…@" } else { "" });
                kept = from - usize::from(shown > 0 && !doubtful);
            }
        }
        for (value, end) in values(&text[from..], whole) {
            clean.push_str(&text[kept..from + value]);
            clean.push('…');
            kept = from + end;
        }
    }
    match kept {
        0 => Cow::Borrowed(text),
        _ => Cow::Owned(clean + &text[kept..]),
    }
}

/// The part of a text that one URL may be.
fn word(rest: &str, whole: bool) -> &str {
    let ends = |c: char| c.is_whitespace() || "\"'<>`|".contains(c);
    if whole { rest } else { rest.split(ends).next().unwrap_or_default() }
}

/// What stands before the `@` of a host. In a password, which no URL may hold as it is, there may be anything: what is no host
/// belongs to it as well. What could be a host of one name and its path counts as the user part of a URL in a text.
fn user_part(rest: &str, secret: bool, whole: bool) -> Option<&str> {
    let word = word(rest, whole);
    let mut user = 0;
    loop {
        let host = word[user..].split(PATH).next().unwrap_or_default();
        let next = match host.rfind('@') {
            None if is_host(host, whole || !secret) => break,
            None => word[user..].find('@'),
            at => at,
        };
        match next {
            Some(at) => user += at + 1,
            None => break,
        }
    }
    if user == 0 && !whole {
        // A name, and a password with a blank or a quote in it.
        let line = rest.lines().next().unwrap_or_default();
        let password = word.split_once(':').filter(|(name, _)| !name.contains(PATH)).map(|(_, rest)| rest);
        let port = |text: &str| {
            let first = text.split(PATH).next().unwrap_or_default();
            first.trim_end_matches([':', ',', '.', ';', ')']).bytes().all(|b| b.is_ascii_digit())
        };
        if password.is_some_and(|password| !port(password) && !word.starts_with('[')) {
            user = line.find('@').map_or(0, |at| at + 1);
        }
    }
    user.checked_sub(1).map(|end| &rest[..end])
}

/// Whether a text is the name of a host, with or without a port. `bare`: one without a dot is one too.
fn is_host(text: &str, bare: bool) -> bool {
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) if !text.ends_with(']') => (name, port),
        _ => (text, "0"),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c) || !c.is_ascii();
    let named = name.chars().all(plain) && (bare || name.contains('.') || name == "localhost");
    let numbered = name.starts_with('[') && name.ends_with(']');
    (named || numbered) && !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
}

/// Where the secret values in the query or the fragment of a URL begin and end.
fn values(rest: &str, whole: bool) -> impl Iterator<Item = (usize, usize)> {
    let word = word(rest, whole);
    let mut done = 0;
    word.match_indices('=').filter_map(move |(at, _)| {
        let name = word[..at].rfind(['?', '&', ';', '#']).filter(|start| *start >= done)?;
        let name = word[name + 1..at].to_ascii_lowercase();
        let end = word[at..].find('&').map_or(word.len(), |end| at + end);
        let secret =
            end > at + 1 && word[at + 1..end] != *"…" && TOKENS.iter().any(|token| name.contains(token));
        secret.then(|| {
            done = end;
            (at + 1, end)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_secret_in_a_url_is_not_shown() {
        for (url, shown) in [
            ("https://dana:ghp_1@host/x.git", "https://host/x.git"),
            ("https://ghp_1@host:8080/x.git", "https://host:8080/x.git"),
            ("https://dana:p@ss@host/x", "https://host/x"),
            ("https://@host/x", "https://host/x"),
            ("HTTPS://ghp_1@host/x", "HTTPS://host/x"),
            ("git+https://ghp_1@host/x", "git+https://host/x"),
            ("https://dana:p/ss w#rd@host/x", "https://…@host/x"),
            ("https://[::1]:8080/x@y", "https://[::1]:8080/x@y"),
            ("ssh://git@host/x.git", "ssh://git@host/x.git"),
            ("ssh://git@host:22/x@y", "ssh://git@host:22/x@y"),
            ("ssh://git:secret@host/x.git", "ssh://git@host/x.git"),
            ("ssh://git:sec/ret@host/x.git", "ssh://git…@host/x.git"),
            ("git@host:team/x.git", "git@host:team/x.git"),
            ("/a/folder@home/x", "/a/folder@home/x"),
            ("file:///a@b/x", "file:///a@b/x"),
            ("https://host/a@b", "https://host/a@b"),
            ("https://h/x?ref=y&access_token=a#b c", "https://h/x?ref=y&access_token=…"),
            ("https://h/x?ref=a=b&c#private_token=a", "https://h/x?ref=a=b&c#private_token=…"),
        ] {
            assert_eq!(plain(url), shown);
            assert_eq!(plain(shown), shown);
        }
        let said = "fatal: unable to access 'https://a:b@h/x/': see http://c@i?q, ssh://u@j or mail d@k (https://l), \
                    'https://e:f g'h@m/x' and https://n.org/@o/p?token=q, https://r/s@t";
        let clean = "fatal: unable to access 'https://h/x/': see http://i?q, ssh://u@j or mail d@k (https://l), \
                     'https://m/x' and https://n.org/@o/p?token=… https://…@t";
        assert_eq!(redacted(said), clean);
        let daemon = "fugue tcp://127.0.0.1:4000: no answer from dana@host (https://h:80), see d@k";
        assert_eq!(redacted(daemon), daemon);
        let own = clean.replace("https://…@t", "");
        assert!(matches!(redacted(&own), Cow::Borrowed(_)), "{}", redacted(&own));
    }

    proptest! {
        #[test]
        fn no_secret_is_left_wherever_it_stands_in_a_url(secret in "[!-~]{6,20}", blank in "[a-z][ -?A-~]{0,9} [ -?A-~]{5,9}") {
            let text = |url: &str| format!("fatal: cannot read {url} of dana");
            // After digits alone, a slash begins the path of a host with a port.
            let whole = format!("p{}", secret.replace(['"', '\'', '<', '>', '`', '|'], "/"));
            for url in [format!("https://dana:{whole}@git.example.org/x"), format!("https://h/x?access_token={}", whole.replace('&', "#"))] {
                let secret = whole.replace('&', "#");
                for clean in [plain(&url), redacted(&text(&url)).into_owned()] {
                    prop_assert!(!clean.contains(&whole) && !clean.contains(&secret), "{url}: {clean}");
                }
            }
            for password in [&whole, &blank] {
                let url = format!("https://dana:{password}@git.example.org/x");
                prop_assert!(!plain(&url).contains(password.as_str()), "{url}: {}", plain(&url));
            }
            let url = text(&format!("https://dana:{blank}@git.example.org/x"));
            prop_assert!(!redacted(&url).contains(&blank), "{url}: {}", redacted(&url));
            let token = format!("x{}", whole.replace('.', "_"));
            let url = text(&format!("https://{token}@git.example.org/x"));
            prop_assert!(!redacted(&url).contains(&token), "{url}: {}", redacted(&url));
        }
    }

    #[test]
    fn git_gets_a_name_and_a_password() {
        let line = |url| credential(url).unwrap_or_default();
        assert_eq!(line("https://dana:ghp_1@host/x.git"), "https://dana:ghp_1@host/x.git");
        assert_eq!(line("https://ghp_1@host/x.git"), "https://ghp_1:@host/x.git");
        assert_eq!(line("https://dana:a/b c#%2B@host/x"), "https://dana:a%2Fb%20c%23%2B@host/x");
        assert_eq!(line("ssh://git:secret@host/x.git"), "");
        assert_eq!(line("https://host/x.git"), "");
        assert_eq!(line("git@host:x.git"), "");
    }
}
