//! Work that was done on another machine comes home by git: letters under done refs, whatever becomes of their beads.

use serde_json::{Value, json};

use crate::common::fugue::Daemon;
use crate::common::{Run, World, wait_for};

const CLONE: &str = "town/wyvern/mayor/rig";

/// A polecat elsewhere, as the town remembers it. Its machine is a clone of origin and nothing more.
pub struct Far {
    pub world: World,
    pub bead: String,
}

/// The instance that works there.
const INSTANCE: &str = "00000001aaaaaaaa";

impl Far {
    fn new() -> Far {
        let world = World::with_rig();
        let bead = world.bead("Fix it", "true");
        let words = ["bd", "update", &bead, "--status", "in_progress", "--assignee", "wyvern/Nux"];
        world.gt_in("town/wyvern", words).ok();
        world.gt_in("town/wyvern", ["bd", "update", &bead, "--add-label", "gt:remote:far"]).ok();
        world.write("town/wyvern/polecats/.names/Nux", INSTANCE);
        world.git("", ["clone", "-q", "origin.git", "there"]);
        let far = Far { world, bead };
        far.remember(INSTANCE);
        far
    }

    /// Writes down that the instance is elsewhere, behind a daemon that is dead.
    fn remember(&self, instance: &str) {
        let record = json!({"version": 1, "sessions": {"wyvern/Nux": {
            "remote": "far", "fugue_addr": "tcp://127.0.0.1:1", "town": "/far/town", "session": "gt-wyvern-Nux",
            "id": "i", "instance": instance, "bead": self.bead, "leaving": false}}});
        self.world.write("town/mayor/remote.json", record.to_string());
    }

    fn branch(&self) -> String {
        format!("polecat/Nux-{}", self.bead)
    }

    /// A commit over there, pushed on the polecat's branch.
    fn work(&self, text: &str) -> String {
        self.world.write("there/work.txt", text);
        self.world.git("there", ["checkout", "-q", "-B", &self.branch()]);
        self.world.git("there", ["add", "-A"]);
        self.world.git("there", ["commit", "-q", "-m", text]);
        self.world.git("there", ["push", "-q", "-f", "origin", &self.branch()]);
        self.world.git("there", ["rev-parse", "HEAD"])
    }

    fn letter(&self, commit: &str) -> Value {
        json!({"version": 1, "rig": "wyvern", "worker": "wyvern/Nux", "instance": INSTANCE, "bead": self.bead,
            "branch": self.branch(), "commit": commit, "outcome": "done", "notes": "mind the gap",
            "beads": [{"title": "Another thing", "description": "seen on the way"}]})
    }

    /// Pushes a letter.
    fn send(&self, letter: &Value) {
        self.send_to("refs/gt/done/wyvern/Nux/00000001aaaaaaaa", &letter.to_string());
    }

    fn send_to(&self, name: &str, message: &str) {
        self.world.write("there/.git/letter", message);
        let tree = self.world.git("there", ["hash-object", "-t", "tree", "-w", "/dev/null"]);
        let id = self.world.git("there", ["commit-tree", &tree, "-F", ".git/letter"]);
        self.world.git("there", ["push", "-q", "-f", "origin", &format!("{id}:{name}")]);
    }

    /// Work that is done: a commit and its letter.
    fn done(&self) -> String {
        let commit = self.work("work");
        self.send(&self.letter(&commit));
        commit
    }

    fn sync(&self) -> Run {
        self.world.in_town(["remote", "sync", "wyvern", "--json"])
    }

    fn letters(&self) -> Value {
        self.sync().ok().json()["synced"][0]["letters"].clone()
    }

    /// The letters that wait at origin.
    fn at_origin(&self) -> String {
        self.world.git("origin.git", ["for-each-ref", "refs/gt", "refs/heads/gt-done", "--format=%(refname)"])
    }

