//! Other machines, as `gt remote` shows them.

use crate::common::World;

const REMOTES: &str = "[beads]\nstore = \"embedded\"\n\
    [remotes.gaming-pc]\nfugue_addr = \"tcp://localhost:9999\"\nssh = \"user@gaming-pc\"\nmax_workers = 6\n\
    tags = [\"heavy-compute\", \"gpu\"]\n\
    [remotes.box]\nfugue_addr = \"unix:///run/fugue.sock\"\n";

#[test]
fn the_list_shows_what_is_configured_and_asks_nobody() {
    let world = World::with_rig();
    let none = world.in_town(["remote", "list"]).ok();
    assert_eq!(none.stdout, "");
    assert!(none.stderr.starts_with("no remotes; write one in config/town.toml"), "{none:?}");
    world.settings(REMOTES);
    insta::assert_snapshot!(world.in_town(["remote", "list"]).ok().stdout, @r"
    NAME       ADDRESS                 MOST  SSH             TAGS
    box        unix:///run/fugue.sock  -     -               -
    gaming-pc  tcp://localhost:9999    6     user@gaming-pc  heavy-compute,gpu
    ");
    world.set("GASTOWN_FUGUE_ADDR", "tcp://localhost:9998");
    insta::assert_snapshot!(world.in_town(["remote", "list"]).ok().stdout, @r"
    NAME       ADDRESS                 MOST  SSH             TAGS
    box        unix:///run/fugue.sock  -     -               -
    gaming-pc  tcp://localhost:9999    6     user@gaming-pc  heavy-compute,gpu
    -          tcp://localhost:9998    -     -               from GASTOWN_FUGUE_ADDR
    ");
    let json = world.in_town(["remote", "list", "--json"]).ok().json();
    assert_eq!(json["remotes"][1]["tags"], serde_json::json!(["heavy-compute", "gpu"]));
    assert_eq!(json["remotes"][1]["ssh"], "user@gaming-pc");
    assert_eq!(json["remotes"][2]["from"], "GASTOWN_FUGUE_ADDR");
    // The address of a remote has its name, whoever says it.
    world.set("GASTOWN_FUGUE_ADDR", "tcp://localhost:9999");
    assert_eq!(
        world.in_town(["remote", "list", "--json"]).ok().json()["remotes"].as_array().unwrap().len(),
        2
    );
    world.set("GASTOWN_FUGUE_ADDR", "localhost");
    assert!(world.in_town(["remote", "list"]).fails(1).stderr.contains("it has no scheme"));
}
