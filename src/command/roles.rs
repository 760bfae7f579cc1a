//! What the commands of the roles share: start, stop, attach, status.

use anyhow::Result;
use serde_json::json;

use super::Ctx;
use crate::base::failure::{Exit, Failure, Failures};
use crate::base::quote::quote;
use crate::cli::elsewhere::{Elsewhere, FallbackArg};
use crate::cli::roles::{RigSession, StartHow};
use crate::config;
use crate::config::schema::Multiplexer;
use crate::model::address::Address;
use crate::mux::deliver::Delivery;
use crate::mux::{self, Depth, Marks, Mux, Session, Snapshot, Started};
use crate::town::Town;
use crate::town::wish::{self, DownList};
use crate::work::agent::handoff;
use crate::work::agent::roles::{self, Begun, Prepared, StartOptions};
use crate::work::observe::view::RoleStatus;
use crate::work::observe::{states, who};
use crate::work::polecat::survivors;
use crate::work::remote::{choose, tunnel};

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
    /// Looks at what every command needs.
    ///
    /// # Errors
    /// As [`Sight::look`].
    pub fn take(ctx: &Ctx) -> Result<Sight> {
        Sight::look(ctx, Depth::Marks)
    }

    /// Looks.
    ///
    /// # Errors
    /// Outside a town, or when tmux cannot be started.
    pub fn look(ctx: &Ctx, depth: Depth) -> Result<Sight> {
        let town = ctx.town()?;
        let mux = ctx.mux(&town)?;
        let snapshot = mux.begin_look(depth)?.wait()?;
        Ok(Sight { town, mux, snapshot })
    }

    /// Adds what each agent does.
    ///
    /// # Errors
    /// As [`states::tell`]; broken configuration.
    pub fn tell(&mut self, ctx: &Ctx) -> Result<()> {
        let agents = || Ok(ctx.settings(&self.town, None)?.agents);
        states::tell(&self.town, self.mux.as_ref(), agents, &mut self.snapshot)
    }

    /// The look, when it could be taken: what changes something needs to know what runs (law 3).
    ///
    /// # Errors
    /// When tmux could not be asked.
    pub fn known(&self) -> Result<&Snapshot> {
        known(&self.snapshot).map(|()| &self.snapshot)
    }

    /// All sessions of one agent, running or ended.
    pub fn of(&self, address: &Address) -> Vec<&Session> {
        let address = address.to_string();
        let town = self.town.mark();
        self.snapshot.ours(&town).filter(|session| session.marks.address == address).collect()
    }
}

/// Refuses a look that could not be taken.
///
/// # Errors
/// When tmux could not be asked.
pub fn known(snapshot: &Snapshot) -> Result<()> {
    let Some(why) = &snapshot.unknown else { return Ok(()) };
    Err(Failure::new(format!("cannot tell what runs: {why}")).hint("look with: tmux list-sessions").into())
}

