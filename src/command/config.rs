//! `gt config`: the settings that count, who said them, and the files they come from.

use anyhow::Result;
use figment::value::Value;
use serde_json::json;

use super::layers::{home, say_inert, sources};
use super::{Ctx, print, print_json};
use crate::base::failure::{Exit, Failures};
use crate::base::files;
use crate::cli::town::{ConfigArgs, ConfigCommand};
use crate::config::explain::{self, Explained, explain};
use crate::config::sources::RIG_POLECAT;
use crate::config::{self, Origin, Settings, Sources};
use crate::model::address::Role;
use crate::report;

/// Runs it.
///
/// # Errors
/// A broken file, or a key that is not known.
pub fn run(ctx: &Ctx, args: ConfigArgs) -> Result<Exit> {
    match args.command {
        ConfigCommand::Show { origin, rig } => show(ctx, origin, rig.as_deref())?,
        ConfigCommand::Explain { key, rig } => explain_key(ctx, &key, rig.as_deref())?,
        ConfigCommand::Set { key, value, unset: _, rig, user, dry } => {
            set(ctx, &key, value.as_deref(), ConfigPlace { rig, user }, dry.dry_run)?;
        }
        ConfigCommand::Path { rig } => path(ctx, rig.as_deref())?,
    }
    Ok(Exit::Done)
}

fn show(ctx: &Ctx, origin: bool, rig: Option<&str>) -> Result<()> {
    let sources = sources(ctx, rig)?;
    let stack = config::settings_stack(&sources)?;
    let settings: Settings = stack.extract()?;
    let values = explain(&stack, "", home(ctx).as_deref());
    match (ctx.global.json, origin) {
        (true, true) => print_json("settings", &values),
        (true, false) => print_json("settings", &explain::hidden("", Value::serialize(settings)?)),
        (false, _) => print(&report::config::values(&values, origin)),
    }
}

fn explain_key(ctx: &Ctx, key: &str, rig: Option<&str>) -> Result<()> {
    // What a rig's config.json says of its polecats is a key of theirs.
    let key = if RIG_POLECAT.contains(&key) { format!("polecat.{key}") } else { key.to_string() };
    let mut sources = sources(ctx, rig)?;
    // The only rig of a town needs no naming.
    let only = match (rig, &sources.rig, &sources.town) {
        (None, None, Some(_)) => {
            Some(ctx.town()?).filter(|town| town.rig_names().is_ok_and(|all| all.len() == 1))
        }
        _ => None,
    };
    let only = only.map(|town| ctx.rig(&town, None)).transpose()?;
    if let Some(rig) = &only {
        sources = rig.sources(&sources);
    }
    let rig = rig.or(only.as_ref().map(|rig| rig.name.as_str()));
    let answered = match Role::parse(key.split('.').next().unwrap_or_default()) {
        Some(_) => super::preset::explain_role(ctx, &key, rig, None, &[]),
        None => explain_setting(ctx, &sources, &key),
    };
    let own = explain::one_of(&sources, &key, home(ctx).as_deref()).ok().flatten();
    for other in over(ctx, &sources, &key, &own.map(|own| own.from).unwrap_or_default())? {
        ctx.note(&format!("{} says {key} = {}", other.from, explain::shown(&other.value)));
    }
    answered
}

fn explain_setting(ctx: &Ctx, sources: &Sources, key: &str) -> Result<()> {
    let stack = config::settings_stack(sources)?;
    let settings: Settings = stack.extract()?;
    let mut values = explain(&stack, key, home(ctx).as_deref());
    if values.is_empty() {
        values = explain::unsaid(&settings, &[], key)?;
    }
    say_inert(ctx, sources, &values);
    if ctx.global.json { print_json("explain", &values) } else { print(&report::config::explained(&values)) }
}

/// The widest value that is shown beside another.
const WIDEST: usize = 80;

/// Whose files are changed: a rig's, the person's own, else the town's.
struct ConfigPlace {
    rig: Option<String>,
    user: bool,
}

