//! What an agent finds when it runs: its environment, its name, its bead.

use crate::common::{World, wait_for};
use crate::flow::wait_for_the_end;

#[test]
fn the_environment_of_a_polecat_is_as_the_document_says() {
    let world = World::with_rig();
    let bead = world.bead("Look around", "env > env.txt; command -v bd > bd.txt; bd ready > /dev/null");
    world.in_town(["sling", &bead, "wyvern"]).ok();
    wait_for_the_end(&world);
    let branch = format!("origin/polecat/Nux-{bead}");
    world.git("town/wyvern/mayor/rig", ["fetch", "-q"]);
    let file = |name: &str| {
        let at = format!("{branch}:{name}");
        world.git("town/wyvern/mayor/rig", ["show", &at])
    };
    let text = file("env.txt");
    let root = world.real().join("town");
    let town = root.to_str().unwrap();
    let value = |key: &str| {
        text.lines().find_map(|line| line.strip_prefix(&format!("{key}="))).unwrap_or_default().to_string()
    };

    // bd is found, and it is the town's own: the store is embedded.
    assert!(value("PATH").starts_with(&format!("{town}/bin:")), "{}", value("PATH"));
    assert_eq!(file("bd.txt"), format!("{town}/bin/bd"));

    let mut named: Vec<String> = text
        .lines()
        .filter(|line| ["GT_", "BD_", "BEADS_", "GIT_"].iter().any(|start| line.starts_with(start)))
        .filter(|line| !["GT_ON_END=", "GIT_CONFIG_NOSYSTEM="].iter().any(|start| line.starts_with(start)))
        .map(|line| line.replace(town, "TOWN").replace(&bead, "BEAD"))
        .map(|line| line.replace(&value("GT_INSTANCE"), "INSTANCE"))
        .collect();
    named.sort();
    insta::assert_snapshot!(named.join("\n"), @"
    BD_ACTOR=wyvern/Nux
    BEADS_ACTOR=wyvern/Nux
    BEADS_DIR=TOWN/wyvern/.beads
    BEADS_MAIL_DELEGATE=gt mail
    BEADS_NO_DAEMON=1
    GIT_AUTHOR_NAME=wyvern/Nux
    GIT_CEILING_DIRECTORIES=TOWN/wyvern/polecats
    GIT_COMMITTER_NAME=wyvern/Nux
    GT_ADDRESS=wyvern/Nux
    GT_AGENT=Nux
    GT_BEAD=BEAD
    GT_INSTANCE=INSTANCE
    GT_RIG=wyvern
    GT_ROLE=polecat
    GT_SESSION=gt-wyvern-Nux
    GT_TOWN_ROOT=TOWN
    ");
}

#[test]
fn a_name_means_one_piece_of_work() {
    let world = World::with_rig();
    let first = world.bead("First", "echo 1 > first.txt");
    world.in_town(["sling", &first, "wyvern"]).ok();
    wait_for_the_end(&world);

    // Its work waits in the queue: the next gets another name.
    let second = world.bead("Second", "exit 7");
    world.in_town(["sling", &second, "wyvern"]).ok();
    assert_eq!(world.polecat_of(&second), "Toast");

    // Who asks for the name gets it, and the two are told apart.
    let third = world.bead("Third", "exit 8");
    let plan = world.in_town(["sling", &third, "wyvern/Nux", "--dry-run", "--json"]).ok().json();
    assert_eq!(plan["plan"][0]["address"], "wyvern/Nux");
    world.in_town(["sling", &third, "wyvern/Nux"]).ok();
    for (name, bead) in [("Toast", &second), ("Nux", &third)] {
        let polecat = wait_for(&format!("the crash of {name}"), || {
            let polecats = world.in_town(["polecats", "wyvern", "--json"]).ok().json()["polecats"].clone();
            let polecat = polecats.as_array()?.iter().find(|polecat| polecat["name"] == name)?.clone();
            (polecat["place"] == "crashed").then_some(polecat)
        });
        assert_eq!(polecat["bead"], **bead, "{polecat}");
    }

    // Whoever looks after them leaves both alone.
    world.in_town(["witness", "patrol", "wyvern"]).ok();
    for (name, bead) in [("Toast", &second), ("Nux", &third)] {
        assert!(world.path("town/wyvern/polecats").join(name).exists(), "{name}");
        assert_eq!(world.show(bead)["assignee"], format!("wyvern/{name}"));
    }
    assert_eq!(world.show(&first)["labels"][0], "gt:submitted");
}
