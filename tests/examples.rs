//! The sets of `examples/` are whole: each loads, and sends heavy and light work where its README says.

use std::path::{Path, PathBuf};

use crate::common::World;

fn set(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

/// A town with the files of a set where its README puts them; `addresses` are taken for those of the set.
fn with_set(name: &str, addresses: &[(&str, &str)]) -> World {
    let world = World::with_rig();
    // The test's own settings are the user's: the set's come over them.
    let own = std::fs::read_to_string(world.path("home/.config/gastown/config.toml")).unwrap_or_default();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        addresses.iter().fold(text, |text, (from, to)| {
            assert!(!text.contains("fugue_addr") || text.contains(from), "{from} is not in the set");
            text.replace(from, to)
        })
    };
    let folder = set(name);
    world.write("home/.config/gastown/config.toml", format!("{own}\n{}", read(folder.join("config.toml"))));
    for agent in ["claude", "codex"] {
        world.program(agent, "#!/bin/sh\nexec sleep 600\n");
    }
    world.write("town/config/town.toml", read(folder.join("town.toml")));
    for entry in std::fs::read_dir(folder.join("presets")).unwrap() {
        let path = entry.unwrap().path();
        let to = Path::new("town/config/presets").join(path.file_name().unwrap());
        world.write(to, read(path));
    }
    world
}

/// Checks what every set must pass.
fn is_right(world: &World) {
    let check = world.in_town(["preset", "check"]).ok();
    assert!(!check.stdout.contains("wrong"), "{check:#?}");
    world.in_town(["config", "show", "--origin"]).ok();
    world.in_town(["remote", "list", "--json"]).ok();
    world.in_town(["plan", "--json"]).ok();
    world.in_town(["apply", "--dry-run"]).ok();
}

/// Where a bead would run, with which presets, and why.
fn place(world: &World, title: &str, words: &[&str]) -> (String, Vec<String>, String) {
    let bead = world.bead_with(title, "true", words);
    let run = world.in_town(["sling", &bead, "wyvern", "--dry-run", "--json"]).ok();
    let plan = run.json()["plan"][0].clone();
    let presets = plan["presets"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_string());
    let remote = plan["place"]["remote"]["name"].as_str().unwrap_or("here").to_string();
    (remote, presets.collect(), plan["place"]["why"].to_string())
}

#[test]
fn a_laptop_alone() {
    let world = with_set("laptop", &[]);
    is_right(&world);
    assert_eq!(place(&world, "Light", &[]).0, "here");
    let (remote, presets, _) = place(&world, "Heavy", &["-l", "heavy-compute"]);
    assert_eq!((remote.as_str(), presets), ("here", vec!["polecat".to_string(), "heavy".into()]));
    let (remote, presets, _) = place(&world, "Chore", &["-t", "chore"]);
    assert_eq!((remote.as_str(), presets), ("here", vec!["polecat".to_string(), "chores".into()]));
    let limit = world.in_town(["preset", "explain", "polecat.max_workers"]).ok().stdout;
    assert!(limit.starts_with("polecat.max_workers = 6"), "{limit}");
}

#[test]
fn a_laptop_and_a_gaming_pc() {
    let pc = World::with_rig();
    let pc = pc.daemon("pc");
    let world = with_set("laptop-and-gaming-pc", &[("tcp://localhost:9999", &pc.addr)]);
    world.with_fugue();
    is_right(&world);
    assert_eq!(place(&world, "Light", &["-e", "20"]).0, "here");
    let (remote, presets, why) = place(&world, "Heavy", &["-l", "heavy-compute"]);
    assert_eq!((remote.as_str(), presets.len()), ("gaming-pc", 3));
    assert!(why.contains("placement.heavy"), "{why}");
    assert_eq!(place(&world, "Long", &["-e", "90"]).0, "gaming-pc");
    assert_eq!(place(&world, "A long chore", &["-e", "90", "-t", "chore"]).0, "here");
}

#[test]
fn a_laptop_and_two_servers() {
    let elsewhere = World::with_rig();
    let (one, two) = (elsewhere.daemon("one"), elsewhere.daemon("two"));
    let addresses =
        [("tcp://localhost:9991", one.addr.as_str()), ("tcp://localhost:9992", two.addr.as_str())];
    let world = with_set("laptop-and-two-servers", &addresses);
    world.with_fugue();
    is_right(&world);
    assert_eq!(place(&world, "Light", &[]).0, "here");
    // The one with most places.
    assert_eq!(place(&world, "Heavy", &["-l", "heavy-compute"]).0, "server-one");
    assert_eq!(place(&world, "Urgent", &["-p", "0"]).0, "server-one");
    // The one with a GPU.
    let (remote, presets, why) = place(&world, "Train", &["-l", "gpu,heavy-compute"]);
    assert_eq!(
        (remote.as_str(), presets),
        ("server-two", ["polecat", "build", "gpu"].map(String::from).to_vec())
    );
    assert!(why.contains("server-one: lacks gpu"), "{why}");
}
