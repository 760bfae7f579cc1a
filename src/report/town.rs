//! The whole town on one screen.

use super::text::{Cell, Color, Screen};
use super::{away, rig};
use crate::base::terminal::Text;
use crate::base::time::on_the_clock;
use crate::town::pause::Paused;
use crate::work::observe::changes::ViewChange;
use crate::work::observe::view::TownView;

/// What is paused, a line each, with the command that takes it back.
pub fn pauses(paused: &Paused, now: &str) -> Vec<String> {
    let until = |until: &str| match until {
        "" => String::new(),
        until => format!(" until {}", on_the_clock(until)),
    };
    let town = paused.town.iter().filter(|_| paused.town(now));
    let town = town.map(|end| format!("paused{}: take it back with: gt resume", until(end)));
    let rigs = paused.rigs.iter().filter(|(rig, _)| paused.holds(rig, now));
    let rigs =
        rigs.map(|(rig, end)| format!("{rig} is paused{}: take it back with: gt resume {rig}", until(end)));
    town.chain(rigs).collect()
}

impl TownView {
    /// As a person reads it; `now` is RFC 3339.
    pub fn text(&self, screen: &Screen, now: &str) -> Text {
        let mut text =
            screen.paint(Color::Bold, &screen.fit(&format!("{}  {}", self.name, self.path), screen.width));
        text.push("\n");
        if let Some(why) = &self.sessions_unseen {
            let what = if self.multiplexer == "none" { "minimal mode" } else { "sessions unknown" };
            let line = screen.fit(&format!("{what}: {why}"), screen.width);
            text.push(screen.paint(Color::Bad, &line).then("\n"));
        }
        text.push(away::warnings(&self.away.silent(), screen));
        let limits = self.limits.iter().map(|(runtime, until)| {
            format!(
                "{runtime} is at its limit until {}: nothing starts with it by itself",
                on_the_clock(until)
            )
        });
        for line in pauses(&self.paused, now).into_iter().chain(limits) {
            text.push(screen.paint(Color::Waiting, &screen.fit(&line, screen.width)).then("\n"));
        }
        text.push(screen.table(&[], &self.head(now), 1));
        text.push(rig::questions(self.agents.iter().map(|agent| agent.answer.as_str()), screen));
        for rig in &self.rigs {
            text.push("\n");
            text.push(rig.text(screen, now));
        }
        if self.rigs.is_empty() {
            text.push("\nno rigs yet; add one with: gt rig add NAME URL\n");
        }
        text
    }

    /// The same for who watches, with what changed last.
    pub fn watched(&self, last: &[ViewChange], screen: &Screen, now: &str) -> Text {
        let mut text = self.text(screen, now);
        for ViewChange { about, was, now } in last {
            let line = match (was.as_str(), now.as_str()) {
                ("", now) => format!("new: {about}: {now}"),
                (was, "") => format!("gone: {about} (was: {was})"),
                (was, now) => format!("changed: {about}: {now} (was: {was})"),
            };
            text.push("\n");
            text.push(screen.paint(Color::Dim, &screen.fit(&line, screen.width)));
        }
        text
    }

