//! Which machine a session goes to, as `gt sling --dry-run` explains it.

use crate::common::{Run, World};

const YARD: &str = "[beads]\nstore = \"embedded\"\n\
    [remotes.gaming-pc]\nfugue_addr = \"tcp://localhost:1\"\nmax_workers = 6\ntown = \"/srv/gt\"\ntags = [\"gpu\"]\n\
    [remotes.box]\nfugue_addr = \"unix:///run/none.sock\"\ntags = [\"heavy\", \"gpu\"]\nmax_workers = 2\n\
    [placement.heavy]\nwhen = { labels = [\"heavy\"] }\nuse = \"far\"\n";

/// A rig whose heavy work goes to `[remotes.box]`.
fn yard() -> World {
    let world = World::with_rig();
    world.settings(YARD);
    world.write(
        "town/config/presets/far.toml",
        "extends = [\"remote-polecat\"]\n[polecat]\nremote = \"box\"\n",
    );
    world
}

/// What `gt sling BEAD --dry-run` says about the place, or why it cannot be had.
fn place(world: &World, bead: &str, words: &[&str]) -> String {
    let run = dry(world, bead, words);
    let root = world.real().display().to_string();
    let place = run.stdout.split_once("  where it runs: ").map_or("", |(_, place)| place);
    format!("{place}{}", run.stderr).replace(&root, "/world").replace(bead, "wy-1")
}

fn dry(world: &World, bead: &str, words: &[&str]) -> Run {
    world.in_town(["sling", bead, "wyvern", "--dry-run"].iter().chain(words))
}

#[test]
fn a_plan_says_where_and_why() {
    let world = yard();
    let heavy = world.bead_with("Heavy", "true", &["-l", "heavy"]);
    let light = world.bead("Light", "true");
    assert_eq!(place(&world, &light, &[]), "");
    assert_eq!(place(&world, &heavy, &["--local"]), "here\n             by hand: --local\n");
    let json = dry(&world, &heavy, &["--local", "--json"]).ok().json();
    assert_eq!(json["plan"][0]["place"], serde_json::json!({ "remote": null, "why": ["by hand: --local"] }));
}

#[test]
fn what_is_typed_wrong_is_refused_before_anything_is_looked_at() {
    let world = yard();
    let light = world.bead("Light", "true");
    insta::assert_snapshot!(place(&world, &light, &["--fugue-addr", "localhost:9999"]), @r"
    gt: 'localhost:9999' is not an address of fugue: it has no scheme
    hint: an address looks like tcp://localhost:9999
    ");
    insta::assert_snapshot!(place(&world, &light, &["--remote", "gamingpc"]), @r"
    gt: there is no remote 'gamingpc'
    hint: did you mean 'gaming-pc'?
    ");
    insta::assert_snapshot!(place(&world, &light, &["--tag", "tpu"]), @r"
    gt: no remote has all these tags: tpu
    hint: see remotes and their tags with: gt remote list; here for once: --local
    ");
    dry(&world, &light, &["--fugue-addr", "localhost:9999"]).fails(2);
    dry(&world, &light, &["--remote", "gamingpc"]).fails(2);
    dry(&world, &light, &["--tag", "tpu"]).fails(1);
    for two in
        [["--local", "--remote=box"], ["--remote=box", "--tag=gpu"], ["--local", "--fugue-addr=tcp://a:1"]]
    {
        let run = dry(&world, &light, &two).fails(2);
        assert!(run.stderr.contains("cannot be used with"), "{run:#?}");
    }
    let mayor = world.in_town(["mayor", "start", "--fugue-addr", "tcp://localhost", "--dry-run"]).fails(2);
    assert!(mayor.stderr.contains("it has no port"), "{mayor:#?}");
}

#[test]
fn who_says_the_address_is_explained() {
    let world = yard();
    let explain = |words: &[&str]| {
        let run = world.in_town(["preset", "explain", "polecat.fugue_addr"].iter().chain(words)).ok();
        let root = world.real().display().to_string();
        let lines = run.stdout.replace(&root, "WORLD");
        lines.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n").collect::<String>()
    };
    insta::assert_snapshot!(explain(&["--preset", "remote-polecat"]), @r#"
    polecat.fugue_addr = "tcp://localhost:9999"
    * built-in remote-polecat.toml "tcp://localhost:9999"
    "#);
    // A remote's name that a higher layer says.
    insta::assert_snapshot!(explain(&["--preset", "far"]), @r#"
    polecat.fugue_addr = "unix:///run/none.sock"
    built-in remote-polecat.toml "tcp://localhost:9999"
    * remote = "box", WORLD/town/config/presets/far.toml "unix:///run/none.sock"
    "#);
    world.set("GASTOWN_FUGUE_ADDR", "tcp://localhost:9998");
    insta::assert_snapshot!(explain(&["--preset", "far"]), @r#"
    polecat.fugue_addr = "tcp://localhost:9998"
    built-in remote-polecat.toml "tcp://localhost:9999"
    * GASTOWN_FUGUE_ADDR "tcp://localhost:9998"
    "#);
    insta::assert_snapshot!(explain(&[]), @r#"
    polecat.fugue_addr = "tcp://localhost:9998"
    * GASTOWN_FUGUE_ADDR "tcp://localhost:9998"
    "#);
    world.set("GASTOWN_POLECAT__FUGUE_ADDR", "tcp://localhost:9997");
    insta::assert_snapshot!(explain(&[]), @r#"
    polecat.fugue_addr = "tcp://localhost:9997"
    GASTOWN_FUGUE_ADDR "tcp://localhost:9998"
    * GASTOWN_POLECAT__FUGUE_ADDR "tcp://localhost:9997"
    "#);
    let whole = world.in_town(["preset", "explain", "polecat", "--preset", "far", "--json"]).ok().json();
    let values = whole["explain"]["values"].as_array().unwrap().clone();
    assert_eq!(values.iter().filter(|value| value["key"] == "polecat.fugue_addr").count(), 1);
}