/// Starts agents; one that runs is left as it is.
///
/// # Errors
/// What keeps one of them from being started.
pub fn start(ctx: &Ctx, addresses: &[Address], how: &StartHow) -> Result<Exit> {
    let town = ctx.town()?;
    let sources = ctx.sources(&town, None);
    let wish = super::elsewhere::wish(&how.elsewhere, Some(FallbackArg::Fail), how.dry.dry_run)?;
    let prepare = |look: Option<&Snapshot>| -> (Vec<Prepared>, Failures) {
        let asked =
            StartOptions { agent: how.agent.as_deref(), presets: &how.preset, wish: Some(&wish), look };
        let mut failures = Failures::default();
        let one = |address: &Address| roles::prepare(&ctx.env, &sources, &town, address, asked);
        (addresses.iter().filter_map(|address| failures.keep(one(address))).collect(), failures)
    };
    // One that cannot be started keeps no other from it.
    let (mut prepared, mut failures) = prepare(None);
    let ended = |failures: Failures| {
        failures.end(|count| format!("{count} things failed at the start")).map(|()| Exit::Done)
    };
    if prepared.is_empty() && !failures.is_empty() {
        return ended(failures);
    }
    let away = prepared.iter().any(|own| own.spec.away.is_some());
    if away && !how.dry.dry_run {
        open_tunnels(ctx, &sources, &prepared)?;
    }
    // Of two commands that start the same agent at once, the second finds it running.
    let lock = if how.dry.dry_run { None } else { Some(town.lock()?) };
    let sight = Sight::take(ctx)?;
    if away {
        // Among several remotes it counts which ones answer.
        (prepared, failures) = prepare(Some(&sight.snapshot));
    }
    if how.dry.dry_run {
        let (refused, prepared): (Vec<Prepared>, Vec<Prepared>) =
            prepared.into_iter().partition(|own| own.refused.is_some());
        would_start(ctx, &sight, &prepared)?;
        for own in refused.into_iter().filter_map(|own| own.refused) {
            failures.keep::<()>(Err(own.into()));
        }
        return ended(failures);
    }
    // Whoever starts an agent by hand does not want it down any more.
    let lift = |down: &mut DownList| addresses.iter().for_each(|address| down.one_up(&address.to_string()));
    failures.keep(wish::update(&town, lift));
    let start = |prepared: Prepared| {
        let begun = roles::start(&town, sight.mux.as_ref(), &sight.snapshot, &prepared);
        Some((prepared, failures.keep(begun)?))
    };
    let (prepared, begun): (Vec<Prepared>, Vec<Begun>) = prepared.into_iter().filter_map(start).unzip();
    drop(lock);
    if ctx.global.json {
        let record =
            |(prepared, begun): (&Prepared, &Begun)| json!({ "address": prepared.address, "result": begun });
        let records: Vec<_> = prepared.iter().zip(&begun).map(record).collect();
        super::print_json("sessions", &records)?;
    }
    if let Some(why) = begun.iter().find_map(Begun::minimal) {
        ctx.note(&format!("minimal mode: {why}; run by hand:"));
    }
    for (prepared, begun) in prepared.iter().zip(&begun) {
        if !ctx.global.json {
            super::print(&said(prepared, begun))?;
        }
        if matches!(begun, Begun::Started(Started { under_way: true, .. })) {
            let address = &prepared.address;
            ctx.note(&format!(
                "{address}: its place over there is still being made; see how it goes: gt attach {address}"
            ));
        }
        if let Begun::Started(started) = begun {
            started.notes.iter().for_each(|note| ctx.note(note));
        }
        if let Begun::Started(started) = begun
            && failures.keep(roles::prompt(sight.mux.as_ref(), started, prepared))
                != Some(Delivery::Delivered)
        {
            ctx.note(&format!("{} was not told to begin; tell it: run `gt prime`", prepared.address));
        }
    }
    ended(failures)
}

/// Opens the tunnels that gt keeps to where these go: a daemon behind one that is not open would be silent.
fn open_tunnels(ctx: &Ctx, sources: &config::Sources, prepared: &[Prepared]) -> Result<()> {
    let there = |name: &String| {
        prepared.iter().any(|own| own.spec.away.as_ref().is_some_and(|away| away.remote == *name))
    };
    let remotes = config::settings(sources)?.remotes;
    let mut failed = tunnel::open_for(&ctx.env, remotes.iter().filter(|(name, _)| there(name)))?;
    failed.pop_first().map_or(Ok(()), |(_, error)| Err(error))
}

/// Whether an agent without work could be started: its settings, folder and program are there.
///
/// # Errors
/// What the start would fail with.
pub fn check_start(
    ctx: &Ctx,
    sight: &Sight,
    address: &Address,
    elsewhere: &Elsewhere,
    trial: bool,
) -> Result<()> {
    let wish = super::elsewhere::wish(elsewhere, Some(FallbackArg::Fail), trial)?;
    let how = StartOptions { wish: Some(&wish), ..StartOptions::default() };
    let prepared = roles::prepare(&ctx.env, &ctx.sources(&sight.town, None), &sight.town, address, how)?;
    match prepared.refused {
        Some(refused) => Err(refused.into()),
        None => check_spec(sight, &prepared),
    }
}

