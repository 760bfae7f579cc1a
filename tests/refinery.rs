//! The merge queue against real git.

use std::path::Path;

use gastown::beads::{self, Bead, Change, Filter, NewBead, Patch, Store, Written};
use gastown::work::request::Request;

use crate::common::{Run, World};

/// Work that was handed over.
pub struct Handed {
    pub bead: String,
    pub request: String,
    pub commit: String,
    pub branch: String,
}

/// The rig's store.
pub fn store(world: &World) -> Box<dyn Store> {
    let place = beads::Place {
        dir: world.path("town/wyvern/.beads"),
        prefix: "wy".into(),
        choice: beads::Choice::Embedded,
        actor: "overseer".into(),
    };
    beads::open(&place).unwrap()
}

pub fn write(world: &World, changes: &[Change]) -> Vec<String> {
    match store(world).write(&[], changes).unwrap() {
        Written::Done(ids) => ids,
        refused => panic!("{refused:?}"),
    }
}

/// One bead of the rig, whatever its state.
pub fn bead(world: &World, id: &str) -> Bead {
    store(world).list(&Filter { ids: vec![id.into()], ..Filter::default() }).unwrap().remove(0)
}

/// A world with the rig, and a test command that is red while a file named `BAD*` exists, and counts its runs.
pub fn world() -> World {
    let world = World::with_rig();
    merge(&world, "test_command", "echo run >> \"$HOME/runs\"; ! ls BAD* 2>/dev/null");
    world
}

/// Sets one key of `merge` in the rig's configuration.
pub fn merge(world: &World, key: &str, value: impl Into<serde_json::Value>) {
    let path = "town/wyvern/config.json";
    let mut config: serde_json::Value = serde_json::from_str(&world.read(path)).unwrap();
    config["merge"][key] = value.into();
    world.write(path, serde_json::to_string(&config).unwrap());
}

pub fn runs(world: &World) -> usize {
    std::fs::read_to_string(world.path("home/runs")).unwrap_or_default().lines().count()
}

/// A polecat's work on a bead of its own, from the origin's main: these files, pushed or only in the canonical clone,
/// and a request for it.
pub fn hand_over(world: &World, name: &str, title: &str, files: &[(&str, &str)], pushed: bool) -> Handed {
    let new = NewBead { title: title.into(), ..NewBead::default() };
    let id = write(world, &[Change::Create(Box::new(new))]).remove(0);
    let branch = format!("polecat/{name}-{id}");
    let commit = commit(world, &branch, title, files, pushed);
    let request = request(world, name, &id, title, &branch, &commit);
    Handed { bead: id, request, commit, branch }
}

/// A request for a commit, and the bead "submitted".
pub fn request(world: &World, name: &str, bead: &str, title: &str, branch: &str, commit: &str) -> String {
    let request = Request {
        rig: "wyvern".into(),
        branch: branch.into(),
        commit: commit.into(),
        target: "main".into(),
        bead: bead.into(),
        worker: format!("wyvern/{name}"),
        instance: format!("{name:0<16}").to_lowercase(),
        created: gastown::time::now(),
        attempt: 1,
        priority: 2,
        title: title.into(),
        ..Request::default()
    };
    let submitted = Patch {
        status: Some("in_progress".into()),
        assignee: Some(Some(format!("wyvern/{name}"))),
        add_labels: vec!["gt:submitted".into()],
        ..Patch::default()
    };
    let changes =
        [Change::Create(Box::new(request.to_bead())), Change::Update(bead.into(), Box::new(submitted))];
    write(world, &changes).remove(0)
}

/// A commit on a branch that starts at the origin's main (or goes on where it is).
pub fn commit(world: &World, branch: &str, title: &str, files: &[(&str, &str)], pushed: bool) -> String {
    let clone = if pushed { "author" } else { "town/wyvern/mayor/rig" };
    if !world.path(clone).exists() {
        world.git("", ["clone", "-q", "origin.git", "author"]);
    }
    world.git(clone, ["fetch", "-q", "origin"]);
    let place = format!("tree-{}", branch.replace('/', "-"));
    let known = world.run("git", clone, ["rev-parse", "-q", "--verify", branch]).code == Some(0);
    let path = world.str(&place);
    if known {
        world.git(clone, ["worktree", "add", "-q", &path, branch]);
    } else {
        world.git(clone, ["worktree", "add", "-q", "--no-track", "-b", branch, &path, "origin/main"]);
    }
    for (file, text) in files {
        world.write(Path::new(&place).join(file), text);
    }
    world.git(&place, ["add", "-A"]);
    world.git(&place, ["commit", "-q", "--allow-empty", "-m", title]);
    if pushed {
        world.git(&place, ["push", "-q", "origin", branch]);
    }
    let commit = world.git(&place, ["rev-parse", "HEAD"]);
    world.git(clone, ["worktree", "remove", "-f", &path]);
    commit
}

