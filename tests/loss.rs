//! What gt removes, and what stays of it: work of every kind that a place can hold is there afterwards, or the place is.

use crate::common::{World, wait_for};

const CLONE: &str = "town/wyvern/mayor/rig";

/// A crashed polecat, in a worktree or a clone; its place.
fn crashed(sandbox: &str) -> (World, String, String) {
    let world = World::with_rig();
    world.write(
        "town/config/presets/polecat.toml",
        format!("[polecat]\nagent=\"shell\"\nsandbox=\"{sandbox}\"\n"),
    );
    let bead = world.bead("Do it", "exit 3");
    world.in_town(["sling", &bead, "wyvern/Nux"]).ok();
    wait_for("the crash", || world.in_town(["polecats", "wyvern"]).stdout.contains("crashed").then_some(()));
    (world, bead, "town/wyvern/polecats/Nux".into())
}

/// A commit of a file in a repository of the world.
fn commit(world: &World, dir: &str, name: &str) -> String {
    world.write(format!("{dir}/{name}"), name);
    world.git(dir, ["add", name]);
    world.git(dir, ["commit", "-q", "-m", name]);
    world.git(dir, ["rev-parse", "HEAD"])
}

/// A commit that nothing points at yet.
fn loose(world: &World, dir: &str, message: &str) -> String {
    world.git(dir, ["commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", message])
}

/// Whether a ref of the canonical clone reaches an object.
fn is_kept(world: &World, id: &str) -> bool {
    let all = ["rev-list", "--objects", "--all"];
    // A stash of a worktree is the clone's own.
    let stashed = world.run("git", CLONE, ["reflog", "show", "--format=%H", "refs/stash"]).stdout;
    let reached = stashed.contains(id) || world.git(CLONE, all).lines().any(|line| line.starts_with(id));
    reached || world.git(CLONE, ["for-each-ref", "--format=%(objectname)"]).lines().any(|own| own == id)
}

#[test]
fn every_kind_of_work_in_a_place_is_kept_at_its_end() {
    for sandbox in ["worktree", "clone"] {
        let (world, _, place) = crashed(sandbox);
        let mut ids = Vec::new();
        let own = world.git(&place, ["symbolic-ref", "--short", "HEAD"]);
        // Amended away, on a branch beside, in two stashes, under names of a person's own, and detached.
        ids.push(("amended", commit(&world, &place, "first")));
        world.git(&place, ["commit", "-q", "--amend", "-m", "amended"]);
        ids.push(("own branch", world.git(&place, ["rev-parse", "HEAD"])));
        world.git(&place, ["checkout", "-q", "-b", "experiment"]);
        ids.push(("experiment", commit(&world, &place, "precious")));
        for text in ["one", "two"] {
            world.write(format!("{place}/README.md"), text);
            world.git(&place, ["stash", "-q"]);
            ids.push(("stash", world.git(&place, ["rev-parse", "stash@{0}"])));
        }
        let tagged = loose(&world, &place, "tagged");
        world.git(&place, ["tag", "light", &tagged]);
        world.git(&place, ["tag", "-a", "-m", "words", "v1", "HEAD~1"]);
        ids.push(("light tag", tagged));
        ids.push(("tag", world.git(&place, ["rev-parse", "v1"])));
        let wip = loose(&world, &place, "wip");
        world.git(&place, ["update-ref", "refs/wip/x", &wip]);
        ids.push(("other ref", wip));
        world.git(&place, ["checkout", "-q", "--detach", &own]);
        ids.push(("detached", commit(&world, &place, "detached")));
        world.in_town(["polecat", "release", "wyvern/Nux"]).ok();
        assert!(!world.path(&place).exists());
        for (what, id) in &ids {
            assert!(is_kept(&world, id), "{sandbox}: {what}");
        }
        let recovered = world.in_town(["polecat", "recover", "wyvern/Nux"]).ok().stdout;
        let again = world.in_town(["polecat", "recover", "wyvern/Nux"]).ok().stdout;
        assert_eq!(recovered.replace("made the", "there already: the"), again);
    }
}

