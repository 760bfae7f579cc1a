//! Whose an address is: `wyvern/Nux` here is somebody else than `wyvern/Nux` in another town.

use serde_json::Value;

use crate::beads::foreign::own_agent;
use crate::model::bead::Bead;

/// The bead as the branch has it: addresses of agents say which town they are in (`[machine:]rig/name`). The person,
/// and whoever is no agent, is the same everywhere. `town` is the town's name on the branch.
#[must_use]
pub fn abroad(bead: &Bead, town: &str) -> Bead {
    each_address(bead, |address| {
        let own = address.strip_prefix("local:").unwrap_or(address);
        own_agent(own).map(|_| format!("{town}:{own}"))
    })
}

/// The bead as this town has it: its own agents without the town.
#[must_use]
pub fn home(bead: &Bead, town: &str) -> Bead {
    each_address(bead, |address| {
        let (machine, rest) = address.split_once(':')?;
        (machine == town).then(|| rest.to_string())
    })
}

/// One address as this town has it.
#[must_use]
pub fn at_home(address: &str, town: &str) -> String {
    let own = address.split_once(':').filter(|(machine, _)| *machine == town);
    own.map_or(address, |(_, rest)| rest).to_string()
}

/// A bead's holder, or whom a mail is for; and who did the work of a request.
fn each_address(bead: &Bead, change: impl Fn(&str) -> Option<String>) -> Bead {
    let mut bead = bead.clone();
    if let Some(new) = bead.assignee.as_deref().and_then(&change) {
        bead.assignee = Some(new);
    }
    if bead.is_request()
        && let Some(new) = bead.meta("worker").and_then(&change)
    {
        bead.metadata.insert("worker".into(), Value::String(new));
    }
    bead
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::words;

    #[test]
    fn agents_say_where_they_are_and_people_do_not() {
        for (here, there) in [
            ("wyvern/Nux", "pc-1a2b:wyvern/Nux"),
            ("mayor/", "pc-1a2b:mayor/"),
            ("wyvern/crew/max", "pc-1a2b:wyvern/crew/max"),
            ("overseer", "overseer"),
            ("ann", "ann"),
            ("laptop-9f00:wyvern/Nux", "laptop-9f00:wyvern/Nux"),
        ] {
            let bead = Bead { assignee: Some(here.into()), ..Bead::default() };
            let sent = abroad(&bead, "pc-1a2b");
            assert_eq!(sent.assignee.as_deref(), Some(there));
            assert_eq!(home(&sent, "pc-1a2b"), bead);
            assert_eq!(home(&sent, "other").assignee, sent.assignee);
        }
    }

    #[test]
    fn the_worker_of_a_request_goes_along() {
        let mut bead = Bead { issue_type: words::MERGE_REQUEST.into(), ..Bead::default() };
        bead.metadata.insert("worker".into(), "wyvern/Nux".into());
        let sent = abroad(&bead, "pc");
        assert_eq!(sent.meta("worker"), Some("pc:wyvern/Nux"));
        assert_eq!(home(&sent, "pc"), bead);
        assert_eq!(
            abroad(&Bead { issue_type: "task".into(), ..bead.clone() }, "pc").meta("worker"),
            Some("wyvern/Nux")
        );
    }
}
