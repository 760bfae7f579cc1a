//! What a person sees and what `--json` gives, from the same values.

pub mod adopt;
pub mod agent;
pub mod away;
pub mod bd;
pub mod config;
pub mod demo;
pub mod diff;
pub mod doctor;
pub mod events;
pub mod home;
pub mod hook;
pub mod live;
pub mod mail;
pub mod needs;
pub mod plan;
pub mod preset;
pub mod queue;
pub mod remote;
pub mod rig;
pub mod sessions;
pub mod text;
pub mod town;
pub mod tunnel;

pub use text::Screen;