#[test]
fn files_that_no_commit_has_stop_an_end_and_are_kept_by_nuke() {
    let (world, _, place) = crashed("worktree");
    commit(&world, &place, "hidden");
    world.write(format!("{place}/hidden"), "changed");
    world.git(&place, ["update-index", "--assume-unchanged", "hidden"]);
    world.write(format!("{CLONE}/.git/info/exclude"), "secret.env\ntarget/\nlib/\n");
    world.write(format!("{place}/secret.env"), "precious");
    world.write(format!("{place}/target/big"), "made again");
    world.write(format!("{place}/staged"), "staged");
    world.git(&place, ["add", "staged"]);
    world.write(format!("{place}/staged"), "later");
    world.write(format!("{place}/empty/page"), "in a repository without a commit");
    world.git(format!("{place}/empty"), ["init", "-q"]);
    world.write(format!("{place}/lib/.keep"), "");
    world.git(format!("{place}/lib"), ["init", "-q"]);
    let inner = commit(&world, &format!("{place}/lib"), "code");
    let session = world.session_of("wyvern/Nux");
    world.tmux(["kill-session", "-t", &session]).ok();
    for words in [vec!["polecat", "release", "wyvern/Nux"], vec!["doctor", "--fix"]] {
        let run = world.in_town(words).fails(1);
        let said = run.stdout.clone() + &run.stderr;
        for what in ["hidden", "secret.env", "staged", "empty: ?? page", "lib: ?? .keep"] {
            assert!(said.contains(what), "{what}: {run:?}");
        }
        assert!(!said.contains("target"), "{run:?}");
    }
    let run = world.in_town(["polecat", "nuke", "wyvern/Nux"]).ok();
    assert!(!world.path(&place).exists());
    assert!(is_kept(&world, &inner));
    let refs = world.git(CLONE, ["for-each-ref", "--format=%(refname)", "refs/gt/recovery/"]);
    let text = |end: &str, path: &str| {
        let name = refs.lines().find(|name| name.ends_with(end)).unwrap_or_else(|| panic!("{end}: {refs}"));
        world.git(CLONE, ["show", &format!("{name}:{path}")])
    };
    assert_eq!(text(".nested/empty/HEAD", "page"), "in a repository without a commit");
    assert_eq!(text(".nested/lib/HEAD", "code"), "code");
    let main = refs.lines().find(|name| !name.contains('.')).unwrap();
    assert_eq!(world.git(CLONE, ["show", &format!("{main}:hidden")]), "changed");
    assert_eq!(world.git(CLONE, ["show", &format!("{main}:staged")]), "later");
    assert_eq!(world.git(CLONE, ["show", &format!("{main}~1:staged")]), "staged");
    let folder = run.stdout.split("files are kept in ").nth(1).unwrap().trim();
    assert_eq!(std::fs::read_to_string(format!("{folder}/secret.env")).unwrap(), "precious");
}

#[test]
fn a_nuke_that_was_killed_once_all_was_kept_keeps_nothing_twice() {
    for sandbox in ["worktree", "clone"] {
        let (world, _, place) = crashed(sandbox);
        commit(&world, &place, "committed");
        world.write(format!("{place}/staged"), "staged");
        world.git(&place, ["add", "staged"]);
        world.write(format!("{place}/staged"), "later");
        world.write(format!("{place}/lib/page"), "in a repository inside");
        world.git(format!("{place}/lib"), ["init", "-q"]);
        let refs =
            || world.git(CLONE, ["for-each-ref", "--format=%(objectname) %(refname)", "refs/gt/recovery/"]);
        world.gt_killed("release.2", "town", ["polecat", "nuke", "wyvern/Nux"]);
        let kept = refs();
        // A commit of the next second has another id.
        let second = || world.git(CLONE, ["log", "-1", "--format=%ct", kept.split(' ').next().unwrap()]);
        let made: u64 = second().parse().unwrap();
        let now = || std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
        wait_for("the next second", || (now() > made).then_some(()));
        world.in_town(["polecat", "nuke", "wyvern/Nux"]).ok();
        assert_eq!(refs(), kept, "{sandbox}");
        assert!(!world.path(&place).exists());
    }
}

