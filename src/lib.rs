//! gt runs many AI coding agents side by side in tmux, as one town.
//!
//! ```text
//! argv + env + TOML ──config──► Preset ──layout──► Layout ─┐
//! tmux list-panes ──────────────► Snapshot ────────────────┴─diff──► Plan ──mux──► report
//! beads + git + Snapshot ──plan──► Decision ──work──► steps, each recorded ──► report
//! ```
//!
//! The rooms:
//! - [`cli`]: argument types; [`command`]: one file per verb; [`report`]: what a person sees, and `--json`;
//!   [`terminal`]: the two exits
//! - [`config`]: layers, presets; [`town`]: folders and files; [`address`]: who is meant; [`refs`]: names at origin
//! - [`plan`]: decisions, pure; [`work`]: workflows, step by step
//! - [`beads`]: the store of work; [`mux`]: where sessions live; [`programs`]: the only room that starts processes

#![warn(missing_docs)]

pub mod address;
pub mod beads;
#[allow(missing_docs)] // the doc comments of arguments are help texts; clap asks for those it needs
pub mod cli;
pub mod command;
pub mod config;
pub mod environment;
pub mod failure;
pub mod grammar;
pub mod limits;
pub mod model;
pub mod mux;
pub mod plan;
pub mod programs;
pub mod proof;
#[cfg(test)]
mod recorder;
pub mod refs;
pub mod repo_url;
pub mod report;
pub mod terminal;
pub mod time;
pub mod town;
pub mod work;
