//! Decisions: no file, clock, environment or process in here.

pub mod agent_limit;
pub mod choose;
pub mod diff;
pub mod doctor;
pub mod first_start;
pub mod freeze;
pub mod homecoming;
pub mod layout;
pub mod live;
pub mod may_sling;
pub mod merge_message;
pub mod pace;
pub mod patrol;
pub mod person_file;
pub mod place;
pub mod proposal;
pub mod queue;
pub mod restore;
pub mod supervise;
pub mod sync;
pub mod trust;
pub mod tunnel;
