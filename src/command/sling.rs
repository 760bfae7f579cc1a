//! `gt sling`, `gt spawn`.

use anyhow::Result;

use super::{Ctx, doctor_agents, print, print_json};
use crate::base::failure::{Exit, Failure, Failures};
use crate::base::grammar::short;
use crate::cli::work::{Sling, SlingHow, Spawn};
use crate::config::Settings;
use crate::model::bead::NewBead;
use crate::mux::Mux;
use crate::plan::may_sling::Allowed;
use crate::town::{Rig, Town};
use crate::work::observe::who;
use crate::work::polecat::queued::WaitingBead;
use crate::work::polecat::sling::words::{KnownNames, SlingWords, read};
use crate::work::polecat::sling::{
    Order, Outcome, Site, Slung, WhenFull, check_new, check_restart, plan, sling,
};

/// Gives beads to new polecats.
///
/// # Errors
/// A bead that cannot be slung, a full rig, or what git and tmux said.
pub fn run(ctx: &Ctx, args: Sling) -> Result<Exit> {
    let town = ctx.town()?;
    let asked = understand(ctx, &town, &args.words, args.new.as_deref())?;
    go(ctx, &town, asked, &args.how)
}

/// The documents' other form of the same.
///
/// # Errors
/// As [`run`].
pub fn spawn(ctx: &Ctx, args: Spawn) -> Result<Exit> {
    let town = ctx.town()?;
    let words: Vec<String> = std::iter::once(args.issue).chain(args.rig).collect();
    let asked = understand(ctx, &town, &words, None)?;
    if let Some(title) = &asked.title {
        return Err(Failure::usage(format!("'{title}' is no bead"))
            .hint("gt spawn --issue ID [--rig RIG]")
            .into());
    }
    go(ctx, &town, asked, &args.how)
}

/// Reads the words against what is known of the rigs. Those that cannot be read are named where a word is not understood.
fn understand(ctx: &Ctx, town: &Town, words: &[String], new: Option<&str>) -> Result<SlingWords> {
    let mut failures = Failures::default();
    let known = known(ctx, town, words, &mut failures)?;
    failures.beside(read(words, new, &known).map_err(Into::into))
}

/// What words are read against: rigs, their prefixes, and the rig that the last word is a path into.
///
/// # Errors
/// When the list of rigs or the settings cannot be read.
fn known(ctx: &Ctx, town: &Town, words: &[String], failures: &mut Failures) -> Result<KnownNames> {
    let rigs = town.rigs(failures)?;
    let ids = words.iter().map(String::as_str).filter(|word| rigs.iter().all(|rig| rig.name != *word));
    let prefixes = who::prefixes(&ctx.sources(town, None), &rigs, ids)?;
    let path_rig = words
        .last()
        .filter(|word| word.contains('/') || word.starts_with('.'))
        .and_then(|word| super::rig_of_path(town, &ctx.dir.join(word)));
    Ok(KnownNames { prefixes, rigs: town.rig_names()?, path_rig })
}

/// Checks a restart of a polecat on its bead before its session is stopped.
///
/// # Errors
/// What the start would fail with.
pub fn check_restarts(ctx: &Ctx, town: &Town, rig: &str, name: &str, bead: &str) -> Result<()> {
    let rig = town.rig(rig)?;
    let (settings, mux) = (ctx.settings(town, Some(&rig))?, ctx.mux(town)?);
    let site = site(ctx, town, &rig, &settings, mux.as_ref())?;
    let allowed = Allowed { resume: true, ..Allowed::default() };
    let order = Order { beads: vec![bead.into()], allowed, ..Order::default() };
    check_restart(&site, &order, name)
}

fn site<'a>(
    ctx: &'a Ctx,
    town: &'a Town,
    rig: &'a Rig,
    settings: &'a Settings,
    mux: &'a dyn Mux,
) -> Result<Site<'a>> {
    let (sources, store) = (ctx.sources(town, Some(rig)), rig.store(&ctx.me()?.address)?);
    Ok(Site { town, rig, settings, sources, mux, env: &ctx.env, store })
}

