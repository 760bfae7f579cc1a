//! Sessions that live with fugue daemons.

mod baseline;
mod commands;
mod contract;
mod programs;
mod sessions;
