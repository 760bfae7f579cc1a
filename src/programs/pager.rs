//! The person's pager, as git chooses it.

use std::io::Write;
use std::process::{Child, Stdio};

use anyhow::Result;

use super::Process;
use super::git::Git;
use crate::base::terminal::Text;
use crate::programs::process::signals::{self, Charge};

/// A pager that shows what it is given.
pub struct Pager {
    child: Child,
    _charge: Charge,
}

impl Pager {
    /// Starts it on this terminal; nothing where git is told to use none.
    ///
    /// # Errors
    /// When git cannot be asked or the pager cannot be started.
    pub fn open(git: &Git) -> Result<Option<Pager>> {
        let words = git.run("find the pager", ["var", "GIT_PAGER"])?;
        if words.is_empty() || words == "cat" {
            return Ok(None);
        }
        let mut process = Process::new("sh").args(["-c", &words]);
        // As git sets them: short text without a pager, gt's own colours as colours.
        for (name, value) in [("LESS", "FRX"), ("LV", "-c")] {
            if std::env::var_os(name).is_none() {
                process = process.env(name, value);
            }
        }
        let (child, charge) = process.start_on_terminal(Stdio::piped())?;
        Ok(Some(Pager { child, _charge: charge }))
    }

    /// Gives it more. One that was left early takes nothing.
    pub fn show(&mut self, text: &Text) {
        let taken = self.child.stdin.as_mut().map(|stdin| stdin.write_all(text.as_str().as_bytes()));
        if taken.is_some_and(|taken| taken.is_err()) {
            self.child.stdin = None;
        }
    }

    /// Waits until it is left.
    pub fn close(mut self) {
        let _ = self.child.wait();
        signals::hold();
    }
}
