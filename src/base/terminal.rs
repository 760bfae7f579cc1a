//! The two exits of the program: text on standard output and on standard error.
//!
//! Titles, names, file names, screens, and the words of servers come from anyone. A [`Text`] cannot hold a raw control
//! character of theirs: what would move the cursor, change colours, reorder or hide letters is shown in an escaped form
//! (`\x1b`, `\u{202e}`). gt's own styles are put around text that was escaped before. A style inside a text is never
//! recognised as one.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, IsTerminal, Write};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use unicode_width::UnicodeWidthStr;

use crate::base::repo_url;

/// Text that any terminal can be given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text(String);

impl Text {
    /// Text in a style.
    pub fn styled(color: Color, text: &str) -> Text {
        let text = visible(text);
        match color {
            Color::Plain => Text(text.into_owned()),
            color => Text(format!("\x1b[{}m{text}\x1b[0m", color.code())),
        }
    }

    /// JSON that was serialised already. What a terminal must not get raw stands as `\uXXXX` in its strings, so that it
    /// parses to the same value.
    pub fn json(serialised: &str) -> Text {
        let raw = |c: char| c != '\n' && is_hidden(c);
        if !serialised.contains(raw) {
            return Text(serialised.into());
        }
        let mut out = String::with_capacity(serialised.len() + 64);
        for c in serialised.chars() {
            if raw(c) {
                out.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
            } else {
                out.push(c);
            }
        }
        Text(out)
    }

    /// Text that a library styled, with `words` of anyone's in it: its plain form when one of them holds a character that
    /// [`is_hidden`], since no style of the library can be told from one of theirs then.
    pub fn restyled(styled: &str, plain: &str, words: impl IntoIterator<Item = String>) -> Text {
        if words.into_iter().any(|word| word.contains(is_hidden)) {
            plain.into()
        } else {
            Text(styled.into())
        }
    }

    /// A step of the cursor, or the like.
    pub fn step(step: Step) -> Text {
        Text(match step {
            Step::Open => "\x1b[?1049h\x1b[?25l".into(),
            Step::Close => "\x1b[?25h\x1b[?1049l".into(),
            Step::Home => "\x1b[H".into(),
            Step::Up(0) => String::new(),
            Step::Up(lines) => format!("\x1b[{lines}A"),
            Step::Return => "\r".into(),
            Step::ClearLine => "\x1b[2K".into(),
            Step::ClearRest => "\x1b[K".into(),
            Step::ClearBelow => "\x1b[J".into(),
        })
    }

    /// Adds to its end.
    pub fn push(&mut self, more: impl Into<Text>) {
        self.0.push_str(&more.into().0);
    }

    /// The same with more at its end.
    #[must_use]
    pub fn then(mut self, more: impl Into<Text>) -> Text {
        self.push(more);
        self
    }

    /// Each line, without its end.
    pub fn lines(&self) -> impl Iterator<Item = Text> {
        self.0.lines().map(|line| Text(line.into()))
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Its cells, where no style is in it.
    pub fn width(&self) -> usize {
        self.0.width()
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        Text(visible(text).into_owned())
    }
}

impl From<&String> for Text {
    fn from(text: &String) -> Text {
        text.as_str().into()
    }
}

impl From<String> for Text {
    fn from(text: String) -> Text {
        match visible(&text) {
            Cow::Borrowed(_) => Text(text),
            Cow::Owned(escaped) => Text(escaped),
        }
    }
}

impl FromIterator<Text> for Text {
    fn from_iter<I: IntoIterator<Item = Text>>(texts: I) -> Text {
        texts.into_iter().fold(Text::default(), Text::then)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Colours, by what they mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// None.
    Plain,
    /// A heading.
    Bold,
    /// Less important.
    Dim,
    /// It goes well.
    Good,
    /// It waits for something.
    Waiting,
    /// It needs somebody.
    Bad,
    /// A place in a difference.
    Place,
}

impl Color {
    fn code(self) -> &'static str {
        match self {
            Color::Plain => "0",
            Color::Bold => "1",
            Color::Dim => "2",
            Color::Good => "32",
            Color::Waiting => "33",
            Color::Bad => "31",
            Color::Place => "36",
        }
    }
}

/// What gt has a terminal do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Show the alternate screen without a cursor.
    Open,
    /// Show the terminal as it was.
    Close,
    /// Go to the first cell.
    Home,
    /// Go so many lines up.
    Up(usize),
    /// Go to the begin of the line.
    Return,
    /// Clear the line.
    ClearLine,
    /// Clear the rest of the line.
    ClearRest,
    /// Clear everything below.
    ClearBelow,
}