fn go(ctx: &Ctx, town: &Town, asked: SlingWords, how: &SlingHow) -> Result<Exit> {
    let rig = ctx.rig(town, asked.rig.as_deref())?;
    let (settings, mux) = (ctx.settings(town, Some(&rig))?, ctx.mux(town)?);
    let site = site(ctx, town, &rig, &settings, mux.as_ref())?;
    let mut order = Order { beads: asked.beads, name: asked.name, ..order(how)? };
    // A name is given by hand, for now.
    if !how.now && order.name.is_none() {
        order.when_full = WhenFull::Queue;
    }
    if let Some(title) = &asked.title {
        check_new(&site, &order, title)?;
    }
    if how.dry.dry_run {
        return dry_run(ctx, &site, &order, asked.title.as_deref());
    }
    let mut around = None;
    if let Some(title) = &asked.title {
        let made = site.create(title)?;
        ctx.note(&format!("made {}: {}", made.id, NewBead::titled(title).title));
        order.beads.push(made.id);
        around = made.around;
    }
    let slung = sling(&site, &order, around)?;
    ctx.keep_exports(town, Some(&rig));
    if slung.slung.iter().any(|one| one.place.remote.is_none()) {
        doctor_agents::point(ctx, town, std::slice::from_ref(&rig), &[], how.agent.as_deref());
    }
    report(ctx, &rig.name, slung)
}

/// How beads are to be started.
fn order(how: &SlingHow) -> Result<Order> {
    let by_hand = [
        how.agent.clone().map(|agent| ("agent", agent)),
        how.permissions.clone().map(|level| ("permissions", level)),
    ];
    Ok(Order {
        allowed: Allowed { force: how.force, resume: how.resume },
        asked: by_hand.into_iter().flatten().collect(),
        presets: how.preset.clone(),
        wish: super::elsewhere::wish(&how.elsewhere, how.fallback, how.dry.dry_run)?,
        flags: how.flags(),
        ..Order::default()
    })
}

/// Starts beads that wait for a place, those that have one, and leaves the others as they are.
///
/// # Errors
/// As [`run`].
pub fn start_waiting(
    ctx: &Ctx,
    town: &Town,
    rig: &Rig,
    beads: Vec<String>,
    how: &SlingHow,
) -> Result<Outcome> {
    let settings = ctx.settings(town, Some(rig))?;
    let mux = ctx.mux(town)?;
    let site = site(ctx, town, rig, &settings, mux.as_ref())?;
    let order = Order { beads, when_full: WhenFull::Leave, ..order(how)? };
    if how.dry.dry_run { plan(&site, &order) } else { sling(&site, &order, None) }
}

fn dry_run(ctx: &Ctx, site: &Site<'_>, order: &Order, title: Option<&str>) -> Result<Exit> {
    if let Some(title) = title {
        let title = NewBead::titled(title).title;
        if ctx.global.json {
            print_json("plan", &serde_json::json!([{ "create": title, "rig": site.rig.name }]))?;
        } else {
            print(&format!("would make a bead in {}: {title}\nwould sling it\n", site.rig.name))?;
        }
        return Ok(Exit::Done);
    }
    would_start(ctx, plan(site, order)?)
}

/// Says what would be started, and what would wait.
///
/// # Errors
/// What cannot be started.
pub fn would_start(ctx: &Ctx, planned: Outcome) -> Result<Exit> {
    if ctx.global.json {
        print_json("plan", &all(&planned)?)?;
    } else {
        planned.slung.iter().try_for_each(|one| print(&steps(one)))?;
        for WaitingBead { bead, title, waits, .. } in &planned.waiting {
            print(&format!("{bead}  {title}\n  would wait: {waits}\n"))?;
        }
        planned.slung.iter().flat_map(|one| &one.notes).for_each(|note| ctx.note(note));
    }
    failed(planned.failed)?;
    Ok(Exit::Done)
}

/// What came of each bead, as JSON.
fn all(outcome: &Outcome) -> Result<Vec<serde_json::Value>> {
    let slung = outcome.slung.iter().map(serde_json::to_value);
    Ok(slung.chain(outcome.waiting.iter().map(serde_json::to_value)).collect::<Result<_, _>>()?)
}

