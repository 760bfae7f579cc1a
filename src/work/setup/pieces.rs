//! What a town and a rig consist of, as data: installing makes the pieces, doctor looks for them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::json;

use crate::base::files;
use crate::base::fill;
use crate::town::{TownFile, secret};

/// One thing on disk, at a path inside the town or rig.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A folder.
    Folder(&'static str),
    /// A file with this text.
    File(&'static str, String),
    /// A link to that.
    Link(&'static str, PathBuf),
    /// The town's secret.
    Secret,
}

/// The Mayor's role prompt.
const CLAUDE: &str = include_str!("../../../templates/CLAUDE.md");
/// Settings of a town, all as comments.
const SETTINGS: &str = include_str!("../../../templates/town.toml");
/// What stands beside the refinery's clone.
const REFINERY: &str = include_str!("../../../templates/refinery-README.md");

/// Lines of a town's `.gitignore` that hold for every town.
pub const IGNORED: [&str; 16] = [
    "/bin/",
    "/.beads/",
    "/mayor/.lock",
    "/mayor/state.json",
    secret::IGNORED,
    "/mayor/proofs.json",
    "/mayor/ended",
    "/mayor/remote.json",
    "/mayor/.remote.lock",
    "/mayor/exports/",
    "/mayor/removed/*/",
    "/.gt-start/",
    "gt-agent.*",
    "*.json.lock",
    ".gt-new-*",
    ".gt-old-*",
];

/// Lines of a town's `.gitignore` for one rig: its clones and what changes while it runs.
pub fn ignored_of_rig(rig: &str) -> Vec<String> {
    [
        "mayor/",
        "refinery/rig/",
        "refinery/state.json*",
        "refinery/bench*",
        "witness/",
        "crew/",
        "polecats/",
        "logs/",
        ".beads",
    ]
    .iter()
    .map(|inside| format!("/{rig}/{inside}"))
    .collect()
}

/// The pieces of a town, its identity last. `gt` is this program, for `bin/bd`; none without an embedded store.
pub fn of_town(file: &TownFile, gt: Option<&Path>) -> Result<Vec<Piece>> {
    let mut pieces = vec![
        Piece::File("CLAUDE.md", fill::known(CLAUDE, &[("town", &file.name)])),
        Piece::File(".gitignore", ignore_text("", &IGNORED.map(String::from))),
        Piece::Folder("config"),
        Piece::Folder("config/presets"),
        Piece::File("config/town.toml", SETTINGS.into()),
    ];
    if let Some(gt) = gt {
        pieces.push(Piece::Folder("bin"));
        pieces.push(Piece::Link("bin/bd", gt.to_path_buf()));
    }
    pieces.push(Piece::Folder("mayor"));
    pieces.push(Piece::File("mayor/.lock", String::new()));
    pieces.push(Piece::File("mayor/rigs.json", pretty(&json!({ "version": 1, "rigs": {} }))?));
    pieces.push(Piece::Secret);
    pieces.push(Piece::File("mayor/state.json", state()?));
    pieces.push(Piece::File("mayor/town.json", pretty(file)?));
    Ok(pieces)
}

/// The pieces of a rig beside its clones, its store and its `config.json`.
pub fn of_rig(rig: &str, now: &str) -> Result<Vec<Piece>> {
    Ok(vec![
        Piece::Folder("mayor"),
        Piece::File("mayor/state.json", state()?),
        Piece::Folder("refinery"),
        Piece::File("refinery/README.md", fill::known(REFINERY, &[("rig", rig)])),
        Piece::File("refinery/state.json", refinery_state(now)?),
        Piece::File("refinery/state.json.lock", String::new()),
        Piece::Folder("witness"),
        Piece::File("witness/state.json", state()?),
        Piece::Folder("crew"),
        Piece::Folder("polecats"),
        Piece::Folder("plugins"),
    ])
}

/// An agent's `state.json` before anything happened.
fn state() -> Result<String> {
    pretty(&json!({ "version": 1 }))
}

/// A refinery's `state.json` (source document 004).
fn refinery_state(now: &str) -> Result<String> {
    pretty(&json!({
        "version": 1,
        "state": "stopped",
        "awake": false,
        "created_at": now,
        "last_started": null,
        "last_stopped": null,
        "last_wake": null,
        "last_sleep": null,
    }))
}

fn pretty(value: &impl serde::Serialize) -> Result<String> {
    Ok(serde_json::to_string_pretty(value).context("cannot write JSON")? + "\n")
}

/// A `.gitignore` with these lines in it, each once; what stood there stays as it is.
pub fn ignore_text(text: &str, lines: &[String]) -> String {
    let missing = missing_lines(text, lines);
    if missing.is_empty() {
        return text.into();
    }
    let mut out = String::from(text);
    if !out.is_empty() && !out.ends_with('\n') {
        out.push('\n');
    }
    for line in missing {
        out.push_str(line);
        out.push('\n');
    }
    out
}

/// Those of the lines that a text does not have.
pub fn missing_lines<'a>(text: &str, lines: &'a [String]) -> Vec<&'a String> {
    lines.iter().filter(|line| !text.lines().any(|own| own.trim_end() == line.as_str())).collect()
}

impl Piece {
    /// Its path inside the town or rig.
    pub fn path(&self) -> &'static str {
        match self {
            Piece::Folder(path) | Piece::File(path, _) | Piece::Link(path, _) => path,
            Piece::Secret => secret::FILE,
        }
    }

    /// How `--dry-run` shows it.
    pub fn shown(&self) -> String {
        match self {
            Piece::Folder(path) => format!("{path}/"),
            Piece::File(..) | Piece::Secret => self.path().to_string(),
            Piece::Link(path, target) => format!("{path} -> {}", target.display()),
        }
    }

    /// Whether it stands under `root`; a link that leads nowhere does not.
    pub fn stands(&self, root: &Path) -> bool {
        let path = root.join(self.path());
        match self {
            Piece::Folder(_) => path.is_dir(),
            Piece::File(..) | Piece::Secret => path.is_file(),
            Piece::Link(..) => path.exists(),
        }
    }

    /// Makes it under `root`. A file that is there is replaced; a link that leads nowhere as well; a secret never.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn make(&self, root: &Path) -> Result<()> {
        let path = root.join(self.path());
        let failed = || format!("cannot make {}", path.display());
        match self {
            Piece::Secret => secret::of(root).map(drop),
            Piece::Folder(_) => files::make_dir(&path),
            Piece::File(_, text) => {
                if let Some(dir) = path.parent() {
                    files::make_dir(dir)?;
                }
                files::write(&path, text)
            }
            Piece::Link(_, target) => {
                if path.is_symlink() {
                    std::fs::remove_file(&path).map_err(|error| files::error_of(error, failed()))?;
                }
                std::os::unix::fs::symlink(target, &path).map_err(|error| files::error_of(error, failed()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_added_once_and_a_persons_own_stay() {
        let lines: Vec<String> = ["/bin/", "*.lock"].map(Into::into).to_vec();
        let text = ignore_text("target\n*.lock", &lines);
        assert_eq!(text, "target\n*.lock\n/bin/\n");
        assert_eq!(ignore_text(&text, &lines), text);
    }
}
