//! `gt pause` and `gt resume`: whether anything new starts or merges by itself.

use anyhow::Result;
use serde_json::json;

use super::{Ctx, print, print_json, would};
use crate::base::failure::{Exit, Failure};
use crate::base::time;
use crate::cli::daemon::{Pause, Resume};
use crate::town::events::TownEvent;
use crate::town::{Town, deacon, pause};

/// Pauses the town, or one rig.
///
/// # Errors
/// A time that is none, or a file that cannot be written.
pub fn pause(ctx: &Ctx, args: &Pause) -> Result<Exit> {
    let town = ctx.town()?;
    let rig = args.rig.as_deref().map(|rig| ctx.rig(&town, Some(rig))).transpose()?.map(|rig| rig.name);
    let until = match &args.until {
        Some(text) => time::after(text, &time::now()).ok_or_else(|| {
            Failure::usage(format!("'{text}' is no time that is to come"))
                .hint("say how long, as 30m or 2h, or a time as 2026-01-31T08:00Z")
        })?,
        None => String::new(),
    };
    let what = rig.clone().unwrap_or_else(|| town.name.clone());
    if args.dry.dry_run {
        return would(ctx, &json!({ "pause": what, "until": until }), &format!("pause {what}"));
    }
    pause::update(&town, |paused| match &rig {
        Some(rig) => drop(paused.rigs.insert(rig.clone(), until.clone())),
        None => paused.town = Some(until.clone()),
    })?;
    said("paused", rig.as_deref(), &until, &town);
    deacon::poke(&town.root);
    if ctx.global.json {
        print_json("paused", &json!({ "what": what, "until": until }))?;
        return Ok(Exit::Done);
    }
    let what = if rig.is_some() { what } else { format!("the town {what}") };
    let end = if until.is_empty() { String::new() } else { format!(" until {until}") };
    let resume = rig.map(|rig| format!("gt resume {rig}")).unwrap_or_else(|| "gt resume".into());
    print(&format!(
        "{what} is paused{end}: nothing new starts or merges by itself; take it back with: {resume}\n"
    ))?;
    Ok(Exit::Done)
}

/// Pauses the town, or one rig, whose sessions a person stops, until it is taken back; says so.
///
/// # Errors
/// When the file cannot be written.
pub fn hold(ctx: &Ctx, town: &Town, rig: Option<&str>) -> Result<()> {
    pause::update(town, |paused| match rig {
        Some(rig) => drop(paused.rigs.insert(rig.into(), String::new())),
        None => paused.town = Some(String::new()),
    })?;
    said("paused", rig, "", town);
    let (what, with) = match rig {
        Some(rig) => (format!("the rig {rig}"), format!("gt resume {rig}")),
        None => ("the town".into(), "gt start".into()),
    };
    ctx.note(&format!("{what} is paused: the deacon starts nothing until: {with}"));
    Ok(())
}

/// Takes the pause of the whole town back; says so. Whether there was one.
///
/// # Errors
/// When the file cannot be read or written.
pub fn end(ctx: &Ctx, town: &Town) -> Result<bool> {
    if !pause::read(town)?.town(&time::now()) {
        return Ok(false);
    }
    pause::update(town, |paused| paused.town = None)?;
    said("goes on", None, "", town);
    deacon::poke(&town.root);
    ctx.note("the town is paused no more");
    Ok(true)
}

/// Takes the pause of the town, or of one rig, back.
///
/// # Errors
/// When the file cannot be written.
pub fn resume(ctx: &Ctx, args: &Resume) -> Result<Exit> {
    let town = ctx.town()?;
    let rig = args.rig.as_deref().map(|rig| ctx.rig(&town, Some(rig))).transpose()?.map(|rig| rig.name);
    let what = rig.clone().unwrap_or_else(|| town.name.clone());
    if args.dry.dry_run {
        return would(ctx, &json!({ "resume": what }), &format!("resume {what}"));
    }
    let mut was = false;
    let left = pause::update(&town, |paused| {
        was = match &rig {
            Some(rig) => paused.rigs.remove(rig).is_some(),
            None => paused.town.take().is_some(),
        };
    })?;
    said("goes on", rig.as_deref(), "", &town);
    deacon::poke(&town.root);
    if ctx.global.json {
        print_json("resumed", &json!({ "what": what, "was_paused": was }))?;
        return Ok(Exit::Done);
    }
    let what = if rig.is_some() { what } else { format!("the town {what}") };
    print(&format!("{what} {}\n", if was { "goes on" } else { "was not paused" }))?;
    if rig.is_some() && left.town.is_some() {
        ctx.note("the town is paused as a whole; take that back with: gt resume");
    }
    Ok(Exit::Done)
}

fn said(kind: &str, rig: Option<&str>, until: &str, town: &Town) {
    let until = if until.is_empty() { String::new() } else { format!("until {until}") };
    TownEvent { rig: rig.unwrap_or_default().into(), ..TownEvent::new(kind, until) }.in_town(&town.root);
}