pub fn process(world: &World) -> Run {
    world.in_town(["refinery", "process", "wyvern"])
}

/// What lies on the origin's main.
pub fn on_main(world: &World, file: &str) -> Option<String> {
    let run = world.run("git", "origin.git", ["show", &format!("main:{file}")]);
    (run.code == Some(0)).then_some(run.stdout)
}

pub fn is_merged(world: &World, handed: &Handed) -> bool {
    let bead = bead(world, &handed.bead);
    bead.is_closed() && bead.close_reason.starts_with("merged: ")
}

/// What must hold whenever no command runs: every commit handed over is reachable from a branch of the origin or from a
/// ref of the canonical clone; nothing red is on main; a merged bead's commit is on main; nothing temporary is left.
pub fn laws(world: &World, all: &[&Handed]) {
    let reachable = |clone: &str, commit: &str| {
        let refs = world.run("git", clone, ["for-each-ref", "--contains", commit, "--format=%(refname)"]);
        refs.code == Some(0) && !refs.stdout.trim().is_empty()
    };
    for handed in all {
        let kept =
            reachable("origin.git", &handed.commit) || reachable("town/wyvern/mayor/rig", &handed.commit);
        assert!(kept, "{} of {} is on no ref", handed.commit, handed.bead);
        let bead = bead(world, &handed.bead);
        if let Some(commit) = bead.close_reason.strip_prefix("merged: ") {
            world.git("origin.git", ["merge-base", "--is-ancestor", commit, "main"]);
            assert!(!bead.has_label("gt:submitted"));
        }
    }
    for commit in world.git("origin.git", ["rev-list", "--first-parent", "main"]).lines() {
        let files = world.git("origin.git", ["ls-tree", "-r", "--name-only", commit]);
        assert!(!files.contains("BAD") && !files.contains("<<<<"), "{commit}: {files}");
    }
}

/// What must hold once a queue is done.
pub fn settled(world: &World, all: &[&Handed]) {
    laws(world, all);
    for handed in all {
        assert!(bead(world, &handed.request).is_closed(), "{} is still open", handed.request);
        let branch = format!("refs/heads/{}", handed.branch);
        assert_eq!(world.git("origin.git", ["for-each-ref", &branch]), "");
    }
    assert!(!world.path("town/wyvern/refinery/bench").exists());
    assert_eq!(world.git("town/wyvern/refinery/rig", ["for-each-ref", "refs/gt/landing"]), "");
    let worktrees = world.git("town/wyvern/refinery/rig", ["worktree", "list"]);
    assert_eq!(worktrees.lines().count(), 1, "{worktrees}");
}

#[test]
fn a_green_batch_lands_with_one_test_and_one_push() {
    let world = world();
    let one = hand_over(&world, "Nux", "Add a", &[("a", "1\n")], true);
    let two = hand_over(&world, "Toast", "Odd \"$(touch /tmp/x)\"; `b` 🎉", &[("b", "2\n")], false);
    world.count_calls(&["git"]);
    let run = process(&world).ok();
    let pushes = world.calls("git").iter().filter(|call| call.contains("push --porcelain")).count();
    assert_eq!((pushes, runs(&world)), (1, 1));
    assert_eq!(
        (on_main(&world, "a").as_deref(), on_main(&world, "b").as_deref()),
        (Some("1\n"), Some("2\n"))
    );
    assert!(is_merged(&world, &one) && is_merged(&world, &two));
    settled(&world, &[&one, &two]);
    assert!(run.stdout.starts_with(&format!("merged     {}", one.bead)), "{}", run.stdout);
    let log = world.git("origin.git", ["log", "--first-parent", "-1", "--format=%B%an", "main"]);
    let wanted = format!(
        "Odd \"$(touch /tmp/x)\"; `b` 🎉 ({})\n\nBead: {}\nBranch: {}\nWorker: wyvern/Toast\nwyvern/refinery",
        two.bead, two.bead, two.branch
    );
    assert_eq!(log, wanted);
    let again = process(&world).ok();
    assert_eq!(again.stdout, "wyvern: nothing waits to be merged\n");
    assert_eq!(runs(&world), 1);
}
