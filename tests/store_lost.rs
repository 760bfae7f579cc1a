//! A store of beads that is gone or damaged: restored from what is left of it, never replaced by an empty one unasked.

use std::path::Path;

use crate::common::{World, wait_for};
use crate::refinery::{hand_over, is_merged, process};

const RIG: &str = "town/wyvern/mayor/rig/.beads";

fn remove(world: &World, path: impl AsRef<Path>) {
    let path = world.path(path);
    if path.is_dir() && !path.is_symlink() {
        std::fs::remove_dir_all(path).unwrap();
    } else {
        std::fs::remove_file(path).unwrap();
    }
}

fn doctor(world: &World, words: &[&str], code: i32) -> String {
    let run = world.in_town([&["doctor", "--fix", "-q"], words].concat()).fails(code);
    format!("{}{}", run.stdout, run.stderr)
}

fn titles(world: &World) -> String {
    world.gt_in("town/wyvern", ["bd", "list", "--all"]).ok().stdout
}

/// The last exports are two days old.
fn age(world: &World) {
    for entry in std::fs::read_dir(world.path("town/mayor/exports")).unwrap() {
        let file = std::fs::File::options().append(true).open(entry.unwrap().path()).unwrap();
        file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(2 * 86_400)).unwrap();
    }
}

#[test]
fn a_lost_store_comes_back_from_its_export_whatever_was_lost_with_it() {
    let world = World::with_rig();
    let one = world.bead("keep me", "true");
    for lost in [RIG, "town/wyvern/mayor/rig", "town/wyvern/mayor/rig/.beads/gastown.db"] {
        remove(&world, lost);
        assert!(world.gt_in("town/wyvern", ["bd", "list"]).code != Some(0), "{lost}");
        world.gt_in("town/wyvern", ["bd", "init", "--prefix", "wy"]).fails(1);
        // Not into the town's store either.
        assert!(world.gt_in("town/wyvern", ["bd", "create", "elsewhere"]).code != Some(0), "{lost}");
        let said = world.in_town(["doctor", "--fix"]).ok().stdout;
        assert!(said.contains("Rig beads restored: 1 bead from the export "), "{lost}: {said}");
        assert_eq!(world.show(&one)["title"], "keep me", "{lost}");
        assert_eq!(world.git("town/wyvern/mayor/rig", ["status", "--porcelain"]), "");
        world.in_town(["doctor"]).ok();
    }
    assert!(!world.in_town(["mail", "inbox", "--json"]).ok().stdout.contains("restored"));
}

#[test]
fn what_is_missing_from_a_restored_store_is_named() {
    let world = World::with_rig();
    world.bead("keep me", "true");
    world.git("town/wyvern/mayor/rig", ["branch", &world.branch("Nux", "wy-late")]);
    remove(&world, RIG);
    let said = doctor(&world, &[], 1);
    assert!(said.contains("restored: 1 bead from the export") && said.contains("missing: wy-late"), "{said}");
    assert!(titles(&world).contains("keep me"));
    let mail = world.in_town(["mail", "inbox", "mayor/", "--json"]).ok().stdout;
    assert!(mail.contains("restored"), "{mail}");
}

#[test]
fn what_was_merged_since_the_export_is_closed_again() {
    let world = World::with_rig();
    let done = world.bead("merged since", "true");
    let export = "town/mayor/exports/wyvern.jsonl";
    let then = world.read(export);
    let body =
        format!("Merge it ({done})\n\nBead: {done}\nBranch: polecat/Nux-{done}\nWorker: wyvern/polecats/Nux");
    world.git("", ["clone", "-q", "origin.git", "other"]);
    world.git("other", ["commit", "-q", "--allow-empty", "-m", &body]);
    world.git("other", ["push", "-q", "origin", "main"]);
    let commit = world.git("other", ["rev-parse", "HEAD"]);
    world.write(export, &then);
    remove(&world, RIG);
    let said = world.in_town(["doctor", "--fix"]).ok().stdout;
    assert!(
        said.contains("what was created or updated after 20") && said.contains("may not be in it"),
        "{said}"
    );
    assert!(said.contains(&format!("closed again, as merged: {done} by {}", &commit[..10])), "{said}");
    let shown = world.show(&done);
    assert_eq!(
        (&shown["status"], &shown["close_reason"]),
        (&"closed".into(), &format!("merged: {commit}").into())
    );
    // A bead that changed after its merge may have been reopened: it is named.
    let merged: i64 = world.git("other", ["show", "-s", "--format=%ct"]).parse().unwrap();
    wait_for("the next second", || (jiff::Timestamp::now().as_second() > merged).then_some(()));
    world.gt_in("town/wyvern", ["bd", "update", &done, "--status", "open"]).ok();
    age(&world);
    world.bead("another", "true");
    remove(&world, RIG);
    let said = doctor(&world, &[], 1);
    assert!(said.contains(&format!("open, though merged: {done} by ")), "{said}");
    assert_eq!(world.show(&done)["status"], "open");
}

