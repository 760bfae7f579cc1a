//! What tmux shows of a role: its preset's windows, filled in for one agent (`presets.md`, `[[polecat.windows]]`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::base::terminal;
use crate::config::schema::{self, AGENT};
use crate::config::template;
use crate::mux::{Runs, WantedPane, Window};
use crate::work::agent::{Agent, fill, value};

/// The windows of an agent's session; none when the preset says nothing of them, which is one with the agent. An
/// agent that its preset's windows do not show has the first window to itself, named after it; the runtime `none` has
/// windows alone.
///
/// # Errors
/// An unknown `{{name}}`.
pub fn of(agent: &Agent<'_>) -> Result<Vec<Window>> {
    let asked = &agent.role.settings.windows;
    let shown = asked.iter().any(schema::WindowSettings::has_agent);
    let runs = !agent.role.runtime.command.is_empty();
    let own = (!shown && runs && !asked.is_empty()).then(|| Window {
        name: agent.address.name().into(),
        panes: vec![WantedPane { runs: Runs::Agent, ..WantedPane::default() }],
        ..Window::default()
    });
    own.map(Ok).into_iter().chain(asked.iter().map(|asked| window(agent, asked))).collect()
}

fn window(agent: &Agent<'_>, asked: &schema::WindowSettings) -> Result<Window> {
    let cwd = folder(agent, agent.cwd, asked.start_directory.as_deref())?;
    let env = environment(agent, &asked.env)?;
    let only = [schema::PaneSettings { command: AGENT.into(), ..schema::PaneSettings::default() }];
    let panes = if asked.panes.is_empty() { &only } else { asked.panes.as_slice() };
    let panes = panes.iter().map(|asked| pane(agent, asked, &cwd, &env));
    Ok(Window {
        // A title may have anything in it; a name is one line.
        name: terminal::one_line(&fill(agent, &asked.name)?),
        layout: asked.layout.clone(),
        focus: asked.focus,
        panes: panes.collect::<Result<_>>()?,
    })
}

fn pane(
    agent: &Agent<'_>,
    asked: &schema::PaneSettings,
    cwd: &Path,
    below: &BTreeMap<String, String>,
) -> Result<WantedPane> {
    let own = folder(agent, cwd, asked.start_directory.as_deref())?;
    let mut env = below.clone();
    env.extend(environment(agent, &asked.env)?);
    Ok(WantedPane {
        runs: match asked.command.trim() {
            "" => Runs::Person,
            AGENT => Runs::Agent,
            _ => Runs::Shell(template::fill_command(&asked.command, &|name| value(agent, name))?),
        },
        focus: asked.focus,
        size: asked.size.clone(),
        cwd: (own != agent.cwd).then_some(own),
        env: env.into_iter().collect(),
    })
}

/// A folder as a template; a relative one is inside the one around it.
fn folder(agent: &Agent<'_>, around: &Path, asked: Option<&str>) -> Result<PathBuf> {
    match asked {
        Some(asked) if !asked.is_empty() => Ok(around.join(fill(agent, asked)?)),
        _ => Ok(around.to_path_buf()),
    }
}

fn environment(agent: &Agent<'_>, asked: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>> {
    asked.iter().map(|(key, value)| Ok((key.clone(), fill(agent, value)?))).collect()
}
