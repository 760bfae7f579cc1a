//! A plan, and what became of it, line by line.

use unicode_width::UnicodeWidthStr;

use super::text::{Color, Screen, blanks};
use crate::base::terminal::Text;
use crate::mux::LiveChange;
use crate::plan::diff::{ChangedPart, Plan, PlanLine, Sign};

/// As people read it: one line each, then what it adds up to.
pub fn plan(plan: &Plan, screen: &Screen) -> Text {
    let wide = plan.lines.iter().map(|line| who(line).width()).max().unwrap_or_default();
    let mut text: Text = plan.lines.iter().map(|line| shown(line, wide, screen)).collect();
    if !plan.lines.is_empty() {
        text.push(sum(plan));
    }
    text
}

/// What is to be done, counted.
fn sum(plan: &Plan) -> String {
    let held = plan.lines.iter().filter(|line| line.held.is_some()).count();
    let counts = [
        (plan.count(Sign::Start), "to start"),
        (plan.count(Sign::Change), "to change"),
        (plan.count(Sign::Stop), "to stop"),
        (held, "held back"),
    ];
    let said: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    if said.is_empty() { String::new() } else { format!("{}\n", said.join(", ")) }
}

fn shown(line: &PlanLine, wide: usize, screen: &Screen) -> Text {
    let color = match line.sign {
        Sign::Start => Color::Good,
        Sign::Change => Color::Waiting,
        Sign::Stop => Color::Bad,
        Sign::Alone => Color::Dim,
    };
    let who = who(line);
    screen.paint(color, line.sign.as_str()).then(format!(" {who}{}  {}\n", blanks(who, wide), what(line)))
}

/// Whose line it is: a session that is nobody's goes by its name.
pub fn who(line: &PlanLine) -> &str {
    if line.address.is_empty() { &line.session } else { &line.address }
}

/// What is done, and why.
fn what(line: &PlanLine) -> String {
    let PlanLine { session, address, .. } = line;
    let held = line.held.map(|held| format!(", held back: {}", held.as_str())).unwrap_or_default();
    let why = if line.why.is_empty() { String::new() } else { format!(": {}", line.why) };
    match line.sign {
        Sign::Start if line.held.is_some() => {
            format!("start session {session}{why}{held} (do it with: gt apply --restart {address})")
        }
        Sign::Start => format!("start session {session}{why}"),
        Sign::Stop if line.held.is_some() => {
            format!("stop session {session}{why}{held} (stop it with: gt session stop {address})")
        }
        Sign::Stop => format!("stop session {session}{why}"),
        Sign::Alone => format!("left alone{why}"),
        Sign::Change => {
            let live = (!line.live.is_empty()).then(|| format!("change in place: {}", live(&line.live)));
            let again = (!line.restart.is_empty()).then(|| again(line));
            live.into_iter().chain(again).collect::<Vec<_>>().join("; ")
        }
    }
}

/// What takes a new start, and why it waits.
fn again(line: &PlanLine) -> String {
    let said = format!("restart for a new {}", parts(&line.restart));
    match line.held {
        Some(held) => {
            let why = held.as_str();
            format!("{said}, held back: {why} (do it with: gt apply --restart {})", line.address)
        }
        None => said,
    }
}

/// What of a line waits for a word; nothing when it is done.
pub fn held(line: &PlanLine) -> Option<String> {
    line.held?;
    Some(if line.sign == Sign::Change { again(line) } else { what(line) })
}

fn parts(parts: &[ChangedPart]) -> String {
    parts.iter().map(|part| part.as_str()).collect::<Vec<_>>().join(", ")
}

/// Changes in a session that goes on running, by kind and number.
fn live(changes: &[LiveChange]) -> String {
    let kinds = changes.iter().map(|change| match change {
        LiveChange::Env(..) => ("variable of later windows", "variables of later windows"),
        LiveChange::AddWindow(_) => ("new window", "new windows"),
        LiveChange::Order(_) => ("other order of windows", "other orders of windows"),
        LiveChange::AddPane(..) => ("new pane", "new panes"),
        LiveChange::RunAgain(..) => ("pane run anew", "panes run anew"),
        LiveChange::Remove(id) if id.starts_with('@') => ("window closed", "windows closed"),
        LiveChange::Remove(_) => ("pane closed", "panes closed"),
        LiveChange::Arrange(..) => ("window arranged", "windows arranged"),
        LiveChange::Marks(_) | LiveChange::Keep(..) => ("", ""),
    });
    let mut counted: Vec<((&str, &str), usize)> = Vec::new();
    for kind in kinds.filter(|kind| !kind.0.is_empty()) {
        match counted.iter_mut().find(|(own, _)| *own == kind) {
            Some((_, count)) => *count += 1,
            None => counted.push((kind, 1)),
        }
    }
    let said = counted.iter().map(|((one, many), count)| match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {many}"),
    });
    let said: Vec<String> = said.collect();
    if said.is_empty() { "marks only".into() } else { said.join(", ") }
}
