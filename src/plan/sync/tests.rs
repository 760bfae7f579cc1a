use proptest::prelude::*;
use serde_json::{Value, json};

use super::address::abroad;
use super::*;
use crate::base::proof::Secret;
use crate::model::bead::{Comment, Dependency};
use crate::model::words;

/// Two towns that trust each other, but for requests.
fn merge(prefix: &str, base: &[Bead], own: &[Bead], theirs: &[Bead]) -> MergedBeads {
    super::merge(prefix, base, own, theirs, &Terms { town: "pc-1a2b", secret: None, trust: true })
}

fn bead(id: &str, born: u32) -> Bead {
    let born = format!("2026-01-01T00:{:02}:{:02}.5Z", born / 60, born % 60);
    canonical(Bead {
        id: id.into(),
        title: format!("title of {id}"),
        status: "open".into(),
        issue_type: "task".into(),
        priority: 2,
        created_at: born.clone(),
        updated_at: born,
        ..Bead::default()
    })
}

fn edge(from: &str, to: &str, kind: &str) -> Dependency {
    Dependency { issue_id: from.into(), depends_on_id: to.into(), kind: kind.into(), ..Dependency::default() }
}

fn comment(text: &str) -> Comment {
    Comment {
        id: json!(text),
        author: "ann".into(),
        text: text.into(),
        created_at: "2026-01-01T05:00:00Z".into(),
        ..Comment::default()
    }
}

/// What one write changes.
#[derive(Clone, Debug)]
enum Edit {
    Title(u8),
    Status(u8),
    Assignee(Option<u8>),
    Note(u8),
    AddLabel(u8),
    RemoveLabel(u8),
    Comment(u8),
    Depend(u8),
    Meta(u8, Option<u8>),
    Extra(u8),
}

fn apply(bead: &mut Bead, edit: &Edit, time: u32) {
    bead.updated_at = format!("2026-01-02T{:02}:{:02}:00Z", time / 60, time % 60);
    match edit {
        Edit::Title(n) => bead.title = format!("title {n}"),
        Edit::Status(n) => {
            bead.status = ["open", "in_progress", "closed"][usize::from(*n) % 3].into();
            let closed = bead.status == "closed";
            bead.closed_at = closed.then(|| bead.updated_at.clone());
            bead.close_reason = if closed { format!("reason {n}") } else { String::new() };
        }
        Edit::Assignee(n) => bead.assignee = n.map(|n| format!("who{n}")),
        Edit::Note(n) => bead.notes = format!("{}\nnote {n} at {time}", bead.notes).trim().into(),
        Edit::AddLabel(n) => bead.labels.push(format!("l{n}")),
        Edit::RemoveLabel(n) => bead.labels.retain(|own| *own != format!("l{n}")),
        Edit::Comment(n) => bead.comments.push(comment(&format!("said {n} at {time}"))),
        Edit::Depend(n) => {
            let to = format!("wy-{n}");
            if bead.id != to && !ids::has_edge(bead, &to) {
                bead.dependencies.push(edge(&bead.id.clone(), &to, "blocks"));
            }
        }
        Edit::Meta(n, Some(value)) => {
            bead.metadata.insert(format!("k{n}"), json!(value));
        }
        Edit::Meta(n, None) => {
            bead.metadata.shift_remove(&format!("k{n}"));
        }
        Edit::Extra(n) => {
            bead.extra.insert("spec_id".into(), json!({ "b": n, "a": 1 }));
        }
    }
    *bead = canonical(std::mem::take(bead));
}

fn edits() -> impl Strategy<Value = Edit> {
    prop_oneof![
        (0..3u8).prop_map(Edit::Title),
        (0..3u8).prop_map(Edit::Status),
        proptest::option::of(0..3u8).prop_map(Edit::Assignee),
        (0..3u8).prop_map(Edit::Note),
        (0..3u8).prop_map(Edit::AddLabel),
        (0..3u8).prop_map(Edit::RemoveLabel),
        (0..3u8).prop_map(Edit::Comment),
        (0..4u8).prop_map(Edit::Depend),
        (0..2u8, proptest::option::of(0..3u8)).prop_map(|(key, value)| Edit::Meta(key, value)),
        (0..3u8).prop_map(Edit::Extra),
    ]
}

