//! Whether the programs gt needs are there and new enough.

use anyhow::Result;

use super::tmux::{self, Tmux};
use crate::base::failure::Failure;
use crate::base::limits::MOMENT;
use crate::programs::process::Process;

/// The oldest git that gt works with (`town.md`).
const GIT: (u32, u32) = (2, 25);
/// The oldest tmux that gt starts sessions in.
const TMUX: (u32, u32) = (3, 2);

/// Refuses a git that is missing or too old. One process.
///
/// # Errors
/// As said, with what to do.
pub fn need_git() -> Result<()> {
    let output = Process::new("git").arg("--version").timeout(MOMENT).run().map_err(|_| {
        Failure::new("git is not installed or not on PATH")
            .hint("install git 2.25 or later, then check with: git --version")
    })?;
    let said = output.text();
    match parse_git(&said) {
        Some(found) => too_old(found).map_or(Ok(()), |failure| Err(failure.into())),
        None => crate::fail!("cannot tell the version of git from '{said}'"; "check with: git --version"),
    }
}

/// For a git that has failed at something: whether that is because it is too old. One process.
pub fn git_too_old() -> Option<Failure> {
    let output = Process::new("git").arg("--version").timeout(MOMENT).run().ok()?;
    too_old(parse_git(&output.text())?)
}

fn too_old((major, minor): (u32, u32)) -> Option<Failure> {
    let failure = Failure::new(format!("git {major}.{minor} is too old: gt needs 2.25 or later"))
        .hint("update git, then check with: git --version");
    ((major, minor) < GIT).then_some(failure)
}

/// Why sessions cannot run here: tmux is missing or too old. `None` when they can. One process.
pub fn why_no_tmux() -> Option<String> {
    if which::which("tmux").is_err() {
        return Some("tmux is not installed".into());
    }
    match Tmux::version() {
        Ok(said) => match tmux::parse_version(&said) {
            Some(found) if found >= TMUX => None,
            Some(_) => Some(format!("tmux {said} is too old (3.2 or later is needed)")),
            None => Some(format!("cannot tell the version of tmux from '{said}'")),
        },
        Err(error) => Some(format!("{error:#}")),
    }
}

/// `git version 2.39.5 (Apple Git-154)` as numbers.
fn parse_git(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.strip_prefix("git version ")?.split(['.', ' ']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_as_git_says_them() {
        assert_eq!(parse_git("git version 2.39.5"), Some((2, 39)));
        assert_eq!(parse_git("git version 2.24.3 (Apple Git-128)"), Some((2, 24)));
        assert_eq!(parse_git("git version 2.45.0.windows.1"), Some((2, 45)));
        assert_eq!(parse_git("hello"), None);
    }
}
