//! Changes of a tmux session that goes on running, as targets that tmux knows.
//!
//! What is opened meanwhile has no id yet, so the panes of a window are followed in tmux's order, and a new one is
//! named by its index.

use anyhow::Result;

use super::{LiveChange, SeenWindow, Session, Spec, Window};
use crate::base::failure::Failure;
use crate::model::windows::{LAYOUTS, Size, resizes};
use crate::mux::wanted::{wanted_pane, wanted_window};
use crate::programs::tmux::Changes;

/// One pane of a window, in tmux's order.
struct Slot {
    /// tmux's id; nothing for one that was opened just now.
    id: Option<String>,
    /// Its place in the spec's window; nothing for a person's.
    place: Option<usize>,
}

/// A window as it will be when the changes so far are made.
struct Room<'s> {
    seen: &'s SeenWindow,
    number: Option<usize>,
    slots: Vec<Slot>,
}

impl<'s> Room<'s> {
    fn new(seen: &'s SeenWindow, number: Option<usize>) -> Room<'s> {
        let slot = |pane: &super::SeenPane| Slot {
            id: Some(pane.id.clone()),
            place: pane.mark.filter(|(window, _)| seen.mark == Some(*window)).map(|(_, place)| place),
        };
        Room { seen, number, slots: seen.panes.iter().map(slot).collect() }
    }

    /// A slot as a target.
    fn target(&self, at: usize) -> String {
        let base = self.seen.panes.first().map_or(0, |pane| pane.index);
        let id = self.slots.get(at).and_then(|slot| slot.id.clone());
        id.unwrap_or_else(|| format!("{}.{}", self.seen.id, base + at))
    }

    fn of_place(&self, place: usize) -> Option<usize> {
        self.slots.iter().position(|slot| slot.place == Some(place))
    }

    fn remove(&mut self, id: &str) {
        self.slots.retain(|slot| slot.id.as_deref() != Some(id));
    }
}

/// The changes as tmux makes them, in one process.
pub(super) fn changes<'a>(
    session: &'a Session,
    spec: &'a Spec,
    changes: &[LiveChange],
) -> Result<Changes<'a>> {
    let shown = spec.shown();
    let arranged = || {
        changes.iter().filter_map(|change| match change {
            LiveChange::Arrange(id, number) => Some((id, *number)),
            _ => None,
        })
    };
    // A window that another takes the place of is no window of the spec any more.
    let number = |seen: &SeenWindow| match arranged().find(|(id, _)| **id == seen.id) {
        Some((_, number)) => Some(number),
        None => seen.mark.filter(|mark| !arranged().any(|(_, number)| number == *mark)),
    };
    let mut maker = Maker {
        session,
        spec,
        rooms: session.windows.iter().map(|seen| Room::new(seen, number(seen))).collect(),
        shown,
        opened: None,
        out: Changes::new(&session.id, spec.environment()),
    };
    // Where panes will be counts from the start: what is opened goes beside them.
    for change in changes {
        if let LiveChange::Keep(id, (_, place)) | LiveChange::RunAgain(id, (_, place)) = change
            && let Some(slot) = maker.slot(id)
        {
            slot.place = Some(*place);
        }
    }
    for change in changes {
        maker.make(change)?;
        maker.out.done();
    }
    if !spec.windows.iter().flat_map(|window| &window.panes).any(|pane| pane.size.is_some()) {
        maker.out.forget_sizes();
    }
    // What a person looks at stays what they look at; the agent, where that is gone.
    let agents = |room: &&Room<'_>| room.seen.panes.iter().any(|pane| pane.agent);
    let current = maker.rooms.iter().find(|room| room.seen.active);
    if let Some(shown) = current.or(maker.rooms.iter().find(agents)) {
        maker.out.select_window(&shown.seen.id);
    }
    Ok(maker.out)
}

struct Maker<'a> {
    session: &'a Session,
    spec: &'a Spec,
    rooms: Vec<Room<'a>>,
    shown: Vec<Window>,
    /// The window opened last.
    opened: Option<usize>,
    out: Changes<'a>,
}

