//! A person's settings file in JSON, read and changed as text: what is not changed keeps its form, order and comments.

use std::ops::Range;

use serde_json::{Map, Value};

/// One key of a file that gets a value.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyChange {
    /// The keys that lead to it, from the top.
    pub keys: Vec<String>,
    /// Its value from then on.
    pub value: Value,
}

/// Reads JSON in which comments and trailing commas may stand. An empty text is an empty object.
///
/// # Errors
/// Where it is none, in words; also when it is no object.
pub fn parse(text: &str) -> Result<Value, String> {
    if text.trim().is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    let value: Value = serde_json::from_str(text)
        .or_else(|error| serde_json::from_str(&plain(text)).map_err(|_| error.to_string()))?;
    if value.is_object() { Ok(value) } else { Err("it is no JSON object".into()) }
}

/// The value that some keys lead to.
pub fn at<'a>(value: &'a Value, keys: &[&str]) -> Option<&'a Value> {
    keys.iter().try_fold(value, |value, key| value.get(key))
}

/// The text of the file with the changes in it.
///
/// # Errors
/// Text that [`parse`] does not read; a key on the way that holds no object, or a form in which nothing can be put.
pub fn changed(text: &str, changes: &[KeyChange]) -> Result<String, String> {
    let mut wanted = parse(text)?;
    let mut new = if text.trim().is_empty() { "{}\n".to_string() } else { text.to_string() };
    for change in changes {
        let shown = change.keys.join(".");
        let inside = put(&mut wanted, &change.keys, &change.value);
        inside.ok_or_else(|| format!("what leads to {shown} is no object"))?;
        new =
            set(&new, &change.keys, &change.value).ok_or_else(|| format!("{shown} cannot be put into it"))?;
    }
    // Nothing but the changes is different, whatever form the file has.
    if parse(&new)? == wanted { Ok(new) } else { Err("it has a form that is not understood".into()) }
}

/// Puts a value where keys lead to, into objects made on the way.
fn put(value: &mut Value, keys: &[String], new: &Value) -> Option<()> {
    let (last, way) = keys.split_last()?;
    let mut inside = value;
    for key in way {
        inside = inside.as_object_mut()?.entry(key.clone()).or_insert_with(|| Value::Object(Map::new()));
    }
    inside.as_object_mut()?.insert(last.clone(), new.clone());
    Some(())
}

fn set(text: &str, keys: &[String], value: &Value) -> Option<String> {
    let mut start = 0;
    for (depth, key) in keys.iter().enumerate() {
        let object = JsonObject::read(text, start)?;
        let below = &keys[depth + 1..];
        match object.members.iter().rev().find(|member| member.key == *key) {
            Some(member) if below.is_empty() => {
                let new = pretty(value, indent(text, member.start).unwrap_or_default())?;
                return Some(spliced(text, member.value.clone(), &new));
            }
            Some(member) => start = member.value.start,
            None => {
                let nest = |value, key: &String| Value::Object(Map::from_iter([(key.clone(), value)]));
                let value = below.iter().rev().fold(value.clone(), nest);
                return object.with(text, key, &value);
            }
        }
    }
    None
}

fn spliced(text: &str, range: Range<usize>, new: &str) -> String {
    format!("{}{new}{}", &text[..range.start], &text[range.end..])
}

/// The blanks that a line begins with, when nothing else stands before `at`.
fn indent(text: &str, at: usize) -> Option<&str> {
    let line = &text[text[..at].rfind('\n')? + 1..at];
    line.trim().is_empty().then_some(line)
}

fn pretty(value: &Value, indent: &str) -> Option<String> {
    Some(serde_json::to_string_pretty(value).ok()?.replace('\n', &format!("\n{indent}")))
}

/// Where the parts of an object stand in a text.
struct JsonObject {
    span: Range<usize>,
    members: Vec<JsonMember>,
}

struct JsonMember {
    key: String,
    start: usize,
    value: Range<usize>,
}

impl JsonObject {
    fn read(text: &str, start: usize) -> Option<JsonObject> {
        let mut scan = JsonScan { text, at: start };
        scan.blanks();
        let start = scan.at;
        scan.take('{')?;
        let mut members = Vec::new();
        loop {
            scan.blanks();
            if scan.take('}').is_some() {
                return Some(JsonObject { span: start..scan.at, members });
            }
            if !members.is_empty() {
                scan.take(',')?;
                scan.blanks();
                if scan.take('}').is_some() {
                    return Some(JsonObject { span: start..scan.at, members });
                }
            }
            let start = scan.at;
            scan.value()?;
            let key = serde_json::from_str(&text[start..scan.at]).ok()?;
            scan.blanks();
            scan.take(':')?;
            scan.blanks();
            let begin = scan.at;
            scan.value()?;
            members.push(JsonMember { key, start, value: begin..scan.at });
        }
    }

