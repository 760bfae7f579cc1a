//! `gt plan`: what `gt apply` would do.

use anyhow::Result;

use super::{Ctx, print_json, roles};
use crate::base::failure::{Exit, Failure, hint_of};
use crate::base::terminal;
use crate::cli::roles::PlanArgs;
use crate::model::address::Address;
use crate::mux::{self, Depth, Mux, Snapshot};
use crate::plan::diff::{Plan, PlanLine, Sign};
use crate::report;
use crate::town::Town;
use crate::town::wish::{self, DownList};
use crate::work::agent::up::{self, Wishes};

/// Runs it.
///
/// # Errors
/// What keeps it from knowing what should run, or what does.
pub fn run(ctx: &Ctx, args: &PlanArgs) -> Result<Exit> {
    let town = ctx.town()?;
    let named = named(ctx, &town, &args.addresses)?;
    let mut view = PlanView::take(ctx, town, &named, &args.preset)?;
    let mut down = wish::read(&view.town)?;
    lift(&mut down, &named, false);
    let plan = view.plan(&down, args.restart)?;
    show(ctx, &view, &down, &plan)
}

/// What should run and what does, seen at the same time.
pub struct PlanView {
    /// The town.
    pub town: Town,
    /// What keeps its sessions.
    pub mux: Box<dyn Mux>,
    /// What was seen.
    pub snapshot: Snapshot,
    /// What should run.
    pub wishes: Wishes,
}

impl PlanView {
    /// Looks. The look is under way while settings and presets are read.
    ///
    /// # Errors
    /// Broken settings; a multiplexer that cannot be asked: what runs is not known then, and nothing is planned.
    pub fn take(ctx: &Ctx, town: Town, named: &[Address], presets: &[String]) -> Result<PlanView> {
        let mux = ctx.mux(&town)?;
        let looking = mux.begin_look(Depth::Windows)?;
        let (sources, up) = (ctx.sources(&town, None), ctx.settings(&town, None)?.up);
        let mut wishes = up::wishes(&ctx.env, &sources, &town, &up, named, presets)?;
        let snapshot = looking.wait()?;
        roles::known(&snapshot)?;
        wishes.meet(&town, &snapshot);
        Ok(PlanView { town, mux, snapshot, wishes })
    }

    /// Looks at what runs alone, as closely as can be.
    ///
    /// # Errors
    /// A multiplexer that cannot be asked.
    pub fn look(ctx: &Ctx, town: Town) -> Result<PlanView> {
        let mux = ctx.mux(&town)?;
        let snapshot = mux.begin_look(Depth::Places)?.wait()?;
        roles::known(&snapshot)?;
        Ok(PlanView { town, mux, snapshot, wishes: Wishes::default() })
    }

    /// The plan. Where panes are, and what runs in those of a person, counts only where a session that runs is changed: it
    /// is looked at then, and planned again.
    ///
    /// # Errors
    /// A multiplexer that cannot be asked.
    pub fn plan(&mut self, down: &DownList, restart: bool) -> Result<Plan> {
        let plan = self.wishes.plan(&self.town, down, &self.snapshot, restart);
        if plan.lines.iter().all(|line| line.live.is_empty()) {
            return Ok(plan);
        }
        self.snapshot = self.mux.begin_look(Depth::Places)?.wait()?;
        roles::known(&self.snapshot)?;
        self.wishes.meet(&self.town, &self.snapshot);
        Ok(self.wishes.plan(&self.town, down, &self.snapshot, restart))
    }
}

/// The agents that are named.
///
/// # Errors
/// What is no address, or one of a polecat or the person.
pub fn named(ctx: &Ctx, town: &Town, words: &[String]) -> Result<Vec<Address>> {
    let mut named: Vec<Address> = Vec::new();
    for word in words {
        let address = ctx.agent(town, word)?;
        crate::work::agent::roles::role_of(&address)?;
        if !named.contains(&address) {
            named.push(address);
        }
    }
    Ok(named)
}

/// Takes back what was taken down: those that are named, or with `all` the town.
pub fn lift(down: &mut DownList, named: &[Address], all: bool) {
    named.iter().for_each(|address| down.one_up(&address.to_string()));
    if all && named.is_empty() {
        down.all_up();
    }
}

/// Prints a plan. Exit 1 when somebody's session could not be worked out.
///
/// # Errors
/// When standard output cannot take it.
pub fn show(ctx: &Ctx, view: &PlanView, down: &DownList, plan: &Plan) -> Result<Exit> {
    let failed = failures(ctx, view) | cannot_start(ctx, view, plan);
    if ctx.global.json {
        print_json("plan", plan)?;
    } else {
        terminal::print(report::plan::plan(plan, &ctx.screen()))?;
    }
    around(ctx, view, down, plan, failed);
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

/// Says what a plan does not: who is down, that nothing is to be done, what cannot be seen.
pub fn around(ctx: &Ctx, view: &PlanView, down: &DownList, plan: &Plan, failed: bool) {
    if ctx.global.json {
        return;
    }
    if let Some(why) = &view.snapshot.minimal {
        ctx.note(&format!("minimal mode: {why}; what runs cannot be seen"));
    }
    let (named, all): (Vec<&str>, Vec<&str>) =
        plan.down.iter().map(String::as_str).partition(|address| down.agents.contains(*address));
    if !all.is_empty() {
        ctx.note(&format!("down: {} (bring up with: gt up)", all.join(", ")));
    }
    if !named.is_empty() {
        ctx.note(&format!("down: {} (bring up with: gt up {})", named.join(", "), named.join(" ")));
    }
    if !plan.is_empty() || failed {
        return;
    }
    let else_ = if plan.lines.iter().any(|line| line.held.is_some()) { "else " } else { "" };
    ctx.note(&match plan.good {
        0 => format!("nothing {else_}to do"),
        1 => format!("nothing {else_}to do: 1 session runs as asked for"),
        good => format!("nothing {else_}to do: {good} sessions run as asked for"),
    });
}

/// Says whose sessions could not be worked out.
pub fn failures(ctx: &Ctx, view: &PlanView) -> bool {
    let mut failed = false;
    for wish in &view.wishes.wanted {
        if let Err(error) = &wish.prepared {
            failed = true;
            complain(ctx, &wish.address.to_string(), error);
        }
    }
    failed
}

/// Says which of the sessions that are to be started in tmux could not be: a program or a folder is missing.
fn cannot_start(ctx: &Ctx, view: &PlanView, plan: &Plan) -> bool {
    let starts = |line: &&PlanLine| (line.sign == Sign::Start && line.acts()) || line.restarts();
    let mut failed = false;
    for line in plan.lines.iter().filter(starts).filter(|_| view.snapshot.minimal.is_none()) {
        let spec = view.wishes.prepared(&line.address).map(|prepared| &prepared.spec);
        if let Some(Err(error)) = spec.filter(|spec| spec.away.is_none()).map(mux::tmux::check) {
            failed = true;
            complain(ctx, &line.address, &error);
        }
    }
    failed
}

/// Says what went wrong with one of several, and goes on.
pub fn complain(ctx: &Ctx, address: &str, error: &anyhow::Error) {
    let failure = Failure { hint: hint_of(error), ..Failure::new(format!("{address}: {error:#}")) };
    super::complain(&failure.into(), ctx.global.json);
}
