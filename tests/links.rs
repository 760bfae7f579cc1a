//! Repositories inside a worktree: what is handed over and merged names only commits that can be fetched.

use crate::common::{WAITS, World, wait_for};

/// A rig whose project has the submodule `vendor/lib`; its polecats run `agent`.
fn world(agent: &str, worktree: serde_json::Value) -> World {
    let world = World::new();
    world.origin("lib.git", &[("lib.txt", "one\n")]);
    world.origin("origin.git", &[("README.md", "# wyvern\n")]);
    world.git("", ["clone", "-q", "origin.git", "dev"]);
    world.git("dev", ["submodule", "--quiet", "add", &world.str("lib.git"), "vendor/lib"]);
    world.git("dev", ["commit", "-q", "-m", "a library"]);
    world.git("dev", ["push", "-q", "origin", "main"]);
    world.settings(WAITS);
    world.set("GASTOWN_POLECAT__AGENT", agent);
    world.gt(["install", "town"]).ok();
    world.in_town(["rig", "add", "wyvern", &world.str("origin.git"), "--prefix", "wy", "--trust"]).ok();
    let config = "town/wyvern/config.json";
    let mut json: serde_json::Value = serde_json::from_str(&world.read(config)).unwrap();
    json["worktree"] = worktree;
    world.write(config, json.to_string());
    world
}

/// A polecat on a new bead: the bead and the worktree.
fn polecat(world: &World) -> (String, String) {
    let bead = world.bead("Fix it", "true");
    world.in_town(["sling", &bead, "wyvern"]).ok();
    let place = format!("town/wyvern/polecats/{}", world.polecat_of(&bead));
    (bead, place)
}

/// Commits in the submodule, then the new link to it; gives the submodule's commit.
fn change(world: &World, place: &str, text: &str) -> String {
    let lib = format!("{place}/vendor/lib");
    world.write(format!("{lib}/lib.txt"), text);
    world.git(&lib, ["commit", "-q", "-a", "-m", "library"]);
    world.git(place, ["commit", "-q", "-a", "-m", "use it"]);
    world.git(&lib, ["rev-parse", "HEAD"])
}

/// Consents to the one request there is, which moves a submodule, and merges it.
fn approve_and_process(world: &World) {
    world.in_town(["refinery", "process", "wyvern"]).ok();
    let queue = world.in_town(["mq", "list", "--json"]).ok().json();
    let request = queue["requests"][0]["id"].as_str().unwrap_or_else(|| panic!("{queue:#}"));
    let shown = world.in_town(["mq", "approve", request]).ok();
    assert!(shown.stdout.contains("it changes agent settings: vendor/lib\n"), "{shown:#?}");
    world.in_town(["refinery", "process", "wyvern"]).ok();
}

fn named_by_main(world: &World) -> String {
    world.git("origin.git", ["rev-parse", "main:vendor/lib"])
}

#[test]
fn a_submodules_commit_that_is_nowhere_is_not_handed_over_and_its_remedy_helps() {
    let world = world("waits", serde_json::json!({ "submodules": true }));
    let (bead, place) = polecat(&world);
    let first = change(&world, &place, "two\n");
    let commit = change(&world, &place, "three\n");
    for words in [vec!["done", "--dry-run"], vec!["done"]] {
        let run = world.gt_in(&place, words).fails(1);
        assert!(
            run.stderr.contains(&format!("vendor/lib is to stand at {commit}, which is not at ")),
            "{run:#?}"
        );
        assert!(run.stderr.contains(&first), "the commit between counts too: {run:#?}");
    }
    // Known in the submodule, and gone at its origin: what was seen earlier does not count.
    let lib = format!("{place}/vendor/lib");
    world.git(&lib, ["push", "-q", "origin", "HEAD:refs/heads/fix"]);
    world.git(&lib, ["fetch", "-q", "origin"]);
    world.git("lib.git", ["branch", "-q", "-D", "fix"]);
    world.gt_in(&place, ["done"]).fails(1);
    let run = world.gt_in(&place, ["done", "--json"]).fails(1);
    assert!(run.stderr.contains("push it: git -C vendor/lib push origin"), "{run:#?}");
    // The remedy, as it stands there; of two commits one is reached by the other's branch.
    world.git(&place, ["-C", "vendor/lib", "push", "-q", "origin", &format!("{commit}:refs/heads/fix")]);
    world.gt_in(&place, ["done"]).ok();

    // Gone between hand-over and merge: set aside. Not to be asked: it stays in the queue.
    world.git("", ["clone", "-q", "--bare", "lib.git", "lib.kept"]);
    std::fs::rename(world.path("lib.git"), world.path("lib.away")).unwrap();
    let run = world.in_town(["refinery", "process", "wyvern"]);
    assert!(format!("{}{}", run.stdout, run.stderr).contains("cannot ask"), "{run:#?}");
    assert_eq!(world.show(&bead)["status"], "in_progress");
    std::fs::rename(world.path("lib.away"), world.path("lib.git")).unwrap();
    world.git("lib.git", ["branch", "-q", "-D", "fix"]);
    world.in_town(["refinery", "process", "wyvern"]).ok();
    assert_ne!(named_by_main(&world), commit);
    let shown = world.show(&bead);
    assert_eq!(shown["status"], "open", "{shown:#}");
    assert!(shown["comments"].to_string().contains("which is not at"), "{shown:#}");
}

