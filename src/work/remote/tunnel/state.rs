//! Where it is written down how a tunnel stands.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::base::failure::Failure;
use crate::base::folders::Folder;
use crate::base::quote::quote;
use crate::base::{files, time};
use crate::model::tunnel::Tunnel;
use crate::programs::process::stamp::Stamp;

/// `$XDG_STATE_HOME/gastown/tunnels`
#[derive(Clone, Debug)]
pub struct TunnelsDir(PathBuf);

/// How a tunnel stands: `tunnel.json` in its folder. The keeper alone writes it while it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TunnelState {
    /// 1
    pub version: u32,
    /// Which.
    pub tunnel: Tunnel,
    /// Whether it works.
    pub phase: Phase,
    /// Since when: RFC 3339, UTC.
    pub since: String,
    /// Why it does not, or did not before it came back.
    pub error: Option<String>,
    /// What helps.
    pub hint: Option<String>,
    /// Why nobody takes what arrives at its far end.
    pub nobody: Option<String>,
    /// It stood at least once: a socket where it begins is gt's own.
    pub stood: bool,
    /// How often ssh was started.
    pub attempt: u64,
    /// The process that keeps it.
    pub keeper: Option<Stamp>,
    /// The ssh of now.
    pub ssh: Option<Stamp>,
}

/// Whether a tunnel works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The first connection is being made.
    #[default]
    Opening,
    /// It works.
    Up,
    /// It worked, and is being brought back.
    Failing,
    /// Nobody keeps it.
    Ended,
}

impl Phase {
    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Opening => "opening",
            Phase::Up => "up",
            Phase::Failing => "failing",
            Phase::Ended => "down",
        }
    }
}

/// The folder of one tunnel: `tunnel.json`, ssh's control socket, the keeper's lock.
#[derive(Clone, Debug)]
pub(super) struct TunnelDir {
    /// Where.
    pub dir: PathBuf,
}

const STATE: &str = "tunnel.json";
/// Held by the keeper for as long as it runs.
const LOCK: &str = "lock";

impl TunnelsDir {
    /// The person's state folder; `var` reads the environment.
    ///
    /// # Errors
    /// When the environment names no home.
    pub fn of<'a>(var: impl Fn(&str) -> Option<&'a str>) -> Result<TunnelsDir> {
        match Folder::State.find(var) {
            Some(base) => Ok(TunnelsDir(base.join("gastown/tunnels"))),
            None => Err(Failure::new("neither XDG_STATE_HOME nor HOME is set: nowhere to keep tunnels")
                .hint("set one, like: export HOME=/home/you")
                .into()),
        }
    }

    /// The folder of a tunnel, which may not be there yet.
    pub(super) fn place(&self, tunnel: &Tunnel) -> Result<TunnelDir> {
        Ok(TunnelDir { dir: self.0.join(tunnel.key()) })
    }

    /// The tunnels that are written down, whoever asked for them.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn all(&self) -> Result<Vec<TunnelState>> {
        let places = files::names_in(&self.0)?.into_iter().map(|name| TunnelDir { dir: self.0.join(name) });
        places.filter(|place| place.dir.is_dir()).filter_map(|place| place.read().transpose()).collect()
    }
}

impl TunnelDir {
    /// The folder of a keeper.
    pub fn at(dir: &Path) -> TunnelDir {
        TunnelDir { dir: dir.to_path_buf() }
    }

    /// Held by who opens or closes it. The file is beside the folder, and stays.
    pub fn lock(&self) -> Result<files::Lock> {
        let parent = self.dir.parent().unwrap_or(&self.dir);
        make_private(parent)?;
        files::lock(&self.dir.with_extension("lock"))
    }

    /// The keeper's own lock; nothing when there is another keeper.
    pub fn keep(&self) -> Result<Option<files::Lock>> {
        files::try_lock(&self.dir.join(LOCK))
    }

    /// Whether a keeper runs.
    pub fn is_kept(&self) -> bool {
        files::is_locked(&self.dir.join(LOCK))
    }

    /// What is written down.
    pub fn read(&self) -> Result<Option<TunnelState>> {
        let path = self.dir.join(STATE);
        match files::text(&path)? {
            Some(text) => match serde_json::from_str(&text) {
                Ok(kept) => Ok(Some(kept)),
                Err(error) => crate::fail!(
                    "{} is broken: {error}", path.display();
                    "take it away, and whatever keeps the tunnel ends: rm -r {}", quote(&self.dir.to_string_lossy())
                ),
            },
            None => Ok(None),
        }
    }

    /// Writes it down.
    pub fn write(&self, kept: &TunnelState) -> Result<()> {
        files::write_json(&self.dir.join(STATE), kept)
    }

    /// Makes the folder, with the wish for a tunnel in it; `failing` is how it stood, when it is to be kept whatever comes of
    /// the first attempt.
    pub fn begin(&self, tunnel: &Tunnel, failing: Option<TunnelState>) -> Result<()> {
        make_private(&self.dir)?;
        let begun = || TunnelState {
            version: 1,
            tunnel: tunnel.clone(),
            phase: Phase::Opening,
            since: time::now(),
            error: None,
            hint: None,
            nobody: None,
            stood: false,
            attempt: 0,
            keeper: None,
            ssh: None,
        };
        let kept = failing.map_or_else(begun, |kept| TunnelState { keeper: None, ssh: None, ..kept });
        self.write(&kept)
    }

    /// Takes the folder away.
    pub fn clear(&self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// A folder for this person alone: who can reach a control socket can use the connection.
fn make_private(dir: &Path) -> Result<()> {
    files::make_dir(dir)?;
    files::make_private(dir)
}