fn set(ctx: &Ctx, key: &str, value: Option<&str>, place: ConfigPlace, dry_run: bool) -> Result<()> {
    let all = sources(ctx, place.rig.as_deref())?;
    let rig = all.rig.clone().filter(|_| place.rig.is_some());
    let town = all.town.clone().filter(|_| !place.user);
    let own = Sources { town: town.clone(), rig: rig.clone(), ..all.clone() };
    let _town = town.as_ref().map(|_| ctx.town()?.lock()).transpose()?;
    let _rig = rig.map(|(dir, _)| files::lock(&files::lock_of(&dir.join("config.json")))).transpose()?;
    let change = config::set::change(&own, key, value)?;
    let value = change.value.clone().map(|value| explain::hidden(&change.key, value));
    let answer = if dry_run { "plan" } else { "change" };
    let Some(text) = change.text else {
        if ctx.global.json {
            return print_json(answer, &serde_json::Value::Null);
        }
        ctx.note(&format!("nothing to do: {} needs no change", change.path.display()));
        return Ok(());
    };
    let home = home(ctx);
    let counts = |sources: &Sources| explain::one_of(sources, &change.key, home.as_deref());
    // A file that cannot be read may be what is mended here.
    let was = counts(&all).ok().flatten();
    if !dry_run {
        // A person's own file may be a link into a folder of such files.
        let real = change.path.canonicalize().ok().filter(|_| town.is_none());
        let path = real.as_ref().unwrap_or(&change.path);
        path.parent().map_or(Ok(()), files::make_dir)?;
        files::write(path, &text)?;
    }
    let all = Sources { instead: Some((change.path.clone(), text)), ..all };
    let now = counts(&all).ok().flatten();
    let file = Origin::File(change.path.clone()).shown(home.as_deref());
    let was = was.and_then(|was| below(was, now.as_ref(), &file));
    if ctx.global.json {
        let now = now.as_ref().map(|now| &now.value);
        let change =
            json!({ "key": change.key, "file": change.path, "value": value, "was": was, "now": now });
        print_json(answer, &change)?;
    } else {
        let shown = |value: Option<&Value>| {
            let shown = value.map_or("not set".into(), explain::shown);
            if shown.len() > WIDEST { "another list".into() } else { shown }
        };
        let done = match (&value, dry_run) {
            (Some(value), false) => format!("{} = {}", change.key, explain::shown(value)),
            (Some(value), true) => format!("would set {} = {}", change.key, explain::shown(value)),
            (None, false) => format!("removed {}", change.key),
            (None, true) => format!("would remove {}", change.key),
        };
        let beside = match &change.value {
            Some(_) => format!("was {}", shown(was.as_ref())),
            None => format!("now {}", shown(now.as_ref().map(|now| &now.value))),
        };
        print(&format!("{done} ({beside}) in {file}\n"))?;
    }
    if change.value.is_some() {
        say_inert(ctx, &all, now.as_slice());
        for other in over(ctx, &all, &change.key, &file)? {
            let value = explain::shown(&other.value);
            ctx.note(&format!(
                "warning: {} says {} = {value}, which counts before it",
                other.from, change.key
            ));
        }
    }
    Ok(())
}

/// What counted before, without what comes over the file that was changed, a variable say: that counts still.
fn below(was: Explained, now: Option<&Explained>, file: &str) -> Option<Value> {
    let layers = now.map_or(&[][..], |now| &now.layers);
    match layers.iter().position(|layer| layer.from == file) {
        Some(at) if at + 1 < layers.len() => {
            let own = was.layers.into_iter().find(|layer| layer.from == file);
            own.or_else(|| layers[..at].last().cloned()).map(|layer| layer.value)
        }
        _ => Some(was.value),
    }
}

/// What other places than `from` say of a key, where theirs counts: here, and in each rig when none is meant.
fn over(ctx: &Ctx, all: &Sources, key: &str, from: &str) -> Result<Vec<Explained>> {
    let home = home(ctx);
    let mut views = vec![all.clone()];
    if all.rig.is_none() && all.town.is_some() {
        // What is wrong in one of them is said by doctor.
        let rigs = ctx.town()?.rigs(&mut Failures::default())?;
        views.extend(rigs.into_iter().map(|rig| Sources { rig: Some((rig.root, rig.name)), ..all.clone() }));
    }
    let mut others: Vec<Explained> = Vec::new();
    for one in views.iter().filter_map(|view| explain::one_of(view, key, home.as_deref()).ok().flatten()) {
        if one.key == key && one.from != from && others.iter().all(|other| other.from != one.from) {
            others.push(one);
        }
    }
    Ok(others)
}

fn path(ctx: &Ctx, rig: Option<&str>) -> Result<()> {
    let sources = sources(ctx, rig)?;
    let home = home(ctx);
    let mut files = vec![json!({ "path": "built-in settings.toml", "exists": true })];
    for path in sources.settings_files() {
        let shown = Origin::File(path.clone()).shown(home.as_deref());
        files.push(json!({ "path": shown, "exists": path.exists() }));
    }
    if ctx.global.json {
        return print_json("files", &files);
    }
    let line = |file: &serde_json::Value| {
        let absent = if file["exists"] == true { "" } else { "  (absent)" };
        format!("{}{absent}\n", file["path"].as_str().unwrap_or_default())
    };
    print(&files.iter().map(line).collect::<String>())
}
