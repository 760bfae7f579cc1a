//! What a person sees of the demo: chapters, commands, and a bar that moves while polecats work.

use crate::base::terminal::{self, Step, Text};
use crate::report::text::{Color, Screen};

/// Cells of the bar.
const BAR: usize = 24;

/// One bead as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemoRow {
    /// Its id.
    pub id: String,
    /// Where it is: `waiting`, `working`, `merged` …
    pub place: &'static str,
    /// Who has it, or had it last.
    pub who: String,
    /// Its title.
    pub title: String,
}

/// Standard output, with a part that is drawn again and again on a terminal.
#[derive(Clone)]
pub struct Stage {
    screen: Screen,
    drawn: usize,
    shown: Vec<DemoRow>,
}

impl Stage {
    /// An empty stage.
    pub fn new(screen: Screen) -> Stage {
        Stage { screen, drawn: 0, shown: Vec::new() }
    }

    /// A heading.
    pub fn chapter(&mut self, text: &str) {
        self.line("");
        self.show(self.screen.paint(Color::Bold, &format!("== {text}")));
    }

    /// A command, as a person would type it.
    pub fn command(&mut self, words: &str) {
        self.line(&format!("$ {words}"));
    }

    /// What a program said, each line set in.
    pub fn said(&mut self, text: &str) {
        for line in text.lines() {
            self.line(format!("  {line}").trim_end());
        }
    }

    /// One line. What was drawn before stays above it.
    pub fn line(&mut self, text: &str) {
        self.show(text.into());
    }

    fn show(&mut self, text: Text) {
        self.drawn = 0;
        // A closed pipe is no reason to leave half a town behind.
        let _ = terminal::print(text.then("\n"));
    }

    /// The beads as they are now: drawn over the last time on a terminal, elsewhere a line for each that moved.
    pub fn progress(&mut self, rows: &[DemoRow]) {
        if rows == self.shown {
            return;
        }
        if self.screen.fancy {
            let mut text = Text::step(Step::Up(self.drawn));
            let width = self.screen.width.saturating_sub(1);
            for line in std::iter::once(bar(rows)).chain(rows.iter().map(line)) {
                text.push(Text::step(Step::ClearLine).then(self.screen.fit(&line, width)).then("\n"));
            }
            let _ = terminal::print(text);
            self.drawn = rows.len() + 1;
        } else {
            let moved: Vec<String> = rows.iter().filter(|row| !self.shown.contains(row)).map(line).collect();
            for text in moved {
                self.line(&text);
            }
        }
        self.shown = rows.to_vec();
    }
}

/// `[########................] 2 of 6 merged, 1 set aside, 3 working`
fn bar(rows: &[DemoRow]) -> String {
    let count = |place: &str| rows.iter().filter(|row| row.place == place).count();
    let merged = count("merged");
    let full = BAR * merged / rows.len().max(1);
    let mut text =
        format!("  [{}{}] {merged} of {} merged", "#".repeat(full), ".".repeat(BAR - full), rows.len());
    let mut places: Vec<&str> = rows.iter().map(|row| row.place).filter(|place| *place != "merged").collect();
    places.sort_unstable();
    places.dedup();
    for place in places {
        text.push_str(&format!(", {} {place}", count(place)));
    }
    text
}

fn line(row: &DemoRow) -> String {
    format!("  {}  {:9}  {:8}  {}", row.id, row.place, row.who, row.title).trim_end().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, place: &'static str) -> DemoRow {
        DemoRow { id: id.into(), place, who: "Nux".into(), title: "A title".into() }
    }

    #[test]
    fn the_bar_counts_what_is_merged_and_says_what_is_not() {
        let rows = [row("a", "merged"), row("b", "working"), row("c", "set aside"), row("d", "working")];
        insta::assert_snapshot!(bar(&rows), @"  [######..................] 1 of 4 merged, 1 set aside, 2 working");
        insta::assert_snapshot!(bar(&[]), @"  [........................] 0 of 0 merged");
    }

    #[test]
    fn a_bead_is_one_line() {
        insta::assert_snapshot!(line(&row("sp-1.2", "set aside")), @"  sp-1.2  set aside  Nux       A title");
    }
}
