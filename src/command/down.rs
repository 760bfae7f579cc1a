//! `gt down`: stops what should run, and keeps it down.

use anyhow::Result;
use serde_json::json;

use super::plan::named;
use super::{Ctx, print, print_json, roles};
use crate::base::failure::{Exit, Failures};
use crate::cli::roles::DownArgs;
use crate::model::address::{Address, Role};
use crate::mux::{Depth, Session};
use crate::plan::diff::SkipReason;
use crate::plan::layout::AskedMark;
use crate::town::wish;
use crate::work::polecat::survivors;
use crate::work::step;

/// Runs it.
///
/// # Errors
/// When it cannot be known what runs, or the wish cannot be written.
pub fn run(ctx: &Ctx, args: &DownArgs) -> Result<Exit> {
    let town = ctx.town()?;
    let named = named(ctx, &town, &args.addresses)?;
    let lock = if args.dry.dry_run { None } else { Some(town.lock()?) };
    let sight = roles::Sight::look(ctx, Depth::Windows)?;
    let found = found(ctx, &sight, &named)?;
    if lock.is_some() {
        // The wish first: what a kill leaves running is stopped by the next apply. One that cannot be written down keeps
        // nothing from being stopped: no apply starts anything until that file is mended.
        let mut failures = Failures::default();
        failures.keep(wish::update(&sight.town, |down| match named.as_slice() {
            [] => down.all(),
            named => named.iter().for_each(|address| down.one(&address.to_string())),
        }));
        step("down.1");
        let stopped = failures.keep(survivors::stop(&sight.town, sight.mux.as_ref(), &found));
        let all = stopped.is_some();
        stopped.iter().flatten().for_each(|note| ctx.note(note));
        step("down.2");
        if !failures.is_empty() {
            drop(lock);
            if all {
                say(ctx, args, &found)?;
            }
            return failures.end(|count| format!("{count} things failed")).map(|()| Exit::Failed);
        }
    }
    drop(lock);
    say(ctx, args, &found)?;
    if !args.dry.dry_run && !ctx.global.json {
        around(ctx, &sight, args, &found);
    }
    Ok(Exit::Done)
}

/// The sessions that go: those of the agents that are named, else of all that `[up]` asks for or once did.
fn found<'a>(ctx: &Ctx, sight: &'a roles::Sight, named: &[Address]) -> Result<Vec<&'a Session>> {
    let asked = match named {
        [] => crate::work::agent::roles::wanted(&sight.town, &ctx.settings(&sight.town, None)?.up)?,
        named => named.to_vec(),
    };
    let asked: Vec<String> = asked.iter().map(Address::to_string).collect();
    let once = |session: &Session| {
        named.is_empty() && AskedMark::parse(&session.marks.hash).is_some_and(|asked| asked.up)
    };
    let town = sight.town.mark();
    let ours = sight.known()?.ours(&town);
    Ok(ours.filter(|session| asked.contains(&session.marks.address) || once(session)).collect())
}

fn say(ctx: &Ctx, args: &DownArgs, found: &[&Session]) -> Result<()> {
    let held = |session: &Session| session.alive().then(|| SkipReason::of(session));
    if ctx.global.json {
        let record = |session: &&Session| json!({ "address": session.marks.address, "session": session.name, "was": held(session) });
        let records: Vec<_> = found.iter().map(record).collect();
        return print_json(if args.dry.dry_run { "would_stop" } else { "stopped" }, &records);
    }
    let verb = if args.dry.dry_run { "would stop" } else { "stopped" };
    for session in found {
        let was = held(session).map(|held| format!(": {}", was(held, args.dry.dry_run)));
        let was = was.unwrap_or_default();
        print(&format!("{verb} {} (session {}){was}\n", session.marks.address, session.name))?;
    }
    if args.dry.dry_run {
        let who = if args.addresses.is_empty() { "the town".into() } else { args.addresses.join(", ") };
        print(&format!("would keep {who} down\n"))?;
    }
    Ok(())
}

fn was(held: SkipReason, is: bool) -> &'static str {
    match (held, is) {
        (_, true) => held.as_str(),
        (SkipReason::Works, _) => "it was working",
        (SkipReason::Waits, _) => "it was waiting",
        (SkipReason::Attached, _) => "somebody was attached",
        (SkipReason::Panes, _) => "panes of a person's were in its session",
    }
}

/// Says what stays down, and what goes on.
fn around(ctx: &Ctx, sight: &roles::Sight, args: &DownArgs, found: &[&Session]) {
    let up = ["gt up".to_string()].into_iter().chain(args.addresses.iter().cloned());
    ctx.note(&format!("stays down until: {}", up.collect::<Vec<_>>().join(" ")));
    let town = sight.town.mark();
    let stopped = |session: &&Session| found.iter().any(|own| own.id == session.id);
    let left = sight.snapshot.ours(&town).filter(|session| session.alive() && !stopped(session));
    let (polecats, others): (Vec<&Session>, Vec<&Session>) =
        left.partition(|session| session.marks.is_of(Role::Polecat));
    if !args.addresses.is_empty() {
        return;
    }
    if !polecats.is_empty() {
        let s = if polecats.len() == 1 { " goes" } else { "s go" };
        ctx.note(&format!("{} polecat{s} on; gt stop --all ends every session of the town", polecats.len()));
    }
    for session in others {
        let address = &session.marks.address;
        ctx.note(&format!(
            "{address} was started by hand and goes on; stop it with: gt session stop {address}"
        ));
    }
}
