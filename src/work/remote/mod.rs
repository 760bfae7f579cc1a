//! Sessions on other machines (`remote.md`).

pub mod choose;
pub mod known;