impl Maker<'_> {
    fn slot(&mut self, id: &str) -> Option<&mut Slot> {
        self.rooms.iter_mut().flat_map(|room| &mut room.slots).find(|slot| slot.id.as_deref() == Some(id))
    }

    fn window(&self, number: usize) -> Result<Window> {
        let none = || Failure::new(format!("{} has no window {number}", self.spec.name));
        Ok(self.shown.get(number).cloned().ok_or_else(none)?)
    }

    fn pane(&self, (number, place): (usize, usize)) -> Result<crate::programs::tmux::NewPane> {
        let window = self.window(number)?;
        let none = || Failure::new(format!("window {number} of {} has no pane {place}", self.spec.name));
        wanted_pane(self.spec, (number, place), window.panes.get(place).ok_or_else(none)?)
    }

    fn make(&mut self, change: &LiveChange) -> Result<()> {
        match change {
            LiveChange::Marks(marks) => marks.iter().for_each(|(name, value)| self.out.mark(name, value)),
            LiveChange::Env(name, value) => self.out.env(name, value.as_deref()),
            LiveChange::AddWindow(number) => self.add_window(*number)?,
            LiveChange::AddPane(number, place) => self.add_pane(*number, *place)?,
            LiveChange::RunAgain(id, at) => {
                let pane = self.pane(*at)?;
                self.out.run_again(id, &pane);
            }
            LiveChange::Keep(id, at) => {
                let mark = self.pane(*at)?.mark;
                self.out.mark_pane(id, &mark);
            }
            LiveChange::Remove(id) => {
                self.out.remove(id);
                self.rooms.retain(|room| room.seen.id != *id);
                self.rooms.iter_mut().for_each(|room| room.remove(id));
            }
            LiveChange::Order(ids) => self.order(ids),
            LiveChange::Arrange(id, number) => self.arrange(id, *number)?,
        }
        Ok(())
    }

    fn order(&mut self, wanted: &[String]) {
        let ids = self.session.windows.iter().map(|window| &window.id);
        let mut now: Vec<&String> = ids.filter(|id| wanted.contains(id)).collect();
        for (at, id) in wanted.iter().enumerate() {
            let Some(from) = now.iter().position(|own| *own == id).filter(|from| *from != at) else {
                continue;
            };
            self.out.swap_windows(now[from], now[at]);
            now.swap(from, at);
        }
    }

    fn add_window(&mut self, number: usize) -> Result<()> {
        let window = wanted_window(self.spec, number, &self.window(number)?)?;
        if window.panes.iter().any(|pane| pane.agent) {
            crate::fail!("an agent is not started into a session that runs: {}", self.session.name);
        }
        // One that was opened just now has no id yet, and is the current one.
        let numbered = self.rooms.iter().filter_map(|room| Some((room.number?, room.seen.id.clone())));
        let mut numbered: Vec<(usize, String)> = numbered.collect();
        numbered.extend(self.opened.map(|opened| (opened, format!("{}:", self.session.id))));
        let before = numbered.iter().filter(|(other, _)| *other < number).max();
        let after = numbered.iter().filter(|(other, _)| *other > number).min();
        match (before, after) {
            (Some((_, before)), _) => self.out.new_window("-a", before, &window),
            (None, Some((_, after))) => self.out.new_window("-b", after, &window),
            (None, None) => self.out.new_window("-a", &format!("{}:", self.session.id), &window),
        }
        self.opened = Some(number);
        Ok(())
    }

    fn add_pane(&mut self, number: usize, place: usize) -> Result<()> {
        let pane = self.pane((number, place))?;
        if pane.agent {
            crate::fail!("an agent is not started into a session that runs: {}", self.session.name);
        }
        let Some(room) = self.rooms.iter_mut().find(|room| room.number == Some(number)) else {
            crate::fail!("window {number} of {} is gone", self.session.name);
        };
        let own = |slots: &[Slot], near: &dyn Fn(usize) -> bool| -> Vec<(usize, usize)> {
            let places = slots.iter().enumerate().filter_map(|(at, slot)| Some((slot.place?, at)));
            places.filter(|(place, _)| near(*place)).collect()
        };
        let before = own(&room.slots, &|other| other < place).into_iter().max();
        let after = own(&room.slots, &|other| other > place).into_iter().min();
        let (beside, in_front) = match (before, after) {
            (Some((_, at)), _) => (at, false),
            (None, Some((_, at))) => (at, true),
            (None, None) => (room.slots.len().saturating_sub(1), false),
        };
        self.out.split(&room.seen.id, in_front, &room.target(beside), &pane);
        let at = (if in_front { beside } else { beside + 1 }).min(room.slots.len());
        room.slots.insert(at, Slot { id: None, place: Some(place) });
        Ok(())
    }

    fn arrange(&mut self, id: &str, number: usize) -> Result<()> {
        let window = self.window(number)?;
        let wanted = wanted_window(self.spec, number, &window)?;
        let Some(room) = self.rooms.iter_mut().find(|room| room.seen.id == id) else {
            crate::fail!("window {id} of {} is gone", self.session.name);
        };
        if room.seen.name != window.name {
            self.out.rename(id, &window.name);
        }
        self.out.mark_window(id, &wanted.mark);
        // The first place of all is the main pane's: ours come in the order in which they are wanted.
        let own: Vec<usize> = (0..room.slots.len()).filter(|at| room.slots[*at].place.is_some()).collect();
        for (rank, at) in own.iter().copied().enumerate() {
            let Some(least) = own[rank..].iter().copied().min_by_key(|at| room.slots[*at].place) else {
                break;
            };
            if least != at {
                self.out.swap(&room.target(least), &room.target(at));
                room.slots.swap(least, at);
            }
        }
        let sizes: Vec<Option<Size>> =
            window.panes.iter().map(|pane| pane.size.as_deref().and_then(Size::parse)).collect();
        let layout = window.layout.as_deref();
        let named = layout.is_none_or(|layout| LAYOUTS.contains(&layout));
        // A layout string has places for ours only, not for what a person opened beside them.
        if room.slots.len() > 1 && (named || room.slots.len() == window.panes.len()) {
            let resizes = resizes(layout, &sizes, room.seen.size);
            let pane = |place: usize| room.of_place(place).map_or(id.to_string(), |at| room.target(at));
            self.out.arrange(id, layout, &resizes, &pane);
        }
        let focus = room.seen.panes.iter().position(|pane| pane.active).map(|at| &room.seen.panes[at].id);
        let kept = focus.filter(|focus| room.slots.iter().any(|slot| slot.id.as_ref() == Some(*focus)));
        let asked = window.panes.iter().position(|pane| pane.focus).and_then(|place| room.of_place(place));
        match (kept, asked.filter(|_| self.session.attached == 0)) {
            (_, Some(asked)) => self.out.select_pane(&room.target(asked)),
            (Some(kept), None) => self.out.select_pane(kept),
            (None, None) => {}
        }
        Ok(())
    }
}
