//! Settings of people's git and of projects that are not the usual ones: each is heeded, or named before work begins.

use serde_json::json;

use crate::common::{Run, WAITS, World, wait_for};
use crate::flow::Scene;
use crate::refinery::{Handed, bead, commit, hand_over, is_merged, merge, on_main, process, request};

fn config(world: &World, key: &str, value: &str) {
    world.git("", ["config", "--global", key, value]);
}

/// Sets `worktree` of the rig.
fn worktree(world: &World, rules: serde_json::Value) {
    let path = "town/wyvern/config.json";
    let mut config: serde_json::Value = serde_json::from_str(&world.read(path)).unwrap();
    config["worktree"] = rules;
    world.write(path, config.to_string());
}

/// Puts something onto the origin's main, made in a clone by hand.
fn on_origin(world: &World, make: impl FnOnce(&std::path::Path)) {
    if !world.path("dev").exists() {
        world.git("", ["clone", "-q", "origin.git", "dev"]);
    }
    world.git("dev", ["pull", "-q", "origin", "main"]);
    make(&world.path("dev"));
    world.git("dev", ["add", "-A"]);
    world.git("dev", ["commit", "-q", "-m", "by hand"]);
    world.git("dev", ["push", "-q", "origin", "HEAD:main"]);
}

/// The person trusts what the rig's repository says to agents.
fn trust(world: &World) {
    world.git("town/wyvern/mayor/rig", ["fetch", "-q", "origin"]);
    world.in_town(["rig", "trust", "wyvern"]).ok();
}

fn task(world: &World) -> String {
    world.bead("Fix it", "true")
}

/// A sling that is refused, and leaves nothing behind.
fn refused(world: &World, task: &str, reason: &str) -> Run {
    let before = Scene::of(world);
    let run = world.in_town(["sling", task, "wyvern"]).fails(1);
    assert!(run.stderr.contains(reason), "{run:#?}");
    assert_eq!(Scene::of(world), before);
    run
}

#[test]
fn nothing_is_written_through_a_link_of_the_repository() {
    let world = World::waiting();
    let victim = world.path("victim");
    std::fs::create_dir(&victim).unwrap();
    world.write("town/wyvern/mayor/rig/cfg/secret.env", "SECRET\n");
    world.write("town/wyvern/mayor/rig/cfg/mods/a", "a\n");
    on_origin(&world, |dev| std::os::unix::fs::symlink(&victim, dev.join("cfg")).unwrap());
    let task = task(&world);
    for rules in [
        json!({ "copy": ["cfg/secret.env"] }),
        json!({ "link": ["cfg/mods"] }),
        json!({ "copy": ["**/*.env"] }),
    ] {
        worktree(&world, rules);
        refused(&world, &task, "cfg in ");
    }
    worktree(&world, json!({}));
    on_origin(&world, |dev| std::os::unix::fs::symlink(&victim, dev.join(".claude")).unwrap());
    world.settings(&format!(
        "{WAITS}files = [{{ path = \".claude/settings.local.json\", text = \"gt hook-event\" }}]\n"
    ));
    trust(&world);
    let run = refused(&world, &task, ".claude in ");
    assert!(
        run.stderr.contains("is a link to ") && run.stderr.contains("hint: take the link out"),
        "{run:#?}"
    );
    assert_eq!(std::fs::read_dir(&victim).unwrap().count(), 0);
}

#[test]
fn settings_that_a_linked_folder_takes_are_kept_out_of_git() {
    let world = World::waiting();
    on_origin(&world, |dev| {
        std::fs::create_dir(dev.join("agents")).unwrap();
        std::fs::write(dev.join("agents/notes"), "x").unwrap();
        std::os::unix::fs::symlink("agents", dev.join(".claude")).unwrap();
    });
    world.settings(&format!(
        "{WAITS}files = [{{ path = \".claude/settings.local.json\", text = \"gt hook-event\" }}]\n"
    ));
    trust(&world);
    let task = task(&world);
    world.in_town(["sling", &task, "wyvern"]).ok();
    let place = format!("town/wyvern/polecats/{}", world.polecat_of(&task));
    assert!(world.path(&place).join("agents/settings.local.json").exists());
    assert_eq!(world.git(&place, ["status", "--porcelain"]), "");
}