#[test]
fn without_a_source_no_empty_store_takes_its_place() {
    let world = World::with_rig();
    for (dir, words) in [(RIG, vec!["wyvern"]), ("town/.beads", vec![])] {
        remove(&world, dir);
        let said = doctor(&world, &words, 1);
        assert!(
            said.contains("there is nothing to restore it from") && said.contains("--empty-stores"),
            "{said}"
        );
        assert!(!world.path(dir).join("gastown.db").exists());
        if dir == "town/.beads" {
            let run = world.gt(["install", "town", "--force"]).fails(1);
            assert!(run.stderr.contains("the town's store is gone"), "{run:#?}");
            assert!(!world.path(dir).join("gastown.db").exists());
        }
        doctor(&world, &[&words[..], &["--empty-stores"]].concat(), 0);
        assert!(world.path(dir).join("gastown.db").exists());
    }
    world.in_town(["doctor"]).ok();
}

#[test]
fn the_branch_of_sync_and_the_exports_count_together() {
    let world = World::with_rig();
    let first = world.bead("first", "true");
    world.gt_in("town/wyvern", ["bd", "update", &first, "--title", "first, changed"]).ok();
    let second = world.bead("second", "true");
    world.in_town(["sync", "wyvern"]).ok();
    // The export has "first" as it was, and a bead of its own that the branch does not have.
    let third = world.bead("third", "true");
    age(&world);
    world.bead("fourth", "true");
    remove(&world, RIG);
    remove(&world, "town/mayor/exports/wyvern.before.jsonl");
    let said = world.in_town(["doctor", "--fix"]).ok().stdout;
    assert!(said.contains("restored: 4 beads from the export"), "{said}");
    // The branch alone.
    remove(&world, "town/mayor/exports");
    remove(&world, RIG);
    let said = world.in_town(["doctor", "--fix"]).ok().stdout;
    assert!(said.contains("restored: 2 beads from the branch beads-sync of origin at "), "{said}");
    assert_eq!(world.show(&first)["title"], "first, changed");
    assert_eq!(world.show(&second)["title"], "second");
    assert!(!titles(&world).contains(&third));
    world.in_town(["sync", "wyvern"]).ok();

    // A branch that cannot be asked: what the export has comes back, and doctor says that there may be more.
    age(&world);
    world.bead("fifth", "true");
    std::fs::rename(world.path("origin.git"), world.path("away.git")).unwrap();
    remove(&world, RIG);
    let said = doctor(&world, &[], 1);
    assert!(said.contains("could not be read: ") && said.contains("gt sync"), "{said}");
    assert!(titles(&world).contains("fifth"));
}

#[test]
fn a_damaged_store_is_kept_aside_when_a_person_says_so() {
    let world = World::with_rig();
    let one = world.bead("keep me", "true");
    let db = format!("{RIG}/gastown.db");
    let damages: [(&str, &dyn Fn()); 5] = [
        ("garbage further in", &|| {
            // The log first: what is in it would hide the damage.
            let _ = std::fs::remove_file(world.path(format!("{db}-wal")));
            let mut bytes = std::fs::read(world.path(&db)).unwrap();
            bytes[8192..].fill(7);
            world.write(&db, bytes);
        }),
        ("garbage", &|| world.write(&db, [7u8; 50_000])),
        ("empty", &|| world.write(&db, "")),
        ("a folder", &|| {
            remove(&world, &db);
            std::fs::create_dir(world.path(&db)).unwrap();
        }),
        ("a link to itself", &|| {
            std::fs::remove_dir_all(world.path(&db))
                .or_else(|_| std::fs::remove_file(world.path(&db)))
                .unwrap();
            std::os::unix::fs::symlink("gastown.db", world.path(&db)).unwrap();
        }),
    ];
    for (name, damage) in damages {
        damage();
        let before = world.path(&db).symlink_metadata().unwrap().modified().unwrap();
        let said = doctor(&world, &[], 1);
        assert!(said.contains("--set-aside-stores"), "{name}: {said}");
        assert_eq!(world.path(&db).symlink_metadata().unwrap().modified().unwrap(), before, "{name}");
        doctor(&world, &["--set-aside-stores"], 0);
        assert_eq!(world.show(&one)["title"], "keep me", "{name}");
    }
    let kept = std::fs::read_dir(world.path(RIG)).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(kept.filter(|name| name.to_string_lossy().starts_with("aside-")).count() >= damages.len());

    // The log of a store that is gone does not get into the new one.
    world.write(format!("{db}-wal"), [7u8; 50_000]);
    remove(&world, &db);
    doctor(&world, &[], 0);
    assert_eq!(world.show(&one)["title"], "keep me");
}

