//! `gt rig trust`, and what `gt rig add` asks about agent settings.

use std::path::Path;

use anyhow::Result;
use serde_json::json;

use super::{Ctx, print, print_json};
use crate::base::failure::Exit;
use crate::base::grammar::count;
use crate::base::grammar::short;
use crate::base::quote::quote;
use crate::config;
use crate::plan::trust::{is_submodule, readers};
use crate::programs::git::Git;
use crate::town::trust::{Setting, Trust};
use crate::work::agent::trust;
use crate::work::setup::rig::Added;

/// Shows the agent settings of a new rig, and asks whether they are trusted unless that was said.
///
/// # Errors
/// When the terminal cannot be read, or the answer cannot be written down.
pub(super) fn ask(ctx: &Ctx, root: &Path, added: &mut Added, said: Option<bool>) -> Result<()> {
    if added.agent_settings.is_empty() {
        return Ok(());
    }
    let name = &added.name;
    ctx.note(&format!(
        "the repository of {name} tracks agent settings; they can run commands and instruct agents:"
    ));
    added.agent_settings.iter().for_each(|setting| ctx.note(&format!("  {}", line(setting))));
    let trusted = match said {
        Some(said) => Some(said),
        None => ctx.ask("trust them?")?,
    };
    if trusted == Some(true) {
        trust::accept(root, &added.agent_settings)?;
        added.trusted = true;
        return Ok(());
    }
    added.trusted = false;
    ctx.note(&format!("not trusted: no agent that reads them starts in {name} until: gt rig trust {name}"));
    Ok(())
}

fn line(setting: &Setting) -> String {
    if is_submodule(setting) {
        return format!("{} (a submodule: what is in it is not looked into)", setting.path);
    }
    let readers = readers(setting);
    match (readers.is_empty(), &setting.by) {
        (true, _) => setting.path.clone(),
        (false, None) => format!("{} (read by {})", setting.path, readers.join(", ")),
        (false, Some(by)) => format!("{} (read by {} as {by})", setting.path, readers.join(", ")),
    }
}

/// Trusts what a rig's repository tracks, and what its crew has checked out. A dry run brings what origin has too: it shows what
/// would be trusted.
///
/// # Errors
/// When an agent asks, or git cannot read a clone.
pub(super) fn run(ctx: &Ctx, name: Option<&str>, dry: bool) -> Result<Exit> {
    let town = ctx.town()?;
    let rig = ctx.rig(&town, name)?;
    let name = &rig.name;
    let settings = ctx.settings(&town, Some(&rig))?;
    if let Err(error) = Git::at(rig.clone_dir()).fetch_branch(&config::target(&settings)) {
        ctx.note(&format!("warning: what is known of origin may be old: {error:#}"));
    }
    let (open, before) = trust::open(&rig, &settings)?;
    let all: Vec<Setting> = open.iter().flat_map(|open| open.settings.clone()).collect();
    if !dry {
        trust::accept(&rig.root, &all)?;
        trust::remember(&rig, &settings)?;
    }
    if ctx.global.json {
        let value = json!({ "rig": name, "clones": open });
        print_json(if dry { "would_trust" } else { "trusted" }, &value)?;
        return Ok(Exit::Done);
    }
    let mut text = String::new();
    for open in &open {
        let clone = quote(&open.clone.to_string_lossy());
        let short = short(&open.commit);
        text.push_str(&format!(
            "in {clone} at {short}; look at one with: git -C {clone} show {short}:PATH\n"
        ));
        text.extend(
            open.settings
                .iter()
                .map(|setting| format!("  {:8} {}\n", change(&before, setting), line(setting))),
        );
    }
    print(&text)?;
    match (all.len(), dry) {
        (0, _) if before.seen.settings.is_empty() => {
            ctx.note(&format!("the repository of {name} tracks no agent settings"))
        }
        (0, _) => ctx.note(&format!("{name}: all agent settings are trusted")),
        (number, true) => ctx.note(&format!("would trust {}", count(number, "agent setting"))),
        (number, false) => print(&format!("trusted {} of {name}\n", count(number, "agent setting")))?,
    }
    Ok(Exit::Done)
}

/// How a setting differs from what is trusted.
fn change(known: &Trust, setting: &Setting) -> &'static str {
    if known.trusted.contains_key(&setting.path) { "changed" } else { "new" }
}
