//! Sessions that live with fugue daemons.

mod baseline;
mod contract;
mod programs;
mod sessions;
