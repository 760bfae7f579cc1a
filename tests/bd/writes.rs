//! Writing: what arrives, and how many calls it takes with each line of bd.

use gastown::beads::{Change, Guard, Store, Written};
use gastown::model::bead::{NewBead, Patch};
use serde_json::{Value, json};

use super::shop::{create, done, get, titled, with_each_bd};

fn update(id: &str, patch: Patch) -> Change {
    Change::Update(id.into(), Box::new(patch))
}

fn status(word: &str) -> Patch {
    Patch { status: Some(word.into()), ..Patch::default() }
}

fn holder(name: &str) -> Option<Option<String>> {
    Some(Some(name.into()))
}

#[test]
fn every_field_arrives() {
    with_each_bd("fields", |shop| {
        let store = shop.store();
        let odd = "-x; 'a' \"b\" $(c) `d` \\ \u{1F389}";
        let id = create(
            &store,
            NewBead {
                description: format!("--help\n{odd}"),
                labels: vec!["from:wyvern/Nux".into(), "x,y".into()],
                metadata: [("n".to_string(), json!(1)), ("text".to_string(), json!(odd))]
                    .into_iter()
                    .collect(),
                ..titled(odd)
            },
        );
        shop.made_calls(&["create"], &["create", "list"]);
        let bead = get(&store, &id);
        assert_eq!((bead.title.as_str(), &bead.description), (odd, &format!("--help\n{odd}")));
        assert_eq!((bead.status.as_str(), bead.priority, bead.issue_type.as_str()), ("open", 2, "task"));
        assert_eq!(bead.labels, ["from:wyvern/Nux", "x,y"]);
        assert_eq!((bead.meta("text"), bead.metadata["n"].as_i64()), (Some(odd), Some(1)));
        shop.calls();

        let patch = Patch {
            status: Some("hooked".into()),
            assignee: holder("wyvern/Nux"),
            title: Some("--new".into()),
            description: Some("-d".into()),
            design: Some("how".into()),
            acceptance_criteria: Some("when".into()),
            notes: Some("one".into()),
            priority: Some(0),
            issue_type: Some("bug".into()),
            estimated_minutes: Some(30),
            external_ref: Some("gh-1".into()),
            add_labels: vec!["gt:hold".into(), "p,q".into()],
            remove_labels: vec!["x,y".into(), "not-there".into()],
            metadata: [("n".to_string(), json!(2)), ("more".to_string(), json!([true]))]
                .into_iter()
                .collect(),
            ..Patch::default()
        };
        done(store.write(&[], &[update(&id, patch)]).unwrap());
        let shop_calls = shop.calls();
        // What created it, or reads it back, may have shown it already.
        assert!(
            [&["list", "update"][..], &["update"]].iter().any(|calls| shop_calls == *calls),
            "{shop_calls:?}"
        );
        let bead = get(&store, &id);
        assert_eq!((bead.status.as_str(), bead.assignee.as_deref()), ("hooked", Some("wyvern/Nux")));
        assert_eq!(
            (bead.title.as_str(), bead.description.as_str(), bead.design.as_str()),
            ("--new", "-d", "how")
        );
        assert_eq!((bead.acceptance_criteria.as_str(), bead.notes.as_str()), ("when", "one"));
        assert_eq!((bead.priority, bead.issue_type.as_str(), bead.estimated_minutes), (0, "bug", Some(30)));
        assert_eq!(bead.external_ref.as_deref(), Some("gh-1"));
        assert_eq!(bead.labels, ["from:wyvern/Nux", "gt:hold", "p,q"]);
        assert_eq!(
            (&bead.metadata["n"], &bead.metadata["more"], bead.meta("text")),
            (&json!(2), &json!([true]), Some(odd))
        );

        let patch = Patch {
            assignee: Some(None),
            append_notes: Some("two".into()),
            metadata: [("text".to_string(), Value::Null), ("never".to_string(), Value::Null)]
                .into_iter()
                .collect(),
            ..Patch::default()
        };
        shop.calls();
        done(store.write(&[], &[update(&id, patch)]).unwrap());
        shop.made_calls(&["list", "update", "update"], &["list", "update"]);
        let bead = get(&store, &id);
        assert_eq!((bead.assignee, bead.notes.as_str(), bead.metadata.len()), (None, "one\ntwo", 2));
        assert_eq!(bead.description, "-d");
    });
}

