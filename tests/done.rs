//! `gt done` and `gt handoff`, from inside a polecat's worktree.

use crate::common::{World, gt, wait_for};
use crate::flow::{Scene, request, wait_for_the_end};

/// A polecat that waits, for tests to do its work.
struct At {
    world: World,
    bead: String,
    place: String,
    address: String,
}

fn polecat() -> At {
    let world = World::waiting();
    let bead = world.bead("Fix it", "true");
    world.in_town(["sling", &bead, "wyvern"]).ok();
    let name = world.polecat_of(&bead);
    At { place: format!("town/wyvern/polecats/{name}"), address: format!("wyvern/{name}"), bead, world }
}

impl At {
    fn branch(&self, bead: &str) -> String {
        self.world.branch(self.address.rsplit('/').next().unwrap(), bead)
    }

    fn commit(&self, text: &str) -> String {
        self.world.write(format!("{}/work.txt", self.place), text);
        self.world.git(&self.place, ["add", "-A"]);
        self.world.git(&self.place, ["commit", "-q", "-m", "work"]);
        self.world.git(&self.place, ["rev-parse", "HEAD"])
    }

    #[track_caller]
    fn refuses(&self, dir: &str, words: &[&str], message: &str, hint: &str) {
        let before = Scene::of(&self.world);
        let run = self.world.gt_in(dir, words).fails(1);
        assert_eq!(run.stderr, format!("gt: {message}\nhint: {hint}\n"));
        assert_eq!(Scene::of(&self.world), before);
    }
}

#[test]
fn what_is_not_done_is_refused_and_nothing_changes() {
    let at = polecat();
    let real = at.world.real();
    at.refuses(
        "town/wyvern/mayor/rig",
        &["done"],
        &format!("{} is no polecat's worktree", at.world.path("town/wyvern/mayor/rig").display()),
        "this is for polecats; see them with: gt polecats RIG",
    );
    at.refuses(
        &at.place,
        &["done"],
        &format!("no commits on {} that main lacks", at.branch(&at.bead)),
        "commit your work first; or, when nothing had to change: gt done --no-changes REASON",
    );
    at.world.write(format!("{}/new file.txt", at.place), "x");
    at.world.write(format!("{}/README.md", at.place), "changed");
    at.refuses(
        &at.place,
        &["done"],
        "the worktree has changes that are not committed:\n   M README.md\n  ?? new file.txt",
        "commit them: git add -A && git commit; or take one back: git checkout HEAD -- FILE (a new file: rm FILE)",
    );
    at.commit("work");
    at.refuses(
        &at.place,
        &["done", "--no-changes", "nothing"],
        &format!("there are changes: 1 commit on {}", at.branch(&at.bead)),
        "hand them over with: gt done",
    );
    at.world.set("GT_ADDRESS", "wyvern/Slit");
    at.refuses(
        &at.place,
        &["done"],
        &format!("this is the worktree of {}, and you are wyvern/Slit", at.address),
        &format!("yours is: cd {}/town/wyvern/polecats/Slit", real.display()),
    );
    at.world.set("GT_ADDRESS", &at.address);
    at.world.set("GT_INSTANCE", "another");
    at.refuses(
        &at.place,
        &["done"],
        &format!("the name {} has passed on: this session is not the one that has it", at.address),
        "see who is there with: gt polecats wyvern",
    );
    at.world.unset("GT_INSTANCE");
    at.world.unset("GT_ADDRESS");
    at.world.git(&at.place, ["switch", "-q", "-c", "elsewhere"]);
    at.refuses(
        &at.place,
        &["done"],
        &format!("the worktree is on elsewhere, which is not a branch of {}", at.address),
        &format!("bring your commits to it: git switch {}", at.branch("BEAD")),
    );
}