#[test]
fn the_towns_mail_comes_back_too() {
    let world = World::with_rig();
    world.in_town(["mail", "send", "mayor/", "-s", "precious", "-m", "words"]).ok();
    world.in_town(["doctor", "--fix"]).ok();
    remove(&world, "town/.beads");
    let said = world.in_town(["doctor", "--fix"]).ok().stdout;
    assert!(said.contains("Town beads restored: 1 bead from the export"), "{said}");
    assert!(world.in_town(["mail", "inbox", "mayor/", "--json"]).ok().stdout.contains("precious"));
}

#[test]
fn a_link_to_the_store_that_leads_elsewhere_is_not_replaced() {
    let world = World::with_rig();
    let one = world.bead("keep me", "true");
    remove(&world, "town/wyvern/.beads");
    std::os::unix::fs::symlink("nowhere", world.path("town/wyvern/.beads")).unwrap();
    let said = doctor(&world, &[], 1);
    assert!(
        said.contains("leads elsewhere, to nothing: if the store there is not wanted any more: rm "),
        "{said}"
    );
    remove(&world, "town/wyvern/.beads");
    doctor(&world, &[], 0);
    assert_eq!(world.show(&one)["title"], "keep me");
}

#[test]
fn a_request_that_a_person_closed_does_not_come_back_open_with_the_store() {
    let world = World::with_rig();
    let lose = |more: &[&str]| {
        remove(&world, RIG);
        remove(&world, "town/mayor/exports");
        more.iter().for_each(|path| remove(&world, path));
    };
    let sly = hand_over(&world, "Nux", "Sly", &[("a", "1\n")], true);
    world.in_town(["sync", "wyvern"]).ok();
    world.in_town(["bd", "close", &sly.request]).ok();
    lose(&[]);
    world.in_town(["doctor", "--fix"]).ok();
    let row = || world.in_town(["mq", "list", "wyvern", "--json"]).ok().json()["requests"][0].clone();
    assert_eq!((&row()["id"], &row()["foreign"]), (&sly.request.clone().into(), &true.into()));
    process(&world).ok();
    assert!(!is_merged(&world, &sly));

    // Where the list of what is over is lost too, an open request waits for the person.
    lose(&["town/mayor/ended"]);
    let said = world.in_town(["doctor", "--fix"]).ok().stdout;
    assert!(said.contains(&format!("open requests wait for your word: gt adopt {}", sly.request)), "{said}");
    process(&world).ok();
    assert!(!is_merged(&world, &sly));

    // In an empty store that is kept in step with the branch as well.
    remove(&world, "town/mayor/ended");
    world.in_town(["bd", "close", &sly.request]).ok();
    remove(&world, RIG);
    world.gt_in("town/wyvern/mayor/rig", ["bd", "init", "--prefix", "wy"]).ok();
    remove(&world, "town/mayor/ended");
    world.in_town(["sync", "wyvern"]).ok();
    process(&world).ok();
    assert!(!is_merged(&world, &sly));
    world.in_town(["adopt", &sly.request, "--yes"]).ok();
    process(&world).ok();
    assert!(is_merged(&world, &sly));
}

