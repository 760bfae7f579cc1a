//! What went wrong, in a form a person can act on: what failed, on what, and the command that helps.
//!
//! A [`Failure`] travels inside `anyhow::Error`; `main` looks for it to pick the hint and the exit code.

use std::fmt;
use std::io::ErrorKind;
use std::path::Path;

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
#[derive(Clone, Debug)]
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
        Failure { message: shown(message), hint: None, exit: Exit::Failed }
    }

    /// A failure of the words that were typed: exit code 2.
    pub fn usage(message: impl Into<String>) -> Self {
        Failure { message: shown(message), hint: None, exit: Exit::Usage }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(shown(hint));
        self
    }
}

/// A text as it may be shown, and written into beads and mail: without the secrets of URLs in it.
fn shown(text: impl Into<String>) -> String {
    let text = text.into();
    match crate::base::repo_url::redacted(&text) {
        std::borrow::Cow::Owned(clean) => clean,
        std::borrow::Cow::Borrowed(_) => text,
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

    /// A result whose error may come from what was kept: that is named with it.
    ///
    /// # Errors
    /// Those of the result.
    pub fn beside<T>(self, result: anyhow::Result<T>) -> anyhow::Result<T> {
        let (Err(error), Some(first)) = (&result, self.0.first()) else { return result };
        let own = error.chain().find_map(|cause| cause.downcast_ref::<Failure>());
        let exit = own.map_or(Exit::Failed, |own| own.exit);
        let hint = hint_of(first).or(hint_of(error));
        let message = format!("{error:#}; not looked at, because {}", self.lines().join("; "));
        Err(Failure { message, hint, exit }.into())
    }

    /// Whether nothing failed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
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
        let hints: Vec<Option<String>> = self.0.iter().map(hint_of).collect();
        // What helps against all of them is said once.
        let shared = hints[0].clone().filter(|_| hints.iter().all(|hint| *hint == hints[0]));
        let line = |(error, hint): (&anyhow::Error, &Option<String>)| match hint {
            Some(hint) if shared.is_none() => format!("\n  {error:#}\n    hint: {hint}"),
            _ => format!("\n  {error:#}"),
        };
        let list: String = self.0.iter().zip(&hints).map(line).collect();
        Err(Failure { hint: shared, ..Failure::new(format!("{}:{list}", what(self.0.len()))) }.into())
    }
}

/// What helps when the disk is full.
pub const NO_ROOM: &str = "the disk is full: make room (df -h), then run the same command again";

/// What helps against an error. Room does, whatever a full disk kept from being done.
pub fn hint_of(error: &anyhow::Error) -> Option<String> {
    let no_room = |error: &std::io::Error| {
        matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
    };
    if error.chain().filter_map(|cause| cause.downcast_ref()).any(no_room) {
        return Some(NO_ROOM.into());
    }
    error.chain().find_map(|cause| cause.downcast_ref::<Failure>())?.hint.clone()
}

/// Whether there is next to no room for files in a folder, or they may not grow: a program that failed there may not have
/// said so.
pub fn is_full(dir: &Path) -> bool {
    const LITTLE: u64 = 1 << 20;
    let disk = rustix::fs::statvfs(dir);
    let full = disk.is_ok_and(|disk| {
        disk.f_bavail.saturating_mul(disk.f_frsize) < LITTLE || (disk.f_files > 0 && disk.f_favail == 0)
    });
    let limit = rustix::process::getrlimit(rustix::process::Resource::Fsize).current;
    full || limit.is_some_and(|limit| limit < LITTLE)
}

/// Returns early with a [`Failure`]: `fail!("message {x}")` or `fail!("message"; "hint {y}")`.
#[macro_export]
macro_rules! fail {
    ($($message:literal $(, $arg:expr)*);+ $(;)?) => { $crate::fail!(@ $($message $(, $arg)*);+) };
    (@ $message:literal $(, $arg:expr)*) => {
        return Err($crate::base::failure::Failure::new(format!($message $(, $arg)*)).into())
    };
    (@ $message:literal $(, $arg:expr)*; $hint:literal $(, $harg:expr)*) => {
        return Err($crate::base::failure::Failure::new(format!($message $(, $arg)*)).hint(format!($hint $(, $harg)*)).into())
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
    fn what_was_not_found_names_what_was_not_looked_at() {
        let broken = || {
            let mut kept = Failures::default();
            kept.keep::<()>(Err(Failure::new("wyvern/config.json is empty").hint("mend it").into()));
            kept
        };
        assert_eq!(broken().beside(Ok(3)).unwrap(), 3);
        let none = || Failure::usage("no bead wy-1").hint("gt bd list").into();
        let error = broken().beside::<()>(Err(none())).unwrap_err();
        assert_eq!(format!("{error}"), "no bead wy-1; not looked at, because wyvern/config.json is empty");
        assert_eq!(error.downcast_ref::<Failure>().unwrap().exit, Exit::Usage);
        assert_eq!(hint_of(&error).as_deref(), Some("mend it"));
        let error = Failures::default().beside::<()>(Err(none())).unwrap_err();
        assert_eq!(
            (format!("{error}").as_str(), hint_of(&error).as_deref()),
            ("no bead wy-1", Some("gt bd list"))
        );
    }

    #[test]
    fn room_helps_against_a_full_disk_and_words_say_nothing() {
        let hint = |error: anyhow::Error| hint_of(&error);
        let full = std::io::Error::from(ErrorKind::StorageFull);
        assert_eq!(hint(anyhow::Error::new(full).context("cannot write x")).as_deref(), Some(NO_ROOM));
        let named = Failure::new("cannot push branch 'no space left on device'").hint("look there");
        assert_eq!(hint(named.into()).as_deref(), Some("look there"));
        assert_eq!(hint(Failure::new("unable to write x").into()), None);
        assert!(!is_full(Path::new("/no/such/folder")));
    }
}
