//! The `bd` program: where it is and what it can.

/// Whether a `bd` that is not gt itself is on PATH.
pub fn found() -> bool {
    false
}

/// Hands bd's words to the real bd, for the store in `dir`.
///
/// # Errors
/// When bd is not there or cannot be started.
pub fn pass_through(
    words: &[std::ffi::OsString],
    dir: &std::path::Path,
) -> anyhow::Result<crate::failure::Exit> {
    let _ = words;
    crate::fail!("{} was made by bd, which is not on PATH", dir.display(); "install bd, or export its beads where it is")
}
