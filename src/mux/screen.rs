//! What an agent's screen says: whether it asks a person something, works, or takes text. Pure.

use anyhow::Result;
use regex::Regex;

use crate::base::failure::Failure;
use crate::config::Runtime;
use crate::config::schema::Screen;

/// How many lines from the bottom count: agents draw their prompt and state there, and what they said before must
/// not be taken for it.
const BOTTOM: usize = 12;

/// What a screen was read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// It asks a person something: nothing may be typed.
    Waiting,
    /// It works.
    Busy,
    /// It takes text.
    Ready,
    /// None of its patterns is there.
    Other,
}

/// A runtime's patterns.
#[derive(Clone, Debug)]
pub struct Patterns {
    waiting: Option<Regex>,
    busy: Option<Regex>,
    ready: Option<Regex>,
}

impl Patterns {
    /// The patterns of a runtime.
    ///
    /// # Errors
    /// One that is no regular expression.
    pub fn of(runtime: &Runtime) -> Result<Patterns> {
        Ok(Patterns {
            waiting: compile("waiting", runtime.waiting.as_ref())?,
            busy: compile("busy", runtime.busy.as_ref())?,
            ready: compile("ready", runtime.ready.as_ref())?,
        })
    }

    /// Whether the screen can show that text is taken.
    pub fn tell_ready(&self) -> bool {
        self.ready.is_some()
    }

    /// Reads the bottom lines of a screen: waiting counts first, then busy, then ready.
    pub fn read(&self, screen: &str) -> Reading {
        let lines: Vec<&str> = screen.lines().filter(|line| !line.trim().is_empty()).collect();
        let bottom = lines[lines.len().saturating_sub(BOTTOM)..].join("\n");
        // A capture has lost the blanks at the ends of lines, which an empty prompt (`^> `) is made of.
        let padded = bottom.replace('\n', " \n") + " ";
        let shows = |pattern: &Option<Regex>| {
            pattern.as_ref().is_some_and(|regex| regex.is_match(&bottom) || regex.is_match(&padded))
        };
        if shows(&self.waiting) {
            Reading::Waiting
        } else if shows(&self.busy) {
            Reading::Busy
        } else if shows(&self.ready) {
            Reading::Ready
        } else {
            Reading::Other
        }
    }
}

fn compile(key: &str, screen: Option<&Screen>) -> Result<Option<Regex>> {
    let Some(screen) = screen else { return Ok(None) };
    let regex = Regex::new(&format!("(?m:{})", screen.pattern))
        .map_err(|error| Failure::new(format!("the runtime's pattern '{key}' cannot be used: {error}")))?;
    Ok(Some(regex))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns() -> Patterns {
        let screen = |pattern: &str| Some(Screen { pattern: pattern.into(), timeout: None });
        let runtime = Runtime {
            waiting: screen("Do you want"),
            busy: screen("esc to interrupt"),
            ready: screen("^> "),
            ..Runtime::default()
        };
        Patterns::of(&runtime).unwrap()
    }

    #[test]
    fn a_question_counts_before_everything_else() {
        let patterns = patterns();
        assert_eq!(patterns.read("> \nesc to interrupt\nDo you want to go on?"), Reading::Waiting);
        assert_eq!(patterns.read("> \n* esc to interrupt"), Reading::Busy);
        assert_eq!(patterns.read("hello\n>\n\n\n"), Reading::Ready);
        assert_eq!(patterns.read("starting"), Reading::Other);
        assert_eq!(patterns.read(""), Reading::Other);
    }

    #[test]
    fn what_scrolled_up_does_not_count() {
        let old = format!("Do you want to?\n{}> ", "line\n".repeat(20));
        assert_eq!(patterns().read(&old), Reading::Ready);
    }
}
