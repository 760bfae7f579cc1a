//! The embedded store and `gt bd`.

mod contract;
mod many;
mod model;
mod people;
pub mod trip;

use crate::common::{Run, World};

/// A world with a store (prefix `gm`) in `.beads` and nothing else.
fn world() -> World {
    let world = World::new();
    world.set("BD_ACTOR", "me");
    world.gt(["bd", "init", "--prefix", "gm"]).ok();
    world
}

fn bd<const N: usize>(world: &World, words: [&str; N]) -> Run {
    world.gt(std::iter::once("bd").chain(words))
}

/// Makes a bead with this id.
fn make(world: &World, id: &str, title: &str, more: &[&str]) {
    let words = ["bd", "create", title, "--id", id].into_iter().chain(more.iter().copied());
    world.gt(words).ok();
}

/// The ids of an array of beads.
fn ids(run: Run) -> Vec<String> {
    let beads = run.ok().json();
    beads.as_array().unwrap().iter().map(|bead| bead["id"].as_str().unwrap().into()).collect()
}