#[test]
fn a_push_that_the_server_refuses_keeps_everything() {
    let at = polecat();
    let commit = at.commit("work");
    let hook = "#!/bin/sh\necho 'sign your commits first' >&2\nexit 1\n";
    at.world.write("origin.git/hooks/pre-receive", hook);
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(at.world.path("origin.git/hooks/pre-receive"), mode).unwrap();
    at.refuses(
        &at.place,
        &["done"],
        &format!(
            "the server refused the branch {}: pre-receive hook declined: sign your commits first",
            at.branch(&at.bead)
        ),
        "nothing is lost: your commits are in this worktree. Mend what it names, commit, and run gt done again",
    );
    assert_eq!(at.world.git(&at.place, ["rev-parse", "HEAD"]), commit);
    std::fs::remove_file(at.world.path("origin.git/hooks/pre-receive")).unwrap();
    at.world.gt_in(&at.place, ["done"]).ok();
    assert_eq!(request(&at.world, &at.bead).unwrap()["metadata"]["commit"], commit.as_str());
}

#[test]
fn without_the_right_to_push_the_branch_is_kept_here() {
    let at = polecat();
    let commit = at.commit("work");
    at.world.program("denies", "#!/bin/sh\necho 'Permission denied (publickey).' >&2\nexit 1\n");
    at.world.git(&at.place, ["remote", "set-url", "--push", "origin", "ext::denies"]);
    at.world.git("", ["config", "--global", "protocol.ext.allow", "always"]);
    let done = at.world.gt_in(&at.place, ["done"]).ok();
    assert!(done.stderr.contains("the refinery takes the branch from the rig's own clone"), "{done:#?}");
    assert_eq!(request(&at.world, &at.bead).unwrap()["metadata"]["commit"], commit.as_str());
}

#[test]
fn done_takes_few_processes_and_a_second_run_changes_nothing() {
    let at = polecat();
    let commit = at.commit("work");
    at.world.count_calls(&["git", "tmux"]);
    let done = at.world.gt_in(&at.place, ["done"]).ok();
    let own: Vec<String> = at.world.calls("git").into_iter().filter(|call| call.starts_with("-C ")).collect();
    assert!(own.len() <= 6, "{own:#?}");
    assert!(at.world.calls("tmux").len() <= 2);
    let handed = request(&at.world, &at.bead).unwrap();
    let id = handed["id"].as_str().unwrap();
    let short = &commit[..10];
    let wanted =
        format!("{}  submitted: 1 commit of {} at {short}, request {id}\n", at.bead, at.branch(&at.bead));
    assert_eq!(done.stdout, wanted);
    let before = Scene::of(&at.world);
    assert!(before_state(&at).contains("pending_shutdown"));
    assert_eq!(at.world.gt_in(&at.place, ["done"]).ok().stdout, wanted);
    assert_eq!(Scene::of(&at.world), before);
    // Another commit replaces the request.
    let second = at.commit("more work");
    at.world.gt_in(&at.place, ["done"]).ok();
    assert_eq!(request(&at.world, &at.bead).unwrap()["metadata"]["commit"], second.as_str());
    assert_eq!(at.world.show(id)["status"], "closed");
    // So does a rewritten one, whose branch the server has otherwise.
    at.world.git(&at.place, ["commit", "-q", "--amend", "-m", "said better"]);
    at.world.gt_in(&at.place, ["done"]).ok();
    let third = at.world.git(&at.place, ["rev-parse", "HEAD"]);
    assert_eq!(request(&at.world, &at.bead).unwrap()["metadata"]["commit"], third.as_str());
    assert_eq!(at.world.git("origin.git", ["rev-parse", &at.branch(&at.bead)]), third);
}

fn before_state(at: &At) -> String {
    let session = at.world.session_of(&at.address);
    at.world.tmux(["display-message", "-p", "-t", &session, crate::common::STATE]).ok().stdout
}

