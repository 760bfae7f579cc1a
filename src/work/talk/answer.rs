//! `gt answer`: what an agent asks a person, answered from anywhere.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::json;

use crate::base::failure::Failure;
use crate::base::{files, time};
use crate::config::{Runtime, Sources, permissions, set};
use crate::model::address::Address;
use crate::model::ids::InstanceId;
use crate::mux::screen::{Patterns, Question, Reading};
use crate::mux::{Marks, Mux, Session};
use crate::town::report::AgentReport;
use crate::town::{Rig, Town, occupancy};

/// How long a program may take to take an answer, and between two looks.
const TAKEN: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(150);

/// A question of an agent.
#[derive(Clone, Debug, Serialize)]
pub struct OpenQuestion {
    /// Whose.
    pub address: Address,
    /// What tells it from any other question.
    pub id: String,
    /// What it asks.
    pub question: String,
    /// The answers that have a number, first to last.
    pub answers: Vec<String>,
    /// The command that it asks for, where that is known.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub command: String,
    /// Since when: RFC 3339, UTC.
    pub since: String,
    /// The command that answers it.
    pub answer: String,
    #[serde(skip)]
    instance: InstanceId,
    #[serde(skip)]
    pane: String,
    #[serde(skip)]
    read: Question,
}

/// Reads what the agent of a session asks; its runtime too.
///
/// # Errors
/// When it asks nothing, or has ended.
pub fn asked<'r>(
    town: &Town,
    mux: &dyn Mux,
    session: &Session,
    runtimes: &'r BTreeMap<String, Runtime>,
) -> Result<(OpenQuestion, &'r Runtime)> {
    let address = Address::parse(&session.marks.address)?;
    let report = AgentReport::read(&occupancy::lock_of(town, &address))
        .filter(|report| report.instance == session.marks.instance);
    let asks_nothing = || {
        Failure::new(format!("{address} asks nothing: {}", session.words()))
            .hint(format!("look at its screen with: gt capture {address}"))
    };
    let pane = session.panes.first().filter(|_| session.alive() && session.remote.is_none());
    let (Some(report), Some(pane)) = (report, pane) else { return Err(asks_nothing().into()) };
    let runtime = runtimes.get(&report.agent).ok_or_else(asks_nothing)?;
    let Some(read) = reading(mux, &pane.id, &Patterns::of(runtime)?)? else {
        return Err(asks_nothing().into());
    };
    let asked = OpenQuestion {
        id: read.id(&report.instance),
        answer: how(&session.marks, &read),
        question: read.text.clone(),
        answers: read.answers.iter().map(|(number, text)| format!("{number}. {text}")).collect(),
        command: Some(report.command).filter(|command| read.mentions(command)).unwrap_or_default(),
        since: session.marks.since.clone(),
        instance: report.instance,
        pane: pane.id.clone(),
        read,
        address,
    };
    Ok((asked, runtime))
}

/// The question that a pane shows.
fn reading(mux: &dyn Mux, pane: &str, patterns: &Patterns) -> Result<Option<Question>> {
    let screen = mux.screens(&[pane])?.into_iter().next().flatten();
    Ok(screen
        .filter(|screen| patterns.read(screen) == Reading::Question)
        .map(|screen| Question::read(&screen)))
}

impl OpenQuestion {
    /// The keys of an answer, and the answer in words: one of the numbered ones, else what the runtime has for `yes` and `no`.
    ///
    /// # Errors
    /// An answer that it does not take.
    pub fn keys(&self, answer: &str, runtime: &Runtime) -> Result<(Vec<String>, String), Failure> {
        if let Some(number) = self.read.number(answer) {
            let words = self.answers.iter().find(|own| own.starts_with(&format!("{number}. ")));
            return Ok((vec![number.to_string()], words.cloned().unwrap_or_default()));
        }
        let keys = match answer {
            _ if !self.read.answers.is_empty() => None,
            "yes" => Some(&runtime.answer.yes),
            "no" => Some(&runtime.answer.no),
            _ => None,
        };
        match keys.filter(|keys| !keys.is_empty()) {
            Some(keys) => Ok((keys.clone(), answer.into())),
            None => Err(Failure::usage(format!("{} takes no answer '{answer}'", self.address))
                .hint(format!("answer with: {}; or go there: gt attach {}", self.answer, self.address))),
        }
    }