/// A program of this machine is there, and another machine answers.
fn check_spec(sight: &Sight, prepared: &Prepared) -> Result<()> {
    choose::check(sight.mux.as_ref(), &prepared.place, &sight.snapshot)?;
    let here = sight.mux.kind() == "tmux" && sight.snapshot.minimal.is_none();
    let runs =
        here && prepared.spec.away.is_none() && prepared.role.settings.multiplexer != Multiplexer::None;
    if runs { mux::tmux::check(&prepared.spec) } else { Ok(()) }
}

fn would_start(ctx: &Ctx, sight: &Sight, prepared: &[Prepared]) -> Result<Exit> {
    let running = |prepared: &Prepared| {
        sight
            .of(&prepared.address)
            .into_iter()
            .find(|session| session.alive())
            .map(|found| found.name.clone())
    };
    if ctx.global.json {
        let record = |prepared: &Prepared| json!({ "address": prepared.address, "runs": running(prepared), "spec": prepared.spec });
        let records: Vec<_> = prepared.iter().map(record).collect();
        super::print_json("plan", &records)?;
        return Ok(Exit::Done);
    }
    for prepared in prepared {
        let address = &prepared.address;
        if running(prepared).is_none() {
            check_spec(sight, prepared)?;
        }
        super::print(&match running(prepared) {
            Some(name) => format!("{address} runs already in session {name}\n"),
            None => {
                let spec = &prepared.spec;
                let cwd = spec.cwd.display();
                // The environment is in the JSON.
                let words: Vec<String> = spec.argv.iter().map(|word| quote(word)).collect();
                match &spec.away {
                    Some(away) => format!("would start {address} on {} in {cwd}\n", away.remote),
                    None => format!("would start {address} in {cwd}: {}\n", words.join(" ")),
                }
            }
        })?;
    }
    Ok(Exit::Done)
}

/// What a start is to be told as; in minimal mode the command to run.
fn said(prepared: &Prepared, begun: &Begun) -> String {
    let address = &prepared.address;
    let there = prepared.spec.away.as_ref().map(|away| format!(" on {}", away.remote)).unwrap_or_default();
    match begun {
        Begun::Ran(name) => format!("{address} runs already in session {name}\n"),
        Begun::Started(Started { by_hand: Some(by_hand), .. }) => {
            format!("{}\n", by_hand.command)
        }
        Begun::Started(started) => format!("started {address}{there} in session {}\n", started.name),
    }
}

