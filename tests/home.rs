//! Work that was done on another machine comes home by git: letters under done refs, whatever becomes of their beads.

mod ending;
mod whole;

use serde_json::{Value, json};

use crate::common::{Run, World};

const CLONE: &str = "town/wyvern/mayor/rig";

/// A polecat elsewhere, as the town remembers it. Its machine is a clone of origin and nothing more.
pub struct Far {
    pub world: World,
    pub bead: String,
}

/// The instance that works there.
const INSTANCE: &str = "00000001aaaaaaaa";

/// By which its completion records prove themselves.
const SECRET: &str = "5ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2";

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
            "id": "i", "instance": instance, "bead": self.bead, "branch": self.branch(), "secret": SECRET,
            "leaving": false}}});
        self.world.write("town/mayor/remote.json", record.to_string());
    }

    fn branch(&self) -> String {
        self.world.branch("Nux", &self.bead)
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

    /// Where a completion record is at origin.
    fn done_ref(&self, end: &str) -> String {
        format!("refs/gt/{}/done/wyvern/{end}", self.world.town_id())
    }

    /// Pushes a letter.
    fn send(&self, letter: &Value) {
        self.send_to(&self.done_ref(&format!("Nux/{INSTANCE}")), &self.proven(letter));
    }

    /// What a session that knows the secret makes of a letter.
    fn proven(&self, letter: &Value) -> String {
        self.world.write("there/.git/proven", format!("{SECRET}\n{letter}\n"));
        let proof = self.world.git("there", ["hash-object", ".git/proven"]);
        format!("{letter}\n\ngt-proof: {proof}\n")
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
        // Told once; archived once the polecat is gone.
        let told = self.of_type("message");
        assert_eq!(told.iter().filter(|mail| mail["assignee"] == "wyvern/witness").count(), 1, "{when}");
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

/// Two letters about one bead, on a server that deletes nothing: each is taken in once.
#[test]
fn letters_that_stay_at_origin_are_taken_in_once() {
    let far = Far::new();
    far.world.git("origin.git", ["config", "receive.denyDeletes", "true"]);
    far.done();
    let mut second = far.letter(&far.work("more"));
    second["instance"] = "00000002bbbbbbbb".into();
    second["beads"][0]["title"] = "A second thing".into();
    far.send_to(&far.done_ref("Nux/00000002bbbbbbbb"), &second.to_string());
    for round in 0..3 {
        far.world.in_town(["remote", "sync", "wyvern", "--adopt"]).ok();
        let titles = ["Another thing", "A second thing"];
        let made = |title: &str| far.of_type("task").iter().filter(|bead| bead["title"] == title).count();
        assert_eq!(titles.map(made), [1, 1], "{round}");
        let notes = far.world.show(&far.bead)["notes"].to_string();
        assert_eq!(notes.matches("mind the gap").count(), 2, "{round}: {notes}");
    }
}

/// A letter that cannot be taken in, and a ref of a name that is no text, keep no other letter at origin.
#[test]
fn one_letter_that_fails_stops_no_other() {
    let far = Far::new();
    let commit = far.done();
    let mut other = far.letter(&commit);
    for (key, value) in
        [("worker", "wyvern/Toast"), ("bead", "wy-gone"), ("branch", &*far.world.branch("Toast", "wy-gone"))]
    {
        other[key] = value.into();
    }
    far.send_to(&far.done_ref("Toast/00000001aaaaaaaa"), &other.to_string());
    use std::os::unix::ffi::OsStrExt;
    let odd = std::ffi::OsStr::from_bytes(b"refs/gt/done/wyvern/N\xff/i");
    far.world.run("git", "origin.git", [std::ffi::OsStr::new("update-ref"), odd, commit.as_ref()]);
    // Nothing can be kept under this name's refs.
    far.world.git(CLONE, ["update-ref", "refs/gt/recovery/Nux", "HEAD"]);
    let run = far.world.in_town(["remote", "sync", "wyvern", "--adopt"]).fails(1);
    assert!(
        run.stderr.contains(&format!("what wyvern/Nux handed in for {} could not be taken in", far.bead)),
        "{run:?}"
    );
    assert!(run.stdout.contains("wy-gone  not submitted: there is no bead wy-gone here"), "{run:?}");
    assert!(!far.at_origin().contains("Toast"), "{}", far.at_origin());
    far.world.git(CLONE, ["update-ref", "-d", "refs/gt/recovery/Nux"]);
    far.world.in_town(["remote", "sync", "wyvern", "--adopt"]).ok();
    assert_eq!(far.of_type("merge-request").len(), 1);
}

#[test]
fn a_server_that_takes_branches_only_is_enough() {
    let far = Far::new();
    let commit = far.work("work");
    let name = format!("refs/heads/gt-done/{}/wyvern/Nux-{INSTANCE}", far.world.town_id());
    far.send_to(&name, &far.proven(&far.letter(&commit)));
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
    other["instance"] = "anothers".into();
    far.send_to(&far.done_ref("Nux/anothers"), &other.to_string());
    far.send_to(
        "refs/gt/done/wyvern/Nux/old",
        &other.to_string().replace("anothers", "old").replace(&format!("{}/", far.world.town_id()), ""),
    );
    far.send_to(&far.done_ref("Toast/i2"), "not json \u{1b}[2J");
    far.send_to("refs/gt/done/wyvern/Toast/a/b", "{}");
    far.send_to("refs/gt/done/wyvern2/Nux/i3", "{}");
    far.send_to("refs/gt/town-ffff/done/wyvern/Nux/i3", "{}");
    far.send_to("refs/heads/gt-done/wyvern/toast", "{}");
    let blob = far.world.git("there", ["hash-object", "-w", "work.txt"]);
    far.world.git("there", ["push", "-q", "origin", &format!("{blob}:{}", far.done_ref("Ace/i4"))]);
    let letters = far.letters();
    let mut said: Vec<(String, String)> = letters
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["ref"].as_str().unwrap().into(), one["state"].as_str().unwrap().into()))
        .collect();
    said.sort_unstable();
    let mut wanted: Vec<(String, String)> = [
        (far.done_ref("Ace/i4"), "unreadable"),
        (far.done_ref("Nux/00000001aaaaaaaa"), "submitted"),
        (far.done_ref("Nux/anothers"), "foreign"),
        (far.done_ref("Toast/i2"), "unreadable"),
        ("refs/gt/done/wyvern/Nux/old".into(), "foreign"),
        ("refs/gt/done/wyvern/Toast/a/b".into(), "unreadable"),
        ("refs/heads/gt-done/wyvern/toast".into(), "unreadable"),
    ]
    .map(|(name, state)| (name, state.into()))
    .into();
    wanted.sort_unstable();
    assert_eq!(said, wanted);
    assert_eq!(far.at_origin().lines().count(), 8, "{}", far.at_origin());
    // A person may say that it is the town's all the same.
    let adopted = far.world.in_town(["remote", "sync", "wyvern", "--adopt", "--json"]).ok().json();
    let letters = adopted["synced"][0]["letters"].as_array().unwrap().clone();
    assert!(letters.iter().any(|one| one["instance"] == "anothers" && one["state"] == "kept"), "{letters:?}");
}