#[test]
fn the_rig_may_have_submodules_pushed() {
    let world = world("shell", serde_json::json!({ "submodules": true, "push_submodules": true }));
    let script = "cd vendor/lib\necho two >> lib.txt\ngit commit -qam library\ncd ../..";
    let bead = world.bead("Change the library", script);
    world.in_town(["sling", &bead, "wyvern"]).ok();
    wait_for("the request", || {
        world.show(&bead)["labels"].to_string().contains("gt:submitted").then_some(())
    });
    approve_and_process(&world);
    assert_eq!(world.show(&bead)["status"], "closed");
    let commit = named_by_main(&world);
    let branches = world.git("lib.git", ["branch", "--contains", &commit, "--format=%(refname:short)"]);
    assert!(branches.starts_with("polecat/") && branches.ends_with(&commit[..10]), "{branches}");
}

#[test]
fn a_submodules_commit_that_was_kept_is_checked_out_again_and_merges() {
    let rules = serde_json::json!({ "submodules": true, "push_submodules": true });
    let world = world("waits", rules);
    // The library has a submodule of its own.
    world.origin("deep.git", &[("deep.txt", "one\n")]);
    world.git("", ["clone", "-q", "lib.git", "libdev"]);
    world.git("libdev", ["submodule", "--quiet", "add", &world.str("deep.git"), "deep"]);
    world.git("libdev", ["commit", "-q", "-m", "deeper"]);
    world.git("libdev", ["push", "-q", "origin", "HEAD"]);
    world.git("dev/vendor/lib", ["pull", "-q", "origin", "HEAD"]);
    world.git("dev", ["commit", "-q", "-a", "-m", "the library with its own"]);
    world.git("dev", ["push", "-q", "origin", "main"]);
    world.in_town(["rig", "trust", "wyvern"]).ok();

    let (bead, place) = polecat(&world);
    let deep = format!("{place}/vendor/lib/deep");
    world.write(format!("{deep}/deep.txt"), "two\n");
    world.git(&deep, ["commit", "-q", "-a", "-m", "deep"]);
    let inner = world.git(&deep, ["rev-parse", "HEAD"]);
    let commit = change(&world, &place, "two\n");
    world.in_town(["unsling", "--force", &bead]).ok();
    let said = world.in_town(["polecat", "recover", &bead]).ok().stdout;
    let next =
        "it belongs to the repository at vendor/lib/deep; in a worktree: git -C vendor/lib/deep fetch ";
    assert!(said.contains(next), "{said}");

    world.in_town(["sling", &bead, "wyvern", "--resume"]).ok();
    let place = format!("town/wyvern/polecats/{}", world.polecat_of(&bead));
    assert_eq!(world.git(format!("{place}/vendor/lib"), ["rev-parse", "HEAD"]), commit);
    assert_eq!(world.git(format!("{place}/vendor/lib/deep"), ["rev-parse", "HEAD"]), inner);
    assert_eq!(world.git(&place, ["status", "--porcelain"]), "");
    world.gt_in(&place, ["done"]).ok();
    approve_and_process(&world);
    assert_eq!(world.show(&bead)["status"], "closed");
    assert_eq!(named_by_main(&world), commit);

    // In no repository any more: the sling says which commit, and leaves nothing behind.
    let (bead, place) = polecat(&world);
    let commit = change(&world, &place, "three\n");
    world.in_town(["unsling", "--force", &bead]).ok();
    let clone = "town/wyvern/mayor/rig";
    let refs = world.git(clone, ["for-each-ref", "--format=%(refname)", "refs/gt/recovery"]);
    for nested in refs.lines().filter(|name| name.contains(".nested/")) {
        world.git(clone, ["update-ref", "-d", nested]);
    }
    world.git(clone, ["-c", "gc.reflogExpire=now", "gc", "-q", "--prune=now"]);
    let run = world.in_town(["sling", &bead, "wyvern", "--resume"]).fails(1);
    let (error, hint) = (format!("the submodule vendor/lib at {commit}"), format!("git push URL {commit}:"));
    assert!(run.stderr.contains(&error) && run.stderr.contains(&hint), "{run:#?}");
    assert_eq!(world.show(&bead)["status"], "open");
}

