//! Towns as values: what is done, how often, and what is left alone.

mod day;

use proptest::prelude::*;

use super::*;

fn polecat(place: Option<Place>, run: Run) -> PolecatSeen {
    PolecatSeen {
        name: "Nux".into(),
        instance: "i-1".into(),
        bead: "wy-1".into(),
        place,
        run,
        cycles: false,
        stopped: false,
        held: false,
    }
}

fn rig(polecats: Vec<PolecatSeen>, queue: &str) -> TownSeen {
    let rig = RigSeen {
        name: "wyvern".into(),
        restart: Restart::OnFailure,
        polecats,
        queue: queue.into(),
        ..RigSeen::default()
    };
    TownSeen { server: 1, rigs: vec![rig], ..TownSeen::default() }
}

fn mayor(run: Run, restart: Restart) -> TownSeen {
    let role = RoleSeen { address: Address::Mayor, run, cycles: false, down: false, restart };
    TownSeen { server: 1, roles: vec![role], ..TownSeen::default() }
}

/// The commands of one look, and when the next thing is due, counted from then.
fn step(seen: &TownSeen, memory: &mut Memory, now: i64) -> (Vec<String>, Option<i64>) {
    let Supervision { actions, due } = decide(seen, memory, &BTreeSet::new(), now);
    (actions.iter().map(|action| action.words().join(" ")).collect(), due.map(|due| due - now))
}

/// When what was done, over `hours` of one and the same look.
fn over_time(seen: &TownSeen, hours: i64) -> Vec<(i64, String)> {
    let (mut memory, mut done, mut now) = (Memory::default(), Vec::new(), 1_000_000);
    let end = now + hours * 3600;
    let begin = now;
    while now < end {
        let (actions, due) = step(seen, &mut memory, now);
        done.extend(actions.into_iter().map(|action| (now - begin, action)));
        now += due.unwrap_or(3600).max(1);
    }
    done
}

fn times(done: &[(i64, String)]) -> Vec<i64> {
    done.iter().map(|(at, _)| *at).collect()
}

#[test]
fn an_end_is_completed_at_once_and_tried_less_and_less_often_while_that_does_not_help() {
    for (place, run) in [
        (Some(Place::Submitted), Run::Ended),
        (Some(Place::Submitted), Run::Leaving),
        (Some(Place::Working), Run::Leaving),
        (Some(Place::Merged), Run::None),
        (Some(Place::Ready), Run::Failed),
        (None, Run::Ended),
    ] {
        let done = over_time(&rig(vec![polecat(place, run)], ""), 2);
        assert_eq!(done[0].1, "session-ended --now wyvern/Nux i-1", "{place:?} {run:?}");
        assert_eq!(times(&done), [0, 5, 35, 155, 755, 2555, 6155], "{place:?} {run:?}");
    }
}

#[test]
fn what_a_command_may_be_about_to_do_is_left_to_it_for_a_while() {
    let begun = over_time(&rig(vec![polecat(Some(Place::Hooked), Run::None)], ""), 1);
    assert_eq!(begun[0], (10, "sling wy-1 wyvern".into()));
    let name = over_time(&rig(vec![polecat(None, Run::None)], ""), 1);
    assert_eq!(name[0], (10, "session-ended --now wyvern/Nux i-1".into()));
}

#[test]
fn a_crash_is_started_again_three_times_and_then_said_once() {
    let done = over_time(&rig(vec![polecat(Some(Place::Crashed), Run::Failed)], ""), 48);
    let start = |at| (at, "sling wy-1 wyvern --resume".to_string());
    let said = (155, "session-ended --now wyvern/Nux i-1".to_string());
    assert_eq!(done, [start(0), start(30), start(150), said]);
}