    fn beads(&self) -> Vec<Value> {
        let export = self.world.gt_in("town/wyvern", ["bd", "export"]).ok().stdout;
        export.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn of_type(&self, kind: &str) -> Vec<Value> {
        self.beads().into_iter().filter(|bead| bead["issue_type"] == kind).collect()
    }

    fn mail(&self, of: &str) -> Vec<Value> {
        let inbox = self.world.in_town(["mail", "inbox", of, "--json"]).ok().json();
        inbox["messages"].as_array().unwrap().clone()
    }

    fn record(&self) -> Value {
        let path = self.world.path("town/mayor/remote.json");
        let text = std::fs::read_to_string(path).unwrap_or_else(|_| "{}".into());
        serde_json::from_str::<Value>(&text).unwrap()["sessions"]["wyvern/Nux"].clone()
    }

    fn kept(&self) -> String {
        let format = "--format=%(refname) %(objectname)";
        self.world.git(CLONE, ["for-each-ref", format, "refs/gt/recovery"])
    }

    /// The laws after work was handed in: nothing is lost, nothing is there twice.
    #[track_caller]
    fn came_home(&self, commit: &str, when: &str) {
        let shown = self.world.show(&self.bead);
        assert_eq!(shown["status"], "in_progress", "{when}");
        assert_eq!(shown["labels"], json!(["gt:submitted"]), "{when}");
        assert_eq!(shown["notes"], "mind the gap", "{when}: {shown}");
        let requests = self.of_type("merge-request");
        assert_eq!(requests.len(), 1, "{when}: {requests:?}");
        assert_eq!(requests[0]["metadata"]["commit"], commit, "{when}");
        assert_eq!(requests[0]["notes"], "mind the gap", "{when}");
        let found = self.of_type("task").iter().filter(|bead| bead["title"] == "Another thing").count();
        assert_eq!(found, 1, "{when}");
        assert_eq!(self.mail("wyvern/witness").len(), 1, "{when}");
        assert_eq!(self.at_origin(), "", "{when}");
        assert!(self.kept().ends_with(commit), "{when}: {}", self.kept());
        assert_eq!(self.world.git(CLONE, ["for-each-ref", "refs/gt/home"]), "", "{when}");
    }
}

#[test]
fn what_was_done_elsewhere_becomes_a_request_and_is_merged() {
    let far = Far::new();
    let commit = far.done();
    let said = far.world.in_town(["remote", "sync"]).ok();
    let request = far.of_type("merge-request")[0]["id"].as_str().unwrap().to_string();
    let found = far.of_type("task").iter().find(|bead| bead["title"] == "Another thing").unwrap().clone();
    let wanted = format!(
        "{}  submitted: wyvern/Nux by {}, request {request}; new: {}\n\
         wyvern/Nux  is not ended on far yet: far does not answer\n",
        far.bead,
        &commit[..10],
        found["id"].as_str().unwrap()
    );
    assert_eq!(said.stdout, wanted);
    assert_eq!(found["description"], format!("seen on the way\n\nFound by wyvern/Nux on {}.", far.bead));
    far.came_home(&commit, "at once");
    assert_eq!(far.record()["leaving"], true);
    let mail = far.mail("wyvern/witness")[0].to_string();
    assert!(mail.contains("done: Fix it"), "{mail}");
    assert_eq!(far.letters(), json!([]));
    far.came_home(&commit, "again");
    far.world.in_town(["refinery", "process", "wyvern"]).ok();
    assert_eq!(far.world.git("origin.git", ["show", "main:work.txt"]), "work");
    assert_eq!(far.world.show(&far.bead)["status"], "closed");
}

#[test]
fn a_server_that_takes_branches_only_is_enough() {
    let far = Far::new();
    let commit = far.work("work");
    let name = format!("refs/heads/gt-done/wyvern/Nux-{INSTANCE}");
    far.send_to(&name, &far.letter(&commit).to_string());
    assert_eq!(far.letters()[0]["ref"], name);
    far.came_home(&commit, "at once");
}

#[test]
fn killed_at_any_step_the_same_command_completes_and_nothing_is_there_twice() {
    for step in ["home.1", "home.2", "home.3", "home.4", "home.5"] {
        let far = Far::new();
        let commit = far.done();
        far.world.gt_killed(step, "town", ["remote", "sync", "wyvern"]);
        let kept = far.world.git(CLONE, ["cat-file", "-t", &commit]);
        assert_eq!(kept, "commit", "{step}");
        assert!(!far.at_origin().is_empty() || far.of_type("merge-request").len() == 1, "{step}");
        far.sync().ok();
        far.came_home(&commit, step);
        assert_eq!(far.record()["leaving"], true, "{step}");
    }
}

#[test]
fn two_at_once_take_each_letter_in_once() {
    let far = Far::new();
    let commit = far.done();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let mut command = far.world.command(crate::common::gt(), "town");
            command.args(["remote", "sync", "wyvern"]);
            scope.spawn(move || crate::common::finish(&mut command).ok());
        }
    });
    far.came_home(&commit, "four at once");
}

#[test]
fn nothing_handed_in_costs_one_process_and_a_local_town_none() {
    let far = Far::new();
    far.world.count_calls(&["git"]);
    far.sync().ok();
    let calls = far.world.calls("git");
    assert_eq!(calls.len(), 1, "{calls:#?}");
    assert!(calls[0].contains("ls-remote"), "{calls:#?}");
    far.done();
    far.world.calls("git");
    far.sync().ok();
    let fetches = far.world.calls("git").iter().filter(|call| call.contains(" fetch ")).count();
    assert_eq!(fetches, 1);
    let local = World::with_rig();
    local.bead("Fix it", "true");
    local.count_calls(&["git"]);
    let said = local.in_town(["remote", "sync"]).ok();
    assert_eq!(said.stderr, "no rig has polecats on other machines\n");
    assert_eq!(local.calls("git"), Vec::<String>::new());
}

#[test]
fn a_dry_run_says_whose_work_waits_and_changes_nothing() {
    let far = Far::new();
    far.done();
    let before = crate::flow::Scene::of(&far.world);
    let said = far.world.in_town(["remote", "sync", "--dry-run"]).ok();
    assert_eq!(said.stdout, format!("would take in what wyvern/Nux handed in for {}\n", far.bead));
    assert_eq!(crate::flow::Scene::of(&far.world), before);
    assert!(!far.at_origin().is_empty());
    assert_eq!(far.record()["leaving"], false);
}

#[test]
fn a_later_commit_replaces_the_request_and_other_words_add_to_it() {
    let far = Far::new();
    far.done();
    far.sync().ok();
    let second = far.work("better");
    far.send(&far.letter(&second));
    far.sync().ok();
    let open =
        || far.of_type("merge-request").into_iter().filter(|one| one["status"] == "open").collect::<Vec<_>>();
    assert_eq!(open().len(), 1);
    assert_eq!(open()[0]["metadata"]["commit"], second);
    // The same commit with new findings: no second request.
    let mut third = far.letter(&second);
    third["beads"] = json!([{"title": "A third thing"}]);
    third["notes"] = "one more".into();
    far.send(&third);
    let letters = far.letters();
    assert_eq!(letters[0]["request"], open()[0]["id"], "{letters}");
    assert_eq!(far.of_type("merge-request").len(), 2);
    assert_eq!(far.of_type("task").iter().filter(|bead| bead["title"] == "A third thing").count(), 1);
    assert!(far.kept().contains(&second), "{}", far.kept());
}

#[test]
fn without_changes_the_bead_is_closed_with_the_reason() {
    let far = Far::new();
    let mut letter = far.letter(&far.world.git("there", ["rev-parse", "HEAD"]));
    letter["outcome"] = "no-changes".into();
    letter["notes"] = "it works as it is".into();
    far.send(&letter);
    assert_eq!(far.letters()[0]["state"], "closed");
    let shown = far.world.show(&far.bead);
    assert_eq!(
        (shown["status"].as_str(), shown["close_reason"].as_str()),
        (Some("closed"), Some("no changes: it works as it is"))
    );
    assert!(shown.get("labels").is_none_or(|labels| labels == &json!([])), "{shown}");
    assert_eq!(far.of_type("merge-request").len(), 0);
    assert_eq!(far.mail("wyvern/witness").len(), 1);
    assert_eq!(far.at_origin(), "");
}

