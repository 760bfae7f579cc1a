//! What a killed git, or a gt killed with it, leaves behind: healed by the same command or by doctor.

use crate::common::{World, wait_for};
use crate::flow::{names, request};

const CLONE: &str = "town/wyvern/mayor/rig";

/// A world whose polecats only wait.
fn waiting() -> World {
    let world = World::with_rig();
    world.settings(
        "[beads]\nstore = \"embedded\"\n[agents.waits]\ncommand = [\"sleep\", \"600\"]\nprompt = \"none\"\n",
    );
    world.set("GASTOWN_POLECAT__AGENT", "waits");
    world
}

/// From now on every `git worktree add` is cut short (`$a`: what the clone knows of the worktree, `$p`: its folder), and gt
/// is killed with it.
fn cut_short(world: &World, state: &str) {
    let real = which::which("git").unwrap();
    let script = format!(
        "#!/bin/sh\ncase \" $* \" in *' worktree add '*)\n  {0} \"$@\"; a=$(ls -td \"$2\"/.git/worktrees/* | head -n 1)\n  \
         p=$(dirname \"$(cat \"$a/gitdir\")\"); echo initializing > \"$a/locked\"\n  {state}\n  kill -9 $PPID; exit 137;;\n\
         esac\nexec {0} \"$@\"\n",
        real.display()
    );
    world.program("git", &script);
}

fn whole(world: &World) {
    std::fs::remove_file(world.path("bin/git")).unwrap();
}

const CUT: [(&str, &str); 4] = [
    ("no HEAD yet", "rm -rf \"$p\"/[!.]* \"$a\"/index \"$a\"/commondir; : > \"$a/HEAD\""),
    ("an empty commondir", "rm -rf \"$p\"/[!.]* \"$a\"/index; : > \"$a/commondir\""),
    ("a file cut short, no index", "printf '# w' > \"$p/README.md\"; mv \"$a/index\" \"$a/index.lock\""),
    ("nothing but the mark", "true"),
];

#[test]
fn a_sling_killed_with_its_git_fills_no_rig_and_is_healed_by_the_same_command() {
    let world = waiting();
    let beads: Vec<String> = CUT.iter().map(|(title, _)| world.bead(title, "true")).collect();
    for (bead, (when, state)) in beads.iter().zip(CUT) {
        cut_short(&world, state);
        assert_eq!(world.in_town(["sling", bead, "wyvern"]).code, None, "{when}");
        whole(&world);
        assert_eq!(names(&world).len(), 1, "{when}");
    }
    let all: Vec<&str> = ["sling"].into_iter().chain(beads.iter().map(String::as_str)).collect();
    world.in_town(&all).ok();
    assert_eq!(names(&world).len(), 4);
    world.in_town(["doctor"]).ok();
}

#[test]
fn doctor_takes_away_half_made_worktrees_and_keeps_what_git_did_not_make() {
    let world = waiting();
    let bead = world.bead("work", "true");
    cut_short(&world, CUT[1].1);
    assert_eq!(world.in_town(["sling", &bead, "wyvern"]).code, None);
    whole(&world);
    let out = world.in_town(["doctor", "-q"]).fails(1).stdout;
    assert!(out.contains("✗ Half-made worktree polecats/Nux in mayor/rig\n"), "{out}");
    world.write("town/wyvern/polecats/Nux/mine", "x");
    let out = world.in_town(["doctor", "--fix", "-q"]).fails(1).stdout;
    assert!(out.contains("✗ Half-made worktree polecats/Nux in mayor/rig holds mine\n"), "{out}");
    assert_eq!(world.read("town/wyvern/polecats/Nux/mine"), "x");
    // It is in no other's way.
    world.write(
        "town/wyvern/config.json",
        world.read("town/wyvern/config.json").replacen('{', "{\"max_workers\":1,", 1),
    );
    std::fs::rename(world.path("town/wyvern/polecats/Nux/mine"), world.path("mine")).unwrap();
    world.in_town(["doctor", "--fix"]).ok();
    assert!(names(&world).is_empty() && !world.path("town/wyvern/polecats/Nux").exists());
    world.in_town(["sling", &bead, "wyvern"]).ok();
}

