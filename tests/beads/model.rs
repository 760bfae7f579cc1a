//! Random work on the store against a simple model of it.

use std::collections::{BTreeMap, BTreeSet};

use gastown::base::proof::Secret;
use gastown::beads::embedded::Embedded;
use gastown::beads::{Change, Filter, Guard, Store, Written, proven, random_id};
use gastown::model::bead::{NewBead, Patch};
use gastown::model::words;
use proptest::prelude::*;
use serde_json::json;

#[derive(Clone, Debug)]
enum Op {
    Create {
        priority: u8,
        parent: Option<usize>,
    },
    Request {
        of: usize,
    },
    Status(usize, &'static str),
    Claim(usize, &'static str),
    Depend(usize, usize, &'static str),
    Undepend(usize, usize),
    Label(usize, &'static str, bool),
    /// Both or neither: the second bead does not exist.
    HalfBad(usize),
}

#[derive(Clone, Debug, PartialEq)]
struct Entry {
    id: String,
    status: &'static str,
    priority: u8,
    assignee: Option<&'static str>,
    labels: BTreeSet<&'static str>,
    edges: BTreeMap<usize, &'static str>,
    request_for: Option<usize>,
    children: u64,
}

/// What the store should hold: beads in the order they were made.
#[derive(Default)]
struct Model(Vec<Entry>);

impl Model {
    fn reaches(&self, from: usize, to: usize, kind: &str) -> bool {
        from == to
            || self.0[from].edges.iter().any(|(target, own)| *own == kind && self.reaches(*target, to, kind))
    }

    fn requested(&self, bead: usize) -> bool {
        self.0.iter().any(|entry| entry.request_for == Some(bead) && entry.status != "closed")
    }

    fn is_ready(&self, number: usize) -> bool {
        let bead = &self.0[number];
        let done = |target: usize| self.0[target].status == "closed" && !self.requested(target);
        bead.status == "open"
            && bead.request_for.is_none()
            && !bead.labels.contains("gt:hold")
            && !bead.labels.contains("gt:submitted")
            && !self.requested(number)
            && bead.edges.iter().all(|(target, kind)| *kind != "blocks" || done(*target))
    }

    fn sorted(&self, keep: impl Fn(usize) -> bool) -> Vec<String> {
        let mut kept: Vec<usize> = (0..self.0.len()).filter(|number| keep(*number)).collect();
        kept.sort_by_key(|number| self.0[*number].priority);
        kept.into_iter().map(|number| self.0[number].id.clone()).collect()
    }

    /// Whether the bead, or one above it, is a child of `epic`.
    fn under(&self, number: usize, epic: usize) -> bool {
        let mut parents = self.0[number].edges.iter().filter(|(_, kind)| **kind == "parent-child");
        parents.any(|(target, _)| *target == epic || self.under(*target, epic))
    }
}

fn any_op() -> impl Strategy<Value = Op> {
    // Few, so that what is done meets what was done before.
    let which = 0usize..7;
    prop_oneof![
        4 => (0u8..5, prop::option::of(which.clone())).prop_map(|(priority, parent)| Op::Create { priority, parent }),
        4 => which.clone().prop_map(|of| Op::Request { of }),
        8 => (which.clone(), prop::sample::select(vec!["open", "open", "hooked", "in_progress", "closed", "closed"]))
            .prop_map(|(bead, status)| Op::Status(bead, status)),
        2 => (which.clone(), prop::sample::select(vec!["max", "joe"])).prop_map(|(bead, who)| Op::Claim(bead, who)),
        4 => (which.clone(), which.clone(), prop::sample::select(vec!["blocks", "blocks", "parent-child", "related"]))
            .prop_map(|(bead, on, kind)| Op::Depend(bead, on, kind)),
        1 => (which.clone(), which.clone()).prop_map(|(bead, on)| Op::Undepend(bead, on)),
        2 => (which.clone(), prop::sample::select(vec!["gt:hold", "gt:submitted", "x"]), any::<bool>())
            .prop_map(|(bead, label, comes)| Op::Label(bead, label, comes)),
        1 => which.prop_map(Op::HalfBad),
    ]
}

fn update(id: &str, patch: Patch) -> Change {
    Change::Update(id.into(), Box::new(patch))
}

fn secret() -> Secret {
    Secret::new([7; 32])
}

/// Does it to both; what the store says must be what the model says.
fn apply(store: &Embedded, model: &mut Model, op: &Op) -> Result<(), TestCaseError> {
    let count = model.0.len();
    let bead = |number: usize| model.0.get(number).map(|entry| entry.id.clone()).unwrap_or("gm-none".into());
    match *op {
        Op::Create { priority, parent } => {
            let new = NewBead {
                title: "x".into(),
                priority: Some(priority),
                parent: parent.map(bead),
                ..NewBead::default()
            };
            return create(store, model, new, parent, None);
        }
        Op::Request { of } if of < count => {
            let mut new =
                NewBead { title: "r".into(), issue_type: words::MERGE_REQUEST.into(), ..NewBead::default() };
            new.id = Some(random_id("gm"));
            new.metadata.insert("bead".into(), json!(bead(of)));
            proven::sign(&secret(), &mut new);
            return create(store, model, new, None, Some(of));
        }
        Op::Request { .. } => {}
        Op::Status(number, status) => {
            let patch = Patch { status: Some(status.into()), ..Patch::default() };
            let written = store.write(&[], &[update(&bead(number), patch)]);
            prop_assert_eq!(written.is_ok(), number < count);
            if let Some(entry) = model.0.get_mut(number) {
                entry.status = status;
            }
        }
        Op::Claim(number, who) => {
            let guard = Guard { id: bead(number), assignee: Some(None), ..Guard::default() };
            let patch = Patch { assignee: Some(Some(who.into())), ..Patch::default() };
            let written = store.write(&[guard], &[update(&bead(number), patch)]).unwrap();
            let free = model.0.get_mut(number).filter(|entry| entry.assignee.is_none());
            prop_assert_eq!(matches!(written, Written::Done(_)), free.is_some());
            if let Some(entry) = free {
                entry.assignee = Some(who);
            }
        }
        Op::Depend(number, on, kind) => {
            let written = store.write(&[], &[Change::Depend(bead(number), bead(on), kind.into())]);
            let known = number < count && on < count && number != on;
            let other_kind = known && model.0[number].edges.get(&on).is_some_and(|own| *own != kind);
            let cycle = known && kind != "related" && model.reaches(on, number, kind);
            prop_assert_eq!(written.is_ok(), known && !other_kind && !cycle);
            if written.is_ok() {
                model.0[number].edges.insert(on, kind);
            }
        }
        Op::Undepend(number, on) => {
            let removed = store.undepend(&bead(number), &bead(on));
            let expected = model.0.get_mut(number).map(|entry| entry.edges.remove(&on).is_some());
            prop_assert_eq!(removed.ok(), expected);
        }
        Op::Label(number, label, comes) => {
            let mut patch = Patch::default();
            if comes { &mut patch.add_labels } else { &mut patch.remove_labels }.push(label.into());
            let written = store.write(&[], &[update(&bead(number), patch)]);
            prop_assert_eq!(written.is_ok(), number < count);
            if let Some(entry) = model.0.get_mut(number) {
                if comes {
                    entry.labels.insert(label)
                } else {
                    entry.labels.remove(label)
                };
            }
        }
        Op::HalfBad(number) => {
            let first = Change::Close(bead(number), "half".into());
            prop_assert!(store.write(&[], &[first, Change::Comment("gm-none".into(), "x".into())]).is_err());
        }
    }
    Ok(())
}

fn create(
    store: &Embedded,
    model: &mut Model,
    new: NewBead,
    parent: Option<usize>,
    request_for: Option<usize>,
) -> Result<(), TestCaseError> {
    let priority = new.priority.unwrap_or(2);
    let written = store.write(&[], &[Change::Create(Box::new(new))]);
    if parent.is_some_and(|parent| parent >= model.0.len()) {
        prop_assert!(written.is_err());
        return Ok(());
    }
    let Written::Done(made) = written.unwrap() else { panic!("no guard, no refusal") };
    if let Some(parent) = parent {
        model.0[parent].children += 1;
        prop_assert_eq!(&made[0], &format!("{}.{}", model.0[parent].id, model.0[parent].children));
    } else {
        prop_assert!(made[0].starts_with("gm-") && !made[0].contains('.'));
    }
    prop_assert!(model.0.iter().all(|entry| entry.id != made[0]), "{} twice", made[0]);
    model.0.push(Entry {
        id: made[0].clone(),
        status: "open",
        priority,
        assignee: None,
        labels: BTreeSet::new(),
        edges: parent.map(|parent| (parent, "parent-child")).into_iter().collect(),
        request_for,
        children: 0,
    });
    Ok(())
}

fn compare(store: &Embedded, model: &Model) -> Result<(), TestCaseError> {
    let of =
        |beads: Vec<gastown::model::bead::Bead>| beads.into_iter().map(|bead| bead.id).collect::<Vec<_>>();
    prop_assert_eq!(of(store.ready(None, None).unwrap()), model.sorted(|number| model.is_ready(number)));
    let live = |number: usize| model.0[number].status != "closed" && model.0[number].request_for.is_none();
    prop_assert_eq!(of(store.list(&Filter::default()).unwrap()), model.sorted(live));
    if let Some(epic) = model.0.first() {
        let ready = of(store.ready(Some(&epic.id), Some(2)).unwrap());
        let mut expected = model.sorted(|number| model.is_ready(number) && model.under(number, 0));
        expected.truncate(2);
        prop_assert_eq!(ready, expected);
    }
    let all = store.list(&Filter { all: true, ..Filter::default() }).unwrap();
    prop_assert_eq!(all.len(), model.0.len());
    for entry in &model.0 {
        let bead = all.iter().find(|bead| bead.id == entry.id).unwrap();
        prop_assert_eq!(&bead.status, entry.status);
        prop_assert_eq!(bead.assignee.as_deref(), entry.assignee);
        prop_assert_eq!(bead.closed_at.is_some(), entry.status == "closed");
        prop_assert!(bead.labels.iter().map(String::as_str).eq(entry.labels.iter().copied()));
        let edges: BTreeSet<(&str, &str)> =
            bead.dependencies.iter().map(|edge| (edge.depends_on_id.as_str(), edge.kind.as_str())).collect();
        let expected: BTreeSet<(&str, &str)> =
            entry.edges.iter().map(|(target, kind)| (model.0[*target].id.as_str(), *kind)).collect();
        prop_assert_eq!(edges, expected);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_does_what_the_model_does(ops in prop::collection::vec(any_op(), 1..60)) {
        let dir = tempfile::tempdir().unwrap();
        Embedded::create(dir.path(), "gm").unwrap();
        let store = Embedded::open(dir.path(), "", "me").unwrap().knowing(Some(secret()));
        let mut model = Model::default();
        let one = Op::Create { priority: 2, parent: None };
        let start = [one.clone(), one.clone(), one, Op::Depend(1, 0, "blocks")];
        for op in start.iter().chain(&ops) {
            apply(&store, &mut model, op)?;
            compare(&store, &model)?;
        }
    }
}
