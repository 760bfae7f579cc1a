//! Sessions with daemons on other machines: started, seen, written to, ended; and every way that goes wrong.

use std::collections::HashMap;

use gastown::base::quote::quote;
use gastown::config::Sources;
use gastown::mux::hybrid::Hybrid;
use gastown::mux::{Marks, Mux, RemoteTarget, Session, Snapshot, Spec, none};
use gastown::town::{Town, away};

use crate::common::fugue::Daemon;
use crate::common::{World, wait_for};

/// A town and what keeps its sessions, with variables of the test's own.
pub struct Place {
    town: Town,
    pub mux: Hybrid,
    sources: Sources,
}

impl Place {
    pub fn of(world: &World, more: &[(&str, &str)]) -> Place {
        let program = world.str("fugue-bin/fugue-compat");
        let own = [("GASTOWN_FUGUE__PROGRAM", program.as_str()), ("GASTOWN_FUGUE__DIALECT", "compat")];
        let env: HashMap<String, String> =
            own.iter().chain(more).map(|(key, value)| ((*key).into(), (*value).into())).collect();
        let town = Town::locate(&world.path("town"), None).unwrap().town().unwrap();
        let sources = town.sources(&env, None);
        let mux = Place::open(&town, &sources);
        Place { town, mux, sources }
    }

    fn open(town: &Town, sources: &Sources) -> Hybrid {
        Hybrid::open(Box::new(none::None::new("nothing here")), town, sources).unwrap()
    }

    /// What another command would know: the town's memory is read again.
    fn again(&mut self) -> Snapshot {
        self.mux = Place::open(&self.town, &self.sources);
        self.mux.look().unwrap()
    }

    pub fn ours(&mut self) -> Vec<Session> {
        let snapshot = self.again();
        snapshot.ours(&self.town.mark()).cloned().collect()
    }
}

pub fn spec(place: &Place, addr: &str, line: &str) -> Spec {
    Spec {
        name: "gt-wyvern-Nux".into(),
        marks: Marks {
            town: place.town.mark(),
            address: "wyvern/Nux".into(),
            bead: "wy-1".parse().unwrap(),
            instance: "i1".parse().unwrap(),
            ..Marks::default()
        },
        away: Some(RemoteTarget {
            remote: addr.into(),
            fugue_addr: addr.into(),
            town: "/far/town".into(),
            branch: String::new(),
            tags: vec!["remote".into()],
            line: line.into(),
        }),
        ..Spec::default()
    }
}

/// A start that succeeds and then says back what it is told.
pub const ECHO: &str = "echo 'gt: preparing i1'; echo 'gt: started i1'; exec cat";

pub fn town() -> World {
    let world = World::new();
    world.settings("[beads]\nstore = \"embedded\"\n");
    world.gt(["install", "town"]).ok();
    world
}

#[test]
fn a_session_over_there_is_started_seen_written_to_and_ended() {
    let world = town();
    let far = world.daemon("far");
    let mut place = Place::of(&world, &[]);
    let started = place.mux.start(&spec(&place, &far.addr, ECHO), &Snapshot::default()).unwrap();
    let own = far.session("gt-wyvern-Nux").unwrap();
    assert_eq!(started.session, format!("{}#{}", far.addr, own.id));
    let town_tag = format!("gt-t-{}", away::town_id(&place.town).unwrap());
    let mut tags = vec!["remote", "gt-i-i1", "gt-a-wyvern/Nux", "gt-b-wy-1", town_tag.as_str()];
    tags.sort_unstable();
    assert_eq!(own.tags, tags);
    let record = away::read(&place.town).unwrap()["wyvern/Nux"].clone();
    assert_eq!(
        [record.id.as_str(), &record.instance, &record.bead, &record.town, &record.fugue_addr],
        [own.id.as_str(), "i1", "wy-1", "/far/town", &far.addr]
    );

    // The town's memory alone leads to the daemon: no variable, no setting names it.
    let [seen]: [Session; 1] = place.ours().try_into().unwrap();
    assert!(seen.alive());
    assert_eq!(
        (seen.remote.as_deref(), seen.marks.address.as_str()),
        (Some(far.addr.as_str()), "wyvern/Nux")
    );
    place.mux.paste(&seen.id, "two\nlines; $(touch x)").unwrap();
    place.mux.keys(&seen.id, &["Enter".into()]).unwrap();
    let said = || place.mux.capture(&seen.panes[0].id, 50).unwrap();
    wait_for("the text, and what cat says", || {
        (said().matches("two lines; $(touch x)").count() == 2).then_some(())
    });
    assert_eq!(place.mux.capture(&seen.id, 1).unwrap().lines().count(), 1);

    place.mux.stop(&[&seen.id]).unwrap();
    place.mux.stop(&[&seen.id]).unwrap();
    assert!(far.sessions().is_empty());
    assert!(place.mux.capture(&seen.id, 5).unwrap_err().to_string().contains("the session is gone"));
    let kept = away::read(&place.town).unwrap();
    assert!(kept.contains_key("wyvern/Nux"), "a polecat's end has more steps");
}