#[test]
fn repositories_in_folders_that_programs_make_again_are_kept() {
    for words in [["polecat", "release", "wyvern/Nux"], ["polecat", "nuke", "wyvern/Nux"]] {
        let (world, _, place) = crashed("worktree");
        world.write(format!("{CLONE}/.git/info/exclude"), ".venv/\nbuild/\nnode_modules/\n");
        world.write(format!("{place}/node_modules/x/index.js"), "made again");
        let (same, ahead) = (format!("{place}/.venv/src/same"), format!("{place}/.venv/src/ahead"));
        let origin = world.str("origin.git");
        for inner in [&same, &ahead] {
            world.git("", ["clone", "-q", &origin, &world.str(inner)]);
        }
        let mut ids = vec![commit(&world, &ahead, "code")];
        let said = |what: &str| {
            let run = world.in_town(["rig", "remove", "wyvern", "--dry-run"]);
            let said = run.stdout.clone() + &run.stderr;
            assert!(said.contains(what) && !said.contains("src/same"), "{run:?}");
        };
        said(".venv/src/ahead: not at origin");
        let pages = format!("{place}/build/pages");
        world.git(&place, ["worktree", "add", "-q", "--detach", &world.str(&pages)]);
        ids.push(commit(&world, &pages, "page"));
        if words[1] == "nuke" {
            world.write(format!("{pages}/new"), "uncommitted");
            said("build/pages: ?? new");
            ids.push(world.git(&pages, ["hash-object", "new"]));
            world.in_town(["polecat", "release", "wyvern/Nux"]).fails(1);
        }
        world.in_town(words).ok();
        assert!(!world.path(&place).exists());
        assert!(ids.iter().all(|id| is_kept(&world, id)), "{words:?}");
    }
}

#[test]
fn a_change_outside_a_sparse_checkout_is_kept() {
    let (world, _, place) = crashed("worktree");
    commit(&world, &place, "far/page");
    world.git(&place, ["sparse-checkout", "set", "--no-cone", "/*", "!far/"]);
    assert!(!world.path(format!("{place}/far")).exists());
    world.write(format!("{place}/far/page"), "changed");
    world.write(format!("{place}/far/new"), "new");
    let ids = ["far/page", "far/new"].map(|path| world.git(&place, ["hash-object", path]));
    world.in_town(["polecat", "nuke", "wyvern/Nux"]).ok();
    assert!(ids.iter().all(|id| is_kept(&world, id)));
}

#[test]
fn a_place_that_git_cannot_read_is_moved_aside_as_a_whole() {
    let (world, bead, place) = crashed("worktree");
    let commit = commit(&world, &place, "committed");
    world.git(&place, ["checkout", "-q", "--detach"]);
    let detached = self::commit(&world, &place, "detached");
    world.write(format!("{place}/work"), "precious");
    world.write(format!("{place}/.git"), "gitdir: /nowhere\n");
    world.in_town(["polecat", "release", "wyvern/Nux"]).fails(1);
    let run = world.in_town(["polecat", "nuke", "wyvern/Nux"]).ok();
    let folder = run.stdout.split("files are kept in ").nth(1).unwrap().split(" (").next().unwrap();
    assert_eq!(std::fs::read_to_string(format!("{folder}/files/work")).unwrap(), "precious");
    assert!(is_kept(&world, &commit) && is_kept(&world, &detached));
    assert_eq!(world.show(&bead)["status"], "open");
    assert!(!world.in_town(["polecat", "list"]).stdout.contains("wyvern/Nux "));
}

#[test]
fn a_sling_that_fails_takes_back_only_what_it_made() {
    let world = World::with_rig();
    world.write("town/wyvern/polecats/Nux/precious", "x");
    let bead = world.bead("Do it", "true");
    let run = world.in_town(["sling", &bead, "wyvern/Nux"]).fails(1);
    assert!(run.stderr.contains("polecats/Nux is there already"), "{run:?}");
    assert_eq!(world.read("town/wyvern/polecats/Nux/precious"), "x");
    assert!(!world.path("town/wyvern/polecats/.names/Nux").exists());
    assert_eq!(world.show(&bead)["status"], "open");
}

#[test]
fn two_bearers_of_a_name_without_an_instance_keep_both_their_works() {
    let world = World::with_rig();
    let place = "town/wyvern/polecats/Max";
    let mut ids = Vec::new();
    for name in ["A", "B"] {
        let branch = format!("polecat/Max-wy-{name}");
        world.git(CLONE, ["worktree", "add", "-q", "-b", &branch, &world.str(place), "origin/main"]);
        ids.push(commit(&world, place, name));
        world.in_town(["polecat", "nuke", "wyvern/Max"]).ok();
    }
    assert!(ids.iter().all(|id| is_kept(&world, id)));
    // What a person commits on a recovered branch stays on it.
    world.in_town(["polecat", "recover", "wyvern/Max"]).ok();
    let branch = "recovered/Max-unknown";
    world.git(CLONE, ["worktree", "add", "-q", &world.str("mine"), branch]);
    let mine = commit(&world, "mine", "more");
    world.in_town(["polecat", "recover", "wyvern/Max"]).ok();
    assert_eq!(world.git(CLONE, ["rev-parse", branch]), mine);
    // An old commit that was kept today is not old.
    world.git(CLONE, ["config", "user.name", "Test"]);
    world.in_town(["gc"]).ok();
    assert!(world.git(CLONE, ["for-each-ref", "refs/gt/recovery/Max/"]).lines().count() == 2);
}