/// Text as a person can be shown it: newlines and tabs stay, a return before a newline is dropped, and every other character
/// that [`is_hidden`] is written out, `\x1b` or `\u{202e}`. The joiners and variants of emoji and of scripts that need them
/// stay where they belong.
pub fn visible(text: &str) -> Cow<'_, str> {
    // Nearly all of it is plain, and a table of a large town holds much.
    let plain = |byte: u8| matches!(byte, b' '..=b'~' | b'\n' | b'\t');
    if text.bytes().all(plain) || !text.contains(|c| !matches!(c, '\n' | '\t') && is_hidden(c)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut before = '\0';
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let next = chars.peek().copied().unwrap_or('\0');
        match c {
            '\r' if next == '\n' => {}
            '\n' | '\t' => out.push(c),
            c if !is_hidden(c) || joins(before, c, next) => out.push(c),
            c if u32::from(c) < 0x100 => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
        }
        before = c;
    }
    Cow::Owned(out)
}

/// The same on one line: newlines and tabs become blanks.
pub fn one_line(text: &str) -> String {
    let text = visible(text);
    if text.contains(['\n', '\t']) { text.replace(['\n', '\t'], " ") } else { text.into_owned() }
}

/// Whether a character is none that a reader sees: controls, what changes the direction of text, and what has no width.
pub fn is_hidden(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether a character without width does its work between two others: it picks the form of an emoji, or joins letters of a
/// script that needs it.
fn joins(before: char, c: char, next: char) -> bool {
    let seen = |c: char| !c.is_ascii() && !is_hidden(c);
    match c {
        '\u{fe0e}' | '\u{fe0f}' => seen(before) || next == '\u{20e3}',
        '\u{200c}' | '\u{200d}' => (seen(before) || before == '\u{fe0f}') && seen(next),
        _ => false,
    }
}

/// Prints a result. A reader that went away (`| head`) is no error.
///
/// # Errors
/// When standard output cannot take it (a full disk).
pub fn print(text: impl Into<Text>) -> anyhow::Result<()> {
    pass(text.into().0.as_bytes())
}

/// Prints a line to standard error. One that cannot take it (a full disk, a reader that went away) changes nothing
/// about what was done: the exit code still tells. The secrets of URLs in it are left out.
pub fn tell(text: impl Into<Text>) {
    let _ = writeln!(io::stderr().lock(), "{}", repo_url::redacted(&text.into().0));
}

/// Prints bytes as they are: only what is no text for a person (a patch in a pipe), or the output of a program in its own
/// pane.
///
/// # Errors
/// As [`print`].
pub fn pass(bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    is_taken(out.write_all(bytes).and_then(|()| out.flush())).map(drop)
}

/// Whether somebody still reads what was written to standard output.
fn is_taken(written: io::Result<()>) -> anyhow::Result<bool> {
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(anyhow::Error::new(error).context("cannot write to standard output")),
    }
}

/// Whether what reads standard output is gone, which a program that waits before it prints again does not notice by itself.
pub fn is_abandoned() -> bool {
    let out = io::stdout();
    let mut polled = [PollFd::new(&out, PollFlags::empty())];
    let _ = poll(&mut polled, Some(&Timespec::default()));
    polled[0].revents().intersects(PollFlags::ERR | PollFlags::HUP)
}

/// A result that is printed piece by piece, however long it is.
pub struct Stream(io::BufWriter<io::StdoutLock<'static>>);

impl Stream {
    /// Begins one.
    pub fn new() -> Stream {
        Stream(io::BufWriter::with_capacity(1 << 16, io::stdout().lock()))
    }

    /// Prints a piece; false when nobody reads any more.
    ///
    /// # Errors
    /// As [`print`].
    pub fn print(&mut self, text: impl Into<Text>) -> anyhow::Result<bool> {
        is_taken(self.0.write_all(text.into().0.as_bytes()))
    }

    /// Prints what is left of it.
    ///
    /// # Errors
    /// As [`print`].
    pub fn end(mut self) -> anyhow::Result<()> {
        is_taken(self.0.flush()).map(drop)
    }
}

impl Default for Stream {
    fn default() -> Stream {
        Stream::new()
    }
}

/// Whether standard output is a terminal.
pub fn is_shown() -> bool {
    io::stdout().is_terminal()
}

/// Whether somebody reads standard error as it comes.
pub fn is_heard() -> bool {
    io::stderr().is_terminal()
}

/// Whether a person can be asked: both standard input and output are a terminal.
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && is_shown()
}

