//! Towns, rigs, crew and stores: made, brought in step, looked after, put right.

pub mod crew;
pub mod doctor;
pub mod exports;
pub mod install;
pub mod migrate;
pub mod pieces;
pub mod restore;
pub mod rig;
pub mod sync;