#[test]
fn who_ran_for_long_or_was_started_by_somebody_else_begins_anew() {
    let crashed = rig(vec![polecat(Some(Place::Crashed), Run::Failed)], "");
    let works = rig(vec![polecat(Some(Place::Working), Run::Alive)], "");
    let mut memory = Memory::default();
    let mut now = 1_000_000;
    for _ in 0..20 {
        assert_eq!(step(&crashed, &mut memory, now).0, ["sling wy-1 wyvern --resume"]);
        now += STEADY;
        step(&works, &mut memory, now);
    }
    // Three in a row are too many; a person who starts it then begins anew.
    for at in [now, now + 60, now + 200, now + 201] {
        step(&crashed, &mut memory, at);
    }
    assert_eq!(step(&crashed, &mut memory, now + 300).0, ["session-ended --now wyvern/Nux i-1"]);
    assert_eq!(step(&crashed, &mut memory, now + 301).0, [""; 0]);
    step(&works, &mut memory, now + 302);
    assert_eq!(step(&crashed, &mut memory, now + 303).0, ["sling wy-1 wyvern --resume"]);
}

#[test]
fn what_a_person_decided_is_left_alone() {
    let crashed = || polecat(Some(Place::Crashed), Run::None);
    let nothing: [String; 0] = [];
    let mut memory = Memory::default();
    let stopped = rig(vec![PolecatSeen { stopped: true, ..crashed() }], "");
    assert_eq!(step(&stopped, &mut memory, 1_000_000).0, nothing);
    let at_its_limit = rig(vec![PolecatSeen { held: true, cycles: true, ..crashed() }], "");
    assert_eq!(step(&at_its_limit, &mut memory, 1_000_000).0, nothing);
    let mut paused = rig(vec![crashed()], "wy-2 abc");
    paused.rigs[0].paused = true;
    assert_eq!(step(&paused, &mut memory, 1_000_000).0, nothing);
    paused.rigs[0].paused = false;
    paused.paused = true;
    assert_eq!(step(&paused, &mut memory, 1_000_000).0, nothing);
    // What was tried before a pause, or while it could not be seen, still counts after it.
    let (seen, mut counted) = (rig(vec![crashed()], ""), Memory::default());
    let mut hidden = rig(vec![polecat(Some(Place::Unknown), Run::Unknown)], "");
    for at in [0, 60, 200, 260] {
        step(&seen, &mut counted, 1_000_000 + at);
        step(&paused, &mut counted, 1_000_001 + at);
        step(&hidden, &mut counted, 1_000_002 + at);
    }
    hidden.rigs[0].polecats.clear();
    assert_eq!(step(&seen, &mut counted, 1_001_000).0, nothing);
    step(&hidden, &mut counted, 1_001_001);
    assert_eq!(counted.tries.len(), 0);
    // An agent goes on, also over a handoff.
    paused.rigs[0].polecats[0].cycles = true;
    assert_eq!(step(&paused, &mut memory, 1_000_000).0, ["sling wy-1 wyvern --resume"]);
    paused.rigs[0].polecats[0].stopped = true;
    assert_eq!(step(&paused, &mut Memory::default(), 1_000_000).0, nothing);
    let mut never = rig(vec![crashed()], "");
    never.rigs[0].restart = Restart::Never;
    assert_eq!(over_time(&never, 5), [(0, "session-ended --now wyvern/Nux i-1".into())]);
    let mut down = mayor(Run::Failed, Restart::Always);
    down.roles[0].down = true;
    assert_eq!(step(&down, &mut memory, 1_000_000).0, nothing);
}

#[test]
fn a_clock_that_was_wrong_puts_nothing_off() {
    let seen = rig(vec![polecat(Some(Place::Crashed), Run::Failed)], "wy-2 abc");
    for last in [i64::MIN, i64::MAX, 4_000_000_000] {
        let mut memory = Memory::default();
        step(&seen, &mut memory, 1_000_000);
        memory.tries.values_mut().for_each(|tries| (tries.last, tries.count) = (last, 1));
        step(&seen, &mut memory, 1_000_001);
        let again = step(&seen, &mut memory, 1_000_100).0;
        assert!(last < 0 || again == ["sling wy-1 wyvern --resume", "refinery process wyvern"], "{again:?}");
        memory.tries.values_mut().for_each(|tries| tries.count = u32::MAX);
        step(&seen, &mut memory, 2_000_000);
    }
}