/// Columns and rows of the terminal of standard output; nothing where there is none.
pub fn size() -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    Some((size.ws_col.into(), size.ws_row.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_acts_or_hides_is_written_out() {
        for (text, shown) in [
            ("a\tb\nc", "a\tb\nc"),
            ("a\r\nb\rc", "a\nb\\x0dc"),
            ("\x1b]0;x\x07\x1b[31mred", "\\x1b]0;x\\x07\\x1b[31mred"),
            ("\u{9b}31m\u{7f}\0", "\\x9b31m\\x7f\\x00"),
            ("a\u{202e}b\u{2066}\u{61c}\u{200f}", "a\\u{202e}b\\u{2066}\\u{61c}\\u{200f}"),
            ("wy\u{200b}-1\u{feff}\u{ad}", "wy\\u{200b}-1\\u{feff}\\xad"),
            ("\u{e0041}\u{e007f}\u{2028}\u{2029}", "\\u{e0041}\\u{e007f}\\u{2028}\\u{2029}"),
            ("gr\u{fc}\u{df}e \u{6f22} \u{e000}", "gr\u{fc}\u{df}e \u{6f22} \u{e000}"),
            // Emoji and scripts that need joiners are text.
            ("\u{26a0}\u{fe0f} 1\u{fe0f}\u{20e3}", "\u{26a0}\u{fe0f} 1\u{fe0f}\u{20e3}"),
            (
                "\u{1f469}\u{200d}\u{1f4bb} \u{2764}\u{fe0f}\u{200d}\u{1f525}",
                "\u{1f469}\u{200d}\u{1f4bb} \u{2764}\u{fe0f}\u{200d}\u{1f525}",
            ),
            ("\u{645}\u{6cc}\u{200c}\u{62e}", "\u{645}\u{6cc}\u{200c}\u{62e}"),
            (
                "a\u{200d}b \u{e9}\u{200d} \u{e9}\u{200d}\u{200d}\u{e9}",
                "a\\u{200d}b \u{e9}\\u{200d} \u{e9}\\u{200d}\\u{200d}\u{e9}",
            ),
            ("x\u{fe0f}\u{2764}\u{fe0f}\u{fe0f}", "x\\u{fe0f}\u{2764}\u{fe0f}\\u{fe0f}"),
        ] {
            assert_eq!(visible(text), shown, "{text:?}");
        }
        assert_eq!(one_line("a\r\nb\tc\x1b"), "a b c\\x1b");
    }

    #[test]
    fn a_style_in_a_text_is_none() {
        let text = Text::styled(Color::Bad, "a\x1b[0mb").then("\x1b[31mred\n");
        assert_eq!(text.to_string(), "\x1b[31ma\\x1b[0mb\x1b[0m\\x1b[31mred\n");
        // What was text once is data when it comes back.
        assert_eq!(Text::from(text.to_string()).to_string(), visible(&text.to_string()));
    }

    #[test]
    fn a_library_s_styles_stay_unless_a_word_could_hold_one() {
        let restyled = |word: &str| {
            let styled = format!("\x1b[1merror:\x1b[0m {word}");
            Text::restyled(&styled, &format!("error: {word}"), [word.to_string()]).to_string()
        };
        assert_eq!(restyled("wrong"), "\x1b[1merror:\x1b[0m wrong");
        assert_eq!(restyled("\x1b[31mred"), "error: \\x1b[31mred");
    }

    proptest! {
        #[test]
        fn nothing_hidden_gets_out(text in "[\0-\u{10ffff}]{0,40}") {
            let shown = Text::from(&text).to_string();
            let mut before = '\0';
            let mut rest = shown.chars().peekable();
            while let Some(c) = rest.next() {
                let next = rest.peek().copied().unwrap_or('\0');
                prop_assert!(matches!(c, '\n' | '\t') || !is_hidden(c) || joins(before, c, next));
                before = c;
            }
            prop_assert_eq!(visible(&shown), shown.as_str());
        }

        #[test]
        fn json_stays_the_same_value(text in "[\0-\u{10ffff}]{0,40}") {
            let value = serde_json::json!({ text.as_str(): [text.as_str()] });
            for form in [format!("{value}"), format!("{value:#}")] {
                let shown = Text::json(&form).to_string();
                prop_assert!(!shown.contains(|c| c != '\n' && is_hidden(c)), "{}", shown);
                prop_assert_eq!(&serde_json::from_str::<serde_json::Value>(&shown).unwrap(), &value);
            }
        }
    }
}
