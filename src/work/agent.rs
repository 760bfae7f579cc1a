//! An agent about to run: its environment (`town.md`), its command line, its session.

pub mod event;
pub mod handoff;
pub mod hook;
pub mod hooks;
pub mod own_prompts;
pub mod prompt;
pub mod roles;
pub mod script;
pub mod start;
pub mod trust;
pub mod up;
pub mod windows;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::base::failure::Failure;
use crate::base::{terminal, time};
use crate::beads::{self, StoreKind};
use crate::config::remotes::KnownRemote;
use crate::config::schema::{SandboxSetting, WorktreeSettings};
use crate::config::{ResolvedRole, Runtime, permissions, template};
use crate::model::address::Address;
use crate::model::bead::Bead;
use crate::model::ids::{BeadId, InstanceId};
use crate::model::state::State;
use crate::mux::Marks;
use crate::plan::layout::AskedMark;
use crate::plan::may_sling::Begin;
use crate::programs::{Process, agent_lock};
use crate::town::report::AgentReport;
use crate::town::{Rig, Town, occupancy};

/// Who is to run, where and on what.
#[derive(Clone, Copy, Debug)]
pub struct Agent<'a> {
    /// The town.
    pub town: &'a Town,
    /// Its rig, for those who belong to one.
    pub rig: Option<&'a Rig>,
    /// Its address.
    pub address: &'a Address,
    /// Its role's preset and runtime.
    pub role: &'a ResolvedRole,
    /// Its session's instance id.
    pub instance: &'a InstanceId,
    /// Its bead.
    pub bead: Option<&'a Bead>,
    /// Where it works.
    pub cwd: &'a Path,
    /// The branch checked out there.
    pub branch: &'a str,
    /// The environment of the command that starts it (`Ctx::env`).
    pub env: &'a HashMap<String, String>,
    /// What it is told first; used when the runtime takes its prompt as an argument.
    pub prompt: &'a str,
    /// Its place on another machine, when it is to run there.
    pub away: Option<There<'a>>,
}

/// What its session is known by.
pub fn marks(agent: &Agent<'_>) -> Marks {
    Marks {
        town: agent.town.mark(),
        address: agent.address.to_string(),
        role: agent.role.role.to_string(),
        state: if tells(&agent.role.runtime) { State::Starting } else { State::Working }.as_str().into(),
        bead: agent.bead.map(BeadId::from).unwrap_or_default(),
        since: time::now(),
        instance: agent.instance.into(),
        preset: agent.role.presets.join(","),
        hash: AskedMark::of(agent.role, agent.cwd).to_string(),
    }
}

/// Whether anything will tell what an agent does.
fn tells(runtime: &Runtime) -> bool {
    runtime.has_hooks() || runtime.ready.is_some()
}

/// The program and its words: the runtime's command, what its permissions add, `{{name}}` filled in.
///
/// # Errors
/// As [`spec`].
pub fn command_line(agent: &Agent<'_>) -> Result<Vec<String>> {
    let runtime = &agent.role.runtime;
    if runtime.command.is_empty() {
        let hint = format!(
            "choose a runtime, {}; without an agent give it windows: [[{}.windows]]",
            crate::config::RUNTIME,
            agent.role.role
        );
        return Err(Failure::new(format!("the runtime {} has no command", agent.role.agent))
            .hint(hint)
            .into());
    }
    let resume: &[String] = if conversation(agent).is_some() { &runtime.resume } else { &[] };
    let words = runtime.command.iter().chain(&runtime.hooks).chain(agent.role.level_words()).chain(resume);
    words.map(|word| fill(agent, word)).collect()
}

/// Fills the `{{name}}`s of one word. Values stay data: a word is one argument, whatever is in it.
///
/// # Errors
/// An unknown name.
pub fn fill(agent: &Agent<'_>, word: &str) -> Result<String> {
    template::fill(word, &|name| value(agent, name))
}