/// What happened to the bead while the work went on elsewhere, and what is said of it.
fn moved_on(change: &[&str], why: &str, named: bool) {
    let mut far = Far::new();
    if change.is_empty() {
        far.bead = "wy-gone".into();
    } else {
        let mut words = vec!["bd"];
        words.extend(change.iter().map(|word| if *word == "@" { far.bead.as_str() } else { word }));
        far.world.gt_in("town/wyvern", words).ok();
    }
    let commit = far.done();
    for step in ["home.2", "home.3", "home.4"] {
        far.world.gt_killed(step, "town", ["remote", "sync", "wyvern"]);
    }
    far.sync().ok();
    assert_eq!(far.of_type("merge-request").len(), 0, "{why}");
    let recovery = format!("refs/gt/recovery/Nux/{INSTANCE}");
    assert_eq!(far.kept(), format!("{recovery} {commit}"), "{why}");
    let mail = far.mail("mayor/");
    assert_eq!(mail.len(), 1, "{why}: {mail:?}");
    let subject = mail[0]["subject"].as_str().unwrap();
    assert_eq!(subject, format!("work on {} came home, but {}", far.bead, why.replace('@', &far.bead)));
    let found = far.of_type("task").iter().filter(|bead| bead["title"] == "Another thing").count();
    assert_eq!(found, 1, "{why}");
    assert_eq!(far.at_origin(), "", "{why}");
    if let Some(bead) = far.beads().iter().find(|bead| bead["id"] == far.bead.as_str()) {
        let kept = bead["metadata"]["recovery"].as_str();
        assert_eq!(kept, named.then_some(recovery.as_str()), "{why}");
    }
}

#[test]
fn a_bead_that_was_taken_back_names_what_came_home() {
    moved_on(&["update", "@", "--status", "open", "--assignee", ""], "@ was taken back", true);
}

#[test]
fn a_bead_that_is_with_somebody_else_stays_theirs() {
    moved_on(&["update", "@", "--assignee", "wyvern/Toast"], "@ is with wyvern/Toast by now", false);
}

#[test]
fn a_bead_that_is_closed_stays_closed() {
    let far = Far::new();
    far.world.gt_in("town/wyvern", ["bd", "update", &far.bead, "--assignee", "max"]).ok();
    far.world.gt_in("town/wyvern", ["bd", "close", &far.bead, "--reason", "not wanted"]).ok();
    far.done();
    assert_eq!(far.letters()[0]["why"], format!("{} is closed", far.bead));
    assert_eq!(far.world.show(&far.bead)["status"], "closed");
    assert_eq!(far.mail("mayor/").len(), 1);
}

#[test]
fn a_bead_that_nobody_knows_is_no_reason_to_lose_its_commit() {
    moved_on(&[], "there is no bead @ here", false);
}

#[test]
fn another_instance_of_the_name_is_another_polecat() {
    let far = Far::new();
    far.done();
    far.world.write("town/wyvern/polecats/.names/Nux", "00000002bbbbbbbb");
    let letters = far.letters();
    assert_eq!(letters[0]["why"], format!("{} is with another wyvern/Nux by now", far.bead));
    // The other instance is not ended for it.
    far.remember("00000002bbbbbbbb");
    let commit = far.work("more");
    far.send(&far.letter(&commit));
    assert_eq!(far.letters()[0]["state"], "foreign");
    assert_eq!(far.record()["leaving"], false);
}

#[test]
fn what_is_not_ours_or_no_letter_is_said_and_left_alone() {
    let far = Far::new();
    let commit = far.done();
    let mut other = far.letter(&commit);
    other["instance"] = "anotherstowns".into();
    far.send_to("refs/gt/done/wyvern/Nux/anotherstowns", &other.to_string());
    far.send_to("refs/gt/done/wyvern/Toast/i2", "not json \u{1b}[2J");
    far.send_to("refs/gt/done/wyvern/Toast/a/b", "{}");
    far.send_to("refs/gt/done/wyvern2/Nux/i3", "{}");
    far.send_to("refs/heads/gt-done/wyvern/toast", "{}");
    let blob = far.world.git("there", ["hash-object", "-w", "work.txt"]);
    far.world.git("there", ["push", "-q", "origin", &format!("{blob}:refs/gt/done/wyvern/Ace/i4")]);
    let letters = far.letters();
    let mut said: Vec<(String, String)> = letters
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["ref"].as_str().unwrap().into(), one["state"].as_str().unwrap().into()))
        .collect();
    said.sort_unstable();
    let wanted = [
        ("refs/gt/done/wyvern/Ace/i4", "unreadable"),
        ("refs/gt/done/wyvern/Nux/00000001aaaaaaaa", "submitted"),
        ("refs/gt/done/wyvern/Nux/anotherstowns", "foreign"),
        ("refs/gt/done/wyvern/Toast/a/b", "unreadable"),
        ("refs/gt/done/wyvern/Toast/i2", "unreadable"),
        ("refs/heads/gt-done/wyvern/toast", "unreadable"),
    ];
    let wanted: Vec<(String, String)> = wanted.map(|(name, state)| (name.into(), state.into())).into();
    assert_eq!(said, wanted);
    assert_eq!(far.at_origin().lines().count(), 6, "{}", far.at_origin());
    // A person may say that it is the town's all the same.
    let adopted = far.world.in_town(["remote", "sync", "wyvern", "--adopt", "--json"]).ok().json();
    let letters = adopted["synced"][0]["letters"].as_array().unwrap().clone();
    assert!(
        letters.iter().any(|one| one["instance"] == "anotherstowns" && one["state"] == "kept"),
        "{letters:?}"
    );
}

#[test]
fn a_letter_whose_commit_was_pushed_over_waits() {
    let far = Far::new();
    let commit = far.work("work");
    far.work("other");
    far.world.git("there", ["reset", "-q", "--hard", "HEAD~2"]);
    let third = far.work("third");
    far.world.git("origin.git", ["reflog", "expire", "--expire=now", "--all"]);
    far.world.git("origin.git", ["gc", "-q", "--prune=now"]);
    far.send(&far.letter(&commit));
    let letters = far.letters();
    assert_eq!(letters[0]["state"], "missing", "{letters}");
    assert_eq!(far.record()["leaving"], false);
    assert!(!far.at_origin().is_empty());
    far.send(&far.letter(&third));
    assert_eq!(far.letters()[0]["state"], "submitted");
    far.came_home(&third, "after the push");
}