#[test]
fn a_queue_is_processed_when_it_changes_and_now_and_then_while_it_does_not() {
    let mut memory = Memory::default();
    let (first, second) = (rig(vec![], "wy-2 abc"), rig(vec![], "wy-2 abc, wy-3 def"));
    assert_eq!(step(&first, &mut memory, 1_000_000), (vec!["refinery process wyvern".into()], Some(5)));
    assert_eq!(step(&first, &mut memory, 1_000_001), (vec![], Some(4)));
    assert_eq!(step(&second, &mut memory, 1_000_002).0, ["refinery process wyvern"]);
    let busy = BTreeSet::from(["merge wyvern".to_string()]);
    assert_eq!(decide(&first, &mut memory, &busy, 1_000_003), Supervision::default());
    assert_eq!(step(&first, &mut memory, 1_000_004).0, ["refinery process wyvern"]);
    assert_eq!(step(&rig(vec![], ""), &mut memory, 1_000_005).0, [""; 0]);
    assert_eq!(memory.tries.len(), 0);
    assert_eq!(over_time(&first, 24).len(), 6 + 23);
}

#[test]
fn what_waits_is_started_when_there_is_a_place_after_what_crashed() {
    let mut seen = rig(vec![polecat(Some(Place::Crashed), Run::Failed)], "");
    seen.rigs[0].to_start = "1 for wy-7".into();
    let mut memory = Memory::default();
    assert_eq!(step(&seen, &mut memory, 1_000_000).0, ["sling wy-1 wyvern --resume"]);
    seen.rigs[0].polecats[0] = polecat(Some(Place::Working), Run::Alive);
    assert_eq!(step(&seen, &mut memory, 1_000_001).0, ["dispatch wyvern"]);
    // A place more, or another bead, is another matter; the same is tried again later.
    assert_eq!(step(&seen, &mut memory, 1_000_002), (vec![], Some(4)));
    seen.rigs[0].to_start = "2 for wy-7".into();
    assert_eq!(step(&seen, &mut memory, 1_000_003).0, ["dispatch wyvern"]);
}

#[test]
fn roles_are_started_again_as_their_preset_says_and_a_loop_ends_in_one_letter() {
    let runs = |run, restart| {
        over_time(&mayor(run, restart), 24).into_iter().map(|(_, done)| done).collect::<Vec<_>>()
    };
    let nothing: [String; 0] = [];
    for (run, restart) in [
        (Run::Failed, Restart::OnCycle),
        (Run::Ended, Restart::OnFailure),
        (Run::None, Restart::Always),
        (Run::Failed, Restart::Never),
        (Run::Unknown, Restart::Always),
    ] {
        assert_eq!(runs(run, restart), nothing, "{run:?} {restart:?}");
    }
    for (run, restart) in [(Run::Failed, Restart::OnFailure), (Run::Ended, Restart::Always)] {
        let done = runs(run, restart);
        assert_eq!(done[..3], ["apply mayor/"; 3], "{run:?} {restart:?}");
        assert!(done[3].starts_with("mail send overseer -s mayor/ is not started again"), "{done:?}");
        assert_eq!(done.len(), 4);
    }
    let mut cycles = mayor(Run::None, Restart::Never);
    cycles.roles[0].cycles = true;
    assert_eq!(step(&cycles, &mut Memory::default(), 1_000_000).0, ["apply mayor/"]);
}

#[test]
fn what_needs_the_person_is_told_once_and_not_in_quiet_hours() {
    let need = |what: &str, patient| NeedSeen { what: what.into(), help: "gt x".into(), patient };
    let mut seen = TownSeen { needs: vec![need("a", false), need("b", true)], ..TownSeen::default() };
    let told = over_time(&seen, 24);
    assert_eq!(told, [(0, "notify -- a gt x".into()), (60, "notify -- b gt x".into())]);
    let mut memory = Memory::default();
    seen.quiet = true;
    assert_eq!(step(&seen, &mut memory, 1_000_000), (vec![], Some(300)));
    seen.quiet = false;
    assert_eq!(step(&seen, &mut memory, 1_000_300).0, ["notify -- a gt x"]);
    // Once told it is known, over another night too; settled and back it is another matter.
    seen.quiet = true;
    step(&seen, &mut memory, 1_000_400);
    seen.quiet = false;
    assert_eq!(step(&seen, &mut memory, 1_000_500).0, ["notify -- b gt x"]);
    step(&TownSeen::default(), &mut memory, 1_000_600);
    assert_eq!(step(&seen, &mut memory, 1_000_700).0, ["notify -- a gt x"]);
}

