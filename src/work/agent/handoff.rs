//! `gt handoff`: a polecat whose work is handed over asks for its end; everybody else leaves a note and goes on in a
//! new session (`work.md`, "inside the session").

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Serialize;

use crate::base::{files, time};
use crate::beads::request::Request;
use crate::beads::{Change, Filter};
use crate::model::address::Address;
use crate::model::bead::Bead;
use crate::model::state::State;
use crate::model::words;
use crate::mux::Mux;
use crate::programs::git::Git;
use crate::town::Town;
use crate::work::agent::hook::{self, HANDOFF};
use crate::work::step;
use crate::work::talk::mail;

/// What a handoff comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HandoffKind {
    /// Its work is in the queue: it asks the witness for its end.
    Shutdown,
    /// It goes on in a new session, which reads the note.
    Cycle,
}

/// The note, as it was given or as it was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NoteText {
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub text: String,
}

/// Which of the two it is: a polecat with an open request and nothing on its hook asks for its end.
///
/// # Errors
/// When the store cannot be read.
pub fn kind(town: &Town, of: &Address) -> Result<HandoffKind> {
    let Address::Polecat(rig, _) = of else { return Ok(HandoffKind::Cycle) };
    let worker = of.to_string();
    let store = town.rig(rig)?.store(of)?;
    let mut found = store.list(&if store.is_dear() { Filter::alive() } else { Filter::open_requests() })?;
    if !store.is_dear() {
        found.extend(store.list(&Filter { assignee: Some(worker.clone()), ..Filter::default() })?);
    }
    let handed_over = found.iter().filter_map(Request::from_bead).any(|request| request.worker == worker);
    let own = |bead: &&Bead| bead.assignee.as_ref() == Some(&worker) && bead.is_work();
    let held: Vec<&Bead> = found.iter().filter(own).collect();
    if held.iter().any(|bead| hook::is_hooked(bead)) {
        return Ok(HandoffKind::Cycle);
    }
    let submitted = held.iter().any(|bead| bead.has_label(words::LABEL_SUBMITTED));
    Ok(if handed_over || submitted || held.is_empty() { HandoffKind::Shutdown } else { HandoffKind::Cycle })
}

/// The note of an agent that gave none: where its worktree stands.
///
/// # Errors
/// When the worktree cannot be read.
pub fn note(given: Option<&str>, subject: Option<&str>, dir: Option<&Path>) -> Result<NoteText> {
    let mut text = given.unwrap_or_default().trim_end().to_string();
    let mut about = String::from("go on");
    if let Some(dir) = dir {
        let git = Git::at(dir);
        let status = git.status()?;
        let branch = status.branch.clone().unwrap_or_else(|| "no branch (a rebase goes on)".into());
        let last = git.run("read the last commits", ["log", "-5", "--format=  %h %s"])?;
        about = format!("go on with {branch}");
        text.push_str(&format!("\n\nBranch {branch}. Last commits:\n{last}\n"));
        if !status.dirty.is_empty() {
            let dirty: Vec<String> = status.dirty.iter().take(20).map(|line| format!("  {line}\n")).collect();
            text.push_str(&format!("Not committed:\n{}", dirty.concat()));
        }
    }
    Ok(NoteText {
        subject: format!("{HANDOFF}{}", subject.unwrap_or(&about)),
        text: text.trim_start().to_string(),
    })
}

/// Asks the witness for the end of a polecat.
///
/// # Errors
/// When the mail cannot be written.
pub fn ask_for_end(town: &Town, of: &Address, mux: &dyn Mux) -> Result<()> {
    let witness = Address::Witness(of.rig().unwrap_or_default().into());
    let letter = mail::message(of, &witness, &format!("shutdown request: {of}"), "My work is handed over.\n");
    mail::store_for(town, of, &witness)?.write(&[], &[Change::Create(Box::new(letter))])?;
    mark(town, of, mux, State::Ends.as_str())
}

