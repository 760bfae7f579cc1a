//! What everything stands on: errors, time, files and locks, text on its way out. Nothing here knows what gt is for.

pub mod failure;
pub mod files;
pub mod fill;
pub mod folders;
pub mod follow;
pub mod grammar;
pub mod hash;
pub mod limits;
pub mod nearest;
pub mod promised;
pub mod proof;
pub mod quote;
pub mod reads;
#[cfg(test)]
pub(crate) mod recorder;
pub mod repo_url;
pub mod terminal;
pub mod time;
