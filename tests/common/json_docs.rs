//! `docs/json.md` as a description that values are checked against: the tests hold what it says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use serde_json::Value;

/// What the page describes.
#[derive(Debug, Default)]
pub struct Docs {
    /// Its answers, in order.
    pub answers: Vec<Answer>,
    shapes: BTreeMap<String, Vec<Field>>,
}

/// One row of its tables of commands.
#[derive(Debug)]
pub struct Answer {
    /// As it stands there, `gt rig add --dry-run`, and the name of its answer.
    pub title: String,
    /// Its words without placeholders: `rig`, `add`.
    pub command: Vec<String>,
    /// Its options: `--dry-run`.
    pub flags: Vec<String>,
    name: String,
    value: Type,
}

#[derive(Debug)]
struct Field {
    name: String,
    value: Type,
    may_be_missing: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Type {
    Any,
    Null,
    Text,
    Number,
    Boolean,
    List(Box<Type>),
    Map(Box<Type>),
    Shape(String),
    Either(Vec<Type>),
}

/// The page, read once.
pub fn docs() -> &'static Docs {
    static DOCS: OnceLock<Docs> = OnceLock::new();
    DOCS.get_or_init(|| Docs::parse(include_str!("../../docs/json.md")).unwrap_or_else(|why| panic!("{why}")))
}

impl Docs {
    fn parse(text: &str) -> Result<Docs, String> {
        let (mut docs, mut shape) = (Docs::default(), None);
        for line in text.lines() {
            if line.starts_with('#') {
                shape = line.strip_prefix("### `").and_then(|rest| rest.strip_suffix('`'));
                if let Some(name) = shape
                    && docs.shapes.insert(name.into(), Vec::new()).is_some()
                {
                    return Err(format!("two sections {name}"));
                }
            }
            let Some(row) = line.strip_prefix("| `") else { continue };
            let cells: Vec<&str> = row.strip_suffix(" |").unwrap_or(row).split(" | ").collect();
            let [first, second, third] = cells[..] else { return Err(format!("not three cells: {line}")) };
            let first = first.trim_end_matches('`');
            match shape.and_then(|name| docs.shapes.get_mut(name)) {
                Some(fields) => {
                    let value = Type::parse(second.trim_end_matches('?'))?;
                    fields.push(Field { name: first.into(), value, may_be_missing: second.ends_with('?') });
                }
                None if first.starts_with("gt ") => docs.answers.push(Answer::parse(first, second, third)?),
                None => return Err(format!("a row in no section: {line}")),
            }
        }
        docs.whole().map(|()| docs)
    }

    /// Every shape that is named has its section, and the other way round.
    fn whole(&self) -> Result<(), String> {
        let fields = self.shapes.values().flatten().map(|field| &field.value);
        let mut named = BTreeSet::from(["error".to_string()]);
        self.answers
            .iter()
            .map(|answer| &answer.value)
            .chain(fields)
            .for_each(|value| value.names(&mut named));
        let there: BTreeSet<String> = self.shapes.keys().cloned().collect();
        match named.symmetric_difference(&there).next() {
            Some(name) => Err(format!("{name} is named and has no section, or has one and is not named")),
            None => Ok(()),
        }
    }

    /// All that can be seen of it: its answers and its shapes.
    pub fn all(&self) -> BTreeSet<String> {
        self.answers.iter().map(|answer| answer.title.clone()).chain(self.shapes.keys().cloned()).collect()
    }

    /// Checks what a command printed, by its words; gives the answer and the shapes that were seen in it.
    pub fn answer(&self, words: &[String], object: &Value) -> Result<BTreeSet<String>, String> {
        let shown = format!("docs/json.md, gt {}", words.join(" "));
        let key = |answer: &&Answer| (answer.command.len(), answer.flags.len());
        let fits: Vec<&Answer> = self.answers.iter().filter(|answer| answer.is_of(words)).collect();
        let best = fits.iter().map(key).max().ok_or_else(|| format!("{shown}: has no row there"))?;
        let named = object.as_object().filter(|fields| fields.len() == 2 && fields["schema_version"] == 1);
        let (name, value) = named
            .and_then(|fields| fields.iter().find(|(name, _)| *name != "schema_version"))
            .ok_or_else(|| format!("{shown}: not schema_version and one name: {object}"))?;
        let mut wrong = Vec::new();
        for answer in fits.iter().filter(|answer| key(answer) == best) {
            let mut seen = BTreeSet::from([answer.title.clone()]);
            match answer.name == *name {
                true => match self.check(&answer.value, value, name, &mut seen) {
                    Ok(()) => return Ok(seen),
                    Err(why) => wrong.push(why),
                },
                false => wrong.push(format!("{name}: the answer's name is {}", answer.name)),
            }
        }
        Err(format!("{shown}: {}", wrong.join("; or ")))
    }