#[test]
fn what_a_clone_or_a_rig_holds_is_asked_of_origin_and_listed() {
    let world = World::with_rig();
    let member = "town/wyvern/crew/ann";
    let stash = |dir: &str| {
        world.write(format!("{dir}/README.md"), "stashed");
        world.git(dir, ["stash", "-q"]);
    };
    type Spoil<'a> = (&'a str, Box<dyn Fn() + 'a>, &'a str);
    let spoils: Vec<Spoil<'_>> = vec![
        (
            "a local tag",
            Box::new(|| {
                commit(&world, member, "week");
                world.git(member, ["tag", "v1"]);
            }),
            "main",
        ),
        (
            "a tag's own words",
            Box::new(|| {
                world.git(member, ["tag", "-a", "-m", "x", "v1"]);
            }),
            "v1",
        ),
        (
            "a stale tracking ref",
            Box::new(|| {
                world.git(member, ["checkout", "-q", "-b", "feature"]);
                commit(&world, member, "week");
                world.git(member, ["push", "-q", "origin", "feature"]);
                world.git("origin.git", ["branch", "-D", "feature"]);
            }),
            "feature",
        ),
        ("a stash", Box::new(|| stash(member)), "stash"),
        (
            "a reset",
            Box::new(|| {
                commit(&world, member, "week");
                world.git(member, ["reset", "-q", "--hard", "HEAD~1"]);
            }),
            "reflog",
        ),
        (
            "an ignored file",
            Box::new(|| {
                world.write(format!("{member}/.git/info/exclude"), "secret.env\n");
                world.write(format!("{member}/secret.env"), "x");
            }),
            "secret.env",
        ),
        (
            "a repository inside",
            Box::new(|| {
                world.write(format!("{member}/.git/info/exclude"), "sub\n");
                world.git("", ["init", "-q", &world.str(format!("{member}/sub"))]);
                commit(&world, &format!("{member}/sub"), "n");
            }),
            "sub: not at origin",
        ),
    ];
    for (what, spoil, said) in spoils {
        world.in_town(["crew", "add", "ann", "--rig", "wyvern"]).ok();
        spoil();
        for words in [["crew", "remove", "ann", "--rig", "wyvern"].as_slice(), &["rig", "remove", "wyvern"]] {
            let run = world.in_town(words).fails(1);
            assert!(run.stderr.contains(said), "{what}: {run:?}");
        }
        let run = world.in_town(["crew", "remove", "ann", "--rig", "wyvern", "--force"]).ok();
        let kept = run.stderr.split("its clone is kept as ").nth(1).unwrap().trim().to_string();
        assert!(std::path::Path::new(&kept).join(".git").is_dir(), "{what}: {run:?}");
        std::fs::remove_dir_all(world.path("town/wyvern/crew/.kept")).unwrap();
    }
    world.write("town/wyvern/notes.txt", "mine");
    let run = world.in_town(["rig", "remove", "wyvern"]).fails(1);
    assert!(run.stderr.contains("wyvern/notes.txt: not made by gt"), "{run:?}");
    std::fs::rename(world.path("origin.git"), world.path("away.git")).unwrap();
    let run = world.in_town(["rig", "remove", "wyvern"]).fails(1);
    assert!(run.stderr.contains("cannot read"), "{run:?}");
    let run = world.in_town(["rig", "remove", "wyvern", "--force"]).ok();
    let kept = run.stderr.split("its folder is kept as ").nth(1).unwrap().trim().to_string();
    assert_eq!(std::fs::read_to_string(format!("{kept}/notes.txt")).unwrap(), "mine");
}

/// Slings a bead and merges what is made of it.
fn merged(world: &World, script: &str) {
    let bead = world.bead("Do it", script);
    world.in_town(["sling", &bead, "wyvern/Nux"]).ok();
    wait_for("the request", || world.show(&bead).to_string().contains("gt:submitted").then_some(()));
    world.in_town(["refinery", "process", "wyvern"]).ok();
    assert!(world.show(&bead)["close_reason"].as_str().unwrap_or_default().starts_with("merged"));
    wait_for("the end of the polecat", || {
        world.in_town(["witness", "patrol", "wyvern"]).ok();
        (!world.path("town/wyvern/polecats/.names/Nux").exists()).then_some(())
    });
}

