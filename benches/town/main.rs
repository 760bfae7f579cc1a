//! How gt compares with the least that git and tmux themselves need, measured in the same run.
//!
//! `cargo bench` prints the table; `cargo bench -- status sling` just these. Every figure is a median, the floor's and
//! gt's runs alternate, and everything happens in a folder and on a tmux socket of its own.

mod measure;
mod remote;
mod world;

use measure::{Figure, alternate, median_of};
use world::World;

/// A line of the table.
struct Line {
    what: String,
    ours: String,
    floor: String,
    ratio: String,
    aim: &'static str,
}

/// A part of the table.
type Part = fn() -> Vec<Line>;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let parts: [(&str, Part); 7] = [
        ("version", version),
        ("store", store),
        ("status", status),
        ("sling", sling),
        ("queue", queue),
        ("apply", apply),
        ("remote", elsewhere),
    ];
    println!("{}\n", world::machine());
    println!("| what | gt | floor | ratio | aim |\n| --- | ---: | ---: | ---: | ---: |");
    for (name, part) in parts {
        if wanted.is_empty() || wanted.iter().any(|word| word == name) {
            for line in part() {
                println!(
                    "| {} | {} | {} | {} | {} |",
                    line.what, line.ours, line.floor, line.ratio, line.aim
                );
            }
        }
    }
}

fn time(what: impl Into<String>, ours: &Figure, floor: &Figure, aim: &'static str) -> Line {
    Line {
        what: what.into(),
        ours: format!("{:.1} ms", ours.millis),
        floor: format!("{:.1} ms", floor.millis),
        ratio: format!("{:.2}", ours.millis / floor.millis),
        aim,
    }
}

/// Peak memory: gt's own or that of a program it ran, whichever is larger.
fn memory(what: impl Into<String>, ours: &Figure, floor: &Figure) -> Line {
    Line {
        what: format!("memory of {}", what.into()),
        ours: format!("{:.1} MiB", ours.mebibytes),
        floor: format!("{:.1} MiB", floor.mebibytes),
        ratio: format!("{:.2}", ours.mebibytes / floor.mebibytes),
        aim: "≤ 15 MiB",
    }
}

/// Starting and ending, against a program that does nothing.
fn version() -> Vec<Line> {
    let world = World::new();
    let (floor, ours) = alternate(101, || world.command("/bin/true", ""), || world.gt("", &["--version"]));
    vec![time("`gt --version`, against `/bin/true`", &ours, &floor, "")]
}

/// Reading the embedded store, against starting gt.
fn store() -> Vec<Line> {
    let world = World::new();
    let mut lines = Vec::new();
    for count in [100, 10_000, 100_000] {
        let dir = world.store(count);
        for words in [&["bd", "ready"][..], &["bd", "list", "--limit", "50"]] {
            let start = || world.gt("", &["--version"]);
            let (floor, ours) = alternate(31, start, || world.gt(&dir, words));
            let what = format!("`gt {}` over {count} beads", words.join(" "));
            lines.push(time(format!("{what}, against `gt --version`"), &ours, &floor, ""));
            if count == 100_000 {
                lines.push(memory(what, &ours, &floor));
            }
        }
    }
    lines
}

/// The whole town on one screen, against one look of tmux.
fn status() -> Vec<Line> {
    let world = World::with_rig();
    let mut lines = Vec::new();
    let mut running = 0;
    for count in [1, 10, 100, 1000] {
        world.sling_sleepers(count - running);
        running = count;
        let look =
            || world.tmux(&["list-panes", "-a", "-F", "#{session_id} #{pane_id} #{pane_dead} #{@gt_town}"]);
        let (floor, ours) = alternate(51, look, || world.gt("town", &["status"]));
        let what = format!("`gt status` over {count} session{}", if count == 1 { "" } else { "s" });
        lines.push(time(format!("{what}, against `tmux list-panes -a`"), &ours, &floor, "≤ 2"));
        if count == 100 {
            lines.push(memory(what, &ours, &floor));
        }
    }
    lines
}

