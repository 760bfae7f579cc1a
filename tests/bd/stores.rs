//! Making a store, reading it, moving beads out of it and back.

use gastown::beads::bd::Bd;
use gastown::beads::embedded::Embedded;
use gastown::beads::{Change, Filter, ImportOrigin, Store, StoreKind, jsonl, kind_of};
use gastown::model::bead::{Bead, NewBead};
use serde_json::json;

use crate::beads::trip::taken;
use crate::common::{World, gt};

use super::shop::{create, get, titled, titles, with_each_bd};

#[test]
fn a_store_is_made_and_the_repository_stays_as_it_was() {
    with_each_bd("make", |shop| {
        let dir = shop.world.path("repo/.beads");
        let head = shop.world.git("repo", ["rev-parse", "HEAD"]);
        Bd::create_with(&shop.program, &dir, "wy").unwrap();
        assert_eq!(kind_of(&dir).unwrap(), StoreKind::Bd);
        assert_eq!(shop.calls(), ["init", "init", "config"]);
        assert_eq!(shop.world.git("repo", ["rev-parse", "HEAD"]), head);
        assert_eq!(shop.world.git("repo", ["status", "--porcelain"]), "");
        let files: Vec<_> =
            std::fs::read_dir(shop.world.path("repo")).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(files.len(), 2, "{files:?}");
        assert!(shop.world.read("repo/.beads/.gitignore").contains("gt.lock"));

        let again = Bd::create_with(&shop.program, &dir, "wy").unwrap_err();
        assert!(again.to_string().contains("holds a store already, bd's"), "{again}");
        assert!(shop.calls().is_empty());

        let store = shop.open("wyvern/Nux");
        assert_eq!(store.kind(), format!("bd {}", shop.program.version));
        let id = create(&store, titled("first"));
        assert!(id.starts_with("wy-"), "{id}");
        assert_eq!(get(&store, &id).created_by, "wyvern/Nux");
    });
}

#[test]
fn a_read_is_one_call() {
    with_each_bd("read", |shop| {
        // bd 1.0 keeps whole seconds: what is not told apart by its priority may come in either order.
        let store = shop.store();
        let epic = create(&store, NewBead { issue_type: "epic".into(), ..titled("epic") });
        let child = |title: &str| NewBead { parent: Some(epic.clone()), ..titled(title) };
        let first =
            create(&store, NewBead { labels: vec!["area:x".into(), "a, b".into()], ..child("first") });
        let second = NewBead {
            dependencies: vec![(first.clone(), "blocks".into())],
            priority: Some(0),
            ..child("second")
        };
        let second = create(&store, second);
        let mail = NewBead {
            issue_type: "message".into(),
            assignee: Some("wyvern/witness".into()),
            ..titled("mail")
        };
        let mail = create(&store, mail);
        let gone = create(&store, NewBead { priority: Some(4), ..titled("gone") });
        store.write(&[], &[Change::Close(gone.clone(), "merged abc".into())]).unwrap();
        store.write(&[], &[Change::Comment(first.clone(), "one\ntwo".into())]).unwrap();
        shop.calls();

        let one_call = |filter: Filter, wanted: &[&str]| {
            assert_eq!(titles(&store, filter.clone()), wanted, "{filter:?}");
            assert_eq!(shop.calls().len(), 1, "{filter:?}");
        };
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_string()).collect::<Vec<_>>();
        one_call(Filter::default(), &["second", "epic", "first"]);
        one_call(Filter { limit: Some(1), ..Filter::default() }, &["second"]);
        one_call(Filter { all: true, ..Filter::default() }, &["second", "epic", "first", "mail", "gone"]);
        one_call(Filter { statuses: words(&["closed"]), ..Filter::default() }, &["gone"]);
        one_call(
            Filter { statuses: words(&["closed", "open"]), ..Filter::default() },
            &["second", "epic", "first", "gone"],
        );
        one_call(Filter { types: words(&["message"]), ..Filter::default() }, &["mail"]);
        one_call(Filter { types: words(&["message", "epic"]), ..Filter::default() }, &["epic", "mail"]);
        one_call(Filter { labels: words(&["area:x", "a, b"]), ..Filter::default() }, &["first"]);
        one_call(Filter { parent: Some(epic.clone()), ..Filter::default() }, &["second", "first"]);
        let witness = Filter {
            assignee: Some("wyvern/witness".into()),
            types: words(&["message"]),
            ..Filter::default()
        };
        one_call(witness, &["mail"]);
        let some = Filter { ids: vec![gone.clone(), mail, "wy-none".into()], ..Filter::default() };
        one_call(some, &["mail", "gone"]);
        one_call(Filter { ids: words(&["wy-none"]), ..Filter::default() }, &[]);
        // The beginning of an id is not the id.
        one_call(Filter { ids: vec![epic[..epic.len() - 1].into()], ..Filter::default() }, &[]);

        let bead = get(&store, &first);
        assert_eq!(bead.labels, ["a, b", "area:x"]);
        assert_eq!(bead.comments.len(), 1);
        assert_eq!(
            (bead.comments[0].author.as_str(), bead.comments[0].text.as_str()),
            ("wyvern/Nux", "one\ntwo")
        );
        let bead = get(&store, &second);
        assert_eq!(
            (bead.parent(), bead.blockers().collect::<Vec<_>>()),
            (Some(epic.as_str()), vec![first.as_str()])
        );
        assert_eq!(get(&store, &gone).close_reason, "merged abc");
    });
}

