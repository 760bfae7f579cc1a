//! Where in a text for `sh` a `{{name}}` stands, so that its value stays one word there whatever it is.
//!
//! This reads just enough of the shell's language to know quotes. Where it cannot be sure, a name is refused: after a
//! here-document, `` ` ``, `${…}` with an operator, `$((…))`, `$'…'`, `case`; in a comment, and behind a backslash.

use std::ops::Range;

/// How the text around a name is quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Around {
    /// Not.
    Plain,
    /// By `'`.
    Single,
    /// By `"`.
    Double,
}

/// A name in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place<'t> {
    /// Where, braces and all.
    pub range: Range<usize>,
    /// The name.
    pub name: &'t str,
    /// What is around it.
    pub around: Around,
}

/// Why a name cannot stand where it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The name.
    pub name: String,
    /// Where it stands, to go on after "the name …".
    pub place: &'static str,
}

impl Fault {
    /// For people.
    pub fn message(&self) -> String {
        format!("{{{{{}}}}} cannot stand {}: its value might run there", self.name, self.place)
    }

    /// What helps.
    pub const HINT: &'static str =
        "write it as a word of its own, before that: it is put in as one quoted word";
}

/// Every name of a text.
///
/// # Errors
/// The first one that stands where its value might run.
pub fn places(text: &str) -> Result<Vec<Place<'_>>, Fault> {
    let mut reader = Reader { text, at: 0, stack: vec![Ctx::Plain], odd: None, found: Vec::new() };
    let words = || text.split(|c: char| c.is_whitespace() || ";&|()`\"'".contains(c));
    if words().any(|word| word == "eval") {
        reader.odd = Some("in a text with eval");
    }
    // The text in quotes may be another shell's.
    let shells = words().any(|word| word.starts_with('-') && !word.starts_with("--") && word.ends_with('c'));
    while reader.at < text.len() {
        reader.step(shells)?;
    }
    Ok(reader.found)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ctx {
    Plain,
    Single,
    Double,
    Comment,
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    stack: Vec<Ctx>,
    odd: Option<&'static str>,
    found: Vec<Place<'t>>,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn name(&self) -> Option<(&'t str, usize)> {
        let inside = self.rest().strip_prefix("{{")?;
        let (name, _) = inside.split_once("}}")?;
        Some((name.trim(), name.len() + 4))
    }

    fn step(&mut self, shells: bool) -> Result<(), Fault> {
        let ctx = self.stack.last().copied().unwrap_or(Ctx::Plain);
        if let Some((name, length)) = self.name() {
            let place = match ctx {
                _ if self.odd.is_some() => self.odd,
                Ctx::Comment => Some("in a comment"),
                Ctx::Single | Ctx::Double if shells => Some("in quotes that another shell may read (-c)"),
                _ if self.text[..self.at].ends_with('\\') => Some("behind a backslash"),
                _ => None,
            };
            if let Some(place) = place {
                return Err(Fault { name: name.into(), place });
            }
            let around = match ctx {
                Ctx::Single => Around::Single,
                Ctx::Double => Around::Double,
                _ => Around::Plain,
            };
            self.found.push(Place { range: self.at..self.at + length, name, around });
            self.at += length;
            return Ok(());
        }
        let Some(c) = self.rest().chars().next() else { return Ok(()) };
        match ctx {
            Ctx::Single if c == '\'' => self.pop(),
            Ctx::Single => {}
            Ctx::Comment if c == '\n' => self.pop(),
            Ctx::Comment => {}
            Ctx::Double => self.in_double(c),
            Ctx::Plain => self.in_plain(c),
        }
        self.at += c.len_utf8();
        Ok(())
    }

    fn in_double(&mut self, c: char) {
        match c {
            '"' => self.pop(),
            '\\' => self.skip_escaped(),
            _ => self.expansion(c),
        }
    }

    fn in_plain(&mut self, c: char) {
        let before = self.text[..self.at].chars().next_back();
        let begins = before.is_none_or(|c| c.is_whitespace() || ";&|()".contains(c));
        match c {
            '\'' if before == Some('$') => self.unsure("after $'…'"),
            '\'' => self.stack.push(Ctx::Single),
            '"' => self.stack.push(Ctx::Double),
            '\\' => self.skip_escaped(),
            '#' if begins => self.stack.push(Ctx::Comment),
            '<' if self.rest().starts_with("<<") => self.unsure("after a here-document (<<)"),
            '(' if before == Some('(') => self.unsure("after (("),
            '(' => self.stack.push(Ctx::Plain),
            ')' => self.pop(),
            'c' if begins && self.is_word("case") => self.unsure("after case"),
            _ => self.expansion(c),
        }
    }

    fn expansion(&mut self, c: char) {
        match c {
            '`' => self.unsure("after a backquote (write $(…))"),
            '$' if self.rest().starts_with("$((") => self.unsure("after $((…))"),
            '$' if self.rest().starts_with("$(") => {
                self.stack.push(Ctx::Plain);
                self.at += 1;
            }
            '$' if self.rest().starts_with("${") && !self.is_variable() => self.unsure("after ${…}"),
            _ => {}
        }
    }

    fn is_word(&self, word: &str) -> bool {
        let after = self.rest().strip_prefix(word);
        after.is_some_and(|after| after.chars().next().is_none_or(|c| !c.is_alphanumeric() && c != '_'))
    }

    /// `${NAME}` and no more.
    fn is_variable(&self) -> bool {
        let name = self.rest()[2..].split_once('}').map(|(name, _)| name);
        name.is_some_and(|name| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        })
    }

    fn unsure(&mut self, place: &'static str) {
        self.odd.get_or_insert(place);
    }

    fn pop(&mut self) {
        if self.stack.len() > 1 {
            self.stack.pop();
        }
    }

    /// What stands behind a backslash means nothing; a name does not stand there.
    fn skip_escaped(&mut self) {
        let escaped = self.rest()[1..].chars().next();
        if !self.rest()[1..].starts_with("{{") {
            self.at += escaped.map_or(0, char::len_utf8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn around(text: &str) -> Result<Vec<Around>, String> {
        places(text)
            .map(|found| found.iter().map(|place| place.around).collect())
            .map_err(|fault| fault.message())
    }

    #[test]
    fn quotes_are_known_and_what_is_not_is_refused() {
        use Around::{Double, Plain, Single};
        assert_eq!(
            around("echo {{a}} '{{b}}' \"{{c}} $(x {{d}} \"{{e}}\") {{f}}\" $HOME ${HOME} {{g}}"),
            Ok(vec![Plain, Single, Double, Plain, Double, Double, Plain])
        );
        assert_eq!(
            around("echo \\' {{a}} \"\\\" {{b}}\" x#y '#' {{c}} # no\n{{d}}"),
            Ok(vec![Plain, Double, Plain, Plain])
        );
        assert_eq!(around("(cd x; echo {{a}}); echo it\\'s {{b}}"), Ok(vec![Plain, Plain]));
        for (text, place) in [
            ("echo # {{a}}", "in a comment"),
            ("cat <<E\n{{a}}\nE", "after a here-document (<<)"),
            ("echo `echo {{a}}`", "after a backquote (write $(…))"),
            ("echo \"`echo {{a}}`\"", "after a backquote (write $(…))"),
            ("echo ${X:-{{a}}}", "after ${…}"),
            ("echo $(( {{a}} ))", "after $((…))"),
            ("echo $'\\'' {{a}}", "after $'…'"),
            ("echo \\{{a}}", "behind a backslash"),
            ("echo \"\\{{a}}\"", "behind a backslash"),
            ("eval echo {{a}}", "in a text with eval"),
            ("bash -lc 'echo {{a}}'", "in quotes that another shell may read (-c)"),
            ("x=\"$(case a in a) echo {{a}};; esac)\"", "after case"),
        ] {
            let said = format!("{{{{a}}}} cannot stand {place}: its value might run there");
            assert_eq!(around(text), Err(said), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[{}a '\"$()`#\\\\<\n\u{1F9A1};-]{0,40}") {
            let _ = places(&text);
        }
    }
}