#[test]
fn a_server_that_keeps_its_refs_is_named_and_nothing_is_done_twice() {
    let far = Far::new();
    // receive.denyDeletes is about branches only.
    let hook = "#!/bin/sh\n[ \"$3\" != 0000000000000000000000000000000000000000 ] || { echo 'we keep refs' >&2; exit 1; }\n";
    far.world.program("update", hook);
    std::fs::rename(far.world.path("bin/update"), far.world.path("origin.git/hooks/update")).unwrap();
    let commit = far.done();
    let said = far.world.in_town(["remote", "sync"]).ok();
    assert!(
        said.stdout
            .contains(&format!("refs/gt/done/wyvern/Nux/{INSTANCE} is still at origin: hook declined")),
        "{said:?}"
    );
    for _ in 0..2 {
        assert_eq!(far.letters()[0]["state"], "taken");
    }
    std::fs::remove_file(far.world.path("origin.git/hooks/update")).unwrap();
    far.sync().ok();
    far.came_home(&commit, "in the end");
}

#[test]
fn a_letter_that_replaces_another_meanwhile_is_never_deleted_with_it() {
    let far = Far::new();
    far.done();
    far.world.gt_killed("home.4", "town", ["remote", "sync", "wyvern"]);
    let second = far.work("second");
    far.send(&far.letter(&second));
    far.sync().ok();
    let open: Vec<Value> =
        far.of_type("merge-request").into_iter().filter(|request| request["status"] == "open").collect();
    assert_eq!(open[0]["metadata"]["commit"], second);
    assert_eq!(open.len(), 1);
}

#[test]
fn an_origin_that_cannot_be_read_changes_nothing() {
    let far = Far::new();
    far.done();
    std::fs::rename(far.world.path("origin.git"), far.world.path("gone.git")).unwrap();
    let failed = far.world.in_town(["remote", "sync", "wyvern"]).fails(1);
    assert!(failed.stderr.contains("cannot read origin of"), "{failed:?}");
    assert!(failed.stderr.contains("hint: see whether git can read it: git -C "), "{failed:?}");
    std::fs::rename(far.world.path("gone.git"), far.world.path("origin.git")).unwrap();
    let commit = far.world.git("origin.git", ["rev-parse", &far.branch()]);
    far.sync().ok();
    far.came_home(&commit, "once it is back");
}

/// The polecat's place and session on a daemon's machine, as a start leaves them.
fn settle(far: &Far, daemon: &Daemon<'_>) {
    let there = daemon.folder().join("town");
    let (clone, home) = (there.join("wyvern/mayor/rig"), there.join("wyvern/polecats/Nux"));
    std::fs::create_dir_all(clone.parent().unwrap()).unwrap();
    far.world.git("", ["clone", "-q", "origin.git", clone.to_str().unwrap()]);
    let words = ["worktree", "add", "-q", "-b", &far.branch(), home.to_str().unwrap(), "origin/main"];
    far.world.git(&clone, words);
    far.world.write(clone.join(".git/worktrees/Nux/gt-instance"), INSTANCE);
    let root = far.world.real().join("town");
    let town = gastown::town::Town::find(&root, None).unwrap();
    let tags = format!(
        "remote,gt-i-{INSTANCE},gt-t-{},gt-a-wyvern/Nux,gt-b-{}",
        gastown::town::away::town_id(&town).unwrap(),
        far.bead
    );
    daemon.ask(["new-session", "-d", "-s", "gt-wyvern-Nux", "--tags", &tags, "exec sleep 600"]).ok();
    let id = daemon.session("gt-wyvern-Nux").unwrap().id;
    let record = json!({"version": 1, "sessions": {"wyvern/Nux": {
        "remote": daemon.addr, "fugue_addr": daemon.addr, "town": there.to_str().unwrap(),
        "session": "gt-wyvern-Nux", "id": id, "instance": INSTANCE, "bead": far.bead, "leaving": false}}});
    far.world.write("town/mayor/remote.json", record.to_string());
    let label = format!("gt:remote:{}", daemon.addr);
    far.world.gt_in("town/wyvern", ["bd", "update", &far.bead, "--remove-label", "gt:remote:far"]).ok();
    far.world.gt_in("town/wyvern", ["bd", "update", &far.bead, "--add-label", &label]).ok();
}

/// Nothing of the polecat is left, neither there nor here.
#[track_caller]
fn nothing_left(far: &Far, daemon: &Daemon<'_>, when: &str) {
    assert_eq!(daemon.sessions(), [], "{when}");
    let there = daemon.folder().join("town/wyvern");
    assert!(!there.join("polecats/Nux").exists(), "{when}");
    assert_eq!(far.world.git(there.join("mayor/rig"), ["for-each-ref", "refs/heads/polecat"]), "", "{when}");
    assert_eq!(far.record(), Value::Null, "{when}");
    assert!(!far.world.path("town/mayor/remote.json").exists(), "{when}");
    assert!(!far.world.path("town/wyvern/polecats/.names/Nux").exists(), "{when}");
    assert_eq!(far.world.git(CLONE, ["for-each-ref", "refs/heads/polecat"]), "", "{when}");
}

#[test]
fn who_has_handed_in_is_ended_on_its_machine() {
    let far = Far::new();
    let daemon = far.world.daemon("far");
    settle(&far, &daemon);
    let commit = far.done();
    let said = far.world.in_town(["remote", "sync"]).ok();
    assert!(said.stdout.contains(&format!("wyvern/Nux  ended on {}; kept under ", daemon.addr)), "{said:?}");
    nothing_left(&far, &daemon, "at once");
    far.came_home(&commit, "at once");
    assert!(far.world.path(format!("town/wyvern/logs/Nux-{INSTANCE}.screen.txt")).exists());
}

#[test]
fn killed_at_any_step_of_its_end_the_same_command_or_a_patrol_completes() {
    for (number, step) in
        ["leave.1", "leave.2", "leave.3", "leave.4", "leave.5", "end.3", "end.4", "end.5"].iter().enumerate()
    {
        let far = Far::new();
        let daemon = far.world.daemon("far");
        settle(&far, &daemon);
        let commit = far.done();
        far.world.gt_killed(step, "town", ["remote", "sync", "wyvern"]);
        let words =
            if number % 2 == 0 { ["remote", "sync", "wyvern"] } else { ["witness", "patrol", "wyvern"] };
        far.world.in_town(words).ok();
        // What is left once the record is gone is a name, as any patrol finds it.
        if number % 2 == 0 {
            far.world.in_town(["witness", "patrol", "wyvern"]).ok();
        }
        nothing_left(&far, &daemon, step);
        far.came_home(&commit, step);
    }
}