/// One bead to one polecat, against the same fetch, worktree and session by hand.
fn sling() -> Vec<Line> {
    let world = World::with_rig();
    let (mut floor, mut ours) = (Vec::new(), Vec::new());
    for number in 0..21 {
        floor.push(world.sling_by_hand(number));
        let bead = world.bead(&format!("Sleep {number}"), "sleep");
        ours.push(measure::run(&mut world.gt("town", &["sling", &bead, "wyvern"])));
        world.end_all();
    }
    let (floor, ours) = (median_of(floor), median_of(ours));
    vec![
        time(
            "`gt sling`, against `git fetch`, `git worktree add`, `tmux new-session`",
            &ours,
            &floor,
            "≤ 1.5",
        ),
        memory("`gt sling`", &ours, &floor),
    ]
}

/// Twenty requests, one of them red: how often the tests run, against once for each.
fn queue() -> Vec<Line> {
    let world = World::with_rig();
    world.queue(20, 13);
    let took = measure::run(&mut world.gt("town", &["refinery", "process", "wyvern"]));
    let (runs, merged) = world.test_runs();
    assert_eq!(merged, 19, "all but the red one land");
    vec![Line {
        what: format!(
            "test runs of `gt refinery process`, 20 requests, one red ({:.1} s)",
            took.millis / 1000.0
        ),
        ours: runs.to_string(),
        floor: "20".into(),
        ratio: format!("{:.2}", runs as f64 / 20.0),
        aim: "≤ 11 runs",
    }]
}

/// What should run, from nothing to all of it and once more, against tmux doing the same.
fn apply() -> Vec<Line> {
    const COUNT: usize = 50;
    let world = World::with_rig();
    world.crew(COUNT);
    let (mut floor, mut ours) = (Vec::new(), Vec::new());
    for turn in 0..=11 {
        let by_hand = measure::run(&mut world.tmux(&["start-server", ";", "source-file", "crew.tmux"]));
        world.end_server(2 * COUNT);
        let own = measure::run(&mut world.gt("town", &["apply"]));
        if turn > 0 {
            floor.push(by_hand);
            ours.push(own);
        }
        if turn < 11 {
            world.end_server(2 * COUNT);
        }
    }
    let (floor, ours) = (median_of(floor), median_of(ours));
    let look = || world.tmux(&["list-panes", "-a"]);
    let (bare, again) = alternate(51, look, || world.gt("town", &["apply", "-q"]));
    let what = format!("`gt apply` of {COUNT} sessions with 2 windows");
    vec![
        time(format!("{what}, against one script of tmux's"), &ours, &floor, "≤ 1.5"),
        memory(what, &ours, &floor),
        time("`gt apply` once more, against `tmux list-panes -a`", &again, &bare, "≤ 2"),
    ]
}

/// Sessions on other machines, over loopback.
fn elsewhere() -> Vec<Line> {
    let world = World::with_rig();
    let daemons: Vec<_> = (0..5).map(|number| remote::daemon(&world, &format!("far-{number}"))).collect();
    remote::settings(&world, "one", &daemons[..1]);
    remote::settings(&world, "five", &daemons);
    let status = |settings| remote::gt(&world, settings, &["status"]);
    let (one, five) = alternate(51, || status("one"), || status("five"));
    let mut lines = vec![time(
        format!("`gt status` with 5 daemons, against 1 ({})", remote::kind()),
        &five,
        &one,
        "≤ 1.5",
    )];
    let (mut bare, mut same, mut ours) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..21 {
        bare.push(remote::session_by_hand(&world, &daemons[0], number, "sleep 1000"));
        let bead = world.bead(&format!("Sleep {number}"), "sleep");
        let words = ["sling", &bead, "wyvern", "--remote", "far-0"];
        ours.push(measure::run(&mut remote::gt(&world, "one", &words)));
        same.push(world.place_by_hand(number));
        world.end_all_with(|words| remote::gt(&world, "one", words));
    }
    let (bare, same, ours) = (median_of(bare), median_of(same), median_of(ours));
    let sum = Figure { millis: bare.millis + same.millis, ..bare };
    lines.push(time(
        format!(
            "`gt sling --remote NAME` over loopback, against `fugue-compat new-session` ({})",
            remote::kind()
        ),
        &ours,
        &bare,
        "",
    ));
    lines.push(time(
        "the same, against `git fetch`, `git worktree add`, `fugue-compat new-session`",
        &ours,
        &sum,
        "",
    ));
    lines
}
