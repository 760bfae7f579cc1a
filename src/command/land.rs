//! `gt land --direct`.

use anyhow::Result;

use super::{Ctx, print, print_json, remote_sync};
use crate::base::failure::{Exit, Failure};
use crate::cli::queue::Land;
use crate::config;
use crate::config::schema::{CommandSetting, Strategy};
use crate::model::address::Address;
use crate::programs::Process;
use crate::work::merge::land;
use crate::work::observe::scene::Scene;

/// Lands one polecat's work without the queue.
///
/// # Errors
/// What stands in the way.
pub fn run(ctx: &Ctx, args: Land) -> Result<Exit> {
    let town = ctx.town()?;
    let Address::Polecat(rig, name) = ctx.agent(&town, &args.address)? else {
        return Err(Failure::usage(format!("{} is no polecat", args.address))
            .hint("see them with: gt polecats RIG")
            .into());
    };
    let rig = town.rig(&rig)?;
    let sources = ctx.sources(&town, Some(&rig));
    let mux = ctx.mux(&town)?;
    let bring = |target: &str| !args.dry.dry_run && remote_sync::bring(ctx, &town, &rig, target);
    let scene = Scene::look_and(&town, &rig, mux.as_ref(), sources.clone(), Address::Refinery, bring)?;
    let job = land::LandJob {
        scene: &scene,
        sources: &sources,
        name: &name,
        force: args.force,
        skip_tests: args.skip_tests,
        by_person: ctx.is_person(),
        say: &|text| ctx.note(text),
    };
    if args.dry.dry_run {
        return show_plan(ctx, &job, &ctx.settings(&town, Some(&rig))?.merge);
    }
    let landed = land::land(&job)?;
    scene.notes().iter().for_each(|note| ctx.note(note));
    if ctx.global.json {
        print_json("landed", &landed)?;
        return Ok(Exit::Done);
    }
    let commit = landed.commit.get(..9).unwrap_or(&landed.commit);
    print(&format!("landed     {}  {commit}  {}\n", landed.bead, landed.title))?;
    if let Some(note) = &landed.note {
        ctx.note(note);
    }
    Ok(Exit::Done)
}

fn show_plan(ctx: &Ctx, job: &land::LandJob<'_>, merge: &config::schema::MergeSettings) -> Result<Exit> {
    let checked = land::check(job)?;
    let strategy = match merge.strategy {
        Strategy::Merge => "merge",
        Strategy::Rebase => "rebase",
        Strategy::Squash => "squash",
    };
    let tests = merge.test_command.as_ref().map(|command| match command {
        CommandSetting::Text(text) => text.clone(),
        CommandSetting::Words(words) => match words.split_first() {
            Some((program, rest)) => Process::new(program).args(rest).shown(),
            None => String::new(),
        },
    });
    let steps = land::steps(job, &checked, strategy, tests.as_deref());
    if ctx.global.json {
        let mut plan = serde_json::to_value(&checked)?;
        plan["steps"] = steps.into();
        print_json("plan", &plan)?;
    } else {
        let numbered = steps.iter().enumerate().map(|(number, step)| format!("{}. {step}\n", number + 1));
        print(&numbered.collect::<String>())?;
    }
    Ok(Exit::Done)
}
