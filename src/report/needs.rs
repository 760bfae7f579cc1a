//! What needs the person, and how the town goes.

use super::text::columns;
use crate::base::grammar::count;
use crate::base::terminal::{Text, one_line};
use crate::plan::place::Place;
use crate::work::observe::needs::Need;
use crate::work::observe::view::TownView;

/// Whether the town goes on by itself.
#[derive(Clone, Copy, Debug)]
pub struct Going {
    /// A deacon runs.
    pub deacon: bool,
    /// The town is paused.
    pub paused: bool,
}

/// All of it.
pub fn text(view: &TownView, needs: &[Need], going: Going) -> Text {
    let mut text = Text::default();
    let cells = |need: &Need| [need.about.clone(), one_line(&need.what), need.help.clone()];
    let rows: Vec<[String; 3]> = needs.iter().map(cells).collect();
    if needs.is_empty() {
        text.push("nothing needs you\n");
    }
    text.push(columns(&rows));
    let polecats = || view.rigs.iter().flat_map(|rig| &rig.polecats);
    let running = polecats().filter(|polecat| polecat.place == Some(Place::Working)).count();
    let to_start: usize = view.rigs.iter().map(|rig| rig.to_start.len()).sum();
    let queues = view.rigs.iter().filter_map(|rig| rig.queue.as_ref());
    let to_merge: usize = queues.map(|queue| queue.waiting + queue.merging).sum();
    text.push(format!("\n{} at work, {to_start} to start, {to_merge} to merge; ", count(running, "polecat")));
    text.push(match going {
        Going { paused: true, .. } => "paused: take it back with: gt resume\n",
        Going { deacon: true, .. } => "the deacon runs\n",
        Going { .. } => "no deacon runs: start it with: gt start\n",
    });
    text.push("next: gt status, gt feed, gt sling \"a new task\" RIG; every command: gt --help\n");
    text
}
