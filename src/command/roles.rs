//! What the commands of the roles share: start, stop, attach, status.

use anyhow::Result;
use serde_json::json;

use super::Ctx;
use crate::address::Address;
use crate::cli::roles::StartHow;
use crate::config::{self, schema::Multiplexer};
use crate::failure::{Exit, Failure};
use crate::mux::deliver::Delivery;
use crate::mux::none::by_hand;
use crate::mux::{self, Mux, Session, Snapshot, Started};
use crate::report::agent::Status;
use crate::report::sessions::state;
use crate::town::Town;
use crate::work::roles::{self, Begun, How};

/// The town and one look at its sessions.
pub struct Sight {
    /// The town.
    pub town: Town,
    /// What keeps its sessions.
    pub mux: Box<dyn Mux>,
    /// What was seen.
    pub snapshot: Snapshot,
}

impl Sight {
    /// Looks.
    ///
    /// # Errors
    /// Outside a town, or when tmux cannot be started.
    pub fn take(ctx: &Ctx) -> Result<Sight> {
        let town = ctx.town()?;
        let socket = config::tmux_socket(&ctx.sources(&town, None))?;
        let mux = mux::open(Multiplexer::Auto, socket.as_deref())?;
        let snapshot = mux.look()?;
        Ok(Sight { town, mux, snapshot })
    }

    /// The look, when it could be taken: what changes something needs to know what runs (law 3).
    ///
    /// # Errors
    /// When tmux could not be asked.
    pub fn known(&self) -> Result<&Snapshot> {
        match &self.snapshot.unknown {
            Some(why) => Err(Failure::new(format!("cannot tell what runs: {why}"))
                .hint("look with: tmux list-sessions")
                .into()),
            None => Ok(&self.snapshot),
        }
    }

    /// All sessions of one agent, running or ended.
    pub fn of(&self, address: &Address) -> Vec<&Session> {
        let address = address.to_string();
        let town = self.town.mark();
        self.snapshot.ours(&town).filter(|session| session.marks.address == address).collect()
    }
}

/// Starts agents; one that runs is left as it is.
///
/// # Errors
/// What keeps one of them from being started.
pub fn start(ctx: &Ctx, addresses: &[Address], how: &StartHow) -> Result<Exit> {
    let mut sight = Sight::take(ctx)?;
    let mut begun = Vec::new();
    for address in addresses {
        let (result, text) = start_one(ctx, &sight, address, how)?;
        if let Some(session) = result.1 {
            sight.snapshot.sessions.push(session);
        }
        if !ctx.global.json {
            super::print(&text)?;
        }
        begun.push(json!({ "address": address, "result": result.0 }));
    }
    if ctx.global.json {
        super::print_json("sessions", &begun)?;
    }
    Ok(Exit::Done)
}

type Begin = (serde_json::Value, Option<Session>);

fn start_one(ctx: &Ctx, sight: &Sight, address: &Address, how: &StartHow) -> Result<(Begin, String)> {
    let wish = How { agent: how.agent.as_deref(), presets: &how.preset };
    let sources = ctx.sources(&sight.town, None);
    let prepared = roles::prepare(&ctx.env, &sources, &sight.town, address, wish)?;
    if how.dry.dry_run {
        let text = match sight.of(address).into_iter().find(|session| session.alive()) {
            Some(session) => format!("{address} runs already in session {}\n", session.name),
            None => format!("would start {address}: {}\n", by_hand(&prepared.spec)),
        };
        return Ok(((json!({ "would": prepared.spec }), None), text));
    }
    let begun = roles::start(sight.mux.as_ref(), &sight.snapshot, &prepared)?;
    if let Begun::Started(started) = &begun
        && roles::prompt(sight.mux.as_ref(), started, &prepared)? != Delivery::Delivered
    {
        ctx.note(&format!("{address} was not told to begin; tell it: run `gt prime`"));
    }
    let text = match &begun {
        Begun::Ran(name) => format!("{address} runs already in session {name}\n"),
        Begun::Started(started) => said(ctx, address, started),
    };
    let session = match &begun {
        Begun::Started(started) if started.by_hand.is_none() => Some(Session {
            id: started.session.clone(),
            name: started.name.clone(),
            marks: prepared.spec.marks.clone(),
            ..Session::default()
        }),
        _ => None,
    };
    Ok(((serde_json::to_value(&begun)?, session), text))
}

/// What a start is to be told as; in minimal mode the command to run, and beside it why.
pub fn said(ctx: &Ctx, address: &Address, started: &Started) -> String {
    match &started.by_hand {
        Some(by_hand) => {
            ctx.note(&format!("no session for {address}: {}; run this by hand:", by_hand.why));
            format!("{}\n", by_hand.command)
        }
        None => format!("started {address} in session {}\n", started.name),
    }
}

