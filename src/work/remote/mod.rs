//! Sessions on other machines (`remote.md`).

pub mod choose;
