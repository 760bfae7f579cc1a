//! `gt doctor --agents`, and the line that points to it.

use std::path::PathBuf;

use anyhow::Result;
use serde::Serialize;

use super::{Ctx, print_json};
use crate::base::failure::{Exit, Failures};
use crate::base::terminal;
use crate::cli::town::Doctor;
use crate::model::address::{Address, Role};
use crate::plan::doctor::{CheckStatus, Finding};
use crate::plan::first_start::{self, Obstacle, ProgramFacts};
use crate::report::doctor::Detail;
use crate::town::{Rig, Town};
use crate::work::agent::roles;
use crate::work::setup::doctor::agents::{self, AgentVisit, ProgramReport};

/// What was found of the agent programs of a town.
#[derive(Clone, Debug, Serialize)]
pub struct AgentsReport {
    /// The programs that it uses, and the built-in ones that are on PATH.
    pub programs: Vec<ProgramReport>,
    /// How many checks failed.
    pub found: usize,
    /// How many of those were repaired.
    pub fixed: usize,
}

/// Runs it.
///
/// # Errors
/// Broken configuration, an unknown rig.
pub fn run(ctx: &Ctx, args: &Doctor) -> Result<Exit> {
    let town = ctx.town()?;
    let mut failures = Failures::default();
    let rigs = ctx.rigs(&town, args.rig.as_deref(), &mut failures)?;
    let sources = ctx.sources(&town, None);
    let started = roles::wanted(&town, &ctx.settings(&town, None)?.up).unwrap_or_default();
    let started: Vec<Role> = started.iter().filter_map(|address| address.role()).collect();
    let visit = AgentVisit { rigs: &rigs, sources: &sources, env: &ctx.env, roles: &started, agent: None };
    let mut programs = agents::used(&visit)?;
    programs.extend(agents::installed(&visit, &programs));
    let mut report = AgentsReport { programs: Vec::new(), found: 0, fixed: 0 };
    let asked: Vec<_> =
        programs.iter().map(|one| one.path.as_deref().and_then(agents::ask_version)).collect();
    for (mut facts, asked) in programs.into_iter().zip(asked) {
        facts.version = asked.and_then(agents::version);
        let mut found: Vec<Obstacle> = match facts.path {
            None => first_start::is_missing(&facts).into_iter().collect(),
            Some(_) => first_start::obstacles(&facts),
        };
        // The files of a program that nothing here runs are left alone.
        if args.fix && !facts.roles.is_empty() {
            fix(ctx, args, &facts, &mut found)?;
        }
        report.programs.push(program(facts, found));
    }
    let all = || report.programs.iter().flat_map(|program| &program.checks);
    report.found = all().count();
    report.fixed = all().filter(|finding| finding.status == CheckStatus::Fixed).count();
    if ctx.global.json {
        print_json("agents", &report)?;
    } else {
        let detail = Detail {
            quiet: ctx.global.quiet,
            verbose: args.verbose,
            fix: args.fix,
            dry_run: args.fix && args.dry.dry_run,
        };
        terminal::print(crate::report::doctor::programs(&report.programs, &ctx.screen(), detail))?;
    }
    failures.end(|count| format!("{count} rigs cannot be read"))?;
    Ok(if report.found == report.fixed { Exit::Done } else { Exit::Failed })
}

fn program(facts: ProgramFacts, found: Vec<Obstacle>) -> ProgramReport {
    let version =
        facts.version.as_deref().map(|own| first_start::version_note(&facts.program, own, &facts.checked));
    let silent = facts.path.is_some() && version.is_none();
    let untold = silent.then(|| format!("{} does not say its version", facts.program));
    let mut notes: Vec<String> = version.flatten().into_iter().chain(untold).collect();
    let mut checks: Vec<Finding> = found.into_iter().map(|one| one.finding).collect();
    if facts.roles.is_empty() {
        // What stops a program that nothing here runs stops nothing.
        notes.extend(checks.drain(..).map(|finding| match finding.hint {
            Some(hint) => format!("{}: {hint}", finding.message),
            None => finding.message,
        }));
    }
    ProgramReport {
        checks,
        notes,
        program: facts.program,
        path: facts.path,
        version: facts.version,
        checked: facts.checked,
        roles: facts.roles,
    }
}

/// Shows what would be written to the person's files, asks, and writes it.
fn fix(ctx: &Ctx, args: &Doctor, facts: &ProgramFacts, found: &mut [Obstacle]) -> Result<()> {
    let home = PathBuf::from(ctx.var("HOME").unwrap_or_default());
    for fix in agents::fixes(facts, found)? {
        if !ctx.global.json {
            super::print(&format!("{}:\n", super::doctor::at_home(ctx, &fix.file)))?;
            fix.shown.iter().try_for_each(|line| super::print(&format!("  {line}\n")))?;
        }
        if args.dry.dry_run {
            continue;
        }
        let why = match args.yes {
            true => None,
            false => match ctx.ask("change it? a copy is kept beside it")? {
                Some(true) => None,
                Some(false) => Some("not changed".to_string()),
                None => {
                    Some("not changed: there is no terminal to ask on; run the same with: --yes".to_string())
                }
            },
        };
        let written = match why {
            Some(why) => Err(why),
            None => fix.write(&facts.program, &home).map_err(|error| crate::work::setup::doctor::why(&error)),
        };
        if let (Ok(Some(copy)), false) = (&written, ctx.global.json) {
            ctx.note(&format!("what it was is kept in {}", super::doctor::at_home(ctx, copy)));
        }
        for Finding { status, hint, .. } in
            found.iter_mut().filter(|one| one.file == fix.file).map(|one| &mut one.finding)
        {
            match &written {
                Ok(_) => *status = CheckStatus::Fixed,
                Err(why) => *hint = Some(why.clone()),
            }
        }
    }
    Ok(())
}

/// Points to `gt doctor --agents` when it would find that a program of polecats in these rigs, or of these roles, does not
/// begin by itself: a few files are read, and no process is started. `agent` is the runtime, when that was said by hand.
pub fn point(ctx: &Ctx, town: &Town, rigs: &[Rig], roles: &[Role], agent: Option<&str>) {
    if ctx.global.json || !ctx.is_person() {
        return;
    }
    let sources = ctx.sources(town, None);
    let visit = AgentVisit { rigs, sources: &sources, env: &ctx.env, roles, agent };
    // What is wrong with the settings is said by the command that needs them.
    let used = agents::used(&visit).unwrap_or_default();
    let is_stopped =
        |facts: &&ProgramFacts| facts.path.is_some() && !first_start::obstacles(facts).is_empty();
    if let Some(facts) = used.iter().find(is_stopped) {
        ctx.note(&format!("{} would not begin by itself; see why with: gt doctor --agents", facts.program));
    }
}

/// The same for agents that were started.
pub fn point_for(ctx: &Ctx, town: &Town, started: &[Address]) {
    let roles: Vec<Role> = started.iter().filter_map(Address::role).collect();
    // A rig that cannot be read is a failure of its own.
    let rigs = town.rigs(&mut Failures::default()).unwrap_or_default();
    point(ctx, town, &rigs, &roles, None);
}
