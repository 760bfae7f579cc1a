//! `gt apply` on a fake of tmux: a line that fails is its own alone, and what cannot be seen is left alone.

use super::*;
use crate::town::away::{self, Record};
use crate::work::fixture::Fixture;
use crate::work::remote::going;

const AGENTS: [Address; 1] = [Address::Mayor];

fn agents() -> Vec<Address> {
    let rig = || "wyvern".to_string();
    [AGENTS.to_vec(), vec![Address::Witness(rig()), Address::Refinery(rig())]].concat()
}

fn wished(town: &Fixture, agents: &[Address]) -> Wishes {
    let sources = Sources { rig: None, ..town.sources() };
    wishes(&town.env(), &sources, &town.town, &UpSettings::default(), agents, &[]).unwrap()
}

/// Applies what these agents come to; the outcome of each line that acts, by address.
fn apply(town: &Fixture, agents: &[Address], down: &DownList) -> Vec<(String, Result<Applied>)> {
    let wishes = wished(town, agents);
    let seen = town.mux.look().unwrap();
    let plan = wishes.plan(&town.town, down, &seen, false);
    let done = carry_out(&town.town, &town.mux, &seen, &wishes, &plan.lines, &|_| ());
    let acts = plan.lines.iter().zip(done).filter(|(line, _)| line.acts());
    acts.map(|(line, done)| (line.address.clone(), done)).collect()
}

#[test]
fn one_that_cannot_be_started_keeps_no_other_from_it() {
    let town = Fixture::new();
    std::fs::create_dir_all(town.rig.refinery_dir()).unwrap();
    town.mux.fail("start wyvern/witness");
    let done = apply(&town, &agents(), &DownList::default());
    let failed: Vec<_> = done.iter().filter(|(_, done)| done.is_err()).map(|(who, _)| who.as_str()).collect();
    assert_eq!(failed, ["wyvern/witness"]);
    assert_eq!(town.mux.running(), ["mayor/", "wyvern/refinery"]);
    // Again, once it can be: just that one.
    town.mux.heal();
    town.mux.calls();
    apply(&town, &agents(), &DownList::default());
    assert_eq!(town.mux.calls_of(&["start"]), ["start wyvern/witness"]);
    assert_eq!(town.mux.running().len(), 3);
}

#[test]
fn one_that_cannot_be_stopped_keeps_no_other_from_it() {
    let town = Fixture::new();
    std::fs::create_dir_all(town.rig.refinery_dir()).unwrap();
    apply(&town, &agents(), &DownList::default());
    let session = town.mux.look().unwrap().of(&town.town.mark(), "mayor/").unwrap().id.clone();
    town.mux.fail(&format!("stop {session}"));
    let mut down = DownList::default();
    agents().iter().for_each(|address| down.one(&address.to_string()));
    let done = apply(&town, &agents(), &down);
    let failed: Vec<_> = done.iter().filter(|(_, done)| done.is_err()).map(|(who, _)| who.as_str()).collect();
    assert_eq!(failed, ["mayor/"]);
    assert_eq!(town.mux.running(), ["mayor/"]);
}

#[test]
fn what_cannot_be_seen_is_neither_started_nor_stopped() {
    let town = Fixture::new();
    town.mux.hide("the server does not answer");
    let mut down = DownList::default();
    down.one("wyvern/witness");
    apply(&town, &agents(), &down);
    assert_eq!(town.mux.calls_of(&["start", "stop", "change", "mark"]), [""; 0]);
    // A look that comes too late for the plan: the start itself looks too.
    let wishes = wished(&town, &AGENTS);
    let empty = wishes.plan(&town.town, &DownList::default(), &Snapshot::default(), false);
    let seen = town.mux.look().unwrap();
    let done = carry_out(&town.town, &town.mux, &seen, &wishes, &empty.lines, &|_| ());
    assert!(done.iter().all(Result::is_err));
    assert_eq!(town.mux.calls_of(&["start"]), [""; 0]);
}

/// A machine that does not answer keeps no session here from being stopped, nor the other way round.
#[test]
fn sessions_here_and_elsewhere_are_stopped_each_by_themselves() {
    for fails in ["$1", "$2"] {
        let town = Fixture::new();
        town.mux.add(town.marks("mayor/", "", "i-here"));
        town.mux.add(town.marks("deacon/", "", "i-away"));
        town.mux.change_seen(|seen| seen.sessions[1].remote = Some("box".into()));
        town.mux.fail(&format!("stop {fails}"));
        let seen = town.mux.look().unwrap();
        let all: Vec<&Session> = seen.sessions.iter().collect();
        let error = survivors::stop(&town.town, &town.mux, &all).unwrap_err();
        assert!(format!("{error:#}").contains(&format!("stop {fails}")), "{error:#}");
        assert_eq!(town.mux.calls_of(&["stop"]), ["stop $1", "stop $2"]);
    }
}

/// A role's session elsewhere that cannot be ended keeps no other from its end, and its record stays.
#[test]
fn roles_that_leave_are_ended_one_by_one() {
    let town = Fixture::new();
    for (address, instance) in [("deacon/", "i-1"), ("mayor/", "i-2")] {
        town.mux.add(town.marks(address, "", instance));
        let record = Record { instance: instance.into(), leaving: true, ..Record::default() };
        away::update(&town.town, |records| records.insert(address.into(), record)).unwrap();
    }
    town.mux.fail("stop $1");
    let gone = going::end_roles(&town.town, &town.mux, &town.mux.look().unwrap()).unwrap();
    let ended: Vec<_> = gone.iter().map(|one| (one.address.as_str(), one.ended)).collect();
    assert_eq!(ended, [("deacon/", false), ("mayor/", true)]);
    assert!(gone[0].why.contains("stop $1"), "{gone:?}");
    assert_eq!(away::read(&town.town).unwrap().into_keys().collect::<Vec<_>>(), ["deacon/"]);
}
