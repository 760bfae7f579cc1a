//! What needs the person, and the command that helps. Pure.

use serde::Serialize;

use super::view::{RigView, RoleStatus, TownView};
use crate::base::grammar::count;
use crate::model::state::State;
use crate::plan::place::{Place, Run};

/// One thing that only a person can go on with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Need {
    /// What it is about: an address, a bead or a request.
    pub about: String,
    /// What is the matter.
    pub what: String,
    /// The command that helps.
    pub help: String,
    /// Since when, where that is known: RFC 3339, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
}

impl Need {
    fn new(about: &str, what: String, help: String) -> Need {
        Need { about: about.into(), what, help, since: None }
    }
}

/// All of them, what an agent waits for first.
pub fn needs(view: &TownView) -> Vec<Need> {
    let roles = view.agents.iter().chain(view.rigs.iter().flat_map(|rig| &rig.agents));
    let mut needs: Vec<Need> = roles.filter_map(of_role).collect();
    needs.extend(view.rigs.iter().flat_map(questions));
    needs.extend(view.rigs.iter().flat_map(of_rig));
    if let Some(unread @ 1..) = view.overseer_unread {
        let what = if unread == 1 { "1 unread letter".into() } else { format!("{unread} unread letters") };
        needs.push(Need::new("overseer", what, "gt mail inbox".into()));
    }
    needs
}

fn of_role(role: &RoleStatus) -> Option<Need> {
    let need = asks(&role.address.to_string(), &role.state, &role.why, &role.answer)?;
    Some(Need { since: role.since.clone(), ..need })
}

/// What an agent in this state waits for; `answer` is the command that answers it, where there is one.
fn asks(address: &str, state: &str, why: &str, answer: &str) -> Option<Need> {
    let words = |what: &str| if why.is_empty() { what.to_string() } else { format!("{what}: {why}") };
    let look = format!("gt attach {address}");
    let is = |one: State| state == one.as_str();
    if is(State::Question) {
        Some(Need::new(address, words("asks"), if answer.is_empty() { look } else { answer.into() }))
    } else if is(State::Limited) {
        Some(Need::new(address, words("is at its limit"), look))
    } else if is(State::Offline) {
        Some(Need::new(address, words("cannot reach its model"), look))
    } else {
        None
    }
}

fn questions(rig: &RigView) -> Vec<Need> {
    let of = |polecat: &super::view::Polecat| {
        let state = polecat.state.as_deref().unwrap_or_default();
        let need = asks(&polecat.address, state, &polecat.why, &polecat.answer)?;
        Some(Need { since: polecat.since.clone(), ..need })
    };
    rig.polecats.iter().filter_map(of).collect()
}

fn of_rig(rig: &RigView) -> Vec<Need> {
    let mut needs = Vec::new();
    for request in &rig.unapproved {
        let help = format!("gt mq approve {}", request.request);
        needs.push(Need::new(&request.bead, format!("waits for approval: {}", request.why), help));
    }
    let waits = |bead: &str| rig.to_start.iter().any(|one| one.bead == bead);
    for aside in rig.set_aside.iter().filter(|aside| !waits(&aside.bead)) {
        let why = aside.failure.as_deref().unwrap_or_default();
        let help = format!("gt sling {} {}", aside.bead, rig.name);
        needs.push(Need::new(&aside.bead, format!("came back from the queue: {why}"), help));
    }
    for polecat in &rig.polecats {
        let bead = polecat.bead.as_deref().unwrap_or_default();
        match polecat.place {
            Some(Place::Crashed) if !polecat.goes_on => {
                let help = format!("gt sling {bead} {} --resume", rig.name);
                let need = Need::new(&polecat.address, format!("ended before {bead} was done"), help);
                needs.push(Need { since: polecat.since.clone(), ..need });
            }
            Some(Place::Hooked) if polecat.run == Run::None => {
                let what = format!("has {bead} on its hook and no session");
                let need = Need::new(&polecat.address, what, format!("gt sling {bead} {}", rig.name));
                needs.push(Need { since: polecat.since.clone(), ..need });
            }
            Some(Place::Unreachable) => {
                let what = format!("its machine does not answer: {bead}");
                needs.push(Need::new(&polecat.address, what, "gt remote status".into()));
            }
            _ => {}
        }
    }
    if let Some(why) = &rig.store.unreadable {
        let what = format!("its store cannot be read: {why}");
        needs.push(Need::new(&rig.name, what, format!("gt doctor {}", rig.name)));
    }
    if rig.foreign > 0 {
        let what = format!("{} that others made or changed", count(rig.foreign, "bead"));
        needs.push(Need::new(&rig.name, what, "gt adopt".into()));
    }
    needs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::words;
    use crate::work::fixture::Fixture;
    use crate::work::observe::look::Beside;

    #[test]
    fn each_need_is_said_with_its_command_and_a_town_at_work_needs_nothing() {
        let town = Fixture::new();
        let look = || town.look().town(Beside::Nothing, None).unwrap();
        town.polecat("Nux");
        assert_eq!(needs(&look()), []);
        let back = town.bead("Came back", "open", None, &[words::LABEL_REWORK]);
        let crashed = town.bead("Crashed", "in_progress", Some("wyvern/Ace"), &[]);
        town.mux.add(crate::mux::Marks { state: "question".into(), ..town.marks("mayor/", "", "i-mayor") });
        let said: Vec<(String, String)> = needs(&look())
            .into_iter()
            .map(|need| (format!("{} {}", need.about, need.what), need.help))
            .collect();
        let own = |what: &str, help: String| (what.to_string(), help);
        assert_eq!(
            said,
            [
                own("mayor/ asks", "gt attach mayor/".into()),
                own(
                    &format!("{back} came back from the queue: see its comments"),
                    format!("gt sling {back} wyvern")
                ),
                own(
                    &format!("wyvern/Ace ended before {crashed} was done"),
                    format!("gt sling {crashed} wyvern --resume")
                ),
            ]
        );
    }
}
