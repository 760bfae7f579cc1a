//! A polecat from its bead to its end, and what must not be lost with it.

pub mod bringing;
pub mod ending;
pub mod loss;
pub mod names;
pub mod patrol;
pub mod queued;
pub mod recovery;
pub mod sandbox;
pub mod sling;
pub mod strays;
pub mod submodules;
pub mod survivors;
pub mod unsling;
pub mod worktree;
