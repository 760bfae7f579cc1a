//! Fills the `{{name}}`s of a text. Values stay data: nothing in them is filled again.

/// Puts what `value` gives in place of each `{{name}}`, which stays where that is nothing. `value` is told the name, the text
/// before it (filled) and the text after it.
///
/// # Errors
/// Those of `value`.
pub fn each<E>(
    text: &str,
    mut value: impl FnMut(&str, &str, &str) -> Result<Option<String>, E>,
) -> Result<String, E> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        rest = after;
        let filled = match after.split_once("}}") {
            Some((name, tail)) => value(name.trim(), &out, tail)?.map(|value| (value, tail)),
            None => None,
        };
        match filled {
            Some((value, tail)) => {
                out.push_str(&value);
                rest = tail;
            }
            None => out.push_str("{{"),
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// Fills a text with values by name; a name without a value stays.
pub fn known(text: &str, values: &[(&str, &str)]) -> String {
    let value = |name: &str, _: &str, _: &str| {
        let value = values.iter().find(|(own, _)| *own == name);
        Ok::<_, std::convert::Infallible>(value.map(|(_, value)| (*value).to_string()))
    };
    match each(text, value) {
        Ok(text) => text,
        Err(never) => match never {},
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_takes_values_as_they_are() {
        let text = known("{{town}} has {{rig}} and {{other}} {{", &[("town", "a{{rig}}"), ("rig", "b")]);
        assert_eq!(text, "a{{rig}} has b and {{other}} {{");
    }
}
