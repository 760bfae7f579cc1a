//! `gt refinery process` and `gt refinery merge`: the queue's engine.

use std::collections::BTreeSet;

use anyhow::Result;

use super::{Ctx, print, print_json};
use crate::base::failure::{Exit, Failure, Failures};
use crate::base::time;
use crate::beads::request::Request;
use crate::config::{self, Sources};
use crate::model::address::Address;
use crate::programs::git::Git;
use crate::report::queue::list;
use crate::town::{Rig, Town, away};
use crate::work::merge::progress::MergeProgress;
use crate::work::merge::queue::{self, RequestRow};
use crate::work::merge::{approval, refinery};
use crate::work::remote::home::has_records;

/// Tests and merges what waits in a rig.
///
/// # Errors
/// What stopped it; what was done until then is reported all the same.
pub fn process(ctx: &Ctx, rig: Option<&str>, dry_run: bool) -> Result<Exit> {
    let town = ctx.town()?;
    let rig = ctx.rig(&town, rig)?;
    work(ctx, &town, &rig, None, dry_run)
}

/// Merges one request: `what` is its id, `polecat-BEAD`, or a polecat's name or address.
///
/// # Errors
/// As [`process`]; also when nothing or several go by that name.
pub fn merge(ctx: &Ctx, what: &str, rig: Option<&str>, dry_run: bool) -> Result<Exit> {
    let town = ctx.town()?;
    let me = ctx.me()?.address;
    let named = rig.or_else(|| what.split_once('/').map(|(rig, _)| rig));
    let (rig, request) = match named {
        Some(_) => {
            let rig = ctx.rig(&town, named)?;
            let request = queue::waiting(&rig, what, &me)?;
            (rig, request)
        }
        None => anywhere(ctx, &town, what, &me)?,
    };
    work(ctx, &town, &rig, Some(&request.id), dry_run)
}

/// The one request of the town that goes by this word.
fn anywhere(ctx: &Ctx, town: &Town, what: &str, me: &Address) -> Result<(Rig, Request)> {
    if let Ok(rig) = ctx.rig(town, None)
        && let Ok(request) = queue::waiting(&rig, what, me)
    {
        return Ok((rig, request));
    }
    let mut found = Vec::new();
    let mut wrong = None;
    let mut failures = Failures::default();
    for rig in town.rigs(&mut failures)? {
        match queue::waiting(&rig, what, me) {
            Ok(request) => found.push((rig, request)),
            Err(error) => wrong = Some(error),
        }
    }
    let one = match (found.len(), found.pop(), wrong) {
        (1, Some(one), _) => Ok(one),
        (0, _, Some(error)) if town.rig_names()?.len() == 1 => Err(error),
        (0, ..) => Err(Failure::new(format!("nothing in any queue goes by {what}"))
            .hint("see what waits with: gt mq status")
            .into()),
        _ => Err(Failure::usage(format!("several rigs have a request that goes by {what}"))
            .hint("say which: --rig RIG")
            .into()),
    };
    failures.beside(one)
}

fn work(ctx: &Ctx, town: &Town, rig: &Rig, only: Option<&str>, dry_run: bool) -> Result<Exit> {
    let sources = ctx.sources(town, Some(rig));
    if dry_run {
        return show_plan(ctx, town, rig, &sources, only);
    }
    // Before anything is written down about the run.
    crate::programs::versions::need_git()?;
    match away::read(town) {
        Ok(records) if !has_records(&records, rig) => {}
        Ok(_) => {
            let target = config::target(&ctx.settings(town, Some(rig))?);
            super::remote_sync::bring(ctx, town, rig, &target);
        }
        Err(error) => ctx.note(&format!("what was handed in elsewhere waits: {error:#}")),
    }
    let by_person = ctx.is_person();
    let told = std::cell::Cell::new(false);
    let say = |text: &str| {
        told.set(true);
        MergeProgress::note(rig, text);
        ctx.note(text);
    };
    let job = refinery::MergeJob { town, rig, sources: &sources, only, by_person, say: &say };
    let (report, error) = refinery::process(&job);
    if told.get() || !report.merged.is_empty() || !report.set_aside.is_empty() {
        MergeProgress::end(rig, &report.line());
    }
    ctx.keep_exports(town, Some(rig));
    if ctx.global.json {
        print_json("processed", &report)?;
    } else {
        print(&report.text())?;
    }
    error.map_or(Ok(Exit::Done), Err)
}

/// Those of these branches that origin does not have. One git process, or none.
fn missing(rig: &Rig, branches: &BTreeSet<String>) -> Result<Vec<String>> {
    if branches.is_empty() {
        return Ok(Vec::new());
    }
    let name = |branch: &String| format!("refs/heads/{branch}");
    let names: Vec<String> = branches.iter().map(name).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let there = Git::at(rig.clone_dir()).refs_of_origin(&names)?;
    Ok(branches.iter().filter(|branch| !there.contains(&name(branch))).cloned().collect())
}

fn show_plan(ctx: &Ctx, town: &Town, rig: &Rig, sources: &Sources, only: Option<&str>) -> Result<Exit> {
    let settings = config::settings(sources)?;
    let rules = approval::rules(&settings, ctx.is_person());
    let target = config::target(&settings);
    let merge = settings.merge;
    let plan = queue::plan(town, rig, only, rules, &ctx.me()?.address)?;
    let of = |request: &Request| request.target_or(&target).to_string();
    for missing in missing(rig, &plan.merged.iter().map(of).collect())? {
        ctx.note(&format!("origin has no branch {missing}: what is to land there waits"));
    }
    let row = |request: &Request| RequestRow::new(request, None, "open");
    let size = merge.batch_size.max(1);
    let batches: Vec<Vec<RequestRow>> =
        plan.merged.chunks(size).map(|batch| batch.iter().map(row).collect()).collect();
    if ctx.global.json {
        let held: Vec<RequestRow> = plan.held.iter().map(row).collect();
        let unapproved = plan.unapproved.iter();
        let unapproved: Vec<RequestRow> = unapproved
            .map(|(request, why)| RequestRow { needs_approval: Some(why.clone()), ..row(request) })
            .collect();
        print_json(
            "plan",
            &serde_json::json!({ "rig": rig.name, "batches": batches, "held": held, "unapproved": unapproved }),
        )?;
        return Ok(Exit::Done);
    }
    let mut text = String::new();
    for (number, batch) in batches.iter().enumerate() {
        text.push_str(&format!("batch {}: merged, tested together, pushed once\n", number + 1));
        for line in list(batch, &time::now()).lines() {
            text.push_str(&format!("  {line}\n"));
        }
    }
    for request in &plan.held {
        text.push_str(&format!("waits: {} is held\n", request.bead));
    }
    for (request, why) in &plan.unapproved {
        text.push_str(&format!("waits: {} until gt mq approve {}: {why}\n", request.bead, request.id));
    }
    print(&text)?;
    if batches.is_empty() {
        ctx.note(&format!("{}: nothing waits to be merged", rig.name));
    } else if merge.test_command.is_none() {
        ctx.note("no tests: merge.test_command is not set");
    }
    Ok(Exit::Done)
}
