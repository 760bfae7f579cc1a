//! The messages of the commits that gt makes: what they say of the work, and nothing that a server takes for an order.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use crate::model::commit::{Author, Squashed};

/// What a merged branch is about; empty fields are left out.
#[derive(Clone, Copy, Debug, Default)]
pub struct MergedWork<'a> {
    /// The bead.
    pub bead: &'a str,
    /// Its title.
    pub title: &'a str,
    /// The branch.
    pub branch: &'a str,
    /// Who did it.
    pub worker: &'a str,
}

/// Trailers that are gt's own, or that tell a server to run no tests.
const NOT_TAKEN: [&str; 5] = ["bead", "branch", "worker", "skip-checks", "request-checks"];

const CO_AUTHOR: &str = "co-authored-by";

/// What servers act on in the message of a commit, and how it is written so that it stays readable: brackets that skip a run
/// of the tests, references that close an issue, names that send somebody a mail.
static ORDERS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let orders = [
        (r"(?i)\[([^\[\]]*(?:skip|no[ _-]?ci)[^\[\]]*)\]", "($1)"),
        (r"(?i)\*\*\*\s*(no[ _-]?ci)\s*\*\*\*", "$1"),
        (r"(?i)\b(skip-checks|request-checks)\s*:", "$1"),
        (r"#(\d)", "# $1"),
        (r"(?i)\bGH-(\d)", "GH $1"),
        (r"(?i)https?://(\S*/(?:issues|pulls?|merge_requests|work_items)/\d)", "$1"),
        (r"(^|[^\w.+-])@([A-Za-z0-9])", "$1@ $2"),
    ];
    orders.into_iter().filter_map(|(from, to)| Some((Regex::new(from).ok()?, to))).collect()
});

/// Text that anybody wrote, without what servers act on: `[skip ci]` is `(skip ci)`, `closes #1` is `closes # 1`, `@name` is
/// `@ name`.
pub fn harmless(text: &str) -> String {
    plain(text, &ORDERS)
}

fn plain(text: &str, orders: &[(Regex, &str)]) -> String {
    let mut text = Cow::Borrowed(text);
    for (order, instead) in orders {
        if order.is_match(&text) {
            text = Cow::Owned(order.replace_all(&text, *instead).into_owned());
        }
    }
    text.into_owned()
}