/// What one `{{name}}` stands for.
///
/// # Errors
/// An unknown name.
pub(super) fn value(agent: &Agent<'_>, name: &str) -> Result<String> {
    Ok(match name {
        "town" => agent.town.mark(),
        "rig" => agent.rig.map(|rig| rig.name.clone()).unwrap_or_default(),
        "agent" => agent.address.name().into(),
        "role" => agent.role.role.to_string(),
        "bead" => agent.bead.map(|bead| bead.id.clone()).unwrap_or_default(),
        "title" => agent.bead.map(|bead| terminal::one_line(&bead.title)).unwrap_or_default(),
        "branch" => agent.branch.into(),
        "worktree" => agent.cwd.to_string_lossy().into_owned(),
        // A JSON text is a TOML text.
        "clone_quoted" => serde_json::Value::from(clone(agent).to_string_lossy()).to_string(),
        "address" => agent.address.to_string(),
        "allowed" => permissions::filled(agent.role.runtime.allowed.as_ref(), &agent.role.allowed),
        "session_id" => agent.instance.into(),
        "conversation" => conversation(agent).unwrap_or_default(),
        // Over there it is wherever PATH has it.
        "gt" if agent.away.is_some() => "gt".into(),
        "gt" => own_path()?,
        _ => crate::fail!(
            "unknown name {{{{{name}}}}} in what the {} runs with {}", agent.role.role, agent.role.agent;
            "names are {}", template::NAMES.join(", ")
        ),
    })
}

/// The clone that its folder is a worktree of; the folder itself where it is none.
fn clone(agent: &Agent<'_>) -> PathBuf {
    match (agent.address, agent.rig) {
        (Address::Polecat(..), Some(rig)) if agent.role.settings.sandbox == SandboxSetting::Worktree => {
            rig.clone_dir()
        }
        _ => agent.cwd.to_path_buf(),
    }
}

/// The conversation that its program goes on with, here.
fn conversation(agent: &Agent<'_>) -> Option<String> {
    let lock = occupancy::lock_of(agent.town, agent.address);
    AgentReport::resumable(&lock, &agent.role.agent)
        .filter(|_| agent.away.is_none() && !agent.role.runtime.resume.is_empty())
}

/// What a session takes over from the command that starts it: where programs and configuration are.
fn passed_on(env: &HashMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    let wanted = |key: &str| {
        ["PATH", "HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"].contains(&key) || key.starts_with("GASTOWN_")
    };
    let mut passed: Vec<(&str, &str)> = env
        .iter()
        .filter(|(key, _)| wanted(key))
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    passed.sort_unstable();
    passed.into_iter()
}

/// Has the end of a polecat looked after by a program that outlives this session: the same that the session's own hook
/// runs. It stops the session once its work is safe.
///
/// # Errors
/// When it cannot be started.
pub fn end_later(town: &Town, address: &Address, instance: &InstanceId) -> Result<()> {
    let process = Process::new(own_path()?)
        .arg("-C")
        .arg(&town.root)
        .args(["session-ended", &address.to_string(), instance])
        .cwd(&town.root);
    agent_lock::without(process).start_detached()
}

/// Where this program is.
pub fn own_path() -> Result<String> {
    let path =
        std::env::current_exe().map_err(|error| Failure::new(format!("cannot tell where gt is: {error}")))?;
    Ok(path.to_string_lossy().into_owned())
}

/// The environment of an agent (`town.md`): what it takes over, who it is, then what its preset adds.
///
/// # Errors
/// When the kind of the store cannot be told.
pub fn environment(agent: &Agent<'_>, session: &str) -> Result<Vec<(String, String)>> {
    let address = agent.address.to_string();
    let beads_dir = agent.rig.map_or_else(|| agent.town.beads_dir(), Rig::beads_dir);
    let mut env: Vec<(String, String)> = Vec::new();
    let mut set = |key: &str, value: String| env.push((key.into(), value));
    // The tmux server may have been started long ago from elsewhere: what configures gt and finds programs comes
    // from whoever starts the session.
    for (key, value) in passed_on(agent.env) {
        let embedded =
            key == "PATH" && beads_dir.exists() && beads::kind_of(&beads_dir)? == StoreKind::Embedded;
        let value =
            if embedded { format!("{}:{value}", agent.town.bin_dir().display()) } else { value.into() };
        set(key, value);
    }
    set("GT_TOWN_ROOT", agent.town.mark());
    set("GT_ROLE", agent.role.role.to_string());
    if let Some(rig) = agent.rig {
        set("GT_RIG", rig.name.clone());
    }
    set("GT_AGENT", agent.address.name().into());
    set("GT_RUNTIME", agent.role.agent.clone());
    set("GT_ADDRESS", address.clone());
    set("GT_SESSION", session.into());
    set("GT_INSTANCE", agent.instance.into());
    set("GT_WORKTREE", agent.cwd.to_string_lossy().into_owned());
    if !agent.branch.is_empty() {
        set("GT_BRANCH", agent.branch.into());
    }
    if let Some(bead) = agent.bead {
        set("GT_BEAD", bead.id.clone());
        set("GT_BEAD_TITLE", terminal::one_line(&bead.title));
    }
    set("BD_ACTOR", address.clone());
    set("BEADS_ACTOR", address.clone());
    set("BEADS_DIR", beads_dir.to_string_lossy().into_owned());
    // bd's daemon does not know which branch a worktree has checked out (source document 002).
    set("BEADS_NO_DAEMON", "1".into());
    set("BEADS_MAIL_DELEGATE", "gt mail".into());
    set("GIT_AUTHOR_NAME", address.clone());
    set("GIT_COMMITTER_NAME", address);
    // git takes this where it is told no `user.email`, on a new machine say, and could not commit otherwise.
    set(
        "EMAIL",
        agent.env.get("EMAIL").filter(|own| !own.is_empty()).map_or("gastown@localhost", |own| own).into(),
    );
    // git must not find a repository above the agent's own: the town may be one.
    let ceiling = agent.cwd.parent().unwrap_or(agent.cwd);
    set("GIT_CEILING_DIRECTORIES", ceiling.to_string_lossy().into_owned());
    for (key, value) in &agent.role.settings.env {
        env.retain(|(own, _)| own != key);
        env.push((key.clone(), fill(agent, value)?));
    }
    Ok(env)
}