#[test]
fn ready_is_open_work_that_nothing_blocks() {
    with_each_bd("ready", |shop| {
        let store = shop.store();
        let epic = create(&store, NewBead { issue_type: "epic".into(), priority: Some(3), ..titled("epic") });
        let first = create(&store, NewBead { parent: Some(epic.clone()), ..titled("first") });
        let waits = NewBead {
            parent: Some(epic.clone()),
            dependencies: vec![(first.clone(), "blocks".into())],
            ..titled("waits")
        };
        create(&store, waits);
        create(&store, NewBead { labels: vec!["gt:hold".into()], ..titled("held") });
        create(&store, NewBead { issue_type: "message".into(), ..titled("mail") });
        shop.calls();
        let ready = |parent: Option<&str>| -> Vec<String> {
            let titles = store.ready(parent, None).unwrap().into_iter().map(|bead| bead.title).collect();
            assert_eq!(shop.calls().len(), 1);
            titles
        };
        assert_eq!(ready(None), ["first", "epic"]);
        assert_eq!(ready(Some(&epic)), ["first"]);

        // A request that no town made keeps nothing back.
        let request = NewBead {
            issue_type: "merge-request".into(),
            labels: vec!["gt:merge-request".into()],
            metadata: [("bead".to_string(), json!(first))].into_iter().collect(),
            ..titled("first")
        };
        let request = create(&store, request);
        store.write(&[], &[Change::Close(first.clone(), "done".into())]).unwrap();
        shop.calls();
        assert_eq!(ready(Some(&epic)), ["waits"]);
        store.write(&[], &[Change::Close(request, "merged".into())]).unwrap();
        shop.calls();
        assert_eq!(ready(Some(&epic)), ["waits"]);
        assert_eq!(store.ready(None, Some(1)).unwrap().len(), 1);
    });
}

/// What gt keeps of a bead, without the fractions of seconds and the marks of programs that bd 1.0 does not keep.
fn kept(mut bead: Bead) -> Bead {
    bead.extra.clear();
    let second = |time: &mut String| {
        let exact: jiff::Timestamp = time.parse().unwrap();
        *time = exact.round(jiff::Unit::Second).unwrap().to_string();
    };
    second(&mut bead.created_at);
    second(&mut bead.updated_at);
    bead.started_at.iter_mut().chain(&mut bead.closed_at).for_each(second);
    for edge in &mut bead.dependencies {
        edge.extra.clear();
        second(&mut edge.created_at);
        // bd signs an edge that it takes in with the name of who takes it in.
        edge.created_by.clear();
    }
    bead.dependencies.sort_by(|a, b| a.depends_on_id.cmp(&b.depends_on_id));
    for comment in &mut bead.comments {
        second(&mut comment.created_at);
        comment.id = serde_json::Value::Null;
    }
    bead
}

fn all(jsonl: &str) -> Vec<Bead> {
    let mut beads: Vec<_> = jsonl::parse(jsonl).unwrap().into_iter().map(kept).collect();
    beads.sort_by(|a, b| a.id.cmp(&b.id));
    beads
}

