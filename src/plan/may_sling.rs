//! Whether a bead can be slung, and what to say when it cannot.

use crate::base::failure::Failure;
use crate::model::bead::Bead;
use crate::model::words;
use crate::plan::place::Place;

/// What a person allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// `--force`
    pub force: bool,
    /// `--resume`
    pub resume: bool,
}

/// How a polecat begins on a bead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// From the target.
    Fresh,
    /// From what an earlier polecat left under a recovery ref, replayed onto the target.
    Earlier,
    /// On the worktree that is there.
    Again,
}

/// What the verdict is read from.
#[derive(Clone, Copy, Debug)]
pub struct ReadyFacts<'a> {
    /// The bead.
    pub bead: &'a Bead,
    /// Where it is.
    pub place: Place,
    /// What it waits for, when it is blocked.
    pub blockers: &'a [String],
    /// Commits of an earlier polecat are kept for it.
    pub kept: bool,
    /// Another command is setting its polecat up, or ending it.
    pub in_hand: bool,
}

/// What is said of a bead that nothing starts until it is adopted.
pub fn foreign(id: &str) -> Failure {
    Failure::new(format!("{id} is foreign: others made it, or changed what it says"))
        .hint(format!("read it with: gt bd show {id}; make it this town's with: gt adopt {id}"))
}

/// Decides how to begin, or why not.
///
/// # Errors
/// The reason, each with the command that helps.
pub fn begin(facts: &ReadyFacts<'_>, allowed: Allowed) -> Result<Begin, Failure> {
    let id = &facts.bead.id;
    let holder = facts.bead.assignee.as_deref().unwrap_or("somebody");
    let no = |message: String, hint: String| Err(Failure::new(message).hint(hint));
    if !facts.bead.is_work() {
        let kind = &facts.bead.issue_type;
        return no(format!("{id} is a {kind}, not work"), "see what is ready with: gt bd ready".into());
    }
    match facts.place {
        Place::Merged | Place::Closed => {
            no(format!("{id} is closed"), format!("open it again with: gt bd reopen {id}"))
        }
        Place::Submitted => {
            no(format!("the work on {id} waits to be merged"), "look at the queue with: gt mq list".into())
        }
        Place::Working => taken(id, holder, "--force "),
        Place::Hooked | Place::Crashed if facts.in_hand => taken(id, holder, ""),
        _ if facts.bead.foreign && (facts.place != Place::Taken || allowed.force) => Err(foreign(id)),
        Place::Hooked => Ok(Begin::Again),
        Place::Crashed if allowed.resume => Ok(Begin::Again),
        Place::Crashed => no(
            format!("{id} is taken by {holder}, whose session has ended"),
            format!(
                "go on with it: gt sling --resume {id}; or give it back, with all that it has kept: gt unsling --force {id}"
            ),
        ),
        Place::Unknown => no(
            format!("{id} is taken by {holder}, whose session cannot be seen"),
            "ask tmux: gt session list".into(),
        ),
        Place::Unreachable => {
            let remote = facts.bead.remote().unwrap_or("another machine");
            no(
                format!("{id} is taken by {holder} on {remote}, which does not answer"),
                "see what is wrong with: gt remote status; give it up with: gt polecat release --force RIG/NAME"
                    .into(),
            )
        }
        Place::Taken if !allowed.force => no(
            format!("{id} is taken by {holder}"),
            format!("give it to a polecat all the same: gt sling --force {id}"),
        ),
        Place::Held if !allowed.force => {
            no(format!("{id} is held back"), format!("let it go: gt unhold {id}"))
        }
        Place::Blocked if !allowed.force => blocked(facts),
        _ if facts.bead.issue_type == words::EPIC && !allowed.force => no(
            format!("{id} is an epic: its children are the work"),
            format!("see them with: gt bd list --parent {id}"),
        ),
        _ if facts.kept && (allowed.resume || facts.bead.has_label(words::LABEL_REWORK)) => {
            Ok(Begin::Earlier)
        }
        _ if allowed.resume => {
            no(format!("nothing of {id} is kept to go on with"), format!("begin anew: gt sling {id}"))
        }
        _ => Ok(Begin::Fresh),
    }
}

/// `how`: what `gt unsling` asks for there.
fn taken(id: &str, holder: &str, how: &str) -> Result<Begin, Failure> {
    Err(Failure::new(format!("{id} is taken by {holder}"))
        .hint(format!("look at it with: gt attach {holder}; take it back with: gt unsling {how}{id}")))
}