#[test]
fn after_a_kill_at_any_step_the_same_command_completes() {
    for step in ["done.1", "done.2", "done.3", "done.4", "done.5", "done.6"] {
        let at = polecat();
        let commit = at.commit("work");
        at.world.gt_killed(step, &at.place, ["done", "--exit"]);
        if at.world.path(&at.place).exists() {
            // The end may already be under way after the last step: then there is nothing left to run.
            let again = at.world.gt_in(&at.place, ["done", "--exit"]);
            assert!(again.code == Some(0) || step == "done.6", "{step}: {again:#?}");
        }
        wait_for_the_end(&at.world);
        let export = at.world.gt_in("town/wyvern", ["bd", "export"]).ok().stdout;
        assert_eq!(export.matches("\"issue_type\":\"merge-request\"").count(), 1, "{step}: {export}");
        let request = request(&at.world, &at.bead).unwrap();
        assert_eq!(request["metadata"]["commit"], commit.as_str(), "{step}");
        let branch = request["metadata"]["branch"].as_str().unwrap();
        assert_eq!(at.world.git("origin.git", ["rev-parse", branch]), commit, "{step}");
        assert_eq!(at.world.show(&at.bead)["labels"], serde_json::json!(["gt:submitted"]), "{step}");
        assert_eq!(at.world.session_of(&at.address), "", "{step}");
    }
}

#[test]
fn a_push_that_another_one_of_the_same_commit_overtook_is_done() {
    use std::os::unix::fs::PermissionsExt;
    let at = polecat();
    let commit = at.commit("work");
    // What the push of a killed command does while the next one is under way.
    let hook = "origin.git/hooks/update";
    at.world.write(hook, "#!/bin/sh\nexec git update-ref \"$1\" \"$3\"\n");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(at.world.path(hook), mode).unwrap();
    at.world.gt_in(&at.place, ["done"]).ok();
    assert_eq!(request(&at.world, &at.bead).unwrap()["metadata"]["commit"], commit.as_str());
}

#[test]
fn no_changes_closes_the_bead_with_the_reason() {
    let at = polecat();
    at.world.gt_in(&at.place, ["done", "--no-changes", "it works as it is", "--exit"]).ok();
    wait_for_the_end(&at.world);
    let shown = at.world.show(&at.bead);
    assert_eq!(shown["status"], "closed");
    assert_eq!(shown["close_reason"], "no changes: it works as it is");
    assert!(request(&at.world, &at.bead).is_none());
}

#[test]
fn an_agent_that_closed_its_own_bead_finds_it_submitted() {
    let at = polecat();
    at.commit("work");
    at.world.gt_in("town/wyvern", ["bd", "close", &at.bead, "--reason", "commit: abc"]).ok();
    at.world.gt_in(&at.place, ["done"]).ok();
    let shown = at.world.show(&at.bead);
    assert_eq!(
        (shown["status"].as_str(), shown["labels"][0].as_str()),
        (Some("in_progress"), Some("gt:submitted"))
    );
    assert!(request(&at.world, &at.bead).is_some());
    // The work waits to be merged: nobody slings it, holds it or takes it back.
    for words in [&["sling", &at.bead, "wyvern"][..], &["unsling", &at.bead], &["hold", &at.bead]] {
        let run = at.world.in_town(words).fails(1);
        let wanted = format!("gt: the work on {} waits to be merged\n", at.bead);
        assert!(run.stderr.starts_with(&wanted), "{run:#?}");
    }
}

#[test]
fn two_at_once_make_one_request() {
    let at = polecat();
    at.commit("work");
    let runs = crate::common::at_once((0..4).map(|_| {
        let mut command = at.world.command(crate::common::gt(), &at.place);
        command.arg("done");
        command
    }));
    let export = at.world.gt_in("town/wyvern", ["bd", "export"]).ok().stdout;
    assert_eq!(export.matches("\"issue_type\":\"merge-request\"").count(), 1, "{runs:#?}\n{export}");
    assert!(runs.iter().any(|run| run.code == Some(0)), "{runs:#?}");
}