#[test]
fn a_queue_killed_with_its_git_goes_on() {
    let world = crate::refinery::world();
    for (when, state) in CUT {
        let work =
            crate::refinery::hand_over(&world, "Nux", when, &[(&format!("{}.txt", when.len()), "x")], true);
        cut_short(&world, state);
        assert_eq!(world.in_town(["refinery", "process", "wyvern"]).code, None, "{when}");
        whole(&world);
        world.in_town(["refinery", "process", "wyvern"]).ok();
        assert_eq!(world.show(&work.bead)["status"], "closed", "{when}");
    }
    world.in_town(["doctor"]).ok();
}

#[test]
fn a_place_whose_making_was_cut_short_is_no_work() {
    let world = waiting();
    let setup = "echo made > made.txt; test -e \\\"$HOME/die\\\" && kill -9 $PPID; true";
    let config = world.read("town/wyvern/config.json");
    let more = format!("{{\"max_workers\":1,\"worktree\":{{\"setup\":\"{setup}\",\"copy\":[\".env\"]}},");
    world.write("town/wyvern/config.json", config.replacen('{', &more, 1));
    world.write("town/wyvern/mayor/rig/.env", "SECRET=1\n");
    let (first, second) = (world.bead("First", "true"), world.bead("Second", "true"));
    world.write("home/die", "");
    assert_eq!(world.in_town(["sling", &first, "wyvern"]).code, None);
    std::fs::remove_file(world.path("home/die")).unwrap();
    assert_eq!(names(&world), ["Nux"]);
    world.in_town(["sling", &second, "wyvern"]).ok();
    assert_eq!(world.polecat_of(&second), "Nux");
    let kept = world.git(CLONE, ["log", "--format=", "--name-only", "--glob=refs/gt/recovery/*", "-1"]);
    assert_eq!(kept, "made.txt");
    // From its start on what is there is work.
    let files = world.in_town(["polecat", "release", "wyvern/Nux", "--force"]);
    assert_eq!(files.code, Some(0), "{files:?}");
}

#[test]
fn a_rig_is_not_full_of_places_that_cannot_be_removed() {
    let world = waiting();
    world.write(
        "town/wyvern/config.json",
        world.read("town/wyvern/config.json").replacen('{', "{\"max_workers\":1,", 1),
    );
    world.write("town/wyvern/polecats/.names/Nux", "0123456789abcdef");
    world.git(
        CLONE,
        ["worktree", "add", "-q", "-b", "polecat/Nux-wy-0", &world.str("town/wyvern/polecats/Nux")],
    );
    world.write("town/wyvern/polecats/Nux/precious", "x");
    let bead = world.bead("work", "true");
    world.in_town(["sling", &bead, "wyvern"]).ok();
    assert_eq!(names(&world).len(), 2);
    assert_eq!(world.read("town/wyvern/polecats/Nux/precious"), "x");
}

fn stale(world: &World, path: &str) {
    world.write(path, "");
    std::fs::File::open(world.path(path)).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
}

#[test]
fn lock_files_left_by_a_killed_git_are_named_and_stop_nothing() {
    let world = crate::refinery::world();
    let locks = [
        "mayor/rig/.git/refs/remotes/origin/main.lock",
        "mayor/rig/.git/config.lock",
        "refinery/rig/.git/packed-refs.lock",
    ];
    locks.iter().for_each(|lock| stale(&world, &format!("town/wyvern/{lock}")));
    let out = world.in_town(["doctor", "-q"]).fails(1).stdout;
    for lock in locks {
        let line = out.lines().find(|line| line.contains(&format!("✗ Lock file of git wyvern/{lock}: ")));
        assert!(line.is_some_and(|line| line.ends_with(" h old, no process has it")), "{out}");
    }
    world.in_town(["doctor", "--fix"]).ok();
    assert!(locks.iter().all(|lock| !world.path(format!("town/wyvern/{lock}")).exists()));
    // The commands heal their own way, also inside a worktree and for a lock that is young.
    stale(&world, "town/wyvern/mayor/rig/.git/refs/remotes/origin/main.lock");
    let bead = world.bead("work", "touch \"$(git rev-parse --git-dir)/index.lock\"; echo x > work.txt");
    world.in_town(["sling", &bead, "wyvern"]).ok();
    wait_for("the request", || request(&world, &bead));
    stale(&world, "town/wyvern/refinery/rig/.git/refs/remotes/origin/main.lock");
    world.in_town(["refinery", "process", "wyvern"]).ok();
    assert_eq!(world.show(&bead)["status"], "closed");
}

