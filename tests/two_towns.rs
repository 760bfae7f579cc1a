//! Two towns with one origin, one rig name, one bead and one polecat's name: neither takes what is the other's.

use serde_json::Value;

use crate::common::World;

/// Town, and the id that its names hold at origin.
fn towns(world: &World) -> [(&'static str, String); 2] {
    ["town", "other"].map(|town| {
        let file: Value = serde_json::from_str(&world.read(format!("{town}/mayor/town.json"))).unwrap();
        let part = |key: &str| file[key].as_str().unwrap();
        (town, gastown::model::rules::town_id(part("name"), part("created_at")))
    })
}

/// A polecat Nux of each town, whose commit on wy-1 is handed in.
fn handed_in(world: &World) -> [(&'static str, String); 2] {
    world.gt(["install", "other"]).ok();
    world.gt_in("other", ["rig", "add", "wyvern", &world.str("origin.git"), "--prefix", "wy"]).ok();
    for town in ["town", "other"] {
        world.gt_in(format!("{town}/wyvern"), ["bd", "create", "Fix it", "--id", "wy-1"]).ok();
        world.gt_in(town, ["sling", "wy-1", "wyvern/Nux"]).ok();
        let place = format!("{town}/wyvern/polecats/Nux");
        world.write(format!("{place}/{town}.txt"), town);
        world.git(&place, ["add", "-A"]);
        world.git(&place, ["commit", "-q", "-m", town]);
        world.gt_in(&place, ["done"]).ok();
    }
    towns(world)
}

fn branches(world: &World) -> Vec<String> {
    let format = "--format=%(refname:short)";
    let listed = world.git("origin.git", ["for-each-ref", format, "refs/heads/polecat"]);
    listed.lines().map(String::from).collect()
}

#[test]
fn one_origin_and_one_rig_name_are_shared_and_nothing_is_taken() {
    let world = World::waiting();
    let [(_, town), (_, other)] = handed_in(&world);
    let own = |id: &str| format!("polecat/{id}/Nux-wy-1");
    assert_eq!(branches(&world), [own(&other), own(&town)]);
    let theirs = world.git("origin.git", ["rev-parse", &own(&other)]);
    // What removes, prunes and merges in one town.
    world.git("town/wyvern/mayor/rig", ["fetch", "-q"]);
    world.in_town(["gc"]).ok();
    world.in_town(["refinery", "process", "wyvern"]).ok();
    world.in_town(["polecat", "nuke", "wyvern/Nux"]);
    world.in_town(["doctor", "--fix"]);
    world.in_town(["gc"]).ok();
    assert_eq!(branches(&world), [own(&other)]);
    assert_eq!(world.git("origin.git", ["rev-parse", &own(&other)]), theirs);
    assert_eq!(world.git("origin.git", ["show", "main:town.txt"]), "town");
    world.run("git", "origin.git", ["show", "main:other.txt"]).fails(128);
    // And the same again: the name and the bead are free there.
    world.in_town(["bd", "reopen", "wy-1"]);
    world.in_town(["sling", "wy-1", "wyvern/Nux"]);
    world.in_town(["polecat", "nuke", "wyvern/Nux"]);
    assert_eq!(branches(&world), [own(&other)]);
    world.gt_in("other", ["refinery", "process", "wyvern"]).ok();
    assert_eq!(world.git("origin.git", ["show", "main:other.txt"]), "other");
    assert!(branches(&world).is_empty());
}

/// Names that an earlier version made say nothing of their town: only a town's own recovery ref does, at that very commit.
#[test]
fn a_branch_of_an_earlier_version_is_deleted_by_the_town_that_kept_its_commit() {
    let world = World::waiting();
    let clone = "town/wyvern/mayor/rig";
    world.git(clone, ["push", "-q", "origin", "origin/main:refs/heads/polecat/Nux-wy-1"]);
    world.git("", ["clone", "-q", "origin.git", "theirs"]);
    world.git("theirs", ["commit", "-q", "--allow-empty", "-m", "theirs"]);
    world.git("theirs", ["push", "-q", "origin", "HEAD:refs/heads/polecat/Nux-wy-2"]);
    world.git("theirs", ["commit", "-q", "--allow-empty", "-m", "ours"]);
    world.git("theirs", ["push", "-q", "origin", "HEAD:refs/heads/polecat/Nux-wy-3"]);
    world.git(clone, ["fetch", "-q"]);
    world.git(clone, ["update-ref", "refs/gt/recovery/Nux/i1", "origin/polecat/Nux-wy-3"]);
    world.in_town(["gc"]).ok();
    assert_eq!(branches(&world), ["polecat/Nux-wy-1", "polecat/Nux-wy-2"]);
}

#[test]
fn a_town_that_was_copied_is_named_by_doctor() {
    let world = World::waiting();
    world.run("cp", "", ["-a", "town", "copy"]).ok();
    let run = world.gt_in("copy", ["doctor"]);
    let told =
        format!("{} has the id of this town, {}", world.real().join("town").display(), world.town_id());
    assert!(run.stderr.contains(&told), "{run:?}");
    assert!(!world.in_town(["doctor"]).stderr.contains("has the id"), "the copy is not known there yet");
    world.gt_in("copy", ["doctor", "--fix"]);
    assert!(world.in_town(["doctor"]).stderr.contains("copy has the id of this town"));
}