fn blocked(facts: &ReadyFacts<'_>) -> Result<Begin, Failure> {
    let id = &facts.bead.id;
    let failure = if facts.blockers.is_empty() {
        Failure::new(format!("{id} is {}", facts.bead.status))
            .hint(format!("open it with: gt bd update {id} --status open"))
    } else {
        Failure::new(format!("{id} is blocked by {}", facts.blockers.join(", ")))
            .hint(format!("look at it with: gt bd show {id}; start all the same: gt sling --force {id}"))
    };
    Err(failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(place: Place, kept: bool, in_hand: bool, allowed: Allowed) -> Result<Begin, String> {
        let labels = if place == Place::SetAside { vec![words::LABEL_REWORK.to_string()] } else { vec![] };
        let bead = Bead {
            labels,
            id: "wy-1".into(),
            status: "deferred".into(),
            assignee: Some("wyvern/Nux".into()),
            ..Bead::default()
        };
        let facts = ReadyFacts { bead: &bead, place, blockers: &[], kept, in_hand };
        begin(&facts, allowed).map_err(|failure| failure.message)
    }

    #[test]
    fn every_place_has_its_answer() {
        let no = Allowed::default();
        let resume = Allowed { resume: true, ..no };
        let force = Allowed { force: true, ..no };
        for (place, kept, in_hand, allowed, wanted) in [
            (Place::Ready, false, false, no, Ok(Begin::Fresh)),
            (Place::Ready, true, false, no, Ok(Begin::Fresh)),
            (Place::Ready, true, false, resume, Ok(Begin::Earlier)),
            (Place::Ready, false, false, resume, Err("nothing of wy-1 is kept to go on with")),
            (Place::SetAside, true, false, no, Ok(Begin::Earlier)),
            (Place::SetAside, false, false, no, Ok(Begin::Fresh)),
            (Place::Hooked, false, false, no, Ok(Begin::Again)),
            (Place::Hooked, false, true, no, Err("wy-1 is taken by wyvern/Nux")),
            (Place::Crashed, false, false, no, Err("wy-1 is taken by wyvern/Nux, whose session has ended")),
            (Place::Crashed, false, false, resume, Ok(Begin::Again)),
            (Place::Working, false, false, force, Err("wy-1 is taken by wyvern/Nux")),
            (
                Place::Unknown,
                false,
                false,
                force,
                Err("wy-1 is taken by wyvern/Nux, whose session cannot be seen"),
            ),
            (
                Place::Unreachable,
                false,
                false,
                force,
                Err("wy-1 is taken by wyvern/Nux on another machine, which does not answer"),
            ),
            (Place::Submitted, false, false, force, Err("the work on wy-1 waits to be merged")),
            (Place::Merged, false, false, force, Err("wy-1 is closed")),
            (Place::Held, false, false, no, Err("wy-1 is held back")),
            (Place::Held, false, false, force, Ok(Begin::Fresh)),
            (Place::Taken, false, false, no, Err("wy-1 is taken by wyvern/Nux")),
            (Place::Blocked, false, false, no, Err("wy-1 is deferred")),
            (Place::Blocked, false, false, force, Ok(Begin::Fresh)),
        ] {
            let wanted = wanted.map_err(str::to_string);
            assert_eq!(ask(place, kept, in_hand, allowed), wanted, "{place:?} {kept} {in_hand} {allowed:?}");
        }
    }

    #[test]
    fn what_others_wrote_is_started_by_no_flag() {
        let bead = Bead { id: "wy-1".into(), foreign: true, ..Bead::default() };
        for place in [Place::Foreign, Place::Hooked, Place::Crashed, Place::Taken] {
            let allowed = Allowed { force: true, resume: true };
            let facts = ReadyFacts { bead: &bead, place, blockers: &[], kept: true, in_hand: false };
            let failure = begin(&facts, allowed).unwrap_err();
            assert_eq!(
                failure.message, "wy-1 is foreign: others made it, or changed what it says",
                "{place:?}"
            );
        }
    }

    #[test]
    fn blockers_are_named_and_epics_are_not_work() {
        let bead = Bead { id: "wy-1".into(), issue_type: "epic".into(), ..Bead::default() };
        let facts =
            ReadyFacts { bead: &bead, place: Place::Ready, blockers: &[], kept: false, in_hand: false };
        let failure = begin(&facts, Allowed::default()).unwrap_err();
        assert_eq!(failure.message, "wy-1 is an epic: its children are the work");
        let blockers = ["wy-2".to_string(), "wy-3".to_string()];
        let facts = ReadyFacts { place: Place::Blocked, blockers: &blockers, ..facts };
        assert_eq!(begin(&facts, Allowed::default()).unwrap_err().message, "wy-1 is blocked by wy-2, wy-3");
    }
}