#[test]
fn a_rig_that_was_used_is_removed_and_only_a_persons_file_stops_it() {
    for strategy in ["merge", "squash", "rebase"] {
        let world = World::with_rig();
        world.set("GASTOWN_MERGE__STRATEGY", strategy);
        world.in_town(["crew", "add", "ann", "--rig", "wyvern"]).ok();
        merged(&world, "echo one > one; git add one; git commit -q -m one; echo two > two");
        let dir = "town/wyvern/witness";
        world.set("GT_ADDRESS", "wyvern/witness");
        world.gt_in(dir, ["handoff", "-m", "go on"]).ok();
        world.unset("GT_ADDRESS");
        world.in_town(["doctor", "--fix"]).ok();
        if strategy == "merge" {
            world.in_town(["gc"]).ok();
            world.write("town/wyvern/witness/notes.lock", "mine");
            let run = world.in_town(["rig", "remove", "wyvern"]).fails(1);
            let said = "wyvern/witness/notes.lock: not made by gt\n\
                        gt: cannot remove rig wyvern: 1 file would be lost\n\
                        hint: move the files away, or commit and push them; \
                        or move its folder to mayor/removed: gt rig remove wyvern --force\n";
            assert_eq!(run.stderr, said);
            std::fs::remove_file(world.path("town/wyvern/witness/notes.lock")).unwrap();
        }
        let run = world.in_town(["rig", "remove", "wyvern"]);
        assert!(run.code == Some(0) && !world.path("town/wyvern").exists(), "{strategy}: {run:?}");
    }
}

#[test]
fn what_origin_has_is_not_lost_though_its_newer_tip_is_not_here() {
    let world = World::with_rig();
    let member = "town/wyvern/crew/ann";
    world.in_town(["crew", "add", "ann", "--rig", "wyvern"]).ok();
    let pushed = commit(&world, member, "pushed");
    world.git(member, ["push", "-q", "origin", "main"]);
    world.git("", ["clone", "-q", &world.str("origin.git"), "other"]);
    commit(&world, "other", "newer");
    world.git("other", ["push", "-q", "origin", "main"]);
    let lost = commit(&world, member, "mine");
    let refs = || world.git(member, ["for-each-ref"]);
    let before = refs();
    world.count_calls(&["git"]);
    for words in [["crew", "remove", "ann", "--rig", "wyvern"].as_slice(), &["rig", "remove", "wyvern"]] {
        let run = world.in_town(words).fails(1);
        assert!(run.stderr.contains(&format!("not at origin: main {} mine", &lost[..10])), "{run:?}");
        assert!(!run.stderr.contains(&pushed[..10]), "{run:?}");
        assert!(run.stderr.contains(": 1 commit would be lost\nhint: push the commits"), "{run:?}");
    }
    assert_eq!(refs(), before);
    world.git(member, ["push", "-q", "origin", "HEAD:refs/heads/mine"]);
    world.git("other", ["fetch", "-q"]);
    world.git("other", ["checkout", "-q", "mine"]);
    commit(&world, "other", "newest");
    world.git("other", ["push", "-q", "origin", "mine"]);
    world.calls("git");
    world.in_town(["crew", "remove", "ann", "--rig", "wyvern"]).ok();
    let calls = world.calls("git");
    assert!(calls.len() <= 8, "{calls:#?}");
    world.in_town(["rig", "remove", "wyvern"]).ok();
    let calls = world.calls("git");
    assert!(calls.len() <= 12, "{calls:#?}");
}

#[test]
fn every_attempt_at_a_bead_is_found_by_the_bead() {
    let (world, bead, place) = crashed("worktree");
    let mut attempts = vec![commit(&world, &place, "first")];
    world.in_town(["unsling", &bead]).ok();
    world.in_town(["sling", &bead, "wyvern/Toast"]).ok();
    wait_for("the crash", || world.in_town(["polecats", "wyvern"]).stdout.contains("crashed").then_some(()));
    attempts.push(commit(&world, "town/wyvern/polecats/Toast", "second"));
    world.in_town(["polecat", "release", "wyvern/Toast"]).ok();
    let found = || {
        world.in_town(["polecat", "recover", &bead]).ok();
        world.git(CLONE, ["for-each-ref", "--format=%(objectname)", "refs/heads/recovered"])
    };
    let recovered = found();
    assert!(attempts.iter().all(|one| recovered.contains(one)), "{attempts:?}: {recovered}");
    // `--resume` goes on from the last one.
    world.in_town(["sling", &bead, "wyvern/Slit", "--resume"]).ok();
    let base = world.git("town/wyvern/polecats/Slit", ["merge-base", "HEAD", &attempts[1]]);
    assert_eq!(base, attempts[1]);
}