/// An agent's place on another machine, beyond what [`Agent`] says.
#[derive(Clone, Copy, Debug)]
pub struct There<'a> {
    /// Which machine.
    pub remote: &'a KnownRemote,
    /// How its work begins.
    pub begin: Begin,
    /// The commit of an earlier attempt that its work begins with; empty when there is none.
    pub kept: &'a str,
    /// The branch that work lands on.
    pub target: &'a str,
    /// How a worktree is prepared.
    pub rules: &'a WorktreeSettings,
    /// What it is told first when there is no gt over there.
    pub prompt: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::model::address::Role;
    use crate::work::fixture::Fixture;

    /// The words of a built-in runtime's polecat, and the environment of its session.
    fn started(agent: &str) -> (String, HashMap<String, String>) {
        let fixture = Fixture::new();
        let mut sources = fixture.sources();
        sources.flags.push(("polecat.agent".into(), agent.into()));
        let role = config::role(&sources, Role::Polecat, &[], None).unwrap();
        let agent = Agent {
            town: &fixture.town,
            rig: Some(&fixture.rig),
            address: &Address::Polecat("wyvern".into(), "Nux".into()),
            role: &role,
            instance: &"0123456789abcdef".into(),
            bead: None,
            cwd: &fixture.rig.polecat_dir("Nux"),
            branch: "",
            env: &HashMap::new(),
            prompt: "go",
            away: None,
        };
        let words = command_line(&agent).unwrap().join(" ");
        (words.replace(&fixture.town.mark(), "TOWN"), environment(&agent, "s").unwrap().into_iter().collect())
    }

    #[test]
    fn codex_trusts_the_main_clone_and_gemini_its_worktree() {
        let (words, _) = started("codex");
        let trusts = r#"-c projects={ "TOWN/wyvern/mayor/rig"={trust_level="trusted"} }"#;
        let begins =
            format!("codex --no-daemon -c allow_login_shell=false {trusts} --dangerously-bypass-hook-trust");
        assert!(words.starts_with(&begins), "{words}");
        assert_eq!(started("gemini").1["GEMINI_CLI_TRUST_WORKSPACE"], "true");
    }

    #[test]
    fn what_is_allowed_reaches_each_program_in_its_form() {
        for (agent, wanted) in [
            ("claude", "--allowedTools=Bash(gt prime:*),"),
            ("gemini", "--policy=TOWN/wyvern/polecats/Nux/.gemini/gt.toml"),
            ("codex", "sandbox_mode=\"workspace-write\""),
        ] {
            let (words, _) = started(agent);
            assert!(words.contains(wanted) && !words.contains("{{"), "{words}");
        }
        let opencode = &started("opencode").1["OPENCODE_CONFIG_CONTENT"];
        let config: serde_json::Value = serde_json::from_str(opencode).unwrap();
        let bash = &config["permission"]["bash"];
        assert_eq!(
            (&bash["*"], &bash["git add *"], &bash["git push *"]),
            (&"ask".into(), &"allow".into(), &().into())
        );
    }
}
