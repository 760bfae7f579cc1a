//! Lists: a list replaces the one below it, unless its first element is `"..."`, which stands for the lower elements.

use figment::value::{Dict, Tag, Value};

/// Stands, as the first element of a list, for the elements of the list below.
const LOWER: &str = "...";

fn continues(list: &[Value]) -> bool {
    list.first().and_then(Value::as_str) == Some(LOWER)
}

/// A value on top of the one below it.
pub fn joined(below: Option<Value>, above: &Value) -> Value {
    match (below, above) {
        (below, Value::Dict(tag, own)) => {
            Value::Dict(*tag, over(below.and_then(Value::into_dict).unwrap_or_default(), own))
        }
        (below, Value::Array(tag, list)) if continues(list) => {
            let below = below.and_then(Value::into_array).unwrap_or_default();
            Value::Array(*tag, below.into_iter().chain(list.iter().skip(1).cloned()).collect())
        }
        (_, own) => own.clone(),
    }
}

/// A table on top of the one below it, key by key.
pub fn over(mut below: Dict, above: &Dict) -> Dict {
    for (key, value) in above {
        let value = joined(below.remove(key), value);
        below.insert(key.clone(), value);
    }
    below
}

/// The values without `"..."`: what a file says by itself, for checking it against its types.
pub fn alone(values: &Dict) -> Dict {
    over(Dict::new(), values)
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
            let marked: Vec<String> = std::iter::once(LOWER.to_string()).chain(upper.clone()).collect();
            let all: Vec<String> = lower.iter().chain(&upper).cloned().collect();
            prop_assert_eq!(tags(&over(dict(&lower), &dict(&marked))), all);
            prop_assert_eq!(tags(&alone(&dict(&marked))), upper.clone());
            if upper.first().is_none_or(|first| first != LOWER) {
                prop_assert_eq!(tags(&over(dict(&lower), &dict(&upper))), upper.clone());
                prop_assert_eq!(tags(&alone(&dict(&upper))), upper);
            }
        }
    }

    #[test]
    fn without_anything_below_the_mark_stands_for_nothing() {
        let list = [LOWER.to_string(), "remote".to_string()];
        assert_eq!(tags(&over(Dict::new(), &dict(&list))), ["remote"]);
    }
}
