//! `gt polecat list|recover|release|nuke`.

use anyhow::Result;
use serde_json::json;

use super::Ctx;
use crate::base::failure::{Exit, Failure, Failures};
use crate::base::quote::quote;
use crate::base::terminal;
use crate::beads::Filter;
use crate::beads::request::Request;
use crate::cli::work::{PolecatArgs, PolecatCommand};
use crate::model::address::Address;
use crate::model::bead::Bead;
use crate::model::words;
use crate::report::text::columns;
use crate::town::{Rig, Town};
use crate::work::observe::around;
use crate::work::observe::scene::Scene;
use crate::work::polecat::ending::give::BeadNow;
use crate::work::polecat::ending::{self, Released};
use crate::work::polecat::recovery::{self, What};

/// Polecats one by one: what is there, what was kept, and their end by hand.
///
/// # Errors
/// An unknown polecat or bead, or work that would be lost.
pub fn run(ctx: &Ctx, args: PolecatArgs) -> Result<Exit> {
    let town = ctx.town()?;
    match args.command {
        PolecatCommand::List { rig } => list(ctx, &town, rig.as_deref()),
        PolecatCommand::Recover { what, dry } => recover(ctx, &town, &what, dry.dry_run),
        PolecatCommand::Release { address, force, dry } => {
            end(ctx, &town, &address, if force { EndMode::Force } else { EndMode::Gently }, dry.dry_run)
        }
        PolecatCommand::Nuke { address, dry } => end(ctx, &town, &address, EndMode::Nuke, dry.dry_run),
    }
}

fn list(ctx: &Ctx, town: &Town, rig: Option<&str>) -> Result<Exit> {
    let mut failures = Failures::default();
    let (mut polecats, mut kept) = (Vec::new(), Vec::new());
    let mux = ctx.mux(town)?;
    for rig in ctx.rigs(town, rig, &mut failures)? {
        let scene = failures.keep(Scene::look(town, &rig, mux.as_ref(), ctx.sources(town, Some(&rig))));
        polecats.extend(scene.iter().flat_map(here));
        // What is kept of earlier ones is in the clone alone.
        kept.extend(failures.keep(kept_in(&rig, scene.as_ref())).into_iter().flatten());
    }
    if ctx.global.json {
        super::print_json("polecats", &json!({ "here": polecats, "kept": kept }))?;
        return super::of_rigs(failures);
    }
    let text = |value: &serde_json::Value| value.as_str().unwrap_or("-").to_string();
    let here = |one: &serde_json::Value| ["address", "bead", "move", "title"].map(|key| text(&one[key]));
    terminal::print(columns(&polecats.iter().map(here).collect::<Vec<_>>()))?;
    let kept_row = |one: &serde_json::Value| {
        let commit = text(&one["commit"]).chars().take(10).collect();
        ["kept".into(), text(&one["bead"]), text(&one["name"]), commit, text(&one["subject"])]
    };
    terminal::print(columns(&kept.iter().map(kept_row).collect::<Vec<_>>()))?;
    if polecats.is_empty() && kept.is_empty() && failures.is_empty() {
        ctx.note("no polecats, and nothing kept of earlier ones");
    }
    super::of_rigs(failures)
}

/// The polecats of a rig, each with what a patrol would do about it.
fn here(scene: &Scene<'_>) -> Vec<serde_json::Value> {
    let one = |name: String| {
        let bead = scene.bead_of(&name);
        json!({
            "address": scene.address_of(&name),
            "bead": bead.map(|bead| &bead.id),
            "title": bead.map(|bead| &bead.title),
            "move": scene.decide(&name),
        })
    };
    scene.names().into_iter().map(one).collect()
}

/// What is kept of a rig's earlier polecats, each with the bead that names it.
fn kept_in(rig: &Rig, scene: Option<&Scene<'_>>) -> Result<Vec<serde_json::Value>> {
    let (listed, mut kept) = (recovery::list(rig)?, Vec::new());
    let scene = scene.filter(|_| !listed.is_empty());
    // Without its store a rig still has its commits.
    let beads = scene.and_then(|scene| scene.not_closed().ok()).unwrap_or_default();
    for one in listed {
        let mut value = serde_json::to_value(&one)?;
        value["rig"] = rig.name.clone().into();
        let bead = beads.iter().find(|bead| bead.recoveries().any(|name| name == one.name));
        value["bead"] = bead.map(|bead| bead.id.clone()).into();
        kept.push(value);
    }
    Ok(kept)
}

