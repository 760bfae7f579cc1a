//! Sessions that live with fugue daemons.

mod contract;
mod programs;
mod sessions;
