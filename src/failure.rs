//! What went wrong, in a form a person can act on: what failed, on what, and the command that helps.
//!
//! A [`Failure`] travels inside `anyhow::Error`; `main` looks for it to pick the hint and the exit code.

use std::fmt;

/// How `gt` ends. The numbers are part of the command surface (`commands.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// 0: done.
    Done = 0,
    /// 1: could not.
    Failed = 1,
    /// 2: wrong usage: the words of the command, a name or an address are off.
    Usage = 2,
    /// 3: accepted, to be delivered later.
    Queued = 3,
    /// 4: sent, but nothing confirmed that it arrived.
    Unconfirmed = 4,
}

/// An error with the exact command that helps.
#[derive(Debug)]
pub struct Failure {
    /// Lower case: what failed, on what.
    pub message: String,
    /// The command or the step that helps.
    pub hint: Option<String>,
    /// How the program ends because of it.
    pub exit: Exit,
}

impl Failure {
    /// A failure that ends with exit code 1.
    pub fn new(message: impl Into<String>) -> Self {
        Failure { message: message.into(), hint: None, exit: Exit::Failed }
    }

    /// A failure of the words that were typed: exit code 2.
    pub fn usage(message: impl Into<String>) -> Self {
        Failure { message: message.into(), hint: None, exit: Exit::Usage }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// What failed in a loop that goes on with the rest: said together at its end.
#[derive(Debug, Default)]
pub struct Failures(Vec<anyhow::Error>);

impl Failures {
    /// The value of one item, or nothing when it failed.
    pub fn keep<T>(&mut self, result: anyhow::Result<T>) -> Option<T> {
        result.map_err(|error| self.0.push(error)).ok()
    }

    /// Each failure in words, without what helps.
    pub fn lines(&self) -> Vec<String> {
        self.0.iter().map(|error| format!("{error:#}")).collect()
    }

    /// Fails with what was kept: one as it is, several as a list. `what` names them: "3 polecats were not ended".
    ///
    /// # Errors
    /// When something failed.
    pub fn end(mut self, what: impl FnOnce(usize) -> String) -> anyhow::Result<()> {
        if self.0.len() < 2 {
            return self.0.pop().map_or(Ok(()), Err);
        }
        let line = |error: &anyhow::Error| match hint_of(error) {
            Some(hint) => format!("\n  {error:#}\n    hint: {hint}"),
            None => format!("\n  {error:#}"),
        };
        let list: String = self.0.iter().map(line).collect();
        Err(Failure::new(format!("{}:{list}", what(self.0.len()))).into())
    }
}

/// What helps when the disk is full.
pub const NO_ROOM: &str = "the disk is full: make room (df -h), then run the same command again";

/// What helps against an error. Room does, whatever was kept from being done by a full disk.
pub fn hint_of(error: &anyhow::Error) -> Option<String> {
    let said = format!("{error:#}").to_lowercase();
    if ["no space left on device", "file too large", "disk quota exceeded"]
        .iter()
        .any(|why| said.contains(why))
    {
        return Some(NO_ROOM.into());
    }
    let failure = error.chain().find_map(|cause| cause.downcast_ref::<Failure>());
    let own = failure.and_then(|failure| failure.hint.clone());
    // git does not always say why it could not write.
    let unwritten = ["couldn't write", "could not write", "unable to write", "unable to create"];
    let guess = || unwritten.iter().any(|what| said.contains(what)).then(|| MAYBE_NO_ROOM.to_string());
    own.or_else(guess)
}

/// What helps against a write that failed for a reason nobody told.
const MAYBE_NO_ROOM: &str = "is there room (df -h), and may you write there? then run the same command again";

/// Returns early with a [`Failure`]: `fail!("message {x}")` or `fail!("message"; "hint {y}")`.
#[macro_export]
macro_rules! fail {
    ($($message:literal $(, $arg:expr)*);+ $(;)?) => { $crate::fail!(@ $($message $(, $arg)*);+) };
    (@ $message:literal $(, $arg:expr)*) => {
        return Err($crate::failure::Failure::new(format!($message $(, $arg)*)).into())
    };
    (@ $message:literal $(, $arg:expr)*; $hint:literal $(, $harg:expr)*) => {
        return Err($crate::failure::Failure::new(format!($message $(, $arg)*)).hint(format!($hint $(, $harg)*)).into())
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_stays_as_it_is_and_several_are_a_list_with_what_helps() {
        let mut kept = Failures::default();
        assert_eq!(kept.keep(Ok(3)), Some(3));
        let usage = Failure::usage("no rig 'x'").hint("gt rigs");
        assert_eq!(kept.keep::<()>(Err(usage.into())), None);
        let error = kept.end(|count| format!("{count} failed")).unwrap_err();
        assert_eq!(error.downcast_ref::<Failure>().unwrap().exit, Exit::Usage);
        let mut kept = Failures::default();
        kept.keep::<()>(Err(Failure::new("a is broken").hint("mend a").into()));
        kept.keep::<()>(Err(Failure::new("b is broken").into()));
        let error = kept.end(|count| format!("{count} rigs cannot be read")).unwrap_err();
        assert_eq!(
            format!("{error:#}"),
            "2 rigs cannot be read:\n  a is broken\n    hint: mend a\n  b is broken"
        );
        assert!(Failures::default().end(|_| String::new()).is_ok());
    }

    #[test]
    fn a_write_that_failed_without_a_reason_is_helped_too() {
        let hint = |message: &str| hint_of(&Failure::new(message).into());
        let git = "cannot update ref 'refs/heads/x': couldn't write '/w/.git/refs/heads/x.lock'";
        assert_eq!(hint(git).as_deref(), Some(MAYBE_NO_ROOM));
        assert_eq!(hint("x: No space left on device").as_deref(), Some(NO_ROOM));
        assert_eq!(hint("something else"), None);
        let own = Failure::new("unable to write x").hint("look there");
        assert_eq!(hint_of(&own.into()).as_deref(), Some("look there"));
    }
}
