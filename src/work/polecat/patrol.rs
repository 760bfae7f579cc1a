//! The witness's patrol (`work.md`): code, no model.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::ending::{End, end_polecat};
use crate::base::failure::{Failures, hint_of};
use crate::base::grammar::count;
use crate::base::{files, time};
use crate::beads::Change;
use crate::config::schema::Runtime;
use crate::model::address::{Address, polecat_of};
use crate::model::bead::Bead;
use crate::mux::deliver::{Delivery, deliver};
use crate::plan::patrol::{Climbed, Move, Rung, next_rung};
use crate::plan::place::Seen;
use crate::town::Rig;
use crate::town::events::TownEvent;
use crate::work::agent::handoff::Noted;
use crate::work::observe::scene::Scene;
use crate::work::polecat::names;
use crate::work::talk::mail;

/// What a patrol did about one polecat, or would do.
#[derive(Clone, Debug, Serialize)]
pub struct PatrolFinding {
    /// The polecat's address.
    pub address: String,
    /// The decision.
    #[serde(rename = "move")]
    pub decision: Move,
    /// What was done, in words.
    pub done: String,
    /// Where its commits are kept, when they are in no merged branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery: Option<String>,
}

/// Goes over all polecats of a rig once; with `only`, over that one, and only if that instance still has the name. Gives
/// what was found, and what failed: one polecat's failure stops no other's end.
///
/// # Errors
/// When the lock of patrols cannot be taken.
pub fn patrol(
    scene: &Scene<'_>,
    only: Option<(&str, &str)>,
    dry: bool,
) -> Result<(Vec<PatrolFinding>, Failures)> {
    let (mut findings, mut failures) = (Vec::new(), Failures::default());
    // One patrol of a rig at a time: a session's end and a person may both call for one, and an alarm is said once.
    let lock = if dry { None } else { Some(files::lock(&scene.rig.root.join("witness/patrol.lock"))?) };
    let mut alarms = failures.keep(Alarms::read(scene.rig)).unwrap_or_else(Alarms::mute);
    for name in scene.names() {
        if only.is_some_and(|(wanted, instance)| wanted != name || scene.instance(&name) != instance) {
            continue;
        }
        let decision = scene.decide(&name);
        let mut finding = PatrolFinding {
            address: scene.address(&name).to_string(),
            decision,
            done: String::new(),
            recovery: None,
        };
        if dry {
            finding.done = would(decision).into();
        } else if let Err(error) = act(scene, &name, &mut finding, &mut alarms) {
            let what = failed(decision, &error);
            let help = hint_of(&error).unwrap_or_default();
            finding.done = failures.keep(alarms.climb(scene, &name, &what, &help, None)).unwrap_or(what);
            failures.keep::<()>(Err(error.context(finding.address.clone())));
        }
        for note in scene.notes() {
            finding.done.push_str(&format!("; {note}"));
        }
        findings.push(finding);
    }
    let nudges = failures.keep(alarms.write(scene.rig)).unwrap_or_default();
    if !dry {
        failures.keep(archive(scene, only.map(|(name, _)| name), &findings));
    }
    // A pane may take its time: no other patrol waits for that.
    drop(lock);
    for nudge in nudges {
        let said = nudge.deliver(scene);
        if let Some(finding) = findings.iter_mut().find(|finding| finding.address == nudge.address) {
            finding.done = said;
        }
    }
    Ok((findings, failures))
}

/// Archives the notices of polecats that are gone: what they ask for is done. One write.
fn archive(scene: &Scene<'_>, only: Option<&str>, findings: &[PatrolFinding]) -> Result<()> {
    let there = scene.names();
    let is_gone = |mail: &&Bead| {
        let Some(name) = polecat_of(&scene.rig.name, mail::sender(mail)) else { return false };
        let address = scene.address(&name).to_string();
        let ended = |one: &PatrolFinding| one.address == address && one.done.starts_with(ENDED);
        only.is_none_or(|only| only == name) && (!there.contains(&name) || findings.iter().any(ended))
    };
    let close = |mail: &Bead| Change::Close(mail.id.clone(), "handled by the patrol".into());
    let changes: Vec<Change> = scene.read.notices.iter().filter(is_gone).map(close).collect();
    if !changes.is_empty() {
        scene.store.write(&[], &changes)?;
    }
    Ok(())
}