#[test]
fn a_line_of_an_export_that_no_command_could_name_stops_itself_alone() {
    let world = World::with_rig();
    let id = world.bead("Work", "true");
    world.in_town(["doctor", "--fix"]).ok();
    let export = "town/mayor/exports/wyvern.jsonl";
    let export = if world.path(export).exists() { export } else { "town/wyvern/mayor/exports/wyvern.jsonl" };
    let odd = world.read(export).replace(&id, "wy-$(x)");
    world.write(export, world.read(export) + &odd);
    remove(&world, RIG);
    let said = world.in_town(["doctor", "--fix"]).stdout;
    assert!(said.contains("no usable id"), "{said}");
    assert_eq!(world.show(&id)["title"], "Work");
}

#[test]
fn without_the_list_of_what_left_the_queue_a_store_that_was_put_back_by_hand_merges_nothing() {
    let world = World::with_rig();
    let sly = hand_over(&world, "Nux", "Sly", &[("a", "1\n")], true);
    world.run("cp", "", ["-a", RIG, "older"]).ok();
    world.in_town(["mq", "reject", &sly.request, "--reason", "no"]).ok();
    remove(&world, RIG);
    world.run("cp", "", ["-a", "older", RIG]).ok();
    world.write("town/mayor/ended", [0xff, 0xfe]);
    let broken = world.in_town(["doctor"]).fails(1).stdout;
    assert!(broken.contains("List of requests that left the queue broken"), "{broken}");
    remove(&world, "town/mayor/ended");
    assert!(world.in_town(["doctor"]).fails(1).stdout.contains("Missing mayor/ended"));
    process(&world).ok();
    assert!(!is_merged(&world, &sly));
    world.in_town(["doctor", "--fix"]).ok();
    // What is handed in from now on is known to be the last word; the person may put the other back.
    let next = hand_over(&world, "Toast", "Next", &[("b", "1\n")], true);
    process(&world).ok();
    assert!(is_merged(&world, &next) && !is_merged(&world, &sly));
    world.in_town(["adopt", &sly.request, "--yes"]).ok();
    process(&world).ok();
    assert!(is_merged(&world, &sly));
}

#[test]
fn a_request_that_was_merged_comes_back_closed_and_the_town_s_other_beads_with_one_command() {
    let world = World::with_rig();
    let lose =
        || ["town/mayor/exports", "town/mayor/ended", RIG].iter().for_each(|path| remove(&world, path));
    let merged = hand_over(&world, "Nux", "Merged", &[("a", "1\n")], true);
    let by_hand = hand_over(&world, "Toast", "By hand", &[("b", "1\n")], true);
    let open = hand_over(&world, "Slit", "Open", &[("c", "1\n")], true);
    world.in_town(["sync", "wyvern"]).ok();
    // One fast-forward by hand, and one squash as the refinery makes it: the store is lost before it is told.
    world.git("author", ["checkout", "-q", "--detach", &by_hand.commit]);
    world.git("author", ["merge", "-q", "--squash", &merged.commit]);
    let said = format!("Merged\n\nBead: {}\nBranch: {}\n", merged.bead, merged.branch);
    world.git("author", ["commit", "-q", "-m", &said]);
    world.git("author", ["push", "-q", "origin", "HEAD:main"]);
    lose();
    let said = world.in_town(["doctor", "--fix"]).ok().stdout;
    for id in [&merged.request, &merged.bead, &by_hand.request, &by_hand.bead] {
        assert!(said.contains(&format!("{id} by ")), "{said}");
        assert_eq!(world.show(id)["status"], "closed", "{said}");
    }
    assert_eq!(said.matches("gt adopt").count(), 2, "{said}");
    assert!(
        said.contains(&format!("open requests wait for your word: gt adopt {};", open.request)),
        "{said}"
    );
    assert!(
        said.contains("3 beads are foreign, since anyone could write them: gt adopt --all --rig wyvern"),
        "{said}"
    );
    // What still blocks a removal is named with what helps.
    let refused = world.in_town(["rig", "remove", "wyvern"]).fails(1).stderr;
    assert!(refused.contains("1 open request") && refused.contains("gt mq reject ID"), "{refused}");
    world.in_town(["mq", "reject", &open.request]).ok();
    let refused = world.in_town(["rig", "remove", "wyvern"]).fails(1).stderr;
    assert!(!refused.contains("open request"), "{refused}");
    world.in_town(["adopt", "--all", "--rig", "wyvern", "--yes"]).ok();
    assert_eq!(
        world.in_town(["adopt", "--rig", "wyvern", "--json"]).ok().json()["foreign"],
        serde_json::json!([])
    );
}