/// A polecat whose `gt done` was killed once its branch was at origin; its name and bead.
fn pushed(world: &World, text: &str) -> (String, String) {
    let bead = world.bead(text, "true");
    world.in_town(["sling", &bead, "wyvern"]).ok();
    let name = world.polecat_of(&bead);
    let place = format!("town/wyvern/polecats/{name}");
    world.write(format!("{place}/{text}.txt"), text);
    world.git(&place, ["add", "-A"]);
    world.git(&place, ["commit", "-q", "-m", text]);
    world.gt_killed("done.3", &place, ["done"]);
    assert!(!at_origin(world).is_empty());
    (name, bead)
}

fn at_origin(world: &World) -> String {
    world.git("origin.git", ["for-each-ref", "--format=%(refname:short)", "refs/heads/polecat"])
}

#[test]
fn a_branch_that_a_killed_done_pushed_goes_when_the_work_is_taken_back() {
    let world = waiting();
    for how in [&["unsling", "--force"][..], &["polecat", "nuke"], &["polecat", "release", "--force"]] {
        let (name, bead) = pushed(&world, &how.join("-"));
        let who = if how[0] == "unsling" { bead.clone() } else { format!("wyvern/{name}") };
        world.in_town(how.iter().copied().chain([who.as_str()])).ok();
        assert_eq!(at_origin(&world), "", "{how:?}");
        assert!(!world.git(CLONE, ["for-each-ref", "refs/gt/recovery"]).is_empty());
    }
}

#[test]
fn a_branch_that_stayed_at_origin_is_found_by_doctor_and_gc_and_stops_no_later_attempt() {
    let world = waiting();
    let away = |world: &World| {
        let (name, bead) = pushed(world, "earlier");
        // Origin cannot be reached at its end.
        std::fs::rename(world.path("origin.git"), world.path("gone.git")).unwrap();
        world.in_town(["polecat", "nuke", &format!("wyvern/{name}")]).ok();
        std::fs::rename(world.path("gone.git"), world.path("origin.git")).unwrap();
        (name, bead)
    };
    // A person's, and another town's, are not touched.
    world.git("origin.git", ["branch", "polecat/Mine", "main"]);
    let (name, bead) = away(&world);
    let branch = world.branch(&name, &bead);
    let out = world.in_town(["doctor", "-q"]).fails(1).stdout;
    assert!(out.contains(&format!("✗ Branch {branch} at origin is of work taken back\n")), "{out}");
    world.in_town(["doctor", "--fix"]).ok();
    assert_eq!(at_origin(&world), "polecat/Mine");

    let (name, bead) = away(&world);
    let out = world.in_town(["gc", "--dry-run"]).ok().stdout;
    assert!(
        out.contains(&format!("would remove branch {} at origin of wyvern", world.branch(&name, &bead))),
        "{out}"
    );
    world.in_town(["gc"]).ok();
    assert_eq!(at_origin(&world), "polecat/Mine");

    let (name, bead) = away(&world);
    world.git(CLONE, ["fetch", "-q", "origin"]);
    world.in_town(["sling", &bead, &format!("wyvern/{name}")]).ok();
    let place = format!("town/wyvern/polecats/{name}");
    world.write(format!("{place}/later.txt"), "x");
    world.git(&place, ["add", "-A"]);
    world.git(&place, ["commit", "-q", "-m", "later"]);
    world.gt_in(&place, ["done"]).ok();
    assert!(request(&world, &bead).is_some());
}