#[test]
fn while_its_daemon_is_dead_the_work_comes_home_and_the_end_waits() {
    let far = Far::new();
    let daemon = far.world.daemon("far");
    settle(&far, &daemon);
    daemon.freeze();
    let commit = far.done();
    far.world.in_town(["refinery", "process", "wyvern"]).ok();
    assert_eq!(far.world.git("origin.git", ["show", "main:work.txt"]), "work");
    assert_eq!(far.world.show(&far.bead)["status"], "closed");
    let said = far.world.in_town(["remote", "sync", "wyvern"]).ok();
    let waits = format!("wyvern/Nux  is not ended on {0} yet: {0} does not answer\n", daemon.addr);
    assert_eq!(said.stdout, waits);
    far.world.in_town(["witness", "patrol", "wyvern"]).ok();
    assert_eq!(far.record()["leaving"], true);
    assert!(far.world.path("town/wyvern/polecats/.names/Nux").exists());
    daemon.thaw();
    far.world.in_town(["witness", "patrol", "wyvern"]).ok();
    nothing_left(&far, &daemon, "once it answers");
    assert!(far.kept().ends_with(&commit), "{}", far.kept());
}

#[test]
fn an_agent_that_is_silent_is_given_up_only_when_a_person_says_so() {
    let far = Far::new();
    let daemon = far.world.daemon("far");
    settle(&far, &daemon);
    let work = daemon.folder().join("town/wyvern/polecats/Nux/half.txt");
    std::fs::write(&work, "half").unwrap();
    daemon.freeze();
    for words in [
        &["unsling", &far.bead][..],
        &["polecat", "release", "wyvern/Nux"],
        &["sling", &far.bead, "wyvern", "--resume"],
    ] {
        far.world.in_town(words).fails(1);
    }
    far.world.in_town(["witness", "patrol", "wyvern"]).ok();
    assert_eq!(far.world.show(&far.bead)["assignee"], "wyvern/Nux");
    assert_eq!(far.mail("mayor/"), Vec::<Value>::new());
    let said = far.world.in_town(["polecat", "release", "--force", "wyvern/Nux"]).ok();
    assert_eq!(said.stdout, format!("wyvern/Nux released; {} is open again\n", far.bead));
    assert!(said.stderr.contains("does not answer), and its name stays taken until then"), "{said:?}");
    let shown = far.world.show(&far.bead);
    assert_eq!(
        (shown["status"].as_str(), shown.get("assignee"), shown.get("labels")),
        (Some("open"), None, None)
    );
    assert!(far.world.path("town/wyvern/polecats/.names/Nux").exists());
    daemon.thaw();
    far.world.in_town(["remote", "sync"]).ok();
    nothing_left(&far, &daemon, "once it answers");
    // What was in no commit over there is one now, here, and the bead names it.
    let recovery = format!("refs/gt/recovery/Nux/{INSTANCE}");
    assert_eq!(far.world.show(&far.bead)["metadata"]["recovery"], recovery.as_str());
    assert_eq!(far.world.git(CLONE, ["show", &format!("{recovery}:half.txt")]), "half");
    assert_eq!(far.at_origin(), "");
}

#[test]
fn a_machine_that_is_gone_for_good_is_forgotten_only_after_it_was_given_up() {
    let far = Far::new();
    let daemon = far.world.daemon("far");
    settle(&far, &daemon);
    far.world.set("GASTOWN_FUGUE_ADDR", &daemon.addr);
    daemon.freeze();
    for (words, said) in [
        (&["polecat", "release", "--force", "wyvern/Nux"][..], "released"),
        (&["polecat", "release", "--force", "wyvern/Nux"], "released"),
        (&["polecat", "nuke", "wyvern/Nux"], "forgotten"),
    ] {
        assert!(far.world.path("town/mayor/remote.json").exists());
        let run = far.world.in_town(words).ok();
        assert!(run.stdout.starts_with(&format!("wyvern/Nux {said}")), "{run:?}");
    }
    assert!(!far.world.path("town/mayor/remote.json").exists());
    assert!(!far.world.path("town/wyvern/polecats/.names/Nux").exists());
    // Back after all: its session is nobody's any more.
    daemon.thaw();
    far.world.in_town(["witness", "patrol", "wyvern"]).ok();
    assert_eq!(daemon.sessions(), []);
}

#[test]
fn one_at_work_is_ended_by_hand_and_its_bead_names_what_it_had() {
    let far = Far::new();
    let daemon = far.world.daemon("far");
    settle(&far, &daemon);
    std::fs::write(daemon.folder().join("town/wyvern/polecats/Nux/half.txt"), "half").unwrap();
    assert!(far.world.in_town(["unsling", &far.bead]).fails(1).stderr.contains("is at work"));
    let said = far.world.in_town(["polecat", "nuke", "wyvern/Nux"]).ok();
    let recovery = format!("refs/gt/recovery/Nux/{INSTANCE}");
    let wanted =
        format!("wyvern/Nux ended; {} is open again; its commits are kept under {recovery}\n", far.bead);
    assert_eq!(said.stdout, wanted);
    nothing_left(&far, &daemon, "at once");
    assert_eq!(far.world.show(&far.bead)["metadata"]["recovery"], recovery.as_str());
    assert_eq!(far.world.git(CLONE, ["show", &format!("{recovery}:half.txt")]), "half");
}

#[test]
fn killed_at_any_step_of_a_release_it_is_completed() {
    for step in ["release.1", "release.3", "leave.2", "leave.3", "leave.4", "leave.5", "end.3"] {
        let far = Far::new();
        let daemon = far.world.daemon("far");
        settle(&far, &daemon);
        std::fs::write(daemon.folder().join("town/wyvern/polecats/Nux/half.txt"), "half").unwrap();
        far.world.gt_killed(step, "town", ["polecat", "nuke", "wyvern/Nux"]);
        far.world.in_town(["witness", "patrol", "wyvern"]).ok();
        nothing_left(&far, &daemon, step);
        let recovery = format!("refs/gt/recovery/Nux/{INSTANCE}");
        assert_eq!(far.world.git(CLONE, ["show", &format!("{recovery}:half.txt")]), "half", "{step}");
        let shown = far.world.show(&far.bead);
        assert_eq!((shown["status"].as_str(), shown.get("labels")), (Some("open"), None), "{step}");
        assert_eq!(shown["metadata"]["recovery"], recovery.as_str(), "{step}");
    }
}