    /// Checks an error.
    pub fn error(&self, object: &Value) -> Result<BTreeSet<String>, String> {
        let mut seen = BTreeSet::new();
        let shape = Type::Shape("error".into());
        self.check(&shape, object, "", &mut seen)
            .map(|()| seen)
            .map_err(|why| format!("docs/json.md, error{why}"))
    }

    fn check(
        &self,
        wanted: &Type,
        value: &Value,
        path: &str,
        seen: &mut BTreeSet<String>,
    ) -> Result<(), String> {
        match (wanted, value) {
            (Type::Any, _)
            | (Type::Null, Value::Null)
            | (Type::Text, Value::String(_))
            | (Type::Number, Value::Number(_))
            | (Type::Boolean, Value::Bool(_)) => Ok(()),
            (Type::List(own), Value::Array(values)) => values
                .iter()
                .enumerate()
                .try_for_each(|(place, value)| self.check(own, value, &format!("{path}[{place}]"), seen)),
            (Type::Map(own), Value::Object(values)) => values
                .iter()
                .try_for_each(|(name, value)| self.check(own, value, &format!("{path}.{name}"), seen)),
            (Type::Shape(name), Value::Object(values)) => {
                seen.insert(name.clone());
                self.fields(name, values, path, seen)
            }
            (Type::Either(types), _) => {
                let mut wrong = Vec::new();
                for one in types.iter().filter(|one| (**one == Type::Null) == value.is_null()) {
                    let mut own = BTreeSet::new();
                    match self.check(one, value, path, &mut own) {
                        Ok(()) => {
                            seen.append(&mut own);
                            return Ok(());
                        }
                        Err(why) => wrong.push(why),
                    }
                }
                Err(if wrong.is_empty() {
                    format!("{path}: {value} is none of {types:?}")
                } else {
                    wrong.join("; or ")
                })
            }
            _ => Err(format!("{path}: {value} is no {wanted:?}")),
        }
    }

    fn fields(
        &self,
        shape: &str,
        values: &serde_json::Map<String, Value>,
        path: &str,
        seen: &mut BTreeSet<String>,
    ) -> Result<(), String> {
        let fields = &self.shapes[shape];
        let missing =
            |field: &&Field| !field.may_be_missing && field.name != "*" && !values.contains_key(&field.name);
        if let Some(field) = fields.iter().find(missing) {
            return Err(format!("{path}: {} of {shape} is missing", field.name));
        }
        for (name, value) in values {
            let field = fields.iter().find(|field| [name, "*"].contains(&field.name.as_str()));
            let field = field.ok_or_else(|| format!("{path}.{name}: not a field of {shape}"))?;
            self.check(&field.value, value, &format!("{path}.{name}"), seen)?;
        }
        Ok(())
    }
}

impl Answer {
    fn parse(command: &str, name: &str, value: &str) -> Result<Answer, String> {
        let name = name.trim_matches('`');
        let title = format!("{command}: {name}");
        let words = command.split(' ').skip(1).filter(|word| *word != word.to_uppercase()).map(String::from);
        let (flags, command) = words.partition(|word| word.starts_with('-'));
        Ok(Answer { title, command, flags, name: name.into(), value: Type::parse(value)? })
    }

    /// Whether the words of a command are those of the row.
    fn is_of(&self, words: &[String]) -> bool {
        let mut bare: Vec<&str> = Vec::new();
        let mut rest = words.iter();
        while let Some(word) = rest.next() {
            match word.as_str() {
                "-C" | "--town" | "--color" => drop(rest.next()),
                "merge-queue" if bare.is_empty() => bare.push("mq"),
                word if !word.starts_with('-') => bare.push(word),
                _ => {}
            }
        }
        bare.len() >= self.command.len()
            && bare.iter().zip(&self.command).all(|(own, word)| own == word)
            && self.flags.iter().all(|flag| words.contains(flag))
    }
}

impl Type {
    fn parse(text: &str) -> Result<Type, String> {
        let text = text.trim();
        let inside = |open: char, close: char| text.strip_prefix(open)?.strip_suffix(close);
        // What stands within brackets belongs together.
        let depth = |end: usize| {
            text[..end].bytes().fold(0, |depth, byte| match byte {
                b'[' | b'{' => depth + 1,
                b']' | b'}' => depth - 1,
                _ => depth,
            })
        };
        let mut ors = text.match_indices(" or ").map(|(at, _)| at).filter(|at| depth(*at) == 0);
        if let Some(at) = ors.next() {
            return Ok(match Type::parse(&text[at + 4..])? {
                Type::Either(rest) => {
                    Type::Either(std::iter::once(Type::parse(&text[..at])?).chain(rest).collect())
                }
                rest => Type::Either(vec![Type::parse(&text[..at])?, rest]),
            });
        }
        if let Some(own) = inside('[', ']') {
            return Ok(Type::List(Box::new(Type::parse(own)?)));
        }
        if let Some(own) = inside('{', '}') {
            return Ok(Type::Map(Box::new(Type::parse(own)?)));
        }
        Ok(match text {
            "any" => Type::Any,
            "null" => Type::Null,
            "string" => Type::Text,
            "number" => Type::Number,
            "boolean" => Type::Boolean,
            _ if !text.is_empty() && text.bytes().all(|own| own == b'_' || own.is_ascii_lowercase()) => {
                Type::Shape(text.into())
            }
            _ => return Err(format!("'{text}' is no type")),
        })
    }