/// Stops sessions of this town that match, running or ended.
///
/// # Errors
/// When it cannot be known what runs; or when a machine does not answer that holds such a session, after those that
/// could be stopped are.
pub fn stop(ctx: &Ctx, sight: &Sight, dry_run: bool, wanted: impl Fn(&Session) -> bool) -> Result<Exit> {
    let mark = sight.town.mark();
    let found: Vec<&Session> = sight.known()?.ours(&mark).filter(|session| wanted(session)).collect();
    if !dry_run {
        // First: what a kill leaves running is stopped by hand again, what it leaves stopped stays so.
        for address in found.iter().filter_map(|session| session.marks.agent()) {
            handoff::note_stopped(&sight.town, &address)?;
        }
        let notes = survivors::stop(&sight.town, sight.mux.as_ref(), &found)?;
        notes.iter().for_each(|note| ctx.note(note));
    }
    if ctx.global.json {
        all_answered(sight, wanted)?;
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
    all_answered(sight, wanted)?;
    if found.is_empty() {
        ctx.note("nothing to stop: no such session runs");
    }
    Ok(Exit::Done)
}

/// Whether every machine answered that holds a session that matches.
fn all_answered(sight: &Sight, wanted: impl Fn(&Session) -> bool) -> Result<(), Failure> {
    let of = |address: &String| Session {
        marks: Marks { town: sight.town.mark(), address: address.clone(), ..Marks::default() },
        ..Session::default()
    };
    match sight.snapshot.away.unreachable.iter().find(|(address, _)| wanted(&of(address))) {
        Some((address, remote)) => Err(unreachable(&sight.snapshot, address, remote)),
        None => Ok(()),
    }
}

/// Stops sessions, and says only what they left running.
///
/// # Errors
/// As [`stop`].
pub fn stop_quietly(ctx: &Ctx, sight: &Sight, wanted: impl Fn(&Session) -> bool) -> Result<()> {
    all_answered(sight, &wanted)?;
    let mark = sight.town.mark();
    let found: Vec<&Session> = sight.known()?.ours(&mark).filter(|session| wanted(session)).collect();
    let notes = survivors::stop(&sight.town, sight.mux.as_ref(), &found)?;
    notes.iter().for_each(|note| ctx.note(note));
    Ok(())
}

/// Says what keeps a list of sessions from being the whole truth. Exit 1 when nothing could be seen.
///
/// # Errors
/// When tmux could not be asked.
pub fn say_unseen(ctx: &Ctx, snapshot: &Snapshot, empty: bool) -> Result<Exit> {
    for line in snapshot.away.silent() {
        ctx.note(&line);
    }
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

/// Runs what the session of a rig's own role is told.
///
/// # Errors
/// As [`start`], [`attach`] and [`stop`].
pub fn of_rig(ctx: &Ctx, command: RigSession, role: fn(String) -> Address) -> Result<Exit> {
    let address = |rig: Option<String>| anyhow::Ok(role(ctx.rig(&ctx.town()?, rig.as_deref())?.name));
    match command {
        RigSession::Start { rig, how } => start(ctx, &[address(rig)?], &how),
        RigSession::Attach { rig } => {
            let address = address(rig)?;
            attach(ctx, &Sight::take(ctx)?, &address)
        }
        RigSession::Stop { rig, dry } => stop_one(ctx, &address(rig)?, dry.dry_run),
    }
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
    let session = session_of(sight, address)?;
    if !session.alive() {
        ctx.note(&format!("{address} has {}: this is its last screen", session.words()));
    }
    sight.mux.attach(&session.id)?;
    Ok(Exit::Done)
}

/// An agent's session, running or ended.
///
/// # Errors
/// When it has none, or that cannot be known: its machine does not answer, tmux could not be asked, minimal mode.
pub fn session_of<'a>(sight: &'a Sight, address: &Address) -> Result<&'a Session> {
    let (mark, text) = (sight.town.mark(), address.to_string());
    if let Some(session) = sight.snapshot.of(&mark, &text) {
        return Ok(session);
    }
    if let Some(remote) = sight.snapshot.away.unreachable.get(&text) {
        return Err(unreachable(&sight.snapshot, &text, remote).into());
    }
    if sight.snapshot.minimal.is_some() {
        sight.mux.attach("")?;
    }
    sight.known()?;
    Err(Failure::new(format!("{address} has no session")).hint(start_hint(&sight.town, address)).into())
}

/// Why nothing can be done about an agent whose machine does not answer.
fn unreachable(snapshot: &Snapshot, address: &str, remote: &str) -> Failure {
    let daemon = snapshot.away.daemons.iter().find(|daemon| daemon.remote == *remote);
    let why = daemon.and_then(|daemon| daemon.silent.as_deref()).unwrap_or("it was not asked");
    let hint = daemon.and_then(|daemon| daemon.hint.clone());
    Failure::new(format!("{address} is on {remote}, which does not answer: {why}"))
        .hint(hint.unwrap_or_else(|| format!("see what helps with: gt remote status {remote}")))
}

fn start_hint(town: &Town, address: &Address) -> String {
    match address {
        Address::Overseer => "the overseer is you".into(),
        Address::Mayor => "start it with: gt mayor start".into(),
        Address::Witness(rig) => format!("start it with: gt witness start {rig}"),
        Address::Refinery(rig) => format!("start it with: gt refinery start {rig}"),
        Address::Polecat(rig, _) => who::about_polecat(town, rig, address),
        _ => format!("start it with: gt session restart {address}"),
    }
}

/// How a role's session is.
pub fn status(sight: &Sight, address: &Address) -> RoleStatus {
    RoleStatus::of(&sight.town.mark(), &sight.snapshot, address)
}

/// Prints how a role is.
///
/// # Errors
/// When standard output cannot take it.
pub fn show(ctx: &Ctx, name: &str, status: &RoleStatus) -> Result<Exit> {
    match ctx.global.json {
        true => super::print_json(name, status)?,
        false => super::print(&status.line())?,
    }
    Ok(Exit::Done)
}