#[test]
fn a_restarted_daemon_s_shell_is_a_crash_and_never_written_to() {
    let far = Far::new();
    let daemon = far.world.daemon("far");
    settle(&far, &daemon);
    daemon.restart();
    far.world.in_town(["witness", "patrol", "wyvern"]).ok();
    assert_eq!(far.mail("mayor/").len(), 1);
    assert_eq!(daemon.sessions().len(), 1);
    let work = daemon.folder().join("town/wyvern/polecats/Nux/half.txt");
    std::fs::write(work, "half").unwrap();
    far.world.in_town(["polecat", "release", "wyvern/Nux"]).ok();
    nothing_left(&far, &daemon, "after a restart");
    assert!(far.kept().contains(INSTANCE), "{}", far.kept());
}

#[test]
fn work_that_ended_before_it_was_collected_is_no_crash() {
    let far = Far::new();
    let daemon = far.world.daemon("far");
    settle(&far, &daemon);
    let commit = far.done();
    daemon.ask(["kill-session", "-t", "gt-wyvern-Nux"]).ok();
    // An origin that cannot be read leaves it open which of the two it is.
    std::fs::rename(far.world.path("origin.git"), far.world.path("gone.git")).unwrap();
    let said = far.world.in_town(["witness", "patrol", "wyvern"]).ok();
    assert!(said.stderr.contains("what was handed in elsewhere waits"), "{said:?}");
    assert_eq!(far.mail("mayor/"), Vec::<Value>::new());
    std::fs::rename(far.world.path("gone.git"), far.world.path("origin.git")).unwrap();
    far.world.in_town(["witness", "patrol", "wyvern"]).ok();
    assert_eq!(far.mail("mayor/"), Vec::<Value>::new());
    nothing_left(&far, &daemon, "at once");
    far.came_home(&commit, "at once");
}

#[test]
fn of_two_daemons_a_dead_one_keeps_nothing_of_the_other_back() {
    let far = Far::new();
    let daemon = far.world.daemon("far");
    settle(&far, &daemon);
    let path = far.world.path("town/mayor/remote.json");
    let mut records: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let dead = far.world.dead_addr();
    records["sessions"]["wyvern/Toast"] = json!({"remote": "dead", "fugue_addr": dead, "town": "/x", "session": "s",
        "id": "x", "instance": "00000003cccccccc", "bead": "wy-none", "leaving": true});
    std::fs::write(&path, records.to_string()).unwrap();
    far.done();
    let said = far.world.in_town(["remote", "sync"]).ok();
    assert!(said.stdout.contains("wyvern/Nux  ended on "), "{said:?}");
    assert!(
        said.stdout.contains("wyvern/Toast  is not ended on dead yet: dead does not answer\n"),
        "{said:?}"
    );
    assert_eq!(daemon.sessions(), []);
}

#[test]
fn a_place_that_cannot_be_taken_away_says_why_and_is_tried_again() {
    let far = Far::new();
    let daemon = far.world.daemon("far");
    settle(&far, &daemon);
    far.done();
    let git = daemon.folder().join("town/wyvern/polecats/Nux/.git");
    let text = std::fs::read(&git).unwrap();
    std::fs::write(&git, "gitdir: /nowhere\n").unwrap();
    let said = far.world.in_town(["remote", "sync"]).ok();
    assert!(
        said.stdout.contains("wyvern/Nux  is not ended on ") && said.stdout.contains("is no worktree of"),
        "{said:?}"
    );
    assert_eq!(daemon.sessions(), []);
    assert_eq!(far.record()["leaving"], true);
    std::fs::write(&git, text).unwrap();
    far.world.in_town(["remote", "sync"]).ok();
    nothing_left(&far, &daemon, "once it is mended");
}

/// A rig here, and a daemon on a machine with a home and a town folder of its own.
fn two(world: &World) -> Daemon<'_> {
    let daemon = world.daemon("far");
    world.set("GASTOWN_FUGUE_ADDR", &daemon.addr);
    world.set("GASTOWN_REMOTE_TOWN", &world.str("far/town"));
    daemon
}

fn wait_for_letter(world: &World) {
    let format = "--format=%(refname)";
    wait_for("the hand-in", || {
        let refs = world.git("origin.git", ["for-each-ref", format, "refs/gt/done"]);
        (!refs.is_empty()).then_some(())
    });
}

/// Nothing of any polecat is left, neither there nor here.
#[track_caller]
fn all_gone(world: &World, daemon: &Daemon<'_>) {
    assert_eq!(daemon.sessions(), []);
    let left = |dir: std::path::PathBuf| -> Vec<String> {
        let names = std::fs::read_dir(dir).into_iter().flatten().flatten();
        names
            .map(|one| one.file_name().into_string().unwrap())
            .filter(|name| !name.starts_with('.'))
            .collect()
    };
    for place in ["town/wyvern/polecats", "town/wyvern/polecats/.names", "far/town/wyvern/polecats"] {
        assert_eq!(left(world.path(place)), Vec::<String>::new(), "{place}");
    }
    assert!(!world.path("town/mayor/remote.json").exists());
    assert_eq!(world.git("origin.git", ["for-each-ref", "--format=%(refname)"]), "refs/heads/main");
    assert_eq!(world.tmux(["list-sessions"]).stdout, "");
}

#[test]
fn from_the_sling_to_the_merge_with_the_work_done_elsewhere() {
    let world = World::with_rig();
    let daemon = two(&world);
    let bead = world.bead("Write it", "echo \"$HOME\" >home.txt");
    world.in_town(["sling", &bead, "wyvern"]).ok();
    wait_for_letter(&world);
    let processed = world.in_town(["refinery", "process", "wyvern"]).ok();
    assert!(processed.stderr.contains(&format!("{bead}  submitted: wyvern/")), "{processed:?}");
    assert_eq!(world.git("origin.git", ["show", "main:home.txt"]), world.str("far/home"));
    let shown = world.show(&bead);
    assert!(shown["close_reason"].as_str().unwrap().starts_with("merged: "), "{shown}");
    assert!(!shown.to_string().contains("gt:remote:"), "{shown}");
    world.in_town(["witness", "patrol", "wyvern"]).ok();
    all_gone(&world, &daemon);
}

