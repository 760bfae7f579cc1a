//! What it takes to bring the windows of a session that runs to what is wanted now, without its agent's noticing.

use std::path::Path;

use super::freeze;
use crate::mux::{LiveChange, Runs, SeenPane, SeenWindow, Session, Spec, WantedPane, Window};

/// The changes of windows and panes, in the order in which they are to be made; none when all is as it should be.
/// `session` is as a close look saw it. Nothing at all (`None`) when the agent itself would have to be started anew:
/// its pane is to have another folder or environment of its own, or the session has no agent and is to have one.
///
/// A window is known again by the agent, else by its name, else by its mark; a pane by what runs in it, else by its
/// place. What a person opened is left alone, also in a window of ours.
pub fn windows(session: &Session, spec: &Spec) -> Option<Vec<LiveChange>> {
    if spec.windows.is_empty() && session.panes.iter().all(|pane| pane.mark.is_empty()) {
        return Some(Vec::new());
    }
    let shown = spec.shown();
    let pairs = pair_windows(session, &shown, spec)?;
    let mut changes = Vec::new();
    let kept = || pairs.iter().flatten();
    if !kept().map(|window| window.index).is_sorted() {
        changes.push(LiveChange::Order(kept().map(|window| window.id.clone()).collect()));
    }
    let mut arranged = Vec::new();
    let mut removed = Vec::new();
    for (number, window) in shown.iter().enumerate() {
        let Some(seen) = pairs.get(number).copied().flatten() else {
            changes.push(LiveChange::AddWindow(number));
            continue;
        };
        let before = changes.len() + removed.len();
        pair_panes(seen, number, window, spec, &mut changes, &mut removed)?;
        let same = seen.mark == Some(number) && seen.asked == window.asked();
        if !same || changes.len() + removed.len() > before {
            arranged.push(LiveChange::Arrange(seen.id.clone(), number));
        }
    }
    for seen in &session.windows {
        let paired = pairs.iter().flatten().any(|pair| pair.id == seen.id);
        if paired || !is_ours(seen) {
            continue;
        }
        if seen.panes.iter().all(|pane| pane.mark.is_some()) {
            removed.push(LiveChange::Remove(seen.id.clone()));
        } else {
            let own = seen.panes.iter().filter(|pane| pane.mark.is_some());
            removed.extend(own.map(|pane| LiveChange::Remove(pane.id.clone())));
        }
    }
    changes.append(&mut removed);
    changes.append(&mut arranged);
    Some(changes)
}

fn is_ours(window: &SeenWindow) -> bool {
    window.panes.iter().any(|pane| pane.mark.is_some() || pane.agent)
}

/// For each wanted window the one that is it.
fn pair_windows<'s>(
    session: &'s Session,
    shown: &[Window],
    spec: &Spec,
) -> Option<Vec<Option<&'s SeenWindow>>> {
    let wants_agent = |window: &Window| window.panes.iter().any(|pane| pane.runs == Runs::Agent);
    let has_agent = |window: &SeenWindow| window.panes.iter().any(|pane| pane.agent);
    let theirs = session.windows.iter().find(|window| has_agent(window));
    if theirs.is_some() != shown.iter().any(wants_agent) {
        return None;
    }
    let mut pairs: Vec<Option<&SeenWindow>> =
        shown.iter().map(|window| theirs.filter(|_| wants_agent(window))).collect();
    let mut free: Vec<&SeenWindow> =
        session.windows.iter().filter(|window| is_ours(window) && !has_agent(window)).collect();
    let mut take = |pairs: &mut Vec<Option<&'s SeenWindow>>, fits: &dyn Fn(usize, &SeenWindow) -> bool| {
        for (number, pair) in pairs.iter_mut().enumerate().filter(|(_, pair)| pair.is_none()) {
            if let Some(at) = free.iter().position(|seen| fits(number, seen)) {
                *pair = Some(free.remove(at));
            }
        }
    };
    take(&mut pairs, &|number, seen| !seen.name.is_empty() && shown[number].name == seen.name);
    take(&mut pairs, &|number, seen| seen.mark == Some(number));
    // A person's that is just what is wanted is taken over as it is: that is how what was frozen stays.
    for (number, window) in shown.iter().enumerate().filter(|(_, window)| !wants_agent(window)) {
        let taken = |seen: &SeenWindow| pairs.iter().flatten().any(|pair| pair.id == seen.id);
        if pairs[number].is_none() {
            let mut free = session.windows.iter().filter(|seen| !is_ours(seen) && !taken(seen));
            pairs[number] = free.find(|seen| is_just(seen, window, spec));
        }
    }
    Some(pairs)
}

