//! `gt adopt`.

use anyhow::Result;

use super::{Ctx, print, print_json};
use crate::base::failure::{Exit, Failure, Failures};
use crate::base::terminal;
use crate::cli::queue::AdoptArgs;
use crate::report::adopt as report;
use crate::work::talk::adopt::{self, Foreign};

/// Lists what is foreign; or shows some of it, asks, and makes it this town's.
///
/// # Errors
/// An id that is not foreign, a request whose commit is not to be had, an agent that asks; one that changed meanwhile.
pub fn run(ctx: &Ctx, args: &AdoptArgs) -> Result<Exit> {
    let town = ctx.town()?;
    town.needs_present_layout()?;
    let me = ctx.me()?.address;
    let mut failures = Failures::default();
    let rigs = ctx.rigs(&town, args.rig.as_deref(), &mut failures)?;
    let mut all = adopt::list(&town, rigs, &me, &mut failures);
    // What others wrote as mail is not for a model.
    all.retain(|one| !one.bead.is_mail() || ctx.is_person());
    if args.ids.is_empty() && !args.all {
        let rows: Vec<report::ForeignRow> = all.iter().map(report::ForeignRow::of).collect();
        if ctx.global.json {
            print_json("foreign", &rows)?;
        } else {
            terminal::print(report::list(&rows))?;
        }
        if rows.is_empty() && failures.is_empty() {
            ctx.note("nothing is foreign");
        }
        return super::of_rigs(failures);
    }
    let wanted = failures.beside(chosen(args, all))?;
    let mut shown = Vec::new();
    for one in &wanted {
        let brings = one.brings(&town, &ctx.env, &me)?;
        shown.push(report::ForeignRow::of(one));
        if !ctx.global.json {
            print(&report::show(one, brings.as_ref()))?;
        }
    }
    if !args.dry.dry_run {
        if !args.yes && !wanted.is_empty() {
            ask(ctx, wanted.len())?;
        }
        let mut failures = Failures::default();
        for one in &wanted {
            if failures.keep(one.adopt(&town, &me)).is_some() && !ctx.global.json {
                print(&format!("{}  adopted\n", one.bead.id))?;
            }
        }
        failures.end(|count| format!("{count} were not adopted"))?;
    }
    if ctx.global.json {
        print_json("adopted", &shown)?;
    }
    Ok(Exit::Done)
}

/// Those that are meant.
fn chosen(args: &AdoptArgs, all: Vec<Foreign>) -> Result<Vec<Foreign>> {
    if args.all {
        return Ok(all.into_iter().filter(|one| !one.bead.is_letter()).collect());
    }
    if let Some(id) = args.ids.iter().find(|id| !all.iter().any(|one| one.bead.id == **id)) {
        let known = Failure::new(format!("{id} is not foreign, or is not there"));
        return Err(known.hint("see what is with: gt adopt").into());
    }
    Ok(all.into_iter().filter(|one| args.ids.contains(&one.bead.id)).collect())
}

/// Asks the person.
fn ask(ctx: &Ctx, count: usize) -> Result<()> {
    let what = if count == 1 { "it" } else { "all of them" };
    match ctx.ask(&format!("adopt {what}?"))? {
        Some(true) => Ok(()),
        Some(false) => crate::fail!("not adopted"; "they stay as they are: gt adopt"),
        None => {
            crate::fail!("not adopted: there is no terminal to ask on"; "when you have read {what}, run the same with: --yes")
        }
    }
}
