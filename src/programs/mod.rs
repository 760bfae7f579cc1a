//! The only room that starts processes: one file for each outside program, which alone knows its quirks.

pub mod agent_lock;
pub mod bd;
pub mod fugue;
pub mod git;
pub mod jobs;
pub mod lasting;
pub mod named;
pub mod pager;
pub mod process;
pub mod service;
pub mod ssh;
pub mod survivors;
pub mod tmux;
pub mod versions;

pub use process::{Output, Process};
