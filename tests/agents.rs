//! What an agent finds when it runs: its environment, its name, its bead.

use crate::common::{World, wait_for};
use crate::flow::wait_for_the_end;

#[test]
fn the_environment_of_a_polecat_is_as_the_document_says() {
    let world = World::with_rig();
    let bead = world.bead("Look around", "env > env.txt; command -v bd > bd.txt; bd ready > /dev/null");
    world.in_town(["sling", &bead, "wyvern"]).ok();
    wait_for_the_end(&world);
    let branch = format!("origin/{}", world.branch("Nux", &bead));
    world.git("town/wyvern/mayor/rig", ["fetch", "-q"]);
    let file = |name: &str| {
        let at = format!("{branch}:{name}");
        world.git("town/wyvern/mayor/rig", ["show", &at])
    };
    let text = file("env.txt");
    let root = world.real().join("town");
    let town = root.to_str().unwrap();
    let value = |key: &str| {
        text.lines().find_map(|line| line.strip_prefix(&format!("{key}="))).unwrap_or_default().to_string()
    };

    // bd is found, and it is the town's own: the store is embedded.
    assert!(value("PATH").starts_with(&format!("{town}/bin:")), "{}", value("PATH"));
    assert_eq!(file("bd.txt"), format!("{town}/bin/bd"));

    let mut named: Vec<String> = text
        .lines()
        .filter(|line| ["GT_", "BD_", "BEADS_", "GIT_"].iter().any(|start| line.starts_with(start)))
        .filter(|line| !["GT_ON_END=", "GIT_CONFIG_NOSYSTEM="].iter().any(|start| line.starts_with(start)))
        .map(|line| line.replace(&world.branch("Nux", &bead), "polecat/TOWN/Nux-BEAD"))
        .map(|line| line.replace(town, "TOWN").replace(&bead, "BEAD"))
        .map(|line| line.replace(&value("GT_INSTANCE"), "INSTANCE"))
        .collect();
    named.sort();
    insta::assert_snapshot!(named.join("\n"), @"
    BD_ACTOR=wyvern/Nux
    BEADS_ACTOR=wyvern/Nux
    BEADS_DIR=TOWN/wyvern/.beads
    BEADS_MAIL_DELEGATE=gt mail
    BEADS_NO_DAEMON=1
    GIT_AUTHOR_NAME=wyvern/Nux
    GIT_CEILING_DIRECTORIES=TOWN/wyvern/polecats
    GIT_COMMITTER_NAME=wyvern/Nux
    GT_ADDRESS=wyvern/Nux
    GT_AGENT=Nux
    GT_BEAD=BEAD
    GT_BEAD_TITLE=Look around
    GT_BRANCH=polecat/TOWN/Nux-BEAD
    GT_INSTANCE=INSTANCE
    GT_RIG=wyvern
    GT_ROLE=polecat
    GT_RUNTIME=shell
    GT_SESSION=gt-wyvern-Nux
    GT_TOWN_ROOT=TOWN
    GT_WORKTREE=TOWN/wyvern/polecats/Nux
    ");
}

#[test]
fn a_name_means_one_piece_of_work() {
    let world = World::with_rig();
    let first = world.bead("First", "echo 1 > first.txt");
    world.in_town(["sling", &first, "wyvern"]).ok();
    wait_for_the_end(&world);

    // Its work waits in the queue: the next gets another name.
    let second = world.bead("Second", "exit 7");
    world.in_town(["sling", &second, "wyvern"]).ok();
    assert_eq!(world.polecat_of(&second), "Toast");

    // Who asks for the name gets it, and the two are told apart.
    let third = world.bead("Third", "exit 8");
    let plan = world.in_town(["sling", &third, "wyvern/Nux", "--dry-run", "--json"]).ok().json();
    assert_eq!(plan["plan"][0]["address"], "wyvern/Nux");
    world.in_town(["sling", &third, "wyvern/Nux"]).ok();
    for (name, bead) in [("Toast", &second), ("Nux", &third)] {
        let polecat = wait_for(&format!("the crash of {name}"), || {
            let polecats = world.in_town(["polecats", "wyvern", "--json"]).ok().json()["polecats"].clone();
            let polecat = polecats.as_array()?.iter().find(|polecat| polecat["name"] == name)?.clone();
            (polecat["place"] == "crashed").then_some(polecat)
        });
        assert_eq!(polecat["bead"], **bead, "{polecat}");
    }

    // Whoever looks after them leaves both alone.
    world.in_town(["witness", "patrol", "wyvern"]).ok();
    for (name, bead) in [("Toast", &second), ("Nux", &third)] {
        assert!(world.path("town/wyvern/polecats").join(name).exists(), "{name}");
        assert_eq!(world.show(bead)["assignee"], format!("wyvern/{name}"));
    }
    assert_eq!(world.show(&first)["labels"][0], "gt:submitted");
}

/// An agent that does what it is told through the file `say` in its home folder.
const OBEYS: &str = "[beads]\nstore = \"embedded\"\n[agents.obeys]\nprompt = \"none\"\nfiles = [{ path = \".claude/settings.local.json\", text = \"gt hook-event; gt prime\" }]\n\
    command = [\"sh\", \"-c\", \"while :; do if [ -f ~/say ]; then sh ~/say; rm ~/say; fi; sleep 0.05; done\"]\n";

/// Has the agent's program tell gt of an event.
fn hook(world: &World, event: &str) {
    let payload = format!(
        "{{\"hook_event_name\":\"{event}\",\"session_id\":\"one\",\"tool_input\":{{\"command\":\"make all\"}}}}"
    );
    say(world, &format!("echo '{payload}' | gt hook-event"));
}

fn say(world: &World, command: &str) {
    world.write("home/say.new", command);
    std::fs::rename(world.path("home/say.new"), world.path("home/say")).unwrap();
    wait_for("the agent to do it", || (!world.path("home/say").exists()).then_some(()));
}

fn state(world: &World, address: &str) -> String {
    let sessions = world.in_town(["session", "list", "--json"]).ok().json()["sessions"].clone();
    let own = sessions.as_array().unwrap().iter().find(|session| session["address"] == address);
    own.map(|session| session["state"].as_str().unwrap().to_string()).unwrap_or_default()
}

#[test]
fn an_agents_own_hooks_tell_its_state() {
    let world = World::with_rig();
    world.settings(OBEYS);
    let gt = std::path::Path::new(crate::common::gt()).parent().unwrap().to_str().unwrap().to_string();
    let path = std::env::var("PATH").unwrap();
    world.set("PATH", &format!("{}:{gt}:{path}", world.str("bin")));
    world.set("GASTOWN_POLECAT__AGENT", "obeys");
    world.set("GASTOWN_MAYOR__AGENT", "obeys");
    let bead = world.bead("Obey", "true");
    world.in_town(["sling", &bead, "wyvern"]).ok();
    let address = "wyvern/Nux";
    assert_eq!(state(&world, address), "starting");
    for (event, wanted) in [
        ("SessionStart", "idle"),
        ("UserPromptSubmit", "working"),
        ("PermissionRequest", "question"),
        ("PostToolUse", "working"),
        ("Stop", "idle"),
    ] {
        hook(&world, event);
        assert_eq!(state(&world, address), wanted, "{event}");
        let mark = world.tmux(["display-message", "-p", "-t", "gt-wyvern-Nux:", "#{@gt_state}"]).ok().stdout;
        assert!(mark.contains(wanted), "{mark}");
    }
    hook(&world, "PermissionRequest");
    let status = world.in_town(["status"]).ok().stdout;
    let line = status.lines().find(|line| line.contains("Nux")).unwrap();
    assert!(line.contains("question") && line.contains("Tool: make all"), "{status}");
    let told = world.in_town(["status", "--explain", address]).ok().stdout;
    let parts =
        ["wyvern/Nux: question\n", "Tool: make all\n", "hook PermissionRequest\n", "its program runs\n"];
    assert!(parts.iter().all(|part| told.contains(part)), "{told}");
    // Another instance of that name says nothing of this one.
    say(&world, "echo '{\"hook_event_name\":\"Stop\"}' | GT_INSTANCE=other gt hook-event");
    assert_eq!(state(&world, address), "question");

    // Whoever asked for its end waits for that, whatever its hooks say on the way.
    say(&world, "date > d && git add d && git commit -qm d && gt done");
    assert_eq!(state(&world, address), "pending_shutdown");
    hook(&world, "PostToolUse");
    assert_eq!(state(&world, address), "pending_shutdown");

    // Outside of a session there is nothing to say it of.
    for place in ["town", ""] {
        let run = world.gt_in(place, ["hook-event"]).ok();
        assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
    }
}

#[test]
fn roles_get_the_settings_file_where_git_does_not_see_it() {
    let world = World::with_rig();
    world.settings(OBEYS);
    world.gt(["install", "other", "--git"]).ok();
    world.in_town(["crew", "add", "ann", "--rig", "wyvern"]).ok();
    world.set("GASTOWN_MAYOR__AGENT", "obeys");
    world.set("GASTOWN_CREW__AGENT", "obeys");
    world.gt_in("other", ["mayor", "start"]).ok();
    world.in_town(["start", "--dry-run"]).ok();
    assert!(!world.path("town/.claude").exists());
    world.set("GASTOWN_UP__ROLES", "[\"crew\"]");
    world.in_town(["start"]).ok();
    for place in ["other", "town/wyvern/crew/ann"] {
        assert!(world.read(format!("{place}/.claude/settings.local.json")).contains("hook-event"), "{place}");
        assert_eq!(world.git(place, ["status", "--porcelain"]), "", "{place}");
    }
}

#[test]
fn a_title_that_cannot_be_slung_makes_no_bead() {
    let world = World::with_rig();
    world.settings(OBEYS);
    world.set("GASTOWN_POLECAT__AGENT", "obeys");
    world.set("GASTOWN_POLECAT__MAX_WORKERS", "1");
    world.settings(&format!("{OBEYS}[agents.absent]\ncommand = [\"no-such-program\"]\n"));
    world.in_town(["sling", "It fits", "wyvern"]).ok();
    let before = world.gt_in("town/wyvern", ["bd", "export"]).ok().stdout;
    for (words, message) in [
        (&["sling", "Not here", "wyvern/Nux"][..], "gt: the name Nux is taken in wyvern\n"),
        (
            &["sling", "No room", "wyvern", "--now"],
            "gt: the rig wyvern is full (max_workers: 1 polecat on this machine)\n",
        ),
        (
            &["sling", "No room", "wyvern", "--now", "--dry-run"],
            "gt: the rig wyvern is full (max_workers: 1 polecat on this machine)\n",
        ),
        (
            &["sling", "No such", "wyvern", "--agent", "absent"],
            "gt: no-such-program is not installed or not on PATH\n",
        ),
        (&["sling", "No such", "wyvern", "--agent", "nosuch"], "there is no [agents.nosuch]\n"),
        (&["sling", "No such", "wyvern", "--preset", "nosuch"], "gt: there is no preset 'nosuch'\n"),
    ] {
        let run = world.in_town(words).fails(1);
        assert!(run.stderr.contains(message), "{run:#?}");
        assert_eq!(run.stdout, "", "{words:?}");
        assert_eq!(world.gt_in("town/wyvern", ["bd", "export"]).ok().stdout, before, "{words:?}");
    }
}

#[test]
fn a_full_clone_knows_of_origin_what_the_rig_knows() {
    let world = World::with_rig();
    world.set("GASTOWN_POLECAT__SANDBOX", "clone");
    // The target moves on after the rig was added, through the rig itself.
    for (title, file) in [("First", "first.txt"), ("Second", "second.txt")] {
        let bead = world.bead(title, &format!("git log --format=%s > seen.txt; echo {title} > {file}"));
        world.in_town(["sling", &bead, "wyvern"]).ok();
        wait_for_the_end(&world);
        let diff = world.in_town(["log", "wyvern/Nux"]).ok().stdout;
        assert_eq!(diff.lines().count(), 1, "{diff}");
        world.in_town(["refinery", "process", "wyvern"]).ok();
        assert_eq!(world.show(&bead)["status"], "closed");
    }
    assert!(world.git("origin.git", ["show", "main:seen.txt"]).contains("First"));
    assert_eq!(world.git("origin.git", ["for-each-ref", "--format=%(refname)"]), "refs/heads/main");
    assert_eq!(world.git("town/wyvern/mayor/rig", ["worktree", "list"]).lines().count(), 1);
}

#[test]
fn a_polecat_can_commit_where_git_knows_nobody() {
    let world = World::with_rig();
    world.write("home/.gitconfig", "[init]\n\tdefaultBranch = main\n");
    let bead = world.bead("Say hello", "echo hello > hello.txt");
    world.in_town(["sling", &bead, "wyvern"]).ok();
    wait_for_the_end(&world);
    world.in_town(["refinery", "process", "wyvern"]).ok();
    let author = ["log", "-1", "--format=%an <%ae>", "main^2"];
    assert_eq!(world.git("origin.git", author), "wyvern/Nux <gastown@localhost>");
}

#[test]
fn a_wish_for_a_new_session_ends_with_the_new_session() {
    let world = World::with_rig();
    world.settings(OBEYS);
    let gt = std::path::Path::new(crate::common::gt()).parent().unwrap().to_str().unwrap().to_string();
    world.set("PATH", &format!("{gt}:{}", std::env::var("PATH").unwrap()));
    world.set("GASTOWN_POLECAT__AGENT", "obeys");
    world.set("GASTOWN_MAYOR__AGENT", "obeys");
    let bead = world.bead("Obey", "true");
    let again = vec!["sling", &bead, "wyvern", "--resume"];
    for (address, file, start, again) in [
        ("mayor/", "town/mayor/state.json", vec!["mayor", "start"], vec!["mayor", "start"]),
        ("wyvern/Nux", "town/wyvern/polecats/.state/Nux.json", vec!["sling", &bead, "wyvern"], again),
    ] {
        world.in_town(&start).ok();
        // The session ends in the middle of it: the words are gone before that.
        world.write("home/say.new", "rm ~/say; bd ready; gt handoff -m 'go on with step two'");
        std::fs::rename(world.path("home/say.new"), world.path("home/say")).unwrap();
        wait_for("the end of the session", || world.session_of(address).is_empty().then_some(()));
        assert!(world.read(file).contains("\"requesting_cycle\": true"), "{}", world.read(file));
        world.in_town(&again).ok();
        assert!(!world.read(file).contains("request"), "{}", world.read(file));
        assert_eq!(state(&world, address), "starting");
        let prime = world.in_town(["prime", address]).ok().stdout;
        assert!(prime.contains("go on with step two"), "{prime}");
        world.in_town(["stop", "--all"]).ok();
    }
}
