//! What an agent's own hooks said of it last: a file beside its lock. The mark `@gt_state` of its session has the word of it.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::base::files;
use crate::model::ids::InstanceId;
use crate::model::state::State;

/// The file, in the folder of the agent's lock.
const FILE: &str = "gt-agent.json";

/// What is known of an agent that runs, or ran last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentReport {
    /// The instance of its session.
    pub instance: InstanceId,
    /// Its runtime's name.
    pub agent: String,
    /// Its program's id of the conversation; empty as long as it is not known.
    pub conversation: String,
    /// What it does.
    pub state: State,
    /// What it asks, or what keeps it; one line.
    pub why: String,
    /// The command that it asks for, when it does.
    pub command: String,
    /// Who says so: the event of a hook.
    pub source: String,
    /// Since when: RFC 3339, UTC.
    pub since: String,
}

impl AgentReport {
    /// What stands beside a lock; nothing where no agent was started, or what stands there cannot be read.
    pub fn read(lock: &Path) -> Option<AgentReport> {
        files::read_json(&path(lock)).ok()
    }

    /// Writes it down beside a lock.
    ///
    /// # Errors
    /// What the file system says.
    pub fn write(&self, lock: &Path) -> Result<()> {
        files::write_json(&path(lock), self)
    }

    /// Begins the report of a new instance. What is known of the conversation stays, for as long as the runtime does.
    ///
    /// # Errors
    /// As [`AgentReport::write`].
    pub fn begin(lock: &Path, instance: &InstanceId, agent: &str) -> Result<()> {
        let conversation = AgentReport::resumable(lock, agent).unwrap_or_default();
        AgentReport {
            instance: instance.clone(),
            agent: agent.into(),
            conversation,
            since: crate::base::time::now(),
            ..AgentReport::default()
        }
        .write(lock)
    }

    /// The conversation that a runtime can go on with. One of an agent that ended before it said anything is none: its program
    /// may not know it.
    pub fn resumable(lock: &Path, agent: &str) -> Option<String> {
        let report =
            AgentReport::read(lock).filter(|own| own.agent == agent && own.state != State::Starting)?;
        Some(report.conversation).filter(|id| !id.is_empty())
    }
}

fn path(lock: &Path) -> PathBuf {
    lock.with_file_name(FILE)
}
