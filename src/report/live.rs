//! A screen that is drawn again and again, and leaves the terminal as it was.

use std::os::fd::AsFd;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::Result;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::base::failure::Failure;
use crate::base::terminal::{self, Step, Text};
use crate::programs::process::signals::{self, Charge};

/// The terminal's alternate screen, with keys read one by one. Dropping it gives the terminal back.
pub struct LiveScreen {
    before: Termios,
    _put_back: Charge,
    shown: Mutex<Text>,
}

/// Keys that end it: q, Ctrl-C, Ctrl-D, Escape.
const END: [u8; 4] = [b'q', 3, 4, 27];

impl LiveScreen {
    /// Takes the terminal.
    ///
    /// # Errors
    /// When standard input is no terminal.
    pub fn open() -> Result<LiveScreen> {
        let input = std::io::stdin();
        let before = tcgetattr(&input).map_err(|_| Failure::new("watching needs a terminal"))?;
        let mut raw = before.clone();
        raw.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG);
        tcsetattr(&input, OptionalActions::Now, &raw)?;
        let given_back = before.clone();
        let _put_back = signals::at_end(move || give_back(&given_back));
        let live = LiveScreen { before, _put_back, shown: Mutex::default() };
        terminal::print(Text::step(Step::Open))?;
        Ok(live)
    }

    /// Shows a text, if it is another than before: line by line over the old one, so that nothing flickers.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn show(&self, text: &Text) -> Result<()> {
        let height = terminal::size().map_or(24, |(_, rows)| rows.max(2));
        let end = || Text::step(Step::ClearRest);
        let mut drawn = Text::step(Step::Home);
        for (number, line) in text.lines().take(height - 1).enumerate() {
            if number > 0 {
                // The terminal is raw: a newline alone would stay in its column.
                drawn.push(end().then(Text::step(Step::Return)).then("\n"));
            }
            drawn.push(line);
        }
        drawn.push(end().then(Text::step(Step::ClearBelow)));
        let Ok(mut shown) = self.shown.lock() else { return Ok(()) };
        if *shown != drawn {
            terminal::print(drawn.clone())?;
            *shown = drawn;
        }
        Ok(())
    }

    /// Waits for a key; true when it asks for the end.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn asked_to_end(&self, wait: Duration) -> Result<bool> {
        let input = std::io::stdin();
        let limit = Timespec::try_from(wait)?;
        let mut polled = [PollFd::new(&input, PollFlags::IN)];
        match poll(&mut polled, Some(&limit)) {
            // A resized window interrupts: that is a reason to draw again.
            Err(rustix::io::Errno::INTR) | Ok(0) => return Ok(false),
            Err(error) => return Err(error.into()),
            Ok(_) => {}
        }
        let mut keys = [0; 64];
        let read = rustix::io::read(input.as_fd(), &mut keys)?;
        Ok(read == 0 || keys[..read].iter().any(|key| END.contains(key)))
    }
}

impl Drop for LiveScreen {
    fn drop(&mut self) {
        give_back(&self.before);
    }
}

fn give_back(before: &Termios) {
    let _ = terminal::print(Text::step(Step::Close));
    let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
}