/// What is said of a polecat that was ended.
const ENDED: &str = "ended";

fn failed(decision: Move, error: &anyhow::Error) -> String {
    let what = match decision {
        Move::End => "it cannot be ended",
        Move::FreeName => "its name cannot be freed",
        _ => "an alarm about it cannot be sent",
    };
    let said = format!("{error:#}");
    format!("{what}: {}", said.lines().next().unwrap_or_default())
}

fn would(decision: Move) -> &'static str {
    match decision {
        Move::Leave => "leave it",
        Move::Unknown => "leave it: cannot be known",
        Move::FreeName => "free the name",
        Move::End => "end it",
        Move::Crashed => "say that it crashed",
        Move::Unstarted => "say that it has no session",
        Move::Stuck => "say that it is stuck",
    }
}

fn act(scene: &Scene<'_>, name: &str, finding: &mut PatrolFinding, alarms: &mut Alarms) -> Result<()> {
    let bead = scene.bead_of(name).map(|bead| bead.id.clone()).unwrap_or_default();
    finding.done = match finding.decision {
        Move::Leave | Move::Unknown => would(finding.decision).into(),
        Move::FreeName | Move::End if !scene.claimable(name) => would(Move::Unknown).into(),
        Move::FreeName => {
            let _claim = scene.claim(name)?;
            names::release(scene.rig, name, &scene.instance(name))?;
            "name freed".into()
        }
        Move::End => match end_polecat(scene, name, false)? {
            End::Done(kept) => {
                finding.recovery = kept.main;
                alarms.forget(name);
                ENDED.into()
            }
            End::Waits(why) => format!("its session was ended; {why}"),
            End::Dirty(files) => {
                let what = format!("its work is handed over; not committed: {}", count(files.len(), "file"));
                let help =
                    format!("look: gt path {0}; keep them and end it: gt polecat nuke {0}", finding.address);
                alarms.raise(scene, name, &what, &format!("{}\n\n{help}\n", files.join("\n")))?
            }
        },
        Move::Crashed | Move::Unstarted if Noted::read(scene.town, &scene.address(name)).cycles => {
            let what = format!("it handed {bead} to its next session");
            alarms.raise(scene, name, &what, &format!("start that one: gt sling {bead} --resume\n"))?
        }
        Move::Crashed => {
            let what = format!("its session ended before {bead} was done");
            alarms.raise(scene, name, &what, &format!("go on with: gt sling {bead} --resume\n"))?
        }
        Move::Unstarted => format!("has no session: start it with: gt sling {bead}"),
        Move::Stuck => {
            let what = format!("no progress on {bead} for 30 minutes");
            alarms.raise(scene, name, &what, &format!("look: gt attach {}\n", finding.address))?
        }
    };
    Ok(())
}

/// Who was told what, so that every alarm is said once: part of the witness's `state.json`, whose other keys are
/// others' to change meanwhile.
struct Alarms {
    polecats: BTreeMap<String, Climbed>,
    /// The file cannot be read: an alarm would be repeated at each patrol, so none is sent.
    mute: bool,
    changed: BTreeSet<String>,
    nudges: Vec<Nudge>,
}

/// The key of the file.
const POLECATS: &str = "polecats";

fn state_path(rig: &Rig) -> PathBuf {
    rig.root.join("witness/state.json")
}

fn climbed_in(state: &files::Object) -> BTreeMap<String, Climbed> {
    state.get(POLECATS).and_then(|value| BTreeMap::deserialize(value).ok()).unwrap_or_default()
}

impl Alarms {
    fn read(rig: &Rig) -> Result<Alarms> {
        let path = state_path(rig);
        let state: files::Object =
            if path.exists() { files::read_json(&path)? } else { files::Object::new() };
        Ok(Alarms { polecats: climbed_in(&state), changed: BTreeSet::new(), nudges: Vec::new(), mute: false })
    }

