//! Making a town: its tree, its files, and what is refused.

use crate::common::World;

#[test]
fn a_rig_is_ready_for_beads() {
    let world = World::with_rig();
    let id = world.bead("first", "true");
    assert!(id.starts_with("wy-"), "{id}");
    assert_eq!(world.show(&id)["title"], "first");
}