#[test]
fn what_a_rule_of_the_rig_does_not_find_is_said_and_what_leads_out_is_no_rule() {
    let world = World::waiting();
    world.write("town/wyvern/mayor/rig/apps/web/.env", "B=2\n");
    worktree(&world, json!({ "copy": ["apps/*/.env", "no-such.cfg"] }));
    let task = task(&world);
    let run = world.in_town(["sling", &task, "wyvern"]).ok();
    assert!(run.stderr.contains("warning: worktree.copy: no-such.cfg is not in "), "{run:#?}");
    let place = format!("town/wyvern/polecats/{}", world.polecat_of(&task));
    assert_eq!(world.read(format!("{place}/apps/web/.env")), "B=2\n");
    assert_eq!(world.git(&place, ["status", "--porcelain"]), "");
    let doctor = world.in_town(["doctor", "wyvern"]);
    assert!(doctor.stdout.contains("worktree.copy: no-such.cfg is not in "), "{doctor:#?}");
    assert!(!doctor.stdout.contains("apps/*"), "{doctor:#?}");
    for bad in ["../../.ssh", "/etc/passwd", "a/../../b", "..", "", ".git/config", "a/[b"] {
        worktree(&world, json!({ "copy": [bad] }));
        let run = world.in_town(["sling", &task, "wyvern"]).fails(1);
        assert!(run.stderr.contains("worktree.copy.0: '"), "{run:#?}");
    }
}

#[test]
fn who_commits_is_asked_for_before_work_begins_and_said_once_for_all() {
    let world = World::waiting();
    world.origin("other.git", &[("README.md", "# other\n")]);
    world.git("", ["config", "--global", "--unset", "user.email"]);
    config(&world, "user.useConfigOnly", "true");
    let clone = world.real().join("town/wyvern/mayor/rig");
    let command = format!("git -C {} config user.email", clone.display());
    let task = task(&world);
    assert!(refused(&world, &task, &command).stderr.contains("git knows no user.email"));
    let title = world.in_town(["sling", "A new piece of work", "wyvern"]).fails(1);
    assert!(title.stderr.contains(&command), "{title:#?}");
    assert!(world.in_town(["doctor", "wyvern"]).stdout.contains("git knows no user.email"));
    let added = world.in_town(["rig", "add", "other", &world.str("other.git"), "--prefix", "ot"]).ok();
    assert!(
        added.stderr.contains("git knows no user.email")
            && added.stderr.contains("/other/mayor/rig config user.email")
    );

    world.git("town/wyvern/mayor/rig", ["config", "user.email", "dev@example.com"]);
    world.in_town(["sling", &task, "wyvern"]).ok();
    config(&world, "user.useConfigOnly", "false");
    let handed = hand_over(&world, "Slit", "Some work", &[("a", "a\n")], false);
    config(&world, "user.useConfigOnly", "true");
    process(&world).ok();
    assert!(is_merged(&world, &handed));
    let of_merge = world.git("origin.git", ["log", "-1", "--format=%an %ae %cn %ce", "main"]);
    assert_eq!(of_merge, "wyvern/refinery dev@example.com wyvern/refinery dev@example.com");
}

#[test]
fn an_address_that_comes_by_the_folder_counts() {
    let world = World::waiting();
    world.git("", ["config", "--global", "--unset", "user.email"]);
    config(&world, "user.useConfigOnly", "true");
    world.write("home/work.config", "[user]\nemail = work@example.com\n");
    config(&world, &format!("includeIf.gitdir:{}/town/.path", world.real().display()), "~/work.config");
    let task = task(&world);
    world.in_town(["sling", &task, "wyvern"]).ok();
}

