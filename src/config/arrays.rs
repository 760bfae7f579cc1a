//! Lists: a list replaces the one below it, unless its first element is `"..."`, which stands for the lower elements.

use figment::value::{Dict, Tag, Value};

/// Stands, as the first element of a list, for the elements of the list below.
const LOWER: &str = "...";

fn continues(list: &[Value]) -> bool {
    list.first().and_then(Value::as_str) == Some(LOWER)
}

/// The values with every `"..."` replaced by what `lower` gives for the list's dotted key.
pub fn joined(values: &Dict, lower: &dyn Fn(&str) -> Option<Value>) -> Dict {
    map_lists(values, "", &|path, list| {
        if !continues(list) {
            return list.to_vec();
        }
        let below = lower(path).and_then(Value::into_array).unwrap_or_default();
        below.into_iter().chain(list.iter().skip(1).cloned()).collect()
    })
}

/// The values without `"..."`: what a file says by itself, for checking it against its types.
pub fn alone(values: &Dict) -> Dict {
    map_lists(values, "", &|_, list| list.iter().skip(usize::from(continues(list))).cloned().collect())
}

fn map_lists(values: &Dict, above: &str, change: &dyn Fn(&str, &[Value]) -> Vec<Value>) -> Dict {
    let entry = |(key, value): (&String, &Value)| {
        let path = if above.is_empty() { key.clone() } else { format!("{above}.{key}") };
        let value = match value {
            Value::Dict(tag, inner) => Value::Dict(*tag, map_lists(inner, &path, change)),
            Value::Array(tag, list) => Value::Array(*tag, change(&path, list)),
            other => other.clone(),
        };
        (key.clone(), value)
    };
    values.iter().map(entry).collect()
}

/// A table that holds just this value at this path.
pub fn nested(path: &[String], value: Value) -> Dict {
    match path {
        [] => Dict::new(),
        [key] => Dict::from([(key.clone(), value)]),
        [key, inner @ ..] => Dict::from([(key.clone(), Value::Dict(Tag::Default, nested(inner, value)))]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn dict(list: &[String]) -> Dict {
        let path = ["polecat".to_string(), "tags".to_string()];
        nested(&path, Value::from(list.to_vec()))
    }

    fn tags(values: &Dict) -> Vec<String> {
        let value = Value::from(values.clone()).find("polecat.tags").unwrap();
        value.deserialize().unwrap()
    }

    proptest! {
        #[test]
        fn the_mark_stands_for_the_lower_elements_and_nothing_else_does(
            lower in prop::collection::vec("[a-z]{0,3}", 0..4),
            upper in prop::collection::vec("[a-z.]{0,3}", 0..4),
        ) {
            let below = |path: &str| Value::from(dict(&lower)).find(path);
            let marked: Vec<String> = std::iter::once(LOWER.to_string()).chain(upper.clone()).collect();
            let all: Vec<String> = lower.iter().chain(&upper).cloned().collect();
            prop_assert_eq!(tags(&joined(&dict(&marked), &below)), all);
            prop_assert_eq!(tags(&alone(&dict(&marked))), upper.clone());
            if upper.first().is_none_or(|first| first != LOWER) {
                prop_assert_eq!(tags(&joined(&dict(&upper), &below)), upper.clone());
                prop_assert_eq!(tags(&alone(&dict(&upper))), upper);
            }
        }
    }

    #[test]
    fn without_anything_below_the_mark_stands_for_nothing() {
        let list = [LOWER.to_string(), "remote".to_string()];
        assert_eq!(tags(&joined(&dict(&list), &|_| None)), ["remote"]);
    }
}
