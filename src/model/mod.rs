//! Values that many rooms share: what they are, how they are read and printed. Nothing here acts.

pub mod address;
pub mod bead;
pub mod commit;
pub mod environment;
pub mod fugue;
pub mod ids;
pub mod refs;
pub mod rules;
pub mod state;
pub mod tunnel;
pub mod windows;
pub mod words;