/// One town's work: edits of the beads that were there, with their times, and new beads of its own.
#[derive(Clone, Debug)]
struct TownEdits {
    edits: Vec<(usize, Edit, u32)>,
    new: Vec<(u8, u32)>,
    lost: Option<usize>,
}

fn work() -> impl Strategy<Value = TownEdits> {
    let edits = proptest::collection::vec((0..4usize, edits(), 0..30u32), 0..8);
    let new = proptest::collection::vec((0..6u8, 100..130u32), 0..3);
    (edits, new, proptest::option::of(0..8usize)).prop_map(|(mut edits, new, lost)| {
        edits.sort_by_key(|(_, _, time)| *time);
        TownEdits { edits, new, lost }
    })
}

fn base() -> Vec<Bead> {
    let mut beads: Vec<Bead> = (0..4).map(|n| bead(&format!("wy-{n}"), n)).collect();
    beads[0].labels = vec!["l0".into(), "l1".into()];
    beads[1].metadata.insert("k0".into(), json!(9));
    beads[2].notes = "known".into();
    beads[3].dependencies.push(edge("wy-3", "wy-0", "blocks"));
    beads
}

/// `from` differs in the moments of birth of what towns make.
fn worked(base: &[Bead], work: &TownEdits, from: u32) -> Vec<Bead> {
    let mut beads = base.to_vec();
    for (at, edit, time) in &work.edits {
        apply(&mut beads[*at], edit, *time);
    }
    for (number, born) in &work.new {
        let id = if *number < 3 { format!("wy-n{number}") } else { format!("wy-0.{number}") };
        if !beads.iter().any(|own| own.id == id) {
            let mut new = bead(&id, born * 10 + from);
            new.title = format!("{id} of {from}");
            beads.push(new);
        }
    }
    if let Some(lost) = work.lost.filter(|lost| *lost < 4) {
        beads.remove(lost);
    }
    beads
}

/// A town that holds what came of a merge.
fn after(own: &[Bead], merged: &MergedBeads) -> Vec<Bead> {
    let mut beads: BTreeMap<String, Bead> = own.iter().map(|bead| (bead.id.clone(), bead.clone())).collect();
    beads.extend(merged.incoming.iter().map(|bead| (bead.id.clone(), bead.clone())));
    beads.into_values().collect()
}

