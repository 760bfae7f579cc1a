//! Status, type and label words that gt gives a meaning to (`work.md`, the state table).

/// Nobody works on it.
pub const OPEN: &str = "open";
/// Somebody's, not begun.
pub const HOOKED: &str = "hooked";
/// Somebody works on it.
pub const IN_PROGRESS: &str = "in_progress";
/// Done, with its commit.
pub const CLOSED: &str = "closed";
/// The statuses of what is on its way.
pub const ALIVE: [&str; 5] = [OPEN, HOOKED, IN_PROGRESS, "blocked", "deferred"];
/// The type of a bead whose children are the work.
pub const EPIC: &str = "epic";
/// Types that bd never has among what is ready: letters, requests and what it runs itself on.
pub const NOT_READY: [&str; 8] =
    [MESSAGE, MERGE_REQUEST, "gate", "molecule", "event", "agent", "role", "rig"];
/// Types that no polecat is started on.
pub const NO_POLECAT: [&str; 2] = [EPIC, CONVOY];
/// The type of a merge request.
pub const MERGE_REQUEST: &str = "merge-request";
/// The type of a mail.
pub const MESSAGE: &str = "message";
/// The types of what is written to somebody, or to the queue: no work, whatever its labels say.
pub const LETTERS: [&str; 2] = [MESSAGE, MERGE_REQUEST];
/// The type of a list of beads that are followed together.
pub const CONVOY: &str = "convoy";
/// Label of every merge request.
pub const LABEL_REQUEST: &str = "gt:merge-request";
/// Label of a bead whose work is in the queue.
pub const LABEL_SUBMITTED: &str = "gt:submitted";
/// Label of a bead that came back from the queue.
pub const LABEL_REWORK: &str = "gt:rework";
/// Label of a bead that a person keeps back.
pub const LABEL_HOLD: &str = "gt:hold";
/// Its polecat runs on another machine: the remote's name follows (`remote.md`).
pub const LABEL_REMOTE: &str = "gt:remote:";
/// Label of a bead that `gt sling TITLE` wrote down and that has had no polecat yet.
pub const LABEL_NEW: &str = "gt:new";
/// Label of a bead that waits for a place: its first free one starts it.
pub const LABEL_QUEUED: &str = "gt:queued";
/// Metadata key of such a bead: since when, how it is to be started, and the proof that this town ordered it.
pub const META_QUEUED: &str = "queued";
/// Label of a mail.
pub const LABEL_MESSAGE: &str = "gt:message";
/// Metadata key of a bead whose commits are kept: the name of its recovery ref in the canonical clone.
pub const META_RECOVERY: &str = "recovery";
/// Metadata key of a bead that came back from the queue: why, in one line.
pub const META_SET_ASIDE: &str = "set_aside";
/// Metadata: names of recovery refs of attempts before that one, separated by spaces.
pub const META_EARLIER: &str = "recovery_earlier";
/// Metadata key that names the letter a bead, a request or a mail was made from: so nothing is made of it twice.
pub const META_LETTER: &str = "letter";
/// Label of a mail that has been read.
pub const LABEL_READ: &str = "gt:read";