#[test]
fn a_role_s_session_that_is_stopped_leaves_no_memory() {
    let world = town();
    let far = world.daemon("far");
    let place = Place::of(&world, &[]);
    let mut mayor = spec(&place, &far.addr, ECHO);
    mayor.marks.address = "mayor".into();
    mayor.marks.bead = Default::default();
    let started = place.mux.start(&mayor, &Snapshot::default()).unwrap();
    place.mux.stop(&[&started.session]).unwrap();
    assert!(away::read(&place.town).unwrap().is_empty());
}

#[test]
fn a_start_that_fails_says_why_and_leaves_nothing() {
    let world = town();
    let far = world.daemon("far");
    let place = Place::of(&world, &[]);
    let fails = |line: &str| {
        let failed = place.mux.start(&spec(&place, &far.addr, line), &Snapshot::default());
        assert!(away::read(&place.town).unwrap().is_empty(), "{line}");
        wait_for("the session's end", || far.sessions().is_empty().then_some(()));
        failed.unwrap_err().to_string()
    };
    let line = "echo 'gt: preparing i1'; echo 'gt: start failed i1'; echo 'cannot clone x:'; echo 'no such host'; \
                echo 'gt: end of reason'; exec sleep 60";
    let name = &far.addr;
    assert_eq!(
        fails(line),
        format!("{name} did not start the session gt-wyvern-Nux: cannot clone x:\nno such host")
    );
    let said = fails("exit 3");
    assert!(
        said.starts_with(&format!("{name} did not start the session gt-wyvern-Nux: it ended at once")),
        "{said}"
    );
}

#[test]
fn a_dead_daemon_is_told_with_what_helps_and_nothing_is_remembered() {
    let world = town();
    world.with_fugue();
    let addr = world.dead_addr();
    let mut place = Place::of(&world, &[("GASTOWN_FUGUE_ADDR", &addr)]);
    let failed = |taken: &Snapshot| {
        let error = place.mux.start(&spec(&place, &addr, ECHO), taken).unwrap_err();
        assert!(away::read(&place.town).unwrap().is_empty());
        (error.to_string(), gastown::base::failure::hint_of(&error).unwrap())
    };
    let (said, hint) = failed(&Snapshot::default());
    assert!(said.ends_with(&format!("at {addr}: connection refused")), "{said}");
    assert!(hint.starts_with("is the tunnel up? ssh -N -L "), "{hint}");
    let looked = place.mux.look().unwrap();
    assert_eq!(looked.away.silence_of(&addr), Some("connection refused"));
    let (said, again) = failed(&looked);
    assert!(said.ends_with(": connection refused"), "{said}");
    assert_eq!(hint, again);
    assert!(place.ours().is_empty());
}

