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

/// The reasons with times and ports taken out.
fn plain(text: &str, ports: &[(u16, &str)]) -> String {
    let text =
        ports.iter().fold(text.to_string(), |text, (port, name)| text.replace(&port.to_string(), name));
    let words = text.split(' ').collect::<Vec<_>>();
    let time = |at: usize| {
        words[at].parse::<f64>().is_ok() && words.get(at + 1).is_some_and(|next| next.starts_with("ms"))
    };
    words
        .iter()
        .enumerate()
        .map(|(at, word)| if time(at) { "0.0" } else { word })
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn daemons_are_counted_and_the_silent_ones_left_out() {
    let world = yard();
    let (pc, two) = (world.daemon("pc"), world.daemon("two"));
    let dead = world.dead_addr();
    let port = |addr: &str| addr.rsplit(':').next().unwrap().parse::<u16>().unwrap();
    let ports = [(pc.port, "PC"), (two.port, "BOX"), (port(&dead), "DEAD")];
    let settings = |box_addr: &str| {
        let text = YARD.replace("tcp://localhost:1", &pc.addr).replace("unix:///run/none.sock", box_addr);
        world.settings(&text);
    };
    settings(&two.addr);
    let heavy = world.bead_with("Heavy", "true", &["-l", "heavy"]);
    let light = world.bead("Light", "true");
    let says = |bead: &str, words: &[&str]| plain(&place(&world, bead, words), &ports);
    insta::assert_snapshot!(says(&heavy, &[]), @r"
    box
                 presets: polecat, remote-polecat, far (placement.heavy, /world/home/.config/gastown/config.toml:14:7)
                 /world/town/config/presets/far.toml:3:10: tcp://127.0.0.1:BOX
                 box: 2 of 2 places free, 0.0 ms
    ");
    insta::assert_snapshot!(says(&light, &["--tag", "gpu"]), @r"
    gaming-pc
                 by hand: --tag gpu
                 box: 2 of 2 places free, 0.0 ms
                 gaming-pc: 6 of 6 places free, 0.0 ms
    ");
    let json = dry(&world, &light, &["--remote", "gaming-pc", "--json"]).ok().json();
    let plan = &json["plan"][0];
    assert_eq!(plan["place"]["remote"]["fugue_addr"], pc.addr.as_str());
    assert_eq!(plan["worktree"], "/srv/gt/wyvern/polecats/Nux");
    // What others have there takes none of our places.
    pc.ask(["new-session", "-d", "-s", "somebody", "sleep 60"]).ok();
    assert!(says(&light, &["--remote", "gaming-pc"]).contains("gaming-pc: 6 of 6 places free"));
    // One that is dead.
    settings(&dead);
    insta::assert_snapshot!(says(&heavy, &[]), @r"
    gt: cannot reach the remote box at tcp://127.0.0.1:DEAD: connection refused
    hint: is the tunnel up? ssh -N -L DEAD:localhost:DEAD USER@MACHINE; is the daemon listening over there? fugue-server --listen-tcp 127.0.0.1:DEAD; here for once: --local
    ");
    insta::assert_snapshot!(says(&light, &["--tag", "gpu"]), @r"
    gaming-pc
                 by hand: --tag gpu
                 box: silent: connection refused
                 gaming-pc: 6 of 6 places free, 0.0 ms
    ");
    insta::assert_snapshot!(says(&heavy, &["--fallback", "local"]), @r"
    here
                 presets: polecat, remote-polecat, far (placement.heavy, /world/home/.config/gastown/config.toml:14:7)
                 /world/town/config/presets/far.toml:3:10: tcp://127.0.0.1:DEAD
                 box: silent: connection refused
                 cannot reach the remote box at tcp://127.0.0.1:DEAD: connection refused: --fallback local
    ");
    dry(&world, &heavy, &[]).fails(1);
    dry(&world, &heavy, &["--fallback", "wait"]).fails(3);
    // One that is full.
    settings(&two.addr);
    world.set("GASTOWN_REMOTES__BOX__MAX_WORKERS", "0");
    insta::assert_snapshot!(says(&heavy, &[]), @r"
    gt: box is full: 0 of 0 places are taken; the work waits, untouched
    hint: run the same again when one of them ends (gt remote status shows it); or do it here: --fallback local
    ");
    dry(&world, &heavy, &[]).fails(3);
    dry(&world, &heavy, &["--fallback", "fail"]).fails(1);
    assert!(says(&light, &["--tag", "gpu"]).starts_with("gaming-pc\n"));
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
        lines
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n")
            .collect::<String>()
    };
    let own =
        world.in_town(["preset", "explain", "polecat.fugue_addr", "--preset", "remote-polecat"]).fails(1);
    assert_eq!(own.stderr, "gt: polecat.fugue_addr is not set\n");
    // A remote's name that a higher layer says.
    insta::assert_snapshot!(explain(&["--preset", "far"]), @r#"
    polecat.fugue_addr = "unix:///run/none.sock"
    * remote = "box", WORLD/town/config/presets/far.toml "unix:///run/none.sock"
    "#);
    world.set("GASTOWN_FUGUE_ADDR", "tcp://localhost:9998");
    insta::assert_snapshot!(explain(&["--preset", "far"]), @r#"
    polecat.fugue_addr = "tcp://localhost:9998"
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

#[test]
fn roles_choose_among_remotes_as_well() {
    let world = yard();
    let (pc, two) = (world.daemon("pc"), world.daemon("two"));
    world.settings(&format!(
        "{}\n[agents.waits]\ncommand = [\"sleep\", \"600\"]\nprompt = \"none\"\n",
        YARD.replace("tcp://localhost:1", &pc.addr)
            .replace("unix:///run/none.sock", &two.addr)
            .replace("/srv/gt", &world.str("pc/gt"))
    ));
    world.set("GASTOWN_MAYOR__AGENT", "waits");
    world.set("GASTOWN_REMOTE_TOWN", &world.str("two/gt"));
    let start = |words: &[&str]| world.in_town(["mayor", "start"].iter().chain(words));
    two.kill();
    let refused = start(&["--tag", "heavy"]).fails(1);
    assert!(refused.stderr.starts_with("gt: cannot reach the remote box at "), "{refused:#?}");
    start(&["--tag", "gpu"]).ok();
    assert_eq!(pc.sessions().len(), 1, "the one that answers");
    // Nobody else fits in; who is there already is told so.
    world.set("GASTOWN_REMOTES__BOX__MAX_WORKERS", "0");
    world.settings(
        &world.read("home/.config/gastown/config.toml").replace("max_workers = 6", "max_workers = 1"),
    );
    assert!(start(&["--tag", "gpu"]).ok().stdout.contains("runs already"));
    let witness =
        world.in_town(["witness", "start", "wyvern", "--remote", "gaming-pc", "--agent", "waits"]).fails(1);
    assert!(witness.stderr.starts_with("gt: gaming-pc is full: 1 of 1 places are taken\n"), "{witness:#?}");
    world.in_town(["mayor", "stop"]).ok();
    world.in_town(["witness", "start", "wyvern", "--remote", "gaming-pc", "--agent", "waits"]).ok();
    assert_eq!(pc.session("gt-wyvern-witness").map(|session| session.tags.is_empty()), Some(false));
}
