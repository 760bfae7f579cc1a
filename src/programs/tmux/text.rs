//! Values as words for tmux: what would end a command, run, or tear a line.

/// An argument that ends in `;` would end the command.
pub fn word(value: &str) -> String {
    match value.strip_suffix(';') {
        Some(rest) => format!("{rest}\\;"),
        None => value.to_string(),
    }
}

/// tmux expands formats in names and directories, and `#(…)` in one runs. It leaves `#`s before a `[` as they are.
pub fn unformatted(value: &str) -> String {
    repeated(value, 1, 2)
}

/// A window's name. Where tmux shows one it reads styles in it (`#[…]`), so every `#` is stored twice.
pub fn name(value: &str) -> String {
    word(&repeated(value, 2, 4))
}

/// The reverse, of a name as it is stored.
pub fn from_name(stored: &str) -> String {
    stored.replace("##", "#")
}

/// Each `#` so many times: in a run before a `[`, and elsewhere.
fn repeated(value: &str, before_style: usize, elsewhere: usize) -> String {
    let mut out = String::with_capacity(value.len());
    for (at, c) in value.char_indices() {
        let times = match c {
            '#' if value[at..].trim_start_matches('#').starts_with('[') => before_style,
            '#' => elsewhere,
            _ => 1,
        };
        out.extend(std::iter::repeat_n(c, times));
    }
    out
}

/// A word of a batch as text for tmux's own parser: a lone `;` stays what separates commands. The text is one line, because
/// a command that fails stops just those of its line.
pub fn as_text(word: &str) -> String {
    if word == ";" {
        return word.into();
    }
    // As an argument a final `;` had to be escaped; in quotes it stands for itself.
    let value = word.strip_suffix("\\;").map_or_else(|| word.to_string(), |rest| format!("{rest};"));
    format!("'{}'", value.replace('\'', "'\\''").replace('\n', "'\"\\n\"'"))
}

/// Text for a paste: no control characters but tab and newline.
pub fn plain(text: &str) -> String {
    text.replace("\r\n", "\n").chars().filter(|c| matches!(c, '\t' | '\n') || !c.is_control()).collect()
}

/// A mark's value in one line: control characters and backslashes as `\xNN`, and every `#` twice, because people show marks
/// in status lines and menus.
pub fn one_line(value: &str) -> String {
    let mut line = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            c if c.is_control() || c == '\\' => line.push_str(&format!("\\x{:02x}", u32::from(c))),
            '#' => line.push_str("##"),
            c => line.push(c),
        }
    }
    line
}

/// The same as one word.
pub fn spaceless(value: &str) -> String {
    one_line(value).replace(' ', "\\x20")
}

/// The reverse of [`one_line`] and [`spaceless`].
pub fn from_one_line(line: &str) -> String {
    if !line.contains(['#', '\\']) {
        return line.into();
    }
    let single = line.replace("##", "#");
    let mut parts = single.split("\\x");
    let mut value = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let code =
            part.get(..2).and_then(|digits| u32::from_str_radix(digits, 16).ok()).and_then(char::from_u32);
        match code {
            Some(c) => {
                value.push(c);
                value.push_str(&part[2..]);
            }
            None => {
                value.push_str("\\x");
                value.push_str(part);
            }
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn marks_survive(text in ".{0,60}|[\\\\x0-9a-f\n\t;#]{0,20}") {
            let line = one_line(&text);
            prop_assert!(!line.contains(['\n', '\t']) && !line.replace("##", "").contains('#'));
            prop_assert_eq!(from_one_line(&line), text);
        }
    }
}
