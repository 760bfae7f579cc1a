//! One test program for everything that runs the real `gt`: one link instead of twenty.

mod aftermath;
mod agents;
mod bd;
mod beads;
mod common;
mod config;
mod demo;
mod docs;
mod doctor;
mod done;
mod flow;
mod full_disk;
mod install;
mod land;
mod mail;
mod man;
mod merge;
mod migrate;
mod outside;
mod patrol;
mod refinery;
mod rig;
mod sessions;
mod sling;
mod status;
mod tmux;
