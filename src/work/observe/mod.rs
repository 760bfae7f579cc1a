//! What a town looks like: beads, requests, sessions and worktrees, looked at once and told as facts.

pub mod around;
pub mod changes;
pub mod explain;
pub mod look;
pub mod needs;
pub mod own;
pub mod retried;
pub mod scene;
pub mod states;
pub mod view;
pub mod who;