#[test]
fn repositories_that_were_never_submodules_are_named_and_refused() {
    let world = world("waits", serde_json::json!({ "submodules": false }));
    let (bead, place) = polecat(&world);
    world.write(format!("{place}/tools/lib/f"), "precious\n");
    let inner = format!("{place}/tools/lib");
    world.git(&inner, ["init", "-q"]);
    let run = world.gt_in(&place, ["done"]).fails(1);
    assert!(
        run.stderr.contains("repositories of their own in it") && run.stderr.contains(": tools/lib"),
        "{run:#?}"
    );
    world.git(&inner, ["add", "-A"]);
    world.git(&inner, ["commit", "-q", "-m", "precious"]);
    world.git(&place, ["add", "-A"]);
    world.git(&place, ["commit", "-q", "-m", "a link"]);
    let run = world.gt_in(&place, ["done"]).fails(1);
    assert!(run.stderr.contains("tools/lib is a repository of its own"), "{run:#?}");
    assert!(!world.show(&bead)["labels"].to_string().contains("gt:submitted"));
    // The last remedy: its files become the project's.
    world.git(&place, ["rm", "-q", "--cached", "tools/lib"]);
    std::fs::rename(world.path(format!("{inner}/.git")), world.path("inner.git")).unwrap();
    world.git(&place, ["add", "tools/lib"]);
    world.git(&place, ["commit", "-q", "-m", "its files"]);
    world.gt_in(&place, ["done"]).ok();
    world.in_town(["refinery", "process", "wyvern"]).ok();
    assert_eq!(world.git("origin.git", ["show", "main:tools/lib/f"]), "precious");

    // The shell runtime does not add a link either.
    world.set("GASTOWN_POLECAT__AGENT", "shell");
    let bead = world.bead("Clone", "git clone -q . inner");
    world.in_town(["sling", &bead, "wyvern"]).ok();
    let said =
        || world.show(&bead)["comments"].to_string().contains("repositories of their own").then_some(());
    wait_for("the refusal on the bead", said);
}

#[test]
fn a_checkout_hook_that_fails_in_a_submodule_stops_nothing() {
    let world = world("waits", serde_json::json!({ "submodules": true }));
    let script = "test ! -e lib.txt || { touch \"$HOME/failed\"; exit 1; }";
    crate::hooks::hook(&world, "post-checkout", script);
    let bead = world.bead("Fix it", "true");
    let run = world.in_town(["sling", &bead, "wyvern"]).ok();
    assert!(run.stderr.contains("hook post-checkout failed after the checkout of a submodule"), "{run:#?}");
    assert!(world.path("home/failed").exists());
    let place = format!("town/wyvern/polecats/{}", world.polecat_of(&bead));
    assert_eq!(world.read(format!("{place}/vendor/lib/lib.txt")), "one\n");
    assert_eq!(world.git(&place, ["status", "--porcelain"]), "");
}

#[test]
fn what_the_repository_hides_of_a_submodule_is_not_handed_over() {
    let world = world("waits", serde_json::json!({ "submodules": true }));
    let (_, place) = polecat(&world);
    world.git(&place, ["config", "-f", ".gitmodules", "submodule.vendor/lib.ignore", "all"]);
    world.git(&place, ["commit", "-q", "-a", "-m", "hide it"]);
    world.write(format!("{place}/vendor/lib/lib.txt"), "changed\n");
    let run = world.gt_in(&place, ["done"]).fails(1);
    assert!(run.stderr.contains("vendor/lib"), "{run:#?}");
}
