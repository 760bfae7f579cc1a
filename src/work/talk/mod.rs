//! What is said, and by whom it counts.

pub mod adopt;
pub mod answer;
pub mod mail;
