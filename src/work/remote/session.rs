//! The session of an agent on another machine: the same agent, its paths as they are over there, nothing of this machine.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::line::{self, PlaceKind, RemotePlace, RemoteStart};
use crate::base::failure::Failure;
use crate::config::remotes::KnownRemote;
use crate::config::schema::SandboxSetting;
use crate::model::address::Address;
use crate::mux::{RemoteTarget, Spec};
use crate::town::{self, Rig, Town};
use crate::work::agent::{self, Agent, There, script};

/// What an agent is told that takes its prompt by paste: which of the two it is is known only over there.
pub const PASTED: &str = "Run `cat \"$GT_PROMPT_FILE\"` and do what it says.";

/// What counts only when gt and the town are over there.
const WITH_GT: [&str; 3] = ["BEADS_DIR", "BEADS_NO_DAEMON", "BEADS_MAIL_DELEGATE"];

/// The session that runs an agent over there. Touches nothing.
///
/// # Errors
/// As [`crate::work::agent::start::spec`] and [`line::start`]; also a town whose path is not absolute.
pub fn spec(agent: &Agent<'_>, there: &There<'_>) -> Result<Spec> {
    let far = Far::of(agent.town, agent.rig, agent.address, there.remote)?;
    let own = own_variables(agent.env);
    let over_there = Agent {
        town: &far.town,
        rig: far.rig.as_ref(),
        cwd: &far.home,
        env: &own,
        away: Some(*there),
        ..*agent
    };
    let settings = &agent.role.settings;
    let polecat = matches!(agent.address, Address::Polecat(..));
    let directory = match polecat || settings.start_directory.is_empty() {
        true => far.home.clone(),
        false => far.town.root.join(agent::fill(&over_there, &settings.start_directory)?),
    };
    let name = agent.address.session_name();
    let env = environment(&over_there, &name, there.remote)?;
    let argv = match runs_script(agent) {
        true => Vec::new(),
        false => agent::command_line(&over_there)?,
    };
    let beads_dir = far.rig.as_ref().map_or_else(|| far.town.beads_dir(), |rig| rig.root.join(".beads"));
    let address = agent.address.to_string();
    let line = line::start(&RemoteStart {
        place: far.place(agent, &address, there.target),
        kind: match agent.address {
            Address::Polecat(..) if settings.sandbox == SandboxSetting::Clone => PlaceKind::Clone,
            Address::Polecat(..) => PlaceKind::Worktree,
            Address::Crew(..) => PlaceKind::Crew,
            _ => PlaceKind::Folder,
        },
        begin: there.begin,
        kept: there.kept,
        git_url: agent.rig.map_or("", |rig| &rig.config.git_url),
        rules: there.rules,
        files: &agent.role.runtime.files,
        directory: &directory,
        env: &env,
        beads_dir: &beads_dir,
        bead: agent.bead,
        prompt: agent.prompt,
        prompt_without_gt: there.prompt,
        argv: &argv,
        takes: agent.role.runtime.prompt,
    })?;
    Ok(Spec {
        window: agent.address.name().into(),
        cwd: directory,
        env,
        argv,
        marks: agent::marks(agent),
        away: Some(RemoteTarget {
            remote: there.remote.name.clone(),
            fugue_addr: there.remote.fugue_addr.clone(),
            town: far.town.mark(),
            branch: agent.branch.into(),
            tags: settings.tags.clone(),
            line,
        }),
        name,
        ..Spec::default()
    })
}

/// The town, the rig and the agent's place as they are over there.
struct Far {
    town: Town,
    rig: Option<Rig>,
    home: PathBuf,
}

impl Far {
    fn of(town: &Town, rig: Option<&Rig>, address: &Address, remote: &KnownRemote) -> Result<Far> {
        let root = remote.town_or(&town.root);
        if !root.is_absolute() {
            return Err(Failure::new(format!(
                "{}: its town '{}' is no absolute path",
                remote.name,
                root.display()
            ))
            .hint(format!(
                "write where the town is over there, as in [remotes.{}] town = \"/home/user/gt\"",
                remote.name
            ))
            .into());
        }
        let town = Town { root: root.to_path_buf(), ..town.clone() };
        let rig = rig.map(|rig| Rig { root: town.root.join(&rig.name), ..rig.clone() });
        let home = town::home(&town, rig.as_ref(), address);
        Ok(Far { town, rig, home })
    }

    fn place<'a>(&'a self, agent: &'a Agent<'_>, address: &'a str, target: &'a str) -> RemotePlace<'a> {
        RemotePlace {
            town: Path::new(&self.town.root),
            id: &self.town.id,
            rig: self.rig.as_ref().map_or("", |rig| &rig.name),
            name: agent.address.name(),
            address,
            instance: agent.instance,
            home: &self.home,
            branch: agent.branch,
            target,
        }
    }
}

/// Of the environment here only who commits: everything else says where things are on this machine.
fn own_variables(env: &HashMap<String, String>) -> HashMap<String, String> {
    env.iter().filter(|(key, _)| *key == "EMAIL").map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn environment(agent: &Agent<'_>, session: &str, remote: &KnownRemote) -> Result<Vec<(String, String)>> {
    let own = &agent.role.settings.env;
    let mut env = agent::environment(agent, session)?;
    env.retain(|(key, _)| !WITH_GT.contains(&key.as_str()) || own.contains_key(key));
    env.push(("GT_REMOTE".into(), remote.name.clone()));
    Ok(env)
}

/// Whether the runtime runs the bead's own script, which needs no gt over there.
fn runs_script(agent: &Agent<'_>) -> bool {
    agent.role.runtime.command == script::PROGRAM
}