#[test]
fn handoff_with_unfinished_work_leaves_a_note_that_the_next_session_reads() {
    let at = polecat();
    at.commit("half");
    at.world.write(format!("{}/open.txt", at.place), "x");
    at.world.set("GT_ADDRESS", &at.address);
    at.world.gt_in(&at.place, ["handoff", "-m", "the parser is next"]).ok();
    at.world.unset("GT_ADDRESS");
    assert_eq!(at.world.session_of(&at.address), "");
    let name = at.address.rsplit('/').next().unwrap();
    let state = at.world.read(format!("town/wyvern/polecats/.state/{name}.json"));
    assert!(state.contains("\"requesting_cycle\": true"), "{state}");
    let said = at.world.in_town(["witness", "patrol", "wyvern"]).ok().stdout;
    assert!(said.contains(&format!("it handed {} to its next session", at.bead)), "{said}");
    let told = at.world.in_town(["mail", "inbox"]).ok().stdout;
    assert!(told.contains("to its next session"), "{told}");
    let prime = at.world.in_town(["prime", &at.address]).ok().stdout;
    assert!(prime.contains("the parser is next") && prime.contains("?? open.txt"), "{prime}");
    // The work goes on in the same worktree.
    at.world.in_town(["sling", "--resume", &at.bead]).ok();
    assert_eq!(at.world.read(format!("{}/open.txt", at.place)), "x");
    assert!(!at.world.session_of(&at.address).is_empty());
}

#[test]
fn a_person_who_hands_off_for_a_polecat_is_told_how_it_goes_on() {
    let at = polecat();
    let said = at.world.gt_in(&at.place, ["handoff", "-m", "on"]).ok().stderr;
    let next = format!("gt session restart {}", at.address);
    assert_eq!(said, format!("start the next one, which reads the note, with: {next}\n"));
    at.world.in_town(next.split(' ').skip(1)).ok();
    assert!(!at.world.session_of(&at.address).is_empty());
}

#[test]
fn handoff_with_finished_work_asks_for_the_end() {
    let at = polecat();
    at.commit("work");
    at.world.gt_in(&at.place, ["done"]).ok();
    at.world.gt_in(&at.place, ["handoff"]).ok();
    wait_for_the_end(&at.world);
    let listed = ["bd", "list", "--all", "--type", "message", "--json"];
    let mail = at.world.gt_in("town/wyvern", listed).ok().json();
    let subjects: Vec<&str> =
        mail.as_array().unwrap().iter().map(|one| one["title"].as_str().unwrap()).collect();
    assert!(subjects.contains(&format!("shutdown request: {}", at.address).as_str()), "{subjects:?}");
}

#[test]
fn hook_and_prime_say_what_to_do() {
    let at = polecat();
    let hook = at.world.gt_in(&at.place, ["hook"]).ok().stdout;
    assert_eq!(hook, format!("{}  hooked  P2  Fix it\n", at.bead));
    let prime = at.world.gt_in(&at.place, ["prime"]).ok().stdout;
    assert!(prime.starts_with(&format!("# Polecat {}\n", at.address)), "{prime}");
    assert!(!prime.contains("{{"), "{prime}");
    for part in
        [format!("## Your bead: {}\nFix it\n", at.bead), "```sh\ntrue\n```".into(), "gt done --exit".into()]
    {
        assert!(prime.contains(&part), "{part}\n{prime}");
    }
    let json = at.world.gt_in(&at.place, ["prime", "--json"]).ok().json();
    assert_eq!(json["prime"]["bead"]["id"], at.bead.as_str());
    let brief = at.world.gt_in(&at.place, ["prime", "--brief"]).ok().stdout;
    assert!(
        brief.contains(&at.bead) && brief.contains("all of it: gt prime)") && brief.len() <= 1536,
        "{brief}"
    );
    // As the hook of Claude Code calls it.
    let payload = include_str!("payloads/claude-SessionStart.json");
    let hook = |source: &str| {
        at.world.write("event", payload.replace("startup", source));
        let event = at.world.str("event");
        at.world.run("sh", &at.place, ["-c", &format!("exec {} prime --hook < {event}", gt())]).ok().stdout
    };
    assert_eq!((hook("startup"), hook("compact")), (prime, brief));
    for address in ["mayor/", "wyvern/witness", "wyvern/refinery", "overseer"] {
        let prime = at.world.in_town(["prime", address]).ok().stdout;
        assert!(!prime.contains("{{"), "{prime}");
    }
    let nobody = at.world.in_town(["hook", "wivern/Nux"]).fails(2);
    assert!(nobody.stderr.contains("no rig named 'wivern'"), "{nobody:#?}");
    wait_for("the session", || (!at.world.session_of(&at.address).is_empty()).then_some(()));
}
