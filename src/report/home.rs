//! What came home from other machines, as `gt remote sync` says it.

use crate::base::grammar::short;
use crate::work::remote::arrived::{Arrived, RecordState};
use crate::work::remote::going::Gone;

/// A line for each that was to be ended on its machine.
pub fn gone(gone: &[Gone], dry: bool) -> String {
    let line = |one: &Gone| {
        let kept = one.recovery.as_ref().map_or(String::new(), |name| format!("; kept under {name}"));
        match one.ended {
            true => format!("{}  ended on {}{kept}\n", one.address, one.remote),
            false if dry => format!("would end {} on {}\n", one.address, one.remote),
            false => format!("{}  is not ended on {} yet: {}\n", one.address, one.remote, one.why),
        }
    };
    gone.iter().map(line).collect()
}

/// A line for each letter.
pub fn text(arrived: &[Arrived], dry: bool) -> String {
    arrived.iter().map(|one| line(one, dry)).collect()
}

fn line(one: &Arrived, dry: bool) -> String {
    let commit = short(&one.commit);
    let kept = one.recovery.as_ref().map_or(String::new(), |name| format!("; {commit} is kept under {name}"));
    let said = match one.state {
        RecordState::Waits if dry && one.bead.is_empty() => {
            format!("would take in what {} handed in", one.worker)
        }
        RecordState::Waits => format!("would take in what {} handed in for {}", one.worker, one.bead),
        RecordState::Submitted => {
            format!("{}  submitted: {} by {commit}, request {}", one.bead, one.worker, one.request)
        }
        RecordState::Closed => format!("{}  closed without changes: {}", one.bead, one.worker),
        RecordState::Kept => format!("{}  not submitted: {}{kept}", one.bead, one.why),
        RecordState::Taken => format!("{}  was taken in before: {}", one.bead, one.worker),
        RecordState::Foreign => {
            let rig = one.worker.split('/').next().unwrap_or_default();
            let id = short(&one.id);
            format!(
                "{}  waits: {} by {commit}: {}; if it is yours: gt remote sync {rig} --adopt {id}",
                one.bead, one.worker, one.why
            )
        }
        RecordState::Missing => format!("{}  waits: {}: {}", one.bead, one.worker, one.why),
        RecordState::Failed => format!("{}  could not be taken in: {}: {}", one.bead, one.worker, one.why),
        RecordState::Unreadable => format!("left alone: {}: {}", one.name, one.why),
    };
    let found = match one.found.as_slice() {
        [] => String::new(),
        found => format!("; new: {}", found.join(", ")),
    };
    let left =
        one.left.as_ref().map_or(String::new(), |why| format!("; {} is still at origin: {why}", one.name));
    format!("{said}{found}{left}\n")
}