fn failed(failed: Vec<(String, anyhow::Error)>) -> Result<()> {
    let mut failures = Failures::default();
    for (_, error) in failed {
        failures.keep::<()>(Err(error));
    }
    failures.end(|count| format!("{count} beads cannot be slung"))
}

/// The steps as a person reads them.
fn steps(one: &Slung) -> String {
    let presets = one.presets.join(", ");
    let prompt = if one.prompt.is_empty() { "none: it reads its hook" } else { "its bead and what to do" };
    let there = one.place.remote.as_ref().map(|remote| format!(" on {}", remote.name)).unwrap_or_default();
    let steps = [
        ("look", "it can be slung".to_string()),
        ("name", one.address.clone()),
        ("place", worktree(one)),
        ("hook", format!("{} to {}", one.bead, one.address)),
        ("session", format!("{} running {}{there} (presets: {presets})", one.session, one.agent)),
        ("prompt", prompt.to_string()),
    ];
    let lines =
        steps.iter().enumerate().map(|(number, (name, what))| format!("  {} {name:<8} {what}\n", number + 1));
    let why: String = match one.place.is_plain() {
        true => String::new(),
        false => one.place.why.iter().map(|why| format!("             {why}\n")).collect(),
    };
    let where_to = one.place.remote.as_ref().map_or("here", |remote| &remote.name);
    let why = if why.is_empty() { why } else { format!("  where it runs: {where_to}\n{why}") };
    format!("{}  {}\n{}{why}", one.bead, one.title, lines.collect::<String>())
}

fn worktree(one: &Slung) -> String {
    if one.place.remote.is_some() {
        return format!("over there: {} on {} from {}", one.worktree, one.branch, one.base);
    }
    match one.begin {
        "again" => format!("go on in {}", one.worktree),
        "earlier" => format!(
            "make {} on {} from {}, replayed onto the target",
            one.worktree,
            one.branch,
            short(&one.base)
        ),
        _ => format!("fetch, make {} on {} from {}", one.worktree, one.branch, one.base),
    }
}

/// Says what was started, and what waits: exit 3 then.
///
/// # Errors
/// What could not be started.
pub fn report(ctx: &Ctx, rig: &str, outcome: Outcome) -> Result<Exit> {
    if ctx.global.json {
        print_json("slung", &all(&outcome)?)?;
    } else {
        for one in &outcome.slung {
            let there = one.place.remote.as_ref().map(|remote| format!(" on {}", remote.name));
            print(&format!("{}  {}{}  {}\n", one.bead, one.address, there.unwrap_or_default(), one.title))?;
            if let Some(by_hand) = &one.by_hand {
                ctx.note(&format!("{}: run its agent by hand:", by_hand.why));
                print(&format!("{}\n", by_hand.command))?;
            }
            if !one.conflicts.is_empty() {
                let files = one.conflicts.join(", ");
                ctx.note(&format!(
                    "the earlier attempt conflicts with the target in {files}: the agent begins there"
                ));
            }
            if one.under_way {
                ctx.note(&format!(
                    "{}: its place over there is still being made; see how it goes: gt attach {}",
                    one.address, one.address
                ));
            }
            one.notes.iter().for_each(|note| ctx.note(note));
            if let Some(why) = &one.unconfirmed {
                ctx.note(&format!("{}: the first prompt was not seen to arrive: {why}", one.address));
            }
        }
    }
    for WaitingBead { bead, title, waits, .. } in outcome.waiting.iter().filter(|_| !ctx.global.json) {
        print(&format!("{bead}  waits: {waits}  {title}\n"))?;
    }
    let unconfirmed = outcome.slung.iter().any(|one| one.unconfirmed.is_some());
    let waits = !outcome.waiting.is_empty();
    if waits && !rig.is_empty() {
        ctx.note(&format!(
            "the deacon starts it once there is a place; by hand: gt dispatch {rig}; see what waits with: gt queue {rig}"
        ));
    }
    failed(outcome.failed)?;
    Ok(match (unconfirmed, waits) {
        (_, true) => Exit::Queued,
        (true, false) => Exit::Unconfirmed,
        (false, false) => Exit::Done,
    })
}
