//! What git shows of an agent's work, a line at a time. The colours are gt's own: git's would stand in one text with
//! whatever the files and messages hold.

use super::text::{Color, Screen};
use crate::base::terminal::Text;

/// A line of a patch.
pub fn patch(line: &str, screen: &Screen) -> Text {
    let heads = ["diff ", "index ", "+++ ", "--- ", "new file", "deleted file", "rename ", "similarity "];
    let color = match line.chars().next() {
        _ if heads.iter().any(|head| line.starts_with(head)) => Color::Bold,
        Some('@') => Color::Place,
        Some('+') => Color::Good,
        Some('-') => Color::Bad,
        _ => Color::Plain,
    };
    if line.is_empty() { "\n".into() } else { screen.paint(color, line).then("\n") }
}

/// A line of a log: a short commit and its subject.
pub fn commit(line: &str, screen: &Screen) -> Text {
    let (commit, rest) = line.split_at(line.find(' ').unwrap_or(line.len()));
    screen.paint(Color::Waiting, commit).then(rest).then("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_put_around_what_cannot_act() {
        let screen = Screen { width: 80, fancy: true, unicode: true };
        let shown: String = ["diff --git a/x b/x", "@@ -1 +1 @@", "-old\x1b[2J", "+n\u{202e}ew\r", " same"]
            .map(|line| patch(line, &screen).to_string())
            .concat();
        insta::assert_snapshot!(shown.replace('\x1b', "^"), @r"
        ^[1mdiff --git a/x b/x^[0m
        ^[36m@@ -1 +1 @@^[0m
        ^[31m-old\x1b[2J^[0m
        ^[32m+n\u{202e}ew\x0d^[0m
         same
        ");
        let shown = commit("0a1b2c3 sub\x1b]0;x\x07ject", &screen).to_string();
        assert_eq!(shown, "\x1b[33m0a1b2c3\x1b[0m sub\\x1b]0;x\\x07ject\n");
    }
}
