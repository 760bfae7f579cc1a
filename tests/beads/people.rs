//! What people see, bad input, and which store is meant.

use super::{bd, ids, make, world};
use crate::common::World;

/// Output with the times taken out.
fn timeless(text: &str) -> String {
    let time = regex::Regex::new(r"\d{4}-\d\d-\d\dT[\d:.]+Z").unwrap();
    time.replace_all(text, "TIME").into_owned()
}

fn example() -> World {
    let world = world();
    make(&world, "gm-e", "Fix authentication", &["-t", "epic", "-d", "All of it"]);
    make(
        &world,
        "gm-e.1",
        "Fix the login",
        &["-p", "P1", "-t", "bug", "-l", "area:auth", "--parent", "gm-e"],
    );
    make(&world, "gm-e.2", "Test the login", &["--parent", "gm-e", "--deps", "gm-e.1", "--notes", "slow"]);
    make(&world, "gm-m", "Hello", &["-t", "message", "-a", "max"]);
    world
}

#[test]
fn lists_are_lines() {
    let world = example();
    bd(&world, ["update", "gm-e.1", "--claim"]).ok();
    insta::assert_snapshot!(bd(&world, ["list"]).ok().stdout, @r"
    gm-e.1  P1  in_progress  bug   Fix the login  (me)  [area:auth]
    gm-e    P2  open         epic  Fix authentication
    gm-e.2  P2  open         task  Test the login
    ");
    insta::assert_snapshot!(bd(&world, ["ready"]).ok().stdout, @"gm-e  P2  open  epic  Fix authentication");
    let cut = bd(&world, ["list", "-n", "1"]).ok();
    assert_eq!(
        (cut.stdout.lines().count(), cut.stderr.as_str()),
        (1, "1 shown, there are more: --limit 0 shows all\n")
    );
}

#[test]
fn a_bead_is_a_page() {
    let world = example();
    bd(&world, ["comments", "add", "gm-e.2", "-- it hangs\non Mondays"]).ok();
    bd(
        &world,
        ["update", "gm-e.2", "--append-notes", "very slow", "--metadata", "{\"tries\":2}", "-e", "30"],
    )
    .ok();
    bd(&world, ["close", "gm-e.2", "-r", "not now"]).ok();
    insta::assert_snapshot!(timeless(&bd(&world, ["show", "gm-e.2"]).ok().stdout), @r#"
    gm-e.2  Test the login
    P2 task, closed, nobody's
    closed: not now
    estimate: 30 minutes
    made TIME by me, changed TIME
    part of gm-e (open: Fix authentication)
    waits for gm-e.1 (open: Fix the login)

    Notes:
    slow
    very slow

    Metadata:
    {"tries":2}

    TIME me:
    -- it hangs
    on Mondays
    "#);
    insta::assert_snapshot!(timeless(&bd(&world, ["comments", "gm-e.2"]).ok().stdout), @r"
    TIME me:
    -- it hangs
    on Mondays
    ");
}

#[test]
fn changes_say_one_line() {
    let world = example();
    let mut said = String::new();
    for words in [
        &["create", "More", "--id", "gm-x"][..],
        &["update", "gm-x", "gm-e", "--priority", "3"],
        &["dep", "add", "gm-x", "gm-e"],
        &["dep", "list", "gm-x"],
        &["dep", "remove", "gm-x", "gm-e"],
        &["label", "add", "gm-x", "gm-e", "urgent"],
        &["label", "list", "gm-x"],
        &["label", "remove", "gm-x", "urgent"],
        &["comment", "gm-x", "hm"],
        &["close", "gm-x", "gm-e"],
        &["reopen", "gm-x", "--reason", "not yet"],
        &["config", "set", "types.custom", "thing"],
        &["config", "get", "types.custom"],
        &["create", "A thing", "-t", "thing", "--silent", "--id", "gm-t"],
        &["stats"],
        &["sync"],
    ] {
        said += &world.gt(std::iter::once("bd").chain(words.iter().copied())).ok().stdout;
    }
    insta::assert_snapshot!(said, @r"
    created gm-x: More
    updated gm-x: More
    updated gm-e: Fix authentication
    gm-x depends on gm-e (blocks)
    gm-e  blocks
    gm-x no longer depends on gm-e
    added urgent: gm-x: More
    added urgent: gm-e: Fix authentication
    urgent
    removed urgent: gm-x: More
    commented on gm-x
    closed gm-x: More
    closed gm-e: Fix authentication
    reopened gm-x: More
    Set types.custom = thing
    thing
    gm-t
    5 beads: 4 open (3 ready), 0 hooked, 0 in progress, 1 closed
    nothing to sync: everyone works on the same store
    ");
}

#[test]
fn bad_input_is_refused_and_changes_nothing() {
    let world = example();
    let before = bd(&world, ["export"]).ok().stdout;
    let long = "x".repeat(501);
    for (words, wanted) in [
        (&["create", ""][..], "title is empty"),
        (&["create", "  "], "title is empty"),
        (&["create"], "<TITLE"),
        (&["create", &long], "title is 501 characters long, more than 500"),
        (&["create", "a\nb"], "title has more than one line"),
        (&["create", "x", "-t", "nonsense"], "invalid issue type: nonsense"),
        (&["create", "x", "-t", ""], "a value is required for '--type"),
        (&["create", "x", "-p", "5"], "0 is first, 4 is last"),
        (&["create", "x", "-p", "-1"], "-1"),
        (&["create", "x", "-e", "-5"], "invalid estimate: -5 minutes"),
        (&["create", "x", "--parent", "gm-no"], "no issue found matching \"gm-no\""),
        (&["create", "x", "--deps", "gm-no"], "no issue found matching \"gm-no\""),
        (&["create", "x", "--deps", "what ever:gm-e"], "invalid dependency type: what ever"),
        (&["create", "x", "--id", "gm-e"], "gm-e exists already"),
        (&["create", "x", "--id", "other-1"], "'other-1' cannot be an id in this store"),
        (&["create", "x", "--id", "gm-a b"], "'gm-a b' cannot be an id in this store"),
        (&["create", "x", "--metadata", "[1]"], "--metadata is no JSON object"),
        (&["create", "x", "-l", "a\u{7}"], "invalid label"),
        (&["create", "x", "--body-file", "/no/such"], "cannot read /no/such"),
        (&["create", "x", "--nonsense"], "--nonsense"),
        (&["update", "gm-e"], "nothing to change was named"),
        (&["update", "gm-e", "--status", "nonsense"], "invalid status: nonsense"),
        (&["update", "gm-e", "--title", ""], "title is empty"),
        (&["update", "gm-e", "--type", "nonsense"], "invalid issue type: nonsense"),
        (&["update", "gm-e", "gm-no", "--status", "closed"], "no issue found matching \"gm-no\""),
        (&["close", "gm-e", "gm-no"], "no issue found matching \"gm-no\""),
        (&["close"], "<ID>"),
        (&["show", "gm-no"], "no issue found matching \"gm-no\""),
        (&["comments", "gm-no"], "no issue found matching \"gm-no\""),
        (&["comments", "add", "gm-e", " "], "the comment on gm-e is empty"),
        (&["dep", "add", "gm-e", "gm-e"], "gm-e cannot depend on itself"),
        (&["dep", "add", "gm-e", "gm-no"], "no issue found matching \"gm-no\""),
        (&["dep", "add", "gm-e.1", "gm-e.2"], "would close a cycle of 'blocks' dependencies"),
        (&["dep", "add", "gm-e", "gm-e.1", "-t", "parent-child"], "would close a cycle of 'parent-child'"),
        (&["dep", "add", "gm-e.2", "gm-e.1", "-t", "related"], "gm-e.2 depends on gm-e.1 already, as blocks"),
        (&["dep", "remove", "gm-e", "gm-m"], "gm-e does not depend on gm-m"),
        (&["ready", "--parent", "gm-no"], "no issue found matching \"gm-no\""),
        (&["config", "set", "prefix", "zz"], "the prefix of a store is set when it is made"),
        (&["init", "--prefix", "zz"], "there is a store in"),
        (&["nonsense"], "nonsense"),
        (&["import", "/no/such"], "cannot read /no/such"),
    ] {
        let run = world.gt(std::iter::once("bd").chain(words.iter().copied())).fails(1);
        assert!(run.stderr.contains(wanted), "{words:?}: {run:#?}");
        assert!(!run.stderr.contains("panicked"), "{run:#?}");
    }
    assert_eq!(bd(&world, ["export"]).ok().stdout, before);
    assert!(bd(&world, ["init", "--prefix", "../x"]).fails(1).stderr.contains("there is a store"));
    world.write("new/x", "");
    let odd = world.gt_in("new", ["bd", "init", "--prefix", "../x"]).fails(1);
    assert!(odd.stderr.contains("'../x' cannot be a prefix of ids"), "{odd:#?}");
}

#[test]
fn text_of_any_kind_comes_back_as_it_was() {
    let world = world();
    let odd = "$(touch x) `y` 'q' \"d\" \\ \u{1F389} \u{1b}[31m --json";
    let made = bd(&world, ["create", "--json", "-d", odd, "--", odd]).ok().json();
    assert_eq!((made["title"].as_str(), made["description"].as_str()), (Some(odd), Some(odd)));
    let id = made["id"].as_str().unwrap();
    assert!(!bd(&world, ["show", id]).ok().stdout.contains('\u{1b}'), "a terminal would obey it");
    world.write("body", "several\nlines\n");
    let from_file = bd(&world, ["create", "x", "--body-file", "body", "--json"]).ok().json();
    assert_eq!(from_file["description"], "several\nlines\n");
}

#[test]
fn filters_narrow_the_list() {
    let world = example();
    bd(&world, ["update", "gm-e.1", "--status", "in_progress", "-a", "max"]).ok();
    make(&world, "gm-z", "done", &["-p", "0"]);
    bd(&world, ["close", "gm-z"]).ok();
    for (words, wanted) in [
        (&[][..], &["gm-e.1", "gm-e", "gm-e.2"][..]),
        (&["--all"], &["gm-z", "gm-e.1", "gm-e", "gm-e.2", "gm-m"]),
        (&["--status", "closed"], &["gm-z"]),
        (&["--status", "open,closed"], &["gm-z", "gm-e", "gm-e.2"]),
        (&["--type", "message"], &["gm-m"]),
        (&["--type", "bug,epic"], &["gm-e.1", "gm-e"]),
        (&["--assignee", "max"], &["gm-e.1"]),
        (&["--label", "area:auth"], &["gm-e.1"]),
        (&["--parent", "gm-e"], &["gm-e.1", "gm-e.2"]),
        (&["--parent", "gm-e", "--priority", "P2"], &["gm-e.2"]),
        (&["--id", "gm-m,gm-z,gm-no"], &["gm-z", "gm-m"]),
        (&["--limit", "2"], &["gm-e.1", "gm-e"]),
    ] {
        let words = ["bd", "list", "--json"].into_iter().chain(words.iter().copied());
        assert_eq!(ids(world.gt(words)), wanted);
    }
}

#[test]
fn under_the_name_bd_it_is_bd() {
    let world = world();
    std::os::unix::fs::symlink(crate::common::gt(), world.path("bin/bd")).unwrap();
    let version = world.run("bd", "", ["--version"]).ok().stdout;
    assert_eq!(version, concat!("bd version ", env!("CARGO_PKG_VERSION"), " (gastown)\n"));
    let made = world.run("bd", "", ["create", "x", "--json"]).ok().json();
    assert_eq!(made["created_by"], "me");
    assert!(world.run("bd", "", ["prime"]).ok().stdout.contains("bd ready"));
    world.run("bd", "", ["list", "--nonsense"]).fails(1);
    let help = world.run("bd", "", ["create", "--help"]).ok().stdout;
    assert!(help.contains("Usage: bd create"), "{help}");
}

#[test]
fn the_store_is_found_from_below_and_by_name() {
    let world = world();
    world.write("deep/down/x", "");
    make(&world, "gm-a", "x", &[]);
    assert_eq!(ids(world.gt_in("deep/down", ["bd", "list", "--json"])), ["gm-a"]);
    world.write("elsewhere/x", "");
    world.gt_in("elsewhere", ["bd", "init", "--prefix", "el"]).ok();
    assert_eq!(ids(world.gt_in("elsewhere", ["bd", "list", "--json"])), [""; 0]);
    world.set("BEADS_DIR", &world.str(".beads"));
    assert_eq!(ids(world.gt_in("elsewhere", ["bd", "list", "--json"])), ["gm-a"]);
    assert_eq!(
        ids(world.gt(["-C", "elsewhere", "bd", "list", "--json"])),
        [""; 0],
        "-C is said later than it"
    );
    world.set("BEADS_DIR", &world.str("nowhere"));
    assert!(bd(&world, ["list"]).fails(1).stderr.contains("no store of beads in"));
}

#[test]
fn without_a_store_the_way_to_one_is_said() {
    let world = World::new();
    let run = bd(&world, ["list", "--json"]).fails(1);
    let error = run.error();
    assert_eq!(error["error"], "no beads database found");
    assert!(error["hint"].as_str().unwrap().contains("gt bd init"));
}

#[test]
fn a_worktree_in_a_rig_means_the_rigs_store() {
    let world = World::new();
    world.write("town/mayor/town.json", "{}");
    world.write("town/wyvern/config.json", "{}");
    world.write("town/wyvern/polecats/Nux/.beads/issues.jsonl", "");
    world.gt_in("town", ["bd", "init", "--prefix", "hq"]).ok();
    world.gt_in("town/wyvern", ["bd", "init", "--prefix", "wy"]).ok();
    let made = world.gt_in("town/wyvern/polecats/Nux", ["bd", "create", "x", "--silent"]).ok().stdout;
    assert!(made.starts_with("wy-"), "{made}");
    let made = world.gt_in("town/mayor", ["bd", "create", "x", "--silent"]).ok().stdout;
    assert!(made.starts_with("hq-"), "{made}");
}
