//! `gt apply` on a fake of tmux: a line that fails is its own alone, and what cannot be seen is left alone.

use super::*;
use crate::work::fixture::Fixture;

const AGENTS: [Address; 1] = [Address::Mayor];

fn agents() -> Vec<Address> {
    let rig = || "wyvern".to_string();
    [AGENTS.to_vec(), vec![Address::Witness(rig()), Address::Refinery(rig())]].concat()
}

fn wished(town: &Fixture, agents: &[Address]) -> Wishes {
    let sources = Sources { rig: None, ..town.sources() };
    wishes(&town.env(), &sources, &town.town, &Up::default(), (agents, &[])).unwrap()
}

/// Applies what these agents come to; the outcome of each line that acts, by address.
fn apply(town: &Fixture, agents: &[Address], down: &Down) -> Vec<(String, Result<Done>)> {
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
    let done = apply(&town, &agents(), &Down::default());
    let failed: Vec<_> = done.iter().filter(|(_, done)| done.is_err()).map(|(who, _)| who.as_str()).collect();
    assert_eq!(failed, ["wyvern/witness"]);
    assert_eq!(town.mux.running(), ["mayor/", "wyvern/refinery"]);
    // Again, once it can be: just that one.
    town.mux.heal();
    town.mux.calls();
    apply(&town, &agents(), &Down::default());
    assert_eq!(town.mux.calls_of(&["start"]), ["start wyvern/witness"]);
    assert_eq!(town.mux.running().len(), 3);
}

#[test]
fn one_that_cannot_be_stopped_keeps_no_other_from_it() {
    let town = Fixture::new();
    std::fs::create_dir_all(town.rig.refinery_dir()).unwrap();
    apply(&town, &agents(), &Down::default());
    let session = town.mux.look().unwrap().of(&town.town.mark(), "mayor/").unwrap().id.clone();
    town.mux.fail(&format!("stop {session}"));
    let mut down = Down::default();
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
    let mut down = Down::default();
    down.one("wyvern/witness");
    apply(&town, &agents(), &down);
    assert_eq!(town.mux.calls_of(&["start", "stop", "change", "mark"]), [""; 0]);
    // A look that comes too late for the plan: the start itself looks too.
    let wishes = wished(&town, &AGENTS);
    let empty = wishes.plan(&town.town, &Down::default(), &Snapshot::default(), false);
    let seen = town.mux.look().unwrap();
    let done = carry_out(&town.town, &town.mux, &seen, &wishes, &empty.lines, &|_| ());
    assert!(done.iter().all(Result::is_err));
    assert_eq!(town.mux.calls_of(&["start"]), [""; 0]);
}
