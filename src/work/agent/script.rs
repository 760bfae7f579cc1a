//! A bead's own script: the fenced `sh` (or `bash`) block of its description, run by the `shell` runtime.

use crate::base::failure::Failure;

/// The command of a runtime that runs the bead's own script.
pub const PROGRAM: [&str; 2] = ["{{gt}}", "run-script"];

/// A script and the shell it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// `sh` or `bash`.
    pub shell: &'static str,
    /// Its text.
    pub text: String,
}

/// Where a script stands in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScriptPlace {
    /// `sh` or `bash`.
    pub shell: &'static str,
    /// Its first line, counted from 0.
    pub first: usize,
    /// How many lines it has.
    pub count: usize,
    /// How many blanks at the beginning of its lines belong to the fence.
    pub indent: usize,
}

/// The first block of a description that is fenced with three or more backquotes or tildes and marked `sh`, `shell`
/// or `bash`. A fence that is never closed runs to the end, as in Markdown.
pub fn find(description: &str) -> Option<Script> {
    let place = locate(description)?;
    let body = description.lines().skip(place.first).take(place.count);
    let text = body.map(|line| strip(line, place.indent)).fold(String::new(), |all, line| all + line + "\n");
    Some(Script { shell: place.shell, text })
}

/// The script of a bead that is to be run.
///
/// # Errors
/// When its description has none.
pub fn of(id: &str, description: &str) -> Result<Script, Failure> {
    find(description).filter(|script| !script.text.is_empty()).ok_or_else(|| {
        Failure::new(format!("the description of {id} has no sh block"))
            .hint("write one between ```sh and ```, or choose another runtime: gt sling BEAD --agent NAME")
    })
}

/// Where the script that [`find`] gives stands.
pub fn locate(description: &str) -> Option<ScriptPlace> {
    let mut lines = description.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some((fence, info)) = opens(line) else { continue };
        let indent = line.len() - line.trim_start().len();
        let count = lines.by_ref().take_while(|(_, line)| !closes(line, fence)).count();
        let shell = match info.split_whitespace().next().unwrap_or_default() {
            "sh" | "shell" => "sh",
            "bash" => "bash",
            _ => continue,
        };
        return Some(ScriptPlace { shell, first: number + 1, count, indent });
    }
    None
}

/// The fence that a line opens, and what follows it.
fn opens(line: &str) -> Option<(&str, &str)> {
    let trimmed = line.trim_start();
    let mark = trimmed.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
    let length = trimmed.chars().take_while(|c| *c == mark).count();
    let (fence, info) = trimmed.split_at(length);
    (length >= 3 && !(mark == '`' && info.contains('`'))).then_some((fence, info))
}

fn closes(line: &str, fence: &str) -> bool {
    let line = line.trim();
    line.len() >= fence.len() && line.starts_with(fence) && line.chars().all(|c| fence.starts_with(c))
}

fn strip(line: &str, indent: usize) -> &str {
    let own = line.len() - line.trim_start_matches(' ').len();
    &line[own.min(indent)..]
}

/// The end of a script's output, for the bead: at most 40 lines and 4,000 characters, without control characters.
pub fn end_of(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let clean: String = text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
    let lines: Vec<&str> = clean.trim_end().lines().collect();
    let end = lines[lines.len().saturating_sub(40)..].join("\n");
    let extra = end.chars().count().saturating_sub(4000);
    end.chars().skip(extra).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(shell: &'static str, text: &str) -> Option<Script> {
        Some(Script { shell, text: text.into() })
    }

    #[test]
    fn the_first_block_that_is_a_script_counts() {
        assert_eq!(find("Do it:\n\n```sh\necho a\n```\n```sh\necho b\n```\n"), script("sh", "echo a\n"));
        assert_eq!(find("```rust\nfn x() {}\n```\n```bash\nset -x\n```"), script("bash", "set -x\n"));
        assert_eq!(
            find("- list\n  ~~~ shell extra\n  if x; then\n    y\n  fi\n  ~~~\n"),
            script("sh", "if x; then\n  y\nfi\n")
        );
        assert_eq!(find("````sh\ncat <<E\n```\nE\n````\n"), script("sh", "cat <<E\n```\nE\n"));
        assert_eq!(find("```sh\necho open"), script("sh", "echo open\n"));
        assert_eq!(find("no block, only `sh`\n```\nplain\n```\n"), None);
        assert_eq!(find(""), None);
    }

    #[test]
    fn the_end_of_an_output_is_short_and_clean() {
        let many = (0..100).map(|number| format!("line {number}\n")).collect::<String>();
        let end = end_of(many.as_bytes());
        assert!(end.starts_with("line 60\n") && end.ends_with("line 99"), "{end}");
        assert_eq!(end_of(b"\x1b[31mred\x1b[0m\xff\n"), "[31mred[0m\u{fffd}");
        assert_eq!(end_of(&[b'x'; 9000]).len(), 4000);
    }
}