fn titles(beads: &[Bead]) -> BTreeSet<String> {
    // Beads made by towns have titles of their own, and nothing changes those.
    beads.iter().map(|bead| bead.title.clone()).filter(|title| title.starts_with("wy-")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Two towns, one branch: whoever comes first, both end with the same beads, and nothing is left to do.
    #[test]
    fn two_towns_end_equal(one in work(), two in work()) {
        let base = base();
        let (a, b) = (worked(&base, &one, 1), worked(&base, &two, 2));
        let first = merge("wy", &base, &a, &base);
        let a = after(&a, &first);
        let second = merge("wy", &base, &b, &first.branch);
        let b = after(&b, &second);
        let third = merge("wy", &first.branch, &a, &second.branch);
        let a = after(&a, &third);
        prop_assert!(third.branch_has_it, "{third:#?}");
        if second.waiting.is_empty() {
            prop_assert_eq!(&a, &b);
            prop_assert_eq!(&a, &second.branch);
            let again = merge("wy", &second.branch, &b, &second.branch);
            prop_assert!(again.incoming.is_empty() && again.branch_has_it, "{:#?}", again);
        }
    }

    /// Field by field it does not matter which side is which.
    #[test]
    fn sides_can_be_swapped(one in work(), two in work()) {
        let base = base();
        let (mut one, mut two) = (one, two);
        one.new.clear();
        two.new.clear();
        let (a, b) = (worked(&base, &one, 1), worked(&base, &two, 2));
        prop_assert_eq!(merge("wy", &base, &a, &b).branch, merge("wy", &base, &b, &a).branch);
        // Also when nobody remembers what was before.
        prop_assert_eq!(merge("wy", &[], &a, &b).branch, merge("wy", &[], &b, &a).branch);
    }

    /// A kill after the store was written, and before the commit it is in step with was noted: the same comes again.
    #[test]
    fn a_merge_done_twice_is_done_once(one in work(), two in work()) {
        let base = base();
        let (a, b) = (worked(&base, &one, 1), worked(&base, &two, 2));
        let first = merge("wy", &base, &a, &b);
        if first.waiting.is_empty() {
            let a = after(&a, &first);
            let again = merge("wy", &base, &a, &b);
            prop_assert!(again.incoming.is_empty() && again.renamed.is_empty(), "{first:#?}\n{again:#?}");
            prop_assert_eq!(&again.branch, &first.branch);
            prop_assert_eq!(merge("wy", &b, &a, &b).branch, first.branch);
        }
    }

    /// Every bead of either side is there, and so is every change that only one side made.
    #[test]
    fn nothing_is_lost(one in work(), two in work()) {
        let base = base();
        let (a, b) = (worked(&base, &one, 1), worked(&base, &two, 2));
        let merged = merge("wy", &base, &a, &b);
        let here = after(&a, &merged);
        let both: BTreeSet<String> = titles(&a).union(&titles(&b)).cloned().collect();
        let (on_branch, known) = (titles(&merged.branch), titles(&here));
        for title in &both {
            let stays = merged.waiting.iter().any(|id| title.starts_with(&format!("{id} of")));
            prop_assert!(stays || (on_branch.contains(title) && known.contains(title)), "{title}: {merged:#?}");
        }
        for old in &base {
            let of = |beads: &[Bead]| beads.iter().find(|bead| bead.id == old.id).cloned();
            let (Some(a), Some(b), Some(m)) = (of(&a), of(&b), of(&merged.branch)) else { continue };
            let value = |bead: &Bead| serde_json::to_value(bead).unwrap();
            let (was, a_value, b_value, m_value) = (value(old), value(&a), value(&b), value(&m));
            // Reason and time of closing go with the status.
            for field in ["title", "assignee", "status", "notes", "spec_id"] {
                let of = |value: &Value| value.get(field).cloned();
                if of(&b_value) == of(&was) {
                    prop_assert_eq!(of(&m_value), of(&a_value), "{} {}", old.id, field);
                }
                if of(&a_value) == of(&was) {
                    prop_assert_eq!(of(&m_value), of(&b_value), "{} {}", old.id, field);
                }
            }
            for line in a.notes.lines().chain(b.notes.lines()) {
                prop_assert!(m.notes.contains(line), "{line} is not in {:?}", m.notes);
            }
            for said in a.comments.iter().chain(&b.comments) {
                prop_assert!(m.comments.contains(said));
            }
            for label in ["l0", "l1", "l2"] {
                let has = |bead: &Bead| bead.has_label(label);
                let wanted = if has(old) { has(&a) && has(&b) } else { has(&a) || has(&b) };
                prop_assert_eq!(has(&m), wanted);
            }
            for needed in a.dependencies.iter().chain(&b.dependencies) {
                prop_assert!(ids::has_edge(&m, &needed.depends_on_id));
            }
        }
    }

    /// Bead by bead comes to the same as all at once, whoever is trusted, unless two beads have one id.
    #[test]
    fn bead_by_bead_is_all_at_once(one in work(), two in work(), trust in any::<bool>()) {
        let base = base();
        let (a, b) = (worked(&base, &one, 1), worked(&base, &two, 2));
        let terms = Terms { town: "pc-1a2b", secret: None, trust };
        let whole = super::merge("wy", &base, &a, &b, &terms);
        let of = |beads: &[Bead], id: &str| beads.iter().find(|bead| bead.id == id).cloned();
        let ids: BTreeSet<String> = a.iter().chain(&b).map(|bead| bead.id.clone()).collect();
        let mut all = MergedBeads { branch_has_it: true, ..MergedBeads::default() };
        for id in &ids {
            let Some(one) = super::one("wy", of(&base, id), of(&a, id), of(&b, id), &terms) else {
                prop_assert!(!whole.renamed.is_empty() || !whole.waiting.is_empty());
                return Ok(());
            };
            all.branch.extend(one.branch);
            all.incoming.extend(one.incoming);
            all.branch_has_it &= one.branch_has_it;
            all.came.extend(one.came);
            all.went.extend(one.went);
            all.taken.extend(one.taken);
            all.kept.extend(one.kept);
        }
        prop_assert_eq!(all, whole);
    }

    /// Three towns that come in any order, twice each, agree.
    #[test]
    fn three_towns_agree(works in proptest::collection::vec(work(), 3), order in Just(vec![0usize, 1, 2, 0, 1, 2, 0, 1, 2]).prop_shuffle()) {
        let mut towns: Vec<(Vec<Bead>, Vec<Bead>)> =
            works.iter().zip(1..).map(|(work, from)| (base(), worked(&base(), work, from))).collect();
        let mut branch = base();
        let mut waiting = 0;
        for turn in order.into_iter().chain(0..3).chain(0..3) {
            let (known, own) = &mut towns[turn];
            let merged = merge("wy", known, own, &branch);
            *own = after(own, &merged);
            waiting += merged.waiting.len();
            branch.clone_from(&merged.branch);
            known.clone_from(&merged.branch);
        }
        if waiting == 0 {
            for (_, own) in &towns {
                prop_assert_eq!(own, &branch);
            }
        }
    }
}

#[test]
fn the_later_write_counts_where_both_changed_a_field() {
    let base = vec![bead("wy-a", 0)];
    let (mut a, mut b) = (base.clone(), base.clone());
    apply(&mut a[0], &Edit::Title(1), 10);
    apply(&mut b[0], &Edit::Title(2), 20);
    apply(&mut a[0], &Edit::AddLabel(1), 11);
    for merged in [merge("wy", &base, &a, &b), merge("wy", &base, &b, &a)] {
        let got = &merged.branch[0];
        assert_eq!((got.title.as_str(), got.labels.as_slice()), ("title 2", &["l1".to_string()][..]));
        assert_eq!(got.updated_at, b[0].updated_at);
    }
}

#[test]
fn closing_is_one_thing() {
    let base = vec![bead("wy-a", 0)];
    let (mut a, mut b) = (base.clone(), base.clone());
    apply(&mut a[0], &Edit::Status(2), 10);
    apply(&mut b[0], &Edit::Status(1), 20);
    let got = &merge("wy", &base, &a, &b).branch[0];
    assert_eq!((got.status.as_str(), &got.closed_at, got.close_reason.as_str()), ("in_progress", &None, ""));
}

#[test]
fn two_beads_of_one_id_are_both_kept_and_what_refers_to_them_follows() {
    let (mut a, mut b) = (bead("wy-a", 1), bead("wy-a", 2));
    (a.title, b.title) = ("of a".into(), "of b".into());
    let mut waits = bead("wy-w", 3);
    waits.dependencies = vec![edge("wy-w", "wy-a", "blocks")];
    waits.metadata.insert("about".into(), "wy-a".into());
    let merged = merge("wy", &[], &[b, waits], std::slice::from_ref(&a));
    let new = &merged.renamed[0].new;
    assert_eq!(merged.renamed[0].old, "wy-a");
    let of = |id: &str| merged.branch.iter().find(|bead| bead.id == id).unwrap();
    assert_eq!(of("wy-a"), &a);
    assert_eq!(of(new).title, "of b");
    assert!(of(new).notes.starts_with("this was wy-a"));
    assert_eq!(of("wy-w").dependencies[0].depends_on_id, *new);
    assert_eq!(of("wy-w").meta("about"), Some(new.as_str()));
    // Children take the next number.
    let (mut a, mut b) = (bead("wy-a.1", 1), bead("wy-a.1", 2));
    (a.title, b.title) = ("one".into(), "two".into());
    let merged = merge("wy", &[], &[b, bead("wy-a.4", 5)], &[a]);
    assert_eq!(merged.renamed[0].new, "wy-a.5");
}

#[test]
fn a_bead_in_hand_keeps_its_id_and_stays_here_until_it_is_done() {
    let theirs = bead("wy-a", 1);
    let mut own = bead("wy-a", 2);
    (own.status, own.assignee) = ("in_progress".into(), Some("pc:wyvern/Nux".into()));
    let mut request = bead("wy-r", 3);
    request.issue_type = "merge-request".into();
    request.metadata.insert("bead".into(), "wy-a".into());
    let mut waits = bead("wy-w", 4);
    waits.dependencies = vec![edge("wy-w", "wy-a", "blocks")];
    let here = vec![own.clone(), request.clone(), waits.clone()];
    let merged = merge("wy", &[], &here, std::slice::from_ref(&theirs));
    assert_eq!(merged.waiting, ["wy-a", "wy-r"]);
    assert_eq!((merged.incoming.as_slice(), merged.renamed.as_slice()), (&[][..], &[][..]));
    let ids: Vec<&str> = merged.branch.iter().map(|bead| bead.id.as_str()).collect();
    assert_eq!(ids, ["wy-a", "wy-w"]);
    assert_eq!(merged.branch[0], theirs);
    // There, the edge would lead to the other town's bead.
    assert!(merged.branch[1].dependencies.is_empty());
    // Done: now it can give way, with all that speaks of it.
    let mut here = after(&here, &merged);
    (here[0].status, here[1].status) = ("closed".into(), "closed".into());
    let done = merge("wy", &merged.branch, &here, &merged.branch);
    let new = &done.renamed[0].new;
    let of = |id: &str| done.branch.iter().find(|bead| bead.id == id).unwrap();
    assert_eq!(
        (of("wy-w").dependencies[0].depends_on_id.as_str(), of("wy-r").meta("bead")),
        (new.as_str(), Some(new.as_str()))
    );
    assert_eq!(of("wy-a"), &theirs);
}

#[test]
fn a_file_that_says_a_bead_twice_is_read_as_one() {
    let mut twice = bead("wy-a", 0);
    apply(&mut twice, &Edit::Title(1), 5);
    let other = bead("wy-a", 9);
    let merged = merge("wy", &[], &[], &[bead("wy-a", 0), twice, other]);
    let titles: Vec<&str> = merged.incoming.iter().map(|bead| bead.title.as_str()).collect();
    assert_eq!(titles.len(), 2);
    assert!(titles.contains(&"title 1") && titles.contains(&"title of wy-a"));
}

#[test]
fn whole_seconds_are_the_same_birth() {
    let mut whole = bead("wy-a", 0);
    whole.created_at = "2026-01-01T00:00:00Z".into();
    assert!(ids::same_birth(&whole, &bead("wy-a", 0)));
    whole.created_at = "2026-01-01T00:00:01Z".into();
    assert!(ids::same_birth(&whole, &bead("wy-a", 0)));
    whole.title = "another".into();
    assert!(!ids::same_birth(&whole, &bead("wy-a", 0)));
    assert!(!ids::same_birth(&bead("wy-a", 1), &bead("wy-a", 0)));
}

/// A request of the town `pc-1a2b` with a proof, as the branch has it; its secret.
fn request(id: &str) -> (Bead, Secret) {
    let secret = Secret::new([9; 32]);
    let mut request = Bead { issue_type: words::MERGE_REQUEST.into(), ..bead(id, 3) };
    for (key, value) in [("worker", "wyvern/Nux"), ("commit", "c0ffee"), ("target", "main"), ("bead", "wy-a")]
    {
        request.metadata.insert(key.into(), value.into());
    }
    let proof = crate::beads::proven::of(&secret, id, &request.metadata);
    request.metadata.insert("proof".into(), proof.into());
    (canonical(abroad(&request, "pc-1a2b")), secret)
}

#[test]
fn a_request_of_this_town_stays_as_it_is_whatever_others_say() {
    let (own, secret) = request("wy-r");
    let base = [own.clone()];
    for trust in [false, true] {
        let terms = Terms { town: "pc-1a2b", secret: Some(&secret), trust };
        let changes: [&dyn Fn(&mut Bead); 7] = [
            &|bead| drop(bead.metadata.insert("commit".into(), "evil".into())),
            &|bead| drop(bead.metadata.insert("target".into(), "release".into())),
            &|bead| drop(bead.metadata.remove("proof")),
            &|bead| bead.status = words::CLOSED.into(),
            &|bead| bead.title = "other".into(),
            &|bead| bead.issue_type = "task".into(),
            // The id for a bead of another birth.
            &|bead| bead.created_at = "2020-01-01T00:00:00Z".into(),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut theirs = own.clone();
            theirs.updated_at = "2036-01-01T00:00:00Z".into();
            change(&mut theirs);
            let merged = super::merge("wy", &base, &base, &[canonical(theirs)], &terms);
            assert_eq!(
                (merged.incoming.as_slice(), merged.branch.as_slice()),
                (&[][..], &base[..]),
                "{number}"
            );
            assert_eq!((merged.renamed.len(), merged.waiting.len()), (0, 0), "{number}");
            // Said once: the branch has this town's form from then on.
            let again = super::merge("wy", &merged.branch, &base, &merged.branch, &terms);
            assert!(again.kept.is_empty() && again.branch_has_it, "{number}");
        }
        // Closed here, opened again there; and a remark of others, which stays.
        let closed = Bead { status: words::CLOSED.into(), close_reason: "rejected".into(), ..own.clone() };
        let mut theirs = own.clone();
        theirs.updated_at = "2036-01-01T00:00:00Z".into();
        theirs.comments.push(comment("why?"));
        let merged = super::merge(
            "wy",
            std::slice::from_ref(&closed),
            std::slice::from_ref(&closed),
            &[theirs],
            &terms,
        );
        let here = Bead { comments: vec![comment("why?")], ..closed };
        assert_eq!((merged.incoming, merged.kept), (vec![here], vec!["wy-r".to_string()]));
    }
}

#[test]
fn a_request_follows_its_bead_to_a_new_id_and_is_this_town_s_still() {
    let (own, secret) = request("wy-r");
    let terms = Terms { town: "pc-1a2b", secret: Some(&secret), trust: false };
    let mut closed = own.clone();
    closed.status = words::CLOSED.into();
    let merged = super::merge("wy", &[], &[bead("wy-a", 1), closed], &[bead("wy-a", 2)], &terms);
    let new = &merged.renamed[0].new;
    let request = merged.incoming.iter().find(|bead| bead.id == "wy-r").unwrap();
    assert_eq!(request.meta("bead"), Some(new.as_str()));
    assert!(terms.proves(request) && !request.foreign);
}

#[test]
fn what_others_write_is_foreign_and_gives_no_orders() {
    let terms = Terms { town: "pc-1a2b", secret: None, trust: false };
    let own = [bead("wy-a", 1), bead("wy-b", 1), bead("wy-d", 1)];
    let later = |own: &Bead| Bead { updated_at: "2036-01-01T00:00:00Z".into(), ..own.clone() };
    let mut changed = later(&own[0]);
    changed.description = "```sh\nevil\n```".into();
    let mut marked = later(&own[1]);
    marked.labels = vec!["gt:hold".into(), "gt:submitted".into()];
    let mut placed = later(&own[2]);
    placed.labels = vec!["heavy-compute".into()];
    (marked.assignee, marked.status) = (Some("pc-1a2b:wyvern/Nux".into()), "hooked".into());
    marked.metadata.insert("recovery".into(), "refs/heads/evil".into());
    let mut new = bead("wy-c", 2);
    (new.assignee, new.status) = (Some("wyvern/Nux".into()), "hooked".into());
    let theirs = [changed.clone(), canonical(marked), new, placed];
    let merged = super::merge("wy", &own, &own, &theirs, &terms);
    let of = |id: &str| merged.incoming.iter().find(|bead| bead.id == id).unwrap();
    assert!(of("wy-a").foreign && of("wy-a").description == changed.description);
    let known = of("wy-b");
    assert!(!known.foreign, "it says what it said");
    assert_eq!((known.labels.join(","), known.status.as_str()), (String::new(), "open"));
    assert!(of("wy-d").foreign && of("wy-d").labels == ["heavy-compute"], "a label may say where it runs");
    assert_eq!((&known.assignee, known.meta("recovery")), (&None, None));
    assert!(of("wy-c").foreign && of("wy-c").assignee.is_none() && of("wy-c").status == "open");
    // What others put on the branch stays there, and nothing is left to do.
    let there = merged.branch.iter().find(|bead| bead.id == "wy-b").unwrap();
    assert_eq!(there.labels, ["gt:hold", "gt:submitted"]);
    let here: Vec<Bead> =
        merged.incoming.iter().map(|bead| Bead { foreign: false, ..bead.clone() }).collect();
    let again = super::merge("wy", &merged.branch, &here, &merged.branch, &terms);
    assert_eq!((again.incoming, again.branch_has_it), (Vec::new(), true));
    // With trust it is as if this town had written it, but for an agent that no town has named.
    let merged = super::merge("wy", &own, &own, &theirs, &Terms { trust: true, ..terms });
    assert!(merged.incoming.iter().all(|bead| !bead.foreign));
    let of = |id: &str| merged.incoming.iter().find(|bead| bead.id == id).unwrap();
    assert_eq!(of("wy-b").assignee.as_deref(), Some("pc-1a2b:wyvern/Nux"));
    assert_eq!(of("wy-c").assignee, None);
}

#[test]
fn only_this_town_takes_work_from_its_agents_or_ends_it() {
    let terms = Terms { town: "pc-1a2b", secret: None, trust: false };
    let merge = |base: &[Bead], own: &[Bead], theirs: &[Bead], terms: &Terms<'_>| {
        super::merge("wy", base, own, theirs, terms)
    };
    let mut held = bead("wy-a", 1);
    (held.status, held.assignee) = ("in_progress".into(), Some("pc-1a2b:wyvern/Nux".into()));
    let mut submitted = bead("wy-a", 1);
    (submitted.status, submitted.labels) = ("in_progress".into(), vec!["gt:submitted".into()]);
    let mut aside = bead("wy-a", 1);
    aside.labels = vec!["gt:rework".into()];
    let close = |bead: &mut Bead| {
        (bead.status, bead.close_reason) = (words::CLOSED.into(), "merged: c0ffee".into());
        bead.closed_at = Some("2036-01-01T00:00:00Z".into());
    };
    let release = |bead: &mut Bead| (bead.status, bead.assignee) = (words::OPEN.into(), None);
    let take = |bead: &mut Bead| {
        (bead.status, bead.assignee) = ("hooked".into(), Some("tower-9f00:wyvern/Toast".into()));
    };
    let changes = [("close", &close as &dyn Fn(&mut Bead)), ("release", &release), ("take", &take)];
    for own in [&held, &submitted, &aside] {
        let own = canonical(own.clone());
        let base = [canonical(terms.given(own.clone(), None))];
        for (name, change) in changes {
            let mut theirs = base[0].clone();
            (theirs.updated_at, theirs.external_ref) = ("2036-01-01T00:00:00Z".into(), Some("x".into()));
            change(&mut theirs);
            let theirs = [canonical(theirs)];
            let merged = merge(&base, std::slice::from_ref(&own), &theirs, &terms);
            let here = &merged.incoming[0];
            assert_eq!((&here.status, &here.assignee), (&own.status, &own.assignee), "{name}");
            assert_eq!(here.close_reason, own.close_reason);
            assert_eq!(here.external_ref.as_deref(), Some("x"), "the rest is anyone's");
            let told = (merged.taken.len(), merged.kept.len());
            let wanted = match name {
                "close" => (0, 1),
                "take" if own.assignee.is_some() => (1, 0),
                _ => (0, 0),
            };
            assert_eq!(told, wanted, "{name} of {}", own.status);
            // The claim of another town stays there; it is no reason to write the branch again and again.
            let there = if name == "take" { &theirs[0].assignee } else { &own.assignee };
            assert_eq!(&merged.branch[0].assignee, there, "{name}");
            let again = merge(&merged.branch, std::slice::from_ref(here), &merged.branch, &terms);
            assert!(again.branch_has_it && again.incoming.is_empty() && again.taken.is_empty(), "{name}");
            // A town that is trusted may say so.
            let trusted = merge(&base, std::slice::from_ref(&own), &theirs, &Terms { trust: true, ..terms });
            assert_eq!(trusted.incoming[0].status, theirs[0].status);
        }
    }
    // Its own end goes out, whoever else has it there.
    let mut theirs = held.clone();
    take(&mut theirs);
    let mut done = held.clone();
    close(&mut done);
    let theirs = [canonical(theirs)];
    let merged = merge(&theirs, &[canonical(done)], &theirs, &terms);
    assert!(merged.branch[0].is_closed() && merged.incoming.is_empty());
}

#[test]
fn marks_of_this_town_stay_at_home() {
    let terms = Terms { town: "pc-1a2b", secret: None, trust: false };
    let plain = bead("wy-a", 1);
    let mut own = plain.clone();
    own.updated_at = "2026-02-01T00:00:00Z".into();
    own.labels = vec!["area".into(), "gt:submitted".into()];
    own.metadata.insert("recovery".into(), "refs/gt/recovery/Nux/i1".into());
    let merged = super::merge(
        "wy",
        std::slice::from_ref(&plain),
        std::slice::from_ref(&own),
        std::slice::from_ref(&plain),
        &terms,
    );
    assert!(merged.incoming.is_empty());
    assert_eq!(merged.branch[0].labels, ["area"]);
    assert!(merged.branch[0].metadata.is_empty());
    let again = super::merge("wy", &merged.branch, std::slice::from_ref(&own), &merged.branch, &terms);
    assert!(again.branch_has_it && again.incoming.is_empty());
}
