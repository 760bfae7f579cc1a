//! Which work goes where: pure.

use std::collections::BTreeMap;

use super::schema::{Placement, When};
use crate::base::time;
use crate::model::bead::Bead;

/// The rule that counts for a bead: of those whose conditions all hold, the one with the lowest order, then the first
/// by name. `rig` is the bead's rig.
pub fn choose<'r>(
    rules: &'r BTreeMap<String, Placement>,
    bead: &Bead,
    rig: Option<&str>,
) -> Option<(&'r str, &'r Placement)> {
    rules
        .iter()
        .filter(|(_, rule)| matches(&rule.when, bead, rig))
        .min_by_key(|(name, rule)| (rule.order, name.as_str()))
        .map(|(name, rule)| (name.as_str(), rule))
}

/// Whether all conditions that are given hold; a list holds when one of its elements does.
pub fn matches(when: &When, bead: &Bead, rig: Option<&str>) -> bool {
    let estimate = || {
        let wanted = when.min_estimate.as_deref().and_then(time::parse_duration);
        let minutes = bead.estimated_minutes.and_then(|minutes| u64::try_from(minutes).ok());
        wanted.zip(minutes).is_some_and(|(wanted, minutes)| minutes.saturating_mul(60) >= wanted.as_secs())
    };
    (when.labels.is_empty() || when.labels.iter().any(|label| bead.has_label(label)))
        && (when.types.is_empty() || when.types.contains(&bead.issue_type))
        && (when.rigs.is_empty() || rig.is_some_and(|rig| when.rigs.iter().any(|wanted| wanted == rig)))
        && (when.priorities.is_empty() || when.priorities.contains(&bead.priority))
        && (when.min_estimate.is_none() || estimate())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(toml: &str) -> BTreeMap<String, Placement> {
        toml::from_str(toml).unwrap()
    }

    fn bead() -> Bead {
        Bead {
            issue_type: "task".into(),
            priority: 1,
            labels: vec!["gpu".into(), "heavy".into()],
            estimated_minutes: Some(60),
            ..Bead::default()
        }
    }

    #[test]
    fn the_lowest_order_that_matches_wins() {
        let rules = rules(
            "[late]\norder = 20\nuse = 'a'\n[early]\norder = 10\nuse = 'b'\n\
             [other]\norder = 1\nwhen = { labels = ['docs'] }\nuse = 'c'\n",
        );
        assert_eq!(choose(&rules, &bead(), None).unwrap().0, "early");
        let docs = Bead { labels: vec!["docs".into()], ..bead() };
        assert_eq!(choose(&rules, &docs, None).unwrap().0, "other");
    }

    #[test]
    fn every_condition_counts() {
        let one = |when: &str, rig| {
            choose(&rules(&format!("[x]\nuse = 'p'\nwhen = {{ {when} }}\n")), &bead(), rig).is_some()
        };
        assert!(one("", None));
        assert!(one("labels = ['docs', 'heavy']", None));
        assert!(!one("labels = ['docs']", None));
        assert!(one("types = ['bug', 'task']", None));
        assert!(!one("types = ['bug']", None));
        assert!(one("priorities = [0, 1]", None));
        assert!(!one("priorities = [2]", None));
        assert!(one("min_estimate = '60m'", None));
        assert!(!one("min_estimate = '61m'", None));
        assert!(one("rigs = ['wyvern']", Some("wyvern")));
        assert!(!one("rigs = ['wyvern']", Some("dune")));
        assert!(!one("rigs = ['wyvern']", None));
        assert!(!one("labels = ['heavy'], types = ['bug']", None));
    }

    #[test]
    fn a_bead_without_an_estimate_is_not_known_to_be_long() {
        let rules = rules("[x]\nuse = 'p'\nwhen = { min_estimate = '1m' }\n");
        let bead = Bead { estimated_minutes: None, ..bead() };
        assert!(choose(&rules, &bead, None).is_none());
    }
}