    /// Answers it, unless it changed since it was read; whether the program took the answer.
    ///
    /// # Errors
    /// A question that changed, another instance, keys that cannot be pressed.
    pub fn answer(&self, mux: &dyn Mux, keys: &[String], runtime: &Runtime) -> Result<bool> {
        let patterns = Patterns::of(runtime)?;
        let here =
            || Ok::<_, anyhow::Error>(reading(mux, &self.pane, &patterns)?.map(|now| now.id(&self.instance)));
        let snapshot = mux.look_at(&self.pane)?;
        let own = |session: &&Session| session.panes.iter().any(|pane| pane.id == self.pane);
        let same = snapshot.sessions.iter().find(own).is_some_and(|own| own.marks.instance == self.instance);
        if !same || here()?.as_ref() != Some(&self.id) {
            crate::fail!("{} asks something else now", self.address; "look again with: gt answer {}", self.address);
        }
        mux.keys(&self.pane, keys)?;
        let end = Instant::now() + TAKEN;
        while here()?.as_ref() == Some(&self.id) {
            if Instant::now() > end {
                return Ok(false);
            }
            std::thread::sleep(PAUSE);
        }
        Ok(true)
    }

    /// The commands that would be run without asking from now on.
    ///
    /// # Errors
    /// A question that is about no command, or one that cannot be kept.
    pub fn to_keep(&self) -> Result<Vec<String>, Failure> {
        let by_hand =
            "answer without --always, or add how it begins with: gt config set permissions.allow COMMAND";
        if self.command.is_empty() {
            return Err(
                Failure::new(format!("{} asks for no command that gt knows", self.address)).hint(by_hand)
            );
        }
        permissions::all_parts(&self.command).ok_or_else(|| {
            Failure::new(format!("more than plain words is in the command: {}", self.command)).hint(by_hand)
        })
    }
}

/// The command that answers a question of an agent with these marks.
pub fn how(marks: &Marks, question: &Question) -> String {
    let mut answers: Vec<String> = question.answers.iter().map(|(number, _)| number.to_string()).collect();
    if answers.is_empty() {
        answers = vec!["yes".into(), "no".into()];
    }
    format!("gt answer {} {} --question {}", marks.address, answers.join("|"), question.id(&marks.instance))
}

/// Writes an answer down, in `mayor/answers.jsonl` of the town.
///
/// # Errors
/// When it cannot be written.
pub fn log(town: &Town, asked: &OpenQuestion, answer: &str, taken: bool, kept: &[String]) -> Result<()> {
    let line = json!({
        "time": time::now(), "address": asked.address, "instance": asked.instance, "id": asked.id,
        "question": asked.question, "command": asked.command, "answer": answer, "taken": taken, "kept": kept,
    });
    let path = town.root.join("mayor/answers.jsonl");
    let written = files::open_private().append(true).create(true).open(&path);
    let written = written.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// Lets agents of a rig run commands without asking from their next start: those that `allowed` does not cover go into the rig's
/// `config.json`. Gives them.
///
/// # Errors
/// When that file cannot be read or written.
pub fn keep(rig: &Rig, sources: &Sources, allowed: &[String], commands: Vec<String>) -> Result<Vec<String>> {
    let new: Vec<String> = commands.into_iter().filter(|one| !permissions::covers(allowed, one)).collect();
    if new.is_empty() {
        return Ok(new);
    }
    let path = rig.root.join("config.json");
    let _lock = files::lock(&files::lock_of(&path))?;
    let config: serde_json::Value = files::read_json(&path)?;
    let own = config["permissions"]["allow"].as_array();
    let mut list: Vec<String> = match own {
        Some(list) => list.iter().filter_map(|one| one.as_str()).map(str::to_string).collect(),
        None => vec!["...".into()],
    };
    list.extend(new.iter().cloned());
    let list = serde_json::Value::from(list).to_string();
    if let Some(text) = set::change(sources, "permissions.allow", Some(&list))?.text {
        files::write(&path, text)?;
    }
    Ok(new)
}