#[test]
fn a_reboot_starts_what_ran_and_nothing_that_was_stopped_before() {
    let mut memory = Memory::default();
    let nothing: [String; 0] = [];
    step(&mayor(Run::Alive, Restart::OnCycle), &mut memory, 1_000_000);
    let gone = |server| TownSeen { server, ..mayor(Run::None, Restart::OnCycle) };
    let mut rebooted = memory.clone();
    assert_eq!(step(&gone(0), &mut rebooted, 1_000_001).0, ["apply mayor/"]);
    let runs = TownSeen { server: 7, ..mayor(Run::Alive, Restart::OnCycle) };
    assert_eq!(step(&runs, &mut rebooted, 1_000_002).0, nothing);
    assert_eq!((rebooted.server, rebooted.ran.len()), (7, 1));
    // Gone from the same server: somebody ended it there.
    assert_eq!(step(&gone(1), &mut memory, 1_000_001).0, nothing);
    assert_eq!(step(&gone(7), &mut memory, 1_000_002).0, nothing);
}

#[test]
fn after_a_reboot_who_is_down_or_given_up_keeps_nobody_elses_session_from_being_ended() {
    let one = |address, run, down| RoleSeen { address, run, cycles: false, down, restart: Restart::OnCycle };
    let town = |server, run, witness, down| {
        let roles = vec![
            one(Address::Mayor, run, false),
            one(Address::Witness("wyvern".into()), witness, down),
            one(Address::Refinery("wyvern".into()), witness, false),
        ];
        TownSeen { server, roles, ..TownSeen::default() }
    };
    let mut memory = Memory::default();
    step(&town(1, Run::Alive, Run::Alive, false), &mut memory, 1_000_000);
    // The witness is taken down while all is gone; the refinery cannot be started.
    for at in [1, 40, 200, 300] {
        step(&town(2, Run::None, Run::None, true), &mut memory, 1_000_000 + at);
    }
    step(&town(2, Run::Alive, Run::None, true), &mut memory, 1_000_301);
    assert_eq!(step(&town(2, Run::None, Run::None, true), &mut memory, 1_000_302).0, [""; 0]);
}

#[test]
fn a_pause_takes_no_loop_of_an_agent_that_stays_for_another() {
    let mut seen = mayor(Run::Failed, Restart::Always);
    let (mut memory, mut done) = (Memory::default(), 0);
    for at in 0..20 {
        seen.paused = at % 2 == 1;
        done += step(&seen, &mut memory, 1_000_000 + 200 * at).0.len();
    }
    assert_eq!(done, 4);
}

#[test]
fn a_rig_whose_agents_work_is_patrolled_now_and_then_but_not_while_one_is_to_be_started_again() {
    let works = rig(vec![polecat(Some(Place::Working), Run::Alive)], "");
    assert_eq!(times(&over_time(&works, 1)), [600, 1200, 1800, 2400, 3000]);
    let mut both = works.clone();
    both.rigs[0].polecats.push(PolecatSeen {
        name: "Ace".into(),
        bead: "wy-9".into(),
        ..polecat(Some(Place::Crashed), Run::Failed)
    });
    let done = over_time(&both, 1);
    let starts = done.iter().filter(|(_, done)| done.contains("--resume")).count();
    let first_patrol = done.iter().position(|(_, done)| done.contains("patrol"));
    assert_eq!((starts, first_patrol), (3, Some(4)), "{done:?}");
}

