//! Paths of `worktree.copy` and `worktree.link`: plain ones, and patterns.

use std::path::{Component, Path, PathBuf};

use glob::Pattern;

/// What may stand for several paths: `*`, `?` and `[…]` in one component, `**` for any number of folders.
const SIGNS: [char; 3] = ['*', '?', '['];

/// Why a text is no path inside a clone, for a person; the path without its `.` otherwise.
///
/// # Errors
/// An empty path, one that leads out, the repository's own folder, a pattern that is none.
pub fn inside(text: &str) -> Result<PathBuf, String> {
    let path = Path::new(text);
    if !path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Err(format!("'{text}' is not a path inside the clone"));
    }
    let parts: PathBuf = path.components().filter(|part| matches!(part, Component::Normal(_))).collect();
    match parts.components().next() {
        None => return Err(format!("'{text}' names no file")),
        Some(_) if parts.ends_with("**") => return Err(format!("'{text}' ends with **: name the folder")),
        Some(first) if first.as_os_str() == ".git" => {
            return Err(format!("'{text}' is the repository itself"));
        }
        Some(_) => {}
    }
    match parts.components().find_map(|part| Pattern::new(&part.as_os_str().to_string_lossy()).err()) {
        Some(error) => Err(format!("'{text}' is no pattern: {}", error.msg)),
        None => Ok(parts),
    }
}

/// Whether a path may stand for several.
pub fn is_pattern(path: &Path) -> bool {
    path.to_string_lossy().contains(SIGNS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside_and_patterns_are_whole() {
        assert_eq!(inside("./a/b"), Ok("a/b".into()));
        assert_eq!(inside("apps/*/.env"), Ok("apps/*/.env".into()));
        for bad in ["", ".", "..", "/etc/passwd", "a/../../b", ".git/config", "a/[b", "a**", "a/**"] {
            assert!(inside(bad).is_err(), "{bad}");
        }
        assert!(is_pattern(Path::new("**/.env")) && !is_pattern(Path::new("a b/.env")));
    }
}
