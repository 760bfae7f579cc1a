//! What a person sees and what --json gives, from the same values.
pub mod bd;