/// The message of a merge or squash: the bead's title on one line, who did what, and the trailers of the squashed commits. Their
/// authors beside `author` are co-authors.
pub fn message(work: MergedWork<'_>, author: Option<&Author>, squashed: &[Squashed]) -> String {
    let title = work.title.split_whitespace().collect::<Vec<_>>().join(" ");
    let title = match title.is_empty() {
        true => work.bead.to_string(),
        false => format!("{title} ({})", work.bead),
    };
    let mut text = format!("{}\n\n", harmless(&title));
    for (key, value) in [("Bead", work.bead), ("Branch", work.branch), ("Worker", work.worker)] {
        if !value.is_empty() {
            text.push_str(&format!("{key}: {}\n", harmless(value)));
        }
    }
    for line in trailers(author, squashed) {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// The author that a squashed commit has: of the last commit that is no merge.
pub fn author(squashed: &[Squashed]) -> Option<&Author> {
    let own = squashed.iter().rev().find(|commit| !commit.merge);
    own.or_else(|| squashed.last()).map(|commit| &commit.author)
}

fn trailers(author: Option<&Author>, squashed: &[Squashed]) -> Vec<String> {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut people: BTreeSet<String> = author.iter().map(|author| author.email.to_lowercase()).collect();
    let mut lines = Vec::new();
    let mut co_authors = Vec::new();
    for line in squashed.iter().flat_map(|commit| &commit.trailers) {
        let Some((key, value)) = line.split_once(':') else { continue };
        let key = key.trim().to_lowercase();
        if key == CO_AUTHOR {
            co_authors.push(value.trim().to_string());
        } else if !NOT_TAKEN.contains(&key.as_str()) && seen.insert(format!("{key}:{}", value.trim())) {
            // A trailer may close an issue; that is what its author wants. It skips no tests.
            lines.push(plain(line.trim(), &ORDERS[..ORDERS.len().min(3)]));
        }
    }
    let others = squashed.iter().filter(|commit| !commit.merge).map(|commit| &commit.author);
    let others = others.map(|author| format!("{} <{}>", author.name, author.email));
    for person in others.chain(co_authors) {
        let email = person.rsplit_once('<').map_or(person.as_str(), |(_, email)| email.trim_end_matches('>'));
        if people.insert(email.to_lowercase()) {
            lines.push(format!("Co-authored-by: {person}"));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(name: &str, trailers: &[&str]) -> Squashed {
        let email = format!("{}@example.com", name.to_lowercase());
        Squashed {
            author: Author { name: name.into(), email, date: "1 +0000".into() },
            merge: name == "Merger",
            trailers: trailers.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn odd_titles_make_one_line_and_stay_data() {
        let work = MergedWork {
            bead: "wy-1",
            title: "# $(rm -rf /); \"x\"\n\nfoo: bar",
            branch: "polecat/Nux-wy-1",
            worker: "wyvern/Nux",
        };
        insta::assert_snapshot!(message(work, None, &[]), @r##"
        # $(rm -rf /); "x" foo: bar (wy-1)

        Bead: wy-1
        Branch: polecat/Nux-wy-1
        Worker: wyvern/Nux
        "##);
    }

    #[test]
    fn no_title_skips_tests_closes_an_issue_or_calls_a_person() {
        for (title, wanted) in [
            ("Fix [skip ci] it", "Fix (skip ci) it"),
            ("[CI SKIP] [no ci] [skip-actions] [noci]", "(CI SKIP) (no ci) (skip-actions) (noci)"),
            ("***NO_CI*** x", "NO_CI x"),
            ("x\n\nskip-checks: true", "x\n\nskip-checks true"),
            ("closes #1, fixes org/repo#23", "closes # 1, fixes org/repo# 23"),
            ("resolves GH-7 and AB#8", "resolves GH 7 and AB# 8"),
            ("fixes https://host/o/r/issues/4 now", "fixes host/o/r/issues/4 now"),
            ("ask @alice, (@bob) and @org/team", "ask @ alice, (@ bob) and @ org/team"),
            // What orders nothing stays as it was typed.
            ("[CI] mail a@b.c, C#, #top, https://host/x", "[CI] mail a@b.c, C#, #top, https://host/x"),
        ] {
            assert_eq!(harmless(title), wanted);
        }
        assert_eq!(ORDERS.len(), 7);
    }

    #[test]
    fn a_squash_keeps_authors_and_trailers_once_each() {
        let squashed = [
            by("Ann", &["Co-authored-by: Bob <bob@example.com>", "Signed-off-by: Ann <ann@example.com>"]),
            by("Merger", &[]),
            by("Ann", &["signed-off-by: Ann <ann@example.com>", "Bead: wy-9", "skip-checks: true"]),
            by("Cyn", &["Fixes: #42", "Note: [skip ci]", "Co-authored-by: Cyn <CYN@example.com>", "none"]),
        ];
        let author = author(&squashed);
        assert_eq!(author.map(|author| author.name.as_str()), Some("Cyn"));
        insta::assert_snapshot!(message(MergedWork { bead: "wy-1", title: "Fix it", ..MergedWork::default() }, author, &squashed), @r"
        Fix it (wy-1)

        Bead: wy-1
        Signed-off-by: Ann <ann@example.com>
        Fixes: #42
        Note: (skip ci)
        Co-authored-by: Ann <ann@example.com>
        Co-authored-by: Bob <bob@example.com>
        ");
    }
}