    fn head(&self, now: &str) -> Vec<Vec<Cell>> {
        let mail = match self.overseer_unread {
            None => {
                let why = self.store.unreadable.as_deref().unwrap_or_default();
                Cell::new(Color::Bad, format!("mail unknown: {why}"))
            }
            Some(0) if self.overseer_foreign == 0 => Cell::new(Color::Dim, "no unread mail"),
            Some(number) if self.overseer_foreign > 0 => Cell::new(
                Color::Waiting,
                format!("unread mail: {number}, and {} from outside this town", self.overseer_foreign),
            ),
            Some(number) => Cell::new(Color::Waiting, format!("{number} unread mail")),
        };
        let mut lines = vec![vec!["overseer".into(), mail]];
        for agent in &self.agents {
            lines.push(vec![agent.address.name().into(), Cell::new(agent.color(), agent.words(now))]);
        }
        lines.extend(away::rows(&self.away.daemons));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::address::Address;
    use crate::mux::{Daemon, Marks, OtherMachines, Pane, Session, Snapshot};
    use crate::plan::place::Place;
    use crate::plan::place::Run;
    use crate::report::sessions;
    use crate::work::observe::view::Polecat;
    use crate::work::observe::view::{RigView, RoleStatus, StoreView};

    /// The Mayor here, Nux on a machine that answers, Toast on one that does not.
    fn hybrid() -> Snapshot {
        let session = |address: &str, remote: Option<&str>| Session {
            name: format!("gt-{address}"),
            marks: Marks { town: "/t".into(), address: address.into(), ..Marks::default() },
            panes: vec![Pane::default()],
            remote: remote.map(Into::into),
            ..Session::default()
        };
        let daemon = |remote: &str, silent: Option<&str>| Daemon {
            remote: remote.into(),
            silent: silent.map(Into::into),
            sessions: 3,
            latency_us: silent.is_none().then_some(7_100),
            ..Daemon::default()
        };
        Snapshot {
            sessions: vec![session("mayor/", None), session("wyvern/Nux", Some("gaming-pc"))],
            away: OtherMachines {
                daemons: vec![daemon("gaming-pc", None), daemon("box", Some("connection refused"))],
                unreachable: [("wyvern/Toast".to_string(), "box".to_string())].into(),
                ..OtherMachines::default()
            },
            ..Snapshot::default()
        }
    }

    fn polecat(name: &str, place: Place, remote: &str) -> Polecat {
        Polecat {
            address: format!("wyvern/{name}"),
            name: name.into(),
            place: Some(place),
            state: None,
            why: String::new(),
            answer: String::new(),
            goes_on: false,
            bead: Some("wy-1".into()),
            title: Some("Render".into()),
            since: None,
            session: None,
            attached: 0,
            remote: Some(remote.into()),
            instance: Default::default(),
            run: Run::Unknown,
        }
    }

    #[test]
    fn where_each_lives_is_shown_and_a_silent_daemon_is_no_empty_one() {
        let snapshot = hybrid();
        let screen = Screen { width: 80, fancy: false, unicode: true };
        let polecats =
            vec![polecat("Nux", Place::Working, "gaming-pc"), polecat("Toast", Place::Unreachable, "box")];
        let report = TownView {
            name: "town".into(),
            path: "/t".into(),
            multiplexer: "tmux",
            sessions_unseen: None,
            store: StoreView::default(),
            overseer_unread: Some(0),
            overseer_foreign: 0,
            agents: vec![RoleStatus::of("/t", &snapshot, &Address::Mayor)],
            rigs: vec![RigView {
                unapproved: Vec::new(),
                mergeable: Vec::new(),
                to_merge: None,
                to_start: Vec::new(),
                name: "wyvern".into(),
                store: StoreView::default(),
                ready: None,
                foreign: 0,
                queue: None,
                max_workers: 4,
                free_slots: 2,
                agents: Vec::new(),
                polecats,
                set_aside: Vec::new(),
            }],
            away: snapshot.away.clone(),
            server: 0,
            paused: Paused { town: Some(String::new()), ..Paused::default() },
            limits: [("claude".to_string(), "at some time".to_string())].into(),
            pids: Vec::new(),
        };
        let lines = sessions::lines("/t", &snapshot, None);
        assert_eq!(lines.iter().map(|line| line.alive).collect::<Vec<_>>(), [Some(true), Some(true), None]);
        let toast = RoleStatus::of("/t", &snapshot, &Address::Polecat("wyvern".into(), "Toast".into()));
        let shown = report
            .text(&screen, "2026-01-01T00:00:00Z")
            .then("\n")
            .then(sessions::table(&lines, &screen))
            .then("\n")
            .then(toast.line());
        insta::assert_snapshot!(shown, @r"
        town  /t
        box does not answer: connection refused; unreachable: wyvern/Toast
        paused: take it back with: gt resume
        claude is at its limit until at some time: nothing starts with it by itself
        overseer  no unread mail
        mayor     running, session gt-mayor/
        remote    gaming-pc: 3 sessions, 8 ms

        wyvern  2 of 4 polecats
          * Nux on gaming-pc  working      wy-1  Render
          ! Toast on box      unreachable  wy-1  Render

        ADDRESS       STATE        BEAD  AGE  SESSION
        mayor/        running                 gt-mayor/
        wyvern/Nux    running                 gt-wyvern/Nux on gaming-pc
        wyvern/Toast  unreachable             on box

        wyvern/Toast: unreachable, on box
        ");
        // What a town without other machines has in JSON has nothing of them.
        let local = serde_json::to_string(&sessions::lines("/t", &snapshot, None)[0]).unwrap();
        assert!(!local.contains("remote"), "{local}");
    }
}