    /// The text with one more member at the object's end.
    fn with(&self, text: &str, key: &str, value: &Value) -> Option<String> {
        let key = serde_json::to_string(key).ok()?;
        let Some((first, last)) = self.members.first().zip(self.members.last()) else {
            let (inside, start) = (&text[self.span.start + 1..self.span.end - 1], self.span.start);
            let line = &text[text[..start].rfind('\n').map_or(0, |at| at + 1)..start];
            let outer = &line[..line.len() - line.trim_start().len()];
            let new = pretty(value, &format!("{outer}  "))?;
            // A comment is all that stands there.
            return inside
                .trim()
                .is_empty()
                .then(|| spliced(text, self.span.clone(), &format!("{{\n{outer}  {key}: {new}\n{outer}}}")));
        };
        let (parting, own) = match indent(text, first.start) {
            Some(indent) => (format!(",\n{indent}"), indent),
            None => (", ".into(), ""),
        };
        let new = pretty(value, own)?;
        Some(spliced(text, last.value.end..last.value.end, &format!("{parting}{key}: {new}")))
    }
}

/// Goes over JSON with comments.
struct JsonScan<'a> {
    text: &'a str,
    at: usize,
}

impl JsonScan<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn take(&mut self, wanted: char) -> Option<()> {
        self.rest().starts_with(wanted).then(|| self.at += wanted.len_utf8())
    }

    /// Goes over blanks and comments.
    fn blanks(&mut self) {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n', '\u{feff}']).len();
            let comment = match &rest[blank..] {
                rest if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
                rest if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
                _ => 0,
            };
            self.at += blank + comment;
            if comment == 0 {
                return;
            }
        }
    }

    /// Goes over a value: to the end of a text, of what brackets enclose, or of a word.
    fn value(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            if depth > 0 {
                self.blanks();
            }
            let next = self.rest().chars().next()?;
            match next {
                '"' => self.string()?,
                '{' | '[' => {
                    depth += 1;
                    self.at += 1;
                }
                '}' | ']' => {
                    depth = depth.checked_sub(1)?;
                    self.at += 1;
                }
                ',' | ':' if depth > 0 => self.at += 1,
                _ => {
                    let rest = self.rest();
                    let end = rest.find([',', ':', '}', ']', ' ', '\t', '\r', '\n', '/', '"', '{', '[']);
                    self.at += end.filter(|end| *end > 0)?;
                }
            }
            if depth == 0 {
                return Some(());
            }
        }
    }

    fn string(&mut self) -> Option<()> {
        let mut escaped = false;
        let end = self.rest().char_indices().skip(1).find(|(_, c)| {
            let ends = *c == '"' && !escaped;
            escaped = *c == '\\' && !escaped;
            ends
        });
        self.at += end?.0 + 1;
        Some(())
    }
}

/// The text without comments and trailing commas.
fn plain(text: &str) -> String {
    let mut scan = JsonScan { text, at: 0 };
    let mut out = String::new();
    loop {
        let start = scan.at;
        scan.blanks();
        if scan.at > start {
            out.push(' ');
        }
        let Some(next) = scan.rest().chars().next() else { return out };
        if matches!(next, '}' | ']') && out.trim_end().ends_with(',') {
            out.truncate(out.trim_end().len() - 1);
        }
        let start = scan.at;
        if next != '"' || scan.string().is_none() {
            scan.at += next.len_utf8();
        }
        out.push_str(&text[start..scan.at]);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn change(keys: &[&str], value: Value) -> KeyChange {
        KeyChange { keys: keys.iter().map(|key| (*key).to_string()).collect(), value }
    }

    #[test]
    fn what_is_not_changed_keeps_its_form() {
        let text = "{\n  \"z\": 1.50,\n  \"projects\": {\n    \"/a\": {\n      \"mcp\": []\n    }\n  },\n  \"big\": 123456789012345678901234\n}\n";
        let trusted = [
            change(&["projects", "/a", "trusted"], json!(true)),
            change(&["projects", "/b", "trusted"], json!(true)),
            change(&["done"], json!(true)),
        ];
        insta::assert_snapshot!(changed(text, &trusted).unwrap(), @r#"
        {
          "z": 1.50,
          "projects": {
            "/a": {
              "mcp": [],
              "trusted": true
            },
            "/b": {
              "trusted": true
            }
          },
          "big": 123456789012345678901234,
          "done": true
        }
        "#);
    }

    #[test]
    fn comments_and_one_line_stay() {
        let text = "// mine\n{ \"a\": \"}, // no comment\", /* b */ \"b\": { }, }";
        let wanted = [change(&["b", "c"], json!(["x"])), change(&["a"], json!(2))];
        insta::assert_snapshot!(changed(text, &wanted).unwrap(), @r#"
        // mine
        { "a": 2, /* b */ "b": {
          "c": [
            "x"
          ]
        }, }
        "#);
        assert_eq!(changed("", &wanted[1..]).unwrap(), "{\n  \"a\": 2\n}\n");
        assert_eq!(changed("{}", &wanted[1..]).unwrap(), "{\n  \"a\": 2\n}");
    }

    #[test]
    fn what_is_no_settings_file_is_left_alone() {
        let wanted = [change(&["a", "b"], json!(1))];
        for text in ["{", "[]", "{ \"a\": 1 }", "{ \"a\": { /* only */ } }", "{ \"a\" }", "nul", "{ 'a': 1 }"]
        {
            assert!(changed(text, &wanted).is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "[{}\\[\\],:\"/* a1\\\\\n]{0,24}") {
            let _ = changed(&text, &[change(&["a", "b"], json!(1))]);
        }
    }
}
