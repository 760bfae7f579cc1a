//! With nothing configured nothing changes: every process that the everyday commands start, word for word.

use regex::Regex;

use crate::common::World;

/// What is looked at: everything that gt runs here, and what it must not run.
const PROGRAMS: [&str; 6] = ["tmux", "git", "ssh", "fugue-compat", "fugue-client", "fugue"];

/// The world's own words put aside: paths, ids, hashes, times, sizes of terminals.
fn settled(world: &World, text: &str) -> String {
    let gt = std::path::Path::new(crate::common::gt()).display().to_string();
    let real = world.real().display().to_string();
    let mut text = text.replace(&real, "WORLD").replace(&world.str("").replace("//", "/"), "WORLD/");
    text = text
        .replace(&gt, "GT")
        .replace(&world.socket, "SOCKET")
        .replace(&world.town_id(), "TOWN")
        .replace(&std::env::var("PATH").unwrap(), "PATH");
    let patterns = [
        (r"\b[0-9a-f]{40}\b", "COMMIT"),
        (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z\b", "TIME"),
        (r"\bwy-[0-9a-z]+\b", "BEAD"),
        (
            r"(GT_INSTANCE=|@gt_own #\{session_id\} |pane_pid\} |gt-agent.lock [A-Za-z/]+ |session-ended [A-Za-z/]+ |instance[ =])[0-9a-z-]+",
            "${1}INSTANCE",
        ),
        (r"\b[0-9a-f]{16}\b", "INSTANCE"),
        (r"('@gt_hash' '#\{session_id\}) [^']*'", "${1} HASH'"),
    ];
    for (pattern, with) in patterns {
        text = Regex::new(pattern).unwrap().replace_all(&text, with).into_owned();
    }
    text
}

/// From now on writes down every call that gt makes. What a session's own programs call is theirs.
fn record(world: &World) {
    for program in PROGRAMS {
        let real = world.run("sh", "", ["-c", &format!("command -v {program}")]).stdout;
        let log = world.str("all-calls");
        let run = match real.trim() {
            "" => "exit 127".into(),
            real => format!("exec {real} \"$@\""),
        };
        // One write each: two programs may run at the same time.
        let words = format!("words=$(printf '{program}'; printf ' %s' \"$@\")");
        let write = format!("{{ {words}; printf '%s\\n' \"$words\" >> '{log}'; }}");
        // What tmux reads from standard input is what it is told.
        let told = format!("case $* in *' source-file -') tee -a '{log}' | {};; *) {run};; esac", &run[5..]);
        world.program(
            program,
            &format!("#!/bin/sh\n[ -n \"$GT_INSTANCE\" ] || {{ {write}; {told}; exit; }}\n{run}\n"),
        );
    }
}

/// The everyday commands of a new town, and every process that they start.
fn everyday(remotes: &str) -> String {
    let world = World::with_rig();
    world.write("town/config/town.toml", remotes);
    let bead = world.bead("say hello", "sleep 600");
    let mayor = "[mayor]\nagent = \"waits\"\n[agents.waits]\ncommand = [\"sleep\", \"600\"]\n";
    world.write("home/.config/gastown/presets/mayor.toml", mayor);
    world.with_fugue();
    record(&world);
    let mut all = String::new();
    for words in [vec!["start"], vec!["status"], vec!["session", "list"], vec!["sling", &bead, "wyvern"]] {
        world.write("all-calls", "");
        world.in_town(&words).ok();
        all += &format!("$ gt {}\n{}", words.join(" "), world.read("all-calls"));
    }
    settled(&world, &all)
}

#[test]
fn local_baseline() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fugue/local_baseline.txt");
    let run = everyday("");
    if std::env::var_os("GT_UPDATE_BASELINE").is_some() {
        std::fs::write(file, &run).unwrap();
    }
    let kept = std::fs::read_to_string(file).unwrap();
    assert!(
        run == kept,
        "what is run has changed; if it is meant, GT_UPDATE_BASELINE=1 writes it down:\n{run}"
    );
}

#[test]
fn a_remote_that_nobody_uses_is_asked_and_changes_nothing_else() {
    let remote = "[remotes.pc]\nfugue_addr = \"tcp://127.0.0.1:1\"\n\
                  [fugue]\nprogram = \"fugue-compat\"\ndialect = \"compat\"\n";
    let (alone, hybrid) = (everyday(""), everyday(remote));
    let (asked, rest): (Vec<&str>, Vec<&str>) = hybrid.lines().partition(|line| line.starts_with("fugue"));
    assert_eq!(rest, alone.lines().collect::<Vec<_>>());
    let ask = "fugue-compat --addr tcp://127.0.0.1:1 list-sessions -F ";
    assert!(asked.len() == 4 && asked.iter().all(|call| call.starts_with(ask)), "{asked:#?}");
}