/// Stops sessions of this town that match, running or ended.
///
/// # Errors
/// When it cannot be known what runs.
pub fn stop(ctx: &Ctx, sight: &Sight, dry_run: bool, wanted: impl Fn(&Session) -> bool) -> Result<Exit> {
    let mark = sight.town.mark();
    let found: Vec<&Session> = sight.known()?.ours(&mark).filter(|session| wanted(session)).collect();
    if !dry_run {
        let ids: Vec<&str> = found.iter().map(|session| session.id.as_str()).collect();
        sight.mux.stop(&ids)?;
    }
    if ctx.global.json {
        let names: Vec<_> = found
            .iter()
            .map(|session| json!({ "address": session.marks.address, "session": session.name }))
            .collect();
        super::print_json(if dry_run { "would_stop" } else { "stopped" }, &names)?;
        return Ok(Exit::Done);
    }
    let verb = if dry_run { "would stop" } else { "stopped" };
    for session in &found {
        super::print(&format!("{verb} {} (session {})\n", session.marks.address, session.name))?;
    }
    if found.is_empty() {
        ctx.note("nothing to stop: no such session runs");
    }
    Ok(Exit::Done)
}

/// Stops sessions without a word.
///
/// # Errors
/// As [`stop`].
pub fn stop_quietly(sight: &Sight, wanted: impl Fn(&Session) -> bool) -> Result<()> {
    let mark = sight.town.mark();
    let ids: Vec<&str> = sight
        .known()?
        .ours(&mark)
        .filter(|session| wanted(session))
        .map(|session| session.id.as_str())
        .collect();
    sight.mux.stop(&ids)
}

/// Says what keeps a list of sessions from being the whole truth. Exit 1 when nothing could be seen.
///
/// # Errors
/// When tmux could not be asked.
pub fn say_unseen(ctx: &Ctx, snapshot: &Snapshot, empty: bool) -> Result<Exit> {
    if let Some(why) = &snapshot.unknown {
        return Err(Failure::new(format!("cannot tell what runs: {why}"))
            .hint("look with: tmux list-sessions")
            .into());
    }
    if let Some(why) = &snapshot.minimal {
        ctx.note(&format!("minimal mode: {why}"));
    } else if empty {
        ctx.note("no sessions run; start the Mayor with: gt start");
    }
    Ok(Exit::Done)
}

/// Stops one agent's session.
///
/// # Errors
/// As [`stop`].
pub fn stop_one(ctx: &Ctx, address: &Address, dry_run: bool) -> Result<Exit> {
    let sight = Sight::take(ctx)?;
    let address = address.to_string();
    stop(ctx, &sight, dry_run, |session| session.marks.address == address)
}

/// Goes to an agent's session. One whose agent has ended is shown all the same, and that is said.
///
/// # Errors
/// When it has none, or there is no terminal.
pub fn attach(ctx: &Ctx, sight: &Sight, address: &Address) -> Result<Exit> {
    let mark = sight.town.mark();
    if sight.snapshot.minimal.is_some() {
        sight.mux.attach("")?;
    }
    let Some(session) = sight.known()?.of(&mark, &address.to_string()) else {
        return Err(Failure::new(format!("{address} has no session")).hint(start_hint(address)).into());
    };
    if !session.alive() {
        ctx.note(&format!("{address} has {}: this is its last screen", state(session)));
    }
    sight.mux.attach(&session.id)?;
    Ok(Exit::Done)
}

fn start_hint(address: &Address) -> String {
    match address {
        Address::Overseer => "the overseer is you".into(),
        Address::Mayor => "start it with: gt mayor start".into(),
        Address::Witness(rig) => format!("start it with: gt witness start {rig}"),
        Address::Refinery(rig) => format!("start it with: gt refinery start {rig}"),
        Address::Polecat(rig, _) => {
            format!("see its work with: gt polecats {rig}; go on with it: gt sling BEAD {rig} --resume")
        }
        _ => format!("start it with: gt session restart {address}"),
    }
}

/// How a role's session is.
pub fn status(sight: &Sight, address: &Address) -> Status {
    Status::of(&sight.town.mark(), &sight.snapshot, address)
}

/// Prints how a role is.
///
/// # Errors
/// When standard output cannot take it.
pub fn show(ctx: &Ctx, name: &str, status: &Status) -> Result<Exit> {
    match ctx.global.json {
        true => super::print_json(name, status)?,
        false => super::print(&status.line())?,
    }
    Ok(Exit::Done)
}
