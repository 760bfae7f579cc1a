//! Any layout against anything that may have been seen.

use super::*;
use crate::model::address::Address;
use crate::mux::{Marks, Pane};
use proptest::prelude::*;

const TOWN: &str = "/t";

fn address(number: usize) -> Address {
    match number {
        0 => Address::Mayor,
        1 => Address::Witness("wyvern".into()),
        _ => Address::Crew("wyvern".into(), format!("c{number}")),
    }
}

/// What is asked for, from few values, so that some are equal.
fn asked() -> impl Strategy<Value = AskedMark> {
    (prop::collection::vec(0u32..2, 5), any::<bool>(), any::<bool>()).prop_map(|(pieces, var, up)| {
        AskedMark {
            command: pieces[0],
            folder: pieces[1],
            env: pieces[2],
            later: pieces[3],
            place: pieces[4],
            vars: if var { vec!["A".into()] } else { Vec::new() },
            up,
        }
    })
}

/// An agent that is wanted: its session, whether it is down, whether it could be worked out.
fn wanted() -> impl Strategy<Value = Option<(AskedMark, bool, bool)>> {
    prop::option::of((asked(), prop::bool::weighted(0.2), prop::bool::weighted(0.9)))
}

/// What was seen of one agent.
#[derive(Clone, Debug)]
struct SeenAgent {
    mark: Option<AskedMark>,
    alive: bool,
    attached: usize,
    state: &'static str,
    ours: bool,
    unreachable: bool,
}

fn seen() -> impl Strategy<Value = Vec<SeenAgent>> {
    let one = (
        prop::option::weighted(0.9, asked()),
        any::<bool>(),
        0usize..2,
        prop_oneof![Just("working"), Just("idle")],
        prop::bool::weighted(0.8),
        prop::bool::weighted(0.05),
    );
    let one = one.prop_map(|(mark, alive, attached, state, ours, unreachable)| SeenAgent {
        mark,
        alive,
        attached,
        state,
        ours,
        unreachable,
    });
    prop::collection::vec(one, 0..3)
}

fn spec(address: &Address, asked: &AskedMark) -> Spec {
    let marks = Marks {
        town: TOWN.into(),
        address: address.to_string(),
        hash: asked.to_string(),
        state: "working".into(),
        ..Marks::default()
    };
    Spec { name: address.session_name(), marks, ..Spec::default() }
}

struct Case {
    specs: Vec<Option<(Spec, bool, bool)>>,
    snapshot: Snapshot,
    down: Vec<String>,
}

impl Case {
    fn new(wanted: Vec<Option<(AskedMark, bool, bool)>>, seen: Vec<Vec<SeenAgent>>, down: Vec<bool>) -> Case {
        let specs = wanted.into_iter().enumerate().map(|(number, one)| {
            one.map(|(asked, down, known)| (spec(&address(number), &asked), down, known))
        });
        let mut snapshot = Snapshot::default();
        for (number, sessions) in seen.into_iter().enumerate() {
            for one in sessions {
                add(&mut snapshot, &address(number), one);
            }
        }
        let polecat = Address::Polecat("wyvern".into(), "Nux".into());
        let works = SeenAgent {
            mark: None,
            alive: true,
            attached: 0,
            state: "working",
            ours: true,
            unreachable: false,
        };
        add(&mut snapshot, &polecat, works);
        let down = (0..).zip(down).filter(|(_, down)| *down).map(|(number, _)| address(number).to_string());
        Case { specs: specs.collect(), snapshot, down: down.collect() }
    }

    fn layout(&self) -> Layout<'_> {
        let wanted = self.specs.iter().enumerate().filter_map(|(number, one)| {
            let (spec, down, known) = one.as_ref()?;
            let address = address(number);
            let down = *down || self.down.contains(&address.to_string());
            Some(WantedAgent { address, spec: known.then_some(spec), down })
        });
        Layout { town: TOWN.into(), wanted: wanted.collect(), some: false, down: self.down.clone() }
    }

    fn spec(&self, address: &str) -> &Spec {
        let mut specs = self.specs.iter().flatten();
        &specs.find(|(spec, ..)| spec.marks.address == address).unwrap().0
    }

    /// The world once a plan is carried out.
    fn after(&self, plan: &Plan) -> Snapshot {
        let mut snapshot = self.snapshot.clone();
        for line in plan.lines.iter().filter(|line| line.acts()) {
            let gone = match line.sign {
                Sign::Start => line.id.clone(),
                Sign::Change if !line.restarts() => String::new(),
                _ => line.id.clone(),
            };
            if line.sign == Sign::Start {
                // Whoever starts an agent has what is left of it out of the way first.
                let left = |one: &Session| {
                    one.marks.town == TOWN && one.marks.address == line.address && !one.alive()
                };
                snapshot.sessions.retain(|one| !left(one));
            }
            snapshot.sessions.retain(|one| gone.is_empty() || one.id != gone);
            if line.sign == Sign::Start || line.restarts() {
                let mut marks = self.spec(&line.address).marks.clone();
                marks.state = "working".into();
                let id = format!("$new-{}", line.address);
                let panes = vec![Pane { agent: true, ..Pane::default() }];
                let created = 1000;
                let name = line.session.clone();
                snapshot.sessions.push(Session { id, name, marks, panes, created, ..Session::default() });
            }
            for change in &line.live {
                if let LiveChange::Marks(marks) = change
                    && let Some(session) = snapshot.sessions.iter_mut().find(|one| one.id == line.id)
                {
                    session.marks.hash.clone_from(&marks[0].1);
                }
            }
        }
        snapshot
    }
}

