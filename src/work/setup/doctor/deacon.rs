//! The deacon: whether it answers and looks, and whether its service could start it.

use std::path::Path;

use super::Visit;
use crate::base::grammar::count;
use crate::base::{files, time};
use crate::config;
use crate::model::address::Address;
use crate::plan::doctor::{DeaconSeen, Thing, deacon_fault};
use crate::programs::service::{self, Manager, is_given, is_missed};
use crate::town::deacon::{self, DeaconFile};

/// What is wrong with the deacon of a town, and what a person should know of it.
pub fn look(visit: &Visit<'_>) -> (Vec<Thing>, Vec<String>) {
    let town = &visit.town;
    let runs = deacon::runs(&town.root);
    let asked = || -> Option<i64> {
        let answer = DeaconFile::read(&town.root)?.ask(deacon::STATUS).ok()?;
        let status: serde_json::Value = serde_json::from_str(&answer).ok()?;
        // One that begins has not looked yet.
        Some(time::seconds_between(status["looked"].as_str()?, &time::now()).unwrap_or(0))
    };
    let seen = DeaconSeen { runs, process: deacon::holder(&town.root), looked: runs.then(asked).flatten() };
    let (mut things, mut notes) = (Vec::from_iter(deacon_fault(&seen)), Vec::new());
    let own = Address::Deacon.to_string();
    let mark = town.mark();
    let agents = visit.sessions.ours(&mark).filter(|one| one.alive() && one.marks.address != own).count();
    if !runs && agents > 0 && config::settings(&visit.sources).is_ok_and(|settings| settings.up.deacon) {
        notes.push(format!(
            "no deacon runs beside {}: what is handed in waits for you, and so does what crashes; start it with: gt daemon start",
            count(agents, "agent")
        ));
    }
    if !town.id.is_empty() {
        of_service(visit, &mut things, &mut notes);
    }
    (things, notes)
}

/// The same of a service that `gt daemon install` wrote.
fn of_service(visit: &Visit<'_>, things: &mut Vec<Thing>, notes: &mut Vec<String>) {
    let (manager, town) = (Manager::of_system(), &visit.town);
    let file = service::file(manager, &town.id, |name| visit.sources.var(name).map(String::from));
    let text = file.and_then(|file| files::text(&file).ok().flatten());
    let Some(text) = text.filter(|text| text.contains(service::OURS)) else { return };
    let label = service::label(manager, &town.id);
    let program = service::program_in(manager, &text).unwrap_or_default();
    if !Path::new(&program).exists() {
        let help = "write it again, with the gt that is to run: gt daemon install".to_string();
        things.push(Thing::Want(format!("The service {label} starts {program}, which is gone"), help));
    }
    let variables = match manager {
        Manager::Systemd => files::text(&town.root.join(service::VARIABLES)).ok().flatten(),
        Manager::Launchd => Some(text),
    };
    let Some(variables) = variables else {
        let what = format!("The variables of the service {label} are gone: {}", service::VARIABLES);
        things.push(Thing::Want(what, "write them again with: gt daemon install".into()));
        return;
    };
    let mut names = service::names_in(manager, &variables);
    let set = visit.sources.env.iter().map(|(name, _)| name.as_str());
    let missed: Vec<&str> =
        set.filter(|name| is_missed(name) && !names.iter().any(|own| own == name)).collect();
    if missed.is_empty() {
        return;
    }
    let list = missed.join(", ");
    // An install asks for all of them anew.
    names.retain(|name| !is_given(name));
    names.extend(missed.iter().map(ToString::to_string));
    notes.push(format!(
        "agents that the service {label} starts do not have {list}, set here; give it to them with: gt daemon install --env {}",
        names.join(" --env ")
    ));
}