#[test]
fn of_two_beads_that_claim_one_polecat_the_one_it_works_on_keeps_it() {
    let world = waiting();
    let (other, bead) = (world.bead("Other", "true"), world.bead("Work", "true"));
    world.in_town(["sling", &bead, "wyvern"]).ok();
    let holder = format!("wyvern/{}", world.polecat_of(&bead));
    for session in [true, false] {
        if !session {
            world.tmux(["kill-server"]);
            world.in_town(["witness", "patrol", "wyvern"]).ok();
        }
        world
            .gt_in("town/wyvern", ["bd", "update", &other, "--status", "hooked", "--assignee", &holder])
            .ok();
        let refused = world.in_town(["sling", &other, "wyvern", "--resume"]).fails(1).stderr;
        let why = format!("{other} is held by {holder}, which works on {bead}");
        assert!(session || refused.contains(&why), "{refused}");
        let out = world.in_town(["doctor", "-q"]).fails(1).stdout;
        assert!(out.contains(&format!("Bead {other} is held by {holder}, which works on {bead}")), "{out}");
        world.in_town(["doctor", "--fix"]);
        assert_eq!(world.show(&other)["status"], "open");
        assert!(world.show(&other)["assignee"].is_null());
        if session {
            assert_eq!(world.show(&bead)["assignee"], holder.as_str());
        }
    }
}

#[test]
fn a_sling_of_a_title_that_failed_or_was_killed_makes_no_second_bead() {
    let world = waiting();
    let beads = |world: &World| {
        let list = world.gt_in("town/wyvern", ["bd", "list", "--all", "--json"]).ok().json();
        list.as_array().unwrap().len()
    };
    std::fs::rename(world.path("origin.git"), world.path("gone.git")).unwrap();
    world.in_town(["sling", "Parse dates", "wyvern"]).fails(1);
    world.in_town(["sling", "Parse dates", "wyvern"]).fails(1);
    std::fs::rename(world.path("gone.git"), world.path("origin.git")).unwrap();
    assert_eq!(beads(&world), 1);
    world.gt_killed("sling.1", "town", ["sling", "Parse dates", "wyvern"]);
    world.in_town(["sling", "Parse dates", "wyvern"]).ok();
    assert_eq!(beads(&world), 1);
    // What has had a polecat is another piece of work.
    world.in_town(["sling", "Parse dates", "wyvern"]).ok();
    assert_eq!(beads(&world), 2);
}

#[test]
fn what_cannot_become_a_branch_is_refused_before_the_work() {
    let world = waiting();
    let new = gastown::model::bead::NewBead {
        id: Some("wy-1.lock".into()),
        title: "x".into(),
        ..gastown::model::bead::NewBead::default()
    };
    crate::refinery::write(&world, &[gastown::beads::Change::Create(Box::new(new))]);
    for words in [&["sling", "wy-1.lock", "wyvern"][..], &["sling", "wy-1.lock", "wyvern", "--dry-run"]] {
        let refused = world.in_town(words).fails(1).stderr;
        assert!(refused.starts_with("gt: wy-1.lock cannot be a part of a branch's name\n"), "{refused}");
    }
    assert!(names(&world).is_empty());
    let (bead, place) = (world.bead("y", "true"), "town/wyvern/polecats/Nux");
    world.in_town(["sling", "A title", "wyvern/Nux"]).ok();
    world.git("origin.git", ["branch", "polecat", "main"]);
    world.write(format!("{place}/x"), "x");
    world.git(place, ["add", "-A"]);
    world.git(place, ["commit", "-q", "-m", "x"]);
    let said = world.gt_in(place, ["done"]).fails(1).stderr;
    assert!(
        said.contains("has a branch 'polecat'") && said.contains("origin/polecat:refs/heads/NEW :polecat"),
        "{said}"
    );
    let said = world.in_town(["sling", &bead, "--dry-run"]).fails(1).stderr;
    assert!(said.starts_with("gt: origin has a branch 'polecat'"), "{said}");
    // Doctor asks no origin: it knows what a clone has seen.
    world.git("town/wyvern/mayor/rig", ["fetch", "-q"]);
    let said = world.in_town(["doctor"]).fails(1).stdout;
    assert!(said.contains("✗ origin has a branch 'polecat'"), "{said}");
    let said = world.in_town(["rig", "add", "second", &world.str("origin.git")]).fails(1).stderr;
    assert!(said.contains("has a branch 'polecat'"), "{said}");
    assert!(!world.path("town/second").exists());
}

