//! The session that runs an agent, on this machine or another.

use anyhow::Result;

use crate::base::quote::quote;
use crate::config::schema::Prompt;
use crate::model::environment as list;
use crate::mux::{AgentLock, Spec};
use crate::programs::process::foreign_to_us;
use crate::town::occupancy;
use crate::work::agent::{Agent, command_line, environment, marks, own_path, passed_on, windows};
use crate::work::remote::session;

/// The session that runs an agent.
///
/// # Errors
/// A runtime without a command, an unknown `{{name}}`, or a store that cannot be told.
pub fn spec(agent: &Agent<'_>) -> Result<Spec> {
    if let Some(there) = &agent.away {
        return session::spec(agent, there);
    }
    let name = agent.address.session_name();
    let windows = windows::of(agent)?;
    let alone = agent.role.runtime.command.is_empty() && !windows.is_empty();
    let argv = if alone { Vec::new() } else { program(agent)? };
    let on_end = if alone { String::new() } else { on_end(agent)? };
    Ok(Spec {
        lock: Some(AgentLock { gt: own_path()?, file: occupancy::lock_of(agent.town, agent.address) }),
        window: agent.address.name().into(),
        cwd: agent.cwd.to_path_buf(),
        env: environment(agent, &name)?,
        passed: passed(agent),
        gt: own_path()?,
        argv,
        marks: marks(agent),
        on_end,
        windows,
        away: None,
        name,
    })
}

/// What the end of its session runs. Values are assigned by the shell: a command line can be read by every user.
fn on_end(agent: &Agent<'_>) -> Result<String> {
    let (gt, town, address) = (own_path()?, agent.town.mark(), agent.address.to_string());
    let words = [&gt, "run-clean", "--", &gt, "-C", &town, "session-ended", &address, agent.instance];
    let set = passed_on(agent.env).map(|(key, value)| format!("{key}={}", quote(value)));
    Ok(set.chain(words.map(quote)).collect::<Vec<_>>().join(" "))
}

/// What the agent's pane runs: its command line, and the prompt where that is a part of it.
fn program(agent: &Agent<'_>) -> Result<Vec<String>> {
    let mut argv = command_line(agent)?;
    if agent.role.runtime.prompt == Prompt::Argument && !agent.prompt.is_empty() {
        argv.push(agent.prompt.into());
    }
    if agent.role.runtime.prompt == Prompt::Stdin {
        // The words stay words: the shell only connects the two.
        let connect = r#"prompt=$1; shift; printf %s "$prompt" | "$@""#;
        argv = ["sh", "-c", connect, "sh", agent.prompt].map(Into::into).into_iter().chain(argv).collect();
    }
    Ok(argv)
}

/// What a session gets of the environment of the command that starts it, by `session.environment`.
pub fn passed(agent: &Agent<'_>) -> Vec<(String, String)> {
    let hook: Vec<&str> = foreign_to_us().collect();
    let passes = |key: &String| list::passes(&agent.role.environment, key) && !hook.contains(&key.as_str());
    let mut passed: Vec<(String, String)> = agent
        .env
        .iter()
        .filter(|(key, _)| passes(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    passed.sort_unstable();
    passed
}
