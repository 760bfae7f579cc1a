//! The merge queue against real git.

use std::path::Path;

use gastown::base::proof::Secret;
use gastown::beads::request::Request;
use gastown::beads::{self, Change, Filter, Store, Written, proven};
use gastown::model::bead::{Bead, NewBead, Patch};

use crate::common::{Run, World, steps};

/// Work that was handed over.
pub struct Handed {
    pub bead: String,
    pub request: String,
    pub commit: String,
    pub branch: String,
}

/// The rig's store.
pub fn store(world: &World) -> Box<dyn Store> {
    let place = beads::StorePlace {
        dir: world.path("town/wyvern/.beads"),
        prefix: "wy".into(),
        prefixes: Vec::new(),
        choice: gastown::config::schema::StoreChoice::Embedded,
        actor: "overseer".into(),
        secret: Some(secret(world)),
    };
    beads::open(&place).unwrap()
}

fn secret(world: &World) -> Secret {
    gastown::town::secret::of(&world.path("town")).unwrap()
}

/// Changes what a request says, as the town itself would.
fn say(world: &World, request: &str, key: &str, value: &str) {
    let mut patch = Patch::default();
    let mut metadata = bead(world, request).metadata;
    metadata.insert(key.into(), value.into());
    patch.metadata.insert(key.into(), value.into());
    patch.metadata.insert("proof".into(), proven::of(&secret(world), request, &metadata).into());
    write(world, &[Change::Update(request.into(), Box::new(patch))]);
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
    let branch = world.branch(name, &id);
    let commit = commit(world, &branch, title, files, pushed);
    let request = request(world, name, &id, title, &branch, &commit);
    Handed { bead: id, request, commit, branch }
}