#[test]
fn a_file_that_is_as_git_checks_it_out_is_no_change() {
    let world = World::new();
    world.origin("origin.git", &[("v.rc", "a\r\nb\r\n"), ("README.md", "x\n")]);
    world.git("", ["clone", "-q", "origin.git", "dev"]);
    world.write("dev/.gitattributes", "*.rc text eol=crlf\n");
    world.git("dev", ["add", ".gitattributes"]);
    world.git("dev", ["commit", "-q", "-m", "rule"]);
    world.git("dev", ["push", "-q"]);
    // Whatever the user calls a clone's remote.
    world.git("", ["config", "--global", "clone.defaultRemoteName", "upstream"]);
    world.settings(
        "[beads]\nstore = \"embedded\"\n[agents.waits]\ncommand = [\"sleep\", \"600\"]\nprompt = \"none\"\n",
    );
    world.set("GASTOWN_POLECAT__AGENT", "waits");
    world.gt(["install", "town"]).ok();
    world.in_town(["rig", "add", "wyvern", &world.str("origin.git"), "--prefix", "wy"]).ok();
    world.in_town(["crew", "add", "max", "--rig", "wyvern"]).ok();
    assert_eq!(world.git("town/wyvern/crew/max", ["remote"]), "origin");
    let bead = world.bead("work", "true");
    world.in_town(["sling", &bead, "wyvern/Nux"]).ok();
    let place = "town/wyvern/polecats/Nux";
    std::fs::File::open(world.path(place).join("v.rc")).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    assert!(world.git(place, ["status", "--porcelain"]).contains("v.rc"));
    world.write(format!("{place}/w.txt"), "w");
    world.git(place, ["add", "w.txt"]);
    world.git(place, ["commit", "-q", "-m", "w"]);
    world.gt_in(place, ["done", "--exit"]).ok();
    world.in_town(["witness", "patrol", "wyvern"]).ok();
    crate::flow::wait_for_the_end(&world);
    // Nor for a replay onto what others pushed meanwhile.
    world.write("dev/other", "x");
    world.git("dev", ["add", "other"]);
    world.git("dev", ["commit", "-q", "-m", "other"]);
    world.git("dev", ["push", "-q"]);
    crate::refinery::merge(&world, "strategy", "rebase");
    world.in_town(["refinery", "process", "wyvern"]).ok();
    assert_eq!(world.show(&bead)["status"], "closed");
    assert_eq!(world.git("origin.git", ["log", "--format=%s", "-2", "main"]), "w\nother");
}

#[test]
fn records_of_landings_go_when_they_are_over() {
    let world = crate::refinery::world();
    let work = crate::refinery::hand_over(&world, "Nux", "good", &[("good.txt", "x")], true);
    world.in_town(["refinery", "process", "wyvern"]).ok();
    let clone = "town/wyvern/refinery/rig";
    let tip = world.git(clone, ["rev-parse", "origin/main"]);
    for kind in ["landing", "direct"] {
        world.git(clone, ["update-ref", &format!("refs/gt/{kind}/{}", work.commit), &tip]);
    }
    world.in_town(["gc"]).ok();
    assert_eq!(world.git(clone, ["for-each-ref", "refs/gt/landing", "refs/gt/direct"]), "");
}
