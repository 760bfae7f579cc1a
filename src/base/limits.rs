//! How long gt waits for a program or a lock that makes no progress (`[limits]` of the settings), and what it says
//! meanwhile.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::base::terminal;

/// After this long gt says what it waits for.
pub const WORD: Duration = Duration::from_secs(1);

/// The limits that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For git and ssh on the network: the time without progress.
    pub network: Duration,
    /// For git and setup commands on this machine: the time without progress.
    pub local: Duration,
    /// For a lock that another process holds.
    pub lock: Duration,
    /// For an answer of a tmux server.
    pub tmux: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        let seconds = Duration::from_secs;
        Limits { network: seconds(60), local: seconds(600), lock: seconds(600), tmux: seconds(20) }
    }
}

type Reader = Box<dyn Fn() -> Limits + Send + Sync>;

static READER: OnceLock<Reader> = OnceLock::new();
static READ: OnceLock<Limits> = OnceLock::new();
static QUIET: AtomicBool = AtomicBool::new(false);

/// Sets how the limits are read. They are read once, when something has been waited for longer than [`WORD`]: most
/// commands never do.
pub fn read_by(reader: impl Fn() -> Limits + Send + Sync + 'static, quiet: bool) {
    let _ = READER.set(Box::new(reader));
    QUIET.store(quiet, Ordering::Relaxed);
}

/// The limits that count.
pub fn get() -> Limits {
    *READ.get_or_init(|| READER.get().map_or_else(Limits::default, |reader| reader()))
}

/// Says on standard error what is waited for, unless gt was asked to be quiet.
pub fn say(text: &str) {
    if !QUIET.load(Ordering::Relaxed) {
        terminal::tell(format!("gt: {text}"));
    }
}

/// Warns on standard error, unless gt was asked to be quiet.
pub fn warn(text: &str) {
    if !QUIET.load(Ordering::Relaxed) {
        terminal::tell(format!("warning: {text}"));
    }
}

/// A limit in words: `60 s`, `10 min`.
pub fn shown(limit: Duration) -> String {
    match limit.as_secs() {
        seconds if seconds >= 120 && seconds % 60 == 0 => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}

/// For a program that answers at once, if it answers.
pub const MOMENT: Duration = Duration::from_secs(10);