/// Leaves the note to oneself, and the wish for a new session in `state.json`.
///
/// # Errors
/// When one of them cannot be written.
pub fn leave_note(town: &Town, of: &Address, note: &NoteText) -> Result<()> {
    let letter = mail::message(of, of, &note.subject, &note.text);
    mail::store_for(town, of, of)?.write(&[], &[Change::Create(Box::new(letter))])?;
    step("handoff.1");
    note_in(town, of, |state| {
        state.insert(CYCLE.into(), true.into());
        state.insert("requested_at".into(), time::now().into());
    })?;
    step("handoff.2");
    Ok(())
}

/// What stands in an agent's `state.json` of its next session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Noted {
    /// It left a note for a session that has not started yet.
    pub cycles: bool,
    /// A person stopped it, and nobody started it since.
    pub stopped: bool,
}

const CYCLE: &str = "requesting_cycle";
const STOPPED: &str = "stopped";

impl Noted {
    /// Reads it. A file that cannot be read says nothing.
    pub fn read(town: &Town, of: &Address) -> Noted {
        let path = state_file(town, of);
        let state = path.exists().then(|| files::read_json::<files::Object>(&path).ok()).flatten();
        let has = |key| state.as_ref().is_some_and(|state| state.contains_key(key));
        Noted { cycles: has(CYCLE), stopped: has(STOPPED) }
    }
}

/// Notes that a person stopped an agent: it is not started again by itself.
///
/// # Errors
/// When the file cannot be read or written.
pub fn note_stopped(town: &Town, of: &Address) -> Result<()> {
    note_in(town, of, |state| {
        state.insert(STOPPED.into(), time::now().into());
    })
}

/// Takes that back: it is started again by itself.
///
/// # Errors
/// When the file cannot be read or written.
pub fn not_stopped(town: &Town, of: &Address) -> Result<()> {
    if !Noted::read(town, of).stopped {
        return Ok(());
    }
    note_in(town, of, |state| drop(state.remove(STOPPED)))
}

/// Takes both back: there is a new session now.
///
/// # Errors
/// When the file cannot be read or written.
pub fn fulfilled(town: &Town, of: &Address) -> Result<()> {
    let path = state_file(town, of);
    if !path.exists() {
        return Ok(());
    }
    files::change_json(&path, |state| {
        if state.remove(CYCLE).is_some() {
            state.remove("requested_at");
        }
        state.remove(STOPPED);
        Ok(())
    })
}

fn note_in(town: &Town, of: &Address, change: impl FnOnce(&mut files::Object)) -> Result<()> {
    let path = state_file(town, of);
    if let Some(dir) = path.parent() {
        files::make_dir(dir)?;
    }
    // The Mayor's file also holds what is down, the witness's whom it told of what.
    files::change_json(&path, |state| {
        change(state);
        Ok(())
    })
}

/// Where an agent's wish for a new session stands: in its own folder, beside it where that is a clone or a worktree.
pub fn state_file(town: &Town, of: &Address) -> PathBuf {
    match of {
        Address::Overseer | Address::Mayor => town.root.join("mayor/state.json"),
        Address::Deacon => town.root.join("deacon/state.json"),
        Address::Witness(rig) => town.root.join(rig).join("witness/state.json"),
        Address::Refinery(rig) => town.root.join(rig).join("refinery/state.json"),
        Address::Plugin(rig, name) => town.root.join(rig).join("plugins").join(name).join("state.json"),
        Address::Crew(rig, name) => town.root.join(rig).join("crew/.state").join(format!("{name}.json")),
        Address::Polecat(rig, name) => crate::town::polecat_state(&town.root.join(rig), name),
    }
}

/// Ends the session of an agent, from inside it: the last thing that this program does.
///
/// # Errors
/// When the sessions cannot be asked.
pub fn end_session(town: &Town, of: &Address, mux: &dyn Mux) -> Result<bool> {
    let sessions = mux.look()?;
    let Some(session) = sessions.of(&town.mark(), &of.to_string()) else { return Ok(false) };
    mux.stop(&[&session.id])?;
    Ok(true)
}

fn mark(town: &Town, of: &Address, mux: &dyn Mux, state: &str) -> Result<()> {
    let sessions = mux.look_here()?;
    if let Some(session) = sessions.of(&town.mark(), &of.to_string()) {
        mux.mark(&session.id, state, &time::now())?;
    }
    Ok(())
}
