//! Agents on other machines (`remote.md`): which one, and what is run there.

pub mod arrived;
pub mod choose;
pub mod going;
pub mod home;
pub mod known;
pub mod leave;
pub mod letter;
pub mod line;
pub mod over_there;
pub mod pushed;
pub mod session;
pub mod tunnel;
pub mod waiting;
