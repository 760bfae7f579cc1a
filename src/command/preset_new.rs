//! `gt preset new` and `gt preset schema`: a preset to be filled in, and what an editor needs to help with it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::json;

use super::layers::sources;
use super::{Ctx, print, print_json, would};
use crate::base::failure::{Exit, Failure};
use crate::base::files;
use crate::base::fill;
use crate::cli::town::NewPreset;
use crate::config::{Sources, presets};
use crate::model::address::Role;

/// The JSON Schema of a preset file.
const SCHEMA: &str = include_str!("../../presets/preset.schema.json");
/// Its name beside presets, as their first line has it.
const SCHEMA_FILE: &str = "preset.schema.json";

const STARTER: &str = include_str!("../../templates/preset.toml");

/// Prints the schema.
///
/// # Errors
/// When standard output cannot take it.
pub fn schema(ctx: &Ctx) -> Result<Exit> {
    if ctx.global.json {
        print_json("schema", &serde_json::from_str::<serde_json::Value>(SCHEMA)?)?;
    } else {
        print(SCHEMA)?;
    }
    Ok(Exit::Done)
}

/// Writes a preset to be filled in, and the schema beside it.
///
/// # Errors
/// A name that is none, or taken there; a preset to extend that is not there; a folder that cannot be written.
pub fn new(ctx: &Ctx, args: &NewPreset) -> Result<Exit> {
    if !presets::is_name(&args.name) {
        return Err(Failure::usage(format!("'{}' cannot name a preset", args.name))
            .hint("a name has letters, digits, '-' and '_'")
            .into());
    }
    let sources = sources(ctx, args.rig.as_deref())?;
    for name in &args.extends {
        presets::files(&sources, name)?;
    }
    let folder = folder(&sources, args)?;
    let path = folder.join(format!("{}.toml", args.name));
    if path.exists() {
        return Err(taken(&path, &args.name).into());
    }
    let text = starter(args, &sources)?;
    if args.dry.dry_run {
        let plan = json!({ "path": path, "text": text });
        return would(ctx, &plan, &format!("write {}", path.display()));
    }
    files::make_dir(&folder)?;
    write_new(&path, &text, &args.name)?;
    let schema = folder.join(SCHEMA_FILE);
    if files::text(&schema)?.as_deref() != Some(SCHEMA) {
        files::write(&schema, SCHEMA)?;
    }
    if ctx.global.json {
        print_json("preset", &json!({ "name": args.name, "path": path }))?;
    } else {
        print(&format!("wrote {}\n", path.display()))?;
        ctx.note(&format!("edit it, then check it with: gt preset check {}", args.name));
    }
    Ok(Exit::Done)
}

/// Where it goes: where that was said, else the town's folder, else the person's own.
fn folder(sources: &Sources, args: &NewPreset) -> Result<PathBuf> {
    let rig = sources.rig.as_ref().filter(|_| args.rig.is_some()).map(|(root, _)| root);
    let town = sources.town.as_ref().filter(|_| !args.user);
    let base = match (rig, town, &sources.user) {
        (Some(rig), _, _) => rig.join("config"),
        (None, Some(town), _) => town.join("config"),
        (None, None, Some(user)) => user.clone(),
        (None, None, None) => crate::fail!(
            "there is no place for a preset: neither HOME nor XDG_CONFIG_HOME is set";
            "set HOME, or run it inside a town"
        ),
    };
    Ok(base.join("presets"))
}

/// The text: for the role that the name or what it extends is about, else for polecats.
fn starter(args: &NewPreset, sources: &Sources) -> Result<String> {
    let role = match Role::parse(&args.name) {
        Some(role) => role,
        None => role_of(args, sources)?.unwrap_or(Role::Polecat),
    };
    let extends = match args.extends.as_slice() {
        [] => "# extends = [\"polecat\"]              # presets that come under this one, lowest first"
            .to_string(),
        names => format!("extends = {}", serde_json::to_string(names)?),
    };
    let counts = match Role::parse(&args.name) {
        Some(role) => format!("This counts for every {role}, over what gt has built in."),
        None => format!(
            "This counts when it is asked for: --preset {0}, GASTOWN_PRESET={0}, or presets = [\"{0}\"] under [defaults].",
            args.name
        ),
    };
    let values = [("use", &*counts), ("name", &args.name), ("extends", &extends), ("role", role.as_str())];
    Ok(fill::known(STARTER, &values))
}

/// The first role that what it extends is about.
fn role_of(args: &NewPreset, sources: &Sources) -> Result<Option<Role>> {
    for name in &args.extends {
        let values = presets::merged(sources, name)?;
        let role = Role::ALL.into_iter().find(|role| values.contains_key(role.as_str()));
        if role.is_some() {
            return Ok(role);
        }
    }
    Ok(None)
}

/// Writes a file whole or not at all, and never over one that is there.
fn write_new(path: &Path, text: &str, name: &str) -> Result<()> {
    use std::io::Write;
    let failed = || format!("cannot write {}", path.display());
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut draft = tempfile::Builder::new()
        .prefix(files::ASIDE)
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .tempfile_in(dir)
        .map_err(|error| files::error_of(error, failed()))?;
    draft.write_all(text.as_bytes()).map_err(|error| files::error_of(error, failed()))?;
    draft.as_file().sync_all().map_err(|error| files::error_of(error, failed()))?;
    draft.persist_noclobber(path).map_err(|error| match error.error.kind() {
        ErrorKind::AlreadyExists => taken(path, name).into(),
        _ => files::error_of(error.error, failed()),
    })?;
    files::sync_dir(dir)
}

fn taken(path: &Path, name: &str) -> Failure {
    Failure::new(format!("{} is there already", path.display()))
        .hint(format!("edit it, or choose another name; see what it comes to with: gt preset show {name}"))
}
