//! One test program for everything that runs the real `gt`: one link instead of twenty.

mod beads;
mod bd;
mod common;
mod config;
mod docs;
mod install;
mod man;
mod sessions;
mod status;
mod tmux;