#[test]
fn a_daemon_that_is_stuck_is_silent_and_what_it_may_have_started_is_remembered() {
    let world = town();
    let far = world.daemon("far");
    let mut place = Place::of(&world, &[("GASTOWN_FUGUE_ADDR", &far.addr)]);
    let looked = place.mux.look().unwrap();
    assert_eq!(looked.away.daemons[0].silent, None);
    far.freeze();
    let error = place.mux.start(&spec(&place, &far.addr, ECHO), &looked).unwrap_err();
    assert!(error.to_string().ends_with("no answer within 2 s"), "{error}");
    assert!(away::read(&place.town).unwrap()["wyvern/Nux"].leaving);
    let silent = place.again();
    assert_eq!(silent.away.silence_of(&far.addr), Some("no answer within 2 s"));
    assert_eq!(silent.away.unreachable["wyvern/Nux"], far.addr);
    far.thaw();
    wait_for("the daemon", || place.again().away.silence_of(&far.addr).is_none().then_some(()));
    // A daemon that reads what it was sent makes the session after all; it is known by its tags, and can be ended.
    wait_for("nothing of ours there", || {
        let seen = place.ours();
        seen.iter().for_each(|session| place.mux.stop(&[&session.id]).unwrap());
        far.sessions().is_empty().then_some(())
    });
}

#[test]
fn of_two_daemons_one_is_dead() {
    let world = town();
    let (one, two) = (world.daemon("one"), world.daemon("two"));
    let toml = format!(
        "[remotes.one]\nfugue_addr = \"{}\"\n[remotes.two]\nfugue_addr = \"{}\"\n",
        one.addr, two.addr
    );
    world.write("town/config/town.toml", toml);
    let mut place = Place::of(&world, &[]);
    let mut here = spec(&place, &one.addr, ECHO);
    here.away.as_mut().unwrap().remote = "one".into();
    place.mux.start(&here, &Snapshot::default()).unwrap();
    let mut there = spec(&place, &two.addr, "echo 'gt: started i2'; exec cat");
    there.away.as_mut().unwrap().remote = "two".into();
    there.marks.address = "wyvern/Toast".into();
    there.marks.instance = "i2".parse().unwrap();
    // The same name on another machine is free.
    place.mux.start(&there, &place.mux.look().unwrap()).unwrap();
    assert_eq!(place.ours().len(), 2);
    two.kill();
    let snapshot = place.again();
    let daemons: Vec<_> = snapshot
        .away
        .daemons
        .iter()
        .map(|one| (one.remote.as_str(), one.silent.as_deref(), one.sessions))
        .collect();
    assert_eq!(daemons, [("one", None, 1), ("two", Some("connection refused"), 0)]);
    assert_eq!(snapshot.away.unreachable, [("wyvern/Toast".to_string(), "two".to_string())].into());
    let ours: Vec<_> = snapshot.ours(&place.town.mark()).map(|session| session.remote.clone()).collect();
    assert_eq!(ours, [Some("one".to_string())]);
}

#[test]
fn a_daemon_with_two_names_is_asked_once() {
    let world = town();
    let far = world.daemon("far");
    let table = |name: &str| format!("[remotes.{name}]\nfugue_addr = \"{}\"\n", far.addr);
    world.write("town/config/town.toml", table("one") + &table("two"));
    let mut place = Place::of(&world, &[]);
    let mut spec = spec(&place, &far.addr, ECHO);
    spec.away.as_mut().unwrap().remote = "two".into();
    place.mux.start(&spec, &place.mux.look().unwrap()).unwrap();
    let snapshot = place.again();
    let names: Vec<_> = snapshot.away.daemons.iter().map(|one| (one.remote.as_str(), one.sessions)).collect();
    assert_eq!(names, [("one", 1), ("two", 1)]);
    let [seen]: [Session; 1] = place.ours().try_into().unwrap();
    assert_eq!(seen.remote.as_deref(), Some("two"), "under the name that it was sent to");
    world.set("GASTOWN_FUGUE__DIALECT", "compat");
    world.count_calls(&["fugue-compat"]);
    world.in_town(["status"]).ok();
    assert_eq!(world.calls("fugue-compat").len(), 1);
}

