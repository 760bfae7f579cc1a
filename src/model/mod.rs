//! Values that many rooms share: what they are, how they are read and printed. Nothing here acts.

pub mod commit;
pub mod tunnel;
