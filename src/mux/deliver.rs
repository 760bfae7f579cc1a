//! Text for an agent, delivered so that it arrives: only to a screen that takes it, and checked afterwards.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use super::Mux;
use crate::base::failure::{Exit, Failure};
use crate::base::time;
use crate::config::Runtime;
use crate::mux::screen::{Patterns, Reading};

/// What became of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Delivery {
    /// The screen shows that the agent took it.
    Delivered,
    /// Nothing was typed: the agent asks a person something, or never was ready.
    Queued,
    /// It was typed and submitted, but the screen does not show that it was taken.
    Unconfirmed,
}

impl Delivery {
    /// The exit code that says so.
    pub fn exit(self) -> Exit {
        match self {
            Delivery::Delivered => Exit::Done,
            Delivery::Queued => Exit::Queued,
            Delivery::Unconfirmed => Exit::Unconfirmed,
        }
    }
}

/// Lines of a screen that are read.
const LINES: usize = 60;
/// Between two looks at a screen.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a paste may take to show, and a submission to be taken.
const SHOWN: Duration = Duration::from_secs(3);
/// How long an agent may take to be ready when its runtime does not say.
const READY: Duration = Duration::from_secs(20);
/// How long a screen stays ready before text is pasted: texts that follow each other sooner are joined by some, and what was
/// submitted a moment ago does not show yet.
const CALM: Duration = Duration::from_millis(600);
/// How long after a paste it is submitted: a key that comes sooner is lost by some, or taken for a part of the text.
const AFTER_PASTE: Duration = Duration::from_millis(300);
/// The same for a text of more than [`LARGE`] bytes.
const AFTER_LARGE: Duration = Duration::from_secs(1);
/// From how many bytes on a text is large.
const LARGE: usize = 10_000;
/// Programs that would run a text: nothing is pasted into one, unless the runtime says it is its agent.
const SHELLS: [&str; 9] = ["sh", "bash", "zsh", "fish", "dash", "ksh", "csh", "tcsh", "nu"];

/// Delivers a text to an agent's pane: waits until it takes text, pastes, submits, and looks whether it was taken.
///
/// # Errors
/// A pane that is gone, dead, or a shell; a pattern that is no regular expression.
pub fn deliver(mux: &dyn Mux, pane: &str, runtime: &Runtime, text: &str) -> Result<Delivery> {
    let patterns = Patterns::of(runtime)?;
    let named = runtime.ready.as_ref().and_then(|ready| ready.timeout.as_deref());
    let limit = named.and_then(time::parse_duration).unwrap_or(READY);
    let read = || Ok::<_, anyhow::Error>(patterns.read(&mux.capture(pane, LINES)?));
    let takes_text = || {
        in_front(mux, pane)?;
        Ok(read()? == Reading::Ready)
    };
    let end = Instant::now() + limit;
    let ready = !patterns.tell_ready()
        || until(limit, || {
            if !takes_text()? {
                return Ok(false);
            }
            std::thread::sleep(CALM.min(end.saturating_duration_since(Instant::now())));
            takes_text()
        })?;
    if !ready || read()? == Reading::Question {
        return Ok(Delivery::Queued);
    }
    check_not_shell(mux, pane, runtime)?;
    let before = mux.capture(pane, LINES)?;
    mux.paste(pane, text)?;
    let pause = if text.len() > LARGE { AFTER_LARGE } else { AFTER_PASTE };
    let pasted = Instant::now();
    until(SHOWN, || Ok(mux.capture(pane, LINES)? != before))?;
    std::thread::sleep(pause.saturating_sub(pasted.elapsed()));
    let confirmed = match runtime.submit.confirm.as_str() {
        "ready" => Reading::Ready,
        _ => Reading::Busy,
    };
    for _ in 0..2 {
        if read()? == Reading::Question {
            return Ok(Delivery::Unconfirmed);
        }
        let typed = mux.capture(pane, LINES)?;
        mux.keys(pane, &runtime.submit.keys)?;
        let taken = || {
            let screen = mux.capture(pane, LINES)?;
            Ok(screen != typed && patterns.read(&screen) == confirmed)
        };
        if until(SHOWN, taken)? {
            return Ok(Delivery::Delivered);
        }
    }
    Ok(Delivery::Unconfirmed)
}

/// Asks until it is so, for so long.
fn until(limit: Duration, mut so: impl FnMut() -> Result<bool>) -> Result<bool> {
    let end = Instant::now() + limit;
    loop {
        if so()? {
            return Ok(true);
        }
        if Instant::now() >= end {
            return Ok(false);
        }
        std::thread::sleep(PAUSE);
    }
}

/// The program in front of a pane whose agent still runs.
fn in_front(mux: &dyn Mux, pane: &str) -> Result<String> {
    // Others' machines have no say in this, and may be slow.
    let snapshot = mux.look_at(pane)?;
    let mut panes = snapshot.sessions.iter().flat_map(|session| &session.panes);
    match panes.find(|own| own.id == pane) {
        Some(own) if !own.dead => Ok(own.command.clone()),
        Some(_) => Err(Failure::new("the agent has ended").into()),
        None => Err(Failure::new(format!("pane {pane} is gone")).into()),
    }
}

fn check_not_shell(mux: &dyn Mux, pane: &str, runtime: &Runtime) -> Result<()> {
    let command = in_front(mux, pane)?;
    if SHELLS.contains(&command.as_str()) && !runtime.process_names.contains(&command) {
        crate::fail!("{command} is in front of the agent's pane: nothing is typed into a shell");
    }
    Ok(())
}
