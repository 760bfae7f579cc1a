//! One test program for everything that runs the real `gt`: one link instead of twenty.

mod common;
mod man;
mod tmux;