#[test]
fn a_guard_that_fails_leaves_everything_as_it_was() {
    with_each_bd("guards", |shop| {
        let store = shop.store();
        let id = create(&store, titled("one"));
        let free =
            Guard { id: id.clone(), statuses: vec!["open".into()], assignee: Some(None), ..Guard::default() };
        let take = |name: &str| update(&id, Patch { assignee: holder(name), ..status("hooked") });
        shop.calls();
        done(store.write(std::slice::from_ref(&free), &[take("wyvern/Nux")]).unwrap());
        // Before 1.0 what reads a new bead back has shown it already.
        assert!(shop.calls().ends_with(&["update".into()]));

        let late = store.write(std::slice::from_ref(&free), &[take("wyvern/Toast")]).unwrap();
        let Written::Refused(guard, Some(bead)) = late else { panic!("{late:?}") };
        assert_eq!((guard, bead.assignee.as_deref()), (free, Some("wyvern/Nux")));
        assert_eq!(shop.calls(), ["list"]);

        let nobody = Guard { id: "wy-none".into(), ..Guard::default() };
        assert_eq!(store.write(std::slice::from_ref(&nobody), &[]).unwrap(), Written::Refused(nobody, None));
    });
}

#[test]
fn what_cannot_be_made_is_refused_before_anything_is_written() {
    with_each_bd("refusals", |shop| {
        let store = shop.store();
        let id = create(&store, titled("one"));
        shop.calls();
        let good = Change::Comment(id.clone(), "fine".into());
        let bad = [
            Change::Close("wy-none".into(), "x".into()),
            Change::Comment(id.clone(), " ".into()),
            Change::Depend(id.clone(), id.clone(), "blocks".into()),
            Change::Depend(id.clone(), "wy-none".into(), "blocks".into()),
            Change::Create(Box::new(titled(""))),
            Change::Create(Box::new(NewBead { parent: Some("wy-none".into()), ..titled("x") })),
            Change::Create(Box::new(NewBead { id: Some(id.clone()), ..titled("x") })),
            update(&id, Patch { priority: Some(9), ..Patch::default() }),
            update(&id, status("nonsense")),
        ];
        let said: Vec<String> = bad
            .into_iter()
            .map(|bad| {
                let error = store.write(&[], &[good.clone(), bad]).unwrap_err();
                assert!(shop.calls().iter().all(|word| word == "list"));
                error.to_string().replace(&id, "wy-1")
            })
            .collect();
        insta::allow_duplicates! { insta::assert_snapshot!(said.join("\n"), @r#"
        no issue found matching "wy-none"
        the comment on wy-1 is empty
        wy-1 cannot depend on itself
        no issue found matching "wy-none"
        title is empty
        no issue found matching "wy-none"
        wy-1 exists already
        invalid priority: 9
        invalid status: nonsense
        "#); }
        assert_eq!(get(&store, &id).comments, []);

        let nonsense = NewBead { issue_type: "nonsense".into(), ..titled("x") };
        let error = store.write(&[], &[Change::Create(Box::new(nonsense))]).unwrap_err();
        let failure = error.downcast_ref::<gastown::base::failure::Failure>().unwrap();
        assert!(failure.message.contains("invalid issue type: nonsense"), "{failure}");
        assert!(failure.hint.as_ref().unwrap().contains("bd config set types.custom"));
    });
}

/// The writes of a bead's way through the town.
#[test]
fn the_way_of_a_bead() {
    with_each_bd("way", |shop| {
        let store = shop.store();
        let id =
            create(&store, NewBead { priority: Some(1), labels: vec!["area:x".into()], ..titled("work") });
        let waits =
            create(&store, NewBead { dependencies: vec![(id.clone(), "blocks".into())], ..titled("waits") });
        done(
            store
                .write(&[], &[update(&id, Patch { assignee: holder("wyvern/Nux"), ..status("in_progress") })])
                .unwrap(),
        );
        shop.calls();

        // gt done: a request, the bead submitted, a mail.
        let request = NewBead {
            issue_type: "merge-request".into(),
            priority: Some(1),
            labels: vec!["gt:merge-request".into()],
            metadata: [("bead".to_string(), json!(id)), ("attempt".to_string(), json!(1))]
                .into_iter()
                .collect(),
            ..titled("work")
        };
        let mail = NewBead {
            issue_type: "message".into(),
            assignee: Some("wyvern/witness".into()),
            labels: vec!["gt:message".into()],
            description: "two\nlines".into(),
            ..titled("ready")
        };
        let submitted = Patch { add_labels: vec!["gt:submitted".into()], ..status("in_progress") };
        let changes = [
            Change::Create(Box::new(request.clone())),
            update(&id, submitted.clone()),
            Change::Create(Box::new(mail.clone())),
        ];
        let made = done(store.write(&[], &changes).unwrap());
        shop.made_calls(&["list", "import"], &["list", "create", "update", "create", "list"]);
        let [first, letter] = made.as_slice() else { panic!("{made:?}") };
        let stored = get(&store, first);
        assert_eq!(
            (stored.issue_type.as_str(), stored.meta("bead"), &stored.metadata["attempt"]),
            ("merge-request", Some(id.as_str()), &json!(1))
        );
        let stored = get(&store, letter);
        assert_eq!(
            (stored.description.as_str(), stored.assignee.as_deref()),
            ("two\nlines", Some("wyvern/witness"))
        );
        assert_eq!(
            (stored.created_by.as_str(), stored.labels.as_slice()),
            ("wyvern/Nux", &["gt:message".to_string()][..])
        );
        let bead = get(&store, &id);
        assert_eq!(
            (bead.status.as_str(), bead.labels.as_slice()),
            ("in_progress", &["area:x".to_string(), "gt:submitted".into()][..])
        );
        assert_eq!(bead.assignee.as_deref(), Some("wyvern/Nux"));

        // A conflict: set aside, with the reason on the bead and a letter.
        shop.calls();
        let aside = Patch {
            assignee: Some(None),
            add_labels: vec!["gt:rework".into()],
            remove_labels: vec!["gt:submitted".into()],
            ..status("open")
        };
        let changes = [
            update(&id, aside),
            Change::Close(first.clone(), "conflict\nin a.rs".into()),
            Change::Comment(id.clone(), "conflict in a.rs".into()),
            Change::Create(Box::new(mail)),
        ];
        done(store.write(&[], &changes).unwrap());
        shop.made_calls(
            &["list", "update", "import"],
            &["list", "update", "close", "comments", "create", "list"],
        );
        let bead = get(&store, &id);
        assert_eq!((bead.status.as_str(), bead.assignee.as_deref()), ("open", None));
        assert_eq!(bead.labels, ["area:x", "gt:rework"]);
        assert_eq!((bead.comments.len(), bead.comments[0].author.as_str()), (1, "wyvern/Nux"));
        assert_eq!(get(&store, first).close_reason, "conflict\nin a.rs");

        // Again, and merged: bead and request closed with the commit.
        let again =
            done(store.write(&[], &[Change::Create(Box::new(request)), update(&id, submitted)]).unwrap());
        shop.calls();
        let patch =
            Patch { remove_labels: vec!["gt:submitted".into(), "gt:rework".into()], ..Patch::default() };
        let changes = [
            update(&id, patch),
            Change::Close(id.clone(), "merged \"c0ffee\" \\".into()),
            Change::Close(again[0].clone(), "merged".into()),
        ];
        done(store.write(&[], &changes).unwrap());
        shop.made_calls(&["list", "update", "batch"], &["list", "update", "close", "close"]);
        let bead = get(&store, &id);
        assert_eq!((bead.status.as_str(), bead.close_reason.as_str()), ("closed", "merged \"c0ffee\" \\"));
        assert_eq!(bead.labels, ["area:x"]);
        assert!(bead.closed_at.is_some());
        // bd's own view of what is blocked follows.
        let ready = shop.own_ready();
        assert!(ready.contains(&waits), "{ready:?}");

        // Opened again, and released: the time and reason of closing go.
        done(store.write(&[], &[update(&id, status("open"))]).unwrap());
        let bead = get(&store, &id);
        assert_eq!((bead.status.as_str(), bead.closed_at, bead.close_reason.as_str()), ("open", None, ""));
    });
}

#[test]
fn several_of_a_kind_are_one_call() {
    with_each_bd("several", |shop| {
        let store = shop.store();
        let ids: Vec<String> = ["a", "b", "c"].map(|title| create(&store, titled(title))).into();
        shop.calls();
        let hold = Patch { add_labels: vec!["gt:hold".into()], ..Patch::default() };
        let changes: Vec<_> = ids.iter().map(|id| update(id, hold.clone())).collect();
        done(store.write(&[], &changes).unwrap());
        assert_eq!(shop.calls(), ["list", "update"]);
        let changes: Vec<_> = ids.iter().map(|id| Change::Close(id.clone(), "over".into())).collect();
        done(store.write(&[], &changes).unwrap());
        assert_eq!(shop.calls(), ["list", "close"]);
        assert!(ids.iter().all(|id| get(&store, id).is_closed() && get(&store, id).has_label("gt:hold")));
        shop.calls();

        // An epic, its parts with ids of our choosing, and what waits for what.
        let part = |id: &str| NewBead { id: Some(format!("wy-plan-{id}")), ..titled(id) };
        let waits = NewBead { dependencies: vec![("wy-plan-one".into(), "blocks".into())], ..part("two") };
        let changes = [
            Change::Create(Box::new(part("one"))),
            Change::Create(Box::new(waits)),
            Change::Depend("wy-plan-two".into(), ids[0].clone(), "related".into()),
        ];
        assert_eq!(done(store.write(&[], &changes).unwrap()), ["wy-plan-one", "wy-plan-two"]);
        shop.made_calls(&["list", "import", "batch"], &["list", "create", "create", "dep", "list"]);
        let two = get(&store, "wy-plan-two");
        assert_eq!(two.blockers().collect::<Vec<_>>(), ["wy-plan-one"]);
        assert!(two.dependencies.iter().any(|edge| edge.kind == "related" && edge.depends_on_id == ids[0]));
    });
}