#[test]
fn when_there_is_here_the_one_folder_goes_once() {
    let world = World::with_rig();
    let daemon = two(&world);
    world.unset("GASTOWN_REMOTE_TOWN");
    let bead = world.bead("Write it", "echo hello >hello.txt");
    world.in_town(["sling", &bead, "wyvern"]).ok();
    wait_for_letter(&world);
    world.in_town(["remote", "sync"]).ok();
    world.in_town(["refinery", "process", "wyvern"]).ok();
    assert_eq!(world.git("origin.git", ["show", "main:hello.txt"]), "hello");
    all_gone(&world, &daemon);
    assert_eq!(world.git(CLONE, ["worktree", "list"]).lines().count(), 1);
}

/// Works when it is told to, hands in, and stays until it is ended.
const AGENT: &str = "#!/bin/sh\nenv -0 >\"$HOME/env.new\"; mv \"$HOME/env.new\" \"$HOME/env\"\n\
    until [ -e \"$HOME/go\" ]; do sleep 0.05; done\n\
    echo work >work.txt; git add work.txt; git commit -qm work\n\
    sh \"$GT_DONE\" -m 'as told' --bead 'More of it'\nwhile :; do sleep 0.05; done\n";

fn with_agent(world: &World) {
    world.program("agent", AGENT);
    world.settings(
        "[beads]\nstore = \"embedded\"\n[agents.told]\ncommand = [\"agent\"]\nprompt = \"argument\"\n",
    );
    world.set("GASTOWN_POLECAT__AGENT", "told");
}

#[test]
fn a_tunnel_that_is_down_for_a_night_stops_neither_the_work_nor_its_merge() {
    let world = World::with_rig();
    let daemon = two(&world);
    with_agent(&world);
    let bead = world.bead("Write it", "true");
    world.in_town(["sling", &bead, "wyvern/Nux"]).ok();
    wait_for("the agent", || world.path("far/home/env").exists().then_some(()));
    daemon.freeze();
    let polecats = world.in_town(["polecats", "wyvern", "--json"]).ok().json();
    assert_eq!(polecats["polecats"][0]["place"], "unreachable", "{polecats}");
    world.in_town(["witness", "patrol", "wyvern"]).ok();
    world.write("far/home/go", "");
    wait_for_letter(&world);
    world.in_town(["refinery", "process", "wyvern"]).ok();
    assert_eq!(world.git("origin.git", ["show", "main:work.txt"]), "work");
    let beads = world.gt_in("town/wyvern", ["bd", "export"]).ok().stdout;
    assert_eq!(beads.matches("\"title\":\"More of it\"").count(), 1, "{beads}");
    world.in_town(["witness", "patrol", "wyvern"]).ok();
    assert_eq!(world.in_town(["mail", "inbox", "mayor/", "--json"]).ok().json()["messages"], json!([]));
    assert!(world.path("town/wyvern/polecats/.names/Nux").exists());
    daemon.thaw();
    world.in_town(["witness", "patrol", "wyvern"]).ok();
    all_gone(&world, &daemon);
}

#[test]
fn a_polecat_that_was_given_up_is_begun_again_with_what_it_had() {
    let world = World::with_rig();
    let daemon = two(&world);
    with_agent(&world);
    let bead = world.bead("Write it", "true");
    world.in_town(["sling", &bead, "wyvern/Nux"]).ok();
    wait_for("the agent", || world.path("far/home/env").exists().then_some(()));
    world.write("far/town/wyvern/polecats/Nux/half.txt", "half");
    daemon.freeze();
    world.in_town(["polecat", "release", "--force", "wyvern/Nux"]).ok();
    // The name is not given out before its first bearer is gone.
    world.in_town(["sling", &bead, "wyvern/Nux", "--local"]).fails(1);
    daemon.thaw();
    world.in_town(["remote", "sync"]).ok();
    all_gone(&world, &daemon);
    world.in_town(["sling", &bead, "wyvern/Nux", "--resume", "--local"]).ok();
    assert_eq!(world.read("town/wyvern/polecats/Nux/half.txt"), "half");
}

#[test]
fn gt_over_there_needs_no_town_and_does_what_the_script_does() {
    let world = World::with_rig();
    let daemon = two(&world);
    with_agent(&world);
    let bead = world.bead("Write it", "echo 'as it says'");
    world.in_town(["sling", &bead, "wyvern/Nux"]).ok();
    let env = wait_for("the agent", || std::fs::read(world.path("far/home/env")).ok());
    let env: Vec<(String, String)> = env
        .split(|byte| *byte == 0)
        .filter_map(|own| {
            let (key, value) = std::str::from_utf8(own).ok()?.split_once('=')?;
            Some((key.to_string(), value.to_string()))
        })
        .collect();
    let over_there = |words: &[&str]| {
        let mut command = daemon.over_there(crate::common::gt(), "town/wyvern/polecats/Nux");
        crate::common::finish(command.env_clear().envs(env.clone()).args(words))
    };
    assert_eq!(over_there(&["hook"]).ok().stdout, format!("{bead}  in_progress  P2  Write it\n"));
    let prime = over_there(&["prime"]).ok().stdout;
    assert!(prime.contains("echo 'as it says'") && prime.contains("hand it in: gt done"), "{prime}");
    assert!(over_there(&["done"]).fails(1).stderr.contains("there is no commit that main lacks"));
    world.write("far/town/wyvern/polecats/Nux/own.txt", "own");
    assert!(over_there(&["done"]).fails(1).stderr.contains("?? own.txt"));
    over_there(&["handoff", "-m", "the parser is next"]).ok();
    assert!(over_there(&["prime"]).ok().stdout.contains("the parser is next"));
    world.git("far/town/wyvern/polecats/Nux", ["add", "-A"]);
    world.git("far/town/wyvern/polecats/Nux", ["commit", "-q", "-m", "own"]);
    assert_eq!(over_there(&["done", "--dry-run", "--json"]).ok().json()["done"]["state"], "submitted");
    assert_eq!(world.git("origin.git", ["for-each-ref", "refs/gt"]), "");
    let done = over_there(&["done", "--exit"]).ok();
    assert!(done.stdout.starts_with(&format!("{bead}  handed in: polecat/Nux-{bead} at ")), "{done:?}");
    assert!(!world.path("far/town/mayor/town.json").exists());
    world.in_town(["refinery", "process", "wyvern"]).ok();
    assert_eq!(world.git("origin.git", ["show", "main:own.txt"]), "own");
    world.in_town(["remote", "sync"]).ok();
    all_gone(&world, &daemon);
}

