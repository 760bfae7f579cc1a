//! What the fakes of [`crate::mux`] and [`crate::beads`] share: every call becomes a line, and a test can make calls fail.

use std::cell::RefCell;

use anyhow::Result;

/// The calls of one fake, in order.
#[derive(Debug, Default)]
pub struct Recorder {
    calls: RefCell<Vec<String>>,
    faults: RefCell<Vec<RecordedFault>>,
}

#[derive(Debug)]
enum RecordedFault {
    /// The call that comes after so many others.
    After(usize),
    /// Every call whose line has all of these words.
    With(String),
}

impl Recorder {
    /// Records a call.
    ///
    /// # Errors
    /// When the test wants it to fail.
    pub fn call(&self, line: impl Into<String>) -> Result<()> {
        let line = line.into();
        let mut failed = false;
        self.faults.borrow_mut().retain_mut(|fault| match fault {
            RecordedFault::After(0) => {
                failed = true;
                false
            }
            RecordedFault::After(left) => {
                *left -= 1;
                true
            }
            RecordedFault::With(words) => {
                failed |= words.split(' ').all(|word| line.split(' ').any(|own| own == word));
                true
            }
        });
        self.calls.borrow_mut().push(line.clone());
        if failed {
            crate::fail!("refused by the test: {line}");
        }
        Ok(())
    }

    /// The `nth` call from now on fails, counted from 1.
    pub fn fail_at(&self, nth: usize) {
        self.faults.borrow_mut().push(RecordedFault::After(nth.saturating_sub(1)));
    }

    /// Every call fails whose line has all these words: `fail("stop $1")`.
    pub fn fail(&self, words: &str) {
        self.faults.borrow_mut().push(RecordedFault::With(words.into()));
    }

    /// No call fails any more.
    pub fn heal(&self) {
        self.faults.borrow_mut().clear();
    }

    /// The calls since the last time this was asked, one line each.
    pub fn calls(&self) -> Vec<String> {
        self.calls.take()
    }

    /// The same, only those that begin with one of these words.
    pub fn calls_of(&self, verbs: &[&str]) -> Vec<String> {
        let of = |line: &String| verbs.iter().any(|verb| line.split(' ').next() == Some(verb));
        self.calls().into_iter().filter(of).collect()
    }
}
