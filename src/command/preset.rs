//! `gt preset`: which presets there are, whether they are right, and what a role comes to.

use anyhow::Result;
use figment::value::{Dict, Value};
use serde::Serialize;

use super::layers::{home, say_inert, sources};
use super::{Ctx, preset_new, print, print_json};
use crate::base::failure::{Exit, Failure, Failures};
use crate::base::terminal;
use crate::beads::Filter;
use crate::cli::town::{PresetArgs, PresetCommand};
use crate::config::explain::{self, Explained, Said, explain, shown};
use crate::config::{self, ResolvedRole, Sources, Stack, presets};
use crate::model::address::Role;
use crate::model::bead::Bead;
use crate::report;
use crate::report::text::Cell;
use crate::work::observe::who;

/// Runs it.
///
/// # Errors
/// A broken file, or a name that is not known.
pub fn run(ctx: &Ctx, args: PresetArgs) -> Result<Exit> {
    match args.command {
        PresetCommand::List { rig } => list(ctx, &sources(ctx, rig.as_deref())?)?,
        PresetCommand::Show { name, rig } => show(ctx, &sources(ctx, rig.as_deref())?, &name)?,
        PresetCommand::Check { names, rig } => return check(ctx, &sources(ctx, rig.as_deref())?, &names),
        PresetCommand::Schema => return preset_new::schema(ctx),
        PresetCommand::New(args) => return preset_new::new(ctx, &args),
        PresetCommand::Explain { what, rig, bead, preset } => {
            explain_role(ctx, &what, rig.as_deref(), bead.as_deref(), &preset)?;
        }
    }
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct Listed {
    name: String,
    description: String,
    from: Vec<String>,
}

fn list(ctx: &Ctx, sources: &Sources) -> Result<()> {
    let home = home(ctx);
    let mut listed = Vec::new();
    for (name, origins) in presets::list(sources)? {
        let said = |layers: Vec<config::Layer>| {
            let text = |layer: &config::Layer| Some(layer.values.get("description")?.as_str()?.to_string());
            layers.iter().rev().find_map(text).unwrap_or_default()
        };
        let description = match presets::files(sources, &name) {
            Ok(layers) => said(layers),
            Err(_) => format!("broken: gt preset check {name}"),
        };
        let from = origins.iter().map(|origin| origin.shown(home.as_deref())).collect();
        listed.push(Listed { name, description, from });
    }
    if ctx.global.json {
        return print_json("presets", &listed);
    }
    let row = |preset: &Listed| -> Vec<Cell> {
        vec![preset.name.clone().into(), preset.description.clone().into(), preset.from.join(", ").into()]
    };
    let rows: Vec<Vec<Cell>> = listed.iter().map(row).collect();
    let screen = report::Screen { width: usize::MAX, ..ctx.screen() };
    terminal::print(screen.table(&["NAME", "WHAT", "FROM"], &rows, 1))
}

fn show(ctx: &Ctx, sources: &Sources, name: &str) -> Result<()> {
    let merged = explain::hidden_in("", presets::merged(sources, name)?);
    if ctx.global.json {
        return print_json("preset", &merged);
    }
    print(&toml::to_string(&merged)?)
}

#[derive(Serialize)]
struct CheckedFile {
    preset: String,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

fn check(ctx: &Ctx, sources: &Sources, names: &[String]) -> Result<Exit> {
    let mut checked = Vec::new();
    let mut add = |preset: &str, result: Result<()>| {
        let error = result.err();
        let failure = error.as_ref().and_then(|error| error.downcast_ref::<Failure>());
        checked.push(CheckedFile {
            preset: preset.into(),
            ok: error.is_none(),
            error: error.as_ref().map(ToString::to_string),
            hint: failure.and_then(|failure| failure.hint.clone()),
        });
    };
    if names.is_empty() {
        add("settings", presets::check_settings(sources));
        for name in presets::list(sources)?.keys() {
            add(name, presets::check(sources, name));
        }
    }
    for name in names {
        let is_path = name.contains('/') || name.ends_with(".toml");
        let result = if is_path {
            presets::check_file(sources, &ctx.dir.join(name))
        } else {
            presets::check(sources, name)
        };
        add(name, result);
    }
    if ctx.global.json {
        print_json("checks", &checked)?;
    } else {
        print(&lines(&checked))?;
    }
    Ok(if checked.iter().all(|checked| checked.ok) { Exit::Done } else { Exit::Failed })
}

/// A line for each; a mistake that several share, in the settings under them, is said once.
fn lines(checked: &[CheckedFile]) -> String {
    let mut text = String::new();
    for (place, one) in checked.iter().enumerate() {
        let Some(error) = &one.error else {
            text.push_str(&format!("ok      {}\n", one.preset));
            continue;
        };
        let same = |other: &&CheckedFile| other.error.as_ref() == Some(error);
        if checked[..place].iter().any(|other| same(&other)) {
            continue;
        }
        text.push_str(&format!("wrong   {}: {error}\n", one.preset));
        let others: Vec<&str> =
            checked[place + 1..].iter().filter(same).map(|one| one.preset.as_str()).collect();
        if !others.is_empty() {
            text.push_str(&format!("        so are: {}\n", others.join(", ")));
        }
        text.extend(one.hint.as_ref().map(|hint| format!("        hint: {hint}\n")));
    }
    text
}

#[derive(Serialize)]
struct ExplainedRole {
    role: Role,
    presets: Vec<String>,
    values: Vec<Explained>,
}

/// Who said what of a role's values.
///
/// # Errors
/// A role or key that there is not, with the nearest one.
pub(super) fn explain_role(
    ctx: &Ctx,
    what: &str,
    rig: Option<&str>,
    bead: Option<&str>,
    asked: &[String],
) -> Result<()> {
    let name = what.split('.').next().unwrap_or_default();
    let Some(role) = Role::parse(name) else {
        let known = Role::ALL.map(Role::as_str).join(", ");
        return Err(Failure::usage(format!("there is no role '{name}'"))
            .hint(format!("roles are {known}; a preset's own files: gt preset show NAME"))
            .into());
    };
    let (sources, bead) = match bead {
        Some(id) => find_bead(ctx, rig, id)?,
        None => (sources(ctx, rig)?, None),
    };
    let (stack, names) = config::role_stack(&sources, role, asked, bead.as_ref())?;
    let resolved = config::resolve(&stack, role, names.clone())?;
    let home = home(ctx);
    let mut values = explain(&stack, what, home.as_deref());
    by_name(&stack, &resolved, what, home.as_deref(), &mut values);
    if what == role.as_str() {
        values.extend(explain(&stack, &format!("agents.{}", resolved.agent), home.as_deref()));
    } else if values.is_empty() {
        let typed: Dict = [(role.to_string(), Value::serialize(resolved.settings)?)].into();
        let optional = config::schema::ROLE_UNSET.map(|key| format!("{role}.{key}"));
        let optional: Vec<&str> = optional.iter().map(String::as_str).collect();
        values = explain::unsaid(&typed, &optional, what)?;
    }
    say_inert(ctx, &sources, &values);
    if ctx.global.json {
        return print_json("explain", &ExplainedRole { role, presets: names, values });
    }
    if what == role.as_str() {
        return print(&format!("# presets: {}\n{}", names.join(", "), report::config::values(&values, true)));
    }
    print(&report::config::explained(&values))
}

/// The address of a role that comes by a remote's name: said by whoever named the remote.
fn by_name(
    stack: &Stack,
    resolved: &ResolvedRole,
    what: &str,
    home: Option<&std::path::Path>,
    values: &mut Vec<Explained>,
) {
    let key = format!("{}.fugue_addr", resolved.role);
    let Some(address) = &resolved.settings.fugue_addr else { return };
    let said = stack.value(&key).and_then(Value::into_string);
    if (what != key && what != resolved.role.as_str()) || said.as_ref() == Some(address) {
        return;
    }
    let address = Value::from(address.as_str());
    let named = explain(stack, &format!("{}.remote", resolved.role), home).pop();
    let from =
        named.map(|named| format!("remote = {}, {}", shown(&named.value), named.from)).unwrap_or_default();
    let at = values.iter().position(|one| one.key >= key).unwrap_or(values.len());
    if values.get(at).is_none_or(|one| one.key != key) {
        values.insert(at, Explained { key, value: address.clone(), from: String::new(), layers: Vec::new() });
    }
    if let Some(one) = values.get_mut(at) {
        one.layers.push(Said { from: from.clone(), value: address.clone() });
        one.value = address;
        one.from = from;
    }
}

/// A bead, and where configuration for it is looked for: in its own rig, known by the prefix of its id.
fn find_bead(ctx: &Ctx, rig: Option<&str>, id: &str) -> Result<(Sources, Option<Bead>)> {
    let town = ctx.town()?;
    let me = ctx.me()?.address;
    let mut failures = Failures::default();
    let rig = match rig {
        Some(name) => Some(ctx.rig(&town, Some(name))?),
        None => {
            let rigs = town.rigs(&mut failures)?;
            let prefixes = who::prefixes(&ctx.sources(&town, None), &rigs, [id])?;
            rigs.into_iter().find(|rig| prefixes.rigs(id).any(|own| own == rig.name))
        }
    };
    let store = match &rig {
        Some(rig) => rig.store(&me)?,
        None => town.store(&me)?,
    };
    let filter = Filter { ids: vec![id.into()], ..Filter::default() };
    match store.list(&filter)?.pop() {
        Some(bead) => Ok((ctx.sources(&town, rig.as_ref()), Some(bead))),
        None => {
            let none = Failure::new(format!("there is no bead {id}")).hint("see them with: gt bd list");
            failures.beside(Err(none.into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_that_several_presets_share_is_said_once() {
        let one = |preset: &str, error: Option<&str>| CheckedFile {
            preset: preset.into(),
            ok: error.is_none(),
            error: error.map(Into::into),
            hint: error.map(|_| "did you mean 'target'?".into()),
        };
        let shared = Some("merge.tarqet is not a key");
        let all = [one("settings", shared), one("mayor", shared), one("mine", None), one("polecat", shared)];
        insta::assert_snapshot!(lines(&all), @"
        wrong   settings: merge.tarqet is not a key
                so are: mayor, polecat
                hint: did you mean 'target'?
        ok      mine
        ");
    }
}
