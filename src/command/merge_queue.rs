//! `gt merge-queue`, also `gt mq`.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde_json::json;

use super::{Ctx, print, print_json};
use crate::base::failure::{Exit, Failure, Failures};
use crate::base::grammar::{count, is_bead_id, short};
use crate::base::terminal;
use crate::base::time;
use crate::beads::request::FoundRequest;
use crate::cli::queue::{MergeQueue, QueueCommand};
use crate::config;
use crate::model::address::{Address, is_polecat_name};
use crate::report::queue as report;
use crate::town::{Rig, Town};
use crate::work::merge::queue::{self, Counts, RequestRow};
use crate::work::merge::{approval, done};
use crate::work::observe::own::Me;
use crate::work::observe::own::OwnWorktree;
use crate::work::polecat::names;

/// Looks at the queue, puts work into it, takes work out.
///
/// # Errors
/// What the command could not do.
pub fn run(ctx: &Ctx, args: MergeQueue) -> Result<Exit> {
    let town = ctx.town()?;
    let me = ctx.me()?;
    match args.command {
        QueueCommand::Add { polecat, dry } => {
            let (rig, name) = match polecat.as_slice() {
                [rig, name] => (Some(rig.as_str()), name.as_str()),
                [one] => one.split_once('/').map_or((None, one.as_str()), |(rig, name)| (Some(rig), name)),
                _ => return Err(Failure::usage("name one polecat").into()),
            };
            if is_bead_id(name) && name.contains('-') {
                let Address::Polecat(rig, name) = ctx.agent(&town, name)? else {
                    return Err(Failure::usage(format!("{name} is not with a polecat")).into());
                };
                return add(ctx, &town, &town.rig(&rig)?, &name, dry.dry_run);
            }
            add(ctx, &town, &ctx.rig(&town, rig)?, name, dry.dry_run)
        }
        QueueCommand::List { rig } => list(ctx, &me, &ctx.rig(&town, rig.as_deref())?),
        QueueCommand::Show { id } => show(ctx, &town, &me, &id),
        QueueCommand::Status { rig } => status(ctx, &town, &me, rig.as_deref()),
        QueueCommand::Approve { ids, dry } => approve(ctx, &town, &me, &ids, dry.dry_run),
        QueueCommand::Retry { id, dry } => retry(ctx, &town, &me, &id, dry.dry_run),
        QueueCommand::Reject { id, reason, dry } => {
            reject(ctx, &town, &me, &id, reason.as_deref(), dry.dry_run)
        }
        QueueCommand::Overlap { rig } => overlap(ctx, &town, &me, &ctx.rig(&town, rig.as_deref())?),
    }
}

/// The polecat's `gt done`, from outside.
fn add(ctx: &Ctx, town: &Town, rig: &Rig, name: &str, dry: bool) -> Result<Exit> {
    let address = Address::Polecat(rig.name.clone(), name.into());
    if !is_polecat_name(name) || !rig.polecat_dir(name).is_dir() {
        return Err(Failure::usage(format!("no polecat {address}"))
            .hint(format!("see who is there with: gt polecats {}", rig.name))
            .into());
    }
    let settings = ctx.settings(town, Some(rig))?;
    let mux = ctx.mux(town)?;
    let home = OwnWorktree {
        dir: rig.polecat_dir(name),
        instance: names::holder(rig, name).unwrap_or_default(),
        rig: rig.clone(),
        name: name.into(),
        address: address.clone(),
    };
    let target = config::target(&settings);
    let secret = town.secret()?;
    let store = rig.store(&address)?;
    let push_submodules = settings.worktree.push_submodules;
    let mux = mux.as_ref();
    let work = done::FinishedWork { town, home: &home, target: &target, push_submodules, mux, store, secret };
    let answer = if dry { done::plan(&work, None)? } else { done::done(&work, None)? };
    if ctx.global.json {
        print_json("request", &answer)?;
        return Ok(Exit::Done);
    }
    let commit = short(&answer.commit);
    let commits = count(answer.commits, "commit");
    match (answer.state, dry) {
        ("submitted", false) => print(&format!(
            "{}  {}  {} at {commit}, {commits}\n",
            answer.request, answer.bead, answer.branch
        ))?,
        ("submitted", true) => print(&format!(
            "{}  would be submitted: {} at {commit}, {commits}\n",
            answer.bead, answer.branch
        ))?,
        (state, _) => print(&format!("{}  is {state} already\n", answer.bead))?,
    }
    Ok(Exit::Done)
}

fn list(ctx: &Ctx, me: &Me, rig: &Rig) -> Result<Exit> {
    let (rows, set_aside) = queue::list(rig, &me.address)?;
    if ctx.global.json {
        print_json("requests", &rows.iter().chain(&set_aside).collect::<Vec<_>>())?;
        return Ok(Exit::Done);
    }
    if rows.is_empty() {
        ctx.note(&format!("{}: nothing waits to be merged", rig.name));
    }
    terminal::print(report::list(&rows, &time::now()))?;
    if rows.iter().any(|row| row.foreign) {
        ctx.note("foreign requests are not merged: this town did not make them, or others changed them");
    }
    set_aside.iter().try_for_each(|row| print(&format!("{}\n", row.came_back())))?;
    if let Some(row) = set_aside.first() {
        ctx.note(&format!(
            "work on it again: gt sling {0}; or merge it as it was: gt mq retry {0}",
            row.bead
        ));
    }
    Ok(Exit::Done)
}