/// Has git sign with an ssh key, and the server take signed commits only.
fn signing(world: &World) {
    let key = world.str("home/key");
    world.run("ssh-keygen", "", ["-q", "-t", "ed25519", "-N", "", "-f", &key]).ok();
    for (name, value) in
        [("gpg.format", "ssh"), ("user.signingkey", &format!("{key}.pub")), ("commit.gpgsign", "true")]
    {
        config(world, name, value);
    }
    world.program(
        "pre-receive",
        "#!/bin/sh\nwhile read old new ref; do case $new in 0000000*) continue;; esac\nfor c in $(git rev-list $new --not --all); do \
         git cat-file commit $c | grep -q '^gpgsig' || { echo \"$c is not signed\" >&2; exit 1; }; done; done\n",
    );
    std::fs::copy(world.path("bin/pre-receive"), world.path("origin.git/hooks/pre-receive")).unwrap();
}

#[test]
fn commits_of_the_queue_are_signed_as_git_is_told() {
    let world = World::with_rig();
    signing(&world);
    for (strategy, name) in [("merge", "Nux"), ("squash", "Slit"), ("rebase", "Toast")] {
        merge(&world, "strategy", strategy);
        let handed = hand_over(&world, name, "Work", &[(name, "x\n")], true);
        // Something for the rebase to do.
        on_origin(&world, |dev| std::fs::write(dev.join(format!("of-{name}")), "x").unwrap());
        let run = process(&world).ok();
        assert!(is_merged(&world, &handed), "{strategy}: {run:#?}");
    }
    world.in_town(["sync"]).ok();
}

#[test]
fn a_key_that_cannot_sign_is_named_and_nothing_is_set_aside() {
    let world = World::with_rig();
    signing(&world);
    let one = hand_over(&world, "Nux", "One", &[("a", "a\n")], true);
    let two = hand_over(&world, "Slit", "Two", &[("b", "b\n")], true);
    let mail =
        |world: &World| world.in_town(["mail", "inbox", "overseer"]).ok().stdout.matches("waits:").count();
    for strategy in ["merge", "rebase"] {
        merge(&world, "strategy", strategy);
        on_origin(&world, |dev| std::fs::write(dev.join(strategy), "x").unwrap());
        std::fs::rename(world.path("home/key"), world.path("home/away")).unwrap();
        for _ in 0..2 {
            let run = process(&world).fails(1);
            let said = run.stderr.lines().next().unwrap();
            assert!(
                said.starts_with("gt: cannot sign the commit (commit.gpgsign) with the key "),
                "{run:#?}"
            );
            assert!(run.stderr.contains("/refinery/rig commit-tree -S -m try 'HEAD^{tree}'"), "{run:#?}");
        }
        for handed in [&one, &two] {
            assert!(
                !bead(&world, &handed.request).is_closed()
                    && !bead(&world, &handed.bead).has_label("gt:rework")
            );
        }
        assert_eq!(mail(&world), 1, "{}", world.in_town(["mail", "inbox", "overseer"]).stdout);
        std::fs::rename(world.path("home/away"), world.path("home/key")).unwrap();
    }
    process(&world).ok();
    assert!(is_merged(&world, &one) && is_merged(&world, &two));
}

#[test]
fn an_agent_signs_with_the_key_of_the_person_and_not_of_its_own_name() {
    let world = World::with_rig();
    world.program(
        "gpg",
        "#!/bin/sh\ncase \"$*\" in *'-bsau <test@example.invalid>') ;; *) echo \"no secret key: $*\" >&2; exit 1;; esac\n\
         cat >/dev/null; printf '%s\\n' '-----BEGIN PGP SIGNATURE-----' '' 'x' '-----END PGP SIGNATURE-----'\n\
         printf '\\n[GNUPG:] SIG_CREATED ' >&2\n",
    );
    config(&world, "gpg.program", &world.str("bin/gpg"));
    config(&world, "commit.gpgsign", "true");
    let task = world.bead("Fix it", "echo x > x");
    world.in_town(["sling", &task, "wyvern"]).ok();
    wait_for("the work to be handed over", || bead(&world, &task).has_label("gt:submitted").then_some(()));
    process(&world).ok();
    for commit in ["main", "main^2"] {
        assert!(world.git("origin.git", ["cat-file", "commit", commit]).contains("\ngpgsig "), "{commit}");
    }
}

