//! `gt handoff`.

use anyhow::Result;

use super::{Ctx, print, print_json};
use crate::base::failure::{Exit, Failure};
use crate::cli::work::Handoff;
use crate::model::address::Address;
use crate::town::events::TownEvent;
use crate::work::agent;
use crate::work::agent::handoff::{self, HandoffKind};
use crate::work::observe::own;
use crate::work::remote::over_there::RemotePolecat;

/// Ends this session: finished work is handed over, unfinished work goes on in a new one.
///
/// # Errors
/// Outside an agent's session, or when the note cannot be written: the session goes on then.
pub fn run(ctx: &Ctx, args: Handoff) -> Result<Exit> {
    if let Some(away) = RemotePolecat::of(|name| ctx.var(name)) {
        return elsewhere(ctx, &args, &away);
    }
    let town = ctx.town()?;
    let me = ctx.me()?;
    let of = own::who(&town, &ctx.dir, &me);
    if of == Address::Overseer {
        return Err(Failure::usage("gt handoff is for agents: you are the Overseer")
            .hint("restart a session with: gt session restart ADDR")
            .into());
    }
    let home = match &of {
        Address::Polecat(..) => Some(own::home(&town, &ctx.dir, &me)?),
        _ => None,
    };
    let mux = ctx.mux(&town)?;
    let kind = handoff::kind(&town, &of)?;
    let note = match kind {
        HandoffKind::Shutdown => None,
        HandoffKind::Cycle => Some(handoff::note(
            args.message.as_deref(),
            args.subject.as_deref(),
            home.as_ref().map(|home| home.dir.as_path()),
        )?),
    };
    if ctx.global.json {
        print_json("handoff", &serde_json::json!({ "kind": kind, "note": note, "address": of }))?;
    }
    let say = |text: &str| if ctx.global.json { Ok(()) } else { print(text) };
    let would = if args.dry.dry_run { "would be " } else { "" };
    let Some(note) = note else {
        if !args.dry.dry_run {
            handoff::ask_for_end(&town, &of, mux.as_ref())?;
            if let Some(home) = &home {
                agent::end_later(&town, &of, &home.instance)?;
            }
        }
        say(&format!("{of}: end {would}asked for; it comes once the work is safe\n"))?;
        return Ok(Exit::Done);
    };
    say(&format!("{of}: note {would}left: {}\n", note.subject))?;
    if !args.dry.dry_run {
        handoff::leave_note(&town, &of, &note)?;
        TownEvent { rig: of.rig().unwrap_or_default().into(), ..TownEvent::new("handoff", &note.subject) }
            .of(&of)
            .in_town(&town.root);
        if !handoff::end_session(&town, &of, mux.as_ref())? {
            ctx.note(&format!("{of} has no session to be ended"));
        }
        if ctx.is_person() {
            ctx.note(&format!("start the next one, which reads the note, with: gt session restart {of}"));
        }
    }
    Ok(Exit::Done)
}

/// On another machine: the note stands beside the bead's file, and the town starts the next session.
fn elsewhere(ctx: &Ctx, args: &Handoff, away: &RemotePolecat) -> Result<Exit> {
    let note = handoff::note(args.message.as_deref(), args.subject.as_deref(), Some(&ctx.dir))?;
    if !args.dry.dry_run {
        away.leave_note(&note.subject, &note.text)?;
    }
    if ctx.global.json {
        let kind = HandoffKind::Cycle;
        let value = serde_json::json!({ "kind": kind, "note": note, "address": away.address });
        print_json("handoff", &value)?;
        return Ok(Exit::Done);
    }
    let would = if args.dry.dry_run { "would be " } else { "" };
    print(&format!("{}: note {would}left: {}\n", away.address, note.subject))?;
    ctx.note("end this session now; the town starts the next one in this worktree");
    Ok(Exit::Done)
}
