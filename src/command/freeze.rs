//! `gt freeze`: what runs, as a preset.

use anyhow::Result;
use toml::{Table, Value};

use super::plan::PlanView;
use super::{Ctx, print, print_json};
use crate::base::failure::{Exit, Failure};
use crate::cli::roles::Freeze;
use crate::config;
use crate::model::address::Address;
use crate::mux::Session;
use crate::plan::freeze::{self, Frozen, Now};
use crate::work::agent::roles::{self, Prepared};

/// Runs it.
///
/// # Errors
/// When nothing of that name runs, or it cannot be known what does.
pub fn run(ctx: &Ctx, args: &Freeze) -> Result<Exit> {
    let town = ctx.town()?;
    let view = PlanView::look(ctx, town)?;
    let mut preset = PresetDraft::default();
    match &args.what {
        None => every(ctx, &view, &mut preset)?,
        Some(what) => one(ctx, &view, what, &mut preset)?,
    }
    if ctx.global.json {
        print_json("preset", &preset.table())?;
        return Ok(Exit::Done);
    }
    print(&preset.text())?;
    Ok(Exit::Done)
}

/// A preset in the making.
#[derive(Default)]
struct PresetDraft {
    roles: Table,
    agents: Table,
    /// Lines of comment on top.
    said: Vec<String>,
}

impl PresetDraft {
    fn add(&mut self, role: &str, frozen: Frozen, whose: &str) {
        self.roles.insert(role.into(), Value::Table(frozen.role));
        self.agents.extend(frozen.runtime.map(|(name, runtime)| (name, Value::Table(runtime))));
        self.said.extend(frozen.unseen.iter().map(|what| format!("{whose}: not seen: {what}")));
    }

    fn table(&self) -> Table {
        let mut table = self.roles.clone();
        if !self.agents.is_empty() {
            table.insert("agents".into(), Value::Table(self.agents.clone()));
        }
        table
    }

    fn text(&self) -> String {
        let said: String = self.said.iter().map(|line| format!("# {line}\n")).collect();
        said + &crate::report::preset::text(&self.table())
    }
}

/// Every role that runs, once each: agents of one role share a preset.
fn every(ctx: &Ctx, view: &PlanView, preset: &mut PresetDraft) -> Result<()> {
    let mark = view.town.mark();
    let mut ours: Vec<(Address, &Session)> = view
        .snapshot
        .ours(&mark)
        .filter(|session| session.alive() && session.remote.is_none())
        .filter_map(|session| Some((session.marks.agent()?, session)))
        .filter(|(address, _)| roles::role_of(address).is_ok())
        .collect();
    ours.sort_by(|one, other| one.0.cmp(&other.0));
    if ours.is_empty() {
        return Err(Failure::new("no role of this town runs, so there is nothing to freeze")
            .hint("start what should run with: gt apply")
            .into());
    }
    preset
        .said
        .push("What runs in this town, as a preset. In config/presets/NAME.toml it is used by:".into());
    preset.said.push("gt apply --preset NAME".into());
    for (address, session) in ours {
        let role = roles::role_of(&address)?.to_string();
        let frozen = frozen(ctx, view, &address, session)?;
        match preset.roles.get(&role) {
            None => preset.add(&role, frozen, &address.to_string()),
            Some(Value::Table(own)) if *own == frozen.role => {}
            Some(_) => preset.said.push(format!("{address} runs something else: gt freeze {address}")),
        }
    }
    Ok(())
}

/// One session: an agent's, by its address, or any of this server's by its name.
fn one(ctx: &Ctx, view: &PlanView, what: &str, preset: &mut PresetDraft) -> Result<()> {
    let mark = view.town.mark();
    let named =
        view.snapshot.sessions.iter().find(|session| session.name == what && session.remote.is_none());
    let session = match named {
        Some(session) => session,
        None => {
            let address = ctx.agent(&view.town, what).map_err(|_| nothing(what))?;
            let own = view.snapshot.of(&mark, &address.to_string());
            own.filter(|session| session.remote.is_none()).ok_or_else(|| nothing(what))?
        }
    };
    let address = session.marks.agent().filter(|_| session.marks.town == mark);
    match address {
        Some(address) => {
            let role = roles::role_of(&address)?.to_string();
            preset.said.push(format!(
                "What {address} runs, as a preset. In config/presets/NAME.toml it is used by:"
            ));
            preset.said.push(format!("gt apply --preset NAME {address}"));
            preset.add(&role, frozen(ctx, view, &address, session)?, &address.to_string());
        }
        None => {
            preset.said.push(format!(
                "The session {what}, as windows of crew. In config/presets/NAME.toml they are used by:"
            ));
            preset.said.push("gt apply --preset NAME RIG/crew/NAME".into());
            preset.add("crew", freeze::theirs(session), what);
        }
    }
    Ok(())
}

fn frozen(ctx: &Ctx, view: &PlanView, address: &Address, session: &Session) -> Result<Frozen> {
    let rig = address.rig().map(|name| view.town.rig(name)).transpose()?;
    let sources = ctx.sources(&view.town, rig.as_ref());
    let runtimes = config::settings(&sources)?.agents;
    let how = roles::StartOptions::default();
    let Prepared { spec, role, .. } =
        roles::prepare(&ctx.env, &ctx.sources(&view.town, None), &view.town, address, how)?;
    let spec = crate::work::agent::up::filled_then(&spec, &session.marks.instance).unwrap_or(spec);
    Ok(freeze::ours(Now { role: &role, spec: &spec, runtimes: &runtimes, prompt: roles::PROMPT }, session))
}

fn nothing(what: &str) -> Failure {
    Failure::new(format!("no session is named {what}, and no agent with that address runs"))
        .hint("see what runs with: gt session list; and with: tmux list-sessions")
}