fn add(snapshot: &mut Snapshot, address: &Address, one: SeenAgent) {
    let number = snapshot.sessions.len();
    let named = snapshot.sessions.iter().filter(|own| own.marks.address == address.to_string()).count();
    let name = match named {
        0 => address.session_name(),
        more => format!("{}-{}", address.session_name(), more + 1),
    };
    if one.unreachable {
        snapshot.away.unreachable.insert(address.to_string(), "far".into());
        return;
    }
    snapshot.sessions.push(Session {
        id: format!("${number}"),
        name,
        marks: Marks {
            town: if one.ours { TOWN.into() } else { String::new() },
            address: address.to_string(),
            hash: one.mark.map(|mark| mark.to_string()).unwrap_or_default(),
            state: one.state.into(),
            ..Marks::default()
        },
        attached: one.attached,
        created: i64::try_from(number).unwrap(),
        panes: vec![Pane { agent: true, dead: !one.alive, ..Pane::default() }],
        ..Session::default()
    });
}

fn case() -> impl Strategy<Value = Case> {
    let parts = (
        prop::collection::vec(wanted(), 5),
        prop::collection::vec(seen(), 5),
        prop::collection::vec(prop::bool::weighted(0.1), 5),
    );
    parts.prop_map(|(wanted, seen, down)| Case::new(wanted, seen, down))
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#?}\n{:#?}\ndown {:?}", self.layout(), self.snapshot, self.down)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn once_a_plan_is_carried_out_nothing_is_left_to_do(case in case(), restart in any::<bool>()) {
        let plan = diff(&case.layout(), &case.snapshot, restart);
        let again = diff(&case.layout(), &case.after(&plan), restart);
        prop_assert!(again.is_empty(), "{:#?}\nthen {:#?}", plan, again);
        if restart {
            prop_assert!(plan.lines.iter().all(|line| line.held.is_none()), "{:#?}", plan);
        }
    }

    #[test]
    fn nobody_who_lives_is_ended_unasked_and_nobody_elses_session_at_all(case in case(), restart in any::<bool>()) {
        let layout = case.layout();
        let plan = diff(&layout, &case.snapshot, restart);
        let after = case.after(&plan);
        for session in &case.snapshot.sessions {
            let address = &session.marks.address;
            let ours = session.marks.town == TOWN;
            let kept = after.sessions.iter().any(|own| own.id == session.id);
            let down = layout.down.contains(address)
                || layout.wanted.iter().any(|own| own.down && own.address.to_string() == *address);
            prop_assert!(ours || kept, "{:?}", session);
            prop_assert!(!ours || down || restart || !session.alive() || kept, "{:?} {:#?}", session, plan);
            let polecat = address == "wyvern/Nux";
            prop_assert!(!polecat || kept && plan.lines.iter().all(|line| line.address != *address));
        }
    }

    #[test]
    fn what_cannot_be_seen_is_left_alone(case in case(), restart in any::<bool>()) {
        let far = diff(&case.layout(), &case.snapshot, restart);
        for address in case.snapshot.away.unreachable.keys() {
            let touched = |line: &&PlanLine| line.address == *address && matches!(line.sign, Sign::Start | Sign::Change);
            prop_assert_eq!(far.lines.iter().find(touched), None);
        }
        let unknown = Snapshot { unknown: Some("tmux is stuck".into()), ..Snapshot::default() };
        let plan = diff(&case.layout(), &unknown, restart);
        prop_assert!(plan.is_empty() && plan.lines.iter().all(|line| line.sign == Sign::Alone), "{:#?}", plan);
    }

    #[test]
    fn new_sessions_have_names_that_nobody_has(case in case()) {
        let plan = diff(&case.layout(), &case.snapshot, false);
        let mut names: Vec<String> = case.after(&plan).sessions.into_iter().map(|one| one.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        prop_assert_eq!(names.len(), count, "{:?}", names);
    }
}
