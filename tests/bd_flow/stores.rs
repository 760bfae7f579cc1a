//! Which store is opened with what, and what is said when that is not there or does not answer.

use super::town::Town;
use crate::common::World;

/// The folders of PATH that hold no bd.
fn path_without_bd(world: &World) -> String {
    let path = std::env::var("PATH").unwrap();
    let dirs =
        std::env::split_paths(&path).filter(|dir| !dir.join("bd").exists() && *dir != world.path("bin"));
    std::env::join_paths(dirs).unwrap().into_string().unwrap()
}

#[test]
fn a_town_of_bd_without_bd() {
    let town = Town::new();
    let bead = town.bead("Wait", "true");
    town.world.set("PATH", &path_without_bd(&town.world));
    for words in
        [&["sling", &bead, "wyvern"][..], &["mq", "list", "wyvern"], &["mail", "inbox"], &["hold", &bead]]
    {
        let run = town.world.in_town(words).fails(1);
        assert!(run.stderr.contains("was made by bd, and bd is not on PATH"), "{words:?}: {run:?}");
        assert!(run.stderr.contains("hint: install bd; or move to the embedded store"), "{words:?}: {run:?}");
    }
    let status = town.world.in_town(["status"]).ok().stdout;
    assert!(status.contains("bd is not on PATH") && !status.contains("0 ready"), "{status}");
    assert!(!town.world.path("town/.beads/gastown.db").exists());
    assert!(!town.world.path("town/wyvern/.beads/gastown.db").exists());
}

#[test]
fn a_store_keeps_its_kind_whatever_the_settings_say() {
    let town = Town::new();
    town.bead("Wait", "true");
    town.world.settings("[beads]\nstore = \"embedded\"\n");
    let status = town.asks(&["status"], &["list", "list"], &["export", "export"]);
    assert!(status.stdout.contains("1 ready") && status.stdout.contains("store bd "), "{status:?}");

    let own = World::with_rig();
    own.settings("[beads]\nstore = \"bd\"\n");
    own.program("bd", "#!/bin/sh\necho asked >> \"$HOME/asked\"\nexit 1\n");
    own.bead("Own", "true");
    let status = own.in_town(["status"]).ok().stdout;
    assert!(status.contains("1 ready") && status.contains("store embedded"), "{status}");
    assert!(!own.path("home/asked").exists());
}

#[test]
fn a_bd_that_hangs_is_given_up() {
    let town = Town::new();
    let bead = town.bead("Wait", "true");
    let version = town.world.run("bd", "", ["--version"]).ok().stdout;
    let script =
        format!("#!/bin/sh\n[ \"$1\" = --version ] && {{ echo '{}'; exit; }}\nsleep 1000\n", version.trim());
    town.world.program("bd", &script);
    town.world.set("GT_TEST_BD_LIMIT", "1");
    let run = town.world.in_town(["sling", &bead, "wyvern"]).fails(1);
    assert!(run.stderr.contains("bd: no answer within 1 s"), "{run:?}");
    assert!(!town.world.path("town/wyvern/polecats").join("Nux").exists());
}