fn show(ctx: &Ctx, town: &Town, me: &Me, id: &str) -> Result<Exit> {
    let found = find(ctx, town, me, id)?;
    let state =
        if found.bead.is_closed() { found.bead.close_reason.as_str() } else { found.bead.status.as_str() };
    let row = match found.bead.foreign {
        true => RequestRow::foreign(&found.bead),
        false => RequestRow::new(&found.request, None, state).of(Some(&found.bead)),
    };
    if ctx.global.json {
        print_json("request", &row)?;
    } else {
        print(&report::show(&row, &time::now()))?;
    }
    Ok(Exit::Done)
}

fn status(ctx: &Ctx, town: &Town, me: &Me, rig: Option<&str>) -> Result<Exit> {
    let mut failures = Failures::default();
    let rigs = match (rig, ctx.rig(town, rig)) {
        (Some(_), rig) => vec![rig?],
        (None, Ok(rig)) => vec![rig],
        (None, Err(_)) => town.rigs(&mut failures)?,
    };
    let of_rig = |rig: &Rig| {
        queue::counts(rig, &me.address).with_context(|| format!("the queue of {} cannot be read", rig.name))
    };
    let counts: Vec<Counts> = rigs.iter().filter_map(|rig| failures.keep(of_rig(rig))).collect();
    if ctx.global.json {
        print_json("queues", &counts)?;
        return super::of_rigs(failures);
    }
    let now = time::now();
    print(&counts.iter().map(|counts| counts.line(&now)).collect::<String>())?;
    super::of_rigs(failures)
}

/// The request that an id means: its own, or its bead's.
fn find(ctx: &Ctx, town: &Town, me: &Me, id: &str) -> Result<FoundRequest> {
    queue::find(ctx.rig_of(town, id)?, id, &me.address)
}

/// A consent to each request's commit. What is wrong with one keeps no other from it.
fn approve(ctx: &Ctx, town: &Town, me: &Me, ids: &[String], dry: bool) -> Result<Exit> {
    let one = |id: &String| -> Result<approval::Shown> {
        let found = find(ctx, town, me, id)?;
        let settings = ctx.settings(town, Some(&found.rig))?;
        let shown = approval::show(&found, &settings)?;
        if !ctx.global.json {
            print(&report::consent(&shown))?;
        }
        if !dry {
            approval::approve(town, &found)?;
        }
        Ok(shown)
    };
    let mut failures = Failures::default();
    let shown: Vec<approval::Shown> = ids.iter().filter_map(|id| failures.keep(one(id))).collect();
    if ctx.global.json {
        print_json(if dry { "would_approve" } else { "approved" }, &shown)?;
    } else if !dry {
        for shown in &shown {
            print(&format!("approved {} at {}\n", shown.request, short(&shown.commit)))?;
        }
        let rigs: BTreeSet<&str> = shown.iter().map(|shown| shown.rig.as_str()).collect();
        for rig in rigs {
            ctx.note(&format!("merge it with: gt refinery process {rig}"));
        }
    }
    failures.end(|count| format!("{count} requests cannot be approved")).map(|()| Exit::Done)
}

fn retry(ctx: &Ctx, town: &Town, me: &Me, id: &str, dry: bool) -> Result<Exit> {
    let found = find(ctx, town, me, id)?;
    queue::retry(&found, &me.address, dry)?;
    if ctx.global.json {
        print_json("request", &RequestRow::new(&found.request, None, "open"))?;
    } else {
        let would = if dry { "would be" } else { "is" };
        let bead = Some(&found.request.bead).filter(|bead| *bead != id);
        let bead = bead.map(|bead| format!("{bead} ")).unwrap_or_default();
        print(&format!("{id}  {would} in the queue again: {bead}{}\n", found.request.title))?;
    }
    Ok(Exit::Done)
}

fn reject(ctx: &Ctx, town: &Town, me: &Me, id: &str, reason: Option<&str>, dry: bool) -> Result<Exit> {
    let found = find(ctx, town, me, id)?;
    let aside = queue::reject(town, &found, &me.address, reason, dry)?;
    if ctx.global.json {
        print_json("set_aside", &aside)?;
        return Ok(Exit::Done);
    }
    let would = if dry { "would be " } else { "" };
    if found.bead.foreign {
        print(&format!("{id}  {would}closed; the bead and the branch that it names stay as they are\n"))?;
        return Ok(Exit::Done);
    }
    print(&format!("{}  {would}set aside  {}\n", found.request.bead, found.request.title))?;
    if let Some(name) = aside.and_then(|aside| aside.recovery) {
        ctx.note(&format!("its commits are kept under {name}"));
    }
    Ok(Exit::Done)
}

fn overlap(ctx: &Ctx, town: &Town, me: &Me, rig: &Rig) -> Result<Exit> {
    let settings = ctx.settings(town, Some(rig))?;
    let (found, unknown) = queue::overlap(rig, &config::target(&settings), &me.address)?;
    if ctx.global.json {
        print_json("overlaps", &json!({ "pairs": found, "unknown": unknown }))?;
        return Ok(Exit::Done);
    }
    let line = |one: &queue::Overlap| format!("{}  {}  {}\n", one.first, one.second, one.files.join(", "));
    print(&found.iter().map(line).collect::<String>())?;
    if found.is_empty() {
        ctx.note(&format!("{}: no two requests touch the same files", rig.name));
    }
    for id in unknown {
        ctx.note(&format!(
            "{id}: its commit is not in {}, so it was not compared",
            rig.clone_dir().display()
        ));
    }
    Ok(Exit::Done)
}
