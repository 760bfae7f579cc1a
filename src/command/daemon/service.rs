//! `gt daemon install` and `uninstall`: the deacon as a service of the person.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::json;

use super::{comes, end, start};
use crate::base::failure::Exit;
use crate::base::files;
use crate::command::{Ctx, print, print_json, would};
use crate::programs::service::{self, DeaconService, Manager, is_given, is_missed};
use crate::town::Town;
use crate::work::agent::own_path;

/// Writes the service's files and has it started; `asked` are variables that its agents get besides.
///
/// # Errors
/// What cannot be written, or the manager's own.
pub fn install(ctx: &Ctx, town: &Town, asked: &[String], dry_run: bool) -> Result<Exit> {
    let manager = service::manager()?;
    let files = ServiceFiles::of(ctx, town, manager)?;
    let mut names: Vec<&str> = ctx.env.keys().map(String::as_str).filter(|name| is_given(name)).collect();
    for name in asked {
        if ctx.var(name).is_none() {
            crate::fail!("{name} is not set here"; "set it, or leave it out");
        }
        names.push(name);
    }
    let mut missed: Vec<&str> = ctx.env.keys().map(String::as_str).filter(|name| is_missed(name)).collect();
    missed.retain(|name| !names.contains(name));
    missed.sort_unstable();
    let place = files.environment.display();
    if !missed.is_empty() && !dry_run {
        let list = missed.join(", ");
        let question = format!(
            "agents that a service starts do not have {list}: write them into {place}, for you alone?"
        );
        match ctx.ask(&question)? {
            Some(true) => names.append(&mut missed),
            Some(false) => {}
            None => {
                let flags = missed.join(" --env ");
                ctx.note(&format!(
                    "its agents do not have {list}; give them with: gt daemon install --env {flags}"
                ));
            }
        }
    }
    names.sort_unstable();
    names.dedup();
    let environment: BTreeMap<String, String> =
        names.iter().filter_map(|name| Some(((*name).into(), ctx.var(name)?.to_string()))).collect();
    let (gt, root, file) = (own_path()?, town.mark(), files.environment.display().to_string());
    let odd = |text: &str| text.chars().any(char::is_control);
    if let Some(name) = environment.iter().find(|(_, value)| odd(value)).map(|(name, _)| name) {
        crate::fail!("{name} has a line break or another control character in it"; "leave it out");
    }
    if [&gt, &root, &file].into_iter().any(|path| odd(path)) {
        crate::fail!("a path with control characters cannot stand in a service: {root}");
    }
    let of = DeaconService { name: &town.name, id: &town.id, town: &root, gt: &gt, file: &file, environment };
    let label = service::label(manager, &town.id);
    let told = json!({ "service": label, "file": files.service, "environment": names });
    if dry_run {
        return would(ctx, &told, &format!("write {} and have the deacon started", files.service.display()));
    }
    for (path, text) in [(&files.environment, of.variables()), (&files.service, of.text(manager))] {
        if let Some(dir) = path.parent() {
            files::make_dir(dir)?;
        }
        // A file that is there would keep its mode.
        take_away(path)?;
        files::write(path, text)?;
    }
    // The service's takes its place.
    let ran = end(town)?;
    let enabled = service::enable(manager, &label, &files.service.display().to_string());
    if let Err(error) = enabled.and_then(|()| comes(town)) {
        // As it was before.
        let _ = service::disable(manager, &label);
        [&files.service, &files.environment].into_iter().try_for_each(|path| take_away(path))?;
        if ran {
            start(town)?;
        }
        return Err(error);
    }
    if ctx.global.json {
        print_json("service", &told)?;
        return Ok(Exit::Done);
    }
    if manager == Manager::Systemd {
        ctx.note("so that it also runs while you are not logged in: loginctl enable-linger");
    }
    print(&format!("the deacon of {} is a service: {label}\n", town.name))?;
    Ok(Exit::Done)
}

/// Takes the service away.
///
/// # Errors
/// The manager's own; a file that gt did not write.
pub fn uninstall(ctx: &Ctx, town: &Town, dry_run: bool) -> Result<Exit> {
    let manager = service::manager()?;
    let files = ServiceFiles::of(ctx, town, manager)?;
    let installed = files.service.exists();
    let label = service::label(manager, &town.id);
    if dry_run {
        let line = if installed {
            "end the service and take its files away"
        } else {
            "do nothing: there is no service"
        };
        return would(ctx, &json!({ "service": label, "installed": installed }), line);
    }
    if installed {
        // Also where the manager does not answer: what it reads at its next start is gone.
        let disabled = service::disable(manager, &label);
        [&files.service, &files.environment].into_iter().try_for_each(|path| take_away(path))?;
        disabled?;
    }
    if ctx.global.json {
        print_json("service", &json!({ "service": label, "installed": false }))?;
    } else {
        print(if installed {
            "the deacon is no service any more, and has ended\n"
        } else {
            "it is no service\n"
        })?;
    }
    Ok(Exit::Done)
}

fn take_away(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(files::error_of(error, format!("cannot remove {}", path.display())))
        }
        _ => Ok(()),
    }
}

/// The files of a service.
struct ServiceFiles {
    /// The one that its manager reads.
    service: PathBuf,
    /// Its variables, for who is its user alone.
    environment: PathBuf,
}

impl ServiceFiles {
    fn of(ctx: &Ctx, town: &Town, manager: Manager) -> Result<ServiceFiles> {
        let Some(service) = service::file(manager, &town.id, |name| ctx.var(name).map(String::from)) else {
            crate::fail!("there is no folder for services of your own"; "set HOME");
        };
        if files::text(&service)?.is_some_and(|text| !text.contains(service::OURS)) {
            crate::fail!("{} was not written by gt", service.display(); "put it elsewhere first");
        }
        Ok(ServiceFiles { service, environment: town.root.join(service::VARIABLES) })
    }
}