fn any_seen() -> impl Strategy<Value = TownSeen> {
    let place = prop::option::of(prop::sample::select(vec![
        Place::Working,
        Place::Crashed,
        Place::Hooked,
        Place::Submitted,
        Place::Merged,
        Place::Unknown,
        Place::Unreachable,
    ]));
    let run = || {
        prop::sample::select(vec![Run::Unknown, Run::None, Run::Alive, Run::Leaving, Run::Ended, Run::Failed])
    };
    let polecat = (place, run(), any::<[bool; 2]>())
        .prop_map(|(place, run, [cycles, stopped])| PolecatSeen { cycles, stopped, ..polecat(place, run) });
    let number = |at: usize, polecat: PolecatSeen| PolecatSeen {
        name: format!("P{at}"),
        bead: format!("wy-{at}").parse().unwrap(),
        ..polecat
    };
    let polecats = prop::collection::vec(polecat, 0..4)
        .prop_map(move |all| all.into_iter().enumerate().map(|(at, one)| number(at, one)).collect());
    let role = (run(), any::<[bool; 2]>()).prop_map(|(run, [cycles, down])| RoleSeen {
        address: Address::Mayor,
        run,
        cycles,
        down,
        restart: Restart::Always,
    });
    (polecats, prop::sample::select(vec!["", "a", "b"]), role, any::<[bool; 3]>(), 0..3i32).prop_map(
        |(polecats, queue, role, [blind, paused, rig_paused], server)| {
            let mut seen = rig(polecats, queue);
            (seen.blind, seen.paused, seen.server) = (blind, paused, server);
            seen.rigs[0].paused = rig_paused;
            seen.rigs[0].to_start = queue.into();
            seen.roles = vec![role];
            seen
        },
    )
}

proptest! {
    /// Whatever is seen, in whatever order: one command a lane, nothing about what could not be seen, nothing new in a pause,
    /// and the same decision again costs nothing at once.
    #[test]
    fn no_storm_and_nothing_unseen(looks in prop::collection::vec((any_seen(), 0..2000i64), 1..40)) {
        let (mut memory, mut now) = (Memory::default(), 1_000_000);
        for (seen, pause) in looks {
            now += pause;
            let decision = decide(&seen, &mut memory, &BTreeSet::new(), now);
            let lanes: BTreeSet<String> = decision.actions.iter().map(Action::lane).collect();
            prop_assert_eq!(lanes.len(), decision.actions.len());
            prop_assert!(decision.due.is_none_or(|due| due > now));
            for action in &decision.actions {
                if let Action::LookAfter { name, .. } = action {
                    let about = seen.rigs[0].polecats.iter().find(|one| one.name == *name).unwrap();
                    prop_assert!(about.run != Run::Unknown);
                }
                let is_new =
                    matches!(action, Action::Merge { .. } | Action::Begin { .. } | Action::Dispatch { .. });
                prop_assert!(!seen.paused || !is_new);
                if seen.blind {
                    prop_assert!(action.rig().is_some());
                }
            }
            let again = decide(&seen, &mut memory.clone(), &lanes, now);
            prop_assert_eq!(again.actions, vec![]);
            // What is written down is read back.
            let text = serde_json::to_string(&memory).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Memory>(&text).unwrap(), &memory);
        }
    }
}

#[test]
fn a_notice_that_did_not_reach_the_person_is_tried_again_later_each_time() {
    let need = NeedSeen { what: "wy-1 asks".into(), help: "gt attach".into(), patient: false };
    let town = TownSeen { server: 1, needs: vec![need], ..TownSeen::default() };
    let mut memory = Memory::default();
    let action = Action::Tell { what: "wy-1 asks".into(), help: "gt attach".into() };
    let mut told = Vec::new();
    for at in 0..10_000 {
        if !step(&town, &mut memory, 1_000_000 + at).0.is_empty() {
            told.push(at);
            if told.len() < 4 {
                memory.untold(&action);
            }
        }
    }
    assert_eq!(told, [0, 600, 1800, 3600]);
}

#[test]
fn who_looks_is_told_which_crashes_go_on_by_themselves() {
    let crashed = rig(vec![polecat(Some(Place::Crashed), Run::Failed)], "");
    let mut memory = Memory::default();
    let mut goes_on = Vec::new();
    for at in [0, 30, 150, 155] {
        step(&crashed, &mut memory, 1_000_000 + at);
        goes_on.push(memory.goes_on("wy-1"));
    }
    assert_eq!(goes_on, [true, true, true, false]);
    assert!(!memory.goes_on("wy-2"));
}