    fn names(&self, out: &mut BTreeSet<String>) {
        match self {
            Type::Shape(name) => drop(out.insert(name.clone())),
            Type::List(own) | Type::Map(own) => own.names(out),
            Type::Either(all) => all.iter().for_each(|own| own.names(out)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PAGE: &str = "\
## Answers

| command | name | value |
| --- | --- | --- |
| `gt mq list` | `rows` | [row] |
| `gt mq list --dry-run` | `plan` | row or null |
| `gt mq` | `mq` | {number} or string |

## Shapes

### `error`

| `error` | string | what |

### `row`

| field | type | what |
| --- | --- | --- |
| `id` | string | an id |
| `note` | string? | a note |
| `done` | boolean or null | whether |
| `more` | [tail]? | what follows |

### `tail`

| `*` | any | anything |
";

    fn told(words: &str, object: Value) -> String {
        let words: Vec<String> = words.split(' ').map(String::from).collect();
        let seen = Docs::parse(PAGE).unwrap().answer(&words, &object);
        seen.map_or_else(|why| why, |seen| seen.into_iter().collect::<Vec<_>>().join(", "))
    }

    #[test]
    fn what_fits_is_seen() {
        let row = json!({ "id": "a", "done": null, "more": [{ "x": 1 }] });
        let rows = |rows: Value| json!({ "schema_version": 1, "rows": rows });
        assert_eq!(told("mq list wyvern --json", rows(json!([row]))), "gt mq list: rows, row, tail");
        assert_eq!(told("-C x merge-queue list", rows(json!([]))), "gt mq list: rows");
        let plan = |plan: Value| json!({ "schema_version": 1, "plan": plan });
        assert_eq!(told("mq list --dry-run", plan(row)), "gt mq list --dry-run: plan, row, tail");
        assert_eq!(told("mq list --dry-run", plan(Value::Null)), "gt mq list --dry-run: plan");
        assert_eq!(told("mq x", json!({ "schema_version": 1, "mq": { "a": 1.5 } })), "gt mq: mq");
    }

    #[test]
    fn what_does_not_fit_is_told_with_its_place() {
        let rows = |row: Value| told("mq list", json!({ "schema_version": 1, "rows": [row] }));
        let wrong = "docs/json.md, gt mq list: rows[0]";
        assert_eq!(
            rows(json!({ "id": "a", "done": true, "x": 1 })),
            format!("{wrong}.x: not a field of row")
        );
        assert_eq!(rows(json!({ "id": "a" })), format!("{wrong}: done of row is missing"));
        assert_eq!(rows(json!({ "id": 1, "done": true })), format!("{wrong}.id: 1 is no Text"));
        assert_eq!(
            rows(json!({ "id": "a", "done": true, "note": null })),
            format!("{wrong}.note: null is no Text")
        );
        assert_eq!(rows(json!({ "id": "a", "done": "yes" })), format!("{wrong}.done: \"yes\" is no Boolean"));
        let wrong = "docs/json.md, gt mq list: ";
        let plan = json!({ "schema_version": 1, "plan": null });
        assert_eq!(told("mq list", plan), format!("{wrong}plan: the answer's name is rows"));
        let bare = told("mq list", json!({ "schema_version": 1, "rows": [], "more": 1 }));
        assert!(bare.starts_with(&format!("{wrong}not schema_version and one name")), "{bare}");
        assert_eq!(told("up", json!({})), "docs/json.md, gt up: has no row there");
    }

    #[test]
    fn a_page_that_does_not_hold_together_is_refused() {
        let refused = |from: &str, to: &str| Docs::parse(&PAGE.replace(from, to)).unwrap_err();
        assert!(refused("[tail]?", "[tale]?").starts_with("tail is named and has no section"));
        assert_eq!(refused("### `tail`", "### `row`"), "two sections row");
        assert_eq!(refused("boolean or null", "Boolean or null"), "'Boolean' is no type");
        assert!(refused("| an id |", "|").starts_with("not three cells"));
    }
}
