//! `gt sync`.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{Ctx, print, print_json};
use crate::base::failure::{Exit, Failure, Failures};
use crate::base::terminal::one_line;
use crate::cli::town::SyncArgs;
use crate::town::{Rig, Town};
use crate::work::setup::sync::{self, SyncPair, SyncReport, are, beads};
use crate::work::talk::adopt;

/// What the town's own store is called where rigs are named.
const TOWN: &str = "town";

/// Brings beads in step with those of other towns.
///
/// # Errors
/// Stores that could not be brought in step, or whose branch has lines that cannot be read; the rest was.
pub fn run(ctx: &Ctx, args: SyncArgs) -> Result<Exit> {
    let town = ctx.town()?;
    town.needs_present_layout()?;
    let (mut done, mut failures) = (Vec::new(), Failures::default());
    for (name, place) in places(ctx, &town, args.rig.as_deref())? {
        // One that fails does not keep the others back; its error comes after them.
        let synced = place.and_then(|place| one(ctx, &place, args.dry.dry_run)).with_context(|| name.clone());
        if let Some((record, left_out)) = failures.keep(synced) {
            done.push(record);
            let left_out = left_out.map_or(Ok(()), |failure| Err(failure.into()));
            failures.keep(left_out.map_err(|error: anyhow::Error| error.context(name)));
        }
    }
    if !args.dry.dry_run {
        ctx.keep_exports(&town, None);
    }
    if ctx.global.json {
        print_json("synced", &done)?;
    }
    failures.end(|count| format!("{count} stores were not brought in step")).map(|()| Exit::Done)
}

/// What there is to bring in step, by name: the rig, or all of them and the town's own store where it has somewhere to
/// go.
fn places(ctx: &Ctx, town: &Town, rig: Option<&str>) -> Result<Vec<(String, Result<SyncPair>)>> {
    if rig.is_some() {
        let rig = ctx.rig(town, rig)?;
        return Ok(vec![(rig.name.clone(), of_rig(ctx, town, &rig))]);
    }
    let rig = |name: String| {
        let place = town.read_rig(&name).and_then(|rig| of_rig(ctx, town, &rig));
        (name, place)
    };
    let mut places: Vec<(String, Result<SyncPair>)> = town.rig_names()?.into_iter().map(rig).collect();
    let trust = ctx.settings(town, None)?.sync.trust;
    places.extend(sync::of_town(town, trust).transpose().map(|place| (TOWN.to_string(), place)));
    if places.is_empty() && !ctx.global.json {
        ctx.note("nothing to keep in step: no rigs yet, and the town has no remote");
    }
    Ok(places)
}

fn of_rig(ctx: &Ctx, town: &Town, rig: &Rig) -> Result<SyncPair> {
    let trust = ctx.settings(town, Some(rig))?.sync.trust;
    // What comes in from now on is never signed as this town's.
    adopt::note_old(town, rig)?;
    sync::of_rig(town, rig, trust)
}

fn one(ctx: &Ctx, place: &SyncPair, dry: bool) -> Result<(Value, Option<Failure>)> {
    let synced = sync::sync(place, &ctx.me()?.address, dry)?;
    if !ctx.global.json {
        print(&line(&synced, dry))?;
        let name = synced.rig.as_deref().unwrap_or(TOWN);
        for one in &synced.renamed {
            ctx.note(&format!(
                "{name}: {} is {} now: another town made a bead of that id first ({})",
                one.old,
                one.new,
                one_line(&one.title)
            ));
        }
        for one in &synced.taken {
            ctx.note(&format!(
                "{name}: {} is worked on twice: by {} here, and by {}, as the branch says",
                one.id,
                one.from,
                one_line(&one.by)
            ));
        }
        for id in &synced.kept {
            ctx.note(&format!(
                "{name}: {id} is this town's, in the queue or worked on, and was changed elsewhere: it stays as it is here"
            ));
        }
        if !synced.foreign.is_empty() {
            let how = synced.rig.as_ref().map_or("gt adopt".into(), |rig| format!("gt adopt --rig {rig}"));
            ctx.note(&format!(
                "{name}: {} foreign, nothing starts or merges them until you say so: {how}",
                are(synced.foreign.len())
            ));
        }
        for id in &synced.waiting {
            ctx.note(&format!(
                "{name}: {id} stays here for now: another town made a bead of that id first, and this one is being worked on"
            ));
        }
    }
    Ok((json!(synced), place.left_out(&synced)))
}

/// `wyvern: 3 beads in, 2 out, 1 merged`
fn line(synced: &SyncReport, dry: bool) -> String {
    let name = synced.rig.as_deref().unwrap_or(TOWN);
    if synced.by_dolt {
        let did = if dry { "bd would pull from and push to" } else { "bd pulled from and pushed to" };
        return format!("{name}: {did} its Dolt remote {}\n", synced.remote);
    }
    let counts = [(synced.came, "in"), (synced.out, "out"), (synced.merged, "merged")];
    let mut parts: Vec<String> = Vec::new();
    for (count, word) in counts.into_iter().filter(|(count, _)| *count > 0) {
        let count = if parts.is_empty() { beads(count) } else { count.to_string() };
        parts.push(format!("{count} {word}"));
    }
    let would = if dry { "would be: " } else { "" };
    match parts.is_empty() {
        true => format!("{name}: in step\n"),
        false => format!("{name}: {would}{}\n", parts.join(", ")),
    }
}