#[test]
fn beads_move_to_the_embedded_store_and_back() {
    with_each_bd("move", |shop| {
        let store = shop.store();
        let epic = create(&store, NewBead { issue_type: "epic".into(), ..titled("epic") });
        let whole = NewBead {
            description: "what\n\n```sh\ntrue\n```\n".into(),
            design: "how; 'so' \"far\"".into(),
            acceptance_criteria: "when".into(),
            notes: "found".into(),
            priority: Some(0),
            assignee: Some("wyvern/Nux".into()),
            labels: vec!["b".into(), "a:1".into()],
            parent: Some(epic.clone()),
            estimated_minutes: Some(90),
            external_ref: Some("gh-9".into()),
            metadata: [("recovery".to_string(), json!("refs/gt/x")), ("n".to_string(), json!({"deep": [1]}))]
                .into_iter()
                .collect(),
            ..titled("whole \u{1F389} -- $(x)")
        };
        let first = create(&store, whole);
        let waits = create(
            &store,
            NewBead { dependencies: vec![(first.clone(), "blocks".into())], ..titled("waits") },
        );
        create(
            &store,
            NewBead { issue_type: "message".into(), assignee: Some("mayor/".into()), ..titled("mail") },
        );
        store.write(&[], &[Change::Comment(first.clone(), "a remark".into())]).unwrap();
        store.write(&[], &[Change::Close(waits.clone(), "not needed".into())]).unwrap();
        shop.calls();
        let out = store.export().unwrap();
        shop.made_calls(&["export"], &["export", "show"]);

        let dir = shop.world.path("own/.beads");
        std::fs::create_dir_all(&dir).unwrap();
        Embedded::create(&dir, "wy").unwrap();
        let own = Embedded::open(&dir, "wy", "wyvern/Nux").unwrap();
        assert_eq!(taken(&own, &out), (4, 0));
        assert_eq!(all(&own.export().unwrap()), all(&out));
        let moved = get(&own, &first);
        assert_eq!(
            (moved.meta("recovery"), moved.estimated_minutes, moved.comments.len()),
            (Some("refs/gt/x"), Some(90), 1)
        );

        // Back, with a change and a new bead, into the store that bd made.
        let later = "2099-01-01T00:00:00Z";
        let mut beads = jsonl::parse(&own.export().unwrap()).unwrap();
        for bead in beads.iter_mut().filter(|bead| bead.id == first) {
            bead.labels = vec!["a:1".into(), "c".into()];
            bead.status = "in_progress".into();
            bead.assignee = None;
            bead.updated_at = later.into();
        }
        let made = Bead { id: "wy-made".into(), title: "made there".into(), ..beads[0].clone() };
        beads.push(Bead { created_at: later.into(), dependencies: Vec::new(), comments: Vec::new(), ..made });
        let back = jsonl::render(&beads);
        assert_eq!(taken(&store, &back), (1, 1));
        shop.made_calls(&["list", "import", "update"], &["export", "import", "update"]);
        // What takes the label away is a change of its own.
        let (mine, mut theirs) = (all(&back), all(&store.export().unwrap()));
        for bead in theirs.iter_mut().filter(|bead| bead.id == first) {
            bead.updated_at = later.into();
        }
        assert_eq!(mine, theirs);

        let bad =
            store.import(&mut format!("{out}{{\"id\": 7}}\n").as_bytes(), ImportOrigin::Own).unwrap_err();
        assert!(bad.to_string().starts_with("line 5: "), "{bad}");
        shop.calls();
    });
}

#[test]
fn a_store_of_bd_without_bd_says_what_helps() {
    let world = World::new();
    world.write("repo/.beads/metadata.json", "{}");
    // gt under the name bd is not bd.
    std::os::unix::fs::symlink(gt(), world.path("bin/bd")).unwrap();
    world.set("PATH", &world.str("bin"));
    let run = world.gt_in("repo", ["bd", "list"]).fails(1);
    let said = run.stderr.replace(world.real().to_str().unwrap(), "/world");
    insta::assert_snapshot!(said, @"
    gt: the store in /world/repo/.beads was made by bd, and bd is not on PATH
    hint: install bd; or move to the embedded store: where bd is, bd export > beads.jsonl (1.0: bd export --all); here move that .beads aside, then: gt bd init && gt bd import --trust beads.jsonl
    ");
    assert_eq!(std::fs::read_dir(world.path("repo/.beads")).unwrap().count(), 1);
}
