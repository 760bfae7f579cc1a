//! The settings file through which an agent's own hooks reach gt (`hooks` of the runtime): it asks for its work when a
//! conversation begins, and says whether it works or waits for a person.

use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};

use crate::programs::git::Git;
use crate::town::within::Within;
use crate::work::polecat::bringing;

/// The settings file of Claude Code that belongs to one person's checkout and to no repository.
const CLAUDE_SETTINGS: &str = ".claude/settings.local.json";

/// The settings file of that kind: its path in the agent's folder, and its text.
pub fn file(kind: Option<&str>) -> Option<(&'static str, String)> {
    (kind == Some("claude")).then(|| (CLAUDE_SETTINGS, format!("{:#}", claude_settings())))
}

/// Writes the settings file into an agent's folder, unless there is one: a project's, or a person's own. Gives the
/// line that keeps it out of git, once it is written.
///
/// # Errors
/// When the file cannot be written, or a link leads out of the folder on the way there.
pub fn write(kind: Option<&str>, dir: &Path) -> Result<Option<String>> {
    let file = dir.join(CLAUDE_SETTINGS);
    if kind != Some("claude") || file.symlink_metadata().is_ok() {
        return Ok(None);
    }
    let written = Within::new(dir)?
        .write(Path::new(CLAUDE_SETTINGS), format!("{:#}\n", claude_settings()).as_bytes())?;
    Ok(Some(bringing::line(&written)))
}

/// The same for a folder that is a whole clone, or none: git does not see the file there either.
///
/// # Errors
/// As [`write`].
pub fn write_untracked(kind: Option<&str>, dir: &Path) -> Result<()> {
    match write(kind, dir)? {
        Some(line) if dir.join(".git").exists() => Git::at(dir).exclude(&[line]),
        _ => Ok(()),
    }
}

/// Whether `name` in an agent's folder is the settings file as gt wrote it, or the folder of that file alone.
pub fn is_own(dir: &Path, name: &str) -> bool {
    let path = Path::new(name.trim_end_matches('/'));
    let file = Path::new(CLAUDE_SETTINGS);
    let alone = || {
        let names = crate::base::files::names_in(&dir.join(path)).unwrap_or_default();
        file.parent() == Some(path) && names.iter().map(Path::new).eq(file.file_name().map(Path::new))
    };
    let as_written = || {
        std::fs::read_to_string(dir.join(file)).is_ok_and(|text| text == format!("{:#}\n", claude_settings()))
    };
    (path == file || alone()) && as_written()
}

/// What Claude Code runs when: at the beginning of a conversation and after its text was cut down, the agent is told
/// its work; and gt is told the agent's state.
fn claude_settings() -> Value {
    let run = |command: &str| json!([{ "hooks": [{ "type": "command", "command": command }] }]);
    let working = run("gt session-state working");
    let waiting = run("gt session-state waiting");
    json!({ "hooks": {
        "SessionStart": run("gt prime"),
        "UserPromptSubmit": working,
        "PostToolUse": working,
        "Notification": waiting,
        "Stop": waiting,
    } })
}