/// Whether a window of a person's is one that is wanted: its name, and what runs in it where.
fn is_just(seen: &SeenWindow, window: &Window, spec: &Spec) -> bool {
    !seen.name.is_empty()
        && seen.name == window.name
        && seen.panes.len() == window.panes.len()
        && seen.panes.iter().zip(&window.panes).all(|(seen, pane)| runs_just(seen, pane, spec))
}

/// Whether a pane of a person's runs what is wanted, where it is wanted.
fn runs_just(seen: &SeenPane, pane: &WantedPane, spec: &Spec) -> bool {
    let cwd = pane.cwd.as_ref().unwrap_or(&spec.cwd);
    !seen.dead && pane.env.is_empty() && freeze::runs(seen) == pane.runs && *cwd == Path::new(&seen.path)
}

/// What becomes of the panes of a window; nothing when its agent's pane would have to be another.
fn pair_panes(
    seen: &SeenWindow,
    number: usize,
    window: &Window,
    spec: &Spec,
    changes: &mut Vec<LiveChange>,
    removed: &mut Vec<LiveChange>,
) -> Option<()> {
    let mut free: Vec<&SeenPane> =
        seen.panes.iter().filter(|pane| pane.mark.is_some() || pane.agent).collect();
    let mut pairs: Vec<Option<&SeenPane>> = vec![None; window.panes.len()];
    for (place, pane) in window.panes.iter().enumerate().filter(|(_, pane)| pane.runs == Runs::Agent) {
        let at = free.iter().position(|seen| seen.agent)?;
        let own = free.remove(at);
        // The pane of a session without windows of its own has no mark, and is the same as one that wants no more.
        let plain = pane.cwd.is_none() && pane.env.is_empty();
        if own.asked != pane.asked() && !(own.asked.is_empty() && plain) {
            return None;
        }
        pairs[place] = Some(own);
    }
    free.retain(|seen| !seen.agent);
    // What runs as it should stays, first in its place, then wherever it is.
    for anywhere in [false, true] {
        for (place, pane) in window.panes.iter().enumerate() {
            let here = |seen: &&SeenPane| anywhere || seen.mark == Some((number, place));
            let fits = |seen: &&&SeenPane| here(seen) && seen.asked == pane.asked();
            if pairs[place].is_none()
                && let Some(own) = free.iter().find(fits).copied()
            {
                free.retain(|seen| seen.id != own.id);
                pairs[place] = Some(own);
            }
        }
    }
    // A person's own that is just what is wanted is taken over.
    let mut theirs: Vec<&SeenPane> =
        seen.panes.iter().filter(|pane| pane.mark.is_none() && !pane.agent).collect();
    for (place, pane) in window.panes.iter().enumerate() {
        if pairs[place].is_none()
            && let Some(at) = theirs.iter().position(|seen| runs_just(seen, pane, spec))
        {
            pairs[place] = Some(theirs.remove(at));
        }
    }
    for (place, pane) in window.panes.iter().enumerate() {
        let at = (number, place);
        match pairs[place] {
            Some(own) if own.mark != Some(at) || own.asked != pane.asked() => {
                changes.push(LiveChange::Keep(own.id.clone(), at));
            }
            Some(_) => {}
            // tmux runs a pane anew with words only, so a person's own shell is another pane.
            None if pane.runs != Runs::Person && !free.is_empty() => {
                changes.push(LiveChange::RunAgain(free.remove(0).id.clone(), at));
            }
            None => changes.push(LiveChange::AddPane(number, place)),
        }
    }
    removed.extend(free.iter().map(|pane| LiveChange::Remove(pane.id.clone())));
    Some(())
}
