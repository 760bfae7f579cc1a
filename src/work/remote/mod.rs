//! Agents on other machines (`remote.md`): which one, and what is run there.

pub mod choose;
pub mod known;
pub mod line;
pub mod home;
pub mod letter;
