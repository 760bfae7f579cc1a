//! Until when a runtime is not started that its provider keeps from working (`deacon.md`, "a rate or usage limit").

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use crate::base::promised::promised;
use crate::base::time::seconds_since_epoch;

/// How long it is given where nobody said a time, for each agent that is at its limit.
const UNSAID: i64 = 15 * 60;

/// An agent at its limit.
#[derive(Clone, Copy, Debug)]
pub struct AgentAtLimit<'a> {
    /// Its runtime.
    pub runtime: &'a str,
    /// What its program said.
    pub why: &'a str,
    /// When: RFC 3339, UTC.
    pub since: &'a str,
}

/// Until when each of these runtimes is not started, in seconds since 1970; those whose time is over are left out. A time that
/// a program named counts, the latest of several; else each more that is at its limit makes it longer.
pub fn limits<'a>(
    agents: impl IntoIterator<Item = AgentAtLimit<'a>>,
    zone: &TimeZone,
    now: i64,
) -> BTreeMap<String, i64> {
    let (mut said, mut unsaid) = (BTreeMap::<&str, i64>::new(), BTreeMap::<&str, (i64, i64)>::new());
    for AgentAtLimit { runtime, why, since } in agents {
        // What is said to have been in the future was said by a clock that was wrong.
        let Some(since) = seconds_since_epoch(since).filter(|since| *since <= now) else { continue };
        if let Some(until) = promised(why, since, zone) {
            if until > now {
                let known = said.entry(runtime).or_insert(until);
                *known = until.max(*known);
            }
        } else {
            let (last, count) = unsaid.entry(runtime).or_insert((since, 0));
            (*last, *count) = (since.max(*last), *count + 1);
        }
    }
    for (runtime, (last, count)) in unsaid {
        said.entry(runtime).or_insert(last + count * UNSAID);
    }
    said.into_iter()
        .filter(|(_, until)| *until > now)
        .map(|(runtime, until)| (runtime.into(), until))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_was_named_counts_and_else_a_quarter_of_an_hour_for_each() {
        let since = "2026-03-04T13:00:00Z";
        let begin = seconds_since_epoch(since).unwrap();
        let at = |runtime, why| AgentAtLimit { runtime, why, since };
        let known = |agents: &[AgentAtLimit<'_>], later: i64| {
            limits(agents.iter().copied(), &TimeZone::UTC, begin + later)
                .into_iter()
                .map(|(runtime, until)| (runtime, until - begin))
                .collect::<Vec<_>>()
        };
        let all =
            [at("claude", "resets 3pm"), at("claude", "rate_limit"), at("codex", "429"), at("codex", "429")];
        assert_eq!(known(&all, 60), [("claude".into(), 7200), ("codex".into(), 1800)]);
        assert_eq!(known(&all, 1800), [("claude".into(), 7200)]);
        assert_eq!(known(&all, 7200), []);
        assert_eq!(known(&[AgentAtLimit { since: "2099-01-01T00:00:00Z", ..at("codex", "") }], 0), []);
        // One whose time is over says nothing of the others.
        let both = [at("claude", "try again in 1s"), at("claude", "rate_limit")];
        assert_eq!(known(&both, 60), [("claude".into(), 900)]);
    }
}