/// A request for a commit, and the bead "submitted".
pub fn request(world: &World, name: &str, bead: &str, title: &str, branch: &str, commit: &str) -> String {
    let request = Request {
        id: beads::random_id("wy"),
        rig: "wyvern".into(),
        branch: branch.into(),
        commit: commit.into(),
        target: "main".into(),
        bead: bead.parse().unwrap(),
        worker: format!("wyvern/{name}"),
        instance: format!("{name:0<16}").to_lowercase().parse().unwrap(),
        created: gastown::base::time::now(),
        attempt: 1,
        priority: 2,
        title: title.into(),
        letter: String::new(),
    };
    let submitted = Patch {
        status: Some("in_progress".into()),
        assignee: Some(Some(format!("wyvern/{name}"))),
        add_labels: vec!["gt:submitted".into()],
        ..Patch::default()
    };
    let changes = [
        Change::Create(Box::new(request.to_bead(&secret(world)))),
        Change::Update(bead.into(), Box::new(submitted)),
    ];
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

#[test]
fn a_red_one_is_set_aside_and_the_rest_lands() {
    let world = world();
    let good = hand_over(&world, "Nux", "Good", &[("a", "1\n")], true);
    let bad = hand_over(&world, "Toast", "Bad", &[("BAD", "1\n")], true);
    let local = hand_over(&world, "Slit", "Bad too", &[("BAD2", "1\n")], false);
    let last = hand_over(&world, "Ace", "Good too", &[("b", "1\n")], false);
    let run = process(&world).ok();
    let all = [&good, &bad, &local, &last];
    settled(&world, &all);
    assert!(is_merged(&world, &good) && is_merged(&world, &last));
    for (handed, name) in [(&bad, "Toast"), (&local, "Slit")] {
        let bead = bead(&world, &handed.bead);
        assert_eq!((bead.status.as_str(), bead.assignee.as_deref()), ("open", None));
        assert_eq!(bead.labels, ["gt:rework"]);
        let kept = bead.meta("recovery").unwrap().to_string();
        assert_eq!(world.git("town/wyvern/mayor/rig", ["rev-parse", &kept]), handed.commit);
        let said = &bead.comments.last().unwrap().text;
        assert!(said.contains("red: the test command ended with 1") && said.contains("BAD"), "{said}");
        let inbox = world.gt_in("town/wyvern", ["bd", "list", "--type", "message", "--json"]).ok().json();
        let mail =
            inbox.as_array().unwrap().iter().filter(|mail| mail["assignee"] == format!("wyvern/{name}"));
        assert_eq!(mail.count(), 0);
    }
    // No Mayor runs.
    let told = world.in_town(["bd", "list", "--type", "message", "--json"]).ok().json();
    assert_eq!(told.as_array().unwrap().iter().filter(|mail| mail["assignee"] == "overseer").count(), 2);
    assert!(run.stdout.contains("set aside"), "{}", run.stdout);
}

#[test]
fn twenty_with_one_red_take_no_more_runs_than_halving_needs() {
    for size in [5, 20] {
        let world = world();
        merge(&world, "batch_size", size);
        let mut all = Vec::new();
        for number in 0..20 {
            let file = if number == 13 { "BAD".to_string() } else { format!("f{number}") };
            let title = format!("Work {number}");
            all.push(hand_over(&world, &format!("P{number}"), &title, &[(&file, "x\n")], true));
        }
        process(&world).ok();
        assert!(runs(&world) <= 1 + 2 * 5, "{} runs in batches of {size}", runs(&world));
        assert_eq!(all.iter().filter(|handed| is_merged(&world, handed)).count(), 19);
        settled(&world, &all.iter().collect::<Vec<_>>());
    }
}

#[test]
fn a_conflict_is_set_aside_with_its_files_and_only_against_what_lands() {
    for strategy in ["merge", "rebase", "squash"] {
        let world = world();
        merge(&world, "strategy", strategy);
        let bad = hand_over(&world, "Nux", "Red", &[("README.md", "one\n"), ("BAD", "")], true);
        // In conflict with the red one, which never lands: no fault of its own.
        let fine = hand_over(&world, "Toast", "Fine", &[("README.md", "two\n")], true);
        let late = hand_over(&world, "Slit", "Late", &[("README.md", "three\n"), ("c", "")], true);
        let free = hand_over(&world, "Ace", "Free", &[("d", "")], true);
        process(&world).ok();
        settled(&world, &[&bad, &fine, &late, &free]);
        assert_eq!(on_main(&world, "README.md").as_deref(), Some("two\n"), "{strategy}");
        assert!(is_merged(&world, &fine) && is_merged(&world, &free));
        let aside = bead(&world, &late.request);
        assert_eq!(aside.close_reason, "conflict: README.md");
        assert!(bead(&world, &late.bead).has_label("gt:rework"));
        let merges = world.git("origin.git", ["rev-list", "--merges", "--count", "main"]);
        assert_eq!(merges, if strategy == "merge" { "2" } else { "0" });
        if strategy != "merge" {
            let author = world.git("origin.git", ["log", "-1", "--format=%an/%cn", "main"]);
            assert_eq!(author, "Test/wyvern/refinery");
        }
    }
}

#[test]
fn a_push_that_lost_the_race_begins_again_from_what_won() {
    let world = world();
    let one = hand_over(&world, "Nux", "Mine", &[("a", "1\n")], true);
    // The tests are the moment in which somebody else pushes.
    commit(&world, "other", "Theirs", &[("theirs", "x\n")], true);
    let flag = world.str("raced");
    let origin = world.str("origin.git");
    let command = format!(
        "[ -f {flag} ] || {{ touch {flag}; git -C {origin} update-ref refs/heads/main refs/heads/other; }}; ls theirs || true"
    );
    merge(&world, "test_command", command);
    let run = process(&world).ok();
    assert!(run.stderr.contains("moved meanwhile"), "{}", run.stderr);
    assert!(on_main(&world, "a").is_some() && on_main(&world, "theirs").is_some());
    settled(&world, &[&one]);
}

#[test]
fn a_race_inside_the_server_is_a_race_too() {
    let world = world();
    let one = hand_over(&world, "Nux", "Mine", &[("a", "1\n")], true);
    commit(&world, "other", "Theirs", &[("theirs", "x\n")], true);
    let flag = world.str("raced");
    let hook = format!(
        "#!/bin/sh\n[ \"$1\" = refs/heads/main ] && [ ! -f {flag} ] && touch {flag} && git update-ref refs/heads/main refs/heads/other\nexit 0\n"
    );
    world.program("hook", &hook);
    std::fs::copy(world.path("bin/hook"), world.path("origin.git/hooks/update")).unwrap();
    process(&world).ok();
    assert!(on_main(&world, "a").is_some() && on_main(&world, "theirs").is_some());
    settled(&world, &[&one]);
}

#[test]
fn a_server_that_refuses_leaves_everything_queued() {
    let world = world();
    let good = hand_over(&world, "Nux", "Good", &[("a", "1\n")], true);
    let bad = hand_over(&world, "Toast", "Bad", &[("BAD", "1\n")], true);
    world.program("hook", "#!/bin/sh\necho 'two reviews first' >&2\nexit 1\n");
    std::fs::copy(world.path("bin/hook"), world.path("origin.git/hooks/pre-receive")).unwrap();
    let run = process(&world).fails(1);
    assert!(run.stderr.contains("the server refused the push to main"), "{}", run.stderr);
    assert!(run.stderr.contains("two reviews first") && run.stderr.contains("hint:"), "{}", run.stderr);
    for handed in [&good, &bad] {
        assert_eq!(bead(&world, &handed.request).status, "open");
        assert_eq!(bead(&world, &handed.bead).status, "in_progress");
    }
    std::fs::remove_file(world.path("origin.git/hooks/pre-receive")).unwrap();
    process(&world).ok();
    settled(&world, &[&good, &bad]);
    assert!(is_merged(&world, &good) && !is_merged(&world, &bad));
}

#[test]
fn a_server_that_keeps_branches_still_takes_the_work() {
    let world = world();
    let one = hand_over(&world, "Nux", "Good", &[("a", "1\n")], true);
    world.git("origin.git", ["config", "receive.denyDeletes", "true"]);
    let run = process(&world).ok();
    assert!(is_merged(&world, &one) && on_main(&world, "a").is_some());
    assert!(run.stdout.contains("stays at origin"), "{}", run.stdout);
    laws(&world, &[&one]);
}

#[test]
fn tests_that_could_not_run_stop_the_queue() {
    let world = world();
    let one = hand_over(&world, "Nux", "Good", &[("a", "1\n")], true);
    for (command, timeout, said) in [
        (serde_json::json!("no-such-program-gt"), "30m", "ended with 127"),
        (serde_json::json!(["no-such-program-gt"]), "30m", "is not installed"),
        (serde_json::json!("kill -9 $$"), "30m", "signal 9"),
        (serde_json::json!("echo waiting; sleep 600 & sleep 600"), "1s", "took longer than 1s"),
        (serde_json::json!("exit 75"), "30m", "ended with 75"),
    ] {
        merge(&world, "test_command", command);
        merge(&world, "timeout", timeout);
        merge(&world, "cannot_run", vec![75, 126, 127]);
        let run = process(&world).fails(1);
        assert!(
            run.stderr.contains("could not run the tests") && run.stderr.contains(said),
            "{}",
            run.stderr
        );
        assert_eq!(bead(&world, &one.request).status, "open");
        assert!(on_main(&world, "a").is_none());
        laws(&world, &[&one]);
    }
}

#[test]
fn a_test_run_gets_the_variables_of_its_list_and_no_other() {
    let world = world();
    hand_over(&world, "Nux", "Good", &[("a", "1\n")], true);
    let secrets =
        ["SSH_AUTH_SOCK", "GITHUB_TOKEN", "GIT_DIR", "GT_ROLE", "GT_ADDRESS", "GASTOWN_MERGE__RETRIES"];
    for (name, value) in
        secrets.iter().zip(["/sock", "t0ken", "/nowhere", "refinery", "wyvern/refinery", "0"])
    {
        world.set(name, value);
    }
    world.set("CARGO_HOME", "/cargo");
    world.set("DATABASE_URL", "db");
    merge(&world, "test_env", vec!["...", "DATABASE_URL", "CI=yes"]);
    merge(&world, "test_command", "env | cut -d= -f1 | sort > \"$HOME/names\"; env > \"$HOME/env\"");
    let path = "town/wyvern/config.json";
    let mut config: serde_json::Value = serde_json::from_str(&world.read(path)).unwrap();
    config["worktree"]["setup"] = "env > \"$HOME/setup\"".into();
    world.write(path, config.to_string());
    process(&world).ok();
    let (names, env, setup) = (world.read("home/names"), world.read("home/env"), world.read("home/setup"));
    for wanted in ["PATH", "HOME", "LANG", "TERM", "CARGO_HOME", "DATABASE_URL", "CI", "GT_TEST_RUN"] {
        assert!(names.lines().any(|name| name == wanted), "{wanted} is missing:\n{names}");
    }
    assert!(env.contains("CI=yes\n") && setup.contains("CI=yes\n"), "{env}\n{setup}");
    for text in [&env, &setup] {
        for secret in secrets {
            assert!(!text.contains(&format!("{secret}=")), "{text}");
        }
    }
    let shown = world.in_town(["config", "explain", "merge.test_env", "--rig", "wyvern"]).ok().stdout;
    assert!(shown.contains("CARGO_HOME") && shown.contains("DATABASE_URL"), "{shown}");
}

#[test]
fn a_red_run_is_repeated_as_often_as_the_rig_says() {
    let world = world();
    merge(&world, "test_command", "echo run >> \"$HOME/runs\"; test $(wc -l < \"$HOME/runs\") -ge 3");
    merge(&world, "retries", 2);
    let one = hand_over(&world, "Nux", "Flaky", &[("a", "1\n")], true);
    process(&world).ok();
    assert!(is_merged(&world, &one));
    assert_eq!(runs(&world), 3);
}

#[test]
fn a_target_that_is_red_itself_blames_nobody() {
    let world = world();
    let one = hand_over(&world, "Nux", "Good", &[("a", "1\n")], true);
    merge(&world, "test_command", "exit 1");
    let run = process(&world).fails(1);
    assert!(run.stderr.contains("the tests fail on main itself"), "{}", run.stderr);
    assert_eq!(bead(&world, &one.request).status, "open");
    laws(&world, &[&one]);
}

#[test]
fn old_git_merges_in_a_worktree() {
    for strategy in ["merge", "rebase", "squash"] {
        let world = world();
        merge(&world, "strategy", strategy);
        let real = world.run("sh", "", ["-c", "command -v git"]).ok().stdout;
        let one = hand_over(&world, "Nux", "One", &[("README.md", "one\n")], true);
        let two = hand_over(&world, "Toast", "Two", &[("README.md", "two\n")], false);
        let three = hand_over(&world, "Slit", "Three", &[("c", "3\n")], true);
        let script = format!(
            "#!/bin/sh\nfor w in \"$@\"; do case $w in version) echo git version 2.30.2; exit 0;; merge-tree) echo usage >&2; exit 129;; esac; done\nexec {} \"$@\"\n",
            real.trim()
        );
        world.program("git", &script);
        process(&world).ok();
        std::fs::remove_file(world.path("bin/git")).unwrap();
        settled(&world, &[&one, &two, &three]);
        assert!(is_merged(&world, &one) && is_merged(&world, &three) && !is_merged(&world, &two));
        assert_eq!(on_main(&world, "README.md").as_deref(), Some("one\n"));
    }
}

#[test]
fn commits_after_the_request_are_neither_merged_nor_lost() {
    let world = world();
    let one = hand_over(&world, "Nux", "Early", &[("a", "1\n")], true);
    let late = commit(&world, &one.branch, "Late", &[("late", "1\n")], true);
    process(&world).ok();
    assert!(is_merged(&world, &one) && on_main(&world, "a").is_some() && on_main(&world, "late").is_none());
    assert_eq!(world.git("origin.git", ["rev-parse", &one.branch]), late);
    let said = bead(&world, &one.bead).comments.last().unwrap().text.clone();
    assert!(said.contains("never handed over"), "{said}");
}

#[test]
fn a_later_request_for_a_branch_replaces_the_earlier() {
    let world = world();
    let one = hand_over(&world, "Nux", "Again", &[("a", "1\n")], true);
    let later = commit(&world, &one.branch, "Again", &[("b", "1\n")], true);
    let request = request(&world, "Nux", &one.bead, "Again", &one.branch, &later);
    process(&world).ok();
    assert_eq!(bead(&world, &one.request).close_reason, format!("replaced by {request}"));
    assert!(on_main(&world, "b").is_some());
    settled(&world, &[&one]);
}

#[test]
fn what_a_person_holds_waits_and_what_they_merged_is_closed() {
    let world = world();
    let held = hand_over(&world, "Nux", "Held", &[("a", "1\n")], true);
    let done = hand_over(&world, "Toast", "Merged by hand", &[("b", "1\n")], true);
    let closed = hand_over(&world, "Slit", "Closed by its agent", &[("c", "1\n")], true);
    let hold = Patch { add_labels: vec!["gt:hold".into()], ..Patch::default() };
    write(
        &world,
        &[
            Change::Update(held.bead.clone(), Box::new(hold)),
            Change::Close(closed.bead.clone(), "did it".into()),
        ],
    );
    world.git("author", ["fetch", "-q"]);
    world.git("author", ["push", "-q", "origin", &format!("{}:main", done.commit)]);
    let run = process(&world).ok();
    assert!(run.stdout.contains("held by a person"), "{}", run.stdout);
    assert!(is_merged(&world, &done) && is_merged(&world, &closed) && !is_merged(&world, &held));
    assert_eq!(bead(&world, &done.bead).close_reason, format!("merged: {}", done.commit));
    laws(&world, &[&held, &done, &closed]);
    assert_eq!(on_main(&world, "a"), None);
}

#[test]
fn what_cannot_be_merged_at_all_does_not_stop_the_rest() {
    let world = world();
    let good = hand_over(&world, "Nux", "Good", &[("a", "1\n")], true);
    let new = NewBead { title: "Nowhere".into(), ..NewBead::default() };
    let id = write(&world, &[Change::Create(Box::new(new))]).remove(0);
    let gone = request(&world, "Toast", &id, "Nowhere", "polecat/Toast-x", &"c0ffee00".repeat(5));
    world.git("author", ["checkout", "-q", "--orphan", "polecat/Slit-x"]);
    world.git("author", ["commit", "-q", "-m", "no history in common"]);
    world.git("author", ["push", "-q", "origin", "polecat/Slit-x"]);
    let commit = world.git("author", ["rev-parse", "HEAD"]);
    let strange = request(&world, "Slit", &good.bead, "Strange", "polecat/Slit-x", &commit);
    process(&world).ok();
    assert!(is_merged(&world, &good));
    assert!(bead(&world, &gone).close_reason.starts_with("missing"));
    assert!(bead(&world, &strange).close_reason.contains("unrelated histories"));
    assert_eq!(bead(&world, &id).labels, ["gt:rework"]);
}

/// Mails to the Mayor.
fn told(world: &World) -> usize {
    world.in_town(["mail", "inbox", "overseer", "--json"]).ok().json()["messages"].as_array().unwrap().len()
}

#[test]
fn a_target_that_is_gone_stops_only_what_is_for_it_and_is_said_once() {
    let world = world();
    let lost = hand_over(&world, "Nux", "For a release", &[("a", "1\n")], true);
    say(&world, &lost.request, "target", "release");
    let good = hand_over(&world, "Toast", "For main", &[("b", "1\n")], true);
    for _ in 0..2 {
        let run = process(&world);
        assert_eq!(run.code, Some(1), "{run:?}");
        assert!(
            run.stderr.contains("origin of wyvern has no branch release\nhint: push that branch again"),
            "{run:?}"
        );
        assert!(run.stdout.contains(&format!("waits      {}", lost.bead)), "{run:?}");
        assert!(is_merged(&world, &good));
        assert_eq!(told(&world), 1);
    }
    assert!(world.in_town(["mq", "list", "wyvern"]).ok().stdout.contains("stuck  For a release"));
    world.git("author", ["push", "-q", "origin", "origin/main:refs/heads/release"]);
    process(&world).ok();
    assert!(is_merged(&world, &lost));
}

#[test]
fn a_rebase_that_cannot_run_says_why_and_keeps_the_request() {
    let world = world();
    merge(&world, "strategy", "rebase");
    let handed = hand_over(&world, "Nux", "Mine", &[("a", "1\n")], true);
    commit(&world, "others", "Others", &[("b", "1\n")], true);
    world.git("author", ["push", "-q", "origin", "others:main"]);
    let git = |words: &[&str]| world.git("town/wyvern/refinery/rig", words);
    git(&["config", "commit.gpgsign", "true"]);
    git(&["config", "gpg.program", "/bin/false"]);
    for _ in 0..2 {
        let run = process(&world);
        assert_eq!(run.code, Some(1), "{run:?}");
        assert!(run.stderr.contains("gpg failed to sign"), "{run:?}");
        assert!(!bead(&world, &handed.request).is_closed());
        assert_eq!(told(&world), 1);
    }
    git(&["config", "commit.gpgsign", "false"]);
    process(&world).ok();
    assert!(is_merged(&world, &handed));
}

/// What others can do to a store: make a request, change one, copy one under another id or a newer time.
#[test]
fn a_request_without_a_proof_is_shown_and_nothing_that_it_names_is_touched() {
    let world = world();
    let good = hand_over(&world, "Nux", "Good", &[("a", "1\n")], true);
    let changed = hand_over(&world, "Slit", "Changed", &[("b", "1\n")], true);
    let evil = commit(&world, "evil", "Evil", &[("evil", "1\n")], true);
    let update = |id: &str, key: &str, value: &str| {
        let mut patch = Patch::default();
        patch.metadata.insert(key.into(), value.into());
        write(&world, &[Change::Update(id.into(), Box::new(patch))]);
    };
    update(&changed.request, "commit", &evil);
    let copy = |title: &str, change: &[(&str, &str)]| {
        let mut metadata = bead(&world, &good.request).metadata;
        metadata.extend(change.iter().map(|(key, value)| (key.to_string(), (*value).into())));
        let new = NewBead {
            title: title.into(),
            issue_type: "merge-request".into(),
            metadata,
            ..NewBead::default()
        };
        write(&world, &[Change::Create(Box::new(new))]).remove(0)
    };
    let ids = [
        changed.request.clone(),
        copy("Copied", &[]),
        copy("Newer", &[("created", "2036-01-01T00:00:00Z"), ("commit", &evil)]),
        copy("Odd", &[("instance", "../../heads/main"), ("proof", "x")]),
    ];
    let list = world.in_town(["mq", "list", "wyvern"]).ok().stdout;
    assert_eq!(list.matches("foreign  ").count(), 4, "{list}");
    assert!(world.in_town(["mq", "status", "wyvern"]).ok().stdout.contains("1 in the queue"), "{list}");
    assert!(world.in_town(["status"]).ok().stdout.contains("1 waiting, 4 foreign"));
    let run = process(&world).ok();
    assert!(is_merged(&world, &good) && !run.stdout.contains("set aside"), "{run:?}");
    for id in &ids {
        assert!(!bead(&world, id).is_closed(), "{id}");
        let said = world.in_town(["refinery", "merge", id, "--rig", "wyvern"]).fails(1).stderr;
        assert!(
            said.contains(&format!("{id} is foreign")) && said.contains(&format!("gt adopt {id}")),
            "{said}"
        );
        assert!(world.in_town(["mq", "show", id]).ok().stdout.contains("foreign: this town did not make it"));
    }
    // The bead that a foreign request names stays submitted, and its branch at origin stays.
    assert!(bead(&world, &changed.bead).has_label("gt:submitted"));
    for id in &ids {
        let said = world.in_town(["mq", "reject", id, "-r", "no"]).ok().stdout;
        assert!(said.contains("closed; the bead and the branch that it names stay"), "{said}");
        assert!(world.in_town(["mq", "retry", id]).fails(1).stderr.contains("is foreign"));
    }
    assert!(bead(&world, &changed.bead).has_label("gt:submitted"));
    for branch in [&changed.branch, "evil"] {
        world.git("origin.git", ["rev-parse", "--verify", branch]);
    }
    assert_eq!(world.git("origin.git", ["log", "--format=%s", "main", "--", "evil"]), "");
    assert_eq!(told(&world), 0);
}

#[test]
fn a_rejected_request_leaves_a_branch_that_no_polecat_made() {
    let world = world();
    let handed = hand_over(&world, "Nux", "Work", &[("a", "1\n")], true);
    let commit = commit(&world, "release", "Release", &[("b", "1\n")], true);
    let persons = request(&world, "Toast", &handed.bead, "Release", "release", &commit);
    world.in_town(["mq", "reject", &persons, "-r", "no"]).ok();
    world.git("origin.git", ["rev-parse", "--verify", "release"]);
}

#[test]
fn killed_after_any_step_the_same_command_completes() {
    // Each step once; with GT_TEST_ROUNDS every strategy at every step, so many times.
    let rounds: usize = std::env::var("GT_TEST_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let all = || steps("process", 1..=11).into_iter();
    let mut cases: Vec<(&str, String)> = all().map(|step| ("merge", step)).collect();
    cases.push(("squash", "process.5".into()));
    for _ in 0..rounds {
        cases
            .extend(["merge", "rebase", "squash"].iter().flat_map(|how| all().map(move |step| (*how, step))));
    }
    let world = world();
    for (number, (strategy, step)) in cases.into_iter().enumerate() {
        merge(&world, "strategy", strategy);
        let (a, c) = (format!("a{number}"), format!("c{number}"));
        let good = hand_over(&world, "Nux", "Good", &[(&a, "1\n")], true);
        let bad = hand_over(&world, "Toast", "Bad", &[("BAD", "1\n")], true);
        let local = hand_over(&world, "Slit", "Local", &[(&c, "1\n")], false);
        let all = [&good, &bad, &local];
        world.gt_killed(&step, "town", ["refinery", "process", "wyvern"]);
        laws(&world, &all);
        process(&world).ok();
        settled(&world, &all);
        assert!(is_merged(&world, &good) && is_merged(&world, &local), "{step}, {strategy}");
        assert!(bead(&world, &bad.bead).has_label("gt:rework"), "{step}, {strategy}");
        let count = world.git("origin.git", ["rev-list", "--first-parent", "--count", "main"]);
        let wanted = 1 + 2 * (number + 1);
        assert_eq!(count, wanted.to_string(), "{step}, {strategy}: landed twice or not at all");
    }
}

#[test]
fn two_at_once_share_the_queue() {
    let world = world();
    let one = hand_over(&world, "Nux", "One", &[("a", "1\n")], true);
    let two = hand_over(&world, "Toast", "Two", &[("b", "1\n")], true);
    let runs = crate::common::at_once((0..2).map(|_| {
        let mut command = world.command(crate::common::gt(), "town");
        command.args(["refinery", "process", "wyvern"]);
        command
    }));
    assert!(runs.iter().all(|run| run.code == Some(0)), "{runs:?}");
    assert_eq!(self::runs(&world), 1);
    settled(&world, &[&one, &two]);
}

#[test]
fn the_queue_by_hand() {
    let world = world();
    let one = hand_over(&world, "Nux", "First; of \"all\"", &[("shared", "1\n")], true);
    let two = hand_over(&world, "Toast", "Second", &[("shared", "2\n"), ("x", "")], false);
    world.git("town/wyvern/mayor/rig", ["fetch", "-q", "origin"]);
    world.count_calls(&["git", "tmux"]);
    let list = world.in_town(["mq", "list", "wyvern"]).ok().stdout;
    let status = world.in_town(["mq", "status"]).ok().stdout;
    assert_eq!((world.calls("git").len(), world.calls("tmux").len()), (0, 0));
    assert!(list.starts_with(&one.request) && list.contains("First; of \"all\""), "{list}");
    assert!(status.starts_with("wyvern: 2 in the queue"), "{status}");
    let overlap = world.in_town(["mq", "overlap", "wyvern"]).ok().stdout;
    assert_eq!(overlap, format!("{}  {}  shared\n", one.request, two.request));

    let plan = world.in_town(["refinery", "process", "wyvern", "--dry-run"]).ok();
    assert!(plan.stdout.contains("batch 1"), "{}", plan.stdout);
    world.in_town(["mq", "reject", &one.request, "--reason", "not now", "--dry-run"]).ok();
    assert_eq!(bead(&world, &one.request).status, "open");
    world.in_town(["mq", "reject", &one.request, "--reason", "not now"]).ok();
    assert_eq!(bead(&world, &one.request).close_reason, "rejected by overseer: not now");
    assert!(bead(&world, &one.bead).has_label("gt:rework"));
    world.in_town(["mq", "reject", &one.request]).fails(1);

    world.in_town(["mq", "retry", &one.request]).ok();
    world.in_town(["mq", "retry", &one.request]).fails(1);
    assert_eq!(bead(&world, &one.bead).labels, ["gt:submitted"]);
    let shown = world.in_town(["mq", "show", &one.request, "--json"]).ok().json();
    assert_eq!(shown["request"]["branch"], one.branch);
    world.in_town(["mq", "show", "wy-none"]).fails(1);
    let by_bead = world.in_town(["mq", "show", &one.bead, "--json"]).ok().json();
    assert_eq!(by_bead["request"]["id"], one.request.as_str());

    world.in_town(["refinery", "merge", &format!("polecat-{}", two.bead)]).ok();
    assert!(is_merged(&world, &two) && !is_merged(&world, &one));
    world.in_town(["refinery", "merge", "nobody"]).fails(1);
    let report = world.in_town(["refinery", "merge", "wyvern/Nux", "--json"]).ok().json();
    assert_eq!(report["processed"]["set_aside"][0]["why"], "conflict");
    let state: serde_json::Value =
        serde_json::from_str(&world.read("town/wyvern/refinery/state.json")).unwrap();
    assert_eq!(state["awake"], false);
    assert!(state["last_wake"].is_string() && state["last_sleep"].is_string());
}

#[test]
fn what_is_being_merged_and_what_came_of_the_last_run_is_told() {
    let world = world();
    merge(
        &world,
        "test_command",
        "n=0; while [ ! -e \"$HOME/go-on\" ] && [ $((n += 1)) -lt 400 ]; do sleep 0.05; done",
    );
    let one = hand_over(&world, "Nux", "One", &[("one", "1")], true);
    let status = || world.in_town(["mq", "status", "wyvern"]).ok().stdout;
    std::thread::scope(|scope| {
        let mut command = world.command(crate::common::gt(), "town");
        command.args(["refinery", "process", "wyvern"]);
        let running = scope.spawn(move || crate::common::finish(&mut command).ok());
        let now = format!("  now: testing {} on main, for ", one.bead);
        let mut said = String::new();
        while !said.contains(&now) && !running.is_finished() {
            said = status();
        }
        world.write("home/go-on", "");
        running.join().unwrap();
        assert!(said.contains(&now), "{said}");
    });
    let after = status();
    assert!(after.contains("  last: 1 merged, 0 set aside, ") && !after.contains("now:"), "{after}");
    // Nothing to do is no news.
    process(&world).ok();
    assert!(status().contains("  last: 1 merged, 0 set aside, "));
}