fn recover(ctx: &Ctx, town: &Town, what: &str, dry: bool) -> Result<Exit> {
    let (recovered, rig, bead) = match Address::parse(what) {
        Ok(Address::Polecat(rig, name)) => {
            let rig = town.rig(&rig)?;
            (recovery::recover(&rig, &What::Polecat(&name), dry)?, rig, None)
        }
        _ => {
            let (rig, bead) = find_bead(ctx, town, what)?;
            let store = rig.store(&Address::Overseer)?;
            let filter = Filter { types: vec![words::MERGE_REQUEST.into()], all: true, ..Filter::default() };
            let requests: Vec<Request> = store.list(&filter)?.iter().filter_map(Request::from_bead).collect();
            (recovery::recover(&rig, &What::Bead(&bead, &requests), dry)?, rig, Some(bead))
        }
    };
    if ctx.global.json {
        super::print_json("recovered", &recovered)?;
        return Ok(Exit::Done);
    }
    for one in std::iter::once(&recovered.first).chain(&recovered.others) {
        let verb = match (one.there, dry) {
            (true, _) => "there already:",
            (false, true) => "would make",
            (false, false) => "made",
        };
        super::print(&format!("{verb} the branch {} at {} from {}\n", one.branch, one.commit, one.from))?;
        if let Some(path) = &one.inside {
            super::print(&format!(
                "  it belongs to the repository at {path}; in a worktree: git -C {} fetch {} {}\n",
                quote(path),
                quote(&rig.clone_dir().to_string_lossy()),
                quote(&one.from)
            ))?;
        }
    }
    for folder in &recovered.files {
        super::print(&format!("files are kept in {}\n", folder.display()))?;
    }
    ctx.note(&format!("look: git -C {} log {}", rig.clone_dir().display(), recovered.first.branch));
    if let Some(bead) = bead.filter(|bead| bead.status == words::OPEN) {
        ctx.note(&format!("go on with it in a new polecat: gt sling {} {} --resume", bead.id, rig.name));
    }
    Ok(Exit::Done)
}

/// A bead in the store of the rig whose prefix its id has.
fn find_bead(ctx: &Ctx, town: &Town, id: &str) -> Result<(Rig, Bead)> {
    let rig =
        ctx.rig_of(town, id).map_err(|error| error.context(format!("'{id}' is no polecat and no bead")))?;
    let store = rig.store(&Address::Overseer)?;
    match store.list(&Filter { ids: vec![id.into()], ..Filter::default() })?.pop() {
        Some(bead) => Ok((rig, bead)),
        None => Err(around::unknown(store.as_ref(), id).into()),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum EndMode {
    Gently,
    Force,
    Nuke,
}

fn end(ctx: &Ctx, town: &Town, address: &str, how: EndMode, dry: bool) -> Result<Exit> {
    let own = ctx.agent(town, address)?;
    let address = own.to_string();
    let Address::Polecat(rig, name) = own else {
        return Err(Failure::usage(format!("{address} is no polecat"))
            .hint("name one by its address RIG/Name, its name, or its bead")
            .into());
    };
    let rig = town.rig(&rig)?;
    let mux = ctx.mux(town)?;
    let scene = Scene::look(town, &rig, mux.as_ref(), ctx.sources(town, Some(&rig)))?;
    let bead = scene.bead_of(&name).map(|bead| bead.id.clone());
    if dry {
        let now = ending::check_release(&scene, &name, how != EndMode::Gently)?;
        let plan = json!({ "end": address, "bead": bead, "bead_is": now });
        let given = said_of(bead.as_deref(), now);
        let line = format!("stop {address}, keep its commits, remove its worktree and branch{given}");
        return super::would(ctx, &plan, &line);
    }
    if how == EndMode::Nuke && ending::forget(&scene, &name)? {
        if ctx.global.json {
            super::print_json("released", &json!({ "address": address, "forgotten": true }))?;
        } else {
            super::print(&format!("{address} forgotten; what it has on its machine stays there\n"))?;
        }
        return Ok(Exit::Done);
    }
    let Released { kept, bead: now, waits } = ending::release(&scene, &name, how != EndMode::Gently)?;
    scene.notes().iter().for_each(|note| ctx.note(note));
    if ctx.global.json {
        let mut value = serde_json::to_value(&kept)?;
        value["address"] = address.as_str().into();
        value["bead"] = bead.into();
        value["bead_is"] = json!(now);
        if let Some(why) = waits {
            value["waits"] = why.into();
        }
        super::print_json("released", &value)?;
        return Ok(Exit::Done);
    }
    let given = said_of(bead.as_deref(), now);
    let kept = kept.said();
    let verb = if waits.is_some() { "released" } else { "ended" };
    super::print(&format!("{address} {verb}{given}{kept}\n"))?;
    if let Some(why) = waits {
        ctx.note(&still_there(&address, &why));
    }
    Ok(Exit::Done)
}

/// What is said of the bead that a released polecat had.
fn said_of(bead: Option<&str>, now: Option<BeadNow>) -> String {
    bead.zip(now).map_or(String::new(), |(id, now)| format!("; {}", now.said(id)))
}

/// What is said of a polecat whose place on another machine could not be taken away yet.
pub(super) fn still_there(address: &str, why: &str) -> String {
    format!(
        "what {address} has on its machine goes later ({why}), and its name stays taken until then: gt remote sync"
    )
}
