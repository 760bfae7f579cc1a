//! gt runs many AI coding agents side by side in tmux, as one town.
//!
//! ```text
//! argv + env + TOML ──config──► Preset ──layout──► Layout ─┐
//! tmux list-panes ──────────────► Snapshot ────────────────┴─diff──► Plan ──mux──► report
//! beads + git + Snapshot ──plan──► Decision ──work──► steps, each recorded ──► report
//! ```
//!
//! The rooms, ground floor first; each imports only from those before it:
//! - [`base`]: errors, time, files, text on its way out; [`model`]: values that many rooms share
//! - [`cli`]: argument types; [`programs`]: the only room that starts processes
//! - [`config`]: layers, presets; [`town`]: folders and files
//! - [`beads`]: the store of work; [`mux`]: where sessions live
//! - [`plan`]: decisions, pure; [`work`]: workflows, step by step
//! - [`report`]: what a person sees, and `--json`; [`daemon`]: what keeps a town going by itself; [`command`]: one file per verb

#![warn(missing_docs)]

pub mod base;
pub mod beads;
#[allow(missing_docs)] // the doc comments of arguments are help texts; clap asks for those it needs
pub mod cli;
pub mod command;
pub mod config;
pub mod daemon;
pub mod model;
pub mod mux;
pub mod plan;
pub mod programs;
pub mod report;
pub mod town;
pub mod work;