#[test]
fn a_daemon_s_restart_leaves_dead_sessions_that_get_no_text_and_are_replaced() {
    let world = town();
    let far = world.daemon("far");
    let mut place = Place::of(&world, &[]);
    let started = place.mux.start(&spec(&place, &far.addr, ECHO), &Snapshot::default()).unwrap();
    far.restart();
    wait_for("the session to come back", || far.session("gt-wyvern-Nux"));
    let [dead]: [Session; 1] = place.ours().try_into().unwrap();
    assert_eq!((dead.id.as_str(), dead.marks.instance.as_str()), (started.session.as_str(), "i1"));
    assert!(!dead.alive());
    let refused = place.mux.paste(&dead.id, "touch /tmp/never").unwrap_err().to_string();
    assert!(refused.contains("its daemon was restarted, and a shell is there"), "{refused}");
    place.mux.keys(&dead.id, &["Enter".into()]).unwrap_err();
    assert!(!far.screen("gt-wyvern-Nux").contains("never"));
    place.mux.stop(&[&dead.id]).unwrap();
    let mut next = spec(&place, &far.addr, "echo 'gt: started i2'; exec cat");
    next.marks.instance = "i2".parse().unwrap();
    let replaced = place.mux.start(&next, &place.mux.look().unwrap()).unwrap();
    assert_eq!(replaced.name, "gt-wyvern-Nux");
    let [alive]: [Session; 1] = place.ours().try_into().unwrap();
    assert!(alive.alive() && alive.marks.instance == "i2" && alive.id != dead.id);
}

#[test]
fn a_name_that_is_taken_over_there_gets_a_number() {
    let world = town();
    let far = world.daemon("far");
    far.ask(["new-session", "-d", "-s", "gt-wyvern-Nux", "sleep 600"]).ok();
    let mut place = Place::of(&world, &[("GASTOWN_FUGUE_ADDR", &far.addr)]);
    let taken = place.mux.look().unwrap();
    let started = place.mux.start(&spec(&place, &far.addr, ECHO), &taken).unwrap();
    assert_eq!(started.name, "gt-wyvern-Nux-2");
    assert_eq!(place.ours().len(), 1);
    assert_eq!(place.again().away.daemons[0].sessions, 2);
}

#[test]
fn whatever_is_quoted_stays_what_it_is() {
    let world = town();
    let far = world.daemon("far");
    let place = Place::of(&world, &[]);
    let titles = [
        "'; touch OWNED #",
        "$(touch OWNED)`touch OWNED`",
        "a\nb\"c\\",
        "\u{1F389} end;",
        "#{session_name} #(touch OWNED)",
        "-x",
    ];
    let words = titles.map(quote).join(" ");
    let line = format!(
        "cd {}; printf '<%s>\\n' {words} > said; echo 'gt: started i1'; exec cat",
        quote(far.folder().to_str().unwrap())
    );
    place.mux.start(&spec(&place, &far.addr, &line), &Snapshot::default()).unwrap();
    let wanted: String = titles.iter().map(|title| format!("<{title}>\n")).collect();
    assert_eq!(std::fs::read_to_string(far.folder().join("said")).unwrap(), wanted);
    let owned = |dir: &str| far.folder().join(dir).join("OWNED").exists();
    assert!(!owned(".") && !owned("home") && !far.screen("gt-wyvern-Nux").contains("OWNED"));
}

/// What a look costs: one process for tmux, one for each daemon.
#[test]
fn a_look_is_one_process_for_each_place() {
    let world = town();
    let (one, two) = (world.daemon("one"), world.daemon("two"));
    let remotes = |daemons: &[&Daemon]| {
        let table = |far: &&Daemon| format!("[remotes.p{}]\nfugue_addr = \"{}\"\n", far.port, far.addr);
        world.write("town/config/town.toml", daemons.iter().map(table).collect::<String>());
    };
    // Which words the program takes is asked once in its life.
    world.set("GASTOWN_FUGUE__DIALECT", "compat");
    world.count_calls(&["tmux", "fugue-compat"]);
    for (daemons, calls) in [(vec![], 0), (vec![&one], 1), (vec![&one, &two], 2)] {
        remotes(&daemons);
        for words in [["status"].as_slice(), &["session", "list"]] {
            world.in_town(words).ok();
            assert_eq!(world.calls("tmux").len(), 1, "{words:?}");
            assert_eq!(world.calls("fugue-compat").len(), calls, "{words:?}");
        }
    }
}
