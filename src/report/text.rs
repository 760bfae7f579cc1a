//! Text for a screen: its width, its colours, its alphabet.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::base::terminal::{self, Text};

pub use crate::base::terminal::Color;

/// What a screen can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    /// Cells in a line; no limit where nothing is shown on a terminal.
    pub width: usize,
    /// Colours and symbols.
    pub fancy: bool,
    /// More than ASCII.
    pub unicode: bool,
}

impl Screen {
    /// The screen of standard output; `var` reads the environment. 80 cells on a terminal that does not say how many it has;
    /// what goes elsewhere is not cut.
    pub fn of<'a>(fancy: bool, var: impl Fn(&str) -> Option<&'a str>) -> Screen {
        let locale = var("LC_ALL").or_else(|| var("LC_CTYPE")).or_else(|| var("LANG")).unwrap_or_default();
        let locale = locale.to_ascii_lowercase();
        let named = || var("COLUMNS").and_then(|columns| columns.parse().ok()).unwrap_or(80);
        let width = match terminal::size() {
            _ if !terminal::is_shown() => usize::MAX,
            Some((columns, _)) if columns > 0 => columns,
            _ => named(),
        };
        Screen { width, fancy, unicode: locale.contains("utf-8") || locale.contains("utf8") }
    }

    /// Shortens text to so many cells of one line. What a screen of ASCII cannot show becomes `?`.
    pub fn fit(&self, text: &str, cells: usize) -> String {
        let mut clean = terminal::one_line(text);
        if !self.unicode && !clean.is_ascii() {
            clean = clean.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect();
        }
        if width(&clean) <= cells {
            return clean;
        }
        let mark = if self.unicode { "…" } else { "~" };
        let room = cells.saturating_sub(1);
        let mut used = 0;
        let mut short: String = clean
            .chars()
            .take_while(|c| {
                used += c.width().unwrap_or(0);
                used <= room
            })
            .collect();
        if cells > 0 {
            short.push_str(mark);
        }
        short
    }

    /// Puts text in a colour, where there are colours.
    pub fn paint(&self, color: Color, text: &str) -> Text {
        Text::styled(if self.fancy { color } else { Color::Plain }, text)
    }

    /// Lines of columns, two blanks between them; the column `flexible` gives way when a line is too long. The last
    /// column is not filled up. No rows, no text.
    pub fn table(&self, head: &[&str], rows: &[Vec<Cell>], flexible: usize) -> Text {
        let Some(columns) = rows.first().map(Vec::len) else { return Text::default() };
        let head: Vec<Cell> = head.iter().map(|text| Cell::new(Color::Dim, *text)).collect();
        let lines = || std::iter::once(&head).filter(|head| !head.is_empty()).chain(rows);
        let widest = |column: usize| lines().map(|line| width(&line[column].text)).max().unwrap_or_default();
        let mut widths: Vec<usize> = (0..columns).map(widest).collect();
        let total: usize = widths.iter().sum::<usize>() + 2 * (columns - 1);
        let over = total.saturating_sub(self.width);
        widths[flexible] = widths[flexible].saturating_sub(over).max(8.min(widths[flexible]));
        lines().map(|line| self.row(line, &widths)).collect()
    }

    fn row(&self, cells: &[Cell], widths: &[usize]) -> Text {
        let last = cells.iter().rposition(|cell| !cell.text.is_empty()).unwrap_or_default();
        let mut line = Text::default();
        for (index, (cell, width)) in cells.iter().zip(widths).enumerate().take(last + 1) {
            let text = self.fit(&cell.text, *width);
            line.push(self.paint(cell.color, &text));
            line.push(if index == last { String::new() } else { blanks(&text, width + 2) });
        }
        line.then("\n")
    }
}

/// Rows as a table without a head, uncut and without colours. A value of more cells than others have, an id that somebody else
/// chose say, moves the rest of its own row alone.
pub fn columns<const N: usize>(rows: &[[String; N]]) -> Text {
    const MOST: usize = 60;
    let screen = Screen { width: usize::MAX, fancy: false, unicode: true };
    let rows: Vec<Vec<Cell>> = rows.iter().map(|row| row.iter().map(Cell::from).collect()).collect();
    let own = |row: &[Cell]| -> Vec<usize> { row.iter().map(|cell| cell.text.width()).collect() };
    let mut widest = [0; N];
    for row in &rows {
        let usual = widest.iter_mut().zip(own(row)).filter(|(_, cells)| *cells <= MOST);
        usual.for_each(|(widest, cells)| *widest = cells.max(*widest));
    }
    let wide = |row: &[Cell]| -> Vec<usize> {
        own(row).iter().zip(widest).map(|(own, wide)| wide.max(*own)).collect()
    };
    rows.iter().map(|row| screen.row(row, &wide(row))).collect()
}

/// Lines of a name and a value each, set in.
pub fn pairs(pairs: &[(&str, &str)]) -> String {
    let wide = pairs.iter().map(|(name, _)| name.width()).max().unwrap_or_default();
    let line = |(name, value): &(&str, &str)| format!("  {name}{} {value}\n", blanks(name, wide));
    pairs.iter().map(line).collect()
}

/// What fills a text up to so many cells.
pub fn blanks(text: &str, cells: usize) -> String {
    " ".repeat(cells.saturating_sub(width(text)))
}

/// The cells of a text without control characters.
fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.width() }
}

/// One cell of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    color: Color,
    text: String,
}

impl Cell {
    /// Text in a colour.
    pub fn new(color: Color, text: impl Into<String>) -> Cell {
        Cell { color, text: terminal::one_line(&text.into()) }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Cell {
        Cell::new(Color::Plain, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WIDE: Screen = Screen { width: 80, fancy: false, unicode: true };

    #[test]
    fn one_long_value_moves_its_own_row_alone() {
        let long = "x".repeat(70);
        let rows = [["wy-1", "task", "A"], [&long, "epic", "B"], ["wy-12", "", "C"]];
        let text = columns(&rows.map(|row| row.map(String::from))).to_string();
        assert_eq!(text, format!("wy-1   task  A\n{long}  epic  B\nwy-12        C\n"));
    }

    #[test]
    fn text_is_shortened_by_cells_not_by_bytes() {
        assert_eq!(WIDE.fit("short", 10), "short");
        assert_eq!(WIDE.fit("a longer title", 8), "a longe…");
        assert_eq!(WIDE.fit("\u{6f22}\u{5b57}\u{6f22}\u{5b57}", 5), "\u{6f22}\u{5b57}…");
        let ascii = Screen { unicode: false, ..WIDE };
        assert_eq!(ascii.fit("caf\u{e9}\tau lait", 8), "caf? au~");
    }

    #[test]
    fn only_the_flexible_column_gives_way() {
        let screen = Screen { width: 20, ..WIDE };
        let rows = vec![vec!["Nux".into(), "a title that is long".into(), "5m".into()]];
        assert_eq!(
            screen.table(&["NAME", "TITLE", "AGE"], &rows, 1).to_string(),
            "NAME  TITLE      AGE\nNux   a title …  5m\n"
        );
    }

    proptest! {
        #[test]
        fn nothing_is_ever_wider_than_asked(text in "\\PC{0,40}", cells in 0usize..30) {
            prop_assert!(WIDE.fit(&text, cells).width() <= cells);
        }
    }
}