#[test]
fn a_branch_that_is_in_the_way_of_those_of_polecats_is_named() {
    let world = World::waiting();
    let task = task(&world);
    world.git("town/wyvern/mayor/rig", ["branch", "polecat"]);
    let run = refused(&world, &task, "has a branch 'polecat', so there can be no branch polecat/");
    assert!(run.stderr.contains("mayor/rig branch -m polecat NEW"), "{run:#?}");
}

fn lines(second: &str, last: &str) -> String {
    let mut lines: Vec<String> = (1..=20).map(|number| number.to_string()).collect();
    (lines[1], lines[18]) = (second.into(), last.into());
    lines.join("\n") + "\n"
}

/// Two branches that change the same file at places far apart, or at the same one.
fn both_change(
    world: &World,
    file: &str,
    (one, other): (&str, &str),
    names: [&'static str; 2],
) -> [Handed; 2] {
    [
        hand_over(world, names[0], "One", &[(file, one)], true),
        hand_over(world, names[1], "Two", &[(file, other)], true),
    ]
}

#[test]
fn a_merge_heeds_the_attributes_of_the_target() {
    let world = World::with_rig();
    // The refinery's clone has an old checkout, without any of these.
    on_origin(&world, |dev| {
        std::fs::create_dir_all(dev.join("deep/er")).unwrap();
        for file in ["lock.json", "deep/er/lock", "plain.txt", "notes.md", "of-driver"] {
            std::fs::write(dev.join(file), lines("2", "19")).unwrap();
        }
        std::fs::write(
            dev.join(".gitattributes"),
            "lock.json -merge\n*.md merge=union\nof-driver merge=mine\n",
        )
        .unwrap();
        std::fs::write(dev.join("deep/.gitattributes"), "lock binary\n").unwrap();
    });
    let (far, other) = (lines("two", "19"), lines("2", "nineteen"));
    for (file, names) in [("lock.json", ["Nux", "Slit"]), ("deep/er/lock", ["Toast", "Dag"])] {
        let [one, two] = both_change(&world, file, (&far, &other), names);
        process(&world).ok();
        let aside = bead(&world, &two.request).close_reason;
        assert!(is_merged(&world, &one) && aside == format!("conflict: {file}"), "{file}: {aside}");
        assert_eq!(on_main(&world, file).as_deref(), Some(far.as_str()));
    }
    let all = [
        both_change(&world, "plain.txt", (&far, &other), ["Nux", "Slit"]),
        both_change(&world, "notes.md", (&lines("one", "19"), &lines("two", "19")), ["Toast", "Dag"]),
    ];
    process(&world).ok();
    assert!(all.as_flattened().iter().all(|handed| is_merged(&world, handed)));
    assert_eq!(on_main(&world, "plain.txt"), Some(lines("two", "nineteen")));
    assert_eq!(on_main(&world, "notes.md"), Some(lines("one\ntwo", "19")));
    // A driver of the person's finds the whole checkout around it.
    config(&world, "merge.mine.driver", "test -e README.md && echo by the driver >%A");
    let pair = both_change(&world, "of-driver", (&far, &other), ["Nux", "Slit"]);
    process(&world).ok();
    assert!(pair.iter().all(|handed| is_merged(&world, handed)));
    assert_eq!(on_main(&world, "of-driver").as_deref(), Some("by the driver\n"));
}

#[test]
fn a_squash_keeps_authors_and_trailers_and_a_title_gives_no_order() {
    let world = World::with_rig();
    merge(&world, "strategy", "squash");
    let title = "Fix [skip ci] and close #7 for @alice";
    let branch = "polecat/Nux-wy-9";
    config(&world, "user.name", "Ann");
    config(&world, "user.email", "ann@example.com");
    commit(&world, branch, "first\n\nCo-authored-by: Bob <bob@example.com>", &[("a", "a\n")], true);
    config(&world, "user.name", "Cyn");
    config(&world, "user.email", "cyn@example.com");
    let tip = commit(
        &world,
        branch,
        "second\n\nSigned-off-by: Cyn <cyn@example.com>\nFixes: #42",
        &[("b", "b\n")],
        true,
    );
    let made = world.gt_in("town/wyvern", ["bd", "create", title, "--id", "wy-9"]);
    made.ok();
    request(&world, "Nux", "wy-9", title, branch, &tip);
    process(&world).ok();
    let text = world.git("origin.git", ["log", "-1", "--format=%an <%ae>%n%B", "main"]);
    insta::assert_snapshot!(text, @r"
    Cyn <cyn@example.com>
    Fix (skip ci) and close # 7 for @ alice (wy-9)

    Bead: wy-9
    Branch: polecat/Nux-wy-9
    Worker: wyvern/Nux
    Signed-off-by: Cyn <cyn@example.com>
    Fixes: #42
    Co-authored-by: Ann <ann@example.com>
    Co-authored-by: Bob <bob@example.com>
    ");
}

#[test]
fn a_clone_whose_remote_has_another_name_is_named_by_doctor() {
    let world = World::with_rig();
    config(&world, "clone.defaultRemoteName", "upstream");
    let task = world.bead("Fix it", "echo x > x");
    world.in_town(["sling", &task, "wyvern"]).ok();
    world.git("town/wyvern/crew", ["clone", "-q", &world.str("origin.git"), "dave"]);
    let doctor = world.in_town(["doctor", "wyvern"]);
    assert!(doctor.stdout.contains("crew/dave has no remote origin, only upstream"), "{doctor:#?}");
    let help = format!(
        "git -C {} remote rename upstream origin",
        world.real().join("town/wyvern/crew/dave").display()
    );
    assert!(doctor.stdout.contains(&help), "{doctor:#?}");
}

#[test]
fn a_polecat_ends_where_git_may_find_no_bare_repository_by_itself() {
    let world = World::with_rig();
    config(&world, "safe.bareRepository", "explicit");
    let task = world.bead("Fix it", "echo x > x");
    world.in_town(["sling", &task, "wyvern"]).ok();
    crate::flow::wait_for_the_end(&world);
    world.in_town(["refinery", "process", "wyvern"]).ok();
    assert_eq!(world.show(&task)["status"], "closed");
    assert_eq!(world.in_town(["doctor"]).ok().stderr, "");
}

#[test]
fn a_missing_git_lfs_is_said_and_no_content_takes_the_place_of_a_pointer() {
    let world = World::waiting();
    on_origin(&world, |dev| {
        std::fs::write(dev.join(".gitattributes"), "*.bin filter=lfs diff=lfs -text\n").unwrap()
    });
    let task = task(&world);
    let run = world.in_town(["sling", &task, "wyvern"]).ok();
    assert!(run.stderr.contains("git-lfs, and only pointers are here: install git-lfs"), "{run:#?}");
    let place = format!("town/wyvern/polecats/{}", world.polecat_of(&task));
    world.write(format!("{place}/large.bin"), "x".repeat(5000));
    world.git(&place, ["add", "-A"]);
    world.git(&place, ["commit", "-q", "-m", "large"]);
    let done = world.gt_in(&place, ["done"]).fails(1);
    assert!(done.stderr.contains("with all of their content: large.bin"), "{done:#?}");
    world.origin("media.git", &[("art/deep/.gitattributes", "*.bin filter=lfs\n")]);
    let added = world.in_town(["rig", "add", "media", &world.str("media.git"), "--prefix", "me"]).ok();
    assert!(added.stderr.contains("hint: install git-lfs"), "{added:#?}");
    // Where git is told of it, the checkout itself fails.
    config(&world, "filter.lfs.smudge", "git-lfs smudge -- %f");
    config(&world, "filter.lfs.required", "true");
    on_origin(&world, |dev| {
        world.git("dev", ["config", "filter.lfs.clean", "cat"]);
        std::fs::write(dev.join("a.bin"), "version https://git-lfs.github.com/spec/v1\n").unwrap();
    });
    let other = world.bead("Other", "true");
    refused(&world, &other, "hint: install git-lfs");
}