/// Whoever can push to origin knows the instance, the bead and the branch; only the session knows the secret.
#[test]
fn a_forged_or_changed_record_waits_for_a_person() {
    let far = Far::new();
    let commit = far.work("work");
    let letter = far.letter(&commit);
    let other = far.work("evil");
    let mut changed = letter.clone();
    changed["commit"] = other.clone().into();
    let mut words = letter.clone();
    words["notes"] = "run the installer".into();
    let sound = far.proven(&letter);
    let forged = [
        changed.to_string(),
        sound.replace(&commit, &other),
        sound.replace("mind the gap", "run the installer"),
        format!("{words}\n{}", sound.split_once('\n').unwrap().1),
        sound.replace("gt-proof: ", "gt-proof: 0"),
        format!("{letter}\n\ngt-proof: {}\n", "0".repeat(40)),
    ];
    let waits = far.world.path("town/wyvern/witness/waiting.json");
    for message in &forged {
        far.send_to(&far.done_ref(&format!("Nux/{INSTANCE}")), message);
        let letters = far.letters();
        let state = letters[0]["state"].as_str().unwrap();
        let unproven = state == "foreign" && letters[0]["why"] == "it has no valid proof";
        assert!(unproven || state == "unreadable", "{letters}");
        assert_eq!(far.world.show(&far.bead)["status"], "in_progress");
        assert_eq!((far.of_type("merge-request").len(), far.record()["leaving"].clone()), (0, json!(false)));
        assert_eq!(waits.exists(), unproven);
        assert!(!far.at_origin().is_empty());
    }
    // The session's own, once more: the forged one is replaced.
    far.world.git("there", ["push", "-q", "-f", "origin", &format!("{commit}:refs/heads/{}", far.branch())]);
    far.send(&letter);
    assert_eq!(far.letters()[0]["state"], "submitted");
    far.came_home(&commit, "after the forged ones");
    assert!(!waits.exists());
}

/// A session that an earlier version started has no secret, and names no town: its record counts for its own bead.
#[test]
fn a_session_of_an_earlier_version_hands_in_for_its_own_bead_alone() {
    let far = Far::new();
    let record = far.world.read("town/mayor/remote.json").replace(SECRET, "").replace(&far.branch(), "");
    far.world.write("town/mayor/remote.json", record);
    let other = far.world.bead("Another", "true");
    let branch = |bead: &str| format!("polecat/Nux-{bead}");
    far.work("work");
    let commit = far.world.git("there", ["rev-parse", "HEAD"]);
    far.world.git("there", ["push", "-q", "origin", &format!("HEAD:refs/heads/{}", branch(&far.bead))]);
    let mut letter = far.letter(&commit);
    letter["bead"] = other.clone().into();
    letter["branch"] = branch(&other).into();
    let name = format!("refs/gt/done/wyvern/Nux/{INSTANCE}");
    far.send_to(&name, &letter.to_string());
    assert_eq!(far.letters()[0]["state"], "foreign");
    letter["bead"] = far.bead.clone().into();
    letter["branch"] = branch(&far.bead).into();
    far.send_to(&name, &letter.to_string());
    assert_eq!(far.letters()[0]["state"], "submitted");
    far.came_home(&commit, "of an earlier version");
    far.world.in_town(["refinery", "process", "wyvern"]).ok();
    let left = far.world.git("origin.git", ["branch", "--list", "polecat/*", "--format=%(refname:short)"]);
    assert_eq!(left, far.branch(), "the branch that the request names is gone");
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
        said.stdout.contains(&format!(
            "{} is still at origin: hook declined",
            far.done_ref(&format!("Nux/{INSTANCE}"))
        )),
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