#[test]
fn a_start_of_which_nothing_is_known_is_taken_back_when_the_machine_answers() {
    let world = World::with_rig();
    let daemon = two(&world);
    with_agent(&world);
    let bead = world.bead("Write it", "true");
    world.in_town(["sling", &bead, "wyvern/Nux"]).ok();
    let path = world.path("town/mayor/remote.json");
    let text = std::fs::read_to_string(&path).unwrap().replace("\"leaving\": false", "\"leaving\": true");
    assert!(text.contains("\"leaving\": true"), "{text}");
    std::fs::write(&path, text).unwrap();
    world.in_town(["witness", "patrol", "wyvern"]).ok();
    all_gone(&world, &daemon);
    let shown = world.show(&bead);
    assert_eq!((shown["status"].as_str(), shown.get("labels")), (Some("open"), None), "{shown}");
}

#[test]
fn what_was_pushed_elsewhere_can_be_looked_at_and_landed() {
    let far = Far::new();
    let daemon = far.world.daemon("far");
    settle(&far, &daemon);
    let nothing = far.world.in_town(["diff", "wyvern/Nux"]).fails(1);
    assert!(nothing.stderr.contains("nothing of it was pushed yet"), "{nothing:?}");
    far.work("work");
    assert!(far.world.in_town(["diff", "wyvern/Nux"]).ok().stdout.contains("+work"));
    assert!(far.world.in_town(["log", "wyvern/Nux"]).ok().stdout.contains("work"));
    let path = far.world.in_town(["path", "wyvern/Nux"]).fails(1);
    assert!(path.stderr.contains("/far/town/wyvern/polecats/Nux\nhint: "), "{path:?}");
    let runs = far.world.in_town(["land", "--direct", "wyvern/Nux"]).fails(1);
    assert!(runs.stderr.contains("has not ended"), "{runs:?}");
    far.world.in_town(["session", "stop", "wyvern/Nux"]).ok();
    assert_eq!(daemon.sessions(), []);
    far.world.in_town(["land", "--direct", "wyvern/Nux"]).ok();
    assert_eq!(far.world.git("origin.git", ["show", "main:work.txt"]), "work");
    assert_eq!(far.world.show(&far.bead)["status"], "closed");
    nothing_left(&far, &daemon, "landed");
}

#[test]
fn a_town_that_forgot_still_takes_in_what_its_labels_promise() {
    let far = Far::new();
    let daemon = far.world.daemon("far");
    settle(&far, &daemon);
    far.world.set("GASTOWN_FUGUE_ADDR", &daemon.addr);
    far.world.set("GASTOWN_REMOTE_TOWN", &far.world.str("far/town"));
    std::fs::remove_file(far.world.path("town/mayor/remote.json")).unwrap();
    let commit = far.done();
    daemon.ask(["kill-session", "-t", "gt-wyvern-Nux"]).ok();
    far.world.in_town(["witness", "patrol", "wyvern"]).ok();
    assert_eq!(far.mail("mayor/"), Vec::<Value>::new());
    far.came_home(&commit, "without a record");
    // Its bead says no more where it was: its place over there is what the next start of the name takes over.
    assert!(!far.world.path("town/wyvern/polecats/.names/Nux").exists());
}

#[test]
fn doctor_knows_records_and_asks_nobody_who_is_silent() {
    let far = Far::new();
    let daemon = far.world.daemon("far");
    settle(&far, &daemon);
    let doctor = |words: &[&str]| far.world.in_town([&["doctor"], words].concat());
    doctor(&[]).ok();
    assert!(far.world.read("town/.gitignore").contains("/mayor/remote.json\n"));
    // Of an agent that nobody knows, on a machine that answers and on one that does not.
    let path = "town/mayor/remote.json";
    let mut records: Value = serde_json::from_str(&far.world.read(path)).unwrap();
    let mut stray = records["sessions"]["wyvern/Nux"].clone();
    stray["instance"] = "00000004dddddddd".into();
    stray["id"] = "none".into();
    records["sessions"]["gone/witness"] = stray.clone();
    stray["fugue_addr"] = far.world.dead_addr().into();
    records["sessions"]["lost/witness"] = stray;
    far.world.write(path, records.to_string());
    let found = doctor(&[]).fails(1).stdout;
    assert!(found.contains("Session elsewhere of gone/witness, who has no place"), "{found}");
    doctor(&["--fix"]).fails(1);
    let left: Value = serde_json::from_str(&far.world.read(path)).unwrap();
    let left: Vec<&String> = left["sessions"].as_object().unwrap().keys().collect();
    assert_eq!(left, ["lost/witness", "wyvern/Nux"]);
    // A bead that was given back by hand: what is over there is ended.
    far.world.write(
        path,
        json!({"version": 1, "sessions": {"wyvern/Nux": records["sessions"]["wyvern/Nux"]}}).to_string(),
    );
    far.world.gt_in("town/wyvern", ["bd", "update", &far.bead, "--status", "open", "--assignee", ""]).ok();
    daemon.ask(["kill-session", "-t", "gt-wyvern-Nux"]).ok();
    assert!(doctor(&[]).fails(1).stdout.contains("Polecat Nux is done and was not ended"));
    daemon.freeze();
    doctor(&["--fix"]).ok();
    assert!(far.world.path(path).exists());
    daemon.thaw();
    doctor(&["--fix"]).ok();
    assert_eq!(far.record(), Value::Null);
    assert!(!daemon.folder().join("town/wyvern/polecats/Nux").exists());
    far.world.write(path, "{\"version\": 1, \"sess");
    let broken = doctor(&[]).fails(1).stdout;
    assert!(broken.contains("Record of sessions elsewhere broken"), "{broken}");
}