    fn mute() -> Alarms {
        Alarms { polecats: BTreeMap::new(), changed: BTreeSet::new(), nudges: Vec::new(), mute: true }
    }

    /// Writes down what this patrol said, and gives the nudges that are still to be delivered.
    fn write(self, rig: &Rig) -> Result<Vec<Nudge>> {
        if self.changed.is_empty() {
            return Ok(self.nudges);
        }
        files::change_json(&state_path(rig), |state| {
            let mut polecats = climbed_in(state);
            for name in &self.changed {
                match self.polecats.get(name) {
                    Some(climbed) => drop(polecats.insert(name.clone(), climbed.clone())),
                    None => drop(polecats.remove(name)),
                }
            }
            state.insert(POLECATS.into(), serde_json::to_value(polecats)?);
            Ok(())
        })?;
        Ok(self.nudges)
    }

    fn forget(&mut self, name: &str) {
        if self.polecats.remove(name).is_some() {
            self.changed.insert(name.into());
        }
    }

    /// Takes the next rung of the ladder; gives what was done in words.
    fn raise(&mut self, scene: &Scene<'_>, name: &str, what: &str, help: &str) -> Result<String> {
        let listener = match scene.session_of(name) {
            Seen::Session(session) if session.alive() => scene.listener(session),
            _ => None,
        };
        self.climb(scene, name, what, help, listener)
    }

    fn climb(
        &mut self,
        scene: &Scene<'_>,
        name: &str,
        what: &str,
        help: &str,
        listener: Option<(String, Runtime)>,
    ) -> Result<String> {
        if self.mute {
            return Ok(format!("{what}; told to no agent: witness/state.json cannot be read"));
        }
        let instance = scene.instance(name);
        let now = time::now();
        let climbed = self.polecats.entry(name.into()).or_default();
        if climbed.instance != instance {
            *climbed = Climbed { instance, ..Climbed::default() };
        }
        let address = scene.address(name);
        let since = time::seconds_between(&climbed.last, &now);
        let mayor = mail::in_charge(scene.town) == Address::Mayor;
        let rung = next_rung(climbed, since, listener.is_some(), mayor);
        let done = match (rung, listener) {
            (Rung::Wait, _) => return Ok(format!("{what}; already said")),
            (Rung::Nudge, Some((pane, runtime))) => {
                climbed.nudges += 1;
                self.nudges.push(Nudge { address: address.to_string(), pane, runtime, what: what.into() });
                what.to_string()
            }
            (Rung::Overseer, _) => {
                let done = send(scene, &Address::Overseer, &address, what, help)?;
                climbed.overseer = true;
                done
            }
            (Rung::Mayor | Rung::Nudge, _) => {
                let done = send(scene, &Address::Mayor, &address, what, help)?;
                climbed.mayor = true;
                done
            }
        };
        climbed.last = now;
        TownEvent::new("alarm", &done).of(&address).in_rig(scene.rig);
        self.changed.insert(name.into());
        Ok(done)
    }
}

/// A text for a polecat's pane.
struct Nudge {
    address: String,
    pane: String,
    runtime: Runtime,
    what: String,
}

impl Nudge {
    /// Delivers it; gives what was done in words.
    fn deliver(&self, scene: &Scene<'_>) -> String {
        let what = &self.what;
        let text = format!("{what}. Commit your work and run gt done, or mail the witness what keeps you.");
        match deliver(scene.mux, &self.pane, &self.runtime, &text) {
            Ok(Delivery::Delivered) => format!("{what}; nudged"),
            // One that cannot take text now is nudged again at the next patrol.
            Ok(_) => format!("{what}; nudged, without an answer"),
            Err(error) => format!("{what}; could not be nudged: {error}"),
        }
    }
}

fn send(scene: &Scene<'_>, to: &Address, about: &Address, what: &str, help: &str) -> Result<String> {
    let from = Address::Witness(scene.rig.name.clone());
    let letter = mail::message(&from, to, &format!("{about}: {what}"), help);
    mail::store_for(scene.town, &from, to)?.write(&[], &[Change::Create(Box::new(letter))])?;
    Ok(format!("{what}; told {to}"))
}

#[cfg(test)]
mod tests;
